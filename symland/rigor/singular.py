"""What a point is at which the Hessian is singular: isolated, degenerate, of a family, or on its way to infinity.

Float64 cannot tell: on a plateau far out the gradient underflows every tolerance. Here the point is followed with many
digits. Newton's method across the null space settles at a stationary point if there is one, to `SETTLED`; if the same
holds at points that lie off along null directions, the point is one of a manifold of stationary points. Where it does
not settle, Newton's method in all directions either halves its steps (a degenerate point) or goes on outwards while the
gradient falls: E has an infimum that no point takes, as exp(-t) has.

Only `Runaway.radius` and `Runaway.monotone` are proofs; the rest is a computation with `BITS` bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
from flint import arb, arb_mat

from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray, Verdict, read_only
from symland.rigor.certify import certify
from symland.rigor.gauge import gauge_sets
from symland.rigor.krawczyk import cube, gradient_program
from symland.rigor.matrices import approximate_solution, identity
from symland.spec import LandscapeSpec
from symland.tolerances import NULL_CURVATURE

__all__ = ["Kind", "Reading", "Runaway", "read_point", "run_away", "walk"]

BITS = 320
"""Bits with which a point is followed."""

CERTIFYING_BITS = 256
"""Bits up to which a point is tried as an isolated one."""

SETTLED = 1e-50
"""|grad E|_inf at which a point counts as stationary; loss per unit of theta."""

NEARLY_NULL = 1e-8
"""Eigenvalues up to this times max(1, |H|_2) are taken as zero while a point is not yet on its manifold."""

ACROSS_STEPS = 40
"""Newton steps across the null space."""

FRESH_STEPS = 8
"""Of them, those that invert the Hessian anew; later ones only add digits."""

LONGEST_STEP = 0.5
"""A step across the null space, in units of 1 + max |theta|, above which there is nothing to settle at."""

PURSUIT_STEPS = 48
"""Newton steps in all directions after which a point has run away, settled, or is left open."""

PURSUIT_LENGTH = 1.0
"""Longest of these, in units of theta."""

SHIFT = 1e-70
"""Multiple of I added to the Hessian in these steps, so that exactly flat directions are not moved along."""

OUTWARD = 1.0
"""Growth of |theta|_2 over these steps from which a point may have run away."""

FALLEN = 1e-3
"""Fall of |grad E|_inf over these steps, as a factor, that it needs besides."""

NEAR = 1e-3
"""Largest move in these steps, in units of 1 + max |theta|, of a degenerate point that they settle at."""

WALK = 0.05
"""Length of the walk along a null direction, in units of max |theta|, at least `SHORTEST_WALK` theta."""

SHORTEST_WALK = 1e-3

RAY = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Distances along a ray to infinity at which the loss is given, in units of theta."""

RAY_PIECES = 64
"""Pieces of the ray over each of which the sign of the slope is decided."""

FIRST_RADIUS = 1e-6
"""First half edge of a cube without a stationary point that is tried, in units of theta; then it doubles."""

MOST_DOUBLINGS = 24


class Kind(Enum):
    """What a point is."""

    ISOLATED = "an isolated stationary point, certified"
    DEGENERATE = "a stationary point with a singular Hessian; no stationary manifold was found through it"
    FLAT = "a stationary point whose Hessian is singular along directions that may be those of a manifold"
    RUNAWAY = "no stationary point: the loss falls on towards infinity"
    OPEN = "neither settled nor seen to run away"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """A point after it was followed.

    Attributes
    ----------
    kind : Kind
    theta : (P,)
        Where it settled, or stands after the pursuit.
    loss : float
    gradient_norm : float
        |grad E|_inf there.
    index, nullity : int
        Negative and zero eigenvalues there.
    null : (P, nullity) orthonormal
    """

    kind: Kind
    theta: FloatArray
    loss: float
    gradient_norm: float
    index: int
    nullity: int
    null: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", read_only(self.theta, 1))
        object.__setattr__(self, "null", read_only(self.null, 2))


@dataclass(frozen=True, kw_only=True, eq=False)
class Runaway:
    """What is known of a way to infinity.

    Attributes
    ----------
    direction : (P,) unit vector
        In which Newton's method goes on.
    ray : tuple of (|theta|_2, loss, slope)
        At the point and at the distances `RAY` along the direction.
    limit : float
        The loss at the end of the pursuit.
    monotone : Verdict
        CERTIFIED where the slope is proved to keep its sign all along the ray: no stationary point lies on it.
    radius : float or None
        Half edge of a cube around the point in which no stationary point lies: proved. None where that failed.
    """

    direction: FloatArray
    ray: tuple[tuple[float, float, float], ...]
    limit: float
    monotone: Verdict
    radius: float | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", read_only(self.direction, 1))


