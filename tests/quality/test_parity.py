"""The gate over Postgres and `check` over a workbook of the same rows: the same rules, so the same findings."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from send_returns import layouts
from send_returns.layouts import Column
from send_returns.quality import gating
from send_returns.quality.check import check
from send_returns.settings import Settings

AS_OF = date(2026, 10, 31)
LAYOUT = layouts.load("area_send_annex_a", AS_OF)

_DATES = st.none() | st.dates(date(1999, 1, 1), date(2027, 12, 31)) | st.sampled_from([date(2000, 2, 29), AS_OF])
_IDENTIFIERS = st.none() | st.sampled_from(["A1", "a1", "A2", "B7", "b7", "C3"])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "upn": _IDENTIFIERS,
    "uln": _IDENTIFIERS,
    "date_of_birth_on": _DATES,
    "initial_plan_issued_on": _DATES,
    "updated_plan_issued_on": _DATES,
    "plan_last_reviewed_on": _DATES,
    "main_establishment_urn": st.none() | st.just("100001"),
    "social_care_team": st.none(),
    "suspensions": st.none() | st.integers(0, 9),
    "permanent_exclusions": st.none() | st.integers(0, 2),
    "absence_pct": st.none() | st.integers(0, 1000).map(lambda tenths: tenths / 10),
}


def _cells(column: Column) -> st.SearchStrategy[Any]:
    if column.name in _VALUES:
        return _VALUES[column.name]
    wordings = list(column.categories.values())
    return st.sampled_from([None, "x", wordings[0].upper(), *wordings])


_ROWS = [
    st.lists(
        st.fixed_dictionaries({column.name: _cells(column) for column in a_list.columns if column.name != "unique_id"}),
        min_size=1,
        max_size=30,
    )
    for a_list in LAYOUT.lists
]
Row = dict[str, Any]


def _fill(connection: psycopg.Connection, lists: Sequence[Sequence[Row]]) -> None:
    for a_list, rows in zip(LAYOUT.lists, lists, strict=True):
        connection.execute(f"truncate candidate_returns.{a_list.model}".encode())
        for row in rows:
            columns = ", ".join(row)
            slots = ", ".join(["%s"] * len(row))
            statement = f"insert into candidate_returns.{a_list.model} (person_id, {columns}) values (%s, {slots})"
            connection.execute(statement.encode(), [row["unique_id"], *row.values()])


def _write(path: Path, lists: Sequence[Sequence[Row]]) -> None:
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy"}) as book:
        for a_list, rows in zip(LAYOUT.lists, lists, strict=True):
            sheet = book.add_worksheet(a_list.name)
            sheet.write_row(0, 0, [column.heading for column in a_list.columns])
            for number, row in enumerate(rows, start=1):
                for place, column in enumerate(a_list.columns):
                    if row[column.name] is not None:
                        sheet.write(number, place, row[column.name])


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.tuples(*_ROWS))
def test_the_gate_and_check_find_the_same_in_the_same_rows(
    candidate: Settings, connection: psycopg.Connection, tmp_path: Path, lists: tuple[list[Row], ...]
) -> None:
    numbered = [
        [{**row, "unique_id": f"U{number}{place:02d}"} for place, row in enumerate(rows)]
        for number, rows in enumerate(lists)
    ]
    _fill(connection, numbered)
    gating.judge(candidate, "r1")
    rules = {rule.code for rule in gating.rules.load(AS_OF, "check")}
    recorded = connection.execute("select rule, row_number from audit.finding where row_number is not null").fetchall()
    by_gate = {(rule, row) for rule, row in recorded if rule in rules}

    path = tmp_path / "return.xlsx"
    _write(path, numbered)
    by_check = {(found.rule, row) for found in check([path], None, AS_OF).findings for row in found.rows}

    assert by_gate == by_check
