"""The form of an energy over Arb balls: value, gradient and Hessian, Newton's method, Krawczyk's test and the index.

A line is a vector y with one component i equal to 1. It is critical on the sphere exactly where

    g_j(y) = dF/dy_j |y|^2 - q F(y) y_j = 0   for j != i,

q the degree: by Euler's identity sum_j y_j g_j = 0, so that g_i vanishes with the others. With phi = F / |y|^q on the
chart, g_j = |y|^(q + 2) dphi/dy_j; at a critical line the Jacobian of g is the Hessian of phi times a positive number:

    J_jl = F_jl |y|^2 - q F delta_jl + (2q - q^2) F y_j y_l / |y|^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat

from symland.analysis.condensation.energy import Energy
from symland.program.balls import exact_ball
from symland.records import Verdict

__all__ = ["BITS", "Line", "attracts", "certify_line", "enclose_line", "evaluate", "line_at", "signature"]

BITS = 256
"""Working precision of certified lines."""

NEWTON_STEPS = 12
"""Steps of Newton's method from a double to the working precision."""

RADIUS = 2.0**-150
"""Radius of the cube on which Krawczyk's test is made, in units of the largest component."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A critical line that is proved to exist and to be the only one in its cube.

    Attributes
    ----------
    vector : n balls
        y, with y_axis = 1.
    axis : int
    value : arb
        F at the unit vector; |F| for several outputs.
    index, nullity : int or None
        Of the Riemannian Hessian; None where it is not decided.
    maximum, minimum : bool
        Whether the line is proved to be a strict local one on the sphere.
    """

    vector: tuple[arb, ...]
    axis: int
    value: arb
    index: int | None
    nullity: int | None
    maximum: bool
    minimum: bool

    @property
    def unit(self) -> list[arb]:
        """The unit vector, its first component that is not 0 positive."""
        length = sum((v * v for v in self.vector), arb(0)).sqrt()
        first = next((v for v in self.vector if not v.contains(0)), arb(1))
        return [v / length if first > 0 else -v / length for v in self.vector]


def _powers(s: arb, highest: int) -> list[arb]:
    """1, s, ..., s^k by products: flint's power of a ball about 0 is not finite."""
    powers = [arb(1)]
    for _ in range(highest):
        powers.append(powers[-1] * s)
    return powers


def _part(energy: Energy, q: int, y: Sequence[arb]) -> tuple[arb, list[arb], list[list[arb]]]:
    n, k = range(energy.size), energy.order
    value, slope, bend = arb(0), [arb(0) for _ in n], [[arb(0) for _ in n] for _ in n]
    for vector, moment in zip(energy.vectors, energy.moments[q], strict=True):
        if not moment:
            continue
        x = [exact_ball(v) for v in vector]
        s = sum((a * b for a, b in zip(x, y, strict=True)), arb(0))
        m = exact_ball(moment)
        powers = _powers(s, k)
        value += m * powers[k]
        first = m * k * powers[k - 1]
        second = m * k * (k - 1) * powers[k - 2] if k > 1 else arb(0)
        for j in n:
            slope[j] += first * x[j]
            for l in n:
                bend[j][l] += second * x[j] * x[l]
    return value, slope, bend


def evaluate(energy: Energy, y: Sequence[arb]) -> tuple[arb, list[arb], list[list[arb]]]:
    """The form that decides, its gradient and Hessian at y."""
    parts = [_part(energy, q, y) for q in range(len(energy.moments))]
    if energy.single:
        return parts[0]
    n = range(energy.size)
    value, slope, bend = arb(0), [arb(0) for _ in n], [[arb(0) for _ in n] for _ in n]
    for a, (f, df, ddf) in enumerate(parts):
        for b, (h, dh, _) in enumerate(parts):
            s = exact_ball(energy.gram[a][b])
            value += s * f * h
            for j in n:
                slope[j] += 2 * s * df[j] * h
                for l in n:
                    bend[j][l] += 2 * s * (ddf[j][l] * h + df[j] * dh[l])
    return value, slope, bend


def _system(energy: Energy, y: Sequence[arb], axis: int, metric: Sequence[Sequence[arb]]) -> tuple[list[arb], arb_mat]:
    """g_j for j != axis and its Jacobian, anywhere on the chart, with y^T M y in the place of |y|^2."""
    q, n = energy.degree, range(energy.size)
    value, slope, bend = evaluate(energy, y)
    turned = [sum((metric[j][l] * y[l] for l in n), arb(0)) for j in n]
    square = sum((v * t for v, t in zip(y, turned, strict=True)), arb(0))
    free = [j for j in n if j != axis]
    g = [slope[j] * square - q * value * turned[j] for j in free]
    rows = [
        [
            bend[j][l] * square + 2 * slope[j] * turned[l] - q * slope[l] * turned[j] - q * value * metric[j][l]
            for l in free
        ]
        for j in free
    ]
    return g, arb_mat(rows)


