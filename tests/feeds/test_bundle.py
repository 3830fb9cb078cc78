"""Zips are opened with suspicion: what is sound is read, and what is not is refused whole, quickly, in flat memory."""

import io
import resource
import stat
import struct
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds
from send_returns.feeds import bundle

Take = Callable[..., Any]
REGISTER = "ehe_id,upn,uln,nhs_number,surname,forename\n1,,,,,\n"
MEGABYTE = 1 << 20


def zipped(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, which each test leaves empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_zip_is_read_as_its_files(take: Take, temporary: Path) -> None:
    files = {"return/SSDA903_2026_header.csv": "CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB\n1,1,01/02/2015,WBRI,UN1,,\n"}
    mac: dict[str, str | bytes] = {"__MACOSX/._x.csv": b"\0", "return/.DS_Store": b"\0"}
    taken = take("ssda903", {"return.zip": zipped({**files, **mac})}, name="return.zip")
    assert taken.rows_in == 1
    assert taken.delivery.period.key == "2026"
    assert list(temporary.iterdir()) == []


def test_what_is_unpacked_is_for_its_owner_alone_and_gone_after(temporary: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.csv": REGISTER}))
    with bundle.opened([feeds.examine(path)]) as (part,):
        assert part.path.read_text() == REGISTER
        (folder,) = temporary.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(temporary.iterdir()) == []


def test_a_letter_beside_the_data_is_told_and_not_opened(take: Take) -> None:
    letter = zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": "<x/>"})
    taken = take("ehe_register", {"a.csv": REGISTER, "letter.docx": letter, "b.pdf": b"%PDF-1.7"}, name="2026-10-01")
    assert taken.rows_in == 1
    assert len(taken.found("F14")) == 2


def named(name: str) -> bytes:
    return zipped({name: REGISTER})


def link() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return content.getvalue()


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    """The zip with some bytes of the first entry of its directory replaced."""
    at = content.index(b"PK\x01\x02") + offset
    return content[:at] + value + content[at + len(value) :]


def overlapping() -> bytes:
    """Many members that are one and the same piece of the file."""
    kernel = zipped({"a": b"\0" * (40 * MEGABYTE)})
    start = kernel.index(b"PK\x01\x02")
    entries = b"".join(
        kernel[start : start + 46] + b"%c" % letter
        for letter in (*range(ord("b"), ord("z")), *range(ord("0"), ord(":")))
    )
    count = len(entries) // 47
    return kernel[:start] + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)


def many() -> bytes:
    return zipped({f"{number}.csv": "" for number in range(bundle.MAX_MEMBERS + 1)})


BOMB = zipped({"a.csv": b" " * (200 * MEGABYTE)})
HOSTILE: dict[str, tuple[bytes, str]] = {
    "absolute": (named("/etc/a.csv"), "leads out"),
    "parent": (named("../a.csv"), "leads out"),
    "parent within": (named("b/../../a.csv"), "leads out"),
    "backslashes": (named("..\\a.csv"), "leads out"),
    "drive": (named("C:\\a.csv"), "leads out"),
    "nul": (named("a.csvXb").replace(b"a.csvXb", b"a.csv\0b"), "leads out"),
    "link": (link(), "link"),
    "encrypted": (patched(named("a.csv"), 8, b"\x01"), "encrypted"),
    "bzip2": (zipped({"a.csv": REGISTER}, zipfile.ZIP_BZIP2), "uncommon"),
    "names that differ by case": (zipped({"a.csv": REGISTER, "A.CSV": REGISTER}), "one name"),
    "nested": (zipped({"a.zip": zipped({"a.csv": REGISTER})}), "zip within a zip"),
    "bomb": (BOMB, "unpacks to far more"),
    "bomb that lies": (patched(BOMB, 24, struct.pack("<L", 1000)), "unpacks to far more"),
    "bomb of one piece": (overlapping(), "unpacks to far more|damaged"),
    "many members": (many(), "more than 2,000"),
    "too long a directory": (patched(named("a.csv"), 0, b"PK").replace(b"\x33\0\0\0", b"\xff" * 4), "too many parts"),
    "bomb in a workbook": (zipped({"xl/workbook.xml": b" " * (200 * MEGABYTE)}), "unpacks to far more"),
    "cut short": (named("a.csv")[:60], "damaged"),
    "checksum": (patched(named("a.csv"), 16, b"\0\0\0\0"), "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_zips_are_refused_whole_quickly_and_in_flat_memory(take: Take, temporary: Path, case: str) -> None:
    content, reason = HOSTILE[case]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(feeds.Refused, match=reason) as refusal:
        take("ehe_register", {"a.zip": content, "b.csv": REGISTER}, name="2026-10-01")
    assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert str(refusal.value).isprintable()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07\x01", "rar"),
        (b"\0" * 257 + b"ustar", "tar"),
        (b"\xfd7zXZ\0", "xz"),
    ],
)
def test_other_archives_are_refused_saying_what_to_send(take: Take, start: bytes, what: str) -> None:
    with pytest.raises(feeds.Refused, match=f"a {what} archive. Send a zip"):
        take("ehe_register", {"a.csv": start + bytes(600)}, name="2026-10-01")


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path: Path) -> Iterator[None]:
    """No test leaves a file beside the delivered ones."""
    yield
    assert not [path for path in tmp_path.rglob("a.csv") if path.parent != tmp_path]
