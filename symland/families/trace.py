"""Branches of stationary points, followed by pseudo-arclength through folds, many at once.

With P the projector on the fixed space of a branch's isotropy group without the gauge, the curve P grad E = 0 is
followed in the variables (theta, mu). The tangent solves

    [ P H P + (I - P)   P dg/dmu ]
    [     t_theta^T       t_mu   ]  t' = (0, 1),

t being the tangent before; the corrector is Newton's method on the curve and the plane through the predicted point
(Keller 1977). The last row makes the matrix regular at folds. A branch keeps its isotropy: no step leaves the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from symland.families.family import Family
from symland.families.spaces import isotropy, projector
from symland.records import FloatArray
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["LONGEST_STEP", "Curve", "End", "Seed", "Station", "correct_at", "hermite", "solve_between", "trace"]

FIRST_STEP, LONGEST_STEP, SHORTEST_STEP = 0.01, 0.08, 1e-7
"""Steps in the arclength of (theta, mu)."""

EVENT_STEP = 2e-4
"""A step that holds more than one event is halved down to this length."""

LEAST_COSINE = 0.998
"""Cosine of the angle between the tangents of two neighbouring points, at least."""

RESIDUAL = 1e-11
"""|P grad E|_inf at a point of a branch, at most."""

CORRECTIONS = 6
"""Newton steps of one correction."""

STRAY = 0.3
"""Largest distance of a corrected point from the predicted one, in units of the step."""

MOST_STEPS = 6000
"""Steps of one half of a branch."""

LOCATED = 1e-9
"""Arclength to which an event is located in float64."""


class End(Enum):
    """How one end of a curve came about."""

    BOUND = "the parameter reached its bound"
    MERGED = "it joins a branch of more symmetry at a branch point"
    CLOSED = "it returned to its start"
    STUCK = "no step converged: the point is degenerate in a way that is not known here"
    LONG = "its steps ran out"


@dataclass(frozen=True, kw_only=True, eq=False)
class Station:
    """A point of a curve: theta, mu, the unit tangent (P + 1), negative eigenvalues in the fixed space and outside."""

    theta: FloatArray
    mu: float
    tangent: FloatArray
    fixed: int
    broken: int

    @property
    def index(self) -> int:
        """Negative eigenvalues of the Hessian."""
        return self.fixed + self.broken

    def reversed(self) -> Station:
        """The same point, passed the other way."""
        return Station(theta=self.theta, mu=self.mu, tangent=-self.tangent, fixed=self.fixed, broken=self.broken)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seed:
    """Where a half of a curve begins: a point on it, a vector (P + 1) along which it leaves, and its isotropy group."""

    theta: FloatArray
    mu: float
    heading: FloatArray
    elements: tuple[GroupElement, ...]


@dataclass(kw_only=True, eq=False)
class Curve:
    """A branch: its stations in order, its isotropy group, and how its two ends came about."""

    elements: tuple[GroupElement, ...]
    stations: list[Station] = field(default_factory=list)
    first: End = End.BOUND
    last: End = End.LONG

    @classmethod
    def joined(cls, back: Curve, forth: Curve) -> Curve:
        """One curve from its two halves, which begin at the same point."""
        if back.last is End.CLOSED:
            return Curve(elements=back.elements, stations=back.stations, first=End.CLOSED, last=End.CLOSED)
        stations = [s.reversed() for s in reversed(back.stations[1:])] + forth.stations
        return Curve(elements=forth.elements, stations=stations, first=back.last, last=forth.last)


Bools = NDArray[np.bool_]


def _bordered(hessian: FloatArray, slope: FloatArray, row: FloatArray, space: FloatArray) -> FloatArray:
    n, p = slope.shape
    matrix = np.empty((n, p + 1, p + 1))
    matrix[:, :p, :p] = space @ hessian @ space + (np.eye(p) - space)
    matrix[:, :p, p] = np.einsum("nij,nj->ni", space, slope)
    matrix[:, p, :] = row
    return matrix


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.solve(matrix, right[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.einsum("nij,nj->ni", np.linalg.pinv(matrix), right), dtype=np.float64)


def _correct(
    family: Family, theta: FloatArray, mu: FloatArray, row: FloatArray, space: FloatArray
) -> tuple[FloatArray, FloatArray, Bools, FloatArray, FloatArray]:
    """Newton's method on the curve and the plane `row` . (theta, mu) = constant.

    Returns theta, mu, whether it converged, and Hessian and slope there.
    """
    theta, mu = theta.copy(), mu.copy()
    n, p = theta.shape
    done = np.zeros(n, dtype=bool)
    hessian, slope = np.zeros((n, p, p)), np.zeros((n, p))
    before = np.full(n, np.inf)
    active = np.arange(n)
    for _ in range(CORRECTIONS + 1):
        g, h, s = family.derivatives(theta[active], mu[active])
        hessian[active], slope[active] = h, s
        g = np.einsum("nij,nj->ni", space[active], g)
        size = np.abs(g).max(axis=1, initial=0.0)
        # One step beyond the tolerance leaves the error at rounding.
        done[active] |= (size <= RESIDUAL) & (before[active] <= 1e3 * RESIDUAL)
        going = ~((size <= 1e-14) | done[active]) & np.isfinite(size) & (size < 10.0 * before[active] + 1.0)
        done[active] |= size <= 1e-14
        before[active] = size
        active, g, h, s = active[going], g[going], h[going], s[going]
        if not active.size:
            break
        right = np.concatenate([-g, np.zeros((len(active), 1))], axis=1)
        move = _solve(_bordered(h, s, row[active], space[active]), right)
        theta[active] += move[:, :p]
        mu[active] += np.clip(move[:, p], -1.0, 1.0)
    return theta, mu, done, hessian, slope


def _tangents(hessian: FloatArray, slope: FloatArray, row: FloatArray, space: FloatArray) -> FloatArray:
    unit = np.zeros_like(row)
    unit[:, -1] = 1.0
    tangent = _solve(_bordered(hessian, slope, row, space), unit)
    found: FloatArray = tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    return found


def _signs(hessian: FloatArray, space: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Negative eigenvalues in the fixed space, and outside of it."""
    rest = np.eye(space.shape[-1]) - space
    inside = np.linalg.eigvalsh(space @ hessian @ space + rest)
    outside = np.linalg.eigvalsh(rest @ hessian @ rest + space)
    return (inside < 0).sum(axis=1), (outside < 0).sum(axis=1)


