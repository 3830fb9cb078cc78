"""`check`: what a data officer runs on a return before sending it: the gate's own rules, in memory, no trace left."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Literal

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from send_returns.quality import rules
from send_returns.quality.lists import UNREADABLE, SheetList
from send_returns.quality.rules import Rule, Severity
from send_returns.quality.workbook import RETURN, UnreadableFile, read_return
from send_returns.returns import layouts
from send_returns.returns.layouts import Layout, ListLayout

Format = Literal["text", "json"]
ROWS_SHOWN = 10


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
    severity: Severity
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
        return int(any(found.severity != "query" for found in self.findings))

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
        styles = {"error": "red", "critical": "bold red", "query": "yellow"}
        for found in self.findings:
            where = "\n".join((f"{found.file}, {found.table}", *found.fields))
            shown = Text(found.severity, style=styles[found.severity])
            table.add_row(Text(found.rule), shown, Text(where), Text(found.message), Text(_rows(found.rows)))
        if self.findings:
            console.print(table)
            console.print()
        for file in self.files:
            counts = f"{file.rows_in} rows in, {file.rows_accepted} accepted, {file.rows_quarantined} quarantined"
            console.print(Text(f"{file.file} ({file.feed}): {counts}"))
        count: Counter[str] = Counter()
        for found in self.findings:
            count[found.severity] += len(found.rows)
        totals = f"{count['critical']} critical, {count['error']} errors, {count['query']} queries"
        console.print(Text(f"As of {self.as_of.isoformat()}: {totals}."))


def _words(found: Findings) -> str:
    columns = f", {'; '.join(found.fields)}" if found.fields else ""
    return f"{columns}: {found.message}"


def _rows(rows: Sequence[int | None]) -> str:
    numbers = [str(row) for row in rows if row is not None]
    if len(numbers) <= ROWS_SHOWN:
        return ", ".join(numbers)
    return ", ".join(numbers[:ROWS_SHOWN]) + f" and {len(numbers) - ROWS_SHOWN} more"


def check(paths: Sequence[Path], feed: str | None, as_of: date) -> CheckReport:
    """Check return workbooks, or the CSV files of their lists, against the rules as of a date.

    CSV files given together are the lists of one return. Raises UnreadableFile, whose message is one line.
    """
    if feed not in (None, RETURN):
        raise UnreadableFile(paths[0], f"feed {feed} cannot be checked; only {RETURN} can.")
    layout = layouts.load(RETURN, as_of)
    files: list[FileSummary] = []
    findings: list[Findings] = []
    loose: dict[str, tuple[str, SheetList]] = {}
    for path in paths:
        lists, notes = read_return(path, as_of)
        rows = sum(read.frame.height for read in lists.values())
        files.append(FileSummary(path.name, RETURN, rows, rows, 0))
        findings += [Findings(path.name, "layout.sheets", "error", RETURN, (), note, (None,)) for note in notes]
        placed = {name: (path.name, read) for name, read in lists.items()}
        if path.suffix.lower() in (".csv", ".txt") and not placed.keys() & loose.keys():
            loose |= placed
            continue
        findings += _check_return(layout, placed, path.name, as_of)
    if loose:
        findings += _check_return(layout, loose, None, as_of)
    return CheckReport(as_of, tuple(files), tuple(findings))


def _check_return(
    layout: Layout, lists: dict[str, tuple[str, SheetList]], workbook: str | None, as_of: date
) -> Iterator[Findings]:
    """The findings of one return; `workbook` is its file name, or None where the lists came as files of their own."""
    by_model = {a_list.model: a_list for a_list in layout.lists}
    wanted = [rule for rule in rules.load(as_of, "check") if rule.table in by_model]
    with duckdb.connect(":memory:") as database:
        for a_list in layout.lists:
            if a_list.name in lists:
                database.register(a_list.model, lists[a_list.name][1].frame.to_arrow())
        for a_list in layout.lists:
            own = [rule for rule in wanted if rule.table == a_list.model]
            if a_list.name not in lists:
                if workbook:
                    message = f"The list is not in the workbook, so its {len(own)} rules did not run. Add the sheet."
                    yield Findings(workbook, "layout.list", "error", a_list.name, (), message, (None,))
                continue
            file, read = lists[a_list.name]
            yield from _structure(file, a_list, read)
            runnable = []
            for rule in own:
                if obstacle := _obstacle(rule, lists, by_model):
                    severity: Severity = "query" if obstacle.startswith("the other list") else "error"
                    message = f"The rule did not run, because {obstacle}."
                    fields = _headings(a_list, rule.fields)
                    yield Findings(file, rule.code, severity, a_list.name, fields, message, (read.header_row,))
                else:
                    runnable.append(rule)
            for rule, rows in _failing(database, runnable, rules.wordings(layout), as_of):
                fields = _headings(a_list, rule.fields)
                if rows is None:
                    message = "The rule did not run, because of an error in it. Tell whoever maintains send-returns."
                    yield Findings(file, rule.code, "error", a_list.name, fields, message, (None,))
                elif rows:
                    words = f"{rule.message} {rule.action}"
                    yield Findings(file, rule.code, rule.severity, a_list.name, fields, words, tuple(rows))


def _structure(file: str, a_list: ListLayout, read: SheetList) -> Iterator[Findings]:
    if read.header_row is None:
        message = "No row holds the layout's headings. Put them in one row above the data."
        yield Findings(file, "layout.header", "error", a_list.name, (), message, (None,))
        return
    for rule, names, message in (
        (
            "layout.column_missing",
            read.missing,
            "The column is missing. Add it with this heading, even if it is empty.",
        ),
        ("layout.column_repeated", read.repeated, "The heading is there more than once. Only the first was read."),
    ):
        for name in names:
            yield Findings(file, rule, "error", a_list.name, _headings(a_list, (name,)), message, (read.header_row,))


def _obstacle(rule: Rule, lists: dict[str, tuple[str, SheetList]], by_model: dict[str, ListLayout]) -> str | None:
    """Why a rule cannot run on what was read, if it cannot."""
    tables = [rule.table]
    if rule.condition and rule.other and ":other" in rule.condition:
        tables.append(rule.other)
    for table in tables:
        a_list = by_model[table]
        if a_list.name not in lists:
            return f"the other list, {a_list.name}, was not given"
        if gone := [name for name in rule.fields if name in lists[a_list.name][1].missing]:
            return f"{a_list.name} has no column {'; '.join(_headings(a_list, gone))}"
    return None


def _failing(
    database: duckdb.DuckDBPyConnection, wanted: Sequence[Rule], wordings: dict[str, list[str]], as_of: date
) -> Iterator[tuple[Rule, list[int] | None]]:
    """For each rule of one table the numbers of the rows that fail it, in order; None where the rule itself fails."""
    if not wanted:
        return
    table = wanted[0].table
    tests = {rule.code: _test(database, rule, wordings, as_of) for rule in wanted}

    def scan(codes: Sequence[str]) -> pl.DataFrame:
        flags = ", ".join(f'({tests[code]}) is true as "{code}"' for code in codes)
        query = f"select row_number, {flags} from {table} order by row_number"  # noqa: S608 - the rules are ours
        flagged: pl.DataFrame = database.sql(query).pl()
        return flagged

    # All rules in one scan; one by one only to find out which of them fails.
    try:
        flags = scan(list(tests))
    except duckdb.Error:
        for rule in wanted:
            try:
                yield rule, scan([rule.code]).filter(rule.code)["row_number"].to_list()
            except duckdb.Error:
                yield rule, None
        return
    for rule in wanted:
        yield rule, flags.filter(rule.code)["row_number"].to_list()


def _test(database: duckdb.DuckDBPyConnection, rule: Rule, wordings: dict[str, list[str]], as_of: date) -> str:
    condition = rule.sql(str(rule.condition), {"as_of": as_of, "wordings": wordings.get(rule.fields[0], [])})
    # What cannot be read is not missing: it has a rule of its own, and others keep silent about it.
    columns = {name for name, *_ in database.table(rule.table).description}
    doubts = [name + UNREADABLE for name in rule.fields if name + UNREADABLE in columns]
    if UNREADABLE in condition or not doubts:
        return condition
    return f"({condition}) and not ({' or '.join(doubts)})"


def _headings(a_list: ListLayout, names: Sequence[str]) -> tuple[str, ...]:
    headings = {column.name: column.heading for column in a_list.columns}
    return tuple(headings[name] for name in names)


def main_check(paths: Sequence[Path], feed: str | None, as_of: date, fmt: Format = "text") -> int:
    """Check files, report on standard output, and return the exit code: 0 no error, 1 errors found, 2 not readable."""
    try:
        report = check(paths, feed, as_of)
    except (UnreadableFile, layouts.LayoutError) as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return 2
    if fmt == "json":
        report.write_json(sys.stdout)
    else:
        report.write_text(sys.stdout)
    return report.exit_code
