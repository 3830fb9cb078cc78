"""What real files get wrong, done to the text of a table: shares of rows, drawn per table.

`realistic` is what suppliers send by accident; `hostile` adds what could harm a reader. The children whom the lists
must hold stay in them: no row of theirs is made unreadable.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from send_returns.simulate.draw import stream
from send_returns.simulate.identifiers import wrong_check_letter
from send_returns.simulate.text import PERSON, Table

Change = Callable[[pl.Expr], pl.Expr]
LEVELS = ("none", "realistic", "hostile")


def _to(value: str | None) -> Change:
    return lambda _: pl.lit(value, pl.String)


def _spaced(column: pl.Expr) -> pl.Expr:
    return column + "  "


def _lower(column: pl.Expr) -> pl.Expr:
    return column.str.to_lowercase()


def _upper(column: pl.Expr) -> pl.Expr:
    return column.str.to_uppercase()


def _unspaced(column: pl.Expr) -> pl.Expr:
    return column.str.replace_all(" ", "")


def _in_threes(column: pl.Expr) -> pl.Expr:
    """An NHS number as it is printed: 999 000 0000."""
    return column.str.replace(r"^(\d{3})(\d{3})(\d{4})$", "$1 $2 $3")


def _slashed(column: pl.Expr) -> pl.Expr:
    """An ISO date (with or without a time) as dd/mm/yyyy."""
    return column.str.replace(r"^(\d{4})-(\d\d)-(\d\d).*$", "$3/$2/$1")


def _month_named_to_iso(column: pl.Expr) -> pl.Expr:
    return column.str.to_date("%Y-%b-%d 00:00:00", strict=False).dt.strftime("%Y-%m-%d")


def _slashed_to_iso(column: pl.Expr) -> pl.Expr:
    return column.str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", "$3-$2-$1")


def _day_and_month_swapped(column: pl.Expr) -> pl.Expr:
    """A date keyed the American way, where that is a date at all."""
    swapped = column.str.replace(r"^(\d{4})-(\d\d)-(0\d|1[0-2])$", "$1-$3-$2")
    return swapped.str.replace(r"^(0\d|1[0-2])/(\d\d)/(\d{4})$", "$2/$1/$3")


# (feed, table): (column, share of rows, what happens), in this order
_REALISTIC: dict[tuple[str, str], list[tuple[str, float, Change]]] = {
    ("sen2", "person"): [
        ("ethnicity", 0.008, _to(None)), ("ethnicity", 0.002, _to("WHIT")), ("upn", 0.007, _to(None)),
        ("upn", 0.004, wrong_check_letter), ("upn", 0.003, _lower), ("uniquelearnernumber", 0.01, _to(None)),
        ("surname", 0.008, _spaced), ("surname", 0.004, _upper), ("postcode", 0.01, _unspaced),
        ("postcode", 0.006, _lower), ("postcode", 0.004, _to(None)), ("sex", 0.001, _to("U")),
    ],
    ("sen2", "requests"): [("requestsource", 0.02, _to(None)), ("requestsource", 0.002, _to("7"))],
    ("sen2", "assessment"): [("week20", 0.004, _to(None))],
    ("sen2", "namedplan"): [("dp", 0.001, _to("Y"))],
    ("sen2", "activeplans"): [
        ("reviewmeeting", 0.003, _slashed),
        ("reviewoutcome", 0.01, _to(None)), ("reviewdraft", 0.05, _to(None)),
    ],
    ("sen2", "placementdetail"): [("entrydate", 0.01, _to(None)), ("senunitindicator", 0.004, _to(None))],
    ("school_census", "pupilonroll"): [
        ("ethnicity", 0.010, _to(None)), ("ethnicity", 0.002, _to("UNKN")), ("upn", 0.006, _to(None)),
        ("upn", 0.004, wrong_check_letter), ("upn", 0.002, _lower), ("surname", 0.006, _spaced),
        ("forename", 0.004, _lower), ("postcode", 0.01, _unspaced), ("postcode", 0.005, _to(None)),
        ("entrydate", 0.002, _month_named_to_iso), ("ncyearactual", 0.001, _to("99")), ("parttime", 0.01, _to(None)),
        ("pupilpremium", 0.002, _to(None)), ("sex", 0.0005, _to("U")),
    ],
    ("school_census", "termlyexclusionsonroll"): [("reason1", 0.01, _to("OT")), ("senprovision", 0.05, _to(None))],
    ("cin_census", "child"): [
        ("ethnicity", 0.02, _to("NOBT")), ("upn", 0.02, _to(None)), ("upn", 0.01, wrong_check_letter),
        ("personbirthdate", 0.003, _day_and_month_swapped), ("gendercurrent", 0.002, _to("0")),
    ],
    ("cin_census", "cindetails"): [("primary_need", 0.02, _to("N0"))],
    ("ssda903", "header"): [("ETHNIC", 0.01, _to("UNKN")), ("UPN", 0.03, _to(None)), ("UPN", 0.01, wrong_check_letter)],
    ("ssda903", "episodes"): [("PL_POST", 0.02, _unspaced), ("PLACE", 0.003, _to("*DUMMY*"))],
    ("ehe_register", "child"): [
        ("upn", 0.06, _to(None)), ("nhs_number", 0.25, _to(None)), ("surname", 0.02, _spaced),
        ("surname", 0.02, _upper),
        ("postcode", 0.03, _lower), ("ehe_start_on", 0.01, _slashed_to_iso), ("sen_provision", 0.02, _to("Not known")),
        ("date_of_birth", 0.004, _day_and_month_swapped),
    ],
    ("csds", "cyp001mpi"): [
        ("NHS NUMBER", 0.008, _to(None)), ("PERSON BIRTH DATE", 0.003, _day_and_month_swapped),
        ("PERSON BIRTH DATE", 0.002, _slashed), ("POSTCODE OF USUAL ADDRESS", 0.02, _unspaced),
        ("POSTCODE OF USUAL ADDRESS", 0.01, _to(None)), ("ETHNIC CATEGORY", 0.05, _to("99")),
    ],
    ("csds", "cyp201carecontact"): [("ATTENDED OR DID NOT ATTEND CODE", 0.01, _to(None))],
    ("mhsds", "mhs001mpi"): [
        ("NHSNumber", 0.006, _to(None)), ("PersonBirthDate", 0.002, _day_and_month_swapped),
        ("PersonBirthDate", 0.002, _slashed), ("Postcode", 0.015, _unspaced), ("Postcode", 0.01, _to(None)),
        ("EthnicCategory", 0.06, _to("99")), ("GenderIDCode", 0.002, _to("X")),
    ],
    ("mhsds", "mhs005patind"): [("AutismStatus", 0.03, _to(None)), ("LDStatus", 0.03, _to(None))],
    ("mhsds", "mhs101referral"): [
        ("PrimReasonReferralMH", 0.015, _to(None)), ("PrimReasonReferralMH", 0.003, _to("99")),
        ("ReferralRequestReceivedDate", 0.002, _slashed),
    ],
    ("mhsds", "mhs201carecontact"): [("AttendStatus", 0.015, _to(None))],
    ("health_advice", "advice"): [
        ("la_child_id", 0.04, _to(None)), ("nhs_number", 0.03, _in_threes), ("nhs_number", 0.05, _to(None)),
        ("upn", 0.12, _to(None)), ("upn", 0.01, wrong_check_letter), ("surname", 0.02, _upper),
        ("surname", 0.01, _spaced), ("date_of_birth", 0.005, _day_and_month_swapped), ("due_on", 0.02, _to(None)),
        ("received_on", 0.01, _slashed_to_iso), ("service", 0.01, _to("Paeds")),
    ],
    ("health_advice", "notification"): [
        ("la_child_id", 0.10, _to(None)), ("nhs_number", 0.03, _in_threes), ("surname", 0.02, _upper),
        ("notified_on", 0.02, _slashed_to_iso),
    ],
    ("dynamic_support_register", "register"): [
        ("nhs_number", 0.08, _in_threes), ("la_child_id", 0.06, _to(None)), ("upn", 0.20, _to(None)),
        ("forename", 0.03, _upper), ("rated_on", 0.04, _slashed_to_iso), ("rating", 0.02, _upper),
    ],
    ("nhs_number_trace", "trace"): [
        ("upn", 0.03, _to(None)), ("nhs_number", 0.01, _in_threes), ("traced_on", 0.01, _slashed_to_iso),
    ],
    ("ehc_casework", "case"): [
        ("la_child_id", 0.004, _to(None)), ("upn", 0.05, _to(None)), ("upn", 0.006, wrong_check_letter),
        ("uln", 0.05, _to(None)), ("surname", 0.01, _spaced), ("surname", 0.006, _upper), ("postcode", 0.02, _lower),
        ("date_of_birth", 0.003, _day_and_month_swapped), ("received_on", 0.004, _slashed_to_iso),
        ("draft_on", 0.05, _to(None)), ("request_source", 0.02, _to("0")),
    ],
    ("ehc_casework", "advice"): [
        ("due_on", 0.03, _to(None)), ("provider", 0.06, _to(None)), ("provider", 0.03, _lower),
        ("is_required", 0.02, _to("Y")), ("received_on", 0.006, _slashed_to_iso),
    ],
    ("ehc_casework", "plan"): [
        ("is_type_only", 0.03, _to("N/A")), ("child_view_on", 0.1, _to(None)), ("draft_on", 0.06, _to(None)),
        ("urn", 0.004, _to("TBC")), ("final_on", 0.003, _slashed_to_iso),
    ],
    ("ehc_casework", "review"): [
        ("participation", 0.08, _to(None)), ("report_received_on", 0.05, _to(None)),
        ("meeting_on", 0.004, _slashed_to_iso),
        ("review_outcome", 0.01, _lower),
    ],
    ("ehc_casework", "panel_decision"): [("referred_on", 0.07, _to(None)), ("decision", 0.02, _to("Approved"))],
    ("ehc_casework", "correction"): [("section", 0.03, _lower), ("reported_by", 0.08, _to(None))],
    ("ap_census", "pupil"): [
        ("UniqueLearnerNumber", 0.1, _to(None)), ("Ethnicity", 0.02, _to("NOBT")), ("Postcode", 0.02, _unspaced),
        ("Surname", 0.02, _upper), ("SENtype", 0.03, _to(None)), ("PlacementReason", 0.04, _to(None)),
    ],
    ("part_time_timetables", "timetable"): [
        ("la_child_id", 0.2, _to(None)), ("upn", 0.01, wrong_check_letter), ("upn", 0.02, _lower),
        ("forename", 0.02, _upper), ("planned_end_on", 0.08, _to(None)), ("started_on", 0.01, _slashed_to_iso),
        ("is_agreed_by_parent", 0.04, _to("Verbal")), ("date_of_birth", 0.006, _day_and_month_swapped),
    ],
    ("short_breaks", "request"): [
        ("upn", 0.1, _to(None)), ("surname", 0.02, _spaced), ("postcode", 0.03, _unspaced),
        ("requested_on", 0.01, _slashed_to_iso), ("service", 0.02, _upper),
    ],
    ("short_breaks", "package"): [("upn", 0.1, _to(None)), ("request_id", 0.03, _to(None)), ("provider", 0.04, _upper)],
    ("short_breaks", "delivery"): [("delivered_minutes", 0.01, _to(None)), ("cancelled_by", 0.1, _to(None))],
    ("disputes", "complaint"): [
        ("la_child_id", 0.06, _to(None)), ("upn", 0.3, _to(None)), ("surname", 0.03, _upper),
        ("acknowledged_on", 0.08, _to(None)), ("theme", 0.02, _to("Comms")), ("stage", 0.03, _to("Stage 1")),
    ],
    ("disputes", "mediation"): [
        ("upn", 0.2, _to(None)), ("decision_on", 0.06, _to(None)), ("certificate_on", 0.05, _to(None)),
        ("contacted_on", 0.02, _slashed_to_iso),
    ],
    ("disputes", "appeal"): [
        ("upn", 0.1, _to(None)), ("decision_on", 0.05, _to(None)), ("surname", 0.02, _upper),
        ("registered_on", 0.01, _slashed_to_iso), ("hearing_on", 0.05, _to(None)),
    ],
    ("disputes", "ombudsman"): [("la_child_id", 0.15, _to(None)), ("upn", 0.5, _to(None))],
    ("contact_log", "enquiry"): [
        ("la_child_id", 0.22, _to(None)), ("upn", 0.6, _to(None)), ("topic", 0.03, _to(None)),
        ("channel", 0.02, _upper), ("received_on", 0.005, _slashed_to_iso),
    ],
    ("contact_log", "sendiass_case"): [("level", 0.03, _to(None)), ("opened_on", 0.01, _slashed_to_iso)],
    ("plan_audit", "audit"): [
        ("plan_id", 0.04, _to(None)), ("overall_grade", 0.03, _to("RI")), ("upn", 0.1, _to(None)),
        ("audited_on", 0.02, _slashed_to_iso), ("date_of_birth", 0.01, _day_and_month_swapped),
    ],
    ("improvement_plan", "action"): [("status", 0.08, _upper), ("owner_role", 0.05, _to(None))],
    ("improvement_plan", "milestone"): [("due_on", 0.03, _slashed_to_iso), ("indicator", 0.04, _lower)],
    ("post16", "participation"): [
        ("upn", 0.15, _to(None)), ("uln", 0.06, _to(None)), ("postcode", 0.02, _lower),
        ("confirmed_on", 0.08, _to(None)), ("ukprn", 0.03, _to(None)), ("activity", 0.02, _upper),
        ("date_of_birth", 0.004, _day_and_month_swapped),
    ],
    ("post16", "supported_internship"): [("uln", 0.1, _to(None)), ("outcome", 0.05, _to(None))],
    ("gias", "establishment"): [("Postcode", 0.005, _lower)],
}  # fmt: skip
_HOSTILE_TEXTS = {
    "formula": '=HYPERLINK("http://example.invalid","open")',
    "command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "plus": "+44 1632 960000",
    "line": "Sample\nSecond line, still the same field",
    "quoted": 'Say "no"; really',
    "huge": "X" * 200_000,
    "nul": "Sam\x00ple",
    "direction": "\u202eelpmaS",
}
_NOT_IN_XML = frozenset({"nul"})
_UNREADABLE = frozenset({"nul", "huge"})
_SHORT = 100
_WITH_BROKEN_LINES = ("pupilonroll", "child", "cyp201carecontact", "mhs201carecontact")
_ON_NO_LIST = {
    ("school_census", "pupilonroll"): pl.col("senprovision") == "N",
    ("ehe_register", "child"): pl.col("has_ehc_plan") == "No",
    ("gias", "establishment"): pl.col("EstablishmentStatus (name)") == "Closed",
    ("ap_census", "pupil"): pl.col("SENprovision") == "N",
    ("part_time_timetables", "timetable"): pl.col("sen_provision") == "N",
}
# Nearly everyone in these is on a list, or counted: no row of them is made unreadable.
_DEPENDED_ON = (
    "health_advice", "dynamic_support_register", "ehc_casework", "ap_census", "part_time_timetables", "short_breaks",
    "disputes", "post16",
)  # fmt: skip


def untidied(table: Table, seed: int, level: str) -> Table:
    """The table as a supplier would send it under `level`."""
    if level == "none":
        return table
    rng = stream(seed, f"mess {table.path} {table.name}")
    frame = table.frame
    for column, share, change in _REALISTIC.get((table.feed, table.name), []):
        chosen = pl.Series(rng.random(len(frame)) < share)
        frame = frame.with_columns(pl.when(chosen).then(change(pl.col(column))).otherwise(pl.col(column)).alias(column))
    if (table.feed, table.name) in (("sen2", "person"), ("cin_census", "child")):
        unknown = pl.col("upn").is_null()
        frame = frame.with_columns(upnunknown=pl.when(unknown).then(pl.lit("UN5" if table.feed == "sen2" else "UN7")))
    if level == "hostile":
        frame = _hostile(rng, table, frame)
    return replace(table, frame=frame)


def _hostile(rng: np.random.Generator, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Dangerous texts in the names of a few people who are on no list, and of schools; a name that a reader may have to
    refuse (NUL, huge) only where no pupil depends on the row."""
    column = next((c for c in ("surname", "schoolname", "EstablishmentName") if c in frame.columns), None)
    if column is None:
        return frame
    apart = _ON_NO_LIST.get((table.feed, table.name))
    rows = np.arange(len(frame)) if apart is None else np.flatnonzero(frame.select(apart).to_series().to_numpy())
    # Of a short file, two rows are more than a contract tolerates.
    depended_on = table.name == "school" or table.feed in _DEPENDED_ON
    is_spared = depended_on or len(frame) < _SHORT
    unreadable = _UNREADABLE if is_spared else _NOT_IN_XML if table.path.endswith(".xml") else frozenset()
    texts = [text for name, text in _HOSTILE_TEXTS.items() if name not in unreadable]
    rows = rng.permutation(rows)[: len(texts)]
    return frame.with_columns(frame[column].scatter(rows, texts[: len(rows)]).alias(column))


