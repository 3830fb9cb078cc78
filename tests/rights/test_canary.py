"""The search that a removal is proved by finds a value wherever it may hide, and says so of nothing else."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from send_returns import warehouse
from send_returns.rights import canary
from send_returns.rights.identifiers import exactly, identifiers, needles, one
from send_returns.settings import Settings

UPN, NUMBER = "Z919229614001", "9994552058"
TEXT = f"upn,name\n{UPN},Orla\n"


def _zip(*files: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def _workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as workbook:
        workbook.add_worksheet().write_row(0, 0, [UPN, int(NUMBER)])
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.lower().encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-be"),
        b"x" * (canary.BLOCK_BYTES - 7) + TEXT.encode(),
        _zip(("a.csv", TEXT.encode())),
        _zip(("inner.zip", _zip(("a.csv", TEXT.encode())))),
        gzip.compress(TEXT.encode()),
        bz2.compress(TEXT.encode()),
        lzma.compress(TEXT.encode()),
        _workbook(),
    ],
    ids=["plain", "lower", "utf-16", "utf-16-be", "between blocks", "zip", "zip in zip", "gz", "bz2", "xz", "xlsx"],
)
def test_a_value_is_found_in_a_file_of_any_form(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert canary.holds(path, [UPN])
    assert not canary.holds(path, ["Z919229614002"])


def test_a_short_number_is_not_found_within_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("13000319 30003190 a3000319")
    assert not canary.holds(path, ["3000319"])
    path.write_text('{"child": "3000319"}')
    assert canary.holds(path, ["3000319"])


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 cut short", b"%PDF-1.7", b"7z\xbc\xaf\x27\x1c"], ids=["zip", "pdf", "7z"]
)
def test_what_cannot_be_looked_into_is_not_said_to_hold_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(canary.Opaque):
        canary.holds(path, [UPN])


def test_every_kind_of_column_and_every_folder_is_looked_at(database: Settings, tmp_path: Path) -> None:
    with warehouse.connect(database) as connection:
        connection.execute("create schema other")
        connection.execute("create table other.kinds (a text[], b jsonb, c json, d date, e varchar, f uuid)")
        for column, value in (("a", f"{{x,{UPN}}}"), ("b", f'{{"deep": ["{UPN}"]}}'), ("c", f'"{UPN}"'), ("e", UPN)):
            connection.execute(f"insert into other.kinds ({column}) values (%s)".encode(), [value])
        connection.execute("insert into other.kinds (d) values ('2010-04-16')")
        connection.execute("create materialized view other.kept as select e from other.kinds")
        connection.execute("analyze other.kinds")
    for place in ("outbox/a/receipt.json", "logs/run.log", "runs/r1/dbt/target.sql"):
        path = database.home / place
        path.parent.mkdir(parents=True)
        path.write_text(TEXT)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "List_1.csv").write_text(TEXT)
    hits = {(hit.store, hit.place): hit.count for hit in canary.search(database, [UPN], [tmp_path / "output"])}
    assert hits == {
        ("warehouse", "other.kinds"): 4,
        ("warehouse", "other.kept"): 1,
        ("warehouse", "pg_catalog.pg_stats"): 1,
        ("outbox", "outbox/a/receipt.json"): 1,
        ("logs", "logs/run.log"): 1,
        ("runs", "runs/r1/dbt/target.sql"): 1,
        ("output", "List_1.csv"): 1,
    }
    assert [hit.place for hit in canary.search(database, ["2010-04-16"])] == ["other.kinds"]
    assert canary.search(database, []) == []


def test_an_identifier_is_the_same_however_it_is_written() -> None:
    assert one("nhs_number", "999 455 2058") == one("nhs_number", NUMBER) == ("nhs_number", NUMBER)
    assert one("upn", UPN) == one("upn", f" {UPN.lower()} ") == ("upn", UPN[1:])
    assert one("nhs_number", "9994552059") is None
    assert one("la_child_id", "0003000319") == ("la_child_id", "3000319")
    assert set(needles([("nhs_number", NUMBER), ("provider_patient_id", "RY4 LPI5000116"), ("la_child_id", "17")])) == {
        NUMBER,
        "999 455 2058",
        "999-455-2058",
        "LPI5000116",
    }


def test_all_that_names_a_child_is_an_identifier_and_a_part_of_it_is_none() -> None:
    said = {"surname": ["O'Brien", "O'Brien"], "forename": ["Orla"] * 2, "born": ["2010-04-16"] * 2}
    found = identifiers(pl.DataFrame({**said, "postcode": ["sg5 9wb", None]}))
    assert found.rows() == [("named", "OBRIEN\x1fORLA\x1f2010-04-16\x1fSG59WB")]
    assert exactly(found.rows(), 3)([("named", found["value"][0]), ("upn", "1")]) == {found.rows()[0]: 3}
