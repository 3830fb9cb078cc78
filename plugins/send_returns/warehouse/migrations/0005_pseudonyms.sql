-- Who a child is in the marts. The keys that make a child key are in files; no key is ever in the database.

-- The key of each purpose that a run was opened with. It is part of the run's id: another key is another run.
create table audit.run_key (
    run_id text not null references audit.run on delete cascade,
    purpose text not null,
    key_id text not null,
    primary key (run_id, purpose)
);

-- No foreign key on person_id, which would be checked row by row: the rows come straight from identity.link.
create table identity.child_key (
    partnership text not null,
    person_id text not null,
    purpose text not null,
    key_id text not null,
    child_key text not null check (length(child_key) = 64),
    primary key (person_id, purpose, key_id)
);
