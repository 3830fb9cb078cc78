"""A delivery in the archive, into the database: its rows into the raw tables or quarantine, and what became of it."""

import hashlib
import io
import logging
import queue
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl
import psycopg
from psycopg import sql

from send_returns import clock, feeds, warehouse
from send_returns.failure import Failure
from send_returns.feeds.checking import finding
from send_returns.landing.partnership import Partnership
from send_returns.landing.raw_tables import columns
from send_returns.settings import Settings

LOCK = 0x5E4D
# Batches made ahead of the server: the next is typed while the server takes this one.
AHEAD = 2
EMPTY = hashlib.sha256().hexdigest()
# What its rows are counted as, if they are, the statement, and its data.
Piece = tuple[Literal["loaded", "quarantined"] | None, sql.SQL | sql.Composed, bytes]
log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivery in the archive. `sources`: what is read; `files`: with its manifest; `refusal`: why it is not read."""

    name: str
    is_set: bool
    sources: list[feeds.Source]
    files: list[feeds.Source]
    refusal: str | None = None


def content_hash(sources: Iterable[feeds.Source], is_set: bool) -> str:
    """SHA-256 of a delivery: of the file, or of a set's sorted (name, SHA-256) pairs."""
    pairs = sorted((source.name, source.sha256) for source in sources)
    if not is_set:
        return pairs[0][1]
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in pairs).encode()).hexdigest()


def named_for(feed: feeds.Feed, arrived: Arrived) -> str:
    """The period in the name, where nothing else says it: there, the same bytes under another name are other news."""
    if feed.period.key:
        return ""
    names = (arrived.name, *(source.name for source in arrived.sources))
    period = next((period for name in names if (period := feed.period.from_name(name))), None)
    return f"{period.key} {period.reference_on}" if period else ""


def delivery_id(of: str, feed: str, content_sha256: str, named: str, contract_version: str) -> int:
    """The same bytes for the same period, read under the same contract, have the same id in every database."""
    parts = (of, feed, content_sha256, named, contract_version)
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big") >> 1


class Digest:
    """What the rows of a table come to whatever their order: those loaded, those in quarantine, and what was found of
    each. Equal digests are the same data, however the file was sorted or encoded."""

    def __init__(self) -> None:
        """Of no rows."""
        self._sums = [0, 0, 0]

    def update(self, batch: feeds.Checked) -> None:
        """Take the rows of a batch."""
        of_rows = batch.findings.filter(pl.col("row_number").is_not_null() & (pl.col("severity") != "info"))
        frames = (
            batch.loaded.drop("_row_number", strict=False),
            batch.quarantined.select("raw"),
            of_rows.select("rule", pl.col("fields").list.join(",")),
        )
        for position, frame in enumerate(frames):
            if frame.height:
                total = int(frame.hash_rows().to_numpy().sum(dtype="uint64"))
                self._sums[position] = (self._sums[position] + total) % (1 << 64)

    def __str__(self) -> str:
        return "-".join(f"{total:016x}" for total in self._sums)


class _Duplicate(Exception):
    """The rows are those of the delivery that answers for the period already."""

    def __init__(self, period: feeds.Period, reason: str) -> None:
        super().__init__(reason)
        self.period = period


