"""Publication killed at random points: what can be seen is a whole pack or none."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from send_returns.sealing import verify_pack

KILLS = 50

# A process that publishes version after version; each is a child of it, and it says when the child begins.
PUBLISHER = """
import json, os, random, sys, time
from pathlib import Path
from send_returns.returns.pack import digest, seal, staged
from send_returns.sealing import keys, verify_pack
from send_returns.sealing.release_file import finish
from send_returns.settings import Settings

place, key, seed = Path(sys.argv[2]), keys.current(Settings(home=Path(sys.argv[1]))), random.Random(int(sys.argv[3]))
SIGNERS = [
    {"organisation": of, "name": "A Person", "role": "Director", "signed_at": "2026-11-25T08:00:00+00:00"}
    for of in ("council", "icb")
]
FILES = {f"file_{number}": seed.randbytes(seed.randrange(200_000)) for number in range(12)}


def publish(version):
    with staged(place / f"v{version}") as folder:
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
        said = {"return": "sen2", "partnership": "hertfordshire", "as_of": "2026-11-24", "version": version}
        seal(folder, said)
        said |= {"release_id": "x", "pack_sha256": digest(folder / "manifest.json"), "supersedes": None}
        finish(folder, said | {"signers": SIGNERS, "rehearsal": False}, key)


def child(version):
    pid = os.fork()
    if pid == 0:
        publish(version)
        os._exit(0)
    return pid


os.waitpid(child(1), 0)
began = time.monotonic()
os.waitpid(child(2), 0)
whole = time.monotonic() - began
version, outcomes = 3, []
for _ in range(int(sys.argv[4])):
    delay = seed.uniform(0, whole * 1.1)
    pid = child(version)
    time.sleep(delay)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    seen = {path.name for path in place.iterdir()}
    is_there = f"v{version}" in seen
    # Of what is not hidden, one thing more can be there than before, and it is whole.
    strange = seen - {f".v{version}.part", f"v{version}"} - {f"v{number}" for number in range(1, version)}
    report = verify_pack.check(place / f"v{version}", [key.public.fingerprint]) if is_there else None
    partial = report.lines() if report and report.exit_code else []
    outcomes.append({"there": is_there, "left": f".v{version}.part" in seen, "partial": partial + sorted(strange)})
    version += is_there
os.waitpid(child(version), 0)
print(json.dumps({"outcomes": outcomes, "newest": version}))
"""


def test_fifty_kills_at_random_points_never_show_a_partial_pack(installation: Any, tmp_path: Path) -> None:
    place = tmp_path / "output" / "2026-11-24"
    seed = random.Random(50).randrange(10**6)
    done = subprocess.run(
        [sys.executable, "-c", PUBLISHER, installation.settings.home, place, str(seed), str(KILLS)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    outcomes = told["outcomes"]
    assert len(outcomes) == KILLS
    assert [one for one in outcomes if one["partial"]] == []
    # The kills hit the work itself, and not only before or after it.
    assert sum(one["left"] for one in outcomes) >= KILLS // 3
    # Whatever they left, the next publication swept; and it came through.
    versions = sorted(int(path.name.removeprefix("v")) for path in place.iterdir())
    assert versions == list(range(1, told["newest"] + 1))
    newest = verify_pack.check(place / f"v{told['newest']}", [installation.fingerprint])
    assert (newest.exit_code, newest.files) == (0, 16)
