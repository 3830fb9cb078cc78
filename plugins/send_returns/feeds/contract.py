"""The feed contracts: Open Data Contract Standard 3.1, one file per feed in a folder named for its organisation.

What the standard has no place for is under `customProperties`: a column's `codes` (a list in `codes.yml`), `check`
and `personal_data`; a table's `file` pattern and `xml` record; a feed's supplier, tolerance, period and partner.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty

from send_returns.feeds import headers

Organisation = Literal["council", "icb", "reference"]
ORGANISATIONS: tuple[Organisation, ...] = ("council", "icb", "reference")
# The census days of school terms: month, weekday (Monday is 0) and which one in the month (DfE school census guide).
CENSUS_DAYS = {"autumn": (10, 3, 1), "spring": (1, 3, 3), "summer": (5, 3, 3)}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` in the raw table, `header` as the supplier writes it.

    `essential`: a row without a readable value goes to quarantine. `codes`: the values allowed, with their meanings.
    """

    name: str
    header: str
    type: Literal["string", "date", "timestamp", "integer", "boolean"]
    description: str
    essential: bool
    codes: Mapping[str, str] | None
    check: str | None
    personal_data: str | None
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
    """One raw table of a feed. `key`: the columns that together name a row."""

    name: str
    raw_schema: str
    raw_name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    file: re.Pattern[str]
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
            first = date(year, month, 1)
            return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
        if month_number := parts.get("month"):
            return date(year, int(month_number), int(parts.get("day", "1")))
        return self._end(year)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed's contract. `partner`: (table, column) that must hold the partnership's LA number, where the feed says it.

    `tolerance`: share of rows in quarantine beyond which a delivery is refused. `retention_years` from receipt.
    """

    id: str
    organisation: Organisation
    version: str
    name: str
    supplier: str
    cadence: str
    lawful_basis: str
    retention_years: int
    required: bool
    max_age_days: int
    tolerance: float
    date_formats: tuple[str, ...]
    period: PeriodRule
    partner: tuple[str, str] | None
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """The table of that name. Raises KeyError."""
        return {table.name: table for table in self.tables}[name]


def _custom(properties: Sequence[CustomProperty] | None) -> dict[str, Any]:
    return {str(item.property): item.value for item in properties or []}


@cache
def _codes() -> Mapping[str, Mapping[str, str]]:
    text = (resources.files("send_returns.feeds") / "contracts" / "codes.yml").read_text(encoding="utf-8")
    return {
        name: {str(code): str(label) for code, label in codes.items()} for name, codes in yaml.safe_load(text).items()
    }


def _column(item: SchemaProperty) -> Column:
    custom = _custom(item.customProperties)
    return Column(
        name=str(item.name),
        header=item.businessName or str(item.name),
        type=item.logicalType,  # type: ignore[arg-type]
        description=str(item.description),
        essential=bool(item.required),
        codes=_codes()[custom["codes"]] if "codes" in custom else None,
        check=custom.get("check"),
        personal_data=custom.get("personal_data"),
        synonyms=tuple(str(synonym.synonym) for synonym in item.synonyms or []),
    )


def _table(item: SchemaObject) -> Table:
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
        columns=tuple(_column(p) for p in properties),
        key=tuple(str(p.name) for p in keyed),
        file=re.compile(custom["file"], re.IGNORECASE),
        record=Record(xml["record"], xml.get("within"), xml.get("id"), xml.get("value")) if xml else None,
    )


@cache
def load(feed: str) -> Feed:
    """The contract of a feed by its id, such as `sen2`. Raises KeyError for a feed without one."""
    for organisation in ORGANISATIONS:
        path = resources.files("send_returns.feeds") / "contracts" / organisation / f"{feed}.yaml"
        if feed.isidentifier() and path.is_file():
            return _feed(organisation, OpenDataContractStandard.from_string(path.read_text(encoding="utf-8")))
    raise KeyError(feed)


def _feed(organisation: Organisation, contract: OpenDataContractStandard) -> Feed:
    custom = _custom(contract.customProperties)
    sla = {item.property: item.value for item in contract.slaProperties or []}
    period, columns = custom["period"], custom["period"].get("columns", {})
    table, _, column = custom.get("partner", "").partition(".")
    return Feed(
        id=str(contract.id),
        organisation=organisation,
        version=str(contract.version),
        name=str(contract.name),
        supplier=custom["supplier"],
        cadence=str(sla["frequency"]),
        lawful_basis=custom["lawful_basis"],
        retention_years=int(sla["retention"] or 0),
        required=custom["required"],
        max_age_days=custom["max_age_days"],
        tolerance=custom["tolerance"],
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
        tables=tuple(_table(item) for item in contract.schema_ or []),
    )


@cache
def feeds(organisation: str | None = None) -> tuple[Feed, ...]:
    """Every contract, or those of one organisation, by organisation and id."""
    found = []
    for folder in ORGANISATIONS:
        if organisation in (None, folder):
            entries = (resources.files("send_returns.feeds") / "contracts" / folder).iterdir()
            found += [load(name) for name in sorted(e.name.removesuffix(".yaml") for e in entries)]
    return tuple(found)
