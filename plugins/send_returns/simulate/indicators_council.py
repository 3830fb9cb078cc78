"""The true value of each indicator of the council's work, worked out from the lives.

Periods: the last whole calendar year by `as_of`, unless it is a snapshot: of `as_of` where SEN2, the censuses or
social care tell it, of the last day of the latest month where a register does. Phase transfers are those of the latest
year, the school terms the latest three, alternative provision the year to its census. A plan is in force on a day when
it was issued by then and has not ceased. Where an indicator has several measures, each is a row of its own.

What no life tells (health assessments of looked after children) has the status `x`.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from send_returns.simulate.calendar import census_day, last_month_end, last_spring_census, school_year
from send_returns.simulate.casework import known_to_care, known_to_health
from send_returns.simulate.census import main_registrations
from send_returns.simulate.council import Council
from send_returns.simulate.disputes import ANSWER_DAYS, APPEALABLE, MEDIATION_DAYS
from send_returns.simulate.draw import day
from send_returns.simulate.establishments import STATE_ROLES
from send_returns.simulate.improvement import ON_TRACK
from send_returns.simulate.indicators_health import SCHEMA, Measure, Period, days_until, half_up, share, within
from send_returns.simulate.lives import Lives
from send_returns.simulate.plans import WEEKS_6, WEEKS_20
from send_returns.simulate.provision import REVIEW_DAYS, SCHOOL_AGES
from send_returns.simulate.text import Table
from send_returns.simulate.working_days import working_days_between

Frames = dict[str, pl.DataFrame]
_WEEKS_2, _WEEKS_4, _WEEKS_12, _WEEKS_16, _WEEKS_52 = 14, 28, 84, 112, 364
_ASSESSMENT_DAYS = 45  # working days for an assessment of social care
_UNDER_5 = "5y"  # younger children are reviewed more often, by guidance
_MAINSTREAM = tuple(role for role in STATE_ROLES if role not in ("special", "alternative"))
_INDEPENDENT_SPECIAL = ("independent_special", "neighbour")
_OUT_OF_SCHOOL = ("NIEO", "NIEC", "NEET")
_TOOK_PART = ("attended", "part_attended", "views_sent")
_DISSATISFIED = ("Dissatisfaction with school - SEND", "Dissatisfaction with school - other")
_UPHELD = ("upheld", "upheld_no_injustice")
_PERSISTENT, _SEVERE = 10, 50  # percent of sessions missed
_OLDEST = 25
_PLANS_IN_2015 = 3_682  # 248 plans and 3,434 statements in January 2015, as the Department for Education publishes
_NOT_DERIVABLE: Final = ("S06",)


def facts(of: Lives, served: Council, schools: pl.DataFrame, as_of: date) -> Frames:
    """What the indicators need of a block."""
    roles = schools.select("urn", "role")
    plans = (
        of.plans.with_columns(case=pl.int_range(pl.len(), dtype=pl.Int64) + of.first)
        .join(of.identity.select("person", "born"), on="person", maintain_order="left")
        .join(roles, on="urn", how="left", maintain_order="left")
    )
    until = day(last_month_end(as_of))
    reviews = served.work.reviews.join(
        plans.select("born", "ceased", plan_case="case"), on="plan_case", maintain_order="left"
    )
    versions = served.work.versions.with_columns(
        in_health=pl.col("person").is_in(known_to_health(of, until)["person"].implode()),
        in_care=pl.col("person").is_in(known_to_care(of, until)["person"].implode()),
    )
    assessed = of.social.referrals.filter(
        pl.col("assessment_start").is_not_null(), pl.col("assessment_end").is_not_null()
    ).join(_disabled(of), on="person", how="semi")
    in_care = known_to_care(of, day(as_of))
    return {
        "plans": plans,
        "cases": served.work.cases,
        "advice": served.work.advice,
        "versions": versions,
        "reviews": reviews,
        "decisions": served.work.decisions,
        "corrections": served.work.corrections,
        "audits": served.work.audits,
        "complaints": served.disputes.complaints,
        "mediations": served.disputes.mediations,
        "appeals": served.disputes.appeals,
        "ombudsman": served.disputes.ombudsman,
        "enquiries": served.disputes.enquiries.select("received", "answered"),
        "sendiass": served.disputes.sendiass.select("opened"),
        "alternative": served.provision.alternative.join(
            _identified(of, served.provision.census), on="person", how="left"
        ),
        "timetables": served.provision.timetables,
        "disabled": served.provision.disabled,
        "requests": served.provision.requests,
        "packages": served.provision.packages,
        "delivery": served.provision.delivery,
        "register": of.register.join(_open_requests(of), on="person", how="left").join(
            of.identity.select("person", "born"), on="person", how="left"
        ),
        "assessments": assessed.select("assessment_start", "assessment_end"),
        "care": plans.filter(_in_force(as_of)).select("person").unique().join(in_care, on="person", how="semi"),
        "school": _school(of),
        "actions": served.actions,
    }


def _disabled(of: Lives) -> pl.DataFrame:
    recorded = (pl.col("disability") != "NONE") | pl.col("second_disability").is_not_null()
    return of.social.children.filter(recorded).select("person")


def _identified(of: Lives, after: date) -> pl.DataFrame:
    """person, identified: the first later day on which a school census or a plan shows SEN provision."""
    censuses = [
        term.pupils.filter(pl.col("provision") != "N").select("person", identified=pl.lit(term.census.day))
        for term in of.terms
    ]
    issued = of.plans.select("person", identified="issued")
    return (
        pl.concat([*censuses, issued])
        .filter(pl.col("identified") > after)
        .group_by("person")
        .agg(pl.col("identified").min())
    )


def _open_requests(of: Lives) -> pl.DataFrame:
    """person, and when each of their requests began and ended; a request that was withdrawn was never open."""
    return (
        of.plans.filter(pl.col("request_outcome") != "W")
        .select(
            "person",
            begun="received",
            over=pl.coalesce("issued", "assessment_outcome_on", pl.when(pl.col("request_outcome") == "N").then(
                "request_outcome_on")),
        )
        .group_by("person")
        .agg("begun", "over")
    )  # fmt: skip


def _school(of: Lives) -> pl.DataFrame:
    """indicator, numerator, denominator: what the latest terms tell of exclusions and absence, to be added up."""
    rows = pl.concat(
        term.pupils.select(pl.lit(number).alias("term"), "person", "urn", "status", "provision", "entered", "possible",
                           missed=pl.col("authorised") + pl.col("unauthorised"))
        for number, term in enumerate(of.terms)
    )  # fmt: skip
    main = main_registrations(rows.filter(pl.col("term") == len(of.terms) - 1))
    exclusions = (
        pl.concat(term.exclusions.select("person", "started", "category", "provision") for term in of.terms)
        .with_columns(pl.col("category").replace("FIXD", "SUSP"))
        .unique(["person", "started", "category"], keep="first", maintain_order=True)
    )
    suspended = exclusions.filter(pl.col("category").is_in(["SUSP", "LNCH"]))
    taught = rows.filter(pl.col("possible") > 0)
    absent = taught.filter(pl.col("provision") == "E").group_by("person").agg(pl.col("missed", "possible").sum())

    def missing(percent: int) -> int:
        return absent.filter(100 * pl.col("missed") >= percent * pl.col("possible")).height

    found: list[tuple[str, int, int]] = []
    for name, level in (("plan", "E"), ("sen_support", "K")):
        is_level = pl.col("provision") == level
        sums = taught.filter(is_level).select(pl.col("missed", "possible").sum()).row(0)
        found.append((f"X01_{name}", suspended.filter(is_level).height, main.filter(is_level).height))
        found.append((f"X03_{name}", *sums))
    with_plan = pl.col("provision") == "E"
    excluded = exclusions.filter(with_plan, pl.col("category") == "PERM").height
    found.append(("X02", excluded, main.filter(with_plan).height))
    found.append(("X04_persistent", missing(_PERSISTENT), absent.height))
    found.append(("X04_severe", missing(_SEVERE), absent.height))
    period = (of.terms[0].census.attendance_from, of.terms[-1].census.attendance_to)
    frame = pl.DataFrame(found, schema=["indicator", "numerator", "denominator"], orient="row")
    return frame.with_columns(since=pl.lit(period[0]), until=pl.lit(period[1]))


def people_under_26(reference: list[Table]) -> int:
    """How many of 0 to 25 the population estimates among the reference feeds count in the county."""
    frame = next(table.frame for table in reference if table.feed == "population")
    estimate = next(name for name in frame.columns if name.startswith("population_"))
    young = frame.filter(pl.col("age").cast(pl.Int64) <= _OLDEST)
    return int(young[estimate].cast(pl.Int64).sum())


def council_indicators(blocks: Iterable[Frames], as_of: date, people_under_26: int) -> pl.DataFrame:
    """Every indicator of the council's families and of the improvement plan, sorted by name."""
    every = list(blocks)
    frames = {name: pl.concat([block[name] for block in every]) for name in every[0]}
    frames["actions"] = every[0]["actions"]
    last = (as_of + timedelta(days=1)).year - 1  # a year that ends on `as_of` is whole
    year = (date(last, 1, 1), date(last, 12, 31))
    extract = last_month_end(as_of)
    measures = [
        *_plans(frames, year, as_of, people_under_26),
        *_advice(frames, year),
        *_reviews(frames, year, extract),
        *_transfers(frames, as_of),
        *_quality(frames, year, extract),
        *_contacts(frames, year, extract),
        *_appeals(frames, year, extract),
        *_placements(frames, as_of, extract, year),
        *_home_education(frames, as_of, year),
        *_schools(frames, as_of),
        *_short_breaks(frames, as_of, extract, year),
        *_after_16(frames, as_of),
        share("G05", (extract, extract), frames["actions"], pl.col("status").is_in(ON_TRACK)),
        *(Measure(name, as_of, as_of) for name in _NOT_DERIVABLE),
    ]
    return pl.DataFrame([measure.row() for measure in measures], schema=SCHEMA, orient="row").sort("indicator")


