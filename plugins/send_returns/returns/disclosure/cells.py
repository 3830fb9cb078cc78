"""From figures to cells, one for each quantity, and to what anybody can add up of them.

A count that stands in two tables, in two returns or under two measures is one cell: what is hidden of it is hidden
everywhere. Equations are found in the exact figures and never assumed: one that does not hold tells nobody anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

KEYS = (
    "return_table",
    "measure",
    "period_kind",
    "period_from_on",
    "period_to_on",
    "geography_code",
    "breakdown",
    "breakdown_value",
)
PARTS = ("numerator", "denominator")
TOTAL = "total"
BETWEEN = " | "  # between the dimensions of a breakdown by several, and between their values

_PERIOD = ("period_from_on", "period_to_on")
_CELL = ("quantity", *_PERIOD, "place")
# A sum of two quantities, or two tables with the same margins, counts as known where it holds so often, not by chance.
_FEWEST_SUMS, _FEWEST_ALIKE = 12, 5

Ints = NDArray[np.int64]


class Split(NamedTuple):
    """A group and the parts that it is divided into, as numbers of cells."""

    whole: int
    parts: tuple[int, ...]


@dataclass(frozen=True)
class Cells:
    """Counts and what is known of their sums.

    `frame`: a row per cell, in order of its number: `quantity, period_from_on, period_to_on, place, size,
    is_published, cost`. What is not published (the rest of a denominator, say) can be worked out from what is.
    `parts`: which cell a figure's numerator or denominator is: `figure, part, cell`; `figure` is the row's number.
    `equations`: a row each, which times the sizes is nought. `splits`: for the guard of groups that are all in one.
    """

    frame: pl.DataFrame
    parts: pl.DataFrame
    equations: sparse.csr_matrix
    splits: tuple[Split, ...]

    @property
    def sizes(self) -> Ints:
        """The exact counts, by cell."""
        return self.frame["size"].to_numpy()


def cells_of(figures: pl.DataFrame) -> Cells:
    """The cells of exact figures and their equations.

    `figures`: KEYS, `indicator_code, statistic, geography_type, numerator, denominator`. `geography_type` is
    'partnership' for the whole. A breakdown by several dimensions at once joins their names, and their values, by
    BETWEEN, with 'total' where one is not divided: a table of waits by service and band has 'service | band'.
    Only whole numbers of at least nought are cells; of a mean or percentile the denominator alone is one.
    """
    counted = _one_per_quantity(_counted(figures))
    book = _Book(counted)
    book.add_splits()
    book.add_periods()
    book.add_rests(figures)
    book.add_sums()
    book.add_gaps(figures)
    book.join_alike()
    return book.finish()


def _counted(figures: pl.DataFrame) -> pl.DataFrame:
    """A row per figure and part that counts: `figure, part, quantity, period..., place, size`."""
    numbered = figures.with_row_index("figure").with_columns(
        pl.col("breakdown").str.split(BETWEEN).alias("dimension"),
        pl.col("breakdown_value").str.split(BETWEEN).alias("of"),
    )
    places = (
        numbered.select("figure", "dimension", "of")
        .explode("dimension", "of")
        .filter(pl.col("of") != TOTAL)
        .select("figure", pl.col("dimension") + "=" + pl.col("of"))
    )
    districts = numbered.filter(pl.col("geography_type") != "partnership").select(
        "figure", pl.lit("geography=") + pl.col("geography_code")
    )
    districts.columns = places.columns = ["figure", "place"]
    place = pl.concat([places, districts]).group_by("figure").agg(pl.col("place").sort())
    return (
        numbered.select("figure", "measure", "period_kind", *_PERIOD, "statistic", *PARTS)
        .unpivot(
            on=list(PARTS),
            index=["figure", "measure", "period_kind", *_PERIOD, "statistic"],
            variable_name="part",
            value_name="exact",
        )
        .filter(
            pl.col("exact").is_not_null()
            & (pl.col("statistic") != "ratio")
            & (pl.col("exact") >= 0)
            & (pl.col("exact") == pl.col("exact").floor())
        )
        .join(place, on="figure", how="left", maintain_order="left")
        .select(
            "figure",
            "part",
            "period_kind",
            *_PERIOD,
            (pl.col("measure") + "." + pl.col("part")).alias("quantity"),
            pl.col("place").fill_null([]),
            pl.col("exact").cast(pl.Int64).alias("size"),
        )
        .sort("figure", "part")
    )


def _one_per_quantity(counted: pl.DataFrame) -> pl.DataFrame:
    """Measures with the same counts everywhere count the same thing: the first of their names stands for all.

    Numerators and denominators are kept apart: that a share is 100% everywhere is nobody's to know.
    """
    vector = ("period_kind", *_PERIOD, "place")
    told = (
        counted.sort("quantity", *vector)
        .group_by("quantity", "part", maintain_order=True)
        .agg(pl.struct(*vector, "size").hash(seed=0).alias("told"), pl.col("size").sum().alias("all"), pl.len())
        .with_columns(pl.col("told").list.eval(pl.element().cast(pl.String)).list.join(" "))
    )
    names = told.with_columns(
        pl.when((pl.col("all") > 0) & (pl.col("len") >= _FEWEST_ALIKE))
        .then(pl.col("quantity").min().over("told", "part"))
        .otherwise(pl.col("quantity"))
        .alias("name")
    ).select("quantity", "name")
    named = counted.join(names, on="quantity", how="left", maintain_order="left").with_columns(quantity=pl.col("name"))
    # The same days under two kinds of period are the same days, unless the counts say otherwise.
    return named.with_columns(
        pl.when(pl.col("size").n_unique().over(_CELL) > 1)
        .then(pl.col("quantity") + " " + pl.col("period_kind"))
        .otherwise(pl.col("quantity"))
        .alias("quantity")
    ).drop("name")


class _Book:
    """Cells as they are numbered, and the equations as they are found."""

    def __init__(self, counted: pl.DataFrame) -> None:
        self.frame = (
            counted.select(*_CELL, "size")
            .unique(maintain_order=True)
            .sort(*_CELL)
            .with_row_index("cell")
            .with_columns(pl.col("cell").cast(pl.Int64), pl.lit(value=True).alias("is_published"))
        )
        self.parts = counted.join(
            self.frame.select("cell", *_CELL), on=_CELL, how="left", maintain_order="left"
        ).select("figure", "part", "cell", "period_kind")
        self.equations: list[pl.DataFrame] = []
        self.splits: list[Split] = []
        self._count = 0

    def _add(self, terms: pl.DataFrame, by: Sequence[str]) -> None:
        """Equations: `terms` has `cell, weight` and the columns `by` that tell one equation from another."""
        if terms.height:
            numbered = terms.with_columns((pl.struct(*by).rank("dense") - 1 + self._count).alias("equation"))
            self._count = int(numbered["equation"].max()) + 1  # type: ignore[arg-type]
            self.equations.append(numbered.select(pl.col("equation").cast(pl.Int64), "cell", "weight"))

    def _derive(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Number cells that nobody publishes; `cells` has `_CELL` and `size`."""
        derived = cells.select(
            pl.int_range(self.frame.height, self.frame.height + cells.height, dtype=pl.Int64).alias("cell"),
            *_CELL,
            pl.col("size").cast(pl.Int64),
            pl.lit(value=False).alias("is_published"),
        )
        self.frame = pl.concat([self.frame, derived])
        return derived

    def add_splits(self) -> None:
        """A whole and its parts by one dimension; what no part has is a cell that nobody publishes."""
        part = (
            self.frame.filter(pl.col("place").list.len() > 0)
            .with_columns(pl.col("place").alias("within"))
            .explode("within")
            .with_columns(pl.col("within").str.split("=").list.first().alias("dimension"))
            .with_columns(pl.col("place").list.set_difference(pl.concat_list("within")).list.sort().alias("outer"))
        )
        by = ["quantity", *_PERIOD, "outer", "dimension"]
        whole = self.frame.select("quantity", *_PERIOD, pl.col("place").alias("outer"), "cell", "size")
        groups = (
            part.group_by(by, maintain_order=True)
            .agg(pl.col("cell").alias("parts"), pl.col("size").sum().alias("sum"))
            .join(whole, on=["quantity", *_PERIOD, "outer"], how="inner", maintain_order="left")
            .filter(pl.col("sum") <= pl.col("size"))
        )
        short = groups.filter(pl.col("sum") < pl.col("size"))
        slack = self._derive(
            short.select(
                (pl.col("quantity") + " of no " + pl.col("dimension")).alias("quantity"),
                *_PERIOD,
                pl.col("outer").alias("place"),
                (pl.col("size") - pl.col("sum")).alias("size"),
            )
        ).with_columns(short["cell"].alias("whole"), short["dimension"])
        terms = pl.concat(
            [
                groups.select(pl.col("cell").alias("whole"), "dimension", "cell", pl.lit(-1).alias("weight")),
                groups.select(
                    pl.col("cell").alias("whole"), "dimension", pl.col("parts").alias("cell"), pl.lit(1).alias("weight")
                ).explode("cell"),
                slack.select("whole", "dimension", "cell", pl.lit(1).alias("weight")),
            ]
        )
        self._add(terms, ["whole", "dimension"])
        self.splits += [
            Split(whole, tuple(parts))
            for whole, parts, size, total in groups.select("cell", "parts", "size", "sum").iter_rows()
            if len(parts) > 1 and size == total
        ]

    def add_periods(self) -> None:
        """A year and its quarters, a quarter and its months, where they add up."""
        span = self.frame.filter("is_published").select(
            "cell",
            "quantity",
            "place",
            "size",
            *_PERIOD,
            ((pl.col("period_to_on") - pl.col("period_from_on")).dt.total_days() + 1).alias("days"),
        )
        kinds = {
            "1y": span.filter(pl.col("days").is_between(365, 366) & (pl.col("period_from_on").dt.ordinal_day() == 1)),
            "1q": span.filter(pl.col("days").is_between(89, 93) & (pl.col("period_from_on").dt.day() == 1)),
            "1mo": span.filter(pl.col("days").is_between(28, 31) & (pl.col("period_from_on").dt.day() == 1)),
        }
        for long, short in (("1y", "1q"), ("1q", "1mo"), ("1y", "1mo")):
            inner = kinds[short].with_columns(pl.col("period_from_on").dt.truncate(long).alias("from"))
            whole = kinds[long].select(
                pl.col("cell").alias("whole"),
                "quantity",
                "place",
                pl.col("size").alias("sum"),
                pl.col("period_from_on").alias("from"),
            )
            # A month in which nothing happened has no row: that the others add up is enough.
            joined = inner.join(whole, on=["quantity", "place", "from"], how="inner", maintain_order="left").filter(
                pl.col("size").sum().over("whole") == pl.col("sum")
            )
            wholes = joined.select("whole").unique(maintain_order=True)
            self._add(
                pl.concat(
                    [
                        joined.select("whole", "cell", pl.lit(1).alias("weight")),
                        wholes.select("whole", pl.col("whole").alias("cell"), pl.lit(-1).alias("weight")),
                    ]
                ),
                ["whole"],
            )

    def _pairs(self, figures: pl.DataFrame) -> pl.DataFrame:
        """Numerators of shares with their denominators, by cell; of a share no more is above than below."""
        shares = figures.with_row_index("figure").filter(pl.col("statistic") == "share").select(
            "figure", "indicator_code", "measure"
        )  # fmt: skip
        above, below = (
            self.parts.filter(pl.col("part") == part).select("figure", pl.col("cell").alias(part)) for part in PARTS
        )
        sizes = self.frame.select("cell", "size")
        return (
            shares.join(above, on="figure", maintain_order="left")
            .join(below, on="figure", maintain_order="left")
            .join(sizes.rename({"cell": "numerator", "size": "above"}), on="numerator", maintain_order="left")
            .join(sizes.rename({"cell": "denominator", "size": "below"}), on="denominator", maintain_order="left")
            .filter((pl.col("above") <= pl.col("below")) & (pl.col("numerator") != pl.col("denominator")))
        )

    def add_rests(self, figures: pl.DataFrame) -> None:
        """What a numerator leaves of its denominator."""
        pairs = self._pairs(figures).unique(["numerator", "denominator"], keep="first", maintain_order=True)
        rests = self._derive(
            pairs.join(
                self.frame.select(pl.col("cell").alias("numerator"), *_CELL), on="numerator", maintain_order="left"
            ).select(
                (pl.col("quantity") + " not").alias("quantity"),
                *_PERIOD,
                "place",
                (pl.col("below") - pl.col("above")).alias("size"),
            )
        )
        pairs = pairs.with_columns(rests["cell"].alias("rest"))
        self._three(pairs, "denominator", "numerator", "rest")
        self.splits += [
            Split(below, (above, rest))
            for below, above, rest in pairs.select("denominator", "numerator", "rest").iter_rows()
        ]

    def _three(self, cells: pl.DataFrame, whole: str, one: str, other: str) -> None:
        numbered = cells.with_row_index("number")
        self._add(
            pl.concat(
                [
                    numbered.select("number", pl.col(name).cast(pl.Int64).alias("cell"), pl.lit(weight).alias("weight"))
                    for name, weight in ((whole, -1), (one, 1), (other, 1))
                ]
            ),
            ["number"],
        )

    def add_sums(self) -> None:
        """Quantities that are the sum of two others wherever they are counted, as all plans are of those with and
        without an exception."""
        published = self.frame.filter("is_published")
        described = (
            published.sort(*_CELL)
            .group_by("quantity", maintain_order=True)
            .agg(pl.struct(*_PERIOD, "place").hash(seed=0).alias("of"), "cell", "size")
            .with_columns(pl.col("of").list.eval(pl.element().cast(pl.String)).list.join(" "))
            .filter(pl.col("size").list.sum() > 0)
            # A numerator that is all of a denominator everywhere would give that away in a sum.
            .sort(~pl.col("quantity").str.contains("denominator", literal=True), "quantity")
            .unique(["of", "size"], keep="first", maintain_order=True)
        )
        found: list[tuple[int, int, int]] = []
        for (_,), group in described.group_by("of", maintain_order=True):
            if group.height < 3:
                continue
            sizes, numbers = np.array(group["size"].to_list()), np.array(group["cell"].to_list())
            known = {row.tobytes(): place for place, row in enumerate(sizes)}
            for one in range(len(sizes)):
                for other, row in enumerate(sizes[one + 1 :] + sizes[one], start=one + 1):
                    whole = known.get(row.tobytes())
                    if whole is not None and np.count_nonzero((sizes[one] > 0) & (sizes[other] > 0)) >= _FEWEST_SUMS:
                        found += zip(numbers[whole], numbers[one], numbers[other], strict=True)
        if found:
            self._three(pl.DataFrame(np.array(found), ["whole", "one", "other"]), "whole", "one", "other")

    def add_gaps(self, figures: pl.DataFrame) -> None:
        """Numerators of one indicator over the same denominator, one of which is never more than another: those
        between them can be worked out, as those who wait over 18 weeks and not over 52."""
        pairs = self._pairs(figures).select("indicator_code", "measure", "numerator", "denominator", "above").unique(
            maintain_order=True
        )  # fmt: skip
        other = pairs.rename({"measure": "more", "numerator": "greater", "above": "all"})
        nested = (
            pairs.join(other, on=["indicator_code", "denominator"], maintain_order="left_right")
            .filter((pl.col("measure") != pl.col("more")) & (pl.col("numerator") != pl.col("greater")))
            .filter((pl.col("above") <= pl.col("all")).all().over("measure", "more"))
            .unique(["numerator", "greater"], keep="first", maintain_order=True)
        )
        if nested.height:
            cells = self.frame.select(pl.col("cell").alias("numerator"), *_CELL)
            gaps = self._derive(
                nested.join(cells, on="numerator", maintain_order="left").select(
                    (pl.col("more") + " less " + pl.col("measure")).alias("quantity"),
                    *_PERIOD,
                    "place",
                    (pl.col("all") - pl.col("above")).alias("size"),
                )
            )
            self._three(nested.with_columns(gaps["cell"].alias("gap")), "greater", "numerator", "gap")

    def join_alike(self) -> None:
        """Cells of two tables that count the same along a dimension are one: a wait is a wait in both returns."""
        part = (
            self.frame.filter("is_published")
            .filter(pl.col("place").list.len() > 0)
            .with_columns(pl.col("place").alias("within"))
            .explode("within")
            .filter(pl.col("within").str.starts_with("geography="))
            .with_columns(pl.col("place").list.set_difference(pl.concat_list("within")).list.sort().alias("outer"))
        )
        # A district that has nobody may have a row in one table and none in the other.
        lines = (
            part.filter(pl.col("size") > 0)
            .sort("quantity", *_PERIOD, "outer", "within")
            .group_by("quantity", *_PERIOD, "outer", maintain_order=True)
            .agg(pl.struct("within", "size").hash(seed=0).alias("told"), pl.len().alias("some"))
            .filter(pl.col("some") >= _FEWEST_ALIKE)
            .with_columns(pl.col("told").list.eval(pl.element().cast(pl.String)).list.join(" "))
            .with_columns(pl.col("quantity", "outer").first().over(*_PERIOD, "told").name.prefix("first_"))
        )
        first = part.select(
            pl.col("cell").alias("first"),
            pl.col("quantity", "outer").name.prefix("first_"),
            *_PERIOD,
            "within",
        )
        alike = (
            part.join(lines, on=["quantity", *_PERIOD, "outer"], maintain_order="left")
            .join(first, on=["first_quantity", *_PERIOD, "first_outer", "within"], maintain_order="left")
            .filter(pl.col("cell") != pl.col("first"))
        )
        self._add(
            pl.concat(
                [
                    alike.select(pl.col("cell").alias("twin"), "cell", pl.lit(1).alias("weight")),
                    alike.select(
                        pl.col("cell").alias("twin"), pl.col("first").alias("cell"), pl.lit(-1).alias("weight")
                    ),
                ]
            ),
            ["twin"],
        )

    def finish(self) -> Cells:
        terms = pl.concat(self.equations) if self.equations else pl.DataFrame(
            schema={"equation": pl.Int64, "cell": pl.Int64, "weight": pl.Int32}
        )  # fmt: skip
        equations = sparse.csr_matrix(
            (terms["weight"].to_numpy(), (terms["equation"].to_numpy(), terms["cell"].to_numpy())),
            shape=(self._count, self.frame.height),
            dtype=np.int64,
        )
        # A table's margin is dearer than what is in it, and a denominator takes its share along.
        frame = self.frame.with_columns(
            (
                (1 + (pl.col("size") + 1).log(2) / 4)
                * pl.when(pl.col("place").list.len() == 0).then(20).otherwise(1)
                * pl.when(pl.col("quantity").str.contains("denominator", literal=True)).then(3).otherwise(1)
            ).alias("cost")
        )
        return Cells(frame, self.parts.select("figure", "part", "cell"), equations, tuple(self.splits))
