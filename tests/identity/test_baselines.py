"""What each baseline joins, and what it leaves apart."""

import polars as pl
import pytest

from send_returns.identity import baselines, sources

Said = dict[str, str]
CHILD = {"forename": "ROWAN", "surname": "ALDER", "born": "2014-03-09", "sex": "F", "postcode": "AL11AA"}


def persons(approach: str, *tables: list[Said]) -> list[list[int]]:
    """The person of each record of tables of one delivery each, numbered in the order of their first record."""
    said = [one for table in tables for one in table]
    frame = pl.DataFrame(
        [{name: one.get(name) for name in sources.SAYS} for one in said], schema=dict.fromkeys(sources.SAYS, pl.String)
    )
    profiles = frame.unique(maintain_order=True).with_row_index("n").with_columns(profile_id=pl.format("p{}", "n"))
    records = frame.join(profiles, on=list(sources.SAYS), nulls_equal=True, maintain_order="left").with_columns(
        delivery_id=pl.Series([number for number, table in enumerate(tables) for _ in table]), table_name=pl.lit("t")
    )
    found = list(getattr(baselines, approach)(records, profiles.drop("n")))
    order = {person: number for number, person in enumerate(dict.fromkeys(found))}
    numbered = iter([order[person] for person in found])
    return [[next(numbered) for _ in table] for table in tables]


def test_numbers_join_through_others_and_nothing_else_does() -> None:
    assert persons(
        "exact_numbers",
        [{"upn": "1", **CHILD}, CHILD],
        [{"former_upn": "1", "nhs_number": "2"}, CHILD],
        [{"nhs_number": "2"}, {"uln": "2"}],
        [{"la_child_id": "5"}, {"la_child_id": "5"}, {}, {}],
    ) == [[0, 1], [0, 2], [0, 3], [4, 4, 5, 6]]


DIFFERING = {
    "names, birth date, postcode": {"sex": "M"},
    "provider's patient id, birth date, sex": {"forename": "", "surname": "", "postcode": ""},
    "names, birth date": {"postcode": "WD61AA", "sex": ""},
    "names in either order, birth date": {"forename": "ALDER", "surname": "ROWAN", "postcode": "", "sex": "M"},
    "names, postcode, day and month either way": {"born": "2014-09-03", "sex": "M"},
    "surname, birth date, sex, postcode": {"forename": "RO"},
    "forename, birth date, sex, postcode": {"surname": "BIRCH"},
    "birth date, sex, postcode": {"forename": "", "surname": ""},
}


def without_empty(said: Said) -> Said:
    return {name: value for name, value in said.items() if value}


def at_provider(name: str, said: Said) -> Said:
    return {**said, "provider_patient_id": "RYV 7"} if name.startswith("provider") else said


def test_every_pass_has_its_case() -> None:
    assert list(DIFFERING) == list(baselines.PASSES)


@pytest.mark.parametrize("name", DIFFERING)
def test_each_pass_joins_what_it_lets_differ(name: str) -> None:
    one, other = at_provider(name, CHILD), at_provider(name, without_empty({**CHILD, **DIFFERING[name]}))
    assert persons("multi_pass", [{**one, "upn": "1"}], [other]) == [[0], [0]]
    assert persons("exact_numbers", [{**one, "upn": "1"}], [other]) == [[0], [1]]


@pytest.mark.parametrize("name", DIFFERING)
def test_no_pass_joins_where_a_part_of_its_key_is_not_said_or_is_another(name: str) -> None:
    one, other = at_provider(name, CHILD), at_provider(name, without_empty({**CHILD, **DIFFERING[name]}))
    assert persons("multi_pass", [{**one, "upn": "1"}], [{**other, "born": "2013-01-30"}]) == [[0], [1]]
    assert persons("multi_pass", [{**one, "upn": "1"}], [without_empty({**other, "born": ""})]) == [[0], [1]]


def test_a_key_of_two_numbered_children_of_one_table_joins_nobody() -> None:
    twins = [{**CHILD, "upn": "1"}, {**CHILD, "forename": "ASH", "upn": "2"}]
    nameless = {name: CHILD[name] for name in ("born", "sex", "postcode")}
    assert persons("multi_pass", twins, [nameless], [{**nameless, "forename": "ASH"}]) == [[0, 1], [2], [1]]


def test_a_record_without_a_number_does_not_make_two_of_a_child() -> None:
    assert persons("multi_pass", [{**CHILD, "upn": "1"}, CHILD]) == [[0, 0]]


def test_two_nhs_numbers_are_two_children_whatever_else_they_share() -> None:
    assert persons("multi_pass", [{**CHILD, "nhs_number": "1"}], [{**CHILD, "nhs_number": "2"}], [CHILD]) == [
        [0],
        [1],
        [2],
    ]


def test_a_later_pass_builds_on_what_an_earlier_one_joined() -> None:
    moved = {**CHILD, "postcode": "WD61AA"}
    nameless = {name: moved[name] for name in ("born", "sex", "postcode")}
    assert persons("multi_pass", [{**CHILD, "upn": "1"}], [moved], [nameless]) == [[0], [0], [0]]


def test_twins_are_told_apart_by_the_numbers_of_those_they_were_joined_with() -> None:
    ash = {**CHILD, "forename": "ASH"}
    nameless = {name: CHILD[name] for name in ("born", "sex", "postcode")}
    assert persons("multi_pass", [CHILD, ash], [{**CHILD, "upn": "1"}], [{**ash, "upn": "2"}], [nameless]) == [
        [0, 1],
        [0],
        [1],
        [2],
    ]


def test_a_child_of_two_deliveries_may_have_another_upn_in_each() -> None:
    assert persons("multi_pass", [{**CHILD, "upn": "1"}], [{**CHILD, "upn": "2"}]) == [[0], [0]]


def test_a_surname_alone_is_not_two_names() -> None:
    said = {name: CHILD[name] for name in ("surname", "born")}
    assert persons("multi_pass", [said], [said]) == [[0], [1]]
