"""What the commands have in common: how a day is written, the warehouse made ready, and how wide a file is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from send_returns import settings as settings_module
from send_returns.settings import Settings

if TYPE_CHECKING:
    import psycopg

YEARS = range(1900, 2200)


def day(value: str) -> date:
    """A day as it is written on the command line, of a year that a mistyped one is not in."""
    try:
        written = date.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter("Write the date as YYYY-MM-DD.") from error
    if written.year not in YEARS:
        raise typer.BadParameter(f"Give a date of the years {YEARS[0]} to {YEARS[-1]}.")
    return written


@contextmanager
def ready(*, looks_only: bool = False) -> Iterator[Settings]:
    """The warehouse up and migrated; its server stopped afterwards if this command started it.

    `looks_only`: on a server of one's own, who looks may have no right to migrate; who runs does it.
    """
    from send_returns import warehouse

    settings = settings_module.load()
    with warehouse.running(settings):
        if settings.database_url is None or not looks_only:
            warehouse.migrate(settings)
        yield settings


@contextmanager
def connected(purpose: str, *, looks_only: bool = False) -> Iterator[tuple[Settings, "psycopg.Connection"]]:
    """The warehouse as `ready` makes it, and a connection that says what it is for."""
    from send_returns import warehouse

    with (
        ready(looks_only=looks_only) as settings,
        warehouse.connect(settings, purpose=f"send-returns {purpose}") as connection,
    ):
        yield settings, connection


def console_of(width: int) -> Console:
    """Where a command prints. What is no terminal, such as a file, has no width of its own: it gets this one."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = width
    return made
