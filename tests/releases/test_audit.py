"""The chain: nothing is recorded but what was, and nothing that was recorded can be changed unseen."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from tests.releases.conftest import COUNCIL, FIRST, HERTS, ICB, Line

from send_returns import warehouse
from send_returns.releases import audit, register
from send_returns.releases.acting import acting
from send_returns.settings import Settings


def test_what_happens_to_a_release_is_on_record_without_anyone_recording_it(line: Line) -> None:
    release = line.reach("published")
    register.withdraw(line.connection, release.release_id, "A feed was mistaken.", by="registrar")
    told = [one for one in audit.events(line.connection, 100) if one.subject == release.release_id]
    assert [(one.kind, one.database_role, one.person, one.detail.get("state")) for one in reversed(told)] == [
        ("release", "release_drafter", "send-returns", "draft"),
        ("release", "release_drafter", "send-returns", "validated"),
        ("signature", "release_council_signer", COUNCIL, None),
        ("signature", "release_icb_signer", ICB, None),
        ("release", "release_publisher", ICB, "signed"),
        ("release", "release_publisher", "send-returns", "published"),
        ("release", "release_publisher", "registrar", "withdrawn"),
    ]
    assert "mistaken" not in str(told)
    assert audit.verify_chain(line.connection) is None


def test_runs_gates_and_decisions_are_on_record(connection: psycopg.Connection) -> None:
    told = {(one.kind, one.subject, one.detail.get("status")) for one in audit.events(connection, 100_000)}
    assert told >= {
        ("run", "r1", "built"),
        ("gate", "r1", "passed"),
        ("gate", "r3", "failed"),
        ("decision", f"signer {COUNCIL}", None),
    }
    with connection.transaction(force_rollback=True):
        connection.execute(
            "insert into identity.decision (partnership, left_id, right_id, verdict, needed, reviewer, reason,"
            " decided_at) values (%s, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',"
            " 'same', 1, 'reviewer', 'Same birth date as Jane Smith.', 'epoch')",
            [HERTS],
        )
        connection.execute(
            "insert into rights.removal (partnership, kind, from_on, reason, decided_by)"
            " values (%s, 'retention', '2026-01-01', 'Its time is over.', 'registrar')",
            [HERTS],
        )
        connection.execute("set constraints all immediate")
        *_, newest = reversed(audit.events(connection, 2))
        last = [(one.kind, one.person, one.subject.split()[0], one.detail) for one in audit.events(connection, 2)]
    assert last == [
        ("decision", "registrar", "removal", {"kind": "retention", "withdrawn": False}),
        ("decision", "reviewer", "review", {"verdict": "same"}),
    ]
    assert newest.database_role == "send_returns"


def test_what_was_read_is_recorded_for_a_person(line: Line) -> None:
    audit.record(line.connection, "read", line.return_name, "Una\nReed", {"rows": 12}, "release_reader")
    (one,) = audit.events(line.connection, 1)
    assert (one.kind, one.subject, one.person, one.database_role) == (
        "read",
        line.return_name,
        "Una Reed",
        "release_reader",
    )
    assert one.detail == {"rows": 12}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        audit.record(line.connection, "signature", line.return_name, COUNCIL)  # type: ignore[arg-type]


def test_a_trigger_of_ones_own_records_nothing_that_was_not(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("set local role release_reader")
        connection.execute("create temporary table mine (kind text)")
        connection.execute(
            "create function pg_temp.forge() returns trigger language plpgsql as $$ begin insert into audit.event"
            " (person, kind, subject) values ('dcs.council', new.kind, 'sen2'); return null; end $$"
        )
        connection.execute("create trigger forge after insert on mine for each row execute function pg_temp.forge()")
        # What the database records says as which role, which nobody else has the right to say.
        with pytest.raises(psycopg.errors.NotNullViolation, match="database_role"):
            connection.execute("insert into mine values ('signature')")


@pytest.mark.parametrize("function", ["signature", "release", "signer", "run", "decision"])
def test_what_the_database_tells_by_is_nobodys_to_call(connection: psycopg.Connection, function: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("set local role release_reader")
        connection.execute("create temporary table mine (release_id text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"tell_{function}"):
            connection.execute(
                f"create trigger forge after insert on mine for each row execute function audit.tell_{function}()"
            )


def test_writers_at_once_make_one_chain(database: Settings, connection: psycopg.Connection) -> None:
    before = audit.newest(connection).seq
    ready = threading.Barrier(6)

    def write(number: int) -> None:
        with warehouse.connect(database, autocommit=True) as own:
            ready.wait()
            for time in range(10):
                audit.record(own, "read", f"list {number}.{time}", f"reader {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.newest(connection).seq == before + 60
    assert audit.verify_chain(connection) is None
    own = [one.subject for one in reversed(audit.events(connection, 60)) if one.person == "reader 3"]
    assert own == [f"list 3.{time}" for time in range(10)]


def test_a_writer_waits_for_one_who_has_not_finished(database: Settings, connection: psycopg.Connection) -> None:
    with warehouse.connect(database) as first, warehouse.connect(database) as second:
        first.execute("select")  # begins a transaction
        audit.record(first, "read", "first", "reader")
        second.execute("set lock_timeout = 100")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            audit.record(second, "read", "second", "reader")
        first.rollback()
        second.rollback()
        # One whose view of the database is from before another wrote cannot write after it: it would fork the chain.
        second.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        second.execute("select count(*) from audit.event")
        audit.record(connection, "read", "meanwhile", "reader")
        with pytest.raises(psycopg.errors.UniqueViolation):
            audit.record(second, "read", "second", "reader")
        second.rollback()
    assert audit.verify_chain(connection) is None


@pytest.fixture
def tampering(line: Line, superuser: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A superuser behind the triggers, with something to tamper with."""
    line.reach("published")
    superuser.execute("set local session_replication_role = replica")
    assert audit.verify_chain(superuser) is None
    assert audit.altered(superuser) == []
    return superuser


