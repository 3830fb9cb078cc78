"""`send-returns review`: the pairs that linkage cannot decide, for people to decide."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from send_returns.terminal import connected, console_of

if TYPE_CHECKING:
    pass

app = typer.Typer(help="Pairs of records that may be of one child, for people to decide.")
WIDE = 160
_NAMES = {
    "surname": "Surname",
    "forename": "Forename",
    "born": "Birth date",
    "sex": "Sex",
    "postcode": "Postcode",
    "nhs_number": "NHS number",
    "upn": "UPN, less its check letter",
    "former_upn": "Former UPN",
    "uln": "ULN",
    "la_child_id": "LA child id",
    "provider_patient_id": "Provider's patient id",
    "nhs_number_pseudo": "Agreed pseudonym",
}


class Verdict(StrEnum):
    """What a pair was found to be."""

    same = "same"
    different = "different"


PairNumber = Annotated[int, typer.Argument(metavar="PAIR", help="The pair's number in the list.")]
By = Annotated[str, typer.Option(help="Who decides: a name or a staff number.")]
Reason = Annotated[str, typer.Option(help="Why: what was looked at, where.")]


@app.callback(invoke_without_command=True)
def list_(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="At most so many pairs.")] = 20
) -> None:
    """The open pairs, the likeliest first. Nothing of a child is shown: `review show PAIR` does."""
    from send_returns.identity import review

    if context.invoked_subcommand:
        return
    with connected("review") as (settings, connection):
        found, total = review.pairs(connection, settings.partnership, limit)
    console = console_of(WIDE)
    if not total:
        console.print("No pair waits for a decision.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for head in ("Pair", "Score", "People", "From", "Why it is asked", "What they share"):
        table.add_column(head, justify="right" if head in ("Pair", "Score") else "left", overflow="fold")
    for one in found:
        table.add_row(
            str(one.review_id),
            f"{one.score:.3f}",
            f"{one.left_person}\n{one.right_person}",
            f"{one.left_feeds}\n{one.right_feeds}",
            one.reason + (f" ({one.given} of 2 say same)" if one.given else ""),
            one.explanation,
        )
    console.print(table)
    console.print(f"{len(found)} of {total:,} open pairs. Next: send-returns review show PAIR")


@app.command("show")
def show(number: PairNumber) -> None:
    """Both sides of a pair, with what they say: personal data, for the eyes of the reviewer alone."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        one = review.pair(connection, settings.partnership, number)
        left, right = review.sides(connection, settings.partnership, one)
    console = console_of(WIDE)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"Pair {one.review_id}: {one.reason}", title_justify="left"
    )
    for head in ("", one.left_person, one.right_person, ""):
        table.add_column(head, overflow="fold")
    table.add_row("From", one.left_feeds, one.right_feeds, "")
    for role, name in _NAMES.items():
        if left[role] is None and right[role] is None:
            continue
        same = "same" if left[role] == right[role] else "" if None in (left[role], right[role]) else "differs"
        table.add_row(name, *(Text(str(side[role] or "")) for side in (left, right)), same)
    console.print(table)
    console.print(f"Decide: send-returns review decide {number} same|different --by WHO --reason WHY")


@app.command("decide")
def decide(number: PairNumber, verdict: Verdict, by: By, reason: Reason) -> None:
    """Say what a pair is. It takes effect with the next run, and survives new deliveries and new models."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        made, more = review.decide(connection, settings.partnership, number, verdict.value, by, reason)
    console = console_of(WIDE)
    console.print(f"Decision {made}: pair {number} is {verdict.value}.")
    if more:
        console.print("Both people are in a published return: one more reviewer must say so before it takes effect.")


@app.command("undo")
def undo(
    decision: Annotated[int, typer.Argument(metavar="DECISION", help="Its number: `review decisions` lists them.")],
    by: By,
    reason: Reason,
) -> None:
    """Revoke a decision: from the next run on the pair is as if it had not been made."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        review.undo(connection, settings.partnership, decision, by, reason)
    console_of(WIDE).print(f"Decision {decision} is revoked.")


@app.command("decisions")
def decisions() -> None:
    """Every decision, in its order, with who took it back."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        found = review.decisions(connection, settings.partnership)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("No", "People", "Verdict", "By", "Reason", "State"):
        table.add_column(head, overflow="fold", no_wrap=head in ("No", "People", "Verdict"))
    for one in found:
        stands = "stands" if one.given >= one.needed else f"{one.given} of {one.needed} say so"
        table.add_row(
            str(one.decision_id),
            "\n".join(sorted({one.left_person, one.right_person})),
            one.verdict,
            Text(f"{one.reviewer}, {one.decided_on}"),
            Text(one.reason),
            Text(stands if one.revoked is None else f"revoked by {one.revoked}"),
        )
    console_of(WIDE).print(table if found else "Nothing has been decided.")


@app.command("person")
def person(person_id: Annotated[str, typer.Argument(metavar="PERSON", help="Such as P0000000001.")]) -> None:
    """What makes a person one: its profiles, the feeds that say so, and why. Nothing of the child is shown."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        found = review.profiles(connection, settings.partnership, person_id)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Profile", "From", "Why"):
        table.add_column(head, overflow="fold", no_wrap=head == "Profile")
    for profile, from_, why in found:
        table.add_row(profile, from_, why)
    console_of(WIDE).print(table)


@app.command("raise")
def raise_(
    profile: Annotated[str, typer.Argument(metavar="PROFILE")],
    other: Annotated[str, typer.Argument(metavar="PROFILE")],
) -> None:
    """Put two profiles into the queue, such as two of one person that are not of one child."""
    from send_returns.identity import review

    with connected("review") as (settings, connection):
        number = review.raise_pair(connection, settings.partnership, profile, other)
    console_of(WIDE).print(f"Pair {number} is open. Next: send-returns review show {number}")
