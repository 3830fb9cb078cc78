"""Landing into a real Postgres: all or nothing, once, superseding, archived; and no value in any message."""

import hashlib
import logging
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from send_returns import feeds, landing, warehouse
from send_returns.failure import Failure
from send_returns.landing import completeness, loading, reading, stores
from send_returns.settings import Settings

SAMPLES = Path(__file__).parents[1] / "samples"
LONDON = landing.Partnership("hertfordshire", "Sample partnership", "201", "E09000001", None)
AS_OF = date(2024, 11, 1)
HEADER = "ehe_id,upn,uln,nhs_number,surname,forename,date_of_birth\n"
CANARY = "Qx7Canary"


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def everything(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of landing, audit and raw, as text, in order."""
    with warehouse.connect(settings) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('landing', 'audit') or table_schema like 'raw\\_%' order by 1, 2"
        ).fetchall()
        return {
            f"{schema}.{name}": connection.execute(
                sql.SQL("select t::text from {} t order by 1").format(sql.Identifier(schema, name))
            ).fetchall()
            for schema, name in tables
        }


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


Put = Callable[..., Path]


@pytest.fixture
def put(inbox: Path) -> Put:
    """Put a file into the inbox: feed, then the parts of its name."""

    def run(feed: str, *parts: str, content: str | bytes = "") -> Path:
        path = inbox.joinpath("council", feed, *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return run


@pytest.fixture
def samples(inbox: Path) -> Path:
    """The real samples as deliveries."""
    council = inbox / "council"
    shutil.copytree(SAMPLES / "cin", council / "cin_census")
    shutil.copytree(SAMPLES / "school_census", council / "school_census" / "2024_autumn")
    for name, pattern in (("2020", "SSDA903_2020_*.csv"), ("2023", "*INPUT.csv")):
        (council / "ssda903" / name).mkdir(parents=True)
        for path in (SAMPLES / "ssda903").glob(pattern):
            shutil.copy(path, council / "ssda903" / name)
    return inbox


def test_real_samples_land_with_every_row_accounted_for(database: Settings, samples: Path) -> None:
    counts = landing.land(database, "council", samples, AS_OF, LONDON)
    assert (counts["accepted"], counts["refused"], counts["unreadable"]) == (5, 0, 0)
    assert counts["rows_in"] == counts["loaded"] == 12 + 12 + 10 + 23 + 3000
    by_table = ask(
        database,
        "select d.feed, t.table_name, t.rows_loaded, d.delivery_id from landing.delivery_table t"
        " join landing.delivery d using (delivery_id)",
    )
    assert len(by_table) == 10 + 10 + 2 + 1 + 2
    for feed, table, loaded, delivery in by_table:
        target = feeds.load(feed).table(table)
        query = f"select count(*) from {target.raw_schema}.{target.raw_name} where _delivery_id = {delivery}"
        assert ask(database, query) == [(loaded,)]
        # Who joins it next knows how large it is.
        query = f"select reltuples = (select count(*) from {target.raw_schema}.{target.raw_name}) from pg_class"
        assert ask(database, f"{query} where relname = '{target.raw_name}'") == [(True,)]
    found = dict(ask(database, "select rule, count(*) from audit.finding group by rule"))
    assert (found["F12"], found["F11"], found["F06"]) == (1, 1, 5)
    assert found["F03"] >= 3000
    assert ask(
        database, "select _extra ->> 'test_column' from raw_council.ssda903__episodes where _extra ? 'test_column'"
    ) == [("*DUMMY*",)]


def test_landing_twice_changes_nothing(database: Settings, samples: Path) -> None:
    landing.land(database, "council", samples, AS_OF, LONDON)
    before = everything(database)
    again = landing.land(database, "council", samples, AS_OF, LONDON)
    assert (again["accepted"], again["unchanged"], again["rows_in"]) == (0, 5, 0)
    after = everything(database)
    assert before.pop("landing.sighting") == []
    assert len(after.pop("landing.sighting")) == 5
    assert after == before


def test_two_landings_at_once_have_one_effect(database: Settings, samples: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(landing.land, database, "council", samples, AS_OF, LONDON) for _ in range(2)]
        counts = [landed.result() for landed in both]
    assert sorted(count["accepted"] + count["unchanged"] for count in counts) == [5, 5]
    assert sum(count["accepted"] for count in counts) == 5
    assert ask(database, "select count(*) from raw_council.school_census__pupilonroll") == [(1500,)]


def test_files_are_archived_by_their_hash_even_when_refused(database: Settings, put: Put, inbox: Path) -> None:
    path = put("ehe_register", "2026-10-01.csv", content="nothing like a register\n")
    assert landing.land(database, "council", inbox, AS_OF)["refused"] == 1
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = database.home / "archive" / digest
    assert kept.read_bytes() == path.read_bytes()
    assert [entry.name for entry in kept.parent.iterdir()] == [digest]
    assert ask(database, "select status, rows_in, reason from landing.delivery")[0][:2] == ("refused", 0)
    assert ask(database, "select rule, message from audit.finding")[0][0] == "F16"


def test_a_newer_delivery_for_a_period_replaces_the_older(database: Settings, put: Put, inbox: Path) -> None:
    put("ehe_register", "2026-10-01_a.csv", content=HEADER + "1,,,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    put("ehe_register", "2026-10-01_b.csv", content=HEADER + "1,,,,,,\n2,,,,,,\n")
    put("ehe_register", "2026-11-01.csv", content=HEADER + "3,,,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    assert ask(database, "select name, status from landing.delivery order by name") == [
        ("2026-10-01_a.csv", "superseded"),
        ("2026-10-01_b.csv", "accepted"),
        ("2026-11-01.csv", "accepted"),
    ]
    # Replaced rows stay: a past run can be repeated from them.
    assert ask(database, "select count(*) from raw_council.ehe_register__child") == [(4,)]


def test_an_older_file_sent_again_does_not_come_back(database: Settings, put: Put, inbox: Path) -> None:
    old = put("ehe_register", "2026-10-01_a.csv", content=HEADER + "1,,,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    put("ehe_register", "2026-10-01_b.csv", content=HEADER + "2,,,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    put("ehe_register", "2026-10-01_c.csv", content=old.read_bytes())
    assert landing.land(database, "council", inbox, AS_OF)["accepted"] == 0
    assert ask(database, "select name from landing.delivery where status = 'accepted'") == [("2026-10-01_b.csv",)]


def test_beyond_tolerance_nothing_of_the_delivery_stays(database: Settings, put: Put, inbox: Path) -> None:
    put("ehe_register", "2026-10-01.csv", content=HEADER + "1,,,,,,\n" + f",,,,{CANARY},,\n" * 9)
    assert landing.land(database, "council", inbox, AS_OF)["refused"] == 1
    for table in ("raw_council.ehe_register__child", "landing.quarantine", "landing.delivery_table"):
        assert ask(database, f"select count(*) from {table}") == [(0,)]
    assert "9 of 10 rows cannot be taken" in ask(database, "select reason from landing.delivery")[0][0]


def test_what_was_refused_is_tried_again(database: Settings, samples: Path) -> None:
    assert landing.land(database, "council", samples, AS_OF)["refused"] == 2
    again = landing.land(database, "council", samples, AS_OF, LONDON)
    assert (again["accepted"], again["unchanged"]) == (2, 3)
    assert ask(database, "select count(*) from audit.finding where rule = 'F16'") == [(0,)]


def test_quarantined_rows_are_kept_whole_with_their_reasons(database: Settings, put: Put, inbox: Path) -> None:
    rows = "".join(f"{number},,,,,,\n" for number in range(100))
    put("ehe_register", "2026-10-01.csv", content=HEADER + rows + ',,,,"O""Brien, \\x",,\n1,2\n')
    counts = landing.land(database, "council", inbox, AS_OF)
    assert (counts["rows_in"], counts["loaded"], counts["quarantined"]) == (102, 100, 2)
    kept = ask(database, "select row_number, reasons, raw from landing.quarantine order by 1")
    assert [(number, reasons[0][:3], raw) for number, reasons, raw in kept] == [
        (102, "F04", '{"surname":"O\\"Brien, \\\\x"}'),
        (103, "F05", '["1", "2"]'),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "2026-10-01'; drop table landing.delivery; --.csv",
        "2026-10-01\n\\.\n.csv",
        '2026-10-01",{x}%s%(a)s.csv',
        b"2026-10-01\xff\xfe.csv",
        "2026-10-01 $(touch x) ...csv",
    ],
)
def test_hostile_names_are_only_text(database: Settings, inbox: Path, name: str | bytes) -> None:
    folder = inbox / "council" / "ehe_register"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(name)).write_text(HEADER + "1,,,,,,\n")
    assert landing.land(database, "council", inbox, AS_OF)["accepted"] == 1
    stored = ask(
        database, "select d.name, f.file_name from landing.delivery d join landing.delivery_file f using (delivery_id)"
    )
    expected = os.fsencode(name).decode("utf-8", "backslashreplace")
    assert stored == [(expected, expected)]


def test_links_pipes_and_unfinished_files_are_left_alone(
    database: Settings, put: Put, inbox: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(HEADER + "1,,,,,,\n")
    put("ehe_register", "2026-10-01.csv.part", content=HEADER + "2,,,,,,\n")
    put("ehe_register", ".2026-10-01.csv", content=HEADER + "3,,,,,,\n")
    (inbox / "council/ehe_register/2026-10-02.csv").symlink_to(secret)
    os.mkfifo(inbox / "council/ehe_register/2026-10-03.csv")
    set_ = inbox / "council/ehe_register/2026-10-04"
    set_.mkdir()
    (set_ / "a.csv").symlink_to(secret)
    counts = landing.land(database, "council", inbox, AS_OF)
    assert (counts["accepted"], counts["unreadable"]) == (0, 3)
    assert list((database.home / "archive").iterdir()) == []


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(
    database: Settings, put: Put, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("ehe_register", "2026-10-01.csv", content=HEADER + "1,,,,,,\n")

    class Growing(feeds.Examiner):
        def update(self, chunk: bytes) -> None:
            super().update(chunk)
            with path.open("a") as file:
                file.write("2,,,,,,\n")

    monkeypatch.setattr(feeds, "Examiner", Growing)
    counts = landing.land(database, "council", inbox, AS_OF)
    assert (counts["arriving"], counts["accepted"]) == (1, 0)
    monkeypatch.undo()
    assert landing.land(database, "council", inbox, AS_OF)["accepted"] == 1


def test_no_value_reaches_a_log_an_exception_or_a_finding(
    database: Settings, put: Put, inbox: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    rows = "".join(f"{number},,,,,,\n" for number in range(100))
    bad = f"200,{','.join([CANARY] * 6)}\n,,,,{CANARY},,\n201,{CANARY}\n"
    put("ehe_register", "2026-10-01.csv", content=HEADER + rows + bad)
    put("ehe_register", "2026-10-02.csv", content=f"{CANARY},{CANARY}\n")
    put("sen2", "sen2.xml", content=f"<Message><{CANARY}>{CANARY}</Person></Message>")
    assert landing.land(database, "council", inbox, AS_OF)["accepted"] == 1
    told = ask(
        database,
        "select f::text from audit.finding f union all select reason from landing.delivery"
        " union all select array_to_string(reasons, '') from landing.quarantine",
    )
    assert CANARY not in str(told)
    assert CANARY not in caplog.text

    # Even if a value slipped past the door, the server's own message about it must not be passed on.
    put("ehe_register", "2026-10-03.csv", content=HEADER + "1,,,,,,\n")
    monkeypatch.setattr(reading, "_csv", lambda _: f"{CANARY}\n".encode())
    with pytest.raises(Failure, match="SQLSTATE 22P0") as failure:
        landing.land(database, "council", inbox, AS_OF)
    chain = [
        failure.value,
        failure.value.__cause__,
        failure.value.__context__ if not failure.value.__suppress_context__ else None,
    ]
    assert CANARY not in "".join(map(str, chain))
    assert CANARY not in caplog.text


def test_the_database_refuses_counts_that_do_not_add_up(database: Settings, put: Put, inbox: Path) -> None:
    put("ehe_register", "2026-10-01.csv", content=HEADER + "1,,,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    with warehouse.connect(database) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update landing.delivery_table set rows_in = rows_in + 1")


def test_ids_are_the_same_in_every_database() -> None:
    given = ("hertfordshire", "sen2", "0" * 64, "2026", "1.0.0")
    assert reading.delivery_id(*given) == 6330563386967072058
    for position, other in enumerate(("essex", "csds", "1" * 64, "", "1.0.1")):
        changed = [*given]
        changed[position] = other
        assert reading.delivery_id(*changed) != reading.delivery_id(*given)


def test_unknown_organisation_inbox_or_partnership_is_a_clear_failure(database: Settings, inbox: Path) -> None:
    with pytest.raises(Failure, match="is not one of council, icb, reference"):
        landing.land(database, "school", inbox, AS_OF)
    with pytest.raises(Failure, match="is not a folder"):
        landing.land(database, "council", inbox / "nowhere", AS_OF)
    with pytest.raises(Failure, match="Partnership atlantis is not known"):
        landing.partnership("atlantis", AS_OF)
    with pytest.raises(Failure, match="names no ICB"):
        landing.partnership("hertfordshire", date(2020, 1, 1))


def test_the_icb_changes_with_the_date() -> None:
    assert landing.partnership("hertfordshire", date(2026, 3, 31)).icb_code == "QM7"
    assert landing.partnership("hertfordshire", date(2026, 4, 1)).icb_code is None
    assert landing.partnership("hertfordshire", AS_OF).la_number == "919"


def test_a_folder_that_may_not_be_opened_is_told_and_the_rest_is_found(
    database: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # Root may open any folder, so root looks as somebody else, who cannot enter pytest's own folders.
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder)
        inbox.chmod(0o755)
        for name in ("2026_autumn", "2026_closed"):
            (inbox / "council" / "ehe_register" / name).mkdir(parents=True)
        (inbox / "council" / "ehe_register" / "2026_closed").chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            found = list(completeness.discover(stores.Folder(inbox), "council", feeds.feeds("council")))
        finally:
            if is_root:
                os.seteuid(0)
        assert [(one.name, one.is_set) for one in found] == [("2026_autumn", True), ("2026_closed", False)]
        assert loading._archived(database, stores.Folder(inbox), found[1]) == "unreadable"
    assert "2026_closed cannot be read" in caplog.text
