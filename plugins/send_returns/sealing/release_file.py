"""`release.json`: what is released, who signed it, and by which key it is sealed. Its signature binds the pack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from send_returns.failure import Failure
from send_returns.sealing import verify_pack
from send_returns.sealing.files import canonical
from send_returns.sealing.keys import SigningKey


class NotSealed(Failure):
    """A pack cannot be sealed as the release says; the message says what does not fit."""


def finish(folder: Path, statement: Mapping[str, Any], key: SigningKey) -> None:
    """Add `release.json` and its signature to a sealed folder; nothing that was in it is changed.

    Args:
        folder: with the manifest that was signed, and all that it names.
        statement: what the release says of itself, as `releases.register.statement` has it.
        key: the installation's key, which signs.

    Raises:
        NotSealed: the folder is not as it was sealed, the release is of another pack or not signed by two
            organisations, or a key made for rehearsals would seal a real release.
    """
    if key.public.is_rehearsal and not statement["rehearsal"]:
        raise NotSealed(
            f"{key.public.key_id} was made for rehearsals and seals no real release: make a key with"
            " `send-returns seal-key new`."
        )
    text = release_bytes(statement, key)
    said = verify_pack.read_release(text)
    (folder / verify_pack.RELEASE).write_bytes(text)
    (folder / verify_pack.SIGNATURE).write_bytes(key.sign(verify_pack.message(said, text)))
    # As its reader will: nothing is published that would not pass.
    report = verify_pack.check(folder, [key.public.fingerprint])
    if report.exit_code:
        raise NotSealed(f"{said['release_id']} cannot be sealed: " + "; ".join(report.lines()))


def release_bytes(statement: Mapping[str, Any], key: SigningKey) -> bytes:
    """`release.json`, in one form only. Raises NotSealed for what no reader could read."""
    text = canonical(
        {
            **statement,
            "release_format": verify_pack.RELEASE_FORMAT,
            "key": {
                "fingerprint": key.public.fingerprint,
                "public_key": verify_pack.public_key_text(key.public.key),
            },
        }
    )
    try:
        verify_pack.read_release(text)
    except verify_pack.Unreadable:
        raise NotSealed(
            f"{statement['release_id']} cannot be written: its id, return and partnership must be plain words, its"
            " version a number from 1, and its hash a SHA-256."
        ) from None
    return text


def notice(pack: Path, earlier: str) -> dict[str, bytes]:
    """The files that say, beside a copy of an earlier version called `earlier`, that this pack takes its place.

    They are this pack's own release and signature under other names, so nobody else can make them.
    """
    text, signature = (pack / verify_pack.RELEASE).read_bytes(), (pack / verify_pack.SIGNATURE).read_bytes()
    return {f"{earlier}.superseded.json": text, f"{earlier}.superseded.json.sig": signature}
