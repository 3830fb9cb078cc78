"""A few children made by hand, built once for all tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import connect, dbt

CHILDREN = Path(__file__).parent.parent / "golden" / "children.sql"


@pytest.fixture(scope="session")
def built(
    new_database: Callable[[Path], AbstractContextManager[Settings]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The warehouse of those children, to be read."""
    with new_database(tmp_path_factory.mktemp("built") / "home") as settings:
        with connect(settings) as connection:
            connection.execute(CHILDREN.read_bytes())
        dbt.build(settings, "r1", "staging")
        dbt.build(settings, "r1", "intermediate")
        dbt.build(settings, "r1", "returns")
        yield settings


@pytest.fixture
def copy(
    built: Settings, copy_of: Callable[[Settings, Path], AbstractContextManager[Settings]], tmp_path: Path
) -> Iterator[Settings]:
    """A copy of it, to be changed."""
    with copy_of(built, tmp_path / "home") as settings:
        yield settings
