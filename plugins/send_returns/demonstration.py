"""What `make run` shows: a simulated county in an inbox, and a warehouse that holds that county and nothing else."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.identity import pseudonyms
from send_returns.sealing import keys
from send_returns.settings import Settings, code_version
from send_returns.warehouse import embedded

Progress = Callable[[str | None], None]


class RealDataError(Failure):
    """The warehouse holds deliveries that no simulation made; a demonstration must not touch them."""


def prepare(settings: Settings, *, children: int, seed: int, as_of: date, mess: str, progress: Progress) -> Path:
    """The inbox of a simulated county, written once, with an empty warehouse if it held another county before.

    The first time, it makes the key of the marts as well, and one that signs rehearsals; a server of your own wants
    keys that you made. Needs the server running.
    Raises RealDataError when the warehouse holds anything but a simulation.
    """
    name = f"{children}-{seed}-{as_of}-{mess}"
    held = _held(settings)
    if held != name:
        _empty(settings, is_simulated=held is not None)
        _marker(settings).write_text(json.dumps({"simulation": name}))
    if not settings.database_url:
        make_keys(settings, progress)
    county = settings.folder("simulated") / name
    if not (county / "complete.json").exists():
        from send_returns.simulate import simulate

        shutil.rmtree(county, ignore_errors=True)
        progress("Simulating the county's files")
        counts = simulate(county, children=children, seed=seed, as_of=as_of, mess=mess)
        (county / "complete.json").write_text(json.dumps({"code_version": code_version(), "rows": counts}, indent=1))
    return county / "inbox"


def make_keys(settings: Settings, progress: Progress) -> None:
    """The key of the marts, and one that signs rehearsals, where there is none yet."""
    if not pseudonyms.has_key(settings, pseudonyms.MARTS):
        progress("Making the key of the marts")
        pseudonyms.new(settings, pseudonyms.MARTS)
    if not keys.public_keys(settings):
        progress("Making the rehearsal's signing key")
        keys.new(settings, is_rehearsal=True)


def truth(settings: Settings) -> Path | None:
    """What is true of the county that the warehouse holds; None where no demonstration put it there."""
    held = _held(settings)
    return settings.folder("simulated") / held / "truth" if held else None


def _marker(settings: Settings) -> Path:
    return settings.home / "demonstration.json"


def _held(settings: Settings) -> str | None:
    """The name of the county that the warehouse holds, if it is simulated."""
    marker = _marker(settings)
    return str(json.loads(marker.read_text())["simulation"]) if marker.exists() else None


def _empty(settings: Settings, *, is_simulated: bool) -> None:
    with warehouse.connect(settings) as connection:
        row = connection.execute("select to_regclass('landing.delivery') is not null").fetchone()
        is_migrated = row is not None and bool(row[0])
        is_used = is_migrated and connection.execute("select 1 from landing.delivery limit 1").fetchone() is not None
    if not is_used:
        return
    if not is_simulated or settings.database_url:
        raise RealDataError(
            "This warehouse holds deliveries that a demonstration must not replace: "
            "set SEND_RETURNS_HOME to a new folder, or use `send-returns run --inbox DIR`."
        )
    embedded.empty_warehouse(settings)
