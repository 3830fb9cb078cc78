"""Hostile text: no header, cell or name does anything but arrive; what is out of all measure is refused in seconds."""

import re
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds

Take = Callable[..., Any]
HEADER = "ehe_id,upn,uln,nhs_number,surname,forename"
PAYLOADS = (
    "x'; drop table landing.delivery; --",
    'x"; drop schema raw_council cascade; --',
    "$$; select pg_sleep(10); $$",
    "\\copy x from '/etc/passwd'",
    "\\.",
    "{{ 7*7 }}",
    "${jndi:ldap://example.invalid/a}",
    "%(name)s %s %n",
    "{0.__class__}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "../../etc/passwd",
    "`id` $(id)",
    "\u202egnp.exe",
    "a\x1b[2Jb",
    "_delivery_id",
    "𝓊𝓅𝓃 ﷽",
)


def register(*rows: list[str], header: str = HEADER) -> str:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    return "\n".join([header, *(",".join(map(quoted, row)) for row in rows)]) + "\n"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_cell_arrives_as_it_was_written(take: Take, payload: str) -> None:
    taken = take("ehe_register", {"a.csv": register(["1", "", "", "", payload, ""])}, name="2026-10-01")
    assert taken.loaded["child"]["surname"].to_list() == [payload.strip()]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_header_is_kept_aside_under_a_tame_name(take: Take, payload: str) -> None:
    header = HEADER + ',"' + payload.replace('"', '""') + '"'
    taken = take(
        "ehe_register", {"a.csv": register(["1", "", "", "", "", "", "kept"], header=header)}, name="2026-10-01"
    )
    assert "kept" in taken.loaded["child"]["_extra"].item()
    assert all(re.fullmatch("[a-z0-9_]+", field) for _, fields, _ in taken.found("F07") for field in fields)


@pytest.mark.parametrize("payload", [*PAYLOADS, "a\nb", "a\x00b", "../a", "x" * 5000])
def test_a_name_cannot_leave_its_line(take: Take, payload: str) -> None:
    with pytest.raises(feeds.Refused) as refusal:
        take("ehe_register", {f"{payload}.dat": "a,b\n"}, name=payload)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 400


def refused_soon(feed: str, path: Path, name: str, reason: str) -> None:
    """The file is refused for that reason within seconds, and memory stays flat."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(feeds.Refused, match=reason):
        list(feeds.Delivery(feeds.load(feed), "2026-10-01", [feeds.examine(path, name)]).batches())
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_a_gigabyte_field_is_refused_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(f'{HEADER}\n"'.encode())
        for _ in range(1000):
            file.write(b"x" * 1_000_000)
        file.write(b'",,,,,\n')
    refused_soon("ehe_register", path, "a.csv", "a line is longer than")


def test_twenty_thousand_columns_are_refused_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(HEADER + ",same" * 20_000 + "\n" + "1" + "," * 20_005 + "\n")
    refused_soon("ehe_register", path, "a.csv", "more than 1,000 columns")


def test_a_gigabyte_of_xml_without_a_record_is_refused_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(b"<Message>")
        for _ in range(300):
            file.write(b"<Other>x</Other>\n" * 30_000)
        file.write(b"</Message>")
    refused_soon("sen2", path, "a.xml", "in which no record ends")


def test_deep_xml_is_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="not well-formed XML"):
        take("sen2", {"a.xml": "<Message>" + "<a>" * 100_000})


def test_an_entity_without_a_declaration_is_told_by_its_line(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="an entity at line 3 that XML does not have"):
        take("sen2", {"a.xml": "<Message>\n<Persons>\n<Person><Surname>&nbsp;</Surname></Person></Persons></Message>"})


def test_utf_32_is_refused_saying_what_to_save(take: Take) -> None:
    for encoding in ("utf-32", "utf-32-le", "utf-32-be"):
        with pytest.raises(feeds.Refused, match=r"UTF-32.*Save it as UTF-8"):
            take("ehe_register", {"a.csv": register(["1"] * 6).encode(encoding)}, name="2026-10-01")


@pytest.mark.parametrize(
    ("encoding", "recorded"),
    [
        ("utf-8", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_is_recorded_and_no_character_is_replaced(
    take: Take, tmp_path: Path, encoding: str, recorded: str
) -> None:
    content = register(["1", "", "", "", "O’Brien", "Zoë"]).encode(encoding)
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    source = feeds.examine(path)
    assert (source.encoding, source.is_clean) == (recorded, True)
    taken = take("ehe_register", {"a.csv": content}, name="2026-10-01")
    assert taken.loaded["child"].select("surname", "forename").rows() == [("O’Brien", "Zoë")]


def test_broken_utf_16_under_any_name_is_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="no file of ehe_register"):
        take("ehe_register", {"a.txt": b"\xff\xfe\x00\xd8a\x00" * 9}, name="2026-10-01")


def test_a_renamed_file_is_assigned_by_its_headings(take: Take) -> None:
    header = "CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB\n1,1,01/02/2015,WBRI,UN1,,\n"
    taken = take("ssda903", {"download.csv": header}, name="2026")
    assert {name: counts.rows_in for name, counts in taken.delivery.counts.items()} == {"header": 1}