def _in_force(on: date) -> pl.Expr:
    return (pl.col("issued") <= on) & (pl.col("ceased").is_null() | (pl.col("ceased") > on))


def _until(on: date) -> pl.Expr:
    """What is in force on its last day too has not ended before a day."""
    return pl.col("ended").is_null() | (pl.col("ended") >= on)


def _known(condition: pl.Expr) -> pl.Expr:
    """What is not known is not so."""
    return condition.fill_null(value=False)


def _rate(name: str, period: Period, numerator: int, denominator: int, per: int) -> Measure:
    """So many for each `per`."""
    value = half_up(per * numerator, denominator) if denominator else None
    return Measure(name, *period, numerator, denominator, value, is_share=False)


def _count(name: str, period: Period, number: int) -> Measure:
    return Measure(name, *period, number, None, float(number), is_share=False)


def _growth(number: int, before: int) -> float:
    """Percent more than before, or fewer."""
    size = half_up(100 * abs(number - before), before)
    return size if number > before else -size


def _weeks(name: str, period: Period, days: float | None, number: int) -> Measure:
    """Weeks, of days to a tenth, and how many cases they are of."""
    value = None if days is None else half_up(round(10 * days), 70)
    return Measure(name, *period, None, number, value, is_share=False)


def _median(days: pl.Series) -> float | None:
    return None if days.is_empty() else float(np.median(days.to_numpy()))


