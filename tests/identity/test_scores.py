"""Scores worked out by hand, and by going through every pair."""

from collections.abc import Mapping
from itertools import combinations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from send_returns.identity import scores
from send_returns.identity.scores import Score

Record = tuple[str, int, str]  # child, person, feed


def labelled(*records: Record) -> pl.DataFrame:
    return pl.DataFrame(records, schema={"child": pl.String, "person": pl.Int64, "feed": pl.String}, orient="row")


def of_children(frame: pl.DataFrame, *, across: bool = False) -> dict[str, Score]:
    counted = scores.by_child(frame, across=across)
    return {child: Score(*counts) for child, *counts in counted.iter_rows()}


def of_feeds(frame: pl.DataFrame) -> dict[tuple[str, str], Score]:
    return {(one, other): Score(*counts) for one, other, *counts in scores.by_feeds(frame).iter_rows()}


# One record of a is apart from its two others, and with the one of b that is apart from its other.
MIXED = labelled(("a", 1, "x"), ("a", 1, "x"), ("a", 2, "y"), ("b", 2, "x"), ("b", 3, "y"))


def test_a_split_and_a_false_merge_by_hand() -> None:
    whole = scores.score(scores.by_child(MIXED))
    assert whole == Score(same=4, found=1, wrong=1)
    assert (whole.precision, whole.recall, whole.f1) == (1 / 2, 1 / 4, 1 / 3)


def test_pairs_across_feeds_leave_out_those_within_one() -> None:
    assert scores.score(scores.by_child(MIXED, across=True)) == Score(same=3, found=0, wrong=1)
    assert of_feeds(MIXED) == {("x", "x"): Score(1, 1, 0), ("x", "y"): Score(3, 0, 1)}


def test_a_wrong_pair_counts_half_for_each_of_its_children() -> None:
    merged = labelled(*[("a", 1, "x")] * 3, *[("b", 1, "y")] * 2, ("c", 2, "x"))
    assert of_children(merged) == {"a": Score(3, 3, 3), "b": Score(1, 1, 3), "c": Score(0, 0, 0)}
    assert scores.score(scores.by_child(merged)) == Score(4, 4, 6)


def test_what_nothing_can_be_said_of_has_no_share() -> None:
    alone = Score(same=0, found=0, wrong=0)
    assert (alone.precision, alone.recall, alone.f1) == (None, None, None)
    apart = Score(same=3, found=0, wrong=0)
    assert (apart.precision, apart.recall, apart.f1) == (None, 0, 0)
    assert scores.mean([alone, apart, Score(2, 1, 1)]) == (1 / 2, 1 / 4, 1 / 4)


def pairs_one_by_one(frame: pl.DataFrame, chosen: Mapping[str, object]) -> Score:
    """The pairs of records gone through, of those `chosen`: child, across or feeds."""
    same = found = 0
    wrong = 0.0
    for (child, person, feed), (other_child, other_person, other_feed) in combinations(frame.rows(), 2):
        if chosen.get("across") and feed == other_feed:
            continue
        if chosen.get("feeds", (feeds := tuple(sorted((feed, other_feed))))) != feeds:
            continue
        part = sum(one == chosen["child"] for one in (child, other_child)) / 2 if "child" in chosen else 1
        same += part == 1 and child == other_child
        found += part == 1 and child == other_child and person == other_person
        wrong += part * (child != other_child and person == other_person)
    return Score(same, found, wrong)


some_records = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4), st.sampled_from("xyz")), min_size=1)


@given(records=some_records)
def test_counts_are_those_of_every_pair(records: list[Record]) -> None:
    frame = labelled(*records)
    for across in (False, True):
        assert scores.score(scores.by_child(frame, across=across)) == pairs_one_by_one(frame, {"across": across})
        for child, one in of_children(frame, across=across).items():
            assert one == pairs_one_by_one(frame, {"child": child, "across": across})
    for one_feed in "xyz":
        for other in "xyz":
            if one_feed <= other:
                expected = pairs_one_by_one(frame, {"feeds": (one_feed, other)})
                assert of_feeds(frame).get((one_feed, other), Score(0, 0, 0)) == expected


def counted(*children: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(children, schema={"same": pl.Int64, "found": pl.Int64, "wrong": pl.Float64}, orient="row")


def test_a_gap_that_many_children_share_is_beyond_chance() -> None:
    frame = counted(*[(6, 3, 0)] * 20, *[(6, 6, 0)] * 20, *[(6, 6, 0)] * 400)
    group = pl.Series([True] * 40 + [False] * 400)
    one = scores.compared(frame, group, "recall")
    assert one is not None
    assert (one.of_group, one.of_all) == (180 / 240, 2580 / 2640)
    assert one.chance < 1e-6


def test_a_gap_of_one_child_with_many_pairs_is_chance() -> None:
    frame = counted((300, 0, 0), *[(6, 6, 0)] * 39, *[(6, 6, 0)] * 400)
    one = scores.compared(frame, pl.Series([True] * 40 + [False] * 400), "recall")
    assert one is not None
    assert one.of_all - one.of_group > 0.4
    assert one.chance > 0.01


def test_precision_is_compared_by_the_wrong_pairs_of_each_child() -> None:
    frame = counted(*[(6, 6, 2)] * 30, *[(6, 6, 0)] * 300)
    one = scores.compared(frame, pl.Series([True] * 30 + [False] * 300), "precision")
    assert one is not None
    assert (one.of_group, one.of_all) == (0.75, 1980 / 2040)
    assert one.chance == 0  # every child of the group, and no other


def test_better_is_not_worse() -> None:
    frame = counted(*[(6, 6, 0)] * 30, *[(6, 5, 0)] * 300)
    one = scores.compared(frame, pl.Series([True] * 30 + [False] * 300), "recall")
    assert one is not None
    assert one.chance == 1


def test_fewer_than_ten_children_are_not_judged() -> None:
    frame = counted(*[(6, 0, 0)] * 9, (0, 0, 0), *[(6, 6, 0)] * 300)
    assert scores.compared(frame, pl.Series([True] * 10 + [False] * 300), "recall") is None
