"""What a perfect pipeline would publish, by docs/definitions.md, worked out from the county itself, not its files."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from send_returns.simulate import indicators_council, indicators_health
from send_returns.simulate.calendar import six_months_before
from send_returns.simulate.care import Care
from send_returns.simulate.census import Roll, main_registrations
from send_returns.simulate.council import Council
from send_returns.simulate.lives import Lives
from send_returns.simulate.plans import named_plans
from send_returns.simulate.text import PERSON, Table

_PHASES = {
    "Nursery": "a) Nursery", "Primary": "b) Primary", "Middle deemed primary": "c) Middle (deemed primary)",
    "Middle deemed secondary": "d) Middle (deemed secondary)", "Secondary": "e) Secondary",
    "All-through": "f) All-through",
}  # fmt: skip
_SPECIAL, _ALTERNATIVE, _COLLEGE = "g) Special", "h) Pupil referral unit/Alternative provision", "i) FE college"
_NEEDS = ("SPLD", "MLD", "SLD", "PMLD", "SEMH", "SLCN", "HI", "VI", "MSI", "PD", "ASD", "OTH")
_NEED = {code: f"{chr(ord('a') + i)}) {code}" for i, code in enumerate(_NEEDS)} | {"DS": "l) OTH", "NSA": "l) OTH"}
_ETHNICITIES = (
    "WBRI WIRI WIRT WOTH WROM MWBC MWBA MWAS MOTH AIND APKN ABAN AOTH BCRB BAFR BOTH CHNE OOTH REFU NOBT UNKNOWN"
)
_ETHNICITY = {code: f"{chr(ord('a') + i)}) {code}" for i, code in enumerate(_ETHNICITIES.split())}
# As the Department for Education publishes them, but that the Chinese are among the Asian.
_ETHNIC_GROUPS = {
    "white": "WBRI WIRI WIRT WOTH WROM", "mixed": "MWBC MWBA MWAS MOTH", "asian": "AIND APKN ABAN AOTH CHNE",
    "black": "BCRB BAFR BOTH", "other": "OOTH", "unknown": "REFU NOBT",
}  # fmt: skip
_ETHNIC_GROUP = {code: group for group, members in _ETHNIC_GROUPS.items() for code in members.split()}
_DISABLING = ("ASD", "HI", "VI", "MSI", "PD", "SLD", "PMLD", "DS")
# A row of these is a person, if it has the column.
_PEOPLE = (
    "person", "pupilonroll", "child", "header", "cyp001mpi", "mhs001mpi", "advice", "notification", "register", "trace",
    "case", "pupil", "timetable", "request", "package", "complaint", "mediation", "appeal", "ombudsman", "enquiry",
    "audit", "participation",
)  # fmt: skip


class Truth:
    """The folder of what should come of the inbox, written a block of children at a time. Use as a context.

    person.csv: who is who; group.csv: their primary need, whether they are looked after, and their ethnic group;
    adopted.csv: which two of them are one child, whose records are kept apart; record.csv: which person each record of
    a person is; list_1.csv and list_2.csv; and, when the context ends, indicator.csv.
    """

    def __init__(self, folder: Path, as_of: date) -> None:
        self._folder, self._as_of = folder, as_of
        self._facts: list[dict[str, pl.DataFrame]] = []
        self._council: list[dict[str, pl.DataFrame]] = []
        self.people_under_26 = 0  # in the county, to be set before the context ends

    def __enter__(self) -> "Truth":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if not failed:
            served = indicators_council.council_indicators(self._council, self._as_of, self.people_under_26)
            frame = pl.concat([indicators_health.indicators(self._facts, self._as_of), served]).sort("indicator")
            counts = pl.col("numerator", "denominator").cast(pl.String).str.strip_suffix(".0")
            self._append("indicator", frame.with_columns(counts))

    def add(self, tables: list[tuple[Table, int]], of: Lives, served: Council, schools: pl.DataFrame) -> None:
        """A block's truth; `tables`: as written, each with how many rows of earlier blocks are before its own."""
        records = pl.concat(
            table.frame.select(
                feed=pl.lit(table.feed),
                delivery=pl.lit(table.delivery),
                table_name=pl.lit(f"{table.feed}__{table.name}"),
                row_number=pl.int_range(before + 2, before + pl.len() + 2),
                person=PERSON,
            )
            for table, before in tables
            if table.name in _PEOPLE and PERSON in table.frame.columns
        )
        seen = of.identity.join(records.select(PERSON).unique(), on=PERSON, how="semi")
        person = seen.join(of.council_ids, on=PERSON, how="left").sort(PERSON)
        list_1, list_2 = lists(of.identity, schools, of.plans, of.terms, of.social, of.register, self._as_of)
        frames = {
            "person": person, "group": groups(person, of), "adopted": of.adopted, "record": records,
            "list_1": list_1, "list_2": list_2,
        }  # fmt: skip
        for name, frame in frames.items():
            self._append(name, frame)
        self._facts.append(indicators_health.facts(of, self._as_of))
        self._council.append(indicators_council.facts(of, served, schools, self._as_of))

    def _append(self, name: str, frame: pl.DataFrame) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.csv"
        is_new = not path.exists()
        with path.open("ab") as target:
            frame.write_csv(target, include_header=is_new)


