"""What the linkage is measured against: two simpler ways to say which of the very same records are of one child.

Both take records (delivery_id, table_name, ..., profile_id) and profiles (profile_id and what is said, made alike) as
`sources.read` gives them, and return a person for each record, as whole numbers in the order of the records.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = npt.NDArray[np.int64]
# By what number, and in which columns.
NUMBERS = {
    "nhs_number": ("nhs_number",),
    "upn": ("upn", "former_upn"),
    "uln": ("uln",),
    "la_child_id": ("la_child_id",),
}


def _both_ways(column: str) -> pl.Expr:
    """A birth date as its year, then day and month in order of size, whichever was which."""
    month, day = pl.col(column).str.slice(5, 2), pl.col(column).str.slice(8, 2)
    return pl.col(column).str.slice(0, 4) + pl.min_horizontal(month, day) + pl.max_horizontal(month, day)


def _either_order(one: str, other: str) -> pl.Expr:
    names = pl.col(one, other)
    in_order = pl.min_horizontal(names) + "/" + pl.max_horizontal(names)
    return pl.when(pl.all_horizontal(names.is_not_null())).then(in_order)


# Exact agreement on all of a pass, the surer passes first, as the Office for National Statistics does with match keys
# (Beyond 2011: Matching Anonymous Data, M9, 2013) and NHS Digital with the HES patient id (Methodology for creation of
# the HES Patient ID, 2014). Each says what it lets differ.
PASSES: Mapping[str, tuple[pl.Expr, ...]] = {
    # no number in common
    "names, birth date, postcode": (pl.col("forename"), pl.col("surname"), pl.col("born"), pl.col("postcode")),
    # the patient's number at a provider, as the second of the HES patient id, which asks for the postcode too
    "provider's patient id, birth date, sex": (pl.col("provider_patient_id"), pl.col("born"), pl.col("sex")),
    # another home, or none said
    "names, birth date": (pl.col("forename"), pl.col("surname"), pl.col("born")),
    # forename and surname in each other's column
    "names in either order, birth date": (_either_order("forename", "surname"), pl.col("born")),
    # day and month in each other's place
    "names, postcode, day and month either way": (
        pl.col("forename"),
        pl.col("surname"),
        pl.col("postcode"),
        _both_ways("born"),
    ),
    # a short or another forename
    "surname, birth date, sex, postcode": (pl.col("surname"), pl.col("born"), pl.col("sex"), pl.col("postcode")),
    # another surname
    "forename, birth date, sex, postcode": (pl.col("forename"), pl.col("born"), pl.col("sex"), pl.col("postcode")),
    # no name said, as the third of the HES patient id
    "birth date, sex, postcode": (pl.col("born"), pl.col("sex"), pl.col("postcode")),
}


def exact_numbers(records: pl.DataFrame, profiles: pl.DataFrame) -> Labels:
    """Whoever shares an NHS number, a UPN (a former one too), a ULN or an LA child id, through others too, is one."""
    return _persons(records, profiles, _by_number(profiles), _numbered(profiles))


def multi_pass(records: pl.DataFrame, profiles: pl.DataFrame) -> Labels:
    """Exact numbers, then each of `PASSES` in turn, on the persons that the passes before left.

    A pass joins nobody by a key that stands for two children: where one table of one delivery has it for two persons
    who both have a number, or where those who have it have two NHS numbers.
    """
    person = _by_number(profiles)
    is_joined = _numbered(profiles)
    seen = records.select("delivery_id", "table_name", "profile_id").unique()
    for key in PASSES.values():
        agreeing = _agreeing(profiles, key, person, seen)
        person = _components(person, agreeing["person"].to_numpy(), agreeing["first"].to_numpy())
        is_joined |= np.isin(np.arange(len(person)), agreeing["profile"].to_numpy())
    return _persons(records, profiles, person, is_joined)


def _numbered(profiles: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Which profiles have any of `NUMBERS`."""
    columns = [column for columns in NUMBERS.values() for column in columns]
    return profiles.select(pl.any_horizontal(pl.col(columns).is_not_null())).to_series().to_numpy()


def _by_number(profiles: pl.DataFrame) -> Labels:
    """A person for each profile, by shared numbers."""
    indexed = profiles.with_row_index("profile")
    carried = pl.concat(
        indexed.select("profile", kind=pl.lit(kind), value=column).drop_nulls("value")
        for kind, columns in NUMBERS.items()
        for column in columns
    ).with_columns(first=pl.col("profile").min().over("kind", "value"))
    return _components(np.arange(profiles.height), carried["profile"].to_numpy(), carried["first"].to_numpy())


def _agreeing(profiles: pl.DataFrame, key: tuple[pl.Expr, ...], person: Labels, seen: pl.DataFrame) -> pl.DataFrame:
    """profile (position), person, first (a person whom it is to be): those who have the whole key, that of one child.

    `seen`: delivery_id, table_name, profile_id: where each profile is.
    """
    keyed = profiles.with_row_index("profile").select(
        "profile",
        "profile_id",
        "nhs_number",
        key=pl.concat_str(key, separator="|"),
        person=pl.Series(person),
        is_numbered=pl.Series(_numbered(profiles)),
    )
    keyed = keyed.with_columns(is_numbered=pl.col("is_numbered").any().over("person")).drop_nulls("key")
    two_in_a_table = (
        keyed.filter("is_numbered")
        .join(seen, on="profile_id")
        .group_by("key", "delivery_id", "table_name")
        .agg(persons=pl.col("person").n_unique())
        .filter(pl.col("persons") > 1)
    )
    two_nhs_numbers = (
        keyed.drop_nulls("nhs_number")
        .group_by("key")
        .agg(pl.col("nhs_number").n_unique())
        .filter(pl.col("nhs_number") > 1)
    )
    return (
        keyed.join(two_in_a_table, on="key", how="anti")
        .join(two_nhs_numbers, on="key", how="anti")
        .select("profile", "person", first=pl.col("person").min().over("key"))
    )


def _components(person: Labels, one: npt.NDArray[np.integer], other: npt.NDArray[np.integer]) -> Labels:
    """The persons after each of `one` was found to be the same as its `other`."""
    size = len(person)
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    joined: Labels = part[person].astype(np.int64)
    return joined


def _persons(records: pl.DataFrame, profiles: pl.DataFrame, person: Labels, is_joined: npt.NDArray[np.bool_]) -> Labels:
    """The person of each record. Where nothing joins a profile, neither does it join its own records."""
    of_profile = profiles.select(
        "profile_id", person=pl.when(pl.Series(is_joined)).then(pl.Series(person)).otherwise(None)
    )
    alone = pl.row_index() + profiles.height
    return (
        records.select("profile_id")
        .join(of_profile, on="profile_id", how="left", maintain_order="left")
        .select(pl.coalesce("person", alone).cast(pl.Int64))
        .to_series()
        .to_numpy()
    )
