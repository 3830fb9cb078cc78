import json
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from jsonschema import validate

from send_returns.quality.check import check, main_check

AS_OF = date(2026, 10, 31)
CANARY = "Zyxwvut"
SCHEMA = {
    "type": "object",
    "required": ["as_of", "files", "findings"],
    "additionalProperties": False,
    "properties": {
        "as_of": {"const": "2026-10-31"},
        "files": {
            "items": {
                "required": ["file", "feed", "rows_in", "rows_accepted", "rows_quarantined"],
                "additionalProperties": False,
                "properties": {name: {"type": "integer"} for name in ("rows_in", "rows_accepted", "rows_quarantined")}
                | {"file": {"type": "string"}, "feed": {"type": "string"}},
            }
        },
        "findings": {
            "items": {
                "required": ["rule", "severity", "table", "fields", "row", "message"],
                "additionalProperties": False,
                "properties": {
                    "rule": {"type": "string"},
                    "severity": {"enum": ["error", "query", "critical", "warning", "info"]},
                    "table": {"type": "string"},
                    "fields": {"items": {"type": "string"}},
                    "row": {"type": ["integer", "null"]},
                    "message": {"type": "string"},
                },
            }
        },
    },
}
Table = Callable[..., list[list[Any]]]
Write = Callable[..., Path]


def _json(paths: list[Path], capsys: pytest.CaptureFixture[str], feed: str | None = None) -> tuple[int, dict[str, Any]]:
    code = main_check(paths, feed, AS_OF, "json")
    report = json.loads(capsys.readouterr().out)
    validate(report, SCHEMA)
    return code, report


def test_a_faultless_workbook(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook({"List_1": table(1, [{}] * 3), "List_2": table(2, [{}] * 4)})
    code, report = _json([path], capsys)
    assert code == 0
    assert report["findings"] == []
    assert report["files"] == [
        {"file": "return.xlsx", "feed": "area_send_annex_a", "rows_in": 7, "rows_accepted": 7, "rows_quarantined": 0}
    ]
    assert main_check([path], None, AS_OF, "text") == 0
    assert "As of 2026-10-31: 0 errors, 0 to look at." in capsys.readouterr().out


def test_a_finding_names_file_row_and_column_and_never_a_value(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"unique_id": CANARY, "upn": CANARY, "gender": CANARY, "date_of_birth_on": f"{CANARY}"}, {}]
    path = workbook({"List 1": [["Our return"], [], *table(1, rows)], "list 2": table(2, [{"upn": CANARY}])})
    code, report = _json([path], capsys)
    assert code == 1
    found = next(finding for finding in report["findings"] if finding["rule"] == "110a")
    assert found == {
        "rule": "110a",
        "severity": "error",
        "table": "List_1",
        "fields": ["Gender"],
        "row": 4,
        "message": "return.xlsx, List_1, row 4, Gender: The wording is not one that the layout lists for this column."
        " Use the wording of the layout, with its letter.",
    }
    assert {finding["rule"] for finding in report["findings"]} == {"100d", "110a", "121", "221"}
    main_check([path], None, AS_OF, "text")
    assert CANARY not in json.dumps(report) + capsys.readouterr().out


