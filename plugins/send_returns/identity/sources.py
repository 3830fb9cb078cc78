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

_RAW = pl.Schema({"row_number": pl.Int64, **dict.fromkeys(SAYS, pl.String)})
_TABLES = pl.Enum(sorted({source.table for source in SOURCES}))
_FEEDS = pl.Enum(sorted({source.feed for source in SOURCES}))
# A record says only where it is, and by position which of the profiles it says: there are millions.
RECORDS = pl.Schema(
    {
        "delivery_id": pl.Int64(),
        "table_name": _TABLES,
        "row_number": pl.Int64(),
        "feed": _FEEDS,
        "profile": pl.UInt32(),
    }
)
PROFILES = pl.Schema({"profile_id": pl.String, **dict.fromkeys(SAYS, pl.String)})
# Rows that are held as text at a time.
AT_ONCE = 200_000


def read(connection: psycopg.Connection, run_id: str, *, again: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The person records of the run's deliveries that have no link yet (`again`: all of them), and what they say.

    Returns records (delivery_id, table_name, row_number, feed, profile: position in the profiles), sorted by `KEY`, and
    their distinct profiles (profile_id and `SAYS`, all text, null where nothing usable was said), sorted by id.
    """
    records, profiles = [pl.DataFrame(schema=RECORDS)], _Profiles()
    for source in SOURCES:
        # What was written alike in the delivery before is made alike once: terms of a census repeat each other.
        before = pl.DataFrame(schema={**dict.fromkeys(SAYS, pl.String), "profile": pl.UInt32})
        for delivery_id in _deliveries(connection, source, run_id, again=again):
            raw = _rows(connection, source, delivery_id)
            said, before = _said(raw, before, profiles, f"{source.table} {delivery_id}")
            records.append(
                said.select(
                    pl.lit(delivery_id, pl.Int64).alias("delivery_id"),
                    pl.lit(source.table, _TABLES).alias("table_name"),
                    "row_number",
                    pl.lit(source.feed, _FEEDS).alias("feed"),
                    "profile",
                )
            )
    known, position = profiles.sorted()
    found = pl.concat(records).sort(KEY)
    return found.with_columns(profile=position.gather(found["profile"])), known


class _Profiles:
    """The profiles that were met, each once, in the order in which they were."""

    def __init__(self) -> None:
        self._met = [pl.DataFrame(schema={**PROFILES, "profile": pl.UInt32})]
        self._count = 0

    def positions(self, known: pl.DataFrame) -> pl.Series:
        """Where each row of `SAYS` and `apart` is among the profiles; adds those that were not."""
        known = known.with_columns(profile_id=profile_ids(known))
        met = pl.concat([frame.select("profile_id", "profile") for frame in self._met], rechunk=False)
        here = met.join(known.select("profile_id").unique(), on="profile_id")
        new = known.unique("profile_id", keep="first", maintain_order=True).join(here, on="profile_id", how="anti")
        new = new.select(*PROFILES.names(), profile=pl.int_range(self._count, self._count + pl.len(), dtype=pl.UInt32))
        self._met.append(new)
        self._count += new.height
        every = pl.concat([here, new.select("profile_id", "profile")])
        return known.join(every, on="profile_id", how="left", maintain_order="left")["profile"]

    def sorted(self) -> tuple[pl.DataFrame, pl.Series]:
        """The profiles by id, and the position there of each that was met."""
        known = pl.concat(self._met, rechunk=False).sort("profile_id")
        self._met = []
        position = known["profile"].arg_sort().cast(pl.UInt32)
        return known.drop("profile"), position


def _said(
    raw: pl.DataFrame, before: pl.DataFrame, profiles: _Profiles, delivery: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """row_number and profile of each row of a delivery, and what was written in it (`SAYS`, profile), each once.

    A row that says too little of whom it is about has a profile of its own, and nothing is written that is like it.
    """
    written = _beside(raw.select(SAYS).unique(maintain_order=True), before)
    unmet = pl.col("profile").is_null()
    new = written.filter(unmet).drop("profile")
    alike = made_alike(new).with_columns(apart=pl.lit(None, pl.String))
    tells = alike.select(says_who()).to_series()
    telling = pl.concat(
        [
            written.filter(~unmet),
            new.filter(tells).with_columns(profile=profiles.positions(alike.filter(tells))),
        ]
    )
    said = _beside(raw, telling)
    if not tells.all():
        silent = said.filter(unmet)
        apart = made_alike(silent.select(SAYS)).with_columns(
            apart=pl.lit(f"{delivery} ") + silent["row_number"].cast(pl.String)
        )
        alone = silent.select("row_number").with_columns(profile=profiles.positions(apart))
        said = pl.concat([said.filter(~unmet).select("row_number", "profile"), alone])
    return said.select("row_number", "profile"), telling


def _beside(raw: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    return raw.join(written, on=list(SAYS), how="left", nulls_equal=True, maintain_order="left")


def _deliveries(connection: psycopg.Connection, source: Source, run_id: str, *, again: bool) -> list[int]:
    """The run's deliveries of the feed (`again`: even those that have links of the table), by id."""
    rows = connection.execute(
        "select delivery_id from audit.run_delivery join landing.delivery using (delivery_id)"
        " where run_id = %s and feed = %s and (%s or not exists (select from identity.link"
        " where link.delivery_id = run_delivery.delivery_id and link.table_name = %s)) order by delivery_id",
        [run_id, source.feed, again, source.table],
    ).fetchall()
    return [delivery_id for (delivery_id,) in rows]


def _rows(connection: psycopg.Connection, source: Source, delivery_id: int) -> pl.DataFrame:
    columns = sql.SQL(", ").join(
        sql.SQL("({})::text").format(sql.SQL(source.says[role])) if role in source.says else sql.NULL for role in SAYS
    )
    query = sql.SQL(
        "select source._row_number, {columns} from {table} as source"
        " where source._delivery_id = {delivery} and {condition}"
    ).format(
        columns=columns,
        table=sql.Identifier(source.schema, source.table),
        delivery=sql.Literal(delivery_id),
        condition=sql.SQL(source.condition),
    )
    return fetched(connection, query, _RAW)


def fetched(connection: psycopg.Connection, query: sql.Composed, schema: pl.Schema) -> pl.DataFrame:
    """What a query of the database returns, of which no more than `AT_ONCE` rows are ever held as text."""
    frames, text = [pl.DataFrame(schema=schema)], io.BytesIO()

    def parse() -> None:
        if text.tell():
            frames.append(pl.read_csv(text.getvalue(), has_header=False, new_columns=schema.names(), schema=schema))
            text.seek(0)
            text.truncate()

    with connection.cursor().copy(sql.SQL("copy ({}) to stdout (format csv)").format(query)) as copy:
        # The server sends a row at a time.
        for number, row in enumerate(copy, start=1):
            text.write(row)
            if number % AT_ONCE == 0:
                parse()
    parse()
    return pl.concat(frames)


def says_who() -> pl.Expr:
    """Whether a profile says enough for two records that say it to be of one child."""
    described = pl.all_horizontal(pl.col(name).is_not_null() for name in ("surname", "forename", "born", "postcode"))
    return pl.any_horizontal(pl.col(name).is_not_null() for name in IDENTIFIERS) | described


def profile_ids(known: pl.DataFrame) -> pl.Series:
    """A UUID for each row of `SAYS` and `apart`, the same for the same content, in this run and in any other."""
    line = pl.concat_str(pl.col(*SAYS, "apart").fill_null(""), separator="\x1f")
    found = [pl.Series(dtype=pl.String)]
    for some in known.iter_slices(AT_ONCE):
        digests = [hashlib.sha256(text.encode()).hexdigest() for text in some.select(line).to_series()]
        found.append(pl.Series([f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:32]}" for d in digests]))
    return pl.concat(found)


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
