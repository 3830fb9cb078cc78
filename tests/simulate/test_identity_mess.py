"""Registers disagree about who a child is as often as is said, in a tidy county never, and truth knows better."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lxml import etree
from python_calamine import load_workbook
from stdnum.gb import nhs, upn

from send_returns.simulate import lives, shares, simulate
from send_returns.simulate.draw import chance
from send_returns.simulate.identity_mess import COLUMNS, digit_wrong, half, slipped, unmarked
from send_returns.simulate.names import FAMILIAR

AS_OF = date(2026, 10, 30)
CHECKED = ("sen2", "school_census")
CARRIED = (*CHECKED, "cin_census", "ssda903", "csds", "mhsds")
PLACEHOLDERS = ("cin_census", "ssda903", "ehc_casework", "health_advice")
TOLD = ("surname", "forename", "postcode", "born", "sex", "upn", "nhs_number")
SEXES = {"1": "M", "2": "F", "M": "M", "F": "F"}
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A county at one level of mess."""
    made: dict[tuple[str, int], Path] = {}

    def make(mess: str, children: int = 4000) -> Path:
        if (mess, children) not in made:
            out = made[mess, children] = tmp_path_factory.mktemp(mess)
            simulate(out, children=children, seed=11, as_of=AS_OF, mess=mess, sen2_format="csv")
        return made[mess, children]

    return make


@pytest.fixture(scope="module")
def told(county: Make) -> Callable[..., pl.DataFrame]:
    """What the tables of a county say of each record's person (in one spelling), and the truth as `true_...`."""
    made: dict[tuple[str, int], pl.DataFrame] = {}

    def make(mess: str, children: int = 4000) -> pl.DataFrame:
        if (mess, children) not in made:
            made[mess, children] = _told(county(mess, children))
        return made[mess, children]

    return make


