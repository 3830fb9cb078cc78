"""The gate, its findings written, against the same rules in one statement written by hand (`gate.sql`)."""

import statistics
from pathlib import Path
from typing import Any

from send_returns import clock

# Great Expectations is imported here, so that no repeat pays for it.
from send_returns.quality import expectation, gating  # noqa: F401
from send_returns.settings import Settings
from send_returns.warehouse import HASH_JOINS_ONLY, connect

BASELINE = Path(__file__).with_suffix(".sql")
REPEATS = 3


def gate_ratio(settings: Settings, run_id: str) -> dict[str, Any]:
    """Seconds of both, medians of three interleaved runs on what the run built, be it candidate still or live already.

    Writes the findings and results of the rules that stop a release again, the same ones; swaps nothing. Imports are
    not counted.
    """
    with connect(settings, purpose="send-returns bench") as connection:
        row = connection.execute("select to_regnamespace('candidate_returns') is null").fetchone()
    schemas = ("returns", "marts", *gating.SCHEMAS[2:]) if row == (True,) else gating.SCHEMAS
    judged, asked, rules = [], [], 0
    for _ in range(REPEATS):
        started = clock.monotonic()
        gating.judge(settings, run_id, schemas, "release")
        judged.append(clock.monotonic() - started)
        started = clock.monotonic()
        rules = len(ask(settings, run_id, schemas))
        asked.append(clock.monotonic() - started)
    baseline, measured = statistics.median(asked), statistics.median(judged)
    return {
        "baseline": "one hand-written query",
        "baseline_seconds": round(baseline, 3),
        "gate_seconds": round(measured, 3),
        "ratio": round(measured / baseline, 3),
        "rules": rules,
    }


def ask(settings: Settings, run_id: str, schemas: tuple[str, ...] = gating.SCHEMAS) -> dict[str, tuple[int, int]]:
    """The baseline's answer: rule -> (failing rows, rows checked)."""
    with connect(settings, purpose="send-returns bench") as connection:
        connection.execute(f"set search_path = {', '.join(schemas)}".encode())
        # The same plans for both, or the baseline would be slow by the planner's mistake and the ratio a flattery.
        connection.execute(HASH_JOINS_ONLY)
        row = connection.execute("select partnership, as_of from audit.run where run_id = %s", [run_id]).fetchone()
        if row is None:
            raise ValueError(f"There is no run {run_id}.")
        values = {"run_id": run_id, "partnership": row[0], "as_of": row[1]}
        answer = connection.execute(BASELINE.read_bytes(), values).fetchall()
    return {rule: (failing, checked) for rule, failing, checked in answer}
