"""Control charts (XmR) of protected figures, by the formula and the rules of decision 0015.

The mart's own mean and limits are of exact figures, and a limit can give away what a point hides. So a return draws
them again, of nothing but the points that it shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

# Of decision 0015: mean moving ranges from the mean to a limit, points of a run, fewest points of a chart.
LIMIT, RUN, FEWEST_POINTS = Fraction("2.66"), 7, 12


@dataclass(frozen=True)
class Observation:
    """One period and its figure; None where the figure is hidden."""

    from_on: date
    to_on: date
    value: Decimal | None


@dataclass(frozen=True)
class Point:
    """One point of a chart. The mean and the limits, to two decimals, are those of its baseline, or None."""

    from_on: date
    to_on: date
    value: Decimal
    mean: Decimal | None
    lower_limit: Decimal | None
    upper_limit: Decimal | None
    variation: str
    assurance: str


@dataclass(frozen=True)
class Chart:
    """The points of a measure, oldest first, and the days of those that are hidden: with one of these, no limits."""

    points: Sequence[Point]
    hidden_on: Sequence[date]

    @property
    def has_limits(self) -> bool:
        """Whether the latest point has limits."""
        return bool(self.points) and self.points[-1].mean is not None


def chart(
    observed: Sequence[Observation], baselines: Iterable[date], better: str, target: Decimal | None = None
) -> Chart:
    """The chart of observations, oldest first. `baselines`: the days from which a new one was decided.

    `better` is higher, lower or neither. Variation and assurance are those of `mart_indicator_spc`; a series with a
    hidden figure, or with too few, has none.
    """
    starts = sorted(baselines)
    hidden_on = [one.to_on for one in observed if one.value is None]
    segments: dict[int, list[tuple[Observation, Decimal]]] = {}
    for one in observed:
        if one.value is not None:
            segments.setdefault(sum(start <= one.from_on for start in starts), []).append((one, one.value))
    points = [point for segment in segments.values() for point in _segment(segment, better, target, bool(hidden_on))]
    return Chart(points, hidden_on)


def _segment(
    segment: Sequence[tuple[Observation, Decimal]], better: str, target: Decimal | None, is_hidden: bool
) -> list[Point]:
    """The points of one baseline."""
    values = [Fraction(value) for _, value in segment]
    if is_hidden or len(values) < FEWEST_POINTS:
        why = "hidden" if is_hidden else "too_few_points"
        return [Point(one.from_on, one.to_on, value, None, None, None, why, why) for one, value in segment]
    mean = sum(values, Fraction()) / len(values)
    changes = [after - before for before, after in pairwise(values)]
    distance = LIMIT * sum(map(abs, changes), Fraction()) / len(changes)
    lower, upper = mean - distance, mean + distance
    assurance = _assurance(lower, upper, better, target)
    lines = (_two(mean), _two(lower), _two(upper))
    return [
        Point(one.from_on, one.to_on, value, *lines, _variation(signal, better), assurance)
        for (one, value), signal in zip(segment, _signals(values, changes, mean, distance), strict=True)
    ]


def _signals(
    values: Sequence[Fraction], changes: Sequence[Fraction], mean: Fraction, distance: Fraction
) -> list[int | None]:
    """Which way each point is a signal: 1 up, -1 down, None if it is of none. A trend tells its own direction first."""
    count = len(values)
    sides = [_sign(value - mean) for value in values]
    steps = [_sign(change) for change in changes]
    far = [side if abs(value - mean) > distance * 2 / 3 else 0 for value, side in zip(values, sides, strict=True)]
    rising, falling, other = ([False] * count for _ in range(3))
    for first in range(count - RUN + 1):
        span = slice(first, first + RUN)
        if abs(sum(sides[span])) == RUN:
            other[span] = [True] * RUN
        moves = sum(steps[first : first + RUN - 1])
        if moves == RUN - 1:
            rising[span] = [True] * RUN
        elif moves == 1 - RUN:
            falling[span] = [True] * RUN
    for place, (value, side) in enumerate(zip(values, far, strict=True)):
        around = (far[max(0, last - 2) : last + 1] for last in range(place, min(place + 3, count)))
        other[place] |= abs(value - mean) > distance
        other[place] |= side != 0 and any(three.count(side) >= 2 for three in around)
    return [
        1 if up else -1 if down else side if signal else None
        for up, down, signal, side in zip(rising, falling, other, sides, strict=True)
    ]


def _variation(signal: int | None, better: str) -> str:
    if signal is None:
        return "common_cause"
    way = {1: "high", -1: "low"}.get(signal, "")
    if better == "neither":
        return f"neutral_{way}"
    return f"{'improving' if (better == 'higher') == (signal == 1) else 'concerning'}_{way}"


def _assurance(lower: Fraction, upper: Fraction, better: str, target: Decimal | None) -> str:
    if target is None or better == "neither":
        return "no_target"
    if lower <= Fraction(target) <= upper:
        return "hit_and_miss"
    return "consistently_passing" if (better == "higher") == (Fraction(target) < lower) else "consistently_failing"


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _two(value: Fraction) -> Decimal:
    """Half up, away from nought, to two decimals."""
    exact = Decimal(abs(value.numerator)) * 100 / Decimal(value.denominator)
    rounded = exact.to_integral_value(ROUND_HALF_UP) / 100
    return (-rounded if value < 0 else rounded).quantize(Decimal("0.01"))
