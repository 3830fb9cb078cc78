"""`send-returns review` as a reviewer uses it: every command, wrong input, a narrow terminal, nothing told too much."""

import sys
from collections.abc import Callable

import pytest
from tests.identity.conftest import Put

from send_returns import cli, identity
from send_returns.settings import Settings

Command = Callable[..., tuple[int, str]]
TWIN = {"surname": "Fictwell", "dob": "2015-03-04", "sex": "M", "postcode": "AL1 3JE"}
SAID = ("FICTWELL", "RORY", "THEO", "2015-03-04", "AL13JE", "9990000018", "80120000500")


@pytest.fixture
def command(
    database: Settings, put: Put, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs `send-returns review` on twins and a patient who may be either: exit code, and all that it said."""
    put(
        1,
        "school_census__pupilonroll",
        {**TWIN, "forename": "Rory", "upn": "B801200005001"},
        {**TWIN, "forename": "Theo", "upn": "C801200005002"},
    )
    health = {"person_birth_date": "2015-03-04", "person_stated_gender_code": "1"}
    put(2, "csds__cyp001mpi", {**health, "postcode_of_usual_address": "AL1 3JE", "nhs_number": "9990000018"})
    identity.link(database, "r1")
    monkeypatch.setenv("SEND_RETURNS_HOME", str(database.home))
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL", str(database.database_url))

    def run(*words: str, columns: int | None = None) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["send-returns", "review", *words])
        if columns:
            monkeypatch.setenv("FORCE_COLOR", "1")
            monkeypatch.setenv("TERM", "dumb")
            monkeypatch.setenv("COLUMNS", str(columns))
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), "".join(capfd.readouterr())

    return run


def test_a_reviewer_goes_from_the_list_to_a_decision_and_back(command: Command, database: Settings) -> None:
    code, told = command()
    assert code == 0
    assert "2 of 2 open pairs" in told
    assert not [value for value in SAID if value in told]
    code, told = command("show", "1")
    assert code == 0
    assert all(value in told for value in ("FICTWELL", "2015-03-04", "9990000018"))
    assert command("decide", "1", "same", "--by", "Officer A", "--reason", "case [file] 7")[0] == 0
    assert "1 of 1 open pairs" in command()[1]
    code, told = command("decisions")
    assert (code, "Officer A" in told, "case [file] 7" in told, "stands" in told) == (0, True, True, True)
    assert not [value for value in SAID if value in told]
    identity.link(database, "r1")
    assert "No pair waits" in command()[1]
    assert command("undo", "1", "--by", "Officer B", "--reason", "wrong file")[0] == 0
    told = command("decisions")[1]
    assert "revoked" in told
    # Who took it back is on record for whoever looks, and not the first reviewer alone.
    assert "Officer B" in told
    assert "wrong file" in told
    identity.link(database, "r1")
    assert "2 of 2 open pairs" in command()[1]


def test_a_person_is_told_by_profiles_that_can_be_raised(command: Command) -> None:
    code, told = command("person", "P0000000001")
    assert code == 0
    assert not [value for value in SAID if value in told]
    profiles = [word for word in told.split() if len(word) == 36]
    other = [word for word in command("person", "P0000000002")[1].split() if len(word) == 36]
    code, told = command("raise", profiles[0], other[0])
    assert (code, "is open" in told) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "99"),
        ("show", "99999999999999999999999"),
        ("show", "-1"),
        ("show", "one"),
        ("decide", "1", "perhaps", "--by", "A", "--reason", "r"),
        ("decide", "1", "same", "--by", "", "--reason", "r"),
        ("decide", "1", "same", "--by", "\u200b", "--reason", "r"),
        ("decide", "1", "same"),
        ("undo", "99", "--by", "A", "--reason", "r"),
        ("undo", "99999999999999999999999", "--by", "A", "--reason", "r"),
        ("raise", "x", "y"),
        ("raise", "[/x]", "'; drop table identity.review; --"),
        ("person", "[/x]"),
        ("person", "P9999999999"),
        ("--limit", "0"),
        ("--limit", "99999999999999999999999"),
        ("list",),
    ],
)
def test_wrong_input_is_answered_in_words_and_stops_with_an_error(command: Command, words: tuple[str, ...]) -> None:
    code, told = command(*words)
    assert code != 0
    assert "Traceback" not in told
    assert told.strip()


@pytest.mark.parametrize("words", [(), ("show", "1"), ("person", "P0000000001"), ("decisions",)])
def test_a_terminal_of_80_columns_shows_whole_words(command: Command, words: tuple[str, ...]) -> None:
    command("decide", "2", "different", "--by", "SEN officer 7", "--reason", "looked at the case file in the registry")
    code, told = command(*words, columns=80)
    assert code == 0
    assert max(map(len, told.splitlines())) <= 80
    for word in ("P0000000003",) if words != ("person", "P0000000001") else ("school_census",):
        assert word in told
