"""A delivery in another feed's folder is refused with the name of the feed that it looks like."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds

Take = Callable[..., Any]
SAMPLES = Path(__file__).parents[1] / "samples"
FEEDS = feeds.feeds()


def cell(column: feeds.Column, feed: feeds.Feed) -> str:
    """A value that the contract takes."""
    if column.name in ("lea", "year"):
        return {"lea": "926", "year": "2026"}[column.name]
    if column.codes:
        return next(iter(column.codes))
    if column.type in ("date", "timestamp"):
        return datetime(2026, 1, 15).strftime(feed.date_formats[0])  # noqa: DTZ001 - a day, not an instant
    return "1"


def minimal(feed: feeds.Feed) -> dict[str, str]:
    """One row of each table of a feed, under names that say nothing of the feed."""
    return {
        f"{table.name}.csv": "\n".join(
            ",".join(f'"{text}"' for text in row)
            for row in ([c.header for c in table.columns], [cell(c, feed) for c in table.columns])
        )
        for table in feed.tables
    }


def name_for(feed: feeds.Feed) -> str:
    """A delivery's name that states a period as the feed wants it."""
    return next(name for name in ("2026_autumn", "2026-10-01") if not feed.period.names or feed.period.from_name(name))


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.id)
def test_every_feed_refuses_every_other_and_says_which_it_is(take: Take, feed: feeds.Feed) -> None:
    for other in FEEDS:
        if other.id == feed.id:
            assert take(feed.id, minimal(feed), name=name_for(feed)).rows_in == len(feed.tables)
            continue
        with pytest.raises(feeds.Refused) as refusal:
            take(feed.id, minimal(other), name=name_for(feed))
        assert f"It looks like {other.id}" in str(refusal.value)
        assert f"Put it in {other.organisation}/{other.id}." in str(refusal.value)


def test_whose_and_for_when_is_said_too(take: Take) -> None:
    sample = SAMPLES / "cin/cin-2022.xml"
    expected = "It looks like cin_census of local authority 201 for 2022. Put it in council/cin_census"
    with pytest.raises(feeds.Refused, match=expected):
        take("sen2", {sample.name: sample.read_bytes()})
    census = minimal(feeds.load("school_census"))
    with pytest.raises(feeds.Refused, match="It looks like school_census of local authority 926 for 2026_autumn"):
        take("ssda903", census, name="2026_autumn")


def test_another_partners_return_is_said_to_be_its(take: Take) -> None:
    sample = SAMPLES / "cin/cin-2022.xml"
    with pytest.raises(feeds.Refused, match=r"its LEA is not 926.* It looks like cin_census of local authority 201"):
        take("cin_census", {sample.name: sample.read_bytes()}, la="926")


def test_files_like_none_are_like_none(tmp_path: Path) -> None:
    for name, content in (("a.csv", "a,b\n1,2\n"), ("a.xml", "<Message><Other/></Message>"), ("empty.csv", "")):
        path = tmp_path / name
        path.write_text(content)
        assert feeds.looks_like([feeds.examine(path)]) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [("ehe_register_2026-02-30", "does not exist"), ("ehe_register_20261399", "does not exist")],
)
def test_a_day_that_does_not_exist_is_not_taken_for_its_year(take: Take, name: str, reason: str) -> None:
    with pytest.raises(feeds.Refused, match=reason):
        take("ehe_register", {"a.csv": "ehe_id,upn,uln,nhs_number,surname,forename\n1,,,,,\n"}, name=name)


@pytest.mark.parametrize("day", ["2126-03-31", "1066-03-31"])
def test_a_period_of_another_century_is_refused(take: Take, day: str) -> None:
    text = (SAMPLES / "cin/cin-2022.xml").read_text()
    start = text.index("<ReferenceDate>")
    text = text[:start] + f"<ReferenceDate>{day}" + text[text.index("</ReferenceDate>") :]
    with pytest.raises(feeds.Refused, match="outside the years 1990 to 2099"):
        take("cin_census", {"cin.xml": text}, la="201")
