"""The returns this project publishes. Each is declared once, in a YAML file of this folder, which all else reads."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from send_returns.failure import Failure

DECLARATIONS = Path(__file__).parent


class DeclarationError(Failure):
    """A declaration file is wrong."""


@dataclass(frozen=True)
class Disclosure:
    """What control of disclosure applies. `exact_child_level`: nothing rounded or hidden, for lawful recipients only.

    `statement` is for the guide, `label` for the foot of each page.
    """

    policy: Literal["exact_child_level"]
    label: str
    statement: str


@dataclass(frozen=True)
class Provenance:
    """Where a column's values come from, how they are worked out, and what a reader must not take them to mean."""

    source: str
    rule: str
    limit: str = ""


@dataclass(frozen=True)
class Declaration:
    """A return in words for its readers. Keys: of `lists` sheet names, of `feeds` ids, of `columns` house names.

    `retention_years`: how long, from its as-of date, what it was made from is kept to prove it.
    """

    return_name: str
    title: str
    purpose: str
    audience: str
    recipients_role: str
    period: str
    deadline: str
    standing: str
    layout: str
    rules_suite: str
    disclosure: Disclosure
    contact: str
    retention_years: int
    lists: Mapping[str, str]
    feeds: Mapping[str, str]
    columns: Mapping[str, Provenance]
    limits: tuple[str, ...]


def load_all(folder: Path = DECLARATIONS) -> list[Declaration]:
    """Every declared return, by name. Raises DeclarationError naming the file and the key that is wrong."""
    return [_load(path) for path in sorted(folder.glob("*.yml"))]


def _load(path: Path) -> Declaration:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    expected = {field.name for field in fields(Declaration)} - {"return_name"} | {"return"}
    if wrong := expected ^ content.keys():
        raise DeclarationError(f"{path.name}: missing or unknown: {', '.join(sorted(wrong))}")
    if content["return"] != path.stem:
        raise DeclarationError(f"{path.name}: `return` and the file's name differ")
    if content["disclosure"].get("policy") != "exact_child_level":
        raise DeclarationError(f"{path.name}: the only disclosure policy of a list of children is exact_child_level")
    try:
        return Declaration(
            **{key: value for key, value in content.items() if key != "return"}
            | {
                "return_name": content["return"],
                "disclosure": Disclosure(**content["disclosure"]),
                "columns": {name: Provenance(**spec) for name, spec in content["columns"].items()},
                "limits": tuple(content["limits"]),
            }
        )
    except TypeError as error:
        raise DeclarationError(f"{path.name}: {error}") from error
