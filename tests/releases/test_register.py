"""From draft to published, corrected, rejected, withdrawn; and two at once."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.releases.conftest import AS_OF, COUNCIL, FAILED, FIRST, HERTS, ICB, LATER, Line, as_role, pack

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.releases import audit, register
from send_returns.releases.acting import Refused
from send_returns.releases.register import Change, Release, Signer
from send_returns.settings import Settings


def _states(line: Line) -> dict[int, str]:
    return {
        one.version: one.state
        for one in register.listing(line.connection, HERTS, line.return_name)
        if one.is_rehearsal == line.is_rehearsal
    }


def test_two_signatures_on_one_pack_publish_it(line: Line) -> None:
    release = line.draft()
    assert (release.release_id, release.state) == (f"{line.return_name}-hertfordshire-2026-11-24-v1", "draft")
    assert register.validate(line.connection, release.release_id).state == "validated"
    approve = (release.pack_sha256, "approve")
    assert register.sign(line.connection, release.release_id, ICB, *approve).state == "validated"
    assert register.sign(line.connection, release.release_id, COUNCIL, *approve).state == "signed"
    with line.connection.transaction():
        said = register.statement(line.connection, release.release_id)
        published = register.publish(line.connection, release.release_id, audit.Anchor(**said["audit"]))
    assert published.state == "published"
    assert published.published_at is not None
    assert {key: said[key] for key in ("release_id", "return", "as_of", "version", "rehearsal", "supersedes")} == {
        "release_id": release.release_id,
        "return": line.return_name,
        "as_of": "2026-11-24",
        "version": 1,
        "rehearsal": False,
        "supersedes": None,
    }
    assert said["pack_sha256"] == release.pack_sha256
    assert [(one["organisation"], one["name"], one["role"]) for one in said["signers"]] == [
        ("council", "Ada Marsh", "Director of Children's Services"),
        ("icb", "Bea Holt", "Chief Nurse"),
    ]


def test_every_step_may_be_taken_twice(line: Line) -> None:
    first = line.reach("published")
    files, drawn = register.files(line.connection, first), register.signatures(line.connection, first)
    assert line.reach("published") == first
    assert register.files(line.connection, first) == files
    assert register.signatures(line.connection, first) == drawn
    assert _states(line) == {1: "published"}


def test_a_pack_of_another_run_with_the_same_files_is_nothing_to_sign(line: Line) -> None:
    first = line.reach("published")
    assert line.draft(LATER, "first") == first


def test_a_late_correction_is_the_next_version_and_says_what_changed(line: Line) -> None:
    first = line.reach("published")
    second = line.draft(LATER, "corrected", changes=[Change("list_1", "", "added", 12)])
    assert (second.version, second.supersedes, second.state) == (2, 1, "draft")
    assert [(one.return_table, one.kind, one.count) for one in register.changes(line.connection, second)] == [
        ("list.csv", "changed", 1),
        ("list_1", "added", 12),
    ]
    assert _states(line) == {1: "published", 2: "draft"}
    line.reach("published", LATER, "corrected")
    assert _states(line) == {1: "superseded", 2: "published"}
    former = register.find(line.connection, first.release_id)
    assert former == replace(first, state="superseded", superseded_by=2)
    assert [file.name for file in register.files(line.connection, former)] == ["guide.html", "list.csv"]
    assert len(register.signatures(line.connection, former)) == 2
    assert audit.altered(line.connection) == []


def test_new_content_before_publication_is_another_attempt_that_nobody_has_signed(line: Line) -> None:
    first = line.reach("signed")
    again = line.draft(LATER, "corrected")
    assert (again.version, again.attempt, again.state) == (1, 2, "draft")
    assert register.signatures(line.connection, again) == []
    register.validate(line.connection, again.release_id)
    with pytest.raises(Refused, match="that is not the pack which was put forward") as refused:
        register.sign(line.connection, again.release_id, COUNCIL, first.pack_sha256, "approve")
    assert (refused.value.rule, refused.value.sqlstate) == ("of_what_was_put_forward", "23503")
    assert register.attempts(line.connection, again) == [
        (1, first.pack_sha256, None),
        (2, again.pack_sha256, "Built anew by run r2."),
    ]


def test_a_rejection_says_why_and_leads_back_to_a_draft(line: Line) -> None:
    release = line.reach("validated")
    key = (line.connection, release.release_id, COUNCIL, release.pack_sha256, "reject")
    with pytest.raises(Refused, match="a rejection says why"):
        register.sign(*key)
    register.sign(line.connection, release.release_id, ICB, release.pack_sha256, "approve")
    back = register.sign(*key, "List 2 is short of a school.")
    assert (back.state, back.attempt, back.pack_sha256) == ("draft", 2, release.pack_sha256)
    assert register.attempts(line.connection, back)[1][2] == f"Rejected by {COUNCIL}: List 2 is short of a school."
    assert register.files(line.connection, back) == register.files(line.connection, release)
    assert register.signatures(line.connection, back) == []
    assert register.sign(*key, "List 2 is short of a school.") == back
    assert line.reach("published").attempt == 2


def test_what_both_have_signed_can_be_sent_back(line: Line) -> None:
    release = line.reach("signed")
    back = register.send_back(line.connection, release.release_id, "The figures were for another month.", by=ICB)
    assert (back.state, back.attempt) == ("draft", 2)
    with pytest.raises(Refused, match="it is draft"):
        register.send_back(line.connection, release.release_id, "Again.", by=ICB)


def test_a_correction_that_is_taken_back_before_it_is_signed_cannot_be_signed(line: Line) -> None:
    first = line.reach("published")
    assert line.reach("validated", LATER, "mistaken").version == 2
    assert line.draft(FIRST, "first") == first
    assert _states(line) == {1: "published", 2: "draft"}


def test_a_withdrawn_release_says_why_and_the_next_supersedes_nothing(line: Line) -> None:
    release = line.reach("published")
    with pytest.raises(Refused, match="a withdrawal says why"):
        register.withdraw(line.connection, release.release_id, "", by="registrar")
    gone = register.withdraw(line.connection, release.release_id, "A feed was mistaken.", by="registrar")
    assert (gone.state, gone.withdrawn_reason) == ("withdrawn", "A feed was mistaken.")
    with pytest.raises(Refused, match="its state does not lead there"):
        register.withdraw(line.connection, release.release_id, "Again.", by="registrar")
    second = line.reach("published", LATER, "corrected")
    assert (second.version, second.supersedes) == (2, None)
    assert audit.altered(line.connection) == []


def test_a_correction_supersedes_nothing_when_the_former_was_withdrawn_meanwhile(line: Line) -> None:
    first = line.reach("published")
    second = line.reach("signed", LATER, "corrected")
    assert second.supersedes == 1
    register.withdraw(line.connection, first.release_id, "A feed was mistaken.", by="registrar")
    assert register.statement(line.connection, second.release_id)["supersedes"] is None
    assert line.publish(second).supersedes is None
    assert _states(line) == {1: "withdrawn", 2: "published"}


def test_a_rehearsal_has_versions_of_its_own_and_signers_of_its_own(line: Line) -> None:
    rehearsal = line.rehearsal().reach("published")
    real = line.reach("validated", content="real")
    assert (rehearsal.version, real.version, real.supersedes) == (1, 2, None)
    with pytest.raises(Refused, match="a rehearsal's a rehearsal and no other"):
        register.sign(line.connection, real.release_id, "rehearsal.icb", real.pack_sha256, "approve")
    assert line.reach("published", content="real").state == "published"
    assert register.find(line.connection, rehearsal.release_id).state == "published"


def test_a_run_that_did_not_pass_gets_no_further_than_a_draft(line: Line) -> None:
    release = line.draft(FAILED)
    with pytest.raises(Refused, match="its run has not passed the gate on these inputs"):
        register.validate(line.connection, release.release_id)
    with pytest.raises(Refused, match="there is no such run of this partnership and date with these inputs"):
        line.draft(replace(FIRST, manifest_sha256="0" * 64), "other")


def test_a_draft_of_a_version_that_is_not_due_is_refused(line: Line) -> None:
    line.reach("published")
    with pytest.raises(Refused, match="version 2 is due, not 3"):
        line.draft(LATER, "corrected", version=3)
    with pytest.raises(Refused, match="the same inputs must make the same bytes"):
        line.draft(FIRST, "other bytes")


def test_nobody_signs_who_is_not_registered_or_whose_time_is_over(line: Line) -> None:
    release = line.reach("validated")
    for username in ("nobody", "former.council"):
        with pytest.raises(Refused, match=f"{username} is not a signer of hertfordshire today"):
            register.sign(line.connection, release.release_id, username, release.pack_sha256, "approve")


def test_a_signer_is_of_one_organisation_and_has_one_open_term(connection: psycopg.Connection) -> None:
    signer = Signer(HERTS, "icb", "new.icb", "Cy Lund", "Director of Nursing", date(2026, 2, 1), None, False)
    register.add_signer(connection, signer, by="registrar")
    register.add_signer(connection, replace(signer, from_on=date(2026, 3, 1)), by="registrar")
    assert [one.from_on for one in register.signers(connection, HERTS) if one.username == "new.icb"] == [
        date(2026, 2, 1)
    ]
    with pytest.raises(Refused, match="that user name is of another organisation"):
        register.add_signer(connection, replace(signer, partnership="essex", organisation="council"), by="registrar")
    with pytest.raises(Refused, match="that user name is of another organisation"):
        register.add_signer(connection, replace(signer, partnership="essex", is_rehearsal=True), by="registrar")
    with pytest.raises(Refused, match="that person is a signer already"):
        register.add_signer(connection, replace(signer, role="Chief Executive", from_on=AS_OF), by="registrar")
    register.end_signer(connection, HERTS, "new.icb", date(2026, 6, 30), by="registrar")
    with pytest.raises(Failure, match="is no signer of hertfordshire"):
        register.end_signer(connection, HERTS, "new.icb", date(2026, 6, 30), by="registrar")


def test_a_new_version_is_not_published_beside_the_one_that_it_corrects(line: Line) -> None:
    """The rules of the database between two versions, without the register's help."""
    line.reach("published")
    second = line.reach("signed", LATER, "corrected")
    out = "published_at = 'epoch', anchor_seq = 0, anchor_sha256 = ''"

    def publisher(*statements: str) -> None:
        with as_role(line.connection, "release_publisher"):
            for statement in statements:
                line.connection.execute(
                    f"update release.release set {statement} where return_name = %s and version = %s".encode(),
                    [line.return_name, 1 if "superseded" in statement else 2],
                )

    supersede, publish = "state = 'superseded', superseded_by = 2", f"state = 'published', {out}"
    publisher(supersede, publish)
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_published_version"):
        publisher(publish)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="superseded_by_what_is_out"):
        publisher(supersede)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="superseded_by_what_is_out"):
        publisher(supersede, f"{publish}, supersedes = null")
    assert second.supersedes == 1


