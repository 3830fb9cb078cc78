"""The arrival register: what has come, what is owed, and by whom."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import landing, warehouse
from send_returns.settings import Settings

HEADER = "ehe_id,upn,uln,nhs_number,surname,forename\n"


def register(settings: Settings, as_of: date) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    with warehouse.connect(settings) as connection:
        landing.register(connection, settings.partnership, as_of)
        states = {
            feed: (state, due_on)
            for feed, state, due_on in connection.execute(
                "select feed, state, due_on from landing.arrival where partnership = %s and as_of = %s",
                [settings.partnership, as_of],
            )
        }
        return states, landing.missing(connection, settings.partnership, as_of)


@pytest.fixture
def registers(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox" / "council" / "ehe_register"
    folder.mkdir(parents=True)
    return folder


def test_nothing_has_come(database: Settings) -> None:
    states, missing = register(database, date(2026, 10, 1))
    assert set(states.values()) == {("missing", None)}
    assert len(missing) == 7
    assert missing[0].startswith("cin_census (council) is missing: nothing for a day up to 2026-10-01 has come from")


def test_states_follow_the_date_asked_about(database: Settings, registers: Path) -> None:
    (registers / "2026-10-01.csv").write_text(HEADER + "1,,,,,\n")
    landing.land(database, "council", registers.parents[1], date(2026, 10, 1))
    due_on = date(2027, 5, 9)
    assert register(database, date(2026, 9, 30))[0]["ehe_register"] == ("missing", None)
    assert register(database, date(2026, 10, 1))[0]["ehe_register"] == ("accepted", due_on)
    assert register(database, due_on)[0]["ehe_register"] == ("accepted", due_on)
    states, missing = register(database, date(2027, 5, 10))
    assert states["ehe_register"] == ("stale", due_on)
    assert any(line.startswith("ehe_register (council) is stale: describes 2026-10-01") for line in missing)


def test_a_refused_delivery_is_named_until_a_good_one_comes(database: Settings, registers: Path) -> None:
    as_of = date(2026, 10, 1)
    (registers / "2026-10-01.csv").write_text("not a register\n")
    landing.land(database, "council", registers.parents[1], as_of)
    states, missing = register(database, as_of)
    assert states["ehe_register"] == ("refused", None)
    assert any("ehe_register (council) is refused: 2026-10-01.csv: none of its first" in line for line in missing)
    (registers / "2026-10-01_corrected.csv").write_text(HEADER + "1,,,,,\n")
    landing.land(database, "council", registers.parents[1], as_of)
    assert register(database, as_of)[0]["ehe_register"][0] == "accepted"


def test_landing_renews_the_register(database: Settings, registers: Path) -> None:
    (registers / "2026-10-01.csv").write_text(HEADER + "1,,,,,\n")
    landing.land(database, "council", registers.parents[1], date(2026, 10, 1))
    with warehouse.connect(database) as connection:
        found = connection.execute("select count(*) from landing.arrival where state = 'accepted'").fetchone()
    assert found == (1,)