@lru_cache(maxsize=16)
def _program(spec: LandscapeSpec) -> Program:
    return build_program(spec)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """A point with its loss, gradient and Hessian."""

    point: list[arb]
    loss: arb
    gradient: list[arb]
    hessian: list[list[arb]]

    @property
    def slope(self) -> float:
        """|grad E|_inf, from above."""
        return max(float(g.abs_upper()) for g in self.gradient)

    @property
    def theta(self) -> FloatArray:
        """The point in float64."""
        return np.array([float(t) for t in self.point])

    def spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues and eigenvectors in float64, those nearest zero first."""
        values, vectors = np.linalg.eigh(np.array([[float(x.mid()) for x in row] for row in self.hessian]))
        order = np.argsort(np.abs(values))
        return values[order], vectors[:, order]


def _at(spec: LandscapeSpec, point: list[arb]) -> _Place | None:
    """The place of a point; None where the loss or a derivative is not finite."""
    ran = evaluate_balls(_program(spec), point)
    assert ran.value is not None
    if not (ran.value.is_finite() and all(x.is_finite() for row in (ran.gradient, *ran.hessian) for x in row)):
        return None
    return _Place(
        point=point,
        loss=ran.value,
        gradient=list(ran.gradient),
        hessian=[list(row) for row in ran.hessian],
    )


def _null_count(values: FloatArray, part: float) -> int:
    return int((np.abs(values) <= part * max(1.0, float(np.abs(values).max(initial=0.0)))).sum())


def _settle(spec: LandscapeSpec, point: list[arb], nullity: int) -> _Place | None:
    """Newton's method across the `nullity` directions of least curvature; None where it does not reach `SETTLED`."""
    inverse = np.zeros((len(point), len(point)))
    for step in range(ACROSS_STEPS):
        place = _at(spec, point)
        if place is None:
            return None
        if place.slope <= SETTLED:
            return place
        if step < FRESH_STEPS:
            values, vectors = place.spectrum()
            kept = vectors[:, nullity:]
            if (values[nullity:] == 0.0).any():
                return None
            inverse = (kept / values[nullity:]) @ kept.T
        middle = [g.mid() for g in place.gradient]
        moves = [sum((arb(y) * g for y, g in zip(row, middle, strict=True)), arb(0)).mid() for row in inverse]
        size = max(float(abs(m)) for m in moves)
        if not size < LONGEST_STEP * (1.0 + float(np.abs(place.theta).max())):
            return None
        if size == 0.0:
            return None
        point = [(t - m).mid() for t, m in zip(point, moves, strict=True)]
    return None


def _pursue(spec: LandscapeSpec, point: list[arb]) -> tuple[_Place, list[float]] | None:
    """Newton's method in all directions: where it is after `PURSUIT_STEPS`, and the lengths of its steps."""
    place, lengths = _at(spec, point), list[float]()
    for _ in range(PURSUIT_STEPS):
        if place is None or place.slope <= SETTLED:
            break
        right = arb_mat(len(point), 1, place.gradient)
        solved = approximate_solution(arb_mat(place.hessian) + arb(SHIFT) * identity(len(point)), right)
        if solved is None:
            return None
        moves = solved.entries()
        length = max(float(abs(m)) for m in moves)
        lengths.append(length)
        factor = arb(min(1.0, PURSUIT_LENGTH / length)) if length else arb(0)
        point = [(t - factor * m).mid() for t, m in zip(point, moves, strict=True)]
        place = _at(spec, point)
    return None if place is None else (place, lengths)


def read_point(spec: LandscapeSpec, theta: FloatArray, *, gauge: int = 0) -> Reading:
    """What the point near theta (P,) is.

    Parameters
    ----------
    gauge : int
        Null directions that every point has, such as a free shift of all outputs.
    """
    certificate = certify(spec, theta.tolist(), max_bits=CERTIFYING_BITS)
    if certificate.existence is Verdict.CERTIFIED and certificate.index is not None:
        return _isolated(spec, [float(text) for text in certificate.midpoint], certificate.index)
    with working_precision(BITS):
        start = _at(spec, [arb(t) for t in theta])
        if start is None:
            return _reading(Kind.OPEN, theta, None)
        counts = {_null_count(start.spectrum()[0], part) for part in (NEARLY_NULL, NULL_CURVATURE)}
        for nullity in sorted(counts, reverse=True):
            settled = _settle(spec, start.point, nullity)
            if settled is not None:
                return _reading(_kind(settled, gauge), settled.theta, settled)
        pursued = _pursue(spec, start.point)
        if pursued is None:
            return _reading(Kind.OPEN, theta, start)
        end, lengths = pursued
        if end.slope <= SETTLED:
            return _reading(_kind(end, gauge), end.theta, end)
        moved = float(np.abs(end.theta - theta).max())
        if moved <= NEAR * (1.0 + float(np.abs(theta).max())) and lengths[-1] <= NEAR * max(lengths):
            return _reading(Kind.DEGENERATE, end.theta, end)
        outward = float(np.linalg.norm(end.theta) - np.linalg.norm(theta))
        away = outward >= OUTWARD and end.slope <= FALLEN * start.slope
        return _reading(Kind.RUNAWAY if away else Kind.OPEN, end.theta, end)


def _kind(place: _Place, gauge: int) -> Kind:
    """What a place is that `SETTLED`; an isolated one would have been certified before, up to rounding of its gauge."""
    nullity = _null_count(place.spectrum()[0], NULL_CURVATURE)
    return Kind.FLAT if nullity > gauge else Kind.ISOLATED if gauge else Kind.DEGENERATE


