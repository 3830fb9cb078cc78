"""Exact matching: records that share a UPN, a ULN, an NHS number or a council person id are one person.

Records are the nodes of a graph, the identifiers they carry its other nodes; a connected part is a person. Only
deliveries that have no links yet are read, and persons found before keep their id, so a day's new delivery costs what
it brings and a second run does nothing.
"""

import io
from dataclasses import dataclass

import numpy as np
import polars as pl
import psycopg
from psycopg import sql
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from send_returns.settings import Settings
from send_returns.warehouse import connect

LOCK = 0x5E4D0002


@dataclass(frozen=True, slots=True)
class Source:
    """A raw table of persons; `identifiers` maps a kind of identifier to the column that carries it."""

    feed: str
    schema: str
    table: str
    identifiers: dict[str, str]
    condition: str = "true"


# An episode's child is a record of its own only where the header that should name the child did not come.
SOURCES = (
    Source("sen2", "raw_council", "sen2__person", {"upn": "upn", "uln": "uniquelearnernumber"}),
    Source(
        "school_census",
        "raw_council",
        "school_census__pupilonroll",
        {"upn": "upn", "uln": "uniquelearnernumber"},
    ),
    Source("cin_census", "raw_council", "cin_census__child", {"upn": "upn", "council_person_id": "lachildid"}),
    Source("ssda903", "raw_council", "ssda903__header", {"upn": "upn", "council_person_id": "child"}),
    Source(
        "ssda903",
        "raw_council",
        "ssda903__episodes",
        {"council_person_id": "child"},
        "not exists (select from raw_council.ssda903__header as h"
        " where h._delivery_id = source._delivery_id and h.child = source.child)",
    ),
    Source(
        "ehe_register",
        "raw_council",
        "ehe_register__child",
        {"upn": "upn", "uln": "uln", "nhs_number": "nhs_number", "council_person_id": "la_child_id"},
    ),
    Source("csds", "raw_icb", "csds__cyp001mpi", {"nhs_number": "nhs_number"}),
)
KINDS = ("upn", "uln", "nhs_number", "council_person_id")
NAMES = {"upn": "UPN", "uln": "ULN", "nhs_number": "NHS number", "council_person_id": "council person id"}


def link(settings: Settings, run_id: str) -> dict[str, int]:
    """Give every person record of the run's manifest a person; returns counts of records, linked now, and persons.

    Reads the raw tables of `SOURCES`, writes `identity.person`, `identity.identifier` and `identity.link` in one
    transaction. Raises ValueError when there is no such run.
    """
    with connect(settings, purpose="send-returns link") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        run = connection.execute("select partnership from audit.run where run_id = %s", [run_id]).fetchone()
        if run is None:
            raise ValueError(f"There is no run {run_id}: open one first.")
        records = _new_records(connection, run_id)
        created = _resolve(connection, run_id, run[0], records) if records.height else 0
        total = connection.execute(
            "select count(*), count(distinct person_id) from identity.link"
            " where delivery_id in (select delivery_id from audit.run_delivery where run_id = %s)",
            [run_id],
        ).fetchone()
        assert total is not None  # noqa: S101 - an aggregate always returns its row
        if records.height:
            connection.execute("analyze identity.link")
    return {"records": total[0], "linked_now": records.height, "persons": total[1], "new_persons": created}


def _new_records(connection: psycopg.Connection, run_id: str) -> pl.DataFrame:
    """Person records of the manifest's deliveries that have no link: source, delivery, row and identifiers, as text."""
    frames = []
    for position, source in enumerate(SOURCES):
        columns = sql.SQL(", ").join(
            sql.Identifier("source", source.identifiers[kind]) if kind in source.identifiers else sql.NULL
            for kind in KINDS
        )
        query = sql.SQL(
            "copy (select {position}, source._delivery_id, source._row_number, {columns} from {table} as source"
            " where source._delivery_id in (select delivery_id from audit.run_delivery where run_id = {run})"
            " and source._delivery_id not in (select delivery_id from identity.link where table_name = {name})"
            " and {condition}) to stdout (format csv)"
        ).format(
            position=sql.Literal(position),
            columns=columns,
            table=sql.Identifier(source.schema, source.table),
            run=sql.Literal(run_id),
            name=sql.Literal(source.table),
            condition=sql.SQL(source.condition),
        )
        with connection.cursor().copy(query) as copy:
            text = b"".join(bytes(block) for block in copy)
        if text:
            frames.append(_parse(text))
    empty = pl.DataFrame(schema=_SCHEMA)
    return (
        pl.concat([empty, *frames])
        .with_columns(pl.col(*KINDS).str.replace_all(r"\s", "").str.to_uppercase())
        .sort("source", "delivery_id", "row_number")
        .with_row_index("record")
    )


