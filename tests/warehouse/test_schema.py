"""Migrations: applied once, in order, never edited; and the sums that the database itself holds."""

from collections.abc import Callable

import psycopg
import pytest

from send_returns import warehouse
from send_returns.settings import Settings
from send_returns.warehouse.schema import MigrationError

Insert = Callable[..., None]


@pytest.fixture
def insert(database: Settings) -> Insert:
    def run(**changes: object) -> None:
        row = {
            "delivery_id": 1,
            "partnership": "hertfordshire",
            "organisation": "council",
            "feed": "sen2",
            "contract_version": "2026",
            "name": "sen2.xml",
            "content_sha256": "0" * 64,
            "period_key": "2026",
            "status": "accepted",
            "reason": None,
            "rows_in": 3,
            "rows_loaded": 2,
            "rows_quarantined": 1,
        } | changes
        with warehouse.connect(database) as connection:
            connection.execute(
                f"insert into landing.delivery ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
                list(row.values()),
            )

    return run


def test_a_second_migration_changes_nothing(database: Settings) -> None:
    assert warehouse.migrate(database) == []


def test_an_edited_migration_is_refused(database: Settings) -> None:
    with warehouse.connect(database) as connection:
        connection.execute("update warehouse.migration set sha256 = 'edited'")
    with pytest.raises(MigrationError, match=r"0001_rooms\.sql"):
        warehouse.migrate(database)


def test_the_database_refuses_a_row_unaccounted_for(insert: Insert) -> None:
    insert()
    with pytest.raises(psycopg.errors.CheckViolation, match="every_row_accounted_for"):
        insert(delivery_id=2, content_sha256="1" * 64, period_key="2027", rows_in=4)


def test_one_delivery_answers_for_a_period(insert: Insert) -> None:
    insert()
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_accepted_delivery"):
        insert(delivery_id=2, content_sha256="1" * 64)


def test_a_refusal_says_why(insert: Insert) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="refused_says_why"):
        insert(status="refused")
