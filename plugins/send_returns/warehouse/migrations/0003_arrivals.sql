-- What is expected of each feed for each period, and every delivery that came for it. `landing.arrival` is what a run
-- asks before it starts: the latest of each feed.
create table landing.expectation (
    partnership text not null,
    as_of date not null,
    organisation text not null,
    feed text not null,
    supplier text not null,
    period text not null,
    -- The day that the period is about: its last day, or a census day.
    period_on date not null,
    due_on date not null,
    state text not null check (state in (
        'on_time', 'late', 'early', 'came', 'duplicate', 'superseded', 'refused', 'held', 'missing', 'not_yet_due'
    )),
    delivery_id bigint references landing.delivery on delete cascade,
    received_on date,
    constraint nothing_came_or_a_delivery check ((delivery_id is null) = (state in ('missing', 'not_yet_due'))),
    unique nulls not distinct (partnership, as_of, feed, period_on, delivery_id)
);
create index on landing.expectation (delivery_id);

-- What a supplier's files hold that the contract does not know, and what would let it in. `subject` is a heading, or a
-- code that is plainly a code; never a value that could be a person's.
create table landing.drift (
    drift_id bigint generated always as identity primary key,
    partnership text not null,
    feed text not null,
    table_name text not null,
    kind text not null check (kind in ('header', 'code', 'type')),
    column_name text not null,
    subject text not null,
    suggestion jsonb not null,
    evidence jsonb not null,
    first_delivery_id bigint not null references landing.delivery on delete cascade,
    state text not null default 'proposed' check (state in ('proposed', 'accepted', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    unique (partnership, feed, table_name, kind, column_name, subject),
    constraint decided_says_by_whom check ((state = 'proposed') = (decided_at is null))
);
create index on landing.drift (first_delivery_id);
