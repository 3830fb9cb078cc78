-- Releases and who signed them, held by constraints; and an audit that is only added to, each entry sealed to the last.

-- What each role may do is granted below. Whoever migrates may act as each of them, and has their rights in no other
-- way. Where it may not make roles, somebody else makes these and grants them to it beforehand.
do $$
declare
    role_name text;
    may boolean;
begin
    foreach role_name in array array[
        'release_drafter', 'release_council_signer', 'release_icb_signer', 'release_publisher', 'release_reader',
        'release_auditor'
    ]
    loop
        if not exists (select 1 from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
        if current_setting('server_version_num')::integer >= 160000 then
            execute 'select pg_has_role($1, ''SET'')' into may using role_name;
            if not may then
                execute format('grant %I to current_user with inherit false, set true', role_name);
            end if;
        elsif not pg_has_role(role_name, 'MEMBER') then
            execute format('grant %I to current_user', role_name);
        end if;
    end loop;
end
$$;

create schema release;
grant usage on schema release, audit to
release_drafter, release_council_signer, release_icb_signer, release_publisher, release_reader, release_auditor;

create function audit.refuse() returns trigger language plpgsql as $$
begin
    raise exception '%.% is only added to', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation', constraint = 'only_added_to';
end
$$;

-- The audit. An entry's hash is over the entry before it, so none can be changed, taken out or put in between unseen.
-- `detail`: ids and counts only.
create table audit.event (
    seq bigint primary key,
    recorded_at timestamptz not null default now(),
    database_role text not null,
    person text not null,
    kind text not null check (kind in ('run', 'gate', 'decision', 'signature', 'release', 'read', 'delivery')),
    subject text not null check (subject <> ''),
    detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
    previous_sha256 text not null unique,
    sha256 text not null unique,
    constraint of_one_line_each check ((database_role || person || subject) !~ '[[:cntrl:]]')
);

-- One writer at a time, until its transaction ends: two at once would both follow the same entry. What the database
-- itself records, by its triggers, nobody can record in its stead.
create function audit.chain() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    newest record;
begin
    if pg_trigger_depth() < 2 then
        if new.kind not in ('decision', 'read', 'delivery') then
            raise exception 'only the database records a %', new.kind
                using errcode = 'insufficient_privilege', constraint = 'recorded_by_the_database';
        end if;
        new.database_role := coalesce(nullif(current_setting('role'), 'none'), session_user::text);
    end if;
    perform pg_advisory_xact_lock(hashtextextended('audit.event', 0));
    select seq, sha256 into newest from audit.event order by seq desc limit 1;
    new.seq := coalesce(newest.seq, 0) + 1;
    new.previous_sha256 := coalesce(newest.sha256, repeat('0', 64));
    new.sha256 := encode(sha256(convert_to(concat_ws(
        e'\x1f', new.previous_sha256, new.seq, (extract(epoch from new.recorded_at) * 1000000)::bigint, new.database_role,
        new.person, new.kind, new.subject, new.detail
    ), 'UTF8')), 'hex');
    return new;
end
$$;
create trigger chain before insert on audit.event for each row execute function audit.chain();
create trigger only_added_to before update or delete or truncate on audit.event
for each statement execute function audit.refuse();

-- The person for whom a transaction acts, as far as it says.
create function audit.person() returns text language sql stable as $$
    select coalesce(nullif(current_setting('send_returns.person', true), ''), session_user::text)
$$;

create function audit.tell(as_role text, of_person text, of_kind text, of_subject text, with_detail jsonb)
returns void language sql as $$
    insert into audit.event (database_role, person, kind, subject, detail) values (
        coalesce(as_role, nullif(current_setting('role'), 'none'), session_user::text),
        regexp_replace(of_person, '[[:cntrl:]]', ' ', 'g'), of_kind, of_subject, jsonb_strip_nulls(with_detail)
    )
$$;

create function audit.tell_run() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' or new.status in ('passed', 'failed') and new.status is distinct from old.status then
        perform audit.tell(
            null, audit.person(), case when new.status in ('passed', 'failed') then 'gate' else 'run' end, new.run_id,
            jsonb_build_object(
                'partnership', new.partnership, 'as_of', new.as_of, 'inputs_sha256', new.manifest_sha256,
                'status', new.status,
                'rules', (select nullif(count(*), 0) from audit.check_result where run_id = new.run_id)
            )
        );
    end if;
    return null;
end
$$;

create function audit.tell_decision() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_table_name = 'decision' then
        perform audit.tell(
            null, new.reviewer, 'decision', 'review ' || new.decision_id,
            jsonb_build_object('verdict', new.verdict, 'revokes', new.revokes)
        );
    elsif tg_table_name = 'removal' then
        perform audit.tell(
            null, coalesce(new.withdrawn_by, new.decided_by), 'decision', 'removal ' || new.removal_id,
            jsonb_build_object('kind', new.kind, 'withdrawn', new.withdrawn_on is not null)
        );
    elsif new.state <> 'proposed' then
        perform audit.tell(
            null, coalesce(new.decided_by, audit.person()), 'decision', 'drift ' || new.drift_id,
            jsonb_build_object('state', new.state)
        );
    end if;
    return null;
end
$$;

-- At the end of the transaction, so that nobody waits for the whole of a long one.
create constraint trigger tell after insert or update of status on audit.run
deferrable initially deferred for each row execute function audit.tell_run();
create constraint trigger tell after insert on identity.decision
deferrable initially deferred for each row execute function audit.tell_decision();
create constraint trigger tell after insert or update of withdrawn_on on rights.removal
deferrable initially deferred for each row execute function audit.tell_decision();
create constraint trigger tell after update of state on landing.drift
deferrable initially deferred for each row execute function audit.tell_decision();

-- That a run has passed its gate, on which inputs. Written with the swap; never taken back: what it let in was live.
alter table audit.run
add constraint run_of_inputs unique (run_id, manifest_sha256),
add constraint run_of_partnership unique (run_id, partnership, as_of, manifest_sha256);
create table audit.gate_pass (
    run_id text not null,
    inputs_sha256 text not null,
    rules bigint not null check (rules > 0),
    passed_at timestamptz not null default now(),
    primary key (run_id, inputs_sha256),
    foreign key (run_id, inputs_sha256) references audit.run (run_id, manifest_sha256)
);
-- What a blocking rule stops: every release of the run, or the return alone that it is of.
alter table audit.check_result add stops text not null default 'release' check (stops in ('release', 'return'));
create function audit.only_a_pass() returns trigger language plpgsql as $$
begin
    select count(*) into new.rules from audit.check_result where run_id = new.run_id;
    if exists (select from audit.check_result where run_id = new.run_id and is_blocking and stops = 'release') then
        raise exception 'run % did not pass its gate', new.run_id
            using errcode = 'check_violation', constraint = 'only_a_pass';
    end if;
    return new;
end
$$;
insert into audit.gate_pass (run_id, inputs_sha256, rules)
select run_id, manifest_sha256, count(*) from audit.run inner join audit.check_result using (run_id)
where status in ('passed', 'published') group by run_id having not bool_or(is_blocking);
create trigger only_a_pass before insert on audit.gate_pass for each row execute function audit.only_a_pass();
create trigger only_added_to before update or delete or truncate on audit.gate_pass
for each statement execute function audit.refuse();

-- A user name is one organisation's, and either real or of rehearsals, in every partnership.
create table release.account (
    username text primary key check (username <> ''),
    organisation text not null check (organisation in ('council', 'icb')),
    is_rehearsal boolean not null,
    unique (username, organisation, is_rehearsal)
);

-- Who may sign for an organisation, from which day to which, in which role.
create table release.signer (
    partnership text not null,
    username text not null,
    organisation text not null,
    is_rehearsal boolean not null,
    name text not null check (name <> ''),
    role text not null check (role <> ''),
    from_on date not null,
    to_on date check (to_on >= from_on),
    primary key (partnership, username, from_on),
    unique (partnership, username, organisation, is_rehearsal, from_on),
    foreign key (username, organisation, is_rehearsal)
    references release.account (username, organisation, is_rehearsal)
);
create unique index one_term_at_a_time on release.signer (partnership, username) where to_on is null;

create function release.only_ends() returns trigger language plpgsql as $$
begin
    if old.to_on is not null or to_jsonb(new) - 'to_on' <> to_jsonb(old) - 'to_on' then
        raise exception 'a signer is only ever ended' using errcode = 'restrict_violation', constraint = 'only_ends';
    end if;
    return new;
end
$$;
create trigger only_ends before update on release.signer for each row execute function release.only_ends();

-- Which state follows which, and as which role.
create table release.transition (
    from_state text not null,
    to_state text not null,
    role text not null,
    primary key (from_state, to_state, role)
);
insert into release.transition (from_state, to_state, role) values
('new', 'draft', 'release_drafter'),
('draft', 'draft', 'release_drafter'),
('draft', 'validated', 'release_drafter'),
('validated', 'draft', 'release_drafter'),
('signed', 'draft', 'release_drafter'),
('validated', 'signed', 'release_publisher'),
('signed', 'published', 'release_publisher'),
('published', 'superseded', 'release_publisher'),
('published', 'withdrawn', 'release_publisher');

-- A line of versions is a partnership's return as of a date, for real or as a rehearsal. A generated column is null
-- until the state in which its foreign key begins to hold.
create table release.release (
    release_id text primary key,
    partnership text not null,
    return_name text not null check (return_name ~ '^[a-z][a-z0-9_]*$'),
    as_of date not null,
    version integer not null check (version > 0),
    is_rehearsal boolean not null,
    state text not null default 'draft',
    attempt integer not null default 1,
    run_id text not null,
    inputs_sha256 text not null,
    pack_sha256 text not null,
    supersedes integer check (supersedes < version),
    superseded_by integer check (superseded_by > version),
    published_at timestamptz,
    -- The newest entry of the audit that the published release carries.
    anchor_seq bigint,
    anchor_sha256 text,
    withdrawn_at timestamptz,
    withdrawn_reason text check (withdrawn_reason <> ''),
    previous_state text not null,
    previous_attempt integer not null,
    moved_as text not null,
    moved_by text not null check (moved_by !~ '[[:cntrl:]]'),
    is_out boolean not null generated always as (state in ('published', 'superseded', 'withdrawn')) stored,
    gated_run_id text generated always as (case when state <> 'draft' then run_id end) stored,
    approved text generated always as (case when state not in ('draft', 'validated') then 'approve' end) stored,
    of_council text generated always as ('council') stored,
    of_icb text generated always as ('icb') stored,
    out_version integer generated always as (
        case when state in ('published', 'superseded', 'withdrawn') then version end
    ) stored,
    out_supersedes integer generated always as (
        case when state in ('published', 'superseded', 'withdrawn') then supersedes end
    ) stored,
    constraint named_for_what_it_is check (
        release_id = concat_ws('-', return_name, partnership, to_char(as_of, 'YYYY-MM-DD'), 'v' || version)
    ),
    unique (partnership, return_name, as_of, version),
    unique (release_id, partnership, is_rehearsal),
    unique (partnership, return_name, as_of, is_rehearsal, version),
    unique (partnership, return_name, as_of, is_rehearsal, out_version, supersedes),
    unique (partnership, return_name, as_of, is_rehearsal, version, superseded_by),
    constraint only_allowed_moves
    foreign key (previous_state, state, moved_as) references release.transition (from_state, to_state, role),
    constraint a_draft_is_a_new_attempt check (attempt = previous_attempt + (state = 'draft')::integer),
    constraint of_a_run foreign key (run_id, partnership, as_of, inputs_sha256)
    references audit.run (run_id, partnership, as_of, manifest_sha256),
    constraint passed_its_gate
    foreign key (gated_run_id, inputs_sha256) references audit.gate_pass (run_id, inputs_sha256),
    constraint supersedes_one_of_its_line
    foreign key (partnership, return_name, as_of, is_rehearsal, supersedes)
    references release.release (partnership, return_name, as_of, is_rehearsal, version),
    constraint superseded_by_what_is_out
    foreign key (partnership, return_name, as_of, is_rehearsal, superseded_by, version)
    references release.release (partnership, return_name, as_of, is_rehearsal, out_version, supersedes)
    deferrable initially deferred,
    constraint what_is_out_has_superseded
    foreign key (partnership, return_name, as_of, is_rehearsal, out_supersedes, version)
    references release.release (partnership, return_name, as_of, is_rehearsal, version, superseded_by)
    deferrable initially deferred,
    constraint superseded_says_by_what check ((state = 'superseded') = (superseded_by is not null)),
    constraint withdrawn_says_why check (
        (state = 'withdrawn') = (withdrawn_reason is not null) and (state = 'withdrawn') = (withdrawn_at is not null)
    ),
    constraint published_says_when check (
        is_out = (published_at is not null) and is_out = (anchor_seq is not null)
        and is_out = (anchor_sha256 is not null)
    )
);
create unique index one_open_version on release.release (partnership, return_name, as_of, is_rehearsal)
where state in ('draft', 'validated', 'signed');
create unique index one_published_version on release.release (partnership, return_name, as_of, is_rehearsal)
where state = 'published';

-- A pack that was put forward. A later one says why there is another: who sent the former back, or what replaced it.
create table release.attempt (
    release_id text not null references release.release,
    attempt integer not null,
    run_id text not null,
    inputs_sha256 text not null,
    pack_sha256 text not null check (pack_sha256 ~ '^[0-9a-f]{64}$'),
    because text check (because <> ''),
    opened_at timestamptz not null default now(),
    primary key (release_id, attempt),
    unique (release_id, attempt, pack_sha256),
    unique (release_id, attempt, run_id, inputs_sha256, pack_sha256),
    constraint another_says_why check ((attempt = 1) = (because is null))
);

create table release.signature (
    release_id text not null,
    attempt integer not null,
    organisation text not null,
    partnership text not null,
    is_rehearsal boolean not null,
    pack_sha256 text not null,
    username text not null,
    from_on date not null,
    verdict text not null check (verdict in ('approve', 'reject')),
    reason text check (reason <> ''),
    signed_as text not null,
    signed_at timestamptz not null default now(),
    constraint one_signature_of_an_organisation primary key (release_id, attempt, organisation),
    constraint one_signature_of_a_person unique (release_id, attempt, username),
    unique (release_id, attempt, pack_sha256, organisation, verdict),
    constraint of_what_was_put_forward
    foreign key (release_id, attempt, pack_sha256) references release.attempt (release_id, attempt, pack_sha256),
    foreign key (release_id, partnership, is_rehearsal)
    references release.release (release_id, partnership, is_rehearsal),
    constraint by_a_registered_signer
    foreign key (partnership, username, organisation, is_rehearsal, from_on)
    references release.signer (partnership, username, organisation, is_rehearsal, from_on),
    constraint as_the_role_of_the_organisation check (signed_as = 'release_' || organisation || '_signer'),
    constraint rejected_says_why check (verdict = 'approve' or reason is not null)
);

alter table release.release
add constraint is_what_was_put_forward
foreign key (release_id, attempt, run_id, inputs_sha256, pack_sha256)
references release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256) deferrable initially deferred,
add constraint approved_by_the_council
foreign key (release_id, attempt, pack_sha256, of_council, approved)
references release.signature (release_id, attempt, pack_sha256, organisation, verdict),
add constraint approved_by_the_icb
foreign key (release_id, attempt, pack_sha256, of_icb, approved)
references release.signature (release_id, attempt, pack_sha256, organisation, verdict);

