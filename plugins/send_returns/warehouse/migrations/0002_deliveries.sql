-- Deliveries as they really come: still arriving, sent twice, sent again in another order, late, corrected, read again.

-- Some bytes may be read more than once, under different contracts, and may come for more than one period where only
-- the name says which (a register that has not changed); each is a delivery of its own.
alter table landing.delivery
    drop constraint delivery_partnership_feed_content_sha256_key,
    drop constraint delivery_status_check,
    -- The known time: from when to when this was what the partnership knew of the period. Null: never.
    add column accepted_at timestamptz,
    add column superseded_at timestamptz,
    add column named_for text not null default '',
    add constraint one_reading unique (partnership, feed, content_sha256, named_for, contract_version),
    add constraint delivery_status_check check (status in ('accepted', 'refused', 'superseded', 'held', 'duplicate')),
    add constraint set_aside_says_why check (status not in ('held', 'duplicate') or reason is not null),
    add constraint known_forwards check (superseded_at >= accepted_at),
    add constraint accepted_is_not_superseded check (status <> 'accepted' or superseded_at is null);

update landing.delivery set accepted_at = received_at where status in ('accepted', 'superseded');
update landing.delivery set superseded_at = later.received_at
from (
    select delivery_id, lead(received_at, 1, received_at) over (
        partition by partnership, feed, period_key order by received_at, status = 'accepted'
    ) as received_at
    from landing.delivery where status in ('accepted', 'superseded')
) as later
where landing.delivery.delivery_id = later.delivery_id and status = 'superseded';

-- What the loaded rows come to, whatever their order: equal digests, same data.
alter table landing.delivery_table add column digest text;
alter table landing.delivery_file add column encoding text;

-- The same bytes seen again, by the name that they had: a recorded nothing.
create table landing.sighting (
    delivery_id bigint not null references landing.delivery on delete cascade,
    name text not null,
    times integer not null default 1,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    primary key (delivery_id, name)
);

-- What was seen in an inbox and since when it has been so. `delivery_id`: as which it was landed.
create table landing.look (
    partnership text not null,
    inbox text not null,
    organisation text not null,
    feed text not null,
    name text not null,
    fingerprint text not null,
    seen_at timestamptz not null,
    delivery_id bigint references landing.delivery on delete set null,
    primary key (partnership, inbox, organisation, feed, name)
);

-- When its counts are written, a delivery must come to what its tables and its quarantine come to by the commit.
create function landing.delivery_adds_up() returns trigger language plpgsql as $$
declare
    of_tables record;
    in_quarantine bigint;
begin
    select coalesce(sum(rows_in), 0) as rows_in, coalesce(sum(rows_loaded), 0) as rows_loaded,
        coalesce(sum(rows_quarantined), 0) as rows_quarantined
    into of_tables from landing.delivery_table where delivery_id = new.delivery_id;
    select count(*) into in_quarantine from landing.quarantine where delivery_id = new.delivery_id;
    if (of_tables.rows_in, of_tables.rows_loaded, of_tables.rows_quarantined, in_quarantine)
        is distinct from (new.rows_in, new.rows_loaded, new.rows_quarantined, new.rows_quarantined)
    then
        raise exception 'delivery % does not add up', new.delivery_id using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger delivery_adds_up after update of rows_in, rows_loaded, rows_quarantined on landing.delivery
deferrable initially deferred for each row execute function landing.delivery_adds_up();

-- What a run has read stays as it read it. Raw tables get triggers that call this when they are made.
create function landing.keep_what_a_run_read() returns trigger language plpgsql as $$
begin
    if tg_op = 'TRUNCATE' then
        raise exception 'raw tables are not emptied' using errcode = 'restrict_violation';
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

-- The deliveries that were what a partnership knew of a feed at an instant, one for each period.
create function landing.known_at(of_partnership text, of_feed text, at_instant timestamptz) returns setof bigint
language sql stable as $$
    select delivery_id from landing.delivery
    where partnership = of_partnership and feed = of_feed
        and accepted_at <= at_instant and (superseded_at is null or superseded_at > at_instant)
$$;
