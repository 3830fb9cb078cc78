"""Text in a CSV, which has no types: what begins like a formula would be run as one by a spreadsheet (CWE-1236)."""

# Some programs take the full-width forms for the same.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(text: str) -> str:
    """The text, with an apostrophe before it where it begins like a formula. Not for numbers, which cannot be one."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
