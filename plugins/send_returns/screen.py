"""What a person sees at the terminal: progress while it works, one screen at the end. Counts and feed names only."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from rich import box
from rich.columns import Columns
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from send_returns import landing, warehouse
from send_returns.settings import Settings

if TYPE_CHECKING:
    from send_returns.identity.evaluation import Evaluation, Measures, Row
    from send_returns.landing.drift import Proposal
    from send_returns.orchestration.run import RunSummary
    from send_returns.releases.register import Release

Step = Callable[[str | None], None]
STATES = {
    "missing": "red",
    "refused": "red",
    "stale": "yellow",
    "late": "yellow",
}


@contextmanager
def progress(console: Console) -> Iterator[Step]:
    """A callable that names the step at work (None: no step); each finished step stays on the screen with its time."""
    bar = Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:

        def step(name: str | None) -> None:
            for task in bar.tasks:
                if not task.finished:
                    bar.update(task.id, total=1, completed=1)
            if name:
                bar.add_task(name, total=None)

        yield step
        step(None)


def _table(title: str, *columns: str) -> Table:
    headed = any(column.lstrip("#") for column in columns)
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if headed else None,
        show_header=headed,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in columns:
        is_number = column.startswith("#")
        table.add_column(column.lstrip("#"), justify="right" if is_number else "left", no_wrap=column != "Detail")
    return table


def show_counts(console: Console, counts: Mapping[str, Any], title: str = "") -> None:
    """Ids and counts of one stage, a line each, below the stage's name if it has a title."""
    if title:
        console.print(f"[bold]{title}[/]")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in counts.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)


def show_arrivals(console: Console, connection: psycopg.Connection, partnership: str, as_of: date) -> None:
    """The arrival register as of a date: each feed, the latest that it described, how it stands, and what is owed."""
    owed: dict[str, Counter[str]] = defaultdict(Counter)
    following: dict[str, date] = {}
    for one in landing.owed(connection, partnership, as_of):
        if one.due_on >= as_of:
            following.setdefault(one.feed, one.due_on)
        if one.state != "not_yet_due":
            owed[one.feed]["overdue" if one.state == "missing" else one.state] += 1
    rows = connection.execute(
        "select arrival.organisation, feed, arrival.state, required, reference_on, timely.state"
        " from landing.arrival left join landing.delivery using (delivery_id, partnership, feed)"
        " left join landing.expectation as timely using (delivery_id, partnership, feed, as_of)"
        " where partnership = %s and as_of = %s order by array_position(array['council', 'icb'], arrival.organisation),"
        ' feed collate "C"',
        [partnership, as_of],
    ).fetchall()
    table = _table(f"{partnership.title()}, as of {as_of:%d %B %Y}", "Feed", "Describes", "State", "Next due", "Owed")
    for position, (organisation, feed, state, required, reference_on, timely) in enumerate(rows):
        if position == 0 or rows[position - 1][0] != organisation:
            table.add_section()
            table.add_row(Text(organisation, style="bold"))
        shown = timely.replace("_", " ") if state == "accepted" and timely else state
        table.add_row(
            f"  {feed}{'' if required else ' °'}",
            f"{reference_on:%d/%m/%Y}" if reference_on else "",
            Text(shown, style=STATES.get(shown, "green") if required or state == "accepted" else "dim"),
            f"{following[feed]:%d/%m/%Y}" if feed in following else "",
            ", ".join(f"{count} {what}" for what, count in sorted(owed[feed].items())),
        )
    table.caption = "° A run does not wait for it. came: landed after the day it is judged by."
    table.caption_justify = "left"
    console.print(table)
    if missing := landing.missing(connection, partnership, as_of):
        console.print(f"[red]A run waits for {len(missing)}[/], which the suppliers are asked for by `chase`:")
        for line in missing:
            console.print(Text(f"  {line}"), soft_wrap=True)


def show_drift(console: Console, found: Sequence["Proposal"]) -> None:
    """What the files hold that the contracts do not know, and what each is thought to be."""
    table = _table("", "#No", "Feed and table", "What", "Thought to be", "#Rows", "State")
    for one in found:
        subject = one.subject or f"{one.column_name}, not shown"
        table.add_row(
            str(one.drift_id),
            Text(f"{one.feed}\n{one.table_name}"),
            Text(f"{one.kind} {subject}" if one.kind != "code" or not one.subject else f"{one.column_name} {subject}"),
            Text(one.words),
            f"{one.evidence['rows']:,}",
            Text(f"{one.state}\nby {one.decided_by}" if one.decided_by else one.state),
        )
    for column in table.columns[1:4]:
        column.no_wrap, column.overflow = False, "fold"
    console.print(table)


