"""Where this installation keeps its state and which partnership it serves: read from the environment, at the edge."""

import math
import os
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from send_returns.failure import Failure

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent.parent
MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """`home` holds the state (server, archive, logs, secrets); without `database_url` a Postgres is embedded."""

    home: Path
    partnership: str = "hertfordshire"
    database_url: str | None = field(default=None, repr=False)  # it holds a password
    project: Path = PROJECT
    # A delivery without a marker is complete when nothing of it has changed for so long; 0: as soon as it is there.
    quiet_seconds: float = 0.0
    sftp_key: Path | None = None
    sftp_known_hosts: Path | None = None
    key_folder: Path | None = None
    # What a stage does at a time: deliveries, models, joins. The result is the same for any number.
    workers: int = 2

    @property
    def keys(self) -> Path:
        """The folder of the keys that make pseudonyms; on a server, one that is in no backup of the database."""
        return self.key_folder or self.home / "secrets" / "keys"

    @property
    def changes(self) -> Path:
        """The contract changes that were accepted here as drift, a folder for each feed."""
        return self.home / "contracts"

    def folder(self, *parts: str) -> Path:
        """A folder below `home`, made if need be, that only its owner can read."""
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def load() -> Settings:
    """Settings from SEND_RETURNS_HOME, SEND_RETURNS_PARTNERSHIP and SEND_RETURNS_DATABASE_URL.

    SEND_RETURNS_DATABASE_URL_FILE names a file that holds the URL instead, as containers are given secrets.
    SEND_RETURNS_QUIET_SECONDS (5) is how long a delivery without a marker must have rested before it is read;
    SEND_RETURNS_SFTP_KEY and SEND_RETURNS_SFTP_KNOWN_HOSTS are the files by which an SFTP inbox is opened.
    SEND_RETURNS_KEYS is the folder of the keys that make pseudonyms; `secrets/keys` of the home without it.
    SEND_RETURNS_WORKERS (2) is how much a stage does at a time.
    """
    home = Path(os.environ.get("SEND_RETURNS_HOME") or PROJECT / ".send-returns").resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Settings(
        home=home,
        partnership=os.environ.get("SEND_RETURNS_PARTNERSHIP", "hertfordshire"),
        database_url=os.environ.get("SEND_RETURNS_DATABASE_URL") or _secret("SEND_RETURNS_DATABASE_URL_FILE"),
        quiet_seconds=_seconds("SEND_RETURNS_QUIET_SECONDS", "5"),
        sftp_key=_file("SEND_RETURNS_SFTP_KEY"),
        sftp_known_hosts=_file("SEND_RETURNS_SFTP_KNOWN_HOSTS") or Path.home() / ".ssh" / "known_hosts",
        key_folder=_file("SEND_RETURNS_KEYS"),
        workers=_workers("SEND_RETURNS_WORKERS", "2"),
    )


def _seconds(variable: str, default: str) -> float:
    try:
        seconds = float(os.environ.get(variable) or default)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise Failure(f"{variable} is not a number of seconds: set it to one, such as {default}.")
    return seconds


def _workers(variable: str, default: str) -> int:
    value = os.environ.get(variable) or default
    if not value.isdecimal() or not 1 <= int(value) <= MOST_WORKERS:
        raise Failure(f"{variable} is not a number of workers: set it to one from 1 to {MOST_WORKERS}.")
    return int(value)


def _file(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else None


def _secret(variable: str) -> str | None:
    file = os.environ.get(variable)
    return Path(file).read_text(encoding="utf-8").strip() if file else None


def code_version() -> str:
    """The package version and, in a checkout, the commit: what a release names as the code that built it."""
    try:
        described = subprocess.run(
            ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return version("send-returns")
    return f"{version('send-returns')}+{described}"