def _plans(frames: Frames, year: Period, as_of: date, people: int) -> list[Measure]:
    plans = frames["plans"]
    made_here = plans.filter(pl.col("transfer_la").is_null())  # neither asked for nor issued here
    issued = made_here.filter(pl.col("assessment_outcome") == "Y", within("assessment_outcome_on", year)).with_columns(
        days=days_until("received", "assessment_outcome_on")
    )
    plain = issued.filter(pl.col("week20") == 0)
    took = issued["days"].to_numpy()
    decided = made_here.filter(pl.col("request_outcome").is_in(["Y", "N"]), within("request_outcome_on", year))
    no_plan = made_here.filter(pl.col("assessment_outcome") == "N", within("assessment_outcome_on", year))
    extract = last_month_end(as_of)
    still = made_here.filter(
        pl.col("request_outcome") == "Y",
        pl.col("request_outcome_on") <= extract,
        pl.col("assessment_outcome_on").is_null() | (pl.col("assessment_outcome_on") > extract),
    )
    january = last_spring_census(as_of)
    held = plans.filter(_in_force(january)).height
    mean = half_up(int(took.sum()), 7 * len(took)) if len(took) else None
    return [
        share("EHC01", year, plain, pl.col("days") <= WEEKS_20),
        share("EHC02", year, issued, pl.col("days") <= WEEKS_20),
        share("EHC03", year, plain, pl.col("days") > _WEEKS_52),
        _weeks("EHC04_median", year, _median(issued["days"]), len(took)),
        Measure("EHC04_mean", *year, None, len(took), mean, is_share=False),
        _weeks("EHC04_p90", year, float(np.quantile(took, 0.9)) if len(took) else None, len(took)),
        share("EHC05", year, decided, days_until("received", "request_outcome_on") <= WEEKS_6),
        share("EHC06", year, no_plan, days_until("received", "assessment_outcome_on") <= _WEEKS_16),
        share("EHC07", (extract, extract), still, days_until("received", extract) > WEEKS_20),
        _rate("EHC08", year, made_here.filter(within("received", year)).height, people, 10_000),
        share("EHC09", year, decided, pl.col("request_outcome") == "N"),
        _count("EHC10", (january, january), held),
        Measure("EHC10_growth", january, january, held, _PLANS_IN_2015, _growth(held, _PLANS_IN_2015), is_share=False),
        share("EHC11", year, issued, pl.col("week20") == 1),
    ]


