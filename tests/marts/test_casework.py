"""Requests, plans, advice, reviews and transfers of a built county against what the county itself says."""

from datetime import date
from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

FAMILIES = ("EHC", "AR", "PT")
KINDS = ["calendar_year", "quarter", "month"]

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def indicators(self) -> dict[str, dict[str, str]]: ...

    def truth_of(self, measure: str) -> Headline: ...


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def test_every_measure_equals_the_truth(county: County) -> None:
    with connect(county.settings) as connection:
        found = {
            measure: (since, until, *map(_float, figures))
            for measure, since, until, *figures in connection.execute(
                "select measure, period_from_on::text, period_to_on::text, numerator, denominator, value"
                " from candidate_marts.mart_indicator"
                " where is_headline and geography_type = 'partnership' and breakdown = 'total'"
            )
            if measure.startswith(FAMILIES)
        }
    assert len(found) == 27
    assert found == {
        measure: county.truth_of(measure) for measure in county.indicators() if measure.startswith(FAMILIES)
    }
    assert [measure for measure, figures in found.items() if figures[-1] is None] == []


def test_months_and_quarters_have_their_own_figures(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period_kind, measure, count(value), min(period_from_on), sum(numerator)"
            " from candidate_marts.mart_indicator where geography_type = 'partnership' and breakdown = 'total'"
            " and measure in ('EHC08', 'AR01') and period_kind = any(%s) and value is not null"
            " group by 1, 2 order by 2, 1",
            [KINDS],
        ).fetchall()
    # Of what was before 2025 neither the return nor the casework tells all.
    assert {since for *_, since, _ in rows} == {date(2025, 1, 1)}
    assert [row[:3] for row in rows] == [
        ("calendar_year", "AR01", 1),
        ("month", "AR01", 21),
        ("quarter", "AR01", 7),
        ("calendar_year", "EHC08", 1),
        ("month", "EHC08", 21),
        ("quarter", "EHC08", 7),
    ]
    sums = {(kind, measure): total for kind, measure, *_, total in rows}
    assert sums["month", "AR01"] == sums["quarter", "AR01"] > sums["calendar_year", "AR01"]


def test_advice_counts_once_in_a_period(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select day.period_kind, count(*), count(distinct (period_to_on, subject_id))"
            " from candidate_intermediate.int_period_day as day"
            " join candidate_intermediate.int_indicator__casework as counted"
            " on day.day_on = counted.counted_on and day.period_kind = coalesce(counted.period_kind, day.period_kind)"
            " where measure = 'EHC12' and day.period_kind = any(%s) group by 1",
            [KINDS],
        ).fetchall()
    assert {kind for kind, *_ in rows} == set(KINDS)
    for kind, contributions, cases in rows:
        assert contributions == cases > 0, kind


def test_overdue_reviews_are_known_of_earlier_month_ends(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select counted_on, sum(numerator), sum(denominator) from candidate_intermediate.int_indicator__casework"
            " where measure = 'AR05' group by 1 order by 1"
        ).fetchall()
        plans = connection.execute(
            "select count(*) from candidate_intermediate.int_plan__in_force"
            " where started_on <= %(on)s and (ceased_on is null or ceased_on > %(on)s)",
            {"on": rows[0][0]},
        ).fetchone()
    assert (len(rows), rows[0][0], rows[-1][0]) == (21, date(2025, 1, 31), date(2026, 9, 30))
    assert all(0 < overdue < in_force / 3 for _, overdue, in_force in rows)
    assert plans == (rows[0][2],)


def test_a_plan_that_came_from_elsewhere_has_the_clock_of_a_transfer_alone(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select distinct clock from candidate_intermediate.int_clock__casework"
            " where subject_id in (select case_id from candidate_staging.stg_ehc_casework__case"
            " where route = 'transfer_in')"
        ).fetchall()
    assert rows == [("CLK23",)]


def test_every_row_of_the_casework_is_in_its_fact(county: County) -> None:
    facts = {
        "fct_ehc_request": "sen2__requests",
        "fct_ehc_assessment": "sen2__assessment",
        "fct_ehc_advice": "ehc_casework__advice",
        "fct_ehc_plan_version": "ehc_casework__plan",
        "fct_panel_decision": "ehc_casework__panel_decision",
    }
    with connect(county.settings) as connection:
        for fact, table in facts.items():
            counts = connection.execute(
                f"select (select count(*) from candidate_marts.{fact}), (select count(*) from raw_council.{table})"
            ).fetchone()
            assert counts is not None
            assert counts[0] == counts[1] > 0, fact
        # Of reviews there are more: those that come next and that no supplier has yet.
        reviews = connection.execute(
            "select count(review_kind), count(*),"
            " count(*) filter (where review_kind is null and meeting_on is not null),"
            " (select count(*) from raw_council.ehc_casework__review) from candidate_marts.fct_annual_review"
        ).fetchone()
    assert reviews is not None
    assert reviews[0] == reviews[3] < reviews[1]
    assert reviews[2] == 0


def test_every_plan_in_force_has_one_review_to_come(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select coming, count(*) from (select count(*) filter (where review.meeting_on is null) as coming"
            " from candidate_intermediate.int_annual_review__dated as review"
            " where plan_ceased_on is null group by case_id) as plan group by 1"
        ).fetchall()
    assert [coming for coming, _ in rows] == [1]


def test_facts_count_what_the_indicators_count(county: County) -> None:
    counted = {
        "EHC05": "select count(*) from candidate_marts.fct_ehc_request where outcome in ('Y', 'N')"
        " and not is_transferred_in and decided_on between %s and %s",
        "EHC01": "select count(*) from candidate_marts.fct_ehc_assessment where outcome = 'Y'"
        " and not is_transferred_in and not has_exception and decided_on between %s and %s",
        "EHC13": "select count(*) from candidate_marts.fct_ehc_advice where advice_body = 'health'"
        " and outcome <> 'exempt' and (due_on between %s and %s or received_on between %s and %s)",
        "AR02": "select count(*) from candidate_marts.fct_annual_review where decided_on between %s and %s",
        "PT01": "select count(*) from candidate_marts.fct_phase_transfer where transfer_kind = 'phase'"
        " and due_on between %s and %s",
    }
    with connect(county.settings) as connection:
        for measure, query in counted.items():
            since, until, _, denominator, _ = county.truth_of(measure)
            days = [since, until] * (query.count("%s") // 2)
            assert connection.execute(query, days).fetchone() == (denominator,), measure
        plans = connection.execute("select count(*) from candidate_marts.fct_ehc_plan where is_in_force").fetchone()
        listed = connection.execute("select count(*) from candidate_marts.dim_child where has_plan").fetchone()
    assert plans == listed
