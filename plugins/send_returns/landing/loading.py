"""Landing: what is in the inbox goes to the archive, then, delivery by delivery, into the raw tables or quarantine."""

import hashlib
import io
import logging
import os
import queue
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from send_returns import feeds, warehouse
from send_returns.failure import Failure
from send_returns.feeds.checking import finding
from send_returns.landing.archive import StillArriving, archive
from send_returns.landing.arrival import register
from send_returns.landing.partnership import Partnership, partnership
from send_returns.landing.raw_tables import columns
from send_returns.settings import Settings

LOCK = 0x5E4D
# Batches made ahead of the server, and feeds landed at a time: one's parsing overlaps the other's loading.
AHEAD = 8
AT_ONCE = 2
OUTCOMES = ("accepted", "refused", "unchanged", "arriving", "unreadable", "rows_in", "loaded", "quarantined")
log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """A delivery in the inbox. `name` and file names are text for storage, whatever bytes the file system had."""

    feed: feeds.Feed
    name: str
    files: tuple[tuple[str, Path], ...]
    is_set: bool


def land(
    settings: Settings, organisation: str, inbox: Path, as_of: date, of: Partnership | None = None
) -> dict[str, Any]:
    """Land every delivery of one organisation and renew the arrival register as of a day.

    Each delivery is one transaction. Returns counts: deliveries accepted, refused, unchanged (the same bytes are there
    already), arriving (left for the next time) and unreadable (links and the like), rows in, loaded and quarantined,
    and the same per feed. `of`: the partnership that they must come from, if not that of `settings`. Raises Failure.
    """
    if organisation not in feeds.ORGANISATIONS:
        raise Failure(f"Organisation {organisation} is not one of {', '.join(feeds.ORGANISATIONS)}.")
    if not inbox.is_dir():
        raise Failure(f"Inbox {inbox} is not a folder: make it, or name another.")
    whose = of or partnership(settings.partnership, as_of)
    deliveries: dict[str, list[Found]] = {}
    for found in discover(inbox, organisation):
        deliveries.setdefault(found.feed.id, []).append(found)
    # The heaviest first, so that it is not what everyone waits for at the end.
    heaviest = sorted(deliveries, key=lambda feed: (-sum(map(_size, deliveries[feed])), feed))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="landing") as pool:
        work = {feed: pool.submit(_feed, settings, deliveries[feed], whose) for feed in heaviest}
        by_feed = {feed: work[feed].result() for feed in deliveries}
    with warehouse.connect(settings, purpose="send-returns register arrivals") as connection:
        register(connection, whose.id, as_of)
    total = Counter(dict.fromkeys(OUTCOMES, 0))
    for counts in by_feed.values():
        total.update(counts)
    return {**total, "feeds": {feed: dict(counts) for feed, counts in by_feed.items()}}


def _size(found: Found) -> int:
    return sum(path.lstat().st_size for _, path in found.files)


def _feed(settings: Settings, deliveries: list[Found], whose: Partnership) -> Counter[str]:
    """Land the deliveries of one feed in their order, because a later one replaces an earlier one of its period."""
    counts: Counter[str] = Counter()
    feed = deliveries[0].feed
    with warehouse.connect(settings, purpose=f"send-returns land {feed.id}") as connection:
        taken = connection.execute(
            "select delivery_id from landing.delivery where partnership = %s and feed = %s and status <> 'refused'",
            [whose.id, feed.id],
        ).fetchall()
        connection.commit()
        current = _Arrived(deliveries[0], [], whose)
        try:
            with closing(_ahead(_steps(settings, deliveries, whose, {known for (known,) in taken}))) as steps:
                for step in steps:
                    if isinstance(step, _Arrived):
                        current = step
                    elif outcome := _take(connection, current, step):
                        counts.update(outcome)
                        told = ", ".join(f"{number} {what}" for what, number in outcome.items())
                        log.info("%s %s: %s", feed.id, _shown(current.found.name), told)
        except psycopg.Error as error:
            # The server's text may quote the row that it stumbled on.
            raise Failure(
                f"{feed.id}: the database did not take delivery {_shown(current.found.name)}"
                f" (SQLSTATE {error.sqlstate}). Nothing of it was kept: land again, and report it if that fails too."
            ) from None
    return counts


