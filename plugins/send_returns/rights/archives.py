"""Archived files that hold a child: removed whole, for good, and the delivery remembers it.

A redacted copy would no longer be what arrived; rows of the other children stay in the raw tables.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import psycopg

from send_returns.rights import canary
from send_returns.rights.identifiers import Known, identifiers
from send_returns.settings import Settings

# What may be a UPN, or a number of ten digits, in text of any form, in lower case.
_MAY_BE_ONE = re.compile(rb"(?<![0-9a-z])(?:[a-z][0-9]{11}[0-9a-z]|[0-9](?:[ -]?[0-9]){9})(?![0-9a-z])")


def withhold(connection: psycopg.Connection) -> int:
    """Mark the files of every delivery that has a row in `child_row`; returns how many there are."""
    return connection.execute(
        "update landing.delivery_file set removed_by = gone.removal_id"
        " from (select sha256, min(removal_id) as removal_id from landing.delivery_file"
        " inner join child_row using (delivery_id) group by 1) as gone"
        " where gone.sha256 = delivery_file.sha256 and removed_by is null"
    ).rowcount


def withhold_files(connection: psycopg.Connection, removal_id: int, files: Iterable[str]) -> int:
    """Mark files by their hashes; returns how many were not marked before."""
    return connection.execute(
        "update landing.delivery_file set removed_by = %s where sha256 = any(%s) and removed_by is null",
        [removal_id, list(files)],
    ).rowcount


def sweep(settings: Settings, connection: psycopg.Connection) -> int:
    """Remove what is marked from the archive, also where it has come again since; returns how many files that were."""
    marked = connection.execute("select distinct sha256 from landing.delivery_file where removed_by is not null")
    removed = 0
    for (sha256,) in marked:
        path = settings.folder("archive") / sha256
        if path.exists():
            path.unlink()
            removed += 1
    return removed


def holding(settings: Settings, needles: Iterable[str]) -> Iterator[Path]:
    """Archived files that hold any of the values, or cannot be looked into: who could say that those do not?"""
    wanted = tuple(needles)
    for path in sorted(settings.folder("archive").iterdir()):
        try:
            if wanted and canary.holds(path, wanted):
                yield path
        except canary.Opaque:
            yield path


def withhold_named(settings: Settings, connection: psycopg.Connection, deliveries: Iterable[int], known: Known) -> None:
    """Mark the files of deliveries without rows, refused or the same as another, that name a known person."""
    files = connection.execute(
        "select distinct sha256 from landing.delivery_file where delivery_id = any(%s)", [list(deliveries)]
    ).fetchall()
    for (sha256,) in files:
        if (removal_id := _naming(settings.folder("archive") / sha256, known)) is not None:
            withhold_files(connection, removal_id, [sha256])


def _naming(path: Path, known: Known) -> int | None:
    """The removal of somebody whose UPN, ULN or NHS number is in a file, in whatever form; None: of nobody."""
    found: set[bytes] = set()
    try:
        with path.open("rb") as file:
            for block in canary.blocks(file):
                found.update(_MAY_BE_ONE.findall(block), _MAY_BE_ONE.findall(block.replace(b"\0", b"")))
    except (canary.Opaque, FileNotFoundError):
        return None
    cells = pl.Series("upn", [cell.decode() for cell in sorted(found)], dtype=pl.String)
    asked = identifiers(cells.to_frame().with_columns(pl.col("upn").alias(name) for name in ("uln", "nhs_number")))
    return min(known(asked.rows()).values(), default=None)