create table release.file (
    release_id text not null,
    attempt integer not null,
    name text not null check (name <> '' and name !~ '[/\\[:cntrl:]]'),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    primary key (release_id, attempt, name),
    foreign key (release_id, attempt) references release.attempt
);

-- What disclosure control let out, and what it hid and why.
create table release.figure (
    release_id text not null,
    attempt integer not null,
    return_table text not null,
    measure text not null,
    period_kind text not null,
    period_from_on date,
    period_to_on date,
    dimensions jsonb not null default '{}' check (jsonb_typeof(dimensions) = 'object'),
    numerator numeric,
    denominator numeric,
    value numeric,
    -- '': shown; c: suppressed; x: not available; z: not applicable; low: rounds to nought
    status text not null check (status in ('', 'c', 'x', 'z', 'low')),
    unique nulls not distinct (
        release_id, attempt, return_table, measure, period_kind, period_from_on, period_to_on, dimensions
    ),
    foreign key (release_id, attempt) references release.attempt,
    constraint only_what_is_shown_has_a_value check (status in ('', 'low') or value is null)
);
create table release.hidden (
    release_id text not null,
    attempt integer not null,
    return_table text not null,
    measure text not null,
    period_kind text not null,
    period_from_on date,
    period_to_on date,
    dimensions jsonb not null default '{}' check (jsonb_typeof(dimensions) = 'object'),
    reason text not null check (reason <> ''),
    unique nulls not distinct (
        release_id, attempt, return_table, measure, period_kind, period_from_on, period_to_on, dimensions
    ),
    foreign key (release_id, attempt) references release.attempt
);

