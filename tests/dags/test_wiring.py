"""What the DAGs share: how a request is read, what may go to XCom, and how a failure is told."""

import os
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, ParamValidationError

from send_returns import clock, warehouse
from send_returns.failure import Failure
from send_returns.orchestration import wiring
from send_returns.settings import Settings
from send_returns.stages import NotReady


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, as the environment names it."""
    for name in [name for name in os.environ if name.startswith("SEND_RETURNS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.mark.parametrize(
    ("given", "as_of"),
    [
        ({"as_of": "2026-10-30"}, date(2026, 10, 30)),
        ({"period": "2026-10"}, date(2026, 10, 31)),
        ({"period": "2028-02"}, date(2028, 2, 29)),
        ({"as_of": "2026-10-30", "period": "2026-10"}, date(2026, 10, 30)),
    ],
)
def test_the_reporting_date_is_the_date_or_the_last_day_of_the_period(given: dict[str, str], as_of: date) -> None:
    assert wiring.resolve(given).as_of == as_of


def test_with_neither_the_reporting_date_is_the_day_of_the_run() -> None:
    before = clock.today()
    assert before <= wiring.resolve({}).as_of <= clock.today()


def test_a_date_outside_its_period_is_refused() -> None:
    with pytest.raises(wiring.RequestRefused, match="outside"):
        wiring.resolve({"as_of": "2026-11-01", "period": "2026-10"})


def test_folders_and_partnership_come_from_parameters_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = wiring.resolve({})
    assert plain.inbox == plain.settings.home / "inbox"
    assert plain.output == plain.settings.home / "output"
    monkeypatch.setenv("SEND_RETURNS_INBOX", "/srv/inbox")
    assert str(wiring.resolve({}).inbox) == "/srv/inbox"
    named = wiring.resolve({"inbox": "/other", "partnership": "essex"})
    assert (str(named.inbox), named.settings.partnership) == ("/other", "essex")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_of", "30/10/2026"),
        ("period", "2026-13"),
        ("partnership", "Essex'; drop table"),
        ("mode", "half"),
        ("run_id", "a b"),
        ("inbox", ""),
    ],
)
def test_a_parameter_of_the_wrong_form_is_refused(name: str, value: str) -> None:
    with pytest.raises(ParamValidationError):
        wiring.params(name)[name].resolve(value)


@pytest.mark.parametrize(
    "value", ["r4f8fe8e7c3ddae24", 3, 2.5, True, None, {"rows": 1, "feeds": {"sen2": {"rows_in": 7}}}]
)
def test_ids_and_counts_may_go_to_xcom(value: Any) -> None:
    assert wiring.ids_and_counts(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "Anne Example",
        "x" * 201,
        "",
        ["r1"],
        {"names": ["a"]},
        {"a name": 1},
        {"born": date(2015, 1, 1)},
        {"row": {"message": "is not a date"}},
        {f"n{number}": 1 for number in range(101)},
        b"raw",
    ],
)
def test_anything_else_may_not(value: Any) -> None:
    with pytest.raises(TypeError) as refusal:
        wiring.ids_and_counts(value)
    assert "Anne" not in str(refusal.value)


def _raising(error: Exception) -> Callable[[], int]:
    @wiring.stage
    def task() -> int:
        raise error

    return task


def test_what_waits_is_skipped_with_what_is_missing() -> None:
    with pytest.raises(AirflowSkipException, match="sen2 is missing"):
        _raising(NotReady(["sen2 is missing"]))()


def test_what_a_person_must_mend_is_not_retried() -> None:
    with pytest.raises(AirflowFailException, match="Mend the file"):
        _raising(Failure("Mend the file."))()


def test_what_passes_is_left_to_the_retries() -> None:
    with pytest.raises(OSError, match="No space"):
        _raising(OSError("No space left on device"))()


def test_a_stage_may_not_return_rows() -> None:
    @wiring.stage
    def task() -> list[str]:
        return ["Anne"]

    with pytest.raises(TypeError):
        task()


def test_the_text_of_the_database_is_not_repeated(database: Settings) -> None:
    @wiring.stage
    def task() -> int:
        with warehouse.connect(database) as connection:
            connection.execute("select 'Canary'::date")
        return 0

    with pytest.raises(wiring.DatabaseFailed) as failure:
        task()
    assert "22007" in str(failure.value)
    assert "Canary" not in str(failure.value)
    assert failure.value.__suppress_context__
    assert isinstance(failure.value.__context__, psycopg.Error)