class Landing:
    """One delivery, read under its feed's contract, into the database."""

    def __init__(
        self,
        connection: psycopg.Connection,
        feed: feeds.Feed,
        arrived: Arrived,
        whose: Partnership,
        unpack_in: Path,
        *,
        is_replay: bool = False,
    ) -> None:
        """`unpack_in`: where zips are opened. `is_replay`: read bytes again that were read under another contract."""
        self._connection, self._feed, self._arrived, self._whose = connection, feed, arrived, whose
        self._is_replay, self._unpack_in = is_replay, unpack_in
        self._content = content_hash(arrived.sources, arrived.is_set) if arrived.sources else EMPTY
        self._same = whose.id, feed.id, self._content, named_for(feed, arrived)
        self.delivery_id = delivery_id(*self._same, feed.version)

    def run(self) -> dict[str, int]:
        """What became of it, counted: one transaction, or a part of the caller's. Raises Failure."""
        feed, name = self._feed.id, feeds.shown(self._arrived.name)
        try:
            with self._connection.transaction():
                lock(self._connection, self._whose.id, feed)
                outcome = {"unchanged": 1} if self._is_known() else self._decide()
        except psycopg.Error as error:
            # The server's text may quote the row that it stumbled on.
            raise Failure(
                f"{feed}: the database did not take delivery {name} (SQLSTATE {error.sqlstate})."
                " Nothing of it was kept: land again, and report it if that fails too."
            ) from None
        log.info("%s %s: %s", feed, name, ", ".join(f"{n} {what}" for what, n in outcome.items()))
        return outcome

    def _decide(self) -> dict[str, int]:
        """Load it, or else record why not."""
        try:
            with self._connection.transaction():
                return self._load()
        except feeds.Refused as refusal:
            self._record("refused", str(refusal))
            told = finding("F16", "", expected=str(refusal))
            with self._connection.cursor().copy(_FINDING) as copy:
                copy.write(_findings(told, self.delivery_id))
            return {"refused": 1}
        except _Duplicate as same:
            self._record("duplicate", str(same))
            self._connection.execute(
                "update landing.delivery set period_key = %s, reference_on = %s where delivery_id = %s",
                [same.period.key, same.period.reference_on, self.delivery_id],
            )
            return {"duplicate": 1}

    def _load(self) -> dict[str, int]:
        """Load all rows, or none. Raises Refused and _Duplicate."""
        if self._arrived.refusal:
            raise feeds.Refused(self._arrived.refusal)
        delivery = feeds.Delivery(
            self._feed, self._arrived.name, self._arrived.sources, self._whose.la_number, self._unpack_in
        )
        # Held until it is decided which: a delivery that is not accepted answers for nothing.
        self._record("held", "being read")
        loaded, quarantined, digests = self._copy(delivery)
        period, counts = delivery.period, delivery.counts
        for table, of_table in counts.items():
            self._connection.execute(
                # In is what the reader counted, the rest what the database says that it took.
                "insert into landing.delivery_table values (%s, %s, %s, %s, %s, %s)",
                [
                    self.delivery_id,
                    table,
                    of_table.rows_in,
                    loaded[table],
                    quarantined[table],
                    str(digests[table]) if table in digests else None,
                ],
            )
        self._compare_volume(period, {table: of_table.rows_in for table, of_table in counts.items()})
        self._connection.execute(
            "update landing.delivery set period_key = %s, reference_on = %s, rows_in = %s, rows_loaded = %s,"
            " rows_quarantined = %s where delivery_id = %s",
            [
                period.key,
                period.reference_on,
                sum(of_table.rows_in for of_table in counts.values()),
                loaded.total(),
                quarantined.total(),
                self.delivery_id,
            ],
        )
        # The sums are checked now, so that what is wrong is told of this delivery.
        self._connection.execute("set constraints all immediate")
        status = self._take_the_place(period)
        return {
            status: 1,
            "rows_in": loaded.total() + quarantined.total(),
            "loaded": loaded.total(),
            "quarantined": quarantined.total(),
        }

    def _copy(self, delivery: feeds.Delivery) -> tuple[Counter[str], Counter[str], dict[str, Digest]]:
        """Every batch into the raw tables and quarantine: rows that the server took, by table, and their digests."""
        loaded: Counter[str] = Counter()
        quarantined: Counter[str] = Counter()
        digests: dict[str, Digest] = {}

        def encoded() -> Iterator[tuple[str, list[Piece]]]:
            for batch in delivery.batches():
                digests.setdefault(batch.table.name, Digest()).update(batch)
                yield batch.table.name, _encoded(batch, self.delivery_id)

        with closing(ahead(encoded())) as ready:
            for table, pieces in ready:
                for count, statement, data in pieces:
                    with self._connection.cursor() as cursor:
                        with cursor.copy(statement) as copy:
                            copy.write(data)
                        if count is not None:
                            (loaded if count == "loaded" else quarantined)[table] += cursor.rowcount
        return loaded, quarantined, digests

    def _compare_volume(self, period: feeds.Period, counts: Mapping[str, int]) -> None:
        """Tell of tables shorter or longer than expected, or than in the delivery replaced or else the one before."""
        rows = self._connection.execute(
            "select table_name, rows_in from landing.delivery_table where delivery_id = ("
            " select delivery_id from landing.delivery where partnership = %s and feed = %s and status = 'accepted'"
            " and (period_key = %s or reference_on < %s)"
            " order by period_key = %s desc, reference_on desc, delivery_id limit 1)",
            [self._whose.id, self._feed.id, period.key, period.reference_on, period.key],
        ).fetchall()
        found = feeds.volume_findings(self._feed, counts, dict(rows))
        if found.height:
            with self._connection.cursor().copy(_FINDING) as copy:
                copy.write(_findings(found, self.delivery_id))

    def _take_the_place(self, period: feeds.Period) -> str:
        """Answer for the period from now on, unless what does so already is newer, or the same. Raises _Duplicate."""
        current = self._connection.execute(
            "select current.delivery_id, current.name, current.reference_on, current.received_at > own.received_at"
            " from landing.delivery as current inner join landing.delivery as own using (partnership, feed)"
            " where own.delivery_id = %s and current.period_key = %s and current.status = 'accepted'"
            " and (current.content_sha256, current.named_for) <> (own.content_sha256, own.named_for)",
            [self.delivery_id, period.key],
        ).fetchone()
        if current:
            answering, name, reference_on, came_later = current
            other = feeds.shown(name)
            if reference_on == period.reference_on and self._digests(answering) == self._digests(self.delivery_id):
                raise _Duplicate(period, f"Its data are those of {other}, which answers for {period.key}.")
            if period.reference_on < reference_on:
                return self._hold(f"It describes {period.reference_on}, and {other} describes {reference_on}.")
            if came_later:
                return self._hold(f"It was received before {other}, which answers for {period.key}.")
        _accept(self._connection, self.delivery_id)
        return "accepted"

    def _hold(self, reason: str) -> str:
        self._connection.execute(
            "update landing.delivery set reason = %s where delivery_id = %s",
            [f"{reason} Accept it with `send-returns land --accept-held` if it is to replace that.", self.delivery_id],
        )
        return "held"

    def _digests(self, delivery: int) -> list[tuple[str, str]]:
        return self._connection.execute(
            "select table_name, digest from landing.delivery_table where delivery_id = %s order by table_name",
            [delivery],
        ).fetchall()

    def _is_known(self) -> bool:
        """Whether these bytes were taken before. What was refused is tried again: the contract may have changed."""
        row = self._connection.execute(
            "select delivery_id from landing.delivery"
            " where (partnership, feed, content_sha256, named_for) = (%s, %s, %s, %s)"
            " and status <> 'refused' and (status <> 'superseded' or accepted_at is not null)"
            " and (delivery_id = %s or not %s) order by accepted_at desc nulls last limit 1",
            [*self._same, self.delivery_id, self._is_replay],
        ).fetchone()
        if row is None:
            return False
        self.delivery_id = row[0]
        if not self._is_replay:
            at = clock.now()
            self._connection.execute(
                "insert into landing.sighting as seen values (%s, %s, 1, %s, %s) on conflict (delivery_id, name)"
                " do update set times = seen.times + 1, last_seen_at = excluded.last_seen_at",
                [self.delivery_id, self._arrived.name, at, at],
            )
        return True

    def _record(self, status: str, reason: str) -> None:
        """Write the delivery down, in the place of what was refused of the same bytes."""
        self._connection.execute("delete from audit.finding where delivery_id = %s", [self.delivery_id])
        self._connection.execute(
            "update landing.delivery set status = 'superseded', superseded_at = %s"
            " where (partnership, feed, content_sha256, named_for) = (%s, %s, %s, %s) and status = 'refused'"
            " and delivery_id <> %s",
            [clock.now(), *self._same, self.delivery_id],
        )
        self._connection.execute(
            "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
            " content_sha256, named_for, status, reason, rows_in, rows_loaded, rows_quarantined, received_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0, coalesce((select min(received_at)"
            " from landing.delivery where (partnership, feed, content_sha256, named_for) = (%s, %s, %s, %s)), %s))"
            " on conflict (delivery_id) do update set status = excluded.status, reason = excluded.reason,"
            " name = excluded.name",
            [
                self.delivery_id,
                self._whose.id,
                self._feed.organisation,
                self._feed.id,
                self._feed.version,
                self._arrived.name,
                self._content,
                self._same[-1],
                status,
                reason,
                *self._same,
                clock.now(),
            ],
        )
        self._connection.cursor().executemany(
            "insert into landing.delivery_file values (%s, %s, %s, %s, %s) on conflict do nothing",
            [
                [self.delivery_id, source.name, source.sha256, source.size, source.encoding]
                for source in self._arrived.files
            ],
        )


