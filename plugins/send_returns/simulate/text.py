"""The suppliers' file formats: text columns as each supplier spells them, nested XML, CSV sets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from send_returns.simulate.care import Care, ssda903_year
from send_returns.simulate.census import Roll
from send_returns.simulate.establishments import LA
from send_returns.simulate.plans import named_plans

ISO, SLASHED, CENSUS, DASHED = "%Y-%m-%d", "%d/%m/%Y", "%Y-%b-%d 00:00:00", "%d-%m-%Y"
PERSON: Final = "person"
# From this age on a child is known to schools, and the council has their UPN.
_SCHOOL_AGE_DAYS = 1520


@dataclass(frozen=True)
class Table:
    """One table of a delivery, all text, as its file will have it, but for `person`: that column is for the truth.

    `path` is below the inbox; the tables of an XML delivery, and of a workbook, share it. `key`: the column that names
    a row, of a table that is about no child: blocks of children may have the same rows of it, to be written once.
    """

    feed: str
    path: str
    name: str
    frame: pl.DataFrame
    key: str | None = None

    @property
    def delivery(self) -> str:
        """The name of the delivery in the inbox."""
        return self.path.split("/")[2]


def upn_known(on: date) -> pl.Expr:
    """The UPN of those who were old enough on a day to have one."""
    return pl.when((pl.lit(on) - pl.col("born")).dt.total_days() > _SCHOOL_AGE_DAYS).then("upn")


def _date(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).dt.strftime(pattern).alias(column)


def flag(column: str, yes: str = "true", no: str = "false") -> pl.Expr:
    """A truth value as text; not known is not."""
    return pl.when(pl.col(column).fill_null(value=False)).then(pl.lit(yes)).otherwise(pl.lit(no)).alias(column)


def texts(frame: pl.DataFrame, pattern: str, yes: str = "true", no: str = "false") -> pl.DataFrame:
    """Every column as text; dates by `pattern`, flags as `yes` or `no`; `person` left alone."""
    expressions = []
    for name, kind in frame.schema.items():
        if name == PERSON:
            continue
        if kind == pl.Date:
            expressions.append(_date(name, pattern))
        elif kind == pl.Boolean:
            expressions.append(flag(name, yes, no))
        else:
            expressions.append(pl.col(name).cast(pl.String))
    return frame.with_columns(expressions)


def sen2(cases: pl.DataFrame, identity: pl.DataFrame, as_of: date, *, csv: bool, first: int = 0) -> list[Table]:
    """The SEN2 return: its nine tables, for one XML file or a folder of nine CSV; cases are numbered from `first`."""
    stem = f"SEN2_{LA}_{as_of}"
    cases = cases.with_row_index("case", offset=first).with_columns(
        requeststableid=pl.format("R{}", "case"),
        assessmenttableid=pl.format("A{}", "case"),
        activeplanstableid=pl.format("V{}", "case"),
    )
    people = identity.join(cases.select(PERSON).unique(), on=PERSON, how="semi").sort(PERSON)
    person = people.select(
        PERSON,
        persontableid=pl.format("P{}", PERSON),
        sen2tableid=pl.lit("S1"),
        surname="surname",
        forename="forename",
        personbirthdate="born",
        sex="sex",
        ethnicity="sen2_ethnicity",
        postcode="postcode",
        upn="upn",
        uniquelearnernumber="uln",
        upnunknown=pl.lit(None, pl.String),
    )
    requests = cases.select(
        "requeststableid",
        persontableid=pl.format("P{}", PERSON),
        receiveddate="received",
        requestsource="request_source",
        rya="rya",
        requestoutcomedate="request_outcome_on",
        requestoutcome="request_outcome",
        requestmediation="request_mediation",
        requesttribunal="request_tribunal",
        exported="exported",
    )
    assessment = cases.filter(pl.col("assessment_outcome").is_not_null()).select(
        "assessmenttableid",
        "requeststableid",
        assessmentoutcome="assessment_outcome",
        assessmentoutcomedate="assessment_outcome_on",
        assessmentmediation="assessment_mediation",
        assessmenttribunal="assessment_tribunal",
        othermediation="other_mediation",
        othertribunal="other_tribunal",
        week20=pl.when(pl.col("week20") >= 0).then("week20"),
    )
    plans = named_plans(cases.drop("case")).with_columns(
        namedplantableid=pl.format("N{}-{}", pl.col("case") + first, "version")
    )
    namedplan = plans.select(
        "namedplantableid",
        "assessmenttableid",
        startdate="start",
        planres="residential",
        planwbp="wbp",
        pb="pb",
        oa="oa",
        dp="dp",
        ceasedate="ceased",
        ceasereason="cease_reason",
    )
    setting = {
        "urn": pl.col("urn"), "ukprn": pl.col("ukprn"), "sensetting": pl.col("setting"),
        "sensettingother": pl.col("setting_other"), "placementrank": pl.lit(1),
    }  # fmt: skip
    units = {"senunitindicator": flag("sen_unit"), "resourcedprovisionindicator": flag("resourced")}
    plandetail = plans.filter(pl.col("active") & pl.col("placed")).select(
        "namedplantableid", plandetailtableid=pl.format("D{}-{}", "case", "version"), **setting, **units
    )
    active = cases.filter("active")
    activeplans = active.select(
        "activeplanstableid",
        "requeststableid",
        transferla="transfer_la",
        reviewmeeting="review_met",
        reviewoutcome="review_outcome",
        lastreview="review_decided",
        reviewdraft="review_draft",
        phasetransferduedate="transfer_due",
        phasetransferfinaldate="transfer_final",
    )
    placement = active.filter("placed").select(
        "activeplanstableid",
        placementdetailtableid=pl.format("L{}", "case"),
        **setting,
        entrydate="entered",
        leavingdate=pl.lit(None, pl.Date),
        **units,
        res="residential",
        wbp="wbp",
    )
    needs = (
        pl.concat(
            active.filter(pl.col(column).is_not_null()).select(
                "case",
                "activeplanstableid",
                senneedtableid=pl.format("E{}-{}", "case", pl.lit(rank)),
                sentype=column,
                sentyperank=pl.lit(rank),
            )
            for rank, column in ((1, "need"), (2, "second_need"))
        )
        .sort("case", "sentyperank")
        .drop("case")
    )
    header = pl.DataFrame(
        {
            "sen2tableid": ["S1"], "collection": ["SEN2"], "year": [str(as_of.year)], "referencedate": [as_of],
            "sourcelevel": ["L"], "lea": [str(LA)], "softwarecode": ["Example casework"], "release": ["1.0"],
            "serialno": ["1"], "datetime": [f"{as_of}T06:00:00"], "dmo": ["true"], "dco": ["true"], "dsco": ["true"],
        }
    )  # fmt: skip
    tables = {
        "sen2": header, "person": person, "requests": requests, "assessment": assessment, "namedplan": namedplan,
        "plandetail": plandetail, "activeplans": activeplans, "placementdetail": placement, "senneed": needs,
    }  # fmt: skip
    path = "council/sen2/" + (stem + "/{}.csv" if csv else stem + ".xml")
    return [
        Table("sen2", path.format(name), name, texts(frame, ISO), "sen2tableid" if name == "sen2" else None)
        for name, frame in tables.items()
    ]


def school_census(roll: Roll, identity: pl.DataFrame, schools: pl.DataFrame, first: int = 0) -> list[Table]:
    """A term's four CSV tables; exclusions are numbered from `first`."""
    census = roll.census
    folder = f"council/school_census/{census.name}/{census.name}_"
    establishment = schools.select("urn", nativeid=pl.format("SCH{}", "estab"))
    pupils = roll.pupils.join(identity, on=PERSON, how="left", maintain_order="left").join(
        establishment, on="urn", how="left", maintain_order="left"
    )
    key = pl.format(
        "{}-{}", pl.lit(f"{census.year % 100}{census.term[:2]}"), pl.col("row").cast(pl.String).str.zfill(7)
    )
    year = (
        pl.when(pl.col("year") == 0).then(pl.lit("R"))
        .when(pl.col("year") == -1).then(pl.lit("N2"))
        .when(pl.col("year") < -1).then(pl.lit("N1"))
        .otherwise(pl.col("year").cast(pl.String))
    )  # fmt: skip
    pupilonroll = pupils.select(
        PERSON,
        pupilonrolltableid=key,
        NativeId="nativeid",
        upn="upn",
        formerupn=pl.lit(None, pl.String),
        uniquelearnernumber=pl.when(pl.col("year") >= 9).then("uln"),
        surname="surname",
        forename="forename",
        dob="born",
        sex="sex",
        ethnicity="ethnicity",
        postcode="postcode",
        entrydate="entered",
        enrolstatus="status",
        ncyearactual=year,
        parttime="part_time",
        senprovision="provision",
        senunitindicator="sen_unit",
        resourcedprovisionindicator="resourced",
        pupilpremium="premium",
        termlysessionspossible="possible",
        termlysessionsauthorised="authorised",
        termlysessionsunauthorised="unauthorised",
    )
    natives = pupils.select("row", "nativeid")
    senneeds = roll.needs.join(natives, on="row", maintain_order="left").select(
        pupilonrolltableid=key, NativeId="nativeid", sentype="need", sentyperank="rank"
    )
    exclusions = (
        roll.exclusions.join(natives, on="row", maintain_order="left")
        .with_row_index("exclusion", offset=first + 1)
        .select(
            pupilonrolltableid=key,
            NativeId="nativeid",
            termlyexclusionsonrolltableid=pl.format("X{}", "exclusion"),
            startdate="started",
            sessions="sessions",
            reason1="reason",
            reason2="reason_2",
            reason3=pl.lit(None, pl.String),
            category="category",
            senprovision="provision",
        )
    )
    school = (
        schools.join(roll.pupils.select("urn").unique(), on="urn", how="semi")
        .sort("urn")
        .select(
            schoolcensustableid=pl.format("C{}", "urn"),
            NativeId=pl.format("SCH{}", "estab"),
            lea="la_code",
            estab="estab",
            urn="urn",
            schoolname="name",
            phase="phase",
            referencedate=pl.lit(census.day),
            term=pl.lit(census.term),
        )
    )
    tables = {"school": school, "pupilonroll": pupilonroll, "senneeds": senneeds, "termlyexclusionsonroll": exclusions}
    return [
        Table(
            "school_census",
            f"{folder}{name}.csv",
            name,
            texts(frame, CENSUS, "True", "False"),
            "urn" if name == "school" else None,
        )
        for name, frame in tables.items()
    ]


