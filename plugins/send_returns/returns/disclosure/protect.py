"""Which cells are shown and which are hidden, and the proof that nobody can work out what is hidden.

The proof is by witnesses: for each cell that must not be known, two whole-number tables that agree with everything
published, in this release and in earlier ones, and in which the cell differs by at least WIDTH. Where there are none,
the cheapest further cells are hidden, found by a linear programme in which a published cell may leave its bin at a
price. A cell that cannot be protected so has all its neighbours hidden; where that does not help, nothing is released.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
SHOWN = ""

_REACH = 60  # how far from the counts a witness is looked for
_NEAR, _FAR = 250, 3_000  # cells that are let move: at first, and where those are too few
_IDLE = 4
_NODES = 200  # of the search for whole numbers: a count and not a time, so that the same figures come out the same

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class NotProtected(Failure):
    """A hidden count could be worked out, whatever more is hidden. Nothing may be released."""


@dataclass(frozen=True)
class Earlier:
    """What one earlier release said of today's cells: `shown` by cell, or -1; `is_hidden` by cell."""

    shown: Ints
    is_hidden: Bools


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
    showed is never taken to protect another.

    Raises:
        NotProtected: a cell stays within reach of who adds up, even with all its neighbours hidden.
    """
    work = _Work(cells, policy, earlier)
    work.hide_small()
    work.hide_all_in_one()
    work.keep_hidden()
    work.begin()
    work.prove()
    today = len(cells.sizes)
    published = np.where(work.hidden | ~work.is_published, -1, work.shown)[:today]
    return Protection(published, list(work.why[:today]), int(work.must.sum()), work.programmes)


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
        self.equations = cells.equations
        self.programmes = 0

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
            self.hide(release.is_hidden, KEPT)
            if self.policy == "exact_totals":
                change = np.abs(self.sizes - release.shown)
                self.hide((release.shown >= 0) & (change > 0) & (change <= SMALL), SMALL_CHANGE)

    def _bin(self, shown: Ints) -> tuple[Floats, Floats]:
        """Least and most that a published figure may stand for."""
        if self.policy == "exact_totals":
            return shown.astype(float), shown.astype(float)
        half = ROUNDED_TO // 2
        return np.where(shown == 0, 0, shown - half).astype(float), np.where(shown == 0, 0, shown + half).astype(float)

    def begin(self) -> None:
        """What is public for good; the earlier releases' own equations; a table that agrees with everything."""
        self.locked = np.zeros(len(self.sizes), bool)
        self.least, self.most = np.zeros(len(self.sizes)), np.full(len(self.sizes), np.inf)
        blocks: list[
            tuple[Ints, Ints, Ints]
        ] = []  # equations, the cells that had changed, the cells that stand for them
        for release in self.earlier:
            said = (release.shown >= 0) & self.is_published
            least, most = self._bin(release.shown)
            same = said & (least <= self.sizes) & (self.sizes <= most)
            self.locked |= same
            self.least[same] = np.maximum(self.least[same], least[same])
            self.most[same] = np.minimum(self.most[same], most[same])
            changed = np.flatnonzero(said & ~same)
            known = said | release.is_hidden | ~self.is_published
            rows = np.unique(self.equations[:, changed].nonzero()[0])
            rows = np.array([row for row in rows if known[self.equations[row].indices].all()], np.int64)
            if len(rows):
                blocks.append((rows, changed, np.stack([least[changed], most[changed]]).astype(np.int64)))
        self.base = self.sizes.astype(float)
        today = len(self.sizes)
        for rows, changed, (least_then, most_then) in blocks:
            self._then(rows, changed, least_then, most_then)
        self._index()
        self.low, self.high = self.base.copy(), self.base.copy()
        self.floor = np.where(self.sizes > 0, 1.0, 0.0)
        self._find_base(today)
        self.low, self.high = self.base.copy(), self.base.copy()

    def _then(self, rows: Ints, changed: Ints, least: Ints, most: Ints) -> None:
        """Equations of an earlier release, with cells of their own for what has visibly changed since."""
        count = len(changed)
        move = sparse.csr_matrix(
            (np.ones(count, np.int64), (changed, np.arange(count))), shape=(self.equations.shape[1], count)
        )
        kept = self.equations[rows].tolil()
        kept[:, changed] = 0
        self.equations = sparse.vstack(
            [
                sparse.hstack([self.equations, sparse.csr_matrix((self.equations.shape[0], count), dtype=np.int64)]),
                sparse.hstack([kept.tocsr(), self.equations[rows] @ move]),
            ]
        ).tocsr()
        grown = {
            "sizes": (least + most) // 2, "cost": np.zeros(count), "is_published": np.zeros(count, bool),
            "hidden": np.zeros(count, bool), "must": np.zeros(count, bool), "shown": np.zeros(count, np.int64),
            "locked": np.ones(count, bool), "least": least.astype(float), "most": most.astype(float),
            "base": ((least + most) // 2).astype(float), "why": np.full(count, SHOWN, dtype=object),
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
        for which in self._components():
            noughts = np.flatnonzero(self.hidden[which] & (self.sizes[which] == 0))
            then = which[which >= today]
            if len(noughts) == len(then) == 0:
                continue
            found = self._solve(which, np.zeros(len(which)), lifted=noughts)
            if found is None and len(then):
                # No table agrees with both releases: they tell only that something else has changed.
                self._forget(which)
                found = self._solve(which[which < today], np.zeros(int((which < today).sum())), lifted=noughts)
                which = which[which < today]
            if found is not None:
                self.base[which] = found
                self.floor[which[noughts]] = np.minimum(found[noughts], 1)

    def _solve(
        self,
        which: Ints,
        objective: Floats,
        at_least: tuple[int, float] | None = None,
        *,
        may_hide: bool = False,
        reach: int = _REACH,
        lifted: Ints | None = None,
    ) -> Floats | None:
        """Whole numbers for the cells `which` that cost least, all others as in the base; None if there are none.

        With `may_hide`, a published cell may leave its bin at its cost for each one that it is out. `lifted`: places
        in `which` of cells that are one at least wherever that can be.
        """
        self.programmes += 1
        rows = np.unique(self.columns[:, which].nonzero()[0])
        matrix = self.equations[rows][:, which]
        outside = matrix @ self.base[which]
        least, most = self._bounds(which)
        # What is hidden may be anything; a table near the counts is as good a proof as one far off.
        least, most = np.maximum(least, self.base[which] - _REACH), np.minimum(most, self.base[which] + _REACH)
        pushed = objective != 0
        most[pushed] = np.minimum(most[pushed], np.maximum(self.low[which[pushed]] + reach, self.base[which[pushed]]))
        count = len(which)
        constraints, integrality = [], np.ones(count)
        if may_hide:
            can = np.flatnonzero(
                self.is_published[which] & ~self.hidden[which] & ~self.locked[which] & (self.sizes[which] > 0)
            )
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
        if lifted is not None and len(lifted):
            extra = len(lifted)
            into = sparse.csr_matrix((np.ones(extra), (np.arange(extra), lifted)), shape=(extra, count))
            constraints.append(LinearConstraint(sparse.hstack([into, sparse.identity(extra)]).tocsr(), 1, np.inf))
            matrix = sparse.hstack([matrix, sparse.csr_matrix((matrix.shape[0], extra))]).tocsr()
            objective = np.concatenate([objective, np.ones(extra)])
            least, most = np.concatenate([least, np.zeros(extra)]), np.concatenate([most, np.ones(extra)])
            integrality = np.concatenate([integrality, np.zeros(extra)])
        if at_least is not None:
            least[at_least[0]] = at_least[1]
            if least[at_least[0]] > most[at_least[0]]:
                return None
        if (least > most).any():
            return None
        constraints.append(LinearConstraint(matrix, outside, outside))
        result = milp(
            objective,
            integrality=integrality,
            bounds=Bounds(least, most),
            constraints=constraints,
            options={"node_limit": _NODES, "mip_rel_gap": 0.05},
        )
        return None if result.x is None else np.round(result.x[:count])

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
        """Look for witnesses, hide what stands in their way, and close what cannot be proved."""
        self._look_wide()
        left = [
            cell for cell in map(int, np.flatnonzero(self._open())) if self._open()[cell] and not self._witness(cell)
        ]
        for cell in left:
            if self._open()[cell] and not any(self._witness(cell) for _ in self._last_resorts(cell)):
                raise NotProtected(
                    "disclosure control: a small count could be worked out from earlier releases, whatever more is"
                    " hidden. Nothing was released: withdraw the table from this release"
                )

    def _last_resorts(self, cell: int) -> Iterator[None]:
        """What is done, one after another, for a cell that hiding what is cheapest does not protect."""
        around = self._around(cell, _FAR)
        noughts = around[self.sizes[around] == 0]
        if not self.low[cell] <= self.sizes[cell] <= self.high[cell]:
            # Taking hidden noughts for one leads astray here: what it tells of the cell is wrong, so no harm is done.
            self.floor[noughts] = 0
            yield
        beside = self.equations[self.columns[:, [cell]].nonzero()[0]].indices
        for which in (beside, around):
            self.hide(np.setdiff1d(which, np.flatnonzero(self.locked)), CLOSED)
            yield
        self.floor[noughts] = 0
        yield

    def _forget(self, which: Ints) -> None:
        """Take what an earlier release showed of some cells for something else: they may have changed unseen."""
        self.locked[which], self.least[which], self.most[which] = False, 0.0, np.inf
        then = which[self.cost[which] == 0]
        keep = np.ones(self.equations.shape[0], bool)
        keep[np.unique(self.columns[:, then].nonzero()[0])] = False
        self.equations = self.equations[keep]
        self._index()

    def _look_wide(self) -> None:
        """Whole tables at once, up and down: most cells need no programme of their own."""
        for which in self._components():
            number, idle = 0, 0
            while idle < _IDLE and len(wanted := np.flatnonzero(self._open(which))):
                # All up, all down, then each its own way: a draw that is the same in every run.
                draw = np.random.default_rng(number).random(len(wanted))
                up = np.full(len(wanted), number == 0) if number < 2 else draw < 0.5
                push = np.zeros(len(which))
                push[wanted] = np.where(up, -1.0, 1.0)
                table = self._solve(which, push, reach=WIDTH)
                if table is not None:
                    self._seen(which, table)
                number, idle = number + 1, 0 if self._open(which).sum() < len(wanted) else idle + 1

    def _witness(self, cell: int) -> bool:
        """Prove one cell, hiding others where that is needed; False where it cannot be done."""
        for limit in (_NEAR, _FAR):
            which = self._around(cell, limit)
            at = int(np.searchsorted(which, cell))
            if self._is_seen_wide(which, at):
                return True
            table = self._solve(which, np.zeros(len(which)), (at, self.low[cell] + WIDTH), may_hide=True)
            if table is not None:
                break
        else:
            return False
        least, most = self._bounds(which)
        self.hide(which[(table < least) | (table > most)], SECONDARY)
        self._seen(which, table)
        return True

    def _is_seen_wide(self, which: Ints, at: int) -> bool:
        """Whether tables are found, with only the cells `which` let move, between which one differs by enough."""
        wanted = self._open(which)
        for direction in (-1.0, 1.0):
            push = np.where(wanted, 0.01 * direction, 0.0)
            push[at] = direction
            table = self._solve(which, push, reach=WIDTH)
            if table is not None:
                self._seen(which, table)
            if not self._open(which[[at]]).any():
                return True
        return False
