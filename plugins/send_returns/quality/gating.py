"""The gate: every rule on the candidate, every failing row on record, and then the swap or a refusal that says why."""

# ruff: noqa: S608 - the SQL is put together from the rules in expectations/, whose values are quoted.
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import psycopg

from send_returns import feeds, layouts
from send_returns.quality import rules
from send_returns.quality.failures import GateFailed
from send_returns.quality.rules import Rule, literal
from send_returns.quality.swap import swap
from send_returns.settings import Settings
from send_returns.warehouse import HASH_JOINS_ONLY, connect

RETURN = "area_send_annex_a"
SCHEMAS = ("candidate_returns", "candidate_marts", "candidate_intermediate", "candidate_staging")
AUDIT_SCHEMA, COUNTS = "candidate_audit", "rule_count"
LOCK = 0x5E4D0003


# Of a list; other tables number their rows themselves.
_IN_ORDER = 'row_number() over (order by unique_id collate "C", person_id)'


class _Question:
    """A run's rules as SQL over its candidate, and the tables of `candidate_audit` that hold their answers.

    `populations` (such as the children with an active plan) are worked out once and kept as tables. `verdict` has a row
    for each row that a scan checked, with a flag for each of the scan's rules; `rule_count` is a view that counts them.
    """

    def __init__(self, connection: psycopg.Connection, run_id: str, stops: rules.Stops | None = None) -> None:
        row = connection.execute("select partnership, as_of from audit.run where run_id = %s", [run_id]).fetchone()
        if row is None:
            raise ValueError(f"There is no run {run_id}.")
        partnership, as_of = row
        self.run_id: str = run_id
        self.rules = [rule for rule in rules.load(as_of, "gate") if stops in (None, rule.stops)]
        # Which records are written anew: all of the run, or those of the rules that are asked.
        self.renewed = f"run_id = {literal(run_id)}"
        if stops:
            self.renewed += f" and rule in ({literal([rule.code for rule in self.rules])})"
        self._wordings = rules.wordings(layouts.load(RETURN, as_of))
        self._codes = {
            feed: rules.codes(feeds.load(feed, year=as_of.year))
            for feed in sorted({rule.feed for rule in self.rules if rule.feed})
        }
        self._values: dict[str, str | date] = {"run_id": run_id, "partnership": partnership, "as_of": as_of}
        self._raw_rows = _raw_rows(connection)
        self.populations = {
            name: rule.sql(query, self._values) for rule in self.rules for name, query in rule.populations.items()
        }

    def fill(self, rule: Rule, text: str) -> str:
        own = {"wordings": self._wordings[rule.fields[0]]} if ":wordings" in text else {}
        if ":codes" in text and rule.feed is not None:
            own = {"codes": self._codes[rule.feed][rule.fields[0]]}
        stored = {name: f"select * from {AUDIT_SCHEMA}.{name}" for name in rule.populations}
        return rule.sql(text, {**self._values, **own}, {**stored, "raw_rows": self._raw_rows})

    def verdicts(self, scans: Sequence[Sequence[Rule]]) -> str:
        """A query of (scan, row_number, record_key, flags): each list is read once, however many its rules."""
        parts = []
        for number, own in enumerate(scans):
            if own[0].condition is None:
                parts.append(
                    f"select {number}, cast(null as bigint), record_key, array[true]"
                    f" from ({self.fill(own[0], str(own[0].select))}) as failing"
                )
                continue
            flags = ", ".join(f"({self.fill(rule, str(rule.condition))})" for rule in own)
            position = f"{own[0].numbered_by or _IN_ORDER} + 1"
            parts.append(f"select {number}, {position}, person_id, array[{flags}] from {own[0].table}")
        return " union all ".join(parts)

    def counts(self, scans: Sequence[Sequence[Rule]], broken: set[str]) -> str:
        """A query of (rule, failing_rows, checked_rows) over `verdict`; failing_rows is null where a rule is broken."""
        parts = [f"select {literal(code)}, cast(null as bigint), cast(0 as bigint)" for code in sorted(broken)]
        for number, own in enumerate(scans):
            codes = literal([rule.code for rule in own])
            failing = ", ".join(f"count(*) filter (where flags[{n}])" for n in range(1, len(own) + 1))
            checked = f"({self.fill(own[0], own[0].checked)})" if own[0].checked else "count(*)"
            parts.append(
                f"select by_rule.rule, by_rule.failing_rows, counted.checked_rows from"
                f" (select {checked} as checked_rows, array[{failing}] as failing"
                f" from {AUDIT_SCHEMA}.verdict where scan = {number}) as counted"
                f" cross join lateral unnest(array[{codes}], counted.failing) as by_rule (rule, failing_rows)"
            )
        return " union all ".join(parts)

    def findings(self, scans: Sequence[Sequence[Rule]]) -> str:
        """A query of the failing rows as `audit.finding` keeps them."""
        described = ", ".join(
            f"({number}, {place}, {literal(rule.code)}, {literal(rule.severity)}, {literal(rule.table)},"
            f" cast(array[{literal(list(rule.fields))}] as text[]), {literal(rule.message)})"
            for number, own in enumerate(scans)
            for place, rule in enumerate(own, start=1)
        )
        return (
            f"select 'run', {literal(self.run_id)}, rule.code, rule.severity, rule.table_name, rule.fields,"
            f" verdict.row_number, verdict.record_key, rule.message"
            f" from (select * from {AUDIT_SCHEMA}.verdict where true = any(flags)) as verdict"
            f" inner join (values {described}) as rule (scan, place, code, severity, table_name, fields, message)"
            f" on rule.scan = verdict.scan where verdict.flags[rule.place]"
        )


