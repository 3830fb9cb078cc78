"""Where a cell or a figure of a release comes from, and what changed between two; each look is kept on record."""

from send_returns.provenance.access import NotAllowed
from send_returns.provenance.differing import Difference, diff
from send_returns.provenance.figures import Asked, FigureTrace, trace_figure
from send_returns.provenance.tracing import RowTrace, trace_row

__all__ = ["Asked", "Difference", "FigureTrace", "NotAllowed", "RowTrace", "diff", "trace_figure", "trace_row"]
