"""`check`: what a data officer runs before sending: the gate's own rules, in memory, with no trace left."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl

from send_returns import layouts
from send_returns.layouts import Layout, ListLayout
from send_returns.quality import rules
from send_returns.quality.deliveries import check_delivery
from send_returns.quality.lists import UNREADABLE, SheetList
from send_returns.quality.report import CheckReport, FileSummary, Findings, printable
from send_returns.quality.rules import Rule, Severity
from send_returns.quality.workbook import RETURN, TEXT_SUFFIXES, NotAReturn, UnreadableFile, read_return

Format = Literal["text", "json"]


def check(paths: Sequence[Path], feed: str | None, as_of: date) -> CheckReport:
    """Check return workbooks, the CSV files of a return's lists, or the files of one delivery of a feed.

    Without `feed` a return is known by its headings, and a delivery by the contract that its files follow. A return is
    checked against the rules as of a date, a delivery against its contract. Raises UnreadableFile, of one line.
    """
    if feed in (None, RETURN):
        try:
            return _check_returns(paths, as_of)
        except NotAReturn:
            if feed == RETURN:
                raise
    files, findings = check_delivery(paths, feed)
    return CheckReport(as_of, files, findings)


def _check_returns(paths: Sequence[Path], as_of: date) -> CheckReport:
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
        if path.suffix.lower() in TEXT_SUFFIXES and not placed.keys() & loose.keys():
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
        sys.stderr.write(printable(" ".join(str(error).split())) + "\n")
        return 2
    if fmt == "json":
        report.write_json(sys.stdout)
    else:
        report.write_text(sys.stdout)
    return report.exit_code
