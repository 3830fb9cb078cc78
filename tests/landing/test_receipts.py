"""The receipt that a supplier gets: what it says, that it says no value, and that `check` says the same."""

import io
import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from send_returns import landing, warehouse
from send_returns.landing import receipts
from send_returns.quality.check import check
from send_returns.settings import Settings

AS_OF = date(2026, 10, 30)
SAMPLES = Path(__file__).parents[1] / "samples"
LONDON = landing.Partnership("hertfordshire", "Sample partnership", "201", "E09000001", None)
CANARY = "Qx7Canary"
EHE = "ehe_id,upn,surname,forename,date_of_birth,sex,shoe_size\n"
CENSUS = "NativeID,UPN,Surname,DOB\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def deliver(settings: Settings, inbox: Path, feed: str, name: str, content: str) -> Path:
    path = inbox / "council" / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    landing.land(settings, "council", inbox, AS_OF)
    receipts.write(settings, AS_OF)
    return path


def receipt(settings: Settings, feed: str, name: str) -> tuple[dict[str, Any], openpyxl.Workbook]:
    folder = settings.home / "outbox" / "council" / feed / name
    return json.loads((folder / "receipt.json").read_text()), openpyxl.load_workbook(folder / "receipt.xlsx")


def text_of(book: openpyxl.Workbook) -> str:
    return "\n".join(
        str(c) for sheet in book for row in sheet.iter_rows(values_only=True) for c in row if c is not None
    )


def rows(count: int) -> str:
    return "".join(f"{number},,Ashby,Robin,01/02/2015,F,\n" for number in range(count))


def test_an_accepted_delivery_is_told_in_full(database: Settings, inbox: Path) -> None:
    bad = f",,{CANARY},{CANARY},{CANARY},F,\n201,{CANARY},{CANARY},{CANARY},{CANARY},{CANARY},{CANARY}\n"
    deliver(database, inbox, "ehe_register", "2026-10-01.csv", EHE + rows(100) + bad)
    told, book = receipt(database, "ehe_register", "2026-10-01.csv")
    assert (told["status"], told["period"], told["describes"]) == ("accepted", "2026-10-01", "2026-10-01")
    assert told["tables"] == [
        {"table": "child", "rows_in": 102, "rows_loaded": 101, "rows_quarantined": 1, "rows_erased": 0}
    ]
    assert [file["encoding"] for file in told["files"]] == ["utf-8-sig"]
    assert "send the whole delivery again" in told["to_do"]
    assert book.sheetnames == ["Summary", "Findings by rule", "Rows to fix", "Accepted", "Still owed"]
    by_rule = {
        (row[0], row[3]): (row[1], row[5]) for row in book["Findings by rule"].iter_rows(min_row=4, values_only=True)
    }
    assert by_rule["F04", "ehe_id"] == ("error", 1)
    assert by_rule["F07", "shoe_size"] == ("info", 1)
    to_fix = list(book["Rows to fix"].iter_rows(min_row=5, values_only=True))
    assert ("child", 102, None, "F04", "ehe_id") in to_fix
    assert ("child", 103, None, "F01", "date_of_birth") in to_fix
    assert len(to_fix) == sum(f["row"] is not None and f["severity"] != "info" for f in told["findings"])
    assert CANARY not in text_of(book) + json.dumps(told)


def test_a_record_key_is_told_only_where_no_part_of_it_is_personal(database: Settings, inbox: Path) -> None:
    folder = inbox / "council" / "ssda903" / "2026"
    folder.mkdir(parents=True)
    (folder / "SSDA903_2026_episodes.csv").write_text(f"CHILD,DECOM,RNE,LS,CIN\n{CANARY},01/04/2025,ZZ,C2,N1\n")
    cin = inbox / "council" / "cin_census"
    cin.mkdir()
    shutil.copy(SAMPLES / "cin" / "cin-2022.xml", cin)
    landing.land(database, "council", inbox, AS_OF, LONDON)
    receipts.write(database, AS_OF)
    told, book = receipt(database, "ssda903", "2026")
    assert {f["record_key"] for f in told["findings"]} == {None}
    assert CANARY not in text_of(book)
    told, _ = receipt(database, "cin_census", "cin-2022.xml")
    assert any(f["record_key"] for f in told["findings"])


@pytest.mark.parametrize(
    ("name", "content", "status", "to_do"),
    [
        ("2026-10-01.csv", "nothing like it\n", "refused", "send it again"),
        ("2026-10-01_again.csv", EHE + "2,,,,,,\n1,,,,,,\n", "duplicate", "Nothing"),
    ],
)
def test_what_is_not_taken_is_told_too(
    database: Settings, inbox: Path, name: str, content: str, status: str, to_do: str
) -> None:
    if status == "duplicate":
        deliver(database, inbox, "ehe_register", "2026-10-01.csv", EHE + "1,,,,,,\n2,,,,,,\n")
    deliver(database, inbox, "ehe_register", name, content)
    told, book = receipt(database, "ehe_register", name)
    assert told["status"] == status
    assert told["reason"]
    assert to_do in told["to_do"]
    assert receipts.STATUS[status] in text_of(book)


