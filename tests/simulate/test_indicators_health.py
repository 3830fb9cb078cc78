"""The true values of the health indicators are those that the tidy files hold, counted here in another way."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import polars as pl
import pytest
from lxml import etree
from openpyxl import load_workbook

from send_returns.simulate import indicators_health, simulate
from send_returns.simulate.indicators_health import SCHEMA, half_up, spells

AS_OF = date(2026, 10, 30)
MONTH = (date(2026, 9, 1), date(2026, 9, 30))
QUARTER = (date(2026, 7, 1), date(2026, 9, 30))
Row = dict[str, str]
Value = Callable[[str], tuple[float | None, float | None, float | None]]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tidy county of 8,000 children with SEND."""
    folder = tmp_path_factory.mktemp("indicators")
    simulate(folder, children=8000, seed=9, as_of=AS_OF, mess="none")
    return folder


@pytest.fixture(scope="module")
def value(out: Path) -> Value:
    """Numerator, denominator and value of an indicator in truth/indicator.csv."""
    rows = {row["indicator"]: row for row in pl.read_csv(out / "truth" / "indicator.csv").iter_rows(named=True)}
    return lambda name: (rows[name]["numerator"], rows[name]["denominator"], rows[name]["value"])


def _rows(out: Path, feed: str, table: str) -> Iterator[Row]:
    for file in sorted((out / "inbox" / "icb" / feed).glob(f"*/*{table}.csv")):
        yield from pl.read_csv(file, infer_schema=False).iter_rows(named=True)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def _sheet(workbook: Path, name: str) -> Iterator[Row]:
    columns, *rows = load_workbook(workbook)[name].iter_rows(values_only=True)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _slashed(text: str | None) -> date:
    return date(*map(int, reversed(text.split("/")))) if text else date.min


class Referral:
    """A referral as the latest submission has it, with what all of them say of it. `done`: the first day of each."""

    def __init__(self) -> None:
        self.row: Row = {}
        self.seen: date | None = None
        self.done: dict[str, date] = {}

    def do(self, what: str, on: date) -> None:
        self.done[what] = min(self.done.get(what, on), on)

    def is_open(self, on: date) -> bool:
        over = self.over
        return over is None or over > on

    @property
    def received(self) -> date:
        return date.fromisoformat(self.row["ReferralRequestReceivedDate"])

    @property
    def over(self) -> date | None:
        return _day(self.row["ReferRejectionDate"]) or _day(self.row["ServDischDate"])

    def waited(self, until: date) -> int:
        return (until - self.received).days


@pytest.fixture(scope="module")
def referrals(out: Path) -> dict[str, Referral]:
    """Mental health referrals by their number, from the files."""
    found: dict[str, Referral] = defaultdict(Referral)
    for row in _rows(out, "mhsds", "MHS101Referral"):
        found[row["ServiceRequestId"]].row = row
    contact_of, activity_of = {}, {}
    for row in _rows(out, "mhsds", "MHS201CareContact"):
        on = date.fromisoformat(row["CareContDate"])
        contact_of[row["CareContactId"]] = (row["ServiceRequestId"], on)
        if row["AttendStatus"] in ("5", "6"):
            of = found[row["ServiceRequestId"]]
            of.seen = min(of.seen or on, on)
    procedures = {"386053000": "assessed", "75516001": "treated"}
    for row in _rows(out, "mhsds", "MHS202CareActivity"):
        request, on = activity_of[row["CareActId"]] = contact_of[row["CareContactId"]]
        found[request].do(procedures[row["Procedure"]], on)
    for row in _rows(out, "mhsds", "MHS606CodedScoreAssessmentRefer"):
        found[row["ServiceRequestId"]].do("scored", date.fromisoformat(row["AssToolCompTimestamp"][:10]))
    for row in _rows(out, "mhsds", "MHS607CodedScoreAssessmentAct"):
        request, on = activity_of[row["CareActId"]]
        found[request].do("scored", on)
    for row in _rows(out, "mhsds", "MHS604PrimDiag"):
        found[row["ServiceRequestId"]].do("diagnosed", date.fromisoformat(row["DiagDate"]))
    return dict(found)


def _within(day: date | None, period: tuple[date, date]) -> bool:
    return day is not None and period[0] <= day <= period[1]


def _help_started(group: list[Referral], plans: list[date]) -> date | None:
    """When the last of the four was first recorded in a spell; a plan is the child's, and of the spell it falls in."""
    done = {what: [one.done[what] for one in group if what in one.done] for what in ("scored", "treated", "assessed")}
    ends = [one.over for one in group]
    until = date.max if None in ends else max(end for end in ends if end)
    done["planned"] = [on for on in plans if group[0].received <= on <= until]
    return max(min(days) for days in done.values()) if all(done.values()) else None


