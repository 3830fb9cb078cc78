"""A simulated county's links scored by its truth, and how that is shown."""

import csv
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from send_returns import cli, demonstration, screen, stages, warehouse
from send_returns.failure import Failure
from send_returns.identity import pseudonyms
from send_returns.identity.evaluation import (
    APPROACHES,
    EVERY,
    SAY_WHO,
    VIEWS,
    Evaluation,
    Finding,
    Measures,
    Review,
    Row,
    _findings,
    _reviewed,
    _Scored,
    _scored,
    evaluate,
)
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)
County = tuple[Settings, str, Path]


@pytest.fixture(scope="module")
def county(module_database: Settings, tmp_path_factory: pytest.TempPathFactory) -> County:
    """A simulated county, landed and linked: settings, run and truth."""
    out = tmp_path_factory.mktemp("county")
    simulate(out, children=300, seed=11, as_of=AS_OF)
    for organisation in ("reference", "council", "icb"):
        stages.land(module_database, organisation, out / "inbox", AS_OF)
    pseudonyms.new(module_database, pseudonyms.MARTS)
    run_id = stages.open_run(module_database, AS_OF)
    stages.link(module_database, run_id)
    return module_database, run_id, out / "truth"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def persons_of_children(settings: Settings, truth: Path) -> list[tuple[str, str]]:
    """The child and the person of each record; a record that was not linked is a person of its own."""
    with warehouse.connect(settings) as connection:
        found = {
            (name, table, row): person
            for name, table, row, person in connection.execute(
                "select name, table_name, row_number::text, person_id"
                " from identity.link join landing.delivery using (delivery_id)"
            )
        }
    keys = [
        (one["person"], (one["delivery"], one["table_name"], one["row_number"])) for one in read(truth / "record.csv")
    ]
    return [(child, found.get(key, "/".join(key))) for child, key in keys]


