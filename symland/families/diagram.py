"""The bifurcation diagram: branches, the events between them, and what lies between two events.

Every class at one parameter begins a branch, followed both ways. An eigenvalue that changes sign outside of the fixed
space of a branch makes a branch point, from which new branches are entered along each axis of its kernel; a curve that
turns at such a point ends there. A class that a fresh search finds between two events, and that no branch holds, begins
a branch of its own: following alone cannot find a family that is not joined to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

import numpy as np

from symland.explore.identify import stationary_point
from symland.families.family import Family
from symland.families.spaces import Axis, axes, isotropy, projector
from symland.families.trace import LONGEST_STEP, Curve, End, Seed, Station, correct_at, hermite, solve_between, trace
from symland.records import FloatArray, StationaryPoint
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["Diagram", "Event", "Held", "Kind"]

SAME_EVENT = 1e-5
"""Difference of mu and of theta, relative to 1 + max |theta|, below which two located events are one."""

ALONG = 0.1
"""Distance from a branch point at which the two sides of an axis are told apart, in units of theta."""

AMPLITUDES = (0.03, 0.01, 0.003)
"""Distances along an axis at which a new branch is entered, in units of theta."""

NEAR_ZERO = 1e-3
"""Eigenvalues this many times smaller than the largest belong to the kernel of a located branch point."""

MOST_ROUNDS = 40
"""Rounds of entering new branches."""


class Kind(Enum):
    """What happens at an event."""

    FOLD = "fold"
    PITCHFORK = "pitchfork"
    TRANSCRITICAL = "transcritical"
    UNKNOWN = "unknown"


@dataclass(kw_only=True, eq=False)
class Event:
    """A point where the Hessian is singular, to float64.

    Attributes
    ----------
    theta, mu :
    direction : (P,) unit null vector; along the axis of the first new branch at a branch point
    elements : tuple of GroupElement
        The isotropy group of theta.
    kept : tuple of GroupElement
        Those that fix the direction.
    broken : GroupElement or None
        One that reverses it.
    kernel : (P, k)
    index : int
        Negative eigenvalues, those that vanish not counted.
    before, after : int
        Index of the curve on which it was found, on both sides.
    """

    kind: Kind
    theta: FloatArray
    mu: float
    direction: FloatArray
    elements: tuple[GroupElement, ...]
    kept: tuple[GroupElement, ...]
    broken: GroupElement | None
    kernel: FloatArray
    index: int
    before: int
    after: int
    axes: list[Axis] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """A stationary point at one parameter, the branch that holds it, and how often that turned before it."""

    branch: int
    sheet: int
    point: StationaryPoint


@dataclass(kw_only=True, eq=False)
class Diagram:
    """Branches over a range of mu, and their events.

    Attributes
    ----------
    bounds : (low, high)
    curves : list of Curve
    events : list of Event
    """

    family: Family
    group: SymmetryGroup
    bounds: tuple[float, float]
    curves: list[Curve] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    _scanned: int = 0
    _spaces: dict[tuple[GroupElement, ...], FloatArray] = field(default_factory=dict)

    # -- growing --------------------------------------------------------------------------------------------------

    def add_points(self, points: Sequence[FloatArray], mu: float) -> int:
        """Follow the classes at mu that no branch holds, and all branches that leave these; how many were new."""
        held = self.points_at(mu)
        fresh = [p for p in points if not any(self.group.match(p, h.point.theta) is not None for h in held)]
        seeds = []
        for theta in fresh:
            elements = isotropy(self.group, theta)
            start = projector(self.group, elements) @ theta
            for sign in (-1.0, 1.0):
                heading = np.append(np.zeros(len(theta)), sign)
                seeds.append(Seed(theta=start, mu=mu, heading=heading, elements=elements))
        halves = trace(self.family, self.group, seeds, self.bounds)
        for theta, back, forth in zip(fresh, halves[::2], halves[1::2], strict=True):
            if not any(self.group.match(theta, h.point.theta) is not None for h in self.points_at(mu)):
                self.curves.append(Curve.joined(back, forth))
        self._enter_all()
        return len(fresh)

    def _enter_all(self) -> None:
        for _ in range(MOST_ROUNDS):
            new = self.scan()
            if not new:
                return
            for event in new:
                for axis in event.axes:
                    self._enter(event, axis)

    def scan(self) -> list[Event]:
        """Locate the events of curves that were not looked at; those that are new."""
        new: list[Event] = []
        for curve in self.curves[self._scanned :]:
            space = self._space(curve.elements)
            for a, b in pairwise(curve.stations):
                event = self._event(curve, a, b, space)
                if event is None or any(self._same(event, other) for other in self.events):
                    continue
                self.events.append(event)
                new.append(event)
        self._scanned = len(self.curves)
        return new

    def _same(self, one: Event, other: Event) -> bool:
        if one.kind is not other.kind or abs(one.mu - other.mu) > SAME_EVENT:
            return False
        return self.group.match(one.theta, other.theta, 10 * SAME_EVENT) is not None

    def _event(self, curve: Curve, a: Station, b: Station, space: FloatArray) -> Event | None:
        turn = (a.tangent[-1] > 0) != (b.tangent[-1] > 0)
        if turn and a.fixed != b.fixed:
            at = solve_between(self.family, a, b, space, "turn")
            direction = at.tangent[:-1] / np.linalg.norm(at.tangent[:-1])
            return Event(
                kind=Kind.FOLD,
                theta=at.theta,
                mu=at.mu,
                direction=direction,
                elements=curve.elements,
                kept=curve.elements,
                broken=None,
                kernel=direction[:, None],
                index=min(a.fixed, b.fixed) + b.broken,
                before=a.index,
                after=b.index,
            )
        if a.broken == b.broken or turn:
            return None
        at = solve_between(self.family, a, b, space, "break")
        _, hessian, _ = self.family.derivatives(at.theta[None], np.array([at.mu]))
        rest = np.eye(len(at.theta)) - space
        _, vectors = np.linalg.eigh(rest @ hessian[0] @ rest + space)
        first = min(a.broken, b.broken)
        kernel = vectors[:, first : max(a.broken, b.broken)]
        lines = axes(self.group, curve.elements, kernel)
        kind = Kind.UNKNOWN if not lines else Kind.PITCHFORK if lines[0].broken is not None else Kind.TRANSCRITICAL
        main = lines[0] if lines else Axis(direction=kernel[:, 0], kept=(self.group.identity,), broken=None)
        return Event(
            kind=kind,
            theta=at.theta,
            mu=at.mu,
            direction=main.direction,
            elements=curve.elements,
            kept=main.kept,
            broken=main.broken,
            kernel=kernel,
            index=a.fixed + first,
            before=a.index,
            after=b.index,
            axes=lines,
        )

    def _enter(self, event: Event, axis: Axis) -> None:
        """Follow the branch that leaves a branch point along an axis, unless a curve that ends there is its copy."""
        for sign in (1.0,) if axis.broken is not None else (1.0, -1.0):
            direction = sign * axis.direction
            if any(self._arrives(curve, event, direction) for curve in self.curves):
                continue
            seed = self._seed(event, direction, axis.kept)
            if seed is None:
                continue
            curve = trace(self.family, self.group, [seed], self.bounds)[0]
            origin = Station(theta=event.theta, mu=event.mu, tangent=np.append(direction, 0.0), fixed=0, broken=0)
            first = curve.stations[0]
            curve.stations.insert(0, Station(**{**vars(origin), "fixed": first.fixed, "broken": first.broken}))
            curve.first = End.MERGED
            middle = curve.stations[len(curve.stations) // 2]
            known = self.points_at(middle.mu)
            if not any(self.group.match(middle.theta, h.point.theta) is not None for h in known):
                self.curves.append(curve)

    def _arrives(self, curve: Curve, event: Event, direction: FloatArray) -> bool:
        ends = [curve.stations[0]] * (curve.first is End.MERGED) + [curve.stations[-1]] * (curve.last is End.MERGED)
        for end in ends:
            if abs(end.mu - event.mu) > SAME_EVENT:
                continue
            along = end.tangent[:-1] / np.linalg.norm(end.tangent[:-1])
            for sign in (1.0, -1.0):
                pushed = end.theta + sign * ALONG * along
                if self.group.match(pushed, event.theta + ALONG * direction, 1e-3) is not None:
                    return True
        return False

    def _seed(self, event: Event, direction: FloatArray, kept: tuple[GroupElement, ...]) -> Seed | None:
        """The point of the new branch at a given distance along the axis."""
        from symland.families.trace import _correct

        space = projector(self.group, kept)[None]
        row = np.append(direction, 0.0)[None]
        for amplitude in AMPLITUDES:
            guess = event.theta + amplitude * direction
            theta, mu, done, _, _ = _correct(self.family, guess[None], np.array([event.mu]), row, space)
            if done[0] and abs(float(mu[0]) - event.mu) < 10 * amplitude:
                return Seed(theta=theta[0], mu=float(mu[0]), heading=row[0], elements=kept)
        return None

    # -- reading --------------------------------------------------------------------------------------------------

    def _space(self, elements: tuple[GroupElement, ...]) -> FloatArray:
        """The projector on what elements fix; few groups have many curves."""
        if elements not in self._spaces:
            self._spaces[elements] = projector(self.group, elements)
        return self._spaces[elements]

    def points_at(self, mu: float, index: int | None = None) -> list[Held]:
        """The classes that the branches hold at mu, each once; only those of an index, if one is given."""
        guesses, spaces, owners = [], [], []
        for number, curve in enumerate(self.curves):
            crossings = [
                (k, a, b, s)
                for k, a, b in _near(curve, mu)
                if index is None or index in (a.index, b.index)
                for s in _crossings(a, b, mu)
            ]
            if not crossings:
                continue
            turns = np.cumsum([0, *((a.tangent[-1] > 0) != (b.tangent[-1] > 0) for a, b in pairwise(curve.stations))])
            for k, a, b, s in crossings:
                guess, along = hermite(a, b, s)
                guesses.append(guess[:-1])
                spaces.append(self._space(curve.elements))
                owners.append((number, int(turns[k]) + int((along[-1] > 0) != (a.tangent[-1] > 0))))
        if not guesses:
            return []
        start = np.array(guesses)
        theta, done = correct_at(self.family, start, np.full(len(start), mu), np.array(spaces))
        kernel = self.family.at(mu)
        found: list[Held] = []
        losses: list[float] = []
        for owner, point, good in zip(owners, theta, done, strict=True):
            if not good:
                continue
            loss = float(self.family.value(point[None], np.array([mu]))[0])
            if any(
                abs(loss - known) <= 1e-9 and self.group.match(point, held.point.theta) is not None
                for known, held in zip(losses, found, strict=True)
            ):
                continue
            record = stationary_point(kernel, self.group, point)
            if index is not None and record.index != index:
                continue
            found.append(Held(branch=owner[0], sheet=owner[1], point=record))
            losses.append(loss)
        return found

    @property
    def values(self) -> list[float]:
        """mu of the events, ascending."""
        return sorted(event.mu for event in self.events)

    def gaps(self) -> list[tuple[float, float]]:
        """The intervals of mu between events, ascending."""
        inside = [mu for mu in self.values if self.bounds[0] < mu < self.bounds[1]]
        return list(pairwise([self.bounds[0], *inside, self.bounds[1]]))

    def search(self, look: Callable[[float, FloatArray], Sequence[FloatArray]]) -> int:
        """Search anew in the middle of every interval, with a function that finds points from mu and the known ones."""
        new = 0
        for low, high in self.gaps():
            middle = 0.5 * (low + high)
            known = np.array([h.point.theta for h in self.points_at(middle)])
            new += self.add_points(look(middle, known), middle)
        return new


def _near(curve: Curve, mu: float) -> list[tuple[int, Station, Station]]:
    """Neighbouring stations near mu or on both sides of it, with the number of the first."""
    away = np.array([s.mu for s in curve.stations]) - mu
    close = np.abs(away) <= LONGEST_STEP
    chosen = np.flatnonzero(close[:-1] | close[1:] | (away[:-1] * away[1:] <= 0))
    return [(int(k), curve.stations[k], curve.stations[k + 1]) for k in chosen]


def _crossings(a: Station, b: Station, mu: float) -> list[float]:
    """Where the cubic through two stations reaches mu: parameters in [0, 1)."""
    low, high = min(a.mu, b.mu), max(a.mu, b.mu)
    if (a.tangent[-1] > 0) == (b.tangent[-1] > 0) and not low <= mu <= high:
        return []
    length = float(np.linalg.norm(np.append(b.theta - a.theta, b.mu - a.mu)))
    if mu < low - length or mu > high + length:
        return []
    u, v = a.tangent[-1] * length, b.tangent[-1] * length
    rise = b.mu - a.mu
    roots = np.roots([u + v - 2 * rise, 3 * rise - 2 * u - v, u, a.mu - mu])
    real = roots.real[np.abs(roots.imag) < 1e-9]
    return [float(s) for s in real if 0.0 <= s < 1.0]
