"""Which cells are shown and which are hidden, and the proof that nobody can work out what is hidden.

The proof is by witnesses: for each cell that must not be known, two whole-number tables that agree with everything
published, in this release and in earlier ones, and in which the cell differs by at least WIDTH. Where there are none,
the cheapest further cells are hidden, found by a linear programme in which a published cell may leave its bin at a
price. A cell that cannot be protected so has all its neighbours hidden; where that does not help, what is about it is
withheld, though an earlier release showed it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from send_returns.failure import Failure
from send_returns.returns.disclosure.cells import Cells, Ints

SMALL = 7  # counts from one to this are not shown
WIDTH = 7  # between the least and the most that a hidden count may be
ROUNDED_TO = 5

Policy = Literal["rounded", "exact_totals"]
PRIMARY = "1 to 7"
ALL_IN_ONE = "one cell holds all"
SECONDARY = "protects another"
KEPT = "hidden in an earlier release"
SMALL_CHANGE = "changed by fewer than 8"
CLOSED = "fails closed"
WITHHELD = "withheld"
SHOWN = ""

_REACH = 60  # how far from the counts a witness is looked for
_BESIDE, _NEAR, _FAR = 30, 250, 3_000  # cells that are let move: at first, and where those are too few
_AT_ONCE = 2_000  # cells in one programme, of parts that no equation joins
_PATIENCE = 4  # tables that show nothing new, before something is hidden
_HARDER, _ALONG = 100.0, 1e-4  # how much harder some cells are pushed than others; how little those beside a cell
_ROUNDING = 1e-6
_BY_CELL = ("sizes", "cost", "is_published", "hidden", "must", "shown", "why")
_NODES = 200  # of the search for whole numbers: a count and not a time, so that the same figures come out the same

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class NotProtected(Failure):
    """No proof was found, even with all withheld that is joined to a count. Nothing may be released."""


@dataclass(frozen=True)
class Earlier:
    """What one earlier release said of today's cells: `shown` by cell, or -1; `is_hidden` by cell.

    `is_withheld`: which of the hidden said nothing, and may be shown again.
    """

    shown: Ints
    is_hidden: Bools
    is_withheld: Bools


@dataclass(frozen=True)
class Protection:
    """By cell: `published`, or -1 where hidden, and `why` (SHOWN, or one of the reasons).

    `protected`: how many cells were proved safe; `programmes`: how many were solved for it.
    """

    published: Ints
    why: list[str]
    protected: int
    programmes: int


def rounded(counts: Ints) -> Ints:
    """Counts to the nearest five, halves up."""
    return (counts + ROUNDED_TO // 2) // ROUNDED_TO * ROUNDED_TO


def protect(cells: Cells, policy: Policy = "rounded", earlier: Sequence[Earlier] = ()) -> Protection:
    """What of the cells may be published, and why the rest may not.

    'rounded': 0 is shown, 1 to 7 hidden, the rest rounded to five. 'exact_totals': what is shown is exact. A group
    that falls into one part alone has that split hidden, zeros too. What an earlier release hid stays hidden; what it
    showed is never taken to protect another, but withheld with all that it is joined to where nothing else helps.

    Raises:
        NotProtected: no proof was found with all of that withheld, which is possible for every table.
    """
    work = _Work(cells, policy, earlier)
    work.hide_small()
    work.hide_all_in_one()
    work.keep_hidden()
    protected = int(work.must.sum())
    work.prove()
    today = slice(len(cells.sizes))
    published = np.where(work.hidden | ~work.is_published, -1, work.shown)[today]
    return Protection(published, list(work.why[today]), protected, work.programmes)


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of a table for the cells `which`.

    `push`: what each one more of a cell costs. `raised`: places in `which` of cells that are `at_least` so many.
    `lifted`: places of cells that are one at least wherever that can be. `may_hide`: a published cell may leave its
    bin at its cost for each one that it is out.
    """

    which: Ints
    push: Floats
    raised: Ints = field(default_factory=_none)
    at_least: Floats = field(default_factory=lambda: np.zeros(0))
    lifted: Ints = field(default_factory=_none)
    may_hide: bool = False


def _in_turn(wanted: Sequence[_Wanted]) -> Iterator[list[_Wanted]]:
    """As many as one programme takes."""
    some: list[_Wanted] = []
    for each in wanted:
        if some and sum(len(one.which) for one in some) + len(each.which) > _AT_ONCE:
            yield some
            some = []
        some.append(each)
    if some:
        yield some


