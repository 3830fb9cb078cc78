"""Returns: what inspectors and the board receive, rendered from the warehouse."""

from send_returns.returns.evidence import NotPublishable
from send_returns.returns.pack import PackError, Problem, VerifyReport, main_verify, verify
from send_returns.returns.publication import publish

__all__ = ["NotPublishable", "PackError", "Problem", "VerifyReport", "main_verify", "publish", "verify"]