def _advice(frames: Frames, year: Period) -> list[Measure]:
    needed = frames["advice"].filter("required", pl.col("exception").is_null())
    # Advice that was still to come when the case ended without a plan, and was not due yet, is wanted no more.
    ended = frames["cases"].select("case", "closed")
    needed = needed.join(ended, on="case", how="left").filter(
        pl.col("received").is_not_null() | pl.col("closed").is_null() | (pl.col("closed") > pl.col("due"))
    )
    counted = needed.filter(within("due", year) | within("received", year))
    in_time = _known(days_until("requested", "received") <= WEEKS_6)
    bodies = {"EHC12": "educational_psychology", "EHC13": "health", "EHC14": "social_care"}
    drafts = frames["cases"].filter(within("draft", year), pl.col("route") == "request").select("case", "draft")
    asked = frames["advice"].join(drafts, on="case")
    late = pl.col("required") & ~_known(pl.col("received") <= pl.col("draft"))
    # Where nobody was asked there is no advice.
    complete = asked.group_by("case").agg(late.any().alias("is_late")).filter(~pl.col("is_late"))
    return [
        *(share(name, year, counted.filter(pl.col("body") == body), in_time) for name, body in bodies.items()),
        Measure("EHC15", *year, complete.height, drafts.height),
    ]


def _reviews(frames: Frames, year: Period, extract: date) -> list[Measure]:
    reviews = frames["reviews"]
    # A plan that ended without a review, but after its first was due, was due one all the same.
    unreviewed = (
        frames["plans"]
        .filter(pl.col("ceased").is_not_null())
        .join(reviews.select(case="plan_case"), on="case", how="anti")
        .select("born", "ceased", due=pl.col("issued").dt.offset_by("12mo"), met=pl.lit(None, pl.Date))
    )
    due = pl.concat([reviews.select(unreviewed.columns), unreviewed]).filter(
        within("due", year),
        pl.col("ceased").is_null() | (pl.col("ceased") >= pl.col("due")),
        pl.col("born").dt.offset_by(_UNDER_5) <= pl.col("due"),
    )
    decided = reviews.filter(within("decided", year))
    amend = reviews.filter(pl.col("outcome") == "A")
    last_day = pl.col("met").dt.offset_by(f"{_WEEKS_12}d").is_between(*year)
    overdue = reviews.filter(pl.col("due") < extract, pl.col("met").is_null())
    return [
        share("AR01", year, due, _known(pl.col("met") <= pl.col("due"))),
        share("AR02", year, decided, days_until("met", "decided") <= _WEEKS_4),
        share("AR03", year, amend.filter(last_day), _known(days_until("met", "final") <= _WEEKS_12)),
        share(
            "AR04",
            year,
            amend.filter(within("decided", year)),
            _known(days_until("met", "draft") <= _WEEKS_4),
        ),
        Measure("AR05", extract, extract, overdue.height, frames["plans"].filter(_in_force(extract)).height),
        share(
            "AR06",
            year,
            reviews.filter(within("met", year), days_until("met", extract) >= _WEEKS_2),
            _known(days_until("met", "report") <= _WEEKS_2),
        ),
    ]


