"""The returns this project publishes. Each is declared once, in a YAML file of this folder, which all else reads.

There are four kinds: `lists` of children, exact, in a dated layout; `statistics`, whose figures have been through
disclosure control; `xml`, a collection's own format, exact; and `records` of one child, exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml

from send_returns import layouts
from send_returns.failure import Failure

DECLARATIONS = Path(__file__).parent

Policy = Literal["exact_child_level", "rounded"]


class DeclarationError(Failure):
    """A declaration file is wrong."""


@dataclass(frozen=True)
class Disclosure:
    """What control of disclosure applies. `exact_child_level`: nothing rounded or hidden, for lawful recipients only.

    `rounded`: 0 is shown, 1 to 7 are not, other counts are rounded to 5. `statement` is for the guide, `label` for the
    foot of each page.
    """

    policy: Policy
    label: str
    statement: str


@dataclass(frozen=True)
class Provenance:
    """Where a column's values come from, how they are worked out, and what a reader must not take them to mean."""

    source: str
    rule: str
    limit: str = ""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A return in words for its readers.

    `lists` says what each of its parts holds: of lists of children by sheet, of statistics by the `return_table` of the
    figures, of XML by the kind of record. `retention_years`: how long, from its as-of date, what it was made from is
    kept to prove it.
    """

    return_name: str
    title: str
    purpose: str
    audience: str
    recipients_role: str
    period: str
    deadline: str
    standing: str
    rules_suite: str
    disclosure: Disclosure
    contact: str
    retention_years: int
    limits: tuple[str, ...]
    lists: Mapping[str, str]

    def version(self, as_of: date) -> str:
        """The version of the layout in force on a date."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ListDeclaration(Declaration):
    """Lists of children. Keys: of `feeds` ids, of `columns` house names."""

    layout: str
    feeds: Mapping[str, str]
    columns: Mapping[str, Provenance]

    def version(self, as_of: date) -> str:
        """The version of the dated layout. Raises LayoutError when none is in force then."""
        return layouts.load(self.layout, as_of).version


@dataclass(frozen=True, kw_only=True)
class _OneLayoutDeclaration(Declaration):
    """A return in one layout at a time."""

    layout_version: str

    def version(self, as_of: date) -> str:  # noqa: ARG002 - one layout at a time
        """The version that the declaration gives."""
        return self.layout_version


class StatisticalDeclaration(_OneLayoutDeclaration):
    """Statistics, whose figures have been through disclosure control."""


class XmlDeclaration(_OneLayoutDeclaration):
    """One XML file in a collection's own format, whose version is that of the layout."""


class RecordsDeclaration(_OneLayoutDeclaration):
    """The records of one child. `lists` says of each section what it holds."""


_KINDS: Mapping[str, tuple[type[Declaration], Policy]] = {
    "lists": (ListDeclaration, "exact_child_level"),
    "statistics": (StatisticalDeclaration, "rounded"),
    "xml": (XmlDeclaration, "exact_child_level"),
    "records": (RecordsDeclaration, "exact_child_level"),
}


def load_all() -> list[Declaration]:
    """Every declared return, by name. Raises DeclarationError naming the file and the key that is wrong."""
    return [read(path) for path in sorted(DECLARATIONS.glob("*.yml"))]


def load(return_name: str) -> Declaration:
    """One declared return. Raises DeclarationError when there is none of that name, or its file is wrong."""
    path = DECLARATIONS / f"{return_name}.yml"
    if not path.is_file():
        raise DeclarationError(f"{return_name}: no such return is declared")
    return read(path)


def read(path: Path) -> Declaration:
    """The return that a file declares. Raises DeclarationError naming the file and the key that is wrong."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if content.get("kind") not in _KINDS:
        raise DeclarationError(f"{path.name}: `kind` is one of {', '.join(_KINDS)}")
    kind, policy = _KINDS[content["kind"]]
    expected = {field.name for field in fields(kind)} - {"return_name"} | {"return", "kind"}
    if wrong := expected ^ content.keys():
        raise DeclarationError(f"{path.name}: missing or unknown: {', '.join(sorted(wrong))}")
    if content["return"] != path.stem:
        raise DeclarationError(f"{path.name}: `return` and the file's name differ")
    if content["disclosure"].get("policy") != policy:
        raise DeclarationError(f"{path.name}: the only disclosure policy of {content['kind']} is {policy}")
    try:
        own = {key: value for key, value in content.items() if key not in ("return", "kind")}
        own |= {
            "return_name": content["return"],
            "disclosure": Disclosure(**content["disclosure"]),
            "limits": tuple(content["limits"]),
        }
        if "columns" in own:
            own["columns"] = {name: Provenance(**spec) for name, spec in content["columns"].items()}
        return kind(**own)
    except TypeError as error:
        raise DeclarationError(f"{path.name}: {error}") from error
