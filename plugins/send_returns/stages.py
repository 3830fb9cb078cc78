"""The stages of a run: the same functions for the command line and for the DAGs.

Each may run twice with the same result, returns ids and counts only, and leaves its outcome in `audit.stage`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from psycopg.types.json import Json

from send_returns import clock, landing, warehouse
from send_returns.failure import Failure
from send_returns.landing import drift, receipts
from send_returns.settings import Settings, code_version

Mode = Literal["full", "incremental"]
Layer = Literal["staging", "intermediate", "returns"]
LAYERS: tuple[Layer, ...] = ("staging", "intermediate", "returns")


class NotReady(Failure):
    """A required feed is not there; `missing` names each with its state, for the one who owes it."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__("Not ready: " + "; ".join(missing))
        self.missing = missing


def land(settings: Settings, organisation: str, inbox: Path | str, as_of: date) -> dict[str, Any]:
    """Land what `inbox` holds of one organisation ('council', 'icb' or 'reference'): deliveries and rows, counted.

    `inbox` is a folder, or the URL of an SFTP server or S3 bucket. Rows of people who have a right to be left out are
    dropped and counted as erased.
    """
    from send_returns import rights

    def work() -> dict[str, Any]:
        counts = landing.land(settings, organisation, inbox, as_of)
        erased = rights.apply(settings, as_of)
        receipts.write(settings, as_of, organisation)
        drift.propose(settings, organisation)
        return {name: count for name, count in counts.items() if name != "feeds"} | {"erased": erased}

    return _timed(settings, f"{settings.partnership}/{as_of}", f"land {organisation}", work)


def replay(settings: Settings, as_of: date, feed: str | None = None) -> dict[str, Any]:
    """Read again, under the newest contract, what was refused or not wholly let in; of all feeds, or of one."""
    from send_returns import rights

    def work() -> dict[str, Any]:
        counts = landing.replay(settings, as_of, feed)
        erased = rights.apply(settings, as_of)
        receipts.write(settings, as_of)
        return counts | {"erased": erased}

    return _timed(settings, f"{settings.partnership}/{as_of}", f"replay {feed or 'all'}", work)


def open_run(settings: Settings, as_of: date, mode: Mode = "incremental") -> str:
    """Open the run of what has been accepted as of a date, and return its id. Raises NotReady when a feed is missing.

    The id is a hash of the partnership, the date, the code, the name of the key that makes the marts' pseudonyms, the
    content of every delivery with the contract that it was read under, and what linkage goes by: the same inputs are
    the same run. In mode `full` a run that was already built is built again. Raises KeyRefused where there is no such
    key: no key, no run.
    """
    from send_returns import identity
    from send_returns.identity import pseudonyms

    key_id = pseudonyms.current(settings, pseudonyms.MARTS).key_id
    with warehouse.connect(settings, purpose="send-returns open run") as connection:
        landing.register(connection, settings.partnership, as_of)
        missing = landing.missing(connection, settings.partnership, as_of)
        if missing:
            connection.commit()
            raise NotReady(missing)
        deliveries = connection.execute(
            "select delivery_id, concat_ws(' ', feed, content_sha256, named_for, contract_version,"
            " nullif(rows_erased, 0)), rows_erased from landing.delivery where partnership = %s and status = 'accepted'"
            " and (reference_on is null or reference_on <= %s)",
            [settings.partnership, as_of],
        ).fetchall()
        manifest = "\n".join(sorted(delivered for _, delivered, _ in deliveries))
        manifest_sha256 = hashlib.sha256(manifest.encode()).hexdigest()
        code = code_version()
        linkage = identity.basis(settings, connection)
        key = f"{settings.partnership}\n{as_of}\n{code}\n{key_id}\n{manifest_sha256}\n{linkage}"
        run_id = "r" + hashlib.sha256(key.encode()).hexdigest()[:16]
        connection.execute(
            "insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)"
            " values (%s, %s, %s, %s, %s, %s, 'open') on conflict (run_id) do nothing",
            [run_id, settings.partnership, as_of, mode, code, manifest_sha256],
        )
        connection.execute(
            "insert into audit.run_key (run_id, purpose, key_id) values (%s, %s, %s) on conflict do nothing",
            [run_id, pseudonyms.MARTS, key_id],
        )
        if mode == "full":
            connection.execute("update audit.run set mode = 'full', status = 'open' where run_id = %s", [run_id])
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into audit.run_delivery (run_id, delivery_id, rows_erased) values (%s, %s, %s)"
                " on conflict do nothing",
                [(run_id, delivery_id, erased) for delivery_id, _, erased in deliveries],
            )
    return run_id


