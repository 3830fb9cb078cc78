"""What families do when they ask, complain or disagree: enquiries, SENDIASS cases, complaints, mediation, appeals to
the Tribunal and decisions of the Ombudsman. As known on the last day of the latest month, since 1 January of the year
before; appeals in the published number, of decisions that were made."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import last_month_end
from send_returns.simulate.casework import Casework, known_by, numbered, wait
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
from send_returns.simulate.lives import Lives
from send_returns.simulate.plans import window_start
from send_returns.simulate.population import Calibration
from send_returns.simulate.working_days import working_days_after

REPLY_DAYS = {"1": 10, "2": 20}  # working days to reply to a complaint, by stage
ANSWER_DAYS = 5  # working days to answer an enquiry
MEDIATION_DAYS = 30
_ORDER_DAYS = {"assess": 14, "issue": 77, "amend": 35, "name_school": 14, "continue": 14}
_YEAR = 365
_THEMES: dict[str, float] = {"communication": 37, "delay": 24, "content": 8, "provision": 12, "placement": 8,
           "transport": 5, "short_breaks": 2, "staff": 3, "other": 1}  # fmt: skip
_TOPICS: dict[str, float] = {"assessment": 27, "plan": 14, "review": 15, "placement": 12, "provision": 6,
           "sen_support": 8, "exclusion": 2, "transport": 6, "short_breaks": 2, "dispute": 5,
           "health": 2, "other": 1}  # fmt: skip
_OUTCOMES = {
    "conceded": 39,
    "settled": 23,
    "withdrawn": 10,
    "upheld": 15,
    "part_upheld": 7,
    "dismissed": 4,
    "struck_out": 2,
}
_HEARD = ("upheld", "part_upheld", "dismissed")
_ORDERS = {
    "refusal_to_assess": "assess", "refusal_to_issue": "issue", "contents": "amend", "contents_not_placement": "amend",
    "placement": "name_school", "cease": "continue", "refusal_to_amend": "amend",
}  # fmt: skip
# What can be appealed against; of the last two nobody here does.
APPEALABLE = (*sorted(_ORDERS), "health_social_care", "refusal_to_reassess")


@dataclass(frozen=True)
class Disputes:
    """A row per complaint and stage, contact with a mediation adviser, appeal, Ombudsman decision, enquiry and SENDIASS
    case; the last has no person."""

    complaints: pl.DataFrame
    mediations: pl.DataFrame
    appeals: pl.DataFrame
    ombudsman: pl.DataFrame
    enquiries: pl.DataFrame
    sendiass: pl.DataFrame


@dataclass(frozen=True)
class _Window:
    since: np.datetime64
    until: np.datetime64
    scale: float  # of the county that the published counts are of

    def count(self, in_a_year: float) -> int:
        """How many there are in the whole window of what happens so often a year: at least one."""
        return max(1, round(in_a_year * self.scale * float((self.until - self.since).astype(np.int64) + 1) / _YEAR))

    def days(self, rng: np.random.Generator, size: int) -> Dates:
        """A day of the window for each."""
        return days_between(rng, np.full(size, self.since), np.full(size, self.until))


def disputes(of: Lives, work: Casework, as_of: date, facts: Calibration) -> Disputes:
    """The disputes of a block of children, all of whom have a case of the council's."""
    scale = of.plans["active"].sum() / facts["plans"]
    window = _Window(window_start(as_of), day(last_month_end(as_of)), scale)
    assumed = facts["assumed"]
    complaints = _complaints(stream(of.seed, "complaints"), of, window, assumed)
    appeals, others = _appeals(stream(of.seed, "appeals"), of, work, window, facts)
    return Disputes(
        complaints,
        _mediations(stream(of.seed, "mediations"), of, appeals, others, window, assumed),
        appeals,
        _ombudsman(stream(of.seed, "ombudsman"), of, window, assumed),
        _enquiries(stream(of.seed, "enquiries"), of, window, assumed),
        _sendiass(stream(of.seed, "sendiass"), of.first, window, assumed),
    )


def _anyone(rng: np.random.Generator, of: Lives, size: int) -> Ints:
    """The people of requests and plans, some more than once: those in the middle of a case are likelier."""
    people = of.plans["person"].to_numpy()
    weight = np.where(of.plans["request_outcome"].to_numpy() == "H", 1.0, 2.2)
    chosen: Ints = rng.choice(people, size=size, p=weight / weight.sum())
    return chosen


