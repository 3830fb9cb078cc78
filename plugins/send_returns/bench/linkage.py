"""How well a county is linked, and how fast, beside the two simpler ways to link the very same records."""

from datetime import date
from pathlib import Path
from typing import Any

from send_returns import clock, feeds, landing, stages
from send_returns.bench.scratch import scratch
from send_returns.identity.evaluation import Measures, evaluate
from send_returns.settings import Settings


def linkage_figures(settings: Settings, county: Path, as_of: date) -> dict[str, Any]:
    """Land a simulated county in a scratch database, link it, and score that by its truth.

    `seconds` are those of the link stage, on a database that knows nobody yet. `precision` and `recall` are of all
    pairs of records; `recall_where_said` of those of records that say who they are about. The baselines' have their
    name before them.
    """
    with scratch(settings) as database:
        for organisation in feeds.ORGANISATIONS:
            landing.land(database, organisation, county / "inbox", as_of)
        run_id = stages.open_run(database, as_of)
        started = clock.monotonic()
        stages.link(database, run_id)
        seconds = clock.monotonic() - started
        evaluation = evaluate(database, run_id, county / "truth")
    every, telling = (row.measures for row in evaluation.rows if (row.section, row.scope) == ("records", "all pairs"))
    shares: dict[str, float | None] = {}
    for approach in every:
        name = "" if approach == "linkage" else f"{approach.replace('-', '_').replace(' ', '_')}_"
        shares |= _shares(name, every[approach], telling[approach])
    return {"seconds": round(seconds, 3), "records": evaluation.records, **shares}


def _shares(name: str, every: Measures, telling: Measures) -> dict[str, float | None]:
    return {
        f"{name}precision": every.precision,
        f"{name}recall": every.recall,
        f"{name}recall_where_said": telling.recall,
    }
