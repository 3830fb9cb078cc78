"""Who may see what: releases are for all who work on them, children for those whom Postgres lets."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.publication import drafting, publishing
from send_returns.releases import register
from send_returns.releases.acting import acting
from send_returns.releases.register import Release
from send_returns.returns import pack
from send_returns.returns.csv_cells import unguarded
from send_returns.settings import Settings

Row = dict[str, Any]
Params = Sequence[object] | Mapping[str, object]
# What a trace of a child reads; whoever may read these may know which child it is.
OF_CHILDREN = ("identity.link", "landing.delivery", "audit.finding", "audit.run_delivery")


class NotAllowed(Failure):
    """The user of the database may not see children."""


def may(connection: psycopg.Connection, table: str) -> bool:
    """Whether the user of the connection may read all of a table."""
    ((granted,),) = connection.execute(
        "select has_schema_privilege(relnamespace, 'usage') and has_table_privilege(c.oid, 'select') from pg_class as c"
        " inner join pg_namespace as n on n.oid = relnamespace where nspname || '.' || relname = %s",
        [table],
    ).fetchall() or [(False,)]
    return bool(granted)


def require(connection: psycopg.Connection, what: str, tables: Sequence[str] = OF_CHILDREN) -> None:
    """Raise NotAllowed unless the user of the connection may read these tables."""
    for table in tables:
        if not may(connection, table):
            raise NotAllowed(
                f"{connection.info.user} may not see {what}: {table} is not for this user. Without it there are counts:"
                " `send-returns diff` and `send-returns release show`."
            )


def find(connection: psycopg.Connection, release_id: str, partnership: str) -> Release:
    """A release of the partnership. Raises Failure when there is none of that id."""
    release = register.find(connection, release_id)
    if release.partnership != partnership:
        raise Failure(f"{release_id} is of another partnership: set SEND_RETURNS_PARTNERSHIP to trace it.")
    return release


def is_live(connection: psycopg.Connection, release: Release) -> bool:
    """Whether the run of a release is the one whose marts and returns are there to be read."""
    live = ask_as_reader(connection, "select run_id from audit.live where partnership = %s", [release.partnership])
    return live == [{"run_id": release.run_id}]


def file_of(settings: Settings, connection: psycopg.Connection, release: Release, name: str, output: Path) -> Path:
    """A file of a release, in its published pack or its draft, proved to be the one that was put forward.

    Raises Failure when it is in neither, or is another.
    """
    known = {file.name: file.sha256 for file in register.files(connection, release)}
    if name not in known:
        raise Failure(f"{release.release_id} has no file {name}: `send-returns release show` lists its files.")
    for folder in (publishing.place(output, release), drafting.folder(settings, release)):
        path = folder / name
        if path.is_file():
            if pack.digest(path) != known[name]:
                raise Failure(f"{path} is not the file that was released: its SHA-256 differs. Put the pack back.")
            return path
    raise Failure(f"The pack of {release.release_id} is not in {output}: give the folder of packs with --output.")


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a list, by heading; what was put before a text that looks like a formula is taken off again."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: unguarded(cell) for name, cell in row.items()}


def ask_as_reader(connection: psycopg.Connection, query: str, values: Params) -> list[Row]:
    """The rows of a query, asked as one who reads releases, whoever the user of the connection is."""
    with acting(connection, "release_reader"):
        return warehouse.ask(connection, query, values)


def with_names(connection: psycopg.Connection, found: Sequence[Row]) -> list[Row]:
    """The rows with what each delivery is called as `delivery`, for those who may know: it can name a child."""
    names: dict[int, str] = {}
    if may(connection, "landing.delivery"):
        names = dict(
            connection.execute(
                "select delivery_id, name from landing.delivery where delivery_id = any(%s)",
                [[row["delivery_id"] for row in found]],
            ).fetchall()
        )
    return [{**row, "delivery": names.get(row["delivery_id"], "")} for row in found]


def pack_in(output: Path, release: Release) -> Path | None:
    """The pack of a release in a folder of packs, if it is there as it was released, and may be read."""
    folder = publishing.place(output, release)
    try:
        return folder if pack.is_there(folder, release.pack_sha256) else None
    except PermissionError:
        return None