# From this width on there is room for hundredths of a percent.
ROOMY = 100
SPOKEN = {"": "none", "true": "yes", "false": "no"}


def show_evaluation(console: Console, evaluation: "Evaluation") -> None:
    """How well the linkage and the baselines did, side by side; then the groups that are linked worse than all."""
    from send_returns.identity.evaluation import APPROACHES, EVERY, FEWEST_PAIRS

    digits = 2 if console.width >= ROOMY else 1
    measures = " ".join(name.rjust(digits + 3) for name in ("P", "R", "F1"))
    table = _table("", "", "#Pairs", *(f"{approach}\n{measures}" for approach in APPROACHES))
    table.padding = (0, 1, 0, 0)
    table.columns[0].no_wrap = False
    sections: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for row in evaluation.rows:
        label = _spoken(row.label)
        if row.section == "records":
            sections[row.scope.capitalize()].append((label, row))
        elif row.section == "feeds" and row.pairs > FEWEST_PAIRS:
            sections["By feeds"].append((label, row))
        elif row.section != "feeds" and (row.said, row.scope) == (EVERY, "across feeds"):
            sections[f"By {_spoken(row.section)}"].append((f"{label} ({row.children:,})", row))
    for title, rows in sections.items():
        table.add_section()
        table.add_row(Text(title, style="bold"))
        for label, row in rows:
            shares = [_shares(row.measures[approach], digits) for approach in APPROACHES]
            table.add_row(Padding(Text(label), (0, 0, 0, 2)), f"{row.pairs:,}", *shares)
    console.print(table)
    _notes(console, evaluation)
    _findings(console, evaluation)


def _shares(measures: "Measures", digits: int) -> str:
    """Precision, recall and F1 in percent, cut and not rounded, so that only what is perfect is 100."""
    scale = 10**digits
    cells = [
        "-" if share is None else "100" if share == 1 else f"{math.floor(share * 100 * scale) / scale:.{digits}f}"
        for share in (measures.precision, measures.recall, measures.f1)
    ]
    return " ".join(cell.rjust(digits + 3) for cell in cells)


def _spoken(name: str) -> str:
    return SPOKEN.get(name, name.replace("_", " "))


def _notes(console: Console, evaluation: "Evaluation") -> None:
    review = evaluation.review
    console.print(
        "P precision, R recall, in percent of pairs of records. By feeds: lowest F1 first. By group (children): pairs"
        " across feeds."
    )
    console.print(
        f"Of {evaluation.records:,} records of {evaluation.children:,} children, {evaluation.silent:,} do not say who"
        " they are about: they have no identifier, and no surname with a birth date."
    )
    console.print(
        f"In review: {review.pairs:,} pairs, {review.of_one_child:,} of one child; {review.waiting:,} pairs of records"
        " wait for these, and count as not linked."
    )
    if evaluation.without_truth or evaluation.not_read:
        console.print(
            f"Not scored: {evaluation.without_truth:,} records of the run that the truth does not have, and"
            f" {evaluation.not_read:,} of the truth that the run does not have."
        )


def _findings(console: Console, evaluation: "Evaluation") -> None:
    from send_returns.identity.evaluation import CHANCE, EVERY, MARGIN

    console.print("[bold]Findings[/]")
    for one in evaluation.findings:
        chance = "p < 0.001" if one.chance < 0.001 else f"p = {one.chance:.3f}"
        console.print(
            f"  [red]{_spoken(one.grouping)} {_spoken(one.group)}[/]: {one.measure} {one.of_group:.1%}, of all"
            f" {one.of_all:.1%} ({one.said}, {one.scope}; {one.children:,} children; {chance})"
        )
    if any(one.said == EVERY for one in evaluation.findings):
        console.print(
            "  What is found of every record alone, and not of those that say who, comes of what is not said."
        )
    if not evaluation.findings:
        console.print(
            f"  No group is linked worse than all by more than {MARGIN:.0%} and beyond chance (p < {CHANCE})."
        )
    if evaluation.not_judged:
        groups = ", ".join(f"{_spoken(grouping)} {_spoken(group)}" for grouping, group in evaluation.not_judged)
        console.print(f"  Too few children to judge: {groups}.")


# Columns of the terminal between the feeds and the figures beside them.
BETWEEN = 4


def show_run(console: Console, settings: Settings, summary: "RunSummary", output: Path) -> None:
    """The one screen at the end of a run: feeds, children, checks, time and publication, or what stopped it."""
    console.print()
    if summary.run_id and summary.outcome != "waiting":
        with warehouse.connect(settings) as connection:
            _run(console, connection, summary, summary.run_id)
    if summary.outcome == "published" and summary.run_id:
        _packs(console, settings, output, summary.as_of, summary.run_id)
    elif summary.outcome == "unsigned":
        console.print(summary.message, soft_wrap=True)
    else:
        console.print(f"[red]Nothing was published.[/] {summary.message}", soft_wrap=True)
        console.print("What readers see is what they saw before.")


