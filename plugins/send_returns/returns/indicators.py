"""Indicators as returns show them: latest figure, months and control chart of a measure, of protected figures alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from send_returns.returns import control_chart, pages
from send_returns.returns.control_chart import Chart, Observation

MONTHS = ("month", "month_end")
_WHOLE = ("plans",)  # units that have no tenths
VARIATIONS: Mapping[str, str] = {
    "common_cause": "No significant change",
    "improving_high": "Improving: higher",
    "improving_low": "Improving: lower",
    "concerning_high": "Concerning: higher",
    "concerning_low": "Concerning: lower",
    "neutral_high": "Changed: higher",
    "neutral_low": "Changed: lower",
    "too_few_points": "Too few points for limits",
    "hidden": "[c]",
    "no_months": "[z]",
}
ASSURANCES: Mapping[str, str] = {
    "consistently_passing": "Meets its target consistently",
    "hit_and_miss": "Meets and misses its target by chance",
    "consistently_failing": "Misses its target consistently",
    "no_target": "[z]",
    "too_few_points": "Too few points to say",
    "hidden": "[c]",
    "no_months": "[z]",
}


@dataclass(frozen=True)
class Figure:
    """One protected figure. `status` as in `Figures.frame`: where it is not empty it stands in place of the number."""

    from_on: date
    to_on: date
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    status: str

    @property
    def symbol(self) -> str:
        """What a cell has in place of a number, such as `[c]`."""
        return f"[{self.status or 'x'}]"

    @property
    def is_low(self) -> bool:
        """Whether its value rounds to nought and is not: 10 of 25,000. A growth is nought if its counts agree."""
        return (
            self.value is not None
            and not self.value.quantize(Decimal("0.1"))
            and self.numerator not in (None, 0, self.denominator)
        )

    @property
    def cell(self) -> Decimal | str:
        """Its value as a table has it, or the symbol that stands in its place."""
        return self.symbol if self.value is None else "[low]" if self.is_low else self.value

    def text(self, unit: str) -> str:
        """Its value as a page has it, with its unit, or the symbol that stands in its place."""
        cell = self.cell
        return cell if isinstance(cell, str) else with_unit(cell, unit)


@dataclass(frozen=True)
class Measure:
    """A measure with its latest whole period (None if there is none), its months, oldest first, and their chart."""

    headline: Figure | None
    months: Sequence[Figure]
    chart: Chart

    @property
    def variation(self) -> str:
        """A key of `VARIATIONS`: that of the latest point, or why there is none."""
        return self.chart.points[-1].variation if self.chart.points else "hidden" if self.months else "no_months"

    @property
    def assurance(self) -> str:
        """A key of `ASSURANCES`: that of the latest point, or why there is none."""
        return self.chart.points[-1].assurance if self.chart.points else "hidden" if self.months else "no_months"


def of_partnership(frame: pl.DataFrame, measures: Iterable[str]) -> dict[str, dict[str, list[Figure]]]:
    """The figures of the whole partnership of some measures, by measure and kind of period, oldest first."""
    found: dict[str, dict[str, list[Figure]]] = {}
    rows = frame.filter(
        pl.col("measure").is_in(list(measures))
        & (pl.col("geography_type") == "partnership")
        & (pl.col("breakdown") == "total")
    ).sort("measure", "period_kind", "period_to_on")
    for row in rows.iter_rows(named=True):
        found.setdefault(row["measure"], {}).setdefault(row["period_kind"], []).append(figure(row))
    return found


def figure(row: Mapping[str, Any]) -> Figure:
    """A row of protected figures."""
    numbers = (row["numerator"], row["denominator"], row["value"])
    numerator, denominator, value = (None if number is None else Decimal(str(number)) for number in numbers)
    return Figure(row["period_from_on"], row["period_to_on"], numerator, denominator, value, row["status"])


def measure(
    kinds: Mapping[str, Sequence[Figure]], headline_period: str, baselines: Iterable[date], better: str,
    target: Decimal | None,
) -> Measure:  # fmt: skip
    """A measure of its figures by kind of period, as `of_partnership` has them."""
    latest = kinds.get(headline_period)
    months = next((kinds[kind] for kind in MONTHS if kind in kinds), [])
    observed = [
        Observation(one.from_on, one.to_on, one.value) for one in months if one.value is not None or is_hidden(one)
    ]
    return Measure(latest[-1] if latest else None, months, control_chart.chart(observed, baselines, better, target))


def is_hidden(one: Figure) -> bool:
    """Whether there is a figure that may not be shown; what is not available or not applicable is no figure."""
    return one.value is None and one.status not in ("x", "z")


def is_drawn(measure: Measure) -> bool:
    """Whether a chart of its months shows anything: two points, and at least as many as are hidden."""
    return len(measure.chart.points) > 1 and len(measure.chart.points) >= len(measure.chart.hidden_on)


def with_unit(value: Decimal | None, unit: str) -> str:
    """A value as prose has it: 45.2%, 3.1 weeks."""
    if value is None:
        return ""
    if unit == "percent":
        return f"{value:,.1f}%"
    return f"{value:,.0f} {unit}" if unit in _WHOLE else f"{value:,.1f} {unit}"


def period(one: Figure) -> str:
    """The days of a figure in few words: a year, a month, a day, or the first and the last."""
    first, last, next_on = one.from_on, one.to_on, one.to_on + timedelta(days=1)
    if first == last:
        return pages.long_date(last)
    if (first.month, first.day, next_on) == (1, 1, date(first.year + 1, 1, 1)):
        return str(first.year)
    if (first.day, next_on.day) == (1, 1) and (first.year, first.month) == (last.year, last.month):
        return pages.long_date(last).partition(" ")[2]
    return f"{pages.long_date(first)} to {pages.long_date(last)}"


def described(chart: Chart, unit: str, target: Decimal | None) -> str:
    """What a chart shows, in words. It has a point at least."""
    first, last, hidden = chart.points[0], chart.points[-1], len(chart.hidden_on)
    parts = [
        f"{len(chart.points)} points from {pages.long_date(first.to_on)} to {pages.long_date(last.to_on)}"
        + (f", and {hidden} that {'is' if hidden == 1 else 'are'} hidden" if hidden else "")
        + f"; the latest shown is {with_unit(last.value, unit)}."
    ]
    if last.mean is not None:
        parts.append(f"Mean {last.mean}, limits {last.lower_limit} to {last.upper_limit}.")
    if target is not None:
        parts.append(f"Target {with_unit(target, unit)}.")
    parts.append("There are no limits, because a figure is hidden." if hidden else VARIATIONS[last.variation] + ".")
    if chart.has_limits and target is not None:
        parts.append(ASSURANCES[last.assurance] + ".")
    return " ".join(parts)
