"""The council's own registers land whole, agree with one another and with SEN2, and hold no day that is to come."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from python_calamine import load_workbook

from send_returns import feeds
from send_returns.simulate import simulate
from send_returns.simulate.population import calibration

AS_OF, EXTRACT = date(2026, 10, 30), date(2026, 9, 30)
CENSUS = date(2026, 1, 15)
CHILDREN, COUNTY = 2000, 36_500
FEEDS = (
    "ehc_casework", "ap_census", "part_time_timetables", "short_breaks", "disputes", "contact_log", "plan_audit",
    "improvement_plan", "post16",
)  # fmt: skip
# In each row of a table these days follow one another, where they are given.
ORDERS = {
    "case": ["received_on", "assess_decided_on", "draft_on", "issue_decided_on"],
    "advice": ["requested_on", "received_on"],
    "plan": ["draft_on", "final_on", "replaced_on"],
    "review": ["invited_on", "meeting_on", "decided_on", "draft_on", "amended_final_on"],
    "panel_decision": ["referred_on", "decided_on", "placed_on"],
    "correction": ["reported_on", "decided_on"],
    "pupil": ["DOB", "EntryDate", "LeavingDate"],
    "timetable": ["started_on", "reviewed_on", "last_reviewed_on", "ended_on"],
    "request": ["date_of_birth", "requested_on", "assessed_on", "decided_on", "started_on"],
    "package": ["started_on", "ended_on"],
    "complaint": ["received_on", "acknowledged_on", "replied_on", "closed_on"],
    "mediation": ["decision_on", "contacted_on", "told_on", "held_on", "certificate_on"],
    "appeal": ["decision_on", "registered_on", "closed_on", "complied_on"],
    "ombudsman": ["received_on", "decided_on", "remedied_on"],
    "enquiry": ["received_on", "answered_on"],
    "sendiass_case": ["opened_on", "closed_on"],
    "action": ["started_on", "completed_on"],
    "participation": ["started_on", "ended_on"],
    "supported_internship": ["started_on", "ended_on"],
}
# The rule of tables that have fewer rows than are expected.
SMALL = "F18"
# Days that may come after the extract: they are due, or planned, or were fixed for later.
TO_COME = {"due_on", "planned_end_on", "order_due_on", "remedy_due_on", "hearing_on", "transfer_on", "invited_on"}
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The council's folder of the inbox of a county at one level of mess."""
    made: dict[str, Path] = {}

    def make(mess: str) -> Path:
        if mess not in made:
            made[mess] = tmp_path_factory.mktemp(mess)
            simulate(made[mess], children=CHILDREN, seed=7, as_of=AS_OF, mess=mess, sen2_format="csv")
        return made[mess] / "inbox" / "council"

    return make


@pytest.fixture(scope="module")
def tables(county: Make) -> dict[str, pl.DataFrame]:
    """Every table of the nine feeds of the tidy county, by its name, all text."""
    return {name: frame for feed in FEEDS for name, frame in _tables(county("none") / feed, feed)}


def _tables(folder: Path, feed: str) -> Iterator[tuple[str, pl.DataFrame]]:
    known = [table.name for table in feeds.load(feed).tables]
    for file in folder.glob("*/*"):
        if file.suffix == ".xlsx":
            with load_workbook(file) as workbook:
                for name in workbook.sheet_names:
                    first, *rows = workbook.get_sheet_by_name(name).to_python()
                    yield name, pl.DataFrame(rows, schema=[str(cell) for cell in first], orient="row")
        else:
            frame = pl.read_csv(file, infer_schema=False)
            yield next((name for name in known if file.stem.endswith(f"_{name}")), known[0]), frame


