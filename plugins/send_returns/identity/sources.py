"""The records that say who they are about: where they are, and what of them tells one child from another."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl
import psycopg
from psycopg import sql

# Whoever writes who is who holds this advisory lock until the transaction ends.
LOCK = 0x5E4D0002
# What identifies, and what describes; in a profile all of it is text, made alike.
IDENTIFIERS = (
    "nhs_number",
    "upn",
    "former_upn",
    "uln",
    "la_child_id",
    "provider_patient_id",
    "nhs_number_pseudo",
)
DESCRIBING = ("surname", "forename", "born", "sex", "postcode")
SAYS = (*IDENTIFIERS, *DESCRIBING)
KEY = ("delivery_id", "table_name", "row_number")


@dataclass(frozen=True, slots=True)
class Source:
    """A raw table of persons. `says`: what each column is, by its role in `SAYS`; a role may be an SQL expression.

    `condition`: which of its rows are records of a person.
    """

    feed: str
    schema: str
    table: str
    says: Mapping[str, str] = field(default_factory=dict)
    condition: str = "true"


_NAMED = {"surname": "surname", "forename": "forename"}
_COUNCIL = {"la_child_id": "la_child_id", "upn": "upn"}
_DATED = {**_NAMED, "born": "date_of_birth"}
_AT_HOME = {**_DATED, "postcode": "postcode"}
_PUPIL = {
    "upn": "upn",
    "former_upn": "formerupn",
    "uln": "uniquelearnernumber",
    **_NAMED,
    "born": "dob",
    "sex": "sex",
    "postcode": "postcode",
}
# The national copies carry pseudonyms in columns of their own; such a row says nothing else of a child (decision 0008).
_PROVIDERS_COPY = "case when {pseudo} is null then {column} end"


def _provider(pseudo: str, **columns: str) -> dict[str, str]:
    roles = {role: _PROVIDERS_COPY.format(pseudo=pseudo, column=column) for role, column in columns.items()}
    return {**roles, "nhs_number_pseudo": pseudo}


# An episode's child is a record of its own only where the header that should name the child did not come.
SOURCES = (
    Source(
        "sen2",
        "raw_council",
        "sen2__person",
        {
            "upn": "upn",
            "uln": "uniquelearnernumber",
            **_NAMED,
            "born": "personbirthdate",
            "sex": "sex",
            "postcode": "postcode",
        },
    ),
    Source("school_census", "raw_council", "school_census__pupilonroll", _PUPIL),
    Source("ap_census", "raw_council", "ap_census__pupil", _PUPIL),
    Source(
        "cin_census",
        "raw_council",
        "cin_census__child",
        {
            "la_child_id": "lachildid",
            "upn": "upn",
            "former_upn": "formerupn",
            "born": "personbirthdate",
            "sex": "gendercurrent",
        },
    ),
    Source(
        "ssda903", "raw_council", "ssda903__header", {"la_child_id": "child", "upn": "upn", "born": "dob", "sex": "sex"}
    ),
    Source(
        "ssda903",
        "raw_council",
        "ssda903__episodes",
        {"la_child_id": "child", "postcode": "home_post"},
        "not exists (select from raw_council.ssda903__header as h"
        " where h._delivery_id = source._delivery_id and h.child = source.child)",
    ),
    Source(
        "ehe_register",
        "raw_council",
        "ehe_register__child",
        {**_COUNCIL, "uln": "uln", "nhs_number": "nhs_number", **_AT_HOME, "sex": "sex"},
    ),
    Source("ehc_casework", "raw_council", "ehc_casework__case", {**_COUNCIL, "uln": "uln", **_AT_HOME}),
    Source("ehc_casework", "raw_council", "ehc_casework__advice", {"la_child_id": "la_child_id"}),
    Source("part_time_timetables", "raw_council", "part_time_timetables__timetable", {**_COUNCIL, **_DATED}),
    Source("short_breaks", "raw_council", "short_breaks__request", {**_COUNCIL, **_AT_HOME}),
    Source("short_breaks", "raw_council", "short_breaks__package", {**_COUNCIL, **_DATED}),
    Source("disputes", "raw_council", "disputes__complaint", {**_COUNCIL, **_DATED}),
    Source("disputes", "raw_council", "disputes__mediation", {**_COUNCIL, **_DATED}),
    Source("disputes", "raw_council", "disputes__appeal", {**_COUNCIL, **_DATED}),
    Source("disputes", "raw_council", "disputes__ombudsman", {**_COUNCIL, **_DATED}),
    Source("contact_log", "raw_council", "contact_log__enquiry", _COUNCIL),
    Source("plan_audit", "raw_council", "plan_audit__audit", {**_COUNCIL, "born": "date_of_birth"}),
    Source("post16", "raw_council", "post16__participation", {**_COUNCIL, "uln": "uln", **_AT_HOME}),
    Source(
        "csds",
        "raw_icb",
        "csds__cyp001mpi",
        _provider(
            "nhs_number_pseudo",
            nhs_number="nhs_number",
            provider_patient_id="organisation_identifier_code_of_provider || ' ' || local_patient_identifier_extended",
            born="person_birth_date",
            sex="person_stated_gender_code",
            postcode="postcode_of_usual_address",
        ),
    ),
    Source(
        "mhsds",
        "raw_icb",
        "mhsds__mhs001mpi",
        _provider(
            "nhs_number_pseudo",
            nhs_number="nhsnumber",
            provider_patient_id="orgidprov || ' ' || localpatientid",
            born="personbirthdate",
            sex="coalesce(genderidcode, gender)",
            postcode="postcode",
        ),
    ),
    Source("health_advice", "raw_icb", "health_advice__advice", {**_COUNCIL, "nhs_number": "nhs_number", **_DATED}),
    Source(
        "health_advice", "raw_icb", "health_advice__notification", {**_COUNCIL, "nhs_number": "nhs_number", **_DATED}
    ),
    Source(
        "dynamic_support_register",
        "raw_icb",
        "dynamic_support_register__register",
        {**_COUNCIL, "nhs_number": "nhs_number", **_DATED},
    ),
    # A number that the national service did not verify joins nobody.
    Source(
        "nhs_number_trace",
        "raw_icb",
        "nhs_number_trace__trace",
        {
            **_COUNCIL,
            "nhs_number": "case when trace_outcome = '01' then nhs_number end",
            "nhs_number_pseudo": "nhs_number_pseudo",
        },
    ),
)

_RECORD = pl.Schema({"delivery_id": pl.Int64, "row_number": pl.Int64, **dict.fromkeys(SAYS, pl.String)})
RECORDS = pl.Schema(
    {
        "delivery_id": pl.Int64,
        "table_name": pl.String,
        "row_number": pl.Int64,
        "feed": pl.String,
        "profile_id": pl.String,
    }
)
PROFILES = pl.Schema({"profile_id": pl.String, **dict.fromkeys(SAYS, pl.String)})


def read(connection: psycopg.Connection, run_id: str, *, again: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The person records of the run's deliveries that have no link yet (`again`: all of them), and what they say.

    Returns records (delivery_id, table_name, row_number, feed, profile_id) and their distinct profiles (profile_id and
    `SAYS`, all text, null where nothing usable was said), each sorted by its key.
    """
    records, profiles = [pl.DataFrame(schema=RECORDS)], [pl.DataFrame(schema=PROFILES)]
    for source in SOURCES:
        text = _copied(connection, source, run_id, again=again)
        if not text:
            continue
        raw = pl.read_csv(io.BytesIO(text), has_header=False, new_columns=list(_RECORD), schema=_RECORD)
        # What is written alike is made alike once: terms of a census repeat each other.
        written = raw.select(SAYS).unique(maintain_order=True).with_row_index("written")
        said = (
            raw.join(written, on=list(SAYS), how="left", nulls_equal=True, maintain_order="left")
            .drop(SAYS)
            .join(made_alike(written), on="written", maintain_order="left")
            .with_columns(apart=_apart(source.table))
        )
        known = said.select(*SAYS, "apart").unique(maintain_order=True)
        known = known.with_columns(profile_id=profile_ids(known))
        records.append(
            said.join(known, on=[*SAYS, "apart"], how="left", nulls_equal=True, maintain_order="left").select(
                "delivery_id",
                pl.lit(source.table).alias("table_name"),
                "row_number",
                pl.lit(source.feed).alias("feed"),
                "profile_id",
            )
        )
        profiles.append(known.select(PROFILES.names()))
    return (
        pl.concat(records).sort(KEY),
        pl.concat(profiles).unique("profile_id").sort("profile_id"),
    )


