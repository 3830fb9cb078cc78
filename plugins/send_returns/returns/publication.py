"""Publishing: every declared return of lists, rendered from the live run and sealed into a folder."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from send_returns import layouts, warehouse
from send_returns.returns import declarations, evidence, pack
from send_returns.returns.declarations import Declaration, ListDeclaration
from send_returns.returns.evidence import Evidence, NotPublishable, Run
from send_returns.returns.job import Job
from send_returns.returns.renderers import RENDERERS
from send_returns.settings import Settings

SOFTWARE = ("dbt-core", "dbt-postgres", "great-expectations", "xlsxwriter")


def publish(settings: Settings, run_id: str, output: Path) -> dict[str, object]:
    """Renders every declared return of lists of the live run as a sealed pack; returns ids, hashes and counts only.

    A pack is `output/<return>/<partnership>/<as_of>/`: the workbook, one CSV for each list, the manifest and the sums.
    It appears whole or not at all. Publishing the same run again changes nothing; another run of the same date takes
    its place, and the pack before stays whole in `output/<return>/<partnership>/superseded/<as_of>/<run_id>/`.

    Raises:
        NotPublishable: the run is not the partnership's live run, or its gate has not passed.
        PackError: a pack of this run is there already and is not as it was sealed.
        ReturnTooLarge: a list does not fit a worksheet.
    """
    declared = [one for one in declarations.load_all() if isinstance(one, ListDeclaration)]
    with warehouse.connect(settings, purpose="send-returns publish") as connection:
        run = evidence.find(connection, run_id, settings.partnership)
        models = [item.model for one in declared for item in layouts.load(one.layout, run.as_of).lists]
        evidence.hold_live(connection, run, models)
        result: dict[str, object] = {"run_id": run_id, "packs": len(declared)}
        for declaration in declared:
            result |= _publish(connection, run, declaration, output)
        connection.execute("update audit.run set status = 'published' where run_id = %s", (run_id,))
    return result


def _publish(connection: psycopg.Connection, run: Run, declaration: Declaration, output: Path) -> dict[str, object]:
    if not pack.is_plain(run.partnership):
        raise NotPublishable(f"run {run.run_id}: the partnership's name cannot be the name of a folder")
    place = output / declaration.return_name / run.partnership
    final = place / run.as_of.isoformat()
    earlier = _sealed_run(final) if final.exists() else None
    if earlier != run.run_id:
        proof = evidence.gather(connection, run, declaration.rules_suite)
        with pack.staged(final, place / "superseded" / final.name / str(earlier)) as folder:
            job = Job(connection, declaration, proof, version=1, is_rehearsal=False, figures=None)
            rows = RENDERERS[declaration.return_name](job, folder)
            pack.seal(folder, _facts(proof, declaration, rows))
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


def _facts(proof: Evidence, declaration: Declaration, rows: Mapping[str, int]) -> dict[str, Any]:
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
        "layout_version": declaration.version(run.as_of),
        "disclosure_policy": declaration.disclosure.policy,
        "standing": declaration.standing,
        "rows": dict(rows),
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
