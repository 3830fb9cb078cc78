"""The inspection clock as those use it who hold it: started, seen, marked, tracked, packed, ended."""

import csv
import json
import re
import shutil
from datetime import date
from pathlib import Path

import psycopg
import pyrage
import pytest
from tests.inspection.conftest import Command
from tests.published_county import AS_OF, County

from send_returns import clock, inspection
from send_returns.inspection import Refused, packing
from send_returns.releases import register
from send_returns.releases.register import File
from send_returns.returns import evidence, pack
from send_returns.rights import packs
from send_returns.sealing import recipients
from send_returns.sealing.recipients import Recipient
from send_returns.warehouse import connect

pytestmark = pytest.mark.timeout(600)
NOTIFIED = date(2026, 11, 2)


def _listed(county: County, count: int) -> list[str]:
    """The child with most records first, then others of list 1."""
    others = county.ask(
        "select unique_id from returns.return_annex_a__list_1 where unique_id <> %s order by 1 limit %s",
        county.person_id,
        count - 1,
    )
    return [county.person_id, *(row[0] for row in others)]


def _due(county: County, item: str, on: date = NOTIFIED) -> inspection.Due:
    seen = inspection.look(county.settings, on, county.output)
    return next(one for one in seen.items if one.item.item == item)


def test_the_clock_from_start_to_end(county: County, send_returns: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "today", lambda: date(2026, 11, 9))
    output = ("--output", str(county.output))
    code, said = send_returns("status")
    assert code == 1
    assert "No inspection of hertfordshire is open" in said

    # A mistyped year opens nothing, so that the right one can be given next.
    code, said = send_returns("start", "--on", "2126-11-02")
    assert (code, "bank holidays of 2126" in said) == (1, True)
    code, said = send_returns("start", "--on", "2026-11-02", "--by", "coordinator", *output)
    assert code == 0
    ((list_1, list_2),) = county.ask(
        "select (select count(*) from returns.return_annex_a__list_1),"
        " (select count(*) from returns.return_annex_a__list_2)"
    )
    assert f"{list_1:,} children with a plan, {list_2:,} with SEN support" in said
    assert "Wed 04/11" in said  # the lists, on working day 2
    assert "Owed by: ICB 2, council 7, us 3." in said
    assert max(map(len, said.splitlines())) <= 100
    code, said = send_returns("start", "--on", "2026-11-03")
    assert (code, said.count("\n")) == (1, 1)
    assert "notified on 2026-11-02" in said

    assert send_returns("done", "strategy", "--by", "council lead")[0] == 0
    code, said = send_returns("done", "person_level_lists", "--by", "council lead")
    assert code == 1
    assert "answered by our own records" in said
    assert _due(county, "strategy").owes == ""
    assert _due(county, "board_minutes").owes == "council"
    assert _due(county, "health_commissioning").owes == "ICB"
    send_returns("done", "strategy", "--by", "council lead", "--undo")
    assert _due(county, "strategy").owes == "council"

    children = _listed(county, 2)
    code, said = send_returns("track", *children, "--on", "2026-11-09")
    assert code == 0
    assert _due(county, "tracked_evidence", date(2026, 11, 9)).due_on == date(2026, 11, 11)
    code, said = send_returns("pack", *output)
    assert code == 0
    assert "nobody may receive inspection_tracking" in said
    assert len(re.findall(r" rows in \d+\.\d s, ", said)) == len(children)
    assert _due(county, "tracked_evidence").is_ready

    assert send_returns("end", "--on", "2026-11-20")[0] == 0
    assert send_returns("status")[0] == 1
    assert county.ask("select notified_on, ended_on from inspection.window") == [(NOTIFIED, date(2026, 11, 20))]
    told = county.ask("select detail ->> 'state' from audit.event where subject like 'inspection %%' order by seq")
    assert [state for (state,) in told] == ["started", "there", "not there", "tracks", "packed", "packed", "ended"]


