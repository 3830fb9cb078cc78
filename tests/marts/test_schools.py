"""What the indicators of exclusion, absence and alternative provision count, against what the county itself says."""

from typing import Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect

MEASURES = {
    *("X01_plan", "X01_sen_support", "X02", "X03_plan", "X03_sen_support"),
    *("X04_persistent", "X04_severe", "X05", "X06"),
}

Headline = tuple[str, str, float | None, float | None, float | None]


class County(Protocol):
    settings: Settings

    def truth_of(self, measure: str) -> Headline: ...

    def published(self, family: str) -> dict[str, Headline]: ...


def test_every_measure_is_what_the_county_says(county: County) -> None:
    found = county.published("schools")
    assert set(found) == MEASURES
    assert found == {measure: county.truth_of(measure) for measure in MEASURES}


def test_the_terms_of_a_school_year_make_its_absence(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period_kind, count(*), min(period_from_on), max(period_to_on), sum(numerator), sum(denominator)"
            " from candidate_marts.mart_indicator where measure = 'X03_plan' and geography_type = 'partnership'"
            " and breakdown = 'total' and status = 'ok' group by 1 order by 1"
        ).fetchall()
    (_, *year), (_, *terms) = rows
    assert [row[0] for row in rows] == ["academic_year", "term"]
    assert (year[0], terms[0]) == (1, 3)
    assert terms[1:] == year[1:]


def test_the_suspensions_of_three_terms_make_a_school_year(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select measure, period_kind, count(*), sum(numerator), max(numerator), count(denominator)"
            " from candidate_marts.mart_indicator as term where measure in ('X01_plan', 'X01_sen_support')"
            " and geography_type = 'partnership' and breakdown = 'total' and exists (select from"
            " candidate_marts.mart_indicator as year where year.measure = term.measure and year.is_headline"
            " and term.period_from_on >= year.period_from_on and term.period_to_on <= year.period_to_on)"
            " group by 1, 2 order by 1, 2"
        ).fetchall()
    found = {(measure, kind): counts for measure, kind, *counts in rows}
    for measure in ("X01_plan", "X01_sen_support"):
        periods, suspensions, most, with_pupils = found[measure, "term"]
        assert (periods, with_pupils) == (3, 3)
        assert suspensions == found[measure, "academic_year"][1]
        assert most < suspensions


def test_absence_of_a_term_is_of_its_own_sessions(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select period_to_on, count(*) filter (where numerator = 1), count(*), sum(share) from ("
            "select period_to_on, person_id, numerator, (select (100.0 * sum(coalesce(sessions_absent_authorised, 0)"
            " + coalesce(sessions_absent_unauthorised, 0)) / sum(sessions_possible) >= 10)::int"
            " from candidate_intermediate.int_enrolment__registered as e where e.person_id = absence.person_id"
            " and e.attendance_to_on = period_to_on and sen_provision = 'E' and sessions_possible > 0) as share"
            " from candidate_intermediate.int_indicator__schools as absence join candidate_intermediate.int_period as p"
            " on p.period_kind = absence.period_kind and p.period_to_on = absence.counted_on"
            " where measure = 'X04_persistent' and absence.period_kind = 'term') as term group by 1"
        ).fetchall()
        shown = connection.execute(
            "select period_to_on, numerator, denominator from candidate_marts.mart_indicator where period_kind = 'term'"
            " and measure = 'X04_persistent' and geography_type = 'partnership' and breakdown = 'total'"
        ).fetchall()
    assert len(rows) >= 3
    assert {(day, above, below) for day, above, below, _ in rows} == set(shown)
    assert all(0 < above == again < below for _, above, below, again in rows)


def test_who_enters_alternative_provision_is_of_a_term_that_the_census_tells_of_whole(county: County) -> None:
    with connect(county.settings) as connection:
        ((terms, cases, latest, census, entered),) = connection.execute(
            "select count(distinct period_to_on), sum(denominator), max(period_to_on), (select max(reference_on) from"
            " candidate_intermediate.int_alternative_provision__entered), (select count(*) from"
            " candidate_intermediate.int_indicator__schools where measure = 'X05' and period_kind = 'term')"
            " from candidate_marts.mart_indicator where measure = 'X05' and period_kind = 'term'"
            " and geography_type = 'partnership' and breakdown = 'total'"
        ).fetchall()
    assert terms > 1
    assert cases == entered > 0
    assert latest <= census
