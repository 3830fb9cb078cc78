"""The casework behind plans: advice asked for, drafts, versions, reviews, panels, errors reported and audits.

Requests, decisions, plans and latest reviews are those of `plans`; what is told here lies between their dates. All is
as known on the last day of the latest month, since 1 January of the year before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import last_month_end
from send_returns.simulate.draw import (
    Bools,
    Floats,
    Ints,
    Texts,
    blank_dates,
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
from send_returns.simulate.plans import WEEKS_6, WEEKS_20, window_start
from send_returns.simulate.population import Calibration

DRAFT_DAYS = 15  # in which parents may comment
_DAY = np.timedelta64(1, "D")
_EXCEPTIONS: dict[str, float] = {"exceptional": 45, "absence": 15, "missed_appointment": 25, "school_closed": 15}
_SENSORY = ("HI", "VI", "MSI")
_SPECIALIST = {
    "special": "special_school", "independent_special": "independent_special",
    "specialist_post_16": "specialist_post16", "alternative": "alternative_provision",
}  # fmt: skip
_METHODS = {"in_person": 46, "written": 26, "video": 6, "communication_aid": 10, "advocate": 4, "observation": 8}
_REASONS = {"too_young": 40, "declined": 35, "unwell": 10, "no_contact": 15}
_PARTICIPATION = {"attended": 43, "part_attended": 9, "views_sent": 21, "advocate": 3, "none": 24}
_SECTIONS = {"A": 8, "B": 22, "C": 7, "D": 4, "E": 13, "F": 30, "G": 5, "H": 3, "I": 8}
_GRADES = ("outstanding", "good", "requires_improvement", "inadequate")
# How many reviews of a plan, before the latest, the time that is told of can hold.
_EARLIER_REVIEWS = 3
_MOVED_ALREADY = 17  # at this age a first post-16 setting is behind a young person


@dataclass(frozen=True)
class Casework:
    """`cases`: one row per request. `advice` of a case. `versions` of plans. `reviews`, due or held. `decisions` of
    panels. `corrections`: errors reported. `audits` of versions. `case` is the request's number in `Lives.plans`."""

    cases: pl.DataFrame
    advice: pl.DataFrame
    versions: pl.DataFrame
    reviews: pl.DataFrame
    decisions: pl.DataFrame
    corrections: pl.DataFrame
    audits: pl.DataFrame


@dataclass(frozen=True)
class _Span:
    """What is told of: since the first day, as known on the last."""

    since: np.datetime64
    until: np.datetime64


def casework(of: Lives, schools: pl.DataFrame, as_of: date, facts: Calibration) -> Casework:
    """The casework of a block of children."""
    span = _Span(window_start(as_of), day(last_month_end(as_of)))
    position = of.plans["person"].to_numpy() - of.first - 1
    plans = of.plans.with_columns(
        case=pl.int_range(pl.len(), dtype=pl.Int64) + of.first,
        where=pl.Series(of.persons.setting[position].tolist(), dtype=pl.String),
        need=pl.Series(of.persons.need[position].tolist(), dtype=pl.String),
        age=pl.Series(of.persons.age[position]),
    )
    rng = stream(of.seed, "casework")
    whole = _cases(rng, plans)
    advice = _advice(stream(of.seed, "advice"), whole, of, schools, as_of, span, facts)
    moves = _moves(stream(of.seed, "transfers"), plans, span)
    reviews, amending = _reviews(stream(of.seed, "reviews"), plans, moves, span, of.first)
    versions = _versions(stream(of.seed, "versions"), whole, plans, moves, amending, span, of)
    cases = _known_cases(whole, span)
    return Casework(
        cases,
        advice,
        versions,
        _of_versions(reviews, versions).drop("case"),
        _decisions(stream(of.seed, "panels"), cases, plans, span, schools, of.first),
        _corrections(stream(of.seed, "corrections"), versions, span, of.first),
        _audits(stream(of.seed, "audits"), versions, span, facts, of.first),
    )


def known_by(frame: pl.DataFrame, until: np.datetime64, *columns: str) -> pl.DataFrame:
    """The frame without the days that are still to come."""
    last = pl.lit(until).cast(pl.Date)
    return frame.with_columns(pl.when(pl.col(name) <= last).then(name).alias(name) for name in columns)


def numbered(frame: pl.DataFrame, name: str, first: int) -> pl.DataFrame:
    """The frame with its rows numbered after `first`."""
    return frame.with_columns((pl.int_range(pl.len(), dtype=pl.Int64) + first + 1).alias(name))