def correct_at(family: Family, theta: FloatArray, mu: FloatArray, space: FloatArray) -> tuple[FloatArray, Bools]:
    """The points of the curves at fixed mu near theta, and whether they were found."""
    row = np.zeros((len(theta), theta.shape[1] + 1))
    row[:, -1] = 1.0
    found, _, done, _, _ = _correct(family, theta, mu, row, space)
    return found, done


def hermite(a: Station, b: Station, s: float) -> tuple[FloatArray, FloatArray]:
    """The point (P + 1) and its derivative of the cubic through two stations, at s in [0, 1]."""
    start, end = np.append(a.theta, a.mu), np.append(b.theta, b.mu)
    length = float(np.linalg.norm(end - start))
    u, v = a.tangent * length, b.tangent * length
    c2, c3 = 3 * (end - start) - 2 * u - v, 2 * (start - end) + u + v
    return start + s * (u + s * (c2 + s * c3)), u + s * (2 * c2 + 3 * s * c3)


def _between(family: Family, a: Station, b: Station, s: float, space: FloatArray) -> Station | None:
    point, along = hermite(a, b, s)
    row = (along / np.linalg.norm(along))[None]
    theta, mu, done, hessian, slope = _correct(family, point[None, :-1], point[-1:], row, space[None])
    if not done[0]:
        return None
    tangent = _tangents(hessian, slope, row, space[None])[0]
    fixed, broken = _signs(hessian, space[None])
    return Station(theta=theta[0], mu=float(mu[0]), tangent=tangent, fixed=int(fixed[0]), broken=int(broken[0]))


def solve_between(family: Family, a: Station, b: Station, space: FloatArray, measure: str) -> Station:
    """The point between two stations where a measure of the curve vanishes, by false position of Illinois type.

    "turn" is the tangent's component along mu, "break" the eigenvalue that changes sign outside of the fixed space.
    """
    p = len(a.theta)
    rest = np.eye(p) - space
    lower = min(a.broken, b.broken)

    def read(station: Station) -> float:
        if measure == "turn":
            return float(station.tangent[-1])
        _, hessian, _ = family.derivatives(station.theta[None], np.array([station.mu]))
        return float(np.linalg.eigvalsh(rest @ hessian[0] @ rest + space)[lower])

    low, high = 0.0, 1.0
    f_low, f_high = read(a), read(b)
    length = float(np.linalg.norm(np.append(b.theta - a.theta, b.mu - a.mu)))
    best = a if abs(f_low) < abs(f_high) else b
    least = min(abs(f_low), abs(f_high))
    for _ in range(40):
        s = (low * f_high - high * f_low) / (f_high - f_low) if f_high != f_low else 0.5 * (low + high)
        station = _between(family, a, b, s, space)
        if station is None:
            s = 0.5 * (low + high)
            station = _between(family, a, b, s, space)
            if station is None:
                break
        f = read(station)
        if abs(f) < least:
            best, least = station, abs(f)
        if (f > 0) == (f_high > 0):
            high, f_high, f_low = s, f, 0.5 * f_low
        else:
            low, f_low, f_high = s, f, 0.5 * f_high
        if (high - low) * length < LOCATED or abs(f) < 1e-13:
            break
    return best


