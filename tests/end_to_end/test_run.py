"""The command that a person types, on a home of its own: to a published return, again, and stopped by a rule."""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from send_returns import warehouse
from send_returns.settings import Settings

AS_OF = "2026-10-30"
CHILDREN = "300"
PACK = Path("area_send_annex_a", "hertfordshire", AS_OF, "v1")
RETURNS = [
    "area_send_annex_a",
    "area_send_evidence",
    "health_waits",
    "improvement_plan_progress",
    "public_scorecard",
    "sen2",
]
# Made anew by each signing: who signed when, and its seal.
SIGNED = {"release.json", "release.json.sig"}
LISTED = "select md5(string_agg(l::text, '' order by l)) from returns.return_annex_a__list_1 as l"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Place:
    """A home with its own server, the output folder, and what the first run said."""

    settings: Settings
    output: Path
    said: str

    @property
    def county(self) -> Path:
        return next((self.settings.home / "simulated").iterdir())

    def send_returns(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "send_returns.cli", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEND_RETURNS_")}
        return {**kept, "SEND_RETURNS_HOME": str(self.settings.home), "COLUMNS": "140"}


def _demonstrate(home: Path, **environment: str) -> Place:
    place = Place(Settings(home=home), home / "output", "")
    done = place.send_returns(
        "demo", "--children", CHILDREN, "--as-of", AS_OF, "--output", str(place.output), **environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Place(place.settings, place.output, done.stdout)


@pytest.fixture(scope="module")
def place(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A county that has been through the whole job once. Its server stays up for the tests."""
    home = tmp_path_factory.mktemp("home")
    (home / "cache").symlink_to(cache)
    settings = Settings(home=home)
    warehouse.ensure_server(settings)
    try:
        yield _demonstrate(home)
    finally:
        warehouse.stop_server(settings, remove=True)
        shutil.rmtree(home, ignore_errors=True)


def _bytes(pack: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(pack.iterdir())}


def _packs(output: Path) -> dict[str, dict[str, str]]:
    """What every published pack holds, but for who signed it when."""
    return {
        name: {
            file: sha256
            for file, sha256 in _bytes(output / name / "hertfordshire" / AS_OF / "v1").items()
            if file not in SIGNED
        }
        for name in RETURNS
    }


def _tables(settings: Settings) -> dict[str, str]:
    """A hash of each table's rows, without what says when something was done, how long it took, and what came again.

    Nor which physical table it was done in.
    """
    hashes = {}
    with warehouse.connect(settings) as connection:
        columns = connection.execute(
            "select table_schema, table_name, array_agg(column_name::text order by ordinal_position)"
            " from information_schema.columns join information_schema.tables using (table_schema, table_name)"
            " where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
            " and table_schema || '.' || table_name not in ('audit.stage', 'audit.built', 'landing.sighting')"
            " and column_name <> 'seconds' and column_name !~ '_at$' group by 1, 2"
        ).fetchall()
        for schema, table, names in columns:
            row = connection.execute(
                sql.SQL("select coalesce(sum(hashtextextended(({})::text, 0)), 0)::text, count(*) from {}").format(
                    sql.SQL("row({})").format(sql.SQL(", ").join(map(sql.Identifier, names))),
                    sql.Identifier(schema, table),
                )
            ).fetchone()
            hashes[f"{schema}.{table}"] = str(row)
    return hashes


def test_one_screen_says_what_happened(place: Place) -> None:
    for word in ("Feeds landed", "Rows in", "Quarantined", "List 1, EHC plans", "failed, release stopped", "whole run"):
        assert word in place.said
    for feed in ("sen2", "school_census", "cin_census", "ssda903", "ehe_register", "csds", "gias"):
        assert re.search(rf"^ ?{feed} +\d", place.said, re.MULTILINE), feed
    assert f"verify {place.output / PACK}" in place.said.replace("\n", "")
    for name in RETURNS:
        assert re.search(rf"^ ?{name} +v1 ", place.said, re.MULTILINE), name
    assert "REHEARSAL" in place.said


def test_the_pack_is_whole_and_built_from_what_was_landed(place: Place) -> None:
    done = place.send_returns("verify", str(place.output / PACK))
    assert done.returncode == 0, done.stdout
    manifest = json.loads((place.output / PACK / "manifest.json").read_text())
    with warehouse.connect(place.settings) as connection:
        delivered = {row[0] for row in connection.execute("select delivery_id::text from landing.delivery").fetchall()}
        (rows,) = connection.execute("select count(*) from returns.return_annex_a__list_1").fetchone() or (0,)
    assert {str(one["delivery_id"]) for one in manifest["deliveries"]} == delivered
    with (place.output / PACK / "List_1.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == rows > 50


def test_both_partners_have_signed_every_return_through_airflow_and_every_page_says_rehearsal(place: Place) -> None:
    with warehouse.connect(place.settings) as connection:
        signed = connection.execute(
            "select return_name, state, array_agg(username order by username) from release.release"
            " inner join release.signature using (release_id, attempt) where verdict = 'approve'"
            " group by 1, 2 order by 1"
        ).fetchall()
    assert signed == [(name, "published", ["rehearsal_council", "rehearsal_icb"]) for name in RETURNS]
    statistics = json.loads(
        (place.output / "public_scorecard" / "hertfordshire" / AS_OF / "v1" / "manifest.json").read_text()
    )
    told = {name for part in ("deliveries", "rules") for one in statistics[part] for name in one}
    assert told.isdisjoint({"rows_in", "rows_loaded", "failing_rows", "checked_rows"})
    for page in place.output.glob("*/hertfordshire/*/v1/*.html"):
        assert "REHEARSAL" in page.read_text(encoding="utf-8"), page.name
    at = warehouse.address(place.settings, warehouse.embedded.AIRFLOW)
    with psycopg.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, dbname=at.database
    ) as connection:
        answered = connection.execute(
            "select assignees ->> 0, responded_by ->> 'id', chosen_options ->> 0 from hitl_detail order by 2"
        ).fetchall()
    assert [(by, chosen) for _, by, chosen in answered] == [
        ("rehearsal_council", "Approve"),
        ("rehearsal_icb", "Approve"),
    ]


def test_the_data_dictionary_is_published_with_the_marts_and_has_every_column(place: Place) -> None:
    folder = place.output / "data_dictionary"
    with warehouse.connect(place.settings) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where table_schema in ('marts', 'returns')"
        ).fetchall()
    with (folder / "data_dictionary.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["schema"], row["table"], row["column"]) for row in rows if row["column"]} == set(columns)
    assert [row for row in rows if not row["description"]] == []
    before = _bytes(folder)
    assert b'id="marts.mart_indicator"' in (folder / "data_dictionary.html").read_bytes()
    done = place.send_returns("dictionary", "--output", str(place.output))
    assert done.returncode == 0, done.stdout
    assert _bytes(folder) == before


def test_a_published_workbook_passes_the_check_that_a_data_officer_runs(place: Place) -> None:
    workbook = place.output / PACK / "area_send_annex_a.xlsx"
    done = place.send_returns("check", str(workbook), "--as-of", AS_OF, "--format", "json")
    found = json.loads(done.stdout)
    with warehouse.connect(place.settings) as connection:
        gate = connection.execute(
            "select rule, row_number from audit.finding where scope = 'run' and rule ~ '^[12]\\d\\d'"
        ).fetchall()
    assert sorted((one["rule"], one["row"]) for one in found["findings"]) == sorted(gate)
    assert done.returncode == (1 if any(one["severity"] == "error" for one in found["findings"]) else 0)


def test_a_second_run_changes_nothing(place: Place) -> None:
    tables, files = _tables(place.settings), _bytes(place.output / PACK)
    arguments = ("--inbox", str(place.county / "inbox"), "--as-of", AS_OF, "--output", str(place.output), "--rehearse")
    done = place.send_returns("run", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _bytes(place.output / PACK) == files
    assert _tables(place.settings) == tables


def test_ctrl_c_leaves_no_process_behind_and_building_everything_then_gives_the_same_database(place: Place) -> None:
    tables, files = _tables(place.settings), _bytes(place.output / PACK)
    arguments = ["run", "--inbox", str(place.county / "inbox"), "--as-of", AS_OF, "--output", str(place.output)]
    arguments += ["--mode", "full", "--rehearse"]
    process = subprocess.Popen(
        [sys.executable, "-m", "send_returns.cli", *arguments],
        env=place.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = _wait_for_children(psutil.Process(process.pid))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    done = place.send_returns(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _bytes(place.output / PACK) == files
    again = _tables(place.settings)
    # The run now says that it was built in full, and the audit that it was; nothing else may differ.
    assert {name for name in tables if again[name] != tables[name]} <= {"audit.run", "audit.event"}


def test_another_home_time_zone_locale_and_number_of_workers_give_the_same_bytes(
    place: Place, cache: Path, tmp_path: Path
) -> None:
    other = {"TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7"}
    other |= {"SEND_RETURNS_WORKERS": "3", "POLARS_MAX_THREADS": "1"}
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "cache").symlink_to(cache)
    try:
        elsewhere = _demonstrate(home, **other)
        assert _packs(elsewhere.output) == _packs(place.output)
    finally:
        warehouse.stop_server(Settings(home=home), remove=True)


def test_no_identifier_of_a_child_reaches_a_log_a_task_or_an_artefact(place: Place) -> None:
    with (place.county / "truth" / "person.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    hidden = {person[name] for person in people for name in ("upn", "uln", "nhs_number", "surname")} - {""}
    assert len(hidden) > 1000
    seen = ["screen " + place.said]
    for folder in ("logs", "runs", "airflow"):
        seen += [
            f"{file} {file.read_bytes().decode('utf-8', errors='replace')}"
            for file in (place.settings.home / folder).rglob("*")
            if file.is_file()
        ]
    assert len(seen) > 5
    seen += [f"{table} {text}" for table, text in _said_by_the_databases(place.settings)]
    for text in seen:
        # Spaces within a number do not hide it.
        words = set(re.findall(r"\w+", text)) | set(re.findall(r"\w+", re.sub(r"(?<=\d) (?=\d)", "", text)))
        assert not words & hidden, f"{len(words & hidden)} identifier(s) in {text.split(' ', 1)[0]}"


def _said_by_the_databases(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every row of Airflow's metadata, of the audit and of the releases, as text."""
    for name, schemas in ((warehouse.embedded.AIRFLOW, ["public"]), (None, ["audit", "release", "warehouse"])):
        at = warehouse.address(settings, name)
        with psycopg.connect(
            host=at.host, port=at.port, user=at.user, password=at.password, dbname=at.database
        ) as connection:
            tables = connection.execute(
                "select schemaname, tablename from pg_tables where schemaname = any(%s)", [schemas]
            ).fetchall()
            assert tables
            for schema, table in tables:
                query = sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, table))
                yield f"{schema}.{table}", " ".join(row[0] for row in connection.execute(query))


def _wait_for_children(process: psutil.Process) -> list[psutil.Process]:
    for _ in range(300):
        if children := process.children(recursive=True):
            time.sleep(5)  # well into its work
            return sorted({*children, *process.children(recursive=True)}, key=lambda child: child.pid)
        time.sleep(0.1)
    raise AssertionError("The run started no process.")


def test_a_broken_rule_publishes_nothing(place: Place, tmp_path: Path) -> None:
    """Ethnicity is taken out of every person of SEN2: rule 101c is far beyond its tolerance."""
    before = _bytes(place.output / PACK)
    inbox = tmp_path / "inbox"
    shutil.copytree(place.county / "inbox", inbox)
    sen2 = next((inbox / "council" / "sen2").iterdir())
    text = sen2.read_text(encoding="utf-8")
    assert "<Ethnicity>" in text
    sen2.write_text(re.sub(r"<Ethnicity>\w*</Ethnicity>", "", text), encoding="utf-8")
    with warehouse.connect(place.settings) as connection:
        live = connection.execute("select * from audit.live").fetchall()
        rows = connection.execute(
            "select md5(string_agg(l::text, '' order by l)) from returns.return_annex_a__list_1 as l"
        )
        listed = rows.fetchone()
    done = place.send_returns("run", "--inbox", str(inbox), "--as-of", AS_OF, "--output", str(place.output))
    assert done.returncode == 1
    assert "Stopped by 101c" in done.stdout
    assert "Nothing was published" in done.stdout
    assert _bytes(place.output / PACK) == before
    with warehouse.connect(place.settings) as connection:
        assert connection.execute("select * from audit.live").fetchall() == live
        rows = connection.execute(
            "select md5(string_agg(l::text, '' order by l)) from returns.return_annex_a__list_1 as l"
        )
        assert rows.fetchone() == listed
