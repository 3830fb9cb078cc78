"""A simulated county without mess, landed, linked and built: both lists are what the county itself says."""

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from send_returns import feeds, stages
from send_returns.identity import pseudonyms
from send_returns.identity.sources import SOURCES
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse import connect

Cells = list[str]
pytestmark = pytest.mark.slow


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("as_of", [date(2026, 11, 24), date(2027, 5, 31)])
def test_both_lists_are_the_truth(database: Settings, tmp_path: Path, as_of: date) -> None:
    simulate(tmp_path, children=400, seed=as_of.year, as_of=as_of, mess="none")
    for organisation in feeds.ORGANISATIONS:
        stages.land(database, organisation, tmp_path / "inbox", as_of)
    pseudonyms.new(database, pseudonyms.MARTS)
    run_id = stages.open_run(database, as_of)
    stages.link(database, run_id)
    for layer in stages.LAYERS:
        stages.build(database, run_id, layer)

    persons = _persons(database, tmp_path / "truth")
    for number in (1, 2):
        truth = _read(tmp_path / "truth" / f"list_{number}.csv")
        columns = [column for column in truth[0] if column != "person"]
        found = _found(database, number, columns)
        assert len(truth) > 50
        assert len(found) == len(truth)
        for row in truth:
            expected = [row[column] for column in columns]
            matched = [found[person_id] for person_id in persons[row["person"]] if person_id in found]
            assert matched == [expected], f"List {number}, person {row['person']}"


def _persons(settings: Settings, truth: Path) -> dict[str, set[str]]:
    """The person ids that the records of each true person were linked to."""
    with connect(settings) as connection:
        links = {
            (name, table, row): person
            for name, table, row, person in connection.execute(
                "select name, table_name, row_number, person_id"
                " from identity.link join landing.delivery using (delivery_id)"
            )
        }
    persons: dict[str, set[str]] = defaultdict(set)
    linked = {source.table for source in SOURCES}
    for record in _read(truth / "record.csv"):
        if record["table_name"] not in linked:
            continue
        persons[record["person"]].add(links[record["delivery"], record["table_name"], int(record["row_number"])])
    return persons


def _found(settings: Settings, number: int, columns: list[str]) -> dict[str, Cells]:
    query = f"select person_id, {', '.join(columns)} from candidate_returns.return_annex_a__list_{number}"
    with connect(settings) as connection:
        return {row[0]: ["" if cell is None else str(cell) for cell in row[1:]] for row in connection.execute(query)}
