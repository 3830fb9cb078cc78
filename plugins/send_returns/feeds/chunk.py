"""What readers hand to the checks: text, batch by batch, with the row numbers that a spreadsheet shows."""

from dataclasses import dataclass, field

import polars as pl

from send_returns.failure import Failure


class Refused(Failure):
    """A delivery that cannot be taken at all, with the one line that says why and what to send instead."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that its reader could not make columns of. `rule`: F05 or F10; `raw`: JSON in ASCII of what arrived."""

    row_number: int
    rule: str
    raw: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something a reader saw that is about a place in a row and not about a typed value."""

    rule: str
    field: str
    row_number: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one table. `frame`: text columns by contract name, unknown ones as `+name`, and `_row_number` (Int32)."""

    table: str
    frame: pl.DataFrame
    rejected: list[Rejected] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