def _transfers(frames: Frames, as_of: date) -> list[Measure]:
    due = frames["plans"].filter("active", pl.col("transfer_due").is_not_null())
    in_time = _known(pl.col("transfer_final") <= pl.col("transfer_due"))
    found = [
        share(name, (date(as_of.year, 1, 1), last), due.filter(pl.col("transfer_due") == last), in_time)
        for name, last in (("PT01", date(as_of.year, 2, 15)), ("PT02", date(as_of.year, 3, 31)))
    ]
    moves = frames["versions"].filter(pl.col("move") == "between_post16")
    moved = school_year(last_month_end(as_of))
    five_months = pl.col("moved").dt.offset_by("-5mo")
    return [*found, share("PT03", (date(moved, 1, 1), date(moved, 9, 1)), moves, pl.col("final") <= five_months)]


def _quality(frames: Frames, year: Period, extract: date) -> list[Measure]:
    versions, reviews, corrections = (frames[name] for name in ("versions", "reviews", "corrections"))
    audits = frames["audits"].filter(within("audited", year))
    issued = versions.filter(within("final", year))
    reported = corrections.filter(within("reported", year))
    on_drafts = reported.filter(
        pl.col("stage") == "draft",
        pl.col("applied").is_not_null(),  # there is a final plan to look into
        ~_known((pl.col("decision") == "refused") & pl.col("explained")),
    )
    on_finals = reported.filter(pl.col("stage") == "final", days_until("reported", extract) >= _WEEKS_4)
    in_force = versions.filter(pl.col("final") <= extract, pl.col("replaced").is_null(), pl.col("ceased").is_null())
    met = reviews.filter(within("met", year))
    looked_at = pl.concat(
        [issued.select("case", "version"), met.select("version", case="plan_case").select("case", "version")]
    )
    viewed = versions.join(looked_at.unique(), on=["case", "version"], how="semi").filter(
        pl.col("view_reason").is_null()
    )
    return [
        Measure("Q01", *year, audits.select("plan_case", "version").unique().height, issued.height),
        share("Q02", year, audits, pl.col("overall").is_in(["good", "outstanding"])),
        share("Q03", year, on_drafts, ~pl.col("applied")),
        share("Q04", year, audits, pl.col("specific") & pl.col("quantified")),
        share("Q05_health", (extract, extract), in_force.filter("in_health"), pl.col("section_g")),
        share("Q05_social_care", (extract, extract), in_force.filter("in_care"), pl.col("section_h")),
        share("Q06", year, on_finals, _known(days_until("reported", "reissued") <= _WEEKS_4)),
        share("V01", year, viewed, pl.col("view_method").is_not_null()),
        share("V02", year, met, pl.col("participation").is_in(_TOOK_PART)),
    ]


def _contacts(frames: Frames, year: Period, extract: date) -> list[Measure]:
    complaints = frames["complaints"]
    new = complaints.filter(pl.col("stage") == "1", within("received", year))
    closed = complaints.filter(within("closed", year))
    replied = _known(pl.col("replied") <= pl.col("due"))
    decided = frames["ombudsman"].filter(within("decided", year), pl.col("decision").is_in([*_UPHELD, "not_upheld"]))
    asked = frames["enquiries"].filter(within("received", year))
    # What is not yet due is neither in time nor late.
    asked = asked.filter(
        working_days_between(asked["received"].to_numpy(), np.full(asked.height, extract, "datetime64[D]"))
        >= ANSWER_DAYS
    )
    answered = asked.filter(pl.col("answered").is_not_null())
    soon = working_days_between(answered["received"].to_numpy(), answered["answered"].to_numpy()) <= ANSWER_DAYS
    plans = frames["plans"].filter(_in_force(year[1])).height
    return [
        _rate("C01", year, new.height, plans, 1_000),
        share("C02", year, new, pl.col("theme") == "communication"),
        share("C03_stage_1", year, closed.filter(pl.col("stage") == "1"), replied),
        share("C03_stage_2", year, closed.filter(pl.col("stage") == "2"), replied),
        share("C04", year, decided, pl.col("decision").is_in(_UPHELD)),
        Measure("C05", *year, int(soon.sum()), asked.height),
        _rate("C06", year, frames["sendiass"].filter(within("opened", year)).height, plans, 1_000),
    ]


