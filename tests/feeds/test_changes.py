"""Contract changes: a year is the earliest contract and what came after; what does not apply is said, not skipped."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from send_returns import feeds, warehouse
from send_returns.failure import Failure
from send_returns.feeds.changes import Change, Draft
from send_returns.feeds.due import Due
from send_returns.landing.raw_tables import ensure_raw_tables
from send_returns.settings import Settings

COLUMN = {"name": "shoe_size", "logicalType": "integer", "description": "Size of shoe"}

ALREADY_SO: list[dict[str, Any]] = [
    {"add_column": {"table": "child", "property": COLUMN | {"name": "upn"}}},
    {"add_synonym": {"table": "child", "column": "surname", "synonym": "surname"}},
    {"add_code": {"list": "sen_provision", "code": "E", "meaning": "Whatever"}},
    {"add_value": {"map": "sex", "code": "F", "value": "female"}},
    {"set_type": {"table": "child", "column": "upn", "type": "string"}},
]


@pytest.fixture
def accepted(tmp_path: Path) -> Any:
    """Write a change of the register as accepted drift, and return the folder."""

    def write(*operations: dict[str, Any], name: str = "1-change.yml", **other: Any) -> Path:
        said = {"feed": "ehe_register", "year": 2026, "reason": "A test", "source": "A test"}
        path = tmp_path / "contracts" / "ehe_register" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(said | {"operations": list(operations)} | other))
        return tmp_path / "contracts"

    return write


def child(changes: Path | None = None) -> feeds.Table:
    return feeds.load("ehe_register", changes=changes).table("child")


def test_a_later_year_is_the_earliest_and_its_changes() -> None:
    before, after = feeds.load("sen2", year=2024), feeds.load("sen2", year=2025)
    names = {
        feed.version: {(table.name, column.name) for table in feed.tables for column in table.columns}
        for feed in (before, after)
    }
    assert names["2025.1.0"] - names["2024.1.0"] == {
        ("sen2", "dsco"),
        ("requests", "requestsource"),
        ("activeplans", "reviewdraft"),
        ("activeplans", "phasetransferduedate"),
        ("activeplans", "phasetransferfinaldate"),
    }
    assert names["2024.1.0"] < names["2025.1.0"]
    codes = [next(c for c in feed.table("senneed").columns if c.name == "sentype").codes for feed in (before, after)]
    assert set(codes[1] or ()) - set(codes[0] or ()) == {"DS"}
    assert feeds.load("sen2", year=2026) == after == feeds.load("sen2")


def test_a_year_before_the_earliest_is_said_in_one_line() -> None:
    with pytest.raises(Failure, match=r"^The contract of sen2 is described from 2024 on: [^\n]+$"):
        feeds.load("sen2", year=2023)


def test_each_operation_does_what_it_says(accepted: Any) -> None:
    changes = accepted(
        {"add_column": {"table": "child", "after": "upn", "property": COLUMN}},
        {"remove_column": {"table": "child", "column": "ehe_reason"}},
        {"add_synonym": {"table": "child", "column": "surname", "synonym": "Nachname"}},
        {"add_code": {"list": "sen_provision", "code": "Z", "meaning": "Another"}},
        {"add_value": {"map": "sex", "code": "F", "value": "Girl!"}},
        {"set_type": {"table": "child", "column": "date_of_birth", "type": "string"}},
        {"set": {"property": "tolerance", "value": 0.2}},
        {"set": {"property": "nothing", "value": ["-"]}},
    )
    feed = feeds.load("ehe_register", changes=changes)
    columns = {column.name: column for column in feed.table("child").columns}
    names = list(columns)
    assert names[names.index("upn") + 1] == "shoe_size"
    assert "ehe_reason" not in columns
    assert feed.table("child").by_header["nachname"] == "surname"
    assert (columns["sen_provision"].codes or {})["Z"] == "Another"
    assert columns["sex"].values["girl"] == "F"
    assert columns["date_of_birth"].type == "string"
    assert feed.tolerance == 0.2
    assert feed.nothing[-1] == "-"
    # What one feed's drift adds to a list is not added to it for another.
    census = feeds.load("school_census", changes=changes)
    lists = [column.codes or {} for table in census.tables for column in table.columns if column.codes]
    assert all(codes.get("Z") != "Another" for codes in lists)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"add_column": {"table": "child", "property": COLUMN | {"name": "_delivery_id"}}}, "begins with a letter"),
        ({"add_column": {"table": "child", "property": COLUMN | {"name": "x'; drop table--"}}}, "begins with a letter"),
        ({"add_column": {"table": "child", "property": COLUMN | {"logicalType": "float"}}}, "logicalType of string"),
        ({"add_column": {"table": "child", "property": COLUMN, "after": "none"}}, "child has no column none"),
        (
            {"add_column": {"table": "child", "property": COLUMN | {"synonyms": [{"synonym": "U.P.N."}]}}},
            "a heading of it means upn",
        ),
        ({"add_column": {"table": "adult", "property": COLUMN}}, "there is no table adult"),
        ({"add_column": {"table": "child"}}, "it lacks property"),
        ({"remove_column": {"table": "child", "column": "ehe_id"}}, "no row can do without ehe_id"),
        ({"remove_column": {"table": "child", "column": "shoe_size"}}, "child has no column shoe_size"),
        ({"add_synonym": {"table": "child", "column": "surname", "synonym": "Fore-name"}}, "it means forename"),
        ({"add_synonym": {"table": "child", "column": "surname", "synonym": "!"}}, "no letter or digit"),
        ({"add_code": {"list": "sen_type", "code": "X", "meaning": "X"}}, "no column has the code list sen_type"),
        ({"add_value": {"map": "sex", "code": "X9", "value": "x"}}, "sex has no code X9"),
        ({"add_value": {"map": "sex", "code": "M", "value": "Female"}}, "it means F"),
        ({"set_type": {"table": "child", "column": "upn", "type": "uuid"}}, "a type is one of"),
        ({"set": {"property": "colour", "value": "blue"}}, "the contract does not say colour"),
        ({"rename_column": {"table": "child"}}, "there are only add_column"),
        ({"add_column": {"table": "child", "property": COLUMN | {"synonyms": "Shoes"}}}, "not of the shape"),
        ({"add_code": {"list": ["sex"], "code": "X", "meaning": "X"}}, "not of the shape"),
    ],
)
def test_an_operation_that_does_not_apply_is_told_by_file_and_name(
    accepted: Any, operation: dict[str, Any], why: str
) -> None:
    good = {"set": {"property": "tolerance", "value": 0.1}}
    with pytest.raises(Failure) as failure:
        feeds.load("ehe_register", changes=accepted(good, operation, name="12-add-thing.yml"))
    (name,) = operation
    said = str(failure.value)
    assert said.startswith(f"contracts/ehe_register/12-add-thing.yml: operation 2 ({name}) does not apply: ")
    assert why in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not YAML"),
        ("[]", "a contract change has feed, operations, reason, source, year"),
        ("{feed: sen2, year: 2026, reason: r, source: s, operations: []}", "another feed than ehe_register"),
        ("{feed: ehe_register, year: soon, reason: r, source: s, operations: []}", "year is a number"),
        ("{feed: ehe_register, year: 2026, reason: r, source: s, operations: [set]}", "year is a number"),
    ],
)
def test_a_file_that_is_no_change_is_told_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "ehe_register" / "1-x.yml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(Failure, match=rf"^contracts/ehe_register/1-x\.yml: [^\n]*{why}"):
        feeds.load("ehe_register", changes=tmp_path)


@pytest.mark.parametrize(
    "operation", [{"set": {"property": "due", "value": 3}}, {"set": {"property": "volume", "value": {}}}]
)
def test_a_contract_that_is_none_any_more_is_told_with_the_files_that_changed_it(
    accepted: Any, operation: dict[str, Any]
) -> None:
    with pytest.raises(Failure, match=r"^contracts/ehe_register/1-change\.yml: the contract of ehe_register is none"):
        feeds.load("ehe_register", changes=accepted(operation))


@pytest.mark.parametrize(("name", "content"), [("notes.yml", b""), ("1-x.yml", b"\xff\xfe\x00")])
def test_a_file_that_cannot_be_a_change_is_told_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "ehe_register" / name
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Failure, match=rf"^contracts/ehe_register/{name}: "):
        feeds.load("ehe_register", changes=tmp_path)


def test_a_raw_table_gets_the_column_of_accepted_drift_and_keeps_the_type_that_it_has(
    accepted: Any, database: Settings
) -> None:
    changes = accepted({"add_column": {"table": "child", "after": "upn", "property": COLUMN}})
    with warehouse.connect(database) as connection:
        ensure_raw_tables(connection, changes)
        ensure_raw_tables(connection, changes)
        kind = connection.execute(
            "select data_type from information_schema.columns"
            " where (table_schema, table_name, column_name) = ('raw_council', 'ehe_register__child', 'shoe_size')"
        ).fetchone()
        assert kind == ("integer",)
        retyped = accepted({"set_type": {"table": "child", "column": "date_of_birth", "type": "string"}})
        with pytest.raises(Failure, match="column date_of_birth is date, and the contract of ehe_register says text"):
            ensure_raw_tables(connection, retyped)


def test_drift_that_the_contract_came_to_say_itself_is_no_contradiction(accepted: Any) -> None:
    assert child(accepted(*ALREADY_SO)) == child()


@pytest.mark.parametrize("operation", ALREADY_SO, ids=lambda operation: next(iter(operation)))
def test_a_later_year_that_says_what_is_so_already_is_an_error(operation: dict[str, Any]) -> None:
    described = feeds.describe("ehe_register")
    draft = Draft(
        {**described.document},
        {name: {**codes} for name, codes in described.codes.items()},
        {name: {code: [*raws] for code, raws in meanings.items()} for name, meanings in described.values.items()},
    )
    change = Change("changes/ehe_register/2027.yml", "ehe_register", 2027, "r", "s", (operation,), drift=False)
    with pytest.raises(Failure, match=r"^changes/ehe_register/2027\.yml: operation 1"):
        draft.apply(change)


def test_accepted_drift_is_read_afresh_and_makes_another_version(accepted: Any) -> None:
    plain = feeds.load("ehe_register").version
    changes = accepted({"add_synonym": {"table": "child", "column": "surname", "synonym": "Nachname"}})
    first = feeds.load("ehe_register", changes=changes)
    assert first.version.startswith(f"{plain}+")
    accepted({"add_synonym": {"table": "child", "column": "surname", "synonym": "Cognome"}})
    second = feeds.load("ehe_register", changes=changes)
    assert "cognome" in second.table("child").by_header
    assert "nachname" not in second.table("child").by_header
    assert len({plain, first.version, second.version}) == 3
    assert feeds.load("ehe_register", changes=changes, year=2026) == second
    assert (
        "cognome" in {feed.id: feed for feed in feeds.feeds(changes=changes)}["ehe_register"].table("child").by_header
    )


def test_drift_is_applied_in_the_order_of_its_numbers(accepted: Any) -> None:
    accepted({"set": {"property": "tolerance", "value": 0.3}}, name="10-set.yml")
    changes = accepted({"set": {"property": "tolerance", "value": 0.2}}, name="9-set.yml")
    assert feeds.load("ehe_register", changes=changes).tolerance == 0.3


def test_drift_of_a_later_year_is_no_part_of_an_earlier_one(accepted: Any) -> None:
    changes = accepted({"set": {"property": "tolerance", "value": 0.3}}, year=2027)
    assert feeds.load("ehe_register", changes=changes, year=2026).tolerance != 0.3
    assert feeds.load("ehe_register", changes=changes).tolerance == 0.3


@pytest.mark.parametrize(
    ("feed", "days"),
    [
        ("sen2", [("january", date(2026, 1, 15))]),
        (
            "school_census",
            [("spring", date(2026, 1, 15)), ("summer", date(2026, 5, 21)), ("autumn", date(2026, 10, 1))],
        ),
        ("ssda903", [("year", date(2026, 3, 31))]),
        ("gias", [("", date(2026, 3, 31)), ("", date(2026, 6, 30)), ("", date(2026, 9, 30)), ("", date(2026, 12, 31))]),
    ],
)
def test_days_that_deliveries_describe(feed: str, days: list[tuple[str, date]]) -> None:
    assert feeds.load(feed).due.days(date(2026, 1, 1), date(2026, 12, 31)) == days


def test_every_month_and_week_has_its_last_day() -> None:
    monthly = feeds.load("disputes").due.days(date(2027, 12, 31), date(2028, 2, 29))
    assert [day for _, day in monthly] == [date(2027, 12, 31), date(2028, 1, 31), date(2028, 2, 29)]
    weekly = Due.parse({"every": "week", "within_days": 3, "name": "week"})
    assert weekly.days(date(2026, 11, 2), date(2026, 11, 15)) == [
        ("week", date(2026, 11, 8)),
        ("week", date(2026, 11, 15)),
    ]


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 900), st.sampled_from(feeds.feeds()))
def test_days_are_in_order_and_those_of_two_spans_are_those_of_both(since: date, length: int, feed: feeds.Feed) -> None:
    until = date.fromordinal(since.toordinal() + length)
    middle = date.fromordinal(since.toordinal() + length // 2)
    days = feed.due.days(since, until)
    assert days == sorted(days, key=lambda one: one[1])
    assert all(since <= day <= until for _, day in days)
    assert days == feed.due.days(since, middle) + feed.due.days(date.fromordinal(middle.toordinal() + 1), until)
