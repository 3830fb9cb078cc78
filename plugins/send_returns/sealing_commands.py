"""`send-returns verify`, `deliver`, `seal-key`, `recipient`: packs, the keys that seal them, who receives them."""

import getpass
import sys
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from send_returns import clock
from send_returns import settings as settings_module
from send_returns.failure import Failure
from send_returns.terminal import connected, day

if TYPE_CHECKING:
    import psycopg

    from send_returns.releases.register import Release
    from send_returns.sealing.keys import PublicKey

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="The key that seals packs: its fingerprints and days, never the key.")
recipients = typer.Typer(no_args_is_help=True, help="Who may receive which return, and the age key it is encrypted to.")
console = Console(highlight=False)


On = Annotated[date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The day. [default: today]")]
AgeKey = Annotated[str, typer.Argument(metavar="AGE_KEY", help="Their public key, which begins with age1.")]


@app.command()
def verify(
    pack: Annotated[Path, typer.Argument(help="The folder of a pack, or the tar that age decrypted.")],
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT|FILE",
            help="The key that must have signed it. [default: those of this installation, if it has any]",
        ),
    ] = None,
    expect_return: Annotated[str | None, typer.Option(metavar="NAME", help="The return that it must be.")] = None,
    expect_as_of: Annotated[
        date | None, typer.Option(parser=day, metavar="YYYY-MM-DD", help="The date that it must be of.")
    ] = None,
    expect_version: Annotated[int | None, typer.Option(metavar="N", help="The version that it must be.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="It is a draft, which nobody has signed yet.")] = False,
) -> None:
    """An inspector's check of a pack: every file, who signed, by which key, and that no newer version is known."""
    from send_returns.sealing import keys as signing
    from send_returns.sealing import verify_pack

    own = [] if key else [one.fingerprint for one in signing.public_keys(settings_module.load())]
    expected = verify_pack.Expected(expect_return, expect_as_of, expect_version)
    raise typer.Exit(verify_pack.run(pack, key or own, expected, must_be_signed=not draft))


@app.command()
def deliver(
    pack: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder of a published pack.")],
    place: Annotated[str, typer.Argument(metavar="FOLDER|URL", help="A folder, sftp://… or s3://….")],
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="AGE_KEY", help="Only to this recipient. [default: all who are registered for it]"),
    ] = None,
    on: On = None,
) -> None:
    """Bring a published pack to a folder, SFTP server or S3 bucket; a child-level one encrypted to its recipients."""
    from send_returns import screen
    from send_returns.releases import audit, register
    from send_returns.returns import declarations
    from send_returns.sealing import delivery, parcel, verify_pack

    settings = settings_module.load()
    # It says of a pack that is not as it was sealed what is wrong with it.
    parcel.name_of(settings, pack)
    said = verify_pack.read_release((pack / verify_pack.RELEASE).read_bytes())
    policies = {one.return_name: one.disclosure.policy for one in declarations.load_all()}
    # What is not known to be for everybody is for nobody but its recipients.
    is_child_level = policies.get(said["return"], "exact_child_level") == "exact_child_level"
    if to and not is_child_level:
        raise typer.BadParameter(f"--to goes with returns of single children; {said['return']} is for everybody.")
    with connected("deliver") as (_, connection):
        _refuse_unless_published(register.find(connection, said["release_id"]), said["pack_sha256"])
        done = delivery.deliver(settings, pack, place, on or clock.today(), to or (), is_child_level=is_child_level)
        audit.record(
            connection,
            "delivery",
            said["release_id"],
            getpass.getuser(),
            {"to": done.place, "file": done.name, "sha256": done.sha256, "outcome": done.outcome},
        )
    screen.show_counts(
        console,
        {"place": done.place, "file": done.name, "bytes": done.bytes, "sha256": done.sha256, "outcome": done.outcome},
    )


def _refuse_unless_published(release: "Release", pack_sha256: str) -> None:
    """A pack says of itself for ever that it was published; what has become of it since, the register knows."""
    if release.pack_sha256 != pack_sha256:
        raise Failure(f"{release.release_id} is not to be sent: the register has another pack under that name.")
    if release.state == "withdrawn":
        raise Failure(f"{release.release_id} is not to be sent: it was withdrawn. {release.withdrawn_reason}")
    if release.state == "superseded":
        raise Failure(f"{release.release_id} is not to be sent: version {release.superseded_by} takes its place.")
    if release.state != "published":
        raise Failure(f"{release.release_id} is not to be sent: it is {release.state}, not published.")


