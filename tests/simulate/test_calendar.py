"""Census days and terms by rule, at their edges."""

from datetime import date

import pytest

from send_returns.simulate.calendar import census_day, latest_censuses, school_year, six_months_before


@pytest.mark.parametrize(
    ("year", "term", "day"),
    [
        (2024, "spring", date(2024, 1, 18)),
        (2025, "spring", date(2025, 1, 16)),
        (2026, "spring", date(2026, 1, 15)),
        (2027, "spring", date(2027, 1, 21)),
        (2026, "summer", date(2026, 5, 21)),
        (2026, "autumn", date(2026, 10, 1)),
        (2025, "autumn", date(2025, 10, 2)),
    ],
)
def test_census_days_are_the_published_thursdays(year: int, term: str, day: date) -> None:
    assert census_day(year, term) == day


def test_a_census_is_past_on_its_own_day_and_not_the_day_before() -> None:
    assert [c.name for c in latest_censuses(date(2026, 10, 1))] == ["2026_spring", "2026_summer", "2026_autumn"]
    assert [c.name for c in latest_censuses(date(2026, 9, 30))] == ["2025_autumn", "2026_spring", "2026_summer"]


def test_terms_meet_at_easter_and_new_year() -> None:
    spring, summer, autumn = latest_censuses(date(2026, 10, 30))
    assert (spring.attendance_from, spring.attendance_to) == (date(2025, 8, 1), date(2025, 12, 31))
    assert (summer.attendance_from, summer.attendance_to) == (date(2026, 1, 1), date(2026, 4, 5))
    assert (autumn.attendance_from, autumn.attendance_to) == (date(2026, 4, 6), date(2026, 7, 31))


@pytest.mark.parametrize(
    ("day", "earlier"),
    [
        (date(2026, 10, 30), date(2026, 4, 30)),
        (date(2026, 8, 31), date(2026, 2, 28)),
        (date(2024, 8, 31), date(2024, 2, 29)),
        (date(2026, 6, 30), date(2025, 12, 30)),
        (date(2026, 3, 15), date(2025, 9, 15)),
    ],
)
def test_six_months_clamp_to_the_end_of_the_month(day: date, earlier: date) -> None:
    assert six_months_before(day) == earlier


def test_school_year_turns_on_the_first_of_september() -> None:
    assert (school_year(date(2026, 8, 31)), school_year(date(2026, 9, 1))) == (2025, 2026)
