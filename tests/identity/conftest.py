"""Deliveries of persons, put straight into the raw tables."""

from collections.abc import Callable, Mapping

import pytest
from psycopg import sql

from send_returns import warehouse
from send_returns.identity.sources import SOURCES
from send_returns.settings import Settings

Put = Callable[..., None]
AS_OF = "2026-10-30"
TABLES = {source.table: source for source in SOURCES}


@pytest.fixture
def put(database: Settings) -> Put:
    """Deliver rows of one table, as delivery `number`, into run `run`."""

    def deliver(
        number: int, table: str, *rows: Mapping[str, str | None], run: str = "r1", of: str = "hertfordshire"
    ) -> None:
        source = TABLES[table]
        with warehouse.connect(database) as connection:
            connection.execute(
                "insert into audit.run values (%s, %s, %s, 'full', 'test', 'test', 'open', default)"
                " on conflict do nothing",
                [run, of, AS_OF],
            )
            connection.execute(
                "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
                " content_sha256, period_key, reference_on, status, rows_in, rows_loaded, rows_quarantined)"
                " values (%s, %s, %s, %s, 'test', 'test', %s, %s, null, 'accepted', %s, %s, 0)"
                " on conflict do nothing",
                [
                    number,
                    of,
                    source.schema.removeprefix("raw_"),
                    source.feed,
                    f"{number:064x}",
                    str(number),
                    len(rows),
                    len(rows),
                ],
            )
            connection.execute("insert into audit.run_delivery values (%s, %s) on conflict do nothing", [run, number])
            for position, row in enumerate(rows, start=2):
                record = {**row, "_delivery_id": number, "_row_number": position}
                connection.execute(
                    sql.SQL("insert into {} ({}) values ({})").format(
                        sql.Identifier(source.schema, source.table),
                        sql.SQL(", ").join(map(sql.Identifier, record)),
                        sql.SQL(", ").join(sql.Placeholder() * len(record)),
                    ),
                    list(record.values()),
                )

    return deliver


@pytest.fixture
def again(database: Settings) -> Callable[..., None]:
    """Take deliveries of an earlier run into another."""

    def into(run: str, *numbers: int) -> None:
        with warehouse.connect(database) as connection:
            connection.execute(
                "insert into audit.run values (%s, 'hertfordshire', %s, 'full', 'test', 'test', 'open', default)"
                " on conflict do nothing",
                [run, AS_OF],
            )
            for number in numbers:
                connection.execute("insert into audit.run_delivery values (%s, %s)", [run, number])

    return into
