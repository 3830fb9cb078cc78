"""What a person sees and can do at the terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from tests.releases.conftest import FIRST, LATER, Line

from send_returns import cli
from send_returns.releases import audit
from send_returns.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def send_returns(database: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the database; returns its exit status and what it printed on either stream."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(database.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(database.database_url))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["send-returns", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        assert max(map(len, said.out.splitlines()), default=0) <= 100
        return int(stopped.value.code or 0), said.out, said.err

    return run


def test_a_release_is_listed_shown_and_withdrawn(line: Line, send_returns: Run) -> None:
    first = line.reach("published")
    line.reach("published", LATER, "corrected")
    line.rehearsal().reach("validated")
    status, out, _ = send_returns("releases", line.return_name)
    assert status == 0
    rows = [row.split() for row in out.splitlines() if f"{line.return_name}-" in row]
    assert [(row[0][-2:], row[1], len(row)) for row in rows] == [
        ("v3", "validated,", 3),
        ("v2", "published", 4),
        ("v1", "superseded", 4),
    ]
    status, out, _ = send_returns("release", "show", line.release_id(2))
    assert status == 0
    for said in (line.release_id(2), "published", "Ada Marsh", "Chief Nurse", "list.csv", "Changes since v1"):
        assert said in out
    status, out, _ = send_returns(
        "release", "withdraw", line.release_id(2), "--reason", "A feed was mistaken.", "--by", "registrar"
    )
    assert (status, out) == (0, f"{line.release_id(2)} is withdrawn. Tell whoever received it.\n")
    assert "A feed was mistaken." in send_returns("release", "show", line.release_id(2))[1]
    assert "Superseded by   v2" in send_returns("release", "show", first.release_id)[1].replace("  v2", "   v2")[:2000]


def test_whoever_looks_at_a_release_is_on_record(line: Line, send_returns: Run) -> None:
    release = line.draft(FIRST)
    send_returns("release", "show", release.release_id)
    (one,) = audit.events(line.connection, 1, "read")
    assert (one.subject, one.database_role, one.detail) == (release.release_id, "release_reader", {"attempt": 1})


def test_what_cannot_be_is_said_in_one_line(line: Line, send_returns: Run) -> None:
    line.reach("validated")
    assert send_returns("release", "withdraw", line.release_id(), "--reason", "Wrong.") == (
        1,
        "",
        f"Refused: {line.release_id()}: its state does not lead there: `send-returns release show` says where it"
        " stands.\n",
    )
    assert send_returns("release", "show", "none") == (
        1,
        "",
        "Failure: There is no release none: `send-returns releases` lists them.\n",
    )


def test_signers_are_added_listed_and_ended(connection: psycopg.Connection, send_returns: Run) -> None:
    described = ("--name", "Di Moss", "--role", "Finance Director", "--by", "registrar")
    words = ("signer", "add", "finance.icb", "icb", *described)
    assert send_returns(*words, "--from", "2026-02-01")[0] == 0
    row = next(row for row in send_returns("signer", "list")[1].splitlines() if "finance.icb" in row)
    assert row.split() == ["icb", "finance.icb", "Di", "Moss", "Finance", "Director", "2026-02-01", "releases"]
    assert send_returns("signer", "end", "finance.icb", "--on", "2026-06-30", "--by", "registrar")[0] == 0
    row = next(row for row in send_returns("signer", "list")[1].splitlines() if "finance.icb" in row)
    assert row.split()[-3:] == ["2026-02-01", "2026-06-30", "releases"]
    status, _, said = send_returns(*words[:3], "council", *described)
    assert (status, said.split(":")[0]) == (1, "Refused")
    told = audit.events(connection, 2, "decision")
    assert {(one.subject, one.person) for one in told} == {("signer finance.icb", "registrar")}


def test_the_audit_is_listed_and_verified(line: Line, send_returns: Run, tmp_path: Path) -> None:
    line.reach("published")
    status, out, _ = send_returns("audit", "--kind", "signature", "--limit", "2")
    assert status == 0
    assert out.count("signature") == 2
    anchor = audit.newest(line.connection)
    status, out, _ = send_returns("audit", "verify")
    assert (status, out) == (
        0,
        f"The audit is whole: {anchor.seq:,} entries, and every release is as it says.\n"
        f"Newest entry: {anchor.sha256}\n",
    )
    said = tmp_path / "release.json"
    said.write_text(json.dumps({"audit": {"seq": anchor.seq, "sha256": anchor.sha256}}))
    assert send_returns("audit", "verify", str(said))[0] == 0
    said.write_text(json.dumps({"audit": {"seq": anchor.seq, "sha256": "0" * 64}}))
    status, out, _ = send_returns("audit", "verify", str(said))
    assert (status, out.split(":")[0]) == (1, f"The audit is broken at entry {anchor.seq}")
    said.write_text("{}")
    assert send_returns("audit", "verify", str(said))[2] == f"Failure: {said} is not the release.json of a pack.\n"
