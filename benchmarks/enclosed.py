"""The algebra of enclosed float64 arrays: midpoint and radius, the radius holding the rounding of every operation.

Only + - * / sqrt, comparisons, rint and ldexp of IEEE 754 are trusted; every other function is built from them here.
Let u = 2^-53. Each of + - * / sqrt returns the exact result times 1 + d, |d| <= u, up to an underflow below TINY.
A radius is computed from nonnegative numbers with at most 24 roundings to a term; `_outward` covers these.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial, inf

import numpy as np
from numpy.typing import NDArray

from symland.errors import CertificateError
from symland.program.algebra import Algebra

__all__ = ["Enclosed", "EnclosedAlgebra", "exponential"]

UNIT = 2.0**-53
"""Relative rounding error of one operation."""

GROW = 1.0 + 2.0**-48
"""1 + 32 u, which exceeds (1 + u)^26."""

TINY = 1e-300
"""More than any error of an underflow here."""

EXP_ERROR = 8 * UNIT
"""Relative error of `exponential`; the derivation there gives less than 5.1 u."""

LEAST_EXPONENT, LARGEST_EXPONENT = -745.0, 709.0
"""Below the first e^x lies in [0, 1e-300]; above the second it may overflow."""

LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
"""ln 2 to 32 bits: its product with an integer below 2^20 is exact."""

LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
"""The rest of ln 2, to 1e-26."""

_COEFFICIENTS = tuple(1.0 / factorial(k) for k in range(13, 1, -1))

Floats = NDArray[np.float64]


class Enclosed:
    """Numbers within `rad` of `mid`: float64 arrays of one shape, or scalars."""

    __slots__ = ("mid", "rad")

    def __init__(self, mid: Floats, rad: Floats) -> None:
        self.mid = mid
        self.rad = rad

    @property
    def size(self) -> Floats:
        """An upper bound of |x|, up to one rounding."""
        bound: Floats = np.abs(self.mid) + self.rad
        return bound

    def __add__(self, other: Enclosed) -> Enclosed:
        mid = self.mid + other.mid
        return Enclosed(mid, _outward(self.rad + other.rad + UNIT * np.abs(mid)))

    def __neg__(self) -> Enclosed:
        return Enclosed(-self.mid, self.rad)

    def __sub__(self, other: Enclosed) -> Enclosed:
        return self + (-other)

    def __mul__(self, other: Enclosed) -> Enclosed:
        mid = self.mid * other.mid
        # |ab - mid| <= |a'| r_b + (|b'| + r_b) r_a + u |mid|, a' and b' being the midpoints.
        return Enclosed(mid, _outward(np.abs(self.mid) * other.rad + other.size * self.rad + UNIT * np.abs(mid)))

    def inverse(self) -> Enclosed:
        """1 / x; the radius is infinite where the interval holds zero."""
        mid, size = 1.0 / self.mid, np.abs(self.mid)
        product = size * (size - self.rad)
        # A product below TINY may have lost digits to underflow.
        return Enclosed(mid, np.where(product > TINY, _outward(self.rad / product + UNIT * np.abs(mid)), inf))


_ZERO = Enclosed(np.asarray(0.0), np.asarray(0.0))
_ONE = Enclosed(np.asarray(1.0), np.asarray(0.0))
_FOUR = Enclosed(np.asarray(4.0), np.asarray(0.0))


def _outward(rad: Floats) -> Floats:
    """An upper bound of what was computed as `rad`, with at most 24 roundings to a term."""
    bound: Floats = rad * GROW + TINY
    return bound


def _exact(x: Floats) -> Enclosed:
    return Enclosed(x, np.zeros_like(x))


def exponential(x: Floats) -> tuple[Floats, Floats]:
    """e^x for exact x: (mid, rad), rad infinite where it overflows.

    With k = rint(x / ln 2), r = x - k ln 2 and |r| < 0.35: k LN2_HIGH is exact, and three more roundings leave an error
    of r below u (|r'| + |r| + |k| LN2_LOW) + |k| 1e-26 < 0.75 u. Then e^r = 1 + (r + r^2 q(r)), q of degree 11 by
    Horner's rule with an error below 24 u q(|r|), a remainder below 0.35^14 e^0.35 / 14! < 0.07 u, and
    0.35^2 q(0.35) < 0.0692. The absolute error is below (26 x 0.0692 + 0.42 + e^r + 0.07) u, hence below 4.3 u e^r;
    with that of r the relative error is below 5.1 u. EXP_ERROR is 8 u.
    """
    inside = np.clip(x, LEAST_EXPONENT, LARGEST_EXPONENT)
    k = np.rint(inside * 1.4426950408889634)
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    q = np.full_like(r, _COEFFICIENTS[0])
    for c in _COEFFICIENTS[1:]:
        q = q * r + c
    mid = np.ldexp(1.0 + (r + r * (r * q)), k.astype(np.int32))
    return mid, np.where(x <= LARGEST_EXPONENT, EXP_ERROR * mid + TINY, inf)


class EnclosedAlgebra(Algebra[Enclosed]):
    """Numbers are enclosed float64 arrays.

    A function f of m +- r is f(m), enclosed, with the radius grown by r sup |f'|, where sup |f'| over the interval is
    at most |f'(m)| + r sup |f''| over the line. ln(1 + sum e^m), which no derivative needs, is enclosed widely.
    """

    def constant(self, value: Fraction) -> Enclosed:
        mid = float(value)
        exact = _exact(np.asarray(mid))
        return exact if Fraction(mid) == value else Enclosed(exact.mid, _outward(UNIT * exact.size))

    def primitive(self, op: str, args: Sequence[Enclosed], value: Fraction | None) -> Enclosed:
        x = args[0]
        match op:
            case "div":
                return x * args[1].inverse()
            case "power":
                assert value is not None
                return _power(x, int(value))
            case "exp":
                return _exp(x)
            case "tanh":
                t, s = _tanh_sech2(x.mid)
                return _grown(t, x.rad, np.minimum(1.0, s.size + 0.77 * x.rad))
            case "sech2":
                t, s = _tanh_sech2(x.mid)
                return _grown(s, x.rad, np.minimum(0.77, 2 * t.size * s.size + 2 * x.rad))
            case "logistic":
                g, h = _logistics(x.mid)
                return _grown(g, x.rad, np.minimum(0.25, g.size * h.size + 0.0963 * x.rad))
            case "softplus":
                g, _ = _logistics(x.mid)
                at = _exact(np.maximum(x.mid, 0.0)) + _log(_ONE + _exp(_exact(-np.abs(x.mid))))
                return _grown(at, x.rad, np.minimum(1.0, g.size + 0.25 * x.rad))
            case "log":
                return _log(x)
            case "sqrt":
                root, least = np.sqrt(x.mid), x.mid - x.rad
                rad = _outward(x.rad / (np.sqrt(least) + root) + UNIT * root)
                return Enclosed(root, np.where(least > 0.0, rad, inf))
            case "lse0":
                return _wide_lse0(args)
            case "softmax0":
                assert value is not None
                return self._softmax0(int(value), args)
        raise CertificateError(f"the fast certificate has no enclosure of {op}; certify such points one by one")

    def _softmax0(self, i: int, margins: Sequence[Enclosed]) -> Enclosed:
        """1 / (1 + sum_{k != i} e^{m_k - m_i}), m_0 = 0."""
        logits, total = [_ZERO, *margins], _ONE
        for k, m in enumerate(logits):
            if k != i:
                total = total + _exp(m - logits[i])
        return total.inverse()


def _where(chosen: NDArray[np.bool_], a: Enclosed, b: Enclosed) -> Enclosed:
    return Enclosed(np.where(chosen, a.mid, b.mid), np.where(chosen, a.rad, b.rad))


def _grown(at: Enclosed, rad: Floats, slope: Floats) -> Enclosed:
    return Enclosed(at.mid, _outward(at.rad + rad * slope))


def _exp(x: Enclosed) -> Enclosed:
    at = Enclosed(*exponential(x.mid))
    # e^r - 1 <= r + r^2 for r <= 1.
    return _grown(at, np.where(x.rad <= 1.0, x.rad + x.rad * x.rad, inf), at.size)


def _tanh_sech2(x: Floats) -> tuple[Enclosed, Enclosed]:
    """tanh and sech^2 of exact x by e = e^{-2|x|}: (1 - e) / (1 + e) with the sign of x, and 4 e / (1 + e)^2."""
    e = _exp(_exact(-2.0 * np.abs(x)))
    under = (_ONE + e).inverse()
    t = (_ONE - e) * under
    return Enclosed(np.copysign(t.mid, x), t.rad), _FOUR * e * under * under


def _logistics(x: Floats) -> tuple[Enclosed, Enclosed]:
    """1 / (1 + e^-x) and 1 / (1 + e^x) of exact x, by e = e^{-|x|}."""
    e = _exp(_exact(-np.abs(x)))
    large = (_ONE + e).inverse()
    small = e * large
    return _where(x > 0.0, large, small), _where(x > 0.0, small, large)


def _log(x: Enclosed) -> Enclosed:
    """ln x: with any y near ln x, ln x = y + ln(1 + z), z = x e^-y - 1, and |ln(1 + z) - z| <= z^2 for |z| <= 0.6.

    Where |z| is bounded so, all of x is positive.
    """
    y = np.log(np.abs(x.mid))
    z = x * _exp(_exact(-y)) - _ONE
    out = _exact(y) + Enclosed(z.mid, z.rad + z.size * z.size)
    return Enclosed(out.mid, np.where(z.size <= 0.5, out.rad, inf))


def _power(x: Enclosed, n: int) -> Enclosed:
    if n < 0:
        return _power(x, -n).inverse()
    result = _exact(np.ones_like(x.mid))
    for bit in bin(n)[2:]:
        result = result * result
        if bit == "1":
            result = result * x
    return result


def _wide_lse0(margins: Sequence[Enclosed]) -> Enclosed:
    """ln(1 + sum e^m) lies between the largest of 0 and the margins and ln(1 + q) above it; ln(1 + q) <= q."""
    top = np.maximum(0.0, np.maximum.reduce([m.mid for m in margins]))
    return Enclosed(top, _outward(np.maximum.reduce([m.rad for m in margins]) + len(margins)))
