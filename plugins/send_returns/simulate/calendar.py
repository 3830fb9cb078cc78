"""School years, census days and attendance terms, by rule. Definitions: docs/definitions.md."""

from dataclasses import dataclass
from datetime import date, timedelta

from dateutil.easter import easter

_RULE = {"spring": (1, 3), "summer": (5, 3), "autumn": (10, 1)}  # term: (month, which Thursday)
_THURSDAY = 3


@dataclass(frozen=True)
class Census:
    """One school census: its day, and the term (first and last day) that its sessions and exclusions are of."""

    year: int
    term: str
    day: date
    attendance_from: date
    attendance_to: date

    @property
    def name(self) -> str:
        """The delivery's name, `<year>_<term>`."""
        return f"{self.year}_{self.term}"


def census_day(year: int, term: str) -> date:
    """First Thursday of October, third Thursday of January or of May."""
    month, nth = _RULE[term]
    first = date(year, month, 1)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 7 * (nth - 1))


def last_spring_census(as_of: date) -> date:
    """The day of the latest spring census that is not after `as_of`."""
    this_year = census_day(as_of.year, "spring")
    return this_year if this_year <= as_of else census_day(as_of.year - 1, "spring")


def _census(year: int, term: str) -> Census:
    sunday = easter(year)
    start, end = {
        "spring": (date(year - 1, 8, 1), date(year - 1, 12, 31)),
        "summer": (date(year, 1, 1), sunday),
        "autumn": (sunday + timedelta(days=1), date(year, 7, 31)),
    }[term]
    return Census(year, term, census_day(year, term), start, end)


def latest_censuses(as_of: date, count: int = 3) -> list[Census]:
    """The latest `count` censuses on or before `as_of`, earliest first."""
    years = range(as_of.year - count, as_of.year + 1)
    past = [c for year in years for term in _RULE if (c := _census(year, term)).day <= as_of]
    return sorted(past, key=lambda c: c.day)[-count:]


def school_year(day: date) -> int:
    """The calendar year in which the school year of `day` began (1 September)."""
    return day.year if day.month >= 9 else day.year - 1


def six_months_before(day: date) -> date:
    """Six calendar months earlier, clamped to the month's last day, as PostgreSQL subtracts an interval."""
    year, month = (day.year, day.month - 6) if day.month > 6 else (day.year - 1, day.month + 6)
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (following - timedelta(days=1)).day))


def last_month_end(day: date) -> date:
    """The latest last day of a month that is not after `day`."""
    tomorrow = day + timedelta(days=1)
    return day if tomorrow.day == 1 else day.replace(day=1) - timedelta(days=1)


def last_quarter_end(day: date) -> date:
    """The latest last day of a quarter of the year that is not after `day`."""
    end = last_month_end(day)
    while end.month % 3:
        end = last_month_end(end - timedelta(days=1))
    return end


def financial_year(day: date) -> int:
    """The year in which the financial year of `day` began (1 April)."""
    return day.year if day.month >= 4 else day.year - 1
