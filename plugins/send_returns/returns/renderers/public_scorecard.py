"""The public scorecard: a page in plain words for families, and open data by the standard of the DfE.

The open data follow the Open Data Standards of the Department for Education's Analysts' Guide (statistics production):
tidy columns, one kind of year to a file, GSS symbols, and a `.meta.csv` beside each file.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

from send_returns import landing, warehouse
from send_returns.returns import chart_drawing, indicators
from send_returns.returns.indicators import Figure
from send_returns.returns.job import Job
from send_returns.returns.pages import MONTHS, html, long_date, words

QUESTIONS = html.TEMPLATES / "public_scorecard.yml"
# A snapshot of the reporting date has its months under another kind of period.
_SERIES = {"as_of": "month_end"}
# What counts as no change: points out of 100, or weeks.
_LEAST = {"percent": Decimal(2), "weeks": Decimal(1)}
_BETTER, _WORSE, _SAME, _CHANGED = "Better", "Worse", "About the same", "Changed"
_FIRST, _UNKNOWN = "No earlier number", "We cannot say"
_GLANCE = ((_BETTER, "Getting better"), (_WORSE, "Getting worse"), (_SAME, "About the same"), (_CHANGED, "Has changed"),
           (_FIRST, "No earlier number to compare with"), (_UNKNOWN, "We cannot say"))  # fmt: skip
_WHY = {
    "c": "The numbers are small. We hide them so that nobody can find out about one child.",
    "z": "There is nothing to count here.",
    "x": "We do not have this number yet. No record that reaches us tells it.",
}
# Kind of period -> the file that it goes into, and the standard's word for its time. Kinds of year are not mixed.
_FILES = {
    "calendar_year": ("calendar_year", "Calendar year"),
    "academic_year": ("academic_year", "Academic year"),
    "month": ("month", ""),
    "month_end": ("month", ""),
}
_OTHER = ("reporting_year", "Reporting year")
_COLUMNS = (
    "time_period", "time_identifier", "geographic_level", "country_code", "country_name", "region_code", "region_name",
    "new_la_code", "old_la_code", "la_name", "topic", "measure", "cases_count", "total_count", "cases_percent",
    "wait_weeks_median",
)  # fmt: skip
_META = (
    ("col_name", "col_type", "label", "indicator_grouping", "indicator_unit", "indicator_dp", "filter_hint",
     "filter_grouping_column"),
    ("measure", "Filter", "Question", "", "", "", "Filter by what families ask", "topic"),
    ("cases_count", "Indicator", "Number of those counted", "", "", "0", "", ""),
    ("total_count", "Indicator", "Number out of which they are counted", "", "", "0", "", ""),
    ("cases_percent", "Indicator", "Percentage of those counted", "", "%", "1", "", ""),
    ("wait_weeks_median", "Indicator", "Median wait in weeks", "", "", "1", "", ""),
)  # fmt: skip
_ENGLAND = ("E92000001", "England")


@dataclass(frozen=True)
class Answer:
    """A question with all that the page says to it. `svg` is empty where there is nothing to draw."""

    id: str
    topic: str
    question: str
    short: str
    says: str
    trend: str
    change: str
    england: str
    law: str
    means: str
    basis: str
    picture: str
    svg: str
    is_known: bool


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes the page and the open data; returns how many questions, and how many rows each data file has."""
    asked = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    facts = _facts(job)
    figures = indicators.of_partnership(job.frame, {one["measure"] for one in asked["questions"]})
    answers = [_answer(job, one, facts[one["measure"]], figures.get(one["measure"], {})) for one in asked["questions"]]
    page = html.page(
        job,
        "public_scorecard.html",
        topics=asked["topics"],
        answers=answers,
        glance=[(heading, [one for one in answers if one.trend == trend]) for trend, heading in _GLANCE],
        unknown=[one for one in answers if not one.is_known],
    )
    (folder / f"{job.declaration.return_name}.html").write_bytes(page)
    return {"questions": len(answers)} | _open_data(job, folder, asked, facts, figures)


