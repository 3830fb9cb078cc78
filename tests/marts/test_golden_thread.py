"""The golden thread through a built county: whole where nothing is lost, and torn where one place forgets a child."""

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from send_returns import screen, stages
from send_returns.settings import Settings
from send_returns.warehouse import connect

Checks = dict[tuple[str, str], tuple[int | None, int, bool | None]]


class County(Protocol):
    settings: Settings
    run_id: str
    truth: Path


def checks(settings: Settings) -> Checks:
    with connect(settings) as connection:
        rows = connection.execute(
            "select check_code, part, expected, found, is_met from candidate_marts.mart_golden_thread"
        ).fetchall()
    return {(code, part): (expected, found, is_met) for code, part, expected, found, is_met in rows}


def listed(folder: Path, number: int) -> int:
    with (folder / f"list_{number}.csv").open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def test_nothing_of_the_county_is_lost_on_the_way(county: County) -> None:
    found = checks(county.settings)
    plans, support = listed(county.truth, 1), listed(county.truth, 2)
    assert found["GT01", "all"] == found["GT02", "all"] == (plans, plans, True)
    assert found["GT03", "all"] == (support, support, True)
    assert sum(number for (code, _), (_, number, _) in found.items() if code == "GT06") == plans
    assert {is_met for (code, _), (_, _, is_met) in found.items() if code != "GT07"} == {True}
    assert found["GT07", "return_annex_a__list_1"] == (None, plans, None)


def test_a_child_whom_one_place_forgets_tears_it(
    county: County, copy_of: Callable[[Settings, Path], AbstractContextManager[Settings]], tmp_path: Path
) -> None:
    before = checks(county.settings)
    plans = before["GT01", "all"][1]
    with copy_of(county.settings, tmp_path / "home") as settings:
        with connect(settings) as connection:
            # SEN2 loses one plan; the register of home education, the census and the providers lose all their children.
            connection.execute(
                "delete from candidate_intermediate.int_plan__reviewed where person_id ="
                " (select min(person_id) from candidate_intermediate.int_plan__active)"
            )
            connection.execute("delete from candidate_intermediate.int_home_education__registered")
            connection.execute("update candidate_intermediate.int_census__dated set is_latest = false")
            connection.execute("update candidate_intermediate.int_health_referral set ended_on = received_on")
            # The last release had many more children.
            connection.execute(
                "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
                " select 'last', partnership, as_of, mode, code_version, manifest_sha256, 'passed'"
                " from audit.run where run_id = %s",
                [county.run_id],
            )
            connection.execute(
                "insert into audit.live (partnership, run_id) values (%s, 'last')", [settings.partnership]
            )
            for node, rows in (
                ("return_annex_a__list_1", plans * 2),
                ("return_annex_a__list_2", None),
                ("dim_child", 1),
            ):
                connection.execute(
                    "insert into audit.model_result"
                    " (run_id, layer, node, resource_type, status, seconds, rows_affected)"
                    " values ('last', 'returns', %s, 'model', 'success', 0, %s)",
                    [node, rows or before["GT07", node][1]],
                )
            # What was changed by hand is seen by a build of everything.
            connection.execute("update audit.run set mode = 'full' where run_id = %s", [county.run_id])
        stages.build(settings, county.run_id, "returns")
        after = checks(settings)
        with connect(settings) as connection:
            # What is not live is not shown to anyone.
            assert screen.torn(connection, county.run_id) == []
            connection.execute("alter schema candidate_marts rename to marts")
            connection.execute("update audit.live set run_id = %s", [county.run_id])
            named = screen.torn(connection, county.run_id)
    assert after["GT01", "all"] == (plans, plans - 1, False)
    assert after["GT03", "all"][1:] == (0, False)
    assert after["GT04", "all"][1:] == (0, False)
    assert after["GT05", "all"][1:] == (0, False)
    assert after["GT06", "ASD"][2] is not None
    assert sum(expected or 0 for (code, _), (expected, _, _) in after.items() if code == "GT06") == plans - 1
    assert {is_met for (code, _), (_, _, is_met) in after.items() if code == "GT06"} == {True, False}
    assert after["GT07", "return_annex_a__list_1"] == (plans * 2, plans, False)
    assert after["GT07", "return_annex_a__list_2"][2] is True
    assert after["GT07", "dim_child"][2] is False
    assert after["GT07", "fct_indicator_case"][2] is None
    assert [check.partition(" ")[0] for check, _ in named] == ["GT01", "GT03", "GT04", "GT05", "GT06", "GT07"]
    assert named[0] == ("GT01 Children on List 1 are in SEN2", 1)
