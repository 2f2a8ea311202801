"""Many Taylor models at once: polynomials with an enclosed rest, for all complex variables of absolute value at most 1.

As :mod:`symland.program.taylor_model`, a row is c + sum of c_m e^m over the monomials of degree 1 to q, with a rest
that bounds what is missing; but rows are computed together, and the bounds, which are sums of |coefficients|, hold for
complex e, too. The only function is tanh. For |x - a| <= s < STRIP it is its Taylor polynomial at the real number a and
BEYOND more terms, taken by their size, and beyond them |f_k| <= tan(STRIP) / STRIP^k (Cauchy), since |tanh(x + iy)| is
at most tan |y| for y between pi/4 and pi/2, and at most 1 below.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import final

import numpy as np
from flint import arb, arb_series

from symland.program.taylor_model import ROUNDING, UPWARD
from symland.rigor.enumeration.problem import Doubles

__all__ = ["Degrees", "Models", "degrees"]

STRIP = 1.2
"""Largest imaginary part at which tanh is bounded."""
BEYOND = 4
"""Coefficients of tanh beyond a polynomial's that are taken by their size."""


@final
class Degrees:
    """The monomials of degree 1 to q in n variables; ``place`` is the column of the sorted numbers of the factors."""

    def __init__(self, n: int, order: int) -> None:
        groups = [list(combinations_with_replacement(range(n), d)) for d in range(1, order + 1)]
        self.order, self.keys = order, [key for group in groups for key in group]
        self.place = {key: k for k, key in enumerate(self.keys)}
        self.size = len(self.keys)
        self._starts = np.cumsum([0, *map(len, groups[:-1])])
        pairs = sorted(
            (self.place[tuple(sorted(a + b))], i, j)
            for i, a in enumerate(self.keys)
            for j, b in enumerate(self.keys)
            if len(a) + len(b) <= order
        )
        to, self._left, self._right = np.array(pairs, dtype=np.int64).reshape(-1, 3).T.copy()
        self._to, self._first = np.unique(to, return_index=True)

    def norms(self, terms: Doubles) -> Doubles:
        """Sums (N, q) of |coefficients| by degree."""
        return np.asarray(np.add.reduceat(np.abs(terms), self._starts, axis=1))

    def product(self, a: Doubles, b: Doubles) -> Doubles:
        """What sums of monomials multiply to, as far as it is kept."""
        found = np.zeros_like(a)
        if len(self._to):
            found[:, self._to] = np.add.reduceat(a[:, self._left] * b[:, self._right], self._first, axis=1)
        return found

    def lost(self, a: Doubles, b: Doubles) -> Doubles:
        """Bounds of what `product` leaves out, and of its rounding, from the norms of both."""
        total = a.sum(axis=1) * b.sum(axis=1)
        kept = sum((a[:, i] * b[:, : self.order - i - 1].sum(axis=1) for i in range(self.order - 1)), np.zeros(len(a)))
        # Sums of a few hundred numbers that are not negative.
        return np.asarray(np.maximum(total - kept, 0.0) + 8 * ROUNDING * total)


@lru_cache(maxsize=16)
def degrees(n: int, order: int) -> Degrees:
    """The monomials, found once."""
    return Degrees(n, order)


