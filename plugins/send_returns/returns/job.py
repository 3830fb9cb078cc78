"""What a renderer is given: one release to make, and nothing that it has no right to see."""

from dataclasses import dataclass
from typing import Protocol

import polars as pl
import psycopg

from send_returns.returns import pages
from send_returns.returns.declarations import Declaration
from send_returns.returns.evidence import Evidence

REHEARSAL = "REHEARSAL: a trial run, signed by nobody who answers for it. Do not use its figures."


class Figures(Protocol):
    """Statistical figures after disclosure control, which is all that a renderer of statistics knows of any child.

    `frame` has a row for each figure, ordered: partnership, return_table, measure, period_kind, period_from_on,
    period_to_on, the dimensions, then numerator and denominator (rounded to 5, or null), value (made of those) and
    status: '' shown, 'c' suppressed, 'x' not available, 'z' not applicable, 'low' rounds to nought.
    """

    @property
    def frame(self) -> pl.DataFrame:
        """The figures, for reading."""
        ...


@dataclass(frozen=True)
class Job:
    """One release of one return. `figures` is there for a statistical return, and for no other."""

    connection: psycopg.Connection
    declaration: Declaration
    proof: Evidence
    version: int
    is_rehearsal: bool
    figures: Figures | None

    @property
    def frame(self) -> pl.DataFrame:
        """The figures of a statistical return. Raises TypeError for another, which has none."""
        if self.figures is None:
            raise TypeError(f"{self.declaration.return_name} has no figures")
        return self.figures.frame

    @property
    def footer(self) -> str:
        """What stands at the foot of every page: which release it is, and what may be done with it."""
        run = self.proof.run
        return (
            f"{self.declaration.return_name}, as of {pages.uk_date(run.as_of)}, run {run.run_id}."
            f" {self.declaration.disclosure.label}"
        )
