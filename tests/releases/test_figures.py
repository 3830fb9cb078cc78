"""What a release showed of figures, and why not, is what the next one is protected beside."""

import polars as pl
import pytest
from tests.releases.conftest import HERTS, Line
from tests.returns.disclosure.test_attack import People

from send_returns.publication import figures
from send_returns.releases import register
from send_returns.returns.disclosure import Shown, protect_figures
from send_returns.returns.disclosure.cells import KEYS, PARTS

SHOWN = [*KEYS, *PARTS, "value", "status"]


@pytest.fixture
def shown() -> Shown:
    """Figures of a measure that no other test has, some withheld."""
    people = People.draw(2, 120)
    first = protect_figures(people.figures())
    second = protect_figures(people.corrected(2, 4).figures(), [first])
    mine = pl.lit("kept_") + pl.col("measure")
    return Shown(
        second.frame.with_columns(mine.alias("measure")).sort(KEYS),
        second.hidden.with_columns(mine.alias("measure")).sort(*KEYS, "part"),
    )


def test_the_next_release_is_told_what_this_one_showed_and_why_not(line: Line, shown: Shown) -> None:
    release = line.draft()
    figures.keep(line.connection, release, shown)
    line.reach("published")
    is_mine = pl.col("measure").str.starts_with("kept_")
    [told] = [
        one for one in figures.published(line.connection, HERTS, is_rehearsal=False) if one.frame.filter(is_mine).height
    ]
    assert told.frame.filter(is_mine).select(SHOWN).equals(shown.frame.select(SHOWN))
    assert told.hidden.filter(is_mine).sort(*KEYS, "part").select(shown.hidden.columns).equals(shown.hidden)
    assert "withheld" in told.hidden["why"].to_list()
    withdrawn = register.withdraw(line.connection, release.release_id, "A feed was mistaken.", by="registrar")
    assert withdrawn.state == "withdrawn"
    assert figures.published(line.connection, HERTS, is_rehearsal=False)