def test_help_within_four_weeks_and_those_who_wait(out: Path, referrals: dict[str, Referral], value: Value) -> None:
    plans = defaultdict(list)
    for row in _rows(out, "mhsds", "MHS008CarePlanType"):
        plans[row["LocalPatientId"]].append(date.fromisoformat(row["CarePlanCreatDate"]))
    of_patient = defaultdict(list)
    for one in referrals.values():
        if one.row["ServTeamType"] in ("A05", "A06", "A13", "C06", "D06") and not one.row["ReferRejectionDate"]:
            of_patient[one.row["LocalPatientId"]].append(one)
    found = []
    for several in of_patient.values():
        several.sort(key=lambda one: one.received)
        groups: list[list[Referral]] = []
        for one in several:
            if groups and any(
                other.over is None or one.received <= other.over + timedelta(days=5) for other in groups[-1]
            ):
                groups[-1].append(one)
            else:
                groups.append([one])
        found += groups
    assert any(len(group) > 1 for group in found)
    stopped, waiting = [], []
    for group in found:
        stop = _help_started(group, plans[group[0].row["LocalPatientId"]])
        days = (stop or AS_OF) - group[0].received
        if _within(stop, MONTH):
            stopped.append(days.days)
        if not stop and any(one.over is None for one in group):
            waiting.append(days.days)
    assert value("H01")[:2] == (sum(days <= 28 for days in stopped), len(stopped))
    assert len(stopped) > 10
    for name, least in (("H02_over_4_weeks", 28), ("H02_over_18_weeks", 126), ("H02_over_52_weeks", 364)):
        assert value(name)[:2] == (sum(days > least for days in waiting), len(waiting))


def test_eating_disorders(referrals: dict[str, Referral], value: Value) -> None:
    for name, priority, most in (("H03_urgent", "2", 7), ("H03_routine", "3", 28)):
        days = [
            one.waited(one.done["treated"])
            for one in referrals.values()
            if one.row["PrimReasonReferralMH"] == "12"
            and one.row["ClinRespPriorityType"] == priority
            and _within(one.done.get("treated"), QUARTER)
        ]
        assert value(name)[:2] == (sum(one <= most for one in days), len(days))


def test_autism_and_adhd(referrals: dict[str, Referral], value: Value) -> None:
    of_reason = {
        reason: [one for one in referrals.values() if one.row["PrimReasonReferralMH"] == reason]
        for reason in ("25", "24")
    }
    for name, reason, least in (("H04", "25", 91), ("H06_over_18_weeks", "24", 126), ("H06_over_52_weeks", "24", 364)):
        still = [one for one in of_reason[reason] if one.is_open(AS_OF)]
        long = [one for one in still if one.seen is None and one.waited(AS_OF) > least]
        assert value(name)[:2] == (len(long), len(still))
        assert len(still) > 30
    first = [one.waited(one.seen) for one in of_reason["25"] if one.seen and _within(one.seen, MONTH)]
    assert value("H05_first_contact") == (None, len(first), median(first))
    told = [one for one in of_reason["25"] if _within(one.done.get("diagnosed"), MONTH)]
    assert value("H05_diagnosis")[2] == median(one.waited(one.done["diagnosed"]) for one in told)
    outcome = {
        one.row["LocalPatientId"]: one.done["diagnosed"]
        for one in of_reason["25"]
        if _within(one.done.get("diagnosed"), QUARTER)
    }
    again = {
        one.row["LocalPatientId"]
        for one in of_reason["24"]
        if one.received >= outcome.get(one.row["LocalPatientId"], date.max)
    }
    assert value("H07")[:2] == (len(again), len(outcome))


def test_the_gap_between_districts(out: Path, referrals: dict[str, Referral], value: Value) -> None:
    (file,) = (out / "inbox" / "reference" / "postcode_lookup").glob("*/*.csv")
    district = dict(pl.read_csv(file, infer_schema=False).select("pcds", "oslaua").iter_rows())
    home = {row["LocalPatientId"]: district[row["Postcode"]] for row in _rows(out, "mhsds", "MHS001MPI")}
    waits = defaultdict(list)
    for one in referrals.values():
        if one.row["PrimReasonReferralMH"] == "25" and one.seen and _within(one.seen, QUARTER):
            waits[home[one.row["LocalPatientId"]]].append(one.waited(one.seen))
    medians = sorted(median(days) for days in waits.values() if len(days) >= 10)
    if len(medians) < 2:
        assert value("H08") == (None, None, None)
    else:
        assert value("H08")[:2] == (medians[-1], medians[0])
        assert value("H08")[2] == pytest.approx(medians[-1] / medians[0], abs=0.051)


