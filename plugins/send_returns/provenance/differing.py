"""What changed between two releases, and what can have changed it; child by child for those who may see children."""

import getpass
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from send_returns.failure import Failure
from send_returns.provenance import access
from send_returns.provenance.access import Row
from send_returns.publication import changes, figures
from send_returns.releases import audit, register
from send_returns.releases.register import Change, Release
from send_returns.returns import declarations
from send_returns.returns.declarations import ListDeclaration, StatisticalDeclaration
from send_returns.returns.disclosure.cells import KEYS
from send_returns.settings import Settings

Fate = Literal["came", "left", "changed"]


@dataclass(frozen=True)
class Child:
    """A child's row that differs. `columns`: which headings; `values`: the two texts of each, where they are asked for.

    `causes`: those of the child's deliveries that the one run read and the other did not.
    """

    part: str
    person_id: str
    fate: Fate
    columns: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    causes: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """Of a measure's figures, how many have another number (`moved`), became hidden or became shown, came or left."""

    return_table: str
    measure: str
    moved: int
    hidden: int
    shown: int
    came: int
    left: int


@dataclass(frozen=True)
class Difference:
    """How two releases differ, the earlier first. In counts, but for `children`.

    `changes`: of lists and XML, as kept when the later was drafted or else found anew. `files`: (name, what). `facts`:
    what else differs, as (what, before, now). `deliveries`: feed, delivery, contract, sha256 and run ('earlier' or
    'later') of those that only one of the runs read. `counted`: False where the packs of lists were not there.
    """

    before: Release
    now: Release
    changes: Sequence[Change]
    measures: Sequence[Shown]
    files: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str, str]]
    deliveries: Sequence[Row]
    children: Sequence[Child]
    counted: bool


def diff(
    settings: Settings,
    connection: psycopg.Connection,
    first_id: str,
    second_id: str,
    output: Path,
    *,
    children: bool,
    values: bool,
) -> Difference:
    """Compare two releases of one return, and keep on record that they were read.

    Raises NotAllowed when children are asked for by who may not see them, and Failure when there is no such release,
    when they are not of one return, or when a pack is not there to be compared child by child.
    """
    before, now = sorted(
        (access.find(connection, one, settings.partnership) for one in (first_id, second_id)),
        key=lambda one: (one.as_of, one.version),
    )
    if before.return_name != now.return_name:
        raise Failure(f"{before.release_id} and {now.release_id} are not of one return.")
    declaration = declarations.load(now.return_name)
    of_children: list[Child] = []
    if children:
        if not isinstance(declaration, ListDeclaration):
            raise Failure(f"{now.return_name} has no list of children: leave out --children.")
        access.require(connection, "children one by one")
        of_children = _children(settings, connection, before, now, declaration, output, values=values)
    is_statistical = isinstance(declaration, StatisticalDeclaration)
    counts, counted = ([], True) if is_statistical else _counts(connection, before, now, output)
    found = Difference(
        before=before,
        now=now,
        changes=counts,
        measures=_measures(connection, before, now) if is_statistical else [],
        files=_files(connection, before, now),
        facts=_facts(connection, before, now),
        deliveries=_deliveries(connection, before, now),
        children=of_children,
        counted=counted,
    )
    for one in (before, now):
        detail = {"diff": True, "attempt": one.attempt, "children": len(of_children), "values": values}
        audit.record(connection, "read", one.release_id, getpass.getuser(), detail, "release_reader")
    connection.commit()
    return found


def _counts(connection: psycopg.Connection, before: Release, now: Release, output: Path) -> tuple[list[Change], bool]:
    """Those of the packs, where both are there; else those that were kept when the later was drafted."""
    folders = [access.pack_in(output, one) for one in (before, now)]
    if access.may(connection, "audit.stage"):
        folders = [
            folder or changes.published_pack(connection, one)
            for folder, one in zip(folders, (before, now), strict=True)
        ]
    if all(folders):
        old, new = (folder for folder in folders if folder)
        return changes.between(old, new), True
    if now.supersedes == before.version and now.as_of == before.as_of:
        names = {file.name for one in (before, now) for file in register.files(connection, one)}
        return [one for one in register.changes(connection, now) if one.return_table not in names], True
    return [], False


def _measures(connection: psycopg.Connection, before: Release, now: Release) -> list[Shown]:
    old, new = (
        {row[: len(KEYS)]: row[len(KEYS) :] for row in figures.of_release(connection, one).select(
            *KEYS, "numerator", "denominator", "value", "status"
        ).rows()}
        for one in (before, now)
    )  # fmt: skip
    counts: dict[tuple[str, str], Counter[str]] = {}
    for key in old.keys() | new.keys():
        was, is_ = old.get(key), new.get(key)
        if was == is_:
            continue
        count = counts.setdefault((key[0], key[1]), Counter())
        if was is None or is_ is None:
            count["came" if was is None else "left"] += 1
        elif (was[-1] == "c") != (is_[-1] == "c"):
            count["hidden" if is_[-1] == "c" else "shown"] += 1
        else:
            count["moved"] += 1
    return [
        Shown(*key, *(counts[key][name] for name in ("moved", "hidden", "shown", "came", "left")))
        for key in sorted(counts)
    ]