def _truth(out: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(out / "truth" / f"{name}.csv", infer_schema=False)


def _rows(out: Path, feed: str, table: str, delivery: str) -> pl.DataFrame:
    """The rows of a table of a delivery, all text."""
    (place,) = out.glob(f"inbox/*/{feed}/{delivery}")
    if place.suffix == ".xml":
        children = etree.parse(place).iter("Child")
        records = [{element.tag.lower(): element.text for element in child[0]} for child in children]
        return pl.DataFrame(records, infer_schema_length=None)
    files = list(place.iterdir())
    file = files[0] if len(files) == 1 else next(file for file in files if file.stem.lower().endswith(table))
    if file.suffix == ".xlsx":
        with load_workbook(file) as workbook:
            first, *rows = workbook.get_sheet_by_name(table).to_python()
        cells = [[str(cell) or None for cell in row] for row in rows]
        return pl.DataFrame(cells, schema=[str(cell) for cell in first], orient="row", infer_schema_length=None)
    return pl.read_csv(file, infer_schema=False, truncate_ragged_lines=True)


def _told(out: Path) -> pl.DataFrame:
    records = _truth(out, "record").with_columns(pl.col("row_number").cast(pl.Int64))
    parts = []
    for (delivery, name), of in records.group_by("delivery", "table_name", maintain_order=True):
        feed, table = str(name).split("__")
        columns = COLUMNS.get((feed, table))
        if columns is None:
            continue
        rows = _rows(out, feed, table, str(delivery)).with_row_index("row_number", offset=2)
        said = rows.select(
            pl.col("row_number").cast(pl.Int64),
            *(_in_one_spelling(name, getattr(columns, name)) for name in TOLD),
        )
        parts.append(
            of.join(said, on="row_number", maintain_order="left").with_columns(feed=pl.lit(feed), table=pl.lit(table))
        )
    person = _truth(out, "person").with_columns(pl.col("born").str.to_date())
    person = person.with_columns(pl.col("surname", "forename").str.to_lowercase())
    return pl.concat(parts).join(person.select("person", pl.col(TOLD).name.prefix("true_")), on="person", how="left")


def _in_one_spelling(name: str, column: str) -> pl.Expr:
    if not column:
        return pl.lit(None, pl.Date if name == "born" else pl.String).alias(name)
    text = pl.col(column).str.strip_chars()
    if name == "born":
        patterns = ("%Y-%m-%d", "%d/%m/%Y", "%Y-%b-%d 00:00:00")
        return pl.coalesce(text.str.to_date(pattern, strict=False) for pattern in patterns).alias(name)
    if name == "sex":
        return text.replace_strict(SEXES, default=None).alias(name)
    if name == "postcode":
        text = text.str.to_uppercase().str.replace(r"\s*(\d\w\w)$", " $1")
    elif name in ("upn", "nhs_number"):
        text = text.str.to_uppercase().str.replace_all(" ", "")
    else:
        text = text.str.to_lowercase()
    return text.alias(name)


def _plain(name: str) -> str:
    return unmarked(name, 1.0).replace(" ", "")


def _is_slip(true: str, said: str) -> bool:
    """Whether one slip of the hand makes one of the other."""
    while true and said and true[0] == said[0]:
        true, said = true[1:], said[1:]
    while true and said and true[-1] == said[-1]:
        true, said = true[:-1], said[:-1]
    return (len(true), len(said)) in {(1, 0), (0, 1), (1, 1)} or (len(true) == 2 and said == true[::-1])


def _is_half(true: str, said: str) -> bool:
    return said in {half(true, 0.0), half(true, 1.0)} | {unmarked(half(true, draw), 1.0) for draw in (0.0, 1.0)}


def _differences(rows: pl.DataFrame, name: str) -> list[tuple[str, str, str, str]]:
    """feed, person, true and told name of each row where they are not the same name, with or without its marks."""
    columns = rows.filter(pl.col(name) != pl.col(f"true_{name}")).select("feed", "person", f"true_{name}", name)
    return [row for row in columns.iter_rows() if _plain(row[2]) != _plain(row[3])]


def _is_about(count: int, of: int, share: float, *, each: int = 1) -> bool:
    """Whether so many of so many are the share, give or take three standard errors; `each`: how many have one draw."""
    return abs(count - of * share) < 3 * (each * of * share) ** 0.5


def _unlike(rows: pl.DataFrame) -> pl.DataFrame:
    """feed, person and surname of rows that have another surname: no slip, no half."""
    others = [
        (feed, person, said)
        for feed, person, true, said in _differences(rows, "surname")
        if not _is_slip(_plain(true), _plain(said)) and not ("-" in true and _is_half(true, said))
    ]
    return pl.DataFrame(others, schema=["feed", "person", "surname"], orient="row")


def test_a_tidy_county_has_none_of_it(county: Make, told: Callable[..., pl.DataFrame]) -> None:
    rows = told("none")
    assert rows.select("feed", "table").n_unique() == len(COLUMNS)
    for name in TOLD:
        given = rows.filter(pl.col(name).is_not_null())
        assert given.height > 5000
        assert given.filter(pl.col(name) != pl.col(f"true_{name}")).height == 0, name
    assert _truth(county("none"), "adopted").height == 0
    assert not _truth(county("none"), "person")["la_child_id"].str.starts_with("0").any()


@pytest.mark.parametrize(("is_checked", "share"), [(False, shares.SLIP_TYPED), (True, shares.SLIP_CHECKED)])
def test_names_are_mistyped(told: Callable[..., pl.DataFrame], is_checked: bool, share: float) -> None:
    rows = told("realistic").filter(
        pl.col("surname").is_not_null(), pl.col("feed").is_in(CHECKED) == pl.lit(is_checked)
    )
    forms = {name.lower(): {form.lower() for form in other} for name, other in FAMILIAR.items()}
    surnames = [1 for _, _, true, said in _differences(rows, "surname") if _is_slip(_plain(true), _plain(said))]
    forenames = [
        1
        for _, _, true, said in _differences(rows, "forename")
        if _is_slip(_plain(true), _plain(said)) and said not in forms.get(true, ())
    ]
    terms = 3 if is_checked else 1
    assert _is_about(len(surnames), rows.height, share / 2, each=terms)
    assert _is_about(len(forenames), rows.height, share / 2, each=terms)


@pytest.mark.parametrize(("is_checked", "share"), [(False, shares.FAMILIAR_TYPED), (True, shares.FAMILIAR_CHECKED)])
def test_children_go_by_familiar_names_in_all_of_a_feed(
    told: Callable[..., pl.DataFrame], is_checked: bool, share: float
) -> None:
    forms = pl.DataFrame(
        [(name.lower(), form.lower()) for name, other in FAMILIAR.items() for form in other],
        schema=["true_forename", "forename"],
        orient="row",
    )
    rows = told("realistic").filter(pl.col("feed").is_in(CHECKED) == pl.lit(is_checked), pl.col("forename") != "")
    with_forms = rows.join(forms, on="true_forename", how="semi")
    familiar = with_forms.join(forms, on=["true_forename", "forename"], how="semi")
    assert familiar.height / with_forms.height == pytest.approx(shares.GOES_BY * share, rel=0.3)
    assert {"ollie", "bella"} <= set(told("realistic")["forename"])
    whole_feeds = with_forms.join(familiar.select("feed", "person").unique(), on=["feed", "person"], how="semi")
    assert familiar.height > 0.95 * whole_feeds.height


def test_marks_are_lost(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic")
    for name in ("surname", "forename"):
        marked = rows.filter(pl.col(f"true_{name}").str.contains("[^a-z ]"), pl.col(name).is_not_null())
        pairs = marked.select(f"true_{name}", name).rows()
        lost = [1 for true, said in pairs if said in {unmarked(true, 0.0), unmarked(true, 1.0)}]
        assert len(lost) / len(pairs) == pytest.approx(shares.UNMARKED, rel=0.2)
    said = set(rows["forename"]) | set(rows["surname"])
    assert {"zoe", "anne marie", "obrien sample", "zmyslony"} <= said


def test_double_barrelled_names_are_halved(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic").filter(pl.col("true_surname").str.contains("-"), pl.col("surname").is_not_null())
    halves = [1 for true, said in rows.select("true_surname", "surname").iter_rows() if _is_half(true, said)]
    assert len(halves) / rows.height == pytest.approx(shares.HALF_SURNAME, rel=0.25)


def test_some_feeds_keep_an_earlier_surname(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic").filter(pl.col("surname").is_not_null())
    earlier = _unlike(rows)
    census = earlier.filter(pl.col("feed") == "school_census")
    known = rows.filter(pl.col("feed") == "school_census")
    share = shares.NEW_SURNAME * shares.OLD_SURNAME_KEPT
    assert census["person"].n_unique() / known["person"].n_unique() == pytest.approx(share, rel=0.3)
    # The other feeds of many of them have the present one, and a feed says one and the same of a child.
    both = rows.join(earlier.select("person").unique(), on="person", how="semi")
    assert both.group_by("person").agg(now=(pl.col("surname") == pl.col("true_surname")).any())["now"].sum() > 10
    kept = known.join(census.select("person").unique(), on="person", how="semi")
    assert (kept["surname"] != kept["true_surname"]).mean() > 0.98


def test_some_feeds_keep_an_earlier_home(county: Make, told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic").filter(pl.col("postcode").is_not_null())
    left = rows.filter(pl.col("postcode") != pl.col("true_postcode"))
    assert left.height / rows.height == pytest.approx(shares.MOVED_HOME * shares.OLD_HOME_KEPT, rel=0.3)
    assert left.group_by("person").agg(pl.col("postcode").n_unique())["postcode"].max() == 1
    near = (left["postcode"].str.split(" ").list.first() == left["true_postcode"].str.split(" ").list.first()).mean()
    assert near == pytest.approx(shares.SAME_POSTCODE_DISTRICT, abs=0.06)
    (file,) = county("realistic").glob("inbox/reference/postcode_lookup/*/*.csv")
    assert set(rows["postcode"]) <= set(pl.read_csv(file, infer_schema=False)["pcds"])


def test_births_are_placeholders(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic").filter(pl.col("born").is_not_null())
    first = (pl.col("born").dt.ordinal_day() == 1) & (pl.col("true_born").dt.ordinal_day() != 1)
    first &= pl.col("born").dt.year() == pl.col("true_born").dt.year()
    of_these = rows.filter(pl.col("feed").is_in(PLACEHOLDERS))
    assert _is_about(of_these.filter(first).height, of_these.height, shares.PLACEHOLDER_BIRTH)
    others = rows.filter(~pl.col("feed").is_in(PLACEHOLDERS))
    assert others.select(first.mean()).item() < 0.0002


@pytest.mark.parametrize(("is_carried", "share"), [(True, shares.WRONG_DIGIT), (False, shares.WRONG_DIGIT_TYPED)])
def test_a_digit_of_a_birth_is_wrong(told: Callable[..., pl.DataFrame], is_carried: bool, share: float) -> None:
    rows = told("realistic").filter(pl.col("born").is_not_null(), pl.col("feed").is_in(CARRIED) == pl.lit(is_carried))
    wrong = [
        (born, true)
        for born, true in rows.filter(pl.col("born") != pl.col("true_born")).select("born", "true_born").iter_rows()
        if sum(a != b for a, b in zip(str(born), str(true), strict=True)) == 1
    ]
    assert _is_about(len(wrong), rows.height, share, each=3 if is_carried else 1)
    assert all(born < AS_OF for born, _ in wrong)


def test_sex_is_wrong(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic").filter(pl.col("sex").is_not_null())
    assert _is_about(rows.filter(pl.col("sex") != pl.col("true_sex")).height, rows.height, shares.WRONG_SEX, each=3)


@pytest.mark.parametrize("children", [2000, 4000])
def test_two_children_are_under_one_number(county: Make, told: Callable[..., pl.DataFrame], children: int) -> None:
    rows, person = told("realistic", children), _truth(county("realistic", children), "person")
    homes: dict[str, dict[str, str]] = {
        name: dict(person.select(name, "postcode").iter_rows()) for name in ("upn", "nhs_number")
    }
    swapped = 0
    for name, is_valid in (("upn", lambda number: upn.calc_check_digit(number[1:]) == number[0]),
                           ("nhs_number", nhs.is_valid)):  # fmt: skip
        given = rows.filter(pl.col(name).str.contains(r"\d$"), pl.col(name) != pl.col(f"true_{name}"))
        for number, home in given.select(name, "true_postcode").iter_rows():
            if is_valid(number):  # neither is it a wrong check letter
                swapped += 1
                assert homes[name].get(number, home) == home
    numbered = rows.filter(pl.col("upn").is_not_null()).height + rows.filter(pl.col("nhs_number").is_not_null()).height
    assert swapped >= 2
    assert _is_about(swapped, numbered, 0.0002)


def test_old_numbers_of_the_council_lose_their_zeros(county: Make) -> None:
    out = county("realistic")
    known = _truth(out, "person").filter(pl.col("la_child_id").is_not_null())
    assert known["la_child_id"].str.starts_with("0").mean() == pytest.approx(shares.OLD_NUMBER, abs=0.02)
    assert known["la_child_id"].str.strip_chars_start("0").is_unique().all()
    for feed, table in (("ehc_casework", "case"), ("health_advice", "advice"), ("short_breaks", "request")):
        (place,) = out.glob(f"inbox/*/{feed}/*")
        records = _truth(out, "record").filter(pl.col("table_name") == f"{feed}__{table}")
        rows = _rows(out, feed, table, place.name).with_columns(records["person"])
        rows = rows.filter(pl.col("la_child_id").is_not_null()).join(known, on="person", how="left")
        told, true = rows["la_child_id"], rows["la_child_id_right"]
        assert true.str.starts_with("0").any()
        assert told.equals(true.str.strip_chars_start("0") if feed in shares.WITHOUT_ZEROS else true, check_names=False)


@pytest.mark.parametrize("children", [2000, 4000])
def test_an_adopted_child_is_two_persons(county: Make, children: int) -> None:
    out = county("realistic", children)
    pairs, records, person = (_truth(out, name) for name in ("adopted", "record", "person"))
    assert pairs.height >= shares.FEWEST_ADOPTED
    assert person["upn"].is_unique().all()
    assert person["nhs_number"].is_unique().all()
    by_number = {row["person"]: row for row in person.iter_rows(named=True)}
    listed = {number for name in ("list_1", "list_2") for number in _truth(out, name)["person"]}
    for before, after in pairs.iter_rows():
        one, other = by_number[before], by_number[after]
        assert all(one[name] == other[name] for name in ("born", "sex", "ethnicity"))
        assert all(one[name] != other[name] for name in ("upn", "nhs_number", "surname", "postcode"))
        assert upn.calc_check_digit(other["upn"][1:]) == other["upn"][0]
        assert nhs.is_valid(other["nhs_number"])
        assert not {before, after} & listed
        deliveries = {number: set(records.filter(pl.col("person") == number)["delivery"]) for number in (before, after)}
        assert deliveries[after] == {"2026_autumn"}
        assert deliveries[before]
        assert deliveries[before] <= {"2026_spring", "2026_summer"}


def test_nobody_of_several_blocks_has_anothers_number(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "BLOCK_CHILDREN", 200)
        simulate(tmp_path, children=460, seed=5, as_of=AS_OF, sen2_format="csv")
    person, pairs = _truth(tmp_path, "person"), _truth(tmp_path, "adopted")
    for name in ("person", "upn", "uln", "nhs_number", "la_child_id"):
        assert person[name].drop_nulls().is_unique().all(), name
    assert (pairs["after"].cast(pl.Int64) // lives.BLOCK_NUMBERS).unique().sort().to_list() == [0, 1, 2]
    assert set(pairs["before"]) | set(pairs["after"]) <= set(person["person"])
    rows = _told(tmp_path)
    births = rows.filter(pl.col("born").is_not_null())
    assert (births["born"] == births["true_born"]).mean() > 0.99


def test_every_record_still_tells_of_its_person(told: Callable[..., pl.DataFrame]) -> None:
    rows = told("realistic")
    assert rows.filter(pl.col("true_born").is_null()).height == 0
    agreeing = pl.sum_horizontal((pl.col(name) == pl.col(f"true_{name}")).fill_null(value=False) for name in TOLD)
    told_of = pl.sum_horizontal(pl.col(name).is_not_null() for name in TOLD)
    assert rows.filter(told_of >= 4).select((agreeing >= 2).mean()).item() > 0.9999
    # Of what is told, nearly all is so.
    assert rows.select(agreeing.sum() / told_of.sum()).item() > 0.97


@pytest.mark.parametrize("mess", ["none", "realistic"])
def test_everyone_is_in_a_group(county: Make, mess: str) -> None:
    out = county(mess)
    group = _truth(out, "group")
    assert group["person"].equals(_truth(out, "person")["person"])
    looked_after = set(_truth(out, "record").filter(pl.col("table_name") == "ssda903__header")["person"])
    assert set(group.filter(pl.col("looked_after") == "true")["person"]) == looked_after
    assert set(group["ethnicity"]) == {"white", "mixed", "asian", "black", "other", "unknown"}
    for name in ("list_1", "list_2"):
        needs = (
            _truth(out, name)
            .join(group, on="person")
            .select(listed=pl.col("sen_primary_need").str.slice(3), need="need")
        )
        as_listed = needs["need"].replace({"DS": "OTH", "NSA": "OTH"})
        assert (needs["listed"] == as_listed).mean() > 0.99
    none = group.filter(~pl.col("person").is_in(_truth(out, "record").filter(
        pl.col("table_name").is_in(["school_census__pupilonroll", "sen2__person"]))["person"].implode()))  # fmt: skip
    assert (none["need"].fill_null("") == "").all()


def test_hostile_files_disagree_as_realistic_ones(county: Make) -> None:
    for name in ("adopted", "group", "record"):
        assert _truth(county("hostile"), name).equals(_truth(county("realistic"), name))


def test_chance_is_even_and_minds_nothing_else() -> None:
    numbers = np.arange(1, 100_001)
    drawn = chance(3, "what", numbers)
    assert 0 <= drawn.min() < drawn.max() < 1
    assert np.allclose(np.histogram(drawn, 10, (0, 1))[0], 10_000, rtol=0.05)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.02
    assert (chance(3, "what", numbers[::-7]) == drawn[::-7]).all()
    assert not (chance(3, "else", numbers) == drawn).any()
    assert not (chance(4, "what", numbers) == drawn).any()


@pytest.mark.parametrize("name", ["Amelia", "Wei", "Mo", "Ó Fictigh", "McSample", "Żmyślony", "O'Brien-Sample"])
def test_a_slip_changes_one_letter_and_not_the_first(name: str) -> None:
    made = {slipped(name, draw / 1000) for draw in range(1000)}
    assert len(made) > len(name)
    assert name not in made
    assert all(other[0] == name[0] and abs(len(other) - len(name)) <= 1 and _is_slip(name, other) for other in made)


@pytest.mark.parametrize("born", [date(2012, 2, 29), date(2019, 12, 31), date(2026, 10, 29), date(2010, 10, 10)])
def test_a_wrong_digit_is_of_a_date_in_the_past(born: date) -> None:
    for draw in np.linspace(0, 1, 50, endpoint=False):
        wrong = digit_wrong(born, draw, AS_OF)
        assert wrong < AS_OF
        assert sum(a != b for a, b in zip(str(born), str(wrong), strict=True)) == 1
