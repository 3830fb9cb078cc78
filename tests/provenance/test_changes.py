"""How two packs differ, in counts: of lists, of an XML, and of figures."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from send_returns.publication import changes
from send_returns.releases.register import Change

LIST = "Unique ID,Gender,Suspensions\r\n"


def _pack(folder: Path, rows: str, people: str = "") -> Path:
    folder.mkdir()
    (folder / "List_1.csv").write_text(LIST + rows, encoding="utf-8-sig", newline="")
    (folder / "rules.csv").write_text("rule,outcome\r\n" + str(len(rows)), encoding="utf-8-sig")
    (folder / "SEN2.xml").write_text(f"<M><Header><Year>{len(people)}</Year></Header>{people}</M>", encoding="utf-8")
    return folder


def test_rows_come_leave_and_change_by_column(tmp_path: Path) -> None:
    before = _pack(tmp_path / "a", "P1,a) Male,0\r\nP2,b) Female,1\r\nP3,b) Female,0\r\n")
    now = _pack(tmp_path / "b", "P2,a) Male,2\r\nP3,b) Female,0\r\nP4,b) Female,0\r\nP9,b) Female,1\r\n")
    assert changes.between(before, now) == [
        Change("List_1", "", "added", 2),
        Change("List_1", "", "removed", 1),
        Change("List_1", "Gender", "changed", 1),
        Change("List_1", "Suspensions", "changed", 1),
    ]
    assert changes.between(before, before) == []


def test_a_list_that_only_one_pack_has_comes_or_leaves_whole(tmp_path: Path) -> None:
    before, now = _pack(tmp_path / "a", "P1,a) Male,0\r\n"), _pack(tmp_path / "b", "P1,a) Male,0\r\n")
    (now / "List_2.csv").write_text(LIST + "P5,a) Male,0\r\nP6,a) Male,0\r\n", encoding="utf-8-sig", newline="")
    assert changes.between(before, now) == [Change("List_2", "", "added", 2)]
    assert changes.between(now, before) == [Change("List_2", "", "removed", 2)]


def test_records_of_an_xml_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    person = "<Person><UPN>{}</UPN><Plan><Start>{}</Start></Plan></Person>"
    before = _pack(tmp_path / "a", "", person.format("A1", "2020") + person.format("A2", "2021"))
    now = _pack(tmp_path / "b", "", person.format("A2", "2022") + person.format("A1", "2020") + "<Person/>" * 7)
    assert changes.between(before, now) == [Change("Plan", "", "added", 1), Change("Plan", "", "removed", 1)]


def _figures(*rows: tuple[str, str, int | None, str]) -> pl.DataFrame:
    """Figures of a measure for the whole or a part, each with its numerator and status."""
    day = date(2026, 9, 30)
    return pl.DataFrame(
        [
            {
                "return_table": "statistics", "measure": measure, "period_kind": "month", "period_from_on": None,
                "period_to_on": day, "geography_code": "herts", "breakdown": "sex", "breakdown_value": part,
                "numerator": above, "denominator": 50, "value": None, "status": status,
            }
            for measure, part, above, status in rows
        ],
        schema_overrides={"period_from_on": pl.Date, "numerator": pl.Int64, "value": pl.Float64},
    )  # fmt: skip


@pytest.mark.parametrize("is_turned", [False, True])
def test_figures_of_a_measure_come_leave_and_are_shown_otherwise(is_turned: bool) -> None:
    before = _figures(("EHC01", "M", 10, ""), ("EHC01", "F", 15, ""), ("T01", "M", None, "c"), ("H02", "M", 5, ""))
    now = _figures(("EHC01", "M", 20, ""), ("EHC01", "F", 15, ""), ("T01", "M", 10, ""), ("H03", "M", 5, ""))
    came, left = ("removed", "added") if is_turned else ("added", "removed")
    found = changes.of_figures(*((now, before) if is_turned else (before, now)))
    assert {(one.measure, one.kind, one.count) for one in found} == {
        ("EHC01", "changed", 1),
        ("T01", "changed", 1),
        ("H02", left, 1),
        ("H03", came, 1),
    }
