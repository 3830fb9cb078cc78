"""How an open inspection stands on a day: what is due when, what it would say now, what is missing, and who owes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg

from send_returns import feeds, landing, warehouse
from send_returns.inspection import timetable, working_days
from send_returns.inspection import window as windows
from send_returns.inspection.timetable import Item
from send_returns.inspection.window import Window
from send_returns.releases import register
from send_returns.releases.register import Release
from send_returns.returns import pack
from send_returns.settings import Settings

BODIES = {"council": "council", "icb": "ICB"}


@dataclass(frozen=True, slots=True)
class Due:
    """An item on its day.

    `due_on` is None while it counts from the naming of the children and none is named. `days_left`: working days,
    negative when past. `state`: what of it is there, in a few words. `owes`: who must do what next; empty: nobody.
    """

    item: Item
    due_on: date | None
    days_left: int | None
    state: str
    is_ready: bool
    owes: str


@dataclass(frozen=True, slots=True)
class LateFeed:
    """A feed that a run would want newer: who owes it, and how it stands. `is_required`: a run waits for it."""

    feed: str
    organisation: str
    supplier: str
    state: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """An open window as of a day. `live_on` and the counts are of the run that readers see; None: there is none."""

    window: Window
    as_of: date
    items: Sequence[Due]
    late_feeds: Sequence[LateFeed]
    live_on: date | None
    live_run: str | None
    list_1: int
    list_2: int
    measures: int


def look(settings: Settings, as_of: date, output: Path) -> Standing:
    """How the open window stands on a day. `output`: where packs go. Raises Refused when no window is open."""
    with warehouse.connect(settings, purpose="send-returns inspection") as connection:
        window = windows.find(connection, settings.partnership)
        landing.register(connection, settings.partnership, as_of)
        late = list(_late(connection, settings.partnership, as_of))
        live_run, live_on = _live(connection, settings.partnership)
        items = [_due(settings, connection, window, one, as_of, output) for one in timetable.items(window.notified_on)]
        return Standing(
            window,
            as_of,
            sorted(items, key=lambda one: one.due_on or date.max),
            late,
            live_on,
            live_run,
            **(_counts(connection, settings.partnership) if live_run else {"list_1": 0, "list_2": 0, "measures": 0}),
        )


def folder(output: Path, window: Window, unique_id: str) -> Path:
    """Where the pack of a tracked child is."""
    return output / "inspection" / window.partnership / window.notified_on.isoformat() / f"child_{unique_id}"


def _due(
    settings: Settings, connection: psycopg.Connection, window: Window, item: Item, as_of: date, output: Path
) -> Due:
    named_on = max((one.named_on for one in window.tracked), default=None)
    counted_from = window.notified_on if item.counted_from == "notification" else named_on
    due_on = working_days.after(settings, counted_from, item.working_day) if counted_from else None
    days_left = working_days.until(settings, as_of, due_on) if due_on else None
    if item.kind == "return":
        state, is_ready, owes = _of_return(connection, window.partnership, item.answered_by, as_of)
    elif item.kind == "document":
        by = window.done.get(item.item)
        state, is_ready = (f"there, says {by}", True) if by else ("not marked as there", False)
        owes = "" if by or not counted_from else BODIES[item.answered_by]
    elif item.kind == "pack":
        sealed = sum((folder(output, window, one.unique_id) / pack.MANIFEST).is_file() for one in window.tracked)
        state, is_ready = (
            f"{sealed} of {len(window.tracked)} packs",
            bool(window.tracked) and sealed == len(window.tracked),
        )
        owes = "" if is_ready or not window.tracked else "us: inspection pack"
    else:
        state, is_ready, owes = "", due_on is not None and as_of > due_on, ""
    if counted_from is None:
        state = "no child is named yet"
    return Due(item, due_on, days_left, state, is_ready, owes)


def _of_return(
    connection: psycopg.Connection, partnership: str, return_name: str, as_of: date
) -> tuple[str, bool, str]:
    """The newest release of a return that is not withdrawn: its state, whether it can be sent, and who must sign."""
    released = [
        one
        for one in register.listing(connection, partnership, return_name)
        if one.state not in ("withdrawn", "superseded") and one.as_of <= as_of
    ]
    if not released:
        if by := _stopped_by(connection, partnership, return_name, as_of):
            return f"stopped by {by}", False, "us: put right what stopped it"
        return "no release yet", False, "us: send-returns run"
    # A real release before a rehearsal of the same date, which inspectors must not be given.
    one = max(released, key=lambda release: (release.as_of, not release.is_rehearsal, release.version))
    of = f"v{one.version} of {one.as_of:%d/%m/%Y} {one.state}" + (", rehearsal" if one.is_rehearsal else "")
    if one.state == "published":
        return of, not one.is_rehearsal, "us: a real release" if one.is_rehearsal else ""
    return of, False, _unsigned(connection, one, as_of)


def _stopped_by(connection: psycopg.Connection, partnership: str, return_name: str, as_of: date) -> str | None:
    """What stopped a return when the newest run was drafted: one of its rules, `disclosure` or `size`."""
    row = connection.execute(
        "select detail ->> (%s || '.stopped_by') from audit.stage join audit.run using (run_id)"
        " where stage = 'draft' and partnership = %s and as_of <= %s order by as_of desc, opened_at desc limit 1",
        [return_name, partnership, as_of],
    ).fetchone()
    return row[0] if row else None


def _unsigned(connection: psycopg.Connection, release: Release, as_of: date) -> str:
    """Who must sign a release, by organisation and user name; or what it waits for instead."""
    if release.state == "draft":
        return "us: its rules have not passed"
    approved = {one.organisation for one in register.signatures(connection, release) if one.verdict == "approve"}
    terms = [
        one
        for one in register.signers(connection, release.partnership)
        if one.may_sign(as_of) and one.is_rehearsal == release.is_rehearsal
    ]
    waits = []
    for organisation, called in BODIES.items():
        if organisation not in approved:
            may = " or ".join(one.username for one in terms if one.organisation == organisation)
            waits.append(f"{called} signs: {may}" if may else f"{called} signs: nobody may yet (signer add)")
    return "; ".join(waits) or "us: publish it"


def _late(connection: psycopg.Connection, partnership: str, as_of: date) -> Iterator[LateFeed]:
    suppliers = {feed.id: feed.supplier for feed in feeds.feeds()}
    for feed, organisation, state, required in connection.execute(
        "select feed, organisation, state, required from landing.arrival"
        " where partnership = %s and as_of = %s and state <> 'accepted'"
        ' order by required desc, organisation collate "C", feed collate "C"',
        [partnership, as_of],
    ):
        yield LateFeed(feed, organisation, suppliers[feed], state, required)


def _live(connection: psycopg.Connection, partnership: str) -> tuple[str | None, date | None]:
    row = connection.execute(
        "select run_id, as_of from audit.live join audit.run using (run_id, partnership) where partnership = %s",
        [partnership],
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def _counts(connection: psycopg.Connection, partnership: str) -> dict[str, int]:
    """What readers see: rows of the lists, and measures that have a figure in their headline period."""
    ((list_1, list_2, measures),) = connection.execute(
        "select (select count(*) from returns.return_annex_a__list_1 where partnership = %(p)s),"
        " (select count(*) from returns.return_annex_a__list_2 where partnership = %(p)s),"
        " (select count(distinct measure) from marts.mart_indicator"
        " where partnership = %(p)s and is_headline and value is not null)",
        {"p": partnership},
    ).fetchall()
    return {"list_1": list_1, "list_2": list_2, "measures": measures}
