"""What is in the inbox, and whether it has wholly arrived: nothing is read before it is complete.

A delivery says so itself, by a marker (`<delivery>.done` beside it, not older than it) or by a manifest in its folder
(`manifest.json`: `{"files": [{"name", "size", "sha256"}]}`, or `SHA256SUMS`), which its files must then match. One that
says nothing is complete once nothing of it has changed between two looks, `settings.quiet_seconds` apart.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import sleep

import psycopg

from send_returns import clock, feeds, warehouse
from send_returns.landing.stores import Entry, Store
from send_returns.settings import Settings

MANIFESTS = ("manifest.json", "SHA256SUMS")
DONE = ".done"
MOST_MANIFEST_BYTES = 1 << 20
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A delivery in the inbox: its files, and what says that they are all there.

    `changed`: when anything of it last changed, by the store's clock.
    """

    feed: feeds.Feed
    name: str
    place: str
    files: tuple[Entry, ...]
    is_set: bool
    changed: float
    marker: Entry | None = None
    manifest: Entry | None = None

    @property
    def fingerprint(self) -> str:
        """Differs once any file of it does, or comes, or goes."""
        entries = [*self.files, *([self.manifest] if self.manifest else [])]
        lines = "".join(f"{entry.name}\0{entry.stamp}\n" for entry in entries)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of a file; a list of checksums does not say its size."""

    size: int | None
    sha256: str


# Strangers in an inbox that a line of the log names.
MENTIONED = 5


def discover(store: Store, organisation: str, known: Sequence[feeds.Feed]) -> Iterator[Found]:
    """Deliveries in `organisation/<feed>/`, by feed and name. Folders of no known feed are told to the log."""
    try:
        here = [entry.name for entry in store.list(store.folder(organisation)) if _is_ready(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    root = {entry.name for entry in store.list(store.folder()) if _is_ready(entry.name)}
    strangers = sorted(root - set(feeds.ORGANISATIONS)) + [
        f"{organisation}/{name}" for name in sorted(set(here) - {feed.id for feed in known})
    ]
    if strangers:
        log.warning(
            "%d entries of the inbox are no feed's folder and were not looked at: %s.%s",
            len(strangers),
            ", ".join(feeds.shown(name) for name in strangers[:MENTIONED]),
            " Deliveries go into council/<feed>, icb/<feed> or reference/<feed>.",
        )
    for feed in known:
        if feed.id not in here:
            continue
        try:
            entries = store.list(store.folder(organisation, feed.id))
        except (FileNotFoundError, NotADirectoryError):
            continue
        markers = {entry.name: entry for entry in entries if entry.name.endswith(DONE)}
        for entry in entries:
            if _is_ready(entry.name) and not entry.name.endswith(DONE):
                yield _found(store, feed, entry, markers.get(entry.name + DONE))


def _found(store: Store, feed: feeds.Feed, entry: Entry, marker: Entry | None) -> Found:
    alone = Found(feed, entry.name, entry.place, (entry,), False, entry.changed, marker)
    if entry.kind != "folder":
        return alone
    try:
        inside = store.list(entry.place)
    except (PermissionError, FileNotFoundError):
        # A folder that may not be opened goes to the archive as it is, which tells why and counts it.
        return alone
    files = [one for one in inside if _is_ready(one.name)]
    manifest = next((one for name in MANIFESTS for one in files if one.name == name and one.kind == "file"), None)
    return Found(
        feed,
        entry.name,
        entry.place,
        tuple(one for one in files if one is not manifest),
        True,
        max(one.changed for one in (entry, *inside)),
        marker,
        manifest,
    )


def _is_ready(name: str) -> bool:
    return not name.startswith(".") and not name.endswith((".part", ".tmp"))


@dataclass(frozen=True, slots=True)
class Inbox:
    """What an inbox holds: deliveries to read, those still arriving, and those that are as they were when landed."""

    ready: list[Found]
    arriving: list[Found]
    unchanged: list[Found]


def look(settings: Settings, store: Store, organisation: str, partnership: str, known: Sequence[feeds.Feed]) -> Inbox:
    """Look at an inbox; a second time, after a while, when something in it does not say that it is complete."""
    looks = Looks(settings, store, organisation, partnership)
    found = list(discover(store, organisation, known))
    unchanged = looks.landed(found)
    fresh = [one for one in found if one.place not in unchanged]
    ready, arriving = _split(looks, store, fresh)
    if any(says_so(store, one) is None for one in arriving):
        sleep(settings.quiet_seconds)
        places = {one.place for one in arriving}
        again = [one for one in discover(store, organisation, known) if one.place in places]
        now_ready, arriving = _split(looks, store, again)
        # In the order of their names, because a later one replaces an earlier one of its period.
        order = {one.place: position for position, one in enumerate(found)}
        ready = sorted(ready + now_ready, key=lambda one: order[one.place])
    return Inbox(ready, arriving, [one for one in found if one.place in unchanged])


def _split(looks: "Looks", store: Store, found: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    said = {one.place: says_so(store, one) for one in found}
    resting = looks.take([one for one in found if said[one.place] is None])
    whole = [one.place for one in found if said[one.place] or one.place in resting]
    return [one for one in found if one.place in whole], [one for one in found if one.place not in whole]


def says_so(store: Store, found: Found) -> bool | None:
    """Whether a delivery says that it is complete; None when it says nothing, or nothing that can be read."""
    if found.marker and found.marker.changed >= found.changed:
        return True
    if found.manifest is None:
        return None
    try:
        listed = read_manifest(store, found.manifest)
    except (OSError, ValueError):
        return None
    sizes = {entry.name: entry.size for entry in found.files}
    if any(name not in sizes or sizes[name] < (one.size or 0) for name, one in listed.items()):
        return False
    return None if any(one.size is None for one in listed.values()) else True


def read_manifest(store: Store, manifest: Entry) -> Mapping[str, Listed]:
    """What a manifest lists, by file name. Raises OSError, and ValueError when it is not a manifest."""
    if manifest.size > MOST_MANIFEST_BYTES:
        raise ValueError("too large")
    with store.open(manifest) as delivered:
        return _listed(manifest.name, delivered.read(MOST_MANIFEST_BYTES))


def broken(manifest: feeds.Source, files: Sequence[feeds.Source]) -> str | None:
    """Why the files in the archive are not those that the manifest lists; None when they are."""
    try:
        listed = _listed(manifest.name, manifest.path.read_bytes() if manifest.size <= MOST_MANIFEST_BYTES else b"")
    except ValueError:
        return f"{manifest.shown}: it is not a manifest of files with their SHA-256. Correct it or leave it out."
    # A marker may say of a part that it is the whole.
    if absent := sorted(set(listed) - {file.name for file in files}):
        return (
            f"{feeds.shown(absent[0])}: {manifest.shown} lists it and it did not come. Send the delivery again, whole."
        )
    for file in files:
        if file.name not in listed:
            return f"{file.shown}: {manifest.shown} does not list it. Send the delivery again, whole."
        if file.sha256 != listed[file.name].sha256:
            return f"{file.shown}: its SHA-256 is not the one in {manifest.shown}. Send the delivery again, whole."
    return None


def _listed(name: str, content: bytes) -> Mapping[str, Listed]:
    text = content.decode("utf-8-sig")
    if name == "SHA256SUMS":
        lines = re.findall(r"^([0-9a-fA-F]{64}) [ *](.+?)\r?$", text, re.MULTILINE)
        listed: Mapping[str, Listed] = {file: Listed(None, digest.lower()) for digest, file in lines}
    else:
        listed = _json_manifest(text)
    if not listed:
        raise ValueError("it lists nothing")
    return listed


def _json_manifest(text: str) -> Mapping[str, Listed]:
    try:
        content = json.loads(text)
        listed = {file["name"]: Listed(file["size"], file["sha256"].lower()) for file in content["files"]}
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a manifest") from error
    if not all(isinstance(name, str) and type(one.size) is int for name, one in listed.items()):
        raise ValueError("not a manifest")
    return listed


class Looks:
    """What was seen in an inbox, and since when it has been so: `landing.look`."""

    def __init__(self, settings: Settings, store: Store, organisation: str, partnership: str) -> None:
        """`store` is the inbox, shown without credentials."""
        self._settings, self._store = settings, store
        self._where = [partnership, store.shown, organisation]

    def take(self, found: Sequence[Found]) -> set[str]:
        """Look now at deliveries that say nothing; the places of those that have rested for long enough."""
        at = clock.now()
        quiet = self._settings.quiet_seconds
        # Of a server's clock we know nothing, so there it takes two looks.
        resting = {one.place for one in found if self._store.is_local and at.timestamp() - one.changed >= quiet}
        if len(resting) == len(found):
            return resting
        with warehouse.connect(self._settings, purpose="send-returns look") as connection:
            for one in found:
                row = connection.execute(
                    "insert into landing.look as look values (%s, %s, %s, %s, %s, %s, %s, null)"
                    " on conflict (partnership, inbox, organisation, feed, name) do update set"
                    " seen_at = case when look.fingerprint = excluded.fingerprint then look.seen_at"
                    " else excluded.seen_at end, fingerprint = excluded.fingerprint,"
                    " delivery_id = case when look.fingerprint = excluded.fingerprint then look.delivery_id end"
                    " returning seen_at",
                    [*self._where, one.feed.id, one.name, one.fingerprint, at],
                ).fetchone()
                if row and (at - row[0]).total_seconds() >= quiet:
                    resting.add(one.place)
        return resting

    def landed(self, found: Sequence[Found]) -> set[str]:
        """The places of what is on a server as it was when it was landed, so that it need not be fetched again."""
        if self._store.is_local:
            return set()
        with warehouse.connect(self._settings, purpose="send-returns look") as connection:
            rows = connection.execute(
                "select look.feed, look.name, fingerprint from landing.look join landing.delivery using (delivery_id)"
                " where (look.partnership, look.inbox, look.organisation) = (%s, %s, %s) and status <> 'refused'",
                self._where,
            ).fetchall()
        known = set(rows)
        return {one.place for one in found if (one.feed.id, one.name, one.fingerprint) in known}

    def note(self, connection: psycopg.Connection, found: Found, delivery_id: int) -> None:
        """Remember, in the caller's transaction, as which delivery what is on a server was landed."""
        if not self._store.is_local:
            connection.execute(
                "insert into landing.look values (%s, %s, %s, %s, %s, %s, %s, %s)"
                " on conflict (partnership, inbox, organisation, feed, name)"
                " do update set fingerprint = excluded.fingerprint, delivery_id = excluded.delivery_id",
                [*self._where, found.feed.id, found.name, found.fingerprint, clock.now(), delivery_id],
            )