def _copied(connection: psycopg.Connection, source: Source, run_id: str, *, again: bool) -> bytes:
    columns = sql.SQL(", ").join(
        sql.SQL("({})::text").format(sql.SQL(source.says[role])) if role in source.says else sql.NULL for role in SAYS
    )
    query = sql.SQL(
        "copy (select source._delivery_id, source._row_number, {columns} from {table} as source"
        " where source._delivery_id in (select delivery_id from audit.run_delivery where run_id = {run})"
        " and ({again} or source._delivery_id not in (select delivery_id from identity.link where table_name = {name}))"
        " and {condition}) to stdout (format csv)"
    ).format(
        columns=columns,
        table=sql.Identifier(source.schema, source.table),
        run=sql.Literal(run_id),
        again=sql.Literal(again),
        name=sql.Literal(source.table),
        condition=sql.SQL(source.condition),
    )
    with connection.cursor().copy(query) as copy:
        return b"".join(bytes(block) for block in copy)


def says_who() -> pl.Expr:
    """Whether a profile says enough for two records that say it to be of one child."""
    described = pl.all_horizontal(pl.col(name).is_not_null() for name in ("surname", "forename", "born", "postcode"))
    return pl.any_horizontal(pl.col(name).is_not_null() for name in IDENTIFIERS) | described


