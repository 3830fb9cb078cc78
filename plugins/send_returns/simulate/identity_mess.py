"""Where registers disagree about who a child is: names, homes, birth dates, sexes and numbers.

What a system knows of a child (an earlier surname, a familiar forename, the last home) it says in every row and
delivery; what somebody mistyped is of the row. Each draw depends on the seed, the feed or table, and the person alone.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from send_returns.simulate import shares
from send_returns.simulate.draw import Bools, Floats, Ints, chance, stream
from send_returns.simulate.establishments import DISTRICTS
from send_returns.simulate.identifiers import postcodes
from send_returns.simulate.lives import Lives
from send_returns.simulate.names import FAMILIAR, surnames
from send_returns.simulate.text import CENSUS, ISO, PERSON, SLASHED, Table

# The others are typed by hand.
_CARRIED = ("sen2", "school_census", "cin_census", "ssda903", "csds", "mhsds")
_PLACEHOLDERS = ("cin_census", "ssda903", "ehc_casework", "health_advice")
_KEYS = "qwertyuiopasdfghjklzxcvbnm"
_OTHER_SEX = {"M": "F", "F": "M", "1": "2", "2": "1"}
_ROWS_EACH = 64  # room for so many rows of a person in a table


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say who a child is; `dates`: how it writes a birth date."""

    surname: str = ""
    forename: str = ""
    postcode: str = ""
    born: str = ""
    sex: str = ""
    upn: str = ""
    nhs_number: str = ""
    dates: str = SLASHED


_NAMED = Columns("surname", "forename", born="date_of_birth", upn="upn")
_HOUSED = replace(_NAMED, postcode="postcode")
_PATIENT = replace(_NAMED, nhs_number="nhs_number")
COLUMNS: Final = {
    ("sen2", "person"): replace(_HOUSED, born="personbirthdate", sex="sex", dates=ISO),
    ("school_census", "pupilonroll"): replace(_HOUSED, born="dob", sex="sex", dates=CENSUS),
    ("cin_census", "child"): Columns(born="personbirthdate", sex="gendercurrent", upn="upn", dates=ISO),
    ("ssda903", "header"): Columns(born="DOB", sex="SEX", upn="UPN"),
    ("ehe_register", "child"): replace(_HOUSED, sex="sex", nhs_number="nhs_number"),
    ("ehc_casework", "case"): _HOUSED,
    # A UPN is a row's key here: one given twice would be refused before it is sent.
    ("ap_census", "pupil"): Columns("Surname", "Forename", "Postcode", "DOB", "Sex", dates=ISO),
    ("part_time_timetables", "timetable"): _NAMED,
    ("short_breaks", "request"): _HOUSED,
    ("short_breaks", "package"): _NAMED,
    ("disputes", "complaint"): _NAMED,
    ("disputes", "mediation"): _NAMED,
    ("disputes", "appeal"): _NAMED,
    ("disputes", "ombudsman"): _NAMED,
    ("contact_log", "enquiry"): Columns(upn="upn"),
    ("plan_audit", "audit"): Columns(born="date_of_birth", upn="upn"),
    ("post16", "participation"): _HOUSED,
    ("csds", "cyp001mpi"): Columns(
        postcode="POSTCODE OF USUAL ADDRESS", born="PERSON BIRTH DATE", sex="PERSON STATED GENDER CODE",
        nhs_number="NHS NUMBER", dates=ISO,
    ),
    ("mhsds", "mhs001mpi"): Columns(
        postcode="Postcode", born="PersonBirthDate", sex="GenderIDCode", nhs_number="NHSNumber", dates=ISO
    ),
    ("health_advice", "advice"): _PATIENT,
    ("health_advice", "notification"): _PATIENT,
    ("dynamic_support_register", "register"): _PATIENT,
}  # fmt: skip


