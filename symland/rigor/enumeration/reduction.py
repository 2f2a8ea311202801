"""The reduction to one equation over pieces of x and parts of a slab: ranges of y, power series of g, signs.

As in :mod:`symland.rigor.enumeration.regions` a region is |x| <= X, |y_i| <= Y_i about a point, G = R F, and
y(x, kappa) the one zero of G_y in it; g(x, kappa) = n . F there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, arb_mat

from symland.rigor.enumeration.curved import derivatives, weights
from symland.rigor.enumeration.known import kappa_ball
from symland.rigor.enumeration.regions import Setup, across_block, sign_of
from symland.rigor.enumeration.taylor import along
from symland.rigor.matrices import identity

__all__ = ["Effort", "Reduction", "beside", "derivative", "halves", "inflated", "narrowed", "side_of"]

SWEEPS = 2
"""Contractions of y over a piece, after the one that proves."""
LEAST = 2.0**-8
"""First Y_i that is tried, in units of X."""
GROWN = 1.25
"""Factor by which a Y_i is taken larger than the image needs."""
GROWTHS = 12
"""How often a box of y is let grow."""
LARGEST = 0.3
"""Largest Y_i, in weights."""
MOST_CELLS = 200
"""Pieces of x over parts of the slab after which a region is given up."""


class Reduction:
    """The reduction over a box of (x, y): the inverse of dG_y/dy and L."""

    def __init__(self, setup: Setup, u: Sequence[arb]) -> None:
        self.setup, self.z = setup, setup.place(u)
        rows = setup.jacobian(u)
        self.inner = across_block(rows).inv()
        toward = -(arb_mat([rows[0][1:]]) * self.inner)
        self.left = arb_mat([[arb(1), *toward.entries()]]) * setup.readout

    def read(self, vector: Sequence[arb]) -> arb:
        """L times a vector."""
        return (self.left * arb_mat(len(vector), 1, list(vector))).entries()[0]

    def beside(self, vector: Sequence[arb]) -> list[arb]:
        """Q (dG_y/dy)^-1 R_y times a vector."""
        read = (self.setup.readout * arb_mat(len(vector), 1, list(vector))).entries()[1:]
        y = (self.inner * arb_mat(len(read), 1, read)).entries()
        return (self.setup.columns * arb_mat(len(vector), 1, [arb(0), *y])).entries()

    def series(self, order: int) -> list[arb]:
        """c_1, ..., c_n of g(x + t) = sum_k c_k t^k, for every x and kappa of the box.

        With the coefficients of y up to k - 1 known and y_k left out, F on the curve has the coefficient r_k:
        y_k = -(dG_y/dy)^-1 R_y r_k, and c_k = L r_k.
        """
        problem, kappa = self.setup.problem, self.setup.kappa
        diagonal, normal = weights(problem), [row[0] for row in self.setup.columns.tolist()]
        curve, found = [[x] for x in self.z], list[arb]()
        for k in range(1, order + 1):
            for jet, n in zip(curve, normal, strict=True):
                jet.append(n if k == 1 else arb(0))
            g = along(problem, curve)
            rest = [a * jet[k] - kappa * b[k] for a, jet, b in zip(diagonal, curve, g, strict=True)]
            found.append(self.read(rest))
            for jet, step in zip(curve, self.beside(rest), strict=True):
                jet[k] = jet[k] - step
        self.tangent = [jet[1] for jet in curve]
        return found

    def tilt(self) -> arb:
        """d g_x / d kappa."""
        problem, kappa = self.setup.problem, self.setup.kappa
        self.series(1)
        drift = self.beside(derivatives(problem, self.z, ()).value)
        found = derivatives(problem, self.z, [self.tangent, drift], curved=True)
        return self.read([-kappa * a - b for a, b in zip(found.second[1][0], found.first[0], strict=True)])


def inflated(setup: Setup, wide: float, thin: float = 0.0) -> list[arb] | None:
    """Y_i in which y(x, kappa) is likely to lie alone at x = 0, X and -X: a box grows until it holds its image.

    No Y_i is smaller than the largest times `thin`.
    """
    size = len(setup.origin) - 1
    ball = [arb(0, wide * LEAST)] * size
    for _ in range(GROWTHS):
        needed = np.zeros(size)
        for x in (0.0, wide, -wide):
            image = image_of(setup, arb(x), [arb(0)] * size, ball)
            needed = np.maximum(needed, [float(abs(y).upper()) for y in image])
        if not np.isfinite(needed).all() or needed.max() > LARGEST:
            return None
        if all(y < b for y, b in zip(needed, (float(b.rad()) for b in ball), strict=True)):
            return [b * GROWN for b in ball]
        least = thin * float(needed.max())
        ball = [arb(0, max(GROWN * y, float(b.rad()), least)) for y, b in zip(needed, ball, strict=True)]
    return None


def image_of(setup: Setup, x: arb, centre: Sequence[arb], y: Sequence[arb]) -> list[arb]:
    """Krawczyk's operator on a box of y about its centre, for all x of a piece and all kappa."""
    over = setup.jacobian([x, *y])
    value = setup.value([x.mid(), *centre])[1:]
    moved = arb_mat(len(y), 1, [a - c for a, c in zip(y, centre, strict=True)])
    rest = ((identity(len(y)) - across_block(over)) * moved).entries()
    return [c - v - row[0] * (x - x.mid()) + r for c, v, row, r in zip(centre, value, over[1:], rest, strict=True)]


