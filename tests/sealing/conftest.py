"""An installation with a signing key, and packs that it sealed."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns.returns.pack import digest, seal, staged
from send_returns.sealing import keys
from send_returns.sealing.release_file import finish
from send_returns.settings import Settings

AS_OF = date(2026, 11, 24)
SIGNERS = [
    {
        "organisation": "council",
        "name": "Ada Byron",
        "role": "Director of Education",
        "signed_at": "2026-11-25T08:00:00.123456+00:00",
    },
    {
        "organisation": "icb",
        "name": "Zoë O'Neill",
        "role": "Chief Nurse",
        "signed_at": "2026-11-25T09:30:00+00:00",
    },
]


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

    def publish(self, version: int = 1, return_name: str = "area_send_annex_a", /, **changes: Any) -> Path:
        """A sealed pack of four files; `changes` are of its statement."""
        final = self.place(version, return_name)
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
            statement = {
                "release_id": f"{return_name}-hertfordshire-{AS_OF}-v{version}",
                "return": return_name,
                "partnership": "hertfordshire",
                "as_of": AS_OF.isoformat(),
                "version": version,
                "rehearsal": False,
                "run_id": f"r{version}",
                "inputs_sha256": "cd" * 32,
                "pack_sha256": digest(folder / "manifest.json"),
                "supersedes": version - 1 if version > 1 else None,
                "signers": SIGNERS,
                "audit": {"seq": 7, "sha256": "ab" * 32},
            }
            finish(folder, statement | changes, keys.current(self.settings))
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
