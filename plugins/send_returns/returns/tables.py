"""Workbooks of statistics as the Government Analysis Function has accessible ones: a sheet is one table, marked as one.

Its own library, gptables, lays them out; see decision 0020. What is here gives it the notes that all returns share, and
what a release needs besides: how sheets print, and the same bytes for the same input.
"""

import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Literal

from xlsxwriter.worksheet import Worksheet

from send_returns.returns import pages
from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.workbook import FIRST_YEAR, MOST_LETTERS, ReturnTooLarge

Cell = str | int | Decimal | date
Kind = Literal["text", "count", "decimal", "date"]

_NUMBER: Mapping[str, str | int] = {"valign": "top", "align": "right"}
_TEXT: Mapping[str, str | int] = {"valign": "top", "align": "left", "indent": 1}
_FORMATS: Mapping[Kind, Mapping[str, str | int]] = {
    "text": {**_TEXT, "num_format": "@"},
    "count": {**_NUMBER, "num_format": "#,##0"},
    "decimal": {**_NUMBER, "num_format": "#,##0.0"},
    "date": {**_TEXT, "num_format": "d mmm yyyy"},
}
_LINE, _LETTERS = 16.0, 1.2  # points of a line of its letters, which are 12 points; of them in the width of a digit
_A3, _A4, _WIDEST = 8, 9, 170  # a sheet wider than so many characters is printed on A3
_COVER_WIDTH = 100.0
_ONE_TABLE = "This worksheet contains one table."
# What a symbol in a cell means, and how counts are rounded: the same in every return.
SYMBOLS: Mapping[str, str] = {
    "c": "Confidential: a count of 1 to 7, or a figure that would give one away.",
    "x": "Not available: no feed that was read tells it.",
    "z": "Not applicable.",
    "low": "Rounds to nought, and is not nought.",
}
NOTES: Mapping[str, str] = {
    "rounding": "Counts are rounded to the nearest 5, and nought is shown as nought, so parts may not add up to their"
    " total. Percentages, rates and averages are made of the rounded counts or of at least 8 cases. Counts of what is"
    " nobody's, such as feeds, rows of feeds and actions of a plan, are exact.",
    "symbols": "Letters in square brackets stand where no number does: "
    + " ".join(f"[{symbol}] {text}" for symbol, text in SYMBOLS.items()),
}


@dataclass(frozen=True)
class Column:
    """A column: its heading, its width in characters, what its cells hold, and the notes that it refers to."""

    heading: str
    width: float
    kind: Kind = "text"
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Sheet:
    """One table on a sheet of its own. `about`: lines under the title. `rows`: a cell for each column, none empty."""

    label: str
    title: str
    about: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """For a page: each heading, and whether its column has numbers."""
        return [(column.heading, column.kind in ("count", "decimal")) for column in self.columns]


def write(job: Job, path: Path, sheets: Sequence[Sheet], notes: Mapping[str, str], about: Sequence[str]) -> None:
    """Writes a workbook: cover, contents, notes, then the sheets. The same job and sheets give the same bytes.

    `notes` by name, beside those that all returns share; `about`: lines of the cover about the data. Raises
    ReturnTooLarge for a text that no cell can hold.
    """
    import gptables  # with pandas it takes a second, which no other command should wait for
    import pandas as pd

    _refuse_what_is_too_long(sheets)
    declaration, run = job.declaration, job.proof.run
    named = {**NOTES, **notes}
    marked = [REHEARSAL] if job.is_rehearsal else []
    tables = {}
    for sheet in sheets:
        frame = pd.DataFrame(
            [[_cell(value) for value in row] for row in sheet.rows],
            columns=[column.heading for column in sheet.columns],
            dtype=object,
        )
        tables[sheet.label] = gptables.GPTable(
            table=frame,
            table_name=re.sub(r"\W+", "_", sheet.label.lower()).strip("_") + "_table",
            title=sheet.title,
            subtitles=marked,
            instructions=_ONE_TABLE,
            legend=list(sheet.about),
            table_notes={
                place: "".join(f"$${note}$$" for note in column.notes)
                for place, column in enumerate(sheet.columns)
                if column.notes
            },
            index_columns={2: 0},
            additional_formatting=[
                {"column": {"columns": [place], "format": dict(_FORMATS[column.kind])}}
                for place, column in enumerate(sheet.columns)
            ],
        )
    theme = deepcopy(gptables.gptheme)
    theme.update_cover_text_format({"valign": "top"})
    theme.update_data_format({"valign": "top"})
    cover = gptables.Cover(title=declaration.title, **_cover(job, about), width=_COVER_WIDTH)
    with warnings.catch_warnings():
        # It warns of notes that no table refers to, though all returns have them, and of what pandas is to do later.
        warnings.simplefilter("ignore")
        book = gptables.produce_workbook(
            str(path),
            tables,
            theme=theme,
            cover=cover,
            contentsheet_options={"subtitles": marked} if marked else {},
            notes_table=pd.DataFrame({"Note": list(named), "What it says": list(named.values())}),
            # Of its lines this is the only one that the library lets us write.
            notesheet_options={"instructions": " ".join([*marked, _ONE_TABLE])},
            auto_width=False,
            workbook_options={
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
                "tmpdir": str(path.parent),
            },
        )
    book.set_properties(
        {
            "title": declaration.title,
            "author": "",
            "comments": REHEARSAL if job.is_rehearsal else "",
            "created": datetime.combine(run.as_of, time.min),
        }
    )
    for worksheet in book.worksheets():
        _for_print(worksheet, job)
    for sheet in sheets:
        _lay_out(book.get_worksheet_by_name(sheet.label), sheet, tables[sheet.label].data_range[0])
    _heights(book.get_worksheet_by_name("Cover"), 1, [[text] for text in _cover_lines(job, about)], [_COVER_WIDTH])
    contents, notes_sheet = book.get_worksheet_by_name("Contents"), book.get_worksheet_by_name("Notes")
    for worksheet, widths in ((contents, (26.0, 100.0)), (notes_sheet, (14.0, 110.0))):
        for place, width in enumerate(widths):
            worksheet.set_column(place, place, width)
    # The library puts the notes into the order in which they are referred to; each gets the room of the longest.
    longest = max(named.values(), key=len)
    _heights(notes_sheet, 3, [["", longest] for _ in named], [14, 110])
    _heights(contents, 3 + len(marked), [["", sheet.title] for sheet in sheets], [26, 100])
    book.close()


