"""Every row of a child, in the raw tables and in quarantine, as a temporary table that all removing reads."""

import io
import json
from collections.abc import Iterator, Sequence

import polars as pl
import psycopg
from psycopg import sql

from send_returns.identity.sources import SAYS
from send_returns.rights.holdings import Holding, holdings
from send_returns.rights.identifiers import SHORTEST, Known, identifiers

_ROW = pl.Schema({"delivery_id": pl.Int64, "row_number": pl.Int64, "is_quarantined": pl.Boolean})
FOUND = pl.Schema(
    {
        "delivery_id": pl.Int64,
        "raw": pl.String,
        "row_number": pl.Int64,
        "is_quarantined": pl.Boolean,
        "removal_id": pl.Int64,
        "kind": pl.String,
        "value": pl.String,
    }
)
# Delivery and the feed that it is of.
Deliveries = Sequence[tuple[int, str]]


def begin(connection: psycopg.Connection) -> None:
    """An empty temporary table `child_row`, for this transaction. `why`: linked, identified, or part of such a row."""
    connection.execute("drop table if exists child_row")
    connection.execute(
        "create temporary table child_row (delivery_id bigint not null, raw text not null, row_number integer not null,"
        " is_quarantined boolean not null, removal_id bigint not null, why text not null,"
        " primary key (delivery_id, raw, row_number, is_quarantined)) on commit drop"
    )


def deliveries(connection: psycopg.Connection, partnership: str) -> Deliveries:
    """Every delivery of a partnership that has rows."""
    return connection.execute(
        "select delivery_id, feed from landing.delivery where partnership = %s and rows_loaded + rows_quarantined > 0"
        " order by delivery_id",
        [partnership],
    ).fetchall()


def add_linked(connection: psycopg.Connection, persons: Sequence[str], removal_id: int) -> None:
    """The records that linkage gave to any of these persons."""
    connection.execute(
        "insert into child_row select delivery_id, table_name, row_number, false, %s, 'linked' from identity.link"
        " where person_id = any(%s) on conflict do nothing",
        [removal_id, list(persons)],
    )


def add(connection: psycopg.Connection, found: pl.DataFrame) -> None:
    """Rows that `carrying` found."""
    rows = found.unique(["delivery_id", "raw", "row_number", "is_quarantined"], keep="first", maintain_order=True)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into child_row values (%s, %s, %s, %s, %s, 'identified') on conflict do nothing",
            rows.select("delivery_id", "raw", "row_number", "is_quarantined", "removal_id").rows(),
        )


def add_parts(connection: psycopg.Connection, partnership: str) -> None:
    """The rows that are parts of those found, of the same delivery or, where ids last, of any of the feed."""
    for holding in holdings().values():
        if holding.parent is None or not _has_any(connection, holding.parent):
            continue
        parent = holdings()[holding.parent]
        same: list[sql.Composable] = [
            sql.SQL("child.{0} = parent.{0}").format(sql.Identifier(name)) for name in holding.shared
        ]
        if holding.is_of_one_delivery:
            same.append(sql.SQL("child.delivery_id = parent.delivery_id"))
        connection.execute("analyze child_row")
        connection.execute(
            sql.SQL(
                "insert into child_row select child.delivery_id, {raw}, child.row_number, child.is_quarantined,"
                " min(found.removal_id), 'part' from ({children}) as child inner join ({parents}) as parent on {same}"
                " inner join child_row as found on found.raw = {parent} and (found.delivery_id, found.row_number,"
                " found.is_quarantined) = (parent.delivery_id, parent.row_number, parent.is_quarantined)"
                " group by 1, 2, 3, 4 on conflict do nothing"
            ).format(
                raw=sql.Literal(holding.raw),
                children=_relation(holding, holding.shared, partnership),
                parents=_relation(parent, holding.shared, partnership),
                parent=sql.Literal(parent.raw),
                same=sql.SQL(" and ").join(same),
            )
        )


def _has_any(connection: psycopg.Connection, raw: str) -> bool:
    return connection.execute("select 1 from child_row where raw = %s limit 1", [raw]).fetchone() is not None


def _relation(holding: Holding, columns: Sequence[str], partnership: str) -> sql.Composed:
    """Rows of a table, in raw and in quarantine, with some columns, as text."""
    among = sql.SQL(
        "select delivery_id from child_row"
        if holding.is_of_one_delivery
        else "select delivery_id from landing.delivery where partnership = {}"
    ).format(sql.Literal(partnership))
    return sql.SQL(
        "select _delivery_id as delivery_id, _row_number as row_number, false as is_quarantined, {loaded} from {table}"
        " where _delivery_id in ({among})"
        " union all select delivery_id, row_number, true, {names} from {quarantine}"
    ).format(
        loaded=sql.SQL(", ").join(sql.SQL("{0}::text as {0}").format(sql.Identifier(name)) for name in columns),
        table=sql.Identifier(holding.schema, holding.raw),
        among=among,
        names=sql.SQL(", ").join(map(sql.Identifier, columns)),
        quarantine=_quarantine(holding, sql.SQL("delivery_id in ({})").format(among)),
    )


