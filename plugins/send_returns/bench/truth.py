"""The indicators of a built county against the truth that its simulation wrote: without mess, and with suppliers'."""

import csv
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from send_returns import demonstration, stages, warehouse
from send_returns.bench.dbt import linked
from send_returns.bench.scratch import scratch
from send_returns.settings import Settings
from send_returns.simulate import simulate

# What no life tells: when a feed came and which of its rows were refused.
NOT_OF_THE_COUNTY = ("G01", "G02")
Headline = tuple[str, str, str, float | None, float | None, float | None]


def against_truth(settings: Settings, *, children: int, seed: int, as_of: date) -> Iterator[dict[str, Any]]:
    """For each level of mess: how many measures have a truth, how many are exactly that, which are not, and how far off
    the worst is.

    `furthest_share`: of the measure `furthest`, how far its numerator is off, of what it is divided by or of itself.
    """
    for mess in ("none", "realistic"):
        folder = settings.folder("truth")
        simulate(folder, children=children, seed=seed, as_of=as_of, mess=mess)
        with scratch(settings) as database:
            demonstration.make_keys(database, lambda _: None)
            run_id = linked(database, folder / "inbox", as_of)
            for layer in stages.LAYERS:
                stages.build(database, run_id, layer)
            yield {"mess": mess, **compared(of_simulation(folder / "truth"), of_mart(database))}
        shutil.rmtree(folder)


def compared(truth: Mapping[str, Headline], found: Mapping[str, Headline]) -> dict[str, Any]:
    """How many of the measures are as the truth has them, which are not, and the furthest off."""
    told = {measure: said for measure, said in truth.items() if measure not in NOT_OF_THE_COUNTY}
    other = sorted(measure for measure, said in told.items() if found.get(measure) != said)
    off = {measure: _off(told[measure], found[measure]) for measure in other if measure in found}
    furthest = max(off, key=lambda measure: (off[measure], measure), default=None)
    return {
        "measures": len(told),
        "exact": len(told) - len(other),
        "others": " ".join(other),
        "available": sum(said[2] == "ok" for said in told.values()),
        "elsewhere": sum(measure not in found or found[measure][:3] != told[measure][:3] for measure in other),
        "furthest": furthest,
        "furthest_share": round(off[furthest], 4) if furthest else 0.0,
    }


def _off(said: Headline, found: Headline) -> float:
    above, below = said[3] or 0.0, said[4] or said[3] or 0.0
    return abs((found[3] or 0.0) - above) / below if below else 0.0


def of_simulation(folder: Path) -> dict[str, Headline]:
    """What the simulation says of each measure."""
    with (folder / "indicator.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["indicator"]: _headline(
                row["period_from"], row["period_to"], row["status"], row["numerator"], row["denominator"], row["value"]
            )
            for row in csv.DictReader(file)
        }


def of_mart(settings: Settings) -> dict[str, Headline]:
    """The headline of each measure in the candidate marts."""
    with warehouse.connect(settings) as connection:
        rows = connection.execute(
            "select measure, period_from_on::text, period_to_on::text, status, numerator, denominator, value"
            " from candidate_marts.mart_indicator where is_headline"
        ).fetchall()
    return {measure: _headline(*row) for measure, *row in rows}


def _headline(start: str, end: str, status: str, *numbers: object) -> Headline:
    """Only what is available has numbers that count."""
    above, below, value = (None if number in (None, "") else float(str(number)) for number in numbers)
    return (start, end, status, above, below, value) if status == "ok" else (start, end, status, None, None, value)
