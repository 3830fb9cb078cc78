"""The register: what the stages and the DAGs call to bring a release from draft to published, and what is known of it.

A release is one version of a partnership's return as of a date. What is put forward for it is an attempt; the pack of
an attempt is known by the SHA-256 of its manifest, and people sign that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, LiteralString, Protocol, TypeVar

import psycopg
from psycopg.rows import class_row

from send_returns import clock
from send_returns.failure import Failure
from send_returns.releases import audit
from send_returns.releases.acting import Refused, Role, acting
from send_returns.releases.audit import Anchor

Organisation = Literal["council", "icb"]
Verdict = Literal["approve", "reject"]
SIGNERS: dict[str, Role] = {"council": "release_council_signer", "icb": "release_icb_signer"}
OPEN = ("draft", "validated", "signed")
T = TypeVar("T")


class Run(Protocol):
    """The run that a release is made from, as `audit.run` has it."""

    @property
    def run_id(self) -> str:
        """Its id."""

    @property
    def partnership(self) -> str:
        """Whose children it is of."""

    @property
    def as_of(self) -> date:
        """Its reporting date."""

    @property
    def manifest_sha256(self) -> str:
        """What its inputs come to."""


@dataclass(frozen=True)
class Release:
    """One version. `supersedes` and `superseded_by` are versions of the same line."""

    release_id: str
    partnership: str
    return_name: str
    as_of: date
    version: int
    is_rehearsal: bool
    state: str
    attempt: int
    run_id: str
    inputs_sha256: str
    pack_sha256: str
    supersedes: int | None
    superseded_by: int | None
    published_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None


@dataclass(frozen=True)
class File:
    """A file of a pack."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Change:
    """How many of a table's rows, or of a measure's figures, differ from the version before."""

    return_table: str
    measure: str
    kind: Literal["added", "removed", "changed"]
    count: int


@dataclass(frozen=True)
class Signature:
    """Who signed an attempt, for whom, and how."""

    organisation: Organisation
    username: str
    name: str
    role: str
    verdict: Verdict
    reason: str | None
    signed_at: datetime


@dataclass(frozen=True)
class Signer:
    """Who may sign for an organisation; both days are within the term."""

    partnership: str
    organisation: Organisation
    username: str
    name: str
    role: str
    from_on: date
    to_on: date | None
    is_rehearsal: bool

    def may_sign(self, on: date) -> bool:
        """Whether a day is within the term."""
        return self.from_on <= on and (self.to_on is None or on <= self.to_on)


_RELEASES: LiteralString = (
    "select release_id, partnership, return_name, as_of, version, is_rehearsal, state, attempt, run_id, inputs_sha256,"
    " pack_sha256, supersedes, superseded_by, published_at, withdrawn_at, withdrawn_reason"
    " from release.release"
)


def id_of(partnership: str, return_name: str, as_of: date, version: int) -> str:
    """What a release is called."""
    return f"{return_name}-{partnership}-{as_of.isoformat()}-v{version}"


def version_for(connection: psycopg.Connection, run: Run, return_name: str, *, is_rehearsal: bool) -> int:
    """The version that a pack of this run is rendered as.

    That of the release that is published from the very same run, so that the pack comes out as it is; or of the one
    that is open; or the next.
    """
    with acting(connection, "release_reader"):
        line = _line(connection, run, return_name, is_rehearsal=is_rehearsal)
        for one in line:
            if one.state == "published" and one.run_id == run.run_id:
                return one.version
        for one in line:
            if one.state in OPEN:
                return one.version
        return _next(connection, run, return_name)


