"""Settings: what they show of themselves."""

from pathlib import Path

from send_returns.settings import Settings


def test_settings_do_not_show_the_password_of_a_database() -> None:
    settings = Settings(home=Path("home"), database_url="postgresql://someone:s3cret@127.0.0.1/db")
    assert "s3cret" not in repr(settings)
