"""Mental health, autism and ADHD services: patients, referrals with what came of them, and contacts (MHSDS)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from send_returns.simulate.calendar import financial_year
from send_returns.simulate.care import Care
from send_returns.simulate.draw import (
    Bools,
    Dates,
    Floats,
    Ints,
    Texts,
    codes,
    dates_if,
    day,
    days_between,
    shifted,
    stream,
    texts_if,
)
from send_returns.simulate.population import Calibration, People

PROVIDER: Final = "RWR"
SUSPECTED_AUTISM, ADHD, EATING, CRISIS = "25", "24", "12", "18"  # main reasons for referral
# Teams that help and treat; crisis, eating disorder, autism and neurodevelopment teams have waits of their own.
HELP_TEAMS: Final = ("A05", "A06", "A13", "C06", "D06")
_TEAMS = {SUSPECTED_AUTISM: "C01", "26": "C01", ADHD: "C04", EATING: "C10", CRISIS: "A02"}
_KINDS = {SUSPECTED_AUTISM: "autism", ADHD: "adhd", EATING: "eating", CRISIS: "crisis"}
_AUTISM_ICD, _ADHD_ICD = "F84.0", "F90.0"
_DAY = np.timedelta64(1, "D")
_YEARS_BACK = 4  # as long as the longest wait


@dataclass(frozen=True)
class MentalHealth:
    """`patients`: person, local_id, district, looked_after, protected, autism_status, ld_status. `referrals`: one row
    each, dates null where it has not happened. `contacts`: of the time since `window_start`.

    A referral's clock for help stops on the last of `scored`, `planned`, `treated` and `assessed`, if all are there.
    """

    patients: pl.DataFrame
    referrals: pl.DataFrame
    contacts: pl.DataFrame


def window_start(as_of: date) -> date:
    """The first day of the financial year two years before: what was over by then is in no submission."""
    return date(financial_year(as_of) - 2, 4, 1)


def mental_health(seed: int, persons: People, social: Care, as_of: date, facts: Calibration) -> MentalHealth:
    """Everyone with a referral that was open at some time since the window began, aged 3 to 24."""
    rng = stream(seed, "mhsds")
    assumed = facts["assumed"]
    share = assumed["mental_health_share"]
    plan = persons.setting != ""
    chance = np.where(plan, share["E"], np.where(persons.support(as_of), share["K"], share["N"]))
    chance = np.where((persons.age >= 3) & (persons.age <= 24), chance, 0.0)
    people = np.flatnonzero(rng.random(len(persons)) < chance)
    which = np.repeat(people, 1 + rng.binomial(2, np.where(plan[people], 0.25, 0.1)))
    today = np.full(len(which), day(as_of))
    earliest = np.maximum(persons.birth[which] + 1000, today - round(_YEARS_BACK * 365.25) * _DAY)
    received = days_between(rng, earliest, today - 1)
    reason = _reasons(rng, persons, which, received, assumed)
    referrals = _followed(rng, persons, which, received, reason, as_of, assumed)
    again = _waits_after_autism(rng, persons, referrals, as_of, assumed)
    referrals = pl.concat([referrals, again])
    begun = window_start(as_of)
    # A contact before the window would be in no submission: whoever had one is taken to be known elsewhere.
    seen_before = (pl.col("seen") < begun).fill_null(value=False)
    over_before = (pl.min_horizontal("rejected", "discharged") < begun).fill_null(value=False)
    referrals = referrals.filter(~seen_before & ~over_before).sort("person", "received", "reason")
    referrals = referrals.with_columns(
        request=pl.Series(8_000_000 + rng.permutation(len(referrals))),
        team=pl.Series(rng.integers(1, 20, len(referrals))),
    )
    patients = _patients(rng, persons, social, referrals)
    return MentalHealth(patients, referrals, _contacts(rng, referrals, as_of))


def _reasons(rng: np.random.Generator, persons: People, which: Ints, received: Dates, assumed: Calibration) -> Texts:
    """Why each was referred: young children for their development only, those with autism mostly for that."""
    every = assumed["mental_health_reasons"]
    size = len(which)
    years = (received - persons.birth[which]).astype(np.int64) / 365.25
    development = codes(rng, {reason: every[reason] for reason in (SUSPECTED_AUTISM, ADHD, "30")}, size)
    younger = codes(rng, {reason: weight for reason, weight in every.items() if reason not in (EATING, CRISIS)}, size)
    reason = np.select([years < 5, years < 10], [development, younger], codes(rng, every, size))
    autistic = (persons.need[which] == "ASD") & (rng.random(size) < 0.55) & (years < 18)
    reason = np.where(autistic, SUSPECTED_AUTISM, reason)
    grown = np.isin(reason, (SUSPECTED_AUTISM, ADHD)) & (years >= 18)
    return np.where(grown, "05", reason)


def _waits(rng: np.random.Generator, kind: Texts, urgent: Bools, district: Ints, assumed: Calibration) -> Ints:
    """Days from referral to first attended contact: longer in some districts, and longest for autism and ADHD."""
    size = len(kind)
    means = assumed["mean_wait_days"]
    mean = np.select([kind == name for name in means], [np.full(size, days) for days in means.values()], 0)
    local = np.array(assumed["wait_by_district"])[district]
    drawn = rng.gamma(2.2, mean / 2.2 * local)
    in_time = rng.random(size) < np.where(
        urgent, *(assumed["eating_disorder_in_time"][k] for k in ("urgent", "routine"))
    )
    soon = np.where(urgent, rng.integers(1, 8, size), rng.integers(3, 29, size))
    late = np.where(urgent, rng.integers(8, 25, size), rng.integers(29, 70, size))
    waited: Floats = np.where(kind == "eating", np.where(in_time, soon, late), drawn)
    days: Ints = np.minimum(waited, 1400).astype(np.int64)
    return days


def _followed(
    rng: np.random.Generator,
    persons: People,
    which: Ints,
    received: Dates,
    reason: Texts,
    as_of: date,
    assumed: Calibration,
) -> pl.DataFrame:
    """What came of each referral by `as_of`."""
    size = len(which)
    today = np.full(size, day(as_of))
    kind = np.array([_KINDS.get(code, "help") for code in reason], dtype=object)
    urgent = np.where(kind == "eating", rng.random(size) < 0.2, rng.random(size) < 0.05)
    waited = _waits(rng, kind, urgent, persons.district[which], assumed)
    refused = assumed["mental_health_rejected"]
    turned_down = rng.random(size) < np.select([kind == name for name in refused], list(refused.values()), 0.0)
    decided = shifted(received, rng.integers(3, 26, size))
    rejected = dates_if(turned_down & (decided <= today), decided)
    gave_up = (kind != "crisis") & (rng.random(size) < 0.05) & (waited > 30)
    withdrew = shifted(received, np.maximum((waited * rng.uniform(0.3, 0.9, size)).astype(np.int64), 1))
    first = shifted(received, waited)
    seen = dates_if(~turned_down & ~gave_up & (first <= today), first)
    was_seen = ~np.isnat(seen)

    def then(chance: float, low: int, high: int) -> Dates:
        """So long after the first contact, by chance, if it has come to that."""
        on = shifted(seen, rng.integers(low, high, size))
        return dates_if(was_seen & (rng.random(size) < chance) & (on <= today), on)

    helped = np.isin(kind, ("help", "eating"))
    diagnosing = np.isin(kind, ("autism", "adhd"))
    scored = dates_if(helped, then(0.93, 0, 8))
    planned = dates_if(helped, then(0.94, 0, 18))
    treated = np.where(kind == "eating", seen, dates_if(kind == "help", then(0.94, 0, 22)))
    assessed = dates_if(helped | diagnosing, then(0.98, 0, 1))
    concluded = shifted(seen, rng.integers(40, 300, size))
    concluded = dates_if(diagnosing & was_seen & (concluded <= today), concluded)
    found = rng.random(size) < assumed["autism_diagnosed_share"]
    length = np.select(
        [kind == "crisis", kind == "eating"], [rng.integers(5, 60, size), rng.integers(120, 420, size)],
        rng.integers(60, 430, size),
    )  # fmt: skip
    end = np.where(diagnosing, shifted(concluded, rng.integers(20, 120, size)), shifted(seen, length))
    end = np.where(gave_up & ~turned_down, withdrew, end).astype("datetime64[D]")
    return pl.DataFrame(
        {
            "person": which + 1,
            "district": persons.district[which],
            "received": received,
            "reason": reason.tolist(),
            "kind": kind.tolist(),
            "team_type": [_TEAMS.get(code, "") for code in reason],
            "priority": np.where(kind == "crisis", "1", np.where(urgent, "2", "3")).tolist(),
            "source": codes(rng, {"A1": 44, "C1": 8, "C2": 16, "B1": 4, "P1": 10, "H1": 6, "N3": 12}, size).tolist(),
            "rejected": rejected,
            "seen": seen,
            "scored": scored,
            "planned": planned,
            "treated": treated.astype("datetime64[D]"),
            "assessed": assessed,
            "concluded": concluded,
            "diagnosis": texts_if(~np.isnat(concluded) & found, np.where(kind == "autism", _AUTISM_ICD, _ADHD_ICD)),
            "discharged": dates_if(~turned_down & (end <= today), end),
        }
    ).with_columns(
        team_type=pl.when(pl.col("team_type") != "")
        .then("team_type")
        .otherwise(pl.Series(codes(rng, {"A06": 60, "A05": 12, "A13": 14, "D06": 10, "C06": 4}, size).tolist()))
    )


def _waits_after_autism(
    rng: np.random.Generator, persons: People, referrals: pl.DataFrame, as_of: date, assumed: Calibration
) -> pl.DataFrame:
    """ADHD that was found while autism was being assessed is a new wait, from the start."""
    autistic = referrals.filter(pl.col("diagnosis") == _AUTISM_ICD)
    chosen = autistic.filter(pl.Series(rng.random(len(autistic)) < assumed["adhd_wait_after_autism_share"]))
    received = shifted(chosen["concluded"].to_numpy(), rng.integers(0, 60, len(chosen)))
    kept = received < day(as_of)
    people = chosen["person"].to_numpy()[kept] - 1
    reason = np.full(len(people), ADHD, dtype=object)
    return _followed(rng, persons, people, received[kept], reason, as_of, assumed)


def _patients(rng: np.random.Generator, persons: People, social: Care, referrals: pl.DataFrame) -> pl.DataFrame:
    waiting = pl.col("concluded").is_null() & pl.col("rejected").is_null() & pl.col("discharged").is_null()
    known = referrals.group_by("person").agg(
        autistic=(pl.col("diagnosis") == _AUTISM_ICD).any(),
        suspected=((pl.col("kind") == "autism") & waiting).any(),
        district=pl.col("district").first(),
    ).sort("person")  # fmt: skip
    people = known["person"].to_numpy() - 1
    need = persons.need[people]
    learning = pl.Series(np.isin(need, ("SLD", "PMLD", "DS")) & (persons.setting[people] != ""))
    autistic = pl.Series((need == "ASD") & (persons.setting[people] != ""))
    return known.select(
        "person",
        "district",
        local_id=pl.Series(6_000_000 + rng.permutation(len(known))),
        looked_after=pl.col("person").is_in(social.looked_after["person"].implode()),
        protected=pl.col("person").is_in(
            social.referrals.filter(pl.col("protected_from").is_not_null())["person"].implode()
        ),
        autism_status=pl.when(pl.col("autistic").fill_null(value=False) | autistic).then(pl.lit("1"))
        .when("suspected").then(pl.lit("2")).otherwise(pl.lit("X")),
        ld_status=pl.when(learning).then(pl.lit("1")).otherwise(pl.lit("X")),
    )  # fmt: skip


def _contacts(rng: np.random.Generator, referrals: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Each first contact, some missed before it, those at which something was done, and the rest at random."""
    seen = referrals.filter(pl.col("seen").is_not_null())
    missed = seen.filter(pl.Series(rng.random(len(seen)) < 0.1)).select(
        "request", on=pl.col("seen") - pl.duration(days=14)
    )
    missed = missed.join(referrals.select("request", "received"), on="request", maintain_order="left").filter(
        (pl.col("on") > pl.col("received")) & (pl.col("on") >= window_start(as_of))
    )
    end = seen["discharged"].fill_null(as_of).to_numpy()
    start = seen["seen"].to_numpy()
    span = np.maximum((end - start).astype(np.int64), 0)
    pace = np.where(seen["kind"].is_in(["autism", "adhd"]).to_numpy(), 90, 24)
    of = np.repeat(np.arange(len(seen)), rng.poisson(np.minimum(span, 500) / pace))
    later = seen.select("request")[of].with_columns(
        on=pl.Series(days_between(rng, start[of], end[of])),
        attended=pl.Series(codes(rng, {"5": 82, "6": 3, "3": 8, "2": 4, "4": 3}, len(of)).tolist(), dtype=pl.String),
        act=pl.lit(""),
    )
    acts = [
        seen.filter(pl.col(name).is_not_null()).select("request", on=name, attended=pl.lit("5"), act=pl.lit(act))
        for name, act in (("assessed", "assessment"), ("treated", "treatment"))
    ]
    first = seen.filter(pl.col("assessed").is_null()).select("request", on="seen", attended=pl.lit("5"), act=pl.lit(""))
    frame = pl.concat([missed.select("request", "on", attended=pl.lit("3"), act=pl.lit("")), first, *acts, later]).sort(
        "on", "request", "act", "attended"
    )
    medium = codes(rng, {"01": 60, "02": 14, "11": 26}, len(frame))
    return (
        frame.with_columns(medium=pl.Series(medium.tolist(), dtype=pl.String))
        .with_row_index("contact", offset=30_000_000)
        .with_columns(pl.col("contact").cast(pl.Int64))
    )
