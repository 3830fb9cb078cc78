"""CSV: every record is loaded or quarantined, under the number that a spreadsheet shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from send_returns import feeds
from send_returns.feeds import csv_reader

Take = Callable[..., Any]
HEADER = "CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB"


def header_file(*lines: str) -> dict[str, str | bytes]:
    return {"SSDA903_2026_header.csv": "\n".join([HEADER, *lines]) + "\n"}


def many(*lines: str) -> list[str]:
    """Lines among enough good ones that a few in quarantine are within tolerance."""
    return [*lines, *(f"{number},1,01/02/2015,WBRI,UN1,," for number in range(1000, 1100))]


def test_row_numbers_are_a_spreadsheets_across_titles_blanks_ragged_rows_and_quoted_newlines(take: Take) -> None:
    lines = many("1,1,01/02/2015,WBRI,UN1,,", "", '"2\n2",1,01/02/2015,WBRI,UN1,,', "3,1", "4,1,01/02/2015,WBRI,UN1,,")
    taken = take("ssda903", {"2026_header.csv": "Looked after\n" + "\n".join([HEADER, *lines]) + "\n"})
    numbers = dict(taken.loaded["header"].select("child", "_row_number").iter_rows())
    assert (numbers["1"], numbers["2\n2"], numbers["4"], numbers["1000"]) == (3, 5, 7, 8)
    assert taken.found("F05") == [("header", (), 6)]
    assert taken.rows_in == 104


def test_ragged_rows_are_quarantined_with_what_they_held(take: Take) -> None:
    taken = take("ssda903", header_file(*many("1,1", "2,1,01/02/2015,WBRI,UN1,,,,extra")))
    assert [json.loads(raw) for raw in taken.quarantined["raw"]] == [
        ["1", "1"],
        ["2", "1", "01/02/2015", "WBRI", "UN1", "", "", "", "extra"],
    ]
    assert taken.quarantined["reasons"].list.first().str.starts_with("F05").all()


def test_rows_of_nothing_are_not_rows(take: Take) -> None:
    taken = take("ssda903", header_file(*many(",,,,,,", "   ,,,,,,", ",,", "")))
    assert taken.rows_in == 100
    assert taken.quarantined.is_empty()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_names_survive_whatever_encoding_they_came_in(take: Take, encoding: str) -> None:
    text = (
        "ehe_id,surname,forename,date_of_birth,upn,uln,sex,postcode\n"
        "1,O’Brien,Zoë,01/02/2015,,,F,\n2,Núñez,Siân,01/02/2015,,,F,\n"
    )
    taken = take("ehe_register", {"ehe_2026-10-01.csv": text.encode(encoding)}, name="ehe_2026-10-01.csv")
    assert taken.loaded["child"].select("surname", "forename").rows() == [("O’Brien", "Zoë"), ("Núñez", "Siân")]


@pytest.mark.parametrize("broken", [b"x", b"\x00\xd8a\x00"])
def test_broken_utf_16_is_refused_in_one_line_without_its_bytes(take: Take, broken: bytes) -> None:
    content = "\n".join([HEADER, *many()]).encode("utf-16") + broken
    with pytest.raises(feeds.Refused, match=r"2026_header\.csv: not well-formed UTF-16"):
        take("ssda903", {"2026_header.csv": content})


def test_utf_16_may_have_any_character_where_the_start_of_the_file_ends(take: Take) -> None:
    text = "\n".join([HEADER, *many("1,1,01/02/2015,WBRI,\U0001f600" + "\U0001f600" * 70_000 + ",,")]) + "\n"
    for shift in ("", " "):
        taken = take("ssda903", {"2026_header.csv": (shift + text).encode("utf-16")})
        assert taken.loaded["header"].height == 101


def test_a_file_of_nothing_but_ragged_rows_is_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="30 of 30 rows cannot be taken"):
        take("ssda903", header_file(*["1,x"] * 30))


def test_a_broken_byte_costs_its_row_and_not_the_names_of_the_others(take: Take) -> None:
    good = [f"{number},1,01/02/2015,WBRI,Zoë,,".encode() for number in range(100)]
    content = b"\n".join([HEADER.encode(), *good, b"x,1,01/02/2015,WBRI,Zo\xeb,,"]) + b"\n"
    taken = take("ssda903", {"2026_header.csv": content})
    assert taken.loaded["header"]["upn"].unique().to_list() == ["Zoë"]
    assert taken.found("F10") == [("header", (), 102)]


def test_nul_bytes_are_quarantined(take: Take) -> None:
    taken = take("ssda903", header_file(*many("1\x00,1,01/02/2015,WBRI,UN1,,")))
    assert taken.found("F10") == [("header", (), 2)]
    assert "\x00" not in taken.quarantined["raw"].item()


def test_a_quotation_mark_that_is_never_closed_costs_one_row(take: Take) -> None:
    taken = take("ssda903", header_file(*many('1,1,01/02/2015,"WBRI,UN1,,')))
    assert taken.found("F05") == [("header", (), 2)]
    assert taken.loaded["header"].height == 100


@pytest.mark.parametrize("closing", ['9,1,01/02/2015,"WBRI,UN1,,', '9,1,01/02/2015,WBRI,"UN1,,'])
def test_two_quotation_marks_of_different_rows_cost_those_and_none_between(take: Take, closing: str) -> None:
    between = [f"{number},1,01/02/2015,WBRI,UN1,," for number in range(2, 9)]
    taken = take("ssda903", header_file(*many('1,1,01/02/2015,"WBRI,UN1,,', *between, closing)))
    assert taken.found("F05") == [("header", (), 2), ("header", (), 10)]
    assert taken.loaded["header"].height == 107


def test_a_ragged_row_with_a_cell_of_any_length_costs_that_row(take: Take) -> None:
    taken = take("ssda903", header_file(*many(f"1,1,01/02/2015,{'x' * 140_000},UN1,,,,")))
    assert taken.found("F05") == [("header", (), 2)]
    assert taken.rows_in == 101


def test_the_patient_reader_goes_on_where_the_fast_one_stopped(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = many("1,1", "2,1,01/02/2015,WBRI,UN1,,")
    lines.insert(60, f"{'9' * 3000},1,01/02/2015,WBRI,UN1,,")
    expected = take("ssda903", header_file(*lines))
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 1000)
    taken = take("ssda903", header_file(*lines))
    assert taken.loaded["header"].equals(expected.loaded["header"])
    assert taken.quarantined.equals(expected.quarantined)
    assert taken.rows_in == 103


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_line_ends_within_quotes_survive_the_edges_of_blocks(
    take: Take, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 64)
    cells = [f"é{'x' * number}\r\ny" for number in range(30)]
    text = HEADER + "\r\n" + "".join(f'"{cell}",1,01/02/2015,WBRI,UN1,,\r\n' for cell in cells)
    taken = take("ssda903", {"2026_header.csv": text.encode(encoding)})
    assert taken.loaded["header"]["child"].to_list() == cells


def test_a_line_without_end_is_refused(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "LINE_LIMIT", 5000)
    with pytest.raises(feeds.Refused, match="a line is longer"):
        take("ssda903", header_file("\x00" * 6000))


def test_a_file_without_the_header_is_refused_without_quoting_it(take: Take) -> None:
    with pytest.raises(feeds.Refused) as refusal:
        take("ssda903", {"2026_header.csv": "689661,1,11/07/2015,WBRI\n689662,1,11/07/2015,WBRI\n"})
    assert "689661" not in str(refusal.value)
    assert "none of its first 20 rows is the header" in str(refusal.value)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.sampled_from(
    ["", "01/02/2015", "WBRI", "1", '"', ",", "\r\n", "NULL", "=1+1", "\\.", "{}", "\ufeff"]
)
# A record of nothing but blanks is not a row; the first cell keeps these ones from being that.
records = st.lists(
    st.tuples(st.text("abc123\"',", min_size=1, max_size=6), st.lists(cells, min_size=0, max_size=9)), max_size=30
)


def quoted(cell: str) -> str:
    """A cell as RFC 4180 has it."""
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records, st.sampled_from(["\n", "\r\n"]), st.sampled_from([200, 1 << 20]))
def test_any_csv_is_accounted_for_to_the_row(
    tmp_path: Path, rows: list[tuple[str, list[str]]], end: str, block: int
) -> None:
    lines = [HEADER, *(",".join(map(quoted, [first, *rest])) for first, rest in rows)]
    path = tmp_path / "file"
    path.write_bytes("".join(line + end for line in lines).encode())
    before = csv_reader.BLOCK_BYTES
    csv_reader.BLOCK_BYTES = block
    try:
        table = feeds.load("ssda903").table("header")
        chunks = list(csv_reader.read(feeds.examine(path, "2026_header.csv"), table))
    finally:
        csv_reader.BLOCK_BYTES = before
    loaded = pl.concat([chunk.frame for chunk in chunks]) if chunks else pl.DataFrame()
    rejected = [row for chunk in chunks for row in chunk.rejected]
    assert loaded.height + len(rejected) == len(rows)
    for number, first in zip(loaded["_row_number"], loaded["child"], strict=True) if loaded.width else []:
        assert first == rows[number - 2][0]
    for row in rejected:
        first, rest = rows[row.row_number - 2]
        assert json.loads(row.raw) == [first, *rest]
