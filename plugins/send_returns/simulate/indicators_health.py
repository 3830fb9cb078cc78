"""The true value of each health and governance indicator, worked out from the lives.

Periods: a snapshot is of `as_of`; a month or a quarter is the last whole one by then. A referral is open when it has
been neither rejected nor discharged; it waits until its first attended contact, and a wait counts days since it was
received. Where an indicator has several measures, each is a row of its own, named after the indicator and itself.
What no life tells (what was landed when, which children there are at all) has the status `x`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from send_returns.simulate.calendar import last_month_end, last_quarter_end
from send_returns.simulate.lives import Lives
from send_returns.simulate.mental_health import HELP_TEAMS, window_start

Period = tuple[date, date]
SCHEMA: Final = pl.Schema(
    {
        "indicator": pl.String(),
        "period_from": pl.Date(),
        "period_to": pl.Date(),
        "numerator": pl.Float64(),
        "denominator": pl.Float64(),
        "value": pl.Float64(),
        "status": pl.String(),
    }
)
KNOWN, NOT_DERIVABLE = "ok", "x"
_FOUR_WEEKS, _SIX_WEEKS, _THIRTEEN_WEEKS, _EIGHTEEN_WEEKS, _YEAR = 28, 42, 91, 126, 364
_URGENT_DAYS, _ROUTINE_DAYS = 7, 28
_GAP_DAYS = 5  # referrals so close to one another are one spell
_FEWEST_CASES = 10  # in a district, for its median to be compared
_SPEECH, _AUDIOLOGY = "18", "20"
_PROMPT_DAYS = 14  # after an admission
_ADULT = "18y"


@dataclass(frozen=True)
class Measure:
    """One row of indicator.csv. `value`: a percentage of the two, unless it is given."""

    indicator: str
    since: date
    until: date
    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None
    is_share: bool = True

    def row(self) -> tuple[str, date, date, float | None, float | None, float | None, str]:
        """As SCHEMA has it."""
        value = self.value
        if self.is_share and self.denominator and self.numerator is not None:
            value = half_up(100 * self.numerator, self.denominator)
        status = NOT_DERIVABLE if value is None else KNOWN
        return self.indicator, self.since, self.until, self.numerator, self.denominator, value, status


def half_up(numerator: float, denominator: float) -> float:
    """The quotient to one decimal place, halves away from zero, without binary fractions on the way."""
    return int((20 * int(numerator) + int(denominator)) // (2 * int(denominator))) / 10


def facts(of: Lives, as_of: date) -> dict[str, pl.DataFrame]:
    """What the indicators need of a block's lives."""
    first_contacts = (
        of.community.contacts.filter(pl.col("attended").is_in(["5", "6"]))
        .group_by("request")
        .agg(seen=pl.col("on").min())
    )
    community = of.community.referrals.join(first_contacts, on="request", how="left").select(
        "person", "service", "received", "rejected", "discharged", "seen"
    )
    # A referral that was rejected before the first submission is in none.
    over = pl.coalesce("rejected", "discharged")
    sent = community.filter(over.is_null() | (over >= window_start(as_of)))
    return {
        "mental": of.mental.referrals,
        "community": community,
        "notifications": of.support.notifications.select("notified", "replied"),
        "register": of.support.register.select("person", "request", "born", "admitted"),
        "reviews": of.support.reviews.select("request", "held"),
        "trace": of.support.trace.select("outcome"),
        "plans": of.plans.filter("active").select("person", "issued", "review_met", "review_outcome", "review_decided"),
        "health": pl.concat([sent.select("person"), of.mental.referrals.select("person")]).unique(),
        "care": pl.concat([of.social.referrals.select("person"), of.social.looked_after.select("person")]).unique(),
    }


def indicators(blocks: Iterable[dict[str, pl.DataFrame]], as_of: date) -> pl.DataFrame:
    """Every indicator of the H and G families but those of the improvement plan, sorted by name."""
    every = list(blocks)
    frames = {name: pl.concat([block[name] for block in every]) for name in every[0]}
    month_end, quarter_end = last_month_end(as_of), last_quarter_end(as_of)
    month = (month_end.replace(day=1), month_end)
    quarter = ((quarter_end.replace(day=1) - timedelta(days=45)).replace(day=1), quarter_end)
    measures = [
        *_mental(frames["mental"], as_of, month, quarter),
        *_development(frames["mental"], as_of, month, quarter),
        *_community(frames["community"], as_of, month),
        *_support(frames, month_end, quarter),
        *_linked(frames, as_of),
        Measure("G01", *month),
        Measure("G02", as_of, as_of),
        Measure("H12", *quarter),
    ]
    return pl.DataFrame([measure.row() for measure in measures], schema=SCHEMA, orient="row").sort("indicator")


