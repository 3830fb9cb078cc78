import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from send_returns import publication, warehouse
from send_returns.publication import figures
from send_returns.releases import register
from send_returns.releases.acting import Refused
from send_returns.returns import NotPublishable, PackError, verify
from send_returns.returns.csv_cells import FORMULA_STARTS
from send_returns.returns.disclosure import NotProtected
from send_returns.returns.pack import digest
from send_returns.sealing import keys, verify_pack

GOLDEN = Path(__file__).parent.parent / "golden" / "area_send_annex_a" / "pack"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "=cmd|' /C calc'!A0", "＝1+1"]
DRAFTED = [
    "List_1.csv",
    "List_2.csv",
    "SHA256SUMS",
    "area_send_annex_a.xlsx",
    "manifest.json",
    "reading_guide.html",
]
DRAFT = """
import sys
from pathlib import Path
from send_returns.publication import draft
from send_returns.settings import Settings
settings = Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])
draft(settings, sys.argv[3], is_rehearsal=False, returns=["area_send_annex_a"])
"""
# A process that publishes each run it is told of in a child, and says which process that is and when it has ended.
PUBLISHER = """
import os
import sys
from pathlib import Path
from send_returns.publication import publish
from send_returns.settings import Settings
settings = Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        publish(settings, line.strip(), Path(sys.argv[3]))
        os._exit(0)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""
KILLS = 50


def _process(partnership: Any, what: str, home: Path | None = None, **environment: str) -> "subprocess.Popen[bytes]":
    settings = partnership.settings
    arguments = [str(home or settings.home), settings.database_url, partnership.run_id, str(partnership.output)]
    return subprocess.Popen([sys.executable, "-c", what, *arguments], env=os.environ | environment)


def _files(pack: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(pack.iterdir())}


def _state(partnership: Any) -> list[tuple[int, str]]:
    with warehouse.connect(partnership.settings) as connection:
        return [(one.version, one.state) for one in register.listing(connection, "hertfordshire")]


def _asked(partnership: Any, organisation: register.Organisation, run_id: str | None = None) -> publication.Ask:
    return publication.for_signature(
        partnership.settings, run_id or partnership.run_id, organisation, is_rehearsal=False
    )


def _csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_the_pack_equals_the_golden_one(partnership: Any) -> None:
    partnership.passes(partnership.children(6), partnership.children(4, first=6))
    partnership.publish()
    for name in ("List_1.csv", "List_2.csv", "reading_guide.html"):
        assert (partnership.pack / name).read_bytes() == (GOLDEN / name).read_bytes()
    manifest = json.loads((partnership.pack / "manifest.json").read_bytes())
    workbook = next(entry for entry in manifest["files"] if entry["name"].endswith(".xlsx"))
    assert workbook.pop("sha256") == digest(partnership.pack / workbook["name"])
    # The bytes of a compressed file hang on the compressor; what is in it does not, and is compared below.
    workbook.pop("bytes")
    assert set(manifest.pop("software")) == {"dbt-core", "dbt-postgres", "great-expectations", "xlsxwriter"}
    assert manifest == json.loads((GOLDEN / "manifest.json").read_bytes())
    pages = openpyxl.load_workbook(partnership.pack / workbook["name"]).worksheets[2:]
    text = [[str(value) for value in row if value is not None] for page in pages for row in page.values]
    assert "\n".join(" | ".join(row) for row in text) + "\n" == (GOLDEN / "pages.txt").read_text(encoding="utf-8")


def test_no_name_of_a_file_leaves_the_warehouse(partnership: Any) -> None:
    partnership.passes(partnership.children(2), partnership.children(2, first=2))
    partnership.publish()
    for path in partnership.pack.iterdir():
        assert b"Jane_Smith" not in path.read_bytes()
    cells = [
        str(cell)
        for sheet in openpyxl.load_workbook(partnership.pack / DRAFTED[3])
        for row in sheet.values
        for cell in row
    ]
    assert not any("Jane_Smith" in cell for cell in cells)


def test_the_workbook_has_the_templates_headings_and_typed_cells(partnership: Any) -> None:
    list_1 = partnership.children(30)
    partnership.passes(list_1, partnership.children(30, first=30))
    partnership.publish()
    book = openpyxl.load_workbook(partnership.pack / "area_send_annex_a.xlsx")
    assert book.sheetnames == ["List_1", "List_2", "Data quality", "Reading guide"]
    for item in partnership.layout.lists:
        sheet = book[item.name]
        assert [cell.value for cell in sheet[1]] == [column.heading for column in item.columns]
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, len(item.columns)).column_letter}31"
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
        assert sheet.print_title_rows == "$1:$1"
    for row, expected in zip(book["List_1"].iter_rows(min_row=2), list_1, strict=True):
        for cell, column in zip(row, partnership.layout.lists[0].columns, strict=True):
            value = expected[column.name]
            if value is None:
                assert cell.value is None
            elif column.type == "date":
                assert cell.value == datetime.combine(value, datetime.min.time())
                assert cell.number_format == "dd/mm/yyyy"
            elif column.type in ("integer", "percentage"):
                assert (cell.data_type, cell.value) == ("n", float(value))
            else:
                assert (cell.data_type, cell.value) == ("s", value)
    assert book["List_1"]["A2"].value == "00000000"
    assert _csv(partnership.pack / "List_1.csv")[1][0] == "00000000"


def test_nothing_runs_as_a_formula(partnership: Any) -> None:
    list_1 = partnership.children(len(FORMULAS))
    for row, formula in zip(list_1, FORMULAS, strict=True):
        row["social_care_team"], row["upn"], row["gender"] = formula, formula, formula
    partnership.passes(list_1, partnership.children(1, first=100))
    partnership.publish()
    book = openpyxl.load_workbook(partnership.pack / "area_send_annex_a.xlsx")
    assert not [cell.coordinate for sheet in book for row in sheet.rows for cell in row if cell.data_type == "f"]
    values = [row[19].value for row in book["List_1"].iter_rows(min_row=2)]
    # XML has no way to keep a carriage return in text; the reader gives the code that stands for it.
    assert [value.replace("_x000D_", "\r") for value in values] == FORMULAS
    rows = _csv(partnership.pack / "List_1.csv")[1:]
    assert [row[19] for row in rows] == ["'" + formula for formula in FORMULAS]
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA_STARTS)]


def test_awkward_values_arrive_whole(partnership: Any) -> None:
    (row,) = partnership.children(1)
    row["social_care_team"] = 'O\'Brien, "Zoë" & <b>Ł</b>_x000A_'
    row["date_of_birth_on"] = date(1899, 12, 31)
    partnership.passes([row], partnership.children(1, first=1))
    partnership.publish()
    cells = openpyxl.load_workbook(partnership.pack / "area_send_annex_a.xlsx")["List_1"][2]
    assert cells[3].value == "31/12/1899"
    assert openpyxl.utils.escape.unescape(cells[19].value) == row["social_care_team"]
    line = (partnership.pack / "List_1.csv").read_bytes().splitlines(keepends=True)[1]
    assert line.endswith(b"\r\n")
    assert _csv(partnership.pack / "List_1.csv")[1][19] == row["social_care_team"]


def test_a_list_may_be_empty(partnership: Any) -> None:
    partnership.passes([], partnership.children(1))
    partnership.publish()
    assert len(_csv(partnership.pack / "List_1.csv")) == 1


def test_two_processes_of_other_places_make_the_same_bytes(partnership: Any, tmp_path: Path) -> None:
    partnership.passes(partnership.children(200), partnership.children(200, first=200))
    places = [
        {"TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
        {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "2"},
    ]
    packs = []
    for number, (environment, umask) in enumerate(zip(places, (0o077, 0o002), strict=True)):
        before = os.umask(umask)
        try:
            assert _process(partnership, DRAFT, tmp_path / str(number), **environment).wait() == 0
        finally:
            os.umask(before)
        packs.append(_files(tmp_path / str(number) / partnership.draft_pack.relative_to(partnership.settings.home)))
    assert list(packs[0]) == DRAFTED
    assert packs[0] == packs[1]


def test_what_is_published_is_what_was_signed_with_who_signed_it(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    drafted = _files(partnership.draft_pack)
    partnership.publish()
    published = _files(partnership.pack)
    assert published.items() >= drafted.items()
    assert published.keys() - drafted.keys() == {"release.json", "release.json.sig"}
    said = json.loads(published["release.json"])
    assert said["pack_sha256"] == digest(partnership.pack / "manifest.json")
    assert [one["organisation"] for one in said["signers"]] == ["council", "icb"]
    assert _state(partnership) == [(1, "published")]


def test_nothing_is_published_that_one_partner_has_not_signed(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    assert publication.publish(partnership.settings, partnership.run_id, partnership.output)["published"] == 0
    shown = _asked(partnership, "council").packs
    publication.sign(partnership.settings, shown, username="director", is_approved=True, reason="")
    assert publication.publish(partnership.settings, partnership.run_id, partnership.output)["published"] == 0
    assert not partnership.output.exists()
    assert _asked(partnership, "council").packs == {}


def test_a_signer_is_shown_what_is_signed(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    asked = _asked(partnership, "icb")
    assert asked.signers == ("nurse",)
    assert digest(partnership.draft_pack / "manifest.json") in asked.body
    assert "2 rules, 3 rows" in asked.body
    assert "first version" in asked.body
    assert "5 in List 1; 5 in List 2; 4 files" in asked.body


def test_an_answer_is_to_what_was_shown(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    shown = _asked(partnership, "council").packs
    nurse = _asked(partnership, "icb").packs
    publication.sign(partnership.settings, nurse, username="nurse", is_approved=False, reason="List 2 is short")
    partnership.passes(partnership.children(6), partnership.children(5, first=6), "r2")
    partnership.draft("r2")
    with pytest.raises(Refused, match="not the pack which was put forward"):
        publication.sign(partnership.settings, shown, username="director", is_approved=True, reason="")
    assert _asked(partnership, "council", "r2").packs.keys() == shown.keys()


def test_a_rehearsal_asks_nothing_of_those_who_sign_for_real(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    asked = publication.for_signature(partnership.settings, partnership.run_id, "council", is_rehearsal=True)
    assert (asked.packs, asked.signers) == ({}, ())


def test_a_rejection_sends_the_release_back_to_draft(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.draft()
    shown = _asked(partnership, "council").packs
    said = publication.sign(
        partnership.settings, shown, username="director", is_approved=False, reason="List 2 is short"
    )
    assert (said["rejected"], _state(partnership)) == (1, [(1, "draft")])
    assert publication.publish(partnership.settings, partnership.run_id, partnership.output)["published"] == 0
    assert _asked(partnership, "icb").packs == {}


def test_publishing_the_same_run_again_changes_nothing(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.publish()
    # As a publisher leaves it who was killed before it could take the draft away.
    shutil.copytree(partnership.pack, partnership.draft_pack)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in partnership.pack.iterdir()}
    partnership.publish()
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in partnership.pack.iterdir()} == before
    assert not partnership.draft_pack.exists()
    with warehouse.connect(partnership.settings) as connection:
        assert connection.execute("select status from audit.run").fetchall() == [("published",)]
    assert _state(partnership) == [(1, "published")]


def test_a_correction_is_a_new_version_and_the_one_before_stays(partnership: Any) -> None:
    partnership.passes(partnership.children(5), partnership.children(5, first=5))
    partnership.publish()
    earlier = _files(partnership.pack)
    for run_id, list_1 in (("r2", partnership.children(4)), ("r3", partnership.children(3))):
        partnership.passes(list_1, partnership.children(5, first=5), run_id)
        assert partnership.publish(run_id)["area_send_annex_a.List_1"] == len(list_1)
    assert _state(partnership) == [(3, "published"), (2, "superseded"), (1, "superseded")]
    assert _files(partnership.pack) == earlier
    assert json.loads((partnership.version(3) / "release.json").read_bytes())["supersedes"] == 2
    own = [key.fingerprint for key in keys.public_keys(partnership.settings)]
    assert [verify_pack.check(partnership.version(number), own).exit_code for number in (3, 2, 1)] == [0, 1, 1]
    # Nothing is wrong with an earlier version but that there is a newer one.
    found = [verify_pack.check(partnership.version(number), own).problems for number in (2, 1)]
    assert {problem.state for problems in found for problem in problems} == {"older"}


def test_a_pack_that_is_gone_is_missed(partnership: Any) -> None:
    partnership.passes(partnership.children(2), partnership.children(2, first=2))
    partnership.publish()
    assert not partnership.draft_pack.exists()
    shutil.rmtree(partnership.pack)
    with pytest.raises(PackError, match="published already, and is not here"):
        publication.publish(partnership.settings, partnership.run_id, partnership.output)
    assert not partnership.pack.exists()


def test_what_does_not_fit_a_worksheet_stops_its_return_alone(
    partnership: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = partnership.children(2)
    rows[1]["social_care_team"] = "x" * 40_000
    partnership.passes(partnership.children(2), rows)
    said = partnership.draft()
    assert (said["area_send_annex_a.state"], said["area_send_annex_a.stopped_by"]) == ("stopped", "size")
    assert "List_2, row 3" in caplog.text
    assert "xxx" not in caplog.text
    assert not partnership.draft_pack.exists()


def test_another_pack_in_the_place_of_one_that_was_signed_is_not_taken_for_it(partnership: Any) -> None:
    partnership.passes(partnership.children(2), partnership.children(2, first=2))
    partnership.draft()
    partnership.sign()
    shutil.copytree(partnership.draft_pack, partnership.pack)
    with pytest.raises(PackError, match="not the one which was signed"):
        publication.publish(partnership.settings, partnership.run_id, partnership.output)
    assert partnership.draft_pack.exists()


def test_files_can_be_read_by_their_owner_only(partnership: Any) -> None:
    partnership.passes(partnership.children(1), partnership.children(1, first=1))
    before = os.umask(0)
    try:
        partnership.publish()
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (partnership.output, *partnership.output.rglob("*"))}
    assert len(modes) == 13
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("update audit.run set status = 'failed'", "is failed: only a run that passed the gate"),
        ("update audit.run set status = 'built'", "is built: only a run that passed the gate"),
        ("delete from audit.live", "is not live, none is"),
        ("drop schema returns cascade", "there is no live table returns.return_annex_a__list_1"),
        ("delete from audit.check_result where suite = 'annex_a'", "no rule of suite annex_a was run"),
        ("update audit.run set partnership = 'elsewhere'", "hertfordshire has no such run"),
    ],
)
def test_only_the_live_run_that_passed_its_gate_is_published(partnership: Any, statement: str, message: str) -> None:
    partnership.passes(partnership.children(1), partnership.children(1, first=1))
    partnership.execute(statement)
    with pytest.raises(NotPublishable, match=message):
        partnership.publish()
    assert not list(partnership.output.rglob("*.*"))


def test_an_earlier_run_is_not_published_from_a_later_ones_tables(partnership: Any) -> None:
    partnership.passes(partnership.children(1), partnership.children(1, first=1))
    partnership.passes(partnership.children(2), partnership.children(2, first=2), "r2")
    with pytest.raises(NotPublishable, match="is not live, r2 is"):
        partnership.publish()


def test_the_swap_waits_while_a_draft_is_made(partnership: Any) -> None:
    """Otherwise one pack could hold List_1 of one run and List_2 of another."""
    partnership.passes(partnership.children(3000), partnership.children(3000, first=3000))
    process = _process(partnership, DRAFT)
    work = partnership.draft_pack.with_name(".v1.part")
    while not work.exists():
        assert process.poll() is None
        time.sleep(0.001)
    partnership.execute("set lock_timeout = '60s'; truncate returns.return_annex_a__list_2")
    assert process.wait() == 0
    assert len(_csv(partnership.draft_pack / "List_2.csv")) == 3001


def test_a_pack_that_was_changed_is_not_written_over(partnership: Any) -> None:
    partnership.passes(partnership.children(2), partnership.children(2, first=2))
    partnership.publish()
    (partnership.pack / "List_1.csv").write_bytes(b"changed")
    with pytest.raises(PackError, match=r"List_1\.csv is not the file that was sealed: move the folder away"):
        partnership.publish()
    assert (partnership.pack / "List_1.csv").read_bytes() == b"changed"


class _Publisher:
    """Publishes as a process that can be killed."""

    def __init__(self, partnership: Any) -> None:
        places = [partnership.settings.home, partnership.settings.database_url, partnership.output]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, *places], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def publish(self, run_id: str, killed_after: float | None = None) -> float:
        """Publish a run, or begin to; the seconds that it took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{run_id}\n")
        self.process.stdin.flush()
        pid, began = int(self.process.stdout.readline()), time.monotonic()
        if killed_after is not None:
            time.sleep(killed_after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process.stdout.readline() == "ended\n"
        return time.monotonic() - began


def test_fifty_kills_at_random_points_never_show_a_partial_pack(partnership: Any) -> None:
    line, moments, version, broken_off = partnership.pack.parent, random.Random(50), 0, 0

    def put_forward() -> str:
        run_id = f"r{version}"
        partnership.passes(partnership.children(200 + version), partnership.children(200, first=300), run_id)
        partnership.draft(run_id)
        partnership.sign(run_id)
        return run_id

    publisher = _Publisher(partnership)
    with publisher.process:
        version = 1
        whole = publisher.publish(put_forward())
        version, run_id = 2, ""
        for _ in range(KILLS):
            run_id = run_id or put_forward()
            publisher.publish(run_id, killed_after=moments.uniform(0, whole))
            seen = {path.name for path in line.iterdir()}
            broken_off += f".v{version}.part" in seen
            before = {f"v{number}" for number in range(1, version)}
            assert seen - {f".v{version}.part"} in (before, before | {f"v{version}"})
            if f"v{version}" in seen:
                # It is there whole, and the database has let it through.
                assert verify(line / f"v{version}").exit_code == 0
                assert _state(partnership)[0] == (version, "published")
                version, run_id = version + 1, ""
        publisher.publish(run_id or put_forward())
    # The kills hit the work itself, and not only before or after it; the next publication swept what they left.
    assert broken_off >= KILLS // 5
    assert sorted(path.name for path in line.iterdir()) == sorted(f"v{number}" for number in range(1, version + 1))
    assert verify(line / f"v{version}").exit_code == 0
    assert not partnership.draft_pack.with_name(f"v{version}").exists()


def test_a_partnership_cannot_name_a_path(partnership: Any) -> None:
    partnership.passes(partnership.children(1), partnership.children(1, first=1))
    partnership.execute("update audit.run set partnership = '../up'; update audit.live set partnership = '../up'")
    partnership.settings = replace(partnership.settings, partnership="../up")
    with pytest.raises(NotPublishable, match="cannot be the name of a folder"):
        partnership.publish()


def test_statistics_that_give_a_child_away_are_stopped_and_the_lists_are_not(
    partnership: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found_out(*_: object, **__: object) -> None:
        raise NotProtected("a count could be worked out")

    partnership.passes(partnership.children(2), partnership.children(2, first=2))
    for table in figures.TABLES:
        partnership.execute(f"create table returns.{table} (partnership text)")
    monkeypatch.setattr(figures, "protected", found_out)
    said = publication.draft(
        partnership.settings,
        partnership.run_id,
        is_rehearsal=False,
        returns=["area_send_annex_a", "public_scorecard"],
    )
    assert (said["public_scorecard.state"], said["public_scorecard.stopped_by"]) == ("stopped", "disclosure")
    assert said["area_send_annex_a.state"] == "validated"
    assert _state(partnership) == [(1, "validated")]
