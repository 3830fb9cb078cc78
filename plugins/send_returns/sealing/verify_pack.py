#!/usr/bin/env python3
"""Checks a pack that a local area partnership sealed. One file: it needs Python 3.9 or later, and nothing else.

    python3 verify_pack.py PACK [--key FINGERPRINT_OR_FILE] [--expect-version N]

PACK is the folder that you were given, or the tar that age decrypted. What is read is not believed: no link is
followed, no name is a path, nothing is written. Exit status 0: every file is as it was sealed. 1: something is not as
it should be; a line names it. 2: it could not be read as a pack; one line says why.

The chain: `release.json.sig` is an Ed25519 signature (RFC 8032) over `release.json`, which has the SHA-256 of
`manifest.json`, which has the SHA-256 of every other file. Whose key it is, no pack can prove: ask the partnership to
read you the key's fingerprint, and give it with --key.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
RELEASE = "release.json"
SIGNATURE = "release.json.sig"
PROOFS = (MANIFEST, SUMS, RELEASE, SIGNATURE)
PACK_FORMAT = "1"
RELEASE_FORMAT = "1"
PURPOSE = "send-returns release 1"

# A pack has some tens of files, and its proofs some kilobytes. What is beyond these is there to do harm.
PROOF_LIMIT = 5_000_000  # bytes
FILE_LIMIT = 8 << 30  # bytes; the largest that a tar of this form can hold
MOST_FILES = 10_000
MOST_LINES = 40
MOST_VERSIONS = 20
MOST_OF_A_PATH = 1_000  # characters
MOST_SIGNERS = 20
CHUNK = 1 << 20
BLOCK = 512
MOST_PADDING = 40 * BLOCK  # what comes after the files of a tar, which is written in records of 20 blocks

MEANING = {
    "differs": "is not the file that was sealed",
    "missing": "was sealed and is not there",
    "extra": "is not part of the pack",
    "unsigned": "is not there: nobody has signed this pack",
    "unreadable": "is not a release that this program can read",
    "not signed": "is not the signature of this release.json by the key that it names",
    "another pack": "was made for another pack than this manifest.json",
    "another release": "is for another return, date or version",
    "one signer": "does not name signers of two organisations",
    "another key": "is sealed with a key that is not the one you gave",
    "older": "is not the newest version",
}


class Unreadable(Exception):
    """It is not a pack, or not one that can be read; the message is one line."""


@dataclass(frozen=True)
class Problem:
    """A file that is not as it should be: its name, how (a key of MEANING), and more of it for a person."""

    file: str
    state: str
    more: str = ""

    def line(self) -> str:
        """For a person. A file's name is hostile too: it must not be able to write on the terminal."""
        return f"{shown(self.file)} {MEANING[self.state]}{': ' + self.more if self.more else ''}"


@dataclass(frozen=True)
class Expected:
    """What the reader of a pack was told that it is; None is not asked."""

    return_name: str | None = None
    as_of: date | None = None
    version: int | None = None


