"""School census: who is on which roll on each census day, their SEN, sessions of the term before, and exclusions."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import Census, census_day
from send_returns.simulate.draw import (
    NO_DATE,
    Bools,
    Dates,
    Floats,
    Ints,
    Texts,
    codes,
    day,
    days_between,
    stream,
    texts_if,
)
from send_returns.simulate.population import Calibration, People

_SESSIONS = {"spring": 142, "summer": 114, "autumn": 124}  # possible in the term before that census
_TEACHING = {
    "spring": (34, 12),
    "summer": (5, 4),
    "autumn": (14, 11),
}  # days from and to the term's ends without school
_REASONS = {"DB": 48, "PP": 17, "VA": 15, "PA": 7, "OW": 3, "DA": 4, "VP": 3, "RA": 2, "SM": 1}


_RANK = {"C": 1, "M": 2, "F": 3, "O": 4, "S": 5}  # of registrations, the main one first


@dataclass(frozen=True)
class Roll:
    """One census: `pupils` (one row per enrolment, in the file's order, `row` its ordinal), `needs`, `exclusions`."""

    census: Census
    pupils: pl.DataFrame
    needs: pl.DataFrame
    exclusions: pl.DataFrame


def main_registrations(rows: pl.DataFrame, *each: str) -> pl.DataFrame:
    """Of enrolments, the main one of each person (and of `each` of these); a guest is of another school."""
    ranked = rows.filter(pl.col("status") != "G").with_columns(
        rank=pl.col("status").replace_strict(_RANK, return_dtype=pl.Int8)
    )
    ordered = ranked.sort(["person", "rank", "entered", "urn"], descending=[False, False, True, False])
    return ordered.unique([*each, "person"], keep="first", maintain_order=True)


@dataclass(frozen=True)
class Traits:
    """What stays with a pupil from term to term."""

    absence: Floats
    premium: Bools
    plan_from: Dates
    plan_to: Dates


def traits(seed: int, persons: People, cases: pl.DataFrame, as_of: date, facts: Calibration) -> Traits:
    """Absence habit, pupil premium and the time of a plan, for each person."""
    rng = stream(seed, "census traits")
    size = len(persons)
    held = (
        cases.filter(pl.col("issued").is_not_null())
        .group_by("person", maintain_order=True)
        .agg(pl.col("issued").min(), pl.col("ceased").max())
    )
    plan_from, plan_to = np.full(size, NO_DATE), np.full(size, NO_DATE)
    plan_from[held["person"].to_numpy() - 1] = held["issued"].to_numpy()
    plan_to[held["person"].to_numpy() - 1] = held["ceased"].to_numpy()
    level = np.where(~np.isnat(plan_from), "E", np.where(persons.support(as_of), "K", "N"))
    assumed = facts["assumed"]
    mean = np.select(
        [level == "E", level == "K"], [assumed["absence"]["E"], assumed["absence"]["K"]], assumed["absence"]["N"]
    )
    poor = np.select(
        [level == "E", level == "K"],
        [assumed["pupil_premium"]["E"], assumed["pupil_premium"]["K"]],
        assumed["pupil_premium"]["N"],
    )
    absence = np.minimum(mean * rng.lognormal(-0.32, 0.8, size), 0.95)
    return Traits(absence, rng.random(size) < poor, plan_from, plan_to)


def rolls(
    seed: int,
    persons: People,
    schools: pl.DataFrame,
    cases: pl.DataFrame,
    censuses: list[Census],
    as_of: date,
    facts: Calibration,
    *,
    faults: bool,
) -> list[Roll]:
    """Each census in turn. With `faults`: plans still entered as SEN support, pupils with plans missing from the roll,
    plans another council keeps, and exclusions sent twice."""
    habit = traits(seed, persons, cases, as_of, facts)
    dual = _dual_registered(seed, persons, schools)
    done: list[Roll] = []
    for census in censuses:
        rng = stream(seed, f"census {census.name}")
        pupils = _pupils(rng, persons, schools, habit, dual, census, as_of, faults=faults and census == censuses[-1])
        needs = _needs(rng, persons, pupils, habit, census, faults=faults)
        exclusions = _exclusions(rng, pupils, census, facts)
        if faults and done:
            again = done[-1].exclusions.sample(fraction=0.02, seed=seed, shuffle=False)
            rows = pupils.select("person", "row").unique("person", keep="first", maintain_order=True)
            again = (
                again.drop("row")
                .join(rows, on="person")
                .with_columns(category=pl.col("category").replace("SUSP", "FIXD"))
            )
            exclusions = pl.concat([exclusions, again.select(exclusions.columns)]).sort("row", "started", "category")
        done.append(Roll(census, pupils, needs, exclusions))
    return done


def _dual_registered(seed: int, persons: People, schools: pl.DataFrame) -> Ints:
    """The subsidiary school of the 1 pupil in 250 who has one (a support centre, or another school); else -1."""
    rng = stream(seed, "dual registration")
    size = len(persons)
    role = schools["role"].to_numpy()
    centre = rng.choice(np.flatnonzero(role == "alternative"), size=size)
    other = rng.choice(np.flatnonzero(np.isin(role, ("special", "secondary"))), size=size)
    school = np.where(rng.random(size) < 0.7, centre, other)
    weight = np.where((persons.setting != "") | (persons.age >= 12), 0.008, 0.002)
    return np.where((rng.random(size) < weight) & (persons.fixed < 0), school, -1)


def _pupils(
    rng: np.random.Generator,
    persons: People,
    schools: pl.DataFrame,
    habit: Traits,
    dual: Ints,
    census: Census,
    as_of: date,
    *,
    faults: bool,
) -> pl.DataFrame:
    size = len(persons)
    on = persons.on_roll(census.day)
    year = persons.national_curriculum_year(census.day, as_of)
    plan = (habit.plan_from <= day(census.day)) & ~(habit.plan_to <= day(census.day))
    provision = np.where(plan, "E", np.where(persons.support(census.day), "K", "N"))
    chance = rng.random(size)
    if faults:
        provision = np.where(plan & (chance < 0.015), "K", provision)
        provision = np.where(~plan & (provision == "K") & (chance > 0.996), "E", provision)
        on &= ~((persons.setting == "mainstream") & (chance > 0.993))
    place = persons.school(census.day, as_of)
    before = persons.school(census.attendance_to, as_of)
    term_year = persons.national_curriculum_year(census.attendance_to, as_of)
    attended = on & (place == before) & (persons.roll_from <= day(census.attendance_from) + 40)
    attended &= (term_year >= 0) & (term_year <= 11)

    other = rng.random(size)
    status = np.where(dual >= 0, "M", "C")
    status = np.where((dual < 0) & (other < 0.0003), "O", status)
    status = np.where((dual < 0) & (other > 0.9998), "S", status)  # the main school is outside the county
    guest = on & (rng.random(size) < 0.0004) & (persons.setting == "")
    people = np.flatnonzero(on)
    subsidiary, guests = np.flatnonzero(on & (dual >= 0)), np.flatnonzero(guest)
    rows = np.concatenate([people, subsidiary, guests])
    schools_of = np.concatenate([place[people], dual[subsidiary], persons.moved_from[guests]])
    statuses = np.concatenate([status[people], np.full(len(subsidiary), "S"), np.full(len(guests), "G")])

    share = np.where(dual[rows] >= 0, np.where(statuses == "S", 0.35, 0.65), 1.0)
    possible = (_SESSIONS[census.term] * share * rng.uniform(0.96, 1.0, len(rows))).astype(np.int64)
    missed = rng.binomial(possible, habit.absence[rows])
    unauthorised = rng.binomial(missed, 0.28)
    has_sessions = attended[rows] & (statuses != "G")
    mainstream_plan = (provision[rows] == "E") & (persons.setting[rows] == "mainstream")
    joined = np.maximum(persons.roll_from[rows], np.datetime64("2000-01-01"))
    frame = pl.DataFrame(
        {
            "person": rows + 1,
            "school": schools_of,
            "status": statuses,
            "provision": provision[rows],
            "year": year[rows],
            "entered": joined,
            "part_time": (year[rows] < 0) & (rng.random(len(rows)) < 0.7),
            "sen_unit": mainstream_plan & (rng.random(len(rows)) < 12 / 6104),
            "resourced": mainstream_plan & (rng.random(len(rows)) < 99 / 6104),
            "premium": habit.premium[rows] & (year[rows] <= 11),
            "possible": possible,
            "authorised": missed - unauthorised,
            "unauthorised": unauthorised,
            "has_sessions": has_sessions,
            "secondary": term_year[rows] >= 7,
        }
    )
    sessions = [pl.when("has_sessions").then(name).alias(name) for name in ("possible", "authorised", "unauthorised")]
    return (
        frame.with_columns(sessions)
        .with_columns(urn=schools["urn"].gather(frame["school"]))
        .sort("urn", "person", "status")
        .with_row_index("row")
    )


def _needs(
    rng: np.random.Generator, persons: People, pupils: pl.DataFrame, habit: Traits, census: Census, *, faults: bool
) -> pl.DataFrame:
    """Ranked needs: of every pupil with SEN in the spring, otherwise of those new to SEN or to the roll since."""
    sen = pupils.filter(pl.col("provision") != "N")
    people = sen["person"].to_numpy() - 1
    kept = np.full(len(people), fill_value=True)
    if census.term != "spring":
        spring = census_day(census.year, "spring")
        known = (persons.support_from[people] <= day(spring)) | (habit.plan_from[people] <= day(spring))
        kept = ~known | ~persons.on_roll(spring)[people]
    if faults:
        kept &= rng.random(len(people)) > 0.008
    frame = sen.select("row", "person").with_columns(
        first=pl.Series(persons.need[people].tolist(), dtype=pl.String),
        second=pl.Series(persons.second_need[people].tolist(), dtype=pl.String),
    )
    frame = frame.filter(pl.Series(kept))
    primary = frame.select("row", "person", need="first", rank=pl.lit(1))
    secondary = frame.filter(pl.col("second") != "").select("row", "person", need="second", rank=pl.lit(2))
    return pl.concat([primary, secondary]).sort("row", "rank")


def _exclusions(rng: np.random.Generator, pupils: pl.DataFrame, census: Census, facts: Calibration) -> pl.DataFrame:
    """Suspensions and permanent exclusions of the attendance term, on school days."""
    present = pupils.filter("has_sessions")
    provision = present["provision"].to_numpy()
    older = np.where(present["secondary"].to_numpy(), 2.1, 0.3)

    def rate(name: str) -> Floats:
        shares = facts["assumed"][name]
        expected: Floats = older * np.select(
            [provision == "E", provision == "K"], [shares["E"], shares["K"]], shares["N"]
        )
        return expected

    habit = rng.lognormal(-0.5, 1.0, len(present))
    suspended = np.repeat(np.arange(len(present)), rng.poisson(rate("suspensions_per_term") * habit))
    excluded = np.flatnonzero(rng.random(len(present)) < rate("permanent_exclusions_per_term"))
    which = np.concatenate([suspended, excluded])
    size = len(which)
    after, before = _TEACHING[census.term]
    first, last = day(census.attendance_from) + after, day(census.attendance_to) - before
    started = days_between(rng, np.full(size, first), np.full(size, last))
    weekday = (started.astype(np.int64) + 3) % 7  # day 0 of the count was a Thursday
    started = started - np.maximum(weekday - 4, 0).astype("timedelta64[D]")
    category: Texts = codes(rng, {"SUSP": 985, "LNCH": 15}, size)
    category[len(suspended) :] = "PERM"
    return (
        present.select("row", "person", "provision")[which]
        .with_columns(
            started=pl.Series(started),
            sessions=pl.Series(np.where(category == "LNCH", 1, rng.choice([1, 2, 2, 4, 4, 6, 10], size))),
            reason=pl.Series(codes(rng, _REASONS, size).tolist(), dtype=pl.String),
            reason_2=texts_if(rng.random(size) < 0.2, codes(rng, _REASONS, size)),
            category=pl.Series(category.tolist(), dtype=pl.String),
        )
        .unique(["person", "started", "category"], keep="first", maintain_order=True)
        .sort("row", "started", "category")
    )
