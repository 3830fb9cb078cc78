"""What suppliers are given is made from the contracts, says all of them, and comes back as a delivery that is taken."""

import importlib.resources
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import jsonschema
import openpyxl
import polars as pl
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from send_returns import cli, feeds
from send_returns.feeds import guides

SUPPLIERS = Path(__file__).parents[2] / "docs/suppliers"
ALL = feeds.feeds()
LOCAL = [feed for feed in ALL if feed.format == "local"]
Run = Callable[..., tuple[int, str, str]]
FILLED = {"string": "1", "date": "31/12/2025", "timestamp": "31/12/2025 10:00", "integer": 1, "boolean": "yes"}


def contents(name: str, content: bytes) -> dict[str, bytes]:
    """A workbook's parts, because how small they are packed is not ours; any other file as it is."""
    if not name.endswith(".xlsx"):
        return {name: content}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {part: archive.read(part) for part in archive.namelist()}


def test_what_is_committed_is_what_the_contracts_say() -> None:
    made = guides.files(ALL)
    assert {path.name for path in SUPPLIERS.iterdir()} == set(made)
    stale = [name for name in made if contents(name, made[name]) != contents(name, (SUPPLIERS / name).read_bytes())]
    assert stale == [], "run `send-returns contract publish`"


def test_every_feed_is_in_the_index_and_every_local_one_has_a_guide_and_a_workbook() -> None:
    made = guides.files(ALL)
    index = made["README.md"].decode()
    assert [line.split("`")[1] for line in index.splitlines() if "| `" in line or "[`" in line] == [f.id for f in ALL]
    assert set(made) == {"README.md"} | {f"{feed.id}.{kind}" for feed in LOCAL for kind in ("md", "xlsx")}


def test_the_same_contract_is_the_same_bytes() -> None:
    assert guides.template(LOCAL[0]) == guides.template(LOCAL[0])


@pytest.mark.parametrize("feed", LOCAL, ids=lambda feed: feed.id)
def test_a_workbook_that_is_filled_in_is_taken(feed: feeds.Feed, tmp_path: Path) -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(guides.template(feed)))
    for table in feed.tables:
        sheet = workbook[table.name]
        for place, column in enumerate(table.columns, start=1):
            value = next(iter(column.codes)) if column.codes else FILLED[column.type]
            sheet.cell(2, place, value)
    path = tmp_path / "filled.xlsx"
    workbook.save(path)
    name = next(line for line in guides.guide(feed).splitlines() if line.startswith("3. ")).split("`")[1]
    delivery = feeds.Delivery(feed, name, [feeds.examine(path, name)])
    batches = list(delivery.batches())
    assert {table: (counts.loaded, counts.quarantined) for table, counts in delivery.counts.items()} == {
        table.name: (1, 0) for table in feed.tables
    }
    findings = pl.concat([batch.findings for batch in batches])
    # What was filled in has no check digits, and the guide and the codes are no tables.
    assert set(findings["rule"]) <= {"F03", "F14"}
    loaded = {batch.table.name: batch.loaded for batch in batches if batch.loaded.width}
    for table in feed.tables:
        assert loaded[table.name].drop("_extra").null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("feed", LOCAL, ids=lambda feed: feed.id)
def test_a_blank_workbook_offers_each_code_and_says_of_each_column_what_it_is(feed: feeds.Feed) -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(guides.template(feed)))
    for table in feed.tables:
        sheet = workbook[table.name]
        offered = {str(rule.sqref).split(":")[0]: rule.formula1 for rule in sheet.data_validations.dataValidation}
        for place, column in enumerate(table.columns, start=1):
            heading = sheet.cell(1, place)
            assert heading.value == column.header
            assert heading.comment is not None
            assert column.description in heading.comment.text
            if column.codes is not None:
                cells = workbook["Codes"][offered[sheet.cell(2, place).coordinate].partition("!")[2].replace("$", "")]
                listed = cells if isinstance(cells, tuple) else ((cells,),)
                assert [row[0].value for row in listed] == list(column.codes)


