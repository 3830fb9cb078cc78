"""The command line: the same code that the DAGs call, for a person at a terminal."""

import getpass
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from send_returns import (
    clock,
    contract_commands,
    inspection_commands,
    key_commands,
    provenance_commands,
    release_commands,
    review_commands,
    rights_commands,
    sealing_commands,
)
from send_returns import settings as settings_module
from send_returns.failure import Failure
from send_returns.settings import Settings
from send_returns.terminal import day, ready

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joins the SEND records of a council and an NHS board, proves the result, and publishes the returns.",
)
server = typer.Typer(no_args_is_help=True, help="The embedded PostgreSQL of this installation.")
app.add_typer(server, name="server")
app.add_typer(rights_commands.app)
app.add_typer(release_commands.app)
app.add_typer(provenance_commands.app)
app.add_typer(contract_commands.app, name="contract")
app.add_typer(inspection_commands.app, name="inspection")
app.add_typer(key_commands.app, name="key")
app.add_typer(review_commands.app, name="review")
app.add_typer(sealing_commands.app)
app.add_typer(sealing_commands.keys, name="seal-key")
app.add_typer(sealing_commands.recipients, name="recipient")
drift_commands = typer.Typer(help="What suppliers' files hold that the contracts do not know.")
app.add_typer(drift_commands, name="drift")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class Mode(StrEnum):
    """How much of a run is done again."""

    full = "full"
    incremental = "incremental"


class Layer(StrEnum):
    """The layers of the dbt project, in the order in which they are built."""

    staging = "staging"
    intermediate = "intermediate"
    returns = "returns"


class Mess(StrEnum):
    """How untidy the simulated files are."""

    none = "none"
    realistic = "realistic"
    hostile = "hostile"


class Format(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"


AsOf = Annotated[
    date | None,
    typer.Option(
        parser=day,
        metavar="YYYY-MM-DD",
        help="The reporting date. Ages, clocks and look-backs count from it. [default: today]",
    ),
]
Inbox = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|URL",
        help="The deliveries: a folder, sftp://user@host:port/path or s3://bucket/prefix, that holds"
        " <organisation>/<feed>/<delivery>. Keys come from the environment: SEND_RETURNS_SFTP_KEY and"
        " SEND_RETURNS_SFTP_KNOWN_HOSTS; AWS_PROFILE and AWS_ENDPOINT_URL.",
    ),
]
Output = Annotated[Path, typer.Option(file_okay=False, help="Where published returns go.")]
Run = Annotated[str | None, typer.Option("--run", help="The run. [default: the one opened last]")]
Children = Annotated[
    int, typer.Option(min=100, max=365_000, help="Children with SEND; the county has 36,500 among 200,000 pupils.")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same county, byte for byte.")]
Number = Annotated[int, typer.Argument(metavar="N", help="The proposal's number.")]
By = Annotated[str | None, typer.Option(help="Who decides. [default: the user of this machine]")]


def _store(inbox: str | None) -> Path | str:
    if not inbox:
        raise typer.BadParameter("Give the inbox: --inbox FOLDER, or the URL of an SFTP server or S3 bucket.")
    if "://" in inbox:
        return inbox
    if not Path(inbox).is_dir():
        raise typer.BadParameter(f"--inbox {inbox} is not a folder: make it, or name another.")
    return Path(inbox).resolve()


def _latest(settings: Settings, run_id: str | None) -> str:
    from send_returns import warehouse

    if run_id:
        return run_id
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select run_id from audit.run where partnership = %s order by opened_at desc limit 1",
            [settings.partnership],
        ).fetchone()
    if row is None:
        raise typer.BadParameter("There is no run yet: `send-returns land`, then `send-returns link`.")
    return str(row[0])