@keys.command("new")
def new_key() -> None:
    """Make the key that seals packs. Without one nothing is published."""
    from send_returns.sealing import keys as signing

    with connected("seal-key") as (settings, connection):
        key = signing.new(settings)
        _record_key(connection, key)
    console.print(
        f"Made {key.key_id} in {signing.folder(settings)}. Keep a copy apart. Its fingerprint, which you read to those"
        f" who receive packs:\n{key.fingerprint}",
        soft_wrap=True,
    )


@keys.command("list")
def list_keys(
    pem: Annotated[bool, typer.Option("--pem", help="The public keys themselves, for --key of the check.")] = False,
) -> None:
    """Every key there has been: its fingerprint, and from which day to which it sealed."""
    from send_returns.sealing import keys as signing

    found = signing.public_keys(settings_module.load())
    if pem:
        sys.stdout.write("".join(key.pem for key in found))
        return
    # No table: on a narrow terminal it would cut the fingerprint, which somebody reads out from here.
    for key, following in zip_longest(found, found[1:]):
        use = "rehearsals" if key.is_rehearsal else "releases"
        until = f" to {following.made_on}" if following else ""
        console.print(f"{key.fingerprint}  {key.key_id}, {use}, from {key.made_on}{until}", soft_wrap=True)


@keys.command("rotate")
def rotate_key() -> None:
    """Make the next key. The secret of the one before is removed; what it sealed stays valid."""
    from send_returns.sealing import keys as signing

    with connected("seal-key") as (settings, connection):
        key = signing.rotate(settings)
        _record_key(connection, key)
    console.print(f"{key.key_id} seals from now on. Its fingerprint:\n{key.fingerprint}", soft_wrap=True)


def _record_key(connection: "psycopg.Connection", key: "PublicKey") -> None:
    from send_returns.releases import audit

    detail = {"fingerprint": key.fingerprint, "seals": "rehearsals" if key.is_rehearsal else "releases"}
    audit.record(connection, "decision", f"seal-key {key.key_id}", getpass.getuser(), detail)


@recipients.command("add")
def add_recipient(
    age_key: AgeKey,
    name: Annotated[str, typer.Option(help="Whose key it is.")],
    organisation: Annotated[str, typer.Option(help="For whom they work, such as Ofsted.")],
    returns: Annotated[list[str], typer.Option("--return", metavar="NAME", help="A return that they may receive.")],
    on: On = None,
) -> None:
    """Register a person to receive returns. Have them read you the key, by telephone, before you do."""
    from send_returns.inspection import packing
    from send_returns.releases import audit
    from send_returns.returns import declarations
    from send_returns.sealing import recipients as register

    declared = [*(one.return_name for one in declarations.load_all()), packing.declaration().return_name]
    for unknown in set(returns) - set(declared):
        raise typer.BadParameter(f"{unknown} is no return: choose of {', '.join(declared)}.")
    entry = register.Recipient(name, organisation, age_key, tuple(sorted(set(returns))), on or clock.today())
    with connected("recipient") as (settings, connection):
        register.add(settings, entry)
        detail = {"organisation": organisation, "returns": list(entry.returns), "from": str(entry.from_on)}
        audit.record(connection, "decision", f"recipient {age_key}", getpass.getuser(), detail)
    console.print(f"{name} may receive {', '.join(sorted(set(returns)))}.", soft_wrap=True)


@recipients.command("list")
def list_recipients() -> None:
    """Everyone who is, or was, registered."""
    from send_returns.sealing import recipients as register

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Name", "Organisation", "Returns", "From", "Ended", "Key"):
        table.add_column(head, overflow="fold")
    for one in register.register(settings_module.load()):
        ended = str(one.ended_on or "")
        row = (one.name, one.organisation, ", ".join(one.returns), str(one.from_on), ended, one.public_key)
        table.add_row(*map(Text, row))
    console.print(table)


@recipients.command("end")
def end_recipient(age_key: AgeKey, on: On = None) -> None:
    """End an entry: from that day on nothing is sent to that key."""
    from send_returns.releases import audit
    from send_returns.sealing import recipients as register

    with connected("recipient") as (settings, connection):
        ended = register.end(settings, age_key, on or clock.today())
        detail = {"ended": str(ended.ended_on)}
        audit.record(connection, "decision", f"recipient {age_key}", getpass.getuser(), detail)
    console.print(f"{ended.name} receives nothing from {ended.ended_on} on.", soft_wrap=True)
