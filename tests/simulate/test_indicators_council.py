"""The true values of the council's indicators are those that the tidy files hold, counted here in another way."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import mean, median

import polars as pl
import pytest
from python_calamine import load_workbook

from send_returns.simulate import simulate
from send_returns.simulate.working_days import bank_holidays

AS_OF, EXTRACT = date(2026, 10, 30), date(2026, 9, 30)
YEAR = (date(2025, 1, 1), date(2025, 12, 31))
# Shares published for Hertfordshire in 2024, as DfE and MoJ have them.
IN_20_WEEKS, IN_6_WEEKS, REFUSED, APPEALED = 56.3, 98.3, 25.9, 4.4
Row = dict[str, str]
Pair = tuple[float | None, float | None]
Value = Callable[[str], Pair]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tidy county of 4,000 children with SEND."""
    folder = tmp_path_factory.mktemp("indicators")
    simulate(folder, children=4000, seed=9, as_of=AS_OF, mess="none", sen2_format="csv")
    return folder


def _truth(out: Path) -> dict[str, dict[str, float | None]]:
    return {row["indicator"]: row for row in pl.read_csv(out / "truth" / "indicator.csv").iter_rows(named=True)}


@pytest.fixture(scope="module")
def value(out: Path) -> Value:
    """Numerator and denominator of an indicator in truth/indicator.csv."""
    rows = _truth(out)
    return lambda name: (rows[name]["numerator"], rows[name]["denominator"])


@pytest.fixture(scope="module")
def rows(out: Path) -> Callable[[str, str], list[Row]]:
    """The rows of a table of a council feed; dates as ISO."""

    def read(feed: str, table: str) -> list[Row]:
        (file,) = (file for file in (out / "inbox" / "council" / feed).glob("*/*") if file.stem.endswith(table))
        return list(pl.read_csv(file, infer_schema=False).iter_rows(named=True))

    return read


Rows = Callable[[str, str], list[Row]]


def _day(text: str | None) -> date | None:
    if not text:
        return None
    return datetime.strptime(text[:10], "%Y-%m-%d" if text[4] == "-" else "%d/%m/%Y").date()  # noqa: DTZ007


def _within(text: str | None, period: tuple[date, date] = YEAR) -> bool:
    day = _day(text)
    return day is not None and period[0] <= day <= period[1]


def _took(row: Row, start: str, end: str) -> int | None:
    first, last = _day(row[start]), _day(row[end])
    return (last - first).days if first and last else None


def _in(row: Row, start: str, end: str, most: int) -> bool:
    days = _took(row, start, end)
    return days is not None and days <= most


def _pair(rows: Iterable[Row], condition: Callable[[Row], bool]) -> Pair:
    every = list(rows)
    assert every
    return sum(condition(row) for row in every), len(every)


@pytest.fixture(scope="module")
def sen2(out: Path) -> dict[str, list[Row]]:
    """The tables of the SEN2 return."""
    (folder,) = (out / "inbox" / "council" / "sen2").iterdir()
    return {file.stem: list(pl.read_csv(file, infer_schema=False).iter_rows(named=True)) for file in folder.iterdir()}


def _made_here(sen2: dict[str, list[Row]], table: str) -> list[Row]:
    """The requests or assessments of a plan that did not come from another council."""
    elsewhere = {row["requeststableid"] for row in sen2["activeplans"] if row["transferla"]}
    assert elsewhere
    return [row for row in sen2[table] if row["requeststableid"] not in elsewhere]


def _issued(sen2: dict[str, list[Row]]) -> list[Row]:
    """Assessments of which a plan came in the year, with the day of their request."""
    received = {row["requeststableid"]: row["receiveddate"] for row in sen2["requests"]}
    return [
        row | {"receiveddate": received[row["requeststableid"]]}
        for row in _made_here(sen2, "assessment")
        if row["assessmentoutcome"] == "Y" and _within(row["assessmentoutcomedate"])
    ]


