"""`send-returns subject`, `erase`, `opt-out`: what the law lets a person ask of whoever holds their data."""

import getpass
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from send_returns import clock
from send_returns.failure import Failure
from send_returns.settings import Settings
from send_returns.terminal import console_of, day, ready

if TYPE_CHECKING:
    from send_returns.rights import Held, Past, Removed

app = typer.Typer()
WIDE = 160


PersonId = Annotated[str | None, typer.Argument(metavar="PERSON_ID", help="Such as P0000000119.")]
NhsNumber = Annotated[bool, typer.Option("--nhs-number", help="Find the person by an NHS number, which is asked for.")]
Upn = Annotated[bool, typer.Option("--upn", help="Find the person by a UPN, which is asked for.")]
LaChildId = Annotated[
    bool, typer.Option("--la-child-id", help="Find the person by the council's own id, which is asked for.")
]
Output = Annotated[Path, typer.Option(file_okay=False, help="Where published returns are looked for.")]
Reason = Annotated[str, typer.Option(help="Why: what was asked, and how it was found to be due.")]
By = Annotated[str | None, typer.Option(help="Who decided. [default: the user of this machine]")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")]


def _person(settings: Settings, person_id: str | None, flags: Mapping[str, bool]) -> str:
    """The person that the command is about. An identifier is read from the prompt, never from the command line."""
    from send_returns import rights

    asked = [kind for kind, is_asked in flags.items() if is_asked]
    if (person_id is not None) + len(asked) != 1:
        raise typer.BadParameter("Give a person id, or one of --nhs-number, --upn and --la-child-id.")
    if person_id is not None:
        return person_id
    name = asked[0].replace("_", " ")
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline()
    return rights.find(settings, asked[0], value.strip())


@app.command()
def subject(
    person_id: PersonId = None,
    nhs_number: NhsNumber = False,
    upn: Upn = False,
    la_child_id: LaChildId = False,
    full: Annotated[bool, typer.Option("--full", help="Also write every value, for the person, to --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Gets .json and .html, for its owner alone; with --full.")
    ] = None,
    output: Output = Path("output"),
) -> None:
    """What is held about one person, and where: counts on the screen, and with --full the values into a file."""
    from send_returns import rights
    from send_returns.rights import export

    if full != (out is not None):
        raise typer.BadParameter("--full and --out FILE go together: values are written to a file, not shown.")
    with ready() as settings:
        who = _person(settings, person_id, {"nhs_number": nhs_number, "upn": upn, "la_child_id": la_child_id})
        held = rights.look(settings, who, output.resolve(), full=full)
        console = console_of(WIDE)
        _show(console, held)
        if out:
            for file in export.write(held, out, clock.today()):
                console.print(f"Written for its owner alone: {file}", soft_wrap=True)


@app.command()
def erase(
    person_id: PersonId = None,
    *,
    reason: Reason,
    by: By = None,
    on: Annotated[
        date | None,
        typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day of the decision. [default: today]"),
    ] = None,
    nhs_number: NhsNumber = False,
    upn: Upn = False,
    la_child_id: LaChildId = False,
    yes: Yes = False,
    output: Output = Path("output"),
) -> None:
    """Remove one person from every store, for good, and keep out what is delivered of them later."""
    from send_returns import rights

    if on and on > clock.today():
        raise typer.BadParameter("An erasure is carried out at once: for a day to come, use opt-out.")
    with ready() as settings:
        who = _person(settings, person_id, {"nhs_number": nhs_number, "upn": upn, "la_child_id": la_child_id})
        held = rights.look(settings, who, output.resolve())
        _confirm(held, "erase", yes=yes)
        removed = rights.erase(settings, who, reason=reason, by=by or getpass.getuser(), on=on or clock.today())
        _tell(settings, held, removed)


@app.command("opt-out")
def opt_out(
    person_id: PersonId = None,
    *,
    from_: Annotated[
        date, typer.Option("--from", parser=day, metavar="YYYY-MM-DD", help="The first day on which it is in force.")
    ],
    reason: Reason,
    by: By = None,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="End the opt-out: from that day on, what is delivered is processed again."),
    ] = False,
    nhs_number: NhsNumber = False,
    upn: Upn = False,
    la_child_id: LaChildId = False,
    yes: Yes = False,
    output: Output = Path("output"),
) -> None:
    """Process nothing of a person from a day on; what is held by then is removed."""
    from send_returns import rights

    with ready() as settings:
        who = _person(settings, person_id, {"nhs_number": nhs_number, "upn": upn, "la_child_id": la_child_id})
        whose = by or getpass.getuser()
        if withdraw:
            number = rights.withdraw(settings, who, reason=reason, by=whose, on=from_)
            console_of(WIDE).print(
                f"Opt-out {number} ends on {from_}: what is delivered from then on is processed again."
            )
            return
        held = rights.look(settings, who, output.resolve())
        _confirm(held, f"from {from_} on remove", yes=yes)
        removed = rights.opt_out(settings, who, reason=reason, by=whose, on=from_, today=clock.today())
        if from_ > clock.today():
            console_of(WIDE).print(f"Removal {removed.removal_id} is on record, and is carried out on {from_}.")
        else:
            _tell(settings, held, removed)


