"""The reading guide of a pack: that it says all that its reader needs, to everyone, and no count that is hidden."""

import html
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from send_returns.returns import declarations, guide
from send_returns.returns.evidence import Delivery, Evidence, RuleResult, Run
from send_returns.returns.job import REHEARSAL, Job

AS_OF = date(2026, 11, 24)
NAMES = [one.return_name for one in declarations.load_all()]
FILES = {"area_send_annex_a": ["List_1.csv", "area_send_annex_a.xlsx"], "sen2": ["SEN2_919_2026.xml", "findings.csv"]}
CHROMIUM = shutil.which("chromium")


def _job(name: str, *, is_rehearsal: bool = False) -> Job:
    declaration = declarations.load(name)
    rules = [
        RuleResult("R1", declaration.rules_suite, "error", "pass", 0, 60, "any", "A date is missing."),
        RuleResult("R2", declaration.rules_suite, "query", "fail", 6173, 9999, "never", "A date is <before> birth."),
    ]
    run = Run("r0123456789abcdef", "hertfordshire", AS_OF, "0.1.0+test", "ab" * 32)
    delivery = Delivery(1, "icb", "csds", "7", "2026", date(2026, 10, 31), "04" * 32, 4321, 4321, 0, 0)
    # A guide asks the database nothing.
    connection = cast("Any", None)
    proof = Evidence(run, [delivery], [], [], [], rules)
    return Job(connection, declaration, proof, version=3, is_rehearsal=is_rehearsal, figures=None)


def _guide(name: str, folder: Path, *, is_rehearsal: bool = False) -> str:
    folder.mkdir()
    for file in FILES.get(name, [f"{name}.xlsx"]):
        (folder / file).touch()
    guide.write(_job(name, is_rehearsal=is_rehearsal), folder, {"List_1": 5381, "person": 5381, "Open": 5381})
    return html.unescape((folder / guide.FILE).read_bytes().decode())


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_the_pack_is_and_how_to_check_and_ask(name: str, tmp_path: Path) -> None:
    said, one = _guide(name, tmp_path / "pack"), declarations.load(name)
    release = f"{name}-hertfordshire-2026-11-24-v3"
    for text in (
        *(one.title, one.purpose, one.audience, one.recipients_role, one.period, one.deadline, one.contact),
        *(one.disclosure.statement, *one.limits, *one.lists, *one.lists.values()),
        *("24 November 2026", "r0123456789abcdef", "0.1.0+test", one.version(AS_OF), "csds", "04" * 8),
        *("sha256sum --check SHA256SUMS", "verify_pack.py FOLDER --key", f"send-returns trace {release} --"),
        *("2 rules were run, and every row passed 1 of them", "A date is <before> birth."),
        *FILES.get(name, [f"{name}.xlsx"]),
    ):
        assert text in said, text
    assert REHEARSAL not in said
    assert "5,381" in said


@pytest.mark.parametrize("name", NAMES)
def test_it_counts_failing_rows_only_where_the_rows_are_in_the_pack(name: str, tmp_path: Path) -> None:
    is_statistical = declarations.load(name).disclosure.policy == "rounded"
    said = _guide(name, tmp_path / "pack")
    assert ("6,173" in said) is not is_statistical
    assert "4321" not in said
    assert "4,321" not in said


def test_a_file_is_told_by_its_name_before_its_ending(tmp_path: Path) -> None:
    assert "Every row that failed a rule" in _guide("sen2", tmp_path / "sen2")
    assert "A table of the return" in _guide("area_send_annex_a", tmp_path / "lists")


def test_every_column_of_a_list_is_told_with_its_limit(tmp_path: Path) -> None:
    said, one = _guide("area_send_annex_a", tmp_path / "pack"), declarations.load("area_send_annex_a")
    assert isinstance(one, declarations.ListDeclaration)
    for column in one.columns.values():
        assert column.source in said
        assert column.rule in said
        assert column.limit in said


def test_the_same_job_makes_the_same_bytes_and_a_rehearsal_says_so(tmp_path: Path) -> None:
    assert _guide("sen2", tmp_path / "one") == _guide("sen2", tmp_path / "two")
    said = _guide("sen2", tmp_path / "three", is_rehearsal=True)
    assert REHEARSAL in said
    assert "REHEARSAL.txt" in said
    # For the CSVs, which have no place for it.
    assert (tmp_path / "three" / "REHEARSAL.txt").read_text().startswith(REHEARSAL)
    assert not (tmp_path / "two" / "REHEARSAL.txt").exists()


def test_a_rule_that_could_not_run_is_told(tmp_path: Path) -> None:
    job = _job("sen2")
    broken = replace(job.proof.rules[1], outcome="error", failing_rows=None)
    guide.write(replace(job, proof=replace(job.proof, rules=[broken])), tmp_path, {})
    assert "could not run" in (tmp_path / guide.FILE).read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to read the page with")
def test_everybody_can_read_it(tmp_path: Path) -> None:
    for name in ("area_send_annex_a", "public_scorecard"):
        _guide(name, tmp_path / name)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 320, "height": 800})
        for name in ("area_send_annex_a", "public_scorecard"):
            page.goto((tmp_path / name / guide.FILE).as_uri())
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") == 320
        browser.close()
