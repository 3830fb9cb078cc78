"""The two pages that go with the lists: a data quality statement and a reading guide, in plain words.

Their words come from the return's declaration and layout, the rules and the run; what stands here holds for any return.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from send_returns.layouts import Column, Layout
from send_returns.returns.declarations import ListDeclaration
from send_returns.returns.evidence import Evidence, RuleResult, Run

if TYPE_CHECKING:
    from send_returns.quality.rules import Rule

Cell = str | int | float  # int: a count; float: a percentage


@dataclass(frozen=True)
class Heading:
    """A heading over what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph across the page."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table, at most as many columns as the page is wide."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Page:
    """A sheet of text. `widths`: of its columns, in characters."""

    name: str
    title: str
    widths: Sequence[float]
    blocks: Sequence[Heading | Paragraph | Table]


@dataclass
class ListCounts:
    """Rows of a list and, per house name of a column, how many of them have a value."""

    rows: int
    filled: dict[str, int]


def statement(
    declaration: ListDeclaration,
    layout: Layout,
    evidence: Evidence,
    counts: Mapping[str, ListCounts],
    rules: Mapping[str, Rule],
) -> Page:
    """The data quality statement. `counts` by sheet name, `rules` by code."""
    run = evidence.run
    deliveries, linkage = evidence.deliveries, evidence.linkage
    received, loaded, aside, erased = (
        sum(getattr(delivery, name) for delivery in deliveries)
        for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_erased")
    )
    removed = f" + {erased:,} removed, by the right of a person or at the end of their time" if erased else ""
    aside_or_removed = "Set aside or removed" if erased else "Set aside"
    failing = [result for result in evidence.rules if result.outcome != "pass"]
    passing = [result for result in evidence.rules if result.outcome == "pass"]
    blocks: list[Heading | Paragraph | Table] = [
        Paragraph(
            f"{declaration.title}, {words(run.partnership)}, as of {uk_date(run.as_of)}. {declaration.standing}"
            f" Run {run.run_id}, built by send-returns {run.code_version}."
        ),
        Heading("How many children"),
        Table(["List", "Rows"], [[f"{item.name}: {item.scope}", counts[item.name].rows] for item in layout.lists]),
        Heading("What the lists were built from"),
        Paragraph(
            f"Every row that arrived was either loaded or set aside with its reason: {received:,} received ="
            f" {loaded:,} loaded + {aside:,} set aside{removed}."
            " A row is set aside when it cannot be tied to a child or record; a doubtful value is kept and counted"
            " below instead. The fingerprint is the beginning of the delivery's SHA-256; the manifest has it whole."
        ),
        Table(
            ["Feed", "Period", "From", "Reference date", "Rows received", "Loaded", aside_or_removed, "Fingerprint"],
            [
                [
                    declaration.feeds.get(delivery.feed, delivery.feed),
                    words(delivery.period_key or ""),
                    "ICB" if delivery.organisation == "icb" else words(delivery.organisation),
                    uk_date(delivery.reference_on) if delivery.reference_on else "",
                    delivery.rows_in,
                    delivery.rows_loaded,
                    delivery.rows_quarantined + delivery.rows_erased,
                    delivery.content_sha256[:16],
                ]
                for delivery in deliveries
            ],
        ),
        Heading("How the records of one child were joined"),
        Paragraph(
            "Linked: the child is in at least one other feed too. Not linked: no other feed has the child,"
            " which is usual for the many pupils and patients without SEND. In review: records that may be of"
            " one child, and that a person has yet to decide on; until then they are kept apart."
        ),
        Table(
            ["Feed", "Person records", "Children", "Linked", "Not linked", "Records in review"],
            [
                [
                    declaration.feeds.get(link.feed, link.feed),
                    link.records,
                    link.children,
                    link.also_elsewhere,
                    link.only_here,
                    link.in_review,
                ]
                for link in linkage
            ],
        ),
        Heading("What was found in the deliveries"),
        Paragraph(
            "Values that look wrong in rows that were kept, so that no child is lost for one bad value. They"
            " are of all the rows of a feed, and so of many children who are on neither list."
        ),
        Table(
            ["What was found", "Rule", "Severity", "Rows"],
            [
                [
                    f"{declaration.feeds.get(finding.feed, finding.feed)}: {finding.message}",
                    finding.rule,
                    finding.severity,
                    finding.rows,
                ]
                for finding in evidence.findings
            ],
        )
        if evidence.findings
        else Paragraph("Nothing."),
        Heading("Rules with rows to look at"),
        Paragraph(
            "A failing row stays on its list: to leave a child out would be worse than a wrong value. The"
            " fourth column says when failures would have stopped this release. Shares are of the rows that the"
            " rule looked at, rounded up."
        ),
        Table(
            [
                "What was found",
                "Rule",
                "Severity",
                "Stops release",
                "Rows failing",
                "Rows checked",
                "Share",
                "What is to be done",
            ],
            [
                [
                    _found(result, rules, layout),
                    result.rule,
                    result.severity,
                    _stops(result.blocks),
                    "could not run" if result.failing_rows is None else result.failing_rows,
                    "" if result.checked_rows is None else result.checked_rows,
                    share(result.failing_rows or 0, result.checked_rows or 0, math.ceil),
                    rules[result.rule].action if result.rule in rules else "",
                ]
                for result in failing
            ],
        )
        if failing
        else Paragraph("None."),
        Heading("Rules that every row passed"),
        Table(
            ["What was looked for and not found", "Rule", "Severity", "Stops release", "Rows failing", "Rows checked"],
            [
                [
                    _found(result, rules, layout),
                    result.rule,
                    result.severity,
                    _stops(result.blocks),
                    result.failing_rows or 0,
                    "" if result.checked_rows is None else result.checked_rows,
                ]
                for result in passing
            ],
        )
        if passing
        else Paragraph("None."),
        Heading("How complete each column is"),
        Paragraph(
            "The share of rows with a value, rounded down. In a column that is not always filled, blank can be"
            " right: a child who is not known to social care has no team."
        ),
        Table(
            ["Column", *(item.name for item in layout.lists), "Filled"],
            [
                [
                    column.heading,
                    *(
                        share(counts[item.name].filled[column.name], counts[item.name].rows, math.floor)
                        if column in item.columns
                        else "not in list"
                        for item in layout.lists
                    ),
                    _FILLED[column.required],
                ]
                for column in _columns(layout)
            ],
        ),
        Heading("Known limits"),
        Paragraph(f"Layout version {layout.version}. {layout.reason} {layout.source}".replace("  ", " ")),
        *(Paragraph(limit) for limit in declaration.limits),
        *(
            Paragraph(f"“{column.heading}”: {declaration.columns[column.name].limit}")
            for column in _columns(layout)
            if declaration.columns[column.name].limit
        ),
    ]
    return Page("Data quality", "Data quality statement", [40, 13, 13, 15, 13, 13, 13, 46], blocks)


