"""Landing from an SFTP server and an S3 store: real servers on loopback."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import s3fs

from send_returns.failure import Failure
from send_returns.landing import stores
from send_returns.settings import Settings


@pytest.fixture
def partner(database: Settings, sftp: Any) -> Settings:
    """Settings with the key to the SFTP server."""
    return replace(database, sftp_key=sftp.key, sftp_known_hosts=sftp.known_hosts)


@pytest.fixture
def upload(sftp: Any) -> Callable[[str, str | bytes], Path]:
    def run(name: str, content: str | bytes) -> Path:
        path = sftp.root / "inbox" / "council" / "ehe_register" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return run


def test_a_delivery_comes_from_an_sftp_server_and_is_not_fetched_twice(
    partner: Settings, sftp: Any, upload: Any, register: Any, land: Any, ask: Any
) -> None:
    big = register(*range(60_000))
    upload("2026-10-01.csv", big)
    upload("2026-10-02/ehe_register_child.csv", register(1, 2))
    upload("2026-10-03.csv.part", register(3))
    assert land(sftp.url, partner) == {"accepted": 2, "rows_in": 60_002, "loaded": 60_002}
    assert ask("select count(*) from raw_council.ehe_register__child") == [(60_002,)]
    kept = [file.read_bytes() for file in (partner.home / "archive").iterdir()]
    assert sorted(kept, key=len) == [register(1, 2).encode(), big.encode()]
    files = len(sftp.opened)
    assert land(sftp.url, partner) == {"unchanged": 2}
    assert len(sftp.opened) == files
    upload("2026-10-01.csv", big + register(70_000).splitlines()[1] + "\n")
    assert land(sftp.url, partner) == {"accepted": 1, "unchanged": 1, "rows_in": 60_001, "loaded": 60_001}


def test_a_lost_connection_is_made_anew(partner: Settings, sftp: Any, upload: Any, register: Any, land: Any) -> None:
    upload("2026-10-01.csv", register(1))
    sftp.drop_after.append(1)
    assert land(sftp.url, partner) == {"accepted": 1, "rows_in": 1, "loaded": 1}
    assert len(sftp.connections) == 2


def test_a_connection_that_is_lost_each_time_is_told_in_one_line(
    partner: Settings, sftp: Any, upload: Any, register: Any, land: Any, ask: Any
) -> None:
    upload("2026-10-01.csv", register(1))
    sftp.drop_after.extend([1] * 100)
    with pytest.raises(Failure, match="was lost"):
        land(sftp.url, partner)
    assert ask("select count(*) from landing.delivery") == [(0,)]


def test_links_on_a_server_are_not_followed(
    partner: Settings, sftp: Any, upload: Any, register: Any, land: Any
) -> None:
    upload("2026-10-01.csv", register(1)).rename(sftp.root / "secret.csv")
    (sftp.root / "inbox/council/ehe_register/2026-10-01.csv").symlink_to(sftp.root / "secret.csv")
    assert land(sftp.url, partner) == {"unreadable": 1}


def test_a_server_with_another_host_key_is_not_believed(
    partner: Settings, sftp: Any, upload: Any, register: Any, land: Any, tmp_path: Path
) -> None:
    upload("2026-10-01.csv", register(1))
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    sftp.known_hosts.write_text(sftp.known_hosts.read_text().split(" ")[0] + " " + other)
    with pytest.raises(Failure, match="is not one that SEND_RETURNS_SFTP_KNOWN_HOSTS knows"):
        land(sftp.url, partner)
    with pytest.raises(Failure, match="SEND_RETURNS_SFTP_KNOWN_HOSTS does not name a file"):
        land(sftp.url, replace(partner, sftp_known_hosts=tmp_path / "nowhere"))


def test_a_key_that_the_server_does_not_know_is_told_in_one_line(
    partner: Settings, sftp: Any, land: Any, tmp_path: Path
) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    with pytest.raises(Failure, match="does not take the key"):
        land(sftp.url, replace(partner, sftp_key=tmp_path / "other"))
    (tmp_path / "other").write_text("no key")
    with pytest.raises(Failure, match="cannot be read: it must be a private key"):
        land(sftp.url, replace(partner, sftp_key=tmp_path / "other"))


def test_an_inbox_that_is_not_there_is_told_in_one_line(partner: Settings, sftp: Any, land: Any) -> None:
    with pytest.raises(Failure, match="is not there"):
        land(sftp.url, partner)
    with pytest.raises(Failure, match="cannot be reached"):
        land("sftp://partner@127.0.0.1:1/inbox", partner)


def test_a_delivery_comes_from_an_s3_store_and_is_not_fetched_twice(
    bucket: s3fs.S3FileSystem, land: Any, register: Any, ask: Any, database: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = "deliveries/county/council/ehe_register"
    big = register(*range(60_000))
    bucket.pipe(f"{place}/2026-10-01.csv", big.encode())
    bucket.pipe(f"{place}/2026-10-02/ehe_register_child.csv", register(1, 2).encode())
    inbox = "s3://deliveries/county"
    assert land(inbox) == {"accepted": 2, "rows_in": 60_002, "loaded": 60_002}
    assert sorted(file.stat().st_size for file in (database.home / "archive").iterdir()) == [
        len(register(1, 2)),
        len(big),
    ]
    assert land(inbox) == {"unchanged": 2}
    assert ask("select distinct inbox from landing.look") == [(inbox,)]
    bucket.pipe(f"{place}/2026-10-02/ehe_register_child.csv", register(1, 3).encode())
    assert land(inbox) == {"accepted": 1, "unchanged": 1, "rows_in": 2, "loaded": 2}
    assert "Qx7Canary" not in caplog.text


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_told_in_one_line(land: Any) -> None:
    with pytest.raises(Failure, match="Inbox s3://nothing/county is not there"):
        land("s3://nothing/county")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sftp://partner:Qx7Canary@host/inbox", "Leave password and options out"),
        ("s3://deliveries/county?secret=Qx7Canary", "Leave password and options out"),
        ("http://host/inbox", "The inbox must be a folder, sftp://"),
        ("sftp://host:Qx7Canary/inbox", "is not a URL that can be read"),
    ],
)
def test_a_url_that_holds_a_secret_or_is_none_is_refused_and_not_repeated(
    database: Settings, url: str, said: str
) -> None:
    with pytest.raises(Failure, match=said) as refused:
        stores.store(database, url)
    assert "Qx7Canary" not in str(refused.value)
