"""Runs the dbt project in this process, a layer at a time, and keeps what each node did in `audit.model_result`.

dbt's own parse of the project is kept under `home` and given back to it, because a parse costs more than a layer of the
project. dbt's logs and result files are switched off: a database error in them may quote a child's data.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import psycopg

from send_returns import layouts
from send_returns.failure import Failure
from send_returns.settings import Settings
from send_returns.warehouse import describing, keeping
from send_returns.warehouse.connections import HASH_JOINS_ONLY, address, connect

if TYPE_CHECKING:
    from dbt.artifacts.schemas.run import RunResult
    from dbt.contracts.graph.manifest import Manifest

Layer = Literal["staging", "intermediate", "returns"]

# The schemas that a layer fills.
SCHEMAS: dict[Layer, tuple[str, ...]] = {
    "staging": ("candidate_reference", "candidate_staging"),
    "intermediate": ("candidate_intermediate",),
    "returns": ("candidate_marts", "candidate_returns"),
}
LAYOUT = "area_send_annex_a"
# The tag by which dbt is told what to build.
DUE = "due"


class BuildFailed(Failure):
    """A layer was not built. `nodes` names the models and tests that failed; the message carries no value."""

    def __init__(self, message: str, nodes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt did with one model, seed or test. `rows` is rows written, or failing rows of a test."""

    node: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    message: str | None


def build(settings: Settings, run_id: str, layer: Layer) -> dict[str, int]:
    """Build one layer of a run into the candidate schemas with its tests; returns counts of nodes by kind.

    `staging` includes the seeds and the list layout in force, `returns` includes the marts. Unit tests are not run:
    they judge the code, not the data.

    Raises:
        BuildFailed: there is no such run, the project cannot be read, or a model or test failed.
    """
    as_of = date.fromisoformat(_variables(settings, run_id)["as_of"])
    parsed = manifest(settings)
    described = describing.tables(parsed)
    dimensions = [table.name for table in described if table.is_dimension]
    with connect(settings, purpose="send-returns dbt") as connection:
        planned = keeping.plan(connection, parsed, run_id, layer, _checksum(settings), dimensions)
        keeping.prepare(connection, planned, SCHEMAS[layer])
        if layer == "staging":
            _write_layout(connection, as_of)
            keeping.tell(connection, run_id)
    for name in planned.due:
        parsed.nodes[name].tags.append(DUE)
    results = (
        invoke(
            settings,
            run_id,
            "build",
            *("--select", f"tag:{DUE}", "--indirect-selection", "empty"),
            parsed=parsed,
            planned=planned,
        )
        if planned.due
        else []
    )
    _record(settings, run_id, layer, results, planned)
    failed = [result for result in results if result.status not in ("success", "pass", "warn")]
    if failed:
        broken = [result for result in failed if result.status != "skipped"]
        told = "; ".join(f"{result.node}: {result.message or result.status}" for result in broken)
        raise BuildFailed(
            f"{layer}: {len(broken)} of {len(results)} dbt nodes failed, {len(failed) - len(broken)} were skipped."
            f" {told}. Nothing was published: see audit.model_result of run {run_id}, mend the model or the rows,"
            " and build again.",
            [result.node for result in broken],
        )
    if layer == "returns":
        elsewhere = {(schema, name) for schema, name, _ in planned.standing_for()}
        _describe(settings, run_id, described, elsewhere)
    with connect(settings, purpose="send-returns dbt") as connection:
        keeping.record(connection, parsed, planned, run_id)
    kinds = sorted({result.resource_type for result in results})
    counts = {f"{kind}s": sum(result.resource_type == kind for result in results) for kind in kinds}
    return {**counts, "kept": len(planned.kept)}