def test_a_release_that_awaits_signatures_says_who_must_sign(county: County) -> None:
    inspection.start(county.settings, NOTIFIED, "coordinator")
    assert _due(county, "health_waiting_times").owes == "us: send-returns run"
    with connect(county.settings) as connection:
        connection.execute(
            "update audit.stage set detail = detail || jsonb_build_object('health_waits.stopped_by', 'disclosure')"
            " where stage = 'draft'"
        )
    stopped = _due(county, "health_waiting_times")
    assert (stopped.state, stopped.owes) == ("stopped by disclosure", "us: put right what stopped it")
    with connect(county.settings) as connection:
        ((run_id, sha256),) = connection.execute(
            "select run_id, manifest_sha256 from audit.live join audit.run using (run_id)"
        ).fetchall()
        run = evidence.find(connection, run_id, "hertfordshire")
        release = register.open_draft(
            connection, run, "health_waits", sha256, [File("a.csv", sha256, 1)], version=1, is_rehearsal=False
        )
    assert _due(county, "health_waiting_times").owes == "us: its rules have not passed"
    with connect(county.settings) as connection:
        register.validate(connection, release.release_id)
    due = _due(county, "health_waiting_times")
    assert due.state == "v1 of 30/10/2026 validated"
    assert due.owes == "council signs: director; ICB signs: nurse"
    with connect(county.settings) as connection:
        register.sign(connection, release.release_id, "director", sha256, "approve")
    assert _due(county, "health_waiting_times").owes == "ICB signs: nurse"
    with connect(county.settings) as connection:
        register.end_signer(connection, "hertfordshire", "nurse", NOTIFIED, by="registrar")
    after = _due(county, "health_waiting_times", date(2026, 11, 3))
    assert after.owes == "ICB signs: nobody may yet (signer add)"


def test_what_is_published_is_there_and_owed_by_nobody(county: County) -> None:
    inspection.start(county.settings, NOTIFIED, "coordinator")
    due = _due(county, "person_level_lists")
    assert (due.state, due.is_ready, due.owes) == ("v1 of 30/10/2026 published", True, "")


def test_a_feed_that_is_missing_or_stale_says_who_owes_it(county: County) -> None:
    inspection.start(county.settings, NOTIFIED, "coordinator")
    late = inspection.look(county.settings, date(2027, 11, 1), county.output).late_feeds
    by_feed = {one.feed: one for one in late}
    assert (by_feed["school_census"].state, by_feed["school_census"].organisation) == ("stale", "council")
    assert by_feed["csds"].organisation == "icb"
    assert all(one.supplier for one in late)


def test_a_seventh_child_and_one_of_no_list_are_refused(county: County) -> None:
    children = _listed(county, 7)
    with pytest.raises(Refused, match="is open"):
        inspection.track(county.settings, children[:1], AS_OF, "coordinator")
    opened = inspection.start(county.settings, NOTIFIED, "coordinator")
    with pytest.raises(Refused, match="on neither list"):
        inspection.track(county.settings, ["P9999999999"], AS_OF, "coordinator")
    with pytest.raises(Refused, match="at most 6"):
        inspection.track(county.settings, children, AS_OF, "coordinator")
    assert county.ask("select count(*) from inspection.tracked") == [(0,)]
    tracked = inspection.track(county.settings, children[:6], AS_OF, "coordinator").tracked
    assert inspection.track(county.settings, children[:2], AS_OF, "coordinator").tracked == tracked
    with pytest.raises(Refused, match="is not tracked"):
        packing.make(county.settings, county.output, children[6], AS_OF, "coordinator")
    # The database itself has six places.
    for place, rule in ((7, "at_most_six_children"), (6, "tracked_pkey")):
        with pytest.raises(psycopg.errors.IntegrityError) as refused, connect(county.settings) as connection:
            connection.execute(
                "insert into inspection.tracked values (%s, %s, %s, %s, 'x')",
                [opened.window_id, place, children[6], AS_OF],
            )
        assert refused.value.diag.constraint_name == rule
    with pytest.raises(psycopg.errors.UniqueViolation), connect(county.settings) as connection:
        connection.execute(
            "insert into inspection.window (partnership, notified_on, opened_by) values ('hertfordshire', %s, 'x')",
            [AS_OF],
        )


@pytest.fixture
def sealed(county: County) -> Path:
    """The pack of the child who is in most feeds."""
    shutil.rmtree(county.output, ignore_errors=True)
    inspection.start(county.settings, NOTIFIED, "coordinator")
    inspection.track(county.settings, [county.person_id], AS_OF, "coordinator")
    (made,) = packing.make(county.settings, county.output, None, AS_OF, "coordinator")
    return made.folder


