"""The indicators of a built county against what the county itself says."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import connect

# What no life tells: when a feed came and which rows were refused. The models' own unit tests hold these two.
NOT_OF_THE_COUNTY = ("G01", "G02")


class County(Protocol):
    settings: Settings

    def indicators(self) -> dict[str, dict[str, str]]: ...


@pytest.fixture(scope="module")
def headlines(county: County) -> dict[str, dict[str, object]]:
    with connect(county.settings) as connection:
        cursor = connection.execute("select * from candidate_marts.mart_indicator where is_headline")
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert len({row["measure"] for row in rows}) == len(rows)
    return {row["measure"]: row for row in rows}


# With the mess that suppliers send by accident, a number of cases may differ from the truth by so many, by such a share
# of itself, or by such a share of what it is divided by: fields left empty (one review in twelve does not say whether
# the child took part, one exclusion in twenty not what provision the child had) cannot be counted; six rows in a
# hundred thousand are in quarantine; a few records are linked to nobody or to another child.
CASES, SHARE, SHARE_BELOW = 3, 0.1, 0.01


def number(text: object) -> float | None:
    return None if text in (None, "") else float(str(text))


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


def test_every_measure_has_its_headline_and_is_what_the_county_says(
    county: County, headlines: dict[str, dict[str, object]]
) -> None:
    truth = county.indicators()
    assert set(headlines) == set(truth)
    wrong = {}
    for measure, row in truth.items():
        found = headlines[measure]
        said = {
            "period": (row["period_from"], row["period_to"]),
            "status": row["status"],
            "value": number(row["value"]),
        }
        has = {
            "period": (str(found["period_from_on"]), str(found["period_to_on"])),
            "status": found["status"],
            "value": number(found["value"]),
        }
        if row["status"] == "ok":
            said |= {"numerator": number(row["numerator"]), "denominator": number(row["denominator"])}
            has |= {"numerator": number(found["numerator"]), "denominator": number(found["denominator"])}
        if said != has and measure not in NOT_OF_THE_COUNTY:
            wrong[measure] = (said, has)
    assert wrong == {}


def test_realistic_mess_moves_a_number_no_further_than_what_cannot_be_read(
    new_county: Callable[[str], AbstractContextManager[County]],
) -> None:
    with new_county("realistic") as messy:
        truth = messy.indicators()
        with connect(messy.settings) as connection:
            rows = connection.execute(
                "select measure, numerator::float, denominator::float, status from candidate_marts.mart_indicator"
                " where is_headline"
            ).fetchall()
    assert {measure for measure, *_ in rows} == set(truth)
    moved, further = 0, {}
    for measure, above, below, status in rows:
        # H08 is made of medians, not of numbers of cases.
        if measure in (*NOT_OF_THE_COUNTY, "H08"):
            continue
        said = [number(truth[measure][name]) for name in ("numerator", "denominator")]
        if truth[measure]["status"] != status:
            further[measure] = (truth[measure]["status"], status)
        if status != "ok":
            continue
        moved += said != [above, below]
        for wanted, found in zip(said, (above, below), strict=True):
            room = max(CASES, SHARE * (wanted or 0), SHARE_BELOW * (said[1] or 0))
            if (wanted is None) != (found is None) or abs((wanted or 0) - (found or 0)) > room:
                further[measure] = (said, (above, below))
    assert further == {}
    # Else this held nothing.
    assert moved >= 10
