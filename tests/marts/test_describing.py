"""What a BI tool reads in the database of the marts: a comment on everything, keys, and what refers to what."""

from typing import Any, Protocol

from send_returns.settings import Settings
from send_returns.warehouse import connect, dbt, describing


class County(Protocol):
    settings: Settings


def _ask(county: County, query: str) -> list[tuple[Any, ...]]:
    with connect(county.settings) as connection:
        return connection.execute(query).fetchall()


SCHEMAS = "array['candidate_marts'::regnamespace, 'candidate_returns'::regnamespace]"


def test_every_table_and_every_column_has_its_comment(county: County) -> None:
    found = {
        (table, column): comment
        for table, column, comment in _ask(
            county,
            "select c.relname, a.attname, col_description(c.oid, a.attnum) from pg_class c"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
            f" where c.relkind = 'r' and c.relnamespace = any({SCHEMAS})"
            " union all select relname, null, obj_description(oid) from pg_class"
            f" where relkind = 'r' and relnamespace = any({SCHEMAS})",
        )
    }
    assert [place for place, comment in found.items() if not comment] == []
    told = {}
    for table in describing.tables(dbt.manifest(county.settings)):
        told[table.name, None] = table.description
        told |= {(table.name, column.name): column.description for column in table.columns}
    assert found == told
    assert len(found) > 150


def test_every_dimension_has_a_primary_key_and_facts_refer_to_it_unenforced(county: County) -> None:
    keys = dict(
        _ask(
            county,
            "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint"
            " where contype = 'p' and connamespace = 'candidate_marts'::regnamespace",
        )
    )
    assert keys["candidate_marts.dim_child"] == "PRIMARY KEY (child_key)"
    assert {"candidate_marts.dim_date", "candidate_marts.dim_district", "candidate_marts.dim_establishment"} <= set(
        keys
    )
    references = _ask(
        county,
        "select conrelid::regclass::text, confrelid::regclass::text, conenforced from pg_constraint"
        " where contype = 'f' and connamespace = 'candidate_marts'::regnamespace",
    )
    assert ("candidate_marts.fct_indicator_case", "candidate_marts.dim_child", False) in references
    assert not [fact for fact, _, enforced in references if enforced or fact in keys]


def test_what_refers_to_nothing_stops_the_build(county: County) -> None:
    described = describing.tables(dbt.manifest(county.settings))
    pairs = {(table.name, column.name) for table in described for column in table.columns if column.refers_to}
    assert {("fct_clock", "child_key"), ("fct_indicator_case", "district_code")} <= pairs
    with connect(county.settings) as connection:
        assert describing.astray(connection, described) == []
        key = "(select child_key from candidate_marts.fct_clock where child_key is not null limit 1)"
        connection.execute(f"delete from candidate_marts.dim_child where child_key = {key}".encode())
        assert "fct_clock.child_key" in describing.astray(connection, described)
        connection.rollback()


def test_every_setting_that_a_feed_names_is_known(county: County) -> None:
    staged = _ask(
        county,
        "select table_name from information_schema.columns"
        " where table_schema = 'candidate_staging' and column_name = 'urn' order by 1",
    )
    assert len(staged) >= 9
    unknown = {}
    for (view,) in staged:
        [(unknown[view],)] = _ask(
            county,
            f"select count(*) from candidate_staging.{view} where urn is not null"
            " and urn not in (select establishment_urn from candidate_marts.dim_establishment)",
        )
    assert {view for view, count in unknown.items() if count} == set()