def _run(console: Console, connection: psycopg.Connection, summary: "RunSummary", run_id: str) -> None:
    run = connection.execute("select partnership, code_version from audit.run where run_id = %s", [run_id]).fetchone()
    if run is None:
        return
    partnership, code = run
    title = f"{partnership.title()}, as of {summary.as_of:%d %B %Y}"
    console.print(Text.assemble((title, "bold"), f"   run {run_id}, code {code}"))
    console.print()
    feeds, figures = _feeds(connection, run_id), Group(_children(connection, run_id), "", _checks(connection, run_id))
    needed = sum(Measurement.get(console, console.options, part).maximum for part in (feeds, figures))
    if needed + BETWEEN <= console.width:
        console.print(Columns([feeds, figures], padding=(0, BETWEEN)))
    else:
        console.print(Group(feeds, "", figures))
    console.print()
    _stages(console, connection, run_id, f"{partnership}/{summary.as_of}", summary.wall_seconds)
    _blocking(console, connection, run_id)
    console.print()


def _feeds(connection: psycopg.Connection, run_id: str) -> Table:
    rows = connection.execute(
        "select feed, count(*), sum(rows_in)::bigint, sum(rows_loaded)::bigint, sum(rows_quarantined)::bigint,"
        " sum(delivery.rows_erased)::bigint, sum(findings)::bigint"
        " from landing.delivery join audit.run_delivery using (delivery_id)"
        " cross join lateral (select count(*) as findings from audit.finding as f"
        " where f.delivery_id = delivery.delivery_id) as f"
        " where run_id = %s group by feed order by feed",
        [run_id],
    ).fetchall()
    totals = [sum(row[position] for row in rows) for position in range(1, 7)]
    is_erased = totals[4] > 0
    table = _table(
        "Feeds landed",
        *("Feed", "#Arrived", "#Rows in", "#Loaded", "#Quarantined"),
        *(["#Erased"] if is_erased else []),
        "#Findings",
    )
    for feed, *numbers in [*rows, ("all", *totals)]:
        if feed == "all":
            table.add_section()
        shown = numbers if is_erased else [*numbers[:4], numbers[5]]
        table.add_row(feed, *(f"{number:,}" for number in shown), style="bold" if feed == "all" else None)
    comes_to = "loaded + quarantined + erased" if is_erased else "loaded + quarantined"
    table.caption = f"Rows in = {comes_to}, held by the database. Findings are kept and flagged, not refused."
    table.caption_justify = "left"
    return table


def _children(connection: psycopg.Connection, run_id: str) -> Table:
    table = _table("Children", "", "#")
    records, persons, shared = connection.execute(
        "select coalesce(sum(records), 0)::bigint, count(*), count(*) filter (where feeds > 1)"
        " from (select person_id, count(*) as records, count(distinct feed) as feeds"
        " from identity.link join audit.run_delivery using (delivery_id)"
        " where run_id = %s group by person_id) as person",
        [run_id],
    ).fetchone() or (0, 0, 0)
    table.add_row("person records", f"{records:,}")
    table.add_row("people they belong to", f"{persons:,}")
    table.add_row("found in more than one feed", f"{shared:,}")
    for title, relation in (("List 1, EHC plans", "list_1"), ("List 2, SEN support", "list_2")):
        present = connection.execute("select to_regclass(%s)", [f"returns.return_annex_a__{relation}"]).fetchone()
        if present and present[0]:
            count = connection.execute(f"select count(*) from returns.return_annex_a__{relation}").fetchone()  # noqa: S608
            table.add_row(title, f"{count[0]:,}" if count else "")
    return table


def _checks(connection: psycopg.Connection, run_id: str) -> Table:
    table = _table("Checks", "", "#")
    rows = connection.execute(
        "select count(*) filter (where outcome = 'pass'), count(*) filter (where outcome = 'fail' and not is_blocking),"
        " count(*) filter (where is_blocking and stops = 'return'),"
        " count(*) filter (where is_blocking and stops = 'release'), coalesce(sum(failing_rows), 0)::bigint"
        " from audit.check_result where run_id = %s",
        [run_id],
    ).fetchone() or (0, 0, 0, 0, 0)
    table.columns[0].min_width = len("found in more than one feed")  # the figures stand below those of the children
    table.columns[1].min_width = 6
    table.add_row("passed", f"[green]{rows[0]:,}[/]")
    table.add_row("failed within tolerance", f"{rows[1]:,}")
    for what, count in (("return", rows[2]), ("release", rows[3])):
        table.add_row(f"failed, {what} stopped", f"[red]{count:,}[/]" if count else "0")
    table.add_row("rows to look at", f"{rows[4]:,}")
    for check, children in torn(connection, run_id):
        table.add_row(f"not so: {check}", f"[yellow]{children:,}[/]")
    return table