def cin_census(care: Care, identity: pl.DataFrame, as_of: date) -> list[Table]:
    """The CIN census: child, disability, details and what hangs on an episode, for one XML file."""
    path = f"council/cin_census/CIN_{LA}_{as_of}.xml"
    referrals = care.referrals.with_row_index("episode")
    assessed = referrals.filter(pl.col("assessment_start").is_not_null())
    known = care.children.join(referrals.select(PERSON).unique(), on=PERSON, how="semi").sort(PERSON)
    child = known.join(identity, on=PERSON, how="left", maintain_order="left").select(
        PERSON,
        lachildid="la_child_id",
        upn="upn",
        formerupn=pl.lit(None, pl.String),
        upnunknown=pl.lit(None, pl.String),
        personbirthdate="born",
        gendercurrent=pl.col("sex").replace_strict({"M": "1", "F": "2"}),
        ethnicity="ethnicity",
    )
    disability = (
        pl.concat(
            known.filter(pl.col(column).is_not_null()).select(PERSON, disability=column, order=pl.lit(order))
            for order, column in enumerate(("disability", "second_disability"))
        )
        .unique([PERSON, "disability"], keep="first", maintain_order=True)
        .sort(PERSON, "order")
        .drop("order")
    )
    header = pl.DataFrame(
        {"collection": ["CIN"], "year": [str(ssda903_year(as_of))], "referencedate": [as_of], "lea": [str(LA)]}
    )
    tables = {
        "header": header,
        "child": child,
        "disability": disability,
        "cindetails": referrals,
        "assessment": assessed,
        "assessmentfactor": assessed.select("episode", "factor"),
        "cinplan": referrals.filter(pl.col("cin_plan_start").is_not_null()),
        "section47": referrals.filter(pl.col("conference").is_not_null()),
        "childprotectionplan": referrals.filter(pl.col("protected_from").is_not_null()),
    }
    return [
        Table("cin_census", path, name, texts(frame, ISO, "1", "0"), "collection" if name == "header" else None)
        for name, frame in tables.items()
    ]


