"""Connections to the warehouse: always TCP, always named, so that pg_stat_activity shows who is at work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from send_returns.settings import Settings
from send_returns.warehouse import embedded

# For joins of whole tables on several columns, which look rarer together to the planner than they are: hash joins take
# seconds over a county where the nested loops and merges that it would choose take minutes.
HASH_JOINS_ONLY = "set enable_nestloop = off; set enable_mergejoin = off"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and how to log in. The password never shows in its text."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def __repr__(self) -> str:
        return f"Address({self.user}@{self.host}:{self.port}/{self.database})"


def address(settings: Settings, database: str | None = None) -> Address:
    """The address of the warehouse, or of another `database` on the same server. Raises ServerError if none runs."""
    if settings.database_url:
        parts = conninfo_to_dict(settings.database_url)
        return Address(
            host=str(parts.get("host") or "127.0.0.1"),
            port=int(parts.get("port") or 5432),
            user=str(parts.get("user") or ""),
            password=str(parts.get("password") or ""),
            database=database or str(parts.get("dbname") or embedded.WAREHOUSE),
        )
    return Address(
        host="127.0.0.1",
        port=embedded.port(settings),
        user=embedded.OWNER,
        password=embedded.secret(settings, "postgres_owner"),
        database=database or embedded.WAREHOUSE,
    )


def url(settings: Settings, driver: str = "postgresql", database: str | None = None) -> str:
    """The address as a URL for libraries that want one, such as `postgresql+psycopg2://…`. Contains the password."""
    at = address(settings, database)
    user, password, name = (quote(part, safe="") for part in (at.user, at.password, at.database))
    return f"{driver}://{user}:{password}@{at.host}:{at.port}/{name}"


def connect(settings: Settings, *, autocommit: bool = False, purpose: str = "send-returns") -> psycopg.Connection:
    """A psycopg connection to the warehouse; `purpose` is its application name."""
    at = address(settings)
    return psycopg.connect(
        host=at.host,
        port=at.port,
        user=at.user,
        password=at.password,
        dbname=at.database,
        autocommit=autocommit,
        application_name=purpose,
        connect_timeout=10,
        client_encoding="utf8",
    )


def ask(
    connection: psycopg.Connection,
    query: str | sql.Composed,
    values: Sequence[object] | Mapping[str, object] = (),
) -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode() if isinstance(query, str) else query, values).fetchall()
