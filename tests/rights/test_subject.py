"""What is held of a child, and where: counts on the screen, values only in a file that its owner alone can read."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql
from tests.rights.conftest import AS_OF, FEEDS, County

from send_returns import cli, rights
from send_returns.failure import Failure
from send_returns.rights import export
from send_returns.warehouse import connect

Command = Callable[..., tuple[int, str]]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def send_returns(county: County, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command with something on its standard input: exit code, and all that it said."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(county.settings.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(county.settings.database_url))

    def run(*words: str, given: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["send-returns", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), "".join(capfd.readouterr())

    return run


def _marts_of(county: County) -> list[str]:
    """The live tables in which some text is the child's id or pseudonym, looked for in every column of them."""
    with connect(county.settings) as connection:
        keys = connection.execute(
            "select child_key from identity.child_key where person_id = %s", [county.person_id]
        ).fetchall()
        called = [county.person_id, *(key for (key,) in keys)]
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where table_schema in ('marts', 'returns') and data_type = 'text' order by 1, 2"
        ).fetchall()
        found = [
            f"{schema}.{table}"
            for schema, table, column in columns
            if connection.execute(
                sql.SQL("select 1 from {} where {} = any(%s) limit 1").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                ),
                [called],
            ).fetchone()
        ]
    return sorted(set(found))


def test_every_store_that_has_the_child_is_told_and_nothing_changes(county: County) -> None:
    rows = county.rows()
    sent = county.sent("2026-10-30_v1")
    county.sent("2026-10-30_v10")
    held = rights.look(county.settings, county.person_id, county.output)
    assert {one.copies for one in held.packs} == {(sent.name,)}
    assert {one["feed"] for one in held.records} >= {*FEEDS, "ehe_register"}
    assert {one["feed"] for one in held.links} >= {*FEEDS, "ehe_register"}
    assert sum(one["in_quarantine"] for one in held.records) == 1
    assert held.profiles > 5
    lists = [one["table"] for one in held.lists if one["table"].startswith(("returns.", "marts."))]
    assert lists == _marts_of(county)
    assert {"marts.dim_child", "marts.dim_child_history", "marts.fct_ehc_plan", "returns.return_annex_a__list_1"} <= {
        *lists
    }
    assert {one.lists for one in held.packs} == {("List_1",)}
    assert all("Ofsted" in one.recipients for one in held.packs)
    # The refused file is among them: nothing of it was loaded, and it is kept.
    assert any(one["delivery"] == "ehe_register_2026-05-21.csv" and one["holds"] for one in held.archived)
    assert held.receipts == ["outbox/council/ehe_register/ehe_register_2026-10-30"]
    assert any(one["table"] == "child" and one["rule"] == "F04" for one in held.findings)
    assert county.rows() == rows
    assert not [needle for needle in county.child.needles if needle in repr(held)]


def test_the_answer_to_the_child_has_the_values_and_is_its_owners_alone(county: County, tmp_path: Path) -> None:
    held = rights.look(county.settings, county.person_id, full=True)
    files = export.write(held, tmp_path / "answer", AS_OF)
    assert [file.name for file in files] == ["answer.json", "answer.html"]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    told = json.loads(files[0].read_text(encoding="utf-8"))
    assert {one["feed"] for one in told["sources"]} >= FEEDS
    assert all(one["lawful_basis"] and one["purpose"] and one["kept_for"] for one in told["sources"])
    assert {one["store"] for one in told["values"]} >= {"raw", "quarantine", "identity", "marts", "returns"}
    page = files[1].read_text(encoding="utf-8")
    for value in (*county.child.needles, county.child.truth["surname"]):
        assert value in page
        assert value in files[0].read_text(encoding="utf-8")
    assert not county.others & set(page.replace("<", " ").replace(">", " ").split())


@pytest.mark.parametrize("kind", ["nhs_number", "upn", "la_child_id"])
def test_a_child_is_found_by_a_number_as_a_person_writes_it(county: County, kind: str) -> None:
    assert rights.find(county.settings, kind, f" {county.child.truth[kind].lower()} ") == county.person_id
    with pytest.raises(Failure, match=r"^(Nobody is known by that\.|That cannot be such a number)"):
        rights.find(county.settings, kind, "1234567890")


def test_the_commands_ask_for_a_number_and_never_repeat_it(
    county: County, send_returns: Command, tmp_path: Path
) -> None:
    truth, person_id = county.child.truth, county.person_id
    code, said = send_returns("subject", "--nhs-number", given=truth["nhs_number"] + "\n")
    assert code == 0
    assert f"Person {person_id}" in said
    assert "Published packs" in said
    code, told = send_returns("subject", person_id, "--full", "--out", str(tmp_path / "answer.json"))
    assert code == 0
    assert (tmp_path / "answer.html").stat().st_mode & 0o077 == 0

    code, asked = send_returns("erase", "--upn", "--reason", "asked", given=f"{truth['upn']}\nn\n")
    assert code == 1
    assert county.person_id == person_id

    code, gone = send_returns("erase", person_id, "--reason", "asked", "--yes", "--output", str(county.output))
    assert code == 0
    assert "nothing is left" in gone
    assert "Packs that were sealed with the person in them stay as they are" in gone
    code, again = send_returns("subject", "--la-child-id", given=truth["la_child_id"] + "\n")
    assert code == 1
    assert "It is of a person with an erasure" in again
    for text in (said, told, asked, gone, again):
        assert not [value for value in (*county.child.needles, truth["surname"], truth["born"]) if value in text]


@pytest.mark.usefixtures("county")
def test_what_cannot_be_meant_is_refused(send_returns: Command) -> None:
    for words in (["subject"], ["subject", "P1", "--upn"], ["subject", "P1", "--full"]):
        code, said = send_returns(*words)
        assert code == 2, said
    code, said = send_returns("erase", "P1", "--reason", "x", "--on", "2199-01-01")
    assert code == 2
    assert "opt-out" in said
    code, said = send_returns("opt-out", "P1", "--reason", "x", "--from", "2026-11-01", "--yes")
    assert code == 1
    assert "no person of that id" in said
