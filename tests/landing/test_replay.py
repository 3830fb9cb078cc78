"""After a change of contract, what was refused or quarantined is read again from the archive, as a new reading."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import clock, feeds, landing, warehouse
from send_returns.failure import Failure
from send_returns.settings import Settings

AS_OF = date(2026, 11, 1)
Change = Callable[..., None]
Text = Callable[..., str]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Make the contract of the register a newer one: another tolerance, and other columns that are essential."""
    original = feeds.feeds

    def run(version: str, tolerance: float | None = None, essential: bool | None = None) -> None:
        def changed(feed: feeds.Feed) -> feeds.Feed:
            if feed.id != "ehe_register":
                return feed
            tables = feed.tables
            if essential is not None:
                (table,) = tables
                columns = tuple(
                    replace(column, essential=essential) if column.name == "ehe_id" else column
                    for column in table.columns
                )
                tables = (replace(table, columns=columns),)
            return replace(
                feed,
                version=version,
                tables=tables,
                tolerance=feed.tolerance if tolerance is None else tolerance,
            )

        monkeypatch.setattr(feeds, "feeds", lambda *given, **named: tuple(map(changed, original(*given, **named))))

    return run


def replay(settings: Settings, feed: str | None = None) -> dict[str, Any]:
    return {name: count for name, count in landing.replay(settings, AS_OF, feed).items() if count}


def test_rows_in_quarantine_are_taken_once_the_contract_lets_them_in(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, change: Change
) -> None:
    (folder / "2026-10-01.csv").write_text(register(*range(50)) + ",,,,Nobody,,\n")
    assert land()["quarantined"] == 1
    (old,) = ask("select delivery_id from landing.delivery")
    before = clock.now()
    read = "select t::text from raw_council.ehe_register__child as t where _delivery_id = %s order by 1"
    rows = ask(read, *old)
    with warehouse.connect(database) as connection:
        connection.execute(
            "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
            " values ('r1', 'hertfordshire', '2026-11-01', 'full', 'x', 'x', 'passed')"
        )
        connection.execute("insert into audit.run_delivery values ('r1', %s)", old)
    assert replay(database) == {}
    (folder / "2026-10-01.csv").unlink()

    change("2027.1.0", essential=False)
    assert replay(database) == {"read_again": 1, "accepted": 1, "rows_in": 51, "loaded": 51}
    readings = ask(
        "select contract_version, status, rows_in, rows_loaded, rows_quarantined, delivery_id = %s, received_at"
        " from landing.delivery order by accepted_at",
        *old,
    )
    assert [row[:-1] for row in readings] == [
        ("2026.1.0", "superseded", 51, 50, 1, True),
        ("2027.1.0", "accepted", 51, 51, 0, False),
    ]
    # Received once, known since it was read so.
    assert len({row[-1] for row in readings}) == 1
    assert ask("select landing.known_at('hertfordshire', 'ehe_register', %s)", before) == [old]
    # The run of the earlier reading still reads that.
    assert ask(read, *old) == rows
    assert ask("select count(*) from landing.quarantine where delivery_id = %s", *old) == [(1,)]
    assert replay(database) == {}


def test_what_was_refused_is_taken_and_no_longer_owed(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, change: Change
) -> None:
    (folder / "2026-10-01.csv").write_text(register(*range(5)) + ",,,,Nobody,,\n" * 5)
    assert land() == {"refused": 1}
    change("2027.1.0", tolerance=0.9)
    assert replay(database, "sen2") == {}
    assert replay(database, "ehe_register") == {
        "read_again": 1, "accepted": 1, "rows_in": 10, "loaded": 5, "quarantined": 5
    }  # fmt: skip
    assert ask("select status, accepted_at is null from landing.delivery order by contract_version") == [
        ("superseded", True),
        ("accepted", False),
    ]
    assert ask("select state from landing.arrival where feed = 'ehe_register' and as_of = %s", AS_OF) == [("accepted",)]
    # It has rows in quarantine still, but there is nothing newer to read it under.
    assert replay(database) == {}
    assert land() == {"unchanged": 1}


def test_a_correction_that_came_since_keeps_its_place(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, change: Change
) -> None:
    (folder / "2026-10-01 a.csv").write_text(register(*range(5)) + ",,,,Nobody,,\n" * 5)
    land()
    (folder / "2026-10-01 b.csv").write_text(register(*range(6)))
    land()
    change("2027.1.0", tolerance=0.9)
    assert replay(database)["held"] == 1
    assert ask("select name, status from landing.delivery where status <> 'superseded' order by 1") == [
        ("2026-10-01 a.csv", "held"),
        ("2026-10-01 b.csv", "accepted"),
    ]
    assert ask("select reason from landing.delivery where status = 'held'")[0][0].startswith(
        "It was received before 2026-10-01 b.csv"
    )


def test_a_set_is_read_again_with_its_names_and_its_manifest(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, change: Change
) -> None:
    one = folder / "2026-10-01"
    one.mkdir()
    (one / "ehe_register_child.csv").write_text(register(*range(50)) + ",,,,Nobody,,\n")
    (one / "manifest.json").write_text("{}")
    assert land() == {"refused": 1}
    change("2027.1.0", essential=False)
    assert replay(database) == {"read_again": 1, "refused": 1}
    (one / "manifest.json").unlink()
    assert land()["loaded"] == 51
    assert ask("select count(*) from landing.delivery where status = 'accepted'") == [(1,)]


def test_what_the_archive_no_longer_holds_as_it_came_is_told(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, change: Change
) -> None:
    (folder / "2026-10-01.csv").write_text(register(*range(50)) + ",,,,Nobody,,\n")
    (folder / "2026-10-02.csv").write_text(register(*range(60)) + ",,,,Nobody,,\n")
    land()
    first, second = sorted((database.home / "archive").iterdir())
    first.unlink()
    second.chmod(0o600)
    second.write_text(register(1))
    change("2027.1.0", essential=False)
    assert replay(database) == {"damaged": 2}
    assert ask("select count(*) from landing.delivery where status = 'accepted'") == [(2,)]


def test_a_feed_without_a_contract_is_told(database: Settings) -> None:
    with pytest.raises(Failure, match="Feed nothing has no contract: choose one of"):
        landing.replay(database, AS_OF, "nothing")
