"""Workbooks: the text that a spreadsheet shows, under the row numbers that it shows."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import xlsxwriter

from send_returns import feeds

Take = Callable[..., Any]
Rows = list[list[Any]]
COLUMNS = ["ehe_id", "UPN", "NHS number", "Surname", "Date of birth", "EHE start on"]
NAME = "ehe_register_2026-10-01.xlsx"


def workbook(sheets: dict[str, Rows]) -> bytes:
    """A workbook of sheets; text that begins with `=` is a formula whose last result was 7."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, "default_date_format": "dd/mm/yyyy"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                for place, value in enumerate(row):
                    if isinstance(value, str) and value.startswith("="):
                        sheet.write_formula(at, place, value, None, 7)
                    elif isinstance(value, str):
                        sheet.write_string(at, place, value)
                    elif value is not None:
                        sheet.write(at, place, value)
    return content.getvalue()


def without(content: bytes, part: str, pattern: str = ".*", instead: str = "") -> bytes:
    """The workbook with some text of a part replaced; by default the part is left out."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
            elif pattern != ".*":
                text, count = re.subn(pattern, instead, old.read(name).decode())
                assert count
                new.writestr(name, text)
    return changed.getvalue()


ROWS: Rows = [
    ["Register of elective home education"],
    [],
    COLUMNS,
    ["0012", "A123", 9434765919, "Núñez", date(2015, 2, 1), 45566],
    [],
    [13, None, "0434 765 919", "=1+6", "01/02/2015", "2024-10-01"],
]


def test_cells_are_what_a_spreadsheet_shows(take: Take) -> None:
    taken = take("ehe_register", {NAME: workbook({"Child": ROWS})}, name=NAME)
    rows = taken.loaded["child"].select(
        "ehe_id", "nhs_number", "surname", "date_of_birth", "ehe_start_on", "_row_number"
    )
    assert rows.rows() == [
        ("0012", "9434765919", "Núñez", date(2015, 2, 1), date(2024, 10, 1), 4),
        ("13", "0434 765 919", "7", date(2015, 2, 1), date(2024, 10, 1), 6),
    ]
    assert taken.delivery.period.key == "2026-10-01"


def test_headings_in_two_rows_and_a_margin_are_found(take: Take) -> None:
    rows: Rows = [
        [None, "Register"],
        [None, "ehe_id", "Child", None, None, "EHE", None],
        [None, None, "Surname", "UPN", "Date of birth", "start on", "end on"],
        [None, "1", "Ali", "A1", "01/02/2015", "01/09/2024", "01/09/2025"],
    ]
    taken = take("ehe_register", {NAME: workbook({"Sheet1": rows})}, name=NAME)
    (row,) = taken.loaded["child"].select("ehe_id", "surname", "ehe_start_on", "ehe_end_on", "_row_number").rows()
    assert row == ("1", "Ali", date(2024, 9, 1), date(2025, 9, 1), 4)


def test_sheets_are_assigned_by_name_or_headings_and_others_told(take: Take) -> None:
    header = ["CHILD", "SEX", "DOB", "ETHNIC", "UPN", "MOTHER", "MC_DOB"]
    episodes = ["CHILD", "DECOM", "RNE", "LS", "CIN", "PLACE", "PLACE_PROVIDER", "DEC", "REC", "REASON_PLACE_CHANGE"]
    content = workbook(
        {
            "Read me": [["How to fill this in"]],
            "Header": [header, ["1", "1", "01/02/2015", "WBRI", "UN1"]],
            "Looked after": [episodes, ["1", "01/02/2025", "S", "C2", "N1", "U1", "PR1"]],
        }
    )
    taken = take("ssda903", {"return.xlsx": content}, name="2026")
    assert {name: counts.rows_in for name, counts in taken.delivery.counts.items()} == {"header": 1, "episodes": 1}
    assert len(taken.found("F14")) == 1


def test_two_sheets_of_one_table_are_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match=r"sheet Child and .*sheet CHILD.* are both child"):
        take("ehe_register", {NAME: workbook({"Child": ROWS, "CHILD ": ROWS})}, name=NAME)


@pytest.mark.parametrize(
    ("part", "pattern"),
    [
        ("xl/styles.xml", ".*"),
        ("docProps/app.xml", ".*"),
        ("docProps/core.xml", ".*"),
        ("xl/theme/theme1.xml", ".*"),
        ("xl/worksheets/sheet1.xml", r"<dimension[^>]*/>"),
        ("xl/_rels/workbook.xml.rels", r'<Relationship Id="rId2"[^>]*/>'),
    ],
)
def test_broken_parts_that_excel_opens_do_not_lose_a_row(take: Take, part: str, pattern: str) -> None:
    taken = take("ehe_register", {NAME: without(workbook({"Child": ROWS}), part, pattern)}, name=NAME)
    assert taken.loaded["child"]["date_of_birth"].to_list() == [date(2015, 2, 1)] * 2


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_what_cannot_be_read_is_refused_in_one_line(take: Take, part: str) -> None:
    with pytest.raises(feeds.Refused) as refusal:
        take("ehe_register", {NAME: without(workbook({"Child": ROWS}), part)}, name=NAME)
    assert str(refusal.value).isprintable()


def test_a_formula_is_text_once_landed_and_never_run(take: Take) -> None:
    taken = take(
        "ehe_register",
        {"ehe_2026-10-01.csv": ",".join(COLUMNS) + "\n1,,,\"=cmd|' /C calc'!A0\",,\n"},
        name="2026-10-01",
    )
    assert taken.loaded["child"]["surname"].to_list() == ["=cmd|' /C calc'!A0"]
