"""`send-returns key`: the keys that make the pseudonyms of the marts. None of these ever prints a key."""

from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from send_returns import settings as settings_module

app = typer.Typer(no_args_is_help=True, help="The keys that make pseudonyms: their names and days, never a key.")
console = Console(highlight=False)

Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="What its pseudonyms are for: marts.")]


@app.command()
def new(purpose: Purpose) -> None:
    """Make the first key of a purpose. Without one for the marts there is no run."""
    from send_returns.identity import pseudonyms

    settings = settings_module.load()
    key = pseudonyms.new(settings, purpose)
    console.print(
        f"Made {key.key_id} in {settings.keys}. Keep a copy apart from the database: who has both knows every child.",
        soft_wrap=True,
    )


@app.command("list")
def list_() -> None:
    """Every key there has been: from which day to which it was the current one."""
    from send_returns.identity import pseudonyms

    found = pseudonyms.keys(settings_module.load())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Key", "Made", "Retired"):
        table.add_column(head, no_wrap=True)
    for key, following in zip_longest(found, found[1:]):
        retired_on = following.made_on if following and following.purpose == key.purpose else ""
        table.add_row(key.key_id, str(key.made_on), str(retired_on))
    console.print(table)


@app.command()
def rotate(purpose: Purpose) -> None:
    """Make the next key of a purpose; the next run gives every child a new pseudonym. The key before is kept."""
    from send_returns.identity import pseudonyms

    key = pseudonyms.rotate(settings_module.load(), purpose)
    console.print(f"{key.key_id} is current: the next run builds the marts anew.")


@app.command("map")
def map_(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The older key, such as marts-1.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The file to make; only its owner can read it.")],
) -> None:
    """Write which pseudonym of an older key is which under the current one, for who may know both."""
    from send_returns import warehouse
    from send_returns.identity import pseudonyms

    settings = settings_module.load()
    with warehouse.running(settings):
        count = pseudonyms.write_mapping(settings, key_id, out)
    console.print(f"{count:,} pseudonyms in {out}. Delete it when it has served.", soft_wrap=True)
