"""One child is erased from a real county: nothing of it is left anywhere, and nothing of anybody else is missing."""

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from tests.rights.conftest import AS_OF, REGISTER, County

from send_returns import feeds, rights, stages, warehouse
from send_returns.failure import Failure
from send_returns.quality import gating
from send_returns.rights import canary

pytestmark = pytest.mark.timeout(600)

# The child's rows of each feed, and the rows that the feed's own keys tie to them.
_PERSON = "select persontableid from raw_council.sen2__person where upn = %(upn)s"
_REQUEST = f"select requeststableid from raw_council.sen2__requests where persontableid in ({_PERSON})"
_ASSESSMENT = f"select assessmenttableid from raw_council.sen2__assessment where requeststableid in ({_REQUEST})"
_NAMED = f"select namedplantableid from raw_council.sen2__namedplan where assessmenttableid in ({_ASSESSMENT})"
_ACTIVE = f"select activeplanstableid from raw_council.sen2__activeplans where requeststableid in ({_REQUEST})"
_PUPIL = "select pupilonrolltableid from raw_council.school_census__pupilonroll where upn = %(upn)s"
_CHILD = "select childtableid from raw_council.cin_census__child where upn = %(upn)s"
_DETAILS = f"select cindetailstableid from raw_council.cin_census__cindetails where childtableid in ({_CHILD})"
_ASSESSED = f"select assessmenttableid from raw_council.cin_census__assessment where cindetailstableid in ({_DETAILS})"
_PATIENT = "select local_patient_identifier_extended from raw_icb.csds__cyp001mpi where nhs_number = %(nhs_number)s"
_REFERRAL = (
    "select service_request_identifier from raw_icb.csds__cyp101referral"
    f" where local_patient_identifier_extended in ({_PATIENT})"
)
_RECORDS = {
    "raw_council.sen2__person": "upn = %(upn)s",
    "raw_council.sen2__requests": f"persontableid in ({_PERSON})",
    "raw_council.sen2__assessment": f"requeststableid in ({_REQUEST})",
    "raw_council.sen2__namedplan": f"assessmenttableid in ({_ASSESSMENT})",
    "raw_council.sen2__plandetail": f"namedplantableid in ({_NAMED})",
    "raw_council.sen2__activeplans": f"requeststableid in ({_REQUEST})",
    "raw_council.sen2__placementdetail": f"activeplanstableid in ({_ACTIVE})",
    "raw_council.sen2__senneed": f"activeplanstableid in ({_ACTIVE})",
    "raw_council.school_census__pupilonroll": "upn = %(upn)s",
    "raw_council.school_census__senneeds": f"pupilonrolltableid in ({_PUPIL})",
    "raw_council.school_census__termlyexclusionsonroll": f"pupilonrolltableid in ({_PUPIL})",
    "raw_council.cin_census__child": "upn = %(upn)s",
    "raw_council.cin_census__disability": f"childtableid in ({_CHILD})",
    "raw_council.cin_census__cindetails": f"childtableid in ({_CHILD})",
    "raw_council.cin_census__assessment": f"cindetailstableid in ({_DETAILS})",
    "raw_council.cin_census__assessmentfactor": f"assessmenttableid in ({_ASSESSED})",
    "raw_council.cin_census__cinplan": f"cindetailstableid in ({_DETAILS})",
    "raw_council.cin_census__section47": f"cindetailstableid in ({_DETAILS})",
    "raw_council.cin_census__childprotectionplan": f"cindetailstableid in ({_DETAILS})",
    "raw_council.ssda903__header": "child = %(la_child_id)s",
    "raw_council.ssda903__episodes": "child = %(la_child_id)s",
    "raw_council.ehc_casework__case": "la_child_id = %(la_child_id)s",
    "raw_council.ehc_casework__advice": "la_child_id = %(la_child_id)s",
    "raw_council.ehc_casework__plan": "la_child_id = %(la_child_id)s",
    "raw_council.ehc_casework__review": "la_child_id = %(la_child_id)s",
    "raw_council.ehc_casework__panel_decision": "la_child_id = %(la_child_id)s",
    "raw_council.ehc_casework__correction": "la_child_id = %(la_child_id)s",
    "raw_council.ehe_register__child": "upn = %(upn)s",
    "raw_icb.csds__cyp001mpi": "nhs_number = %(nhs_number)s",
    "raw_icb.csds__cyp101referral": f"local_patient_identifier_extended in ({_PATIENT})",
    "raw_icb.csds__cyp102servicetypereferredto": f"service_request_identifier in ({_REFERRAL})",
    "raw_icb.csds__cyp201carecontact": f"service_request_identifier in ({_REFERRAL})",
    "landing.quarantine": "strpos(raw, %(upn)s) > 0",
}
# Of these the child has rows in this county, so that to find none afterwards says something.
_HAS = (
    *("raw_council.sen2__person", "raw_council.school_census__pupilonroll", "raw_council.cin_census__child"),
    *("raw_council.ssda903__header", "raw_council.ssda903__episodes", "raw_council.ehe_register__child"),
    *("raw_council.ehc_casework__case", "raw_council.ehc_casework__plan", "raw_icb.csds__cyp001mpi"),
    *("landing.quarantine", "identity.profile", "returns.return_annex_a__list_1", "pg_catalog.pg_stats"),
)


