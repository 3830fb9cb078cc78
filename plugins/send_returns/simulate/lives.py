"""The lives of a block of the county's children: what happened to them, before any supplier wrote it down."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate import shares
from send_returns.simulate.calendar import latest_censuses
from send_returns.simulate.care import Care, care, home_education
from send_returns.simulate.census import Roll, rolls
from send_returns.simulate.draw import chance, day, stream
from send_returns.simulate.health import Community, Support, community, council_ids, support
from send_returns.simulate.identifiers import upns
from send_returns.simulate.mental_health import MentalHealth, mental_health
from send_returns.simulate.plans import cases
from send_returns.simulate.population import UPN_AUTHORITIES, Calibration, People, people

# So many children with SEND are imagined at a time, whatever the size of the county, so that memory stays flat.
BLOCK_CHILDREN = 36_500
# Between the first number of one block and that of the next, of whatever is numbered.
BLOCK_NUMBERS = 1_000_000
_NUMBERS = ("person", "la_child_id", "local_id", "request", "contact", "row", "ctr")


@dataclass(frozen=True)
class Lives:
    """A block's children. In every frame `person` and the other numbers are those of the whole county; a position in an
    array of `persons` is the person's number less `first` less one.

    `first`: what this block's numbers begin after. `council_ids`: person, la_child_id of every child of whom the
    council has a case file. `temporary`: person, temporary: the UPN that some had before their permanent one.
    `adopted`: before, after: the two persons that a child is.
    """

    first: int
    seed: int
    persons: People
    identity: pl.DataFrame
    plans: pl.DataFrame
    social: Care
    register: pl.DataFrame
    terms: list[Roll]
    community: Community
    mental: MentalHealth
    support: Support
    council_ids: pl.DataFrame
    temporary: pl.DataFrame
    adopted: pl.DataFrame


def sizes(children: int) -> list[int]:
    """How many children with SEND each block of a county has."""
    blocks = -(-children // BLOCK_CHILDREN)
    return [children // blocks + (number < children % blocks) for number in range(blocks)]


def imagine(
    seed: int, block: int, children: int, as_of: date, schools: pl.DataFrame, facts: Calibration, *, faults: bool
) -> Lives:
    """Block number `block` of the county, with `children` children with SEND; the same for the same arguments."""
    if block:
        seed = int(np.random.SeedSequence([seed, block]).generate_state(1, np.uint64)[0])
    first = block * BLOCK_NUMBERS
    persons = people(seed, children, as_of, schools, facts, block)
    plans = cases(seed, persons, schools, as_of, facts, faults=faults)
    social = care(seed, persons, as_of, facts, faults=faults)
    register = home_education(seed, persons, as_of, social.children.select("person", "la_child_id"), faults=faults)
    terms = rolls(seed, persons, schools, plans, latest_censuses(as_of), as_of, facts, faults=faults)
    visits = community(seed, persons, as_of, facts)
    mental = mental_health(seed, persons, social, as_of, facts)
    known = council_ids(seed, plans, social, register)
    helped = support(seed, persons, plans, known, as_of, facts)
    lives = Lives(
        first=first,
        seed=seed,
        persons=persons,
        identity=_numbered(_with_recorded_ethnicity(seed, persons, facts["plans_ethnicity_not_obtained_share"]), first),
        plans=_numbered(plans, first),
        social=Care(*(_numbered(frame, first) for frame in (social.children, social.referrals, social.looked_after))),
        register=_numbered(register, first),
        terms=[
            replace(
                term,
                pupils=_numbered(term.pupils, first),
                needs=_numbered(term.needs, first),
                exclusions=_numbered(term.exclusions, first),
            )
            for term in terms
        ],
        community=Community(*(_numbered(f, first) for f in (visits.patients, visits.referrals, visits.contacts))),
        mental=MentalHealth(*(_numbered(f, first) for f in (mental.patients, mental.referrals, mental.contacts))),
        support=Support(
            *(_numbered(f, first) for f in (helped.advice, helped.notifications, helped.register, helped.reviews,
                                            helped.trace))
        ),
        council_ids=_numbered(known, first),
        temporary=_numbered(_temporary(seed, persons, schools, as_of, UPN_AUTHORITIES[block]), first),
        adopted=pl.DataFrame(schema={"before": pl.Int64, "after": pl.Int64}),
    )  # fmt: skip
    return _with_old_numbers(lives) if faults else lives


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """The frame with its numbers counted on from `first`."""
    return frame.with_columns(pl.col(name) + first for name in _NUMBERS if name in frame.columns)


def _with_old_numbers(of: Lives) -> Lives:
    """The council's numbers of some children begin with a nought."""

    def renumbered(frame: pl.DataFrame) -> pl.DataFrame:
        is_old = pl.Series(chance(of.seed, "old council number", frame["person"].to_numpy()) < shares.OLD_NUMBER)
        old = pl.when(is_old).then(pl.format("0{}", "la_child_id"))
        return frame.with_columns(la_child_id=old.otherwise(pl.col("la_child_id").cast(pl.String)))

    return replace(
        of,
        social=replace(of.social, children=renumbered(of.social.children)),
        register=renumbered(of.register),
        support=replace(of.support, trace=renumbered(of.support.trace)),
        council_ids=renumbered(of.council_ids),
    )


def _with_recorded_ethnicity(seed: int, persons: People, not_obtained: float) -> pl.DataFrame:
    """The SEN team records ethnicity itself, and often has not obtained it."""
    rng = stream(seed, "sen2 ethnicity")
    missing = pl.Series(rng.random(len(persons)) < not_obtained)
    return persons.identity.with_columns(
        sen2_ethnicity=pl.when(missing).then(pl.lit("NOBT")).otherwise(pl.col("ethnicity"))
    )


def _temporary(seed: int, persons: People, schools: pl.DataFrame, as_of: date, authority: int) -> pl.DataFrame:
    """person, temporary: the UPN a school gave to a third of the pupils who came from elsewhere within the year."""
    rng = stream(seed, "temporary upns")
    new = (persons.roll_from > day(as_of) - 330) & (persons.age > 4) & (rng.random(len(persons)) < 0.35)
    chosen = np.flatnonzero(new)
    estab = schools["estab"].to_numpy()[persons.school(as_of, as_of)[chosen]]
    numbers = upns(authority, estab, np.full(len(chosen), as_of.year), np.arange(len(chosen)) % 2300, temporary=True)
    return pl.DataFrame({"person": chosen + 1, "temporary": numbers})