@pytest.mark.parametrize("feed", ALL, ids=lambda feed: feed.id)
def test_a_guide_says_of_every_column_what_it_is(feed: feeds.Feed) -> None:
    guide = guides.guide(feed)
    for table in feed.tables:
        for column in table.columns:
            assert f"| `{column.header}` | {column.description.replace('|', chr(92) + '|')} |" in guide
    for said in (feed.supplier, feed.minimisation, feed.lawful_basis, feed.due.words[1:]):
        assert said in guide


@pytest.mark.parametrize("feed", ALL, ids=lambda feed: feed.id)
def test_the_whole_contract_is_valid_and_read_back_by_the_standards_own_library(feed: feeds.Feed) -> None:
    described = feeds.describe(feed.id)
    text = guides.as_yaml(described)
    schema = json.loads((importlib.resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(text), schema)
    contract = OpenDataContractStandard.from_string(text)
    assert contract.version == feed.version
    tables = contract.schema_ or []
    assert [[p.name for p in table.properties or []] for table in tables] == [
        [column.name for column in table.columns] for table in feed.tables
    ]
    said = {item.property: item.value for item in contract.customProperties or []}
    codes = [column.codes for table in feed.tables for column in table.columns if column.codes is not None]
    assert all(listed in said["code_lists"].values() for listed in codes)


@pytest.fixture
def send_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program; returns its exit code, what it said and what it complained of."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path / "home"))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["send-returns", "contract", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_contract_of_a_year_is_shown(send_returns: Run) -> None:
    code, before, _ = send_returns("show", "sen2", "--year", "2024")
    assert (code, "requestsource" in before, "2024.1.0" in before) == (0, False, True)
    code, after, _ = send_returns("show", "sen2")
    assert (code, "requestsource" in after, "Changed 2025" in after) == (0, True, True)
    for column in (column for table in feeds.load("sen2").tables for column in table.columns):
        assert column.name in after
    code, text, _ = send_returns("show", "sen2", "--year", "2024", "--format", "yaml")
    assert OpenDataContractStandard.from_string(text).version == "2024.1.0"


def test_every_feed_is_listed(send_returns: Run) -> None:
    code, said, _ = send_returns("list")
    assert code == 0
    assert all(feed.id in said for feed in ALL)


def test_drift_that_was_accepted_here_is_shown(send_returns: Run, tmp_path: Path) -> None:
    path = tmp_path / "home/contracts/ehe_register/1-x.yml"
    path.parent.mkdir(parents=True)
    operations = [{"add_synonym": {"table": "child", "column": "surname", "synonym": "Nachname"}}]
    change = {"feed": "ehe_register", "year": 2026, "reason": "Because", "source": "S", "operations": operations}
    path.write_text(yaml.safe_dump(change))
    _, said, _ = send_returns("show", "ehe_register")
    assert "Nachname" in said
    assert "Because" in said


def test_guide_and_template_are_those_of_the_contract(send_returns: Run, tmp_path: Path) -> None:
    code, said, _ = send_returns("guide", "disputes")
    assert (code, said) == (0, guides.guide(feeds.load("disputes")))
    code, said, _ = send_returns("template", "disputes", "--out", str(tmp_path / "new"))
    assert (code, said) == (0, f"{tmp_path / 'new' / 'disputes.xlsx'}\n")
    assert (tmp_path / "new/disputes.xlsx").read_bytes() == guides.template(feeds.load("disputes"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "nothing"), "There is no contract of nothing"),
        (("show", "../codes"), r"There is no contract of ../codes"),
        (("guide", "nothing"), "There is no contract of nothing"),
        (("show", "sen2", "--year", "2020"), "described from 2024 on"),
        (("template", "sen2"), "sen2 has a national format"),
        (("template", "disputes", "--out", "/dev/null/x"), "cannot be written to"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(send_returns: Run, words: tuple[str, ...], why: str) -> None:
    code, said, complaint = send_returns(*words)
    assert (code, said) == (1, "")
    assert complaint.startswith("Failure: ")
    assert complaint.count("\n") == 1
    assert why in complaint
