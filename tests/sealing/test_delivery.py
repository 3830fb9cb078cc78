"""Packs as one file, encrypted to who is registered, and brought to real places."""

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyrage
import pytest

from send_returns.failure import Failure
from send_returns.sealing import parcel, recipients, release_file, verify_pack
from send_returns.sealing.delivery import NotDelivered, deliver
from send_returns.sealing.recipients import Recipient, RecipientRefused
from send_returns.settings import Settings

ON = date(2026, 11, 26)
RETURN = "area_send_annex_a"
NAME = f"{RETURN}_hertfordshire_2026-11-24_v1"


@pytest.fixture
def inspector() -> Any:
    return pyrage.x25519.Identity.generate()


def _register(settings: Settings, identity: Any, *returns: str, name: str = "Ines Specter") -> Recipient:
    entry = Recipient(name, "Ofsted", str(identity.to_public()), returns or (RETURN,), date(2026, 11, 1))
    recipients.add(settings, entry)
    return entry


def test_what_a_recipient_decrypts_is_the_pack(installation: Any, sealed: Path, inspector: Any, tmp_path: Path) -> None:
    _register(installation.settings, inspector)
    file = parcel.encrypted(installation.settings, sealed, ON)
    assert file.name.startswith(f"{NAME}_")
    assert file.name.endswith(".tar.age")
    assert file.stat().st_mode & 0o777 == 0o600
    content = pyrage.decrypt(file.read_bytes(), [inspector])
    tar = tmp_path / f"{NAME}.tar"
    tar.write_bytes(content)
    assert verify_pack.check(tar, [installation.fingerprint]).exit_code == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        opened.extractall(tmp_path, filter="data")
    assert verify_pack.check(tmp_path / NAME, [installation.fingerprint]).exit_code == 0
    # Encrypted a second time, the bytes would be others: the first file is kept, while it is what it was.
    first = file.read_bytes()
    assert parcel.encrypted(installation.settings, sealed, ON) == file
    assert file.read_bytes() == first
    file.write_bytes(first[:-1])
    assert parcel.encrypted(installation.settings, sealed, ON) == file
    assert pyrage.decrypt(file.read_bytes(), [inspector]) == content
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file.read_bytes(), [pyrage.x25519.Identity.generate()])
    assert [path.name for path in file.parent.iterdir() if path.name.endswith(".part")] == []


def test_a_kill_leaves_no_list_of_children_behind(installation: Any, sealed: Path, inspector: Any) -> None:
    _register(installation.settings, inspector)
    child = os.fork()
    if child == 0:
        # It ends as a kill would end it: the tar is whole, and nothing is encrypted yet.
        pyrage.encrypt_io = lambda *_: os.kill(os.getpid(), 9)
        parcel.encrypted(installation.settings, sealed, ON)
    assert os.waitpid(child, 0)[1] == 9
    left = [path for path in (installation.settings.home / parcel.FOLDER).iterdir() if path.name != ".lock"]
    assert [path.stat().st_size for path in left] == [0]
    assert parcel.encrypted(installation.settings, sealed, ON).exists()
    assert not any(path.exists() for path in left)


def test_only_who_is_registered_for_the_return_on_the_day_can_open_it(
    installation: Any, sealed: Path, inspector: Any
) -> None:
    other, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    settings = installation.settings
    with pytest.raises(RecipientRefused, match="Nobody is registered to receive area_send_annex_a on 2026-11-26"):
        parcel.encrypted(settings, sealed, ON)
    _register(settings, other, "sen2")
    with pytest.raises(RecipientRefused, match="Nobody is registered"):
        parcel.encrypted(settings, sealed, ON)
    entry = _register(settings, inspector)
    with pytest.raises(RecipientRefused, match="Nobody is registered"):
        parcel.encrypted(settings, sealed, date(2026, 10, 31))
    for refused in (stranger, other):
        with pytest.raises(RecipientRefused, match="is not registered to receive area_send_annex_a on 2026-11-26"):
            parcel.encrypted(settings, sealed, ON, [entry.public_key, str(refused.to_public())])
    assert not list((settings.home / parcel.FOLDER).glob("*.age"))
    one = parcel.encrypted(settings, sealed, ON)
    _register(settings, stranger, RETURN, "sen2")
    both = parcel.encrypted(settings, sealed, ON)
    assert one.name != both.name
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(one.read_bytes(), [stranger])
    assert pyrage.decrypt(both.read_bytes(), [stranger]) == pyrage.decrypt(one.read_bytes(), [inspector])
    # Ended from this very day on.
    recipients.end(settings, entry.public_key, ON)
    with pytest.raises(RecipientRefused, match="is not registered to receive"):
        parcel.encrypted(settings, sealed, ON, [entry.public_key])
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(parcel.encrypted(settings, sealed, ON).read_bytes(), [inspector])
    assert [one.ended_on for one in recipients.register(settings)] == [None, ON, None]


