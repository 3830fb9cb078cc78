"""Which person each child of a partition is: the one that was known before, whatever else changed."""

from dataclasses import dataclass

import polars as pl

from send_returns.identity.likeness import carried

# What a profile that is gone and a new one must share for the new one to be the same child's.
_DESCRIBED = ("surname", "forename", "born", "postcode")
# What says most of where a person is, first.
OWN, BROUGHT, SUCCEEDED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Persons:
    """`of_child`: child (number in the partition), person_id. `created`: ids that are new. `merged`: person_id, into.
    `split`: person_id, from_id, child; `revived`: ids that stand again after a merge was undone."""

    of_child: pl.DataFrame
    created: list[str]
    merged: pl.DataFrame
    split: pl.DataFrame
    revived: list[str]


def assign(
    children: pl.DataFrame, known: pl.DataFrame, disputed: pl.DataFrame, merges: pl.DataFrame, next_number: int
) -> Persons:
    """Give each child its person.

    `children`: profile (position), child, first (the order in which new persons are numbered), of the run's profiles.
    `known`: every profile with `SAYS` and person_id (null: never seen before), in the run or not. `disputed`: kind,
    value. `merges`: person_id, other_id, profile of merges that still stand, the first of an id to be preferred.
    A person is where most of its profiles are; of the persons that one child was before, the oldest stays. A child that
    was none is new, or, if it was once another person that was merged, that person again.
    """
    votes = _votes(children, known, disputed, merges)
    homes = votes.sort("person_id", "tier", "votes", "child", descending=[False, False, True, False]).unique(
        "person_id", keep="first", maintain_order=True
    )
    survivors = homes.group_by("child").agg(person_id=pl.col("person_id").min())
    merged = (
        homes.join(survivors.rename({"person_id": "into"}), on="child")
        .filter(pl.col("person_id") != pl.col("into"))
        .select("person_id", "into")
        .sort("person_id")
    )
    nobody = children.group_by("child").agg(pl.col("first").min()).join(survivors, on="child", how="anti").sort("first")
    parents = (
        votes.filter(pl.col("tier") < SUCCEEDED)
        .join(nobody, on="child")
        .sort("child", "votes", "person_id", descending=[False, True, False])
        .unique("child", keep="first", maintain_order=True)
        .select("child", from_id="person_id")
    )
    again = _revived(children, parents, merges)
    fresh = nobody.join(again, on="child", how="anti").sort("first").with_row_index("number", offset=next_number)
    fresh = fresh.with_columns(person_id=pl.lit("P") + pl.col("number").cast(pl.String).str.zfill(10))
    of_child = pl.concat([frame.select("child", "person_id") for frame in (survivors, again, fresh)])
    return Persons(
        of_child.sort("child"),
        fresh["person_id"].to_list(),
        merged,
        parents.join(of_child, on="child").select("person_id", "from_id", "child").sort("person_id"),
        again["person_id"].to_list(),
    )


def _votes(children: pl.DataFrame, known: pl.DataFrame, disputed: pl.DataFrame, merges: pl.DataFrame) -> pl.DataFrame:
    """child, person_id, tier, votes: by a person's own profiles in the run, by those that a merge brought, and by gone
    ones that new ones succeed."""
    were = children.select("profile", "child").join(known.select("profile", "person_id"), on="profile")
    brought = merges.select("profile", "person_id").unique().with_columns(tier=pl.lit(BROUGHT))
    direct = (
        were.drop_nulls("person_id")
        .join(brought, on=["profile", "person_id"], how="left")
        .select("child", "person_id", pl.col("tier").fill_null(OWN))
    )
    gone = known.drop_nulls("person_id").join(children, on="profile", how="anti")
    succeeded = [direct]
    if gone.height:
        new = known.filter(pl.col("person_id").is_null()).join(children.select("profile", "child"), on="profile")
        ends = [
            carried(frame.drop("profile"))
            .join(disputed, on=["kind", "value"], how="anti")
            .join(frame.drop("profile").with_row_index("profile").select("profile", column), on="profile")
            for frame, column in ((new, "child"), (gone, "person_id"))
        ]
        by_number = ends[0].join(ends[1], on=["kind", "value"])
        by_name = new.drop_nulls(list(_DESCRIBED)).join(gone, on=list(_DESCRIBED), suffix="_gone")
        by_name = by_name.select("child", person_id="person_id_gone")
        succeeded += [both.select("child", "person_id", tier=pl.lit(SUCCEEDED)) for both in (by_number, by_name)]
    return pl.concat(succeeded).group_by("child", "person_id", "tier").agg(votes=pl.len())


def _revived(children: pl.DataFrame, parents: pl.DataFrame, merges: pl.DataFrame) -> pl.DataFrame:
    """child, person_id: persons that were merged into the one that these children leave, and had their profiles."""
    return (
        children.join(parents, on="child")
        .join(merges, left_on=["profile", "from_id"], right_on=["profile", "person_id"])
        .group_by("child", "other_id")
        .agg(shared=pl.len())
        .sort("shared", "other_id", "child", descending=[True, False, False])
        .unique("other_id", keep="first", maintain_order=True)
        .unique("child", keep="first", maintain_order=True)
        .select("child", person_id="other_id")
    )
