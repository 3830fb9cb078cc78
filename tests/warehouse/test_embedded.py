"""The embedded server: real, loopback only, and never trusting."""

import shutil
import stat
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from send_returns import warehouse
from send_returns.settings import Settings


def test_the_server_listens_on_loopback_and_wants_a_password(server: Settings) -> None:
    at = warehouse.address(server)
    with warehouse.connect(server, autocommit=True) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show server_version_num").fetchone() >= ("180000",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=at.host, port=at.port, user=at.user, password="wrong", dbname=at.database)


def test_the_owner_of_the_data_is_no_superuser(server: Settings) -> None:
    with warehouse.connect(server) as connection:
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)


def test_secrets_are_for_their_owner_only(server: Settings) -> None:
    secrets = list((server.home / "secrets").iterdir())
    assert secrets
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in secrets)


def test_a_value_in_an_error_never_reaches_the_servers_log(server: Settings) -> None:
    with warehouse.connect(server) as connection, pytest.raises(psycopg.errors.InvalidTextRepresentation):
        connection.execute("select 'CANARYNAME'::integer")
    log = warehouse.embedded._place(server).data.parent / "server.log"
    assert "CANARYNAME" not in log.read_text()


def test_starting_twice_starts_once(server: Settings) -> None:
    assert warehouse.ensure_server(server) is False


def test_a_second_start_recovers_after_a_crash(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(home=tmp_path_factory.mktemp("crash"))
    warehouse.ensure_server(settings)
    try:
        with warehouse.connect(settings) as connection:
            connection.execute("create table kept (n integer)")
            connection.execute("insert into kept values (1)")
        place = warehouse.embedded._place(settings)
        place.run("pg_ctl", "stop", "-m", "immediate", "-D", str(place.data))
        assert warehouse.ensure_server(settings) is True
        with warehouse.connect(settings) as connection:
            assert connection.execute("select n from kept").fetchone() == (1,)
    finally:
        warehouse.stop_server(settings, remove=True)


def test_the_block_stops_only_what_it_started(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(home=tmp_path_factory.mktemp("block"))
    try:
        with warehouse.running(settings):
            with warehouse.running(settings):
                pass
            warehouse.connect(settings).close()
        with pytest.raises(psycopg.OperationalError):
            warehouse.connect(settings)

        # Of two that overlap the last one stops it, whichever began.
        first, second = ExitStack(), ExitStack()
        first.enter_context(warehouse.running(settings))
        second.enter_context(warehouse.running(settings))
        first.close()
        warehouse.connect(settings).close()
        second.close()
        with pytest.raises(psycopg.OperationalError):
            warehouse.connect(settings)

        with warehouse.running(settings):
            assert warehouse.ensure_server(settings) is False  # somebody wants it up for good
        warehouse.connect(settings).close()
    finally:
        warehouse.stop_server(settings, remove=True)


def test_an_address_hides_its_password(server: Settings) -> None:
    at = warehouse.address(server)
    assert at.password not in repr(at)


def test_a_database_without_its_passwords_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(home=tmp_path_factory.mktemp("lost"))
    warehouse.ensure_server(settings)
    warehouse.stop_server(settings)
    shutil.rmtree(settings.home / "secrets")
    try:
        with pytest.raises(warehouse.embedded.ServerError, match="server remove"):
            warehouse.ensure_server(settings)
    finally:
        warehouse.stop_server(settings, remove=True)


def test_a_port_that_another_takes_at_the_same_moment_is_given_up_for_another(
    server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, free = warehouse.address(server).port, warehouse.embedded.free_port
    asked: list[tuple[int, ...]] = []

    def late(*preferred: int) -> int:
        asked.append(preferred)
        return taken if len(asked) == 1 else free(*preferred)

    monkeypatch.setattr(warehouse.embedded, "free_port", late)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    other = Settings(home=home)
    try:
        assert warehouse.ensure_server(other)
        assert warehouse.address(other).port != taken
    finally:
        warehouse.stop_server(other, remove=True)
    assert asked[1:] == [()]
