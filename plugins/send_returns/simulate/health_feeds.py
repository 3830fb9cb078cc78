"""The health feeds in their suppliers' formats: CSDS, MHSDS, health advice, the dynamic support register, the trace."""

from datetime import date

import polars as pl

from send_returns.simulate.calendar import financial_year, last_month_end, last_quarter_end
from send_returns.simulate.health import Community, Support
from send_returns.simulate.mental_health import PROVIDER, MentalHealth, window_start
from send_returns.simulate.text import ISO, PERSON, SLASHED, Table, flag, texts, upn_known

_HEALTH_ETHNICITY = {
    "WBRI": "A", "WIRI": "B", "WIRT": "C", "WOTH": "C", "WROM": "C", "MWBC": "D", "MWBA": "E", "MWAS": "F",
    "MOTH": "G", "AIND": "H", "APKN": "J", "ABAN": "K", "AOTH": "L", "BCRB": "M", "BAFR": "N", "BOTH": "P",
    "CHNE": "R", "OOTH": "S", "REFU": "Z", "NOBT": "99",
}  # fmt: skip
# Codes of SNOMED CT: evaluation, psychotherapy, and the scores of the PHQ-9 and GAD-7.
_PROCEDURES = {"assessment": "386053000", "treatment": "75516001"}
_SCORES = ("720433000", "445455005")
_ICD_10 = "02"
_FIRST_TREATMENT, _NOT_TREATED = "30", "20"


def csds(
    health: Community, identity: pl.DataFrame, looked_after: pl.DataFrame, as_of: date, first: int = 0
) -> list[Table]:
    """A provider submission per financial year, each with its patients, open referrals, services and contacts; records
    are numbered from `first`."""
    first_day = health.contacts.select(pl.col("on").min().fill_null(as_of)).item()
    start_year = financial_year(first_day)
    tables: list[Table] = []
    for year in range(start_year, financial_year(as_of) + 1):
        start, end = date(year, 4, 1), min(date(year + 1, 3, 31), as_of)
        period = {
            "EFFECTIVE FROM": pl.lit(f"{end} 05:00:00"),
            "UNIQUE SUBMISSION ID": pl.lit(f"SUB{year}"),
            "REPORTING PERIOD START DATE": pl.lit(start),
            "REPORTING PERIOD END DATE": pl.lit(end),
        }
        is_open = (pl.col("received") <= end) & (pl.col("discharged").is_null() | (pl.col("discharged") >= start))
        referrals = health.referrals.filter(is_open)
        contacts = health.contacts.filter(pl.col("on").is_between(start, end))
        referrals = (
            pl.concat([referrals, health.referrals.join(contacts.select("request").unique(), on="request", how="semi")])
            .unique("request", keep="first")
            .sort("request")
        )
        patients = (
            health.patients.join(referrals.select(PERSON).unique(), on=PERSON, how="semi")
            .join(identity, on=PERSON, how="left")
            .join(looked_after, on=PERSON, how="left")
            .sort("local_id")
        )
        ended = pl.when(pl.col("discharged") <= end).then("discharged")
        rejected = pl.when(pl.col("rejected") <= end).then("rejected")
        provider = {"ORGANISATION IDENTIFIER (CODE OF PROVIDER)": pl.col("provider")}
        local = {"LOCAL PATIENT IDENTIFIER (EXTENDED)": pl.format("LPI{}", "local_id")}
        request = {"SERVICE REQUEST IDENTIFIER": pl.format("SR{}", "request")}
        columns: dict[str, tuple[pl.DataFrame, dict[str, pl.Expr]]] = {
            "CYP001MPI": (
                patients,
                {
                    PERSON: pl.col(PERSON), **local, **provider,
                    "NHS NUMBER": pl.col("nhs_number"),
                    "PERSON BIRTH DATE": pl.col("born"),
                    "POSTCODE OF USUAL ADDRESS": pl.col("postcode"),
                    "PERSON STATED GENDER CODE": pl.col("sex").replace_strict({"M": "1", "F": "2"}),
                    "ETHNIC CATEGORY": pl.col("ethnicity").replace_strict(_HEALTH_ETHNICITY),
                    "LOOKED AFTER CHILD INDICATOR": flag("looked_after", "Y", "N"),
                },
            ),
            "CYP101Referral": (
                referrals,
                {
                    **request, **local, **provider,
                    "REFERRAL REQUEST RECEIVED DATE": pl.col("received"),
                    "SOURCE OF REFERRAL FOR COMMUNITY": pl.col("source"),
                    "PRIORITY TYPE CODE": pl.col("priority"),
                    "PRIMARY REASON FOR REFERRAL (COMMUNITY CARE)": pl.col("reason"),
                    "SERVICE DISCHARGE DATE": ended,
                },
            ),
            "CYP102ServiceTypeReferredTo": (
                referrals,
                {
                    **request, **provider,
                    "CARE PROFESSIONAL TEAM LOCAL IDENTIFIER": pl.format("TEAM{}", "team"),
                    "SERVICE OR TEAM TYPE REFERRED TO (COMMUNITY CARE)": pl.col("service"),
                    "REFERRAL CLOSURE DATE": pl.when(pl.col("rejected").is_null()).then(ended),
                    "REFERRAL REJECTION DATE": rejected,
                    "REFERRAL CLOSURE REASON": pl.when(pl.col("rejected").is_null() & ended.is_not_null()).then(
                        pl.lit("01")
                    ),
                },
            ),
            "CYP201CareContact": (
                contacts,
                {
                    "CARE CONTACT IDENTIFIER": pl.format("CC{}", "contact"), **request, **provider,
                    "CARE CONTACT DATE": pl.col("on"),
                    "CONSULTATION MEDIUM USED": pl.col("medium"),
                    "ATTENDED OR DID NOT ATTEND CODE": pl.col("attended"),
                },
            ),
        }  # fmt: skip
        for name, (frame, chosen) in columns.items():
            table = frame.with_row_index("record", offset=first + 1).select(
                **chosen,
                **{"RECORD NUMBER": pl.col("record")},
                **period,
            )
            path = f"icb/csds/csds_{year}-{(year + 1) % 100}/{name}.csv"
            tables.append(Table("csds", path, name.lower(), texts(table, ISO)))
    return tables


