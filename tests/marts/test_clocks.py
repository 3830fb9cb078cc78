"""The statutory clocks of a built county, and the calendar of working days below them."""

from datetime import date
from typing import Protocol

import numpy as np

from send_returns.settings import PROJECT, Settings
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


# What a small county has none of: orders to assess or to issue, reassessments, and referrals to a consultant. The unit
# tests hold these clocks.
NONE_HERE = {
    ("CLK19", "decide"), ("CLK19", "final"), ("CLK19", "start"), ("CLK20", "draft"), ("CLK20", "final"),
    ("CLK22", "decide"), ("CLK22", "final"), ("CLK30", ""),
}  # fmt: skip


def test_every_clock_with_a_limit_runs(county: County) -> None:
    with connect(county.settings) as connection:
        limited = set(
            connection.execute("select clock, coalesce(part, '') from candidate_reference.clock_parameters").fetchall()
        )
        run = set(connection.execute("select distinct clock, part from candidate_marts.fct_clock").fetchall())
    assert run <= limited
    assert limited - run <= NONE_HERE
    models = "".join(
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "dbt_project" / "models" / "intermediate").glob("int_clock__*.sql")
    )
    assert [clock for clock, _ in sorted(NONE_HERE) if f"'{clock}'" not in models] == []


def test_an_outcome_is_what_the_days_say(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select outcome, count(*), bool_and(is_exempt), bool_or(is_exempt), bool_and(stopped_on <= due_on),"
            " bool_or(stopped_on <= due_on), bool_and(stopped_on is null), bool_and(as_of_on > due_on)"
            " from candidate_marts.fct_clock where clock <> 'CLK04' group by outcome"
        ).fetchall()
        least_times = connection.execute(
            "select outcome, bool_and(stopped_on >= due_on), bool_and(stopped_on is null)"
            " from candidate_marts.fct_clock where clock = 'CLK04' group by outcome order by outcome"
        ).fetchall()
    assert least_times == [("in_time", True, False), ("running", None, True)]
    found = {outcome: facts for outcome, _, *facts in rows}
    assert set(found) == {"exempt", "in_time", "late", "running", "overdue"}
    assert found["exempt"][:2] == [True, True]
    assert found["in_time"][1:3] == [False, True]
    assert (found["late"][1], found["late"][3]) == (False, False)
    assert (found["overdue"][1], found["overdue"][4:]) == (False, [True, True])
    assert (found["running"][1], found["running"][4]) == (False, True)
