"""How well a run's records were linked, by a truth that is known: of a simulated county, or of one labelled by hand.

The linkage and two baselines are scored on the very same records. What is scored is pairs of records, and a pair that
waits for a reviewer counts as not linked. Counts, shares and the names of feeds and groups leave this module; nothing
that a record says does.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import psycopg

from send_returns.failure import Failure
from send_returns.identity import baselines, sources
from send_returns.identity.scores import Score, by_child, by_feeds, compared, mean, score
from send_returns.settings import Settings
from send_returns.warehouse import connect

LINKAGE = "linkage"
APPROACHES = (LINKAGE, "exact numbers", "multi-pass")
Scope = Literal["all pairs", "across feeds"]
SCOPES: tuple[Scope, ...] = ("all pairs", "across feeds")
# A record says who with an identifier, or with a surname and a birth date; the others nobody could link.
EVERY, SAY_WHO = "every record", "records that say who"
View = tuple[str, Scope]
VIEWS: tuple[View, ...] = tuple((said, scope) for scope in SCOPES for said in (EVERY, SAY_WHO))
# A group is worse when its recall or precision is below that of all children by more than this, and beyond chance: the
# probability of it, times the comparisons made (Bonferroni), is less than this.
MARGIN = 0.01
CHANCE = 0.05
# A mean of feed pairs would be led by those that have hardly a pair of records.
FEWEST_PAIRS = 100
RECORD = ("feed", "delivery", "table_name", "row_number")


@dataclass(frozen=True, slots=True)
class Measures:
    """Shares between 0 and 1, None where there is nothing to share; `wrong`: joined pairs of two children."""

    precision: float | None
    recall: float | None
    f1: float | None
    wrong: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """How each approach did on the same pairs.

    `section`: what `label` is one of: "records", "feeds" or a grouping of truth/group.csv. `said` and `scope`: of which
    records and which pairs of them. `pairs`: those of one child; `children`: how many are of the group.
    """

    section: str
    label: str
    said: str
    scope: Scope
    pairs: int
    measures: Mapping[str, Measures]
    children: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A group whose children are linked worse than all children; `chance`: the probability of it, corrected."""

    grouping: str
    group: str
    said: str
    scope: Scope
    measure: str
    of_group: float
    of_all: float
    chance: float
    children: int


