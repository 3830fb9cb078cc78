"""The secret files that docker-compose.yml mounts: generated once, never overwritten.

The folder is closed to every other user of the machine; the files in it can be read, because a container mounts them
for a user of its own.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

HOST = "postgres"


def write_secrets(folder: Path) -> list[str]:
    """Write the files that are missing in `folder`, made if need be; returns their names."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    password = secrets.token_urlsafe(32)
    # The URLs repeat the password, so these four are made together or not at all.
    database = {
        "postgres_password": password,
        "warehouse_url": f"postgresql://send_returns:{password}@{HOST}:5432/send_returns",
        "airflow_database_url": f"postgresql+psycopg2://send_returns:{password}@{HOST}:5432/airflow",
        "airflow_database_url_async": f"postgresql+psycopg://send_returns:{password}@{HOST}:5432/airflow",
    }
    keys = {
        "airflow_api_secret_key": secrets.token_urlsafe(32),
        "airflow_fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "airflow_jwt_secret": secrets.token_urlsafe(64),
        "postgres_admin_password": secrets.token_urlsafe(32),
    }
    written = []
    for group in (database, *({name: key} for name, key in keys.items())):
        if any((folder / name).exists() for name in group):
            continue
        for name, text in group.items():
            _write(folder / name, text)
            written.append(name)
    return written


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o444)
        file.write(text)


if __name__ == "__main__":
    for written in write_secrets(Path(sys.argv[1])):
        sys.stdout.write(f"{sys.argv[1]}/{written}\n")
