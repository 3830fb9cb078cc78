"""The baseline does what dbt does: a psql run of the compiled SQL leaves the same lists."""

import pytest

from send_returns.bench import dbt as bench
from send_returns.settings import Settings
from send_returns.warehouse import connect


def _lists(settings: Settings) -> list[list[tuple[object, ...]]]:
    with connect(settings) as connection:
        return [
            connection.execute(f"select * from candidate_returns.return_annex_a__list_{number} order by 2").fetchall()
            for number in (1, 2)
        ]


def test_the_baseline_leaves_what_dbt_leaves(copy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "REPEATS", 1)
    built = _lists(copy)
    measured = bench.dbt_ratio(copy, "r1")
    assert measured["seconds"] > 0
    assert measured["ratio"] == pytest.approx(measured["seconds"] / measured["baseline_seconds"], rel=0.01)
    assert [len(rows) for rows in built] == [3, 2]
    assert _lists(copy) == built
