"""Where an activation is smooth, decided on its written tree: simplified, exp(log(z)) would lose that z > 0.

Each part of the tree is enclosed by an interval of rational or infinite ends, each open or closed. The argument of a
logarithm or root must lie above 0, and a divisor must not hold 0. The bounds are those that anyone can check:

    1 + u <= exp(u) <= 1/(1 - u) for u < 1      1 - 1/u <= log(u) <= u - 1      min(u, 1) <= sqrt(u) <= max(u, 1)
    |tanh(u)| < 1, |tanh(u)| <= |u|             |erf(u)| < 1, |erf(u)| <= 2 |u|
    0 < sigmoid(u) < 1                          max(u, 0) < softplus(u) < max(u, 0) + 1

A polynomial that intervals leave open is decided by its real roots, counted by Sturm's theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, inf, prod
from typing import Any

__all__ = ["LINE", "ORIGIN", "Range", "Singular", "range_over"]

LARGEST_DEGREE = 16
"""Of a polynomial whose real roots are counted."""

LONGEST_COEFFICIENT = 400
"""Bits of a numerator or denominator in such a polynomial."""

LONGEST_END = 2000
"""Bits of an interval's end; longer ones are rounded outward."""

FARTHEST_END = 1000
"""Binary exponent, in absolute value, beyond which an end is rounded outward to an infinity or to 0."""

_End = Fraction | float
"""Rational, or an infinity."""


