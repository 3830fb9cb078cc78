"""Exact matching on a real warehouse: who becomes one person, and who stays that person."""

from collections.abc import Callable, Mapping

import pytest
from psycopg import sql

from send_returns import identity, warehouse
from send_returns.settings import Settings

Put = Callable[..., None]
AS_OF = "2026-10-30"
TABLES = {
    "sen2__person": ("sen2", "raw_council"),
    "school_census__pupilonroll": ("school_census", "raw_council"),
    "cin_census__child": ("cin_census", "raw_council"),
    "ssda903__header": ("ssda903", "raw_council"),
    "ssda903__episodes": ("ssda903", "raw_council"),
    "ehe_register__child": ("ehe_register", "raw_council"),
    "csds__cyp001mpi": ("csds", "raw_icb"),
}


@pytest.fixture
def put(database: Settings) -> Put:
    """Deliver rows of one table, as delivery `number`, into run `run`."""

    def deliver(number: int, table: str, *rows: Mapping[str, str | None], run: str = "r1") -> None:
        feed, schema = TABLES[table]
        with warehouse.connect(database) as connection:
            connection.execute(
                "insert into audit.run values (%s, 'hertfordshire', %s, 'full', 'test', 'test', 'open', default)"
                " on conflict do nothing",
                [run, AS_OF],
            )
            connection.execute(
                "insert into landing.delivery values (%s, 'hertfordshire', %s, %s, 'test', 'test', %s, %s, null,"
                " 'accepted', null, %s, %s, 0, default) on conflict do nothing",
                [number, schema.removeprefix("raw_"), feed, f"{number:064x}", str(number), len(rows), len(rows)],
            )
            connection.execute("insert into audit.run_delivery values (%s, %s) on conflict do nothing", [run, number])
            for position, row in enumerate(rows, start=2):
                record = {**row, "_delivery_id": number, "_row_number": position}
                connection.execute(
                    sql.SQL("insert into {} ({}) values ({})").format(
                        sql.Identifier(schema, table),
                        sql.SQL(", ").join(map(sql.Identifier, record)),
                        sql.SQL(", ").join(sql.Placeholder() * len(record)),
                    ),
                    list(record.values()),
                )

    return deliver


def people(settings: Settings) -> dict[tuple[int, int], str]:
    """The person of each (delivery, row)."""
    with warehouse.connect(settings) as connection:
        rows = connection.execute("select delivery_id, row_number, person_id from identity.link").fetchall()
    return {(delivery, row): person for delivery, row, person in rows}


def test_one_child_through_five_feeds(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001", "uniquelearnernumber": "1000000013"})
    put(2, "school_census__pupilonroll", {"upn": "b801200005001 "})
    put(3, "cin_census__child", {"upn": "B801200005001", "lachildid": "LA1"})
    put(4, "ssda903__header", {"child": "LA1"})
    put(5, "ehe_register__child", {"uln": "1000000013", "nhs_number": "999 000 0018"})
    put(6, "csds__cyp001mpi", {"nhs_number": "9990000018"})
    counts = identity.link(database, "r1")
    assert counts == {"records": 6, "linked_now": 6, "persons": 1, "new_persons": 1}
    assert set(people(database).values()) == {"P0000000001"}


def test_strangers_stay_apart_and_say_why(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": None}, {"upn": "0000000000000"})
    put(2, "school_census__pupilonroll", {"upn": "0000000000000"}, {"upn": "B801200005001"})
    identity.link(database, "r1")
    found = people(database)
    assert found[1, 2] == found[2, 3]
    assert len(set(found.values())) == 4
    with warehouse.connect(database) as connection:
        explained = dict(
            connection.execute("select (delivery_id, row_number)::text, explanation from identity.link").fetchall()
        )
    assert explained["(1,2)"] == "same UPN as another record"
    assert explained["(1,3)"] == "carries no usable identifier"
    assert explained["(2,2)"] == "carries no usable identifier"


def test_a_second_run_changes_nothing(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": "C801200005002"})
    identity.link(database, "r1")
    before = people(database)
    assert identity.link(database, "r1")["linked_now"] == 0
    assert people(database) == before


def test_a_new_delivery_meets_the_people_already_known(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"}, {"upn": "C801200005002"})
    identity.link(database, "r1")
    known = people(database)
    put(2, "school_census__pupilonroll", {"upn": "C801200005002"}, {"upn": "D801200005003"}, run="r2")
    assert identity.link(database, "r2")["new_persons"] == 1
    assert people(database)[2, 2] == known[1, 3]
    with warehouse.connect(database) as connection:
        explanation = connection.execute(
            "select explanation from identity.link where delivery_id = 2 order by row_number"
        )
        assert [text for (text,) in explanation] == [
            "same UPN as another record",
            "no other record carries its identifiers",
        ]


def test_a_record_that_joins_two_people_keeps_the_older(database: Settings, put: Put) -> None:
    put(1, "sen2__person", {"upn": "B801200005001"})
    put(2, "cin_census__child", {"lachildid": "LA1"})
    identity.link(database, "r1")
    assert len(set(people(database).values())) == 2
    put(3, "cin_census__child", {"lachildid": "LA1", "upn": "B801200005001"}, run="r2")
    identity.link(database, "r2")
    assert set(people(database).values()) == {"P0000000001"}
    with warehouse.connect(database) as connection:
        assert connection.execute("select person_id from identity.person").fetchall() == [("P0000000001",)]
        assert connection.execute("select distinct person_id from identity.identifier").fetchall() == [("P0000000001",)]


def test_an_episode_without_a_header_is_a_record_of_its_own(database: Settings, put: Put) -> None:
    put(1, "ssda903__header", {"child": "LA1"})
    put(1, "ssda903__episodes", {"child": "LA1"}, {"child": "LA2"})
    counts = identity.link(database, "r1")
    assert counts["records"] == 2
    with warehouse.connect(database) as connection:
        tables = connection.execute("select table_name, row_number from identity.link order by table_name").fetchall()
    assert tables == [("ssda903__episodes", 3), ("ssda903__header", 2)]


def test_people_are_numbered_alike_in_another_database(database: Settings, put: Put) -> None:
    put(7, "school_census__pupilonroll", {"upn": "D801200005003"}, {"upn": "B801200005001"})
    put(2, "sen2__person", {"upn": "B801200005001"})
    identity.link(database, "r1")
    # By source, delivery and row, not by the order of arrival: SEN2 comes first.
    assert people(database) == {(2, 2): "P0000000001", (7, 3): "P0000000001", (7, 2): "P0000000002"}


def test_an_unknown_run_is_refused(database: Settings) -> None:
    with pytest.raises(ValueError, match="no run r9"):
        identity.link(database, "r9")
