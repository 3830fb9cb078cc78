"""The review queue: decisions are data, take two people where a return is published, outlive runs, can be undone."""

import pytest
from tests.identity.conftest import Put

from send_returns import identity, warehouse
from send_returns.failure import Failure
from send_returns.identity import review
from send_returns.settings import Settings

PUPILS = "school_census__pupilonroll"
PATIENTS = "csds__cyp001mpi"
TWIN = {"surname": "Fictwell", "dob": "2015-03-04", "sex": "M", "postcode": "AL1 3JE"}
RORY = {**TWIN, "forename": "Rory", "upn": "B801200005001"}
THEO = {**TWIN, "forename": "Theo", "upn": "C801200005002"}
EITHER = {
    "person_birth_date": "2015-03-04",
    "person_stated_gender_code": "1",
    "postcode_of_usual_address": "AL1 3JE",
    "nhs_number": "9990000018",
}


def person_of(settings: Settings, delivery: int, row: int = 2) -> str:
    with warehouse.connect(settings) as connection:
        found = connection.execute(
            "select person_id from identity.link where delivery_id = %s and row_number = %s", [delivery, row]
        ).fetchone()
    assert found
    return str(found[0])


def ask(settings: Settings) -> list[review.Pair]:
    with warehouse.connect(settings) as connection:
        return review.pairs(connection, "hertfordshire")[0]


def decide(settings: Settings, pair: review.Pair, verdict: review.Verdict, by: str = "Officer A") -> int:
    with warehouse.connect(settings) as connection:
        return review.decide(connection, "hertfordshire", pair.review_id, verdict, by, "case file")[1]


@pytest.fixture
def doubt(database: Settings, put: Put) -> Settings:
    """Twins in the census, and a patient who may be either."""
    put(1, PUPILS, RORY, THEO)
    put(2, PATIENTS, EITHER)
    identity.link(database, "r1")
    return database


def with_rory(settings: Settings) -> review.Pair:
    rory = person_of(settings, 1)
    return next(pair for pair in ask(settings) if rory in (pair.left_person, pair.right_person))


def test_a_pair_says_who_and_why_and_shows_nothing_of_the_child(doubt: Settings) -> None:
    pair = with_rory(doubt)
    assert (pair.reason, pair.explanation) == (
        "two candidates fit alike",
        "same birth date; same sex; same postcode",
    )
    assert "Fictwell" not in str(pair)
    with warehouse.connect(doubt) as connection:
        sides = review.sides(connection, "hertfordshire", pair)
    assert {side["surname"] for side in sides} == {"FICTWELL", None}


def test_same_joins_two_people_with_the_next_run_and_says_so(doubt: Settings) -> None:
    assert decide(doubt, with_rory(doubt), "same") == 0
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) == person_of(doubt, 1) != person_of(doubt, 1, 3)
    assert ask(doubt) == []
    with warehouse.connect(doubt) as connection:
        methods = connection.execute("select method from identity.link where delivery_id = 2").fetchall()
    assert methods == [("reviewed",)]


def test_different_parts_them_for_good(doubt: Settings) -> None:
    rory = with_rory(doubt)
    decide(doubt, rory, "different")
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) != person_of(doubt, 1)
    assert rory.review_id not in [pair.review_id for pair in ask(doubt)]


def test_a_decision_survives_a_delivery_sent_again_and_a_new_model(
    doubt: Settings, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(doubt, with_rory(doubt), "same")
    identity.link(doubt, "r1")
    before = person_of(doubt, 2)
    put(3, PUPILS, THEO, RORY, run="r2")
    put(4, PATIENTS, EITHER, run="r2")
    with monkeypatch.context() as patched:
        known = identity.linkage.model.load(doubt)
        other = {**known.parameters, "frequencies": {**known.parameters["frequencies"], "note": 1}}
        patched.setattr(identity.linkage.model, "load", lambda _: identity.linkage.model.Model(other))
        identity.link(doubt, "r2")
    assert person_of(doubt, 4) == person_of(doubt, 3, 3) == before


def test_a_decision_undone_is_as_if_it_had_not_been_made(doubt: Settings) -> None:
    patient = person_of(doubt, 2)
    decide(doubt, with_rory(doubt), "same")
    identity.link(doubt, "r1")
    with warehouse.connect(doubt) as connection:
        (made,) = review.decisions(connection, "hertfordshire")
        review.undo(connection, "hertfordshire", made.decision_id, "Officer B", "wrong file")
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) == patient
    assert len(ask(doubt)) == 2


