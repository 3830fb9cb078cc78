"""The hostile deliveries: as small as promised, and each becomes what truth/hostile.csv says, on a real server."""

import os
from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from send_returns import feeds, landing, warehouse
from send_returns.settings import Settings
from send_returns.simulate import hostile, simulate

AS_OF = date(2026, 10, 30)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A county of 300 children with SEND, and hostile deliveries among its good ones."""
    folder = tmp_path_factory.mktemp("hostile")
    simulate(folder, children=300, seed=5, as_of=AS_OF, mess="hostile")
    return folder


def _expected(out: Path) -> dict[tuple[str, str], str]:
    rows = pl.read_csv(out / "truth" / "hostile.csv").select("feed", "delivery", "expected").iter_rows()
    return {(feed, delivery): expected for feed, delivery, expected in rows}


def test_every_hostile_delivery_becomes_what_it_should_and_every_other_is_accepted(
    database: Settings, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = _expected(out)
    before = sorted(out.parent.iterdir())
    found = {
        organisation: landing.land(database, organisation, out / "inbox", AS_OF) for organisation in feeds.ORGANISATIONS
    }
    with warehouse.connect(database) as connection:
        status = {
            (feed, name): (status, quarantined)
            for feed, name, status, quarantined in connection.execute(
                "select feed, name, status, rows_quarantined from landing.delivery"
            )
        }
    for delivery, outcome in expected.items():
        if outcome == "unreadable":
            assert delivery not in status, delivery
        else:
            became, quarantined = status[delivery]
            assert became == ("refused" if outcome == "refused" else "accepted"), delivery
            assert (quarantined > 0) == (outcome == "quarantined"), delivery
    good = {delivery: became for delivery, (became, _) in status.items() if delivery not in expected}
    assert [delivery for delivery, became in good.items() if became != "accepted"] == []
    arrived = {(place.parent.name, place.name) for place in out.glob("inbox/*/*/*")}
    assert good.keys() | expected.keys() == arrived
    wanted = Counter(expected.values())
    assert sum(of["unreadable"] for of in found.values()) == wanted["unreadable"]
    assert sum(of["refused"] for of in found.values()) == wanted["refused"]
    # Nothing came out of an archive, and no line of the log was made by a name.
    assert sorted(out.parent.iterdir()) == before
    assert not Path("/tmp/hostile.csv").exists()  # noqa: S108 - where one of them says that it goes
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_they_are_of_every_outcome_and_small(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    hostile.deliver(tmp_path / "inbox", tmp_path / "truth")
    assert Counter(_expected(tmp_path).values()).keys() == {"refused", "unreadable", "quarantined", "accepted"}
    assert sum(os.lstat(file).st_size for file in tmp_path.rglob("*")) < 50 << 20


def test_there_are_none_in_realistic_mess(tmp_path: Path) -> None:
    simulate(tmp_path, children=100, seed=5, as_of=AS_OF)
    assert not (tmp_path / "truth" / "hostile.csv").exists()
    assert not list(tmp_path.rglob("*hostile*"))
