"""The SEN2 return: the XML that the Department for Education takes, and what its rules found in it.

The models of the return have the tables and columns of the feed's own contract, so the contract says what lies where in
the file, and our own reader reads it back.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
from lxml import etree
from psycopg import sql
from psycopg.rows import namedtuple_row

from send_returns import feeds, warehouse
from send_returns.feeds import Feed
from send_returns.feeds.contract import Table
from send_returns.quality import rules
from send_returns.returns.evidence import NotPublishable, Run
from send_returns.returns.job import REHEARSAL, Job

SUITE, FEED, SOFTWARE = "sen2", "sen2", "send-returns"
# Table of the contract -> model of the return.
MODELS: Mapping[str, str] = {
    "sen2": "return_sen2__header",
    "person": "return_sen2__person",
    "requests": "return_sen2__request",
    "assessment": "return_sen2__assessment",
    "namedplan": "return_sen2__named_plan",
    "plandetail": "return_sen2__plan_detail",
    "activeplans": "return_sen2__active_plan",
    "placementdetail": "return_sen2__placement_detail",
    "senneed": "return_sen2__sen_need",
}
_COLLECTION = ("collection", "year", "referencedate")
_SOURCE = ("sourcelevel", "lea", "softwarecode", "release", "serialno", "datetime")
_BATCH = 5_000
# What XML 1.0 has no way to write.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RULES = ("rule", "severity", "outcome", "failing_rows", "checked_rows", "stops_the_return", "message", "action")
_FINDINGS = ("rule", "severity", "table", "row", "person_id", "fields", "message", "action")

Row = Any


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes `SEN2_<council>_<year>.xml`, `rules.csv` and `findings.csv`; returns rows by table of the contract.

    Raises NotPublishable where it has no header.
    """
    run = job.proof.run
    header = _header(job.connection, run)
    path = folder / f"SEN2_{header['lea']}_{header['year']}.xml"
    header |= {
        "softwarecode": SOFTWARE,
        "release": run.code_version,
        "serialno": str(job.version),
        "datetime": f"{run.as_of.isoformat()}T00:00:00",
    }
    counts = write(job.connection, header, path, is_rehearsal=job.is_rehearsal)
    counts |= _write_rules(job.connection, run, folder)
    return counts


def write(
    connection: psycopg.Connection, header: Mapping[str, Any], path: Path, *, is_rehearsal: bool
) -> dict[str, int]:
    """Writes the XML of the live models; returns rows by table.

    `header`: values by column of the contract's header table. One person is in memory at a time.
    """
    feed = feeds.load(FEED, year=int(header["year"]))
    tables = {table.name: table for table in feed.tables}
    records = {name: _Records(connection, feed, table) for name, table in tables.items() if name != "sen2"}
    with path.open("wb") as file, etree.xmlfile(file, encoding="UTF-8") as xml:
        xml.write_declaration()
        if is_rehearsal:
            xml.write(etree.Comment(f" {REHEARSAL} "))
        with xml.element("Message"):
            named = {column.name: column.header for column in tables["sen2"].columns}
            officers = [name for name in named if name not in (*_COLLECTION, *_SOURCE, "sen2tableid")]
            with xml.element("Header"):
                xml.write(_leaves("CollectionDetails", _COLLECTION, named, header))
                xml.write(_leaves("Source", _SOURCE, named, header))
            xml.write(_leaves("SEN2", officers, named, header))
            with xml.element("Persons"):
                for person in records["person"].all():
                    xml.write("\n")
                    xml.write(records["person"].element(person, records))
                xml.write("\n")
    return {"sen2": 1} | {name: record.count for name, record in records.items()}


