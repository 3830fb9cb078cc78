"""Where deliveries wait: a local folder, or a partner's SFTP server or S3 bucket, read through fsspec.

No credential is in a URL: SFTP has a key file and a known-hosts file (SEND_RETURNS_SFTP_KEY,
SEND_RETURNS_SFTP_KNOWN_HOSTS), S3 has what its own library reads (AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from send_returns.failure import Failure
from send_returns.settings import Settings

ATTEMPTS = 3
CONNECT_SECONDS = 20
T = TypeVar("T")


class Dropped(OSError):
    """The connection to a store was lost: what was being read may be read again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a store. `name` is text for storage, whatever bytes the store had; `place` finds it again.

    `changed`: when it last changed by the store's own clock, in seconds. `stamp`: differs once its content does.
    """

    name: str
    place: str
    kind: Literal["file", "folder", "other"]
    size: int
    changed: float
    stamp: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """An open file: its size when it was opened, and whether it is still the same one."""

    read: Callable[[int], bytes]
    size: int
    is_unchanged: Callable[[], bool]


class Store(Protocol):
    """A place that holds `<organisation>/<feed>/<delivery>`. Whatever cannot be read raises OSError."""

    shown: str
    is_local: bool
    attempts: int

    def folder(self, *parts: str) -> str:
        """The place of a folder below the root."""

    def list(self, place: str) -> list[Entry]:
        """What a folder holds, by the bytes of its names. Raises FileNotFoundError when there is no such folder."""

    def open(self, entry: Entry) -> AbstractContextManager[Delivered]:
        """A file's bytes. Links are not followed."""


def store(settings: Settings, inbox: Path | str) -> Store:
    """The store that an inbox names: a folder, `sftp://user@host:port/path` or `s3://bucket/prefix`. Raises Failure."""
    if "://" not in str(inbox):
        return Folder(Path(inbox))
    try:
        url = urlsplit(str(inbox))
        has_password, port = url.password is not None, url.port
    except ValueError:
        raise Failure("The inbox is not a URL that can be read: sftp://user@host:port/path or s3://bucket.") from None
    if has_password or url.query or url.fragment:
        raise Failure(
            "Leave password and options out of the inbox's URL: SFTP takes the key in SEND_RETURNS_SFTP_KEY, S3 what"
            " AWS_PROFILE or AWS_ACCESS_KEY_ID name."
        )
    if url.scheme == "s3" and url.hostname:
        return _reached(Remote(f"s3://{url.netloc}{url.path}", f"{url.netloc}{url.path}".rstrip("/"), _s3))
    if url.scheme == "sftp" and url.hostname:
        host, user = url.hostname, unquote(url.username or "")
        root = unquote(url.path).rstrip("/") or "/"
        return _reached(Remote(f"sftp://{url.netloc}{url.path}", root, lambda: _sftp(settings, host, port or 22, user)))
    raise Failure("An inbox is a folder, sftp://user@host:port/path or s3://bucket/prefix: name one of them.")


def _reached(remote: "Remote") -> "Remote":
    try:
        remote.list(remote.folder())
    except FileNotFoundError:
        raise Failure(f"Inbox {remote.shown} is not there: make it, or name another.") from None
    except PermissionError:
        raise Failure(f"Inbox {remote.shown} may not be read with these credentials: ask its owner.") from None
    except Dropped as error:
        raise Failure(f"Inbox {remote.shown} cannot be reached ({error.strerror}): nothing was read.") from None
    return remote


