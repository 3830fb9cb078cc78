"""Takes the rows of `child_row`, and all that was made of them, out of every store, and counts what it took.

What every function here does, it does in the caller's transaction.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg import sql

from send_returns.identity.sources import LOCK as LINKAGE
from send_returns.landing.reading import lock
from send_returns.quality.gating import LOCK as GATE
from send_returns.quality.swap import CANDIDATE, READERS, RETIRED
from send_returns.rights.holdings import holdings
from send_returns.settings import Settings
from send_returns.warehouse import connect

# What was taken from each store, as the removal keeps it.
Counts = Counter[str]
# Columns of the identity schema that name a person, or a profile.
_PERSON = ("person_id", "other_id")
_PROFILE = ("profile_id", "left_id", "right_id")
# And of what is built from it.
_NAMED_BY = ("person_id", "child_key")


def hold(connection: psycopg.Connection, partnership: str, removal_id: int) -> None:
    """Keep linkage, gate, publishing and landing away until the transaction ends, and let raw rows go.

    One that is at work is waited for.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [GATE])
    connection.execute("select pg_advisory_xact_lock(%s)", [LINKAGE])
    connection.execute("select from audit.live where partnership = %s for update", [partnership])
    hold_landing(connection, partnership, removal_id)


def hold_landing(connection: psycopg.Connection, partnership: str, removal_id: int) -> None:
    """Keep landing away, and let raw rows go: for rows that nothing has been made of yet."""
    for feed in sorted({holding.feed for holding in holdings().values()}):
        lock(connection, partnership, feed)
    connection.execute("select set_config('send_returns.removal', %s, true)", [str(removal_id)])


def take_rows(connection: psycopg.Connection) -> Counts:
    """Remove the rows from raw, quarantine, findings and links; the counts of their deliveries follow."""
    taken: dict[tuple[int, str], Counts] = {}
    for holding in holdings().values():
        table = sql.Identifier(holding.schema, holding.raw)
        for kind, query in (
            (
                "raw",
                sql.SQL(
                    "delete from {} as gone using child_row as found where found.raw = {} and not is_quarantined"
                    " and gone._delivery_id = found.delivery_id and gone._row_number = found.row_number"
                ).format(table, sql.Literal(holding.raw)),
            ),
            (
                "quarantine",
                sql.SQL(
                    "delete from landing.quarantine as gone using child_row as found where found.raw = {}"
                    " and is_quarantined and gone.table_name = {} and gone.delivery_id = found.delivery_id"
                    " and gone.row_number = found.row_number"
                ).format(sql.Literal(holding.raw), sql.Literal(holding.table)),
            ),
        ):
            counted = sql.SQL(
                "with gone as ({} returning found.delivery_id) select delivery_id, count(*) from gone group by 1"
            ).format(query)
            for delivery, count in connection.execute(counted):
                taken.setdefault((delivery, holding.table), Counter())[kind] += count
    _recount(connection, taken)
    counts: Counts = sum(taken.values(), Counter())
    counts["findings"] = _of_rows(connection, "audit.finding", "split_part(found.raw, '__', 2)")
    counts["findings"] += connection.execute(
        "delete from audit.finding using child_row as found where scope = 'run'"
        " and record_key = concat_ws(' ', found.delivery_id, found.raw, found.row_number)"
    ).rowcount
    counts["links"] = _of_rows(connection, "identity.link", "found.raw")
    return counts


def _of_rows(connection: psycopg.Connection, table: str, name: str) -> int:
    return connection.execute(
        f"delete from {table} as gone using child_row as found where gone.delivery_id = found.delivery_id"  # noqa: S608
        f" and gone.table_name = {name} and gone.row_number = found.row_number".encode()
    ).rowcount


def _recount(connection: psycopg.Connection, taken: dict[tuple[int, str], Counts]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "update landing.delivery_table set rows_loaded = rows_loaded - %s,"
            " rows_quarantined = rows_quarantined - %s, rows_erased = rows_erased + %s"
            " where delivery_id = %s and table_name = %s",
            [
                [counts["raw"], counts["quarantine"], counts.total(), delivery, table]
                for (delivery, table), counts in taken.items()
            ],
        )
    connection.execute(
        "update landing.delivery set rows_loaded = counted.rows_loaded, rows_quarantined = counted.rows_quarantined,"
        " rows_erased = counted.rows_erased from (select delivery_id, sum(rows_loaded) as rows_loaded,"
        " sum(rows_quarantined) as rows_quarantined, sum(rows_erased) as rows_erased from landing.delivery_table"
        " where delivery_id = any(%s) group by 1) as counted where counted.delivery_id = delivery.delivery_id",
        [sorted({delivery for delivery, _ in taken})],
    )
    # What does not add up is told here, and not at the commit.
    connection.execute("set constraints all immediate")


