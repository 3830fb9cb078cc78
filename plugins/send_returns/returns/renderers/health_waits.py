"""Waits by service, time waited, district and provider, as a workbook: for CQC's lines of enquiry."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl

from send_returns import warehouse
from send_returns.returns import indicators, tables
from send_returns.returns.indicators import Figure
from send_returns.returns.job import Job
from send_returns.returns.pages import long_date, words
from send_returns.returns.tables import Cell, Column, Sheet

TOTAL = "total"
_NOTES = {
    "wait": "A wait runs from the day the referral was received to the first contact that the patient came to.",
    "share": "Made of the rounded counts; [c] where one of them is hidden.",
    "autism": "NICE's quality standard on autism: a first appointment within 13 weeks of the referral. Every open"
    " referral for suspected autism counts; past 13 weeks are those without a first contact by then.",
}
_ABOUT = (
    "Worksheets that begin with Open have referrals that wait on the as-of date; those that begin with Seen have"
    " referrals seen for the first time in the twelve months to it.",
)
_OVER_18_WEEKS = ("18 to 52 weeks", "over 52 weeks")

Place = tuple[str, str, str, str]  # service, band, district, provider; `total` where it is not divided


class _Waits:
    """The counts of one table of the return, with the names of its parts."""

    def __init__(
        self, frame: pl.DataFrame, table: str, names: Mapping[tuple[str, str], str], bands: Sequence[str]
    ) -> None:
        self.names, self.bands = names, bands
        self.counts: dict[Place, Figure] = {}
        for row in frame.filter(pl.col("return_table") == table).iter_rows(named=True):
            service, band, provider = row["breakdown_value"].split(" | ")
            district = row["geography_code"] if row["geography_type"] == "district" else TOTAL
            self.counts[service, band, district, provider] = indicators.figure(row)
        of = {(service, district, provider) for service, _, district, provider in self.counts}
        self.rows = sorted(
            of,
            key=lambda key: (_totals_first(key[0]), self._order("district", key[1]), self._order("provider", key[2])),
        )

    def _order(self, kind: str, code: str) -> tuple[bool, str]:
        return code != TOTAL, self.name(kind, code)

    def cells(self, service: str, district: str, provider: str) -> list[Cell]:
        """The counts of a row by band, their total, and the share of those over 18 weeks."""
        by_band = [self.counts.get((service, band, district, provider)) for band in (*self.bands, TOTAL)]
        long = [self.counts.get((service, band, district, provider)) for band in _OVER_18_WEEKS]
        return [*(count(one) for one in by_band), _share(long, by_band[-1])]

    def name(self, kind: str, code: str) -> str:
        """A district or provider by its name."""
        return "All" if code == TOTAL else self.names.get((kind, code), words(code) if code.islower() else code)


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes the workbook; returns rows by sheet."""
    names, bands = _parts(job)
    sheets = []
    for table, called, what in (
        ("health_waits_open", "Open", f"waiting on {long_date(job.proof.run.as_of)}"),
        ("health_waits_completed", "Seen", f"seen in the twelve months to {long_date(job.proof.run.as_of)}"),
    ):
        waits = _Waits(job.frame, table, names, bands)
        sheets += [
            _sheet(waits, f"{called} by service", f"Referrals {what}, by service and time waited", None),
            _sheet(
                waits, f"{called} by district", f"Referrals {what}, by service, district and time waited", "district"
            ),
            _sheet(
                waits, f"{called} by provider", f"Referrals {what}, by service, provider and time waited", "provider"
            ),
        ]
    sheets += [_autism(job, names), _trend(job)]
    tables.write(job, folder / f"{job.declaration.return_name}.xlsx", sheets, _NOTES, _ABOUT)
    return {sheet.label: len(sheet.rows) for sheet in sheets}


def _parts(job: Job) -> tuple[dict[tuple[str, str], str], list[str]]:
    """Names by kind and code, and the bands in order."""
    rows = warehouse.ask(
        job.connection,
        "select part_kind, part_code, part_name from returns.return_health_waits__part where partnership = %s"
        ' order by position, part_code collate "C"',
        [job.proof.run.partnership],
    )
    names = {(row["part_kind"], row["part_code"]): row["part_name"] for row in rows}
    return names, [row["part_code"] for row in rows if row["part_kind"] == "waiting_band"]


def count(one: Figure | None) -> Cell:
    """A count, or the symbol that stands in its place."""
    if one is None:
        return "[x]"
    return one.symbol if one.numerator is None else one.numerator


