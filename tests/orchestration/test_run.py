"""The real DAGs in one process: what is missing is waited for, a failure is one line, and Airflow has it on record."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import pytest

from send_returns import warehouse
from send_returns.identity import pseudonyms
from send_returns.orchestration.run import RunSummary, run_dags
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse.embedded import AIRFLOW

AS_OF = date(2026, 10, 30)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Tried:
    """A run, what it said while it worked, and where."""

    settings: Settings
    summary: RunSummary
    said: list[str | None]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every feed of a tiny county."""
    county = tmp_path_factory.mktemp("county")
    simulate(county, children=100, seed=11, as_of=AS_OF)
    return county / "inbox"


@pytest.fixture(scope="module")
def without_sen2(module_database: Settings, inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """A run for which the council has not sent SEN2."""
    partial = tmp_path_factory.mktemp("partial")
    for organisation in inbox.iterdir():
        (partial / organisation.name).mkdir()
        for feed in organisation.iterdir():
            if feed.name != "sen2":
                (partial / organisation.name / feed.name).symlink_to(feed)
    pseudonyms.new(module_database, pseudonyms.MARTS)
    said: list[str | None] = []
    output = tmp_path_factory.mktemp("output")
    summary = run_dags(module_database, as_of=AS_OF, inbox=partial, output=output, progress=said.append)
    assert not list(output.iterdir())
    return Tried(module_database, summary, said)


def _airflow(settings: Settings, query: str) -> list[tuple[str, ...]]:
    at = warehouse.address(settings, AIRFLOW)
    with psycopg.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, dbname=at.database
    ) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_missing_feed_is_waited_for_and_named(without_sen2: Tried) -> None:
    summary = without_sen2.summary
    assert summary.outcome == "waiting"
    assert summary.missing == ("sen2 is missing",)
    assert "sen2 is missing" in summary.message
    assert {step.task_id for step in summary.steps if step.state == "success"} == {
        "land_reference",
        "land_council",
        "land_icb",
    }
    assert "Open the run" in without_sen2.said
    assert "Gate" not in without_sen2.said


def test_airflow_has_every_run_on_record_with_its_parameters(without_sen2: Tried) -> None:
    runs = _airflow(
        without_sen2.settings,
        "select distinct on (dag_id) dag_id, state, conf ->> 'as_of' from dag_run order by dag_id, start_date desc",
    )
    as_of = AS_OF.isoformat()
    assert runs == [
        ("build_partnership", "success", as_of),
        ("extract_council", "success", as_of),
        ("extract_icb", "success", as_of),
    ]
    states = _airflow(
        without_sen2.settings,
        # What landing nudged besides may still wait when the run that was asked for has ended.
        "select distinct task_instance.state from task_instance join dag_run using (dag_id, run_id)"
        f" where dag_id = 'build_partnership' and conf ->> 'as_of' = '{as_of}'",
    )
    assert states == [("skipped",)]


def test_the_driver_leaves_no_nudge_to_act_on_later(without_sen2: Tried) -> None:
    assert _airflow(without_sen2.settings, "select count(*) from asset_event") != [(0,)]
    assert _airflow(without_sen2.settings, "select count(*) from asset_dag_run_queue") == [(0,)]


def test_xcom_holds_counts_only(without_sen2: Tried) -> None:
    values = _airflow(without_sen2.settings, "select value::text from xcom")
    assert len(values) >= 3
    assert all(len(value) < 2000 for (value,) in values)


def test_a_failure_is_one_line_and_the_rest_is_not_started(database: Settings, tmp_path: Path) -> None:
    summary = run_dags(database, as_of=AS_OF, inbox=tmp_path / "nowhere", output=tmp_path)
    assert summary.outcome == "failed"
    assert "extract_council.land_reference: Inbox" in summary.message
    assert str(summary.log) in summary.message
    assert "\n" not in summary.message
    assert [step.state for step in summary.steps] == ["started", "failed"]
    assert "Traceback" in summary.log.read_text() or "exc_type" in summary.log.read_text()
