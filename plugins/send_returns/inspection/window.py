"""The window of an inspection: opened when inspectors ring, ended when they are done; data, with its history."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import psycopg

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.inspection import timetable, working_days
from send_returns.releases import audit
from send_returns.settings import Settings

MOST_CHILDREN = 6


class Refused(Failure):
    """The inspection clock does not go that way; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A child whose experience inspectors follow, by the Unique ID of the lists, and the day it was named."""

    unique_id: str
    named_on: date


@dataclass(frozen=True, slots=True)
class Window:
    """An open window: the day of notification, which items a person has seen to and who, and the tracked children."""

    window_id: int
    partnership: str
    notified_on: date
    done: dict[str, str]
    tracked: tuple[Tracked, ...]


def start(settings: Settings, notified_on: date, by: str) -> Window:
    """Open the window of an inspection. Raises Refused when one is open.

    Raises Failure when no timetable is in force, or its days cannot be counted: a window that nobody can look at is not
    opened.
    """
    for item in timetable.items(notified_on):
        working_days.after(settings, notified_on, item.working_day)
    with warehouse.connect(settings, purpose="send-returns inspection") as connection:
        try:
            with connection.transaction():
                connection.execute(
                    "insert into inspection.window (partnership, notified_on, opened_by) values (%s, %s, %s)",
                    [settings.partnership, notified_on, by],
                )
        except psycopg.errors.UniqueViolation:
            before = find(connection, settings.partnership)
            raise Refused(
                f"The inspection of {settings.partnership} that was notified on {before.notified_on} is open:"
                " `send-returns inspection end` ends it."
            ) from None
        window = find(connection, settings.partnership)
        _record(connection, window, by, "started", {"notified_on": str(notified_on)})
    return window


def end(settings: Settings, on: date, by: str) -> Window:
    """End the open window; what it holds stays. Raises Refused when none is open, or the day is before it began."""
    with _open(settings) as (connection, window):
        if on < window.notified_on:
            raise Refused(f"It was notified on {window.notified_on}: it cannot have ended on {on}.")
        connection.execute(
            "update inspection.window set ended_on = %s, ended_by = %s where window_id = %s", [on, by, window.window_id]
        )
        _record(connection, window, by, "ended", {"children": len(window.tracked)})
    return window


def done(settings: Settings, item: str, by: str, *, undo: bool = False) -> timetable.Item:
    """Say of a document that it is there; `undo`: that it is not, after all.

    Raises Refused for what is not a person's to say, and for what is not in the timetable.
    """
    with _open(settings) as (connection, window):
        known = {one.item: one for one in timetable.items(window.notified_on)}
        if item not in known or known[item].kind != "document":
            documents = ", ".join(name for name, one in known.items() if one.kind == "document")
            why = "answered by our own records or by inspectors" if item in known else "not in the timetable"
            raise Refused(f"{item} is {why}: a person says of these that they are there: {documents}.")
        if undo:
            connection.execute(
                "delete from inspection.item_done where window_id = %s and item = %s", [window.window_id, item]
            )
        else:
            connection.execute(
                "insert into inspection.item_done (window_id, item, done_by) values (%s, %s, %s)"
                " on conflict (window_id, item) do nothing",
                [window.window_id, item, by],
            )
        _record(connection, window, by, "not there" if undo else "there", {"item": item})
    return known[item]


def track(settings: Settings, unique_ids: Sequence[str], on: date, by: str) -> Window:
    """Add the children that inspectors have named; one that is tracked already stays as it is.

    Raises Refused for a Unique ID that neither live list has, and for a seventh child: then none is added.
    """
    with _open(settings) as (connection, window):
        known = [one.unique_id for one in window.tracked]
        added = [one for one in dict.fromkeys(unique_ids) if one not in known]
        for unique_id in added:
            if not is_listed(connection, settings.partnership, unique_id):
                raise Refused(f"{unique_id} is on neither list: give the Unique ID as list 1 or list 2 has it.")
        if len(known) + len(added) > MOST_CHILDREN:
            raise Refused(
                f"Inspectors follow at most {MOST_CHILDREN} children: {len(known)} are tracked, and"
                f" {len(added)} more would be {len(known) + len(added)}."
            )
        for place, unique_id in enumerate(added, start=len(known) + 1):
            connection.execute(
                "insert into inspection.tracked (window_id, place, unique_id, named_on, named_by)"
                " values (%s, %s, %s, %s, %s)",
                [window.window_id, place, unique_id, on, by],
            )
        if added:
            _record(connection, window, by, "tracks", {"children": len(known) + len(added), "ids": added})
        return find(connection, settings.partnership)


def find(connection: psycopg.Connection, partnership: str) -> Window:
    """The open window. Raises Refused when none is open."""
    row = connection.execute(
        "select window_id, notified_on from inspection.window where partnership = %s and ended_on is null",
        [partnership],
    ).fetchone()
    if row is None:
        raise Refused(f"No inspection of {partnership} is open: `send-returns inspection start --on DATE` opens one.")
    marked = connection.execute(
        'select item, done_by from inspection.item_done where window_id = %s order by item collate "C"', [row[0]]
    ).fetchall()
    tracked = connection.execute(
        "select unique_id, named_on from inspection.tracked where window_id = %s order by place", [row[0]]
    ).fetchall()
    return Window(row[0], partnership, row[1], dict(marked), tuple(Tracked(*one) for one in tracked))


def is_listed(connection: psycopg.Connection, partnership: str, unique_id: str) -> bool:
    """Whether a live list has the child. Raises Refused when there are no live lists yet."""
    try:
        with connection.transaction():
            found = connection.execute(
                "select 1 from returns.return_annex_a__list_1 where partnership = %(p)s and unique_id = %(u)s union all"
                " select 1 from returns.return_annex_a__list_2 where partnership = %(p)s and unique_id = %(u)s",
                {"p": partnership, "u": unique_id},
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise Refused("There are no lists yet: no run has passed its gate. `send-returns run` makes one.") from None
    return found is not None


@contextmanager
def _open(settings: Settings) -> Iterator[tuple[psycopg.Connection, Window]]:
    """The open window, which nobody else changes until the transaction ends."""
    with warehouse.connect(settings, purpose="send-returns inspection") as connection:
        connection.execute(
            "select 1 from inspection.window where partnership = %s and ended_on is null for update",
            [settings.partnership],
        )
        yield connection, find(connection, settings.partnership)


def _record(connection: psycopg.Connection, window: Window, by: str, what: str, detail: dict[str, object]) -> None:
    """Add to the audit what a person decided about the inspection: ids and counts only."""
    audit.record(connection, "decision", f"inspection {window.window_id}", by, {"state": what, **detail})