def _facts(job: Job) -> dict[str, Mapping[str, Any]]:
    """What is published and decided of each measure: its unit, which way is better, and England's figure."""
    rows = warehouse.ask(
        job.connection,
        "select distinct on (measure) measure, unit, better, headline_period, country_value, benchmark_to_on,"
        " benchmark_source from returns.return_area_send_evidence__indicator where partnership = %s"
        " order by measure, failing_code",
        [job.proof.run.partnership],
    )
    return {row["measure"]: row for row in rows}


def _whole(kinds: Mapping[str, Sequence[Figure]], kind: str, job: Job) -> list[Figure]:
    """The figures of the periods of a kind that are over, oldest first."""
    return [one for one in kinds.get(kind, ()) if one.to_on <= job.proof.run.as_of]


def _answer(
    job: Job, asked: Mapping[str, str], fact: Mapping[str, Any], kinds: Mapping[str, Sequence[Figure]]
) -> Answer:
    kind, unit = fact["headline_period"], fact["unit"]
    own = _whole(kinds, kind, job)
    latest = own[-1] if own else None
    earlier = _earlier(latest, own if len(own) > 1 else _whole(kinds, _SERIES.get(kind, kind), job))
    if latest is None or latest.value is None:
        says = _WHY[latest.status if latest else "x"]
    else:
        said = asked["says"].format(n=_plain(latest, unit))
        says = said[:1].upper() + said[1:]
    trend, change = _trend(latest, earlier, fact)
    bars = _bars(latest, earlier, fact)
    return Answer(
        id=asked["measure"].lower(),
        topic=asked["topic"],
        question=asked["question"],
        short=asked["short"],
        says=says,
        trend=trend,
        change=change,
        england=_england(latest, fact),
        law=asked["law"],
        means=asked["means"],
        basis=_basis(latest, unit),
        picture=". ".join(f"{name}: {_exact(value, unit)}" for name, value in bars) + ".",
        svg=_svg(bars, unit) if bars else "",
        is_known=latest is not None and latest.value is not None,
    )


def _earlier(latest: Figure | None, series: Sequence[Figure]) -> Figure | None:
    """The figure to hold the latest against: of months that a year before, else the one before."""
    before = [one for one in series if latest is not None and one.to_on < latest.to_on]
    if not before or latest is None:
        return None
    a_year_ago = [one for one in before if (latest.to_on - one.to_on).days in range(335, 397)]
    return a_year_ago[0] if a_year_ago else before[-1]


def _trend(latest: Figure | None, earlier: Figure | None, fact: Mapping[str, Any]) -> tuple[str, str]:
    if latest is None or latest.value is None:
        return _UNKNOWN, ""
    if earlier is None or earlier.value is None:
        return _FIRST, "There is no earlier number that we can show."
    unit = fact["unit"]
    change = latest.value - earlier.value
    was = f"It was {_exact(earlier.value, unit)} {_when(earlier)}, and {_exact(latest.value, unit)} {_when(latest)}."
    if abs(change) < _LEAST[unit]:
        return _SAME, was
    if fact["better"] == "neither":
        return _CHANGED, was
    return (_BETTER if (change > 0) == (fact["better"] == "higher") else _WORSE), was


def _england(latest: Figure | None, fact: Mapping[str, Any]) -> str:
    value = fact["country_value"]
    if value is None:
        return "We have no number for England to compare with."
    year, unit = fact["benchmark_to_on"].year, fact["unit"]
    said = f"In England it was {_exact(Decimal(value), unit)} in {year}."
    if latest is not None and latest.value is not None:
        change = latest.value - Decimal(value)
        if abs(change) < _LEAST[unit]:
            said += " We are about the same."
        elif fact["better"] == "neither":
            said += f" Ours is {'higher' if change > 0 else 'lower'}."
        else:
            said += f" We are doing {'better' if (change > 0) == (fact['better'] == 'higher') else 'less well'}."
    return f"{said} Source: {_source(fact['benchmark_source'])}."


