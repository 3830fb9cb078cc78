"""Proving the candidate before anyone sees it: rules, the gate, the swap, and `check` for a file before it is sent."""

from send_returns.quality.failures import GateFailed, SwapError
from send_returns.settings import Settings

__all__ = ["GateFailed", "SwapError", "gate"]


def gate(settings: Settings, run_id: str) -> dict[str, int | str]:
    """Judge the candidate and, if nothing blocks, make it live in one transaction; returns counts.

    Called again after its candidate went live, it does nothing. Raises GateFailed or SwapError, which leave what is
    live untouched.
    """
    # `check` shares this package and has no use for the warehouse.
    from send_returns.quality import gating

    return gating.gate(settings, run_id)
