"""Any file, however odd, is refused in one line or accounted for to the row; never a crash, never a silent loss.

What was written is counted here, by the test that wrote it, and compared with what the delivery says it took.
"""

import csv
import io
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from send_returns import feeds
from send_returns.feeds import workbook_reader

thousand = settings(
    max_examples=1000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
# Everything may go to quarantine, so that what is counted does not depend on how bad the rows are.
REGISTER = replace(feeds.load("ehe_register"), tolerance=1.0)
SEN2 = feeds.load("sen2")
SEN2 = replace(
    SEN2,
    tolerance=1.0,
    tables=tuple(SEN2.table(name) for name in ("sen2", "person", "requests", "activeplans")),
)
COLUMNS = ["ehe_id", "la_child_id", "UPN", "ULN", "NHS number", "Surname", "Forename", "Date of birth"]
BLANKS = " \t\n\r\x0b\x0c\x85\xa0\u2003\u3000"
NOTHING = ("", "NULL", "null", "Null", "N/A", "n/a", "#N/A")


def is_row(cells: list[str]) -> bool:
    """Whether cells make a record: one of them says something. Of a ragged row it is not asked what that means."""
    return any(cell.strip(BLANKS) not in (NOTHING if len(cells) == len(COLUMNS) else "") for cell in cells)


def taken(feed: feeds.Feed, *sources: feeds.Source) -> tuple[dict[str, int], int] | None:
    """Rows in per table, and rows handed on; None for a refusal, whose one line is looked at."""
    delivery = feeds.Delivery(feed, "2026-10-01", sources)
    handed = 0
    refusal = ""
    try:
        for batch in delivery.batches():
            handed += batch.loaded.height + batch.quarantined.height
    except feeds.Refused as refused:
        refusal = str(refused)
    assert refusal.isprintable()
    if refusal:
        return None
    return {name: counts.rows_in for name, counts in delivery.counts.items() if counts.rows_in}, handed


def examined(content: bytes, name: str) -> tuple[tempfile.TemporaryDirectory[str], feeds.Source]:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "file"
    path.write_bytes(content)
    return folder, feeds.examine(path, name)


cells = st.sampled_from(
    ["", "", "x", "7", "0012", "01/02/2015", "NULL", "N/A", "=1+1", 'say "a"', "a,b", "a;b\tc|d", "l1\nl2", "l1\r\nl2"]
) | st.text(st.characters(codec="cp1252", exclude_characters="\x1c\x1d\x1e\x1f"), max_size=6)
whole = st.lists(cells, min_size=len(COLUMNS), max_size=len(COLUMNS))
rows = st.lists(whole | st.lists(cells, max_size=12), max_size=8)


@thousand
@given(
    rows,
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 2),
    st.booleans(),
)
def test_any_csv(table: list[list[str]], encoding: str, delimiter: str, end: str, titles: int, quoted: bool) -> None:
    text = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    # A carriage return alone is quoted by a writer only where it ends lines, too.
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n", quoting=quoting)
    writer.writerows([["The register"]] * titles)
    writer.writerows([COLUMNS, *table])
    plain = text.getvalue() if end == "\r\n" else text.getvalue().replace("\r\n", "\n")
    folder, source = examined(plain.encode(encoding), "register.csv")
    with folder:
        count = sum(map(is_row, table))
        assert taken(REGISTER, source) == (({"child": count}, count) if count else None)


numbers = st.integers(-(10**9), 10**12) | st.floats(allow_nan=False, allow_infinity=False, width=32) | st.dates()
sheet_cells = (
    st.sampled_from(["", "", "x", "0012", "01/02/2015", "NULL", "=1+1", "l1\nl2", "a,b", '"', True])
    | numbers
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
)
sheet_rows = st.lists(st.lists(sheet_cells, max_size=len(COLUMNS)), max_size=8)


@thousand
@given(sheet_rows, st.integers(0, 3), st.integers(0, 2), st.booleans())
def test_any_workbook(table: list[list[Any]], titles: int, margin: int, has_cover: bool) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, "default_date_format": "dd/mm/yyyy"}) as book:
        if has_cover:
            book.add_worksheet("Read me").write_string(0, 0, "How to fill this in")
        sheet = book.add_worksheet("Child")
        if titles:
            sheet.merge_range(0, margin, 0, margin + 2, "The register")
        for at, row in enumerate([COLUMNS, *table], start=titles):
            for place, value in enumerate(row, start=margin):
                if isinstance(value, str):
                    sheet.write_string(at, place, value)
                elif hasattr(value, "year"):
                    sheet.write_datetime(at, place, value)
                elif isinstance(value, bool):
                    sheet.write_boolean(at, place, value)
                else:
                    sheet.write_number(at, place, value)
    # By the function that the capped process runs, which would take longer to start than to read this.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "book").write_bytes(content.getvalue())
        names = workbook_reader.convert(folder / "book", folder)
        assert names == (["Read me", "Child"] if has_cover else ["Child"])
        sources = [
            replace(feeds.examine(folder / f"{number}.csv", f"book.xlsx, sheet {sheet}"), sheet=sheet)
            for number, sheet in enumerate(names)
        ]
        count = sum(is_row([str(value) for value in row] + [""] * (len(COLUMNS) - len(row))) for row in table)
        assert taken(REGISTER, *sources) == (({"child": count}, count) if count else None)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=5).map(
    escape
)
LEAVES = {
    "person": ["Surname", "PersonBirthDate", "UPN", "Sex", "Nickname"],
    "requests": ["ReceivedDate", "RequestOutcome", "RequestSource"],
    "activeplans": ["TransferLA", "LastReview"],
}
LEAF = {table: st.tuples(st.sampled_from(names), texts) for table, names in LEAVES.items()}
ELEMENTS = {"person": "Person", "requests": "Requests", "activeplans": "ActivePlans"}
STRAY = ("", "", "<!-- note -->", "<Empty/>", "stray", "<![CDATA[<x>]]>", "\n")


