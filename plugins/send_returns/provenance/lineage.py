"""Which raw columns a column of a model comes from, read off the very SQL that built the run.

A column comes from what its expression names; from what its relation was joined on, where that is not merely the
person; and, where it only asks whether there is such a row, from the rows of that relation. What a `where` leaves out
is not followed: it says which rows count, not what they say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp

from send_returns.failure import Failure
from send_returns.settings import Settings

# What only says of whom, or where, a row is.
KEYS = frozenset(
    {
        "person_id",
        "partnership",
        "_delivery_id",
        "_row_number",
        "delivery_id",
        "row_number",
        "table_name",
        "list_number",
    }
)
# How the columns end by which the tables of one delivery hang together.
_KEY_OF_SUPPLIER = ("tableid", "nativeid")
_RAW = "raw_"
_CANDIDATE = "candidate_"
_IDENTITY = "identity"


def _is_key(name: str) -> bool:
    return name in KEYS or name.endswith(_KEY_OF_SUPPLIER)


class NotKept(Failure):
    """The SQL of a run is not there any more."""


@dataclass(frozen=True, order=True)
class Origin:
    """A column of a raw table; `column` is empty where it is the rows themselves that tell."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True)
class Way:
    """Where a column comes from: the models on the way, the nearest first, and the raw columns, in order of name."""

    models: tuple[str, ...]
    origins: tuple[Origin, ...]


class Lineage:
    """The models of a run, by name. Raises NotKept when their SQL is not kept."""

    def __init__(self, settings: Settings, run_id: str) -> None:
        folder = settings.home / "runs" / run_id / "dbt" / "compiled"
        self._files: Mapping[str, Path] = {path.stem: path for path in sorted(folder.glob("*/models/**/*.sql"))}
        if not self._files:
            raise NotKept(
                f"run {run_id}: the SQL that built it is not kept here: trace on the machine that built it,"
                " or build the run again."
            )
        self._models: dict[str, _Model] = {}

    def of(self, model: str, column: str) -> Way:
        """Where a column of a model comes from. Raises Failure when the model has no such column."""
        seen: dict[tuple[str, str], None] = {}
        origins: set[Origin] = set()
        due = [(model, column)]
        while due:
            one = due.pop(0)
            if one in seen:
                continue
            seen[one] = None
            for schema, table, name in self._model(one[0]).parents(one[1], self):
                if schema.startswith(_RAW):
                    origins.add(Origin(schema, table, "" if _is_key(name) else name))
                elif schema.startswith(_CANDIDATE) and table in self._files:
                    due.append((table, name))
        whole = {origin.table for origin in origins if origin.column}
        kept = {origin for origin in origins if origin.column or origin.table not in whole}
        return Way(tuple(dict.fromkeys(name for name, _ in seen)), tuple(sorted(kept)))

    def behind(self, model: str, literal: str) -> Way:
        """The models and raw tables behind those parts of a union that name a literal; behind all if none does."""
        due = sorted(self._model(model).tables(literal))
        models, origins = {model: None}, set[Origin]()
        while due:
            schema, table = due.pop(0)
            if schema.startswith(_RAW):
                origins.add(Origin(schema, table, ""))
            elif table in self._files and schema.startswith(_CANDIDATE) and table not in models:
                models[table] = None
                due += sorted(self._model(table).tables())
        return Way(tuple(models), tuple(sorted(origins)))

    def _model(self, name: str) -> "_Model":
        if name not in self._files:
            raise Failure(f"{name}: the run built no such model.")
        if name not in self._models:
            self._models[name] = _Model(self._files[name].read_text(encoding="utf-8"))
        return self._models[name]

    def columns(self, table: str) -> list[str]:
        """The columns of a model, in order; none of a table that is no model."""
        return self._model(table).names(self) if table in self._files else []

    def has(self, table: str, column: str) -> bool:
        """Whether a table has a column, as far as the models tell; raw tables are taken at their word."""
        return table not in self._files or column in self.columns(table)


Leaf = tuple[str, str, str]


