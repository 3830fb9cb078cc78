"""A partnership that published its lists twice: one child left, one came, one has another value."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from psycopg import sql
from tests.returns.conftest import SIGNERS, Partnership

from send_returns import stages, warehouse
from send_returns.releases import register
from send_returns.releases.register import Signer
from send_returns.sealing import keys
from send_returns.settings import Settings

SECOND = "rfedcba9876543210"
RELEASES = [f"area_send_annex_a-hertfordshire-2026-11-24-v{number}" for number in (1, 2)]


def _corrected(partnership: Partnership) -> None:
    """Child 3 is listed no more, child 40 is, child 5 was excluded once more; another SEN2 delivery says so."""
    rows = partnership.children(8)
    partnership.passes(rows, partnership.children(4, first=20))
    _publish(partnership, partnership.run_id)
    later: list[dict[str, Any]] = [dict(row) for row in rows if row["unique_id"] != "00000003"]
    next(row for row in later if row["unique_id"] == "00000005")["suspensions"] = 9
    partnership.passes([*later, *partnership.children(1, first=40)], partnership.children(4, first=20), run_id=SECOND)
    with warehouse.connect(partnership.settings) as connection:
        old, new = 2**62 + 1, 2**62 + 9
        connection.execute(
            "insert into landing.delivery (delivery_id, partnership, organisation, feed, contract_version, name,"
            " content_sha256, period_key, reference_on, status, rows_in, rows_loaded, rows_quarantined)"
            " select %s, partnership, organisation, feed, '2', 'sen2_again', repeat('09', 32), period_key,"
            " reference_on, 'superseded', rows_in, rows_loaded, rows_quarantined from landing.delivery"
            " where delivery_id = %s",
            [new, old],
        )
        for statement, values in (
            (
                "update audit.run_delivery set delivery_id = %s where run_id = %s and delivery_id = %s",
                [new, SECOND, old],
            ),
            ("update identity.link set person_id = '00000005' where (delivery_id, row_number) = (%s, 7)", [old]),
            ("update audit.check_result set outcome = 'fail' where run_id = %s and rule = '101a'", [SECOND]),
        ):
            connection.execute(statement.encode(), values)
    _publish(partnership, SECOND)


def _publish(partnership: Partnership, run_id: str) -> None:
    """By the stage, which notes where the packs are."""
    partnership.draft(run_id)
    partnership.sign(run_id)
    stages.publish(partnership.settings, run_id, partnership.output)


@pytest.fixture(scope="module")
def corrected(module_database: Settings, tmp_path_factory: pytest.TempPathFactory) -> Partnership:
    """Two versions of the same date, the first superseded by the second: to be read and not written to."""
    with warehouse.connect(module_database) as connection:
        for organisation, username in SIGNERS.items():
            signer = Signer("hertfordshire", organisation, username, username, "Leads", date(2026, 1, 1), None, False)
            register.add_signer(connection, signer, by="registrar")
    keys.new(module_database)
    partnership = Partnership(module_database, tmp_path_factory.mktemp("packs") / "output")
    _corrected(partnership)
    return partnership


@contextmanager
def _reader(settings: Settings) -> Iterator[Settings]:
    """Settings by which one who may read releases, and no child, gets to the same database."""
    name = sql.Identifier("looker_of_a_test")
    with warehouse.connect(settings) as connection:
        connection.execute(sql.SQL("create role {} login password 'looks'").format(name))
        connection.execute(sql.SQL("grant release_reader to {}").format(name))
    at = warehouse.address(settings)
    try:
        yield replace(settings, database_url=f"postgresql://looker_of_a_test:looks@{at.host}:{at.port}/{at.database}")
    finally:
        with warehouse.connect(settings) as connection:
            connection.execute(sql.SQL("drop role {}").format(name))


@pytest.fixture(scope="module")
def reader(corrected: Partnership) -> Iterator[Settings]:
    """One who may read releases and no child."""
    with _reader(corrected.settings) as settings:
        yield settings
