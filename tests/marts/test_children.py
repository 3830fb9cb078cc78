"""The children of the marts, against what the county itself says and against each other."""

from typing import Any, Protocol

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import connect


class County(Protocol):
    settings: Settings


def _ask(county: County, query: str) -> list[tuple[Any, ...]]:
    with connect(county.settings) as connection:
        return connection.execute(query).fetchall()


def test_every_listed_child_is_there_once_and_nobody_whom_only_the_census_knows_without_sen(county: County) -> None:
    [(children, plans, supported)] = _ask(
        county,
        "select count(*), count(*) filter (where has_plan), count(*) filter (where has_sen_support)"
        " from candidate_marts.dim_child",
    )
    [(listed_1, listed_2)] = _ask(
        county,
        "select (select count(*) from candidate_returns.return_annex_a__list_1),"
        " (select count(*) from candidate_returns.return_annex_a__list_2)",
    )
    assert (plans, supported) == (listed_1, listed_2)
    assert plans > 500
    [(unknown, without_sen)] = _ask(
        county,
        "with person as (select person_id, bool_and(table_name = 'school_census__pupilonroll') as only_census"
        " from identity.link group by 1),"
        " sen as (select distinct link.person_id from identity.link"
        " join raw_council.school_census__pupilonroll as pupil"
        " on (link.delivery_id, link.row_number) = (pupil._delivery_id, pupil._row_number)"
        " where link.table_name = 'school_census__pupilonroll' and pupil.senprovision in ('E', 'K'))"
        " select count(*) filter (where not only_census and child.child_key is null),"
        " count(*) filter (where only_census and sen.person_id is null and child.child_key is not null)"
        " from person left join sen using (person_id) join identity.child_key as pseudonym using (person_id)"
        " left join candidate_marts.dim_child as child using (child_key)",
    )
    assert (unknown, without_sen) == (0, 0)
    [(pupils,)] = _ask(county, "select count(*) from identity.person")
    assert children < pupils / 2


@pytest.mark.parametrize(
    "column",
    ["has_plan", "has_sen_support", "is_looked_after", "has_child_protection_plan", "is_child_in_need"],
)
def test_the_history_ends_with_what_is_true_now(county: County, column: str) -> None:
    [(differing, true)] = _ask(
        county,
        f"select count(*) filter (where child.{column} <> coalesce(history.{column}, false)),"
        f" count(*) filter (where child.{column}) from candidate_marts.dim_child as child"
        " left join candidate_marts.dim_child_history as history"
        " on child.child_key = history.child_key and history.is_current",
    )
    assert differing == 0
    assert true > 10


@pytest.mark.parametrize("column", ["placement_type", "establishment_urn"])
def test_the_history_ends_at_the_setting_of_now(county: County, column: str) -> None:
    [(differing, known)] = _ask(
        county,
        f"select count(*) filter (where child.{column} is distinct from history.{column}), count(child.{column})"
        " from candidate_marts.dim_child as child left join candidate_marts.dim_child_history as history"
        " on child.child_key = history.child_key and history.is_current where child.has_plan or child.has_sen_support",
    )
    assert differing == 0
    assert known > 500


def test_stretches_follow_each_other_without_gap_and_differ(county: County) -> None:
    [(stretches, gaps, backwards, current)] = _ask(
        county,
        "with follows as (select *, lead(valid_from_on) over (partition by child_key order by valid_from_on) as next_on"
        " from candidate_marts.dim_child_history)"
        " select count(*), count(*) filter (where valid_to_on + 1 is distinct from next_on),"
        " count(*) filter (where valid_to_on < valid_from_on), count(*) filter (where is_current) from follows",
    )
    assert (gaps, backwards) == (0, 0)
    [(children,)] = _ask(county, "select count(distinct child_key) from candidate_marts.dim_child_history")
    assert current == children < stretches


def test_the_calendar_is_whole_years_without_gap_and_knows_working_days(county: County) -> None:
    [(days, first, last, now, span)] = _ask(
        county,
        "select count(*), min(date_on)::text, max(date_on)::text, max(date_on) filter (where is_as_of)::text,"
        " max(date_on) - min(date_on) + 1 from candidate_marts.dim_date",
    )
    assert (first, last, now) == ("2000-01-01", "2028-12-31", "2026-10-30")
    assert days == span
    rows = _ask(
        county,
        "select date_on::text, academic_year, financial_year, month_name, is_working_day, months_from_as_of"
        " from candidate_marts.dim_date where date_on in ('2026-03-31', '2026-07-31', '2026-08-01', '2026-12-25')"
        " order by 1",
    )
    assert rows == [
        ("2026-03-31", "2025/26", "2025/26", "March", True, -7),
        ("2026-07-31", "2025/26", "2026/27", "July", True, -3),
        ("2026-08-01", "2026/27", "2026/27", "August", False, -2),
        ("2026-12-25", "2026/27", "2026/27", "December", False, 2),
    ]


def test_every_setting_and_district_of_a_child_has_its_row(county: County) -> None:
    [(settings, districts)] = _ask(
        county,
        "select count(*) filter (where child.establishment_urn is not null and setting.establishment_urn is null),"
        " count(*) filter (where child.district_code is not null and district.district_code is null)"
        " from candidate_marts.dim_child as child"
        " left join candidate_marts.dim_establishment as setting using (establishment_urn)"
        " left join candidate_marts.dim_district as district using (district_code)",
    )
    assert (settings, districts) == (0, 0)
    [(named,)] = _ask(county, "select count(*) from candidate_marts.dim_district where district_name is not null")
    assert named == 10
