"""Copies of a delivery's files without some of their rows, for CSV and XML, and proved by reading both."""

import codecs
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO
from xml.parsers import expat

from send_returns.feeds import csv_reader, xml_reader
from send_returns.feeds.chunk import Refused
from send_returns.feeds.contract import Feed, Table
from send_returns.feeds.delivery import Delivery
from send_returns.feeds.source import CHUNK, Source, examine

# Row numbers by table. In XML a row is numbered as it lies among those of its table that are still in the file.
Rows = Mapping[str, Collection[int]]


class NotRedactable(Exception):
    """No copy can be made of which it is certain that it lacks those rows and no other."""


def copies(feed: Feed, name: str, sources: Sequence[Source], gone: Rows, folder: Path) -> dict[str, Path]:
    """A copy in `folder`, by the SHA-256 of the original, of each file that has rows to leave out.

    Row numbers of a CSV stay what they were: a row that is left out is an empty line. Raises NotRedactable for
    workbooks and zips, for what the contract does not take any more, and where the copies do not read as they should.
    """
    if any(source.container for source in sources):
        raise NotRedactable
    made: dict[str, Path] = {}
    # How many of the rows that stay cannot be taken is no question here.
    feed = replace(feed, tolerance=1.0)
    try:
        for number, (source, table) in enumerate(Delivery(feed, name, sources).placed()):
            path = folder / str(number)
            if table is None:
                _without_elements(source, feed, gone, path)
            elif gone.get(table.name):
                _without_lines(source, table, gone[table.name], path)
            else:
                continue
            made[source.sha256] = path
        before = _read(feed, name, sources)
        after = _read(feed, name, [_copied(source, made) for source in sources])
    except (Refused, UnicodeError, expat.ExpatError):
        raise NotRedactable from None
    is_xml = any(source.is_xml for source in sources)
    for table_name in before | after:
        kept, left_out = before.get(table_name, set()), set(gone.get(table_name, ()))
        found = after.get(table_name, set())
        if not left_out <= kept or len(found) != len(kept) - len(left_out) or not (is_xml or found == kept - left_out):
            raise NotRedactable
    return made


def _copied(source: Source, made: Mapping[str, Path]) -> Source:
    path = made.get(source.sha256)
    return replace(examine(path, source.name), sheet=source.sheet) if path else source


def _read(feed: Feed, name: str, sources: Sequence[Source]) -> dict[str, set[int]]:
    """The row numbers of each table, loaded and in quarantine. Raises Refused."""
    found: dict[str, set[int]] = {}
    for batch in Delivery(feed, name, sources).batches():
        for frame, column in ((batch.loaded, "_row_number"), (batch.quarantined, "row_number")):
            if frame.height:
                found.setdefault(batch.table.name, set()).update(frame[column].to_list())
    return found


def _without_lines(source: Source, table: Table, gone: Collection[int], path: Path) -> None:
    header = csv_reader.find_header(source, table)
    if header is None:
        raise NotRedactable
    with source.path.open("rb") as file:
        has_mark = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    encoding = "utf-8" if source.encoding == "utf-8-sig" and not has_mark else source.encoding
    left_out = frozenset(gone)
    with path.open("w", encoding=encoding, errors="surrogateescape", newline="") as copy:
        copy.write(header.text)
        for number, _, _, text in csv_reader.records(source, header):
            if number + header.line in left_out:
                text = "\r\n" if text.endswith("\r\n") else "\n"
            copy.write(text)


def _without_elements(source: Source, feed: Feed, gone: Rows, path: Path) -> None:
    """Leave out the top-level records of these numbers, each with all that is in it."""
    spans = _Spans(feed, gone)
    with source.path.open("rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            spans.feed(block)
        spans.close()
        file.seek(0)
        with path.open("wb") as copy:
            at = 0
            for start, end in spans.found:
                for block in _bytes(file, start - at):
                    copy.write(block)
                file.seek(end)
                at = end
            for block in iter(lambda: file.read(CHUNK), b""):
                copy.write(block)


def _bytes(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (block := file.read(min(size, CHUNK))):
        size -= len(block)
        yield block


class _Spans:
    """Where in a file, from byte to byte, the records to leave out are."""

    def __init__(self, feed: Feed, gone: Rows) -> None:
        self.found: list[tuple[int, int]] = []
        self._tables = xml_reader.streamed(feed)
        # The first record is row 2.
        self._gone = {element: {row - 1 for row in gone.get(table, ())} for element, table in self._tables.items()}
        self._counts = dict.fromkeys(self._tables, 0)
        self._depth = 0
        self._start: int | None = None
        self._is_over = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        # What comes next after an element says where it ended.
        self._parser.DefaultHandler = lambda _: self._next()
        self._parser.CharacterDataHandler = lambda _: self._next()

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""
        self._parser.Parse(block, False)

    def close(self) -> None:
        """There are no more."""
        self._parser.Parse(b"", True)

    def _begin(self, name: str, _: Mapping[str, str]) -> None:
        self._next()
        element = name.rpartition(" ")[2]
        if self._depth:
            self._depth += 1
        elif element in self._tables:
            self._depth = 1
            self._counts[element] += 1
            if self._counts[element] in self._gone[element]:
                self._start = self._parser.CurrentByteIndex

    def _end(self, _: str) -> None:
        self._next()
        if self._depth:
            self._depth -= 1
            self._is_over = self._depth == 0 and self._start is not None

    def _next(self) -> None:
        if self._is_over and self._start is not None:
            self.found.append((self._start, self._parser.CurrentByteIndex))
            self._start, self._is_over = None, False
