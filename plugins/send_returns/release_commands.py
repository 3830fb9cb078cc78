"""`send-returns releases`, `release`, `signer`, `audit`: what was put forward, signed and published, and by whom."""

import getpass
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from send_returns import clock
from send_returns.failure import Failure
from send_returns.terminal import connected, console_of, day

if TYPE_CHECKING:
    from send_returns.releases.audit import Anchor

app = typer.Typer()
release = typer.Typer(no_args_is_help=True, help="One release: show it, or withdraw it.")
signer = typer.Typer(no_args_is_help=True, help="Who may sign for the council and for the ICB.")
audit = typer.Typer(help="What happened, in a chain that is only added to; and whether it is whole.")
app.add_typer(release, name="release")
app.add_typer(signer, name="signer")
app.add_typer(audit, name="audit")
WIDE = 100
STATES = {"published": "green", "withdrawn": "red", "superseded": "dim", "signed": "cyan", "validated": "cyan"}


class Organisation(StrEnum):
    """The two that sign."""

    council = "council"
    icb = "icb"


ReleaseId = Annotated[str, typer.Argument(metavar="RELEASE", help="Its id: `send-returns releases` lists them.")]
By = Annotated[str | None, typer.Option(help="Who does it. [default: the user of this machine]")]
Username = Annotated[str, typer.Argument(metavar="USER", help="The name that the person signs in with.")]


def _table(*heads: str, title: str | None = None) -> Table:
    """A table; a column whose head begins with # holds numbers, and one that begins with ! is never broken."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=title,
        title_style="bold",
        title_justify="left",
    )
    for head in heads:
        table.add_column(
            head.lstrip("#!"), justify="right" if head[:1] == "#" else "left", overflow="fold", no_wrap=head[:1] == "!"
        )
    return table


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def _state(state: str, *, is_rehearsal: bool = False) -> Text:
    return Text(state + (", rehearsal" if is_rehearsal else ""), style=STATES.get(state, ""))


@app.command()
def releases(
    return_name: Annotated[str | None, typer.Argument(metavar="RETURN", help="[default: all]")] = None,
) -> None:
    """Every release, the newest date and version of each return first."""
    from send_returns.releases import register

    with connected("releases") as (settings, connection):
        found = register.listing(connection, settings.partnership, return_name)
    console = console_of(WIDE)
    if not found:
        console.print("There is no release yet.")
        return
    table = _table("!Release", "!State", "!Published, UTC")
    for one in found:
        table.add_row(
            one.release_id,
            _state(one.state, is_rehearsal=one.is_rehearsal),
            _at(one.published_at) if one.published_at else "",
        )
    console.print(table)
    console.print("Next: send-returns release show RELEASE")


@release.command("show")
def show(release_id: ReleaseId) -> None:
    """One release: its pack, who signed it, its files, and how it differs from the version before."""
    from send_returns.releases import audit as chain
    from send_returns.releases import register

    with connected("releases") as (_, connection):
        one = register.find(connection, release_id)
        signed, files = register.signatures(connection, one), register.files(connection, one)
        changed, attempts = register.changes(connection, one), register.attempts(connection, one)
        chain.record(connection, "read", release_id, getpass.getuser(), {"attempt": one.attempt}, "release_reader")
    console = console_of(WIDE)
    facts = _table("!", "")
    facts.show_header = False
    for name, value in (
        ("Release", Text(one.release_id, style="bold")),
        ("State", _state(one.state, is_rehearsal=one.is_rehearsal)),
        ("Published", f"{_at(one.published_at)} UTC" if one.published_at else ""),
        ("Supersedes", f"v{one.supersedes}" if one.supersedes else ""),
        ("Superseded by", f"v{one.superseded_by}" if one.superseded_by else ""),
        ("Withdrawn", Text(f"{_at(one.withdrawn_at)} UTC: {one.withdrawn_reason}") if one.withdrawn_at else ""),
        ("Run", one.run_id),
        ("Inputs", one.inputs_sha256),
        ("Pack", one.pack_sha256),
    ):
        if value:
            facts.add_row(name, value)
    console.print(facts)
    if signed:
        table = _table("!For", "Signed by", "Role", "Verdict", "!At, UTC", title="Signatures")
        for by in signed:
            said = f"{by.verdict}: {by.reason}" if by.reason else by.verdict
            table.add_row(by.organisation, Text(by.name), Text(by.role), Text(said), _at(by.signed_at))
        console.print(table)
    if len(attempts) > 1:
        table = _table("#Attempt", "!Pack", "Because", title="Attempts")
        for number, pack, because in attempts:
            table.add_row(str(number), pack[:12], Text(because or "First put forward."))
        console.print(table)
    table = _table("File", "#Bytes", "!SHA-256", title="Files")
    for file in files:
        table.add_row(Text(file.name), f"{file.bytes:,}", file.sha256[:12])
    console.print(table)
    if changed:
        table = _table("In", "Measure", "!What", "#Count", title=f"Changes since v{one.supersedes}")
        for change in changed:
            table.add_row(Text(change.return_table), Text(change.measure), change.kind, f"{change.count:,}")
        console.print(table)


@release.command("withdraw")
def withdraw(
    release_id: ReleaseId,
    reason: Annotated[str, typer.Option(help="Why it must not be used; its readers see this.")],
    by: By = None,
) -> None:
    """Withdraw a published release: it stays readable, and says that and why it is not to be used."""
    from send_returns.releases import register

    with connected("releases") as (_, connection):
        one = register.withdraw(connection, release_id, reason, by=by or getpass.getuser())
    console_of(WIDE).print(f"{one.release_id} is withdrawn. Tell whoever received it.", soft_wrap=True)


@signer.command("add")
def signer_add(
    username: Username,
    organisation: Organisation,
    *,
    name: Annotated[str, typer.Option(help="The person's name, as it stands on the release.")],
    role: Annotated[str, typer.Option(help="In which role the person signs, as it stands on the release.")],
    from_on: Annotated[
        date | None, typer.Option("--from", parser=day, metavar="YYYY-MM-DD", help="The first day. [default: today]")
    ] = None,
    to_on: Annotated[
        date | None, typer.Option("--to", parser=day, metavar="YYYY-MM-DD", help="The last day. [default: open]")
    ] = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="Signs rehearsals, and nothing else.")] = False,
    by: By = None,
) -> None:
    """Register who may sign. A user name is of one organisation, in every partnership."""
    from send_returns.releases import register
    from send_returns.releases.register import Signer

    first = from_on or clock.today()
    with connected("releases") as (settings, connection):
        added = Signer(settings.partnership, organisation.value, username, name, role, first, to_on, rehearsal)
        register.add_signer(connection, added, by=by or getpass.getuser())
    console_of(WIDE).print(f"{username} signs for the {organisation.value} from {first}.")


@signer.command("end")
def signer_end(
    username: Username,
    on: Annotated[
        date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The last day. [default: today]")
    ] = None,
    by: By = None,
) -> None:
    """End a signer's term. What the person signed stays signed."""
    from send_returns.releases import register

    last = on or clock.today()
    with connected("releases") as (settings, connection):
        register.end_signer(connection, settings.partnership, username, last, by=by or getpass.getuser())
    console_of(WIDE).print(f"{username} signs until {last} and not after it.")


