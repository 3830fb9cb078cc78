"""The spellings of codes that councils send: each means one known code, and the columns that use them have its list."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from send_returns.feeds import headers

FOLDER = Path(__file__).parents[2] / "plugins/send_returns/feeds/contracts"
MAPS: dict[str, dict[str, list[str]]] = yaml.safe_load((FOLDER / "values.yml").read_text(encoding="utf-8"))
CODES: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / "codes.yml").read_text(encoding="utf-8"))
# A map to these is of a boolean column, which has no list.
BOOLEAN = {"true", "false"}


def _columns() -> list[tuple[str, str, dict[str, Any]]]:
    """Feed and column, and what the contract says of it beside the standard, of every column with a map."""
    found = []
    for path in sorted(FOLDER.glob("*/*.yaml")):
        for table in yaml.safe_load(path.read_text(encoding="utf-8"))["schema"]:
            for column in table["properties"]:
                custom = {item["property"]: item["value"] for item in column.get("customProperties", [])}
                if "values" in custom:
                    where = f"{path.stem}.{table['name']}.{column['name']}"
                    found.append((where, column["logicalType"], custom))
    return found


@pytest.mark.parametrize("name", MAPS)
def test_no_spelling_has_two_meanings(name: str) -> None:
    spelled = Counter(headers.squeeze(raw) for raws in MAPS[name].values() for raw in raws)
    assert "" not in spelled
    assert {raw: times for raw, times in spelled.items() if times > 1} == {}


@pytest.mark.parametrize("name", MAPS)
def test_every_spelling_maps_to_a_known_code_and_is_not_another_code_itself(name: str) -> None:
    known = set(CODES[name]) if name in CODES else BOOLEAN
    assert set(MAPS[name]) <= known
    codes = {headers.squeeze(code) for code in known}
    assert [raw for raws in MAPS[name].values() for raw in raws if headers.squeeze(raw) in codes] == []


def test_every_map_is_used_and_only_by_columns_of_its_list() -> None:
    columns = _columns()
    assert {custom["values"] for _, _, custom in columns} == set(MAPS)
    astray = [
        where
        for where, logical_type, custom in columns
        if (logical_type != "boolean" if custom["values"] == "yes_no" else custom.get("codes") != custom["values"])
    ]
    assert astray == []


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("sex", "b) Female", "F"),
        ("ethnicity", "(A.A3)White - British", "WBRI"),
        ("ethnicity", "A4.7 White and Black African", "MWBA"),
        ("cin_gender", "Indeterminate", "9"),
        ("referral_source", "3B - Health visitor", "3B"),
        ("primary_need", "CIN - N7 Low Income", "N7"),
        ("reason_for_closure", "Death (CIN RC2)", "RC2"),
        ("category_of_abuse", "Neglect and Physical", "MUL"),
        ("legal_status", "CLA - C1 - Interim Care Order", "C1"),
        ("placement_type", "U4 Foster placement with other foster carer - Long term fostering", "U4"),
        ("yes_no", "a) Yes", "true"),
    ],
)
def test_well_known_spelling_means_its_code(name: str, raw: str, code: str) -> None:
    meanings = {headers.squeeze(value): code for code, raws in MAPS[name].items() for value in raws}
    assert meanings[headers.squeeze(raw)] == code