@app.command()
def run(
    inbox: Inbox = None,
    output: Output = Path("output"),
    as_of: AsOf = None,
    mode: Mode = Mode.incremental,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Draft as well, have made-up users sign, and publish a REHEARSAL.")
    ] = False,
) -> None:
    """The whole job through the real DAGs: land, link, build, gate. People sign in Airflow: `make up`."""
    place = _store(inbox)
    from send_returns import screen
    from send_returns.orchestration.run import run_dags

    with ready() as settings:
        with screen.progress(console) as step:
            summary = run_dags(
                settings,
                as_of=as_of or clock.today(),
                inbox=place,
                output=output.resolve(),
                mode=mode.value,
                is_rehearsal=rehearse,
                progress=step,
            )
        screen.show_run(console, settings, summary, output)
    if summary.outcome not in ("published", "unsigned"):
        raise typer.Exit(1)


@app.command()
def demo(
    children: Children = 36_500,
    seed: Seed = 2026,
    as_of: AsOf = None,
    output: Output = Path("output"),
    mess: Mess = Mess.realistic,
) -> None:
    """A simulated county through the whole job; a home that holds real deliveries is left alone."""
    from send_returns import demonstration, screen, warehouse

    as_of = as_of or clock.today()
    settings = settings_module.load()
    with warehouse.running(settings):
        with screen.progress(console) as step:
            inbox = demonstration.prepare(
                settings, children=children, seed=seed, as_of=as_of, mess=mess.value, progress=step
            )
        run(inbox=str(inbox), output=output, as_of=as_of, rehearse=True)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(file_okay=False, help="Gets inbox/ and truth/.")],
    children: Children = 36_500,
    seed: Seed = 2026,
    as_of: AsOf = None,
    mess: Mess = Mess.realistic,
) -> None:
    """Write every feed of a synthetic partnership in its supplier's format, and the truth to test against."""
    from send_returns import screen
    from send_returns.simulate import simulate as write

    if (out / "inbox").exists():
        raise Failure(f"{out / 'inbox'} exists already: give a new folder, or remove it.")
    with screen.progress(console) as step:
        counts = write(out, children=children, seed=seed, as_of=as_of or clock.today(), mess=mess.value, progress=step)
    screen.show_counts(console, counts)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="One delivery's files, or one Annex A workbook.")],
    feed: Annotated[
        str | None, typer.Option(help="Which feed the files are. [default: found from file names and headers]")
    ] = None,
    as_of: AsOf = None,
    format: Annotated[Format, typer.Option(help="text to read, json to process.")] = Format.text,  # noqa: A002
) -> None:
    """What a data officer runs before sending: contract and rules on one delivery or workbook, with no trace left."""
    from send_returns.quality.check import main_check

    raise typer.Exit(main_check(files, feed, as_of or clock.today(), format.value))


@app.command()
def land(
    inbox: Inbox = None,
    as_of: AsOf = None,
    organisation: Annotated[list[str] | None, typer.Option()] = None,
    accept_held: Annotated[
        list[int] | None,
        typer.Option(
            metavar="DELIVERY", help="Let a held delivery replace the newer one of its period; lands nothing."
        ),
    ] = None,
) -> None:
    """Take in what the inbox holds: archive, type, load, quarantine."""
    from send_returns import landing, screen, stages

    place = None if accept_held else _store(inbox)
    with ready() as settings:
        for delivery in accept_held or []:
            landing.release_held(settings, delivery)
            console.print(f"Delivery {delivery} is accepted.")
        if place:
            for name in organisation or ["reference", "council", "icb"]:
                screen.show_counts(console, stages.land(settings, name, place, as_of or clock.today()), title=name)


@app.command()
def replay(
    feed: Annotated[str | None, typer.Argument(help="Only this feed. [default: all]")] = None, as_of: AsOf = None
) -> None:
    """Read again what was refused or not wholly let in, after its contract has changed."""
    from send_returns import screen, stages

    with ready() as settings:
        screen.show_counts(console, stages.replay(settings, as_of or clock.today(), feed))


