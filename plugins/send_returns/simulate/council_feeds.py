"""The council's own registers in their suppliers' files: casework, provision, disputes, contacts, audits, after 16."""

from datetime import date

import polars as pl

from send_returns.simulate.calendar import last_month_end
from send_returns.simulate.casework import Casework
from send_returns.simulate.council import Council
from send_returns.simulate.disputes import Disputes
from send_returns.simulate.establishments import LA
from send_returns.simulate.lives import Lives
from send_returns.simulate.provision import Provision
from send_returns.simulate.text import ISO, PERSON, SLASHED, Table, texts, upn_known

_YEAR_GROUPS = {0: "R", -1: "N2", -2: "N1"}


def council_feeds(served: Council, of: Lives, as_of: date) -> list[Table]:
    """Every table of the nine feeds, as at the last day of the latest month; the census as at its own day."""
    extract = last_month_end(as_of)
    who = of.identity.join(of.council_ids, on=PERSON, how="left", maintain_order="left").with_columns(
        known_upn=upn_known(extract)
    )
    return [
        *_ehc_casework(served.work, who, extract),
        _ap_census(served.provision, who),
        _part_time_timetables(served.provision, who, extract),
        *_short_breaks(served.provision, who, extract),
        *_disputes(served.disputes, who, extract),
        *_contact_log(served.disputes, who, extract),
        _plan_audit(served.work, who, extract),
        *_improvement_plan(served, extract),
        *_post16(served.provision, who, extract),
    ]


def _sets(feed: str, extract: date, frames: dict[str, pl.DataFrame]) -> list[Table]:
    """A folder of CSV, one for each table."""
    name = f"{feed}_{extract}"
    return [
        Table(feed, f"council/{feed}/{name}/{name}_{table}.csv", table, texts(frame, SLASHED, "Yes", "No"))
        for table, frame in frames.items()
    ]


_ID = {"la_child_id": pl.col("la_child_id")}
_UPN = {"upn": pl.col("known_upn")}
_NAMES = {"surname": pl.col("surname"), "forename": pl.col("forename"), "date_of_birth": pl.col("born")}
_WHO = {**_ID, **_UPN, **_NAMES}
_PLACE = {"postcode": pl.col("postcode")}