def beside(setup: Setup, x: arb, reach: Sequence[arb]) -> list[arb] | None:
    """The range of y(x, kappa) over a piece; None where it is not proved that just one lies in the region."""
    y = image_of(setup, x, [arb(0)] * len(reach), reach)
    if not all(bool(abs(a) < b.rad()) for a, b in zip(y, reach, strict=True)):
        return None
    return narrowed(setup, x, y)


def narrowed(setup: Setup, x: arb, y: list[arb]) -> list[arb]:
    """A smaller box about y(x, kappa), from one that holds it."""
    for _ in range(SWEEPS):
        again = image_of(setup, x, [a.mid() for a in y], y)
        y = [a.intersection(b) for a, b in zip(y, again, strict=True)]
    return y


def side_of(setup: Setup, x: float, y: list[arb]) -> int:
    """The sign of g at an end. As G_y = 0, any multiple of it may be added: that by the middle of l."""
    middle = [a.mid() for a in y]
    rows = setup.jacobian([arb(x), *y])
    lead = -(arb_mat([rows[0][1:]]) * across_block(rows).inv()).mid()
    value = setup.value([arb(x), *middle])
    change = arb_mat([rows[0][1:]]) + lead * across_block(rows)
    total = value[0] + sum((a * b for a, b in zip(lead.entries(), value[1:], strict=True)), arb(0))
    return sign_of(total + sum((c * (a - m) for c, a, m in zip(change.entries(), y, middle, strict=True)), arb(0)))


@dataclass(slots=True)
class Effort:
    """Pieces of x over parts of the slab that were looked at for one region."""

    cells: int = 0

    @property
    def spent(self) -> bool:
        """Whether it is enough."""
        return self.cells >= MOST_CELLS


def halves(setup: Setup) -> list[Setup]:
    """The same for both halves of the slab."""
    low, middle, high = setup.problem.penalty, setup.problem.middle, setup.problem.highest
    slabs = setup.problem.slab(low, middle), setup.problem.slab(middle, high)
    return [replace(setup, problem=slab, kappa=kappa_ball(slab)) for slab in slabs]


def derivative(row: Sequence[arb], t: arb, order: int) -> arb:
    """The derivative of sum_k c_k t^k, from c_1 on."""
    total = arb(0)
    for k in range(len(row), order - 1, -1):
        total = total * t + row[k - 1] * math.perm(k, order)
    return total
