"""The health contracts: a pseudonymised copy stays apart from the provider's own, and what indicators need is there."""

import importlib.resources
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
import yaml

from send_returns import feeds
from send_returns.feeds import source
from send_returns.feeds.delivery import Delivery

PROVIDERS = {"csds": "cyp001mpi", "mhsds": "mhs001mpi"}


def _identity(feed: str) -> dict[str, str]:
    path = importlib.resources.files("send_returns.feeds") / "contracts" / "icb" / f"{feed}.yaml"
    custom = yaml.safe_load(path.read_text(encoding="utf-8"))["customProperties"]
    found: dict[str, str] = next(item["value"] for item in custom if item["property"] == "identity")
    return found


@pytest.mark.parametrize("feed", PROVIDERS)
def test_contract_names_both_routes_to_a_child_by_columns_that_it_has(feed: str) -> None:
    routes = _identity(feed)
    assert set(routes) == {"provider_feed", "pseudonym_column"}
    for route in routes.values():
        table, _, column = route.partition(".")
        assert column in {c.name for c in feeds.load(feed).table(table).columns}


@pytest.mark.parametrize(
    ("feed", "header", "number", "pseudonym"),
    [
        (
            "mhsds",
            "LocalPatientId,NHSNumber Pseudo,PersonBirthDate Pseudo,Postcode Pseudo,NHSNumberStatus,GenderIDCode,"
            "EthnicCategory,RecordNumber,OrgIDProv,ReportingPeriodStartDate,ReportingPeriodEndDate",
            "nhsnumber",
            "nhs_number_pseudo",
        ),
        (
            "csds",
            "LOCAL PATIENT IDENTIFIER (EXTENDED),NHS NUMBER Pseudo,DateOfBirth Pseudo,Postcode Pseudo,ETHNIC CATEGORY,"
            "PERSON STATED GENDER CODE,LOOKED AFTER CHILD INDICATOR,RECORD NUMBER,"
            "ORGANISATION IDENTIFIER (CODE OF PROVIDER),REPORTING PERIOD START DATE,REPORTING PERIOD END DATE",
            "nhs_number",
            "nhs_number_pseudo",
        ),
    ],
)
def test_pseudonym_lands_beside_the_nhs_number_and_never_in_it(
    tmp_path: Path, feed: str, header: str, number: str, pseudonym: str
) -> None:
    table = PROVIDERS[feed]
    cells = ["L1", "9990000018", "4F2A", "9C1E", "A" if feed == "csds" else "01", "1", "Y", "7", "RY4"]
    cells += ["2026-10-01", "2026-10-31"]
    path = tmp_path / f"{table}.csv"
    path.write_text(header + "\n" + ",".join(cells) + "\n")
    contract = feeds.load(feed)
    batches = list(Delivery(contract, f"{feed}_2026-10", [source.examine(path)]).batches())
    (loaded,) = [batch.loaded for batch in batches if batch.table.name == table and batch.loaded.height]
    assert loaded[pseudonym].to_list() == ["9990000018"]
    assert loaded[number].to_list() == [None]
    dates = [column.name for column in contract.table(table).columns if column.name.endswith("birth_date_pseudo")]
    assert [loaded[name].to_list() for name in dates] == [["4F2A"]]
    stood_for = {column.alternative_to for column in contract.table(table).columns if column.alternative_to}
    assert len(stood_for) == 3
    assert not stood_for & _absent(batches)


def _absent(batches: list[feeds.Checked]) -> set[str]:
    """The columns that a delivery is told to lack."""
    found = pl.concat([batch.findings for batch in batches])
    return {fields[0] for rule, fields in found.select("rule", "fields").iter_rows() if rule == "F08"}


@pytest.mark.parametrize("feed", PROVIDERS)
def test_a_copy_lacks_neither_its_pseudonyms_nor_its_numbers_but_both_together(tmp_path: Path, feed: str) -> None:
    contract, table = feeds.load(feed), PROVIDERS[feed]
    columns = contract.table(table).columns
    stands_for = {column.name: column.alternative_to for column in columns if column.alternative_to}
    assert set(stands_for.values()) < {column.name for column in columns}
    path = tmp_path / f"{table}.csv"
    for left_out, told in (
        (set(stands_for), set()),
        ({*stands_for, *stands_for.values()}, {*stands_for, *stands_for.values()}),
    ):
        sent = [column for column in columns if column.name not in left_out]
        cells = {"date": "2026-10-01", "timestamp": "2026-10-01 09:00:00"}
        rows = [",".join(column.header for column in sent), ",".join(cells.get(column.type, "1") for column in sent)]
        path.write_text("\n".join(rows) + "\n")
        batches = list(Delivery(contract, f"{feed}_2026-10", [source.examine(path)]).batches())
        assert _absent(batches) == told


@pytest.mark.parametrize(
    ("indicator", "feed", "columns"),
    [
        ("help within four weeks", "mhsds", {"referralrequestreceiveddate", "servdischdate", "carecontdate"}),
        ("its outcome, plan and intervention", "mhsds", {"codedasstooltype", "careplancreatdate", "procedure"}),
        ("eating disorders, urgent and routine", "mhsds", {"clinrespprioritytype", "servteamtype"}),
        ("autism: waits and diagnoses", "mhsds", {"primreasonreferralmh", "attendstatus", "primdiag", "diagdate"}),
        (
            "community waits by service",
            "csds",
            {
                "referral_request_received_date",
                "service_or_team_type_referred_to_community_care",
                "care_contact_date",
                "coded_procedure_clinical_terminology",
            },
        ),
        ("NHS number traced", "nhs_number_trace", {"trace_outcome", "la_child_id"}),
        ("review before admission", "dynamic_support_register", {"admitted_on", "held_on", "kind", "is_autistic"}),
        ("advice in six weeks", "health_advice", {"requested_on", "due_on", "received_on"}),
        ("notifications of young children", "health_advice", {"notified_on", "replied_on"}),
        ("gap between districts", "postcode_lookup", {"pcds", "oslaua"}),
        ("rates per thousand", "population", {"ladcode", "sex", "age", "population"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_columns_of_each_health_indicator_are_asked_for(indicator: str, feed: str, columns: set[str]) -> None:
    asked = {column.name for table in feeds.load(feed).tables for column in table.columns}
    assert columns <= asked, indicator


def test_register_and_its_reviews_come_as_two_sheets_of_one_workbook(tmp_path: Path) -> None:
    feed = feeds.load("dynamic_support_register")
    path = tmp_path / "dynamic_support_register_2026-10.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        for name, kind in (("Register", "register"), ("C(E)TRs", "ctr")):
            sheet = workbook.add_worksheet(name)
            columns = feed.table(kind).columns
            sheet.write_row(0, 0, [column.header for column in columns])
            values = {"date": "01/02/2026", "boolean": "yes", "string": "R1"}
            sheet.write_row(1, 0, [values[column.type] for column in columns])
    delivery = Delivery(feed, path.name, [source.examine(path)])
    assert sum(batch.loaded.height for batch in delivery.batches()) == 2
    assert {name: counts.loaded for name, counts in delivery.counts.items()} == {"register": 1, "ctr": 1}
    assert delivery.period.key == "2026-10"
