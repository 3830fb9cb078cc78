"""The county that the linkage is measured on is landed, linked and scored, and leaves no database behind."""

from datetime import date
from pathlib import Path

from send_returns.bench.linkage import linkage_figures
from send_returns.identity import pseudonyms
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)


def test_a_county_is_linked_and_scored(database: Settings, tmp_path: Path) -> None:
    simulate(tmp_path, children=200, seed=3, as_of=AS_OF)
    pseudonyms.new(database, pseudonyms.MARTS)
    figures = linkage_figures(database, tmp_path, AS_OF)
    assert figures["records"] == len((tmp_path / "truth" / "record.csv").read_text().splitlines()) - 1
    assert figures["seconds"] > 0
    assert figures["delta_seconds"] > 0
    assert 0 < figures["delta_of_records"] < 0.1
    for name in ("", "exact_numbers_", "multi_pass_"):
        assert 0.9 < figures[f"{name}precision"] <= 1
        assert 0 < figures[f"{name}recall"] < figures[f"{name}recall_where_said"] <= 1
    assert figures["exact_numbers_recall"] < figures["multi_pass_recall"]
    with connect(database) as connection:
        assert connection.execute("select from pg_database where datname = 'bench_scratch'").fetchall() == []
