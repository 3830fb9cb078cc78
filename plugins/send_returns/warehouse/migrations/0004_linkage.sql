-- One child, one record: what is known of people, what joins them, what a person decided, and what happened to them.

-- A person is never deleted by linkage: one that became another stays, and says so.
alter table identity.person add column merged_into text references identity.person;

-- What a source record says of who it is about; records that say the same are one profile, and a decision is about
-- profiles, so that it survives a delivery sent again. `person_id`: the person it was last found to be; `model_id`: the
-- model by which it was compared with all others. No foreign keys, for the reason of identity.link.
create table identity.profile (
    partnership text not null,
    profile_id uuid not null,
    person_id text not null,
    method text not null,
    score double precision not null,
    explanation text not null,
    state text not null,
    model_id text not null,
    upn text,
    former_upn text,
    uln text,
    nhs_number text,
    la_child_id text,
    provider_patient_id text,
    nhs_number_pseudo text,
    surname text,
    forename text,
    born date,
    sex text check (sex in ('M', 'F')),
    postcode text,
    primary key (partnership, profile_id)
);
create index on identity.profile (person_id);

drop table identity.identifier;

alter table identity.link
    add column profile_id uuid,
    add column state text not null default 'linked' check (state in ('linked', 'in review', 'unlinked'));

-- Two profiles that a model found alike. What the score is does not depend on any other profile.
create table identity.edge (
    partnership text not null,
    model_id text not null,
    left_id uuid not null,
    right_id uuid not null,
    weight real not null,
    primary key (partnership, model_id, left_id, right_id),
    check (left_id < right_id)
);

create table identity.model (
    model_id text primary key,
    parameters jsonb not null,
    first_run_id text not null
);

drop table identity.review;
create table identity.review (
    review_id bigint generated always as identity primary key,
    partnership text not null,
    left_id uuid not null,
    right_id uuid not null,
    score double precision not null check (score between 0 and 1),
    reason text not null,
    explanation text not null,
    state text not null check (state in ('open', 'decided', 'withdrawn')),
    first_run_id text not null,
    unique (partnership, left_id, right_id),
    check (left_id < right_id)
);

-- Only ever added to. A verdict stands until a later row revokes it; `needed` is how many reviewers must give the same.
create table identity.decision (
    decision_id bigint generated always as identity primary key,
    partnership text not null,
    left_id uuid not null,
    right_id uuid not null,
    verdict text not null check (verdict in ('same', 'different')),
    needed integer not null check (needed in (1, 2)),
    reviewer text not null check (reviewer <> ''),
    reason text not null check (reason <> ''),
    decided_at timestamptz not null,
    revokes bigint unique references identity.decision,
    check (left_id < right_id)
);
create index on identity.decision (partnership, left_id, right_id);

create table identity.event (
    event_id bigint generated always as identity primary key,
    partnership text not null,
    run_id text not null,
    kind text not null check (kind in ('merge', 'split')),
    person_id text not null references identity.person,
    other_id text not null references identity.person,
    profiles uuid[] not null,
    reason text not null
);
comment on table identity.event is
'merge: other_id became person_id with these profiles; split: these profiles left person_id and are other_id.';

-- An identifier that says of two people that they are one joins nobody.
create table identity.disputed_identifier (
    partnership text not null,
    run_id text not null,
    kind text not null,
    value text not null,
    reason text not null,
    primary key (partnership, run_id, kind, value)
);

create table identity.reconciliation (
    run_id text not null references audit.run on delete cascade,
    feed text not null,
    records bigint not null,
    linked bigint not null,
    in_review bigint not null,
    unlinked bigint not null,
    primary key (run_id, feed),
    check (records = linked + in_review + unlinked)
);
