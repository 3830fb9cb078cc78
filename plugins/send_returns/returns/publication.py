"""Publishing: every declared return of the live run, rendered and sealed into a folder."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from send_returns import layouts, warehouse
from send_returns.layouts import Layout, ListLayout
from send_returns.quality import rules as quality_rules
from send_returns.returns import declarations, evidence, pack, pages, workbook
from send_returns.returns.declarations import Declaration
from send_returns.returns.evidence import Evidence, NotPublishable, Run
from send_returns.settings import Settings

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
SOFTWARE = ("dbt-core", "dbt-postgres", "great-expectations", "xlsxwriter")
_BATCH = 2_000  # rows asked of the server at a time


def publish(settings: Settings, run_id: str, output: Path) -> dict[str, object]:
    """Renders every declared return of the live run as a sealed pack; returns ids, hashes and counts only.

    A pack is `output/<return>/<partnership>/<as_of>/`: the workbook, one CSV for each list, the manifest and the sums.
    It appears whole or not at all. Publishing the same run again changes nothing; another run of the same date takes
    its place, and the pack before stays whole in `output/<return>/<partnership>/superseded/<as_of>/<run_id>/`.

    Raises:
        NotPublishable: the run is not the partnership's live run, or its gate has not passed.
        PackError: a pack of this run is there already and is not as it was sealed.
        ReturnTooLarge: a list does not fit a worksheet.
    """
    declared = declarations.load_all()
    with warehouse.connect(settings, purpose="send-returns publish") as connection:
        run = evidence.find(connection, run_id, settings.partnership)
        published = {
            declaration.return_name: (declaration, layouts.load(declaration.layout, run.as_of))
            for declaration in declared
        }
        models = [item.model for _, layout in published.values() for item in layout.lists]
        evidence.hold_live(connection, run, models)
        result: dict[str, object] = {"run_id": run_id, "packs": len(published)}
        for declaration, layout in published.values():
            result |= _publish(connection, run, declaration, layout, output)
        connection.execute("update audit.run set status = 'published' where run_id = %s", (run_id,))
    return result


def _publish(
    connection: psycopg.Connection, run: Run, declaration: Declaration, layout: Layout, output: Path
) -> dict[str, object]:
    if not pack.is_plain(run.partnership):
        raise NotPublishable(f"run {run.run_id}: the partnership's name cannot be the name of a folder")
    place = output / declaration.return_name / run.partnership
    final = place / run.as_of.isoformat()
    earlier = _sealed_run(final) if final.exists() else None
    if earlier != run.run_id:
        proof = evidence.gather(connection, run, declaration.rules_suite)
        with pack.staged(final, place / "superseded" / final.name / str(earlier)) as folder:
            counts = _render(connection, proof, declaration, layout, folder)
            pack.seal(folder, _facts(proof, declaration, layout, counts))
    report = pack.verify(final)
    if report.manifest is None or report.problems:
        raise pack.PackError(f"{final}: " + "; ".join(report.lines()) + ": move the folder away and publish again")
    name = declaration.return_name
    return {
        f"{name}.pack": str(final),
        f"{name}.manifest_sha256": pack.digest(final / pack.MANIFEST),
        **{f"{name}.{sheet}": rows for sheet, rows in report.manifest["rows"].items()},
    }


def _sealed_run(final: Path) -> str:
    """The run of the pack that stands there. Raises PackError when it cannot be told: nothing is written over."""
    report = pack.verify(final)
    run_id = report.manifest.get("run_id") if report.manifest else None
    if not pack.is_plain(run_id):
        raise pack.PackError(f"{final} is not a pack: move the folder away and publish again")
    return str(run_id)


def _render(
    connection: psycopg.Connection, proof: Evidence, declaration: Declaration, layout: Layout, folder: Path
) -> dict[str, pages.ListCounts]:
    """Writes the workbook and the CSVs; returns counts by sheet. The lists come first, as the template has them."""
    run = proof.run
    rules = {rule.code: rule for rule in quality_rules.load(run.as_of, "gate")}
    footer = (
        f"{declaration.return_name}, as of {pages.uk_date(run.as_of)}, run {run.run_id}. {declaration.disclosure.label}"
    )
    counts = {}
    with (
        (folder / f"{declaration.return_name}.xlsx").open("wb") as file,
        workbook.book(file, folder, declaration.title, footer, run.as_of) as book,
    ):
        for item in layout.lists:
            counts[item.name] = pages.ListCounts(0, {column.name: 0 for column in item.columns})
            with (
                (folder / f"{item.name}.csv").open("w", encoding="utf-8-sig", newline="") as table,
                connection.cursor(name=f"list_{len(counts)}") as cursor,
            ):
                cursor.itersize = _BATCH
                cursor.execute(_query(item), (run.partnership,))
                book.add_list(
                    item, _to_csv(cursor, item, csv.writer(table, lineterminator="\r\n").writerow, counts[item.name])
                )
        book.add_page(pages.statement(declaration, layout, proof, counts, rules))
        book.add_page(pages.guide(declaration, layout, run, counts))
    return counts


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
    text = str(value)
    # A CSV has no types: what begins like a formula would be run as one (CWE-1236). Numbers cannot be text here.
    return "'" + text if kind in ("text", "category") and text.startswith(FORMULA_STARTS) else text


def _facts(
    proof: Evidence, declaration: Declaration, layout: Layout, counts: dict[str, pages.ListCounts]
) -> dict[str, Any]:
    """What the manifest says beside the files. Delivery ids are text: many readers of JSON lose digits above 2^53."""
    run = proof.run
    files: dict[int, list[dict[str, Any]]] = {}
    for source in proof.files:
        files.setdefault(source.delivery_id, []).append(
            {"name_sha256": source.name_sha256, "sha256": source.sha256, "bytes": source.bytes}
        )
    return {
        "return": declaration.return_name,
        "partnership": run.partnership,
        "as_of": run.as_of.isoformat(),
        "run_id": run.run_id,
        "code_version": run.code_version,
        "inputs_sha256": run.manifest_sha256,
        "layout_version": layout.version,
        "disclosure_policy": declaration.disclosure.policy,
        "standing": declaration.standing,
        "rows": {name: count.rows for name, count in counts.items()},
        "deliveries": [
            asdict(delivery)
            | {
                "delivery_id": str(delivery.delivery_id),
                "reference_on": delivery.reference_on and delivery.reference_on.isoformat(),
                "files": files.get(delivery.delivery_id, []),
            }
            for delivery in proof.deliveries
        ],
        "rules": [
            {name: value for name, value in asdict(result).items() if name != "message"} for result in proof.rules
        ],
        "software": {name: version(name) for name in SOFTWARE},
    }
