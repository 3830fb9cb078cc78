"""Records that no honest system writes: linkage neither stops at them nor tells what they say."""

from typing import Any

import polars as pl
import pytest
from tests.identity.conftest import Put

from send_returns import identity, warehouse
from send_returns.identity.sources import SAYS, made_alike
from send_returns.settings import Settings

PUPILS = "school_census__pupilonroll"
CASES = "ehc_casework__case"
CHILD = {"surname": "Fictwell", "forename": "Rory", "date_of_birth": "2015-03-04", "postcode": "AL1 3JE"}
OTHER = {"surname": "Fictwell", "forename": "Isla", "date_of_birth": "2009-11-20", "postcode": "AL1 3JE"}


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def alike(**said: str) -> dict[str, str | None]:
    raw = pl.DataFrame([dict.fromkeys(SAYS) | said], schema=dict.fromkeys(SAYS, pl.String))
    return {role: value for role, value in made_alike(raw).row(0, named=True).items() if value is not None}


def test_what_a_system_writes_of_children_whom_it_does_not_know_makes_none_of_them_one(
    database: Settings, put: Put
) -> None:
    nobody = {"surname": "Child", "forename": "Looked After", "date_of_birth": "1900-01-01"}
    crowd = [{**nobody, "la_child_id": f"9{number:04}"} for number in range(250)]
    # So few that they might be one child with many ids, and then so many that they cannot.
    put(1, CASES, *crowd[:20])
    identity.link(database, "r1")
    put(2, CASES, *crowd[20:], run="r2")
    with warehouse.connect(database) as connection:
        connection.execute("insert into audit.run_delivery values ('r2', 1)")
    assert identity.link(database, "r2")["persons"] == len(crowd)


@pytest.mark.parametrize("number", ["٩٩٩٠٠٠٠٠١٨", "９９９０００００１８"])
def test_digits_of_another_script_are_no_nhs_number(number: str) -> None:
    assert alike(nhs_number=number) == {}


@pytest.mark.parametrize("role", ["uln", "upn", "la_child_id", "provider_patient_id", "nhs_number_pseudo", "surname"])
def test_what_no_identifier_is_as_long_as_identifies_nobody(role: str) -> None:
    assert alike(**{role: "RY4 " + "AB1C" * 100}) == {}


def test_what_cannot_be_seen_is_no_part_of_an_identifier() -> None:
    assert alike(la_child_id="71\x1b]\u200b", provider_patient_id="ry4 7\x1f7", nhs_number_pseudo="q1\x07w2\u200b") == {
        "la_child_id": "71]",
        "provider_patient_id": "RY4 77",
        "nhs_number_pseudo": "q1w2",
    }
    assert alike(nhs_number_pseudo="\u200b \x07") == {}


@pytest.mark.parametrize("name", ["Unknown", " not-known", "TBC."])
def test_what_is_written_in_place_of_a_name_is_none(name: str) -> None:
    assert alike(surname=name, forename=name) == {}


def test_names_in_other_letters_are_written_in_plain_ones() -> None:
    assert alike(surname="Straße-Øster", forename="Zoë\x00ış")["surname"] == "STRASSE OSTER"


@pytest.mark.parametrize(
    "value", ["O'Brien\"; drop table identity.link; --", "$$ || 'x' || $$", "\\.\n\\.", 'a,"b"\r\nc\x1f{}']
)
def test_a_value_is_never_read_as_anything_else(database: Settings, put: Put, value: str) -> None:
    named = {"surname": value, "forename": value, "la_child_id": f"{value}7"}
    put(1, CASES, {**CHILD, **named}, {**OTHER, **named})
    put(2, PUPILS, {"upn": value, "surname": value, "forename": value, "dob": "2015-03-04", "postcode": value})
    assert identity.link(database, "r1")["records"] == 3
    assert not [text for (text,) in rows(database, "select explanation from identity.link") if value in text]


def test_a_number_as_long_as_a_page_that_two_children_carry_does_not_stop_a_run(database: Settings, put: Put) -> None:
    number = "".join(f"{place:x}Z" for place in range(3_000))
    put(1, CASES, {**CHILD, "la_child_id": number}, {**OTHER, "la_child_id": number})
    assert identity.link(database, "r1")["persons"] == 2