def open_draft(
    connection: psycopg.Connection,
    run: Run,
    return_name: str,
    pack_sha256: str,
    files: Sequence[File],
    *,
    version: int,
    is_rehearsal: bool,
    changes: Sequence[Change] = (),
) -> Release:
    """Put a pack forward as `version`, and say which release it is of now.

    - The pack, or every file of it, is what is published already: that release, with nothing to sign.
    - It is what the open release has: that, in whatever state it is.
    - Something else is open: its next attempt, a draft that nobody has signed.
    - Nothing is open: a draft of the next version, which supersedes what is published, if anything is.

    `files` are those that the manifest names. `changes` are counted against what is published; which files differ is
    added to them here. Raises Refused when `version` is not `version_for` any more.
    """
    with acting(connection, "release_drafter", of=f"{return_name} as of {run.as_of}"):
        _hold(connection, run.partnership, return_name, run.as_of)
        line = _line(connection, run, return_name, is_rehearsal=is_rehearsal)
        published = next((one for one in line if one.state == "published"), None)
        opened = next((one for one in line if one.state in OPEN), None)
        if published and _has(connection, published, pack_sha256, files):
            if opened and opened.state != "draft":
                _again(connection, opened, "What is published stands.")
            return published
        if opened and (opened.pack_sha256, opened.run_id) == (pack_sha256, run.run_id):
            return opened
        due = opened.version if opened else _next(connection, run, return_name)
        if published and version == published.version:
            raise Refused(
                f"{published.release_id}: it is published, and run {run.run_id} made another pack of it:"
                " the same inputs must make the same bytes."
            )
        if version != due:
            raise Refused(f"{return_name} as of {run.as_of}: version {due} is due, not {version}: draft it again.")
        supersedes = published.version if published else None
        if opened:
            release_id, attempt = opened.release_id, opened.attempt + 1
            connection.execute(
                "update release.release set state = 'draft', attempt = %s, run_id = %s, inputs_sha256 = %s,"
                " pack_sha256 = %s, supersedes = %s where release_id = %s",
                [attempt, run.run_id, run.manifest_sha256, pack_sha256, supersedes, release_id],
            )
        else:
            release_id, attempt = id_of(run.partnership, return_name, run.as_of, version), 1
            connection.execute(
                "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal,"
                " run_id, inputs_sha256, pack_sha256, supersedes) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    *(release_id, run.partnership, return_name, run.as_of, version, is_rehearsal),
                    *(run.run_id, run.manifest_sha256, pack_sha256, supersedes),
                ],
            )
        connection.execute(
            "insert into release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
            " values (%s, %s, %s, %s, %s, %s)",
            [
                *(release_id, attempt, run.run_id, run.manifest_sha256, pack_sha256),
                f"Built anew by run {run.run_id}." if opened else None,
            ],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into release.file (release_id, attempt, name, sha256, bytes) values (%s, %s, %s, %s, %s)",
                [(release_id, attempt, file.name, file.sha256, file.bytes) for file in files],
            )
            if published:
                cursor.executemany(
                    "insert into release.change (release_id, attempt, return_table, measure, kind, count)"
                    " values (%s, %s, %s, %s, %s, %s)",
                    [
                        (release_id, attempt, change.return_table, change.measure, change.kind, change.count)
                        for change in (*changes, *_changed_files(connection, published, files))
                    ],
                )
        return _find(connection, release_id)


def validate(connection: psycopg.Connection, release_id: str) -> Release:
    """Say that the return's own rules have passed, so that it can be signed; a release that is past that stays.

    Raises Refused when the run has not passed its gate on the inputs that the release names.
    """
    with acting(connection, "release_drafter", of=release_id):
        release = _find(connection, release_id, for_update=True)
        if release.state == "draft":
            connection.execute("update release.release set state = 'validated' where release_id = %s", [release_id])
        return _find(connection, release_id)


def sign(
    connection: psycopg.Connection,
    release_id: str,
    username: str,
    pack_sha256: str,
    verdict: Verdict,
    reason: str | None = None,
) -> Release:
    """Sign a pack for the organisation of `username`, or reject it with a reason.

    With both approvals the release is signed; a rejection makes it a draft again, whose next attempt nobody has signed.
    The same said again changes nothing. Raises Refused.
    """
    with acting(connection, "release_reader"):
        release = _find(connection, release_id)
        said = connection.execute(
            "select from release.signature"
            " where (release_id, pack_sha256, username, verdict) = (%s, %s, %s, %s) and attempt = %s",
            [
                *(release_id, pack_sha256, username, verdict),
                # What was rejected is a draft by now.
                release.attempt - (verdict == "reject" and release.state == "draft"),
            ],
        ).fetchone()
        signer = _signer_today(connection, release, username)
    if said is not None:
        return release
    with acting(connection, SIGNERS[signer.organisation], username, release_id):
        connection.execute(
            "insert into release.signature (release_id, attempt, organisation, partnership, is_rehearsal, pack_sha256,"
            " username, from_on, verdict, reason) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(release_id, release.attempt, signer.organisation, release.partnership, release.is_rehearsal),
                *(pack_sha256, username, signer.from_on, verdict, reason),
            ],
        )
    if verdict == "reject":
        return send_back(connection, release_id, f"Rejected by {username}: {reason}", by=username)
    with acting(connection, "release_publisher", username, release_id):
        connection.execute(
            "update release.release set state = 'signed' where release_id = %(id)s and state = 'validated'"
            " and (select count(*) from release.signature where release_id = %(id)s and attempt = release.attempt"
            " and verdict = 'approve') = 2",
            {"id": release_id},
        )
        return _find(connection, release_id)


