"""When what two records say of a child may be about one child, and when it cannot be: SQL of the linkage's engine."""

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import duckdb
import polars as pl
from nicknames import NickNamer

from send_returns.identity.sources import AT_ONCE, IDENTIFIERS, says_who
from send_returns.landing.archive import UNPACKING
from send_returns.settings import Settings

# Jaro-Winkler similarity from which two names are one name with a slip.
ALIKE = 0.88

# `l` and `r` are two rows of `profiles`, which has the columns of `said`.
_MACROS = f"""
create macro words_meet(l, r) as list_has_any(string_split(l, ' '), string_split(r, ' '));
create macro a_slip(l, r) as least(length(l), length(r)) >= 3 and damerau_levenshtein(l, r) <= 1;
create macro surname_alike(l, r) as
    l = r or a_slip(l, r) or jaro_winkler_similarity(l, r) >= {ALIKE} or words_meet(l, r)
    or replace(l, ' ', '') = replace(r, ' ', '');
create macro forename_alike(l, l_forms, r, r_forms) as
    l = r or a_slip(l, r) or jaro_winkler_similarity(l, r) >= {ALIKE} or words_meet(l, r) or list_contains(l_forms, r)
    or list_contains(r_forms, l) or starts_with(l, r) or starts_with(r, l) or replace(l, ' ', '') = replace(r, ' ', '');
create macro born_turned(l, r) as l[1:4] = r[1:4] and l[6:7] = r[9:10] and l[9:10] = r[6:7];
create macro born_placeholder(l, r) as l[1:4] = r[1:4] and (ends_with(l, '-01-01') or ends_with(r, '-01-01'));
create macro born_alike(l, r) as
    l = r or born_turned(l, r) or born_placeholder(l, r) or damerau_levenshtein(l, r) <= 1;
"""

# Whether two rows are of two children, whatever number they share: of two birth dates, or of one and two forenames
# (twins), or with nothing but a birth date alike. Unknown is not different.
DIFFERENT = """coalesce(
    not born_alike(l.born, r.born)
    or l.nhs_number <> r.nhs_number
    or (
        not forename_alike(l.forename, l.forms, r.forename, r.forms)
        and not (
            forename_alike(l.forename, l.forms, r.surname, []) and forename_alike(r.forename, r.forms, l.surname, [])
        )
    )
    or (l.forename <> r.forename and l.sex <> r.sex)
    or (l.born <> r.born and l.sex <> r.sex)
    or (l.born <> r.born and l.forename <> r.forename and not surname_alike(l.surname, r.surname)), false)"""

# What two rows have in common and what not, for a person to read; no value.
_EXPLAINED = (
    *(
        (f"l.{kind} = r.{kind}", f"same {name}")
        for kind, name in (
            ("nhs_number", "NHS number"),
            ("upn", "UPN"),
            ("uln", "ULN"),
            ("la_child_id", "LA child id"),
            ("provider_patient_id", "provider's patient id"),
            ("nhs_number_pseudo", "agreed pseudonym"),
        )
    ),
    ("coalesce(l.upn <> r.upn, true) and (l.upn = r.former_upn or l.former_upn = r.upn)", "former UPN of the other"),
)
_COMPARED = (
    (
        "forename",
        (
            ("l.forename = r.forename", "same forename"),
            ("damerau_levenshtein(l.forename, r.forename) = 1", "forename differs by one letter"),
            ("forename_alike(l.forename, l.forms, r.forename, r.forms)", "forename is a form of the other"),
            ("l.forename = r.surname", "forename and surname are swapped"),
            ("l.forename <> r.forename", "forename differs"),
        ),
    ),
    (
        "surname",
        (
            ("l.surname = r.surname", "same surname"),
            ("damerau_levenshtein(l.surname, r.surname) = 1", "surname differs by one letter"),
            ("surname_alike(l.surname, r.surname)", "surname is like the other"),
            ("l.surname <> r.surname", "surname differs"),
        ),
    ),
    (
        "born",
        (
            ("l.born = r.born", "same birth date"),
            ("born_turned(l.born, r.born)", "day and month of birth are turned round"),
            ("born_placeholder(l.born, r.born)", "same year of birth, one of them 1 January"),
            ("born_alike(l.born, r.born)", "birth date differs by one digit"),
            ("l.born <> r.born", "birth date differs"),
        ),
    ),
    ("sex", (("l.sex = r.sex", "same sex"), ("l.sex <> r.sex", "sex differs"))),
    (
        "postcode",
        (
            ("l.postcode = r.postcode", "same postcode"),
            ("l.district = r.district", "same postcode district"),
            ("l.postcode <> r.postcode", "postcode differs"),
        ),
    ),
)
EXPLANATION = "concat_ws('; ', {})".format(
    ", ".join(
        [
            *(f"case when {condition} then $${words}$$ end" for condition, words in _EXPLAINED),
            *(
                "case {} end".format(" ".join(f"when {condition} then '{words}'" for condition, words in levels))
                for _, levels in _COMPARED
            ),
        ]
    )
)


