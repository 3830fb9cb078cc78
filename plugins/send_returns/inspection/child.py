"""What the live marts and lists say of one child, in the tables that `child_pack.yml` declares."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from send_returns import feeds, layouts, warehouse
from send_returns.failure import Failure
from send_returns.identity import pseudonyms
from send_returns.returns.evidence import Run
from send_returns.returns.pages import uk_date

LISTS = ("return_annex_a__list_1", "return_annex_a__list_2")
# A code of ours that is words.
_WORDS = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)+")
Value = str | int | Decimal | date | bool | None


@dataclass(frozen=True, slots=True)
class Spec:
    """A table as it is declared. `columns`: house name to heading; `codes`: per column what a code means."""

    id: str
    title: str
    relation: str
    columns: Mapping[str, str]
    codes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one child. `headings`: each with whether its column has numbers. `rows`: texts for a reader."""

    id: str
    title: str
    headings: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """Tables of one matter. `empty`: the titles of those of which the records hold nothing."""

    id: str
    title: str
    tables: Sequence[Table]
    empty: Sequence[str]


@dataclass(frozen=True, slots=True)
class Limit:
    """What is to be done within a time limit, and where that is laid down."""

    event: str
    legal_source: str


def limits(seed: Path) -> dict[tuple[str, str], Limit]:
    """Every limit by clock and part, in its latest wording. `seed`: the clock parameters of the dbt project."""
    with seed.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["in_force_from_on"])
    return {(row["clock"], row["part"]): Limit(row["event"], row["legal_source"]) for row in rows}


def lock(connection: psycopg.Connection) -> None:
    """Keep the marts as they are until the transaction ends, in the order in which the gate's swap locks them."""
    relations = sorted({spec.relation for _, _, specs in _declared() for spec in specs} | _OTHERS)
    for relation in relations:
        connection.execute(sql.SQL("lock table {} in access share mode").format(sql.Identifier("marts", relation)))


def sections(
    connection: psycopg.Connection, run: Run, unique_id: str, limits: Mapping[tuple[str, str], Limit]
) -> list[Section]:
    """All sections on a child of the live run, whose tables the caller holds. Raises Failure for one on no list."""
    listed = _listed(connection, run, unique_id)
    row = connection.execute(
        "select child_key from identity.child_key join audit.run_key using (purpose, key_id)"
        " where run_id = %s and purpose = %s and person_id = %s",
        [run.run_id, pseudonyms.MARTS, unique_id],
    ).fetchone()
    if row is None:
        raise Failure(f"{unique_id} has no pseudonym in run {run.run_id}: run again, `send-returns run`.")
    found = [
        Section("listed", "The child as the list has them", [listed], []),
        _section("joined", "Who is joined, and how sure that is", list(_joined(connection, run, unique_id))),
    ]
    for section_id, title, specs in _declared():
        tables = [_table(connection, run, spec, row[0]) for spec in specs]
        if section_id == "ehc":
            tables = [_timeline(tables, specs), _clocks(connection, run, row[0], limits), *tables]
        found.append(_section(section_id, title, tables))
    return found


# Read beside the tables that child_pack.yml declares.
_OTHERS = {"dim_establishment", "fct_clock"}
_CLOCKS = {
    "started_on": "Began",
    "event": "What is to be done",
    "due_on": "By",
    "stopped_on": "Done",
    "outcome": "In time",
    "days_past_due": "Days past",
    "exemption": "Exemption",
    "legal_source": "Law or standard",
}
_CLOCK = """
select clock, part, started_on, due_on, stopped_on, outcome, exemption,
    case when outcome in ('late', 'overdue') then days_past_due end as days_past_due
from marts.fct_clock where partnership = %s and child_key = %s
"""
_JOINED = {
    "feed": "Feed",
    "state": "State",
    "method": "By",
    "score_pct": "How sure, %",
    "explanation": "Why",
    "records": "Records",
}
_METHODS = {
    "exact": "identifiers",
    "probabilistic": "likeness",
    "single": "nothing: one record",
    "unidentified": "nothing: it does not say who",
}
_JOIN = """
select feed, state, method, round((100 * min(score))::numeric, 2) as score_pct, explanation,
    count(*) as records
from identity.link inner join audit.run_delivery using (delivery_id)
where run_id = %s and person_id = %s group by feed, state, method, explanation
"""
_DECIDED = {"decided_on": "Decided", "verdict": "Verdict", "needed": "Reviewers needed"}
_DECISION = """
select (decided_at at time zone 'Europe/London')::date as decided_on, verdict, needed
from identity.decision
where partnership = %(partnership)s and exists (
    select from identity.profile as own where own.partnership = decision.partnership and own.person_id = %(person)s
    and own.profile_id in (left_id, right_id)
) and not exists (select from identity.decision as later where later.revokes = decision.decision_id)
and revokes is null
"""


