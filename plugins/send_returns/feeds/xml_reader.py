"""XML to text in batches, as the contract's records lie in it: one table per record element, numbered in order.

No document type, no entities, no network; one top-level record is in memory at a time.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl
from lxml import etree

from send_returns.feeds import headers
from send_returns.feeds.chunk import Chunk, Mark, Refused
from send_returns.feeds.contract import Feed, Record, Table
from send_returns.feeds.source import Source

BATCH_ROWS = 60_000
BLOCK_BYTES = 1 << 18
# A child's whole record is some kilobytes; what is longer would be held in memory.
RECORD_BYTES = 16 << 20
ENTITY_ERRORS = ("ERR_UNDECLARED_ENTITY", "WAR_UNDECLARED_ENTITY")
ROOT = "Message"
DECLARATIONS = tuple(
    mark.encode(code) for mark in ("!DOCTYPE", "!ENTITY") for code in ("ascii", "utf-16-le", "utf-16-be")
)
Row = list[Any]


def read(source: Source, feed: Feed) -> Iterator[Chunk]:
    """The rows of every table in the file, tables interleaved. Raises Refused for what is not well-formed XML."""
    if _declares_entities(source):
        raise Refused(f"{source.shown}: it declares a document type, which no return has. Export it again without.")
    flattener = _Flattener(feed)
    parser = etree.XMLPullParser(
        events=("end",),
        tag=[f"{{*}}{element}" for element in flattener.streamed],
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
    )
    try:
        for element in _records(source, parser):
            flattener.enter(element)
            if flattener.waiting >= BATCH_ROWS:
                yield from flattener.chunks()
            _forget(element)
        root: Any = parser.close()
    except etree.XMLSyntaxError:
        raise Refused(f"{source.shown}: {_why(parser)}") from None
    if root.getroottree().docinfo.doctype:
        raise Refused(f"{source.shown}: it declares a document type, which no return has. Export it again without.")
    flattener.rest(root)
    yield from flattener.chunks()


def streamed(feed: Feed) -> dict[str, str]:
    """The elements that are read one by one, and the table of each: a record of any other lies within one of them."""
    return _Flattener(feed).streamed_tables


def _records(source: Source, parser: etree.XMLPullParser) -> Iterator[Any]:
    """The streamed records as their ends are parsed. Raises XMLSyntaxError, and Refused where none ends for long."""
    since = 0
    with source.path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            parser.feed(block)
            since += len(block)
            for _, element in parser.read_events():
                since = 0
                yield element
            if since > RECORD_BYTES:
                raise Refused(
                    f"{source.shown}: {RECORD_BYTES >> 20} MB in which no record ends. Is it the return of this feed?"
                )


def _why(parser: etree.XMLPullParser) -> str:
    """What is wrong with the XML, in our words: the parser's own text may quote the file."""
    # The exception is of the last error, and of an entity knows no line.
    line, kind = next(((entry.line, entry.type_name) for entry in list(parser.feed_error_log)), (1, ""))
    if kind in ENTITY_ERRORS:
        return f"an entity at line {line} that XML does not have, such as &nbsp;. Write the character itself."
    return f"not well-formed XML at line {line}. Was it cut short? Send it again."


def _declares_entities(source: Source) -> bool:
    """Whether the file has a document type declaration anywhere: the door to entities and to reading other files."""
    edge = b""
    with source.path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if any(mark in edge + block for mark in DECLARATIONS):
                return True
            edge = block[-max(map(len, DECLARATIONS)) :]
    return False


def _forget(element: etree._Element) -> None:
    """Free a record that was read; its own node stays until the next one, because the parser still stands on it."""
    element.clear(keep_tail=True)  # type: ignore[call-arg]  # the stubs do not know it yet
    previous, parent = element.getprevious(), element.getparent()
    if parent is not None and previous is not None and previous.tag == element.tag:
        parent.remove(previous)


