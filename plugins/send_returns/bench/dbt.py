"""`dbt build` of every layer against its own compiled SQL in one psql, and what a day's delta takes of it.

The county of a delta is built in a scratch database, once to warm dbt's imports and parse, and once to be measured.
"""

import statistics
from collections.abc import Iterator
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from send_returns import clock, feeds, stages, warehouse
from send_returns.bench.linkage import delivery_of_a_day
from send_returns.bench.scratch import psql_seconds, scratch
from send_returns.settings import Settings
from send_returns.warehouse import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

REPEATS = 3


def dbt_ratio(settings: Settings, run_id: str) -> dict[str, Any]:
    """Seconds of both, medians of three interleaved runs after a first that warms dbt's imports and parse.

    Both load the seeds, make views, tables and statistics in the candidate schemas, and run the tests.
    """
    _in_full(settings, run_id)
    _build(settings, run_id)
    script = settings.folder("bench") / "compiled.sql"
    script.write_text(_script(settings, run_id), encoding="utf-8")
    built, executed = [], []
    for _ in range(REPEATS):
        built.append(_build(settings, run_id))
        executed.append(psql_seconds(settings, script, PGOPTIONS=f"{dbt.SESSION} -c client_min_messages=warning"))
    baseline, measured = statistics.median(executed), statistics.median(built)
    return {
        "baseline": "its compiled SQL in one psql",
        "baseline_seconds": round(baseline, 3),
        "seconds": round(measured, 3),
        "ratio": round(measured / baseline, 3),
    }


def deltas(settings: Settings, county: Path, as_of: date) -> Iterator[dict[str, Any]]:
    """Seconds of the build of a county, of a correction, and of one delivery more, both of about one row in a hundred.

    The correction is the register of short breaks without the last hundredth of its requests, with the same reporting
    date; the other is what linkage is measured by. Before each, readers see what was built.
    """
    late, _ = delivery_of_a_day(county)
    aside = county / late.name
    (register,) = (county / "inbox" / "council" / "short_breaks").glob("*/*_request.csv")
    text = register.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    with scratch(settings) as database:
        late.rename(aside)
        try:
            whole = full_seconds(database, county / "inbox", as_of)
            yield {"delta": "everything", "seconds": whole, "baseline_seconds": whole}
            register.write_text("".join(lines[: -max(len(lines) // 100, 1)]), encoding="utf-8")
            yield {"delta": "a correction", "seconds": _more(database, county, as_of), "baseline_seconds": whole}
        finally:
            aside.rename(late)
            register.write_text(text, encoding="utf-8")
        yield {"delta": "a delivery more", "seconds": _more(database, county, as_of), "baseline_seconds": whole}


def full_seconds(settings: Settings, inbox: Path, as_of: date) -> float:
    """Land, link and build everything there is in an empty database, twice: the seconds of the second build."""
    run_id = linked(settings, inbox, as_of)
    _build(settings, run_id)
    _in_full(settings, run_id)
    return _build(settings, run_id)


def _more(settings: Settings, county: Path, as_of: date) -> float:
    """Let readers see what was built last, and build what has changed since."""
    stages.gate(settings, stages.open_run(settings, as_of))
    return _build(settings, linked(settings, county / "inbox", as_of))


def linked(settings: Settings, inbox: Path, as_of: date) -> str:
    """The run of what the inbox holds, landed and linked."""
    for organisation in feeds.ORGANISATIONS:
        stages.land(settings, organisation, inbox, as_of)
    run_id = stages.open_run(settings, as_of)
    stages.link(settings, run_id)
    return run_id


def _in_full(settings: Settings, run_id: str) -> None:
    with warehouse.connect(settings) as connection:
        connection.execute("update audit.run set mode = 'full' where run_id = %s", [run_id])


def _build(settings: Settings, run_id: str) -> float:
    start = clock.monotonic()
    for layer in stages.LAYERS:
        dbt.build(settings, run_id, layer)
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
    indexes = "".join(
        f"create index on {relation} using {index['type']} ({', '.join(index['columns'])});\n"
        for index in node.config.get("indexes") or []
    )
    return f"{create}\n{indexes}analyze {relation};"
