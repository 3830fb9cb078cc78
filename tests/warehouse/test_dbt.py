"""The dbt project over a few children made by hand: each cell of both lists, unit tests, and what a failure tells."""

import csv
import os
from datetime import date
from pathlib import Path

import pytest

from send_returns import layouts
from send_returns.settings import PROJECT, Settings
from send_returns.warehouse import connect, dbt

GOLDEN = Path(__file__).parent.parent / "golden"
LAYERS: tuple[dbt.Layer, ...] = ("staging", "intermediate", "returns")


def _fill(settings: Settings) -> None:
    with connect(settings) as connection:
        connection.execute((GOLDEN / "children.sql").read_bytes())


def _csv(settings: Settings, query: str) -> list[list[str]]:
    with (
        connect(settings) as connection,
        connection.cursor().copy(f"copy ({query}) to stdout (format csv, header)") as out,
    ):
        return list(csv.reader(b"".join(bytes(block) for block in out).decode().splitlines()))


@pytest.mark.parametrize("number", [1, 2])
def test_the_list_is_what_was_worked_out_by_hand(built: Settings, number: int) -> None:
    expected = list(csv.reader((GOLDEN / f"list_{number}.csv").read_text(encoding="utf-8").splitlines()))
    found = _csv(built, f"select * from candidate_returns.return_annex_a__list_{number} order by person_id")
    assert found == expected


def test_the_lists_have_the_columns_of_the_layout(built: Settings) -> None:
    kinds = {
        "text": "text",
        "category": "text",
        "date": "date",
        "integer": "integer",
        "percentage": "numeric",
    }
    for part in layouts.load("area_send_annex_a", date(2026, 11, 24)).lists:
        with connect(built) as connection:
            found = connection.execute(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'candidate_returns' and table_name = %s order by ordinal_position",
                [part.model],
            ).fetchall()
        expected = [("partnership", "text"), ("person_id", "text")]
        assert found == expected + [(column.name, kinds[column.type]) for column in part.columns]


def test_the_layout_is_there_for_sql(built: Settings) -> None:
    with connect(built) as connection:
        rows = connection.execute(
            "select position, heading, code, wording from candidate_reference.annex_a_layout"
            " where list_name = 'List_1' and column_name in ('main_establishment_urn', 'pupil_premium')"
            " order by position, wording"
        ).fetchall()
    assert rows == [
        (11, "Main education establishment – URN", None, None),
        (18, "Pupil Premium", "Y", "a) Yes"),
        (18, "Pupil Premium", "N", "b) No"),
    ]


def test_health_is_joined_to_the_child(built: Settings) -> None:
    rows = _csv(
        built,
        "select person_id, open_health_referrals, waiting_health_referrals"
        " from candidate_intermediate.int_child__joined where open_health_referrals > 0",
    )
    assert rows[1:] == [["ben", "1", "1"]]


def test_children_are_counted_by_what_they_need(built: Settings) -> None:
    rows = _csv(
        built,
        "select provision, primary_need, establishment_phase, establishment_district, children"
        " from candidate_marts.fct_send_child_count order by 1, 2",
    )
    assert rows[1:] == [
        ["EHC plan", "MLD", "special", "Dacorum", "1"],
        ["EHC plan", "OTH", "special", "Dacorum", "1"],
        ["EHC plan", "SPLD", "not recorded", "not recorded", "1"],
        ["SEN support", "OTH", "primary", "Stevenage", "1"],
        ["SEN support", "SEMH", "pru_ap", "Watford", "1"],
    ]


def test_a_child_is_in_the_marts_by_pseudonym_month_and_district(built: Settings) -> None:
    rows = _csv(
        built,
        "select child_key.person_id, child.key_id, birth_month_on, sex, ethnicity, district_code, has_plan,"
        " has_sen_support from candidate_marts.dim_child as child join identity.child_key using (child_key) order by 1",
    )
    assert rows[1:] == [
        ["anna", "marts-2", "2012-02-01", "F", "WBRI", "E07000243", "t", "f"],
        ["ben", "marts-2", "2010-09-01", "M", "UNKNOWN", "E07000096", "t", "f"],
        ["cara", "marts-2", "2015-03-01", "U", "", "", "t", "f"],
        ["dev", "marts-2", "2013-04-01", "M", "REFU", "E07000103", "f", "t"],
        ["ella", "marts-2", "2016-05-01", "F", "BCRB", "E07000103", "f", "t"],
        ["gita", "marts-2", "", "U", "", "", "f", "f"],
        ["ivy", "marts-2", "", "U", "", "", "f", "f"],
    ]


def test_the_order_of_children_tells_nothing(built: Settings) -> None:
    keys = [row[0] for row in _csv(built, "select child_key from candidate_marts.dim_child")[1:]]
    assert keys == sorted(keys)


def test_a_child_without_a_pseudonym_stops_the_build(copy: Settings) -> None:
    with connect(copy) as connection:
        connection.execute("delete from identity.child_key where person_id = 'anna' and key_id = 'marts-2'")
    dbt.build(copy, "r1", "intermediate")
    with pytest.raises(dbt.BuildFailed, match='dim_child: null value in column "child_key"') as failure:
        dbt.build(copy, "r1", "returns")
    assert "2012" not in str(failure.value)


