"""Working days in England: Monday to Friday without the bank holidays, by rule and as they were proclaimed."""

from datetime import date, timedelta
from functools import cache

import numpy as np
from dateutil.easter import easter

from send_returns.simulate.draw import Dates, Ints

_YEARS = range(2000, 2100)
_SATURDAY = 5
# Proclaimed for one year: moved to another day, and added.
_MOVED = {
    date(2002, 5, 27): date(2002, 6, 4), date(2012, 5, 28): date(2012, 6, 4), date(2020, 5, 4): date(2020, 5, 8),
    date(2022, 5, 30): date(2022, 6, 2),
}  # fmt: skip
_ADDED = (
    date(2002, 6, 3), date(2011, 4, 29), date(2012, 6, 5), date(2022, 6, 3), date(2022, 9, 19), date(2023, 5, 8),
)  # fmt: skip


@cache
def bank_holidays() -> Dates:
    """Every one of 2000 to 2099, in order."""
    days = [_MOVED.get(day, day) for year in _YEARS for day in _of_year(year)]
    return np.array(sorted([*days, *_ADDED]), dtype="datetime64[D]")


def _of_year(year: int) -> list[date]:
    new_year = date(year, 1, 1)
    while new_year.weekday() >= _SATURDAY:
        new_year += timedelta(days=1)
    christmas = [day for day in (date(year, 12, number) for number in (25, 26, 27, 28)) if day.weekday() < _SATURDAY]
    return [
        new_year,
        easter(year) - timedelta(days=2),
        easter(year) + timedelta(days=1),
        _monday(date(year, 5, 1)),
        _monday(date(year, 5, 25)),
        _monday(date(year, 8, 25)),
        *christmas[:2],
    ]


def _monday(first: date) -> date:
    """The Monday on or after a day."""
    return first + timedelta(days=-first.weekday() % 7)


def working_days_after(dates: Dates, count: Ints | int) -> Dates:
    """The day that is so many working days after each date; no day stays none."""
    given = ~np.isnat(dates)
    found = dates.copy()
    counts = np.broadcast_to(np.asarray(count), dates.shape)
    found[given] = np.busday_offset(dates[given], counts[given], roll="backward", holidays=bank_holidays())
    return found


def working_days_between(start: Dates, end: Dates) -> Ints:
    """How many working days `end` is after `start`: the next working day is 1. Both are given."""
    counted: Ints = np.busday_count(
        start + np.timedelta64(1, "D"), end + np.timedelta64(1, "D"), holidays=bank_holidays()
    )
    return counted
