"""What came again, late or corrected: nothing twice, nothing lost, and what a run has read stays as it read it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from send_returns import clock, landing, warehouse
from send_returns.failure import Failure
from send_returns.settings import Settings

Text = Callable[..., str]


def test_the_same_bytes_again_are_a_recorded_nothing(folder: Path, register: Text, land: Any, ask: Any) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    land()
    (folder / "2026-10-01 again.csv").write_text(register(1))
    assert land() == {"unchanged": 2}
    assert ask("select name, times from landing.sighting order by 1") == [
        ("2026-10-01 again.csv", 1),
        ("2026-10-01.csv", 1),
    ]
    assert land() == {"unchanged": 2}
    assert ask("select times, last_seen_at > first_seen_at from landing.sighting") == [(2, True), (2, True)]
    assert ask("select count(*) from raw_council.ehe_register__child") == [(1,)]


def test_the_same_bytes_for_another_period_are_that_periods_delivery(
    folder: Path, register: Text, land: Any, ask: Any
) -> None:
    (folder / "2026-10-01.csv").write_text(register(1))
    (folder / "2027-01-14.csv").write_text(register(1))
    assert land() == {"accepted": 2, "rows_in": 2, "loaded": 2}
    assert land() == {"unchanged": 2}
    assert ask("select reference_on::text from landing.delivery where status = 'accepted' order by 1") == [
        ("2026-10-01",),
        ("2027-01-14",),
    ]


def reordered(text: str) -> bytes:
    header, *rows = text.splitlines()
    return "\n".join([header, *reversed(rows)]).encode()


def shuffled(text: str) -> bytes:
    """The columns in another order."""
    return "\n".join(",".join(reversed(line.split(","))) for line in text.splitlines()).encode()


@pytest.mark.parametrize(
    "again",
    [
        reordered,
        shuffled,
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
    ],
)
def test_the_same_data_in_another_dress_is_a_duplicate(
    folder: Path, register: Text, land: Any, ask: Any, again: Callable[[str], bytes]
) -> None:
    text = register(*range(50)).replace("Surname 3,", "Søren,") + ",,,,Nobody,,\n"
    (folder / "2026-10-01.csv").write_text(text)
    assert land() == {"accepted": 1, "rows_in": 51, "loaded": 50, "quarantined": 1}
    (folder / "2026-10-01 again.csv").write_bytes(again(text))
    assert land() == {"duplicate": 1, "unchanged": 1}
    assert ask("select name, rows_in, reason from landing.delivery where status = 'duplicate'") == [
        ("2026-10-01 again.csv", 0, "Its data are those of 2026-10-01.csv, which answers for 2026-10-01.")
    ]
    for table in ("raw_council.ehe_register__child", "landing.delivery_table"):
        assert ask(f"select count(distinct {'_' if 'raw' in table else ''}delivery_id) from {table}") == [(1,)]
    assert ask("select count(*) from landing.quarantine") == [(1,)]
    assert land() == {"unchanged": 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1,,,,Surname 1,,", "1,,,,Surname 2,,"),  # a value
        ("1,,,,Surname 1,,", "1,,,,Surname 1,,31/02/2020"),  # one that cannot be read
        ("1,,,,Surname 1,,\n", "1,,,,Surname 1,,\n1,,,,Surname 1,,\n"),  # a row twice
        (",,,,Nobody,,", ",,,,Somebody,,"),  # a row that is in quarantine
        ("1,,,,Surname 1,,\n2,,,,Surname 2,,", "1,,,,Surname 2,,\n2,,,,Surname 1,,"),  # values between rows
    ],
)
def test_any_other_data_is_a_correction(folder: Path, register: Text, land: Any, ask: Any, old: str, new: str) -> None:
    text = register(*range(50)) + ",,,,Nobody,,\n"
    assert old in text
    (folder / "2026-10-01.csv").write_text(text)
    land()
    (folder / "2026-10-01 corrected.csv").write_text(text.replace(old, new))
    assert land()["accepted"] == 1
    assert ask("select name, status from landing.delivery order by 1") == [
        ("2026-10-01 corrected.csv", "accepted"),
        ("2026-10-01.csv", "superseded"),
    ]


def test_an_older_day_after_a_newer_of_one_period_is_held_until_it_is_released(
    database: Settings, tmp_path: Path, land: Any, ask: Any
) -> None:
    def extract(day: str, child: str) -> None:
        folder = tmp_path / "inbox" / "council" / "ssda903" / f"ssda903_{day}"
        folder.mkdir(parents=True)
        (folder / "SSDA903_header.csv").write_text(f"CHILD,SEX,DOB,ETHNIC\n{child},1,01/02/2010,WBRI\n")

    extract("2026-10-30", "new")
    land()
    extract("2026-09-30", "old")
    assert land() == {"held": 1, "unchanged": 1, "rows_in": 1, "loaded": 1}
    ((held, reason, accepted_at),) = ask(
        "select delivery_id, reason, accepted_at from landing.delivery where status = 'held'"
    )
    assert reason.startswith("It describes 2026-09-30, and ssda903_2026-10-30 describes 2026-10-30. Accept it with")
    assert accepted_at is None
    assert land() == {"unchanged": 2}
    landing.release_held(database, held)
    assert ask("select name, status, reason from landing.delivery order by 1") == [
        ("ssda903_2026-09-30", "accepted", None),
        ("ssda903_2026-10-30", "superseded", None),
    ]
    with pytest.raises(Failure, match="has no held delivery"):
        landing.release_held(database, held)


def known_at(ask: Any, at: object) -> list[str]:
    return [
        name
        for (name,) in ask(
            "select name from landing.delivery where delivery_id in"
            " (select landing.known_at('hertfordshire', 'ehe_register', %s)) order by 1",
            at,
        )
    ]


def test_what_was_known_at_an_instant_can_still_be_asked(folder: Path, register: Text, land: Any, ask: Any) -> None:
    before = clock.now()
    (folder / "2026-10-01 a.csv").write_text(register(1))
    (folder / "2026-10-01 a bad one.csv").write_text("not a register\n")
    land()
    first = clock.now()
    (folder / "2026-10-01 b.csv").write_text(register(1, 2))
    (folder / "2027-01-14.csv").write_text(register(1, 2, 3))
    land()
    assert known_at(ask, before) == []
    assert known_at(ask, first) == ["2026-10-01 a.csv"]
    assert known_at(ask, clock.now()) == ["2026-10-01 b.csv", "2027-01-14.csv"]
    (corrected,) = ask("select accepted_at from landing.delivery where name = '2026-10-01 b.csv'")
    # At each instant one delivery answers: the older until the moment at which the newer does.
    assert known_at(ask, corrected[0]) == ["2026-10-01 b.csv"]
    assert known_at(ask, corrected[0] - timedelta(microseconds=1)) == ["2026-10-01 a.csv"]


RUN = (
    "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
    " values ('r1', 'hertfordshire', '2026-11-01', 'full', 'x', 'x', 'passed')"
)
READ = (
    "select t::text from raw_council.ehe_register__child as t join audit.run_delivery on delivery_id = _delivery_id"
    " where run_id = 'r1' order by 1"
)


@pytest.fixture
def run_has_read(database: Settings, folder: Path, register: Text, land: Any) -> None:
    """A passed run whose manifest is a delivery of two rows."""
    (folder / "2026-10-01.csv").write_text(register(1, 2))
    land()
    with warehouse.connect(database) as connection:
        connection.execute(RUN.encode())
        connection.execute("insert into audit.run_delivery select 'r1', delivery_id from landing.delivery")


@pytest.mark.usefixtures("run_has_read")
def test_a_past_run_reads_what_it_read_before_the_correction(folder: Path, register: Text, land: Any, ask: Any) -> None:
    read = ask(READ)
    assert len(read) == 2
    (folder / "2026-10-01 corrected.csv").write_text(register(1, 3, 4))
    land()
    assert ask("select name from landing.delivery where status = 'accepted'") == [("2026-10-01 corrected.csv",)]
    assert ask(READ) == read


@pytest.mark.usefixtures("run_has_read")
@pytest.mark.parametrize(
    "statement",
    [
        "delete from raw_council.ehe_register__child",
        "update raw_council.ehe_register__child set surname = 'x'",
        "truncate raw_council.ehe_register__child",
        "delete from landing.delivery",
    ],
)
def test_the_database_does_not_let_rows_go_that_a_run_has_read(database: Settings, statement: str, ask: Any) -> None:
    with warehouse.connect(database) as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(statement.encode())
    assert len(ask(READ)) == 2


@pytest.mark.usefixtures("run_has_read")
def test_rows_that_no_run_has_read_may_go(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any
) -> None:
    (folder / "2026-10-01 corrected.csv").write_text(register(1, 3, 4))
    land()
    with warehouse.connect(database) as connection:
        connection.execute(
            "delete from raw_council.ehe_register__child where _delivery_id ="
            " (select delivery_id from landing.delivery where status = 'accepted')"
        )
    assert len(ask(READ)) == 2


@pytest.mark.parametrize("lost", ["landing.quarantine", "landing.delivery_table"])
def test_the_database_does_not_take_a_delivery_that_does_not_add_up(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any, lost: str
) -> None:
    with warehouse.connect(database) as connection:
        connection.execute(
            f"create function lose() returns trigger language plpgsql as 'begin return null; end';"
            f" create trigger lose before insert on {lost} for each row execute function lose()".encode()
        )
    (folder / "2026-10-01.csv").write_text(register(*range(50)) + ",,,,Nobody,,\n")
    with pytest.raises(Failure, match="SQLSTATE 23514"):
        land()
    for table in ("landing.delivery", "raw_council.ehe_register__child"):
        assert ask(f"select count(*) from {table}") == [(0,)]


def test_the_database_does_not_take_fewer_rows_than_came(
    database: Settings, folder: Path, register: Text, land: Any, ask: Any
) -> None:
    with warehouse.connect(database) as connection:
        connection.execute(
            "create function lose() returns trigger language plpgsql as"
            " 'begin if new.ehe_id = ''7'' then return null; end if; return new; end';"
            " create trigger lose before insert on raw_council.ehe_register__child"
            " for each row execute function lose()"
        )
    (folder / "2026-10-01.csv").write_text(register(*range(50)))
    with pytest.raises(Failure, match="SQLSTATE 23514"):
        land()
    assert ask("select count(*) from landing.delivery") == [(0,)]


def test_the_encoding_of_each_file_is_recorded(folder: Path, register: Text, land: Any, ask: Any) -> None:
    (folder / "2026-10-01.csv").write_bytes(register(1).encode("utf-16"))
    (folder / "2026-11-01.csv").write_bytes((register(1) + "2,,,,Zoë,,\n").encode("cp1252"))
    land()
    assert ask("select encoding from landing.delivery_file order by file_name") == [("utf-16",), ("cp1252",)]


def test_a_delivery_much_shorter_than_the_last_is_told_of(folder: Path, register: Text, land: Any, ask: Any) -> None:
    (folder / "2026-10-01.csv").write_text(register(*range(1, 41)))
    (folder / "2026-10-08.csv").write_text(register(*range(1, 41)))
    (folder / "2026-10-15.csv").write_text(register(1))
    assert land()["accepted"] == 3
    assert ask(
        "select name from audit.finding inner join landing.delivery using (delivery_id)"
        " where strpos(message, 'where the last delivery had 40') > 0"
    ) == [("2026-10-15.csv",)]
