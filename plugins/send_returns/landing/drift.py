"""Drift: what suppliers' files hold that the contract does not know, each with the contract change that lets it in.

Nothing of it is ever dropped: an unknown column is kept in `_extra`, an unknown code in its column, and the file itself
in the archive. A proposal holds a heading, or a code that is plainly a code; never a value that could be a person's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Json

from send_returns import clock, feeds, warehouse
from send_returns.failure import Failure
from send_returns.feeds import headers
from send_returns.feeds.contract import describe
from send_returns.landing.partnership import Partnership
from send_returns.landing.replacing import replacing
from send_returns.landing.replay import DRIFT, replay
from send_returns.settings import Settings

# A heading is said to mean a column when it is so like its name or a synonym, and so many of its cells fit its type.
LIKE = 0.6
FIT = 0.9
# A value is told as a code only when it looks like one and so many rows have it; else only how many there are.
CODE = "^[A-Za-z0-9_/-]{1,12}$"
CODE_ROWS = 10
# Of a column's cells that cannot be read, the share that makes it another type and not a slip.
RETYPED = 0.5
# What a column without a heading is called.
UNNAMED = re.compile(r"column_\d+_*")
# How a cell of each type looks, whatever its case.
DAY = r"^\d{1,4}[-/. ]([0-9]{1,2}|[a-z]{3,9})[-/. ]\d{1,4}( |t|$)"
FITTING = {
    "date": DAY,
    "timestamp": DAY,
    "integer": r"^[+-]?\d+(\.0+)?$",
    "boolean": "^(true|false|yes|no|y|n|1|0)$",
    "string": "",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """One line of `landing.drift`. `suggestion`: an operation of a contract change; empty: a person has to look."""

    drift_id: int
    feed: str
    table_name: str
    kind: str
    column_name: str
    subject: str
    suggestion: Mapping[str, Any]
    evidence: Mapping[str, Any]
    first_delivery: str
    state: str
    decided_by: str | None

    @property
    def words(self) -> str:
        """What the suggestion would do, for a person."""
        match dict(self.suggestion):
            case {"add_synonym": {"column": column}}:
                return f"heading of {column}"
            case {"add_column": {"property": {"logicalType": kind}}}:
                return f"new column ({kind})"
            case {"add_code": {"list": name}}:
                return f"code of list {name}"
            case {"set_type": {"type": kind}}:
                return f"type {kind}, in a new contract"
        return "look at the file"


# Table, kind, column, subject, suggestion and evidence.
Found = tuple[str, str, str, str, dict[str, Any], dict[str, Any]]


def propose(settings: Settings, organisation: str | None = None) -> int:
    """Renew the proposals from what is accepted now, of one organisation's feeds or of all; returns how many are open.

    One that was decided is not made again. One whose cause is gone, because the contract or the files changed, goes.
    """
    looked_at = feeds.feeds(organisation, changes=settings.changes)
    with warehouse.connect(settings, purpose="send-returns drift") as connection:
        connection.execute(warehouse.HASH_JOINS_ONLY)
        kept: list[int] = []
        for feed in looked_at:
            deliveries = connection.execute(
                "select delivery_id from landing.delivery where partnership = %s and feed = %s and status = 'accepted'"
                " order by reference_on, delivery_id",
                [settings.partnership, feed.id],
            ).fetchall()
            ids = [row[0] for row in deliveries]
            for table, kind, column, subject, suggestion, evidence in _found(connection, feed, settings.changes, ids):
                row = connection.execute(
                    "insert into landing.drift as known (partnership, feed, table_name, kind, column_name, subject,"
                    " suggestion, evidence, first_delivery_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                    " on conflict (partnership, feed, table_name, kind, column_name, subject) do update"
                    " set suggestion = case known.state when 'proposed' then excluded.suggestion"
                    " else known.suggestion end, evidence = excluded.evidence returning drift_id",
                    [
                        settings.partnership,
                        feed.id,
                        table,
                        kind,
                        column,
                        subject,
                        Json(suggestion),
                        Json({name: value for name, value in evidence.items() if name != "first"}),
                        evidence["first"],
                    ],
                ).fetchone()
                kept += row or []
        connection.execute(
            "delete from landing.drift"
            " where partnership = %s and feed = any(%s) and state = 'proposed' and drift_id <> all(%s)",
            [settings.partnership, [feed.id for feed in looked_at], kept],
        )
        open_ = connection.execute(
            "select count(*) from landing.drift where partnership = %s and state = 'proposed'", [settings.partnership]
        ).fetchone()
    return int(open_[0]) if open_ else 0


def proposals(connection: psycopg.Connection, partnership: str) -> list[Proposal]:
    """Every proposal of a partnership, the open ones first."""
    with connection.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(
            "select drift_id, drift.feed, table_name, kind, column_name, subject, suggestion, evidence,"
            " delivery.name as first_delivery, state, decided_by from landing.drift"
            " inner join landing.delivery on delivery_id = first_delivery_id where drift.partnership = %s"
            " order by state <> 'proposed', drift_id",
            [partnership],
        ).fetchall()


def reject(settings: Settings, number: int, by: str) -> Proposal:
    """Leave the contract as it is, and do not propose this again. Raises Failure."""
    with warehouse.connect(settings, purpose="send-returns drift reject") as connection:
        proposal = _open(connection, settings.partnership, number)
        _decide(connection, number, "rejected", by)
    return proposal


def accept(
    settings: Settings, number: int, by: str, as_of: date, meaning: str | None = None, of: Partnership | None = None
) -> dict[str, Any]:
    """Write the contract change of a proposal to `<home>/contracts/<feed>/` and read again what it lets in.

    `meaning`: another suggestion than the proposal's, `synonym:COLUMN` or `column`. Returns what `replay` counts.
    Raises Failure, with nothing changed, when the proposal is not open or has no change that can be made so.
    """
    with warehouse.connect(settings, purpose="send-returns drift accept") as connection:
        proposal = _open(connection, settings.partnership, number)
        operation = _meant(feeds.load(proposal.feed, changes=settings.changes), proposal, meaning)
        path = _write(settings, replace(proposal, suggestion=operation), operation)
        try:
            feeds.load(proposal.feed, changes=settings.changes)
        except Exception:
            path.unlink()
            raise
        _decide(connection, number, "accepted", by)
    return replay(settings, as_of, proposal.feed, of)


def _open(connection: psycopg.Connection, partnership: str, number: int) -> Proposal:
    for proposal in proposals(connection, partnership):
        if proposal.drift_id == number and proposal.state == "proposed":
            return proposal
    raise Failure(f"There is no open proposal {number}: `send-returns drift` lists them.")


def _decide(connection: psycopg.Connection, number: int, state: str, by: str) -> None:
    connection.execute(
        "update landing.drift set state = %s, decided_by = %s, decided_at = %s where drift_id = %s",
        [state, by, clock.now(), number],
    )


def _meant(feed: feeds.Feed, proposal: Proposal, meaning: str | None) -> dict[str, Any]:
    table = feed.table(proposal.table_name)
    if meaning is not None and proposal.kind == "header":
        kind, _, column = meaning.partition(":")
        if kind == "synonym" and column in {known.name for known in table.columns}:
            return _synonym(table, column, proposal.subject)
        if meaning == "column":
            return _new_column(table, proposal.subject, "string")
    if meaning is not None:
        raise Failure(f"Proposal {proposal.drift_id} cannot be that: a heading may be synonym:COLUMN or column.")
    if not proposal.suggestion or "set_type" in proposal.suggestion:
        raise Failure(
            f"Proposal {proposal.drift_id} is for a person to look at: it needs a new version of the contract itself."
        )
    return dict(proposal.suggestion)


def _write(settings: Settings, proposal: Proposal, operation: Mapping[str, Any]) -> Path:
    ((name, _),) = operation.items()
    folder = settings.folder("contracts", proposal.feed)
    path = folder / f"{proposal.drift_id}-{name.replace('_', '-')}-{headers.snake(proposal.subject)}.yml"
    change = {
        "feed": proposal.feed,
        "year": int(feeds.load(proposal.feed).version.partition(".")[0]),
        "reason": f"Accepted as drift {proposal.drift_id}: {proposal.kind} {proposal.subject} is {proposal.words}.",
        "source": f"Delivery {feeds.shown(proposal.first_delivery)}",
        "operations": [dict(operation)],
    }
    with replacing(path) as part:
        part.write_text(yaml.safe_dump(change, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _found(
    connection: psycopg.Connection, feed: feeds.Feed, changes: Path, deliveries: Sequence[int]
) -> Iterator[Found]:
    """What the accepted deliveries of a feed hold beyond its contract."""
    rows = connection.execute(
        "select rule, table_name, fields[1] as field, array_agg(distinct delivery_id), count(*) from audit.finding"
        " where delivery_id = any(%s) and rule = any(%s) and cardinality(fields) = 1"
        ' group by rule, table_name, fields[1] order by table_name collate "C", rule, fields[1] collate "C"',
        [list(deliveries), DRIFT],
    ).fetchall()
    order = {delivery: position for position, delivery in enumerate(deliveries)}
    tables = {table.name: table for table in feed.tables}
    lists = _lists(feed.id, changes)
    for rule, table_name, field, ids, count in rows:
        if table_name not in tables:
            continue
        table = tables[table_name]
        evidence = {"first": min(ids, key=lambda one: order[one]), "deliveries": len(ids), "rows": count}
        if rule == "F07":
            yield from _header(connection, table, field, ids, evidence)
        elif rule == "F02" and (table_name, field) in lists:
            yield from _codes(connection, table, field, lists[table_name, field], ids, evidence)
        elif rule == "F01":
            yield from _type(connection, table, field, ids, evidence)


def _header(
    connection: psycopg.Connection, table: feeds.Table, header: str, ids: list[int], evidence: dict[str, Any]
) -> Iterator[Found]:
    # A column of the contract that came twice is no drift.
    if UNNAMED.fullmatch(header) or headers.squeeze(header) in table.by_header:
        return
    absent = {
        row[0]
        for row in connection.execute(
            "select distinct fields[1] from audit.finding where delivery_id = any(%s) and rule = 'F08'"
            " and table_name = %s",
            [ids, table.name],
        )
    }
    raw = sql.Identifier(table.raw_schema, table.raw_name)
    filled, *fits = connection.execute(
        sql.SQL(
            "select count(cell), {} from (select _extra ->> %s as cell from {} where _delivery_id = any(%s)) as c"
        ).format(
            sql.SQL(", ").join(
                sql.SQL("count(*) filter (where cell ~* {})").format(sql.Literal(pattern))
                for pattern in FITTING.values()
            ),
            raw,
        ),
        [header, ids],
    ).fetchone() or (0, *[0] * len(FITTING))
    share = {kind: fit / filled if filled else 1.0 for kind, fit in zip(FITTING, fits, strict=True)}
    likely = [
        (_likeness(header, column), column.name)
        for column in table.columns
        if column.name in absent and share[column.type] >= FIT
    ]
    likeness, column = max(likely, key=lambda item: (item[0], item[1]), default=(0.0, ""))
    evidence = evidence | {"rows": filled}
    if likeness >= LIKE:
        evidence |= {"likeness": round(likeness, 2)}
        yield table.name, "header", "", header, _synonym(table, column, header), evidence
        return
    kind = next((k for k in ("integer", "date") if filled and share[k] >= FIT), "string")
    yield table.name, "header", "", header, _new_column(table, header, kind), evidence


def _likeness(header: str, column: feeds.Column) -> float:
    """How like a heading is to a column's names: as letters, or as words in whatever order."""
    words = set(headers.snake(header).split("_"))
    best = 0.0
    for name in (column.name, column.header, column.description, *column.synonyms):
        letters = SequenceMatcher(None, headers.squeeze(header), headers.squeeze(name), autojunk=False).ratio()
        theirs = set(headers.snake(name).split("_"))
        best = max(best, letters, len(words & theirs) / len(words | theirs))
    return best


