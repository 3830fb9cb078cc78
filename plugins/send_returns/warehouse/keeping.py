"""What of the last build is still true: a table whose inputs are what they were is kept, and its tests with it.

The inputs of a node are the project and the code, the reporting date, the deliveries of its feeds and who their records
are of. A table of an earlier layer counts by its rows: one that was built again with the same rows changes nothing
after it. A table that readers see is kept where it is: a view stands for it among the candidates until the swap.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from send_returns.settings import code_version
from send_returns.warehouse.describing import CANDIDATE

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_CASES = ".int_indicator__"
LAYERS = ("staging", "intermediate", "returns")
_LAYER_OF = {"staging": 0, "intermediate": 1, "marts": 2, "returns": 2}

# Digests of the sources, by feed where they have one.
_DELIVERIES = """
    select feed, string_agg(concat_ws(' ', delivery_id, run_delivery.rows_erased), ',' order by delivery_id)
    from audit.run_delivery inner join landing.delivery using (delivery_id)
    where run_delivery.run_id = %(run_id)s group by feed"""
_LINKS = """
    select feed, sum(hash_record_extended(row(delivery_id, table_name, row_number, person_id, profile_id), 0))::text
    from identity.link
    where delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s) group by feed"""
_KEYS = """
    select '', sum(hash_record_extended(row(purpose, key_id, person_id, child_key), 0))::text
    from identity.child_key inner join audit.run_key using (purpose, key_id) where run_id = %(run_id)s"""
_DISPUTED = """
    select '', sum(hash_record_extended(row(kind, value, reason), 0))::text
    from identity.disputed_identifier where run_id = %(run_id)s"""
_EXPECTED = """
    select '', sum(hash_record_extended(row(feed, supplier, period_on, due_on, state), 0))::text
    from landing.expectation inner join audit.run using (partnership, as_of) where run_id = %(run_id)s"""
_OTHERS = {
    "identity.child_key": _KEYS,
    "identity.disputed_identifier": _DISPUTED,
    "landing.expectation": _EXPECTED,
}
# The tables in which the runner tells the staging models what the run reads.
_OF_THE_RUN = ("run_delivery", "run_key")
# Of these a run reads what belongs to its deliveries, to its records' profiles or to its key, which count already.
_IMPLIED = {"run.run_delivery", "run.run_key", "identity.profile", "layout.annex_a_layout"}


@dataclass(frozen=True, slots=True)
class Built:
    """What a node was last built from, in which run; `schema` is where its table is now."""

    run_id: str
    inputs: str | None
    content: str | None
    parts: dict[str, str] | None
    schema: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes of a layer by unique id: those to build, those to keep, and what each is made from."""

    nodes: Mapping[str, Any]
    due: frozenset[str]
    kept: Mapping[str, Built]
    inputs: Mapping[str, str | None]
    parts: Mapping[str, dict[str, str | None]]
    # Of a model that is built by family: the families whose rows are taken from what readers see.
    kept_families: Mapping[str, list[str]]

    def relations(self, schema: str) -> list[str]:
        """The kept tables of a candidate schema that are in it."""
        return [
            self.nodes[name].alias
            for name, built in self.kept.items()
            if built.schema == schema == self.nodes[name].schema
        ]

    def standing_for(self) -> list[tuple[str, str, str]]:
        """The kept tables that readers see: candidate schema, name, and the schema in which they are."""
        return sorted(
            (self.nodes[name].schema, self.nodes[name].alias, built.schema)
            for name, built in self.kept.items()
            if built.schema is not None and built.schema != self.nodes[name].schema
        )


def plan(
    connection: psycopg.Connection, manifest: "Manifest", run_id: str, layer: str, checksum: str, never: Iterable[str]
) -> Plan:
    """What a layer of a run has to build: all of it in mode `full`. `never` are the tables that are not to be kept."""
    number = LAYERS.index(layer)
    inputs = _Inputs(connection, manifest, _base(connection, run_id, checksum), run_id, number)
    nodes = {name: node for name, node in sorted(manifest.nodes.items()) if _layer(manifest, name) == number}
    made_from = {name: inputs.of(name) for name in nodes}
    (mode,) = connection.execute("select mode from audit.run where run_id = %s", [run_id]).fetchone() or ("full",)
    kept = {
        name: built
        for name, node in nodes.items()
        if mode != "full"
        and (built := inputs.built.get(name)) is not None
        and built.inputs == made_from[name] is not None
        and _may_stay(node, built)
        and node.name not in set(never)
    }
    parts = {name: inputs.parts(name) for name, node in nodes.items() if _is_by_family(node)}
    families = {
        nodes[name].name: _unchanged(parts[name], built)
        for name in sorted(parts.keys() - kept.keys())
        if mode != "full"
        and (built := inputs.built.get(name)) is not None
        and built.schema == nodes[name].schema.removeprefix(CANDIDATE)
    }
    return Plan(nodes, frozenset(nodes) - frozenset(kept), kept, made_from, parts, families)


