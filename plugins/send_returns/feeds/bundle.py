"""Zips and workbooks opened with suspicion: what is in them becomes plain files in a folder that is removed after.

Nothing is written under a name that a zip holds, and nothing of it is followed. What it declares may be a lie, so
bytes are counted as they come out, too.
"""

import errno
import json
import re
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from send_returns.feeds import workbook_reader
from send_returns.feeds.chunk import Refused
from send_returns.feeds.source import CHUNK, Source, examine

MAX_MEMBERS = 2_000
MAX_UNPACKED_BYTES = 4_000_000_000
MAX_RATIO = 100
RATIO_FROM_BYTES = 50_000_000
# The directory of a zip is read into memory before its members can be counted.
MAX_DIRECTORY_BYTES = 1_000_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb")
# Every Office document has it.
OFFICE = "[Content_Types].xml"
ARCHIVES = ("tar", "7z", "rar", "gzip", "bzip2", "xz", "zstd")
END, END_BYTES, LOCATOR, LOCATOR_BYTES = b"PK\x05\x06", 22, b"PK\x06\x07", 20


class Unsafe(Exception):
    """Why a zip is not opened, to follow its name."""


@contextmanager
def opened(sources: Sequence[Source], within: Path | None = None) -> Iterator[list[Source]]:
    """The files to read: those delivered, the members of zips, and each sheet of a workbook as CSV.

    What came out of a zip or workbook is below `within` (by default where the system keeps temporary files) until the
    end of the `with`. Raises Refused.
    """
    with tempfile.TemporaryDirectory(prefix="send-returns-", dir=within) as folder:
        yield [part for source in sources for part in _opened(source, Path(folder), is_nested=False)]


def _opened(source: Source, folder: Path, *, is_nested: bool) -> Iterator[Source]:
    if source.container in ARCHIVES:
        raise Refused(f"{source.shown}: a {source.container} archive. Send a zip, or the files themselves.")
    if source.encoding == "utf-32":
        raise Refused(f"{source.shown}: UTF-32, which few programs read. Save it as UTF-8.")
    if source.container == "ole" and source.name.lower().endswith(WORKBOOK_SUFFIXES):
        yield from _sheets(source, Path(tempfile.mkdtemp(dir=folder)))
    elif source.container == "zip":
        own = Path(tempfile.mkdtemp(dir=folder))
        try:
            with safe_zip(source.path) as archive:
                if is_workbook(archive):
                    check(archive)
                    parts = list(_sheets(source, own))
                elif OFFICE in archive.namelist():
                    # A letter beside the data.
                    parts = [source]
                else:
                    parts = list(_members(archive, own, is_nested=is_nested))
        except Unsafe as unsafe:
            raise Refused(f"{source.shown}: {unsafe}") from None
        for part in parts:
            yield from [part] if part.sheet or part is source else _opened(part, own, is_nested=True)
    else:
        yield source


@contextmanager
def safe_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip at a path, whose members have not been judged yet. Raises Unsafe."""
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        # The last two for places in the file that cannot be; a full disk is no fault of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise Unsafe("damaged or cut short. Send it again.") from None


def _check_directory(path: Path) -> None:
    """Refuse a zip whose list of members is too long to be read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END_BYTES - 0xFFFF))
        tail = file.read()
    for found in re.finditer(END, tail):
        at = found.start()
        directory = int.from_bytes(tail[at + 12 : at + 16], "little")
        # No zip of the allowed size and number of members needs the 64-bit form, in which more could be declared.
        if directory > MAX_DIRECTORY_BYTES or tail[max(0, at - LOCATOR_BYTES) : at].startswith(LOCATOR):
            raise Unsafe("too many parts, or a 64-bit zip. Send fewer files in it, or the files themselves.")


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip is a workbook rather than files."""
    return any(name.startswith("xl/") for name in archive.namelist())


def check(archive: zipfile.ZipFile, *, measure: bool = True) -> None:
    """Judge a zip by what it declares and, with `measure`, by what comes out of it. Raises Unsafe, and BadZipFile."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise Unsafe(f"more than {MAX_MEMBERS:,} parts. Send only the files asked for.")
    total = 0
    for member in members:
        if member.flag_bits & 0x1:
            raise Unsafe("encrypted. Save it without a password.")
        if member.compress_type not in METHODS:
            raise Unsafe("packed by an uncommon method. Zip it again in the ordinary way.")
        total += member.file_size
        _limit(archive, member, member.file_size, total)
    if measure:
        total = 0
        for member in members:
            for block in _unpacked(archive, member, total):
                total += len(block)


def _limit(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int, total: int) -> None:
    too_dense = size > RATIO_FROM_BYTES and size > MAX_RATIO * member.compress_size
    # Members may share their bytes.
    too_dense |= total > RATIO_FROM_BYTES and total > MAX_RATIO * Path(str(archive.filename)).stat().st_size
    if total > MAX_UNPACKED_BYTES or too_dense:
        raise Unsafe("it unpacks to far more than it may hold. Send the files themselves.")


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, before: int) -> Iterator[bytes]:
    """What a member really holds, after `before` bytes of other members; its checksum is compared at the end."""
    size = 0
    # What it declares is not where reading stops.
    member.file_size = MAX_UNPACKED_BYTES
    with archive.open(member) as content:
        while block := content.read(CHUNK):
            size += len(block)
            _limit(archive, member, size, before + size)
            yield block


def _members(archive: zipfile.ZipFile, folder: Path, *, is_nested: bool) -> Iterator[Source]:
    """The files in a zip, each under a number."""
    if is_nested:
        raise Unsafe("a zip within a zip. Send one zip of the files themselves.")
    check(archive, measure=False)
    members = archive.infolist()
    names = [_safe_name(member) for member in members]
    if len({name.casefold() for name in names}) < len(names):
        raise Unsafe("two files of one name. Send it again with each once.")
    total = 0
    for number, (member, name) in enumerate(zip(members, names, strict=True)):
        if member.is_dir() or any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
            continue
        path = folder / str(number)
        with path.open("xb") as file:
            for block in _unpacked(archive, member, total):
                total += file.write(block)
        yield examine(path, name)


def _safe_name(member: zipfile.ZipInfo) -> str:
    """A member's path. Raises Unsafe for one that leads elsewhere: such a zip was not made by mistake."""
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/") or "\0" in name:
        raise Unsafe("a name in it leads out of it. Zip the files themselves.")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Unsafe("a link or device in it. Zip the files themselves.")
    return name


def _sheets(source: Source, folder: Path) -> Iterator[Source]:
    """Each sheet as CSV, made by a process of its own, whose memory and time are capped."""
    command = [sys.executable, "-I", str(Path(workbook_reader.__file__)), str(source.path), str(folder)]
    reader = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if reader.returncode != 0:
        raise Refused(f"{source.shown}: damaged, or it needs more memory or time to read than a delivery may.")
    answer = json.loads(reader.stdout)
    if "unreadable" in answer:
        raise Refused(f"{source.shown}: {answer['unreadable']}")
    for number, sheet in enumerate(answer["sheets"]):
        yield replace(examine(folder / f"{number}.csv", f"{source.name}, sheet {sheet}"), sheet=sheet)
