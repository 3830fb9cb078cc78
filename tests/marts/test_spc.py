"""The control charts of a built county, drawn a second time in another language."""

from fractions import Fraction
from itertools import groupby, pairwise
from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

LIMIT, RUN, FEWEST = Fraction("2.66"), 7, 12
SIGNALS = ("is_outside_limits", "is_part_of_shift", "is_part_of_trend", "is_part_of_two_of_three")


class County(Protocol):
    settings: Settings


def sign(number: Fraction) -> int:
    return (number > 0) - (number < 0)


def redraw(values: list[Fraction]) -> tuple[Fraction, Fraction, list[set[str]]]:
    """Mean, distance of the limits, and the rules that each point is part of, as decision 0015 has them."""
    mean = sum(values, Fraction()) / len(values)
    ranges = [abs(after - before) for before, after in pairwise(values)]
    reach = LIMIT * sum(ranges, Fraction()) / len(ranges)
    found: list[set[str]] = [set() for _ in values]
    sides = [sign(value - mean) for value in values]
    moves = [sign(after - before) for before, after in pairwise(values)]
    for start in range(len(values)):
        if abs(values[start] - mean) > reach:
            found[start].add("is_outside_limits")
        if len(sides[start : start + RUN]) == RUN and set(sides[start : start + RUN]) in ({1}, {-1}):
            for part in found[start : start + RUN]:
                part.add("is_part_of_shift")
        if len(moves[start : start + RUN - 1]) == RUN - 1 and set(moves[start : start + RUN - 1]) in ({1}, {-1}):
            for part in found[start : start + RUN]:
                part.add("is_part_of_trend")
        for side in (1, -1):
            three = range(start, min(start + 3, len(values)))
            near = [point for point in three if side * (values[point] - mean) > reach * 2 / 3]
            if len(near) >= 2:
                for point in near:
                    found[point].add("is_part_of_two_of_three")
    return mean, reach, found


def test_every_chart_of_the_county_is_drawn_the_same_by_another(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select measure, period_kind, geography_code, value, mean, lower_limit, upper_limit, is_outside_limits,"
            " is_part_of_shift, is_part_of_trend, is_part_of_two_of_three, variation"
            " from candidate_marts.mart_indicator_spc"
            " order by measure, period_kind, geography_type, geography_code, period_to_on"
        ).fetchall()
    drawn = 0
    seen: set[str] = set()
    for _, chart in groupby(rows, key=lambda row: row[:3]):
        points = list(chart)
        if len(points) < FEWEST:
            assert {(*row[4:7], row[11]) for row in points} == {(None, None, None, "too_few_points")}
            continue
        drawn += 1
        mean, reach, found = redraw([Fraction(row[3]) for row in points])
        for row, rules in zip(points, found, strict=True):
            shown = (mean, mean - reach, mean + reach)
            assert all(
                abs(Fraction(has) - wanted) <= Fraction(1, 200) for has, wanted in zip(row[4:7], shown, strict=True)
            )
            assert {name for name, is_part in zip(SIGNALS, row[7:11], strict=True) if is_part} == rules, row[:3]
            assert (row[11] == "common_cause") == (not rules), row[:3]
            seen |= rules
    assert drawn > 20
    assert seen == set(SIGNALS)