@dataclass(frozen=True)
class VerifyReport:
    """What was found of a pack of so many `files`; `unreadable`, if not empty, says why it could not be read.

    `release`: what `release.json` says, if its signature is good. `fingerprint`: of the key that made it.
    `is_known`: whether that key is one that the reader gave.
    """

    pack: Path
    files: int
    problems: tuple[Problem, ...] = ()
    manifest: Mapping[str, Any] | None = None
    unreadable: str = ""
    release: Mapping[str, Any] | None = None
    is_known: bool = False
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: every file is as sealed; 1: something is not as it should be; 2: the pack could not be read."""
        return 2 if self.unreadable else 1 if self.problems else 0

    def lines(self) -> list[str]:
        """The report for a person, one finding a line."""
        where = shown(self.pack, MOST_OF_A_PATH)
        if self.unreadable:
            return [f"{where}: cannot be read: {self.unreadable}"]
        if self.problems:
            told = [problem.line() for problem in self.problems[:MOST_LINES]]
            left = len(self.problems) - len(told)
            return [*told, *([f"and {left:,} more"] if left else []), *self.notes]
        # What a manifest says of itself is hostile as well.
        facts = self.manifest or {}
        what, as_of = shown(facts.get("return")), shown(facts.get("as_of"))
        if self.release is None:
            run = shown(facts.get("run_id"))
            return [
                f"{where}: {self.files} files are as sealed: {what} as of {as_of}, run {run}. It carries no signature."
            ]
        whose, version = shown(self.release["partnership"]), self.release["version"]
        return [
            f"{where}: {self.files} files are as sealed: {what} of {whose} as of {as_of}, version {version}.",
            *map(_signed, self.release["signers"]),
            *(["REHEARSAL: made to practise. Nobody answers for its figures."] if self.release["rehearsal"] else []),
            self._sealed_by(),
            *self.notes,
        ]

    def _sealed_by(self) -> str:
        print_ = self.release["key"]["fingerprint"] if self.release else ""
        if self.is_known:
            return f"Sealed with key {print_}, one of those that it was checked against."
        return (
            f"Signed by key {print_}. Whose it is, the pack cannot prove: ask the partnership to read you this"
            " fingerprint, by telephone and not by the way the pack came, and check again with --key."
        )


def _signed(signer: Mapping[str, str]) -> str:
    name, role, body = (shown(signer[key]) for key in ("name", "role", "organisation"))
    at = datetime.fromisoformat(signer["signed_at"]).astimezone(timezone.utc)
    return f"Signed for {body} by {name}, {role}, on {at:%Y-%m-%d %H:%M} UTC."


def shown(value: object, most: int = 200) -> str:
    """Text from a pack in a form that cannot write on the terminal: what is not printable is escaped, and it is cut."""
    text = str(value)
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:most])
    return safe + ("…" if len(text) > most else "")


_PLAIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_. -]*[A-Za-z0-9_-])?")


def is_plain(name: object) -> bool:
    """Whether a name is of a file or folder, not a path, and of no hidden one; and the same on every computer."""
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None


# What is checked -----------------------------------------------------------------------------------------------------


def check(
    pack: Path,
    keys: Iterable[str] = (),
    expected: Expected | None = None,
    *,
    must_be_signed: bool = True,
    opened: BinaryIO | None = None,
) -> VerifyReport:
    """Checks a pack: a folder, or a tar of one.

    Args:
        pack: the folder or the tar.
        keys: fingerprints of the keys that its signature may be by, as `fingerprint` makes them; none: by any.
        expected: what it should be.
        must_be_signed: whether a pack without a release and a signature is a problem. A draft has neither.
        opened: the tar itself, open at its beginning, where `pack` is only what it is called.
    """
    try:
        with nullcontext(_Tar(opened)) if opened else _opened_pack(pack) as source:
            return _check(source, pack, frozenset(keys), expected or Expected(), must_be_signed)
    except OSError as error:
        return VerifyReport(pack, 0, unreadable=error.strerror or type(error).__name__)
    except Unreadable as error:
        return VerifyReport(pack, 0, unreadable=str(error))


def _check(
    source: _Folder | _Tar, pack: Path, keys: frozenset[str], expected: Expected, must_be_signed: bool
) -> VerifyReport:
    for name in (MANIFEST, SUMS):
        if not source.present.get(name):
            raise Unreadable(f"there is no {name} in it")
    manifest_text, sums_text = source.small(MANIFEST), source.small(SUMS)
    manifest, sums = _manifest(manifest_text), _sums(sums_text)
    own = hashlib.sha256(manifest_text).hexdigest()
    sealed = {entry["name"]: (entry["sha256"], entry["bytes"]) for entry in manifest["files"]}

    release, problems = _release(source, must_be_signed)
    is_signed_for = release is not None and release["pack_sha256"] == own
    is_trusted = is_signed_for or sums.get(MANIFEST) == own
    if not is_trusted:
        problems.append(Problem(MANIFEST, "differs"))
    else:
        if release is not None and not is_signed_for:
            problems.append(Problem(RELEASE, "another pack"))
        hashes = {MANIFEST: own, **{name: sha256 for name, (sha256, _) in sealed.items()}}
        # To the byte, for a reader may split lines where another does not.
        if sums_text != sums_bytes(hashes):
            problems.append(Problem(SUMS, "differs"))
    problems += [Problem(name, "extra") for name in source.present if name not in sealed and name not in PROOFS]
    for name, (sha256, size) in sealed.items():
        if name not in source.present:
            problems.append(Problem(name, "missing"))
        # Of a manifest that was changed, nothing is believed that the sums do not say too.
        elif source.hashed(name, size) != (sha256, size) or not (is_trusted or sums.get(name) == sha256):
            problems.append(Problem(name, "differs"))

    notes: list[str] = []
    if release is not None:
        problems += _is_other(release, manifest, pack, expected)
        print_ = release["key"]["fingerprint"]
        if keys and print_ not in keys:
            problems.append(Problem(RELEASE, "another key", f"its key is {print_}"))
        found, notes = _newer(release, pack)
        problems += found
    problems.sort(key=lambda problem: (problem.file, problem.state, problem.more))
    files = len(sealed) + sum(name in source.present for name in PROOFS)
    is_known = release is not None and release["key"]["fingerprint"] in keys
    return VerifyReport(pack, files, tuple(problems), manifest, "", release, is_known, tuple(notes))


def _release(source: _Folder | _Tar, must_be_signed: bool) -> tuple[dict[str, Any] | None, list[Problem]]:
    """What the release says, if it is signed by the key that it names, and what is wrong with the two files."""
    present = [name for name in (RELEASE, SIGNATURE) if name in source.present]
    if not present:
        return None, [Problem(RELEASE, "unsigned")] if must_be_signed else []
    if len(present) == 1:
        return None, [Problem(SIGNATURE if present == [RELEASE] else RELEASE, "missing")]
    if not (source.present[RELEASE] and source.present[SIGNATURE]):
        return None, [Problem(name, "differs") for name in present if not source.present[name]]
    try:
        text, signature = source.small(RELEASE), source.small(SIGNATURE)
        release = read_release(text)
    except Unreadable:
        return None, [Problem(RELEASE, "unreadable")]
    if not is_signed(release, text, signature):
        return None, [Problem(SIGNATURE, "not signed")]
    organisations = {signer["organisation"] for signer in release["signers"]}
    return release, [] if len(organisations) > 1 else [Problem(RELEASE, "one signer")]


def _is_other(release: Mapping[str, Any], manifest: Mapping[str, Any], pack: Path, expected: Expected) -> list[Problem]:
    """Where the release is not for this manifest, this folder, or what the reader expects."""
    said: list[tuple[str, object, object]] = [
        (f"manifest.json says {name}", manifest.get(name), release[name])
        for name in ("return", "partnership", "as_of", "version")
        if name != "version" or name in manifest
    ]
    if "is_rehearsal" in manifest:
        said.append(("of a rehearsal manifest.json says", manifest["is_rehearsal"], release["rehearsal"]))
    named = _NAMED.fullmatch(_stem(pack))
    if named:
        said.append(("its own name says version", int(named[2]), release["version"]))
    if _DAY.fullmatch(pack.resolve().parent.name):
        said.append(("its folder says", pack.resolve().parent.name, release["as_of"]))
    if expected.return_name is not None:
        said.append(("you expect", expected.return_name, release["return"]))
    if expected.as_of is not None:
        said.append(("you expect", expected.as_of.isoformat(), release["as_of"]))
    if expected.version is not None:
        said.append(("you expect version", expected.version, release["version"]))
    return [
        Problem(RELEASE, "another release", f"{who} {shown(wanted)}, and it says {shown(found)}")
        for who, wanted, found in said
        if wanted != found
    ]


def _newer(release: Mapping[str, Any], pack: Path) -> tuple[list[Problem], list[str]]:
    """Whether a later version of the same release lies beside the pack: as a pack, or as a notice of it."""
    own, notice = _NAMED.fullmatch(_stem(pack)), f"{_stem(pack)}.superseded.json"
    beside: dict[str, int] = {}
    try:
        with os.scandir(pack.resolve().parent) as entries:
            for entry in entries:
                other = _NAMED.fullmatch(entry.name.removesuffix(".tar"))
                if entry.name == notice:
                    beside[notice] = 10**6
                elif other and own and other[1] == own[1] and int(other[2]) > release["version"]:
                    beside[entry.name] = int(other[2])
    except OSError:
        return [], []
    notes = []
    for name in sorted(beside, key=lambda name: (-beside[name], name))[:MOST_VERSIONS]:
        found = _signed_release(pack.resolve().parent / name)
        if found is None:
            notes.append(f"{shown(name)}, beside it, says it is newer, but is not signed.")
        elif found["version"] > release["version"] and all(
            found[key] == release[key] for key in ("return", "partnership", "as_of")
        ):
            by = found["key"]["fingerprint"]
            more = f"version {found['version']} lies beside it, {shown(name)}, signed by key {by}"
            return [Problem(RELEASE, "older", more)], notes
    return [], notes


def _signed_release(path: Path) -> dict[str, Any] | None:
    """The release of a pack, or of the notice of one, if its signature is by the key that it names."""
    try:
        if path.name.endswith(".json"):
            text, signature = _small(path), _small(path.with_name(f"{path.name}.sig"))
        else:
            with _opened_pack(path) as source:
                text, signature = source.small(RELEASE), source.small(SIGNATURE)
        release = read_release(text)
    except (OSError, KeyError, Unreadable):
        return None
    return release if is_signed(release, text, signature) else None


def _stem(pack: Path) -> str:
    return pack.resolve().name.removesuffix(".tar")


# What is read --------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A plain file and its size. A link is not followed, and a pipe is not waited for."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{shown(path.name)} is not a plain file")
        yield file, status.st_size


def _small(path: Path) -> bytes:
    with _opened(path) as (file, _):
        content = file.read(PROOF_LIMIT + 1)
    if len(content) > PROOF_LIMIT:
        raise Unreadable(f"{shown(path.name)} is too large to be one")
    return content


@contextmanager
def _opened_pack(pack: Path) -> Iterator[_Folder | _Tar]:
    if pack.is_dir():
        yield _Folder(pack)
        return
    with _opened(pack) as (file, _):
        yield _Tar(file)


class _Folder:
    """A pack as a folder. `present`: the names in it, and whether each is a plain file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.present: dict[str, bool] = {}
        with os.scandir(path) as entries:
            for entry in entries:
                self.present[entry.name] = entry.is_file(follow_symlinks=False)
                if len(self.present) > MOST_FILES:
                    raise Unreadable(f"it holds more than {MOST_FILES:,} files: it is no pack")

    def small(self, name: str) -> bytes:
        return _small(self._path / name)

    def hashed(self, name: str, size: int) -> tuple[str, int] | None:
        """SHA-256 and size of a file; None for what is not a plain file of that size, which is not read."""
        if not self.present[name]:
            return None
        with _opened(self._path / name) as (file, found):
            if found != size or found >= FILE_LIMIT:
                return None
            summed, read = hashlib.sha256(), 0
            while read <= size:
                chunk = file.read(CHUNK)
                if not chunk:
                    break
                summed.update(chunk)
                read += len(chunk)
        return summed.hexdigest(), read


