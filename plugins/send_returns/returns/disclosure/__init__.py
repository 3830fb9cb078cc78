"""Disclosure control: every figure of every statistical return goes through it once, together, or is not released."""

from send_returns.returns.disclosure.figures import Figures, Shown, protect_figures
from send_returns.returns.disclosure.protect import NotProtected

__all__ = ["Figures", "NotProtected", "Shown", "protect_figures"]