@final
class Models:
    """Rows: ``value`` (N,), ``terms`` (N, M), ``rest`` (N,)."""

    def __init__(self, among: Degrees, value: Doubles, terms: Doubles, rest: Doubles) -> None:
        self.among, self.value, self.terms, self.rest = among, value, terms, rest

    @staticmethod
    def joined(parts: Sequence[Models]) -> Models:
        """The rows of some, one after another."""
        value, terms, rest = (np.concatenate(p) for p in zip(*((m.value, m.terms, m.rest) for m in parts), strict=True))
        return Models(parts[0].among, value, terms, rest)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: Sequence[int] | slice) -> Models:
        return Models(self.among, self.value[rows], self.terms[rows], self.rest[rows])

    def sizes(self) -> Doubles:
        """Bounds of |x|."""
        return np.asarray((np.abs(self.value) + np.abs(self.terms).sum(axis=1) + self.rest) * UPWARD)

    def __neg__(self) -> Models:
        return Models(self.among, -self.value, -self.terms, self.rest)

    def __add__(self, other: Models) -> Models:
        value, terms = self.value + other.value, self.terms + other.terms
        rounded = ROUNDING * (np.abs(value) + np.abs(terms).sum(axis=1))
        return Models(self.among, value, terms, (self.rest + other.rest + rounded) * UPWARD)

    def __mul__(self, other: Models) -> Models:
        a, b = self.value, other.value
        norms = self.among.norms(self.terms), self.among.norms(other.terms)
        sizes = [np.abs(x) + n.sum(axis=1) for x, n in zip((a, b), norms, strict=True)]
        terms = b[:, None] * self.terms + a[:, None] * other.terms + self.among.product(self.terms, other.terms)
        rest = sizes[0] * other.rest + sizes[1] * self.rest + self.rest * other.rest
        rest = rest + self.among.lost(*norms) + ROUNDING * sizes[0] * sizes[1]
        return Models(self.among, a * b, terms, rest * UPWARD)

    def plus(self, numbers: Doubles) -> Models:
        """With exact numbers added."""
        value = self.value + numbers
        return Models(self.among, value, self.terms, (self.rest + ROUNDING * np.abs(value)) * UPWARD)

    def turned(self, matrix: Doubles) -> Models:
        """Products with an exact matrix."""
        size = np.abs(matrix) @ (np.abs(self.value) + np.abs(self.terms).sum(axis=1))
        rounding = ROUNDING * (1 + matrix.shape[1] / 32)
        rest = (np.abs(matrix) @ self.rest + rounding * size) * UPWARD
        return Models(self.among, matrix @ self.value, matrix @ self.terms, rest)

    def tanh(self) -> Models:
        """tanh of each; the rest is infinite where an argument may leave the strip."""
        order = self.among.order
        spread = (np.abs(self.terms).sum(axis=1) + self.rest) * UPWARD
        found = [_series(x, s, order) for x, s in zip(self.value.tolist(), spread.tolist(), strict=True)]
        middle, rounded = np.array([f[0] for f in found]), np.array([f[1] for f in found])
        moved = Models(self.among, np.zeros(len(self)), self.terms, self.rest)
        total = Models(self.among, middle[:, order], np.zeros_like(self.terms), rounded[:, order])
        for k in reversed(range(order)):
            total = total * moved
            total = Models(self.among, middle[:, k], total.terms, (total.rest + rounded[:, k]) * UPWARD)
        return Models(self.among, total.value, total.terms, (total.rest + np.array([f[2] for f in found])) * UPWARD)


def _series(x: float, spread: float, order: int) -> tuple[list[float], list[float], float]:
    """Doubles near the coefficients of tanh at x, bounds of their rounding, and of the rest of the series."""
    if not spread < STRIP / 2:
        return [0.0] * (order + 1), [0.0] * (order + 1), float("inf")
    row = 1 - 2 / (arb_series([arb(2 * x), arb(2)], prec=order + BEYOND + 1).exp() + 1)
    coefficients = [row[k] for k in range(order + BEYOND + 1)]
    near = [float(c.mid()) for c in coefficients[: order + 1]]
    rounded = [float((c - arb(m)).abs_upper()) * UPWARD for c, m in zip(coefficients, near, strict=False)]
    s, ratio = arb(spread), arb(spread) / arb(STRIP)
    far = sum((c.abs_upper() * s**k for k, c in enumerate(coefficients) if k > order), arb(0))
    far = far + arb(STRIP).tan() * ratio ** (order + BEYOND + 1) / (1 - ratio)
    return near, rounded, float(far.upper()) * UPWARD