def discover(inbox: Path, organisation: str) -> Iterator[Found]:
    """Deliveries in `inbox/organisation/<feed>/`, by feed and name. Folders of no known feed are told to the log."""
    home = inbox / organisation
    known = {feed.id for feed in feeds.feeds(organisation)}
    strangers = (
        sorted(e.name for e in os.scandir(home) if _is_ready(e.name) and e.name not in known) if home.is_dir() else []
    )
    if strangers:
        log.warning("%s: %d entries are no feed's folder and were not looked at.", organisation, len(strangers))
    for feed in feeds.feeds(organisation):
        folder = home / feed.id
        if not folder.is_dir():
            continue
        for entry in sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name)):
            if not _is_ready(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                inside = sorted(os.scandir(entry.path), key=lambda e: os.fsencode(e.name))
                files = tuple((_text(e.name), Path(e.path)) for e in inside if _is_ready(e.name))
                yield Found(feed, _text(entry.name), files, True)
            else:
                yield Found(feed, _text(entry.name), ((_text(entry.name), Path(entry.path)),), False)


def _is_ready(name: str) -> bool:
    return not name.startswith(".") and not name.endswith((".part", ".tmp"))


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def content_hash(sources: Iterable[feeds.Source], is_set: bool) -> str:
    """SHA-256 of a delivery: of the file, or of a set's sorted (name, SHA-256) pairs."""
    pairs = sorted((source.name, source.sha256) for source in sources)
    if not is_set:
        return pairs[0][1]
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in pairs).encode()).hexdigest()


def delivery_id(of: str, feed: str, content_sha256: str) -> int:
    """The same bytes for the same partnership and feed have the same id in every database."""
    digest = hashlib.sha256(f"{of}\0{feed}\0{content_sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class _Arrived:
    """A delivery whose files are in the archive."""

    def __init__(self, found: Found, sources: list[feeds.Source], whose: Partnership) -> None:
        self.found, self.sources, self.whose = found, sources, whose
        self.content = content_hash(sources, found.is_set) if sources else hashlib.sha256().hexdigest()
        self.id = delivery_id(whose.id, found.feed.id, self.content)
        self.is_known = False


Copy = tuple[sql.SQL | sql.Composed, bytes]
# What the working thread hands over, in order: a delivery that begins, rows to copy, how it ended (read to its end,
# refused, or an outcome that needs no database).
Step = _Arrived | list[Copy] | feeds.Delivery | feeds.Refused | str


def _steps(settings: Settings, deliveries: list[Found], whose: Partnership, taken: set[int]) -> Iterator[Step]:
    """Archive, read and type one delivery after the other; those `taken` before are not read again."""
    for found in deliveries:
        try:
            sources = [archive(settings, path, name) for name, path in found.files]
        except StillArriving:
            yield "arriving"
            continue
        except OSError as error:
            log.error(  # noqa: TRY400 - the reason in one line; a traceback adds nothing
                "%s: a file of delivery %s cannot be read (%s). Links are not followed: put the file itself there.",
                found.feed.id,
                _shown(found.name),
                error.strerror,
            )
            yield "unreadable"
            continue
        arrived = _Arrived(found, sources, whose)
        yield arrived
        if arrived.id in taken:
            yield "unchanged"
            continue
        delivery = feeds.Delivery(found.feed, found.name, sources, whose.la_number)
        try:
            yield []
            for batch in delivery.batches():
                yield _encoded(batch, arrived.id)
        except feeds.Refused as refusal:
            yield refusal
        else:
            yield delivery


def _take(connection: psycopg.Connection, arrived: _Arrived, step: Step) -> dict[str, int] | None:
    """Do one step in the database, and say how the delivery ended if it did; each is one transaction."""
    match step:
        case str():
            return {step: 1}
        case list():
            if connection.info.transaction_status == TransactionStatus.IDLE:
                arrived.is_known = _is_known(connection, arrived)
                if not arrived.is_known:
                    _record(connection, arrived, "accepted", None)
            if not arrived.is_known:
                for statement, data in step:
                    with connection.cursor().copy(statement) as copy:
                        copy.write(data)
            return None
        case feeds.Refused():
            connection.rollback()
            outcome = _refuse(connection, arrived, str(step))
        case feeds.Delivery():
            outcome = {"unchanged": 1} if arrived.is_known else _accept(connection, arrived, step)
    connection.commit()
    return outcome


def _is_known(connection: psycopg.Connection, arrived: _Arrived) -> bool:
    """Whether these bytes were taken before. What was refused is tried again: the contract may have changed."""
    whose = f"{arrived.whose.id}/{arrived.found.feed.id}"
    connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, whose])
    known = connection.execute(
        "select 1 from landing.delivery where delivery_id = %s and status <> 'refused'", [arrived.id]
    ).fetchone()
    return known is not None


