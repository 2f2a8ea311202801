"""What Newton searches find of a range of penalties: points, events, and the regions about them over a slab.

Nothing that is found is proof; a region is proved, and whether the regions are all the box search decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from symland.rigor.enumeration.choices import middles
from symland.rigor.enumeration.known import reduce_theta
from symland.rigor.enumeration.lookout import newton_searches
from symland.rigor.enumeration.pitchfork_region import Event, event_region, find_pitchforks
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.regions import Kind, Region, disjoint, find_fold, images, polish, tube_region
from symland.spec import LandscapeSpec

__all__ = ["Atlas", "dyadic", "look", "regions_over"]

GRID = 0.06
"""Step of ln lambda between penalties at which points are looked for."""
STARTS = 40
"""Newton searches at each of them."""
NEAR_FOLD = (0.02, 0.05, 0.1, 0.2)
"""Distances from a fold, along its null vector, from which points near it are looked for."""
LOOKS = 24
"""Choices that wait from which points are looked for."""
SAME = 1e-7
"""Largest difference of the coordinates of two points, or penalties of two folds, that are taken as one."""
BITS = 40
"""Bits of the ends of slabs."""


@dataclass(slots=True)
class Atlas:
    """What Newton searches found: points at some penalties, and events. Nothing here is proof."""

    problem: ReducedProblem
    points: dict[Fraction, list[Doubles]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def add_events(self, starts: Iterable[Doubles], penalty: Fraction) -> None:
        for z in starts:
            here = self.problem.at(penalty)
            for event in (find_fold(here, z.tolist()), *find_pitchforks(here, z)):
                if event is not None and not any(self._same_event(event, other) for other in self.events):
                    self.events.append(event)

    def _same_event(self, a: Event, b: Event) -> bool:
        near = abs(float(a.penalty) / float(b.penalty) - 1) < SAME
        return near and _same(self.problem, a.z, b.z)

    def seeds(self, penalty: Fraction) -> list[Doubles]:
        """Starts for points at a penalty: those of the nearest penalties, and both sides of near folds."""
        order = sorted(self.points, key=lambda p: abs(math.log(p / penalty)))
        found = [z for p in order[:3] for z in self.points[p]]
        for fold in self.events:
            if abs(math.log(float(fold.penalty) / float(penalty))) < 2 * GRID:
                found += [fold.z + side * s * fold.null for s in NEAR_FOLD for side in (1, -1)]
                found += [fold.z] if fold.kind is Kind.PITCHFORK else []
        return found

    def at(self, problem: ReducedProblem) -> list[Doubles]:
        """Different points at the middle of a slab."""
        return _different(problem, (polish(problem, z.tolist()) for z in self.seeds(problem.middle)))

    def look_into(self, problem: ReducedProblem, table: Doubles, regions: Sequence[Region]) -> bool:
        """Newton's method at the middle of a slab from choices that wait: whether it finds points that are new."""
        some = np.random.default_rng(table.shape[1]).permutation(table.shape[1])[:LOOKS]
        starts = middles(problem, table[:, some])
        ends = [z for z in (polish(problem, z.tolist()) for z in starts) if z is not None]
        apart = [z for z in ends if not any(r.contains(moved) for r in regions for moved in images(problem, (z, z)))]
        if not apart:
            return False
        known = self.at(problem)
        found = _different(problem, [*known, *apart])
        self.points[problem.middle] = found
        self.add_events(found[len(known) :], problem.middle)
        return len(found) > len(known)


def _same(problem: ReducedProblem, a: Doubles, b: Doubles) -> bool:
    return any(float(np.abs(moved - b).max()) < SAME for moved, _ in images(problem, (a, a)))


def _different(problem: ReducedProblem, points: Iterable[Doubles | None]) -> list[Doubles]:
    found: list[Doubles] = []
    for z in points:
        if z is not None and not any(_same(problem, z, other) for other in found):
            found.append(z)
    return found


def look(spec: LandscapeSpec, problem: ReducedProblem, low: Fraction, high: Fraction) -> Atlas:
    """Points on a grid of penalties, from above, and the folds near them."""
    atlas = Atlas(problem)
    steps = max(1, math.ceil(math.log(high / low) / GRID))
    before: list[Doubles] = []
    for k in range(steps + 1):
        penalty = min(max(dyadic(float(high) * float(low / high) ** (k / steps)), low), high)
        here = problem.at(penalty)
        starts = [*before]
        for theta in newton_searches(spec.with_(penalty=str(penalty)), STARTS, seed=k):
            states, bias = reduce_theta(problem, theta)
            z = np.append(states.ravel(), bias)
            if not any(_same(problem, z, other) for other in starts):
                starts.append(z)
        atlas.points[penalty] = before = _different(problem, (polish(here, z.tolist()) for z in starts))
        atlas.add_events(before, penalty)
    return atlas


def dyadic(value: float) -> Fraction:
    """A nearby number of BITS bits: ends of slabs stay short."""
    mantissa, exponent = math.frexp(value)
    return Fraction(round(mantissa * 2**BITS)) * Fraction(2) ** (exponent - BITS)


def regions_over(atlas: Atlas, slab: ReducedProblem, fold: Event | None) -> tuple[Region, ...] | None:
    """Regions of all known branches over a slab; None where one is not proved, or two may hold the same point."""
    found: list[Region] = []
    if fold is not None:
        region = event_region(slab, fold)
        if region is None:
            return None
        found.append(region)
    for z in atlas.at(slab):
        if fold is not None and any(found[0].contains(moved) for moved in images(slab, (z, z))):
            continue
        tube = tube_region(slab, z)
        if tube is None or any(_may_meet(slab, tube, other) for other in found):
            return None
        found.append(tube)
    return tuple(found)


def _may_meet(problem: ReducedProblem, a: Region, b: Region) -> bool:
    """Whether the points of two regions may be one, up to symmetry; decided at the middle of the slab.

    That the points of two tubes are not one at one penalty holds for all: where they are, their images stay one, as
    each is alone in its region.
    """
    return any(not disjoint(moved, b.box) for moved in images(problem, a.box))