def test_a_correction_that_does_not_say_what_changed_is_not_published(line: Line) -> None:
    line.reach("published")
    second = line.draft(LATER, "corrected")
    with as_role(line.connection, None):
        # A pack of other content whose attempt came without a diff, as nothing but the register would write it.
        line.connection.execute("set local role release_drafter")
        line.connection.execute(
            "update release.release set state = 'draft', attempt = 2, pack_sha256 = %s where release_id = %s",
            [pack("no diff"), second.release_id],
        )
        line.connection.execute(
            "insert into release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
            " values (%s, 2, 'r2', %s, %s, 'Because.')",
            [second.release_id, LATER.manifest_sha256, pack("no diff")],
        )
        line.connection.execute("set local role none")
        register.validate(line.connection, second.release_id)
        for username in (COUNCIL, ICB):
            second = register.sign(line.connection, second.release_id, username, pack("no diff"), "approve")
        with pytest.raises(Refused, match="it does not say what changed"):
            line.publish(second)


def _at_once(database: Settings, *acts: Callable[[psycopg.Connection], object]) -> list[object]:
    """What becomes of acts that begin together, each on its own connection."""
    results: list[object] = [None] * len(acts)
    ready = threading.Barrier(len(acts))

    def run(number: int) -> None:
        with warehouse.connect(database, autocommit=True) as own:
            ready.wait()
            try:
                results[number] = acts[number](own)
            except Exception as error:  # noqa: BLE001 - what it is, the test says
                results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_publishers_at_once_publish_once(line: Line, database: Settings) -> None:
    line.reach("published")
    second = line.reach("signed", LATER, "corrected")
    anchor = audit.newest(line.connection)
    publish = lambda own: register.publish(own, second.release_id, anchor)  # noqa: E731
    one, other = _at_once(database, publish, publish)
    assert isinstance(one, Release)
    assert one == other
    assert _states(line) == {1: "superseded", 2: "published"}
    told = [
        event.detail["state"]
        for event in audit.events(line.connection, 1_000, "release")
        if event.subject == second.release_id
    ]
    assert told == ["published", "signed", "validated", "draft"]