def test_requests_and_plans(sen2: dict[str, list[Row]], rows: Rows, value: Value, out: Path) -> None:
    issued = _issued(sen2)
    plain = [row for row in issued if row["week20"] == "0"]
    dates = ("receiveddate", "assessmentoutcomedate")
    assert value("EHC01") == _pair(plain, lambda row: _in(row, *dates, 140))
    assert value("EHC02") == _pair(issued, lambda row: _in(row, *dates, 140))
    assert value("EHC03") == _pair(plain, lambda row: not _in(row, *dates, 364))
    assert value("EHC11") == _pair(issued, lambda row: row["week20"] == "1")
    days = [_took(row, *dates) or 0 for row in issued]
    truth = _truth(out)
    assert truth["EHC04_median"]["value"] == pytest.approx(median(days) / 7, abs=0.0501)
    assert truth["EHC04_mean"]["value"] == pytest.approx(mean(days) / 7, abs=0.0501)
    requests = _made_here(sen2, "requests")
    decided = [row for row in requests if row["requestoutcome"] in "YN" and _within(row["requestoutcomedate"])]
    assert value("EHC05") == _pair(decided, lambda row: _in(row, "receiveddate", "requestoutcomedate", 42))
    assert value("EHC09") == _pair(decided, lambda row: row["requestoutcome"] == "N")
    assert value("EHC08")[0] == sum(_within(row["receiveddate"]) for row in requests)
    (population,) = (out / "inbox" / "reference" / "population").glob("*/*.csv")
    people = pl.read_csv(population).filter(pl.col("age") < 26)
    assert value("EHC08")[1] == people[next(name for name in people.columns if name.startswith("population"))].sum()
    waiting = [
        row for row in rows("ehc_casework", "case")
        if row["route"] == "request" and row["assess_outcome"] == "Y" and not row["issue_decided_on"]
    ]  # fmt: skip
    assert value("EHC07") == _pair(waiting, lambda row: (EXTRACT - (_day(row["received_on"]) or EXTRACT)).days > 140)


def test_advice(rows: Rows, value: Value) -> None:
    advice = [row for row in rows("ehc_casework", "advice") if row["is_required"] == "Yes"]
    for name, body in (("EHC12", "educational_psychology"), ("EHC13", "health"), ("EHC14", "social_care")):
        counted = [
            row for row in advice
            if row["advice_body"] == body and not row["exception"]
            and (_within(row["due_on"]) or _within(row["received_on"]))
        ]  # fmt: skip
        assert value(name) == _pair(counted, lambda row: _in(row, "requested_on", "received_on", 42))
    of_case = defaultdict(list)
    for row in rows("ehc_casework", "advice"):
        of_case[row["case_id"]].append(row)
    drafts = [row for row in rows("ehc_casework", "case") if _within(row["draft_on"]) and row["route"] == "request"]

    def complete(case: Row) -> bool:
        asked = of_case[case["case_id"]]
        needed = [row for row in asked if row["is_required"] == "Yes"]
        return bool(asked) and all(
            (_day(row["received_on"]) or date.max) <= (_day(case["draft_on"]) or date.min) for row in needed
        )

    assert value("EHC15") == _pair(drafts, complete)


