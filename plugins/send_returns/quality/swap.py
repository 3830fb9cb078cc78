"""The swap: what passed becomes what readers see, all of it at one instant, or none of it."""

import random
import time

import psycopg
from psycopg import sql

from send_returns import clock
from send_returns.quality.failures import SwapError
from send_returns.settings import Settings
from send_returns.warehouse import connect

# live schema -> the role that may read it
READERS = {"marts": "marts_reader", "returns": "returns_reader"}
# Of the marts this one reads figures and dimensions, and neither cases nor children.
FIGURES_READER = "figures_reader"
CANDIDATE, RETIRED = "candidate_", "retired_"
# A view for each fact, with the columns of its dimensions beside its own, for BI tools that do not join.
STARS = "stars"
# Below Postgres' deadlock timeout of one second: this side gives up first, so that a reader is never the victim.
LOCK_MILLISECONDS = 200
PATIENCE_SECONDS = 120.0


def swap(settings: Settings, run_id: str, patience: float = PATIENCE_SECONDS) -> None:
    """Rename the candidate schemas to the live ones, let their readers in, and point `audit.live` at the run.

    Readers of the old tables are waited for, up to `patience` seconds; readers who come meanwhile find the new ones.
    Raises SwapError.
    """
    deadline = clock.monotonic() + patience
    with connect(settings, purpose="send-returns swap") as connection:
        while True:
            try:
                with connection.transaction():
                    _exchange(connection, run_id)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if clock.monotonic() > deadline:
                    raise SwapError(
                        f"A reader has kept marts or returns locked for {patience:.0f} seconds: "
                        "end that session (pg_stat_activity names it), then run the gate again."
                    ) from error
                time.sleep(random.uniform(0.05, 0.25))  # noqa: S311
        _drop_retired(connection)


def _exchange(connection: psycopg.Connection, run_id: str) -> None:
    connection.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_MILLISECONDS))
    for live in READERS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(CANDIDATE + live)))
    # A reader in the middle of a query holds its tables; one that is about to start waits here and then looks the names
    # up again. Without these locks a query could take one table from before the rename and the next from after it.
    live_tables = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v') order by 1, 2",
        [[*READERS, STARS]],
    ).fetchall()
    if live_tables:
        names = sql.SQL(", ").join(sql.Identifier(schema, table) for schema, table in live_tables)
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
    _bring_over(connection)
    _refuse_views(connection)
    for live, reader in READERS.items():
        new, old = sql.Identifier(CANDIDATE + live), sql.Identifier(RETIRED + live)
        name, role = sql.Identifier(live), sql.Identifier(reader)
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(old))
        if connection.execute("select to_regnamespace(%s)", [live]).fetchone() != (None,):
            connection.execute(sql.SQL("alter schema {} rename to {}").format(name, old))
        connection.execute(sql.SQL("alter schema {} rename to {}").format(new, name))
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(name, role))
        connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(name, role))
        _let_connect(connection, reader)
    _let_read_figures(connection)
    _make_stars(connection)
    connection.execute("update audit.run set status = 'passed' where run_id = %s", [run_id])
    # Without this no release of the run gets beyond a draft. The database refuses it where a rule blocks or none ran.
    connection.execute(
        "insert into audit.gate_pass (run_id, inputs_sha256) select run_id, manifest_sha256 from audit.run"
        " where run_id = %s on conflict do nothing",
        [run_id],
    )
    connection.execute(
        "insert into audit.live (partnership, run_id) select partnership, run_id from audit.run where run_id = %s"
        " on conflict (partnership) do update set run_id = excluded.run_id",
        [run_id],
    )


def _bring_over(connection: psycopg.Connection) -> None:
    """Move the tables that the build kept, for which views stand, from among the live ones to the candidates.

    What they refer to is told anew: their dimensions are other tables now.
    """
    kept = connection.execute(
        "select live.nspname, c.relname from audit.built join pg_class c on c.oid = relation"
        " join pg_namespace live on live.oid = c.relnamespace"
        " join pg_class v on v.relname = c.relname and v.relkind = 'v' and v.relnamespace ="
        " to_regnamespace(%s || live.nspname) where live.nspname = any(%s) order by 1, 2",
        [CANDIDATE, list(READERS)],
    ).fetchall()
    for live, table in kept:
        candidate = sql.Identifier(CANDIDATE + live, table)
        connection.execute(sql.SQL("drop view {}").format(candidate))
        connection.execute(
            sql.SQL("alter table {} set schema {}").format(
                sql.Identifier(live, table), sql.Identifier(CANDIDATE + live)
            )
        )
        for name, column, schema, dimension in connection.execute(
            "select k.conname, a.attname, d.relnamespace::regnamespace::text, d.relname from pg_constraint k"
            " join pg_class d on d.oid = k.confrelid"
            " join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]"
            " where k.contype = 'f' and k.conrelid = %s::regclass order by 1",
            [f"{CANDIDATE}{live}.{table}"],
        ).fetchall():
            connection.execute(
                sql.SQL(
                    "alter table {table} drop constraint {name}, add foreign key ({column}) references {dimension}"
                    " not enforced"
                ).format(
                    table=candidate,
                    name=sql.Identifier(name),
                    column=sql.Identifier(column),
                    dimension=sql.Identifier(CANDIDATE + schema.removeprefix(CANDIDATE), dimension),
                )
            )


