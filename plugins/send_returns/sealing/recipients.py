"""Who may receive which return: a register of people, each with the age public key that only they can open.

It is `<home>/recipients.yml`. An entry is never taken out: it is ended, from a day on, so that it can be seen later to
whom a pack could have been sent.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyrage
import yaml

from send_returns.failure import Failure
from send_returns.sealing.files import alone, write
from send_returns.settings import Settings


class RecipientRefused(Failure):
    """A key may not be sent to, or an entry of the register cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who may receive some returns from `from_on` to the day before `ended_on` (None: it has not ended)."""

    name: str
    organisation: str
    public_key: str
    returns: tuple[str, ...]
    from_on: date
    ended_on: date | None = None

    def may_receive(self, return_name: str, on: date) -> bool:
        """Whether a return may be sent to them on a day."""
        return return_name in self.returns and self.from_on <= on and (self.ended_on is None or on < self.ended_on)


def register(settings: Settings) -> list[Recipient]:
    """Everyone who is, or was, registered, in the order of registration. Raises RecipientRefused if it is damaged."""
    path = _path(settings)
    try:
        # The mode is asked of the open file, so that it cannot be another one by the time that it is read.
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        return []
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise RecipientRefused(f"Others can write to {path}: `chmod go-w` it, and look whether its entries are yours.")
    try:
        return [_recipient(entry) for entry in yaml.safe_load(text)["recipients"]]
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        raise RecipientRefused(f"{path} is not a register of recipients: put its backup back.") from None


def add(settings: Settings, recipient: Recipient) -> None:
    """Register a recipient. Raises RecipientRefused for what is no age public key, or one that is registered."""
    if _is_secret(recipient.public_key):
        raise RecipientRefused(
            "That is a secret key, which nobody else may have: its owner must make a new one, and give you the public"
            " key, which begins with age1."
        )
    _age(recipient.public_key)
    if not (recipient.name.strip() and recipient.organisation.strip() and recipient.returns):
        raise RecipientRefused("A recipient has a name, an organisation and at least one return.")
    with alone(_lock(settings)):
        known = register(settings)
        if any(one.public_key == recipient.public_key and one.ended_on is None for one in known):
            raise RecipientRefused(
                f"{recipient.public_key} is registered already: `send-returns recipient end` ends that entry."
            )
        _write(settings, [*known, recipient])


def end(settings: Settings, public_key: str, on: date) -> Recipient:
    """End an entry: from that day on nothing is sent to that key. Raises RecipientRefused when none is open."""
    with alone(_lock(settings)):
        known = register(settings)
        at = [number for number, one in enumerate(known) if one.public_key == public_key and one.ended_on is None]
        if not at:
            raise RecipientRefused(
                f"{public_key} is not registered, or has ended: `send-returns recipient list` shows the register."
            )
        known[at[0]] = replace(known[at[0]], ended_on=on)
        _write(settings, known)
        return known[at[0]]


def entitled(registered: Iterable[Recipient], return_name: str, on: date, keys: Sequence[str] = ()) -> list[Recipient]:
    """Who is to receive a return on a day: all who are registered for it then, or of them those with the given keys.

    Raises RecipientRefused for a key that is not registered for it on that day, and when nobody is.
    """
    found = {one.public_key: one for one in registered if one.may_receive(return_name, on)}
    for key in keys:
        if key not in found:
            raise RecipientRefused(
                f"{key} is not registered to receive {return_name} on {on}: nothing was encrypted to anyone."
            )
    if not found:
        raise RecipientRefused(
            f"Nobody is registered to receive {return_name} on {on}: `send-returns recipient add` registers a person."
        )
    return [found[key] for key in sorted(set(keys) if keys else found)]


def age_keys(recipients: Iterable[Recipient]) -> list[Any]:
    """The keys as the age library takes them."""
    return [_age(one.public_key) for one in recipients]


def _is_secret(key: str) -> bool:
    return key.strip().upper().startswith("AGE-SECRET-KEY")


def _age(key: str) -> "pyrage.x25519.Recipient":
    try:
        return pyrage.x25519.Recipient.from_str(key)
    except pyrage.RecipientError:
        raise RecipientRefused("That is not an age public key: it begins with age1 and has 62 characters.") from None


def _path(settings: Settings) -> Path:
    return settings.home / "recipients.yml"


def _lock(settings: Settings) -> Path:
    return settings.home / ".recipients.lock"


def _recipient(entry: dict[str, Any]) -> Recipient:
    from_on, ended_on = entry["from_on"], entry["ended_on"]
    if not isinstance(from_on, date) or not (ended_on is None or isinstance(ended_on, date)):
        raise ValueError
    name, organisation, public_key = (entry[key] for key in ("name", "organisation", "public_key"))
    if not all(isinstance(text, str) for text in (name, organisation, public_key, *entry["returns"])):
        raise ValueError
    return Recipient(name, organisation, public_key, tuple(entry["returns"]), from_on, ended_on)


def _write(settings: Settings, recipients: Iterable[Recipient]) -> None:
    entries = [
        {
            "name": one.name,
            "organisation": one.organisation,
            "public_key": one.public_key,
            "returns": list(one.returns),
            "from_on": one.from_on,
            "ended_on": one.ended_on,
        }
        for one in recipients
    ]
    text = yaml.safe_dump({"recipients": entries}, sort_keys=False, allow_unicode=True, width=120)
    write(_path(settings), text.encode())
