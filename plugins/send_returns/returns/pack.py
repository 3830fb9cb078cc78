"""A pack: a folder of files that carries the proof of its own wholeness.

`manifest.json` names every other file with its size and SHA-256, and what they were built from. `SHA256SUMS` covers
the manifest too, in the form that `sha256sum --check` reads. Hashes show damage and careless change; who made the pack
they do not show: that is what the release and its signature are for, which `sealing.release_file` adds. All are
checked by `sealing.verify_pack`, the very file that an inspector runs.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from send_returns.failure import Failure
from send_returns.sealing import verify_pack
from send_returns.sealing.files import canonical, digest, sync
from send_returns.sealing.verify_pack import MANIFEST, PACK_FORMAT, SUMS, VerifyReport, is_plain

__all__ = [
    "MANIFEST",
    "SUMS",
    "PackError",
    "canonical",
    "digest",
    "is_plain",
    "is_there",
    "private_folder",
    "seal",
    "staged",
    "verify",
]


class PackError(Failure):
    """A pack cannot be written or read. The message names the file, never what is in it."""


def private_folder(path: Path) -> Path:
    """The folder, made if need be with all above it, that only its owner can enter."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def staged(final: Path, superseded: Path | None = None) -> Iterator[Path]:
    """A hidden folder beside `final` to write in, which takes `final`'s name only when it is whole and on the disk.

    A pack that stood at `final` is kept, whole, as `superseded`; without that name, nothing takes its place: PackError.
    A kill at any moment leaves `final` whole or absent; what a killed writer left behind is swept by the next, so the
    caller must hold the lock that keeps a second writer of that folder away. Folders get mode 0700, files 0600.
    """
    if superseded is None and final.exists():
        raise PackError(f"{final} is there already: a published version stays as it is.")
    for leftover in private_folder(final.parent).glob(".*.part"):
        shutil.rmtree(leftover)
    work = final.parent / f".{final.name}.part"
    work.mkdir(mode=0o700)
    try:
        yield work
        for path in sorted(work.iterdir()):
            path.chmod(0o600)
            sync(path)
        sync(work)
        if superseded and final.exists():
            private_folder(superseded.parent)
            if superseded.exists():  # the same run took its place before: the same bytes
                shutil.rmtree(superseded)
            final.rename(superseded)
            sync(superseded.parent)
        work.rename(final)
        sync(final.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes the manifest, which is `facts` and every file's name, size and hash, and the sums."""
    files = sorted(folder.iterdir())
    sums = {path.name: digest(path) for path in files}
    entries = [{"name": path.name, "bytes": path.stat().st_size, "sha256": sums[path.name]} for path in files]
    manifest = folder / MANIFEST
    manifest.write_bytes(canonical({**facts, "pack_format": PACK_FORMAT, "files": entries}))
    sums[MANIFEST] = digest(manifest)
    (folder / SUMS).write_bytes(verify_pack.sums_bytes(sums))


def is_there(pack: Path, sha256: str) -> bool:
    """Whether a folder holds the pack whose manifest has this SHA-256."""
    manifest = pack / MANIFEST
    return manifest.is_file() and digest(manifest) == sha256


def verify(pack: Path) -> VerifyReport:
    """Checks a pack, and its release and signature if it has them: a draft has none yet."""
    return verify_pack.check(pack, must_be_signed=False)
