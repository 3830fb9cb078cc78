"""The quality of plans: each measure against the county, and plans that count once in a period."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {"Q01", "Q02", "Q03", "Q04", "Q05_health", "Q05_social_care", "Q06", "V01", "V02"}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("quality")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_a_plan_counts_once_in_a_period_and_again_in_the_next(county: County) -> None:
    with connect(county.settings) as connection:
        counts: dict[str, list[int]] = dict(
            connection.execute(
                "select day.period_kind, array[count(*), count(distinct (day.period_to_on, subject_id))]"
                " from candidate_intermediate.int_indicator__quality as counted"
                " join candidate_intermediate.int_period_day as day"
                " on day.day_on = counted.counted_on and day.period_kind = counted.period_kind"
                " where measure = 'V01' and counted_on between '2025-01-01' and '2025-12-31' group by 1"
            ).fetchall()
        )
    assert set(counts) == {"calendar_year", "quarter", "month"}
    assert all(rows == plans for rows, plans in counts.values())
    # A plan that was sent and reviewed in one year is looked at in two of its months.
    assert counts["calendar_year"][0] < counts["quarter"][0] < counts["month"][0]


def test_the_agencies_are_those_of_each_month_end(county: County) -> None:
    with connect(county.settings) as connection:
        months = connection.execute(
            "select measure, count(distinct counted_on), min(counted_on)::text, max(counted_on)::text"
            " from candidate_intermediate.int_indicator__quality where measure like 'Q05%' group by 1 order by 1"
        ).fetchall()
    # The register of plans begins on 1 January 2025.
    assert [(measure, *ends) for measure, *ends in months] == [
        ("Q05_health", 21, "2025-01-31", "2026-09-30"),
        ("Q05_social_care", 21, "2025-01-31", "2026-09-30"),
    ]