def pairs_of(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def rows(evaluation: Evaluation, section: str, scope: str = "all pairs", said: str | None = EVERY) -> dict[str, Row]:
    chosen = [row for row in evaluation.rows if row.section == section and row.scope == scope]
    return {row.label: row for row in chosen if said is None or row.said == said}


def test_a_run_is_scored_by_the_truth(county: County) -> None:
    settings, run_id, truth = county
    evaluation = evaluate(settings, run_id, truth)
    linked = persons_of_children(settings, truth)
    assert (evaluation.records, evaluation.without_truth, evaluation.not_read) == (len(linked), 0, 0)
    same = pairs_of(Counter(child for child, _ in linked).values())
    found = pairs_of(Counter(linked).values())
    joined = pairs_of(Counter(person for _, person in linked).values())
    every = rows(evaluation, "records")["every record"]
    assert every.pairs == same
    assert every.measures["linkage"] == Measures(
        found / joined, found / same, 2 * found / (joined + same), joined - found
    )
    telling = rows(evaluation, "records", said=SAY_WHO)[SAY_WHO]
    assert 0 < evaluation.silent < evaluation.records / 10
    assert telling.pairs < every.pairs
    assert telling.measures["linkage"].recall > every.measures["linkage"].recall


def test_feeds_and_groups_add_up_to_all(county: County) -> None:
    settings, run_id, truth = county
    evaluation = evaluate(settings, run_id, truth)
    for said, scope in VIEWS:
        every = rows(evaluation, "records", scope, said)[said]
        for grouping in ("need", "looked_after", "ethnicity"):
            groups = rows(evaluation, grouping, scope, said).values()
            assert sum(row.pairs for row in groups) == every.pairs
            assert sum(row.children for row in groups) == evaluation.children
            for approach in APPROACHES:
                assert sum(row.measures[approach].wrong for row in groups) == every.measures[approach].wrong
    feeds = rows(evaluation, "feeds")
    assert sum(row.pairs for row in feeds.values()) == rows(evaluation, "records")["every record"].pairs
    across = [row.pairs for label, row in feeds.items() if len(set(label.split(" - "))) > 1]
    assert sum(across) == rows(evaluation, "records", "across feeds")["every record"].pairs
    lowest = [row.measures["linkage"].f1 for row in feeds.values()]
    assert lowest == sorted(lowest)


def test_the_baselines_are_scored_on_the_same_records(county: County) -> None:
    settings, run_id, truth = county
    every = rows(evaluate(settings, run_id, truth), "records")["every record"].measures
    assert every["exact numbers"].recall < every["multi-pass"].recall
    assert every["exact numbers"].precision > 0.9
    assert every["multi-pass"].precision > 0.9


def test_a_group_of_children_whose_records_are_apart_is_a_finding(county: County, tmp_path: Path) -> None:
    settings, run_id, truth = county
    linked = persons_of_children(settings, truth)
    people: dict[str, set[str]] = defaultdict(set)
    for child, person in linked:
        people[child].add(person)
    shutil.copy(truth / "record.csv", tmp_path)
    lines = ["person,records,number"]
    lines += [
        f"{child},{'apart' if len(found) > 1 else 'together'},{int(child) % 3}" for child, found in people.items()
    ]
    (tmp_path / "group.csv").write_text("\n".join(lines))
    evaluation = evaluate(settings, run_id, tmp_path)
    assert {(one.grouping, one.group, one.measure) for one in evaluation.findings} == {("records", "apart", "recall")}
    for one in evaluation.findings:
        assert one.of_all - one.of_group > 0.01
        assert one.chance < 0.001
        assert one.children == sum(len(found) > 1 for found in people.values())


def test_a_record_without_a_link_is_a_person_of_its_own(county: County) -> None:
    settings, run_id, truth = county
    before = evaluate(settings, run_id, truth)
    with warehouse.connect(settings) as connection:
        connection.execute("create table kept as select * from identity.link where feed = 'cin_census'")
        connection.execute("delete from identity.link where feed = 'cin_census'")
    after = evaluate(settings, run_id, truth)
    with warehouse.connect(settings) as connection:
        connection.execute("insert into identity.link select * from kept")
        connection.execute("drop table kept")
    one, other = (rows(evaluation, "feeds")["cin_census - school_census"] for evaluation in (before, after))
    assert one.measures["linkage"].recall > 0
    assert (other.pairs, other.measures["linkage"]) == (one.pairs, Measures(None, 0, 0, 0))
    assert other.measures["multi-pass"] == one.measures["multi-pass"]
    wrong = [rows(evaluation, "records")["every record"].measures["linkage"].wrong for evaluation in (before, after)]
    assert wrong[1] <= wrong[0]


def test_what_the_truth_and_the_run_do_not_share_is_counted_and_not_scored(county: County, tmp_path: Path) -> None:
    settings, run_id, truth = county
    record = pl.read_csv(truth / "record.csv", infer_schema=False)
    elsewhere = record.head(3).with_columns(delivery=pl.lit("another"))
    pl.concat([record.slice(5), elsewhere]).write_csv(tmp_path / "record.csv")
    unquoted = pl.read_csv(truth / "group.csv", infer_schema=False)
    unquoted.write_csv(tmp_path / "group.csv", quote_style="never")
    evaluation = evaluate(settings, run_id, tmp_path)
    assert (evaluation.records, evaluation.without_truth, evaluation.not_read) == (record.height - 5, 5, 3)
    assert "" in rows(evaluation, "need")


def test_a_child_none_of_whose_records_says_who_keeps_its_place() -> None:
    labelled = pl.DataFrame(
        {
            "child": ["a", "a", "b", "b"],
            "person": [1, 1, 2, 3],
            "feed": ["x"] * 4,
            "is_telling": [False, False, True, True],
        }
    )
    views = _scored(labelled, pl.DataFrame({"child": ["a", "b"]})).views
    assert views[EVERY, "all pairs"].rows() == [("a", 1, 1, 0), ("b", 1, 0, 0)]
    assert views[SAY_WHO, "all pairs"].rows() == [("a", 0, 0, 0), ("b", 1, 0, 0)]


@pytest.mark.parametrize(("found", "worse"), [(992, 0), (980, 4)])
def test_a_gap_within_the_margin_is_no_finding_however_sure(found: int, worse: int) -> None:
    schema = {"same": pl.Int64, "found": pl.Int64, "wrong": pl.Float64}
    counted = pl.DataFrame([(1000, found, 0)] * 20 + [(1000, 1000, 0)] * 200, schema=schema, orient="row")
    linkage = _Scored(dict.fromkeys(VIEWS, counted), {})
    members = pl.Series([True] * 20 + [False] * 200)
    findings, not_judged = _findings({("need", "VI"): members, ("need", "few"): members & False}, linkage)
    assert [(one.group, one.measure) for one in findings] == [("VI", "recall")] * worse
    assert not_judged == [("need", "few")]


def test_what_waits_for_a_reviewer_is_counted_where_it_is_not_linked() -> None:
    known = pl.DataFrame(
        [("p", "a", 1), ("p", "a", 1), ("q", "a", 2), ("q", "a", 2), ("q", "a", 2), ("r", "b", 3), ("s", "b", 3)],
        schema={"profile_id": pl.String, "child": pl.String, "linkage": pl.Int64},
        orient="row",
    )
    doubts = pl.DataFrame(
        [("p", "q"), ("p", "r"), ("r", "s"), ("p", "of another run")], schema=["left", "right"], orient="row"
    )
    assert _reviewed(doubts, known) == Review(pairs=3, of_one_child=2, waiting=6)


@pytest.mark.parametrize(("state", "more"), [("open", 1), ("withdrawn", 0)])
def test_open_pairs_alone_are_in_review(county: County, state: str, more: int) -> None:
    settings, run_id, truth = county
    before = evaluate(settings, run_id, truth).review.pairs
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "insert into identity.review"
            " (partnership, left_id, right_id, score, reason, explanation, state, first_run_id)"
            " select partnership, least(a, b), greatest(a, b), 0.5, 'test', 'test', %s, run_id"
            " from audit.run, (select min(profile_id::text)::uuid as a, max(profile_id::text)::uuid as b"
            " from identity.link) as two where run_id = %s returning review_id",
            [state, run_id],
        ).fetchone()
    assert row
    assert evaluate(settings, run_id, truth).review.pairs == before + more
    with warehouse.connect(settings) as connection:
        connection.execute("delete from identity.review where review_id = %s", row)


