"""The end of a delivery's time: what its contract says is kept no longer goes, with all that was made of it alone.

A delivery is kept for whole years from the day in England on which it was received, and goes on the anniversary. It
stays longer where a return was published from it whose own time is not over, unless its contract says that it does not
wait for that.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
from dateutil.relativedelta import relativedelta
from psycopg import sql
from psycopg.types.json import Json

from send_returns import clock, feeds, warehouse
from send_returns.inspection import packing
from send_returns.landing import receipts
from send_returns.returns import declarations
from send_returns.rights import archives, removal
from send_returns.rights.removal import Counts
from send_returns.sealing import parcel
from send_returns.settings import Settings


@dataclass(frozen=True, slots=True)
class Past:
    """A delivery past its time. `waits_until`: the day on which the last return made from it may go; None: it goes now.

    `rows`: loaded and in quarantine.
    """

    delivery_id: int
    feed: str
    name: str
    received_on: date
    until: date
    waits_until: date | None
    rows: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What went, on record as a removal (None: nothing had to), and how much of each store."""

    removal_id: int | None
    deliveries: Sequence[Past]
    counts: Counts


def past(settings: Settings, as_of: date) -> list[Past]:
    """The deliveries of the partnership that are past their time on a day, by feed and the day that they came."""
    with warehouse.connect(settings, purpose="send-returns retention") as connection:
        return _past(settings, connection, as_of)


def past_copies(settings: Settings, as_of: date) -> list[Path]:
    """The files kept of packs, to be sent again as they are, whose return is past its time on a day."""
    declared = (*declarations.load_all(), packing.declaration())
    years = {one.return_name: one.retention_years for one in declared}
    return parcel.past(settings, settings.partnership, as_of, years)


def expire(settings: Settings, as_of: date, by: str) -> Expired:
    """Remove what is past its time and waits for nothing, in one transaction, on record as one removal.

    What is kept of packs to be sent again goes too, once the time of their return is over.
    """
    copies = Counter(copies=parcel.drop(past_copies(settings, as_of)))
    with warehouse.connect(settings, purpose="send-returns retention") as connection:
        due = [one for one in _past(settings, connection, as_of) if one.waits_until is None]
        if not due:
            return Expired(None, (), +copies)
        row = connection.execute(
            "insert into rights.removal (partnership, kind, from_on, reason, decided_by) values"
            " (%s, 'retention', %s, 'The time for which the contracts say that it is kept is over.', %s)"
            " returning removal_id",
            [settings.partnership, as_of, by],
        ).fetchone()
        assert row is not None  # noqa: S101 - an insert returns its row
        removal_id = int(row[0])
        removal.hold(connection, settings.partnership, removal_id)
        ids = [one.delivery_id for one in due]
        tables = _tables(due)
        counts = _rows(connection, tables, ids) + _deliveries(connection, ids, removal_id)
        left = _left(connection, settings.partnership)
        changed = [*tables, *removal.made_tables(connection)]
        counts += removal.take_people(connection, settings.partnership, left.persons)
        counts["identity"] += removal.take_profiles(connection, settings.partnership, left.profiles)
        connection.execute(
            "update rights.removal set applied_at = %s, removed = %s where removal_id = %s",
            [clock.now(), Json({**counts, "deliveries": len(due)}), removal_id],
        )
    receipts.write(settings, as_of)
    with warehouse.connect(settings, purpose="send-returns retention") as connection:
        archives.sweep(settings, connection)
    removal.rewrite(settings, changed)
    return Expired(removal_id, due, counts + copies)


