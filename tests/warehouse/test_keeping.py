"""What an incremental build leaves is what a full one leaves, row by row, and it leaves alone what did not change."""

from datetime import date
from pathlib import Path

import pytest
from psycopg import sql

from send_returns import feeds, stages
from send_returns.identity import pseudonyms
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)
Rows = dict[str, tuple[int, str]]


def land(settings: Settings, inbox: Path) -> None:
    for organisation in feeds.ORGANISATIONS:
        stages.land(settings, organisation, inbox, AS_OF)


def build(settings: Settings, mode: stages.Mode = "incremental") -> dict[str, int]:
    """Open a run and build it; how many nodes were kept, by layer."""
    run_id = stages.open_run(settings, AS_OF, mode)
    stages.link(settings, run_id)
    return {layer: stages.build(settings, run_id, layer)["kept"] for layer in stages.LAYERS}


def gate(settings: Settings) -> None:
    with connect(settings) as connection:
        ((run_id,),) = connection.execute("select run_id from audit.built group by 1").fetchall()
    stages.gate(settings, run_id)


def rows(settings: Settings, prefix: str = "candidate_") -> Rows:
    """Of every table of the intermediate room, the marts and the returns: how many rows, and a digest of them all."""
    schemas = ["candidate_intermediate", "candidate_reference", f"{prefix}marts", f"{prefix}returns"]
    with connect(settings) as connection:
        tables = connection.execute(
            "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
            " where relkind in ('r', 'v') and nspname = any(%s)",
            [schemas],
        ).fetchall()
        query = sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {} as t")
        return {
            f"{schema}.{table}": connection.execute(query.format(sql.Identifier(schema, table))).fetchall()[0]
            for schema, table in tables
        }


def views(settings: Settings) -> dict[str, str]:
    """The stars by name, and what they select."""
    with connect(settings) as connection:
        return dict(
            connection.execute("select viewname, definition from pg_views where schemaname = 'stars'").fetchall()
        )


def oids(settings: Settings, *schemas: str) -> dict[str, int]:
    """The tables of some schemas by name, and what Postgres calls them by."""
    with connect(settings) as connection:
        return dict(
            connection.execute(
                "select relname, oid::bigint from pg_class where relkind = 'r'"
                " and relnamespace::regnamespace::text = any(%s)",
                [list(schemas)],
            ).fetchall()
        )


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A small county's deliveries."""
    simulate(tmp_path, children=200, seed=2026, as_of=AS_OF, mess="none")
    return tmp_path / "inbox"


def _corrected(inbox: Path) -> None:
    """The register of short breaks again, without its last three requests."""
    (file,) = (inbox / "council" / "short_breaks").glob("*/*_request.csv")
    file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-3]), encoding="utf-8")


@pytest.mark.timeout(600)
def test_what_is_kept_and_what_is_built_are_what_a_full_build_makes(
    database: Settings, inbox: Path, tmp_path: Path
) -> None:
    (late,) = (inbox / "icb" / "mhsds").glob("mhsds_2026-27")
    late.rename(tmp_path / late.name)
    pseudonyms.new(database, pseudonyms.MARTS)
    land(database, inbox)
    assert build(database) == dict.fromkeys(stages.LAYERS, 0)
    gate(database)
    before, stars = oids(database, "marts", "returns", "candidate_intermediate"), views(database)

    # A correction of one register: what does not come of it stays where it is, also when it goes live again.
    _corrected(inbox)
    land(database, inbox)
    kept = build(database)
    assert kept["staging"] > 90
    assert kept["intermediate"] > 30
    assert kept["returns"] > 60
    built = rows(database)
    gate(database)
    assert rows(database, "") == {
        name.replace("candidate_m", "m").replace("candidate_ret", "ret"): value for name, value in built.items()
    }
    after = oids(database, "marts", "returns", "candidate_intermediate")
    assert before.keys() == after.keys()
    same = {name for name in before if before[name] == after[name]}
    assert {"fct_exclusion", "fct_health_contact", "int_health_spell", "return_annex_a__list_1"} <= same
    assert not {"fct_short_break_request", "int_indicator__care", "mart_indicator", "dim_child"} & same
    assert views(database) == stars
    # Made anew or half of it kept, what tools ask each time is found by its index.
    with connect(database) as connection:
        indexed = connection.execute(
            "select tablename, indexdef ~ 'btree', indexdef ~ 'brin' from pg_indexes"
            " where schemaname = 'marts' and tablename !~ '^dim_'"
        ).fetchall()
    assert sorted(indexed) == [("fct_indicator_case", False, True), ("mart_indicator", True, False)]

    # A delivery more, and another after it that no gate has judged in between.
    (tmp_path / late.name).rename(late)
    land(database, inbox)
    kept = build(database)
    assert 0 < kept["intermediate"] < 60
    _corrected(inbox)
    land(database, inbox)
    assert build(database)["returns"] > kept["returns"]
    left = rows(database)
    assert build(database, "full") == dict.fromkeys(stages.LAYERS, 0)
    full = rows(database)
    assert {name for name in full if left.get(name) != full[name]} == set()
    assert left.keys() == full.keys()
