"""The Postgres warehouse: the embedded server, connections and migrations."""

from send_returns.warehouse.connections import HASH_JOINS_ONLY, Address, address, ask, connect, url
from send_returns.warehouse.embedded import ensure_server, free_port, psql_path, running, stop_server
from send_returns.warehouse.schema import migrate

__all__ = [
    "HASH_JOINS_ONLY",
    "Address",
    "address",
    "ask",
    "connect",
    "ensure_server",
    "free_port",
    "migrate",
    "psql_path",
    "running",
    "stop_server",
    "url",
]
