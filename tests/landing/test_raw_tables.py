"""Raw tables follow the contracts: made once, widened by a later contract, never narrowed."""

import psycopg
import pytest

from send_returns import feeds, landing, warehouse
from send_returns.landing import raw_tables
from send_returns.settings import Settings


def columns(connection: psycopg.Connection, schema: str, name: str) -> list[tuple[str, str]]:
    return connection.execute(
        "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s"
        " order by ordinal_position",
        [schema, name],
    ).fetchall()


def test_every_table_of_every_contract_is_there_with_its_types(database: Settings) -> None:
    long_names = {"timestamp": "timestamp without time zone"}
    with warehouse.connect(database) as connection:
        for feed in feeds.feeds():
            for table in feed.tables:
                expected = [(c, long_names.get(kind, kind)) for c, kind in raw_tables.columns(table).items()]
                assert columns(connection, table.raw_schema, table.raw_name) == expected


def test_a_second_time_changes_nothing_and_a_missing_column_is_added(database: Settings) -> None:
    with warehouse.connect(database) as connection:
        connection.execute("alter table raw_council.sen2__person drop column postcode")
        landing.ensure_raw_tables(connection)
        landing.ensure_raw_tables(connection)
        assert ("postcode", "text") in columns(connection, "raw_council", "sen2__person")


def test_a_row_must_say_where_it_came_from(database: Settings) -> None:
    with warehouse.connect(database) as connection, pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute("insert into raw_council.sen2__person (persontableid) values ('1')")
