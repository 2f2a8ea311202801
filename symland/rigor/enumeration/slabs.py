"""The search over one slab of penalties: proved, cut, or left open.

What the search closes holds no solution for any penalty of the slab, and what is left must lie in regions. A choice
whose bound is mostly that of kappa waits, and is handed to both parts of the slab.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from symland.rigor.enumeration.atlas import Atlas, dyadic, regions_over
from symland.rigor.enumeration.choices import follow, over
from symland.rigor.enumeration.kept import Piece, Slab, Work, size_of
from symland.rigor.enumeration.known import KnownClass, KnownPoints, known_copies
from symland.rigor.enumeration.pitchfork_region import Event, event_region
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.regions import ORIGIN, Region, Regions, images, origin_number
from symland.rigor.enumeration.search import Search
from symland.rigor.enumeration.witnesses import Witnesses

__all__ = ["Run", "advance", "run_through", "search_over"]

WIDEST = 0.01
"""Relative width of a slab up to which regions hold boxes; in a wider one only the origin does."""
NARROWEST = 1e-6
"""Relative width of a slab below which it is left open."""
FOLD_WIDTHS = (0.0049, 0.0025, 0.00125, 0.0005, 0.00025, 0.00012, 6e-5, 3e-5)
"""Half widths of slabs around a fold that are tried, relative to its penalty: no slab is wider than WIDEST."""


def advance(atlas: Atlas, problem: ReducedProblem, work: Work, clock: Callable[[], float], until: float) -> None:
    """Search the slab on top of the stack: it is proved, or left open, or cut; or time is up, and it stays there."""
    piece = work.stack.pop()
    slab = problem.slab(piece.low, piece.high)
    inside = (float(piece.low) <= float(f.penalty) <= float(piece.high) for f in atlas.events)
    lonely = piece.fold is None and any(inside)
    if piece.regions is None:
        piece.regions = regions_over(atlas, slab, piece.fold) if slab.slack <= WIDEST and not lonely else ()
        if piece.regions is None and slab.slack >= NARROWEST:
            # What the branch without a region makes wait would be searched for nothing.
            work.stack += _parts(atlas, problem, piece, piece.tasks, piece.held)
            return
        piece.regions = piece.regions or ()
        piece.tasks = [over(slab, table) for table in piece.tasks]
        piece.given = list(piece.tasks) if piece.fold is not None else []
    run = run_through(search_over(slab, piece.regions), piece.tasks, clock, until)
    piece.tasks, piece.waiting = run.queue, [*piece.waiting, *run.left]
    piece.met, piece.boxes = piece.met | run.met, piece.boxes + run.examined
    work.boxes += run.examined
    if piece.tasks:
        work.stack.append(piece)
        return
    regions = piece.regions
    if not piece.waiting and slab.slack > WIDEST and not lonely:
        # All is empty but for what all nodes zero held.
        regions = regions_over(atlas, slab, None) or ()
    if not piece.waiting and not lonely and accounted_for(slab, piece, regions):
        work.slabs.append(Slab(low=piece.low, high=piece.high, regions=regions, fold=piece.fold, boxes=piece.boxes))
        return
    # What the region of a fold held is searched again; what tubes held is remembered with them.
    tubes = tuple(regions[n] for n in sorted(piece.met - {ORIGIN}) if piece.fold is None)
    left = piece.given if piece.fold is not None and piece.met else piece.waiting
    held = (*piece.held, *tubes)
    if piece.waiting and piece.regions and atlas.look_into(slab, np.concatenate(piece.waiting, axis=1), regions):
        # A branch was missing: its region may hold what waits.
        work.stack.append(Piece(piece.low, piece.high, list(left), piece.fold, piece.level, held, boxes=piece.boxes))
    elif slab.slack < NARROWEST:
        work.open.append((piece.low, piece.high, size_of(piece.waiting)))
    else:
        work.stack += _parts(atlas, problem, piece, left, held)


def _parts(
    atlas: Atlas, problem: ReducedProblem, piece: Piece, tables: Sequence[Doubles], held: tuple[Region, ...]
) -> list[Piece]:
    """The parts of a slab, each with the choices that are to be searched in it."""
    cuts = cuts_of(atlas, problem, piece)
    return [Piece(low, high, list(tables), fold, level, held) for low, high, fold, level in cuts]


def cuts_of(atlas: Atlas, problem: ReducedProblem, piece: Piece) -> list[tuple[Fraction, Fraction, Event | None, int]]:
    """The parts of a slab: around its fold, or its halves."""
    low, high = piece.low, piece.high
    inside = [f for f in atlas.events if float(low) < float(f.penalty) < float(high)]
    if piece.fold is not None or len(inside) == 1:
        fold, level = (piece.fold, piece.level + 1) if piece.fold is not None else (inside[0], 0)
        star = float(fold.penalty)
        while level < len(FOLD_WIDTHS):
            width = FOLD_WIDTHS[level]
            ends = dyadic(star * (1 - width)), dyadic(star * (1 + width))
            # The counts beside a fold are those of the slabs beside it, so it never reaches to the end of the range.
            if low < ends[0] and ends[1] < high and event_region(problem.slab(*ends), fold) is not None:
                return [(low, ends[0], None, 0), (*ends, fold, level), (ends[1], high, None, 0)]
            level += 1
    middle = dyadic(math.sqrt(float(low) * float(high)))
    if inside:
        # Between two folds rather than in one.
        places = sorted(float(f.penalty) for f in inside)
        if len(places) > 1:
            gaps = [(math.log(b / a), math.sqrt(a * b)) for a, b in pairwise(places)]
            middle = dyadic(max(gaps)[1])
    return [(low, middle, None, 0), (middle, high, None, 0)]


def accounted_for(slab: ReducedProblem, piece: Piece, regions: Sequence[Region]) -> bool:
    """Whether what regions over wider slabs held is in regions of this one, and every tube was met, here or there.

    A region over a wider slab holds exactly one point for the middle of this one: where the point of a tube lies in it,
    that is the point. The origin is always a point, where it is one at all.
    """
    origin = origin_number(slab, regions)
    if origin == ORIGIN:
        return False

    def same(tube: Region, wider: Region) -> bool:
        return any(wider.contains(moved) for moved in images(slab, tube.box))

    tubes = [(n, r) for n, r in enumerate(regions) if r.opens_down is None]
    inherited = all(any(same(r, wider) for _, r in tubes) for wider in piece.held)
    reached = all(n in piece.met or n == origin or any(same(r, wider) for wider in piece.held) for n, r in tubes)
    return inherited and reached


def search_over(slab: ReducedProblem, regions: Sequence[Region]) -> Search:
    tubes = [(n, r) for n, r in enumerate(regions) if r.opens_down is None]
    rows = slab.inputs + 1
    classes = tuple(
        KnownClass(
            centre=np.array(r.centre[:-1]).reshape(-1, rows), bias=float(r.centre[-1]), radius=2.0**-40, number=n
        )
        for n, r in tubes
    )
    at = slab.at(slab.middle)
    known: KnownPoints = known_copies(at, classes)
    witnesses = Witnesses.of(at, known)
    # A region holds all images of its points.
    named = Witnesses(all=tuple(replace(w, copies=frozenset({w.number})) for w in witnesses.all))
    return Search(problem=slab, known=known, witnesses=named, regions=Regions.of(slab, regions))


@dataclass(slots=True)
class Run:
    """What a search over a slab left, tables that it did not come to, which regions it met, and how many choices it
    examined."""

    left: list[Doubles]
    queue: list[Doubles]
    met: set[int]
    examined: int


def run_through(search: Search, tables: Sequence[Doubles], clock: Callable[[], float], until: float) -> Run:
    """Follow tables of choices until none is left but what waits, or time is up."""
    run = Run([], list(tables), set(), 0)
    while run.queue and clock() <= until:
        result = follow(search, run.queue.pop())
        run.queue += result.left
        run.left += [result.waiting] if result.waiting.shape[1] else []
        run.met |= result.copies
        run.examined += result.examined
    return run
