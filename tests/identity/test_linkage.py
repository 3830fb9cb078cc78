"""Linkage on a real warehouse: who becomes one person, who stays that person, and who is never joined."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.identity.conftest import Put

from send_returns import identity, warehouse
from send_returns.rights import removal
from send_returns.settings import Settings

PUPILS = "school_census__pupilonroll"
CASES = "ehc_casework__case"
PATIENTS = "csds__cyp001mpi"


def people(settings: Settings) -> dict[tuple[int, int], str]:
    """The person of each (delivery, row)."""
    with warehouse.connect(settings) as connection:
        rows = connection.execute("select delivery_id, row_number, person_id from identity.link").fetchall()
    return {(delivery, row): person for delivery, row, person in rows}


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def pupil(**said: str | None) -> dict[str, str | None]:
    child = {
        "upn": None,
        "surname": "Fictwell",
        "forename": "Rory",
        "dob": "2015-03-04",
        "sex": "M",
        "postcode": "AL1 3JE",
    }
    return child | said


def case(**said: str | None) -> dict[str, str | None]:
    child = {"surname": "Fictwell", "forename": "Rory", "date_of_birth": "2015-03-04", "postcode": "AL1 3JE"}
    return child | said


def patient(**said: str | None) -> dict[str, str | None]:
    child = {
        "person_birth_date": "2015-03-04",
        "person_stated_gender_code": "1",
        "postcode_of_usual_address": "AL1 3JE",
    }
    return child | said


# --- exact numbers ---------------------------------------------------------------------------------------------------


def test_one_child_through_five_feeds(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001", "uniquelearnernumber": "1000000013"})
    put(2, PUPILS, {"upn": "b801200005001 "})
    put(3, "cin_census__child", {"upn": "B801200005001", "lachildid": "LA1"})
    put(4, "ssda903__header", {"child": "LA1"})
    put(5, "ehe_register__child", {"uln": "1000000013", "nhs_number": "999 000 0018"})
    put(6, PATIENTS, {"nhs_number": "9990000018"})
    counts = identity.link(database, "r1")
    assert (counts["records"], counts["linked_now"], counts["persons"], counts["new_persons"]) == (6, 6, 1, 1)
    assert set(people(database).values()) == {"P0000000001"}


def test_strangers_stay_apart_and_say_why(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": None}, {"upn": "0000000000000"})
    put(2, PUPILS, {"upn": "0000000000000"}, {"upn": "B801200005001"})
    identity.link(database, "r1")
    found = people(database)
    assert found[1, 2] == found[2, 3]
    assert len(set(found.values())) == 4
    explained = dict(rows(database, "select delivery_id || '.' || row_number, explanation from identity.link"))
    assert explained["1.2"] == "says the same as another record"
    assert explained["1.3"] == explained["2.2"] == "says too little of whom it is about"


def test_a_wrong_check_letter_does_not_part_a_child_from_its_records(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001", surname=None), pupil(upn="A801200005001", postcode=None))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


def test_a_traced_number_joins_health_to_education(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, PATIENTS, patient(nhs_number="9990000018", postcode_of_usual_address="WD1 1AA"))
    put(3, "nhs_number_trace__trace", {"upn": "B801200005001", "nhs_number": "9990000018", "trace_outcome": "01"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


def test_a_number_that_was_not_verified_joins_nobody(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, PATIENTS, {"nhs_number": "9990000018"})
    put(3, "nhs_number_trace__trace", {"upn": "B801200005001", "nhs_number": "9990000018", "trace_outcome": "02"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2


def test_a_upn_shared_by_two_birth_dates_links_no_one(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, "cin_census__child", {"upn": "B801200005001", "personbirthdate": "2012-11-20", "lachildid": "71"})
    put(3, "plan_audit__audit", {"upn": "B801200005001"})
    assert identity.link(database, "r1")["disputed"] == 1
    assert len(set(people(database).values())) == 3
    assert rows(database, "select kind, reason from identity.disputed_identifier") == [
        ("upn", "carried by records of different children")
    ]


def test_a_traced_number_given_to_two_children_joins_neither_to_the_other(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="C801200005002", forename="Isla", dob="2012-11-20", sex="F"))
    put(
        2,
        "nhs_number_trace__trace",
        {"upn": "B801200005001", "nhs_number": "9990000018", "trace_outcome": "01"},
        {"upn": "C801200005002", "nhs_number": "9990000018", "trace_outcome": "01"},
    )
    identity.link(database, "r1")
    found = people(database)
    assert (found[1, 2] == found[2, 2], found[1, 3] == found[2, 3]) == (True, True)
    assert found[1, 2] != found[1, 3]


def test_lost_leading_zeros_are_found_again(database: Settings, put: Put) -> None:
    put(1, "cin_census__child", {"lachildid": "0004711", "personbirthdate": "2015-03-04"})
    put(2, CASES, case(la_child_id="4711"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


def test_a_temporary_upn_is_followed_to_the_permanent_one(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B80120000500A", postcode=None))
    put(2, PUPILS, pupil(upn="C801200005002", formerupn="B80120000500A", surname="Fictwell-More", postcode=None))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


def test_a_temporary_upn_given_twice_joins_nobody(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B80120000500A"))
    put(2, "cin_census__child", {"upn": "B80120000500A", "lachildid": "99"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2


def test_a_number_that_all_carry_is_nobodys(database: Settings, put: Put) -> None:
    put(1, CASES, *({"la_child_id": "12345", "upn": f"B8012000{n:05}"} for n in range(70)))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 70


# --- names, birth dates and addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"forename": "Rorry"},
        {"surname": "Fictwel"},
        {"surname": "Othername"},
        {"date_of_birth": "2015-04-03"},
        {"date_of_birth": "2015-01-01"},
        {"date_of_birth": "2015-03-05"},
        {"postcode": "AL1 3JF"},
        {"forename": "RORY  "},
        {"surname": "fictwell-moreton"},
    ],
)
def test_a_slip_does_not_part_a_child_from_its_records(database: Settings, put: Put, other: dict[str, str]) -> None:
    put(1, PUPILS, pupil())
    put(2, CASES, case(**other))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1, rows(database, "select explanation from identity.link")


def test_a_nickname_is_known(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(forename="Isabella", sex="F"))
    put(2, CASES, case(forename="Bella"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


def test_a_patient_without_a_number_is_found_by_birth_date_sex_and_postcode(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil())
    put(2, PATIENTS, patient())
    identity.link(database, "r1")
    assert rows(database, "select person_id, method, explanation from identity.link where delivery_id = 2") == [
        ("P0000000001", "probabilistic", "same birth date; same sex; same postcode")
    ]


def test_the_same_name_elsewhere_is_not_the_same_child(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil())
    put(2, CASES, case(date_of_birth="2009-08-17", postcode="SG4 8BQ"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2


# --- children who are never joined -----------------------------------------------------------------------------------


def test_twins_are_two(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="C801200005002", forename="Theo"))
    put(2, CASES, case(), case(forename="Theo"))
    identity.link(database, "r1")
    found = people(database)
    assert found[1, 2] == found[2, 2] != found[1, 3] == found[2, 3]


def test_a_patient_who_may_be_either_twin_is_for_a_person_to_decide(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="C801200005002", forename="Theo"))
    put(2, PATIENTS, patient())
    assert identity.link(database, "r1")["in_review"] == 2
    assert len(set(people(database).values())) == 3
    assert rows(database, "select state from identity.link where delivery_id = 2") == [("in review",)]
    assert {reason for (reason,) in rows(database, "select reason from identity.review")} == {
        "two candidates fit alike"
    }


def test_twins_under_one_number_are_two(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="B801200005001", forename="Theo"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2


def test_siblings_at_one_address_are_two(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(), pupil(forename="Theo", dob="2014-03-04"), pupil(forename="Isla", dob="2015-01-04", sex="F"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 3


def test_an_adopted_child_is_not_joined_to_who_it_was(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, PUPILS, pupil(upn="C801200005002", surname="Sampleton", forename="Arthur"))
    put(
        3,
        PATIENTS,
        patient(nhs_number="9990000018"),
        patient(nhs_number="9990000026", postcode_of_usual_address="HP1 1AA"),
    )
    identity.link(database, "r1")
    found = people(database)
    assert found[1, 2] != found[2, 2]
    assert found[3, 2] != found[3, 3]


def test_two_children_of_one_name_and_birth_date_with_two_numbers_are_two(database: Settings, put: Put) -> None:
    put(1, "ehe_register__child", case(nhs_number="9990000018"), case(nhs_number="9990000026"))
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2


# --- pseudonymised copies --------------------------------------------------------------------------------------------


def test_a_pseudonymised_copy_joins_by_the_agreed_pseudonym_and_never_by_guess(database: Settings, put: Put) -> None:
    copy = {"nhs_number_pseudo": "q1w2", "organisation_identifier_code_of_provider": "RY4"}
    local = {"organisation_identifier_code_of_provider": "RY4", "local_patient_identifier_extended": "77"}
    put(1, PUPILS, pupil(upn="B801200005001"))
    # Even if a national copy held something else of the child, it would say nothing but its pseudonym.
    put(2, PATIENTS, patient(**copy, local_patient_identifier_extended="77"))
    put(3, PATIENTS, patient(**local))
    identity.link(database, "r1")
    found = people(database)
    assert found[1, 2] == found[3, 2] != found[2, 2]
    put(4, "nhs_number_trace__trace", {"upn": "B801200005001", "nhs_number_pseudo": "q1w2"}, run="r2")
    with warehouse.connect(database) as connection:
        connection.execute("insert into audit.run_delivery select 'r2', n from generate_series(1, 3) as n")
    identity.link(database, "r2")
    assert len(set(people(database).values())) == 1


def test_a_providers_own_copy_joins_by_its_nhs_number(database: Settings, put: Put) -> None:
    put(1, "ehe_register__child", case(nhs_number="9990000018"))
    put(2, PATIENTS, {"nhs_number": "9990000018"})
    put(3, "mhsds__mhs001mpi", {"nhsnumber": "9990000018"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 1


# --- a stable person -------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": "C801200005002"})
    identity.link(database, "r1")
    before = (
        rows(database, "select * from identity.link order by 1, 2"),
        rows(database, "select * from identity.profile"),
    )
    assert identity.link(database, "r1")["linked_now"] == 0
    assert (
        rows(database, "select * from identity.link order by 1, 2"),
        rows(database, "select * from identity.profile"),
    ) == before


def test_a_new_delivery_meets_the_people_already_known(
    database: Settings, put: Put, again: Callable[..., None]
) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": "C801200005002"})
    identity.link(database, "r1")
    known = people(database)
    again("r2", 1)
    put(2, PUPILS, pupil(upn="C801200005002"), pupil(upn="D801200005003", dob="2011-02-03"), run="r2")
    assert identity.link(database, "r2")["new_persons"] == 1
    assert people(database)[2, 2] == known[1, 3]


def test_a_delivery_that_replaces_another_keeps_its_people(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(forename="Isla", sex="F", dob="2011-05-05"))
    identity.link(database, "r1")
    known = people(database)
    # In another order, moved house, one with a number that had none; the old delivery is no longer read.
    put(
        2,
        PUPILS,
        pupil(forename="Isla", sex="F", dob="2011-05-05", upn="C801200005002"),
        pupil(upn="B801200005001", postcode="SG4 8BQ"),
        run="r2",
    )
    identity.link(database, "r2")
    found = people(database)
    assert (found[2, 3], found[2, 2]) == (known[1, 2], known[1, 3])


def test_a_record_that_joins_two_people_keeps_the_older_and_both_are_told(
    database: Settings, put: Put, again: Callable[..., None]
) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"})
    put(2, "cin_census__child", {"lachildid": "LA1"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2
    again("r2", 1, 2)
    put(3, "cin_census__child", {"lachildid": "LA1", "upn": "B801200005001"}, run="r2")
    assert identity.link(database, "r2")["merged"] == 1
    assert set(people(database).values()) == {"P0000000001"}
    assert rows(database, "select person_id, merged_into from identity.person order by 1") == [
        ("P0000000001", None),
        ("P0000000002", "P0000000001"),
    ]
    assert rows(database, "select run_id, kind, person_id, other_id from identity.event") == [
        ("r2", "merge", "P0000000001", "P0000000002")
    ]


def test_a_merge_undone_by_a_correction_brings_the_person_back(
    database: Settings, put: Put, again: Callable[..., None]
) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"})
    put(2, "cin_census__child", {"lachildid": "LA1"})
    identity.link(database, "r1")
    before = people(database)
    again("r2", 1, 2)
    put(3, "cin_census__child", {"lachildid": "LA1", "upn": "B801200005001"}, run="r2")
    identity.link(database, "r2")
    again("r3", 1, 2)
    identity.link(database, "r3")
    after = people(database)
    assert (after[1, 2], after[2, 2]) == (before[1, 2], before[2, 2])
    assert rows(database, "select kind, person_id, other_id from identity.event order by event_id") == [
        ("merge", "P0000000001", "P0000000002"),
        ("split", "P0000000001", "P0000000002"),
    ]
    assert rows(database, "select count(*) from identity.person where merged_into is not null") == [(0,)]


def test_an_older_run_after_a_newer_one_says_again_what_it_said(
    database: Settings, put: Put, again: Callable[..., None]
) -> None:
    put(1, PUPILS, pupil(upn="B801200005001", postcode=None))
    identity.link(database, "r1")
    said = "select person_id, method, explanation, state from identity.link where delivery_id = 1"
    alone = rows(database, said)
    # The same rows sent again, and a second register: what the profile is changes, without the first delivery.
    put(2, PUPILS, pupil(upn="B801200005001", postcode=None), run="r2")
    put(3, "cin_census__child", {"lachildid": "LA1", "upn": "B801200005001"}, run="r2")
    identity.link(database, "r2")
    again("r3", 1, 3)
    identity.link(database, "r3")
    assert rows(database, said) == [("P0000000001", "exact", "same UPN", "linked")]
    assert rows(database, "select distinct records, linked from identity.reconciliation where run_id = 'r3'") == [
        (1, 1)
    ]
    identity.link(database, "r1")
    assert rows(database, said) == alone


def test_what_stops_in_the_middle_leaves_nothing_and_can_be_repeated(
    database: Settings, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="C801200005002", forename="Theo"))
    put(2, PATIENTS, patient())
    with monkeypatch.context() as patched:
        patched.setattr("send_returns.identity.linkage._counts", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            identity.link(database, "r1")
    for table in ("person", "profile", "link", "edge", "review", "reconciliation", "disputed_identifier", "model"):
        assert rows(database, f"select count(*) from identity.{table}") == [(0,)], table
    assert identity.link(database, "r1")["records"] == 3


def test_two_partnerships_know_the_same_child_each_for_itself(database: Settings, put: Put) -> None:
    here, there = pupil(upn="B801200005001"), pupil(upn="B801200005001")
    put(1, PUPILS, here)
    put(2, PUPILS, there, run="e1", of="essex")
    put(3, "cin_census__child", {"lachildid": "LA1", "upn": "B801200005001"}, run="e1", of="essex")
    identity.link(database, "r1")
    identity.link(database, "e1")
    found = people(database)
    assert found[1, 2] != found[2, 2] == found[3, 2]
    assert rows(database, "select partnership from identity.person order by person_id") == [
        ("hertfordshire",),
        ("essex",),
    ]
    assert rows(database, "select state from identity.link order by delivery_id") == [
        ("unlinked",),
        ("linked",),
        ("linked",),
    ]


def test_what_is_taken_of_a_child_in_one_partnership_stays_in_another(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, PUPILS, pupil(upn="B801200005001"), run="e1", of="essex")
    identity.link(database, "r1")
    identity.link(database, "e1")
    with warehouse.connect(database) as connection:
        removal.take_people(connection, "hertfordshire", ["P0000000001"])
    assert rows(database, "select delivery_id from identity.link") == [(2,)]
    assert rows(database, "select partnership from identity.profile") == [("essex",)]


def test_an_episode_without_a_header_is_a_record_of_its_own(database: Settings, put: Put) -> None:
    put(1, "ssda903__header", {"child": "LA1"})
    put(1, "ssda903__episodes", {"child": "LA1"}, {"child": "LA2"})
    assert identity.link(database, "r1")["records"] == 2
    assert rows(database, "select table_name, row_number from identity.link order by table_name") == [
        ("ssda903__episodes", 3),
        ("ssda903__header", 2),
    ]


def test_people_are_numbered_alike_in_another_database(database: Settings, put: Put) -> None:
    put(7, PUPILS, {"upn": "D801200005003"}, {"upn": "B801200005001"})
    put(2, "sen2__person", {"upn": "B801200005001"})
    identity.link(database, "r1")
    # By delivery and row, not by the order of arrival.
    assert people(database) == {(2, 2): "P0000000001", (7, 3): "P0000000001", (7, 2): "P0000000002"}


def test_an_unknown_run_is_refused(database: Settings) -> None:
    with pytest.raises(ValueError, match="no run r9"):
        identity.link(database, "r9")


def test_every_record_is_linked_in_review_or_unlinked(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"), pupil(upn="C801200005002", forename="Theo"))
    put(2, PATIENTS, patient())
    put(3, "contact_log__enquiry", {"enquiry_id": "1"}, {"enquiry_id": "2", "upn": "B801200005001"})
    identity.link(database, "r1")
    assert rows(
        database,
        "select feed, records, linked, in_review, unlinked from identity.reconciliation order by feed",
    ) == [("contact_log", 2, 1, 0, 1), ("csds", 1, 0, 1, 0), ("school_census", 2, 0, 2, 0)]


def test_an_explanation_names_what_is_shared_and_what_differs_and_no_value(database: Settings, put: Put) -> None:
    put(1, PUPILS, pupil(upn="B801200005001"))
    put(2, CASES, case(upn="B801200005001", surname="Fictwel"))
    identity.link(database, "r1")
    assert {text for (text,) in rows(database, "select explanation from identity.link")} == {
        "same UPN; same forename; surname differs by one letter; same birth date; same postcode"
    }
