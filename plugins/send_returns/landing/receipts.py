"""The receipt: what a supplier is told of its delivery, as a workbook and as JSON, in its outbox. Never a value.

In the shape of a submission report: a summary, findings by rule, then the rows to fix, by row number and record key.
"""

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from psycopg import sql
from psycopg.rows import class_row
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from send_returns import clock, feeds, warehouse
from send_returns.landing.arrival import Owed, owed
from send_returns.landing.replacing import replacing
from send_returns.settings import Settings

# Raised when what is in a receipt changes, so that those written before are written again.
LAYOUT = 1
MOST_ROWS = 1_048_575  # of a worksheet, below the header
LONGEST_CELL = 32_767
STATUS = {
    "accepted": "Accepted",
    "refused": "Refused: nothing of it was taken",
    "superseded": "Superseded: a later delivery has taken its place",
    "held": "Held: it is kept, and does not replace what is newer",
    "duplicate": "Duplicate: the same data were here already",
}
SEVERITIES = {"error": "Errors", "warning": "Warnings", "info": "For information"}
CHECK = "Run `send-returns check` on the files before you send: it finds the same, and leaves no trace."


@dataclass(frozen=True, slots=True)
class _Delivery:
    delivery_id: int
    organisation: str
    feed: str
    contract_version: str
    name: str
    content_sha256: str
    period_key: str | None
    reference_on: date | None
    status: str
    reason: str | None
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_erased: int
    received_at: datetime
    is_expired: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """The findings of one kind, `rows` as a spreadsheet numbers them; None: the whole table."""

    rule: str
    severity: str
    table: str
    fields: tuple[str, ...]
    message: str
    rows: list[int | None]

    @property
    def action(self) -> str:
        """What became of it and what to do, without what is wrong."""
        action = feeds.RULES[self.rule].action if self.rule in feeds.RULES else ""
        return action if self.message.endswith(action) else ""

    @property
    def words(self) -> str:
        """What is wrong."""
        return self.message.removesuffix(self.action).strip()


@dataclass(frozen=True, slots=True)
class _Receipt:
    delivery: _Delivery
    feed: feeds.Feed | None
    tables: list[tuple[str, int, int, int, int]]
    files: list[tuple[str, str, int, str | None]]
    groups: list[_Group]
    keys: dict[tuple[str, int], str]
    owed: list[Owed]
    as_of: date

    @property
    def to_do(self) -> str:
        """The one thing that the supplier does next."""
        delivery = self.delivery
        if delivery.status == "refused":
            return f"Correct what is said above and send it again. {CHECK}"
        if delivery.status == "held":
            return "Tell the partnership if it is to replace the newer delivery; else there is nothing to do."
        if delivery.status != "accepted":
            return "Nothing: what is held of this period is complete without it."
        if delivery.rows_quarantined:
            return (
                f"{delivery.rows_quarantined:,} row(s) could not be taken and wait in quarantine. Correct them at"
                f" source (see Rows to fix) and send the whole delivery again: it takes the place of this one. {CHECK}"
            )
        if any(group.severity == "error" for group in self.groups):
            return (
                f"All rows are taken. Correct the errors at source, so that the next delivery is free of them. {CHECK}"
            )
        return "Nothing to send again: all rows are taken."


def write(settings: Settings, as_of: date, organisation: str | None = None) -> int:
    """Write the receipt of every delivery whose outcome is not yet in the outbox; returns how many were written.

    `<home>/outbox/<organisation>/<feed>/<delivery>/receipt.xlsx` and `receipt.json`. A receipt that tells of the
    outcome already is left as it is; what is still owed is as of the day on which it was written. The receipt of a
    delivery whose time is over goes.
    """
    known = {feed.id: feed for feed in feeds.feeds(changes=settings.changes)}
    written = 0
    with warehouse.connect(settings, purpose="send-returns receipts") as connection:
        still_owed = owed(connection, settings.partnership, as_of)
        for delivery, name in _named(_deliveries(connection, settings.partnership, organisation)):
            if delivery.is_expired:
                shutil.rmtree(settings.home / _place(delivery, name), ignore_errors=True)
                continue
            folder = settings.folder(*_place(delivery, name).parts)
            fingerprint = _fingerprint(delivery)
            if _written(folder) == fingerprint:
                continue
            receipt = _receipt(connection, delivery, known.get(delivery.feed), still_owed, as_of)
            with replacing(folder / "receipt.xlsx") as path:
                _workbook(path, receipt)
            # Last, because it says that both are there.
            with replacing(folder / "receipt.json") as path:
                _json(path, receipt, fingerprint)
            written += 1
    return written