class _Model:
    """One model's query."""

    def __init__(self, text: str) -> None:
        parsed = sqlglot.parse_one(text, dialect="postgres")
        if not isinstance(parsed, exp.Query):
            raise TypeError("a model is a query")
        self._query = parsed
        self._columns: list[str] | None = None

    @cached_property
    def _ctes(self) -> Mapping[str, exp.Expr]:
        return {cte.alias: cte.this for cte in self._query.find_all(exp.CTE)}

    def names(self, lineage: Lineage) -> list[str]:
        """The columns of the model, in order."""
        if self._columns is None:
            self._columns = list(self._names(self._query, lineage))
        return self._columns

    def _names(self, query: exp.Expr, lineage: Lineage) -> Iterator[str]:
        query = _plain(query)
        if isinstance(query, exp.SetOperation):
            yield from self._names(query.left, lineage)
            return
        for projection in query.selects:
            if _is_star(projection):
                for alias in [projection.table] if isinstance(projection, exp.Column) else list(_relations(query)):
                    yield from self._columns_of(_relations(query)[alias][0], lineage)
            else:
                yield projection.alias_or_name

    def _columns_of(self, relation: exp.Expr, lineage: Lineage) -> Iterator[str]:
        if isinstance(relation, exp.Table):
            if relation.name in self._ctes and not relation.db:
                yield from self._names(self._ctes[relation.name], lineage)
            else:
                yield from lineage.columns(relation.name)
        elif isinstance(relation, exp.Subquery):
            yield from self._names(relation.this, lineage)

    def tables(self, literal: str | None = None) -> set[tuple[str, str]]:
        """The tables, as schema and name, that the model reads, or those parts of its union that name a literal."""
        parts = [(part, self._within(part)) for part in _branches(self._query)]
        naming = [
            (part, within)
            for part, within in parts
            if any(one.is_string and one.name == literal for node in within for one in node.find_all(exp.Literal))
        ]
        return {
            (table.db, table.name)
            for _, within in naming or parts
            for node in within
            for table in node.find_all(exp.Table)
            if table.db
        }

    def _within(self, query: exp.Expr) -> list[exp.Expr]:
        """A part of the query, and the named queries that it reads, however deep."""
        found, due = [query], [query]
        while due:
            for table in due.pop().find_all(exp.Table):
                inner = self._ctes.get(table.name) if not table.db else None
                if inner is not None and not any(inner is one for one in found):
                    found.append(inner)
                    due.append(inner)
        return found

    def parents(self, column: str, lineage: Lineage) -> set[Leaf]:
        """The columns of other tables that a column of the model is made of: schema, table, column."""
        return set(_Walk(self._ctes, lineage).column(self._query, column))


