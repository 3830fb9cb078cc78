"""A rehearsal of the two signatures: made-up users of both partners, who approve through Airflow's own API."""

import http.client
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from send_returns import clock, warehouse
from send_returns.failure import Failure
from send_returns.orchestration import health, lifeline
from send_returns.orchestration.environment import REHEARSAL_USERS, process_environment
from send_returns.releases import register
from send_returns.releases.register import Organisation, Signer
from send_returns.settings import Settings

DAG_ID = "publish_returns"
START_SECONDS = 120.0
LOOK_SECONDS = 0.3


class RehearsalFailed(Failure):
    """A rehearsal user could not sign. The message says at which step."""


def prepare(settings: Settings) -> None:
    """Register the rehearsal's signers."""
    names: dict[Organisation, str] = {"council": "the council", "icb": "the ICB"}
    with warehouse.connect(settings, purpose="send-returns rehearsal") as connection:
        for organisation, name in names.items():
            signer = Signer(
                settings.partnership,
                organisation,
                REHEARSAL_USERS[organisation],
                f"Rehearsal signer of {name}",
                "Rehearsal",
                clock.today(),
                None,
                is_rehearsal=True,
            )
            register.add_signer(connection, signer, by="rehearsal")


class Signers(threading.Thread):
    """Serves Airflow's API on loopback and signs there, as each rehearsal user, what that user is asked to sign.

    `driver`: the process that runs the DAGs. It waits for signatures, so it is ended when one cannot be had.
    """

    def __init__(self, settings: Settings, driver: int) -> None:
        super().__init__(daemon=True, name="rehearsal signers")
        self._settings = settings
        self._driver = driver
        self._over = threading.Event()
        self._failed = ""

    def run(self) -> None:
        """Sign whatever is asked of them, until it is over."""
        try:
            chosen = {user: secrets.token_urlsafe(15) for user in REHEARSAL_USERS.values()}
            with _served(self._settings, chosen, self._over) as url:
                tokens = {
                    user: str(
                        _ask("POST", f"{url}/auth/token", {"username": user, "password": chosen[user]})["access_token"]
                    )
                    for user in REHEARSAL_USERS.values()
                }
                while not self._over.wait(LOOK_SECONDS):
                    for user, token in tokens.items():
                        _sign(url, user, token)
        except Failure as failure:
            self._failed = str(failure)
            lifeline.end([self._driver], grace=5.0)

    def end(self) -> str:
        """Stop serving, whoever has signed. Returns why somebody could not, or nothing."""
        self._over.set()
        self.join()
        return self._failed


def _sign(url: str, user: str, token: str) -> None:
    """Approve what a user is asked to."""
    asked = f"{url}/api/v2/dags/{DAG_ID}/dagRuns/~/hitlDetails?response_received=false&limit=100"
    for detail in _ask("GET", asked, token=token)["hitl_details"]:
        at = detail["task_instance"]
        # It asks before it waits: who answers in between answers a task that then waits for ever.
        if at["state"] == "awaiting_input" and user in {one["id"] for one in detail["assigned_users"]}:
            task = (
                f"{url}/api/v2/dags/{DAG_ID}/dagRuns/{at['dag_run_id']}/taskInstances/{at['task_id']}/{at['map_index']}"
            )
            _ask("PATCH", f"{task}/hitlDetails", {"chosen_options": ["Approve"], "params_input": {"reason": ""}}, token)


@contextmanager
def _served(settings: Settings, chosen: Mapping[str, str], over: threading.Event) -> Iterator[str]:
    """The URL of an API server of this installation, up for as long as the block, that knows the users `chosen` alone.

    Their passwords lie in a file of their own for as long.
    """
    port = warehouse.free_port()
    url = f"http://127.0.0.1:{port}"
    log = settings.folder("logs") / "rehearsal-api-server.log"
    file = settings.folder("secrets") / "rehearsal_passwords.json"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as passwords:
        json.dump(chosen, passwords)
    users = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:user" for user in chosen),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file),
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"],
            env=process_environment(settings, port) | users,
            cwd=settings.project,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = clock.monotonic() + START_SECONDS
        while "api-server" in health.unhealthy(url) and not over.is_set():
            if server.poll() is not None or clock.monotonic() > deadline:
                raise RehearsalFailed(f"Airflow's API did not start: see {log}.")
            time.sleep(LOOK_SECONDS)
        yield url
    finally:
        lifeline.end([server.pid], grace=5.0)
        server.wait()
        file.unlink(missing_ok=True)


def _ask(method: str, url: str, body: Mapping[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:  # noqa: S310 - our own server
            return dict(json.load(answer))
    except HTTPError as error:
        raise RehearsalFailed(f"Airflow's API answered {error.code} to {method} {error.url.split('?')[0]}.") from None
    except (URLError, http.client.HTTPException, TimeoutError, ConnectionError):
        raise RehearsalFailed(f"Airflow's API did not answer {method}.") from None