def _past(settings: Settings, connection: psycopg.Connection, as_of: date) -> list[Past]:
    kept = {feed.id: feed.retention for feed in feeds.feeds(changes=settings.changes)}
    # The returns have no tables of their own: a run that was published made every one that is declared.
    longest = max(one.retention_years for one in declarations.load_all())
    rows = connection.execute(
        "select delivery_id, feed, name, (received_at at time zone 'Europe/London')::date,"
        " rows_loaded + rows_quarantined, (select max(as_of) from audit.run inner join audit.run_delivery"
        " using (run_id) where run_delivery.delivery_id = delivery.delivery_id and status = 'published')"
        # One that was refused, and has gone, may have been delivered and taken since.
        " from landing.delivery where partnership = %s and (expired_by is null or rows_loaded + rows_quarantined > 0)"
        ' order by feed collate "C", received_at, delivery_id',
        [settings.partnership],
    ).fetchall()
    found = []
    for delivery_id, feed, name, received_on, count, published_as_of in rows:
        if feed not in kept:
            continue
        until = received_on + relativedelta(years=kept[feed].years)
        if until > as_of:
            continue
        waits = published_as_of + relativedelta(years=longest) if published_as_of else as_of
        waits_until = waits if kept[feed].waits_for_release and waits > as_of else None
        found.append(Past(delivery_id, feed, name, received_on, until, waits_until, count))
    return found


def _tables(due: Sequence[Past]) -> list[tuple[str, str]]:
    of = {one.feed for one in due}
    return [(table.raw_schema, table.raw_name) for feed in feeds.feeds() if feed.id in of for table in feed.tables]


def _rows(connection: psycopg.Connection, tables: Sequence[tuple[str, str]], deliveries: Sequence[int]) -> Counts:
    counts: Counts = Counter()
    for schema, table in tables:
        counts["raw"] += connection.execute(
            sql.SQL("delete from {} where _delivery_id = any(%s)").format(sql.Identifier(schema, table)), [deliveries]
        ).rowcount
    for store, table in (
        ("quarantine", "landing.quarantine"),
        ("findings", "audit.finding"),
        ("links", "identity.link"),
        ("sightings", "landing.sighting"),
        ("looks", "landing.look"),
    ):
        query = sql.SQL("delete from {} where delivery_id = any(%s)").format(sql.Identifier(*table.split(".")))
        counts[store] += connection.execute(query, [deliveries]).rowcount
    return counts


def _deliveries(connection: psycopg.Connection, deliveries: Sequence[int], removal_id: int) -> Counts:
    """Let the deliveries be what was known until now, and mark those of their files that no other delivery has."""
    connection.execute(
        "update landing.delivery_table set rows_loaded = 0, rows_quarantined = 0, rows_erased = rows_in"
        " where delivery_id = any(%s)",
        [deliveries],
    )
    connection.execute(
        "update landing.delivery set rows_loaded = 0, rows_quarantined = 0, rows_erased = rows_in, expired_by = %s,"
        " status = case status when 'accepted' then 'superseded' else status end,"
        " superseded_at = case status when 'accepted' then greatest(%s, accepted_at) else superseded_at end"
        " where delivery_id = any(%s)",
        [removal_id, clock.now(), deliveries],
    )
    connection.execute("set constraints all immediate")
    files = connection.execute(
        "select sha256 from landing.delivery_file where delivery_id = any(%(ids)s) union"
        " select kept_as from landing.delivery_file where delivery_id = any(%(ids)s) and kept_as is not null"
        " except (select unnest(array[sha256, kept_as]) from landing.delivery_file"
        " inner join landing.delivery using (delivery_id) where expired_by is null)",
        {"ids": deliveries},
    ).fetchall()
    return Counter(files=archives.withhold_files(connection, removal_id, [sha256 for (sha256,) in files]))


@dataclass(frozen=True, slots=True)
class _Left:
    """Profiles that no record says any more, and persons who have no other."""

    profiles: list[object]
    persons: list[str]


def _left(connection: psycopg.Connection, partnership: str) -> _Left:
    profiles = connection.execute(
        "select profile_id, person_id from identity.profile where partnership = %s"
        " and not exists (select from identity.link inner join landing.delivery using (delivery_id)"
        " where link.profile_id = profile.profile_id and delivery.partnership = profile.partnership)",
        [partnership],
    ).fetchall()
    persons = connection.execute(
        "select distinct person_id from identity.profile where person_id = any(%s) and partnership = %s"
        " except select person_id from identity.link order by 1",
        [[person for _, person in profiles], partnership],
    ).fetchall()
    return _Left([profile for profile, _ in profiles], [person for (person,) in persons])
