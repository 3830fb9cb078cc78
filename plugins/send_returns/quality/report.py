"""What `check` reports: files, findings by rule, and how they are written. Never a value."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROWS_SHOWN = 10
ERRORS = ("error", "critical")
STYLES = {"critical": "bold red", "error": "red", "query": "yellow", "warning": "yellow", "info": "dim"}


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What became of the rows of one file."""

    file: str
    feed: str
    rows_in: int
    rows_accepted: int
    rows_quarantined: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The rows of one table that fail one rule, as the spreadsheet numbers them; None stands for the whole table.

    `fields` are the headings of the columns.
    """

    file: str
    rule: str
    severity: str
    table: str
    fields: tuple[str, ...]
    message: str
    rows: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything found in the files, never a value."""

    as_of: date
    files: tuple[FileSummary, ...]
    findings: tuple[Findings, ...]

    @property
    def exit_code(self) -> int:
        """1 if anything found is an error, else 0."""
        return int(any(found.severity in ERRORS for found in self.findings))

    def write_json(self, stream: IO[str]) -> None:
        """The report as one JSON object, a finding to a line."""
        files = [
            {
                "file": file.file,
                "feed": file.feed,
                "rows_in": file.rows_in,
                "rows_accepted": file.rows_accepted,
                "rows_quarantined": file.rows_quarantined,
            }
            for file in self.files
        ]
        stream.write(f'{{"as_of": "{self.as_of.isoformat()}", "files": {json.dumps(files)}, "findings": [')
        separator = "\n"
        for found in self.findings:
            known = {
                "rule": found.rule,
                "severity": found.severity,
                "table": found.table,
                "fields": list(found.fields),
            }
            head = json.dumps(known)[:-1]
            before, after = (json.dumps(part)[1:-1] for part in (f"{found.file}, {found.table}", _words(found)))
            for row in found.rows:
                place = "" if row is None else f", row {row}"
                number = "null" if row is None else row
                stream.write(f'{separator}{head}, "row": {number}, "message": "{before}{place}{after}"}}')
                separator = ",\n"
        stream.write("\n]}\n" if separator == ",\n" else "]}\n")

    def write_text(self, stream: IO[str]) -> None:
        """The report for a person: findings by rule, then the counts."""
        console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())
        table = Table("Rule", "Severity", "Where", "What is wrong and what to do", "Rows", box=None, pad_edge=False)
        for found in self.findings:
            where = "\n".join(map(printable, (f"{found.file}, {found.table}", *found.fields)))
            shown = Text(found.severity, style=STYLES[found.severity])
            table.add_row(Text(found.rule), shown, Text(where), Text(found.message), Text(_rows(found.rows)))
        if self.findings:
            console.print(table)
            console.print()
        for file in self.files:
            counts = f"{file.rows_in} rows in, {file.rows_accepted} accepted, {file.rows_quarantined} quarantined"
            console.print(Text(f"{printable(file.file)} ({file.feed}): {counts}"))
        count: Counter[str] = Counter()
        for found in self.findings:
            count[found.severity] += len(found.rows)
        errors = sum(count[severity] for severity in ERRORS)
        totals = f"{errors} errors, {sum(count.values()) - errors} to look at"
        console.print(Text(f"As of {self.as_of.isoformat()}: {totals}."))


def printable(text: str) -> str:
    """Text with what could write elsewhere on a terminal, or cannot be written at all, escaped: names are hostile."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _words(found: Findings) -> str:
    columns = f", {'; '.join(found.fields)}" if found.fields else ""
    return f"{columns}: {found.message}"


def _rows(rows: Sequence[int | None]) -> str:
    numbers = [str(row) for row in rows if row is not None]
    if len(numbers) <= ROWS_SHOWN:
        return ", ".join(numbers)
    return ", ".join(numbers[:ROWS_SHOWN]) + f" and {len(numbers) - ROWS_SHOWN} more"
