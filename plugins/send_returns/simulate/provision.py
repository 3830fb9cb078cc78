"""Where children are taught and helped: alternative provision, part-time timetables, short breaks and what follows
after 16. Registers are as known on the last day of the latest month, since 1 January of the year before."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import last_month_end, last_spring_census, school_year
from send_returns.simulate.casework import known_by, numbered, wait
from send_returns.simulate.draw import (
    NO_DATE,
    Dates,
    Ints,
    Texts,
    codes,
    dates_if,
    day,
    days_between,
    shifted,
    stream,
    texts_if,
    weighted_sample,
)
from send_returns.simulate.lives import Lives
from send_returns.simulate.plans import window_start
from send_returns.simulate.population import Calibration

REVIEW_DAYS = 42  # in which a part-time timetable is to be reviewed
SCHOOL_AGES = range(5, 16)  # in years on the 31 August before
_DAY = np.timedelta64(1, "D")
_WEEK, _YEAR_DAYS = 7, 365
_AP_REASONS = {"SUSP": 8, "PERM": 16, "BEHV": 27, "HLTH": 6, "MENT": 22, "NEWA": 4, "SEND": 14, "OTHR": 3}
_TIMETABLE_REASONS = {"medical": 11, "mental_health": 24, "reintegration": 17, "behaviour": 25, "transition": 12,
                      "awaiting_placement": 8, "other": 3}  # fmt: skip
# A break, how many families ask for it, and how many minutes a week are agreed.
_BREAKS = {
    "overnight": (14, [360, 720, 1440]), "day": (18, [120, 180, 240]), "home": (12, [120, 180, 300]),
    "community": (22, [120, 180, 240]), "activity": (21, [60, 120, 180]), "direct_payment": (13, [120, 240, 360]),
}  # fmt: skip
_PROVIDERS = ("Example Breaks", "Example Holiday Club", "Example Care at Home", "Example House", "Council")
_ACTIVITY = {
    "mainstream": "school", "special": "school", "independent": "school", "independent_special": "school",
    "alternative": "school", "further_education": "college", "specialist_post_16": "specialist_college",
    "NEET": "neet", "OTH": "employment", "OLA": "training", "EHE": "training", "OPA": "training",
}  # fmt: skip
_WORK_BASED = {"S": "supported_internship", "A": "apprenticeship", "T": "traineeship"}


@dataclass(frozen=True)
class Provision:
    """`alternative`: placements on census day or since the last one. `timetables`. `requests`, `packages`, `delivery`
    of short breaks, and `disabled`, the children who may ask. `participation` spells and `internships` after 16."""

    census: date
    alternative: pl.DataFrame
    timetables: pl.DataFrame
    disabled: pl.DataFrame
    requests: pl.DataFrame
    packages: pl.DataFrame
    delivery: pl.DataFrame
    participation: pl.DataFrame
    internships: pl.DataFrame


@dataclass(frozen=True)
class _County:
    """What every part needs. Arrays are by position of a person."""

    of: Lives
    schools: pl.DataFrame
    as_of: date
    since: np.datetime64
    until: np.datetime64
    scale: float
    plan_from: Dates
    plan_to: Dates

    def provision(self, people: Ints, on: Dates) -> Texts:
        """E, K or N of each person on each day."""
        plan = (self.plan_from[people] <= on) & ~(self.plan_to[people] <= on)
        persons = self.of.persons
        support = (persons.support_from[people] <= on) & ~(persons.support_to[people] <= on)
        found: Texts = np.where(plan, "E", np.where(support, "K", "N")).astype(object)
        return found

    def school(self, people: Ints) -> Ints:
        """The URN of the state school of each, as if all attended one."""
        place = self.of.persons.school(self.as_of, self.as_of)[people]
        urns: Ints = self.schools["urn"].to_numpy()[place]
        return urns

    def numbers(self, people: Ints) -> Ints:
        """The persons at these positions."""
        found: Ints = people + self.of.first + 1
        return found


def provision(of: Lives, schools: pl.DataFrame, as_of: date, facts: Calibration) -> Provision:
    """The provision for a block of children."""
    county = _county(of, schools, as_of, facts)
    assumed = facts["assumed"]
    census = last_spring_census(as_of)
    disabled = _disabled(of, county.until)
    requests, packages, delivery = _short_breaks(stream(of.seed, "short breaks"), disabled, county, assumed)
    participation, internships = _post16(stream(of.seed, "post 16"), county)
    return Provision(
        census,
        _alternative(stream(of.seed, "alternative provision"), county, census, assumed),
        _timetables(stream(of.seed, "timetables"), county, assumed),
        disabled,
        requests,
        packages,
        delivery,
        participation,
        internships,
    )


def _county(of: Lives, schools: pl.DataFrame, as_of: date, facts: Calibration) -> _County:
    held = (
        of.plans.filter(pl.col("issued").is_not_null())
        .group_by("person", maintain_order=True)
        .agg(pl.col("issued").min(), pl.col("ceased").max())
    )
    begun, ended = np.full(len(of.persons), NO_DATE), np.full(len(of.persons), NO_DATE)
    position = held["person"].to_numpy() - of.first - 1
    begun[position], ended[position] = held["issued"].to_numpy(), held["ceased"].to_numpy()
    scale = of.plans["active"].sum() / facts["plans"]
    return _County(of, schools, as_of, window_start(as_of), day(last_month_end(as_of)), scale, begun, ended)


def _alternative(rng: np.random.Generator, county: _County, census: date, assumed: Calibration) -> pl.DataFrame:
    """Placements outside state schools: those of plans that say so, and of pupils for whom their school is no place."""
    persons = county.of.persons
    on = np.full(len(persons), day(census))
    level = county.provision(np.arange(len(persons)), on)
    school_age = np.isin(persons.age, SCHOOL_AGES) & (persons.birth < day(census) - 1900)
    weight = np.select([level == "E", level == "K"], [5.0, 4.5], 0.55) * np.where(persons.age >= 11, 3.0, 0.6)
    # Of those whose need nobody had seen, it is seen soon after more often than of other pupils.
    seen_soon = ~np.isnat(_identified(county, np.arange(len(persons)), on))
    weight = np.where((level == "N") & seen_soon, 9.0, weight)
    weight = np.where(persons.on_roll(census) & school_age, weight, 0.0)
    arranged = np.flatnonzero((persons.setting == "OLA") & school_age & (rng.random(len(persons)) < 0.8))
    weight[arranged] = 0.0
    people = np.concatenate(
        [arranged, weighted_sample(rng, weight, round(assumed["alternative_placements"] * county.scale))]
    )
    size = len(people)
    last = np.full(size, day(census))
    entered = days_between(rng, last - 520, last)
    left = shifted(entered, rng.integers(30, 420, size))
    left = dates_if((left < last) & (left > last - _YEAR_DAYS), left)
    entered = np.where(
        ~np.isnat(left) | (entered > last - _YEAR_DAYS), entered, last - rng.integers(1, 360, size)
    ).astype("datetime64[D]")
    role = county.schools["role"].to_numpy()
    chance = rng.random(size)
    independent = chance < 0.42
    college = (chance >= 0.42) & (chance < 0.5) & (persons.age[people] >= 13)
    urns, ukprns = county.schools["urn"].cast(pl.String), county.schools["ukprn"].cast(pl.String)
    at = rng.choice(np.flatnonzero(np.isin(role, ("independent", "independent_special"))), size=size)
    at = np.where(college, rng.choice(np.flatnonzero(role == "further_education"), size=size), at)
    provision_then = county.provision(people, last)
    need = persons.need[people]
    full_time = rng.random(size) < 0.57
    frame = pl.DataFrame(
        {
            "person": county.numbers(people),
            "urn": texts_if(independent, urns.gather(at).to_numpy()),
            "ukprn": texts_if(college, ukprns.gather(at).to_numpy()),
            "kind": texts_if(~independent & ~college,
                             codes(rng, {"NIS": 32, "TUIT": 40, "ONLN": 20, "HOSP": 3, "WORK": 5}, size)),
            "host": texts_if(persons.on_roll(census)[people], county.school(people).astype(str)),
            "entered": entered,
            "left": left,
            "reason": codes(rng, _AP_REASONS, size).tolist(),
            "full_time": full_time,
            "sessions": np.where(full_time, 10, rng.integers(2, 9, size)),
            "year": persons.national_curriculum_year(census, county.as_of)[people],
            "provision": provision_then.tolist(),
            "need": texts_if((provision_then != "N") & (rng.random(size) < 0.95), need),
        },
        schema_overrides={"reason": pl.String, "provision": pl.String},
    )  # fmt: skip
    return frame.sort("person", "entered")


def _identified(county: _County, people: Ints, after: Dates) -> Dates:
    """When each first got SEN support or a plan after a day on which they had neither."""
    starts = [county.of.persons.support_from[people], county.plan_from[people]]
    later = [np.where(start > after, start, np.datetime64("2200-01-01")) for start in starts]
    first = np.minimum(*later).astype("datetime64[D]")
    return dates_if(first < np.datetime64("2200-01-01"), first)


def _timetables(rng: np.random.Generator, county: _County, assumed: Calibration) -> pl.DataFrame:
    """One for a pupil, most over, some still in force past the day that was planned."""
    persons = county.of.persons
    level = county.provision(np.arange(len(persons)), np.full(len(persons), county.until))
    weight = np.select([level == "E", level == "K"], [9.0, 3.0], 0.12) * np.where(persons.age >= 11, 1.5, 0.8)
    there = (persons.roll_from < county.since) & persons.on_roll(county.as_of) & np.isin(persons.age, SCHOOL_AGES)
    years = float((county.until - county.since).astype(np.int64)) / _YEAR_DAYS
    wanted = round(assumed["part_time_timetables"] * county.scale * years)
    people = weighted_sample(rng, np.where(there, weight, 0.0), wanted)
    size = len(people)
    started = days_between(rng, np.full(size, county.since - 60), np.full(size, county.until - 3))
    planned = shifted(started, rng.choice([28, 42, 42, 56, 84], size))
    ended = shifted(planned, np.where(rng.random(size) < 0.55, -rng.integers(0, 10, size), rng.integers(1, 120, size)))
    ended = np.maximum(ended, started + 7)
    looked_at = shifted(started, wait(rng, rng.random(size) < 0.6, REVIEW_DAYS, 30.0))
    looked_at = dates_if((rng.random(size) < 0.88) & (looked_at <= ended), looked_at)
    again = np.where(rng.random(size) < 0.4, np.minimum(shifted(looked_at, 28), ended), looked_at)
    reason = codes(rng, _TIMETABLE_REASONS, size)
    frame = pl.DataFrame(
        {
            "person": county.numbers(people),
            "urn": county.school(people),
            "provision": county.provision(people, started).tolist(),
            "reason": reason.tolist(),
            "started": started,
            "planned": planned,
            "ended": ended,
            "sessions": rng.integers(1, 9, size),
            "reviewed": looked_at,
            "reviewed_last": again.astype("datetime64[D]"),
            "agreed": rng.random(size) < 0.86,
            "medical": (reason == "medical") | ((reason == "mental_health") & (rng.random(size) < 0.3)),
        },
        schema_overrides={"provision": pl.String, "reason": pl.String},
    ).filter(pl.col("ended") >= pl.lit(county.since).cast(pl.Date))
    frame = known_by(frame, county.until, "ended", "reviewed", "reviewed_last")
    return numbered(frame.sort("started", "person"), "timetable", county.of.first)


def _disabled(of: Lives, until: np.datetime64) -> pl.DataFrame:
    """person, la_child_id: children under 18 with a disability and an open case of social care."""
    last = pl.lit(until).cast(pl.Date)
    is_open = (pl.col("referred") <= last) & (pl.col("closed").is_null() | (pl.col("closed") > last))
    open_cases = of.social.referrals.filter(is_open & ~pl.col("no_action")).select("person").unique()
    recorded = (pl.col("disability") != "NONE") | pl.col("second_disability").is_not_null()
    return (
        of.social.children.filter(recorded)
        .join(open_cases, on="person", how="semi")
        .select("person", "la_child_id")
        .sort("person")
    )


def _short_breaks(
    rng: np.random.Generator, disabled: pl.DataFrame, county: _County, assumed: Calibration
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Requests, the packages agreed, and what was delivered of them in each month."""
    people = np.repeat(disabled["person"].to_numpy(), rng.poisson(assumed["short_breaks_asked"], len(disabled)))
    size = len(people)
    requested = days_between(rng, np.full(size, county.since - 900), np.full(size, county.until - 1))
    born = county.of.persons.birth[people - county.of.first - 1]
    kept = requested > born + 700
    people, requested, size = people[kept], requested[kept], int(kept.sum())
    service = codes(rng, {name: share for name, (share, _) in _BREAKS.items()}, size)
    assessed = shifted(requested, rng.integers(10, 80, size))
    decided = shifted(assessed, rng.integers(3, 40, size))
    decision = codes(rng, {"agreed": 57, "part_agreed": 17, "refused": 19, "withdrawn": 7}, size)
    granted = np.isin(decision, ("agreed", "part_agreed"))
    started = shifted(decided, (5 + rng.gamma(1.1, 75.0, size)).astype(np.int64))
    is_decided = decided <= county.until
    started = dates_if(granted & (started <= county.until), started)
    closed = dates_if(~granted & is_decided, decided)
    requests = numbered(
        pl.DataFrame(
            {
                "person": people,
                "service": service.tolist(),
                "requested": requested,
                "assessed": dates_if(assessed <= county.until, assessed),
                "decided": dates_if(is_decided, decided),
                "decision": texts_if(is_decided, decision).fill_null("pending"),
                "started": started,
                "closed": closed,
            },
            schema_overrides={"service": pl.String},
        ).sort("requested", "person", "service"),
        "request",
        county.of.first,
    )
    since = pl.lit(county.since).cast(pl.Date)
    packages = _packages(rng, requests.filter(pl.col("started").is_not_null()), county)
    in_window = (pl.coalesce("closed", "started") >= since) | pl.coalesce("closed", "started").is_null()
    answered = requests.join(packages.select("request"), on="request", how="semi")
    requests = pl.concat([requests.filter(in_window), answered]).unique("request", maintain_order=True).sort("request")
    return requests, packages, _delivery(rng, packages, county)


