"""So that nothing outlives its parent: a child that dies with it, and the end of every process of a session."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

import psutil

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, however that came about (Linux; elsewhere no effect)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("The parent process ended.")


def members(sessions: Iterable[int]) -> list[psutil.Process]:
    """Every living process of these sessions. Airflow's components start process groups of their own, but stay in the
    session."""
    wanted = set(sessions)
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) in wanted and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return found


def end(sessions: Iterable[int], grace: float) -> None:
    """End these sessions: ask politely, wait `grace` seconds, then kill, until none of their processes is left."""
    wanted = set(sessions)
    _signal(members(wanted), signal.SIGTERM)
    psutil.wait_procs(members(wanted), timeout=grace)
    while left := members(wanted):
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
