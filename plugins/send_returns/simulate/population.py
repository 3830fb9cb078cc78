"""Who lives in the county: every child's identity, home, school career and special educational need."""

import json
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

from send_returns.simulate.calendar import school_year
from send_returns.simulate.draw import (
    Bools,
    Dates,
    Ints,
    Texts,
    blank_dates,
    by_group,
    codes,
    day,
    days_between,
    stream,
    weighted_sample,
)
from send_returns.simulate.establishments import DISTRICTS
from send_returns.simulate.identifiers import nhs_numbers, postcodes, ulns, upns
from send_returns.simulate.names import forenames, surnames

Calibration = dict[str, Any]
ON_ROLL_SETTINGS = ("mainstream", "special", "alternative", "unrecorded")
# Share of each age (31 August) in state schools: half of the nursery year, all of 4 to 15, part of the sixth form.
_ON_ROLL = {3: 0.45, **dict.fromkeys(range(4, 16), 1.0), 16: 0.5, 17: 0.42, 18: 0.012}
# Whose number is in the UPNs of each block: the county's, then its neighbours'. Bedford (822) has no school here.
UPN_AUTHORITIES = (919, 207, 302, 308, 823, 873, 881, 821, 825, 822)
_LEFT_LAST_YEAR = {16: 0.45, 17: 0.05, 18: 0.40}


def calibration() -> Calibration:
    """Published counts for Hertfordshire and the shares assumed where none is published."""
    loaded: Calibration = json.loads(files(__package__).joinpath("calibration.json").read_text("utf-8"))
    return loaded


@dataclass
class People:
    """One element per person in every array; a person's position is their number less one.

    `setting` is the placement of an active plan ('' without one); `roll_from` to `roll_to` the time in state schools.
    Institutions are positions in the establishments frame, -1 for none.
    """

    age: Ints  # in years on the 31 August before the school year of as_of
    birth: Dates
    boy: Bools
    setting: Texts
    roll_from: Dates
    roll_to: Dates
    household: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    district: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    support_from: Dates = field(default_factory=lambda: blank_dates(0))
    support_to: Dates = field(default_factory=lambda: blank_dates(0))
    need: Texts = field(default_factory=lambda: np.empty(0, object))
    second_need: Texts = field(default_factory=lambda: np.empty(0, object))
    primary: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    secondary: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    middle: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    fixed: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    moved_on: Dates = field(default_factory=lambda: blank_dates(0))
    moved_from: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    identity: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __len__(self) -> int:
        return len(self.age)

    def on_roll(self, on: date) -> Bools:
        """Who is on a state school's roll on `on`."""
        return (self.roll_from <= day(on)) & ~(self.roll_to <= day(on))

    def national_curriculum_year(self, on: date, as_of: date) -> Ints:
        """Reception is 0, the nursery years are negative."""
        return self.age - 4 + school_year(on) - school_year(as_of)

    def school(self, on: date, as_of: date) -> Ints:
        """The state school each person attends, or would attend, on `on`."""
        year = self.national_curriculum_year(on, as_of)
        usual = np.where(year <= 6, self.primary, self.secondary)
        usual = np.where((self.middle >= 0) & (year >= 5) & (year <= 8), self.middle, usual)
        usual = np.where((self.moved_on > day(on)) & (year <= 11), self.moved_from, usual)
        return np.where(self.fixed >= 0, self.fixed, usual)

    def support(self, on: date) -> Bools:
        """Who receives SEN support on `on` (unless they have a plan)."""
        return (self.support_from <= day(on)) & ~(self.support_to <= day(on))