def _apart(table: str) -> pl.Expr:
    """What keeps a record that says too little from all others that say as little."""
    record = pl.concat_str(pl.lit(table), "delivery_id", "row_number", separator=" ")
    return pl.when(~says_who()).then(record)


def profile_ids(known: pl.DataFrame) -> pl.Series:
    """A UUID for each row of `SAYS` and `apart`, the same for the same content, in this run and in any other."""
    lines = known.select(pl.concat_str(pl.col(*SAYS, "apart").fill_null(""), separator="\x1f")).to_series()
    digests = [hashlib.sha256(line.encode()).hexdigest() for line in lines]
    return pl.Series([f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:32]}" for d in digests], dtype=pl.String)


# Nothing that identifies is longer; what is longer would make every comparison with it dear.
LONGEST = 200
# Capital letters that are no letter with a mark.
_LETTERS = {"Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH"}
# Written in place of a name.
_NO_NAMES = ("UNKNOWN", "NOT KNOWN", "NOT STATED", "TBC")
_SEXES = {"M": "M", "F": "F", "1": "M", "2": "F"}


def made_alike(raw: pl.DataFrame) -> pl.DataFrame:
    """The same columns, with what is written in different ways written in one, and null for what identifies nobody.

    A UPN is known by its last twelve characters, because its first only checks them; a ULN has ten digits; an NHS
    number has ten digits that pass its check (NHS Data Dictionary), of which a spreadsheet may have lost a zero in
    front, as of an LA child id. A value of one repeated character is a placeholder, and one of more than 200 characters
    is none. What cannot be seen, such as a control character, is no part of a value.
    """
    return raw.with_columns(
        *(_upn(name) for name in ("upn", "former_upn")),
        _matching("uln", _bare("uln"), r"^[0-9]{10}$"),
        _nhs_number(),
        _matching("la_child_id", _bare("la_child_id").str.replace(r"^0+([0-9]+)$", "${1}"), r"[0-9A-Z]"),
        _matching("provider_patient_id", _seen("provider_patient_id").str.to_uppercase(), r"\S \S"),
        _matching("nhs_number_pseudo", _seen("nhs_number_pseudo"), "."),
        *(_name(name) for name in ("surname", "forename")),
        pl.col("born").str.extract(r"^(\d{4}-\d\d-\d\d)"),
        pl.col("sex").str.to_uppercase().replace_strict(_SEXES, default=None, return_dtype=pl.String),
        _matching("postcode", _bare("postcode"), r"^[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}$"),
    )


def _bare(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all(r"[\s\p{C}\-]", "").str.to_uppercase()


def _seen(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all(r"\p{C}", "").str.strip_chars()


def _matching(name: str, value: pl.Expr, pattern: str) -> pl.Expr:
    placeholder = (value.str.len_chars() >= 3) & (value.str.strip_chars(value.str.slice(0, 1)) == "")
    fits = value.str.len_chars() <= LONGEST
    return pl.when(fits & value.str.contains(pattern) & ~placeholder).then(value).alias(name)


def _upn(name: str) -> pl.Expr:
    """Letter, LA (3), establishment (4), year (2), serial (3; a temporary one: 2 and a letter) (DfE, UPN guide)."""
    return _matching(name, _bare(name).str.extract(r"^[A-Z]([0-9]{11}[0-9A-Z])$"), ".")


def _nhs_number() -> pl.Expr:
    digits = pl.col("nhs_number").str.replace_all(r"[^0-9]", "")
    padded = pl.when(digits.str.len_chars() == 9).then("0" + digits).otherwise(digits)
    value = pl.when(padded.str.len_chars() == 10).then(padded)
    total = pl.sum_horizontal(value.str.slice(place, 1).cast(pl.Int32) * (10 - place) for place in range(9))
    check = (11 - total % 11) % 11
    return _matching("nhs_number", pl.when(check == value.str.slice(9, 1).cast(pl.Int32)).then(value), ".")


def _name(name: str) -> pl.Expr:
    upper = pl.col(name).str.to_uppercase()
    plain = upper.str.replace_many(list(_LETTERS), list(_LETTERS.values())).str.normalize("NFKD")
    joined = plain.str.replace_all(r"[\p{M}'’`.]", "")
    words = joined.str.replace_all(r"[^A-Z]+", " ").str.strip_chars()
    told = words.str.len_chars().is_between(1, LONGEST) & ~words.is_in(_NO_NAMES)
    return pl.when(told).then(words).alias(name)
