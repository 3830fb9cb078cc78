"""`send-returns inspection`: the clock that starts when inspectors ring, and the evidence that they ask for."""

import getpass
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from send_returns import clock
from send_returns.terminal import console_of, day, ready

if TYPE_CHECKING:
    from send_returns.inspection import Due, Standing

app = typer.Typer(no_args_is_help=True, help="The inspection clock: what is due, what is missing, who owes it.")
WIDE = 100


By = Annotated[str | None, typer.Option(help="Who says so. [default: the user of this machine]")]
Output = Annotated[Path, typer.Option(file_okay=False, help="Where packs go.")]


@app.command()
def start(
    on: Annotated[date, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day on which inspectors rang.")],
    by: By = None,
    output: Output = Path("output"),
) -> None:
    """Open the window: every working day counts from the day of notification."""
    from send_returns import inspection

    with ready() as settings:
        window = inspection.start(settings, on, by or getpass.getuser())
        _show(console_of(WIDE), inspection.look(settings, window.notified_on, output.resolve()))


@app.command()
def status(
    as_of: Annotated[
        date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day to look from. [default: today]")
    ] = None,
    output: Output = Path("output"),
) -> None:
    """What is due on which working day, what it would say now, what is missing, and who owes it."""
    from send_returns import inspection

    with ready() as settings:
        _show(console_of(WIDE), inspection.look(settings, as_of or clock.today(), output.resolve()))


@app.command()
def done(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="A document, as `inspection status` names it.")],
    by: Annotated[str, typer.Option(help="Who says that it is there.")],
    undo: Annotated[bool, typer.Option("--undo", help="It is not there, after all.")] = False,
) -> None:
    """Say that a document, which no record can answer, is there."""
    from send_returns import inspection

    with ready() as settings:
        known = inspection.done(settings, item, by, undo=undo)
    console_of(WIDE).print(f"{known.title}: {'not there' if undo else 'there'}, says {by}.", markup=False)


@app.command()
def track(
    unique_ids: Annotated[list[str], typer.Argument(metavar="UNIQUE_ID...", help="As list 1 or list 2 has them.")],
    on: Annotated[
        date | None,
        typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day on which they were named. [default: today]"),
    ] = None,
    by: By = None,
) -> None:
    """Follow the children whom inspectors have named, six at most."""
    from send_returns import inspection

    with ready() as settings:
        window = inspection.track(settings, unique_ids, on or clock.today(), by or getpass.getuser())
    console = console_of(WIDE)
    console.print(f"Tracked: {', '.join(one.unique_id for one in window.tracked)}.")
    console.print("Next: send-returns inspection pack")


@app.command()
def pack(
    unique_id: Annotated[
        str | None, typer.Argument(metavar="UNIQUE_ID", help="[default: all that are tracked]")
    ] = None,
    output: Output = Path("output"),
    by: By = None,
) -> None:
    """Gather the evidence on each tracked child into a sealed pack of its own."""
    from send_returns.inspection import packing

    with ready() as settings:
        made = packing.make(settings, output.resolve(), unique_id, clock.today(), by or getpass.getuser())
    console = console_of(WIDE)
    for one in made:
        console.print(f"{one.unique_id}: {one.rows:,} rows in {one.seconds:.1f} s, {one.folder}", soft_wrap=True)
        if one.parcel:
            console.print(f"  Encrypted: {one.parcel}", soft_wrap=True)
    if any(one.parcel is None for one in made):
        console.print(
            f"Nothing was encrypted: nobody may receive {packing.declaration().return_name} (recipient add).",
        )


@app.command()
def end(
    on: Annotated[
        date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The last day. [default: today]")
    ] = None,
    by: By = None,
) -> None:
    """End the window; what it holds is kept."""
    from send_returns import inspection

    with ready() as settings:
        window = inspection.end(settings, on or clock.today(), by or getpass.getuser())
    console_of(WIDE).print(f"The inspection that was notified on {window.notified_on:%d/%m/%Y} has ended.")


def _show(console: Console, standing: "Standing") -> None:
    window = standing.window
    console.print(
        Text.assemble(
            (f"Inspection of {window.partnership.title()}", "bold"),
            f", notified {window.notified_on:%a %d/%m/%Y}, seen on {standing.as_of:%a %d/%m/%Y}",
        )
    )
    if standing.live_on:
        console.print(
            f"Live, as of {standing.live_on:%d/%m/%Y}: {standing.list_1:,} children with a plan,"
            f" {standing.list_2:,} with SEN support, {standing.measures:,} measures."
        )
    else:
        console.print("Nothing is live yet: no run has passed its gate. `send-returns run` makes one.")
    asked = [one for one in standing.items if one.item.kind != "event"]
    waiting = [one for one in asked if not one.is_ready]
    past = sum(one.days_left is not None and one.days_left < 0 for one in waiting)
    owed = Counter(
        part.partition(":")[0].removesuffix(" signs") for one in waiting for part in one.owes.split("; ") if part
    )
    by = ", ".join(f"{who} {count}" for who, count in sorted(owed.items())) or "nobody"
    console.print(
        f"{len(asked) - len(waiting)} of {len(asked)} items are there, {past} are past their day. Owed by: {by}."
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for head, justify in (("Due", "left"), ("Left", "right"), ("What", "left"), ("Now", "left"), ("Owes it", "left")):
        table.add_column(head, justify=justify, no_wrap=head in ("Due", "Left"), overflow="fold")  # type: ignore[arg-type]
    for one in standing.items:
        # Only of a document does a person have to give the name.
        name = f" ({one.item.item})" if one.item.kind == "document" else ""
        state = Text(one.state, style="green" if one.is_ready else "")
        table.add_row(_due(one), _left(one), Text.assemble(one.item.title, (name, "dim")), state, Text(one.owes))
    console.print(table)
    console.print(
        "Left: in working days, - past. ° The day is our assumption, * a source implies it: the letter comes first."
    )
    if standing.late_feeds:
        console.print("\n[bold]Feeds that are missing or stale[/]")
        feeds = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for head in ("Feed", "State", "Owes it", "A run waits for it"):
            feeds.add_column(head, overflow="fold")
        for feed in standing.late_feeds:
            waits = "yes" if feed.is_required else "no"
            feeds.add_row(feed.feed, Text(feed.state, style="red"), Text(feed.supplier), waits)
        console.print(feeds)
        console.print("`send-returns chase` writes to each what it owes.")
    if window.tracked:
        console.print(f"\nTracked: {', '.join(one.unique_id for one in window.tracked)}.")


def _due(one: "Due") -> str:
    day = f"{one.due_on:%a %d/%m}" if one.due_on else "+" + str(one.item.working_day)
    return day + {"L": " °", "M": " *"}.get(one.item.confidence, "")


def _left(one: "Due") -> Text:
    if one.days_left is None:
        return Text("")
    is_late = one.days_left < 0 and not one.is_ready
    return Text(str(one.days_left), style="red" if is_late else "")
