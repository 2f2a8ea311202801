"""The checker's polynomials with a rest, of its own making: they share nothing with those of the derivation program.

A number is sum_a c_a z^a + rho, |rho| <= rest, in variables z between -1 and 1: n of weight 1, then p of weight max(q
- 1, 1), of which no two are multiplied. Exponents a of weight up to q are kept; what a product adds beyond them is
bounded by the product of the norms less that of the kept terms. Coefficients are float64, and all rounding is in the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isfinite

import numpy as np
from flint import arb
from numpy.typing import NDArray

from symland.records import Verdict
from symland.rigor.check_activation import Refusal

__all__ = ["Polynomial", "Space", "space"]

SMALL = 2.0**-44  # relative rounding of a sum of at most 256 products
MORE = 1 + 2.0**-44  # makes up for the rounding of a few operations
CUTS = 8  # pieces of a range over which a derivative is bounded

Floats = NDArray[np.float64]
Coefficients = Callable[[arb, int], Sequence[arb]]


class Space:
    """The exponents that are kept, as sorted tuples of variables; the empty one, of the constants, comes first."""

    def __init__(self, n: int, p: int, weight: int) -> None:
        self.n, self.p, self.weight = n, p, weight
        heavy = max(weight - 1, 1)
        self.exponents: list[tuple[int, ...]] = [()]
        layer: list[tuple[int, ...]] = [()]
        for _ in range(weight):
            layer = [(*a, k) for a in layer for k in range(a[-1] if a else 0, n)]
            self.exponents += layer
        for l in range(n, n + p) if weight else ():
            self.exponents += [(l,), *((k, l) for k in range(n) if heavy + 1 <= weight)]
        self.where = {a: i for i, a in enumerate(self.exponents)}
        rows = []
        for i, a in enumerate(self.exponents):
            for j, b in enumerate(self.exponents):
                k = self.where.get(tuple(sorted(a + b)))
                if k is not None:
                    rows.append((i, j, k))
        self.i, self.j, self.k = np.array(rows, dtype=np.int64).T.copy()

    def __len__(self) -> int:
        return len(self.exponents)

    def number(self, terms: Mapping[tuple[int, ...], arb]) -> Polynomial:
        """Of these coefficients; one whose exponent is not kept goes into the rest."""
        c, rest = np.zeros(len(self)), 0.0
        for a, ball in terms.items():
            i = self.where.get(a)
            if i is None:
                rest += float(ball.abs_upper())
            else:
                c[i] = float(ball.mid())
                rest += float((ball - arb(float(c[i]))).abs_upper())
        return Polynomial(self, c, rest * MORE)


@lru_cache(maxsize=8)
def space(n: int, p: int, weight: int) -> Space:
    """The space, made once."""
    return Space(n, p, weight)


class Polynomial:
    """One number."""

    __slots__ = ("c", "norm", "rest", "space")

    def __init__(self, among: Space, c: Floats, rest: float) -> None:
        self.space, self.c, self.rest = among, c, rest
        self.norm = float(np.abs(c).sum()) * MORE
        if not (isfinite(rest) and isfinite(self.norm)):
            raise Refusal("a number has no bound over the ball", Verdict.UNDECIDED)

    def __add__(self, other: Polynomial) -> Polynomial:
        c = self.c + other.c
        return Polynomial(self.space, c, (self.rest + other.rest + SMALL * (self.norm + other.norm)) * MORE)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + other.scaled(-1.0)

    def scaled(self, factor: float) -> Polynomial:
        """Times a float64 number."""
        return Polynomial(self.space, factor * self.c, (abs(factor) * (self.rest + SMALL * self.norm)) * MORE)

    def __mul__(self, other: Polynomial) -> Polynomial:
        s = self.space
        parts = self.c[s.i] * other.c[s.j]
        c: Floats = np.bincount(s.k, weights=parts, minlength=len(s)).astype(np.float64)
        whole = self.norm * other.norm
        beyond = max(whole - float(np.abs(parts).sum()), 0.0) + SMALL * whole
        rest = self.norm * other.rest + self.rest * other.norm + self.rest * other.rest
        return Polynomial(s, c, (rest + beyond) * MORE)

    def bounds(self) -> arb:
        """A ball that holds the number; a square is between 0 and 1."""
        centre, around = arb(float(self.c[0])), arb(self.rest)
        for a, x in zip(self.space.exponents[1:], self.c[1:].tolist(), strict=True):
            square = len(a) == 2 and a[0] == a[1]
            centre += arb(x) / 2 if square else 0
            around += arb(abs(x)) / 2 if square else arb(abs(x))
        return centre + around * arb(0, 1)

    def under(self, series: Coefficients) -> Polynomial:
        """A function of this number: Taylor's formula around its constant, with the rest of Lagrange."""
        q, c0 = self.space.weight, arb(float(self.c[0]))
        c = self.c.copy()
        c[0] = 0.0
        moved = Polynomial(self.space, c, self.rest)
        reach = arb(moved.norm + moved.rest) * arb(MORE)
        near = series(c0, q + 1)
        total = self.space.number({(): near[q]})
        for k in range(q - 1, -1, -1):
            total = total * moved + self.space.number({(): near[k]})
        worst = arb(0)
        for cut in range(CUTS):
            piece = c0 + reach * (arb(2 * cut + 1 - CUTS) / CUTS + arb(0, 1) / CUTS)
            worst = worst.max(series(piece, q + 2)[q + 1].abs_upper())
        beyond = (worst * reach ** (q + 1)).abs_upper()
        return Polynomial(self.space, total.c, (total.rest + float(beyond)) * MORE)
