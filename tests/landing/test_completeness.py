"""Nothing is read before it is complete: by its marker, by its manifest, or because nothing of it changes."""

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from send_returns import warehouse
from send_returns.settings import Settings

Text = Callable[..., str]


@pytest.fixture
def patient(database: Settings) -> Settings:
    """Settings under which a delivery that says nothing is looked at for an hour."""
    return replace(database, quiet_seconds=3600)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The hour passes at once, and nothing changes in it but by the clock that landing asks."""
    if "patient" in request.fixturenames:
        monkeypatch.setattr("send_returns.landing.completeness.sleep", lambda _: None)


def test_twenty_slow_writers_are_never_read_early(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any
) -> None:
    quiet = 0.6
    rows = 12

    def write(number: int) -> None:
        pauses = random.Random(number)
        with (folder / f"2026-10-{number:02}.csv").open("w") as file:
            for line in register(*range(rows)).splitlines(keepends=True):
                file.write(line[: len(line) // 2])
                file.flush()
                time.sleep(pauses.uniform(0, quiet * 0.5))
                file.write(line[len(line) // 2 :])
                file.flush()

    writers = [threading.Thread(target=write, args=[number]) for number in range(1, 21)]
    for writer in writers:
        writer.start()
    settings = replace(database, quiet_seconds=quiet)
    arriving = 0
    while any(writer.is_alive() for writer in writers):
        arriving += land(settings=settings).get("arriving", 0)
    assert arriving >= 20
    land(settings=settings)
    assert ask("select status, rows_in, count(*) from landing.delivery group by 1, 2") == [("accepted", rows, 20)]


def test_what_rests_is_read_at_the_second_look(database: Settings, folder: Path, register: Text, land: Any) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    settings = replace(database, quiet_seconds=0.3)
    started = time.monotonic()
    assert land(settings=settings) == {"accepted": 1, "rows_in": 1, "loaded": 1}
    assert time.monotonic() - started >= 0.3


def test_what_has_rested_is_read_at_the_first_look(database: Settings, folder: Path, register: Text, land: Any) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    time.sleep(0.4)
    land(settings=replace(database, quiet_seconds=0.3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("send_returns.landing.completeness.sleep", lambda _: pytest.fail("it waited"))
        (folder / "2026-10-02.csv").write_text(register(1))
        time.sleep(0.4)
        assert land(settings=replace(database, quiet_seconds=0.3))["accepted"] == 1


def test_a_time_of_change_that_the_sender_sets_is_not_believed(
    patient: Settings, folder: Path, register: Text, land: Any
) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    os.utime(folder / "2026-10-01.csv", (1, 1))
    assert land(settings=patient) == {"arriving": 1}


def test_looks_are_remembered_from_one_landing_to_the_next(
    patient: Settings, folder: Path, register: Text, land: Any, ask: Any, database: Settings
) -> None:
    file = folder / "2026-10-01.csv"
    file.write_text(register(1))
    assert land(settings=patient) == {"arriving": 1}
    (first,) = ask("select seen_at from landing.look where name = %s", file.name)
    assert land(settings=patient) == {"arriving": 1}
    assert ask("select seen_at from landing.look") == [first]
    file.write_text(register(1, 2))
    assert land(settings=patient) == {"arriving": 1}
    assert ask("select seen_at > %s from landing.look", *first) == [(True,)]
    with warehouse.connect(database) as connection:
        connection.execute("update landing.look set seen_at = seen_at - interval '2 hours'")
    assert land(settings=patient) == {"accepted": 1, "rows_in": 2, "loaded": 2}


def test_a_marker_says_that_a_delivery_is_complete(patient: Settings, folder: Path, register: Text, land: Any) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    (folder / "2026-10-02").mkdir()
    (folder / "2026-10-02" / "ehe_register_child.csv").write_text(register(1, 2))
    assert land(settings=patient) == {"arriving": 2}
    (folder / "2026-10-01.csv.done").touch()
    assert land(settings=patient) == {"accepted": 1, "arriving": 1, "rows_in": 1, "loaded": 1}
    (folder / "2026-10-02.done").touch()
    assert land(settings=patient) == {"accepted": 1, "unchanged": 1, "rows_in": 2, "loaded": 2}


def test_a_marker_older_than_its_delivery_says_nothing(
    patient: Settings, folder: Path, register: Text, land: Any
) -> None:
    (folder / "2026-10-01.csv.done").touch()
    time.sleep(0.05)
    (folder / "2026-10-01.csv").write_text(register(1))
    assert land(settings=patient) == {"arriving": 1}


def manifest(**files: str) -> str:
    listed = [
        {"name": f"{name}.csv", "size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in files.items()
    ]
    return json.dumps({"files": listed})


def test_a_manifest_says_what_must_have_come(
    patient: Settings, folder: Path, register: Text, land: Any, ask: Any
) -> None:
    whole = register(1, 2, 3)
    one = folder / "2026-10-01"
    one.mkdir()
    (one / "manifest.json").write_text(manifest(ehe_register_child=whole))
    assert land(settings=patient) == {"arriving": 1}
    (one / "ehe_register_child.csv").write_text(whole[:-20])
    assert land(settings=patient) == {"arriving": 1}
    # Even when it rests: what is smaller than its manifest says is not whole.
    assert land() == {"arriving": 1}
    (one / "ehe_register_child.csv").write_text(whole)
    assert land(settings=patient) == {"accepted": 1, "rows_in": 3, "loaded": 3}
    assert ask("select file_name from landing.delivery_file order by 1") == [
        ("ehe_register_child.csv",),
        ("manifest.json",),
    ]
    assert ask("select count(*) from audit.finding where rule = 'F14'") == [(0,)]


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS"])
def test_what_is_not_what_its_manifest_says_is_refused(
    folder: Path, register: Text, land: Any, ask: Any, name: str
) -> None:
    sent, came = register(1), register(2)
    one = folder / "2026-10-01"
    one.mkdir()
    (one / "ehe_register_child.csv").write_text(came)
    digest = hashlib.sha256(sent.encode()).hexdigest()
    listed = manifest(ehe_register_child=sent) if name == "manifest.json" else f"{digest}  ehe_register_child.csv\n"
    (one / name).write_text(listed)
    assert land() == {"refused": 1}
    assert ask("select reason from landing.delivery") == [
        (f"ehe_register_child.csv: its SHA-256 is not the one in {name}. Send the delivery again, whole.",)
    ]
    (one / "ehe_register_child.csv").write_text(sent)
    assert land() == {"accepted": 1, "rows_in": 1, "loaded": 1}
    (one / "extra.csv").write_text("1")
    assert land() == {"refused": 1}
    assert ask(
        "select count(*) from landing.delivery where reason like %s", f"extra.csv: {name} does not list it%"
    ) == [(1,)]


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS"])
def test_a_marker_does_not_make_a_part_the_whole(folder: Path, register: Text, land: Any, ask: Any, name: str) -> None:
    came, one = register(1), folder / "2026-10-01"
    one.mkdir()
    (one / "ehe_register_child.csv").write_text(came)
    sums = "".join(f"{hashlib.sha256(came.encode()).hexdigest()}  {file}.csv\n" for file in ("ehe_register_child", "x"))
    (one / name).write_text(manifest(ehe_register_child=came, x=came) if name == "manifest.json" else sums)
    (folder / "2026-10-01.done").touch()
    assert land() == {"refused": 1}
    assert ask("select reason from landing.delivery") == [
        (f"x.csv: {name} lists it and it did not come. Send the delivery again, whole.",)
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"files": 1}', '{"files": [{"name": 1, "size": "x", "sha256": "y"}]}', "{}", "\xff" * 9],
)
def test_a_manifest_that_is_none_is_waited_for_and_then_refused(
    database: Settings, folder: Path, register: Text, land: Any, text: str, ask: Any
) -> None:
    one = folder / "2026-10-01"
    one.mkdir()
    (one / "ehe_register_child.csv").write_text(register(1))
    (one / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("send_returns.landing.completeness.sleep", lambda _: None)
        assert land(settings=replace(database, quiet_seconds=3600)) == {"arriving": 1}
    assert land() == {"refused": 1}
    assert "it is not a manifest of files" in ask("select reason from landing.delivery")[0][0]


def test_a_folder_of_checksums_is_looked_at_twice(patient: Settings, folder: Path, register: Text, land: Any) -> None:
    one = folder / "2026-10-01"
    one.mkdir()
    digest = hashlib.sha256(register(1).encode()).hexdigest()
    (one / "SHA256SUMS").write_text(f"{digest} *ehe_register_child.csv\n")
    assert land() == {"arriving": 1}
    (one / "ehe_register_child.csv").write_text(register(1))
    assert land(settings=patient) == {"arriving": 1}
    assert land() == {"accepted": 1, "rows_in": 1, "loaded": 1}