def places(connection: psycopg.Connection, partnership: str) -> dict[int, Path]:
    """The folder below home that each delivery's receipt is in."""
    return {
        delivery.delivery_id: _place(delivery, name)
        for delivery, name in _named(_deliveries(connection, partnership, None))
    }


def _deliveries(connection: psycopg.Connection, partnership: str, organisation: str | None) -> list[_Delivery]:
    """The last reading of everything that came, in the order in which it came."""
    with connection.cursor(row_factory=class_row(_Delivery)) as cursor:
        return cursor.execute(
            "select * from (select distinct on (feed, content_sha256, named_for)"
            " delivery_id, organisation, feed, contract_version, name, content_sha256, period_key, reference_on,"
            " status, reason, rows_in, rows_loaded, rows_quarantined, rows_erased, received_at,"
            " expired_by is not null as is_expired from landing.delivery"
            " where partnership = %s and (%s::text is null or organisation = %s)"
            " order by feed, content_sha256, named_for, status = 'superseded', accepted_at desc nulls last,"
            " delivery_id) as reading order by received_at, delivery_id",
            [partnership, organisation, organisation],
        ).fetchall()


def _named(deliveries: Sequence[_Delivery]) -> Iterator[tuple[_Delivery, str]]:
    """Each delivery and the name of its folder: its own, where that is plain and no earlier one had it."""
    taken: set[tuple[str, str]] = set()
    for delivery in deliveries:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", delivery.name)[:100].lstrip(".") or "_"
        if name != delivery.name or (delivery.feed, name) in taken:
            # No name has `~` of its own, so none can be that of another delivery.
            name = f"{name}~{delivery.content_sha256[:12]}"
        taken.add((delivery.feed, name))
        yield delivery, name


def _place(delivery: _Delivery, name: str) -> Path:
    return Path("outbox", delivery.organisation, delivery.feed, name)


def _fingerprint(delivery: _Delivery) -> str:
    """What a receipt depends on. The findings of one reading are those of its id, or else its reason has changed."""
    return hashlib.sha256(f"{LAYOUT} {delivery}".encode()).hexdigest()


def _written(folder: Path) -> str | None:
    """The fingerprint of the receipt that is there."""
    try:
        with (folder / "receipt.json").open(encoding="utf-8") as file:
            first = file.readline()
    except OSError:
        return None
    found = re.search(r'"fingerprint": "([0-9a-f]{64})"', first)
    return found.group(1) if found and (folder / "receipt.xlsx").is_file() else None


def _receipt(
    connection: psycopg.Connection,
    delivery: _Delivery,
    feed: feeds.Feed | None,
    still_owed: Sequence[Owed],
    as_of: date,
) -> _Receipt:
    tables = connection.execute(
        "select table_name, rows_in, rows_loaded, rows_quarantined, rows_erased from landing.delivery_table"
        ' where delivery_id = %s order by table_name collate "C"',
        [delivery.delivery_id],
    ).fetchall()
    files = connection.execute(
        "select file_name, sha256, bytes, encoding from landing.delivery_file where delivery_id = %s"
        ' order by file_name collate "C"',
        [delivery.delivery_id],
    ).fetchall()
    groups = [
        _Group(rule, severity, table, tuple(fields), message, rows)
        for rule, severity, table, fields, message, rows in connection.execute(
            "select rule, severity, table_name, fields, message, array_agg(row_number order by row_number)"
            " from audit.finding where delivery_id = %s group by rule, severity, table_name, fields, message"
            " order by array_position(array['error', 'warning', 'info'], severity),"
            ' rule collate "C", table_name collate "C", fields, message collate "C"',
            [delivery.delivery_id],
        )
    ]
    keys = dict(_keys(connection, delivery, feed, groups)) if feed else {}
    still = [one for one in still_owed if feed and one.supplier == feed.supplier]
    return _Receipt(delivery, feed, tables, files, groups, keys, still, as_of)