def test_a_pack_holds_the_child_of_every_room_and_nobody_by_name(county: County, sealed: Path) -> None:
    report = pack.verify(sealed)
    assert report.exit_code == 0, report.lines()
    assert report.manifest is not None
    rows = report.manifest["rows"]
    assert {"listed", "joined_records", "timeline", "clocks", "ehc_requests", "placements", "social_care"} <= set(rows)
    assert sealed.stat().st_mode & 0o077 == 0
    truth = county.child.truth
    everything = {path.name: path.read_text("utf-8-sig") for path in sealed.iterdir()}
    page = everything[f"child_{county.person_id}.html"]
    assert truth["upn"] in page
    assert truth["upn"] in everything["listed.csv"]
    for name in ("nhs_number", "surname", "forename", "la_child_id", "postcode"):
        hidden = truth[name]
        assert hidden
        assert not [file for file, text in everything.items() if re.search(rf"\b{re.escape(hidden)}\b", text, re.I)], (
            name
        )
    assert not [file for file, text in everything.items() if any(other in text for other in county.others)]
    for table, count in rows.items():
        assert len(list(csv.reader(everything[f"{table}.csv"].splitlines()))) == count + 1


def test_a_pack_says_what_the_marts_say(county: County, sealed: Path) -> None:
    ((late,),) = county.ask(
        "select count(*) from marts.fct_clock join identity.child_key using (child_key)"
        " where person_id = %s and outcome in ('late', 'overdue')",
        county.person_id,
    )
    with (sealed / "clocks.csv").open(encoding="utf-8-sig", newline="") as file:
        told = [row["In time"] for row in csv.DictReader(file)]
    assert sum(outcome in ("late", "overdue") for outcome in told) == late
    ((joined,),) = county.ask(
        "select count(*) from identity.link join audit.run_delivery using (delivery_id) join audit.live using (run_id)"
        " where person_id = %s",
        county.person_id,
    )
    with (sealed / "joined_records.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sum(int(row["Records"]) for row in csv.DictReader(file)) == joined


def test_the_same_run_gives_the_same_bytes_and_leaves_a_sealed_pack_alone(county: County, sealed: Path) -> None:
    first = {path.name: path.read_bytes() for path in sealed.iterdir()}
    before = sealed.stat().st_mtime_ns
    packing.make(county.settings, county.output, None, AS_OF, "coordinator")
    assert sealed.stat().st_mtime_ns == before
    (other,) = packing.make(county.settings, county.output.parent / "elsewhere", None, AS_OF, "coordinator")
    assert {path.name: path.read_bytes() for path in other.folder.iterdir()} == first


def test_a_pack_that_was_changed_is_not_written_over(county: County, sealed: Path) -> None:
    (sealed / "listed.csv").write_text("changed")
    with pytest.raises(pack.PackError, match="move the folder away"):
        packing.make(county.settings, county.output, None, AS_OF, "coordinator")


def test_a_registered_inspector_alone_can_open_the_parcel(county: County, sealed: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    returns = (packing.declaration().return_name,)
    recipients.add(county.settings, Recipient("Ada Marsh", "Ofsted", str(key.to_public()), returns, AS_OF))
    (made,) = packing.make(county.settings, county.output, None, AS_OF, "coordinator")
    assert made.parcel is not None
    content = made.parcel.read_bytes()
    assert county.child.truth["upn"].encode() not in content
    assert (sealed / "listed.csv").read_bytes() in pyrage.decrypt(content, [key])
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(content, [pyrage.x25519.Identity.generate()])


def test_a_pack_is_found_when_the_child_asks_what_is_held(county: County, sealed: Path) -> None:
    found = list(packs.holding(county.settings, [county.output], [county.child.truth["upn"]]))
    assert [one.folder for one in found] == [sealed]
    assert found[0].copies == tuple(sorted(path.name for path in county.settings.folder("sealed").glob("*.tar.age")))
    assert json.loads((sealed / pack.MANIFEST).read_bytes())["run_id"] == found[0].run_id
