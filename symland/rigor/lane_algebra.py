"""The algebra of outward-rounded intervals of doubles, one lane for each of many boxes.

It encloses what `symland.program.balls` encloses, wider by rounding in float64, for thousands of boxes at once: the
intervals and the elementary functions are those of `symland.rigor.enumeration.lanes`, with the error bounds proved
there. A function that is not among them is evaluated in Arb, lane by lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from symland.program.algebra import Algebra
from symland.program.balls import BallAlgebra
from symland.records import FloatArray
from symland.rigor.enumeration.lanes import (
    Interval,
    above,
    below,
    exponential_range,
    larger,
    smaller,
    tanh_range,
)

__all__ = ["LaneAlgebra", "interval_of"]

LARGEST_EXPONENT = 690.0
"""Size of an argument up to which the exponential of the lanes is used."""


def interval_of(ball: arb) -> Interval:
    """The narrowest interval of doubles that surely holds a ball; both ends are infinite where it is not finite."""
    if not ball.is_finite():
        return Interval(np.float64(-np.inf), np.float64(np.inf))
    low, high = ball.lower(), ball.upper()
    a, b = np.float64(float(low)), np.float64(float(high))
    return Interval(a if arb(float(a)) <= low else below(a), b if arb(float(b)) >= high else above(b))


class LaneAlgebra(Algebra[Interval]):
    """Numbers are `Interval`, whose ends are float64 arrays of one shape, or broadcast to it."""

    def __init__(self) -> None:
        self._balls = BallAlgebra()

    def constant(self, value: Fraction) -> Interval:
        near = np.float64(float(value))
        return Interval.point(near) if Fraction(float(near)) == value else Interval(below(near), above(near))

    def primitive(self, op: str, args: Sequence[Interval], value: Fraction | None) -> Interval:
        x = args[0]
        match op:
            case "tanh":
                return tanh_range(x).value
            case "sech2":
                return tanh_range(x).slope
            case "logistic":
                # (1 + tanh(x / 2)) / 2
                half = tanh_range(x.scaled(0.5)).value + Interval.point(np.float64(1.0))
                return Interval(larger(half.lo * 0.5, 0.0), smaller(half.hi * 0.5, 1.0))
            case "exp" if np.all(x.hi <= LARGEST_EXPONENT):
                low = exponential_range(larger(x.lo, -LARGEST_EXPONENT)).lo
                high = exponential_range(larger(x.hi, -LARGEST_EXPONENT)).hi
                return Interval(np.where(x.lo < -LARGEST_EXPONENT, 0.0, low), high)
            case "div" if np.all(args[1].lo > 0):
                return x.over_positive(args[1])
            case "power" if value == 2:
                return x.square()
        return self._lane_by_lane(op, args, value)

    def _lane_by_lane(self, op: str, args: Sequence[Interval], value: Fraction | None) -> Interval:
        ends: list[FloatArray] = [np.asarray(end) for x in args for end in (x.lo, x.hi)]
        table = np.broadcast_arrays(*ends)
        low, high = np.empty(table[0].shape), np.empty(table[0].shape)
        for place in np.ndindex(table[0].shape):
            balls = [self._ball(float(a[place]), float(b[place])) for a, b in zip(table[::2], table[1::2], strict=True)]
            found = interval_of(self._balls.primitive(op, balls, value))
            low[place], high[place] = found.lo, found.hi
        return Interval(low, high)

    @staticmethod
    def _ball(low: float, high: float) -> Any:
        return arb(low).union(arb(high)) if low <= high and np.isfinite([low, high]).all() else arb(0, float("inf"))
