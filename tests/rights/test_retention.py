"""What its contract says is kept no longer goes on its day, unless a published return still has to be proved by it."""

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from tests.rights.conftest import AS_OF, County

from send_returns import cli, feeds, landing, rights, warehouse
from send_returns.returns import pack
from send_returns.settings import Settings

pytestmark = pytest.mark.timeout(600)
HEADER = "ehe_id,upn,uln,nhs_number,surname,forename,date_of_birth\n"
Received = Callable[[str], None]


@pytest.fixture
def received(database: Settings, tmp_path: Path) -> Received:
    """A register, kept for 25 years, that was received at an instant."""
    folder = tmp_path / "inbox" / "council" / "ehe_register"
    folder.mkdir(parents=True)
    (folder / "2026-10-01.csv").write_text(HEADER + "1,,,,One,,\n2,,,,Two,,\n")
    landing.land(database, "council", tmp_path / "inbox", AS_OF)

    def at(instant: str) -> None:
        with warehouse.connect(database) as connection:
            connection.execute("update landing.delivery set received_at = %s", [instant])

    return at


@pytest.mark.parametrize(
    ("instant", "last_day", "gone_on"),
    [
        ("2001-03-05 12:00+00", date(2026, 3, 4), date(2026, 3, 5)),
        # In England it was the next day already.
        ("2001-06-30 23:30+00", date(2026, 6, 30), date(2026, 7, 1)),
        ("2001-12-31 23:59+00", date(2026, 12, 30), date(2026, 12, 31)),
        # As of birthdays: a year without the day has it the day before.
        ("2004-02-29 12:00+00", date(2029, 2, 27), date(2029, 2, 28)),
    ],
)
def test_a_delivery_goes_on_the_anniversary_of_its_receipt(
    database: Settings, received: Received, instant: str, last_day: date, gone_on: date
) -> None:
    received(instant)
    assert rights.past(database, last_day) == []
    assert rights.expire(database, last_day, "dpo").removal_id is None
    (one,) = rights.past(database, gone_on)
    assert (one.feed, one.until, one.waits_until, one.rows) == ("ehe_register", gone_on, None, 2)
    assert rights.past(database, date(2099, 1, 1))[0].until == gone_on
    expired = rights.expire(database, gone_on, "dpo")
    assert (expired.counts["raw"], expired.counts["files"]) == (2, 1)
    assert rights.past(database, gone_on) == []
    assert list((database.home / "archive").iterdir()) == []


def test_every_contract_says_for_how_long_and_whether_it_waits() -> None:
    kept = {feed.id: feed.retention for feed in feeds.feeds()}
    assert {feed for feed, retention in kept.items() if not retention.waits_for_release} == {
        "csds",
        "mhsds",
        "dynamic_support_register",
    }
    assert kept["ssda903"].years == 75
    assert kept["csds"].words == "8 years from receipt"
    assert kept["sen2"].words == "25 years from receipt, and as long as a return that was made from it"


