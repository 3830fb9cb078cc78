"""What a delivery can be found to have wrong: one table of rules. A message names a column, never a value."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Rule:
    """`title`: what is wrong; `action`: what became of it and what to do. Both may use `{field}` and `{expected}`."""

    code: str
    severity: Severity
    title: str
    action: str

    def message(self, field: str = "", expected: str = "") -> str:
        """The line that a data officer reads."""
        return f"{self.title} {self.action}".format(field=field, expected=expected)


RULES = {
    rule.code: rule
    for rule in (
        Rule(
            "F01", "error", "{field} cannot be read as {expected}.", "The row is kept without it: correct it at source."
        ),
        Rule("F02", "warning", "{field} is not in its code list.", "Kept as it arrived: correct it, or add the code."),
        Rule("F03", "warning", "{field} is not {expected}.", "Kept as it arrived: check it against its issuer."),
        Rule(
            "F04",
            "error",
            "{field} is missing or unreadable and the row cannot do without it.",
            "Quarantined: send again.",
        ),
        Rule(
            "F05",
            "error",
            "The row has another number of cells than the header.",
            "Quarantined: look for a stray comma.",
        ),
        Rule("F06", "error", "More than one row has this {field}.", "All are kept: say which one holds."),
        Rule("F07", "info", "Column {field} is not in the contract.", "Kept aside in _extra."),
        Rule("F08", "warning", "Column {field} is not in the file.", "Its cells are empty: add it to the export."),
        Rule("F09", "warning", "No data for this table is in the delivery.", "It is empty: was a file forgotten?"),
        Rule("F10", "error", "The row has characters that are not text.", "Quarantined: export the file again."),
        Rule("F11", "warning", "{field} is outside the years 1900 to 2099.", "Kept as it arrived: check it."),
        Rule("F12", "warning", "Stray text beside {field}.", "Not loaded: look at the export."),
        Rule(
            "F13", "warning", "{field} occurs more than once.", "The first is loaded, the others are aside in _extra."
        ),
        Rule("F14", "info", "A file belongs to no table of the contract.", "Archived, not loaded."),
        Rule("F15", "warning", "{field} is empty.", "Whose return it is cannot be checked."),
        Rule("F16", "error", "The delivery is refused:", "{expected}"),
        Rule(
            "F17",
            "info",
            "{field}: {expected} cell(s) had another spelling of a code.",
            "Read as the code that it means.",
        ),
        Rule("F18", "warning", "The table has {expected}.", "Taken all the same: is the extract whole?"),
        Rule(
            "F19",
            "info",
            "{field}: {expected} cell(s) had gaps, or lost their leading noughts.",
            "Read as the number that the check digit proves: keep the column as text.",
        ),
    )
}
