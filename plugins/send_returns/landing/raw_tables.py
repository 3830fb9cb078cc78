"""Raw tables, made from the contracts: a column that a later contract adds is added, none is ever dropped."""

from pathlib import Path

import psycopg
from psycopg import sql

from send_returns import feeds
from send_returns.failure import Failure

TYPES = {"string": "text", "date": "date", "timestamp": "timestamp", "integer": "integer", "boolean": "boolean"}
OWN_COLUMNS = {"_delivery_id": "bigint", "_row_number": "integer", "_extra": "jsonb"}


def columns(table: feeds.Table) -> dict[str, str]:
    """Every column of a raw table with its database type, in the order of the table."""
    return {column.name: TYPES[column.type] for column in table.columns} | OWN_COLUMNS


def ensure_raw_tables(connection: psycopg.Connection, changes: Path | None = None) -> None:
    """Create what the contracts name and the database lacks, in the caller's transaction.

    `changes`: the folder of the drift that was accepted. Raises Failure for a column that is there with another type.
    """
    present: dict[tuple[str, str], dict[str, str]] = {}
    for schema, name, column, kind in connection.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns"
        " where table_schema like 'raw\\_%'"
    ):
        present.setdefault((schema, name), {})[column] = kind.removesuffix(" without time zone")
    guarded = {
        (schema, name)
        for schema, name in connection.execute(
            "select event_object_schema, event_object_table from information_schema.triggers"
            " where trigger_name = 'keep_rows_of_delete'"
        )
    }
    for feed in feeds.feeds(changes=changes):
        for table in feed.tables:
            here = present.get((table.raw_schema, table.raw_name))
            target = sql.Identifier(table.raw_schema, table.raw_name)
            wanted = columns(table)
            if here is None:
                body = sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind + not_null(column)))
                    for column, kind in wanted.items()
                )
                connection.execute(sql.SQL("create table {} ({})").format(target, body))
                connection.execute(
                    sql.SQL("create index {} on {} using brin (_delivery_id)").format(
                        sql.Identifier(f"{table.raw_name}_delivery"), target
                    )
                )
            else:
                for column in [column for column in here if wanted.get(column, here[column]) != here[column]]:
                    raise Failure(
                        f"{table.raw_schema}.{table.raw_name}: column {column} is {here[column]}, and the contract of"
                        f" {feed.id} says {wanted[column]}. What runs have read stays: add a column of another name."
                    )
                for column in [column for column in wanted if column not in here]:
                    connection.execute(
                        sql.SQL("alter table {} add column {} {}").format(
                            target, sql.Identifier(column), sql.SQL(wanted[column])
                        )
                    )
            if (table.raw_schema, table.raw_name) not in guarded:
                _guard(connection, target)


def _guard(connection: psycopg.Connection, target: sql.Identifier) -> None:
    """Let no row go or change that a run has read. Nothing is asked when rows come."""
    for event in ("delete", "update", "truncate"):
        rows = "" if event == "truncate" else "referencing old table as gone"
        connection.execute(
            sql.SQL(
                f"create trigger keep_rows_of_{event} after {event} on {{}} {rows}"
                " for each statement execute function landing.keep_what_a_run_read()"
            ).format(target)
        )


def not_null(column: str) -> str:
    """The two columns without which a row could not be traced to its file."""
    return " not null" if column in ("_delivery_id", "_row_number") else ""
