"""What is held about one person and where: counts for whoever asks, the values for the lawful answer to the person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from send_returns import warehouse
from send_returns.landing import receipts
from send_returns.rights import canary, packs, removal, rows
from send_returns.rights.holdings import Holding, holdings
from send_returns.rights.identifiers import exactly, needles
from send_returns.rights.packs import Pack
from send_returns.rights.people import also_of_others, everyone, identifiers_of
from send_returns.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """All that is held of a person. Each list has a row per place, of ids, names and counts; `values` alone has values.

    `records`: feed, table, delivery, delivery_id, received_on, status, rows, in_quarantine. `links`: feed, table,
    state, method, explanation, records. `archived`: feed, delivery, file, sha256, holds (false: the delivery has rows
    of the person, the file none by which they are known). `lists`: table, rows. `removals`: what rights are on record.
    """

    person_id: str
    merged: tuple[str, ...]
    profiles: int
    links: Sequence[Row]
    records: Sequence[Row]
    findings: Sequence[Row]
    receipts: Sequence[str]
    archived: Sequence[Row]
    decisions: Sequence[Row]
    lists: Sequence[Row]
    packs: Sequence[Pack]
    removals: Sequence[Row]
    values: Sequence[Row] = field(default=())

    @property
    def rows(self) -> int:
        """Rows of deliveries, loaded and in quarantine."""
        return sum(record["rows"] + record["in_quarantine"] for record in self.records)


def look(settings: Settings, person_id: str, output: Path | None = None, *, full: bool = False) -> Held:
    """Look in every store for one person. `output`: a folder of packs beside those that runs have published to.

    `full`: with the values of every row. Changes nothing. Raises Failure when there is no such person.
    """
    with warehouse.connect(settings, purpose="send-returns subject") as connection:
        persons = everyone(connection, settings.partnership, person_id)
        carried = identifiers_of(connection, persons)
        own = carried - also_of_others(connection, settings.partnership, persons, carried)
        rows.begin(connection)
        rows.add_linked(connection, persons, 0)
        among = rows.deliveries(connection, settings.partnership)
        rows.add(connection, rows.carrying(connection, among, exactly(own)))
        rows.add_parts(connection, settings.partnership)
        folders = packs.outputs(connection, settings.partnership) | ({output} if output else set())
        values = tuple(needles(own))
        held = Held(
            person_id=persons[0],
            merged=tuple(persons[1:]),
            profiles=warehouse.ask(connection, _PROFILES, [persons])[0]["profiles"],
            links=warehouse.ask(connection, _LINKS, [persons]),
            records=warehouse.ask(connection, _RECORDS),
            findings=warehouse.ask(connection, _FINDINGS, {"persons": persons}),
            receipts=_receipts(settings, connection),
            archived=list(_archived(settings, connection, values)),
            decisions=warehouse.ask(connection, _DECISIONS, {"persons": persons}),
            lists=[{"table": table, "rows": count} for table, count in sorted(_lists(connection, persons).items())],
            packs=list(packs.holding(settings, sorted(folders), (*persons, *values))),
            removals=warehouse.ask(connection, _REMOVALS, [persons]),
            values=list(_values(connection, persons)) if full else (),
        )
        connection.rollback()
    return held


_PROFILES = "select count(*) as profiles from identity.profile where person_id = any(%s)"
_LINKS = """
select feed, table_name as table, state, method, explanation, count(*) as records from identity.link
where person_id = any(%s) group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
"""
_RECORDS = """
select
    feed, raw as table, name as delivery, delivery_id::text as delivery_id,
    (received_at at time zone 'Europe/London')::date as received_on, status,
    count(*) filter (where not is_quarantined) as rows, count(*) filter (where is_quarantined) as in_quarantine
from child_row inner join landing.delivery using (delivery_id)
group by 1, 2, 3, 4, 5, 6 order by 1, 2, 5, 3
"""
_FINDINGS = """
select feed, split_part(raw, '__', 2) as table, rule, finding.message, count(*) as findings
from child_row inner join landing.delivery using (delivery_id)
inner join audit.finding on finding.delivery_id = child_row.delivery_id
    and finding.table_name = split_part(raw, '__', 2) and finding.row_number = child_row.row_number
group by 1, 2, 3, 4
union all
select 'run ' || run_id, table_name, rule, message, count(*) from audit.finding
where scope = 'run' and record_key = any(%(persons)s) group by 1, 2, 3, 4
order by 1, 2, 3, 4
"""
_DECISIONS = """
select 'review' as kind, state as outcome, reason, null as decided_by, count(*) as pairs from identity.review
where left_id in (select profile_id from identity.profile where person_id = any(%(persons)s))
    or right_id in (select profile_id from identity.profile where person_id = any(%(persons)s))
