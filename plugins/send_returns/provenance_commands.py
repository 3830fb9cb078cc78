"""`send-returns trace`, `diff`: where a cell or a figure of a release comes from, and what changed between two."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, SupportsFloat

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from send_returns.terminal import connected, console_of

if TYPE_CHECKING:
    from send_returns.provenance import Difference, FigureTrace, RowTrace

app = typer.Typer()
WIDE = 120
ReleaseId = Annotated[str, typer.Argument(metavar="RELEASE", help="Its id: `send-returns releases` lists them.")]
Output = Annotated[Path, typer.Option(file_okay=False, help="Where published packs are.")]


@app.command()
def trace(
    release_id: ReleaseId,
    part: Annotated[str | None, typer.Option("--list", help="The list, or kind of record, such as List_1.")] = None,
    row: Annotated[
        int | None, typer.Option(min=2, help="Its row as a spreadsheet numbers it; row 1 is the headings.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="One column, by its heading or name. [default: all]")] = None,
    indicator: Annotated[
        str | None, typer.Option(metavar="MEASURE", help="A figure: its measure, or its indicator's code.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(
            metavar="[KIND:]DAY", help="How its last day begins: 2026, 2026-09, month:2026-09. [default: the latest]"
        ),
    ] = None,
    breakdown: Annotated[
        str | None, typer.Option(metavar="B=V", help="A part of the whole: sex=M. [default: the whole]")
    ] = None,
    district: Annotated[str | None, typer.Option(help="Of one district, by its code. [default: all]")] = None,
    full: Annotated[bool, typer.Option("--full", help="Also the rows of files behind each case shown.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many cases.")] = 20,
    output: Output = Path("output"),
) -> None:
    """A cell, whose value is not shown, or a figure, back to rule, models, deliveries and rows. Looks are recorded."""
    from send_returns import provenance

    if (indicator is None) == (part is None) or (part is None) != (row is None):
        raise typer.BadParameter("Give --list with --row, or --indicator.")
    if indicator is not None and column is not None:
        raise typer.BadParameter("--column goes with --list.")
    if part is not None and (full or period or breakdown or district):
        raise typer.BadParameter("--period, --breakdown, --district and --full go with --indicator.")
    with connected("provenance", looks_only=True) as (settings, connection):
        if part is not None and row is not None:
            _show_row(
                provenance.trace_row(settings, connection, release_id, part, row, column, output.resolve()),
                is_one=column is not None,
            )
            return
        name, equals, value = (breakdown or "total=total").partition("=")
        if not equals:
            raise typer.BadParameter("Write the breakdown as NAME=VALUE, such as sex=M.")
        asked = provenance.Asked(indicator or "", period, name, value, district)
        _show_figure(provenance.trace_figure(settings, connection, release_id, asked, limit, full=full))


@app.command("diff")
def difference(
    first: ReleaseId,
    second: ReleaseId,
    children: Annotated[bool, typer.Option("--children", help="Child by child, for those who may see it.")] = False,
    values: Annotated[bool, typer.Option("--values", help="With --children: also what the cells say.")] = False,
    output: Output = Path("output"),
) -> None:
    """What changed between two releases of a return, in counts, and what can have changed it; each look is recorded."""
    from send_returns import provenance

    if values and not children:
        raise typer.BadParameter("--values goes with --children.")
    with connected("provenance", looks_only=True) as (settings, connection):
        found = provenance.diff(settings, connection, first, second, output.resolve(), children=children, values=values)
    _show_difference(found, children=children)


def _table(console: Console, title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table, if it has rows; a head that begins with # is of numbers."""
    told = [[Text("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not told:
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head.lstrip("#"), justify="right" if head[:1] == "#" else "left", overflow="fold")
    for row in told:
        table.add_row(*row)
    console.print(table)


def _facts(console: Console, facts: Sequence[tuple[str, object]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in ("", None):
            table.add_row(name, Text(str(value)))
    console.print(table)


def _show_row(found: "RowTrace", *, is_one: bool) -> None:
    console = console_of(WIDE)
    rules = ", ".join(f"{one['rules']} {one['outcome']}" for one in found.rules)
    _facts(
        console,
        (
            ("Release", f"{found.release.release_id}, {found.release.state}"),
            ("Run", f"{found.run.run_id}, as of {found.run.as_of}, {'live' if found.is_live else 'not live any more'}"),
            ("Row", f"{found.part}, row {found.row}"),
            ("Person", found.person_id),
            ("Rules", f"suite {found.suite} of code {found.run.code_version}: {rules}"),
        ),
    )
    _table(
        console,
        "Findings on this row",
        ("Rule", "Severity", "What was found"),
        [(one["rule"], one["severity"], one["message"]) for one in found.findings],
    )
    if is_one:
        [column] = found.columns
        said = column.said
        _facts(
            console,
            (
                ("Column", f"{column.heading} ({column.name})"),
                ("Comes from", said.source if said else ""),
                ("Worked out by", said.rule if said else ""),
                ("Its limit", said.limit if said else ""),
                ("Models", ", ".join(column.models) or _no_models(found)),
                ("Raw columns", ", ".join(map(_origin, column.origins))),
            ),
        )
        _table(
            console,
            "Rows of files that it can come from; filled: the raw columns that are not blank there",
            ("Feed", "Delivery", "Contract", "Table", "#Row", "Filled", "File's name, hashed", "File's SHA-256"),
            [
                (
                    one["feed"], one["delivery"], one["contract"], one["table"].split("__")[1], one["row_number"],
                    " ".join(one["filled"]),
                    *("\n".join(file[name][:12] for file in one["files"]) for name in ("name_sha256", "sha256")),
                )
                for one in found.sources
            ],
        )  # fmt: skip
        if not found.sources and column.origins:
            console.print("The child has no row in these tables: the cell is blank or a default, by the rule above.")
    else:
        _table(
            console,
            "Columns",
            ("Column", "Comes from", "Raw columns"),
            [
                (one.heading, one.said.source if one.said else "", "\n".join(map(_origin, one.origins)))
                for one in found.columns
            ],
        )
        if not found.is_kept:
            console.print(_no_models(found))
    _table(
        console,
        "Records that were joined to this person",
        ("Feed", "Delivery", "Contract", "Table", "#Row", "State", "How", "Explanation"),
        [
            (
                one["feed"], one["delivery"], one["contract"], one["table"].split("__")[1], one["row_number"],
                one["state"], one["method"], one["explanation"],
            )
            for one in found.records
        ],
    )  # fmt: skip
    if not found.is_live:
        console.print(
            "The run is not live any more: the deliveries and rows are those that it read; who is whom is as linkage"
            " has it today.",
            soft_wrap=True,
        )
    if not is_one:
        console.print("Next: the same with --column, for the rows of files behind one cell.")


def _no_models(found: "RowTrace") -> str:
    return (
        "" if found.is_kept else "The SQL that built the run is not kept here: models and raw columns cannot be told."
    )


def _origin(origin: object) -> str:
    table, column = getattr(origin, "table", ""), getattr(origin, "column", "")
    return f"{table}.{column}" if column else f"{table} (a row)"


def _show_figure(found: "FigureTrace") -> None:
    console, figure, told = console_of(WIDE), found.figure, found.definition
    of = figure["dimensions"]
    shown = {name: _number(figure[name]) for name in ("value", "numerator", "denominator")}
    part = "" if of["breakdown"] == "total" else f"{of['breakdown']} = {of['breakdown_value']}"
    _facts(
        console,
        (
            ("Release", f"{found.release.release_id}, {found.release.state}"),
            (
                "Run",
                f"{found.release.run_id}, as of {found.release.as_of},"
                f" {'live' if found.is_live else 'not live any more'}, code {found.code_version}",
            ),
            ("Measure", f"{figure['measure']}: {told.get('name', '')}".rstrip(": ")),
            ("Definition", told.get("definition")),
            ("Numerator", told.get("numerator")),
            ("Denominator", told.get("denominator")),
            ("Leaves out", told.get("leaves_out")),
            ("Statistic", f"{told['statistic']} per {told['per']}, in {told['unit']}" if "statistic" in told else ""),
            ("Source", told.get("source")),
            ("Period", f"{figure['period_kind']}, {figure['period_from_on']} to {figure['period_to_on']}"),
            ("Of", ", ".join(filter(None, (of["geography_code"], part)))),
            (
                "As released",
                f"{shown['value']} ({shown['numerator']} of {shown['denominator']})"
                + (f", status {figure['status']}" if figure["status"] else ""),
            ),
            ("Hidden", found.hidden),
            ("Models", ", ".join(found.way.models) if found.way else "The SQL that built the run is not kept here."),
        ),
    )
    _table(
        console,
        "Deliveries that it is counted from",
        ("Feed", "Delivery", "Contract", "Tables", "Content's SHA-256"),
        [
            (*key, " ".join(row["table"].split("__")[1] for row in rows), sha256[:12])
            for (*key, sha256), rows in groupby(
                found.deliveries, lambda row: (row["feed"], row["delivery"], row["contract"], row["sha256"])
            )
        ],
    )
    if found.cases is None:
        console.print(found.why_not, soft_wrap=True)
        return
    cases = found.cases
    console.print(
        f"Behind it, exactly: {cases.cases:,} cases of {cases.children:,} children; numerator"
        f" {_number(cases.numerator)}, denominator {_number(cases.denominator)}. Not to be passed on.",
        soft_wrap=True,
    )
    _table(
        console,
        "Cases, the latest first",
        ("Child key", "Counted on", "#Numerator", "#Denominator", "#Amount"),
        [
            (
                (row["child_key"] or "no child")[:16],
                row["counted_on"],
                *(_number(row[n]) for n in ("numerator", "denominator", "amount")),
            )
            for row in cases.shown
        ],
    )
    if cases.cases > len(cases.shown):
        console.print(f"{cases.cases - len(cases.shown):,} more: --limit {cases.cases}")
    _table(
        console,
        "Their rows of files",
        ("Child key", "Feed", "Delivery", "Table", "Rows"),
        [
            (key[:16], feed, delivery, table.split("__")[1], " ".join(str(row["row_number"]) for row in rows))
            for (key, feed, delivery, table), rows in groupby(
                found.sources, lambda row: (row["child_key"], row["feed"], row["delivery"], row["table"])
            )
        ],
    )


def _number(value: SupportsFloat | None) -> str:
    # 25.7 is kept as the nearest binary number, which is a hair off.
    return "-" if value is None else f"{float(value):,.10g}"


def _show_difference(found: "Difference", *, children: bool) -> None:
    console = console_of(WIDE)
    _facts(
        console,
        (
            ("Before", f"{found.before.release_id}, run {found.before.run_id}, {found.before.state}"),
            ("Now", f"{found.now.release_id}, run {found.now.run_id}, {found.now.state}"),
        ),
    )
    if not (found.files or found.changes or found.measures):
        console.print("No file of the two differs.")
    _table(
        console,
        "What changed",
        ("In", "Column", "What", "#Count"),
        [(one.return_table, one.measure or "rows", one.kind, f"{one.count:,}") for one in found.changes],
    )
    _table(
        console,
        "Figures that changed, as they are shown",
        ("Table", "Measure", "#Moved", "#Became hidden", "#Became shown", "#Came", "#Left"),
        [
            (one.return_table, one.measure, one.moved, one.hidden, one.shown, one.came, one.left)
            for one in found.measures
        ],
    )
    if not found.counted:
        console.print("The two packs are not both here, so rows are not counted: give their folder with --output.")
    _table(console, "Files", ("File", "What"), found.files)
    _table(
        console,
        "What can have changed it: deliveries that only one of the runs read",
        ("Read by", "Feed", "Period", "Delivery", "Contract", "Content's SHA-256"),
        [
            (one["run"], one["feed"], one["period"], one["delivery"], one["contract"], one["sha256"][:12])
            for one in found.deliveries
        ],
    )
    _table(console, "And what else differs", ("What", "Before", "Now"), found.facts)
    if not found.deliveries and not found.facts and found.files:
        console.print("The runs read the same, by the same code: linkage, or what people decided of it, differs.")
    if not children:
        return
    _table(
        console,
        "Child by child",
        ("In", "Person", "What", "Columns", "Deliveries of the child that changed"),
        [
            (
                one.part,
                one.person_id,
                one.fate,
                "\n".join(
                    f"{name}: {one.values[place][0]} -> {one.values[place][1]}" if one.values else name
                    for place, name in enumerate(one.columns)
                ),
                "\n".join(one.causes) or "none: see above",
            )
            for one in found.children
        ],
    )
    console.print(f"{len(found.children):,} rows of children differ.")
