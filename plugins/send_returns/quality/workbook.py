"""Annex A files opened with suspicion: a workbook is parsed by short-lived processes of capped memory, one per list.

A spreadsheet can ask its reader for any amount of memory (a zip that unpacks to gigabytes, a cell in the last column of
the last row). The caps turn that, and a crash of the parser, into one line. The lists are also read side by side so.
"""

import csv
import io
import json
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from send_returns import layouts
from send_returns.layouts import Layout, ListLayout
from send_returns.quality.lists import HEADER_WITHIN, SheetList, find_header, read_list

RETURN = "area_send_annex_a"
MAX_FILE_BYTES = 500_000_000
MEMORY_BYTES = 4_000_000_000
CPU_SECONDS = 300
# A few headings, such as UPN, are those of feeds as well.
HEADINGS_TO_TELL = 5
HEAD_CHARACTERS = 10_000
TEXT_SUFFIXES = (".csv", ".txt")
_BINARY_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_SEVERAL = "several sheets"


class UnreadableFile(ValueError):
    """The file cannot be read as an Annex A return; the message is one line that names the file and says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name}: {reason}")


class NotAReturn(UnreadableFile):
    """The file is readable enough, but nothing in it says that it is an Annex A return."""


def read_return(path: Path, as_of: date) -> tuple[dict[str, SheetList], list[str]]:
    """The lists that a workbook or a CSV file holds, by the layout's list name, and notes on what was passed over.

    A CSV file holds one list, told by its name or else by its header. Raises UnreadableFile.
    """
    layout = layouts.load(RETURN, as_of)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise NotAReturn(path, "is not a file.")
        if status.st_size == 0:
            raise UnreadableFile(path, "is empty.")
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableFile(path, f"is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        with path.open("rb") as file:
            is_workbook = file.read(8).startswith(_BINARY_MARKS)
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened ({error.strerror}).") from error
    if is_workbook:
        return _read_workbook(path, layout, as_of)
    if path.suffix.lower() in TEXT_SUFFIXES:
        return _read_csv(path, layout), []
    raise NotAReturn(path, "is not a workbook; save it as .xlsx, or each list as .csv.")


def _read_workbook(path: Path, layout: Layout, as_of: date) -> tuple[dict[str, SheetList], list[str]]:
    with path.open("rb") as file:
        is_zip = file.read(4) == _BINARY_MARKS[0]
    if is_zip:
        _refuse_bombs(path, measure=False)
    command = [sys.executable, "-m", "send_returns.quality.workbook", str(path.resolve()), as_of.isoformat()]
    readers = [
        subprocess.Popen([*command, a_list.name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for a_list in layout.lists
    ]
    try:
        # While they parse: what a zip declares may be a lie, so unpack it once and count.
        if is_zip:
            _refuse_bombs(path, measure=True)
        answers = [reader.communicate()[0] for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
            if reader.stdout:
                reader.stdout.close()
    lists: dict[str, SheetList] = {}
    notes = []
    for reader, answer, a_list in zip(readers, answers, layout.lists, strict=True):
        if reader.returncode != 0:
            raise UnreadableFile(path, "is damaged, or needs more memory or time to read than a return may.")
        head, _, body = answer.partition(b"\n")
        content = json.loads(head)
        if "unreadable" in content:
            raise UnreadableFile(path, content["unreadable"])
        if content["sheets"] == 0:
            continue
        if content["sheets"] > 1:
            notes.append(f"{_SEVERAL} are named like {a_list.name}; only the first was read.")
        lists[a_list.name] = SheetList(
            pl.read_ipc(io.BytesIO(body)), content["header_row"], tuple(content["missing"]), tuple(content["repeated"])
        )
    if not lists:
        names = " nor ".join(a_list.name for a_list in layout.lists)
        raise NotAReturn(path, f"has no sheet named {names}.")
    return lists, notes


def _refuse_bombs(path: Path, *, measure: bool) -> None:
    """Refuse a zip by what it declares or, with `measure`, by what it holds."""
    # The readers of feeds take longer to import than a return of CSV files takes to check.
    from send_returns.feeds import bundle

    try:
        with bundle.safe_zip(path) as archive:
            is_workbook = bundle.is_workbook(archive)
            bundle.check(archive, measure=measure)
    except bundle.Unsafe as unsafe:
        raise UnreadableFile(path, str(unsafe)) from unsafe
    if not is_workbook:
        raise NotAReturn(path, "is not a workbook.")


def _read_csv(path: Path, layout: Layout) -> dict[str, SheetList]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        if "\0" in text:
            text = content.decode(_encoding(path))
    except UnicodeDecodeError:
        try:
            text = content.decode(_encoding(path))
        except (UnicodeDecodeError, LookupError) as error:
            raise UnreadableFile(path, "has bytes that are no text; save it as CSV UTF-8.") from error
    try:
        # Excel writes its Unicode text with tabs, and a country's CSV with semicolons.
        tables = [list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)) for mark in _delimiters(text)]
        rows = max(tables, key=lambda table: max(map(len, table[:HEADER_WITHIN]), default=0))
    except csv.Error as error:
        raise UnreadableFile(path, "is not a CSV file that can be read.") from error
    named = [a_list for a_list in layout.lists if _names(path.stem, a_list, anywhere=True)]
    a_list = named[0] if len(named) == 1 else _by_header(rows, layout)
    if a_list is None or find_header(rows, a_list) is None:
        raise NotAReturn(path, "has no header row of an Annex A list.")
    return {a_list.name: read_list(rows, a_list)}


def _delimiters(text: str) -> list[str]:
    start = text[:HEAD_CHARACTERS]
    return [",", *(mark for mark in ";\t" if start.count(mark) > start.count(","))]


def _encoding(path: Path) -> str:
    """What a file that is not plain UTF-8 is written in."""
    from send_returns.feeds import examine

    return examine(path).encoding


def _by_header(rows: Sequence[Sequence[str]], layout: Layout) -> ListLayout | None:
    """The list whose header this is: the one with most of its columns there, and of equals the shorter."""
    read = [(read_list(rows[: HEADER_WITHIN + 1], a_list), a_list) for a_list in layout.lists]
    known = [(len(a_list.columns) - len(found.missing), -len(a_list.columns), a_list) for found, a_list in read]
    most, _, best = max(known, key=lambda item: item[:2])
    return best if most >= HEADINGS_TO_TELL else None


def _names(name: str, a_list: ListLayout, *, anywhere: bool = False) -> bool:
    """Whether a sheet (or, `anywhere` in it, a file) name means this list: List_1, List 1, LIST1, List 1 - plans."""
    key = re.sub(r"[\W_]+", "", name.casefold())
    wanted = re.sub(r"[\W_]+", "", a_list.name.casefold()) + r"(?!\d)"
    return bool((re.search if anywhere else re.match)(wanted, key))


def _serve(path: Path, as_of: date, list_name: str) -> None:
    """Read one list of a workbook and write it to standard output: a line of JSON, then Arrow IPC."""
    from python_calamine import CalamineError, PasswordError, load_workbook

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    a_list = next(item for item in layouts.load(RETURN, as_of).lists if item.name == list_name)
    head: dict[str, object]
    body = io.BytesIO()
    try:
        with load_workbook(path) as workbook:
            sheets = [name for name in workbook.sheet_names if _names(name, a_list)]
            head = {"sheets": len(sheets)}
            if sheets:
                read = read_list(workbook.get_sheet_by_name(sheets[0]).to_python(skip_empty_area=False), a_list)
                read.frame.write_ipc(body)
                head |= {"header_row": read.header_row, "missing": read.missing, "repeated": read.repeated}
    except PasswordError:
        head = {"unreadable": "is encrypted; save it without a password."}
    except CalamineError:
        head = {"unreadable": "is not a workbook that can be read; it may be damaged or cut short."}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body.getvalue())


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3])
