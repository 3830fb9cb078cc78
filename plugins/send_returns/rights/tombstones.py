"""What is kept of people who are held no more: keyed hashes of their identifiers, by which they are known again."""

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import date

import psycopg

from send_returns.failure import Failure
from send_returns.identity import pseudonyms
from send_returns.identity.pseudonyms import Key
from send_returns.rights.identifiers import Identifier, Known
from send_returns.settings import Settings

PURPOSE = "tombstone"
# Key, kind and digest, and the removal that each is of.
Digests = Mapping[tuple[str, str, bytes], int]


class TombstoneKeyLost(Failure):
    """A key that tombstones were made with is not there, or another is in its place: who was erased would come back."""


def entomb(
    settings: Settings, connection: psycopg.Connection, removal_id: int, identifiers: Iterable[Identifier]
) -> None:
    """Keep the hashes of what identified a person, by the current key; the first one is made here."""
    if not pseudonyms.has_key(settings, PURPOSE):
        if connection.execute("select 1 from rights.tombstone_key limit 1").fetchone():
            raise _lost(settings, f"{PURPOSE}-1")
        pseudonyms.new(settings, PURPOSE)
    hashed = _hasher(settings, connection, pseudonyms.current(settings, PURPOSE))
    key_id = pseudonyms.current(settings, PURPOSE).key_id
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rights.tombstone values (%s, %s, %s, %s) on conflict do nothing",
            [(removal_id, key_id, one[0], hashed(one)) for one in sorted(identifiers)],
        )


def in_force(connection: psycopg.Connection, partnership: str, day: date) -> Digests:
    """The tombstones of everybody who has a right to be left out on a day."""
    rows = connection.execute(
        "select key_id, tombstone.kind, digest, removal_id from rights.tombstone"
        " inner join rights.removal using (removal_id) where partnership = %s and from_on <= %s"
        " and (withdrawn_on is null or withdrawn_on > %s) order by removal_id desc",
        [partnership, day, day],
    ).fetchall()
    return {(key_id, kind, digest): removal_id for key_id, kind, digest, removal_id in rows}


def knows(settings: Settings, connection: psycopg.Connection, digests: Digests) -> Known:
    """Tells identifiers that were hashed to any of the digests, and never what was hashed. Raises TombstoneKeyLost."""
    found = {key.key_id: key for key in pseudonyms.keys(settings)}
    used = sorted({key_id for key_id, _, _ in digests})
    if absent := [key_id for key_id in used if key_id not in found]:
        raise _lost(settings, absent[0])
    hashers = {key_id: _hasher(settings, connection, found[key_id]) for key_id in used}

    def known(asked: Iterable[Identifier]) -> Mapping[Identifier, int]:
        told = {}
        for one in asked:
            for key_id, hashed in hashers.items():
                if (removal_id := digests.get((key_id, one[0], hashed(one)))) is not None:
                    told[one] = removal_id
        return told

    return known


def _hasher(settings: Settings, connection: psycopg.Connection, key: Key) -> Callable[[Identifier], bytes]:
    """HMAC-SHA256 by a key that is proved to be the one of its name."""

    def hashed(one: Identifier) -> bytes:
        return hmac.digest(key.secret, "\0".join((key.purpose, *one)).encode(), "sha256")

    own = hashed(("key", key.key_id))
    connection.execute("insert into rights.tombstone_key values (%s, %s) on conflict do nothing", [key.key_id, own])
    row = connection.execute("select digest from rights.tombstone_key where key_id = %s", [key.key_id]).fetchone()
    if row is None or not hmac.compare_digest(row[0], own):
        raise _lost(settings, key.key_id)
    return hashed


def _lost(settings: Settings, key_id: str) -> TombstoneKeyLost:
    return TombstoneKeyLost(
        f"The key {key_id} in {settings.keys} is not the one that tombstones were made with: put its backup back."
        " Without it people who were erased would come back with the next delivery."
    )