def _describe(
    settings: Settings, run_id: str, described: list[describing.Table], elsewhere: set[tuple[str, str]]
) -> None:
    with connect(settings, purpose="send-returns dbt comments") as connection:
        connection.execute(HASH_JOINS_ONLY)
        astray = describing.astray(connection, described)
        if astray:
            raise BuildFailed(
                f"returns: rows refer to what their dimension does not have, in {', '.join(astray)}. Nothing was"
                f" published: have the dimension know what the fact does, and build run {run_id} again.",
                astray,
            )
        # What readers see is described already.
        here = [table for table in described if (f"candidate_{table.schema}", table.name) not in elsewhere]
        describing.describe(connection, here)


def invoke(
    settings: Settings,
    run_id: str,
    command: str,
    *arguments: str,
    parsed: "Manifest | None" = None,
    planned: keeping.Plan | None = None,
) -> list[NodeResult]:
    """Run a dbt command over a run and return a result per node, in order of node name. Raises BuildFailed.

    `parsed` is the project where the caller has it already; dbt changes it. `planned`: what of the last
    build is kept.
    """
    from dbt.cli.main import dbtRunner

    target = settings.folder("runs", run_id, "dbt")
    variables: dict[str, object] = {**_variables(settings, run_id)}
    if planned is not None:
        kept = [planned.nodes[name].name for name in planned.kept]
        variables |= {"kept": kept, "kept_families": dict(planned.kept_families)}
    with _profile(settings):
        done = dbtRunner(manifest=parsed or manifest(settings)).invoke(
            [command, *_flags(settings, target), "--vars", json.dumps(variables), *arguments]
        )
    if done.exception is not None:
        raise BuildFailed(f"dbt could not run {command}: {without_values(str(done.exception))}") from None
    results = cast("Iterable[RunResult]", done.result)
    return sorted((_result(result) for result in results), key=lambda result: result.node)


def without_values(message: str) -> str:
    """The first lines of a dbt or database message, without the parts in which Postgres quotes data."""
    kept = []
    for line in message.splitlines():
        text = line.strip()
        if not text or text.startswith(("compiled code at", "Database Error", "LINE ", "^", "Runtime Error")):
            continue
        if re.match(r"(DETAIL|CONTEXT|QUERY|HINT|STATEMENT)\b", text):
            break
        # Postgres quotes names of tables, and after a colon values: `invalid input syntax for type date: "…"`.
        text = re.sub(r'(?<=: )".*"', "(value withheld)", text)
        kept.append(re.sub(r"'[^']*'", "(value withheld)", text))
    return " ".join(kept)[:500]


def _variables(settings: Settings, run_id: str) -> dict[str, str]:
    with connect(settings, purpose="send-returns dbt") as connection:
        run = connection.execute("select partnership, as_of from audit.run where run_id = %s", [run_id]).fetchone()
    if run is None:
        raise BuildFailed(f"There is no run {run_id}: open one first.")
    return {"run_id": run_id, "partnership": run[0], "as_of": run[1].isoformat()}


def _write_layout(connection: psycopg.Connection, as_of: date) -> None:
    """Make candidate_reference.annex_a_layout of the list layout in force: a row per list, column and category."""
    layout = layouts.load(LAYOUT, as_of)
    connection.execute(
        "create table candidate_reference.annex_a_layout (version text not null, list_name text not null,"
        " model text not null, position integer not null, column_name text not null, heading text not null,"
        " column_type text not null, code text, wording text,"
        " unique nulls not distinct (list_name, column_name, code))"
    )
    with connection.cursor().copy("copy candidate_reference.annex_a_layout from stdin") as rows:
        for part in layout.lists:
            for position, column in enumerate(part.columns, start=1):
                described = (layout.version, part.name, part.model, position, column.name, column.heading, column.type)
                for code, wording in column.categories.items() or [(None, None)]:
                    rows.write_row((*described, code, wording))


