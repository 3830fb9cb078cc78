"""Requests, plans, advice, reviews and transfers of a built county against what the county itself says."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import connect

FAMILIES = ("EHC", "AR", "PT")
HEADLINES = """
    select
        measure, statistic, per, period_from_on, period_to_on,
        sum(numerator), sum(denominator), count(amount), sum(amount),
        percentile_cont(0.5) within group (order by amount), percentile_cont(0.9) within group (order by amount)
    from candidate_reference.indicator_measures
    inner join candidate_intermediate.int_period on period_kind = headline_period and is_headline
    inner join candidate_intermediate.int_indicator__casework as counted using (measure)
    where
        coalesce(counted.period_kind, headline_period) = headline_period
        and counted_on between period_from_on and period_to_on
    group by 1, 2, 3, 4, 5
"""


class County(Protocol):
    settings: Settings

    def indicators(self) -> dict[str, dict[str, str]]: ...


Figure = tuple[str, str, Decimal | None, Decimal | None, Decimal | None]


def _half_up(value: Decimal) -> Decimal:
    # An average of weeks has more digits than it means.
    return value.quantize(Decimal("0.00000001")).quantize(Decimal("0.1"), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def found(county: County) -> dict[str, Figure]:
    """period, numerator, denominator and value of each measure in its headline period."""
    figures: dict[str, Figure] = {}
    with connect(county.settings) as connection:
        for row in connection.execute(HEADLINES):
            measure, statistic, per, since, until, numerator, denominator, number, total, median, p90 = row
            match statistic:
                case "share" | "rate":
                    value = per * numerator / denominator
                case "mean":
                    value = total / number
                case "median" | "p90":
                    value = Decimal(median if statistic == "median" else p90)
                case _:
                    value = numerator
            figures[measure] = (str(since), str(until), numerator, denominator, _half_up(value))
    return figures


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def test_every_measure_equals_the_truth(county: County, found: dict[str, Figure]) -> None:
    truth = {
        name: (
            row["period_from"],
            row["period_to"],
            _number(row["numerator"]),
            _number(row["denominator"]),
            _number(row["value"]),
        )
        for name, row in county.indicators().items()
        if name.startswith(FAMILIES) and row["status"] == "ok"
    }
    assert len(truth) == 26
    assert found == truth


def test_months_and_quarters_have_denominators(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period.period_kind, count(distinct period_to_on),"
            " bool_and(population is not null and requests > 0) from candidate_intermediate.int_period as period"
            " left join lateral (select sum(denominator) as population, sum(numerator) as requests"
            " from candidate_intermediate.int_indicator__casework as counted where measure = 'EHC08'"
            " and coalesce(counted.period_kind, period.period_kind) = period.period_kind"
            " and counted_on between period_from_on and period_to_on) as counted on true"
            " where period.period_kind in ('calendar_year', 'quarter', 'month') and period_from_on >= date '2025-01-01'"
            " group by 1 order by 1"
        ).fetchall()
    assert rows == [("calendar_year", 1, True), ("month", 21, True), ("quarter", 7, True)]


def test_advice_counts_once_in_a_period(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period.period_kind, count(*), count(distinct (period_to_on, subject_id))"
            " from candidate_intermediate.int_period as period"
            " join candidate_intermediate.int_indicator__casework as counted"
            " on coalesce(counted.period_kind, period.period_kind) = period.period_kind"
            " and counted_on between period_from_on and period_to_on"
            " where measure = 'EHC12' and period.period_kind in ('calendar_year', 'quarter', 'month') group by 1"
        ).fetchall()
    assert {kind for kind, *_ in rows} == {"calendar_year", "quarter", "month"}
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
    assert [day.day in (28, 29, 30, 31) for day, *_ in rows] == [True] * 21
    assert all(0 < overdue < in_force / 3 for _, overdue, in_force in rows)
    assert plans == (rows[0][2],)