def _keys(
    connection: psycopg.Connection, delivery: _Delivery, feed: feeds.Feed, groups: Sequence[_Group]
) -> Iterator[tuple[tuple[str, int], str]]:
    """The record key of each row with a finding, where the contract has none of its columns as personal data."""
    for table in feed.tables:
        if not table.key or any(c.personal_data or c.check for c in table.columns if c.name in table.key):
            continue
        rows = sorted({row for group in groups if group.table == table.name for row in group.rows if row is not None})
        if not rows:
            continue
        query = sql.SQL("select _row_number, {} from {} where _delivery_id = %s and _row_number = any(%s)").format(
            sql.SQL(", ").join(map(sql.Identifier, table.key)), sql.Identifier(table.raw_schema, table.raw_name)
        )
        for number, *parts in connection.execute(query, [delivery.delivery_id, rows]):
            yield (table.name, number), _key(parts)
        for number, raw in connection.execute(
            "select row_number, raw from landing.quarantine where delivery_id = %s and table_name = %s",
            [delivery.delivery_id, table.name],
        ):
            row = json.loads(raw)
            if isinstance(row, dict):
                yield (table.name, number), _key([row.get(column) for column in table.key])


def _key(parts: Sequence[object]) -> str:
    return " / ".join("" if part is None else str(part) for part in parts).strip(" /")


