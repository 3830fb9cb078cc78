"""What the warehouse says of a run: what it was built from, how records were joined, which rules ran. Counts only."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from send_returns.failure import Failure

# The suite of what must hold of every return.
WHOLE = "release"

T = TypeVar("T")
Params = Sequence[Any] | Mapping[str, Any]


class NotPublishable(Failure):
    """The run may not be published. The message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One run as `audit.run` has it."""

    run_id: str
    partnership: str
    as_of: date
    code_version: str
    manifest_sha256: str


@dataclass(frozen=True)
class Delivery:
    """One delivery of the run's manifest, and what `rows_in` comes to: those loaded, quarantined, and erased since."""

    delivery_id: int
    organisation: str
    feed: str
    contract_version: str
    period_key: str | None
    reference_on: date | None
    content_sha256: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_erased: int


@dataclass(frozen=True)
class SourceFile:
    """One file of a delivery. Its name may name a child, so only the name's SHA-256 goes further."""

    delivery_id: int
    name_sha256: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Linkage:
    """How one feed's person records were joined. `children` = `also_elsewhere` + `only_here`; `in_review`: records."""

    feed: str
    records: int
    children: int
    also_elsewhere: int
    only_here: int
    in_review: int


@dataclass(frozen=True)
class RuleResult:
    """One rule's outcome over the run, from `audit.check_result`."""

    rule: str
    suite: str
    severity: str
    outcome: str
    failing_rows: int | None
    checked_rows: int | None
    blocks: str
    message: str


@dataclass(frozen=True)
class Finding:
    """What the door found in the rows of one feed that were kept: how many `rows`, under which rule."""

    feed: str
    rule: str
    severity: str
    message: str
    rows: int


@dataclass(frozen=True)
class Evidence:
    """All that the statement and the manifest of a pack say of a run."""

    run: Run
    deliveries: Sequence[Delivery]
    files: Sequence[SourceFile]
    linkage: Sequence[Linkage]
    findings: Sequence[Finding]
    rules: Sequence[RuleResult]


def find(connection: psycopg.Connection, run_id: str, partnership: str) -> Run:
    """The partnership's run of that id. Raises NotPublishable when there is none."""
    runs = _rows(
        connection,
        Run,
        "select run_id, partnership, as_of, code_version, manifest_sha256 from audit.run"
        " where run_id = %s and partnership = %s",
        (run_id, partnership),
    )
    if not runs:
        raise NotPublishable(f"run {run_id}: {partnership} has no such run: open one first")
    return runs[0]


def hold_live(connection: psycopg.Connection, run: Run, models: Sequence[str]) -> None:
    """Holds the run live until the transaction ends, so that every row comes from it and one publisher is at work.

    The gate's swap waits for us: like it, we lock the live tables first and then the partnership's row of `audit.live`.

    Raises:
        NotPublishable: a table of the return is not there, the gate has not passed the run, or another run is live.
    """
    for model in models:
        try:
            connection.execute(sql.SQL("lock table {} in access share mode").format(sql.Identifier("returns", model)))
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise NotPublishable(
                f"run {run.run_id}: there is no live table returns.{model}: pass the run through the gate"
            ) from error
    live = connection.execute(
        "select run_id from audit.live where partnership = %s for update", (run.partnership,)
    ).fetchone()
    ((status,),) = connection.execute("select status from audit.run where run_id = %s", (run.run_id,)).fetchall()
    if status not in ("passed", "published"):
        raise NotPublishable(f"run {run.run_id} is {status}: only a run that passed the gate is published")
    if live is None or live[0] != run.run_id:
        raise NotPublishable(
            f"run {run.run_id} is not live, {live[0] if live else 'none'} is:"
            " pass it through the gate, or publish the live one"
        )


def gather(connection: psycopg.Connection, run: Run, suite: str) -> Evidence:
    """What a pack says of a run: of the rules, those of `suite` and of the release as a whole.

    Raises NotPublishable when no rule of `suite` was run: nothing proves the return.
    """
    deliveries = _rows(
        connection,
        Delivery,
        "select delivery_id, organisation, feed, contract_version, period_key, reference_on, content_sha256, rows_in,"
        " rows_loaded, rows_quarantined, delivery.rows_erased"
        " from landing.delivery join audit.run_delivery using (delivery_id)"
        ' where run_id = %s order by feed collate "C", reference_on, period_key collate "C", delivery_id',
        (run.run_id,),
    )
    files = [
        SourceFile(delivery_id, hashlib.sha256(name.encode()).hexdigest(), sha256, size)
        for delivery_id, name, sha256, size in connection.execute(
            "select delivery_id, file_name, sha256, bytes from landing.delivery_file"
            " join audit.run_delivery using (delivery_id) where run_id = %s"
            ' order by delivery_id, file_name collate "C"',
            (run.run_id,),
        )
    ]
    linkage = _rows(connection, Linkage, _LINKAGE, {"run_id": run.run_id})
    findings = _rows(
        connection,
        Finding,
        "select feed, rule, severity, message, count(*) as rows from audit.finding as finding"
        " join landing.delivery using (delivery_id) join audit.run_delivery as manifest using (delivery_id)"
        " where finding.scope = 'delivery' and manifest.run_id = %s group by feed, rule, severity, message"
        ' order by feed collate "C", rule collate "C", message collate "C"',
        (run.run_id,),
    )
    rules = _rows(
        connection,
        RuleResult,
        "select rule, suite, severity, outcome, failing_rows, checked_rows, blocks, message from audit.check_result"
        ' where run_id = %s and suite in (%s, %s) order by suite collate "C", rule collate "C"',
        (run.run_id, suite, WHOLE),
    )
    if not any(result.suite == suite for result in rules):
        raise NotPublishable(f"run {run.run_id}: no rule of suite {suite} was run on it: run the gate again")
    return Evidence(run, deliveries, files, linkage, findings, rules)


# The feeds of a child are bits of one number: a million records need one pass, and no list of feeds for each child.
_LINKAGE = """
with feed as (
    select feed, 1::bigint << (row_number() over (order by feed collate "C") - 1)::integer as bit
    from landing.delivery join audit.run_delivery using (delivery_id) where run_id = %(run_id)s group by feed
),
delivery as materialized (
    select delivery_id, feed, bit
    from landing.delivery join audit.run_delivery using (delivery_id) join feed using (feed) where run_id = %(run_id)s
),
spread as (
    select feeds, count(*) as children
    from (
        select bit_or(bit) as feeds from identity.link join delivery using (delivery_id) group by person_id
    ) as child
    group by feeds
),
received as (
    select delivery.feed, count(*) as records, count(*) filter (where state = 'in review') as in_review
    from identity.link join delivery using (delivery_id) group by delivery.feed
)
select
    feed,
    records,
    sum(children)::bigint as children,
    coalesce(sum(children) filter (where feeds <> bit), 0)::bigint as also_elsewhere,
    coalesce(sum(children) filter (where feeds = bit), 0)::bigint as only_here,
    in_review
from received join feed using (feed) join spread on feeds & bit <> 0
group by feed, records, in_review
order by feed collate "C"
"""


def _rows(connection: psycopg.Connection, kind: type[T], query: LiteralString, parameters: Params) -> list[T]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, parameters).fetchall()
