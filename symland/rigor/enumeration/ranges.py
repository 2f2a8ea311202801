"""The number of stationary points for every penalty of a range, slab by slab.

A slab is a closed interval of penalties. The box search runs on it with lambda an interval: what it closes holds no
solution for any penalty of the slab, and what is left must lie in regions around branches
(:mod:`symland.rigor.enumeration.regions`), each of which says how many points it holds. Boxes that are too narrow for
the width of the slab wait, and are handed to both halves of it: so most of space is searched once for a wide slab, and
narrow slabs see only the neighbourhood of the branches.

A slab with a fold or a pitchfork (:mod:`symland.rigor.enumeration.pitchfork_region`) has a region around it. Above or
below the event's penalty all of its points are nondegenerate, so that classes and copies do not change up to the end of
the slab, which it shares with a slab of tubes: their counts are those at this end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, final

import numpy as np

from symland.errors import CertificateError, SpecError
from symland.records import Verdict
from symland.rigor.enumeration.by_theorem import first_penalty, origin_alone
from symland.rigor.enumeration.examine import examine_batch
from symland.rigor.enumeration.kept import Piece, Slab, Work
from symland.rigor.enumeration.known import KnownClass, KnownPoints, known_copies, reduce_theta
from symland.rigor.enumeration.lookout import newton_searches
from symland.rigor.enumeration.pitchfork_region import Event, agrees, event_region, find_pitchforks
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, reduced_problem
from symland.rigor.enumeration.regions import (
    ORIGIN,
    Kind,
    Region,
    Regions,
    disjoint,
    find_fold,
    images,
    origin_number,
    polish,
    tube_region,
)
from symland.rigor.enumeration.search import Closed, Counters, Search, Task, first_task
from symland.rigor.enumeration.splitting import followers
from symland.rigor.enumeration.witnesses import Witnesses
from symland.spec import LandscapeSpec

__all__ = ["RangeProgress", "RangeResult", "Slab", "Stretch", "enumerate_range"]

BATCH = 8
"""Boxes examined in one call."""
WIDEST = 0.01
"""Relative width of a slab up to which regions hold boxes; in a wider one only the origin does."""
FRESH = (math.inf, 0.03)
"""Relative width, for one node and more, above which a slab is cut unseen: with several nodes a search in a wide slab
makes many small boxes of nodes, and what is left of it takes longer than to begin anew."""
NARROWEST = 1e-6
"""Relative width of a slab below which it is left open."""
FOLD_WIDTHS = (0.01, 0.005, 0.0025, 0.00125, 0.0005, 0.00025, 0.00012, 6e-5, 3e-5)
"""Half widths of slabs around a fold that are tried, relative to its penalty."""
GRID = 0.06
"""Step of ln lambda between penalties at which points are looked for."""
STARTS = 40
"""Newton searches at each of them."""
NEAR_FOLD = (0.02, 0.05, 0.1, 0.2)
"""Distances from a fold, along its null vector, from which points near it are looked for."""
SAME = 1e-7
"""Largest difference of the coordinates of two points, or penalties of two folds, that are taken as one."""
BITS = 40
"""Bits of the ends of slabs."""
KEEP_SECONDS = 30.0
"""Between two states kept while a range is searched."""
STATE_FORM = 2
"""Of a state's layout."""


