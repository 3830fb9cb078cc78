"""What an inspector's check finds: each way in which a pack could be another one than was signed."""

import ast
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns.returns.pack import canonical, digest
from send_returns.sealing import keys, parcel, release_file, verify_pack
from send_returns.sealing.verify_pack import Expected, check

TOOL = Path(verify_pack.__file__)
FILES = ["List_1.csv", "List_2.csv", "SHA256SUMS", "book.xlsx", "guide.html", "manifest.json"]
PROOFS = ["release.json", "release.json.sig"]


def _change(path: Path, **changes: object) -> None:
    path.write_bytes(canonical(json.loads(path.read_bytes()) | changes))


def _tool(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The single file, as who has nothing but Python runs it."""
    command = [sys.executable, "-I", "-S", str(TOOL), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


def test_a_pack_as_it_was_published_is_verified_and_says_who_signed(sealed: Path, installation: Any) -> None:
    assert sorted(path.name for path in sealed.iterdir()) == sorted(FILES + PROOFS)
    assert check(sealed, [installation.fingerprint]).lines() == [
        f"{sealed}: 8 files are as sealed: area_send_annex_a of hertfordshire as of 2026-11-24, version 1.",
        "Signed for council by Ada Byron, Director of Education, on 2026-11-25 08:00 UTC.",
        "Signed for icb by Zoë O'Neill, Chief Nurse, on 2026-11-25 09:30 UTC.",
        f"Sealed with key {installation.fingerprint}, one of those that it was checked against.",
    ]
    *_, last = check(sealed).lines()
    assert last.startswith(f"Signed by key {installation.fingerprint}. Whose it is, the pack cannot prove: ask the")


def test_a_flipped_byte_is_caught_in_every_file(sealed: Path) -> None:
    seed = random.Random(6)
    for name in FILES + PROOFS:
        path = sealed / name
        content = path.read_bytes()
        if not content:
            continue
        for at in {0, len(content) - 1, *(seed.randrange(len(content)) for _ in range(7))}:
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << seed.randrange(8)]) + content[at + 1 :])
            report = check(sealed)
            assert report.exit_code, (name, at)
            told = " ".join(report.lines())
            # A byte of release.json can only be seen in that its signature no longer fits.
            assert name in told or (name == "release.json" and "release.json.sig" in told), (name, at)
        path.write_bytes(content)
    assert check(sealed).exit_code == 0


@pytest.mark.parametrize("name", FILES + PROOFS)
def test_a_file_that_is_cut_off_longer_or_gone_is_caught(sealed: Path, name: str) -> None:
    path = sealed / name
    content = path.read_bytes()
    for other in (content[:-1], content[: len(content) // 2], content + b"\n"):
        if other != content:
            path.write_bytes(other)
            assert check(sealed).exit_code
    path.unlink()
    assert check(sealed).exit_code == (2 if name in ("manifest.json", "SHA256SUMS") else 1)
    path.write_bytes(content)
    assert check(sealed).exit_code == 0


def test_line_ends_that_only_some_readers_take_for_such_are_caught(sealed: Path, tell: Any) -> None:
    sums = (sealed / "SHA256SUMS").read_bytes()
    (sealed / "SHA256SUMS").write_bytes(sums.replace(b"\n", b"\x0b", 1))
    assert tell() == [("SHA256SUMS", "differs")]


def test_a_pack_that_was_made_whole_again_after_a_change_does_not_fit_its_signature(sealed: Path, tell: Any) -> None:
    (sealed / "List_1.csv").write_text("Unique ID\r\n")
    manifest = json.loads((sealed / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        entry.update(sha256=digest(sealed / entry["name"]), bytes=(sealed / entry["name"]).stat().st_size)
    (sealed / "manifest.json").write_bytes(canonical(manifest))
    names = [entry["name"] for entry in manifest["files"]] + ["manifest.json"]
    (sealed / "SHA256SUMS").write_bytes(verify_pack.sums_bytes({name: digest(sealed / name) for name in names}))
    assert tell() == [("release.json", "another pack")]
    _change(sealed / "release.json", pack_sha256=digest(sealed / "manifest.json"))
    assert tell() == [("release.json.sig", "not signed")]


def test_who_takes_the_signature_away_is_caught(sealed: Path, tell: Any) -> None:
    signature = (sealed / "release.json.sig").read_bytes()
    (sealed / "release.json.sig").unlink()
    assert tell() == [("release.json.sig", "missing")]
    (sealed / "release.json").unlink()
    assert tell() == [("release.json", "unsigned")]
    assert tell(must_be_signed=False) == []
    (sealed / "release.json.sig").write_bytes(signature)
    assert tell() == [("release.json", "missing")]


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), b"\xff" * 64, bytes(65)])
def test_what_is_no_signature_is_caught(sealed: Path, tell: Any, signature: bytes) -> None:
    (sealed / "release.json.sig").write_bytes(signature)
    assert tell() == [("release.json.sig", "not signed")]


def test_another_key_is_caught_when_the_reader_knows_whose_it_must_be(
    sealed: Path, installation: Any, tell: Any, tmp_path: Path
) -> None:
    """Somebody seals a pack of their own with a key of their own: it is whole, and only the fingerprint tells."""
    (tmp_path / "other").mkdir()
    forger = type(installation)(tmp_path / "other")
    forged = forger.publish()
    assert check(forged).exit_code == 0
    assert check(forged, [installation.fingerprint]).problems == (
        verify_pack.Problem("release.json", "another key", f"its key is {forger.fingerprint}"),
    )
    # Nor does the name of the right key help on it.
    right = json.loads((sealed / "release.json").read_bytes())["key"]
    _change(forged / "release.json", key=right)
    assert tell(forged, keys=[installation.fingerprint]) == [("release.json.sig", "not signed")]
    # Nor its fingerprint beside the forger's own key.
    own = keys.current(forger.settings)
    key = {"fingerprint": right["fingerprint"], "public_key": verify_pack.public_key_text(own.public.key)}
    _change(forged / "release.json", key=key)
    text = (forged / "release.json").read_bytes()
    (forged / "release.json.sig").write_bytes(own.sign(verify_pack.message(json.loads(text), text)))
    assert tell(forged, keys=[installation.fingerprint]) == [("release.json", "unreadable")]


def test_a_pack_that_an_older_key_sealed_stays_valid(sealed: Path, installation: Any) -> None:
    before = installation.fingerprint
    keys.rotate(installation.settings)
    known = [key.fingerprint for key in keys.public_keys(installation.settings)]
    assert known == [before, installation.fingerprint]
    assert check(sealed, known).exit_code == 0
    assert check(sealed, [installation.fingerprint]).exit_code == 1


def test_the_release_of_another_version_or_return_does_not_fit(installation: Any, tell: Any) -> None:
    first, second = installation.publish(1), installation.publish(2)
    other = installation.publish(1, "area_send_evidence")
    for whose in (second, other):
        kept = {name: (first / name).read_bytes() for name in PROOFS}
        for name in PROOFS:
            shutil.copy(whose / name, first / name)
        assert ("release.json", "another pack") in tell(first)
        assert ("release.json", "another release") in tell(first)
        for name, content in kept.items():
            (first / name).write_bytes(content)


def test_a_signature_is_bound_to_return_date_and_version(sealed: Path, installation: Any) -> None:
    """The line that is signed says them, so that a reader who makes the line by hand checks them too."""
    text = (sealed / "release.json").read_bytes()
    release = verify_pack.read_release(text)
    signature = (sealed / "release.json.sig").read_bytes()
    assert verify_pack.message(release, text) == (
        b"send-returns release 1\narea_send_annex_a hertfordshire 2026-11-24 v1\n" + text
    )
    assert verify_pack.is_signed(release, text, signature)
    for key, value in {"return": "sen2", "partnership": "surrey", "as_of": "2026-11-25", "version": 2}.items():
        assert not verify_pack.is_signed(release | {key: value}, text, signature)
    key = keys.public_keys(installation.settings)[0].key
    assert not verify_pack.is_ed25519(key, text, signature)


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        (Expected(version=2), "you expect version 2, and it says 1"),
        (Expected(return_name="sen2"), "you expect sen2, and it says area_send_annex_a"),
        (Expected(as_of=date(2026, 11, 25)), "you expect 2026-11-25, and it says 2026-11-24"),
    ],
)
def test_a_pack_that_is_not_what_the_reader_was_told_is_caught(sealed: Path, expected: Expected, more: str) -> None:
    assert check(sealed, (), expected).problems == (verify_pack.Problem("release.json", "another release", more),)
    assert check(sealed, (), Expected("area_send_annex_a", date(2026, 11, 24), 1)).exit_code == 0


def test_an_older_pack_is_caught_when_a_newer_lies_beside_it(installation: Any, tell: Any, tmp_path: Path) -> None:
    first = installation.publish(1)
    assert tell(first) == []
    second = installation.publish(2)
    assert tell(first) == [("release.json", "older")]
    assert tell(second) == []
    # Moved into the newer one's place, its own name gives it away.
    shutil.copytree(first, tmp_path / "2026-11-24" / "v2")
    assert tell(tmp_path / "2026-11-24" / "v2") == [("release.json", "another release")]
    # What only says that it is newer is told, and not believed.
    (second / "release.json.sig").write_bytes(bytes(64))
    report = check(first)
    assert report.exit_code == 0
    assert report.lines()[-1] == "v2, beside it, says it is newer, but is not signed."


def test_an_older_pack_is_caught_by_the_notice_that_came_later(installation: Any, tell: Any, tmp_path: Path) -> None:
    first = shutil.copytree(installation.publish(1), tmp_path / "received" / "annex_a_v1")
    assert tell(first) == []
    for name, content in release_file.notice(installation.publish(2), first.name).items():
        (first.parent / name).write_bytes(content)
    assert tell(first) == [("release.json", "older")]
    # The notice of another return says nothing of this one.
    for name, content in release_file.notice(installation.publish(2, "sen2"), first.name).items():
        (first.parent / name).write_bytes(content)
    assert tell(first) == []


def test_a_rehearsal_and_a_release_cannot_be_taken_for_each_other(installation: Any, tell: Any) -> None:
    for says in (True, False):
        pack = installation.publish(1 + says, rehearsal=says)
        manifest = pack / "manifest.json"
        for differs in (False, True):
            _change(manifest, is_rehearsal=says is not differs)
            sums = (pack / "SHA256SUMS").read_text().splitlines(keepends=True)
            (pack / "SHA256SUMS").write_text(
                "".join(
                    f"{digest(manifest)}  {line[66:]}" if line.endswith("manifest.json\n") else line for line in sums
                )
            )
            release = json.loads((pack / "release.json").read_bytes()) | {"pack_sha256": digest(manifest)}
            text = canonical(release)
            (pack / "release.json").write_bytes(text)
            sign = keys.current(installation.settings).sign
            (pack / "release.json.sig").write_bytes(sign(verify_pack.message(release, text)))
            assert tell(pack) == ([("release.json", "another release")] if differs else [])
        shutil.rmtree(pack)


def test_one_signer_is_not_enough(installation: Any, sealed: Path) -> None:
    release = json.loads((sealed / "release.json").read_bytes())
    release["signers"] = [signer | {"organisation": "council"} for signer in release["signers"]]
    text = canonical(release)
    key = keys.current(installation.settings)
    (sealed / "release.json").write_bytes(text)
    (sealed / "release.json.sig").write_bytes(key.sign(verify_pack.message(release, text)))
    assert check(sealed).lines()[0] == "release.json does not name signers of two organisations"


# A hostile folder ----------------------------------------------------------------------------------------------------


def test_a_link_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_followed(sealed: Path, tmp_path: Path) -> None:
    def pipe(path: Path) -> None:
        os.mkfifo(path)

    makers: list[Callable[[Path], object]] = [pipe, Path.mkdir]
    makers.append(lambda path: path.symlink_to(shutil.copy(tmp_path / "kept", tmp_path / "elsewhere")))
    for name in [*FILES, *PROOFS]:
        (sealed / name).rename(tmp_path / "kept")
        for make in makers:
            make(sealed / name)
            assert check(sealed).exit_code, name
            (sealed / name).rmdir() if (sealed / name).is_dir() else (sealed / name).unlink()
        (tmp_path / "kept").rename(sealed / name)
    assert check(sealed).exit_code == 0


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS", "release.json", "release.json.sig"])
def test_a_proof_that_would_fill_the_memory_is_not_read(sealed: Path, name: str) -> None:
    with (sealed / name).open("r+b") as file:
        file.truncate(1 << 40)
    assert check(sealed).exit_code


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"files": [], "files": [], "pack_format": "1"}',
        b'{"files": [{"name": "x", "sha256": "", "bytes": ' + b"9" * 100_000 + b'}], "pack_format": "1"}',
        b'{"files": [{"name": "x", "sha256": "", "bytes": NaN}], "pack_format": "1"}',
        b'{"files": [{"name": "x", "sha256": "", "bytes": true}], "pack_format": "1"}',
        b'{"files": [{"name": "release.json", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "C:x", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "..\\\\x", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": ".bashrc", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "x.", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "a\\nb", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "Release.JSON", "sha256": "", "bytes": 1}], "pack_format": "1"}',
        b'{"files": [{"name": "x", "sha256": "", "bytes": 1}, {"name": "X", "sha256": "", "bytes": 1}],'
        b' "pack_format": "1"}',
        '{"files": [], "pack_format": "1"}'.encode("utf-16"),
        b"null",
    ],
)
def test_a_manifest_that_is_made_to_do_harm_is_refused_in_one_line(sealed: Path, text: bytes) -> None:
    (sealed / "manifest.json").write_bytes(text)
    report = check(sealed)
    assert report.exit_code == 2
    assert len(report.lines()) == 1
    (sealed / "manifest.json").write_bytes(b"{}")
    (sealed / "release.json").write_bytes(text)
    assert check(sealed).exit_code == 2


def test_very_many_files_are_not_listed(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (sealed / f"{number}.csv").touch()
    lines = check(sealed).lines()
    assert len(lines) == verify_pack.MOST_LINES + 1
    assert lines[-1] == f"and {300 - verify_pack.MOST_LINES} more"
    monkeypatch.setattr(verify_pack, "MOST_FILES", 300)
    assert check(sealed).unreadable == "it holds more than 300 files: it is no pack"


def test_nothing_in_a_pack_can_write_on_the_terminal(installation: Any, sealed: Path) -> None:
    release = json.loads((sealed / "release.json").read_bytes())
    release["signers"][0] |= {"name": "\x1b[2J\u202eeve\n" + "x" * 1000, "role": "\x9b", "organisation": "a\rb"}
    text = canonical(release)
    (sealed / "release.json").write_bytes(text)
    key = keys.current(installation.settings)
    (sealed / "release.json.sig").write_bytes(key.sign(verify_pack.message(release, text)))
    report = check(sealed)
    assert report.exit_code == 0
    assert all(line.isprintable() and len(line) < 500 for line in report.lines())
    moved = sealed.rename(sealed.with_name("\x1b[2Jpack"))
    assert check(moved).lines()[0].startswith(f"{sealed.parent}/\\x1b[2Jpack: 8 files are as sealed")
    assert all(line.isprintable() for line in check(moved / "\x1b").lines())
    (moved / "\x1b[2J\u202e.csv").touch()
    assert check(moved).lines() == ["\\x1b[2J\\u202e.csv is not part of the pack"]


# The tar -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tar(installation: Any, sealed: Path) -> Path:
    return parcel.plain(installation.settings, sealed)


def test_a_tar_is_checked_as_its_folder_is(tar: Path, installation: Any) -> None:
    report = check(tar, [installation.fingerprint])
    assert (report.exit_code, report.files, report.is_known) == (0, 8, True)


def test_a_flipped_byte_anywhere_in_a_tar_is_caught(tar: Path, tmp_path: Path) -> None:
    content = tar.read_bytes()
    seed = random.Random(7)
    other = tmp_path / tar.name
    for at in {0, 511, len(content) - 1, *(seed.randrange(len(content)) for _ in range(250))}:
        other.write_bytes(content[:at] + bytes([content[at] ^ 1 << seed.randrange(8)]) + content[at + 1 :])
        assert check(other).exit_code, at
    for length in (0, 1, 511, 512, 1000, len(content) // 2):
        other.write_bytes(content[:length])
        assert check(other).exit_code, length


def test_a_tar_of_another_kind_is_refused(sealed: Path, tmp_path: Path) -> None:
    other = tmp_path / "x.tar"
    for command in (
        ["tar", "-cf", other, "--format=pax", "v1"],
        ["tar", "-czf", other, "v1"],
        ["tar", "-cf", other, "."],
    ):
        subprocess.run(command, cwd=sealed.parent, check=True)
        assert check(other).exit_code == 2
    other.write_bytes(b"age-encryption.org/v1\n" + bytes(600))
    assert check(other).unreadable.startswith("it is encrypted: decrypt it first")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc"},
        {"name": "/etc/ssh"},
        {"name": ""},
        {"name": ".."},
        {"name": ".ssh"},
        {"name": "C:\\Windows"},
        {"name": "a/b/c"},
        {"name": "f\u00f6rder"},
        {"mode": 0o6777},
        {"mode": 0o644},
        {"uid": 1000},
        {"gid": 5},
        {"uname": "root"},
        {"gname": "wheel"},
        {"linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE},
        {"type": tarfile.SYMTYPE},
        {"type": tarfile.CONTTYPE},
        {"type": tarfile.GNUTYPE_SPARSE},
    ],
)
def test_a_tar_that_would_do_harm_when_it_is_unpacked_is_refused(tar: Path, change: dict[str, Any]) -> None:
    """A file of a good tar is written again with another header; what is in it stays as it was sealed."""
    files = []
    with tarfile.open(tar) as opened:
        for entry in opened:
            content = opened.extractfile(entry)
            assert content is not None
            files.append((entry, content.read()))
    folder = change.get("name", files[0][0].name.split("/")[0])
    for is_changed in (False, True):
        with tar.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as written:
            for entry, content in files:
                other = copy.copy(entry)
                if is_changed:
                    for field, value in change.items():
                        setattr(other, field, value)
                    other.name = f"{folder}/{entry.name.split('/')[1]}"
                # The header says what it says; the content follows it all the same.
                written.fileobj.write(other.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512))
        assert check(tar).exit_code == (2 if is_changed else 0)


def test_a_tar_with_no_end_is_not_read_to_it(tar: Path) -> None:
    with tar.open("r+b") as file:
        file.truncate(1 << 40)
    assert check(tar).unreadable == "something comes after the end of the tar"


# The file by itself --------------------------------------------------------------------------------------------------


def test_the_file_needs_nothing_but_python(sealed: Path, installation: Any, tmp_path: Path) -> None:
    tree = ast.parse(TOOL.read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)
    pem = tmp_path / "keys.pem"
    pem.write_text("".join(key.pem for key in keys.public_keys(installation.settings)))
    fingerprint = installation.fingerprint
    for key in (fingerprint, fingerprint.replace("-", " ").upper(), pem):
        done = _tool(sealed, "--key", key, "--expect-version", 1, LC_ALL="C", PYTHONUTF8="0")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Sealed with key {fingerprint}, one of those that it was checked against." in done.stdout
    assert _tool(sealed, "--expect-version", 2).returncode == 1
    assert _tool(sealed, "--key", "0" * 32).returncode == 1
    assert _tool(tmp_path / "nowhere").stdout.endswith("cannot be read: No such file or directory\n")
    done = _tool(sealed, "--key", fingerprint[:-1])
    assert (done.returncode, "is neither a fingerprint" in done.stdout) == (2, True)
    assert _tool(sealed, "--key", TOOL).returncode == 2


def test_a_reader_who_has_read_enough_is_no_error(sealed: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-I", "-S", str(TOOL), str(sealed)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