def send_back(connection: psycopg.Connection, release_id: str, reason: str, *, by: str) -> Release:
    """Make a validated or signed release a draft again, whose next attempt says why. Raises Refused."""
    with acting(connection, "release_drafter", by, release_id):
        release = _find(connection, release_id, for_update=True)
        if release.state not in ("validated", "signed"):
            raise Refused(f"{release_id}: it is {release.state}: only what is validated or signed is sent back.")
        _again(connection, release, reason)
        return _find(connection, release_id)


def statement(connection: psycopg.Connection, release_id: str) -> dict[str, Any]:
    """What a release says of itself when it is published: who signed which pack, what it supersedes, and an anchor.

    Publish it in the same transaction: until that ends no other version of the line is published or withdrawn. `audit`
    holds the newest entry of the audit.
    """
    with acting(connection, "release_reader", of=release_id):
        release = _find(connection, release_id)
        _hold(connection, release.partnership, release.return_name, release.as_of)
        release = _find(connection, release_id)
        signed = signatures(connection, release)
        before = _published(connection, release)
    if release.state == "published":
        supersedes = release.supersedes
    elif release.state == "signed":
        supersedes = before.version if before else None
    else:
        raise Refused(f"{release_id}: it is {release.state}: only what both have signed is published.")
    anchor = _anchor(connection, release) or audit.newest(connection)
    return {
        "release_id": release.release_id,
        "return": release.return_name,
        "partnership": release.partnership,
        "as_of": release.as_of.isoformat(),
        "version": release.version,
        "rehearsal": release.is_rehearsal,
        "run_id": release.run_id,
        "inputs_sha256": release.inputs_sha256,
        "pack_sha256": release.pack_sha256,
        "supersedes": supersedes,
        "signers": [
            {
                "organisation": one.organisation,
                "name": one.name,
                "role": one.role,
                "signed_at": one.signed_at.astimezone(UTC).isoformat(),
            }
            for one in signed
        ],
        "audit": {"seq": anchor.seq, "sha256": anchor.sha256},
    }


def _anchor(connection: psycopg.Connection, release: Release) -> Anchor | None:
    """The entry of the audit that a release was published with."""
    row = connection.execute(
        "select anchor_seq, anchor_sha256 from release.release where release_id = %s and anchor_seq is not null",
        [release.release_id],
    ).fetchone()
    return Anchor(*row) if row else None


def publish(connection: psycopg.Connection, release_id: str, anchor: Anchor) -> Release:
    """Make a signed release the published one; what was published of its line until then is superseded by it.

    `anchor` is the entry of the audit that the release carries. One that is published already stays. Raises Refused.
    """
    with acting(connection, "release_publisher", of=release_id):
        release = _find(connection, release_id)
        _hold(connection, release.partnership, release.return_name, release.as_of)
        release = _find(connection, release_id, for_update=True)
        if release.state == "published":
            return release
        before = _published(connection, release)
        if before:
            connection.execute(
                "update release.release set state = 'superseded', superseded_by = %s where release_id = %s",
                [release.version, before.release_id],
            )
        connection.execute(
            "update release.release set state = 'published', supersedes = %s, published_at = %s, anchor_seq = %s,"
            " anchor_sha256 = %s where release_id = %s",
            [before.version if before else None, clock.now(), anchor.seq, anchor.sha256, release_id],
        )
        # What is checked at the end of a transaction is checked here, so that a refusal is of this release.
        connection.execute(
            "set constraints release.superseded_by_what_is_out, release.what_is_out_has_superseded immediate"
        )
        return _find(connection, release_id)


