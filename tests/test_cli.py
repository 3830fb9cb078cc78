"""What a person is told at the terminal when a command cannot do what was asked."""

from datetime import date
from pathlib import Path

import pytest
import typer
from rich.console import Console

from send_returns import cli, landing, screen, terminal
from send_returns.settings import Settings


def _send_returns(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["send-returns", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_a_folder_that_holds_an_inbox_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inbox").mkdir()
    assert _send_returns(monkeypatch, "simulate", "--out", str(tmp_path), "--children", "100") == 1
    said = capsys.readouterr().err
    assert said == f"Failure: {tmp_path / 'inbox'} exists already: give a new folder, or remove it.\n"


@pytest.mark.parametrize("children", ["99", "365001"])
def test_a_county_that_cannot_be_simulated_is_refused_before_work(
    children: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _send_returns(monkeypatch, "simulate", "--out", str(tmp_path / "new"), "--children", children) == 2
    assert "Invalid value for '--children'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_name_of_a_stage_is_not_broken_by_its_narrow_counts(capsys: pytest.CaptureFixture[str]) -> None:
    screen.show_counts(Console(), {"models": 20}, title="intermediate")
    assert capsys.readouterr().out.splitlines()[0] == "intermediate"


@pytest.fixture
def register(database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A warehouse that the command line finds, with one delivery of which a heading is unknown."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(database.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(database.database_url))
    folder = tmp_path / "inbox" / "council" / "ehe_register"
    folder.mkdir(parents=True)
    (folder / "2026-10-01.csv").write_text("ehe_id,upn,uln,nhs_number,surname,forename,birth_date\n1,,,,,,01/02/2015\n")
    landing.land(database, "council", tmp_path / "inbox", date(2026, 10, 30))
    return database


@pytest.mark.usefixtures("register")
@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_board_says_who_owes_what_within_the_screen(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "console", Console(width=int(columns), highlight=False))
    assert _send_returns(monkeypatch, "status", "--as-of", "2026-10-30") == 0
    lines = capsys.readouterr().out.splitlines()
    board = lines[: next(number for number, line in enumerate(lines) if "°" in line and "wait" in line)]
    assert max(map(len, board)) <= int(columns)
    assert [line.split() for line in board if "ehe_register" in line] == [
        ["ehe_register", "01/10/2026", "came", "18/03/2027"]
    ]
    (owing,) = (line.split() for line in board if "dynamic_support_register" in line)
    assert owing == ["dynamic_support_register", "°", "missing", "15/11/2026", "1", "overdue"]
    assert any("sen2 (council) is missing" in line for line in lines)


@pytest.mark.usefixtures("register")
def test_chase_writes_the_texts_and_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "texts"
    assert _send_returns(monkeypatch, "chase", "--out", str(out), "--as-of", "2026-10-30") == 0
    said = capsys.readouterr().out.split()
    assert said == [str(path) for path in sorted(out.iterdir())]
    assert said


@pytest.mark.usefixtures("register")
def test_drift_is_listed_and_decided_by_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "console", Console(width=120, highlight=False))
    assert _send_returns(monkeypatch, "drift") == 0
    listed = capsys.readouterr().out
    assert "header birth_date" in listed
    assert "heading of date_of_birth" in listed
    number = next(line.split()[0] for line in listed.splitlines() if "birth_date" in line)
    assert _send_returns(monkeypatch, "drift", "accept", number, "--by", "officer", "--as-of", "2026-10-30") == 0
    assert "read again" in capsys.readouterr().out
    assert _send_returns(monkeypatch, "drift") == 0
    assert "by officer" in capsys.readouterr().out
    assert _send_returns(monkeypatch, "drift", "reject", number) == 1
    assert f"There is no open proposal {number}" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_said_in_one_line_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", "postgresql://someone:s3cret@127.0.0.1:9/nowhere")
    assert _send_returns(monkeypatch, "status") == 1
    told = capsys.readouterr().err
    assert told.startswith("Database: it could not be reached")
    assert "s3cret" not in told


@pytest.mark.parametrize("written", ["0001-01-01", "9999-12-31", "2026-02-29", "29/02/2024"])
def test_a_day_that_is_mistyped_is_refused_where_it_is_written(written: str) -> None:
    with pytest.raises(typer.BadParameter):
        terminal.day(written)
