"""Whether a component of Airflow is healthy, by its API server: the health check of containers and of the supervisor.

Standard library only, because a health check runs every few seconds.
"""

import json
import os
import sys
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen

NAMES = {
    "api-server": "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


def unhealthy(url: str) -> list[str]:
    """The components that the API server at `url` does not call healthy; all of them when it does not answer."""
    try:
        with urlopen(f"{url}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310 - the URL is this installation's own
            state = json.load(answer)
    except (URLError, HTTPException, TimeoutError, ConnectionError, json.JSONDecodeError):
        return list(NAMES)
    return [name for name, key in NAMES.items() if (state.get(key) or {}).get("status") != "healthy"]


def main(component: str) -> int:
    """Exit 0 when the component is healthy, 1 otherwise."""
    return 1 if component in unhealthy(os.environ["SEND_RETURNS_AIRFLOW_URL"]) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
