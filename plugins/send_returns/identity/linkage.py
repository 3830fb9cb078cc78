"""Linkage: every source record of a run gets one person, with method, score and an explanation."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from send_returns import warehouse
from send_returns.identity import likeness, model, persons, resolve, review, sources
from send_returns.identity.model import Model
from send_returns.identity.resolve import Decisions, Resolution
from send_returns.identity.sources import SAYS
from send_returns.settings import Settings

_KNOWN = pl.Schema(
    {
        "profile_id": pl.String(),
        **dict.fromkeys(SAYS, pl.String()),
        "person_id": pl.String(),
        "method": pl.Categorical(),
        "score": pl.Float64(),
        "explanation": pl.Categorical(),
        "state": pl.Categorical(),
        "model_id": pl.Categorical(),
        "records": pl.Int64(),
    }
)
_OUTCOME = ("person_id", "method", "score", "explanation", "state")


@dataclass(frozen=True, slots=True)
class _Run:
    run_id: str
    partnership: str


def link(settings: Settings, run_id: str) -> dict[str, int]:
    """Give every person record of the run's manifest a person; returns counts.

    Counts: records; linked_now (records without a link until now); persons; new_persons; merged and split persons;
    in_review (pairs that wait for a person's decision); disputed (identifiers that join nobody). Writes the tables of
    the schema identity in one transaction. Which records are one person depends on the manifest, the model and the
    decisions alone. Raises ValueError when there is no such run, and Failure for a model that cannot be read.
    """
    chosen = model.load(settings)
    with warehouse.connect(settings, purpose="send-returns link") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [sources.LOCK])
        row = connection.execute("select partnership from audit.run where run_id = %s", [run_id]).fetchone()
        if row is None:
            raise ValueError(f"There is no run {run_id}: open one first.")
        run = _Run(run_id, row[0])
        known, records = _known(connection, run, *sources.read(connection, run_id))
        if not known["records"].sum():
            return _counts(connection, run, 0, None)
        _remember(connection, chosen, run)
        resolution, weights = _resolved(settings, connection, run, chosen, known)
        found = _outcome(connection, run, known, records, resolution)
        _write(connection, run, chosen, known, records, found, weights)
        counts = _counts(connection, run, records.height, found)
        if records.height:
            connection.execute("analyze identity.link, identity.profile")
    return counts


def basis(settings: Settings, connection: psycopg.Connection) -> str:
    """What linkage goes by besides the records, in one line: the model and the decisions that stand.

    Raises Failure for a model that cannot be read.
    """
    return f"{model.load(settings).id} {review.basis(connection, settings.partnership)}"


def _known(
    connection: psycopg.Connection, run: _Run, records: pl.DataFrame, said: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every profile of the partnership, sorted by id: what it says, what it was found to be (null: new), and how many
    records of the run say so; and the records with the position there of what they say."""
    columns = sql.SQL(", ").join(
        sql.Identifier(name) for name in _KNOWN.names() if name not in ("profile_id", "records")
    )
    query = sql.SQL(
        "select profile_id, {columns}, coalesce(records, 0) from identity.profile left join"
        " (select profile_id, count(*) as records from identity.link"
        " where delivery_id in (select delivery_id from audit.run_delivery where run_id = {run}) group by 1) as here"
        " using (profile_id) where partnership = {partnership}"
    ).format(columns=columns, run=sql.Literal(run.run_id), partnership=sql.Literal(run.partnership))
    before = sources.fetched(connection, query, _KNOWN)
    absent = [pl.lit(None, _KNOWN[name]).alias(name) for name in (*_OUTCOME, "model_id")]
    new = said.join(before.select("profile_id"), on="profile_id", how="anti")
    every = pl.concat([before, new.with_columns(*absent, records=pl.lit(0, pl.Int64)).select(_KNOWN.names())])
    every = every.sort("profile_id")
    at = said.select("profile_id").join(
        every.select("profile_id").with_row_index("at"), on="profile_id", how="left", maintain_order="left"
    )["at"]
    records = records.with_columns(profile=at.gather(records["profile"]))
    added = records.group_by("profile").agg(more=pl.len().cast(pl.Int64))
    position = every.select(profile=pl.row_index())
    more = position.join(added, on="profile", how="left", maintain_order="left")["more"].fill_null(0)
    return every.with_columns(records=pl.col("records") + more), records


def profiles(connection: psycopg.Connection, partnership: str) -> pl.DataFrame:
    """Every profile that linkage knows: profile_id and `SAYS`, sorted by id."""
    schema = pl.Schema({"profile_id": pl.String, **dict.fromkeys(SAYS, pl.String)})
    query = sql.SQL("select {} from identity.profile where partnership = {}").format(
        sql.SQL(", ").join(map(sql.Identifier, schema.names())), sql.Literal(partnership)
    )
    return sources.fetched(connection, query, schema).sort("profile_id")


def _remember(connection: psycopg.Connection, chosen: Model, run: _Run) -> None:
    connection.execute(
        "insert into identity.model (model_id, parameters, first_run_id) values (%s, %s, %s) on conflict do nothing",
        [chosen.id, json.dumps(chosen.parameters), run.run_id],
    )


def _resolved(
    settings: Settings, connection: psycopg.Connection, run: _Run, chosen: Model, known: pl.DataFrame
) -> tuple[Resolution, pl.DataFrame]:
    """Who is one child among the run's profiles, and the weights that are new (l, r: positions, weight).

    Every profile is compared with every other once under one model, whether or not a run has both.
    """
    decisions = _decisions(connection, run, known)
    parties = {position for pair in (*decisions.same, *decisions.different) for position in pair}
    here = (pl.col("records") > 0) | pl.col("profile").is_in(list(parties))
    present = known.select("records").with_row_index("profile").filter(here)["profile"].cast(pl.Int64)
    inside = pl.col("profile").is_in(present.implode())
    said = known.select("profile_id", *SAYS, is_new=pl.col("model_id").ne_missing(chosen.id))
    with likeness.engine(settings, said, chosen.aliases) as engine:
        model.block(engine, only_new=True)
        weights = model.weights(engine, chosen, resolve.REVIEW)
        positions = known.select("profile_id").with_row_index("profile")
        old = _edges(connection, run, chosen).join(positions, left_on="left_id", right_on="profile_id")
        old = old.join(positions, left_on="right_id", right_on="profile_id", suffix="_right")
        likely = pl.concat(
            [
                weights.select(pl.col("l", "r").cast(pl.Int64), pl.col("weight").cast(pl.Float64)),
                old.select(
                    l=pl.col("profile").cast(pl.Int64),
                    r=pl.col("profile_right").cast(pl.Int64),
                    weight=pl.col("weight").cast(pl.Float64),
                ),
            ]
        ).sort("l", "r")
        likely = likely.filter(pl.col("l").is_in(present.implode()) & pl.col("r").is_in(present.implode()))
        engine.register("here_", present.to_frame())
        engine.execute("delete from carried where profile not in (select profile from here_)")
        resolution = resolve.resolve(engine, model.worth(engine, likely), decisions)
    return Resolution(resolution.people.filter(inside), resolution.review, resolution.disputed), weights


def _edges(connection: psycopg.Connection, run: _Run, chosen: Model) -> pl.DataFrame:
    query = sql.SQL(
        "select left_id, right_id, weight from identity.edge where partnership = {} and model_id = {}"
    ).format(sql.Literal(run.partnership), sql.Literal(chosen.id))
    schema = pl.Schema({"left_id": pl.String, "right_id": pl.String, "weight": pl.Float64})
    return sources.fetched(connection, query, schema)


def _decisions(connection: psycopg.Connection, run: _Run, known: pl.DataFrame) -> Decisions:
    """The verdicts in effect, of profiles that are known."""
    rows = review.in_effect(connection, run.partnership)
    positions = {profile: position for position, profile in enumerate(known["profile_id"])} if rows else {}
    stands: dict[str, list[tuple[int, int]]] = {"same": [], "different": []}
    for left, right, verdict in rows:
        if left in positions and right in positions:
            stands[verdict].append((positions[left], positions[right]))
    return Decisions(stands["same"], stands["different"])


def _outcome(
    connection: psycopg.Connection, run: _Run, known: pl.DataFrame, records: pl.DataFrame, resolution: Resolution
) -> "_Found":
    people = resolution.people.with_columns(pl.col("profile").cast(pl.UInt32))
    order = records.select("profile").with_row_index("order").group_by("profile").agg(pl.col("order").min())
    children = people.join(order, on="profile", how="left").select(
        "profile",
        child="person",
        first=pl.col("order").cast(pl.Int64).fill_null(pl.col("profile").cast(pl.Int64) + records.height),
    )
    numbered = known.with_row_index("profile")
    who = persons.assign(
        children,
        numbered.select("profile", *SAYS, "person_id"),
        resolution.disputed.select("kind", "value"),
        _merges(connection, run).join(numbered.select("profile_id", "profile"), on="profile_id").drop("profile_id"),
        _next_number(connection),
    )
    outcome = (
        people.join(who.of_child.rename({"child": "person"}), on="person")
        .join(numbered.select("profile", "records"), on="profile")
        .with_columns(together=pl.col("records").sum().over("person_id"))
    )
    doubted = pl.concat([resolution.review["l"], resolution.review["r"]]).cast(pl.UInt32).unique()
    same = pl.col("method").is_in(["single", "unidentified"]) & (pl.col("together") > 1)
    outcome = outcome.select(
        "profile",
        "person_id",
        method=pl.when(same).then(_few("exact")).otherwise("method"),
        score=pl.when(pl.col("weight").is_null()).then(1.0).otherwise(1 / (1 + 2.0 ** -pl.col("weight"))).round(6),
        explanation=pl.when(same).then(_few("says the same as another record")).otherwise("explanation"),
        state=pl.when(pl.col("profile").is_in(doubted.implode()))
        .then(_few("in review"))
        .when(pl.col("together") > 1)
        .then(_few("linked"))
        .otherwise(_few("unlinked")),
    ).sort("profile")
    review = resolution.review.with_columns(
        left_id=known["profile_id"].gather(resolution.review["l"]),
        right_id=known["profile_id"].gather(resolution.review["r"]),
        score=pl.when(pl.col("weight").is_null()).then(0.5).otherwise(1 / (1 + 2.0 ** -pl.col("weight"))).round(6),
    )
    return _Found(outcome, children, who, review, resolution.disputed)


def _few(value: str) -> pl.Expr:
    return pl.lit(value, pl.Categorical())


@dataclass(frozen=True, slots=True)
class _Found:
    """`outcome`: profile (position) and `_OUTCOME`, of the run's profiles; `children`: profile, child, first."""

    outcome: pl.DataFrame
    children: pl.DataFrame
    who: persons.Persons
    review: pl.DataFrame
    disputed: pl.DataFrame


def _merges(connection: psycopg.Connection, run: _Run) -> pl.DataFrame:
    rows = connection.execute(
        "select e.person_id, e.other_id, unnest(e.profiles)::text from identity.event as e"
        " join identity.person as other on other.person_id = e.other_id and other.merged_into is not null"
        " where e.kind = 'merge' and e.partnership = %s order by e.other_id, e.event_id desc",
        [run.partnership],
    ).fetchall()
    schema = pl.Schema({"person_id": pl.String, "other_id": pl.String, "profile_id": pl.String})
    return pl.DataFrame(rows, schema=schema, orient="row")


def _next_number(connection: psycopg.Connection) -> int:
    last = connection.execute("select coalesce(max(substr(person_id, 2)::bigint), 0) from identity.person").fetchone()
    assert last is not None  # noqa: S101 - an aggregate always returns its row
    return int(last[0]) + 1


def _write(
    connection: psycopg.Connection,
    run: _Run,
    chosen: Model,
    known: pl.DataFrame,
    records: pl.DataFrame,
    found: _Found,
    weights: pl.DataFrame,
) -> None:
    ids = known["profile_id"]
    constant = {"partnership": pl.lit(run.partnership), "run": pl.lit(run.run_id), "model": pl.lit(chosen.id)}
    _copy(
        connection,
        "identity.person (person_id, partnership, first_run_id)",
        pl.DataFrame({"person_id": found.who.created}, schema={"person_id": pl.String}).select(
            "person_id", constant["partnership"].alias("p"), constant["run"].alias("r")
        ),
    )
    _happened(connection, run, known, found)
    _profiles(connection, run, chosen, known, found)
    _copy(
        connection,
        f"identity.link (delivery_id, table_name, row_number, feed, profile_id, {', '.join(_OUTCOME)})",
        records,
        lambda some: some.join(found.outcome, on="profile", how="left", maintain_order="left").select(
            "delivery_id", "table_name", "row_number", "feed", ids.gather(some["profile"]), *_OUTCOME
        ),
    )
    connection.execute(
        "delete from identity.edge where partnership = %s and model_id <> %s", [run.partnership, chosen.id]
    )
    _copy(
        connection,
        "identity.edge (partnership, model_id, left_id, right_id, weight)",
        weights,
        lambda some: some.select(
            constant["partnership"].alias("p"),
            constant["model"].alias("m"),
            ids.gather(some["l"]).alias("left_id"),
            ids.gather(some["r"]).alias("right_id"),
            "weight",
        ),
    )
    _reviews(connection, run, found.review)
    connection.execute("delete from identity.disputed_identifier where run_id = %s", [run.run_id])
    _copy(
        connection,
        "identity.disputed_identifier (partnership, run_id, kind, value, reason)",
        found.disputed.select(
            constant["partnership"].alias("p"), constant["run"].alias("r"), "kind", "value", "reason"
        ),
    )
    connection.execute("delete from identity.reconciliation where run_id = %s", [run.run_id])
    connection.execute(
        "insert into identity.reconciliation (run_id, feed, records, linked, in_review, unlinked)"
        " select %(run)s, feed, count(*), count(*) filter (where state = 'linked'),"
        " count(*) filter (where state = 'in review'), count(*) filter (where state = 'unlinked')"
        " from identity.link where delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run)s)"
        " group by feed",
        {"run": run.run_id},
    )


def _happened(connection: psycopg.Connection, run: _Run, known: pl.DataFrame, found: _Found) -> None:
    """Events of the merges and splits; what pointed at a merged person follows, wherever it is."""
    who = found.who
    if who.revived:
        connection.execute("update identity.person set merged_into = null where person_id = any(%s)", [who.revived])
    left = who.split.join(found.children, on="child").sort("person_id", "profile")
    left = left.with_columns(profile_id=known["profile_id"].gather(left["profile"]))
    events = [
        (run.partnership, run.run_id, "split", from_id, person_id, profiles, "nothing joins them now")
        for person_id, from_id, profiles in left.group_by("person_id", "from_id", maintain_order=True)
        .agg("profile_id")
        .iter_rows()
    ]
    if who.merged.height:
        before = known.drop_nulls("person_id").group_by("person_id").agg(profiles="profile_id")
        events += [
            (
                run.partnership,
                run.run_id,
                "merge",
                row["into"],
                row["person_id"],
                row["profiles"],
                "found to be one child",
            )
            for row in who.merged.join(before, on="person_id").sort("person_id").iter_rows(named=True)
        ]
        pairs = [who.merged["person_id"].to_list(), who.merged["into"].to_list()]
        connection.execute(
            "update identity.person as t set merged_into = m.into_id"
            " from unnest(%s::text[], %s::text[]) as m (person_id, into_id) where t.person_id = m.person_id",
            pairs,
        )
        for table in ("profile", "link"):
            connection.execute(
                sql.SQL(
                    "update identity.{} as t set person_id = m.into_id"
                    " from unnest(%s::text[], %s::text[]) as m (person_id, into_id) where t.person_id = m.person_id"
                ).format(sql.Identifier(table)),
                pairs,
            )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into identity.event (partnership, run_id, kind, person_id, other_id, profiles, reason)"
            " values (%s, %s, %s, %s, %s, %s::uuid[], %s)",
            events,
        )


