"""The statutory clocks of a built county, and the calendar of working days below them."""

from datetime import date
from typing import Protocol

import numpy as np

from send_returns.settings import Settings
from send_returns.warehouse import connect


class County(Protocol):
    settings: Settings


def test_the_working_days_are_those_of_another_calendar(county: County) -> None:
    with connect(county.settings) as connection:
        holidays = [
            day for (day,) in connection.execute("select holiday_on from candidate_reference.bank_holidays").fetchall()
        ]
        rows = connection.execute(
            "select day_on, is_working_day, working_day_number from candidate_intermediate.int_working_day order by 1"
        ).fetchall()
    days = np.array([day for day, _, _ in rows], dtype="datetime64[D]")
    off = np.array(holidays, dtype="datetime64[D]")
    assert (rows[0][0], rows[-1][0]) == (date(2000, 1, 1), date(2035, 12, 31))
    assert [is_working for _, is_working, _ in rows] == np.is_busday(days, holidays=off).tolist()
    counted = np.busday_count(days[0], days + np.timedelta64(1, "D"), holidays=off)
    assert [number for _, _, number in rows] == counted.tolist()
