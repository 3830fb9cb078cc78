"""Evidence by failing: every indicator with its trend, control chart, published figures, numerator and denominator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from send_returns import warehouse
from send_returns.returns import chart_drawing, indicators, tables
from send_returns.returns.indicators import ASSURANCES, VARIATIONS, Figure, Measure
from send_returns.returns.job import Job
from send_returns.returns.pages import html, long_date
from send_returns.returns.tables import Cell, Column, Sheet

_NOTES = {
    "chart": "Control charts (XmR) as the NHS's Making Data Count teaches them: limits are 2.66 times the mean moving"
    " range from the mean, of at least 12 months. They are drawn of the figures that are shown; if one of them is"
    " hidden, there are no limits.",
    "published": "Latest published figures of the region and of England, of the period that ends on the day beside"
    " them. [z] stands where none is published.",
    "target": "What the law, or the partnership, holds the measure to on the as-of date. A duty that allows no"
    " exception has the target 100, which no varying process meets consistently.",
}
_ABOUT = (
    "Each failing of the inspection report has a worksheet with the indicators that evidence it; some are on two.",
    "The worksheet Months has each month's figure with mean and limits; Definitions says what each indicator counts.",
)


@dataclass(frozen=True)
class Indicator:
    """A measure with its words, a row of `return_area_send_evidence__indicator`."""

    words: Mapping[str, Any]
    measure: Measure

    @property
    def code(self) -> str:
        """What the measure is called where there is little room."""
        return str(self.words["measure"])


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes the workbook and the page; returns how many indicators stand under each failing, and how many months."""
    by_failing = _read(job)
    once = list({one.code: one for group in by_failing.values() for one in group}.values())
    once.sort(key=lambda one: one.code)
    sheets = [
        *(_failing(code, words, group) for (code, words), group in by_failing.items()),
        _months(once),
        _definitions(once),
    ]
    name = job.declaration.return_name
    tables.write(job, folder / f"{name}.xlsx", sheets, _NOTES, _ABOUT)
    (folder / f"{name}.html").write_bytes(_page(job, by_failing))
    return {sheet.label: len(sheet.rows) for sheet in sheets}


def _read(job: Job) -> dict[tuple[str, str], list[Indicator]]:
    """The indicators by failing (code and words), in order."""
    words = warehouse.ask(
        job.connection,
        "select * from returns.return_area_send_evidence__indicator where partnership = %s"
        ' order by failing_code collate "C", measure collate "C"',
        [job.proof.run.partnership],
    )
    figures = indicators.of_partnership(job.frame, {row["measure"] for row in words})
    found: dict[tuple[str, str], list[Indicator]] = {}
    for row in words:
        measure = indicators.measure(
            figures.get(row["measure"], {}),
            row["headline_period"],
            row["baselines_from_on"],
            row["better"],
            row["target"],
        )
        found.setdefault((row["failing_code"], row["failing"]), []).append(Indicator(row, measure))
    return found


def _failing(code: str, failing: str, group: Sequence[Indicator]) -> Sheet:
    columns = [
        Column("Code", max(len(one.code) for one in group) * 1.2 + 4),
        Column("Indicator", 44),
        Column("From", 14, "date"),
        Column("To", 14, "date"),
        Column("Numerator", 16, "count", ("rounding", "symbols")),
        Column("Denominator", 16, "count", ("rounding", "symbols")),
        Column("Value", 16, "decimal", ("rounding", "symbols")),
        Column("Unit", 22),
        Column("Target", 10, "decimal", ("target",)),
        Column("Region", 10, "decimal", ("published",)),
        Column("England", 10, "decimal", ("published",)),
        Column("Published figure to", 14, "date", ("published",)),
        Column("Change", 27, "text", ("chart",)),
        Column("Against the target", 27, "text", ("chart",)),
    ]
    return Sheet(
        code,
        f"{code}: {failing}",
        [f"The {len(group)} indicators that evidence this failing, each for its latest whole period."],
        columns,
        [_row(one) for one in group],
    )


def _against_target(one: Indicator) -> str:
    """What the chart says of the target; without a target nothing of it is hidden."""
    return ASSURANCES["no_target" if one.words["target"] is None else one.measure.assurance]


def _row(one: Indicator) -> list[Cell]:
    words, headline = one.words, one.measure.headline
    published: list[Cell] = [_or_z(words[name]) for name in ("region_value", "country_value", "benchmark_to_on")]
    return [
        one.code,
        words["measure_name"],
        headline.from_on if headline else "[x]",
        headline.to_on if headline else "[x]",
        *numbers(headline),
        words["unit"],
        _or_z(words["target"]),
        *published,
        VARIATIONS[one.measure.variation],
        _against_target(one),
    ]


def numbers(one: Figure | None) -> list[Cell]:
    """Numerator, denominator and value of a figure, each a number or the symbol that stands in its place."""
    if one is None:
        return ["[x]"] * 3
    # What a shown figure does not have, it cannot have: the numerator of a median.
    symbol = one.symbol if one.value is None else "[z]"
    return [*(symbol if part is None else part for part in (one.numerator, one.denominator)), one.cell]


