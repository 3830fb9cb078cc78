"""`release.json`: what is released, who signed it, and by which key it is sealed. Its signature binds the pack."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from send_returns.failure import Failure
from send_returns.sealing import verify_pack
from send_returns.sealing.files import canonical, digest
from send_returns.sealing.keys import SigningKey


class NotSealed(Failure):
    """A pack cannot be sealed as the release says; the message says what does not fit."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A person who signed for an organisation, and when."""

    organisation: str
    name: str
    role: str
    username: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Superseded:
    """The version that a release takes the place of, and the SHA-256 of its manifest."""

    version: int
    pack_sha256: str


@dataclass(frozen=True, slots=True)
class Release:
    """What is released. `pack_sha256`: SHA-256 of `manifest.json`. `audit_anchor`: head of the audit's hash chain."""

    release_id: str
    return_name: str
    partnership: str
    as_of: date
    version: int
    pack_sha256: str
    supersedes: Superseded | None
    signers: tuple[Signer, ...]
    is_rehearsal: bool
    audit_anchor: str


def finish(folder: Path, release: Release, key: SigningKey) -> None:
    """Add `release.json` and its signature to a sealed folder; nothing that was in it is changed.

    A folder that holds the very same two files already is left as it is. Raises NotSealed when the folder is not as it
    was sealed, when the release is of another pack or is not by two organisations, and when a key made for
    rehearsals would seal a real release.
    """
    if key.public.is_rehearsal and not release.is_rehearsal:
        raise NotSealed(
            f"{key.public.key_id} was made for rehearsals and seals no real release: make a key with"
            " `send-returns seal-key new`."
        )
    if release.pack_sha256 != digest(folder / verify_pack.MANIFEST):
        raise NotSealed(f"{folder}: what was signed is another {verify_pack.MANIFEST} than the one there: draft again.")
    text = release_bytes(release, key)
    said = verify_pack.read_release(text)
    (folder / verify_pack.RELEASE).write_bytes(text)
    (folder / verify_pack.SIGNATURE).write_bytes(key.sign(verify_pack.message(said, text)))
    # As its reader will: nothing is published that would not pass.
    report = verify_pack.check(
        folder,
        [key.public.fingerprint],
        verify_pack.Expected(release.return_name, release.as_of, release.version),
    )
    if report.exit_code:
        raise NotSealed(f"{folder} cannot be sealed: " + "; ".join(report.lines()))


def release_bytes(release: Release, key: SigningKey) -> bytes:
    """`release.json`, in one form only. Raises NotSealed for what no reader could read."""
    signers = sorted(release.signers, key=lambda signer: (signer.organisation, signer.username))
    said: Mapping[str, Any] = {
        "release_format": verify_pack.RELEASE_FORMAT,
        "release_id": release.release_id,
        "return": release.return_name,
        "partnership": release.partnership,
        "as_of": release.as_of.isoformat(),
        "version": release.version,
        "pack_sha256": release.pack_sha256,
        "supersedes": None
        if release.supersedes is None
        else {"version": release.supersedes.version, "pack_sha256": release.supersedes.pack_sha256},
        "signers": [
            {
                "organisation": signer.organisation,
                "name": signer.name,
                "role": signer.role,
                "username": signer.username,
                "signed_at": signer.signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            for signer in signers
        ],
        "is_rehearsal": release.is_rehearsal,
        "audit_anchor": release.audit_anchor,
        "key": {
            "fingerprint": key.public.fingerprint,
            "public_key": verify_pack.public_key_text(key.public.key),
        },
    }
    text = canonical(said)
    try:
        verify_pack.read_release(text)
    except verify_pack.Unreadable:
        raise NotSealed(
            f"Release {release.release_id} of {release.return_name} cannot be written: its id, return and partnership"
            " must be plain words, its version a number from 1, and its hashes SHA-256."
        ) from None
    return text


def notice(pack: Path, earlier: str) -> dict[str, bytes]:
    """The files that say, beside a copy of an earlier version called `earlier`, that this pack takes its place.

    They are this pack's own release and signature under other names, so nobody else can make them.
    """
    text, signature = (pack / verify_pack.RELEASE).read_bytes(), (pack / verify_pack.SIGNATURE).read_bytes()
    return {f"{earlier}.superseded.json": text, f"{earlier}.superseded.json.sig": signature}