def _profiles(connection: psycopg.Connection, run: _Run, chosen: Model, known: pl.DataFrame, found: _Found) -> None:
    """Add the new profiles; where an old one's outcome changed, change it; and the links of the run that say otherwise.

    These may be others than those of the changed ones: what a profile was last found to be was perhaps found by a run
    that did not have the delivery.
    """
    ids, before = known["profile_id"], known["person_id"].gather(found.outcome["profile"])
    _copy(
        connection,
        f"identity.profile (partnership, profile_id, {', '.join(SAYS)}, {', '.join(_OUTCOME)}, model_id)",
        found.outcome.filter(before.is_null()),
        lambda some: some.select(
            pl.lit(run.partnership).alias("p"),
            ids.gather(some["profile"]),
            *known.select(SAYS)[some["profile"]],
            *_OUTCOME,
            pl.lit(chosen.id).alias("m"),
        ),
    )
    connection.execute(
        "update identity.profile set model_id = %s where partnership = %s and model_id <> %s",
        [chosen.id, run.partnership, chosen.id],
    )
    again = found.outcome.filter(before.is_not_null())
    old = known.select(_OUTCOME)[again["profile"]].rename({name: f"{name}_old" for name in _OUTCOME})
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_old") for name in _OUTCOME)
    changed = again.hstack(old).filter(differs)
    changed = changed.select(ids.gather(changed["profile"]), *_OUTCOME)
    if changed.height:
        connection.execute(
            "create temporary table changed (profile_id uuid primary key, person_id text, method text,"
            " score double precision, explanation text, state text) on commit drop"
        )
        _copy(connection, "changed", changed)
        connection.execute("analyze changed")
        assignments = ", ".join(f"{name} = changed.{name}" for name in _OUTCOME)
        connection.execute(
            f"update identity.profile as t set {assignments} from changed"  # noqa: S608 - column names of this module
            " where t.profile_id = changed.profile_id and t.partnership = %s".encode(),
            [run.partnership],
        )
    said, now = (", ".join(f"{table}.{name}" for name in _OUTCOME) for table in ("t", "profile"))
    connection.execute(
        f"update identity.link as t set ({', '.join(_OUTCOME)}) = row({now})"  # noqa: S608 - column names of this module
        " from identity.profile where profile.profile_id = t.profile_id and profile.partnership = %s"
        f" and ({said}) is distinct from ({now})"
        " and t.delivery_id in (select delivery_id from audit.run_delivery where run_id = %s)".encode(),
        [run.partnership, run.run_id],
    )


