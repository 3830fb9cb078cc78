"""The facts of placement, schools and care against the rows that were landed, and against the dimensions."""

from typing import Protocol

import pytest
from psycopg import sql

from send_returns.settings import Settings
from send_returns.warehouse import connect

# How many rows each fact has, of what was landed. The county has no mess, so nothing is landed twice.
LANDED = {
    "fct_placement": "select count(*) from raw_council.sen2__placementdetail",
    "fct_part_time_timetable": "select count(*) from raw_council.part_time_timetables__timetable",
    "fct_alternative_provision": "select count(*) from raw_council.ap_census__pupil",
    "fct_home_education": "select count(*) from raw_council.ehe_register__child",
    "fct_post16_participation": "select count(*) from raw_council.post16__participation",
    "fct_short_break_request": "select count(*) from raw_council.short_breaks__request",
    "fct_short_break_delivery": "select count(*) from raw_council.short_breaks__delivery",
    "fct_social_care_episode": "select (select count(*) from raw_council.cin_census__cindetails)"
    " + (select count(*) from raw_council.cin_census__childprotectionplan)"
    " + (select count(*) from raw_council.ssda903__episodes)",
    # Of the census, what is about children with SEN.
    "fct_exclusion": "select count(*) from raw_council.school_census__termlyexclusionsonroll"
    " where senprovision in ('E', 'K')",
    "fct_attendance": "select count(*) from raw_council.school_census__pupilonroll"
    " where senprovision in ('E', 'K') and termlysessionspossible > 0",
}


class County(Protocol):
    settings: Settings


@pytest.mark.parametrize("fact", LANDED)
def test_a_fact_has_a_row_for_each_that_was_landed(county: County, fact: str) -> None:
    with connect(county.settings) as connection:
        landed = connection.execute(LANDED[fact].encode()).fetchone()
        rows = connection.execute(
            sql.SQL("select count(*) from {}").format(sql.Identifier("candidate_marts", fact))
        ).fetchone()
    assert landed is not None
    assert landed[0] > 0
    assert rows == landed


OF_ESTABLISHMENTS = (
    *("fct_placement", "fct_part_time_timetable", "fct_alternative_provision"),
    *("fct_post16_participation", "fct_exclusion", "fct_attendance"),
)


@pytest.mark.parametrize(
    ("fact", "dimension", "key"),
    [
        *((fact, "dim_child", "child_key") for fact in [*LANDED, "fct_need"]),
        *((fact, "dim_establishment", "establishment_urn") for fact in OF_ESTABLISHMENTS),
    ],
)
def test_what_a_fact_refers_to_is_there(county: County, fact: str, dimension: str, key: str) -> None:
    with connect(county.settings) as connection:
        found = connection.execute(
            sql.SQL(
                "select count({0}) > 0, count({0}) filter (where {0} not in (select {0} from {1})) from {2}"
            ).format(
                sql.Identifier(key),
                sql.Identifier("candidate_marts", dimension),
                sql.Identifier("candidate_marts", fact),
            )
        ).fetchone()
    assert found == (True, 0)


def test_a_child_on_a_list_has_one_first_need(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select count(*) filter (where need.need is distinct from child.primary_need), count(need.child_key)"
            " from candidate_marts.dim_child as child"
            " left join candidate_marts.fct_need as need on need.child_key = child.child_key and need.need_rank = 1"
            " where child.has_plan or child.has_sen_support"
        ).fetchone()
    assert rows is not None
    assert rows[0] == 0
    assert rows[1] > 1900
