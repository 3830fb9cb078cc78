"""What lies about: below home only what is read, in the inbox nothing that nobody mentions."""

import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from send_returns import clock, feeds
from send_returns.feeds import bundle
from send_returns.settings import Settings

Text = Callable[..., str]


def test_a_zip_is_unpacked_below_home_and_nothing_of_it_stays(
    database: Settings, folder: Path, register: Text, land: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(folder / "2026-10-01.zip", "w") as packed:
        packed.writestr("2026-10-01.csv", register(1, 2))
    within: list[Path | None] = []
    unpack = bundle.opened

    def noted(sources: list[feeds.Source], place: Path | None = None) -> Any:
        within.append(place)
        return unpack(sources, place)

    monkeypatch.setattr(bundle, "opened", noted)
    assert land()["loaded"] == 2
    assert within == [database.home / "unpacking"]
    assert list((database.home / "unpacking").iterdir()) == []


def test_what_a_killed_landing_left_is_removed_after_a_day(database: Settings, land: Any) -> None:
    unpacking = database.folder("unpacking")
    now = clock.now().timestamp()
    for name, age in (("of-yesterday", 90_000), ("of-another-at-work", 60)):
        (unpacking / name).mkdir()
        (unpacking / name / "rows.csv").write_text("left")
        os.utime(unpacking / name, (now - age, now - age))
    land()
    assert [left.name for left in unpacking.iterdir()] == ["of-another-at-work"]


def test_what_lies_where_no_delivery_belongs_is_named(
    folder: Path, land: Any, caplog: pytest.LogCaptureFixture
) -> None:
    root = folder.parents[1]
    (root / "nhs").mkdir()
    (root / "loose.csv").write_text("x")
    (root / "council" / "EHE").mkdir()
    with caplog.at_level(logging.WARNING):
        land()
    assert (
        "3 entries of the inbox are no feed's folder and were not looked at: loose.csv, nhs, council/EHE."
        in caplog.text
    )


def test_a_delivery_that_has_not_wholly_arrived_is_named(
    folder: Path, register: Text, land: Any, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = folder / "2026-10-01"
    delivery.mkdir()
    (delivery / "2026-10-01.csv").write_text(register(1))
    (delivery / "manifest.json").write_text(
        '{"files": [{"name": "2026-10-01.csv", "size": 99999, "sha256": "' + "0" * 64 + '"}]}'
    )
    with caplog.at_level(logging.WARNING):
        assert land() == {"arriving": 1}
    assert "ehe_register: delivery 2026-10-01 has not wholly arrived" in caplog.text
