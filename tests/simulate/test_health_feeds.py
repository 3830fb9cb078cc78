"""The health feeds are what one and the same children lived through, and say no more than was known on their day."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from openpyxl import load_workbook

from send_returns import feeds
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)
MONTH_END = date(2026, 9, 30)
YEARS = {"2024-25": (date(2024, 4, 1), date(2025, 3, 31)), "2025-26": (date(2025, 4, 1), date(2026, 3, 31)),
         "2026-27": (date(2026, 4, 1), AS_OF)}  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tidy county of 2,000 children with SEND."""
    folder = tmp_path_factory.mktemp("health")
    simulate(folder, children=2000, seed=3, as_of=AS_OF, mess="none")
    return folder


def _icb(out: Path, feed: str, file: str) -> pl.DataFrame:
    (path,) = (out / "inbox" / "icb" / feed).glob(f"*/{file}")
    return pl.read_csv(path, infer_schema=False)


def _mhsds(out: Path, year: str, table: str) -> pl.DataFrame:
    return pl.read_csv(out / "inbox" / "icb" / "mhsds" / f"mhsds_{year}" / f"{table}.csv", infer_schema=False)


def _person(out: Path) -> pl.DataFrame:
    return pl.read_csv(out / "truth" / "person.csv", infer_schema=False)


def _slashed(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(name).str.to_date("%d/%m/%Y") for name in names)


def _deliveries(out: Path) -> Iterator[feeds.Delivery]:
    for place in sorted(out.glob("inbox/*/*/*")):
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        feed = feeds.load(place.parent.name)
        yield feeds.Delivery(feed, place.name, [feeds.examine(file) for file in files], "919")


def test_every_delivery_is_taken_whole_and_has_every_column_that_it_must(out: Path) -> None:
    seen = set()
    for delivery in _deliveries(out):
        for batch in delivery.batches():
            assert batch.quarantined.height == 0, (delivery.name, batch.table.name)
            assert "error" not in batch.findings["severity"].to_list(), (delivery.name, batch.table.name)
        seen.add(delivery.feed.id)
    assert seen >= {"csds", "mhsds", "health_advice", "dynamic_support_register", "nhs_number_trace",
                    "gias", "postcode_lookup", "population", "organisations"}  # fmt: skip


@pytest.mark.parametrize("year", YEARS)
def test_a_submission_knows_nothing_of_later(out: Path, year: str) -> None:
    start, end = YEARS[year]
    referrals = _mhsds(out, year, "MHS101Referral").with_columns(
        pl.col("^.*Date$").str.to_date(), pl.col("ReportingPeriodEndDate").alias("end")
    )
    for name in ("ReferralRequestReceivedDate", "ServDischDate", "ReferRejectionDate"):
        assert referrals[name].max() <= end
    for name in ("ServDischDate", "ReferRejectionDate"):
        assert referrals[name].drop_nulls().min() >= start
    for table, name in (("MHS201CareContact", "CareContDate"), ("MHS604PrimDiag", "DiagDate"),
                        ("MHS008CarePlanType", "CarePlanCreatDate")):  # fmt: skip
        days = _mhsds(out, year, table)[name].str.to_date()
        assert days.is_between(start, end).all()
        assert len(days) > 0


@pytest.mark.parametrize("year", YEARS)
def test_every_record_of_a_submission_has_the_one_above_it(out: Path, year: str) -> None:
    patients = set(_mhsds(out, year, "MHS001MPI")["LocalPatientId"])
    requests = set(_mhsds(out, year, "MHS101Referral")["ServiceRequestId"])
    assert set(_mhsds(out, year, "MHS101Referral")["LocalPatientId"]) == patients
    assert set(_mhsds(out, year, "MHS008CarePlanType")["LocalPatientId"]) <= patients
    for table in ("MHS102ServiceTypeReferredTo", "MHS104RTT", "MHS201CareContact", "MHS604PrimDiag"):
        assert set(_mhsds(out, year, table)["ServiceRequestId"]) <= requests, table
    contacts = set(_mhsds(out, year, "MHS201CareContact")["CareContactId"])
    acts = _mhsds(out, year, "MHS202CareActivity")
    assert set(acts["CareContactId"]) <= contacts
    assert set(_mhsds(out, year, "MHS607CodedScoreAssessmentAct")["CareActId"]) <= set(acts["CareActId"])


def test_patients_are_from_two_to_twenty_five(out: Path) -> None:
    for year, (_, end) in YEARS.items():
        born = _mhsds(out, year, "MHS001MPI")["PersonBirthDate"].str.to_date()
        assert born.min() > end - timedelta(days=26 * 366)
        assert born.max() < end - timedelta(days=2 * 365)


