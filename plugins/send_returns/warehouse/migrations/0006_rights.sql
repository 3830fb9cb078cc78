-- What a person's right, or the end of its time, takes out of the stores, and what is kept so that it stays out.

create schema rights;

-- Why, by whom and from when something was removed. `removed`: how much of each store.
create table rights.removal (
    removal_id bigint generated always as identity primary key,
    partnership text not null,
    kind text not null check (kind in ('erasure', 'opt-out', 'retention')),
    -- The person stays in identity.person, bare, so that no other person is ever given the id.
    person_id text references identity.person,
    from_on date not null,
    reason text not null check (reason <> ''),
    decided_by text not null check (decided_by <> ''),
    recorded_at timestamptz not null default now(),
    -- Null: it is not in force yet.
    applied_at timestamptz,
    removed jsonb not null default '{}',
    withdrawn_on date,
    withdrawn_reason text,
    withdrawn_by text,
    constraint of_a_person_or_of_all check ((kind = 'retention') = (person_id is null)),
    constraint only_an_opt_out_is_withdrawn check (withdrawn_on is null or kind = 'opt-out' and withdrawn_on >= from_on),
    constraint withdrawn_says_why
    check ((withdrawn_on is null) = (withdrawn_reason is null) and (withdrawn_on is null) = (withdrawn_by is null))
);
create index on rights.removal (person_id);

-- What each key of tombstones makes of its own name: another key in its file would know nobody.
create table rights.tombstone_key (
    key_id text primary key,
    digest bytea not null check (length(digest) = 32)
);

-- By which a later record of the person is known: keyed hashes of what identified them, and never what was hashed.
create table rights.tombstone (
    removal_id bigint not null references rights.removal on delete cascade,
    key_id text not null references rights.tombstone_key,
    kind text not null,
    digest bytea not null check (length(digest) = 32),
    primary key (removal_id, key_id, kind, digest)
);

-- The readings that were held against every tombstone of their day; one that was refused may be read again, with rows.
create table rights.screened (
    delivery_id bigint not null references landing.delivery on delete cascade,
    rows_in bigint not null,
    primary key (delivery_id, rows_in)
);

-- Rows that were taken and have been removed since.
alter table landing.delivery
add column rows_erased bigint not null default 0 check (rows_erased >= 0),
drop constraint every_row_accounted_for,
add constraint every_row_accounted_for check (rows_in = rows_loaded + rows_quarantined + rows_erased);
alter table landing.delivery_table
add column rows_erased bigint not null default 0 check (rows_erased >= 0),
drop constraint every_row_accounted_for,
add constraint every_row_accounted_for check (rows_in = rows_loaded + rows_quarantined + rows_erased);

-- By what the whole delivery was removed when its time was over. The row stays: it was received.
alter table landing.delivery add column expired_by bigint references rights.removal;
-- By what the archived file was removed, for good, and the hash of the copy without the removed rows that is in its
-- place; null: none is.
alter table landing.delivery_file
add column removed_by bigint references rights.removal,
add column kept_as text,
add constraint only_what_is_removed_is_kept_otherwise check (kept_as is null or removed_by is not null);
create index on landing.delivery_file (sha256);

-- What of the delivery had been removed when the run began to read it: a run that read more is not released.
alter table audit.run_delivery add column rows_erased bigint not null default 0;

create or replace function landing.delivery_adds_up() returns trigger language plpgsql as $$
declare
    of_tables record;
    in_quarantine bigint;
begin
    select coalesce(sum(rows_in), 0) as rows_in, coalesce(sum(rows_loaded), 0) as rows_loaded,
        coalesce(sum(rows_quarantined), 0) as rows_quarantined, coalesce(sum(rows_erased), 0) as rows_erased
    into of_tables from landing.delivery_table where delivery_id = new.delivery_id;
    select count(*) into in_quarantine from landing.quarantine where delivery_id = new.delivery_id;
    if (of_tables.rows_in, of_tables.rows_loaded, of_tables.rows_quarantined, of_tables.rows_erased, in_quarantine)
        is distinct from (new.rows_in, new.rows_loaded, new.rows_quarantined, new.rows_erased, new.rows_quarantined)
    then
        raise exception 'delivery % does not add up', new.delivery_id using errcode = 'check_violation';
    end if;
    return null;
end
$$;
drop trigger delivery_adds_up on landing.delivery;
create constraint trigger delivery_adds_up
after update of rows_in, rows_loaded, rows_quarantined, rows_erased on landing.delivery
deferrable initially deferred for each row execute function landing.delivery_adds_up();

-- What a run has read stays as it read it, unless a recorded removal takes it away: the setting `send_returns.removal`
-- of the transaction names that.
create or replace function landing.keep_what_a_run_read() returns trigger language plpgsql as $$
begin
    if tg_op = 'TRUNCATE' then
        raise exception 'raw tables are not emptied' using errcode = 'restrict_violation';
    end if;
    if tg_op = 'DELETE' and exists (
        select from rights.removal
        where removal_id::text = current_setting('send_returns.removal', true)
    ) then
        return null;
    end if;
    if exists (
        select from (select distinct _delivery_id as delivery_id from gone) as gone
        inner join audit.run_delivery using (delivery_id)
        inner join audit.run using (run_id)
        where run.status in ('passed', 'failed', 'published')
    ) then
        raise exception 'a run has read rows of %.% that would change', tg_table_schema, tg_table_name
            using errcode = 'restrict_violation';
    end if;
    return null;
end
$$;