def test_only_what_is_past_its_time_goes_with_all_that_was_made_of_it_alone(county: County) -> None:
    with warehouse.connect(county.settings) as connection:
        connection.execute("update landing.delivery set received_at = '2018-10-30 12:00+00' where feed = 'csds'")
        connection.execute("update landing.delivery set received_at = '2001-10-30 12:00+00' where feed = 'sen2'")
    before = county.rows()
    sealed = county.output / "area_send_annex_a" / "hertfordshire" / str(AS_OF) / "v1"
    (sen2,) = [one for one in rights.past(county.settings, AS_OF) if one.feed == "sen2"]
    # The lists were made from it, and are to be proved for ten years.
    assert sen2.waits_until == date(2036, 10, 30)

    expired = rights.expire(county.settings, AS_OF, "dpo")

    assert {one.feed for one in expired.deliveries} == {"csds"}
    left = county.rows()
    assert {table: left[table] for table in left if not table.startswith("csds")} == {
        table: before[table] for table in before if not table.startswith("csds")
    }
    assert not [table for table in left if table.startswith("csds") and left[table]]
    assert expired.counts["raw"] == sum(before[table].total() for table in before if table.startswith("csds"))
    assert county.ask(
        "select distinct status, rows_loaded, rows_quarantined, rows_erased = rows_in from landing.delivery"
        " where feed = 'csds'"
    ) == [("superseded", 0, 0, True)]
    assert county.ask(
        "select count(*) from identity.profile"
        " where not exists (select from identity.link where link.profile_id = profile.profile_id)"
    ) == [(0,)]
    assert county.ask(
        "select count(*) from identity.edge where left_id not in (select profile_id from identity.profile)"
        " or right_id not in (select profile_id from identity.profile)"
    ) == [(0,)]
    assert not (county.settings.home / "outbox" / "icb" / "csds" / "csds_2025-26").exists()
    assert (county.settings.home / "outbox" / "icb" / "mhsds" / "mhsds_2025-26").exists()
    kept = {path.name for path in (county.settings.home / "archive").iterdir()}
    assert not kept & {sha for (sha,) in county.ask("select sha256 from landing.delivery_file where removed_by > 0")}
    assert county.ask(
        "select kind, person_id, from_on, decided_by, (removed ->> 'deliveries')::int from rights.removal"
    ) == [("retention", None, AS_OF, "dpo", 3)]
    assert pack.verify(sealed).problems == ()
    # The same bytes again are known, and their files are not kept.
    assert county.land()["accepted"] == 0
    assert {path.name for path in (county.settings.home / "archive").iterdir()} == kept

    sent, newer = county.sent("2026-10-30_v1"), county.sent("2026-10-31_v1")
    assert rights.past_copies(county.settings, date(2036, 10, 29)) == []
    day_before = rights.past(county.settings, date(2036, 10, 29))
    assert "sen2" not in {one.feed for one in day_before if one.waits_until is None}
    assert "sen2" in {one.feed for one in rights.expire(county.settings, date(2036, 10, 30), "dpo").deliveries}
    assert not county.rows()["sen2__person"]
    assert list(sent.parent.glob("*.tar.age*")) == [newer, newer.with_name(f"{newer.name}.sha256")]
    assert county.ask("select count(*) from returns.return_annex_a__list_2")[0][0] > 50


def test_what_a_person_had_removed_before_is_counted_once(county: County) -> None:
    rights.erase(county.settings, county.person_id, reason="asked", by="dpo", on=AS_OF)
    with warehouse.connect(county.settings) as connection:
        connection.execute("update landing.delivery set received_at = '2018-10-30 12:00+00' where feed = 'csds'")
    archive = county.settings.home / "archive"
    copies = county.ask(
        "select kept_as from landing.delivery_file inner join landing.delivery using (delivery_id)"
        " where feed = 'csds' and kept_as is not null"
    )
    assert copies
    assert all((archive / copy).exists() for (copy,) in copies)
    rights.expire(county.settings, AS_OF, "dpo")
    assert not any((archive / copy).exists() for (copy,) in copies)
    assert county.ask(
        "select count(*) from landing.delivery_table where rows_in <> rows_loaded + rows_quarantined + rows_erased"
    ) == [(0,)]


def test_the_command_lists_first_and_removes_when_told(
    county: County, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with warehouse.connect(county.settings) as connection:
        connection.execute("update landing.delivery set received_at = '2018-10-30 12:00+00' where feed = 'mhsds'")
    monkeypatch.setenv("SEND_RETURNS_HOME", str(county.settings.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(county.settings.database_url))

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["send-returns", "retention", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code
        return capfd.readouterr().out

    assert "3 deliveries are to be removed" in run("--as-of", str(AS_OF))
    assert county.rows()["mhsds__mhs001mpi"]
    assert "Removal 1" in run("--as-of", str(AS_OF), "--apply", "--yes")
    assert not county.rows()["mhsds__mhs001mpi"]
    assert "Nothing is to be removed" in run("--as-of", str(AS_OF))