def _reviews(connection: psycopg.Connection, run: _Run, doubts: pl.DataFrame) -> None:
    """Open what is in doubt now; what no longer is, is withdrawn, or decided if a person did so."""
    connection.execute(
        "create temporary table doubt (left_id uuid, right_id uuid, score double precision, reason text,"
        " explanation text, primary key (left_id, right_id)) on commit drop"
    )
    _copy(connection, "doubt", doubts.select("left_id", "right_id", "score", "reason", "explanation"))
    connection.execute(
        "insert into identity.review as known"
        " (partnership, left_id, right_id, score, reason, explanation, state, first_run_id)"
        " select %s, left_id, right_id, score, reason, explanation, 'open', %s from doubt order by left_id, right_id"
        " on conflict (partnership, left_id, right_id) do update set score = excluded.score,"
        " reason = excluded.reason, explanation = excluded.explanation, state = 'open'",
        [run.partnership, run.run_id],
    )
    connection.execute(
        "update identity.review as r set state = case when exists (select from identity.decision as d"
        " where (d.partnership, d.left_id, d.right_id) = (r.partnership, r.left_id, r.right_id)"
        " and d.revokes is null and not exists (select from identity.decision as l where l.revokes = d.decision_id))"
        " then 'decided' else 'withdrawn' end"
        " where partnership = %s and state = 'open' and reason <> %s"
        " and not exists (select from doubt where (doubt.left_id, doubt.right_id) = (r.left_id, r.right_id))",
        [run.partnership, review.RAISED],
    )


