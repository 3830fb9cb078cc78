"""The linkage model: estimated from records alone, the same for the same records, kept, and without rare names."""

import json
from importlib import resources
from itertools import product

import pytest
from tests.identity.conftest import Put

from send_returns import identity, warehouse
from send_returns.failure import Failure
from send_returns.identity import estimation, model
from send_returns.settings import Settings

SURNAMES = [
    f"{stem}{end}" for stem, end in product(("Fict", "Mock", "Feign", "Quas"), ("well", "ton", "ley", "ham", "by"))
]
BOYS = ("Rory", "Theo", "Omar", "Kofi", "Jakub", "Eoin", "Arjun", "Leo")
RARE = "Uniqueforename"


@pytest.fixture
def known(database: Settings, put: Put) -> Settings:
    """700 pupils whom casework knows too, by slips, earlier homes and, of every Jakub, another form of the name."""
    pupils, cases = [], []
    for number in range(700):
        upn = f"B8012000{number:05}"
        forename = RARE if number == 7 else BOYS[number % len(BOYS)]
        born = f"20{10 + number % 8}-{1 + number % 12:02}-{1 + number % 28:02}"
        home = f"AL{1 + number % 9} {number % 10}{'ABDEFGH'[number % 7]}{'JLNPQ'[number % 5]}"
        surname = SURNAMES[number % len(SURNAMES)]
        child = {"upn": upn, "surname": surname, "forename": forename}
        pupils.append({**child, "dob": born, "sex": "M", "postcode": home})
        as_known = {"Jakub": "Kuba"}.get(forename, forename)
        slip = surname[:-1] if number % 50 == 0 else surname
        moved = "SG4 8BQ" if number % 40 == 0 else home
        cases.append({**child, "forename": as_known, "surname": slip, "date_of_birth": born, "postcode": moved})
    put(1, "school_census__pupilonroll", *pupils)
    put(2, "ehc_casework__case", *cases)
    identity.link(database, "r1")
    return database


def test_a_model_learns_from_the_records_alone(known: Settings) -> None:
    first, chart = estimation.estimate(known)
    estimated = model.load(known)
    assert estimated.id == first
    assert ("JAKUB", "KUBA") in estimated.aliases
    levels = {
        (comparison["output_column_name"], level["label_for_charts"]): level
        for comparison in estimated.parameters["settings"]["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level")
    }
    for what in ("forename", "surname", "born", "postcode"):
        assert levels[what, "same"]["m_probability"] > 0.8 > 0.2 > levels[what, "same"]["u_probability"]
    assert "<html" in chart.read_text("utf-8").lower()
    assert estimation.estimate(known)[0] == first


def test_a_model_and_its_chart_hold_no_rare_name(known: Settings) -> None:
    _, chart = estimation.estimate(known)
    kept = json.dumps(model.load(known).parameters).upper() + chart.read_text("utf-8").upper()
    assert "THEO" in kept
    assert RARE.upper() not in kept


def test_links_are_by_the_new_model_and_the_old_one_is_kept(known: Settings) -> None:
    with warehouse.connect(known) as connection:
        ((before,),) = connection.execute("select model_id from identity.model").fetchall()
        basis = identity.basis(known, connection)
    estimated, _ = estimation.estimate(known)
    identity.link(known, "r1")
    with warehouse.connect(known) as connection:
        assert connection.execute("select distinct model_id from identity.edge").fetchall() == [(estimated,)]
        models = {one for (one,) in connection.execute("select model_id from identity.model").fetchall()}
        assert models == {before, estimated}
        assert identity.basis(known, connection) != basis


def test_too_few_records_make_no_model(database: Settings, put: Put) -> None:
    put(1, "school_census__pupilonroll", {"upn": "B801200005001"})
    identity.link(database, "r1")
    with pytest.raises(Failure, match="1 are known: link first"):
        estimation.estimate(database)


def spoilt(*path: str | int, to: object) -> str:
    """The model that comes with the program, with another value in one place."""
    parameters = json.loads(resources.files("send_returns.identity").joinpath("model.json").read_text("utf-8"))
    place = parameters
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(parameters)


LEVEL = ("settings", "comparisons", 0, "comparison_levels", 1)


@pytest.mark.parametrize(
    "text",
    [
        '{"settings": 1}',
        '{"settings": {}, "frequencies": {}, "aliases": []}',
        "",
        "\x00",
        "[" * 100_000,
        spoilt("aliases", to=[["A"]]),
        spoilt("aliases", to=[[1, 2]]),
        spoilt("frequencies", "surname", "common", to=[]),
        spoilt("frequencies", "surname", "other", to=0),
        spoilt(*LEVEL, "m_probability", to=float("nan")),
        spoilt(*LEVEL, "u_probability", to="0.5"),
        spoilt(*LEVEL, "sql_condition", to="forename_l = forename_r or true"),
        spoilt("settings", "comparisons", to=[]),
        spoilt("settings", to=0)[:-100],
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_line(database: Settings, text: str) -> None:
    (database.folder("linkage") / "model.json").write_text(text)
    with pytest.raises(Failure, match="it is no linkage model"):
        model.load(database)
