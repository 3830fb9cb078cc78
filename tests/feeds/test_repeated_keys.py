"""Keys that occur more than once are found however long the table is, a share of them at a time."""

import polars as pl
import pytest

from send_returns import feeds
from send_returns.feeds import checking
from send_returns.feeds.checking import TableChecker
from send_returns.feeds.chunk import Chunk


def _rows(checker: TableChecker, table: feeds.Table, ids: list[str], first_row: int) -> None:
    frame = pl.DataFrame({"pupilonrolltableid": ids}).with_columns(
        _row_number=pl.int_range(first_row, first_row + len(ids), dtype=pl.Int32)
    )
    checker.check(Chunk(table.name, frame, []))


@pytest.mark.parametrize("at_once", [1_000_000, 100, 7])
def test_repeated_key_is_found_in_whatever_chunk_and_share_it_is(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(checking, "KEYS_AT_ONCE", at_once)
    feed = feeds.load("school_census")
    table = feed.table("pupilonroll")
    checker = TableChecker(feed, table)
    _rows(checker, table, [f"P{number}" for number in range(500)], first_row=2)
    _rows(checker, table, ["P600", *(f"P{number}" for number in range(0, 500, 5)), "P601", "P5"], first_row=502)
    found = checker.finish()
    assert found["rule"].unique().to_list() == ["F06"]
    assert found["row_number"].to_list() == [*range(2, 502, 5), *range(503, 603), 604]
