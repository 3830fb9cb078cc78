"""Community health services (CSDS, from the provider) and what health does for the council: advice for assessments,
notifications of young children, the dynamic support register and the trace of NHS numbers."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import last_month_end, last_quarter_end
from send_returns.simulate.care import Care
from send_returns.simulate.draw import codes, dates_if, day, days_between, shifted, stream, texts_if, weighted_sample
from send_returns.simulate.population import Calibration, People

_DAY = np.timedelta64(1, "D")
# Service or team types (CSDS 1.6): speech and language, community paediatrics, physiotherapy, occupational
# therapy, audiology, school nursing; and how often they see a child.
_SERVICES = {"18": 36, "09": 22, "15": 10, "13": 14, "20": 8, "29": 10}
PROVIDERS = ("RY4", "RWH")
ADVICE_DAYS = 42
# Which health services are asked for advice: community paediatrics nearly always, others by the child's need.
_ASKED = {
    "SLCN": "speech_and_language", "ASD": "speech_and_language", "SEMH": "mental_health", "PD": "physiotherapy",
    "PMLD": "nursing", "SLD": "speech_and_language", "HI": "audiology", "MSI": "audiology",
    "VI": "occupational_therapy", "DS": "speech_and_language", "MLD": "occupational_therapy",
    "SPLD": "occupational_therapy",
}  # fmt: skip
_ADVISERS = {"mental_health": "RWR", "audiology": "RWH"}  # the others are of the community trust
_DEVELOPMENT = ("ASD", "SLD", "PMLD", "DS")


@dataclass(frozen=True)
class Community:
    """`patients` (person, local_id, provider), `referrals`, `contacts`: see csds in health_feeds for the files."""

    patients: pl.DataFrame
    referrals: pl.DataFrame
    contacts: pl.DataFrame


def community(seed: int, persons: People, as_of: date, facts: Calibration) -> Community:
    """Referrals open at some time in the two years to `as_of`, with their contacts in that time."""
    rng = stream(seed, "csds")
    share = facts["assumed"]["community_health_share"]
    plan = persons.setting != ""
    chance = np.where(plan, share["E"], np.where(persons.support(as_of), share["K"], share["N"]))
    chance = np.where(persons.age <= 3, 0.22, chance)
    chance = np.where(persons.age >= 19, 0.0, chance)
    people = np.flatnonzero(rng.random(len(persons)) < chance)
    size = len(people)
    patients = pl.DataFrame(
        {
            "person": people + 1,
            "local_id": 5_000_000 + rng.permutation(size),
            "provider": np.array(PROVIDERS)[(rng.random(size) < 0.3).astype(int)],
        }
    )
    which = np.repeat(np.arange(size), 1 + rng.binomial(2, np.where(plan[people], 0.4, 0.12)))
    count = len(which)
    start = day(as_of) - 730 * _DAY
    today = np.full(count, day(as_of))
    birth = persons.birth[people[which]]
    received = days_between(rng, np.maximum(birth, start - 300), today - 1)
    waited = np.minimum(rng.gamma(1.3, 75.0, count), 560).astype("timedelta64[D]")
    seen = received + waited
    length = rng.integers(30, 500, count) * _DAY
    discharged = dates_if(seen + length <= today, seen + length)
    rejected = rng.random(count) < 0.06
    decided = np.minimum(received + rng.integers(5, 40, count) * _DAY, today)
    referrals = pl.DataFrame(
        {
            "person": people[which] + 1,
            "request": 7_000_000 + rng.permutation(count),
            "received": received,
            "source": codes(rng, {"01": 22, "02": 18, "03": 14, "04": 30, "06": 10, "12": 6}, count).tolist(),
            "priority": codes(rng, {"1": 88, "2": 12}, count).tolist(),
            "reason": codes(rng, {"37": 30, "11": 22, "38": 16, "60": 12, "40": 10, "99": 10}, count).tolist(),
            "discharged": np.where(rejected, decided, discharged).astype("datetime64[D]"),
            "service": codes(rng, _SERVICES, count).tolist(),
            "team": rng.integers(1, 30, count),
            "rejected": dates_if(rejected, decided),
        }
    ).filter(pl.Series(np.isnat(discharged) | (discharged >= start) | rejected))
    referrals = referrals.join(patients, on="person").sort("request")
    open_from = np.maximum(
        referrals["received"].to_numpy()
        + np.minimum(rng.gamma(1.3, 75.0, len(referrals)), 560).astype("timedelta64[D]"),
        start,
    )
    open_to = referrals["discharged"].fill_null(as_of).to_numpy()
    span = np.maximum((open_to - open_from).astype(np.int64), 0)
    contacts_each = np.where(
        referrals["rejected"].is_null().to_numpy() & (open_to >= open_from), rng.poisson(1 + span / 40), 0
    )
    of = np.repeat(np.arange(len(referrals)), contacts_each)
    contacts = referrals.select("person", "request", "provider", "local_id")[of].with_columns(
        on=pl.Series(days_between(rng, open_from[of], open_to[of])),
        medium=pl.Series(codes(rng, {"01": 66, "02": 20, "11": 14}, len(of)).tolist(), dtype=pl.String),
        attended=pl.Series(codes(rng, {"5": 84, "3": 8, "2": 5, "4": 3}, len(of)).tolist(), dtype=pl.String),
    )
    contacts = contacts.sort("on", "request").with_row_index("contact", offset=20_000_000)
    return Community(patients, referrals, contacts)


@dataclass(frozen=True)
class Support:
    """What health does for the council. `advice`: a row per request for an assessment and service asked.
    `notifications` of children under five. `register`, `reviews`: the dynamic support register and its C(E)TRs.
    `trace`: an outcome for each child of the council. Each as known on the last day of a month, the trace of a quarter.
    """

    advice: pl.DataFrame
    notifications: pl.DataFrame
    register: pl.DataFrame
    reviews: pl.DataFrame
    trace: pl.DataFrame


def council_ids(seed: int, plans: pl.DataFrame, social: Care, register: pl.DataFrame) -> pl.DataFrame:
    """person, la_child_id: everyone of whom the council has a case file of special needs, social care or education."""
    rng = stream(seed, "council ids")
    known = social.children.select("person", "la_child_id")
    others = (
        pl.concat([plans.select("person"), register.select("person")])
        .unique()
        .join(known, on="person", how="anti")
        .sort("person")
    )
    numbers = 3_500_000 + 7 * rng.permutation(len(others)) + rng.integers(0, 7, len(others))
    return pl.concat([known, others.with_columns(la_child_id=pl.Series(numbers))]).sort("person")


def support(
    seed: int, persons: People, plans: pl.DataFrame, known: pl.DataFrame, as_of: date, facts: Calibration
) -> Support:
    """As the latest extracts before `as_of` have it; `known`: the council's children (person, la_child_id)."""
    register, reviews = _register(stream(seed, "dynamic support"), persons, last_month_end(as_of), facts)
    return Support(
        _advice(stream(seed, "health advice"), persons, plans, last_month_end(as_of), facts),
        _notifications(stream(seed, "notifications"), persons, last_month_end(as_of)),
        register,
        reviews,
        _trace(stream(seed, "nhs number trace"), persons, known, last_quarter_end(as_of), facts),
    )