def withdraw(connection: psycopg.Connection, release_id: str, reason: str, *, by: str) -> Release:
    """Withdraw a published release: it stays readable and says why it is not to be used. Raises Refused."""
    with acting(connection, "release_publisher", by, release_id):
        release = _find(connection, release_id)
        _hold(connection, release.partnership, release.return_name, release.as_of)
        connection.execute(
            "update release.release set state = 'withdrawn', withdrawn_at = %s, withdrawn_reason = %s"
            " where release_id = %s",
            [clock.now(), reason, release_id],
        )
        return _find(connection, release_id)


def find(connection: psycopg.Connection, release_id: str) -> Release:
    """The release of that id. Raises Failure when there is none."""
    with acting(connection, "release_reader"):
        return _find(connection, release_id)


def listing(connection: psycopg.Connection, partnership: str, return_name: str | None = None) -> list[Release]:
    """Every release of a partnership, of one return or of all: by return, the newest date and version first."""
    with acting(connection, "release_reader"):
        return _rows(
            connection,
            Release,
            _RELEASES + " where partnership = %s and return_name = coalesce(%s, return_name)"
            ' order by return_name collate "C", as_of desc, version desc',
            [partnership, return_name],
        )


def files(connection: psycopg.Connection, release: Release) -> list[File]:
    """The files of a release's newest attempt, by name."""
    return _rows(
        connection,
        File,
        'select name, sha256, bytes from release.file where release_id = %s and attempt = %s order by name collate "C"',
        [release.release_id, release.attempt],
    )


def changes(connection: psycopg.Connection, release: Release) -> list[Change]:
    """How a release differs from the one that it supersedes."""
    return _rows(
        connection,
        Change,
        "select return_table, measure, kind, count from release.change where release_id = %s and attempt = %s"
        ' order by return_table collate "C", measure collate "C", kind collate "C"',
        [release.release_id, release.attempt],
    )


def signatures(connection: psycopg.Connection, release: Release) -> list[Signature]:
    """Who signed the newest attempt of a release, the council first."""
    return _rows(
        connection,
        Signature,
        "select signature.organisation, username, signer.name, signer.role, verdict, reason, signed_at"
        " from release.signature inner join release.signer using (partnership, username, from_on)"
        ' where release_id = %s and attempt = %s order by signature.organisation collate "C"',
        [release.release_id, release.attempt],
    )


def attempts(connection: psycopg.Connection, release: Release) -> list[tuple[int, str, str | None]]:
    """Every attempt of a release: its number, its pack, and why there was another."""
    return connection.execute(
        "select attempt, pack_sha256, because from release.attempt where release_id = %s order by attempt",
        [release.release_id],
    ).fetchall()


def signers(connection: psycopg.Connection, partnership: str) -> list[Signer]:
    """Every term of every signer, by organisation and user name."""
    with acting(connection, "release_reader"):
        return _rows(
            connection,
            Signer,
            "select partnership, organisation, username, name, role, from_on, to_on, is_rehearsal from release.signer"
            ' where partnership = %s order by organisation collate "C", username collate "C", from_on',
            [partnership],
        )


def add_signer(connection: psycopg.Connection, signer: Signer, *, by: str) -> None:
    """Register a signer; the same one again changes nothing. Raises Refused: a user name is of one organisation."""
    with acting(connection, None, by, signer.username):
        known = (one for one in signers(connection, signer.partnership) if one.username == signer.username)
        if any(
            (one.organisation, one.name, one.role, one.is_rehearsal, one.to_on)
            == (signer.organisation, signer.name, signer.role, signer.is_rehearsal, None)
            for one in known
        ):
            return
        connection.execute(
            "insert into release.account (username, organisation, is_rehearsal) values (%s, %s, %s)"
            " on conflict do nothing",
            [signer.username, signer.organisation, signer.is_rehearsal],
        )
        connection.execute(
            "insert into release.signer (partnership, username, organisation, is_rehearsal, name, role, from_on, to_on)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(signer.partnership, signer.username, signer.organisation, signer.is_rehearsal),
                *(signer.name, signer.role, signer.from_on, signer.to_on),
            ],
        )


def end_signer(connection: psycopg.Connection, partnership: str, username: str, to_on: date, *, by: str) -> None:
    """End a signer's term with a day; what was signed stays signed. Raises Failure when no term of it is open."""
    with acting(connection, None, by, username):
        ended = connection.execute(
            "update release.signer set to_on = %s where partnership = %s and username = %s and to_on is null",
            [to_on, partnership, username],
        )
        if not ended.rowcount:
            raise Failure(f"{username} is no signer of {partnership}: `send-returns signer list` has them.")


