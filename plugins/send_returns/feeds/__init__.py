"""Feed contracts, readers and the checks at the door. Knows no database."""

from send_returns.feeds.checking import Checked, volume_findings
from send_returns.feeds.chunk import Refused
from send_returns.feeds.contract import ORGANISATIONS, Column, Described, Feed, Period, Table, describe, feeds, load
from send_returns.feeds.delivery import Counts, Delivery
from send_returns.feeds.recognition import Likeness, looks_like
from send_returns.feeds.redaction import NotRedactable, Rows, copies
from send_returns.feeds.rules import RULES, Rule
from send_returns.feeds.source import Examiner, Source, examine, shown

__all__ = [
    "ORGANISATIONS",
    "RULES",
    "Checked",
    "Column",
    "Counts",
    "Delivery",
    "Described",
    "Examiner",
    "Feed",
    "Likeness",
    "NotRedactable",
    "Period",
    "Refused",
    "Rows",
    "Rule",
    "Source",
    "Table",
    "copies",
    "describe",
    "examine",
    "feeds",
    "load",
    "looks_like",
    "shown",
    "volume_findings",
]
