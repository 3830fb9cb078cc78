"""What disclosure control takes, what it hides, and what an attack on all tables learns, beside hiding 1 to 7 alone."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from send_returns import clock, feeds, stages, warehouse
from send_returns.bench.attack import Attack, Learnt, alike, primary_only
from send_returns.bench.scratch import scratch
from send_returns.publication import figures
from send_returns.returns.disclosure import protect_figures
from send_returns.settings import Settings


def disclosure_figures(exact: pl.DataFrame) -> dict[str, Any]:
    """Protect exact figures as a first release, and attack what comes out.

    `seconds` are those of the protection. `suppressed` is the share of figures that are hidden. `narrower`: small
    counts of which fewer than eight numbers remain possible; `naive_` of who takes every hidden count for at least
    one. `baseline_` is of 1 to 7 alone hidden and the rest rounded, `unrounded_baseline_` of that without rounding.
    """
    started = clock.monotonic()
    shown = protect_figures(exact)
    seconds = clock.monotonic() - started
    same = alike(exact)
    found = Attack([shown.frame], [exact], same).run()
    rounded, whole = (primary_only(exact, rounded=is_rounded) for is_rounded in (True, False))
    return {
        "seconds": seconds,
        "cells": shown.cells,
        "programmes": shown.programmes,
        "suppressed": (shown.frame["status"] == "c").mean(),
        "small_counts": found.attacked,
        **_learnt("", found),
        **_learnt("naive_", Attack([shown.frame], [exact], same, is_naive=True).run()),
        **_learnt("baseline_", Attack([rounded], [exact], same).run()),
        **_learnt("unrounded_baseline_", Attack([whole], [exact], same, is_exact=True).run()),
    }


def _learnt(name: str, found: Learnt) -> dict[str, int]:
    return {f"{name}recovered": found.recovered, f"{name}narrower": found.narrow}


def small_county(settings: Settings, county: Path, as_of: date) -> pl.DataFrame:
    """The exact figures of a simulated county, from a scratch database."""
    with scratch(settings) as database:
        for organisation in feeds.ORGANISATIONS:
            stages.land(database, organisation, county / "inbox", as_of)
        run_id = stages.open_run(database, as_of)
        stages.link(database, run_id)
        for layer in stages.LAYERS:
            stages.build(database, run_id, layer)
        return exact_figures(database, "candidate_returns")


def exact_figures(settings: Settings, schema: str = "returns") -> pl.DataFrame:
    """The exact figures of the live run, or of a candidate."""
    with warehouse.connect(settings, purpose="send-returns bench") as connection:
        return figures.exact(connection, settings.partnership, schema)