@dataclass(frozen=True, slots=True)
class Review:
    """`pairs` of profiles wait for a reviewer, `of_one_child` of them are; by these `waiting` true pairs of records are
    not linked yet."""

    pairs: int
    of_one_child: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a run's linkage and the baselines did.

    `records`: scored; `silent`: of these, how many say nothing by which anybody could know the child; `without_truth`:
    of the run, not scored; `not_read`: in the truth and not of the run. `not_judged`: groups with too few children.
    """

    run_id: str
    records: int
    silent: int
    without_truth: int
    not_read: int
    children: int
    rows: list[Row]
    review: Review
    findings: list[Finding]
    not_judged: list[tuple[str, str]]

    def as_json(self) -> dict[str, Any]:
        """All of it, with what was held to be a finding."""
        return {**asdict(self), "margin": MARGIN, "chance": CHANCE}


@dataclass(frozen=True, slots=True)
class _Scored:
    """What an approach did: in each view, `by_child` of all children in their order; and by pair of feeds."""

    views: Mapping[View, pl.DataFrame]
    feeds: dict[tuple[str, str], Score]


def evaluate(settings: Settings, run_id: str, truth: Path) -> Evaluation:
    """Score the links of a run, and the baselines, by the truth in a folder: record.csv and group.csv.

    record.csv: feed, delivery (its name), table_name, row_number, person; group.csv: person, and a column for each
    grouping. Raises Failure where either is missing or is not about the run's deliveries.
    """
    record, group = _table(truth, "record"), _table(truth, "group")
    with connect(settings, purpose="send-returns evaluate") as connection:
        records, profiles = sources.read(connection, run_id, again=True)
        named = records.with_columns(
            pl.col("table_name", "feed").cast(pl.String), profile_id=profiles["profile_id"].gather(records["profile"])
        ).drop("profile")
        records = _named(connection, run_id, named)
        linked = _linked(connection, run_id, records)
        doubts = _doubts(connection, run_id)
    labels = {
        LINKAGE: linked,
        "exact numbers": baselines.exact_numbers(records, profiles),
        "multi-pass": baselines.multi_pass(records, profiles),
    }
    known = (
        records.with_columns(**{name: pl.Series(label) for name, label in labels.items()})
        .join(_telling(profiles), on="profile_id")
        .join(record.rename({"person": "child"}), on=RECORD)
    )
    if known.is_empty():
        raise Failure(f"No record of run {run_id} is in {truth}: name the truth of the county that was landed.")
    children = known.select("child").unique().join(group, left_on="child", right_on="person", how="left").sort("child")
    scored = {name: _scored(known.with_columns(person=pl.col(name)), children) for name in APPROACHES}
    groups = {(name, label): children[name] == label for name, label in _labels(children)}
    findings, not_judged = _findings(groups, scored[LINKAGE])
    return Evaluation(
        run_id=run_id,
        records=known.height,
        silent=known.filter(~pl.col("is_telling")).height,
        without_truth=records.height - known.height,
        not_read=record.height - known.height,
        children=children.height,
        rows=[*_overall(scored), *_feed_pairs(scored), *_group_rows(groups, scored)],
        review=_reviewed(doubts, known),
        findings=findings,
        not_judged=not_judged,
    )


def _table(truth: Path, name: str) -> pl.DataFrame:
    path = truth / f"{name}.csv"
    if not path.is_file():
        raise Failure(f"{path} is missing: name the truth/ folder that `send-returns simulate` wrote.")
    frame = pl.read_csv(path, infer_schema=False).fill_null("")
    return frame.with_columns(pl.col("row_number").cast(pl.Int64)) if name == "record" else frame


def _named(connection: psycopg.Connection, run_id: str, records: pl.DataFrame) -> pl.DataFrame:
    """The records with their `delivery` by its name, as the truth knows it."""
    deliveries = connection.execute(
        "select delivery_id, feed, name from landing.delivery join audit.run_delivery using (delivery_id)"
        " where run_id = %s",
        [run_id],
    ).fetchall()
    schema = {"delivery_id": pl.Int64, "feed": pl.String, "delivery": pl.String}
    names = pl.DataFrame(deliveries, schema=schema, orient="row")
    if alike := names.filter(pl.struct("feed", "delivery").is_duplicated())["feed"].unique().sort().to_list():
        raise Failure(f"Deliveries of {', '.join(alike)} have one name: the truth cannot tell their rows apart.")
    return records.join(names.select("delivery_id", "delivery"), on="delivery_id", maintain_order="left")


def _linked(connection: psycopg.Connection, run_id: str, records: pl.DataFrame) -> baselines.Labels:
    """The person that each record was linked to, as a number; a record without a link is a person of its own."""
    links = connection.execute(
        "select delivery_id, table_name, row_number, dense_rank() over (order by person_id)"
        " from identity.link join audit.run_delivery using (delivery_id) where run_id = %s",
        [run_id],
    ).fetchall()
    schema = {"delivery_id": pl.Int64, "table_name": pl.String, "row_number": pl.Int64, "person": pl.Int64}
    found = records.join(
        pl.DataFrame(links, schema=schema, orient="row"), on=sources.KEY, how="left", maintain_order="left"
    )
    alone = -1 - pl.row_index().cast(pl.Int64)
    return found.select(pl.coalesce("person", alone)).to_series().to_numpy()


def _doubts(connection: psycopg.Connection, run_id: str) -> pl.DataFrame:
    """left, right: the pairs of profiles of the run's partnership that wait for a reviewer."""
    pairs = connection.execute(
        "select left_id::text, right_id::text from identity.review join audit.run using (partnership)"
        " where run_id = %s and state = 'open'",
        [run_id],
    ).fetchall()
    return pl.DataFrame(pairs, schema={"left": pl.String, "right": pl.String}, orient="row")


def _reviewed(doubts: pl.DataFrame, known: pl.DataFrame) -> Review:
    cells = known.group_by("profile_id", "child", LINKAGE).agg(n=pl.len().cast(pl.Int64))
    pairs = doubts.join(cells, left_on="left", right_on="profile_id").join(
        cells, left_on="right", right_on="profile_id", suffix="_right"
    )
    same = pairs.filter(pl.col("child") == pl.col("child_right"))
    apart = same.filter(pl.col(LINKAGE) != pl.col(f"{LINKAGE}_right"))
    return Review(
        pairs=pairs.select("left", "right").unique().height,
        of_one_child=same.select("left", "right").unique().height,
        waiting=int((apart["n"] * apart["n_right"]).sum()),
    )


