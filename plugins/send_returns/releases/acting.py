"""To act as a role of releases, and what the database says when it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg
from psycopg import sql

from send_returns.failure import Failure

Role = Literal[
    "release_drafter",
    "release_council_signer",
    "release_icb_signer",
    "release_publisher",
    "release_reader",
    "release_auditor",
]
# For whom a stage acts that no person started.
MACHINE = "send-returns"


class Refused(Failure):
    """The database does not let a release go that way. `rule` is the constraint, `sqlstate` the kind of refusal."""

    def __init__(self, message: str, rule: str = "", sqlstate: str = "") -> None:
        super().__init__(message)
        self.rule, self.sqlstate = rule, sqlstate


_NOT_THERE = "its state does not lead there: `send-returns release show` says where it stands."
_SAID = {
    "passed_its_gate": "its run has not passed the gate on these inputs: pass it through the gate, then draft again.",
    "by_its_own_rules": "a rule of its own stops it: see `audit.finding`, mend what it names, and draft again.",
    "of_a_run": "there is no such run of this partnership and date with these inputs: open the run first.",
    "only_allowed_moves": _NOT_THERE,
    "published_says_when": _NOT_THERE,
    "superseded_says_by_what": _NOT_THERE,
    "one_signature_of_an_organisation": "that organisation has signed this pack already.",
    "one_signature_of_a_person": "that person has signed this pack already.",
    "of_what_was_put_forward": "that is not the pack which was put forward: read the newest draft, and sign that.",
    "by_a_registered_signer": "only a registered signer signs, a rehearsal's a rehearsal and no other:"
    " see `send-returns signer list`.",
    "signer_of_the_day": "who signs is not a signer today: see `send-returns signer list`.",
    "awaits_a_signature": "it does not await a signature: `send-returns release show` says where it stands.",
    "rejected_says_why": "a rejection says why: give a reason.",
    "approved_by_the_council": "the council has not approved this pack.",
    "approved_by_the_icb": "the ICB has not approved this pack.",
    "one_published_version": "another version of it is published: this one must supersede it.",
    "one_open_version": "another version of it is open.",
    "published_stays": "it is published and stays as it is: a correction is a new version.",
    "says_what_changed": "it does not say what changed since the version that it supersedes: draft it again.",
    "withdrawn_says_why": "a withdrawal says why: give a reason.",
    "release_withdrawn_reason_check": "a withdrawal says why: give a reason.",
    "one_term_at_a_time": "that person is a signer already: end that term first.",
    "signer_username_organisation_is_rehearsal_fkey": "that user name is of another organisation, or one is of"
    " rehearsals and the other is not: a person has one name for each.",
    "signer_pkey": "that person's term begins on that day already.",
    "signer_check": "a term ends after it begins.",
    "only_ends": "a term that has ended stays as it is.",
}


@contextmanager
def acting(connection: psycopg.Connection, role: Role | None, by: str = MACHINE, of: str = "") -> Iterator[None]:
    """Act as `role` (None: as the owner) for the person `by`, in a transaction, which is the caller's if it has one.

    Raises Refused, which begins with `of`, when a rule of the database is broken.
    """
    try:
        with connection.transaction():
            [(before, person)] = connection.execute(
                "select current_setting('role'), current_setting('send_returns.person', true)"
            ).fetchall()
            name = sql.SQL("none") if role is None else sql.Identifier(role)
            connection.execute(sql.SQL("set local role {}").format(name))
            connection.execute("select set_config('send_returns.person', %s, true)", [_plain(by)])
            yield
            # The person stays until the end of the transaction, when some of the audit is written.
            connection.execute(
                "select set_config('role', %s, true), set_config('send_returns.person', %s, true)",
                [before, person or _plain(by)],
            )
    except psycopg.Error as error:
        rule = error.diag.constraint_name or ""
        if rule not in _SAID:
            raise
        raise Refused(f"{of}: {_SAID[rule]}" if of else _SAID[rule], rule, error.sqlstate or "") from None


def _plain(name: str) -> str:
    """A name in one line, for the audit."""
    return " ".join("".join(character if character.isprintable() else " " for character in name).split())
