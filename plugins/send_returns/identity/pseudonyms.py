"""Who a child is in the marts: HMAC-SHA256 of the person, by a key that is in a file and never in the database.

A key serves one purpose, so that what is published for one cannot be joined to what is published for another. It is
known everywhere by its `key_id`, such as `marts-2`; only this module reads the file of that name. The current key of a
purpose is the one with the highest number. Files are written once and never changed: rotation adds one.
"""

import csv
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import psycopg

from send_returns import clock
from send_returns.failure import Failure
from send_returns.identity.sources import LOCK
from send_returns.settings import Settings
from send_returns.warehouse import connect

MARTS = "marts"
SECRET_BYTES = 32
_PURPOSE = r"[a-z][a-z_]{0,30}"
_KEY_ID = re.compile(rf"({_PURPOSE})-([1-9]\d{{0,5}})")


class KeyRefused(Failure):
    """There is no key, or none that is safe to use; the message says what to do, and nothing of what a file holds."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of one purpose. `made_on`: the day, in England, from which it was the current one."""

    purpose: str
    number: int
    made_on: date
    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Its name, which is no secret: it stands beside every child key."""
        return f"{self.purpose}-{self.number}"


def keys(settings: Settings) -> list[Key]:
    """Every key, by purpose and from the oldest on. Raises KeyRefused when one of them is not safe to use."""
    folder = settings.keys
    try:
        mode = folder.stat().st_mode
        names = [matched for path in folder.iterdir() if (matched := _KEY_ID.fullmatch(path.name))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyRefused(f"The folder of keys {folder} cannot be read ({error.strerror}).") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KeyRefused(f"Others can write to {folder}: `chmod go-w` it, and look whether the keys are still yours.")
    found = [_read(folder / name[0], purpose=name[1], number=int(name[2])) for name in names]
    return sorted(found, key=lambda key: (key.purpose, key.number))


def current(settings: Settings, purpose: str) -> Key:
    """The key that makes the child keys of a purpose. Raises KeyRefused: without one there is no run."""
    found = [key for key in keys(settings) if key.purpose == purpose]
    if not found:
        raise KeyRefused(
            f"There is no key of {purpose} in {settings.keys}, and without one no run: put yours there, or make"
            f" the first with `send-returns key new {purpose}`."
        )
    return found[-1]


def new(settings: Settings, purpose: str) -> Key:
    """Make the first key of a purpose. Raises KeyRefused when it has one."""
    if has_key(settings, purpose):
        raise KeyRefused(f"{purpose} has a key already: `send-returns key rotate {purpose}` makes the next.")
    return _make(settings, purpose, 1)


def rotate(settings: Settings, purpose: str) -> Key:
    """Make the next key of a purpose the current one; the one before stays. Raises KeyRefused when it has none."""
    return _make(settings, purpose, current(settings, purpose).number + 1)


def has_key(settings: Settings, purpose: str) -> bool:
    """Whether a purpose has a key."""
    return any(key.purpose == purpose for key in keys(settings))


def child_key(key: Key, person_id: str) -> str:
    """A person under a key: 64 hexadecimal digits."""
    return hmac.digest(key.secret, f"{key.purpose}:{person_id}".encode(), "sha256").hex()


def assign(settings: Settings, run_id: str) -> dict[str, int]:
    """Give each person of the run, who has none yet, a child key of the marts; returns how many there are, and are new.

    Writes `identity.child_key`. Raises KeyRefused when the key is not the one that the run was opened with, or not the
    one that made the child keys of its name; ValueError when there is no such run.
    """
    with connect(settings, purpose="send-returns pseudonyms") as connection:
        # An erasure holds this too: nobody who is being erased is given a child key.
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        partnership, key = _of_run(settings, connection, run_id)
        _prove(connection, key)
        persons = connection.execute(
            "select person_id from identity.link where delivery_id in"
            " (select delivery_id from audit.run_delivery where run_id = %s)"
            " except select person_id from identity.child_key where purpose = %s and key_id = %s order by person_id",
            [run_id, key.purpose, key.key_id],
        ).fetchall()
        _write(connection, partnership, key, [person_id for (person_id,) in persons])
        total = connection.execute(
            "select count(*) from identity.child_key where partnership = %s and purpose = %s and key_id = %s",
            [partnership, key.purpose, key.key_id],
        ).fetchone()
        assert total is not None  # noqa: S101 - an aggregate always returns its row
    return {"child_keys": total[0], "new_child_keys": len(persons)}


def mapping(settings: Settings, key_id: str) -> list[tuple[str, str]]:
    """Each child key of the partnership under an older key, with the one of the same person under the current key.

    In the order of the older ones, which tells nothing of who they are. A person who was erased is not among them.
    Raises KeyRefused.
    """
    older = next((key for key in keys(settings) if key.key_id == key_id), None)
    if older is None:
        raise KeyRefused(f"There is no key {key_id} in {settings.keys}: `send-returns key list` shows those there are.")
    newer = current(settings, older.purpose)
    if newer == older:
        raise KeyRefused(f"{key_id} is the current key: there is nothing to map it to.")
    with connect(settings, purpose="send-returns pseudonyms") as connection:
        _prove(connection, older)
        persons = connection.execute(
            "select person_id from identity.child_key where partnership = %s and purpose = %s and key_id = %s",
            [settings.partnership, older.purpose, older.key_id],
        ).fetchall()
    return sorted((child_key(older, person_id), child_key(newer, person_id)) for (person_id,) in persons)


def write_mapping(settings: Settings, key_id: str, out: Path) -> int:
    """Write `mapping` as a new CSV file that only its owner can read; returns how many there are. Raises KeyRefused."""
    pairs = mapping(settings, key_id)
    try:
        descriptor = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise KeyRefused(f"{out} cannot be made ({error.strerror}): name another file with --out.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("child_key_before", "child_key"))
        rows.writerows(pairs)
    return len(pairs)


def _read(path: Path, *, purpose: str, number: int) -> Key:
    try:
        # The mode is asked of the open file, so that it cannot be another one by the time that it is read.
        with path.open(encoding="ascii") as file:
            others = os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeyRefused(f"The key file {path} cannot be read ({reason}): put its backup back.") from None
    if others:
        raise KeyRefused(f"Others than its owner can read the key file {path}: `chmod 600` it, and rotate the key.")
    try:
        held = json.loads(text)
        key = Key(purpose, number, date.fromisoformat(held["made_on"]), bytes.fromhex(held["key"]))
    except (ValueError, TypeError, KeyError):
        raise KeyRefused(f"The key file {path} does not hold a key and its day: put its backup back.") from None
    if len(key.secret) != SECRET_BYTES:
        raise KeyRefused(f"The key in {path} is not {SECRET_BYTES} bytes long: put its backup back.")
    return key


def _make(settings: Settings, purpose: str, number: int) -> Key:
    if not re.fullmatch(_PURPOSE, purpose):
        raise KeyRefused("A purpose is a word of small letters and _, such as marts.")
    key = Key(purpose, number, clock.today(), secrets.token_bytes(SECRET_BYTES))
    settings.folder("secrets")
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, partial = settings.keys / key.key_id, settings.keys / f".{key.key_id}.{os.getpid()}"
    descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump({"made_on": key.made_on.isoformat(), "key": key.secret.hex()}, file)
            file.flush()
            os.fsync(file.fileno())
        # A link is made whole or not at all, and never in the place of a file that is there.
        path.hardlink_to(partial)
    except FileExistsError:
        raise KeyRefused(f"{path} was made by another process just now: `send-returns key list` shows it.") from None
    finally:
        partial.unlink()
    return key


def _of_run(settings: Settings, connection: psycopg.Connection, run_id: str) -> tuple[str, Key]:
    """The partnership of the run, and its key of the marts."""
    run = connection.execute(
        "select run.partnership, run_key.key_id from audit.run left join audit.run_key"
        " on run.run_id = run_key.run_id and run_key.purpose = %s where run.run_id = %s",
        [MARTS, run_id],
    ).fetchone()
    if run is None:
        raise ValueError(f"There is no run {run_id}: open one first.")
    key = current(settings, MARTS)
    if key.key_id != run[1]:
        raise KeyRefused(
            f"Run {run_id} was opened with the key {run[1] or 'of an earlier version'}, and {key.key_id} is current:"
            " open the run again, with `send-returns link` or build_partnership."
        )
    return run[0], key


def _prove(connection: psycopg.Connection, key: Key) -> None:
    """Hold the key against a child key of its name: another key in the same file would give everybody a second one."""
    made = connection.execute(
        "select person_id, child_key from identity.child_key where purpose = %s and key_id = %s limit 1",
        [key.purpose, key.key_id],
    ).fetchone()
    if made and not hmac.compare_digest(child_key(key, made[0]), made[1]):
        raise KeyRefused(
            f"The key {key.key_id} is not the one that made the child keys of that name in this database: put the"
            f" right file back, or rotate with `send-returns key rotate {key.purpose}`."
        )


def _write(connection: psycopg.Connection, partnership: str, key: Key, persons: Sequence[str]) -> None:
    if not persons:
        return
    rows = pl.DataFrame({"person_id": persons, "child_key": [child_key(key, person_id) for person_id in persons]})
    of_all = {"partnership": partnership, "purpose": key.purpose, "key_id": key.key_id}
    text = rows.select("person_id", "child_key", **{name: pl.lit(value) for name, value in of_all.items()}).write_csv(
        include_header=False
    )
    statement = "copy identity.child_key (person_id, child_key, partnership, purpose, key_id) from stdin (format csv)"
    with connection.cursor().copy(statement) as copy:
        copy.write(text)
    connection.execute("analyze identity.child_key")
