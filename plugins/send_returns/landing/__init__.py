"""Landing: archive, load, quarantine and the arrival register."""

from send_returns.landing.arrival import missing, owed, register
from send_returns.landing.loading import land
from send_returns.landing.partnership import Partnership, partnership
from send_returns.landing.raw_tables import ensure_raw_tables
from send_returns.landing.reading import release_held
from send_returns.landing.replay import replay

__all__ = [
    "Partnership",
    "ensure_raw_tables",
    "land",
    "missing",
    "owed",
    "partnership",
    "register",
    "release_held",
    "replay",
]
