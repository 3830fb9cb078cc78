"""A synthetic partnership: every feed in its supplier's own file format, and the truth to test a pipeline against."""

from collections.abc import Callable
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl

from send_returns.simulate import text
from send_returns.simulate.calendar import latest_censuses
from send_returns.simulate.care import care, home_education
from send_returns.simulate.census import rolls
from send_returns.simulate.draw import day, stream
from send_returns.simulate.establishments import LA, establishments
from send_returns.simulate.health import health
from send_returns.simulate.identifiers import upns
from send_returns.simulate.mess import LEVELS, broken_lines, temporary_upns, untidied
from send_returns.simulate.plans import cases
from send_returns.simulate.population import People, calibration, people
from send_returns.simulate.text import PERSON, Table
from send_returns.simulate.truth import lists

__all__ = ["simulate"]

_PEOPLE = ("person", "pupilonroll", "child", "header", "cyp001mpi")  # a row of these is a person, if it has the column
_XML = {"sen2": text.sen2_xml, "cin_census": text.cin_xml}


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
    and the other pupils scale with them. `mess`: none, realistic or hostile. `sen2_format`: xml, or csv for the nine
    COLLECT tables. The same arguments give the same bytes. `progress` is called with what is being done.

    Returns rows per table, by `organisation/feed/delivery/table`. Raises ValueError for an argument out of range, and
    FileExistsError when `out` already holds an inbox.
    """
    if mess not in LEVELS:
        raise ValueError(f"mess is one of {', '.join(LEVELS)}")
    if sen2_format not in ("xml", "csv"):
        raise ValueError("sen2_format is xml or csv")
    if not 100 <= children <= 120_000:
        raise ValueError("children must be between 100 and 120,000, for which there are distinct test numbers")
    if (out / "inbox").exists():
        raise FileExistsError(f"{out / 'inbox'} exists: give a new folder, or remove it")
    say = progress or (lambda _: None)
    faults = mess != "none"

    say("Imagining the county")
    facts = calibration()
    schools = establishments(stream(seed, "establishments")).sort("urn")
    persons = people(seed, children, as_of, schools, facts)
    plans = cases(seed, persons, schools, as_of, facts, faults=faults)
    social = care(seed, persons, as_of, facts, faults=faults)
    register = home_education(seed, persons, as_of, social.children.select(PERSON, "la_child_id"), faults=faults)
    terms = rolls(seed, persons, schools, plans, latest_censuses(as_of), as_of, facts, faults=faults)
    community = health(seed, persons, as_of, facts)
    identity = _with_recorded_ethnicity(seed, persons, facts["plans_ethnicity_not_obtained_share"])

    say("Spelling it as the suppliers do")
    tables = [
        *text.gias(schools, as_of),
        *text.sen2(plans, identity, as_of, sen2_format == "csv"),
        *(table for term in terms for table in text.school_census(term, identity, schools)),
        *text.cin_census(social, identity, as_of),
        *text.ssda903(social, identity, as_of),
        *text.ehe_register(register, identity, as_of),
        *text.csds(community, identity, social.looked_after.select(PERSON, looked_after=True).unique(), as_of),
    ]
    if faults:
        tables = temporary_upns(tables, _temporary(seed, persons, schools, as_of))
    tables = [untidied(table, seed, mess) for table in tables]

    counts: dict[str, int] = {}
    for feed, group in groupby(tables, key=lambda table: table.feed):
        say(f"Writing {feed}")
        counts |= _write(out / "inbox", list(group), mess)
    say("Writing the truth")
    list_1, list_2 = lists(identity, schools, plans, terms, social, register, as_of)
    _write_truth(out / "truth", tables, identity, social.children, list_1, list_2)
    return counts


def _with_recorded_ethnicity(seed: int, persons: People, not_obtained: float) -> pl.DataFrame:
    """The SEN team records ethnicity itself, and often has not obtained it."""
    rng = stream(seed, "sen2 ethnicity")
    missing = pl.Series(rng.random(len(persons)) < not_obtained)
    return persons.identity.with_columns(
        sen2_ethnicity=pl.when(missing).then(pl.lit("NOBT")).otherwise(pl.col("ethnicity"))
    )


def _temporary(seed: int, persons: People, schools: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """person, temporary: the UPN a school gave to a third of the pupils who came from elsewhere within the year."""
    rng = stream(seed, "temporary upns")
    new = (persons.roll_from > day(as_of) - 330) & (persons.age > 4) & (rng.random(len(persons)) < 0.35)
    chosen = np.flatnonzero(new)
    estab = schools["estab"].to_numpy()[persons.school(as_of, as_of)[chosen]]
    numbers = upns(LA, estab, np.full(len(chosen), as_of.year), np.arange(len(chosen)) % 2300, temporary=True)
    return pl.DataFrame({PERSON: chosen + 1, "temporary": numbers})


def _write(inbox: Path, tables: list[Table], mess: str) -> dict[str, int]:
    """One feed's files; returns the rows of each table."""
    for path, group in groupby(tables, key=lambda table: table.path):
        file = inbox / path
        file.parent.mkdir(parents=True, exist_ok=True)
        same_file = list(group)
        first = same_file[0]
        if file.suffix == ".xml":
            frames = {table.name: table.frame for table in same_file}
            file.write_text(_XML[first.feed](frames), encoding="utf-8")
        elif first.feed == "gias":
            file.write_bytes(first.frame.write_csv().encode("cp1252", errors="replace"))
        else:
            with file.open("wb") as target:
                first.frame.drop(PERSON, strict=False).write_csv(target)
                target.write(broken_lines(first, mess))
    counts = {}
    for table in tables:
        added = 0 if table.path.endswith(".xml") else broken_lines(table, mess).count(b"\n")
        counts["/".join([*table.path.split("/")[:2], table.delivery, table.name])] = len(table.frame) + added
    return counts


def _write_truth(
    folder: Path,
    tables: list[Table],
    identity: pl.DataFrame,
    known: pl.DataFrame,
    list_1: pl.DataFrame,
    list_2: pl.DataFrame,
) -> None:
    """person.csv: who is who; record.csv: which person each record of a person is; list_1.csv and list_2.csv."""
    folder.mkdir(parents=True)
    records = pl.concat(
        table.frame.select(
            feed=pl.lit(table.feed),
            delivery=pl.lit(table.delivery),
            table_name=pl.lit(f"{table.feed}__{table.name}"),
            row_number=pl.int_range(2, pl.len() + 2),
            person=PERSON,
        )
        for table in tables
        if table.name in _PEOPLE and PERSON in table.frame.columns
    )
    seen = identity.join(records.select(PERSON).unique(), on=PERSON, how="semi")
    person = seen.join(known.select(PERSON, "la_child_id"), on=PERSON, how="left").sort(PERSON)
    for name, frame in {"person": person, "record": records, "list_1": list_1, "list_2": list_2}.items():
        frame.write_csv(folder / f"{name}.csv")
