"""Adopted children: to the law two persons each, before and after, whom no register joins.

They are on no list, and in no feed but the school census: as who they were in those before the last, and in the last as
who they are.
"""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from send_returns.simulate import shares
from send_returns.simulate.census import Roll
from send_returns.simulate.council import Council
from send_returns.simulate.draw import by_group, chance, stream
from send_returns.simulate.establishments import DISTRICTS
from send_returns.simulate.identifiers import nhs_numbers, postcodes, upns
from send_returns.simulate.lives import BLOCK_NUMBERS, Lives
from send_returns.simulate.names import forenames, surnames
from send_returns.simulate.population import UPN_AUTHORITIES
from send_returns.simulate.text import PERSON

_OLDEST_YEAR = 6  # of the national curriculum
_LAST_SERIAL = 999  # of the UPNs of a school and year, far above those of its pupils
_AT_NEW_SCHOOL = timedelta(days=28)  # by the census


def with_adoptions(of: Lives, served: Council, schools: pl.DataFrame) -> Lives:
    """The lives, of which some go on under another name. `served`: what the council did for the children."""
    rng = stream(of.seed, "adoptions")
    last = of.terms[-1]
    chosen = _chosen(of, served)
    of_year = [np.flatnonzero(last.pupils["year"] == year) for year in range(_OLDEST_YEAR + 1)]
    peers = by_group(rng, chosen["year"].to_numpy(), of_year, np.ones(len(last.pupils)))
    moves = pl.DataFrame(
        {
            "before": chosen[PERSON],
            "after": of.first + len(of.identity) + 1 + np.arange(len(chosen)),
            "new_urn": last.pupils["urn"].gather(peers),
        }
    )
    at_school = moves.join(schools.select("estab", new_urn="urn"), on="new_urn", maintain_order="left")
    return replace(
        of,
        identity=pl.concat([of.identity, _adopted(rng, of, at_school)]),
        terms=[*of.terms[:-1], _moved(last, moves)],
        adopted=moves.select("before", "after"),
    )


def _chosen(of: Lives, served: Council) -> pl.DataFrame:
    """person and year of pupils whose lives are so plain that nothing but two censuses tells of them."""
    rows = pl.concat(
        term.pupils.select(PERSON, "status", "provision", "year", term=pl.lit(number))
        for number, term in enumerate(of.terms)
    )
    elsewhere = pl.concat(frame.select(PERSON) for frame in _frames(of, served) if PERSON in frame.columns).unique()
    plain = (
        rows.group_by(PERSON)
        .agg(
            pl.col("year").max(),
            is_plain=((pl.col("status") == "C") & (pl.col("provision") == "N")).all()
            & ~pl.col("term").is_duplicated().any(),
            moves_on=(pl.col("term").max() == len(of.terms) - 1) & (pl.len() > 1),
        )
        .filter("is_plain", "moves_on", pl.col("year").is_between(0, _OLDEST_YEAR))
        .join(elsewhere, on=PERSON, how="anti")
    )
    drawn = pl.Series("drawn", chance(of.seed, "adopted", plain[PERSON].to_numpy()))
    count = max(round(len(plain) * shares.ADOPTED), shares.FEWEST_ADOPTED)
    return plain.with_columns(drawn).sort("drawn").head(count).select(PERSON, "year").sort(PERSON)


def _frames(of: Lives, served: Council) -> list[pl.DataFrame]:
    """What is told of children but by a school's roll."""
    held: list[Any] = [of.social, of.community, of.mental, of.support, served.work, served.disputes, served.provision]
    told = [getattr(holder, field.name) for holder in held for field in fields(holder)]
    frames = [frame for frame in told if isinstance(frame, pl.DataFrame)]
    return [*frames, of.plans, of.register, of.council_ids, of.temporary, *(term.exclusions for term in of.terms)]


def _adopted(rng: np.random.Generator, of: Lives, moves: pl.DataFrame) -> pl.DataFrame:
    """Who they are now, as `identity` has it."""
    size = len(moves)
    before = of.identity[moves["before"].to_numpy() - of.first - 1]
    block = of.first // BLOCK_NUMBERS
    this_year = np.full(size, of.terms[-1].census.year)
    serial = _LAST_SERIAL - np.arange(size)
    outward = [code for _, codes in DISTRICTS.values() for code in codes]
    spare = nhs_numbers(rng, len(of.identity) + size, block)
    given = forenames(rng, (before["sex"] == "M").to_numpy())
    family, another = surnames(rng, size), surnames(rng, size)
    return before.with_columns(
        moves["after"].alias(PERSON),
        upns(UPN_AUTHORITIES[block], moves["estab"].to_numpy(), this_year, serial).alias("upn"),
        spare.filter(~spare.is_in(of.identity["nhs_number"].implode())).head(size).alias("nhs_number"),
        family.zip_with(family != before["surname"], another).alias("surname"),
        before["forename"].zip_with(pl.Series(rng.random(size) < shares.FORENAME_KEPT), given).alias("forename"),
        postcodes(rng, pl.Series(outward).gather(rng.integers(0, len(outward), size))).alias("postcode"),
    )


def _moved(roll: Roll, moves: pl.DataFrame) -> Roll:
    """The roll on which they are who they are now, at the school to which they have come."""
    is_new = pl.col("after").is_not_null()
    entered = roll.census.day - _AT_NEW_SCHOOL
    pupils = roll.pupils.join(moves, left_on=PERSON, right_on="before", how="left", maintain_order="left").with_columns(
        pl.coalesce("after", PERSON).alias(PERSON),
        pl.coalesce("new_urn", "urn").alias("urn"),
        entered=pl.when(is_new).then(entered).otherwise("entered"),
        premium=is_new | pl.col("premium"),
        **{name: pl.when(~is_new).then(name) for name in ("possible", "authorised", "unauthorised")},
    )
    return replace(roll, pupils=pupils.select(roll.pupils.columns))
