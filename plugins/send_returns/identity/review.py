"""The review queue: pairs that linkage cannot decide, and what people decided, as data that outlives any run."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
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
    """A verdict. `given`: how many reviewers say so now, of `needed`; `revoked`: by whom, when and why."""

    decision_id: int
    verdict: str
    needed: int
    given: int
    reviewer: str
    reason: str
    decided_on: date
    left_person: str
    right_person: str
    revoked: str | None


# The feeds of the partnership that say what a profile says; another partnership may know the same.
_FEEDS = """coalesce((
    select string_agg(distinct link.feed, ', ')
    from identity.link inner join landing.delivery using (delivery_id)
    where link.profile_id = {profile} and delivery.partnership = {partnership}
), '')"""

_PAIRS = f"""
select
    review_id, r.left_id::text, r.right_id::text, l.person_id as left_person, o.person_id as right_person,
    {_FEEDS.format(profile="r.left_id", partnership="r.partnership")} as left_feeds,
    {_FEEDS.format(profile="r.right_id", partnership="r.partnership")} as right_feeds,
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


_DECISIONS = f"""
select
    given.decision_id, given.verdict, given.needed, given.reviewer, given.reason, l.person_id as left_person,
    o.person_id as right_person, (given.decided_at at time zone 'Europe/London')::date as decided_on,
    (
        select count(*)::integer from identity.decision as d
        where (d.partnership, d.left_id, d.right_id) = (given.partnership, given.left_id, given.right_id)
        and d.verdict = given.verdict and {_STANDS}
    ) as given,
    case when undone.decision_id is not null then
        format('%%s, %%s: %%s', undone.reviewer, (undone.decided_at at time zone 'Europe/London')::date, undone.reason)
    end as revoked
from identity.decision as given
inner join identity.profile as l on l.partnership = given.partnership and l.profile_id = given.left_id
inner join identity.profile as o on o.partnership = given.partnership and o.profile_id = given.right_id
left join identity.decision as undone on undone.revokes = given.decision_id
where given.partnership = %(partnership)s and given.revokes is null
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
        raise Failure(f"There is no pair {review_id} to review: `send-returns review` lists the open ones.")
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
    """The profiles of a person: id, the feeds that say so, and why it is this person's. Raises Failure without any."""
    found = connection.execute(
        f"select profile_id::text, {_FEEDS.format(profile='profile.profile_id', partnership='profile.partnership')},"  # noqa: S608
        " explanation from identity.profile where partnership = %s and person_id = %s order by 1".encode(),
        [partnership, person_id],
    ).fetchall()
    if not found:
        row = connection.execute(
            "select merged_into from identity.person where partnership = %s and person_id = %s",
            [partnership, person_id],
        ).fetchone()
        raise Failure(f"{person_id} became {row[0]}: ask for that." if row and row[0] else "There is no such person.")
    return found


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
) -> tuple[int, int]:
    """Record a verdict; returns its number and how many more reviewers must give the same before it takes effect.

    It takes effect with the next run. To make one person of two who are both in a published return takes two reviewers.
    An opposite verdict that stood on the pair is revoked by it. Raises Failure for a pair that is not there, without a
    reviewer or a reason, or when the same reviewer has said so already, in whatever letters.
    """
    reviewer, reason = _written(reviewer), _written(reason)
    if not reviewer or not reason:
        raise Failure("A decision needs who made it and why: --by and --reason.")
    one = pair(connection, partnership, review_id)
    needed = 2 if verdict == "same" and _both_published(connection, partnership, one) else 1
    key = {"partnership": partnership, "left": one.left_id, "right": one.right_id}
    earlier = connection.execute(
        "select decision_id, verdict, reviewer from identity.decision as d where partnership = %(partnership)s"  # noqa: S608
        f" and left_id = %(left)s and right_id = %(right)s and {_STANDS} order by decision_id".encode(),
        key,
    ).fetchall()
    if any(said == verdict and who.casefold() == reviewer.casefold() for _, said, who in earlier):
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
    more = max(needed - 1 - sum(said == verdict for _, said, _ in earlier), 0)
    if not more:
        connection.execute("update identity.review set state = 'decided' where review_id = %s", [review_id])
    return int(row[0]), more