def _joined(wanted: Sequence[_Wanted]) -> _Wanted:
    starts = np.cumsum([0, *(len(each.which) for each in wanted[:-1])])
    return _Wanted(
        np.concatenate([each.which for each in wanted]),
        np.concatenate([each.push for each in wanted]),
        np.concatenate([each.raised + start for each, start in zip(wanted, starts, strict=True)]),
        np.concatenate([each.at_least for each in wanted]),
        np.concatenate([each.lifted + start for each, start in zip(wanted, starts, strict=True)]),
        wanted[0].may_hide,
    )


class _Work:
    """One run of `protect`. Cells of earlier releases that have visibly changed since come after today's cells."""

    def __init__(self, cells: Cells, policy: Policy, earlier: Sequence[Earlier]) -> None:
        self.policy, self.earlier = policy, earlier
        self.cells = cells
        self.sizes = cells.sizes.astype(np.int64)
        self.is_published = cells.frame["is_published"].to_numpy()
        self.cost = cells.frame["cost"].to_numpy()
        self.shown = rounded(self.sizes) if policy == "rounded" else self.sizes.copy()
        self.hidden = np.zeros(len(self.sizes), bool)
        self.why = np.full(len(self.sizes), SHOWN, dtype=object)
        self.must = np.zeros(len(self.sizes), bool)
        self.withheld = np.zeros(len(self.sizes), bool)
        self.programmes, self.looks = 0, 0

    def hide(self, which: Ints | Bools, why: str) -> None:
        fresh = np.zeros(len(self.sizes), bool)
        fresh[which] = True
        fresh &= self.is_published & ~self.hidden
        self.hidden |= fresh
        self.why[fresh] = why

    def hide_small(self) -> None:
        small = (self.sizes >= 1) & (self.sizes <= SMALL)
        self.hide(small, PRIMARY)
        self.must |= small

    def hide_all_in_one(self) -> None:
        for whole, parts in self.cells.splits:
            of = np.array(parts)
            if self.sizes[whole] > 0 and np.count_nonzero(self.sizes[of]) == 1:
                self.hide(of, ALL_IN_ONE)
                # That the others may hold some is what keeps the whole from being known of.
                self.must[of[self.sizes[of] > 0]] = True

    def keep_hidden(self) -> None:
        for release in self.earlier:
            self.hide(release.is_hidden & ~release.is_withheld, KEPT)
            if self.policy == "exact_totals":
                change = np.abs(self.sizes - release.shown)
                self.hide((release.shown >= 0) & (change > 0) & (change <= SMALL), SMALL_CHANGE)

    def _bin(self, shown: Ints) -> tuple[Floats, Floats]:
        """Least and most that a published figure may stand for."""
        if self.policy == "exact_totals":
            return shown.astype(float), shown.astype(float)
        half = ROUNDED_TO // 2
        return np.where(shown == 0, 0, shown - half).astype(float), np.where(shown == 0, 0, shown + half).astype(float)

    def _begin(self) -> None:
        """What is public for good; the earlier releases' own equations; a table that agrees with everything."""
        self.equations = self.cells.equations
        today = len(self.cells.sizes)
        for name in _BY_CELL:
            setattr(self, name, getattr(self, name)[:today])
        self.locked = np.zeros(today, bool)
        self.least, self.most = np.zeros(today), np.full(today, np.inf)
        apart = [self._apart(release) for release in self.earlier]
        for rows, cells, least, most in apart:
            if len(rows):
                self._then(rows, cells, least, most)
        self.base = self.sizes.astype(float)
        self._index()
        self.low, self.high = self.base.copy(), self.base.copy()
        self.floor = np.where(self.sizes > 0, 1.0, 0.0)
        self._find_base(today)
        self.low, self.high = self.base.copy(), self.base.copy()

    def _apart(self, release: Earlier) -> tuple[Ints, Ints, Floats, Floats]:
        """Of an earlier release, the equations that say more than today's; which of their cells are not known to be
        what they are today; and the least and the most of those then. What is the same is public for good."""
        said = (release.shown >= 0) & self.is_published
        least, most = self._bin(release.shown)
        same = said & (least <= self.sizes) & (self.sizes <= most) & ~self.withheld
        self.locked |= same
        self.least[same] = np.maximum(self.least[same], least[same])
        self.most[same] = np.minimum(self.most[same], most[same])
        changed = (said & ~same) | (release.is_hidden & (self.withheld | release.is_withheld))
        known = said | release.is_hidden | ~self.is_published
        unknown = np.flatnonzero(~known)
        rows = np.setdiff1d(
            self.cells.equations[:, np.flatnonzero(changed)].nonzero()[0],
            self.cells.equations[:, unknown].nonzero()[0],
        )
        # What nobody publishes was not seen to stay the same beside a figure that did not.
        cells = np.unique(self.cells.equations[rows].indices)
        cells = cells[(changed | ~self.is_published)[cells]]
        hidden = np.where(release.is_hidden & (self.sizes > 0), 1.0, 0.0)
        return rows, cells, np.where(said, least, hidden)[cells], np.where(said, most, np.inf)[cells]

    def _then(self, rows: Ints, cells: Ints, least: Floats, most: Floats) -> None:
        """Equations of an earlier release, with cells of their own for what may have been something else."""
        count = len(cells)
        move = sparse.csr_matrix(
            (np.ones(count, np.int64), (cells, np.arange(count))), shape=(self.equations.shape[1], count)
        )
        of_then = sparse.csr_matrix(self.cells.equations[rows])
        of_then.resize(len(rows), self.equations.shape[1])
        kept = of_then.tolil()
        kept[:, cells] = 0
        self.equations = sparse.vstack(
            [
                sparse.hstack([self.equations, sparse.csr_matrix((self.equations.shape[0], count), dtype=np.int64)]),
                sparse.hstack([kept.tocsr(), of_then @ move]),
            ]
        ).tocsr()
        then = np.where(np.isinf(most), self.sizes[cells], least + ROUNDED_TO // 2).astype(np.int64)
        grown = {
            "sizes": then, "cost": np.zeros(count), "is_published": np.zeros(count, bool),
            "hidden": np.zeros(count, bool), "must": np.zeros(count, bool), "shown": np.zeros(count, np.int64),
            "locked": np.ones(count, bool), "least": least, "most": most, "why": np.full(count, SHOWN, dtype=object),
        }  # fmt: skip
        for name, values in grown.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))

    def _index(self) -> None:
        self.equations.eliminate_zeros()
        self.columns = self.equations.tocsc()

    def _bounds(self, which: Ints) -> tuple[Floats, Floats]:
        """Least and most of cells as who adds up knows them: a hidden count is at least one."""
        least, most = self._bin(self.shown[which])
        free = self.hidden[which] | ~self.is_published[which]
        floor = np.where(self.hidden[which], self.floor[which], 0.0)
        least, most = np.where(free, floor, least), np.where(free, np.inf, most)
        return np.maximum(least, self.least[which]), np.minimum(most, self.most[which])

    def _components(self) -> list[Ints]:
        """Cells that equations join, however far."""
        count, labels = sparse.csgraph.connected_components(abs(self.equations.T) @ abs(self.equations), directed=False)
        order = np.argsort(labels, kind="stable")
        return np.split(order, np.cumsum(np.bincount(labels, minlength=count))[:-1])

    def _find_base(self, today: int) -> None:
        """A table that agrees with everything, from which witnesses are looked for.

        The counts themselves need not: earlier figures beside today's may agree with others only. And who takes every
        hidden count for at least one is wrong of a hidden nought, but must not get nearer to the rest by it: so
        hidden noughts are taken for one wherever they can be.
        """
        wanted = []
        for which in self._components():
            noughts = np.flatnonzero(self.hidden[which] & (self.sizes[which] == 0))
            then = which[which >= today]
            if self.must[which].any() and (len(noughts) or len(then)):
                wanted.append(_Wanted(which, np.zeros(len(which)), lifted=noughts))
        for each, found in zip(wanted, self._tables(wanted), strict=True):
            which, noughts, table = each.which, each.lifted, found
            if table is None and (which >= today).any():
                # No table agrees with both releases: they tell only that something else has changed.
                self._forget(which)
                which = which[which < today]
                table = self._table(_Wanted(which, np.zeros(len(which)), lifted=noughts))
            if table is not None:
                self.base[which] = table
                self.floor[which[noughts]] = np.minimum(table[noughts], 1)

    def _tables(self, wanted: Sequence[_Wanted]) -> list[Floats | None]:
        """A table for each, of cells that no equation joins to another's: many in one programme."""
        tables: list[Floats | None] = []
        for some in _in_turn(wanted):
            joined = _joined(some)
            found = self._solved(joined) if len(some) > 1 else None
            if found is None:
                tables += [self._table(each) for each in some]
                continue
            ends = np.cumsum([len(each.which) for each in some])[:-1]
            parts = zip(some, np.split(found, ends), np.split(self._is_wrong(joined, found), ends), strict=True)
            tables += [self._table(each) if is_wrong.any() else part for each, part, is_wrong in parts]
        return tables

    def _table(self, wanted: _Wanted) -> Floats | None:
        """Whole numbers for some cells that cost least, all others as in the base; None if there are none.

        The corners that a linear programme ends at nearly always are whole numbers: it is tried first, and where some
        are not, only those about them are looked for again, before all are.
        """
        found = self._solved(wanted)
        if found is None or not self._is_wrong(wanted, found).any():
            return found
        for free in (self._about(wanted.which, found != np.round(found)), None):
            whole = self._solved(wanted, in_whole_numbers=True, but_for=None if free is None else (free, found))
            if whole is not None and not self._is_wrong(wanted, whole).any():
                return whole
        return None

    def _about(self, which: Ints, cells: Bools) -> Bools:
        """Which of some cells are among `cells` or in an equation with one of them."""
        return np.isin(which, self.equations[self._rows(which[cells])].indices)

    def _is_wrong(self, wanted: _Wanted, table: Floats) -> Bools:
        """Which cells of a table are not whole, not within what is published, or in an equation that does not hold.

        What proves is added up here, whoever found it.
        """
        which = wanted.which
        least, most = self._bounds(which)
        if wanted.may_hide:
            can = self._can_hide(which)
            least[can], most[can] = np.minimum(least[can], 1), np.inf
        matrix = self.equations[self._rows(which)][:, which]
        is_off = matrix @ table != matrix @ self.base[which]
        wrong: Bools = (table != np.round(table)) | (table < least) | (table > most)
        wrong[np.unique(matrix[is_off].indices)] = True
        return wrong

    def _can_hide(self, which: Ints) -> Ints:
        """Places in `which` of cells that may be taken to protect another."""
        return np.flatnonzero(
            self.is_published[which] & ~self.hidden[which] & ~self.locked[which] & (self.sizes[which] > 0)
        )

    def _rows(self, which: Ints) -> Ints:
        """The equations that some cells are in."""
        return np.unique(self.columns[:, which].indices)

    def _solved(
        self, wanted: _Wanted, *, in_whole_numbers: bool = False, but_for: tuple[Bools, Floats] | None = None
    ) -> Floats | None:
        """Numbers for some cells that cost least, all others as in the base; those that are whole but for a
        rounding error are made so. `but_for`: which of the cells may be others than in a table, and that table."""
        self.programmes += 1
        which, objective = wanted.which, wanted.push
        rows = self._rows(which)
        matrix = self.equations[rows][:, which]
        outside = matrix @ self.base[which]
        least, most = self._bounds(which)
        # What is hidden may be anything; a table near the counts is as good a proof as one far off.
        least, most = np.maximum(least, self.base[which] - _REACH), np.minimum(most, self.base[which] + _REACH)
        pushed = objective != 0
        most[pushed] = np.minimum(most[pushed], np.maximum(self.low[which[pushed]] + WIDTH, self.base[which[pushed]]))
        count = len(which)
        constraints, integrality = [], np.ones(count)
        if wanted.may_hide:
            can = self._can_hide(which)
            extra = len(can)
            into = sparse.csr_matrix((np.ones(extra), (np.arange(extra), can)), shape=(extra, count))
            out = sparse.identity(extra, format="csr")
            constraints.append(LinearConstraint(sparse.hstack([into, -out, out]).tocsr(), least[can], most[can]))
            least[can], most[can] = np.maximum(1, self.base[which[can]] - _REACH), self.base[which[can]] + _REACH
            matrix = sparse.hstack([matrix, sparse.csr_matrix((matrix.shape[0], 2 * extra))]).tocsr()
            price = self.cost[which[can]]
            objective = np.concatenate([objective, price, price])
            least = np.concatenate([least, np.zeros(2 * extra)])
            most = np.concatenate([most, np.full(2 * extra, np.inf)])
            integrality = np.concatenate([integrality, np.zeros(2 * extra)])
        if len(wanted.lifted):
            extra = len(wanted.lifted)
            into = sparse.csr_matrix((np.ones(extra), (np.arange(extra), wanted.lifted)), shape=(extra, count))
            constraints.append(LinearConstraint(sparse.hstack([into, sparse.identity(extra)]).tocsr(), 1, np.inf))
            matrix = sparse.hstack([matrix, sparse.csr_matrix((matrix.shape[0], extra))]).tocsr()
            objective = np.concatenate([objective, np.ones(extra)])
            least, most = np.concatenate([least, np.zeros(extra)]), np.concatenate([most, np.ones(extra)])
            integrality = np.concatenate([integrality, np.zeros(extra)])
        least[wanted.raised] = wanted.at_least
        if but_for is not None:
            kept = np.flatnonzero(~but_for[0])
            least[kept] = most[kept] = but_for[1][kept]
        if (least > most).any():
            return None
        constraints.append(LinearConstraint(matrix, outside, outside))
        result = milp(
            objective,
            integrality=integrality if in_whole_numbers else None,
            bounds=Bounds(least, most),
            constraints=constraints,
            options={"node_limit": _NODES, "mip_rel_gap": 0.05} if in_whole_numbers else None,
        )
        if result.x is None:
            return None
        found: Floats = result.x[:count]
        near = np.round(found)
        return np.where(np.abs(found - near) < _ROUNDING, near, found)

    def _around(self, cell: int, limit: int) -> Ints:
        """The cells that equations join to one, the nearest first, as many whole rings as the limit allows."""
        found, ring = np.array([cell]), np.array([cell])
        while True:
            rows = np.unique(self.columns[:, ring].nonzero()[0])
            ring = np.setdiff1d(np.unique(self.equations[rows].indices), found)
            if not len(ring) or (len(found) > 1 and len(found) + len(ring) > limit):
                return np.sort(found).astype(np.int64)
            found = np.concatenate([found, ring])

    def _seen(self, which: Ints, table: Floats) -> None:
        """Another table that agrees with everything: how far each cell was seen to go."""
        self.low[which] = np.minimum(self.low[which], table)
        self.high[which] = np.maximum(self.high[which], table)

    def _open(self, which: Ints | None = None) -> Bools:
        """Which cells that must not be known are not proved yet."""
        among = slice(None) if which is None else which
        unproved: Bools = self.must[among] & (self.high[among] - self.low[among] < WIDTH)
        return unproved

    def prove(self) -> None:
        """Look for witnesses, hide what stands in their way, and withhold where nothing is found."""
        self._begin()
        while failed := self._without_witness():
            for cell, part in failed:
                self._withhold(cell, part)
            self._begin()

    def _without_witness(self) -> list[tuple[int, Ints]]:
        """Prove all that can be; of each part that cannot, the part and a cell for which nothing helps."""
        parts = [which for which in self._components() if self.must[which].any()]
        failed = []
        self._look_wide(parts, _PATIENCE)
        left = parts
        while left := [which for which in left if self._open(which).any()]:
            first = [int(which[self._open(which)][0]) for which in left]
            before = [self.hidden[which].sum() for which in left]
            small = [self._raised(cell, which) for cell, which in zip(first, left, strict=True) if len(which) <= _NEAR]
            for wanted, table in zip(small, self._tables(small), strict=True):
                self._take(wanted, table)
            for cell, which in zip(first, left, strict=True):
                if self._open(which[which == cell]).any() and not self._is_helped(cell, which):
                    failed.append((cell, which))
            helped = [which for which, then in zip(left, before, strict=True) if self.hidden[which].sum() > then]
            # What is hidden for one cell lets others move.
            left = [which for which in left if all(which is not part for _, part in failed)]
            self._look_wide([which for which in helped if all(which is not part for _, part in failed)], 1)
        for which in parts:
            if all(which is not part for _, part in failed):
                self.must[which] = False  # proved, and nothing else that is withheld can change it
        return failed

    def _is_helped(self, cell: int, part: Ints) -> bool:
        return self._witness(cell, part) or any(self._witness(cell, part) for _ in self._last_resorts(cell))

    def _withhold(self, cell: int, part: Ints) -> None:
        """Let today's release say nothing of some cells, those included that an earlier one showed: what it showed of
        them is known still, but no longer that they are the same.

        First of those nearest to the cell, then of more, at last of all that is joined to it: today's release says
        nothing of those then that the earlier ones did not say, and ten times all counts agree with it as well.
        """
        for limit in (_BESIDE, _NEAR, len(part)):
            which = self._today(self._around(cell, limit))
            if not self.withheld[which].all():
                break
        else:
            raise NotProtected(
                "disclosure control: no proof was found that a small count cannot be worked out, even with its whole"
                " table withheld. Nothing was released"
            )
        self.hidden[which[np.isin(self.why[which], (SECONDARY, CLOSED))]] = False
        self.hide(which, WITHHELD)
        self.withheld[which] = True

    def _today(self, which: Ints) -> Ints:
        return which[which < len(self.cells.sizes)]

    def _last_resorts(self, cell: int) -> Iterator[None]:
        """What is done, one after another, for a cell that hiding what is cheapest does not protect."""
        around = self._around(cell, _FAR)
        noughts = around[self.sizes[around] == 0]
        if not self.low[cell] <= self.sizes[cell] <= self.high[cell]:
            # Taking hidden noughts for one leads astray here: what it tells of the cell is wrong, so no harm is done.
            self.floor[noughts] = 0
            yield
        beside = self.equations[self.columns[:, [cell]].nonzero()[0]].indices
        self.hide(np.setdiff1d(beside, np.flatnonzero(self.locked)), CLOSED)
        yield
        self.floor[noughts] = 0
        yield

    def _forget(self, which: Ints) -> None:
        """Take what an earlier release showed of some cells for something else: they may have changed unseen."""
        self.least[which], self.most[which] = 0.0, np.inf
        then = which[self.cost[which] == 0]
        keep = np.ones(self.equations.shape[0], bool)
        keep[np.unique(self.columns[:, then].nonzero()[0])] = False
        self.equations = self.equations[keep]
        self._index()

    def _look_wide(self, parts: Sequence[Ints], patience: int) -> None:
        """Whole tables at once: most cells need no programme of their own. A part in which so many of them have shown
        nothing new is left."""
        idle = [0] * len(parts)
        while live := [n for n, which in enumerate(parts) if idle[n] < patience and self._open(which).any()]:
            wanted = [_Wanted(parts[n], self._pushes(parts[n])) for n in live]
            for n, each, table in zip(live, wanted, self._tables(wanted), strict=True):
                before = self._open(each.which).sum()
                if table is not None:
                    self._seen(each.which, table)
                idle[n] = 0 if self._open(each.which).sum() < before else idle[n] + 1
            self.looks += 1

    def _pushes(self, which: Ints) -> Floats:
        """Where to push what is not proved yet: all up, all down, then each its own way and some harder than others,
        by a draw that is the same in every run."""
        push = np.zeros(len(which))
        wanted = np.flatnonzero(self._open(which))
        draw = np.random.default_rng(self.looks).random((2, len(wanted)))
        if self.looks < 2:
            push[wanted] = 1 if self.looks else -1
        else:
            push[wanted] = np.where(draw[0] < 0.5, -1, 1) * _HARDER ** draw[1]
        return push

    def _witness(self, cell: int, part: Ints) -> bool:
        """Prove one cell of a part, hiding others where that is needed; False where it cannot be done."""
        for limit in (_NEAR, _FAR):
            which = part if len(part) <= limit else self._around(cell, limit)
            wanted = self._raised(cell, which)
            if self._take(wanted, self._table(wanted)):
                return True
            if len(which) == len(part):
                break
        return False

    def _raised(self, cell: int, which: Ints) -> _Wanted:
        """One cell is as much more as is wanted; others are taken along as far as that is for nothing."""
        at = np.flatnonzero(which == cell)
        push = np.where(self._open(which), -_ALONG, 0.0)
        push[at] = 0
        return _Wanted(which, push, at, self.low[[cell]] + WIDTH, may_hide=True)

    def _take(self, wanted: _Wanted, table: Floats | None) -> bool:
        """Hide what a table takes out of its bin."""
        if table is None:
            return False
        least, most = self._bounds(wanted.which)
        self.hide(wanted.which[(table < least) | (table > most)], SECONDARY)
        self._seen(wanted.which, table)
        return True