def places(county: County) -> Counter[str]:
    """How many rows or files of each place hold a value of the child's. Sealed packs are not looked at."""
    found: Counter[str] = Counter()
    for hit in canary.search(county.settings, county.child.needles):
        found[hit.place if hit.store == "warehouse" else hit.store] += hit.count
    return found


def erase(county: County) -> rights.Removed:
    return rights.erase(county.settings, county.person_id, reason="asked for by the parent", by="dpo", on=AS_OF)


def test_nothing_is_left_of_the_child_and_nothing_of_anybody_else_is_missing(county: County) -> None:
    before, rows = places(county), county.rows()
    assert not [place for place in (*_HAS, "archive") if not before[place]]
    theirs = {
        table.partition(".")[2]: Counter(
            text for (text,) in county.ask(f"select t::text from {table} as t where {condition}", **county.child.truth)
        )
        for table, condition in _RECORDS.items()
    }

    removed = erase(county)

    assert places(county) == Counter()
    left = county.rows()
    gone = {table: rows[table] - left[table] for table in rows}
    assert {table: left[table] for table in left} == {table: rows[table] - gone[table] for table in rows}
    assert {table: gone[table] for table in theirs} == theirs
    # What else went, of feeds that are not listed above, names no other child.
    assert not {word for texts in gone.values() for text in texts for word in re.findall(r"\w+", text)} & county.others
    assert removed.counts["raw"] + removed.counts["quarantine"] == sum(map(Counter.total, gone.values()))
    assert removed.shared == 0
    ((unequal, erased),) = county.ask(
        "select count(*) filter (where rows_in <> rows_loaded + rows_quarantined + rows_erased), sum(rows_erased)"
        " from landing.delivery_table"
    )
    assert (unequal, erased) == (0, removed.rows)
    ((unequal, erased),) = county.ask(
        "select count(*) filter (where rows_in <> rows_loaded + rows_quarantined + rows_erased), sum(rows_erased)"
        " from landing.delivery"
    )
    assert (unequal, erased) == (0, removed.rows)


def test_nothing_is_removed_that_is_not_on_record(county: County) -> None:
    with warehouse.connect(county.settings) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("delete from raw_council.sen2__person")


def test_the_same_bytes_again_do_not_bring_the_child_back(county: County) -> None:
    erase(county)
    rows = county.rows()
    counts = county.land()
    assert counts["unchanged"] > 20
    assert "accepted" not in counts
    assert county.rows() == rows
    assert places(county) == Counter()