def wait(rng: np.random.Generator, in_time: Bools, limit: int, tail: float) -> Ints:
    """Days until something is done: within the limit, or after it, by `tail` days on the average."""
    size = len(in_time)
    late = limit + 1 + rng.gamma(1.4, tail / 1.4, size)
    waited: Ints = np.where(in_time, rng.integers(max(limit // 4, 1), limit + 1, size), late).astype(np.int64)
    return waited


def _flags(frame: pl.DataFrame, column: str, *values: str) -> Bools:
    found: Bools = frame.select(pl.col(column).is_in(values).fill_null(value=False)).to_series().to_numpy()
    return found


def _cases(rng: np.random.Generator, plans: pl.DataFrame) -> pl.DataFrame:
    """Every case to its end, whenever that is."""
    size = len(plans)
    received, issued = plans["received"].to_numpy(), plans["issued"].to_numpy()
    history, withdrawn = _flags(plans, "request_outcome", "H"), _flags(plans, "request_outcome", "W")
    open_assessment = _flags(plans, "assessment_outcome", "A")
    usual = np.minimum(shifted(received, rng.integers(14, WEEKS_6 + 1, size)), issued - 20 * _DAY)
    decided = np.where(history, usual, plans["request_outcome_on"].to_numpy()).astype("datetime64[D]")
    before_final = np.maximum(shifted(issued, -rng.integers(18, 51, size)), decided + 1 * _DAY)
    begun = open_assessment & (rng.random(size) < 0.6)
    draft = np.where(begun, shifted(received, rng.integers(100, 190, size)), before_final).astype("datetime64[D]")
    told = np.where(np.isnat(issued), plans["assessment_outcome_on"].to_numpy(), issued).astype("datetime64[D]")
    outcome = np.where(history, "Y", plans["request_outcome"].to_numpy())
    excepted = plans["week20"].to_numpy() == 1
    late = (decided - received).astype(np.int64) > WEEKS_6
    closed = np.select(
        [withdrawn, outcome == "N", _flags(plans, "assessment_outcome", "N")],
        [shifted(received, rng.integers(5, 60, size)), decided, told],
        blank_dates(size),
    )
    return pl.DataFrame(
        {
            "case": plans["case"],
            "person": plans["person"],
            "route": pl.select(
                pl.when(plans["transfer_la"].is_not_null()).then(pl.lit("transfer_in")).otherwise(pl.lit("request"))
            ).to_series(),
            "received": received,
            "source": plans["request_source"],
            "decided": decided,
            "outcome": outcome.tolist(),
            "assess_exception": late & (rng.random(size) < 0.5),
            "draft": draft,
            "told": told,
            "plan": ~np.isnat(issued),
            "issue_exception": excepted,
            "exception": texts_if(excepted, codes(rng, _EXCEPTIONS, size)),
            "closed": closed.astype("datetime64[D]"),
            "history": history,
            "need": plans["need"],
        }
    )


def _known_cases(whole: pl.DataFrame, span: _Span) -> pl.DataFrame:
    frame = known_by(whole, span.until, "decided", "draft", "told", "closed")
    is_told = pl.col("told").is_not_null()
    return frame.filter(pl.col("received") <= pl.lit(span.until).cast(pl.Date)).with_columns(
        pl.when((pl.col("outcome") == "W") & pl.col("closed").is_not_null()).then(pl.lit("W"))
        .when(pl.col("outcome").is_in(["Y", "N"]) & pl.col("decided").is_not_null()).then("outcome")
        .otherwise(pl.lit("A")).alias("outcome"),
        issue_outcome=pl.when(is_told & pl.col("plan")).then(pl.lit("Y")).when(is_told).then(pl.lit("N"))
        .when((pl.col("outcome") == "Y") & pl.col("decided").is_not_null()).then(pl.lit("A")),
        issue_exception=pl.when(is_told & ~pl.col("history")).then("issue_exception"),
        exception=pl.when(is_told).then("exception"),
    )  # fmt: skip


def _advice(
    rng: np.random.Generator,
    whole: pl.DataFrame,
    of: Lives,
    schools: pl.DataFrame,
    as_of: date,
    span: _Span,
    facts: Calibration,
) -> pl.DataFrame:
    """A row per body asked, of cases that SEN2 tells the decision of; health's as the health services have it."""
    asked = whole.filter(
        (pl.col("outcome") == "Y") & ~pl.col("history") & (pl.col("decided") <= pl.lit(span.until).cast(pl.Date))
    )
    size = len(asked)
    position = asked["person"].to_numpy() - of.first - 1
    need, age = asked["need"].to_numpy(), of.persons.age[position]
    decided, draft, told = (asked[name].to_numpy() for name in ("decided", "draft", "told"))
    end = np.where(np.isnat(told), span.until, told)
    late_plan = (end - asked["received"].to_numpy()).astype(np.int64) > WEEKS_20
    of_health = _health_advice(asked, of)
    without_health = ~_in(asked["case"], of_health["case"])
    chance: dict[str, Floats] = {
        "educational_psychology": np.full(size, 1.0),
        "health": np.where(without_health, 0.96, 0.0),
        "social_care": np.full(size, 1.0),
        "school": np.full(size, 0.93),
        "parent": np.full(size, 0.96),
        "sensory": np.where(np.isin(need, _SENSORY), 0.9, 0.02),
        "youth_justice": np.where(age >= 13, 0.015, 0.0),
    }
    chosen = {body: np.flatnonzero(rng.random(size) < share) for body, share in chance.items()}
    which = np.concatenate(list(chosen.values()))
    body = np.repeat(np.array(list(chosen), dtype=object), [len(rows) for rows in chosen.values()])
    count = len(which)
    shares: Mapping[str, list[float]] = facts["assumed"]["advice_in_time"]
    usual = np.array([shares[name] for name in body]).reshape(count, 2)
    in_time = rng.random(count) < np.where(late_plan[which], usual[:, 1], usual[:, 0])
    requested = shifted(decided[which], rng.integers(0, 6, count))
    answered = shifted(requested, wait(rng, in_time, WEEKS_6, 24.0))
    # A draft mostly waits for the advice: what was still to come when it was sent is the exception.
    waits = ~np.isnat(draft[which]) & (rng.random(count) < 0.9)
    before = np.maximum(np.minimum(answered, shifted(draft[which], -rng.integers(1, 6, count))), requested + 2 * _DAY)
    answered = np.where(waits, before, answered).astype("datetime64[D]")
    required = rng.random(count) < 0.96
    late = (answered - requested).astype(np.int64) > WEEKS_6
    school = schools["urn"].cast(pl.String).gather(of.persons.school(as_of, as_of)[position[which]]).to_numpy()
    on_roll = of.persons.on_roll(as_of)[position[which]]
    frame = pl.DataFrame(
        {
            "case": asked["case"].to_numpy()[which],
            "person": asked["person"].to_numpy()[which],
            "body": pl.Series(body.tolist(), dtype=pl.String),
            "provider": texts_if((body == "health") | ((body == "school") & on_roll),
                                 np.where(body == "health", "RY4", school)),
            "requested": requested,
            "due": shifted(requested, WEEKS_6),
            "received": dates_if(required & (answered <= span.until), answered),
            "required": required,
            "exception": texts_if(
                late & (rng.random(count) < 0.07),
                codes(rng, {"exceptional": 40, "absence": 25, "missed_appointment": 35}, count),
            ),
        }
    )  # fmt: skip
    every = pl.concat([frame, of_health.select(frame.columns)]).filter(
        pl.col("requested") <= pl.lit(span.until).cast(pl.Date)
    )
    return numbered(every.sort("case", "body", "requested", "provider", nulls_last=True), "advice", of.first)


def _in(values: pl.Series, others: pl.Series) -> Bools:
    found: Bools = values.is_in(others.unique().implode()).to_numpy()
    return found


def _health_advice(asked: pl.DataFrame, of: Lives) -> pl.DataFrame:
    """The requests that the health services tell of. What they could not say is not needed."""
    since = (pl.col("requested") - pl.col("decided")).dt.total_days()
    return (
        of.support.advice.join(asked.select("case", "person", "decided"), on="person")
        .filter(since.is_between(0, 5))
        .select(
            "case", "person", "provider", "requested", "due", "received",
            body=pl.lit("health"),
            required=~pl.col("outcome").is_in(["declined", "not_known"]),
            exception=pl.lit(None, pl.String),
        )
    )  # fmt: skip


def _moves(rng: np.random.Generator, plans: pl.DataFrame, span: _Span) -> pl.DataFrame:
    """case, move, moved, final, draft: amendments for a move to another phase, and between settings after 16."""
    transfer = plans.filter(pl.col("transfer_due").is_not_null()).with_columns(
        move=pl.when(pl.col("transfer_due").dt.month() == 3).then(pl.lit("post16")).otherwise(pl.lit("phase")),
        moved=pl.date(pl.col("transfer_due").dt.year(), 9, 1),
    )
    between = plans.filter(
        "active", pl.col("age") >= _MOVED_ALREADY, pl.col("where").is_in(["further_education", "specialist_post_16"])
    )
    between = between.join(transfer.select("case"), on="case", how="anti")
    between = between.filter(pl.Series(rng.random(len(between)) < 0.14))
    year = span.until.astype("datetime64[Y]").astype(int) + 1970
    autumn = np.datetime64(f"{year}-09-01", "D")
    if autumn > span.until:
        autumn = np.datetime64(f"{year - 1}-09-01", "D")
    final = np.full(len(between), autumn) - rng.integers(90, 215, len(between)) * _DAY
    between = between.with_columns(
        move=pl.lit("between_post16"), moved=pl.lit(autumn).cast(pl.Date), transfer_final=pl.Series(final)
    )
    frame = pl.concat([transfer, between]).filter(
        pl.col("transfer_final").is_null() | (pl.col("transfer_final") > pl.col("issued") + pl.duration(days=30))
    )
    notice = rng.integers(18, 57, len(frame))
    due = frame["transfer_final"].fill_null(frame["transfer_due"]).to_numpy()
    return frame.select("case", "move", "moved", final="transfer_final").with_columns(
        draft=pl.Series(np.maximum(shifted(due, -notice), frame["issued"].to_numpy() + 1 * _DAY))
    )


def _reviews(
    rng: np.random.Generator, plans: pl.DataFrame, moves: pl.DataFrame, span: _Span, first: int
) -> tuple[pl.DataFrame, pl.Series]:
    """Reviews of plans that were in force since `span.since`: the latest is that of SEN2, others came before it, and
    one more is due. Also the cases whose amendment came of a review.
    """
    held = plans.filter(pl.col("issued").is_not_null())
    size = len(held)
    issued, amended, ceased = (held[name].to_numpy() for name in ("issued", "amended", "ceased"))
    stopped = ~np.isnat(ceased)
    meeting = np.where(stopped, shifted(ceased, -rng.integers(40, 330, size)), held["review_met"].to_numpy()).astype(
        "datetime64[D]"
    )
    meeting = dates_if(~stopped | (meeting >= shifted(issued, 300)), meeting)
    ending = stopped & ~np.isin(held["cease_reason"].to_numpy(), ("1", "5", "7", "8"))
    outcome: Texts = np.where(stopped, np.where(ending, "C", "M"), held["review_outcome"].to_numpy())
    decided = np.where(
        stopped,
        np.minimum(shifted(meeting, wait(rng, rng.random(size) < 0.7, 28, 30.0)), ceased),
        held["review_decided"].to_numpy(),
    ).astype("datetime64[D]")
    draft = held["review_draft"].to_numpy()
    after = (amended > decided) & ((amended - meeting).astype(np.int64) < 400)
    final = dates_if((outcome == "A") & after, amended)
    # A draft comes before what it is a draft of.
    draft = np.where(final <= draft, np.maximum(final - 14 * _DAY, decided), draft).astype("datetime64[D]")
    used = ~np.isnat(final)

    latest_known = np.where(np.isnat(decided), meeting, decided).astype("datetime64[D]")
    coming = np.where(np.isnat(meeting), issued, latest_known).astype("datetime64[D]")
    is_coming = ~(ceased <= span.until)
    blank = blank_dates(size)
    levels = [(is_coming, blank, np.full(size, None, dtype=object), blank, blank, blank, coming)]
    exists = ~np.isnat(meeting)
    for _ in range(_EARLIER_REVIEWS):
        gap = np.where(rng.random(size) < 0.76, rng.integers(320, 386, size), rng.integers(386, 540, size))
        earlier = shifted(meeting, -gap)
        lag = wait(rng, rng.random(size) < 0.45, 84, 60.0)
        leading = shifted(amended, -lag)
        apart = (meeting - leading).astype(np.int64)
        leads = ~used & exists & (apart >= 250) & (apart <= 600)
        earlier = np.where(leads, leading, earlier).astype("datetime64[D]")
        has_earlier = exists & (earlier >= shifted(issued, 300))
        leads &= has_earlier
        took = wait(rng, rng.random(size) < 0.68, 28, 35.0)
        told = np.minimum(shifted(earlier, took), np.where(leads, amended - 15 * _DAY, meeting - 30 * _DAY))
        before = np.where(has_earlier, told, issued).astype("datetime64[D]")
        levels.append((exists, meeting, outcome, decided, draft, final, before))
        unfinished = rng.random(size) < 0.08
        outcome = np.where(leads | unfinished, "A", "M").astype(object)
        notice = np.where(rng.random(size) < 0.6, 0, rng.integers(1, 40, size))
        drafted = np.minimum(shifted(told, notice), np.where(leads, amended - 14 * _DAY, meeting))
        draft = dates_if((leads | unfinished) & has_earlier, drafted.astype("datetime64[D]"))
        final = dates_if(leads, amended)
        used |= leads
        meeting, decided, exists = earlier, told.astype("datetime64[D]"), has_earlier
    frame = pl.concat(
        pl.DataFrame(
            {
                "case": held["case"],
                "person": held["person"],
                "from": since,
                "met": met,
                "outcome": pl.Series(result.tolist(), dtype=pl.String),
                "decided": told,
                "draft": noticed,
                "final": sent,
            }
        ).filter(pl.Series(there))
        for there, met, result, told, noticed, sent, since in levels
    ).with_columns(due=pl.col("from").dt.offset_by("12mo"))
    return _told(rng, frame, moves, span, first), held["case"].filter(pl.Series(used))


def _told(rng: np.random.Generator, frame: pl.DataFrame, moves: pl.DataFrame, span: _Span, first: int) -> pl.DataFrame:
    """The reviews that are told of, with invitations, reports and who took part."""
    since, until = (pl.lit(day_).cast(pl.Date) for day_ in (span.since, span.until))
    soon = until + pl.duration(days=60)
    recent = (pl.max_horizontal("met", "decided", "final") >= since) | (pl.col("due") >= since)
    frame = frame.filter(pl.when(pl.col("met").is_null()).then(pl.col("due") <= soon).otherwise(recent)).sort(
        "case", "due", "met", nulls_last=True
    )
    size = len(frame)
    met, decided = frame["met"].to_numpy(), frame["decided"].to_numpy()
    report = shifted(met, wait(rng, rng.random(size) < 0.64, 14, 14.0))
    report = np.where(report >= decided, decided - 1 * _DAY, report).astype("datetime64[D]")
    kind = moves.select(
        "case",
        kind=pl.when(pl.col("move") == "between_post16").then(pl.lit("post16_transfer")).otherwise(
            pl.lit("phase_transfer")
        ),
        moved="moved",
    )  # fmt: skip
    before_move = (pl.col("moved") - pl.col("met")).dt.total_days().is_between(120, 460)
    early = pl.Series(rng.random(size) < 0.04)
    frame = (
        frame.with_columns(
            invited=pl.Series(shifted(met, -rng.integers(7, 26, size))),
            report=pl.Series(np.maximum(report, met)),
            participation=pl.Series(codes(rng, _PARTICIPATION, size).tolist(), dtype=pl.String),
            early=early,
        )
        .join(kind, on="case", how="left", maintain_order="left")
        .with_columns(
            kind=pl.when(before_move).then("kind").when("early").then(pl.lit("early")).otherwise(pl.lit("annual"))
        )
    )
    frame = known_by(frame, span.until, "invited", "met", "report", "decided", "draft", "final").with_columns(
        participation=pl.when(pl.col("met").is_not_null()).then("participation"),
        outcome=pl.when(pl.col("decided").is_not_null()).then("outcome"),
    )
    return numbered(frame.drop("early", "moved", "from"), "review", first)


def _versions(
    rng: np.random.Generator,
    whole: pl.DataFrame,
    plans: pl.DataFrame,
    moves: pl.DataFrame,
    amending: pl.Series,
    span: _Span,
    of: Lives,
) -> pl.DataFrame:
    """Every version in force since `span.since`: the first, the amendment that SEN2 names, and one for a move."""
    held = plans.filter(pl.col("issued").is_not_null())
    route = whole.select("case", "route", "draft")
    first = held.join(route, on="case", maintain_order="left").select(
        "case",
        "draft",
        final="issued",
        kind=pl.when(pl.col("route") == "transfer_in").then(pl.lit("transfer_in")).otherwise(pl.lit("first")),
    )
    second = held.filter(pl.col("amended").is_not_null())
    other = pl.Series(
        codes(rng, {"review": 45, "tribunal": 30, "correction": 20, "reassessment": 5}, len(second)).tolist()
    )
    by_review = second["case"].is_in(amending.implode())
    second = second.select("case", final="amended").with_columns(
        draft=pl.Series(shifted(second["amended"].to_numpy(), -rng.integers(16, 70, len(second)))),
        kind=pl.select(pl.when(by_review).then(pl.lit("review")).otherwise(other)).to_series(),
    )
    third = moves.with_columns(kind=pl.lit("phase_transfer"))
    frame = (
        pl.concat([first, second, third], how="diagonal")
        .sort("case", "final", "kind", nulls_last=True)
        .join(
            held.select("case", "person", "ceased", "cease_reason", "urn", "ukprn", "setting", "placed", "active"),
            on="case", maintain_order="left",
        )
        .with_columns(
            version=pl.int_range(pl.len()).over("case") + 1,
            replaced=pl.col("final").shift(-1).over("case"),
            is_last=pl.int_range(pl.len()).over("case") == pl.len().over("case") - 1,
        )
    )  # fmt: skip
    frame = known_by(frame, span.until, "draft", "final", "replaced", "ceased").filter(
        pl.col("draft").is_not_null() | pl.col("final").is_not_null(),
        pl.col("replaced").is_null() | (pl.col("replaced") >= pl.lit(span.since).cast(pl.Date)),
    )
    frame = frame.with_columns(
        ceased=pl.when("is_last").then("ceased"),
        cease_reason=pl.when(pl.col("is_last") & pl.col("ceased").is_not_null()).then("cease_reason"),
        type_only=pl.col("setting") == "OTH",
    )
    return _sections(rng, frame, span, of).drop("is_last")


def _sections(rng: np.random.Generator, frame: pl.DataFrame, span: _Span, of: Lives) -> pl.DataFrame:
    """What each version has text of, and how the child's view was found out."""
    size = len(frame)
    in_health, in_care = (
        _in(frame["person"], people["person"])
        for people in (known_to_health(of, span.until), known_to_care(of, span.until))
    )

    def filled(is_known: Bools, known: float, other: float) -> Bools:
        return rng.random(size) < np.where(is_known, known, other)

    issued = frame["final"].is_not_null().to_numpy()
    seen = rng.random(size)
    sought, reason = issued & (seen < 0.63), issued & (seen > 0.95)
    needs_health, needs_care = filled(in_health, 0.84, 0.3), filled(in_care, 0.72, 0.12)
    given_health, given_care = needs_health & filled(in_health, 0.76, 0.4), needs_care & filled(in_care, 0.7, 0.3)
    final = frame["final"].to_numpy()
    return frame.with_columns(
        section_c=pl.Series(needs_health),
        section_d=pl.Series(needs_care),
        section_g=pl.Series(given_health),
        section_h=pl.Series(given_care),
        view_on=pl.Series(dates_if(sought, shifted(final, -rng.integers(25, 130, size)))),
        view_method=texts_if(sought, codes(rng, _METHODS, size)),
        view_reason=texts_if(reason, codes(rng, _REASONS, size)),
    )


def known_to_health(of: Lives, on: np.datetime64) -> pl.DataFrame:
    """person: children with an open referral to a health service."""
    over = pl.coalesce("rejected", "discharged")
    today = pl.lit(on).cast(pl.Date)
    is_open = (pl.col("received") <= today) & (over.is_null() | (over > today))
    return pl.concat(
        frame.filter(is_open).select("person") for frame in (of.community.referrals, of.mental.referrals)
    ).unique("person", maintain_order=True)


def known_to_care(of: Lives, on: np.datetime64) -> pl.DataFrame:
    """person: children with an open case of social care, or looked after."""
    today = pl.lit(on).cast(pl.Date)

    def is_open(start: str, end: str) -> pl.Expr:
        return (pl.col(start) <= today) & (pl.col(end).is_null() | (pl.col(end) > today))

    return pl.concat(
        [
            of.social.referrals.filter(is_open("referred", "closed") & ~pl.col("no_action")).select("person"),
            of.social.referrals.filter(is_open("protected_from", "protected_to")).select("person"),
            of.social.looked_after.filter(is_open("from", "to")).select("person"),
        ]
    ).unique("person", maintain_order=True)


def _of_versions(reviews: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """Each review with the version of the plan that was in force at its meeting, or when it is due."""
    dated = reviews.with_columns(at=pl.coalesce("met", "due"))
    issued = versions.filter(pl.col("final").is_not_null()).select("case", "version", at="final")
    found = dated.sort("at").join_asof(issued.sort("at"), on="at", by="case", check_sortedness=False)
    earliest = issued.group_by("case").agg(earliest=pl.col("version").min())
    return (
        found.join(earliest, on="case", how="left")
        .with_columns(version=pl.coalesce("version", "earliest"), plan_case="case")
        .drop("at", "earliest")
        .sort("review")
    )


def _decisions(
    rng: np.random.Generator, cases: pl.DataFrame, plans: pl.DataFrame, span: _Span, schools: pl.DataFrame, first: int
) -> pl.DataFrame:
    """Panels: whether to assess, whether to issue, and which specialist place; some children still wait for one."""
    since = pl.lit(span.since).cast(pl.Date)
    answers = {"Y": "agreed", "N": "not_agreed"}
    parts = []
    for panel, told, outcome in (("assessment", "decided", "outcome"), ("issue", "told", "issue_outcome")):
        asked = cases.filter(pl.col(told) >= since, pl.col(outcome).is_in(["Y", "N"]), ~pl.col("history"))
        size = len(asked)
        decided = shifted(asked[told].to_numpy(), -rng.integers(0, 6, size))
        decided = np.maximum(decided, asked["received"].to_numpy())
        referred = np.maximum(shifted(decided, -rng.integers(2, 15, size)), asked["received"].to_numpy())
        parts.append(
            asked.select("case", "person", panel=pl.lit(panel), decision=pl.col(outcome).replace_strict(answers))
            .with_columns(
                referred=pl.Series(referred),
                decided=pl.Series(decided),
            )
        )  # fmt: skip
    parts.append(_places(rng, plans, span, schools))
    every = pl.concat(parts, how="diagonal").filter(pl.col("decided") <= pl.lit(span.until).cast(pl.Date))
    every = known_by(every, span.until, "placed", "withdrawn").with_columns(
        urn=pl.when(pl.col("placed").is_not_null()).then("urn")
    )
    return numbered(every.sort("decided", "case", "panel"), "decision_number", first)


def _places(rng: np.random.Generator, plans: pl.DataFrame, span: _Span, schools: pl.DataFrame) -> pl.DataFrame:
    since = pl.lit(span.since).cast(pl.Date)
    special = plans.filter(
        "active",
        pl.col("where").is_in(list(_SPECIALIST)) | pl.col("sen_unit") | pl.col("resourced"),
        pl.col("entered") >= since,
    ).with_columns(
        place=pl.when("sen_unit").then(pl.lit("sen_unit")).when("resourced").then(pl.lit("resourced_provision"))
        .otherwise(pl.col("where").replace_strict(_SPECIALIST, default=None, return_dtype=pl.String))
    )  # fmt: skip
    elsewhere = plans.filter("active", pl.col("where").is_in(["mainstream", "NIEO", "OLA", "EHE"]))
    weight = np.where(_flags(elsewhere, "where", "NIEO", "OLA"), 12.0, 1.0)
    waiting = elsewhere[weighted_sample(rng, weight, round(len(elsewhere) * 0.042))]
    kinds: dict[str, float] = {
        "special_school": 66,
        "independent_special": 14,
        "resourced_provision": 14,
        "sen_unit": 6,
    }
    waiting = waiting.with_columns(place=pl.Series(codes(rng, kinds, len(waiting)).tolist(), dtype=pl.String))
    gave_up = rng.random(len(waiting)) < 0.12
    started = special["entered"].to_numpy()
    issued = special["issued"].to_numpy()
    agreed = np.minimum(shifted(started, -rng.integers(20, 330, len(special))), started)
    agreed = np.minimum(np.maximum(agreed, issued - 20 * _DAY), started)
    back = np.maximum(waiting["issued"].to_numpy() - 20 * _DAY, span.until - 420 * _DAY)
    decided = np.concatenate(
        [agreed, days_between(rng, np.minimum(back, span.until), np.full(len(waiting), span.until))]
    )
    withdrawn = shifted(decided[len(special) :], rng.integers(20, 200, len(waiting)))
    return pl.concat([special, waiting]).select(
        "case", "person", "urn", panel=pl.lit("placement"), decision=pl.lit("agreed"), specialist="place"
    ).with_columns(
        urn=pl.when(pl.col("urn").is_in(schools["urn"].implode())).then("urn"),
        decided=pl.Series(decided),
        referred=pl.Series(shifted(decided, -rng.integers(5, 35, len(decided)))),
        placed=pl.Series(np.concatenate([started, blank_dates(len(waiting))])),
        withdrawn=pl.Series(np.concatenate([blank_dates(len(special)), dates_if(gave_up, withdrawn)])),
    )  # fmt: skip


def _corrections(rng: np.random.Generator, versions: pl.DataFrame, span: _Span, first: int) -> pl.DataFrame:
    """Errors that parents and others reported in drafts, within the time for it, and in final plans."""
    parts = []
    since = pl.lit(span.since).cast(pl.Date)
    for stage, share, after in (("draft", 0.24, DRAFT_DAYS), ("final", 0.06, 60)):
        sent = versions.filter(pl.col(stage) >= since)
        sent = sent[np.repeat(np.arange(len(sent)), rng.poisson(share, len(sent)))]
        size = len(sent)
        reported = shifted(sent[stage].to_numpy(), rng.integers(1, after + 1, size))
        if stage == "draft":  # what is reported after the final plan is no comment on its draft
            reported = np.where(reported >= sent["final"].to_numpy(), sent["draft"].to_numpy() + 1, reported)
        reported = reported.astype("datetime64[D]")
        decided = shifted(reported, rng.integers(1, 30, size))
        if stage == "draft":
            decided = np.where(decided > sent["final"].to_numpy(), sent["final"].to_numpy(), decided)
        decision = codes(rng, {"accepted": 68, "part_accepted": 12, "refused": 20}, size)
        is_known = decided <= span.until
        accepted, refused = np.isin(decision, ("accepted", "part_accepted")), decision == "refused"
        is_final = sent["final"].is_not_null().to_numpy()
        applied = accepted & (rng.random(size) < 0.83)
        reissued = shifted(reported, wait(rng, rng.random(size) < 0.44, 28, 40.0))
        parts.append(
            pl.DataFrame(
                {
                    "plan_case": sent["case"],
                    "version": sent["version"],
                    "person": sent["person"],
                    "stage": [stage] * size,
                    "section": pl.Series(codes(rng, _SECTIONS, size).tolist(), dtype=pl.String),
                    "reported": reported,
                    "by": pl.Series(
                        codes(
                            rng, {"parent": 74, "setting": 14, "health": 5, "social_care": 2, "council": 5}, size
                        ).tolist(),
                        dtype=pl.String,
                    ),
                    "decision": texts_if(is_known, decision).fill_null("pending"),
                    "decided": dates_if(is_known, decided.astype("datetime64[D]")),
                    "explained": pl.select(
                        pl.when(pl.Series(refused & is_known)).then(pl.Series(rng.random(size) < 0.55))
                    ).to_series(),
                    "applied": pl.select(
                        pl.when(pl.Series((stage == "draft") & is_known & is_final)).then(pl.Series(applied))
                    ).to_series(),
                    "reissued": dates_if((stage == "final") & accepted & (reissued <= span.until), reissued),
                },
                schema_overrides={"stage": pl.String, "explained": pl.Boolean, "applied": pl.Boolean},
            )
        )
    every = pl.concat(parts).filter(pl.col("reported") <= pl.lit(span.until).cast(pl.Date))
    return numbered(every.sort("reported", "plan_case", "section", "by"), "correction", first)


def _audits(
    rng: np.random.Generator, versions: pl.DataFrame, span: _Span, facts: Calibration, first: int
) -> pl.DataFrame:
    """A sample of the versions sent, graded section by section near the grade of the whole."""
    sent = versions.filter(pl.col("final") >= pl.lit(span.since).cast(pl.Date))
    sent = sent.filter(pl.Series(rng.random(len(sent)) < facts["assumed"]["plans_audited"]))
    audited = shifted(sent["final"].to_numpy(), rng.integers(5, 75, len(sent)))
    sent, audited = sent.filter(pl.Series(audited <= span.until)), audited[audited <= span.until]
    size = len(sent)
    weights = np.array(facts["assumed"]["audit_grades"], dtype=float)
    overall = rng.choice(len(_GRADES), size, p=weights / weights.sum())
    names = np.array(_GRADES, dtype=object)
    graded = {
        f"section_{section}": np.where(
            (rng.random(size) < 0.3) & (section in "cdgh"),
            "not_applicable",
            names[np.clip(overall + rng.choice([-1, 0, 0, 0, 1], size), 0, len(_GRADES) - 1)],
        ).tolist()
        for section in "abcdefghi"
    }
    good = overall <= 1
    frame = pl.DataFrame(
        {
            "plan_case": sent["case"],
            "version": sent["version"],
            "person": sent["person"],
            "audited": audited,
            "agency": pl.Series(
                codes(rng, {"joint": 55, "education": 25, "health": 8, "social_care": 7, "parent": 5}, size).tolist(),
                dtype=pl.String,
            ),
            "overall": names[overall].tolist(),
            **graded,
            "specific": rng.random(size) < np.where(good, 0.86, 0.5),
            "quantified": rng.random(size) < np.where(good, 0.8, 0.38),
            "child_view": sent["view_method"].is_not_null(),
            "moderated": rng.random(size) < 0.3,
        },
        schema_overrides={"overall": pl.String, **dict.fromkeys(graded, pl.String)},
    )
    return numbered(frame.sort("audited", "plan_case", "version"), "audit", first)
