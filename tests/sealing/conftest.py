"""An installation with a signing key, and packs that it sealed."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from send_returns.returns.pack import digest, seal, staged
from send_returns.sealing import keys
from send_returns.sealing.release_file import Release, Signer, Superseded, finish
from send_returns.settings import Settings

AS_OF = date(2026, 11, 24)
SIGNERS = (
    Signer("icb", "Zoë O'Neill", "Chief Nurse", "zoneill", datetime(2026, 11, 25, 9, 30, tzinfo=UTC)),
    Signer("council", "Ada Byron", "Director of Education", "abyron", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),
)


class Installation:
    """Settings with a signing key, and a way to publish with it."""

    as_of = AS_OF

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home / "home")
        self.settings.home.mkdir(mode=0o700)
        self.output = home / "output"
        keys.new(self.settings)

    @property
    def fingerprint(self) -> str:
        return keys.public_keys(self.settings)[-1].fingerprint

    def place(self, version: int, return_name: str = "area_send_annex_a") -> Path:
        return self.output / return_name / "hertfordshire" / AS_OF.isoformat() / f"v{version}"

    def publish(self, version: int = 1, return_name: str = "area_send_annex_a", **changes: Any) -> Path:
        """A sealed pack of four files; `changes` are of the release."""
        final = self.place(version, return_name)
        earlier = self.place(version - 1, return_name) / "manifest.json"
        with staged(final) as folder:
            (folder / "List_1.csv").write_bytes(b"Unique ID\r\n" + b"".join(b"%05d\r\n" % row for row in range(400)))
            (folder / "List_2.csv").write_bytes(b"")
            (folder / "book.xlsx").write_bytes(bytes(range(256)) * 40)
            (folder / "guide.html").write_text(f"<p>Version {version}</p>\n")
            seal(
                folder,
                {
                    "return": return_name,
                    "partnership": "hertfordshire",
                    "as_of": AS_OF.isoformat(),
                    "version": version,
                    "run_id": f"r{version}",
                },
            )
            release = Release(
                f"release-{version}",
                return_name,
                "hertfordshire",
                AS_OF,
                version,
                digest(folder / "manifest.json"),
                Superseded(version - 1, digest(earlier)) if earlier.exists() else None,
                SIGNERS,
                is_rehearsal=False,
                audit_anchor="ab" * 32,
            )
            finish(folder, replace(release, **changes), keys.current(self.settings))
        return final


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def sealed(installation: Installation) -> Path:
    """A pack as its publication left it."""
    return installation.publish()


@pytest.fixture
def tell(installation: Installation) -> Callable[..., list[tuple[str, str]]]:
    """What a check of a pack finds, of the first if no other is named: (file, state)."""
    from send_returns.sealing import verify_pack

    def found(pack: Path | None = None, **options: Any) -> list[tuple[str, str]]:
        report = verify_pack.check(pack or installation.place(1), **options)
        assert not report.unreadable, report.unreadable
        return [(problem.file, problem.state) for problem in report.problems]

    return found


@pytest.fixture(autouse=True)
def _umask() -> Any:
    before = os.umask(0o022)
    yield
    os.umask(before)