def test_reviews(rows: Rows, value: Value) -> None:
    reviews = rows("ehc_casework", "review")
    decided = [row for row in reviews if _within(row["decided_on"])]
    amended = [row for row in reviews if row["review_outcome"] == "A"]
    met = [row for row in reviews if _within(row["meeting_on"])]
    twelve = [row for row in amended if _within(str((_day(row["meeting_on"]) or date.max) + timedelta(days=84)))]
    assert value("AR02") == _pair(decided, lambda row: _in(row, "meeting_on", "decided_on", 28))
    assert value("AR03") == _pair(twelve, lambda row: _in(row, "meeting_on", "amended_final_on", 84))
    assert value("AR04") == _pair([row for row in amended if row in decided],
                                  lambda row: _in(row, "meeting_on", "draft_on", 28))  # fmt: skip
    due = [row for row in met if (_day(row["meeting_on"]) or date.max) <= EXTRACT - timedelta(days=14)]
    assert value("AR06") == _pair(due, lambda row: _in(row, "meeting_on", "report_received_on", 14))
    assert value("V02") == _pair(met, lambda row: row["participation"] in ("attended", "part_attended", "views_sent"))
    assert value("AR05")[0] == sum(
        not row["meeting_on"] and (_day(row["due_on"]) or EXTRACT) < EXTRACT for row in reviews
    )
    cases = rows("ehc_casework", "case")
    born = {row["la_child_id"]: _day(row["date_of_birth"]) or date.min for row in cases}

    plans = rows("ehc_casework", "plan")
    ceased = {row["plan_id"].split("-")[0]: day for row in plans if (day := _day(row["ceased_on"]))}

    def is_of_5(row: Row, due: date) -> bool:
        first = born[row["la_child_id"]]
        return (due.year - 5, due.month, due.day) >= (first.year, first.month, first.day)

    def is_counted(row: Row) -> bool:
        due = _day(row["due_on"]) or date.min
        if due > ceased.get(row["plan_id"].split("-")[0], date.max):
            return False
        return _within(row["due_on"]) and is_of_5(row, due)

    due = [row for row in reviews if is_counted(row)]
    numerator, denominator = _pair(
        due, lambda row: (_day(row["meeting_on"]) or date.max) <= (_day(row["due_on"]) or date.min)
    )
    # Plans that ended a year or more after they were made, and had no review at all.
    reviewed = {row["plan_id"].split("-")[0] for row in reviews}
    ended = {
        row["case_id"]: ceased[stem]
        for row in plans
        if (stem := row["plan_id"].split("-")[0]) in ceased.keys() - reviewed
    }
    made = [
        (row, issued.replace(year=issued.year + 1))
        for row in cases
        if row["case_id"] in ended and (issued := _day(row["issue_decided_on"]))
    ]
    missed = [
        row for row, due in made if YEAR[0] <= due <= YEAR[1] and due <= ended[row["case_id"]] and is_of_5(row, due)
    ]
    assert missed
    assert (numerator, (denominator or 0) + len(missed)) == value("AR01")


def test_transfers(sen2: dict[str, list[Row]], rows: Rows, value: Value) -> None:
    dates = ("phasetransferfinaldate", "phasetransferduedate")
    for name, last in (("PT01", date(2026, 2, 15)), ("PT02", date(2026, 3, 31))):
        due = [row for row in sen2["activeplans"] if _day(row["phasetransferduedate"]) == last]
        assert value(name) == _pair(due, lambda row: (_took(row, *dates) or 0) >= 0 and bool(row[dates[0]]))
    moves = [row for row in rows("ehc_casework", "plan") if row["transfer_kind"] == "between_post16"]
    assert value("PT03") == _pair(moves, lambda row: (_day(row["final_on"]) or date.max) <= date(2026, 4, 1))


def test_quality(out: Path, rows: Rows, value: Value) -> None:
    (file,) = (out / "inbox" / "council" / "plan_audit").glob("*/*.xlsx")
    with load_workbook(file) as workbook:
        first, *others = workbook.get_sheet_by_name("audit").to_python()
    audits = [dict(zip(map(str, first), map(str, other), strict=True)) for other in others]
    audits = [row for row in audits if _within(row["audited_on"])]
    plans = rows("ehc_casework", "plan")
    assert value("Q01") == (len({row["plan_id"] for row in audits}), sum(_within(row["final_on"]) for row in plans))
    assert value("Q02") == _pair(audits, lambda row: row["overall_grade"] in ("good", "outstanding"))
    assert value("Q04") == _pair(audits, lambda row: row["is_specific"] == row["is_quantified"] == "Yes")
    reported = [row for row in rows("ehc_casework", "correction") if _within(row["reported_on"])]
    drafts = [
        row for row in reported
        if row["plan_stage"] == "draft" and not (row["decision"] == "refused" and row["is_refusal_explained"] == "Yes")
    ]  # fmt: skip
    assert value("Q03") == _pair(drafts, lambda row: row["is_in_final"] == "No" and bool(row["decided_on"]))
    finals = [row for row in reported if row["plan_stage"] == "final"]
    assert value("Q06") == _pair(finals, lambda row: _in(row, "reported_on", "reissued_on", 28))
    met = {row["plan_id"] for row in rows("ehc_casework", "review") if _within(row["meeting_on"])}
    viewed = [
        row for row in plans
        if (_within(row["final_on"]) or row["plan_id"] in met) and not row["child_view_reason"]
    ]  # fmt: skip
    assert value("V01") == _pair(viewed, lambda row: bool(row["child_view_method"]))


