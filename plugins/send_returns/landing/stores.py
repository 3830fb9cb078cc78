"""Where deliveries wait, and where packs are brought: a local folder, an SFTP server or an S3 bucket, through fsspec.

No credential is in a URL: SFTP has a key file and a known-hosts file (SEND_RETURNS_SFTP_KEY,
SEND_RETURNS_SFTP_KNOWN_HOSTS), S3 has what its own library reads (AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL).
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from send_returns.failure import Failure
from send_returns.settings import Settings

if TYPE_CHECKING:
    from s3fs import S3FileSystem  # type: ignore[import-untyped]
    from sshfs import SSHFileSystem  # type: ignore[import-untyped]

ATTEMPTS = 3
CHUNK = 1 << 18
CONNECT_SECONDS = 20
T = TypeVar("T")
Put = Literal["delivered", "same"]


class OtherFile(Exception):
    """Another file lies where one was to be put: nothing was written."""


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
    """A folder of files, such as an inbox of `<organisation>/<feed>/<delivery>`. What cannot be done raises OSError."""

    shown: str
    is_local: bool
    attempts: int

    def folder(self, *parts: str) -> str:
        """The place of a folder below the root."""

    def list(self, place: str) -> list[Entry]:
        """What a folder holds, by the bytes of its names. Raises FileNotFoundError when there is no such folder."""

    def open(self, entry: Entry) -> AbstractContextManager[Delivered]:
        """A file's bytes. Links are not followed."""

    def put(self, file: Path, name: str) -> Put:
        """Copy a local file into the root, where it is seen whole or not at all.

        `same`: it lay there already. Raises OtherFile when a file with other bytes does.
        """


def store(settings: Settings, place: Path | str, what: str = "inbox") -> Store:
    """The store that a place names: a folder, `sftp://user@host:port/path` or `s3://bucket/prefix`. Raises Failure.

    `what` it is called when it cannot be used.
    """
    if "://" not in str(place):
        return Folder(Path(place), what)
    try:
        url = urlsplit(str(place))
        has_password, port = url.password is not None, url.port
    except ValueError:
        raise Failure(f"The {what} is not a URL that can be read: sftp://user@host:port/path or s3://bucket.") from None
    if has_password or url.query or url.fragment:
        raise Failure(
            f"Leave password and options out of the {what}'s URL: SFTP takes the key in SEND_RETURNS_SFTP_KEY, S3 what"
            " AWS_PROFILE or AWS_ACCESS_KEY_ID name."
        )
    if url.scheme == "s3" and url.hostname:
        root = f"{url.netloc}{url.path}".rstrip("/")
        return _reached(Remote(f"s3://{url.netloc}{url.path}", root, _s3, _put_s3), what)
    if url.scheme == "sftp" and url.hostname:
        host, user = url.hostname, unquote(url.username or "")
        root = unquote(url.path).rstrip("/") or "/"
        return _reached(
            Remote(f"sftp://{url.netloc}{url.path}", root, lambda: _sftp(settings, host, port or 22, user), _put_sftp),
            what,
        )
    raise Failure(f"The {what} must be a folder, sftp://user@host:port/path or s3://bucket/prefix: name one of them.")


def _reached(remote: "Remote", what: str) -> "Remote":
    named = f"{what.capitalize()} {remote.shown}"
    try:
        remote.list(remote.folder())
    except FileNotFoundError:
        raise Failure(f"{named} is not there: make it, or name another.") from None
    except PermissionError:
        raise Failure(f"{named} may not be read with these credentials: ask its owner.") from None
    except Dropped as error:
        raise Failure(f"{named} cannot be reached ({error.strerror}): nothing was transferred.") from None
    return remote


class Folder:
    """A local folder."""

    is_local = True
    attempts = 1

    def __init__(self, root: Path, what: str = "inbox") -> None:
        """Raises Failure when there is no such folder."""
        if not root.is_dir():
            raise Failure(f"{what.capitalize()} {root} is not a folder: make it, or name another.")
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

    def put(self, file: Path, name: str) -> Put:
        """Copy a local file into the folder, under a hidden name first."""
        final, work = self._root / name, self._root / f".{name}.part"
        if final.is_symlink() or final.exists():
            return _same(final.open("rb"), file)
        try:
            work.unlink(missing_ok=True)
            with file.open("rb") as source, work.open("xb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            work.rename(final)
            descriptor = os.open(self._root, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        finally:
            work.unlink(missing_ok=True)
        return "delivered"


def _same(there: BinaryIO, file: Path) -> Put:
    with there, file.open("rb") as own:
        # Not by hashlib.file_digest: a remote file is none for it.
        summed = hashlib.sha256()
        while chunk := there.read(CHUNK):
            summed.update(chunk)
        if summed.digest() != hashlib.file_digest(own, "sha256").digest():
            raise OtherFile
    return "same"


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

    def __init__(
        self, shown: str, root: str, connect: Callable[[], object], put: Callable[[Any, Path, str], None]
    ) -> None:
        """`connect` makes the file system, at the first use; `put` copies a file to a place where none is."""
        self.shown, self._root, self._connect, self._put = shown, root, connect, put
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

    def put(self, file: Path, name: str) -> Put:
        """Copy a local file into the root."""
        place = self.folder(name)

        for attempt in range(ATTEMPTS):
            try:
                if self._ask(lambda files: files.exists(place)):
                    return self._ask(lambda files: _same(files.open(place, "rb"), file))
                self._ask(lambda files: self._put(files, file, place))
                return "delivered"
            except Dropped:
                if attempt + 1 == ATTEMPTS:
                    raise
        raise AssertionError("a file is put at least once")

    def _ask(self, question: Callable[[Any], T]) -> T:
        try:
            if self._connected is None:
                self._connected = self._connect()
            return question(self._connected)
        except (Failure, FileNotFoundError, PermissionError, OtherFile):
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
    import s3fs

    return s3fs.S3FileSystem(
        skip_instance_cache=True,
        use_listings_cache=False,
        default_fill_cache=False,
        config_kwargs={"connect_timeout": CONNECT_SECONDS, "retries": {"max_attempts": ATTEMPTS}},
    )


def _put_s3(files: "S3FileSystem", file: Path, place: str) -> None:
    # A file is seen when all of it has come; and where a store knows the condition, it takes no other's place.
    files.put_file(str(file), place, mode="create")


def _put_sftp(files: "SSHFileSystem", file: Path, place: str) -> None:
    """Copied under a hidden name, then renamed by the protocol's own rename, which takes no other file's place."""
    import asyncssh
    from fsspec.asyn import sync

    folder, _, name = place.rpartition("/")
    work = f"{folder}/.{name}.part"

    async def copy() -> None:
        async with files.client.start_sftp_client() as server:
            async with server.open(work, "wb") as target:
                with file.open("rb") as source:
                    while chunk := source.read(CHUNK):
                        await target.write(chunk)
                with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                    await target.fsync()
            await server.rename(work, place)

    sync(files.loop, copy)


def _sftp(settings: Settings, host: str, port: int, user: str) -> object:
    from sshfs import SSHFileSystem

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
            f"SFTP server {host}:{port} is not one that SEND_RETURNS_SFTP_KNOWN_HOSTS knows: nothing was transferred."
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
