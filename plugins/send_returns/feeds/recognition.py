"""What a delivery looks like, by its files' names, headings and XML elements; no row is read.

For two needs: `check` is given files of an unnamed feed, and landing finds files in the wrong feed's folder.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import NamedTuple

from send_returns.feeds import contract, headers
from send_returns.feeds.contract import Feed, Table
from send_returns.feeds.source import Source

HEAD_BYTES = 1 << 18
# One feed is told from another when this much more of it is there.
CLEARLY = 1.25
# Below this a file shares some headings with every feed and is none. A real census has three columns to one of ours.
LEAST = 0.2
# What of a likeness is that the file has no other headings; the rest, that it has them all.
PURITY = 0.6
# So many elements, or letters of a collection's name, are no coincidence.
SOME = 3
ELEMENT = re.compile(r"<(?:[\w.-]{1,64}:)?([A-Za-z][\w.-]{0,127})[\s/>]")
LEAF = r"<(?:[\w.-]{{1,64}}:)?{}>\s*([\w-]{{1,20}})\s*<"


class Likeness(NamedTuple):
    """A feed that a delivery looks like, and whose and for when it says it is, if it does."""

    feed: Feed
    la_number: str | None
    period: str | None

    def __str__(self) -> str:
        """As a refusal says it."""
        whose = f" of local authority {self.la_number}" if self.la_number else ""
        when = f" for {self.period}" if self.period else ""
        return f"It looks like {self.feed.id}{whose}{when}. Put it in {self.feed.organisation}/{self.feed.id}."


@dataclass(frozen=True, slots=True)
class _Traits:
    """What files of a feed have: per table its headings, and the names of its XML's elements."""

    feed: Feed
    tables: tuple[tuple[Table, dict[str, str]], ...]
    elements: frozenset[str]


@cache
def _known() -> tuple[_Traits, ...]:
    return tuple(map(_traits, contract.feeds()))


def _traits(feed: Feed) -> _Traits:
    tables = tuple((table, table.by_header) for table in feed.tables)
    records = [table for table in feed.tables if table.record]
    elements = {headers.squeeze(table.record.element) for table in records if table.record}
    elements |= {headers.squeeze(column.header) for table in records for column in table.columns}
    return _Traits(feed, tables, frozenset(elements))


class _Head:
    """The start of a file: rows by delimiter, or elements."""

    def __init__(self, source: Source) -> None:
        self.source = source
        with source.path.open("rb") as file:
            decoder = codecs.getincrementaldecoder(source.encoding)("replace")
            self.text = decoder.decode(file.read(HEAD_BYTES))
        self.elements: frozenset[str] = frozenset()
        self.rows: list[list[str]] = []
        if source.is_xml:
            self.elements = frozenset(map(headers.squeeze, ELEMENT.findall(self.text)))
        else:
            self.rows = [row for delimiter in headers.DELIMITERS for row in _rows(self.text, delimiter)]
        self.squeezed = {
            frozenset(map(headers.squeeze, row)) - {""} for row in self.rows if len(row) <= headers.MAX_COLUMNS
        }


def _rows(text: str, delimiter: str) -> Iterable[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from (row for _, row in zip(range(headers.TITLE_ROWS), rows, strict=False))
    except csv.Error:
        return


def looks_like(sources: Sequence[Source], name: str = "", own: Feed | None = None) -> Likeness | None:
    """The feed that files look like, if that is clear beside `own`, the one they are thought to be, or any other.

    `name`: the delivery's, which may state the period. The files are plain ones: see `bundle`.
    """
    heads = [_Head(source) for source in sources if source.container is None and source.encoding != "utf-32"]
    traits = [_traits(own), *(known for known in _known() if known.feed.id != own.id)] if own else _known()
    scored = sorted(((_score(known, heads), -place, known) for place, known in enumerate(traits)), reverse=True)
    most, _, best = scored[0]
    rival = max((score for score, _, known in scored[1:] if own in (None, known.feed)), default=0.0)
    if most < LEAST or most < rival * CLEARLY:
        return None
    return Likeness(best.feed, _la_number(best, heads), _period(best.feed, heads, name))


def _score(known: _Traits, heads: Sequence[_Head]) -> float:
    """How alike the files and a feed are, from 0 to 1, on the average of the files that are like it at all."""
    found = [score for head in heads if (score := _alike(known, head))]
    return sum(found) / len(found) * (1 + len(found) / len(heads)) / 2 if found else 0.0


def _alike(known: _Traits, head: _Head) -> float:
    if head.source.is_xml:
        named = headers.squeeze(_leaf(head, "Collection") or "")
        if len(named) >= SOME and known.elements and known.feed.id.startswith(named):
            return 1.0
        common = len(head.elements & known.elements)
        return _share(common, len(head.elements), len(known.elements)) if common >= SOME else 0.0
    file = PurePosixPath(head.source.name).name
    best = 0.0
    for table, by_header in known.tables:
        found = ((len({by_header[key] for key in row if key in by_header}), -len(row)) for row in head.squeezed)
        names, cells = max(found, default=(0, 0))
        if names >= min(2, len(table.columns)):
            # A name such as header.csv says little beside the headings, but decides between equals.
            best = max(best, _share(names, -cells, len(table.columns)) + 0.01 * bool(table.file.search(file)))
    return best


def _share(common: int, here: int, there: int) -> float:
    return common / here * (PURITY + (1 - PURITY) * common / there) if common else 0.0


def _leaf(head: _Head, element: str) -> str | None:
    found = re.search(LEAF.format(element), head.text)
    return found[1] if found else None


def _la_number(known: _Traits, heads: Sequence[_Head]) -> str | None:
    """The local authority number in the first record of the table that states it: three digits, or nothing."""
    if known.feed.partner is None:
        return None
    name, column = known.feed.partner
    by_header = known.feed.table(name).by_header
    for head in heads:
        stated = _leaf(head, "LEA")
        for above, below in zip(head.rows, head.rows[1:], strict=False):
            places = {by_header.get(headers.squeeze(cell)): place for place, cell in enumerate(above)}
            if len(places) > 2 and column in places and len(above) == len(below):
                stated = stated or below[places[column]].strip()
        if stated and re.fullmatch(r"[0-9]{3}", stated):
            return stated
    return None


def _period(feed: Feed, heads: Sequence[_Head], name: str) -> str | None:
    for head in heads:
        if feed.period.key == ("year",) and (year := _leaf(head, "Year")) and re.fullmatch(r"20[0-9]{2}", year):
            return year
    names = (name, *(head.source.name for head in heads))
    return next((period.key for text in names if (period := feed.period.from_name(text))), None)