def ssda903(care: Care, identity: pl.DataFrame, as_of: date) -> list[Table]:
    """Header and episodes of the collection year to date."""
    year = ssda903_year(as_of)
    people = (
        care.looked_after.select(PERSON).unique().join(care.children, on=PERSON).join(identity, on=PERSON).sort(PERSON)
    )
    header = people.select(
        PERSON,
        CHILD="la_child_id",
        SEX=pl.col("sex").replace_strict({"M": "1", "F": "2"}),
        DOB="born",
        ETHNIC="ethnicity",
        UPN="upn",
        MOTHER=pl.lit(None, pl.String),
        MC_DOB=pl.lit(None, pl.String),
    )
    homes = people.select(PERSON, "la_child_id", "postcode")
    episodes = care.looked_after.join(homes, on=PERSON, maintain_order="left").select(
        CHILD="la_child_id",
        DECOM="from",
        RNE="new",
        LS="legal_status",
        CIN="category",
        PLACE="place",
        PLACE_PROVIDER="provider",
        DEC="to",
        REC="ended",
        REASON_PLACE_CHANGE="why",
        HOME_POST="postcode",
        PL_POST="postcode",
        URN=pl.when(pl.col("place").is_in(["K2", "U4", "U1", "U6"])).then(
            pl.format("SC0{}", pl.col(PERSON) % 89999 + 10000)
        ),
    )
    folder = f"council/ssda903/ssda903_{as_of}/SSDA903_{year}_"
    return [
        Table("ssda903", f"{folder}{name}.csv", name, texts(frame, SLASHED))
        for name, frame in (("header", header), ("episodes", episodes))
    ]