@pytest.mark.parametrize(
    "change",
    [
        "recorded_at = recorded_at + interval '1 microsecond'",
        "database_role = 'release_reader'",
        "person = 'somebody'",
        "kind = 'read'",
        "subject = subject || '0'",
        "detail = detail || '{\"attempt\": 9}'",
        "previous_sha256 = repeat('0', 63) || '1'",
        "sha256 = repeat('0', 64)",
        "person = chr(31) || person, database_role = ''",
        "seq = seq + 1000000",
    ],
)
def test_whatever_is_changed_in_an_entry_shows(change: str, tampering: psycopg.Connection) -> None:
    [(seq,)] = tampering.execute("select max(seq) - 3 from audit.event where kind = 'release'").fetchall()
    if "chr(31)" in change:
        tampering.execute("alter table audit.event drop constraint of_one_line_each")
    tampering.execute(f"update audit.event set {change} where seq = %s".encode(), [seq])
    assert audit.verify_chain(tampering) == seq


def test_every_entry_counts(tampering: psycopg.Connection) -> None:
    [(last,)] = tampering.execute("select max(seq) from audit.event").fetchall()
    for seq in {1, 2, last // 2, last - 1, last}:
        with tampering.transaction(force_rollback=True):
            tampering.execute("update audit.event set person = 'somebody' where seq = %s", [seq])
            assert audit.verify_chain(tampering) == seq
        with tampering.transaction(force_rollback=True):
            tampering.execute("delete from audit.event where seq = %s", [seq])
            found = audit.verify_chain(tampering)
            # The newest leaves no gap: only who has kept its hash misses it.
            assert found == (None if seq == last else seq)


def test_an_entry_written_anew_with_its_hash_breaks_the_next(tampering: psycopg.Connection) -> None:
    [(seq,)] = tampering.execute("select max(seq) - 3 from audit.event").fetchall()
    tampering.execute(
        "update audit.event set person = 'somebody', sha256 = encode(sha256(convert_to(concat_ws(e'\\x1f',"
        " previous_sha256, seq, (extract(epoch from recorded_at) * 1000000)::bigint, database_role, 'somebody', kind,"
        " subject, detail), 'UTF8')), 'hex') where seq = %s",
        [seq],
    )
    assert audit.verify_chain(tampering) == seq + 1


def test_an_end_that_is_cut_off_is_missed_by_what_was_published(line: Line, tampering: psycopg.Connection) -> None:
    anchor = audit.newest(tampering)
    tampering.execute("delete from audit.event where seq = %s", [anchor.seq])
    assert audit.verify_chain(tampering) is None
    assert audit.verify_chain(tampering, [anchor]) == anchor.seq
    [(carried,)] = tampering.execute(
        "select anchor_seq from release.release where release_id = %s", [line.release_id()]
    ).fetchall()
    tampering.execute("delete from audit.event where seq >= %s", [carried])
    assert audit.verify_chain(tampering) == carried


@pytest.mark.parametrize(
    "statement",
    [
        "update release.release set state = 'superseded', superseded_by = 2 where release_id = %(id)s",
        "update release.release set run_id = 'r2' where release_id = %(id)s",
        "update release.release set published_at = 'epoch' where release_id = %(id)s",
        "update release.signature set signed_at = 'epoch' where release_id = %(id)s",
        "delete from release.signature where release_id = %(id)s and organisation = 'icb'",
        "update release.signer set name = 'Somebody' where username = 'chief.icb'",
        "update release.file set sha256 = repeat('0', 64) where release_id = %(id)s and name = 'list.csv'",
        "update release.figure set value = 99.9 where release_id = %(id)s",
        "delete from release.hidden where release_id = %(id)s",
        "delete from release.release where release_id = %(id)s",
        "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal, run_id,"
        " inputs_sha256, pack_sha256, previous_state, previous_attempt, moved_as, moved_by) select %(id)s || '0',"
        " partnership, return_name, as_of, 10, false, run_id, inputs_sha256, pack_sha256, 'new', 0, '', ''"
        " from release.release where release_id = %(id)s",
    ],
)
def test_a_release_that_is_changed_behind_the_triggers_is_found(
    statement: str, line: Line, superuser: psycopg.Connection
) -> None:
    release = line.draft()
    with acting(line.connection, "release_drafter"):
        key = [release.release_id]
        line.connection.execute(
            "insert into release.figure (release_id, attempt, return_table, measure, period_kind, value, status)"
            " values (%s, 1, 'plans', 'share', 'month', 56.3, '')",
            key,
        )
        line.connection.execute(
            "insert into release.hidden (release_id, attempt, return_table, measure, period_kind, reason)"
            " values (%s, 1, 'plans', 'count', 'month', 'small')",
            key,
        )
    assert line.reach("published", FIRST).release_id == release.release_id
    superuser.execute("set local session_replication_role = replica")
    assert audit.altered(superuser) == []
    superuser.execute(statement.encode(), {"id": release.release_id})
    assert set(audit.altered(superuser)) >= {release.release_id + ("0" if "insert" in statement else "")}
