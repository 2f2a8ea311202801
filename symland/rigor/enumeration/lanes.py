"""Outward-rounded intervals of doubles, a strip of lanes at a time.

The same text runs over NumPy arrays and, through :mod:`symland.rigor.enumeration.emit`, over LLVM vectors: a *lane
value* is whatever has ``+ - * /`` and comparisons.  No rounding mode is ever changed.  Every result is widened.

Why widening is enough.  Let ``r`` be the double nearest to an exact result ``x``; without underflow
|x - r| <= ulp(r)/2 <= 2^-53 |r|.  With e = fl(fl(|r| 2^-51) + TINY) >= 1.99 * 2^-52 |r| >= 1.99 ulp(r), rounding
r - e to nearest moves it by at most ulp(r), so fl(r - e) <= r - 0.99 ulp(r) < x.  When |r| is so small that a product
underflowed, the absolute error is below 2^-1074 and TINY covers it.  Hence ``below(r) < x < above(r)``.

Every quantity here stays far from overflow: callers clip what they divide by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDENING = 2.0**-51
"""Relative widening of one rounded operation (four times the unit roundoff)."""
TINY = 1e-290
"""Absolute widening, far above the smallest normal double."""
EXP_ERROR = 2.0**-44
"""Relative error of :func:`exponential`, proved in its docstring with a factor of 8 to spare."""
JET_ERROR = 2.0**-40
"""Absolute error of the values of :func:`tanh_jet` (proved there)."""
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_TAYLOR = tuple(1.0 / math.factorial(n) for n in range(15))

Lane = Any
"""A strip of doubles: a NumPy array, a plain float, or a recorded LLVM vector."""


def smaller(a: Lane, b: Lane) -> Lane:
    """Lane-wise minimum of numbers that are not NaN."""
    if hasattr(a, "lane_min"):
        return a.lane_min(b)
    if hasattr(b, "lane_min"):
        return b.lane_min(a)
    return np.minimum(a, b)


def larger(a: Lane, b: Lane) -> Lane:
    """Lane-wise maximum of numbers that are not NaN."""
    if hasattr(a, "lane_max"):
        return a.lane_max(b)
    if hasattr(b, "lane_max"):
        return b.lane_max(a)
    return np.maximum(a, b)


def choose(mask: Lane, a: Lane, b: Lane) -> Lane:
    """``a`` where the mask holds, else ``b``."""
    if hasattr(mask, "lane_choose"):
        return mask.lane_choose(a, b)
    return np.where(mask, a, b)


def magnitude(a: Lane) -> Lane:
    """Lane-wise absolute value (exact)."""
    return a.lane_abs() if hasattr(a, "lane_abs") else np.abs(a)


def nearest_integer(a: Lane) -> Lane:
    """Round to the nearest integer, as a double."""
    return a.lane_rint() if hasattr(a, "lane_rint") else np.rint(a)


def power_of_two(k: Lane) -> Lane:
    """2^k for integral k, |k| <= 1000 (exact)."""
    return k.lane_exp2() if hasattr(k, "lane_exp2") else np.ldexp(1.0, np.asarray(k, dtype=np.int64))


def root(a: Lane) -> Lane:
    """Square root, to the nearest double."""
    return a.lane_root() if hasattr(a, "lane_root") else np.sqrt(a)


def bits(a: Lane) -> Lane:
    """The 64 bits of a positive double read as a whole number, to the nearest double."""
    if hasattr(a, "lane_bits"):
        return a.lane_bits()
    return np.asarray(a, dtype=np.float64).view(np.int64).astype(np.float64)


def below(x: Lane) -> Lane:
    """A double below every real number that rounds to ``x``."""
    return x - (magnitude(x) * WIDENING + TINY)


def above(x: Lane) -> Lane:
    """A double above every real number that rounds to ``x``."""
    return x + (magnitude(x) * WIDENING + TINY)


def exponential(x: Lane) -> Lane:
    """e^x with relative error at most EXP_ERROR, for |x| <= 690.

    x = k ln 2 + r, |r| <= 0.3466.  _LN2_HIGH has 33 significant bits, so k _LN2_HIGH is exact for |k| < 2^20, the
    difference is exact by Sterbenz or rounded once; _LN2_HIGH + _LN2_LOW differs from ln 2 by less than 2^-86.  So the
    computed r is off by at most 3 * 2^-54 + 2^-76.  Taylor to degree 14 leaves 0.3466^15 / 15! < 2^-62; Horner's 14
    steps, all partial sums within [0.7, 1.42], give at most 2 * 15 * 2^-53 * 1.42 / 0.7 < 2^-46.9.  Scaling is exact.
    Together below 2^-46.8 < EXP_ERROR.
    """
    k = nearest_integer(x * 1.4426950408889634)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total: Lane = r * _TAYLOR[14] + _TAYLOR[13]
    for c in reversed(_TAYLOR[:13]):
        total = total * r + c
    return total * power_of_two(k)


def rough_logarithm(x: Lane) -> Lane:
    """ln x for 1e-300 < x < 1e300, off by about 1e-5: a guess, of which nothing is claimed.

    Exponent and mantissa read as one number are log2 x up to 0.09; one step of Halley's method follows.
    """
    first = (bits(x) * 2.0**-52 - (1023.0 - 0.043)) * 0.6931471805599453
    value = exponential(first)
    return first + (x - value) * 2.0 / (x + value)


def logarithm_guess(x: Lane) -> Lane:
    """ln x as above, off by some units in the last place of 1 + |ln x|: still a guess."""
    first = rough_logarithm(x)
    value = exponential(first)
    return first + (x - value) * 2.0 / (x + value)


def tanh_jet(a: Lane) -> tuple[Lane, Lane]:
    """tanh a and sech^2 a, each within JET_ERROR.

    With E = e^(-2|a|), tanh|a| = (1 - E)/(1 + E) and sech^2 a = 4E/(1 + E)^2; |d/dE| <= 2 and <= 4 on [0, 1], so the
    error of E contributes at most 4 * 2^-44; the five rounded operations add at most 2^-50.  Beyond |a| = 300 the
    argument is clipped; both functions are there within e^-600 of their limits.
    """
    size = smaller(magnitude(a), 300.0)
    fade = exponential(size * -2.0)
    rest = 1.0 / (fade + 1.0)
    t = (1.0 - fade) * rest
    return choose(a < 0.0, -t, t), fade * 4.0 * rest * rest


@dataclass(frozen=True, slots=True)
class Interval:
    """The closed interval [lo, hi]; ``lo is hi`` marks a point, whose products are cheaper."""

    lo: Lane
    hi: Lane

    @staticmethod
    def point(x: Lane) -> Interval:
        """The interval [x, x]."""
        return Interval(x, x)

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same object."""
        return self.lo is self.hi

    def __neg__(self) -> Interval:
        if self.is_point:
            return Interval.point(-self.lo)
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Interval) -> Interval:
        if self.is_point and other.is_point:
            r = self.lo + other.lo
            return Interval(below(r), above(r))
        return Interval(below(self.lo + other.lo), above(self.hi + other.hi))

    def __sub__(self, other: Interval) -> Interval:
        return self + (-other)

    def __mul__(self, other: Interval) -> Interval:
        if self.is_point and other.is_point:
            r = self.lo * other.lo
            return Interval(below(r), above(r))
        if other.is_point:
            return other * self
        if self.is_point:
            p, q = self.lo * other.lo, self.lo * other.hi
            return Interval(below(smaller(p, q)), above(larger(p, q)))
        ends = (self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi)
        low = smaller(smaller(ends[0], ends[1]), smaller(ends[2], ends[3]))
        high = larger(larger(ends[0], ends[1]), larger(ends[2], ends[3]))
        return Interval(below(low), above(high))

    def scaled(self, factor: float) -> Interval:
        """``factor`` times the interval; exact for 1, -1 and powers of two, so these are not widened."""
        if factor == 1.0:
            return self
        if factor == -1.0:
            return -self
        if math.frexp(factor)[0] in (0.5, -0.5):
            a, b = self.lo * factor, self.hi * factor
            return Interval(a, b) if factor > 0 else Interval(b, a)
        return self * Interval.point(factor)

    def over_positive(self, other: Interval) -> Interval:
        """Quotient by an interval of positive numbers."""
        low = smaller(self.lo / other.lo, self.lo / other.hi)
        high = larger(self.hi / other.lo, self.hi / other.hi)
        return Interval(below(low), above(high))

    def square(self) -> Interval:
        """The set of squares."""
        a, b = self.lo * self.lo, self.hi * self.hi
        straddles = (self.lo < 0.0) & (self.hi > 0.0)
        return Interval(larger(below(choose(straddles, 0.0, smaller(a, b))), 0.0), above(larger(a, b)))

    def meet(self, other: Interval) -> Interval:
        """Intersection (empty when lo > hi; test with ``is_empty``)."""
        return Interval(larger(self.lo, other.lo), smaller(self.hi, other.hi))

    def middle(self) -> Lane:
        """Some double near the midpoint."""
        return self.lo if self.is_point else (self.lo + self.hi) * 0.5

    def size(self) -> Lane:
        """max |x| over the interval (exact)."""
        return larger(magnitude(self.lo), magnitude(self.hi))

    def is_empty(self) -> Lane:
        """Mask of the lanes where nothing is left."""
        return self.lo > self.hi


