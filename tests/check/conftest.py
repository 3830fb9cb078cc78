"""Return workbooks and CSV files as a data officer keeps them."""

import csv
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from send_returns import layouts

AS_OF = date(2026, 10, 31)
LAYOUT = layouts.load("area_send_annex_a", AS_OF)
Row = dict[str, Any]

_CHILD = {
    "date_of_birth_on": date(2014, 3, 5),
    "gender": "b) Female",
    "ethnicity": "a) WBRI",
    "initial_plan_issued_on": date(2020, 1, 10),
    "updated_plan_issued_on": date(2023, 6, 1),
    "plan_last_reviewed_on": date(2025, 10, 1),
    "sen_primary_need": "k) ASD",
    "main_establishment_urn": "100001",
    "main_establishment_phase": "b) Primary",
    "elective_home_education": "b) No",
    "suspensions": 0,
    "permanent_exclusions": 0,
    "absence_pct": 4.5,
    "pupil_premium": "b) No",
    "known_to_social_care": "b) No",
    "disability": "a) Yes",
}


def _child(number: int, changes: Row) -> Row:
    return {**_CHILD, "unique_id": f"U{number:06d}", "upn": f"A{number:012d}", **changes}


def _table(list_number: int, rows: Sequence[Row], without: Sequence[str]) -> list[list[Any]]:
    a_list = LAYOUT.lists[list_number - 1]
    columns = [column for column in a_list.columns if column.name not in without]
    children = [_child(list_number * 1000 + n, row) for n, row in enumerate(rows)]
    return [
        [column.heading for column in columns],
        *([child.get(column.name) for column in columns] for child in children),
    ]


@pytest.fixture
def table() -> Callable[..., list[list[Any]]]:
    """The header and rows of a list of children without a fault but for their own values; some columns left out."""

    def make(list_number: int, rows: Sequence[Row], without: Sequence[str] = ()) -> list[list[Any]]:
        return _table(list_number, rows, without)

    return make


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Writes sheets, a name and its rows each, to a workbook. Dates become real dates; None leaves the cell out."""

    def write(sheets: dict[str, list[list[Any]]], name: str = "return.xlsx") -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy"}) as book:
            for title, rows in sheets.items():
                sheet = book.add_worksheet(title)
                for number, row in enumerate(rows):
                    for place, cell in enumerate(row):
                        if isinstance(cell, str):
                            sheet.write_string(number, place, cell)
                        elif cell is not None:
                            sheet.write(number, place, cell)
        return path

    return write


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows to a CSV file, dates as dd/mm/yyyy."""

    def write(rows: list[list[Any]], name: str = "List_1.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding=encoding) as file:
            csv.writer(file).writerows(
                [cell.strftime("%d/%m/%Y") if isinstance(cell, date) else cell for cell in row] for row in rows
            )
        return path

    return write
