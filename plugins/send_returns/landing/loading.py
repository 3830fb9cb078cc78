"""Landing: what is in the inbox goes to the archive, then, delivery by delivery, into the raw tables or quarantine."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from send_returns import feeds, warehouse
from send_returns.failure import Failure
from send_returns.landing import completeness, stores
from send_returns.landing.archive import UNPACKING, StillArriving, archive, sweep
from send_returns.landing.arrival import register
from send_returns.landing.completeness import Found
from send_returns.landing.partnership import Partnership, partnership
from send_returns.landing.reading import Arrived, Landing, ahead
from send_returns.landing.stores import Store
from send_returns.settings import Settings

OUTCOMES = (
    "accepted",
    "refused",
    "held",
    "duplicate",
    "unchanged",
    "arriving",
    "unreadable",
    "rows_in",
    "loaded",
    "quarantined",
)
log = logging.getLogger(__name__)


def land(
    settings: Settings, organisation: str, inbox: Path | str, as_of: date, of: Partnership | None = None
) -> dict[str, Any]:
    """Land every delivery of one organisation and renew the arrival register as of a day.

    `inbox`: a folder, or the URL of a store. Each delivery is one transaction. Returns counts: deliveries accepted,
    refused, held (older than what is known of their period), duplicate (the same data as that), unchanged (the same
    bytes), arriving (left for the next time) and unreadable (links and the like), rows in, loaded and quarantined,
    and the same per feed. `of`: the partnership that they must come from, if not that of `settings`. Raises Failure.
    """
    if organisation not in feeds.ORGANISATIONS:
        raise Failure(f"Organisation {organisation} is not one of {', '.join(feeds.ORGANISATIONS)}.")
    whose = of or partnership(settings.partnership, as_of)
    place = stores.store(settings, inbox)
    sweep(settings)
    try:
        found = completeness.look(
            settings, place, organisation, whose.id, feeds.feeds(organisation, changes=settings.changes)
        )
        by_feed = _by_feed(settings, place, organisation, found, whose)
    except stores.Dropped as error:
        raise Failure(
            f"Inbox {place.shown} was lost ({error.strerror}): what had come whole is landed, land again for the rest."
        ) from None
    with warehouse.connect(settings, purpose="send-returns register arrivals") as connection:
        register(connection, whose.id, as_of)
    total = Counter(dict.fromkeys(OUTCOMES, 0))
    for counts in by_feed.values():
        total.update(counts)
    return {**total, "feeds": {feed: dict(counts) for feed, counts in by_feed.items()}}


def _by_feed(
    settings: Settings, store: Store, organisation: str, inbox: completeness.Inbox, whose: Partnership
) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for outcome, some in (("arriving", inbox.arriving), ("unchanged", inbox.unchanged)):
        for found in some:
            counts.setdefault(found.feed.id, Counter())[outcome] += 1
            if outcome == "arriving":
                log.warning(
                    "%s: delivery %s has not wholly arrived: it is looked at again next time.",
                    found.feed.id,
                    feeds.shown(found.name),
                )
    deliveries: dict[str, list[Found]] = {}
    for found in inbox.ready:
        deliveries.setdefault(found.feed.id, []).append(found)
    # The heaviest first, so that it is not what everyone waits for at the end.
    heaviest = sorted(deliveries, key=lambda feed: (-sum(map(_size, deliveries[feed])), feed))
    looks = completeness.Looks(settings, store, organisation, whose.id)
    # One's parsing overlaps the other's loading.
    with ThreadPoolExecutor(settings.workers, thread_name_prefix="landing") as pool:
        work = {feed: pool.submit(_feed, settings, store, looks, deliveries[feed], whose) for feed in heaviest}
        for feed in heaviest:
            counts.setdefault(feed, Counter()).update(work[feed].result())
    return dict(sorted(counts.items()))


def _size(found: Found) -> int:
    return sum(entry.size for entry in found.files)


def _feed(
    settings: Settings, store: Store, looks: completeness.Looks, deliveries: list[Found], whose: Partnership
) -> Counter[str]:
    """Land the deliveries of one feed in their order, because a later one replaces an earlier one of its period."""
    counts: Counter[str] = Counter()
    archived = ((found, _archived(settings, store, found)) for found in deliveries)
    with (
        warehouse.connect(settings, purpose=f"send-returns land {deliveries[0].feed.id}") as connection,
        closing(ahead(archived)) as ready,
    ):
        for found, arrived in ready:
            if isinstance(arrived, str):
                counts[arrived] += 1
                continue
            landing = Landing(connection, found.feed, arrived, whose, settings.folder(UNPACKING))
            counts.update(landing.run())
            try:
                looks.note(connection, found, landing.delivery_id)
                connection.commit()
            except psycopg.Error as error:
                raise Failure(
                    f"{found.feed.id}: the database was lost (SQLSTATE {error.sqlstate}) at {feeds.shown(found.name)}."
                    " What was landed before is kept: land again."
                ) from None
        if counts["loaded"]:
            _count_up(connection, deliveries)
    return counts


def _count_up(connection: psycopg.Connection, deliveries: list[Found]) -> None:
    """Tell the planner how many rows there are now. Left to itself, the database does so up to a minute later, and who
    joins whole tables of a delivery before takes each for nearly empty."""
    names = sorted({(table.raw_schema, table.raw_name) for found in deliveries for table in found.feed.tables})
    tables = sql.SQL(", ").join(sql.Identifier(*name) for name in names)
    connection.execute(sql.SQL("analyze {}").format(tables))
    connection.commit()


def _archived(settings: Settings, store: Store, found: Found) -> Arrived | str:
    """The delivery's files in the archive, or the outcome that there is instead."""
    try:
        sources = [archive(settings, store, entry) for entry in found.files]
        manifest = [archive(settings, store, found.manifest)] if found.manifest else []
    except StillArriving:
        return "arriving"
    except stores.Dropped:
        raise
    except OSError as error:
        log.error(  # noqa: TRY400 - the reason in one line; a traceback adds nothing
            "%s: a file of delivery %s cannot be read (%s). Links are not followed: put the file itself there.",
            found.feed.id,
            feeds.shown(found.name),
            error.strerror,
        )
        return "unreadable"
    refusal = completeness.broken(manifest[0], sources) if manifest else None
    return Arrived(found.name, found.is_set, sources, sources + manifest, refusal)