def undo(connection: psycopg.Connection, partnership: str, decision_id: int, reviewer: str, reason: str) -> None:
    """Revoke a decision: with the next run the pair is as if it had not been made, and it is open until then.

    Raises Failure when none stands.
    """
    reviewer, reason = _written(reviewer), _written(reason)
    if not reviewer or not reason:
        raise Failure("To revoke a decision needs who does it and why: --by and --reason.")
    row = connection.execute(
        "select 1 from identity.decision as d where partnership = %s and decision_id = %s"  # noqa: S608
        f" and {_STANDS}".encode(),
        [partnership, decision_id],
    ).fetchone()
    if row is None:
        raise Failure(f"No decision {decision_id} stands: `send-returns review decisions` lists them.")
    _revoke(connection, decision_id, reviewer, reason)
    connection.execute(
        "update identity.review as r set state = 'open' from identity.decision as d where d.decision_id = %s"
        " and (d.partnership, d.left_id, d.right_id) = (r.partnership, r.left_id, r.right_id)",
        [decision_id],
    )


def decisions(connection: psycopg.Connection, partnership: str) -> list[Decision]:
    """Every verdict that was given, in its order."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(f"{_DECISIONS} order by decision_id".encode(), {"partnership": partnership}).fetchall()


def in_effect(connection: psycopg.Connection, partnership: str) -> list[tuple[str, str, Verdict]]:
    """Profiles and verdict of each decision that stands and that as many reviewers gave as it needs; sorted."""
    return connection.execute(
        "select left_id::text, right_id::text, verdict from identity.decision as d"  # noqa: S608
        f" where partnership = %s and {_STANDS}"
        " group by left_id, right_id, verdict having count(distinct reviewer) >= max(needed)"
        " order by left_id, right_id, verdict".encode(),
        [partnership],
    ).fetchall()


def basis(connection: psycopg.Connection, partnership: str) -> str:
    """What the decisions in effect amount to, in one line: the same line, the same links."""
    return ";".join(map(" ".join, in_effect(connection, partnership)))


def _written(text: str) -> str:
    """Without what tells one way of writing the same from another, and cannot be seen."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(seen.split())


def _revoke(connection: psycopg.Connection, decision_id: int, reviewer: str, reason: str) -> None:
    connection.execute(
        "insert into identity.decision"
        " (partnership, left_id, right_id, verdict, needed, reviewer, reason, decided_at, revokes)"
        " select partnership, left_id, right_id, verdict, needed, %s, %s, %s, decision_id from identity.decision"
        " where decision_id = %s",
        [reviewer, reason, clock.now(), decision_id],
    )


def _both_published(connection: psycopg.Connection, partnership: str, one: Pair) -> bool:
    """Whether a merge would make one of two people on lists that were published: what an inspector holds changes.

    With both go those whom decisions that are in effect make one with them, though no run has done so yet.
    """
    sides = [{one.left_person}, {one.right_person}]
    same = [(left, right) for left, right, verdict in in_effect(connection, partnership) if verdict == "same"]
    told = connection.execute(
        "select l.person_id, o.person_id from unnest(%s::uuid[], %s::uuid[]) as told (left_id, right_id)"
        " inner join identity.profile as l on l.partnership = %s and l.profile_id = told.left_id"
        " inner join identity.profile as o on o.partnership = l.partnership and o.profile_id = told.right_id",
        [[left for left, _ in same], [right for _, right in same], partnership],
    ).fetchall()
    for side in sides:
        before = 0
        while len(side) > before:
            before = len(side)
            side.update(*(pair for pair in told if not side.isdisjoint(pair)))
    tables = connection.execute(
        "select table_name from information_schema.columns"
        " where table_schema = 'returns' and column_name = 'person_id' order by 1"
    ).fetchall()
    published: set[str] = set()
    for (name,) in tables:
        rows = connection.execute(
            f'select person_id from returns."{name}" where person_id = any(%s)'.encode(),  # noqa: S608
            [sorted(sides[0] | sides[1])],
        )
        published.update(person for (person,) in rows)
    left, right = (published & side for side in sides)
    return bool(left) and bool(right) and len(left | right) > 1
