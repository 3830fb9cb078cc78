"""CSV to text in batches. Every record is yielded, or rejected with its reason; none is padded, cut or lost."""

import codecs
import csv
import io
import json
import sys
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from send_returns.feeds import headers
from send_returns.feeds.chunk import Chunk, Refused, Rejected
from send_returns.feeds.contract import Table
from send_returns.feeds.source import Source

HEAD_BYTES = 1 << 18
BLOCK_BYTES = 8 << 20
BATCH_ROWS = 20_000
LINE_LIMIT = 4 << 20
# A header row is one that has at least this share of the contract's columns.
HEADER_SHARE = 0.4
# What polars strips. Python also strips separators that are no white space, and so would lose a row of those.
BLANKS = " \t\n\r\x0b\x0c\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


def read(source: Source, table: Table) -> Iterator[Chunk]:
    """The rows of a file. Raises Refused when no row of its start is a header of `table`, or it is broken UTF-16."""
    try:
        yield from _read(source, table)
    except UnicodeDecodeError:
        # Bytes of UTF-16 that are no text cannot be told from their neighbours, as those of UTF-8 can.
        raise Refused(f"{source.shown}: not well-formed UTF-16. Was it cut short? Send it again, as UTF-8.") from None


def find_header(source: Source, table: Table) -> headers.Header | None:
    """The header of `table` at the start of a file, if it is there. Raises Refused, and UnicodeDecodeError."""
    with source.path.open("rb") as file:
        # A decoder that awaits more does not mind where the start of the file was cut off.
        decoder = codecs.getincrementaldecoder(source.encoding)("surrogateescape")
        head = decoder.decode(file.read(HEAD_BYTES))
    header = headers.find(head, table.by_header, max(1, round(len(table.columns) * HEADER_SHARE)))
    if header and len(header.names) > headers.MAX_COLUMNS:
        raise Refused(
            f"{source.shown}: more than {headers.MAX_COLUMNS:,} columns. Send the columns of {table.name} alone."
        )
    return header


def _read(source: Source, table: Table) -> Iterator[Chunk]:
    header = find_header(source, table)
    if header is None:
        raise Refused(
            f"{source.shown}: none of its first {headers.TITLE_ROWS} rows is the header of {table.name}."
            " Send the file with its column names, or put it under the feed that it belongs to."
        )
    done = 0
    if source.is_clean:
        fast = _Fast(source, table, header)
        try:
            yield from fast.chunks()
            return
        except pa.ArrowInvalid:
            # Such as a record longer than a block: the patient reader goes on where the fast one stopped.
            done = fast.done
    yield from _patient(source, table, header, done)


