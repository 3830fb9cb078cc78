"""The workbook of a return: its lists as the template has them, then pages of text. Same input, same bytes.

Nothing in a cell is ever a formula: text is written as text, whatever it begins with. Rows go to disk as they come, so
the memory needed does not grow with the list.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from send_returns.failure import Failure
from send_returns.layouts import Column, ListLayout
from send_returns.returns.pages import Cell, Heading, Page, Paragraph, Table, uk_date

Value = Any  # what psycopg gives for text, date, integer and numeric columns: str, date, int, Decimal or None

MOST_ROWS = 1_048_575  # of a worksheet, below the header
MOST_LETTERS = 32_767  # of a cell
FIRST_YEAR = 1900  # that a spreadsheet's dates know

_FONT = {"font_name": "Arial", "font_size": 10, "valign": "top"}
_INK = "#1F3864"
_LINE = {"border": 1, "border_color": "#BFBFBF"}
_HEADER = {**_FONT, **_LINE, "bold": True, "text_wrap": True, "font_color": "#FFFFFF", "bg_color": _INK}
_FORMATS: dict[str, dict[str, Any]] = {
    "text": {**_FONT, **_LINE, "num_format": "@"},
    "category": {**_FONT, **_LINE, "num_format": "@"},
    "date": {**_FONT, **_LINE, "num_format": "dd/mm/yyyy", "align": "left"},
    "integer": {**_FONT, **_LINE, "num_format": "0", "align": "center"},
    "percentage": {**_FONT, **_LINE, "num_format": '0.0"%"', "align": "center"},
    "header": _HEADER,
    "title": {**_FONT, "bold": True, "font_size": 16, "font_color": _INK},
    "heading": {**_FONT, "bold": True, "font_size": 12, "font_color": _INK, "valign": "bottom"},
    "paragraph": {**_FONT, "text_wrap": True},
    "cell": {**_FONT, **_LINE, "text_wrap": True, "num_format": "@"},
    "count": {**_FONT, **_LINE, "num_format": "#,##0", "align": "center"},
    "share": {**_FONT, **_LINE, "num_format": '0.00"%"', "align": "center"},
}
_WARNING = "#7A1F1F"
_STRIP, _STRIP_WIDTH = 20, 640  # points high, pixels wide
_STRIP_LOOK: dict[str, Any] = {
    "fill": {"color": _WARNING},
    "line": {"none": True},
    "font": {"name": "Arial", "size": 10, "bold": True, "color": "#FFFFFF"},
    "align": {"vertical": "middle"},
    "object_position": 3,  # it stays as it is when columns are made wider
}
_A3, _A4 = 8, 9
_LETTERS = 1.25  # letters of running text in the width of a digit


class ReturnTooLarge(Failure):
    """A list has more rows, or a cell more characters, than a worksheet can hold. Names the list, row and column."""


class Book:
    """An open workbook, to which lists and pages are added in the order of its sheets."""

    def __init__(self, workbook: xlsxwriter.Workbook, footer: str, mark: str) -> None:
        self._workbook = workbook
        self._footer = footer
        self._mark = mark
        self._formats: dict[str, Format] = {
            name: workbook.add_format(properties) for name, properties in _FORMATS.items()
        }

    def add_list(self, layout: ListLayout, rows: Iterable[Sequence[Value]]) -> None:
        """Adds a list's sheet. `rows`: the values of the layout's columns, in its order; None leaves a cell blank."""
        sheet = self._workbook.add_worksheet(layout.name)
        columns = layout.columns
        for index, column in enumerate(columns):
            sheet.set_column(index, index, _width(column))
        height = _lines([(column.heading, _width(column)) for column in columns]) * 13 + 6
        sheet.set_row(0, height + (_STRIP if self._mark else 0))
        if self._mark:
            # In the row of headings, which stays in sight, below their text: every cell is as the template has it.
            place = {"y_offset": _pixels(height), "width": _STRIP_WIDTH, "height": _pixels(_STRIP)}
            sheet.insert_textbox(0, 0, self._mark, place | _STRIP_LOOK)
            sheet.set_tab_color(_WARNING)
        for index, column in enumerate(columns):
            sheet.write_string(0, index, column.heading, self._formats["header"])
        formats = [self._formats[column.type] for column in columns]
        writers = [self._writer(sheet, column) for column in columns]
        number = 0
        for number, row in enumerate(rows, start=1):
            if number > MOST_ROWS:
                raise ReturnTooLarge(f"{layout.name}: more than {MOST_ROWS:,} rows do not fit a worksheet")
            for index, value in enumerate(row):
                if value is None:
                    sheet.write_blank(number, index, None, formats[index])
                elif writers[index](number, index, value):
                    raise ReturnTooLarge(
                        f"{layout.name}, row {number + 1}, column {columns[index].heading!r}: too long for a cell"
                    )
        last = len(columns) - 1
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(number, 1), last)
        for index, column in enumerate(columns):
            if column.type == "text" and number:
                sheet.ignore_errors({"number_stored_as_text": xlsxwriter.utility.xl_range(1, index, number, index)})
        self._print_setup(sheet, _A3)
        sheet.repeat_rows(0)

    def add_page(self, page: Page) -> None:
        """Adds a page of headings, paragraphs and tables."""
        sheet = self._workbook.add_worksheet(page.name)
        sheet.hide_gridlines(2)
        for index, width in enumerate(page.widths):
            sheet.set_column(index, index, width)
        last = len(page.widths) - 1
        sheet.set_row(0, 26)
        sheet.write_string(0, 0, page.title, self._formats["title"])
        row = 1
        for block in ([Paragraph(self._mark)] if self._mark else []) + [*page.blocks]:
            match block:
                case Heading(text):
                    sheet.set_row(row, 28)
                    sheet.write_string(row, 0, text, self._formats["heading"])
                    row += 1
                case Paragraph(text):
                    sheet.set_row(row, _lines([(text, sum(page.widths))]) * 13 + 4)
                    sheet.merge_range(row, 0, row, last, "", self._formats["paragraph"])
                    sheet.write_string(row, 0, text, self._formats["paragraph"])
                    row += 1
                case Table(headers, rows):
                    row = self._table(sheet, page, row, headers, rows)
        self._print_setup(sheet, _A4)

    def _table(
        self, sheet: Worksheet, page: Page, row: int, headers: Sequence[str], rows: Sequence[Sequence[Cell]]
    ) -> int:
        for cells in (headers, *rows):
            texts = [(str(value), page.widths[index]) for index, value in enumerate(cells)]
            sheet.set_row(row, _lines(texts) * 13 + 4)
            for index, value in enumerate(cells):
                if cells is headers:
                    sheet.write_string(row, index, str(value), self._formats["header"])
                elif isinstance(value, str):
                    sheet.write_string(row, index, value, self._formats["cell"])
                else:
                    kind = "count" if isinstance(value, int) else "share"
                    sheet.write_number(row, index, value, self._formats[kind])
            row += 1
        return row

    def _writer(self, sheet: Worksheet, column: Column) -> Callable[[int, int, Value], int]:
        """How a value of a column is written; the call returns 0 when all of it was."""
        cell_format = self._formats[column.type]
        match column.type:
            case "date":
                return lambda row, index, value: (
                    sheet.write_datetime(row, index, value, cell_format)
                    if value.year >= FIRST_YEAR
                    else sheet.write_string(row, index, uk_date(value), cell_format)
                )
            case "integer" | "percentage":
                return lambda row, index, value: sheet.write_number(row, index, value, cell_format)
            case _:
                return lambda row, index, value: sheet.write_string(row, index, str(value), cell_format)

    def _print_setup(self, sheet: Worksheet, paper: int) -> None:
        sheet.set_landscape()
        sheet.set_paper(paper)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
        sheet.fit_to_pages(1, 0)
        if self._mark:
            sheet.set_header(f'&C&"Arial,Bold"&12{self._mark.replace("&", "&&")}')
        sheet.set_footer(f"&L&8{self._footer.replace('&', '&&')}&R&8&A, page &P of &N")


@contextmanager
def book(file: BinaryIO, scratch: Path, title: str, footer: str, as_of: date, mark: str = "") -> Iterator[Book]:
    """A workbook written to an open `file` when the block ends well. `scratch` holds rows meanwhile: a private folder.

    `mark`, if any, stands at the head of every printed page and of every page of text, and over the rows of every list.
    The creation date is `as_of` at midnight, so that the bytes do not depend on the day they were made.
    """
    workbook = xlsxwriter.Workbook(
        file,
        {
            "constant_memory": True,
            "tmpdir": str(scratch),
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )
    workbook.set_properties({"title": title, "author": "", "created": datetime.combine(as_of, time.min)})
    yield Book(workbook, footer, mark)
    workbook.close()


def _pixels(points: float) -> int:
    return round(points * 96 / 72)


def _width(column: Column) -> int:
    """Wide enough for the values, none of which wraps, and for the longest word of the heading, which does."""
    word = max(len(part) for part in column.heading.split())
    values = {"date": 11, "integer": 6, "percentage": 8, "text": 15}.get(column.type, 0)
    wording = max((len(wording) for wording in column.categories.values()), default=0)
    return max(word + 2, values, math.ceil(wording * 0.7) + 2)


def _lines(texts: Sequence[tuple[str, float]]) -> int:
    """How many lines the tallest of some texts takes when each wraps at its width, which is counted in digits."""
    return max(
        sum(max(1, len(textwrap.wrap(part, int(width * _LETTERS)))) for part in text.split("\n"))
        for text, width in texts
    )
