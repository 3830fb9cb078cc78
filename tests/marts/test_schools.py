"""What the indicators of exclusion, absence and alternative provision count, against what the county itself says."""

from typing import Protocol

MEASURES = {
    *("X01_plan", "X01_sen_support", "X02", "X03_plan", "X03_sen_support"),
    *("X04_persistent", "X04_severe", "X05", "X06"),
}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("schools")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}
