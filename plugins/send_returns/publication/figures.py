"""Where disclosure control is applied: once for a run, to all figures, and beside every release before.

What may be shown, and what is hidden and why, is kept with each release that shows figures of its kind.
"""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from send_returns.releases.acting import acting
from send_returns.releases.register import Release
from send_returns.returns.disclosure import Figures, Shown, protect_figures
from send_returns.returns.disclosure.cells import KEYS, PARTS
from send_returns.returns.evidence import Run

TABLES = ("return_statistics__figure", "return_health_waits__figure")
_WAITS = "health_waits"
_DIMENSIONS = ("geography_code", "breakdown", "breakdown_value")
_PERIOD = ("return_table", "measure", "period_kind", "period_from_on", "period_to_on")
_NUMBERS = (*PARTS, "value")


def protected(connection: psycopg.Connection, run: Run, *, is_rehearsal: bool) -> Figures:
    """Every statistical figure of the live run, as it may be shown beside all that was published before.

    Raises NotProtected when no proof is found that no small count can be worked out: nothing is released then.
    """
    return protect_figures(
        exact(connection, run.partnership), published(connection, run.partnership, is_rehearsal=is_rehearsal)
    )


def exact(connection: psycopg.Connection, partnership: str, schema: str = "returns") -> pl.DataFrame:
    """Every statistical figure of the live run, or of a candidate, as it is: for nobody to see."""
    return pl.concat([_exact(connection, schema, table, partnership) for table in TABLES])


def keep(connection: psycopg.Connection, release: Release, figures: Shown) -> None:
    """Keep with a draft the figures of its return that may be shown, and which were hidden and why."""
    reasons = (
        of_return(figures.hidden, release.return_name)
        .group_by(KEYS)
        .agg(pl.concat_str("part", pl.lit(": "), "why").sort().str.join("; ").alias("reason"))
        .sort(KEYS)
    )
    with acting(connection, "release_drafter", of=release.release_id):
        for table, frame, columns in (
            ("figure", of_return(figures.frame, release.return_name), (*_NUMBERS, "status")),
            ("hidden", reasons, ("reason",)),
        ):
            named = ("release_id", "attempt", *_PERIOD, "dimensions", *columns)
            copy = sql.SQL("copy release.{} ({}) from stdin").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, named))
            )
            with connection.cursor().copy(copy) as lines:
                for row in frame.iter_rows(named=True):
                    dimensions = json.dumps({name: row[name] for name in _DIMENSIONS})
                    lines.write_row(
                        [
                            release.release_id,
                            release.attempt,
                            *(row[name] for name in _PERIOD),
                            dimensions,
                            *(row[name] for name in columns),
                        ]
                    )


def of_return(frame: pl.DataFrame, return_name: str) -> pl.DataFrame:
    """The figures of the kind that a return shows."""
    own = pl.col("return_table").str.starts_with(_WAITS)
    return frame.filter(own if return_name == _WAITS else ~own)


def of_release(connection: psycopg.Connection, release: Release) -> pl.DataFrame:
    """What a release shows: a row for each figure, with its period and dimensions as columns."""
    with acting(connection, "release_reader"), connection.cursor() as cursor:
        cursor.execute(
            "select return_table, measure, period_kind, period_from_on, period_to_on,"
            " dimensions ->> 'geography_code' as geography_code, dimensions ->> 'breakdown' as breakdown,"
            " dimensions ->> 'breakdown_value' as breakdown_value, numerator, denominator, value, status"
            " from release.figure where (release_id, attempt) = (%s, %s)",
            [release.release_id, release.attempt],
        )
        names = [column.name for column in cursor.description or ()]
        return _frame(cursor.fetchall(), names).sort(KEYS)


def _exact(connection: psycopg.Connection, schema: str, table: str, partnership: str) -> pl.DataFrame:
    query = sql.SQL("select * from {} where partnership = %s").format(sql.Identifier(schema, table))
    with connection.cursor() as cursor:
        cursor.execute(query, [partnership])
        names = [column.name for column in cursor.description or ()]
        return _frame(cursor.fetchall(), names)


def published(connection: psycopg.Connection, partnership: str, *, is_rehearsal: bool) -> list[Shown]:
    """What each earlier release of figures showed and why not, oldest first; a figure that several returns show comes
    once."""
    frame, hidden = (
        _of_all(connection, table, columns, partnership, is_rehearsal=is_rehearsal)
        for table, columns in (("figure", ("numerator", "denominator", "value", "status")), ("hidden", ("reason",)))
    )
    reasons = (
        hidden.with_columns(pl.col("reason").str.split("; "))
        .explode("reason")
        .with_columns(pl.col("reason").str.split_exact(": ", 1).struct.rename_fields(["part", "why"]))
        .unnest("reason")
    )
    release = ["as_of", "version"]
    return [
        Shown(part.drop(release), reasons.join(part.select(release).unique(), on=release).drop(release))
        for part in frame.partition_by(release, maintain_order=True)
    ]


def _of_all(
    connection: psycopg.Connection, table: str, columns: Sequence[str], partnership: str, *, is_rehearsal: bool
) -> pl.DataFrame:
    """The rows of a table about figures of every release that is out, with period and dimensions as columns."""
    query = sql.SQL(
        "select distinct as_of, version, return_table, measure, period_kind, period_from_on, period_to_on,"
        " dimensions ->> 'geography_code' as geography_code, dimensions ->> 'breakdown' as breakdown,"
        " dimensions ->> 'breakdown_value' as breakdown_value, {}"
        " from release.{} inner join release.release using (release_id, attempt)"
        " where partnership = %s and is_rehearsal = %s and is_out"
    ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table))
    # Why a figure is hidden is read by who hides, and by no other reader of releases.
    with acting(connection, "release_drafter"), connection.cursor() as cursor:
        cursor.execute(query, [partnership, is_rehearsal])
        names = [column.name for column in cursor.description or ()]
        return _frame(cursor.fetchall(), names).sort("as_of", "version", *KEYS)


def _frame(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=list(names), orient="row", infer_schema_length=None)
    return frame.with_columns(
        *[pl.col(name).cast(pl.String) for name in (*KEYS, "reason") if name in names and not name.endswith("_on")],
        *[pl.col(name).cast(pl.Date) for name in KEYS if name.endswith("_on")],
        *[pl.col(name).cast(pl.Float64) for name in (*_NUMBERS, "per", "people") if name in names],
    )
