"""A partnership in miniature: the tables of a run that passed its gate, with made-up lists to render."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from send_returns import layouts, publication, warehouse
from send_returns.releases import register
from send_returns.releases.register import Signer
from send_returns.sealing import keys
from send_returns.settings import Settings

AS_OF = date(2026, 11, 24)
LAYOUT = layouts.load("area_send_annex_a", AS_OF)
RUN = "r0123456789abcdef"

Row = dict[str, Any]

_TYPES = {"date": "date", "integer": "integer", "percentage": "numeric(5, 1)", "text": "text", "category": "text"}
_TEAMS = ("looked after children", "child protection", "children in need")


def children(count: int, first: int = 0) -> list[Row]:
    """Rows with every column of both lists, made by arithmetic; some ids begin with zeros, some cells are blank."""
    columns = {column.name: column for item in LAYOUT.lists for column in item.columns}
    rows = []
    for number in range(first, first + count):
        row: Row = {}
        for position, (name, column) in enumerate(columns.items()):
            mixed = number * 31 + position * 17
            wordings = list(column.categories.values())
            if column.type == "category":
                row[name] = wordings[mixed % len(wordings)]
            elif column.type == "date":
                row[name] = date(2012, 2, 29) + timedelta(days=mixed % 4000)
            elif column.type == "integer":
                row[name] = mixed % 4
            elif column.type == "percentage":
                row[name] = Decimal(mixed % 1001) / 10
        row["unique_id"] = f"{number:08}"
        row["person_id"] = f"p{number:06}"
        row["upn"] = f"A{919200000000 + number}" if number % 9 else None
        row["uln"] = f"{number:010}" if number % 3 == 0 else None
        row["main_establishment_urn"] = str(100_000 + number % 500) if number % 7 else None
        row["social_care_team"] = _TEAMS[number % 3] if number % 4 == 0 else None
        if number % 5:
            row["subsidiary_establishment_phase"] = None
        rows.append(row)
    return rows


class Partnership:
    """The warehouse of a test, which can be left as a run leaves it that has passed its gate."""

    run_id = RUN
    as_of = AS_OF
    layout = LAYOUT

    def __init__(self, settings: Settings, output: Path) -> None:
        self.settings, self.output = settings, output

    @property
    def pack(self) -> Path:
        return self.version(1)

    def version(self, number: int) -> Path:
        return self.output / "area_send_annex_a" / "hertfordshire" / "2026-11-24" / f"v{number}"

    @property
    def draft_pack(self) -> Path:
        """Where the first draft lies."""
        return self.settings.home / "releases" / "area_send_annex_a" / "hertfordshire" / "2026-11-24" / "v1"

    children = staticmethod(children)

    def passes(self, list_1: Sequence[Row], list_2: Sequence[Row], run_id: str = RUN) -> None:
        """A run has passed its gate with these lists and is live."""
        with warehouse.connect(self.settings) as connection:
            _publishable(connection, list_1, list_2, run_id)

    def execute(self, statement: str) -> None:
        with warehouse.connect(self.settings) as connection:
            connection.execute(statement)

    def draft(self, run_id: str = RUN) -> dict[str, object]:
        return publication.draft(self.settings, run_id, is_rehearsal=False, returns=["area_send_annex_a"])

    def sign(self, run_id: str = RUN, *, is_approved: bool = True, reason: str = "") -> None:
        for organisation, username in SIGNERS.items():
            asked = publication.for_signature(self.settings, run_id, organisation, is_rehearsal=False)
            publication.sign(self.settings, asked.packs, username=username, is_approved=is_approved, reason=reason)

    def publish(self, run_id: str = RUN) -> dict[str, object]:
        """Draft, have both partners sign, and publish."""
        drafted = self.draft(run_id)
        self.sign(run_id)
        return drafted | publication.publish(self.settings, run_id, self.output)


SIGNERS: dict[register.Organisation, str] = {"council": "director", "icb": "nurse"}


@pytest.fixture
def partnership(database: Settings, tmp_path: Path) -> Partnership:
    """A partnership with an empty warehouse, a signer of each organisation, a key, and nothing published."""
    with warehouse.connect(database) as connection:
        for organisation, username in SIGNERS.items():
            signer = Signer("hertfordshire", organisation, username, username, "Leads", date(2026, 1, 1), None, False)
            register.add_signer(connection, signer, by="registrar")
    keys.new(database)
    return Partnership(database, tmp_path / "output")


def _publishable(connection: psycopg.Connection, list_1: Sequence[Row], list_2: Sequence[Row], run_id: str) -> None:
    connection.execute("create schema if not exists returns")
    for item, rows in zip(LAYOUT.lists, (list_1, list_2), strict=True):
        table = sql.Identifier("returns", item.model)
        types = {column.name: _TYPES[column.type] for column in item.columns}
        types |= {"partnership": "text", "person_id": "text"}
        connection.execute(sql.SQL("drop table if exists {}").format(table))
        connection.execute(
            sql.SQL("create table {} ({})").format(
                table,
                sql.SQL(", ").join(sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in types.items()),
            )
        )
        copy = sql.SQL("copy {} ({}) from stdin").format(table, sql.SQL(", ").join(map(sql.Identifier, types)))
        with connection.cursor().copy(copy) as lines:
            # Backwards, so that an order can only come from the query.
            for row in reversed(rows):
                lines.write_row([{"partnership": "hertfordshire", **row}[name] for name in types])
    connection.execute(
        "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
        " values (%s, 'hertfordshire', %s, 'full', '0.1.0+test', repeat('ab', 32), 'passed')",
        (run_id, AS_OF),
    )
    for number, (feed, organisation, period, on, loaded, aside) in enumerate(_DELIVERIES, start=1):
        delivery = 2**62 + number
        connection.execute(
            "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
            " content_sha256, period_key, reference_on, status, rows_in, rows_loaded, rows_quarantined)"
            " values (%s, 'hertfordshire', %s, %s, '1', %s, repeat(%s, 32), %s, %s, 'accepted', %s, %s, %s)"
            " on conflict do nothing",
            (delivery, organisation, feed, feed, f"{number:02x}", period, on, loaded + aside, loaded, aside),
        )
        connection.execute(
            "insert into landing.delivery_file values (%s, %s, repeat(%s, 32), 1000) on conflict do nothing",
            (delivery, f"{feed}_Jane_Smith.csv", f"{number:02x}"),
        )
        connection.execute("insert into audit.run_delivery values (%s, %s)", (run_id, delivery))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into identity.link"
            " (delivery_id, row_number, feed, table_name, person_id, method, score, explanation)"
            " values (%s, %s, %s, %s, %s, 'exact', 1, 'same UPN') on conflict do nothing",
            [
                (2**62 + number, row, feed, table, f"p{row * step:06}")
                for number, feed, table, step in ((1, "sen2", "sen2__person", 1), (2, "school_census", "pupil", 2))
                for row in range(2, 12)
            ],
        )
    connection.execute(
        "update identity.link set state = 'in review' where (delivery_id, row_number) in ((%s, 2), (%s, 3))",
        (2**62 + 1, 2**62 + 2),
    )
    connection.execute("delete from audit.finding")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.finding (scope, delivery_id, rule, severity, table_name, fields, row_number, message)"
            " values ('delivery', %s, 'upn.check', 'query', 'sen2__person', '{upn}', %s, 'The UPN fails its check.')",
            [(2**62 + 1, row) for row in range(2, 9)],
        )
    for rule, suite, severity, outcome, failing, checked, blocks, message in _RULES:
        connection.execute(
            "insert into audit.check_result values (%s, %s, %s, %s, %s, %s, %s, %s, false, %s)",
            (run_id, rule, suite, severity, outcome, failing, checked, blocks, message),
        )
    connection.execute("insert into audit.gate_pass (run_id, inputs_sha256) values (%s, repeat('ab', 32))", (run_id,))
    connection.execute(
        "insert into audit.live values ('hertfordshire', %s)"
        " on conflict (partnership) do update set run_id = excluded.run_id",
        (run_id,),
    )


_DELIVERIES = [
    ("sen2", "council", "2026", date(2026, 1, 15), 12_920, 3),
    ("school_census", "council", "2026_autumn", date(2026, 10, 1), 200_410, 0),
    ("school_census", "council", "2026_summer", date(2026, 5, 21), 199_870, 12),
    ("csds", "icb", "2026", date(2026, 10, 31), 84_000, 41),
    ("gias", "reference", None, None, 52_000, 0),
]
_RULES = [
    ("101a", "annex_a", "error", "pass", 0, 60, "0.05", "Date of birth is missing."),
    ("107", "annex_a", "error", "fail", 2, 60, "0.05", "The person is aged 6 or over and has neither a UPN nor a ULN."),
    ("208b", "annex_a", "error", "fail", 1, 36_500, "0.05", "The child has a subsidiary setting without a main one."),
    ("not_empty.list_1", "release", "critical", "pass", 0, 60, "any", "The list is empty."),
]