class _Tar:
    """A pack as a tar, of the one form in which they are made: plain files of one folder. Nothing is unpacked."""

    def __init__(self, file: BinaryIO) -> None:
        self.present: dict[str, bool] = {}
        self._hashed: dict[str, tuple[str, int]] = {}
        self._proofs: dict[str, bytes] = {}
        folders = set()
        while True:
            header = self._block(file)
            if not any(header):
                break
            path, size = _tar_header(header)
            folder, is_within, name = path.rpartition("/")
            folders.add(folder)
            # Whoever unpacks it gets one new folder, and nothing outside it.
            if not is_plain(name) or (is_within and not is_plain(folder)) or name in self.present or len(folders) > 1:
                raise Unreadable("it is not a tar of one folder with plain files, each once")
            if len(self.present) >= MOST_FILES:
                raise Unreadable(f"it holds more than {MOST_FILES:,} files: it is no pack")
            self.present[name] = True
            self._take(file, name, size)
        rest = file.read(MOST_PADDING + 1)
        if len(rest) > MOST_PADDING or any(rest):
            raise Unreadable("something comes after the end of the tar")

    @staticmethod
    def _block(file: BinaryIO) -> bytes:
        block = file.read(BLOCK)
        if block.startswith((b"age-encryption.org/", b"-----BEGIN AGE")):
            raise Unreadable("it is encrypted: decrypt it first, `age --decrypt -i YOUR_KEY -o pack.tar` and its name")
        if len(block) < BLOCK:
            raise Unreadable("it is cut off, or neither a folder nor a tar")
        return block

    def _take(self, file: BinaryIO, name: str, size: int) -> None:
        summed, kept, left = hashlib.sha256(), [], size
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise Unreadable("it is cut off")
            summed.update(chunk)
            left -= len(chunk)
            if name in PROOFS:
                if size > PROOF_LIMIT:
                    raise Unreadable(f"{name} is too large to be one")
                kept.append(chunk)
        padding = file.read(-size % BLOCK)
        if len(padding) != -size % BLOCK or any(padding):
            raise Unreadable("it is cut off, or something is between its files")
        self._hashed[name] = summed.hexdigest(), size
        if name in PROOFS:
            self._proofs[name] = b"".join(kept)

    def small(self, name: str) -> bytes:
        return self._proofs[name]

    def hashed(self, name: str, size: int) -> tuple[str, int] | None:  # noqa: ARG002 - a folder needs it
        return self._hashed[name]