class _Records:
    """The rows of a table as they lie in those of the table around it, read in the order of the file."""

    def __init__(self, connection: psycopg.Connection, feed: Feed, table: Table) -> None:
        record = table.record
        if record is None or record.id is None:
            raise ValueError(f"{table.name} is not a record of the XML")
        self.count = 0
        self._tag, self._own = record.element, record.id
        self._inner = [item.name for item in feed.tables if item.record and item.record.within == table.name]
        [outer] = [item.record for item in feed.tables if item.name == record.within]
        self._outer = str(outer.id if outer else None)
        self._leaves = [
            (column.name, column.header) for column in table.columns if column.name not in (self._own, self._outer)
        ]
        cursor = connection.cursor(name=f"sen2_{table.name}", row_factory=namedtuple_row)
        cursor.itersize = _BATCH
        names = [self._outer, self._own, *(name for name, _ in self._leaves)]
        cursor.execute(
            sql.SQL("select {} from {} order by {}").format(
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.Identifier("returns", MODELS[table.name]),
                sql.Identifier(self._own),
            )
        )
        self._groups = groupby(cursor, key=itemgetter(0))
        self._next: tuple[int, Iterator[Row]] | None = next(self._groups, None)

    def all(self) -> Iterator[Row]:
        """Every row, of a table whose rows lie in the one header."""
        return self.within(1)

    def within(self, outer: int) -> Iterator[Row]:
        """The rows that lie in one row of the table around. To be asked in the order of the file."""
        if self._next is not None and self._next[0] == outer:
            yield from self._next[1]
            self._next = next(self._groups, None)

    def element(self, row: Row, records: Mapping[str, "_Records"]) -> etree._Element:
        """The element of a row, with what lies in it."""
        self.count += 1
        element = etree.Element(self._tag)
        for name, tag in self._leaves:
            _leaf(element, tag, getattr(row, name))
        for name in self._inner:
            for inner in records[name].within(getattr(row, self._own)):
                element.append(records[name].element(inner, records))
        return element


def _leaves(tag: str, names: Iterable[str], named: Mapping[str, str], values: Mapping[str, Any]) -> etree._Element:
    element = etree.Element(tag)
    for name in names:
        _leaf(element, named[name], values.get(name))
    return element


def _leaf(parent: etree._Element, tag: str, value: object) -> None:
    """An element with a value; none where there is nothing to say."""
    if value is None:
        return
    if isinstance(value, bool):
        text = str(int(value))
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = _NOT_IN_XML.sub("\ufffd", str(value))
    etree.SubElement(parent, tag).text = text


def _header(connection: psycopg.Connection, run: Run) -> dict[str, Any]:
    found = warehouse.ask(
        connection, "select * from returns.return_sen2__header where partnership = %s", [run.partnership]
    )
    header = found[0] if found else {}
    if header.get("year") is None or header.get("lea") is None:
        raise NotPublishable(f"run {run.run_id}: the newest SEN2 delivery has no header: send SEN2 again with one")
    return header


def _write_rules(connection: psycopg.Connection, run: Run, folder: Path) -> dict[str, int]:
    """Every rule with its outcome, and every row that failed one, by its number in the file; never a value."""
    actions = {rule.code: rule.action for rule in rules.load(run.as_of, "gate") if rule.suite == SUITE}
    results = connection.execute(
        "select rule, severity, outcome, failing_rows, checked_rows, case when blocks = 'never' then 'no'"
        " when blocks = 'any' then 'yes' else 'above ' || blocks || ' of the rows' end, message"
        ' from audit.check_result where run_id = %s and suite = %s order by rule collate "C"',
        [run.run_id, SUITE],
    )
    findings = connection.execute(
        "select finding.rule, finding.severity, table_name, row_number, record_key, array_to_string(fields, ' '),"
        " finding.message from audit.finding as finding inner join audit.check_result as result"
        " on result.run_id = finding.run_id and result.rule = finding.rule"
        " where finding.run_id = %s and finding.scope = 'run' and suite = %s"
        ' order by finding.rule collate "C", table_name collate "C", row_number, record_key collate "C"',
        [run.run_id, SUITE],
    )
    counts = {}
    for name, headings, rows in (("rules", _RULES, results), ("findings", _FINDINGS, findings)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(headings)
            counts[name] = 0
            for row in rows:
                writer.writerow([*row, actions.get(row[0], "")])
                counts[name] += 1
    return counts
