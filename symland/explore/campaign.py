"""The campaign: searches in batches that are addressed by seed, round and number, and may run anywhere.

A batch is a pure function of the kernel, the group, the plan, its address and the classes known when its round began.
The batches of a round are merged in order of their numbers, so that the list found depends neither on how many workers
there were nor on who finished first; a run is resumed by merging the stored results of its batches again.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from symland.errors import ExplorationError
from symland.explore.coverage import Completeness, completeness
from symland.explore.identify import Catalogue, same_level
from symland.explore.protocol import Kernel
from symland.explore.searches import search
from symland.explore.starts import (
    Method,
    StartKind,
    Wave,
    along,
    along_symmetric,
    between,
    displaced,
    given,
    joined,
    random,
    symmetric,
)
from symland.landscape.account import Counts
from symland.machine.memory import keep_freed_memory
from symland.records import FloatArray, Outcome, StationaryPoint, read_only
from symland.symmetry import SymmetryGroup

__all__ = ["Address", "Batch", "BatchResult", "Campaign", "KernelFactory", "Plan", "run_batch", "run_batch_from"]

GROWTH = 4
"""A round has at least one in so many of the batches that came before it, so that a long run keeps many workers busy
and seldom runs more than a quarter beyond the search that met its rules."""

CURVES = 5
"""One search in so many follows a Newton trajectory, which crosses several points; the others take less time. Of the
classes that were new, trajectories found from 1.3 to 1.9 times as many a second."""

CURVES_OF_A_SPACE = 6
"""Trajectories that are followed in one symmetric subspace, from one point."""

SEARCHES_OF_A_SPACE = 42
"""Searches from starts in one symmetric subspace."""

KernelFactory = Callable[[], Kernel]
"""Makes the kernel where a batch runs; a top-level function or a partial of one, so that it can be pickled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What every batch of a campaign shares.

    Attributes
    ----------
    seed : int
    max_index : int or None
        Highest index to search for; None searches one beyond the highest found. What is found beyond it on the way is
        filed too, but searches that lead to any index are left out, and the rules for stopping look no higher.
    searches : int
        Searches in a batch.
    batches : int
        Batches in a round, at least; later rounds have more. The fewer, the sooner searches begin from what others
        found.
    given : (n, P)
        Starts to be tried first, such as extensions of smaller networks' points; the first round's batches share them.
    coercive : bool
        Whether the loss grows to infinity with theta, so that the Morse sum of all points is 1.
    """

    seed: int = 0
    max_index: int | None = None
    searches: int = 384
    batches: int = 2
    given: FloatArray | None = None
    coercive: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ExplorationError(f"seed: {self.seed} is negative; give 0 or more")
        if self.max_index is not None and self.max_index < 0:
            raise ExplorationError(f"max_index: {self.max_index} is negative; give 0 or more")
        if self.searches < 1 or self.batches < 1:
            raise ExplorationError("searches and batches must be positive; give 1 or more of each")
        if self.given is not None:
            object.__setattr__(self, "given", read_only(self.given, 2))

    def batches_before(self, round: int) -> int:
        """Batches of all rounds before this one."""
        total = 0
        for _ in range(round):
            total += max(self.batches, total // GROWTH)
        return total

    def batches_in(self, round: int) -> int:
        """Batches of a round: a function of its number alone, whoever runs them."""
        return max(self.batches, self.batches_before(round) // GROWTH)

    def place(self, address: Address) -> int:
        """Where a batch stands among all batches, from 0."""
        return self.batches_before(address.round) + address.number


@dataclass(frozen=True, kw_only=True, order=True)
class Address:
    """Where a batch stands in its campaign."""

    round: int
    number: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """A batch to run: its address, the plan, and the classes known and how often found when its round began."""

    address: Address
    plan: Plan
    known: tuple[StationaryPoint, ...]
    tallies: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.known) != len(self.tallies):
            raise ValueError(f"{len(self.known)} known classes and {len(self.tallies)} tallies")


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchResult:
    """What a batch found.

    Attributes
    ----------
    new : tuple of StationaryPoint
        One for each class that was not known to the batch.
    tallies : tuple of int
        Searches that ended in each known class, then in each new one, without those that began from the same class
        and those from starts that were given: neither is a draw that the class had to win.
    searches, converged : int
    given : tuple of int
        Numbers, among the known classes and then the new ones, of those that starts of the plan reached.
    """

    address: Address
    new: tuple[StationaryPoint, ...]
    tallies: tuple[int, ...]
    searches: int
    converged: int
    given: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.new) > len(self.tallies):
            raise ValueError(f"{len(self.new)} new classes and {len(self.tallies)} tallies")
        if self.given and not 0 <= min(self.given) <= max(self.given) < len(self.tallies):
            raise ValueError(f"classes {self.given} of {len(self.tallies)}")

    def payload(self) -> dict[str, Any]:
        """JSON values and arrays, for a database."""
        return {
            "round": self.address.round,
            "number": self.address.number,
            "tallies": list(self.tallies),
            "searches": self.searches,
            "converged": self.converged,
            "given": list(self.given),
            "new": [
                {
                    "theta": point.theta.tolist(),
                    "loss": point.loss,
                    "gradient_norm": point.gradient_norm,
                    "spectrum": point.spectrum.tolist(),
                    "index": point.index,
                    "nullity": point.nullity,
                    "orbit_size": str(point.orbit_size),
                    "outcome": point.outcome.name,
                }
                for point in self.new
            ],
        }

    @classmethod
    def from_payload(cls, values: Mapping[str, Any]) -> BatchResult:
        """The result that `payload` wrote."""
        return cls(
            address=Address(round=values["round"], number=values["number"]),
            tallies=tuple(values["tallies"]),
            searches=values["searches"],
            converged=values["converged"],
            # Batches that were stored before this was kept count every class alike.
            given=tuple(values.get("given", ())),
            new=tuple(
                StationaryPoint(
                    theta=np.array(point["theta"]),
                    loss=point["loss"],
                    gradient_norm=point["gradient_norm"],
                    spectrum=np.array(point["spectrum"]),
                    index=point["index"],
                    nullity=point["nullity"],
                    orbit_size=int(point["orbit_size"]),
                    outcome=Outcome[point["outcome"]],
                )
                for point in values["new"]
            ),
        )


def run_batch(kernel: Kernel, group: SymmetryGroup, batch: Batch) -> BatchResult:
    """Run the searches of one batch; a pure function of its arguments."""
    keep_freed_memory()
    plan, address = batch.plan, batch.address
    rng = np.random.default_rng([plan.seed, address.round, address.number])
    catalogue = Catalogue(kernel, group, batch.known)
    tallies = [0] * len(batch.known)
    searches = converged = 0
    reached = set[int]()
    for wave in _waves(kernel, group, batch, rng):
        # A search that walks out until numbers overflow does not arrive.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            ends, lanes, failed = search(wave)
        searches += len(ends) + failed
        converged += len(ends)
        labels = catalogue.add(wave.space.lift(ends))
        tallies += [0] * (len(catalogue.points) - len(tallies))
        if wave.kind is StartKind.GIVEN:
            # The origin is tried first in every run; whether draws find it too is counted as for any other class.
            reached.update(labels[np.any(wave.start[lanes] != 0.0, axis=1)].tolist())
            continue
        drawn = np.all(labels[:, None] != wave.source[lanes], axis=1)
        # A trajectory may come by a class again and again: that is one draw.
        for label in np.unique(np.column_stack((labels, lanes))[drawn], axis=0)[:, 0].tolist():
            tallies[label] += 1
    return BatchResult(
        address=address,
        new=catalogue.points[len(batch.known) :],
        tallies=tuple(tallies),
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


def _waves(kernel: Kernel, group: SymmetryGroup, batch: Batch, rng: np.random.Generator) -> list[Wave]:
    """The searches of a batch."""
    plan, address = batch.plan, batch.address
    waves = list[Wave]()
    if address.round == 0:
        points = np.zeros((int(address.number == 0), kernel.n_parameters))
        if plan.given is not None:
            points = np.vstack((points, plan.given[address.number :: plan.batches]))
        if len(points):
            waves.append(given(kernel, group, points))
    highest = max((p.index for p in batch.known), default=min(1, kernel.n_parameters))
    top = highest + 1 if plan.max_index is None else plan.max_index
    top = min(top, kernel.n_parameters)
    # Two batches share their work so that one has the trajectories of both: the more searches run together, the less
    # each takes.
    any_index = plan.max_index is None
    follows = any_index and any(_isolated(point) for point in batch.known)
    curves = plan.searches // CURVES if follows else 0
    others = plan.searches - curves
    if follows and (address.number ^ 1) < plan.batches_in(address.round):
        curves, others = (0, 2 * others) if address.number % 2 else (2 * curves, 0)
    # Of the others a quarter to the surroundings of known points, and a quarter to the lines through two of them; a
    # quarter to symmetric subspaces, where searches are cheap; a quarter to random points of the whole space, which owe
    # nothing to what is known.
    near = crossing = others // 4 if batch.known else 0
    folded = others // 4
    free = others - near - crossing - folded
    waves += symmetric(kernel, group, rng, folded, top, spaces=-(-folded // SEARCHES_OF_A_SPACE))
    # Searches of the whole space run together, whatever they began from: the last ones of two waves share their steps.
    following, descending = list[Wave](), list[Wave]()
    about = partial(displaced, known=batch.known, tallies=batch.tallies)
    through = partial(between, known=batch.known, tallies=batch.tallies)
    # A descent of the squared gradient ends at a point of any index, in wide networks mostly of a high one.
    for make, count, share in ((random, free, 8), (about, near, 4), (through, crossing, 2)):
        squared = count // share if any_index else 0
        for some, here in ((count - squared, following), (squared, descending)):
            if some:
                here.append(make(kernel, group, rng, some, top))
    if following:
        waves.append(joined(following))
    if descending:
        waves.append(replace(joined(descending), method=Method.SQUARED_GRADIENT))
    if curves:
        spaces = -(-(curves // 2) // CURVES_OF_A_SPACE)
        within = along_symmetric(kernel, group, rng, curves // 2, batch.known, batch.tallies, spaces=spaces)
        rest = curves - (len(within.start) if within else 0)
        whole = along(kernel, group, rng, rest, batch.known, batch.tallies)
        waves.append(joined([whole, within]) if within else whole)
    return waves


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
    tallies: list[int] = field(default_factory=list)
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
    def begun(self) -> bool:
        """Whether any result has been absorbed."""
        return bool(self.round or self._waiting)

    def pending(self) -> tuple[Batch, ...]:
        """The batches of this round whose results have not been absorbed."""
        return tuple(
            Batch(
                address=Address(round=self.round, number=number),
                plan=self.plan,
                known=self.points,
                tallies=tuple(self.tallies),
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
        if len(result.tallies) != known + len(result.new):
            raise ExplorationError(
                f"a batch that knew {len(result.tallies) - len(result.new)} classes came where {known} were known; "
                "resume with the plan that the run began with"
            )
        self.searches += result.searches
        self.converged += result.converged
        for label in range(known):
            self.tallies[label] += result.tallies[label]
        self.given.update(label for label in result.given if label < known)
        for number, (point, tally) in enumerate(zip(result.new, result.tallies[known:], strict=True), known):
            label = self._catalogue.admit(point)
            if number in result.given:
                self.given.add(label)
            if label == len(self.tallies):
                # One more sample of a manifold, at a loss that is known, is nothing new.
                same = not _isolated(point) and any(
                    not _isolated(p) and same_level(p.loss, point.loss) for p in self.points[:label]
                )
                self.tallies.append(0)
                if not same:
                    self.last_new = self.searches
                    if self._asked(point):
                        self.last_asked = self.searches
            self.tallies[label] += tally

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
