"""From what profiles share to who is one child: a partition that depends on the profiles, the model and the decisions
alone, and not on the order in which they came."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from send_returns.identity.likeness import DIFFERENT, EXPLANATION, frame

# Match weights (log2 of the odds) from which two profiles are linked, or shown to a person.
LINK, REVIEW = 9.0, 3.0
# Two candidates for one place whose weights differ by less are too alike to choose between.
MARGIN = 6.0
# A number that more profiles carry is a default of some system, not an identity.
MOST_CARRIERS = 60
# Kinds in the order in which they are believed. An NHS number comes last: it was traced, the others were given.
KINDS = ("upn", "uln", "la_child_id", "provider_patient_id", "nhs_number_pseudo", "nhs_number")
# Why a pair that was decided is asked about again.
CONTRARY = "decisions contradict each other"

# Each profile with the first that carries the same trusted number.
STAR = "select min(profile) over (partition by kind, value) as l, profile as r from trusted"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who is one child.

    `people`: profile (position), person (a number of this partition), method, weight (null unless probabilistic),
    explanation. `review`: l, r (positions, l < r), weight, reason, explanation: pairs for a person to decide.
    `disputed`: kind, value, reason.
    """

    people: pl.DataFrame
    review: pl.DataFrame
    disputed: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Decisions:
    """Pairs of profiles (positions) that a person has found to be of one child, or of two."""

    same: Sequence[tuple[int, int]] = ()
    different: Sequence[tuple[int, int]] = ()


def resolve(
    connection: duckdb.DuckDBPyConnection, likely: pl.DataFrame, decisions: Decisions = Decisions()
) -> Resolution:
    """Partition the table `profiles` by the table `carried` (profile, kind, value) and the pairs of `likely` (l, r,
    weight)."""
    connection.register("likely_", likely)
    connection.execute("create or replace table likely as select * from likely_")
    _disputed(connection)
    part, edges, conflicts = _parts(connection, decisions)
    refused = _settle(part, edges, conflicts)
    contrary = _join(part, decisions)
    found = pl.DataFrame(
        {"profile": np.arange(len(part)), "person": part}, schema={"profile": pl.Int64, "person": pl.Int64}
    )
    connection.register("found_", found)
    connection.execute("create or replace table found as select profile, person from found_")
    return Resolution(
        _explained(connection, decisions), _for_review(connection, refused, decisions, contrary), _disputes(connection)
    )


def labelled(connection: duckdb.DuckDBPyConnection) -> None:
    """Add `label` to the table `profiles`: those that trusted numbers connect have the same."""
    _disputed(connection)
    ((size,),) = connection.execute("select count(*) from profiles").fetchall()
    part = _connected(size, [frame(connection, STAR)])
    connection.register("label_", pl.DataFrame({"profile": np.arange(size), "label": part}))
    connection.execute(
        "create or replace table profiles as select profiles.*, label from profiles join label_ using (profile)"
    )


def _connected(size: int, edges: Sequence[pl.DataFrame]) -> np.typing.NDArray[np.int64]:
    """The connected part of each of so many nodes, by edges (l, r)."""
    left, right = (np.concatenate([some[end].to_numpy() for some in edges]) for end in ("l", "r"))
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    part: np.typing.NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return part


