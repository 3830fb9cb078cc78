"""Fixtures on a real Postgres: one server for the session, one fresh migrated database for each test that asks."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from send_returns import warehouse
from send_returns.settings import Settings

_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Settings]:
    """The embedded server of this test session, in a home of its own, stopped and removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="send-returns-test-"))
    settings = Settings(home=home)
    warehouse.ensure_server(settings)
    try:
        yield settings
    finally:
        warehouse.stop_server(settings, remove=True)
        shutil.rmtree(home, ignore_errors=True)


def _administer(settings: Settings, statement: sql.Composed) -> None:
    at = warehouse.address(settings)
    with psycopg.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(statement)


def _end_sessions(settings: Settings, name: str) -> None:
    _administer(
        settings,
        sql.SQL(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = {} and backend_type = 'client backend'"
        ).format(sql.Literal(name)),
    )


def _drop(settings: Settings, name: str) -> None:
    """End whoever still works in the database, then drop it.

    Not `with (force)`: that also ends autovacuum's workers, which an ordinary role may not. A plain drop cancels those.
    """
    _end_sessions(settings, name)
    _administer(settings, sql.SQL("drop database {}").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def template(server: Settings) -> str:
    """The name of a migrated database that others are copied from."""
    name = "template_migrated"
    _administer(server, sql.SQL("create database {}").format(sql.Identifier(name)))
    warehouse.migrate(replace(server, database_url=warehouse.url(server, database=name)))
    return name


@contextmanager
def _fresh(server: Settings, template: str, home: Path) -> Iterator[Settings]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _administer(
        server, sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
    )
    home.mkdir(mode=0o700)
    try:
        yield Settings(home=home, database_url=warehouse.url(server, database=name))
    finally:
        _drop(server, name)


@pytest.fixture
def database(server: Settings, template: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a fresh migrated database, with a fresh home."""
    with _fresh(server, template, tmp_path / "home") as settings:
        yield settings


@pytest.fixture(scope="module")
def module_database(server: Settings, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The same for tests of one module that share what they only read, because it takes long to build."""
    with _fresh(server, template, tmp_path_factory.mktemp("module") / "home") as settings:
        yield settings


@pytest.fixture(scope="session")
def new_database(server: Settings, template: str) -> Callable[[Path], AbstractContextManager[Settings]]:
    """Settings of a fresh migrated database with a fresh home, for what a whole session shares."""
    return lambda home: _fresh(server, template, home)


@pytest.fixture(scope="session")
def copy_of(server: Settings) -> Callable[[Settings, Path], AbstractContextManager[Settings]]:
    """Settings of a fresh copy of another's database, with a fresh home: for what takes long to build."""

    def copy(of: Settings, home: Path) -> AbstractContextManager[Settings]:
        name = warehouse.address(of).database
        _end_sessions(server, name)
        return _fresh(server, name, home)

    return copy
