import string
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from send_returns import layouts
from send_returns.quality.lists import find_header, heading_key, read_list

LAYOUT = layouts.load("area_send_annex_a", date(2026, 10, 31)).lists[0]


def _read(cells: list[Any], heading: str = "Date of birth") -> pl.DataFrame:
    """One column read with a Unique ID beside it, so that no row is blank."""
    return read_list([["Unique ID", heading], *([f"c{n}", cell] for n, cell in enumerate(cells))], LAYOUT).frame


@pytest.mark.parametrize(
    "cell",
    [
        "29/02/2012",
        " 29/02/2012\u00a0",
        "29-02-2012",
        "29.2.2012",
        "29/02/2012 00:00:00",
        "2012-02-29",
        "2012-02-29T00:00:00Z",
        "2012-02-29 00:00:00.000",
        "2012/2/29",
        "40968",
        "40968.0",
        40968,
        40968.75,
        date(2012, 2, 29),
        datetime(2012, 2, 29, 23, 59),  # noqa: DTZ001 - a spreadsheet knows no time zone
    ],
)
def test_a_date_is_read_however_it_is_kept(cell: object) -> None:
    frame = _read([cell])
    assert frame["date_of_birth_on"].to_list() == [date(2012, 2, 29)]
    assert frame["date_of_birth_on__unreadable"].to_list() == [False]


@pytest.mark.parametrize(
    "cell",
    ["31/02/2012", "02/29/2012", "29/02/12", "2012", 2012, "soon", "?", True, time(9), "-40968", 1e300, "1/1/20121"],
)
def test_a_date_that_cannot_be_read_is_not_missing(cell: object) -> None:
    frame = _read([cell])
    assert frame["date_of_birth_on"].to_list() == [None]
    assert frame["date_of_birth_on__unreadable"].to_list() == [True]


@pytest.mark.parametrize("cell", ["", "  ", "\u00a0", None, "NULL", "null", " N/A ", "n/a", "\t\n"])
def test_missing_is_blank_null_or_not_applicable(cell: object) -> None:
    frame = _read([cell])
    assert frame["date_of_birth_on"].to_list() == [None]
    assert frame["date_of_birth_on__unreadable"].to_list() == [False]


@pytest.mark.parametrize(
    ("cell", "number", "unreadable"),
    [
        (2.0, 2, False),
        ("3 ", 3, False),
        ("1.5", None, True),
        ("two", None, True),
        ("nan", None, True),
        ("", None, False),
    ],
)
def test_a_whole_number_is_read_or_said_to_be_unreadable(cell: object, number: int | None, unreadable: bool) -> None:
    frame = _read([cell], "Suspensions")
    assert frame["suspensions"].to_list() == [number]
    assert frame["suspensions__unreadable"].to_list() == [unreadable]


def test_a_percentage_may_carry_its_sign() -> None:
    assert _read(["12.5%", 7.5, "8 %"], "Absence")["absence_pct"].to_list() == [12.5, 7.5, 8.0]


def test_an_identifier_kept_as_a_number_has_no_decimals() -> None:
    assert _read([123456.0, 123456, "123456"], "ULN")["uln"].to_list() == ["123456"] * 3


def test_rows_keep_the_numbers_that_the_spreadsheet_shows() -> None:
    rows = [["Our return"], [], ["Unique ID", "Date of birth"], ["a", ""], ["", ""], [" ", None], ["b", "x"], ["", ""]]
    read = read_list(rows, LAYOUT)
    assert read.header_row == 3
    assert read.frame.select("row_number", "unique_id").rows() == [(4, "a"), (7, "b")]


def test_a_row_of_only_an_unreadable_date_is_a_row() -> None:
    assert read_list([["Unique ID", "Date of birth"], ["", "soon"]], LAYOUT).frame.height == 1


