"""A cell of the published lists, and a figure, traced to the very rows of the files that the suppliers sent."""

import csv
import hashlib
import re
from pathlib import Path

import polars as pl
import pytest
from lxml import etree
from psycopg.rows import dict_row
from tests.rights.conftest import County
from tests.rights.test_subject import Command, send_returns

from send_returns import provenance, warehouse
from send_returns.failure import Failure
from send_returns.provenance import Asked, RowTrace
from send_returns.publication import figures
from send_returns.releases import audit, register
from send_returns.releases.register import File
from send_returns.returns import evidence
from send_returns.returns.disclosure import Shown

__all__ = ["send_returns"]
pytestmark = pytest.mark.timeout(600)
LISTS = "area_send_annex_a-hertfordshire-2026-10-30-v1"


def _place(county: County) -> tuple[str, int]:
    """The list and row of the child, as a spreadsheet numbers it."""
    for path in sorted(county.output.glob("area_send_annex_a/*/*/v1/List_*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if row["Unique ID"] == county.person_id:
                    return path.stem, number
    raise AssertionError("the child is on no list")


def _trace(county: County, column: str) -> RowTrace:
    part, row = _place(county)
    with warehouse.connect(county.settings) as connection:
        return provenance.trace_row(county.settings, connection, LISTS, part, row, column, county.output)


def _cells(county: County, table: str, delivery: str, row: int) -> tuple[set[str], Path]:
    """What a row of a supplier's file says, in a census of CSV files or in an XML of persons."""
    if table == "sen2__person":
        path = county.inbox / "council" / "sen2" / delivery
        person = etree.parse(path).findall(".//Person")[row - 2]
        return {leaf.text or "" for leaf in person.iter() if isinstance(leaf.tag, str)}, path
    [path] = (county.inbox / "council" / "school_census" / delivery).glob("*pupilonroll.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return set(list(csv.reader(file))[row - 1]), path


def test_a_cell_leads_to_the_very_row_of_the_suppliers_file(county: County) -> None:
    found = _trace(county, "UPN")
    assert found.person_id == county.person_id
    assert {one["table"] for one in found.sources} == {"sen2__person", "school_census__pupilonroll"}
    for one in found.sources:
        cells, path = _cells(county, one["table"], one["delivery"], one["row_number"])
        assert county.child.truth["upn"] in cells
        assert one["filled"] == ["upn"]
        assert one["files"] == [
            {
                "name_sha256": hashlib.sha256(path.name.encode()).hexdigest(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        ]
    [column] = found.columns
    assert column.models[0] == found.model
    assert {"int_child__identified", "stg_sen2__person"} <= set(column.models)
    assert {one["feed"] for one in found.records} >= {"sen2", "school_census", "csds", "cin_census", "ssda903"}
    with warehouse.connect(county.settings) as connection:
        [read] = audit.events(connection, 1, "read")
    assert read.detail["column"] == "upn"
    assert county.person_id not in str(read)


def test_nothing_that_is_said_names_the_child(county: County, send_returns: Command) -> None:
    part, row = _place(county)
    words = ("trace", LISTS, "--list", part, "--row", str(row), "--output", str(county.output))
    named = [*county.child.needles, county.child.truth["surname"], county.child.truth["forename"]]
    for more in ((), ("--column", "Date of birth"), ("--column", "Known to children's social care?")):
        code, said = send_returns(*words, *more)
        assert code == 0
        assert county.person_id in said
        assert not [one for one in named if re.search(rf"\b{re.escape(one)}\b", said)]
    assert send_returns(*words, "--column", "Height")[0] == 1


@pytest.fixture
def evidence_release(county: County) -> str:
    """A release that shows one figure, of a measure with cases, as disclosure control might leave it."""
    with warehouse.connect(county.settings) as connection:
        [(run_id,)] = connection.execute("select run_id from audit.live").fetchall()
        run = evidence.find(connection, run_id, "hertfordshire")
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                "select * from returns.return_statistics__figure where measure = 'EHC01' and breakdown = 'total'"
                " and geography_type = 'partnership' and period_kind = 'calendar_year'"
                " order by period_to_on desc limit 1"
            ).fetchone()
        assert row is not None
        shown = pl.DataFrame([{**row, "numerator": None, "value": None, "denominator": 15.0, "status": "c"}])
        hidden = shown.with_columns(part=pl.lit("numerator"), why=pl.lit("protects another"))
        release = register.open_draft(
            connection, run, "area_send_evidence", "ab" * 32, [File("a.xlsx", "cd" * 32, 1)],
            version=1, is_rehearsal=False,
        )  # fmt: skip
        figures.keep(connection, release, Shown(shown, hidden))
    return release.release_id


def test_a_figure_leads_to_its_cases_and_their_rows(county: County, evidence_release: str) -> None:
    with warehouse.connect(county.settings) as connection:
        found = provenance.trace_figure(county.settings, connection, evidence_release, Asked("EHC01"), 2, full=True)
        [exact] = connection.execute(
            "select numerator, denominator from marts.mart_indicator where measure = 'EHC01' and is_headline"
        ).fetchall()
        [read] = audit.events(connection, 1, "read")
    assert (found.figure["numerator"], found.figure["status"]) == (None, "c")
    assert found.hidden == "numerator: protects another"
    assert found.definition["statistic"] == "share"
    assert found.cases is not None
    assert (found.cases.numerator, found.cases.denominator) == exact
    assert len(found.cases.shown) == 2
    assert found.way is not None
    assert "int_indicator__casework" in found.way.models
    assert {one["child_key"] for one in found.sources} == {one["child_key"] for one in found.cases.shown}
    case = next(one for one in found.sources if one["table"] == "ehc_casework__case")
    with (county.inbox / "council" / "ehc_casework" / case["delivery"] / f"{case['delivery']}_case.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        cells = list(csv.reader(file))[case["row_number"] - 1]
    with warehouse.connect(county.settings) as connection:
        [(la_child_id,)] = connection.execute(
            "select la_child_id from identity.profile inner join identity.child_key using (person_id)"
            " where child_key = %s and la_child_id is not null limit 1",
            [case["child_key"]],
        ).fetchall()
    assert la_child_id in cells
    assert "13" not in [str(value) for value in read.detail.values()]


def test_when_the_run_is_not_live_it_says_what_still_holds(county: County, evidence_release: str) -> None:
    with warehouse.connect(county.settings) as connection:
        connection.execute("delete from audit.live")
        connection.commit()
        found = provenance.trace_figure(
            county.settings, connection, evidence_release, Asked("EHC01", "2025"), 2, full=False
        )
        with pytest.raises(Failure, match="is not live any more"):
            provenance.trace_figure(county.settings, connection, evidence_release, Asked("EHC01"), 2, full=True)
        with pytest.raises(Failure, match="shows no such figure"):
            provenance.trace_figure(
                county.settings, connection, evidence_release, Asked("EHC01", "1999"), 2, full=False
            )
    assert found.cases is None
    assert "What holds: the figure as released" in found.why_not
    assert found.deliveries
