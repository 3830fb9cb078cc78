-- What whoever reads releases may know of where they came from: runs, their deliveries by feed and hash, their rules. What a
-- delivery is called may name a child, and how many rows failed a rule may be few: neither is among it.
grant select on audit.run, audit.run_delivery, audit.run_key, audit.live to release_reader;
grant select (run_id, rule, suite, outcome) on audit.check_result to release_reader;
grant usage on schema landing to release_reader;
grant select (delivery_id, feed, period_key, reference_on, contract_version, content_sha256) on landing.delivery
to release_reader;
grant select (delivery_id, table_name) on landing.delivery_table to release_reader;
