"""The public scorecard: what it says and hides, whether everyone can read it, and its open data."""

import csv
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from send_returns.returns import declarations
from send_returns.returns.evidence import Evidence, Run
from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.pages import MONTHS
from send_returns.returns.renderers import public_scorecard
from send_returns.settings import PROJECT, Settings
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)
SEEDS = PROJECT / "dbt_project" / "seeds"
CHROMIUM = shutil.which("chromium")
ASKED = yaml.safe_load(public_scorecard.QUESTIONS.read_text(encoding="utf-8"))
# What families do not say.
JARGON = re.compile(
    r"statutory|EHCP|ICB|numerator|denominator|cohort|provision|tribunal appeal rate|CYP|SLT|multi-agency|indicator"
    r"|benchmark|stakeholder|pathway|threshold|compliance|caseload|outcome|percentile|median|suppress|disclosure",
    re.IGNORECASE,
)


@dataclass
class Figures:
    frame: pl.DataFrame


def _seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _figure(measure: str, kind: str, start: date, end: date, above: int, below: int) -> dict[str, Any]:
    """A figure after disclosure control: small counts hidden, others to the nearest 5, the share made of those."""
    hidden = 0 < above < 8 or 0 < below < 8
    rounded = [int((Decimal(n) / 5).quantize(Decimal(1), ROUND_HALF_UP)) * 5 for n in (above, below)]
    share = None if hidden else float((Decimal(rounded[0] * 100) / rounded[1]).quantize(Decimal("0.1"), ROUND_HALF_UP))
    weeks = measure == "EHC04_median"
    return {
        "partnership": "hertfordshire", "return_table": "figures", "measure": measure, "period_kind": kind,
        "period_from_on": start, "period_to_on": end, "geography_type": "partnership",
        "geography_code": "hertfordshire", "breakdown": "total", "breakdown_value": "total",
        "numerator": None if hidden or weeks else rounded[0], "denominator": None if hidden else rounded[1],
        "value": 23.4 - above / 100 if weeks else share, "status": "c" if hidden else "",
    }  # fmt: skip


