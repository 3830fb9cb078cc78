"""Seeds that follow a rule are what the rule gives."""

import csv
import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import holidays
from dateutil.easter import easter

from send_returns import layouts
from send_returns.settings import PROJECT

SEEDS = PROJECT / "dbt_project" / "seeds"


def _seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _thursday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7, weeks=number - 1)


def test_census_terms_follow_the_rule() -> None:
    days = {
        "spring": lambda year: (_thursday(year, 1, 3), date(year - 1, 8, 1), date(year - 1, 12, 31)),
        "summer": lambda year: (_thursday(year, 5, 3), date(year, 1, 1), easter(year)),
        "autumn": lambda year: (_thursday(year, 10, 1), easter(year) + timedelta(days=1), date(year, 7, 31)),
    }
    rows = _seed("census_terms")
    assert [(row["year"], row["term"]) for row in rows] == [
        (str(year), term) for year in range(2010, 2031) for term in ("spring", "summer", "autumn")
    ]
    for row in rows:
        found = tuple(date.fromisoformat(row[name]) for name in ("census_on", "attendance_from_on", "attendance_to_on"))
        assert found == days[row["term"]](int(row["year"])), row
        assert row["reference_from_on"] <= row["census_on"] <= row["reference_to_on"]


def test_every_day_from_2010_to_2030_is_read_as_one_census() -> None:
    rows = _seed("census_terms")
    for before, after in pairwise(rows):
        assert date.fromisoformat(before["reference_to_on"]) + timedelta(days=1) == date.fromisoformat(
            after["reference_from_on"]
        )


def test_every_house_code_has_a_wording() -> None:
    columns = {
        column.name: set(column.categories)
        for layout in layouts.load_all("area_send_annex_a")
        for part in layout.lists
        for column in part.columns
    }
    assert {row["gender"] for row in _seed("gender_codes")} | {"U"} <= columns["gender"]
    assert {row["ethnicity"] for row in _seed("ethnicity_codes")} | {"UNKNOWN"} == columns["ethnicity"]
    assert {row["need"] for row in _seed("need_codes")} == columns["sen_primary_need"]
    assert {row["phase"] for row in _seed("establishment_phases")} == columns["main_establishment_phase"]


def test_organisations_follow_one_another() -> None:
    boards = [row for row in _seed("organisations") if row["role"] == "icb"]
    assert [(board["code"], board["in_force_from_on"], board["in_force_to_on"]) for board in boards] == [
        ("QM7", "2022-07-01", "2026-03-31"),
        ("", "2026-04-01", ""),
    ]


def test_bank_holidays_are_those_of_a_kept_library() -> None:
    known = holidays.country_holidays("GB", subdiv="ENG", years=range(2000, 2036))
    assert [(row["holiday_on"], row["name"]) for row in _seed("bank_holidays")] == [
        (day.isoformat(), name) for day, name in sorted(known.items())
    ]


def test_all_34_clocks_have_limits_that_follow_one_another() -> None:
    rows = _seed("clock_parameters")
    assert sorted({row["clock"] for row in rows}) == [f"CLK{number:02}" for number in range(1, 35)]
    assert rows == sorted(rows, key=lambda row: row["clock"])
    for before, after in pairwise(rows):
        if (before["clock"], before["part"]) == (after["clock"], after["part"]):
            assert date.fromisoformat(before["in_force_to_on"]) + timedelta(days=1) == date.fromisoformat(
                after["in_force_from_on"]
            )
    for row in rows:
        assert bool(row["limit_number"]) != bool(row["limit_month_day"]), row
        assert bool(row["limit_month_day"]) == (row["unit"] == "date"), row
        assert row["legal_source"], row


def test_a_published_share_is_that_of_its_counts() -> None:
    rows = _seed("benchmarks")
    shares = [row for row in rows if row["denominator"]]
    assert len(shares) >= 150
    differing = [
        (row["measure"], row["geography_name"], row["period_to_on"])
        for row in shares
        if Decimal(row["value"])
        != (100 * Decimal(row["numerator"]) / Decimal(row["denominator"])).quantize(Decimal("0.1"), ROUND_HALF_UP)
    ]
    # Published as 84.8, beside counts that make 84.9.
    assert differing == [("EHC05", "England", "2023-12-31")]
    assert all(bool(row["value"]) == (row["status"] == "ok") for row in rows)


def test_what_is_said_of_measures_is_said_of_measures_there_are() -> None:
    measures = {row["measure"] for row in _seed("indicator_measures")}
    for name in ("benchmarks", "indicator_targets", "spc_rebaselines"):
        assert {row["measure"] for row in _seed(name)} <= measures, name


def test_a_measure_is_better_towards_its_target() -> None:
    measures = {row["measure"]: row for row in _seed("indicator_measures")}
    shares = [row for row in _seed("indicator_targets") if measures[row["measure"]]["unit"] == "percent"]
    whole = {row["measure"] for row in shares if row["target"] == "100"}
    none = {row["measure"] for row in shares if row["target"] == "0"}
    assert whole >= {"AR01", "T04"}
    assert none >= {"AR05", "EHC07"}
    assert {measures[name]["better"] for name in whole} == {"higher"}
    assert {measures[name]["better"] for name in none} == {"lower"}


def test_what_is_in_time_is_better_and_what_is_overdue_is_worse() -> None:
    found: dict[str, set[str]] = {"higher": set(), "lower": set()}
    for row in _seed("indicator_measures"):
        name = row["name"].rsplit(": ")[-1].lower()
        if row["statistic"] == "share" and re.search(r"\b(in time|on time|within|reviewed)\b", name):
            found["higher"].add(row["better"])
        if row["statistic"] == "share" and re.search(r"\b(over \d+ weeks|overdue|refused|waiting)\b", name):
            found["lower"].add(row["better"])
    assert found == {"higher": {"higher"}, "lower": {"lower"}}
