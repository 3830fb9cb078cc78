"""The simulated county: repeatable, shaped as published, well formed when tidy, and true to its own truth."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from lxml import etree
from stdnum.gb import upn

from send_returns import landing
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)


class County(NamedTuple):
    """Where a simulated county is, and the rows that the simulator says it wrote."""

    out: Path
    counts: dict[str, int]

    @property
    def inbox(self) -> Path:
        return self.out / "inbox"

    def csv(self, path: str) -> pl.DataFrame:
        return pl.read_csv(self.inbox / path, infer_schema=False, truncate_ragged_lines=True)

    def census(self, term: str, table: str = "pupilonroll") -> pl.DataFrame:
        return self.csv(f"council/school_census/{term}/{term}_{table}.csv")

    def truth(self, name: str) -> pl.DataFrame:
        texts = {"upn": pl.String, "uln": pl.String, "nhs_number": pl.String}
        return pl.read_csv(
            self.out / "truth" / f"{name}.csv", try_parse_dates=True, infer_schema_length=None, schema_overrides=texts
        )


Make = Callable[[str], County]
TERMS = ["2026_spring", "2026_summer", "2026_autumn"]
ERRORS_TOLERATED = 0.02


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The county of 2,000 children with SEND at one level of mess."""
    made: dict[str, County] = {}

    def make(mess: str) -> County:
        if mess not in made:
            out = tmp_path_factory.mktemp(f"county-{mess}")
            made[mess] = County(out, simulate(out, children=2000, seed=7, as_of=AS_OF, mess=mess))
        return made[mess]

    return make


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _sen2(county: County) -> etree._ElementTree:
    (file,) = (county.inbox / "council" / "sen2").glob("SEN2*.xml")
    return etree.parse(file)


def _upns_with_an_active_plan(county: County) -> set[str]:
    """From the XML alone: the latest named plan has not ceased."""
    found = set()
    for person in _sen2(county).iter("Person"):
        plans = [p for p in person.iter("NamedPlan") if p.findtext("StartDate", "") <= str(AS_OF)]
        latest = max(plans, key=lambda p: p.findtext("StartDate", ""), default=None)
        if latest is not None and latest.findtext("CeaseDate", "9999") > str(AS_OF):
            found.add(person.findtext("UPN", ""))
    return found


@pytest.mark.parametrize("mess", ["none", "realistic", "hostile"])
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, mess: str) -> None:
    for name in ("first", "second"):
        simulate(tmp_path / name, children=200, seed=3, as_of=AS_OF, mess=mess)
    assert _digest(tmp_path / "first") == _digest(tmp_path / "second")
    simulate(tmp_path / "other", children=200, seed=4, as_of=AS_OF, mess=mess)
    assert _digest(tmp_path / "other") != _digest(tmp_path / "first")


def test_neither_time_zone_nor_hash_seed_nor_locale_changes_a_byte(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import date; from pathlib import Path; from send_returns.simulate import simulate;"
        f"simulate(Path(sys.argv[1]), children=200, seed=3, as_of=date({AS_OF:%Y, %-m, %-d}), mess='hostile')"
    )
    for name, hash_seed, zone, locale in (("a", "1", "UTC", "C"), ("b", "2", "Pacific/Auckland", "C.UTF-8")):
        changed = {"PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": locale, "POLARS_MAX_THREADS": hash_seed}
        command = [sys.executable, "-c", program, str(tmp_path / name)]
        subprocess.run(command, check=True, env=os.environ | changed)
    assert _digest(tmp_path / "a") == _digest(tmp_path / "b")


def test_mess_does_not_change_who_lives_there(county: Make) -> None:
    # faults may make a K of an E, and the reverse, but a plan is a plan
    tidy, untidy = county("none").truth("list_1"), county("realistic").truth("list_1")
    assert tidy["person"].equals(untidy["person"])
    assert tidy["initial_plan_issued_on"].equals(untidy["initial_plan_issued_on"])


def test_truth_of_hostile_files_is_that_of_realistic_ones(county: Make) -> None:
    for name in ("list_1", "list_2", "person"):
        assert county("hostile").truth(name).equals(county("realistic").truth(name))


@pytest.mark.parametrize("mess", ["none", "realistic", "hostile"])
def test_every_row_lands_or_is_one_of_the_broken_lines(database: Settings, county: Make, mess: str) -> None:
    made = county(mess)
    found = {o: landing.land(database, o, made.inbox, AS_OF) for o in ("reference", "council", "icb")}
    assert sum(f["rows_in"] for f in found.values()) == sum(made.counts.values())
    if mess != "hostile":  # whole hostile deliveries: see test_hostile
        assert all(f["refused"] == f["unreadable"] == 0 for f in found.values())
    quarantined = sum(f["quarantined"] for f in found.values())
    if mess == "none":
        assert quarantined == 0
    else:
        assert 0 < quarantined < 100