def test_the_register_takes_no_key_that_it_could_not_use(installation: Any, inspector: Any) -> None:
    settings = installation.settings
    entry = _register(settings, inspector)
    with pytest.raises(RecipientRefused, match="is registered already"):
        recipients.add(settings, replace(entry, name="Another"))
    with pytest.raises(RecipientRefused, match="That is a secret key") as refused:
        recipients.add(settings, replace(entry, public_key=str(inspector)))
    assert str(inspector) not in str(refused.value)
    for wrong in ("", "age1", entry.public_key[:-1] + "x", "ssh-ed25519 AAAA"):
        with pytest.raises(RecipientRefused, match="is not an age public key"):
            recipients.add(settings, replace(entry, public_key=wrong))
    for lacking in ({"name": " "}, {"organisation": ""}, {"returns": ()}):
        with pytest.raises(RecipientRefused, match="has a name, an organisation and at least one return"):
            recipients.add(
                settings, replace(entry, **{"public_key": str(pyrage.x25519.Identity.generate().to_public())} | lacking)
            )
    recipients.end(settings, entry.public_key, ON)
    with pytest.raises(RecipientRefused, match="is not registered, or has ended"):
        recipients.end(settings, entry.public_key, ON)
    register = settings.home / "recipients.yml"
    assert register.stat().st_mode & 0o777 == 0o600
    assert recipients.register(settings) == [replace(entry, ended_on=ON)]
    register.chmod(0o620)
    with pytest.raises(RecipientRefused, match="Others can write to"):
        recipients.register(settings)
    register.chmod(0o600)
    register.write_text("recipients:\n- name: x\n")
    with pytest.raises(RecipientRefused, match="is not a register of recipients"):
        recipients.register(settings)


TAR = """
import sys
from datetime import date
from pathlib import Path
from send_returns.sealing import parcel
with open(sys.argv[2], "wb") as file:
    parcel.write_tar(Path(sys.argv[1]), "a_pack", date(2026, 11, 24), file)
"""


def test_the_tar_has_the_same_bytes_wherever_it_is_made(sealed: Path, tmp_path: Path) -> None:
    made = []
    for number, (zone, locale, seed, umask) in enumerate(
        [("Pacific/Auckland", "C", "1", 0o077), ("America/St_Johns", "tr_TR.UTF-8", "2", 0o002)]
    ):
        for at, path in enumerate(sorted(sealed.iterdir(), reverse=bool(number))):
            os.utime(path, (at, at * 1000))
            path.chmod(0o600 if number else 0o644)
        out = tmp_path / f"{number}.tar"
        environment = os.environ | {"TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", TAR, sealed, out], env=environment, umask=umask, check=True)
        made.append(out.read_bytes())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as tar:
        assert [(one.name, one.mode, one.uid, one.uname, one.mtime) for one in tar] == [
            (f"a_pack/{path.name}", 0o600, 0, "", 1795478400) for path in sorted(sealed.iterdir())
        ]