@app.command()
def link(
    as_of: AsOf = None,
    mode: Mode = Mode.incremental,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate the model from the records that are known, then link by it.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Score the links, and two baselines, by a truth that is known.")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The truth/ that `simulate` wrote. [default: that of the demo's county]"
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="text to read, json to process.")] = Format.text,  # noqa: A002
) -> None:
    """Open the run of what has been accepted; give every person record a person, and every person a pseudonym."""
    from send_returns import demonstration, screen, stages
    from send_returns.identity import estimation, evaluation

    with ready() as settings:
        if estimate:
            model_id, chart = estimation.estimate(settings)
            errors.print(f"Model {model_id}: its weights are drawn in {chart}", soft_wrap=True)
        known = truth or demonstration.truth(settings)
        if evaluate and known is None:
            raise typer.BadParameter("Give the truth to score by: --truth FOLDER.")
        run_id = stages.open_run(settings, as_of or clock.today(), mode.value)
        counts = {"run": run_id, **stages.link(settings, run_id)}
        scored = evaluation.evaluate(settings, run_id, known) if evaluate and known else None
        if format is Format.json:
            console.print_json(data={**counts, **({"evaluation": scored.as_json()} if scored else {})})
            return
        screen.show_counts(console, counts)
        if scored:
            screen.show_evaluation(console, scored)


@app.command()
def build(run_id: Run = None, layer: Annotated[list[Layer] | None, typer.Option()] = None) -> None:
    """Build the candidate with dbt, layer by layer, out of readers' sight."""
    from send_returns import screen, stages

    with ready() as settings:
        run_id = _latest(settings, run_id)
        for one in layer or list(Layer):
            screen.show_counts(console, stages.build(settings, run_id, one.value), title=one.value)


@app.command()
def gate(run_id: Run = None) -> None:
    """Judge the candidate with Great Expectations; a pass swaps it live, a fail leaves what is live untouched."""
    from send_returns import screen, stages

    with ready() as settings:
        screen.show_counts(console, stages.gate(settings, _latest(settings, run_id)))


@app.command()
def draft(
    run_id: Run = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="A rehearsal, which rehearsal users sign.")] = False,
) -> None:
    """Render every return of the live run, its figures through disclosure control, for both partners to sign."""
    from send_returns import screen, stages

    with ready() as settings:
        screen.show_counts(console, stages.draft(settings, _latest(settings, run_id), is_rehearsal=rehearse))


@app.command()
def publish(output: Output = Path("output"), run_id: Run = None) -> None:
    """Seal what both partners have signed of a run, and put it out."""
    from send_returns import screen, stages

    with ready() as settings:
        screen.show_counts(console, stages.publish(settings, _latest(settings, run_id), output.resolve()))


@app.command()
def dictionary(
    output: Output = Path("output"),
    guide: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the guide to the marts for users of BI tools here.")
    ] = None,
) -> None:
    """Write what every table and column of the live marts and returns is, as a CSV and as a page."""
    from send_returns import screen
    from send_returns.returns import bi_guide
    from send_returns.returns import dictionary as data_dictionary

    with ready() as settings:
        screen.show_counts(console, data_dictionary.write(settings, output.resolve()))
        if guide:
            guide.write_text(bi_guide.text(bi_guide.described(settings)), encoding="utf-8")


@app.command()
def status(as_of: AsOf = None) -> None:
    """The readiness board: what has arrived, what is missing, and who owes it."""
    from send_returns import landing, screen, warehouse

    with ready() as settings, warehouse.connect(settings) as connection:
        landing.register(connection, settings.partnership, as_of or clock.today())
        screen.show_arrivals(console, connection, settings.partnership, as_of or clock.today())


