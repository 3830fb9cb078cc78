-- What each node of the dbt project was last built from, so that a build does not repeat what would come out the same. Unlogged,
-- like the tables of the intermediate room: a crash empties both, and the next build knows of nothing that it could keep.
create unlogged table audit.built (
    node text primary key,
    run_id text not null,
    -- The table or view, whatever it is called by now; null of a test.
    relation oid,
    -- Null where they cannot be told.
    inputs text,
    -- A digest of its rows, of a table that a later layer reads.
    content text,
    -- Of a model that is built by family: what each of its parents was.
    parts jsonb
);
