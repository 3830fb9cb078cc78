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
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import psycopg
from psycopg import sql

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
AHEAD = 2
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
    # Only an order of work; whether a file can be read is for the archive to say.
    return sum(path.lstat().st_size for _, path in found.files if os.path.lexists(path))


def _feed(settings: Settings, deliveries: list[Found], whose: Partnership) -> Counter[str]:
    """Land the deliveries of one feed in their order, because a later one replaces an earlier one of its period."""
    counts: Counter[str] = Counter()
    archived = ((found, _archived(settings, found)) for found in deliveries)
    with (
        warehouse.connect(settings, purpose=f"send-returns land {deliveries[0].feed.id}") as connection,
        closing(_ahead(archived)) as ready,
    ):
        for found, sources in ready:
            counts.update({sources: 1} if isinstance(sources, str) else _one(connection, found, sources, whose))
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
            itself = ((_text(entry.name), Path(entry.path)),)
            if not entry.is_dir(follow_symlinks=False):
                yield Found(feed, _text(entry.name), itself, False)
                continue
            try:
                inside = sorted(os.scandir(entry.path), key=lambda e: os.fsencode(e.name))
            except OSError:
                # A folder that may not be opened goes to the archive as it is, which tells why and counts it.
                yield Found(feed, _text(entry.name), itself, False)
                continue
            yield Found(
                feed, _text(entry.name), tuple((_text(e.name), Path(e.path)) for e in inside if _is_ready(e.name)), True
            )


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


def _archived(settings: Settings, found: Found) -> list[feeds.Source] | str:
    """The delivery's files in the archive, or the outcome that there is instead."""
    try:
        return [archive(settings, path, name) for name, path in found.files]
    except StillArriving:
        return "arriving"
    except OSError as error:
        log.error(  # noqa: TRY400 - the reason in one line; a traceback adds nothing
            "%s: a file of delivery %s cannot be read (%s). Links are not followed: put the file itself there.",
            found.feed.id,
            _shown(found.name),
            error.strerror,
        )
        return "unreadable"


def _one(
    connection: psycopg.Connection, found: Found, sources: list[feeds.Source], whose: Partnership
) -> dict[str, int]:
    landing = _Landing(connection, found, sources, whose)
    try:
        try:
            with connection.transaction():
                outcome = landing.load()
        except feeds.Refused as refusal:
            with connection.transaction():
                outcome = landing.refuse(str(refusal))
        connection.commit()
    except psycopg.Error as error:
        # The server's text may quote the row that it stumbled on.
        raise Failure(
            f"{found.feed.id}: the database did not take delivery {_shown(found.name)} (SQLSTATE {error.sqlstate})."
            " Nothing of it was kept: land again, and report it if that fails too."
        ) from None
    log.info("%s %s: %s", found.feed.id, _shown(found.name), ", ".join(f"{n} {what}" for what, n in outcome.items()))
    return outcome


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")[:120]


class _Landing:
    """One delivery into the database; the caller holds the transaction."""

    def __init__(
        self, connection: psycopg.Connection, found: Found, sources: list[feeds.Source], whose: Partnership
    ) -> None:
        self._connection, self._found, self._sources, self._whose = connection, found, sources, whose
        self._content = content_hash(sources, found.is_set) if sources else hashlib.sha256().hexdigest()
        self._id = delivery_id(whose.id, found.feed.id, self._content)

    def load(self) -> dict[str, int]:
        """Load all rows, or none. Raises Refused."""
        feed = self._found.feed
        if self._is_known():
            return {"unchanged": 1}
        delivery = feeds.Delivery(feed, self._found.name, self._sources, self._whose.la_number)
        self._record("accepted", None)
        with closing(_ahead(_encoded(batch, self._id) for batch in delivery.batches())) as ready:
            for statement, data in chain.from_iterable(ready):
                with self._connection.cursor().copy(statement) as copy:
                    copy.write(data)
        counts = delivery.counts
        for table, of_table in counts.items():
            self._connection.execute(
                "insert into landing.delivery_table values (%s, %s, %s, %s, %s)",
                [self._id, table, of_table.rows_in, of_table.loaded, of_table.quarantined],
            )
        loaded = sum(of_table.loaded for of_table in counts.values())
        quarantined = sum(of_table.quarantined for of_table in counts.values())
        period = delivery.period
        self._connection.execute(
            "update landing.delivery set status = 'superseded'"
            " where partnership = %s and feed = %s and period_key = %s and status = 'accepted'",
            [self._whose.id, feed.id, period.key],
        )
        self._connection.execute(
            "update landing.delivery set period_key = %s, reference_on = %s, rows_in = %s, rows_loaded = %s,"
            " rows_quarantined = %s where delivery_id = %s",
            [period.key, period.reference_on, loaded + quarantined, loaded, quarantined, self._id],
        )
        return {"accepted": 1, "rows_in": loaded + quarantined, "loaded": loaded, "quarantined": quarantined}

    def refuse(self, reason: str) -> dict[str, int]:
        """Record a delivery of which nothing was loaded, and why."""
        if self._is_known():
            return {"unchanged": 1}
        self._record("refused", reason)
        told = finding("F16", "", expected=reason)
        with self._connection.cursor().copy(_FINDING) as copy:
            copy.write(_findings(told, self._id))
        return {"refused": 1}

    def _is_known(self) -> bool:
        """Whether these bytes were taken before. What was refused is tried again: the contract may have changed."""
        self._connection.execute(
            "select pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, f"{self._whose.id}/{self._found.feed.id}"]
        )
        return bool(
            self._connection.execute(
                "select 1 from landing.delivery where delivery_id = %s and status <> 'refused'", [self._id]
            ).fetchone()
        )

    def _record(self, status: str, reason: str | None) -> None:
        found = self._found
        self._connection.execute("delete from audit.finding where delivery_id = %s", [self._id])
        self._connection.execute(
            "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
            " content_sha256, status, reason, rows_in, rows_loaded, rows_quarantined)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0)"
            " on conflict (delivery_id) do update set status = excluded.status, reason = excluded.reason,"
            " contract_version = excluded.contract_version, name = excluded.name",
            [
                self._id,
                self._whose.id,
                found.feed.organisation,
                found.feed.id,
                found.feed.version,
                found.name,
                self._content,
                status,
                reason,
            ],
        )
        self._connection.cursor().executemany(
            "insert into landing.delivery_file values (%s, %s, %s, %s) on conflict do nothing",
            [[self._id, source.name, source.sha256, source.size] for source in self._sources],
        )


_FINDING = sql.SQL(
    "copy audit.finding (scope, delivery_id, rule, severity, table_name, fields, row_number, message)"
    " from stdin (format csv)"
)
_QUARANTINE = sql.SQL(
    "copy landing.quarantine (delivery_id, table_name, row_number, reasons, raw) from stdin (format csv)"
)


def _encoded(batch: feeds.Checked, delivery: int) -> list[tuple[sql.SQL | sql.Composed, bytes]]:
    """COPY statements with their data. Text is never empty here, so that an empty cell can stand for null."""
    pieces: list[tuple[sql.SQL | sql.Composed, bytes]] = []
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
    ready: queue.Queue[T | BaseException | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def work() -> None:
        try:
            for item in source:
                ready.put(item)
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
            yield item
    finally:
        stop.set()
        while worker.is_alive():
            try:
                ready.get(timeout=0.05)
            except queue.Empty:
                continue
