"""Erasure and opt-out: what is held of a person goes, and what is kept makes sure that it does not come back."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Json

from send_returns import clock, warehouse
from send_returns.failure import Failure
from send_returns.landing import receipts
from send_returns.publication.drafting import DRAFTS
from send_returns.rights import archives, removal, rows, tombstones
from send_returns.rights.identifiers import exactly, needles
from send_returns.rights.people import also_of_others, everyone, identifiers_of
from send_returns.sealing import parcel
from send_returns.settings import Settings

Kind = Literal["erasure", "opt-out"]


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did. `counts`: rows and files by store, none for an opt-out that is not in force yet.

    `needles`: what identified the person, to be looked for; never to be written anywhere. `shared`: how many
    identifiers another person carries too, whose rows therefore stayed. `archived`, `tables`: where it was.
    """

    removal_id: int
    counts: Counter[str] = field(default_factory=Counter)
    needles: frozenset[str] = frozenset()
    shared: int = 0
    archived: tuple[Path, ...] = ()
    tables: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> int:
        """Rows of deliveries that were removed."""
        return self.counts["raw"] + self.counts["quarantine"]


@dataclass(frozen=True, slots=True)
class _Removal:
    removal_id: int
    partnership: str
    person_id: str


def erase(settings: Settings, person_id: str, *, reason: str, by: str, on: date) -> Removed:
    """Remove a person from every store, in one transaction, and leave a tombstone. Raises Failure.

    Published packs stay as they were sealed; drafts go, to be drafted again. Files are removed after the commit; a kill
    in between leaves that to the next `apply`.
    """
    with warehouse.connect(settings, purpose="send-returns erase") as connection:
        removed = _carry_out(settings, connection, _record(connection, settings, "erasure", person_id, reason, by, on))
    _tidy(settings, on, removed)
    return removed


def opt_out(settings: Settings, person_id: str, *, reason: str, by: str, on: date, today: date) -> Removed:
    """From a day on, hold and process nothing of a person: now, or once `apply` finds that the day has come."""
    with warehouse.connect(settings, purpose="send-returns opt-out") as connection:
        recorded = _record(connection, settings, "opt-out", person_id, reason, by, on)
        if on > today:
            return Removed(recorded.removal_id)
        removed = _carry_out(settings, connection, recorded)
    _tidy(settings, today, removed)
    return removed


def withdraw(settings: Settings, person_id: str, *, reason: str, by: str, on: date) -> int:
    """End an opt-out: what is delivered from that day on is processed again. Returns its number. Raises Failure."""
    with warehouse.connect(settings, purpose="send-returns withdraw opt-out") as connection:
        persons = everyone(connection, settings.partnership, person_id)
        row = connection.execute(
            "update rights.removal set withdrawn_on = greatest(%s, from_on), withdrawn_reason = %s, withdrawn_by = %s"
            " where partnership = %s and kind = 'opt-out' and person_id = any(%s) and withdrawn_on is null"
            " returning removal_id",
            [on, reason, by, settings.partnership, persons],
        ).fetchone()
    if row is None:
        raise Failure(
            f"{person_id} has no opt-out to withdraw: `send-returns subject {person_id}` shows what there is."
        )
    return int(row[0])


def apply(settings: Settings, as_of: date) -> int:
    """Hold what has been landed since against the rights that are in force; returns how many rows were dropped.

    In force on the later of `as_of` and today: a right does not lapse because an earlier day is looked at. Opt-outs
    whose day has come are carried out, and rows of people with a tombstone go, with their archived files.
    """
    day = max(as_of, clock.today())
    with warehouse.connect(settings, purpose="send-returns rights") as connection:
        with connection.cursor(row_factory=class_row(_Removal)) as cursor:
            due = cursor.execute(
                "select removal_id, partnership, person_id from rights.removal where partnership = %s"
                " and kind = 'opt-out' and applied_at is null and from_on <= %s"
                " and (withdrawn_on is null or withdrawn_on > %s) order by removal_id",
                [settings.partnership, day, day],
            ).fetchall()
        carried_out = [_carry_out(settings, connection, one) for one in due]
        dropped, tables = _screen(settings, connection, day)
        connection.execute(
            "delete from rights.tombstone using rights.removal"
            " where removal.removal_id = tombstone.removal_id and withdrawn_on <= %s",
            [clock.today()],
        )
    for removed in carried_out:
        _tidy(settings, as_of, removed)
    removal.sample(settings, tables)
    with warehouse.connect(settings, purpose="send-returns rights") as connection:
        archives.sweep(settings, connection)
    return dropped + sum(removed.rows for removed in carried_out)


def apply_to_run(settings: Settings, run_id: str) -> int:
    """The same before a run is linked; the run is then of what is left of its deliveries."""
    with warehouse.connect(settings) as connection:
        run = connection.execute("select as_of from audit.run where run_id = %s", [run_id]).fetchone()
    if run is None:
        return 0
    if dropped := apply(settings, run[0]):
        receipts.write(settings, run[0])
    with warehouse.connect(settings, purpose="send-returns rights") as connection:
        connection.execute(
            "update audit.run_delivery set rows_erased = delivery.rows_erased from landing.delivery"
            " where run_id = %s and delivery.delivery_id = run_delivery.delivery_id"
            " and run_delivery.rows_erased <> delivery.rows_erased",
            [run_id],
        )
    return dropped


