"""Exact figures in, figures that may be shown out, with a record of what was hidden and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from send_returns.returns.disclosure import protect as control
from send_returns.returns.disclosure.cells import KEYS, PARTS, Cells, cells_of
from send_returns.returns.disclosure.protect import Earlier, Policy, protect

_GIVEN = (*KEYS, "indicator_code", "statistic", "geography_type", *PARTS, "value", "status")
_OF_PEOPLE = "people"


@dataclass(frozen=True)
class Shown:
    """What a release shows in `frame`, and in `hidden` a row per hidden count: KEYS, `part`, `why`."""

    frame: pl.DataFrame
    hidden: pl.DataFrame


@dataclass(frozen=True)
class Figures(Shown):
    """What renderers of statistics get.

    `frame` has the columns and rows of the exact figures, ordered by KEYS, and rows of nought for parts of a breakdown
    that had nobody: `numerator` and `denominator` rounded to five or null, `value` made of those, to one decimal, and
    `status`: '' shown, 'c' suppressed, 'x' not available, 'z' not applicable.

    `hidden` has a row per hidden count: KEYS, `part` ('numerator', 'denominator', 'value'), `why`. `cells`: how many
    counts these are, and what can be worked out of them; `protected`: of how many it is proved that they cannot be
    known; `programmes`: how many were solved for it.
    """

    cells: int
    protected: int
    programmes: int


def protect_figures(exact: pl.DataFrame, prior: Sequence[Shown] = (), policy: Policy = "rounded") -> Figures:
    """Every figure of every return, put through disclosure control once and together.

    Args:
        exact: KEYS, `indicator_code, statistic, geography_type, numerator, denominator, value, status` ('x' where the
            data is not there); `per` for shares and rates, 100 where there is none. `counts` says what is counted:
            'people' (as where it is missing), 'things' that are nobody's, which are shown as they are, or 'amounts' of
            `people`, which are hidden where those are few.
        prior: what earlier releases showed, of any return, oldest first.
        policy: 'rounded', or 'exact_totals' where exact totals are agreed with the recipient.

    Raises:
        NotProtected: no proof was found, even with all withheld that is joined to a count.
    """
    figures = _with_noughts(_complete(exact))
    of_people = figures.filter(pl.col("counts") == _OF_PEOPLE)
    cells = cells_of(of_people)
    found = protect(cells, policy, [_earlier(cells, of_people, release) for release in prior])
    said = cells.parts.with_columns(
        pl.Series("published", found.published[cells.parts["cell"].to_numpy()]),
        pl.Series("why", [found.why[cell] for cell in cells.parts["cell"]], pl.String),
    )
    shown = pl.concat(
        [
            _shown(of_people.with_row_index("figure"), said),
            _of_things(figures.filter(pl.col("counts") == "things")),
            _of_amounts(figures.filter(pl.col("counts") == "amounts")),
        ]
    ).sort(KEYS)
    hidden = (
        shown.unpivot(
            on=["numerator_why", "denominator_why", "value_why"],
            index=list(KEYS),
            variable_name="part",
            value_name="why",
        )
        .filter(pl.col("why") != "")
        .with_columns(pl.col("part").str.strip_suffix("_why"))
        .sort(*KEYS, "part")
    )
    frame = shown.drop("numerator_why", "denominator_why", "value_why")
    return Figures(frame, hidden, cells.frame.height, found.protected, found.programmes)


def _complete(exact: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in _GIVEN if name not in exact.columns]:
        raise ValueError(f"figures without {', '.join(missing)}")
    defaults = {"per": pl.lit(100), "counts": pl.lit(_OF_PEOPLE), "people": pl.lit(0)}
    absent = [value.alias(name) for name, value in defaults.items() if name not in exact.columns]
    return (
        exact.with_columns(absent)
        .with_columns(
            pl.col(*PARTS, "value").cast(pl.Float64),
            pl.col("per").cast(pl.Int64).fill_null(100),
            pl.col("people").cast(pl.Int64).fill_null(0),
            pl.col("counts").fill_null(_OF_PEOPLE),
        )
        .sort(KEYS)
    )


def _with_noughts(figures: pl.DataFrame) -> pl.DataFrame:
    """Adds the parts of a breakdown that have nobody, and districts: what is missing would be known to be nought."""
    table = ["return_table", "measure", "period_kind", "period_from_on", "period_to_on"]
    counted = figures.filter((pl.col("counts") == _OF_PEOPLE) & (pl.col("statistic") != "ratio"))
    whole = counted.filter(
        (pl.col("geography_type") == "partnership") & (pl.col("breakdown") == "total") & (pl.col("status") != "x")
    )
    parts = counted.filter((pl.col("breakdown") != "total") & (pl.col("geography_type") == "partnership"))
    districts = counted.filter((pl.col("breakdown") == "total") & (pl.col("geography_type") != "partnership"))
    columns = ["geography_type", "geography_code", "breakdown", "breakdown_value"]
    wanted = []
    for rows, by in ((parts, ["return_table", "breakdown"]), (districts, ["return_table"])):
        every = rows.select(*by, *[name for name in columns if name not in by]).unique()
        has = rows.select(*table, *[name for name in by if name not in table]).unique()
        wanted.append(has.join(every, on=by, how="inner").select(*table, *columns))
    noughts = (
        pl.concat(wanted)
        .join(counted, on=[*table, *columns], how="anti")
        .join(whole.drop(columns), on=table, how="inner")
        .with_columns(pl.when(pl.col(part).is_not_null()).then(0.0).alias(part) for part in PARTS)
        .with_columns(pl.lit(None, pl.Float64).alias("value"), pl.lit("ok").alias("status"))
        .select(figures.columns)
    )
    return pl.concat([figures, noughts]).sort(KEYS)


def _earlier(cells: Cells, figures: pl.DataFrame, release: Shown) -> Earlier:
    """What an earlier release said of today's cells."""
    frame = release.frame.select(*KEYS, *PARTS, pl.col("status").alias("was"))
    withheld = release.hidden.filter(pl.col("why") == control.WITHHELD).select(*KEYS, "part", is_withheld=True)
    said = (
        figures.with_row_index("figure")
        .select("figure", *KEYS)
        .join(frame, on=KEYS, maintain_order="left")
        .unpivot(on=list(PARTS), index=["figure", *KEYS, "was"], variable_name="part", value_name="shown")
        .join(withheld, on=[*KEYS, "part"], how="left", maintain_order="left")
        .join(cells.parts, on=["figure", "part"], maintain_order="left")
    )
    shown = np.full(cells.frame.height, -1, np.int64)
    known = said.filter(pl.col("shown").is_not_null())
    shown[known["cell"].to_numpy()] = known["shown"].cast(pl.Int64).to_numpy()
    is_hidden, is_withheld = np.zeros(cells.frame.height, bool), np.zeros(cells.frame.height, bool)
    is_hidden[said.filter(pl.col("shown").is_null() & (pl.col("was") == "c"))["cell"].to_numpy()] = True
    is_withheld[said.filter("is_withheld")["cell"].to_numpy()] = True
    return Earlier(shown, is_hidden, is_withheld)


