"""Whole deliveries that mean harm, or are beyond help, put beside the good ones; truth/hostile.csv says what should
become of each.

Small on disk, and the same bytes every time. None is of a period for which there is a good delivery, so that one that
is taken replaces nothing.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import polars as pl

from send_returns.simulate.establishments import LA

Outcome = Literal["refused", "unreadable", "quarantined", "accepted"]
_DROP: Final = "x'; drop table landing.delivery; --"
_MEGABYTE: Final = 1 << 20
_OTHER_LA: Final = 207
_REGISTER: Final = "ehe_id,upn,uln,nhs_number,surname,forename,date_of_birth\nHOSTILE1,,,,,,\n"
_TRACE: Final = "la_child_id,upn,nhs_number,trace_outcome,traced_on\n"
_TRACE_ROWS: Final = 400
_PERSON: Final = "<Persons><Person><Surname>{}</Surname></Person></Persons>"
_HEADER: Final = (
    "<Header><CollectionDetails><Collection>{}</Collection><Year>2019</Year><ReferenceDate>2019-01-17</ReferenceDate>"
    "</CollectionDetails><Source><SourceLevel>L</SourceLevel><LEA>{}</LEA></Source></Header>"
)


@dataclass(frozen=True)
class Hostile:
    """A delivery: a folder of `files` when there are several or `is_set`, else the one file, called `delivery`.

    `expected`: quarantined means that it is taken and that some of its rows are not. `link`: where a symbolic link in
    place of a file leads. `rows`: how many arrive, where it is taken.
    """

    organisation: str
    feed: str
    delivery: str
    expected: Outcome
    files: Mapping[str, bytes]
    link: str | None = None
    is_set: bool = False
    rows: int = 0


def deliver(inbox: Path, truth: Path) -> dict[str, int]:
    """Write every hostile delivery, and hostile.csv. Returns rows by `organisation/feed/delivery/table`."""
    every = list(_deliveries())
    for one in every:
        place = inbox / one.organisation / one.feed
        place.mkdir(parents=True, exist_ok=True)
        if one.is_set:
            place /= one.delivery
            place.mkdir()
        for name, content in one.files.items():
            (place / name).write_bytes(content)
        if one.link:
            (place / ("link.csv" if one.is_set else one.delivery)).symlink_to(one.link)
    rows = [(one.organisation, one.feed, one.delivery, one.expected) for one in every]
    frame = pl.DataFrame(rows, schema=["organisation", "feed", "delivery", "expected"], orient="row")
    frame.write_csv(truth / "hostile.csv")
    return {f"{one.organisation}/{one.feed}/{one.delivery}/hostile": one.rows for one in every if one.rows}


def _deliveries() -> Iterator[Hostile]:
    yield from _xml()
    yield from _zips()
    yield from _workbooks()
    yield from _texts()
    yield from _names_and_places()


def _alone(
    feed: str,
    delivery: str,
    content: bytes,
    expected: Outcome = "refused",
    organisation: str = "council",
    rows: int = 0,
) -> Hostile:
    return Hostile(organisation, feed, delivery, expected, {delivery: content}, rows=rows)


def _sen2(before: str = "", surname: str = "Sample", la: int = LA) -> bytes:
    text = f'<?xml version="1.0"?>\n{before}<Message>{_HEADER.format("SEN2", la)}{_PERSON.format(surname)}</Message>\n'
    return text.encode()


def _xml() -> Iterator[Hostile]:
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(1, 10))
    outside = '<!DOCTYPE Message [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    for name, content in {
        "laughs": _sen2(f'<!DOCTYPE Message [<!ENTITY l1 "ha">{laughs}]>\n', "&l10;"),
        "outside": _sen2(outside, "&x;"),
        "parameter": _sen2('<!DOCTYPE Message [<!ENTITY % p SYSTEM "http://example.invalid/p.dtd"> %p;]>\n'),
        "dtd": _sen2('<!DOCTYPE Message SYSTEM "http://example.invalid/message.dtd">\n'),
        "utf16": _sen2(outside, "&x;").decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
        "deep": b"<Message>" + b"<Persons>" * 100_000,
        "cut": _sen2()[:-30],
        "authority": _sen2(la=_OTHER_LA),
    }.items():
        yield _alone("sen2", f"hostile_{name}_2019.xml", content)
    child = "<Children><Child><ChildIdentifiers><LAchildID>HOSTILE</LAchildID></ChildIdentifiers></Child></Children>"
    message = f"<Message>{_HEADER.format('CIN', _OTHER_LA)}{child}</Message>"
    yield _alone("cin_census", "hostile_authority_2019.xml", message.encode())
    yield _alone("cin_census", "hostile_sen2_2019.xml", _sen2())


def _zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # A ZipInfo of its own has the same time whenever it is made.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _link_zipped(target: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("ehe_register.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    return content.getvalue()


def _zips() -> Iterator[Hostile]:
    register = _REGISTER.encode()
    good = _zipped({"ehe_register.csv": register * 50})
    for name, content in {
        "bomb": _zipped({"ehe_register.csv": register + b"0" * (80 * _MEGABYTE)}),
        "traversal": _zipped({"../../../../hostile.csv": register}),
        "absolute": _zipped({"/tmp/hostile.csv": register}),  # noqa: S108 - it is what the zip claims
        "backslashes": _zipped({"..\\..\\hostile.csv": register}),
        "link": _link_zipped("/etc/passwd"),
        "nested": _zipped({"ehe_register.zip": good}),
        "cut": good[: len(good) // 2],
        "twice": _zipped({"ehe_register.csv": register, "EHE_REGISTER.CSV": register}),
    }.items():
        yield _alone("ehe_register", f"hostile_{name}_2019-01-31.zip", content)


def _workbooks() -> Iterator[Hostile]:
    parts = {
        "[Content_Types].xml": b"<Types/>",
        "xl/workbook.xml": b"<workbook/>",
        "xl/worksheets/sheet1.xml": b"<worksheet>" + b" " * (80 * _MEGABYTE),
    }
    bomb = _zipped(parts)
    for name, content in {"bomb": bomb, "cut": bomb[: len(bomb) // 2], "letter": b"PK\x03\x04 not a workbook"}.items():
        yield _alone("dynamic_support_register", f"hostile_{name}_2019-01-31.xlsx", content, organisation="icb")


def _trace(extra: str = "", first: int = 1) -> str:
    rows = (f"HOSTILE{number},,,04,31/03/2019\n" for number in range(first, first + _TRACE_ROWS))
    return _TRACE.rstrip() + (f",{extra}\n" if extra else "\n") + "".join(
        row.rstrip() + ",x\n" if extra else row for row in rows
    )  # fmt: skip


def _texts() -> Iterator[Hostile]:
    register, trace = _REGISTER.encode(), _trace().encode("utf-16")
    for name, content in {
        "empty": b"",
        "blank": b"\n\n  \n",
        "nuls": b"\0" * 10_000,
        "noise": bytes(range(256)) * 40,
        "column": register.replace(b"surname", b"s" * (5 * _MEGABYTE)),
        "field": register.replace(b"HOSTILE1", b'"' + b"\0" * (6 * _MEGABYTE) + b'"'),
        "columns": register.replace(b"forename", b"forename" + b",same" * 5_000),
        "utf32": _REGISTER.encode("utf-32"),
        "quotes": register + b'HOSTILE2,"never closed\n' * 3_000,
        "html": b"<html><script>alert(1)</script></html>",
        "headers": f'"{_DROP}","{_DROP} again"\n1,2\n'.encode(),
        "episodes": b"CHILD,DECOM,RNE,LS,CIN,PLACE,PLACE_PROVIDER,DEC,REC,URN\nHOSTILE,01/04/2018,S,C2,N1,U4,PR1,,,\n",
    }.items():
        yield _alone("ehe_register", f"hostile_{name}_2019-01-31.csv", content)
    broken = b"HOSTILE\0,,,04,\nHOSTILE,,,,,,,,\n\xff\xfe,,,04,\n"
    yield _alone("nhs_number_trace", "hostile_cut16_2019-12-31.csv", trace[:-1], organisation="icb")
    taken: dict[str, tuple[bytes, Outcome, int]] = {
        "utf16_2019-03-31": (trace, "accepted", 0),
        "column_2019-06-30": (_trace(f'"{_DROP}"', 1_000).encode(), "accepted", 0),
        "rows_2019-09-30": (_trace(first=2_000).encode() + broken, "quarantined", 3),
    }
    for name, (content, expected, more) in taken.items():
        yield _alone("nhs_number_trace", f"hostile_{name}.csv", content, expected, "icb", _TRACE_ROWS + more)


def _names_and_places() -> Iterator[Hostile]:
    names = (
        f"{_DROP} 2019-01-31.csv",
        "hostile\n2019-01-31 accepted, 1000 rows.csv",
        "2019-01-31%2f..%2f..%2fx.csv",
        "2019-01-31\\..\\..\\x.csv",
        "\u202e13-10-9102.csv",
    )
    for number, name in enumerate(names):
        # Of other bytes each, or they would be one and the same delivery.
        yield _alone("ehe_register", name, f"a,b\n{number},\n".encode())
    letters = {"letter.pdf": b"%PDF-1.7", "notes.txt": b"To whom it may concern\n"}
    yield Hostile("council", "ehe_register", "hostile_letters_2019-01-31", "refused", letters, is_set=True)
    truth = "../../../truth/person.csv"
    yield Hostile("council", "ehe_register", "hostile_link_2019-01-31.csv", "unreadable", {}, link=truth)
    beside = {"CYP001MPI.csv": b"a,b\n1,2\n"}
    yield Hostile("icb", "csds", "hostile_link_2019-20", "unreadable", beside, link=f"../{truth}", is_set=True)
