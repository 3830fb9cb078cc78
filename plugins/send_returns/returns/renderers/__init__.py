"""How each return becomes files: one module for each, and one list of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from send_returns.returns.job import Job
from send_returns.returns.renderers import (
    area_send_annex_a,
    area_send_evidence,
    health_waits,
    improvement_plan_progress,
    public_scorecard,
    sen2,
)

Renderer = Callable[[Job, Path], Mapping[str, int]]
"""Writes the files of a job into a private folder; returns rows by table."""

RENDERERS: Mapping[str, Renderer] = {
    "area_send_annex_a": area_send_annex_a.render,
    "area_send_evidence": area_send_evidence.render,
    "health_waits": health_waits.render,
    "improvement_plan_progress": improvement_plan_progress.render,
    "public_scorecard": public_scorecard.render,
    "sen2": sen2.render,
}
