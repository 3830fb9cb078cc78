"""What imagining and writing a county takes, and ten of them: time in proportion, memory flat."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from send_returns.bench.suite import Measured
from send_returns.settings import Settings
from send_returns.simulate import MOST_CHILDREN

TIMES = 10


@dataclass(frozen=True, slots=True)
class Simulated:
    """A county that was written: its children with SEND, the bytes of its inbox, and the seconds and peak memory."""

    children: int
    size: int
    seconds: float
    peak_bytes: int


def counties(settings: Settings, children: int, write: Callable[[int, Path], Measured]) -> Iterator[Simulated]:
    """A county of so many children, then ten times as many, or the most there can be.

    `write` simulates a county into a folder in a process of its own and says what that took.
    """
    for count in (children, min(children * TIMES, MOST_CHILDREN)):
        out = settings.folder("simulation") / str(count)
        measured = write(count, out)
        size = sum(file.stat().st_size for file in (out / "inbox").rglob("*") if file.is_file())
        shutil.rmtree(out)
        yield Simulated(count, size, measured.seconds, measured.peak_bytes)