def people(seed: int, children: int, as_of: date, schools: pl.DataFrame, facts: Calibration, block: int = 0) -> People:
    """Everyone who appears in any feed, of a county with `children` children with SEND.

    `block`: whose identifiers they have, of 0 to 9; no two blocks have one in common.
    """
    rng = stream(seed, "people")
    scale = children / facts["children"]
    pupils = round(facts["pupils"] * scale)
    start_of_year = np.datetime64(f"{school_year(as_of)}-09-01", "D")

    ages, shares = np.array(list(_ON_ROLL)), np.array(list(_ON_ROLL.values()))
    cohort = pupils / shares.sum()
    on_roll = rng.choice(ages, size=pupils, p=shares / shares.sum())
    left = np.repeat(list(_LEFT_LAST_YEAR), [round(cohort * share) for share in _LEFT_LAST_YEAR.values()])
    moved_away = rng.choice(np.arange(4, 16), size=round(pupils * 0.008))
    cells = [(int(a), s, n) for a, row in facts["plans_by_age_and_setting"].items() for s, n in row.items()]
    counts = rng.multinomial(
        round(facts["plans"] * scale), np.array([n for *_, n in cells]) / sum(n for *_, n in cells)
    )
    held = [(age, setting, int(count)) for (age, setting, _), count in zip(cells, counts, strict=True)]
    elsewhere = [(age, setting, count) for age, setting, count in held if setting not in ON_ROLL_SETTINGS]
    away = np.repeat([age for age, *_ in elsewhere], [count for *_, count in elsewhere])
    home_educated = rng.choice(np.arange(5, 16), size=round(facts["assumed"]["home_educated"] * scale))
    ceased = rng.choice(np.arange(16, 25), size=round(sum(facts["ceased_by_reason"].values()) * 1.5 * scale))
    little = rng.choice(np.arange(0, 4), size=round(11_000 * scale), p=[0.3, 0.3, 0.25, 0.15])
    older = rng.choice([16, 17], size=round(1_200 * scale))
    groups = [on_roll, left, moved_away, away, home_educated, ceased, little, older]
    age = np.concatenate(groups).astype(np.int64)
    bounds = np.cumsum([0, *(len(g) for g in groups)])
    part = {
        name: slice(int(bounds[i]), int(bounds[i + 1]))
        for i, name in enumerate(["on_roll", "left", "moved", "away", "home", "ceased", "little", "older"])
    }
    size = len(age)

    birth = start_of_year - (age * 365.25 + 365.25).astype(np.int64).astype("timedelta64[D]")
    birth = birth + rng.integers(0, 364, size).astype("timedelta64[D]")
    birth = np.minimum(birth, day(as_of) - 14)  # nobody is born after the last day
    boy = rng.random(size) < 0.512
    setting = np.full(size, "", dtype=object)
    setting[part["away"]] = np.repeat([s for _, s, _ in elsewhere], [count for *_, count in elsewhere])
    boy_share = facts["plans_by_sex"]["M"] / sum(facts["plans_by_sex"].values())
    boy[part["away"]] = rng.random(len(away)) < boy_share

    roll_from, roll_to = _roll(rng, age, setting, part, start_of_year, as_of)
    persons = People(age, birth, boy, setting, roll_from, roll_to)
    _households(rng, persons, part["on_roll"])
    _special_needs(rng, persons, part, held, children, as_of, facts)
    _schools(rng, persons, schools, start_of_year)
    _identity(rng, persons, schools, as_of, facts, block)
    return persons


def _roll(
    rng: np.random.Generator,
    age: Ints,
    setting: Texts,
    part: dict[str, slice],
    start_of_year: np.datetime64,
    as_of: date,
) -> tuple[Dates, Dates]:
    """When each person joined and left state schools."""
    size = len(age)
    first_year = np.where(rng.random(size) < 0.5, 3, 4)
    joined = start_of_year - ((age - np.minimum(first_year, age)) * 365.25).astype(np.int64).astype("timedelta64[D]")
    late = rng.random(size) < 0.015  # new to the county within the year
    year_ago = np.full(size, day(as_of) - 330, dtype="datetime64[D]")
    joined = np.where(late, days_between(rng, year_ago, np.full(size, day(as_of) - 3)), joined)
    roll_from, roll_to = blank_dates(size), blank_dates(size)
    for name in ("on_roll", "left", "moved"):
        roll_from[part[name]] = joined[part[name]]
    end_of_year = start_of_year - 31  # 1 August: the roll ends with July
    roll_to[part["left"]] = end_of_year
    roll_from[part["left"]] = np.minimum(roll_from[part["left"]], end_of_year - 200)
    moved = part["moved"]
    roll_from[moved] = np.minimum(roll_from[moved], day(as_of) - 330)
    roll_to[moved] = days_between(rng, year_ago[moved], np.full(moved.stop - moved.start, day(as_of) - 3))
    # Young people with plans in colleges were in a state school's Year 11 until the July before.
    last_year_11 = np.flatnonzero(
        (age == 16) & (np.arange(size) >= part["away"].start) & (np.arange(size) < part["away"].stop)
    )
    roll_from[last_year_11] = start_of_year - 12 * 365
    roll_to[last_year_11] = end_of_year
    # Half of those who get no schooling, or get it elsewhere, are still on the roll of a school.
    kept = np.isin(setting, ("OLA", "NIEO")) & (age >= 5) & (age <= 15) & (rng.random(size) < 0.5)
    roll_from[kept] = start_of_year - 365
    # A home-educated child has mostly been to school first.
    home = np.arange(part["home"].start, part["home"].stop)
    home = home[rng.random(len(home)) < 0.75]
    roll_from[home] = start_of_year - ((age[home] - 4) * 365.25).astype(np.int64).astype("timedelta64[D]")
    roll_to[home] = days_between(rng, roll_from[home], np.full(len(home), day(as_of) - 10))
    return roll_from, roll_to


