"""What a signer is asked, and what becomes of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from send_returns import clock, warehouse
from send_returns.releases import register
from send_returns.releases.acting import Refused
from send_returns.releases.register import Organisation, Release
from send_returns.returns import declarations
from send_returns.settings import Settings


@dataclass(frozen=True)
class Ask:
    """What one organisation is asked to sign: a `subject`, a `body` in Markdown, and who may, by user name.

    With no `releases` there is nothing to sign.
    """

    releases: tuple[str, ...]
    subject: str
    body: str
    signers: tuple[str, ...]


def for_signature(settings: Settings, run_id: str, organisation: Organisation) -> Ask:
    """What an organisation has not signed yet of a run's drafts, in words for its signer: hashes and counts only."""
    with warehouse.connect(settings, purpose="send-returns ask") as connection:
        waiting = _waiting(connection, settings.partnership, run_id, organisation)
        if not waiting:
            return Ask((), "", "", ())
        today = clock.today()
        signers = tuple(
            one.username
            for one in register.signers(connection, settings.partnership)
            if one.organisation == organisation
            and one.is_rehearsal == waiting[0].is_rehearsal
            and one.from_on <= today
            and (one.to_on is None or today <= one.to_on)
        )
        if not signers:
            raise Refused(
                f"Nobody is registered to sign for the {organisation}: `send-returns signer add` registers a signer."
            )
        body = "\n\n".join(["\n".join(_table(connection, waiting)), *_notes(waiting[0])])
    return Ask(
        tuple(one.release_id for one in waiting),
        f"{'REHEARSAL: ' if waiting[0].is_rehearsal else ''}Sign {len(waiting)} returns as of {waiting[0].as_of}"
        f" for the {organisation}",
        body,
        signers,
    )


def sign(
    settings: Settings, run_id: str, organisation: Organisation, *, username: str, is_approved: bool, reason: str
) -> dict[str, object]:
    """Keep an answer: approval or rejection of all that this organisation was asked to sign of a run.

    Raises Refused when the database does not believe it: the person signs for nobody, or signed already.
    """
    with warehouse.connect(settings, purpose="send-returns sign") as connection:
        waiting = _waiting(connection, settings.partnership, run_id, organisation)
        states = [
            register.sign(
                connection,
                one.release_id,
                username,
                one.pack_sha256,
                "approve" if is_approved else "reject",
                None if is_approved else reason or None,
            ).state
            for one in waiting
        ]
    return {
        "run_id": run_id,
        "organisation": organisation,
        "releases": len(states),
        "signed_by_both": states.count("signed"),
        "rejected": 0 if is_approved else len(states),
    }


def _waiting(
    connection: psycopg.Connection, partnership: str, run_id: str, organisation: Organisation
) -> list[Release]:
    return [
        one
        for one in register.listing(connection, partnership)
        if one.run_id == run_id
        and one.state == "validated"
        and organisation not in {signed.organisation for signed in register.signatures(connection, one)}
    ]


def _table(connection: psycopg.Connection, waiting: Sequence[Release]) -> list[str]:
    lines = ["| return | version | rows | findings | changed | SHA-256 of what you sign |", "|---|---|---|---|---|---|"]
    for one in waiting:
        rows, findings = _counted(connection, one)
        changed = sum(change.count for change in register.changes(connection, one))
        since = f"{changed} since version {one.supersedes}" if one.supersedes else "first version"
        lines.append(
            f"| {declarations.load(one.return_name).title} | {one.version} | {rows} | {findings} | {since} |"
            f" `{one.pack_sha256}` |"
        )
    return lines


def _counted(connection: psycopg.Connection, release: Release) -> tuple[str, str]:
    """How much the return holds, and what its rules found, in words."""
    suite = declarations.load(release.return_name).rules_suite
    [(failed, rows)] = connection.execute(
        "select count(*), coalesce(sum(failing_rows), 0) from audit.check_result"
        " where run_id = %s and suite = %s and outcome <> 'pass'",
        [release.run_id, suite],
    ).fetchall()
    files = register.files(connection, release)
    size = sum(file.bytes for file in files)
    return f"{len(files)} files, {size:,} bytes", f"{failed} rules, {rows} rows" if failed else "none"


def _notes(release: Release) -> list[str]:
    return [
        f"Run {release.run_id}, built from deliveries with the hash `{release.inputs_sha256}`.",
        "Approve to sign all of them for your organisation. Reject with a reason, and they go back to draft.",
    ]
