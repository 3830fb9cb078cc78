"""A database that is there for one measurement."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from psycopg import sql

from send_returns import warehouse
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
            connection.execute(sql.SQL("drop database {}").format(name))
