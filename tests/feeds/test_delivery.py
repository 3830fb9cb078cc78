"""Deliveries as a whole: real samples land with their defects as findings; what is not ours is refused in one line."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds

Take = Callable[..., Any]
SAMPLES = Path(__file__).parents[1] / "samples"


def sample(pattern: str) -> dict[str, str | bytes]:
    return {path.name: path.read_bytes() for path in sorted(SAMPLES.glob(pattern))}


def rules(taken: Any) -> Counter[tuple[str, str]]:
    return Counter((rule, ",".join(fields)) for rule, fields in taken.findings.select("rule", "fields").iter_rows())


def test_cin_sample_lands_with_its_stray_text_and_impossible_date(take: Take) -> None:
    taken = take("cin_census", sample("cin/CIN_Census_2021.xml"), la="201")
    assert taken.rows_in == 12
    assert taken.quarantined.is_empty()
    assert taken.delivery.period == feeds.Period("2023", date(2023, 3, 31))
    found = rules(taken)
    assert found["F12", "upnunknown"] == found["F11", "expectedpersonbirthdate"] == found["F03", "upn"] == 1
    assert taken.loaded["cindetails"].select("childtableid", "referralnfa").rows() == [("1", False)]
    assert taken.loaded["disability"]["disability"].to_list() == ["HAND", "HEAR"]
    assert taken.loaded["assessmentfactor"].rows() == [("1", "2A", 2, None), ("1", "2B", 3, None)]
    assert taken.loaded["cppreview"].rows() == [("1", date(1971, 2, 15), 2, None)]


def test_second_cin_sample_lands(take: Take) -> None:
    taken = take("cin_census", sample("cin/cin-2022.xml"), la="201")
    assert (taken.rows_in, taken.delivery.period.key) == (12, "2022")
    assert rules(taken)["F12", "upnunknown"] == 0


def test_ssda903_samples_land(take: Take) -> None:
    taken = take("ssda903", sample("ssda903/SSDA903_2020_*.csv"), name="2020")
    assert (taken.rows_in, taken.quarantined.height) == (10, 0)
    found = rules(taken)
    assert found["F02", "rne"] == found["F02", "ethnic"] == 1
    assert (found["F03", "upn"], found["F06", "child"], found["F07", "test_column"]) == (5, 5, 1)
    fixes = take("ssda903", sample("ssda903/*INPUT.csv"), name="2023")
    assert (fixes.rows_in, fixes.quarantined.height) == (23, 0)
    assert fixes.loaded["episodes"]["decom"].null_count() == 0
    assert rules(fixes)["F09", ""] == len(fixes.delivery.feed.tables) - 1


def test_school_census_samples_land(take: Take) -> None:
    taken = take("school_census", sample("school_census/*.csv"), name="2024_autumn")
    assert {table: counts.loaded for table, counts in taken.delivery.counts.items()} == {
        "pupilonroll": 1500,
        "termlyexclusionsonroll": 1500,
    }
    assert taken.quarantined.is_empty()
    # Not one UPN in the sample passes its check letter, and none is refused for it.
    assert rules(taken)["F03", "upn"] == 1500
    assert taken.delivery.period == feeds.Period("2024_autumn", date(2024, 10, 3))


def test_every_feed_refuses_the_files_of_every_other(take: Take) -> None:
    files = {
        "cin_census": sample("cin/cin-2022.xml"),
        "ssda903": sample("ssda903/SSDA903_2020_*.csv"),
        "school_census": sample("school_census/*.csv"),
    }
    for feed in feeds.feeds():
        for owner, own in files.items():
            if feed.id != owner:
                with pytest.raises(feeds.Refused):
                    take(feed.id, own, name="2024_autumn")


def test_another_authoritys_return_is_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="its LEA is not 919"):
        take("cin_census", sample("cin/cin-2022.xml"), la="919")


def test_a_return_that_says_not_whose_it_is_is_flagged(take: Take) -> None:
    taken = take("school_census", sample("school_census/*.csv"), name="2024_autumn", la="919")
    assert taken.found("F15") == [("school", ("lea",), None)]


HEADER = "ehe_id,upn,uln,nhs_number,surname,forename\n"
WHOLE = (
    ",".join(column.header for column in feeds.load("ehe_register").table("child").columns) + "\n1" + "," * 14 + "\n"
)


def test_beyond_tolerance_the_delivery_is_refused(take: Take) -> None:
    rows = [f"{number},,,,,\n" for number in range(95)]
    take("ehe_register", {"a.csv": HEADER + "".join(rows) + ",x,,,,\n" * 5}, name="2026-10-01")
    with pytest.raises(feeds.Refused, match="6 of 101 rows cannot be taken"):
        take("ehe_register", {"a.csv": HEADER + "".join(rows) + ",x,,,,\n" * 6}, name="2026-10-01")


@pytest.mark.parametrize(
    ("feed", "name", "files", "reason"),
    [
        ("ehe_register", "2026-10-01", {"a.csv": HEADER}, "no row of ehe_register is in it"),
        (
            "ehe_register",
            "register",
            {"a.csv": HEADER + "1,,,,,\n"},
            "the period that it is for is not in the delivery's",
        ),
        ("ehe_register", "2026-10-01", {"a.txt": "a,b\n"}, "no file of ehe_register is in it"),
        ("ehe_register", "2026-10-01", {}, "no file of ehe_register is in it"),
        ("ehe_register", "2026-10-01", {"a.csv": HEADER, "b.csv": HEADER}, "a.csv and b.csv are both child"),
        ("ehe_register", "2026-10-01", {"a.txt": WHOLE, "b.txt": WHOLE}, "a.txt and b.txt are both child"),
        ("ehe_register", "2026-10-01", {"a.csv": ""}, "is the header of child"),
        ("sen2", "sen2", {"a.xml": "<a/>", "b.xml": "<a/>"}, "2 XML files"),
        ("sen2", "sen2", {"a.xml": ""}, "not well-formed XML"),
    ],
)
def test_refusals_say_what_to_do_in_one_line(
    take: Take, feed: str, name: str, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(feeds.Refused, match=reason) as refusal:
        take(feed, files, name=name)
    assert "\n" not in str(refusal.value)


def test_a_hostile_name_cannot_break_the_line(take: Take) -> None:
    with pytest.raises(feeds.Refused) as refusal:
        take("ehe_register", {"a\n\x1b[31m.csv": "x"}, name="x'; drop table\n--")
    assert str(refusal.value).isprintable()


def test_files_of_no_table_are_told(take: Take) -> None:
    taken = take("ssda903", {**sample("ssda903/SSDA903_2020_*.csv"), "SSDA903_2020_notes.csv": "a,b\n"}, name="2020")
    assert len(taken.found("F14")) == 1


def test_csds_takes_its_period_from_its_rows(take: Take) -> None:
    header = (
        "LOCAL PATIENT IDENTIFIER (EXTENDED),ORGANISATION IDENTIFIER (CODE OF PROVIDER),NHS NUMBER,PERSON BIRTH DATE,"
        "EFFECTIVE FROM,REPORTING PERIOD START DATE,REPORTING PERIOD END DATE\n"
    )
    row = "L1,RY4,9434765919,2015-01-01,2025-04-01 00:00:00,2025-04-01,2026-03-31\n"
    taken = take("csds", {"CYP001MPI.csv": header + row}, name="2025")
    assert taken.delivery.period == feeds.Period("RY4_2025-04-01", date(2025, 4, 1))
    assert taken.loaded["cyp001mpi"]["nhs_number"].to_list() == ["9434765919"]
    # Another provider's extract of the same period replaces nobody's.
    other = take("csds", {"CYP001MPI.csv": header + row.replace("RY4", "RWR")}, name="2025")
    assert other.delivery.period.key == "RWR_2025-04-01"