def _appeals(frames: Frames, year: Period, extract: date) -> list[Measure]:
    appeals, mediations, plans = (frames[name] for name in ("appeals", "mediations", "plans"))
    registered = appeals.filter(within("registered", year))
    january = census_day(year[0].year, "spring")
    decisions = (
        plans.filter(pl.col("request_outcome") == "N", within("request_outcome_on", year)).height
        + plans.filter(pl.col("assessment_outcome") == "N", within("assessment_outcome_on", year)).height
        + plans.filter(_in_force(january)).height
        + plans.filter(pl.col("cease_reason") == "2", within("ceased", year)).height
    )
    ordered = appeals.filter(within("order_due", year))
    held = mediations.filter(within("held", year))
    told = mediations.filter("wanted", within("told", year), days_until("told", extract) >= MEDIATION_DAYS)
    return [
        Measure("T01", *year, registered.height, decisions),
        *(share(f"T02_{kind}", year, registered, pl.col("kind") == kind) for kind in APPEALABLE),
        share("T03", year, appeals.filter(within("closed", year)), pl.col("outcome").is_in(["conceded", "settled"])),
        share("T04", year, ordered, _known(pl.col("complied") <= pl.col("order_due"))),
        Measure("T05_held", *year, held.height, decisions),
        share("T05_agreed", year, held, pl.col("outcome") == "agreed"),
        share("T06", year, told, _known(days_until("told", "held") <= MEDIATION_DAYS)),
    ]


def _school_age(on: date) -> pl.Expr:
    """5 to 15 years old on the 31 August before the school year of a day."""
    august = date(school_year(on), 8, 31)
    first, last = (
        august.replace(year=august.year - SCHOOL_AGES.stop),
        august.replace(year=august.year - SCHOOL_AGES.start),
    )
    return (pl.col("born") > first) & (pl.col("born") <= last)


def _placements(frames: Frames, as_of: date, extract: date, year: Period) -> list[Measure]:
    plans, timetables = frames["plans"], frames["timetables"]
    held = plans.filter(pl.col("ceased").is_null() | (pl.col("ceased") > extract)).select("case")
    agreed = (
        frames["decisions"]
        .filter(pl.col("specialist").is_not_null(), pl.col("withdrawn").is_null())
        .join(held, on="case", how="semi")
    )
    # The latest decision says whether a child waits, and the earliest that came to nothing since when.
    since = agreed.filter(pl.col("placed").is_null()).group_by("person").agg(since=pl.col("decided").min())
    agreed = agreed.sort("decided", "decision_number").unique("person", keep="last", maintain_order=True)
    waiting = agreed.filter(pl.col("placed").is_null()).join(since, on="person", maintain_order="left")
    waited = waiting.select(days_until("since", extract)).to_series()
    active = plans.filter(_in_force(as_of))
    named = active.filter("placed", pl.col("urn").is_not_null())
    taught = active.filter(_school_age(as_of))
    by_extract = plans.filter(_in_force(extract), _school_age(extract))
    reduced = timetables.filter(_until(extract), ~pl.col("medical")).join(by_extract, on="person", how="semi")
    begun = timetables.filter(
        within("started", year),
        pl.col("provision") == "E",
        ~pl.col("medical"),
        days_until("started", extract) >= REVIEW_DAYS,
    )
    in_time = _known(days_until("started", "reviewed") <= REVIEW_DAYS)
    kinds = {"mainstream": _MAINSTREAM, "special": ("special",), "independent_special": _INDEPENDENT_SPECIAL}
    today, end = (as_of, as_of), (extract, extract)
    return [
        share("P01_waiting", end, agreed, pl.col("placed").is_null()),
        _weeks("P01_weeks", end, _median(waited), waiting.height),
        # A life has one setting: where it is not the named one, the plan names none.
        Measure("P02", *today, named.height, named.height),
        Measure("P03", *end, reduced["person"].n_unique(), by_extract["person"].n_unique()),
        share("P03_reviewed", year, begun, in_time),
        share("P04", today, taught, ~pl.col("placed") | _known(pl.col("setting").is_in(_OUT_OF_SCHOOL))),
        *(
            share(f"P05_{name}", today, active, _known(pl.col("placed") & pl.col("role").is_in(roles)))
            for name, roles in kinds.items()
        ),
    ]


