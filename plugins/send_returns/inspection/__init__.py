"""The inspection clock: the window that a notification opens, what is due in it, the evidence of tracked children."""

from send_returns.inspection.standing import Due, LateFeed, Standing, look
from send_returns.inspection.window import Refused, Window, done, end, start, track

__all__ = ["Due", "LateFeed", "Refused", "Standing", "Window", "done", "end", "look", "start", "track"]