def publish(settings: Settings, *people: str) -> None:
    with warehouse.connect(settings) as connection:
        connection.execute("create schema if not exists returns")
        connection.execute("create table returns.return_annex_a__list_1 (person_id text)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into returns.return_annex_a__list_1 values (%s)", [(one,) for one in people])


def test_two_people_of_a_published_return_need_two_reviewers(doubt: Settings) -> None:
    publish(doubt, person_of(doubt, 1), person_of(doubt, 2))
    pair = with_rory(doubt)
    assert decide(doubt, pair, "same") == 1
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) != person_of(doubt, 1)
    with pytest.raises(Failure, match="another reviewer must confirm"):
        decide(doubt, pair, "same")
    assert with_rory(doubt).given == 1
    assert decide(doubt, pair, "same", by="Officer B") == 0
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) == person_of(doubt, 1)


def three_children() -> list[dict[str, str]]:
    born = ("2015-03-04", "2012-11-20", "2009-08-17")
    return [{**RORY, "upn": f"B80120000500{number}", "dob": day} for number, day in enumerate(born)]


@pytest.mark.parametrize("by", ["officer a", " Officer  A ", "Ｏfficer A", "Officer\u200b A"])
def test_one_reviewer_is_not_two_by_writing_the_name_in_another_way(doubt: Settings, by: str) -> None:
    publish(doubt, person_of(doubt, 1), person_of(doubt, 2))
    pair = with_rory(doubt)
    decide(doubt, pair, "same", by="Officer A")
    with pytest.raises(Failure, match="another reviewer must confirm"):
        decide(doubt, pair, "same", by=by)


def test_two_published_people_are_not_made_one_through_a_third_by_one_reviewer(database: Settings, put: Put) -> None:
    put(1, PUPILS, *three_children())
    identity.link(database, "r1")
    people = [person_of(database, 1, row) for row in (2, 3, 4)]
    publish(database, people[0], people[2])
    with warehouse.connect(database) as connection:
        profiles = [review.profiles(connection, "hertfordshire", person)[0][0] for person in people]
        pairs = [
            review.pair(connection, "hertfordshire", review.raise_pair(connection, "hertfordshire", *ends))
            for ends in (profiles[:2], profiles[1:])
        ]
    assert [decide(database, pair, "same") for pair in pairs] == [0, 1]
    identity.link(database, "r1")
    assert person_of(database, 1, 2) == person_of(database, 1, 3) != person_of(database, 1, 4)
    # Who is asked to confirm finds the pair in the list.
    assert [pair.review_id for pair in ask(database)] == [pairs[1].review_id]
    assert decide(database, pairs[1], "same", by="Officer B") == 0
    identity.link(database, "r1")
    assert person_of(database, 1, 2) == person_of(database, 1, 4)


def test_decisions_that_contradict_each_other_join_nobody_and_are_asked_again(database: Settings, put: Put) -> None:
    put(1, PUPILS, *three_children())
    identity.link(database, "r1")
    with warehouse.connect(database) as connection:
        one, two, three = sorted(
            profile
            for row in (2, 3, 4)
            for profile, _, _ in review.profiles(connection, "hertfordshire", person_of(database, 1, row))
        )
        for ends, verdict in (((one, three), "different"), ((one, two), "same"), ((two, three), "same")):
            number = review.raise_pair(connection, "hertfordshire", *ends)
            review.decide(connection, "hertfordshire", number, verdict, "A", "why")
    identity.link(database, "r1")
    assert len({person_of(database, 1, row) for row in (2, 3, 4)}) == 2
    (asked,) = ask(database)
    assert (asked.review_id, asked.reason) == (number, "decisions contradict each other")
    decide(database, asked, "different")
    identity.link(database, "r1")
    assert ask(database) == []
    assert len({person_of(database, 1, row) for row in (2, 3, 4)}) == 2


