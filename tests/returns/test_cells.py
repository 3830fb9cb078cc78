"""What stands in the place of a number that cannot be shown as it is."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from send_returns.inspection import packing
from send_returns.inspection.child import Table
from send_returns.returns.csv_cells import FORMULA_STARTS, unguarded
from send_returns.returns.indicators import Figure
from send_returns.returns.renderers import area_send_evidence, health_waits, public_scorecard


def _figure(numerator: int | None, denominator: int | None, value: str | None, status: str = "") -> Figure:
    above, below = (None if number is None else Decimal(number) for number in (numerator, denominator))
    return Figure(date(2025, 1, 1), date(2025, 12, 31), above, below, None if value is None else Decimal(value), status)


FEW_OF_MANY = _figure(10, 25_000, "0.0")
NONE_OF_MANY = _figure(0, 25_000, "0.0")
ALL_BUT_FEW = _figure(24_990, 25_000, "100.0")
HIDDEN, UNKNOWN = _figure(None, None, None, "c"), _figure(None, None, None, "x")


def test_what_rounds_to_nought_and_is_not_nought_is_not_shown_as_nought() -> None:
    assert area_send_evidence.numbers(FEW_OF_MANY) == [10, 25_000, "[low]"]
    assert area_send_evidence.numbers(NONE_OF_MANY) == [0, 25_000, 0]
    assert area_send_evidence.numbers(_figure(None, 25_000, "3.2")) == ["[z]", 25_000, Decimal("3.2")]
    assert area_send_evidence.numbers(HIDDEN) == ["[c]"] * 3
    assert (FEW_OF_MANY.text("percent"), NONE_OF_MANY.text("percent")) == ("[low]", "0.0%")
    # A growth of nought is one: both counts are the same.
    assert _figure(25_000, 25_000, "0.0").cell == 0
    assert public_scorecard._symbols(FEW_OF_MANY, "percent") == ["10", "25000", "low", "z"]
    assert public_scorecard._symbols(NONE_OF_MANY, "percent") == ["0", "25000", "0.0", "z"]


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (FEW_OF_MANY, "less than one"),
        (_figure(100, 25_000, "0.4"), "less than one"),
        (NONE_OF_MANY, "0"),
        (_figure(24_900, 25_000, "99.6"), "more than 99"),
        (ALL_BUT_FEW, "more than 99"),
        (_figure(25_000, 25_000, "100.0"), "100"),
        (_figure(24_850, 25_000, "99.4"), "99"),
    ],
)
def test_a_sentence_says_none_or_all_only_where_it_is_so(figure: Figure, said: str) -> None:
    assert public_scorecard._plain(figure, "percent") == said


def test_a_share_says_why_it_is_not_there() -> None:
    assert health_waits._share([_figure(10, None, None)], _figure(20, None, None)) == 50
    assert health_waits._share([HIDDEN, UNKNOWN], _figure(20, None, None)) == "[c]"
    assert health_waits._share([UNKNOWN], _figure(20, None, None)) == "[x]"
    assert health_waits._share([None], _figure(20, None, None)) == "[x]"
    assert health_waits._share([_figure(0, None, None)], _figure(0, None, None)) == "[z]"
    assert health_waits._share([_figure(10, None, None)], _figure(25_000, None, None)) == "[low]"


def test_no_text_of_a_childs_pack_is_run_as_a_formula(tmp_path: Path) -> None:
    texts = [f"{start}1+1" for start in FORMULA_STARTS]
    table = Table("t", "T", [("Text", False), ("Number", True)], [[text, "-1"] for text in texts])
    packing._write_csv(tmp_path / "t.csv", table)
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["Text"], row["Number"]) for row in csv.DictReader(file)]
    assert [(cell[0], unguarded(cell), number) for cell, number in rows] == [("'", text, "-1") for text in texts]
