"""The SEN2 return of a built county: read back by the feed that it came from, and held back by its rules."""

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb
import polars as pl
import psycopg
import pytest
from lxml import etree
from psycopg import sql

from send_returns import feeds, stages
from send_returns.publication import drafting
from send_returns.quality import gating
from send_returns.returns import declarations, evidence
from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.renderers import sen2
from send_returns.settings import Settings
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)

# Who made the file is ours to say; all else is the council's.
OURS = {"softwarecode", "release", "serialno", "datetime"}
FEED = feeds.load("sen2", year=AS_OF.year)


class County(Protocol):
    settings: Settings
    run_id: str


@dataclass
class Judged:
    """A county whose rules were evaluated, in a transaction that is rolled back."""

    connection: psycopg.Connection
    county: County
    question: gating._Question

    @property
    def rules(self) -> list[gating.Rule]:
        return [rule for rule in self.question.rules if rule.suite == "sen2"]

    def failing(self, rule: gating.Rule) -> int:
        query = f"select count(*) from ({self.question.verdicts([[rule]])}) as v (scan, n, key, flags) where flags[1]"
        [(count,)] = self.connection.execute(query.encode()).fetchall()
        return int(count)

    def render(self, folder: Path, *, is_rehearsal: bool = False) -> dict[str, int]:
        """The files of the return, as of the transaction's rows."""
        folder.mkdir()
        with self.connection.transaction(force_rollback=True):
            self.connection.execute("alter schema candidate_returns rename to returns")
            run = evidence.find(self.connection, self.county.run_id, "hertfordshire")
            proof = evidence.gather(self.connection, run, "sen2")
            job = Job(self.connection, declarations.load("sen2"), proof, 2, is_rehearsal, None)
            return dict(sen2.render(job, folder))


@pytest.fixture(scope="module")
def judged(county: County) -> Iterator[Judged]:
    with connect(county.settings) as connection:
        connection.execute(f"set search_path = {', '.join(gating.SCHEMAS)}".encode())
        question = gating._Question(connection, county.run_id)
        found = gating._evaluate(connection, question)
        counts = connection.execute("select rule, failing_rows, checked_rows from candidate_audit.rule_count")
        gating._record_results(connection, question, found, {rule: (n, of) for rule, n, of in counts.fetchall()})
        yield Judged(connection, county, question)
        connection.rollback()


@pytest.fixture(scope="module")
def rendered(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sen2") / "files"
    judged.render(folder)
    return folder


def _rows(settings: Settings, table: feeds.Table) -> list[tuple[object, ...]]:
    names = [column.name for column in table.columns if column.name not in OURS]
    with connect(settings) as connection:
        query = sql.SQL("select {} from {} order by _row_number").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table.raw_schema, table.raw_name)
        )
        return connection.execute(query).fetchall()


def test_the_file_is_read_back_with_nothing_lost(
    county: County,
    rendered: Path,
    new_database: Callable[[Path], AbstractContextManager[Settings]],
    tmp_path: Path,
) -> None:
    with new_database(tmp_path / "home") as settings:
        folder = tmp_path / "inbox" / "council" / "sen2"
        folder.mkdir(parents=True)
        shutil.copy(rendered / "SEN2_919_2026.xml", folder)
        landed = stages.land(settings, "council", tmp_path / "inbox", AS_OF)
        assert landed["accepted"] == 1
        for table in FEED.tables:
            sent, back = _rows(county.settings, table), _rows(settings, table)
            assert back == sent, table.name
            assert len(sent) >= 1


def test_every_row_has_a_number_and_a_place(judged: Judged, tmp_path: Path) -> None:
    counts = judged.render(tmp_path / "out", is_rehearsal=True)
    [path] = (tmp_path / "out").glob("*.xml")
    assert path.name == "SEN2_919_2026.xml"
    root = etree.parse(path).getroot()
    assert path.read_bytes().startswith(f"<?xml version='1.0' encoding='UTF-8'?>\n<!-- {REHEARSAL} -->".encode())
    for table in FEED.tables[1:]:
        assert table.record is not None
        assert len(root.findall(f".//{table.record.element}")) == counts[table.name], table.name
    source = [leaf.text for leaf in root.iterfind("Header/Source/*")]
    assert (source[:3], source[4:]) == (["L", "919", "send-returns"], ["2", "2026-10-30T00:00:00"])


