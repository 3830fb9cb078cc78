-- The inspection clock: when inspectors rang, what a person has seen to since, and whose experience they follow.
create schema inspection;

create table inspection.window (
    window_id bigint generated always as identity primary key,
    partnership text not null,
    -- The day on which inspectors told the partnership: every working day is counted from it.
    notified_on date not null,
    opened_by text not null check (opened_by <> ''),
    opened_at timestamptz not null default now(),
    ended_on date,
    ended_by text,
    constraint ended_says_by_whom check ((ended_on is null) = (ended_by is null)),
    constraint ends_after_it_begins check (ended_on >= notified_on)
);
create unique index one_open_window on inspection.window (partnership) where ended_on is null;

-- What no record of ours can answer, because it is a person's to write or to send: who says that it is there.
create table inspection.item_done (
    window_id bigint not null references inspection.window,
    item text not null,
    done_by text not null check (done_by <> ''),
    recorded_at timestamptz not null default now(),
    primary key (window_id, item)
);

-- The children whose experience inspectors follow, by the Unique ID of the lists. There are six places.
create table inspection.tracked (
    window_id bigint not null references inspection.window,
    place smallint not null constraint at_most_six_children check (place between 1 and 6),
    unique_id text not null,
    named_on date not null,
    named_by text not null check (named_by <> ''),
    primary key (window_id, place),
    constraint tracked_once unique (window_id, unique_id)
);
