-- Copies in the archive, by their hashes, in whose place a later removal has put another or none: to be deleted.
create table rights.discarded (
    sha256 text primary key,
    removal_id bigint not null references rights.removal
);