-- How a version differs from the one that it supersedes.
create table release.change (
    release_id text not null,
    attempt integer not null,
    return_table text not null,
    measure text not null,
    kind text not null check (kind in ('added', 'removed', 'changed')),
    count bigint not null check (count > 0),
    primary key (release_id, attempt, return_table, measure, kind),
    foreign key (release_id, attempt) references release.attempt
);

-- All that a release is once it is out, as one hash.
create function release.content_sha256(of_release text) returns text language sql stable
set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
    with own as (select * from release.release where release_id = of_release),
    line (line) as (
        select jsonb_build_array(
            'release', release_id, partnership, return_name, as_of, version, is_rehearsal, attempt, run_id,
            inputs_sha256, pack_sha256, supersedes, published_at, anchor_seq, anchor_sha256
        ) from own
        union all
        select jsonb_build_array(
            'signature', s.organisation, s.username, s.from_on, signer.name, signer.role, s.verdict, s.reason,
            s.pack_sha256, s.signed_as, s.signed_at
        )
        from own inner join release.signature as s using (release_id, attempt)
        inner join release.signer
            on signer.partnership = s.partnership and signer.username = s.username and signer.from_on = s.from_on
        union all
        select jsonb_build_array('file', name, sha256, bytes) from own inner join release.file using (release_id, attempt)
        union all
        select jsonb_build_array(
            'figure', return_table, measure, period_kind, period_from_on, period_to_on, dimensions, numerator,
            denominator, value, status
        ) from own inner join release.figure using (release_id, attempt)
        union all
        select jsonb_build_array(
            'hidden', return_table, measure, period_kind, period_from_on, period_to_on, dimensions, reason
        ) from own inner join release.hidden using (release_id, attempt)
        union all
        select jsonb_build_array('change', return_table, measure, kind, count)
        from own inner join release.change using (release_id, attempt)
    )
    select encode(sha256(convert_to(string_agg(line::text, e'\n' order by line::text collate "C"), 'UTF8')), 'hex')
    from line
