"""A day's delta, linked as it comes, ends where one run over everything ends."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.identity.conftest import Put

from send_returns import identity, warehouse
from send_returns.settings import Settings

TABLES = {
    "school_census__pupilonroll": ("upn", "surname", "forename", "born", "sex", "postcode"),
    "ehc_casework__case": ("upn", "la_child_id", "surname", "forename", "born", "postcode"),
    "csds__cyp001mpi": ("nhs_number", "born", "sex", "postcode"),
    "nhs_number_trace__trace": ("la_child_id", "upn", "nhs_number"),
    "cin_census__child": ("la_child_id", "upn", "born", "sex"),
}
COLUMNS = {
    "school_census__pupilonroll": {"born": "dob"},
    "ehc_casework__case": {"born": "date_of_birth"},
    "csds__cyp001mpi": {
        "born": "person_birth_date",
        "sex": "person_stated_gender_code",
        "postcode": "postcode_of_usual_address",
    },
    "cin_census__child": {"la_child_id": "lachildid", "born": "personbirthdate", "sex": "gendercurrent"},
    "nhs_number_trace__trace": {},
}
# Two families, with twins in one: few enough values that numbers and names collide.
CHILD = st.fixed_dictionaries(
    {
        "upn": st.sampled_from(["B801200005001", "C801200005002", "D801200005003", "E80120000500A", None]),
        "la_child_id": st.sampled_from(["101", "102", "0103", None]),
        "nhs_number": st.sampled_from(["9990000018", "9990000026", "9990000034", None]),
        "surname": st.sampled_from(["Fictwell", "Fictwel", "Sampleton", None]),
        "forename": st.sampled_from(["Rory", "Theo", "Isla", None]),
        "born": st.sampled_from(["2015-03-04", "2015-04-03", "2015-01-01", "2012-11-20", None]),
        "sex": st.sampled_from(["1", "2", None]),
        "postcode": st.sampled_from(["AL1 3JE", "SG4 8BQ", None]),
    }
)
RECORD = st.tuples(st.sampled_from(sorted(TABLES)), CHILD)
DELIVERIES = st.lists(st.lists(RECORD, min_size=1, max_size=6), min_size=2, max_size=4)
# On a later day a delivery of an earlier one may be gone, because it was sent again.
GONE = st.lists(st.integers(0, 9), max_size=2)
# What a person found of two of the profiles, by their places.
DECISIONS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from(["same", "different"])), max_size=2
)


def row(table: str, child: Mapping[str, str | None]) -> dict[str, str | None]:
    said = {COLUMNS[table].get(role, role): child[role] for role in TABLES[table]}
    return said | ({"trace_outcome": "01"} if "trace" in table else {})


# Raw rows stay as a run read them, so that each example has numbers of its own.
NUMBERS = count(1_000, 1_000)


def deliver(
    put: Put, deliveries: Sequence[Sequence[tuple[str, Mapping[str, str | None]]]], runs: Sequence[str], first: int
) -> None:
    """Each delivery into the run of its place, a table of it as a delivery of its own."""
    number = first
    for run, records in zip(runs, deliveries, strict=True):
        for table in sorted({table for table, _ in records}):
            number += 1
            put(number, table, *(row(table, child) for of, child in records if of == table), run=run)


def forgotten(database: Settings) -> None:
    """Nothing is known of anyone."""
    with warehouse.connect(database) as connection:
        # Deleted and not truncated: what refers to a person, such as a removal and its deliveries, would go with it.
        for table in ("profile", "link", "edge", "review", "decision", "event", "person"):
            connection.execute(f"delete from identity.{table}".encode())


def decide(database: Settings, decisions: Sequence[tuple[int, int, str]], profiles: Sequence[str]) -> None:
    """Record decisions of one reviewer each about profiles, by their places."""
    with warehouse.connect(database) as connection:
        for one, other, verdict in decisions:
            pair = sorted({profiles[one % len(profiles)], profiles[other % len(profiles)]})
            if len(pair) == 2:
                connection.execute(
                    "insert into identity.decision (partnership, left_id, right_id, verdict, needed, reviewer, reason,"
                    " decided_at) values ('hertfordshire', %s, %s, %s, 1, 'reviewer', 'seen', '2026-11-01')",
                    [*pair, verdict],
                )


def outcome(database: Settings, first: int, run_id: str) -> tuple[Any, ...]:
    """Who is with whom in a run, in what state and why, and what is asked; not how people are numbered."""
    with warehouse.connect(database) as connection:
        links = connection.execute(
            "select delivery_id - %s, table_name, row_number, person_id, method, score, explanation, state"
            " from identity.link join audit.run_delivery using (delivery_id) where run_id = %s order by 1, 2, 3",
            [first, run_id],
        ).fetchall()
        asked = connection.execute(
            "select left_id::text, right_id::text, reason, explanation from identity.review where state = 'open'"
            " order by 1, 2"
        ).fetchall()
    first: dict[str, int] = {}
    return [(*link[:3], first.setdefault(link[3], position), *link[4:]) for position, link in enumerate(links)], asked


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deliveries=DELIVERIES, gone=GONE, decisions=DECISIONS)
def test_what_comes_day_by_day_ends_where_one_run_over_all_ends(
    database: Settings,
    put: Put,
    deliveries: list[list[tuple[str, dict[str, str | None]]]],
    gone: list[int],
    decisions: list[tuple[int, int, str]],
) -> None:
    first = next(NUMBERS)
    days = [f"day{first + number}" for number in range(len(deliveries))]
    deliver(put, deliveries, days, first)
    last, whole_run = days[-1], f"all{first}"
    with warehouse.connect(database) as connection:
        for later, earlier in zip(days[1:], days, strict=False):
            connection.execute(
                "insert into audit.run_delivery select %s, delivery_id from audit.run_delivery where run_id = %s",
                [later, earlier],
            )
        for number in gone:
            connection.execute(
                "delete from audit.run_delivery where run_id = %s and delivery_id in (select delivery_id"
                " from audit.run_delivery where run_id = %s order by delivery_id offset %s limit 1)",
                [last, days[0], number],
            )
        connection.execute(
            "insert into audit.run select %s, partnership, as_of, mode, code_version, manifest_sha256, status"
            " from audit.run where run_id = %s",
            [whole_run, last],
        )
        connection.execute(
            "insert into audit.run_delivery select %s, delivery_id from audit.run_delivery where run_id = %s",
            [whole_run, last],
        )

    forgotten(database)
    identity.link(database, whole_run)
    with warehouse.connect(database) as connection:
        profiles = [
            profile for (profile,) in connection.execute("select profile_id::text from identity.profile order by 1")
        ]
    forgotten(database)
    decide(database, decisions, profiles)
    identity.link(database, whole_run)
    whole = outcome(database, first, whole_run)
    assert whole[0]
    forgotten(database)
    for day in days[:-1]:
        identity.link(database, day)
    decide(database, decisions, profiles)
    identity.link(database, last)
    assert outcome(database, first, last) == whole
