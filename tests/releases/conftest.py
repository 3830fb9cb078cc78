"""One migrated database with runs that passed their gate and signers; each test has a return of its own in it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from send_returns import warehouse
from send_returns.releases import audit, register
from send_returns.releases.register import File, Release, Signer
from send_returns.settings import Settings
from send_returns.warehouse import embedded

AS_OF = date(2026, 11, 24)
HERTS = "hertfordshire"
COUNCIL, ICB = "dcs.council", "chief.icb"
_numbers = count()


@dataclass(frozen=True)
class Run:
    """A run of the fixture's database."""

    run_id: str
    manifest_sha256: str
    partnership: str = HERTS
    as_of: date = AS_OF


FIRST, LATER, FAILED = Run("r1", "a1" * 32), Run("r2", "a2" * 32), Run("r3", "a3" * 32)
SIGNERS = (
    Signer(HERTS, "council", COUNCIL, "Ada Marsh", "Director of Children's Services", date(2026, 1, 1), None, False),
    Signer(HERTS, "council", "deputy.council", "Ivo Kent", "Deputy Director", date(2026, 1, 1), None, False),
    Signer(HERTS, "council", "former.council", "Una Reed", "Director", date(2020, 1, 1), date(2025, 12, 31), False),
    Signer(HERTS, "icb", ICB, "Bea Holt", "Chief Nurse", date(2026, 1, 1), None, False),
    Signer(HERTS, "council", "rehearsal.council", "Rehearsal", "Council signer", date(2026, 1, 1), None, True),
    Signer(HERTS, "icb", "rehearsal.icb", "Rehearsal", "ICB signer", date(2026, 1, 1), None, True),
)


def pack(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class Line:
    """The versions of one return, and the way to any state."""

    def __init__(self, connection: psycopg.Connection, return_name: str, *, is_rehearsal: bool = False) -> None:
        self.connection, self.return_name, self.is_rehearsal = connection, return_name, is_rehearsal

    @property
    def council(self) -> str:
        return "rehearsal.council" if self.is_rehearsal else COUNCIL

    @property
    def icb(self) -> str:
        return "rehearsal.icb" if self.is_rehearsal else ICB

    def release_id(self, version: int = 1) -> str:
        return f"{self.return_name}-{HERTS}-{AS_OF}-v{version}"

    def rehearsal(self) -> "Line":
        return Line(self.connection, self.return_name, is_rehearsal=True)

    def draft(self, run: Run = FIRST, content: str = "first", **more: Any) -> Release:
        version = register.version_for(self.connection, run, self.return_name, is_rehearsal=self.is_rehearsal)
        files = [File("list.csv", pack(content), 100), File("guide.html", pack("guide"), 10)]
        named = {"version": version, "is_rehearsal": self.is_rehearsal} | more
        return register.open_draft(
            self.connection, run, self.return_name, pack(f"{version} {run.run_id} {content}"), files, **named
        )

    def reach(self, state: str, run: Run = FIRST, content: str = "first") -> Release:
        """A new version, or the open one, in a state that is on the way to being published."""
        release = self.draft(run, content)
        if state in ("validated", "signed", "published"):
            release = register.validate(self.connection, release.release_id)
        if state in ("signed", "published"):
            for username in (self.council, self.icb):
                release = register.sign(self.connection, release.release_id, username, release.pack_sha256, "approve")
        if state == "published":
            release = self.publish(release)
        return release

    def publish(self, release: Release) -> Release:
        return register.publish(self.connection, release.release_id, audit.newest(self.connection))


def prepare(settings: Settings) -> None:
    """Two runs that passed their gate, one that did not, and the signers."""
    with warehouse.connect(settings) as connection:
        for run in (FIRST, LATER, FAILED):
            connection.execute(
                "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
                " values (%s, %s, %s, 'full', 'test', %s, 'built')",
                [run.run_id, HERTS, AS_OF, run.manifest_sha256],
            )
            connection.execute(
                "insert into audit.check_result values"
                " (%s, '101a', 'annex_a', 'error', 'pass', 0, 60, 'any', %s, 'Date of birth is missing.')",
                [run.run_id, run == FAILED],
            )
            connection.execute(
                "update audit.run set status = %s where run_id = %s",
                ["failed" if run == FAILED else "passed", run.run_id],
            )
            if run != FAILED:
                connection.execute(
                    "insert into audit.gate_pass (run_id, inputs_sha256) values (%s, %s)",
                    [run.run_id, run.manifest_sha256],
                )
        for signer in SIGNERS:
            register.add_signer(connection, signer, by="registrar")


@pytest.fixture(scope="session")
def database(
    new_database: Callable[[Path], AbstractContextManager[Settings]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    with new_database(tmp_path_factory.mktemp("releases") / "home") as settings:
        prepare(settings)
        yield settings


@pytest.fixture
def connection(database: Settings) -> Iterator[psycopg.Connection]:
    """A connection of the owner's, which commits each statement."""
    with warehouse.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def line(connection: psycopg.Connection) -> Line:
    """A return that no other test has."""
    return Line(connection, f"return_{next(_numbers)}")


@pytest.fixture
def superuser(server: Settings, database: Settings) -> Iterator[psycopg.Connection]:
    """Who may do everything, in a transaction that is rolled back."""
    at = warehouse.address(database)
    with psycopg.connect(
        host=at.host,
        port=at.port,
        user=embedded.ADMIN,
        password=embedded.secret(replace(server, database_url=None), "postgres_admin"),
        dbname=at.database,
    ) as opened:
        yield opened
        opened.rollback()


@contextmanager
def as_role(connection: psycopg.Connection, role: str | None) -> Iterator[psycopg.Connection]:
    """A transaction as a role that is rolled back, after all that is checked at its end."""
    with connection.transaction(force_rollback=True):
        if role:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        yield connection
        connection.execute("set constraints all immediate")
