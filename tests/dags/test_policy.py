"""What every DAG of ours must be: described, typed, owned, retried, coarse, and quick to parse."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict

from send_returns.orchestration import wiring
from send_returns.settings import PROJECT

DAGS = PROJECT / "dags"
FILES = sorted(DAGS.glob("*.py"))
NAMES = ["build_partnership", "extract_council", "extract_icb", "publish_returns"]
SECTIONS = ["What", "When", "Inputs", "How to re-run", "Who is affected", "When it fails"]
HEAVY = ["polars", "pyarrow", "duckdb", "dbt", "great_expectations", "pandas", "splink", "lxml", "send_returns.stages"]
PARSE_SECONDS = 2.0


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """Every DAG of the folder, parsed as Airflow does it."""
    return DagBag(dag_folder=str(DAGS))


@pytest.fixture(params=NAMES)
def dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    """Each DAG in turn."""
    return bag.dags[request.param]


def test_the_folder_holds_these_dags_and_no_other(bag: DagBag) -> None:
    assert not bag.import_errors
    assert sorted(bag.dags) == NAMES
    for dag_id, dag in bag.dags.items():
        assert Path(dag.fileloc) == DAGS / f"{dag_id}.py"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_is_parsed_in_time_and_imports_nothing_heavy(file: Path) -> None:
    probe = (
        "import json, runpy, sys, time; import airflow.sdk, airflow.dag_processing.dagbag; before = time.monotonic();"
        f" runpy.run_path({str(file)!r}); print(json.dumps([time.monotonic() - before, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    assert seconds <= PARSE_SECONDS
    assert [name for name in HEAVY if name in modules] == []


def test_the_docstring_is_the_manual(dag: DAG) -> None:
    manual = dag.doc_md or ""
    assert manual.startswith("# ")
    assert re.findall(r"^\*\*(.+?)\.\*\*", manual, re.MULTILINE) == SECTIONS
    for parameter in dag.params:
        assert f"`{parameter}`" in manual, parameter


def test_a_dag_is_owned_tagged_and_described(dag: DAG) -> None:
    assert dag.tags
    assert dag.description
    assert len(dag.description) <= 90
    assert dag.dag_display_name != dag.dag_id
    assert {task.owner for task in dag.tasks} == {wiring.OWNER}


def test_runs_neither_overlap_nor_catch_up(dag: DAG) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_every_task_is_tried_again_with_backoff_and_ends_some_time(dag: DAG) -> None:
    assert 1 <= len(dag.tasks) <= 6
    for task in dag.tasks:
        assert task.retries >= 1
        assert task.retry_delay >= timedelta(seconds=10)
        assert task.retry_exponential_backoff
        # A task that a person answers ends its wait some time, and its own work takes a moment.
        assert (getattr(task, "response_timeout", None) or task.execution_timeout) is not None


def test_every_parameter_is_typed_and_described(dag: DAG) -> None:
    assert isinstance(dag.params, ParamsDict)
    assert dag.params
    for name in dag.params:
        parameter = dag.params.get_param(name)
        assert parameter.schema["type"], name
        assert len(parameter.description or "") > 20, name
        is_limited = {"format", "pattern", "enum", "minLength"} & set(parameter.schema)
        assert is_limited or parameter.schema["type"] == "boolean", name


def test_deliveries_nudge_the_build_and_the_build_nudges_publication(bag: DagBag) -> None:
    outlets = {
        dag_id: {outlet.uri for task in dag.tasks for outlet in task.outlets} for dag_id, dag in bag.dags.items()
    }
    wanted = {
        dag_id: {asset.uri for asset in bag.dags[dag_id].timetable.asset_condition.objects}
        for dag_id in ("build_partnership", "publish_returns")
    }
    assert wanted["build_partnership"] == outlets["extract_council"] | outlets["extract_icb"]
    assert wanted["publish_returns"] == outlets["build_partnership"]