def within(column: str, period: Period) -> pl.Expr:
    """Whether a day is in a period."""
    return pl.col(column).is_between(*period)


def _is_open(as_of: date) -> pl.Expr:
    over = pl.coalesce("rejected", "discharged")
    return (pl.col("received") <= as_of) & (over.is_null() | (over > as_of))


def days_until(start: str, end: str | date) -> pl.Expr:
    """Days from a day to another, or to a given one."""
    last = pl.lit(end) if isinstance(end, date) else pl.col(end)
    return (last - pl.col(start)).dt.total_days()


def share(name: str, period: Period, frame: pl.DataFrame, condition: pl.Expr) -> Measure:
    """The share of a frame's rows that fulfil a condition."""
    return Measure(name, *period, frame.filter(condition).height, frame.height)


def _median(name: str, period: Period, days: pl.Series) -> Measure:
    """The median in days, and how many it is of."""
    median = days.median()
    value = None if median is None else half_up(2 * float(median), 2)  # type: ignore[arg-type]
    return Measure(name, *period, None, len(days), value, is_share=False)


def spells(referrals: pl.DataFrame) -> pl.DataFrame:
    """person, spell, start, over, stop: referrals for help, those of a child that overlap or follow closely made one.

    The clock stops on the first day by which an outcome score, a care plan, a treatment and an assessment are all
    recorded in the spell. A score is taken at each treatment. A care plan is the child's: it belongs to the spell that
    it was made in, whatever it was made for.
    """
    latest = pl.col("over").fill_null(date.max).cum_max().shift().over("person")
    of_help = (
        referrals.filter(pl.col("team_type").is_in(HELP_TEAMS), pl.col("rejected").is_null())
        .sort("person", "received", "request")
        .with_columns(over=pl.col("discharged"))
        .with_columns(
            is_new=(latest.is_null() | ((pl.col("received") - latest).dt.total_days() > _GAP_DAYS)).cast(pl.Int64)
        )
        .with_columns(spell=pl.col("is_new").cum_sum().over("person"))
        .group_by("person", "spell")
        .agg(
            start=pl.col("received").min(),
            over=pl.when(pl.col("over").is_null().any()).then(None).otherwise(pl.col("over").max()),
            scored=pl.min_horizontal("scored", "treated").min(),
            treated=pl.col("treated").min(),
            assessed=pl.col("assessed").min(),
        )
    )
    planned = (
        of_help.join(referrals.filter(pl.col("planned").is_not_null()).select("person", "planned"), on="person")
        .filter(pl.col("planned").is_between("start", pl.col("over").fill_null(date.max)))
        .group_by("person", "spell")
        .agg(pl.col("planned").min())
    )
    complete = pl.all_horizontal(pl.col(name).is_not_null() for name in ("scored", "planned", "treated", "assessed"))
    return of_help.join(planned, on=["person", "spell"], how="left").select(
        "person",
        "spell",
        "start",
        "over",
        stop=pl.when(complete).then(pl.max_horizontal("scored", "planned", "treated", "assessed")),
    )


def _mental(referrals: pl.DataFrame, as_of: date, month: Period, quarter: Period) -> list[Measure]:
    of_help = spells(referrals)
    stopped = of_help.filter(within("stop", month))
    waiting = of_help.filter(pl.col("stop").is_null() & pl.col("over").is_null()).with_columns(
        days=days_until("start", as_of)
    )
    treated = referrals.filter(pl.col("kind") == "eating", within("treated", quarter)).with_columns(
        days=days_until("received", "treated")
    )
    urgent = pl.col("priority") == "2"
    today = (as_of, as_of)
    return [
        share("H01", month, stopped, days_until("start", "stop") <= _FOUR_WEEKS),
        share("H02_over_4_weeks", today, waiting, pl.col("days") > _FOUR_WEEKS),
        share("H02_over_18_weeks", today, waiting, pl.col("days") > _EIGHTEEN_WEEKS),
        share("H02_over_52_weeks", today, waiting, pl.col("days") > _YEAR),
        share("H03_urgent", quarter, treated.filter(urgent), pl.col("days") <= _URGENT_DAYS),
        share("H03_routine", quarter, treated.filter(~urgent), pl.col("days") <= _ROUTINE_DAYS),
    ]