@dataclass(frozen=True)
class Aliases:
    """What else a block's people may be taken for. By position: a person's number less `first` less one.

    `surname`: the one before the present; `postcode`: that of the home before; null for most. `upn`, `nhs_number`: of a
    twin or sibling, null for who has none (or one who is on no roll). `is_twin`: whether it is a twin's.
    """

    first: int
    seed: int
    born: pl.Series
    surname: pl.Series
    postcode: pl.Series
    upn: pl.Series
    nhs_number: pl.Series
    is_twin: Bools

    @property
    def homes(self) -> pl.DataFrame:
        """The postcodes of the homes before."""
        return self.postcode.drop_nulls().to_frame("postcode")


def aliases(of: Lives) -> Aliases:
    """The aliases of a block; those adopted, who come after all others, have none."""
    adopted = len(of.identity) - len(of.persons)
    nothing = pl.Series([None] * adopted, dtype=pl.String)
    relative, is_twin = _relatives(of)
    pupils = pl.concat(term.pupils[PERSON] for term in of.terms).unique().implode()
    own = of.identity.select("nhs_number", upn=pl.when(pl.col(PERSON).is_in(pupils)).then("upn"))
    theirs = own[np.maximum(relative, 0)].with_columns(pl.when(pl.Series(relative >= 0)).then(pl.all()))
    return Aliases(
        first=of.first,
        seed=of.seed,
        born=of.identity["born"],
        surname=_earlier_surnames(of).append(nothing),
        postcode=_earlier_homes(of).append(nothing),
        upn=theirs["upn"].append(nothing),
        nhs_number=theirs["nhs_number"].append(nothing),
        is_twin=np.append(is_twin, np.zeros(adopted, dtype=bool)),
    )


def _earlier_surnames(of: Lives) -> pl.Series:
    """The surname before the present one, of everyone in the families that have changed theirs."""
    households = of.persons.household
    changed = np.flatnonzero(chance(of.seed, "new surname", households) < shares.NEW_SURNAME)
    family, which = np.unique(households[changed], return_inverse=True)
    earlier = surnames(stream(of.seed, "earlier surnames"), len(family)).gather(which)
    return pl.Series([None] * len(households), dtype=pl.String).scatter(changed, earlier)


def _earlier_homes(of: Lives) -> pl.Series:
    """The postcode of the home before, of everyone in the families that have moved."""
    households = of.persons.household
    moved = np.flatnonzero(chance(of.seed, "moved home", households) < shares.MOVED_HOME)
    family, first, which = np.unique(households[moved], return_index=True, return_inverse=True)
    rng = stream(of.seed, "earlier homes")
    near = of.identity["postcode"].gather(moved[first]).str.split(" ").list.first()
    outward = [code for _, codes in DISTRICTS.values() for code in codes]
    far = pl.Series(outward).gather(rng.integers(0, len(outward), len(family)))
    is_near = pl.Series(rng.random(len(family)) < shares.SAME_POSTCODE_DISTRICT)
    earlier = postcodes(rng, near.zip_with(is_near, far)).gather(which)
    return pl.Series([None] * len(households), dtype=pl.String).scatter(moved, earlier)


def _relatives(of: Lives) -> tuple[Ints, Bools]:
    """The position of a child of the same home, a twin before any other, or -1; and whether it is a twin."""
    households, birth = of.persons.household, of.persons.birth
    order = np.lexsort((np.arange(len(households)), birth, households))
    at_home = households[order][1:] == households[order][:-1]
    born_with = at_home & (birth[order][1:] == birth[order][:-1])
    relative, is_twin = np.full(len(households), -1), np.zeros(len(households), dtype=bool)
    for related in (at_home, born_with):
        younger, elder = order[1:][related], order[:-1][related]
        relative[younger] = elder
        relative[elder] = younger
    is_twin[order[1:][born_with]] = True
    is_twin[order[:-1][born_with]] = True
    return relative, is_twin


def misidentified(tables: Sequence[Table], known: Aliases, as_of: date) -> list[Table]:
    """The tables as their suppliers hold them, who do not all agree on who a child is."""
    return [_misidentified(table, known, as_of) for table in tables]