def ehe_register(register: pl.DataFrame, identity: pl.DataFrame, as_of: date, first: int = 0) -> list[Table]:
    """The register, one CSV in its folder; entries are numbered from `first`."""
    frame = register.join(identity, on=PERSON, how="left", maintain_order="left").with_row_index(
        "number", offset=first + 1
    )
    child = frame.select(
        PERSON,
        ehe_id=pl.format("EHE{}", pl.col("number").cast(pl.String).str.zfill(5)),
        la_child_id="la_child_id",
        upn="upn",
        uln="uln",
        nhs_number="nhs_number",
        surname="surname",
        forename="forename",
        date_of_birth="born",
        sex="sex",
        postcode="postcode",
        ehe_start_on="start",
        ehe_end_on="end",
        ehe_reason="reason",
        sen_provision=pl.when("plan").then(pl.lit("E")).when("support").then(pl.lit("K")).otherwise(pl.lit("N")),
        has_ehc_plan="plan",
    )
    name = f"ehe_register_{as_of}"
    return [
        Table("ehe_register", f"council/ehe_register/{name}/{name}.csv", "child", texts(child, SLASHED, "Yes", "No"))
    ]


def gias(schools: pl.DataFrame, as_of: date) -> list[Table]:
    """The register of establishments, as GIAS lets one download it."""
    frame = schools.select(
        **{
            "URN": pl.col("urn"),
            "LA (code)": pl.col("la_code"),
            "LA (name)": pl.col("la_name"),
            "EstablishmentNumber": pl.col("estab"),
            "EstablishmentName": pl.col("name"),
            "TypeOfEstablishment (name)": pl.col("type"),
            "PhaseOfEducation (name)": pl.col("phase"),
            "EstablishmentStatus (name)": pl.col("status"),
            "OpenDate": pl.col("open_on"),
            "CloseDate": pl.col("close_on"),
            "UKPRN": pl.col("ukprn"),
            "Postcode": pl.col("postcode"),
            "DistrictAdministrative (name)": pl.col("district_name"),
        }
    )
    name = f"edubasealldata{as_of:%Y%m%d}"
    return [Table("gias", f"reference/gias/{name}/{name}.csv", "establishment", texts(frame, DASHED))]


@dataclass(frozen=True)
class Element:
    """An XML element for each row of a table. Parts: text as it is, (tag, column; no tag: the element's own text), or
    the elements below it, which refer to this table's `key` by a column of that name; `wrap` encloses all of those."""

    table: str
    tag: str
    key: str
    parts: Sequence["str | tuple[str, str] | Element"]
    wrap: str = ""


