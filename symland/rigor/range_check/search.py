"""All points with one node for every kappa of an interval: boxes of z are contracted, held by a cube, or halved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import SLACK, Booleans, Fields, near_inverse
from symland.rigor.enumeration_check.joint import contract_outputs, gradient, hessian, solve_jointly
from symland.rigor.enumeration_check.points import copies
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, ball
from symland.rigor.range_check.folds import Tract, find_run
from symland.rigor.range_check.middles import AtKappa, index_of

__all__ = ["Cube", "Span", "exhausted", "find_home"]

RADII = tuple(0.2 * 0.8**k for k in range(32))
"""Half edges (weights) of cubes that are tried, the largest first."""
NEWTON_STEPS = 30
SETTLED = 1e-9
"""Longest last step of Newton's method."""
LANES = 3_000_000
"""Boxes examined before a search is given up."""
CHUNK = 4096
"""Boxes examined in one call."""
LEAST_WIDTH = 1e-5
"""A box of which no width is larger is given up."""


@dataclass(frozen=True)
class _Divided(Fields):
    """The equations divided by kappa: mu A z - g(z) = 0, mu = 1 / kappa.

    In A z - kappa g(z) the terms of g would each be multiplied by the interval kappa before they cancel.
    """

    factor: Balls

    def weighed(self, part: Balls) -> Balls:
        return part * self.factor


@dataclass(frozen=True, eq=False)
class Span:
    """An interval of kappa with one node: the question, fields with kappa an interval, and the joint equations.

    From kappa = 0 on these are not divided.
    """

    question: AtKappa
    each: Fields
    joint: Fields

    @staticmethod
    def of(question: Question, low: Fraction, high: Fraction) -> Span:
        """For kappa from low to high."""
        least = replace(question, penalty=1 / (high * question.samples))
        here = AtKappa.of(least, ball(low).union(ball(high)))
        each = Fields(here, 1)
        if not low:
            return Span(here, each, each)
        mu = [float(1 / high), float(1 / low)]
        ends = np.array([mu[0] * (1 - 2.0**-50)]), np.array([mu[1] * (1 + 2.0**-50)])
        return Span(here, each, _Divided(AtKappa.of(least, arb(1)), 1, Balls.between(*ends)[0]))


@dataclass(frozen=True)
class Cube:
    """For every kappa of the interval exactly one point lies in the cube; the Hessian is nonsingular all over it."""

    centre: Point
    radius: float


def _newton(fields: Fields, z: Doubles) -> Doubles | None:
    """A point for the middle kappa, near z; no claim."""
    for _ in range(NEWTON_STEPS):
        inverse = near_inverse(hessian(fields, Balls.exact(z[None])).mid)[0]
        step = inverse @ gradient(fields, z[None]).mid[0]
        z = z - step
        if not np.isfinite(z).all() or np.abs(z).max() > 1e3:
            return None
        if np.abs(step).max() < SETTLED:
            return z
    return None


def find_home(span: Span, low: Fraction, high: Fraction, start: Sequence[float]) -> tuple[Point, Cube | Tract] | None:
    """A point for the middle kappa, and a region that holds exactly one point for every kappa: a cube or a run."""
    z = _newton(span.joint, np.array(start))
    if z is None:
        return None
    point: Point = tuple(z.tolist())
    run = find_run(span.question, point, low, high) if low else None
    home = _cube(span, z) if run is None else run
    return None if home is None else (point, home)


def _cube(span: Span, z: Doubles) -> Cube | None:
    """The largest cube about a point in which Krawczyk's test holds for every kappa."""
    radii = np.array(RADII)
    size = np.repeat(radii[:, None], len(z), axis=1)
    centres = np.repeat(z[None], len(radii), axis=0)
    inverse = Balls.exact(near_inverse(hessian(span.joint, Balls.exact(centres)).mid))
    rest = Balls.exact(np.eye(len(z))) - inverse @ hessian(span.joint, Balls(centres, size))
    move = (inverse @ gradient(span.joint, centres)[:, :, None])[:, :, 0]
    image = ((rest.size @ size[:, :, None])[:, :, 0] + move.size) * SLACK
    for k in np.flatnonzero((image < size).all(axis=1)):
        if index_of(span.question, [arb(float(x), float(radii[k])) for x in z]) is not None:
            return Cube(tuple(z.tolist()), float(radii[k]))
    return None


def _held(z: Doubles, low: Doubles, high: Doubles, tracts: Sequence[Tract], question: Question) -> Booleans:
    """Which boxes (2, k, size) lie in a cube or in the region of a fold, up to symmetry."""
    found = np.zeros(z.shape[1], dtype=bool)
    for a, b in zip(low, high, strict=True):
        found |= ((z[0] > a) & (z[1] < b)).all(axis=1)
    for tract in tracts:
        found |= tract.holds(question, z)
    return found


def exhausted(span: Span, cubes: Sequence[Cube], tracts: Sequence[Tract] = ()) -> bool:
    """Whether every point of one node, for every kappa, lies in a cube or in the region of a fold, up to symmetry."""
    question, fields = span.question, span.each
    before, ctx.prec = ctx.prec, PRECISION
    try:
        rows = [(image, cube.radius) for cube in cubes for image in copies(question, cube.centre)]
        centres = np.array([image for image, _ in rows]).reshape(len(rows), question.width + 2)
        radii = np.array([radius for _, radius in rows])[:, None] * (1 - 2.0**-30)
        low, high = centres - radii, centres + radii
        energy = fields.energy
        reach = energy**0.5 * (1 + 2.0**-30)
        first = np.concatenate([fields.first_state(energy), [[-reach], [reach]]], axis=1)[:, None]
        most = float(question.kappa.upper()) * (1 + 2.0**-40)
        pulls = [[0.0, most] if s > 0 else [-most, 0.0] for s in question.signs]
        box = np.array([*pulls, [-reach, reach]]).T[:, None]
        stack, lanes = [(first, box)], 0
        while stack:
            z, where = stack.pop()
            while stack and z.shape[1] < CHUNK:
                more = stack.pop()
                z, where = np.concatenate([z, more[0]], axis=1), np.concatenate([where, more[1]], axis=1)
            if z.shape[1] > CHUNK:
                stack.append((z[:, :-CHUNK], where[:, :-CHUNK]))
                z, where = z[:, -CHUNK:], where[:, -CHUNK:]
            lanes += z.shape[1]
            if lanes > LANES:
                return False
            for _ in range(2):
                z, where, dead = contract_outputs(fields, z, where)
                z, where = z[:, ~dead], where[:, ~dead]
            z, dead, smear = solve_jointly(span.joint, z)
            kept = ~dead
            kept[kept] = ~_held(z[:, kept], low, high, tracts, question)
            z, where, smear = z[:, kept], where[:, kept], smear[kept]
            if not z.shape[1]:
                continue
            # What is not a number is not wide.
            if not ((z[1] - z[0]).max(axis=1) > LEAST_WIDTH).all():
                return False
            k, axis = np.arange(z.shape[1]), smear.argmax(axis=1)
            middle = z[0, k, axis] * 0.5 + z[1, k, axis] * 0.5
            left, right = z.copy(), z
            left[1, k, axis] = middle
            right[0, k, axis] = middle
            stack.append((np.concatenate([left, right], axis=1), np.concatenate([where, where], axis=1)))
        return True
    finally:
        ctx.prec = before
