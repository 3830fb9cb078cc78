"""A person's rights over what is held of them, and the end of the time for which anything is held."""

from send_returns.rights.erasure import Removed, apply, apply_to_run, erase, opt_out, withdraw
from send_returns.rights.people import find
from send_returns.rights.retention import Expired, Past, expire, past, past_copies
from send_returns.rights.subject import Held, look

__all__ = [
    "Expired",
    "Held",
    "Past",
    "Removed",
    "apply",
    "apply_to_run",
    "erase",
    "expire",
    "find",
    "look",
    "opt_out",
    "past",
    "past_copies",
    "withdraw",
]