def mhsds(mental: MentalHealth, identity: pl.DataFrame, as_of: date, first: int = 0) -> list[Table]:
    """The provider's submission of each financial year since the window began; records are numbered from `first`."""
    tables: list[Table] = []
    for year in range(financial_year(window_start(as_of)), financial_year(as_of) + 1):
        start, end = date(year, 4, 1), min(date(year + 1, 3, 31), as_of)
        tables += _mhsds_year(mental, identity, start, end, first)
    return tables


def _mhsds_year(mental: MentalHealth, identity: pl.DataFrame, start: date, end: date, first: int) -> list[Table]:
    over = pl.coalesce("rejected", "discharged")
    open_in_year = (pl.col("received") <= end) & (over.is_null() | (over >= start))
    # What is to come after the end of the year is not known at that time.
    happened = ("rejected", "seen", "scored", "planned", "treated", "assessed", "concluded", "discharged")
    referrals = (
        mental.referrals.filter(open_in_year)
        .with_columns(pl.when(pl.col(name) <= end).then(name).alias(name) for name in happened)
        .join(mental.patients.select(PERSON, "local_id"), on=PERSON, how="left", maintain_order="left")
        .sort("request")
    )
    patients = (
        mental.patients.join(referrals.select(PERSON).unique(), on=PERSON, how="semi")
        .join(identity, on=PERSON, how="left")
        .sort("local_id")
    )
    contacts = (
        mental.contacts.filter(pl.col("on").is_between(start, end))
        .join(referrals.select("request"), on="request", how="semi")
        .sort("contact")
    )
    acts = contacts.filter(pl.col("act") != "")
    scored = referrals.filter(pl.col("scored").is_between(start, end))
    eating = referrals.filter(pl.col("kind") == "eating", pl.col("rejected").is_null())
    local, request = pl.format("MH{}", "local_id"), pl.format("MR{}", "request")
    contact = pl.format("MC{}", "contact")
    score = 5 + pl.col("request") % 19
    chosen: dict[str, tuple[pl.DataFrame, dict[str, pl.Expr]]] = {
        "MHS001MPI": (
            patients,
            {
                PERSON: pl.col(PERSON), "LocalPatientId": local,
                "NHSNumber": pl.col("nhs_number"), "NHSNumberStatus": pl.lit("01"),
                "PersonBirthDate": pl.col("born"), "Postcode": pl.col("postcode"),
                "GenderIDCode": pl.col("sex").replace_strict({"M": "1", "F": "2"}),
                "EthnicCategory": pl.col("ethnicity").replace_strict(_HEALTH_ETHNICITY),
            },
        ),
        "MHS005PatInd": (
            patients,
            {
                "LocalPatientId": local, "LACStatus": flag("looked_after", "Y", "N"),
                "CPP": flag("protected", "Y", "N"), "LDStatus": pl.col("ld_status"),
                "AutismStatus": pl.col("autism_status"),
            },
        ),
        "MHS008CarePlanType": (
            referrals.filter(pl.col("planned").is_between(start, end)),
            {
                "CarePlanID": pl.format("CP{}", "request"), "LocalPatientId": local,
                "CarePlanTypeMH": pl.lit("10"), "CarePlanCreatDate": pl.col("planned"),
            },
        ),
        "MHS101Referral": (
            referrals,
            {
                "ServiceRequestId": request, "LocalPatientId": local,
                "ReferralRequestReceivedDate": pl.col("received"), "SourceOfReferralMH": pl.col("source"),
                "ClinRespPriorityType": pl.col("priority"), "PrimReasonReferralMH": pl.col("reason"),
                "CareProfTeamLocalID": pl.format("MT{}", "team"), "ServTeamType": pl.col("team_type"),
                "ServDischDate": pl.col("discharged"), "ReferRejectionDate": pl.col("rejected"),
            },
        ),
        "MHS102ServiceTypeReferredTo": (
            referrals,
            {
                "ServiceRequestId": request, "CareProfTeamLocalId": pl.format("MT{}", "team"),
                "ServTeamTypeRefToMH": pl.col("team_type"), "ReferClosureDate": pl.col("discharged"),
                "ReferRejectionDate": pl.col("rejected"),
            },
        ),
        "MHS104RTT": (
            eating,
            {
                "ServiceRequestId": request, "WaitTimeMeasureType": pl.lit("09"),
                "ReferToTreatPeriodStartDate": pl.col("received"), "ReferToTreatPeriodEndDate": pl.col("treated"),
                "ReferToTreatPeriodStatus": pl.when(pl.col("treated").is_null())
                .then(pl.lit(_NOT_TREATED)).otherwise(pl.lit(_FIRST_TREATMENT)),
            },
        ),
        "MHS201CareContact": (
            contacts,
            {
                "CareContactId": contact, "ServiceRequestId": request, "CareContDate": pl.col("on"),
                "ConsMechanismMH": pl.col("medium"), "AttendStatus": pl.col("attended"),
            },
        ),
        "MHS202CareActivity": (
            acts,
            {
                "CareActId": pl.format("MA{}", "contact"), "CareContactId": contact,
                "Procedure": pl.col("act").replace_strict(_PROCEDURES, return_dtype=pl.String),
            },
        ),
        "MHS604PrimDiag": (
            referrals.filter(pl.col("diagnosis").is_not_null() & pl.col("concluded").is_between(start, end)),
            {
                "ServiceRequestId": request, "DiagSchemeInUse": pl.lit(_ICD_10), "PrimDiag": pl.col("diagnosis"),
                "DiagDate": pl.col("concluded"),
            },
        ),
        "MHS606CodedScoreAssessmentRefer": (
            scored,
            {
                "ServiceRequestId": request, "CodedAssToolType": pl.lit(_SCORES[0]),
                "PersScore": score.cast(pl.String),
                "AssToolCompTimestamp": pl.col("scored").dt.strftime("%Y-%m-%d 10:00:00"),
            },
        ),
        "MHS607CodedScoreAssessmentAct": (
            acts.filter(pl.col("act") == "treatment"),
            {
                "CareActId": pl.format("MA{}", "contact"), "CodedAssToolType": pl.lit(_SCORES[1]),
                "PersScore": (pl.col("contact") % 19 + 1).cast(pl.String),
            },
        ),
    }  # fmt: skip
    submission = {
        "EFFECTIVE_FROM": pl.lit(f"{end} 05:00:00"),
        "UniqSubmissionID": pl.lit(f"MSUB{start.year}"),
        "ReportingPeriodStartDate": pl.lit(start),
        "ReportingPeriodEndDate": pl.lit(end),
    }
    folder = f"icb/mhsds/mhsds_{start.year}-{(start.year + 1) % 100}"
    tables = []
    for name, (frame, columns) in chosen.items():
        record = {"OrgIDProv": pl.lit(PROVIDER), "RecordNumber": pl.col("record")}
        table = frame.with_row_index("record", offset=first + 1).select(**columns, **record, **submission)
        tables.append(Table("mhsds", f"{folder}/{name}.csv", name.lower(), texts(table, ISO)))
    return tables