def _counts(connection: psycopg.Connection, run: _Run, linked_now: int, found: _Found | None) -> dict[str, int]:
    total = connection.execute(
        "select count(*), count(distinct person_id) from identity.link"
        " where delivery_id in (select delivery_id from audit.run_delivery where run_id = %s)",
        [run.run_id],
    ).fetchone()
    assert total is not None  # noqa: S101 - an aggregate always returns its row
    return {
        "records": total[0],
        "linked_now": linked_now,
        "persons": total[1],
        "new_persons": len(found.who.created) if found else 0,
        "merged": found.who.merged.height if found else 0,
        "split": found.who.split.height if found else 0,
        "in_review": found.review.height if found else 0,
        "disputed": found.disputed.height if found else 0,
    }


def _copy(
    connection: psycopg.Connection,
    target: str,
    rows: pl.DataFrame,
    written: Callable[[pl.DataFrame], pl.DataFrame] = lambda some: some,
) -> None:
    """Copy rows into a table, so many at a time as `written` makes of them what the table has."""
    if not rows.height:
        return
    with connection.cursor().copy(f"copy {target} from stdin (format csv)".encode()) as copy:
        for some in rows.iter_slices(sources.AT_ONCE):
            copy.write(written(some).write_csv(include_header=False).encode())
