"""Pseudonyms on a real warehouse: the same as anybody would work out who has the key, and without the key no run."""

import base64
import csv
import hashlib
import json
import os
import secrets
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from send_returns import cli, clock, feeds, stages, warehouse
from send_returns.identity import pseudonyms
from send_returns.identity.pseudonyms import MARTS, KeyRefused
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)


def _hmac_sha256(key: bytes, message: bytes) -> str:
    """RFC 2104 word for word, by the bare hash function."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


def _open(settings: Settings, *persons: str, run_id: str = "r1") -> None:
    """A run, with the current key, that has linked one record for each of these persons."""
    with warehouse.connect(settings) as connection:
        connection.execute(
            "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
            " content_sha256, status, rows_in, rows_loaded, rows_quarantined)"
            " values (1, 'hertfordshire', 'council', 'sen2', '1', 'sen2', repeat('1', 64), 'accepted', 0, 0, 0)"
            " on conflict do nothing"
        )
        connection.execute(
            "insert into audit.run values (%s, 'hertfordshire', %s, 'full', 'test', 'test', 'open')", [run_id, AS_OF]
        )
        connection.execute("insert into audit.run_delivery values (%s, 1)", [run_id])
        connection.execute(
            "insert into audit.run_key values (%s, 'marts', %s)",
            [run_id, pseudonyms.current(settings, MARTS).key_id],
        )
        for person_id in persons:
            connection.execute(
                "insert into identity.person (person_id, partnership, first_run_id) values (%s, 'hertfordshire', %s)"
                " on conflict do nothing",
                [person_id, run_id],
            )
            connection.execute(
                "insert into identity.link (delivery_id, row_number, feed, table_name, person_id, method, score,"
                " explanation) select 1, count(*) + 2, 'sen2', 'sen2__person', %s, 'exact', 1, ''"
                " from identity.link",
                [person_id],
            )


def _child_keys(settings: Settings) -> dict[tuple[str, str], str]:
    """The child key of each (person, key)."""
    with warehouse.connect(settings) as connection:
        rows = connection.execute("select person_id, key_id, child_key from identity.child_key").fetchall()
    return {(person_id, key_id): made for person_id, key_id, made in rows}


# What a child key is.


def test_a_child_key_is_what_the_standard_says(database: Settings) -> None:
    key = pseudonyms.new(database, MARTS)
    _open(database, "P0000000001", "P0000000002")
    assert pseudonyms.assign(database, "r1") == {"child_keys": 2, "new_child_keys": 2}
    assert _child_keys(database) == {
        (person, "marts-1"): _hmac_sha256(key.secret, f"marts:{person}".encode())
        for person in ("P0000000001", "P0000000002")
    }


def test_it_stays_and_only_new_persons_get_one(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1")
    pseudonyms.assign(database, "r1")
    before = _child_keys(database)
    assert pseudonyms.assign(database, "r1") == {"child_keys": 1, "new_child_keys": 0}
    _open(database, "P1", "P2", run_id="r2")
    assert pseudonyms.assign(database, "r2") == {"child_keys": 2, "new_child_keys": 1}
    assert before.items() < _child_keys(database).items()


def test_another_purpose_gives_another_one(database: Settings) -> None:
    marts, other = pseudonyms.new(database, MARTS), pseudonyms.new(database, "research")
    assert marts.secret != other.secret
    assert pseudonyms.child_key(marts, "P1") != pseudonyms.child_key(other, "P1")
    # Even where somebody gave both purposes the same key.
    assert pseudonyms.child_key(replace(other, secret=marts.secret), "P1") != pseudonyms.child_key(marts, "P1")


def test_a_county_takes_about_a_second(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database)
    with warehouse.connect(database) as connection:
        connection.execute(
            "insert into identity.link (delivery_id, row_number, feed, table_name, person_id, method, score,"
            " explanation) select 1, n, 'sen2', 'sen2__person', 'P' || lpad(n::text, 10, '0'), 'exact', 1, 'test'"
            " from generate_series(1, 250000) as n"
        )
    started = clock.monotonic()
    assert pseudonyms.assign(database, "r1")["new_child_keys"] == 250_000
    assert clock.monotonic() - started < 10, "ten times what it takes"


# Rotation.


def test_a_rotated_key_gives_every_child_another_one_and_keeps_the_old(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1", "P2")
    pseudonyms.assign(database, "r1")
    before = _child_keys(database)
    assert pseudonyms.rotate(database, MARTS).key_id == "marts-2"
    assert [key.key_id for key in pseudonyms.keys(database)] == ["marts-1", "marts-2"]
    _open(database, "P2", "P3", run_id="r2")
    assert pseudonyms.assign(database, "r2")["new_child_keys"] == 3
    after = _child_keys(database)
    assert before.items() < after.items()
    assert len(set(after.values())) == 5


def test_an_old_child_key_is_mapped_to_the_new_one(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1", "P2", "P3")
    pseudonyms.assign(database, "r1")
    old = _child_keys(database)
    new = pseudonyms.rotate(database, MARTS)
    with warehouse.connect(database) as connection:
        connection.execute("delete from identity.child_key where person_id = 'P3'")
    pairs = pseudonyms.mapping(database, "marts-1")
    assert dict(pairs) == {old[person, "marts-1"]: pseudonyms.child_key(new, person) for person in ("P1", "P2")}
    assert pairs == sorted(pairs)
    assert pseudonyms.mapping(replace(database, partnership="elsewhere"), "marts-1") == []
    with pytest.raises(KeyRefused, match="marts-2 is the current key"):
        pseudonyms.mapping(database, "marts-2")
    with pytest.raises(KeyRefused, match="There is no key marts-9"):
        pseudonyms.mapping(database, "marts-9")


def test_a_run_that_was_opened_before_a_rotation_is_opened_again(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1")
    pseudonyms.rotate(database, MARTS)
    with pytest.raises(KeyRefused, match="Run r1 was opened with the key marts-1, and marts-2 is current"):
        pseudonyms.assign(database, "r1")
    assert _child_keys(database) == {}


def test_another_key_under_the_name_of_one_that_was_used_is_refused(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1")
    pseudonyms.assign(database, "r1")
    before = _child_keys(database)
    (database.keys / "marts-1").unlink()
    pseudonyms.new(database, MARTS)
    _open(database, "P1", "P2", run_id="r2")
    with pytest.raises(KeyRefused, match="marts-1 is not the one that made the child keys of that name"):
        pseudonyms.assign(database, "r2")
    assert _child_keys(database) == before


# Key files.


def test_a_key_is_random_and_for_its_owner_only(tmp_path: Path) -> None:
    made = []
    for home in (tmp_path / "one", tmp_path / "two"):
        settings = Settings(home=home)
        home.mkdir(mode=0o700)
        made.append(pseudonyms.new(settings, MARTS))
        file = settings.keys / "marts-1"
        assert [path.name for path in settings.keys.iterdir()] == ["marts-1"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in (settings.keys, settings.keys.parent)} == {0o700}
        assert pseudonyms.current(settings, MARTS) == made[-1]
    assert made[0].secret != made[1].secret
    assert len(made[0].secret) == 32
    assert made[0].made_on == clock.today()
    assert made[0].secret.hex() not in repr(made[0])
    assert repr(made[0].secret) not in repr(made[0])


def test_the_keys_can_be_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from send_returns import settings as settings_module
    from send_returns.orchestration import environment

    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEND_RETURNS_KEYS", str(tmp_path / "elsewhere" / "keys"))
    settings = settings_module.load()
    pseudonyms.new(settings, MARTS)
    assert (tmp_path / "elsewhere" / "keys" / "marts-1").is_file()
    assert not (tmp_path / "home" / "secrets" / "keys").exists()
    assert environment.own_environment(settings)["SEND_RETURNS_KEYS"] == str(tmp_path / "elsewhere" / "keys")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(mode: int, database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    (database.keys / "marts-1").chmod(mode)
    with pytest.raises(KeyRefused, match="Others than its owner can read the key file"):
        pseudonyms.current(database, MARTS)


def test_a_folder_that_others_can_write_to_is_refused(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    database.keys.chmod(0o770)
    with pytest.raises(KeyRefused, match="Others can write to"):
        pseudonyms.current(database, MARTS)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "does not hold a key"),
        (b"{canary", "does not hold a key"),
        (b'["canary"]', "does not hold a key"),
        (b'{"key": "canary", "made_on": "2026-10-30"}', "does not hold a key"),
        (b'{"key": "' + b"ab" * 32 + b'", "made_on": "canary"}', "does not hold a key"),
        (b'{"key": "' + b"ab" * 32 + b'"}', "does not hold a key"),
        (b'{"key": "abcdef", "made_on": "2026-10-30"}', "is not 32 bytes long"),
        (b'{"key": "' + b"ab" * 33 + b'", "made_on": "2026-10-30"}', "is not 32 bytes long"),
        (b"\xff\xfecanary", "cannot be read"),
    ],
    ids=["empty", "cut", "list", "no_hex", "no_day", "day_missing", "short", "long", "binary"],
)
def test_a_malformed_key_is_refused_without_its_contents(content: bytes, told: str, database: Settings) -> None:
    database.keys.mkdir(parents=True, mode=0o700)
    file = database.keys / "marts-1"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeyRefused, match=told) as refused:
        pseudonyms.current(database, MARTS)
    said = str(refused.value)
    assert "\n" not in said
    assert "marts-1" in said
    assert not any(part in said for part in ("canary", "abab", "abcdef"))
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_broken_newest_key_is_not_passed_over_for_an_older_one(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    pseudonyms.rotate(database, MARTS)
    (database.keys / "marts-2").write_text("{}")
    with pytest.raises(KeyRefused, match="marts-2 does not hold a key"):
        pseudonyms.current(database, MARTS)


def test_the_tenth_key_comes_after_the_ninth(database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    for _ in range(9):
        pseudonyms.rotate(database, MARTS)
    assert pseudonyms.current(database, MARTS).key_id == "marts-10"


@pytest.mark.parametrize("purpose", ["", "Marts", "../marts", "marts-1", "a b", "a" * 32])
def test_a_purpose_is_a_plain_word(purpose: str, database: Settings) -> None:
    with pytest.raises(KeyRefused, match="A purpose is a word"):
        pseudonyms.new(database, purpose)
    assert not database.keys.exists()


def test_a_key_is_never_overwritten(database: Settings) -> None:
    before = pseudonyms.new(database, MARTS)
    with pytest.raises(KeyRefused, match="marts has a key already"):
        pseudonyms.new(database, MARTS)
    with pytest.raises(KeyRefused, match="was made by another process just now"):
        pseudonyms._make(database, MARTS, 1)
    assert pseudonyms.keys(database) == [before]
    assert [path.name for path in database.keys.iterdir()] == ["marts-1"]


# The command line.


@pytest.fixture
def send_returns(
    database: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "SendReturns":
    monkeypatch.setenv("SEND_RETURNS_HOME", str(database.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(database.database_url))
    monkeypatch.delenv("SEND_RETURNS_KEYS", raising=False)
    return SendReturns(monkeypatch, capsys)


@dataclass
class SendReturns:
    """The program, called in this process: its exit code and what it said; everything that it ever said is `said`."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    said: str = ""

    def __call__(self, *words: str) -> tuple[int, str]:
        self.monkeypatch.setattr("sys.argv", ["send-returns", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        now = "".join(self.capsys.readouterr())
        self.said += now
        return int(stopped.value.code or 0), now


def test_keys_are_made_listed_and_rotated_without_being_shown(database: Settings, send_returns: SendReturns) -> None:
    assert send_returns("key", "list")[0] == 0
    assert send_returns("key", "rotate", "marts")[0] == 1
    assert send_returns("key", "new", "marts")[0] == 0
    assert send_returns("key", "new", "marts")[0] == 1
    assert send_returns("key", "new", "research")[0] == 0
    assert send_returns("key", "rotate", "marts")[0] == 0
    code, listed = send_returns("key", "list")
    today = str(clock.today())
    assert code == 0
    rows = [line.split() for line in listed.splitlines() if "-1" in line or "-2" in line]
    assert rows == [["marts-1", today, today], ["marts-2", today], ["research-1", today]]
    assert all(key.secret.hex() not in send_returns.said for key in pseudonyms.keys(database))


def test_the_mapping_is_a_new_file_for_its_owner_only(
    database: Settings, send_returns: SendReturns, tmp_path: Path
) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1")
    pseudonyms.assign(database, "r1")
    (old,) = _child_keys(database).values()
    new = pseudonyms.rotate(database, MARTS)
    out = tmp_path / "map.csv"
    assert send_returns("key", "map", "marts-1", "--out", str(out))[0] == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with out.open(newline="") as file:
        assert list(csv.reader(file)) == [["child_key_before", "child_key"], [old, pseudonyms.child_key(new, "P1")]]
    before = out.read_bytes()
    code, said = send_returns("key", "map", "marts-1", "--out", str(out))
    assert code == 1
    assert "File exists" in said
    assert out.read_bytes() == before
    assert old not in send_returns.said


def test_without_a_key_no_run_is_opened(database: Settings, send_returns: SendReturns) -> None:
    code, said = send_returns("link", "--as-of", str(AS_OF))
    assert code == 1
    assert said.startswith("KeyRefused: There is no key of marts in ")
    assert said.endswith("`send-returns key new marts`.\n")
    assert said.count("\n") == 1
    with warehouse.connect(database) as connection:
        assert connection.execute("select count(*) from audit.run").fetchone() == (0,)


# What gets out.


@dataclass
class Wire:
    """Every byte that went to the server and came back, through a relay before it."""

    server: tuple[str, int]
    listener: socket.socket
    bytes: bytearray = field(default_factory=bytearray)

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self.server)
            for source, target in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        while block := source.recv(65536):
            self.bytes += block
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _wiretapped(settings: Settings) -> Iterator[tuple[Settings, Wire]]:
    at = warehouse.address(settings)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        wire = Wire((at.host, at.port), listener)
        threading.Thread(target=wire.serve, daemon=True).start()
        port = listener.getsockname()[1]
        url = f"postgresql://{at.user}:{at.password}@127.0.0.1:{port}/{at.database}?sslmode=disable"
        yield replace(settings, database_url=url), wire


def _written(secret: bytes) -> list[bytes]:
    """The ways in which a key could be written down."""
    return [
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        repr(secret)[2:-1].encode(),
    ]


def test_no_byte_of_a_key_ever_reaches_the_database(database: Settings) -> None:
    key = pseudonyms.new(database, MARTS)
    _open(database, "P1", "P2")
    with _wiretapped(database) as (settings, wire):
        pseudonyms.assign(settings, "r1")
        later = pseudonyms.rotate(settings, MARTS)
        pseudonyms.mapping(settings, "marts-1")
    seen = bytes(wire.bytes)
    assert b"copy identity.child_key" in seen
    assert pseudonyms.child_key(key, "P1").encode() in seen
    for secret in (key.secret, later.secret):
        assert not any(text in seen for text in _written(secret))


def _columns(connection: psycopg.Connection) -> Iterator[tuple[str, str, str]]:
    yield from connection.execute(
        "select table_schema, table_name, column_name from information_schema.columns"
        " join information_schema.tables using (table_schema, table_name) where table_type = 'BASE TABLE'"
        " and table_schema not in ('pg_catalog', 'information_schema') order by 1, 2, 3"
    ).fetchall()


def _holding(settings: Settings, texts: list[str]) -> list[str]:
    """The columns of the database in which one of these texts occurs."""
    found = []
    with warehouse.connect(settings) as connection:
        for schema, table, column in _columns(connection):
            query = sql.SQL(
                "select exists (select from {} where exists"
                " (select from unnest(%s::text[]) as text where strpos(({})::text, text) > 0))"
            ).format(sql.Identifier(schema, table), sql.Identifier(column))
            if connection.execute(query, [texts]).fetchone() == (True,):
                found.append(f"{schema}.{table}.{column}")
        (activity,) = connection.execute("select string_agg(query, ' ') from pg_stat_activity").fetchone() or ("",)
    return found + ["pg_stat_activity" for text in texts if text in activity]


@pytest.mark.parametrize("role", ["marts_reader", "returns_reader"])
def test_who_reads_marts_cannot_read_who_is_who(role: str, database: Settings) -> None:
    pseudonyms.new(database, MARTS)
    _open(database, "P1")
    pseudonyms.assign(database, "r1")
    at, login, password = warehouse.address(database), f"reader_{os.getpid()}", secrets.token_urlsafe()
    with warehouse.connect(database, autocommit=True) as owner:
        owner.execute("create schema marts")
        owner.execute("create table marts.dim_child (child_key text)")
        owner.execute("grant usage on schema marts to marts_reader, returns_reader")
        owner.execute("grant select on marts.dim_child to marts_reader, returns_reader")
        owner.execute(
            sql.SQL("create role {} login password {} in role {}").format(
                sql.Identifier(login), sql.Literal(password), sql.Identifier(role)
            )
        )
        try:
            with psycopg.connect(
                host=at.host, port=at.port, user=login, password=password, dbname=at.database, autocommit=True
            ) as reader:
                assert reader.execute("select count(*) from marts.dim_child").fetchone() == (0,)
                closed = {(schema, table) for schema, table, _ in _columns(owner) if schema != "marts"}
                assert ("identity", "child_key") in closed
                for schema, table in sorted(closed):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        reader.execute(sql.SQL("select from {}").format(sql.Identifier(schema, table)))
        finally:
            owner.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


# The whole of it.


@dataclass(frozen=True)
class Run:
    """A run that was built: its id, its children by pseudonym, and what was counted."""

    run_id: str
    children: dict[str, tuple[str, ...]]
    counts: dict[str, int]


def _build(settings: Settings) -> Run:
    run_id = stages.open_run(settings, AS_OF)
    counts = stages.link(settings, run_id)
    for layer in stages.LAYERS:
        stages.build(settings, run_id, layer)
    with warehouse.connect(settings) as connection:
        rows = connection.execute(
            "select child_key, key_id, birth_month_on::text, sex, district_code, has_plan::text from"
            " candidate_marts.dim_child"
        ).fetchall()
    return Run(run_id, {row[0]: row[1:] for row in rows}, counts)


@pytest.mark.slow
def test_a_rotation_is_another_run_with_the_same_children_under_other_names(database: Settings, tmp_path: Path) -> None:
    simulate(tmp_path, children=100, seed=5, as_of=AS_OF)
    for organisation in feeds.ORGANISATIONS:
        stages.land(database, organisation, tmp_path / "inbox", AS_OF)
    with pytest.raises(KeyRefused, match="There is no key of marts"):
        stages.open_run(database, AS_OF)

    first = pseudonyms.new(database, MARTS)
    before = _build(database)
    assert stages.open_run(database, AS_OF) == before.run_id
    assert before.counts["new_child_keys"] == before.counts["child_keys"] == before.counts["persons"] > 100
    assert {row[0] for row in before.children.values()} == {"marts-1"}
    assert sum(row[3] is not None for row in before.children.values()) > len(before.children) / 2

    second = pseudonyms.rotate(database, MARTS)
    after = _build(database)
    assert after.run_id != before.run_id
    assert not set(after.children) & set(before.children)
    mapped = dict(pseudonyms.mapping(database, "marts-1"))
    assert {mapped[child]: row[1:] for child, row in before.children.items()} == {
        child: row[1:] for child, row in after.children.items()
    }

    texts = [text.decode() for key in (first, second) for text in _written(key.secret)[1:]]
    assert _holding(database, [pseudonyms.child_key(first, "P0000000001")]) == ["identity.child_key.child_key"]
    assert _holding(database, texts) == []
    for path in database.home.rglob("*"):
        if path.is_file() and path.parent != database.keys:
            content = path.read_bytes()
            assert not any(text.encode() in content for text in texts), path
    assert json.loads((database.keys / "marts-1").read_text())["key"] == first.secret.hex()