def test_what_is_damaged_superseded_or_not_ours_is_not_sent(installation: Any, sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    strange = type(installation)(tmp_path / "other").publish()
    with pytest.raises(
        parcel.ParcelRefused, match=r"is not to be sent: release\.json is sealed with a key that is not"
    ):
        parcel.plain(installation.settings, strange)
    second = installation.publish(2)
    with pytest.raises(parcel.ParcelRefused, match=r"release\.json is not the newest version"):
        parcel.plain(installation.settings, sealed)
    (second / "List_1.csv").write_text("")
    with pytest.raises(parcel.ParcelRefused, match=r"List_1\.csv is not the file that was sealed"):
        parcel.plain(installation.settings, second)
    assert not list((installation.settings.home / parcel.FOLDER).glob("*.tar"))


def test_a_pack_is_delivered_to_a_folder_once(installation: Any, sealed: Path, inspector: Any, tmp_path: Path) -> None:
    place = tmp_path / "share"
    with pytest.raises(Failure, match=r"Destination .*share is not a folder"):
        deliver(installation.settings, sealed, str(place), ON, is_child_level=False)
    place.mkdir()
    with pytest.raises(RecipientRefused):
        deliver(installation.settings, sealed, str(place), ON, is_child_level=True)
    assert list(place.iterdir()) == []
    _register(installation.settings, inspector)
    first = deliver(installation.settings, sealed, str(place), ON, is_child_level=True)
    assert first.outcome == "delivered"
    (file,) = place.iterdir()
    assert pyrage.decrypt(file.read_bytes(), [inspector])
    assert deliver(installation.settings, sealed, str(place), ON, is_child_level=True) == replace(first, outcome="same")
    for other in (b"", file.read_bytes()[:-1], file.read_bytes() + b"x"):
        file.write_bytes(other)
        with pytest.raises(NotDelivered, match="holds another file called"):
            deliver(installation.settings, sealed, str(place), ON, is_child_level=True)
        assert file.read_bytes() == other
    plain = deliver(installation.settings, sealed, str(place), ON, is_child_level=False)
    assert plain.name == f"{NAME}.tar"
    assert verify_pack.check(place / plain.name).exit_code == 0


def test_the_notice_goes_with_the_version_that_takes_the_place(installation: Any, sealed: Path, tmp_path: Path) -> None:
    place = tmp_path / "share"
    place.mkdir()
    deliver(installation.settings, sealed, str(place), ON, is_child_level=False)
    assert verify_pack.check(place / f"{NAME}.tar").exit_code == 0
    second = installation.publish(2)
    deliver(installation.settings, second, str(place), ON, is_child_level=False)
    assert sorted(path.name for path in place.iterdir()) == [
        f"{NAME}.superseded.json",
        f"{NAME}.superseded.json.sig",
        f"{NAME}.tar",
        f"{NAME[:-1]}2.tar",
    ]
    (place / f"{NAME[:-1]}2.tar").unlink()
    (problem,) = verify_pack.check(place / f"{NAME}.tar").problems
    assert (problem.state, problem.more[:27]) == ("older", "version 2 lies beside it, a")
    assert release_file.notice(second, NAME)[f"{NAME}.superseded.json"] == (second / "release.json").read_bytes()


def test_a_pack_is_delivered_to_an_sftp_server_once(installation: Any, sealed: Path, sftp: Any) -> None:
    settings = replace(installation.settings, sftp_key=sftp.key, sftp_known_hosts=sftp.known_hosts)
    with pytest.raises(Failure, match=r"Destination sftp://.* is not there"):
        deliver(settings, sealed, sftp.url, ON, is_child_level=False)
    inbox = sftp.root / "inbox"
    inbox.mkdir()
    first = deliver(settings, sealed, sftp.url, ON, is_child_level=False)
    assert [path.name for path in inbox.iterdir()] == [f"{NAME}.tar"]
    assert verify_pack.check(inbox / f"{NAME}.tar", [installation.fingerprint]).exit_code == 0
    written = [name for name in sftp.opened if b"inbox" in name]
    assert written == [f"/inbox/.{NAME}.tar.part".encode()]
    assert deliver(settings, sealed, sftp.url, ON, is_child_level=False) == replace(first, outcome="same")
    (inbox / f"{NAME}.tar").write_bytes(b"other")
    with pytest.raises(NotDelivered, match="holds another file called"):
        deliver(settings, sealed, sftp.url, ON, is_child_level=False)
    assert (inbox / f"{NAME}.tar").read_bytes() == b"other"
    # What a lost connection left is written over.
    (inbox / f"{NAME}.tar").rename(inbox / f".{NAME}.tar.part")
    deliver(settings, sealed, sftp.url, ON, is_child_level=False)
    assert [path.name for path in inbox.iterdir()] == [f"{NAME}.tar"]


def test_a_pack_is_delivered_to_an_s3_store_once(installation: Any, sealed: Path, bucket: Any) -> None:
    bucket.pipe("deliveries/county/x", b"")
    place = "s3://deliveries/county"
    first = deliver(installation.settings, sealed, place, ON, is_child_level=False)
    there = f"deliveries/county/{NAME}.tar"
    assert bucket.cat_file(there) == parcel.plain(installation.settings, sealed).read_bytes()
    assert deliver(installation.settings, sealed, place, ON, is_child_level=False) == replace(first, outcome="same")
    bucket.pipe(there, b"other")
    with pytest.raises(NotDelivered, match="holds another file called"):
        deliver(installation.settings, sealed, place, ON, is_child_level=False)
    assert bucket.cat_file(there) == b"other"
    assert sorted(bucket.ls("deliveries/county")) == [there, "deliveries/county/x"]