def _source(source: str) -> str:
    """A publication by its names alone: without the table, which is for those who look the figure up."""
    named, _, table = source.rpartition(", ")
    return (source if " " in table or not named else named).replace("DfE,", "Department for Education,")


def _basis(latest: Figure | None, unit: str) -> str:
    if latest is None or latest.value is None:
        return ""
    if latest.numerator is not None and latest.denominator is not None and unit == "percent":
        return f"The numbers: about {latest.numerator:,.0f} out of about {latest.denominator:,.0f}, {_when(latest)}."
    if latest.denominator is not None:
        return f"The number is about {latest.denominator:,.0f} children, {_when(latest)}."
    return f"The number is {_when(latest)}."


def _when(one: Figure) -> str:
    """The period in words: in 2025, in September 2026, on 30 October 2026, from ... to ..."""
    start, end = one.from_on, one.to_on
    if start == end:
        return f"on {long_date(end)}"
    if (start.day, start.month, end.day, end.month) == (1, 1, 31, 12):
        return f"in {end.year}"
    if (start.year, start.month) == (end.year, end.month):
        return f"in {MONTHS[end.month - 1]} {end.year}"
    return f"from {long_date(start)} to {long_date(end)}"


def _plain(one: Figure, unit: str) -> str:
    """A value for a sentence: whole, but for what would be none or all of them and is not."""
    value = one.value or Decimal()
    whole = value.quantize(Decimal(1), ROUND_HALF_UP)
    if unit == "percent" and not whole and (value or one.is_low):
        return "less than one"
    if unit == "percent" and whole == 100 and (value != whole or one.numerator != one.denominator):
        return "more than 99"
    return f"{whole}"


def _exact(value: Decimal, unit: str) -> str:
    return f"{value:.1f}%" if unit == "percent" else f"{value:.1f} {unit}"


def _bars(latest: Figure | None, earlier: Figure | None, fact: Mapping[str, Any]) -> list[tuple[str, Decimal]]:
    """What a chart shows, by what stands beside each bar: before, now and England; none where there is but one."""
    bars = [
        (f"Here, {_short(one)}", one.value)
        for one in (earlier, latest)
        if one is not None and one.value is not None
    ]  # fmt: skip
    if bars and fact["country_value"] is not None:
        bars.append((f"England, {fact['benchmark_to_on'].year}", Decimal(fact["country_value"])))
    return bars if len(bars) > 1 else []


def _short(one: Figure) -> str:
    is_year = (one.to_on - one.from_on).days > 360
    if is_year:
        years = {one.from_on.year, one.to_on.year}
        return "–".join(str(year) for year in sorted(years))
    return f"{MONTHS[one.to_on.month - 1][:3]} {one.to_on.year}"


def _svg(bars: Sequence[tuple[str, Decimal]], unit: str) -> str:
    """Bars with their values beside them, in a fixed space, so that no font changes a byte."""
    most = max(Decimal(100) if unit == "percent" else Decimal(0), *(value for _, value in bars))
    rows = [
        {"name": name, "value": float(value), "label": _exact(value, unit), "of": name.split(",")[0]}
        for name, value in bars
    ]
    y = {"field": "name", "type": "nominal", "sort": [name for name, _ in bars], "axis": None}
    x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"domain": [0, float(most)]}}
    specification = {
        "data": {"values": rows},
        "width": 150,
        "height": 34 * len(rows),
        "padding": {"left": 130, "right": 84, "top": 4, "bottom": 4},
        "autosize": {"type": "none"},
        "layer": [
            {
                "mark": {"type": "bar", "height": 22},
                "encoding": {
                    "y": y,
                    "x": x,
                    "color": {
                        "field": "of", "type": "nominal", "legend": None,
                        "scale": {"domain": ["Here", "England"], "range": ["#0b4f9e", "#5b6b85"]},
                    },
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 13, "color": "#14213d"},
                "encoding": {"y": y, "x": x, "text": {"field": "label"}},
            },
            {
                "mark": {"type": "text", "align": "right", "x": -8, "fontSize": 13, "color": "#14213d"},
                "encoding": {"y": y, "text": {"field": "name"}},
            },
        ],
        "config": {"aria": False, "font": "Arial, Helvetica, Liberation Sans, sans-serif", "view": {"stroke": None}},
    }  # fmt: skip
    return chart_drawing.drawn(specification)