def _delivery(place: Path) -> tuple[feeds.Delivery, pl.DataFrame]:
    """A delivery taken to its end, and its findings."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    delivery = feeds.Delivery(feeds.load(place.parent.name), place.name, [feeds.examine(file) for file in files], "919")
    return delivery, pl.concat(batch.findings for batch in delivery.batches())


def _day(text: str) -> date:
    return datetime.strptime(text[:10], "%Y-%m-%d" if text[4:5] == "-" else "%d/%m/%Y").date()  # noqa: DTZ007


@pytest.mark.parametrize("feed", FEEDS)
def test_a_tidy_delivery_has_nothing_to_find(county: Make, feed: str) -> None:
    (place,) = (county("none") / feed).iterdir()
    delivery, findings = _delivery(place)
    # That there are few rows is so: the contracts expect those of a whole county.
    assert set(findings["rule"]) <= {SMALL}
    assert set(delivery.counts) == {table.name for table in feeds.load(feed).tables}
    assert all(counts.loaded and not counts.quarantined for counts in delivery.counts.values())
    assert delivery.period.reference_on == (CENSUS if feed == "ap_census" else EXTRACT)


@pytest.mark.parametrize("mess", ["realistic", "hostile"])
@pytest.mark.parametrize("feed", FEEDS)
def test_an_untidy_delivery_is_accepted_with_findings(county: Make, feed: str, mess: str) -> None:
    tidy, untidy = ((county(level) / feed).glob(f"{feed}_20*") for level in ("none", mess))
    (clean,), (place,) = tidy, untidy
    delivery, findings = _delivery(place)
    rows = sum(counts.rows_in for counts in delivery.counts.values())
    assert findings.filter(pl.col("severity") == "error").height <= 0.05 * rows
    assert sum(counts.quarantined for counts in delivery.counts.values()) == 0
    if rows > 500:
        before = sorted(file.read_bytes() for file in clean.iterdir())
        assert before != sorted(file.read_bytes() for file in place.iterdir())


def test_mess_is_found(county: Make) -> None:
    rules = Counter[str]()
    for feed in FEEDS:
        for place in (county("realistic") / feed).iterdir():
            rules.update(_delivery(place)[1]["rule"])
    assert {"F01", "F02", "F03"} <= rules.keys()


def test_every_column_of_the_contract_is_in_the_file(tables: dict[str, pl.DataFrame]) -> None:
    for feed in FEEDS:
        for table in feeds.load(feed).tables:
            assert len(tables[table.name].columns) == len(table.columns), table.name


@pytest.mark.parametrize("feed", FEEDS)
def test_a_whole_county_would_send_as_many_rows_as_the_contract_expects(
    tables: dict[str, pl.DataFrame], feed: str
) -> None:
    scale = 1 if feed == "improvement_plan" else COUNTY / CHILDREN
    for name, bounds in feeds.load(feed).volume.items():
        assert bounds.least <= tables[name].height * scale <= bounds.most, name


@pytest.mark.parametrize("name", ORDERS)
def test_days_follow_one_another(tables: dict[str, pl.DataFrame], name: str) -> None:
    compared = 0
    for row in tables[name].select(ORDERS[name]).iter_rows():
        given = [_day(cell) for cell in row if cell]
        assert given == sorted(given)
        compared += len(given) > 1
    assert compared


def test_no_day_is_after_the_extract(tables: dict[str, pl.DataFrame]) -> None:
    compared = 0
    for name, frame in tables.items():
        for column in frame.columns:
            if column.endswith("_on") and column not in TO_COME:
                days = [_day(cell) for cell in frame[column] if cell]
                assert not days or max(days) <= EXTRACT, (name, column)
                compared += len(days)
    assert compared > 10_000


@pytest.mark.parametrize(
    ("child", "parent", "column"),
    [
        ("advice", "case", "case_id"),
        ("plan", "case", "case_id"),
        ("panel_decision", "case", "case_id"),
        ("review", "plan", "plan_id"),
        ("correction", "plan", "plan_id"),
        ("audit", "plan", "plan_id"),
        ("package", "request", "request_id"),
        ("delivery", "package", "package_id"),
        ("milestone", "action", "action_id"),
        ("advice", "case", "la_child_id"),
        ("review", "plan", "la_child_id"),
        ("supported_internship", "participation", "la_child_id"),
    ],
)
def test_what_a_row_names_is_there(tables: dict[str, pl.DataFrame], child: str, parent: str, column: str) -> None:
    assert set(tables[child][column]) <= set(tables[parent][column])
    assert tables[child].height


def test_the_casework_is_that_of_sen2(county: Make, tables: dict[str, pl.DataFrame]) -> None:
    (folder,) = (county("none") / "sen2").iterdir()
    requests = pl.read_csv(folder / "requests.csv", infer_schema=False)
    known = [
        (date.fromisoformat(row["receiveddate"]), date.fromisoformat(row["requestoutcomedate"]), row["requestoutcome"])
        for row in requests.filter(pl.col("requestoutcome").is_in(["Y", "N"])).iter_rows(named=True)
        if date.fromisoformat(row["requestoutcomedate"]) <= EXTRACT
    ]
    cases = tables["case"].filter(pl.col("assess_outcome").is_in(["Y", "N"]))
    held = Counter(
        (_day(row["received_on"]), _day(row["assess_decided_on"]), row["assess_outcome"])
        for row in cases.iter_rows(named=True)
    )
    assert not Counter(known) - held
    named = pl.read_csv(folder / "namedplan.csv", infer_schema=False)["startdate"]
    starts = Counter(start for text in named if (start := date.fromisoformat(text)) <= EXTRACT)
    sent = tables["plan"].filter(pl.col("final_on").is_not_null())
    recent = Counter({start: count for start, count in starts.items() if start.year >= AS_OF.year - 1})
    assert recent
    assert not recent - Counter(_day(text) for text in sent["final_on"])


def test_late_plans_wait_for_late_advice(tables: dict[str, pl.DataFrame]) -> None:
    days = {
        row["case_id"]: (_day(row["issue_decided_on"]) - _day(row["received_on"])).days
        for row in tables["case"].filter(pl.col("issue_outcome") == "Y").iter_rows(named=True)
    }
    late_of = {True: [0, 0], False: [0, 0]}
    for row in tables["advice"].filter(pl.col("received_on").is_not_null()).iter_rows(named=True):
        if row["case_id"] in days:
            counts = late_of[days[row["case_id"]] > 140]
            counts[0] += _day(row["received_on"]) > _day(row["due_on"])
            counts[1] += 1
    late, in_time = (counts[0] / counts[1] for counts in (late_of[True], late_of[False]))
    assert late > 1.5 * in_time


def test_appeals_are_as_many_as_were_published(county: Make, tables: dict[str, pl.DataFrame]) -> None:
    facts = calibration()
    active = pl.read_csv(next((county("none") / "sen2").iterdir()) / "activeplans.csv", infer_schema=False).height
    last_year = [text for text in tables["appeal"]["registered_on"] if _day(text).year == AS_OF.year - 1]
    assert len(last_year) == round(facts["appeals_registered"] * active / facts["plans"])


def test_a_small_child_has_no_number_of_a_school(tables: dict[str, pl.DataFrame]) -> None:
    young = tables["case"].filter(pl.col("upn").is_null())
    assert young.height
    assert all((EXTRACT - _day(text)).days <= 1520 for text in young["date_of_birth"])