def _isolated(spec: LandscapeSpec, theta: Sequence[float], index: int) -> Reading:
    with working_precision(BITS):
        place = _at(spec, [arb(t) for t in theta])
    null = np.zeros((len(theta), len(gauge_sets(spec))))
    for column, places in enumerate(gauge_sets(spec)):
        null[list(places), column] = len(places) ** -0.5
    return Reading(
        kind=Kind.ISOLATED,
        theta=np.array(theta),
        loss=float("nan") if place is None else float(place.loss),
        gradient_norm=float("nan") if place is None else place.slope,
        index=index,
        nullity=null.shape[1],
        null=null,
    )


def _reading(kind: Kind, theta: FloatArray, place: _Place | None) -> Reading:
    if place is None:
        return Reading(
            kind=kind,
            theta=theta,
            loss=float("nan"),
            gradient_norm=float("nan"),
            index=0,
            nullity=0,
            null=np.zeros((len(theta), 0)),
        )
    values, vectors = place.spectrum()
    nullity = _null_count(values, NULL_CURVATURE)
    return Reading(
        kind=kind,
        theta=theta,
        loss=float(place.loss),
        gradient_norm=place.slope,
        index=int((values[nullity:] < 0.0).sum()),
        nullity=nullity,
        null=vectors[:, :nullity],
    )


def walk(spec: LandscapeSpec, reading: Reading, directions: FloatArray) -> tuple[Reading | None, ...]:
    """For each null direction, a column of (P, k), the stationary point found off along it; None where there is none.

    It lies at the same loss, `WALK` away; the walk is corrected across the null space alone.
    """
    out: list[Reading | None] = []
    length = max(WALK * float(np.abs(reading.theta).max(initial=0.0)), SHORTEST_WALK)
    with working_precision(BITS):
        for direction in directions.T:
            found: Reading | None = None
            for sign in (1.0, -1.0):
                start = [arb(t) for t in reading.theta + sign * length * direction]
                settled = _settle(spec, start, reading.nullity)
                if settled is None or float(abs(settled.loss - arb(reading.loss))) > NULL_CURVATURE:
                    continue
                if abs(float((settled.theta - reading.theta) @ direction)) >= length / 2:
                    found = _reading(Kind.FLAT, settled.theta, settled)
                    break
            out.append(found)
    return tuple(out)


def run_away(spec: LandscapeSpec, theta: FloatArray, reading: Reading) -> Runaway:
    """What can be said of the way from theta (P,), where a search ended, to where `read_point` pursued it."""
    way = reading.theta - theta
    direction = way / np.linalg.norm(way)
    with working_precision(BITS):
        ray = []
        for distance in RAY:
            place = _at(spec, [arb(t) for t in theta + distance * direction])
            if place is not None:
                slope = sum((g * arb(d) for g, d in zip(place.gradient, direction, strict=True)), arb(0))
                norm = float(np.linalg.norm(place.theta))
                ray.append((norm, float(place.loss), float(slope)))
        return Runaway(
            direction=direction,
            ray=tuple(ray),
            limit=reading.loss,
            monotone=_monotone(spec, theta, direction),
            radius=_empty_radius(spec, theta),
        )


def _monotone(spec: LandscapeSpec, theta: FloatArray, direction: FloatArray) -> Verdict:
    """Whether the slope along the ray is proved to keep its sign from theta to the last distance of `RAY`."""
    signs = set()
    half = RAY[-1] / RAY_PIECES / 2
    for piece in range(RAY_PIECES):
        middle = arb((2 * piece + 1) * half, half)
        box = [arb(t) + middle * arb(d) for t, d in zip(theta, direction, strict=True)]
        gradient = evaluate_balls(gradient_program(spec), box).gradient
        slope = sum((g * arb(d) for g, d in zip(gradient, direction, strict=True)), arb(0))
        if not slope.is_finite() or slope.contains(0):
            return Verdict.UNDECIDED
        signs.add(bool(slope < 0))
    return Verdict.CERTIFIED if len(signs) == 1 else Verdict.REFUTED


def _empty_radius(spec: LandscapeSpec, theta: FloatArray) -> float | None:
    """The largest half edge tried of a cube around theta that is proved to hold no stationary point."""
    layout = spec.layout
    last = [layout.weight(layout.n_layers), layout.biases(layout.n_layers)]
    radial = [p for block in last if block is not None for p in range(block.offset, block.offset + block.size)]
    best, radius = None, FIRST_RADIUS
    for _ in range(MOST_DOUBLINGS):
        box = cube([arb(t) for t in theta], arb(radius))
        gradient = evaluate_balls(gradient_program(spec), box).gradient
        # At a stationary point the last layer's parameters times their slopes add up to zero too.
        outward = sum((box[p] * gradient[p] for p in radial), arb(0))
        if not any(g.is_finite() and not g.contains(0) for g in (*gradient, outward)):
            break
        best, radius = radius, 2 * radius
    return best