def _development(referrals: pl.DataFrame, as_of: date, month: Period, quarter: Period) -> list[Measure]:
    """Autism and ADHD."""
    autism = referrals.filter(pl.col("kind") == "autism")
    adhd = referrals.filter(pl.col("kind") == "adhd")
    today = (as_of, as_of)
    unseen = [
        frame.filter(_is_open(as_of), pl.col("seen").is_null()).with_columns(days=days_until("received", as_of))
        for frame in (autism, adhd)
    ]
    suspected, attention = autism.filter(_is_open(as_of)), adhd.filter(_is_open(as_of))
    seen = autism.filter(within("seen", month)).select(days=days_until("received", "seen"))["days"]
    diagnosed = autism.filter(pl.col("diagnosis").is_not_null())
    found = diagnosed.filter(within("concluded", month)).select(days=days_until("received", "concluded"))["days"]
    outcome = diagnosed.filter(within("concluded", quarter)).group_by("person").agg(pl.col("concluded").min())
    again = outcome.join(adhd.select("person", again="received"), on="person").filter(
        pl.col("again") >= pl.col("concluded")
    )
    return [
        Measure("H04", *today, unseen[0].filter(pl.col("days") > _THIRTEEN_WEEKS).height, suspected.height),
        _median("H05_first_contact", month, seen),
        _median("H05_diagnosis", month, found),
        Measure(
            "H06_over_18_weeks", *today, unseen[1].filter(pl.col("days") > _EIGHTEEN_WEEKS).height, attention.height
        ),
        Measure("H06_over_52_weeks", *today, unseen[1].filter(pl.col("days") > _YEAR).height, attention.height),
        Measure("H07", *quarter, again["person"].n_unique(), outcome.height),
        _gap(autism, quarter),
    ]


def _gap(autism: pl.DataFrame, quarter: Period) -> Measure:
    """The longest of the districts' median waits for autism over the shortest, as a ratio."""
    waits = (
        autism.filter(within("seen", quarter))
        .with_columns(days=days_until("received", "seen"))
        .group_by("district")
        .agg(pl.len(), median=pl.col("days").median())
        .filter(pl.col("len") >= _FEWEST_CASES)["median"]
    )
    if len(waits) < 2 or not waits.min():
        return Measure("H08", *quarter, is_share=False)
    longest, shortest = float(waits.max()), float(waits.min())  # type: ignore[arg-type]
    return Measure("H08", *quarter, longest, shortest, half_up(2 * longest, 2 * shortest), is_share=False)


def _community(referrals: pl.DataFrame, as_of: date, month: Period) -> list[Measure]:
    waiting = referrals.filter(_is_open(as_of), pl.col("seen").is_null()).with_columns(
        days=days_until("received", as_of)
    )
    audiology = referrals.filter(pl.col("service") == _AUDIOLOGY)
    seen = audiology.filter(within("seen", month)).select(days=days_until("received", "seen"))
    end = month[1]
    unseen = audiology.filter(_is_open(end), pl.col("seen").is_null() | (pl.col("seen") > end)).select(
        days=days_until("received", end)
    )
    today = (as_of, as_of)
    return [
        share("H09", today, waiting.filter(pl.col("service") == _SPEECH), pl.col("days") <= _EIGHTEEN_WEEKS),
        share("H10", today, waiting, pl.col("days") > _YEAR),
        share("H11", month, pl.concat([seen, unseen]), pl.col("days") <= _SIX_WEEKS),
    ]


def _support(frames: dict[str, pl.DataFrame], month_end: date, quarter: Period) -> list[Measure]:
    stays = frames["register"].filter(
        within("admitted", quarter), pl.col("admitted") < pl.col("born").dt.offset_by(_ADULT)
    )
    in_time = stays.join(frames["reviews"], on="request").filter(
        pl.col("held") <= pl.col("admitted").dt.offset_by(f"{_PROMPT_DAYS}d")
    )
    notified = frames["notifications"].filter(within("notified", quarter))
    return [
        # What the latest trace found is what is known at the end of a month.
        share("H13", (month_end, month_end), frames["trace"], pl.col("outcome") == "01"),
        Measure("H14", *quarter, in_time["request"].n_unique(), stays.height),
        share("H15", quarter, notified, pl.col("replied").is_not_null()),
    ]


def _linked(frames: dict[str, pl.DataFrame], as_of: date) -> list[Measure]:
    today = (as_of, as_of)
    holders = frames["plans"].select("person").unique()
    in_health = holders.join(frames["health"], on="person", how="semi")
    in_both = in_health.join(frames["care"], on="person", how="semi")
    in_care = holders.join(frames["care"], on="person", how="semi").height
    two_or_more = in_health.height + in_care - in_both.height
    due = frames["plans"].filter(pl.col("issued").dt.offset_by("12mo") <= as_of)
    filled = pl.all_horizontal(
        pl.col(name).is_not_null() for name in ("review_met", "review_outcome", "review_decided")
    )
    return [
        Measure("G03_two_agencies", *today, two_or_more, holders.height),
        Measure("G03_three_agencies", *today, in_both.height, holders.height),
        share("G04", today, due, filled),
    ]
