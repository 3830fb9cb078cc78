"""Complaints, contacts, mediation, appeals and the action plan, against the county, and in shorter periods."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Protocol

import pytest
from psycopg import sql

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {
    *("C01", "C02", "C03_stage_1", "C03_stage_2", "C04", "C05", "C06"),
    *("T01", "T03", "T04", "T05_agreed", "T05_held", "T06"),
    *("T02_cease", "T02_contents", "T02_contents_not_placement", "T02_health_social_care", "T02_placement"),
    *("T02_refusal_to_amend", "T02_refusal_to_assess", "T02_refusal_to_issue", "T02_refusal_to_reassess"),
}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings
    inbox: Path

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def _day(text: str) -> date | None:
    day, month, year = text.split("/") if text else ("", "", "")
    return date(int(year), int(month), int(day)) if text else None


def _rows(county: County, feed: str, table: str) -> list[dict[str, str]]:
    (path,) = (county.inbox / "council" / feed).rglob(f"*_{table}.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def held(county: County) -> Callable[[date], int]:
    """How many plans are in force on a day, from the file of the casework."""
    plans = [
        (_day(row["final_on"]), [_day(row[end]) or date.max for end in ("replaced_on", "ceased_on")], row["case_id"])
        for row in _rows(county, "ehc_casework", "plan")
    ]

    def count(on: date) -> int:
        return len({case for final, ends, case in plans if final and final <= on < min(ends)})

    return count


def _in_periods(county: County, measure: str, kind: str) -> dict[tuple[date, date], tuple[int, int]]:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period_from_on, period_to_on, numerator::integer, denominator::integer"
            " from candidate_marts.mart_indicator where measure = %s and period_kind = %s and breakdown = 'total'"
            " and geography_type = 'partnership' and status = 'ok' order by 1",
            [measure, kind],
        ).fetchall()
    return {(start, end): (numerator, denominator) for start, end, numerator, denominator in rows}


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("disputes")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_the_action_plan_is_what_the_county_says(county: County) -> None:
    assert county.published("governance")["G05"] == county.truth_of("G05")


@pytest.mark.parametrize(
    ("measure", "table", "column"), [("C01", "complaint", "received_on"), ("T01", "appeal", "registered_on")]
)
@pytest.mark.parametrize("kind", ["month", "quarter", "calendar_year"])
def test_what_happens_in_a_period_is_held_against_the_plans_of_the_period(
    county: County, held: Callable[[date], int], measure: str, table: str, column: str, kind: str
) -> None:
    events = [_day(row[column]) or date.min for row in _rows(county, "disputes", table) if row.get("stage", "1") == "1"]
    found = _in_periods(county, measure, kind)
    # The registers begin on 1 January 2025 and the last whole month is September 2026.
    assert len(found) == {"month": 21, "quarter": 7, "calendar_year": 1}[kind]
    refused = [
        row[f"{step}_decided_on"]
        for row in _rows(county, "ehc_casework", "case")
        for step in ("assess", "issue")
        if row[f"{step}_outcome"] == "N"
    ]
    ended = [row["ceased_on"] for row in _rows(county, "ehc_casework", "plan") if row["cease_reason"] == "2"]
    for (start, end), (numerator, denominator) in found.items():
        assert numerator == sum(start <= day <= end for day in events)
        if measure == "C01":
            assert denominator == held(end)
        else:
            january = date(2025, 1, 16) if end.year == 2025 else date(2026, 1, 15)
            decisions = sum(start <= (_day(day) or date.min) <= end for day in [*refused, *ended])
            assert denominator == held(january) + decisions


def test_a_child_is_named_where_the_register_names_one(county: County) -> None:
    with connect(county.settings) as connection:
        nameless = connection.execute(
            "select distinct measure from candidate_intermediate.int_indicator__disputes"
            " where person_id is null and subject_id <> 'plans' order by 1"
        ).fetchall()
    assert nameless == [("C06",), ("G05",)]


@pytest.mark.parametrize(
    ("feed", "table", "fact"),
    [
        ("disputes", "complaint", "fct_complaint"),
        ("disputes", "mediation", "fct_mediation"),
        ("disputes", "appeal", "fct_appeal"),
        ("disputes", "ombudsman", "fct_ombudsman_decision"),
        ("contact_log", "enquiry", "fct_enquiry"),
        ("contact_log", "sendiass_case", "fct_sendiass_case"),
        ("ehc_casework", "correction", "fct_plan_correction"),
    ],
)
def test_a_fact_has_every_row_of_its_register_and_a_child_of_the_dimension(
    county: County, feed: str, table: str, fact: str
) -> None:
    with connect(county.settings) as connection:
        (columns,) = connection.execute(
            "select array_agg(column_name::text) from information_schema.columns"
            " where table_schema = 'candidate_marts' and table_name = %s",
            [fact],
        ).fetchone() or ([],)
        key = "fact.child_key" if "child_key" in columns else "null"
        rows = connection.execute(
            sql.SQL(
                "select count(*), count({key}), count(child.child_key) from {fact} as fact"
                " left join candidate_marts.dim_child as child on child.child_key = {key}"
            ).format(key=sql.SQL(key), fact=sql.Identifier("candidate_marts", fact))
        ).fetchone()
    sent = len(_rows(county, feed, table))
    children = 0 if table == "sendiass_case" else sent
    assert rows == (sent, children, children)
    assert sent > 0


def test_an_action_has_its_milestones(county: County) -> None:
    with connect(county.settings) as connection:
        facts = connection.execute(
            "select count(*), sum(milestones), sum(milestones_achieved), count(*) filter (where is_on_track)"
            " from candidate_marts.fct_improvement_action"
        ).fetchone()
        sent = connection.execute(
            "select (select count(*) from raw_council.improvement_plan__action), count(*), count(achieved_on)"
            " from raw_council.improvement_plan__milestone"
        ).fetchone()
    assert facts is not None
    assert facts[:3] == sent
    assert facts[3] == county.published("governance")["G05"][2]
