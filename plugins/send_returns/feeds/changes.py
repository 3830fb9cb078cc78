"""Contract changes: what a later year, or drift that was accepted, adds to a contract or takes from it, and why.

A change is a YAML file of operations on the contract as it was before. One that does not fit is an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from send_returns.failure import Failure
from send_returns.feeds import headers

TYPES = ("string", "date", "timestamp", "integer", "boolean")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
PARTS = {"feed", "year", "reason", "source", "operations"}
# What a contract may say of a feed beside the standard without the base saying it.
OPTIONAL = {"nothing"}


class Unfit(Exception):
    """Why an operation cannot be applied, to follow its name."""


class AlreadySo(Unfit):
    """What the operation would make true is true already."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file. `where`: its name, for messages; `drift`: accepted here, and not part of the contract as it comes."""

    where: str
    feed: str
    year: int
    reason: str
    source: str
    operations: tuple[Mapping[str, Mapping[str, Any]], ...]
    drift: bool


@dataclass(slots=True)
class Draft:
    """A contract as its changes make it: the document, and the code lists and value maps that it may name."""

    document: dict[str, Any]
    codes: dict[str, dict[str, str]]
    values: dict[str, dict[str, list[str]]]

    def apply(self, change: Change) -> None:
        """Apply every operation of a change. Raises Failure.

        Of accepted drift, an addition that a newer contract brings as well is no contradiction.
        """
        for number, operation in enumerate(change.operations, start=1):
            ((name, said),) = operation.items()
            try:
                _do(self, name, said)
            except AlreadySo as error:
                if not change.drift:
                    raise _failure(change, number, name, error) from None
            except Unfit as error:
                raise _failure(change, number, name, error) from None
            except (AttributeError, KeyError, TypeError):
                raise _failure(change, number, name, Unfit("what it says is not of the shape that it needs")) from None

    def table(self, name: object) -> dict[str, Any]:
        """A table of the document. Raises Unfit."""
        for table in self.document["schema"]:
            if table["name"] == name:
                found: dict[str, Any] = table
                return found
        raise Unfit(f"there is no table {name}")

    def column(self, table: object, name: object) -> dict[str, Any]:
        """A column of a table. Raises Unfit."""
        for column in self.table(table)["properties"]:
            if column["name"] == name:
                found: dict[str, Any] = column
                return found
        raise Unfit(f"{table} has no column {name}")

    def lists(self, kind: str) -> set[str]:
        """The names of the code lists (`codes`) or value maps (`values`) that columns of the document have."""
        return {
            item["value"]
            for table in self.document["schema"]
            for column in table["properties"]
            for item in column.get("customProperties", [])
            if item["property"] == kind
        }


def parse(where: str, text: str, feed: str, *, drift: bool = False) -> Change:
    """A change file, its shape checked. Raises Failure."""
    try:
        said = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        raise Failure(f"{where}: not YAML. Correct it, or take it away.") from None
    if not isinstance(said, dict) or set(said) != PARTS:
        raise Failure(f"{where}: a contract change has {', '.join(sorted(PARTS))}, and nothing else.")
    if said["feed"] != feed:
        raise Failure(f"{where}: it is for another feed than {feed}. Move it to that feed's folder.")
    operations = said["operations"]
    if not isinstance(said["year"], int) or not isinstance(operations, list) or not all(map(_is_operation, operations)):
        raise Failure(f"{where}: year is a number and operations a list, each with one name and what it needs.")
    return Change(where, feed, said["year"], str(said["reason"]), str(said["source"]), tuple(operations), drift)


def _is_operation(said: object) -> bool:
    return isinstance(said, dict) and len(said) == 1 and all(isinstance(value, dict) for value in said.values())


def _failure(change: Change, number: int, name: str, why: Unfit) -> Failure:
    return Failure(f"{change.where}: operation {number} ({name}) does not apply: {why}.")


def _do(draft: Draft, name: str, said: Mapping[str, Any]) -> None:
    if name not in OPERATIONS:
        raise Unfit(f"there are only {', '.join(OPERATIONS)}")
    needed, operation = OPERATIONS[name]
    if lacking := sorted(needed - set(said)):
        raise Unfit(f"it lacks {', '.join(lacking)}")
    operation(draft, said)


