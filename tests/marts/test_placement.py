"""What the indicators of placement, home education and life after 16 count, against what the county itself says."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {
    *("P01_waiting", "P01_weeks", "P02", "P03", "P03_reviewed", "P04"),
    *("P05_independent_special", "P05_mainstream", "P05_special"),
    *("D01", "D02", "E01", "E02", "E03", "E04"),
}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("placement")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_a_chart_has_its_earlier_month_ends(county: County) -> None:
    """As far back as the registers tell all, and never the share that waits, whose denominator they do not."""
    with connect(county.settings) as connection:
        ends: dict[str, list[str]] = dict(
            connection.execute(
                "select measure, array_agg(distinct counted_on::text order by counted_on::text)"
                " from candidate_intermediate.int_indicator__placement"
                " where measure in ('P01_waiting', 'P01_weeks', 'P03') group by measure"
            ).fetchall()
        )
    assert ends["P01_waiting"] == ["2026-09-30"]
    assert len(ends["P03"]) == 21
    assert (ends["P03"][0], ends["P03"][-1]) == ("2025-01-31", "2026-09-30")
    assert set(ends["P01_weeks"]) <= set(ends["P03"])