def _record(connection: psycopg.Connection, arrived: _Arrived, status: str, reason: str | None) -> None:
    feed = arrived.found.feed
    connection.execute("delete from audit.finding where delivery_id = %s", [arrived.id])
    connection.execute(
        "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
        " content_sha256, status, reason, rows_in, rows_loaded, rows_quarantined)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0)"
        " on conflict (delivery_id) do update set status = excluded.status, reason = excluded.reason,"
        " contract_version = excluded.contract_version, name = excluded.name",
        [
            arrived.id,
            arrived.whose.id,
            feed.organisation,
            feed.id,
            feed.version,
            arrived.found.name,
            arrived.content,
            status,
            reason,
        ],
    )
    connection.cursor().executemany(
        "insert into landing.delivery_file values (%s, %s, %s, %s) on conflict do nothing",
        [[arrived.id, source.name, source.sha256, source.size] for source in arrived.sources],
    )


def _accept(connection: psycopg.Connection, arrived: _Arrived, delivery: feeds.Delivery) -> dict[str, int]:
    """Write the counts and the period of a delivery whose rows are loaded; it replaces the earlier of its period."""
    for table, counts in delivery.counts.items():
        connection.execute(
            "insert into landing.delivery_table values (%s, %s, %s, %s, %s)",
            [arrived.id, table, counts.rows_in, counts.loaded, counts.quarantined],
        )
    loaded = sum(counts.loaded for counts in delivery.counts.values())
    quarantined = sum(counts.quarantined for counts in delivery.counts.values())
    period = delivery.period
    connection.execute(
        "update landing.delivery set status = 'superseded'"
        " where partnership = %s and feed = %s and period_key = %s and status = 'accepted'",
        [arrived.whose.id, arrived.found.feed.id, period.key],
    )
    connection.execute(
        "update landing.delivery set period_key = %s, reference_on = %s, rows_in = %s, rows_loaded = %s,"
        " rows_quarantined = %s where delivery_id = %s",
        [period.key, period.reference_on, loaded + quarantined, loaded, quarantined, arrived.id],
    )
    return {"accepted": 1, "rows_in": loaded + quarantined, "loaded": loaded, "quarantined": quarantined}


def _refuse(connection: psycopg.Connection, arrived: _Arrived, reason: str) -> dict[str, int]:
    """Record a delivery of which nothing is loaded, and why."""
    if _is_known(connection, arrived):
        return {"unchanged": 1}
    _record(connection, arrived, "refused", reason)
    with connection.cursor().copy(_FINDING) as copy:
        copy.write(_findings(finding("F16", "", expected=reason), arrived.id))
    return {"refused": 1}


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")[:120]


_FINDING = sql.SQL(
    "copy audit.finding (scope, delivery_id, rule, severity, table_name, fields, row_number, message)"
    " from stdin (format csv)"
)
_QUARANTINE = sql.SQL(
    "copy landing.quarantine (delivery_id, table_name, row_number, reasons, raw) from stdin (format csv)"
)


def _encoded(batch: feeds.Checked, delivery: int) -> list[Copy]:
    """COPY statements with their data. Text is never empty here, so that an empty cell can stand for null."""
    pieces: list[Copy] = []
    table = batch.table
    if batch.loaded.height:
        names = list(columns(table))
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
            sql.Identifier(table.raw_schema, table.raw_name), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        pieces.append((statement, _csv(batch.loaded.with_columns(_delivery_id=pl.lit(delivery)).select(names))))
    if batch.quarantined.height:
        rows = batch.quarantined.select(
            pl.lit(delivery).alias("id"), pl.lit(table.name).alias("t"), "row_number", _array("reasons"), "raw"
        )
        pieces.append((_QUARANTINE, _csv(rows)))
    if batch.findings.height:
        pieces.append((_FINDING, _findings(batch.findings, delivery)))
    return pieces


def _findings(found: pl.DataFrame, delivery: int) -> bytes:
    return _csv(
        found.select(
            pl.lit("delivery").alias("scope"),
            pl.lit(delivery).alias("id"),
            "rule",
            "severity",
            "table_name",
            _array("fields"),
            "row_number",
            "message",
        )
    )


def _array(name: str) -> pl.Expr:
    """A list of text as Postgres writes an array."""
    quoted = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    items = pl.col(name).list.eval(pl.concat_str(pl.lit('"'), quoted, pl.lit('"')))
    return pl.concat_str(pl.lit("{"), items.list.join(","), pl.lit("}")).alias(name)


def _csv(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False)
    return buffer.getvalue()


def _ahead(source: Iterator[T]) -> Generator[T, None, None]:
    """The same items, made by a thread that works ahead: the next batch is typed while the server takes this one."""
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def work() -> None:
        try:
            for item in source:
                ready.put((item,))
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            ready.put(error)

    worker = threading.Thread(target=work, name="landing-ahead", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stop.set()
        while worker.is_alive():
            try:
                ready.get(timeout=0.05)
            except queue.Empty:
                continue
