"""What a supplier is given of a contract: a guide in Markdown and, where the layout is ours, a blank workbook.

Both say the same from the same contract, and the same contract gives the same bytes.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter
import yaml
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range_abs
from xlsxwriter.worksheet import Worksheet

from send_returns.feeds.contract import Column, Described, Feed, Table

MADE = datetime(2026, 1, 1)  # noqa: DTZ001 - a workbook's property has no time zone
YEAR = (date(2026, 1, 1), date(2026, 12, 31))
# Widths of columns, in digits, and how many letters take as much space; a line of text in points.
GUIDE = (26, 50, 46, 7, 13)
CODES = (44, 26, 60)
LETTERS = 1.2
LINE_HEIGHT = 13.5
LAST_ROW = 1_048_575
# So many codes are told beside their column, more of them in a list of their own.
FEW = 6
MARTS = {
    "keep": "as it is",
    "month": "month only",
    "district": "district only",
    "pseudonym": "pseudonym",
    "drop": "not at all",
}
FONT = {"font_name": "Arial", "font_size": 10, "valign": "top"}
INK, PALE, GREY = "#1F3864", "#D9E2F3", "#BFBFBF"
LINE = {"border": 1, "border_color": GREY}
A4 = 9
FORMATS: Mapping[str, dict[str, Any]] = {
    "title": {**FONT, "bold": True, "font_size": 16, "font_color": INK},
    "heading": {**FONT, "bold": True, "font_size": 12, "font_color": INK, "valign": "bottom"},
    "label": {**FONT, **LINE, "bold": True, "bg_color": "#F2F2F2"},
    "text": {**FONT, **LINE, "text_wrap": True},
    "must": {**FONT, **LINE, "bold": True, "text_wrap": True, "font_color": "#FFFFFF", "bg_color": INK},
    "may": {**FONT, **LINE, "bold": True, "text_wrap": True, "bg_color": PALE},
    "string": {**FONT, "num_format": "@"},
    "date": {**FONT, "num_format": "dd/mm/yyyy"},
    "timestamp": {**FONT, "num_format": "dd/mm/yyyy hh:mm"},
    "integer": {**FONT, "num_format": "0"},
    "boolean": {**FONT, "num_format": "@"},
}


def files(known: Sequence[Feed]) -> dict[str, bytes]:
    """What suppliers read, by file name: an index of every feed, and workbook and guide of each that is local."""
    found = {"README.md": index(known).encode()}
    for feed in known:
        if feed.format == "local":
            found |= {f"{feed.id}.md": guide(feed).encode(), f"{feed.id}.xlsx": template(feed)}
    return found


def as_yaml(described: Described) -> str:
    """The whole contract, with the lists and maps that it names and the changes that made it."""
    own: list[dict[str, Any]] = [
        {"property": "code_lists", "value": described.codes},
        {"property": "value_maps", "value": described.values},
        {
            "property": "changes",
            "value": [{"year": c.year, "reason": c.reason, "source": c.source} for c in described.changes],
        },
    ]
    document = dict(described.document)
    document["customProperties"] = [*document["customProperties"], *(item for item in own if item["value"])]
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        """A reader should find every value in its place."""
        return True


def index(known: Sequence[Feed]) -> str:
    """Every feed in a line."""
    rows = [
        f"| {f'[`{feed.id}`]({feed.id}.md)' if feed.format == 'local' else f'`{feed.id}`'} | {feed.name} |"
        f" {feed.supplier} | {feed.due.words[0].upper()}{feed.due.words[1:]} |"
        f" {f'[workbook]({feed.id}.xlsx)' if feed.format == 'local' else 'national'} |"
        for feed in known
    ]
    return "\n".join(
        [
            "# What each supplier sends",
            "",
            "Made from the contracts by `send-returns contract publish`; correct the contract, not these files.",
            "A national format is sent as its owner defines it: `send-returns contract show FEED` lists its columns.",
            "",
            "| Feed | What | From | When | Format |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _example(feed: Feed) -> str:
    """How a delivery is named: after the last day that it describes."""
    _, day = feed.due.days(*YEAR)[-1]
    return f"{feed.id}_{day.isoformat()}"


def _facts(feed: Feed) -> list[tuple[str, str]]:
    return [
        ("From", feed.supplier),
        ("When", f"{feed.due.words[0].upper()}{feed.due.words[1:]} of that day"),
        ("Data minimised", feed.minimisation),
        ("Lawful basis", feed.lawful_basis),
        ("Kept for", feed.retention.words),
    ]


def _steps(feed: Feed) -> list[str]:
    name = _example(feed)
    names = [f"`{table.name}`" for table in feed.tables]
    tables = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    if feed.format == "local":
        first = f"Fill in {tables} of the workbook `{feed.id}.xlsx`, or send each as a CSV file with the same headings."
        file = f"{name}.xlsx"
    else:
        first, file = f"Export it as the national format has it ({tables}).", name
    return [
        first,
        "Leave the headings as they are. What is not known stays empty. Numbers with leading noughts are text.",
        f"Name it after the day that it describes: `{file}`.",
        f"Check it on your own machine, which leaves no trace: `send-returns check {file} --feed {feed.id}`.",
        f"Put it in the folder `{feed.organisation}/{feed.id}` of the inbox. A receipt comes back to your outbox.",
    ]


def _values(column: Column) -> str:
    """What may be written in a column."""
    if column.codes is not None:
        if len(column.codes) > FEW:
            return f"one of {len(column.codes)} codes: see Codes"
        return "; ".join(f"{code} = {meaning}" for code, meaning in column.codes.items())
    kinds = {"date": "dd/mm/yyyy", "timestamp": "dd/mm/yyyy hh:mm", "integer": "whole number", "boolean": "yes or no"}
    return kinds.get(column.type, "text")


def _mart(column: Column) -> str:
    return MARTS[column.minimisation] if column.minimisation else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    yield ""


def _lists(feed: Feed) -> list[tuple[str, Mapping[str, str]]]:
    """Every code list of a feed once, with the columns that have it; with their tables where there are several."""
    found: dict[int, tuple[list[str], Mapping[str, str]]] = {}
    for table in feed.tables:
        for column in table.columns:
            if column.codes is not None:
                where = f"{table.name}.{column.header}" if len(feed.tables) > 1 else column.header
                found.setdefault(id(column.codes), ([], column.codes))[0].append(where)
    return [(", ".join(columns), codes) for columns, codes in found.values()]


def guide(feed: Feed) -> str:
    """A page for the person who makes the file."""
    lines = [f"# {feed.name}", "", f"{feed.purpose} {feed.limitations}".strip(), ""]
    lines += _rows(("", ""), [(f"**{name}**", said) for name, said in _facts(feed)])
    lines += ["## How to send", "", *(f"{n}. {step}" for n, step in enumerate(_steps(feed), start=1)), ""]
    for table in feed.tables:
        lines += [f"## {table.name}", "", table.description, ""]
        lines += _rows(
            ("Column", "What it is", "What to write", "Must", "In reports"),
            [
                (f"`{c.header}`", c.description, _values(c), "yes" if c.essential else "", _mart(c))
                for c in table.columns
            ],
        )
    for names, codes in _lists(feed):
        if len(codes) <= FEW:
            continue
        lines += [f"## Codes of {names}", "", *_rows(("Code", "Meaning"), [(f"`{c}`", m) for c, m in codes.items()])]
    lines += [
        "A row without a value in a column marked **Must** is set aside, and the receipt names it. **In reports**: what"
        " of the column leaves the closed room where deliveries are kept; nothing there: it is not personal.",
        "",
    ]
    return "\n".join(lines)


def template(feed: Feed) -> bytes:
    """The blank workbook: a guide, a sheet for each table and the codes."""
    file = io.BytesIO()
    workbook = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False})
    workbook.set_properties({"title": feed.name, "author": "", "created": MADE})
    formats = {name: workbook.add_format(how) for name, how in FORMATS.items()}
    guided = _sheet(workbook, feed, "Guide", GUIDE)
    blanks = [workbook.add_worksheet(table.name) for table in feed.tables]
    lists = _lists(feed)
    ranges = _codes(_sheet(workbook, feed, "Codes", CODES), lists, formats) if lists else {}
    _guide_sheet(guided, feed, formats)
    for sheet, table in zip(blanks, feed.tables, strict=True):
        _blank(sheet, table, formats, ranges)
    guided.activate()
    workbook.close()
    return file.getvalue()


def _sheet(workbook: xlsxwriter.Workbook, feed: Feed, name: str, widths: Sequence[int]) -> Worksheet:
    """A sheet to be read and printed."""
    sheet = workbook.add_worksheet(name)
    sheet.hide_gridlines(2)
    for place, width in enumerate(widths):
        sheet.set_column(place, place, width)
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
    sheet.set_footer(f"&L&8{feed.name.replace('&', '&&')}&R&8&A, page &P of &N")
    return sheet


def _guide_sheet(sheet: Worksheet, feed: Feed, formats: Mapping[str, Format]) -> None:
    sheet.write_string(0, 0, feed.name, formats["title"])
    sheet.set_row(0, 26)
    at = 1
    facts = [("What it is", f"{feed.purpose} {feed.limitations}".strip()), *_facts(feed)]
    facts += [(f"Step {number}", step.replace("`", "")) for number, step in enumerate(_steps(feed), start=1)]
    for name, said in facts:
        sheet.write_string(at, 0, name, formats["label"])
        sheet.merge_range(at, 1, at, 4, said, formats["text"])
        _set_height(sheet, at, [(said, sum(GUIDE[1:]))])
        at += 1
    for table in feed.tables:
        sheet.set_row(at, 24)
        sheet.write_string(at, 0, f"Sheet {table.name}: {table.description}", formats["heading"])
        for place, head in enumerate(("Column", "What it is", "What to write", "Must", "In reports")):
            sheet.write_string(at + 1, place, head, formats["must"])
        at += 2
        for column in table.columns:
            cells = (
                column.header,
                column.description,
                _values(column),
                "yes" if column.essential else "",
                _mart(column),
            )
            _text_row(sheet, at, cells, GUIDE, formats)
            at += 1


def _text_row(
    sheet: Worksheet, at: int, cells: Sequence[str], widths: Sequence[int], formats: Mapping[str, Format]
) -> None:
    for place, cell in enumerate(cells):
        sheet.write_string(at, place, cell, formats["text"])
    _set_height(sheet, at, list(zip(cells, widths, strict=True)))


def _set_height(sheet: Worksheet, at: int, cells: Sequence[tuple[str, int]]) -> None:
    """As high as the tallest of some texts at their widths, which not every spreadsheet works out by itself."""
    lines = max(len(textwrap.wrap(text, int(width * LETTERS))) for text, width in cells)
    sheet.set_row(at, LINE_HEIGHT * lines + 2)


def _codes(
    sheet: Worksheet, lists: Sequence[tuple[str, Mapping[str, str]]], formats: Mapping[str, Format]
) -> dict[int, str]:
    """Write every code list; returns the range of each, by the identity of the list."""
    sheet.write_string(0, 0, "Codes", formats["title"])
    sheet.set_row(0, 26)
    for place, head in enumerate(("Column", "Code", "Meaning")):
        sheet.write_string(1, place, head, formats["must"])
    sheet.freeze_panes(2, 0)
    sheet.repeat_rows(1)
    at, ranges = 2, {}
    for columns, codes in lists:
        ranges[id(codes)] = f"=Codes!{xl_range_abs(at, 1, at + len(codes) - 1, 1)}"
        for number, (code, meaning) in enumerate(codes.items()):
            _text_row(sheet, at, (columns if number == 0 else "", code, meaning), CODES, formats)
            at += 1
    return ranges


def _blank(sheet: Worksheet, table: Table, formats: Mapping[str, Format], ranges: Mapping[int, str]) -> None:
    """A sheet of headings: what each cell may hold is told in a note and offered in a list."""
    sheet.freeze_panes(1, 0)
    sheet.set_row(0, 30)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, max(12, len(column.header) + 3), formats[column.type])
        sheet.write_string(0, place, column.header, formats["must" if column.essential else "may"])
        must = "A row without it is set aside.\n" if column.essential else ""
        note = f"{column.description}.\n{must}{_values(column)}"
        height = 1 + sum(1 + len(line) // 34 for line in note.splitlines())
        sheet.write_comment(0, place, note, {"author": "", "width": 240, "height": 16 * height, "font_size": 9})
        if (allowed := _allowed(column, ranges)) is not None:
            sheet.data_validation(1, place, LAST_ROW, place, {**allowed, "error_type": "warning"})


def _allowed(column: Column, ranges: Mapping[int, str]) -> dict[str, Any] | None:
    if column.codes is not None:
        return {"validate": "list", "source": ranges[id(column.codes)]}
    if column.type == "boolean":
        return {"validate": "list", "source": ["yes", "no"]}
    if column.type in ("date", "timestamp"):
        return {"validate": "date", "criteria": "between", "minimum": date(1900, 1, 1), "maximum": date(2099, 12, 31)}
    if column.type == "integer":
        return {"validate": "integer", "criteria": "between", "minimum": -(2**31), "maximum": 2**31 - 1}
    return None