def take_people(connection: psycopg.Connection, partnership: str, persons: Sequence[str]) -> Counts:
    """Remove people from what linkage, build and gate have made; bare person ids stay, so as never to be reused."""
    everyone = list(persons)
    counts: Counts = Counter()
    for schema, table, column in of_people(connection):
        counts["lists"] += _delete(connection, schema, table, column, names(connection, column, everyone))
    counts["findings"] = connection.execute(
        "delete from audit.finding where scope = 'run' and record_key = any(%s)", [everyone]
    ).rowcount
    profiles = [
        row[0]
        for row in connection.execute("select profile_id from identity.profile where person_id = any(%s)", [everyone])
    ]
    counts["identity"] = connection.execute(
        "delete from identity.disputed_identifier as gone using identity.profile where profile_id = any(%s)"
        " and profile.partnership = %s and gone.partnership = profile.partnership and value in"
        " (upn, former_upn, uln, nhs_number, la_child_id, provider_patient_id, nhs_number_pseudo)",
        [profiles, partnership],
    ).rowcount
    counts["identity"] += take_profiles(connection, partnership, profiles)
    for schema, table, column in _columns(connection, ["identity"], *_PERSON):
        if table != "person":
            counts["identity"] += _delete(connection, schema, table, column, everyone)
    return counts


def take_profiles(connection: psycopg.Connection, partnership: str, profiles: Sequence[object]) -> int:
    """Remove profiles, and every pair, decision and event that names them; returns how many rows that were.

    Those of one partnership: another may know the same of the same child, in its own right.
    """
    removed = 0
    for schema, table, column in _columns(connection, ["identity"], *_PROFILE):
        own = "delivery_id in (select delivery_id from landing.delivery where partnership = {})"
        own = own if table == "link" else "partnership = {}"
        removed += connection.execute(
            sql.SQL("delete from {} where {} = any(%s) and {}").format(
                sql.Identifier(schema, table), sql.Identifier(column), sql.SQL(own).format(partnership)
            ),
            [list(profiles)],
        ).rowcount
    # An event is of several profiles: it stays for the others.
    connection.execute(
        "update identity.event set profiles = array(select p from unnest(profiles) as p where p <> all(%(p)s))"
        " where profiles && %(p)s::uuid[] and partnership = %(partnership)s",
        {"p": list(profiles), "partnership": partnership},
    )
    removed += connection.execute(
        "delete from identity.event where profiles = '{}' and partnership = %s", [partnership]
    ).rowcount
    return removed


def tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of every table that the rows of `child_row`, and what was made of them, are taken from."""
    return [*raw_tables(connection), *made_tables(connection)]


def raw_tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of the raw tables that have a row in `child_row`."""
    raws = connection.execute("select distinct raw from child_row order by 1").fetchall()
    return [(holdings()[raw].schema, raw) for (raw,) in raws]


def made_tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of every table of what was made of people's rows."""
    identity = _columns(connection, ["identity"], "person_id", *_PROFILE)
    return [
        *sorted({(schema, table) for schema, table, _ in of_people(connection)}),
        *sorted({(schema, table) for schema, table, _ in identity if table != "person"}),
        ("identity", "disputed_identifier"),
        ("landing", "quarantine"),
        ("audit", "finding"),
    ]


def sample(settings: Settings, changed: Iterable[tuple[str, str]]) -> None:
    """Let the planner look at tables anew: until then it may keep values of rows that are no more."""
    with connect(settings, autocommit=True, purpose="send-returns sample") as connection:
        for schema, table in changed:
            connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, table)))


def rewrite(settings: Settings, changed: Iterable[tuple[str, str]]) -> None:
    """Write tables anew: a deleted row stays in its page, and its values in the planner's sample, until that is done.

    A table that somebody keeps locked is only sampled anew.
    """
    with connect(settings, autocommit=True, purpose="send-returns rewrite") as connection:
        connection.execute("set lock_timeout = '30s'")
        for schema, table in changed:
            name = sql.Identifier(schema, table)
            try:
                connection.execute(sql.SQL("vacuum (full, analyze) {}").format(name))
            except psycopg.errors.LockNotAvailable:
                connection.execute(sql.SQL("analyze {}").format(name))


def of_people(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Schema, table and column by which the tables, of candidates and of what readers see, name a person."""
    rows = connection.execute("select nspname from pg_namespace order by 1").fetchall()
    schemas = [name for (name,) in rows if name in READERS or name.startswith((CANDIDATE, RETIRED))]
    return list(_columns(connection, schemas, *_NAMED_BY))


def names(connection: psycopg.Connection, column: str, persons: Sequence[str]) -> list[str]:
    """What a column of `of_people` calls some persons."""
    if column == "person_id":
        return list(persons)
    rows = connection.execute("select child_key from identity.child_key where person_id = any(%s)", [list(persons)])
    return [row[0] for row in rows]


def _columns(connection: psycopg.Connection, schemas: Iterable[str], *names: str) -> Iterator[tuple[str, str, str]]:
    """The columns of those names in the tables of some schemas: a table that is added later is not forgotten."""
    rows = connection.execute(
        "select table_schema, table_name, column_name from information_schema.columns"
        " inner join information_schema.tables using (table_schema, table_name)"
        " where table_type = 'BASE TABLE' and table_schema = any(%s) and column_name = any(%s) order by 1, 2, 3",
        [list(schemas), list(names)],
    ).fetchall()
    yield from rows


def _delete(connection: psycopg.Connection, schema: str, table: str, column: str, values: Sequence[object]) -> int:
    return connection.execute(
        sql.SQL("delete from {} where {} = any(%s)").format(sql.Identifier(schema, table), sql.Identifier(column)),
        [list(values)],
    ).rowcount
