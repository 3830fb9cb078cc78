import psycopg

from send_returns.bench.gate import ask, gate_ratio
from send_returns.quality import gating
from send_returns.settings import Settings


def test_the_hand_written_query_and_the_gate_count_the_same(
    candidate: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("""
        update candidate_returns.return_annex_a__list_1 set gender = null, upn = 'A1' where right(person_id, 1) = '3';
        update candidate_returns.return_annex_a__list_1 set plan_last_reviewed_on = '2019-01-01'
        where right(person_id, 1) = '4';
        update candidate_returns.return_annex_a__list_2 set main_establishment_urn = null, ethnicity = 'x'
        where person_id > 'p7';
        update candidate_returns.return_annex_a__list_2 set person_id = 'p5', date_of_birth_on = '2000-01-01'
        where upn like '%9';
        update raw_council.school_census__pupilonroll set senprovision = 'N' where _row_number < 5;
        delete from raw_council.sen2__requests where requeststableid = '7';
        update landing.arrival set state = 'stale'
    """)
    gating.judge(candidate, "r1", stops="release")
    results = connection.execute("select rule, failing_rows, checked_rows from audit.check_result").fetchall()

    assert ask(candidate, "r1") == {rule: (failing, checked) for rule, failing, checked in results}
    assert sum(failing > 0 for _, failing, _ in results) > 12


def test_the_ratio_is_measured_before_and_after_the_swap(candidate: Settings) -> None:
    assert gate_ratio(candidate, "r1")["rules"] == 64
    gating.gate(candidate, "r1")
    assert gate_ratio(candidate, "r1")["rules"] == 64