def health_advice(support: Support, identity: pl.DataFrame, known: pl.DataFrame, as_of: date) -> list[Table]:
    """The extract of the latest month end: requests for advice, and notifications. `known`: person, la_child_id."""
    extract = last_month_end(as_of)
    folder = f"icb/health_advice/health_advice_{extract}/health_advice_{extract}_"
    advice = _named(support.advice, identity, known, extract).select(
        PERSON,
        request_id=pl.format("HA{}", "request"),
        **_WHO,
        service="service",
        provider="provider",
        requested_on="requested",
        due_on="due",
        received_on="received",
        outcome="outcome",
    )
    notification = _named(support.notifications, identity, known, extract).select(
        PERSON,
        notification_id=pl.format("HN{}", "request"),
        **_WHO,
        provider="provider",
        parent_told_on="parent_told",
        notified_on="notified",
        replied_on="replied",
    )
    return [
        Table("health_advice", f"{folder}{name}.csv", name, texts(frame, SLASHED))
        for name, frame in (("advice", advice), ("notification", notification))
    ]


def dynamic_support_register(support: Support, identity: pl.DataFrame, known: pl.DataFrame, as_of: date) -> list[Table]:
    """The workbook of the latest month end: the register and its reviews."""
    extract = last_month_end(as_of)
    name = f"dynamic_support_register_{extract}"
    register = _named(support.register.drop("born"), identity, known, extract).select(
        PERSON,
        register_id=pl.format("DSR{}", "request"),
        **_WHO,
        provider=pl.lit(PROVIDER),
        is_autistic="autistic",
        has_learning_disability="learning_disability",
        added_on="added",
        removed_on="removed",
        rating="rating",
        rated_on="rated",
        key_worker_on="key_worker",
        admitted_on="admitted",
        discharged_on="discharged",
    )
    ctr = support.reviews.select(
        ctr_id=pl.format("CTR{}", "ctr"),
        register_id=pl.format("DSR{}", "request"),
        kind="kind",
        place=pl.when("in_hospital").then(pl.lit("hospital")).otherwise(pl.lit("community")),
        requested_on="requested",
        held_on="held",
        is_admission_advised=pl.when(pl.col("held").is_not_null()).then("advised"),
    )
    path = f"icb/dynamic_support_register/{name}/{name}.xlsx"
    return [
        Table("dynamic_support_register", path, sheet, texts(frame, SLASHED, "Yes", "No"))
        for sheet, frame in (("register", register), ("ctr", ctr))
    ]