def _open_data(
    job: Job,
    folder: Path,
    asked: Mapping[str, Any],
    facts: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, Mapping[str, Sequence[Figure]]],
) -> dict[str, int]:
    """A data file for each kind of time, with its metadata; returns rows by file."""
    place = _place(job)
    files: dict[str, list[list[str]]] = {}
    for one in asked["questions"]:
        fact = facts[one["measure"]]
        kinds = figures.get(one["measure"], {})
        for kind in sorted({fact["headline_period"], _SERIES.get(fact["headline_period"], fact["headline_period"])}):
            name, identifier = _FILES.get(kind, _OTHER)
            for figure in _whole(kinds, kind, job):
                files.setdefault(f"data_{name}", []).append(
                    [
                        _period(figure, name),
                        identifier or MONTHS[figure.to_on.month - 1],
                        "Local authority",
                        *_ENGLAND,
                        *place,
                        asked["topics"][one["topic"]],
                        one["question"],
                        *_symbols(figure, fact["unit"]),
                    ]
                )
    for name, rows in files.items():
        rows.sort(key=lambda row: (row[0], _order(row[1]), row[10], row[11]))
        _write(folder / f"{name}.csv", [list(_COLUMNS), *rows])
        _write(folder / f"{name}.meta.csv", [_META[0], *(_marked(row, job) for row in _META[1:])])
    return {name: len(rows) for name, rows in sorted(files.items())}


def _marked(row: Sequence[str], job: Job) -> list[str]:
    """A row of metadata; in a rehearsal its label says so, for the standard has no other place for it."""
    name, kind, label, *rest = row
    return [name, kind, f"REHEARSAL: {label}" if job.is_rehearsal else label, *rest]


def _order(identifier: str) -> int:
    return MONTHS.index(identifier) if identifier in MONTHS else 0


def _period(figure: Figure, name: str) -> str:
    """The standard's time_period: four digits, or six for a year that spans two."""
    if name == "academic_year":
        return f"{figure.from_on.year}{figure.to_on.year % 100:02}"
    return str(figure.to_on.year)


def _symbols(figure: Figure, unit: str) -> list[str]:
    """Both counts, the percentage and the weeks, each a number or the symbol of the GSS that stands in its place."""
    symbol = figure.status or "z"
    counts = ["z" if figure.value is not None and n is None else symbol if n is None else f"{n:.0f}"
              for n in (figure.numerator, figure.denominator)]  # fmt: skip
    value = symbol if figure.value is None else "low" if figure.is_low else f"{figure.value:.1f}"
    return [*counts, value if unit == "percent" else "z", value if unit == "weeks" else "z"]


def _place(job: Job) -> list[str]:
    """Region and council as the standard's columns have them."""
    run = job.proof.run
    rows = job.connection.execute(
        "select distinct geography_type, geography_code, geography_name from marts.mart_benchmark"
        " where partnership = %s and geography_type in ('region', 'partnership') order by 1, 2 desc",
        (run.partnership,),
    ).fetchall()
    named = {kind: (code, name) for kind, code, name in rows}
    council = landing.partnership(run.partnership, run.as_of)
    _, name = named.get("partnership", ("", words(run.partnership)))
    return [*named.get("region", ("x", "Not available")), council.ons_code, council.la_number, name]


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows(rows)
