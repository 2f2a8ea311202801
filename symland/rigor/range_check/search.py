"""All points for every kappa of an interval: boxes are followed with kappa one of their variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import SLACK, Fields, near_inverse
from symland.rigor.enumeration_check.follow import follow
from symland.rigor.enumeration_check.joint import gradient, hessian
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, ball
from symland.rigor.range_check.folds import Tract, find_run
from symland.rigor.range_check.homes import Homes, Part
from symland.rigor.range_check.middles import AtKappa

__all__ = ["Span", "exhausted", "find_home"]

RADII = tuple(0.2 * 0.8**k for k in range(32))
"""Half edges (weights) of cubes that are tried, the largest first."""
NEWTON_STEPS = 30
CORE_STEPS = 20
"""Images of images of a cube."""
SETTLED = 1e-9
"""Longest last step of Newton's method."""
LIMIT = 20_000_000
"""Boxes examined before a search is given up."""
NARROWER = Fraction(10, 11)
"""Share of its upper end that is the lower end of an interval of kappa which is searched at once, ..."""
LOWEST = Fraction(1, 8)
"""... and share of the first upper end below which the rest is."""


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
    """An interval of kappa: the question, fields with kappa an interval, and the joint equations.

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
        each = Fields(here, question.nodes)
        if not low:
            return Span(here, each, each)
        mu = [float(1 / high), float(1 / low)]
        ends = np.array([mu[0] * (1 - 2.0**-50)]), np.array([mu[1] * (1 + 2.0**-50)])
        one = AtKappa.of(least, arb(1))
        return Span(here, each, _Divided(one, question.nodes, Balls.between(*ends)[0]))


def _newton(fields: Fields, z: Doubles) -> Doubles | None:
    """A point near z; no claim."""
    for _ in range(NEWTON_STEPS):
        inverse = near_inverse(hessian(fields, Balls.exact(z[None])).mid)[0]
        step = inverse @ gradient(fields, z[None]).mid[0]
        z = z - step
        if not np.isfinite(z).all() or np.abs(z).max() > 1e3:
            return None
        if np.abs(step).max() < SETTLED:
            return z
    return None


def find_home(span: Span, low: Fraction, high: Fraction, start: Sequence[float]) -> tuple[Point, Tract] | None:
    """A point for the middle kappa, and a region that holds exactly one point for every kappa: a cube or a run."""
    middle = replace(span.question, value=ball((low + high) / 2))
    z = _newton(Fields(middle, middle.nodes), np.array(start))
    if z is None:
        return None
    point: Point = tuple(z.tolist())
    home = _cube(span, z)
    if home is None and low:
        home = find_run(span.question, point, low, high)
    return None if home is None else (point, home)


def _image(span: Span, z: Doubles, size: Doubles) -> Doubles:
    """Half widths about z of Krawczyk's image of boxes z +- size (k, length)."""
    centres = np.repeat(z[None], len(size), axis=0)
    inverse = Balls.exact(near_inverse(hessian(span.joint, Balls.exact(centres)).mid))
    rest = Balls.exact(np.eye(len(z))) - inverse @ hessian(span.joint, Balls(centres, size))
    move = (inverse @ gradient(span.joint, centres)[:, :, None])[:, :, 0]
    return ((rest.size @ size[:, :, None])[:, :, 0] + move.size) * SLACK


def _cube(span: Span, z: Doubles) -> Tract | None:
    """The largest cube about a point in which Krawczyk's test holds for every kappa.

    Where |I - C J| r is less than r, C J is nonsingular, and so is J: all over the cube, for every kappa.
    """
    size = np.repeat(np.array(RADII)[:, None], len(z), axis=1)
    passed = np.flatnonzero((_image(span, z, size) < size).all(axis=1))
    if not len(passed):
        return None
    # What lies in a cube lies in its image.
    reach, core = size[passed[0]], size[passed[-1]]
    for _ in range(CORE_STEPS):
        core = _image(span, z, core[None])[0]
    return Tract(z, np.eye(len(z)), reach * (1 - 2.0**-30), np.stack([z - core * SLACK, z + core * SLACK]))


def _slices(low: Fraction, high: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """Intervals of kappa that join to [low, high], each searched by itself: boxes are narrower where kappa is."""
    top = high
    while top > low:
        bottom = low if top <= high * LOWEST else max(low, top * NARROWER)
        yield bottom, top
        top = bottom


def exhausted(question: Question, low: Fraction, high: Fraction, parts: Sequence[Part]) -> bool:
    """Whether every point, for every kappa from low to high, lies in a region of its part, up to symmetry.

    The parts join to the interval of kappa.
    """
    before, ctx.prec = ctx.prec, PRECISION
    try:
        return all(_finished(Span.of(question, *ends), parts) for ends in _slices(low, high))
    finally:
        ctx.prec = before


def _finished(span: Span, parts: Sequence[Part]) -> bool:
    fields = span.each
    reach = np.array([fields.scale[1]] * fields.question.samples + [2.0 * fields.energy**0.5])
    known = Homes(fields.question, span.joint, parts)
    return not follow(fields, known, np.stack([-reach, reach])[:, None], LIMIT).failed.any()