@cache
def _declared() -> list[tuple[str, str, list[Spec]]]:
    text = (resources.files("send_returns.inspection") / "child_pack.yml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    lists = yaml.safe_load((resources.files("send_returns.feeds") / "contracts" / "codes.yml").read_text("utf-8"))
    return [
        (
            section["id"],
            section["title"],
            [
                Spec(
                    one["id"],
                    one["title"],
                    one["relation"],
                    one["columns"],
                    {
                        column: lists[name]
                        for column, name in {**content["codes"], **one.get("codes", {})}.items()
                        if column in one["columns"]
                    },
                )
                for one in section["tables"]
            ],
        )
        for section in content["sections"]
    ]


def _listed(connection: psycopg.Connection, run: Run, unique_id: str) -> Table:
    """What the Annex A list says of the child, a line for each of its columns."""
    for item in layouts.load("area_send_annex_a", run.as_of).lists:
        query = sql.SQL("select {} from {} where partnership = %s and unique_id = %s").format(
            sql.SQL(", ").join(sql.Identifier(column.name) for column in item.columns),
            sql.Identifier("returns", item.model),
        )
        row = connection.execute(query, [run.partnership, unique_id]).fetchone()
        if row is not None:
            pairs = zip((column.heading for column in item.columns), map(_text, row), strict=True)
            rows = [[heading, value or "none recorded"] for heading, value in pairs]
            return Table("listed", f"{item.name}: {item.scope}", [("Column", False), ("Value", False)], rows)
    raise Failure(f"{unique_id} is on neither list of run {run.run_id}: `send-returns inspection status` says who is.")


def _clocks(connection: psycopg.Connection, run: Run, child_key: str, limits: Mapping[tuple[str, str], Limit]) -> Table:
    rows = []
    for row in warehouse.ask(connection, _CLOCK, [run.partnership, child_key]):
        limit = limits[str(row["clock"]), str(row["part"])]
        rows.append(row | {"event": limit.event, "legal_source": limit.legal_source})
    return _shown("clocks", "Legal time limits and standards of education, health and care", _CLOCKS, rows)


def _joined(connection: psycopg.Connection, run: Run, unique_id: str) -> Iterator[Table]:
    records = warehouse.ask(connection, _JOIN, [run.run_id, unique_id])
    codes = {"feed": {feed.id: feed.name for feed in feeds.feeds()}, "method": _METHODS}
    yield _shown("joined_records", "Records taken for this child's", _JOINED, records, codes)
    named = {"partnership": run.partnership, "person": unique_id}
    decisions = warehouse.ask(connection, _DECISION, named)
    yield _shown("reviewers_decisions", "Decisions of reviewers", _DECIDED, decisions)


def _table(connection: psycopg.Connection, run: Run, spec: Spec, child_key: str) -> Table:
    columns = [
        sql.Identifier("establishment" if name == "establishment_name" else "fact", name) for name in spec.columns
    ]
    join = sql.SQL("left join marts.dim_establishment as establishment using (establishment_urn)")
    query = sql.SQL("select {} from {} as fact {} where fact.partnership = %s and fact.child_key = %s").format(
        sql.SQL(", ").join(columns),
        sql.Identifier("marts", spec.relation),
        join if "establishment_name" in spec.columns else sql.SQL(""),
    )
    rows = warehouse.ask(connection, query, [run.partnership, child_key])
    return _shown(spec.id, spec.title, spec.columns, rows, spec.codes)


def _timeline(tables: Sequence[Table], specs: Sequence[Spec]) -> Table:
    """What happened on which day, out of the other tables: every date of theirs but those by which something is due."""
    happened = []
    for table, spec in zip(tables, specs, strict=True):
        for position, name in enumerate(spec.columns):
            if name.endswith("_on") and not name.endswith("due_on"):
                heading = table.headings[position][0]
                days = {row[position] for row in table.rows if row[position]}
                happened += [(_iso(day), day, table.title, heading) for day in days]
    rows = [[day, title, what] for _, day, title, what in sorted(happened)]
    return Table("timeline", "Timeline", [("Day", False), ("Of", False), ("What", False)], rows)


def _iso(day: str) -> str:
    return "-".join(reversed(day.split("/")))


def _section(section_id: str, title: str, tables: Sequence[Table]) -> Section:
    filled = [table for table in tables if table.rows]
    return Section(section_id, title, filled, [table.title for table in tables if not table.rows])


def _shown(
    table_id: str,
    title: str,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Value]],
    codes: Mapping[str, Mapping[str, str]] | None = None,
) -> Table:
    """Rows in the order of their columns, none last, as a reader sees them; `rows` have a value for each column."""
    values = sorted(([row[name] for name in columns] for row in rows), key=_place)
    numbers = [
        any(isinstance(row[position], int | Decimal) and not isinstance(row[position], bool) for row in values)
        for position in range(len(columns))
    ]
    known = [(codes or {}).get(name, {}) for name in columns]
    texts = [
        [meanings.get(str(value)) or _text(value) for value, meanings in zip(row, known, strict=True)] for row in values
    ]
    return Table(table_id, title, list(zip(columns.values(), numbers, strict=True)), texts)


def _place(row: Sequence[Value]) -> list[tuple[bool, Any]]:
    return [(value is None, 0 if value is None else value) for value in row]


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return uk_date(value)
    text = str(value)
    return text.replace("_", " ") if _WORDS.fullmatch(text) else text
