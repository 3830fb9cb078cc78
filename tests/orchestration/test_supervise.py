"""Airflow itself, served from a home of its own: what an engineer can do with it, and that nothing is left behind.

The tests follow one another: served, used, interrupted, killed, recovered, taken down.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from send_returns import warehouse
from send_returns.orchestration import health, lifeline, supervise
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Served:
    """A home whose Airflow is served, and what its first start said."""

    settings: Settings
    said: str

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.settings.home / "airflow" / "supervisor.json").read_text()))

    @property
    def sessions(self) -> list[int]:
        return [pid for pid, _ in self.state["sessions"]]

    def call(self, path: str, body: dict[str, Any] | None = None, user: str = "admin") -> dict[str, Any]:
        """What Airflow's REST API answers to a user who has logged in."""
        passwords = json.loads((self.settings.home / "secrets" / "airflow_passwords.json").read_text())
        token = _json(f"{self.state['url']}/auth/token", {"username": user, "password": passwords[user]})[
            "access_token"
        ]
        return _json(f"{self.state['url']}/api/v2/{path}", body, token)

    def send_returns(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(_program(*arguments), env=_environment(self.settings), capture_output=True, text=True)


def _json(url: str, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)  # noqa: S310
    with urlopen(request, timeout=20) as answer:  # noqa: S310
        return dict(json.load(answer))


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "send_returns.cli", *arguments]


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEND_RETURNS_", "AIRFLOW"))}
    return kept | {"SEND_RETURNS_HOME": str(settings.home)}


def _until(condition: Any, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _sessions(served: Served) -> list[int]:
    return served.sessions if (served.settings.home / "airflow" / "supervisor.json").exists() else []


def _server_is_up(settings: Settings) -> bool:
    port = json.loads((settings.home / "postgres" / "server.json").read_text())["port"]
    return any(
        one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in psutil.net_connections(kind="tcp")
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Airflow in the background, on a new home."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    first = Served(settings, "")
    try:
        done = first.send_returns("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr
        yield Served(settings, done.stdout)
    finally:
        supervise.down(settings)
        warehouse.stop_server(settings, remove=True)
        shutil.rmtree(settings.home, ignore_errors=True)


def test_every_component_is_healthy(served: Served) -> None:
    assert health.unhealthy(served.state["url"]) == []
    assert served.state["url"] in served.said


def test_passwords_are_generated_shown_once_and_kept_private(served: Served) -> None:
    file = served.settings.home / "secrets" / "airflow_passwords.json"
    passwords = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(set(passwords.values())) == 5
    for user, password in passwords.items():
        assert len(password) >= 20
        assert f"{user:<15} password {password}" in served.said
    for log in (served.settings.home / "logs").rglob("*.log"):
        assert not any(password in log.read_text(errors="replace") for password in passwords.values()), log


def test_our_dags_are_there_and_no_examples(served: Served) -> None:
    dags = served.call("dags")["dags"]
    ours = ["build_partnership", "extract_council", "extract_icb", "publish_returns"]
    assert sorted(dag["dag_id"] for dag in dags) == ours
    assert not any(dag["is_paused"] for dag in dags)
    assert served.call("importErrors")["total_entries"] == 0


def test_a_viewer_may_look_but_not_run_and_a_stranger_may_do_neither(served: Served) -> None:
    assert served.call("dags", user="viewer")["total_entries"] == 4
    with pytest.raises(HTTPError, match="403"):
        served.call("dags/extract_council/dagRuns", {"logical_date": None}, user="viewer")
    with pytest.raises(HTTPError, match="401"):
        _json(f"{served.state['url']}/api/v2/dags")
    with pytest.raises(HTTPError, match="401"):
        _json(f"{served.state['url']}/auth/token", {"username": "admin", "password": "admin"})


def test_it_listens_on_loopback_only(served: Served) -> None:
    own = {process.pid for process in lifeline.members(served.sessions)}
    listening = [one for one in psutil.net_connections(kind="inet") if one.status == psutil.CONN_LISTEN]
    hosts = {one.laddr.ip for one in listening if one.pid in own}
    assert hosts == {"127.0.0.1"}


def test_an_engineer_lands_the_councils_files(served: Served, tmp_path: Path) -> None:
    simulate(tmp_path, children=100, seed=11, as_of=AS_OF)
    conf = {"inbox": str(tmp_path / "inbox"), "as_of": AS_OF.isoformat()}
    run = served.call("dags/extract_council/dagRuns", {"logical_date": None, "conf": conf}, user="engineer")
    path = f"dags/extract_council/dagRuns/{run['dag_run_id']}"
    assert _until(lambda: served.call(path)["state"] in ("success", "failed"), 90)
    assert served.call(path)["state"] == "success"
    with warehouse.connect(served.settings) as connection:
        rows = connection.execute("select distinct feed from landing.delivery where status = 'accepted'").fetchall()
    assert {feed for (feed,) in rows} >= {"sen2", "school_census", "gias"}


def test_a_wrong_parameter_is_refused_before_anything_runs(served: Served) -> None:
    with pytest.raises(HTTPError, match=r"400|422"):
        served.call("dags/extract_council/dagRuns", {"logical_date": None, "conf": {"as_of": "30/10/2026"}})


def test_a_second_start_and_a_run_beside_it_are_refused(served: Served, tmp_path: Path) -> None:
    again = served.send_returns("up", "--detach")
    assert again.returncode == 1
    assert served.state["url"] in again.stdout + again.stderr
    beside = served.send_returns("run", "--inbox", str(tmp_path), "--as-of", AS_OF.isoformat())
    assert beside.returncode == 1
    assert "Airflow is up" in beside.stderr


def test_a_component_that_dies_is_started_again(served: Served) -> None:
    before = served.sessions
    psutil.Process(before[-1]).kill()
    assert _until(lambda: len(served.sessions) > len(before))
    assert psutil.pid_exists(served.sessions[-1])


def test_interrupting_it_leaves_no_process(served: Served) -> None:
    sessions, watchdog = served.sessions, served.state["watchdog"]
    os.kill(served.state["pid"], signal.SIGINT)
    assert _until(lambda: not supervise.is_up(served.settings), 30)
    assert lifeline.members(sessions) == []
    assert not psutil.pid_exists(watchdog)
    assert not _server_is_up(served.settings)


def test_killing_the_supervisor_leaves_no_process_and_the_next_start_recovers(served: Served) -> None:
    front = subprocess.Popen(_program("up"), env=_environment(served.settings))
    # Its components have only just begun, which is when they are least ready to end.
    assert _until(lambda: supervise.is_up(served.settings) and len(_sessions(served)) == 5)
    sessions, watchdog = served.sessions, served.state["watchdog"]
    assert len(lifeline.members(sessions)) >= 4
    front.kill()
    front.wait(timeout=10)
    again = served.send_returns("up", "--detach")
    assert again.returncode == 0, again.stdout + again.stderr
    assert " password " not in again.stdout
    assert lifeline.members(sessions) == []
    assert not psutil.pid_exists(watchdog)
    assert health.unhealthy(served.state["url"]) == []


def test_down_ends_it_and_the_server(served: Served) -> None:
    sessions = served.sessions
    done = served.send_returns("down")
    assert done.returncode == 0, done.stderr
    assert lifeline.members(sessions) == []
    assert not _server_is_up(served.settings)
    assert served.send_returns("down").returncode == 0