Aliases = Iterable[tuple[str, str]]
Engine = duckdb.DuckDBPyConnection
# What the engine holds in memory.
MEMORY = "2GB"


@contextmanager
def engine(settings: Settings, profiles: pl.DataFrame, aliases: Aliases = ()) -> Iterator[Engine]:
    """A DuckDB with the macros above and two tables: `profiles` (`profile`, its position, and what it says), `carried`.

    `carried`: profile, kind, value: each identifier of a profile once; a former UPN is a UPN. `aliases`: pairs of
    forenames that are forms of one name. What does not fit into `MEMORY` is put by in the home, where what a killed run
    leaves is swept.
    """
    with (
        tempfile.TemporaryDirectory(dir=settings.folder(UNPACKING)) as folder,
        duckdb.connect(
            ":memory:",
            config={
                "threads": settings.workers,
                "memory_limit": MEMORY,
                "temp_directory": folder,
                "preserve_insertion_order": False,
            },
        ) as connection,
    ):
        connection.execute(_MACROS)
        connection.register("said_", said(profiles))
        connection.register("forms_", _known_as(profiles, aliases))
        connection.execute(
            "create table profiles as select said_.*, forms from said_ left join forms_ using (forename)"
        )
        connection.unregister("said_")
        connection.execute("create table carried (profile integer, kind text, value text)")
        for number, some in enumerate(profiles.iter_slices(AT_ONCE)):
            connection.register("some_", carried(some, first=number * AT_ONCE))
            connection.execute("insert into carried select * from some_")
        yield connection


def frame(connection: Engine, query: str, repeated: Sequence[str] = ()) -> pl.DataFrame:
    """What a query of the engine returns. `repeated`: columns of few values, of which each is held once."""
    some = [pl.col(name).cast(pl.Categorical()) for name in repeated]
    batches = connection.sql(query).to_arrow_reader(AT_ONCE)
    empty = pl.from_arrow(batches.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)  # noqa: S101 - a table, not an array
    return pl.concat(
        [empty.with_columns(some), *(pl.DataFrame(pl.from_arrow(batch)).with_columns(some) for batch in batches)]
    )


def said(profiles: pl.DataFrame) -> pl.DataFrame:
    """Profiles with their position, the year of birth, the postcode district, and whether they say enough to link."""
    return profiles.with_row_index("profile").with_columns(
        year=pl.col("born").str.slice(0, 4),
        district=pl.col("postcode").str.replace(r"...$", ""),
        says=says_who(),
    )


def _known_as(profiles: pl.DataFrame, aliases: Aliases) -> pl.DataFrame:
    """forename, forms: the other forms of each forename."""
    learned: dict[str, set[str]] = defaultdict(set)
    for one, other in aliases:
        learned[one].add(other)
        learned[other].add(one)
    names = profiles["forename"].drop_nulls().unique().sort().to_list()
    return pl.DataFrame(
        {"forename": names, "forms": [sorted(_forms(name) | learned[name]) for name in names]},
        schema={"forename": pl.String, "forms": pl.List(pl.String)},
    )


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


def _forms(forename: str) -> set[str]:
    """The other forms of a forename's first word that the list of nicknames has."""
    first = forename.split(" ")[0].lower()
    return {form.upper() for form in _nicknames().nicknames_of(first) | _nicknames().canonicals_of(first)}


def carried(profiles: pl.DataFrame, first: int = 0) -> pl.DataFrame:
    """One row per profile and identifier that it carries: profile (position, from `first` on), kind, value.

    A former UPN is a UPN.
    """
    return (
        profiles.with_row_index("profile", offset=first)
        .unpivot(on=list(IDENTIFIERS), index="profile", variable_name="kind", value_name="value")
        .drop_nulls("value")
        .with_columns(pl.col("kind").replace({"former_upn": "upn"}))
        .unique()
        .sort("kind", "value", "profile")
    )