def _advice(
    rng: np.random.Generator, persons: People, plans: pl.DataFrame, extract: date, facts: Calibration
) -> pl.DataFrame:
    """Requests still open on the day of the extract, and those that ended in the twelve months before."""
    asked = plans.filter((pl.col("request_outcome") == "Y") & (pl.col("request_outcome_on") < extract)).select(
        "person", decided="request_outcome_on"
    )
    people = asked["person"].to_numpy() - 1
    need = persons.need[people]
    paediatrics = rng.random(len(people)) < 0.94
    second = np.array([_ASKED.get(code, "") for code in need], dtype=object)
    autism = (need == "ASD") & (rng.random(len(people)) < 0.3)
    chosen = [(paediatrics, "community_paediatrics"), (autism, "autism_adhd")]
    which = np.concatenate([*(np.flatnonzero(mask) for mask, _ in chosen), np.flatnonzero(second != "")])
    service = np.concatenate(
        [*(np.full(int(mask.sum()), name, dtype=object) for mask, name in chosen), second[second != ""]]
    )
    order = np.lexsort([service.astype(str), which])
    which, service = which[order], service[order]
    size = len(which)
    requested = shifted(asked["decided"].to_numpy()[which], rng.integers(0, 6, size))
    in_time = rng.random(size) < facts["assumed"]["health_advice_in_time"]
    waited = np.where(in_time, rng.integers(12, ADVICE_DAYS + 1, size), ADVICE_DAYS + 1 + rng.gamma(1.4, 20.0, size))
    answered = shifted(requested, waited.astype(np.int64))
    answered = dates_if(answered <= day(extract), answered)
    nothing = rng.random(size)
    late = answered > shifted(requested, ADVICE_DAYS)
    outcome = np.select(
        [np.isnat(answered), nothing < 0.02, nothing < 0.05, late],
        ["outstanding", "declined", "not_known", "late"],
        "received",
    )
    frame = pl.DataFrame(
        {
            "person": people[which] + 1,
            "service": service.tolist(),
            "provider": [_ADVISERS.get(name, "RY4") for name in service],
            "requested": requested,
            "due": shifted(requested, ADVICE_DAYS),
            # Advice that says nothing comes by telephone: only its outcome is known.
            "received": dates_if(np.isin(outcome, ("received", "late")), answered),
            "answered": answered,
            "outcome": outcome.tolist(),
        }
    ).with_columns(request=pl.Series(9_000_000 + rng.permutation(size)))
    year_before = date(extract.year - 1, extract.month, min(extract.day, 28))
    recent = pl.col("answered").is_null() | (pl.col("answered") > year_before)
    return frame.filter(recent & (pl.col("requested") <= extract)).sort("request")