@signer.command("list")
def signer_list() -> None:
    """Every signer there has been: for whom, in which role, from which day to which."""
    from send_returns.releases import register

    with connected("releases") as (settings, connection):
        found = register.signers(connection, settings.partnership)
    console = console_of(WIDE)
    if not found:
        console.print("Nobody may sign yet: send-returns signer add")
        return
    table = _table("!For", "User", "Name", "Role", "!From", "!To", "!Signs")
    for one in found:
        table.add_row(
            one.organisation,
            Text(one.username),
            Text(one.name),
            Text(one.role),
            str(one.from_on),
            str(one.to_on or ""),
            "rehearsals" if one.is_rehearsal else "releases",
        )
    console.print(table)


@audit.callback(invoke_without_command=True)
def list_events(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many entries, the newest first.")] = 20,
    kind: Annotated[
        str | None, typer.Option(help="run, gate, decision, signature, release, read or delivery. [default: all]")
    ] = None,
) -> None:
    """What happened, the newest first: runs, gates, decisions, signatures, releases, reads, deliveries."""
    from send_returns.releases import audit as chain

    if context.invoked_subcommand:
        return
    with connected("releases") as (_, connection):
        found = chain.events(connection, limit, kind)
    console = console_of(WIDE)
    if not found:
        console.print("Nothing is on record yet.")
        return
    table = _table("#No", "!At, UTC", "!Kind", "What")
    for one in found:
        told = Text(one.subject)
        told.append(f"\n{one.person} as {one.database_role.removeprefix('release_')}" + _told(one.detail), style="dim")
        table.add_row(str(one.seq), _at(one.recorded_at), one.kind, told)
    console.print(table)


def _told(detail: Mapping[str, Any]) -> str:
    """What an entry holds, in a line: what was found or done first, then by which hashes."""
    words = [str(detail[name]) for name in ("state", "status", "verdict", "kind", "organisation") if name in detail]
    for name, value in detail.items():
        if name in ("content_sha256", "partnership"):
            continue
        if name.endswith("_sha256"):
            words.append(f"{name.removesuffix('_sha256')} {str(value)[:8]}")
        elif isinstance(value, bool):
            words += [name] if value else []
        elif str(value) not in words:
            words.append(f"{name.removesuffix('_id').replace('_', ' ')} {value}")
    return ": " + ", ".join(words) if words else ""


@audit.command("verify")
def verify(
    statements: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RELEASE_JSON]...",
            exists=True,
            dir_okay=False,
            help="The release.json of published packs: each knows an entry, so that an end that was cut off shows.",
        ),
    ] = None,
) -> None:
    """Work every hash of the audit out anew, and hold every release against what the audit says of it."""
    from send_returns.releases import audit as chain

    anchors = [_anchor(path) for path in statements or []]
    with connected("releases") as (_, connection):
        broken = chain.verify_chain(connection, anchors)
        altered = chain.altered(connection)
        newest = chain.newest(connection)
    console = console_of(WIDE)
    if broken is not None:
        console.print(f"[red]The audit is broken at entry {broken}[/]: it is not as it was written, or it is gone.")
    for release_id in altered:
        console.print(f"[red]{release_id} is not what the audit says became of it.[/]", soft_wrap=True)
    if broken is not None or altered:
        raise typer.Exit(1)
    console.print(f"The audit is whole: {newest.seq:,} entries, and every release is as it says.")
    console.print(f"Newest entry: {newest.sha256}")


def _anchor(path: Path) -> "Anchor":
    from send_returns.releases.audit import Anchor

    try:
        said = json.loads(path.read_bytes())["audit"]
        return Anchor(int(said["seq"]), str(said["sha256"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is not the release.json of a pack.") from error