def enclose_line(
    energy: Energy,
    start: Sequence[float],
    axis: int,
    metric: Sequence[Sequence[Fraction]] | None = None,
) -> list[arb] | None:
    """A small cube y_axis = 1 that holds exactly one critical line, near a vector; None where Krawczyk's test fails.

    Newton's method comes first. The caller sets the working precision of flint to `BITS`.
    """
    n = range(energy.size)
    balls = [[exact_ball(metric[i][j]) if metric else arb(int(i == j)) for j in n] for i in n]
    y = [arb(float(v) / float(start[axis])) for v in start]
    y[axis] = arb(1)
    free = [j for j in n if j != axis]
    size = len(free)
    inverse = arb_mat(size, size)
    for _ in range(NEWTON_STEPS):
        g, jacobian = _system(energy, y, axis, balls)
        try:
            inverse = jacobian.mid().inv().mid()
        except ZeroDivisionError:
            return None
        step = (inverse * arb_mat(size, 1, g)).entries()
        if not all(s.is_finite() for s in step):
            return None
        for j, s in zip(free, step, strict=True):
            y[j] = (y[j] - s).mid()
    g, _ = _system(energy, y, axis, balls)
    around = [v if j == axis else v + arb(0, RADIUS) for j, v in enumerate(y)]
    _, jacobian = _system(energy, around, axis, balls)
    defect = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)]) - inverse * jacobian
    moved = (inverse * arb_mat(size, 1, g)).entries()
    for i in range(size):
        row = sum((defect[i, j].abs_upper() for j in range(size)), arb(0))
        if not moved[i].abs_upper() + row * arb(RADIUS) < arb(RADIUS):
            return None
    return around


def certify_line(energy: Energy, start: Sequence[float]) -> Line | None:
    """The critical line near a vector, with its index; None where it was not proved to exist."""
    axis = max(range(len(start)), key=lambda j: abs(start[j]))
    found = enclose_line(energy, start, axis)
    return None if found is None else line_at(energy, found, axis)


def line_at(energy: Energy, y: Sequence[arb], axis: int) -> Line:
    """What is proved of a critical line that balls with y_axis = 1 hold."""
    q = energy.degree
    value, _, bend = evaluate(energy, y)
    square = sum((v * v for v in y), arb(0))
    free = [j for j in range(energy.size) if j != axis]
    hessian = [
        [
            bend[j][l] * square + (2 * q - q * q) * value * y[j] * y[l] / square - (q * value if j == l else 0)
            for l in free
        ]
        for j in free
    ]
    index = signature(hessian)
    at_unit = value / _powers(square.sqrt(), q)[q]
    size = at_unit
    if not energy.single:
        size = at_unit.sqrt() if at_unit > 0 else arb(0).union(at_unit.abs_upper().sqrt())
    return Line(
        vector=tuple(y),
        axis=axis,
        value=size,
        index=index,
        nullity=None if index is None else 0,
        maximum=index == len(free),
        minimum=index == 0,
    )


def signature(rows: Sequence[Sequence[arb]]) -> int | None:
    """The number of negative eigenvalues of a symmetric matrix of balls, or None where it is not decided.

    V^T A V with an approximate V of eigenvectors is nearly diagonal. Where no disc of Gershgorin holds 0 the product is
    not singular, so V is not, and A has the same inertia (Sylvester).
    """
    size = len(rows)
    if not size:
        return 0
    middle = np.array([[float(v.mid()) for v in row] for row in rows])
    if not np.isfinite(middle).all():
        return None
    turn = np.linalg.eigh((middle + middle.T) / 2)[1]
    v = arb_mat([[arb(float(x)) for x in row] for row in turn])
    turned = v.transpose() * arb_mat([list(row) for row in rows]) * v
    negative = 0
    for i in range(size):
        reach = sum((turned[i, j].abs_upper() for j in range(size) if j != i), arb(0))
        if turned[i, i] + reach < 0:
            negative += 1
        elif not turned[i, i] - reach > 0:
            return None
    return negative


def attracts(value: arb, maximum: bool, minimum: bool) -> Verdict:
    """Whether a line attracts nodes: a strict maximum with F > 0, or a strict minimum with F < 0."""
    if (maximum and value > 0) or (minimum and value < 0):
        return Verdict.CERTIFIED
    return Verdict.UNDECIDED if (maximum or minimum) and value.contains(0) else Verdict.REFUTED
