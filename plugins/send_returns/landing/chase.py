"""Chase texts: to each supplier, what it owes, by when, and how to send what will be taken. No names, no data."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from pathlib import Path

from send_returns import feeds, warehouse
from send_returns.feeds import headers
from send_returns.landing.arrival import Owed, owed, register
from send_returns.landing.partnership import partnership
from send_returns.landing.replacing import replacing
from send_returns.settings import Settings

# Periods of one feed that are listed one by one, the latest.
LISTED = 6


def write(settings: Settings, as_of: date, out: Path) -> list[Path]:
    """Write a text for each supplier that has something overdue, refused or held; returns the files.

    A text of an earlier day for a supplier that owes nothing any more is removed.
    """
    with warehouse.connect(settings, purpose="send-returns chase") as connection:
        register(connection, settings.partnership, as_of)
        everything = owed(connection, settings.partnership, as_of)
    sender = partnership(settings.partnership, as_of).name
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for (organisation, supplier), group in groupby(everything, lambda one: (one.organisation, one.supplier)):
        path = out / f"{organisation}-{headers.snake(supplier)}.txt"
        periods = list(group)
        if all(one.state == "not_yet_due" for one in periods):
            with suppress(FileNotFoundError):
                path.unlink()
            continue
        with replacing(path) as part:
            part.write_text(text(sender, supplier, periods, as_of), encoding="utf-8")
        written.append(path)
    return sorted(written)


def text(sender: str, supplier: str, periods: Sequence[Owed], as_of: date) -> str:
    """The text to one supplier. `periods`: what it owes, by feed."""
    known = {feed.id: feed for feed in feeds.feeds()}
    lines = [f"To: {supplier}", f"From: {sender}", f"As of: {_long(as_of)}", "", "What we are waiting for"]
    wanted = [(known[feed], list(group)) for feed, group in groupby(periods, lambda one: one.feed) if feed in known]
    for feed, of_feed in wanted:
        lines += ["", f"{feed.name} ({feed.id})", *_of_feed(of_feed)]
    lines += ["", "Before you send", ""]
    for feed, of_feed in wanted:
        if any(one.state != "not_yet_due" for one in of_feed):
            lines += _before(feed)
    lines += [
        "",
        "The check runs on your own machine, finds what we would find, names rows and columns, and keeps nothing.",
        "A receipt of each delivery is in your outbox: what was taken, and which rows to correct.",
    ]
    return "\n".join(lines) + "\n"


def _of_feed(periods: Sequence[Owed]) -> Iterator[str]:
    open_ = [one for one in periods if one.state != "not_yet_due"]
    if len(open_) > LISTED:
        yield f"  {len(open_) - LISTED} earlier periods, the first {open_[0].period}: {_word(open_[0])}"
    for one in open_[-LISTED:]:
        yield f"  {one.period}: {_word(one)}"
    for one in periods:
        if one.state == "not_yet_due":
            yield f"  {one.period}: due by {_long(one.due_on)}"


def _word(one: Owed) -> str:
    if one.state == "refused":
        return f"what came was refused, and its receipt says why; due by {_long(one.due_on)}"
    if one.state == "held":
        return "what came is held, because what is here is newer: tell us which one holds"
    return f"overdue since {_long(one.due_on)}"


def _before(feed: feeds.Feed) -> Iterator[str]:
    yield f"  send-returns check FILES --feed {feed.id}"
    if feed.format == "local":
        yield f"    Blank workbook and guide: docs/suppliers/{feed.id}.xlsx and docs/suppliers/{feed.id}.md"
    else:
        yield f"    Its columns and codes, as the national format has them: send-returns contract show {feed.id}"


def _long(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