def _misidentified(table: Table, known: Aliases, as_of: date) -> Table:
    frame = table.frame
    columns = COLUMNS.get((table.feed, table.name))
    if columns is not None:
        rows = _Rows(table, known)
        changes: list[tuple[str, Callable[[pl.Series], pl.Series]]] = [
            (columns.surname, rows.surnames),
            (columns.forename, rows.forenames),
            (columns.postcode, rows.homes),
            (columns.born, lambda told: rows.births(told, columns.dates, as_of)),
            (columns.sex, rows.sexes),
            (columns.upn, lambda told: rows.numbers(told, "upn", known.upn)),
            (columns.nhs_number, lambda told: rows.numbers(told, "nhs number", known.nhs_number)),
        ]
        frame = frame.with_columns(change(frame[name]).alias(name) for name, change in changes if name)
    if table.feed in shares.WITHOUT_ZEROS and "la_child_id" in frame.columns:
        frame = frame.with_columns(pl.col("la_child_id").str.strip_chars_start("0"))
    return replace(table, frame=frame)


class _Rows:
    """The rows of a table, whom they are of, and what chance has in store for each. Its public methods take a column as
    it should be, and give it as the supplier has it."""

    def __init__(self, table: Table, known: Aliases) -> None:
        self._table, self._known = table, known
        self._people = table.frame[PERSON].to_numpy()
        self._position = self._people - known.first - 1
        ordinal = table.frame.select(pl.int_range(pl.len()).over(PERSON)).to_series().to_numpy()
        self._keys = self._people * _ROWS_EACH + ordinal
        self._is_typed = table.feed not in _CARRIED

    def _of_system(self, what: str) -> Floats:
        """A draw for each row, the same for a person in all rows and deliveries of the feed."""
        return chance(self._known.seed, f"{self._table.feed} {what}", self._people)

    def _of_row(self, what: str) -> Floats:
        """A draw for each row of a person; in the next delivery the same."""
        return chance(self._known.seed, f"{self._table.feed} {self._table.name} {what}", self._keys)

    def surnames(self, told: pl.Series) -> pl.Series:
        """Earlier ones that were kept, and halves of the double-barrelled."""
        told = self._kept(told, self._known.surname, self._of_system("earlier surname") < shares.OLD_SURNAME_KEPT)
        drawn = self._of_system("half surname")
        rows = np.flatnonzero((drawn < shares.HALF_SURNAME) & told.str.contains("-", literal=True).to_numpy())
        told = _changed(told, rows, drawn / shares.HALF_SURNAME, half)
        return self._mistyped(self._unmarked(told), "surname")

    def forenames(self, told: pl.Series) -> pl.Series:
        """Familiar forms of those who go by one."""
        goes_by = chance(self._known.seed, "goes by", self._people)
        share = shares.FAMILIAR_TYPED if self._is_typed else shares.FAMILIAR_CHECKED
        is_used = (goes_by < shares.GOES_BY) & (self._of_system("familiar forename") < share)
        rows = np.flatnonzero(is_used & told.is_in(list(FAMILIAR)).to_numpy())
        told = _changed(told, rows, goes_by / shares.GOES_BY, familiar)
        return self._mistyped(self._unmarked(told), "forename")

    def homes(self, told: pl.Series) -> pl.Series:
        """Homes that were left, and not heard of."""
        return self._kept(told, self._known.postcode, self._of_system("earlier home") < shares.OLD_HOME_KEPT)

    def births(self, told: pl.Series, pattern: str, as_of: date) -> pl.Series:
        """Placeholders, and wrong digits."""
        placeholder = shares.PLACEHOLDER_BIRTH if self._table.feed in _PLACEHOLDERS else 0.0
        digit = shares.WRONG_DIGIT_TYPED if self._is_typed else shares.WRONG_DIGIT
        drawn, which = self._of_row("birth"), self._of_row("digit of birth")
        rows = np.flatnonzero(drawn < placeholder + digit)
        given = [
            date(born.year, 1, 1) if drawn[row] < placeholder else digit_wrong(born, which[row], as_of)
            for row, born in zip(rows, self._known.born.gather(self._position[rows]), strict=True)
        ]
        return told.scatter(rows, pl.Series(given, dtype=pl.Date).dt.strftime(pattern))

    def sexes(self, told: pl.Series) -> pl.Series:
        """The other one."""
        rows = np.flatnonzero(self._of_row("sex") < shares.WRONG_SEX)
        return told.scatter(rows, told.gather(rows).replace(_OTHER_SEX))

    def numbers(self, told: pl.Series, what: str, of_relative: pl.Series) -> pl.Series:
        """A twin's or a sibling's; the next delivery has it right."""
        drawn = chance(self._known.seed, f"{self._table.delivery} {self._table.name} {what}", self._keys)
        share = np.where(self._known.is_twin[self._position], shares.TWIN_NUMBER, shares.SIBLING_NUMBER)
        given = told.is_not_null().to_numpy()
        return self._kept(told, of_relative, given & (drawn < share))

    def _kept(self, told: pl.Series, other: pl.Series, chosen: Bools) -> pl.Series:
        """The other value, where it is chosen and there is one."""
        rows = np.flatnonzero(chosen)
        values = other.gather(self._position[rows])
        return told.scatter(rows, values.zip_with(values.is_not_null(), told.gather(rows)))

    def _unmarked(self, told: pl.Series) -> pl.Series:
        drawn = self._of_system("marks")
        rows = np.flatnonzero((drawn < shares.UNMARKED) & told.str.contains("[^A-Za-z ]").to_numpy())
        return _changed(told, rows, drawn / shares.UNMARKED, unmarked)

    def _mistyped(self, told: pl.Series, what: str) -> pl.Series:
        share = (
            shares.SLIP_TYPED if self._is_typed else shares.SLIP_CHECKED
        ) / 2  # the other half is of the other name
        drawn = self._of_row(what)
        return _changed(told, np.flatnonzero(drawn < share), drawn / share, slipped)