def groups(people: pl.DataFrame, of: Lives) -> pl.DataFrame:
    """person, need, looked_after, ethnicity of each of the people: by what groups to measure how well they are linked.

    The need is that of their latest plan, or the first of their latest census that has one, or ''.
    """
    planned = (
        of.plans.filter(pl.col("need").is_not_null() & pl.col("issued").is_not_null())
        .sort(PERSON, "issued")
        .unique(PERSON, keep="last")
        .select(PERSON, planned="need")
    )
    return (
        people.join(planned, on=PERSON, how="left", maintain_order="left")
        .join(_census_need(of.terms), on=PERSON, how="left", maintain_order="left")
        .select(
            PERSON,
            need=pl.coalesce("planned", "need", pl.lit("")),
            looked_after=pl.col(PERSON).is_in(of.social.looked_after[PERSON].implode()),
            ethnicity=pl.col("ethnicity").replace_strict(_ETHNIC_GROUP, return_dtype=pl.String),
        )
    )


def _yes_no(condition: pl.Expr, name: str) -> pl.Expr:
    return pl.when(condition.fill_null(value=False)).then(pl.lit("a) Yes")).otherwise(pl.lit("b) No")).alias(name)


def _phase() -> pl.Expr:
    kind, phase = pl.col("type"), pl.col("phase")
    college = kind.is_in(["Further education", "Sixth form centres", "Special post 16 institution"]) | (
        phase == "16 plus"
    )
    return (
        pl.when(college).then(pl.lit(_COLLEGE))
        .when(kind.str.to_lowercase().str.contains("special")).then(pl.lit(_SPECIAL))
        .when((kind == "Pupil referral unit") | kind.str.contains("alternative provision")).then(pl.lit(_ALTERNATIVE))
        .otherwise(phase.replace_strict(_PHASES, default=None, return_dtype=pl.String))
    )  # fmt: skip


def _open(start: str, end: str, as_of: date) -> pl.Expr:
    return (pl.col(start) <= as_of) & (pl.col(end).is_null() | (pl.col(end) > as_of))


