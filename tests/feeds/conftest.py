"""Deliveries made in a test's own folder and read without a database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from send_returns import feeds


@dataclass(frozen=True)
class Taken:
    """What became of a delivery: per table what was loaded, and all that was quarantined or found."""

    loaded: dict[str, pl.DataFrame]
    quarantined: pl.DataFrame
    findings: pl.DataFrame
    delivery: feeds.Delivery

    @property
    def rows_in(self) -> int:
        return sum(counts.rows_in for counts in self.delivery.counts.values())

    def found(self, rule: str) -> list[tuple[str, tuple[str, ...], int | None]]:
        """Table, fields and row number of a rule's findings."""
        rows = self.findings.filter(pl.col("rule") == rule).select("table_name", "fields", "row_number").iter_rows()
        return sorted((table, tuple(fields), number) for table, fields, number in rows)


Take = Callable[..., Taken]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Write files, read them as a delivery of a feed, and say what became of them."""

    def run(feed: str, files: Mapping[str, str | bytes], name: str = "2026_autumn", la: str | None = None) -> Taken:
        sources = []
        for number, (file, content) in enumerate(files.items()):
            path = tmp_path / str(number)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            sources.append(feeds.examine(path, file))
        delivery = feeds.Delivery(feeds.load(feed), name, sources, la)
        batches = list(delivery.batches())
        names = dict.fromkeys(batch.table.name for batch in batches if batch.loaded.width)
        return Taken(
            {name: pl.concat([b.loaded for b in batches if b.table.name == name and b.loaded.width]) for name in names},
            pl.concat([batch.quarantined for batch in batches]),
            pl.concat([batch.findings for batch in batches]),
            delivery,
        )

    return run
