"""The installation's signing key, and the commands for keys, recipients, checking and delivery."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyrage
import pytest
from rich.console import Console
from tests.releases.conftest import FIRST, Line, prepare

from send_returns import cli, sealing_commands, warehouse
from send_returns.releases import audit, register
from send_returns.returns.pack import digest
from send_returns.sealing import keys, release_file
from send_returns.sealing.keys import SigningKeyRefused
from send_returns.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "own"
    home.mkdir(mode=0o700)
    return Settings(home=home)


def test_without_a_key_nothing_is_sealed(settings: Settings) -> None:
    with pytest.raises(SigningKeyRefused, match="without one nothing is published: put yours there, or make the first"):
        keys.current(settings)
    with pytest.raises(SigningKeyRefused, match="There is no signing key to follow"):
        keys.rotate(settings)


def test_a_key_is_its_owners_only_and_rotation_keeps_what_checks(settings: Settings) -> None:
    first = keys.new(settings)
    place = keys.folder(settings)
    assert {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()} == {
        ".lock": 0o600,
        "signing-1": 0o600,
        "signing-1.pub": 0o644,
    }
    with pytest.raises(SigningKeyRefused, match="There is a signing key already, signing-1"):
        keys.new(settings)
    second = keys.rotate(settings)
    assert keys.public_keys(settings) == [first, second]
    assert keys.current(settings).public == second
    assert sorted(path.name for path in place.iterdir()) == [".lock", "signing-1.pub", "signing-2", "signing-2.pub"]
    assert b"PRIVATE" in (place / "signing-2").read_bytes()
    assert "PRIVATE" not in repr(keys.current(settings))


def test_a_rehearsals_key_seals_rehearsals_only(settings: Settings, sealed: Path) -> None:
    rehearsal = keys.new(settings, is_rehearsal=True)
    statement = release_file.verify_pack.read_release((sealed / "release.json").read_bytes())
    with pytest.raises(release_file.NotSealed, match="signing-1 was made for rehearsals and seals no real release"):
        release_file.finish(sealed, statement, keys.current(settings))
    release_file.finish(sealed, statement | {"rehearsal": True}, keys.current(settings))
    assert (
        "REHEARSAL: made to practise. Nobody answers for its figures." in release_file.verify_pack.check(sealed).lines()
    )
    # The first real key follows it.
    assert keys.new(settings).number == rehearsal.number + 1
    assert [key.is_rehearsal for key in keys.public_keys(settings)] == [True, False]


def test_a_key_that_is_not_safe_to_use_is_not_used(settings: Settings) -> None:
    keys.new(settings)
    secret = keys.folder(settings) / "signing-1"
    content = secret.read_bytes()
    secret.chmod(0o640)
    with pytest.raises(SigningKeyRefused, match="Others than its owner can read"):
        keys.current(settings)
    secret.chmod(0o600)
    for wrong in (b"", content[: len(content) // 2], b"x" * 200):
        secret.write_bytes(wrong)
        with pytest.raises(SigningKeyRefused, match="is not the secret of") as refused:
            keys.current(settings)
        assert "PRIVATE" not in str(refused.value)
    secret.unlink()
    with pytest.raises(SigningKeyRefused, match="cannot be read"):
        keys.current(settings)
    keys.folder(settings).chmod(0o777)
    with pytest.raises(SigningKeyRefused, match="Others can write to"):
        keys.public_keys(settings)
    keys.folder(settings).chmod(0o700)
    (keys.folder(settings) / "signing-1.pub").write_text("{}")
    with pytest.raises(SigningKeyRefused, match="does not hold a public key and its day"):
        keys.public_keys(settings)


def test_a_pack_that_does_not_fit_its_release_is_not_sealed(installation: Any) -> None:
    for changes, said in (
        ({"pack_sha256": "0" * 64}, r"release\.json was made for another pack"),
        ({"version": 2}, r"release\.json is for another return, date or version"),
        ({"signers": []}, r"release\.json does not name signers of two organisations"),
        ({"return": "not plain"}, "cannot be written: its id, return and partnership must be plain words"),
    ):
        with pytest.raises(release_file.NotSealed, match=said):
            installation.publish(1, **changes)
        assert list(installation.place(1).parent.iterdir()) == []


def _send_returns(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["send-returns", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


@pytest.fixture
def registered(
    new_database: Callable[[Path], AbstractContextManager[Settings]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Line]:
    """The register of releases of an installation without a key, with signers and no release."""
    with new_database(tmp_path / "elsewhere") as settings:
        monkeypatch.setenv("SEND_RETURNS_HOME", str(settings.home))
        monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(settings.database_url))
        prepare(settings)
        with warehouse.connect(settings, autocommit=True) as connection:
            yield Line(connection, "area_send_annex_a")


def test_the_commands(
    installation: Any,
    registered: Line,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    connection = registered.connection
    monkeypatch.setattr(sealing_commands, "console", Console(width=160, highlight=False))
    assert _send_returns(monkeypatch, "seal-key", "new") == 0
    installation.settings = Settings(home=tmp_path / "elsewhere")
    first_key = installation.fingerprint
    assert capsys.readouterr().out.splitlines()[-1] == first_key
    pack = installation.publish()
    # Without --key, this installation's own keys are what is trusted.
    assert _send_returns(monkeypatch, "verify", pack) == 0
    assert "one of those that it was checked against" in capsys.readouterr().out
    assert _send_returns(monkeypatch, "verify", pack, "--expect-version", 2) == 1
    assert _send_returns(monkeypatch, "verify", pack, "--key", "0" * 32) == 1
    assert _send_returns(monkeypatch, "verify", tmp_path / "nowhere") == 2
    capsys.readouterr()

    (tmp_path / "share").mkdir()
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 1
    assert "There is no release area_send_annex_a-hertfordshire-2026-11-24-v1" in capsys.readouterr().err
    release = registered.draft(content="another")
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 1
    assert "the register has another pack under that name" in capsys.readouterr().err
    files = [register.File("List_1.csv", digest(pack / "List_1.csv"), 1)]
    sha256 = digest(pack / "manifest.json")
    named = {"version": 1, "is_rehearsal": False}
    register.open_draft(connection, FIRST, "area_send_annex_a", sha256, files, **named)
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 1
    assert f"{release.release_id} is not to be sent: it is draft, not published." in capsys.readouterr().err
    register.validate(connection, release.release_id)
    for username in (registered.council, registered.icb):
        register.sign(connection, release.release_id, username, sha256, "approve")
    registered.publish(release)
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 1
    assert "Nobody is registered to receive area_send_annex_a on 2026-11-26" in capsys.readouterr().err
    key = str(pyrage.x25519.Identity.generate().to_public())
    add = ("recipient", "add", key, "--name", "Ines Specter", "--organisation", "Ofsted", "--on", "2026-11-01")
    assert _send_returns(monkeypatch, *add, "--return", "no_such_return") == 2
    assert _send_returns(monkeypatch, *add, "--return", "area_send_annex_a") == 0
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 0
    (sent,) = (tmp_path / "share").iterdir()
    assert sent.suffix == ".age"
    other = str(pyrage.x25519.Identity.generate().to_public())
    assert _send_returns(monkeypatch, "recipient", "add", other, *add[3:], "--return", "area_send_annex_a") == 0
    to = ("deliver", pack, tmp_path / "share", "--on", "2026-11-26", "--to")
    assert _send_returns(monkeypatch, *to, key) == 0
    assert list((tmp_path / "share").iterdir()) == [sent]
    assert _send_returns(monkeypatch, *to, str(pyrage.x25519.Identity.generate().to_public())) == 1
    assert "is not registered to receive area_send_annex_a" in capsys.readouterr().err
    assert _send_returns(monkeypatch, "recipient", "end", other, "--on", "2026-11-27") == 0
    assert _send_returns(monkeypatch, "recipient", "end", key, "--on", "2026-11-27") == 0
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-27") == 1
    capsys.readouterr()
    assert _send_returns(monkeypatch, "recipient", "list") == 0
    said = capsys.readouterr().out
    assert key in said
    assert "2026-11-27" in said

    register.withdraw(connection, release.release_id, "A feed was mistaken.", by="registrar")
    assert _send_returns(monkeypatch, "deliver", pack, tmp_path / "share", "--on", "2026-11-26") == 1
    assert "is not to be sent: it was withdrawn. A feed was mistaken." in capsys.readouterr().err

    assert _send_returns(monkeypatch, "seal-key", "rotate") == 0
    capsys.readouterr()
    assert _send_returns(monkeypatch, "seal-key", "list") == 0
    listed = capsys.readouterr().out
    assert all(one.fingerprint in listed for one in keys.public_keys(installation.settings))
    assert _send_returns(monkeypatch, "seal-key", "list", "--pem") == 0
    assert capsys.readouterr().out.count("BEGIN PUBLIC KEY") == 2
    assert _send_returns(monkeypatch, "verify", pack) == 0

    told = list(reversed(audit.events(connection, 100)))
    given = {"organisation": "Ofsted", "returns": ["area_send_annex_a"], "from": "2026-11-01"}
    assert [(one.subject, one.detail) for one in told if one.subject.startswith(("recipient ", "seal-key "))] == [
        ("seal-key signing-1", {"fingerprint": first_key, "seals": "releases"}),
        (f"recipient {key}", given),
        (f"recipient {other}", given),
        (f"recipient {other}", {"ended": "2026-11-27"}),
        (f"recipient {key}", {"ended": "2026-11-27"}),
        ("seal-key signing-2", {"fingerprint": installation.fingerprint, "seals": "releases"}),
    ]
    assert [one.detail["outcome"] for one in told if one.kind == "delivery"] == ["delivered", "same"]
