"""Fixtures on a real Postgres: one server for the session, one fresh migrated database for each test that asks."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from tests.published_county import published
from xdist.scheduler import LoadFileScheduling

from send_returns import warehouse
from send_returns.settings import Settings

if TYPE_CHECKING:
    import asyncssh
    import s3fs

__all__ = ["published"]
_numbers = count()

# What the tests of such a folder share takes long to build: they stay with one worker, which builds it once.
TOGETHER = {
    "tests/inspection/": "tests/rights/",
    "tests/marts/": "tests/marts/",
    "tests/rights/": "tests/rights/",
    "tests/warehouse/": "tests/warehouse/",
}


class _Scheduling(LoadFileScheduling):
    """A file goes to one worker, and so do folders of the same name in `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((name for folder, name in TOGETHER.items() if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling:
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes long begin first, so that the workers end together."""
    items.sort(key=lambda item: not (item.nodeid.startswith(tuple(TOGETHER)) or item.get_closest_marker("slow")))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every home of these tests keeps the parsed dbt project: all workers' one folder, so it is parsed once."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def server(cache: Path) -> Iterator[Settings]:
    """The embedded server of this test session, in a home of its own, stopped and removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="send-returns-test-"))
    (home / "cache").symlink_to(cache)
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
    (home / "cache").symlink_to((server.home / "cache").resolve())
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


@dataclass
class Sftp:
    """A server, what it serves, and what is needed to get in."""

    url: str
    root: Path
    key: Path
    known_hosts: Path
    loop: asyncio.AbstractEventLoop
    connections: list["asyncssh.SSHServerConnection"]
    opened: list[bytes]
    drop_after: list[int]


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sftp]:
    """A real SFTP server on loopback."""
    import asyncssh

    root = tmp_path / "served"
    root.mkdir()
    key, known_hosts = tmp_path / "key", tmp_path / "known_hosts"
    own, host_key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    own.write_private_key(key)
    own.write_public_key(tmp_path / "authorized")
    loop = asyncio.new_event_loop()
    connections: list[asyncssh.SSHServerConnection] = []
    opened: list[bytes] = []
    drop_after: list[int] = []

    class Partner(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

    class Files(asyncssh.SFTPServer):
        def __init__(self, chan: asyncssh.SSHServerChannel) -> None:
            super().__init__(chan, chroot=str(root).encode())

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            opened.append(path)
            return super().open(path, pflags, attrs)

        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            if drop_after and drop_after.pop():
                connections[-1].abort()
            return super().read(file_obj, offset, size)  # type: ignore[return-value]

    async def serve() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Partner,
            server_host_keys=[host_key],
            authorized_client_keys=str(tmp_path / "authorized"),
            sftp_factory=Files,
        )

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(), loop).result()
    port = server.get_port()
    public = host_key.export_public_key().decode().strip()
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    try:
        yield Sftp(
            f"sftp://partner@127.0.0.1:{port}/inbox", root, key, known_hosts, loop, connections, opened, drop_after
        )
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> "Iterator[s3fs.S3FileSystem]":
    """A real S3 server on loopback with a bucket, and the environment that leads to it."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "partner",
        "AWS_SECRET_ACCESS_KEY": "Qx7Canary",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("deliveries")
    try:
        yield files
    finally:
        files.rm("deliveries", recursive=True)
        server.stop()