def test_complaints_and_enquiries(rows: Rows, value: Value) -> None:
    complaints = rows("disputes", "complaint")
    new = [row for row in complaints if row["stage"] == "1" and _within(row["received_on"])]
    assert value("C02") == _pair(new, lambda row: row["theme"] == "communication")
    for stage, most in (("1", 10), ("2", 20)):
        closed = [row for row in complaints if row["stage"] == stage and _within(row["closed_on"])]
        assert value(f"C03_stage_{stage}") == _pair(
            closed,
            lambda row, most=most: _worked(row, "received_on", "replied_on") <= most,  # type: ignore[misc]
        )
    asked = [row for row in rows("contact_log", "enquiry") if _within(row["received_on"])]
    assert value("C05") == _pair(asked, lambda row: _worked(row, "received_on", "answered_on") <= 5)
    plans = rows("ehc_casework", "plan")
    held = {row["case_id"] for row in plans if (_day(row["final_on"]) or date.max) <= YEAR[1]}
    held -= {row["case_id"] for row in plans if (_day(row["ceased_on"]) or date.max) <= YEAR[1]}
    cases = {row["case_id"]: _day(row["issue_decided_on"]) for row in rows("ehc_casework", "case")}
    held |= {
        row["case_id"] for row in plans
        if (cases[row["case_id"]] or date.max) <= YEAR[1] and (_day(row["ceased_on"]) or date.max) > YEAR[1]
    }  # fmt: skip
    sendiass = [row for row in rows("contact_log", "sendiass_case") if _within(row["opened_on"])]
    assert value("C01") == (len(new), value("C06")[1])
    assert value("C06")[0] == len(sendiass)
    assert value("C06")[1] == pytest.approx(len(held), rel=0.02)
    decided = [
        row for row in rows("disputes", "ombudsman")
        if _within(row["decided_on"]) and row["decision"] in ("upheld", "upheld_no_injustice", "not_upheld")
    ]  # fmt: skip
    assert value("C04") == _pair(decided, lambda row: row["decision"] != "not_upheld")


def _worked(row: Row, start: str, end: str) -> int:
    """Working days, one by one."""
    first, last = _day(row[start]), _day(row[end])
    if first is None or last is None:
        return 10_000
    closed = {day.item() for day in bank_holidays()}
    days = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 and day not in closed for day in days)


def test_appeals(rows: Rows, value: Value) -> None:
    appeals = rows("disputes", "appeal")
    registered = [row for row in appeals if _within(row["registered_on"])]
    assert value("T01")[0] == len(registered)
    for kind in {row["decision_kind"] for row in appeals}:
        assert value(f"T02_{kind}") == _pair(registered, lambda row, kind=kind: row["decision_kind"] == kind)  # type: ignore[misc]
    closed = [row for row in appeals if _within(row["closed_on"])]
    assert value("T03") == _pair(closed, lambda row: row["outcome"] in ("conceded", "settled"))
    due = [row for row in appeals if _within(row["order_due_on"])]
    assert value("T04") == _pair(
        due, lambda row: (_day(row["complied_on"]) or date.max) <= (_day(row["order_due_on"]) or date.min)
    )
    mediations = rows("disputes", "mediation")
    held = [row for row in mediations if _within(row["held_on"])]
    assert value("T05_held")[0] == len(held)
    assert value("T05_agreed") == _pair(held, lambda row: row["outcome"] == "agreed")
    told = [row for row in mediations if row["is_wanted"] == "Yes" and _within(row["told_on"])]
    assert value("T06") == _pair(told, lambda row: _in(row, "told_on", "held_on", 30))