def test_missing_and_repeated_columns_are_named() -> None:
    headings = [column.heading for column in LAYOUT.columns if column.name != "upn"]
    read = read_list([[*headings, "gender "], [f"{n}" for n in range(len(headings))]], LAYOUT)
    assert read.missing == ("upn",)
    assert read.repeated == ("gender",)
    assert read.frame["gender"].to_list() == [str(headings.index("Gender"))]


def test_a_sheet_without_a_header_has_every_column_missing() -> None:
    for rows in ([], [[]], [["some", "notes"]], [["x"]] * 40 + [["Unique ID"]]):
        read = read_list(rows, LAYOUT)
        assert (read.header_row, len(read.missing), read.frame.height) == (None, 21, 0)


DASHES, SPACES, QUOTES = "–-—‐‑−", [" ", "\u00a0", "  ", "\u2007"], "'’‘`"


@st.composite
def _messy_heading(draw: st.DrawFn, heading: str) -> str:
    text = "".join(draw(st.sampled_from((letter.lower(), letter.upper()))) for letter in heading)
    for kept, instead in (("–", DASHES), (" ", SPACES), ("'", QUOTES)):
        text = text.replace(kept, draw(st.sampled_from(instead)))
    return draw(st.sampled_from(("", " ", "\u00a0", "\n"))) + text + draw(st.sampled_from(("", " ", "\u00a0")))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are busy
@given(st.data())
def test_headings_are_known_in_any_dress(data: st.DataObject) -> None:
    headings = [data.draw(_messy_heading(column.heading)) for column in LAYOUT.columns]
    order = data.draw(st.permutations(range(len(headings))))
    titles = data.draw(st.lists(st.lists(st.sampled_from(["", "Area SEND", "Confidential"]), max_size=3), max_size=5))
    rows = [*titles, [headings[place] for place in order], [f"{place}" for place in order]]
    read = read_list(rows, LAYOUT)
    assert read.missing == ()
    assert read.header_row == len(titles) + 1
    assert read.frame["unique_id"].to_list() == ["0"]
    assert read.frame["main_establishment_urn"].to_list() == ["10"]


_DAYS = st.dates(date(1930, 1, 1), date(2100, 12, 31))
_WRITERS = (
    lambda day: day,
    lambda day: datetime(day.year, day.month, day.day),  # noqa: DTZ001
    lambda day: day.strftime("%d/%m/%Y"),
    lambda day: f"{day.day}/{day.month}/{day.year}",
    lambda day: day.isoformat(),
    lambda day: (day - date(1899, 12, 30)) // timedelta(days=1),
    lambda day: str((day - date(1899, 12, 30)).days),
)


@given(st.lists(st.tuples(_DAYS, st.sampled_from(_WRITERS)), min_size=1, max_size=30))
def test_any_mixture_of_dates_in_one_column_is_read(cells: list[tuple[date, Any]]) -> None:
    frame = _read([write(day) for day, write in cells])
    assert frame["date_of_birth_on"].to_list() == [day for day, _ in cells]


_CELLS = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.floats(),
    st.integers(-(10**12), 10**12),
    st.booleans(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
)


@given(st.lists(st.lists(_CELLS, max_size=25), max_size=12))
def test_no_sheet_whatever_it_holds_makes_the_reader_fail(rows: list[list[object]]) -> None:
    headings = [column.heading for column in LAYOUT.columns]
    read = read_list([headings, *rows], LAYOUT)
    assert read.header_row == 1
    assert read.frame.height <= len(rows)
    days = read.frame["date_of_birth_on"]
    assert not (days.is_not_null() & read.frame["date_of_birth_on__unreadable"]).any()


@given(st.text(string.printable, max_size=40))
def test_a_heading_key_is_stable(text: str) -> None:
    assert heading_key(heading_key(text)) == heading_key(text)


def test_the_header_is_the_row_with_most_headings() -> None:
    headings = [column.heading for column in LAYOUT.columns]
    assert find_header([["Gender"], [], headings, ["UPN"]], LAYOUT) == 2
