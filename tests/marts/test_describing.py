"""What a BI tool reads in the database of the marts: a comment on everything, keys, and what refers to what."""

from typing import Any, Protocol

from psycopg import sql

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


def test_what_refers_to_a_dimension_is_in_it(county: County) -> None:
    astray = {}
    with connect(county.settings) as connection:
        for table in describing.tables(dbt.manifest(county.settings)):
            for column in table.columns:
                if column.refers_to:
                    [(missing,)] = connection.execute(
                        sql.SQL(
                            "select count(*) from {fact} as fact left join {dimension} as dimension using ({key})"
                            " where fact.{key} is not null and dimension.{key} is null"
                        ).format(
                            fact=sql.Identifier("candidate_marts", table.name),
                            dimension=sql.Identifier("candidate_marts", column.refers_to),
                            key=sql.Identifier(column.name),
                        )
                    ).fetchall()
                    astray[table.name, column.name] = missing
    assert {place: count for place, count in astray.items() if count} == {}
    assert len(astray) >= 5
