"""What a child is known by: the same kinds for a row of a feed, a row in quarantine, a question and a tombstone."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import polars as pl

from send_returns.identity.sources import SAYS, made_alike

# `named`: surname, first name, birth date and postcode, all four.
KINDS = ("nhs_number", "upn", "uln", "la_child_id", "provider_patient_id", "nhs_number_pseudo", "named")
# In a text that has no columns, a shorter id would be found where a number only happens to be the same.
SHORTEST = 6
_NAMED = ("surname", "forename", "born", "postcode")
# Kind and value of something that identifies a child, both as text.
Identifier = tuple[str, str]
# The number of the removal that each of some identifiers (kind, value) belongs to, where it belongs to one.
Known = Callable[[Iterable[Identifier]], Mapping[Identifier, int]]


def identifiers(raw: pl.DataFrame) -> pl.DataFrame:
    """`kind` and `value`, made alike, of each row of a frame that has any of `SAYS`, beside its other columns."""
    others = [name for name in raw.columns if name not in SAYS]
    absent = [pl.lit(None, pl.String).alias(name) for name in SAYS if name not in raw.columns]
    return of_profiles(made_alike(raw.with_columns(*absent)), *others)


def of_profiles(said: pl.DataFrame, *others: str) -> pl.DataFrame:
    """The same of a frame that has all of `SAYS`, made alike; `others`: columns to keep."""
    said = said.with_columns(named=pl.concat_str(_NAMED, separator="\x1f", ignore_nulls=False))
    kinds = [said.select(*others, pl.lit(kind).alias("kind"), pl.col(kind).alias("value")) for kind in KINDS]
    former = said.select(*others, pl.lit("upn").alias("kind"), pl.col("former_upn").alias("value"))
    return pl.concat([*kinds, former]).drop_nulls("value").unique(maintain_order=True)


def one(kind: str, value: str) -> Identifier | None:
    """An identifier as a person writes it, made alike; None where it cannot be one of its kind."""
    found = identifiers(pl.DataFrame({kind: [value]}, schema={kind: pl.String}))
    return (kind, found["value"][0]) if found.height else None


def exactly(values: Iterable[Identifier], removal_id: int = 0) -> Known:
    """Knows these identifiers."""
    known = frozenset(values)
    return lambda asked: {one: removal_id for one in asked if one in known}


def needles(found: Iterable[Identifier]) -> Iterator[str]:
    """The ways in which identifiers may be written, to be searched for. Nothing that another child may share."""
    for kind, value in found:
        written = value.partition(" ")[2] if kind == "provider_patient_id" else value
        if kind != "named" and len(written) >= SHORTEST:
            yield written
        if kind == "nhs_number":
            yield from (gap.join((value[:3], value[3:6], value[6:])) for gap in " -")