def _tar_header(block: bytes) -> tuple[str, int]:
    """The path and size of a plain file, from its header: of nobody, and such that only its owner may read it."""
    size, total = (re.fullmatch(rb"([0-7]+)[\0 ]+", block[at:to]) for at, to in ((124, 136), (148, 156)))
    is_one = (
        size is not None
        and total is not None
        and block[156:157] == b"0"
        and block[257:265] == b"ustar\x0000"
        and block[100:124] == b"0000600\0" + 2 * b"0000000\0"
        # Nothing but noughts: no link, no name of an owner, no device.
        and not (block[157:257] + block[265:329] + block[500:]).strip(b"\0")
        and not block[329:345].strip(b"0\0")
        and sum(block) - sum(block[148:156]) + 8 * ord(" ") == int(total[1], 8)
    )
    try:
        name, prefix = (block[at:to].rstrip(b"\0").decode() for at, to in ((0, 100), (345, 500)))
    except UnicodeDecodeError:
        is_one = False
    if size is None or not is_one:
        raise Unreadable("it is neither a folder nor a tar of plain files")
    return f"{prefix}/{name}" if prefix else name, int(size[1], 8)


def _json(content: bytes) -> Any:
    """JSON that every reader understands alike. Raises ValueError or RecursionError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    def whole(text: str) -> int:
        if len(text) > 20:
            raise ValueError
        return int(text)

    def never(_: str) -> Any:
        raise ValueError

    return json.loads(content.decode(), object_pairs_hook=once, parse_int=whole, parse_constant=never)


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = _json(content)
        entries = [(entry["name"], entry["sha256"], entry["bytes"]) for entry in manifest["files"]]
        is_known = manifest["pack_format"] == PACK_FORMAT
    except (ValueError, RecursionError, KeyError, TypeError):
        raise Unreadable(f"{MANIFEST} is not the manifest of a pack") from None
    if not is_known:
        raise Unreadable(f"{MANIFEST} is of a form that this version does not know")
    if not all(is_plain(name) and name not in PROOFS for name, _, _ in entries):
        raise Unreadable(f"{MANIFEST} names a file outside the pack")
    if not all(isinstance(sha256, str) and type(size) is int for _, sha256, size in entries):
        raise Unreadable(f"{MANIFEST} is not the manifest of a pack")
    # Where upper and lower case are one, the second would take the first one's place.
    if len({name.lower() for name in [*PROOFS, *(name for name, _, _ in entries)]}) != len(PROOFS) + len(entries):
        raise Unreadable(f"{MANIFEST} names a file twice")
    return manifest


def sums_bytes(hashes: Mapping[str, str]) -> bytes:
    """What SHA256SUMS holds of files by name, in the form that `sha256sum --check` reads."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode("utf-8", "surrogatepass")


