"""A file that takes the place of another at once, whole, or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write, which takes the place of `target` when all is written. No listing shows it before."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
        path = Path(file.name)
    try:
        yield path
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)
