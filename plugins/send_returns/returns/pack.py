"""A pack: a folder of files that carries the proof of its own wholeness.

`manifest.json` names every other file with its size and SHA-256, and what they were built from. `SHA256SUMS` covers
the manifest too, in the form that `sha256sum --check` reads. Hashes show damage and careless change; who made the pack
they do not show: that is what a signature is for.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from send_returns.failure import Failure

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
PACK_FORMAT = "1"
_PROOF_LIMIT = 50_000_000  # bytes; a manifest is some kilobytes, and a hostile one must not fill the memory


class PackError(Failure):
    """A pack cannot be written or read. The message names the file, never what is in it."""


@dataclass(frozen=True)
class Problem:
    """One file that is not as the pack says: its name and how."""

    file: str
    state: Literal["differs", "missing", "extra"]


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found of a pack of so many `files`; `unreadable`, if not empty, says why it could not be read."""

    pack: Path
    files: int
    problems: tuple[Problem, ...] = ()
    manifest: Mapping[str, Any] | None = None
    unreadable: str = ""

    @property
    def exit_code(self) -> Literal[0, 1, 2]:
        """0: every file is as sealed; 1: some are not; 2: the pack could not be read."""
        return 2 if self.unreadable else 1 if self.problems else 0

    def lines(self) -> list[str]:
        """The report for a person, one finding a line."""
        if self.unreadable:
            return [f"{self.pack}: cannot be read: {self.unreadable}"]
        if self.problems:
            meaning = {
                "differs": "is not the file that was sealed",
                "missing": "was sealed and is not there",
                "extra": "is not part of the pack",
            }
            # A file's name is hostile too: it must not be able to write on the terminal.
            return [f"{ascii(problem.file)[1:-1]} {meaning[problem.state]}" for problem in self.problems]
        # So is what the manifest says of itself.
        what, as_of, run = (ascii(str((self.manifest or {}).get(key)))[1:-1] for key in ("return", "as_of", "run_id"))
        return [
            f"{self.pack}: {self.files} files are as sealed: {what} as of {as_of}, run {run}. It carries no signature."
        ]


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON in one form only: sorted keys, two spaces, UTF-8, a final line feed."""
    return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def digest(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def private_folder(path: Path) -> Path:
    """The folder, made if need be with all above it, that only its owner can enter."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def staged(final: Path, superseded: Path) -> Iterator[Path]:
    """A hidden folder beside `final` to write in, which takes `final`'s name only when it is whole and on the disk.

    A pack that stood at `final` is kept, whole, as `superseded`. A kill at any moment leaves `final` whole or absent;
    what a killed writer left behind is swept by the next, so the caller must hold the lock that keeps a second writer
    of that folder away. Folders get mode 0700, files 0600.
    """
    for leftover in private_folder(final.parent).glob(".*.part"):
        shutil.rmtree(leftover)
    work = final.parent / f".{final.name}.part"
    work.mkdir(mode=0o700)
    try:
        yield work
        for path in sorted(work.iterdir()):
            path.chmod(0o600)
            _sync(path)
        _sync(work)
        if final.exists():
            private_folder(superseded.parent)
            if superseded.exists():  # the same run took its place before: the same bytes
                shutil.rmtree(superseded)
            final.rename(superseded)
            _sync(superseded.parent)
        work.rename(final)
        _sync(final.parent)
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
    (folder / SUMS).write_bytes("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())


def verify(pack: Path) -> VerifyReport:
    """Recomputes every hash of a pack. Reads only that folder, and believes no name in it that is a path."""
    try:
        present = {entry.name: entry.is_file(follow_symlinks=False) for entry in os.scandir(pack)}
        for name in (MANIFEST, SUMS):
            if not present.get(name):
                return VerifyReport(pack, 0, unreadable=f"there is no {name} in it")
        manifest, sums = _read_manifest(pack / MANIFEST), _read_sums(pack / SUMS)
        sealed = {entry["name"]: (entry["sha256"], entry["bytes"]) for entry in manifest["files"]}
        problems = [Problem(name, "extra") for name in present if name not in {*sealed, MANIFEST, SUMS}]
        trusted = digest(pack / MANIFEST) == sums.get(MANIFEST)
        if not trusted:
            problems.append(Problem(MANIFEST, "differs"))
        elif sums != {MANIFEST: sums[MANIFEST]} | {name: sha256 for name, (sha256, _) in sealed.items()}:
            problems.append(Problem(SUMS, "differs"))
        for name, (sha256, size) in sealed.items():
            if name not in present:
                problems.append(Problem(name, "missing"))
            # Of a manifest that was changed, nothing is believed that the sums do not say too.
            elif (
                not present[name]
                or (pack / name).stat().st_size != size
                or digest(pack / name) != sha256
                or not (trusted or sums.get(name) == sha256)
            ):
                problems.append(Problem(name, "differs"))
    except OSError as error:
        return VerifyReport(pack, 0, unreadable=error.strerror or type(error).__name__)
    except PackError as error:
        return VerifyReport(pack, 0, unreadable=str(error))
    ordered = tuple(sorted(problems, key=lambda problem: (problem.file, problem.state)))
    return VerifyReport(pack, len(sealed) + 2, ordered, manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read_small(path))
        entries = [(entry["name"], entry["sha256"], entry["bytes"]) for entry in manifest["files"]]
        known = manifest["pack_format"] == PACK_FORMAT
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise PackError(f"{MANIFEST} is not the manifest of a pack") from error
    if not known:
        raise PackError(f"{MANIFEST} is of a form that this version does not know")
    if not all(is_plain(name) and isinstance(sha256, str) for name, sha256, _ in entries):
        raise PackError(f"{MANIFEST} names a file outside the pack")
    return cast(dict[str, Any], manifest)


def _read_sums(path: Path) -> dict[str, str]:
    try:
        pairs = [line.split("  ", 1) for line in _read_small(path).decode().splitlines()]
        return {name: sha256 for sha256, name in pairs}
    except ValueError as error:
        raise PackError(f"{SUMS} is not a list of hashes") from error


def _read_small(path: Path) -> bytes:
    if path.stat().st_size > _PROOF_LIMIT:
        raise PackError(f"{path.name} is too large to be one")
    return path.read_bytes()


def main_verify(folder: Path) -> int:
    """`send-returns verify`: prints the report, a finding a line, and returns the exit status."""
    report = verify(folder)
    print(*report.lines(), sep="\n")  # noqa: T201
    return report.exit_code


def is_plain(name: object) -> bool:
    """Whether a name is of a file or folder, not a path."""
    return isinstance(name, str) and name not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
