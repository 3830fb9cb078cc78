"""Typed at the door: text becomes values by the contract, here, because a database's error text would quote them.

Rows that the contract lets in are kept and flagged; a row that cannot be keyed, or that lacks what is essential, is
quarantined whole.
"""

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from send_returns.feeds import headers
from send_returns.feeds.checks import CHECKS
from send_returns.feeds.chunk import Chunk
from send_returns.feeds.contract import Column, Feed, Table
from send_returns.feeds.rules import RULES

PolarsType = pl.DataType | type[pl.DataType]
YES = ("true", "True", "TRUE", "1", "1.0", "yes", "Yes", "YES", "y", "Y")
NO = ("false", "False", "FALSE", "0", "0.0", "no", "No", "NO", "n", "N")
TYPES: Mapping[str, PolarsType] = {
    "string": pl.String,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "integer": pl.Int32,
    "boolean": pl.Boolean,
}
EXPECTED = {"date": "a date", "timestamp": "a date and time", "integer": "a whole number", "boolean": "yes or no"}
FINDING: Mapping[str, PolarsType] = {
    "rule": pl.String,
    "severity": pl.String,
    "table_name": pl.String,
    "fields": pl.List(pl.String),
    "row_number": pl.Int64,
    "message": pl.String,
}
# Rules that tell of a column once, with the number of its cells: what was read as what it plainly means.
COUNTED = ("F17", "F19")
# Identifiers that prove themselves by a check digit.
PROVEN = ("upn", "upn_or_reason", "uln", "nhs_number")
# An NHS number that begins with a nought is a Scottish one, which begins with a day and a month.
CUT = {"nhs_number": r"^([1-9](?:0[1-9]|1[0-2])[0-9]{6})$"}
# What is written into an identifier that is none of it; a spreadsheet's `.0` is taken off as well.
GAPS = r"[\s\p{Pd}]|\.0+$"
KEYS_AT_ONCE = 1_000_000
QUARANTINED: Mapping[str, PolarsType] = {"row_number": pl.Int32, "reasons": pl.List(pl.String), "raw": pl.String}


@dataclass(frozen=True, slots=True)
class Checked:
    """One batch, decided: rows in = `loaded.height + quarantined.height`.

    `loaded`: the table's columns, typed, `_row_number` and `_extra` (JSON text).
    `quarantined`: row_number, reasons, raw (JSON text of what arrived).
    `findings`: rule, severity, table_name, fields, row_number (null: the whole table), message.
    """

    table: Table
    loaded: pl.DataFrame
    quarantined: pl.DataFrame
    findings: pl.DataFrame


def finding(rule: str, table: str, *fields: str, rows: pl.Series | None = None, expected: str = "") -> pl.DataFrame:
    """A finding per row number of `rows`, or one about the whole table."""
    numbers = pl.Series("row_number", [None] if rows is None else rows, dtype=pl.Int64)
    return pl.DataFrame(numbers).select(
        rule=pl.lit(rule),
        severity=pl.lit(RULES[rule].severity),
        table_name=pl.lit(table),
        fields=pl.lit(pl.Series([list(fields)], dtype=pl.List(pl.String))).first(),
        row_number="row_number",
        message=pl.lit(RULES[rule].message(", ".join(fields) or "it", expected)),
    )


