"""Every rule at its edges: each row fails exactly the rules beside it, as of 31 October 2026."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns.quality import rules
from send_returns.quality.check import check

AS_OF = date(2026, 10, 31)
Row = dict[str, Any]


def _found(paths: list[Path], as_of: date = AS_OF) -> dict[tuple[str, int | None], set[str]]:
    """(table, row) -> the rules found there."""
    found: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for finding in check(paths, None, as_of).findings:
        for row in finding.rows:
            found[finding.table, row].add(finding.rule)
    return dict(found)


# Rules without the digit of their list. Both lists get these rows, so repeated identifiers are on both as well.
BOTH: list[tuple[Row, set[str]]] = [
    ({}, set()),
    ({"date_of_birth_on": None}, {"01a"}),
    ({"date_of_birth_on": "N/A"}, {"01a"}),
    ({"date_of_birth_on": "31/06/2015"}, {"00d"}),
    ({"date_of_birth_on": "31/06/2015", "upn": None, "uln": None}, {"00d"}),
    ({"gender": None}, {"01b"}),
    ({"ethnicity": " "}, {"01c"}),
    ({"sen_primary_need": "null"}, {"01d"}),
    ({"disability": None}, {"03"}),
    # Aged 25 from the day after the birthday, 26 likewise; the 26th birthday itself is neither.
    ({"date_of_birth_on": date(2001, 10, 31)}, set()),
    ({"date_of_birth_on": date(2001, 10, 30)}, {"02a"}),
    ({"date_of_birth_on": date(2000, 11, 1)}, {"02a"}),
    ({"date_of_birth_on": date(2000, 10, 31)}, set()),
    ({"date_of_birth_on": date(2000, 10, 30)}, {"02b"}),
    ({"date_of_birth_on": date(2026, 10, 31), "main_establishment_urn": None}, set()),
    ({"date_of_birth_on": date(2026, 11, 1)}, {"05a"}),
    # Neither UPN nor ULN from the day after the sixth birthday.
    ({"date_of_birth_on": date(2020, 10, 31), "upn": None}, set()),
    ({"date_of_birth_on": date(2020, 10, 30), "upn": None}, {"07"}),
    ({"date_of_birth_on": date(2020, 10, 30), "upn": None, "uln": "1234567890"}, set()),
    # No setting between the fifth and the sixteenth birthday, both excluded.
    ({"date_of_birth_on": date(2021, 10, 31), "main_establishment_urn": None}, set()),
    ({"date_of_birth_on": date(2021, 10, 30), "main_establishment_urn": None}, {"08a"}),
    ({"date_of_birth_on": date(2010, 11, 1), "main_establishment_urn": None}, {"08a"}),
    ({"date_of_birth_on": date(2010, 10, 31), "main_establishment_urn": None}, set()),
    ({"main_establishment_urn": None, "subsidiary_establishment_phase": "e) Secondary"}, {"08b"}),
    ({"subsidiary_establishment_phase": "e) Secondary"}, set()),
    ({"upn": "A999 "}, {"09", "21"}),
    ({"upn": " a999"}, {"09", "21"}),
    ({"gender": "B)  female "}, set()),
    ({"gender": "Female"}, {"10a"}),
    ({"ethnicity": "WBRI"}, {"10b"}),
    ({"sen_primary_need": "DS"}, {"10c"}),
    ({"main_establishment_phase": "Primary"}, {"10d"}),
    ({"subsidiary_establishment_phase": "x"}, {"10e"}),
    ({"pupil_premium": "No"}, {"10g"}),
    ({"known_to_social_care": "1"}, {"10h"}),
    ({"disability": "Y"}, {"10i"}),
    ({"unique_id": None}, {"20"}),
    ({"unique_id": "TWICE"}, {"20", "21"}),
    ({"unique_id": "twice"}, {"20", "21"}),
    ({"suspensions": "none"}, {"00h"}),
    ({"permanent_exclusions": "0.5"}, {"00i"}),
    ({"absence_pct": "much"}, {"00j"}),
]
LIST_1: list[tuple[Row, set[str]]] = [
    ({"initial_plan_issued_on": "soon"}, {"100e"}),
    ({"updated_plan_issued_on": "soon"}, {"100f"}),
    ({"plan_last_reviewed_on": "soon"}, {"100g"}),
    (
        {"initial_plan_issued_on": date(2026, 11, 1), "updated_plan_issued_on": None, "plan_last_reviewed_on": None},
        {"105b"},
    ),
    ({"updated_plan_issued_on": date(2026, 11, 1)}, {"105c"}),
    ({"plan_last_reviewed_on": date(2026, 11, 1)}, {"105d"}),
    ({"plan_last_reviewed_on": date(2026, 10, 31)}, set()),
    ({"updated_plan_issued_on": date(2020, 1, 9)}, {"106a"}),
    ({"updated_plan_issued_on": date(2020, 1, 10)}, set()),
    ({"plan_last_reviewed_on": date(2020, 1, 9)}, {"106b"}),
    ({"plan_last_reviewed_on": date(2020, 1, 10)}, set()),
    ({"elective_home_education": "No"}, {"110f"}),
]


def test_each_row_fails_the_rules_expected_of_it_and_no_other(
    table: Callable[..., Any], csv_file: Callable[..., Path]
) -> None:
    expected: dict[tuple[str, int | None], set[str]] = {}
    paths = []
    for number, own in ((1, LIST_1), (2, [])):
        cases = [(row, {f"{number}{rule}" for rule in wanted}) for row, wanted in BOTH] + own
        paths.append(csv_file(table(number, [row for row, _ in cases]), f"List_{number}.csv"))
        expected |= {(f"List_{number}", at): wanted for at, (_, wanted) in enumerate(cases, start=2) if wanted}
    found = _found(paths)

    assert found == expected
    tested = {rule for wanted in expected.values() for rule in wanted}
    assert tested == {rule.code for rule in rules.load(AS_OF, "check") if rule.condition}


@pytest.mark.parametrize(
    ("as_of", "wanted"),
    [
        # A child born on 29 February is 25 on 28 February 2025, so over it on 1 March, and 26 on 28 February 2026.
        (date(2025, 2, 28), set()),
        (date(2025, 3, 1), {"102a"}),
        (date(2026, 2, 27), {"102a"}),
        (date(2026, 2, 28), set()),
        (date(2026, 3, 1), {"102b"}),
    ],
)
def test_ages_of_a_child_born_on_a_leap_day(
    table: Callable[..., Any], csv_file: Callable[..., Path], as_of: date, wanted: set[str]
) -> None:
    path = csv_file(table(1, [{"date_of_birth_on": date(2000, 2, 29), "plan_last_reviewed_on": date(2024, 1, 1)}]))
    found = _found([path], as_of)
    assert found.get(("List_1", 2), set()) == wanted


def test_a_condition_reads_no_column_that_its_rule_does_not_name() -> None:
    """Else a workbook without that column would break the rule, in place of having it reported as not run."""
    columns = {column for rule in rules.load(AS_OF, "gate") if rule.suite != "sen2" for column in rule.fields}
    for rule in rules.load(AS_OF, "check"):
        if rule.condition:
            read = {column for column in columns if column in rule.condition.replace(":field", rule.fields[0])}
            assert read <= {*rule.fields}, rule.code


def test_the_rules_of_the_sectors_validator_are_all_here() -> None:
    codes = {rule.code for rule in rules.load(AS_OF, "gate")}
    assert codes >= {
        *("101a", "101b", "101c", "101d", "102a", "102b", "103", "105a", "105b", "105c", "105d", "106a", "106b", "107"),
        *(
            "108a",
            "108b",
            "109",
            "201a",
            "201b",
            "201c",
            "201d",
            "202a",
            "202b",
            "203",
            "205a",
            "207",
            "208a",
            "208b",
            "209",
        ),
    }
