"""Publishing: what both partners signed, sealed and put where it is fetched from; whole, or not at all."""

import shutil
from pathlib import Path

import psycopg

from send_returns import warehouse
from send_returns.publication import drafting
from send_returns.releases import audit, register
from send_returns.releases.register import Release
from send_returns.returns import pack
from send_returns.sealing import keys, release_file, verify_pack
from send_returns.settings import Settings


def publish(settings: Settings, run_id: str, output: Path) -> dict[str, object]:
    """Publish every release of a run that both partners have signed; returns ids, hashes and counts only.

    A pack is `output/<return>/<partnership>/<as_of>/v<version>/`. The database is asked first, and says it is published
    before it can be seen: a pack that is there was let through. Publishing again finishes what was broken off and
    changes nothing else. The version before stays where it was, as it was.

    Raises:
        Refused: the database does not let a release be published.
        KeyMissing: this installation has no key to seal with.
        PackError: a pack that is there already is not as it was sealed.
    """
    result: dict[str, object] = {"run_id": run_id, "published": 0}
    with warehouse.connect(settings, autocommit=True, purpose="send-returns publish") as connection:
        # What a killed publisher left is swept by the next, so there is one at a time.
        connection.execute(
            "select pg_advisory_lock(hashtextextended(%s, 0))", [f"send-returns publish {settings.partnership}"]
        )
        due = [
            one
            for one in register.listing(connection, settings.partnership)
            if one.run_id == run_id and one.state in ("signed", "published")
        ]
        for one in due:
            final = place(output, one)
            if final.exists():
                _stands(settings, final, one)
            else:
                _put_out(settings, connection, one, final)
            # A list of children is kept in one place only, also when a publisher was killed before it came so far.
            shutil.rmtree(drafting.folder(settings, one), ignore_errors=True)
            result |= {
                f"{one.return_name}.pack": str(final),
                f"{one.return_name}.pack_sha256": one.pack_sha256,
                f"{one.return_name}.version": one.version,
            }
        if due:
            connection.execute("update audit.run set status = 'published' where run_id = %s", [run_id])
    return result | {"published": len(due)}


def place(output: Path, release: Release) -> Path:
    """Where a published pack stands."""
    return output / release.return_name / release.partnership / release.as_of.isoformat() / f"v{release.version}"


def _put_out(settings: Settings, connection: psycopg.Connection, release: Release, final: Path) -> None:
    """Seal a copy of the draft under a hidden name, have the database publish it, then let it be seen."""
    key = keys.current(settings)
    drafted = drafting.folder(settings, release)
    if not drafted.exists():
        raise pack.PackError(
            f"{final}: it was published already, and is not here: publish to the folder that it went to, or put it here"
            if release.state == "published"
            else f"{final}: the draft that was signed is gone: draft again"
        )
    with pack.staged(final) as work:
        for path in sorted(drafted.iterdir()):
            shutil.copyfile(path, work / path.name)
        with connection.transaction():
            said = register.statement(connection, release.release_id)
            release_file.finish(work, said, key)
            register.publish(connection, release.release_id, audit.Anchor(**said["audit"]))


def _stands(settings: Settings, final: Path, release: Release) -> None:
    """Raise PackError unless the pack that is there is this release, let through by the database, as it was sealed."""
    if release.state != "published" or not pack.is_there(final, release.pack_sha256):
        raise pack.PackError(
            f"{final}: the pack that is there is not the one which was signed: move the folder away and publish again"
        )
    report = verify_pack.check(
        final,
        [key.fingerprint for key in keys.public_keys(settings)],
        verify_pack.Expected(release.return_name, release.as_of, release.version),
    )
    if report.exit_code:
        raise pack.PackError(f"{final}: " + "; ".join(report.lines()) + ": move the folder away and publish again")
