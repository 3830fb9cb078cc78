import shutil
from datetime import date
from pathlib import Path

import pytest

from send_returns import layouts

DELTA = """
return: area_send_annex_a
version: "made-up"
in_force_from: 2027-01-01
extends: "2024"
reason: Inspectors renamed one column, reworded one category and dropped another column.
columns:
  gender: {heading: Sex, categories: {M: Male, F: Female}}
lists:
  List_2: {columns: [unique_id, gender]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(layouts.LAYOUTS / "area_send_annex_a_2024.yml", tmp_path)
    (tmp_path / "area_send_annex_a_made-up.yml").write_text(DELTA)
    return tmp_path


def test_the_2024_layout_has_the_templates_columns_in_order() -> None:
    layout = layouts.load("area_send_annex_a", date(2026, 11, 24))
    list_1, list_2 = layout.lists
    assert (layout.version, list_1.name, list_2.name) == ("2024", "List_1", "List_2")
    assert (len(list_1.columns), len(list_2.columns)) == (21, 17)
    assert [c.heading for c in list_1.columns][10:13] == [
        "Main education establishment – URN",
        "Main education establishment – phase",
        "Subsidiary education establishment – phase (dual registration)",
    ]
    only_list_1 = {c.name for c in list_1.columns} - {c.name for c in list_2.columns}
    assert only_list_1 == {
        "initial_plan_issued_on",
        "updated_plan_issued_on",
        "plan_last_reviewed_on",
        "elective_home_education",
    }
    need = next(c for c in list_1.columns if c.name == "sen_primary_need")
    assert need.categories["ASD"] == "k) ASD"


def test_a_new_layout_is_one_file_in_force_from_its_day(folder: Path) -> None:
    before = layouts.load("area_send_annex_a", date(2026, 12, 31), folder)
    after = layouts.load("area_send_annex_a", date(2027, 1, 1), folder)
    assert (before.version, after.version) == ("2024", "made-up")
    gender = after.lists[1].columns[1]
    assert (gender.heading, gender.type, gender.categories) == (
        "Sex",
        "category",
        {"M": "Male", "F": "Female"},
    )
    assert [c.name for c in after.lists[1].columns] == ["unique_id", "gender"]
    assert after.lists[1].scope == before.lists[1].scope
    assert [c.name for c in after.lists[0].columns] == [c.name for c in before.lists[0].columns]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reason: Inspectors", "# reason: Inspectors"),
        ('extends: "2024"', 'extends: "2023"'),
        ('extends: "2024"', 'extends: "made-up"'),
        ("[unique_id, gender]", "[unique_id, gendre]"),
        ("heading: Sex,", "heading: Sex, colour: blue,"),
        ("categories: {M: Male, F: Female}", "type: text"),
        ("in_force_from: 2027-01-01", "in_force_from: soon"),
    ],
)
def test_a_wrong_delta_is_refused(folder: Path, old: str, new: str) -> None:
    path = folder / "area_send_annex_a_made-up.yml"
    path.write_text(DELTA.replace(old, new))
    with pytest.raises(layouts.LayoutError):
        layouts.load("area_send_annex_a", date(2026, 1, 1), folder)


def test_no_layout_in_force_says_so() -> None:
    with pytest.raises(layouts.LayoutError, match="no layout is in force on 2022-12-31"):
        layouts.load("area_send_annex_a", date(2022, 12, 31))
