"""What measurements share: a database that is there for one of them, and the seconds of a script in one psql."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from psycopg import sql

from send_returns import clock, warehouse
from send_returns.settings import Settings

NAME = "bench_scratch"


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """A fresh migrated database on the same server, dropped afterwards."""
    name = sql.Identifier(NAME)
    with warehouse.connect(settings, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {}").format(name))
        connection.execute(sql.SQL("create database {}").format(name))
        try:
            database = replace(settings, database_url=warehouse.url(settings, database=NAME))
            warehouse.migrate(database)
            yield database
        finally:
            # A pool of connections may not have been collected yet.
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = %s and backend_type = 'client backend'",
                [NAME],
            )
            connection.execute(sql.SQL("drop database {}").format(name))


def psql_seconds(settings: Settings, script: Path, **environment: str) -> float:
    """Seconds that one psql takes to run a script, which ends at the first error."""
    at = warehouse.address(settings)
    place = {"PGHOST": at.host, "PGPORT": str(at.port), "PGUSER": at.user, "PGDATABASE": at.database}
    command = [str(warehouse.psql_path()), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
    start = clock.monotonic()
    subprocess.run(
        command,
        env={**os.environ, **place, "PGPASSWORD": at.password, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return clock.monotonic() - start
