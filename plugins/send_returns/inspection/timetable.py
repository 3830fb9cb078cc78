"""What inspectors ask for and when it is due: the dated reference data of `timetable.yml`."""

from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any, Literal

import yaml

from send_returns.failure import Failure

CountedFrom = Literal["notification", "naming"]
# `return`: one of ours; `pack`: what `inspection pack` makes; `document`: a person's; `event`: a day that is set.
Kind = Literal["return", "pack", "document", "event"]
_ANSWERED_BY = ("council", "icb", "inspectors")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is due `working_day` working days after the day that it is counted from.

    `answered_by`: of a return or pack its name; of a document whose it is, council or icb; of an event who sets it.
    """

    item: str
    title: str
    audience: str
    counted_from: CountedFrom
    working_day: int
    kind: Kind
    answered_by: str
    source: str
    confidence: Literal["H", "M", "L"]
    in_force_from_on: date
    in_force_to_on: date = date.max


def items(notified_on: date) -> list[Item]:
    """The items in force on the day of notification, by the day they are due. Raises Failure when none is."""
    text = (resources.files("send_returns.inspection") / "timetable.yml").read_text(encoding="utf-8")
    every = [_item(entry) for entry in yaml.safe_load(text)["items"]]
    found = [one for one in every if one.in_force_from_on <= notified_on <= one.in_force_to_on]
    if not found:
        raise Failure(f"timetable.yml says nothing of inspections that were notified on {notified_on}.")
    return sorted(found, key=lambda one: (one.counted_from == "naming", one.working_day))


def _item(entry: dict[str, Any]) -> Item:
    ((kind, answered_by),) = entry["answer"].items()
    known = {name: value for name, value in entry.items() if name != "answer"}
    if kind in ("document", "event") and answered_by not in _ANSWERED_BY:
        raise Failure(f"timetable.yml: {entry['item']}: nobody is called {answered_by}.")
    return Item(**known, kind=kind, answered_by=answered_by)