def test_a_receipt_is_the_same_bytes_and_is_written_again_only_when_the_outcome_changes(
    database: Settings, inbox: Path
) -> None:
    path = deliver(database, inbox, "ehe_register", "2026-10-01_a.csv", EHE + rows(3))
    folder = database.home / "outbox" / "council" / "ehe_register" / path.name
    before = {file.name: (file.read_bytes(), file.stat().st_ino) for file in folder.iterdir()}
    assert sorted(before) == ["receipt.json", "receipt.xlsx"]
    assert receipts.write(database, AS_OF) == 0
    assert {file.name: file.stat().st_ino for file in folder.iterdir()} == {k: v[1] for k, v in before.items()}
    shutil.rmtree(folder)
    assert receipts.write(database, AS_OF) == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {k: v[0] for k, v in before.items()}
    deliver(database, inbox, "ehe_register", "2026-10-01_b.csv", EHE + rows(4))
    assert receipt(database, "ehe_register", path.name)[0]["status"] == "superseded"


@pytest.mark.parametrize(
    "name", ["2026-10-01 ' ; drop.csv", "=2026-10-01.csv", "2026-10-01_%2e%2e\\..\\x.csv", "2026-10-01&P.csv"]
)
def test_a_hostile_name_stays_in_the_outbox(database: Settings, inbox: Path, name: str) -> None:
    deliver(database, inbox, "ehe_register", name, EHE + rows(1))
    (folder,) = (database.home / "outbox" / "council" / "ehe_register").iterdir()
    assert folder.name.rpartition("~")[0].replace("~", "").translate({ord(c): None for c in "._-"}).isalnum()
    book = openpyxl.load_workbook(folder / "receipt.xlsx")
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_two_deliveries_of_one_name_have_a_receipt_each(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, "ehe_register", "2026-10-01.csv", EHE + rows(1))
    deliver(database, inbox, "ehe_register", "2026-10-01.csv", EHE + rows(2))
    folders = sorted((database.home / "outbox" / "council" / "ehe_register").iterdir())
    assert folders[0].name == "2026-10-01.csv"
    assert folders[1].name.startswith("2026-10-01.csv~")
    assert [json.loads((f / "receipt.json").read_text())["status"] for f in folders] == ["superseded", "accepted"]


def found_by_check(paths: list[Path], feed: str) -> Counter[tuple[Any, ...]]:
    text = io.StringIO()
    check(paths, feed, AS_OF).write_json(text)
    return Counter(
        (f["rule"], f["severity"], f["table"], tuple(f["fields"]), f["row"])
        for f in json.loads(text.getvalue())["findings"]
    )


def test_check_finds_what_the_receipt_tells(database: Settings, inbox: Path) -> None:
    council = inbox / "council"
    for feed, folder in (("cin_census", ""), ("school_census", "2024_autumn"), ("ssda903", "2023")):
        shutil.copytree(
            SAMPLES / feed.removesuffix("_census").replace("school", "school_census"), council / feed / folder
        )
    (council / "ssda903" / "2023" / "SSDA903_episodes_for_testing_fixes_INPUT.csv").unlink()
    (council / "ehe_register").mkdir()
    (council / "ehe_register" / "2026-10-01.csv").write_text(EHE + rows(100) + ",,,,x,Z,9\n1,bad,,,x,Z,9\n1,2\n")
    landing.land(database, "council", inbox, AS_OF, LONDON)
    receipts.write(database, AS_OF)
    compared = 0
    for file in sorted((database.home / "outbox").rglob("receipt.json")):
        told = json.loads(file.read_text())
        delivered = council / told["feed"] / told["delivery"]
        ours = Counter((f["rule"], f["severity"], f["table"], tuple(f["fields"]), f["row"]) for f in told["findings"])
        assert ours == found_by_check([delivered], told["feed"])
        assert ours
        compared += 1
    assert compared == 5


def test_what_is_still_owed_is_that_of_the_supplier(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, "ehe_register", "2026-10-01.csv", EHE + rows(1))
    told, book = receipt(database, "ehe_register", "2026-10-01.csv")
    with warehouse.connect(database) as connection:
        expected = [
            {"feed": feed, "period": period, "due": due_on.isoformat(), "state": state}
            for feed, period, due_on, state in connection.execute(
                "select feed, period, due_on, state from landing.expectation where supplier ="
                " 'Council elective home education team' and delivery_id is null order by feed, period_on"
            )
        ]
    assert told["still_owed"] == expected
    assert book["Still owed"]["A1"].value == "Still owed, as of 30/10/2026"