def test_a_publisher_and_who_withdraws_do_not_pass_each_other(line: Line, database: Settings) -> None:
    first = line.reach("published")
    second = line.reach("signed", LATER, "corrected")
    anchor = audit.newest(line.connection)
    published, withdrawn = _at_once(
        database,
        lambda own: register.publish(own, second.release_id, anchor),
        lambda own: register.withdraw(own, first.release_id, "A feed was mistaken.", by="registrar"),
    )
    assert isinstance(published, Release)
    if isinstance(withdrawn, Release):
        assert (_states(line), published.supersedes) == ({1: "withdrawn", 2: "published"}, None)
    else:
        assert isinstance(withdrawn, Refused)
        assert (_states(line), published.supersedes) == ({1: "superseded", 2: "published"}, 1)


def test_two_who_sign_at_once_sign_it_both(line: Line, database: Settings) -> None:
    release = line.reach("validated")
    one, other = _at_once(
        database,
        lambda own: register.sign(own, release.release_id, COUNCIL, release.pack_sha256, "approve"),
        lambda own: register.sign(own, release.release_id, ICB, release.pack_sha256, "approve"),
    )
    assert isinstance(one, Release)
    assert isinstance(other, Release)
    assert _states(line) == {1: "signed"}


def test_two_drafts_at_once_are_one(line: Line, database: Settings) -> None:
    draft = lambda own: Line(own, line.return_name).draft()  # noqa: E731
    one, other = _at_once(database, draft, draft)
    assert isinstance(one, Release)
    assert one == other


