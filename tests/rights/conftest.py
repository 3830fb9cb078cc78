"""Each test gets a copy of the published county, to take from."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.published_county import AS_OF, FEEDS, REGISTER, SIGNERS, Child, Copy, County, Rows

from send_returns import clock

__all__ = ["AS_OF", "FEEDS", "REGISTER", "SIGNERS", "Child", "County", "Rows"]


@pytest.fixture
def county(published: County, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[County]:
    """A copy of the county, to take from, on the day of its run."""
    monkeypatch.setattr(clock, "today", lambda: AS_OF)
    with copy_of(published.settings, tmp_path / "home") as settings:
        shutil.copytree(
            published.settings.home, settings.home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache")
        )
        for folder in ("inbox", "output"):
            shutil.copytree(getattr(published, folder), tmp_path / folder)
        yield replace(published, settings=settings, inbox=tmp_path / "inbox", output=tmp_path / "output")
