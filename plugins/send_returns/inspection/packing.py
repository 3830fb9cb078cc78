"""The pack of a tracked child: one page, the same as CSVs, a manifest and sums; sealed, and encrypted to inspectors."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

import psycopg

from send_returns import clock, warehouse
from send_returns.inspection import child, standing
from send_returns.inspection import window as windows
from send_returns.inspection.child import Section, Table
from send_returns.inspection.window import Refused, Window
from send_returns.releases import audit
from send_returns.returns import declarations, evidence, pack
from send_returns.returns.csv_cells import guarded
from send_returns.returns.declarations import Declaration
from send_returns.returns.evidence import Evidence
from send_returns.returns.job import Job
from send_returns.returns.pages import html
from send_returns.sealing import parcel, recipients
from send_returns.settings import Settings

# What a child's pack is called outside its folder, of what its manifest says.
NAME = "{return}_{partnership}_{notified_on}_{unique_id}"
Limits = Mapping[tuple[str, str], child.Limit]


@dataclass(frozen=True, slots=True)
class Packed:
    """A sealed pack. `parcel`: the encrypted file; None: nobody is registered to receive it. `seconds`: to make it."""

    unique_id: str
    folder: Path
    rows: int
    parcel: Path | None
    seconds: float


@cache
def declaration() -> Declaration:
    """What the pack of a tracked child is, in words; its `return_name` is what recipients are registered for."""
    with resources.as_file(resources.files("send_returns.inspection") / "inspection_tracking.yml") as path:
        return declarations.read(path)


def make(settings: Settings, output: Path, unique_id: str | None, on: date, by: str) -> list[Packed]:
    """Seal the pack of a tracked child, or of all of them, from the one run that is live.

    A pack is `output/inspection/<partnership>/<notified>/child_<unique id>/`. Of the same run it stays as it is; of a
    later one it takes the place of the pack before, which is kept below `superseded/<run>/`. It is also encrypted to
    those who are registered for it on the day `on`.

    Raises Refused when no window is open, the child is not tracked, or no run is live.
    """
    able = [one for one in recipients.register(settings) if one.may_receive(declaration().return_name, on)]
    limits = child.limits(settings.project / "dbt_project" / "seeds" / "clock_parameters.csv")
    made = []
    with warehouse.connect(settings, purpose="send-returns inspection pack") as connection:
        window = windows.find(connection, settings.partnership)
        wanted = _wanted(window, unique_id)
        proof = _hold(connection, window.partnership)
        for one in wanted:
            started = clock.monotonic()
            final, rows = _seal(connection, proof, window, one, limits, output)
            sent = None
            if able:
                name = NAME.format_map(_named(window, one))
                sent = parcel.encrypted_folder(settings, final, name, proof.run.as_of, able)
            made.append(Packed(one, final, rows, sent, clock.monotonic() - started))
        for done in made:
            detail = {"state": "packed", "unique_id": done.unique_id, "run_id": proof.run.run_id, "rows": done.rows}
            audit.record(connection, "read", f"inspection {window.window_id}", by, detail)
    return made


def _wanted(window: Window, unique_id: str | None) -> list[str]:
    tracked = [one.unique_id for one in window.tracked]
    if not tracked:
        raise Refused("No child is tracked yet: `send-returns inspection track UNIQUE_ID...`.")
    if unique_id is None:
        return tracked
    if unique_id not in tracked:
        raise Refused(f"{unique_id} is not tracked; {', '.join(tracked)} are: `inspection track` adds a child.")
    return [unique_id]


def _hold(connection: psycopg.Connection, partnership: str) -> Evidence:
    """What the live run was built from; it stays live until the transaction ends."""
    row = connection.execute("select run_id from audit.live where partnership = %s", [partnership]).fetchone()
    if row is None:
        raise Refused("No run has passed its gate yet: `send-returns run` makes one.")
    run = evidence.find(connection, row[0], partnership)
    child.lock(connection)
    evidence.hold_live(connection, run, child.LISTS)
    return evidence.gather(connection, run, declaration().rules_suite)


def _seal(
    connection: psycopg.Connection, proof: Evidence, window: Window, unique_id: str, limits: Limits, output: Path
) -> tuple[Path, int]:
    if not (pack.is_plain(window.partnership) and pack.is_plain(unique_id)):
        raise Refused("The partnership's name, or the Unique ID, cannot be the name of a folder.")
    final = standing.folder(output, window, unique_id)
    earlier = pack.verify(final) if final.exists() else None
    if earlier and (earlier.problems or earlier.manifest is None):
        raise pack.PackError(f"{final}: " + "; ".join(earlier.lines()) + ": move the folder away and pack again")
    before = str(earlier.manifest["run_id"]) if earlier and earlier.manifest else ""
    if before != proof.run.run_id:
        with pack.staged(final, final.parent / "superseded" / before / final.name) as folder:
            rows = _write(connection, proof, unique_id, limits, folder)
            pack.seal(folder, _facts(proof, window, unique_id, rows))
    report = pack.verify(final)
    if report.problems or report.manifest is None:
        raise pack.PackError(f"{final}: " + "; ".join(report.lines()) + ": move the folder away and pack again")
    return final, sum(report.manifest["rows"].values())


def _write(
    connection: psycopg.Connection, proof: Evidence, unique_id: str, limits: Limits, folder: Path
) -> dict[str, int]:
    """The page, and a CSV for each table that has rows."""
    found = child.sections(connection, proof.run, unique_id, limits)
    told = declaration()
    job = Job(
        connection,
        replace(told, title=f"{told.title}: {unique_id}"),
        proof,
        version=1,
        is_rehearsal=False,
        figures=None,
    )
    page = html.page(job, "inspection_child.html", sections=found, summary=_summary(found))
    (folder / f"child_{unique_id}.html").write_bytes(page)
    tables = [table for section in found for table in section.tables]
    for table in tables:
        _write_csv(folder / f"{table.id}.csv", table)
    return {table.id: len(table.rows) for table in tables}


def _summary(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """What a reader sees first: how many records were joined by what, and how the time limits stand."""
    tables = {table.id: table for section in sections for table in section.tables}
    said = []
    if joined := tables.get("joined_records"):
        counts: dict[str, int] = {}
        for row in joined.rows:
            counts[row[2]] = counts.get(row[2], 0) + int(row[-1])
        feeds = len({row[0] for row in joined.rows})
        by = ", ".join(f"{count} by {method}" for method, count in sorted(counts.items()))
        said.append(("Records joined", f"{sum(counts.values())}, of {feeds} feeds: {by}"))
    if clocks := tables.get("clocks"):
        outcomes: dict[str, int] = {}
        for row in clocks.rows:
            outcomes[row[4]] = outcomes.get(row[4], 0) + 1
        said.append(("Time limits", ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))))
    return said


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([heading for heading, _ in table.headings])
        for row in table.rows:
            writer.writerow(
                [
                    value if is_number else guarded(value)
                    for value, (_, is_number) in zip(row, table.headings, strict=True)
                ]
            )


def _named(window: Window, unique_id: str) -> dict[str, object]:
    return {
        "return": declaration().return_name,
        "partnership": window.partnership,
        "notified_on": window.notified_on.isoformat(),
        "unique_id": unique_id,
    }


def _facts(proof: Evidence, window: Window, unique_id: str, rows: dict[str, int]) -> dict[str, object]:
    run, told = proof.run, declaration()
    return _named(window, unique_id) | {
        "as_of": run.as_of.isoformat(),
        "run_id": run.run_id,
        "code_version": run.code_version,
        "inputs_sha256": run.manifest_sha256,
        "layout_version": told.version(run.as_of),
        "disclosure_policy": told.disclosure.policy,
        "standing": told.standing,
        "rows": rows,
        "deliveries": [
            asdict(one)
            | {"delivery_id": str(one.delivery_id), "reference_on": one.reference_on and one.reference_on.isoformat()}
            for one in proof.deliveries
        ],
    }
