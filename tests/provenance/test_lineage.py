"""Which raw columns a column is made of, read off SQL of every shape that the models have."""

from collections.abc import Callable
from pathlib import Path

import pytest

from send_returns.failure import Failure
from send_returns.provenance.lineage import Lineage, NotKept
from send_returns.settings import Settings

RUN = "r0123456789abcdef"
MODELS = {
    # Codes are trimmed; who the row is about is told beside it.
    "stg_pupil": """
        select pupil._delivery_id, pupil._row_number, link.person_id, upper(pupil.sex) as sex, pupil.schooltableid,
            pupil.dob as born_on
        from "db"."raw_council"."census__pupil" as pupil
        left join "db"."identity"."link" as link
            on pupil._delivery_id = link.delivery_id and pupil._row_number = link.row_number
        where pupil.enrolstatus = 'C'""",
    "stg_school": 'select school.schooltableid, school.urn from "db"."raw_council"."census__school" as school',
    "stg_plan": """
        select plan.startdate as started_on, link.person_id from "db"."raw_council"."sen2__plan" as plan
        left join "db"."identity"."link" as link on plan._delivery_id = link.delivery_id""",
    "int_listed": """
        select plan.person_id, 1 as list_number, 'plan' as kind from "db"."candidate_staging"."stg_plan" as plan
        union all
        select pupil.person_id, 2, 'pupil' from "db"."candidate_staging"."stg_pupil" as pupil""",
    "return_list": """
        with newest as (
            select distinct on (pupil.person_id) pupil.* from "db"."candidate_staging"."stg_pupil" as pupil
        ),
        counted as (
            select plan.person_id, count(*) as plans from "db"."candidate_staging"."stg_plan" as plan
            group by plan.person_id
        )
        select child.person_id, wording.wording as gender, newest.born_on, school.urn,
            plan.person_id is not null as has_plan, counted.plans, child.kind, 'herts' as partnership
        from "db"."candidate_intermediate"."int_listed" as child
        left join newest on child.person_id = newest.person_id
        left join counted on child.person_id = counted.person_id
        left join "db"."candidate_staging"."stg_plan" as plan on child.person_id = plan.person_id
        left join "db"."candidate_staging"."stg_school" as school on newest.schooltableid = school.schooltableid
        left join "db"."candidate_reference"."layout" as wording
            on wording.list_name = 'List' and wording.code = newest.sex""",
    "int_indicator__some": """
        with late as (select 'A1' as measure, plan.person_id from "db"."candidate_staging"."stg_plan" as plan)
        select late.measure, late.person_id from late
        union all
        select 'B1' as measure, pupil.person_id from "db"."candidate_staging"."stg_pupil" as pupil""",
}


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    folder = tmp_path / "runs" / RUN / "dbt" / "compiled" / "project" / "models" / "any"
    folder.mkdir(parents=True)
    for name, text in MODELS.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return Lineage(Settings(home=tmp_path), RUN)


Told = Callable[[str], set[str]]


@pytest.fixture
def told(lineage: Lineage) -> Told:
    return lambda column: {f"{one.table}.{one.column}" for one in lineage.of("return_list", column).origins}


def test_a_column_is_followed_through_a_star_and_a_named_query(told: Told) -> None:
    assert told("born_on") == {"census__pupil.dob"}


def test_what_a_lookup_was_joined_on_is_followed_and_not_its_wording(told: Told) -> None:
    assert told("gender") == {"census__pupil.sex"}


def test_a_suppliers_key_tells_of_the_row_and_not_of_itself(told: Told) -> None:
    assert told("urn") == {"census__school.urn", "census__pupil."}


def test_whether_there_is_a_row_is_told_by_the_rows(told: Told) -> None:
    assert told("has_plan") == {"sen2__plan."}
    assert told("plans") == {"sen2__plan."}


def test_a_constant_of_each_part_of_a_union_is_told_by_its_rows(told: Told) -> None:
    assert told("kind") == {"sen2__plan.", "census__pupil."}


def test_the_models_on_the_way_come_nearest_first(lineage: Lineage) -> None:
    assert lineage.of("return_list", "gender").models == ("return_list", "stg_pupil")


def test_a_measure_is_behind_the_part_of_the_union_that_names_it(lineage: Lineage) -> None:
    assert [one.table for one in lineage.behind("int_indicator__some", "A1").origins] == ["sen2__plan"]
    assert [one.table for one in lineage.behind("int_indicator__some", "B1").origins] == ["census__pupil"]
    assert len(lineage.behind("int_indicator__some", "C1").origins) == 2


def test_what_is_not_there_is_said(lineage: Lineage, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no such model"):
        lineage.of("return_other", "gender")
    with pytest.raises(NotKept, match="is not kept"):
        Lineage(Settings(home=tmp_path), "rffffffffffffffff")
