"""What a person is told at the terminal when a command cannot do what was asked."""

from pathlib import Path

import pytest
from rich.console import Console

from send_returns import cli, screen


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


@pytest.mark.parametrize("children", ["99", "120001"])
def test_a_county_that_cannot_be_simulated_is_refused_before_work(
    children: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _send_returns(monkeypatch, "simulate", "--out", str(tmp_path / "new"), "--children", children) == 2
    assert "Invalid value for '--children'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_name_of_a_stage_is_not_broken_by_its_narrow_counts(capsys: pytest.CaptureFixture[str]) -> None:
    screen.show_counts(Console(), {"models": 20}, title="intermediate")
    assert capsys.readouterr().out.splitlines()[0] == "intermediate"