def _share(parts: Sequence[Figure | None], whole: Figure | None) -> Cell:
    """Parts of a whole in per cent, of the rounded counts."""
    known = [one.numerator for one in (*parts, whole) if one is not None and one.numerator is not None]
    if len(known) < len(parts) + 1:
        # Where one of them is hidden, so is the share; what no feed tells is no secret.
        return "[c]" if any(one is not None and one.status == "c" for one in (*parts, whole)) else "[x]"
    *above, below = known
    if not below:
        return "[z]"
    share = min(Decimal(100), (100 * sum(above, Decimal()) / below).quantize(Decimal("0.1"), ROUND_HALF_UP))
    return share if share or not any(above) else "[low]"


def _sheet(waits: _Waits, label: str, title: str, by: str | None) -> Sheet:
    """A row per service, or per service and district or provider, whose totals are rows of the sheet too."""
    divided = [Column(words(by), 28 if by == "district" else 62)] if by else []
    rows: list[list[Cell]] = []
    for service, district, provider in waits.rows:
        if (district != TOTAL and by != "district") or (provider != TOTAL and by != "provider"):
            continue
        part: list[Cell] = [waits.name(by, district if by == "district" else provider)] if by else []
        rows.append([_service(service), *part, *waits.cells(service, district, provider)])
    return Sheet(
        label,
        title,
        ["Counts of referrals; a child who is referred to two services counts in both. The rows All are totals."],
        [
            Column("Service", 26, "text", ("wait",)),
            *divided,
            *(Column(band.capitalize(), 13, "count", ("rounding", "symbols")) for band in waits.bands),
            Column("All referrals", 13, "count", ("rounding", "symbols")),
            Column("Over 18 weeks, percent", 13, "decimal", ("share",)),
        ],
        rows,
    )


def _totals_first(part: str) -> tuple[bool, str]:
    """The order of parts, whose total comes first."""
    return part != TOTAL, part


def _service(service: str) -> str:
    return "All" if service == TOTAL else words(service)


def _autism(job: Job, names: Mapping[tuple[str, str], str]) -> Sheet:
    rows: list[list[Cell]] = []
    found = job.frame.filter(pl.col("return_table") == "health_waits_autism")
    for kind, row_filter, code in (
        ("whole", (pl.col("geography_type") == "partnership") & (pl.col("breakdown") == TOTAL), "geography_code"),
        ("district", (pl.col("geography_type") == "district") & (pl.col("breakdown") == TOTAL), "geography_code"),
        (
            "provider",
            (pl.col("geography_type") == "partnership") & (pl.col("breakdown") == "provider"),
            "breakdown_value",
        ),
    ):
        for row in found.filter(row_filter).sort(code).iter_rows(named=True):
            one = indicators.figure(row)
            name = "All" if kind == "whole" else names.get((kind, row[code]), words(row[code]))
            counts = [one.symbol if part is None else part for part in (one.denominator, one.numerator)]
            rows.append([words(kind), name, *counts, one.cell])
    return Sheet(
        "Autism 13 weeks",
        "Open referrals for suspected autism, and those past 13 weeks without a first contact",
        [f"On {long_date(job.proof.run.as_of)}, for the whole partnership, each district and each provider."],
        [
            Column("By", 12),
            Column("Of", 60),
            Column("Open referrals", 16, "count", ("rounding", "symbols")),
            Column("Past 13 weeks", 16, "count", ("rounding", "symbols", "autism")),
            Column("Percent", 16, "decimal", ("rounding",)),
        ],
        rows,
    )


def _trend(job: Job) -> Sheet:
    by_day: dict[object, dict[str, Figure]] = {}
    for row in (
        job.frame.filter(pl.col("return_table") == "health_waits_trend").sort("period_to_on").iter_rows(named=True)
    ):
        by_day.setdefault(row["period_to_on"], {})[row["breakdown_value"].split(" | ")[0]] = indicators.figure(row)
    services = sorted({service for figures in by_day.values() for service in figures}, key=_totals_first)
    return Sheet(
        "Months",
        "Referrals waiting at the end of each month, by service",
        ["A past month has only what the feeds that were read still tell of it."],
        [
            Column("Month ending", 16, "date"),
            *(Column(_service(service), 15, "count", ("rounding", "symbols")) for service in services),
        ],
        [
            [figures[services[0]].to_on, *(count(figures[service]) for service in services)]
            for figures in by_day.values()
        ],
    )
