"""Contracts: the standard's own schema accepts them, and they name the tables that the other rooms read."""

import importlib.resources
import json
import re
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml

from send_returns import feeds
from send_returns.feeds import headers
from send_returns.feeds.checks import CHECKS

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "plugins/send_returns/feeds/contracts"
FEEDS = (
    "ap_census",
    "cin_census",
    "contact_log",
    "disputes",
    "ehc_casework",
    "ehe_register",
    "improvement_plan",
    "part_time_timetables",
    "plan_audit",
    "post16",
    "school_census",
    "sen2",
    "short_breaks",
    "ssda903",
    "csds",
    "dynamic_support_register",
    "health_advice",
    "mhsds",
    "nhs_number_trace",
    "gias",
    "organisations",
    "population",
    "postcode_lookup",
)
PERSONAL_DATA = ("identifier", "name", "date_of_birth", "address", "special", "free_text")
MINIMISATIONS = ("keep", "month", "district", "pseudonym", "drop")


def test_every_feed_has_a_contract() -> None:
    assert tuple(feed.id for feed in feeds.feeds()) == FEEDS


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_contract_is_valid_by_the_open_data_contract_standard(path: Path) -> None:
    schema = json.loads((importlib.resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    # And so it is with all its changes.
    jsonschema.validate(feeds.describe(path.stem).document, schema)


def test_every_list_and_map_that_is_named_is_there_and_every_one_there_is_named() -> None:
    described = [feeds.describe(feed.id) for feed in feeds.feeds()]
    assert {name for one in described for name in one.codes} == set(yaml.safe_load((FOLDER / "codes.yml").read_text()))
    assert {name for one in described for name in one.values} == set(
        yaml.safe_load((FOLDER / "values.yml").read_text())
    )


def test_tables_and_columns_are_those_of_the_architecture() -> None:
    documented = {
        (schema, name): columns.split(", ")
        for schema, name, columns in re.findall(
            r"^\| `(raw_\w+)\.(\w+)` \| (.+) \|$", (PROJECT / "docs/architecture.md").read_text(), re.MULTILINE
        )
    }
    contracted = {
        (table.raw_schema, table.raw_name): [column.name for column in table.columns]
        for feed in feeds.feeds()
        for table in feed.tables
    }
    assert contracted == documented


@pytest.mark.parametrize("feed", feeds.feeds(), ids=lambda feed: feed.id)
def test_contract_says_all_that_a_supplier_and_an_engineer_need(feed: feeds.Feed) -> None:
    assert feed.supplier
    assert feed.cadence
    assert feed.lawful_basis
    assert feed.retention.years > 0
    assert 0 < feed.tolerance < 1
    assert feed.max_age_days > 0
    assert feed.purpose
    assert feed.minimisation
    assert feed.format in ("national", "local")
    assert feed.due.within_days > 0
    assert feed.due.days(date(2026, 1, 1), date(2026, 12, 31))
    assert set(feed.volume) == {table.name for table in feed.tables}
    assert all(0 <= bounds.least <= bounds.most for bounds in feed.volume.values())
    assert 0 < feed.max_change <= 1
    for table in feed.tables:
        assert all(column.description for column in table.columns)
        assert all(column.check is None or column.check in CHECKS for column in table.columns)
        assert all(column.personal_data in (None, *PERSONAL_DATA) for column in table.columns)
        assert all(column.minimisation in (None, *MINIMISATIONS) for column in table.columns)
        assert [column.name for column in table.columns if column.personal_data and not column.minimisation] == []
        known = {column.name: set(column.codes or ("true", "false")) for column in table.columns}
        assert [column.name for column in table.columns if not set(column.values.values()) <= known[column.name]] == []
        assert set(table.key) <= {column.name for column in table.columns}
        # Two columns that one header could mean would be filled by chance.
        squeezed = [headers.squeeze(text) for c in table.columns for text in {c.name, c.header, *c.synonyms}]
        assert len({(key, table.by_header[key]) for key in squeezed}) == len(table.by_header)


def test_unknown_feed_has_no_contract() -> None:
    with pytest.raises(KeyError):
        feeds.load("../codes")


@pytest.mark.parametrize(
    ("feed", "name", "key", "reference_on"),
    [
        ("school_census", "2026_autumn", "2026_autumn", date(2026, 10, 1)),
        ("school_census", "2026_spring", "2026_spring", date(2026, 1, 15)),
        ("school_census", "2026 Summer resubmission", "2026_summer", date(2026, 5, 21)),
        ("ssda903", "SSDA903_2020_header.csv", "2020", date(2020, 3, 31)),
        ("ssda903", "ssda903_2026-11-02", "2027", date(2026, 11, 2)),
        ("ssda903", "ssda903_2026-03-31", "2026", date(2026, 3, 31)),
        ("ssda903", "ssda903_2028-02-29", "2028", date(2028, 2, 29)),
        ("ssda903", "ssda903_2028_02_29", "2028", date(2028, 2, 29)),
        ("ssda903", "ssda903_20280401", "2029", date(2028, 4, 1)),
        ("ehe_register", "ehe_register_2026-10-01.csv", "2026-10-01", date(2026, 10, 1)),
        ("gias", "edubasealldata20261001.csv", "2026-10-01", date(2026, 10, 1)),
        ("gias", "edubasealldata20261399.csv", "2026", date(2026, 12, 31)),
    ],
)
def test_period_is_read_from_the_name(feed: str, name: str, key: str, reference_on: date) -> None:
    assert feeds.load(feed).period.from_name(name) == feeds.Period(key, reference_on)


def test_name_without_a_period_states_none() -> None:
    assert feeds.load("school_census").period.from_name("census") is None


def test_digits_of_another_script_do_not_make_a_second_key_for_the_same_day() -> None:
    assert feeds.load("ehe_register").period.from_name("ehe_20\u0662\u0666-10-01.csv") is None
