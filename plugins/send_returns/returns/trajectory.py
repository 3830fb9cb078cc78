"""Where an indicator is heading: what `mart_improvement_trajectory` works out from exact figures, of protected ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from send_returns.returns.indicators import Figure, Measure, is_hidden

# The forecast is the straight line through the latest months, at least so many.
MONTHS, FEWEST_MONTHS = 12, 3
OUTLOOKS = {
    "reached": "Target reached",
    "missed": "Target missed",
    "on_track": "On track",
    "off_track": "Off track",
    "no_forecast": "No forecast",
    "no_target": "No target",
}


@dataclass(frozen=True)
class Aim:
    """What an action is to change: in which direction, by when, and to what. A plan may leave a day of it blank."""

    started_on: date | None
    due_on: date | None
    better: str
    target: Decimal | None
    is_percent: bool


@dataclass(frozen=True)
class Trajectory:
    """`baseline`: the first month that the action had any part in. `forecast`: the value on the day it is due, or None.

    `outlook`: a key of `OUTLOOKS`.
    """

    baseline: Figure | None
    latest: Figure | None
    forecast: Decimal | None
    outlook: str


def trajectory(measure: Measure, aim: Aim, as_of: date) -> Trajectory:
    """The trajectory of a measure towards an aim. A hidden month among the latest gives no forecast."""
    months = [one for one in measure.months if one.value is not None or is_hidden(one)]
    baseline = next((one for one in months if aim.started_on and one.to_on >= aim.started_on), None)
    latest = months[-1] if months else measure.headline
    value = latest.value if latest else None
    due_on = aim.due_on
    forecast = _forecast(months[-MONTHS:], due_on, aim.is_percent) if due_on and due_on > as_of else None
    return Trajectory(baseline, latest, forecast, _outlook(aim, value, forecast, as_of))


def _outlook(aim: Aim, value: Decimal | None, forecast: Decimal | None, as_of: date) -> str:
    if aim.target is None or aim.better == "neither":
        return "no_target"
    if value is not None and _is_reached(value, aim.target, aim.better):
        return "reached"
    if aim.due_on and aim.due_on <= as_of and value is not None:
        return "missed"
    if forecast is None:
        return "no_forecast"
    return "on_track" if _is_reached(forecast, aim.target, aim.better) else "off_track"


def _is_reached(value: Decimal, target: Decimal, better: str) -> bool:
    return value >= target if better == "higher" else value <= target


def _forecast(months: Sequence[Figure], due_on: date, is_percent: bool) -> Decimal | None:
    """By least squares, in exact numbers; from 0, and to 100 if it is per cent; half up to one decimal."""
    values = [Fraction(one.value) for one in months if one.value is not None]
    if len(values) < max(FEWEST_MONTHS, len(months)):
        return None
    places = [Fraction(_month(one.to_on)) for one in months]
    count, middle, mean = len(values), sum(places) / len(places), sum(values) / len(values)
    spread = count * sum(place * place for place in places) - sum(places) ** 2
    if not spread:
        return None
    products = sum(place * value for place, value in zip(places, values, strict=True))
    slope = (count * products - sum(places) * sum(values)) / spread
    found = max(Fraction(mean + slope * (_month(due_on) - middle)), Fraction(0))
    limited = min(found, Fraction(100)) if is_percent else found
    return (Decimal(limited.numerator) / Decimal(limited.denominator)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _month(day: date) -> int:
    return 12 * day.year + day.month
