"""Header matching that forgives what suppliers' exports get wrong, and finds the header below a title row."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

TITLE_ROWS = 20
MAX_COLUMNS = 1_000
DELIMITERS = (",", ";", "\t", "|")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def squeeze(text: str) -> str:
    """A header without case, spaces or any punctuation: what two spellings of one header have in common."""
    return re.sub(r"[^a-z0-9]", "", _plain(text))


def snake(text: str) -> str:
    """A header in house style: lower case, every run of other characters as one underscore, at most 63 characters."""
    return re.sub(r"[^a-z0-9]+", "_", _plain(text)).strip("_")[:63].strip("_")


@dataclass(frozen=True, slots=True)
class Header:
    """A header row. `names`: per cell, the contract's column, or `+` and its own name where the contract has none.

    `line`: the number of the header row in a spreadsheet; `text`: everything up to its end, as it arrived.
    """

    names: tuple[str, ...]
    line: int
    delimiter: str
    text: str


def find(head: str, by_header: Mapping[str, str], least: int) -> Header | None:
    """The first row of `head` (the start of a file) with the most known headers, or None if no row has `least`.

    Where a row and the one below it have more of them together, as when groups are headed above their columns, both
    are the header, and `line` is the lower. A cell takes a column once; a second one of the same name counts as
    unknown. Of a row with more cells than MAX_COLUMNS the names are not worked out. A row whose quotation marks do
    not pair up has the rows below it in a heading, and is none.
    """
    best: tuple[int, Header] | None = None
    for delimiter in DELIMITERS:
        lines: list[str] = []
        above: list[str] = []
        rows = csv.reader(_noting(io.StringIO(head, newline=""), lines), delimiter=delimiter)
        try:
            read = 0
            for number, cells in zip(range(1, TITLE_ROWS + 1), rows, strict=False):
                record, read = lines[read:], len(lines)
                if len(record) > 1 and not _is_whole(record, delimiter):
                    continue
                for headings in (cells, _joined(above, cells, by_header)):
                    score = len({by_header[key] for key in map(squeeze, headings) if key in by_header})
                    if score >= least and (best is None or score > best[0]):
                        best = (score, Header(_match(headings, by_header), number, delimiter, "".join(lines)))
                above = cells
        except csv.Error:
            continue
    return best[1] if best else None


def _is_whole(record: Iterable[str], delimiter: str) -> bool:
    try:
        return len(list(csv.reader(record, delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


def _joined(above: Sequence[str], below: Sequence[str], by_header: Mapping[str, str]) -> list[str]:
    """The headings that two rows make together; none where the lower one is not of headings itself.

    A cell that is known by itself is the heading; else it is what stands above it and it together. A cell above
    that spans several columns is empty in all but the first of them.
    """
    if len(above) != len(below) or len(below) > MAX_COLUMNS:
        return []
    headings = []
    group = ""
    known = filled = 0
    for upper, lower in zip(above, below, strict=True):
        group = upper if upper.strip() else group
        heading = upper
        if lower.strip():
            both = f"{group} {lower}"
            heading = both if squeeze(both) in by_header and squeeze(lower) not in by_header else lower
            filled += 1
            known += squeeze(heading) in by_header
        headings.append(heading)
    return headings if known * 2 > filled else []


def _noting(source: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in source:
        lines.append(line)
        yield line


def _match(cells: Sequence[str], by_header: Mapping[str, str]) -> tuple[str, ...]:
    if len(cells) > MAX_COLUMNS:
        return ("",) * len(cells)
    taken: set[str] = set()
    again: Counter[str] = Counter()
    names = []
    for position, cell in enumerate(cells, start=1):
        name = by_header.get(squeeze(cell), "")
        if not name or name in taken:
            own = f"+{snake(cell) or f'column_{position}'}"
            name = own + "_" * again[own]
            again[own] += 1
        taken.add(name)
        names.append(name)
    return tuple(names)
