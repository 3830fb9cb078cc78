"""From a figure of a return back to its definition, its models and deliveries, and the cases that it counts."""

import csv
import getpass
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.provenance import access
from send_returns.provenance.access import NotAllowed, Row
from send_returns.provenance.lineage import Lineage, NotKept, Way
from send_returns.releases import audit
from send_returns.releases.register import Release
from send_returns.rights import rows as child_rows
from send_returns.rights.people import everyone
from send_returns.settings import Settings

STATISTICS = "statistics"
_CASES = "marts.fct_indicator_case"
_NOT_RECORDED = "not recorded"
# Breakdowns that are columns of the cases.
_GROUPS = ("sex", "ethnicity_group", "primary_need", "phase", "is_looked_after", "placement_type", "provider")


@dataclass(frozen=True)
class Asked:
    """Which figure: a measure, or the code of an indicator with one measure.

    `period`: how its last day begins (2026, 2026-09), with the kind before a colon where that is needed; None: the
    latest of the kind that is shown first. `breakdown` and `value`: `total` for the whole; `geography`: a district.
    """

    measure: str
    period: str | None = None
    breakdown: str = "total"
    value: str = "total"
    geography: str | None = None


@dataclass(frozen=True)
class Cases:
    """Whom a figure counts. `shown`: child_key, counted_on, numerator, denominator, amount, of the first of them."""

    cases: int
    children: int
    numerator: Decimal | None
    denominator: Decimal | None
    shown: Sequence[Row]


@dataclass(frozen=True)
class FigureTrace:
    """Where a figure comes from.

    `definition`: what the seeds say of the measure and of its indicator. `figure`: numerator, denominator, value and
    status as the release shows them, with return_table, measure, period and dimensions; `hidden`: why a part is not
    shown. `way`: models and raw tables; None where the run's SQL is not kept. `deliveries`: those of the run with rows
    of these tables: feed, delivery, contract, table, sha256. `cases`: None where `why_not` says why there are none to
    show. `sources`: of the children shown, rows of these tables: child_key, feed, delivery, table, row_number.
    """

    release: Release
    code_version: str
    is_live: bool
    definition: dict[str, str]
    figure: Row
    hidden: str
    way: Way | None
    deliveries: Sequence[Row]
    cases: Cases | None
    why_not: str
    sources: Sequence[Row]


def trace_figure(
    settings: Settings, connection: psycopg.Connection, release_id: str, asked: Asked, limit: int, *, full: bool
) -> FigureTrace:
    """Trace a figure, and keep on record that it was read. `limit`: cases shown; `full`: with their source rows.

    Raises NotAllowed when `full` is asked by who may not see children, and Failure when there is no such release or
    figure, when several fit, or when `full` is asked of a run that is not live.
    """
    release = access.find(connection, release_id, settings.partnership)
    definition = _definition(settings, asked.measure)
    figure, hidden = _figure(connection, release, replace(asked, measure=definition["measure"]), definition)
    live = access.is_live(connection, release)
    if full:
        access.require(connection, "the rows behind a figure", (*access.OF_CHILDREN, _CASES))
        if not live:
            raise Failure(_not_live(release))
    is_indicator = figure["return_table"] == STATISTICS
    try:
        lineage = Lineage(settings, release.run_id)
        start = f"int_indicator__{definition['family']}" if is_indicator else "return_health_waits__figure"
        way = lineage.behind(start, figure["measure"])
        if is_indicator:
            own = ("return_statistics__figure", "mart_indicator", "fct_indicator_case")
            way = replace(way, models=(*own, *way.models))
    except NotKept:
        way = None
    cases, why_not = _cases(connection, release, figure, limit, is_live=live)
    sources = _sources(connection, release, cases, way) if full and cases and way else []
    [run] = access.ask_as_reader(connection, "select code_version from audit.run where run_id = %s", [release.run_id])
    traced = FigureTrace(
        release=release,
        code_version=run["code_version"],
        is_live=live,
        definition=definition,
        figure=figure,
        hidden=hidden,
        way=way,
        deliveries=_deliveries(connection, release, way) if way else [],
        cases=cases,
        why_not=why_not,
        sources=sources,
    )
    detail = {
        "trace": True,
        "attempt": release.attempt,
        "measure": figure["measure"],
        "period": f"{figure['period_kind']} {figure['period_to_on']}",
        # A count of children would be known to whoever reads the audit.
        "children_shown": cases is not None,
        "rows_shown": bool(sources),
    }
    audit.record(connection, "read", release_id, getpass.getuser(), detail, "release_reader")
    connection.commit()
    return traced


