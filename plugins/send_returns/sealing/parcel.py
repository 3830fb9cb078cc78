"""A pack as one file: a tar whose bytes are the same each time, and that tar encrypted by age.

age draws a new key for each file, so two encryptions of one pack differ; the tar inside is the same to the byte. An
encrypted file is therefore made once, kept, and sent again as it is.
"""

import hashlib
import os
import tarfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import BinaryIO

import pyrage

from send_returns.failure import Failure
from send_returns.sealing import recipients, release_file, verify_pack
from send_returns.sealing.files import alone, digest, sync, write
from send_returns.sealing.keys import public_keys
from send_returns.sealing.recipients import Recipient
from send_returns.settings import Settings

FOLDER = "sealed"
_NAME = "{return}_{partnership}_{as_of}_v{version}"


class ParcelRefused(Failure):
    """A pack cannot be made one file; the message says why."""


def name_of(settings: Settings, pack: Path) -> str:
    """What a pack is called outside its folder. Raises ParcelRefused when it was not sealed here, or is not newest."""
    own = [key.fingerprint for key in public_keys(settings)]
    if not own:
        raise ParcelRefused(f"{pack} is not to be sent: this installation has no signing key, so it sealed nothing.")
    report = verify_pack.check(pack, own)
    if report.exit_code or report.release is None:
        raise ParcelRefused(f"{pack} is not to be sent: " + "; ".join(report.lines()))
    return _NAME.format_map(report.release)


def plain(settings: Settings, pack: Path) -> Path:
    """The tar of a published pack, in `<home>/sealed/`: for what anybody may read. Raises ParcelRefused."""
    name, place = name_of(settings, pack), settings.folder(FOLDER)
    with alone(place / ".lock"):
        as_of = date.fromisoformat(verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())["as_of"])
        work = _tarred(pack, name, as_of, place)
        return _kept(work, place / f"{name}.tar")


def encrypted(settings: Settings, pack: Path, on: date, keys: Sequence[str] | None = None) -> Path:
    """The tar of a published pack, encrypted to those registered for its return on a day, in `<home>/sealed/`.

    The name ends in a digest of the tar and of who can open it: another set of recipients is another file. `keys`
    narrows them to some. Raises RecipientRefused when one of these is not registered, or nobody is; ParcelRefused.
    """
    name, place = name_of(settings, pack), settings.folder(FOLDER)
    release = verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())
    able = recipients.entitled(recipients.register(settings), release["return"], on, keys)
    return _closed(pack, name, date.fromisoformat(release["as_of"]), place, able)


def encrypted_folder(settings: Settings, pack: Path, name: str, as_of: date, able: Sequence[Recipient]) -> Path:
    """The tar of a sealed folder that no release is made of, encrypted to `able`, in `<home>/sealed/`.

    `as_of` is the date that its files bear. Raises ParcelRefused when the folder is not as it was sealed.
    """
    return _closed(pack, name, as_of, settings.folder(FOLDER), able, must_be_signed=False)


def notices(settings: Settings, pack: Path) -> list[Path]:
    """The files that say of the version before a published pack that it was superseded, in `<home>/sealed/`."""
    release = verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())
    if release["supersedes"] is None:
        return []
    earlier = _NAME.format_map(release | {"version": release["supersedes"]})
    found = []
    for name, content in release_file.notice(pack, earlier).items():
        found.append(settings.folder(FOLDER) / name)
        write(found[-1], content)
    return found


def write_tar(pack: Path, name: str, as_of: date, file: BinaryIO) -> None:
    """The files of a pack below the folder `name`, by name, of nobody, and of midnight of its date."""
    at = int(datetime.combine(as_of, time(), UTC).timestamp())
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(pack.iterdir(), key=lambda path: path.name):
            content = path.open("rb")
            with content:
                entry = tarfile.TarInfo(f"{name}/{path.name}")
                entry.size, entry.mtime, entry.mode = os.fstat(content.fileno()).st_size, at, 0o600
                tar.addfile(entry, content)


def _closed(
    pack: Path, name: str, as_of: date, place: Path, able: Sequence[Recipient], *, must_be_signed: bool = True
) -> Path:
    """The encrypted tar: a file of its own for each content and set of recipients."""
    with alone(place / ".lock"):
        work = _tarred(pack, name, as_of, place, must_be_signed=must_be_signed)
        try:
            whose = "\n".join([digest(work), *(one.public_key for one in able)])
            final = place / f"{name}_{hashlib.sha256(whose.encode()).hexdigest()[:12]}.tar.age"
            if final.exists():
                return final
            closed = place / f".{final.name}.part"
            pyrage.encrypt_file(str(work), str(closed), recipients.age_keys(able))
            closed.chmod(0o600)
            return _kept(closed, final)
        finally:
            work.unlink(missing_ok=True)


def _tarred(pack: Path, name: str, as_of: date, place: Path, *, must_be_signed: bool = True) -> Path:
    """The tar, under a hidden name, read back as its reader will. What a killed process left is swept."""
    for left in place.glob(".*.part"):
        left.unlink()
    work = place / f".{name}.tar.part"
    with work.open("xb") as file:
        work.chmod(0o600)
        write_tar(pack, name, as_of, file)
        file.flush()
        os.fsync(file.fileno())
    report = verify_pack.check(work, must_be_signed=must_be_signed)
    if report.exit_code:
        work.unlink()
        raise ParcelRefused(f"{pack} changed while it was read: " + "; ".join(report.lines()))
    return work


def _kept(work: Path, final: Path) -> Path:
    sync(work)
    work.replace(final)
    sync(final.parent)
    return final