class _Walk:
    """One walk through a query, which goes nowhere twice."""

    def __init__(self, ctes: Mapping[str, exp.Expr], lineage: Lineage) -> None:
        self._ctes, self._lineage = ctes, lineage
        self._been: set[tuple[int, str]] = set()

    def column(self, query: exp.Expr, name: str) -> Iterator[Leaf]:
        query = _plain(query)
        if (id(query), name) in self._been:
            return
        self._been.add((id(query), name))
        if isinstance(query, exp.SetOperation):
            yield from self.column(query.left, name)
            left = _plain(query.left).named_selects
            right = _plain(query.right)
            place = left.index(name) if name in left else None
            yield from self.column(query.right, name if place is None else right.named_selects[place])
            return
        for projection in query.selects:
            if not _is_star(projection) and projection.alias_or_name == name:
                yield from self._expression(projection, asked=name)
                return
        for projection in query.selects:
            if _is_star(projection):
                of = projection.table if isinstance(projection, exp.Column) else ""
                for alias, (relation, _) in _relations(query).items():
                    if of in ("", alias):
                        yield from self._relation(relation, name)

    def _expression(self, expression: exp.Expr, asked: str) -> Iterator[Leaf]:
        columns = [one for one in expression.find_all(exp.Column) if not isinstance(one.this, exp.Star)]
        telling = [one for one in columns if one.name not in KEYS]
        if asked in KEYS and not telling:
            telling = columns
        for one in telling:
            yield from self._named(one)
        for one in columns:
            # Whether there is such a row, and nothing that it says.
            if one not in telling and (not telling or one.find_ancestor(exp.Is)):
                yield from self._rows_of(one)
        select = expression.parent_select
        if not columns and select is not None:
            for relation, _ in _relations(select).values():
                yield from self._rows(relation)

    def _named(self, column: exp.Column) -> Iterator[Leaf]:
        """What a column means where it stands: that of its relation, and what the relation was joined on."""
        found = _find(column)
        if found is None:
            return
        relation, condition, alias = found
        yield from self._relation(relation, column.name)
        if isinstance(relation, exp.Table) and relation.db == _IDENTITY and condition is not None:
            # Who a row is about is told beside it: the row is what is asked for.
            for other in condition.find_all(exp.Column):
                if other.table != alias:
                    yield from self._rows_of(other)
        key = (id(condition), f"on {alias}")
        if condition is None or key in self._been:
            return
        self._been.add(key)
        for other in condition.find_all(exp.Column):
            if other.table != alias and other.name not in KEYS:
                yield from self._named(other)

    def _rows_of(self, column: exp.Column) -> Iterator[Leaf]:
        found = _find(column)
        if found is not None:
            yield from self._rows(found[0])

    def _rows(self, relation: exp.Expr) -> Iterator[Leaf]:
        """A relation's rows, by a column that every row of it has."""
        if isinstance(relation, exp.Table) and relation.name in self._ctes and not relation.db:
            names = _plain(self._ctes[relation.name]).named_selects
            yield from self.column(self._ctes[relation.name], "person_id" if "person_id" in names else names[0])
        elif isinstance(relation, exp.Table):
            own = self._lineage.columns(relation.name)
            yield relation.db, relation.name, own[0] if own and "person_id" not in own else "person_id"

    def _relation(self, relation: exp.Expr, name: str) -> Iterator[Leaf]:
        if isinstance(relation, exp.Table):
            if relation.name in self._ctes and not relation.db:
                yield from self.column(self._ctes[relation.name], name)
            elif self._lineage.has(relation.name, name):
                yield relation.db, relation.name, name
        elif isinstance(relation, exp.Subquery):
            yield from self.column(relation.this, name)
        else:  # a function of other columns
            for one in relation.find_all(exp.Column):
                yield from self._named(one)


def _branches(query: exp.Expr) -> Iterator[exp.Expr]:
    """The selects of a union, without the named queries before it."""
    plain = _plain(query)
    if isinstance(plain, exp.SetOperation):
        yield from _branches(plain.left)
        yield from _branches(plain.right)
        return
    bare = plain.copy()
    bare.set("with_", None)
    bare.set("with", None)
    yield bare


def _plain(query: exp.Expr) -> exp.Query:
    while isinstance(query, exp.Subquery | exp.Paren):
        query = query.this
    if not isinstance(query, exp.Query):
        raise TypeError("not a query")
    return query


def _is_star(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Star) or (
        isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
    )


def _relations(select: exp.Expr) -> dict[str, tuple[exp.Expr, exp.Expr | None]]:
    """The relations of a select by alias, each with the condition that it was joined on."""
    found: dict[str, tuple[exp.Expr, exp.Expr | None]] = {}
    source = select.args.get("from_") or select.args.get("from")
    if source is not None:
        found[source.this.alias_or_name] = (source.this, None)
    for join in select.args.get("joins") or ():
        found[join.this.alias_or_name] = (join.this, join.args.get("on"))
    for lateral in select.args.get("laterals") or ():
        found[lateral.alias_or_name] = (lateral, None)
    return found


def _find(column: exp.Column) -> tuple[exp.Expr, exp.Expr | None, str] | None:
    """The relation that a column is of, in its own select or in one around it."""
    select = column.parent_select
    while select is not None:
        relations = _relations(select)
        if column.table in relations:
            return *relations[column.table], column.table
        if not column.table and len(relations) == 1:
            [(alias, (relation, condition))] = relations.items()
            return relation, condition, alias
        select = select.parent_select
    return None
