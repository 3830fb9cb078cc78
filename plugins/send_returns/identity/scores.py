"""How well records were joined, as pairs of records, counted from how many records of a child each person got.

A frame `labelled` here has one row per record: child (who it is about), person (who it was linked to, any label) and
feed. No pair is ever made: n records have n (n - 1) / 2.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Score:
    """Pairs of records: `same` are of one child, `found` of these were joined, `wrong` were joined and are of two.

    For some of the children `wrong` counts half for each of its two children, so that groups of children add up to all,
    and a small group, whose wrong pairs are mostly with children of other groups, is not worse for being small.
    """

    same: int
    found: int
    wrong: float

    @property
    def precision(self) -> float | None:
        """Share of the joined pairs that are of one child; None where none was joined."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of the pairs of one child that were joined; None where there is none."""
        return self.found / self.same if self.same else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where there is neither."""
        total = self.same + self.found + self.wrong
        return 2 * self.found / total if total else None


def score(counted: pl.DataFrame) -> Score:
    """The sum of the columns same, found and wrong."""
    same, found, wrong = counted.select(pl.col("same", "found", "wrong").sum()).row(0)
    return Score(int(same), int(found), float(wrong))


def mean(scores: Iterable[Score]) -> tuple[float | None, float | None, float | None]:
    """Precision, recall and F1 as plain means of the scores that have one: each counts the same, however many pairs."""
    listed = list(scores)
    measures = ([one.precision for one in listed], [one.recall for one in listed], [one.f1 for one in listed])
    precision, recall, f1 = (_mean([value for value in values if value is not None]) for values in measures)
    return precision, recall, f1


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def by_child(labelled: pl.DataFrame, *, across: bool = False) -> pl.DataFrame:
    """child, same, found, wrong (half of each wrong pair), sorted by child; `across`: of pairs across feeds alone."""
    every = _of_children(labelled)
    if not across:
        return every
    within = _of_children(labelled, "feed")
    pairs = ("same", "found", "wrong")
    return (
        every.join(within, on="child", suffix="_within")
        .select("child", *(pl.col(name) - pl.col(f"{name}_within") for name in pairs))
        .sort("child")
    )


def _of_children(labelled: pl.DataFrame, *within: str) -> pl.DataFrame:
    """child, same, found, wrong, of pairs that agree on `within`."""
    cells = _counts(labelled, "person", "child", *within).with_columns(
        of_person=pl.col("n").sum().over("person", *within)
    )
    joined = cells.group_by("child").agg(
        found=_pairs("n").sum(), wrong=(pl.col("n") * (pl.col("of_person") - pl.col("n"))).sum() / 2
    )
    same = _counts(labelled, "child", *within).group_by("child").agg(same=_pairs("n").sum())
    return same.join(joined, on="child").select("child", "same", "found", "wrong").sort("child")


def by_feeds(labelled: pl.DataFrame) -> pl.DataFrame:
    """feed, other_feed (feed <= other_feed), same, found, wrong (whole pairs): where there is any, sorted by feeds."""
    same = _between_feeds(labelled, "child").rename({"pairs": "same"})
    found = _between_feeds(labelled, "child", "person").rename({"pairs": "found"})
    joined = _between_feeds(labelled, "person").rename({"pairs": "joined"})
    feeds = ["feed", "other_feed"]
    return (
        pl.concat([same.select(feeds), joined.select(feeds)])
        .unique()
        .join(same, on=feeds, how="left")
        .join(found, on=feeds, how="left")
        .join(joined, on=feeds, how="left")
        .fill_null(0)
        .select(*feeds, "same", "found", wrong=(pl.col("joined") - pl.col("found")).cast(pl.Float64))
        .sort(feeds)
    )


def _between_feeds(labelled: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """feed, other_feed, pairs: the pairs of records that agree on `keys`, where there is any."""
    cells = _counts(labelled, *keys, "feed")
    return (
        cells.join(cells.rename({"feed": "other_feed", "n": "others"}), on=keys)
        .filter(pl.col("feed") <= pl.col("other_feed"))
        .with_columns(
            pairs=pl.when(pl.col("feed") == pl.col("other_feed"))
            .then(_pairs("n"))
            .otherwise(pl.col("n") * pl.col("others"))
        )
        .group_by("feed", "other_feed")
        .agg(pl.col("pairs").sum())
        .filter(pl.col("pairs") > 0)
    )


def _counts(labelled: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return labelled.group_by(*keys).agg(n=pl.len().cast(pl.Int64))


def _pairs(name: str) -> pl.Expr:
    return pl.col(name) * (pl.col(name) - 1) // 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """A share of pairs among a group's children, among all, and how probable so low a one would be by chance."""

    of_group: float
    of_all: float
    chance: float


# A share of so few children says nothing of a group.
FEWEST_CHILDREN = 10


def compared(counted: pl.DataFrame, group: pl.Series, measure: str) -> Comparison | None:
    """Recall or precision (`measure`) of the children for whom `group` is true; None where there are too few to judge.

    `counted`: `by_child`, in the order of `group`. Chance is by a one-sided two-proportion z-test of the group against
    all other children. The pairs of one child are found or lost together, so children are what is sampled, not pairs:
    the variance is that of a ratio estimator (Cochran, Sampling Techniques, 3rd edition, 1977, section 6.3).
    """
    whole = pl.col("same") if measure == "recall" else pl.col("found") + pl.col("wrong")
    shares = counted.select(part="found", whole=whole).with_columns(group=group).filter(pl.col("whole") > 0)
    own, others = shares.filter(pl.col("group")), shares.filter(~pl.col("group"))
    if min(own.height, others.height) < FEWEST_CHILDREN:
        return None
    below = _ratio(others) - _ratio(own)
    error = math.sqrt(_variance(own) + _variance(others))
    # Where no child differs from another of its side there is no error to compare with.
    chance = math.erfc(below / error / math.sqrt(2)) / 2 if error else float(below <= 0)
    return Comparison(_ratio(own), _ratio(shares), chance)


def _ratio(shares: pl.DataFrame) -> float:
    part, whole = shares.select(pl.col("part", "whole").sum()).row(0)
    return float(part / whole)


def _variance(shares: pl.DataFrame) -> float:
    residuals = shares["part"] - _ratio(shares) * shares["whole"]
    spread = float((residuals * residuals).sum()) / float(shares["whole"].sum()) ** 2
    return spread * shares.height / (shares.height - 1)