@app.command()
def chase(
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where the texts go. [default: outbox/chase of the home]")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Write a text to each supplier that owes something: what, by when, and how to check it before sending."""
    from send_returns.landing import chase as texts

    with ready() as settings:
        written = texts.write(settings, as_of or clock.today(), out or settings.folder("outbox", "chase"))
        for path in written:
            console.print(str(path), soft_wrap=True)
        if not written:
            console.print("Nothing is overdue.")


@drift_commands.callback(invoke_without_command=True)
def drift(context: typer.Context) -> None:
    """What suppliers' files hold that the contracts do not know: list it, then accept or reject it by its number."""
    from send_returns import screen, warehouse
    from send_returns.landing import drift as proposals

    if context.invoked_subcommand:
        return
    with ready() as settings:
        proposals.propose(settings)
        with warehouse.connect(settings) as connection:
            screen.show_drift(console, proposals.proposals(connection, settings.partnership))


@drift_commands.command("accept")
def drift_accept(
    number: Number,
    meaning: Annotated[
        str | None, typer.Option("--as", help="synonym:COLUMN or column, where the proposal is wrong about a heading.")
    ] = None,
    by: By = None,
    as_of: AsOf = None,
) -> None:
    """Change the contract as proposed, and read again what that lets in."""
    from send_returns import screen
    from send_returns.landing import drift as proposals

    with ready() as settings:
        screen.show_counts(
            console, proposals.accept(settings, number, by or getpass.getuser(), as_of or clock.today(), meaning)
        )


@drift_commands.command("reject")
def drift_reject(number: Number, by: By = None) -> None:
    """Leave the contract as it is, and do not propose this again."""
    from send_returns.landing import drift as proposals

    with ready() as settings:
        proposals.reject(settings, number, by or getpass.getuser())
        console.print(f"Proposal {number} is rejected.")


@app.command()
def up(detach: Annotated[bool, typer.Option(help="Leave it running and return.")] = False) -> None:
    """Serve the project in a real Airflow on loopback until Ctrl-C or `send-returns down`."""
    from send_returns.orchestration import supervise

    raise typer.Exit(supervise.up(settings_module.load(), detach=detach))


@app.command()
def down() -> None:
    """Stop what `up` started, and the embedded server."""
    from send_returns.orchestration import supervise

    supervise.down(settings_module.load())


@app.command()
def bench(
    children: Children = 36_500,
    seed: Seed = 2026,
    as_of: AsOf = None,
    only: Annotated[list[str] | None, typer.Option(help="Measure only these.")] = None,
) -> None:
    """Measure the figures that the design promises; one JSON line each, with its baseline and ratio."""
    from send_returns.bench import bench as measure

    measure(children=children, seed=seed, as_of=as_of or clock.today(), only=only)


@server.command("start")
def server_start() -> None:
    """Start the server and leave it running; prints where it listens."""
    from send_returns import warehouse

    settings = settings_module.load()
    warehouse.ensure_server(settings)
    warehouse.migrate(settings)
    at = warehouse.address(settings)
    console.print(f"PostgreSQL on {at.host}:{at.port}, database {at.database}, user {at.user}.")
    console.print(f"The password is in {settings.home / 'secrets' / 'postgres_owner'}.", soft_wrap=True)


@server.command("stop")
def server_stop() -> None:
    """Stop the server."""
    from send_returns import warehouse

    warehouse.stop_server(settings_module.load())


@server.command("remove")
def server_remove() -> None:
    """Stop the server and delete its data."""
    from send_returns import warehouse

    warehouse.stop_server(settings_module.load(), remove=True)


def _database_error() -> type[Exception]:
    # Asked for when something went wrong only: the driver takes long to import.
    from psycopg import Error

    return Error


def main() -> None:
    """The `send-returns` program: a failure that a person can act on is one line on stderr and exit code 1."""
    try:
        app()
    except Failure as error:
        errors.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True)
        sys.exit(1)
    except _database_error() as error:
        # The server's own text may quote what it stumbled on, and the driver's may name the address with its password.
        state = getattr(error, "sqlstate", None) or "no answer"
        errors.print(
            f"[red]Database[/red]: it could not be reached, or did not do its part ({state})."
            " Look at its log and at SEND_RETURNS_DATABASE_URL, and try again.",
            soft_wrap=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
