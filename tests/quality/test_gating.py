import csv
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from send_returns.failure import Failure
from send_returns.quality import GateFailed, expectation, gate, gating, rules
from send_returns.quality.rules import Rule
from send_returns.settings import PROJECT, Settings

CANARY = "Zyxwvut"


def _rows(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def _set(connection: psycopg.Connection, a_list: int, assignment: str, where: str) -> None:
    connection.execute(
        f"update candidate_returns.return_annex_a__list_{a_list} set {assignment} where {where}".encode()
    )


def test_a_faultless_candidate_passes_and_goes_live(candidate: Settings, connection: psycopg.Connection) -> None:
    result = gate(candidate, "r1")

    assert result == {"run_id": "r1", "rules": 170, "passed": 170, "failed": 0, "findings": 0}
    assert _rows(connection, "select count(*) from returns.return_annex_a__list_1") == [(40,)]
    assert _rows(connection, "select partnership, run_id from audit.live") == [("hertfordshire", "r1")]
    assert _rows(connection, "select status from audit.run") == [("passed",)]
    assert _rows(connection, "select count(*) from audit.check_result where checked_rows > 0") == [(108,)]
    assert _rows(connection, "select to_regnamespace('candidate_returns'), to_regnamespace('candidate_audit')") == [
        (None, None)
    ]


def test_the_gate_runs_twice_with_the_same_result(candidate: Settings, rebuild: Callable[[], None]) -> None:
    first = gate(candidate, "r1")
    assert gate(candidate, "r1") == first
    rebuild()
    assert gate(candidate, "r1") == first


FAULTS = [
    ("121", 1, "unique_id = (select min(unique_id) from candidate_returns.return_annex_a__list_2)", "person_id = 'p3'"),
    ("122", 1, "person_id = 'p50'", "person_id = 'p3'"),
    ("120", 1, "unique_id = 'U00000004'", "person_id = 'p3'"),
    ("110a", 1, f"gender = '{CANARY}'", "person_id = 'p3'"),
    ("210c", 2, f"sen_primary_need = '{CANARY}'", "person_id = 'p70'"),
]


@pytest.mark.parametrize(("rule", "a_list", "assignment", "where"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_one_bad_row_of_a_rule_that_allows_none_publishes_nothing(
    candidate: Settings, connection: psycopg.Connection, rule: str, a_list: int, assignment: str, where: str
) -> None:
    _set(connection, a_list, assignment, where)
    with pytest.raises(GateFailed) as failed:
        gate(candidate, "r1")

    assert any(line.startswith(f"{rule}: ") for line in failed.value.lines)
    assert CANARY not in str(failed.value)
    assert _rows(connection, "select to_regnamespace('returns'), (select count(*) from audit.live)") == [(None, 0)]
    assert _rows(connection, "select status from audit.run") == [("failed",)]


def test_a_failure_leaves_what_was_live_untouched(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None]
) -> None:
    gate(candidate, "r1")
    before = _rows(connection, "select to_regclass('returns.return_annex_a__list_1')::oid")
    rebuild()
    connection.execute("delete from candidate_returns.return_annex_a__list_2")
    with pytest.raises(GateFailed, match=r"not_empty\.list_2: 1 of 0 rows") as failed:
        gate(candidate, "r1")

    assert "224: 60 of 60 rows" in str(failed.value)
    assert _rows(connection, "select to_regclass('returns.return_annex_a__list_1')::oid") == before


def test_missing_values_block_by_their_share(candidate: Settings, connection: psycopg.Connection) -> None:
    _set(connection, 1, "ethnicity = null", "person_id in ('p1', 'p2')")
    gating.judge(candidate, "r1")
    assert _rows(
        connection,
        "select outcome, failing_rows, checked_rows, is_blocking from audit.check_result where rule = '101c'",
    ) == [("fail", 2, 40, False)]
    _set(connection, 1, "ethnicity = null", "person_id = 'p3'")
    assert gating.judge(candidate, "r1") == [
        "101c: 3 of 40 rows. Ethnicity is missing. Fill it in from the case record; where it was not obtained, say so"
        " with the layout's wording for that."
    ]


def test_a_query_never_blocks(candidate: Settings, connection: psycopg.Connection) -> None:
    _set(connection, 1, "plan_last_reviewed_on = '2027-01-01'", "true")
    assert gate(candidate, "r1")["findings"] == 40


def test_a_torn_thread_is_on_record_by_its_check_and_stops_nothing(
    candidate: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        "update candidate_marts.mart_golden_thread set found = 31, is_met = false where check_code = 'GT03'"
    )
    assert gate(candidate, "r1")["findings"] == 1
    failed = _rows(connection, "select rule, is_blocking, message from audit.check_result where outcome <> 'pass'")
    assert failed == [("evidence.GT03", False, "Not within its band: Children on List 2 are in the census.")]
    assert _rows(connection, "select record_key from audit.finding where rule = 'evidence.GT03'") == [("GT03",)]


def test_every_check_of_the_golden_thread_is_a_rule_by_its_name() -> None:
    with (PROJECT / "dbt_project" / "seeds" / "golden_thread_checks.csv").open(encoding="utf-8", newline="") as file:
        named = {f"evidence.{row['check_code']}": row["check_name"] for row in csv.DictReader(file)}
    told = {rule.code: rule.message for rule in rules.load(date(2026, 10, 31), "gate") if rule.code in named}
    assert told == {code: f"Not within its band: {name}." for code, name in named.items()}


def test_every_failing_row_is_on_record_once_and_without_its_values(
    candidate: Settings, connection: psycopg.Connection
) -> None:
    _set(connection, 1, f"gender = '{CANARY}'", "true")
    for _ in range(2):
        gating.judge(candidate, "r1")
    found = _rows(connection, "select * from audit.finding where rule = '110a' order by row_number")
    assert len(found) == 40
    assert found[0] == ("run", None, "r1", "110a", "error", "return_annex_a__list_1", ["gender"], 2, "p1",
                        "The wording is not one that the layout lists for this column.")  # fmt: skip
    everything = str(
        _rows(connection, "select f::text from audit.finding f union all select c::text from audit.check_result c")
    )
    assert CANARY not in everything
    assert not re.search(r"U0000|A0000|2010-", everything)


def test_row_numbers_follow_the_published_order(candidate: Settings, connection: psycopg.Connection) -> None:
    _set(connection, 1, "unique_id = 'Z' || unique_id", "person_id = 'p1'")
    _set(connection, 1, "gender = null", "person_id in ('p1', 'p2')")
    gating.judge(candidate, "r1")
    found = _rows(connection, "select record_key, row_number from audit.finding where rule = '101b' order by 2")
    assert found == [("p2", 2), ("p1", 41)]


def _with(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Have one of the rules written differently."""
    load = rules.load

    def changed(as_of: date, scope: rules.Scope) -> list[Rule]:
        return [replace(rule, **changes) if rule.code == "101b" else rule for rule in load(as_of, scope)]

    monkeypatch.setattr(rules, "load", changed)


@pytest.mark.parametrize(
    "condition", ["no_such_column is null", "1 / (length(gender) - length(gender)) = 1", "gender is null is"]
)
def test_a_rule_that_raises_blocks_and_leaves_the_others_at_work(
    candidate: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    _with(monkeypatch, condition=condition, blocks="never", severity="query")
    _set(connection, 1, "ethnicity = null", "person_id = 'p1'")
    with pytest.raises(GateFailed, match="101b: the rule could not be evaluated") as failed:
        gate(candidate, "r1")

    assert len(failed.value.lines) == 1
    outcomes = _rows(
        connection,
        "select rule, outcome, failing_rows, is_blocking from audit.check_result where outcome <> 'pass' order by 1",
    )
    assert outcomes == [("101b", "error", None, True), ("101c", "fail", 1, False)]
    assert _rows(connection, "select to_regnamespace('returns')") == [(None,)]


def test_a_judge_that_cannot_connect_is_one_line_without_the_password(tmp_path: Path) -> None:
    nowhere = Settings(home=tmp_path, database_url="postgresql://owner:Qx7Canary@127.0.0.1:9/nothing")
    with pytest.raises(Failure, match="nothing was judged") as failure:
        expectation.validate(nowhere, "candidate_audit", "counts", [])
    assert "Qx7Canary" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_a_candidate_that_was_not_built_is_an_error(candidate: Settings, connection: psycopg.Connection) -> None:
    connection.execute("drop schema candidate_returns cascade")
    with pytest.raises(GateFailed, match="101a: the rule could not be evaluated"):
        gate(candidate, "r1")


def test_a_count_that_differs_from_the_findings_is_an_error(
    candidate: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        "create function lose() returns trigger language plpgsql as"
        " $$ begin return case when new.record_key <> 'p1' then new end; end $$;"
        " create trigger lose before insert on audit.finding for each row execute function lose()"
    )
    _set(connection, 1, "plan_last_reviewed_on = '2027-01-01'", "true")
    with pytest.raises(GateFailed, match="105d: the rule could not be evaluated"):
        gate(candidate, "r1")


ELSEWHERE = [
    ("123", "update raw_council.sen2__namedplan set ceasedate = '2026-10-31' where namedplantableid = '7'", "p7"),
    ("123", "update raw_council.sen2__namedplan set startdate = '2026-11-01' where namedplantableid = '7'", "p7"),
    ("124", "delete from candidate_returns.return_annex_a__list_1 where person_id = 'p7'", "p7"),
    ("223", "update raw_council.school_census__pupilonroll set senprovision = 'N' where _row_number = 8", "p47"),
    ("223", "update landing.delivery set reference_on = '2026-11-01' where delivery_id = 2", "p41"),
    ("224", "delete from candidate_returns.return_annex_a__list_2 where person_id = 'p47'", "p47"),
    ("freshness.arrivals", "update landing.arrival set state = 'stale' where feed = 'sen2'", "sen2"),
    ("freshness.manifest", "update landing.delivery set status = 'refused', reason = 'x' where delivery_id = 1", "1"),
    ("reconciliation.rows", "delete from raw_council.sen2__requests where requeststableid = '7'", "1 requests"),
    ("reconciliation.identity", "delete from identity.link where person_id = 'p7'", "1 sen2__person 8"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "change", "key"), ELSEWHERE)
def test_what_the_feeds_contradict_stops_the_release(
    candidate: Settings, connection: psycopg.Connection, rule: str, change: str, key: str
) -> None:
    connection.execute(change.encode())
    with pytest.raises(GateFailed, match=f"(?m)^{re.escape(rule)}: "):
        gate(candidate, "r1")
    keys = _rows(connection, f"select record_key from audit.finding where rule = '{rule}' order by row_number")
    assert keys[0] == (key,)


def test_a_plan_that_ceases_after_the_reporting_date_is_active(
    candidate: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("update raw_council.sen2__namedplan set ceasedate = '2026-11-01'")
    assert gating.judge(candidate, "r1") == []


@pytest.mark.parametrize(("keep", "passes"), [(32, True), (31, False)])
def test_a_list_that_shrinks_beyond_the_band_is_refused(
    candidate: Settings, connection: psycopg.Connection, rebuild: Callable[[], None], keep: int, passes: bool
) -> None:
    gate(candidate, "r1")
    connection.execute(
        "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
        " select 'r2', partnership, as_of, mode, code_version, manifest_sha256, 'built' from audit.run;"
        "insert into audit.run_delivery select 'r2', delivery_id from audit.run_delivery"
    )
    rebuild()
    connection.execute(
        "delete from candidate_returns.return_annex_a__list_1 where substr(person_id, 2)::int > %s", [keep]
    )
    lines = gating.judge(candidate, "r2")
    assert any(line.startswith("volume.list_1: ") for line in lines) != passes