group by 1, 2, 3, 4
union all
select 'decision', verdict, reason, reviewer, count(*) from identity.decision
where left_id in (select profile_id from identity.profile where person_id = any(%(persons)s))
    or right_id in (select profile_id from identity.profile where person_id = any(%(persons)s))
group by 1, 2, 3, 4
union all
select 'event', kind, reason, null, count(*) from identity.event
where person_id = any(%(persons)s) or other_id = any(%(persons)s) group by 1, 2, 3, 4
order by 1, 2, 3, 4
"""
_REMOVALS = """
select removal_id, kind, from_on, reason, decided_by, applied_at is not null as is_applied, removed, withdrawn_on,
    withdrawn_reason, withdrawn_by
from rights.removal where person_id = any(%s) order by removal_id
"""


def _receipts(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """The receipts, below home, of deliveries in which something was found of a row of the person."""
    found = connection.execute(
        "select distinct delivery_id from child_row inner join audit.finding using (delivery_id, row_number)"
        " where table_name = split_part(raw, '__', 2)"
    ).fetchall()
    places = receipts.places(connection, settings.partnership)
    return sorted(str(places[delivery]) for (delivery,) in found if delivery in places)


def _archived(settings: Settings, connection: psycopg.Connection, values: Sequence[str]) -> Iterator[Row]:
    """The files of the deliveries that have rows of the person, and whatever else in the archive holds their values."""
    files = connection.execute(
        "select coalesce(kept_as, sha256), feed, name, file_name, delivery_id in (select delivery_id from child_row)"
        " from landing.delivery_file inner join landing.delivery using (delivery_id)"
        " where partnership = %s and (removed_by is null or kept_as is not null)"
        " order by feed, name, file_name, delivery_id",
        [settings.partnership],
    ).fetchall()
    looked_in: dict[str, bool] = {}
    for sha256, feed, name, file_name, has_rows in files:
        if sha256 not in looked_in:
            looked_in[sha256] = _holds(settings.home / "archive" / sha256, values)
        if has_rows or looked_in[sha256]:
            yield {"feed": feed, "delivery": name, "file": file_name, "sha256": sha256, "holds": looked_in[sha256]}


def _holds(path: Path, values: Sequence[str]) -> bool:
    try:
        return bool(values) and canary.holds(path, values)
    except canary.Opaque:
        return True


def _lists(connection: psycopg.Connection, persons: Sequence[str]) -> dict[str, int]:
    """How many rows of the persons each table of candidates, marts and returns has."""
    rows_of = Counter[str]()
    for schema, table, column in removal.of_people(connection):
        query = sql.SQL("select count(*) from {} where {} = any(%s)").format(
            sql.Identifier(schema, table), sql.Identifier(column)
        )
        ((count,),) = connection.execute(query, [removal.names(connection, column, persons)]).fetchall()
        # A table that names a person in two ways has each row once.
        rows_of[f"{schema}.{table}"] = max(rows_of[f"{schema}.{table}"], count)
    return +rows_of


def _values(connection: psycopg.Connection, persons: Sequence[str]) -> Iterator[Row]:
    """Every row with its values: store, place, where it came from, and `values` by column."""
    for holding in holdings().values():
        yield from _of_table(connection, holding)
    for row in warehouse.ask(
        connection,
        "select delivery.feed, child_row.raw as table, name as delivery, row_number, quarantine.raw as row, reasons"
        " from child_row inner join landing.delivery using (delivery_id) inner join landing.quarantine"
        " using (delivery_id, row_number) where is_quarantined and table_name = split_part(child_row.raw, '__', 2)"
        " order by 1, 2, 3, 4",
    ):
        kept = {"row as it arrived": row.pop("row"), "why it was set aside": row.pop("reasons")}
        yield {"store": "quarantine", **row, "values": kept}
    for schema, table, column in [("identity", "profile", "person_id"), *removal.of_people(connection)]:
        query = sql.SQL("select * from {} where {} = any(%s)").format(
            sql.Identifier(schema, table), sql.Identifier(column)
        )
        for row in warehouse.ask(connection, query, [removal.names(connection, column, persons)]):
            yield {"store": schema, "table": f"{schema}.{table}", "values": _filled(row)}


def _of_table(connection: psycopg.Connection, holding: Holding) -> Iterator[Row]:
    query = sql.SQL(
        "select name as delivery, source.* from child_row inner join landing.delivery using (delivery_id)"
        " inner join {} as source on _delivery_id = delivery_id and _row_number = row_number"
        " where raw = {} and not is_quarantined order by name, row_number"
    ).format(sql.Identifier(holding.schema, holding.raw), sql.Literal(holding.raw))
    for row in warehouse.ask(connection, query):
        yield {
            "store": "raw",
            "feed": holding.feed,
            "table": holding.raw,
            "delivery": row.pop("delivery"),
            "row_number": row.pop("_row_number"),
            "values": _filled(row),
        }


def _filled(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None and name != "_delivery_id"}