def test_places(rows: Rows, sen2: dict[str, list[Row]], value: Value) -> None:
    agreed = [
        row for row in rows("ehc_casework", "panel_decision") if row["specialist_need"] and not row["withdrawn_on"]
    ]
    assert value("P01_waiting") == _pair(agreed, lambda row: not row["placed_on"])
    named = {row["namedplantableid"].split("-")[0][1:]: row["urn"] for row in sen2["plandetail"] if row["urn"]}
    attended = {row["placementdetailtableid"][1:]: row["urn"] for row in sen2["placementdetail"]}
    same = sum(attended.get(case) == urn for case, urn in named.items() if case in attended)
    assert value("P02") == (same, len([case for case in named if case in attended]))
    begun = [
        row for row in rows("part_time_timetables", "timetable")
        if _within(row["started_on"]) and row["sen_provision"] == "E" and row["is_medical"] == "No"
    ]  # fmt: skip
    assert value("P03_reviewed") == _pair(begun, lambda row: _in(row, "started_on", "reviewed_on", 42))
    settings = [row["sensetting"] for row in sen2["placementdetail"]]
    assert value("E01") == (settings.count("EHE"), len(sen2["activeplans"]))
    assert value("S07")[1] == len(sen2["activeplans"])


def test_alternative_provision(rows: Rows, value: Value) -> None:
    entered = [
        row for row in rows("ap_census", "") if _within(row["EntryDate"], (date(2025, 1, 17), date(2026, 1, 15)))
    ]
    assert value("X05") == _pair(entered, lambda row: row["SENprovision"] == "N" or not row["SENtype"])
    assert value("X06")[1] == sum(row["SENprovision"] == "N" for row in entered)


def test_exclusions_and_absence(out: Path, value: Value) -> None:
    folder = out / "inbox" / "council" / "school_census"
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    of_child: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    suspensions: dict[str, int] = defaultdict(int)
    permanent = 0
    for term in ("2026_spring", "2026_summer", "2026_autumn"):
        pupils = pl.read_csv(folder / term / f"{term}_pupilonroll.csv", infer_schema=False)
        for row in pupils.filter(pl.col("termlysessionspossible").is_not_null()).iter_rows(named=True):
            possible = int(row["termlysessionspossible"])
            missed = int(row["termlysessionsauthorised"]) + int(row["termlysessionsunauthorised"])
            counts = [sums[row["senprovision"]]] + [of_child[row["upn"]]] * (row["senprovision"] == "E")
            for count in counts:
                count[0] += missed
                count[1] += possible
        exclusions = pl.read_csv(folder / term / f"{term}_termlyexclusionsonroll.csv", infer_schema=False)
        for row in exclusions.iter_rows(named=True):
            suspensions[row["senprovision"]] += row["category"] in ("SUSP", "LNCH")
            permanent += row["senprovision"] == "E" and row["category"] == "PERM"
    for name, level in (("plan", "E"), ("sen_support", "K")):
        assert value(f"X03_{name}") == tuple(sums[level])
        assert value(f"X01_{name}")[0] == suspensions[level]
    assert value("X02")[0] == permanent
    for name, percent in (("X04_persistent", 10), ("X04_severe", 50)):
        given = [missed / possible for missed, possible in of_child.values() if possible]
        assert value(name) == (sum(100 * share >= percent for share in given), len(given))


