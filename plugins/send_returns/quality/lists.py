"""From a sheet as people keep it to one typed frame: find the header, match headings, read dates, keep row numbers."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import zip_longest

import polars as pl

from send_returns.layouts import Column, ListLayout

HEADER_WITHIN = 30
UNREADABLE = "__unreadable"
_MISSING = ["", "NULL", "N/A"]
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?$"
_DAY_FIRST = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})" + _TIME
_YEAR_FIRST = r"^(\d{4})[/\-](\d{1,2})[/\-](\d{1,2})" + _TIME
# Five digits: 1927 to 2173. Fewer would take a bare year for a day in 1905.
_SERIAL = r"^(\d{5})(?:\.\d+)?$"
_EXCEL_DAY_0 = date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class SheetList:
    """One list as read. `frame` has `row_number` (as the spreadsheet shows it), the columns found, under their house
    names, and `<name>__unreadable` for dates and numbers. `header_row` is None where no row looks like a header."""

    frame: pl.DataFrame
    header_row: int | None
    missing: tuple[str, ...]
    repeated: tuple[str, ...]


def heading_key(text: str) -> str:
    """A heading without what people vary: case, spaces of any kind, dashes, apostrophes, punctuation."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def find_header(rows: Sequence[Sequence[object]], layout: ListLayout) -> int | None:
    """The index of the row, among the first thirty, that holds most of the layout's headings."""
    known = {heading_key(column.heading) for column in layout.columns}
    matches = [len(known & {heading_key(str(cell)) for cell in row}) for row in rows[:HEADER_WITHIN]]
    best = max(matches, default=0)
    return matches.index(best) if best else None


def read_list(rows: Sequence[Sequence[object]], layout: ListLayout) -> SheetList:
    """Type the rows of a sheet (its first is row 1) by a layout. Rows blank in every known column are left out."""
    at = find_header(rows, layout)
    if at is None:
        names = tuple(column.name for column in layout.columns)
        return SheetList(pl.DataFrame(schema={"row_number": pl.Int64}), None, names, ())
    positions: dict[str, list[int]] = {}
    for position, cell in enumerate(rows[at]):
        positions.setdefault(heading_key(str(cell)), []).append(position)
    cells = list(zip_longest(*rows[at + 1 :], fillvalue=""))
    series: list[pl.Series] = []
    present: list[pl.Series] = []
    missing, repeated = [], []
    for column in layout.columns:
        found = positions.get(heading_key(column.heading), [])
        if not found:
            missing.append(column.name)
            continue
        if len(found) > 1:
            repeated.append(column.name)
        values = cells[found[0]] if found[0] < len(cells) else [""] * len(rows[at + 1 :])
        value, unreadable = _typed(column, values)
        series.append(value)
        present.append(value.is_not_null())
        if unreadable is not None:
            series.append(unreadable)
            present.append(unreadable)
    first = at + 2
    numbers = pl.int_range(first, first + len(rows) - at - 1, eager=True).alias("row_number")
    frame = pl.DataFrame([numbers, *series])
    frame = frame.filter(pl.any_horizontal([pl.lit(part) for part in present]))
    return SheetList(frame, at + 1, tuple(missing), tuple(repeated))


def _typed(column: Column, values: Sequence[object]) -> tuple[pl.Series, pl.Series | None]:
    """A column's values, and where its type can fail, which of them could not be read."""
    if column.type == "date":
        read, blank = _dates(values)
    else:
        text = _texts(values)
        if column.type in ("text", "category"):
            return text.str.replace_all(r"\s+", " ").alias(column.name), None
        blank = text.is_null()
        read = text.str.strip_suffix("%").str.strip_chars().cast(pl.Float64, strict=False)
        read = read.set(~read.is_finite().fill_null(True), None)
        if column.type == "integer":
            read = read.set((read % 1 != 0).fill_null(False), None).cast(pl.Int64, strict=False)
    return read.alias(column.name), (read.is_null() & ~blank).alias(column.name + UNREADABLE)


def _texts(values: Sequence[object]) -> pl.Series:
    text = pl.Series([value if type(value) is str else _text(value) for value in values], dtype=pl.String)
    text = text.str.strip_chars(" \t\r\n\u00a0\u2007\u202f\u200b\ufeff")
    return text.set(text.str.to_uppercase().is_in(_MISSING), None)


def _text(value: object) -> str:
    # Spreadsheets keep an identifier typed without an apostrophe as a floating point number.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _dates(values: Sequence[object]) -> tuple[pl.Series, pl.Series]:
    """Dates, and which cells are blank. Reads real dates, Excel serials, dd/mm/yyyy and ISO, in any mixture."""
    days = pl.Series([_day(value) for value in values], dtype=pl.Date)
    text = _texts(["" if isinstance(value, date) else value for value in values])
    frame = pl.DataFrame({"day": days, "text": text})
    day_first = pl.col("text").str.extract_groups(_DAY_FIRST).struct
    year_first = pl.col("text").str.extract_groups(_YEAR_FIRST).struct
    read = frame.select(
        pl.coalesce(
            "day",
            _day_of(day_first.field("3"), day_first.field("2"), day_first.field("1")),
            _day_of(year_first.field("1"), year_first.field("2"), year_first.field("3")),
            pl.lit(_EXCEL_DAY_0) + pl.duration(days=_serial(pl.col("text"))),
        ).alias("read")
    )["read"]
    return read, text.is_null() & days.is_null()


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def _day_of(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    parts = [year, month.str.zfill(2), day.str.zfill(2)]
    return pl.concat_str(parts, separator="-").str.to_date("%Y-%m-%d", strict=False)


def _serial(text: pl.Expr) -> pl.Expr:
    day = text.str.extract(_SERIAL).cast(pl.Int64, strict=False)
    return pl.when(day >= 10_000).then(day)