def _let_read_figures(connection: psycopg.Connection) -> None:
    """Let `FIGURES_READER` read the live marts that are counts already, and what they are divided by."""
    role = sql.Identifier(FIGURES_READER)
    tables = connection.execute(
        "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind = 'r'"
        " and (relname like 'mart\\_%' or relname like 'dim\\_%') and not exists (select from pg_attribute"
        " where attrelid = pg_class.oid and attname = 'child_key' and not attisdropped) order by 1"
    ).fetchall()
    connection.execute(sql.SQL("grant usage on schema marts to {}").format(role))
    for (table,) in tables:
        connection.execute(sql.SQL("grant select on {} to {}").format(sql.Identifier("marts", table), role))
    _let_connect(connection, FIGURES_READER)


def _let_connect(connection: psycopg.Connection, reader: str) -> None:
    """Let a role into the database, which is closed to all but its owner where we made it."""
    [(name, may)] = connection.execute(
        "select current_database(), has_database_privilege(%s, current_database(), 'connect')", [reader]
    ).fetchall()
    if not may:
        connection.execute(
            sql.SQL("grant connect on database {} to {}").format(sql.Identifier(name), sql.Identifier(reader))
        )


def _make_stars(connection: psycopg.Connection) -> None:
    """Make the views of `STARS` anew, from the foreign keys of the marts; a column's comment comes with it."""
    stars = sql.Identifier(STARS)
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(stars))
    connection.execute(sql.SQL("create schema {}").format(stars))
    tables: dict[str, dict[str, str | None]] = {}
    for table, column, comment in connection.execute(
        "select c.relname, a.attname, col_description(c.oid, a.attnum) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'marts'::regnamespace and c.relkind = 'r' order by 1, a.attnum"
    ):
        tables.setdefault(table, {})[column] = comment
    joined: dict[str, list[tuple[str, str]]] = {}
    for fact, dimension, key in connection.execute(
        "select fact.relname, dimension.relname, a.attname from pg_constraint as reference"
        " join pg_class as fact on reference.conrelid = fact.oid"
        " join pg_class as dimension on reference.confrelid = dimension.oid"
        " join pg_attribute as a on a.attrelid = fact.oid and a.attnum = reference.conkey[1]"
        " where reference.contype = 'f' and reference.connamespace = 'marts'::regnamespace order by 1, 2, 3"
    ):
        joined.setdefault(fact, []).append((dimension, key))
    for fact, dimensions in joined.items():
        _make_star(connection, fact, dimensions, tables)
    reader = sql.Identifier(READERS["marts"])
    connection.execute(sql.SQL("grant usage on schema {} to {}").format(stars, reader))
    connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(stars, reader))


def _make_star(
    connection: psycopg.Connection,
    fact: str,
    dimensions: list[tuple[str, str]],
    tables: dict[str, dict[str, str | None]],
) -> None:
    """A view of a fact with the columns of its dimensions. One that the fact or an earlier dimension has comes once."""
    taken = {column: (fact, comment) for column, comment in tables[fact].items()}
    join = sql.Composed([])
    for dimension, key in dimensions:
        taken |= {column: (dimension, comment) for column, comment in tables[dimension].items() if column not in taken}
        join += sql.SQL(" left join marts.{table} on {fact}.{key} = {table}.{key}").format(
            table=sql.Identifier(dimension), fact=sql.Identifier(fact), key=sql.Identifier(key)
        )
    view = sql.Identifier(STARS, fact)
    columns = sql.SQL(", ").join(sql.Identifier(table, column) for column, (table, _) in taken.items())
    connection.execute(
        sql.SQL("create view {} as select {} from marts.{}").format(view, columns, sql.Identifier(fact)) + join
    )
    comments = [
        sql.SQL("comment on column {} is {}").format(sql.Identifier(STARS, fact, column), sql.Literal(comment))
        for column, (_, comment) in taken.items()
    ]
    connection.execute(sql.SQL("; ").join(comments))


def _refuse_views(connection: psycopg.Connection) -> None:
    """A view would go on reading candidate tables after the swap, and be dropped with them by the next build."""
    view = connection.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and c.relkind = 'v' order by 1 limit 1",
        [[CANDIDATE + live for live in READERS]],
    ).fetchone()
    if view:
        raise SwapError(f"{view[0]} is a view: materialise it as a table in dbt_project.yml, then build again.")


def _drop_retired(connection: psycopg.Connection) -> None:
    """Drop what was live. If somebody still reads it, the next swap does."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_MILLISECONDS))
            for live in READERS:
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(RETIRED + live)))
    except psycopg.errors.LockNotAvailable:
        return