def _packages(rng: np.random.Generator, given: pl.DataFrame, county: _County) -> pl.DataFrame:
    size = len(given)
    ended = shifted(given["started"].to_numpy(), rng.integers(150, 1500, size))
    minutes = [
        _BREAKS[name][1][pick] for name, pick in zip(given["service"], rng.integers(0, 3, size).tolist(), strict=True)
    ]
    frame = given.select("request", "person", "service", "started").with_columns(
        ended=pl.Series(dates_if(ended <= county.until, ended)),
        provider=pl.Series(rng.choice(np.array(_PROVIDERS, dtype=object), size).tolist(), dtype=pl.String),
        minutes=pl.Series(minutes, dtype=pl.Int64),
    )
    since = pl.lit(county.since).cast(pl.Date)
    return numbered(frame.filter(pl.col("ended").is_null() | (pl.col("ended") >= since)), "package", county.of.first)


def _delivery(rng: np.random.Generator, packages: pl.DataFrame, county: _County) -> pl.DataFrame:
    """A row for each month in which a package was in force."""
    months = pl.DataFrame(
        {
            "month": pl.date_range(
                pl.lit(county.since).cast(pl.Date), pl.lit(county.until).cast(pl.Date), "1mo", eager=True
            )
        }
    )
    frame = packages.join(months, how="cross").with_columns(last=pl.col("month").dt.month_end())
    frame = frame.filter(
        (pl.col("started") <= pl.col("last")) & (pl.col("ended").is_null() | (pl.col("ended") >= pl.col("month")))
    ).sort("package", "month")
    from_, to = (
        pl.max_horizontal("started", "month"),
        pl.min_horizontal("last", pl.col("ended").fill_null(pl.col("last"))),
    )
    agreed = (
        frame.select((to - from_).dt.total_days() + 1).to_series().to_numpy() * frame["minutes"].to_numpy() // _WEEK
    )
    missed = np.where(rng.random(len(frame)) < 0.45, rng.beta(1.3, 2.2, len(frame)), 0.0)
    delivered = (agreed * (1 - missed)).astype(np.int64)
    by = codes(rng, {"family": 38, "provider": 52, "council": 10}, len(frame))
    return frame.select("package", "month").with_columns(
        agreed=pl.Series(agreed), delivered=pl.Series(delivered), cancelled=texts_if(delivered < agreed, by)
    )


