"""How a pack differs from the one before, in counts: rows of lists, records of an XML, figures of a measure."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import polars as pl
import psycopg
from lxml import etree

from send_returns.publication import figures
from send_returns.releases import register
from send_returns.releases.register import Change, Release
from send_returns.returns import pack
from send_returns.returns.disclosure import Figures
from send_returns.returns.disclosure.cells import KEYS
from send_returns.returns.evidence import Run

# The heading by which the rows of a list are one child's, and in whose order they are.
CHILD = "Unique ID"
# Of SEN2: what is of no child, and what holds all that is of one.
_HEADER, _PERSON = "Header", "Person"
_SHOWN = ("numerator", "denominator", "value", "status")

Cells = Mapping[str, str]
Counts = Counter[tuple[str, str, Literal["added", "removed", "changed"]]]


def since_published(
    connection: psycopg.Connection,
    run: Run,
    return_name: str,
    folder: Path,
    shown: Figures | None,
    *,
    is_rehearsal: bool,
) -> list[Change]:
    """How a draft differs from the published version of its line; nothing where there is none, or its pack is gone."""
    before = next(
        (
            one
            for one in register.listing(connection, run.partnership, return_name)
            if (one.as_of, one.is_rehearsal, one.state) == (run.as_of, is_rehearsal, "published")
        ),
        None,
    )
    if before is None or before.run_id == run.run_id:
        return []
    if shown is not None:
        own = figures.of_return(shown.frame, return_name)
        return of_figures(figures.of_release(connection, before), own)
    published = published_pack(connection, before)
    return between(published, folder) if published else []


def published_pack(connection: psycopg.Connection, release: Release) -> Path | None:
    """Where a release was published to, if it is there still, as it was."""
    row = connection.execute(
        "select detail ->> %s from audit.stage where run_id = %s and stage = 'publish'",
        [f"{release.return_name}.pack", release.run_id],
    ).fetchone()
    folder = Path(row[0]) if row and row[0] else None
    return folder if folder and pack.is_there(folder, release.pack_sha256) else None


def between(before: Path, now: Path) -> list[Change]:
    """How two packs of one return differ: rows of each list that came, left, or have another value, by column; records
    of an XML that came or left, by kind. Of children: no values."""
    counts: Counts = Counter()
    names = {path.name for folder in (before, now) for path in folder.glob("*.csv") if is_list(path)}
    for name in sorted(names):
        part = name.removesuffix(".csv")
        for _, old, new in paired(before / name, now / name):
            if old is None or new is None:
                counts[part, "", "added" if old is None else "removed"] += 1
            else:
                counts.update((part, heading, "changed") for heading in differing(old, new))
    old_records, new_records = _records(before), _records(now)
    for (tag, _), count in (new_records - old_records).items():
        counts[tag, "", "added"] += count
    for (tag, _), count in (old_records - new_records).items():
        counts[tag, "", "removed"] += count
    return _told(counts)


def differing(old: Cells, new: Cells) -> list[str]:
    """The headings under which two rows differ, in the order of the newer."""
    return [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name)]


def is_list(path: Path) -> bool:
    """Whether a CSV is a list of children."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return CHILD in next(csv.reader(file), [])


def paired(before: Path, now: Path) -> Iterator[tuple[str, Cells | None, Cells | None]]:
    """The rows of a list in two packs, child by child in order; None where one has no such row, or no such list."""
    old_rows, new_rows = _rows(before), _rows(now)
    old, new = next(old_rows, None), next(new_rows, None)
    while old is not None or new is not None:
        # As the lists are ordered: by the letters' numbers.
        child = min(row[CHILD] for row in (old, new) if row is not None)
        is_old, is_new = (row is not None and row[CHILD] == child for row in (old, new))
        yield child, old if is_old else None, new if is_new else None
        old = next(old_rows, None) if is_old else old
        new = next(new_rows, None) if is_new else new


def _rows(path: Path) -> Iterator[Cells]:
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


def _records(folder: Path) -> Counter[tuple[str, str]]:
    """The records of an XML, each by its tag and a hash of what it says itself."""
    found: Counter[tuple[str, str]] = Counter()
    for path in folder.glob("*.xml"):
        for _, element in etree.iterparse(path, events=("end",), resolve_entities=False):
            leaves = [(leaf.tag, leaf.text) for leaf in element if not len(leaf)]
            parent = element.getparent()
            if leaves and parent is not None and _HEADER not in (element.tag, parent.tag):
                found[element.tag, hashlib.sha256(repr(leaves).encode()).hexdigest()] += 1
            if element.tag == _PERSON:
                element.clear()
    return found


def of_figures(before: pl.DataFrame, now: pl.DataFrame) -> list[Change]:
    """How many figures of each measure came, left, or are shown otherwise."""
    both = before.select(*KEYS, *_SHOWN).join(
        now.select(*KEYS, *_SHOWN), on=KEYS, how="full", nulls_equal=True, suffix="_now", coalesce=False
    )
    is_new, is_gone = pl.col("measure").is_null(), pl.col("measure_now").is_null()
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_now")) for name in _SHOWN)
    kinds = both.select(
        pl.coalesce("return_table", "return_table_now").alias("return_table"),
        pl.coalesce("measure", "measure_now").alias("measure"),
        pl.when(is_new).then(pl.lit("added")).when(is_gone).then(pl.lit("removed")).when(moved)
        .then(pl.lit("changed")).alias("kind"),
    ).drop_nulls("kind")  # fmt: skip
    return _told(Counter(kinds.rows()))


def _told(counts: Counts) -> list[Change]:
    return [Change(part, measure, kind, count) for (part, measure, kind), count in sorted(counts.items())]
