"""The supervisor's other half: it waits until the supervisor is gone, however that came about, and ends what it left.

Standard input carries one session id a line and closes with the supervisor. `--stop-server`: also stop the embedded
PostgreSQL, because the supervisor had started it.
"""

import signal
import sys

from send_returns.orchestration import lifeline

# Airflow's triggerer does not end on request while it is idle, and a task that is cut off can run again.
GRACE_SECONDS = 5.0


def main() -> int:
    """Exit 0 when no process of the sessions is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions = [int(line) for line in sys.stdin]
    lifeline.end(sessions, GRACE_SECONDS)
    if "--stop-server" in sys.argv:
        from send_returns import warehouse
        from send_returns.settings import load

        warehouse.stop_server(load())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