def torn(connection: psycopg.Connection, run_id: str) -> list[tuple[str, int]]:
    """The checks of the golden thread that a live run does not meet, and by how many: they stop nothing."""
    live = connection.execute("select from audit.live where run_id = %s", [run_id]).fetchone()
    if live is None:
        return []
    return connection.execute(
        "select check_code || ' ' || check_name, sum(abs(difference))::bigint from marts.mart_golden_thread"
        " where not is_met group by 1 order by 1"
    ).fetchall()


def _stages(
    console: Console, connection: psycopg.Connection, run_id: str, landing_key: str, wall_seconds: float
) -> None:
    rows = connection.execute(
        "select stage, seconds from audit.stage where run_id in (%s, %s)"
        " order by array_position(array['land reference', 'land council', 'land icb', 'link', 'build staging',"
        " 'build intermediate', 'build returns', 'gate', 'draft', 'publish'], stage)",
        [run_id, landing_key],
    ).fetchall()
    console.print(f"[bold]Time[/]  whole run {wall_seconds:.1f} s; each stage when it last worked:")
    console.print(Columns([f"{stage} {seconds:.1f} s" for stage, seconds in rows], padding=(0, 3)))


def _blocking(console: Console, connection: psycopg.Connection, run_id: str) -> None:
    for rule, failing, message in connection.execute(
        "select rule, failing_rows, message from audit.check_result where run_id = %s and is_blocking order by rule",
        [run_id],
    ):
        count = "could not be judged" if failing is None else f"{failing:,} row(s)"
        console.print(f"[red]Stopped by {rule}[/]: {count}. {message}", soft_wrap=True)


def _packs(console: Console, settings: Settings, output: Path, as_of: date, run_id: str) -> None:
    """Every declared return: what of it is out as of a date, and where; or why nothing is."""
    from send_returns.publication import publishing
    from send_returns.releases import register
    from send_returns.returns import declarations

    with warehouse.connect(settings) as connection:
        line = [one for one in register.listing(connection, settings.partnership) if one.as_of == as_of]
        drafted = connection.execute(
            "select detail from audit.stage where run_id = %s and stage = 'draft'", [run_id]
        ).fetchone()
    out = [one for one in line if one.state == "published" and publishing.place(output, one).exists()]
    why = drafted[0] if drafted else {}
    table = _table("Published", "Return", "Version", "#Files", "#Bytes")
    reasons = []
    for name in sorted(one.return_name for one in declarations.load_all()):
        found = next((one for one in out if one.return_name == name), None)
        if found:
            files = sorted(publishing.place(output, found).iterdir())
            table.add_row(name, f"v{found.version}", f"{len(files)}", f"{sum(f.stat().st_size for f in files):,}")
        # A version that was out before stays so when the next one is stopped.
        if found is None or (found.run_id != run_id and f"{name}.stopped_by" in why):
            reasons.append(f"[red]{name}[/]: {_why_not(name, why, line)}")
            if found is None:
                table.add_row(name, "[red]none[/]", "", "")
    console.print(table)
    for reason in reasons:
        console.print(reason, soft_wrap=True)
    if any(one.is_rehearsal for one in out):
        console.print("[yellow]REHEARSAL[/]: made-up users of both partners signed it through Airflow.")
    for one in out[:1]:
        where = publishing.place(output, one)
        console.print(f"Each in {output}/<return>/{one.partnership}/{one.as_of}/v{one.version}", soft_wrap=True)
        console.print(f"Check one: send-returns verify {where}", soft_wrap=True)


def _why_not(name: str, drafted: Mapping[str, object], line: Sequence["Release"]) -> str:
    """Why nothing of a return was published, in words."""
    stopped = drafted.get(f"{name}.stopped_by")
    if stopped == "disclosure":
        return "stopped by disclosure control: no proof was found that no small count can be worked out of it."
    if stopped == "size":
        return "stopped: something in it does not fit a worksheet; the log of the draft says where."
    if stopped:
        return f"stopped by rule {stopped}; `audit.finding` has its rows."
    state = next((one.state for one in line if one.return_name == name), "not drafted")
    return f"{state}; `send-returns releases` says where it stands."