def test_tidy_files_hold_valid_upns_and_one_date_of_birth_each(county: Make) -> None:
    made = county("none")
    rolls = pl.concat(made.census(term).select("upn", "dob") for term in TERMS)
    assert all(upn.calc_check_digit(number[1:]) == number[0] for number in rolls["upn"].unique())
    assert rolls.unique().height == rolls["upn"].n_unique()
    births = dict(rolls.with_columns(pl.col("dob").str.to_date("%Y-%b-%d 00:00:00")).unique().iter_rows())
    for person in _sen2(made).iter("Person"):
        born = date.fromisoformat(person.findtext("PersonBirthDate", ""))
        assert births.get(person.findtext("UPN"), born) == born


def test_list_1_is_whoever_has_an_active_plan_in_the_file(county: Make) -> None:
    made = county("none")
    assert set(made.truth("list_1")["upn"]) == _upns_with_an_active_plan(made)


def test_list_2_is_whoever_has_sen_support_in_the_latest_census_and_no_plan(county: Make) -> None:
    made = county("none")
    order = pl.col("enrolstatus").replace_strict({"C": 1, "M": 2, "F": 3, "O": 4, "S": 5})
    roll = made.census("2026_autumn").filter(pl.col("enrolstatus") != "G").sort(order, maintain_order=True)
    main = roll.unique("upn", keep="first", maintain_order=True)
    supported = set(main.filter(pl.col("senprovision") == "K")["upn"])
    assert set(made.truth("list_2")["upn"]) == supported - _upns_with_an_active_plan(made)


def test_suspensions_are_those_of_the_files_in_six_months(county: Make) -> None:
    made = county("realistic")
    rows = []
    for term in TERMS:
        exclusions = made.census(term, "termlyexclusionsonroll")
        pupils = made.truth("record").filter(pl.col("delivery") == term).sort("row_number")
        numbered = made.census(term).head(pupils.height).with_columns(pupils["person"])
        rows.append(exclusions.join(numbered, on="pupilonrolltableid").select("person", "startdate", "category"))
    recent = (
        pl.concat(rows)
        .with_columns(pl.col("startdate").str.to_date("%Y-%b-%d 00:00:00"), pl.col("category").replace("FIXD", "SUSP"))
        .filter((pl.col("startdate") > date(2026, 4, 30)) & (pl.col("startdate") <= AS_OF))
        .unique()
    )
    counted = recent.filter(pl.col("category") != "PERM").group_by("person").len("found")
    for name in ("list_1", "list_2"):
        both = made.truth(name).join(counted, on="person", how="left").with_columns(pl.col("found").fill_null(0))
        assert both["suspensions"].sum() > 0
        assert both["suspensions"].equals(both["found"].cast(pl.Int64), check_names=False)


def test_numbers_are_near_those_published(county: Make) -> None:
    made = county("none")
    list_1, list_2 = made.truth("list_1"), made.truth("list_2")
    assert list_1.height == round(2000 * 12920 / 36500)
    in_process = 2000 * 0.25 * 3343 * 0.36 / 36500
    assert list_1.height + list_2.height + in_process == pytest.approx(2000, rel=0.01)
    assert made.census("2026_autumn")["upn"].n_unique() == pytest.approx(2000 * 200000 / 36500, rel=0.02)
    needs = dict(list_1["sen_primary_need"].value_counts(normalize=True).iter_rows())
    for need, share in {"k) ASD": 0.269, "e) SEMH": 0.223, "b) MLD": 0.188, "f) SLCN": 0.143}.items():
        assert needs[need] == pytest.approx(share, abs=0.05)
    assert (list_1["gender"] == "a) Male").mean() == pytest.approx(0.704, abs=0.05)
    at_home = (list_1["elective_home_education"] == "a) Yes").mean()
    assert at_home == pytest.approx(109 / 12920, abs=0.006)
    assert list_1["date_of_birth_on"].min() > date(2000, 8, 31)


def test_timeliness_is_near_that_published(tmp_path: Path) -> None:
    simulate(tmp_path, children=6000, seed=11, as_of=AS_OF, mess="none")
    (file,) = (tmp_path / "inbox" / "council" / "sen2").iterdir()
    in_time = []
    for request in etree.parse(file).iter("Requests"):
        for assessment in request.iter("Assessment"):
            if assessment.findtext("AssessmentOutcome") == "Y" and assessment.findtext("Week20") == "0":
                issued = date.fromisoformat(assessment.findtext("AssessmentOutcomeDate", ""))
                in_time.append((issued - date.fromisoformat(request.findtext("ReceivedDate", ""))).days <= 140)
    assert sum(in_time) / len(in_time) == pytest.approx(0.563, abs=0.06)


def test_sen_and_care_bring_more_absence_exclusion_and_each_other(county: Make) -> None:
    made = county("none")
    roll = made.census("2026_autumn").with_columns(pl.col("^termlysessions.*$").cast(pl.Int64))
    missed = pl.col("termlysessionsauthorised").sum() + pl.col("termlysessionsunauthorised").sum()
    absence = dict(roll.group_by("senprovision").agg(missed / pl.col("termlysessionspossible").sum()).iter_rows())
    assert absence["N"] < absence["K"] < absence["E"]
    known = [(made.truth(n)["known_to_social_care"] == "a) Yes").mean() for n in ("list_1", "list_2")]
    assert known[0] > 1.4 * known[1] > 0.02


