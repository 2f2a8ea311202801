"""What a search found, told apart: isolated points, families of stationary points, and ways to infinity.

A point whose Hessian is singular in float64 is followed with many digits (`symland.rigor.singular`). Isolated points
stay classes. Points of manifolds are joined to one family for each loss; ends that run away to one for each limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from symland.analysis.flat_directions import flat_directions
from symland.explore.identify import same_level
from symland.kernels import compile_kernel
from symland.landscape.evidence import Families, Family, Piece, RunawayLevel
from symland.listener import SILENCE, Listener
from symland.records import FloatArray, Outcome, StationaryPoint
from symland.rigor.singular import Kind, Reading, read_point, run_away, walk
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup
from symland.tolerances import count_signs

__all__ = ["Settlement", "gauge_nullity", "settle"]

DOUBTFUL = 1e-7
"""Eigenvalues up to this, gauge left out, make a point be followed with more digits; loss per unit of theta squared."""

SAME_LIMIT = 1e-6
"""Difference of losses at which two ways to infinity have one limit, in units of max(1, |E|)."""

RANDOM_WALKS = 3
"""Walks along random null directions: where pieces meet, each axis may be flat and no mixture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settlement:
    """Points told apart.

    Attributes
    ----------
    points, tallies : tuples
        The isolated ones, and isolated degenerate ones, with how often each was found.
    numbers : tuple of int
        Their places in the list that was given.
    others : Families
    """

    points: tuple[StationaryPoint, ...]
    tallies: tuple[int, ...]
    numbers: tuple[int, ...]
    others: Families


@dataclass(frozen=True, kw_only=True, eq=False)
class _End:
    """Where searches ended: the point as it was filed, after it was followed, how often, and its number."""

    point: StationaryPoint
    reading: Reading
    tally: int
    number: int


def gauge_nullity(spec: LandscapeSpec, group: SymmetryGroup) -> int:
    """Gauge directions without curvature: those that no penalty holds."""
    if not group.gauge.shape[1]:
        return 0
    hessian = compile_kernel(spec).hessian(np.zeros((1, spec.n_parameters)))[0]
    return count_signs(np.linalg.eigvalsh(group.gauge.T @ hessian @ group.gauge))[1]


def settle(
    spec: LandscapeSpec,
    group: SymmetryGroup,
    points: Sequence[StationaryPoint],
    tallies: Sequence[int],
    listener: Listener = SILENCE,
    known: Families | None = None,
    late: Callable[[], bool] = lambda: False,
) -> Settlement:
    """Tell the points of a search apart; a degenerate one at the loss of a `known` family belongs to it.

    What is left when it is `late` is counted as open.
    """
    gauge = gauge_nullity(spec, group)
    kept: list[tuple[StationaryPoint, int, int]] = []
    members: list[_End] = []
    singular: list[_End] = []
    away: list[_End] = []
    unclear = 0
    doubtful = [n for n, point in enumerate(points) if _doubtful(point, gauge)]
    for n, (point, tally) in enumerate(zip(points, tallies, strict=True)):
        if n not in doubtful:
            kept.append((point, tally, n))
            continue
        if late():
            unclear += 1
            continue
        listener.advance("points with a singular Hessian", doubtful.index(n), len(doubtful))
        reading = read_point(spec, point.theta, gauge=gauge)
        match reading.kind:
            case Kind.ISOLATED:
                certain = replace(point, index=reading.index, nullity=reading.nullity, outcome=Outcome.CONVERGED)
                kept.append((certain, tally, n))
            case Kind.FLAT:
                members.append(_End(point=point, reading=reading, tally=tally, number=n))
            case Kind.DEGENERATE:
                singular.append(_End(point=point, reading=reading, tally=tally, number=n))
            case Kind.RUNAWAY:
                away.append(_End(point=point, reading=reading, tally=tally, number=n))
            case Kind.OPEN:
                unclear += 1
    families = [] if known is None else list(known.families)
    for level in _levels(members):
        if known is not None and any(same_level(f.loss, level[0].reading.loss) for f in known.families):
            continue
        if late():
            unclear += len(level)
            continue
        listener.advance("families of stationary points", len(families))
        family = _family(spec, group, gauge, level)
        if family is None:
            singular += level
        else:
            families.append(family)
    for end in singular:
        place = next((k for k, family in enumerate(families) if same_level(family.loss, end.reading.loss)), None)
        if place is None:
            kept.append((replace(end.point, outcome=Outcome.DEGENERATE), end.tally, end.number))
        else:
            old = families[place]
            families[place] = msgspec.structs.replace(
                old, singular=old.singular + 1, morse_bott=False, found=old.found + end.tally
            )
    kept.sort(key=lambda item: item[2])
    others = Families(
        families=tuple(sorted(families, key=lambda f: f.loss)),
        runaways=_runaways(spec, away, () if known is None else known.runaways),
        open=unclear + (0 if known is None else known.open),
        gauge=gauge,
    )
    return Settlement(
        points=tuple(point for point, _, _ in kept),
        tallies=tuple(tally for _, tally, _ in kept),
        numbers=tuple(n for _, _, n in kept),
        others=others,
    )


