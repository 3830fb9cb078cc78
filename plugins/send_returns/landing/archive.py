"""The archive: every file that arrived, by the hash of its bytes, kept before anyone reads it."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from send_returns import clock, feeds
from send_returns.feeds.source import CHUNK
from send_returns.landing.stores import Dropped, Entry, Store
from send_returns.settings import Settings

# Below home: what is unpacked for as long as it is read, and after how many seconds it can be nobody's any more.
UNPACKING = "unpacking"
DAY = 86_400


class StillArriving(Exception):
    """The file changed while it was copied: its sender has not finished. It is taken at the next landing."""


def archive(settings: Settings, store: Store, entry: Entry) -> feeds.Source:
    """Copy a delivered file to `home/archive/<sha256>` and examine its bytes on the way; what is read is the copy.

    Raises StillArriving, and OSError for what is not a readable plain file (links are not followed).
    """
    for attempt in range(store.attempts):
        try:
            return _copied(settings, store, entry)
        except Dropped:
            if attempt + 1 == store.attempts:
                raise
    raise AssertionError("a store is tried at least once")


def _copied(settings: Settings, store: Store, entry: Entry) -> feeds.Source:
    folder = settings.folder("archive")
    examiner = feeds.Examiner()
    with store.open(entry) as delivered, tempfile.NamedTemporaryFile(dir=folder, prefix=".") as copy:
        # No further than its size at the start: a sender who writes as fast as we read would never end.
        while copy.tell() < delivered.size and (chunk := delivered.read(CHUNK)):
            copy.write(chunk)
            examiner.update(chunk)
        if copy.tell() != delivered.size or not delivered.is_unchanged():
            raise StillArriving
        copy.flush()
        os.fsync(copy.fileno())
        os.fchmod(copy.fileno(), 0o400)
        source = examiner.source(Path(copy.name), entry.name)
        kept = folder / source.sha256
        with contextlib.suppress(FileExistsError):
            kept.hardlink_to(copy.name)
    return replace(source, path=kept)


def sweep(settings: Settings) -> None:
    """Remove what a landing that was killed left unpacked; what is younger than a day may be another's at work."""
    for left in settings.folder(UNPACKING).iterdir():
        if clock.now().timestamp() - left.stat().st_mtime > DAY:
            shutil.rmtree(left, ignore_errors=True)
