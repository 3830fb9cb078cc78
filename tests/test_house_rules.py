"""What a reader may assume of every file: where the time comes from, who imports whom, and no path of one machine."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "plugins" / "send_returns"

# Lowest first; a room may import those before it and those beside it.
ROOMS = (
    {"clock", "failure", "layouts", "settings"},
    {"warehouse"},
    {"feeds"},
    {"landing"},
    {"identity"},
    {"quality"},
    {"releases"},
    {"sealing"},
    {"returns"},
    {"publication"},
    {"inspection", "provenance", "rights"},
    {"stages", "terminal"},
    {
        "bench",
        "cli",
        "contract_commands",
        "demonstration",
        "inspection_commands",
        "key_commands",
        "orchestration",
        "provenance_commands",
        "release_commands",
        "review_commands",
        "rights_commands",
        "screen",
        "sealing_commands",
        "simulate",
    },
)
HEIGHT = {room: height for height, rooms in enumerate(ROOMS) for room in rooms}

# A migration is not whole without the raw tables, whose columns are the contracts': see warehouse.schema.
EXCEPTIONS = {("warehouse/schema.py", "landing")}

TIME_IN_PYTHON = re.compile(
    r"\b(date|datetime)\.(today|now|utcnow)\b"
    r"|\btime\.(time|time_ns|localtime|gmtime|monotonic|monotonic_ns|perf_counter|perf_counter_ns)\b"
    r"|\bfrom time import (?!sleep\b)"
)
TIME_IN_SQL = re.compile(
    r"\b(current_(date|time|timestamp)|localtime(stamp)?)\b|\b(?<!clock\.)(now|clock_timestamp|getdate|statement_timestamp)\s*\(\)"
    r"|'(today|now|yesterday|tomorrow)'|run_started_at|modules\.datetime",
    re.IGNORECASE,
)
# The instant of an audit row; no rule, model or return reads it.
AUDIT_INSTANT = re.compile(r"\w+_at timestamptz not null default now\(\)")


def tracked(*below: str) -> list[Path]:
    """The files that git tracks and the working tree still has."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", *below], cwd=REPOSITORY, capture_output=True, check=True)
    paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def lines_that_ask_the_time(text: str, *, is_python: bool) -> list[str]:
    """Lines of a file that ask the time; in Python, its SQL too."""
    patterns = (TIME_IN_PYTHON, TIME_IN_SQL) if is_python else (TIME_IN_SQL,)
    lines = [AUDIT_INSTANT.sub("", line) for line in text.splitlines()]
    return [line.strip() for line in lines if any(pattern.search(line) for pattern in patterns)]


def imports(source: str) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_above(module: Path, source: str) -> set[str]:
    """The higher rooms that a module of the package imports."""
    own = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    names = [name.split(".")[1] for name in imports(source) if name.startswith("send_returns.")]
    return {name for name in names if HEIGHT.get(name, -1) > HEIGHT[own]}


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"]


def test_only_the_clock_asks_the_time() -> None:
    files = [
        path
        for path in tracked("plugins", "dags", "dbt_project", "expectations")
        if path.suffix in {".py", ".sql", ".yml", ".yaml"} and path != PACKAGE / "clock.py"
    ]
    assert len(files) > 100
    asking = {
        str(path.relative_to(REPOSITORY)): lines
        for path in files
        if (lines := lines_that_ask_the_time(path.read_text(), is_python=path.suffix == ".py"))
    }
    assert not asking


@pytest.mark.parametrize(
    ("line", "is_python"),
    [
        ("age = date.today() - born", True),
        ("at = datetime.now(UTC)", True),
        ("from time import time", True),
        ("connection.execute('select now()')", True),
        ("where born_on > current_date", False),
        ("{{ run_started_at }}", False),
    ],
)
def test_a_line_that_asks_the_time_is_seen(line: str, is_python: bool) -> None:
    assert lines_that_ask_the_time(line, is_python=is_python)


def test_every_module_has_a_room() -> None:
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()} == set(HEIGHT)


def test_no_room_imports_a_higher_one() -> None:
    above = {
        (str(path.relative_to(PACKAGE)), room) for path in modules() for room in rooms_above(path, path.read_text())
    }
    assert above == EXCEPTIONS


def test_an_import_of_a_higher_room_is_seen() -> None:
    source = "def read():\n    from send_returns.returns import publish\n    from send_returns import quality"
    assert rooms_above(PACKAGE / "feeds" / "contract.py", source) == {"returns", "quality"}


def test_only_orchestration_knows_airflow() -> None:
    knowing = {
        path.relative_to(PACKAGE).parts[0]
        for path in modules()
        if any(name.split(".")[0] == "airflow" for name in imports(path.read_text()))
    }
    assert knowing == {"orchestration"}


def test_no_file_names_a_place_on_one_machine() -> None:
    places = re.compile(r"(?<![\w.~/-])/(work|home|root|Users)/\w|\.\./" + "shared")
    naming = [
        str(path.relative_to(REPOSITORY))
        for path in tracked()
        if path != Path(__file__) and places.search(path.read_bytes().decode(errors="ignore"))
    ]
    assert not naming
