"""How each return becomes files: one module for each, and one list of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from send_returns.returns.job import Job
from send_returns.returns.renderers import area_send_annex_a, public_scorecard, sen2

Renderer = Callable[[Job, Path], Mapping[str, int]]
"""Writes the files of a job into a private folder; returns rows by table."""

RENDERERS: Mapping[str, Renderer] = {
    "area_send_annex_a": area_send_annex_a.render,
    "public_scorecard": public_scorecard.render,
    "sen2": sen2.render,
}