@dataclass(kw_only=True, eq=False)
class _Front:
    """The growing half curves."""

    curve: Curve
    space: FloatArray
    order: int
    step: float = FIRST_STEP
    taken: int = 0
    leave: FloatArray = field(default_factory=lambda: np.zeros(0))


def trace(family: Family, group: SymmetryGroup, seeds: Sequence[Seed], bounds: tuple[float, float]) -> list[Curve]:
    """One half curve for each seed, until it reaches a bound of mu, joins a branch of more symmetry, or closes."""
    fronts = []
    for seed in seeds:
        space = projector(group, seed.elements)
        fronts.append(_Front(curve=Curve(elements=seed.elements), space=space, order=len(seed.elements)))
    if not seeds:
        return []
    theta, mu = np.array([s.theta for s in seeds]), np.array([s.mu for s in seeds])
    heading = np.array([s.heading for s in seeds])
    space = np.array([f.space for f in fronts])
    _, hessian, slope = family.derivatives(theta, mu)
    tangent = _tangents(hessian, slope, heading, space)
    fixed, broken = _signs(hessian, space)
    for k, front in enumerate(fronts):
        front.curve.stations.append(
            Station(theta=theta[k], mu=float(mu[k]), tangent=tangent[k], fixed=int(fixed[k]), broken=int(broken[k]))
        )
    active = list(fronts)
    while active:
        active = _advance(family, group, active, bounds)
    return [front.curve for front in fronts]


def _advance(family: Family, group: SymmetryGroup, fronts: list[_Front], bounds: tuple[float, float]) -> list[_Front]:
    """One step of every front; those that go on."""
    last = [f.curve.stations[-1] for f in fronts]
    tangent = np.array([s.tangent for s in last])
    step = np.array([f.step for f in fronts])
    space = np.array([f.space for f in fronts])
    guess = np.array([np.append(s.theta, s.mu) for s in last]) + step[:, None] * tangent
    theta, mu, done, hessian, slope = _correct(family, guess[:, :-1], guess[:, -1], tangent, space)
    moved = np.concatenate([theta, mu[:, None]], axis=1)
    new = _tangents(hessian, slope, tangent, space)
    cosine = np.einsum("ni,ni->n", new, tangent)
    done &= (cosine > LEAST_COSINE) & (np.linalg.norm(moved - guess, axis=1) <= STRAY * step)
    fixed, broken = _signs(hessian, space)
    going = []
    for k, front in enumerate(fronts):
        station = Station(theta=theta[k], mu=float(mu[k]), tangent=new[k], fixed=int(fixed[k]), broken=int(broken[k]))
        if _step(family, group, front, station, bool(done[k]), bounds):
            going.append(front)
        elif front.curve.last is End.LONG and front.taken < MOST_STEPS:
            front.curve.last = End.STUCK
    return going


def _end_station(old: Station, located: Station) -> Station:
    """The branch point at which a curve ends: it counts and heads like the station before."""
    tangent = located.tangent.copy()
    tangent[-1] = np.copysign(tangent[-1], old.tangent[-1])
    return Station(theta=located.theta, mu=located.mu, tangent=tangent, fixed=old.fixed, broken=old.broken)


def _step(
    family: Family, group: SymmetryGroup, front: _Front, new: Station, good: bool, bounds: tuple[float, float]
) -> bool:
    """Accept a step or shorten it; False at the end of the curve."""
    old = front.curve.stations[-1]
    if not good:
        front.step *= 0.5
        return front.step > SHORTEST_STEP
    turn = (old.tangent[-1] > 0) != (new.tangent[-1] > 0)
    inside, outside = abs(new.fixed - old.fixed), abs(new.broken - old.broken)
    clean = (
        (inside == turn and outside == 0)
        or (inside == 0 and outside <= 1 and not turn)
        or (turn and not inside and not outside)
    )
    if not clean and front.step > EVENT_STEP:
        front.step *= 0.5
        return True
    if turn and not inside:
        located = solve_between(family, old, new, front.space, "turn")
        if len(isotropy(group, located.theta)) > front.order:
            front.curve.stations.append(_end_station(old, located))
            front.curve.last = End.MERGED
            return False
        if front.step > EVENT_STEP:
            front.step *= 0.5
            return True
    stations = front.curve.stations
    stations.append(new)
    front.taken += 1
    front.step = min(1.3 * front.step, LONGEST_STEP)
    if not bounds[0] < new.mu < bounds[1]:
        front.curve.last = End.BOUND
        return False
    start = stations[0]
    gap = np.append(new.theta - start.theta, new.mu - start.mu)
    if len(stations) > 10 and float(np.linalg.norm(gap)) < LONGEST_STEP and float(new.tangent @ start.tangent) > 0.9:
        length = float(gap @ start.tangent)
        if abs(length) <= front.step and float(np.linalg.norm(gap - length * start.tangent)) < 0.1 * LONGEST_STEP:
            stations[-1] = start
            front.curve.last = End.CLOSED
            return False
    return front.taken < MOST_STEPS