def _doubtful(point: StationaryPoint, gauge: int) -> bool:
    if point.outcome is not Outcome.CONVERGED:
        return True
    sizes = np.sort(np.abs(point.spectrum))
    return bool(sizes.size > gauge and sizes[gauge] <= DOUBTFUL)


def _levels(ends: Sequence[_End]) -> list[list[_End]]:
    """Ends of one loss each."""
    levels: list[list[_End]] = []
    for end in sorted(ends, key=lambda e: e.reading.loss):
        if levels and same_level(levels[-1][0].reading.loss, end.reading.loss):
            levels[-1].append(end)
        else:
            levels.append([end])
    return levels


def _family(spec: LandscapeSpec, group: SymmetryGroup, gauge: int, level: Sequence[_End]) -> Family | None:
    """The family of a loss: each kind of member is walked from once, along every null direction and some mixtures.

    None where no member lies on a manifold of the dimension of its null space.
    """
    pieces: dict[tuple[int, int], tuple[Piece, Reading]] = {}
    singular = 0
    for reading in sorted((end.reading for end in level), key=lambda r: r.nullity):
        kind = (reading.nullity, reading.index)
        if kind in pieces:
            continue
        steps = walk(spec, reading, _directions(group, gauge, reading))
        if all(s is not None and (s.nullity, s.index) == kind for s in steps):
            pieces[kind] = Piece(dimension=reading.nullity, index=reading.index, walks=len(steps)), reading
        else:
            singular += 1
    if not pieces:
        return None
    piece, reading = max(pieces.values(), key=lambda found: found[0].dimension)
    return Family(
        loss=reading.loss,
        gradient_norm=reading.gradient_norm,
        theta=reading.theta,
        dimension=piece.dimension,
        index=piece.index,
        gauge=gauge,
        directions=flat_directions(group, reading.theta, reading.null),
        pieces=tuple(sorted((p for p, _ in pieces.values()), key=lambda p: -p.dimension)),
        singular=singular,
        morse_bott=len(pieces) == 1 and not singular,
        found=sum(end.tally for end in level),
    )


def _directions(group: SymmetryGroup, gauge: int, reading: Reading) -> FloatArray:
    """The null directions off the gauge, and some unit mixtures of them, as columns."""
    null = reading.null
    if gauge:
        left, sizes, _ = np.linalg.svd(null - group.gauge @ (group.gauge.T @ null), full_matrices=False)
        null = left[:, sizes > 0.5]
    mixtures = null @ np.random.default_rng(0).normal(size=(null.shape[1], RANDOM_WALKS))
    return np.column_stack((null, mixtures / np.linalg.norm(mixtures, axis=0)))


def _runaways(spec: LandscapeSpec, away: Sequence[_End], known: Sequence[RunawayLevel]) -> tuple[RunawayLevel, ...]:
    levels: list[list[_End]] = []
    for end in sorted(away, key=lambda e: e.reading.loss):
        loss = end.reading.loss
        if levels and abs(loss - levels[-1][0].reading.loss) <= SAME_LIMIT * max(1.0, abs(loss)):
            levels[-1].append(end)
        else:
            levels.append([end])
    out = list(known)
    for level in levels:
        if any(abs(r.limit - level[0].reading.loss) <= SAME_LIMIT * max(1.0, abs(r.limit)) for r in known):
            continue
        # Of several the one with the largest gradient: it is told from a stationary point most easily.
        shown = max(level, key=lambda e: e.point.gradient_norm)
        point, found = shown.point, run_away(spec, shown.point.theta, shown.reading)
        out.append(
            RunawayLevel(
                limit=found.limit,
                loss=point.loss,
                gradient_norm=point.gradient_norm,
                norm=float(np.linalg.norm(point.theta)),
                theta=point.theta,
                direction=found.direction,
                ray=found.ray,
                monotone=found.monotone,
                radius=found.radius,
                found=sum(end.tally for end in level),
            )
        )
    return tuple(sorted(out, key=lambda r: r.limit))