def _complaints(rng: np.random.Generator, of: Lives, window: _Window, assumed: Calibration) -> pl.DataFrame:
    size = window.count(assumed["complaints"])
    outcomes: dict[str, float] = {"upheld": 36, "part_upheld": 27, "not_upheld": 32, "withdrawn": 5}
    first = pl.DataFrame(
        {
            "person": _anyone(rng, of, size),
            "theme": codes(rng, _THEMES, size).tolist(),
            "received": window.days(rng, size),
            "stage": ["1"] * size,
        },
        schema_overrides={"theme": pl.String, "stage": pl.String},
    )
    first = _answered(rng, first, "1", 0.61, outcomes)
    second = first.filter(pl.Series(rng.random(size) < 0.21), pl.col("outcome") != "withdrawn").select(
        "person", "theme", "replied", stage=pl.lit("2")
    )
    later = shifted(second["replied"].to_numpy(), rng.integers(3, 29, len(second)))
    second = _answered(rng, second.with_columns(received=pl.Series(later)).drop("replied"), "2", 0.54, outcomes)
    every = pl.concat([first, second.select(first.columns)]).filter(
        pl.col("received") <= pl.lit(window.until).cast(pl.Date)
    )
    every = known_by(every, window.until, "acknowledged", "replied", "closed").with_columns(
        outcome=pl.when(pl.col("closed").is_not_null()).then("outcome").otherwise(pl.lit("pending"))
    )
    return numbered(every.sort("received", "person", "stage"), "complaint", of.first)


def _answered(
    rng: np.random.Generator, frame: pl.DataFrame, stage: str, in_time: float, outcomes: dict[str, float]
) -> pl.DataFrame:
    size = len(frame)
    received = frame["received"].to_numpy()
    due = working_days_after(received, REPLY_DAYS[stage])
    replied = np.where(
        rng.random(size) < in_time,
        working_days_after(received, rng.integers(2, REPLY_DAYS[stage] + 1, size)),
        working_days_after(due, 1 + rng.gamma(1.3, 9.0, size).astype(np.int64)),
    ).astype("datetime64[D]")
    return frame.with_columns(
        acknowledged=pl.Series(np.clip(working_days_after(received, rng.integers(0, 6, size)), received, replied)),
        due=pl.Series(due),
        replied=pl.Series(replied),
        closed=pl.Series(shifted(replied, rng.integers(0, 8, size))),
        outcome=pl.Series(codes(rng, outcomes, size).tolist(), dtype=pl.String),
    )


