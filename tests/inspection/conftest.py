"""One copy of the published county for all tests of the inspection clock, each of which opens a window of its own."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.published_county import Copy, County

from send_returns import cli
from send_returns.warehouse import connect

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def inspected(published: County, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """The county, with a folder for the packs of tracked children."""
    place = tmp_path_factory.mktemp("inspected")
    with copy_of(published.settings, place / "home") as settings:
        yield replace(published, settings=settings, output=place / "output")


@pytest.fixture
def county(inspected: County) -> Iterator[County]:
    """The county without any window; what the test says of it goes afterwards."""
    yield inspected
    with connect(inspected.settings) as connection:
        connection.execute("truncate inspection.window, inspection.item_done, inspection.tracked")
    (inspected.settings.home / "recipients.yml").unlink(missing_ok=True)


@pytest.fixture
def send_returns(county: County, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of the inspection: its exit code, and all that it said."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(county.settings.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(county.settings.database_url))

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["send-returns", "inspection", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), "".join(capfd.readouterr())

    return run
