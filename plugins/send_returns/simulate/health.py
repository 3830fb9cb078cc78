"""Community health services: patients, referrals, services and two years of contacts (CSDS, from the provider)."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.draw import codes, dates_if, day, days_between, stream
from send_returns.simulate.population import Calibration, People

_DAY = np.timedelta64(1, "D")
# Service or team types (CSDS 1.6): speech and language, community paediatrics, physiotherapy, occupational
# therapy, audiology, school nursing; and how often they see a child.
_SERVICES = {"18": 36, "09": 22, "15": 10, "13": 14, "20": 8, "29": 10}
PROVIDERS = ("RY4", "RWH")


@dataclass(frozen=True)
class Health:
    """`patients` (person, local_id, provider), `referrals`, `contacts`; see csds in writers for the files."""

    patients: pl.DataFrame
    referrals: pl.DataFrame
    contacts: pl.DataFrame


def health(seed: int, persons: People, as_of: date, facts: Calibration) -> Health:
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
    return Health(patients, referrals, contacts)