def _appeals(
    rng: np.random.Generator, of: Lives, work: Casework, window: _Window, facts: Calibration
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Appeals of decisions that were made: those that SEN2 says went to the Tribunal, then others to the published
    number, mostly about what plans say. Also the decisions that were not appealed against."""
    possible = _appealable(rng, of, work, window)
    registered = possible["registered"].to_numpy()
    last_year = registered < window.since + _YEAR
    share = float((window.until - window.since).astype(np.int64) + 1 - _YEAR) / _YEAR
    wanted = {True: facts["appeals_registered"], False: facts["appeals_registered"] * share}
    chosen = []
    for is_last_year, count in wanted.items():
        weight = np.where(last_year == is_last_year, possible["weight"].to_numpy(), 0.0)
        chosen.append(weighted_sample(rng, weight, round(count * window.scale)))
    picked = np.concatenate(chosen)
    others = possible[np.setdiff1d(np.arange(len(possible)), picked)]
    frame = possible[picked].sort("registered", "case", "kind")
    size = len(frame)
    outcome = codes(rng, _OUTCOMES, size)
    registered = frame["registered"].to_numpy()
    hearing = shifted(registered, rng.integers(200, 360, size))
    heard = np.isin(outcome, _HEARD)
    early = np.minimum(shifted(registered, rng.integers(25, 300, size)), hearing - 1)
    closed = np.where(heard, shifted(hearing, rng.integers(5, 22, size)), early).astype("datetime64[D]")
    ordered = np.isin(outcome, ("upheld", "part_upheld")) | ((outcome == "settled") & (rng.random(size) < 0.4))
    kinds = [_ORDERS[kind] for kind in frame["kind"]]
    order_due = shifted(closed, np.array([_ORDER_DAYS[kind] for kind in kinds], dtype=np.int64))
    in_time = rng.random(size) < 0.72
    complied = np.where(
        in_time, shifted(order_due, -rng.integers(0, 10, size)), shifted(order_due, rng.integers(1, 70, size))
    )
    advised = ordered & np.isin(frame["kind"].to_numpy(), ("contents", "refusal_to_amend")) & (rng.random(size) < 0.22)
    sent = shifted(closed, rng.integers(0, 8, size))
    answered = shifted(sent, wait(rng, rng.random(size) < 0.7, 35, 20.0))
    is_closed = closed <= window.until
    frame = frame.select("case", "person", "kind", "decision", "registered").with_columns(
        hearing=pl.Series(dates_if(heard | ~is_closed, hearing)),
        closed=pl.Series(dates_if(is_closed, closed)),
        outcome=texts_if(is_closed, outcome).fill_null("pending"),
        ordered=pl.Series(dates_if(ordered & is_closed, closed)),
        order=texts_if(ordered & is_closed, np.array(kinds, dtype=object)),
        order_due=pl.Series(dates_if(ordered & is_closed, order_due)),
        complied=pl.Series(dates_if(ordered & is_closed, complied.astype("datetime64[D]"))),
        advised=texts_if(
            advised & (sent <= window.until), codes(rng, {"health": 45, "social_care": 40, "both": 15}, size)
        ),
        advised_on=pl.Series(dates_if(advised, sent)),
        advice_replied=pl.Series(dates_if(advised, answered)),
    )
    frame = known_by(frame, window.until, "complied", "advised_on", "advice_replied")
    return numbered(frame, "appeal", of.first), others


def _appealable(rng: np.random.Generator, of: Lives, work: Casework, window: _Window) -> pl.DataFrame:
    """Decisions, when an appeal of each would be registered, and how likely one is."""
    refused = pl.col("outcome") == "N"
    flags = of.plans.select(
        "request_tribunal", "assessment_tribunal", "other_tribunal",
        mediated=pl.col("request_mediation") | pl.col("assessment_mediation") | pl.col("other_mediation"),
        case=pl.int_range(pl.len(), dtype=pl.Int64) + of.first,
    )  # fmt: skip
    cases = work.cases.join(flags, on="case")
    versions = work.versions.filter(pl.col("final").is_not_null()).join(flags, on="case").sort("case", "version")
    size = len(versions)
    contents: dict[str, float] = {"contents": 66, "contents_not_placement": 12, "placement": 22}
    flagged = pl.col("assessment_tribunal") | pl.col("other_tribunal")
    parts = [
        cases.filter(refused).select(
            "case", "person", kind=pl.lit("refusal_to_assess"), decision="decided",
            weight=pl.when("request_tribunal").then(1e6).otherwise(1e-3), mediated="mediated",
        ),
        cases.filter(pl.col("issue_outcome") == "N").select(
            "case", "person", kind=pl.lit("refusal_to_issue"), decision="told",
            weight=pl.when("assessment_tribunal").then(1e6).otherwise(1e-3), mediated="mediated",
        ),
        versions.with_columns(
            kind=pl.Series(codes(rng, contents, size).tolist(), dtype=pl.String),
            is_first=pl.col("kind").is_in(["first", "transfer_in"]),
        ).select("case", "person", "kind", decision="final",
                 weight=pl.when(flagged & pl.col("is_first")).then(1e6).otherwise(1.0),
                 mediated=pl.col("mediated") & pl.col("is_first")),
        work.reviews.filter(pl.col("outcome") == "M").select(
            case="plan_case", person="person", kind=pl.lit("refusal_to_amend"), decision="decided", weight=pl.lit(0.05),
            mediated=pl.lit(value=False),
        ),
        versions.filter(pl.col("ceased").is_not_null(), pl.col("cease_reason").is_in(["2", "6", "9"])).select(
            "case", "person", kind=pl.lit("cease"), decision="ceased", weight=pl.lit(0.25),
            mediated=pl.lit(value=False),
        ),
    ]  # fmt: skip
    frame = pl.concat(parts)
    registered = shifted(frame["decision"].to_numpy(), rng.integers(18, 95, len(frame)))
    return frame.with_columns(registered=pl.Series(registered)).filter(
        pl.col("registered").is_between(pl.lit(window.since).cast(pl.Date), pl.lit(window.until).cast(pl.Date))
    )


def _mediations(
    rng: np.random.Generator,
    of: Lives,
    appeals: pl.DataFrame,
    others: pl.DataFrame,
    window: _Window,
    assumed: Calibration,
) -> pl.DataFrame:
    """An appeal that is not of the placement alone follows a certificate; some families, of whom few appeal, meet."""
    before = appeals.filter(pl.col("kind") != "placement").select("person", "kind", "decision", "registered")
    weight = np.where(others["mediated"].to_numpy(), 1e6, others["weight"].to_numpy())
    wanted = others[weighted_sample(rng, weight, window.count(assumed["mediations_wanted"]))].select(before.columns)
    parts = []
    for frame, is_wanted in ((before, False), (wanted, True)):
        size = len(frame)
        decision, latest = frame["decision"].to_numpy(), frame["registered"].to_numpy()
        contacted = days_between(rng, decision + 2, np.maximum(latest - 8, decision + 2))
        met = is_wanted or rng.random(size) < 0.1
        met = np.broadcast_to(met, (size,))
        told = shifted(contacted, rng.integers(1, 6, size))
        held = shifted(told, wait(rng, rng.random(size) < 0.64, MEDIATION_DAYS, 16.0))
        not_held = rng.random(size) < 0.08
        result = codes(rng, {"agreed": 44, "part_agreed": 25, "not_agreed": 31}, size)
        is_known = (held <= window.until) & met
        over = np.where(met, held, contacted).astype("datetime64[D]")
        certificate = np.maximum(working_days_after(over, rng.integers(0, 4, size)), over)
        parts.append(
            frame.select("person", "kind", "decision").with_columns(
                contacted=pl.Series(contacted),
                wanted=pl.Series(met.copy()),
                told=pl.Series(dates_if(met, told)),
                certificate=pl.Series(certificate),
                held=pl.Series(dates_if(is_known & ~not_held, held)),
                outcome=pl.select(
                    pl.when(pl.Series(~met)).then(pl.lit("not_held"))
                    .when(pl.Series(~is_known)).then(pl.lit("pending"))
                    .when(pl.Series(not_held)).then(pl.lit("not_held"))
                    .otherwise(pl.Series(result.tolist(), dtype=pl.String))
                ).to_series(),
            )
        )  # fmt: skip
    every = pl.concat(parts).filter(
        pl.col("contacted").is_between(pl.lit(window.since).cast(pl.Date), pl.lit(window.until).cast(pl.Date))
    )
    every = known_by(every, window.until, "told", "certificate")
    return numbered(every.sort("contacted", "person", "kind"), "mediation", of.first)


def _ombudsman(rng: np.random.Generator, of: Lives, window: _Window, assumed: Calibration) -> pl.DataFrame:
    size = window.count(assumed["ombudsman"])
    decisions = {"upheld": 40, "upheld_no_injustice": 3, "not_upheld": 9, "not_investigated": 31, "invalid": 17}
    decided = window.days(rng, size)
    decision = codes(rng, decisions, size)
    upheld = decision == "upheld"
    due = shifted(decided, rng.choice([28, 28, 42, 90], size))
    remedied = np.where(rng.random(size) < 0.8, due - 3, shifted(due, rng.integers(1, 60, size))).astype(
        "datetime64[D]"
    )
    frame = pl.DataFrame(
        {
            "person": _anyone(rng, of, size),
            "received": shifted(decided, -rng.integers(20, 300, size)),
            "decided": decided,
            "decision": decision.tolist(),
            "theme": codes(rng, _THEMES, size).tolist(),
            "due": dates_if(upheld, due),
            "remedied": dates_if(upheld, remedied),
        },
        schema_overrides={"decision": pl.String, "theme": pl.String},
    )
    return numbered(known_by(frame, window.until, "remedied").sort("decided", "person"), "ombudsman", of.first)


def _enquiries(rng: np.random.Generator, of: Lives, window: _Window, assumed: Calibration) -> pl.DataFrame:
    size = window.count(assumed["enquiries"])
    received = window.days(rng, size)
    in_time = rng.random(size) < 0.66
    days = np.where(in_time, rng.integers(0, ANSWER_DAYS + 1, size), ANSWER_DAYS + 1 + rng.gamma(1.2, 8.0, size))
    answered = working_days_after(received, days.astype(np.int64))
    never = rng.random(size) < 0.02
    channels = {"email": 57, "telephone": 28, "portal": 13, "letter": 1, "in_person": 1}
    frame = pl.DataFrame(
        {
            "person": _anyone(rng, of, size),
            "channel": codes(rng, channels, size).tolist(),
            "topic": codes(rng, _TOPICS, size).tolist(),
            "received": received,
            "answered": dates_if(~never, np.maximum(answered, received)),
            "repeat": rng.random(size) < np.where(in_time, 0.11, 0.34),
        },
        schema_overrides={"channel": pl.String, "topic": pl.String},
    )
    return numbered(known_by(frame, window.until, "answered").sort("received", "person", "topic"), "enquiry", of.first)


def _sendiass(rng: np.random.Generator, first: int, window: _Window, assumed: Calibration) -> pl.DataFrame:
    size = window.count(assumed["sendiass_cases"])
    opened = window.days(rng, size)
    closed = shifted(opened, rng.gamma(1.2, 40.0, size).astype(np.int64))
    frame = pl.DataFrame(
        {
            "opened": opened,
            "closed": dates_if(closed <= window.until, closed),
            "theme": codes(rng, _TOPICS, size).tolist(),
            "level": codes(rng, {"1": 24, "2": 43, "3": 24, "4": 9}, size).tolist(),
        },
        schema_overrides={"theme": pl.String, "level": pl.String},
    )
    return numbered(frame.sort("opened", "theme", "level", "closed", nulls_last=True), "sendiass", first)
