"""The review queue: pairs that linkage cannot decide, and what people decided, as data that outlives any run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row, dict_row

from send_returns import clock
from send_returns.failure import Failure
from send_returns.identity.sources import SAYS

Verdict = Literal["same", "different"]
# Why a pair is in the queue when it was not linkage that put it there.
RAISED = "raised by a person"
_STANDS = (
    "d.revokes is null and not exists (select from identity.decision as later where later.revokes = d.decision_id)"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two profiles that may be of one child. `given`: how many reviewers have said `same`, of `needed`."""

    review_id: int
    left_id: str
    right_id: str
    left_person: str
    right_person: str
    left_feeds: str
    right_feeds: str
    score: float
    reason: str
    explanation: str
    state: str
    given: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict that was given. `standing`: not revoked; `needed`: how many reviewers must give the same."""

    decision_id: int
    verdict: str
    needed: int
    reviewer: str
    reason: str
    left_person: str
    right_person: str
    standing: bool


_PAIRS = f"""
select
    review_id, r.left_id::text, r.right_id::text, l.person_id as left_person, o.person_id as right_person,
    (select coalesce(string_agg(distinct feed, ', '), '') from identity.link where profile_id = r.left_id)
    as left_feeds,
    (select coalesce(string_agg(distinct feed, ', '), '') from identity.link where profile_id = r.right_id)
    as right_feeds,
    r.score, r.reason, r.explanation, r.state,
    (
        select count(distinct reviewer)::integer from identity.decision as d
        where (d.partnership, d.left_id, d.right_id) = (r.partnership, r.left_id, r.right_id)
        and verdict = 'same' and {_STANDS}
    ) as given
from identity.review as r
inner join identity.profile as l on l.partnership = r.partnership and l.profile_id = r.left_id
inner join identity.profile as o on o.partnership = r.partnership and o.profile_id = r.right_id
where r.partnership = %(partnership)s
"""  # noqa: S608 - a constant


def pairs(connection: psycopg.Connection, partnership: str, limit: int = 20) -> tuple[list[Pair], int]:
    """The open pairs, the likeliest first, at most `limit` of them; and how many are open."""
    with connection.cursor(row_factory=class_row(Pair)) as cursor:
        found = cursor.execute(
            f"{_PAIRS} and r.state = 'open' order by r.score desc, review_id limit %(limit)s".encode(),
            {"partnership": partnership, "limit": limit},
        ).fetchall()
    row = connection.execute(
        "select count(*) from identity.review where partnership = %s and state = 'open'", [partnership]
    ).fetchone()
    return found, int(row[0]) if row else 0


def pair(connection: psycopg.Connection, partnership: str, review_id: int) -> Pair:
    """One pair. Raises Failure when there is none of that number."""
    with connection.cursor(row_factory=class_row(Pair)) as cursor:
        found = cursor.execute(
            f"{_PAIRS} and review_id = %(review)s".encode(), {"partnership": partnership, "review": review_id}
        ).fetchone()
    if found is None:
        raise Failure(f"There is no pair {review_id} to review: `send-returns review list` names the open ones.")
    return found


def sides(connection: psycopg.Connection, partnership: str, one: Pair) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What both profiles say, by role: personal data, for the eyes of the reviewer alone."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = {
            row["id"]: row
            for row in cursor.execute(
                f"select profile_id::text as id, {', '.join(SAYS)} from identity.profile"  # noqa: S608
                " where partnership = %s and profile_id = any(%s::uuid[])".encode(),
                [partnership, [one.left_id, one.right_id]],
            )
        }
    return rows[one.left_id], rows[one.right_id]


def profiles(connection: psycopg.Connection, partnership: str, person_id: str) -> list[tuple[str, str, str]]:
    """The profiles of a person: id, the feeds that say so, and why it is this person's."""
    return connection.execute(
        "select profile_id::text, coalesce((select string_agg(distinct feed, ', ') from identity.link"
        " where link.profile_id = profile.profile_id), ''), explanation from identity.profile"
        " where partnership = %s and person_id = %s order by 1",
        [partnership, person_id],
    ).fetchall()


def raise_pair(connection: psycopg.Connection, partnership: str, one: str, other: str) -> int:
    """Put two profiles into the queue, such as two of one person that are not of one child; returns the pair's number.

    Raises Failure when they are not two known profiles.
    """
    rows = connection.execute(
        "select profile_id::text from identity.profile"
        " where partnership = %s and profile_id::text = any(%s) order by 1",
        [partnership, [one, other]],
    ).fetchall()
    if len(rows) != 2:
        raise Failure("Give two different profiles: `send-returns review person P0000000001` lists those of a person.")
    row = connection.execute(
        "insert into identity.review as known"
        " (partnership, left_id, right_id, score, reason, explanation, state, first_run_id)"
        " values (%s, %s, %s, 0.5, %s, '', 'open', '') on conflict (partnership, left_id, right_id)"
        " do update set state = 'open', reason = excluded.reason returning review_id",
        [partnership, rows[0][0], rows[1][0], RAISED],
    ).fetchone()
    assert row is not None  # noqa: S101 - an upsert returns its row
    return int(row[0])


