"""What two releases tell of each other: to those who may see children, and to those who may not."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.provenance.conftest import RELEASES, SECOND
from tests.returns.conftest import Partnership

from send_returns import cli, provenance, warehouse
from send_returns.failure import Failure
from send_returns.provenance import Difference, NotAllowed
from send_returns.releases import audit, register
from send_returns.releases.register import Change
from send_returns.settings import Settings

FIRST, NEXT = RELEASES
COUNTS = [
    Change("List_1", "", "added", 1),
    Change("List_1", "", "removed", 1),
    Change("List_1", "Suspensions", "changed", 1),
]


def _diff(settings: Settings, output: Path, *, children: bool = False, values: bool = False) -> Difference:
    with warehouse.connect(settings) as connection:
        return provenance.diff(settings, connection, NEXT, FIRST, output, children=children, values=values)


def test_a_draft_says_in_counts_what_changed_since_what_is_published(corrected: Partnership) -> None:
    with warehouse.connect(corrected.settings) as connection:
        kept = register.changes(connection, register.find(connection, NEXT))
        assert [one for one in kept if not one.return_table.endswith((".csv", ".xlsx", ".html"))] == COUNTS
        assert {one.return_table for one in kept} >= {"List_1.csv", "area_send_annex_a.xlsx"}
        assert "List_2.csv" not in {one.return_table for one in kept}


def test_the_causes_stand_beside_the_counts(corrected: Partnership) -> None:
    found = _diff(corrected.settings, corrected.output)
    assert (found.before.release_id, found.now.release_id) == (FIRST, NEXT)
    assert list(found.changes) == COUNTS
    assert [(one["run"], one["feed"], one["delivery"], one["contract"]) for one in found.deliveries] == [
        ("earlier", "sen2", "sen2", "1"),
        ("later", "sen2", "sen2_again", "2"),
    ]
    assert found.facts == [("rules with another outcome", "", "101a")]
    assert not found.children
    assert [name for name, _ in found.files] == ["List_1.csv", "area_send_annex_a.xlsx", "reading_guide.html"]


def test_child_by_child_says_who_and_which_columns_and_by_which_delivery(corrected: Partnership) -> None:
    found = _diff(corrected.settings, corrected.output, children=True)
    assert [(one.part, one.person_id, one.fate, one.columns, one.values) for one in found.children] == [
        ("List_1", "00000003", "left", (), ()),
        ("List_1", "00000005", "changed", ("Suspensions",), ()),
        ("List_1", "00000040", "came", (), ()),
    ]
    assert [one.causes for one in found.children] == [(), ("sen2 sen2 (earlier)",), ()]
    told = _diff(corrected.settings, corrected.output, children=True, values=True)
    assert told.children[1].values[0][1] == "9"


def test_every_look_is_on_record_before_anything_is_said(corrected: Partnership) -> None:
    _diff(corrected.settings, corrected.output, children=True)
    with warehouse.connect(corrected.settings) as connection:
        reads = audit.events(connection, 2, "read")
    assert {one.subject for one in reads} == {FIRST, NEXT}
    assert all(one.detail == {"diff": True, "attempt": 1, "children": 3, "values": False} for one in reads)


def test_who_may_not_see_children_gets_counts_and_no_name_of_a_delivery(
    corrected: Partnership, reader: Settings, tmp_path: Path
) -> None:
    found = _diff(reader, tmp_path)
    assert list(found.changes) == COUNTS
    assert [(one["feed"], one["delivery"]) for one in found.deliveries] == [("sen2", ""), ("sen2", "")]
    with pytest.raises(NotAllowed, match="looker_of_a_test may not see children"):
        _diff(reader, corrected.output, children=True)
    with warehouse.connect(reader) as connection, pytest.raises(NotAllowed, match=r"identity\.link"):
        provenance.trace_row(reader, connection, FIRST, "List_1", 2, None, corrected.output)


def test_a_pack_that_was_changed_since_is_not_compared(corrected: Partnership, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(corrected.output, output)
    path = output / corrected.version(1).relative_to(corrected.output) / "List_1.csv"
    path.write_bytes(path.read_bytes().replace(b"00000004", b"00000009"))
    with pytest.raises(Failure, match="its SHA-256 differs"):
        _diff(corrected.settings, output, children=True)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def send_returns(corrected: Partnership, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command: exit code, and all that it said."""
    monkeypatch.setenv("SEND_RETURNS_HOME", str(corrected.settings.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(corrected.settings.database_url))

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["send-returns", *words, "--output", str(corrected.output)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), "".join(capfd.readouterr())

    return run


def test_the_commands_say_it_and_refuse_in_one_line(send_returns: Command) -> None:
    code, said = send_returns("diff", FIRST, NEXT, "--children")
    assert code == 0
    for text in ("Suspensions", "00000040", "came", "sen2_again", "3 rows of children differ", SECOND):
        assert text in said, text
    assert "->" not in said
    assert "-> 9" in send_returns("diff", FIRST, NEXT, "--children", "--values")[1]
    for words, code, text in (
        (("diff", FIRST, "sen2-nowhere-v1"), 1, "There is no release sen2-nowhere-v1"),
        (("diff", FIRST, NEXT, "--values"), 2, "--values goes with --children"),
        (("trace", FIRST), 2, "Give --list with --row, or --indicator"),
        (("trace", FIRST, "--list", "List_9", "--row", "2"), 1, "has no list List_9"),
        (("trace", FIRST, "--list", "List_1", "--row", "10"), 1, "List_1 has no row 10"),
        (("trace", FIRST, "--list", "List_1", "--row", "1"), 2, "--row"),
        (("trace", FIRST, "--list", "List_1", "--row", "2", "--full"), 2, "--district and --full go with"),
        (("trace", FIRST, "--indicator", "EHC01"), 1, "shows no such figure of EHC01"),
    ):
        got, said = send_returns(*words)
        assert (got, text in said) == (code, True), said
