"""`send-returns contract`: what the contracts say, for people and for other readers of the standard."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from send_returns import settings as settings_module
from send_returns.failure import Failure
from send_returns.terminal import console_of

if TYPE_CHECKING:
    from send_returns import feeds

app = typer.Typer(no_args_is_help=True, help="What each supplier sends, as the contracts say it.")
# What is not a terminal, such as a file, has no width of its own.
WIDE = 160


class Form(StrEnum):
    """How a contract is printed."""

    text = "text"
    yaml = "yaml"


FeedId = Annotated[str, typer.Argument(metavar="FEED", help="Such as sen2: `send-returns contract list` has them.")]
Year = Annotated[int | None, typer.Option(help="The contract as it stood in a year. [default: the newest]")]


def _load(feed: str, year: int | None = None) -> "feeds.Feed":
    from send_returns import feeds

    changes = settings_module.load().changes
    try:
        return feeds.load(feed, year=year, changes=changes)
    except KeyError:
        known = ", ".join(one.id for one in feeds.feeds())
        raise Failure(f"There is no contract of {feed}: choose one of {known}.") from None


@app.command("list")
def list_() -> None:
    """Every feed: who sends it, when, and whether its layout is national or ours."""
    from send_returns import feeds

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Feed", "Contract", "Format", "From", "When"):
        table.add_column(head, no_wrap=head in ("Feed", "Contract"))
    for feed in feeds.feeds(changes=settings_module.load().changes):
        table.add_row(*map(Text, (feed.id, feed.version, feed.format, feed.supplier, feed.due.words)))
    console_of(WIDE).print(table)


@app.command()
def show(
    feed: FeedId,
    year: Year = None,
    form: Annotated[Form, typer.Option("--format", help="yaml: Open Data Contract Standard 3.1.")] = Form.text,
) -> None:
    """The whole contract of a year: tables, columns, codes, due days, and the changes that made it."""
    from send_returns import feeds
    from send_returns.feeds import guides

    contract = _load(feed, year)
    described = feeds.describe(feed, year=year, changes=settings_module.load().changes)
    if form is Form.yaml:
        typer.echo(guides.as_yaml(described), nl=False)
        return
    console = console_of(WIDE)
    console.print(Text(f"{contract.name} ({contract.id})", style="bold"))
    console.print(_facts(_of_feed(contract, described)))
    for table in contract.tables:
        console.print(Text(f"{table.name}: {table.description}", style="bold"))
        console.print(_facts(_of_table(contract, table)))
        console.print(_columns(table, described))
    for name, codes in described.codes.items():
        spellings = sum(map(len, described.values.get(name, {}).values()))
        also = f": {spellings:,} other spellings are read as one of them" if spellings else ""
        console.print(Text(f"Codes {name}{also}", style="bold"))
        console.print(_facts(codes.items()))


@app.command()
def template(
    feed: FeedId,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder to write it to.")] = Path(),
) -> None:
    """Write the blank workbook of a feed whose layout is ours."""
    from send_returns.feeds import guides

    contract = _load(feed)
    if contract.format != "local":
        raise Failure(
            f"{feed} has a national format: send that. `send-returns contract show {feed}` lists its columns."
        )
    typer.echo(_write(out, {f"{feed}.xlsx": guides.template(contract)})[0])


@app.command()
def guide(feed: FeedId) -> None:
    """Print the page for the person who makes the file."""
    from send_returns.feeds import guides

    typer.echo(guides.guide(_load(feed)), nl=False)


@app.command()
def publish(
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder to write to.")] = Path("docs/suppliers"),
) -> None:
    """Write the index of all feeds, and workbook and guide of each whose layout is ours, as the contracts come."""
    from send_returns import feeds
    from send_returns.feeds import guides

    typer.echo(f"{len(_write(out, guides.files(feeds.feeds())))} files in {out}.")


def _write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    paths = [folder / name for name in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, files.values(), strict=True):
            path.write_bytes(content)
    except OSError as error:
        raise Failure(f"{folder} cannot be written to ({error.strerror}): name another with --out.") from None
    return paths


def _facts(facts: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for name, said in facts:
        if said:
            table.add_row(Text(name), Text(said))
    return table


def _of_feed(contract: "feeds.Feed", described: "feeds.Described") -> Iterator[tuple[str, str]]:
    yield "Contract", f"{contract.version}, {contract.format} format, {contract.organisation}"
    yield "Purpose", contract.purpose
    yield "Limits", contract.limitations
    yield "From", contract.supplier
    yield "How often", contract.cadence
    yield "When", f"{contract.due.words}; a run takes it for {contract.max_age_days} days"
    yield "A run", "waits for it" if contract.required else "does not wait for it"
    yield "Lawful basis", contract.lawful_basis
    yield "Kept for", contract.retention.words
    yield "Minimisation", contract.minimisation
    yield "Refused", f"with more than {contract.tolerance:.0%} of rows in quarantine"
    yield "Last time", f"a table that differs by more than {contract.max_change:.0%} is told"
    yield "Dates", ", ".join(contract.date_formats)
    yield "Nothing is", ", ".join(word for word in contract.nothing if word)
    yield "Partner", ".".join(contract.partner or ())
    for change in described.changes:
        yield f"Changed {change.year}", f"{change.reason} ({change.source})"


def _of_table(contract: "feeds.Feed", table: "feeds.Table") -> Iterator[tuple[str, str]]:
    yield "Raw table", f"{table.raw_schema}.{table.raw_name}"
    yield "Key", ", ".join(table.key)
    volume = contract.volume[table.name]
    yield "Rows", f"{volume.least:,} to {volume.most:,}"
    yield "File name", table.file.pattern
    yield "Sheet name", table.sheet.pattern if table.sheet else ""
    yield "XML element", table.record.element if table.record else ""


def _columns(table: "feeds.Table", described: "feeds.Described") -> Table:
    names = {id(codes): name for name, codes in described.codes.items()}
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Column", "Type", "Must", "Item", "Codes, check", "Personal data", "Meaning", "Also headed"):
        shown.add_column(head, no_wrap=head in ("Column", "Type"))
    for column in table.columns:
        rules = [f"codes {names[id(column.codes)]}" if column.codes is not None else "", column.check or ""]
        personal = f"{column.personal_data}, {column.minimisation}" if column.personal_data else ""
        also = [text for text in (column.header, *column.synonyms) if text.lower() != column.name]
        cells = (
            column.name,
            column.type,
            "yes" if column.essential else "",
            column.item or "",
            ", ".join(filter(None, rules)),
            personal,
            column.description,
            ", ".join(also),
        )
        shown.add_row(*map(Text, cells))
    return shown