def test_reviews_told_whole(out: Path, value: Value) -> None:
    (file,) = (out / "inbox" / "council" / "sen2").glob("*.xml")
    due = told = 0
    for request in etree.parse(file).iter("Requests"):
        active = request.find("ActivePlans")
        if active is None:
            continue
        first = min(request.iterfind("Assessment/NamedPlan/StartDate"), key=lambda start: start.text or "")
        begun = date.fromisoformat(first.text or "")
        if begun.replace(day=min(begun.day, 28), year=begun.year + 1) <= AS_OF - timedelta(days=3):
            due += 1
            told += all(active.findtext(name) for name in ("ReviewMeeting", "ReviewOutcome", "LastReview"))
    # Whoever is due within these few days is counted by the one and not by the other.
    numerator, denominator, _ = value("G04")
    assert numerator == pytest.approx(told, rel=0.01)
    assert denominator == pytest.approx(due, rel=0.01)


def test_community_waits(out: Path, value: Value) -> None:
    rows = {row["SERVICE REQUEST IDENTIFIER"]: row for row in _rows(out, "csds", "CYP101Referral")}
    service = {row["SERVICE REQUEST IDENTIFIER"]: row for row in _rows(out, "csds", "CYP102ServiceTypeReferredTo")}
    seen: dict[str, date] = {}
    for row in _rows(out, "csds", "CYP201CareContact"):
        if row["ATTENDED OR DID NOT ATTEND CODE"] in ("5", "6"):
            on, request = date.fromisoformat(row["CARE CONTACT DATE"]), row["SERVICE REQUEST IDENTIFIER"]
            seen[request] = min(seen.get(request, on), on)
    every, speech, hearing = [], [], []
    for request, row in rows.items():
        received, kind = date.fromisoformat(row["REFERRAL REQUEST RECEIVED DATE"]), service[request]
        is_of_hearing = kind["SERVICE OR TEAM TYPE REFERRED TO (COMMUNITY CARE)"] == "20"
        ended = _day(row["SERVICE DISCHARGE DATE"] or kind["REFERRAL REJECTION DATE"])
        if is_of_hearing and _within(seen.get(request), MONTH):
            hearing.append((seen[request] - received).days)
        is_waiting = received <= MONTH[1] < min(seen.get(request, date.max), ended or date.max)
        if is_of_hearing and is_waiting:
            hearing.append((MONTH[1] - received).days)
        over = row["SERVICE DISCHARGE DATE"] or service[request]["REFERRAL REJECTION DATE"]
        if request not in seen and not over:
            days = (AS_OF - date.fromisoformat(row["REFERRAL REQUEST RECEIVED DATE"])).days
            every.append(days)
            if service[request]["SERVICE OR TEAM TYPE REFERRED TO (COMMUNITY CARE)"] == "18":
                speech.append(days)
    assert value("H09")[:2] == (sum(days <= 126 for days in speech), len(speech))
    assert value("H10")[:2] == (sum(days > 364 for days in every), len(every))
    assert len(speech) > 50
    assert value("H11")[:2] == (sum(days <= 42 for days in hearing), len(hearing))


def test_what_health_does_for_the_council(out: Path, value: Value) -> None:
    trace = list(_rows(out, "nhs_number_trace", ""))
    assert value("H13")[:2] == (sum(row["trace_outcome"] == "01" for row in trace), len(trace))
    (workbook,) = (out / "inbox" / "icb" / "dynamic_support_register").glob("*/*.xlsx")
    register = {row["register_id"]: row for row in _sheet(workbook, "register")}
    held = defaultdict(list)
    for row in _sheet(workbook, "ctr"):
        if row["held_on"]:
            held[row["register_id"]].append(_slashed(row["held_on"]))
    stays = {
        one: admitted
        for one, row in register.items()
        if _within(admitted := _slashed(row["admitted_on"]), QUARTER)
        and admitted < _slashed(row["date_of_birth"]).replace(year=_slashed(row["date_of_birth"]).year + 18)
    }
    in_time = [one for one, day in stays.items() if any(on <= day + timedelta(days=14) for on in held[one])]
    assert value("H14")[:2] == (len(in_time), len(stays))
    notified = [
        row for row in _rows(out, "health_advice", "notification")
        if _within(_slashed(row["notified_on"]), QUARTER)
    ]  # fmt: skip
    assert value("H15")[:2] == (sum(row["replied_on"] is not None for row in notified), len(notified))