def _telling(profiles: pl.DataFrame) -> pl.DataFrame:
    """profile_id, is_telling: has it an identifier, or a surname and a birth date? If not, nobody could link it."""
    return profiles.select(
        "profile_id",
        is_telling=pl.any_horizontal(pl.col(sources.IDENTIFIERS).is_not_null())
        | pl.all_horizontal(pl.col("surname", "born").is_not_null()),
    )


def _scored(labelled: pl.DataFrame, children: pl.DataFrame) -> _Scored:
    telling = labelled.filter("is_telling")
    counted = {
        (said, scope): by_child(labelled if said == EVERY else telling, across=scope == "across feeds")
        for said, scope in VIEWS
    }
    # Of a child none of whose records says who there is nothing to count.
    views = {
        view: children.select("child").join(frame, on="child", how="left", maintain_order="left").fill_null(0)
        for view, frame in counted.items()
    }
    feeds = {(one, other): Score(*counts) for one, other, *counts in by_feeds(labelled).iter_rows()}
    return _Scored(views, feeds)


def _row(section: str, label: str, view: View, scores: Mapping[str, Score], children: int | None = None) -> Row:
    measures = {name: Measures(one.precision, one.recall, one.f1, one.wrong) for name, one in scores.items()}
    return Row(section, label, *view, scores[LINKAGE].same, measures, children)


def _overall(scored: Mapping[str, _Scored]) -> list[Row]:
    """All pairs in each view; then the plain mean of the pairs of feeds."""
    rows = [
        _row("records", view[0], view, {name: score(one.views[view]) for name, one in scored.items()}) for view in VIEWS
    ]
    large = [(pair, one.same) for pair, one in scored[LINKAGE].feeds.items() if one.same > FEWEST_PAIRS]
    across = [pair for pair, _ in large if pair[0] != pair[1]]
    means = {name: Measures(*mean(one.feeds[pair] for pair in across)) for name, one in scored.items()}
    pairs = sum(same for pair, same in large if pair in across)
    return [*rows, Row("records", "mean of the pairs of feeds", EVERY, "across feeds", pairs, means)]


def _feed_pairs(scored: Mapping[str, _Scored]) -> list[Row]:
    """Each pair of feeds that share a child, the one whose F1 is lowest first."""
    nothing = Score(0, 0, 0)
    shared = [pair for pair, one in scored[LINKAGE].feeds.items() if one.same]
    shared.sort(key=lambda pair: (scored[LINKAGE].feeds[pair].f1, pair))
    return [
        _row(
            "feeds",
            " - ".join(pair),
            (EVERY, "all pairs"),
            {name: one.feeds.get(pair, nothing) for name, one in scored.items()},
        )
        for pair in shared
    ]


def _labels(children: pl.DataFrame) -> list[tuple[str, str]]:
    """Each grouping and group of it, in order."""
    groupings = [name for name in children.columns if name != "child"]
    return [(name, label) for name in groupings for label in children[name].drop_nulls().unique().sort()]


def _group_rows(groups: Mapping[tuple[str, str], pl.Series], scored: Mapping[str, _Scored]) -> list[Row]:
    return [
        _row(
            grouping,
            label,
            view,
            {name: score(one.views[view].filter(members)) for name, one in scored.items()},
            int(members.sum()),
        )
        for (grouping, label), members in groups.items()
        for view in VIEWS
    ]


def _findings(
    groups: Mapping[tuple[str, str], pl.Series], linkage: _Scored
) -> tuple[list[Finding], list[tuple[str, str]]]:
    """The groups that are linked worse, and those that have too few children to judge."""
    made = {
        (grouping, label, *view, measure): compared(linkage.views[view], members, measure)
        for (grouping, label), members in groups.items()
        for view in VIEWS
        for measure in ("recall", "precision")
    }
    judged = {key: one for key, one in made.items() if one}
    findings = [
        Finding(*key, one.of_group, one.of_all, min(1.0, one.chance * len(judged)), int(groups[key[:2]].sum()))
        for key, one in judged.items()
        if one.of_all - one.of_group > MARGIN and one.chance * len(judged) < CHANCE
    ]
    return findings, list(dict.fromkeys(key[:2] for key, one in made.items() if not one))