class _Place:
    """A record element of a table, the record elements directly within it, and the rows that were read of it.

    A row is a list: the table's columns, the row number, and what the contract does not know: texts by name, or None.
    """

    def __init__(self, table: Table, record: Record) -> None:
        self.table, self.record = table, record
        self.inner: dict[str, _Place] = {}
        self.count = 0
        self.rows: list[Row] = []
        self.marks: list[Mark] = []
        self._at = {column.name: position for position, column in enumerate(table.columns)}
        self.number = len(self._at)
        self.blank: Row = [None] * (self.number + 2)
        self.id = self._at.get(record.id or "")
        self.value = self._at.get(record.value or "")
        self._by_header = table.by_header
        self.parent_id: int | None = None
        self.targets: dict[str, tuple[int | None, _Place | None]] = {}

    def lies_in(self, parent: "_Place") -> None:
        """Make this record one of those directly within `parent`, whose id its rows carry."""
        parent.inner[self.record.element] = self
        self.parent_id = self._at.get(parent.record.id or "")

    def learn(self, tag: str) -> tuple[int | None, "_Place | None"]:
        """What an element in this record is, kept in `targets`: the position that it fills, or the record it opens."""
        local = _local(tag)
        target = self._at.get(self._by_header.get(headers.squeeze(local), "")), self.inner.get(local)
        self.targets[tag] = target
        return target

    def mark(self, rule: str, tag: str, row: Row) -> None:
        """Note a defect beside or in the element of that tag."""
        local = _local(tag)
        field = self._by_header.get(headers.squeeze(local), headers.snake(local))
        self.marks.append(Mark(rule, field, row[self.number]))

    def chunk(self) -> Chunk:
        """The rows since the last one."""
        *columns, numbers, unknown = zip(*self.rows, strict=True) if self.rows else [()] * len(self.blank)
        data: dict[str, list[Any]] = {f"+{name}": [] for row in unknown if row for name in row}
        for name, values in data.items():
            values += ["; ".join(row[name[1:]]) if row and name[1:] in row else None for row in unknown]
        frame = pl.DataFrame(
            [
                *(pl.Series(name, values, dtype=pl.String) for name, values in zip(self._at, columns, strict=True)),
                *(pl.Series(name, values, dtype=pl.String) for name, values in data.items()),
                pl.Series("_row_number", numbers, dtype=pl.Int32),
            ]
        )
        chunk = Chunk(self.table.name, frame, [], self.marks)
        self.rows, self.marks = [], []
        return chunk


class _Flattener:
    """Turns elements into rows. A leaf belongs to the nearest enclosing record, whatever wrappers are between."""

    def __init__(self, feed: Feed) -> None:
        self._places = {table.name: _Place(table, table.record) for table in feed.tables if table.record}
        outer: dict[str, _Place] = {}
        for place in self._places.values():
            if place.record.within:
                place.lies_in(self._places[place.record.within])
            else:
                outer[place.record.element] = place
        # The record that spans the whole document cannot be streamed; those directly in it can.
        self._spanning = outer.get(ROOT)
        self._top = self._spanning.inner if self._spanning else outer
        self.streamed = tuple(self._top)
        self.streamed_tables = {element: place.table.name for element, place in self._top.items()}
        self.waiting = 0

    def enter(self, element: etree._Element) -> None:
        """Take a top-level record."""
        place = self._top[_local(element.tag)]
        row = self._record(element, place, "1")
        # The text after an element is parsed after its end: what follows this one shows with the next.
        if (previous := element.getprevious()) is not None and (previous.tail or "").strip():
            place.mark("F12", element.tag, row)

    def rest(self, root: etree._Element) -> None:
        """Take the record that spans the document: what is beside the streamed records."""
        if self._spanning is not None and _local(root.tag) == ROOT:
            for element in [e for name in self.streamed for e in root.iter(f"{{*}}{name}")]:
                parent = element.getparent()
                if parent is None:
                    continue
                parent.remove(element)
                # A wrapper left empty would pass for an element with no value.
                if not len(parent) and (wrapper := parent.getparent()) is not None and not (parent.text or "").strip():
                    wrapper.remove(parent)
            self._record(root, self._spanning, "")

    def chunks(self) -> Iterator[Chunk]:
        """What has gathered, per table."""
        for place in self._places.values():
            if place.rows or place.marks:
                yield place.chunk()
        self.waiting = 0

    def _record(self, element: etree._Element, place: _Place, parent_id: str) -> Row:
        place.count += 1
        self.waiting += 1
        row = place.blank.copy()
        row[place.number] = place.count + 1
        own = str(place.count)
        if place.id is not None:
            row[place.id] = own
        if place.parent_id is not None:
            row[place.parent_id] = parent_id
        if place.value is not None:
            row[place.value] = element.text
        place.rows.append(row)
        self._walk(element, place, row, own)
        return row

    def _walk(self, element: etree._Element, place: _Place, row: Row, own: str) -> None:
        text = element.text
        if text is not None and len(element) and text.strip():
            place.mark("F12", element.tag, row)
        targets = place.targets
        for child in element:
            tag = child.tag
            position, nested = targets.get(tag) or place.learn(tag)
            tail = child.tail
            if tail is not None and tail.strip():
                place.mark("F12", tag, row)
            if nested is not None:
                self._record(child, nested, own)
            elif len(child):
                self._walk(child, place, row, own)
            elif position is not None and row[position] is None:
                row[position] = child.text
            else:
                self._aside(child, place, row, position)

    def _aside(self, child: etree._Element, place: _Place, row: Row, position: int | None) -> None:
        """Keep what has no column: an element that the contract does not know, or one that came before."""
        unknown = row[-1] = row[-1] or {}
        name = headers.snake(_local(child.tag))
        if position is not None:
            place.mark("F13", child.tag, row)
            name += "_again"
        unknown.setdefault(name, []).append(child.text or "")


def _local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]
