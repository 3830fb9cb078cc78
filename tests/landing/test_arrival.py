"""The arrival register: what has come, what is owed, and by whom."""

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from send_returns import clock, feeds, landing, warehouse
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


SUPPLIER = "Council elective home education team"


def states(settings: Settings, as_of: date, feed: str = "ehe_register") -> dict[str, str]:
    """The state of each delivery by its name, and of each period that nothing answers for by its last day."""
    with warehouse.connect(settings) as connection:
        landing.register(connection, settings.partnership, as_of)
        return dict(
            connection.execute(
                "select coalesce(name, period_on::text), state from landing.expectation"
                " left join landing.delivery using (delivery_id, partnership, feed)"
                " where partnership = %s and as_of = %s and feed = %s order by 1",
                [settings.partnership, as_of, feed],
            ).fetchall()
        )


def received(settings: Settings, on: dict[str, date]) -> None:
    with warehouse.connect(settings) as connection:
        for name, day in on.items():
            at = datetime(day.year, day.month, day.day, 12, tzinfo=clock.LONDON)
            connection.execute("update landing.delivery set received_at = %s where name = %s", [at, name])


def send(registers: Path, settings: Settings, *names: str) -> None:
    for name in names:
        (registers / name).write_text(HEADER + f"{name},,,,,\n")
    landing.land(settings, "council", registers.parents[1], date(2026, 12, 31))


def test_who_never_sent_owes_the_latest_period_and_the_next(database: Settings) -> None:
    found = states(database, date(2026, 10, 30))
    assert found == {"2026-05-21": "missing", "2026-10-01": "not_yet_due", "2027-01-21": "not_yet_due"}
    with warehouse.connect(database) as connection:
        everybody = connection.execute("select distinct feed from landing.expectation").fetchall()
        owed = list(landing.owed(connection, database.partnership, date(2026, 10, 30)))
    assert len(everybody) == len(feeds.feeds())
    assert [one.state for one in owed if one.supplier == SUPPLIER] == ["missing", "not_yet_due", "not_yet_due"]


def test_each_delivery_is_judged_by_the_day_on_which_it_came(database: Settings, registers: Path) -> None:
    due = feeds.load("ehe_register").due
    days = [day for _, day in due.days(date(2025, 5, 1), date(2026, 9, 30))]
    names = [f"{day}.csv" for day in days]
    send(registers, database, *names)
    last_day = timedelta(days=due.within_days)
    received(
        database,
        {
            names[0]: days[0] + last_day,
            names[1]: days[1] + last_day + timedelta(days=1),
            names[2]: days[2] - timedelta(days=1),
            names[3]: days[3],
        },
    )
    found = states(database, date(2026, 9, 30))
    assert [found[name] for name in names] == ["on_time", "late", "early", "on_time"]
    # Looked at from a day before it came, its day of receipt says nothing.
    assert states(database, days[0])[names[0]] == "came"


def test_history_landed_afterwards_came_and_is_not_late(database: Settings, registers: Path) -> None:
    days = [day for _, day in feeds.load("ehe_register").due.days(date(2025, 9, 1), date(2026, 9, 30))]
    send(registers, database, *(f"{day}.csv" for day in days))
    received(database, {f"{day}.csv": date(2027, 6, 1) for day in days})
    assert Counter(states(database, date(2027, 6, 2)).values())["late"] == 0
    assert {states(database, date(2027, 6, 2))[f"{day}.csv"] for day in days if day >= date(2025, 12, 15)} == {"came"}


def test_a_gap_between_two_periods_is_missing_until_its_delivery_comes(database: Settings, registers: Path) -> None:
    days = [day for _, day in feeds.load("ehe_register").due.days(date(2025, 9, 1), date(2026, 9, 30))]
    send(registers, database, f"{days[0]}.csv", f"{days[2]}.csv")
    assert states(database, date(2026, 12, 31))[str(days[1])] == "missing"
    send(registers, database, f"{days[1]}.csv")
    assert str(days[1]) not in states(database, date(2026, 12, 31))


def test_what_was_refused_is_owed_for_its_own_period_alone(database: Settings, registers: Path) -> None:
    days = [day for _, day in feeds.load("ehe_register").due.days(date(2025, 9, 1), date(2026, 12, 31))]
    (registers / f"{days[0]}.csv").write_text("another feed's file\n")
    landing.land(database, "council", registers.parents[1], date(2026, 12, 31))
    register(database, date(2026, 12, 31))
    with warehouse.connect(database) as connection:
        owed = landing.owed(connection, database.partnership, date(2026, 12, 31))
    overdue = [(one.period_on, one.state) for one in owed if one.feed == "ehe_register" and one.state != "not_yet_due"]
    assert overdue == [(days[0], "refused"), (days[-1], "missing")]


def test_what_is_superseded_or_refused_is_told_beside_what_answers(database: Settings, registers: Path) -> None:
    day = next(day for _, day in feeds.load("ehe_register").due.days(date(2026, 1, 1), date(2026, 9, 30)))
    send(registers, database, f"{day}_a.csv")
    send(registers, database, f"{day}_b.csv")
    (registers / f"{day}_c.csv").write_text("not a register\n")
    (registers / f"{day}_d.csv").write_text(HEADER + f"\n{day}_b.csv,,,,,\n")
    landing.land(database, "council", registers.parents[1], date(2026, 12, 31))
    received(database, {f"{day}_a.csv": day, f"{day}_b.csv": day + timedelta(days=300)})
    found = states(database, date(2026, 12, 31))
    # A correction is not late: its period was answered in time.
    assert [found[f"{day}_{letter}.csv"] for letter in "abcd"] == ["superseded", "on_time", "refused", "duplicate"]
