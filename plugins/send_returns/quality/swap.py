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
CANDIDATE, RETIRED = "candidate_", "retired_"
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
    _refuse_views(connection)
    # A reader in the middle of a query holds its tables; one that is about to start waits here and then looks the names
    # up again. Without these locks a query could take one table from before the rename and the next from after it.
    live_tables = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = any(%s) and c.relkind in ('r', 'p') order by 1, 2",
        [list(READERS)],
    ).fetchall()
    if live_tables:
        names = sql.SQL(", ").join(sql.Identifier(schema, table) for schema, table in live_tables)
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
    for live, reader in READERS.items():
        new, old = sql.Identifier(CANDIDATE + live), sql.Identifier(RETIRED + live)
        name, role = sql.Identifier(live), sql.Identifier(reader)
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(old))
        if connection.execute("select to_regnamespace(%s)", [live]).fetchone() != (None,):
            connection.execute(sql.SQL("alter schema {} rename to {}").format(name, old))
        connection.execute(sql.SQL("alter schema {} rename to {}").format(new, name))
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(name, role))
        connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(name, role))
    connection.execute("update audit.run set status = 'passed' where run_id = %s", [run_id])
    connection.execute(
        "insert into audit.live (partnership, run_id) select partnership, run_id from audit.run where run_id = %s"
        " on conflict (partnership) do update set run_id = excluded.run_id",
        [run_id],
    )


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