def is_current(settings: Settings, run_id: str) -> bool:
    """Whether this run has passed its gate and is the one that readers see, so that there is nothing left to build."""
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select 1 from audit.run join audit.live using (partnership, run_id)"
            " where run_id = %s and status in ('passed', 'published')",
            [run_id],
        ).fetchone()
    return row is not None


def live_run(settings: Settings) -> str:
    """The run that readers see. Raises NotReady when no run of the partnership has passed its gate yet."""
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select run_id from audit.live where partnership = %s", [settings.partnership]
        ).fetchone()
    if row is None:
        raise NotReady([f"no run of {settings.partnership} has passed its gate"])
    return str(row[0])


def link(settings: Settings, run_id: str) -> dict[str, Any]:
    """Give every person record of the run a person, and every person a pseudonym.

    Records of people who have a right to be left out are not among them: they go.
    """
    from send_returns import identity, rights
    from send_returns.identity import pseudonyms

    def work() -> dict[str, Any]:
        erased = rights.apply_to_run(settings, run_id)
        return {**identity.link(settings, run_id), **pseudonyms.assign(settings, run_id), "erased": erased}

    return _timed(settings, run_id, "link", work)


def build(settings: Settings, run_id: str, layer: Layer) -> dict[str, Any]:
    """Build one layer of the dbt project into the candidate schemas, out of readers' sight."""
    from send_returns.warehouse import dbt

    return _timed(settings, run_id, f"build {layer}", lambda: dbt.build(settings, run_id, layer))


def gate(settings: Settings, run_id: str) -> dict[str, Any]:
    """Judge the candidate; swap it live if it passes. Raises GateFailed, leaving what is live untouched."""
    from send_returns import quality

    return _timed(settings, run_id, "gate", lambda: quality.gate(settings, run_id))


def draft(
    settings: Settings, run_id: str, *, is_rehearsal: bool = False, returns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Put the figures of the live run through disclosure control, render every declared return (or those named), and
    put it forward for signature."""
    from send_returns import publication

    return _timed(
        settings,
        run_id,
        "draft",
        lambda: publication.draft(settings, run_id, is_rehearsal=is_rehearsal, returns=returns),
    )


def publish(settings: Settings, run_id: str, output: Path) -> dict[str, Any]:
    """Seal what both partners have signed of a run and put it out; the data dictionary; how a pack is checked."""
    from send_returns import publication
    from send_returns.returns import dictionary
    from send_returns.sealing import guide

    def work() -> dict[str, Any]:
        published = {**publication.publish(settings, run_id, output), **dictionary.write(settings, output)}
        guide.write_beside(output)
        return published

    return _timed(settings, run_id, "publish", work)


def _timed(settings: Settings, key: str, stage: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    started = clock.monotonic()
    try:
        detail = dict(work())
    except Exception:
        _record(settings, key, stage, "failed", clock.monotonic() - started, {})
        raise
    _record(settings, key, stage, "success", clock.monotonic() - started, detail)
    return detail


def _record(settings: Settings, key: str, stage: str, outcome: str, seconds: float, detail: Mapping[str, Any]) -> None:
    with warehouse.connect(settings) as connection:
        connection.execute(
            "insert into audit.stage (run_id, stage, outcome, seconds, detail) values (%s, %s, %s, %s, %s)"
            " on conflict (run_id, stage) do update set outcome = excluded.outcome, seconds = excluded.seconds,"
            " detail = excluded.detail",
            [key, stage, outcome, seconds, Json(dict(detail))],
        )
