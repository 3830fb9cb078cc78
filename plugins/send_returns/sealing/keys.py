"""The Ed25519 key by which this installation seals its packs.

`<home>/secrets/signing/` holds `signing-N.pub` for each key there has been, so that packs of any age can be checked,
and `signing-N` (PKCS 8, readable by its owner only) for the current one, which is the one with the highest number.
Rotation removes the secret of the one before: what it has signed stays valid, and it can sign no more.
"""

import json
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from send_returns import clock
from send_returns.failure import Failure
from send_returns.sealing import verify_pack
from send_returns.sealing.files import alone, canonical, write_new
from send_returns.settings import Settings

_NAME = re.compile(r"signing-([1-9]\d{0,5})(\.pub)?")


class SigningKeyRefused(Failure):
    """There is no signing key, or none that is safe to use; the message says what to do, and nothing of a secret."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What everybody may know of a key. `made_on`: the day, in England, from which it was the current one.

    `key`: 32 bytes. `is_rehearsal`: whether it was made for a demonstration; then it signs rehearsals only.
    """

    number: int
    made_on: date
    is_rehearsal: bool
    key: bytes

    @property
    def key_id(self) -> str:
        """Its name here."""
        return f"signing-{self.number}"

    @property
    def fingerprint(self) -> str:
        """By what people know it: what the partnership reads to an inspector."""
        return verify_pack.fingerprint(self.key)

    @property
    def pem(self) -> str:
        """Its file, as OpenSSL reads it."""
        return f"-----BEGIN PUBLIC KEY-----\n{verify_pack.public_key_text(self.key)}\n-----END PUBLIC KEY-----\n"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The current key, with its secret."""

    public: PublicKey
    _secret: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of its signature, the same each time."""
        return self._secret.sign(message)


def folder(settings: Settings) -> Path:
    """Where the keys are."""
    return settings.home / "secrets" / "signing"


def public_keys(settings: Settings) -> list[PublicKey]:
    """Every key there has been, from the oldest on; the last is current. Raises SigningKeyRefused."""
    place = folder(settings)
    try:
        mode = place.stat().st_mode
        names = [found for path in place.iterdir() if (found := _NAME.fullmatch(path.name)) and found[2]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SigningKeyRefused(f"The folder of signing keys {place} cannot be read ({error.strerror}).") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SigningKeyRefused(
            f"Others can write to {place}: `chmod go-w` it, and look whether the keys are still yours."
        )
    return sorted((_read_public(place / name[0], int(name[1])) for name in names), key=lambda key: key.number)


def current(settings: Settings) -> SigningKey:
    """The key that seals. Raises SigningKeyRefused: without one there is no publication."""
    known = public_keys(settings)
    if not known:
        raise SigningKeyRefused(
            f"There is no signing key in {folder(settings)}, and without one nothing is published: put yours there, or"
            " make the first with `send-returns seal-key new`."
        )
    return SigningKey(known[-1], _read_secret(folder(settings) / known[-1].key_id, known[-1]))


def new(settings: Settings, *, is_rehearsal: bool = False) -> PublicKey:
    """Make the first key, or the first real one after a rehearsal's. Raises SigningKeyRefused when there is one."""
    known = public_keys(settings)
    if known and (is_rehearsal or not known[-1].is_rehearsal):
        raise SigningKeyRefused(
            f"There is a signing key already, {known[-1].key_id}: `send-returns seal-key rotate` makes the next."
        )
    return _make(settings, known, is_rehearsal=is_rehearsal)


def rotate(settings: Settings) -> PublicKey:
    """Make the next key the current one, and remove the secret of the one before. Raises SigningKeyRefused."""
    known = public_keys(settings)
    if not known:
        raise SigningKeyRefused("There is no signing key to follow: make the first with `send-returns seal-key new`.")
    return _make(settings, known, is_rehearsal=known[-1].is_rehearsal)


def _make(settings: Settings, known: list[PublicKey], *, is_rehearsal: bool) -> PublicKey:
    settings.folder("secrets")
    place = settings.folder("secrets", "signing")
    with alone(place / ".lock"):
        if public_keys(settings) != known:
            raise SigningKeyRefused(
                "Another process made a signing key just now: `send-returns seal-key list` shows it."
            )
        secret = Ed25519PrivateKey.generate()
        number = known[-1].number + 1 if known else 1
        key = PublicKey(number, clock.today(), is_rehearsal, secret.public_key().public_bytes_raw())
        # A secret without its public half is of no use to anyone: one that was killed in between left it.
        (place / key.key_id).unlink(missing_ok=True)
        write_new(
            place / key.key_id, secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600
        )
        said = {
            "made_on": key.made_on.isoformat(),
            "is_rehearsal": is_rehearsal,
            "public_key": verify_pack.public_key_text(key.key),
        }
        write_new(place / f"{key.key_id}.pub", canonical(said), mode=0o644)
        for older in known:
            (place / older.key_id).unlink(missing_ok=True)
    return key


def _read_public(path: Path, number: int) -> PublicKey:
    try:
        said = json.loads(path.read_bytes())
        made_on, is_rehearsal = date.fromisoformat(said["made_on"]), said["is_rehearsal"]
        return PublicKey(number, made_on, is_rehearsal is True, verify_pack.public_key(said["public_key"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise SigningKeyRefused(f"{path} does not hold a public key and its day: put its backup back.") from None


def _read_secret(path: Path, public: PublicKey) -> Ed25519PrivateKey:
    try:
        # The mode is asked of the open file, so that it cannot be another one by the time that it is read.
        with path.open("rb") as file:
            others = os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            content = file.read()
    except OSError as error:
        raise SigningKeyRefused(
            f"The signing key {path} cannot be read ({error.strerror}): put its backup back, or rotate."
        ) from None
    if others:
        raise SigningKeyRefused(f"Others than its owner can read the signing key {path}: `chmod 600` it, and rotate.")
    try:
        secret = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        secret = None
    if not isinstance(secret, Ed25519PrivateKey) or secret.public_key().public_bytes_raw() != public.key:
        raise SigningKeyRefused(f"{path} is not the secret of {public.fingerprint}: put its backup back, or rotate.")
    return secret