def _disputed(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `disputed`, identifiers that records of different children carry, and those of too many; and `trusted`.

    A disputed number joins nobody by itself, and only those of its records that agree on the birth date as well, if
    all of that birth date can be one child's.
    """
    connection.execute(
        "create or replace table bearing as select kind, value, count(*) as carriers from carried group by 1, 2"
    )
    connection.execute(
        "create or replace table shared as select profile, kind, value, born from carried"
        " join bearing using (kind, value) join profiles using (profile)"
        f" where carriers between 2 and {MOST_CARRIERS}"
    )
    connection.execute(
        "create or replace table unlike as"
        " select a.kind, a.value, a.born, a.born = b.born as is_one_date"
        " from shared as a join shared as b on a.kind = b.kind and a.value = b.value and a.profile < b.profile"
        f" join profiles as l on l.profile = a.profile join profiles as r on r.profile = b.profile where {DIFFERENT}"
        # A temporary number may be given again: it joins only records with one birth date.
        " or (a.kind = 'upn' and a.value similar to '.*[A-Z]' and coalesce(l.born <> r.born, true))"
    )
    connection.execute(
        "create or replace table disputed as"
        f" select kind, value, 'carried by more than {MOST_CARRIERS} different records' as reason from bearing"
        f" where carriers > {MOST_CARRIERS} union all"
        " select distinct kind, value, 'carried by records of different children' as reason from unlike"
    )
    connection.execute(
        "create or replace table trusted as select profile, kind, value from shared anti join disputed"
        " using (kind, value) union all select profile, shared.kind, shared.value || ' ' || shared.born from shared"
        " semi join disputed on disputed.kind = shared.kind and disputed.value = shared.value"
        " anti join (select * from unlike where is_one_date) as twins"
        " on twins.kind = shared.kind and twins.value = shared.value and twins.born = shared.born"
        " where shared.born is not null"
    )


def _parts(
    connection: duckdb.DuckDBPyConnection, decisions: Decisions
) -> tuple[np.typing.NDArray[np.int64], pl.DataFrame, pl.DataFrame]:
    """The connected parts (a number per profile), the edges of the parts that hold different children, and which
    profiles those are (l, r)."""
    ((size,),) = connection.execute("select count(*) from profiles").fetchall()
    likely = frame(connection, f"select l, r from likely where weight >= {LINK}")
    part = _connected(size, [frame(connection, STAR), likely])
    connection.register("part_", pl.DataFrame({"profile": np.arange(size), "part": part}))
    connection.execute("create or replace table parts as select profile, part from part_")
    _register(connection, "told_", decisions.different)
    conflicts = frame(
        connection,
        "with member as (select part, profiles.* from profiles join parts using (profile)"
        " where part in (select part from parts group by 1 having count(*) > 1))"
        " select l.part, l.profile as l, r.profile as r from member as l join member as r"
        f" on l.part = r.part and l.profile < r.profile where {DIFFERENT}"
        " union select p.part, told_.l, told_.r from told_ join parts as p on p.profile = told_.l"
        " join parts as q on q.profile = told_.r and p.part = q.part order by 1, 2, 3",
    )
    connection.register("mixed_", conflicts.select("part").unique())
    connection.execute("create or replace table mixed as select part from mixed_")
    rank = ", ".join(f"'{kind}'" for kind in KINDS)
    edges = frame(
        connection,
        "with member as (select kind, value, profile, part from trusted join parts using (profile)"
        " where part in (select part from mixed))"
        " select a.part, a.profile as l, b.profile as r, null::double as weight,"
        f" case when l.born = r.born then 0 else 1 end * 10 + min(list_position([{rank}], a.kind)) as rank"
        " from member as a join member as b on a.kind = b.kind and a.value = b.value and a.profile < b.profile"
        " join profiles as l on l.profile = a.profile join profiles as r on r.profile = b.profile"
        " group by a.part, a.profile, b.profile, l.born, r.born"
        f" union all select part, l, r, weight, 100 - weight / 1000 from likely join parts on profile = l"
        f" where weight >= {LINK} and part in (select part from mixed) order by 1, rank, l, r",
    )
    return part, edges, conflicts


def _settle(part: np.typing.NDArray[np.int64], edges: pl.DataFrame, conflicts: pl.DataFrame) -> list[tuple[int, int]]:
    """Split the parts that hold different children: the surest edge first, and none that would join two of them.

    Changes `part`; returns the edges that were refused.
    """
    refused: list[tuple[int, int]] = []
    unlike: dict[int, set[int]] = defaultdict(set)
    for left, right in conflicts.select("l", "r").iter_rows():
        unlike[left].add(right)
        unlike[right].add(left)
    free = int(part.max()) + 1 if len(part) else 0
    members = defaultdict(list)
    mixed = set(conflicts["part"].to_list())
    for position in np.flatnonzero(np.isin(part, list(mixed))):
        members[int(part[position])].append(int(position))
    of_part = {key[0]: group for key, group in edges.group_by("part", maintain_order=True)}
    for number in sorted(mixed):
        groups = _Groups(members[number], unlike)
        some = of_part.get(number)
        for left, right, weight in some.select("l", "r", "weight").iter_rows() if some is not None else ():
            if some is not None and not groups.join(left, right, weight, some):
                refused.append((left, right))
        for group in groups.all()[1:]:
            part[group] = free
            free += 1
    return refused


def _join(part: np.typing.NDArray[np.int64], decisions: Decisions) -> list[tuple[int, int]]:
    """Put together whom reviewers found to be one child, but never two that reviewers found to be two.

    Changes `part`; returns the decisions that others contradict.
    """
    contrary: list[tuple[int, int]] = []
    one, other = np.array(decisions.different, dtype=np.int64).reshape(-1, 2).T
    for left, right in decisions.same:
        ends = {part[left], part[right]}
        told = np.isin(part[one], list(ends)) & np.isin(part[other], list(ends)) & (part[one] != part[other])
        if told.any():
            contrary.append((left, right))
        else:
            part[part == part[right]] = part[left]
    return contrary


class _Groups:
    """The groups of one part while its edges are tried in their order."""

    def __init__(self, members: Iterable[int], unlike: Mapping[int, set[int]]) -> None:
        self._group = {member: {member} for member in members}
        self._unlike = unlike
        self._likely: dict[int, list[tuple[int, float]]] | None = None

    def all(self) -> list[list[int]]:
        """The groups, each sorted, by their first member."""
        return sorted({min(group): sorted(group) for group in self._group.values()}.values())

    def join(self, left: int, right: int, weight: float | None, edges: pl.DataFrame) -> bool:
        """Put two groups together, unless they hold different children or, by a weight, another is as likely."""
        mine, theirs = self._group[left], self._group[right]
        if mine is theirs:
            return True
        if self._differ(mine, theirs):
            return False
        if weight is not None and (
            self._rivalled(mine, theirs, weight, edges) or self._rivalled(theirs, mine, weight, edges)
        ):
            return False
        mine |= theirs
        for member in theirs:
            self._group[member] = mine
        return True

    def _differ(self, mine: set[int], theirs: set[int]) -> bool:
        few, many = (mine, theirs) if len(mine) <= len(theirs) else (theirs, mine)
        return any(not self._unlike[member].isdisjoint(many) for member in few if member in self._unlike)

    def _rivalled(self, mine: set[int], theirs: set[int], weight: float, edges: pl.DataFrame) -> bool:
        """Whether some other group, different from `theirs`, is nearly as likely to be one with `mine`."""
        if self._likely is None:
            self._likely = defaultdict(list)
            for left, right, other in edges.drop_nulls("weight").select("l", "r", "weight").iter_rows():
                self._likely[left].append((right, other))
                self._likely[right].append((left, other))
        return any(
            other >= weight - MARGIN
            and rival not in theirs
            and rival not in mine
            and self._differ(self._group[rival], theirs)
            for member in mine
            for rival, other in self._likely.get(member, ())
        )


def _explained(connection: duckdb.DuckDBPyConnection, decisions: Decisions) -> pl.DataFrame:
    """Why each profile is with its person: the other profile that it is most surely one with, and what they share."""
    rank = ", ".join(f"'{kind}'" for kind in KINDS)
    _register(connection, "told_", decisions.same)
    connection.execute(
        "create or replace table partner as with star as ("
        " select min(profile) over (partition by kind, value) as l, profile as r,"
        f" list_position([{rank}], kind) as rank from trusted), reason as ("
        " select l, r, rank, null::double as weight, 'exact' as method from star where l <> r"
        f" union all select l, r, 100 - weight / 1000, weight, 'probabilistic' from likely where weight >= {LINK}"
        " union all select l, r, 0, null, 'reviewed' from told_),"
        " either as (select * from reason union all select r, l, rank, weight, method from reason)"
        " select either.*, row_number() over (partition by l order by rank, r) as place from either"
        " join found as f on f.profile = l join found as g on g.profile = r and f.person = g.person"
    )
    return frame(
        connection,
        "select found.profile, person,"
        " coalesce(method, case when l.says then 'single' else 'unidentified' end) as method, weight,"
        f" case when partner.l is not null then {EXPLANATION}"
        " when l.says then 'nothing joins it to another' else 'says too little of whom it is about' end as explanation"
        " from found join profiles as l on l.profile = found.profile"
        " left join (select * from partner where place = 1) as partner on partner.l = found.profile"
        " left join profiles as r on r.profile = partner.r order by found.profile",
        repeated=("method", "explanation"),
    )


def _for_review(
    connection: duckdb.DuckDBPyConnection,
    refused: Sequence[tuple[int, int]],
    decisions: Decisions,
    contrary: Sequence[tuple[int, int]],
) -> pl.DataFrame:
    """Pairs of different people that may be one: likely ones, refused ones, and those with one disputed number.

    Of two people one pair, the likeliest. Of people who have been found to be two children it is asked only why they
    share a number, and of a pair that was decided nothing, unless other decisions contradict it.
    """
    decided = [*decisions.same, *decisions.different]
    for name, pairs in (("refused_", refused), ("decided_", decided), ("contrary_", contrary)):
        _register(connection, name, pairs)
    return frame(
        connection,
        "with doubt as ("
        " select l, r, weight, 'likely, but not sure' as reason from likely"
        f" where weight >= {REVIEW} and weight < {LINK}"
        " union all select l, r, weight, 'two candidates fit alike' from likely semi join refused_ using (l, r)"
        " union all select l, r, null, 'a number joins what else differs' from refused_ anti join likely using (l, r)"
        " union all select a.profile, b.profile, null, 'a number that two children carry' from shared as a"
        " join shared as b on a.kind = b.kind and a.value = b.value and a.profile < b.profile"
        " semi join disputed on disputed.kind = a.kind and disputed.value = a.value"
        f" union all select l, r, null, '{CONTRARY}' from contrary_),"
        " people as ("
        " select least(f.person, g.person) as one, greatest(f.person, g.person) as other, doubt.*"
        " from doubt join found as f on f.profile = l join found as g on g.profile = r where f.person <> g.person),"
        " settled as (select least(f.person, g.person) as one, greatest(f.person, g.person) as other"
        " from decided_ join found as f on f.profile = l join found as g on g.profile = r),"
        " apart as (select distinct one, other from (select distinct one, other from people) as pair"
        " join found as f on f.person = one join found as g on g.person = other"
        " join profiles as l on l.profile = f.profile join profiles as r on r.profile = g.profile"
        f" where {DIFFERENT}),"
        " first as ("
        " select people.*, row_number() over (partition by one, other"
        f" order by reason <> '{CONTRARY}', weight desc nulls last, l, r, reason) as place"
        f" from people where reason = '{CONTRARY}' or not exists"
        " (select 1 from settled where settled.one = people.one and settled.other = people.other))"
        f" select first.l, first.r, weight, reason, {EXPLANATION} as explanation from first"
        " join profiles as l on l.profile = first.l join profiles as r on r.profile = first.r"
        f" where place = 1 and (reason like 'a number joins%' or reason = '{CONTRARY}' or not exists"
        " (select 1 from apart where apart.one = first.one and apart.other = first.other)) order by first.l, first.r",
    )


def _register(connection: duckdb.DuckDBPyConnection, name: str, pairs: Sequence[tuple[int, int]]) -> None:
    schema = pl.Schema({"l": pl.Int64, "r": pl.Int64})
    connection.register(name, pl.DataFrame(list(pairs), schema=schema, orient="row"))


def _disputes(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return frame(connection, "select kind, value, min(reason) as reason from disputed group by 1, 2 order by 1, 2")