def _shown(figures: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The figures about people, as what is published of their cells makes them."""
    parts = [
        said.filter(pl.col("part") == part).select(
            "figure", pl.col("published").alias(f"{part}_cell"), pl.col("why").alias(f"{part}_why")
        )
        for part in PARTS
    ]
    joined = figures
    for part in parts:
        joined = joined.join(part, on="figure", how="left", maintain_order="left")
    above, below = (pl.col(f"{part}_cell").replace(-1, None) for part in PARTS)
    is_of_cases = pl.col("statistic").is_in(["mean", "median", "p90"])
    value = (
        pl.when(pl.col("statistic") == "count")
        .then(above.cast(pl.Float64))
        .when(pl.col("statistic").is_in(["share", "rate"]))
        .then(_tenths(pl.col("per") * above, below) / 10)
        .when(pl.col("statistic") == "growth")
        .then(_tenths(100 * (above - below), below) / 10)
        .when(is_of_cases)
        .then(pl.when(below > 0).then(pl.col("value").round(1)))
        .otherwise(pl.col("value").round(1))
    )
    hides = pl.any_horizontal(pl.col(f"{part}_why").fill_null("") != "" for part in PARTS)
    return (
        joined.with_columns(
            pl.when(pl.col("statistic") == "share").then(value.clip(0, 100)).otherwise(value).alias("made"),
            hides.alias("hides"),
        )
        .with_columns(
            pl.when(pl.col("hides"))
            .then(pl.lit("c"))
            .when((pl.col("status") == "x") & ((pl.col("statistic") == "ratio") | pl.col("denominator").is_null()))
            .then(pl.lit("x"))
            .when(pl.col("made").is_null())
            .then(pl.lit("z"))
            .otherwise(pl.lit(""))
            .alias("status"),
            pl.lit("").alias("value_why"),
            *[pl.col(f"{part}_cell").replace(-1, None).cast(pl.Float64).alias(part) for part in PARTS],
            *[pl.col(f"{part}_why").fill_null("") for part in PARTS],
        )
        .with_columns(
            pl.when(pl.col("status") == "").then(pl.col("made")).alias("value"),
            pl.when((pl.col("status") == "c") & is_of_cases)
            .then(pl.col("denominator_why"))
            .otherwise(pl.lit(""))
            .alias("value_why"),
        )
        .drop("made", "hides", "figure", *[f"{part}_cell" for part in PARTS])
    )


def _tenths(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Ten times a quotient of whole numbers, to the nearest whole, halves away from nought."""
    above, below = above.cast(pl.Int64), below.cast(pl.Int64)
    size = (20 * above.abs() + below) // (2 * below)
    return pl.when(below > 0).then(pl.when(above < 0).then(-size).otherwise(size))


def _of_things(figures: pl.DataFrame) -> pl.DataFrame:
    """Feeds, rows, actions: nobody's, so they are shown as they are."""
    return figures.with_columns(
        pl.when(pl.col("status") == "x").then(pl.lit("x")).otherwise(pl.lit("")).alias("status"),
        *[pl.lit("").alias(f"{part}_why") for part in (*PARTS, "value")],
    )


def _of_amounts(figures: pl.DataFrame) -> pl.DataFrame:
    """Hours and sessions, many of one child: hidden where few children have them, else rounded; never divided."""
    is_few = (pl.col("people") >= 1) & (pl.col("people") <= control.SMALL)
    is_whole = (pl.col("geography_type") == "partnership") & (pl.col("breakdown") == "total")
    is_small = pl.any_horizontal(
        pl.col("numerator").is_between(0, control.SMALL, closed="right"),
        (pl.col("denominator") - pl.col("numerator")).is_between(0, control.SMALL, closed="right"),
        pl.col("denominator").is_between(0, control.SMALL, closed="right"),
    )
    is_all_in_one = (pl.col("denominator") > 0) & (
        (pl.col("numerator") == 0) | (pl.col("numerator") == pl.col("denominator"))
    )
    why = (
        pl.when(pl.col("status") == "x")
        .then(pl.lit(""))
        .when(~is_whole)
        .then(pl.lit(control.CLOSED))
        .when(is_few | is_small)
        .then(pl.lit(control.PRIMARY))
        .when(is_all_in_one)
        .then(pl.lit(control.ALL_IN_ONE))
        .otherwise(pl.lit(""))
    )
    five = control.ROUNDED_TO
    reasoned = figures.with_columns(why.alias("numerator_why")).with_columns(
        pl.when(pl.col("numerator_why") == "").then((pl.col(part) / five + 0.5).floor() * five).alias(part)
        for part in PARTS
    )
    return reasoned.with_columns(
        pl.col("numerator_why").alias("denominator_why"),
        pl.lit("").alias("value_why"),
        (_tenths(pl.col("per") * pl.col("numerator"), pl.col("denominator")) / 10).alias("value"),
        pl.when(pl.col("numerator_why") != "")
        .then(pl.lit("c"))
        .when(pl.col("status") == "x")
        .then(pl.lit("x"))
        .otherwise(pl.lit(""))
        .alias("status"),
    )
