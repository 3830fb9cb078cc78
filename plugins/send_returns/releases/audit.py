"""The audit: a chain of entries, each sealed to the one before, that is only added to.

The database itself records runs, gates, decisions, signatures and the moves of releases. `record` is for what it does
not see: what was read, and what was delivered to whom.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Json

from send_returns.releases.acting import Role, acting

START = "0" * 64
_BATCH = 5_000  # entries asked of the server at a time


@dataclass(frozen=True)
class Anchor:
    """An entry by its number and hash: who keeps one can tell later whether it is still in the chain."""

    seq: int
    sha256: str


@dataclass(frozen=True)
class Event:
    """One entry. `detail`: ids and counts."""

    seq: int
    recorded_at: datetime
    database_role: str
    person: str
    kind: str
    subject: str
    detail: Mapping[str, Any]


def record(
    connection: psycopg.Connection,
    kind: Literal["decision", "read", "delivery"],
    subject: str,
    actor: str,
    detail: Mapping[str, Any] | None = None,
    role: Role | None = None,
) -> None:
    """Add an entry of what a person did as a role; others who write wait until the transaction ends, so write it last.

    `detail` holds ids and counts only.
    """
    with acting(connection, role, actor):
        connection.execute(
            "insert into audit.event (person, kind, subject, detail) values (audit.person(), %s, %s, %s)",
            [kind, subject, Json(dict(detail or {}))],
        )


def newest(connection: psycopg.Connection) -> Anchor:
    """The newest entry, for a release to carry, so that an end that is cut off later shows."""
    with acting(connection, "release_auditor"):
        row = connection.execute("select seq, sha256 from audit.event order by seq desc limit 1").fetchone()
    return Anchor(*row) if row else Anchor(0, START)


def events(connection: psycopg.Connection, limit: int, kind: str | None = None) -> list[Event]:
    """The newest entries, of one kind or of all, the newest first."""
    with acting(connection, "release_auditor"), connection.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            "select seq, recorded_at, database_role, person, kind, subject, detail from audit.event"
            " where kind = coalesce(%s, kind) order by seq desc limit %s",
            [kind, limit],
        ).fetchall()


def verify_chain(connection: psycopg.Connection, anchors: Iterable[Anchor] = ()) -> int | None:
    """The number of the first entry that is not as it was written, or is gone; None: all are there.

    Every hash is worked out anew, here and not by the database. Published releases know an entry each; `anchors` are
    those of their release.json, which a hand in the database cannot reach.
    """
    with acting(connection, "release_auditor"):
        known = connection.execute(
            "select anchor_seq, anchor_sha256 from release.release where anchor_seq > 0"
        ).fetchall()
        expected = {(seq, sha256) for seq, sha256 in known} | {(one.seq, one.sha256) for one in anchors if one.seq}
        last, previous = 0, START
        with connection.cursor(name="chain") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(
                "select seq, (extract(epoch from recorded_at) * 1000000)::bigint, database_role, person, kind, subject,"
                " detail::text, previous_sha256, sha256 from audit.event order by seq"
            )
            for seq, *said, before, sha256 in cursor:
                text = "\x1f".join(map(str, (before, seq, *said)))
                is_whole = hashlib.sha256(text.encode()).hexdigest() == sha256
                if seq != last + 1 or before != previous or not is_whole:
                    return min(last + 1, int(seq))
                last, previous = int(seq), sha256
                expected.discard((seq, sha256))
    return min(min(seq for seq, _ in expected), last + 1) if expected else None


def altered(connection: psycopg.Connection) -> list[str]:
    """The releases that are not what the audit says became of them: changed, gone, or never recorded; by their ids."""
    with acting(connection, "release_auditor"):
        rows = connection.execute(
            "select coalesce(release_id, subject) from release.release full join ("
            " select distinct on (subject) subject, detail from audit.event where kind = 'release'"
            " order by subject, seq desc) as last on subject = release_id"
            " where (state, attempt, pack_sha256) is distinct from"
            " (detail ->> 'state', (detail ->> 'attempt')::integer, detail ->> 'pack_sha256')"
            " or is_out and release.content_sha256(release_id) is distinct from detail ->> 'content_sha256'"
            ' order by coalesce(release_id, subject) collate "C"'
        ).fetchall()
    return [release_id for (release_id,) in rows]
