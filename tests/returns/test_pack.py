import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from send_returns.returns import verify
from send_returns.returns.pack import canonical, digest, seal, staged
from send_returns.sealing import verify_pack


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    final = tmp_path / "2026-11-24"
    with staged(final, tmp_path / "superseded") as folder:
        (folder / "List_1.csv").write_bytes(b"Unique ID\r\n001\r\n")
        (folder / "book.xlsx").write_bytes(bytes(range(256)) * 300)
        seal(folder, {"return": "a_return", "as_of": "2026-11-24", "run_id": "r1"})
    return final


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _tell(pack: Path, file: str, **changes: object) -> None:
    """Changes what the manifest says of a file."""
    manifest = json.loads((pack / "manifest.json").read_bytes())
    next(entry for entry in manifest["files"] if entry["name"] == file).update(changes)
    (pack / "manifest.json").write_bytes(canonical(manifest))


def test_a_pack_as_it_was_sealed_is_verified(sealed: Path) -> None:
    report = verify(sealed)
    assert (report.exit_code, report.files, report.problems) == (0, 4, ())
    assert report.lines() == [
        f"{sealed}: 4 files are as sealed: a_return as of 2026-11-24, run r1. It carries no signature."
    ]
    assert (sealed / "manifest.json").read_bytes() == canonical(json.loads((sealed / "manifest.json").read_bytes()))


def test_the_sums_can_be_checked_by_hand(sealed: Path) -> None:
    checked = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(checked, cwd=sealed, check=False, capture_output=True).returncode == 0
    _flip(sealed / "List_1.csv", 3)
    done = subprocess.run(checked, cwd=sealed, check=False, capture_output=True, text=True)
    assert (done.returncode, "List_1.csv: FAILED" in done.stdout) == (1, True)


def test_a_flipped_bit_is_found_wherever_it_is(sealed: Path) -> None:
    book = sealed / "book.xlsx"
    for at in range(0, book.stat().st_size, 7001):
        _flip(book, at)
        assert [(problem.file, problem.state) for problem in verify(sealed).problems] == [("book.xlsx", "differs")]
        _flip(book, at)
    assert verify(sealed).exit_code == 0


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda pack: (pack / "book.xlsx").unlink(), [("book.xlsx", "missing")]),
        (lambda pack: (pack / "List_3.csv").write_text("x"), [("List_3.csv", "extra")]),
        (lambda pack: (pack / "folder").mkdir(), [("folder", "extra")]),
        (lambda pack: _flip(pack / "SHA256SUMS", 2), [("SHA256SUMS", "differs")]),
        (lambda pack: (pack / "SHA256SUMS").write_text(""), [("List_1.csv", "differs"), ("manifest.json", "differs")]),
        (lambda pack: _tell(pack, "book.xlsx", bytes=1), [("book.xlsx", "differs"), ("manifest.json", "differs")]),
        (lambda pack: _tell(pack, "book.xlsx", name="x"), [("book.xlsx", "extra"), ("manifest.json", "differs")]),
    ],
)
def test_verify_names_the_file_that_is_not_as_it_was_sealed(
    sealed: Path, change: Callable[[Path], object], problems: list[tuple[str, str]]
) -> None:
    change(sealed)
    report = verify(sealed)
    assert report.exit_code == 1
    assert set(problems) <= {(problem.file, problem.state) for problem in report.problems}


def test_a_changed_file_is_named_even_when_the_manifest_was_changed_to_match(sealed: Path) -> None:
    _flip(sealed / "List_1.csv", 3)
    _tell(sealed, "List_1.csv", sha256=digest(sealed / "List_1.csv"))
    assert [problem.file for problem in verify(sealed).problems] == ["List_1.csv", "manifest.json"]


def test_a_link_is_not_followed(sealed: Path, tmp_path: Path) -> None:
    (sealed / "List_1.csv").rename(tmp_path / "List_1.csv")
    (sealed / "List_1.csv").symlink_to(tmp_path / "List_1.csv")
    assert [problem.file for problem in verify(sealed).problems] == ["List_1.csv"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pack: (pack / "manifest.json").unlink(), "there is no manifest.json in it"),
        (lambda pack: (pack / "SHA256SUMS").unlink(), "there is no SHA256SUMS in it"),
        (lambda pack: (pack / "manifest.json").write_text("{"), "manifest.json is not the manifest of a pack"),
        (
            lambda pack: (pack / "manifest.json").write_text("[" * 100_000),
            "manifest.json is not the manifest of a pack",
        ),
        (lambda pack: (pack / "manifest.json").write_bytes(b"\xff"), "manifest.json is not the manifest of a pack"),
        (lambda pack: _tell(pack, "book.xlsx", name="../book.xlsx"), "manifest.json names a file outside the pack"),
        (lambda pack: _tell(pack, "book.xlsx", name=["book.xlsx"]), "manifest.json names a file outside the pack"),
        (lambda pack: (pack / "SHA256SUMS").write_text("one word\n"), "SHA256SUMS is not a list of hashes"),
    ],
)
def test_a_pack_that_cannot_be_read_says_why_in_one_line(
    sealed: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], reason: str
) -> None:
    change(sealed)
    assert verify_pack.run(sealed) == 2
    assert capsys.readouterr().out == f"{sealed}: cannot be read: {reason}\n"


def test_what_is_not_a_folder_cannot_be_read(tmp_path: Path) -> None:
    assert verify(tmp_path / "nowhere").unreadable == "No such file or directory"
    (tmp_path / "file").write_text("")
    assert verify(tmp_path / "file").exit_code == 2


def test_a_files_name_cannot_write_on_the_terminal(sealed: Path) -> None:
    (sealed / "x\x1b[2Jx").write_text("")
    assert verify(sealed).lines() == ["x\\x1b[2Jx is not part of the pack"]


def test_what_a_manifest_says_of_itself_cannot_write_on_the_terminal(sealed: Path) -> None:
    facts = {"return": "\ud800\n\x1b[2Jgood", "as_of": ["2026"]}
    for proof in ("manifest.json", "SHA256SUMS"):
        (sealed / proof).unlink()
    seal(sealed, {"return": "x"})
    manifest = json.loads((sealed / "manifest.json").read_bytes())
    (sealed / "manifest.json").write_text(json.dumps(manifest | facts))
    sums = (sealed / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in sums if not line.endswith("manifest.json")]
    (sealed / "SHA256SUMS").write_text(
        "".join(f"{line}\n" for line in [*kept, f"{digest(sealed / 'manifest.json')}  manifest.json"])
    )
    report = verify(sealed)
    assert report.exit_code == 0
    assert report.lines()[0].startswith(
        f"{sealed}: 4 files are as sealed: \\ud800\\n\\x1b[2Jgood as of ['2026'], run None"
    )


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(tmp_path / "2026-11-24", tmp_path / "superseded") as folder:
            (folder / "List_1.csv").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
