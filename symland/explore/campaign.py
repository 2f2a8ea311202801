"""The campaign: searches in batches that are addressed by seed, round and number, and may run anywhere.

A batch is a pure function of the kernel, the group, the plan, its address and the classes known when its round began.
The batches of a round are merged in order of their numbers, so that the list found depends neither on how many workers
there were nor on who finished first; a run is resumed by merging the stored results of its batches again.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symland.errors import ExplorationError
from symland.explore.batches import Address, Batch, BatchResult, Plan
from symland.explore.coverage import Completeness, completeness
from symland.explore.identify import Catalogue, same_level
from symland.explore.protocol import Kernel
from symland.explore.searches import search
from symland.explore.shares import KINDS, shares
from symland.explore.starts import StartKind
from symland.explore.waves import waves
from symland.landscape.account import Counts
from symland.records import Outcome, StationaryPoint
from symland.symmetry import SymmetryGroup

__all__ = ["Campaign", "KernelFactory", "run_batch", "run_batch_from"]

KernelFactory = Callable[[], Kernel]
"""Makes the kernel where a batch runs; a top-level function or a partial of one, so that it can be pickled."""


def run_batch(kernel: Kernel, group: SymmetryGroup, batch: Batch) -> BatchResult:
    """Run the searches of one batch; a pure function of its arguments."""
    plan, address = batch.plan, batch.address
    rng = np.random.default_rng([plan.seed, address.round, address.number])
    catalogue = Catalogue(kernel, group, batch.known)
    draws = np.zeros((len(KINDS), len(batch.known)), dtype=np.intp)
    begun = np.zeros(len(KINDS), dtype=np.intp)
    searches = converged = 0
    reached = set[int]()
    for wave in waves(kernel, group, batch, rng):
        # A search that walks out until numbers overflow does not arrive.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            ends, lanes, failed = search(wave)
        searches += len(ends) + failed
        converged += len(ends)
        labels = catalogue.add(wave.space.lift(ends))
        draws = np.pad(draws, ((0, 0), (0, len(catalogue.points) - draws.shape[1])))
        if wave.kinds[0] is StartKind.GIVEN:
            # The origin is tried first in every run; whether draws find it too is counted as for any other class.
            reached.update(labels[np.any(wave.start[lanes] != 0.0, axis=1)].tolist())
            continue
        kinds = np.array([KINDS.index((kind, wave.method)) for kind in wave.kinds])
        np.add.at(begun, kinds, 1)
        drawn = np.all(labels[:, None] != wave.source[lanes], axis=1)
        # A trajectory may come by a class again and again: that is one draw.
        once = np.unique(np.column_stack((labels, lanes))[drawn], axis=0)
        np.add.at(draws, (kinds[once[:, 1]], once[:, 0]), 1)
    return BatchResult(
        address=address,
        new=catalogue.points[len(batch.known) :],
        draws=draws,
        begun=tuple(begun.tolist()),
        searches=searches,
        converged=converged,
        given=tuple(sorted(reached)),
    )


def run_batch_from(factory: KernelFactory, group: SymmetryGroup, batch: Batch) -> BatchResult:
    """`run_batch` in another process, where the kernel is made once and kept."""
    return run_batch(_kernel(pickle.dumps(factory)), group, batch)


@lru_cache(maxsize=4)
def _kernel(factory: bytes) -> Kernel:
    # Each task brings a factory of its own; equal ones have equal pickles and share a kernel.
    make: KernelFactory = pickle.loads(factory)
    return make()


@dataclass(kw_only=True)
class Campaign:
    """The state of an exploration: classes, tallies, and which batch comes next.

    It holds no clock, file or process: whoever drives it runs `pending()` anywhere and hands each result to `absorb`.
    """

    kernel: Kernel
    group: SymmetryGroup
    plan: Plan
    round: int = 0
    searches: int = 0
    converged: int = 0
    last_new: int = 0
    last_asked: int = 0
    curve: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    draws: NDArray[np.intp] = field(default_factory=lambda: np.zeros((len(KINDS), 0), dtype=np.intp))
    begun: NDArray[np.intp] = field(default_factory=lambda: np.zeros(len(KINDS), dtype=np.intp))
    given: set[int] = field(default_factory=set)
    _waiting: dict[int, BatchResult] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kernel.n_parameters != self.group.layout.size:
            raise ExplorationError(
                f"the kernel takes {self.kernel.n_parameters} parameters and the group {self.group.layout.size}; "
                "build both from one specification"
            )
        self._catalogue = Catalogue(self.kernel, self.group)

    @property
    def points(self) -> tuple[StationaryPoint, ...]:
        """One representative of each class, in the order of discovery."""
        return self._catalogue.points

    @property
    def tallies(self) -> tuple[int, ...]:
        """How often each class was found."""
        return tuple(self.draws.sum(axis=0).tolist())

    @property
    def under_way(self) -> bool:
        """Whether any result has been absorbed."""
        return bool(self.round or self._waiting)

    def pending(self) -> tuple[Batch, ...]:
        """The batches of this round whose results have not been absorbed."""
        share = shares(self.draws, self.begun, [label in self.given for label in range(len(self.points))])
        return tuple(
            Batch(
                address=Address(round=self.round, number=number),
                plan=self.plan,
                known=self.points,
                tallies=self.tallies,
                shares=share,
            )
            for number in range(self.plan.batches_in(self.round))
            if number not in self._waiting
        )

    def absorb(self, result: BatchResult) -> bool:
        """Take a result, in any order; True when it completes a round, which is then merged.

        Raises
        ------
        ExplorationError
            If the result belongs to another round.
        """
        address = result.address
        expected = self.plan.batches_in(self.round)
        if address.round != self.round or not 0 <= address.number < expected:
            raise ExplorationError(
                f"batch {address.number} of round {address.round} came in round {self.round}; "
                "absorb the results of each round before the next"
            )
        self._waiting[address.number] = result
        if len(self._waiting) < expected:
            return False
        self.close()
        self.round += 1
        return True

    def close(self) -> None:
        """Merge the results of a round that is cut off, in order; nothing can be absorbed into it afterwards."""
        known = len(self.points)
        for _, result in sorted(self._waiting.items()):
            self._merge(result, known)
            self.curve.append((self.searches, Counts.of([p for p in self.points if _isolated(p)]).classes))
        self._waiting.clear()

    def _merge(self, result: BatchResult, known: int) -> None:
        if result.classes != known + len(result.new):
            raise ExplorationError(
                f"a batch that knew {result.classes - len(result.new)} classes came where {known} were known; "
                "resume with the plan that the run began with"
            )
        self.searches += result.searches
        self.converged += result.converged
        self.begun += result.begun
        self.draws[:, :known] += result.draws[:, :known]
        self.given.update(label for label in result.given if label < known)
        for number, point in enumerate(result.new, known):
            label = self._catalogue.admit(point)
            if number in result.given:
                self.given.add(label)
            if label == self.draws.shape[1]:
                # One more sample of a manifold, at a loss that is known, is nothing new.
                same = not _isolated(point) and any(
                    not _isolated(p) and same_level(p.loss, point.loss) for p in self.points[:label]
                )
                self.draws = np.pad(self.draws, ((0, 0), (0, 1)))
                if not same:
                    self.last_new = self.searches
                    if self._asked(point):
                        self.last_asked = self.searches
            self.draws[:, label] += result.draws[:, number]

    def drawn(self) -> tuple[tuple[StationaryPoint, ...], tuple[int, ...], tuple[bool, ...]]:
        """Classes, how often each was found, and whether a given start reached it; degenerate points, which come in
        families, as one for each loss."""
        points, tallies, given = list[StationaryPoint](), list[int](), list[bool]()
        for label, (point, tally) in enumerate(zip(self.points, self.tallies, strict=False)):
            same = (k for k, p in enumerate(points) if not _isolated(p) and same_level(p.loss, point.loss))
            place = None if _isolated(point) else next(same, None)
            if place is None:
                points.append(point)
                tallies.append(tally)
                given.append(label in self.given)
            else:
                tallies[place] += tally
                given[place] |= label in self.given
        return tuple(points), tuple(tallies), tuple(given)

    def _asked(self, point: StationaryPoint) -> bool:
        """Whether the plan searches for points of this index."""
        return self.plan.max_index is None or point.index <= self.plan.max_index

    def asked(self) -> tuple[Completeness, tuple[int, ...], tuple[bool, ...]]:
        """What rules for stopping look at: the account of the indices that are searched for, their tallies, and whether
        given starts reached them."""
        points, tallies, given = self.drawn()
        chosen = [k for k, point in enumerate(points) if self._asked(point)]
        counted, known = tuple(tallies[k] for k in chosen), tuple(given[k] for k in chosen)
        state = completeness(
            [points[k] for k in chosen],
            counted,
            self.searches,
            self.converged,
            self.last_asked,
            (),
            coercive=self.plan.coercive,
            given=known,
        )
        return state, counted, known

    def completeness(self) -> Completeness:
        """What is known now of how complete the list is."""
        points, tallies, given = self.drawn()
        return completeness(
            points,
            tallies,
            self.searches,
            self.converged,
            self.last_new,
            tuple(self.curve),
            coercive=self.plan.coercive,
            given=given,
        )


def _isolated(point: StationaryPoint) -> bool:
    return point.outcome is not Outcome.DEGENERATE