def join_findings(found: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All of them, in their order."""
    return pl.concat(found) if found else pl.DataFrame(schema=FINDING)


def volume_findings(feed: Feed, counts: Mapping[str, int], previous: Mapping[str, int] | None = None) -> pl.DataFrame:
    """Findings about tables with fewer or more rows than the contract expects, or than the last delivery leads to.

    `counts`: rows in, per table that came; `previous`: those of the last delivery for a period of the same length.
    """
    found = []
    for name, rows in counts.items():
        if (bounds := feed.volume.get(name)) and not bounds.least <= rows <= bounds.most:
            expected = f"{rows:,} rows, where {bounds.least:,} to {bounds.most:,} are expected"
            found.append(finding("F18", name, expected=expected))
        if (before := (previous or {}).get(name)) and abs(rows - before) > feed.max_change * before:
            found.append(finding("F18", name, expected=f"{rows:,} rows, where the last delivery had {before:,}"))
    return join_findings(found)


class TableChecker:
    """Types the chunks of one table of one delivery, and remembers its keys to find those that occur twice."""

    def __init__(self, feed: Feed, table: Table) -> None:
        self._formats, self._nothing = feed.date_formats, feed.nothing
        self._table = table
        self._changed: Counter[tuple[str, str]] = Counter()
        self._keys: list[pl.DataFrame] = []
        self._reported: set[str] = set()

    def check(self, chunk: Chunk) -> Checked:
        """One batch of text, decided."""
        table = self._table
        text = _clean(chunk.frame, self._nothing)
        found = _marked(chunk)
        if text.height:
            found += self._columns(text.columns)
        numbers = text["_row_number"]
        quick = text.select(
            expression
            for column in table.columns
            if column.name in text.columns and (expression := _quick(column)) is not None
        )
        typed: list[pl.Series] = []
        missing: list[tuple[Column, pl.Series]] = []
        for column in table.columns:
            # polars types what comes of no cells as it likes.
            if column.name not in text.columns or not text.height:
                values = pl.Series(column.name, [None], dtype=TYPES[column.type]).new_from_index(0, text.height)
            elif column.name in quick.columns and quick[column.name].null_count() == text[column.name].null_count():
                values = quick[column.name]
            else:
                values, problems = _typed(text[column.name], column, self._formats)
                for rule, mask in problems:
                    if rule in COUNTED:
                        self._changed[rule, column.name] += int(mask.sum())
                        continue
                    rows, expected = numbers.filter(mask), _expected(column, rule)
                    found.append(finding(rule, table.name, column.name, rows=rows, expected=expected))
            typed.append(values)
            if column.essential and values.null_count():
                empty = values.is_null()
                missing.append((column, empty))
                found.append(finding("F04", table.name, column.name, rows=numbers.filter(empty)))
        keep = ~functools.reduce(lambda a, b: a | b, (mask for _, mask in missing)) if missing else None
        loaded = pl.DataFrame([*typed, numbers, _extra(text)])
        quarantined = _rejected(chunk)
        for rule in sorted({row.rule for row in chunk.rejected}):
            at = pl.Series([row.row_number for row in chunk.rejected if row.rule == rule], dtype=pl.Int64)
            found.append(finding(rule, table.name, rows=at))
        if keep is not None:
            out = ~keep
            reasons = [
                pl.when(mask.filter(out)).then(pl.lit(f"F04 {RULES['F04'].message(column.name)}"))
                for column, mask in missing
            ]
            refused = text.filter(out).select(
                row_number="_row_number",
                reasons=pl.concat_list(reasons).list.drop_nulls(),
                raw=_json([name for name in text.columns if name != "_row_number"]),
            )
            quarantined = pl.concat([quarantined, refused])
            loaded = loaded.filter(keep)
        if table.key:
            self._keys.append(loaded.select(pl.struct(table.key).hash().alias("key"), "_row_number"))
        return Checked(table, loaded, quarantined, join_findings(found))

    def finish(self) -> pl.DataFrame:
        """Findings about the table as a whole: spellings read as codes, and keys that occur more than once."""
        found = [
            finding(rule, self._table.name, column, expected=f"{count:,}")
            for (rule, column), count in sorted(self._changed.items())
        ]
        return join_findings([*found, *([self._repeated()] if self._keys else [])])

    def _repeated(self) -> pl.DataFrame:
        # Finding what occurs twice takes many times the memory of the keys: a share of them at a time.
        shares = 1 + sum(keys.height for keys in self._keys) // KEYS_AT_ONCE
        again = pl.concat(self._again(share, shares) for share in range(shares))
        return finding("F06", self._table.name, *self._table.key, rows=again.sort())

    def _again(self, share: int, shares: int) -> pl.Series:
        """Row numbers, among one of `shares` equal shares of the keys, of those that occur more than once."""
        keys = pl.concat(keys.filter(pl.col("key") % shares == share) if shares > 1 else keys for keys in self._keys)
        return keys.filter(keys["key"].is_duplicated())["_row_number"]

    def _columns(self, present: Sequence[str]) -> list[pl.DataFrame]:
        """Once per table: columns that the contract does not know, and those of it that did not come."""
        here = [name[1:] for name in present if name.startswith("+")]
        # Of two columns of which a file has one, nobody misses the other.
        spared = {column.alternative_to for column in self._table.columns if column.name in present}
        absent = [
            column.name
            for column in self._table.columns
            if column.name not in present and column.alternative_to not in present and column.name not in spared
        ]
        told = [("F07", name) for name in here] + [("F08", name) for name in absent]
        fresh = [(rule, name) for rule, name in told if f"{rule} {name}" not in self._reported]
        self._reported.update(f"{rule} {name}" for rule, name in fresh)
        return [finding(rule, self._table.name, name) for rule, name in fresh]


def _clean(frame: pl.DataFrame, nothing: Sequence[str]) -> pl.DataFrame:
    """Cells trimmed, what means nothing null, and rows of nothing but that dropped: they are not records."""
    cells = [name for name in frame.columns if name != "_row_number"]
    trimmed = frame.select(pl.col(cells).str.strip_chars(), "_row_number").with_columns(
        pl.when(~pl.col(cells).is_in(nothing)).then(pl.col(cells))
    )
    if any(trimmed[name].null_count() == 0 for name in cells):
        return trimmed
    return trimmed.filter(~pl.all_horizontal(pl.col(cells).is_null()))


def _quick(column: Column) -> pl.Expr | None:
    """An expression for a column whose every cell is spelled as it should be; null where one is not.

    All such columns go in one pass, and only those with a stray cell are looked at again, by `_typed`.
    """
    cell = pl.col(column.name)
    if column.type == "boolean":
        return pl.when(cell.is_in(YES)).then(True).when(cell.is_in(NO)).then(False).alias(column.name)
    if column.type == "integer":
        return cell.cast(pl.Int32, strict=False)
    if column.codes is not None and not column.check:
        return pl.when(cell.is_in(list(column.codes))).then(cell)
    return None


def _expected(column: Column, rule: str) -> str:
    return CHECKS[column.check][1] if rule == "F03" and column.check else EXPECTED.get(column.type, "")


Problems = list[tuple[str, pl.Series]]


def _typed(text: pl.Series, column: Column, formats: Sequence[str]) -> tuple[pl.Series, Problems]:
    """A column's values, and the rules that some of its cells break with a mask of those cells."""
    if column.type == "string":
        values, problems = (text, []) if column.codes is None else _coded(text, column.codes, column.values)
        if column.check:
            values, failing = _checked(values, column.check)
            problems += failing
        return values, problems
    found: Problems = []
    if column.type == "boolean":
        spelled = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
        meant = _meant(text.filter(~text.is_in(list(spelled))), column.values)
        if meant:
            found.append(("F17", text.is_in(list(meant)).fill_null(False)))
            spelled |= {raw: code == "true" for raw, code in meant.items()}
        values = text.replace_strict(spelled, default=None, return_dtype=pl.Boolean)
    elif column.type == "integer":
        values = _whole(text)
    else:
        # A column of dates has few different ones: each is read once.
        different = text.unique()
        values = text.replace_strict(
            different, _dated(different, column.type, formats), return_dtype=TYPES[column.type]
        )
    unreadable = values.is_null() & text.is_not_null()
    if unreadable.any():
        found.append(("F01", unreadable))
    if column.type in ("date", "timestamp"):
        odd = ~values.dt.year().is_between(1900, 2099)
        if odd.any():
            found.append(("F11", odd.fill_null(False)))
    return values, found


def _whole(text: pl.Series) -> pl.Series:
    """Whole numbers, with or without the `.0` that spreadsheets add."""
    values = text.cast(pl.Int32, strict=False)
    rest = values.is_null() & text.is_not_null()
    if not rest.any():
        return values
    return values.fill_null(text.str.replace(r"^([+-]?\d+)\.0+$", "$1").cast(pl.Int32, strict=False))


def _dated(text: pl.Series, kind: str, formats: Sequence[str]) -> pl.Series:
    """Dates in any of the formats, tried in order on what the earlier ones could not read; years have four digits."""
    values = pl.Series(text.name, [None], dtype=TYPES[kind]).new_from_index(0, len(text))
    for format_ in formats:
        rest = values.is_null() & text.is_not_null()
        if not rest.any():
            break
        left = text if rest.all() else text.set(~rest, None)
        parsed = (
            left.str.to_datetime(format_, strict=False) if "%H" in format_ else left.str.to_date(format_, strict=False)
        )
        parsed = parsed.cast(TYPES[kind])
        short = parsed.dt.year() < 1000
        values = values.fill_null(parsed.set(short, None) if short.any() else parsed)
    return values


def _coded(text: pl.Series, codes: Mapping[str, str], meanings: Mapping[str, str]) -> tuple[pl.Series, Problems]:
    """Codes as the contract spells them. Another case or a spreadsheet's `.0` is forgiven, and a spelling with one
    known meaning is read as that; an unknown code is kept."""
    stray = (~text.is_in(list(codes))).fill_null(False)
    if not stray.any():
        return text, []
    different = text.filter(stray).unique()
    known = {code.lower(): code for code in codes}
    spelled = {raw: code for raw in different if (code := known.get(re.sub(r"\.0+$", "", raw.lower())))}
    meant = _meant(different.filter(~different.is_in(list(spelled))), meanings)
    problems = [("F17", text.is_in(list(meant)).fill_null(False))] if meant else []
    read = spelled | meant
    unknown = stray & ~text.is_in(list(read)) if read else stray
    if unknown.any():
        problems.append(("F02", unknown))
    return text.replace(read) if read else text, problems


def _meant(stray: pl.Series, meanings: Mapping[str, str]) -> dict[str, str]:
    """The code of each raw value that the contract gives a meaning."""
    if not meanings:
        return {}
    return {raw: code for raw in stray.drop_nulls().unique() if (code := meanings.get(headers.squeeze(raw)))}


def _checked(values: pl.Series, check: str) -> tuple[pl.Series, Problems]:
    """Values with identifiers that only lack their form put right, and which of them fail the check all the same."""
    failing = _failing(values, check)
    if not failing.any():
        return values, []
    problems: Problems = []
    if check in PROVEN:
        different = values.filter(failing).unique()
        plain = different.str.replace_all(GAPS, "")
        if check in CUT:
            plain = plain.str.replace(CUT[check], "0${1}")
        proven = pl.Series(CHECKS[check][0](plain))
        if proven.any():
            restored = dict(zip(different.filter(proven), plain.filter(proven), strict=True))
            problems.append(("F19", values.is_in(list(restored)).fill_null(False)))
            values = values.replace(restored)
            failing = _failing(values, check)
    return values, [*problems, ("F03", failing)] if failing.any() else problems


def _failing(values: pl.Series, check: str) -> pl.Series:
    """A mask of the values that are there and do not pass."""
    passes = CHECKS[check][0](values.drop_nulls())
    return pl.Series([False]).new_from_index(0, len(values)).scatter(values.is_not_null().arg_true(), ~passes)


def _json(columns: Sequence[str], name: str = "raw") -> pl.Expr:
    """One JSON object per row of the columns that are not null, under their names without `+`; null when all are."""
    members = [
        pl.when(pl.col(column).is_not_null()).then(
            pl.struct(pl.col(column).alias(column.lstrip("+"))).struct.json_encode().str.slice(1).str.head(-1)
        )
        for column in columns
    ]
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).alias(name)


def _extra(text: pl.DataFrame) -> pl.Series:
    unknown = [name for name in text.columns if name.startswith("+")]
    if not unknown:
        return pl.Series("_extra", [None], dtype=pl.String).new_from_index(0, text.height)
    return text.select(_json(unknown, "_extra"))["_extra"]


def _marked(chunk: Chunk) -> list[pl.DataFrame]:
    rows = defaultdict(list)
    for mark in chunk.marks:
        rows[mark.rule, mark.field].append(mark.row_number)
    return [
        finding(rule, chunk.table, field, rows=pl.Series(numbers, dtype=pl.Int64))
        for (rule, field), numbers in rows.items()
    ]


def _rejected(chunk: Chunk) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_number": [row.row_number for row in chunk.rejected],
            "reasons": [[f"{row.rule} {RULES[row.rule].message()}"] for row in chunk.rejected],
            "raw": [row.raw for row in chunk.rejected],
        },
        schema=QUARANTINED,
    )