def _or_z(value: Cell | None) -> Cell:
    return "[z]" if value is None else value


def _months(once: Sequence[Indicator]) -> Sheet:
    rows: list[list[Cell]] = []
    for one in once:
        points = {point.to_on: point for point in one.measure.chart.points}
        for figure in one.measure.months:
            point = points.get(figure.to_on)
            limits = (point.mean, point.lower_limit, point.upper_limit) if point else (None, None, None)
            why = "[c]" if one.measure.chart.hidden_on else "[z]"
            rows.append(
                [
                    one.code,
                    figure.from_on,
                    figure.to_on,
                    *numbers(figure),
                    *(why if limit is None else limit for limit in limits),
                    VARIATIONS[point.variation] if point else figure.symbol,
                ]
            )
    return Sheet(
        "Months",
        "Every indicator by month, with the mean and the limits of its control chart",
        ["Months, or the last day of months, in order of the code."],
        [
            Column("Code", 34),
            Column("From", 14, "date"),
            Column("To", 14, "date"),
            Column("Numerator", 16, "count", ("rounding", "symbols")),
            Column("Denominator", 16, "count", ("rounding", "symbols")),
            Column("Value", 16, "decimal", ("rounding", "symbols")),
            Column("Mean", 12, "decimal", ("chart",)),
            Column("Lower limit", 12, "decimal", ("chart",)),
            Column("Upper limit", 12, "decimal", ("chart",)),
            Column("Change", 28, "text", ("chart",)),
        ],
        rows,
    )


def _definitions(once: Sequence[Indicator]) -> Sheet:
    names = ("measure", "measure_name", "definition", "numerator_is", "denominator_is", "leaves_out", "better")
    return Sheet(
        "Definitions",
        "What each indicator counts, and what sets its target",
        ["Better: the direction that is an improvement."],
        [
            Column("Code", 34),
            Column("Indicator", 34),
            Column("What it measures", 40),
            Column("Above the line", 34),
            Column("Below the line", 34),
            Column("What is left out", 28),
            Column("Better", 10),
            Column("What sets the target", 32, "text", ("target",)),
            Column("Published figures from", 32, "text", ("published",)),
        ],
        [
            [one.words[name] or "[z]" for name in names]
            + [one.words["target_source"] or "[z]", one.words["benchmark_source"] or "[z]"]
            for one in once
        ],
    )


def _page(job: Job, by_failing: Mapping[tuple[str, str], Sequence[Indicator]]) -> bytes:
    shown: set[str] = set()
    sections = []
    for (code, failing), group in by_failing.items():
        new = [one for one in group if one.code not in shown]
        shown |= {one.code for one in new}
        sections.append(
            {
                "code": code,
                "failing": failing,
                "rows": [_words(one) for one in group],
                "charts": [_chart(one) for one in new if not _why_none(one.measure)],
                "without": [
                    (one.code, one.words["measure_name"], why) for one in new if (why := _why_none(one.measure))
                ],
            }
        )
    return html.page(job, "area_send_evidence.html", sections=sections, symbols=tables.SYMBOLS, notes=tables.NOTES)


def _words(one: Indicator) -> list[html.Text]:
    """A row of the page's table."""
    words, headline, unit = one.words, one.measure.headline, one.words["unit"]
    numerator, denominator, _ = numbers(headline)
    return [
        html.Link(f"{one.code}: {words['measure_name']}", f"#{one.code}"),
        indicators.period(headline) if headline else "[x]",
        "[x]" if headline is None else headline.text(unit),
        _plain(numerator),
        _plain(denominator),
        indicators.with_unit(words["country_value"], unit) or "[z]",
        indicators.with_unit(words["region_value"], unit) or "[z]",
        "[z]" if words["benchmark_to_on"] is None else long_date(words["benchmark_to_on"]),
        indicators.with_unit(words["target"], unit) or "[z]",
        VARIATIONS[one.measure.variation],
        _against_target(one),
    ]


def _why_none(measure: Measure) -> str:
    """Why a measure has no chart; empty if it has one."""
    if indicators.is_drawn(measure):
        return ""
    if not measure.months:
        return "it has no monthly figures"
    if measure.chart.hidden_on:
        return "most months are hidden; the workbook has those that are not"
    return "fewer than two months are known"


def _chart(one: Indicator) -> dict[str, str]:
    chart, unit, target = one.measure.chart, str(one.words["unit"]), one.words["target"]
    return {
        "code": one.code,
        "name": one.words["measure_name"],
        "definition": one.words["definition"],
        "unit": unit,
        "svg": chart_drawing.svg(chart, target),
        "text": indicators.described(chart, unit, target),
    }


def _plain(value: Cell) -> str:
    return f"{value:,.0f}" if isinstance(value, Decimal) else str(value)
