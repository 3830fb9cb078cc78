"""What the database refuses, tried as each role: by its grants (42501), or by a constraint or a trigger of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from tests.releases.conftest import COUNCIL, FAILED, FIRST, ICB, Line, as_role, pack

from send_returns.releases import register
from send_returns.returns import declarations

DRAFTER, COUNCIL_ROLE, ICB_ROLE = "release_drafter", "release_council_signer", "release_icb_signer"
PUBLISHER, READER, AUDITOR, OWNER = "release_publisher", "release_reader", "release_auditor", None
ROLES = (DRAFTER, COUNCIL_ROLE, ICB_ROLE, PUBLISHER, READER, AUDITOR, OWNER, "marts_reader", "returns_reader")

GRANT, CHECK, REFERENCE, UNIQUE, STAYS = "42501", "23514", "23503", "23505", "23001"
DONE = ""
OTHER = pack("another pack")


@dataclass(frozen=True)
class Act:
    """A statement on a release in a state, and what those roles are told that may try it; all others lack the grant."""

    name: str
    state: str
    statement: str
    told: Mapping[str | None, str]
    is_rehearsal: bool = False


_SIGN = (
    "insert into release.signature (release_id, attempt, organisation, partnership, is_rehearsal, pack_sha256,"
    " username, from_on, verdict) values (%(id)s, 1, '{organisation}', 'hertfordshire', {rehearsal}, {pack},"
    " '{username}', '{from_on}', '{verdict}')"
)


def _sign(
    username: str,
    organisation: str = "council",
    of: str = "%(pack)s",
    rehearsal: str = "false",
    from_on: str = "2026-01-01",
    verdict: str = "approve",
) -> str:
    return _SIGN.format(
        username=username, organisation=organisation, pack=of, rehearsal=rehearsal, from_on=from_on, verdict=verdict
    )


def _move(state: str, more: str = "") -> str:
    return f"update release.release set state = '{state}'{more} where release_id = %(id)s"


_OUT = ", published_at = 'epoch', anchor_seq = 0, anchor_sha256 = ''"
_PARTS = {
    "attempt": "(release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
    " values (%(id)s, 2, 'r1', repeat('a1', 32), repeat('0', 64), 'Because.')",
    "file": "values (%(id)s, 1, 'more.csv', repeat('0', 64), 1)",
    "figure": "values (%(id)s, 1, 'plans', 'm', 'month', null, null, '{}', null, null, null, 'c')",
    "hidden": "values (%(id)s, 1, 'plans', 'm', 'month', null, null, '{}', 'small')",
    "change": "values (%(id)s, 1, 'plans', 'm', 'added', 1)",
}

ACTS = [
    # Moves: each state is left only for those that may follow it, as the role whose move it is.
    Act("validate", "draft", _move("validated"), {DRAFTER: DONE, PUBLISHER: REFERENCE}),
    Act("sign a draft", "draft", _move("signed"), {DRAFTER: REFERENCE, PUBLISHER: REFERENCE}),
    Act("publish a draft", "draft", _move("published", _OUT), {PUBLISHER: REFERENCE}),
    Act("call it signed", "validated", _move("signed"), {DRAFTER: REFERENCE, PUBLISHER: REFERENCE}),
    Act("publish unsigned", "validated", _move("published", _OUT), {PUBLISHER: REFERENCE}),
    Act("publish without saying when", "signed", _move("published"), {DRAFTER: CHECK, PUBLISHER: CHECK}),
    Act("publish", "signed", _move("published", _OUT), {PUBLISHER: DONE}),
    Act("draft the same attempt", "validated", _move("draft"), {DRAFTER: CHECK, PUBLISHER: CHECK}),
    Act("draft an attempt that is not there", "validated", _move("draft", ", attempt = 2"), {DRAFTER: REFERENCE}),
    Act("skip an attempt", "validated", _move("draft", ", attempt = 3"), {DRAFTER: CHECK}),
    Act("exchange the pack", "validated", _move("validated", ", pack_sha256 = repeat('0', 64)"), {DRAFTER: REFERENCE}),
    Act("withdraw what is not out", "signed", _move("withdrawn"), {DRAFTER: CHECK, PUBLISHER: CHECK}),
    # What is published stays.
    Act("draft it again", "published", _move("draft", ", attempt = 2"), {DRAFTER: STAYS}),
    Act("exchange its pack", "published", _move("published", ", pack_sha256 = repeat('0', 64)"), {DRAFTER: STAYS}),
    Act("exchange its run", "published", _move("published", ", run_id = 'r2'"), {DRAFTER: STAYS}),
    Act("publish it again", "published", _move("published"), {DRAFTER: REFERENCE, PUBLISHER: REFERENCE}),
    Act("say another instant", "published", _move("published", ", published_at = 'epoch'"), {PUBLISHER: STAYS}),
    Act("say another anchor", "published", _move("published", ", anchor_sha256 = ''"), {PUBLISHER: STAYS}),
    Act(
        "say what it supersedes",
        "published",
        _move("published", ", supersedes = 0"),
        {DRAFTER: STAYS, PUBLISHER: STAYS},
    ),
    Act("supersede by nothing", "published", _move("superseded"), {DRAFTER: CHECK, PUBLISHER: CHECK}),
    Act(
        "supersede by what is not there",
        "published",
        _move("superseded", ", superseded_by = 2"),
        {PUBLISHER: REFERENCE},
    ),
    Act("withdraw without a reason", "published", _move("withdrawn"), {DRAFTER: CHECK, PUBLISHER: CHECK}),
    Act(
        "withdraw",
        "published",
        _move("withdrawn", ", withdrawn_at = 'epoch', withdrawn_reason = 'Wrong.'"),
        {PUBLISHER: DONE},
    ),
    Act("rename", "published", "update release.release set release_id = 'x' where release_id = %(id)s", {OWNER: STAYS}),
    Act("renumber", "draft", "update release.release set version = 9 where release_id = %(id)s", {}),
    Act("delete", "draft", "delete from release.release where release_id = %(id)s", {}),
    Act("delete what is published", "published", "delete from release.release where release_id = %(id)s", {}),
    Act("empty the register", "published", "truncate release.release cascade", {}),
    # Drafts.
    Act(
        "draft a second open version",
        "validated",
        "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal, run_id,"
        " inputs_sha256, pack_sha256) select replace(release_id, '-v1', '-v2'), partnership, return_name, as_of, 2,"
        " is_rehearsal, run_id, inputs_sha256, pack_sha256 from release.release where release_id = %(id)s",
        {DRAFTER: UNIQUE},
    ),
    Act(
        "begin with a published release",
        "draft",
        "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal, run_id,"
        " inputs_sha256, pack_sha256, state) select replace(release_id, '-v1', '-v2'), partnership, return_name, as_of,"
        " 2, is_rehearsal, run_id, inputs_sha256, pack_sha256, 'published' from release.release"
        " where release_id = %(id)s",
        {},
    ),
    Act(
        "name it for another version",
        "published",
        "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal, run_id,"
        " inputs_sha256, pack_sha256) select release_id || '0', partnership, return_name, as_of, 2,"
        " is_rehearsal, run_id, inputs_sha256, pack_sha256 from release.release where release_id = %(id)s",
        {DRAFTER: CHECK},
    ),
    Act(
        "draft of inputs that the run did not have",
        "published",
        "insert into release.release (release_id, partnership, return_name, as_of, version, is_rehearsal, run_id,"
        " inputs_sha256, pack_sha256) select replace(release_id, '-v1', '-v2'), partnership, return_name, as_of, 2,"
        " is_rehearsal, run_id, repeat('0', 64), pack_sha256 from release.release where release_id = %(id)s",
        {DRAFTER: REFERENCE},
    ),
    # Signatures.
    Act("sign for the council", "validated", _sign(COUNCIL), {COUNCIL_ROLE: DONE, ICB_ROLE: CHECK}),
    Act("sign for the ICB", "validated", _sign(ICB, "icb"), {ICB_ROLE: DONE, COUNCIL_ROLE: CHECK}),
    Act("sign for the other", "validated", _sign(COUNCIL, "icb"), {COUNCIL_ROLE: CHECK, ICB_ROLE: REFERENCE}),
    Act("sign another pack", "validated", _sign(COUNCIL, of=f"'{OTHER}'"), {COUNCIL_ROLE: REFERENCE, ICB_ROLE: CHECK}),
    Act("sign twice", "signed", _sign(COUNCIL), {COUNCIL_ROLE: UNIQUE, ICB_ROLE: CHECK}),
    Act("sign a second time for one side", "signed", _sign("deputy.council"), {COUNCIL_ROLE: UNIQUE, ICB_ROLE: CHECK}),
    Act(
        "reject what one's own side approved",
        "signed",
        _sign("deputy.council", verdict="reject").replace("verdict)", "verdict, reason)").replace("t')", "t', 'No.')"),
        {COUNCIL_ROLE: UNIQUE, ICB_ROLE: CHECK},
    ),
    Act("sign unregistered", "validated", _sign("nobody"), {COUNCIL_ROLE: REFERENCE, ICB_ROLE: CHECK}),
    Act(
        "sign after one's time",
        "validated",
        _sign("former.council", from_on="2020-01-01"),
        {COUNCIL_ROLE: STAYS, ICB_ROLE: CHECK},
    ),
    Act(
        "sign for real as a rehearsal's signer",
        "validated",
        _sign("rehearsal.council"),
        {COUNCIL_ROLE: REFERENCE, ICB_ROLE: CHECK},
    ),
    Act(
        "call a release a rehearsal's",
        "validated",
        _sign("rehearsal.council", rehearsal="true"),
        {COUNCIL_ROLE: REFERENCE, ICB_ROLE: CHECK},
    ),
    Act(
        "sign a rehearsal for real",
        "validated",
        _sign(COUNCIL, rehearsal="true"),
        {COUNCIL_ROLE: REFERENCE, ICB_ROLE: CHECK},
        is_rehearsal=True,
    ),
    Act("sign a draft", "draft", _sign(COUNCIL), {COUNCIL_ROLE: STAYS, ICB_ROLE: CHECK}),
    Act(
        "reject without a reason", "validated", _sign(COUNCIL, verdict="reject"), {COUNCIL_ROLE: CHECK, ICB_ROLE: CHECK}
    ),
    Act("sign what is published", "published", _sign(COUNCIL), {COUNCIL_ROLE: UNIQUE, ICB_ROLE: CHECK}),
    Act("change a signature", "signed", "update release.signature set verdict = 'reject'", {}),
    Act("take a signature back", "signed", "delete from release.signature where release_id = %(id)s", {}),
    Act(
        "say when one signed",
        "validated",
        _sign(COUNCIL).replace("verdict)", "verdict, signed_at)").replace("'approve')", "'approve', 'epoch')"),
        {},
    ),
    # Signers are registered by the owner; what is registered stays.
    Act(
        "register a signer",
        "draft",
        "insert into release.signer (partnership, username, organisation, is_rehearsal, name, role, from_on)"
        " values ('elsewhere', 'dcs.council', 'council', false, 'Ada Marsh', 'Director', '2026-01-01')",
        {OWNER: DONE},
    ),
    Act(
        "register a signer of both",
        "draft",
        "insert into release.signer (partnership, username, organisation, is_rehearsal, name, role, from_on)"
        " values ('elsewhere', 'dcs.council', 'icb', false, 'Ada Marsh', 'Director', '2026-01-01')",
        {OWNER: REFERENCE},
    ),
    Act("give a name to the other side", "draft", "update release.account set organisation = 'icb'", {}),
    Act("give a name away", "draft", "update release.account set username = 'x'", {OWNER: STAYS}),
    Act("change a signer", "draft", "update release.signer set name = 'Somebody'", {}),
    Act("end an ended term", "draft", "update release.signer set to_on = null where to_on is not null", {OWNER: STAYS}),
    Act("delete a signer", "draft", "delete from release.signer", {}),
    Act("allow a move", "draft", "insert into release.transition values ('published', 'draft', 'release_drafter')", {}),
    Act("allow a move to a role", "draft", "update release.transition set role = 'release_reader'", {OWNER: STAYS}),
    # The parts of a release come with its draft.
    *(
        Act(f"add a {table} to a {state} release", state, f"insert into release.{table} {values}", {DRAFTER: STAYS})
        for table, values in _PARTS.items()
        for state in ("validated", "published")
    ),
    *(
        Act(f"{verb.split()[0]} {table}", "published", f"{verb} release.{table}{more}", {})
        for table in ("file", "figure", "hidden", "change", "attempt")
        for verb, more in (("delete from", ""), ("truncate", " cascade"), ("update", " set attempt = 1"))
    ),
    # The gate.
    Act(
        "pass a run that failed",
        "draft",
        f"insert into audit.gate_pass (run_id, inputs_sha256) values ('{FAILED.run_id}', '{FAILED.manifest_sha256}')",
        {OWNER: CHECK},
    ),
    Act(
        "pass a run on other inputs",
        "draft",
        "insert into audit.gate_pass (run_id, inputs_sha256) values ('r1', repeat('0', 64))",
        {OWNER: REFERENCE},
    ),
    Act("take a pass back", "draft", "delete from audit.gate_pass", {}),
    Act("give a pass to another", "draft", "update audit.gate_pass set run_id = 'r3'", {OWNER: STAYS}),
    # The audit.
    Act("change the audit", "draft", "update audit.event set person = 'x'", {}),
    Act("cut the audit", "draft", "delete from audit.event", {}),
    Act("empty the audit", "draft", "truncate audit.event", {}),
    Act("read the audit", "draft", "select from audit.event", {AUDITOR: DONE, OWNER: DONE}),
    *(
        Act(
            f"record a {kind} that was not",
            "draft",
            f"insert into audit.event (person, kind, subject) values ('x', '{kind}', 'x')",
            {},
        )
        for kind in ("run", "gate", "signature", "release")
    ),
    Act(
        "record what was read",
        "draft",
        "insert into audit.event (person, kind, subject) values ('x', 'read', 'x')",
        {role: DONE for role in ROLES if role is None or role.startswith("release_")},
    ),
    Act(
        "record as another role",
        "draft",
        "insert into audit.event (person, kind, subject, database_role, seq, previous_sha256, sha256)"
        " values ('x', 'read', 'x', 'release_auditor', 1, '', '')",
        {OWNER: DONE},  # what it says of these is not believed
    ),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name.replace(" ", "_"))
def test_the_database_refuses(act: Act, line: Line) -> None:
    release = (line.rehearsal() if act.is_rehearsal else line).reach(act.state)
    values = {"id": release.release_id, "pack": release.pack_sha256}
    told = {role: _attempt(line.connection, role, act.statement, values) for role in ROLES}
    assert told == {role: act.told.get(role, GRANT) for role in ROLES}


def _attempt(connection: psycopg.Connection, role: str | None, statement: str, values: Mapping[str, Any]) -> str:
    """The SQLSTATE with which a statement is refused as a role; empty where it is not."""
    try:
        with as_role(connection, role):
            connection.execute(statement.encode(), values)
    except psycopg.Error as error:
        return error.sqlstate or "no answer"
    return DONE


@pytest.mark.parametrize(
    "statement",
    [
        "update release.release set pack_sha256 = repeat('0', 64) where release_id = %(id)s",
        "delete from release.release where release_id = %(id)s",
        "truncate release.release cascade",
        "update release.signature set username = 'x'",
        "delete from release.file",
        "update release.figure set value = 1",
        "delete from release.attempt",
        "delete from audit.gate_pass",
        "update audit.event set person = 'x'",
        "delete from audit.event",
        "truncate audit.event",
    ],
)
def test_even_a_superuser_is_refused_by_the_triggers(statement: str, line: Line, superuser: psycopg.Connection) -> None:
    release = line.reach("published")
    with pytest.raises(psycopg.errors.RestrictViolation):
        superuser.execute(statement.encode(), {"id": release.release_id})


def test_a_role_is_granted_what_it_needs_and_no_more(connection: psycopg.Connection) -> None:
    rows = connection.execute(
        "select grantee, table_schema || '.' || table_name, privilege_type from information_schema.column_privileges"
        " where table_schema in ('release', 'audit') and grantee like 'release\\_%%' and privilege_type <> 'SELECT'"
        " group by 1, 2, 3"
    ).fetchall()
    everyone = {role for role in ROLES if role and role.startswith("release_")}
    assert set(rows) == {
        *((role, "audit.event", "INSERT") for role in everyone),
        *((DRAFTER, f"release.{table}", "INSERT") for table in ("release", *_PARTS)),
        *((role, "release.signature", "INSERT") for role in (COUNCIL_ROLE, ICB_ROLE)),
        (DRAFTER, "release.release", "UPDATE"),
        (PUBLISHER, "release.release", "UPDATE"),
    }


_SAME = ", (%(id)s, 1, 'plans', 'm', 'month', null, null, '{}', 10, 100, 10.0, '')"
_CELL = "insert into release.figure values (%(id)s, 1, 'plans', 'm', 'month', null, null, {})"


@pytest.mark.parametrize(
    ("role", "statement", "state"),
    [
        (DRAFTER, _CELL.format("'{}', 5, 100, 5.0, 'c'"), CHECK),  # hidden, and yet with a value
        (DRAFTER, _CELL.format("'[]', 5, 100, 5.0, ''"), CHECK),
        (DRAFTER, _CELL.format("'{}', 5, 100, 5.0, 'shown'"), CHECK),
        (DRAFTER, _CELL.format("'{}', 5, 100, 5.0, ''") + _SAME, UNIQUE),
        (DRAFTER, "insert into release.file values (%(id)s, 1, '../out.csv', repeat('0', 64), 1)", CHECK),
        (DRAFTER, "insert into release.file values (%(id)s, 1, 'more.csv', 'no hash', 1)", CHECK),
        (DRAFTER, "insert into release.change values (%(id)s, 1, 'plans', '', 'added', 0)", CHECK),
        (DRAFTER, "insert into release.change values (%(id)s, 1, 'plans', '', 'moved', 1)", CHECK),
        (OWNER, "insert into release.account values ('x', 'school', false)", CHECK),
        (OWNER, "insert into audit.event (person, kind, subject) values (e'x\\ny', 'read', 'x')", CHECK),
        (OWNER, "insert into audit.event (person, kind, subject, detail) values ('x', 'read', 'x', '[]')", CHECK),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(role: str | None, statement: str, state: str, line: Line) -> None:
    assert _attempt(line.connection, role, statement, {"id": line.draft().release_id}) == state


def test_another_attempt_says_why(line: Line) -> None:
    again = (
        "with moved as (update release.release set state = 'draft', attempt = 2 where release_id = %(id)s)"
        " insert into release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
        " select release_id, 2, run_id, inputs_sha256, pack_sha256, {} from release.release where release_id = %(id)s"
    )
    values = {"id": line.draft().release_id}
    assert _attempt(line.connection, DRAFTER, again.format("'Because.'"), values) == DONE
    assert _attempt(line.connection, DRAFTER, again.format("null"), values) == CHECK


@pytest.mark.parametrize(("username", "missing"), [(COUNCIL, "icb"), (ICB, "council")])
def test_one_approval_does_not_make_a_release_signed(username: str, missing: str, line: Line) -> None:
    release = line.reach("validated")
    register.sign(line.connection, release.release_id, username, release.pack_sha256, "approve")
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation, match=f"approved_by_the_{missing}"),
        as_role(line.connection, PUBLISHER),
    ):
        line.connection.execute(_move("signed").encode(), {"id": release.release_id})


def test_a_run_that_failed_makes_no_validated_release(line: Line) -> None:
    release = line.draft(FAILED)
    assert _attempt(line.connection, DRAFTER, _move("validated"), {"id": release.release_id}) == REFERENCE


def test_a_return_that_a_rule_of_its_own_stops_is_not_validated(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(
            "insert into audit.check_result values (%s, 'S2-048', 'sen2', 'error', 'fail', 14, 60, 'any', true, 'x',"
            " 'return')",
            [FIRST.run_id],
        )
        release = Line(connection, "sen2").draft()
        assert _attempt(connection, DRAFTER, _move("validated"), {"id": release.release_id}) == CHECK
        assert Line(connection, "health_waits").reach("validated").state == "validated"


def test_the_database_knows_the_rules_of_every_return(connection: psycopg.Connection) -> None:
    declared = {one.return_name: one.rules_suite for one in declarations.load_all()}
    assert dict(connection.execute("select return_name, suite from release.rules_of").fetchall()) == declared
