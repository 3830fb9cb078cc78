-- Who needs figures needs no cases: of the marts this role reads what tells of no one child. The swap grants it.
do $$
begin
    if not exists (select 1 from pg_roles where rolname = 'figures_reader') then
        create role figures_reader nologin;
    end if;
end
$$;
