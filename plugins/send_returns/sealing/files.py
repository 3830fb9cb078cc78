"""Files that are there whole or not at all, and the one form in which JSON is signed."""

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON in one form only: sorted keys, two spaces, UTF-8, a final line feed."""
    return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def digest(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet. Raises FileExistsError, also when another process was a moment faster."""
    with _written(path, content, mode) as partial:
        # A link is made whole or not at all, and never in the place of a file that is there.
        path.hardlink_to(partial)
        sync(path.parent)


def write(path: Path, content: bytes) -> None:
    """Write a file, in the place of the one that is there. Nothing is touched when that holds the same."""
    if path.is_file() and path.read_bytes() == content:
        return
    with _written(path, content, 0o600) as partial:
        partial.replace(path)
        sync(path.parent)


@contextmanager
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds this lock file. The system lets go of it when its holder ends, however."""
    with path.open("ab") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
