"""Numbered SQL files, each applied once, in order, and never changed afterwards."""

import hashlib
from importlib import resources

import psycopg

from send_returns.failure import Failure
from send_returns.settings import Settings
from send_returns.warehouse.connections import connect

LOCK = 0x5E4D0001


class MigrationError(Failure):
    """A migration cannot be applied: it has been edited since it was, or its user may not do what is in it."""


def migrate(settings: Settings) -> list[str]:
    """Bring the warehouse to this version's tables; returns the names of the migrations applied now."""
    # The raw tables follow the contracts, which the landing room reads; it in turn needs this package's connections.
    from send_returns.landing import ensure_raw_tables

    with connect(settings, purpose="send-returns migrate") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        applied = _apply(connection)
        ensure_raw_tables(connection, settings.changes)
    return applied


def _apply(connection: psycopg.Connection) -> list[str]:
    connection.execute("create schema if not exists warehouse")
    connection.execute(
        "create table if not exists warehouse.migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    known: dict[str, str] = dict(connection.execute("select name, sha256 from warehouse.migration").fetchall())
    applied = []
    folder = resources.files("send_returns.warehouse") / "migrations"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        text = file.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if file.name in known:
            if known[file.name] != digest:
                raise MigrationError(f"Migration {file.name} was changed after it was applied: add a new file instead.")
            continue
        try:
            connection.execute(text.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationError(
                f"Migration {file.name}: {connection.info.user} has not the right to it. Roles that it may not make,"
                " somebody else must make and grant to it (with set true): docs/decisions/0017 names them."
            ) from error
        connection.execute("insert into warehouse.migration (name, sha256) values (%s, %s)", [file.name, digest])
        applied.append(file.name)
    return applied
