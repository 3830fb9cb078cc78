"""Drafts: every declared return of the live run, its figures through disclosure control, rendered and put forward."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from send_returns import layouts, warehouse
from send_returns.publication import changes, figures
from send_returns.releases import register
from send_returns.releases.register import File, Release
from send_returns.returns import declarations, evidence, guide, pack
from send_returns.returns.declarations import Declaration, ListDeclaration, StatisticalDeclaration
from send_returns.returns.disclosure import Figures, NotProtected
from send_returns.returns.evidence import Evidence, NotPublishable, Run
from send_returns.returns.job import Job
from send_returns.returns.renderers import RENDERERS
from send_returns.returns.workbook import ReturnTooLarge
from send_returns.settings import Settings

log = logging.getLogger(__name__)
# Below the home: what waits to be signed, and for no longer than that.
DRAFTS = "releases"
_COUNTS = {"rows_in", "rows_loaded", "rows_quarantined", "rows_erased", "bytes", "failing_rows", "checked_rows"}
SOFTWARE = ("dbt-core", "dbt-postgres", "great-expectations", "xlsxwriter")


def draft(
    settings: Settings, run_id: str, *, is_rehearsal: bool, returns: Sequence[str] | None = None
) -> dict[str, object]:
    """Render every declared return of the live run, or those named, and put them forward for signature.

    Returns ids and counts only.

    A draft's pack lies in `<home>/releases/<return>/<partnership>/<as_of>/v<version>/`; the SHA-256 of its manifest is
    what people sign. Drafting the same run again changes nothing; what is published with the very same files stands.
    A return that its own rules stop is not drafted, nor are statistics of which a hidden count could be worked out, nor
    what does not fit a worksheet: `<return>.stopped_by` says which rule, or disclosure, or size.

    Raises:
        NotPublishable: the run is not the partnership's live run, or its gate has not passed.
    """
    declared = declarations.load_all() if returns is None else [declarations.load(name) for name in returns]
    with warehouse.connect(settings, purpose="send-returns draft") as connection:
        run = evidence.find(connection, run_id, settings.partnership)
        if not pack.is_plain(run.partnership):
            raise NotPublishable(f"run {run.run_id}: the partnership's name cannot be the name of a folder")
        evidence.hold_live(connection, run, _models(declared, run))
        result: dict[str, object] = {"run_id": run_id}
        due = []
        for one in declared:
            if drafted := _drafted(settings, connection, run, one, is_rehearsal=is_rehearsal):
                result[f"{one.return_name}.state"] = drafted.state
            else:
                due.append(one)
        shown = None
        if statistical := [one for one in due if isinstance(one, StatisticalDeclaration)]:
            try:
                shown = figures.protected(connection, run, is_rehearsal=is_rehearsal)
                result |= {"figures": shown.frame.height, "figures_hidden": shown.hidden.height}
            except NotProtected:
                # Lists of children, for those who may have them, do not wait for the statistics.
                due = [one for one in due if one not in statistical]
                for one in statistical:
                    result |= _stop(one, "disclosure")
        for declaration in due:
            try:
                result |= _draft(settings, connection, run, declaration, shown, is_rehearsal=is_rehearsal)
            except ReturnTooLarge as error:
                log.error("%s: %s", declaration.return_name, error)  # noqa: TRY400 - its place, in one line
                result |= _stop(declaration, "size")
    return result


def _stop(declaration: Declaration, by: str) -> dict[str, object]:
    return {f"{declaration.return_name}.state": "stopped", f"{declaration.return_name}.stopped_by": by}


def folder(settings: Settings, release: Release) -> Path:
    """Where the pack of a draft lies."""
    return _place(settings, release.return_name, release.partnership, release.as_of.isoformat(), release.version)


def _place(settings: Settings, return_name: str, partnership: str, as_of: str, number: int) -> Path:
    return settings.folder(DRAFTS, return_name, partnership, as_of) / f"v{number}"


def _models(declared: Sequence[Declaration], run: Run) -> list[str]:
    """The live tables that are read, which are held for as long as drafting takes."""
    lists = [
        item.model
        for one in declared
        if isinstance(one, ListDeclaration)
        for item in layouts.load(one.layout, run.as_of).lists
    ]
    is_statistical = any(isinstance(one, StatisticalDeclaration) for one in declared)
    return [*lists, *(figures.TABLES if is_statistical else ())]


def _draft(
    settings: Settings,
    connection: psycopg.Connection,
    run: Run,
    declaration: Declaration,
    shown: Figures | None,
    *,
    is_rehearsal: bool,
) -> dict[str, object]:
    name = declaration.return_name
    proof = evidence.gather(connection, run, declaration.rules_suite)
    if stopped := _stopped(connection, run, declaration):
        return _stop(declaration, stopped)
    number = register.version_for(connection, run, name, is_rehearsal=is_rehearsal)
    own = shown if isinstance(declaration, StatisticalDeclaration) else None
    final = _place(settings, name, run.partnership, run.as_of.isoformat(), number)
    with pack.staged(final, final.parent / f".{final.name}.before") as work:
        job = Job(connection, declaration, proof, version=number, is_rehearsal=is_rehearsal, figures=own)
        rows = RENDERERS[name](job, work)
        guide.write(job, work, rows)
        pack.seal(work, _facts(proof, declaration, number, rows, is_rehearsal=is_rehearsal))
    shutil.rmtree(final.parent / f".{final.name}.before", ignore_errors=True)
    release = register.open_draft(
        connection,
        run,
        name,
        pack.digest(final / pack.MANIFEST),
        [File(path.name, pack.digest(path), path.stat().st_size) for path in _sealed(final)],
        version=number,
        is_rehearsal=is_rehearsal,
        changes=changes.since_published(connection, run, name, final, own, is_rehearsal=is_rehearsal),
    )
    if release.state == "draft":
        if own is not None:
            figures.keep(connection, release, own)
        release = register.validate(connection, release.release_id)
    return {f"{name}.{sheet}": count for sheet, count in rows.items()} | {f"{name}.state": release.state}


def _stopped(connection: psycopg.Connection, run: Run, declaration: Declaration) -> str:
    """The first rule of the return's own suite that stops it; nothing where none does."""
    row = connection.execute(
        "select rule from audit.check_result where run_id = %s and suite = %s and is_blocking"
        ' order by rule collate "C" limit 1',
        [run.run_id, declaration.rules_suite],
    ).fetchone()
    return str(row[0]) if row else ""


