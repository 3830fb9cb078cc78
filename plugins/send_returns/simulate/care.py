"""Children's social care and elective home education: who is known, since when, and how."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.draw import (
    NO_DATE,
    Bools,
    Ints,
    codes,
    dates_if,
    day,
    days_between,
    shifted,
    stream,
    texts_if,
    weighted_sample,
)
from send_returns.simulate.population import Calibration, People

_DAY = np.timedelta64(1, "D")
_DISABILITY = {"ASD": "AUT", "HI": "HEAR", "VI": "VIS", "MSI": "VIS", "PD": "MOB", "SLD": "LD", "PMLD": "LD",
               "DS": "LD", "MLD": "LD", "SLCN": "COMM", "SEMH": "BEH"}  # fmt: skip
_SOURCE = {
    "6": 28, "2A": 22, "3F": 8, "3A": 5, "1A": 8, "5A": 6, "5D": 8, "7": 3, "8": 6, "10": 2, "4": 2,
    "9": 2,
}  # fmt: skip
_FACTOR = {
    "3B": 30, "4B": 25, "16A": 20, "17A": 20, "5A": 8, "6A": 3, "4A": 14, "2B": 10, "1B": 8, "15A": 6,
}  # fmt: skip
_HOME_REASON = {
    "Lifestyle or cultural": 15, "Mental health": 14, "Dissatisfaction with school - SEND": 12,
    "Dissatisfaction with school - other": 12, "Philosophical": 14, "Physical health": 4, "Bullying": 6,
    "Not known": 23,
}  # fmt: skip
_SECOND_DISABILITY = {
    "BEH": 5, "COMM": 4, "PC": 2, "INC": 1, "CON": 1, "HAND": 1, "DDA": 2,
}  # fmt: skip
_ABUSE = {"NEG": 48, "EMO": 38, "PHY": 7, "SAB": 4, "MUL": 3}


@dataclass(frozen=True)
class Care:
    """`children` (person, la_child_id, disabilities), `referrals` (one row per CIN episode, with its child protection
    plan if any), `looked_after` (one row per SSDA903 episode)."""

    children: pl.DataFrame
    referrals: pl.DataFrame
    looked_after: pl.DataFrame


def cin_window_start(as_of: date) -> np.datetime64:
    """1 April before the last complete CIN census year: the extract holds every case open since then."""
    year = as_of.year if as_of.month >= 4 else as_of.year - 1
    return np.datetime64(f"{year - 1}-04-01", "D")


def ssda903_year(as_of: date) -> int:
    """The collection year: the year in which the 31 March on or after `as_of` falls."""
    return as_of.year if as_of <= date(as_of.year, 3, 31) else as_of.year + 1


def care(seed: int, persons: People, as_of: date, facts: Calibration, *, faults: bool) -> Care:
    """Cases open at some time since the window began; with `faults` some looked-after children lack a CIN episode."""
    rng = stream(seed, "care")
    scale = (persons.setting != "").sum() / facts["plans"]
    assumed = facts["assumed"]
    weights = assumed["care_weights"]
    known_plan = persons.setting != ""
    supported = persons.support(as_of) & ~known_plan
    weight = np.where(known_plan, weights["E"], np.where(supported, weights["K"], weights["N"]))
    minor = persons.birth > day(as_of) - 6574 * _DAY
    resident = persons.on_roll(as_of) | known_plan | ~(persons.roll_to <= day(as_of))
    weight = np.where(minor & resident, weight, 0.0)
    weight = np.where(persons.age <= 3, weight * 2.2, weight)
    open_count = round(assumed["children_in_need"] * scale)
    closed_count = round(assumed["referrals_closed_since_start"] * scale)
    people = rng.permutation(weighted_sample(rng, weight, open_count + closed_count))
    is_open = np.arange(len(people)) < open_count
    # the longest involved first: looked after, then on a plan, then in need
    looked_after = np.arange(len(people)) < round(assumed["looked_after"] * scale)
    protected = ~looked_after & (
        np.arange(len(people)) < round((assumed["looked_after"] + assumed["child_protection"]) * scale)
    )
    order = np.argsort(people, kind="stable")
    people, is_open, looked_after, protected = people[order], is_open[order], looked_after[order], protected[order]
    size = len(people)
    children = pl.DataFrame(
        {
            "person": people + 1,
            "la_child_id": 3_000_000 + 7 * rng.permutation(size) + rng.integers(0, 7, size),
            "disability": _disabilities(rng, persons, people).tolist(),
            "second_disability": texts_if(
                known_plan[people] & (rng.random(size) < 0.2),
                codes(rng, _SECOND_DISABILITY, size),
            ),
        },
    )
    referrals = _referrals(rng, persons, people, is_open, looked_after, protected, as_of)
    if faults:  # the looked-after team's own system: some children never had a CIN episode opened
        lost = referrals.filter(pl.col("looked_after"))["person"].sample(fraction=0.06, seed=seed, shuffle=False)
        referrals = referrals.filter(~pl.col("person").is_in(lost.implode()))
    episodes = _episodes(rng, persons, people[looked_after], as_of)
    return Care(children, referrals, episodes)


def _disabilities(rng: np.random.Generator, persons: People, people: Ints) -> np.typing.NDArray[np.object_]:
    need = persons.need[people]
    by_need = np.array([_DISABILITY.get(n, "NONE") for n in need], dtype=object)
    plan = persons.setting[people] != ""
    recorded = rng.random(len(people)) < np.where(plan, 0.55, 0.03)
    return np.where(recorded, by_need, "NONE").astype(object)


def _referrals(
    rng: np.random.Generator,
    persons: People,
    people: Ints,
    is_open: Bools,
    looked_after: Bools,
    protected: Bools,
    as_of: date,
) -> pl.DataFrame:
    size = len(people)
    today, start = np.full(size, day(as_of)), np.full(size, cin_window_start(as_of))
    birth = persons.birth[people]
    long_ago = np.where(looked_after, 1800, np.where(protected, 400, 600))
    opened = days_between(rng, np.maximum(birth, today - long_ago.astype("timedelta64[D]")), today - 2 * _DAY)
    closed = dates_if(~is_open, np.maximum(days_between(rng, start, today), opened))
    opened = np.where(is_open, opened, np.maximum(closed - rng.integers(10, 300, size) * _DAY, birth)).astype(
        "datetime64[D]"
    )
    no_action = ~is_open & (rng.random(size) < 0.12)
    ended_plan = ~is_open & ~no_action & (rng.random(size) < 0.07)
    on_plan = protected | ended_plan
    conference = np.minimum(opened + rng.integers(20, 60, size) * _DAY, np.where(np.isnat(closed), today - 1, closed))
    plan_end = dates_if(ended_plan, np.minimum(shifted(conference, 250), closed))
    assessed = ~no_action & (rng.random(size) < 0.9)
    latest = np.where(np.isnat(closed), today, closed)
    begun = np.minimum(opened + rng.integers(1, 6, size) * _DAY, latest)
    finished = shifted(begun, rng.integers(15, 63, size))
    cin_plan = is_open & ~on_plan & ~looked_after & (rng.random(size) < 0.6)
    disabled = persons.setting[people] != ""
    primary = codes(rng, {"N1": 55, "N2": 4, "N3": 3, "N4": 10, "N5": 18, "N6": 3, "N8": 2, "N9": 2, "N0": 3}, size)
    return pl.DataFrame(
        {
            "person": people + 1,
            "looked_after": looked_after,
            "referred": opened,
            "source": codes(rng, _SOURCE, size).tolist(),
            "primary_need": np.where(disabled & (rng.random(size) < 0.35), "N2", primary).tolist(),
            "closed": closed,
            "closure_reason": texts_if(~is_open, codes(rng, {"RC7": 45, "RC8": 38, "RC9": 12, "RC5": 5}, size)),
            "no_action": no_action,
            "assessment_start": dates_if(assessed, begun),
            "assessment_end": dates_if(assessed & (finished <= latest), finished),
            "factor": codes(rng, _FACTOR, size).tolist(),
            "cin_plan_start": dates_if(cin_plan, np.minimum(opened + 40, today)),
            "conference": dates_if(on_plan, conference),
            "protected_from": dates_if(on_plan, conference),
            "protected_to": plan_end,
            "abuse": codes(rng, _ABUSE, size).tolist(),
            "previous_plans": rng.choice([0, 0, 0, 1, 2], size),
        },
    )


def _episodes(rng: np.random.Generator, persons: People, people: Ints, as_of: date) -> pl.DataFrame:
    """Episodes of the collection year to date: one open each, a fifth with an earlier placement, some that ended."""
    size = len(people)
    today = np.full(size, day(as_of))
    entered = days_between(rng, np.maximum(persons.birth[people], today - 1800 * _DAY), today - 3 * _DAY)
    year_start = np.datetime64(f"{ssda903_year(as_of) - 1}-04-01", "D")
    moved = rng.random(size) < 0.2
    change = days_between(rng, np.maximum(entered + 1, year_start), today - 1 * _DAY)
    moved &= change > entered
    base = {
        "person": people + 1,
        "legal_status": codes(rng, {"C2": 62, "V2": 20, "C1": 10, "E1": 8}, size).tolist(),
        "category": codes(rng, {"N1": 65, "N2": 4, "N3": 4, "N4": 9, "N5": 14, "N8": 4}, size).tolist(),
        "provider": codes(rng, {"PR1": 60, "PR4": 40}, size).tolist(),
    }
    open_now = pl.DataFrame(
        base
        | {
            "from": np.where(moved, change, entered).astype("datetime64[D]"),
            "new": np.where(moved, "P", "S").tolist(),
            "to": np.full(size, NO_DATE),
            "ended": [None] * size,
            "place": codes(rng, {"U4": 40, "U6": 28, "U1": 10, "K2": 12, "H5": 6, "P1": 4}, size).tolist(),
            "why": [None] * size,
        },
        schema_overrides={"ended": pl.String, "why": pl.String},
    )
    earlier = pl.DataFrame(
        base
        | {
            "from": entered,
            "new": ["S"] * size,
            "to": change,
            "ended": ["X1"] * size,
            "place": ["U4"] * size,
            "why": codes(rng, {"CARPL": 45, "CREQB": 20, "CHILD": 15, "PLACE": 20}, size).tolist(),
        }
    ).filter(pl.Series(moved))
    return pl.concat([earlier, open_now]).sort("person", "from")


def home_education(seed: int, persons: People, as_of: date, known: pl.DataFrame, *, faults: bool) -> pl.DataFrame:
    """The register: person, start, end, reason, and whether SEN support or a plan. `known`: person, la_child_id.

    With `faults` a plan's EHE placement may be missing here, and some on the register are still on a roll.
    """
    rng = stream(seed, "ehe")
    by_plan = np.flatnonzero(persons.setting == "EHE")
    if faults:
        by_plan = by_plan[rng.random(len(by_plan)) > 0.08]
    size = len(persons)
    educated = (persons.setting == "") & (persons.age >= 5) & (persons.age <= 15) & ~persons.on_roll(as_of)
    away = persons.roll_to <= day(as_of) - 300  # long off a roll, or never on one; the rest may have moved away
    recently = educated & ~away & (persons.roll_to <= day(as_of)) & (rng.random(size) < 0.25)
    never = educated & np.isnat(persons.roll_from)
    others = np.flatnonzero((educated & away) | recently | never)
    returned = np.flatnonzero(
        persons.on_roll(as_of) & (persons.roll_from > day(as_of) - 330) & (persons.age >= 5) & (persons.age <= 15)
    )
    returned = returned[rng.random(len(returned)) < 0.15]
    still = np.empty(0, dtype=np.int64)
    if faults:
        still = np.flatnonzero(persons.on_roll(as_of) & (persons.age >= 6) & (persons.age <= 15))
        still = np.setdiff1d(rng.choice(still, size=max(len(others) // 30, 1), replace=False), returned)
    people = np.concatenate([by_plan, others, returned, still])
    count = len(people)
    today = np.full(count, day(as_of))
    begun = days_between(rng, np.maximum(persons.birth[people] + 1830, today - 1500 * _DAY), today - 5 * _DAY)
    begun = np.where(persons.roll_to[people] <= today, persons.roll_to[people], begun).astype("datetime64[D]")
    back = np.isin(people, returned)
    begun = np.where(back, persons.roll_from[people] - rng.integers(40, 500, count) * _DAY, begun).astype(
        "datetime64[D]"
    )
    frame = pl.DataFrame(
        {
            "person": people + 1,
            "start": begun,
            "end": dates_if(back, persons.roll_from[people]),
            "reason": codes(rng, _HOME_REASON, count).tolist(),
            "plan": persons.setting[people] != "",
            "support": persons.support(as_of)[people],
        }
    )
    return frame.join(known, on="person", how="left").sort("start", "person")
