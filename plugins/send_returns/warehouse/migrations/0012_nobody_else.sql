-- What only triggers do, nobody does by a trigger of their own; why a figure is hidden is for who hides and who audits;
-- and a return that its own rules stop is not validated.

do $$
declare
    schema_name text;
begin
    foreach schema_name in array array['audit', 'release']
    loop
        execute format('revoke execute on all functions in schema %I from public', schema_name);
    end loop;
end
$$;
grant execute on function audit.person() to
release_drafter, release_council_signer, release_icb_signer, release_publisher, release_reader, release_auditor;
grant execute on function release.content_sha256(text) to release_auditor;

revoke select on release.hidden from release_council_signer, release_icb_signer, release_publisher, release_reader;

-- The rules of each return: a blocking one of them that stops its return holds it back as a draft.
create table release.rules_of (
    return_name text primary key,
    suite text not null
);
insert into release.rules_of (return_name, suite) values
('area_send_annex_a', 'annex_a'),
('area_send_evidence', 'area_send_evidence'),
('health_waits', 'health_waits'),
('improvement_plan_progress', 'improvement_plan_progress'),
('public_scorecard', 'release'),
('sen2', 'sen2');
create trigger only_added_to before update or delete or truncate on release.rules_of
for each statement execute function audit.refuse();
revoke insert, update, delete, truncate on release.rules_of from current_user;

create function release.by_its_own_rules() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select from audit.check_result
        inner join release.rules_of using (suite)
        where return_name = new.return_name and run_id = new.run_id and is_blocking
    ) then
        raise exception 'release % is stopped by a rule of its own', new.release_id
            using errcode = 'check_violation', constraint = 'by_its_own_rules';
    end if;
    return new;
end
$$;
revoke execute on function release.by_its_own_rules() from public;
create trigger by_its_own_rules before update of state on release.release
for each row when (new.state = 'validated') execute function release.by_its_own_rules();
