"""A workbook's sheets as CSV files, made by a short-lived process of capped memory: see `bundle`.

It is run by its path and imports nothing of the project, so that it starts in a moment. Cells become the text that a
spreadsheet shows: whole numbers without `.0`, dates as ISO, formulas as their last result. Rows keep their numbers.
"""

import csv
import json
import resource
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineSheet, PasswordError, SheetTypeEnum, load_workbook

MEMORY_BYTES = 4_000_000_000
CPU_SECONDS = 300
FILE_BYTES = 4_000_000_000
MAX_COLUMNS = 1_000
# An Excel number holds fifteen digits; the rest is what binary fractions make of it.
DIGITS = ".15g"


class Unreadable(Exception):
    """Why a workbook cannot be read, to follow its name."""


def convert(path: Path, folder: Path) -> list[str]:
    """Write the sheets to `0.csv`, `1.csv` ... in `folder`, and return their names in that order. Raises Unreadable."""
    names: list[str] = []
    try:
        with load_workbook(path) as workbook:
            for entry in workbook.sheets_metadata:
                if entry.typ is not SheetTypeEnum.WorkSheet:
                    continue
                sheet = workbook.get_sheet_by_name(entry.name)
                if sheet.width > MAX_COLUMNS:
                    raise Unreadable(f"a sheet has more than {MAX_COLUMNS:,} columns. Keep those asked for.")
                with (folder / f"{len(names)}.csv").open("w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerows(_rows(sheet))
                names.append(entry.name)
    except PasswordError:
        raise Unreadable("encrypted. Save it without a password.") from None
    except CalamineError:
        raise Unreadable(
            "not a workbook that can be read. It may be damaged: open it, save it as .xlsx and send it again."
        ) from None
    return names


def _rows(sheet: CalamineSheet) -> Iterator[list[str]]:
    """From the first row of the sheet and the first column that is used."""
    for row in sheet.iter_rows():
        yield [value if type(value) is str else _text(value) for value in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(value, DIGITS)
    if isinstance(value, datetime):
        moment = (value + timedelta(microseconds=500_000)).replace(microsecond=0)
        return str(moment.date()) if moment.time() == time() else str(moment)
    return value.isoformat() if isinstance(value, date | time) else str(value)


def main(arguments: Sequence[str]) -> None:
    """Convert a workbook (first argument) into a folder (second); print the sheets' names, or why not, as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    try:
        answer: dict[str, Any] = {"sheets": convert(Path(arguments[0]), Path(arguments[1]))}
    except Unreadable as error:
        answer = {"unreadable": str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
