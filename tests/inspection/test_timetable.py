"""What is due on which day: working days over holidays, and the dated list of what inspectors ask for."""

from datetime import date
from pathlib import Path

import pytest

from send_returns.failure import Failure
from send_returns.inspection import timetable, working_days
from send_returns.returns import declarations
from send_returns.settings import Settings

SETTINGS = Settings(home=Path("unused"))


@pytest.mark.parametrize(
    ("notified_on", "count", "due_on"),
    [
        (date(2023, 6, 26), 10, date(2023, 7, 10)),  # Hertfordshire: told on a Monday, on site a fortnight later
        (date(2026, 12, 18), 5, date(2026, 12, 29)),  # Christmas on a Friday, Boxing Day moved to the Monday
        (date(2026, 12, 24), 1, date(2026, 12, 29)),
        (date(2026, 12, 21), 10, date(2027, 1, 7)),  # and New Year's Day
        (date(2026, 4, 2), 1, date(2026, 4, 7)),  # Good Friday and Easter Monday
        (date(2026, 3, 30), 5, date(2026, 4, 8)),
        (date(2026, 11, 28), 2, date(2026, 12, 1)),  # told on a Saturday: Monday is day 1
        (date(2026, 11, 24), 0, date(2026, 11, 24)),
    ],
)
def test_working_days_are_counted_from_the_day_of_notification(notified_on: date, count: int, due_on: date) -> None:
    assert working_days.after(SETTINGS, notified_on, count) == due_on
    assert working_days.until(SETTINGS, notified_on, due_on) == count


def test_days_left_are_negative_when_the_day_is_past() -> None:
    assert working_days.until(SETTINGS, date(2026, 12, 29), date(2026, 12, 24)) == -1
    assert working_days.until(SETTINGS, date(2026, 12, 26), date(2026, 12, 24)) == 0  # nothing but holidays since


def test_a_year_whose_bank_holidays_are_not_known_is_refused() -> None:
    with pytest.raises(Failure, match="bank holidays of 2036"):
        working_days.after(SETTINGS, date(2035, 12, 24), 5)


def test_what_is_asked_for_is_what_was_in_force_on_the_day_of_notification() -> None:
    before = {one.item for one in timetable.items(date(2023, 6, 26))}
    after = {one.item for one in timetable.items(date(2026, 11, 9))}
    assert after - before == {"health_commissioning", "residential_schools"}
    with pytest.raises(Failure, match="2022-12-31"):
        timetable.items(date(2022, 12, 31))


def test_every_item_is_answered_by_a_return_of_ours_or_by_a_body() -> None:
    items = timetable.items(date(2026, 11, 9))
    declared = {one.return_name for one in declarations.load_all()}
    assert {one.answered_by for one in items if one.kind == "return"} <= declared
    assert {one.answered_by for one in items if one.kind == "document"} == {"council", "icb"}
    assert len({one.item for one in items}) == len(items)
    assert all(one.source and one.confidence in ("H", "M", "L") for one in items)
