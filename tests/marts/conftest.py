"""A county of two thousand children without mess, landed, linked and built once for all tests of the marts."""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from send_returns import feeds, stages
from send_returns.identity import pseudonyms
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)


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


@pytest.fixture(scope="session")
def county(
    new_database: Callable[[Path], AbstractContextManager[Settings]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[County]:
    """The county, to be read and not written to. Its candidate schemas are built; no gate has judged them."""
    folder = tmp_path_factory.mktemp("county")
    simulate(folder, children=2000, seed=2026, as_of=AS_OF, mess="none")
    with new_database(folder / "home") as settings:
        for organisation in feeds.ORGANISATIONS:
            stages.land(settings, organisation, folder / "inbox", AS_OF)
        pseudonyms.new(settings, pseudonyms.MARTS)
        run_id = stages.open_run(settings, AS_OF)
        stages.link(settings, run_id)
        for layer in stages.LAYERS:
            stages.build(settings, run_id, layer)
        yield County(settings, run_id, folder / "inbox", folder / "truth")
