"""Published packs that hold a person: they stay as they were sealed, and it is said where they are and who got them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from send_returns.inspection import packing
from send_returns.returns import declarations, pack
from send_returns.rights import canary
from send_returns.sealing import parcel
from send_returns.settings import Settings


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack with a person in its lists.

    `recipients`: who receives the return, by its declaration. `copies`: the files in which it was sent.
    """

    folder: Path
    return_name: str
    as_of: str
    run_id: str
    lists: tuple[str, ...]
    recipients: str
    copies: tuple[str, ...]


def outputs(connection: psycopg.Connection, partnership: str) -> set[Path]:
    """The folders that runs of a partnership have published to."""
    rows = connection.execute(
        "select distinct value from audit.stage inner join audit.run using (run_id)"
        " cross join lateral jsonb_each_text(detail)"
        " where stage = 'publish' and partnership = %s and key like '%%.pack'",
        [partnership],
    ).fetchall()
    # OUTPUT/<return>/<partnership>/<as_of>/v<version>
    return {Path(value).parents[3] for (value,) in rows}


def holding(settings: Settings, folders: Iterable[Path], values: Iterable[str]) -> Iterator[Pack]:
    """The packs below some folders whose lists hold any of the values, those that were superseded too."""
    partnership = settings.partnership
    declared = {one.return_name: one for one in (*declarations.load_all(), packing.declaration())}
    wanted = tuple(values)
    for manifest in sorted(
        path
        for folder in folders
        for pattern in (
            f"*/{partnership}/*/v*/{pack.MANIFEST}",
            f"inspection/{partnership}/*/child_*/{pack.MANIFEST}",
            f"inspection/{partnership}/*/superseded/*/child_*/{pack.MANIFEST}",
        )
        for path in folder.glob(pattern)
    ):
        lists = tuple(
            path.stem for path in sorted(manifest.parent.glob("*.csv")) if wanted and canary.holds(path, wanted)
        )
        facts = pack.verify(manifest.parent).manifest
        if lists and facts:
            of = declared.get(str(facts["return"]))
            yield Pack(
                manifest.parent,
                str(facts["return"]),
                str(facts["as_of"]),
                str(facts["run_id"]),
                lists,
                f"{of.audience} {of.recipients_role}" if of else "",
                tuple(path.name for path in parcel.copies(settings, _name(facts))),
            )


def _name(facts: Mapping[str, Any]) -> str:
    return (packing.NAME if "unique_id" in facts else parcel.NAME).format_map(facts)
