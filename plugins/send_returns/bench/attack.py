"""What somebody can work out who has every table, knows how they add up, and knows how disclosure control works.

Written apart from what protects: it sees published frames alone. Of the exact figures it is told only what definitions
tell anybody: which sums hold, and which measures count the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csgraph

FEWEST = 7  # between the least and the most that a small count may turn out to be
ENDLESS = 1e7
PUSHES = 8
FEWEST_ALIKE = 5

Floats = NDArray[np.float64]

# measure and part; first and last day; geography; parts of the breakdown
Name = tuple[str, date, date, str, frozenset[tuple[str, str]]]
Sum = tuple[tuple[tuple[Name, int], ...], ...]


@dataclass(frozen=True)
class Learnt:
    """Of so many small counts `attacked`: how many are known, and how many nearly so."""

    attacked: int
    recovered: int
    narrow: int


def name(row: Mapping[str, object], part: str, same: Mapping[str, str]) -> Name:
    """What a figure is of, whatever table it is in."""
    of = f"{row['measure']}.{part}"
    values = zip(str(row["breakdown"]).split(" | "), str(row["breakdown_value"]).split(" | "), strict=True)
    place = frozenset((dimension, value) for dimension, value in values if value != "total")
    geography = "all" if row["geography_type"] == "partnership" else str(row["geography_code"])
    return (same.get(of, of), row["period_from_on"], row["period_to_on"], geography, place)  # type: ignore[return-value]


def counts(frame: pl.DataFrame, same: Mapping[str, str]) -> dict[Name, tuple[float | None, str]]:
    """Numerators and denominators with their status; of a figure in two tables, the one that is shown."""
    found: dict[Name, tuple[float | None, str]] = {}
    for row in frame.iter_rows(named=True):
        if row["statistic"] == "ratio" or (row.get("counts") or "people") != "people":
            continue
        for part in ("numerator", "denominator"):
            told = row[part] is not None or row["status"] == "c"
            if told and not (part == "numerator" and row["statistic"] in ("mean", "median", "p90")) and not (
                part == "denominator" and row["statistic"] == "count"
            ):  # fmt: skip
                key = name(row, part, same)
                if found.get(key, (None, ""))[0] is None:
                    found[key] = (row[part], row["status"])
    return found


def alike(exact: pl.DataFrame) -> dict[str, str]:
    """Measures that definitions say count the same: those with the same counts of the same groups, and not a few."""
    found: dict[str, dict[tuple[object, ...], float]] = defaultdict(dict)
    for (of, *group), (value, _) in counts(exact, {}).items():
        if value is not None:
            found[of][tuple(group)] = value
    first: dict[tuple[str, frozenset[tuple[tuple[object, ...], float]]], str] = {}
    same = {}
    for of in sorted(found):
        if len(found[of]) >= FEWEST_ALIKE and any(found[of].values()):
            # That a share is 100% everywhere is in no definition.
            part = of.rpartition(".")[2]
            same[of] = first.setdefault((part, frozenset(found[of].items())), of)
    return same


def primary_only(exact: pl.DataFrame, *, rounded: bool) -> pl.DataFrame:
    """What is let out where nothing but 1 to 7 is hidden."""
    parts = ("numerator", "denominator")
    is_hidden = pl.any_horizontal(pl.col(part).is_between(1, 7) for part in parts)
    return exact.with_columns(pl.when(is_hidden).then(pl.lit("c")).otherwise(pl.lit("")).alias("status")).with_columns(
        pl.when(~pl.col(part).is_between(1, 7))
        .then(((pl.col(part) + 2) // 5 * 5) if rounded else pl.col(part))
        .alias(part)
        for part in parts
    )


def sums(truth: Mapping[Name, float]) -> list[dict[Name, int]]:
    """Totals with their parts, by district, by breakdown and by period: those that hold."""
    groups: dict[tuple[Name, str], list[Name]] = defaultdict(list)
    for one in truth:
        of, start, end, geography, place = one
        if geography != "all":
            groups[(of, start, end, "all", place), "geography"].append(one)
        for pair in place:
            groups[(of, start, end, geography, place - {pair}), pair[0]].append(one)
        for whole in _longer(start, end):
            groups[(of, *whole, geography, place), f"{(end - start).days // 80}"].append(one)
    return [
        {whole: -1, **dict.fromkeys(parts, 1)}
        for (whole, _), parts in groups.items()
        if whole in truth and truth[whole] == sum(truth[part] for part in parts)
    ]


def _longer(start: date, end: date) -> Iterable[tuple[date, date]]:
    days = (end - start).days + 1
    if start.day == 1 and 28 <= days <= 92:
        year = (date(start.year, 1, 1), date(start.year, 12, 31))
        first = start.replace(month=3 * ((start.month - 1) // 3) + 1)
        last = {1: (3, 31), 4: (6, 30), 7: (9, 30), 10: (12, 31)}[first.month]
        yield year
        if days <= 31:
            yield first, date(start.year, *last)


class Attack:
    """Releases stacked as one system. `truth`: exact frames, one for each, by which success is judged.

    A hidden count is at least one. Who takes hidden noughts for one too is naive; others are told which those are.
    What is not seen to have changed is taken for the same. Where that cannot be of all, who guesses takes as little as
    can be for changed; others look at each release by itself.
    """

    def __init__(
        self, published: Sequence[pl.DataFrame], truth: Sequence[pl.DataFrame], same: Mapping[str, str] | None = None,
        *, is_exact: bool = False, is_naive: bool = False, guesses: bool = False,
    ) -> None:  # fmt: skip
        self.numbers: dict[tuple[Name, int], int] = {}
        self.least: list[float] = []
        self.most: list[float] = []
        self.targets: dict[int, float] = {}
        self.rows: list[dict[int, int]] = []
        same = same or {}
        self.links: list[dict[int, int]] = []
        before: dict[Name, tuple[float | None, int]] = {}
        for number, (frame, exact) in enumerate(zip(published, truth, strict=True)):
            said, known = counts(frame, same), counts(exact, same)
            # What is published of a group that the exact figures do not have is that nobody is in it.
            real = {key: value for key in said if (value := known.get(key, (0.0, ""))[0]) is not None}
            where: dict[Name, int] = {}
            for key, (value, _) in said.items():
                where[key] = self._variable((key, number))
                self._bound(where[key], value, is_exact, 0 if real.get(key) == 0 and not is_naive else 1)
                if key in real and 1 <= real[key] <= 7:
                    self.targets[where[key]] = real[key]
                # What has not visibly changed is taken for the same.
                earlier, at = before.get(key, (None, -1))
                if (
                    at >= 0
                    and (value is None or earlier is None or value == earlier)
                    and not (value is None and earlier == 0)
                ):
                    self.links.append({where[key]: 1, at: -1})
                before[key] = (value, where[key])
            for equation in sums(real):
                self.rows.append({where[key]: weight for key, weight in equation.items()})
            self._rests(frame, where, real, same)
        self.apart = self._matrix(self.rows)
        self.matrix = self._matrix([*self.rows, *(self._guessed() if guesses else self.links)])

    def _guessed(self) -> list[dict[int, int]]:
        """The links that are left where those are broken that tables agree without, as little as can be."""
        count, extra = len(self.least), len(self.links)
        rows, links, one = self._matrix(self.rows), self._matrix(self.links), sparse.identity(extra)
        whole = sparse.bmat([[rows, None, None], [links, one, -one]], format="csr")
        result = milp(
            np.concatenate([np.zeros(count), np.ones(2 * extra)]),
            bounds=Bounds([*self.least, *np.zeros(2 * extra)], [*self.most, *np.full(2 * extra, ENDLESS)]),
            constraints=LinearConstraint(whole, 0, 0),
        )
        if result.status != 0:
            return self.links
        broken = result.x[count:].reshape(2, extra).sum(axis=0) > 1e-6
        return [link for link, is_broken in zip(self.links, broken, strict=True) if not is_broken]

    def _variable(self, key: tuple[Name, int]) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.least)
            self.least.append(0)
            self.most.append(ENDLESS)
        return self.numbers[key]

    def _bound(self, variable: int, value: float | None, is_exact: bool, floor: float) -> None:
        if value is None:
            least, most = floor, ENDLESS
        elif value == 0 or is_exact:
            least, most = value, value
        else:
            least, most = value - 2, value + 2
        self.least[variable] = max(self.least[variable], least)
        self.most[variable] = min(self.most[variable], most)

    def _rests(
        self, frame: pl.DataFrame, where: Mapping[Name, int], real: Mapping[Name, float], same: Mapping[str, str]
    ) -> None:
        for row in frame.filter(pl.col("statistic") == "share").iter_rows(named=True):
            above, below = name(row, "numerator", same), name(row, "denominator", same)
            if above in real and below in real and real[above] <= real[below]:
                rest = self._variable((("rest", *above[1:]), where[above]))
                self.rows.append({where[below]: -1, where[above]: 1, rest: 1})
                if 1 <= real[below] - real[above] <= 7:
                    self.targets[rest] = real[below] - real[above]

    def _matrix(self, equations: list[dict[int, int]]) -> sparse.csr_matrix:
        terms = [(row, column, weight) for row, of in enumerate(equations) for column, weight in of.items()]
        rows, columns, weights = zip(*terms, strict=True)
        return sparse.csr_matrix((weights, (rows, columns)), shape=(len(equations), len(self.least)))

    def run(self, *, most_targets: int | None = None, in_whole_numbers: bool = False) -> Learnt:
        """Least and most of each small count. With `most_targets`, of those that simple sums narrow most."""
        least, most = np.array(self.least), np.array(self.most)
        tight = self._tightened(least, most)
        left = sorted(self.targets, key=lambda one: (tight[1][one] - tight[0][one], one))[:most_targets]
        attacked = len(left)
        ends: dict[int, tuple[float, float]] = {}
        # Where no table agrees with both releases, something else has changed: then each by itself.
        for matrix in (self.matrix, self.apart):
            labels = _components(matrix)
            for label in dict.fromkeys(labels[left]):
                which = np.flatnonzero(labels == label)
                rows = np.unique(matrix[:, which].nonzero()[0])
                among = [target for target in left if labels[target] == label]
                system = _System(matrix[rows][:, which], least[which], most[which], in_whole_numbers)
                ends |= zip(among, system.ends(np.searchsorted(which, among).tolist()), strict=False)
            left = [target for target in left if target not in ends]
        recovered = sum(low == high == self.targets[target] for target, (low, high) in ends.items())
        # An interval that the count is not in is a mistake, which hidden noughts taken for one lead to.
        narrow = sum(
            high - low < FEWEST and low <= self.targets[target] <= high for target, (low, high) in ends.items()
        )
        return Learnt(attacked, int(recovered), int(narrow))

    def _tightened(self, least: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What sums alone tell, equation by equation, a few times over."""
        least, most = least.copy(), most.copy()
        coefficients = self.matrix.tocoo()
        row, column, weight = coefficients.row, coefficients.col, coefficients.data
        for _ in range(4):
            low = np.where(weight > 0, least[column], -most[column])
            high = np.where(weight > 0, most[column], -least[column])
            sum_low = np.bincount(row, low, self.matrix.shape[0])
            sum_high = np.bincount(row, high, self.matrix.shape[0])
            to_high, to_low = -(sum_low[row] - low), -(sum_high[row] - high)
            np.minimum.at(most, column, np.where(weight > 0, to_high, -to_low))
            np.maximum.at(least, column, np.where(weight > 0, to_low, -to_high))
        return least, most


