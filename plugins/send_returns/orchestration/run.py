"""The whole job through the real DAGs, in one child process: no scheduler, but the same DAG runs in Airflow's
database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from send_returns import clock, warehouse
from send_returns.orchestration import lifeline, rehearsal, supervise
from send_returns.orchestration.environment import process_environment
from send_returns.settings import Settings
from send_returns.stages import Mode

Outcome = Literal["published", "unsigned", "waiting", "failed"]
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something a task did: it `started`, ended in `success`, `skipped` or `failed`, or failed and waits for a `retry`.

    `seconds` is how long it took, `message` what a person should know of a failure.
    """

    dag_id: str
    task_id: str
    label: str
    state: Literal["started", "success", "skipped", "retry", "failed"]
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended. `waiting`: a required feed is missing, each named in `missing`; `unsigned`: it is live, and its
    returns wait to be drafted and signed.
    """

    outcome: Outcome
    as_of: date
    run_id: str | None
    steps: tuple[Step, ...]
    missing: tuple[str, ...]
    wall_seconds: float
    message: str
    log: Path


def run_dags(
    settings: Settings,
    *,
    as_of: date,
    inbox: Path | str,
    output: Path,
    mode: Mode = "incremental",
    is_rehearsal: bool = False,
    progress: Callable[[str | None], None] | None = None,
) -> RunSummary:
    """Run extract_council, extract_icb and build_partnership, in that order, and say how it ended.

    In a rehearsal publish_returns as well, which made-up users of both partners sign through Airflow's API. People sign
    in an Airflow that is up.

    The warehouse is running and migrated when this is called; raises AirflowFailure when an Airflow of the same home
    is up. `inbox` is a folder or a store's URL. `progress` is told the name of each step as it starts. What Airflow
    says goes to `log`; the child process ends with this one, also on Ctrl-C."""
    if supervise.is_up(settings):
        raise supervise.AirflowFailure("Airflow is up: trigger the DAGs there, or end it first with `make down`.")
    started = clock.monotonic()
    log = settings.folder("logs") / "run.log"
    place = str(inbox.resolve()) if isinstance(inbox, Path) else inbox
    common = {"as_of": as_of.isoformat(), "partnership": settings.partnership}
    order: dict[str, dict[str, Any]] = {
        "extract_council": common | {"inbox": place},
        "extract_icb": common | {"inbox": place},
        "build_partnership": common | {"mode": mode},
    }
    if is_rehearsal:
        rehearsal.prepare(settings)
        order[rehearsal.DAG_ID] = {
            "partnership": settings.partnership,
            "output": str(output.resolve()),
            "is_rehearsal": True,
        }
    steps: list[Step] = []
    broken = ""
    code, driver = 1, 0
    signers: rehearsal.Signers | None = None
    for event in _drive(settings, order, log):
        if event["event"] == "begun":
            driver = event["pid"]
        elif event["event"] == "exit":
            code = event["code"]
            if signers is not None:
                broken = signers.end() or broken
        elif event["event"] == "broken":
            broken = event["message"]
        elif event["event"] != "dag":
            step = Step(
                event["dag"], event["task"], event["label"], event["event"], event["seconds"], event.get("message", "")
            )
            steps.append(step)
            if step.dag_id == rehearsal.DAG_ID and signers is None:
                signers = rehearsal.Signers(settings, driver)
                signers.start()
            if progress is not None and step.state in ("started", "retry"):
                progress(step.label if step.state == "started" else f"{step.label}: failed, waiting to try again")
    return _summary(settings, as_of, steps, code, broken, clock.monotonic() - started, log)


def _drive(settings: Settings, order: dict[str, dict[str, Any]], log: Path) -> Iterator[dict[str, Any]]:
    """`begun` with the child's number, its events, then one `exit` with its code.

    The child's whole session is ended when this generator is.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader) as events, log.open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "send_returns.orchestration.driver", json.dumps(order)],
            env=process_environment(settings) | {"SEND_RETURNS_EVENTS": str(writer)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.project,
            pass_fds=[writer],
            start_new_session=True,
        )
        os.close(writer)
        try:
            yield {"event": "begun", "pid": child.pid}
            for line in events:
                yield json.loads(line)
            yield {"event": "exit", "code": child.wait()}
        finally:
            lifeline.end([child.pid], GRACE_SECONDS)


def _summary(
    settings: Settings, as_of: date, steps: list[Step], code: int, broken: str, wall_seconds: float, log: Path
) -> RunSummary:
    with warehouse.connect(settings, purpose="send-returns run") as connection:
        missing = connection.execute(
            "select feed, state from landing.arrival"
            " where partnership = %s and as_of = %s and required and state <> 'accepted' order by feed",
            [settings.partnership, as_of],
        ).fetchall()
        opened = connection.execute(
            "select run_id from audit.run where partnership = %s and as_of = %s order by opened_at desc limit 1",
            [settings.partnership, as_of],
        ).fetchone()
    failed = next((step for step in reversed(steps) if step.state == "failed"), None)
    waited = any(step.state == "skipped" and step.task_id == "open_run" for step in steps) and missing
    is_published = any(step.dag_id == rehearsal.DAG_ID for step in steps)
    outcome: Outcome = "failed" if code else "waiting" if waited else "published" if is_published else "unsigned"
    message = ""
    if outcome == "waiting":
        message = "Nothing built: " + "; ".join(f"{feed} is {state}" for feed, state in missing) + "."
    elif outcome == "unsigned":
        message = (
            "The run is live. `make up`, then trigger publish_returns: it drafts the returns and asks both signers."
        )
    elif outcome == "failed":
        said = broken or (
            f"{failed.dag_id}.{failed.task_id}: {failed.message}" if failed else f"Airflow ended with code {code}."
        )
        message = f"{said} See {log}."
    return RunSummary(
        outcome=outcome,
        as_of=as_of,
        run_id=str(opened[0]) if opened else None,
        steps=tuple(steps),
        missing=tuple(f"{feed} is {state}" for feed, state in missing) if outcome == "waiting" else (),
        wall_seconds=wall_seconds,
        message=message,
        log=log,
    )