def lists(
    identity: pl.DataFrame,
    schools: pl.DataFrame,
    cases: pl.DataFrame,
    rolls: list[Roll],
    care: Care,
    register: pl.DataFrame,
    as_of: date,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lists 1 and 2: `person` and the main Annex A columns by their house names, sorted by person."""
    rows = pl.concat(
        roll.pupils.select(pl.lit(n).alias("census"), "person", "urn", "status", "provision", "entered", "premium",
                           "possible", "authorised", "unauthorised")
        for n, roll in enumerate(rolls)
    )  # fmt: skip
    main = main_registrations(rows, "census")
    now = len(rolls) - 1
    current = main.filter(pl.col("census") == now)

    plans = named_plans(cases).filter(pl.col("start") <= as_of).sort("person", "start", "case")
    latest = plans.unique("person", keep="last", maintain_order=True)
    list_1 = latest.filter(pl.col("ceased").is_null() | (pl.col("ceased") > as_of)).select("person", "case")
    list_2 = current.filter(pl.col("provision") == "K").join(list_1, on="person", how="anti").select("person")

    phase = schools.select("urn", phase=_phase())
    shared = _shared(rolls, rows, main, current, cases, care, as_of)
    school = current.filter(pl.col("status").is_in(["C", "M"])).select("person", census_urn="urn")
    subsidiary = (
        rows.filter((pl.col("census") == now) & (pl.col("status") == "S"))
        .group_by("person").agg(pl.col("urn").min())
        .join(phase, on="urn", how="left").select("person", subsidiary_establishment_phase="phase")
    )  # fmt: skip

    numbered = cases.with_row_index("case")
    active = numbered.join(list_1, on=["person", "case"], how="semi").select(
        "person",
        "need",
        placed_urn=pl.when("placed").then("urn"),
        placed_home=(pl.col("setting") == "EHE") & pl.col("placed"),
    )
    dates = (
        cases.group_by("person")
        .agg(
            pl.col("assessment_outcome_on").filter(pl.col("assessment_outcome") == "Y").min().alias("first_outcome"),
            pl.col("review_decided").max().alias("plan_last_reviewed_on"),
        )
        .join(plans.group_by("person").agg(first="start", last="start").with_columns(
            pl.col("first").list.min(), pl.col("last").list.max()), on="person")
        .with_columns(initial_plan_issued_on=pl.coalesce("first_outcome", "first"))
        .with_columns(updated_plan_issued_on=pl.when(pl.col("last") > pl.col("initial_plan_issued_on")).then("last"))
    )  # fmt: skip
    home = register.filter(_open("start", "end", as_of)).select("person", at_home=pl.lit(value=True)).unique()
    one = (
        list_1.join(identity, on="person").join(shared, on="person", how="left").join(dates, on="person", how="left")
        .join(active, on="person", how="left").join(school, on="person", how="left")
        .join(subsidiary, on="person", how="left").join(home, on="person", how="left")
        .with_columns(main_establishment_urn=pl.coalesce("placed_urn", "census_urn"), chosen_ethnicity="sen2_ethnicity")
        .with_columns(
            _yes_no(pl.col("at_home").fill_null(value=False) | pl.col("placed_home"), "elective_home_education")
        )
    )  # fmt: skip
    two = (
        list_2.join(identity, on="person").join(shared, on="person", how="left")
        .join(_census_need(rolls), on="person", how="left")
        .join(school, on="person", how="left").join(subsidiary, on="person", how="left")
        .with_columns(main_establishment_urn="census_urn", chosen_ethnicity="ethnicity")
    )  # fmt: skip
    plan_columns = ["initial_plan_issued_on", "updated_plan_issued_on", "plan_last_reviewed_on"]
    return _columns(one, phase, plan_columns, ["elective_home_education"]), _columns(two, phase, [], [])


def _columns(frame: pl.DataFrame, phase: pl.DataFrame, plan: list[str], home: list[str]) -> pl.DataFrame:
    return (
        frame.join(phase.rename({"urn": "main_establishment_urn", "phase": "main_establishment_phase"}),
                   on="main_establishment_urn", how="left")
        .select(
            "person", "upn", "uln",
            pl.col("born").alias("date_of_birth_on"),
            pl.col("sex").replace_strict({"M": "a) Male", "F": "b) Female"}).alias("gender"),
            pl.col("chosen_ethnicity").replace_strict(_ETHNICITY).alias("ethnicity"),
            *plan,
            pl.col("need").replace_strict(_NEED, default=None).alias("sen_primary_need"),
            "main_establishment_urn", "main_establishment_phase", "subsidiary_establishment_phase", *home,
            pl.col("suspensions").fill_null(0), pl.col("permanent_exclusions").fill_null(0), "absence_pct",
            _yes_no(pl.col("premium"), "pupil_premium"),
            _yes_no(pl.col("social_care_team").is_not_null(), "known_to_social_care"),
            "social_care_team",
            _yes_no(pl.col("disabled"), "disability"),
        )
        .sort("person")
    )  # fmt: skip


def _census_need(rolls: list[Roll]) -> pl.DataFrame:
    """Rank 1 need in the latest census that has one for the child."""
    needs = pl.concat(
        roll.needs.select(pl.lit(n).alias("census"), "person", "need", "rank") for n, roll in enumerate(rolls)
    )
    return (
        needs.filter(pl.col("rank") == 1)
        .sort("person", "census")
        .unique("person", keep="last")
        .select("person", "need")
    )


def _shared(
    rolls: list[Roll],
    rows: pl.DataFrame,
    main: pl.DataFrame,
    current: pl.DataFrame,
    cases: pl.DataFrame,
    care: Care,
    as_of: date,
) -> pl.DataFrame:
    """Per person: suspensions, permanent_exclusions, absence_pct, premium, social_care_team, disabled."""
    since = six_months_before(as_of)
    exclusions = (
        pl.concat(roll.exclusions.select("person", "started", "category") for roll in rolls)
        .filter((pl.col("started") > since) & (pl.col("started") <= as_of))
        .with_columns(pl.col("category").replace("FIXD", "SUSP"))
        .unique()
        .group_by("person")
        .agg(
            suspensions=pl.col("category").is_in(["SUSP", "LNCH"]).sum(),
            permanent_exclusions=(pl.col("category") == "PERM").sum(),
        )
    )
    # a term overlaps (since, as_of] when it ends after `since` and begins on or before `as_of`
    overlapping = [
        n for n, roll in enumerate(rolls)
        if roll.census.attendance_to >= since + timedelta(days=1) and roll.census.attendance_from <= as_of
    ]  # fmt: skip
    sessions = rows.filter(pl.col("possible") > 0).with_columns(missed=pl.col("authorised") + pl.col("unauthorised"))
    totals = [pl.col("missed").sum(), pl.col("possible").sum()]
    recent = sessions.filter(pl.col("census").is_in(overlapping)).group_by("person").agg(totals)
    latest = (
        sessions.group_by("person", "census").agg(totals).sort("person", "census")
        .unique("person", keep="last", maintain_order=True).join(recent, on="person", how="anti")
    )  # fmt: skip
    absence = pl.concat([recent, latest.select(recent.columns)]).select(
        # tenths of a percent, half up, in whole numbers
        "person",
        absence_pct=(((2000 * pl.col("missed") + pl.col("possible")) // (2 * pl.col("possible"))) / 10).round(1),
    )
    premium = main.sort("person", "census").unique("person", keep="last").select("person", "premium")

    cin = care.referrals.filter(_open("referred", "closed", as_of) & ~pl.col("no_action")).select(
        "person", level=pl.lit(3)
    )
    plan = care.referrals.filter(_open("protected_from", "protected_to", as_of)).select("person", level=pl.lit(2))
    placed = care.looked_after.filter(_open("from", "to", as_of)).select("person", level=pl.lit(1))
    teams = {1: "looked after children", 2: "child protection", 3: "children in need"}
    team = (
        pl.concat([cin, plan, placed]).group_by("person").agg(pl.col("level").min())
        .select("person", social_care_team=pl.col("level").replace_strict(teams, return_dtype=pl.String))
    )  # fmt: skip
    in_cin = care.referrals["person"].unique().implode()
    by_care = care.children.filter(
        pl.col("person").is_in(in_cin) & ((pl.col("disability") != "NONE") | pl.col("second_disability").is_not_null())
    )["person"]
    active = cases.filter("active")
    by_plan = active.filter(pl.col("need").is_in(_DISABLING) | pl.col("second_need").is_in(_DISABLING))["person"]
    by_census = pl.concat(roll.needs for roll in rolls).filter(pl.col("need").is_in(_DISABLING))["person"]
    disabled = pl.DataFrame({"person": pl.concat([by_care, by_plan, by_census]).unique(), "disabled": True})
    people = pl.DataFrame({"person": pl.concat([current["person"], cases["person"]]).unique()})
    for frame in (exclusions, absence, premium, team, disabled):
        people = people.join(frame, on="person", how="left")
    return people