def _households(rng: np.random.Generator, persons: People, pupils: slice) -> None:
    """Siblings share a home; about 1 pupil in 70 has a twin."""
    size = len(persons)
    persons.household = rng.integers(0, max(int(size * 0.62), 1), size)
    order = pupils.start + np.argsort(persons.age[pupils], kind="stable")
    first, second = order[0:-1:2], order[1::2]
    twins = (rng.random(len(first)) < 0.007) & (persons.age[first] == persons.age[second])
    persons.birth[second[twins]] = persons.birth[first[twins]]
    persons.household[second[twins]] = persons.household[first[twins]]
    shares = np.array([share for share, _ in DISTRICTS.values()])
    homes = rng.choice(len(shares), size=int(persons.household.max()) + 1, p=shares / shares.sum())
    persons.district = homes[persons.household]


def _special_needs(
    rng: np.random.Generator,
    persons: People,
    part: dict[str, slice],
    held: list[tuple[int, str, int]],
    children: int,
    as_of: date,
    facts: Calibration,
) -> None:
    """Who holds a plan and where, who receives SEN support since when, and for which need."""
    pupils = part["on_roll"]
    age, boy = persons.age[pupils], persons.boy[pupils]
    boy_weight = facts["plans_by_sex"]["M"] / facts["plans_by_sex"]["F"]
    free = np.where(boy, boy_weight, 1.0)
    waiting: list[str] = []
    for wanted_age in range(18, 2, -1):  # a placement for which there is no pupil of that age goes to a younger one
        waiting += [s for a, s, n in held if min(a, 18) == wanted_age and s in ON_ROLL_SETTINGS for _ in range(n)]
        chosen = weighted_sample(rng, np.where(age == wanted_age, free, 0.0), len(waiting))
        persons.setting[pupils.start + rng.permutation(chosen)] = np.array(waiting[: len(chosen)], dtype=object)
        waiting = waiting[len(chosen) :]
        free[chosen] = 0.0
    plans = persons.setting != ""
    in_process = round(facts["requests_in_year"] * 0.36 * children / facts["children"])
    support = children - int(plans.sum()) - round(in_process * 0.25)
    year_weight = np.interp(age, [3, 4, 8, 10, 15, 16, 18], [0.25, 0.5, 1.25, 1.25, 0.95, 0.5, 0.2])
    weight = np.where(free > 0, year_weight * np.where(boy, 1.6, 1.0), 0.0)
    # only those on roll since the latest census day can be counted there
    supported = pupils.start + weighted_sample(
        rng, np.where(persons.roll_from[pupils] <= day(as_of) - 90, weight, 0), support
    )
    size = len(persons)
    persons.support_from, persons.support_to = blank_dates(size), blank_dates(size)
    former = pupils.start + weighted_sample(
        rng, np.where(np.isin(np.arange(pupils.start, pupils.stop), supported), 0, weight), round(support * 0.06)
    )
    others = np.arange(part["left"].start, part["moved"].stop)
    others = others[rng.random(len(others)) < 0.13]
    home = np.arange(part["home"].start, part["home"].stop)
    home = home[rng.random(len(home)) < 0.2]
    holders = np.flatnonzero(plans)
    everyone = np.concatenate([supported, former, others, home, holders])
    persons.support_from[everyone] = days_between(
        rng, np.maximum(persons.birth[everyone] + 1500, day(as_of) - 3000), np.full(len(everyone), day(as_of) - 60)
    )
    # identified since the spring: their need is first recorded in a later census
    new = supported[rng.random(len(supported)) < 0.10]
    persons.support_from[new] = days_between(
        rng, np.full(len(new), day(as_of) - 280), np.full(len(new), day(as_of) - 60)
    )
    persons.support_to[former] = days_between(
        rng, persons.support_from[former] + 60, np.full(len(former), day(as_of) - 30)
    )

    persons.need, persons.second_need = np.full(size, "", dtype=object), np.full(size, "", dtype=object)
    persons.need[:] = codes(rng, facts["assumed"]["support_needs"], size)
    rest = facts["assumed"]["plan_needs_not_published"]
    for sex, is_sex in (("M", persons.boy), ("F", ~persons.boy)):
        published = facts["needs_by_sex"][sex]
        total = sum(published.values())
        weights = published | {need: total * share for need, share in rest.items()}
        ceased = np.zeros(size, dtype=bool)
        ceased[part["ceased"]] = True
        chosen = np.flatnonzero((plans | ceased) & is_sex)
        persons.need[chosen] = codes(rng, weights, len(chosen))
    second = codes(rng, {k: v for k, v in facts["assumed"]["support_needs"].items() if k != "NSA"}, size)
    given = (rng.random(size) < np.where(plans, 0.45, 0.2)) & (second != persons.need) & (persons.need != "NSA")
    persons.second_need[given] = second[given]