def _record(
    settings: Settings, run_id: str, layer: Layer, results: Sequence[NodeResult], planned: keeping.Plan
) -> None:
    """Write what became of each node; of one that was kept, what the run that built it has on record."""
    kept = [(planned.nodes[name].name, built.run_id) for name, built in sorted(planned.kept.items())]
    with connect(settings, purpose="send-returns dbt results") as connection:
        connection.execute(
            "delete from audit.model_result where run_id = %s and layer = %s and node <> all(%s)",
            [run_id, layer, [name for name, built_in in kept if built_in == run_id]],
        )
        connection.execute(
            "insert into audit.model_result"
            " (run_id, layer, node, resource_type, status, seconds, rows_affected, message)"
            " select %s, layer, node, resource_type, status, 0, rows_affected, message from audit.model_result"
            " inner join unnest(%s::text[], %s::text[]) as kept (node, run_id) using (node, run_id)"
            " where layer = %s and run_id <> %s",
            [run_id, [name for name, _ in kept], [built_in for _, built_in in kept], layer, run_id],
        )
        copy = (
            "copy audit.model_result (run_id, layer, node, resource_type, status, seconds, rows_affected, message)"
            " from stdin"
        )
        with connection.cursor().copy(copy) as rows:
            for result in results:
                rows.write_row((run_id, layer, *astuple(result)))


def _result(result: "RunResult") -> NodeResult:
    kind = str(result.node.resource_type)
    affected = result.failures if kind == "test" else result.adapter_response.get("rows_affected")
    failed = str(result.status) not in ("success", "pass")
    return NodeResult(
        node=result.node.name,
        resource_type=kind,
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        rows=affected if isinstance(affected, int) and affected >= 0 else None,
        message=without_values(str(result.message)) if failed and result.message else None,
    )


def _flags(settings: Settings, target: Path) -> list[str]:
    project = str(settings.project / "dbt_project")
    return [
        *("--project-dir", project, "--profiles-dir", project, "--target-path", str(target), "--log-path", str(target)),
        *("--log-level", "none", "--log-level-file", "none", "--quiet", "--no-use-colors", "--no-version-check"),
        *("--no-write-json", "--no-send-anonymous-usage-stats", "--no-populate-cache"),
    ]


# `connections.HASH_JOINS_ONLY`, as options of a session.
SESSION = "-c enable_nestloop=off -c enable_mergejoin=off"
# A parsed project names its database with every table. It is parsed for this one, so that one parse serves any.
PARSED_FOR = "any_database"


@contextmanager
def _profile(settings: Settings, database: str | None = None) -> Iterator[None]:
    """The environment that dbt_project/profiles.yml reads, for as long as dbt runs; of another `database` if named."""
    at = address(settings)
    values = {
        "SEND_RETURNS_DBT_HOST": at.host,
        "SEND_RETURNS_DBT_PORT": str(at.port),
        "SEND_RETURNS_DBT_USER": at.user,
        "SEND_RETURNS_DBT_DATABASE": database or at.database,
        "SEND_RETURNS_DBT_THREADS": str(settings.workers),
        "DBT_ENV_SECRET_SEND_RETURNS_PASSWORD": at.password,
        "PGOPTIONS": SESSION,
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _checksum(settings: Settings) -> str:
    """A name for the project's files and dbt's version."""
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-postgres')}".encode())
    folder = settings.project / "dbt_project"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def manifest(settings: Settings) -> "Manifest":
    """The parsed project: kept in `home` while its files and dbt stay as they were, and read for this database."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

    kept = settings.folder("cache", "dbt") / f"{_checksum(settings)}.msgpack"
    if not kept.exists():
        with _profile(settings, PARSED_FOR):
            done = dbtRunner().invoke(["parse", *_flags(settings, kept.parent), "--no-partial-parse"])
        if not isinstance(done.result, Manifest):
            raise BuildFailed(f"dbt cannot read the project: {without_values(str(done.exception))}") from None
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_bytes(done.result.to_msgpack(extended_mashumaro_encoder))
        partial.replace(kept)
    # Read back even just after writing: a build changes the manifest it is given.
    parsed: Manifest = Manifest.from_msgpack(kept.read_bytes(), decoder=extended_mashumuro_decoder)
    database = address(settings).database
    for node in (*parsed.nodes.values(), *parsed.sources.values()):
        node.database = database
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{PARSED_FOR}".', f'"{database}".', 1)
    return parsed
