"""Archived files that hold a person: a copy without their rows takes the place, where it is certain that it can.

Else the file is removed whole. Either is for good, is noted at the delivery, and is done again when the same bytes come
again.
"""

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from send_returns import feeds
from send_returns.landing.archive import UNPACKING
from send_returns.landing.completeness import MANIFESTS
from send_returns.rights import canary
from send_returns.rights.holdings import holdings
from send_returns.rights.identifiers import Known, identifiers
from send_returns.settings import Settings

# What may be a UPN, or a number of ten digits, in text of any form, in lower case.
_MAY_BE_ONE = re.compile(rb"(?<![0-9a-z])(?:[a-z][0-9]{11}[0-9a-z]|[0-9](?:[ -]?[0-9]){9})(?![0-9a-z])")


def withhold(settings: Settings, connection: psycopg.Connection) -> int:
    """Put copies in the place of the files of every delivery that has a row in `child_row`, or mark them as removed.

    Before the rows are removed: they say which records of the files are meant. Returns how many files are affected.
    """
    known = {feed.id: feed for feed in feeds.feeds(changes=settings.changes)}
    affected = connection.execute(
        # Several readings have the same files: what is done for one is done for all.
        "select distinct on (feed, content_sha256) delivery_id, feed, name, removal_id from child_row"
        " inner join landing.delivery using (delivery_id) order by feed, content_sha256, delivery_id, removal_id"
    ).fetchall()
    count = 0
    for delivery, feed, name, removal_id in affected:
        files = {
            sha256: (file_name, kept_as)
            for file_name, sha256, kept_as in connection.execute(
                "select file_name, sha256, kept_as from landing.delivery_file"
                " where delivery_id = %s and (removed_by is null or kept_as is not null)"
                " and file_name <> all(%s) order by file_name",
                [delivery, list(MANIFESTS)],
            )
        }
        copies = _copies(settings, connection, delivery, known.get(feed), name, files)
        for sha256 in files if copies is None else copies:
            _keep_as(connection, removal_id, sha256, copies[sha256] if copies else None)
            count += 1
    return count


def _copies(
    settings: Settings,
    connection: psycopg.Connection,
    delivery: int,
    feed: feeds.Feed | None,
    name: str,
    files: Mapping[str, tuple[str, str | None]],
) -> dict[str, str] | None:
    """The hash of a copy, in the archive, of each file that has rows to leave out; None where none can be made."""
    if feed is None:
        return None
    archive = settings.folder("archive")
    with tempfile.TemporaryDirectory(dir=settings.folder(UNPACKING)) as folder:
        try:
            sources = {
                sha256: feeds.examine(archive / (kept_as or sha256), file_name)
                for sha256, (file_name, kept_as) in files.items()
            }
            originals = {source.sha256: sha256 for sha256, source in sources.items()}
            gone = _gone(connection, delivery, as_they_lie=any(source.is_xml for source in sources.values()))
            made = feeds.copies(feed, name, list(sources.values()), gone, Path(folder))
        except (OSError, feeds.NotRedactable):
            return None
        kept = {}
        for sha256, path in made.items():
            copy = feeds.examine(path).sha256
            path.chmod(0o400)
            shutil.move(path, archive / copy)
            kept[originals[sha256]] = copy
    return kept


def _gone(connection: psycopg.Connection, delivery: int, *, as_they_lie: bool) -> feeds.Rows:
    """The rows to leave out, by table. `as_they_lie`: numbered among those that are still there, the first being 2."""
    rows: dict[str, set[int]] = defaultdict(set)
    for raw, number in connection.execute(
        "select raw, row_number from child_row where delivery_id = %s", [delivery]
    ).fetchall():
        rows[raw].add(number)
    if not as_they_lie:
        return {holdings()[raw].table: numbers for raw, numbers in rows.items()}
    placed: dict[str, set[int]] = {}
    for raw, numbers in rows.items():
        holding = holdings()[raw]
        there = connection.execute(
            sql.SQL(
                "select _row_number from {} where _delivery_id = %(d)s union select row_number from landing.quarantine"
                " where delivery_id = %(d)s and table_name = %(t)s order by 1"
            ).format(sql.Identifier(holding.schema, raw)),
            {"d": delivery, "t": holding.table},
        ).fetchall()
        placed[holding.table] = {at for at, (number,) in enumerate(there, start=2) if number in numbers}
    return placed


def _keep_as(connection: psycopg.Connection, removal_id: int, sha256: str, copy: str | None) -> None:
    """Note by what a file was removed and what stands in its place; what stood there before is to be deleted."""
    connection.execute(
        "insert into rights.discarded select distinct kept_as, %s::bigint from landing.delivery_file"
        " where sha256 = %s and kept_as <> coalesce(%s, '') on conflict do nothing",
        [removal_id, sha256, copy],
    )
    connection.execute(
        "update landing.delivery_file set removed_by = coalesce(removed_by, %s), kept_as = %s where sha256 = %s",
        [removal_id, copy, sha256],
    )


def withhold_files(connection: psycopg.Connection, removal_id: int, files: Iterable[str]) -> int:
    """Mark what still stands in the archive, by its hash, as removed; returns how many files that were."""
    standing = connection.execute(
        "select distinct sha256 from landing.delivery_file"
        " where sha256 = any(%(f)s) and removed_by is null or kept_as = any(%(f)s)",
        {"f": list(files)},
    ).fetchall()
    for (sha256,) in standing:
        _keep_as(connection, removal_id, sha256, None)
    return len(standing)


def sweep(settings: Settings, connection: psycopg.Connection) -> None:
    """Delete from the archive what is marked, also where it has come again since."""
    for (sha256,) in connection.execute(
        "select sha256 from landing.delivery_file where removed_by is not null"
        " union select sha256 from rights.discarded"
    ):
        (settings.folder("archive") / sha256).unlink(missing_ok=True)


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
