r"""Arrays of balls in doubles: a middle and a radius for every entry, rounded so that no value is lost.

Write u = 2^-53.  A double operation returns (exact result)(1 + e) + f with |e| <= u and |f| <= 2^-1075.  A sum of k
products, in whatever order, with or without fused operations, errs by at most k u / (1 - k u) times the sum of the
products' absolute values, plus k underflows [Higham, Accuracy and Stability of Numerical Algorithms, section 3.1].  So

    (a, r) + (b, s) lies in (fl(a + b),  r + s + u |a + b|)
    (a, r) (b, s)   lies in (fl(a b),  |a| s + r (|b| + s) + u |a b|)
    (A, R) (B, S)   lies in (fl(A B),  (|A| (S + k u |B|) + R (|B| + S))     matrices with k columns and rows.

Every radius is a sum of non-negative products with fewer than 2^10 operations, computed with a relative error below
2^10 u; the factor WIDER = 1 + 2^-40 > 1 / (1 - 2^11 u) covers it, TINY every underflow.  ``_U`` is 2 u, a factor of 2
more than needed.  A radius that is not a number, or infinite, stays so; a comparison with it is false, and every
decision in this package is made by a comparison that must be true to drop or to close something.

The only function is tanh.  With t_k = tanh(k / 64), which Arb rounds, |d| <= 1/128 and T = d - d^3/3 + 2 d^5/15,

    tanh(k/64 + d) = (t_k + tanh d) / (1 + t_k tanh d),    |tanh d - T| <= 17/315 |d|^7 < 2^-53,

as the series of tanh d has terms of alternating sign that decrease for |d| < 1.  The quotient moves by at most
(1 - t^2)/(1 + t T)^2 <= 1.04 times the errors of t_k and of T.  These are u/2 + rounding of T (4 u |d|) + 2^-53, and
the quotient is rounded four times: less than 8 u altogether.  From 20 on tanh is within 2^-56 of 1, as Arb says.
TANH_ERROR = 2^-49 = 16 u bounds all of it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from flint import arb, ctx

__all__ = ["TANH_ERROR", "TINY", "Balls", "Doubles", "near_tanh", "sech2", "tanh", "tanh_curve"]

Doubles = npt.NDArray[np.float64]

WIDER = 1.0 + 2.0**-40
"""Factor of every radius, for the rounding of the radius itself."""
TINY = 1e-290
"""Added to every radius, for underflow."""
TANH_ERROR = 2.0**-49
"""Absolute error of ``tanh`` of a double."""
_U = 2.0**-52
_GRID = 64
_FARTHEST = 20
_BEND = 4.0 / 27.0**0.5 * WIDER
"""An upper bound of |tanh''|: 2 t (1 - t^2) is largest at t^2 = 1/3."""


class Balls:
    """An array of balls.

    Attributes
    ----------
    mid, rad : arrays of one shape.
    """

    __array_ufunc__ = None
    __slots__ = ("mid", "rad")

    def __init__(self, mid: Doubles, rad: Doubles) -> None:
        self.mid, self.rad = mid, rad

    @staticmethod
    def between(low: Doubles, high: Doubles) -> Balls:
        """Balls that hold all numbers between two arrays."""
        mid = low * 0.5 + high * 0.5
        return Balls(mid, (np.fmax(high - mid, mid - low) + np.abs(mid) * _U) * WIDER + TINY)

    @staticmethod
    def exact(values: Doubles) -> Balls:
        return Balls(values, np.zeros_like(values))

    @property
    def low(self) -> Doubles:
        """Lower ends."""
        return self.mid - (self.rad + (np.abs(self.mid) + self.rad) * _U)

    @property
    def high(self) -> Doubles:
        """Upper ends."""
        return self.mid + (self.rad + (np.abs(self.mid) + self.rad) * _U)

    @property
    def size(self) -> Doubles:
        """An upper bound of the absolute value."""
        return (np.abs(self.mid) + self.rad) * WIDER

    def __add__(self, other: Balls) -> Balls:
        mid = self.mid + other.mid
        return Balls(mid, (self.rad + other.rad + np.abs(mid) * _U) * WIDER + TINY)

    def __sub__(self, other: Balls) -> Balls:
        mid = self.mid - other.mid
        return Balls(mid, (self.rad + other.rad + np.abs(mid) * _U) * WIDER + TINY)

    def __mul__(self, other: Balls) -> Balls:
        mid, size = self.mid * other.mid, np.abs(self.mid)
        rad = size * other.rad + self.rad * (np.abs(other.mid) + other.rad) + np.abs(mid) * _U
        return Balls(mid, rad * WIDER + TINY)

    def __matmul__(self, other: Balls) -> Balls:
        size, weight = np.abs(other.mid), self.mid.shape[-1] * _U
        rad = np.abs(self.mid) @ (other.rad + weight * size) + self.rad @ (size + other.rad)
        return Balls(self.mid @ other.mid, rad * WIDER + TINY)

    def __neg__(self) -> Balls:
        return Balls(-self.mid, self.rad)

    def __getitem__(self, key: Any) -> Balls:
        return Balls(self.mid[key], self.rad[key])

    def sum(self, axis: int) -> Balls:
        """Sum along an axis."""
        weight = self.mid.shape[axis] * _U
        rad = (self.rad + np.abs(self.mid) * weight).sum(axis=axis)
        return Balls(self.mid.sum(axis=axis), rad * WIDER + TINY)

    def scaled(self, power: float) -> Balls:
        """Times a power of two."""
        return Balls(self.mid * power, self.rad * abs(power) + TINY)

    def reshaped(self, *shape: int) -> Balls:
        """The same balls in another shape."""
        return Balls(self.mid.reshape(shape), self.rad.reshape(shape))

    def turned(self) -> Balls:
        """The last two axes exchanged."""
        return Balls(np.swapaxes(self.mid, -1, -2), np.swapaxes(self.rad, -1, -2))


@cache
def _table() -> Doubles:
    before, ctx.prec = ctx.prec, 100
    try:
        return np.array([float((arb(k) / _GRID).tanh().mid()) for k in range(_FARTHEST * _GRID + 1)])
    finally:
        ctx.prec = before


def near_tanh(x: Doubles) -> Doubles:
    """tanh of doubles within TANH_ERROR; NaN where x is NaN."""
    size = np.minimum(np.abs(x), float(_FARTHEST))
    place = np.rint(size * _GRID)
    rest = size - place * (1.0 / _GRID)
    square = rest * rest
    small = rest * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0)))
    with np.errstate(invalid="ignore"):
        known = np.where(np.isnan(x), np.nan, _table()[np.where(np.isnan(place), 0.0, place).astype(np.intp)])
    return np.copysign((known + small) / (1.0 + known * small), x)


def tanh(low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """Bounds of tanh between low and high: it rises."""
    return np.maximum(near_tanh(low) - TANH_ERROR, -1.0), np.minimum(near_tanh(high) + TANH_ERROR, 1.0)


def sech2(low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """Bounds of 1 - t^2 for t between low and high, in [-1, 1]."""
    far = np.maximum(np.abs(low), np.abs(high))
    near = np.where((low > 0.0) | (high < 0.0), np.minimum(np.abs(low), np.abs(high)), 0.0)
    return np.maximum(1.0 - far * far - 2 * _U, 0.0), np.minimum(1.0 - near * near + 2 * _U, 1.0)


def tanh_curve(low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """Bounds of tanh'' = -2 t (1 - t^2) for t between low and high; its extremes -+4/sqrt(27) are at t = +-1/sqrt 3."""
    ends = [-2.0 * t * (1.0 - t * t) for t in (low, high)]
    place, slack = 3.0**-0.5, 8 * _U
    least = np.where((low < place + slack) & (high > place - slack), -_BEND, np.minimum(*ends) - slack)
    most = np.where((low < slack - place) & (high > -place - slack), _BEND, np.maximum(*ends) + slack)
    return least, most
