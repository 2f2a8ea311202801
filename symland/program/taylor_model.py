"""The algebra of Taylor models: polynomials in many variables with an enclosed rest.

A number is a function of e_1, ..., e_n and v_1, ..., v_p, all between -1 and 1,

    c + sum of c_m e^m over the monomials of degree 1 to q + sum_l b_l v_l + sum_kl d_kl e_k v_l + rho,   |rho| <= rest,

with float64 coefficients: the function is one of those enclosed, at every point. What a product adds beyond these
monomials goes into the rest, and so does a bound of all rounding. What moves together stays together, where an
interval forgets it (Makino and Berz 2003).

A primitive f of u = c + d is sum_k f_k d^k up to k = q, with Arb's coefficients f_k of its power series at c; the
rest is that of Lagrange, with the next coefficient enclosed over the range of u. Of degree 0, a number is an
interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement, pairwise
from math import comb, inf, isfinite
from typing import final

import numpy as np
from flint import arb, arb_series
from numpy.typing import NDArray

from symland.program.algebra import Algebra
from symland.program.balls import exact_ball
from symland.records import FloatArray

__all__ = ["Monomials", "TaylorModel", "TaylorModelAlgebra", "monomials", "stacked"]

PIECES = 8
"""A range is cut into so many pieces before a derivative is enclosed over it."""

ROUNDING = 64 * 2.0**-53
"""A bound of the relative rounding of a coefficient, a sum of at most 64 products of float64 numbers."""

UPWARD = 1 + 2.0**-40
"""Rests are multiplied by this after sums and products of few numbers, so that rounding does not make them smaller."""


@final
class Monomials:
    """The monomials of degree 1 to q in n variables e, by degree; then those of p variables v, and products v e.

    Attributes
    ----------
    keys : list of tuples
        The sorted numbers of the factors of each monomial; n + l stands for v_l.
    place : dict
        The other way round.
    plain : int
        How many have no v: the first ones.
    """

    def __init__(self, n: int, p: int, order: int) -> None:
        self.n, self.p, self.order = n, p if order else 0, order
        small = range(n, n + self.p)
        degrees = [list(combinations_with_replacement(range(n), d)) for d in range(1, order + 1)]
        mixed = [(k, l) for k in range(n) for l in small] if order > 1 else []
        groups: list[list[tuple[int, ...]]] = [*degrees, [(l,) for l in small], list(mixed)]
        self.keys = [key for group in groups for key in group]
        self.place = {key: k for k, key in enumerate(self.keys)}
        self.plain, self.size = sum(map(len, degrees)), len(self.keys)
        starts = np.cumsum([0, *map(len, groups)])
        self._starts = [int(s) for s, group in zip(starts, groups, strict=False) if group]
        self._filled = [k for k, group in enumerate(groups) if group]
        # Which groups' products are kept: degrees that sum to q at most, and e times v.
        last = order
        self._kept = [(i, j) for i in range(order) for j in range(order - i - 1)]
        self._kept += [(0, last), (last, 0)] if mixed else []
        at = [range(int(a), int(b)) for a, b in pairwise(starts)]
        pairs = [
            (i, j, self.place[tuple(sorted(self.keys[i] + self.keys[j]))])
            for a, b in self._kept
            for i in at[a]
            for j in at[b]
        ]
        self._left, self._right, self._to = np.array(pairs, dtype=np.int64).reshape(-1, 3).T.copy()

    def product(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """What two sums of monomials multiply to, as far as it is kept."""
        if not len(self._to):
            return np.zeros(self.size)
        weights = a[self._left] * b[self._right]
        return np.bincount(self._to, weights=weights, minlength=self.size).astype(np.float64, copy=False)

    def norms(self, c: FloatArray) -> list[float]:
        """Sums of |coefficients|: of degree 1, ..., q, of the v and of their products."""
        found = [0.0] * (self.order + 2)
        if len(c):
            for k, x in zip(self._filled, np.add.reduceat(np.abs(c), self._starts).tolist(), strict=True):
                found[k] = x
        return found

    def lost(self, a: list[float], b: list[float]) -> float:
        """A bound of what `product` leaves out, from the norms of both."""
        total, kept = sum(a) * sum(b), 0.0
        for i, j in self._kept:
            kept += a[i] * b[j]
        return max(total - kept, 0.0) + ROUNDING * total


@lru_cache(maxsize=16)
def monomials(n: int, p: int, order: int) -> Monomials:
    """The monomials, found once."""
    return Monomials(n, p, order)


@final
class TaylorModel:
    """One number: `value` c, `terms` the other coefficients or None where all are zero, and `rest`."""

    __slots__ = ("_norms", "_total", "among", "rest", "terms", "value")

    def __init__(self, among: Monomials, value: float, terms: FloatArray | None, rest: float) -> None:
        self.among, self.value, self.terms, self.rest = among, value, terms, rest
        self._norms: list[float] | None = None
        self._total = 0.0

    @property
    def norms(self) -> list[float]:
        """Of the terms, by degree."""
        if self._norms is None:
            self._norms = [] if self.terms is None else self.among.norms(self.terms)
            self._total = sum(self._norms) * UPWARD
        return self._norms

    @property
    def total(self) -> float:
        """A bound of the sum of |terms|."""
        _ = self.norms
        return self._total

    @property
    def spread(self) -> float:
        """A bound of the distance from c."""
        return (self.total + self.rest) * UPWARD

    def range(self) -> arb:
        """A ball that holds the number, whatever the variables; even powers are not negative."""
        if self.terms is None:
            return arb(self.value, self.rest)
        centre, spread = arb(self.value), arb(self.rest)
        for key, c in zip(self.among.keys, self.terms.tolist(), strict=True):
            if len(key) == 2 and key[0] == key[1]:
                centre, spread = centre + arb(c) / 2, spread + arb(abs(c)) / 2
            else:
                spread = spread + abs(c)
        return centre + arb(0, spread.upper())

    def __add__(self, other: TaylorModel) -> TaylorModel:
        value = self.value + other.value
        if self.terms is None or other.terms is None:
            terms = other.terms if self.terms is None else self.terms
            rounded = abs(value)
        else:
            terms = self.terms + other.terms
            rounded = abs(value) + float(np.abs(terms).sum())
        return TaylorModel(self.among, value, terms, (self.rest + other.rest + ROUNDING * rounded) * UPWARD)

    def __neg__(self) -> TaylorModel:
        return TaylorModel(self.among, -self.value, None if self.terms is None else -self.terms, self.rest)

    def __mul__(self, other: TaylorModel) -> TaylorModel:
        a, b = self.value, other.value
        size_a, size_b = abs(a) + self.total, abs(b) + other.total
        rest = size_a * other.rest + size_b * self.rest + self.rest * other.rest + ROUNDING * size_a * size_b
        terms: FloatArray | None
        if self.terms is None or other.terms is None:
            terms = None
            if self.terms is not None:
                terms = b * self.terms
            elif other.terms is not None:
                terms = a * other.terms
        else:
            terms = b * self.terms + a * other.terms + self.among.product(self.terms, other.terms)
            rest += self.among.lost(self.norms, other.norms)
        return TaylorModel(self.among, a * b, terms, rest * UPWARD)


Coefficients = Callable[[arb, int], list[arb]]
"""The first coefficients, as many as the number says, of the power series of a function at a ball."""


class TaylorModelAlgebra(Algebra[TaylorModel]):
    """Numbers are `TaylorModel`, over some monomials."""

    def __init__(self, among: Monomials) -> None:
        self.among = among

    def number(self, value: arb, keys: Sequence[tuple[int, ...]], coefficients: FloatArray) -> TaylorModel:
        """The number with a value, and float64 coefficients of some monomials that may be off by a few roundings.

        What is not kept goes into the rest.
        """
        c, rest = self._rounded(value)
        found, place = np.zeros(self.among.size), self.among.place
        rest += ROUNDING * float(np.abs(coefficients).sum())
        for key, x in zip(keys, coefficients.tolist(), strict=True):
            if key in place:
                found[place[key]] = x
            else:
                rest += abs(x)
        return TaylorModel(self.among, c, found if found.any() else None, rest * UPWARD)

    @staticmethod
    def _rounded(ball: arb) -> tuple[float, float]:
        """The float64 next to the middle, and a bound of the distance."""
        middle = float(ball.mid())
        return middle, float((ball - arb(middle)).abs_upper()) * UPWARD

    def constant(self, value: Fraction) -> TaylorModel:
        return TaylorModel(self.among, *self._split(exact_ball(value)))

    def _split(self, ball: arb) -> tuple[float, None, float]:
        c, rest = self._rounded(ball)
        return c, None, rest

    def primitive(self, op: str, args: Sequence[TaylorModel], value: Fraction | None) -> TaylorModel:
        x = args[0]
        match op:
            case "div":
                return x * self._composed(_power(-1), args[1])
            case "power":
                assert value is not None
                return self._composed(_power(int(value)), x)
            case "lse0":
                return self._joined(args, -1)
            case "softmax0":
                assert value is not None
                return self._joined(args, int(value))
        return self._composed(_SERIES[op], x)

    def _joined(self, margins: Sequence[TaylorModel], share: int) -> TaylorModel:
        """ln(1 + sum e^m) for the share -1, else e^{m_share} / (1 + sum e^m) with m_0 = 0."""
        if len(margins) == 1:
            if share < 0:
                return self._composed(_SERIES["softplus"], margins[0])
            return self._composed(_SERIES["logistic"], margins[0] if share else -margins[0])
        logits = [self.constant(Fraction(0)), *margins]
        # The largest is taken out, so that no exponential is large.
        top = max(range(len(logits)), key=lambda k: logits[k].value) if share < 0 else share
        total = self.constant(Fraction(1))
        for k, m in enumerate(logits):
            if k != top:
                total = total + self._composed(_SERIES["exp"], m + -logits[top])
        if share < 0:
            return logits[top] + self._composed(_SERIES["log"], total)
        return self._composed(_power(-1), total)

    def _composed(self, series: Coefficients, x: TaylorModel) -> TaylorModel:
        order, width = self.among.order, x.spread
        if not (isfinite(x.value) and isfinite(width)):
            return TaylorModel(self.among, 0.0, None, inf)
        near = series(arb(x.value), order + 1)
        if width == 0:
            return TaylorModel(self.among, *self._split(near[0]))
        far = arb(0)
        for k in range(PIECES):
            centre = x.value + arb(width) * (2 * k + 1 - PIECES) / PIECES
            piece = centre + arb(0, (arb(width) / PIECES).upper())
            found = series(piece, order + 2)[order + 1].abs_upper()
            if not found.is_finite():
                return TaylorModel(self.among, 0.0, None, inf)
            far = found if found > far else far
        moved = TaylorModel(self.among, 0.0, x.terms, x.rest)
        total = TaylorModel(self.among, *self._split(near[order]))
        for k in reversed(range(order)):
            total = total * moved + TaylorModel(self.among, *self._split(near[k]))
        beyond = float((far * arb(width) ** (order + 1)).upper())
        return TaylorModel(self.among, total.value, total.terms, (total.rest + beyond) * UPWARD)


def _series(function: Callable[[arb_series], arb_series]) -> Coefficients:
    def coefficients(x: arb, count: int) -> list[arb]:
        try:
            series = function(arb_series([x, arb(1)], prec=count))
        except ValueError:
            # A quotient by what may be 0.
            return [arb.nan()] * count
        return [series[k] for k in range(count)]

    return coefficients


def _power(n: int) -> Coefficients:
    def binomial(k: int) -> int:
        return comb(n, k) if n >= 0 else (-1) ** k * comb(k - n - 1, k)

    def coefficients(x: arb, count: int) -> list[arb]:
        if n < 0 and x.contains(0):
            return [arb.nan()] * count
        return [binomial(k) * _raised(x, n - k) if binomial(k) else arb(0) for k in range(count)]

    return coefficients


def _raised(x: arb, n: int) -> arb:
    total = arb(1)
    for _ in range(abs(n)):
        total = total * x
    return 1 / total if n < 0 else total


def _bell(x: arb_series) -> tuple[arb_series, arb_series, bool]:
    """e = exp(-2 |x|) and 1 + e, with |x| = x or -x by the sign of the middle, which is positive or not."""
    positive = bool(x[0].mid() >= 0)
    e = (-2 * x if positive else 2 * x).exp()
    return e, 1 + e, positive


def _tanh(x: arb_series) -> arb_series:
    e, one, positive = _bell(x)
    return (1 - e) / one if positive else (e - 1) / one


def _sech2(x: arb_series) -> arb_series:
    e, one, _ = _bell(x)
    return 4 * e / (one * one)


def _logistic(x: arb_series) -> arb_series:
    e, one, positive = _bell(x / 2)
    return 1 / one if positive else e / one


def _softplus(x: arb_series) -> arb_series:
    _, one, positive = _bell(x / 2)
    return x + one.log() if positive else one.log()


def _gauss(x: arb_series) -> arb_series:
    return (2 / arb.pi().sqrt()) * (-x * x).exp()


_SERIES: dict[str, Coefficients] = {
    "exp": _series(lambda x: x.exp()),
    "log": _series(lambda x: x.log()),
    "sqrt": _series(lambda x: x.sqrt()),
    "sin": _series(lambda x: x.sin()),
    "cos": _series(lambda x: x.cos()),
    "tanh": _series(_tanh),
    "sech2": _series(_sech2),
    "logistic": _series(_logistic),
    "softplus": _series(_softplus),
    "erf": _series(lambda x: x.erf()),
    "gauss": _series(_gauss),
}


def stacked(numbers: Sequence[TaylorModel]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values (N,), terms (N, M) and rests (N,) of N numbers."""
    size = numbers[0].among.size
    terms: NDArray[np.float64] = np.zeros((len(numbers), size))
    for k, x in enumerate(numbers):
        if x.terms is not None:
            terms[k] = x.terms
    return np.array([x.value for x in numbers]), terms, np.array([x.rest for x in numbers])