$$;

-- What no constraint can say: what was before, and as whom it is changed.
create function release.move() returns trigger language plpgsql as $$
begin
    new.moved_as := current_user;
    new.moved_by := audit.person();
    if tg_op = 'INSERT' then
        new.previous_state := 'new';
        new.previous_attempt := 0;
        return new;
    end if;
    new.previous_state := old.state;
    new.previous_attempt := old.attempt;
    if (new.release_id, new.partnership, new.return_name, new.as_of, new.version, new.is_rehearsal)
        is distinct from (old.release_id, old.partnership, old.return_name, old.as_of, old.version, old.is_rehearsal)
    then
        raise exception 'release % is the version that it is', old.release_id
            using errcode = 'restrict_violation', constraint = 'one_and_the_same';
    end if;
    if old.is_out and (
        new.attempt, new.run_id, new.inputs_sha256, new.pack_sha256, new.supersedes, new.published_at, new.anchor_seq,
        new.anchor_sha256
    ) is distinct from (
        old.attempt, old.run_id, old.inputs_sha256, old.pack_sha256, old.supersedes, old.published_at, old.anchor_seq,
        old.anchor_sha256
    ) then
        raise exception 'release % is published', old.release_id
            using errcode = 'restrict_violation', constraint = 'published_stays';
    end if;
    if new.state = 'published' and new.supersedes is not null and not exists (
        select from release.change where release_id = new.release_id and attempt = new.attempt
    ) then
        raise exception 'release % does not say what changed', old.release_id
            using errcode = 'restrict_violation', constraint = 'says_what_changed';
    end if;
    return new;