def _by_scan(wanted: Iterable[Rule]) -> list[list[Rule]]:
    """The row rules of a table together, to be answered by one scan; each other rule by itself."""
    scans: dict[str, list[Rule]] = {}
    for rule in wanted:
        scans.setdefault(rule.table if rule.condition else rule.code, []).append(rule)
    return list(scans.values())


def _raw_rows(connection: psycopg.Connection) -> str:
    """A query of (delivery_id, table_name, row_count) over all raw tables, for the deliveries of the run.

    Landing names a table as its feed does: `person`, where the raw table is `sen2__person`.
    """
    names = connection.execute(
        "select c.table_schema, c.table_name from information_schema.columns as c"
        " where c.table_schema in ('raw_council', 'raw_icb', 'raw_reference') and c.column_name = '_delivery_id'"
        " order by 1, 2"
    ).fetchall()
    parts = [
        f"select _delivery_id as delivery_id, '{table.partition('__')[2]}' as table_name, count(*) as row_count"
        f" from {schema}.{table}"
        f" where _delivery_id in (select delivery_id from audit.run_delivery where run_id = :run_id) group by 1"
        for schema, table in names
    ]
    return " union all ".join(parts) or "select 0 as delivery_id, '' as table_name, 0 as row_count where false"


def judge(
    settings: Settings, run_id: str, schemas: Sequence[str] = SCHEMAS, stops: rules.Stops | None = None
) -> list[str]:
    """Evaluate every rule on the candidate and write `audit.finding` and `audit.check_result` anew.

    Returns a line for each rule that stops the release; one that stops its own return alone is on record as blocking.
    `schemas` is where the tables of the rules are looked for; `stops` limits it to the rules that stop a release, or a
    return.
    """
    from send_returns.quality import expectation

    with connect(settings, purpose="send-returns gate") as connection:
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        _execute(connection, f"set search_path = {', '.join(schemas)}")
        _execute(connection, HASH_JOINS_ONLY)
        question = _Question(connection, run_id, stops)
        found = _evaluate(connection, question)
        # Great Expectations reads over a connection of its own.
        connection.commit()
        verdicts = expectation.validate(settings, AUDIT_SCHEMA, COUNTS, question.rules)
        lines = _record_results(connection, question, found, verdicts)
        _execute(connection, f"drop schema {AUDIT_SCHEMA} cascade")
    return lines


