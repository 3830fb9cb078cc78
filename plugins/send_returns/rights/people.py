"""Whom a person id or an identifier means."""

from collections.abc import Sequence
from datetime import date

import polars as pl
import psycopg
from psycopg import sql

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.identity.sources import SAYS
from send_returns.rights import tombstones
from send_returns.rights.identifiers import Identifier, of_profiles, one
from send_returns.settings import Settings


def everyone(connection: psycopg.Connection, partnership: str, person_id: str) -> list[str]:
    """The person and all who were merged into them; the one who stayed comes first. Raises Failure."""
    found = connection.execute(
        "with recursive up as ("
        " select person_id, merged_into from identity.person where person_id = %s and partnership = %s"
        " union select person.person_id, person.merged_into from identity.person inner join up"
        " on person.person_id = up.merged_into), down as ("
        " select person_id, 0 as depth from up where merged_into is null union all"
        " select person.person_id, depth + 1 from identity.person inner join down"
        " on person.merged_into = down.person_id)"
        " select person_id from down order by depth, person_id",
        [person_id, partnership],
    ).fetchall()
    if not found:
        raise Failure(
            f"{partnership} has no person of that id. Without the id, ask by --nhs-number, --upn or --la-child-id."
        )
    return [row[0] for row in found]


def identifiers_of(connection: psycopg.Connection, persons: Sequence[str]) -> set[Identifier]:
    """All that identifies some persons, as linkage knows it."""
    return _said(connection, sql.SQL("person_id = any({})").format(list(persons)))


def also_of_others(
    connection: psycopg.Connection, partnership: str, persons: Sequence[str], own: set[Identifier]
) -> set[Identifier]:
    """Those of `own` that another person's records carry too: by these nobody can be told."""
    values = [value for _, value in own]
    others = _said(
        connection,
        sql.SQL(
            "partnership = {} and person_id <> all({}) and (nhs_number = any({v}) or upn = any({v})"
            " or former_upn = any({v}) or uln = any({v}) or la_child_id = any({v}) or provider_patient_id = any({v})"
            " or nhs_number_pseudo = any({v}) or concat_ws(e'\\x1f', surname, forename, born, postcode) = any({v}))"
        ).format(partnership, list(persons), v=values),
    )
    return own & others


def find(settings: Settings, kind: str, value: str) -> str:
    """The one person whose records carry an identifier, as somebody wrote it. Raises Failure, without the value."""
    with warehouse.connect(settings, purpose="send-returns subject") as connection:
        found = _found_by(connection, settings.partnership, kind, value)
        if not found:
            erased = _erased(settings, connection, kind, value)
            raise Failure(f"Nobody is known by that.{erased}")
    if len(found) > 1:
        raise Failure(f"That is a number of {len(found)} people: ask for each by id, {', '.join(found)}.")
    return found[0]


def _erased(settings: Settings, connection: psycopg.Connection, kind: str, value: str) -> str:
    """Words on the removal of whoever the identifier was of, if it is in force by whatever day."""
    identifier = one(kind, value)
    digests = tombstones.in_force(connection, settings.partnership, date.max)
    told = tombstones.knows(settings, connection, digests)([identifier] if identifier else [])
    for removal_id in told.values():
        row = connection.execute(
            "select kind, from_on from rights.removal where removal_id = %s", [removal_id]
        ).fetchone()
        return f" It is of a person with an {row[0]} from {row[1]} on: number {removal_id}." if row else ""
    return ""


def _found_by(connection: psycopg.Connection, partnership: str, kind: str, value: str) -> list[str]:
    """The persons whose records carry an identifier, as a person wrote it. Raises Failure where it cannot be one."""
    identifier = one(kind, value)
    if identifier is None:
        raise Failure("That cannot be such a number: check it, and mind a mistyped digit.")
    column = sql.Identifier(kind)
    rows = connection.execute(
        sql.SQL(
            "select distinct person_id from identity.profile where partnership = %s and {} = %s{} order by 1"
        ).format(column, sql.SQL(" or former_upn = %s" if kind == "upn" else "")),
        [partnership, identifier[1], *([identifier[1]] if kind == "upn" else [])],
    ).fetchall()
    return [row[0] for row in rows]


def _said(connection: psycopg.Connection, which: sql.Composable) -> set[Identifier]:
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in SAYS)
    profiles = connection.execute(sql.SQL("select {} from identity.profile where {}").format(columns, which)).fetchall()
    frame = pl.DataFrame(profiles, schema=dict.fromkeys(SAYS, pl.String), orient="row")
    return set(of_profiles(frame).select("kind", "value").rows())