@app.command()
def retention(
    as_of: Annotated[
        date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day to look from. [default: today]")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove what is past its time and waits for nothing.")] = False,
    by: By = None,
    yes: Yes = False,
) -> None:
    """What is past the time for which its contract says that it is kept; with --apply it goes, on record."""
    from send_returns import rights

    if apply and as_of and as_of > clock.today():
        raise typer.BadParameter("What will be past its time on a day to come can be listed, and not yet removed.")
    with ready() as settings:
        day = as_of or clock.today()
        found, copies = rights.past(settings, day), rights.past_copies(settings, day)
        console = console_of(WIDE)
        _section(console, f"Past its time on {day:%d %B %Y}", [_listed(one) for one in found])
        _section(console, "Copies of packs past their time", [{"file": path.name} for path in copies])
        due = [one for one in found if one.waits_until is None]
        what = f"{len(due):,} deliveries" + (f" and {len(copies):,} copies of packs" if copies else "")
        if not (due or copies):
            console.print("Nothing is to be removed.")
        elif not apply:
            console.print(f"{what} are to be removed: `send-returns retention --apply`.")
        else:
            if not yes:
                typer.confirm(f"Remove {what}, and what was made of the deliveries alone, for good?", abort=True)
            expired = rights.expire(settings, day, by or getpass.getuser())
            title = f"Removal {expired.removal_id}" if expired.removal_id else "Removed"
            _section(console, title, [dict(sorted(expired.counts.items()))])


def _listed(one: "Past") -> dict[str, Any]:
    return {
        "feed": one.feed,
        "delivery": one.name,
        "received": one.received_on,
        "was kept until": one.until,
        "rows": f"{one.rows:,}",
        "waits for a return until": one.waits_until or "",
    }


def _confirm(held: "Held", what: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(
            f"Person {held.person_id} has {held.rows:,} rows in {len(held.records):,} tables and deliveries:"
            f" {what} them, for good?",
            abort=True,
        )


def _tell(settings: Settings, held: "Held", removed: "Removed") -> None:
    """What was removed, that it is gone, and what is for people to see to."""
    from send_returns.rights import canary

    console = console_of(WIDE)
    _section(console, f"Removal {removed.removal_id}", [dict(sorted(removed.counts.items()))])
    if removed.shared:
        console.print(
            f"{removed.shared} identifier(s) are another person's too, whose rows stay. If the two are one child, say"
            " so with `send-returns review`, link, and erase that one."
        )
    _section(console, "Packs that were sealed with the person in them stay as they are", _packs(held))
    found = canary.search(settings, removed.needles)
    if found:
        _section(console, "Still found", [{"store": hit.store, "place": hit.place, "rows": hit.count} for hit in found])
        raise Failure(f"Removal {removed.removal_id}: the person is still in {len(found)} place(s). Report it.")
    console.print("Looked for in every table, file and archive: nothing is left.")
    console.print("The next run makes the lists and counts without the person: `send-returns run`.")


def _packs(held: "Held") -> list[dict[str, Any]]:
    return [
        {
            "pack": str(one.folder),
            "run": one.run_id,
            "lists": ", ".join(one.lists),
            "received by": one.recipients,
            "sent as": ", ".join(one.copies),
        }
        for one in held.packs
    ]


def _show(console: Console, held: "Held") -> None:
    merged = f", once also {', '.join(held.merged)}" if held.merged else ""
    console.print(f"Person {held.person_id}{merged}: {held.rows:,} rows of deliveries, {held.profiles:,} profiles.")
    _section(console, "Rows", held.records, leave=("delivery_id",))
    _section(console, "How they were joined", held.links)
    _section(console, "Findings", held.findings)
    _section(console, "Receipts that name a row", [{"place": place} for place in held.receipts])
    _section(console, "Archived files", held.archived, leave=("sha256",))
    _section(console, "Review and decisions", held.decisions)
    _section(console, "Lists and marts", held.lists)
    _section(console, "Published packs", _packs(held))
    _section(console, "Rights on record", held.removals)


def _section(console: Console, title: str, rows: Sequence[Mapping[str, Any]], leave: Sequence[str] = ()) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name not in leave]
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if row[name] is None else str(row[name])) for name in names))
    console.print(table)
