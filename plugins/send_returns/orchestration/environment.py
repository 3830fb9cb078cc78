"""How Airflow is configured here: one set of environment variables for the driver, the supervisor and its components.

Airflow reads its configuration on import, so these are set before anything imports it.
"""

import base64
import json
import os
import secrets
import sys
from pathlib import Path

from send_returns import warehouse
from send_returns.releases.register import Organisation
from send_returns.settings import Settings
from send_returns.warehouse.embedded import AIRFLOW, secret

# Who signs in a rehearsal, for each partner: made-up people, whom the register lets sign nothing else.
REHEARSAL_USERS: dict[Organisation, str] = {"council": "rehearsal_council", "icb": "rehearsal_icb"}
# A signer may answer what the task asks of them, and see the rest.
USERS = {"admin": "admin", "engineer": "op", "viewer": "viewer", "council_signer": "user", "icb_signer": "user"}
PASSWORDS = "airflow_passwords.json"

# What the server image and this machine agree on; docker-compose.yml repeats it and a test compares the two.
COMMON = {
    "AIRFLOW__API__EXPOSE_CONFIG": "False",
    "AIRFLOW__API__INSTANCE_NAME": "SEND returns",
    "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": "28800",
    "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "GX_ANALYTICS_ENABLED": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
}


def airflow_environment(settings: Settings, port: int) -> dict[str, str]:
    """The variables of an Airflow that serves these settings, its API on loopback `port`. Contains passwords and keys.

    Needs the server running (`warehouse.ensure_server`); raises warehouse.embedded.ServerError otherwise.
    """
    server = f"http://127.0.0.1:{port}"
    own = {
        "AIRFLOW_HOME": str(settings.folder("airflow")),
        "AIRFLOW__API__BASE_URL": server,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secret(settings, "airflow_api_secret_key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(settings, "airflow_jwt_secret"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.project / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{server}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": _fernet_key(settings),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.project / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(settings.folder("secrets") / PASSWORDS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": warehouse.url(settings, "postgresql+psycopg2", AIRFLOW),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": warehouse.url(settings, "postgresql+psycopg", AIRFLOW),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.folder("logs", "airflow")),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(settings.folder("logs", "dag_processor")),
        "SEND_RETURNS_AIRFLOW_URL": server,
    }
    return COMMON | own | own_environment(settings)


def own_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `settings.load` reads these settings again in a child process."""
    own = {"SEND_RETURNS_HOME": str(settings.home), "SEND_RETURNS_PARTNERSHIP": settings.partnership}
    if settings.database_url:
        own["SEND_RETURNS_DATABASE_URL"] = settings.database_url
    if settings.key_folder:
        own["SEND_RETURNS_KEYS"] = str(settings.key_folder)
    return own


def process_environment(settings: Settings, port: int = 8080) -> dict[str, str]:
    """The whole environment of a child process: this one's without its Airflow settings, ours, and this interpreter's
    programs."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SEND_RETURNS_DATABASE"))
    }
    programs = str(Path(sys.executable).parent)
    return (
        inherited
        | airflow_environment(settings, port)
        | {"PATH": os.pathsep.join([programs, inherited.get("PATH", os.defpath)]), "PYTHONUNBUFFERED": "1"}
    )


def passwords(settings: Settings) -> tuple[dict[str, str], bool]:
    """The users' passwords, generated on first use into a file only its owner can read; True when this call generated
    them."""
    path = settings.folder("secrets") / PASSWORDS
    known = dict(json.loads(path.read_text())) if path.exists() else {}
    if known.keys() >= USERS.keys():
        return known, False
    path.unlink(missing_ok=True)
    chosen = {user: secrets.token_urlsafe(15) for user in USERS} | known
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(chosen, file)
    return chosen, True


def _fernet_key(settings: Settings) -> str:
    # Fernet wants 32 bytes in padded URL-safe base64; our secrets are 32 such bytes without the padding.
    text = secret(settings, "airflow_fernet_key")
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).decode()