def test_short_breaks(rows: Rows, value: Value) -> None:
    months = [row for row in rows("short_breaks", "delivery") if _within(row["month_on"])]
    assert value("S02") == tuple(
        sum(int(row[name]) for row in months) for name in ("delivered_minutes", "agreed_minutes")
    )
    requests = rows("short_breaks", "request")
    decided = [row for row in requests if _within(row["decided_on"]) and row["decision"] != "withdrawn"]
    assert value("S03") == _pair(decided, lambda row: row["decision"] in ("refused", "part_agreed"))
    receiving = {row["la_child_id"] for row in rows("short_breaks", "package") if not row["ended_on"]}
    waiting = {row["la_child_id"] for row in requests if not row["started_on"] and not row["closed_on"]}
    assert (value("S01_receiving")[0], value("S01_waiting")[0]) == (len(receiving), len(waiting))


def test_home_education_and_after_16(rows: Rows, sen2: dict[str, list[Row]], value: Value, out: Path) -> None:
    register = [row for row in rows("ehe_register", "") if _within(row["ehe_start_on"])]
    known = [row for row in register if row["ehe_reason"] != "Not known"]
    assert value("E03") == _pair(known, lambda row: row["ehe_reason"].startswith("Dissatisfaction"))
    special = [row for row in register if row["sen_provision"] != "N"]
    assert value("E04")[1] == len(special)
    assert value("E02")[1] == len(register)
    assert len(special) <= (value("E02")[0] or 0) <= len(register)
    now = [row for row in rows("post16", "participation") if not row["ended_on"]]
    neet = sum(row["activity"] == "neet" for row in now)
    numerator, denominator = value("D01")
    assert numerator is not None
    assert denominator is not None
    # Who is out of education for another reason, or has no place, is neither in it nor called NEET.
    elsewhere = [row["sensetting"] for row in sen2["placementdetail"]].count("NIEO")
    assert neet - 2 <= denominator - numerator <= neet + elsewhere + 2
    (file,) = (out / "inbox" / "council" / "improvement_plan").glob("*/*.xlsx")
    with load_workbook(file) as workbook:
        first, *actions = workbook.get_sheet_by_name("action").to_python()
    states = [action[first.index("status")] for action in actions]
    assert value("G05") == (sum(state in ("complete", "green") for state in states), len(states))


def test_every_indicator_of_the_council_is_there_once(out: Path) -> None:
    frame = pl.read_csv(out / "truth" / "indicator.csv")
    assert not frame.select("indicator", "period_from").is_duplicated().any()
    wanted = {"EHC": 15, "AR": 6, "PT": 3, "Q": 6, "V": 2, "C": 6, "T": 6, "P": 5, "E": 4, "X": 6, "S": 7, "D": 2}
    codes = {f"{family}{number:02}" for family, count in wanted.items() for number in range(1, count + 1)}
    assert codes | {"G05"} <= {name.split("_")[0] for name in frame["indicator"]}
    unknown = frame.filter(pl.col("status") == "x")
    assert "S06" in set(unknown["indicator"])
    assert unknown["value"].null_count() == unknown.height


def test_the_county_is_as_near_to_what_was_published_as_its_size_allows(tmp_path: Path) -> None:
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for seed in range(5):
        simulate(tmp_path / str(seed), children=2000, seed=seed, as_of=AS_OF, mess="none")
        for name, row in _truth(tmp_path / str(seed)).items():
            sums[name][0] += row["numerator"] or 0
            sums[name][1] += row["denominator"] or 0
    share = {name: 100 * numerator / denominator for name, (numerator, denominator) in sums.items() if denominator}
    # About 600 plans: two standard deviations are four points.
    assert share["EHC01"] == pytest.approx(IN_20_WEEKS, abs=4)
    assert share["EHC05"] == pytest.approx(IN_6_WEEKS, abs=1.5)
    assert share["EHC09"] == pytest.approx(REFUSED, abs=4)
    assert share["T01"] == pytest.approx(APPEALED, abs=0.7)
