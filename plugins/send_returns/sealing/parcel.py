"""A pack as one file: a tar whose bytes are the same each time, and that tar encrypted by age.

age draws a new key for each file, so two encryptions of one pack differ; the tar inside is the same to the byte. An
encrypted file is therefore made once, kept with its hash beside it, and sent again as it is.
"""

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO

import pyrage
from dateutil.relativedelta import relativedelta

from send_returns.failure import Failure
from send_returns.sealing import recipients, release_file, verify_pack
from send_returns.sealing.files import alone, digest, sync, write
from send_returns.sealing.keys import public_keys
from send_returns.sealing.recipients import Recipient
from send_returns.settings import Settings

FOLDER = "sealed"
NAME = "{return}_{partnership}_{as_of}_v{version}"


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
    return NAME.format_map(report.release)


def plain(settings: Settings, pack: Path) -> Path:
    """The tar of a published pack, in `<home>/sealed/`: for what anybody may read. Raises ParcelRefused."""
    name, place = name_of(settings, pack), settings.folder(FOLDER)
    as_of = date.fromisoformat(verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())["as_of"])
    with (
        alone(place / ".lock"),
        _tarred(pack, name, as_of, place) as tar,
        _kept(place / f"{name}.tar") as work,
        work.open("wb") as file,
    ):
        shutil.copyfileobj(tar, file)
    return place / f"{name}.tar"


def encrypted(settings: Settings, pack: Path, on: date, keys: Sequence[str] = ()) -> Path:
    """The tar of a published pack, encrypted to those registered for its return on a day, in `<home>/sealed/`.

    The name ends in a digest of the tar and of who can open it: another set of recipients is another file. `keys`, if
    there are any, narrows them to some. Raises RecipientRefused when one of these is not registered, or nobody is;
    ParcelRefused.
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


def copies(settings: Settings, name: str) -> list[Path]:
    """The files that are kept of a pack, or sealed folder, of that name, to be sent again as they are."""
    place = settings.folder(FOLDER)
    return sorted([*place.glob(f"{name}.tar"), *place.glob(f"{name}_*.tar.age")])


def drop_encrypted(settings: Settings) -> int:
    """Remove every encrypted file that is kept: nobody here can look into one. They are made again from the packs."""
    return drop(settings.folder(FOLDER).glob("*.tar.age"))


def past(settings: Settings, partnership: str, as_of: date, years: Mapping[str, int]) -> list[Path]:
    """What is kept of packs past their time, which is so many `years` by return from the date in the name."""
    named = re.compile(rf"(.+?)_{re.escape(partnership)}_(\d{{4}}-\d\d-\d\d)_.+\.tar(\.age)?")
    return sorted(
        path
        for path in settings.folder(FOLDER).iterdir()
        if (found := named.fullmatch(path.name))
        and found[1] in years
        and date.fromisoformat(found[2]) + relativedelta(years=years[found[1]]) <= as_of
    )


def drop(files: Iterable[Path]) -> int:
    """Remove kept files with their hashes; returns how many."""
    dropped = list(files)
    for path in dropped:
        path.unlink(missing_ok=True)
        _hash_of(path).unlink(missing_ok=True)
    return len(dropped)


def notices(settings: Settings, pack: Path) -> list[Path]:
    """The files that say of the version before a published pack that it was superseded, in `<home>/sealed/`."""
    release = verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())
    if release["supersedes"] is None:
        return []
    earlier = NAME.format_map(release | {"version": release["supersedes"]})
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
    with alone(place / ".lock"), _tarred(pack, name, as_of, place, must_be_signed=must_be_signed) as tar:
        whose = "\n".join([hashlib.file_digest(tar, "sha256").hexdigest(), *(one.public_key for one in able)])
        final = place / f"{name}_{hashlib.sha256(whose.encode()).hexdigest()[:12]}.tar.age"
        # Nobody here can open it to see whether it is still what it was: its hash is kept beside it.
        sha256 = _hash_of(final)
        if final.exists() and sha256.exists() and sha256.read_text() == digest(final):
            return final
        tar.seek(0)
        with _kept(final) as work:
            with work.open("wb") as file:
                pyrage.encrypt_io(tar, file, recipients.age_keys(able))
            write(sha256, digest(work).encode())
        return final


def _hash_of(final: Path) -> Path:
    return final.with_name(f"{final.name}.sha256")


@contextmanager
def _tarred(
    pack: Path, name: str, as_of: date, place: Path, *, must_be_signed: bool = True
) -> Iterator[BufferedRandom]:
    """The tar, read back as its reader will. Its file has no name: no kill can leave a list of children lying there."""
    with tempfile.TemporaryFile(dir=place) as file:
        write_tar(pack, name, as_of, file)
        file.seek(0)
        report = verify_pack.check(place / f".{name}.tar", must_be_signed=must_be_signed, opened=file)
        if report.exit_code:
            raise ParcelRefused(f"{pack} changed while it was read: " + "; ".join(report.lines()))
        file.seek(0)
        yield file


@contextmanager
def _kept(final: Path) -> Iterator[Path]:
    """A new file under a hidden name, which takes `final`'s when it is on the disk. What a kill left is swept."""
    for left in final.parent.glob(".*.part"):
        left.unlink()
    work = final.with_name(f".{final.name}.part")
    work.touch(mode=0o600)
    yield work
    sync(work)
    work.replace(final)
    sync(final.parent)
