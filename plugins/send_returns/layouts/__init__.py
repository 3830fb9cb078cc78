"""The layouts of returns: which columns a list has, how they are headed and which wording their categories take.

A layout is one YAML file in this folder. The first of a return is whole; a later one names the version that it
``extends``, the ``reason`` for the change, and only what differs: keys of a column replace those before, and a list
that gives ``columns`` gives its whole new order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml

ColumnType = Literal["text", "date", "integer", "percentage", "category"]
Required = Literal["always", "conditional", "optional"]

LAYOUTS = Path(__file__).parent


class LayoutError(ValueError):
    """A layout file is wrong, or no layout is in force on the date asked for."""


@dataclass(frozen=True)
class Column:
    """One column: ``name`` is the house name in the warehouse, ``heading`` the template's own.

    ``categories`` maps house codes to the template's wording, in the template's order; empty unless ``type`` is
    ``category``. A ``percentage`` is in per cent (0 to 100) with one decimal.
    """

    name: str
    heading: str
    type: ColumnType
    required: Required
    note: str = ""
    categories: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ListLayout:
    """One list (worksheet): its name in the workbook, the dbt model that fills it, and its columns in order."""

    name: str
    model: str
    scope: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Layout:
    """One version of a return's lists, in force from a date until the next version's."""

    return_name: str
    version: str
    in_force_from: date
    reason: str
    source: str
    lists: tuple[ListLayout, ...]


def load(return_name: str, as_of: date, folder: Path = LAYOUTS) -> Layout:
    """The layout of a return (``area_send_annex_a``) in force on ``as_of``.

    Raises:
        LayoutError: no layout is in force then, or one of the return's files is wrong.
    """
    in_force = [layout for layout in load_all(return_name, folder) if layout.in_force_from <= as_of]
    if not in_force:
        raise LayoutError(f"{return_name}: no layout is in force on {as_of}; add a file to {folder}")
    return in_force[-1]


def load_all(return_name: str, folder: Path = LAYOUTS) -> list[Layout]:
    """Every layout of a return, oldest first. Raises LayoutError if a file is wrong."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"{return_name}_*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        version = content.get("version")
        if content.get("return") != return_name or not isinstance(version, str) or version in files:
            raise LayoutError(f"{path.name}: needs `return: {return_name}` and a quoted version of its own")
        if not isinstance(content.get("in_force_from"), date):
            raise LayoutError(f"{path.name}: needs `in_force_from`, a date")
        if "extends" in content and not content.get("reason"):
            raise LayoutError(f"{path.name}: a delta needs a `reason`")
        files[version] = content
    layouts = [_layout(return_name, content, _resolve(version, files, ())) for version, content in files.items()]
    return sorted(layouts, key=lambda layout: layout.in_force_from)


def _resolve(version: str, files: Mapping[str, dict[str, Any]], seen: tuple[str, ...]) -> dict[str, Any]:
    """Columns and lists of a version with those of the versions it extends."""
    if version not in files or version in seen:
        raise LayoutError(
            f"layout {version}: extended, but " + ("by itself" if version in seen else "there is no such file")
        )
    own = files[version]
    if "extends" not in own:
        return {"columns": own["columns"], "lists": own["lists"]}
    base = _resolve(own["extends"], files, (*seen, version))
    return {
        part: base[part] | {name: base[part].get(name, {}) | new for name, new in own.get(part, {}).items()}
        for part in ("columns", "lists")
    }


def _layout(return_name: str, content: Mapping[str, Any], resolved: Mapping[str, Any]) -> Layout:
    version = content["version"]
    try:
        columns = {name: Column(name=name, **spec) for name, spec in resolved["columns"].items()}
        lists = tuple(
            ListLayout(name, spec["model"], spec["scope"], tuple(columns[column] for column in spec["columns"]))
            for name, spec in resolved["lists"].items()
        )
    except (KeyError, TypeError) as error:
        raise LayoutError(f"{return_name} {version}: missing or unknown key {error}") from error
    for column in columns.values():
        if column.type not in get_args(ColumnType) or column.required not in get_args(Required):
            raise LayoutError(f"{return_name} {version}: column {column.name} has an unknown type or `required`")
        if (column.type == "category") != bool(column.categories):
            raise LayoutError(f"{return_name} {version}: column {column.name}: categories go with type category")
    reason = cast(str, content.get("reason", ""))
    return Layout(return_name, version, content["in_force_from"], reason, content.get("source", ""), lists)