def _schools(rng: np.random.Generator, persons: People, schools: pl.DataFrame, start_of_year: np.datetime64) -> None:
    """A primary, perhaps a middle, and a secondary school for each, near home; a special school or unit for some."""
    size = len(persons)
    role, district = schools["role"].to_numpy(), schools["district"].to_numpy()
    places = schools["places"].to_numpy()

    def near(roles: tuple[str, ...]) -> Ints:
        members = [np.flatnonzero(np.isin(role, roles) & (district == d)) for d in range(len(DISTRICTS))]
        return by_group(rng, persons.district, members, places)

    persons.primary = near(("primary", "all_through"))
    persons.secondary = near(("secondary", "all_through"))
    stays = role[persons.primary] == "all_through"
    persons.secondary[stays] = persons.primary[stays]
    persons.moved_from = np.where(persons.age <= 10, near(("primary",)), near(("secondary",)))
    nurseries = np.flatnonzero(role == "nursery")
    nursery = (persons.age == 3) & (rng.random(size) < 0.12)
    persons.primary[nursery] = rng.choice(nurseries, size=int(nursery.sum()))
    persons.middle = np.full(size, -1)
    for where in (2, 4):
        middles = np.flatnonzero(np.isin(role, ("middle_primary", "middle_secondary")) & (district == where))
        tiered = (persons.district == where) & (rng.random(size) < 0.09) & ~stays
        persons.middle[tiered] = rng.choice(middles, size=int(tiered.sum()))
    persons.fixed = np.full(size, -1)
    for setting in ("special", "alternative"):
        chosen = persons.setting == setting
        persons.fixed[chosen] = rng.choice(np.flatnonzero(role == setting), size=int(chosen.sum()))
    movers = rng.random(size) < 0.02
    persons.moved_on = blank_dates(size)
    persons.moved_on[movers] = start_of_year - 250 + rng.integers(0, 290, int(movers.sum())).astype("timedelta64[D]")


def _identity(
    rng: np.random.Generator, persons: People, schools: pl.DataFrame, as_of: date, facts: Calibration, block: int
) -> None:
    """Names, home, ethnicity and every identifier; a household shares surname, postcode and mostly ethnicity."""
    size = len(persons)
    homes = int(persons.household.max()) + 1
    home_district = np.zeros(homes, dtype=np.int64)
    home_district[persons.household] = persons.district
    outward = [codes_ for _, codes_ in DISTRICTS.values()]
    pick = rng.random(homes)
    home_outward = pl.Series(
        [outward[d][int(u * len(outward[d]))] for d, u in zip(home_district.tolist(), pick.tolist(), strict=True)]
    )
    family, postcode = surnames(rng, homes), postcodes(rng, home_outward)
    ethnicity = pl.Series(codes(rng, facts["assumed"]["ethnicity"], homes).tolist()).gather(persons.household)
    own = pl.Series(rng.random(size) < 0.06)
    other_surname = surnames(rng, size)
    first_year = school_year(as_of) - persons.age + np.minimum(persons.age, 4)
    estab = schools["estab"].to_numpy()[persons.primary]
    serial = (
        pl.DataFrame({"estab": estab, "year": first_year})
        .select(pl.int_range(pl.len()).over("estab", "year"))
        .to_series()
        .to_numpy()
    )
    if serial.max() > 999:
        raise ValueError("more than 1,000 children would share a school and year in their UPN: fewer children")
    persons.identity = pl.DataFrame(
        {
            "person": np.arange(1, size + 1),
            "upn": upns(UPN_AUTHORITIES[block], estab, first_year, serial),
            "uln": ulns(100_000_000 + (rng.permutation(size) + block * 1_000_000) * 17),
            "nhs_number": nhs_numbers(rng, size, block),
            "surname": pl.select(
                pl.when(own).then(other_surname).otherwise(family.gather(persons.household))
            ).to_series(),
            "forename": forenames(rng, persons.boy),
            "born": persons.birth,
            "sex": np.where(persons.boy, "M", "F"),
            "ethnicity": ethnicity,
            "postcode": postcode.gather(persons.household),
        }
    ).with_columns(pl.when(pl.Series(persons.age) >= 14).then("uln").alias("uln"))