def _synonym(table: feeds.Table, column: str, header: str) -> dict[str, Any]:
    return {"add_synonym": {"table": table.name, "column": column, "synonym": header}}


def _new_column(table: feeds.Table, header: str, kind: str) -> dict[str, Any]:
    described = {
        "name": header,
        "logicalType": kind,
        "description": "Sent by the supplier; not described yet",
        # What it may hold is not known, so it does not leave the raw room.
        "customProperties": [
            {"property": "personal_data", "value": "free_text"},
            {"property": "minimisation", "value": "drop"},
        ],
    }
    return {"add_column": {"table": table.name, "after": table.columns[-1].name, "property": described}}


def _codes(
    connection: psycopg.Connection,
    table: feeds.Table,
    column: str,
    name: str,
    ids: list[int],
    evidence: dict[str, Any],
) -> Iterator[Found]:
    told = connection.execute(
        sql.SQL(
            "select {column} as code, count(*), count(distinct _delivery_id) from {raw} where _delivery_id = any(%s)"
            " and (_delivery_id, _row_number) in (select delivery_id, row_number from audit.finding"
            " where delivery_id = any(%s) and rule = 'F02' and table_name = %s and fields = array[%s])"
            " and {column} ~ %s group by 1 having count(*) >= %s order by 1"
        ).format(column=sql.Identifier(column), raw=sql.Identifier(table.raw_schema, table.raw_name)),
        [ids, ids, table.name, column, CODE, CODE_ROWS],
    ).fetchall()
    for code, count, deliveries in told:
        change = {"add_code": {"list": name, "code": code, "meaning": f"{code}, not described yet"}}
        yield (
            table.name,
            "code",
            column,
            code,
            change,
            evidence | {"rows": count, "deliveries": deliveries},
        )
    rest = evidence["rows"] - sum(count for _, count, _ in told)
    if rest >= CODE_ROWS:
        yield table.name, "code", column, "", {}, evidence | {"rows": rest}


def _type(
    connection: psycopg.Connection, table: feeds.Table, column: str, ids: list[int], evidence: dict[str, Any]
) -> Iterator[Found]:
    (readable,) = connection.execute(
        sql.SQL("select count({}) from {} where _delivery_id = any(%s)").format(
            sql.Identifier(column), sql.Identifier(table.raw_schema, table.raw_name)
        ),
        [ids],
    ).fetchone() or (0,)
    if evidence["rows"] > RETYPED * (evidence["rows"] + readable):
        change = {"set_type": {"table": table.name, "column": column, "type": "string"}}
        yield table.name, "type", column, column, change, evidence | {"readable": readable}


def _lists(feed: str, changes: Path) -> dict[tuple[str, str], str]:
    """The name of the code list of each column that has one."""
    return {
        (table["name"], column["name"]): custom["value"]
        for table in describe(feed, changes=changes).document["schema"]
        for column in table["properties"]
        for custom in column.get("customProperties", [])
        if custom["property"] == "codes"
    }
