"""The child process of `run_dags`: Airflow's own DAG runs, recorded in its database, executed here one task after
another.

Takes the order as one JSON argument, writes one JSON line per event to the descriptor named in
SEND_RETURNS_EVENTS, and leaves everything Airflow says on standard output and error, which the parent keeps in a log.
"""

import json
import os
import sys
from typing import TextIO

from airflow.dag_processing.dagbag import DagBag
from airflow.listeners import hookimpl
from airflow.sdk import DAG
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.listener import get_listener_manager

from send_returns import clock
from send_returns.orchestration.lifeline import die_with_parent
from send_returns.orchestration.metadata import forget_nudges, migrate_metadata
from send_returns.settings import load

EVENTS = "SEND_RETURNS_EVENTS"


class Reporter:
    """An Airflow listener that tells the parent when a task starts and how it ended."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._started = clock.monotonic()

    def tell(self, event: str, **facts: str | float) -> None:
        """Write one event. Facts are ids, states and seconds; a message is one that a stage has worded for people."""
        self._events.write(json.dumps({"event": event, **facts}) + "\n")
        self._events.flush()

    def _task(self, event: str, task_instance: RuntimeTaskInstance, **facts: str) -> None:
        self.tell(
            event,
            dag=task_instance.dag_id,
            task=task_instance.task_id,
            label=task_instance.task.task_display_name,
            seconds=clock.monotonic() - self._started,
            **facts,
        )

    @hookimpl
    def on_task_instance_running(self, task_instance: RuntimeTaskInstance) -> None:
        """A task begins."""
        self._started = clock.monotonic()
        self._task("started", task_instance)

    @hookimpl
    def on_task_instance_success(self, task_instance: RuntimeTaskInstance) -> None:
        """A task has succeeded."""
        self._task("success", task_instance)

    @hookimpl
    def on_task_instance_skipped(self, task_instance: RuntimeTaskInstance) -> None:
        """A task had nothing to do."""
        self._task("skipped", task_instance)

    @hookimpl
    def on_task_instance_failed(self, task_instance: RuntimeTaskInstance, error: object) -> None:
        """A task failed, for good or until its next try."""
        state = str(getattr(task_instance.state, "value", task_instance.state))
        self._task("retry" if state == "up_for_retry" else "failed", task_instance, message=_first_line(error))


def _first_line(error: object) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__


def drive(order: dict[str, dict[str, str]], reporter: Reporter) -> bool:
    """Run the DAGs of `order` (dag id to parameters) in turn, up to one that fails or waits. True when none failed."""
    bag = DagBag(dag_folder=os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    if bag.import_errors:
        reporter.tell("broken", message=f"A DAG file cannot be imported: {', '.join(sorted(bag.import_errors))}.")
        return False
    for dag_id, conf in order.items():
        dag: DAG = bag.dags[dag_id]
        run = dag.test(run_conf=conf)
        reporter.tell("dag", dag=dag_id, state=str(run.state), airflow_run_id=run.run_id)
        if run.state != "success":
            return False
        if dag_id == "build_partnership" and run.get_task_instance("open_run").state == "skipped":
            break  # a feed is missing: nothing was built that could be published
    return True


def main() -> int:
    """Return 0 when every DAG run succeeded, 1 otherwise."""
    die_with_parent()
    order = json.loads(sys.argv[1])
    with os.fdopen(int(os.environ[EVENTS]), "w") as events:
        reporter = Reporter(events)
        migrate_metadata(load())
        get_listener_manager().add_listener(reporter)  # type: ignore[no-untyped-call]
        succeeded = drive(order, reporter)
        forget_nudges()
    return 0 if succeeded else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is committed; taking apart the API server that Airflow runs inside this process would take seconds.
    os._exit(code)