class _System:
    """Unknowns that equations join. Where no table agrees, a hidden count may be nought: then with that."""

    def __init__(self, matrix: sparse.csr_matrix, least: Floats, most: Floats, in_whole_numbers: bool) -> None:
        self.matrix, self.most, self.in_whole_numbers = matrix, most, in_whole_numbers
        self.first: Floats | None = None
        for self.least in (least, np.where(most == ENDLESS, 0, least)):
            self.first = self._table(np.zeros(len(least)), self.least, most)
            if self.first is not None:
                self.low, self.high = self.first.copy(), self.first.copy()
                break

    def _table(self, objective: Floats, least: Floats, most: Floats) -> Floats | None:
        result = milp(
            objective,
            integrality=np.ones(len(least)) if self.in_whole_numbers else None,
            bounds=Bounds(least, most),
            constraints=LinearConstraint(self.matrix, 0, 0),
        )
        return result.x if result.status == 0 else None

    def _see(self, table: Floats | None) -> None:
        if table is not None:
            self.low, self.high = np.minimum(self.low, table), np.maximum(self.high, table)

    def ends(self, targets: Sequence[int]) -> list[tuple[float, float]]:
        """Least and most of some unknowns, in whole numbers; nothing where nothing is possible.

        Of those that lie far apart in tables that agree, what those say: they go at least so far.
        """
        if self.first is None:
            return []
        # At first all are pushed at once, and not far, so that no table has numbers that are too large to be exact.
        near = np.minimum(self.most, self.first + 100)
        for number in range(PUSHES):
            narrow = [target for target in targets if self._is_narrow(target)]
            push = np.zeros(len(near))
            push[narrow] = np.random.default_rng(number).choice([-1, 1], len(narrow))
            self._see(self._table(push, self.least, near) if narrow else None)
        for target in targets:
            for sign in (1.0, -1.0):
                if self._is_narrow(target):
                    one = np.zeros(len(near))
                    one[target] = sign
                    self._see(self._table(one, self.least, self.most))
        return [self._ends(target) for target in targets]

    def _ends(self, target: int) -> tuple[float, float]:
        return float(np.ceil(self.low[target] - 1e-6)), float(np.floor(self.high[target] + 1e-6))

    def _is_narrow(self, target: int) -> bool:
        low, high = self._ends(target)
        return high - low < FEWEST


def _components(matrix: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(csgraph.connected_components(abs(matrix.T) @ abs(matrix), directed=False)[1])
