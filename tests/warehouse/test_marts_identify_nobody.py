"""No mart shows who a child is: neither by a column that is made to, nor by a value that a supplier sent of a child.

What a mart may hold of a column is what the contract of its feed says under `minimisation`. A mart that lawfully shows
more says so, for each column, in its own contract: `meta: {lawful: {<column>: {who: ..., why: ...}}}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from send_returns import feeds
from send_returns.settings import Settings
from send_returns.warehouse import connect, dbt

GOLDEN = Path(__file__).parent.parent / "golden"
MARTS = "candidate_marts"
# Of these kinds of personal data a mart never holds what was sent.
IDENTIFYING = ("identifier", "name", "date_of_birth", "address")
# The house's own names, and those of free text, which nobody has read.
HOUSE_NAMES = re.compile(
    r"(person|unique|local|pupil|patient|case)_id|(date_of_)?birth(_date|_on|day)?|born(_on)?|date_of_birth_on"
    r"|((sur|fore|first|middle|last|family|given|full|preferred|child|pupil)_?)name|initials"
    r"|.*(upn|uln|nhs_?number|postcode|address|e_?mail|phone|record_key|row_number|delivery_id).*"
    r"|.*(note|comment|remark|narrative|free_?text|explanation|child_view)s?(_text)?"
)


def sent() -> Iterator[tuple[feeds.Table, feeds.Column]]:
    """The columns of the contracts of which a mart may hold a pseudonym, a month, a district or nothing."""
    for feed in feeds.feeds():
        for table in feed.tables:
            for column in table.columns:
                if column.personal_data in IDENTIFYING and column.minimisation != "keep":
                    yield table, column


def unlawful(columns: Iterable[str], lawful: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Those of a mart's columns that say who a child is, and its contract does not say who may know, and why."""
    told = {column.name for _, column in sent()}
    allowed = {name for name, said in lawful.items() if said.get("who") and said.get("why")}
    return [name for name in columns if (name in told or HOUSE_NAMES.fullmatch(name)) and name not in allowed]


@pytest.fixture(scope="module")
def contracts(built: Settings) -> dict[str, dict[str, Any]]:
    """What each mart's contract says lawfully shows more, by mart."""
    nodes = dbt.manifest(built).nodes.values()
    marts = [
        node for node in nodes if node.resource_type == "model" and node.original_file_path.startswith("models/marts/")
    ]
    return {node.name: dict(node.config.meta.get("lawful", {})) for node in marts}


def _columns(connection: psycopg.Connection, types: Iterable[str]) -> list[tuple[str, str]]:
    return connection.execute(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = %s and data_type = any(%s) order by 1, ordinal_position",
        [MARTS, list(types)],
    ).fetchall()


def _values(connection: psycopg.Connection, schema: str, table: str, column: str) -> set[Any]:
    query = sql.SQL("select distinct {} from {}").format(sql.Identifier(column), sql.Identifier(schema, table))
    return {value for (value,) in connection.execute(query) if value is not None}


def test_every_mart_has_been_built_with_a_contract(built: Settings, contracts: dict[str, Any]) -> None:
    with connect(built) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = %s", [MARTS]).fetchall()
    assert {name for (name,) in tables} == set(contracts)
    assert len(contracts) >= 3


def test_no_column_is_one_that_says_who_a_child_is(built: Settings, contracts: dict[str, Any]) -> None:
    with connect(built) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = %s", [MARTS]
        ).fetchall()
    for mart, lawful in contracts.items():
        assert unlawful([column for table, column in columns if table == mart], lawful) == [], mart


def test_no_value_is_one_that_was_sent_of_a_child(built: Settings, contracts: dict[str, Any]) -> None:
    with connect(built) as connection:
        known = {person for (person,) in connection.execute("select person_id from identity.person")}
        for table, column in sent():
            known |= _values(connection, table.raw_schema, table.raw_name, column.name)
        known |= {value.replace(" ", "").upper() for value in known if isinstance(value, str)}
        # The first day of a month stands for the month.
        known -= {value for value in known if isinstance(value, date) and value.day == 1}
        assert {"anna", "Ash", "A123456789001", "SG1 1AA", date(2012, 2, 29)} <= known
        for mart, column_name in _columns(
            connection, ["text", "date", "timestamp without time zone", "character varying"]
        ):
            if column_name not in contracts[mart]:
                assert not _values(connection, MARTS, mart, column_name) & known, f"{mart}.{column_name}"


def test_a_birth_is_a_month(built: Settings) -> None:
    with connect(built) as connection:
        births = [place for place in _columns(connection, ["date"]) if "birth" in place[1]]
        assert ("dim_child", "birth_month_on") in births
        for mart, column in births:
            assert {day.day for day in _values(connection, MARTS, mart, column)} == {1}


@pytest.mark.parametrize(
    "name",
    ["person_id", "upn", "former_upn", "nhs_number", "surname", "forename", "dob", "date_of_birth_on", "postcode",
     "home_address", "child_name", "case_notes", "la_child_id"],
)  # fmt: skip
def test_a_column_that_says_who_a_child_is_has_to_say_who_may_know(name: str) -> None:
    assert unlawful([name, "child_key", "birth_month_on", "name", "district_code"], {}) == [name]
    assert unlawful([name], {name: {"who": "the virtual school"}}) == [name]
    assert unlawful([name], {name: {"who": "the virtual school", "why": "Children Act 1989 s.22(3A)"}}) == []