def test_the_board_in_force_answers_and_the_one_before_is_known(built: Settings) -> None:
    rows = _csv(
        built,
        "select role, name, code, is_current from candidate_marts.dim_organisation order by role, in_force_from_on",
    )
    assert rows[1:] == [
        ["council", "Hertfordshire County Council", "919", "t"],
        ["icb", "NHS Hertfordshire and West Essex Integrated Care Board", "QM7", "f"],
        ["icb", "NHS Central East Integrated Care Board", "", "t"],
    ]


def test_every_unit_test_passes(built: Settings) -> None:
    results = dbt.invoke(built, "r1", "test", "--select", "test_type:unit")
    assert len(results) >= 11
    assert [(result.node, result.message) for result in results if result.status != "pass"] == []


def test_every_node_leaves_a_result(built: Settings) -> None:
    with connect(built) as connection:
        rows = dict(
            connection.execute(
                "select resource_type, count(*) from audit.model_result where run_id = 'r1' group by 1"
            ).fetchall()
        )
        list_1 = connection.execute(
            "select layer, status, rows_affected, message from audit.model_result where node = 'return_annex_a__list_1'"
        ).fetchone()
    assert set(rows) == {"model", "seed", "test"}
    assert rows["model"] == len(list((PROJECT / "dbt_project" / "models").rglob("*.sql")))
    assert list_1 == ("returns", "success", 3, None)


def test_a_second_build_gives_the_same_rows(built: Settings) -> None:
    queries = [f"select * from candidate_returns.return_annex_a__list_{number}" for number in (1, 2)]
    before = [_csv(built, query) for query in queries]
    models = PROJECT / "dbt_project" / "models"
    made = [path for folder in ("marts", "returns") for path in (models / folder).glob("*.sql")]
    assert dbt.build(built, "r1", "returns")["models"] == len(made)
    assert [_csv(built, query) for query in queries] == before


def test_a_failed_test_stops_the_build_and_names_no_child(database: Settings) -> None:
    _fill(database)
    with connect(database) as connection:
        connection.execute("delete from identity.link where table_name = 'sen2__person' and row_number = 2")
    with pytest.raises(dbt.BuildFailed, match="every_person_record_is_linked: Got 1 result") as failure:
        dbt.build(database, "r1", "staging")
    assert "every_person_record_is_linked" in failure.value.nodes
    with connect(database) as connection:
        rows = connection.execute(
            "select node, status, rows_affected from audit.model_result where status = 'fail'"
        ).fetchall()
    assert rows == [("every_person_record_is_linked", "fail", 1)]


def test_an_error_of_the_database_shows_no_value(copy: Settings) -> None:
    with connect(copy) as connection:
        ((view,),) = connection.execute(
            "select pg_get_viewdef('candidate_staging.stg_school_census__school'::regclass)"
        ).fetchall()
        # As a model would that takes what a supplier wrote for a date.
        broken = f"select {{}} from ({view.rstrip(';')}) as school"
        names = connection.execute(
            "select attname from pg_attribute where attnum > 0"
            " and attrelid = 'candidate_staging.stg_school_census__school'::regclass order by attnum"
        ).fetchall()
        columns = ["('CANARY' || urn)::date::text as urn" if name == "urn" else name for (name,) in names]
        connection.execute(
            f"create or replace view candidate_staging.stg_school_census__school as {broken.format(', '.join(columns))}"
        )
    with pytest.raises(
        dbt.BuildFailed, match="int_enrolment__registered: invalid input syntax for type date"
    ) as failure:
        dbt.build(copy, "r1", "intermediate")
    assert "CANARY" not in str(failure.value)
    with connect(copy) as connection:
        told = connection.execute("select string_agg(message, ' ') from audit.model_result").fetchone()
    assert told is not None
    assert "invalid input syntax" in told[0]
    assert "CANARY" not in told[0]
    for path in copy.home.rglob("*"):
        assert not path.is_file() or b"CANARY" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            'Database Error in model m (m.sql)\n  invalid input syntax for type date: "2012 CANARY"\n  LINE 1: X',
            "invalid input syntax for type date: (value withheld)",
        ),
        (
            'duplicate key value violates unique constraint "k"\nDETAIL:  Key (upn)=(CANARY) already exists.',
            'duplicate key value violates unique constraint "k"',
        ),
        ("value 'CANARY' is out of range", "value (value withheld) is out of range"),
        (
            'date/time field value out of range: "CANARY"\nHINT: "CANARY"',
            "date/time field value out of range: (value withheld)",
        ),
    ],
)
def test_a_message_is_told_without_values(message: str, told: str) -> None:
    assert dbt.without_values(message) == told


def test_an_unknown_run_is_refused(database: Settings) -> None:
    with pytest.raises(dbt.BuildFailed, match="There is no run r9"):
        dbt.build(database, "r9", "staging")


def test_the_environment_is_left_as_it_was(built: Settings) -> None:
    assert built.database_url
    assert not [name for name in os.environ if name.startswith(("SEND_RETURNS_DBT", "DBT_ENV_SECRET"))]
