"""What the project says of its marts and returns, told to the database: comments, keys, and what refers to what.

BI tools read it there. dbt could write it too, at a statement for each table and column; this is one for all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

FOLDERS = ("marts", "returns")
CANDIDATE = "candidate_"
# From this version on Postgres knows a foreign key that it does not enforce.
UNENFORCED = 180000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and the dimension that it refers to. A dimension refers to nothing: a star, no snowflake."""

    name: str
    data_type: str
    description: str
    refers_to: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A mart or a return as the project describes it. `key`: the columns that no two rows have alike."""

    schema: str
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    meta: Mapping[str, Any]

    @property
    def is_dimension(self) -> bool:
        """Whether facts refer to it: a dimension with a key of one column, which they call by the same name."""
        return self.name.startswith("dim_") and len(self.key) == 1


def tables(manifest: "Manifest") -> list[Table]:
    """The marts and returns of the project, in order of schema and name."""
    keys: dict[str, tuple[str, ...]] = {}
    for node in manifest.nodes.values():
        tested = getattr(node, "test_metadata", None)
        if tested is not None and tested.name == "unique_key":
            keys[str(getattr(node, "attached_node", ""))] = tuple(tested.kwargs["columns"])
    models = sorted(
        (model.fqn[1], model.name, model)
        for model in manifest.nodes.values()
        if str(model.resource_type) == "model" and model.fqn[1] in FOLDERS
    )
    dimensions = {
        key[0]: name
        for _, name, model in models
        if name.startswith("dim_") and len(key := keys.get(model.unique_id, ())) == 1
    }
    return [
        Table(
            schema,
            name,
            model.description.strip(),
            keys.get(model.unique_id, ()),
            tuple(
                Column(
                    column.name,
                    str(column.data_type),
                    " ".join(column.description.split()),
                    # Dimensions and what refers to them are of one schema: a return is read by others than its marts.
                    dimensions.get(column.name) if schema == "marts" and name not in dimensions.values() else None,
                )
                for column in model.columns.values()
            ),
            dict(model.config.meta),
        )
        for schema, name, model in models
    ]


def read(connection: psycopg.Connection) -> list[Table]:
    """The live marts and returns as the database itself describes them: what `describe` told it, and nothing else."""
    keys: dict[tuple[str, str], tuple[str, ...]] = {}
    refers: dict[tuple[str, str, str], str] = {}
    for schema, table, kind, columns, dimension in connection.execute(
        "select n.nspname, c.relname, k.contype::text, (select array_agg(a.attname::text order by a.attnum)"
        " from pg_attribute a where a.attrelid = c.oid and a.attnum = any(k.conkey)), d.relname"
        " from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace"
        " left join pg_class d on d.oid = k.confrelid where k.contype in ('p', 'f') and n.nspname = any(%s)",
        [list(FOLDERS)],
    ):
        if kind == "p":
            keys[schema, table] = tuple(columns)
        else:
            refers[schema, table, columns[0]] = dimension
    found: dict[tuple[str, str], list[Column]] = {}
    said: dict[tuple[str, str], str] = {}
    for schema, table, description, column, data_type, comment in connection.execute(
        "select n.nspname, c.relname, obj_description(c.oid), a.attname, format_type(a.atttypid, a.atttypmod),"
        " col_description(c.oid, a.attnum) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relkind = 'r' and n.nspname = any(%s) order by 1, 2, a.attnum",
        [list(FOLDERS)],
    ):
        said[schema, table] = description or ""
        refers_to = refers.get((schema, table, column))
        found.setdefault((schema, table), []).append(Column(column, data_type, comment or "", refers_to))
    return [
        Table(schema, table, said[schema, table], keys.get((schema, table), ()), tuple(columns), {})
        for (schema, table), columns in sorted(found.items())
    ]


def astray(connection: psycopg.Connection, described: list[Table]) -> list[str]:
    """The columns, as `table.column`, in which a row refers to what its dimension does not have."""
    questions = [
        sql.SQL(
            "select {place} from {fact} as fact left join {dimension} as dimension on fact.{key} = dimension.{key}"
            " where fact.{key} is not null and dimension.{key} is null having count(*) > 0"
        ).format(
            place=sql.Literal(f"{table.name}.{column.name}"),
            fact=sql.Identifier(CANDIDATE + table.schema, table.name),
            dimension=sql.Identifier(CANDIDATE + table.schema, column.refers_to),
            key=sql.Identifier(column.name),
        )
        for table in described
        for column in table.columns
        if column.refers_to
    ]
    if not questions:
        return []
    return [str(place) for (place,) in connection.execute(sql.SQL(" union all ").join(questions)).fetchall()]


def describe(connection: psycopg.Connection, described: list[Table]) -> None:
    """Comment on every table and column, give each dimension its primary key, and name what refers to it.

    What refers is not enforced, because an erasure may take rows in any order: `astray` has looked.
    """
    statements = [
        *_comments(described),
        *_keys(described),
        *(_references(described) if connection.info.server_version >= UNENFORCED else ()),
    ]
    connection.execute(sql.SQL("; ").join(statements))


def _comments(described: list[Table]) -> Iterator[sql.Composed]:
    for table in described:
        name = sql.Identifier(CANDIDATE + table.schema, table.name)
        yield sql.SQL("comment on table {} is {}").format(name, sql.Literal(table.description))
        for column in table.columns:
            of = sql.Identifier(CANDIDATE + table.schema, table.name, column.name)
            yield sql.SQL("comment on column {} is {}").format(of, sql.Literal(column.description))


def _keys(described: list[Table]) -> Iterator[sql.Composed]:
    for table in described:
        if table.is_dimension:
            yield sql.SQL("alter table {} add primary key ({})").format(
                sql.Identifier(CANDIDATE + table.schema, table.name), sql.Identifier(*table.key)
            )


def _references(described: list[Table]) -> Iterator[sql.Composed]:
    for table in described:
        for column in table.columns:
            if column.refers_to:
                yield sql.SQL("alter table {} add foreign key ({}) references {} not enforced").format(
                    sql.Identifier(CANDIDATE + table.schema, table.name),
                    sql.Identifier(column.name),
                    sql.Identifier(CANDIDATE + table.schema, column.refers_to),
                )