@st.composite
def records(draw: st.DrawFn, table: str = "person") -> tuple[str, Counter[str]]:
    """A record element as text, and how many records of each table are in it."""
    leaves = draw(st.lists(LEAF[table], max_size=2))
    parts = [f"<{leaf}>{text}</{leaf}>" for leaf, text in leaves]
    count = Counter({table: 1})
    for part, inner in draw(st.lists(INNER[table], max_size=2)) if table in INNER else []:
        parts.append(part)
        count += inner
    parts.append(draw(st.sampled_from(STRAY)))
    return f"<{ELEMENTS[table]}>{''.join(parts)}</{ELEMENTS[table]}>", count


INNER: dict[str, st.SearchStrategy[tuple[str, Counter[str]]]] = {}
for outer, table in (("requests", "activeplans"), ("person", "requests")):
    INNER[outer] = records(table)


HEADER = (
    "<Header><CollectionDetails><Collection>SEN2</Collection><Year>2026</Year><ReferenceDate>2026-01-15</ReferenceDate>"
    "</CollectionDetails><Source><LEA>919</LEA></Source></Header>"
)


@thousand
@given(
    st.lists(records(), max_size=2),
    st.sampled_from(["utf-8", "utf-16"]),
    st.sampled_from(["", ' xmlns="urn:example"']),
    st.booleans(),
)
def test_any_xml(people: list[tuple[str, Counter[str]]], encoding: str, namespace: str, is_split: bool) -> None:
    groups = [[person] for person, _ in people] if is_split else [[person for person, _ in people]]
    body = "".join(f"<Persons>{''.join(group)}</Persons>" for group in groups)
    text = f'<?xml version="1.0" encoding="{encoding}"?><Message{namespace}>{HEADER}{body}</Message>'
    folder, source = examined(text.encode(encoding), "sen2.xml")
    with folder:
        count: Counter[str] = sum((inner for _, inner in people), Counter({"sen2": 1}))
        expected = (dict(count), count.total()) if people else None
        assert taken(SEN2, source) == expected


GOOD_CSV = "\n".join([",".join(COLUMNS), *(f"{number},,,,,Núñez,Zoë,01/02/2015" for number in range(5))]).encode()
GOOD_XML = f"<Message>{HEADER}<Persons><Person><Surname>Núñez</Surname></Person></Persons></Message>".encode()


@settings(thousand, max_examples=300)
@given(
    st.sampled_from([(REGISTER, "register.csv", GOOD_CSV), (SEN2, "sen2.xml", GOOD_XML)]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_damaged_bytes_are_never_a_crash(
    good: tuple[feeds.Feed, str, bytes], damage: list[tuple[int, int, bytes]]
) -> None:
    feed, name, content = good
    for at, cut, put in damage:
        content = content[:at] + put + content[at + cut :]
    folder, source = examined(content, name)
    with folder:
        outcome = taken(feed, source)
        assert outcome is None or sum(outcome[0].values()) == outcome[1]


def _workbook() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Child")
        for at, row in enumerate([COLUMNS, ["1", "", "", "", "", "Núñez", "Zoë", "01/02/2015"]]):
            for place, value in enumerate(row):
                sheet.write_string(at, place, value)
    return content.getvalue()


GOOD_WORKBOOK = _workbook()


@settings(thousand, max_examples=40)
@given(st.integers(0, len(GOOD_WORKBOOK)), st.integers(0, 40), st.binary(max_size=8))
def test_a_damaged_workbook_is_never_a_crash(at: int, cut: int, put: bytes) -> None:
    content = GOOD_WORKBOOK[:at] + put + GOOD_WORKBOOK[at + cut :]
    assume(content != GOOD_WORKBOOK)
    folder, source = examined(content, "register.xlsx")
    with folder:
        assert taken(REGISTER, source) in (None, ({"child": 1}, 1))


def test_a_loss_would_be_seen() -> None:
    """The count is the test's own: a reader that drops a record is found out by it."""
    folder, source = examined(GOOD_CSV + b"\n", "register.csv")
    with folder:
        lost = replace(source, path=Path(folder.name) / "less")
        lost.path.write_bytes(GOOD_CSV[: GOOD_CSV.rindex(b"\n")])
        assert taken(REGISTER, source) == ({"child": 5}, 5)
        assert taken(REGISTER, lost) == ({"child": 4}, 4)
