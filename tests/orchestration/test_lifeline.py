"""Nothing outlives its parent: processes that die with it, and sessions that end whole."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from send_returns.orchestration import lifeline

# A child that ignores the polite request, and starts another in a process group of its own, as Airflow's components do.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
time.sleep(120)
"""


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_session_ends_whole_though_its_members_ignore_the_request() -> None:
    leader = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    assert _until(lambda: len(lifeline.members([leader.pid])) == 2)
    lifeline.end([leader.pid], grace=0.5)
    assert lifeline.members([leader.pid]) == []
    assert leader.poll() is not None


def test_what_is_left_of_a_session_whose_leader_died_is_found() -> None:
    leader = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    assert _until(lambda: len(lifeline.members([leader.pid])) == 2)
    leader.kill()
    leader.wait(timeout=5)
    assert len(lifeline.members([leader.pid])) == 1
    lifeline.end([leader.pid], grace=0.1)
    assert lifeline.members([leader.pid]) == []


def test_other_sessions_are_left_alone() -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        lifeline.end([os.getpid() + 10_000_000], grace=0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(timeout=5)


def test_a_child_dies_with_its_killed_parent() -> None:
    child = "from send_returns.orchestration.lifeline import die_with_parent as d; d(); import time; time.sleep(60)"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]);"
            " print(p.pid, flush=True); p.wait()",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(1)  # the child has set its wish by now
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait(timeout=5)
    assert _until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
