import os
import secrets
import threading
from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from send_returns.quality import GateFailed, SwapError, gate, swap
from send_returns.settings import Settings
from send_returns.warehouse import address, connect

MARTS = "select max(person_id), count(*) from marts.fct_child"
RETURNS = """
    select (select max(social_care_team) from returns.return_annex_a__list_1),
        (select max(social_care_team) from returns.return_annex_a__list_2)
"""


def _mark(connection: psycopg.Connection, generation: int) -> None:
    """Have every table of the candidate say of which generation it is."""
    mark = f"g{generation:03d}"
    connection.execute(f"insert into candidate_marts.fct_child values ('{mark}')".encode())
    for number in (1, 2):
        connection.execute(
            f"update candidate_returns.return_annex_a__list_{number} set social_care_team = '{mark}'".encode()
        )


def test_readers_never_miss_a_table_nor_see_two_generations(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    _mark(connection, 0)
    swap.swap(candidate, "r1")
    done = threading.Event()
    seen: list[tuple[str, int, str, str]] = []
    failures: list[psycopg.Error] = []

    def read() -> None:
        with connect(candidate, autocommit=True) as reader:
            while not done.is_set():
                try:
                    # Two statements of one transaction, as a dashboard's page: the swap must not come between them.
                    with reader.transaction():
                        marts = reader.execute(MARTS.encode()).fetchall()
                        returns = reader.execute(RETURNS.encode()).fetchall()
                    seen.append((*marts[0], *returns[0]))
                except psycopg.Error as error:
                    failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for generation in range(1, 21):
        rebuild()
        _mark(connection, generation)
        swap.swap(candidate, "r1")
    done.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert {mart for mart, *_ in seen} >= {"g001", "g020"}
    assert all(mart == first == second and rows == 1 for mart, rows, first, second in seen)


def test_a_reader_in_the_middle_of_a_query_is_waited_for(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    swap.swap(candidate, "r1")
    rebuild()
    with connect(candidate) as reader:
        reader.execute("select count(*) from returns.return_annex_a__list_1")
        with pytest.raises(SwapError, match="A reader has kept marts or returns locked"):
            swap.swap(candidate, "r1", patience=0.5)
        assert reader.execute("select count(*) from returns.return_annex_a__list_2").fetchone() == (60,)
    swap.swap(candidate, "r1", patience=5)
    assert connection.execute("select to_regnamespace('candidate_returns')").fetchone() == (None,)


def test_each_reader_may_read_its_own_schema_and_no_other(candidate: Settings, connection: psycopg.Connection) -> None:
    swap.swap(candidate, "r1")
    for role, may in (("marts_reader", [True, False]), ("returns_reader", [False, True])):
        rights = connection.execute(
            "select has_schema_privilege(%(role)s, 'marts', 'usage')"
            " and has_table_privilege(%(role)s, 'marts.fct_child', 'select'),"
            " has_table_privilege(%(role)s, 'returns.return_annex_a__list_1', 'select')",
            {"role": role},
        ).fetchone()
        assert list(rights or ()) == may


def test_who_reads_figures_reads_no_case_and_no_child(candidate: Settings, connection: psycopg.Connection) -> None:
    connection.execute("create table candidate_marts.mart_of_figures (value integer)")
    connection.execute("create table candidate_marts.mart_of_children (child_key text)")
    connection.execute("create table candidate_marts.dim_place (code text)")
    swap.swap(candidate, "r1")
    rights = dict(
        connection.execute(
            "select relname::text, has_table_privilege('figures_reader', oid, 'select') from pg_class"
            " where relnamespace = 'marts'::regnamespace and relkind = 'r'"
        ).fetchall()
    )
    may = {name for name, is_read in rights.items() if is_read}
    assert {"mart_of_figures", "dim_place"} <= may
    assert {"fct_child", "mart_of_children"} <= rights.keys() - may


def test_a_view_among_the_candidates_is_refused(candidate: Settings, connection: psycopg.Connection) -> None:
    connection.execute("create view candidate_marts.child as select person_id from candidate_marts.fct_child")
    with pytest.raises(SwapError, match=r"candidate_marts\.child is a view"):
        gate(candidate, "r1")
    assert connection.execute("select to_regnamespace('returns')").fetchone() == (None,)


def test_a_swap_that_dies_half_way_changes_nothing(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    gate(candidate, "r1")
    rebuild()
    connection.execute("alter table audit.live add constraint no_more check (run_id <> 'r1') not valid")
    with pytest.raises(psycopg.errors.CheckViolation):
        gate(candidate, "r1")
    found = connection.execute("select to_regnamespace('returns')::text, to_regnamespace('candidate_returns')::text")
    assert found.fetchone() == ("returns", "candidate_returns")


def test_a_mart_that_was_not_built_again_does_not_linger(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    gate(candidate, "r1")
    rebuild()
    connection.execute("drop schema candidate_marts cascade")
    gate(candidate, "r1")
    assert connection.execute("select to_regclass('marts.fct_child')").fetchone() == (None,)


def test_after_a_failure_a_repaired_candidate_passes(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    connection.execute("update candidate_returns.return_annex_a__list_1 set gender = 'x'")
    with pytest.raises(GateFailed):
        gate(candidate, "r1")
    rebuild()
    gate(candidate, "r1")
    assert connection.execute("select status from audit.run").fetchone() == ("passed",)


def _login(candidate: Settings, owner: psycopg.Connection, role: str) -> psycopg.Connection:
    """A session of a new login that is a member of a role."""
    at, login, password = address(candidate), f"{role}_{os.getpid()}", secrets.token_urlsafe()
    owner.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))
    owner.execute(
        sql.SQL("create role {} login password {} in role {}").format(
            sql.Identifier(login), sql.Literal(password), sql.Identifier(role)
        )
    )
    owner.commit()
    return psycopg.connect(host=at.host, port=at.port, user=login, password=password, dbname=at.database)


STAR = """
create table candidate_marts.dim_thing (partnership text, thing_key text primary key, thing_name text);
comment on column candidate_marts.dim_thing.thing_name is 'What it is called.';
create table candidate_marts.fct_use (
    partnership text, thing_key text references candidate_marts.dim_thing not enforced, uses integer);
insert into candidate_marts.dim_thing values ('of the dimension', 'a', 'anvil');
insert into candidate_marts.fct_use values ('of the fact', 'a', 3), ('of the fact', 'b', 4);
"""


def test_who_reads_marts_is_let_in_and_reads_a_fact_with_its_dimensions_and_no_join(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    database = sql.Identifier(address(candidate).database)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    connection.execute(STAR)
    connection.commit()
    with pytest.raises(psycopg.OperationalError, match="CONNECT"):
        _login(candidate, connection, "marts_reader")
    swap.swap(candidate, "r1")
    with _login(candidate, connection, "marts_reader") as reader:
        rows = reader.execute("select partnership, thing_key, uses, thing_name from stars.fct_use order by 2")
        assert rows.fetchall() == [("of the fact", "a", 3, "anvil"), ("of the fact", "b", 4, None)]
        comment = reader.execute("select col_description('stars.fct_use'::regclass, 4)").fetchone()
        assert comment == ("What it is called.",)
    with (
        _login(candidate, connection, "returns_reader") as reader,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reader.execute("select from stars.fct_use")
    rebuild()
    swap.swap(candidate, "r1")
    assert connection.execute("select to_regclass('stars.fct_use')").fetchone() == (None,)


BLOCKED = "update audit.check_result set is_blocking = true"


def test_what_passed_its_gate_is_on_record_with_its_inputs(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    gate(candidate, "r1")
    [(rules,)] = connection.execute("select count(*) from audit.check_result").fetchall()
    passes = "select run_id, inputs_sha256, rules from audit.gate_pass"
    assert connection.execute(passes).fetchall() == [("r1", "0" * 64, rules)]
    rebuild()
    swap.swap(candidate, "r1")
    assert len(connection.execute(passes).fetchall()) == 1


@pytest.mark.parametrize(
    "spoil", ["update audit.check_result set is_blocking = true", "delete from audit.check_result"]
)
def test_the_database_lets_nothing_live_that_did_not_pass(
    spoil: str, candidate: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(spoil.encode())
    with pytest.raises(psycopg.errors.CheckViolation):
        swap.swap(candidate, "r1")
    assert connection.execute("select to_regnamespace('returns')").fetchone() == (None,)
    assert connection.execute("select count(*) from audit.gate_pass").fetchone() == (0,)
