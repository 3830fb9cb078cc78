"""A migrated database with a candidate in it that passes every rule: both lists, their feeds and their run."""

import re
from collections.abc import Callable, Iterator

import psycopg
import pytest
import yaml

from send_returns.settings import PROJECT, Settings
from send_returns.warehouse import connect

_SHARED = """
    partnership text, person_id text, unique_id text, upn text, uln text, date_of_birth_on date, gender text,
    ethnicity text,    sen_primary_need text, main_establishment_urn text, main_establishment_phase text,
    subsidiary_establishment_phase text,    suspensions integer, permanent_exclusions integer,
    absence_pct numeric(5, 1), pupil_premium text,
    known_to_social_care text, social_care_team text, disability text
"""
_PLAN = (
    "initial_plan_issued_on date, updated_plan_issued_on date, plan_last_reviewed_on date, elective_home_education text"
)

_RAW = """
create table if not exists raw_council.sen2__person (
    persontableid text, upn text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.sen2__requests (
    requeststableid text, persontableid text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.sen2__assessment (
    assessmenttableid text, requeststableid text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.sen2__namedplan (
    namedplantableid text, assessmenttableid text, startdate date, ceasedate date,
    _delivery_id bigint, _row_number integer);
create table if not exists raw_council.school_census__school (
    nativeid text, urn text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.school_census__pupilonroll (
    pupilonrolltableid text, nativeid text, upn text, enrolstatus text, entrydate date, senprovision text,
    _delivery_id bigint, _row_number integer);
create table if not exists raw_council.cin_census__child (childtableid text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.ssda903__header (child text, _delivery_id bigint, _row_number integer);
create table if not exists raw_council.ehe_register__child (ehe_id text, _delivery_id bigint, _row_number integer);
create table if not exists raw_icb.csds__cyp001mpi (record_number text, _delivery_id bigint, _row_number integer);
"""

_FEEDS = """
insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name, content_sha256,
    period_key, reference_on, status, rows_in, rows_loaded, rows_quarantined)
values (1, 'hertfordshire', 'council', 'sen2', '1', 'sen2', repeat('1', 64), '2026', '2026-01-15', 'accepted',
        4 * {plans}, 4 * {plans}, 0),
       (2, 'hertfordshire', 'council', 'school_census', '1', '2026_autumn', repeat('2', 64), '2026_autumn',
        '2026-10-01', 'accepted', {support} + 1, {support} + 1, 0);
insert into landing.delivery_table (delivery_id, table_name, rows_in, rows_loaded, rows_quarantined)
values (1, 'person', {plans}, {plans}, 0), (1, 'requests', {plans}, {plans}, 0),
       (1, 'assessment', {plans}, {plans}, 0), (1, 'namedplan', {plans}, {plans}, 0),
       (2, 'school', 1, 1, 0), (2, 'pupilonroll', {support}, {support}, 0);
insert into landing.arrival (partnership, as_of, feed, organisation, required, state, delivery_id)
values ('hertfordshire', '2026-10-31', 'sen2', 'council', true, 'accepted', 1),
       ('hertfordshire', '2026-10-31', 'school_census', 'council', true, 'accepted', 2);
insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)
values ('r1', 'hertfordshire', '2026-10-31', 'full', 'test', repeat('0', 64), 'built');
insert into audit.run_delivery (run_id, delivery_id) values ('r1', 1), ('r1', 2);
insert into audit.check_result (run_id, rule, suite, severity, outcome, failing_rows, checked_rows, blocks, is_blocking,
    message) values ('r1', '101a', 'annex_a', 'error', 'pass', 0, 1, 'any', false, 'Date of birth is missing.');
insert into identity.person (person_id, partnership, first_run_id)
select 'p' || n, 'hertfordshire', 'r1' from generate_series(1, {plans} + {support}) as n;
insert into identity.link (delivery_id, row_number, feed, table_name, person_id, method, score, explanation)
select 1, n + 1, 'sen2', 'sen2__person', 'p' || n, 'exact', 1, 'UPN' from generate_series(1, {plans}) as n
union all
select 2, n + 1, 'school_census', 'school_census__pupilonroll', 'p' || {plans} + n, 'exact', 1, 'UPN'
from generate_series(1, {support}) as n;
insert into raw_council.sen2__person (persontableid, _delivery_id, _row_number)
select n, 1, n + 1 from generate_series(1, {plans}) as n;
insert into raw_council.sen2__requests (requeststableid, persontableid, _delivery_id, _row_number)
select n, n, 1, n + 1 from generate_series(1, {plans}) as n;
insert into raw_council.sen2__assessment (assessmenttableid, requeststableid, _delivery_id, _row_number)
select n, n, 1, n + 1 from generate_series(1, {plans}) as n;
insert into raw_council.sen2__namedplan (namedplantableid, assessmenttableid, startdate, _delivery_id, _row_number)
select n, n, date '2020-01-01' + n % 1000, 1, n + 1 from generate_series(1, {plans}) as n;
insert into raw_council.school_census__school (nativeid, urn, _delivery_id, _row_number) values ('S1', '100001', 2, 2);
insert into raw_council.school_census__pupilonroll
    (pupilonrolltableid, nativeid, enrolstatus, entrydate, senprovision, _delivery_id, _row_number)
select n, 'S1', 'C', '2024-09-01', 'K', 2, n + 1 from generate_series(1, {support}) as n;
"""