def _json(path: Path, receipt: _Receipt, fingerprint: str) -> None:
    delivery = receipt.delivery
    head = {
        "fingerprint": fingerprint,
        "delivery": feeds.shown(delivery.name),
        "organisation": delivery.organisation,
        "feed": delivery.feed,
        "supplier": receipt.feed.supplier if receipt.feed else None,
        "contract_version": delivery.contract_version,
        "content_sha256": delivery.content_sha256,
        "received_at": delivery.received_at.isoformat(),
        "period": delivery.period_key,
        "describes": delivery.reference_on.isoformat() if delivery.reference_on else None,
        "status": delivery.status,
        "reason": delivery.reason,
        "to_do": receipt.to_do,
        "files": [
            {"file": feeds.shown(name), "sha256": sha256, "bytes": size, "encoding": encoding}
            for name, sha256, size, encoding in receipt.files
        ],
        "tables": [
            {
                "table": table,
                "rows_in": rows_in,
                "rows_loaded": loaded,
                "rows_quarantined": quarantined,
                "rows_erased": erased,
            }
            for table, rows_in, loaded, quarantined, erased in receipt.tables
        ],
        "still_owed_as_of": receipt.as_of.isoformat(),
        "still_owed": [
            {"feed": one.feed, "period": one.period, "due": one.due_on.isoformat(), "state": one.state}
            for one in receipt.owed
        ],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "findings": [')
        separator = "\n"
        for group in receipt.groups:
            known = {"rule": group.rule, "severity": group.severity, "table": group.table, "fields": group.fields}
            words = json.dumps({"message": group.message})[1:-1]
            start = json.dumps(known)[:-1]
            for row in group.rows:
                key = json.dumps(receipt.keys.get((group.table, row))) if row is not None else "null"
                number = "null" if row is None else row
                file.write(f'{separator}{start}, "row": {number}, "record_key": {key}, {words}}}')
                separator = ",\n"
        file.write("\n]}\n")


_FONT = {"font_name": "Arial", "font_size": 10, "valign": "top"}
_INK = "#1F3864"
_LINE = {"border": 1, "border_color": "#BFBFBF"}
_FORMATS: dict[str, dict[str, Any]] = {
    "title": {**_FONT, "bold": True, "font_size": 16, "font_color": _INK},
    "heading": {**_FONT, "bold": True, "font_size": 12, "font_color": _INK, "valign": "bottom"},
    "label": {**_FONT, **_LINE, "bold": True, "bg_color": "#F2F2F2", "text_wrap": True},
    "header": {**_FONT, **_LINE, "bold": True, "text_wrap": True, "font_color": "#FFFFFF", "bg_color": _INK},
    "text": {**_FONT, **_LINE, "num_format": "@", "text_wrap": True},
    "count": {**_FONT, **_LINE, "num_format": "#,##0", "align": "right", "indent": 1},
    "plain": {**_FONT},
}
_A4 = 9
Cell = str | int | None


class _Book:
    """The workbook's sheets, each written from top to bottom. Text is always text, whatever it begins with."""

    def __init__(self, workbook: xlsxwriter.Workbook, footer: str) -> None:
        self._workbook, self._footer = workbook, footer
        self.formats: dict[str, Format] = {name: workbook.add_format(how) for name, how in _FORMATS.items()}

    def sheet(self, name: str, title: str, widths: Sequence[int], *, landscape: bool = False) -> Worksheet:
        """A new sheet with its title in row 1."""
        sheet = self._workbook.add_worksheet(name)
        sheet.hide_gridlines(2)
        for index, width in enumerate(widths):
            sheet.set_column(index, index, width)
        if landscape:
            sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
        sheet.set_footer(f"&L&8{self._footer}&R&8&A, page &P of &N")
        sheet.set_row(0, 26)
        sheet.write_string(0, 0, title, self.formats["title"])
        return sheet

    def row(self, sheet: Worksheet, at: int, cells: Sequence[Cell], format_: str = "text") -> None:
        """One row; numbers stand right, and nothing is a formula."""
        for index, cell in enumerate(cells):
            if isinstance(cell, int):
                sheet.write_number(at, index, cell, self.formats["count"])
            elif cell:
                sheet.write_string(at, index, _fitting(cell), self.formats[format_])
            else:
                sheet.write_blank(at, index, None, self.formats[format_])

    def table(self, sheet: Worksheet, at: int, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
        """A header and its rows; returns the row below."""
        self.row(sheet, at, header, "header")
        for number, cells in enumerate(rows, start=at + 1):
            self.row(sheet, number, cells)
        return at + 1 + len(rows)


def _fitting(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _lines(text: str, width: int) -> int:
    """How many lines a text takes in a cell of so many digits; a spreadsheet does not work it out in merged cells."""
    return max(1, -(-len(text) * 10 // (width * 12)))


def _uk(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _workbook(path: Path, receipt: _Receipt) -> None:
    delivery = receipt.delivery
    workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
    # Spreadsheets show when a file was made: what it says would else be the only thing that differs the next time.
    workbook.set_properties({"title": "Receipt", "created": delivery.received_at.replace(tzinfo=None)})
    # In a footer `&` begins a command.
    book = _Book(workbook, f"{delivery.feed}, {feeds.shown(delivery.name)[:60]}".replace("&", "&&"))
    pages: tuple[Callable[[_Book, _Receipt], None], ...] = (_summary, _by_rule, _to_fix, _accepted, _still_owed)
    for page in pages:
        page(book, receipt)
    workbook.close()


def _summary(book: _Book, receipt: _Receipt) -> None:
    delivery, feed = receipt.delivery, receipt.feed
    widths = (30, 44, 14, 14, 14)
    sheet = book.sheet("Summary", "Receipt", widths)
    received = delivery.received_at.astimezone(clock.LONDON)
    period = delivery.period_key or "not known"
    if delivery.reference_on:
        period += f", as at {_uk(delivery.reference_on)}"
    facts = [
        ("Delivery", feeds.shown(delivery.name)),
        ("Feed", f"{feed.name} ({feed.id})" if feed else delivery.feed),
        ("From", feed.supplier if feed else delivery.organisation),
        ("Received", f"{received:%d/%m/%Y %H:%M}"),
        ("Period", period),
        ("Read under contract", delivery.contract_version),
        ("Outcome", STATUS[delivery.status]),
        *([("Why", delivery.reason)] if delivery.reason else []),
        ("What to do", receipt.to_do),
    ]
    at = 2
    for label, text in facts:
        sheet.set_row(at, 13 * _lines(text, sum(widths[1:])) + 4)
        sheet.write_string(at, 0, label, book.formats["label"])
        sheet.merge_range(at, 1, at, 4, "", book.formats["text"])
        sheet.write_string(at, 1, _fitting(text), book.formats["text"])
        at += 1

    def heading(text: str) -> None:
        nonlocal at
        sheet.set_row(at, 28)
        sheet.write_string(at, 0, text, book.formats["heading"])
        at += 1

    heading("Rows")
    meaning = {table.name: table.description for table in feed.tables} if feed else {}
    total = ("All tables", delivery.rows_in, delivery.rows_loaded, delivery.rows_quarantined, delivery.rows_erased)
    heads = ["Table", "What it holds", "Rows in", "Loaded", "Quarantined", *(["Removed"] if total[-1] else [])]
    rows: list[tuple[Cell, ...]] = [
        (name, meaning.get(name), *counts)[: len(heads)] for name, *counts in [*receipt.tables, total]
    ]
    at = book.table(sheet, at, heads, rows)
    heading("Findings")
    counted: Counter[str] = Counter()
    for group in receipt.groups:
        counted[group.severity] += len(group.rows)
    rules = {severity: len({g.rule for g in receipt.groups if g.severity == severity}) for severity in SEVERITIES}
    at = book.table(
        sheet,
        at,
        ("Severity", "", "Findings", "Rules"),
        [(words, "", counted[severity], rules[severity]) for severity, words in SEVERITIES.items()],
    )
    heading("Files")
    book.row(sheet, at, ("File", "SHA-256", "Bytes", "Encoding"), "header")
    for number, (name, sha256, size, encoding) in enumerate(receipt.files, start=at + 1):
        sheet.set_row(number, 13 * max(_lines(feeds.shown(name), widths[0]), 2) + 4)
        book.row(sheet, number, (feeds.shown(name), sha256, size, encoding or ""))


def _by_rule(book: _Book, receipt: _Receipt) -> None:
    widths = (7, 10, 20, 26, 42, 10, 42)
    sheet = book.sheet("Findings by rule", "Findings by rule", widths, landscape=True)
    book.row(
        sheet,
        2,
        ("Rule", "Severity", "Table", "Fields", "What is wrong", "Count", "What became of it, what to do"),
        "header",
    )
    for at, group in enumerate(receipt.groups, start=3):
        cells = (
            group.rule,
            group.severity,
            group.table,
            ", ".join(group.fields),
            group.words,
            len(group.rows),
            group.action,
        )
        sheet.set_row(at, 13 * max(_lines(str(cell), width) for cell, width in zip(cells, widths, strict=True)) + 4)
        book.row(sheet, at, cells)
    if not receipt.groups:
        sheet.write_string(3, 0, "Nothing was found.", book.formats["plain"])
    sheet.freeze_panes(3, 0)
    sheet.repeat_rows(2)


def _to_fix(book: _Book, receipt: _Receipt) -> None:
    sheet = book.sheet("Rows to fix", "Rows to fix", (26, 11, 34, 8, 44))
    to_fix = [group for group in receipt.groups if group.severity != "info"]
    total = sum(row is not None for group in to_fix for row in group.rows)
    note = f"{total:,} in all. Rows are numbered as a spreadsheet numbers them: the header is row 1."
    if total > MOST_ROWS - 4:
        note = f"The first {MOST_ROWS - 4:,} of {total:,}: the rest are in receipt.json."
    sheet.write_string(1, 0, note, book.formats["plain"])
    book.row(sheet, 3, ("Table", "Row", "Record key", "Rule", "Fields"), "header")
    text, count = book.formats["text"], book.formats["count"]
    at = 3
    for group in to_fix:
        fields = ", ".join(group.fields)
        for row in group.rows:
            if row is None or at == MOST_ROWS:
                continue
            at += 1
            sheet.write_string(at, 0, group.table, text)
            sheet.write_number(at, 1, row, count)
            if key := receipt.keys.get((group.table, row)):
                sheet.write_string(at, 2, _fitting(key), text)
            else:
                sheet.write_blank(at, 2, None, text)
            sheet.write_string(at, 3, group.rule, text)
            sheet.write_string(at, 4, fields, text)
    sheet.freeze_panes(4, 0)
    sheet.autofilter(3, 0, max(at, 4), 4)
    sheet.repeat_rows(3)


def _accepted(book: _Book, receipt: _Receipt) -> None:
    sheet = book.sheet("Accepted", "What was accepted", (30, 60, 14))
    meaning = {table.name: table.description for table in receipt.feed.tables} if receipt.feed else {}
    rows = [(table, meaning.get(table, ""), loaded) for table, _, loaded, *_ in receipt.tables]
    if receipt.delivery.status != "accepted":
        sheet.write_string(2, 0, f"{STATUS[receipt.delivery.status]}.", book.formats["plain"])
    elif rows:
        book.table(sheet, 2, ("Table", "What it holds", "Rows"), rows)


def _still_owed(book: _Book, receipt: _Receipt) -> None:
    sheet = book.sheet("Still owed", f"Still owed, as of {_uk(receipt.as_of)}", (30, 24, 14, 16))
    rows = [(one.feed, one.period, _uk(one.due_on), one.words) for one in receipt.owed]
    if rows:
        book.table(sheet, 2, ("Feed", "Period", "Due", "State"), rows)
    else:
        sheet.write_string(2, 0, "Nothing is owed.", book.formats["plain"])
