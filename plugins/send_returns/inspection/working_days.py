"""Working days of England, by the calendar that the clocks of the marts go by."""

import csv
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from send_returns.failure import Failure
from send_returns.settings import Settings


def after(settings: Settings, day: date, count: int) -> date:
    """The working day that is `count` after a day; 0 is the day, or the last working day before it. Raises Failure."""
    holidays = _holidays(settings.project / "dbt_project" / "seeds" / "bank_holidays.csv")
    found = date.fromisoformat(str(np.busday_offset(day, count, roll="backward", holidays=holidays)))
    _within(day, found, holidays)
    return found


def until(settings: Settings, day: date, due_on: date) -> int:
    """How many working days `due_on` is after a day: the next one is 1. Negative: it was so many before it."""
    holidays = _holidays(settings.project / "dbt_project" / "seeds" / "bank_holidays.csv")
    _within(day, due_on, holidays)
    one = np.timedelta64(1, "D")
    first, last = np.datetime64(min(day, due_on)), np.datetime64(max(day, due_on))
    counted = int(np.busday_count(first + one, last + one, holidays=holidays))
    return counted if day <= due_on else -counted


def _within(first: date, last: date, holidays: tuple[date, ...]) -> None:
    years = holidays[0].year, holidays[-1].year
    for day in (first, last):
        if not years[0] <= day.year <= years[1]:
            raise Failure(f"The bank holidays of {day.year} are not known: those of {years[0]} to {years[1]} are.")


@cache
def _holidays(seed: Path) -> tuple[date, ...]:
    with seed.open(encoding="utf-8", newline="") as file:
        return tuple(sorted(date.fromisoformat(row["holiday_on"]) for row in csv.DictReader(file)))
