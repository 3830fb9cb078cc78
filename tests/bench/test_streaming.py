"""The files that streaming is measured with are ones that landing takes whole, with nothing to remark upon."""

from datetime import date
from pathlib import Path

import pytest

from send_returns import clock, feeds, landing
from send_returns.bench import streaming
from send_returns.bench.suite import Measured
from send_returns.feeds import source
from send_returns.feeds.delivery import Delivery
from send_returns.settings import Settings
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)


@pytest.mark.parametrize(
    ("feed", "name", "table", "write"),
    [
        ("school_census", "2025_autumn_pupilonroll.csv", "pupilonroll", streaming.write_pupils),
        ("cin_census", "cin_2025.xml", "child", streaming.write_children),
    ],
)
def test_file_is_as_long_as_asked_and_every_row_of_it_is_clean(
    tmp_path: Path, feed: str, name: str, table: str, write: streaming.Write
) -> None:
    path = tmp_path / name
    rows = write(path, 1 << 20, 919, 2025)
    assert 1 << 20 <= path.stat().st_size < 4 << 20
    delivery = Delivery(feeds.load(feed), name, [source.examine(path)], "919")
    batches = list(delivery.batches())
    assert delivery.counts[table].rows_in == delivery.counts[table].loaded == rows
    # What is said of whole tables and columns, such as those left out, takes no memory or time.
    assert [row for batch in batches for row in batch.findings["row_number"].drop_nulls()] == []


def test_a_tenth_and_the_whole_are_landed_and_counted(database: Settings) -> None:
    def land(name: str, inbox: Path) -> Measured:
        start = clock.monotonic()
        landing.land(database, "council", inbox, AS_OF)
        return Measured(clock.monotonic() - start, len(name))

    landed = list(streaming.landings(database, AS_OF, land, csv_bytes=24 << 20, xml_bytes=24 << 20))
    assert [kind for kind, *_ in landed] == ["csv", "xml"]
    for _, tenth, whole in landed:
        assert whole.rows / tenth.rows == pytest.approx(10, rel=0.2)
        assert min(whole.seconds, tenth.seconds) > 0  # which is longer depends on what else the machine does
    with connect(database) as connection:
        rows = connection.execute("select count(*) from raw_council.cin_census__child").fetchone()
    assert rows == (landed[1][1].rows + landed[1][2].rows,)


def test_landing_that_loses_rows_is_no_figure(database: Settings) -> None:
    def lose(name: str, inbox: Path) -> Measured:
        return Measured(1.0, len(name) + len(str(inbox)))

    with pytest.raises(ValueError, match=r"0 of .* rows of pupilonroll were loaded"):
        list(streaming.landings(database, AS_OF, lose, csv_bytes=1 << 20, xml_bytes=1 << 20))