def guide(declaration: ListDeclaration, layout: Layout, run: Run, counts: Mapping[str, ListCounts]) -> Page:
    """The reading guide: what the pack is, what each column means and comes from, and how to check it."""
    lists = layout.lists
    blocks: list[Heading | Paragraph | Table] = [
        Paragraph(declaration.purpose),
        Paragraph(f"Partnership: {words(run.partnership)}. As-of date: {uk_date(run.as_of)}. {declaration.period}"),
        Paragraph(f"For: {declaration.audience} {declaration.recipients_role}"),
        Paragraph(declaration.disclosure.statement),
        Paragraph(f"When: {declaration.deadline}"),
        Paragraph(f"Standing: {declaration.standing} Run {run.run_id}, layout version {layout.version}."),
        Paragraph(f"Whom to ask: {declaration.contact}"),
        Heading("Who is on each list"),
        Table(
            ["Sheet", "Children", "Whom the template asks for", "Who is on it"],
            [[item.name, counts[item.name].rows, item.scope, declaration.lists[item.name]] for item in lists],
        ),
        Paragraph("Each child has one row. Rows are in the order of the Unique ID."),
        Heading("What each column means"),
        Table(
            ["Column", "Sheets", "What the template asks for", "Where it comes from", "How it is worked out", "Values"],
            [
                [
                    column.heading,
                    "\n".join(item.name for item in lists if column in item.columns),
                    column.note,
                    declaration.columns[column.name].source,
                    declaration.columns[column.name].rule,
                    "; ".join(column.categories.values()) or _FORMS[column.type],
                ]
                for column in _columns(layout)
            ],
        ),
        Heading("How to read the files"),
        Paragraph(
            "In the workbook, dates are real dates shown dd/mm/yyyy; identifiers and codes are text, so that"
            " leading zeros stay; a blank cell means that no value is recorded. A percentage is a number from 0"
            " to 100: 7.5 means 7.5%."
        ),
        Paragraph(
            "Each list is also a CSV file with the same rows in the same order: UTF-8 with a byte order mark,"
            " lines ended by CR LF, dates dd/mm/yyyy. There, a text that begins with = + - @, a tab or a line"
            " end has an apostrophe before it, so that no spreadsheet runs it as a formula. In the workbook it"
            " stands unchanged, as text."
        ),
        Heading("How to check that nothing has changed"),
        Paragraph(
            "manifest.json names every file, the deliveries that the lists were built from and the rules that"
            " were run. SHA256SUMS holds the fingerprint of every file. One command, in the folder of the"
            " files, compares them and names a file that differs:"
        ),
        Paragraph("Windows, in PowerShell:  " + POWERSHELL_CHECK),
        Paragraph("Linux:  sha256sum --check SHA256SUMS          macOS:  shasum -a 256 --check SHA256SUMS"),
        Paragraph(
            "This shows that the files are the ones that were made together. It does not show who made them:"
            " that is what a signature is for."
        ),
    ]
    return Page("Reading guide", declaration.title, [30, 12, 40, 34, 44, 44], blocks)


