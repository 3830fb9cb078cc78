"""The only module that may ask the time. Everything else is given `as_of`, so that a run repeats to the same bytes."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


def today() -> date:
    """The calendar date in England, by which statutory periods run."""
    return datetime.now(LONDON).date()


def now() -> datetime:
    """The instant, in UTC, for audit columns that end in `_at`."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds of a clock that only goes forward, for durations."""
    return time.monotonic()
