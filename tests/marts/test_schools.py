"""What the indicators of exclusion, absence and alternative provision count, against what the county itself says."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {
    *("X01_plan", "X01_sen_support", "X02", "X03_plan", "X03_sen_support"),
    *("X04_persistent", "X04_severe", "X05", "X06"),
}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("schools")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_the_terms_of_a_school_year_make_its_absence(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period_kind, count(*), min(period_from_on), max(period_to_on), sum(numerator), sum(denominator)"
            " from candidate_marts.mart_indicator where measure = 'X03_plan' and geography_type = 'partnership'"
            " and breakdown = 'total' and status = 'ok' group by 1 order by 1"
        ).fetchall()
    (_, *year), (_, *terms) = rows
    assert [row[0] for row in rows] == ["academic_year", "term"]
    assert (year[0], terms[0]) == (1, 3)
    assert terms[1:] == year[1:]
