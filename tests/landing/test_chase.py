"""Chase texts: one for each supplier that owes something, with no name and no data, the same for the same day."""

from datetime import date
from pathlib import Path

import pytest

from send_returns import feeds, landing
from send_returns.landing import chase
from send_returns.landing.arrival import Owed
from send_returns.settings import Settings

AS_OF = date(2026, 10, 30)
SUPPLIER = "Council elective home education team"


def owed(state: str, period: str = "autumn 2025", due_on: date = date(2025, 11, 27)) -> Owed:
    return Owed("council", SUPPLIER, "ehe_register", period, date(2025, 10, 2), due_on, state)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("missing", "autumn 2025: overdue since 27 November 2025"),
        ("refused", "autumn 2025: what came was refused, and its receipt says why; due by 27 November 2025"),
        ("held", "autumn 2025: what came is held"),
        ("not_yet_due", "autumn 2025: due by 27 November 2025"),
    ],
)
def test_each_state_says_what_to_do(state: str, words: str) -> None:
    told = chase.text("Hertfordshire local area partnership", SUPPLIER, [owed(state)], AS_OF)
    assert words in told
    assert told.startswith(f"To: {SUPPLIER}\nFrom: Hertfordshire local area partnership\nAs of: 30 October 2026\n")
    assert ("send-returns check FILES --feed ehe_register" in told) == (state != "not_yet_due")


def test_many_periods_are_told_as_one_line_and_the_latest() -> None:
    told = chase.text("P", SUPPLIER, [owed("missing", f"week {number}") for number in range(20)], AS_OF)
    assert "14 earlier periods, the first week 0: overdue since" in told
    assert next(line for line in told.splitlines() if line.startswith("  week")).startswith("  week 14")


def test_a_text_is_written_to_who_owes_and_taken_away_from_who_does_not(database: Settings, tmp_path: Path) -> None:
    out, inbox = tmp_path / "texts", tmp_path / "inbox"
    first = {path.name: path.read_bytes() for path in chase.write(database, AS_OF, out)}
    assert "council-council_elective_home_education_team.txt" in first
    assert {path.name: path.read_bytes() for path in chase.write(database, AS_OF, out)} == first
    folder = inbox / "council" / "ehe_register"
    folder.mkdir(parents=True)
    for _, day in feeds.load("ehe_register").due.days(date(2026, 5, 1), AS_OF):
        (folder / f"{day}.csv").write_text(f"ehe_id,upn,uln,nhs_number,surname,forename\n{day},,,,,\n")
    landing.land(database, "council", inbox, AS_OF)
    second = {path.name for path in chase.write(database, AS_OF, out)}
    assert first.keys() - second == {"council-council_elective_home_education_team.txt"}
    assert {path.name for path in out.iterdir()} == second
