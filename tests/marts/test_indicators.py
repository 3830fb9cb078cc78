"""The indicators of a built county against what the county itself says."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect


class County(Protocol):
    settings: Settings

    def indicators(self) -> dict[str, dict[str, str]]: ...


def test_every_indicator_has_a_definition_and_every_measure_a_truth(county: County) -> None:
    with connect(county.settings) as connection:
        undefined = connection.execute(
            "select measure from candidate_reference.indicator_measures"
            " left join candidate_reference.indicators using (indicator_code) where definition is null"
        ).fetchall()
        measured = {
            measure for (measure,) in connection.execute("select measure from candidate_reference.indicator_measures")
        }
        defined = connection.execute("select count(*) from candidate_reference.indicators").fetchone()
    assert undefined == []
    assert defined == (88,)
    assert measured == set(county.indicators())