def prepare(connection: psycopg.Connection, planned: Plan, schemas: Sequence[str]) -> None:
    """Empty the layer's candidate schemas of all but what is kept, and let views stand for what readers see."""
    connection.execute("delete from audit.built where node = any(%s)", [sorted(planned.due)])
    for schema in schemas:
        name = sql.Identifier(schema)
        kept = planned.relations(schema)
        if not kept:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))
        connection.execute(sql.SQL("create schema if not exists {}").format(name))
        others = connection.execute(
            "select relname, relkind = 'v' from pg_class where relnamespace = %s::regnamespace"
            " and relkind in ('r', 'v') and relname <> all(%s)",
            [schema, [*kept, *_OF_THE_RUN]],
        ).fetchall()
        for table, is_view in others:
            kind = sql.SQL("view" if is_view else "table")
            connection.execute(sql.SQL("drop {} if exists {} cascade").format(kind, sql.Identifier(schema, table)))
    for schema, table, live in planned.standing_for():
        connection.execute(
            sql.SQL("create view {} as select * from {}").format(
                sql.Identifier(schema, table), sql.Identifier(live, table)
            )
        )


def tell(connection: psycopg.Connection, run_id: str) -> None:
    """Write what the run reads where the staging models look it up, so that none of them names the run."""
    for table, columns in (("run_delivery", "delivery_id"), ("run_key", "purpose, key_id")):
        here, there = sql.Identifier("candidate_reference", table), sql.Identifier("audit", table)
        told = sql.SQL(columns)
        connection.execute(
            sql.SQL("create table if not exists {} as select {} from {} with no data").format(here, told, there)
        )
        connection.execute(sql.SQL("delete from {}").format(here))
        connection.execute(
            sql.SQL("insert into {} select {} from {} where run_id = %s order by 1").format(here, told, there), [run_id]
        )
        connection.execute(sql.SQL("analyze {}").format(here))


def record(connection: psycopg.Connection, manifest: "Manifest", planned: Plan, run_id: str) -> None:
    """Remember what the layer, which is built and has passed its tests, was made from."""
    connection.execute("update audit.built set run_id = %s where node = any(%s)", [run_id, sorted(planned.kept)])
    read_later = _read_later(manifest, planned)
    for name in sorted(planned.due):
        node = planned.nodes[name]
        relation = sql.Identifier(node.schema, node.alias)
        is_relation = str(node.resource_type) != "test"
        content = None
        if name in read_later:
            query = "select count(*) || ' ' || coalesce(sum(hash_record_extended(t, 0)), 0) from {} as t"
            ((content,),) = connection.execute(sql.SQL(query).format(relation)).fetchall()
        connection.execute(
            "insert into audit.built (node, run_id, relation, inputs, content, parts)"
            " values (%s, %s, to_regclass(%s), %s, %s, %s)",
            [
                *(name, run_id, f"{node.schema}.{node.alias}" if is_relation else None, planned.inputs[name], content),
                Json(planned.parts.get(name)),
            ],
        )