def _of(frame: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """The rows with the identifiers of whom they are of; what both have is the row's."""
    names = [name for name in who.columns if name == PERSON or name not in frame.columns]
    return frame.join(who.select(names), on=PERSON, how="left", maintain_order="left")


def _plan_id(case: str = "case") -> pl.Expr:
    return pl.format("P{}-{}", pl.col(case), "version")


def _ehc_casework(work: Casework, who: pl.DataFrame, extract: date) -> list[Table]:
    case_id = pl.format("C{}", "case")
    case = _of(work.cases, who).select(
        PERSON, case_id=case_id, **_ID, **_UPN, uln="uln", **_NAMES, **_PLACE,
        route="route",
        received_on="received",
        request_source="source",
        assess_decided_on="decided",
        assess_outcome="outcome",
        has_assess_exception="assess_exception",
        draft_on="draft",
        issue_decided_on="told",
        issue_outcome="issue_outcome",
        has_issue_exception="issue_exception",
        issue_exception="exception",
        closed_on="closed",
    )  # fmt: skip
    advice = _of(work.advice, who).select(
        PERSON,
        advice_id=pl.format("AD{}", "advice"),
        case_id=case_id,
        **_ID,
        advice_body="body",
        provider="provider",
        requested_on="requested",
        due_on="due",
        received_on="received",
        is_required="required",
        exception="exception",
    )
    has_number = pl.col("placed").fill_null(value=False) & pl.col("setting").is_null()
    plan = _of(work.versions, who).select(
        PERSON,
        plan_id=_plan_id(),
        case_id=case_id,
        **_ID,
        plan_kind="kind",
        draft_on="draft",
        final_on="final",
        replaced_on="replaced",
        ceased_on="ceased",
        cease_reason="cease_reason",
        urn=pl.when(has_number).then("urn"),
        ukprn=pl.when(has_number).then("ukprn"),
        sen_setting=pl.when("placed").then("setting"),
        is_type_only=pl.col("type_only").fill_null(value=False),
        transfer_kind="move",
        transfer_on="moved",
        has_section_c="section_c",
        has_section_d="section_d",
        has_section_g="section_g",
        has_section_h="section_h",
        child_view_on="view_on",
        child_view_method="view_method",
        child_view_reason="view_reason",
    )
    review = _of(work.reviews, who).select(
        PERSON,
        review_id=pl.format("AR{}", "review"),
        plan_id=_plan_id("plan_case"),
        **_ID,
        review_kind="kind",
        due_on="due",
        invited_on="invited",
        meeting_on="met",
        report_received_on="report",
        participation="participation",
        decided_on="decided",
        review_outcome="outcome",
        draft_on="draft",
        amended_final_on="final",
    )
    decision = _of(work.decisions, who).select(
        PERSON,
        decision_id=pl.format("PD{}", "decision_number"),
        case_id=case_id,
        **_ID,
        panel="panel",
        referred_on="referred",
        decided_on="decided",
        decision="decision",
        specialist_need="specialist",
        urn="urn",
        placed_on="placed",
        withdrawn_on="withdrawn",
    )
    correction = _of(work.corrections, who).select(
        PERSON,
        correction_id=pl.format("ER{}", "correction"),
        plan_id=_plan_id("plan_case"),
        **_ID,
        plan_stage="stage",
        section="section",
        reported_on="reported",
        reported_by="by",
        decision="decision",
        decided_on="decided",
        is_refusal_explained="explained",
        is_in_final="applied",
        reissued_on="reissued",
    )
    frames = {"case": case, "advice": advice, "plan": plan, "review": review, "panel_decision": decision}
    return _sets("ehc_casework", extract, frames | {"correction": correction})


def _ap_census(provision: Provision, who: pl.DataFrame) -> Table:
    year = pl.col("year").replace_strict(_YEAR_GROUPS, default=pl.col("year").cast(pl.String), return_dtype=pl.String)
    frame = _of(provision.alternative, who).select(
        PERSON,
        UPN="upn",
        FormerUPN=pl.lit(None, pl.String),
        UniqueLearnerNumber="uln",
        Surname="surname",
        Forename="forename",
        DOB="born",
        Sex="sex",
        Ethnicity="ethnicity",
        Postcode="postcode",
        LEA=pl.lit(LA),
        URN="urn",
        UKPRN="ukprn",
        APType="kind",
        HostURN="host",
        EntryDate="entered",
        LeavingDate="left",
        PlacementReason="reason",
        AttendancePattern=pl.when("full_time").then(pl.lit("FT")).otherwise(pl.lit("PT")),
        SessionsPerWeek="sessions",
        NCyearActual=year,
        SENprovision="provision",
        SENtype="need",
    )
    name = f"ap_census_{provision.census}"
    return Table("ap_census", f"council/ap_census/{name}/{name}.csv", "pupil", texts(frame, ISO))


def _part_time_timetables(provision: Provision, who: pl.DataFrame, extract: date) -> Table:
    frame = _of(provision.timetables, who).select(
        PERSON,
        timetable_id=pl.format("TT{}", "timetable"),
        **_WHO,
        urn="urn",
        sen_provision="provision",
        reason="reason",
        started_on="started",
        planned_end_on="planned",
        ended_on="ended",
        sessions_per_week="sessions",
        reviewed_on="reviewed",
        last_reviewed_on="reviewed_last",
        is_agreed_by_parent="agreed",
        is_medical="medical",
    )
    (table,) = _sets("part_time_timetables", extract, {"timetable": frame})
    return table


def _short_breaks(provision: Provision, who: pl.DataFrame, extract: date) -> list[Table]:
    request_id, package_id = pl.format("SB{}", "request"), pl.format("PK{}", "package")
    request = _of(provision.requests, who).select(
        PERSON,
        request_id=request_id,
        **_WHO,
        **_PLACE,
        service="service",
        requested_on="requested",
        assessed_on="assessed",
        decided_on="decided",
        decision="decision",
        started_on="started",
        closed_on="closed",
    )
    package = _of(provision.packages, who).select(
        PERSON,
        package_id=package_id,
        request_id=request_id,
        **_WHO,
        service="service",
        provider="provider",
        is_direct_payment=pl.col("service") == "direct_payment",
        started_on="started",
        ended_on="ended",
        minutes_per_week="minutes",
    )
    delivery = provision.delivery.select(
        package_id=package_id,
        month_on="month",
        agreed_minutes="agreed",
        delivered_minutes="delivered",
        cancelled_by="cancelled",
    )
    return _sets("short_breaks", extract, {"request": request, "package": package, "delivery": delivery})


def _disputes(disputes: Disputes, who: pl.DataFrame, extract: date) -> list[Table]:
    complaint = _of(disputes.complaints, who).select(
        PERSON,
        complaint_id=pl.format("CO{}", "complaint"),
        **_WHO,
        stage="stage",
        theme="theme",
        received_on="received",
        acknowledged_on="acknowledged",
        due_on="due",
        replied_on="replied",
        closed_on="closed",
        outcome="outcome",
    )
    mediation = _of(disputes.mediations, who).select(
        PERSON,
        mediation_id=pl.format("ME{}", "mediation"),
        **_WHO,
        decision_kind="kind",
        decision_on="decision",
        contacted_on="contacted",
        is_wanted="wanted",
        told_on="told",
        certificate_on="certificate",
        held_on="held",
        outcome="outcome",
    )
    appeal = _of(disputes.appeals, who).select(
        PERSON,
        appeal_id=pl.format("AP{}", "appeal"),
        **_WHO,
        decision_kind="kind",
        decision_on="decision",
        registered_on="registered",
        hearing_on="hearing",
        closed_on="closed",
        outcome="outcome",
        order_on="ordered",
        order_kind="order",
        order_due_on="order_due",
        complied_on="complied",
        recommendation_to="advised",
        recommended_on="advised_on",
        recommendation_replied_on="advice_replied",
    )
    ombudsman = _of(disputes.ombudsman, who).select(
        PERSON,
        ombudsman_id=pl.format("OM{}", "ombudsman"),
        **_WHO,
        received_on="received",
        decided_on="decided",
        decision="decision",
        theme="theme",
        remedy_due_on="due",
        remedied_on="remedied",
    )
    frames = {"complaint": complaint, "mediation": mediation, "appeal": appeal, "ombudsman": ombudsman}
    return _sets("disputes", extract, frames)


def _contact_log(disputes: Disputes, who: pl.DataFrame, extract: date) -> list[Table]:
    enquiry = _of(disputes.enquiries, who).select(
        PERSON,
        enquiry_id=pl.format("EN{}", "enquiry"),
        **_ID,
        **_UPN,
        channel="channel",
        topic="topic",
        received_on="received",
        answered_on="answered",
        is_repeat="repeat",
    )
    case = disputes.sendiass.select(
        sendiass_case_id=pl.format("SI{}", "sendiass"),
        opened_on="opened",
        closed_on="closed",
        theme="theme",
        level="level",
    )
    return _sets("contact_log", extract, {"enquiry": enquiry, "sendiass_case": case})


def _plan_audit(work: Casework, who: pl.DataFrame, extract: date) -> Table:
    grades = {f"section_{section}_grade": pl.col(f"section_{section}") for section in "abcdefghi"}
    frame = _of(work.audits, who).select(
        PERSON,
        audit_id=pl.format("QA{}", "audit"),
        plan_id=_plan_id("plan_case"),
        **_ID,
        **_UPN,
        date_of_birth="born",
        audited_on="audited",
        agency="agency",
        overall_grade="overall",
        **grades,
        is_specific="specific",
        is_quantified="quantified",
        has_child_view="child_view",
        is_moderated="moderated",
    )
    name = f"plan_audit_{extract}"
    return Table("plan_audit", f"council/plan_audit/{name}/{name}.xlsx", "audit", texts(frame, SLASHED, "Yes", "No"))


def _improvement_plan(served: Council, extract: date) -> list[Table]:
    action = served.actions.select(
        action_id="action",
        priority="priority",
        title="title",
        owner_organisation="owner",
        owner_role="role",
        started_on="started",
        due_on="due",
        completed_on="completed",
        status="status",
    )
    milestone = served.milestones.select(
        milestone_id="milestone",
        action_id="action",
        title="title",
        indicator="indicator",
        due_on="due",
        achieved_on="achieved",
        status="status",
    )
    name = f"improvement_plan_{extract}"
    path = f"council/improvement_plan/{name}/{name}.xlsx"
    return [
        Table("improvement_plan", path, sheet, texts(frame, SLASHED), key)
        for sheet, frame, key in (("action", action, "action_id"), ("milestone", milestone, "milestone_id"))
    ]


def _post16(provision: Provision, who: pl.DataFrame, extract: date) -> list[Table]:
    spell = _of(provision.participation, who).select(
        PERSON,
        **_ID,
        **_UPN,
        uln="uln",
        **_NAMES,
        **_PLACE,
        activity="activity",
        started_on="started",
        ended_on="ended",
        confirmed_on="confirmed",
        ukprn="ukprn",
        urn="urn",
        has_ehc_plan=pl.lit(value=True),
    )
    internship = _of(provision.internships, who).select(
        PERSON,
        internship_id=pl.format("SI{}", "internship"),
        **_ID,
        uln="uln",
        ukprn="ukprn",
        started_on="started",
        planned_end_on="planned",
        ended_on="ended",
        has_job_coach="coach",
        outcome="outcome",
    )
    return _sets("post16", extract, {"participation": spell, "supported_internship": internship})