@final
@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Between two events: classes and labelled copies by index, for every penalty in the open interval.

    ``low`` and ``high`` are exact or enclosures of an event; ``high`` is None where there is no upper end.
    """

    low: Fraction | Event
    high: Fraction | Event | None
    counts: tuple[int, ...]
    copies: tuple[int, ...]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RangeResult:
    """What was proved.

    Attributes
    ----------
    verdict : CERTIFIED when the stretches cover the range.
    low, high : the range; high is None where it has no upper end.
    stretches : from above; only where proved.
    slabs : from above; the proved ones.
    open : slabs that are not proved, and how many boxes are left in each.
    theorem : the theorem that covers what lies above ``theorem_from``, if it was used.
    """

    verdict: Verdict
    low: Fraction
    high: Fraction | None
    stretches: tuple[Stretch, ...]
    slabs: tuple[Slab, ...]
    open: tuple[tuple[Fraction, Fraction, int], ...]
    theorem: str | None
    theorem_from: Fraction | None
    boxes: int
    node_boxes: int
    seconds: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class RangeProgress:
    """How far a range is: slabs proved, waiting and open, and the share of ln lambda that is proved."""

    proved: int
    waiting: int
    open: int
    share: float


@dataclass(slots=True)
class _Atlas:
    """What Newton searches found: points at some penalties, and events (`folds`). Nothing here is proof."""

    problem: ReducedProblem
    points: dict[Fraction, list[Doubles]] = field(default_factory=dict)
    folds: list[Event] = field(default_factory=list)

    def add_folds(self, starts: Iterable[Doubles], penalty: Fraction) -> None:
        for z in starts:
            here = self.problem.at(penalty)
            for event in (find_fold(here, z.tolist()), *find_pitchforks(here, z)):
                if event is not None and not any(self._same_fold(event, other) for other in self.folds):
                    self.folds.append(event)

    def _same_fold(self, a: Event, b: Event) -> bool:
        near = abs(float(a.penalty) / float(b.penalty) - 1) < SAME
        return near and _same(self.problem, a.z, b.z)

    def seeds(self, penalty: Fraction) -> list[Doubles]:
        """Starts for points at a penalty: those of the nearest penalties, and both sides of near folds."""
        order = sorted(self.points, key=lambda p: abs(math.log(p / penalty)))
        found = [z for p in order[:3] for z in self.points[p]]
        for fold in self.folds:
            if abs(math.log(float(fold.penalty) / float(penalty))) < 2 * GRID:
                found += [fold.z + side * s * fold.null for s in NEAR_FOLD for side in (1, -1)]
                found += [fold.z] if fold.kind is Kind.PITCHFORK else []
        return found

    def at(self, problem: ReducedProblem) -> list[Doubles]:
        """Different points at the middle of a slab."""
        return _different(problem, (polish(problem, z.tolist()) for z in self.seeds(problem.middle)))


def _same(problem: ReducedProblem, a: Doubles, b: Doubles) -> bool:
    return any(float(np.abs(moved - b).max()) < SAME for moved, _ in images(problem, (a, a)))


def _different(problem: ReducedProblem, points: Iterable[Doubles | None]) -> list[Doubles]:
    found: list[Doubles] = []
    for z in points:
        if z is not None and not any(_same(problem, z, other) for other in found):
            found.append(z)
    return found


def _look(spec: LandscapeSpec, problem: ReducedProblem, low: Fraction, high: Fraction) -> _Atlas:
    """Points on a grid of penalties, from above, and the folds near them."""
    atlas = _Atlas(problem)
    steps = max(1, math.ceil(math.log(high / low) / GRID))
    before: list[Doubles] = []
    for k in range(steps + 1):
        penalty = min(max(_dyadic(float(high) * float(low / high) ** (k / steps)), low), high)
        here = problem.at(penalty)
        starts = [*before]
        for theta in newton_searches(spec.with_(penalty=_text(penalty)), STARTS, seed=k):
            states, bias = reduce_theta(problem, theta)
            z = np.append(states.ravel(), bias)
            if not any(_same(problem, z, other) for other in starts):
                starts.append(z)
        atlas.points[penalty] = before = _different(problem, (polish(here, z.tolist()) for z in starts))
        atlas.add_folds(before, penalty)
    return atlas


def _text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _dyadic(value: float) -> Fraction:
    """A nearby number of BITS bits: ends of slabs stay short."""
    mantissa, exponent = math.frexp(value)
    return Fraction(round(mantissa * 2**BITS)) * Fraction(2) ** (exponent - BITS)


def _regions(atlas: _Atlas, slab: ReducedProblem, fold: Event | None) -> tuple[Region, ...] | None:
    """Regions of all known branches over a slab; None where that of the fold is not proved."""
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
        if tube is not None and not any(_meet(slab, tube, other) for other in found):
            found.append(tube)
    return tuple(found)


def _meet(problem: ReducedProblem, a: Region, b: Region) -> bool:
    """Whether the points of two regions may be one, up to symmetry; decided at the middle of the slab.

    That the points of two tubes are not one at one penalty holds for all: where they are, their images stay one, as
    each is alone in its region.
    """
    return any(not disjoint(moved, b.box) for moved in images(problem, a.box))


def _accounted(slab: ReducedProblem, piece: Piece, regions: Sequence[Region]) -> bool:
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


def _search(slab: ReducedProblem, regions: Sequence[Region]) -> Search:
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
class _Run:
    """What a search over a slab left, which boxes it did not come to, and which regions it met."""

    left: list[Task]
    queue: list[Task]
    met: set[int]
    counters: Counters


def _run(search: Search, tasks: Sequence[Task], clock: Callable[[], float], until: float) -> _Run:
    queue, left, met = list(tasks), list[Task](), set[int]()
    while queue:
        if clock() > until:
            break
        batch = queue[-BATCH:]
        del queue[-BATCH:]
        for task, result in zip(batch, examine_batch(search, batch), strict=True):
            if isinstance(result, Closed):
                met |= result.copies
                continue
            if not isinstance(result, Task):
                met |= result.copies
            parts = followers(search.problem, task, result)
            if parts is None:
                left.append(replace(task, pull=result.pull, nodes=result.nodes, met=frozenset()))
            else:
                queue += [replace(part, met=frozenset()) for part in parts]
    return _Run(left, queue, met, search.counters)


def _cuts(atlas: _Atlas, problem: ReducedProblem, piece: Piece) -> list[tuple[Fraction, Fraction, Event | None, int]]:
    """The parts of a slab: around its fold, or its halves."""
    low, high = piece.low, piece.high
    inside = [f for f in atlas.folds if float(low) < float(f.penalty) < float(high)]
    if piece.fold is not None or len(inside) == 1:
        fold, level = (piece.fold, piece.level + 1) if piece.fold is not None else (inside[0], 0)
        star = float(fold.penalty)
        while level < len(FOLD_WIDTHS):
            width = FOLD_WIDTHS[level]
            ends = _dyadic(star * (1 - width)), _dyadic(star * (1 + width))
            # The counts beside a fold are those of the slabs beside it, so it never reaches to the end of the range.
            if low < ends[0] and ends[1] < high and event_region(problem.slab(*ends), fold) is not None:
                return [(low, ends[0], None, 0), (*ends, fold, level), (ends[1], high, None, 0)]
            level += 1
    middle = _dyadic(math.sqrt(float(low) * float(high)))
    if inside:
        # Between two folds rather than in one.
        places = sorted(float(f.penalty) for f in inside)
        if len(places) > 1:
            gaps = [(math.log(b / a), math.sqrt(a * b)) for a, b in pairwise(places)]
            middle = _dyadic(max(gaps)[1])
    return [(low, middle, None, 0), (middle, high, None, 0)]


def enumerate_range(
    spec: LandscapeSpec,
    low: Fraction,
    high: Fraction | None,
    *,
    clock: Callable[[], float],
    budget_seconds: float = math.inf,
    progress: Callable[[RangeProgress], None] | None = None,
    state: Any = None,
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> RangeResult:
    """Prove how many stationary points there are for every penalty from low to high; high None is infinity.

    Parameters
    ----------
    state : what `keep` was given by an earlier run; that of another question or range is left aside.
    keep : called with a state from which to go on, every KEEP_SECONDS and at the end; JSON values only.

    Raises
    ------
    SpecError
        If the network is not of the kind that can be enumerated, or the range is none.
    CertificateError
        If a search loses a branch that is proved.
    """
    problem = reduced_problem(spec)
    if not low > 0 or (high is not None and not low < high):
        raise SpecError.at("--penalty-from, --penalty-to", f"{low} to {high}", "write two penalties, 0 < from < to")
    started = clock()
    above = first_penalty(problem)
    if high is None and above is None:
        raise SpecError.at("--penalty-to", "inf", "no theorem speaks of large penalties here; write a number")
    theorem = None
    top = high
    if above is not None and (high is None or high > above):
        proof = origin_alone(spec.with_(penalty=_text(max(above, low))))
        if proof.verdict is Verdict.CERTIFIED:
            theorem, top = proof.theorem, max(above, low)
    if top is None:
        raise CertificateError("the theorem for large penalties is not decided; write a number for --penalty-to")
    work = Work(stack=[])
    if low < top:
        request = {"form": STATE_FORM, "data": _data_key(problem), "low": str(low), "top": str(top)}
        if isinstance(state, dict) and state.get("request") == request:
            work = Work.restored(problem, state["work"])
        else:
            work.stack.append(Piece(low, top, [first_task(problem.slab(low, top))]))
        atlas = _look(spec, problem, low, top) if work.stack else _Atlas(problem)
        until, kept = started + budget_seconds, clock()
        while work.stack and clock() <= until:
            _advance(atlas, problem, work, clock, min(until, kept + KEEP_SECONDS))
            if clock() >= kept + KEEP_SECONDS:
                if keep is not None:
                    keep({"request": request, "work": work.saved()})
                kept = clock()
            if progress is not None:
                done = sum(math.log(s.high / s.low) for s in work.slabs) / math.log(top / low)
                progress(
                    RangeProgress(proved=len(work.slabs), waiting=len(work.stack), open=len(work.open), share=done)
                )
        if keep is not None:
            keep({"request": request, "work": work.saved()})
    slabs = sorted(work.slabs, key=lambda s: -s.low)
    left = sorted([*work.open, *((p.low, p.high, len(p.tasks) + len(p.waiting)) for p in work.stack)], reverse=True)
    complete = not left and covers(slabs, low, top)
    text = repr([spec.digest, str(low), str(high), theorem, [(str(s.low), str(s.high), s.boxes) for s in slabs]])
    return RangeResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.UNDECIDED,
        low=low,
        high=high,
        stretches=stretches_of(slabs, top if theorem else None, high),
        slabs=tuple(slabs),
        open=tuple(left),
        theorem=theorem,
        theorem_from=top if theorem else None,
        boxes=work.counters.pull_boxes,
        node_boxes=work.counters.node_boxes,
        seconds=clock() - started,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _data_key(problem: ReducedProblem) -> str:
    """What a state is about, whatever the penalty of the specification."""
    return hashlib.sha256(repr([problem.design, problem.labels, problem.nodes]).encode()).hexdigest()


def _advance(atlas: _Atlas, problem: ReducedProblem, work: Work, clock: Callable[[], float], until: float) -> None:
    """Search the slab on top of the stack: it is proved, or left open, or cut; or time is up, and it stays there."""
    piece = work.stack.pop()
    slab = problem.slab(piece.low, piece.high)
    if slab.slack > FRESH[slab.nodes > 1]:
        work.stack += [
            Piece(a, b, [first_task(problem.slab(a, b))], fold, level)
            for a, b, fold, level in _cuts(atlas, problem, piece)
        ]
        return
    inside = (float(piece.low) <= float(f.penalty) <= float(piece.high) for f in atlas.folds)
    lonely = piece.fold is None and any(inside)
    if piece.regions is None:
        looked_for = slab.slack <= WIDEST and not lonely
        piece.regions = (_regions(atlas, slab, piece.fold) or ()) if looked_for else ()
        piece.given = list(piece.tasks) if piece.fold is not None else []
    run = _run(_search(slab, piece.regions), piece.tasks, clock, until)
    work.counters.add(run.counters)
    piece.tasks, piece.waiting = run.queue, [*piece.waiting, *run.left]
    piece.met, piece.boxes = piece.met | run.met, piece.boxes + run.counters.pull_boxes
    if piece.tasks:
        work.stack.append(piece)
        return
    regions = piece.regions
    if not piece.waiting and slab.slack > WIDEST and not lonely:
        # All is empty but for what all nodes zero held.
        regions = _regions(atlas, slab, None) or ()
    if not piece.waiting and not lonely and _accounted(slab, piece, regions):
        work.slabs.append(Slab(low=piece.low, high=piece.high, regions=regions, fold=piece.fold, boxes=piece.boxes))
    elif slab.slack < NARROWEST:
        work.open.append((piece.low, piece.high, len(piece.waiting)))
    else:
        # What the region of a fold held is searched again; what tubes held is remembered with them.
        tubes = tuple(regions[n] for n in sorted(piece.met - {ORIGIN}) if piece.fold is None)
        left = piece.given if piece.fold is not None and piece.met else piece.waiting
        work.stack += [
            Piece(a, b, list(left), fold, level, (*piece.held, *tubes))
            for a, b, fold, level in _cuts(atlas, problem, piece)
        ]


def covers(slabs: Sequence[Slab], low: Fraction, top: Fraction) -> bool:
    """Whether slabs, from above, are closed intervals that join to [low, top], with none of a fold at an end."""
    if low >= top:
        return not slabs
    if not slabs or slabs[0].high != top or slabs[-1].low != low:
        return False
    if slabs[0].fold is not None or slabs[-1].fold is not None:
        return False
    return all(a.low == b.high and not (a.fold and b.fold) for a, b in pairwise(slabs))


def _by_index(slab: Slab) -> tuple[tuple[int, ...], tuple[int, ...]]:
    counts = [0] * (1 + max((r.index for r in slab.regions), default=0))
    copies = list(counts)
    for region in slab.regions:
        counts[region.index] += 1
        copies[region.index] += region.copies
    return tuple(counts), tuple(copies)


def stretches_of(slabs: Sequence[Slab], theorem: Fraction | None, high: Fraction | None) -> tuple[Stretch, ...]:
    """Slabs from above, joined where nothing happens between them.

    Raises
    ------
    CertificateError
        If the counts on the two sides of an event do not differ by its points, or change where there is none.
    """
    found: list[Stretch] = []
    if theorem is not None:
        found.append(Stretch(low=theorem, high=high, counts=(1,), copies=(1,)))
    pending: Slab | None = None
    for slab in slabs:
        last = found[-1] if found else None
        if slab.fold is not None:
            joined = last is not None and pending is None and last.low == slab.high
            if joined and last is not None:
                found[-1] = replace(last, low=slab.fold)
            pending = slab if joined else None
            continue
        counts, copies = _by_index(slab)
        if pending is not None and pending.low == slab.high and last is not None and pending.fold is not None:
            if not agrees(pending.regions, (last.counts, last.copies), (counts, copies)):
                raise CertificateError(
                    f"the counts beside a {pending.fold.kind.value} do not differ by its two points; "
                    "report the question"
                )
            found.append(Stretch(low=slab.low, high=pending.fold, counts=counts, copies=copies))
        elif last is not None and last.low == slab.high:
            if (last.counts, last.copies) != (counts, copies):
                raise CertificateError("the counts of two slabs with a common end differ; report the question")
            found[-1] = replace(last, low=slab.low)
        else:
            found.append(Stretch(low=slab.low, high=slab.high, counts=counts, copies=copies))
        pending = None
    return tuple(found)
