"""A server of one's own, on which whoever migrates is no superuser and may not make roles."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.releases.conftest import SIGNERS, Line, prepare

from send_returns import warehouse
from send_returns.releases import audit
from send_returns.settings import Settings
from send_returns.warehouse import embedded
from send_returns.warehouse.schema import MigrationError

LOGIN = "plain_login"
ROLES = (
    "release_drafter, release_council_signer, release_icb_signer, release_publisher, release_reader, release_auditor"
)


@pytest.fixture
def administrator(server: Settings, template: str) -> Iterator[psycopg.Connection]:
    """The server's administrator. The roles are there: `template` was migrated."""
    assert template
    at = warehouse.address(server)
    with psycopg.connect(
        host=at.host,
        port=at.port,
        user=embedded.ADMIN,
        password=embedded.secret(server, "postgres_admin"),
        dbname="postgres",
        autocommit=True,
    ) as opened:
        yield opened


@pytest.fixture
def plain(server: Settings, administrator: psycopg.Connection, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty database whose owner has no right but to it."""
    password = secrets.token_urlsafe()
    administrator.execute(
        sql.SQL("create role {} login nocreaterole password {}").format(sql.Identifier(LOGIN), sql.Literal(password))
    )
    administrator.execute(sql.SQL("create database {0} owner {0}").format(sql.Identifier(LOGIN)))
    at = warehouse.address(server)
    try:
        yield replace(
            server, home=tmp_path, database_url=f"postgresql://{LOGIN}:{password}@{at.host}:{at.port}/{LOGIN}"
        )
    finally:
        administrator.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(LOGIN)))
        administrator.execute(sql.SQL("drop role {}").format(sql.Identifier(LOGIN)))


def test_roles_that_somebody_else_made_and_granted_are_enough(
    plain: Settings, administrator: psycopg.Connection
) -> None:
    with pytest.raises(MigrationError, match=r"0008_releases\.sql: plain_login has not the right to it"):
        warehouse.migrate(plain)
    administrator.execute(f"grant {ROLES} to {LOGIN} with inherit false, set true".encode())
    assert "0008_releases.sql" in warehouse.migrate(plain)
    prepare(plain)
    with warehouse.connect(plain, autocommit=True) as connection:
        line = Line(connection, "return_0")
        assert line.reach("published").state == "published"
        assert audit.verify_chain(connection) is None
        assert audit.altered(connection) == []
        for statement in ("delete from release.release", "update release.signature set reason = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        assert len(SIGNERS) == connection.execute("select count(*) from release.signer").fetchall()[0][0]
