"""Two landings of one inbox at once, in processes of their own, over and over: one wins, and nothing is there twice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from send_returns.settings import Settings

ROUNDS = 20
# Lands each inbox that it is told, at the moment at which it is told.
LANDING = """
import json, sys
from datetime import date
from pathlib import Path
from send_returns import landing, settings
installation = settings.load()
print(flush=True)
for inbox in sys.stdin:
    print(json.dumps(landing.land(installation, "council", Path(inbox.strip()), date(2026, 11, 1))), flush=True)
"""


def test_of_two_processes_one_wins(database: Settings, tmp_path: Path, register: Callable[..., str], ask: Any) -> None:
    environment = {
        **os.environ,
        "SEND_RETURNS_HOME": str(database.home),
        "SEND_RETURNS_DATABASE_URL": str(database.database_url),
        "SEND_RETURNS_QUIET_SECONDS": "0.01",
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LANDING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told: list[list[dict[str, Any]]] = []
    try:
        for process in both:
            process.stdout.readline()  # type: ignore[union-attr]
        for number in range(1, ROUNDS + 1):
            folder = tmp_path / str(number) / "council" / "ehe_register"
            folder.mkdir(parents=True)
            # In each round a new day, and two files of it, of which the second by name takes the place.
            (folder / f"2025-10-{number:02} a.csv").write_text(register(*range(200)))
            (folder / f"2025-10-{number:02} b.csv").write_text(register(*range(300)))
            for process in both:
                process.stdin.write(f"{folder.parents[1]}\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            told.append([json.loads(process.stdout.readline()) for process in both])  # type: ignore[union-attr]
    finally:
        for process in both:
            process.communicate(timeout=30)
    for of_round in told:
        sums = {name: sum(counts[name] for counts in of_round) for name in ("accepted", "unchanged", "loaded")}
        assert sums == {"accepted": 2, "unchanged": 2, "loaded": 500}
    assert ask("select status, rows_in, count(*) from landing.delivery group by 1, 2 order by 1") == [
        ("accepted", 300, ROUNDS),
        ("superseded", 200, ROUNDS),
    ]
    assert ask("select count(*), count(distinct (_delivery_id, _row_number)) from raw_council.ehe_register__child") == [
        (ROUNDS * 500, ROUNDS * 500)
    ]
    assert ask("select count(*) from landing.sighting") == [(2 * ROUNDS,)]
    assert sum(1 for _ in (database.home / "archive").iterdir()) == 2