def _headings(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Squeezed heading and column of all that name a column of a table."""
    for column in table["properties"]:
        synonyms = [synonym["synonym"] for synonym in column.get("synonyms", [])]
        for text in (column["name"], column.get("businessName") or column["name"], *synonyms):
            yield headers.squeeze(text), column["name"]


def _add_column(draft: Draft, said: Mapping[str, Any]) -> None:
    table, new = draft.table(said["table"]), said["property"]
    columns = table["properties"]
    if not isinstance(new, dict) or not NAME.fullmatch(str(new.get("name", ""))):
        raise Unfit("a column's name begins with a letter and has only lower-case letters, digits and underscores")
    if new.get("logicalType") not in TYPES or not new.get("description"):
        raise Unfit(f"a column has a description and a logicalType of {', '.join(TYPES)}")
    taken = dict(_headings(table))
    if any(column["name"] == new["name"] for column in columns):
        raise AlreadySo(f"{said['table']} has a column {new['name']}")
    for heading, _ in _headings({"properties": [new]}):
        if heading in taken:
            raise Unfit(f"a heading of it means {taken[heading]}")
    custom = {item["property"]: item["value"] for item in new.get("customProperties", [])}
    if custom.get("codes", next(iter(draft.codes))) not in draft.codes:
        raise Unfit(f"there is no code list {custom['codes']}")
    if custom.get("values", next(iter(draft.values))) not in draft.values:
        raise Unfit(f"there is no value map {custom['values']}")
    place = columns.index(draft.column(said["table"], said["after"])) + 1 if "after" in said else len(columns)
    columns.insert(place, new)


def _remove_column(draft: Draft, said: Mapping[str, Any]) -> None:
    table, column = draft.table(said["table"]), draft.column(said["table"], said["column"])
    if column.get("primaryKey") or column.get("required"):
        raise Unfit(f"no row can do without {said['column']}")
    table["properties"].remove(column)


def _add_synonym(draft: Draft, said: Mapping[str, Any]) -> None:
    column, key = draft.column(said["table"], said["column"]), headers.squeeze(str(said["synonym"]))
    means = dict(_headings(draft.table(said["table"]))).get(key)
    if means == said["column"]:
        raise AlreadySo("it means that column")
    if means or not key:
        raise Unfit(f"it means {means}" if means else "it has no letter or digit")
    column.setdefault("synonyms", []).append({"synonym": str(said["synonym"])})


def _add_code(draft: Draft, said: Mapping[str, Any]) -> None:
    if said["list"] not in draft.lists("codes"):
        raise Unfit(f"no column has the code list {said['list']}")
    codes, code = draft.codes[said["list"]], str(said["code"])
    if code in codes:
        raise AlreadySo(f"{said['list']} has the code {code}")
    codes[code] = str(said["meaning"])


def _add_value(draft: Draft, said: Mapping[str, Any]) -> None:
    if said["map"] not in draft.lists("values"):
        raise Unfit(f"no column has the value map {said['map']}")
    meanings, code, key = draft.values[said["map"]], str(said["code"]), headers.squeeze(str(said["value"]))
    known = draft.codes.get(said["map"], {"true": "", "false": ""})
    if code not in known:
        raise Unfit(f"{said['map']} has no code {code}")
    means = next((one for one, raws in meanings.items() if key in map(headers.squeeze, raws)), None)
    if means == code:
        raise AlreadySo(f"it means {code}")
    if means or not key:
        raise Unfit(f"it means {means}" if means else "it has no letter or digit")
    meanings.setdefault(code, []).append(str(said["value"]))


def _set_type(draft: Draft, said: Mapping[str, Any]) -> None:
    column = draft.column(said["table"], said["column"])
    if said["type"] not in TYPES:
        raise Unfit(f"a type is one of {', '.join(TYPES)}")
    if column["logicalType"] == said["type"]:
        raise AlreadySo(f"{said['column']} has that type")
    column["logicalType"] = said["type"]


def _set(draft: Draft, said: Mapping[str, Any]) -> None:
    properties = draft.document["customProperties"]
    for item in properties:
        if item["property"] == said["property"]:
            item["value"] = said["value"]
            return
    if said["property"] not in OPTIONAL:
        raise Unfit(f"the contract does not say {said['property']}")
    properties.append({"property": said["property"], "value": said["value"]})


OPERATIONS: Mapping[str, tuple[frozenset[str], Callable[[Draft, Mapping[str, Any]], None]]] = {
    "add_column": (frozenset({"table", "property"}), _add_column),
    "remove_column": (frozenset({"table", "column"}), _remove_column),
    "add_synonym": (frozenset({"table", "column", "synonym"}), _add_synonym),
    "add_code": (frozenset({"list", "code", "meaning"}), _add_code),
    "add_value": (frozenset({"map", "code", "value"}), _add_value),
    "set_type": (frozenset({"table", "column", "type"}), _set_type),
    "set": (frozenset({"property", "value"}), _set),
}