STATES = ("draft", "validated", "signed", "published", "superseded", "withdrawn")
MOVES = {
    "release_drafter": {("draft", "validated"), ("draft", "draft"), ("validated", "draft"), ("signed", "draft")},
    "release_publisher": {("validated", "signed"), ("signed", "published"), ("published", "withdrawn")},
}
_WITH = {
    "published": "published_at = 'epoch', anchor_seq = 0, anchor_sha256 = ''",
    "withdrawn": "withdrawn_at = 'epoch', withdrawn_reason = 'Wrong.'",
    "superseded": "superseded_by = 2",
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.integers(0, 3) | st.tuples(st.sampled_from(sorted(MOVES)), st.sampled_from(STATES)), min_size=5, max_size=12
    )
)
def test_a_release_moves_along_the_graph_and_nowhere_else(line: Line, steps: list[int | tuple[str, str]]) -> None:
    """Whatever is tried, in whatever order: what the graph has is done, all else is refused and changes nothing.

    A number is one of the moves that the graph has, so that a walk gets beyond its first states.
    """
    connection = line.connection
    with connection.transaction(force_rollback=True):
        release = line.draft()
        for step in steps:
            state = release.state
            allowed = [
                (role, to) for role, moves in sorted(MOVES.items()) for from_, to in sorted(moves) if from_ == state
            ]
            if isinstance(step, int) and not allowed:
                continue
            role, to_state = allowed[step % len(allowed)] if isinstance(step, int) else step
            if (state, to_state) == ("validated", "signed"):
                for username in (COUNCIL, ICB):
                    release = register.sign(connection, release.release_id, username, release.pack_sha256, "approve")
                continue
            try:
                _move(connection, release, role, to_state)
                is_done = True
            except psycopg.Error:
                is_done = False
            assert is_done == ((role, to_state) in allowed)
            release = register.find(connection, release.release_id)
            assert release.state == (to_state if is_done else state)


def _move(connection: psycopg.Connection, release: Release, role: str, to_state: str) -> None:
    """One move without the register, with all that belongs to it."""
    more = _WITH.get(to_state, "attempt = attempt + 1" if to_state == "draft" else "")
    with connection.transaction():
        connection.execute(f"set local role {role}".encode())
        connection.execute(
            f"update release.release set state = %s{more and ', ' + more} where release_id = %s".encode(),
            [to_state, release.release_id],
        )
        if to_state == "draft":
            connection.execute(
                "insert into release.attempt (release_id, attempt, run_id, inputs_sha256, pack_sha256, because)"
                " select release_id, attempt, run_id, inputs_sha256, pack_sha256, 'Because.' from release.release"
                " where release_id = %s",
                [release.release_id],
            )
        connection.execute("set constraints all immediate")
        connection.execute("set constraints all deferred")
        connection.execute("set local role none")
