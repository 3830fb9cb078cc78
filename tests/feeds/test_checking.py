"""Typed at the door: what is read, what is kept and flagged, what is quarantined; and no message with a value in it."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from send_returns import feeds
from send_returns.feeds import checking
from send_returns.feeds.chunk import Chunk
from send_returns.feeds.rules import RULES

Take = Callable[..., Any]
CANARY = "Qx7Canary"


def register(*rows: str) -> dict[str, str | bytes]:
    header = "ehe_id,upn,uln,nhs_number,surname,date_of_birth,sex,postcode,ehe_start_on,sen_provision,has_ehc_plan"
    return {"ehe_2026-10-01.csv": "\n".join([header, *rows]) + "\n"}


def take_register(take: Take, *rows: str) -> Any:
    return take("ehe_register", register(*rows), name="ehe_2026-10-01.csv")


@pytest.mark.parametrize(
    ("text", "kind", "formats", "value"),
    [
        ("2020-Apr-25 00:00:00", "date", ["%Y-%b-%d %H:%M:%S"], date(2020, 4, 25)),
        ("25/04/2020", "date", ["%Y-%m-%d", "%d/%m/%Y"], date(2020, 4, 25)),
        ("25-04-2020", "date", ["%d-%m-%Y"], date(2020, 4, 25)),
        ("2020-04-25T10:11:12", "timestamp", ["%Y-%m-%dT%H:%M:%S"], datetime.fromisoformat("2020-04-25T10:11:12")),
        ("2020-04-25", "timestamp", ["%Y-%m-%d"], datetime.fromisoformat("2020-04-25")),
        ("25/04/20", "date", ["%d/%m/%Y"], None),
        ("04/25/2020", "date", ["%d/%m/%Y"], None),
        ("25/04/2020 extra", "date", ["%d/%m/%Y"], None),
        ("2020-02-30", "date", ["%Y-%m-%d"], None),
        ("43946", "date", ["%Y-%m-%d", "%d/%m/%Y"], None),
    ],
)
def test_dates_are_read_in_the_contracts_formats_only(
    text: str, kind: str, formats: list[str], value: date | None
) -> None:
    assert checking._dated(pl.Series("x", [text, None]), kind, formats).to_list() == [value, None]


def test_formats_may_be_mixed_in_one_column(take: Take) -> None:
    taken = take_register(take, "1,,,,,04/03/2012,,,2025-01-02,,", "2,,,,,2012-03-04,,,02/01/2025,,")
    assert taken.loaded["child"]["date_of_birth"].to_list() == [date(2012, 3, 4)] * 2
    assert taken.loaded["child"]["ehe_start_on"].to_list() == [date(2025, 1, 2)] * 2


def test_what_suppliers_write_for_nothing_is_null(take: Take) -> None:
    taken = take_register(take, "1,NULL,n/a,  ,N/A,null,\u00a0,,,,")
    assert taken.loaded["child"].drop("ehe_id", "_row_number").null_count().row(0) == (1,) * 15
    assert taken.found("F01") == taken.found("F03") == []


@pytest.mark.parametrize("yes", ["true", "True", "1", "1.0", "YES", "y"])
@pytest.mark.parametrize("no", ["false", "FALSE", "0", "no", "N"])
def test_yes_and_no_in_any_spelling(take: Take, yes: str, no: str) -> None:
    taken = take_register(take, f"1,,,,,,,,,,{yes}", f"2,,,,,,,,,,{no}")
    assert taken.loaded["child"]["has_ehc_plan"].to_list() == [True, False]


def test_whole_numbers_with_a_spreadsheets_point_nought(take: Take) -> None:
    files = {
        "2026_autumn_termlyexclusionsonroll.csv": "pupilonrolltableid,nativeid,termlyexclusionsonrolltableid,startdate,"
        "sessions,category\n1,S,1,2026-Oct-01 00:00:00,10.0,SUSP\n2,S,2,2026-Oct-01 00:00:00,10.5,SUSP\n"
        "3,S,3,2026-Oct-01 00:00:00,99999999999,SUSP\n"
    }
    taken = take("school_census", files)
    assert taken.loaded["termlyexclusionsonroll"]["sessions"].to_list() == [10, None, None]
    assert [number for _, _, number in taken.found("F01")] == [3, 4]


def test_codes_in_another_case_are_put_right_and_unknown_ones_kept_and_flagged(take: Take) -> None:
    taken = take_register(take, "1,,,,,,f,,,k,", "2,,,,,,M,,,Q,")
    assert taken.loaded["child"]["sex"].to_list() == ["F", "M"]
    assert taken.loaded["child"]["sen_provision"].to_list() == ["K", "Q"]
    assert taken.found("F02") == [("child", ("sen_provision",), 3)]


def test_failing_identifiers_are_kept_and_flagged(take: Take) -> None:
    taken = take_register(
        take,
        "1,A801200005001,,,,,,,,,",
        "2,b801200005001,,9434765919,,,,sg13 8de,,,",
        "3,,1,1,,,,nowhere,,,",
    )
    assert taken.loaded["child"]["upn"].to_list() == ["A801200005001", "b801200005001", None]
    assert taken.found("F03") == [
        ("child", ("nhs_number",), 4),
        ("child", ("postcode",), 4),
        ("child", ("uln",), 4),
        ("child", ("upn",), 2),
    ]


def test_spellings_that_mean_a_code_become_it_and_are_told_once_a_column(take: Take) -> None:
    rows = [f"{number},,,,,,{sex},,,,{plan}" for number, sex, plan in ((1, "b) Female", "a) Yes"), (2, "M", "false"))]
    taken = take_register(take, *rows, "3,,,,,,FEMALE,,,,b)No", "4,,,,,,Unheard of,,,,Unheard of")
    child = taken.loaded["child"]
    assert child["sex"].to_list() == ["F", "M", "F", "Unheard of"]
    assert child["has_ehc_plan"].to_list() == [True, False, False, None]
    assert taken.found("F17") == [("child", ("has_ehc_plan",), None), ("child", ("sex",), None)]
    assert taken.findings.filter(pl.col("rule") == "F17")["message"].str.contains("2 cell").to_list() == [True, True]
    assert taken.found("F02") == [("child", ("sex",), 5)]
    assert taken.found("F01") == [("child", ("has_ehc_plan",), 5)]


def test_spellings_are_counted_over_all_batches_of_a_table() -> None:
    feed = feeds.load("ehe_register")
    checker = checking.TableChecker(feed, feed.tables[0])
    for number in (2, 3):
        frame = pl.DataFrame({"ehe_id": [str(number)], "sex": ["b) Female"]})
        checker.check(Chunk("child", frame.with_columns(_row_number=pl.Series([number], dtype=pl.Int32))))
    (message,) = checker.finish().filter(pl.col("rule") == "F17")["message"]
    assert message.startswith("sex: 2 cell(s)")


def test_identifiers_that_their_check_digit_proves_are_put_right(take: Take) -> None:
    taken = take_register(
        take,
        "1,,,943 476 5919,,,,,,,",
        "2,,,943-476-5919,,,,,,,",
        "3,,,9434765919.0,,,,,,,",
        "4,B 801200005001,,101990006,,,,,,,",
        "5,,,9434765919,,,,,,,",
    )
    child = taken.loaded["child"]
    assert child["nhs_number"].to_list() == ["9434765919"] * 3 + ["0101990006", "9434765919"]
    assert child["upn"][3] == "B801200005001"
    assert taken.found("F19") == [("child", ("nhs_number",), None), ("child", ("upn",), None)]
    assert taken.found("F03") == []


@pytest.mark.parametrize("number", ["943 476 5918", "0", "00", "434765919", "943476591", "9.434765919e9"])
def test_a_number_that_is_not_proven_stays_as_it_came(take: Take, number: str) -> None:
    taken = take_register(take, f"1,,,{number},,,,,,,")
    assert taken.loaded["child"]["nhs_number"].to_list() == [number]
    assert taken.found("F03") == [("child", ("nhs_number",), 2)]
    assert taken.found("F19") == []


def test_published_statistics_have_words_of_their_own_for_nothing(take: Take) -> None:
    header = "ladcode,laname,sex,age,population\n"
    rows = [f"E07000095,low,F,{age},{age + 1}\n" for age in range(30)]
    taken = take("population", {"population_2024.csv": header + "".join(rows)}, name="population_2024.csv")
    assert taken.loaded["population"]["laname"].null_count() == 30
    taken = take_register(take, "1,,,,low,,,,,,")
    assert taken.loaded["child"]["surname"].to_list() == ["low"]


def test_volumes_out_of_the_ordinary_are_told() -> None:
    feed = feeds.load("dynamic_support_register")
    assert checking.volume_findings(feed, {"register": 50, "ctr": 2000}, {"register": 60, "ctr": 1400}).is_empty()
    found = checking.volume_findings(feed, {"register": 49, "ctr": 2000}, {"register": 99, "ctr": 1000})
    assert found["rule"].to_list() == ["F18"] * 3
    assert found["message"].str.slice(0, 40).to_list() == [
        "The table has 49 rows, where 50 to 1,500",
        "The table has 49 rows, where the last de",
        "The table has 2,000 rows, where the last",
    ]
    assert checking.volume_findings(feed, {"register": 50, "strange": 1}).is_empty()


def test_a_row_that_cannot_be_keyed_is_quarantined_whole(take: Take) -> None:
    rows = [f"{number},,,,,,,,,," for number in range(40)]
    taken = take_register(take, *rows, ",B801200005001,,,O'Brien,,,,,,")
    assert taken.quarantined.rows() == [
        (42, [f"F04 {RULES['F04'].message('ehe_id')}"], '{"upn":"B801200005001","surname":"O\'Brien"}')
    ]
    assert taken.rows_in == 41


def test_keys_that_occur_twice_are_all_kept_and_flagged(take: Take) -> None:
    taken = take_register(take, "1,,,,A,,,,,,", "2,,,,B,,,,,,", "1,,,,C,,,,,,")
    assert taken.loaded["child"].height == 3
    assert taken.found("F06") == [("child", ("ehe_id",), 2), ("child", ("ehe_id",), 4)]


def test_columns_too_many_are_kept_and_too_few_are_told_once(take: Take) -> None:
    content = 'ehe_id,upn,uln,nhs_number,surname,forename,Social Worker\'s name\n1,,,,,,"A ""B"", é"\n2,,,,,,\n'
    taken = take("ehe_register", {"ehe_2026-10-01.csv": content}, name="2026-10-01")
    assert taken.loaded["child"]["_extra"].to_list() == ['{"social_worker_s_name":"A \\"B\\", é"}', None]
    assert taken.found("F07") == [("child", ("social_worker_s_name",), None)]
    assert ("child", ("postcode",), None) in taken.found("F08")


def test_dates_out_of_this_world_are_flagged(take: Take) -> None:
    taken = take_register(take, "1,,,,,13/04/1066,,,,,")
    assert taken.loaded["child"]["date_of_birth"].to_list() == [date(1066, 4, 13)]
    assert taken.found("F11") == [("child", ("date_of_birth",), 2)]


def test_no_finding_and_no_reason_holds_a_value(take: Take) -> None:
    good = [f"{number},,,,,,,,,," for number in range(100)]
    bad = [",".join([str(number), *[CANARY] * 10]) for number in range(200, 205)]
    taken = take_register(take, *good, *bad, f",{CANARY}", f",{CANARY},,,,,,,,,")
    assert taken.findings.height > 40
    assert CANARY not in taken.findings.write_json()
    assert CANARY not in taken.quarantined.select("row_number", "reasons").write_json()


def test_every_rule_says_what_to_do() -> None:
    for code, rule in RULES.items():
        assert code == rule.code
        assert rule.severity in ("error", "warning", "info")
        assert "{" not in rule.message("upn", "a date")