@pytest.mark.parametrize("name", ["record", "group"])
def test_a_truth_that_lacks_a_file_is_refused(county: County, tmp_path: Path, name: str) -> None:
    settings, run_id, truth = county
    for file in {"record", "group"} - {name}:
        shutil.copy(truth / f"{file}.csv", tmp_path)
    with pytest.raises(Failure, match=f"{name}.csv is missing: name the truth/ folder"):
        evaluate(settings, run_id, tmp_path)


def test_the_truth_of_another_county_is_refused(county: County, tmp_path: Path) -> None:
    settings, run_id, truth = county
    shutil.copy(truth / "group.csv", tmp_path)
    pl.read_csv(truth / "record.csv").with_columns(delivery=pl.lit("other")).write_csv(tmp_path / "record.csv")
    with pytest.raises(Failure, match="name the truth of the county that was landed"):
        evaluate(settings, run_id, tmp_path)


def test_deliveries_of_one_name_are_refused(county: County) -> None:
    settings, run_id, truth = county
    rename = "update landing.delivery set name = %s where feed = 'csds' and name = %s and period_key = %s"
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select array_agg(name order by name), (array_agg(period_key order by name))[1] from landing.delivery"
            " where feed = 'csds'"
        ).fetchone()
        assert row
        (first, second, *_), period = row
        connection.execute(rename, [second, first, period])
    try:
        with pytest.raises(Failure, match="Deliveries of csds have one name"):
            evaluate(settings, run_id, truth)
    finally:
        with warehouse.connect(settings) as connection:
            connection.execute(rename, [first, second, period])


