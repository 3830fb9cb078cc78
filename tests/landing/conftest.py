"""What the tests of landing share: a register of electively home-educated children, and questions to the database."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import landing, warehouse
from send_returns.settings import Settings

HEADER = "ehe_id,upn,uln,nhs_number,surname,forename,date_of_birth\n"

Ask = Callable[..., list[tuple[Any, ...]]]
Land = Callable[..., dict[str, Any]]


@pytest.fixture
def register() -> Callable[..., str]:
    """The text of a register of the children whose numbers are given."""

    def text(*children: int) -> str:
        return HEADER + "".join(f"{child},,,,Surname {child},,\n" for child in children)

    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`inbox/council/ehe_register`, made."""
    path = tmp_path / "inbox" / "council" / "ehe_register"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def ask(database: Settings) -> Ask:
    """The rows that a query gives."""

    def run(query: str, *values: object) -> list[tuple[Any, ...]]:
        with warehouse.connect(database) as connection:
            return connection.execute(query.encode(), values).fetchall()

    return run


@pytest.fixture
def land(database: Settings, folder: Path) -> Land:
    """Land the inbox; the counts that are not nought."""

    def run(inbox: Path | str = folder.parents[1], settings: Settings = database) -> dict[str, Any]:
        counts = landing.land(settings, "council", inbox, date(2026, 11, 1))
        return {name: count for name, count in counts.items() if count and name != "feeds"}

    return run
