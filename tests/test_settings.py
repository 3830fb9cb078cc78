"""Settings: what they show of themselves."""

from pathlib import Path

import pytest

from send_returns import settings as settings_module
from send_returns.failure import Failure
from send_returns.settings import Settings


def test_settings_do_not_show_the_password_of_a_database() -> None:
    settings = Settings(home=Path("home"), database_url="postgresql://someone:s3cret@127.0.0.1/db")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("seconds", ["soon", "nan", "inf", "-1"])
def test_what_is_no_number_of_seconds_is_said_in_one_line(
    seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path))
    monkeypatch.setenv("SEND_RETURNS_QUIET_SECONDS", seconds)
    with pytest.raises(Failure, match="SEND_RETURNS_QUIET_SECONDS is not a number of seconds"):
        settings_module.load()


@pytest.mark.parametrize("workers", ["0", "65", "-1", "two", "1.5"])
def test_what_is_no_number_of_workers_is_said_in_one_line(
    workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path))
    monkeypatch.setenv("SEND_RETURNS_WORKERS", workers)
    with pytest.raises(Failure, match="SEND_RETURNS_WORKERS is not a number of workers"):
        settings_module.load()
    monkeypatch.setenv("SEND_RETURNS_WORKERS", "8")
    assert settings_module.load().workers == 8
