-- The tables between the rooms. Raw tables follow the feed contracts and are made from them; candidate and live schemas are dbt's.
do $$
begin
    if not exists (select 1 from pg_roles where rolname = 'marts_reader') then
        create role marts_reader nologin;
    end if;
    if not exists (select 1 from pg_roles where rolname = 'returns_reader') then
        create role returns_reader nologin;
    end if;
end
$$;

create schema landing;
create schema identity;
create schema audit;
create schema raw_council;
create schema raw_icb;
create schema raw_reference;

create table landing.delivery (
    delivery_id bigint primary key,
    partnership text not null,
    organisation text not null check (organisation in ('council', 'icb', 'reference')),
    feed text not null,
    contract_version text not null,
    name text not null,
    content_sha256 text not null check (content_sha256 ~ '^[0-9a-f]{64}$'),
    period_key text,
    reference_on date,
    status text not null check (status in ('accepted', 'refused', 'superseded')),
    reason text,
    rows_in bigint not null,
    rows_loaded bigint not null,
    rows_quarantined bigint not null,
    received_at timestamptz not null default now(),
    unique (partnership, feed, content_sha256),
    -- Nothing that arrived is lost: the database itself holds the sum.
    constraint every_row_accounted_for check (rows_in = rows_loaded + rows_quarantined),
    constraint refused_says_why check (status <> 'refused' or reason is not null)
);
create index on landing.delivery (partnership, feed, period_key);
-- One delivery at most answers for a feed and period.
create unique index one_accepted_delivery on landing.delivery (partnership, feed, period_key) where status = 'accepted';

create table landing.delivery_table (
    delivery_id bigint not null references landing.delivery on delete cascade,
    table_name text not null,
    rows_in bigint not null,
    rows_loaded bigint not null,
    rows_quarantined bigint not null,
    primary key (delivery_id, table_name),
    constraint every_row_accounted_for check (rows_in = rows_loaded + rows_quarantined)
);

create table landing.delivery_file (
    delivery_id bigint not null references landing.delivery on delete cascade,
    file_name text not null,
    sha256 text not null,
    bytes bigint not null,
    primary key (delivery_id, file_name)
);

create table landing.quarantine (
    delivery_id bigint not null references landing.delivery on delete cascade,
    table_name text not null,
    row_number integer not null,
    reasons text[] not null check (cardinality(reasons) > 0),
    raw text not null
);
create index on landing.quarantine (delivery_id);

create table landing.arrival (
    partnership text not null,
    as_of date not null,
    feed text not null,
    organisation text not null,
    required boolean not null,
    due_on date,
    state text not null check (state in ('accepted', 'missing', 'refused', 'stale')),
    delivery_id bigint references landing.delivery on delete set null,
    detail text,
    primary key (partnership, as_of, feed)
);

create table audit.run (
    run_id text primary key,
    partnership text not null,
    as_of date not null,
    mode text not null check (mode in ('full', 'incremental')),
    code_version text not null,
    manifest_sha256 text not null,
    status text not null check (status in ('open', 'built', 'passed', 'failed', 'published')),
    opened_at timestamptz not null default now()
);

create table audit.run_delivery (
    run_id text not null references audit.run on delete cascade,
    delivery_id bigint not null references landing.delivery,
    primary key (run_id, delivery_id)
);

create table audit.stage (
    run_id text not null,
    stage text not null,
    outcome text not null check (outcome in ('success', 'failed', 'skipped')),
    seconds double precision not null,
    detail jsonb not null default '{}',
    primary key (run_id, stage)
);

create table audit.model_result (
    run_id text not null references audit.run on delete cascade,
    layer text not null,
    node text not null,
    resource_type text not null,
    status text not null,
    seconds double precision not null,
    rows_affected bigint,
    message text,
    primary key (run_id, layer, node)
);

create table audit.check_result (
    run_id text not null references audit.run on delete cascade,
    rule text not null,
    suite text not null,
    severity text not null,
    outcome text not null check (outcome in ('pass', 'fail', 'error')),
    failing_rows bigint,
    checked_rows bigint,
    blocks text not null,
    is_blocking boolean not null,
    message text not null,
    primary key (run_id, rule)
);

create table audit.finding (
    scope text not null check (scope in ('delivery', 'run')),
    delivery_id bigint references landing.delivery on delete cascade,
    run_id text references audit.run on delete cascade,
    rule text not null,
    severity text not null,
    table_name text not null,
    fields text[] not null,
    row_number bigint,
    record_key text,
    message text not null,
    check ((scope = 'delivery') = (delivery_id is not null)),
    check ((scope = 'run') = (run_id is not null))
);
create index on audit.finding (delivery_id);
create index on audit.finding (run_id, rule);

create table audit.live (
    partnership text primary key,
    run_id text not null references audit.run
);

create table identity.person (
    person_id text primary key,
    partnership text not null,
    first_run_id text not null
);

-- Which identifiers have been seen with which person, so that a person outlives the delivery that brought them.
create table identity.identifier (
    partnership text not null,
    kind text not null check (kind in ('upn', 'uln', 'nhs_number', 'council_person_id')),
    value text not null,
    person_id text not null,
    primary key (partnership, kind, value)
);

-- One row per source person record. No foreign keys: they would be checked row by row over a million rows at every
-- load, and the release gate checks the same with one query.
create table identity.link (
    delivery_id bigint not null,
    row_number integer not null,
    feed text not null,
    table_name text not null,
    person_id text not null,
    method text not null,
    score double precision not null check (score between 0 and 1),
    explanation text not null,
    primary key (delivery_id, table_name, row_number)
);

create table identity.review (
    review_id bigint generated always as identity primary key,
    partnership text not null,
    left_delivery_id bigint not null references landing.delivery on delete cascade,
    left_table text not null,
    left_row integer not null,
    right_delivery_id bigint not null references landing.delivery on delete cascade,
    right_table text not null,
    right_row integer not null,
    reason text not null,
    unique (left_delivery_id, left_table, left_row, right_delivery_id, right_table, right_row)
);
