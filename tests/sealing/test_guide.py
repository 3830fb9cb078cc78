"""The page that explains the check by hand: its commands are run as they stand."""

import html
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from send_returns.sealing import guide, verify_pack


@pytest.fixture
def commands(tmp_path: Path) -> list[str]:
    guide.write_beside(tmp_path)
    page = (tmp_path / guide.PAGE).read_text()
    return [html.unescape(text) for text in re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)]


def _run(commands: list[str], start: str, pack: Path) -> str:
    """The output of the command that starts so, in the folder of the pack, with the pack's own line in it."""
    (command,) = [one for one in commands if one.startswith(start)]
    own = command.replace("sen2 county 2026-10-30 v1", "area_send_annex_a hertfordshire 2026-11-24 v1")
    done = subprocess.run(["sh", "-c", own], cwd=pack, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_program_beside_the_packs_is_the_one_that_checks_them_here(tmp_path: Path) -> None:
    guide.write_beside(tmp_path)
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]
    assert [name for name, _ in before] == ["how-to-check.html", "verify_pack.py"]
    assert (tmp_path / "verify_pack.py").read_bytes() == Path(verify_pack.__file__).read_bytes()
    guide.write_beside(tmp_path)
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())] == before


def test_the_hashes_can_be_checked_by_hand(sealed: Path, commands: list[str]) -> None:
    assert _run(commands, "sha256sum", sealed).count(": OK\n") == 5
    (sealed / "book.xlsx").write_bytes(b"")
    assert "book.xlsx: FAILED" in _run(commands, "sha256sum", sealed)
    of_release, of_sums = _run(commands, "grep", sealed).splitlines()
    assert of_sums.split()[0] in of_release


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no OpenSSL here")
def test_the_signature_can_be_checked_by_hand(sealed: Path, commands: list[str], installation: Any) -> None:
    assert _run(commands, "KEY=", sealed) == ""
    (key,) = (sealed.parent / "key.pem",)
    assert verify_pack.keys_of([str(key)]) == [installation.fingerprint]
    digits = _run(commands, "openssl pkey", sealed).split()[-1]
    assert digits[:32] == installation.fingerprint.replace("-", "")
    assert _run(commands, "{ printf", sealed) == "Signature Verified Successfully\n"
    # Who expects another version is told.
    later = [one.replace(" v1\\n", " v2\\n") for one in commands]
    (command,) = [one for one in later if one.startswith("{ printf")]
    assert "Failure" in _run([command.replace("sen2 county", "area_send_annex_a hertfordshire")], "{", sealed)


def test_the_page_asks_for_nothing_and_names_no_key(tmp_path: Path) -> None:
    guide.write_beside(tmp_path)
    page = (tmp_path / guide.PAGE).read_text()
    assert not re.search(r"\b(src|<script|@import|url\()", page)
    assert not re.search(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}", page)
