"""Health waits, spells, clocks and indicators of a built county against what the county itself says."""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, LiteralString, Protocol

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = (
    "H01", "H02_over_18_weeks", "H02_over_4_weeks", "H02_over_52_weeks", "H03_routine", "H03_urgent", "H04",
    "H05_diagnosis", "H05_first_contact", "H06_over_18_weeks", "H06_over_52_weeks", "H07", "H08", "H09", "H10", "H11",
    "H12", "H13", "H14", "H15",
)  # fmt: skip
FACTS = (
    "fct_dynamic_support", "fct_health_advice", "fct_health_contact", "fct_health_diagnosis",
    "fct_health_notification", "fct_health_referral_spell", "fct_health_wait",
)  # fmt: skip

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings
    inbox: Any

    def truth_of(self, measure: str) -> Headline: ...


def _rows(county: County, query: LiteralString) -> list[tuple[Any, ...]]:
    with connect(county.settings) as connection:
        return connection.execute(query).fetchall()


def _sent(county: County, feed: str, table: str) -> Iterator[dict[str, str]]:
    """The rows of a table in all deliveries of a feed, the latest delivery last."""
    for path in sorted((county.inbox / "icb" / feed).rglob(f"{table}.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


@pytest.fixture(scope="module")
def found(county: County) -> dict[str, Headline]:
    """The headline of every measure of health."""
    rows = _rows(
        county,
        "select measure, period_from_on::text, period_to_on::text, numerator::float, denominator::float, value::float"
        " from candidate_marts.mart_indicator where is_headline and indicator_code like 'H%'",
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_what_the_county_says(county: County, found: dict[str, Headline], measure: str) -> None:
    start, end, above, below, value = county.truth_of(measure)
    if value is None:  # nothing to count: no row, so no nought
        above = below = None
    assert found[measure] == (start, end, above, below, value)


def test_no_measure_is_left_out(found: dict[str, Headline]) -> None:
    assert sorted(found) == sorted(MEASURES)
    assert sum(value is not None for *_, value in found.values()) >= 16


def test_the_waits_of_the_marts_are_those_of_the_indicators(county: County) -> None:
    ((speech, speech_in_time, long, waiting, autism),) = _rows(
        county,
        "select count(*) filter (where service = 'speech_and_language'),"
        " count(*) filter (where service = 'speech_and_language' and waiting_band_position <= 5),"
        " count(*) filter (where data_set = 'csds' and waiting_band = 'over 52 weeks'),"
        " count(*) filter (where data_set = 'csds'),"
        " count(*) filter (where pathway = 'autism' and is_past_limit)"
        " from candidate_marts.fct_health_wait where snapshot_on = as_of_on",
    )
    assert (speech_in_time, speech) == county.truth_of("H09")[2:4]
    assert (long, waiting) == county.truth_of("H10")[2:4]
    assert autism == county.truth_of("H04")[2]
    ((running,),) = _rows(
        county,
        "select count(*) from candidate_marts.fct_health_referral_spell"
        " where is_of_help and is_open and help_started_on is null",
    )
    assert running == county.truth_of("H02_over_4_weeks")[3]


def test_every_month_end_is_there_with_its_bands(county: County) -> None:
    rows = _rows(
        county,
        "select snapshot_on, as_of_on, min(days_waited), max(days_waited), count(district_code), count(*)"
        " from candidate_marts.fct_health_wait group by 1, 2 order by 1",
    )
    as_of = rows[-1][1]
    days = [row[0] for row in rows]
    assert len(days) == 25
    assert days[-1] == as_of
    assert all((day + timedelta(days=1)).day == 1 for day in days[:-1])
    # Everybody lives somewhere, and nobody waits for less than nothing.
    assert all(least >= 0 and placed == count for _, _, least, _, placed, count in rows)
    unbanded = _rows(
        county,
        "select count(*) from candidate_marts.fct_health_wait as wait"
        " left join candidate_reference.waiting_bands as band on wait.waiting_band = band.band"
        " where band.band is null or days_waited not between days_from and coalesce(days_to, days_waited)",
    )
    assert unbanded == [(0,)]


def test_a_referral_that_was_submitted_every_year_is_one_referral(county: County) -> None:
    sent = Counter(
        (row["ORGANISATION IDENTIFIER (CODE OF PROVIDER)"], row["SERVICE REQUEST IDENTIFIER"])
        for row in _sent(county, "csds", "CYP101Referral")
    )
    assert max(sent.values()) >= 2
    assert _rows(county, "select count(*) from candidate_intermediate.int_health_referral where data_set = 'csds'") == [
        (len(sent),)
    ]


def test_every_contact_is_there_once(county: County) -> None:
    sent = Counter(
        attended in ("5", "6")
        for feed, table, column in (
            ("csds", "CYP201CareContact", "ATTENDED OR DID NOT ATTEND CODE"),
            ("mhsds", "MHS201CareContact", "AttendStatus"),
        )
        for attended in (row[column] for row in _sent(county, feed, table))
    )
    assert _rows(
        county,
        "select is_attended, count(*) from candidate_marts.fct_health_contact group by 1 order by 1",
    ) == sorted(sent.items())


def test_the_clocks_of_health_agree_with_the_indicators(county: County) -> None:
    rows = _rows(
        county,
        "select clock, outcome, count(*) from candidate_marts.fct_clock"
        " where clock between 'CLK27' and 'CLK30' group by 1, 2",
    )
    outcomes = {(clock, outcome): count for clock, outcome, count in rows}
    overdue = {
        clock: (waiting, left)
        for clock, waiting, left in _rows(
            county,
            "select clock, count(*) filter (where ended_on is null), count(*) filter (where ended_on > due_on)"
            " from candidate_intermediate.int_clock__health join ("
            " select referral_key as subject_id, ended_on from candidate_intermediate.int_health_referral"
            " union all select spell_key, ended_on from candidate_intermediate.int_health_spell) as awaited"
            " using (subject_id) where stopped_on is null and due_on < date '2026-10-30' group by 1",
        )
    }
    # Of suspected autism, who is overdue is who waits for over 13 weeks, and who left after them unseen.
    assert overdue["CLK27"][0] == county.truth_of("H04")[2]
    assert overdue["CLK28"][0] == county.truth_of("H02_over_4_weeks")[2]
    for clock in ("CLK27", "CLK28"):
        assert overdue[clock][1] > 0
        assert outcomes[clock, "overdue"] == sum(overdue[clock])
    assert {clock for clock, _ in outcomes} == {"CLK27", "CLK28", "CLK29"}


@pytest.mark.parametrize("fact", FACTS)
def test_every_row_is_of_a_child_that_the_marts_know(county: County, fact: str) -> None:
    with connect(county.settings) as connection:
        ((rows, strangers),) = connection.execute(
            f"select count(*), count(*) filter (where child.child_key is null) from candidate_marts.{fact} as fact"
            " left join candidate_marts.dim_child as child on fact.child_key = child.child_key"
        ).fetchall()
    assert rows > 0
    assert strangers == 0


def test_no_mart_tells_what_is_after_the_reporting_date(county: County) -> None:
    latest = _rows(
        county,
        "select max(day), max(as_of_on) from ("
        "select greatest(started_on, ended_on, first_contact_on, second_contact_on, help_started_on) as day, as_of_on"
        " from candidate_marts.fct_health_referral_spell"
        " union all select contact_on, as_of_on from candidate_marts.fct_health_contact"
        " union all select diagnosed_on, as_of_on from candidate_marts.fct_health_diagnosis"
        " union all select greatest(notified_on, replied_on), as_of_on from candidate_marts.fct_health_notification"
        ") as days",
    )
    ((day, as_of),) = latest
    assert date(2026, 1, 1) < day <= as_of