def _drafted(
    settings: Settings, connection: psycopg.Connection, run: Run, declaration: Declaration, *, is_rehearsal: bool
) -> Release | None:
    """The release of this very run that nothing more is to be done for here, if there is one."""
    for one in register.listing(connection, run.partnership, declaration.return_name):
        is_out = one.state in ("published", "superseded", "withdrawn")
        is_of_it = (one.run_id, one.is_rehearsal) == (run.run_id, is_rehearsal)
        if is_of_it and (
            is_out or (one.state in ("validated", "signed") and pack.is_there(folder(settings, one), one.pack_sha256))
        ):
            return one
    return None


def _sealed(final: Path) -> list[Path]:
    """The files that the manifest names."""
    return sorted(path for path in final.iterdir() if path.name not in (pack.MANIFEST, pack.SUMS))


def _facts(
    proof: Evidence, declaration: Declaration, number: int, rows: Mapping[str, int], *, is_rehearsal: bool
) -> dict[str, Any]:
    """What the manifest says beside the files. Delivery ids are text: many readers of JSON lose digits above 2^53.

    That of statistics has no count that did not go through disclosure control: of a short delivery's rows, or of those
    that fail a rule.
    """
    run = proof.run
    untold = _COUNTS if isinstance(declaration, StatisticalDeclaration) else set[str]()
    files: dict[int, list[dict[str, Any]]] = {}
    for source in proof.files:
        files.setdefault(source.delivery_id, []).append(
            {name: value for name, value in asdict(source).items() if name not in {*untold, "delivery_id"}}
        )
    return {
        "return": declaration.return_name,
        "partnership": run.partnership,
        "as_of": run.as_of.isoformat(),
        "version": number,
        "is_rehearsal": is_rehearsal,
        "run_id": run.run_id,
        "code_version": run.code_version,
        "inputs_sha256": run.manifest_sha256,
        "layout_version": declaration.version(run.as_of),
        "disclosure_policy": declaration.disclosure.policy,
        "standing": declaration.standing,
        "rows": dict(rows),
        "deliveries": [
            {name: value for name, value in asdict(delivery).items() if name not in untold}
            | {
                "delivery_id": str(delivery.delivery_id),
                "reference_on": delivery.reference_on and delivery.reference_on.isoformat(),
                "files": files.get(delivery.delivery_id, []),
            }
            for delivery in proof.deliveries
        ],
        "rules": [
            {name: value for name, value in asdict(result).items() if name not in {*untold, "message"}}
            for result in proof.rules
        ],
        "software": {name: version(name) for name in SOFTWARE},
    }
