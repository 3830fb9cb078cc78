"""Looks for values in every store that this installation keeps: whoever says that something is gone has to show it.

Every row of every table of the warehouse and of Airflow's database, what the server's planner sampled of them, and
every file below the home, inside zips and workbooks too. The server's own files are read through the server.
"""

import bz2
import gzip
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from send_returns import warehouse
from send_returns.feeds.source import START_BYTES, container_of
from send_returns.settings import Settings
from send_returns.warehouse.embedded import AIRFLOW

BLOCK_BYTES = 8 << 20
# Longer than any value that is looked for, so that none is cut in two between blocks.
OVERLAP_BYTES = 1 << 10
# A shorter value counts only where no letter or digit stands beside it: else it would be found within longer numbers.
LONG = 10
# Landing refuses zips within zips; in deeper ones nobody looks.
MOST_DEEP = 3
# What a file unpacks to; landing refuses what is more.
MOST_BYTES = 4 << 30
# Below home: the server's files, and what a demonstration's suppliers hold, which is theirs.
NOT_OURS = ("postgres", "simulated")
_UNPACKED: dict[str, Callable[[IO[bytes]], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
_DAMAGED = (EOFError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError, zlib.error,
            lzma.LZMAError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a value was found. `store`: warehouse, airflow, or a folder below home; `count`: rows, or 1 for a file."""

    store: str
    place: str
    count: int


class Opaque(Exception):
    """A file that cannot be looked into: encrypted, damaged, or of a kind that is not opened."""


def search(settings: Settings, needles: Iterable[str], folders: Sequence[Path] = ()) -> list[Hit]:
    """Every place that holds any of the values, whatever the case of their letters. `folders`: others, such as output.

    Takes as long as reading the whole warehouse once.
    """
    wanted = tuple(needles)
    return [*_in_databases(settings, wanted), *_in_files(settings, wanted, folders)] if wanted else []


def _in_databases(settings: Settings, needles: Sequence[str]) -> Iterator[Hit]:
    pattern = _pattern(needles)
    with closing(_connection(settings, None)) as connection:
        named = connection.execute("select 1 from pg_database where datname = %s", [AIRFLOW]).fetchone()
    for store, name in (("warehouse", None), *([("airflow", AIRFLOW)] if named else [])):
        with closing(_connection(settings, name)) as connection:
            for place, rows in _relations(connection):
                query = sql.SQL("select count(*) from {} as t where lower(t::text) ~ %s").format(rows)
                ((count,),) = connection.execute(query, [pattern]).fetchall()
                if count:
                    yield Hit(store, place, count)


def _connection(settings: Settings, database: str | None) -> psycopg.Connection:
    at = warehouse.address(settings, database)
    return psycopg.connect(
        host=at.host,
        port=at.port,
        user=at.user,
        password=at.password,
        dbname=at.database,
        autocommit=True,
        application_name="send-returns canary",
    )


def _relations(connection: psycopg.Connection) -> list[tuple[str, sql.Composable]]:
    """Everything that stores rows, and the sample of values that ANALYZE keeps of it."""
    tables = connection.execute(
        "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
        " where relkind in ('r', 'm') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
        " and nspname not like 'pg\\_temp%' order by 1, 2"
    ).fetchall()
    return [
        *((f"{schema}.{table}", sql.Identifier(schema, table)) for schema, table in tables),
        ("pg_catalog.pg_stats", sql.SQL("pg_catalog.pg_stats")),
    ]


def _in_files(settings: Settings, needles: Sequence[str], folders: Sequence[Path]) -> Iterator[Hit]:
    for entry in sorted(settings.home.iterdir()):
        if entry.name in NOT_OURS:
            continue
        for path in _files(entry):
            if _is_found(path, needles):
                yield Hit(entry.name, str(path.relative_to(settings.home)), 1)
    for folder in folders:
        for path in _files(folder):
            if _is_found(path, needles):
                yield Hit(folder.name, str(path.relative_to(folder)), 1)


def _files(below: Path) -> Iterator[Path]:
    if below.is_file() and not below.is_symlink():
        yield below
    for folder, _, names in os.walk(below):
        yield from (path for name in sorted(names) if (path := Path(folder, name)).is_file() and not path.is_symlink())


def _is_found(path: Path, needles: Sequence[str]) -> bool:
    try:
        return holds(path, needles)
    except Opaque:
        return False


def holds(path: Path, needles: Iterable[str]) -> bool:
    """Whether a file holds any of the values, packed or not. False for one that is gone meanwhile; raises Opaque."""
    pattern = _in_bytes(tuple(needles))
    try:
        with path.open("rb") as file:
            return any(pattern.search(block) for block in blocks(file))
    except FileNotFoundError:
        return False


def blocks(file: IO[bytes], deep: int = MOST_DEEP) -> Iterator[bytes]:
    """What a file holds, unpacked, in lower case, in overlapping blocks; also its bytes as they are. Raises Opaque."""
    container = container_of(file.read(START_BYTES))
    file.seek(0)
    yield from _plain(file)
    if container is None:
        return
    if deep == 0:
        raise Opaque
    file.seek(0)
    try:
        for inner in _inside(file, container):
            with inner:
                yield from blocks(inner, deep - 1)
    except _DAMAGED as error:
        raise Opaque from error


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    before, size = b"", 0
    while block := file.read(BLOCK_BYTES):
        yield (before + block).lower()
        before, size = block[-OVERLAP_BYTES:], size + len(block)
        if size > MOST_BYTES:
            raise Opaque


def _inside(file: IO[bytes], container: str) -> Iterator[IO[bytes]]:
    if container == "zip":
        with zipfile.ZipFile(file) as packed:
            yield from (packed.open(member) for member in packed.infolist() if not member.is_dir())
    elif container == "tar":
        with tarfile.open(fileobj=file) as packed_tar:
            yield from (inner for member in packed_tar if (inner := packed_tar.extractfile(member)))
    elif container in _UNPACKED:
        yield _UNPACKED[container](file)
    elif container != "ole":
        raise Opaque


def _pattern(needles: Sequence[str]) -> str:
    """A regular expression that Postgres and Python read alike, for text in lower case."""
    return "|".join(_bounded(re.escape(needle.lower()), needle) for needle in sorted(set(needles)))


def _bounded(escaped: str, needle: str) -> str:
    return escaped if len(needle) >= LONG else f"(?<![0-9a-z]){escaped}(?![0-9a-z])"


def _in_bytes(needles: Sequence[str]) -> re.Pattern[Any]:
    wide = (re.escape(needle.lower().encode(code)) for needle in needles for code in ("utf-16-le", "utf-16-be"))
    return re.compile(b"|".join((_pattern(needles).encode(), *sorted(set(wide)))))