_SCHEMA = pl.Schema(
    {"source": pl.Int64, "delivery_id": pl.Int64, "row_number": pl.Int64, **dict.fromkeys(KINDS, pl.String)}
)


def _parse(text: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(text), has_header=False, new_columns=list(_SCHEMA), schema=_SCHEMA)


def _identifiers(records: pl.DataFrame) -> pl.DataFrame:
    """One row per record and usable identifier. A value of one repeated character is a placeholder, not an identity."""
    return (
        records.unpivot(on=list(KINDS), index="record", variable_name="kind", value_name="value")
        .drop_nulls("value")
        .filter(
            (pl.col("value").str.len_chars() >= 3)
            & (pl.col("value").str.strip_chars(pl.col("value").str.slice(0, 1)) != "")
        )
    )


def _resolve(connection: psycopg.Connection, run_id: str, partnership: str, records: pl.DataFrame) -> int:
    carried = _identifiers(records)
    identifiers = carried.select("kind", "value").unique(maintain_order=True).with_row_index("identifier")
    carried = carried.join(identifiers, on=["kind", "value"])
    known = _known(connection, partnership, identifiers)
    persons = known.select("person_id").unique().sort("person_id").with_row_index("person")
    known = known.join(persons, on="person_id")

    # Nodes in three blocks: records, then identifiers, then persons found by earlier runs.
    first_identifier, first_person = records.height, records.height + identifiers.height
    left = np.concatenate([carried["record"].to_numpy(), first_identifier + known["identifier"].to_numpy()])
    right = np.concatenate(
        [first_identifier + carried["identifier"].to_numpy(), first_person + known["person"].to_numpy()]
    )
    size = first_person + persons.height
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    _, part = connected_components(graph, directed=False)

    records = records.with_columns(part=pl.Series(part[: records.height]))
    persons = persons.with_columns(part=pl.Series(part[first_person:]))
    survivors = persons.group_by("part").agg(survivor=pl.col("person_id").min())
    _merge(connection, persons.join(survivors, on="part").filter(pl.col("person_id") != pl.col("survivor")))

    created = _new_persons(connection, records.join(survivors, on="part", how="anti"))
    person_of_part = pl.concat([survivors.select("part", person_id="survivor"), created.select("part", "person_id")])
    identifiers = identifiers.with_columns(part=pl.Series(part[first_identifier:first_person])).join(
        person_of_part, on="part"
    )
    _copy(
        connection,
        "identity.person (person_id, partnership, first_run_id)",
        created.select("person_id", partnership=pl.lit(partnership), run=pl.lit(run_id)),
    )
    _copy(
        connection,
        "identity.identifier (partnership, kind, value, person_id)",
        identifiers.join(known, on="identifier", how="anti")
        .sort("kind", "value")
        .select(pl.lit(partnership).alias("partnership"), "kind", "value", "person_id"),
    )
    _copy(
        connection,
        "identity.link (delivery_id, table_name, row_number, feed, person_id, method, score, explanation)",
        _links(records.join(person_of_part, on="part"), carried, known),
    )
    return created.height