def _notifications(rng: np.random.Generator, persons: People, extract: date) -> pl.DataFrame:
    """Children under five of whom the council was told in the twelve months before, and its answers."""
    end = day(extract)
    young = np.flatnonzero((persons.birth > end - 1700 * _DAY) & (persons.birth < end - 120 * _DAY))
    people = young[rng.random(len(young)) < np.where(np.isin(persons.need[young], _DEVELOPMENT), 0.09, 0.012)]
    size = len(people)
    told = days_between(rng, np.maximum(persons.birth[people] + 90, end - 364), np.full(size, end))
    parent = np.maximum(shifted(told, -rng.integers(0, 15, size)), persons.birth[people])
    reply = shifted(told, rng.integers(3, 45, size))
    frame = pl.DataFrame(
        {
            "person": people + 1,
            "provider": codes(rng, {"RY4": 62, "RWG": 22, "RWH": 16}, size).tolist(),
            "parent_told": parent,
            "notified": told,
            "replied": dates_if((rng.random(size) < 0.9) & (reply <= end), reply),
        },
        schema_overrides={"provider": pl.String},
    )
    return frame.with_columns(request=pl.Series(9_500_000 + rng.permutation(size))).sort("request")


def _register(
    rng: np.random.Generator, persons: People, extract: date, facts: Calibration
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Autistic children and those with a learning disability who are at risk of admission; and their reviews."""
    end = day(extract)
    plan = persons.setting != ""
    weight = np.where(plan & np.isin(persons.need, _DEVELOPMENT) & (persons.age >= 7) & (persons.age <= 24), 1.0, 0.0)
    weight *= np.where(persons.age >= 12, 4.0, 1.0)
    scale = plan.sum() / facts["plans"]
    people = weighted_sample(rng, weight, max(round(facts["assumed"]["dynamic_support_register"] * scale), 2))
    size = len(people)
    added = days_between(rng, np.full(size, end - 900), np.full(size, end - 10))
    gone = (rng.random(size) < 0.25) & (added < end - 200)
    removed = dates_if(gone, days_between(rng, np.maximum(added + 60, end - 360), np.full(size, end)))
    admitted = dates_if(rng.random(size) < 0.16, days_between(rng, added, np.where(gone, removed, np.full(size, end))))
    stay = shifted(admitted, rng.integers(20, 220, size))
    discharged = dates_if(stay <= end, stay)
    inside = ~np.isnat(admitted) & np.isnat(discharged)
    removed = np.where(inside, np.datetime64("NaT"), removed).astype("datetime64[D]")
    need = persons.need[people]
    rating = np.where(inside, "blue", codes(rng, {"red": 14, "amber": 38, "green": 48}, size))
    register = pl.DataFrame(
        {
            "person": people + 1,
            "autistic": (need == "ASD") | (rng.random(size) < 0.4),
            "learning_disability": need != "ASD",
            "added": added,
            "removed": removed,
            "rating": rating.tolist(),
            "rated": days_between(rng, np.maximum(added, end - 90), np.full(size, end)),
            "key_worker": dates_if(rng.random(size) < 0.7, np.minimum(added + rng.integers(5, 90, size) * _DAY, end)),
            "admitted": admitted,
            "discharged": discharged,
            "born": persons.birth[people],
        }
    ).with_columns(request=pl.Series(9_700_000 + rng.permutation(size)))
    # Before an admission, soon after it, late, or because of a red rating; one in five is not held at all.
    stays = np.flatnonzero(~np.isnat(admitted))
    when = codes(rng, {"before": 42, "soon": 26, "late": 20, "never": 12}, len(stays))
    offset = np.select(
        [when == "before", when == "soon"],
        [-rng.integers(1, 28, len(stays)), rng.integers(1, 15, len(stays))],
        rng.integers(15, 60, len(stays)),
    )
    held = np.maximum(shifted(admitted[stays], offset), added[stays])
    at_risk = np.flatnonzero(np.isnat(admitted) & (rng.random(size) < 0.45))
    of = np.concatenate([stays[when != "never"], at_risk])
    dates = np.concatenate([held[when != "never"], days_between(rng, added[at_risk], np.full(len(at_risk), end))])
    is_held = dates <= end
    frame = register.select("person", "request", "born", "admitted", "discharged")[of].with_columns(
        requested=pl.Series(shifted(dates, -rng.integers(1, 12, len(of)))),
        held=pl.Series(dates_if(is_held, dates)),
        advised=pl.Series(rng.random(len(of)) < 0.15),
        ctr=pl.Series(9_800_000 + rng.permutation(len(of))),
    )
    reviews = frame.filter(pl.col("requested") <= extract).with_columns(
        in_hospital=(
            (pl.col("held") >= pl.col("admitted"))
            & (pl.col("discharged").is_null() | (pl.col("held") <= pl.col("discharged")))
        ).fill_null(value=False),
        kind=pl.when(pl.col("held").fill_null(extract) >= pl.col("born").dt.offset_by("18y")).then(pl.lit("CTR"))
        .otherwise(pl.lit("CETR")),
    )  # fmt: skip
    return register.sort("request"), reviews.sort("ctr")


def _trace(
    rng: np.random.Generator, persons: People, known: pl.DataFrame, extract: date, facts: Calibration
) -> pl.DataFrame:
    """Most are found and verified; some are not found or are several; of a few the number is someone else's."""
    size = len(known)
    numbers = persons.identity["nhs_number"]
    people = known["person"].to_numpy() - 1
    outcome = codes(rng, facts["assumed"]["traced"], size)
    other = rng.permutation(people)
    conflict = outcome == "05"
    found = numbers.gather(np.where(conflict, other, people))
    return known.with_columns(
        outcome=pl.Series(outcome.tolist(), dtype=pl.String),
        nhs_number=texts_if(outcome != "04", found.to_numpy()),
        traced=pl.lit(extract),
    )
