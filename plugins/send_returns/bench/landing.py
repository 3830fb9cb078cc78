"""Landing, every check on, against psql's `\\copy` of the rows that it loaded into identical tables."""

import statistics
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from send_returns import clock, feeds, landing, warehouse
from send_returns.bench.scratch import psql_seconds, scratch
from send_returns.settings import Settings

REPEATS = 3


def landing_ratio(settings: Settings, inbox: Path) -> dict[str, Any]:
    """Seconds of both, medians of three interleaved runs in a scratch database: baseline, landing, ratio and rows."""
    landed, copied, rows = [], [], 0
    for _ in range(REPEATS):
        with scratch(settings) as database, tempfile.TemporaryDirectory(dir=settings.folder("bench")) as folder:
            start = clock.monotonic()
            rows = sum(
                landing.land(database, organisation, inbox, clock.today())["loaded"]
                for organisation in feeds.ORGANISATIONS
            )
            landed.append(clock.monotonic() - start)
            copied.append(_copy_all(database, Path(folder)))
    baseline, measured = statistics.median(copied), statistics.median(landed)
    return {
        "baseline_seconds": round(baseline, 3),
        "landing_seconds": round(measured, 3),
        "ratio": round(measured / baseline, 3),
        "rows": rows,
    }


def _copy_all(database: Settings, folder: Path) -> float:
    """Seconds that one psql takes to load every raw table's rows, from CSV, into a table like it."""
    script = folder / "copy.sql"
    with warehouse.connect(database) as connection, script.open("w") as statements:
        connection.execute("create schema baseline")
        for feed in feeds.feeds():
            for table in feed.tables:
                if _export(connection, table, folder / table.raw_name):
                    statements.write(
                        f"\\copy baseline.{table.raw_name} from '{folder / table.raw_name}' (format csv)\n"
                    )
    return psql_seconds(database, script)


def _export(connection: psycopg.Connection, table: feeds.Table, path: Path) -> bool:
    """Write a raw table's rows to `path` and make an empty table like it; False when it has none."""
    raw, like = sql.Identifier(table.raw_schema, table.raw_name), sql.Identifier("baseline", table.raw_name)
    connection.execute(sql.SQL("create table {} (like {} including all)").format(like, raw))
    with path.open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(sql.SQL("copy {} to stdout (format csv)").format(raw)) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount > 0
