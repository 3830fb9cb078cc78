"""A child followed through a split and a merge, by a reviewer's decision, into the return: within the same run."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds, stages
from send_returns.identity import pseudonyms, review
from send_returns.settings import Settings
from send_returns.simulate import simulate
from send_returns.warehouse import connect

AS_OF = date(2026, 11, 24)
pytestmark = pytest.mark.slow


def run(settings: Settings) -> str:
    run_id = stages.open_run(settings, AS_OF)
    stages.link(settings, run_id)
    for layer in stages.LAYERS:
        stages.build(settings, run_id, layer)
    return run_id


def rows(settings: Settings, query: str, *values: object) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(query.encode(), values).fetchall()


def listed(settings: Settings, person: str) -> tuple[Any, ...]:
    ((row),) = rows(
        settings,
        "select unique_id, upn, known_to_social_care, social_care_team"
        " from candidate_returns.return_annex_a__list_1 where person_id = %s",
        person,
    )
    return row


def test_a_person_is_followed_through_a_split_and_a_merge_into_the_return(database: Settings, tmp_path: Path) -> None:
    simulate(tmp_path, children=400, seed=2026, as_of=AS_OF, mess="none")
    for organisation in feeds.ORGANISATIONS:
        stages.land(database, organisation, tmp_path / "inbox", AS_OF)
    pseudonyms.new(database, pseudonyms.MARTS)
    first = run(database)
    person, in_sen2, in_care = rows(
        database,
        "select sen2.person_id, sen2.profile_id::text, care.profile_id::text from identity.link as sen2"
        " join identity.link as care using (person_id) join candidate_returns.return_annex_a__list_1 using (person_id)"
        " where sen2.feed = 'sen2' and care.feed = 'cin_census' and known_to_social_care = 'a) Yes' order by 1 limit 1",
    )[0]
    whole = listed(database, person)
    everyone = rows(database, "select person_id from candidate_returns.return_annex_a__list_1 order by 1")

    with connect(database) as connection:
        pair = review.raise_pair(connection, "hertfordshire", in_sen2, in_care)
        made, more = review.decide(connection, "hertfordshire", pair, "different", "Officer A", "two case files")
    assert more == 0
    assert run(database) != first
    parted = listed(database, person)
    assert (whole[:2], parted[2]) == (parted[:2], "b) No")
    ((elsewhere,),) = rows(
        database, "select distinct person_id from identity.link where profile_id::text = %s", in_care
    )
    assert elsewhere != person
    assert rows(database, "select kind, person_id, other_id from identity.event") == [("split", person, elsewhere)]

    with connect(database) as connection:
        review.undo(connection, "hertfordshire", made, "Officer B", "one child after all")
    assert run(database) == first
    assert listed(database, person) == whole
    assert rows(database, "select person_id from candidate_returns.return_annex_a__list_1 order by 1") == everyone
    assert rows(database, "select kind, person_id, other_id from identity.event order by event_id desc limit 1") == [
        ("merge", person, elsewhere)
    ]
    assert rows(database, "select merged_into from identity.person where person_id = %s", elsewhere) == [(person,)]
