"""Bounds of analytic functions on Bernstein ellipses from their values at Chebyshev nodes.

The ellipse E_rho has the foci -1 and 1 and the semi-axes (rho +- 1/rho) / 2; on it |T_k| <= rho^k. Let f be analytic
inside of E_rho with |f| <= M there, f_j its values at the n zeros of T_n, and q = rho1 / rho < 1. The coefficients of
f are at most 2 M rho^-k, those of the interpolant at most 2 max |f_j|, and T_k with k >= n takes the values of +-T_k',
k' < n, or 0 at the nodes. So on E_rho1

    |f| <= 2 max |f_j| sum_{k<n} rho1^k + 4 M q^n / (1 - q)

(Trefethen, Approximation Theory and Approximation Practice, theorems 8.1 and 8.2). The same holds for a function with
values in a normed space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import acb, acb_mat, arb, arb_mat, fmpq

from symland.records import FloatArray

__all__ = [
    "ROUNDING",
    "Zero",
    "arcs",
    "bound",
    "coefficients",
    "curve_bound",
    "node_values",
    "nodes",
    "row_bound",
    "simple_zeros",
    "slope_table",
    "values_at",
]

NARROWEST = 2.0**-24
"""Length of an interval of [-1, 1] at which the search for zeros gives up."""

ROUNDING = 1e-13
"""Bound of the rounding of a derivative of a polynomial in float64, in units of its coefficients and degree^2."""


def nodes(n: int) -> FloatArray:
    """The zeros of T_n in float64."""
    found: FloatArray = np.cos((np.arange(n) + 0.5) * np.pi / n)
    return found


def coefficients(values: FloatArray) -> FloatArray:
    """Chebyshev coefficients along the first axis, of values at `nodes`."""
    n = len(values)
    table = np.cos(np.outer(np.arange(n), (np.arange(n) + 0.5) * np.pi / n)) * (2.0 / n)
    table[0] *= 0.5
    found: FloatArray = np.tensordot(table, values, axes=1)
    return found


def node_values(n: int, degree: int) -> arb_mat:
    """(n, degree + 1): T_k at the zeros of T_n, enclosed."""
    return arb_mat([[arb.cos_pi_fmpq(fmpq((2 * j + 1) * k, 2 * n)) for k in range(degree + 1)] for j in range(n)])


def arcs(rho: float, count: int, degree: int) -> list[tuple[acb, list[acb]]]:
    """The upper half of E_rho in arcs: the ball of s, and the balls of T_0(s) ... T_degree(s)."""
    found = []
    size = arb(rho)
    half = arb.pi() / (2 * count)
    for k in range(count):
        middle = half * (2 * k + 1)
        phi = middle + arb(0, 1) * half
        tables = []
        power = arb(1)
        for j in range(degree + 1):
            up, down = power / 2, 1 / (2 * power)
            c, s = (phi * j).cos(), (phi * j).sin()
            tables.append(acb((up + down) * c, (up - down) * s))
            power = power * size
        found.append((tables[1], tables))
    return found


def bound(values: arb, most: arb, rho1: float, rho: float, n: int) -> arb:
    """The bound above, from max |f_j| and M."""
    one, q = arb(rho1), arb(rho1) / arb(rho)
    powers = arb(n) if rho1 == 1.0 else (one**n - 1) / (one - 1)
    return 2 * values * powers + 4 * most * q**n / (1 - q)


def curve_bound(values: Sequence[Sequence[arb]], most: arb, rho1: float, rho: float) -> arb:
    """The bound for a vector function, from its values at the nodes, with the coefficients of its interpolant."""
    n = len(values)
    table = [[arb.cos_pi_fmpq(fmpq((2 * j + 1) * k, 2 * n)) for j in range(n)] for k in range(n)]
    found = arb_mat(table) * arb_mat([list(row) for row in values])
    total, power = [arb(0)] * len(values[0]), arb(2) / n
    for k, row in enumerate(found.tolist()):
        total = [t + abs(x) * (power / 2 if k == 0 else power) for t, x in zip(total, row, strict=True)]
        power = power * rho1
    q = arb(rho1) / arb(rho)
    top = arb(0)
    for x in total:
        top = x.upper() if x.upper() > top else top
    return top + 4 * most * q**n / (1 - q)


def slope_table(table: FloatArray) -> FloatArray:
    """Chebyshev coefficients of the derivative along the first axis, rounded; see `ROUNDING`."""
    if len(table) < 2:
        return np.zeros_like(table)
    return np.asarray(np.polynomial.chebyshev.chebder(table), dtype=np.float64)


def values_at(table: FloatArray, s: arb) -> list[arb]:
    """The polynomials with Chebyshev coefficients `table` (degree + 1, k) at a ball."""
    rows = table
    before, here = arb(1), s
    totals = [arb(float(x)) for x in rows[0]]
    for row in rows[1:]:
        totals = [t + here * float(x) if x else t for t, x in zip(totals, row, strict=True)]
        before, here = here, 2 * s * here - before
    return totals


@dataclass(frozen=True, kw_only=True, eq=False)
class Zero:
    """A simple zero of a function on [-1, 1]: bounds of it, and the sign of the function above it."""

    low: float
    high: float
    above: int


def simple_zeros(table: FloatArray, error: arb, slope_error: arb) -> list[Zero] | None:
    """All zeros on [-1, 1] of a function near a polynomial, each proved simple; None where that fails.

    Parameters
    ----------
    table : (degree + 1,)
        Chebyshev coefficients of the polynomial.
    error, slope_error : arb
        Bounds of the difference, and of the difference of the derivatives, on [-1, 1].
    """
    slope = slope_table(table)
    # The coefficients of the slope are rounded: their error is far below this.
    rounding = arb(ROUNDING * float(np.abs(table).sum()) * len(table) ** 2)
    spread, tilt = arb(0, 1) * error, arb(0, 1) * (slope_error + rounding)
    stack = [(-1.0, 1.0)]
    runs: list[tuple[float, float]] = []
    while stack:
        low, high = stack.pop()
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        s = arb(middle, half)
        centre = values_at(table[:, None], arb(middle))[0] + spread
        steep = values_at(slope[:, None], s)[0] + tilt
        # The mean value form is the narrower one.
        value = centre + steep * arb(0, half)
        if value > 0 or value < 0:
            continue
        if steep > 0 or steep < 0:
            if runs and runs[-1][1] == low:
                runs[-1] = (runs[-1][0], high)
            else:
                runs.append((low, high))
            continue
        if half < NARROWEST:
            return None
        stack += [(middle, high), (low, middle)]
    found = []
    for low, high in runs:
        ends = []
        for end in (low, high):
            value = values_at(table[:, None], arb(end))[0] + spread
            if not (value > 0 or value < 0):
                return None
            ends.append(1 if value > 0 else -1)
        if ends[0] == ends[1]:
            continue
        narrow = _narrowed(table, spread, low, high, ends[1])
        found.append(Zero(low=narrow[0], high=narrow[1], above=ends[1]))
    return found


def _narrowed(table: FloatArray, spread: arb, low: float, high: float, above: int) -> tuple[float, float]:
    """Smaller bounds of a zero, by bisection while the sign is sure."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        value = values_at(table[:, None], arb(middle))[0] + spread
        if value > 0 or value < 0:
            if (value > 0) == (above > 0):
                high = middle
            else:
                low = middle
            continue
        # The middle is too near to the zero: close in from both sides by quarters.
        left, right = 0.5 * (low + middle), 0.5 * (middle + high)
        moved = False
        for place in (left, right):
            value = values_at(table[:, None], arb(place))[0] + spread
            if value > 0 or value < 0:
                moved = True
                if (value > 0) == (above > 0):
                    high = min(high, place)
                else:
                    low = max(low, place)
        if not moved:
            break
    return low, high


def row_bound(matrix: acb_mat) -> arb:
    """An upper bound of max_i sum_j |A_ij|."""
    top = arb(0)
    for row in matrix.tolist():
        total = sum((x.abs_upper() for x in row), arb(0)).upper()
        if not total.is_finite():
            return arb("inf")
        if total > top:
            top = total
    return top