def digest(*parts: str) -> str:
    """A name for some texts in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class _Inputs:
    """Digests of what each node of a project is made from in a run; None where that cannot be told."""

    def __init__(
        self, connection: psycopg.Connection, manifest: "Manifest", base: str, run_id: str, layer: int
    ) -> None:
        self.connection, self.manifest, self.base, self.run_id, self.layer = connection, manifest, base, run_id, layer
        self.built = {
            node: Built(*values)
            for node, *values in connection.execute(
                "select node, run_id, inputs, content, parts, nspname from audit.built left join pg_class"
                " on pg_class.oid = relation left join pg_namespace on pg_namespace.oid = relnamespace"
            )
        }
        self._known: dict[str, str | None] = {}
        self._asked: dict[str, dict[str, str]] = {}

    def of(self, name: str) -> str | None:
        """The digest of a node of the layer; of a table of an earlier one, that of its rows."""
        if name not in self._known:
            if _layer(self.manifest, name) < self.layer:
                before = self.built.get(name)
                self._known[name] = (before.content or before.inputs) if before else None
            else:
                self._known[name] = self._combined(name)
        return self._known[name]

    def parts(self, name: str) -> dict[str, str | None]:
        """What each part of a model that is built by family is made from, by the parent that it comes of."""
        parts: dict[str, str | None] = {"base": self.base}
        for parent in _parents(self.manifest, name):
            is_in_parts = parent in self.manifest.nodes and _is_by_family(self.manifest.nodes[parent])
            parts |= self.parts(parent) if is_in_parts else {parent: self.of(parent)}
        return parts

    def _combined(self, name: str) -> str | None:
        parents = _parents(self.manifest, name)
        sources = [self.manifest.sources[parent] for parent in parents if parent.startswith("source.")]
        # A staging model is named for its feed, and reads no other's rows.
        feed = self.manifest.nodes[name].name.removeprefix("stg_").partition("__")[0]
        said = [self._source(f"{source.source_name}.{source.name}", feed) for source in sources]
        said += [self.of(parent) for parent in parents if not parent.startswith("source.")]
        told = [one for one in said if one is not None]
        return digest(self.base, name, *told) if len(told) == len(said) else None

    def _source(self, table: str, feed: str) -> str | None:
        if table.startswith("raw_"):
            return self._by_feed(_DELIVERIES).get(table.partition(".")[2].partition("__")[0], "")
        if table in ("landing.delivery", "identity.link"):
            found = self._by_feed(_DELIVERIES if table == "landing.delivery" else _LINKS)
            return found.get(feed) or " ".join(map(" ".join, sorted(found.items())))
        if table in _OTHERS:
            return self._by_feed(_OTHERS[table]).get("") or ""
        # What else is read is of the hour: what readers see, and what it was made of.
        return "" if table in _IMPLIED else None

    def _by_feed(self, query: str) -> dict[str, str]:
        if query not in self._asked:
            self._asked[query] = dict(self.connection.execute(query.encode(), {"run_id": self.run_id}).fetchall())
        return self._asked[query]


def _is_by_family(node: Any) -> bool:  # noqa: ANN401 - dbt has a class for each kind of node
    return bool(node.config.meta.get("by_family"))


def _unchanged(parts: Mapping[str, str | None], built: Built) -> list[str]:
    """The families whose cases are what they were, where nothing else has changed; none where something has."""
    before = built.parts or {}
    changed = {
        name for name in parts.keys() | before.keys() if parts.get(name) is None or parts[name] != before.get(name)
    }
    families = {name: name.partition(_CASES)[2] for name in parts if _CASES in name}
    return sorted(families[name] for name in families.keys() - changed) if changed <= families.keys() else []


def _base(connection: psycopg.Connection, run_id: str, checksum: str) -> str:
    """What every node depends on. After a removal nothing is kept: rows were taken from what was built."""
    row = connection.execute(
        "select partnership, as_of, (select string_agg(concat_ws(' ', removal_id, extract(epoch from applied_at)), ','"
        " order by removal_id) from rights.removal) from audit.run where run_id = %s",
        [run_id],
    ).fetchone()
    return digest(code_version(), checksum, *map(str, row or ()))


def _may_stay(node: Any, built: Built) -> bool:  # noqa: ANN401 - dbt has a class for each kind of node
    """A test need not be asked again; a table or a view stays where it is."""
    if str(node.resource_type) == "test":
        return True
    return built.schema in (node.schema, node.schema.removeprefix(CANDIDATE))


def _parents(manifest: "Manifest", name: str) -> list[str]:
    node = manifest.nodes[name]
    return sorted(set(getattr(node, "depends_on_nodes", [])))


def _layer(manifest: "Manifest", name: str) -> int:
    """The place of a node's layer in `LAYERS`; a test is of the last layer that it reads."""
    node = manifest.nodes[name]
    if str(node.resource_type) == "model":
        return _LAYER_OF[node.fqn[1]]
    parents = [parent for parent in _parents(manifest, name) if parent in manifest.nodes]
    return max((_layer(manifest, parent) for parent in parents), default=0)


def _read_later(manifest: "Manifest", planned: Plan) -> set[str]:
    """The tables of a plan that models of a later layer read."""
    layer = {_layer(manifest, name) for name in planned.nodes}
    return {
        parent
        for name, node in manifest.nodes.items()
        if str(node.resource_type) == "model" and _layer(manifest, name) not in layer
        for parent in _parents(manifest, name)
        if parent in planned.due and planned.nodes[parent].config.materialized == "table"
    }