def test_what_is_delivered_of_the_child_later_goes_and_is_counted(county: County) -> None:
    erase(county)
    folder = county.inbox / "council" / "ehe_register"
    text = (folder / REGISTER / f"{REGISTER}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    header, others = text[0], [line for line in text[1:] if county.child.truth["upn"] not in line]
    (folder / "ehe_register_2026-10-31.csv").write_text(
        header + "".join(others) + county.child.in_register("EHE90002") + county.child.in_register(""), encoding="utf-8"
    )
    # One that is refused, and one with the same data in another order.
    (folder / "ehe_register_2026-09-30.csv").write_text(header + county.child.in_register("") * 5, encoding="utf-8")
    counts = county.land()
    # What was refused before is refused again.
    assert (counts["accepted"], counts["refused"], counts["erased"]) == (1, 2, 2)
    assert county.ask(
        "select rows_in, rows_loaded, rows_quarantined, rows_erased from landing.delivery where name like '%%10-31%%'"
    ) == [(len(others) + 2, len(others), 0, 2)]
    assert places(county) == Counter()
    told = json.loads(
        (county.settings.home / "outbox/council/ehe_register/ehe_register_2026-10-31.csv/receipt.json").read_text()
    )
    assert told["tables"][0]["rows_erased"] == 2
    assert [one["row"] for one in told["findings"] if one["row"] is not None] == []


def test_a_known_number_alone_tells_a_later_record_and_a_shared_one_does_not(county: County) -> None:
    upn, nhs = county.child.truth["upn"], county.child.truth["nhs_number"]
    with warehouse.connect(county.settings) as connection:
        (other,) = connection.execute(
            "update identity.profile set upn = %s where profile_id = (select profile_id from identity.profile"
            " where person_id <> %s order by 1 limit 1) returning person_id",
            [upn[1:], county.person_id],
        ).fetchone() or ("",)
    assert erase(county).shared == 1
    kinds = county.ask("select kind, count(*) from rights.tombstone group by 1 order by 1")
    assert "upn" not in dict(kinds)
    assert dict(kinds)["nhs_number"] == 1
    assert county.ask("select count(*) > 0 from identity.link where person_id = %s", other) == [(True,)]
    text = (county.inbox / "council/ehe_register" / REGISTER / f"{REGISTER}.csv").read_text(encoding="utf-8")
    (county.inbox / "council/ehe_register/ehe_register_2026-10-31.csv").write_text(
        text.splitlines(keepends=True)[0]
        + f"EHE1,,{upn},,,Other,Child,01/02/2015,M,AL1 1AA,01/09/2026,,Other,N,No\n"
        + f"EHE2,,,,{nhs[:3]} {nhs[3:6]} {nhs[6:]},Any,Body,01/02/2015,M,AL1 1AA,01/09/2026,,Other,N,No\n",
        encoding="utf-8",
    )
    assert county.land()["erased"] == 1
    assert county.ask("select upn from raw_council.ehe_register__child where surname = 'Other'") == [(upn,)]


def test_the_archive_says_that_it_no_longer_has_the_delivery(
    county: County, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    erase(county)
    original = feeds.feeds

    def later(*given: Any, **named: Any) -> tuple[feeds.Feed, ...]:
        return tuple(replace(feed, version="2027.1.0") for feed in original(*given, **named))

    monkeypatch.setattr(feeds, "feeds", later)
    counts = stages.replay(county.settings, AS_OF, "ehe_register")
    assert (counts["withheld"], counts["damaged"], counts["read_again"]) == (1, 0, 0)
    assert "is no longer in the archive" in caplog.text
    assert county.child.truth["surname"] not in caplog.text


def test_what_is_left_of_a_delivery_can_be_read_again_without_the_child(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase(county)
    kept = dict(county.ask("select sha256, kept_as from landing.delivery_file where removed_by is not null"))
    # Of CSV and XML there are copies; of the refused file and of workbooks there are none.
    assert len([copy for copy in kept.values() if copy]) > 20
    archived = {path.name for path in (county.settings.home / "archive").iterdir()}
    assert {copy for copy in kept.values() if copy} <= archived
    assert not set(kept) & archived
    original = feeds.feeds

    def later(*given: Any, **named: Any) -> tuple[feeds.Feed, ...]:
        return tuple(replace(feed, version="2027.1.0") for feed in original(*given, **named))

    monkeypatch.setattr(feeds, "feeds", later)
    with warehouse.connect(county.settings) as connection:
        connection.execute(
            "insert into audit.finding (scope, delivery_id, rule, severity, table_name, fields, message)"
            " select 'delivery', delivery_id, 'F07', 'info', 'x', '{}', 'x' from landing.delivery"
            " where feed = any(%s) and status = 'accepted'",
            [["sen2", "cin_census", "school_census", "csds", "ssda903", "ehe_register", "ehc_casework"]],
        )
    counts = stages.replay(county.settings, AS_OF)
    assert counts["withheld"] == 1
    assert (counts["damaged"], counts["erased"], counts["refused"]) == (0, 0, 0)
    assert counts["read_again"] == counts["accepted"] >= 11
    assert places(county) == Counter()
    for table in ("school_census__pupilonroll", "csds__cyp201carecontact", "ssda903__episodes", "ehe_register__child"):
        schema = "raw_icb" if table.startswith("csds") else "raw_council"
        # The rows of a CSV keep their numbers.
        ((readings, times),) = county.ask(
            "select count(*), count(distinct readings) from (select count(*) as readings"
            f" from (select to_jsonb(t) - '_delivery_id' as said from {schema}.{table} as t) as t group by said) as t"
        )
        assert readings > 0
        assert times == 1
    people = county.ask("select count(*) from raw_council.sen2__person group by _delivery_id")
    assert len(people) == 2
    assert people[0] == people[1]


def test_a_second_child_goes_from_the_copies_too(county: County) -> None:
    erase(county)
    ((other,),) = county.ask(
        "select person_id from identity.link group by 1"
        " having array_agg(distinct feed) @> array['sen2', 'cin_census', 'school_census', 'csds'] order by 1 limit 1"
    )
    first = {copy for (copy,) in county.ask("select kept_as from landing.delivery_file where kept_as is not null")}
    names = county.ask("select upn, nhs_number from identity.profile where person_id = %s", other)
    values = {value for pair in names for value in pair if value}
    assert canary.search(county.settings, values)
    rights.erase(county.settings, other, reason="asked", by="dpo", on=AS_OF)
    assert canary.search(county.settings, values) == []
    assert places(county) == Counter()
    then = {copy for (copy,) in county.ask("select kept_as from landing.delivery_file where kept_as is not null")}
    archived = {path.name for path in (county.settings.home / "archive").iterdir()}
    assert then <= archived
    assert len(first - then) > 10
    assert not (first - then) & archived
    # The copies of XML, whose records have moved up, are still those of everybody else.
    for table in ("sen2__person", "cin_census__child"):
        (((loaded),),) = county.ask(f"select count(*) from raw_council.{table}")
        ((copy,),) = county.ask(
            "select kept_as from landing.delivery_file inner join landing.delivery using (delivery_id)"
            " where feed = %s and name not like '%%.csv'",
            table.partition("__")[0],
        )
        element = table.partition("__")[2].capitalize().encode()
        assert (county.settings.home / "archive" / copy).read_bytes().count(b"<" + element + b">") == loaded


def test_a_run_that_was_built_before_is_not_released_and_the_next_has_lists_without_the_child(county: County) -> None:
    person_id = county.person_id
    ((run_id, listed),) = county.ask(
        "select run_id, (select count(*) from returns.return_annex_a__list_1) from audit.live"
    )
    sent = county.sent("2026-10-30_v1")
    erase(county)
    # Nobody here can look into it, so it goes; the pack stays.
    assert list(sent.parent.glob(f"{sent.name}*")) == []
    assert any(line.startswith("freshness.manifest") for line in gating.judge(county.settings, run_id, ("returns",)))

    later = county.run()
    assert later != run_id
    assert county.ask("select count(*) from returns.return_annex_a__list_1") == [(listed - 1,)]
    assert county.ask("select count(*) from identity.link where person_id = %s", person_id) == [(0,)]
    pack = county.output / "area_send_annex_a" / "hertfordshire" / str(AS_OF) / "v2"
    manifest = json.loads((pack / "manifest.json").read_text())
    assert manifest["run_id"] == later
    assert sum(one["rows_erased"] for one in manifest["deliveries"]) > 0
    assert not any(canary.holds(path, [*county.child.needles, person_id]) for path in pack.iterdir())
    # The pack that was sealed before stays, and is told of.
    held = rights.look(county.settings, person_id)
    assert {one.run_id for one in held.packs} == {run_id}
    assert held.rows == 0


def test_a_person_id_is_never_given_again(county: County) -> None:
    person_id = county.person_id
    erase(county)
    assert county.ask("select person_id from identity.person where person_id = %s", person_id) == [(person_id,)]
    with pytest.raises(Failure, match="has an erasure from 2026-10-30 on record already"):
        rights.erase(county.settings, person_id, reason="again", by="dpo", on=AS_OF)
    with pytest.raises(Failure, match="no person of that id"):
        rights.erase(county.settings, "P9999999999", reason="who", by="dpo", on=AS_OF)
    with pytest.raises(Failure, match=r"Nobody is known by that\. It is of a person with an erasure from 2026-10-30"):
        rights.find(county.settings, "nhs_number", county.child.truth["nhs_number"])


def test_a_kill_before_the_files_are_gone_leaves_that_to_the_next_landing(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("send_returns.rights.erasure._tidy", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(county)
    assert places(county)["archive"] > 0
    county.land()
    assert places(county)["archive"] == 0