class Singular(Exception):
    """What an activation takes that has no value, or no derivative, somewhere in the interval."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers from `low` to `high`; an end that is open is not among them. Infinite ends are open."""

    low: _End
    high: _End
    low_open: bool = False
    high_open: bool = False

    def __post_init__(self) -> None:
        low, high = -_rounded_up(-self.low), _rounded_up(self.high)
        object.__setattr__(self, "low_open", self.low_open or low != self.low)
        object.__setattr__(self, "high_open", self.high_open or high != self.high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def negative(self) -> bool:
        return (-self).positive

    def __neg__(self) -> Range:
        return Range(low=-self.high, high=-self.low, low_open=self.high_open, high_open=self.low_open)

    def __add__(self, other: Range) -> Range:
        return Range(
            low=self.low + other.low,
            high=self.high + other.high,
            low_open=self.low_open or other.low_open,
            high_open=self.high_open or other.high_open,
        )

    def __mul__(self, other: Range) -> Range:
        # A product is linear in each factor: its extremes are at corners. 0 that is attained times anything is 0.
        corners = [
            (Fraction(0) if 0 in (a, b) else a * b, (a_open or b_open) and (a, a_open) != (0, False) != (b, b_open))
            for a, a_open in self._ends()
            for b, b_open in other._ends()
        ]
        low, high = min(value for value, _ in corners), max(value for value, _ in corners)
        return Range(
            low=low,
            high=high,
            low_open=all(is_open for value, is_open in corners if value == low),
            high_open=all(is_open for value, is_open in corners if value == high),
        )

    def _ends(self) -> tuple[tuple[_End, bool], tuple[_End, bool]]:
        return (self.low, self.low_open), (self.high, self.high_open)

    def inverse(self) -> Range:
        """1/u, for a range without 0."""
        if self.negative:
            return -(-self).inverse()
        return Range(
            low=Fraction(0) if self.high == inf else 1 / self.high,
            high=inf if self.low == 0 else 1 / self.low,
            low_open=self.high_open,
            high_open=self.low_open,
        )

    def power(self, n: int) -> Range:
        """u^n with n >= 0."""
        if n == 0:
            return point(1)
        if n % 2 or self.low >= 0:
            low, high = (prod([end] * n, start=Fraction(1)) for end in (self.low, self.high))
            return Range(low=low, high=high, low_open=self.low_open, high_open=self.high_open)
        if self.high <= 0:
            return (-self).power(n)
        far, closed = max((-self.low, not self.low_open), (self.high, not self.high_open))
        return Range(low=Fraction(0), high=prod([far] * n, start=Fraction(1)), high_open=not closed)


def _rounded_up(end: _End) -> _End:
    """An end or a little more, of few bits."""
    if isinstance(end, float) or end == 0:
        return end
    # Of order 2^exponent.
    exponent = end.numerator.bit_length() - end.denominator.bit_length()
    if exponent > FARTHEST_END:
        return inf if end > 0 else -(Fraction(2) ** (FARTHEST_END - 1))
    if exponent < -FARTHEST_END:
        return Fraction(0) if end < 0 else Fraction(2) ** -(FARTHEST_END - 1)
    if end.numerator.bit_length() + end.denominator.bit_length() <= LONGEST_END:
        return end
    unit = Fraction(2) ** (exponent - LONGEST_END // 8)
    return ceil(end / unit) * unit


def point(value: Fraction | int) -> Range:
    """One number."""
    return Range(low=Fraction(value), high=Fraction(value))


LINE = Range(low=-inf, high=inf, low_open=True, high_open=True)
ORIGIN = point(0)

_AT_ZERO = {"exp": point(1), "cos": point(1), "sin": ORIGIN, "sigmoid": point(Fraction(1, 2))}
_UNIT = Range(low=Fraction(0), high=Fraction(1), low_open=True, high_open=True)
_WAVE = Range(low=Fraction(-1), high=Fraction(1))


def _exp(u: Range) -> Range:
    low, high = 1 + u.low, inf if u.high >= 1 else 1 / (1 - u.high)
    above = low > 0
    return Range(
        low=low if above else Fraction(0),
        high=high,
        low_open=u.low_open or not above,
        high_open=u.high_open or high == inf,
    )


def _log(u: Range) -> Range:
    return Range(low=-inf if u.low == 0 else 1 - 1 / u.low, high=u.high - 1, low_open=u.low_open, high_open=u.high_open)


def _sqrt(u: Range) -> Range:
    one = Fraction(1)
    return Range(low=min(u.low, one), high=max(u.high, one), low_open=u.low_open, high_open=u.high_open and u.high > 1)


def _bounded(u: Range, slope: _End) -> Range:
    """An odd increasing function between -1 and 1, and below slope |u|."""

    def above(high: _End, high_open: bool) -> tuple[_End, bool]:
        if high <= 0:
            return Fraction(0), high_open or high < 0
        return (Fraction(1), True) if high * slope >= 1 else (high * slope, high_open)

    (high, high_open), (low, low_open) = above(u.high, u.high_open), above(-u.low, u.low_open)
    return Range(low=-low, high=high, low_open=low_open, high_open=high_open)


def _softplus(u: Range) -> Range:
    zero = Fraction(0)
    return Range(low=max(u.low, zero), high=max(u.high, zero) + 1, low_open=True, high_open=True)


_IMAGES: dict[str, Callable[[Range], Range]] = {
    "exp": _exp,
    "log": _log,
    "sqrt": _sqrt,
    "tanh": lambda u: _bounded(u, Fraction(1)),
    "erf": lambda u: _bounded(u, Fraction(2)),  # 2/sqrt(pi) < 2
    "sin": lambda u: _WAVE,
    "cos": lambda u: _WAVE,
    "sigmoid": lambda u: _UNIT,
    "softplus": _softplus,
}


def range_over(node: tuple[Any, ...], z: Range) -> Range:
    """An interval that holds every value of a syntax tree of `symland.expression` over an interval of z.

    Raises
    ------
    Singular
        Where a logarithm, root or quotient is not shown to be smooth over the whole interval.
    """
    match node:
        case ("z",):
            return z
        case ("number", number):
            return point(number)
        case ("neg", inner):
            return -range_over(inner, z)
        case ("add", left, right):
            return range_over(left, z) + range_over(right, z)
        case ("sub", left, right):
            return range_over(left, z) + -range_over(right, z)
        case ("mul", left, right):
            return range_over(left, z) * range_over(right, z)
        case ("div", left, right):
            return range_over(left, z) * _divisor(right, z, "a quotient").inverse()
        case ("power", base, (_, exponent)):
            if exponent < 0:
                return _divisor(base, z, "a negative power").power(-int(exponent)).inverse()
            return range_over(base, z).power(int(exponent))
        case (name, inner) if name in ("log", "sqrt"):
            inside = _signed(inner, z)
            if not inside.positive:
                raise Singular(f"{name} of what {'is' if inside.high <= 0 else 'may be'} 0 or less")
            return _IMAGES[name](inside)
        case (name, inner):
            inside = range_over(inner, z)
            return _AT_ZERO[name] if inside == ORIGIN and name in _AT_ZERO else _IMAGES[name](inside)
    raise AssertionError(node)


def _divisor(node: tuple[Any, ...], z: Range, what: str) -> Range:
    divisor = _signed(node, z)
    if not (divisor.positive or divisor.negative):
        raise Singular(f"{what} whose divisor {'is' if divisor == ORIGIN else 'may be'} 0")
    return divisor


def _signed(node: tuple[Any, ...], z: Range) -> Range:
    """The range, without 0 where the node is a polynomial that has no real root."""
    found = range_over(node, z)
    if found.positive or found.negative:
        return found
    polynomial = _polynomial(node)
    if polynomial is None or _real_roots(polynomial):
        return found
    if polynomial[0] > 0:
        return Range(low=Fraction(0), high=found.high, low_open=True, high_open=found.high_open)
    return Range(low=found.low, high=Fraction(0), low_open=found.low_open, high_open=True)


_Polynomial = list[Fraction]
"""Coefficients of z^0, z^1, ...; the last is not 0, and the zero polynomial is empty."""


def _polynomial(node: tuple[Any, ...]) -> _Polynomial | None:
    """The coefficients of a node that is a polynomial of moderate degree in z, else None."""
    match node:
        case ("z",):
            return [Fraction(0), Fraction(1)]
        case ("number", number):
            return _trimmed([number])
        case ("neg", inner):
            return _product(_polynomial(inner), [Fraction(-1)])
        case ("add" | "sub" as sign, left, right):
            first, second = _polynomial(left), _polynomial(right)
            if first is None or second is None:
                return None
            length = max(len(first), len(second))
            a, b = (p + [Fraction(0)] * (length - len(p)) for p in (first, second))
            return _trimmed([x + y if sign == "add" else x - y for x, y in zip(a, b, strict=True)])
        case ("mul", left, right):
            return _product(_polynomial(left), _polynomial(right))
        case ("div", left, right):
            divisor = _polynomial(right)
            return _product(_polynomial(left), [1 / divisor[0]]) if divisor is not None and len(divisor) == 1 else None
        case ("power", base, (_, exponent)) if exponent >= 0:
            power: _Polynomial | None = [Fraction(1)]
            for _ in range(int(exponent)):
                power = _product(power, _polynomial(base))
            return power
    return None


def _product(left: _Polynomial | None, right: _Polynomial | None) -> _Polynomial | None:
    if left is None or right is None or len(left) + len(right) > LARGEST_DEGREE + 1:
        return None
    out = [Fraction(0)] * (len(left) + len(right))
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            out[i + j] += a * b
    if any(max(c.numerator.bit_length(), c.denominator.bit_length()) > LONGEST_COEFFICIENT for c in out):
        return None
    return _trimmed(out)


def _trimmed(coefficients: Sequence[Fraction]) -> _Polynomial:
    length = len(coefficients)
    while length and coefficients[length - 1] == 0:
        length -= 1
    return list(coefficients[:length])


def _real_roots(p: _Polynomial) -> int:
    """How many different real roots: the changes of sign that Sturm's chain loses from -infinity to infinity."""
    if len(p) < 2:
        return 0 if p else 1
    chain = [p, [k * c for k, c in enumerate(p)][1:]]
    while chain[-1]:
        chain.append([-c for c in _remainder(chain[-2], chain[-1])])
    ends = [(q[-1] * (-1) ** (len(q) - 1), q[-1]) for q in chain[:-1]]
    return _changes([low for low, _ in ends]) - _changes([high for _, high in ends])


def _remainder(p: _Polynomial, q: _Polynomial) -> _Polynomial:
    while len(p) >= len(q):
        shift, factor = len(p) - len(q), p[-1] / q[-1]
        p = _trimmed([c - factor * q[k - shift] if k >= shift else c for k, c in enumerate(p[:-1])])
    return p


def _changes(signs: Sequence[Fraction]) -> int:
    return sum(a * b < 0 for a, b in pairwise(signs))
