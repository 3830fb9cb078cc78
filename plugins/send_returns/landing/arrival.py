"""The arrival register: what is expected of whom by when, what came, and whether a run may start.

`landing.arrival` is what a run asks: the latest of each feed. `landing.expectation` has a row for each delivery of a
period that was due, and one for each period that nothing answers for.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import psycopg

from send_returns import clock, feeds
from send_returns.landing.reading import lock

# How far back a supplier is asked for what it owes: a year and a half.
LOOK_BACK = timedelta(days=548)
# Far enough ahead for the next period of a feed that comes once a year.
LOOK_AHEAD = timedelta(days=370)
# A day so soon after a period's last is when its extract was taken.
GRACE_DAYS = 14


@dataclass(frozen=True, slots=True)
class Owed:
    """A period that nothing accepted answers for. `state`: missing, refused, held or not_yet_due."""

    organisation: str
    supplier: str
    feed: str
    period: str
    period_on: date
    due_on: date
    state: str

    @property
    def words(self) -> str:
        """The state as a supplier reads it."""
        return {"refused": "refused, send again", "held": "held, ask", "not_yet_due": "not yet due"}.get(
            self.state, "overdue"
        )


@dataclass(frozen=True, slots=True)
class _Came:
    delivery_id: int
    name: str
    status: str
    reference_on: date | None
    period_key: str | None
    received_on: date


def register(connection: psycopg.Connection, partnership: str, as_of: date) -> None:
    """Work out and store the state of every feed as of a day, in the caller's transaction.

    accepted: the latest delivery that describes a day up to `as_of` is no older than the contract allows; stale: it is
    older; refused: there is none, and one was refused; missing: nothing has come. What is expected of each period is
    stored beside it.
    """
    lock(connection, partnership, "arrivals")
    _expect(connection, partnership, as_of)
    for feed in feeds.feeds():
        latest = connection.execute(
            "select delivery_id, reference_on from landing.delivery where partnership = %s and feed = %s"
            " and status = 'accepted' and reference_on <= %s"
            ' order by reference_on desc, period_key collate "C" desc limit 1',
            [partnership, feed.id, as_of],
        ).fetchone()
        delivery, due_on = None, None
        if latest:
            delivery, reference_on = latest
            due_on = reference_on + timedelta(days=feed.max_age_days)
            state = "accepted" if as_of <= due_on else "stale"
            detail = f"describes {reference_on}" + ("" if state == "accepted" else f", and one was due by {due_on}")
        else:
            refused = connection.execute(
                "select delivery_id, reason from landing.delivery where partnership = %s and feed = %s"
                " and status = 'refused' order by received_at desc, delivery_id limit 1",
                [partnership, feed.id],
            ).fetchone()
            delivery, detail = refused or (None, f"nothing for a day up to {as_of} has come from {feed.supplier}")
            state = "refused" if refused else "missing"
        connection.execute(
            "insert into landing.arrival values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (partnership, as_of, feed) do update set organisation = excluded.organisation,"
            " required = excluded.required, due_on = excluded.due_on, state = excluded.state,"
            " delivery_id = excluded.delivery_id, detail = excluded.detail",
            [partnership, as_of, feed.id, feed.organisation, feed.required, due_on, state, delivery, detail],
        )


def missing(connection: psycopg.Connection, partnership: str, as_of: date) -> list[str]:
    """One line per required feed that is not accepted: feed, whose it is, state and why. Empty when a run may start."""
    rows = connection.execute(
        "select feed, organisation, state, detail from landing.arrival"
        " where partnership = %s and as_of = %s and required and state <> 'accepted'"
        ' order by organisation collate "C", feed collate "C"',
        [partnership, as_of],
    ).fetchall()
    return [f"{feed} ({organisation}) is {state}: {detail}" for feed, organisation, state, detail in rows]


def owed(connection: psycopg.Connection, partnership: str, as_of: date) -> list[Owed]:
    """What was owed as of a day that `register` was asked about: by organisation, supplier, feed and period."""
    rows = connection.execute(
        "select organisation, supplier, feed, period, period_on, due_on, coalesce((select max(other.state)"
        " from landing.expectation as other where (other.partnership, other.as_of, other.feed, other.period_on)"
        " = (gap.partnership, gap.as_of, gap.feed, gap.period_on) and other.state in ('refused', 'held')), state)"
        " from landing.expectation as gap where partnership = %s and as_of = %s and delivery_id is null"
        ' order by organisation collate "C", supplier collate "C", feed collate "C", period_on',
        [partnership, as_of],
    ).fetchall()
    return [Owed(*row) for row in rows]


def _expect(connection: psycopg.Connection, partnership: str, as_of: date) -> None:
    came: dict[str, list[_Came]] = defaultdict(list)
    # Of bytes that were read more than once, the reading that stands.
    for feed_id, received_at, delivery_id, name, status, reference_on, period_key in connection.execute(
        "select distinct on (feed, content_sha256, named_for)"
        " feed, received_at, delivery_id, name, status, reference_on, period_key from landing.delivery"
        " where partnership = %s"
        " order by feed, content_sha256, named_for, status = 'superseded', accepted_at desc nulls last, delivery_id",
        [partnership],
    ):
        came[feed_id].append(
            _Came(delivery_id, name, status, reference_on, period_key, received_at.astimezone(clock.LONDON).date())
        )
    connection.execute("delete from landing.expectation where partnership = %s and as_of = %s", [partnership, as_of])
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy landing.expectation (partnership, as_of, organisation, feed, supplier, period, period_on, due_on,"
            " state, delivery_id, received_on) from stdin"
        ) as copy,
    ):
        for feed in feeds.feeds():
            for row in _of_feed(feed, came[feed.id], as_of):
                copy.write_row((partnership, as_of, feed.organisation, feed.id, feed.supplier, *row))


# Period, its day, due on, state, delivery and the day of its receipt.
Expectation = tuple[str, date, date, str, int | None, date | None]


def _of_feed(feed: feeds.Feed, came: Sequence[_Came], as_of: date) -> Iterator[Expectation]:
    """The periods of a feed with what came for each."""
    due = feed.due
    days = due.days(as_of - LOOK_BACK - LOOK_AHEAD, as_of + LOOK_AHEAD)
    by_day: dict[date, list[_Came]] = defaultdict(list)
    for one in came:
        if (day := _period_of(feed, one, [day for _, day in days], as_of)) is not None:
            by_day[day].append(one)
    following = min((day for _, day in days if day > as_of), default=as_of)
    # Who has never sent owes the last period that was due; who has, all since the first that it ever described. What
    # was refused is owed for its own period alone: it may be another feed's file under an old date.
    overdue = [day for _, day in days if day + timedelta(days=due.within_days) < as_of]
    latest = overdue[-1] if overdue else following
    first = max(min(by_day, default=latest), as_of - LOOK_BACK)
    since = min((day for day, some in by_day.items() if any(one.status != "refused" for one in some)), default=latest)
    # What came before anything else was due from here cannot have been late.
    began_on = min((one.received_on for one in came), default=as_of)
    for name, day in days:
        if not first <= day <= following:
            continue
        period = f"{name} {day.year}" if due.every is None else f"to {day.day} {day:%B %Y}"
        due_on = day + timedelta(days=due.within_days)
        taken = [one for one in by_day[day] if one.status in ("accepted", "superseded")]
        for one in sorted(by_day[day], key=lambda one: one.delivery_id):
            state = one.status
            if state == "accepted":
                # A correction is not late: the first that was taken is judged.
                state = _timely(day, due_on, min(first.received_on for first in taken), began_on, as_of)
            yield period, day, due_on, state, one.delivery_id, one.received_on
        if (by_day[day] or day >= since) and not any(one.status == "accepted" for one in taken):
            yield period, day, due_on, "missing" if due_on < as_of else "not_yet_due", None, None


def _timely(day: date, due_on: date, received_on: date, began_on: date, as_of: date) -> str:
    """Early, on time or late; `came` where the day of receipt says nothing: history that was landed afterwards."""
    if received_on > as_of or due_on < began_on:
        return "came"
    if received_on < day:
        return "early"
    return "on_time" if received_on <= due_on else "late"


def _period_of(feed: feeds.Feed, one: _Came, days: Sequence[date], as_of: date) -> date | None:
    """The day of the period that a delivery is for; None: it describes a day after `as_of`, or one too long ago."""
    reference_on = one.reference_on
    if reference_on is None:
        stated = feed.period.from_name(one.name)
        if stated is None:
            # A refused delivery that does not say: for the period that was last when it came.
            return max((day for day in days if day <= min(one.received_on, as_of)), default=None)
        reference_on = stated.reference_on
    if reference_on > as_of or not days or reference_on < days[0]:
        return None
    after = min((day for day in days if day >= reference_on), default=None)
    before = max((day for day in days if day <= reference_on), default=None)
    if after is None or before is None:
        return after or before
    # A reference day that begins its period, or is a mere month's, is within it and never just after the one before.
    begins = feed.period.reference in feed.period.key or one.period_key == f"{reference_on:%Y-%m}"
    grace = min(GRACE_DAYS, (after - before).days // 3)
    return before if not begins and (reference_on - before).days <= grace else after