def decide(
    connection: psycopg.Connection, partnership: str, review_id: int, verdict: Verdict, reviewer: str, reason: str
) -> tuple[Decision, int]:
    """Record a verdict; returns it and how many more reviewers must give the same before it takes effect.

    It takes effect with the next run. To make one person of two who are both in a published return takes two reviewers.
    An opposite verdict that stood on the pair is revoked by it. Raises Failure for a pair that is not there, without a
    reviewer or a reason, or when the same reviewer has said so already.
    """
    if not reviewer.strip() or not reason.strip():
        raise Failure("A decision needs who made it and why: --by and --reason.")
    one = pair(connection, partnership, review_id)
    needed = 2 if verdict == "same" and _both_published(connection, one) else 1
    key = {"partnership": partnership, "left": one.left_id, "right": one.right_id}
    earlier = connection.execute(
        "select decision_id, verdict, reviewer from identity.decision as d where partnership = %(partnership)s"  # noqa: S608
        f" and left_id = %(left)s and right_id = %(right)s and {_STANDS} order by decision_id".encode(),
        key,
    ).fetchall()
    if any((said, who) == (verdict, reviewer) for _, said, who in earlier):
        raise Failure(f"{reviewer} has already decided this pair so: another reviewer must confirm it.")
    for number, said, _ in earlier:
        if said != verdict:
            _revoke(connection, number, reviewer, reason)
    row = connection.execute(
        "insert into identity.decision (partnership, left_id, right_id, verdict, needed, reviewer, reason, decided_at)"
        " values (%(partnership)s, %(left)s, %(right)s, %(verdict)s, %(needed)s, %(reviewer)s, %(reason)s, %(at)s)"
        " returning decision_id",
        {**key, "verdict": verdict, "needed": needed, "reviewer": reviewer, "reason": reason, "at": clock.now()},
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    connection.execute(
        "update identity.review set state = 'decided' where review_id = %s and reason = %s", [review_id, RAISED]
    )
    others = {who for _, said, who in earlier if said == verdict}
    made = Decision(row[0], verdict, needed, reviewer, reason, one.left_person, one.right_person, True)
    return made, max(needed - len(others | {reviewer}), 0)


def undo(connection: psycopg.Connection, partnership: str, decision_id: int, reviewer: str, reason: str) -> None:
    """Revoke a decision: with the next run the pair is as if it had not been made. Raises Failure when none stands."""
    if not reviewer.strip() or not reason.strip():
        raise Failure("To revoke a decision needs who does it and why: --by and --reason.")
    row = connection.execute(
        "select 1 from identity.decision as d where partnership = %s and decision_id = %s"  # noqa: S608
        f" and {_STANDS}".encode(),
        [partnership, decision_id],
    ).fetchone()
    if row is None:
        raise Failure(f"No decision {decision_id} stands: `send-returns review decisions` lists them.")
    _revoke(connection, decision_id, reviewer, reason)


def decisions(connection: psycopg.Connection, partnership: str) -> list[Decision]:
    """Every verdict that was given, in its order."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(
            "select decision_id, verdict, needed, reviewer, reason, l.person_id as left_person,"  # noqa: S608
            f" o.person_id as right_person, {_STANDS} as standing from identity.decision as d"
            " inner join identity.profile as l on l.partnership = d.partnership and l.profile_id = d.left_id"
            " inner join identity.profile as o on o.partnership = d.partnership and o.profile_id = d.right_id"
            " where d.partnership = %s and d.revokes is null order by decision_id".encode(),
            [partnership],
        ).fetchall()


def basis(connection: psycopg.Connection, partnership: str) -> str:
    """What the decisions that stand amount to, in one line: the same line, the same links."""
    rows = connection.execute(
        "select concat_ws(' ', left_id, right_id, verdict) from identity.decision as d"  # noqa: S608
        f" where partnership = %s and {_STANDS}"
        " group by left_id, right_id, verdict having count(distinct reviewer) >= max(needed) order by 1".encode(),
        [partnership],
    ).fetchall()
    return ";".join(line for (line,) in rows)


def _revoke(connection: psycopg.Connection, decision_id: int, reviewer: str, reason: str) -> None:
    connection.execute(
        "insert into identity.decision"
        " (partnership, left_id, right_id, verdict, needed, reviewer, reason, decided_at, revokes)"
        " select partnership, left_id, right_id, verdict, needed, %s, %s, %s, decision_id from identity.decision"
        " where decision_id = %s",
        [reviewer, reason, clock.now(), decision_id],
    )


def _both_published(connection: psycopg.Connection, one: Pair) -> bool:
    """Whether both people are on a list that was published: what an inspector holds changes with them."""
    tables = [
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.columns"
            " where table_schema = 'returns' and column_name = 'person_id' order by 1"
        ).fetchall()
    ]
    wanted = {one.left_person, one.right_person}
    found: set[str] = set()
    for name in tables:
        found |= {
            person
            for (person,) in connection.execute(
                f'select person_id from returns."{name}" where person_id = any(%s)'.encode(),  # noqa: S608
                [sorted(wanted)],
            ).fetchall()
        }
    return found == wanted and len(wanted) == 2