def _evaluate(connection: psycopg.Connection, question: _Question) -> dict[str, int]:
    """Answer every rule into `candidate_audit`, and write the findings; returns how many each rule has."""
    _execute(connection, f"drop schema if exists {AUDIT_SCHEMA} cascade")
    _execute(connection, f"create schema {AUDIT_SCHEMA}")
    for name, query in question.populations.items():
        _attempt(connection, f"create unlogged table {AUDIT_SCHEMA}.{name} as {query}")
    create = f"create unlogged table {AUDIT_SCHEMA}.verdict (scan, row_number, record_key, flags) as "
    scans, broken = _by_scan(question.rules), set[str]()
    if not _attempt(connection, create + question.verdicts(scans)):
        # One of the rules cannot be evaluated: one by one, to find out which, and to keep the findings of the others.
        broken = {rule.code for rule in question.rules if not _works(connection, question, rule)}
        scans = _by_scan(rule for rule in question.rules if rule.code not in broken)
        nothing = "select 0, cast(null as bigint), cast(null as text), array[true] where false"
        _execute(connection, create + (question.verdicts(scans) or nothing))
    counts = question.counts(scans, broken)
    _execute(connection, f"create view {AUDIT_SCHEMA}.{COUNTS} (rule, failing_rows, checked_rows) as {counts}")
    _execute(connection, f"delete from audit.finding where {question.renewed}")
    if not scans:
        return {}
    written = connection.execute(
        f"with written as (insert into audit.finding (scope, run_id, rule, severity, table_name, fields, row_number,"
        f" record_key, message) {question.findings(scans)} returning rule)"
        f" select rule, count(*) from written group by rule".encode()
    )
    return dict(written.fetchall())


def _execute(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement.encode())


def _attempt(connection: psycopg.Connection, statement: str) -> bool:
    try:
        with connection.transaction():
            _execute(connection, statement)
    except psycopg.Error:
        return False
    return True


def _works(connection: psycopg.Connection, question: _Question, rule: Rule) -> bool:
    """Whether a rule, and the count of what it checked, can be evaluated to the last row."""
    checked = question.fill(rule, rule.checked or f"select count(*) from {rule.table}")
    return _attempt(connection, f"select count(verdict), ({checked}) from ({question.verdicts([[rule]])}) as verdict")


def _record_results(
    connection: psycopg.Connection,
    question: _Question,
    found: dict[str, int],
    verdicts: dict[str, tuple[int, int] | None],
) -> list[str]:
    lines, rows = [], []
    for rule in question.rules:
        verdict = verdicts.get(rule.code)
        failing, checked = verdict or (None, None)
        # Two counts of the same thing, by Great Expectations and by the findings on record, have to agree.
        if verdict is None or failing != found.get(rule.code, 0):
            outcome, is_blocking = "error", True
            line = f"{rule.code}: the rule could not be evaluated. Look at its definition and at the build's results."
        else:
            outcome = "fail" if failing else "pass"
            is_blocking = rule.is_blocking(failing or 0, checked or 0)
            line = f"{rule.code}: {failing} of {checked} rows. {rule.message} {rule.action}"
        if is_blocking and rule.stops == "release":
            lines.append(line)
        row: list[Any] = [question.run_id, rule.code, rule.suite, rule.severity, outcome, failing, checked]
        rows.append([*row, str(rule.blocks), is_blocking, rule.message, rule.stops])
    _execute(connection, f"delete from audit.check_result where {question.renewed}")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.check_result (run_id, rule, suite, severity, outcome, failing_rows, checked_rows,"
            " blocks, is_blocking, message, stops) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
    return lines


def gate(settings: Settings, run_id: str) -> dict[str, int | str]:
    """What `send_returns.quality.gate` promises."""
    if not _is_live(settings, run_id):
        lines = judge(settings, run_id)
        if lines:
            with connect(settings, purpose="send-returns gate") as connection:
                connection.execute("update audit.run set status = 'failed' where run_id = %s", [run_id])
            raise GateFailed(run_id, lines)
        swap(settings, run_id)
    with connect(settings, purpose="send-returns gate") as connection:
        row = connection.execute(
            "select count(*), count(*) filter (where outcome = 'pass'), count(*) filter (where outcome = 'fail'),"
            " coalesce(sum(failing_rows), 0)::bigint from audit.check_result where run_id = %s",
            [run_id],
        ).fetchone()
    counts = row or (0, 0, 0, 0)
    return {"run_id": run_id, "rules": counts[0], "passed": counts[1], "failed": counts[2], "findings": counts[3]}


def _is_live(settings: Settings, run_id: str) -> bool:
    """Whether this run is what readers see and nothing newer has been built: its candidate became the live schemas."""
    with connect(settings, purpose="send-returns gate") as connection:
        row = connection.execute(
            "select to_regnamespace('candidate_returns') is null and exists (select 1 from audit.run join audit.live"
            " using (partnership, run_id) where run_id = %s and status in ('passed', 'published'))",
            [run_id],
        ).fetchone()
    return row == (True,)