def test_queries_alone_are_no_error(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook({"List_1": table(1, [{"plan_last_reviewed_on": date(2027, 1, 1)}]), "List_2": table(2, [{}])})
    code, report = _json([path], capsys)
    assert (code, [finding["rule"] for finding in report["findings"]]) == (0, ["105d"])


def test_rules_of_a_missing_column_are_reported_as_not_run(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workbook({"List_1": table(1, [{}], ["upn"]), "List_2": table(2, [{}])})
    code, report = _json([path], capsys)
    assert code == 1
    found = {(finding["rule"], finding["severity"], finding["row"]) for finding in report["findings"]}
    assert found == {(rule, "error", 1) for rule in ("layout.column_missing", "107", "109", "121", "221")}
    assert all("UPN" in finding["message"] for finding in report["findings"])


def test_a_list_that_is_missing_is_an_error(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook({"List_1": table(1, [{}]), "Notes": [["nothing"]]})
    code, report = _json([path], capsys)
    assert code == 1
    assert {(finding["rule"], finding["table"]) for finding in report["findings"]} == {
        ("layout.list", "List_2"),
        ("121", "List_1"),
    }


def test_a_sheet_without_a_header_is_an_error(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workbook({"List_1": table(1, [{}]), "List_2": table(2, [{}])[1:]})
    code, report = _json([path], capsys)
    assert code == 1
    assert "layout.header" in {finding["rule"] for finding in report["findings"]}


def test_two_sheets_of_one_list_are_an_error(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    sheets = {"List_1": table(1, [{}]), "List 1 (old)": table(1, [{"gender": None}]), "List_2": table(2, [{}])}
    code, report = _json([workbook(sheets)], capsys)
    assert (code, [finding["rule"] for finding in report["findings"]]) == (1, ["layout.sheets"])


def test_csv_files_given_together_are_one_return(
    table: Table, csv_file: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    first = csv_file(table(1, [{"upn": "A1"}]), "plans.csv", "utf-8-sig")
    second = csv_file(table(2, [{"upn": "a1"}]), "support.csv", "cp1252")
    code, report = _json([second, first], capsys)
    assert code == 1
    assert {(finding["rule"], finding["table"]) for finding in report["findings"]} == {
        ("121", "List_1"),
        ("221", "List_2"),
    }
    code, report = _json([first], capsys)
    assert code == 0
    assert [finding["severity"] for finding in report["findings"]] == ["query"]


def _refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    code = main_check([path], None, AS_OF, "json")
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert captured.err.startswith(f"{path.name}: ")
    return captured.err


@pytest.mark.parametrize("tenth", range(10))
def test_a_workbook_cut_short_is_not_read(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str], tenth: int
) -> None:
    path = workbook({"List_1": table(1, [{}] * 50), "List_2": table(2, [{}] * 50)})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    _refused(path, capsys)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("return.pdf", b"%PDF-1.7"),
        ("return.xlsx", b"Unique ID,UPN\n"),
        ("return.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000)),
        ("notes.csv", b"a,b\n1,2\n"),
        ("notes.csv", bytes(range(256))),
    ],
)
def test_what_is_no_return_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    _refused(path, capsys)


def test_a_folder_a_pipe_and_nothing_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.xlsx")
    for path in (tmp_path, tmp_path / "pipe.xlsx", tmp_path / "absent.xlsx"):
        _refused(path, capsys)


def test_a_workbook_without_the_lists_is_not_read(workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has a sheet named List_1 or List_2" in _refused(workbook({"Sheet1": [["Unique ID"]]}), capsys)


def test_a_files_name_cannot_write_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J\n_2026-10-01.csv"))
    path.write_text("ehe_id,upn,uln,nhs_number,surname,forename\n1,,,,,\n")
    assert main_check([path], None, AS_OF, "text") == 0
    assert main_check([path], "gias", AS_OF, "text") == 2
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "\x1b" not in text
        assert "\\udcff\\x1b[2J" in text
        assert text.encode()


def test_an_unknown_feed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.xml").write_bytes(b"<x/>")
    assert main_check([tmp_path / "x.xml"], "no_such_feed", AS_OF, "json") == 2
    assert "no_such_feed" in capsys.readouterr().err


def _replace_sheet(path: Path, xml: bytes) -> None:
    """Put other XML in place of the workbook's first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = xml
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_a_bomb_is_refused_quickly(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook({"List_1": table(1, [{}]), "List_2": table(2, [{}])})
    _replace_sheet(path, b"<worksheet>" + b" " * 200_000_000)
    started = time.monotonic()
    assert "unpacks to far more" in _refused(path, capsys)
    assert time.monotonic() - started < 2


def test_a_bomb_that_lies_about_its_size_is_refused(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workbook({"List_1": table(1, [{}]), "List_2": table(2, [{}])})
    _replace_sheet(path, b"<worksheet>" + b" " * 200_000_000)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 200_000_011), struct.pack("<I", 1_000)))
    _refused(path, capsys)


def test_a_cell_in_the_last_corner_does_not_take_all_memory(
    table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workbook({"List_1": table(1, [{}]), "List_2": table(2, [{}])})
    corner = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    _replace_sheet(path, corner)
    assert "needs more memory" in _refused(path, capsys)


def test_an_encrypted_workbook_is_not_read(table: Table, workbook: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook({"List_1": table(1, [{}]), "List_2": table(2, [{}])})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in _refused(path, capsys)


def test_check_needs_neither_airflow_nor_dbt_nor_great_expectations(table: Table, csv_file: Write) -> None:
    path = csv_file(table(1, [{}]))
    program = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from send_returns.quality.check import main_check\n"
        "main_check([Path(sys.argv[1])], None, date(2026, 10, 31), 'json')\n"
        "heavy = {'airflow', 'dbt', 'great_expectations', 'pandas', 'sqlalchemy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_reports_of_one_workbook_are_the_same(table: Table, workbook: Write) -> None:
    path = workbook({"List_1": table(1, [{"gender": None}] * 9), "List_2": table(2, [{"upn": "A1"}] * 9)})
    assert check([path], None, AS_OF) == check([path], None, AS_OF)


SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.mark.parametrize(
    ("files", "feed", "rows"),
    [
        (["cin/CIN_Census_2021.xml"], "cin_census", 12),
        (["school_census/2024_autumn_pupilonroll.csv"], "school_census", None),
        (["ssda903/SSDA903_2020_header.csv", "ssda903/SSDA903_2020_episodes.csv"], "ssda903", None),
    ],
)
def test_a_delivery_is_known_by_its_contract(
    capsys: pytest.CaptureFixture[str], files: list[str], feed: str, rows: int | None
) -> None:
    _, report = _json([SAMPLES / file for file in files], capsys)
    (summary,) = report["files"]
    assert summary["feed"] == feed
    assert summary["rows_in"] == summary["rows_accepted"] + summary["rows_quarantined"] > 0
    assert rows in (None, summary["rows_in"])


def test_a_delivery_that_would_be_refused_says_so_beside_its_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "SSDA903_2020_header.csv"
    path.write_text("CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB\n" + f",{CANARY},{CANARY},x,{CANARY},0,\n" * 20)
    code, report = _json([path], capsys, "ssda903")
    assert code == 1
    rules = [finding["rule"] for finding in report["findings"]]
    assert rules.count("F04") >= 20
    assert rules[-1] == "delivery.refused"
    assert report["files"][0]["rows_quarantined"] == 20
    assert CANARY not in json.dumps(report)


def test_a_list_in_utf_16_is_read_as_it_is(table: Table, csv_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = csv_file(table(1, [{"unique_id": "Zoë"}] * 2), encoding="utf-16")
    tabbed = path.with_name("List_2.csv")
    tabbed.write_text("\t".join(table(2, [{}])[0]) + "\n", encoding="utf-16-le")
    _, report = _json([path, tabbed], capsys)
    assert [(summary["feed"], summary["rows_in"]) for summary in report["files"]] == [
        ("area_send_annex_a", 2),
        ("area_send_annex_a", 0),
    ]


def test_a_delivery_in_a_zip_or_a_workbook_is_known_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB"
    packed = tmp_path / "SSDA903_2026.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("header.csv", header + "\n1,1,01/02/2015,WBRI,UN1,,\n")
    book = tmp_path / "SSDA903_2026.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet("Header")
        sheet.write_row(0, 0, header.split(","))
        sheet.write_row(1, 0, ["1", "1", "01/02/2015", "WBRI", "UN1"])
    for path in (packed, book):
        _, report = _json([path], capsys)
        assert [(summary["feed"], summary["rows_in"]) for summary in report["files"]] == [("ssda903", 1)]


def test_a_refusal_names_its_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nu_feed.csv").write_text("a,b\n1,2\n")
    assert main_check([tmp_path / "nu_feed.csv"], "sen2", AS_OF, "text") == 2
    assert capsys.readouterr().err.count("nu_feed.csv") == 1