end
$$;
create trigger move before insert or update on release.release for each row execute function release.move();
create trigger never_gone before delete or truncate on release.release
for each statement execute function audit.refuse();

-- The parts of an attempt come while it is a draft, and stay.
create function release.only_of_a_draft() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from release.release where release_id in (select release_id from added) order by release_id for share;
    if exists (
        select from (select distinct release_id, attempt from added) as part
        left join release.release
            on release.release_id = part.release_id and release.attempt = part.attempt and release.state = 'draft'
        where release.release_id is null
    ) then
        raise exception '%.% is added to with a draft only', tg_table_schema, tg_table_name
            using errcode = 'restrict_violation', constraint = 'only_of_a_draft';
    end if;
    return null;
end
$$;

create function release.sign_as() returns trigger language plpgsql as $$
begin
    new.signed_as := current_user;
    return new;
end
$$;
-- The second of two who sign at once waits here, and then sees the first.
create function release.only_what_awaits() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from release.release where release_id = new.release_id for no key update;
    if not exists (
        select from release.release
        where release_id = new.release_id and attempt = new.attempt and state = 'validated'
    ) then
        raise exception 'release % does not await a signature', new.release_id
            using errcode = 'restrict_violation', constraint = 'awaits_a_signature';
    end if;
    if not exists (
        select from release.signer
        where partnership = new.partnership and username = new.username and from_on = new.from_on
            and (new.signed_at at time zone 'Europe/London')::date between from_on and coalesce(to_on, 'infinity')
    ) then
        raise exception '% is not a signer on this day', new.username
            using errcode = 'restrict_violation', constraint = 'signer_of_the_day';
    end if;
    return null;