def test_autism_waits_are_long_and_a_crisis_is_answered_at_once(out: Path) -> None:
    referrals = _mhsds(out, "2026-27", "MHS101Referral")
    first = _mhsds(out, "2026-27", "MHS201CareContact").group_by("ServiceRequestId").agg(pl.col("CareContDate").min())
    seen = referrals.join(first, on="ServiceRequestId").with_columns(
        days=(
            pl.col("CareContDate").str.to_date() - pl.col("ReferralRequestReceivedDate").str.to_date()
        ).dt.total_days()
    )
    median = dict(seen.group_by("PrimReasonReferralMH").agg(pl.col("days").median()).iter_rows())
    assert median["25"] > 180 > 60 > median["18"]


def test_verified_numbers_are_the_childs_own_and_conflicting_ones_are_not(out: Path) -> None:
    trace = _icb(out, "nhs_number_trace", "*.csv")
    assert trace["la_child_id"].is_unique().all()
    known = trace.join(_person(out).select("la_child_id", own="nhs_number"), on="la_child_id", how="left")
    own = pl.col("nhs_number") == pl.col("own")
    outcome = dict(known.group_by("trace_outcome").agg(own.fill_null(value=False).mean()).iter_rows())
    assert outcome["01"] == outcome["02"] == 1.0
    assert outcome["04"] == 0.0
    assert outcome.get("05", 0.0) < 1.0
    assert (
        known.filter(pl.col("trace_outcome") == "04")["nhs_number"].null_count()
        == (known["trace_outcome"] == "04").sum()
    )
    assert 0.93 < (trace["trace_outcome"] == "01").mean() < 0.99


def test_every_child_with_a_plan_was_traced(out: Path) -> None:
    traced = set(_icb(out, "nhs_number_trace", "*.csv")["la_child_id"])
    holders = pl.read_csv(out / "truth" / "list_1.csv", infer_schema=False).select("person")
    assert set(_person(out).join(holders, on="person", how="semi")["la_child_id"]) <= traced


def test_advice_is_due_in_six_weeks_and_its_outcome_is_what_its_dates_say(out: Path) -> None:
    advice = _slashed(_icb(out, "health_advice", "*_advice.csv"), "requested_on", "due_on", "received_on")
    assert ((advice["due_on"] - advice["requested_on"]).dt.total_days() == 42).all()
    assert advice["received_on"].max() <= MONTH_END
    said = dict(advice.group_by("outcome").agg((pl.col("received_on") <= pl.col("due_on")).mean()).iter_rows())
    assert said["received"] == 1.0
    assert said["late"] == 0.0
    assert said["outstanding"] is None
    assert 0.45 < (advice.filter(pl.col("received_on").is_not_null())["outcome"] == "received").mean() < 0.8


def test_a_child_too_young_for_school_has_no_upn(out: Path) -> None:
    told = _slashed(_icb(out, "health_advice", "*_notification.csv"), "date_of_birth", "notified_on")
    assert told["notified_on"].is_between(date(2025, 10, 1), MONTH_END).all()
    young = told.filter(pl.col("date_of_birth") > date(2023, 1, 1))
    assert young["upn"].null_count() == young.height > 5


def test_the_register_is_a_workbook_of_two_sheets_whose_reviews_are_of_its_entries(out: Path) -> None:
    (path,) = (out / "inbox" / "icb" / "dynamic_support_register").glob("*/*.xlsx")
    book = load_workbook(path)
    assert book.sheetnames == ["register", "ctr"]
    register, ctr = ([dict(zip(next(sheet.iter_rows(values_only=True)), row, strict=True))
                      for row in sheet.iter_rows(min_row=2, values_only=True)] for sheet in book)  # fmt: skip
    entries = {row["register_id"] for row in register}
    assert {row["register_id"] for row in ctr} <= entries
    assert all((row["rating"] == "blue") == bool(row["admitted_on"] and not row["discharged_on"]) for row in register)
    numbers = set(_person(out)["nhs_number"])
    assert {row["nhs_number"] for row in register} <= numbers


def test_providers_are_in_the_list_of_organisations(out: Path) -> None:
    (path,) = (out / "inbox" / "reference" / "organisations").glob("*/*.csv")
    known = set(pl.read_csv(path)["code"])
    sent = set(_mhsds(out, "2026-27", "MHS001MPI")["OrgIDProv"]) | set(
        _icb(out, "health_advice", "*_advice.csv")["provider"]
    )
    assert sent <= known
