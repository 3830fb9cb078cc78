"""From the day of an opt-out nothing of the child is held or processed, until the day on which it is withdrawn."""

from collections import Counter
from collections.abc import Callable
from datetime import date

import pytest
from tests.rights.conftest import AS_OF, REGISTER, County

from send_returns import clock, landing, rights
from send_returns.failure import Failure
from send_returns.identity import pseudonyms
from send_returns.rights import canary
from send_returns.rights.tombstones import TombstoneKeyLost

pytestmark = pytest.mark.timeout(600)
FROM = date(2026, 11, 2)
OnDay = Callable[[date], None]


def opt_out(county: County, on: date = FROM) -> rights.Removed:
    return rights.opt_out(county.settings, county.person_id, reason="objects", by="dpo", on=on, today=AS_OF)


def held(county: County) -> bool:
    return bool(canary.search(county.settings, county.child.needles))


def deliver(county: County, day: str) -> None:
    """A register of that day, with the child in it."""
    folder = county.inbox / "council" / "ehe_register"
    text = (folder / REGISTER / f"{REGISTER}.csv").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines(keepends=True) if county.child.truth["upn"] not in line]
    (folder / f"ehe_register_{day}.csv").write_text(
        "".join(kept) + county.child.in_register(f"EHE {day}"), encoding="utf-8"
    )


@pytest.fixture
def on_day(monkeypatch: pytest.MonkeyPatch) -> OnDay:
    """Let it be a day."""
    return lambda day: monkeypatch.setattr(clock, "today", lambda: day)


def test_it_is_carried_out_on_its_day_and_not_before(county: County, on_day: OnDay) -> None:
    rows = county.rows()
    removed = opt_out(county)
    assert removed.rows == 0
    assert rights.apply(county.settings, date(2026, 11, 1)) == 0
    assert county.rows() == rows
    assert held(county)
    # It is in force on the day, whatever earlier day a run is of.
    on_day(FROM)
    gone = rights.apply(county.settings, AS_OF)
    assert not held(county)
    assert gone == sum(map(Counter.total, rows.values())) - sum(map(Counter.total, county.rows().values())) > 30
    assert rights.apply(county.settings, AS_OF) == 0


def test_after_its_withdrawal_what_is_delivered_is_processed_again(county: County, on_day: OnDay) -> None:
    person_id = county.person_id
    opt_out(county, AS_OF)
    assert not held(county)
    with pytest.raises(Failure, match="opt-out from 2026-10-30 on record already"):
        rights.opt_out(county.settings, person_id, reason="again", by="dpo", on=FROM, today=AS_OF)
    rights.withdraw(county.settings, person_id, reason="consents", by="dpo", on=date(2026, 12, 1))
    with pytest.raises(Failure, match="no opt-out to withdraw"):
        rights.withdraw(county.settings, person_id, reason="again", by="dpo", on=date(2026, 12, 2))

    on_day(date(2026, 11, 30))
    deliver(county, "2026-11-29")
    assert county.land()["erased"] == 1
    assert not held(county)

    on_day(date(2026, 12, 1))
    deliver(county, "2026-11-30")
    assert county.land()["erased"] == 0
    assert county.ask("select count(*) from raw_council.ehe_register__child where ehe_id = 'EHE 2026-11-30'") == [(1,)]
    assert county.ask("select count(*) from rights.tombstone") == [(0,)]
    # What was dropped stays so: only a new delivery brings the child back.
    assert county.land()["accepted"] == 0
    assert county.ask("select count(*) from raw_council.ehe_register__child where ehe_id = 'EHE 2026-11-29'") == [(0,)]


def test_a_run_that_was_opened_before_links_nothing_of_the_child(county: County, on_day: OnDay) -> None:
    deliver(county, "2026-10-29")
    landing.land(county.settings, "council", county.inbox, AS_OF)
    opt_out(county)
    ((run_id,),) = county.ask("select run_id from audit.live")
    on_day(FROM)
    assert rights.apply_to_run(county.settings, run_id) > 30
    assert county.ask(
        "select count(*) from audit.run_delivery inner join landing.delivery using (delivery_id)"
        " where run_id = %s and run_delivery.rows_erased <> delivery.rows_erased",
        run_id,
    ) == [(0,)]


def test_without_the_key_of_tombstones_nothing_is_taken_for_screened(county: County) -> None:
    opt_out(county, AS_OF)
    key = county.settings.keys / "tombstone-1"
    assert key.stat().st_mode & 0o077 == 0
    # A later key is for later tombstones; the first still tells what it made.
    pseudonyms.rotate(county.settings, "tombstone")
    deliver(county, "2026-11-01")
    assert county.land()["erased"] == 1
    deliver(county, "2026-11-02")
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(TombstoneKeyLost, match="put its backup back"):
        county.land()
    (county.settings.keys / "tombstone-2").rename(key)
    with pytest.raises(TombstoneKeyLost, match="tombstone-1"):
        county.land()
    key.write_bytes(kept)
    assert county.land()["erased"] == 1