_CHILD = """
    'hertfordshire', 'p' || n, 'U' || lpad(n::text, 8, '0'), 'A' || lpad(n::text, 12, '0'), null,
    date '2010-09-01' + n % 3000, case n % 2 when 0 then 'a) Male' else 'b) Female' end, 'a) WBRI', 'k) ASD', '100001',
    'b) Primary', null, n % 3, 0, (n % 200) / 10.0, 'b) No', 'b) No', null, 'a) Yes'
"""


# What the rules of the SEN2 return read beside its own tables.
_BESIDE = """
create table candidate_intermediate.int_sen2__returned (record text, _delivery_id bigint, _row_number integer);
create table candidate_staging.stg_school_census__pupil (person_id text, upn text);
create table candidate_staging.stg_gias__establishment (urn text, establishment_type text, closed_on date);
"""
_STAGED = ("person", "request", "assessment", "named_plan", "plan_detail", "active_plan", "placement", "need")
_SEN2_ROWS = """
insert into candidate_returns.return_sen2__header (partnership, sen2tableid, collection, year, referencedate, lea)
values ('hertfordshire', 1, 'SEN2', 2026, '2026-01-15', '919');
insert into candidate_returns.return_sen2__person (partnership, person_id, persontableid, sen2tableid, surname,
    forename, personbirthdate, sex, ethnicity, postcode, upn, rows_as_sent)
values ('hertfordshire', 'p1', 1, 1, 'Ash', 'Anna', '2012-02-29', 'F', 'WBRI', 'SG1 1AA', 'A000000000000', 1);
"""


# One action, one measure, and one referral in each table of waits, with all the totals that it is part of.
_STATISTICS_ROWS = """
insert into candidate_marts.dim_measure (measure, indicator_code, statistic) values ('H09', 'H09', 'share');
insert into candidate_marts.mart_indicator (measure, indicator_code, period_kind, period_to_on, is_headline,
    geography_type, geography_code, breakdown, breakdown_value, numerator, denominator, value)
values ('H09', 'H09', 'as_of', '2026-10-31', true, 'partnership', 'hertfordshire', 'total', 'total', 1, 2, 50);
insert into candidate_returns.return_area_send_evidence__indicator (partnership, failing_code, measure)
values ('hertfordshire', 'F10', 'H09');
insert into candidate_marts.mart_golden_thread (check_code, part, expected, found, is_met)
select 'GT0' || n, 'all', 40, 40, true from generate_series(1, 6) as n
union all
select 'GT07', 'dim_child', null, 40, null;
insert into candidate_returns.return_health_waits__figure (partnership, return_table, measure, period_to_on,
    geography_type, geography_code, breakdown_value, numerator)
select 'hertfordshire', 'health_waits_' || of, of, '2026-10-31', geography_type, geography_code,
    service || ' | ' || band || ' | ' || provider, 1
from unnest(array['open', 'completed']) as of, unnest(array['autism', 'total']) as service,
    unnest(array['0 to 1 weeks', 'total']) as band,
    (values ('partnership', 'hertfordshire', 'total'), ('district', 'E07000241', 'total'),
        ('partnership', 'hertfordshire', 'RY4')) as place (geography_type, geography_code, provider);
insert into candidate_returns.return_health_waits__figure (partnership, return_table, measure, period_to_on,
    geography_type, geography_code, breakdown, breakdown_value, numerator, denominator)
select 'hertfordshire', 'health_waits_autism', 'past_13_weeks', '2026-10-31', place.*, 1, 2
from (values ('partnership', 'hertfordshire', 'total', 'total'), ('partnership', 'hertfordshire', 'provider', 'RY4'),
    ('district', 'E07000241', 'total', 'total')) as place;
insert into candidate_returns.return_improvement_plan_progress__action (partnership, action_number, started_on, due_on,
    status) values ('hertfordshire', 'A1', '2026-01-01', '2026-12-01', 'green');
insert into candidate_returns.return_improvement_plan_progress__milestone (partnership, milestone_number, action_number,
    indicator_code) values ('hertfordshire', 'M1', 'A1', 'H09');
insert into candidate_returns.return_improvement_plan_progress__aim (partnership, action_number, measure)
values ('hertfordshire', 'A1', 'H09');
"""


