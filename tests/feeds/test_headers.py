"""Headers as suppliers really send them."""

import pytest

from send_returns.feeds import headers

BY_HEADER = {"uniqueid": "unique_id", "mainestablishmenturn": "urn", "childsname": "name"}


@pytest.mark.parametrize(
    "row",
    [
        "Unique ID,Main establishment – URN,Child's name",
        "unique_id,MAIN ESTABLISHMENT - URN,childs NAME",
        "  Unique\u00a0ID ,Main establishment -URN,Child’s name",
        '"Unique\nID","Main establishment URN","Child`s name"',
    ],
)
def test_spellings_of_one_header_match(row: str) -> None:
    found = headers.find(row + "\n1,2,3\n", BY_HEADER, 3)
    assert found is not None
    assert found.names == ("unique_id", "urn", "name")


def test_title_rows_above_are_passed_over_and_counted_as_a_spreadsheet_does() -> None:
    text = 'Return of the council\n"printed\non 1 May"\n\nUnique ID,Child\'s name\n1,2\n'
    found = headers.find(text, BY_HEADER, 2)
    assert found is not None
    assert found.line == 4
    assert text.removeprefix(found.text) == "1,2\n"


def test_semicolons_and_tabs_are_recognised() -> None:
    for delimiter in (";", "\t", "|"):
        found = headers.find(f"Unique ID{delimiter}Child's name\n", BY_HEADER, 2)
        assert found is not None
        assert found.delimiter == delimiter


def test_unknown_and_repeated_columns_keep_names_of_their_own() -> None:
    found = headers.find("Unique ID,Unique-ID,Notes,,Notes\n", BY_HEADER, 1)
    assert found is not None
    assert found.names == ("unique_id", "+unique_id", "+notes", "+column_4", "+notes_")


def test_a_heading_that_has_taken_rows_in_is_none() -> None:
    assert headers.find('Unique ID,"Child\'s name\n1,2\n3,"4"\n5,6\n', BY_HEADER, 1) is None
    assert headers.find("Unique ID,\"Child's name\n1,2\n", BY_HEADER, 1) is None


def test_a_file_without_such_a_header_has_none() -> None:
    assert headers.find("a,b,c\n1,2,3\n", BY_HEADER, 2) is None
    assert headers.find("", BY_HEADER, 1) is None