def _find(connection: psycopg.Connection, release_id: str, *, for_update: bool = False) -> Release:
    found = _rows(
        connection,
        Release,
        _RELEASES + " where release_id = %s" + (" for update" if for_update else ""),
        [release_id],
    )
    if not found:
        raise Failure(f"There is no release {release_id}: `send-returns releases` lists them.")
    return found[0]


def _line(connection: psycopg.Connection, run: Run, return_name: str, *, is_rehearsal: bool) -> list[Release]:
    return _rows(
        connection,
        Release,
        _RELEASES + " where (partnership, return_name, as_of, is_rehearsal) = (%s, %s, %s, %s) order by version",
        [run.partnership, return_name, run.as_of, is_rehearsal],
    )


def _next(connection: psycopg.Connection, run: Run, return_name: str) -> int:
    [(version,)] = connection.execute(
        "select coalesce(max(version), 0) + 1 from release.release"
        " where (partnership, return_name, as_of) = (%s, %s, %s)",
        [run.partnership, return_name, run.as_of],
    ).fetchall()
    return int(version)


def _published(connection: psycopg.Connection, of: Release) -> Release | None:
    """What is published of the line of a release, if that is another."""
    found = _rows(
        connection,
        Release,
        _RELEASES + " where (partnership, return_name, as_of, is_rehearsal)"
        " = (%s, %s, %s, %s) and state = 'published' and release_id <> %s",
        [of.partnership, of.return_name, of.as_of, of.is_rehearsal, of.release_id],
    )
    return found[0] if found else None


def _hold(connection: psycopg.Connection, partnership: str, return_name: str, as_of: date) -> None:
    """Keep others from the versions of a return as of a date until the transaction ends."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"release {partnership} {return_name} {as_of}"]
    )


def _has(connection: psycopg.Connection, release: Release, pack_sha256: str, of: Sequence[File]) -> bool:
    """Whether a pack is what the release has: by its manifest, or by every one of its files."""
    return release.pack_sha256 == pack_sha256 or (bool(of) and set(files(connection, release)) == set(of))


def _changed_files(connection: psycopg.Connection, before: Release, now: Sequence[File]) -> list[Change]:
    old = {file.name: file.sha256 for file in files(connection, before)}
    new = {file.name: file.sha256 for file in now}
    return [
        *(Change(name, "", "added", 1) for name in sorted(new.keys() - old.keys())),
        *(Change(name, "", "removed", 1) for name in sorted(old.keys() - new.keys())),
        *(Change(name, "", "changed", 1) for name in sorted(old.keys() & new.keys()) if old[name] != new[name]),
    ]


def _again(connection: psycopg.Connection, release: Release, because: str) -> None:
    """The next attempt of an open release, of the same pack, its files and figures."""
    connection.execute(
        "update release.release set state = 'draft', attempt = attempt + 1 where release_id = %s", [release.release_id]
    )
    connection.execute(
        "insert into release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
        " select release_id, attempt, run_id, inputs_sha256, pack_sha256, %s from release.release"
        " where release_id = %s",
        [because, release.release_id],
    )
    for table, columns in _PARTS.items():
        connection.execute(
            f"insert into release.{table} (release_id, attempt, {columns}) select release_id, attempt + 1, {columns}"  # noqa: S608
            f" from release.{table} where release_id = %s and attempt = %s".encode(),
            [release.release_id, release.attempt],
        )


_FIGURE: LiteralString = "return_table, measure, period_kind, period_from_on, period_to_on, dimensions"
_PARTS: dict[str, LiteralString] = {
    "file": "name, sha256, bytes",
    "figure": f"{_FIGURE}, numerator, denominator, value, status",
    "hidden": f"{_FIGURE}, reason",
    "change": "return_table, measure, kind, count",
}


def _signer_today(connection: psycopg.Connection, release: Release, username: str) -> Signer:
    """The term in which a person may sign today. Raises Refused when there is none."""
    today = clock.today()
    for one in signers(connection, release.partnership):
        if one.username == username and one.may_sign(today):
            return one
    raise Refused(
        f"{release.release_id}: {username} is not a signer of {release.partnership} today:"
        " see `send-returns signer list`."
    )


def _rows(connection: psycopg.Connection, kind: type[T], query: str, parameters: Sequence[Any]) -> list[T]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()
