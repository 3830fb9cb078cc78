"""A county of several blocks of children: one file each, no number twice, and truth that points at the right rows."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from lxml import etree

from send_returns import feeds
from send_returns.simulate import lives, simulate
from send_returns.simulate.population import UPN_AUTHORITIES

AS_OF = date(2026, 10, 30)
CHILDREN, BLOCKS = 460, 3


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tidy county of three blocks."""
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "BLOCK_CHILDREN", 200)
        simulate(folder, children=CHILDREN, seed=5, as_of=AS_OF, mess="none")
    return folder


def _csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


@pytest.mark.parametrize("children", [100, 36_500, 36_501, 109_500, 365_000])
def test_blocks_are_even_and_none_is_too_large(children: int) -> None:
    sizes = lives.sizes(children)
    assert sum(sizes) == children
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= lives.BLOCK_CHILDREN
    assert len(sizes) <= len(UPN_AUTHORITIES)


def test_nobody_shares_an_identifier(out: Path) -> None:
    person = _csv(out / "truth" / "person.csv")
    assert person["person"].cast(pl.Int64).is_sorted()
    assert (person["person"].cast(pl.Int64) // lives.BLOCK_NUMBERS).n_unique() == BLOCKS
    for name in ("person", "upn", "uln", "nhs_number", "la_child_id"):
        given = person[name].drop_nulls()
        assert given.is_duplicated().sum() == 0, name
    # 999 is the range for tests; the next ones begin with 9 too, and are nobody's.
    assert sorted(person["nhs_number"].str.slice(0, 3).unique()) == ["997", "998", "999"]


def test_each_xml_is_one_document(out: Path) -> None:
    (sen2,) = (out / "inbox" / "council" / "sen2").iterdir()
    (cin,) = (out / "inbox" / "council" / "cin_census").iterdir()
    for file, record in ((sen2, "Person"), (cin, "Child")):
        root = etree.parse(file).getroot()
        assert len(root.findall("Header")) == 1
        parents = {element.getparent() for element in root.iter(record)}
        assert len(parents) == 1
        assert len(list(root.iter(record))) > 100


def test_every_delivery_is_taken_whole_without_an_error_and_holds_no_key_twice(out: Path) -> None:
    taken = 0
    for place in sorted(out.glob("inbox/*/*/*")):
        feed = feeds.load(place.parent.name)
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        delivery = feeds.Delivery(feed, place.name, [feeds.examine(file) for file in files], "919")
        for batch in delivery.batches():
            errors = batch.findings.filter(pl.col("severity") == "error")
            assert errors.height == batch.quarantined.height == 0, (place.name, batch.table.name)
        taken += 1
    assert taken > 15


def test_records_of_truth_point_at_their_rows_in_every_block(out: Path) -> None:
    upn_of = dict(_csv(out / "truth" / "person.csv").select("person", "upn").iter_rows())
    records = _csv(out / "truth" / "record.csv")
    census = _csv(out / "inbox" / "council" / "school_census" / "2026_autumn" / "2026_autumn_pupilonroll.csv")
    of_census = records.filter(pl.col("delivery") == "2026_autumn")
    assert of_census["row_number"].cast(pl.Int64).to_list() == list(range(2, census.height + 2))
    assert census["upn"].to_list() == [upn_of[person] for person in of_census["person"]]


def test_records_of_a_submission_are_numbered_once(out: Path) -> None:
    files = [*out.glob("inbox/icb/csds/*/*.csv"), *out.glob("inbox/icb/mhsds/*/*.csv")]
    for file in files:
        frame = _csv(file)
        numbers = frame["RECORD NUMBER" if "RECORD NUMBER" in frame.columns else "RecordNumber"]
        assert numbers.is_unique().all(), file.name
    assert len(files) > 40


def test_schools_and_headings_are_written_once(out: Path) -> None:
    school = _csv(out / "inbox" / "council" / "school_census" / "2026_autumn" / "2026_autumn_school.csv")
    assert school["urn"].is_unique().all()
    assert "schoolcensustableid" not in school["schoolcensustableid"]
    pupils = _csv(out / "inbox" / "council" / "school_census" / "2026_autumn" / "2026_autumn_pupilonroll.csv")
    assert set(pupils["NativeId"]) <= set(school["NativeId"])


def test_a_block_is_the_same_whoever_comes_after_it(out: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "sizes", lambda _: [154])
        simulate(tmp_path, children=154, seed=5, as_of=AS_OF, mess="none")
    alone = (tmp_path / "truth" / "person.csv").read_bytes()
    assert (out / "truth" / "person.csv").read_bytes().startswith(alone)
