"""The inbox, written a block of children at a time: what a later block adds goes to the end of the same files."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import polars as pl
import xlsxwriter

from send_returns.simulate import text
from send_returns.simulate.mess import broken_lines
from send_returns.simulate.text import PERSON, Table

# Every workbook says that it was made then, so that the same rows are the same bytes.
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook's property has no time zone


class Inbox:
    """Use as a context: only when it ends is every file whole.

    `counts`: rows written so far, by `organisation/feed/delivery/table`.
    """

    def __init__(self, folder: Path, mess: str) -> None:
        self.counts: dict[str, int] = {}
        self._folder, self._mess = folder, mess
        # An empty frame with the headings of each table, and what is written of it: rows, and keys of shared rows.
        self._tables: dict[tuple[str, str], Table] = {}
        self._rows: dict[tuple[str, str], int] = defaultdict(int)
        self._shared: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._sheets: dict[tuple[str, str], list[pl.DataFrame]] = defaultdict(list)

    def __enter__(self) -> "Inbox":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if not failed:
            self._finish()

    def add(self, tables: list[Table]) -> list[tuple[Table, int]]:
        """Write a block's tables; those written of each, and after how many rows of earlier blocks."""
        added = []
        for path, group in groupby(tables, key=lambda table: table.path):
            same_file = [self._fresh(table) for table in group]
            added += [(table, self._rows[path, table.name]) for table in same_file]
            self._write(self._folder / path, same_file)
            for table in same_file:
                self._count(table, len(table.frame))
                self._tables[path, table.name] = replace(table, frame=table.frame.clear())
        return added

    def _fresh(self, table: Table) -> Table:
        """The table without the rows that an earlier block wrote."""
        if table.key is None:
            return table
        known = self._shared[table.path, table.name]
        fresh = table.frame.filter(~pl.col(table.key).is_in(list(known)))
        known.update(fresh[table.key])
        return replace(table, frame=fresh)

    def _write(self, file: Path, tables: list[Table]) -> None:
        first = tables[0]
        is_new = (first.path, first.name) not in self._tables
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".xlsx":
            for table in tables:
                self._sheets[table.path, table.name].append(table.frame)
        elif file.suffix == ".xml":
            frames = {table.name: table.frame for table in tables}
            document = text.DOCUMENTS[first.feed]
            with file.open("a", encoding="utf-8") as target:
                if is_new:
                    target.write(document.start(frames))
                target.writelines(text.rendered(document.records, frames))
        else:
            (table,) = tables
            frame = table.frame.drop(PERSON, strict=False)
            with file.open("ab") as target:
                if table.feed == "gias":
                    target.write(frame.write_csv(include_header=is_new).encode("cp1252", errors="replace"))
                else:
                    frame.write_csv(target, include_header=is_new)

    def _count(self, table: Table, rows: int) -> None:
        self._rows[table.path, table.name] += rows
        name = "/".join([*table.path.split("/")[:2], table.delivery, table.name])
        self.counts[name] = self.counts.get(name, 0) + rows

    def _finish(self) -> None:
        for path, group in groupby(self._tables.values(), key=lambda table: table.path):
            file, tables = self._folder / path, list(group)
            if file.suffix == ".xlsx":
                self._write_workbook(file, tables)
            elif file.suffix == ".xml":
                with file.open("a", encoding="utf-8") as target:
                    target.write(text.DOCUMENTS[tables[0].feed].end)
            else:
                (table,) = tables
                lines = broken_lines(table, self._rows[path, table.name], self._mess)
                if lines:
                    with file.open("ab") as target:
                        target.write(lines)
                    self._count(table, lines.count(b"\n"))

    def _write_workbook(self, file: Path, tables: list[Table]) -> None:
        """A sheet for each table, every cell text."""
        options = {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
        with xlsxwriter.Workbook(str(file), options) as workbook:
            workbook.set_properties({"created": _MADE})
            for table in tables:
                sheet = workbook.add_worksheet(table.name)
                frame = pl.concat(self._sheets.pop((table.path, table.name))).drop(PERSON, strict=False)
                for number, row in enumerate([tuple(frame.columns), *frame.iter_rows()]):
                    for column, cell in enumerate(row):
                        if cell is not None:
                            sheet.write_string(number, column, cell)
