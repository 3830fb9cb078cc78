"""The reference feeds of the county: which district each postcode is in, how many people live there, who answers."""

from datetime import date
from typing import Final

import polars as pl

from send_returns.simulate.establishments import DISTRICTS
from send_returns.simulate.text import ISO, Table

COUNTY: Final = "E10000015"
DISTRICT_CODES: Final = {
    "Broxbourne": "E07000095", "Dacorum": "E07000096", "East Hertfordshire": "E07000242", "Hertsmere": "E07000098",
    "North Hertfordshire": "E07000099", "St Albans": "E07000240", "Stevenage": "E07000243",
    "Three Rivers": "E07000102", "Watford": "E07000103", "Welwyn Hatfield": "E07000241",
}  # fmt: skip
# The board that took over on this day is known, its codes are not: ours are invented, and no board has them.
NEW_BOARD_ON: Final = date(2026, 4, 1)
BOARDS: Final = {
    "old": ("QM7", "E54000025", "NHS Hertfordshire and West Essex Integrated Care Board"),
    "new": ("QZ9", "E54000999", "NHS Central East Integrated Care Board"),
}
# Below the board: sub-ICB locations, and the trusts that send the health feeds.
_BELOW_BOARD = [
    ("06K", "East and North Hertfordshire", "sub_icb_location"),
    ("06N", "Herts Valleys", "sub_icb_location"),
    ("RWG", "West Hertfordshire Teaching Hospitals NHS Trust", "nhs_trust"),
    ("RWH", "East and North Hertfordshire Teaching NHS Trust", "nhs_trust"),
    ("RWR", "Hertfordshire Partnership University NHS Foundation Trust", "nhs_trust"),
    ("RY4", "Hertfordshire Community NHS Trust", "nhs_trust"),
]
_FIRST_DAY = date(2022, 7, 1)  # integrated care boards began
_COUNTY_SINCE = date(1974, 4, 1)
# Small areas are numbered above any that there are.
_FIRST_AREA = 900_001
# The share of children of school age whom the county's feeds can tell of; the others are in independent schools.
_KNOWN_SHARE = 0.97
_SCHOOL_AGES = range(5, 16)


def reference_feeds(identity: pl.DataFrame, places: pl.DataFrame, as_of: date) -> list[Table]:
    """The latest postcode directory, population estimates and list of organisations that there were on `as_of`.

    `identity`: everyone's postcode, born and sex; `places`: with the postcode of every school, and of every home that
    is said to be someone's. Every postcode of either is in the directory.
    """
    return [_postcodes(identity, places, as_of), _population(identity, as_of), _organisations(as_of)]


def _district(postcode: pl.Expr) -> pl.Expr:
    """The district that a postcode is in, by the first half of the postcode."""
    of = {outward: name for name, (_, outwards) in DISTRICTS.items() for outward in outwards}
    return postcode.str.split(" ").list.first().replace_strict(of, return_dtype=pl.String)


def _postcodes(identity: pl.DataFrame, places: pl.DataFrame, as_of: date) -> Table:
    published = max(
        day
        for year in (as_of.year - 1, as_of.year)
        for month in (2, 5, 8, 11)
        if (day := date(year, month, 1)) <= as_of
    )
    board = BOARDS["new" if published >= NEW_BOARD_ON else "old"][1]
    known = pl.concat([identity.select("postcode"), places.select("postcode")]).unique().sort("postcode")
    # A sector, AL1 3 of AL1 3XY, is a small area.
    frame = known.select(
        pcds="postcode",
        dointr=pl.lit("198001"),
        doterm=pl.lit(None, pl.String),
        oscty=pl.lit(COUNTY),
        oslaua=_district(pl.col("postcode")).replace_strict(DISTRICT_CODES),
        lsoa21=pl.format("E01{}", pl.col("postcode").str.slice(0, pl.col("postcode").str.len_chars() - 2).rank("dense")
                         + _FIRST_AREA - 1),
        icb=pl.lit(board),
    )  # fmt: skip
    name = f"ONSPD_{published:%Y-%m}"
    return Table("postcode_lookup", f"reference/postcode_lookup/{name}/{name}.csv", "postcode", frame)


def _population(identity: pl.DataFrame, as_of: date) -> Table:
    """Estimates for a 30 June come out by the next August. No cell is below the people of the county's own feeds."""
    year = as_of.year - (1 if as_of >= date(as_of.year, 8, 1) else 2)
    middle = date(year, 6, 30)
    birthday_to_come = (pl.col("born").dt.month() > middle.month).cast(pl.Int64)
    lives = (
        identity.filter(pl.col("born") <= middle)
        .select("sex", laname=_district(pl.col("postcode")), age=year - pl.col("born").dt.year() - birthday_to_come)
        .group_by("laname", "sex", "age")
        .agg(living=pl.len())
    )
    pupils = int(lives.filter(pl.col("age").is_in(_SCHOOL_AGES))["living"].sum())
    cohort = pupils / len(_SCHOOL_AGES) / _KNOWN_SHARE
    shares = sum(share for share, _ in DISTRICTS.values())
    cells = pl.DataFrame(
        [
            (DISTRICT_CODES[name], name, sex, age, round(cohort * _of_a_cohort(age) * share / shares * half))
            for name, (share, _) in sorted(DISTRICTS.items())
            for sex, half in (("F", 0.488), ("M", 0.512))
            for age in range(91)
        ],
        schema=["ladcode", "laname", "sex", "age", "estimate"],
        orient="row",
    )
    frame = cells.join(lives, on=["laname", "sex", "age"], how="left", maintain_order="left").select(
        pl.col("ladcode", "laname", "sex").cast(pl.String),
        pl.col("age").cast(pl.String),
        pl.max_horizontal("estimate", "living").cast(pl.String).alias(f"population_{year}"),
    )
    name = f"mid_year_estimates_{year}"
    return Table("population", f"reference/population/{name}/{name}.csv", "population", frame)


def _of_a_cohort(age: int) -> float:
    """How many people of an age there are to one child of school age; 90 stands for all who are older."""
    if age < 5:
        return 0.88
    if 18 <= age < 26:  # many study elsewhere
        return 0.82
    if age < 65:
        return 1.0
    return max(1.0 - (age - 65) * 0.042, 0.15) if age < 90 else 0.75


def _organisations(as_of: date) -> Table:
    before = date(2026, 3, 31)
    rows: list[tuple[str, str, str, str | None, date, date | None]] = [
        (COUNTY, "Hertfordshire County Council", "council", None, _COUNTY_SINCE, None),
        *((code, name, "district", COUNTY, _COUNTY_SINCE, None) for name, code in DISTRICT_CODES.items()),
    ]
    for which, opened, closed in (("old", _FIRST_DAY, before), ("new", NEW_BOARD_ON, None)):
        code, _, name = BOARDS[which]
        rows.append((code, name, "icb", None, opened, closed))
        rows += [(below, called, role, code, opened, closed) for below, called, role in _BELOW_BOARD]
    known = pl.DataFrame(rows, schema=["code", "name", "role", "parent", "open_on", "close_on"], orient="row")
    # A list knows no more than its day: what opened later is not in it, and what closed later is open.
    frame = (
        known.filter(pl.col("open_on") <= as_of)
        .with_columns(close_on=pl.when(pl.col("close_on") < as_of).then("close_on"))
        .sort("code", "open_on")
        .with_columns(pl.col("open_on", "close_on").dt.strftime(ISO))
    )
    name = f"organisations_{as_of}"
    return Table("organisations", f"reference/organisations/{name}/{name}.csv", "organisation", frame)