def _rendered(element: Element, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    frame = tables[element.table]
    pieces: list[pl.Expr] = [pl.lit(f"<{element.tag}>")]
    for number, part in enumerate(element.parts):
        if isinstance(part, str):
            pieces.append(pl.lit(part))
        elif isinstance(part, Element):
            below = _rendered(part, tables).group_by(element.key, maintain_order=True).agg(pl.col("xml").str.join(""))
            wrapped = pl.format(f"<{part.wrap}>{{}}</{part.wrap}>", "xml") if part.wrap else pl.col("xml")
            below = below.select(element.key, wrapped.alias(f"below{number}"))
            frame = frame.join(below, on=element.key, how="left", maintain_order="left")
            pieces.append(pl.col(f"below{number}").fill_null(""))
        else:
            tag, column = part
            escaped = pl.col(column)
            if column in _FREE_TEXT:
                escaped = escaped.str.replace_many(["&", "<", ">"], ["&amp;", "&lt;", "&gt;"])
            enclosed = pl.format(f"<{tag}>{{}}</{tag}>", escaped) if tag else escaped
            pieces.append(enclosed.fill_null(""))
    pieces.append(pl.lit(f"</{element.tag}>\n"))
    return frame.with_columns(xml=pl.concat_str(pieces))


_FREE_TEXT = {"surname", "forename", "postcode", "sensettingother", "upn", "ethnicity"}
_SETTING = [("URN", "urn"), ("UKPRN", "ukprn"), ("SENsetting", "sensetting"), ("SENsettingOther", "sensettingother"),
            ("PlacementRank", "placementrank")]  # fmt: skip
_UNITS = [("SENUnitIndicator", "senunitindicator"), ("ResourcedProvisionIndicator", "resourcedprovisionindicator")]
_SEN2 = Element("person", "Person", "persontableid", [
    ("Surname", "surname"), ("Forename", "forename"), ("PersonBirthDate", "personbirthdate"), ("Sex", "sex"),
    ("Ethnicity", "ethnicity"), ("PostCode", "postcode"), ("UPN", "upn"),
    ("UniqueLearnerNumber", "uniquelearnernumber"), ("UPNunknown", "upnunknown"),
    Element("requests", "Requests", "requeststableid", [
        ("ReceivedDate", "receiveddate"), ("RequestSource", "requestsource"), ("RYA", "rya"),
        ("RequestOutcomeDate", "requestoutcomedate"), ("RequestOutcome", "requestoutcome"),
        ("RequestMediation", "requestmediation"), ("RequestTribunal", "requesttribunal"), ("Exported", "exported"),
        Element("assessment", "Assessment", "assessmenttableid", [
            ("AssessmentOutcome", "assessmentoutcome"), ("AssessmentOutcomeDate", "assessmentoutcomedate"),
            ("AssessmentMediation", "assessmentmediation"), ("AssessmentTribunal", "assessmenttribunal"),
            ("OtherMediation", "othermediation"), ("OtherTribunal", "othertribunal"), ("Week20", "week20"),
            Element("namedplan", "NamedPlan", "namedplantableid", [
                ("StartDate", "startdate"), ("PlanRes", "planres"), ("PlanWBP", "planwbp"), ("PB", "pb"), ("OA", "oa"),
                ("DP", "dp"), ("CeaseDate", "ceasedate"), ("CeaseReason", "ceasereason"),
                Element("plandetail", "PlanDetail", "plandetailtableid", [*_SETTING, *_UNITS]),
            ]),
        ]),
        Element("activeplans", "ActivePlans", "activeplanstableid", [
            ("TransferLA", "transferla"), ("ReviewMeeting", "reviewmeeting"), ("ReviewOutcome", "reviewoutcome"),
            ("LastReview", "lastreview"), ("ReviewDraft", "reviewdraft"),
            ("PhaseTransferDueDate", "phasetransferduedate"), ("PhaseTransferFinalDate", "phasetransferfinaldate"),
            Element("placementdetail", "PlacementDetail", "placementdetailtableid", [
                *_SETTING, ("EntryDate", "entrydate"), ("LeavingDate", "leavingdate"), *_UNITS, ("Res", "res"),
                ("WBP", "wbp"),
            ]),
            Element("senneed", "SENneed", "senneedtableid", [("SENtype", "sentype"), ("SENtypeRank", "sentyperank")]),
        ]),
    ]),
])  # fmt: skip
_CIN = Element("child", "Child", "person", [
    "<ChildIdentifiers>", ("LAchildID", "lachildid"), ("UPN", "upn"), ("FormerUPN", "formerupn"),
    ("UPNunknown", "upnunknown"), ("PersonBirthDate", "personbirthdate"), ("GenderCurrent", "gendercurrent"),
    "</ChildIdentifiers><ChildCharacteristics>", ("Ethnicity", "ethnicity"),
    Element("disability", "Disability", "person", [("", "disability")], wrap="Disabilities"),
    "</ChildCharacteristics>",
    Element("cindetails", "CINdetails", "episode", [
        ("CINreferralDate", "referred"), ("ReferralSource", "source"), ("PrimaryNeedCode", "primary_need"),
        ("CINclosureDate", "closed"), ("ReasonForClosure", "closure_reason"), ("DateOfInitialCPC", "conference"),
        Element("assessment", "Assessments", "episode", [
            ("AssessmentActualStartDate", "assessment_start"), ("AssessmentAuthorisationDate", "assessment_end"),
            Element("assessmentfactor", "AssessmentFactors", "episode", [("", "factor")],
                    wrap="FactorsIdentifiedAtAssessment"),
        ]),
        Element("cinplan", "CINPlanDates", "episode", [
            ("CINPlanStartDate", "cin_plan_start"), ("CINPlanEndDate", "closed"),
        ]),
        Element("section47", "Section47", "episode", [
            ("S47ActualStartDate", "referred"), ("DateOfInitialCPC", "conference"),
            "<ICPCnotRequired>0</ICPCnotRequired>",
        ]),
        ("ReferralNFA", "no_action"),
        Element("childprotectionplan", "ChildProtectionPlans", "episode", [
            ("CPPstartDate", "protected_from"), ("CPPendDate", "protected_to"), ("InitialCategoryOfAbuse", "abuse"),
            ("LatestCategoryOfAbuse", "abuse"), ("NumberOfPreviousCPP", "previous_plans"),
        ]),
    ]),
])  # fmt: skip


@dataclass(frozen=True)
class Document:
    """An XML return: what is before its records (made from its tables), the records, and what is after them."""

    start: Callable[[Mapping[str, pl.DataFrame]], str]
    records: Element
    end: str


def _sen2_start(tables: Mapping[str, pl.DataFrame]) -> str:
    header = tables["sen2"].row(0, named=True)
    details = "".join(f"<{tag}>{header[tag.lower()]}</{tag}>" for tag in ("Collection", "Year", "ReferenceDate"))
    source = "".join(
        f"<{tag}>{header[tag.lower()]}</{tag}>"
        for tag in ("SourceLevel", "LEA", "SoftwareCode", "Release", "SerialNo", "DateTime")
    )
    officers = "".join(f"<{tag}>{header[tag.lower()]}</{tag}>" for tag in ("DMO", "DCO", "DSCO"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Message>'
        f"<Header><CollectionDetails>{details}</CollectionDetails><Source>{source}</Source></Header>"
        f"<SEN2>{officers}</SEN2><Persons>\n"
    )


def _cin_start(tables: Mapping[str, pl.DataFrame]) -> str:
    header = tables["header"].row(0, named=True)
    details = "".join(f"<{tag}>{header[tag.lower()]}</{tag}>" for tag in ("Collection", "Year", "ReferenceDate"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Message>'
        f"<Header><CollectionDetails>{details}</CollectionDetails>"
        f"<Source><SourceLevel>L</SourceLevel><LEA>{header['lea']}</LEA></Source></Header>"
        f"<Children>\n"
    )


# The SEN2 return as COLLECT takes it: Message > Header, SEN2, Persons > Person > Requests > ...; and the CIN census as
# its schema of 2024 has it: Message > Header, Children > Child > CINdetails > ...
DOCUMENTS: Final = {
    "sen2": Document(_sen2_start, _SEN2, "</Persons></Message>\n"),
    "cin_census": Document(_cin_start, _CIN, "</Children></Message>\n"),
}


def rendered(element: Element, tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """The XML of every row of the element's table."""
    return _rendered(element, tables)["xml"].to_list()
