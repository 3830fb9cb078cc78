import io
import math
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from send_returns.returns import tables, workbook
from send_returns.returns.job import REHEARSAL
from send_returns.returns.pages import Heading, Page, Paragraph, Table, share
from send_returns.returns.workbook import ReturnTooLarge


def _list(partnership: Any, tmp_path: Path, rows: list[tuple[Any, ...]]) -> openpyxl.Workbook:
    file = io.BytesIO()
    with workbook.book(file, tmp_path, "Title", "Foot & more", partnership.as_of) as book:
        book.add_list(partnership.layout.lists[1], rows)
    return openpyxl.load_workbook(file)


def test_every_heading_shows_whole_and_no_value_is_cut(partnership: Any, tmp_path: Path) -> None:
    sheet = _list(partnership, tmp_path, [])["List_2"]
    # A run of equal columns is stored once.
    widths = [stored.width for stored in sheet.column_dimensions.values() for _ in range(stored.min, stored.max + 1)]
    for cell, column, width in zip(sheet[1], partnership.layout.lists[1].columns, widths, strict=True):
        assert width > max(map(len, column.heading.split()))
        # Letters of text are slimmer than the digits in which a width is counted.
        assert width >= 0.7 * max(map(len, column.categories.values()), default=0)
        assert cell.alignment.wrap_text
    assert sheet.row_dimensions[1].height > 40


def test_the_creation_date_is_the_reporting_date(partnership: Any, tmp_path: Path) -> None:
    book = _list(partnership, tmp_path, [])
    assert (book.properties.created.date(), book.properties.modified.date()) == (partnership.as_of,) * 2
    assert book["List_2"].oddFooter.left.text == "Foot && more"


def test_a_text_too_long_for_a_cell_is_refused_by_its_place_and_not_its_value(partnership: Any, tmp_path: Path) -> None:
    row = (None,) * 15 + ("x" * 32_768, None)
    with pytest.raises(ReturnTooLarge, match=r"List_2, row 2, column .*social care team\?.*: too long for a cell"):
        _list(partnership, tmp_path, [row])


def test_a_statistical_text_too_long_for_a_cell_is_refused_by_its_place() -> None:
    columns = [tables.Column("Action", 8), tables.Column("What", 30)]
    sheet = tables.Sheet("Actions", "Actions", [], columns, [["A1", "y" * 32_767], ["A2", "x" * 32_768]])
    with pytest.raises(ReturnTooLarge, match=r"^Actions, row 2, column 'What': too long for a cell$"):
        tables._refuse_what_is_too_long([sheet])


def test_a_list_of_a_rehearsal_says_so_on_the_screen_and_every_cell_stays(partnership: Any, tmp_path: Path) -> None:
    books = {}
    for mark in ("", REHEARSAL):
        path = tmp_path / f"{bool(mark)}.xlsx"
        with path.open("wb") as file, workbook.book(file, tmp_path, "Title", "Foot", partnership.as_of, mark) as book:
            book.add_list(partnership.layout.lists[1], [("a",) + (None,) * 16])
        with zipfile.ZipFile(path) as unpacked:
            drawn = [unpacked.read(name) for name in unpacked.namelist() if "drawing" in name and "rels" not in name]
        assert [REHEARSAL.encode() in content for content in drawn] == ([True] if mark else [])
        books[mark] = [list(row) for row in openpyxl.load_workbook(path)["List_2"].values]
    assert books[""] == books[REHEARSAL]


def test_more_rows_than_a_sheet_holds_are_refused(
    partnership: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    with pytest.raises(ReturnTooLarge, match="List_2: more than 2 rows"):
        _list(partnership, tmp_path, [(None,) * 17] * 3)


def test_a_page_keeps_text_text_and_numbers_numbers(partnership: Any, tmp_path: Path) -> None:
    file = io.BytesIO()
    blocks = [Heading("=H"), Paragraph("=P"), Table(["A", "B"], [["=1", 1_000], ["x", 0.01]])]
    with workbook.book(file, tmp_path, "Title", "Foot", partnership.as_of) as book:
        book.add_page(Page("Page", "=Title", [20, 20], blocks))
    sheet = openpyxl.load_workbook(file)["Page"]
    cells = [(cell.value, cell.data_type) for row in sheet.rows for cell in row if cell.value is not None]
    assert cells == [
        ("=Title", "s"), ("=H", "s"), ("=P", "s"),
        ("A", "s"), ("B", "s"), ("=1", "s"), (1000, "n"), ("x", "s"), (0.01, "n"),
    ]  # fmt: skip


def test_a_share_never_hides_a_failing_row_nor_a_blank() -> None:
    assert share(1, 36_500, math.ceil) == 0.01
    assert share(36_499, 36_500, math.floor) == 99.99
    assert share(0, 36_500, math.ceil) == 0
    assert share(0, 0, math.ceil) == ""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")
def test_libreoffice_opens_the_workbook_and_lays_it_out_as_pages(partnership: Any, tmp_path: Path) -> None:
    partnership.passes(partnership.children(60), partnership.children(60, first=60))
    partnership.publish()
    office = ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/office"]
    convert = ["--convert-to", "pdf", "--outdir", str(tmp_path), str(partnership.pack / "area_send_annex_a.xlsx")]
    subprocess.run([*office, *convert], check=True, capture_output=True, timeout=120)
    pdf = (tmp_path / "area_send_annex_a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    # One page wide: two pages for each of the four sheets at most.
    assert 4 <= pdf.count(b"/Type/Page/") <= 8