def _home_education(frames: Frames, as_of: date, year: Period) -> list[Measure]:
    register = frames["register"]
    active = frames["plans"].filter(_in_force(as_of))
    started = register.filter(within("start", year))
    special = pl.col("plan") | pl.col("support")
    open_then = (
        started.with_row_index("entry").explode("begun", "over")
        .filter(pl.col("begun") <= pl.col("start"), pl.col("over").is_null() | (pl.col("over") > pl.col("start")))
        .select("entry").unique()
    )  # fmt: skip
    numbered = started.with_row_index("entry").with_columns(is_open=pl.col("entry").is_in(open_then["entry"].implode()))
    known = started.filter(pl.col("reason") != "Not known")
    year_of_end = pl.col("end").dt.year() - (pl.col("end").dt.month() < 9).cast(pl.Int32)
    # 16 by the 31 August before: too old for school.
    too_old = pl.col("born").dt.offset_by("16y") <= pl.date(year_of_end, 8, 31)
    back = _known((pl.col("end") <= pl.col("start").dt.offset_by("12mo")) & ~too_old)
    return [
        share("E01", (as_of, as_of), active, _known(pl.col("placed") & (pl.col("setting") == "EHE"))),
        share("E02", year, numbered, special | pl.col("is_open")),
        share("E03", year, known, pl.col("reason").is_in(_DISSATISFIED)),
        share("E04", year, started.filter(special), back),
    ]


def _schools(frames: Frames, as_of: date) -> list[Measure]:
    per = {"X01": 100, "X02": 10_000, "X03": 100, "X04": 100}
    sums = (
        frames["school"]
        .group_by("indicator", "since", "until", maintain_order=True)
        .agg(pl.col("numerator", "denominator").sum())
    )
    found = [
        _rate(name, (since, until), numerator, denominator, per[name[:3]])
        for name, since, until, numerator, denominator in sums.iter_rows()
    ]
    census = last_spring_census(as_of)
    period = (census_day(census.year - 1, "spring") + timedelta(days=1), census)
    entered = frames["alternative"].filter(within("entered", period))
    unknown = entered.filter(pl.col("provision") == "N")
    later = _known(pl.col("identified") <= pl.col("entered").dt.offset_by("12mo"))
    return [
        *found,
        share("X05", period, entered, (pl.col("provision") == "N") | pl.col("need").is_null()),
        share("X06", period, unknown, later),
    ]


def _short_breaks(frames: Frames, as_of: date, extract: date, year: Period) -> list[Measure]:
    requests, packages, disabled = (frames[name] for name in ("requests", "packages", "disabled"))
    receiving = packages.filter(_until(extract))
    waiting = requests.filter(
        pl.col("started").is_null(), pl.col("decision").is_in(["agreed", "part_agreed", "pending"])
    )
    waited = waiting.select((pl.lit(extract) - pl.col("requested")).dt.total_days()).to_series()
    months = frames["delivery"].filter(within("month", year))
    decided = requests.filter(within("decided", year), pl.col("decision") != "withdrawn")
    active = frames["plans"].filter(_in_force(as_of))
    assessed = frames["assessments"].filter(within("assessment_end", year))
    days = working_days_between(assessed["assessment_start"].to_numpy(), assessed["assessment_end"].to_numpy())
    today, end = (as_of, as_of), (extract, extract)
    return [
        Measure("S01_receiving", *end, receiving["person"].n_unique(), disabled.height),
        Measure("S01_waiting", *end, waiting["person"].n_unique(), disabled.height),
        _weeks("S01_weeks", end, _median(waited), waiting.height),
        Measure("S02", *year, int(months["delivered"].sum()), int(months["agreed"].sum())),
        share("S03", year, decided, pl.col("decision").is_in(["refused", "part_agreed"])),
        Measure("S04", *today, frames["care"].height, active["person"].n_unique()),
        Measure("S05", *year, int((days <= _ASSESSMENT_DAYS).sum()), assessed.height),
        share("S07", today, active, pl.col("pb")),
    ]


def _after_16(frames: Frames, as_of: date) -> list[Measure]:
    old_enough = (pl.col("born").dt.offset_by("16y") <= as_of) & (pl.col("born").dt.offset_by("26y") > as_of)
    young = frames["plans"].filter(_in_force(as_of), old_enough)
    interns = young.filter(pl.col("wbp") == "S").height
    today = (as_of, as_of)
    return [
        share("D01", today, young, pl.col("placed") & ~_known(pl.col("setting").is_in(_OUT_OF_SCHOOL))),
        _rate("D02", today, interns, young.height, 1_000),
    ]
