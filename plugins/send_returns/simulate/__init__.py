"""A synthetic partnership: every feed in its supplier's own file format, and the truth to test a pipeline against."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from send_returns.simulate import health_feeds, hostile, lives, text
from send_returns.simulate.adoption import with_adoptions
from send_returns.simulate.council import Council, council
from send_returns.simulate.council_feeds import council_feeds
from send_returns.simulate.draw import stream
from send_returns.simulate.establishments import establishments
from send_returns.simulate.identity_mess import aliases, misidentified
from send_returns.simulate.indicators_council import people_under_26
from send_returns.simulate.lives import Lives
from send_returns.simulate.mess import LEVELS, temporary_upns, untidied
from send_returns.simulate.population import calibration
from send_returns.simulate.reference_feeds import reference_feeds
from send_returns.simulate.text import PERSON, Table
from send_returns.simulate.truth import Truth
from send_returns.simulate.writing import Inbox

__all__ = ["MOST_CHILDREN", "simulate"]

MOST_CHILDREN = 365_000  # a block for each authority whose number is in the UPNs


def simulate(
    out: Path,
    *,
    children: int,
    seed: int,
    as_of: date,
    mess: str = "realistic",
    progress: Callable[[str], object] | None = None,
    sen2_format: str = "xml",
) -> dict[str, int]:
    """Write `out/inbox` (what suppliers deliver by `as_of`) and `out/truth` (what should come of it).

    `children`: how many have SEND (a plan, SEN support, or are being assessed); the county of Hertfordshire has 36,500,
    and the other pupils scale with them; up to ten such counties. `mess`: none, realistic or hostile: this puts whole
    hostile deliveries beside the good ones. `sen2_format`: xml, or csv for the nine COLLECT tables. The same arguments
    give the same bytes. `progress` is called with what is being done.

    Returns rows per table, by `organisation/feed/delivery/table`. Raises ValueError for an argument out of range, and
    FileExistsError when `out` already holds an inbox.
    """
    if mess not in LEVELS:
        raise ValueError(f"mess is one of {', '.join(LEVELS)}")
    if sen2_format not in ("xml", "csv"):
        raise ValueError("sen2_format is xml or csv")
    if not 100 <= children <= MOST_CHILDREN:
        raise ValueError(f"children must be between 100 and {MOST_CHILDREN:,}, for which there are distinct numbers")
    if (out / "inbox").exists():
        raise FileExistsError(f"{out / 'inbox'} exists: give a new folder, or remove it")
    say = progress or (lambda _: None)
    facts = calibration()
    schools = establishments(stream(seed, "establishments")).sort("urn")
    homes, places = [], [schools.select("postcode")]
    with Inbox(out / "inbox", mess) as inbox, Truth(out / "truth", as_of) as truth:
        blocks = lives.sizes(children)
        for block, size in enumerate(blocks):
            part = f" ({block + 1} of {len(blocks)})" if len(blocks) > 1 else ""
            say(f"Imagining the county{part}")
            of = lives.imagine(seed, block, size, as_of, schools, facts, faults=mess != "none")
            served = council(of, schools, as_of, facts)
            homes.append(of.identity.select("postcode", "born", "sex"))
            if mess != "none":
                of = with_adoptions(of, served, schools)
            say(f"Writing what its suppliers send{part}")
            tables = _tables(of, served, schools, as_of, sen2_format)
            if mess != "none":
                known = aliases(of)
                tables = misidentified(temporary_upns(tables, of.temporary), known, as_of)
                places += [of.identity.select("postcode"), known.homes]
            added = inbox.add([untidied(table, of.seed, mess) for table in tables])
            say(f"Writing the truth{part}")
            truth.add(added, of, served, schools)
        say("Writing the reference feeds")
        reference = [*text.gias(schools, as_of), *reference_feeds(pl.concat(homes), pl.concat(places), as_of)]
        inbox.add([untidied(table, seed, mess) for table in reference])
        truth.people_under_26 = people_under_26(reference)
    if mess == "hostile":
        return inbox.counts | hostile.deliver(out / "inbox", out / "truth")
    return inbox.counts


def _tables(of: Lives, served: Council, schools: pl.DataFrame, as_of: date, sen2_format: str) -> list[Table]:
    """Every feed about children, as its supplier spells it."""
    looked_after = of.social.looked_after.select(PERSON, looked_after=True).unique()
    return [
        *text.sen2(of.plans, of.identity, as_of, csv=sen2_format == "csv", first=of.first),
        *(table for term in of.terms for table in text.school_census(term, of.identity, schools, of.first)),
        *text.cin_census(of.social, of.identity, as_of),
        *text.ssda903(of.social, of.identity, as_of),
        *text.ehe_register(of.register, of.identity, as_of, of.first),
        *council_feeds(served, of, as_of),
        *health_feeds.csds(of.community, of.identity, looked_after, as_of, of.first),
        *health_feeds.mhsds(of.mental, of.identity, as_of, of.first),
        *health_feeds.health_advice(of.support, of.identity, of.council_ids, as_of),
        *health_feeds.dynamic_support_register(of.support, of.identity, of.council_ids, as_of),
        *health_feeds.nhs_number_trace(of.support, of.identity, as_of),
    ]