@pytest.fixture
def evaluated(county: County, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The county is what the command line finds; the folder of its truth."""
    settings, _, truth = county
    monkeypatch.setenv("SEND_RETURNS_HOME", str(settings.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(settings.database_url))
    monkeypatch.setattr(cli, "console", Console(width=80, highlight=False))
    return truth


def send_returns(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["send-returns", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def said_of_children(truth: Path) -> set[str]:
    """Names, numbers, birth dates and postcodes of the county's children."""
    columns = ("upn", "uln", "nhs_number", "surname", "forename", "born", "postcode", "la_child_id")
    return {one[column] for one in read(truth / "person.csv") for column in columns} - {""}


def test_the_screen_shows_all_side_by_side_and_no_value(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("link", "--as-of", str(AS_OF), "--evaluate", "--truth", str(evaluated))
    assert send_returns(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["linkage", "exact", "numbers", "multi-pass"] for line in lines)
    for title in ("All pairs", "Across feeds", "By feeds", "By need", "By looked after", "By ethnicity", "Findings"):
        assert title in map(str.strip, lines)
    every = next(line.split() for line in lines if line.startswith("  every record"))
    assert len(every) == len(["every", "record", "pairs"]) + 3 * len(APPROACHES)
    assert not said_of_children(evaluated) & set(re.split(r"[^\w'-]+", said))


def test_json_holds_all_and_no_value(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("link", "--as-of", str(AS_OF), "--evaluate", "--truth", str(evaluated), "--format", "json")
    assert send_returns(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    found = json.loads(said)
    assert found["records"] > 0
    assert found["evaluation"]["records"] == len(read(evaluated / "record.csv"))
    assert {row["section"] for row in found["evaluation"]["rows"]} == {
        "records",
        "feeds",
        "need",
        "looked_after",
        "ethnicity",
    }
    assert set(found["evaluation"]["rows"][0]["measures"]) == set(APPROACHES)
    assert found["evaluation"]["margin"] == 0.01
    assert not said_of_children(evaluated) & set(re.split(r"[^\w'-]+", said))


@pytest.mark.usefixtures("evaluated")
def test_link_alone_says_what_it_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert send_returns(monkeypatch, "link", "--as-of", str(AS_OF)) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][:2] == ["run", "records"]
    assert send_returns(monkeypatch, "link", "--as-of", str(AS_OF), "--evaluate") == 2
    assert "Give the truth to score by" in capsys.readouterr().err


def test_the_truth_of_a_demonstration_is_known(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert demonstration.truth(settings) is None
    (tmp_path / "demonstration.json").write_text(json.dumps({"simulation": "a county"}))
    assert demonstration.truth(settings) == tmp_path / "simulated" / "a county" / "truth"


@pytest.mark.parametrize(("width", "share"), [(80, "99.9"), (120, "99.99")])
def test_only_what_is_perfect_is_shown_as_a_hundred(width: int, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    measures = dict.fromkeys(APPROACHES, Measures(1, 0.99999, None))
    row = Row("records", EVERY, EVERY, "all pairs", 7, measures)
    evaluation = Evaluation("r1", 5, 0, 0, 0, 2, [row], Review(0, 0, 0), [], [])
    screen.show_evaluation(Console(width=width), evaluation)
    assert ["every", "record", "7", *["100", share, "-"] * 3] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


def test_small_pairs_of_feeds_and_a_group_twice_are_not_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    measures = dict.fromkeys(APPROACHES, Measures(1, 1, 1))
    kinds = [("feeds", "a - b", "all pairs", 100), ("feeds", "a - c", "all pairs", 101)]
    kinds += [("need", "VI", "all pairs", 102), ("need", "VI", "across feeds", 103)]
    shown = [Row(section, label, EVERY, scope, pairs, measures, 5) for section, label, scope, pairs in kinds]
    shown.append(Row("need", "VI", SAY_WHO, "across feeds", 104, measures, 5))
    screen.show_evaluation(Console(width=80), Evaluation("r1", 5, 0, 0, 0, 2, shown, Review(0, 0, 0), [], []))
    lines = [" ".join(line.split()[:3]) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith(("a -", "VI"))] == ["a - c", "VI (5) 103"]


@pytest.mark.parametrize("said", [EVERY, SAY_WHO])
def test_findings_are_named_on_the_screen(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("looked_after", "true", said, "across feeds", "recall", 0.9, 0.98, 0.0001, 111)
    evaluation = Evaluation("r1", 5, 1, 2, 3, 2, [], Review(4, 3, 2), [finding], [("need", "")])
    screen.show_evaluation(Console(width=200), evaluation)
    shown = capsys.readouterr().out
    assert f"looked after yes: recall 90.0%, of all 98.0% ({said}, across feeds; 111 children; p < 0.001)" in shown
    assert ("comes of what is not said" in shown) == (said == EVERY)
    assert "Too few children to judge: need none." in shown
    assert "In review: 4 pairs, 3 of one child; 2 pairs of records wait" in shown
    assert "Not scored: 2 records of the run that the truth does not have, and 3 of the truth" in shown
    assert "No group is linked worse" not in shown