def _known(connection: psycopg.Connection, partnership: str, identifiers: pl.DataFrame) -> pl.DataFrame:
    """The persons that earlier runs saw with these identifiers: identifier (index), person_id."""
    query = sql.SQL(
        "copy (select kind, value, person_id from identity.identifier where partnership = {}) to stdout (format csv)"
    ).format(sql.Literal(partnership))
    with connection.cursor().copy(query) as copy:
        text = b"".join(bytes(block) for block in copy)
    schema = pl.Schema({"kind": pl.String, "value": pl.String, "person_id": pl.String})
    if not text:
        return pl.DataFrame(schema={"identifier": pl.UInt32, "person_id": pl.String})
    found = pl.read_csv(io.BytesIO(text), has_header=False, new_columns=list(schema), schema=schema)
    return identifiers.join(found, on=["kind", "value"]).select("identifier", "person_id")


def _merge(connection: psycopg.Connection, merged: pl.DataFrame) -> None:
    """A new record showed that two persons are one: the older id stays, and all that points at the other follows."""
    if not merged.height:
        return
    pairs = [merged["person_id"].to_list(), merged["survivor"].to_list()]
    for table in ("link", "identifier"):
        connection.execute(
            sql.SQL(
                "update identity.{} as t set person_id = m.survivor"
                " from unnest(%s::text[], %s::text[]) as m (person_id, survivor) where t.person_id = m.person_id"
            ).format(sql.Identifier(table)),
            pairs,
        )
    connection.execute("delete from identity.person where person_id = any(%s)", [pairs[0]])


def _new_persons(connection: psycopg.Connection, records: pl.DataFrame) -> pl.DataFrame:
    """Number the parts that no known person belongs to, in the order of their first record."""
    last = connection.execute("select coalesce(max(substr(person_id, 2)::bigint), 0) from identity.person").fetchone()
    assert last is not None  # noqa: S101 - an aggregate always returns its row
    return (
        records.group_by("part")
        .agg(first=pl.col("record").min())
        .sort("first")
        .with_row_index("number", offset=last[0] + 1)
        .with_columns(person_id=pl.lit("P") + pl.col("number").cast(pl.String).str.zfill(10))
    )


def _links(records: pl.DataFrame, carried: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows of identity.link: what each record shares with another record, now or before, explains its link."""
    shared = (
        carried.with_columns(others=pl.len().over("identifier") - 1)
        .join(known.select("identifier").unique(), on="identifier", how="left", coalesce=False)
        .filter((pl.col("others") > 0) | pl.col("identifier_right").is_not_null())
        .with_columns(rank=pl.col("kind").replace_strict(list(KINDS), list(range(len(KINDS)))))
        .sort("record", "rank")
        .group_by("record", maintain_order=True)
        .agg(names=pl.col("kind").replace_strict(list(NAMES), list(NAMES.values())).unique(maintain_order=True))
        .select("record", "names")
    )
    carriers = carried.select("record").unique().with_columns(carries=pl.lit(True))
    return (
        records.join(shared, on="record", how="left")
        .join(carriers, on="record", how="left")
        .sort("record")
        .select(
            "delivery_id",
            table_name=pl.col("source").replace_strict(dict(enumerate(s.table for s in SOURCES))),
            row_number="row_number",
            feed=pl.col("source").replace_strict(dict(enumerate(s.feed for s in SOURCES))),
            person_id="person_id",
            method=pl.when(pl.col("names").is_not_null())
            .then(pl.lit("exact"))
            .when(pl.col("carries"))
            .then(pl.lit("single"))
            .otherwise(pl.lit("unidentified")),
            score=pl.lit(1.0),
            explanation=pl.when(pl.col("names").is_not_null())
            .then(pl.lit("same ") + pl.col("names").list.join(", same ") + " as another record")
            .when(pl.col("carries"))
            .then(pl.lit("no other record carries its identifiers"))
            .otherwise(pl.lit("carries no usable identifier")),
        )
        .sort("delivery_id", "table_name", "row_number")
    )


def _copy(connection: psycopg.Connection, target: str, frame: pl.DataFrame) -> None:
    if not frame.height:
        return
    with connection.cursor().copy(f"copy {target} from stdin (format csv)".encode()) as copy:
        copy.write(frame.write_csv(include_header=False).encode())