def _files(connection: psycopg.Connection, before: Release, now: Release) -> list[tuple[str, str]]:
    old, new = ({file.name: file.sha256 for file in register.files(connection, one)} for one in (before, now))
    return [
        (name, "added" if name not in old else "removed" if name not in new else "changed")
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _facts(connection: psycopg.Connection, before: Release, now: Release) -> list[tuple[str, str, str]]:
    """What of the two runs differs beside their deliveries: each can be why a figure does."""
    old, new = (_run(connection, one) for one in (before, now))
    rules = [set(_rules(connection, one)) for one in (before, now)]
    facts = [(what, old[what], new[what]) for what in old if old[what] != new[what]]
    for what, one, other in (("rules no longer run", 0, 1), ("rules run for the first time", 1, 0)):
        names = sorted({rule for rule, _ in rules[one]} - {rule for rule, _ in rules[other]})
        if names:
            told = ", ".join(names)
            facts.append((what, told, "") if one == 0 else (what, "", told))
    known = {rule for rule, _ in rules[0]} & {rule for rule, _ in rules[1]}
    moved = sorted(rule for rule, _ in rules[1] - rules[0] if rule in known)
    if moved:
        facts.append(("rules with another outcome", "", ", ".join(moved)))
    return facts


def _run(connection: psycopg.Connection, release: Release) -> dict[str, str]:
    [row] = access.ask_as_reader(
        connection,
        "select as_of::text, code_version, (select key_id from audit.run_key where run_key.run_id = run.run_id"
        " and purpose = 'marts') as key_id from audit.run where run_id = %s",
        [release.run_id],
    )
    return {"as of": row["as_of"], "code": row["code_version"], "key of the pseudonyms": row["key_id"] or ""}


def _rules(connection: psycopg.Connection, release: Release) -> list[tuple[str, str]]:
    suite = declarations.load(release.return_name).rules_suite
    rows = access.ask_as_reader(
        connection,
        "select rule, outcome from audit.check_result where run_id = %s and suite = %s",
        [release.run_id, suite],
    )
    return [(row["rule"], row["outcome"]) for row in rows]


def _deliveries(connection: psycopg.Connection, before: Release, now: Release) -> list[Row]:
    found = access.ask_as_reader(
        connection,
        "select feed, coalesce(period_key, '') as period, contract_version as contract,"
        " content_sha256 as sha256, case when run_id = %(old)s then 'earlier' else 'later' end as run, delivery_id"
        " from audit.run_delivery inner join landing.delivery using (delivery_id) where run_id in (%(old)s, %(new)s)"
        " and delivery_id in (select delivery_id from audit.run_delivery where run_id in (%(old)s, %(new)s)"
        " group by delivery_id having count(*) = 1)"
        " and %(old)s <> %(new)s"
        ' order by feed collate "C", period_key collate "C" nulls first, run, content_sha256, delivery_id',
        {"old": before.run_id, "new": now.run_id},
    )
    return access.with_names(connection, found)


def _children(
    settings: Settings,
    connection: psycopg.Connection,
    before: Release,
    now: Release,
    declaration: ListDeclaration,
    output: Path,
    *,
    values: bool,
) -> list[Child]:
    found: list[tuple[str, str, Fate, tuple[str, ...], tuple[tuple[str, str], ...]]] = []
    for part in declaration.lists:
        paths = [access.file_of(settings, connection, one, f"{part}.csv", output) for one in (before, now)]
        for person_id, old, new in changes.paired(paths[0], paths[1]):
            if old is None or new is None:
                found.append((part, person_id, "came" if old is None else "left", (), ()))
            elif names := changes.differing(old, new):
                texts = tuple((old.get(name, ""), new.get(name, "")) for name in names) if values else ()
                found.append((part, person_id, "changed", tuple(names), texts))
    causes = _causes(connection, before, now, sorted({person_id for _, person_id, *_ in found}))
    return [Child(*one, causes=causes.get(one[1], ())) for one in found]


def _causes(
    connection: psycopg.Connection, before: Release, now: Release, persons: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The deliveries with a record of each person that only one of the runs read: the feed, its name, and which run."""
    changed = _deliveries(connection, before, now)
    names = {row["delivery_id"]: f"{row['feed']} {row['delivery']} ({row['run']})" for row in changed}
    rows = connection.execute(
        "select distinct person_id, delivery_id from identity.link where person_id = any(%s) and delivery_id = any(%s)",
        [list(persons), list(names)],
    ).fetchall()
    found: dict[str, list[str]] = {}
    for person_id, delivery_id in rows:
        found.setdefault(person_id, []).append(names[delivery_id])
    return {person_id: tuple(sorted(own)) for person_id, own in found.items()}