def _refuse_what_is_too_long(sheets: Sequence[Sheet]) -> None:
    """The library would leave such a cell empty, with a warning among many."""
    for sheet in sheets:
        for number, row in enumerate(sheet.rows, start=1):
            for column, value in zip(sheet.columns, row, strict=True):
                if isinstance(value, str) and len(value) > MOST_LETTERS:
                    raise ReturnTooLarge(f"{sheet.label}, row {number}, column {column.heading!r}: too long for a cell")


def _cover(job: Job, about: Sequence[str]) -> dict[str, list[str]]:
    """The parts of the cover, as the library names them."""
    declaration, run = job.declaration, job.proof.run
    return {
        "intro": [
            *([REHEARSAL] if job.is_rehearsal else []),
            f"{pages.words(run.partnership)}, as of {pages.long_date(run.as_of)}. Version {job.version}.",
            declaration.purpose,
            f"For: {declaration.audience}",
        ],
        "about": [
            declaration.period, declaration.disclosure.statement, *about, *declaration.limits, declaration.standing
        ],
        "contact": [declaration.contact],
    }  # fmt: skip


def _cover_lines(job: Job, about: Sequence[str]) -> list[str]:
    """The lines of the cover under its title; the library puts a heading over each part."""
    return [line for part in _cover(job, about).values() for line in ("heading", *part)]


def _lay_out(worksheet: Worksheet, sheet: Sheet, header: int) -> None:
    """Widths, heights and what stays in sight; `header` is the row of the headings."""
    widths = [column.width for column in sheet.columns]
    for place, width in enumerate(widths):
        worksheet.set_column(place, place, width)
    headings = [f"{column.heading}\n{'[note 1]' * len(column.notes)}".strip() for column in sheet.columns]
    _heights(worksheet, header, [headings, *([_shown(value) for value in row] for row in sheet.rows)], widths)
    worksheet.freeze_panes(header + 1, 1)
    worksheet.repeat_rows(header)
    worksheet.set_paper(_A3 if sum(widths) > _WIDEST else _A4)


def _heights(worksheet: Worksheet, first: int, rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
    """Rows as tall as their texts: not every program makes room for a text that wraps."""
    for number, texts in enumerate(rows, start=first):
        lines = max(
            sum(max(1, len(textwrap.wrap(part, max(1, int(width * _LETTERS) - 1)))) for part in text.split("\n"))
            for text, width in zip(texts, widths, strict=True)
        )
        worksheet.set_row(number, lines * _LINE + 2)


def _shown(value: Cell) -> str:
    """About as many letters as the cell shows."""
    return value if isinstance(value, str) else ""


def _for_print(worksheet: Worksheet, job: Job) -> None:
    worksheet.set_landscape()
    worksheet.set_paper(_A4)
    worksheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.7)
    worksheet.fit_to_pages(1, 0)
    worksheet.set_footer(f"&L&8{job.footer.replace('&', '&&')}&R&8&A, page &P of &N")
    if job.is_rehearsal:
        worksheet.set_header(f'&C&"Arial,Bold"&12{REHEARSAL}')


def _cell(value: Cell) -> Cell:
    """A cell as gptables takes it, which would make a link of `[text](address)` and a note of `$$name$$`."""
    if isinstance(value, date) and value.year < FIRST_YEAR:
        return pages.long_date(value)
    if not isinstance(value, str):
        return value
    safe = value.replace("](", "] (").replace("$$", "$ $").strip()
    return safe if re.search(r"[a-zA-Z0-9]", safe) else "[x]"