def exponential_range(x: Lane) -> Interval:
    """e^x, for |x| <= 690; twice EXP_ERROR is more than its error relative to the computed value."""
    value = exponential(x)
    slack = value * (2.0 * EXP_ERROR)
    return Interval(value - slack, value + slack)


def total(terms: list[Interval]) -> Interval:
    """Sum of at least one interval."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


@dataclass(frozen=True, slots=True)
class TanhRange:
    """Ranges of tanh and tanh' over an interval."""

    value: Interval
    slope: Interval


def tanh_range(a: Interval) -> TanhRange:
    """Ranges over ``a``: tanh is increasing, and sech^2 falls away from 0."""
    t_lo, s_lo = tanh_jet(a.lo)
    t_hi, s_hi = (t_lo, s_lo) if a.is_point else tanh_jet(a.hi)
    value = Interval(larger(t_lo - JET_ERROR, -1.0), smaller(t_hi + JET_ERROR, 1.0))
    straddles = (a.lo <= 0.0) & (a.hi >= 0.0)
    top = choose(straddles, 1.0, larger(s_lo, s_hi) + JET_ERROR)
    slope = Interval(larger(smaller(s_lo, s_hi) - JET_ERROR, 0.0), smaller(top, 1.0))
    return TanhRange(value, slope)


def intervals(low: Sequence[Lane], high: Sequence[Lane]) -> list[Interval]:
    """Intervals of their ends."""
    return [Interval(a, b) for a, b in zip(low, high, strict=True)]


def flag(masks: list[Lane]) -> Lane:
    """1 where a mask holds, else 0."""
    hit = masks[0]
    for mask in masks[1:]:
        hit = hit | mask
    return choose(hit, 1.0, 0.0)