class _Stream(io.BufferedIOBase):
    """UTF-8 from the rest of a file, in reads that never end in a carriage return.

    Where one does, and the next begins with a line feed, pyarrow drops the line feed, even inside quotation marks.
    """

    def __init__(self, file: BinaryIO, encoding: str, skip: str) -> None:
        """`skip`: what has been read of the start of the file."""
        self._file, self._held = file, b""
        self._decoder = codecs.getincrementaldecoder(encoding)() if encoding != "utf-8-sig" else None
        self._skip = len(skip)
        if self._decoder is None:
            file.seek(len(skip.encode()) + (3 if file.read(3) == codecs.BOM_UTF8 else 0))

    def readable(self) -> bool:
        return True

    def peek(self) -> bool:
        """Whether there is anything to read."""
        self._fill(1)
        return bool(self._held)

    def _fill(self, limit: int) -> None:
        while len(self._held) < limit and (block := self._file.read(BLOCK_BYTES)):
            if self._decoder:
                text = self._decoder.decode(block)
                self._held += text[self._skip :].encode()
                self._skip = max(0, self._skip - len(text))
            else:
                self._held += block

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, `size` or one fewer; fewer still only at the end."""
        limit = sys.maxsize if size is None or size < 0 else size
        self._fill(limit)
        end = limit - 1 if limit > 1 and self._held[limit - 1 : limit] == b"\r" else limit
        block, self._held = self._held[:end], self._held[end:]
        return block


class _Fast:
    """pyarrow's streaming reader. `done`: how many records after the header it has yielded or rejected."""

    def __init__(self, source: Source, table: Table, header: headers.Header) -> None:
        self._source, self._table, self._header = source, table, header
        self._bad: list[tuple[int, str]] = []
        self.done = 0

    def _reject(self, row: arrow_csv.InvalidRow) -> str:
        if "\n" in row.text.rstrip():
            # It may hold whole rows, between two quotation marks that are not a pair.
            return "error"
        self._bad.append((row.number, row.text))
        return "skip"

    def chunks(self) -> Iterator[Chunk]:
        names = self._header.names
        with self._source.path.open("rb") as file:
            stream = _Stream(file, self._source.encoding, self._header.text)
            if not stream.peek():
                return
            reader = arrow_csv.open_csv(
                stream,
                # Only a single-threaded reader knows the number of a row that it cannot parse.
                arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=list(names)),
                arrow_csv.ParseOptions(
                    delimiter=self._header.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=self._reject,
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                if any(b"\n" in text.to_pybytes() for column in batch.columns if (text := column.buffers()[2])):
                    raise pa.ArrowInvalid("a cell of several lines: whether it is one is for the patient reader to say")
                yield self._chunk(batch)
        if self._bad:
            yield self._chunk(None)

    def _chunk(self, batch: pa.RecordBatch | None) -> Chunk:
        rows = 0 if batch is None else batch.num_rows
        numbers = np.arange(self.done + 1, self.done + 1 + rows + len(self._bad), dtype=np.int32)
        if self._bad:
            numbers = numbers[~np.isin(numbers, [number for number, _ in self._bad])]
        numbers = numbers[:rows]
        last = max((number for number, _ in self._bad), default=0) if batch is None else int(numbers[-1]) if rows else 0
        now = [(number, text) for number, text in self._bad if number <= last]
        self._bad = [(number, text) for number, text in self._bad if number > last]
        self.done = max(self.done, last)
        # Neighbouring rejects belong to this batch too, so that `done` never counts one twice.
        while self._bad and self._bad[0][0] == self.done + 1:
            now.append(self._bad.pop(0))
            self.done += 1
        frame = pl.DataFrame(schema=dict.fromkeys(self._header.names, pl.String))
        if batch is not None:
            frame = pl.DataFrame(pl.from_arrow(batch))
        return Chunk(
            self._table.name,
            frame.with_columns(_row_number=pl.Series(numbers + self._header.line, dtype=pl.Int32)),
            [
                Rejected(number + self._header.line, "F05", json.dumps(cells))
                for number, text in now
                for cells in [_cells(text, self._header.delimiter)]
                if any(cell.strip(BLANKS) for cell in cells)
            ],
        )


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        # Longer than that reader allows.
        return text.rstrip("\r\n").split(delimiter)


def _patient(source: Source, table: Table, header: headers.Header, done: int) -> Iterator[Chunk]:
    """The standard library's reader, which takes what pyarrow will not, from the record after the first `done`."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    rejected: list[Rejected] = []

    def chunk() -> Chunk:
        columns = dict(zip(header.names, zip(*rows, strict=True), strict=True)) if rows else {}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(header.names, pl.String))
        return Chunk(table.name, frame.with_columns(_row_number=pl.Series(numbers, dtype=pl.Int32)), rejected)

    for number, cells, is_whole, _ in records(source, header):
        if number <= done or not any(cell.strip(BLANKS) for cell in cells):
            continue
        row_number = number + header.line
        if any("\0" in cell or not _is_text(cell) for cell in cells):
            rejected.append(Rejected(row_number, "F10", json.dumps(cells)))
        elif not is_whole or len(cells) != len(header.names):
            rejected.append(Rejected(row_number, "F05", json.dumps(cells)))
        else:
            rows.append(cells)
            numbers.append(row_number)
        if len(rows) + len(rejected) >= BATCH_ROWS:
            yield chunk()
            rows, numbers, rejected = [], [], []
    yield chunk()


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def records(source: Source, header: headers.Header) -> Iterator[tuple[int, list[str], bool, str]]:
    """Records after the header: number from 1, cells, whether it is whole, and its text as it stands in the file.

    A quotation mark that is never closed, or by one within a later cell, would swallow the rows between as one record:
    only its first line is given up, and the lines after it are read afresh.
    """
    with source.path.open(encoding=source.encoding, errors="surrogateescape", newline="") as file:
        file.read(len(header.text))
        ahead: deque[str] = deque()
        number = 0
        finished = False
        while not finished:
            taken: list[str] = []

            def lines(taken: list[str] = taken) -> Iterator[str]:
                while line := ahead.popleft() if ahead else file.readline(LINE_LIMIT):
                    if len(line) == LINE_LIMIT:
                        raise Refused(
                            f"{source.shown}: a line is longer than {LINE_LIMIT:,} characters. Export it again."
                        )
                    taken.append(line)
                    yield line

            finished = True
            reader = csv.reader(lines(), delimiter=header.delimiter)
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    break
                except csv.Error:
                    cells = None
                if cells is not None and (len(taken) == 1 or _closes("".join(taken), header.delimiter)):
                    number += 1
                    yield number, cells, True, "".join(taken)
                    taken.clear()
                    continue
                number += 1
                yield number, taken[0].rstrip("\r\n").split(header.delimiter), False, taken[0]
                ahead.extendleft(reversed(taken[1:]))
                finished = False
                break


def _closes(text: str, delimiter: str) -> bool:
    try:
        list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True
