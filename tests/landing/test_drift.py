"""Drift: what the contract does not know becomes a proposal, never a loss, and never a value in sight."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from send_returns import landing, warehouse
from send_returns.failure import Failure
from send_returns.landing import drift
from send_returns.settings import Settings

AS_OF = date(2026, 10, 30)
CANARY = "Qx7Canary"
HEADER = "ehe_id,upn,surname,forename,{birth},sex,sen_provision,ehe_reason"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def deliver(settings: Settings, inbox: Path, header: str, rows: list[str], name: str = "2026-10-01.csv") -> None:
    path = inbox / "council" / "ehe_register" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    landing.land(settings, "council", inbox, AS_OF)
    drift.propose(settings)


def proposals(settings: Settings) -> list[drift.Proposal]:
    with warehouse.connect(settings) as connection:
        return drift.proposals(connection, settings.partnership)


def rows(count: int, *, birth: str = "01/02/2015", sex: str = "F", sen: str = "E", more: str = "") -> list[str]:
    return [f"{number},,Ashby,Robin,{birth},{sex},{sen},{more}" for number in range(count)]


def test_a_renamed_heading_is_proposed_as_a_heading_of_the_column_that_is_missing(
    database: Settings, inbox: Path
) -> None:
    deliver(database, inbox, HEADER.format(birth="Birth date of child"), rows(20))
    (one,) = proposals(database)
    assert (one.feed, one.table_name, one.kind, one.subject) == (
        "ehe_register",
        "child",
        "header",
        "birth_date_of_child",
    )
    assert one.suggestion == {
        "add_synonym": {"table": "child", "column": "date_of_birth", "synonym": "birth_date_of_child"}
    }
    assert (one.evidence["rows"], one.evidence["deliveries"]) == (20, 1)


def test_a_heading_like_no_column_or_whose_cells_do_not_fit_is_a_new_column(database: Settings, inbox: Path) -> None:
    header = HEADER.format(birth="birth_date") + ",shoe size"
    deliver(database, inbox, header, [f"{row},{number}" for number, row in enumerate(rows(20, birth=CANARY))])
    found = {one.subject: one for one in proposals(database)}
    assert sorted(found) == ["birth_date", "shoe_size"]
    assert [found[name].suggestion["add_column"]["property"]["logicalType"] for name in found] == ["string", "integer"]
    assert found["shoe_size"].suggestion["add_column"]["table"] == "child"


def test_a_code_is_told_only_when_it_is_plainly_a_code_of_many_rows(database: Settings, inbox: Path) -> None:
    few = rows(9, sex="Q9")
    deliver(
        database,
        inbox,
        HEADER.format(birth="date_of_birth"),
        [f"{n}{row}" for n, row in enumerate(rows(12, sen="S7") + few + rows(15, sex=f"{CANARY} of Hitchin"))],
    )
    found = {(one.column_name, one.subject): one for one in proposals(database)}
    assert sorted(found) == [("sen_provision", "S7"), ("sex", "")]
    assert found["sen_provision", "S7"].suggestion == {
        "add_code": {"list": "sen_provision", "code": "S7", "meaning": "S7, not described yet"}
    }
    assert found["sen_provision", "S7"].evidence["rows"] == 12
    assert (found["sex", ""].suggestion, found["sex", ""].evidence["rows"]) == ({}, 24)
    assert CANARY not in str(proposals(database))


def test_a_column_most_of_which_cannot_be_read_is_another_type(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth"), rows(8, birth=CANARY) + rows(3))
    (one,) = proposals(database)
    assert one.suggestion == {"set_type": {"table": "child", "column": "date_of_birth", "type": "string"}}
    assert (one.evidence["rows"], one.evidence["readable"]) == (8, 3)
    with pytest.raises(Failure, match="for a person to look at"):
        drift.accept(database, one.drift_id, "officer", AS_OF)


def test_a_slip_is_no_drift(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth"), rows(3, birth=CANARY) + rows(8))
    assert proposals(database) == []


def test_what_was_rejected_is_not_proposed_again_and_what_is_gone_goes(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",shoe size", [f"{row},1" for row in rows(5)])
    (one,) = proposals(database)
    assert drift.reject(database, one.drift_id, "officer").subject == "shoe_size"
    assert drift.propose(database) == 0
    (kept,) = proposals(database)
    assert (kept.state, kept.decided_by) == ("rejected", "officer")
    with pytest.raises(Failure, match="There is no open proposal"):
        drift.accept(database, one.drift_id, "officer", AS_OF)
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",hat size", [f"{row},1" for row in rows(6)])
    assert [one.subject for one in proposals(database)] == ["hat_size", "shoe_size"]
    deliver(database, inbox, HEADER.format(birth="date_of_birth"), rows(7), name="2026-10-01_corrected.csv")
    assert [one.subject for one in proposals(database)] == ["shoe_size"]


def test_accepting_writes_the_change_of_the_contract(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="Birth date of child"), rows(20))
    (one,) = proposals(database)
    with pytest.raises(Failure, match=r"synonym:COLUMN or column"):
        drift.accept(database, one.drift_id, "officer", AS_OF, "synonym:nothing")
    drift.accept(database, one.drift_id, "officer", AS_OF)
    (file,) = (database.home / "contracts" / "ehe_register").iterdir()
    assert file.name == f"{one.drift_id}-add-synonym-birth_date_of_child.yml"
    change = yaml.safe_load(file.read_text())
    assert (change["feed"], change["year"]) == ("ehe_register", 2026)
    assert change["operations"] == [one.suggestion]
    assert [(p.state, p.decided_by) for p in proposals(database)] == [("accepted", "officer")]


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_renamed_heading_that_is_accepted_fills_its_column(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="Birth date of child"), rows(20))
    births = (
        "select count(date_of_birth), count(_extra) from raw_council.ehe_register__child inner join landing.delivery"
        " on delivery_id = _delivery_id where status = 'accepted'"
    )
    assert ask(database, births) == [(0, 20)]
    (one,) = proposals(database)
    counts = drift.accept(database, one.drift_id, "officer", AS_OF)
    assert (counts["read_again"], counts["accepted"]) == (1, 1)
    assert ask(database, births) == [(20, 0)]
    assert drift.propose(database) == 0
    # The next delivery needs nobody to accept it again.
    deliver(database, inbox, HEADER.format(birth="BIRTH DATE OF CHILD"), rows(21), name="2026-10-15.csv")
    assert ask(database, births) == [(41, 0)]
    assert [one.state for one in proposals(database)] == ["accepted"]


def test_a_new_code_that_is_accepted_is_found_fault_with_no_more(database: Settings, inbox: Path) -> None:
    faults = (
        "select count(*) from audit.finding inner join landing.delivery using (delivery_id)"
        " where rule = 'F02' and status = 'accepted'"
    )
    deliver(database, inbox, HEADER.format(birth="date_of_birth"), rows(12, sen="S7"))
    assert ask(database, faults) == [(12,)]
    (one,) = proposals(database)
    drift.accept(database, one.drift_id, "officer", AS_OF)
    assert ask(database, faults) == [(0,)]
    assert ask(database, "select count(*) from raw_council.ehe_register__child where sen_provision = 'S7'") == [(24,)]
    assert drift.propose(database) == 0


def test_a_new_column_that_is_accepted_gets_its_values(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",shoe size", [f"{row},3" for row in rows(5)])
    (one,) = proposals(database)
    drift.accept(database, one.drift_id, "officer", AS_OF)
    assert ask(database, "select sum(shoe_size) from raw_council.ehe_register__child") == [(15,)]


def test_a_heading_may_be_said_to_mean_another_column_than_proposed(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",sort", [f"{row},3" for row in rows(5)])
    (one,) = proposals(database)
    drift.accept(database, one.drift_id, "officer", AS_OF, "synonym:la_child_id")
    (file,) = (database.home / "contracts" / "ehe_register").iterdir()
    assert "header sort is heading of la_child_id." in yaml.safe_load(file.read_text())["reason"]
    assert ask(
        database, "select distinct la_child_id from raw_council.ehe_register__child where la_child_id <> ''"
    ) == [("3",)]


def test_a_change_that_does_not_fit_changes_nothing(database: Settings, inbox: Path) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",sort", [f"{row},3" for row in rows(5)])
    (one,) = proposals(database)
    with warehouse.connect(database) as connection:
        connection.execute(
            "update landing.drift set suggestion = jsonb_set(suggestion, '{add_column,table}', '\"no\"')"
        )
    with pytest.raises(Failure, match="does not apply: there is no table no"):
        drift.accept(database, one.drift_id, "officer", AS_OF)
    assert list((database.changes / "ehe_register").iterdir()) == []
    assert [one.state for one in proposals(database)] == ["proposed"]


def test_a_landing_renews_the_proposals_of_its_own_organisation_and_leaves_the_others(
    database: Settings, inbox: Path
) -> None:
    deliver(database, inbox, HEADER.format(birth="date_of_birth") + ",shoe size", [f"{row},1" for row in rows(5)])
    assert drift.propose(database, "icb") == 1
    assert [one.subject for one in proposals(database)] == ["shoe_size"]
    with warehouse.connect(database) as connection:
        connection.execute("delete from audit.finding")
    assert drift.propose(database, "reference") == 1
    assert drift.propose(database, "council") == 0
