"""A delivery, read and decided against its feed's contract; knows no database."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath

import polars as pl

from send_returns.feeds import bundle, csv_reader, headers, recognition, xml_reader
from send_returns.feeds.checking import QUARANTINED, Checked, TableChecker, finding
from send_returns.feeds.chunk import Chunk, Refused
from send_returns.feeds.contract import Feed, Period, Table
from send_returns.feeds.source import Source, shown

# A file under a name of its own is of the table that has this share of its columns and what it cannot do without.
SHARE_TO_TELL = 0.5
# What a workbook's dates are written as, and a day that it holds as a mere number: five digits are 1927 to 2173.
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
SERIAL = r"^(\d{5})(?:\.\d+)?$"
DAY_0 = date(1899, 12, 30)
YEARS = range(1990, 2100)
# The sheets of our own templates that hold no rows.
TEMPLATE_SHEETS = ("Guide", "Codes")


@dataclass(slots=True)
class Counts:
    """Rows of a table: in = loaded + quarantined. A row whose cells are all empty is not a row."""

    loaded: int = 0
    quarantined: int = 0

    @property
    def rows_in(self) -> int:
        """Every row that arrived."""
        return self.loaded + self.quarantined


class Delivery:
    """One file (XML, workbook, zip, or CSV of a feed of one table) or one set of files of a feed.

    Go through `batches()` to its end; then `counts` and `period` hold. Whatever makes the whole unacceptable raises
    Refused on the way: the wrong feed or partner, no period, nothing readable, too much in quarantine.
    """

    def __init__(
        self,
        feed: Feed,
        name: str,
        sources: Sequence[Source],
        la_number: str | None = None,
        unpack_in: Path | None = None,
    ) -> None:
        """`la_number`: whose return it must be; None does not check that. `unpack_in`: where zips are opened."""
        self.feed, self.name, self._sources, self._la_number = feed, name, sources, la_number
        self._unpack_in = unpack_in
        self._shown = shown(name)
        self.counts: dict[str, Counts] = {}
        self._parts: Sequence[Source] = ()
        self._period: Period | None = None
        self._seen: dict[tuple[str, str], Counter[str]] = {
            where: Counter() for where in {*self._period_columns(), *([feed.partner] if feed.partner else [])}
        }

    @property
    def period(self) -> Period:
        """What the delivery is for, known after the last batch."""
        if self._period is None:
            raise RuntimeError("The period is known after the last batch.")
        return self._period

    def placed(self) -> list[tuple[Source, Table | None]]:
        """Which table each file is read as, of those that are; None: XML, all tables. Raises Refused."""
        with bundle.opened(self._sources, self._unpack_in) as self._parts:
            return self._assign()[0]

    def batches(self) -> Iterator[Checked]:
        """Every row, batch by batch and table by table, then the findings about whole tables. Raises Refused."""
        with bundle.opened(self._sources, self._unpack_in) as self._parts:
            likeness = recognition.looks_like(self._parts, self.name, self.feed)
            if likeness and likeness.feed.id != self.feed.id:
                raise Refused(f"{self._shown}: not {self.feed.id}. {likeness}")
            yield from self._batches()

    def _batches(self) -> Iterator[Checked]:
        feed = replace(self.feed, date_formats=tuple(dict.fromkeys((*self.feed.date_formats, *ISO))))
        is_workbook = any(part.sheet for part in self._parts)
        checkers = {table.name: TableChecker(feed if is_workbook else self.feed, table) for table in self.feed.tables}
        files, strangers = self._assign()
        for chunk in self._chunks(files):
            checked = checkers[chunk.table].check(chunk)
            counts = self.counts.setdefault(chunk.table, Counts())
            counts.loaded += checked.loaded.height
            counts.quarantined += checked.quarantined.height
            self._note(checked)
            yield checked
        self._settle()
        for table in self.feed.tables:
            found = [checkers[table.name].finish()]
            if table.name not in self.counts:
                found.append(finding("F09", table.name))
            yield self._remarks(table, found)
        notes = [finding("F14", "") for stranger in strangers if stranger.sheet not in TEMPLATE_SHEETS]
        if self.feed.partner and not self._seen[self.feed.partner]:
            notes.append(finding("F15", *self.feed.partner))
        if notes:
            yield self._remarks(self.feed.tables[0], notes)

    def _remarks(self, table: Table, found: list[pl.DataFrame]) -> Checked:
        return Checked(table, pl.DataFrame(), pl.DataFrame(schema=QUARANTINED), pl.concat(found))

    def _assign(self) -> tuple[list[tuple[Source, Table | None]], list[Source]]:
        """Which table each file holds (None: XML, all of them), and files that belong to none."""
        documents = [source for source in self._parts if source.is_xml]
        if documents:
            if len(documents) > 1:
                raise Refused(f"{self._shown}: {len(documents)} XML files. A delivery has one: send each by itself.")
            if not any(table.record for table in self.feed.tables):
                raise Refused(f"{documents[0].shown}: {self.feed.id} does not come as XML. Send the CSV files.")
            return [(documents[0], None)], [source for source in self._parts if source is not documents[0]]
        files: dict[str, tuple[Source, Table | None]] = {}
        unnamed = []
        for source in self._parts:
            table = self._named(source)
            if table is None:
                unnamed.append(source)
            elif table.name in files:
                raise self._both(files[table.name][0], source, table)
            else:
                files[table.name] = (source, table)
        strangers = []
        for source in unnamed:
            table = self._headed(source, [table for table in self.feed.tables if table.name not in files])
            if table is None:
                self._forbid_twin(source, files)
                strangers.append(source)
            else:
                files[table.name] = (source, table)
        if not files:
            # With nothing else to take, any header will do, if it is the only one.
            found = [(s, table) for s in strangers for table in self.feed.tables if self._header(s, table)]
            if len(found) == 1:
                return [*found], [source for source in strangers if source is not found[0][0]]
            known = ", ".join(table.name for table in self.feed.tables)
            raise Refused(f"{self._shown}: no file of {self.feed.id} is in it. Name the files after {known}.")
        return [files[table.name] for table in self.feed.tables if table.name in files], strangers

    def _both(self, one: Source, other: Source, table: Table) -> Refused:
        return Refused(
            f"{self._shown}: {one.shown} and {other.shown} are both {table.name}."
            " Send one file per table, another period as another delivery."
        )

    def _forbid_twin(self, source: Source, files: Mapping[str, tuple[Source, Table | None]]) -> None:
        """Refuse a file of no name that has all the columns of one that is taken: its rows would be left out."""
        table = self._headed(source, self.feed.tables)
        if table and table.name in files:
            own, taken = self._header(source, table), self._header(files[table.name][0], table)
            if own and taken and {n for n in taken.names if n[:1] != "+"} <= set(own.names):
                raise self._both(files[table.name][0], source, table)

    def _named(self, source: Source) -> Table | None:
        """The table that a file's or sheet's name says it holds."""
        if source.container:
            return None
        if source.sheet is not None:
            sheet, key = source.sheet, headers.squeeze(source.sheet)
            return next(
                (
                    table
                    for table in self.feed.tables
                    if (table.sheet and table.sheet.search(sheet)) or headers.squeeze(table.name) == key
                ),
                None,
            )
        # A file name may contain the names of several tables: the one that comes last is what it holds.
        file = PurePosixPath(source.name).name
        hits = [(match.start(), table) for table in self.feed.tables if (match := table.file.search(file))]
        return max(hits, key=lambda hit: hit[0])[1] if hits else None

    def _headed(self, source: Source, tables: Sequence[Table]) -> Table | None:
        """The one table whose headings a file has, whatever its name is."""
        fits = []
        for table in tables:
            header = self._header(source, table)
            names = set(header.names) if header else set()
            known = sum(column.name in names for column in table.columns)
            if known >= len(table.columns) * SHARE_TO_TELL and all(
                column.name in names for column in table.columns if column.essential
            ):
                fits.append((known, table))
        most = max((known for known, _ in fits), default=0)
        best = [table for known, table in fits if known == most]
        return best[0] if len(best) == 1 else None

    def _header(self, source: Source, table: Table) -> headers.Header | None:
        try:
            return None if source.container else csv_reader.find_header(source, table)
        except UnicodeDecodeError:
            return None

    def _chunks(self, files: list[tuple[Source, Table | None]]) -> Iterator[Chunk]:
        for source, table in files:
            if table is None:
                yield from xml_reader.read(source, self.feed)
            else:
                self.counts.setdefault(table.name, Counts())
                for chunk in csv_reader.read(source, table):
                    yield _dated(chunk, table) if source.sheet else chunk

    def _period_columns(self) -> list[tuple[str, str]]:
        rule = self.feed.period
        columns = [*rule.key, *([rule.reference] if rule.reference else [])]
        return [(rule.table, column) for column in columns] if rule.table else []

    def _note(self, checked: Checked) -> None:
        """Count the values of the columns that say whose the delivery is and for when."""
        for (table, column), counter in self._seen.items():
            if table == checked.table.name:
                values = checked.loaded[column].drop_nulls().cast(pl.String).value_counts()
                counter.update(dict(values.iter_rows()))

    def _most(self, table: str | None, column: str | None) -> str | None:
        counter = self._seen.get((table or "", column or ""))
        return min(counter, key=lambda value: (-counter[value], value)) if counter else None

    def _settle(self) -> None:
        """Judge the delivery as a whole."""
        rows = sum(counts.rows_in for counts in self.counts.values())
        out = sum(counts.quarantined for counts in self.counts.values())
        # A header that another return shares, such as Message with Year and LEA, is not yet one of this feed.
        headed = self.feed.partner[0] if self.feed.partner else None
        if not any(counts.rows_in for name, counts in self.counts.items() if name != headed):
            raise Refused(f"{self._shown}: no row of {self.feed.id} is in it. Check that the export ran.")
        if out > rows * self.feed.tolerance:
            worst = max(self.counts, key=lambda name: (self.counts[name].quarantined, name))
            raise Refused(
                f"{self._shown}: {out:,} of {rows:,} rows cannot be taken, most in {worst};"
                f" {self.feed.tolerance:.0%} may. Run `send-returns check` on it, correct and send again."
            )
        if self.feed.partner and self._la_number:
            stated = self._most(*self.feed.partner)
            if stated is not None and stated != self._la_number:
                whose = f"local authority {stated}" if re.fullmatch("[0-9]{3}", stated) else "another authority"
                raise Refused(
                    f"{self._shown}: its {self.feed.partner[1].upper()} is not {self._la_number}, the partnership's."
                    f" It looks like {self.feed.id} of {whose}. Send it to that partnership."
                )
        self._period = self._find_period()

    def _find_period(self) -> Period:
        rule = self.feed.period
        stated = self._most(rule.table, rule.reference)
        key = [self._most(rule.table, column) for column in rule.key]
        if stated and key and None not in key:
            period = Period("_".join(str(part) for part in key), date.fromisoformat(stated))
        else:
            named = self._named_period()
            if named is None:
                where = f"{rule.table}'s {', '.join(rule.key or ())}" if rule.key else "the delivery's name"
                raise Refused(
                    f"{self._shown}: the period that it is for is not in {where}. Put it there and send again."
                )
            period = Period(named.key, date.fromisoformat(stated)) if stated else named
        if period.reference_on.year not in YEARS:
            raise Refused(
                f"{self._shown}: the period that it is for is outside the years {YEARS[0]} to {YEARS[-1]}."
                " Correct it and send again."
            )
        return period

    def _named_period(self) -> Period | None:
        """The period that the delivery's or a file's name states."""
        rule = self.feed.period
        for name in (self.name, *(source.name for source in (*self._sources, *self._parts))):
            if (pattern := next((pattern for pattern in rule.names if pattern.search(name)), None)) is None:
                continue
            # A day that does not exist is not taken for its year.
            if period := replace(rule, names=(pattern,)).from_name(name):
                return period
            raise Refused(f"{self._shown}: the date in its name does not exist. Name it after the right day.")
        return None


def _dated(chunk: Chunk, table: Table) -> Chunk:
    """The chunk with the days that a workbook holds as numbers written out."""
    columns = [c.name for c in table.columns if c.type in ("date", "timestamp") and c.name in chunk.frame.columns]
    serials = [
        pl.coalesce(
            (pl.lit(DAY_0) + pl.duration(days=pl.col(name).str.extract(SERIAL).cast(pl.Int64))).cast(pl.String), name
        ).alias(name)
        for name in columns
    ]
    return replace(chunk, frame=chunk.frame.with_columns(serials))
