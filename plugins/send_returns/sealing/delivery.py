"""A published pack, brought to where its recipients fetch it: a folder, an SFTP server or an S3 bucket.

Sending to a portal is not here: that stays a person's act.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from send_returns.failure import Failure
from send_returns.landing import stores
from send_returns.sealing import parcel
from send_returns.sealing.files import digest
from send_returns.settings import Settings


class NotDelivered(Failure):
    """A pack was not delivered; the message says what lies in the way."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What lies where. `outcome` is `same` when the very same file lay there already."""

    place: str
    name: str
    sha256: str
    bytes: int
    outcome: stores.Put


def deliver(
    settings: Settings, pack: Path, place: str, on: date, keys: Sequence[str] = (), *, is_child_level: bool
) -> Delivery:
    """Bring a published pack to a place, as one file that is there whole or not at all.

    Child-level packs go encrypted to those registered on that day, all others as a plain tar. Beside it goes the notice
    that the version before has been superseded, if there was one.

    Args:
        settings: for the register, and for the keys by which servers are reached.
        pack: the folder of a published pack.
        place: a folder, `sftp://user@host:port/path` or `s3://bucket/prefix`.
        on: the day of delivery.
        keys: of whom the recipients are to be, by their age keys; none: all who are registered.
        is_child_level: whether the return is about single children.

    Raises:
        RecipientRefused: nobody is registered for it, or one of the keys is not.
        ParcelRefused: the pack is not as it was sealed.
        NotDelivered: another file lies there under that name.
        Failure: the place is not there, or cannot be reached.
    """
    file = parcel.encrypted(settings, pack, on, keys) if is_child_level else parcel.plain(settings, pack)
    store = stores.store(settings, place, "destination")
    outcome = _put(store, file)
    for notice in parcel.notices(settings, pack):
        _put(store, notice)
    return Delivery(store.shown, file.name, digest(file), file.stat().st_size, outcome)


def _put(store: stores.Store, file: Path) -> stores.Put:
    try:
        return store.put(file, file.name)
    except stores.OtherFile:
        raise NotDelivered(
            f"{store.shown} holds another file called {file.name}: nothing was written over. Find out whose it is, and"
            " have it moved away."
        ) from None
    except OSError as error:
        raise NotDelivered(f"{store.shown} did not take {file.name} ({error.strerror}): deliver it again.") from None