POWERSHELL_CHECK = (
    'Get-Content SHA256SUMS | ForEach-Object { $hash, $file = $_ -split "  ";'
    " \"$file $(if ((Get-FileHash $file).Hash -eq $hash) {'is as sealed'} else {'DIFFERS'})\" }"
)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_FORMS = {"text": "text", "date": "date, dd/mm/yyyy", "integer": "whole number", "percentage": "per cent, one decimal"}
_FILLED = {"always": "always", "conditional": "if it applies", "optional": "may be blank"}


def uk_date(value: date) -> str:
    """A date as dd/mm/yyyy."""
    return f"{value.day:02}/{value.month:02}/{value.year:04}"


def long_date(value: date) -> str:
    """A date as prose has it: 24 November 2026."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def words(key: str) -> str:
    """A key such as `2026_autumn` or `hertfordshire` as words."""
    return key.replace("_", " ").capitalize()


def share(part: int, whole: int, rounding: Callable[[Fraction], int]) -> Cell:
    """`part` of `whole` in per cent, two decimals, rounded by `math.ceil` or `math.floor`; blank when `whole` is 0."""
    return rounding(Fraction(part * 10_000, whole)) / 100 if whole else ""


def _columns(layout: Layout) -> list[Column]:
    """The columns of all lists, each once, in the order in which they first appear."""
    return list({column.name: column for item in layout.lists for column in item.columns}.values())


def _found(result: RuleResult, rules: Mapping[str, Rule], layout: Layout) -> str:
    """The rule's message with the sheet that it is about, and the column if that is one."""
    rule = rules.get(result.rule)
    sheet = next((item for item in layout.lists if rule and item.model == rule.table), None)
    if rule is None or sheet is None:
        return result.message
    headings = [column.heading for column in sheet.columns if column.name in rule.fields]
    return f"{sheet.name}{', ' + headings[0] if len(headings) == 1 else ''}: {result.message}"


def _stops(blocks: str) -> str:
    """When failures of a rule stop a release, in words; `blocks` is 'any', 'never' or a share such as '0.05'."""
    return {"any": "one row", "never": "no"}.get(blocks) or f"over {float(blocks):.0%}"