def _frame() -> pl.DataFrame:
    rows = []
    measures = {row["measure"]: row for row in _seed("indicator_measures")}
    for place, one in enumerate(ASKED["questions"]):
        measure, kind = one["measure"], measures[one["measure"]]["headline_period"]
        # One question has small numbers, one has none at all.
        if measure == "C05":
            continue
        of = 6 if measure == "T06" else 400 + place
        for year in (2024, 2025, 2026):
            start, end = {
                "academic_year": (date(year - 1, 8, 1), date(year, 7, 31)),
                "month": (date(year, 9, 1), date(year, 9, 30)),
                "month_end": (date(year, 9, 30), date(year, 9, 30)),
                "as_of": (date(year, 10, 30), date(year, 10, 30)),
                "sen2_return": (date(year, 1, 15), date(year, 1, 15)),
                "transfer_to_15_february": (date(year, 1, 1), date(year, 2, 15)),
            }.get(kind, (date(year, 1, 1), date(year, 12, 31)))
            if kind != "as_of" or year == AS_OF.year:
                rows.append(_figure(measure, kind, start, end, of * (30 + place + 7 * (year % 3)) // 100, of))
            if kind == "as_of":
                rows.append(_figure(measure, "month_end", date(year, 9, 30), date(year, 9, 30), of // 3, of))
    return pl.DataFrame(rows, infer_schema_length=None)


def _facts(connection: psycopg.Connection) -> None:
    """What is published, as the models have it, from the project's own seeds."""
    latest = {
        row["measure"]: row
        for row in sorted(_seed("benchmarks"), key=lambda row: row["period_to_on"])
        if row["geography_type"] == "country" and row["value"]
    }
    connection.execute("create schema returns; create schema marts")
    connection.execute(
        "create table returns.return_area_send_evidence__indicator (partnership text, failing_code text, measure text,"
        " unit text, better text, headline_period text, country_value numeric, benchmark_to_on date,"
        " benchmark_source text)"
    )
    for row in _seed("indicator_measures"):
        known = latest.get(row["measure"], {})
        connection.execute(
            "insert into returns.return_area_send_evidence__indicator"
            " values ('hertfordshire', 'F01', %s, %s, %s, %s, %s, %s, %s)",
            [row["measure"], row["unit"], row["better"], row["headline_period"], known.get("value"),
             known.get("period_to_on"), known.get("source")],
        )  # fmt: skip
    connection.execute(
        "create table marts.mart_benchmark (partnership text, geography_type text, geography_code text,"
        " geography_name text)"
    )
    for row in _seed("benchmarks"):
        connection.execute(
            "insert into marts.mart_benchmark values ('hertfordshire', %s, %s, %s)",
            [row["geography_type"], row["geography_code"], row["geography_name"]],
        )


@pytest.fixture(scope="module")
def folder(module_database: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorecard")
    proof = Evidence(Run("r1", "hertfordshire", AS_OF, "0.1.0+test", "0" * 64), [], [], [], [], [])
    with connect(module_database) as connection:
        _facts(connection)
        job = Job(connection, declarations.load("public_scorecard"), proof, 1, True, Figures(_frame()))
        for name in ("first", "again"):
            (folder / name).mkdir()
            counts = public_scorecard.render(job, folder / name)
            assert counts["questions"] == len(ASKED["questions"]) >= 10
    return folder / "first"


class _Text(HTMLParser):
    """The words of a page, a paragraph or item to each."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = [""]
        self._aside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._aside += tag in ("style", "svg")
        if tag in ("p", "li", "h1", "h2", "h3", "dd", "dt", "figcaption", "title"):
            self.parts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._aside -= tag in ("style", "svg")

    def handle_data(self, data: str) -> None:
        if not self._aside:
            self.parts[-1] += data


@pytest.fixture(scope="module")
def parts(folder: Path) -> list[str]:
    reader = _Text()
    reader.feed((folder / "public_scorecard.html").read_text(encoding="utf-8"))
    return [" ".join(part.split()) for part in reader.parts if part.strip()]


def test_the_page_says_what_the_figures_say(parts: list[str]) -> None:
    text = "\n".join(parts)
    assert REHEARSAL in text
    assert "out of every 100 new plans were ready on time." in text
    assert "We do not have this number yet. No record that reaches us tells it." in text
    assert "The numbers are small. We hide them so that nobody can find out about one child." in text
    assert "Source: Department for Education, Education, health and care plans." in text


def test_a_child_of_ten_can_read_it(parts: list[str]) -> None:
    sentences = [
        sentence
        for part in parts
        if REHEARSAL not in part and "Source:" not in part and "run r1" not in part
        for sentence in re.split(r"(?<=[.?!:])\s+", part)
    ]
    lengths = [len(sentence.split()) for sentence in sentences]
    assert len(lengths) > 150
    assert max(lengths) <= 22, max(sentences, key=lambda sentence: len(sentence.split()))
    assert sum(lengths) / len(lengths) <= 11
    assert not [part for part in parts if JARGON.search(part) and "Source:" not in part]


def test_no_figure_is_there_that_may_not_be(folder: Path, parts: list[str]) -> None:
    shown = {number for name in ("numerator", "denominator") for number in _frame()[name].drop_nulls().to_list()}
    for part in parts:
        for number in re.findall(r"about ([\d,]+)", part):
            assert int(number.replace(",", "")) in shown, part
    for path in sorted(folder.glob("data_*.csv")):
        if not path.name.endswith(".meta.csv"):
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
                for name in ("cases_count", "total_count"):
                    assert row[name] in ("c", "x", "z", "low") or int(row[name]) % 5 == 0
    assert not re.search(r"\b[1-7] (children|plans|families)", "\n".join(parts))


def test_the_page_asks_for_nothing_else(folder: Path) -> None:
    page = (folder / "public_scorecard.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', page)
    assert "url(" not in page


def test_two_renderings_are_the_same_bytes(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    assert "public_scorecard.html" in names
    for name in names:
        assert (folder.parent / "again" / name).read_bytes() == (folder / name).read_bytes(), name


# DfE, Analysts' Guide, "Open Data Standards" (statistics production): allowed time values and their digits.
TIMES = {
    "Calendar year": r"\d{4}", "Reporting year": r"\d{4}", "Academic year": r"\d{6}",
    **dict.fromkeys(MONTHS, r"\d{4}"),
}  # fmt: skip
REQUIRED = ("time_period", "time_identifier", "geographic_level", "country_code", "country_name")
OF_A_COUNCIL = ("region_code", "region_name", "new_la_code", "old_la_code", "la_name")
META = (
    "col_name", "col_type", "label", "indicator_grouping", "indicator_unit", "indicator_dp", "filter_hint",
    "filter_grouping_column",
)  # fmt: skip


def test_the_open_data_follow_the_standard_of_the_dfe(folder: Path) -> None:
    files = [path for path in sorted(folder.glob("*.csv")) if not path.name.endswith(".meta.csv")]
    assert [path.stem for path in files] == [
        "data_academic_year", "data_calendar_year", "data_month", "data_reporting_year",
    ]  # fmt: skip
    for path in files:
        assert re.fullmatch(r"[a-z0-9_-]{1,50}\.csv", path.name)
        content = path.read_bytes()
        assert not content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(content.decode().splitlines()))
        with path.with_suffix(".meta.csv").open(encoding="utf-8", newline="") as file:
            meta = list(csv.DictReader(file))
        columns = list(rows[0])
        assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,34}", name) for name in columns)
        assert set(REQUIRED + OF_A_COUNCIL) <= set(columns)
        assert tuple(meta[0]) == META
        own = {row["col_name"]: row for row in meta}
        grouping = {row["filter_grouping_column"] for row in meta} - {""}
        assert set(columns) - set(REQUIRED + OF_A_COUNCIL) == own.keys() | grouping
        assert not own.keys() & grouping
        kinds = {row["time_identifier"] for row in rows}
        assert len(kinds) == 1 or kinds <= set(MONTHS)
        for row in meta:
            assert row["col_type"] in ("Filter", "Indicator")
            assert row["label"]
            assert row["indicator_unit"] in ("", "%", "£", "£m", "pp")
            if row["col_type"] == "Filter":
                assert not row["indicator_unit"] + row["indicator_dp"] + row["indicator_grouping"]
        for row in rows:
            assert re.fullmatch(TIMES[row["time_identifier"]], row["time_period"])
            if len(row["time_period"]) == 6:
                assert (int(row["time_period"][:4]) + 1) % 100 == int(row["time_period"][4:])
            assert (row["geographic_level"], row["country_code"]) == ("Local authority", "E92000001")
            assert [row[name] for name in OF_A_COUNCIL] == [
                "E12000006", "East of England", "E10000015", "919", "Hertfordshire",
            ]  # fmt: skip
            for name, one in own.items():
                if one["col_type"] == "Indicator":
                    assert re.fullmatch(r"\d+(\.\d)?|[cxz]|low", row[name]), (path.name, name)
                else:
                    assert row[name] == row[name].strip() != ""
        # A row is one observation: no two have time, place and filters alike.
        keys = [
            tuple(value for name, value in row.items() if name not in own or own[name]["col_type"] == "Filter")
            for row in rows
        ]
        assert len(set(keys)) == len(keys)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: tests/system_packages.sh names it")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_it_passes_the_checks_of_wcag_2_2_aa(folder: Path, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "public_scorecard.html").as_uri())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20
    assert len(asked) == 1
    page.close()


def test_it_fits_the_narrowest_phone(folder: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.goto((folder / "public_scorecard.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()


def test_what_has_the_focus_is_not_under_the_banner(folder: Path, browser: Browser) -> None:
    """WCAG 2.4.11: a link that lies under the banner when it gets the focus comes out from under it."""
    page = browser.new_page(viewport={"width": 1280, "height": 400})
    page.goto((folder / "public_scorecard.html").as_uri())
    seen, under = page.evaluate(
        """() => {
            const links = [...document.querySelectorAll("a:not(.skip)")];
            const banner = document.querySelector(".rehearsal");
            return [links.length, links.filter(link => {
                scrollTo(0, scrollY + link.getBoundingClientRect().top - 5);
                link.focus();
                return link.getBoundingClientRect().top < banner.getBoundingClientRect().bottom;
            }).map(link => link.textContent)];
        }"""
    )
    assert seen > 10
    assert under == []
    page.close()