@pytest.mark.parametrize("number", [1, 2])
def test_realistic_files_leave_each_annex_a_error_rare(county: Make, number: int) -> None:
    made = county("realistic")
    rows = made.truth(f"list_{number}")
    days = (pl.lit(AS_OF) - pl.col("date_of_birth_on")).dt.total_days()
    of_school_age = (days > 5 * 365.25) & (days < 16 * 365.25)
    main, other = pl.col("main_establishment_urn").is_null(), pl.col("subsidiary_establishment_phase").is_null()
    errors = {
        "no setting": of_school_age & main & other,
        "subsidiary without main": of_school_age & main & ~other,
        "no need": pl.col("sen_primary_need").is_null(),
        "26 or over": days >= 26 * 365.25,
    }
    for error, condition in errors.items():
        assert rows.select(condition.mean()).item() < ERRORS_TOLERATED + 0.01, error
    table = made.census("2026_autumn").filter(pl.col("senprovision") == ("E" if number == 1 else "K"))
    for column in ("ethnicity", "upn"):
        assert 0 < table[column].null_count() / table.height < ERRORS_TOLERATED + 0.01


def test_hostile_files_hold_what_they_promise(county: Make) -> None:
    made = county("hostile")
    file = made.inbox / "council" / "school_census" / "2026_autumn" / "2026_autumn_pupilonroll.csv"
    raw = file.read_bytes()
    for threat in (b"=HYPERLINK", b"@SUM", b"\x00", b"\nSecond line", b"X" * 200_000, b"M\xfcller"):
        assert threat in raw
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    assert any("=HYPERLINK" in name.text for name in _sen2(made).iter("Surname"))


def test_a_hostile_line_is_not_put_into_a_file_so_short_that_all_of_it_would_be_refused(county: Make) -> None:
    (file,) = (county("hostile").inbox / "council" / "ehe_register").glob("*/ehe_register*.csv")
    content = file.read_bytes()
    assert content.count(b"\n") < 200
    assert b"UNCLOSED" not in content


def test_names_are_as_hard_as_real_ones(county: Make) -> None:
    names = county("none").truth("person")
    assert names["surname"].str.contains("O'Brien").any()
    assert names["surname"].str.contains(r"^\w+-\w+$").any()
    assert (names["forename"] == "Zoë").any()


def test_the_nine_csv_of_collect_hold_what_the_xml_holds(tmp_path: Path) -> None:
    xml = simulate(tmp_path / "xml", children=200, seed=3, as_of=AS_OF, mess="none")
    csv = simulate(tmp_path / "csv", children=200, seed=3, as_of=AS_OF, mess="none", sen2_format="csv")
    assert [n for k, n in csv.items() if "/sen2/" in k] == [n for k, n in xml.items() if "/sen2/" in k]
    (folder,) = (tmp_path / "csv" / "inbox" / "council" / "sen2").iterdir()
    assert {f.name for f in folder.iterdir()} == {
        f"{name}.csv"
        for name in ("sen2", "person", "requests", "assessment", "namedplan", "plandetail", "activeplans",
                     "placementdetail", "senneed")
    }  # fmt: skip
    person = pl.read_csv(folder / "person.csv", infer_schema=False)
    (file,) = (tmp_path / "xml" / "inbox" / "council" / "sen2").iterdir()
    assert person["upn"].to_list() == [p.findtext("UPN") for p in etree.parse(file).iter("Person")]


def test_records_of_truth_point_at_their_rows(county: Make) -> None:
    made = county("none")
    upn_of = dict(made.truth("person").select("person", "upn").iter_rows())
    records = made.truth("record").filter(pl.col("delivery") == "2026_autumn").sort("row_number")
    assert records["row_number"].to_list() == list(range(2, records.height + 2))
    assert made.census("2026_autumn")["upn"].to_list() == [upn_of[p] for p in records["person"]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"children": 10}, "children"), ({"mess": "some"}, "mess"), ({"sen2_format": "xlsx"}, "sen2_format")],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"children": 200, "seed": 1, "as_of": AS_OF} | changed
    with pytest.raises(ValueError, match=message):
        simulate(tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_an_inbox_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with pytest.raises(FileExistsError, match="inbox"):
        simulate(tmp_path, children=200, seed=1, as_of=AS_OF)


@pytest.mark.parametrize("as_of", [date(2026, 1, 2), date(2026, 3, 31), date(2026, 8, 31), date(2028, 2, 29)])
def test_any_day_will_do(tmp_path: Path, as_of: date) -> None:
    counts = simulate(tmp_path, children=150, seed=5, as_of=as_of)
    assert sum("pupilonroll" in table for table in counts) == 3
    # In so small a county nobody may have had what these few rows are of.
    rare = ("mhs104rtt", "mhs604primdiag", "ctr", "notification")
    assert [table for table, rows in counts.items() if not rows and not table.endswith(rare)] == []