def _make_models(connection: psycopg.Connection, folder: str, file: str, only: str = "") -> None:
    """Empty tables of the models that a file of the project describes; or of those that a pattern has."""
    described = PROJECT / "dbt_project" / "models" / folder / file
    for model in yaml.safe_load(described.read_text(encoding="utf-8"))["models"]:
        if re.match(only, model["name"]):
            columns = ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])
            connection.execute(f"create table candidate_{folder}.{model['name']} ({columns})".encode())


def _make_statistics(connection: psycopg.Connection) -> None:
    """The tables of the statistical returns as the project has them, with as much in them as they must have."""
    _make_models(connection, "returns", "_statistics__models.yml")
    _make_models(connection, "marts", "_indicators__models.yml", "(dim_measure|mart_indicator|mart_golden_thread)$")
    connection.execute(_STATISTICS_ROWS.encode())


def _make_sen2(connection: psycopg.Connection) -> None:
    """The tables of the SEN2 return as the project has them, with one child in them."""
    _make_models(connection, "returns", "_sen2__models.yml")
    connection.execute(_BESIDE.encode())
    for name in _STAGED:
        connection.execute(
            f"create table candidate_staging.stg_sen2__{name} (_delivery_id bigint, _row_number integer)".encode()
        )
    connection.execute(_SEN2_ROWS.encode())


def _make_tables(connection: psycopg.Connection) -> None:
    """Empty candidate lists and a mart beside them, in fresh candidate schemas."""
    for schema in ("candidate_returns", "candidate_marts", "candidate_staging", "candidate_intermediate"):
        connection.execute(f"drop schema if exists {schema} cascade".encode())
        connection.execute(f"create schema {schema}".encode())
    connection.execute(f"create table candidate_returns.return_annex_a__list_1 ({_SHARED}, {_PLAN})".encode())
    connection.execute(f"create table candidate_returns.return_annex_a__list_2 ({_SHARED})".encode())
    connection.execute("create table candidate_marts.fct_child (person_id text)")
    _make_sen2(connection)
    _make_statistics(connection)


def _make_candidate(connection: psycopg.Connection, plans: int = 40, support: int = 60) -> None:
    """A candidate of run `r1` that passes every rule: `plans` rows on List 1, `support` on List 2."""
    _make_tables(connection)
    connection.execute(_RAW.encode())
    connection.execute(_FEEDS.format(plans=plans, support=support).encode())
    _fill_lists(connection, plans, support)


def _fill_lists(connection: psycopg.Connection, plans: int = 40, support: int = 60) -> None:
    """The rows of both lists, without a fault."""
    connection.execute(
        f"insert into candidate_returns.return_annex_a__list_1 select {_CHILD}, date '2020-01-01' + n % 1000,"
        f" date '2023-06-01', date '2025-10-01', 'b) No' from generate_series(1, {plans}) as n".encode()
    )
    connection.execute(
        f"insert into candidate_returns.return_annex_a__list_2 select {_CHILD}"
        f" from generate_series({plans} + 1, {plans} + {support}) as n".encode()
    )


@pytest.fixture
def candidate(database: Settings) -> Settings:
    """Settings of a database whose run `r1` has built a candidate without a fault."""
    with connect(database) as connection:
        _make_candidate(connection)
    return database


@pytest.fixture
def connection(candidate: Settings) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the candidate's database."""
    with connect(candidate, autocommit=True) as opened:
        yield opened


@pytest.fixture
def rebuild(connection: psycopg.Connection) -> Callable[[], None]:
    """Builds the candidate's tables again, as the next run of dbt would."""

    def build() -> None:
        _make_tables(connection)
        _fill_lists(connection)

    return build
