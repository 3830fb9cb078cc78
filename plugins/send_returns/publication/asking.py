"""What a signer is asked, and what becomes of the answer."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from send_returns import clock, warehouse
from send_returns.publication import drafting
from send_returns.releases import register
from send_returns.releases.acting import Refused
from send_returns.releases.register import Organisation, Release
from send_returns.returns import declarations, pack
from send_returns.settings import Settings


@dataclass(frozen=True)
class Ask:
    """What one organisation is asked to sign: a `subject`, a `body` in Markdown, and who may, by user name.

    `packs`: the SHA-256 that is shown of each release, by its id; with none there is nothing to sign.
    """

    packs: Mapping[str, str]
    subject: str
    body: str
    signers: tuple[str, ...]


def for_signature(settings: Settings, run_id: str, organisation: Organisation, *, is_rehearsal: bool) -> Ask:
    """What an organisation has not signed yet of a run's drafts, in words for its signer: hashes and counts only."""
    with warehouse.connect(settings, purpose="send-returns ask") as connection:
        waiting = [
            one
            for one in register.listing(connection, settings.partnership)
            if (one.run_id, one.is_rehearsal, one.state) == (run_id, is_rehearsal, "validated")
            and organisation not in {signed.organisation for signed in register.signatures(connection, one)}
        ]
        if not waiting:
            return Ask({}, "", "", ())
        today = clock.today()
        signers = tuple(
            one.username
            for one in register.signers(connection, settings.partnership)
            if one.organisation == organisation and one.is_rehearsal == is_rehearsal and one.may_sign(today)
        )
        if not signers:
            raise Refused(
                f"Nobody is registered to sign for the {organisation}: `send-returns signer add` registers a signer."
            )
        body = "\n\n".join(["\n".join(_table(settings, connection, waiting)), *_notes(waiting[0])])
    return Ask(
        {one.release_id: one.pack_sha256 for one in waiting},
        f"{'REHEARSAL: ' if is_rehearsal else ''}Sign {len(waiting)} returns as of {waiting[0].as_of}"
        f" for the {organisation}",
        body,
        signers,
    )


def sign(
    settings: Settings, packs: Mapping[str, str], *, username: str, is_approved: bool, reason: str
) -> dict[str, object]:
    """Keep an answer: approval or rejection of the packs that were shown, by release id; of all of them, or of none.

    Raises Refused when the database does not believe it: what was shown is not what waits any more, or the person signs
    for nobody, or signed already.
    """
    with warehouse.connect(settings, purpose="send-returns sign") as connection:
        states = [
            register.sign(
                connection,
                release_id,
                username,
                sha256,
                "approve" if is_approved else "reject",
                None if is_approved else reason or None,
            ).state
            for release_id, sha256 in packs.items()
        ]
    return {
        "releases": len(states),
        "signed_by_both": states.count("signed"),
        "rejected": 0 if is_approved else len(states),
    }


def _table(settings: Settings, connection: psycopg.Connection, waiting: Sequence[Release]) -> list[str]:
    headings = ("return", "version", "holds", "findings", "changed", "SHA-256 of what you sign")
    lines = [" | ".join(headings), " | ".join("---" for _ in headings)]
    for one in waiting:
        title, counted = declarations.load(one.return_name).title, _holds(settings, connection, one)
        found, changed = _found(connection, one), _changed(connection, one)
        lines.append(" | ".join((title, str(one.version), counted, found, changed, f"`{one.pack_sha256}`")))
    return [f"| {line} |" for line in lines]


def _holds(settings: Settings, connection: psycopg.Connection, release: Release) -> str:
    """How many rows each table of the draft has, as its manifest says, and how many files they are in."""
    manifest = json.loads((drafting.folder(settings, release) / pack.MANIFEST).read_text(encoding="utf-8"))
    tables = [f"{count:,} in {table.replace('_', ' ')}" for table, count in sorted(manifest["rows"].items())]
    return f"{'; '.join(tables)}; {len(register.files(connection, release))} files"


def _found(connection: psycopg.Connection, release: Release) -> str:
    """What the return's rules found, in words."""
    [(failed, rows)] = connection.execute(
        "select count(*), coalesce(sum(failing_rows), 0) from audit.check_result"
        " where run_id = %s and suite = %s and outcome <> 'pass'",
        [release.run_id, declarations.load(release.return_name).rules_suite],
    ).fetchall()
    return f"{failed} rules, {rows:,} rows" if failed else "none"


def _changed(connection: psycopg.Connection, release: Release) -> str:
    """How the draft differs from the version that is out, in words; of a file that differs its rows are told."""
    if not release.supersedes:
        return "first version"
    counts = Counter[str]()
    for change in register.changes(connection, release):
        is_file = "." in change.return_table
        counts["files" if is_file else change.kind] += change.count
    told = [f"{counts[kind]:,} {kind}" for kind in ("added", "removed", "changed") if counts[kind]]
    return f"since version {release.supersedes}: {', '.join(told) or 'no row'}; {counts['files']} files differ"


def _notes(release: Release) -> list[str]:
    return [
        f"Run {release.run_id}, built from deliveries with the hash `{release.inputs_sha256}`.",
        "Approve to sign all of them for your organisation. Reject with a reason, and they go back to draft.",
    ]
