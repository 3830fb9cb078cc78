"""Annex A: the child-level lists as a workbook in the inspectors' template, and a CSV of each."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from psycopg import sql

from send_returns import layouts
from send_returns.layouts import ListLayout
from send_returns.quality import rules as quality_rules
from send_returns.returns import pages, workbook
from send_returns.returns.csv_cells import guarded
from send_returns.returns.declarations import ListDeclaration
from send_returns.returns.job import REHEARSAL, Job

_BATCH = 2_000  # rows asked of the server at a time


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes the workbook and the CSVs; returns rows by sheet. The lists come first, as the template has them."""
    declaration, run = job.declaration, job.proof.run
    if not isinstance(declaration, ListDeclaration):
        raise TypeError(f"{declaration.return_name} is not a return of lists")
    layout = layouts.load(declaration.layout, run.as_of)
    rules = {rule.code: rule for rule in quality_rules.load(run.as_of, "gate")}
    counts: dict[str, pages.ListCounts] = {}
    mark = REHEARSAL if job.is_rehearsal else ""
    with (
        (folder / f"{declaration.return_name}.xlsx").open("wb") as file,
        workbook.book(file, folder, declaration.title, job.footer, run.as_of, mark) as book,
    ):
        for item in layout.lists:
            counts[item.name] = pages.ListCounts(0, {column.name: 0 for column in item.columns})
            with (
                (folder / f"{item.name}.csv").open("w", encoding="utf-8-sig", newline="") as table,
                job.connection.cursor(name=f"list_{len(counts)}") as cursor,
            ):
                cursor.itersize = _BATCH
                cursor.execute(_query(item), (run.partnership,))
                book.add_list(
                    item, _to_csv(cursor, item, csv.writer(table, lineterminator="\r\n").writerow, counts[item.name])
                )
        book.add_page(pages.statement(declaration, layout, job.proof, counts, rules))
        book.add_page(pages.guide(declaration, layout, run, counts))
    return {name: count.rows for name, count in counts.items()}


def _query(item: ListLayout) -> sql.Composed:
    return sql.SQL(
        'select {} from {} where partnership = %s order by unique_id::text collate "C", person_id::text collate "C"'
    ).format(
        sql.SQL(", ").join(sql.Identifier(column.name) for column in item.columns),
        sql.Identifier("returns", item.model),
    )


def _to_csv(
    rows: Iterable[Sequence[workbook.Value]],
    item: ListLayout,
    write: Callable[[Sequence[str]], object],
    counts: pages.ListCounts,
) -> Iterator[Sequence[workbook.Value]]:
    """Writes rows to a CSV and counts their values as they pass, so that one reading serves both files."""
    types = [column.type for column in item.columns]
    filled = [0] * len(types)
    write([column.heading for column in item.columns])
    for row in rows:
        write([_csv_cell(kind, value) for kind, value in zip(types, row, strict=True)])
        filled = [count + (value is not None) for count, value in zip(filled, row, strict=True)]
        counts.rows += 1
        yield row
    counts.filled.update(zip((column.name for column in item.columns), filled, strict=True))


def _csv_cell(kind: layouts.ColumnType, value: workbook.Value) -> str:
    if value is None:
        return ""
    if kind == "date":
        return pages.uk_date(value)
    return guarded(str(value)) if kind in ("text", "category") else str(value)