def test_children_with_plans_who_are_known_elsewhere(out: Path, value: Value) -> None:
    person = pl.read_csv(out / "truth" / "person.csv", infer_schema=False)
    holders = set(pl.read_csv(out / "truth" / "list_1.csv", infer_schema=False)["person"])
    nhs_of = dict(person.select("nhs_number", "person").iter_rows())
    in_health = {nhs_of[row["NHS NUMBER"]] for row in _rows(out, "csds", "CYP001MPI")}
    in_health |= {nhs_of[row["NHSNumber"]] for row in _rows(out, "mhsds", "MHS001MPI")}
    records = pl.read_csv(out / "truth" / "record.csv", infer_schema=False)
    in_care = set(records.filter(pl.col("feed").is_in(["cin_census", "ssda903"]))["person"])
    both = holders & in_health & in_care
    assert value("G03_three_agencies")[:2] == (len(both), len(holders))
    assert value("G03_two_agencies")[:2] == (len(holders & (in_health | in_care)), len(holders))


def test_what_no_life_tells_is_not_derivable(out: Path) -> None:
    rows = pl.read_csv(out / "truth" / "indicator.csv").filter(pl.col("status") == "x")
    assert {"G01", "G02", "H12"} <= set(rows["indicator"])
    assert rows["value"].null_count() == rows.height


def test_every_indicator_is_there_once(out: Path) -> None:
    frame = pl.read_csv(out / "truth" / "indicator.csv")
    assert frame.columns == SCHEMA.names()
    assert not frame.select("indicator", "period_from").is_duplicated().any()
    families = {name.split("_")[0] for name in frame["indicator"]}
    assert families >= {f"H{number:02}" for number in range(1, 16)} | {"G01", "G02", "G03", "G04"}


def test_numbers_are_as_the_inspectors_found_them(value: Value) -> None:
    def share(name: str) -> float:
        return value(name)[2] or 0.0

    assert 30 < share("H01") < 75  # mental health mostly meets its standard
    assert share("H04") > 40  # autism does not
    assert value("H05_first_contact")[2] > 180  # type: ignore[operator]
    assert share("H09") > 60
    assert 94 < share("H13") < 99


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"), [(1, 20, 0.1), (3, 20, 0.2), (100, 3, 33.3), (5, 2, 2.5)]
)
def test_halves_go_up(numerator: int, denominator: int, rounded: float) -> None:
    assert half_up(numerator, denominator) == rounded


@pytest.mark.parametrize(("days", "in_time"), [(28, 1), (29, 0)])
def test_four_weeks_are_twenty_eight_days(days: int, in_time: int) -> None:
    received, stop = MONTH[0], MONTH[0] + timedelta(days=days)
    row = dict.fromkeys(("scored", "planned", "treated", "assessed"), stop)
    row |= {"person": 1, "request": 1, "team_type": "A06", "received": received, "rejected": None, "discharged": None,
            "kind": "help", "priority": "3"}  # fmt: skip
    frame = pl.DataFrame([row], schema_overrides={"rejected": pl.Date, "discharged": pl.Date})
    (measure,) = [
        one for one in indicators_health._mental(frame, AS_OF, (MONTH[0], AS_OF), QUARTER) if one.indicator == "H01"
    ]
    assert (measure.numerator, measure.denominator) == (in_time, 1)


def test_referrals_that_follow_closely_are_one_spell() -> None:
    def referral(request: int, received: date, discharged: date | None, done: date | None) -> dict[str, object]:
        dates = dict.fromkeys(("scored", "planned", "treated", "assessed"), done)
        return {"person": 1, "request": request, "team_type": "A06", "received": received, "rejected": None,
                "discharged": discharged, **dates}  # fmt: skip

    frame = pl.DataFrame(
        [
            referral(1, date(2026, 1, 1), date(2026, 2, 1), None),
            referral(2, date(2026, 2, 6), date(2026, 3, 1), date(2026, 2, 20)),
            referral(3, date(2026, 3, 7), None, None),
            # One thing is recorded under each referral of a spell: together they are all four.
            *(
                referral(4 + number, date(2026, 5, 1), None, None) | {"person": 2, what: date(2026, 5, 10 + number)}
                for number, what in enumerate(("scored", "planned", "treated", "assessed"))
            ),
            # A plan of another spell is none.
            referral(8, date(2026, 1, 1), date(2026, 2, 1), None) | {"person": 3, "planned": date(2026, 1, 20)},
            referral(9, date(2026, 6, 1), None, date(2026, 6, 10)) | {"person": 3, "planned": None},
        ],
        schema_overrides={"rejected": pl.Date},
    )
    found = spells(frame).sort("person", "start").rows()
    assert found == [
        (1, 1, date(2026, 1, 1), date(2026, 3, 1), date(2026, 2, 20)),
        (1, 2, date(2026, 3, 7), None, None),
        (2, 1, date(2026, 5, 1), None, date(2026, 5, 13)),
        (3, 1, date(2026, 1, 1), date(2026, 2, 1), None),
        (3, 2, date(2026, 6, 1), None, None),
    ]
