"""XML to text in batches, as the contract's records lie in it: one table per record element, numbered in order.

No document type, no entities, no network; one top-level record is in memory at a time.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl
from lxml import etree

from send_returns.feeds import headers
from send_returns.feeds.chunk import Chunk, Mark, Refused
from send_returns.feeds.contract import Feed, Record, Table
from send_returns.feeds.source import Source

BATCH_ROWS = 20_000
ROOT = "Message"
Row = dict[str, Any]


def read(source: Source, feed: Feed) -> Iterator[Chunk]:
    """The rows of every table in the file, tables interleaved. Raises Refused for what is not well-formed XML."""
    if source.declares_entities:
        raise Refused(f"{source.shown}: it declares a document type, which no return has. Export it again without.")
    flattener = _Flattener(feed)
    try:
        events = etree.iterparse(
            str(source.path),
            events=("end",),
            tag=[f"{{*}}{element}" for element in flattener.streamed],
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        for _, element in events:
            flattener.enter(element)
            if flattener.waiting >= BATCH_ROWS:
                yield from flattener.chunks()
            _forget(element)
        root = events.root
    except etree.XMLSyntaxError as error:
        # The parser's own text may quote the file.
        line = error.position[0] if error.position else 0
        raise Refused(f"{source.shown}: not well-formed XML at line {line}. Was it cut short? Send it again.") from None
    if root.getroottree().docinfo.doctype:
        raise Refused(f"{source.shown}: it declares a document type, which no return has. Export it again without.")
    flattener.rest(root)
    yield from flattener.chunks()


def _forget(element: etree._Element) -> None:
    """Free a record that was read; its own node stays until the next one, because the parser still stands on it."""
    element.clear(keep_tail=True)  # type: ignore[call-arg]  # the stubs do not know it yet
    previous, parent = element.getprevious(), element.getparent()
    if parent is not None and previous is not None and previous.tag == element.tag:
        parent.remove(previous)


class _Place(NamedTuple):
    """A record element of a table, and the record elements directly within it."""

    table: Table
    record: Record
    by_header: dict[str, str]
    inner: "dict[str, _Place]"


class _Flattener:
    """Turns elements into rows. A leaf belongs to the nearest enclosing record, whatever wrappers are between."""

    def __init__(self, feed: Feed) -> None:
        places = {table.name: _Place(table, table.record, table.by_header, {}) for table in feed.tables if table.record}
        outer: dict[str, _Place] = {}
        for place in places.values():
            within = places[place.record.within].inner if place.record.within else outer
            within[place.record.element] = place
        # The record that spans the whole document cannot be streamed; those directly in it can.
        self._spanning = outer.get(ROOT)
        self._top = self._spanning.inner if self._spanning else outer
        self.streamed = tuple(self._top)
        self._counts = dict.fromkeys(places, 0)
        self._rows: dict[str, list[Row]] = {name: [] for name in places}
        self._marks: dict[str, list[Mark]] = {name: [] for name in places}
        self._tables = {name: place.table for name, place in places.items()}
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self.waiting = 0

    def enter(self, element: etree._Element) -> None:
        """Take a top-level record."""
        parent = {self._spanning.record.id: "1"} if self._spanning and self._spanning.record.id else {}
        place = self._top[_local(element.tag)]
        self._record(element, place, parent)
        # The text after an element is parsed after its end: what follows this one shows with the next.
        if (previous := element.getprevious()) is not None and (previous.tail or "").strip():
            self._mark(place, "F12", _local(element.tag), self._rows[place.table.name][-1])

    def rest(self, root: etree._Element) -> None:
        """Take the record that spans the document: what is beside the streamed records."""
        if self._spanning is not None and _local(root.tag) == ROOT:
            self._record(root, self._spanning, {}, is_spanning=True)

    def chunks(self) -> Iterator[Chunk]:
        """What has gathered, per table."""
        for name, rows in self._rows.items():
            if rows or self._marks[name]:
                # All columns of the contract: an element that does not occur is no missing column.
                columns = dict.fromkeys(column.name for column in self._tables[name].columns)
                columns |= dict.fromkeys(column for row in rows for column in row if column != "_row_number")
                frame = pl.DataFrame(
                    {column: [row.get(column) for row in rows] for column in columns},
                    schema=dict.fromkeys(columns, pl.String),
                )
                numbers = pl.Series("_row_number", [row["_row_number"] for row in rows], dtype=pl.Int32)
                yield Chunk(name, frame.with_columns(numbers), [], self._marks[name])
                self._rows[name], self._marks[name] = [], []
        self.waiting = 0

    def _record(self, element: etree._Element, place: _Place, parent: Row, *, is_spanning: bool = False) -> None:
        name, record = place.table.name, place.record
        self._counts[name] += 1
        ordinal = self._counts[name]
        own = {record.id: str(ordinal)} if record.id else {}
        row: Row = {**parent, **own, "_row_number": ordinal + 1}
        if record.value:
            row[record.value] = element.text
        self._rows[name].append(row)
        self.waiting += 1
        self._walk(element, place, row, own, is_spanning)

    def _walk(self, element: etree._Element, place: _Place, row: Row, own: Row, is_spanning: bool) -> None:
        if (text := element.text) and len(element) and text.strip():
            self._mark(place, "F12", _local(element.tag), row)
        for child in element:
            column, local = self._name(place, child.tag)
            if (tail := child.tail) and tail.strip():
                self._mark(place, "F12", column.lstrip("+"), row)
            if (nested := place.inner.get(local)) is not None:
                if not is_spanning:
                    self._record(child, nested, own)
            elif len(child):
                self._walk(child, place, row, own, is_spanning)
            elif column in row:
                self._mark(place, "F13", column.lstrip("+"), row)
                spare = f"+{column.lstrip('+')}_again"
                row[spare] = f"{row[spare]}; {child.text or ''}" if spare in row else child.text
            else:
                row[column] = child.text

    def _name(self, place: _Place, tag: str) -> tuple[str, str]:
        """The column that an element fills, and its name without a namespace."""
        if (known := self._names.get((place.table.name, tag))) is None:
            local = _local(tag)
            column = place.by_header.get(headers.squeeze(local)) or f"+{headers.snake(local)}"
            self._names[(place.table.name, tag)] = known = (column, local)
        return known

    def _mark(self, place: _Place, rule: str, field: str, row: Row) -> None:
        self._marks[place.table.name].append(Mark(rule, field, row["_row_number"]))


def _local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]
