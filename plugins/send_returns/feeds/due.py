"""When a feed is due: the days that its deliveries describe, and by how many days later they must have come."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
SUNDAY = 6


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Such as the third Thursday of a month; Monday is 0."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


@dataclass(frozen=True, slots=True)
class CensusDay:
    """A day of every year: the `nth` of a weekday in the month, or the `nth` day of it where that is None."""

    name: str
    month: int
    weekday: int | None
    nth: int

    def of(self, year: int) -> date:
        """The day in a year."""
        if self.weekday is None:
            return date(year, self.month, self.nth)
        return nth_weekday(year, self.month, self.weekday, self.nth)

    @property
    def words(self) -> str:
        """The day as a supplier says it."""
        if self.weekday is None:
            return f"{self.nth} {MONTHS[self.month - 1]}"
        return f"the {ORDINALS[self.nth]} {WEEKDAYS[self.weekday].capitalize()} of {MONTHS[self.month - 1]}"


@dataclass(frozen=True, slots=True)
class Due:
    """Either the census days of a year, or the last day of every week (a Sunday), month or quarter."""

    within_days: int
    census: tuple[CensusDay, ...]
    every: Literal["week", "month", "quarter"] | None
    name: str

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> "Due":
        """What a contract says."""
        census = tuple(
            CensusDay(day["name"], day["month"], WEEKDAYS.index(day["weekday"]), day["nth"])
            if "weekday" in day
            else CensusDay(day["name"], day["month"], None, day["day"])
            for day in said.get("census", [])
        )
        return cls(said["within_days"], census, said.get("every"), said.get("name", ""))

    def days(self, since: date, until: date) -> list[tuple[str, date]]:
        """The days from `since` to `until`, both included, that deliveries were to describe, each with its name."""
        years = range(since.year, until.year + 1)
        if self.every is None:
            found = [(day.name, day.of(year)) for year in years for day in self.census]
        elif self.every == "week":
            first = since + timedelta(days=(SUNDAY - since.weekday()) % 7)
            found = [(self.name, first + timedelta(days=days)) for days in range(0, (until - since).days + 1, 7)]
        else:
            months = range(1, 13) if self.every == "month" else range(3, 13, 3)
            last = [date(year, month, calendar.monthrange(year, month)[1]) for year in years for month in months]
            found = [(self.name, day) for day in last]
        return sorted((one for one in found if since <= one[1] <= until), key=lambda one: (one[1], one[0]))

    @property
    def words(self) -> str:
        """When it is due, as a supplier reads it."""
        if self.every is None:
            days = " and ".join(filter(None, [", ".join(d.words for d in self.census[:-1]), self.census[-1].words]))
        else:
            days = "each Sunday" if self.every == "week" else f"the last day of each {self.every}"
        return f"as at {days}, within {self.within_days} days"