def test_a_decided_pair_leaves_the_list_at_once_and_comes_back_when_that_is_undone(doubt: Settings) -> None:
    pair = with_rory(doubt)
    decide(doubt, pair, "different")
    assert pair.review_id not in [one.review_id for one in ask(doubt)]
    with warehouse.connect(doubt) as connection:
        (made,) = review.decisions(connection, "hertfordshire")
        review.undo(connection, "hertfordshire", made.decision_id, "Officer B", "wrong file")
    assert pair.review_id in [one.review_id for one in ask(doubt)]


def test_another_partnership_is_not_told_of(doubt: Settings, put: Put) -> None:
    put(9, "mhsds__mhs001mpi", {"nhsnumber": "9990000018", "personbirthdate": "2015-03-04"}, run="e1", of="essex")
    put(8, "csds__cyp001mpi", EITHER, run="e1", of="essex")
    put(7, PUPILS, RORY, THEO, run="e1", of="essex")
    identity.link(doubt, "e1")
    pair = with_rory(doubt)
    assert {pair.left_feeds, pair.right_feeds} == {"csds", "school_census"}
    decide(doubt, pair, "same")
    identity.link(doubt, "e1")
    assert person_of(doubt, 8) != person_of(doubt, 7)
    with warehouse.connect(doubt) as connection:
        assert review.decisions(connection, "essex") == []
        with pytest.raises(Failure, match="There is no pair"):
            review.pair(connection, "essex", pair.review_id)


def test_one_person_of_a_published_return_needs_one_reviewer(doubt: Settings) -> None:
    publish(doubt, person_of(doubt, 1))
    assert decide(doubt, with_rory(doubt), "same") == 0


def test_the_opposite_verdict_takes_the_place_of_the_first(doubt: Settings) -> None:
    pair = with_rory(doubt)
    decide(doubt, pair, "same")
    decide(doubt, pair, "different", by="Officer B")
    identity.link(doubt, "r1")
    assert person_of(doubt, 2) != person_of(doubt, 1)
    with warehouse.connect(doubt) as connection:
        assert [made.revoked is None for made in review.decisions(connection, "hertfordshire")] == [False, True]


def test_a_person_of_two_children_can_be_parted(database: Settings, put: Put) -> None:
    put(1, PUPILS, {**RORY, "postcode": None})
    put(2, "cin_census__child", {"upn": "B801200005001", "lachildid": "71", "personbirthdate": "2015-03-04"})
    identity.link(database, "r1")
    person = person_of(database, 1)
    with warehouse.connect(database) as connection:
        (one, _, _), (other, _, _) = review.profiles(connection, "hertfordshire", person)
        number = review.raise_pair(connection, "hertfordshire", one, other)
        pair = review.pair(connection, "hertfordshire", number)
    identity.link(database, "r1")
    assert [waiting.review_id for waiting in ask(database)] == [number]
    decide(database, pair, "different")
    identity.link(database, "r1")
    assert person_of(database, 1) != person_of(database, 2)
    assert ask(database) == []


def test_a_decision_needs_who_and_why(doubt: Settings) -> None:
    with warehouse.connect(doubt) as connection:
        with pytest.raises(Failure, match="--by and --reason"):
            review.decide(connection, "hertfordshire", ask(doubt)[0].review_id, "same", " ", "why")
        with pytest.raises(Failure, match="There is no pair 999"):
            review.decide(connection, "hertfordshire", 999, "same", "A", "why")
        with pytest.raises(Failure, match="No decision 9 stands"):
            review.undo(connection, "hertfordshire", 9, "A", "why")


def test_decisions_are_part_of_what_a_run_is(doubt: Settings) -> None:
    with warehouse.connect(doubt) as connection:
        before = identity.basis(doubt, connection)
    decide(doubt, with_rory(doubt), "same")
    with warehouse.connect(doubt) as connection:
        assert identity.basis(doubt, connection) != before
