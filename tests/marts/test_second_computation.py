"""Ten indicators computed a second time, straight from the delivered files: by Polars, and no database."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import holidays
import numpy as np
import polars as pl
import pytest
from lxml import etree

from send_returns.settings import Settings
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)
YEAR = (date(2025, 1, 1), date(2025, 12, 31))
Counted = tuple[int, int]


class County(Protocol):
    settings: Settings
    inbox: Path


def _files(inbox: Path, feed: str, table: str) -> list[Path]:
    found = sorted(inbox.glob(f"*/{feed}/*/*{table}.csv"))
    assert found, f"no file of {feed} holds {table}"
    return found


def _table(inbox: Path, feed: str, table: str, pattern: str = "%d/%m/%Y") -> pl.DataFrame:
    """All files of a table, with its dates as dates."""
    frame = pl.concat(
        (pl.read_csv(path, infer_schema=False) for path in _files(inbox, feed, table)), how="diagonal"
    ).with_columns(pl.all().replace("", None))
    dates = [name for name in frame.columns if name.endswith("_on") or "Date" in name or "DATE" in name]
    return frame.with_columns(pl.col(dates).str.to_date(pattern))


def _in_year(name: str) -> pl.Expr:
    return pl.col(name).is_between(*YEAR)


def _working_days(frame: pl.DataFrame, start: str, end: str) -> pl.Series:
    """Working days from the day after `start` to `end`."""
    closed = [str(day) for day in holidays.country_holidays("GB", subdiv="ENG", years=range(2020, 2030))]
    days = [frame[name].cast(pl.String).to_numpy().astype("datetime64[D]") + 1 for name in (start, end)]
    return pl.Series(np.busday_count(*days, holidays=closed))


def _share(frame: pl.DataFrame, is_in: pl.Expr) -> Counted:
    return frame.filter(is_in).height, frame.height


def _requests(inbox: Path) -> pl.DataFrame:
    (path,) = inbox.glob("council/sen2/*.xml")
    names = ("ReceivedDate", "RequestOutcome", "RequestOutcomeDate")
    later = ("AssessmentOutcome", "AssessmentOutcomeDate", "Week20")
    rows = [
        [request.findtext(name) for name in names] + [request.findtext(f"Assessment/{name}") for name in later]
        for request in etree.parse(path).iter("Requests")
        # What came with a plan that another authority made was neither asked for nor decided here.
        if request.find("ActivePlans/TransferLA") is None
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys((*names, *later), pl.String), orient="row")
    return frame.with_columns(pl.col("^.*Date$").str.to_date())


def plans_in_20_weeks(inbox: Path) -> Counted:
    plans = _requests(inbox).filter(_in_year("AssessmentOutcomeDate"), AssessmentOutcome="Y", Week20="0")
    return _share(plans, pl.col("AssessmentOutcomeDate") - pl.col("ReceivedDate") <= timedelta(days=140))


def decisions_in_6_weeks(inbox: Path) -> Counted:
    decided = _requests(inbox).filter(_in_year("RequestOutcomeDate"), pl.col("RequestOutcome").is_in(["Y", "N"]))
    return _share(decided, pl.col("RequestOutcomeDate") - pl.col("ReceivedDate") <= timedelta(days=42))


def complaints_of_communication(inbox: Path) -> Counted:
    # What goes on to stage 2 is no new complaint.
    complaints = _table(inbox, "disputes", "complaint").filter(_in_year("received_on"), stage="1")
    return _share(complaints, pl.col("theme") == "communication")


def replies_at_stage_1(inbox: Path) -> Counted:
    closed = _table(inbox, "disputes", "complaint").filter(_in_year("closed_on"), stage="1")
    return int((_working_days(closed, "received_on", "replied_on") <= 10).sum()), closed.height


def enquiries_in_5_days(inbox: Path) -> Counted:
    enquiries = _table(inbox, "contact_log", "enquiry").filter(_in_year("received_on"))
    answered = enquiries.drop_nulls("answered_on")
    return int((_working_days(answered, "received_on", "answered_on") <= 5).sum()), enquiries.height


def hours_of_short_breaks(inbox: Path) -> Counted:
    months = _table(inbox, "short_breaks", "delivery").filter(_in_year("month_on"))
    sums = months.select(pl.col("delivered_minutes", "agreed_minutes").cast(pl.Int64).sum())
    delivered, agreed = sums.row(0)
    return delivered, agreed


def short_breaks_refused(inbox: Path) -> Counted:
    decided = _table(inbox, "short_breaks", "request").filter(
        _in_year("decided_on"), pl.col("decision").is_in(["agreed", "part_agreed", "refused"])
    )
    return _share(decided, pl.col("decision").is_in(["refused", "part_agreed"]))


def _referrals(inbox: Path, feed: str, names: tuple[str, ...]) -> pl.DataFrame:
    """The latest effective row of each open referral, with the days since it was received, and none with a contact.

    `names`: files of referrals and contacts; columns of the referral's id, the provider, its two ends, its receipt, the
    attendance, and the day of the contact.
    """
    referral, contact, key, provider, received, closed, attended, day = names
    rows = _table(inbox, feed, referral, "%Y-%m-%d")
    latest = rows.sort("EFFECTIVE_FROM" if "EFFECTIVE_FROM" in rows.columns else "EFFECTIVE FROM")
    opened = latest.unique([key, provider], keep="last").filter(pl.col(closed).is_null() | (pl.col(closed) > AS_OF))
    met = _table(inbox, feed, contact, "%Y-%m-%d").filter(pl.col(attended).is_in(["5", "6"]), pl.col(day) <= AS_OF)
    waiting = opened.join(met, on=[key, provider], how="anti")
    return opened.with_columns(
        is_waiting=pl.struct(key, provider).is_in(waiting.select(pl.struct(key, provider)).to_series().implode()),
        days=(pl.lit(AS_OF) - pl.col(received)).dt.total_days(),
    )


def autism_over_13_weeks(inbox: Path) -> Counted:
    names = ("MHS101Referral", "MHS201CareContact", "ServiceRequestId", "OrgIDProv", "ReferralRequestReceivedDate",
             "ServDischDate", "AttendStatus", "CareContDate")  # fmt: skip
    suspected = _referrals(inbox, "mhsds", names).filter(
        pl.col("ReferRejectionDate").is_null(), PrimReasonReferralMH="25"
    )
    return _share(suspected, pl.col("is_waiting") & (pl.col("days") > 91))


def community_over_52_weeks(inbox: Path) -> Counted:
    names = ("CYP101Referral", "CYP201CareContact", "SERVICE REQUEST IDENTIFIER",
             "ORGANISATION IDENTIFIER (CODE OF PROVIDER)", "REFERRAL REQUEST RECEIVED DATE", "SERVICE DISCHARGE DATE",
             "ATTENDED OR DID NOT ATTEND CODE", "CARE CONTACT DATE")  # fmt: skip
    waiting = _referrals(inbox, "csds", names).filter("is_waiting")
    return _share(waiting, pl.col("days") > 364)


def absence_with_a_plan(inbox: Path) -> Counted:
    rows = pl.concat(
        pl.read_csv(path, infer_schema=False).filter(senprovision="E")
        for path in _files(inbox, "school_census", "pupilonroll")
    )
    sums = rows.select(pl.col("^termlysessions.*$").cast(pl.Int64).sum()).row(0, named=True)
    missed = sums["termlysessionsauthorised"] + sums["termlysessionsunauthorised"]
    return missed, sums["termlysessionspossible"]


SECOND: dict[str, Callable[[Path], Counted]] = {
    "EHC01": plans_in_20_weeks,
    "EHC05": decisions_in_6_weeks,
    "C02": complaints_of_communication,
    "C03_stage_1": replies_at_stage_1,
    "C05": enquiries_in_5_days,
    "S02": hours_of_short_breaks,
    "S03": short_breaks_refused,
    "H04": autism_over_13_weeks,
    "H10": community_over_52_weeks,
    "X03_plan": absence_with_a_plan,
}


@pytest.mark.parametrize("measure", SECOND)
def test_the_files_say_what_the_mart_says(county: County, measure: str) -> None:
    with connect(county.settings) as connection:
        row = connection.execute(
            "select numerator, denominator from candidate_marts.mart_indicator where measure = %s and is_headline"
            " and breakdown = 'total' and geography_type = 'partnership'",
            [measure],
        ).fetchone()
    numerator, denominator = SECOND[measure](county.inbox)
    assert denominator > 0
    assert row == (numerator, denominator)
