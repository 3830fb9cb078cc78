"""The indicators of a built county against what the county itself says."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import polars as pl
import pytest

from send_returns.bench.truth import compared, of_mart, of_simulation
from send_returns.settings import Settings
from send_returns.warehouse import connect

# What no life tells: when a feed came and which rows were refused. The models' own unit tests hold these two.
NOT_OF_THE_COUNTY = ("G01", "G02")


class County(Protocol):
    settings: Settings
    truth: Path

    def indicators(self) -> dict[str, dict[str, str]]: ...


@pytest.fixture(scope="module")
def headlines(county: County) -> dict[str, dict[str, object]]:
    with connect(county.settings) as connection:
        cursor = connection.execute("select * from candidate_marts.mart_indicator where is_headline")
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert len({row["measure"] for row in rows}) == len(rows)
    return {row["measure"]: row for row in rows}


# With the mess that suppliers send by accident, a number of cases may differ from the truth by so many, by such a share
# of itself, or by such a share of what it is divided by: fields left empty (one review in twelve does not say whether
# the child took part, one exclusion in twenty not what provision the child had) cannot be counted; six rows in a
# hundred thousand are in quarantine; a few records are linked to nobody or to another child.
CASES, SHARE, SHARE_BELOW = 3, 0.1, 0.01

GROUPS = ("sex", "ethnicity_group", "primary_need", "phase", "is_looked_after", "placement_type")


def number(text: object) -> float | None:
    return None if text in (None, "") else float(str(text))


def test_every_indicator_has_a_definition_and_every_measure_a_truth(county: County) -> None:
    with connect(county.settings) as connection:
        undefined = connection.execute(
            "select measure from candidate_reference.indicator_measures"
            " left join candidate_reference.indicators using (indicator_code) where definition is null"
        ).fetchall()
        measured = {
            measure for (measure,) in connection.execute("select measure from candidate_reference.indicator_measures")
        }
        defined = connection.execute("select count(*) from candidate_reference.indicators").fetchone()
    assert undefined == []
    assert defined == (88,)
    assert measured == set(county.indicators())


def test_every_measure_has_its_headline_and_is_what_the_county_says(
    county: County, headlines: dict[str, dict[str, object]]
) -> None:
    truth = county.indicators()
    assert set(headlines) == set(truth)
    wrong = {}
    for measure, row in truth.items():
        found = headlines[measure]
        said = {
            "period": (row["period_from"], row["period_to"]),
            "status": row["status"],
            "value": number(row["value"]),
        }
        has = {
            "period": (str(found["period_from_on"]), str(found["period_to_on"])),
            "status": found["status"],
            "value": number(found["value"]),
        }
        if row["status"] == "ok":
            said |= {"numerator": number(row["numerator"]), "denominator": number(row["denominator"])}
            has |= {"numerator": number(found["numerator"]), "denominator": number(found["denominator"])}
        if said != has and measure not in NOT_OF_THE_COUNTY:
            wrong[measure] = (said, has)
    assert wrong == {}


def test_the_bench_tells_a_measure_that_is_not_the_truth(county: County) -> None:
    said, found = of_simulation(county.truth), of_mart(county.settings)
    told = compared(said, found)
    assert told["exact"] == told["measures"] == len(said) - 2
    assert told["furthest"] is None
    start, end, status, above, below, value = said["EHC02"]
    told = compared(said | {"EHC02": (start, end, status, (above or 0) + 5, below, value)}, found)
    assert (told["exact"], told["furthest"]) == (told["measures"] - 1, "EHC02")


def test_realistic_mess_moves_a_number_no_further_than_what_cannot_be_read(
    new_county: Callable[[str], AbstractContextManager[County]],
) -> None:
    with new_county("realistic") as messy:
        truth = messy.indicators()
        with connect(messy.settings) as connection:
            rows = connection.execute(
                "select measure, numerator::float, denominator::float, status from candidate_marts.mart_indicator"
                " where is_headline"
            ).fetchall()
    assert {measure for measure, *_ in rows} == set(truth)
    moved, further = 0, {}
    for measure, above, below, status in rows:
        # H08 is made of medians, not of numbers of cases.
        if measure in (*NOT_OF_THE_COUNTY, "H08"):
            continue
        said = [number(truth[measure][name]) for name in ("numerator", "denominator")]
        if truth[measure]["status"] != status:
            further[measure] = (truth[measure]["status"], status)
        if status != "ok":
            continue
        moved += said != [above, below]
        for wanted, found in zip(said, (above, below), strict=True):
            room = max(CASES, SHARE * (wanted or 0), SHARE_BELOW * (said[1] or 0))
            if (wanted is None) != (found is None) or abs((wanted or 0) - (found or 0)) > room:
                further[measure] = (said, (above, below))
    assert further == {}
    # Else this held nothing.
    assert moved >= 10


@pytest.mark.parametrize(
    ("measure", "rolling", "whole"),
    [("EHC01", "rolling_12_months", "calendar_year"), ("H01", "rolling_3_months", "quarter")],
)
def test_rolling_months_that_end_with_a_year_or_quarter_are_it(
    county: County, measure: str, rolling: str, whole: str
) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select rolling.numerator, rolling.denominator, rolling.value,"
            " whole.numerator, whole.denominator, whole.value"
            " from candidate_marts.mart_indicator as rolling join candidate_marts.mart_indicator as whole using"
            " (measure, period_to_on, geography_type, geography_code, breakdown, breakdown_value) where measure = %s"
            " and rolling.period_kind = %s and whole.period_kind = %s and breakdown = 'total'",
            [measure, rolling, whole],
        ).fetchall()
        ((months,),) = connection.execute(
            "select count(*) from candidate_marts.mart_indicator where measure = %s and period_kind = %s"
            " and geography_type = 'partnership' and breakdown = 'total' and value is not null",
            [measure, rolling],
        ).fetchall()
    assert len(rows) > 3
    assert all(row[:3] == row[3:] for row in rows)
    assert months > 12


def test_who_is_taken_out_of_school_is_of_a_term_as_of_its_months(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select measure, term.numerator, term.denominator, sum(month.numerator), sum(month.denominator)"
            " from candidate_marts.mart_indicator as term join candidate_marts.mart_indicator as month"
            " using (measure, geography_type, geography_code, breakdown) where measure in ('E02', 'E03')"
            " and term.period_kind = 'term' and month.period_kind = 'month' and breakdown = 'total'"
            " and geography_type = 'partnership' and to_char(term.period_from_on, 'MM-DD') = '08-01'"
            " and month.period_from_on between term.period_from_on and term.period_to_on group by 1, 2, 3"
        ).fetchall()
    assert {row[0] for row in rows} == {"E02", "E03"}
    assert all(row[1:3] == row[3:] for row in rows)


def test_home_education_with_a_plan_is_counted_at_the_end_of_each_term(county: County) -> None:
    with connect(county.settings) as connection:
        rows = connection.execute(
            "select numerator, denominator, (select count(distinct entry.person_id)"
            " from candidate_intermediate.int_home_education__entered as entry"
            " join candidate_intermediate.int_plan__dated as version using (person_id)"
            " where period_to_on >= entry.started_on and (entry.ended_on is null or entry.ended_on > period_to_on)"
            " and period_to_on >= version.started_on and (version.ended_on is null or version.ended_on > period_to_on))"
            " from candidate_marts.mart_indicator where measure = 'E01' and period_kind = 'term'"
            " and geography_type = 'partnership' and breakdown = 'total'"
        ).fetchall()
    assert len(rows) > 1
    assert all(0 < above == again < below for above, below, again in rows)


def frame(settings: Settings, query: str) -> pl.DataFrame:
    with connect(settings) as connection:
        cursor = connection.execute(query)
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        return pl.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)


def test_every_part_of_a_headline_is_what_its_cases_make(county: County) -> None:
    """Counted a second time from the cases, outside the database: each group, provider and district."""
    wanted = frame(
        county.settings,
        "select measure, geography_type, geography_code, breakdown, breakdown_value, numerator::float as above,"
        " denominator::float as below from candidate_marts.mart_indicator"
        " join candidate_reference.indicator_measures using (measure)"
        " where period_kind = headline_period and statistic in ('share', 'rate', 'count')"
        " and (period_kind, period_to_on) in ("
        "   select period_kind, period_to_on from candidate_intermediate.int_period where is_headline)"
        " and status = 'ok'",
    )
    cases = frame(
        county.settings,
        "select measure, child_key is not null as of_child, district_code, provider, sex, ethnicity_group,"
        " primary_need, phase, is_looked_after::text, placement_type, numerator::float as above,"
        " denominator::float as below from candidate_marts.fct_indicator_case as indicator_case"
        " join candidate_reference.indicator_measures as measure using (measure)"
        " join candidate_intermediate.int_period as period on period.period_kind = measure.headline_period"
        " and is_headline and counted_on between period_from_on and period_to_on"
        " where coalesce(indicator_case.period_kind, measure.headline_period) = measure.headline_period"
        " and statistic in ('share', 'rate', 'count')",
    )
    everywhere = pl.lit("partnership").alias("geography_type"), pl.lit("hertfordshire").alias("geography_code")
    home = (
        pl.lit("district").alias("geography_type"),
        pl.col("district_code").fill_null("not recorded").alias("geography_code"),
    )
    total = pl.lit("total").alias("breakdown"), pl.lit("total").alias("breakdown_value")
    children = cases.filter("of_child")
    parts = [(cases, everywhere, total), (children, home, total)]
    supplied = pl.lit("provider").alias("breakdown"), pl.col("provider").alias("breakdown_value")
    parts.append((cases.filter(pl.col("provider").is_not_null()), everywhere, supplied))
    for group in GROUPS:
        said = pl.lit(group).alias("breakdown"), pl.col(group).fill_null("not recorded").alias("breakdown_value")
        parts += [(children, everywhere, said), (children, home, said)]
    key = ["measure", "geography_type", "geography_code", "breakdown", "breakdown_value"]
    made = pl.concat(
        of.select("measure", *place, *part, "above", "below")
        .group_by(key)
        .agg(
            pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
            for name in ("above", "below")
        )
        for of, place, part in parts
    )
    compared = wanted.join(made, on=key, how="left")
    differing = compared.filter(
        ~pl.col("above").eq_missing(pl.col("above_right")) | ~pl.col("below").eq_missing(pl.col("below_right"))
    )
    assert differing.height == 0
    assert compared.height > 2000
    assert set(compared["breakdown"]) == {"total", "provider", *GROUPS}
    # What has a value above and below the line is in the mart.
    lost = made.filter(pl.col("below") > 0, pl.col("above").is_not_null()).join(wanted, on=key, how="anti")
    assert lost.height == 0
