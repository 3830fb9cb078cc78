"""Airflow on this machine: its components as child processes under one supervisor, and nothing left behind.

Each component leads a session of its own. A watchdog process holds the other end of a pipe: when the supervisor goes,
however that came about, the pipe closes and the watchdog ends those sessions, by force after a grace period.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from send_returns import clock, warehouse
from send_returns.failure import Failure
from send_returns.feeds import ORGANISATIONS
from send_returns.orchestration import health, lifeline, watchdog
from send_returns.orchestration.environment import PASSWORDS, own_environment, passwords, process_environment
from send_returns.settings import Settings, load

# The containers of docker-compose.yml run the same commands; a test compares the two. Task logs are read from the
# folder that the components share: Airflow's log servers would listen on every interface.
INITIALISE = ["python", "-m", "send_returns.orchestration.metadata"]
COMPONENTS = {
    "api-server": ["airflow", "api-server"],
    "scheduler": ["airflow", "scheduler", "--skip-serve-logs"],
    "dag-processor": ["airflow", "dag-processor"],
    "triggerer": ["airflow", "triggerer", "--skip-serve-logs"],
}

PORT = 8080
START_SECONDS = 180.0
STOP_SECONDS = watchdog.GRACE_SECONDS + 30.0
RESTARTS = 3
RESTART_WINDOW_SECONDS = 600.0


class AirflowFailure(Failure):
    """Airflow could not be started or kept running; the message says which part and where its log is."""


def up(settings: Settings, *, detach: bool = False, port: int = PORT) -> int:
    """Serve the DAGs in a real Airflow on 127.0.0.1 until Ctrl-C, SIGTERM or `down`; with `detach`, return once up.

    `port` is the one to prefer. Returns 0. Raises AirflowFailure when it is up already, or cannot start or stay up.
    """
    if detach:
        return _detached(settings, port)
    lock = _lock(settings)
    if lock is None:
        raise AirflowFailure(
            f"Airflow is up already at {_state(settings).get('url', 'this home')}: `make down` ends it."
        )
    with lock:
        _end_remains(settings)
        return _Supervisor(settings, port).serve()


def is_up(settings: Settings) -> bool:
    """Whether an Airflow of this home is being served now."""
    lock = _lock(settings)
    if lock is not None:
        lock.close()
    return lock is None


def down(settings: Settings) -> None:
    """Stop the Airflow that `up` started, if any, and the embedded server."""
    lock = _lock(settings)
    if lock is None:
        os.kill(_state(settings)["pid"], signal.SIGTERM)
        deadline = clock.monotonic() + STOP_SECONDS
        while (lock := _lock(settings)) is None:
            if clock.monotonic() > deadline:
                raise AirflowFailure(f"Airflow did not stop in {STOP_SECONDS:.0f} s: see {settings.folder('logs')}.")
            time.sleep(0.2)
    with lock:
        _end_remains(settings)
        warehouse.stop_server(settings)


@dataclass(slots=True)
class _Component:
    name: str
    process: subprocess.Popen[bytes]
    deaths: list[float] = field(default_factory=list)


class _Supervisor:
    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._port = warehouse.free_port(port)
        self._url = f"http://127.0.0.1:{self._port}"
        self._components: list[_Component] = []
        self._sessions: list[tuple[int, float]] = []
        self._is_stopping = False

    def serve(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        for organisation in ORGANISATIONS:
            self._settings.folder("inbox", organisation)
        owns_server = warehouse.ensure_server(self._settings)
        self._environment = process_environment(self._settings, self._port)
        guard = _start_watchdog(self._settings, owns_server)
        try:
            self._guard = guard
            chosen, is_new = passwords(self._settings)
            self._initialise()
            for name in COMPONENTS:
                self._components.append(_Component(name, self._spawn(name, COMPONENTS[name])))
            self._wait_until_healthy()
            if not self._is_stopping:
                announce(self._settings, self._url, chosen if is_new else {})
            while not self._is_stopping:
                self._keep_alive()
                time.sleep(0.5)
        finally:
            _say("Stopping Airflow.")
            with suppress(BrokenPipeError):
                _stdin(guard).close()
            guard.wait(STOP_SECONDS)
            _state_file(self._settings).unlink(missing_ok=True)
        return 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with _log(self._settings, name).open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self._environment,
                cwd=self._settings.project,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _stdin(self._guard).write(f"{process.pid}\n".encode())
        _stdin(self._guard).flush()
        self._sessions.append((process.pid, psutil.Process(process.pid).create_time()))
        state = {"pid": os.getpid(), "url": self._url, "watchdog": self._guard.pid, "sessions": self._sessions}
        partial = _state_file(self._settings).with_suffix(".part")
        partial.write_text(json.dumps(state))
        partial.rename(_state_file(self._settings))
        return process

    def _initialise(self) -> None:
        process = self._spawn("initialise", INITIALISE)
        while process.poll() is None and not self._is_stopping:
            time.sleep(0.1)
        if process.returncode:
            raise AirflowFailure(f"The databases could not be prepared: see {_log(self._settings, 'initialise')}.")

    def _wait_until_healthy(self) -> None:
        deadline = clock.monotonic() + START_SECONDS
        while not self._is_stopping and (waiting := health.unhealthy(self._url)):
            if clock.monotonic() > deadline:
                raise AirflowFailure(
                    f"Not healthy in {START_SECONDS:.0f} s: {', '.join(waiting)}. See {self._settings.folder('logs')}."
                )
            self._keep_alive()
            time.sleep(0.5)

    def _keep_alive(self) -> None:
        """Start a component again that has ended, but not one that keeps ending."""
        for component in self._components:
            if component.process.poll() is None:
                continue
            now = clock.monotonic()
            component.deaths = [at for at in component.deaths if now - at < RESTART_WINDOW_SECONDS] + [now]
            log = _log(self._settings, component.name)
            if len(component.deaths) > RESTARTS:
                raise AirflowFailure(f"The {component.name} ended {len(component.deaths)} times: see {log}.")
            _say(f"The {component.name} ended with code {component.process.returncode}; started again. See {log}.")
            # A component's own children can outlive it.
            lifeline.end([component.process.pid], watchdog.GRACE_SECONDS)
            component.process = self._spawn(component.name, COMPONENTS[component.name])


def announce(settings: Settings, url: str, generated: dict[str, str]) -> None:
    """Print where Airflow is, and the passwords generated just now: they are not printed again."""
    _say(f"Airflow is up: {url}")
    for user, password in generated.items():
        _say(f"  user {user:<15} password {password}")
    _say(f"Deliveries go to {os.environ.get('SEND_RETURNS_INBOX') or settings.home / 'inbox'}/<organisation>/<feed>/.")
    _say(f"Returns come to {os.environ.get('SEND_RETURNS_OUTPUT') or settings.home / 'output'}.")
    _say(f"Passwords are kept in {settings.folder('secrets') / PASSWORDS}; logs in {settings.folder('logs')}.")


def _detached(settings: Settings, port: int) -> int:
    chosen, is_new = passwords(settings)
    log = _log(settings, "supervisor")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "send_returns.orchestration.supervise", str(port)],
            env=os.environ | own_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while (state := _state(settings)).get("pid") != process.pid or health.unhealthy(state["url"]):
        if process.poll() is not None:
            said = log.read_text().strip().splitlines()
            raise AirflowFailure(said[-1] if said else f"The supervisor ended with code {process.returncode}.")
        time.sleep(0.5)
    announce(settings, state["url"], chosen if is_new else {})
    return 0


def _start_watchdog(settings: Settings, stop_server: bool) -> subprocess.Popen[bytes]:
    with _log(settings, "watchdog").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", watchdog.__name__, *(["--stop-server"] if stop_server else [])],
            env=os.environ | own_environment(settings),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end_remains(settings: Settings) -> None:
    """After a supervisor was killed: let its watchdog finish; where that was killed too, do its work."""
    state = _state(settings)
    if not state:
        return
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        guard = psutil.Process(state["watchdog"])
        if watchdog.__name__ in guard.cmdline():
            guard.wait(STOP_SECONDS)
    lifeline.end([pid for pid, created in state["sessions"] if not _is_reused(pid, created)], watchdog.GRACE_SECONDS)
    _state_file(settings).unlink(missing_ok=True)


def _is_reused(pid: int, created: float) -> bool:
    """Whether another process has a session leader's number now; while a session has members, none can get it."""
    try:
        return abs(psutil.Process(pid).create_time() - created) > 1
    except psutil.NoSuchProcess:
        return False


def _lock(settings: Settings) -> IO[str] | None:
    """The lock that a supervisor holds as long as it lives; None when another process has it."""
    lock = (settings.folder("airflow") / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _state_file(settings: Settings) -> Path:
    return settings.folder("airflow") / "supervisor.json"


def _state(settings: Settings) -> dict[str, Any]:
    try:
        return dict(json.loads(_state_file(settings).read_text()))
    except FileNotFoundError:
        return {}


def _log(settings: Settings, name: str) -> Path:
    return settings.folder("logs") / f"{name}.log"


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise AirflowFailure("A child process was started without a pipe.")
    return process.stdin


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        raise SystemExit(up(load(), port=int(sys.argv[1])))
    except Failure as failure:
        _say(str(failure))
        raise SystemExit(1) from None
