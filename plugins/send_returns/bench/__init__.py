"""The figures that the design promises, measured: one JSON line each, with its baseline and the ratio."""

from send_returns.bench.suite import bench

__all__ = ["bench"]