def _record(
    connection: psycopg.Connection, settings: Settings, kind: Kind, person_id: str, reason: str, by: str, on: date
) -> _Removal:
    persons = everyone(connection, settings.partnership, person_id)
    known = connection.execute(
        "select removal_id, from_on from rights.removal"
        " where kind = %s and person_id = any(%s) and withdrawn_on is null",
        [kind, persons],
    ).fetchone()
    if known:
        raise Failure(f"{person_id} has an {kind} from {known[1]} on record already: number {known[0]}.")
    row = connection.execute(
        "insert into rights.removal (partnership, kind, person_id, from_on, reason, decided_by)"
        " values (%s, %s, %s, %s, %s, %s) returning removal_id",
        [settings.partnership, kind, persons[0], on, reason, by],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    return _Removal(row[0], settings.partnership, persons[0])


def _carry_out(settings: Settings, connection: psycopg.Connection, of: _Removal) -> Removed:
    """Remove a person whose removal is recorded: found by links, by identifiers, and as parts of what was found."""
    removal.hold(connection, of.partnership, of.removal_id)
    persons = everyone(connection, of.partnership, of.person_id)
    carried = identifiers_of(connection, persons)
    shared = also_of_others(connection, of.partnership, persons, carried)
    own = carried - shared
    tombstones.entomb(settings, connection, of.removal_id, own)
    rows.begin(connection)
    rows.add_linked(connection, persons, of.removal_id)
    among = rows.deliveries(connection, of.partnership)
    rows.add(connection, rows.carrying(connection, among, exactly(own, of.removal_id)))
    rows.add_parts(connection, of.partnership)
    looked_for = frozenset(needles(own))
    counts = Counter(files=archives.withhold(settings, connection))
    # Whatever else is in the archive and was never loaded, and a copy that is not what it should be.
    holding = list(archives.holding(settings, looked_for))
    counts["files"] += archives.withhold_files(connection, of.removal_id, [path.name for path in holding])
    tables = removal.tables(connection)
    counts += removal.take_rows(connection) + removal.take_people(connection, of.partnership, persons)
    connection.execute(
        "update rights.removal set applied_at = %s, removed = %s where removal_id = %s",
        [clock.now(), Json(dict(counts)), of.removal_id],
    )
    return Removed(of.removal_id, counts, looked_for, len(shared), tuple(holding), tuple(tables))


def _screen(settings: Settings, connection: psycopg.Connection, day: date) -> tuple[int, Sequence[tuple[str, str]]]:
    """Drop, from deliveries that were not looked at yet, the rows of people with a tombstone; how many, and where."""
    fresh = connection.execute(
        "select delivery_id, feed, rows_in, rows_loaded + rows_quarantined > 0 from landing.delivery"
        " where partnership = %s and not exists (select from rights.screened"
        " where screened.delivery_id = delivery.delivery_id and screened.rows_in = delivery.rows_in)"
        " order by delivery_id",
        [settings.partnership],
    ).fetchall()
    digests = tombstones.in_force(connection, settings.partnership, day)
    dropped: Counter[str] = Counter()
    tables: Sequence[tuple[str, str]] = ()
    if fresh and digests:
        known = tombstones.knows(settings, connection, digests)
        removal.hold_landing(connection, settings.partnership, min(digests.values()))
        rows.begin(connection)
        with_rows = [(delivery, feed) for delivery, feed, _, has_rows in fresh if has_rows]
        rows.add(connection, rows.carrying(connection, with_rows, known))
        rows.add_parts(connection, settings.partnership)
        archives.withhold(settings, connection)
        without = [delivery for delivery, _, _, has_rows in fresh if not has_rows]
        archives.withhold_named(settings, connection, without, known)
        tables = removal.raw_tables(connection)
        dropped = removal.take_rows(connection)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rights.screened values (%s, %s) on conflict do nothing",
            [(delivery, rows_in) for delivery, _, rows_in, _ in fresh],
        )
    return dropped["raw"] + dropped["quarantine"], tables


def _tidy(settings: Settings, as_of: date, removed: Removed) -> None:
    """What can only follow the commit: files, receipts, and what the server keeps of rows that are no more."""
    for path in removed.archived:
        path.unlink(missing_ok=True)
    shutil.rmtree(settings.home / DRAFTS, ignore_errors=True)
    # Packs stay as they were sealed; what is kept of them to be sent again is ours, and may be of before.
    if dropped := parcel.drop_encrypted(settings):
        removed.counts["copies"] = dropped
    with warehouse.connect(settings, purpose="send-returns rights") as connection:
        archives.sweep(settings, connection)
    receipts.write(settings, as_of)
    removal.rewrite(settings, removed.tables)
