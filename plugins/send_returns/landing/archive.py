"""The archive: every file that arrived, by the hash of its bytes, kept before anyone reads it."""

import contextlib
import errno
import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

from send_returns import feeds
from send_returns.feeds.source import CHUNK
from send_returns.settings import Settings


class StillArriving(Exception):
    """The file changed while it was copied: its sender has not finished. It is taken at the next landing."""


def archive(settings: Settings, path: Path, name: str) -> feeds.Source:
    """Copy a delivered file to `home/archive/<sha256>` and examine its bytes on the way; what is read is the copy.

    Raises StillArriving, and OSError for what is not a readable plain file (links are not followed).
    """
    folder = settings.folder("archive")
    examiner = feeds.Examiner()
    with (
        # Without O_NONBLOCK a named pipe would be waited for.
        os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as delivered,
        tempfile.NamedTemporaryFile(dir=folder, prefix=".") as copy,
    ):
        before = os.fstat(delivered.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        # No further than its size at the start: a sender who writes as fast as we read would never end.
        while copy.tell() < before.st_size and (chunk := delivered.read(CHUNK)):
            copy.write(chunk)
            examiner.update(chunk)
        after = os.fstat(delivered.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise StillArriving
        copy.flush()
        os.fsync(copy.fileno())
        os.fchmod(copy.fileno(), 0o400)
        source = examiner.source(Path(copy.name), name)
        kept = folder / source.sha256
        with contextlib.suppress(FileExistsError):
            kept.hardlink_to(copy.name)
    return replace(source, path=kept)