end
$$;
create trigger sign_as before insert on release.signature for each row execute function release.sign_as();
create trigger only_what_awaits after insert on release.signature
for each row execute function release.only_what_awaits();

do $$
declare
    table_name text;
begin
    foreach table_name in array array['attempt', 'file', 'figure', 'hidden', 'change']
    loop
        execute format(
            'create trigger only_of_a_draft after insert on release.%I referencing new table as added'
            ' for each statement execute function release.only_of_a_draft()', table_name
        );
    end loop;
    foreach table_name in array array[
        'account', 'transition', 'attempt', 'signature', 'file', 'figure', 'hidden', 'change'
    ]
    loop
        execute format(
            'create trigger only_added_to before update or delete or truncate on release.%I'
            ' for each statement execute function audit.refuse()', table_name
        );
    end loop;
end
$$;
create trigger never_gone before delete or truncate on release.signer for each statement execute function audit.refuse();

create function audit.tell_release() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform audit.tell(
        new.moved_as, new.moved_by, 'release', new.release_id,
        jsonb_build_object(
            'state', new.state, 'attempt', new.attempt, 'run_id', new.run_id, 'pack_sha256', new.pack_sha256,
            'content_sha256', case when new.is_out then release.content_sha256(new.release_id) end
        )
    );
    return null;
end
$$;
create function audit.tell_signature() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform audit.tell(
        new.signed_as, new.username, 'signature', new.release_id,
        jsonb_build_object(
            'organisation', new.organisation, 'verdict', new.verdict, 'attempt', new.attempt,
            'pack_sha256', new.pack_sha256
        )
    );
    return null;
end
$$;
create function audit.tell_signer() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform audit.tell(
        null, audit.person(), 'decision', 'signer ' || new.username,
        jsonb_build_object(
            'partnership', new.partnership, 'organisation', new.organisation, 'rehearsal', new.is_rehearsal,
            'from_on', new.from_on, 'to_on', new.to_on
        )
    );
    return null;
end
$$;
create constraint trigger tell after insert or update on release.release
deferrable initially deferred for each row execute function audit.tell_release();
create constraint trigger tell after insert on release.signature
deferrable initially deferred for each row execute function audit.tell_signature();
create constraint trigger tell after insert or update on release.signer
deferrable initially deferred for each row execute function audit.tell_signer();

-- Everybody at work on releases reads them, and can record what was read or delivered; the audit is the auditor's.
grant select on all tables in schema release to
release_drafter, release_council_signer, release_icb_signer, release_publisher, release_reader, release_auditor;
grant insert (person, kind, subject, detail) on audit.event to
release_drafter, release_council_signer, release_icb_signer, release_publisher, release_reader, release_auditor;
grant select on audit.event, audit.gate_pass to release_auditor;

grant insert (
    release_id, partnership, return_name, as_of, version, is_rehearsal, run_id, inputs_sha256, pack_sha256, supersedes
), update (state, attempt, run_id, inputs_sha256, pack_sha256, supersedes) on release.release to release_drafter;
grant insert (release_id, attempt, run_id, inputs_sha256, pack_sha256, because) on release.attempt to release_drafter;
grant insert on release.file, release.figure, release.hidden, release.change to release_drafter;
grant insert (
    release_id, attempt, organisation, partnership, is_rehearsal, pack_sha256, username, from_on, verdict, reason
) on release.signature to release_council_signer, release_icb_signer;
grant update (
    state, supersedes, superseded_by, published_at, anchor_seq, anchor_sha256, withdrawn_at, withdrawn_reason
) on release.release to release_publisher;

-- Nor does the owner write otherwise than as one of them. To follow a reference, Postgres locks the row that it finds,
-- for which the owner must have the right to change some column: triggers refuse that change. Signers are the owner's.
revoke insert, update, delete, truncate on all tables in schema release from current_user;
revoke update, delete, truncate on audit.event, audit.gate_pass from current_user;
grant insert on release.account, release.signer to current_user;
grant update (to_on) on release.signer to current_user;
grant update (username) on release.account to current_user;
grant update (role) on release.transition to current_user;
grant update (release_id) on release.release, release.attempt, release.signature to current_user;
grant update (run_id) on audit.gate_pass to current_user;