def _definition(settings: Settings, name: str) -> dict[str, str]:
    """What the seeds say of a measure; a name that they do not know is left as it is, for figures of other tables."""
    folder = settings.project / "dbt_project" / "seeds"
    measures = _seed(folder / "indicator_measures.csv")
    own = [row for row in measures if row["measure"] == name] or [
        row for row in measures if row["indicator_code"] == name
    ]
    if len(own) > 1:
        raise Failure(f"{name} has several measures: say which of {', '.join(row['measure'] for row in own)}.")
    if not own:
        return {"measure": name, "family": "", "headline_period": ""}
    [indicator] = [row for row in _seed(folder / "indicators.csv") if row["indicator_code"] == own[0]["indicator_code"]]
    return {**indicator, **own[0]}


def _seed(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _figure(
    connection: psycopg.Connection, release: Release, asked: Asked, definition: dict[str, str]
) -> tuple[Row, str]:
    kind, _, day = (asked.period or "").rpartition(":")
    found = access.ask_as_reader(
        connection,
        "select * from release.figure where release_id = %(id)s and attempt = %(attempt)s and measure = %(measure)s"
        " and dimensions ->> 'breakdown' = %(breakdown)s and dimensions ->> 'breakdown_value' = %(value)s"
        " and dimensions ->> 'geography_code' = %(geography)s"
        " and period_to_on::text like %(day)s || '%%' and (%(kind)s in ('', period_kind))"
        " order by period_to_on desc, period_kind",
        {
            "id": release.release_id,
            "attempt": release.attempt,
            "measure": asked.measure,
            "breakdown": asked.breakdown,
            "value": asked.value,
            "geography": asked.geography or release.partnership,
            "day": day,
            "kind": kind,
        },
    )
    first = [one for one in found if one["period_kind"] == definition["headline_period"]]
    if asked.period is None:
        found = (first or found)[:1]
    if not found:
        raise Failure(
            f"{release.release_id} shows no such figure of {asked.measure}: look at the measure, the period"
            " (2026-09), the breakdown (sex=M) and the district."
        )
    if len(found) > 1:
        fits = ", ".join(f"{one['period_kind']}:{one['period_to_on']} ({one['return_table']})" for one in found[:6])
        raise Failure(f"Several figures of {asked.measure} fit: say which with --period, such as {fits}.")
    [one] = found
    reason = _why_hidden(connection, one) if one["status"] == "c" else ""
    for name in ("release_id", "attempt"):
        one.pop(name)
    return one, reason


def _why_hidden(connection: psycopg.Connection, figure: Row) -> str:
    """Why a figure is hidden, for who may know the counts: to others it would tell a small one from its neighbour."""
    if not all(access.may(connection, table) for table in (_CASES, "release.hidden")):
        return ""
    found = warehouse.ask(
        connection,
        "select reason from release.hidden where release_id = %(release_id)s and attempt = %(attempt)s"
        " and return_table = %(return_table)s and measure = %(measure)s and period_kind = %(period_kind)s"
        " and (period_from_on, period_to_on) is not distinct from (%(period_from_on)s, %(period_to_on)s)"
        " and dimensions = %(dimensions)s",
        {**figure, "dimensions": Jsonb(figure["dimensions"])},
    )
    return str(found[0]["reason"]) if found else ""


def _not_live(release: Release) -> str:
    return (
        f"run {release.run_id} of {release.release_id} is not live any more, so its cases are gone. What holds: the"
        " figure as released, its definition and its deliveries, from which the same run can be built again."
    )


def _cases(
    connection: psycopg.Connection, release: Release, figure: Row, limit: int, *, is_live: bool
) -> tuple[Cases | None, str]:
    if figure["return_table"] != STATISTICS:
        return None, "The referrals behind it are in marts.fct_health_wait, by service, district and provider."
    if not is_live:
        return None, _not_live(release)
    try:
        access.require(connection, "the cases behind a figure", (_CASES,))
    except NotAllowed as refused:
        return None, str(refused)
    dimensions = figure["dimensions"]
    conditions: list[sql.Composable] = [
        sql.SQL(
            "measure = %(measure)s and counted_on between %(first)s and %(last)s"
            " and coalesce(period_kind, %(kind)s) = %(kind)s and partnership = %(partnership)s"
        )
    ]
    if dimensions["geography_code"] != release.partnership:
        conditions.append(sql.SQL("district_code = %(district)s"))
    if dimensions["breakdown"] in _GROUPS:
        column = sql.Identifier(dimensions["breakdown"])
        conditions.append(sql.SQL("coalesce({}::text, {}) = %(value)s").format(column, _NOT_RECORDED))
    condition = sql.SQL(" and ").join(conditions)
    values = {
        "measure": figure["measure"],
        "first": figure["period_from_on"],
        "last": figure["period_to_on"],
        "kind": figure["period_kind"],
        "partnership": release.partnership,
        "district": dimensions["geography_code"],
        "value": dimensions["breakdown_value"],
    }
    [sums] = warehouse.ask(
        connection,
        sql.SQL(
            "select count(*) as cases, count(distinct child_key) as children, sum(numerator) as numerator,"
            " sum(denominator) as denominator from marts.fct_indicator_case where {}"
        ).format(condition),
        values,
    )
    shown = warehouse.ask(
        connection,
        sql.SQL(
            "select child_key, counted_on, numerator, denominator, amount from marts.fct_indicator_case where {}"
            ' order by counted_on desc, child_key collate "C", numerator, denominator, amount limit %(limit)s'
        ).format(condition),
        {**values, "limit": limit},
    )
    return Cases(**sums, shown=shown), ""


def _deliveries(connection: psycopg.Connection, release: Release, way: Way) -> list[Row]:
    found = access.ask_as_reader(
        connection,
        "select feed, contract_version as contract, feed || '__' || table_name as table, content_sha256 as sha256,"
        " delivery_id from landing.delivery_table inner join audit.run_delivery using (delivery_id)"
        " inner join landing.delivery using (delivery_id)"
        " where run_id = %s and feed || '__' || table_name = any(%s)"
        ' order by feed collate "C", reference_on, content_sha256, table_name collate "C"',
        [release.run_id, [origin.table for origin in way.origins]],
    )
    return access.with_names(connection, found)


def _sources(connection: psycopg.Connection, release: Release, cases: Cases, way: Way) -> list[Row]:
    """The rows of the children shown in the tables that the measure is counted from."""
    found: list[Row] = []
    for child_key in dict.fromkeys(row["child_key"] for row in cases.shown if row["child_key"]):
        ((person_id,),) = connection.execute(
            "select person_id from identity.child_key inner join audit.run_key using (purpose, key_id)"
            " where run_id = %s and child_key = %s",
            [release.run_id, child_key],
        ).fetchall()
        child_rows.begin(connection)
        child_rows.add_linked(connection, everyone(connection, release.partnership, person_id), 0)
        child_rows.add_parts(connection, release.partnership)
        found += warehouse.ask(
            connection,
            "select %(key)s::text as child_key, feed, name as delivery, raw as table, row_number from child_row"
            " inner join audit.run_delivery using (delivery_id) inner join landing.delivery using (delivery_id)"
            " where run_id = %(run)s and raw = any(%(tables)s) and not is_quarantined"
            ' order by feed collate "C", reference_on, name collate "C", raw collate "C", row_number',
            {"key": child_key, "run": release.run_id, "tables": [origin.table for origin in way.origins]},
        )
    return found
