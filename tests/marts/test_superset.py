"""A real BI tool reads the marts: Apache Superset, from its own package in an environment of its own (`make superset`).

It logs in as a member of `marts_reader`, makes datasets and charts over its API, and a chart shows what SQL says.
"""

import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from psycopg import sql

from send_returns import stages
from send_returns.settings import Settings
from send_returns.warehouse import address, connect, free_port

SUPERSET = os.environ.get("SEND_RETURNS_SUPERSET", "")
STARTS_WITHIN = 300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not SUPERSET, reason="Superset is asked by `make superset`, because it takes minutes to start"),
]

CONFIGURATION = """
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = {metadata!r}
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
"""


class County(Protocol):
    settings: Settings
    run_id: str


@dataclass
class Superset:
    """A Superset that runs, its address and the token of its administrator."""

    port: int
    token: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask its API; what it says of a failure is in the error."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                **({"Content-Type": "application/json"} if body is not None else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None
        return found

    def dataset(self, database: int, schema: str, table: str) -> int:
        """Make a dataset of a table, as a person does with three clicks; returns its id."""
        return int(self.call("POST", "/dataset/", {"database": database, "schema": schema, "table_name": table})["id"])

    def chart(self, dataset: int, title: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Make a chart and ask for the data that it shows."""
        asked = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"row_limit": 50_000, "orderby": [], **query}],
            "result_format": "json",
            "result_type": "full",
            "force": True,
        }
        made = self.call(
            "POST",
            "/chart/",
            {
                "slice_name": title,
                "viz_type": "table",
                "datasource_id": dataset,
                "datasource_type": "table",
                "params": json.dumps({"viz_type": "table", "datasource": f"{dataset}__table"}),
                "query_context": json.dumps(asked),
            },
        )
        [shown] = self.call("GET", f"/chart/{made['id']}/data/?force=true")["result"]
        rows: list[dict[str, Any]] = shown["data"]
        return rows


def _superset(*arguments: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [f"{SUPERSET}/superset", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@contextmanager
def _administered(settings: Settings) -> Iterator[psycopg.Connection]:
    at = address(settings)
    with psycopg.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, dbname="postgres", autocommit=True
    ) as connection:
        yield connection


@pytest.fixture(scope="module")
def live(
    county: County,
    copy_of: Callable[[Settings, Path], AbstractContextManager[Settings]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    """The county with its marts live."""
    with copy_of(county.settings, tmp_path_factory.mktemp("live") / "home") as settings:
        stages.gate(settings, county.run_id)
        yield settings


@pytest.fixture(scope="module")
def reader(live: Settings) -> Iterator[str]:
    """The address of the marts for a login that may read them and nothing else."""
    at, login, password = address(live), f"superset_reader_{os.getpid()}", secrets.token_urlsafe()
    name = sql.Identifier(login)
    with _administered(live) as admin:
        admin.execute(
            sql.SQL("create role {} login password {} in role marts_reader").format(name, sql.Literal(password))
        )
    yield f"postgresql+psycopg2://{login}:{password}@{at.host}:{at.port}/{at.database}"
    with _administered(live) as admin:
        admin.execute(sql.SQL("drop role {}").format(name))


@pytest.fixture(scope="module")
def superset(live: Settings, reader: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """Superset with its own metadata database on the same server. It ends before the login that it uses is dropped."""
    assert reader
    folder, at = tmp_path_factory.mktemp("superset"), address(live)
    name, secret, password = f"superset_{os.getpid()}", secrets.token_urlsafe(42), secrets.token_urlsafe()
    with _administered(live) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    metadata = f"postgresql+psycopg2://{at.user}:{at.password}@{at.host}:{at.port}/{name}"
    (folder / "superset_config.py").write_text(CONFIGURATION.format(secret=secret, metadata=metadata))
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "FLASK_APP": "superset",
    }
    _superset("db", "upgrade", environment=environment)
    _superset(
        *("fab", "create-admin", "--username", "admin", "--firstname", "A", "--lastname", "A"),
        *("--email", "admin@example.org", "--password", password),
        environment=environment,
    )
    _superset("init", environment=environment)
    running = Superset(free_port())
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [f"{SUPERSET}/superset", "run", "-h", "127.0.0.1", "-p", str(running.port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(server, running.port, folder / "log")
            said = {"username": "admin", "password": password, "provider": "db", "refresh": False}
            running.token = running.call("POST", "/security/login", said)["access_token"]
            yield running
        finally:
            server.terminate()
            server.wait(30)
    with _administered(live) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(STARTS_WITHIN):
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


@pytest.fixture(scope="module")
def database(superset: Superset, reader: str) -> int:
    """The marts as a database of Superset."""
    return int(superset.call("POST", "/database/", {"database_name": "marts", "sqlalchemy_uri": reader})["id"])


@pytest.fixture(scope="module")
def indicators(superset: Superset, database: int) -> int:
    return superset.dataset(database, "marts", "mart_indicator")


def _ask(live: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(live) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_chart_of_the_headline_figures_is_what_sql_says(live: Settings, superset: Superset, indicators: int) -> None:
    rows = superset.chart(
        indicators,
        "Headlines",
        {
            "columns": ["measure", "status", "value"],
            "metrics": [],
            "filters": [{"col": "is_headline", "op": "==", "val": True}],
        },
    )
    said = _ask(live, "select measure, status, value::float from marts.mart_indicator where is_headline")
    assert len(said) >= 112
    assert sorted((row["measure"], row["status"], row["value"]) for row in rows) == sorted(said)
    assert sum(row["status"] == "ok" for row in rows) > 80


def test_a_chart_by_month_uses_the_dates_as_time(live: Settings, superset: Superset, indicators: int) -> None:
    rows = superset.chart(
        indicators,
        "Plans by month",
        {
            "columns": [
                {
                    "columnType": "BASE_AXIS",
                    "sqlExpression": "period_to_on",
                    "label": "month",
                    "expressionType": "SQL",
                    "timeGrain": "P1M",
                }
            ],
            "metrics": [
                {
                    "expressionType": "SIMPLE",
                    "aggregate": "MAX",
                    "column": {"column_name": "value"},
                    "label": "value",
                }
            ],
            "filters": [
                {"col": "measure", "op": "==", "val": "EHC01"},
                {"col": "period_kind", "op": "==", "val": "month"},
                {"col": "geography_type", "op": "==", "val": "partnership"},
                {"col": "breakdown", "op": "==", "val": "total"},
            ],
        },
    )
    said = _ask(
        live,
        "select (extract(epoch from date_trunc('month', period_to_on)) * 1000)::bigint, value::float"
        " from marts.mart_indicator where measure = 'EHC01' and period_kind = 'month'"
        " and geography_type = 'partnership' and breakdown = 'total'",
    )
    assert len(said) > 12
    assert sorted((row["month"], row["value"]) for row in rows) == sorted(said)


def test_a_star_is_a_dataset_without_a_query(live: Settings, superset: Superset, database: int) -> None:
    star = superset.dataset(database, "stars", "fct_clock")
    rows = superset.chart(
        star,
        "Clocks by district and outcome",
        {
            "columns": ["district_name", "outcome"],
            "metrics": [{"expressionType": "SQL", "sqlExpression": "count(*)", "label": "clocks"}],
            "filters": [],
        },
    )
    said = _ask(
        live,
        "select child.district_name, clock.outcome, count(*) from marts.fct_clock as clock"
        " left join marts.dim_child as child on clock.child_key = child.child_key group by 1, 2",
    )
    assert len({district for district, *_ in said}) >= 10
    shown = [(row["district_name"], row["outcome"], row["clocks"]) for row in rows]
    assert sorted(shown, key=str) == sorted(said, key=str)
    made = superset.call("GET", f"/dataset/{star}")["result"]["columns"]
    told = {column["column_name"]: column["description"] for column in made}
    assert told["district_name"]


def test_it_reads_nothing_but_marts(superset: Superset, database: int) -> None:
    # The catalog shows that the table is there; what is in it is another matter.
    persons = superset.dataset(database, "identity", "child_key")
    with pytest.raises(AssertionError, match="permission denied for schema identity"):
        superset.chart(persons, "Persons", {"columns": ["person_id"], "metrics": [], "filters": []})
