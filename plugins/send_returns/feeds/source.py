"""A file as it arrived: its bytes examined once, as they stream past, for everything that decides how to read it."""

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
START_BYTES = 4096
# What files begin with that are no text; a workbook is a zip.
CONTAINERS = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"%PDF-", "pdf"),
)
TAR_AT = 257
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
HIGH = re.compile(rb"[\x80-\xff]")
CP1252_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def shown(name: str) -> str:
    """A name for a log or message: control characters escaped, cut at 120 characters."""
    return name.encode("unicode_escape").decode("ascii")[:120]


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `path`: where its bytes are; `name`: as delivered, for messages only.

    `encoding`: utf-8-sig (UTF-8 with a byte order mark or without), cp1252, utf-16 (with a mark), utf-16-le, utf-16-be,
    utf-32, or binary for a `container` (zip, which a workbook is too, ole, tar and so on). `is_clean`: every byte is
    text in that encoding, there is no NUL and quotation marks pair up, so that the fast reader can be trusted with it.
    `sheet`: the name of the sheet that the file was made from, where that was one of a workbook.
    """

    path: Path
    name: str
    sha256: str
    size: int
    encoding: str
    is_clean: bool
    container: str | None = None
    sheet: str | None = None

    @property
    def shown(self) -> str:
        """The name for a message."""
        return shown(self.name)

    @property
    def is_xml(self) -> bool:
        """Whether the name says XML."""
        return self.container is None and self.name.lower().endswith(".xml")


class Examiner:
    """Feed it a file's bytes in order with `update`, then ask for the Source."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        # None once something was not UTF-8.
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._quotes = 0
        self._has_nul = False
        self._start = b""
        self._size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._digest.update(chunk)
        self._size += len(chunk)
        if len(self._start) < START_BYTES:
            self._start += chunk[: START_BYTES - len(self._start)]
        self._quotes += chunk.count(b'"')
        self._has_nul = self._has_nul or b"\0" in chunk
        if self._utf8:
            try:
                self._utf8.decode(chunk)
            except UnicodeDecodeError:
                self._utf8 = None

    def source(self, path: Path, name: str) -> Source:
        """What was found of the file at `path`, delivered as `name`. Raises OSError."""
        container = container_of(self._start)
        wide = _wide(self._start)
        if container:
            encoding, is_clean = "binary", False
        elif wide:
            encoding, is_clean = wide, wide != "utf-32" and _is_clean_utf16(path, wide)
        else:
            encoding, is_clean = ("utf-8-sig", True) if self._is_utf8() else _weigh(path)
            is_clean = is_clean and not self._has_nul and self._quotes % 2 == 0
        return Source(
            path=path,
            name=name,
            sha256=self._digest.hexdigest(),
            size=self._size,
            encoding=encoding,
            is_clean=is_clean,
            container=container,
        )

    def _is_utf8(self) -> bool:
        # What the decoder still holds is a character that was cut off.
        return self._utf8 is not None and not self._utf8.getstate()[0]


def container_of(start: bytes) -> str | None:
    """What a file is packed as, by its first `START_BYTES`; None for what may be text."""
    if start[TAR_AT : TAR_AT + 5] == b"ustar":
        return "tar"
    return next((container for magic, container in CONTAINERS if start.startswith(magic)), None)


def _wide(start: bytes) -> str | None:
    """UTF-16 or UTF-32 by its byte order mark or, without one, by where the NULs lie that ASCII is written with."""
    if start[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32"
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    places = [start[place::4] for place in range(4)]
    if len(start) < 4:
        return None
    has = [place.count(0) > len(place) * 0.6 for place in places]
    hasnt = [place.count(0) < len(place) * 0.1 for place in places]
    if has[1] and has[3] and hasnt[0] and hasnt[2]:
        return "utf-16-le"
    if has[0] and has[2] and hasnt[1] and hasnt[3]:
        return "utf-16-be"
    if has[2] and has[1] and (hasnt[0] or hasnt[3]):
        return "utf-32"
    return None


def _is_clean_utf16(path: Path, encoding: str) -> bool:
    """Whether a file is well-formed UTF-16 throughout, without NULs and with quotation marks in pairs."""
    quotes = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            while text := file.read(CHUNK):
                quotes += text.count('"')
                if "\0" in text:
                    return False
    except UnicodeDecodeError:
        return False
    return quotes % 2 == 0


def _weigh(path: Path) -> tuple[str, bool]:
    """For a file that is not UTF-8 throughout: which encoding most of its non-ASCII bytes speak for, and if all do.

    Mostly well-formed UTF-8 with a few broken bytes is UTF-8: those rows are quarantined, the names in the rest kept.
    """
    well_formed = broken = 0
    is_clean = True
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                characters = MULTIBYTE.findall(line)
                well_formed += len(characters)
                broken += len(HIGH.findall(line)) - sum(map(len, characters))
                is_clean = is_clean and not CP1252_UNDEFINED.search(line)
    return ("utf-8-sig", False) if well_formed > broken else ("cp1252", is_clean)


def examine(path: Path, name: str | None = None) -> Source:
    """Examine the file at `path` where it lies. Raises OSError."""
    examiner = Examiner()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            examiner.update(chunk)
    return examiner.source(path, path.name if name is None else name)
