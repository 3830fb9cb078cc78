"""The reference feeds hold the simulated county: its postcodes, its people and the bodies that answer for it."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from send_returns import feeds
from send_returns.feeds import source
from send_returns.feeds.delivery import Delivery
from send_returns.simulate.draw import stream
from send_returns.simulate.establishments import DISTRICTS, establishments
from send_returns.simulate.population import People, calibration, people
from send_returns.simulate.reference_feeds import DISTRICT_CODES, reference_feeds
from send_returns.simulate.text import Table

AS_OF = date(2026, 10, 30)
County = tuple[People, pl.DataFrame]


@pytest.fixture(scope="module")
def county() -> County:
    """People and schools of a county of 500 children with SEND."""
    schools = establishments(stream(7, "establishments")).sort("urn")
    return people(7, 500, AS_OF, schools, calibration()), schools


def _tables(county: County, as_of: date = AS_OF) -> dict[str, Table]:
    persons, schools = county
    return {table.feed: table for table in reference_feeds(persons.identity, schools, as_of)}


def test_directory_places_every_home_and_school_in_the_district_that_it_is_in(county: County) -> None:
    persons, schools = county
    directory = _tables(county)["postcode_lookup"].frame
    assert directory["pcds"].is_unique().all()
    homes = persons.identity.select("postcode").with_columns(
        district=pl.Series([list(DISTRICTS)[d] for d in persons.district])
    )
    placed = homes.join(directory, left_on="postcode", right_on="pcds", how="left", maintain_order="left")
    assert placed["oslaua"].to_list() == [DISTRICT_CODES[name] for name in homes["district"]]
    assert set(schools["postcode"]) <= set(directory["pcds"])
    # A small area lies in one district, and there are many.
    assert directory.group_by("lsoa21").agg(pl.col("oslaua").n_unique())["oslaua"].max() == 1
    assert directory["lsoa21"].n_unique() > 100


def test_population_has_every_cell_and_nobody_of_the_county_too_few(county: County) -> None:
    identity = county[0].identity
    frame = _tables(county)["population"].frame
    assert frame.columns[-1] == "population_2025"
    assert frame.height == len(DISTRICTS) * 2 * 91
    assert not frame.select("ladcode", "sex", "age").is_duplicated().any()
    counted = frame.select("sex", pl.col("age").cast(pl.Int64), pl.col("population_2025").cast(pl.Int64))
    of_seven = identity.filter(pl.col("born").is_between(date(2017, 7, 1), date(2018, 6, 30)))
    assert counted.filter(age=7)["population_2025"].sum() >= of_seven.height > 50
    # 1.2 million people to 36,500 children with SEND.
    assert counted["population_2025"].sum() == pytest.approx(1_200_000 * 500 / 36_500, rel=0.15)


@pytest.mark.parametrize(
    ("as_of", "directory", "estimates"),
    [
        (date(2026, 10, 30), "ONSPD_2026-08", "mid_year_estimates_2025"),
        (date(2026, 7, 31), "ONSPD_2026-05", "mid_year_estimates_2024"),
        (date(2027, 1, 15), "ONSPD_2026-11", "mid_year_estimates_2025"),
    ],
)
def test_latest_that_were_published_by_the_day_are_delivered(
    county: County, as_of: date, directory: str, estimates: str
) -> None:
    tables = _tables(county, as_of)
    assert tables["postcode_lookup"].delivery == directory
    assert tables["population"].delivery == estimates
    assert tables["organisations"].delivery == f"organisations_{as_of}"


def test_each_day_has_one_board_and_each_trust_one_parent(county: County) -> None:
    for as_of, board in ((date(2026, 3, 31), "QM7"), (date(2026, 4, 1), "QZ9")):
        frame = _tables(county, as_of)["organisations"].frame
        current = frame.filter(pl.col("close_on").is_null())
        assert current.filter(role="icb")["code"].to_list() == [board]
        assert current["code"].is_unique().all()
        assert set(current.filter(role="nhs_trust")["parent"]) == {board}
    assert frame.filter(code="QM7")["close_on"].to_list() == ["2026-03-31"]


def test_contracts_take_all_of_it_without_a_finding(county: County, tmp_path: Path) -> None:
    for feed, table in _tables(county).items():
        path = tmp_path / Path(table.path).name
        table.frame.write_csv(path)
        batches = list(Delivery(feeds.load(feed), table.delivery, [source.examine(path)]).batches())
        assert sum(batch.loaded.height for batch in batches) == table.frame.height
        assert [f for batch in batches for f in batch.findings.iter_rows()] == []


def test_same_county_gives_the_same_feeds(county: County) -> None:
    first, second = _tables(county), _tables(county)
    assert all(first[feed].frame.equals(second[feed].frame) for feed in first)
