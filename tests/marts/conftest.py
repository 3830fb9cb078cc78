"""A county of two thousand children, landed, linked and built; the one without mess once for all tests of the marts."""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from send_returns import feeds, stages
from send_returns.identity import pseudonyms
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)
# First and last day, numerator, denominator and value.
Headline = tuple[str, str, float | None, float | None, float | None]


def _number(text: str) -> float | None:
    return float(text) if text else None


@dataclass(frozen=True, slots=True)
class County:
    """A built county: its database, the run that was built, and the folders of its files and of its truth."""

    settings: Settings
    run_id: str
    inbox: Path
    truth: Path

    def indicators(self) -> dict[str, dict[str, str]]:
        """The rows of truth/indicator.csv by measure."""
        with (self.truth / "indicator.csv").open(encoding="utf-8", newline="") as file:
            return {row["indicator"]: row for row in csv.DictReader(file)}

    def truth_of(self, measure: str) -> Headline:
        """What the county says of a measure."""
        row = self.indicators()[measure]
        above, below, value = (_number(row[name]) for name in ("numerator", "denominator", "value"))
        return row["period_from"], row["period_to"], above, below, value

    def published(self, family: str) -> dict[str, Headline]:
        """What the mart has of each measure of a family in its headline period, for the whole partnership."""
        with connect(self.settings) as connection:
            rows = connection.execute(
                "select mart.measure, period_from_on::text, period_to_on::text, mart.numerator, mart.denominator, value"
                " from candidate_marts.mart_indicator as mart"
                " join candidate_reference.indicators using (indicator_code)"
                " where family = %s and is_headline",
                [family],
            ).fetchall()
        return {
            measure: (start, end, *(None if number is None else float(number) for number in numbers))
            for measure, start, end, *numbers in rows
        }


@pytest.fixture(scope="session")
def new_county(
    new_database: Callable[[Path], AbstractContextManager[Settings]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], AbstractContextManager[County]]:
    """A county with mess of a level, landed, linked and built. No gate has judged it."""

    @contextmanager
    def build(mess: str) -> Iterator[County]:
        folder = tmp_path_factory.mktemp("county")
        simulate(folder, children=2000, seed=2026, as_of=AS_OF, mess=mess)
        with new_database(folder / "home") as settings:
            for organisation in feeds.ORGANISATIONS:
                stages.land(settings, organisation, folder / "inbox", AS_OF)
            pseudonyms.new(settings, pseudonyms.MARTS)
            run_id = stages.open_run(settings, AS_OF)
            stages.link(settings, run_id)
            for layer in stages.LAYERS:
                stages.build(settings, run_id, layer)
            yield County(settings, run_id, folder / "inbox", folder / "truth")

    return build


@pytest.fixture(scope="session")
def county(new_county: Callable[[str], AbstractContextManager[County]]) -> Iterator[County]:
    """The county without mess, to be read and not written to."""
    with new_county("none") as built:
        yield built
