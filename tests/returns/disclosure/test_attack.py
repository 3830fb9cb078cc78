"""The attack on what disclosure control lets out: nothing is recovered; and on less, so that the attack is no dud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from send_returns.bench.attack import Attack, Learnt, primary_only
from send_returns.bench.disclosure import disclosure_figures
from send_returns.returns.disclosure import Figures, protect_figures
from send_returns.returns.disclosure.cells import KEYS
from send_returns.returns.disclosure.protect import (
    ALL_IN_ONE,
    CLOSED,
    KEPT,
    PRIMARY,
    SECONDARY,
    WITHHELD,
)

YEAR = 2025
SAME = {"B.denominator": "A.denominator", "C.denominator": "A.denominator"}
BANDS, SERVICES = ("0-18", "18-52", "over 52"), ("speech", "autism", "physio")


@dataclass
class People:
    """A row per case: month, district, sex, need, and what became of it."""

    frame: pl.DataFrame

    @classmethod
    def draw(cls, seed: int, count: int) -> "People":
        random = np.random.default_rng(seed)
        return cls(
            pl.DataFrame(
                {
                    "month": random.integers(1, 13, count),
                    "geography": random.choice(
                        [f"E{n}" for n in range(6)], count, p=[0.3, 0.25, 0.2, 0.15, 0.07, 0.03]
                    ),
                    "sex": random.choice(["F", "M", "U"], count, p=[0.3, 0.68, 0.02]),
                    "need": random.choice(["ASD", "HI", "MLD", "SEMH", "SLCN"], count, p=[0.4, 0.04, 0.2, 0.2, 0.16]),
                    "late": random.random(count) < 0.25,
                    "very_late": random.random(count) < 0.3,
                    "band": random.choice(BANDS, count, p=[0.7, 0.2, 0.1]),
                    "service": random.choice(SERVICES, count),
                    "provider": random.choice(["R1", "R2"], count, p=[0.8, 0.2]),
                }
            ).with_columns((pl.col("late") & pl.col("very_late")).alias("very_late"))
        )

    def corrected(self, seed: int, how_many: int) -> "People":
        """Some cases turn out to have been late, or of another district; a few are new."""
        random = np.random.default_rng(seed)
        which = np.zeros(self.frame.height, bool)
        which[random.choice(self.frame.height, how_many, replace=False)] = True
        changed = self.frame.with_columns(
            pl.when(pl.Series(which)).then(~pl.col("late")).otherwise(pl.col("late")).alias("late"),
            pl.when(pl.Series(which)).then(pl.lit("E1")).otherwise(pl.col("geography")).alias("geography"),
        ).with_columns(pl.col("very_late") & pl.col("late"))
        return People(pl.concat([changed, self.frame.filter(pl.Series(which)).head(3)]))

    def figures(self) -> pl.DataFrame:
        """Three shares of the same cases by month, quarter and year, and of the year by district, sex and need."""
        rows = []
        year = (date(YEAR, 1, 1), date(YEAR, 12, 31))
        spans = [("calendar_year", *year)]
        spans += [("quarter", date(YEAR, 3 * q + 1, 1), _end(3 * q + 3)) for q in range(4)]
        spans += [("month", date(YEAR, m + 1, 1), _end(m + 1)) for m in range(12)]
        for kind, start, end in spans:
            rows.append(
                (
                    kind,
                    start,
                    end,
                    "all",
                    "total",
                    "total",
                    self.frame.filter(pl.col("month").is_between(start.month, end.month)),
                )
            )
        for dimension in ("geography", "sex", "need"):
            for value in self.frame[dimension].unique().sort():
                of = self.frame.filter(pl.col(dimension) == value)
                place = (value, "total", "total") if dimension == "geography" else ("all", dimension, value)
                rows.append(("calendar_year", *year, *place, of))
        measures = {"A": ~pl.col("late"), "B": pl.col("late"), "C": pl.col("very_late")}
        return pl.DataFrame(
            [
                _figure(
                    "statistics",
                    measure,
                    "share",
                    kind,
                    start,
                    end,
                    geography,
                    breakdown,
                    value,
                    of.filter(is_it).height,
                    of.height,
                )
                for kind, start, end, geography, breakdown, value, of in rows
                for measure, is_it in measures.items()
            ],
            infer_schema_length=None,
        )

    def waits(self) -> pl.DataFrame:
        """The same cases by service and band, beside districts or providers: a return of its own."""
        rows = []
        day = date(YEAR, 12, 31)
        for service in (*SERVICES, "total"):
            for band in (*BANDS, "total"):
                of = self.frame.filter(
                    (pl.col("service") == service) | (service == "total"), (pl.col("band") == band) | (band == "total")
                )
                places = [("all", "total", of), *[("all", p, of.filter(provider=p)) for p in ("R1", "R2")]]
                places += [(f"E{n}", "total", of.filter(geography=f"E{n}")) for n in range(6)]
                rows += [
                    _figure(
                        "waits",
                        "A",
                        "count",
                        "calendar_year",
                        date(YEAR, 1, 1),
                        day,
                        geography,
                        "service | band | provider",
                        f"{service} | {band} | {provider}",
                        part.height,
                        None,
                    )
                    for geography, provider, part in places
                ]
        return pl.DataFrame(rows, infer_schema_length=None, schema_overrides={"denominator": pl.Int64})


def _end(month: int) -> date:
    return date(YEAR + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _figure(
    table: str, measure: str, statistic: str, kind: str, start: date, end: date, geography: str, breakdown: str,
    value: str, above: int, below: int | None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "return_table": table,
        "measure": "waiting" if table == "waits" else measure,
        "indicator_code": measure,
        "statistic": statistic,
        "period_kind": kind,
        "period_from_on": start,
        "period_to_on": end,
        "geography_type": "partnership" if geography == "all" else "district",
        "geography_code": geography,
        "breakdown": breakdown,
        "breakdown_value": value,
        "numerator": above,
        "denominator": below,
        "value": None if below is None else 100.0 * above / below if below else None,
        "status": "ok",
    }


def stacked(people: People) -> pl.DataFrame:
    """Two returns with the same margins."""
    return pl.concat([people.figures(), people.waits()], how="vertical_relaxed")


HIDDEN = [*KEYS, "part"]
REASONS = (PRIMARY, ALL_IN_ONE, SECONDARY, KEPT, CLOSED)
WAITS = SAME | {"waiting.numerator": "A.denominator"}


def test_the_attack_learns_from_small_counts_alone_hidden_and_nothing_from_what_is_let_out() -> None:
    found = disclosure_figures(stacked(People.draw(1, 150)))
    assert found["small_counts"] > 100
    for name in ("", "naive_"):
        assert (found[f"{name}recovered"], found[f"{name}narrower"]) == (0, 0)
    for name in ("baseline_", "unrounded_baseline_"):
        assert 0 < found[f"{name}recovered"] < found[f"{name}narrower"]
    assert 0.2 < found["suppressed"] < 0.9
    assert found["cells"] > found["small_counts"]
    assert found["programmes"] > 0
    assert found["seconds"] > 0


# In the first nobody lives in one of the districts, which one table says and the other leaves out.
@pytest.mark.parametrize(("seed", "count"), [(12, 80), (3, 500)])
def test_nothing_is_recovered_from_all_tables_of_a_release(seed: int, count: int) -> None:
    exact = stacked(People.draw(seed, count))
    figures = protect_figures(exact)
    learnt = Attack([figures.frame], [exact], WAITS).run()
    assert learnt.attacked > 30
    assert (learnt.recovered, learnt.narrow) == (0, 0)
    naive = Attack([figures.frame], [exact], WAITS, is_naive=True).run()
    assert (naive.recovered, naive.narrow) == (0, 0)
    assert figures.frame.filter(pl.col("numerator") > 0).height > 10


@pytest.mark.parametrize(("seed", "count"), [(1, 150), (4, 700)])
def test_nothing_is_recovered_where_totals_are_exact(seed: int, count: int) -> None:
    exact = stacked(People.draw(seed, count))
    figures = protect_figures(exact, policy="exact_totals")
    learnt = Attack([figures.frame], [exact], WAITS, is_exact=True).run()
    assert learnt.attacked > 30
    assert (learnt.recovered, learnt.narrow) == (0, 0)
    assert figures.frame.filter(pl.col("numerator") > 0).height > 10


def test_a_month_without_a_row_is_known_to_be_empty() -> None:
    people = People(People.draw(9, 200).frame.filter(pl.col("month") % 3 != 0))
    exact = people.figures().filter((pl.col("denominator") > 0) & (pl.col("geography_code") == "all"))
    exact = exact.filter(pl.col("breakdown") == "total")
    assert exact.filter(pl.col("period_kind") == "month").height == 3 * 8
    learnt = Attack([protect_figures(exact).frame], [exact], SAME).run()
    assert learnt.attacked > 30
    assert (learnt.recovered, learnt.narrow) == (0, 0)


def test_nothing_is_recovered_in_whole_numbers() -> None:
    exact = People.draw(5, 80).figures()
    learnt = Attack([protect_figures(exact).frame], [exact], SAME).run(in_whole_numbers=True)
    assert learnt.attacked > 30
    assert (learnt.recovered, learnt.narrow) == (0, 0)
    poor = Attack([primary_only(exact, rounded=True)], [exact], SAME).run(in_whole_numbers=True, most_targets=20)
    assert poor.narrow > 0


def _split(parts: Mapping[str, int]) -> pl.DataFrame:
    """The cases of a year by sex."""
    year = ("calendar_year", date(YEAR, 1, 1), date(YEAR, 12, 31), "all")
    return pl.DataFrame(
        [
            _figure("statistics", "A", "count", *year, breakdown, value, count, None)
            for breakdown, value, count in [
                ("total", "total", sum(parts.values())),
                *[("sex", sex, count) for sex, count in parts.items()],
            ]
        ],
        schema_overrides={"denominator": pl.Int64},
    )


def test_a_release_is_protected_beside_the_one_before() -> None:
    """By itself each hides another count beside the small one, and both together give it away."""
    exact = [_split(parts) for parts in ({"F": 7, "M": 8, "U": 3}, {"F": 9, "M": 8, "U": 3})]
    first = protect_figures(exact[0])

    def learnt(prior: Sequence[Figures]) -> Learnt:
        second = protect_figures(exact[1], prior)
        assert second.frame["numerator"].drop_nulls().len() == 2
        return Attack([first.frame, second.frame], exact).run()

    assert learnt([]).narrow > 0
    beside = learnt([first])
    assert (beside.recovered, beside.narrow) == (0, 0)


def hidden_for(figures: Figures, *reasons: str) -> pl.DataFrame:
    """Counts hidden for one of some reasons: KEYS and part."""
    return figures.hidden.filter(pl.col("why").is_in(reasons)).drop("why")


def test_nothing_is_recovered_from_releases_one_after_another() -> None:
    """A correction that shows too much beside what it corrects goes out without some of what was shown before."""
    people = People.draw(2, 120)
    exact = [one.figures() for one in (people, people.corrected(2, 4))]
    first = protect_figures(exact[0])
    second = protect_figures(exact[1], [first])
    withheld = hidden_for(second, WITHHELD)
    was_shown = withheld.filter(pl.col("part") != "value").join(hidden_for(first, *REASONS), on=HIDDEN, how="anti")
    assert was_shown.height > 5
    assert second.frame.filter(pl.col("numerator") > 0).height > 10
    learnt = Attack([first.frame, second.frame], exact, SAME).run()
    assert learnt.attacked > 100
    assert (learnt.recovered, learnt.narrow) == (0, 0)
    # Who guesses what has changed unseen gets nearer where the first release is left out of account, and only there.
    guessed = Attack([first.frame, second.frame], exact, SAME, guesses=True).run()
    assert (guessed.recovered, guessed.narrow) == (0, 0)
    alone = protect_figures(exact[1])
    assert Attack([first.frame, alone.frame], exact, SAME, guesses=True).run().narrow > 0
    # What was hidden is hidden still.
    assert hidden_for(first, *REASONS).join(hidden_for(second, *REASONS), on=HIDDEN, how="anti").height == 0
    poor = Attack([primary_only(one, rounded=True) for one in exact], exact, SAME).run(most_targets=20)
    assert poor.narrow > 0
    # What said nothing holds nothing back: the same figures once more are what they would have been without it.
    third = protect_figures(exact[0], [first, second])
    assert third.frame.equals(first.frame)
