"""Returns: what inspectors and the board receive, rendered from the warehouse."""

from send_returns.returns.evidence import NotPublishable
from send_returns.returns.pack import PackError, verify

__all__ = ["NotPublishable", "PackError", "verify"]
