"""A file as it arrived: its bytes examined once, as they stream past, for everything that decides how to read it."""

import codecs
import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

CHUNK = 1 << 20
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
HIGH = re.compile(rb"[\x80-\xff]")
CP1252_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `path`: where its bytes are; `name`: as delivered, for messages only.

    `encoding`: utf-8-sig, cp1252 or utf-16. `is_clean`: every byte is text in that encoding, there is no NUL and
    quotation marks pair up, so that the fast reader can be trusted with it.
    """

    path: Path
    name: str
    sha256: str
    size: int
    encoding: str
    is_clean: bool

    @property
    def shown(self) -> str:
        """The name for a message: control characters escaped, cut at 120 characters."""
        return self.name.encode("unicode_escape").decode("ascii")[:120]

    @property
    def is_xml(self) -> bool:
        """Whether the name says XML."""
        return self.name.lower().endswith(".xml")


class Examiner:
    """Feed it a file's bytes in order with `update`, then ask for the Source."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._is_ascii = True
        self._quotes = 0
        self._has_nul = False
        self._start = b""
        self._size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._digest.update(chunk)
        self._size += len(chunk)
        self._start = (self._start + chunk[:4])[:4]
        self._quotes += chunk.count(b'"')
        self._has_nul = self._has_nul or b"\0" in chunk
        self._is_ascii = self._is_ascii and chunk.isascii()

    def source(self, path: Path, name: str) -> Source:
        """What was found of the file at `path`, delivered as `name`. Raises OSError."""
        if self._start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            encoding, is_clean = "utf-16", False
        elif self._is_ascii or _is_utf8(path):
            encoding, is_clean = "utf-8-sig", True
        else:
            encoding, is_clean = _weigh(path)
        return Source(
            path=path,
            name=name,
            sha256=self._digest.hexdigest(),
            size=self._size,
            encoding=encoding,
            is_clean=is_clean and not self._has_nul and self._quotes % 2 == 0,
        )


def _is_utf8(path: Path) -> bool:
    """Whether a file that is not empty is UTF-8 throughout: the file as one arrow string, validated where it lies."""
    with pa.memory_map(str(path)) as file:
        content = file.read_buffer()
        ends = pa.py_buffer(struct.pack("=2q", 0, content.size))
        try:
            pa.Array.from_buffers(pa.large_string(), 1, [None, ends, content]).validate(full=True)
        except pa.ArrowInvalid:
            return False
    return True


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