def _changed(told: pl.Series, rows: Ints, draws: Floats, change: Callable[[str, float], str]) -> pl.Series:
    """The column, with these of its values changed, each by its draw."""
    return told.scatter(rows, [change(name, draw) for name, draw in zip(told.gather(rows), draws[rows], strict=True)])


def slipped(name: str, draw: float) -> str:
    """The name with a letter dropped, doubled, swapped with the next, or with a key from beside it; never the first,
    which who types looks at."""
    kind, rest = divmod(draw * 4, 1)
    places = [place for place in range(1, len(name)) if name[place].isalpha()]
    place = places[int(rest * len(places))]
    before, letter, after = name[:place], name[place], name[place + 1 :]
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter + letter + after
    if kind == 2 and after[:1].isalpha() and after[0] != letter:
        return before + after[0] + letter + after[1:]
    return before + _key_beside(letter) + after


def _key_beside(letter: str) -> str:
    """The key beside that of a plain letter; a plain letter for another."""
    plain = _without_accents(letter)
    if plain != letter:
        return plain
    beside = _KEYS[(_KEYS.index(letter.lower()) + 1) % len(_KEYS)]
    return beside.upper() if letter.isupper() else beside


def half(surname: str, draw: float) -> str:
    """One side of a double-barrelled surname."""
    first, _, last = surname.partition("-")
    return first if draw < 0.5 else last


def familiar(forename: str, draw: float) -> str:
    """What the child is called."""
    forms = FAMILIAR[forename]
    return forms[int(draw * len(forms))]


def unmarked(name: str, draw: float) -> str:
    """The name in plain letters: no accent, no apostrophe, and for a hyphen a space or nothing."""
    return _without_accents(name).replace("'", "").replace("-", " " if draw < 0.7 else "")


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def digit_wrong(born: date, draw: float, as_of: date) -> date:
    """Another date, of which one digit is one more or less; in the past."""
    text = born.isoformat()
    found = [
        wrong
        for place in (3, 5, 6, 8, 9)  # of the year the last; of month and day both
        for digit in (int(text[place]) - 1, int(text[place]) + 1)
        if (wrong := _date(f"{text[:place]}{digit}{text[place + 1 :]}")) and wrong < as_of
    ]
    return found[int(draw * len(found))]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
