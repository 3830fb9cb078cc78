"""The feed contracts: Open Data Contract Standard 3.1, one file per feed in a folder named for its organisation.

What the standard has no place for is under `customProperties`: a column's `codes` (a list in `codes.yml`), `values` (a
map in `values.yml`), `check`, `personal_data` and `alternative_to`; a table's `file` pattern and `xml` record; a feed's
supplier, due days, tolerance, retention, period and partner. A contract is that of the earliest year described; later
years are changes to it.
"""

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty

from send_returns.failure import Failure
from send_returns.feeds import headers
from send_returns.feeds.changes import Change, Draft, parse
from send_returns.feeds.due import Due, nth_weekday

Organisation = Literal["council", "icb", "reference"]
ORGANISATIONS: tuple[Organisation, ...] = ("council", "icb", "reference")
# What suppliers write for "nothing".
NOTHING = ("", "NULL", "null", "Null", "N/A", "n/a", "#N/A")
# The census days of school terms: month, weekday (Monday is 0) and which one in the month (DfE school census guide).
CENSUS_DAYS = {"autumn": (10, 3, 1), "spring": (1, 3, 3), "summer": (5, 3, 3)}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` in the raw table, `header` as the supplier writes it.

    `essential`: a row without a readable value goes to quarantine. `codes`: the values allowed, with their meanings.
    `values`: the code that each squeezed raw value means. `item`: the source's number of it. `minimisation`: what a
    mart may hold of it. `alternative_to`: the column in whose place it comes; a file has the one or the other.
    """

    name: str
    header: str
    type: Literal["string", "date", "timestamp", "integer", "boolean"]
    description: str
    essential: bool
    codes: Mapping[str, str] | None
    values: Mapping[str, str]
    check: str | None
    personal_data: str | None
    minimisation: str | None
    item: str | None
    alternative_to: str | None
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Where a table's rows are in the XML: the element, the column that it fills when it is a leaf (`value`), the table
    whose record encloses it (`within`), and the column that gets a generated number (`id`)."""

    element: str
    within: str | None
    id: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """One raw table of a feed. `key`: the columns that together name a row; `sheet`: what names a sheet of its own."""

    name: str
    raw_schema: str
    raw_name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    file: re.Pattern[str]
    sheet: re.Pattern[str] | None
    record: Record | None

    @property
    def by_header(self) -> dict[str, str]:
        """Column name for each squeezed header or synonym that means it."""
        return {
            headers.squeeze(text): column.name
            for column in self.columns
            for text in (column.name, column.header, *column.synonyms)
        }


@dataclass(frozen=True, slots=True)
class Period:
    """The period that a delivery is for: the same key means that the newer delivery replaces the older."""

    key: str
    reference_on: date


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """How to find the period: from the values of columns, or from the name (regexes with year, month, day, term).

    `year_end`: month and day, where a name states a year only. `is_year`: a day in the name stands for its year,
    which ends on the next `year_end`; so a later extract within a year replaces the earlier.
    """

    names: tuple[re.Pattern[str], ...]
    year_end: str
    is_year: bool
    table: str | None
    key: tuple[str, ...]
    reference: str | None

    def from_name(self, name: str) -> Period | None:
        """The period that a delivery's or file's name states, if it states one that exists."""
        for pattern in self.names:
            if found := pattern.search(name):
                parts = found.groupdict()
                try:
                    reference_on = self._reference(parts)
                except ValueError:
                    continue
                if self.is_year and "day" in parts:
                    return Period(str(reference_on.year + (reference_on > self._end(reference_on.year))), reference_on)
                key = "_".join(parts.values()).lower() if "term" in parts else "-".join(parts.values())
                return Period(key, reference_on)
        return None

    def _end(self, year: int) -> date:
        return date.fromisoformat(f"{year}-{self.year_end}")

    def _reference(self, parts: Mapping[str, str]) -> date:
        year = int(parts["year"])
        if term := parts.get("term"):
            month, weekday, nth = CENSUS_DAYS[term.lower()]
            return nth_weekday(year, month, weekday, nth)
        if month_number := parts.get("month"):
            return date(year, int(month_number), int(parts.get("day", "1")))
        return self._end(year)


class Retention(NamedTuple):
    """How long a delivery is kept: `years` from the day of its receipt, in England.

    `waits_for_release`: longer where a published return was made from it, until that return's own time is over.
    """

    years: int
    waits_for_release: bool

    @property
    def words(self) -> str:
        """The same for a person."""
        waits = ", and as long as a return that was made from it" if self.waits_for_release else ""
        return f"{self.years} years from receipt{waits}"


class Volume(NamedTuple):
    """How many rows of a table a delivery should have, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed's contract. `partner`: (table, column) that must hold the partnership's LA number, where the feed says it.

    `tolerance`: share of rows in quarantine beyond which a delivery is refused.
    `format`: `local` for a layout that is defined here. `nothing`: cells that mean that there is nothing.
    `max_change`: share by which a table may differ from that of the last delivery.
    """

    id: str
    organisation: Organisation
    version: str
    name: str
    purpose: str
    limitations: str
    format: Literal["national", "local"]
    minimisation: str
    supplier: str
    cadence: str
    lawful_basis: str
    retention: Retention
    required: bool
    max_age_days: int
    due: Due
    volume: Mapping[str, Volume]
    max_change: float
    tolerance: float
    nothing: tuple[str, ...]
    date_formats: tuple[str, ...]
    period: PeriodRule
    partner: tuple[str, str] | None
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """The table of that name. Raises KeyError."""
        return {table.name: table for table in self.tables}[name]


def _custom(properties: Sequence[CustomProperty] | None) -> dict[str, Any]:
    return {str(item.property): item.value for item in properties or []}


class Described(NamedTuple):
    """A contract as the standard writes it, with the code lists and value maps that it names and how it came to be."""

    organisation: Organisation
    document: Mapping[str, Any]
    codes: Mapping[str, Mapping[str, str]]
    values: Mapping[str, Mapping[str, Sequence[str]]]
    changes: tuple[Change, ...]


def _contracts() -> Traversable:
    return resources.files("send_returns.feeds") / "contracts"


def _yaml(path: Traversable) -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return read


@cache
def _lists() -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[str]]]]:
    """Every code list and every value map."""
    codes, values = _yaml(_contracts() / "codes.yml"), _yaml(_contracts() / "values.yml")
    return {name: {str(code): str(label) for code, label in listed.items()} for name, listed in codes.items()}, values


def load(feed: str, *, year: int | None = None, changes: Path | None = None) -> Feed:
    """The contract of a feed by its id, such as `sen2`, as it stood in a year (None: the newest).

    `changes`: the folder of the drift that was accepted. Raises KeyError for a feed without a contract, Failure for a
    year before the earliest described, or a change that does not apply.
    """
    return _load(feed, year, _accepted(feed, changes))


def describe(feed: str, *, year: int | None = None, changes: Path | None = None) -> Described:
    """The same as `load` would read, for a person or another reader of the standard."""
    return _describe(feed, year, _accepted(feed, changes))


# File name and text of each.
Accepted = tuple[tuple[str, str], ...]


def _accepted(feed: str, changes: Path | None) -> Accepted:
    """The files of the drift that was accepted, in the order of their numbers."""
    folder = changes / feed if changes and feed.isidentifier() else None
    if folder is None or not folder.is_dir():
        return ()
    found = []
    for path in folder.glob("[!.]*.yml"):
        where, number = f"contracts/{feed}/{path.name}", path.name.partition("-")[0]
        if not number.isdecimal():
            raise Failure(f"{where}: its name does not begin with a number and a hyphen. Rename it.")
        try:
            found.append((int(number), where, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            raise Failure(f"{where}: not text that can be read. Correct it, or take it away.") from None
    return tuple((where, text) for _, where, text in sorted(found))


@lru_cache(maxsize=256)
def _describe(feed: str, year: int | None, accepted: Accepted) -> Described:
    for organisation in ORGANISATIONS:
        folder = _contracts() / organisation
        path = folder / f"{feed}.yaml"
        if feed.isidentifier() and path.is_file():
            break
    else:
        raise KeyError(feed)
    codes, values = _lists()
    draft = Draft(_yaml(path), copy.deepcopy(codes), copy.deepcopy(values))
    earliest = int(draft.document["version"].split(".")[0])
    if year is not None and year < earliest:
        raise Failure(f"The contract of {feed} is described from {earliest} on: choose that year or a later one.")
    yearly = folder / "changes" / feed
    files = sorted(yearly.iterdir(), key=lambda file: file.name) if yearly.is_dir() else []
    made = [
        parse(f"contracts/{organisation}/changes/{feed}/{file.name}", file.read_text(encoding="utf-8"), feed)
        for file in files
    ]
    made += [parse(where, text, feed, drift=True) for where, text in accepted]
    applied = tuple(change for change in made if year is None or change.year <= year)
    for change in applied:
        draft.apply(change)
    version = max([f"{change.year}.1.0" for change in applied if not change.drift], default=draft.document["version"])
    if drift := [change for change in applied if change.drift]:
        # Another version for other drift, so that what was read under the former is read again.
        version += f"+{hashlib.sha256(repr(drift).encode()).hexdigest()[:8]}"
    draft.document["version"] = version
    return Described(
        organisation,
        draft.document,
        {name: draft.codes[name] for name in sorted(draft.lists("codes"))},
        {name: draft.values[name] for name in sorted(draft.lists("values"))},
        applied,
    )


@lru_cache(maxsize=256)
def _load(feed: str, year: int | None, accepted: Accepted) -> Feed:
    described = _describe(feed, year, accepted)
    try:
        return _feed(described)
    except (AttributeError, KeyError, TypeError, ValueError, re.error):
        if not described.changes:
            raise
        files = ", ".join(change.where for change in described.changes)
        raise Failure(
            f"{files}: the contract of {feed} is none any more after this. Correct it, or take it away."
        ) from None


def _feed(described: Described) -> Feed:
    contract = OpenDataContractStandard.model_validate(described.document)
    custom = _custom(contract.customProperties)
    sla = {item.property: item.value for item in contract.slaProperties or []}
    period, columns = custom["period"], custom["period"].get("columns", {})
    table, _, column = custom.get("partner", "").partition(".")
    volume = {name: bounds for name, bounds in custom["volume"].items() if name != "max_change"}
    return Feed(
        id=str(contract.id),
        organisation=described.organisation,
        version=str(contract.version),
        name=str(contract.name),
        purpose=str(contract.description.purpose) if contract.description else "",
        limitations=str(contract.description.limitations or "") if contract.description else "",
        format=custom["format"],
        minimisation=custom["minimisation"],
        supplier=custom["supplier"],
        cadence=str(sla["frequency"]),
        lawful_basis=custom["lawful_basis"],
        retention=_retention(contract),
        required=custom["required"],
        max_age_days=custom["max_age_days"],
        due=Due.parse(custom["due"]),
        volume={name: Volume(bounds["min"], bounds["max"]) for name, bounds in volume.items()},
        max_change=custom["volume"]["max_change"],
        tolerance=custom["tolerance"],
        nothing=(*NOTHING, *custom.get("nothing", [])),
        date_formats=tuple(custom["date_formats"]),
        period=PeriodRule(
            names=tuple(re.compile(pattern, re.IGNORECASE | re.ASCII) for pattern in period.get("names", [])),
            year_end=period.get("year_end", "12-31"),
            is_year=period.get("is_year", False),
            table=columns.get("table"),
            key=tuple(columns.get("key", [])),
            reference=columns.get("reference"),
        ),
        partner=(table, column) if table else None,
        tables=tuple(_table(item, described) for item in contract.schema_ or []),
    )


def _retention(contract: OpenDataContractStandard) -> Retention:
    """Raises ValueError for what is not whole years from receipt."""
    (kept,) = [item for item in contract.slaProperties or [] if item.property == "retention"]
    rule = _custom(contract.customProperties)["retention"]
    years = int(kept.value or 0)
    if kept.unit != "y" or rule["from"] != "receipt" or years < 1:
        raise ValueError("retention is whole years from receipt")
    return Retention(years, rule["waits_for_release"])


def _table(item: SchemaObject, described: Described) -> Table:
    custom = _custom(item.customProperties)
    properties = item.properties or []
    keyed = sorted((p for p in properties if p.primaryKey), key=lambda p: p.primaryKeyPosition or 0)
    xml = custom.get("xml")
    schema, _, name = str(item.physicalName).partition(".")
    return Table(
        name=str(item.name),
        raw_schema=schema,
        raw_name=name,
        description=str(item.description),
        columns=tuple(_column(p, described) for p in properties),
        key=tuple(str(p.name) for p in keyed),
        file=re.compile(custom["file"], re.IGNORECASE),
        sheet=re.compile(custom["sheet"], re.IGNORECASE) if "sheet" in custom else None,
        record=Record(xml["record"], xml.get("within"), xml.get("id"), xml.get("value")) if xml else None,
    )


def _column(item: SchemaProperty, described: Described) -> Column:
    custom = _custom(item.customProperties)
    meanings = described.values[custom["values"]] if "values" in custom else {}
    return Column(
        name=str(item.name),
        header=item.businessName or str(item.name),
        type=item.logicalType,  # type: ignore[arg-type]
        description=str(item.description),
        essential=bool(item.required),
        codes=described.codes[custom["codes"]] if "codes" in custom else None,
        values={headers.squeeze(raw): code for code, raws in meanings.items() for raw in raws},
        check=custom.get("check"),
        personal_data=custom.get("personal_data"),
        minimisation=custom.get("minimisation"),
        item=str(custom["item"]) if "item" in custom else None,
        alternative_to=custom.get("alternative_to"),
        synonyms=tuple(str(synonym.synonym) for synonym in item.synonyms or []),
    )


def feeds(organisation: str | None = None, *, changes: Path | None = None) -> tuple[Feed, ...]:
    """Every contract, or those of one organisation, by organisation and id; `changes` as for `load`."""
    return tuple(
        load(feed, changes=changes)
        for folder in ORGANISATIONS
        if organisation in (None, folder)
        for feed in _ids(folder)
    )


@cache
def _ids(organisation: Organisation) -> tuple[str, ...]:
    files = (_contracts() / organisation).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))