def _sums(content: bytes) -> dict[str, str]:
    try:
        pairs = [line.split("  ", 1) for line in content.decode().splitlines()]
        return {name: sha256 for sha256, name in pairs}
    except ValueError:
        raise Unreadable(f"{SUMS} is not a list of hashes") from None


_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMED = re.compile(r"(.*_)?v([1-9]\d{0,5})", re.DOTALL | re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PUBLIC_KEY = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what comes before the 32 bytes of an Ed25519 key


def read_release(content: bytes) -> dict[str, Any]:
    """What a `release.json` says; its signature is not looked at. Raises Unreadable when it is not one."""
    try:
        release: dict[str, Any] = _json(content)
        is_one = (
            release["release_format"] == RELEASE_FORMAT
            and all(_WORD.fullmatch(release[name]) for name in ("release_id", "return", "partnership"))
            and date.fromisoformat(release["as_of"]).isoformat() == release["as_of"]
            and _is_version(release["version"])
            and (release["supersedes"] is None or _is_version(release["supersedes"]))
            and _SHA256.fullmatch(release["pack_sha256"])
            and type(release["rehearsal"]) is bool
            and len(release["signers"]) <= MOST_SIGNERS
            and all(_is_signer(signer) for signer in release["signers"])
            and release["key"]["fingerprint"] == fingerprint(public_key(release["key"]["public_key"]))
        )
    except (ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError):
        is_one = False
    if not is_one:
        raise Unreadable(f"{RELEASE} is not a release that this program can read")
    return release


def _is_version(version: object) -> bool:
    return type(version) is int and 0 < version < 10**6


def _is_signer(signer: Mapping[str, Any]) -> bool:
    at = datetime.fromisoformat(signer["signed_at"])
    # In UTC too it is an instant that a calendar has.
    return (
        at.tzinfo is not None
        and at.astimezone(timezone.utc) is not None
        and all(isinstance(signer[key], str) for key in ("organisation", "name", "role"))
    )


def public_key(text: str) -> bytes:
    """The 32 bytes of an Ed25519 key, from the line within its PEM file. Raises ValueError."""
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("It is no base64.") from None
    # The same bytes can be written in several ways, of which one is taken.
    if len(content) != 44 or not content.startswith(_PUBLIC_KEY) or base64.b64encode(content).decode() != text:
        raise ValueError("It is no Ed25519 public key.")
    return content[12:]


def public_key_text(key: bytes) -> str:
    """The line within the PEM file of an Ed25519 key of 32 bytes."""
    return base64.b64encode(_PUBLIC_KEY + key).decode()


def fingerprint(key: bytes) -> str:
    """By what people know a key: the first half of the SHA-256 of its DER form, as eight groups of four digits."""
    digits = hashlib.sha256(_PUBLIC_KEY + key).hexdigest()[:32]
    return "-".join(digits[at : at + 4] for at in range(0, 32, 4))


def message(release: Mapping[str, Any], text: bytes) -> bytes:
    """The bytes that are signed: the purpose; the return, partnership, date and version; and all of `release.json`.

    The first line is that of no other message that a partnership signs, so no signature can be used for something else.
    """
    line = "{return} {partnership} {as_of} v{version}".format_map(release)
    return f"{PURPOSE}\n{line}\n".encode() + text


def is_signed(release: Mapping[str, Any], text: bytes, signature: bytes) -> bool:
    """Whether the key that a release names made this signature of it. Nothing says yet whose key that is."""
    return is_ed25519(public_key(release["key"]["public_key"]), message(release, text), signature)


# Ed25519, as RFC 8032 has it -----------------------------------------------------------------------------------------
# Points of -x^2 + y^2 = 1 + d x^2 y^2 over the field of P, in extended coordinates: x = X/Z, y = Y/Z, x y = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NEUTRAL = (0, 1, 1, 0)


def is_ed25519(key: bytes, content: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `content` is by `key` (32 bytes).

    Strict where readers differ: S below the group's order (else a signature could be written in two ways), points in
    their one canonical form, and no key of small order (under which one signature fits many messages).
    """
    if len(key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    by = _point(key) if s < ORDER else None
    if by is None or _encoded(_times_8(by)) == _encoded(NEUTRAL):
        return False
    challenge = hashlib.sha512(signature[:32] + key + content).digest()
    h = int.from_bytes(challenge, "little") % ORDER
    # R = S B - h A, and R is compared as it is written.
    return _encoded(_sum_of_products(s, _BASE, h, _negative(by))) == signature[:32]


def _point(encoded: bytes) -> Point | None:
    """The point that 32 bytes stand for; None where they stand for none, or not in the canonical way."""
    number = int.from_bytes(encoded, "little")
    y, is_odd = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and is_odd):
        return None
    if x & 1 != is_odd:
        x = P - x
    return x, y, 1, x * y % P


def _encoded(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def _negative(point: Point) -> Point:
    x, y, z, t = point
    return P - x, y, z, P - t


def _add(one: Point, other: Point) -> Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b = x * x % P, y * y % P
    h, g = a + b, a - b
    e = h - (x + y) * (x + y)
    f = 2 * z * z + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times_8(point: Point) -> Point:
    return _double(_double(_double(point)))


def _sum_of_products(m: int, one: Point, n: int, other: Point) -> Point:
    """m times one point plus n times another. Nothing here is secret, so it may take a time that tells of it."""
    both = _add(one, other)
    total = NEUTRAL
    for bit in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        total = _double(total)
        if m >> bit & 1:
            total = _add(total, both if n >> bit & 1 else one)
        elif n >> bit & 1:
            total = _add(total, other)
    return total


# y = 4/5, and x is even.
_BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


# The command line ----------------------------------------------------------------------------------------------------


def keys_of(given: Sequence[str]) -> list[str]:
    """The fingerprints that --key names: each is one, or a PEM file of public keys. Raises Unreadable."""
    found = []
    for one in given:
        digits = re.sub(r"[\s:-]", "", one).lower()
        if re.fullmatch(r"[0-9a-f]{32}", digits):
            found.append("-".join(digits[at : at + 4] for at in range(0, 32, 4)))
            continue
        try:
            text = _small(Path(one)).decode("ascii")
        except (OSError, Unreadable, UnicodeDecodeError):
            raise Unreadable(
                f"--key {shown(one)} is neither a fingerprint (32 of 0-9 and a-f) nor a file that can be read"
            ) from None
        lines = re.findall(r"-----BEGIN PUBLIC KEY-----\s+(\S+)\s+-----END PUBLIC KEY-----", text)
        try:
            found += [fingerprint(public_key(line)) for line in lines]
        except ValueError:
            lines = []
        if not lines:
            raise Unreadable(f"--key {shown(one)} is not a file of Ed25519 public keys")
    return found


def run(pack: Path, given: Sequence[str] = (), expected: Expected | None = None, *, must_be_signed: bool = True) -> int:
    """Prints the report, a finding a line, and returns the exit status."""
    try:
        keys = keys_of(given)
    except Unreadable as error:
        print(error)
        return 2
    report = check(pack, keys, expected, must_be_signed=must_be_signed)
    try:
        print(*report.lines(), sep="\n", flush=True)
    except BrokenPipeError:
        # Who reads has read enough; what is left goes nowhere, or Python would complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return report.exit_code


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(
        description="Checks that a pack is as a partnership sealed it.",
        epilog="Exit status 0: as sealed. 1: something is not as it should be. 2: it could not be read.",
    )
    parser.add_argument("pack", type=Path, metavar="PACK", help="the folder, or the tar that age decrypted")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="FINGERPRINT_OR_FILE",
        help="the key that must have signed it: the fingerprint that the partnership read to you, or its PEM file",
    )
    parser.add_argument("--expect-return", metavar="NAME", help="the return that it must be, such as sen2")
    parser.add_argument("--expect-as-of", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the date it must be of")
    parser.add_argument("--expect-version", type=int, metavar="N", help="the version that it must be")
    parser.add_argument("--draft", action="store_true", help="it is a draft, which nobody has signed yet")
    given = parser.parse_args()
    # A terminal that cannot show a letter of a name shows its code.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    expected = Expected(given.expect_return, given.expect_as_of, given.expect_version)
    return run(given.pack, given.key, expected, must_be_signed=not given.draft)


if __name__ == "__main__":
    sys.exit(main())
