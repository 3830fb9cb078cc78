"""Rules as written in `expectations/`: one definition each, for the gate, for `audit.finding` and for `check`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import yaml

from send_returns.settings import PROJECT

if TYPE_CHECKING:
    from send_returns.feeds import Feed
    from send_returns.layouts import Layout

Severity = Literal["error", "query", "critical"]
Scope = Literal["both", "gate", "check"]
Stops = Literal["release", "return"]
Value = str | int | float | date

EXPECTATIONS = PROJECT / "expectations"
_PLACEHOLDER = re.compile(r"(?<!:):([a-z_]+?)(?=__unreadable|[^a-z_]|$)")


class RuleError(ValueError):
    """A rule file is wrong; the message names the file and the rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on one table.

    `condition` is true where a row of `table` fails. A rule over a whole table or feed has `select` instead: each row
    it returns is a failure, known by its `record_key`; `checked` counts what it looked at. `fields` are house names.
    `blocks` is 'any', 'never', or the share of rows above which failures stop a release; `stops` says whether of every
    return, or of the return of this suite alone. `numbered_by`: the column that numbers the rows of the table, where
    they are not in the order of a list. `feed`: the contract whose codes `:codes` stands for.
    """

    code: str
    suite: str
    severity: Severity
    table: str
    fields: tuple[str, ...]
    message: str
    action: str
    blocks: str | float
    first_year: int
    source: str
    scope: Scope
    condition: str | None
    select: str | None
    checked: str | None
    other: str | None
    stops: Stops = "release"
    numbered_by: str | None = None
    feed: str | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    populations: Mapping[str, str] = field(default_factory=dict)

    def is_blocking(self, failing: int, checked: int) -> bool:
        """Whether so many failures stop a release."""
        if self.blocks == "never" or failing == 0:
            return False
        return self.blocks == "any" or failing > float(self.blocks) * checked

    def sql(self, text: str, values: Mapping[str, Value | list[str]], tables: Mapping[str, str] | None = None) -> str:
        """`text` (the condition, `select` or `checked`) with its placeholders filled in.

        `values` become SQL literals; `tables`, and the suite's populations, stand for a query in parentheses.
        Raises RuleError for a placeholder that nothing fills.
        """
        names = {"table": self.table}
        if self.fields:
            names["field"] = self.fields[0]
        if self.other:
            names["other"] = self.other
        queries = {**self.populations, **(tables or {})}
        literals = {"code": self.code, **self.parameters, **values}

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return names[name]
            if name in queries:
                return f"({_PLACEHOLDER.sub(fill, queries[name])})"
            if name in literals:
                return literal(literals[name])
            raise RuleError(f"Rule {self.code}: nothing fills :{name}.")

        return _PLACEHOLDER.sub(fill, text)


def literal(value: Value | list[str]) -> str:
    """A value as a SQL literal that Postgres and DuckDB both read; a list as literals with commas between."""
    if isinstance(value, list):
        return ", ".join(literal(item) for item in value)
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def wordings(layout: "Layout") -> dict[str, list[str]]:
    """For each category column of a layout, by house name, its wordings in capitals."""
    return {
        column.name: [wording.upper() for wording in column.categories.values()]
        for a_list in layout.lists
        for column in a_list.columns
        if column.categories
    }


def codes(feed: "Feed") -> dict[str, list[str]]:
    """The codes of a feed's contract by the name of the column that has them."""
    columns = [column for table in feed.tables for column in table.columns]
    return {column.name: sorted(column.codes) for column in columns if column.codes is not None}


def load(as_of: date, scope: Scope, group: str = "returns", folder: Path = EXPECTATIONS) -> list[Rule]:
    """The rules of a group that apply at `as_of` where `scope` ('gate' or 'check') runs, in the order of the files.

    Raises RuleError when a file is wrong, or when no rule applies: nothing may pass because nothing was asked.
    """
    found = [rule for path in sorted((folder / group).glob("*.yml")) for rule in _read(path)]
    codes = [rule.code for rule in found]
    if repeated := sorted({code for code in codes if codes.count(code) > 1}):
        raise RuleError(f"{folder / group}: rule {repeated[0]} is defined twice.")
    rules = [rule for rule in found if rule.scope in ("both", scope) and rule.first_year <= as_of.year]
    if not rules:
        raise RuleError(f"{folder / group}: no rule applies on {as_of}.")
    return rules


def _read(path: Path) -> list[Rule]:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    tables: dict[str, str] = content["tables"]
    rules = []
    for entry in content["rules"]:
        codes: dict[str, str] = entry["codes"]
        for alias, code in codes.items():
            others = [tables[other] for other in codes if other != alias]
            try:
                rules.append(_rule(content, entry, str(code), alias, others))
            except (KeyError, TypeError, ValueError) as error:
                raise RuleError(f"{path.name}: rule {code}: {error}") from error
    return rules


def _rule(content: dict[str, Any], entry: dict[str, Any], code: str, alias: str, others: list[str]) -> Rule:
    rule = Rule(
        code=code,
        suite=content["suite"],
        table=content["tables"][alias],
        other=others[0] if len(others) == 1 else None,
        stops=content.get("stops", "release"),
        numbered_by=content.get("numbered_by", {}).get(alias),
        feed=content.get("feed"),
        populations=content.get("populations", {}),
        **{
            "first_year": content["first_year"],
            "scope": "both",
            "condition": None,
            "select": None,
            "checked": None,
            **{name: value for name, value in entry.items() if name != "codes"},
            "fields": tuple(entry.get("fields", ())),
        },
    )
    if (
        rule.severity not in get_args(Severity)
        or rule.scope not in get_args(Scope)
        or rule.stops not in get_args(Stops)
    ):
        raise ValueError("unknown severity, scope or what it stops")
    if (rule.condition is None) == (rule.select is None) or (rule.select is None) != (rule.checked is None):
        raise ValueError("needs a condition, or a select with what it checked")
    if rule.blocks not in ("any", "never") and not 0 < float(rule.blocks) < 1:
        raise ValueError("blocks is any, never or a share")
    return rule
