"""Landing: archive, load, quarantine and the arrival register."""

from send_returns.landing.arrival import missing, register
from send_returns.landing.loading import discover, land
from send_returns.landing.partnership import Partnership, partnership
from send_returns.landing.raw_tables import ensure_raw_tables

__all__ = ["Partnership", "discover", "ensure_raw_tables", "land", "missing", "partnership", "register"]
