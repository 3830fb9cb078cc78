"""`dbt build` of every layer against its own compiled SQL, run by one psql in the same order."""

import os
import statistics
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from send_returns import clock, warehouse
from send_returns.settings import Settings
from send_returns.warehouse import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

REPEATS = 3
LAYERS: tuple[dbt.Layer, ...] = ("staging", "intermediate", "returns")


def dbt_ratio(settings: Settings, run_id: str) -> dict[str, Any]:
    """Seconds of both, medians of three interleaved runs after a first that warms dbt's imports and parse.

    Both load the seeds, make views, tables and statistics in the candidate schemas, and run the tests.
    """
    _build(settings, run_id)
    script = settings.folder("bench") / "compiled.sql"
    script.write_text(_script(settings, run_id), encoding="utf-8")
    built, executed = [], []
    for _ in range(REPEATS):
        built.append(_build(settings, run_id))
        executed.append(_psql(settings, script))
    baseline, measured = statistics.median(executed), statistics.median(built)
    return {
        "baseline": "its compiled SQL in one psql",
        "baseline_seconds": round(baseline, 3),
        "seconds": round(measured, 3),
        "ratio": round(measured / baseline, 3),
    }


def _build(settings: Settings, run_id: str) -> float:
    start = clock.monotonic()
    for layer in LAYERS:
        dbt.build(settings, run_id, layer)
    return clock.monotonic() - start


def _psql(settings: Settings, script: Path) -> float:
    at = warehouse.address(settings)
    environment = {
        **os.environ,
        "PGHOST": at.host,
        "PGPORT": str(at.port),
        "PGUSER": at.user,
        "PGPASSWORD": at.password,
        "PGDATABASE": at.database,
        "PGOPTIONS": f"{dbt.SESSION} -c client_min_messages=warning",
    }
    command = [str(warehouse.psql_path()), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
    start = clock.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return clock.monotonic() - start


def _script(settings: Settings, run_id: str) -> str:
    """What the last build ran, in an order in which each node comes after those it reads."""
    manifest = dbt.manifest(settings)
    compiled = settings.folder("runs", run_id, "dbt") / "compiled" / "send_returns"
    graph = {name: sorted(node.depends_on_nodes) for name, node in sorted(manifest.nodes.items())}
    order = [name for name in TopologicalSorter(graph).static_order() if name in manifest.nodes]
    return "\n".join(_statement(manifest, name, settings.project / "dbt_project", compiled) for name in order)


def _statement(manifest: "Manifest", name: str, project: Path, compiled: Path) -> str:
    node = manifest.nodes[name]
    kind = str(node.resource_type)
    relation = f"{node.schema}.{node.alias}"
    if kind == "seed":
        seed = project / node.original_file_path
        return f"truncate {relation};\n\\copy {relation} from '{seed}' (format csv, header)"
    path = compiled / node.original_file_path
    body = (path if path.is_file() else path / node.path).read_text(encoding="utf-8")
    if kind == "test":
        return f"select count(*) from (\n{body}\n) as failing;"  # noqa: S608 - the project's own SQL
    if node.config.materialized == "view":
        return f"drop view if exists {relation} cascade;\ncreate view {relation} as (\n{body}\n);"
    unlogged = "unlogged " if node.config.get("unlogged") else ""
    create = f"drop table if exists {relation} cascade;\ncreate {unlogged}table {relation} as (\n{body}\n);"
    return f"{create}\nanalyze {relation};"
