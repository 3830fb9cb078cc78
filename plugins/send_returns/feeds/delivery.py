"""A delivery, read and decided against its feed's contract; knows no database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from send_returns.feeds import csv_reader, xml_reader
from send_returns.feeds.checking import QUARANTINED, Checked, TableChecker, finding
from send_returns.feeds.chunk import Chunk, Refused
from send_returns.feeds.contract import Feed, Period, Table
from send_returns.feeds.source import Source


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
    """One file (XML, or a feed of one table) or one CSV set of a feed.

    Go through `batches()` to its end; then `counts` and `period` hold. Whatever makes the whole unacceptable raises
    Refused on the way: the wrong feed or partner, no period, nothing readable, too much in quarantine.
    """

    def __init__(self, feed: Feed, name: str, sources: Sequence[Source], la_number: str | None = None) -> None:
        """`la_number`: whose return it must be; None does not check that."""
        self.feed, self.name, self._sources, self._la_number = feed, name, sources, la_number
        self.counts: dict[str, Counts] = {}
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

    def batches(self) -> Iterator[Checked]:
        """Every row, batch by batch and table by table, then the findings about whole tables. Raises Refused."""
        checkers = {table.name: TableChecker(self.feed, table) for table in self.feed.tables}
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
        notes = [finding("F14", "") for _ in strangers]
        if self.feed.partner and not self._seen[self.feed.partner]:
            notes.append(finding("F15", *self.feed.partner))
        if notes:
            yield self._remarks(self.feed.tables[0], notes)

    def _remarks(self, table: Table, found: list[pl.DataFrame]) -> Checked:
        return Checked(table, pl.DataFrame(), pl.DataFrame(schema=QUARANTINED), pl.concat(found))

    def _assign(self) -> tuple[list[tuple[Source, Table | None]], list[Source]]:
        """Which table each file holds (None: XML, all of them), and files that belong to none."""
        documents = [source for source in self._sources if source.is_xml]
        if documents:
            if len(documents) > 1:
                raise Refused(f"{self._shown}: {len(documents)} XML files. A delivery has one: send each by itself.")
            if not any(table.record for table in self.feed.tables):
                raise Refused(f"{documents[0].shown}: {self.feed.id} does not come as XML. Send the CSV files.")
            return [(documents[0], None)], [source for source in self._sources if source is not documents[0]]
        files: dict[str, tuple[Source, Table | None]] = {}
        strangers = []
        for source in self._sources:
            # A file name may contain the names of several tables: the one that comes last is what it holds.
            hits = [(match.start(), table) for table in self.feed.tables if (match := table.file.search(source.name))]
            if not hits:
                strangers.append(source)
                continue
            table = max(hits, key=lambda hit: hit[0])[1]
            if table.name in files:
                raise Refused(
                    f"{self._shown}: {files[table.name][0].shown} and {source.shown} are both {table.name}."
                    " Send one file per table, another period as another delivery."
                )
            files[table.name] = (source, table)
        if not files:
            known = ", ".join(table.name for table in self.feed.tables)
            raise Refused(f"{self._shown}: no file of {self.feed.id} is in it. Name the files after {known}.")
        return [files[table.name] for table in self.feed.tables if table.name in files], strangers

    @property
    def _shown(self) -> str:
        return self.name.encode("unicode_escape").decode("ascii")[:120]

    def _chunks(self, files: list[tuple[Source, Table | None]]) -> Iterator[Chunk]:
        for source, table in files:
            if table is None:
                yield from xml_reader.read(source, self.feed)
            else:
                self.counts.setdefault(table.name, Counts())
                yield from csv_reader.read(source, table)

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
                raise Refused(
                    f"{self._shown}: its {self.feed.partner[1].upper()} is not {self._la_number}, the partnership's."
                    " It is another authority's return."
                )
        self._period = self._find_period()

    def _find_period(self) -> Period:
        rule = self.feed.period
        stated = self._most(rule.table, rule.reference)
        key = [self._most(rule.table, column) for column in rule.key]
        names = (self.name, *(source.name for source in self._sources))
        named = next((period for name in names if (period := rule.from_name(name))), None)
        if stated and key and None not in key:
            return Period("_".join(str(part) for part in key), date.fromisoformat(stated))
        if named:
            return Period(named.key, date.fromisoformat(stated)) if stated else named
        where = f"{rule.table}'s {', '.join(rule.key or ())}" if rule.key else "the delivery's name"
        raise Refused(f"{self._shown}: the period that it is for is not in {where}. Put it there and send again.")
