"""Working days: Monday to Friday without the bank holidays."""

from datetime import date

import holidays
import numpy as np
import pytest

from send_returns.simulate.working_days import bank_holidays, working_days_after, working_days_between


@pytest.mark.parametrize(
    ("year", "days"),
    [  # as gov.uk/bank-holidays has them
        (2025, ["01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26"]),
        (2026, ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"]),
        (2027, ["01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-27", "12-28"]),
    ],
)
def test_bank_holidays(year: int, days: list[str]) -> None:
    of_year = [str(day) for day in bank_holidays() if str(day).startswith(str(year))]
    assert of_year == [f"{year}-{day}" for day in days]


def test_those_proclaimed_for_one_year_are_among_them() -> None:
    known = holidays.country_holidays("GB", subdiv="ENG", years=range(2000, 2036))
    found = [day for day in bank_holidays().tolist() if day.year < 2036]
    assert found == [day for day in sorted(known) if day.weekday() < 5]


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 4, 1), 1, date(2026, 4, 2)),
        (date(2026, 4, 1), 2, date(2026, 4, 7)),  # over Easter
        (date(2026, 3, 7), 5, date(2026, 3, 13)),  # from a Saturday
        (date(2026, 12, 24), 10, date(2027, 1, 12)),  # over Christmas, whose second day is a Saturday
    ],
)
def test_days_after_and_between(start: date, count: int, end: date) -> None:
    dates = np.array([start, None], dtype="datetime64[D]")
    found = working_days_after(dates, count)
    assert found[0] == np.datetime64(end)
    assert np.isnat(found[1])
    assert working_days_between(dates[:1], found[:1]).tolist() == [count]