def nhs_number_trace(support: Support, identity: pl.DataFrame, as_of: date) -> list[Table]:
    """The trace of the council's list at the latest quarter end."""
    extract = last_quarter_end(as_of)
    name = f"nhs_number_trace_{extract}"
    frame = (
        support.trace.join(identity.select(PERSON, "upn", "born"), on=PERSON, how="left", maintain_order="left")
        .sort("la_child_id")
        .select(
            PERSON,
            la_child_id="la_child_id",
            upn=upn_known(extract),
            nhs_number="nhs_number",
            trace_outcome="outcome",
            traced_on="traced",
        )
    )
    path = f"icb/nhs_number_trace/{name}/{name}.csv"
    return [Table("nhs_number_trace", path, "trace", texts(frame, SLASHED))]


_WHO = {
    "la_child_id": pl.col("la_child_id"),
    "nhs_number": pl.col("nhs_number"),
    "upn": pl.col("known_upn"),
    "surname": pl.col("surname"),
    "forename": pl.col("forename"),
    "date_of_birth": pl.col("born"),
}


def _named(frame: pl.DataFrame, identity: pl.DataFrame, known: pl.DataFrame, on: date) -> pl.DataFrame:
    """The rows with who they are of: the council's number where it has one, the UPN where a school gave one."""
    return (
        frame.join(identity, on=PERSON, how="left", maintain_order="left")
        .join(known, on=PERSON, how="left", maintain_order="left")
        .with_columns(known_upn=upn_known(on))
    )
