"""A copy of a delivery without some of its rows reads like the original without them, or there is none."""

import zipfile
from pathlib import Path

import pytest

from send_returns import feeds

EHE = "ehe_id,upn,uln,nhs_number,surname,forename,date_of_birth\r\n"
SEN2 = """<?xml version="1.0" encoding="UTF-8"?>
<Message xmlns="http://example.org/sen2"><Header><CollectionDetails><Collection>SEN2</Collection><Year>2026</Year>
<ReferenceDate>2026-01-15</ReferenceDate></CollectionDetails><Source><LEA>919</LEA></Source></Header>
<SEN2><Persons>{}</Persons></SEN2></Message>
"""


def person(number: int) -> str:
    return (
        f"<Person><Surname>Name {number}</Surname><PersonBirthDate>2012-03-0{number}</PersonBirthDate><Requests>"
        f"<ReceivedDate>2020-01-0{number}</ReceivedDate></Requests></Person>"
    )


def redacted(feed: str, name: str, gone: feeds.Rows, tmp_path: Path, **files: bytes) -> dict[str, bytes]:
    """The copies, by the names of the originals without suffix."""
    sources = []
    for key, content in files.items():
        path = tmp_path / (name if len(files) == 1 else f"{key}.csv")
        path.write_bytes(content)
        sources.append(feeds.examine(path))
    (tmp_path / "copies").mkdir()
    made = feeds.copies(feeds.load(feed), name, sources, gone, tmp_path / "copies")
    by_hash = {source.sha256: key for source, key in zip(sources, files, strict=True)}
    return {by_hash[sha256]: path.read_bytes() for sha256, path in made.items()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_of_a_csv_becomes_an_empty_line(encoding: str, end: str, tmp_path: Path) -> None:
    lines = [EHE.strip(), *(f"{n},,,,Zoë {n},,0{n}/02/2015" for n in range(1, 6))]
    whole, without = end.join(lines), end.join(["" if line.startswith("3,") else line for line in lines])
    (copy,) = redacted(
        "ehe_register", "2026-10-01.csv", {"child": [4]}, tmp_path, child=whole.encode(encoding)
    ).values()
    assert copy == without.encode(encoding)


def test_cells_of_several_lines_blank_lines_and_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    rows = [
        b'1,,,,"Two\r\nlines",,\r\n',
        b"\r\n",
        b'2,,,,"Three\n\nmore",,\r\n',
        b"3,,,,Br\xf6ken \x81,,\r\n",
        b"4,,,,Last,,",
    ]
    whole = b"A title row\r\n" + EHE.encode() + b"".join(rows)
    (copy,) = redacted("ehe_register", "2026-10-01.csv", {"child": [5, 7]}, tmp_path, child=whole).values()
    rows[2], rows[4] = b"\r\n", b"\n"
    assert copy == b"A title row\r\n" + EHE.encode() + b"".join(rows)


def test_only_the_files_with_rows_to_leave_out_are_copied(tmp_path: Path) -> None:
    def file(table: str, *rows: str) -> bytes:
        columns = [column.name for column in feeds.load("ehc_casework").table(table).columns]
        blank = "," * (len(columns) - 3)
        return "".join(f"{line}\n" for line in (",".join(columns), *(row + blank for row in rows))).encode()

    plans = file("plan", "P1,C1,7", "P2,C2,8")
    made = redacted(
        "ehc_casework",
        "ehc_casework_2026-09-30",
        {"plan": [3]},
        tmp_path,
        ehc_casework_case=file("case", "C1,7,", "C2,8,"),
        ehc_casework_plan=plans,
    )
    assert made == {"ehc_casework_plan": plans[: plans.index(b"P2")] + b"\n"}


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
def test_a_record_of_an_xml_goes_with_all_that_is_in_it(encoding: str, tmp_path: Path) -> None:
    text = SEN2.replace("UTF-8", encoding)
    whole = text.format("\n".join(map(person, range(1, 6)))).encode(encoding)
    made = redacted("sen2", "sen2.xml", {"person": [3, 5], "requests": [3, 5]}, tmp_path, sen2=whole)
    assert made["sen2"].decode(encoding) == text.format(f"{person(1)}\n\n{person(3)}\n\n{person(5)}")


def test_where_it_is_not_certain_there_is_no_copy(tmp_path: Path) -> None:
    whole = SEN2.format("".join(map(person, range(1, 4)))).encode()
    # A request cannot go without its person, a row that is not there cannot go, nor can the last one that is.
    for position, gone in enumerate(({"requests": [2]}, {"person": [9]}, {"person": [2, 3, 4], "requests": [2, 3, 4]})):
        folder = tmp_path / str(position)
        folder.mkdir()
        with pytest.raises(feeds.NotRedactable):
            redacted("sen2", "sen2.xml", gone, folder, sen2=whole)


def test_what_is_packed_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "2026-10-01.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ehe_register_child.csv", EHE + "1,,,,One,,\r\n2,,,,Two,,\r\n")
    with pytest.raises(feeds.NotRedactable):
        feeds.copies(feeds.load("ehe_register"), path.name, [feeds.examine(path)], {"child": [2]}, tmp_path)
