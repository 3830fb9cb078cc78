"""The arrival register: which feed has come, which is missing, refused or too old, and when the next is due."""

from datetime import date, timedelta

import psycopg

from send_returns import feeds


def register(connection: psycopg.Connection, partnership: str, as_of: date) -> None:
    """Work out and store the state of every feed as of a day, in the caller's transaction.

    accepted: the latest delivery that describes a day up to `as_of` is no older than the contract allows; stale: it is
    older; refused: there is none, and one was refused; missing: nothing has come.
    """
    for feed in feeds.feeds():
        latest = connection.execute(
            "select delivery_id, reference_on from landing.delivery where partnership = %s and feed = %s"
            " and status = 'accepted' and reference_on <= %s"
            ' order by reference_on desc, period_key collate "C" desc limit 1',
            [partnership, feed.id, as_of],
        ).fetchone()
        delivery, due_on = None, None
        if latest:
            delivery, reference_on = latest
            due_on = reference_on + timedelta(days=feed.max_age_days)
            state = "accepted" if as_of <= due_on else "stale"
            detail = f"describes {reference_on}" + ("" if state == "accepted" else f", and one was due by {due_on}")
        else:
            refused = connection.execute(
                "select delivery_id, reason from landing.delivery where partnership = %s and feed = %s"
                " and status = 'refused' order by received_at desc, delivery_id limit 1",
                [partnership, feed.id],
            ).fetchone()
            delivery, detail = refused or (None, f"nothing for a day up to {as_of} has come from {feed.supplier}")
            state = "refused" if refused else "missing"
        connection.execute(
            "insert into landing.arrival values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (partnership, as_of, feed) do update set organisation = excluded.organisation,"
            " required = excluded.required, due_on = excluded.due_on, state = excluded.state,"
            " delivery_id = excluded.delivery_id, detail = excluded.detail",
            [partnership, as_of, feed.id, feed.organisation, feed.required, due_on, state, delivery, detail],
        )


def missing(connection: psycopg.Connection, partnership: str, as_of: date) -> list[str]:
    """One line per required feed that is not accepted: feed, whose it is, state and why. Empty when a run may start."""
    rows = connection.execute(
        "select feed, organisation, state, detail from landing.arrival"
        " where partnership = %s and as_of = %s and required and state <> 'accepted'"
        ' order by organisation collate "C", feed collate "C"',
        [partnership, as_of],
    ).fetchall()
    return [f"{feed} ({organisation}) is {state}: {detail}" for feed, organisation, state, detail in rows]
