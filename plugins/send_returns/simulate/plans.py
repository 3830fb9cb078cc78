"""Requests, assessments, plans, placements, reviews and needs, as a council's SEN2 case system holds them."""

from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import school_year
from send_returns.simulate.draw import (
    Dates,
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

WEEKS_20, WEEKS_6 = 140, 42
_SETTINGS = ("EHE", "OLA", "OPA", "OTH", "NEET", "NIEC", "NIEO", "EYP")  # SENsetting codes, where there is no URN
_DAY = np.timedelta64(1, "D")


def window_start(as_of: date) -> np.datetime64:
    """SEN2 details what happened since 1 January of the year before; what was decided earlier is historical (H)."""
    return np.datetime64(f"{as_of.year - 1}-01-01", "D")


def cases(
    seed: int, persons: People, schools: pl.DataFrame, as_of: date, facts: Calibration, *, faults: bool
) -> pl.DataFrame:
    """One row per request for an assessment, with what followed from it; sorted by person, then date received.

    With `faults` a few records contradict one another the way real ones do (no placement, no need recorded).
    """
    rng = stream(seed, "sen2")
    frame = pl.concat(
        [
            _active(rng, persons, schools, as_of, facts, faults=faults),
            _ceased(rng, persons, as_of, facts),
            _undecided_or_refused(rng, persons, as_of, facts),
        ],
        how="diagonal",
    )
    return frame.sort("person", "received", "request_outcome")


def _outcomes(
    rng: np.random.Generator, received: Dates, issued: Dates, as_of: date, facts: Calibration
) -> pl.DataFrame:
    """The codes of a request that led to a plan issued on `issued`; H and no dates where that is history."""
    size = len(received)
    history = issued < window_start(as_of)
    late = rng.random(size) < facts["requests_decided_later"] / facts["requests_in_year"]
    decided = received + np.where(late, rng.integers(43, 60, size), rng.integers(14, 43, size)).astype("timedelta64[D]")
    decided = np.minimum(decided, issued - 20 * _DAY)
    others = {
        name: rng.random(size) < facts[count] / facts["assessments_in_year"]
        for name, count in (
            ("assessment_mediation", "assessments_mediation"), ("assessment_tribunal", "assessments_tribunal"),
            ("other_mediation", "other_mediation"), ("other_tribunal", "other_tribunal"),
        )
    }  # fmt: skip
    return pl.DataFrame(
        {
            "received": received,
            "request_outcome": np.where(history, "H", "Y"),
            "request_outcome_on": dates_if(~history, decided),
            "request_mediation": np.zeros(size, dtype=bool),
            "request_tribunal": rng.random(size) < facts["requests_tribunal"] / facts["requests_in_year"],
            "rya": rng.random(size) < facts["requests_relevant_youth_accommodation"] / facts["requests_in_year"],
            "request_source": codes(rng, {"1": 55, "2": 3, "3": 38, "4": 1, "5": 2, "9": 1}, size).tolist(),
            "assessment_outcome": np.where(history, "H", "Y"),
            "assessment_outcome_on": dates_if(~history, issued),
            **others,
        }
    )


def _durations(rng: np.random.Generator, size: int, facts: Calibration) -> tuple[Ints, Ints]:
    """Days from request to plan, and the Week20 flag, in the published shares."""
    issued, plain = facts["plans_issued"], facts["plans_issued_without_exception"]
    exception = rng.random(size) < (issued - plain) / issued
    in_time_excepted = facts["plans_in_20_weeks"] - facts["plans_in_20_weeks_without_exception"]
    in_time_share = np.where(
        exception, in_time_excepted / (issued - plain), facts["plans_in_20_weeks_without_exception"] / plain
    )
    in_time = rng.random(size) < in_time_share
    year = rng.random(size) < facts["plans_over_a_year_without_exception"] / plain / (1 - in_time_share)
    late = WEEKS_20 + 1 + (rng.beta(1.2, 3.0, size) * (365 - WEEKS_20 - 1)).astype(np.int64)
    days = np.where(
        in_time,
        rng.integers(98, WEEKS_20 + 1, size),
        np.where(year, rng.integers(366, 480, size), late),
    )
    return days, exception.astype(np.int64)


def _issued(rng: np.random.Generator, persons: People, people: Ints, last: Dates) -> Dates:
    """First plan dates: most often recently, never before the second birthday, at the latest on `last`."""
    oldest = (last - persons.birth[people]).astype(np.int64) - 730
    ago = rng.beta(1.0, 1.55, len(people)) * np.maximum(oldest, 20)
    issued: Dates = last - np.minimum(ago, 4800).astype("timedelta64[D]")
    return issued


def _plan(
    rng: np.random.Generator, persons: People, people: Ints, issued: Dates, last: Dates, facts: Calibration
) -> pl.DataFrame:
    """Amendments, personal budgets and the needs of plans."""
    size = len(people)
    old = (last - issued).astype(np.int64) > 420
    amended = old & (rng.random(size) < 0.62)
    share = {k: v / facts["plans"] for k, v in facts["personal_budgets"].items()}
    budget = rng.random(size) < share["all"]
    paid = {k: v for k, v in facts["personal_budgets"].items() if k in "ESHI"}
    paid_kind = codes(rng, paid, size)
    directly = budget & (rng.random(size) < sum(paid.values()) / facts["personal_budgets"]["all"])
    work = {k: v / facts["plans"] for k, v in facts["work_based"].items()}
    working = codes(rng, {"N": 1 - sum(work.values()) * 4, **{k: v * 4 for k, v in work.items()}}, size)
    return pl.DataFrame(
        {
            "person": people + 1,
            "issued": issued,
            "amended": dates_if(amended, days_between(rng, issued + 300, last)),
            "pb": budget,
            "oa": budget
            & (rng.random(size) < facts["personal_budgets"]["organised"] / facts["personal_budgets"]["all"]),
            "dp": texts_if(directly, paid_kind),
            "wbp": np.where(persons.age[people] >= 16, working, "N").tolist(),
            "need": persons.need[people].tolist(),
            "second_need": texts_if(persons.second_need[people] != "", persons.second_need[people]),
        },
    )


def _active(
    rng: np.random.Generator, persons: People, schools: pl.DataFrame, as_of: date, facts: Calibration, *, faults: bool
) -> pl.DataFrame:
    people = np.flatnonzero(persons.setting != "")
    size = len(people)
    today = np.full(size, day(as_of), dtype="datetime64[D]")
    issued = _issued(rng, persons, people, today - rng.integers(0, 20, size).astype("timedelta64[D]"))
    waited, week20 = _durations(rng, size, facts)
    received = issued - waited.astype("timedelta64[D]")
    outcomes = _outcomes(rng, received, issued, as_of, facts)
    plan = _plan(rng, persons, people, issued, today, facts)

    setting = persons.setting[people]
    urn, ukprn = _attended(rng, persons, people, setting, schools, as_of)
    coded = np.isin(setting, _SETTINGS)
    entered = np.maximum(
        issued, np.datetime64(f"{school_year(as_of)}-09-01", "D") - 365 * rng.integers(0, 3, size) * _DAY
    )
    meeting, outcome, decided, draft = _reviews(rng, issued, today)
    residential = np.full(size, "N", dtype=object)
    sleeping = weighted_sample(
        rng, np.where(setting == "independent_special", 1.0, 0.01), round(67 * size / facts["plans"])
    )
    residential[sleeping] = codes(rng, facts["residential"], len(sleeping))
    transferred = rng.random(size) < 0.015
    moving_on = np.isin(persons.age[people], (4, 10, 15)) & (rng.random(size) < 0.9)
    due = np.where(persons.age[people] == 15, f"{as_of.year}-03-31", f"{as_of.year}-02-15").astype("datetime64[D]")
    final = shifted(due, rng.integers(-40, 30, size))
    mainstream = setting == "mainstream"
    frame = pl.DataFrame(
        {
            "setting": texts_if(coded, setting),
            "urn": urn,
            "ukprn": ukprn,
            "setting_other": texts_if(np.isin(setting, ("OTH", "NIEO")), "Bespoke package"),
            "sen_unit": mainstream & (rng.random(size) < 12 / 6104),
            "resourced": mainstream & (rng.random(size) < 99 / 6104),
            "entered": np.minimum(entered, today),
            "placed": setting != "unrecorded" if faults else np.full(size, fill_value=True),
            "residential": residential.tolist(),
            "transfer_la": texts_if(transferred, rng.choice(["207", "302", "823", "881", "821"], size)),
            "review_met": meeting,
            "review_outcome": outcome,
            "review_decided": decided,
            "review_draft": draft,
            "transfer_due": dates_if(moving_on & (due < today) & (issued < due), due),
            "transfer_final": dates_if(moving_on & (due < today) & (issued < due) & (final < today), final),
            "week20": np.where(outcomes["assessment_outcome"] == "Y", week20, -1),
            "active": np.full(size, fill_value=True),
        },
    )
    frame = pl.concat([plan, outcomes, frame], how="horizontal")
    if faults:
        lost = pl.Series(rng.random(size) < 11 / facts["plans"])
        frame = frame.with_columns(pl.when(~lost).then("need").alias("need"))
    return frame


def _attended(
    rng: np.random.Generator,
    persons: People,
    people: Ints,
    setting: np.typing.NDArray[np.object_],
    schools: pl.DataFrame,
    as_of: date,
) -> tuple[pl.Series, pl.Series]:
    """URN of the state school, independent school or college attended (null where a SENsetting says it all)."""
    role = schools["role"].to_numpy()
    place = persons.school(as_of, as_of)[people]
    kinds = {
        "independent": ("independent",),
        "independent_special": ("independent_special", "neighbour"),
        "further_education": ("further_education",),
        "specialist_post_16": ("specialist_post_16",),
    }
    for kind, roles in kinds.items():
        chosen = setting == kind
        options = np.flatnonzero(np.isin(role, roles))
        weights = schools["places"].to_numpy()[options]
        place[chosen] = rng.choice(options, size=int(chosen.sum()), p=weights / weights.sum())
    coded = pl.Series(np.isin(setting, _SETTINGS))
    college = pl.Series(setting == "further_education") | pl.Series(setting == "specialist_post_16")
    found = schools.select("urn", "ukprn")[place].with_columns(coded=coded, college=college)
    urn = found.select(pl.when(~pl.col("coded")).then("urn"))
    ukprn = found.select(pl.when(pl.col("college")).then("ukprn"))
    return urn.to_series(), ukprn.to_series()


def _reviews(rng: np.random.Generator, issued: Dates, today: Dates) -> tuple[Dates, pl.Series, Dates, Dates]:
    """Latest annual review: meeting, outcome, date of the decision letter, and draft when it amends."""
    size = len(issued)
    due = (today - issued).astype(np.int64) > 400
    ago = rng.integers(10, 380, size) + np.where(rng.random(size) < 0.18, rng.integers(0, 400, size), 0)
    meeting = np.maximum(today - ago.astype("timedelta64[D]"), issued + 300)
    decided = meeting + np.where(rng.random(size) < 0.7, rng.integers(5, 29, size), rng.integers(29, 120, size)).astype(
        "timedelta64[D]"
    )
    outcome = codes(rng, {"M": 61, "A": 37, "C": 2}, size)
    known = due & (decided <= today)
    draft = decided + rng.integers(0, 40, size).astype("timedelta64[D]")
    drafted = known & (outcome == "A") & (draft <= today)
    return (
        dates_if(due, meeting),
        texts_if(known, outcome),
        dates_if(known, decided),
        dates_if(drafted, draft),
    )


def _ceased(rng: np.random.Generator, persons: People, as_of: date, facts: Calibration) -> pl.DataFrame:
    """Plans that ended since the window began: mostly young people; transfers are children who moved away."""
    without = persons.setting == ""
    young = without & (persons.age >= 16) & (persons.age <= 25) & ~(persons.roll_from <= day(as_of))
    moved = without & (persons.age <= 15) & (persons.roll_to <= day(as_of)) & (persons.roll_to >= window_start(as_of))
    moved &= (persons.roll_to - persons.birth) > 1500 * _DAY
    total = sum(facts["ceased_by_reason"].values())
    leaving = facts["ceased_by_reason"]["5"] + facts["ceased_by_reason"]["7"] + facts["ceased_by_reason"]["8"]
    wanted = int(young.sum() / (total - leaving) * leaving)
    people = np.concatenate(
        [
            weighted_sample(rng, moved.astype(float), wanted),
            weighted_sample(rng, young.astype(float), round(young.sum() * 0.75)),
        ]
    )
    gone = moved[people]
    size = len(people)
    start = np.full(size, window_start(as_of))
    ended = np.where(gone, persons.roll_to[people], days_between(rng, start, np.full(size, day(as_of))))
    ended = ended.astype("datetime64[D]")
    reasons = facts["ceased_by_reason"]
    reason = np.where(
        gone,
        codes(rng, {r: reasons[r] for r in "578"}, size),
        codes(rng, {r: reasons[r] for r in "23469"}, size),
    )
    reason = np.where(persons.age[people] >= 24, "1", reason)
    issued = _issued(rng, persons, people, shifted(ended, -120))
    issued = np.minimum(issued, ended - 60 * _DAY)
    waited, week20 = _durations(rng, size, facts)
    outcomes = _outcomes(rng, issued - waited.astype("timedelta64[D]"), issued, as_of, facts)
    plan = _plan(rng, persons, people, issued, ended, facts)
    return pl.concat([plan, outcomes], how="horizontal").with_columns(
        ceased=pl.Series(ended),
        cease_reason=pl.Series(reason.tolist()),
        week20=pl.when(pl.col("assessment_outcome") == "Y").then(pl.Series(week20)).otherwise(-1),
        active=pl.lit(value=False),
    )


def _undecided_or_refused(rng: np.random.Generator, persons: People, as_of: date, facts: Calibration) -> pl.DataFrame:
    """Requests of the window that have not led to a plan: open, refused, withdrawn, assessed and no plan."""
    years = (day(as_of) - window_start(as_of)).astype(np.int64) / 365.25
    scale = (persons.setting != "").sum() / facts["plans"]
    per_year = {
        "refused": facts["requests_refused"],
        "withdrawn": facts["requests_withdrawn"],
        "no_plan": facts["assessments_no_plan"],
    }
    counts = {kind: round(count * years * scale) for kind, count in per_year.items()}
    counts["undecided"] = round(facts["requests_undecided"] * scale)
    counts["assessing"] = round((facts["requests_in_year"] * 0.36 - facts["requests_undecided"]) * scale)
    on_roll = persons.on_roll(as_of)
    supported = on_roll & persons.support(as_of)
    weight = np.where(supported, 12.0, np.where(on_roll & (persons.age <= 15), 0.45, 0.0))
    weight = np.where(~on_roll & np.isin(persons.age, (2, 3)), 2.0, weight)
    weight = np.where(persons.setting == "", weight, 0.0)
    people = rng.permutation(weighted_sample(rng, weight, sum(counts.values())))
    again = rng.choice(np.flatnonzero(persons.setting != ""), size=round(counts["refused"] * 0.06), replace=False)
    kind = np.concatenate(
        [np.repeat(list(counts), list(counts.values()))[: len(people)], np.repeat("earlier", len(again))]
    )
    people = np.concatenate([people, again])
    size = len(people)
    today = np.full(size, day(as_of), dtype="datetime64[D]")
    first = np.select(
        [kind == "undecided", kind == "assessing"],
        [today - 45, today - 230],
        np.full(size, window_start(as_of)),
    )
    last = np.select(
        [kind == "undecided", kind == "assessing", kind == "no_plan", kind == "earlier"],
        [today - 1, today - 43, today - 115, np.full(size, window_start(as_of)) + 60],
        today - 43,
    )
    received = np.maximum(days_between(rng, first, np.maximum(first, last)), persons.birth[people] + 200)
    decided = received + rng.integers(14, 43, size) * _DAY
    refused = np.isin(kind, ("refused", "earlier"))
    in_assessment = np.isin(kind, ("no_plan", "assessing"))
    refusal = received + rng.integers(80, 113, size) * _DAY
    none = kind == "no_plan"
    frame = pl.DataFrame(
        {
            "person": people + 1,
            "received": received,
            "request_source": codes(rng, {"1": 60, "2": 3, "3": 34, "4": 1, "5": 1, "9": 1}, size).tolist(),
            "rya": np.zeros(size, dtype=bool),
            "request_outcome": np.select([refused, in_assessment, kind == "withdrawn"], ["N", "Y", "W"], "A"),
            "request_outcome_on": dates_if(refused | in_assessment, decided),
            "request_mediation": refused & (rng.random(size) < 0.05),
            "request_tribunal": refused & (rng.random(size) < 0.2),
            "exported": texts_if((kind == "withdrawn") & (rng.random(size) < 0.3), "O"),
            "assessment_outcome": np.select([none, kind == "assessing"], ["N", "A"], "").tolist(),
            "assessment_outcome_on": dates_if(none & (refusal <= today), refusal),
            "assessment_mediation": none & (rng.random(size) < 0.09),
            "assessment_tribunal": none & (rng.random(size) < 0.4),
            "other_mediation": np.zeros(size, dtype=bool),
            "other_tribunal": np.zeros(size, dtype=bool),
            "week20": np.full(size, -1),
            "active": np.zeros(size, dtype=bool),
        },
    )
    return frame.with_columns(
        pl.when(pl.col("assessment_outcome") != "").then("assessment_outcome").alias("assessment_outcome")
    )


def named_plans(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per named plan: the first issued and, where amended, the current one (columns of `cases`, start)."""
    plans = frame.with_row_index("case").filter(pl.col("issued").is_not_null())
    first = plans.with_columns(start="issued", version=pl.lit(1))
    later = plans.filter(pl.col("amended").is_not_null()).with_columns(start="amended", version=pl.lit(2))
    return pl.concat([first, later]).sort("case", "version")