def _quarantine(holding: Holding, which: sql.Composable) -> sql.Composed:
    """Rows in quarantine whose cells have names, as a table of text."""
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in holding.columns)
    return sql.SQL(
        "(select delivery_id, row_number, cells.* from landing.quarantine"
        " inner join landing.delivery using (delivery_id) cross join lateral"
        " json_to_record(case when raw is json object then raw::json else '{{}}'::json end) as cells ({columns})"
        " where feed = {feed} and table_name = {table} and raw is json object and {which}) as source"
    ).format(columns=columns, feed=sql.Literal(holding.feed), table=sql.Literal(holding.table), which=which)


def carrying(connection: psycopg.Connection, among: Deliveries, known: Known) -> pl.DataFrame:
    """The rows of some deliveries that carry a known identifier: `FOUND`, a line for each row and identifier."""
    found = [pl.DataFrame(schema=FOUND)]
    for delivery, feed in among:
        for holding in holdings().values():
            if holding.feed != feed:
                continue
            if holding.says:
                found.append(_known(_said(connection, holding, delivery), holding.raw, known))
            found.append(_known(_nameless(connection, holding, delivery), holding.raw, known))
    return pl.concat(found)


def _known(said: pl.DataFrame, raw: str, known: Known) -> pl.DataFrame:
    if not said.height:
        return pl.DataFrame(schema=FOUND)
    carried = identifiers(said)
    told = known(carried.select("kind", "value").unique().rows())
    rows = [(*identifier, removal_id) for identifier, removal_id in told.items()]
    matched = pl.DataFrame(rows, schema={"kind": pl.String, "value": pl.String, "removal_id": pl.Int64}, orient="row")
    return (
        carried.join(matched, on=["kind", "value"], maintain_order="left")
        .with_columns(raw=pl.lit(raw))
        .select(FOUND.names())
        .cast(FOUND)
    )


def _said(connection: psycopg.Connection, holding: Holding, delivery: int) -> pl.DataFrame:
    """What the rows of a delivery's table, and those in quarantine, say of who they are about, by role."""
    roles = [role for role in SAYS if role in holding.says]
    said = sql.SQL(", ").join(sql.SQL("({})::text").format(sql.SQL(holding.says[role])) for role in roles)
    query = sql.SQL(
        "copy (select _delivery_id, _row_number, false, {said} from {table} where _delivery_id = {delivery} union all"
        " select delivery_id, row_number, true, {said} from {quarantine}) to stdout (format csv)"
    ).format(
        said=said,
        table=sql.Identifier(holding.schema, holding.raw),
        delivery=sql.Literal(delivery),
        quarantine=_quarantine(holding, sql.SQL("delivery_id = {}").format(sql.Literal(delivery))),
    )
    schema = pl.Schema([*(_ROW | {"is_quarantined": pl.String}).items(), *((role, pl.String) for role in roles)])
    with connection.cursor().copy(query) as copy:
        text = b"".join(bytes(block) for block in copy)
    if not text:
        return pl.DataFrame(schema=schema)
    read = pl.read_csv(io.BytesIO(text), has_header=False, new_columns=schema.names(), schema=schema)
    return read.with_columns(is_quarantined=pl.col("is_quarantined") == "t")


def _nameless(connection: psycopg.Connection, holding: Holding, delivery: int) -> pl.DataFrame:
    """The cells of rows in quarantine that could not be given names: each may be any identifier."""
    rows = connection.execute(
        "select delivery_id, row_number, raw from landing.quarantine"
        " where delivery_id = %s and table_name = %s and raw is not json object",
        [delivery, holding.table],
    ).fetchall()
    cells = [(delivery_id, number, True, cell) for delivery_id, number, raw in rows for cell in _cells(raw)]
    frame = pl.DataFrame(cells, schema={**_ROW, "upn": pl.String}, orient="row")
    return frame.with_columns(pl.col("upn").alias(name) for name in ("uln", "nhs_number", "la_child_id"))


def _cells(raw: str) -> Iterator[str]:
    try:
        read = json.loads(raw)
    except ValueError:
        read = raw.split()
    for cell in read if isinstance(read, list) else [read]:
        if isinstance(cell, str) and len(cell) >= SHORTEST:
            yield cell.encode("utf-8", "replace").decode()
