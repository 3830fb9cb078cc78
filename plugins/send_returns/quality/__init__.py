"""Proving the candidate before anyone sees it: rules, the gate, the swap, and `check` for a file before it is sent."""

from send_returns.quality.gating import GateFailed, gate
from send_returns.quality.swap import SwapError

__all__ = ["GateFailed", "SwapError", "gate"]