def temporary_upns(tables: list[Table], numbers: pl.DataFrame) -> list[Table]:
    """Pupils new to the county (`numbers`: person, temporary) have a temporary UPN in all censuses but the last, where
    the permanent one replaces it and it is given as the former one."""
    rolls = [t.path for t in tables if t.name == "pupilonroll"]

    def given(table: Table) -> Table:
        column = "formerupn" if table.path == rolls[-1] else "upn"
        frame = table.frame.join(numbers, on=PERSON, how="left", maintain_order="left")
        return replace(
            table, frame=frame.with_columns(pl.coalesce("temporary", column).alias(column)).drop("temporary")
        )

    return [given(table) if table.name == "pupilonroll" else table for table in tables]


def broken_lines(table: Table, rows: int, level: str) -> bytes:
    """Lines, nobody's, to put after the last of a CSV of so many rows: too few fields, too many, and (hostile) bytes
    that are not UTF-8."""
    if level == "none" or table.name not in _WITH_BROKEN_LINES:
        return b""
    # Broken lines in a short file would be more than a contract tolerates, and the whole delivery refused.
    if rows < (_SHORT if level == "realistic" else 200):
        return b""
    width = len([c for c in table.frame.columns if c != PERSON])
    short = ",".join(["RAGGED1", *[""] * (width // 2)])
    long = ",".join(["RAGGED2", *[""] * (width + 2)])
    lines = f"{short}\n{long}\n".encode()
    if level == "hostile":
        lines += b"LATIN1," + "Zo\u00eb M\u00fcller".encode("latin-1") + b"," * (width - 2) + b"\n"
        lines += b'UNCLOSED,"a quote that never ends' + b"," * (width - 2) + b"\n"
    return lines
