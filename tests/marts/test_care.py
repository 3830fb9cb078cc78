"""What the indicators of short breaks and social care count, against what the county itself says."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {"S01_receiving", "S01_waiting", "S01_weeks", "S02", "S03", "S04", "S05", "S06", "S07"}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("care")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_what_no_feed_tells_is_not_nought(county: County) -> None:
    with connect(county.settings) as connection:
        status = connection.execute(
            "select status, value from candidate_marts.mart_indicator where measure = 'S06'"
        ).fetchall()
    assert status == [("x", None)]
