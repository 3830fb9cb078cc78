"""How well a county is linked, and how fast, beside the two simpler ways to link the very same records."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from send_returns import clock, feeds, landing, stages
from send_returns.bench.scratch import scratch
from send_returns.identity.evaluation import Measures, evaluate
from send_returns.settings import Settings


def linkage_figures(settings: Settings, county: Path, as_of: date) -> dict[str, Any]:
    """Land a simulated county in a scratch database, link it, and score that by its truth.

    `seconds` are those of the link stage, on a database that knows nobody yet; `delta_seconds` of linking one delivery
    more, of about one in a hundred records, to what is linked. `precision` and `recall` are of all pairs of records
    after both; `recall_where_said` of those of records that say who they are about. The baselines' have their name
    before them.
    """
    late, share = delivery_of_a_day(county)
    aside = county / late.name
    with scratch(settings) as database:
        late.rename(aside)
        try:
            _, seconds = _linked(database, county / "inbox", as_of)
        finally:
            aside.rename(late)
        run_id, delta = _linked(database, county / "inbox", as_of)
        evaluation = evaluate(database, run_id, county / "truth")
    every, telling = (row.measures for row in evaluation.rows if (row.section, row.scope) == ("records", "all pairs"))
    shares: dict[str, float | None] = {}
    for approach in every:
        name = "" if approach == "linkage" else f"{approach.replace('-', '_').replace(' ', '_')}_"
        shares |= _shares(name, every[approach], telling[approach])
    return {
        "seconds": round(seconds, 3),
        "records": evaluation.records,
        "delta_seconds": round(delta, 3),
        "delta_of_records": share,
        "delta_of_seconds": delta / seconds,
        **shares,
    }


def _linked(settings: Settings, inbox: Path, as_of: date) -> tuple[str, float]:
    """Land what is new in the inbox and link it; the run and the seconds of its link stage."""
    for organisation in feeds.ORGANISATIONS:
        landing.land(settings, organisation, inbox, as_of)
    run_id = stages.open_run(settings, as_of)
    started = clock.monotonic()
    stages.link(settings, run_id)
    return run_id, clock.monotonic() - started


def delivery_of_a_day(county: Path) -> tuple[Path, float]:
    """The delivery that has most nearly one in a hundred of the records, and its share; of a feed that has others."""
    record = pl.read_csv(county / "truth" / "record.csv", infer_schema=False)
    shares = (
        record.group_by("feed", "delivery")
        .len("share")
        .with_columns(pl.col("share") / record.height)
        .filter(pl.len().over("feed") > 1)
        .sort((pl.col("share") - 0.01).abs(), "feed", "delivery")
    )
    feed, name, share = shares.row(0)
    return next((county / "inbox").glob(f"*/{feed}/{name}")), share


def _shares(name: str, every: Measures, telling: Measures) -> dict[str, float | None]:
    return {
        f"{name}precision": every.precision,
        f"{name}recall": every.recall,
        f"{name}recall_where_said": telling.recall,
    }
