"""Reading again, from the archive, what the contract of its day did not let in."""

import logging
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg

from send_returns import feeds, warehouse
from send_returns.failure import Failure
from send_returns.landing import completeness
from send_returns.landing.archive import UNPACKING
from send_returns.landing.arrival import register
from send_returns.landing.partnership import Partnership, partnership
from send_returns.landing.raw_tables import ensure_raw_tables
from send_returns.landing.reading import Arrived, Landing
from send_returns.settings import Settings

OUTCOMES = (
    "read_again",
    "accepted",
    "refused",
    "held",
    "duplicate",
    "damaged",
    "withheld",
    "rows_in",
    "loaded",
    "quarantined",
)
# A cell that could not be read, a code that was not known, a column that was kept aside.
DRIFT = ["F01", "F02", "F07"]
log = logging.getLogger(__name__)


def replay(settings: Settings, as_of: date, feed: str | None = None, of: Partnership | None = None) -> dict[str, Any]:
    """Read refused deliveries and those that the contract did not wholly let in again, under the newest contract.

    An accepted reading takes the place of the earlier one of the same bytes, which stays for the runs that read it.
    Nothing is read twice under one contract. Returns counts, `damaged` being deliveries whose archived files are not
    what they were, and `withheld` those whose files a removal took away. `feed`: only this one. Raises Failure.
    """
    whose = of or partnership(settings.partnership, as_of)
    contracts = feeds.feeds(changes=settings.changes)
    known = [one for one in contracts if feed in (None, one.id)]
    if not known:
        raise Failure(f"Feed {feed} has no contract: choose one of {', '.join(one.id for one in contracts)}.")
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    with warehouse.connect(settings, purpose="send-returns replay") as connection:
        ensure_raw_tables(connection, settings.changes)
        connection.commit()
        for one in known:
            for delivery in _unfinished(connection, whose, one):
                arrived = _from_archive(settings, connection, delivery)
                if arrived is None and _is_withheld(connection, delivery):
                    log.warning(
                        "%s: delivery %d is no longer in the archive, by the right of a person or at the end of its"
                        " time, and cannot be read again: ask for a new extract.",
                        one.id,
                        delivery,
                    )
                    counts["withheld"] += 1
                    continue
                if arrived is None:
                    log.error("%s: delivery %d is not in the archive as it arrived.", one.id, delivery)
                    counts["damaged"] += 1
                    continue
                counts["read_again"] += 1
                counts.update(
                    Landing(connection, one, arrived, whose, settings.folder(UNPACKING), is_replay=True).run()
                )
                connection.commit()
        register(connection, whose.id, as_of)
    return dict(counts)


def _unfinished(connection: psycopg.Connection, whose: Partnership, feed: feeds.Feed) -> list[int]:
    rows = connection.execute(
        "select delivery_id from landing.delivery where partnership = %s and feed = %s and contract_version <> %s"
        " and (status = 'refused' or status in ('accepted', 'held') and (rows_quarantined > 0 or exists"
        " (select from audit.finding where finding.delivery_id = delivery.delivery_id and rule = any(%s))))"
        " order by received_at, delivery_id",
        [whose.id, feed.id, feed.version, DRIFT],
    ).fetchall()
    return [row[0] for row in rows]


def _is_withheld(connection: psycopg.Connection, delivery: int) -> bool:
    row = connection.execute(
        "select 1 from landing.delivery_file inner join landing.delivery_file as same using (sha256)"
        " where delivery_file.delivery_id = %s and same.removed_by is not null limit 1",
        [delivery],
    ).fetchone()
    return row is not None


def _from_archive(settings: Settings, connection: psycopg.Connection, delivery: int) -> Arrived | None:
    """The delivery as it arrived, each file by the hash of its bytes; None when one is missing or has changed.

    Of a file from which a removal took rows there is a copy without them, which is read in its name.
    """
    name, content = connection.execute(
        "select name, content_sha256 from landing.delivery where delivery_id = %s", [delivery]
    ).fetchone() or ("", "")
    listed = connection.execute(
        "select file_name, sha256, bytes, (select max(kept_as) from landing.delivery_file as same"
        " where same.sha256 = delivery_file.sha256) from landing.delivery_file where delivery_id = %s"
        ' order by file_name collate "C"',
        [delivery],
    ).fetchall()
    files = []
    for file_name, sha256, size, kept_as in listed:
        try:
            source = feeds.examine(settings.folder("archive") / (kept_as or sha256), file_name)
        except OSError:
            return None
        if source.sha256 != (kept_as or sha256):
            return None
        files.append(replace(source, sha256=sha256, size=size))
    is_set = not (len(files) == 1 and files[0].sha256 == content)
    manifest = next((file for wanted in completeness.MANIFESTS for file in files if file.name == wanted), None)
    if not is_set or manifest is None:
        return Arrived(name, is_set, files, files)
    sources = [file for file in files if file is not manifest]
    return Arrived(name, is_set, sources, files, completeness.broken(manifest, sources))