def test_two_renderings_are_the_same_bytes(judged: Judged, rendered: Path, tmp_path: Path) -> None:
    judged.render(tmp_path / "again")
    for path in sorted(rendered.iterdir()):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_every_rule_and_every_row_that_fails_one_is_listed(judged: Judged, rendered: Path) -> None:
    with (rendered / "rules.csv").open(encoding="utf-8-sig", newline="") as file:
        listed = {row["rule"]: row for row in csv.DictReader(file)}
    with (rendered / "findings.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert set(listed) == {rule.code for rule in judged.rules}
    assert sum(int(row["failing_rows"]) for row in listed.values()) == len(found) > 100
    late = [row for row in found if row["rule"] == "S2-014"]
    numbers = [int(row["row"]) - 1 for row in late]
    received = judged.connection.execute(
        "select requestoutcomedate - receiveddate from return_sen2__request where requeststableid = any(%s)", [numbers]
    ).fetchall()
    assert late
    assert len(received) == len(late)
    assert all(days > 42 for (days,) in received)


# A change to the county for each rule, after which more rows fail it: the table, what is set, and of which rows.
_CHILD, _CASE, _ASSESSED, _PLAN = (
    "persontableid = 7",
    "requeststableid = 7",
    "assessmenttableid = 7",
    "namedplantableid = 7",
)
_NAMED, _ACTIVE, _PLACE, _NEED = (
    "plandetailtableid = 7", "activeplanstableid = 7", "placementdetailtableid = 7", "senneedtableid = 7",
)  # fmt: skip
_UNIVERSITY = "update raw_reference.gias__establishment set typeofestablishment_name = 'Higher education institutions'"
_EARLY = "requeststableid in (select requeststableid from return_sen2__request where receiveddate < '2026-01-01')"
_IN_FORCE = "person_id in (select person_id from return_sen2__active_plan)"
FAULTS: dict[str, tuple[str, str, str]] = {
    "S2-001": ("person", "upn = null, uniquelearnernumber = null, upnunknown = null", _CHILD),
    "S2-002": ("person", "upn = null, uniquelearnernumber = null, upnunknown = 'UN8'", _CHILD),
    "S2-003": ("person", "upn = 'A000000000000'", "persontableid in (7, 8)"),
    "S2-004": ("person", "upn = 'B000000000000'", _CHILD),
    "S2-005": ("person", "personbirthdate = '2026-10-31'", _CHILD),
    "S2-006": ("person", "personbirthdate = '2000-08-31'", _CHILD),
    "S2-007a": ("person", "surname = null", _CHILD),
    "S2-007b": ("person", "forename = null", _CHILD),
    "S2-007c": ("person", "sex = null", _CHILD),
    "S2-007d": ("person", "ethnicity = null", _CHILD),
    "S2-008a": ("person", "sex = '1'", _CHILD),
    "S2-008b": ("person", "ethnicity = 'WHIT'", _CHILD),
    "S2-008c": ("person", "upnunknown = 'UN99'", _CHILD),
    "S2-008d": ("request", "requestsource = '7'", _CASE),
    "S2-008e": ("request", "requestoutcome = 'X'", _CASE),
    "S2-008f": ("assessment", "assessmentoutcome = 'X'", _ASSESSED),
    "S2-008g": ("named_plan", "planres = 'X'", _PLAN),
    "S2-008h": ("named_plan", "planwbp = 'X'", _PLAN),
    "S2-008i": ("named_plan", "dp = 'Y'", _PLAN),
    "S2-008j": ("named_plan", "ceasereason = '10'", _PLAN),
    "S2-008k": ("plan_detail", "sensetting = 'X'", _NAMED),
    "S2-008l": ("active_plan", "reviewoutcome = 'X'", _ACTIVE),
    "S2-008m": ("placement_detail", "sensetting = 'X'", _PLACE),
    "S2-008n": ("placement_detail", "res = 'X'", _PLACE),
    "S2-008o": ("placement_detail", "wbp = 'X'", _PLACE),
    "S2-008p": ("sen_need", "sentype = 'X'", _NEED),
    "S2-009": ("person", "postcode = 'SG1'", _CHILD),
    "S2-010a": ("request", "receiveddate = '2026-10-31'", _CASE),
    "S2-011": ("request", "requestoutcome = 'N', requestoutcomedate = null", _CASE),
    "S2-012": ("request", "requestoutcome = 'H', requestoutcomedate = receiveddate", _CASE),
    "S2-013": ("request", "requestoutcomedate = receiveddate - 1", _CASE),
    "S2-014": ("request", "requestoutcomedate = receiveddate + 43", _CASE),
    "S2-015": ("request", "requestoutcome = 'A', persontableid = 7", "requeststableid in (7, 8)"),
    "S2-016": ("request", "requestoutcome = 'N', requestmediation = null, requesttribunal = false",
               "requeststableid = (select requeststableid from return_sen2__assessment where assessmenttableid = 7)"),
    "S2-017": ("assessment", "assessmentoutcome = 'N', assessmentoutcomedate = null", _ASSESSED),
    "S2-018": ("assessment", "assessmentoutcomedate = '1999-01-01'", _ASSESSED),
    "S2-019": ("assessment", "assessmentoutcome = 'Y', assessmentoutcomedate = '2026-01-01', week20 = null", _ASSESSED),
    "S2-020": ("assessment", "assessmentoutcome = 'Y', assessmentoutcomedate = '2026-10-30', week20 = false",
               _EARLY),
    "S2-021": ("assessment", "assessmentoutcome = 'N', assessmentoutcomedate = '2026-10-30'",
               _EARLY),
    "S2-022": ("assessment", "week20 = true", "true"),
    "S2-023a": ("assessment", "assessmentoutcome = 'Y', assessmentoutcomedate = '2026-01-01'",
                "assessmenttableid not in (select assessmenttableid from return_sen2__named_plan)"),
    "S2-023b": ("named_plan", "startdate = null", _PLAN),
    "S2-024": ("request", "requestoutcome = 'Y', receiveddate = '2026-10-30'", "true"),
    "S2-025": ("named_plan", "ceasedate = startdate - 1", _PLAN),
    "S2-026": ("named_plan", "ceasedate = '2026-01-01', ceasereason = null", _PLAN),
    "S2-028": ("named_plan", "ceasedate = startdate, ceasereason = '1'", "true"),
    "S2-029": ("person", "personbirthdate = '2001-08-31'", _IN_FORCE),
    "S2-030": ("plan_detail", "urn = null, ukprn = null, sensetting = null", _NAMED),
    "S2-031": ("plan_detail", "urn = '100000', senunitindicator = null", _NAMED),
    "S2-033a": ("plan_detail", "urn = '999999'", _NAMED),
    "S2-033b": ("placement_detail", "urn = '999999'", _PLACE),
    "S2-034a": ("plan_detail", "sensetting = 'OTH', sensettingother = null", _NAMED),
    "S2-034b": ("placement_detail", "sensetting = 'NIEO', sensettingother = null", _PLACE),
    "S2-035": ("placement_detail", "activeplanstableid = 0", _PLACE),
    "S2-037": ("placement_detail", "leavingdate = entrydate - 1", _PLACE),
    "S2-038": ("placement_detail", "activeplanstableid = 1, placementrank = 1, leavingdate = null",
               "placementdetailtableid in (1, 2)"),
    "S2-039": ("placement_detail", "sensetting = 'NEET'", "true"),
    "S2-040": ("named_plan", "startdate = '2026-10-31'", "true"),
    "S2-041": ("active_plan", "person_id = 'same'", "activeplanstableid in (7, 8)"),
    "S2-042": ("active_plan", "reviewmeeting = '2020-01-01'", "true"),
    "S2-043": ("active_plan", "reviewmeeting = '2026-01-02', lastreview = '2026-01-01'", _ACTIVE),
    "S2-044": ("active_plan", "reviewmeeting = '2026-01-01', lastreview = '2026-01-30'", "true"),
    "S2-045": ("active_plan", "reviewoutcome = 'M', lastreview = null", _ACTIVE),
    "S2-046": ("active_plan", "reviewoutcome = 'A', reviewdraft = null", "true"),
    "S2-047": ("active_plan", "phasetransferduedate = '2026-02-15', phasetransferfinaldate = '2026-02-16'", "true"),
    "S2-048": ("sen_need", "sentyperank = 2", "activeplanstableid = 7"),
    "S2-049": ("sen_need", "sentyperank = 1, sentype = 'ASD', activeplanstableid = 7", "senneedtableid in (7, 8)"),
    "S2-050": ("sen_need", "sentype = 'NSA'", _NEED),
    "S2-052": ("request", "persontableid = 7, receiveddate = '2026-01-01'", "requeststableid in (7, 8)"),
    "sen2.header": ("header", "lea = null", "true"),
    "sen2.merged": ("person", "rows_as_sent = 2", _CHILD),
}  # fmt: skip
OTHER_FAULTS = {
    # The return of an ordinary census day; this county's is of another time of the year.
    "S2-010b": "update return_sen2__header set referencedate = '2026-01-15';"
    " update return_sen2__request set receiveddate = '2026-01-02' where requeststableid = 7",
    # More than a tenth of the county's plans end for "another reason", so this rule is told the better.
    "S2-027": "update return_sen2__named_plan set ceasereason = '6' where ceasereason = '9'",
    "S2-033c": f"{_UNIVERSITY} where urn in (select urn from return_sen2__plan_detail)",
    "S2-033d": f"{_UNIVERSITY} where urn in (select urn from return_sen2__placement_detail)",
    "S2-036": "update return_sen2__active_plan set transferla = '001'; delete from return_sen2__placement_detail",
    "sen2.empty": "delete from return_sen2__person",
    "sen2.left_out": "delete from int_sen2__returned where record = 'person' and number = 7",
    "sen2.quarantined": "insert into landing.quarantine select _delivery_id, 'person', 9999, '{F01}', '{}'"
    " from int_sen2__returned limit 1",
    "sen2.upn_elsewhere": "update return_sen2__person set upn = null",
}


def test_every_rule_finds_its_fault(judged: Judged) -> None:
    assert {rule.code for rule in judged.rules} == FAULTS.keys() | OTHER_FAULTS.keys()
    for rule in judged.rules:
        statement = OTHER_FAULTS.get(rule.code)
        if statement is None:
            table, change, where = FAULTS[rule.code]
            statement = f"update return_sen2__{table} set {change} where {where}"
        before = judged.failing(rule)
        with judged.connection.transaction(force_rollback=True):
            judged.connection.execute(statement.encode())
            after = judged.failing(rule)
        assert after < before if rule.code == "S2-027" else after > before, rule.code


def test_a_main_placement_that_begins_later_is_not_open_on_census_day(judged: Judged) -> None:
    [rule] = [rule for rule in judged.rules if rule.code == "S2-038"]
    before = judged.failing(rule)
    with judged.connection.transaction(force_rollback=True):
        judged.connection.execute(
            "update return_sen2__placement_detail set activeplanstableid = 1, placementrank = 1, leavingdate = null,"
            " entrydate = case placementdetailtableid when 1 then date '2025-09-01' else '2026-11-02' end"
            " where placementdetailtableid in (1, 2)"
        )
        assert judged.failing(rule) == before


def test_as_many_plans_without_a_need_as_the_department_published_do_not_stop_it(judged: Judged) -> None:
    [rule] = [rule for rule in judged.rules if rule.code == "S2-048"]
    assert not rule.is_blocking(14, 12_920)
    assert rule.is_blocking(130, 12_920)


def test_duckdb_finds_the_same(judged: Judged) -> None:
    asked = [rule for rule in judged.rules if rule.condition]
    tables = [*sen2.MODELS.values(), "stg_gias__establishment", "stg_school_census__pupil"]
    engine = duckdb.connect()
    for name in tables:
        cursor = judged.connection.execute(f"select * from {name}".encode())
        columns = [column.name for column in cursor.description or ()]
        frame = pl.DataFrame(cursor.fetchall(), schema=columns, orient="row", infer_schema_length=None)
        engine.register(name, frame)
    for rule in asked:
        condition = rule.sql(str(rule.condition), {"codes": judged.question._codes["sen2"].get(rule.fields[0], [])})
        [(count,)] = engine.execute(
            f"select count(*) filter (where failed) from (select {condition} as failed from {rule.table})"
        ).fetchall()
        assert count == judged.failing(rule), rule.code


def test_a_rule_that_stops_it_holds_back_this_return_and_no_other(judged: Judged) -> None:
    connection, question = judged.connection, judged.question
    with connection.transaction(force_rollback=True):
        connection.execute("update return_sen2__active_plan set lastreview = reviewmeeting - 1")
        connection.execute("drop schema candidate_audit cascade")
        found = gating._evaluate(connection, question)
        counts = connection.execute("select rule, failing_rows, checked_rows from candidate_audit.rule_count")
        lines = gating._record_results(connection, question, found, {rule: (n, of) for rule, n, of in counts})
        assert lines == []
        run = evidence.find(connection, judged.county.run_id, "hertfordshire")
        assert drafting._stopped(connection, run, declarations.load("sen2")) == "S2-043"
        assert not drafting._stopped(connection, run, declarations.load("health_waits"))
    assert not drafting._stopped(connection, run, declarations.load("sen2"))