def lock(connection: psycopg.Connection, of: str, feed: str) -> None:
    """Let one landing at a time decide about a partnership's feed, to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, f"{of}/{feed}"])


def _accept(connection: psycopg.Connection, delivery: int) -> None:
    """Let a delivery answer for its period from now on, in place of what did, and of older readings of its bytes."""
    at = clock.now()
    connection.execute(
        "update landing.delivery as old set status = 'superseded', superseded_at = greatest(%s, old.accepted_at)"
        " from landing.delivery as new where new.delivery_id = %s and old.delivery_id <> new.delivery_id"
        " and (old.partnership, old.feed) = (new.partnership, new.feed)"
        " and (old.period_key = new.period_key and old.status = 'accepted'"
        "  or (old.content_sha256, old.named_for) = (new.content_sha256, new.named_for)"
        "  and old.status in ('accepted', 'held', 'duplicate', 'refused'))",
        [at, delivery],
    )
    connection.execute(
        "update landing.delivery set status = 'accepted', reason = null, accepted_at = %s where delivery_id = %s",
        [at, delivery],
    )


def release_held(settings: Settings, delivery: int) -> None:
    """Accept a delivery that was held, in the place of the newer one that answers for its period. Raises Failure."""
    with warehouse.connect(settings, purpose="send-returns accept held") as connection:
        row = connection.execute(
            "select partnership, feed from landing.delivery where delivery_id = %s and partnership = %s",
            [delivery, settings.partnership],
        ).fetchone()
        if row:
            lock(connection, *row)
        held = connection.execute(
            "select 1 from landing.delivery where delivery_id = %s and status = 'held'", [delivery]
        ).fetchone()
        if row is None or held is None:
            raise Failure(f"{settings.partnership} has no held delivery {delivery}: `send-returns status` lists them.")
        _accept(connection, delivery)


_FINDING = sql.SQL(
    "copy audit.finding (scope, delivery_id, rule, severity, table_name, fields, row_number, message)"
    " from stdin (format csv)"
)
_QUARANTINE = sql.SQL(
    "copy landing.quarantine (delivery_id, table_name, row_number, reasons, raw) from stdin (format csv)"
)


def _encoded(batch: feeds.Checked, delivery: int) -> list[Piece]:
    """COPY statements with their data. Text is never empty here, so that an empty cell can stand for null."""
    pieces: list[Piece] = []
    table = batch.table
    if batch.loaded.height:
        names = list(columns(table))
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
            sql.Identifier(table.raw_schema, table.raw_name), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        pieces.append(
            ("loaded", statement, _csv(batch.loaded.with_columns(_delivery_id=pl.lit(delivery)).select(names)))
        )
    if batch.quarantined.height:
        rows = batch.quarantined.select(
            pl.lit(delivery).alias("id"), pl.lit(table.name).alias("t"), "row_number", _array("reasons"), "raw"
        )
        pieces.append(("quarantined", _QUARANTINE, _csv(rows)))
    if batch.findings.height:
        pieces.append((None, _FINDING, _findings(batch.findings, delivery)))
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


def ahead(source: Iterator[T]) -> Generator[T, None, None]:
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
