"""From a cell of a list back to the rows of the suppliers' files: rule, models, deliveries, file and row; no value."""

import getpass
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psycopg
from psycopg import sql

from send_returns import feeds, layouts, warehouse
from send_returns.failure import Failure
from send_returns.provenance import access
from send_returns.provenance.access import Row
from send_returns.provenance.lineage import Lineage, NotKept, Origin
from send_returns.releases import audit
from send_returns.releases.register import Release
from send_returns.returns import declarations, evidence
from send_returns.returns.declarations import Declaration, ListDeclaration, Provenance, StatisticalDeclaration
from send_returns.returns.evidence import Run
from send_returns.returns.renderers.sen2 import MODELS
from send_returns.rights import rows as child_rows
from send_returns.rights.holdings import holdings
from send_returns.rights.people import everyone
from send_returns.settings import Settings

HEADINGS = 1  # row 1 of a list is its headings


@dataclass(frozen=True)
class Column:
    """A column of the list: its heading, what is said of it, the models from the list's own on, the raw columns."""

    name: str
    heading: str
    said: Provenance | None
    models: tuple[str, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class RowTrace:
    """Where a row comes from.

    `records`: what linkage joined to the child: feed, delivery, contract, table, row_number, state, method,
    explanation. `sources`: the rows that the columns can come from: feed, delivery, contract, table, row_number, why
    ('linked' or 'part'), filled (the asked columns that are not blank there) and files (name_sha256, sha256).
    `findings`: rule, severity, message. `rules`: how many rules of the return were run, by outcome.
    """

    release: Release
    run: Run
    is_live: bool
    part: str
    row: int
    person_id: str
    model: str
    columns: Sequence[Column]
    records: Sequence[Row]
    sources: Sequence[Row]
    findings: Sequence[Row]
    suite: str
    rules: Sequence[Row]
    is_kept: bool


def trace_row(
    settings: Settings,
    connection: psycopg.Connection,
    release_id: str,
    part: str,
    row: int,
    column: str | None,
    output: Path,
) -> RowTrace:
    """Trace a row of a list, or one column of it (by heading or house name), and keep on record that it was read.

    `row`: as a spreadsheet numbers it, the headings being row 1. Raises NotAllowed, or Failure when there is no such
    release, list, row or column, or when the pack, or for XML the run, is not there any more.
    """
    release = access.find(connection, release_id, settings.partnership)
    declaration = declarations.load(release.return_name)
    access.require(connection, "the rows of children")
    run = evidence.find(connection, release.run_id, release.partnership)
    live = access.is_live(connection, release)
    if isinstance(declaration, StatisticalDeclaration):
        raise Failure(f"{release.return_name} has figures and no rows of children: trace one with --indicator.")
    if isinstance(declaration, ListDeclaration):
        layout = layouts.load(declaration.layout, release.as_of)
        item = next((one for one in layout.lists if one.name == part), None)
        if item is None:
            raise _no_part(release, part, [one.name for one in layout.lists])
        model, headings = item.model, {one.name: one.heading for one in item.columns}
        person_id = _in_list(settings, connection, release, part, row, headings["unique_id"], output)
    else:
        if part not in MODELS or part == "sen2":
            raise _no_part(release, part, [name for name in MODELS if name != "sen2"])
        model = MODELS[part]
        [table] = [one for one in feeds.load("sen2").tables if one.name == part]
        headings = {one.name: one.header for one in table.columns}
        person_id = _in_xml(connection, release, part, model, row, is_live=live)
    asked = _asked(headings, column, release, part)
    try:
        lineage = Lineage(settings, release.run_id)
    except NotKept:
        lineage = None
    columns = [_column(lineage, declaration, model, name, headings[name]) for name in asked]
    persons = everyone(connection, release.partnership, person_id)
    origins = sorted({origin for one in columns for origin in one.origins}) if column else []
    child_rows.begin(connection)
    child_rows.add_linked(connection, persons, 0)
    child_rows.add_parts(connection, release.partnership)
    traced = RowTrace(
        release=release,
        run=run,
        is_live=live,
        part=part,
        row=row,
        person_id=person_id,
        model=model,
        columns=columns,
        records=warehouse.ask(connection, _RECORDS, {"persons": persons, "run": run.run_id}),
        sources=list(_sources(connection, run, origins)),
        findings=warehouse.ask(connection, _FINDINGS, [run.run_id, model, persons]),
        suite=declaration.rules_suite,
        rules=warehouse.ask(connection, _RULES, [run.run_id, declaration.rules_suite]),
        is_kept=lineage is not None,
    )
    counts = {"attempt": release.attempt, "list": part, "row": row, "records": len(traced.records)}
    counts |= {"column": asked[0]} if column else {}
    audit.record(connection, "read", release_id, getpass.getuser(), {"trace": True, **counts}, "release_reader")
    connection.commit()
    return traced


# Whoever is in several deliveries of a feed has a record in each.
_RECORDS = """
select
    link.feed, name as delivery, contract_version as contract, link.table_name as table, link.row_number, link.state,
    method, round(score::numeric, 3) as score, explanation
from identity.link inner join audit.run_delivery using (delivery_id) inner join landing.delivery using (delivery_id)
where person_id = any(%(persons)s) and run_id = %(run)s
order by link.feed collate "C", reference_on, name collate "C", link.table_name collate "C", link.row_number
"""
_FINDINGS = """
select rule, severity, message from audit.finding
where scope = 'run' and run_id = %s and table_name = %s and record_key = any(%s)
order by rule collate "C"
"""
_RULES = """
select outcome, count(*) as rules from audit.check_result where run_id = %s and suite = %s group by outcome
order by outcome
"""


def _no_part(release: Release, part: str, known: Sequence[str]) -> Failure:
    return Failure(f"{release.return_name} has no list {part}: it has {', '.join(known)}.")


def _in_list(
    settings: Settings,
    connection: psycopg.Connection,
    release: Release,
    part: str,
    row: int,
    heading: str,
    output: Path,
) -> str:
    """Whose row it is, by the very file that was released."""
    place = row - HEADINGS - 1
    path = access.file_of(settings, connection, release, f"{part}.csv", output)
    found = next(islice(access.rows(path), place, None), None) if place >= 0 else None
    if found is None:
        raise Failure(f"{part} has no row {row}: row 1 is the headings, the first child is in row 2.")
    return found[heading]


def _in_xml(connection: psycopg.Connection, release: Release, part: str, model: str, row: int, *, is_live: bool) -> str:
    """Whose record it is: the file itself does not say, so only the run that made it can."""
    if not is_live:
        raise Failure(
            f"run {release.run_id} of {release.release_id} is not live any more, and its XML names no person:"
            " its deliveries stand in the manifest of the pack."
        )
    [table] = [one for one in feeds.load("sen2").tables if one.name == part]
    own = table.record.id if table.record else None
    found = connection.execute(
        sql.SQL("select person_id from {} where {} = %s and partnership = %s").format(
            sql.Identifier("returns", model), sql.Identifier(str(own))
        ),
        [row - HEADINGS, release.partnership],
    ).fetchone()
    if found is None:
        raise Failure(f"{part} has no row {row}: the first is row 2, as findings.csv counts them.")
    return str(found[0])


def _asked(headings: dict[str, str], column: str | None, release: Release, part: str) -> list[str]:
    if column is None:
        return list(headings)
    wanted = column.casefold()
    for name, heading in headings.items():
        if wanted in (name.casefold(), heading.casefold()):
            return [name]
    raise Failure(f"{part} of {release.return_name} has no column of that name: it has {', '.join(headings)}.")


def _column(lineage: Lineage | None, declaration: Declaration, model: str, name: str, heading: str) -> Column:
    said = declaration.columns.get(name) if isinstance(declaration, ListDeclaration) else None
    if lineage is None or name not in lineage.columns(model):
        return Column(name, heading, said, (), ())
    way = lineage.of(model, name)
    return Column(name, heading, said, way.models, way.origins)


def _sources(connection: psycopg.Connection, run: Run, origins: Sequence[Origin]) -> "list[Row]":
    """The rows of the child that the columns can come from, of the run's deliveries, in the order of the files."""
    columns: dict[str, list[str]] = {}
    for origin in origins:
        columns.setdefault(origin.table, []).extend([origin.column] if origin.column else [])
    found: list[Row] = []
    for table, names in sorted(columns.items()):
        if table not in holdings():
            continue
        filled = sql.SQL("array_remove(array[{}]::text[], null)").format(
            sql.SQL(", ").join(
                sql.SQL("case when source.{} is not null then {} end").format(sql.Identifier(name), sql.Literal(name))
                for name in names
            )
        )
        found += warehouse.ask(
            connection,
            sql.SQL(
                "select feed, name as delivery, contract_version as contract, {name} as table, row_number, why,"
                " {filled} as filled, delivery_id from child_row inner join audit.run_delivery using (delivery_id)"
                " inner join landing.delivery using (delivery_id) inner join {table} as source"
                " on _delivery_id = delivery_id and _row_number = row_number"
                " where run_id = %s and raw = {name} and not is_quarantined"
                ' order by reference_on, name collate "C", row_number'
            ).format(
                name=sql.Literal(table),
                filled=filled,
                table=sql.Identifier(holdings()[table].schema, table),
            ),
            [run.run_id],
        )
    files = {id_: _files(connection, id_) for id_ in {row["delivery_id"] for row in found}}
    return [
        {name: value for name, value in row.items() if name != "delivery_id"}
        | {"files": _of_table(files[row["delivery_id"]], holdings()[row["table"]].table)}
        for row in found
    ]


def _files(connection: psycopg.Connection, delivery_id: int) -> list[tuple[str, str]]:
    return connection.execute(
        "select file_name, sha256 from landing.delivery_file where delivery_id = %s order by file_name", [delivery_id]
    ).fetchall()


def _of_table(files: Sequence[tuple[str, str]], table: str) -> list[dict[str, str]]:
    """The files that a table can have come from: those named for it, else all. A name may name a child: its hash."""
    named = [file for file in files if Path(file[0]).stem.casefold().endswith(table.casefold())]
    return [
        {"name_sha256": hashlib.sha256(name.encode()).hexdigest(), "sha256": sha256} for name, sha256 in named or files
    ]