class Folder:
    """A local folder."""

    is_local = True
    attempts = 1

    def __init__(self, root: Path) -> None:
        """Raises Failure when there is no such folder."""
        if not root.is_dir():
            raise Failure(f"Inbox {root} is not a folder: make it, or name another.")
        self._root = root
        self.shown = str(root)

    def folder(self, *parts: str) -> str:
        """The place of a folder below the root."""
        return str(self._root.joinpath(*parts))

    def list(self, place: str) -> list[Entry]:
        """What a folder holds, by the bytes of its names."""
        found = []
        for item in sorted(os.scandir(place), key=lambda item: os.fsencode(item.name)):
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            found.append(_local_entry(item.path, status))
        return found

    @contextmanager
    def open(self, entry: Entry) -> Iterator[Delivered]:
        """A plain file's bytes."""
        # Without O_NONBLOCK a named pipe would be waited for.
        with os.fdopen(os.open(entry.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "not a plain file")
            yield Delivered(
                file.read,
                before.st_size,
                lambda: _stamp(before) == _stamp(os.fstat(file.fileno())),
            )


def _local_entry(path: str, status: os.stat_result) -> Entry:
    name = os.fsencode(Path(path).name).decode("utf-8", errors="backslashreplace")
    kind: Literal["file", "folder", "other"] = (
        "folder" if stat.S_ISDIR(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "other"
    )
    # Not the time of modification, which the sender's program may set to anything.
    return Entry(name, path, kind, status.st_size, status.st_ctime, _stamp(status))


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


class Remote:
    """A folder on a server that fsspec speaks to. A lost connection is made anew."""

    is_local = False
    attempts = ATTEMPTS

    def __init__(self, shown: str, root: str, connect: Callable[[], object]) -> None:
        """`connect` makes the file system; it is called at the first use."""
        self.shown, self._root, self._connect = shown, root, connect
        self._connected: Any = None

    def folder(self, *parts: str) -> str:
        """The place of a folder below the root."""
        return "/".join((self._root.rstrip("/"), *parts))

    def list(self, place: str) -> list[Entry]:
        """What a folder holds, by the bytes of its names."""
        for attempt in range(ATTEMPTS):
            try:
                listed = self._ask(lambda files: files.ls(place, detail=True))
                break
            except Dropped:
                if attempt + 1 == ATTEMPTS:
                    raise
        entries = (_remote_entry(info) for info in listed if info["name"].rstrip("/") != place.rstrip("/"))
        return sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))

    @contextmanager
    def open(self, entry: Entry) -> Iterator[Delivered]:
        """A file's bytes, from the server."""
        if entry.kind != "file":
            raise OSError(errno.EINVAL, "not a plain file")
        with closing(self._ask(lambda files: files.open(entry.place, "rb"))) as file:
            yield Delivered(
                lambda size: self._ask(lambda _: bytes(file.read(size))),
                entry.size,
                lambda: _remote_entry(self._ask(lambda files: files.info(entry.place))).stamp == entry.stamp,
            )

    def _ask(self, question: Callable[[Any], T]) -> T:
        try:
            if self._connected is None:
                self._connected = self._connect()
            return question(self._connected)
        except (Failure, FileNotFoundError, PermissionError):
            raise
        except Exception as error:  # noqa: BLE001 - each library has its own; their texts may hold what is not ours to tell
            self._connected = None
            raise Dropped(errno.EIO, type(error).__name__) from None


def _remote_entry(info: dict[str, Any]) -> Entry:
    kinds: dict[str, Literal["file", "folder"]] = {"file": "file", "directory": "folder"}
    changed = info.get("mtime") or info.get("LastModified")
    seconds = changed.timestamp() if changed else 0.0
    size = info.get("size") or 0
    name = info["name"].rstrip("/").rpartition("/")[2].encode("utf-8", "backslashreplace").decode()
    return Entry(
        name, info["name"], kinds.get(info["type"], "other"), size, seconds, f"{size} {info.get('ETag', seconds)}"
    )


def _s3() -> object:
    import s3fs  # type: ignore[import-untyped]

    return s3fs.S3FileSystem(
        skip_instance_cache=True,
        use_listings_cache=False,
        default_fill_cache=False,
        config_kwargs={"connect_timeout": CONNECT_SECONDS, "retries": {"max_attempts": ATTEMPTS}},
    )


def _sftp(settings: Settings, host: str, port: int, user: str) -> object:
    from sshfs import SSHFileSystem  # type: ignore[import-untyped]

    key, known = settings.sftp_key, settings.sftp_known_hosts
    for path, variable in ((key, "SEND_RETURNS_SFTP_KEY"), (known, "SEND_RETURNS_SFTP_KNOWN_HOSTS")):
        if path is None or not path.is_file():
            raise Failure(
                f"{variable} does not name a file: SFTP needs a private key, and the server's known host key."
            )
    import asyncssh

    try:
        return SSHFileSystem(
            host,
            port=port,
            username=user,
            client_keys=[str(key)],
            known_hosts=str(known),
            # Neither what else is on this machine nor what its owner does elsewhere decides who we are.
            agent_path=None,
            config=[],
            connect_timeout=CONNECT_SECONDS,
            keepalive_interval=CONNECT_SECONDS,
            skip_instance_cache=True,
        )
    except asyncssh.HostKeyNotVerifiable:
        raise Failure(
            f"SFTP server {host}:{port} is not one that SEND_RETURNS_SFTP_KNOWN_HOSTS knows: nothing was read."
            " Ask its owner for its host key before you add it."
        ) from None
    except (asyncssh.PermissionDenied, PermissionError):
        raise Failure(
            f"SFTP server {host}:{port} does not take the key in SEND_RETURNS_SFTP_KEY for this user."
        ) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise Failure(
            "The key in SEND_RETURNS_SFTP_KEY cannot be read: it must be a private key without a passphrase."
        ) from None