def _post16(rng: np.random.Generator, county: _County) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Spells of the young people of 16 to 25 with a plan, and supported internships now and in the year before."""
    until = last_month_end(county.as_of)
    sixteen = (pl.lit(until) >= pl.col("born").dt.offset_by("16y")) & (
        pl.lit(until) < pl.col("born").dt.offset_by("26y")
    )
    born = county.of.identity.select("person", "born")
    young = (
        county.of.plans.filter("active")
        .join(born, on="person", maintain_order="left")
        .filter(sixteen, pl.col("issued") <= until)
        .unique("person", maintain_order=True)
    )
    size = len(young)
    position = young["person"].to_numpy() - county.of.first - 1
    setting, wbp = county.of.persons.setting[position], young["wbp"].to_numpy()
    activity: Texts = np.array([_ACTIVITY.get(name, "not_known") for name in setting], dtype=object)
    for code, name in _WORK_BASED.items():
        activity = np.where((wbp == code) & (activity != "neet"), name, activity)
    autumn = np.full(size, np.datetime64(f"{school_year(until)}-09-01", "D"))
    taught = np.isin(activity, ("school", "college", "specialist_college", "supported_internship"))
    started = np.where(taught, autumn, shifted(np.full(size, county.until), -rng.integers(5, 500, size)))
    before = taught & (rng.random(size) < np.where(county.of.persons.age[position] >= 17, 0.9, 0.25))
    now = pl.DataFrame(
        {
            "person": young["person"],
            "activity": activity.tolist(),
            "started": started.astype("datetime64[D]"),
            "ended": np.full(size, NO_DATE),
            "confirmed": np.maximum(shifted(np.full(size, county.until), -rng.integers(0, 110, size)), started).astype(
                "datetime64[D]"
            ),
            "urn": young["urn"],
            "ukprn": young["ukprn"],
        },
        schema_overrides={"activity": pl.String},
    )
    now = now.with_columns(
        urn=pl.when(pl.col("activity") == "school").then("urn"),
        ukprn=pl.when(pl.col("activity").str.contains("college")).then("ukprn"),
    )
    earlier = (
        now.filter(pl.Series(before))
        .with_columns(
            activity=pl.col("activity").replace("supported_internship", "college"),
            started=pl.lit(autumn[0] if size else NO_DATE).cast(pl.Date).dt.offset_by("-12mo"),
            ended=pl.lit(autumn[0] if size else NO_DATE).cast(pl.Date).dt.offset_by("-40d"),
        )
        .with_columns(confirmed="ended")
    )
    return (
        pl.concat([now, earlier]).sort("person", "started"),
        _internships(rng, now, autumn[:1], county),
    )


def _internships(rng: np.random.Generator, now: pl.DataFrame, autumn: Dates, county: _County) -> pl.DataFrame:
    """Those of today, and those of the year before among young people now elsewhere."""
    current = now.filter(pl.col("activity") == "supported_internship")
    others = now.filter(pl.col("activity").is_in(["college", "neet", "employment", "not_known"]))
    others = others[weighted_sample(rng, np.ones(len(others)), max(1, round(len(others) * 0.016)))]
    people = pl.concat([current.select("person"), others.select("person")])
    size = len(people)
    is_over = np.arange(size) >= len(current)
    first = np.repeat(autumn, size) - np.where(is_over, _YEAR_DAYS, 0) * _DAY
    ended = shifted(first, rng.integers(120, 330, size))
    outcomes = {"paid_employment": 38, "apprenticeship": 5, "education": 22, "voluntary": 8, "neet": 12,
                "left_early": 9, "not_known": 6}  # fmt: skip
    frame = people.with_columns(
        started=pl.Series(first),
        planned=pl.Series(shifted(first, 320)),
        ended=pl.Series(dates_if(is_over, ended)),
        coach=pl.Series(rng.random(size) < 0.85),
        outcome=texts_if(is_over, codes(rng, outcomes, size)),
        ukprn=pl.Series(
            rng.choice(county.schools.filter(pl.col("role") == "further_education")["ukprn"].to_numpy(), size)
        ),
    )
    return numbered(frame.sort("person", "started"), "internship", county.of.first)
