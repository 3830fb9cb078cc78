"""Header matching that forgives what suppliers' exports get wrong, and finds the header below a title row."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

TITLE_ROWS = 20
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

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names, without the `+`, of columns that the contract does not know."""
        return tuple(name[1:] for name in self.names if name.startswith("+"))


def find(head: str, by_header: Mapping[str, str], least: int) -> Header | None:
    """The first row of `head` (the start of a file) with the most known headers, or None if no row has `least`.

    A cell takes a column once; a second one of the same name counts as unknown.
    """
    best: tuple[int, Header] | None = None
    for delimiter in DELIMITERS:
        lines: list[str] = []
        rows = csv.reader(_noting(io.StringIO(head, newline=""), lines), delimiter=delimiter)
        try:
            for number, cells in zip(range(1, TITLE_ROWS + 1), rows, strict=False):
                names = _match(cells, by_header)
                score = sum(not name.startswith("+") for name in names)
                if score >= least and (best is None or score > best[0]):
                    best = (score, Header(names, number, delimiter, "".join(lines)))
        except csv.Error:
            continue
    return best[1] if best else None


def _noting(source: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in source:
        lines.append(line)
        yield line


def _match(cells: Sequence[str], by_header: Mapping[str, str]) -> tuple[str, ...]:
    taken: set[str] = set()
    names = []
    for position, cell in enumerate(cells, start=1):
        name = by_header.get(squeeze(cell), "")
        if not name or name in taken:
            name = f"+{snake(cell) or f'column_{position}'}"
            while name in taken:
                name += "_"
        taken.add(name)
        names.append(name)
    return tuple(names)
