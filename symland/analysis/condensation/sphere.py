"""All critical lines of a form in three to five weights: branch and prune on the faces of a cube, with Krawczyk's test.

Every line meets a face y_i = 1 of the cube [-1, 1]^r, and it is critical on the ellipsoid y^T M y = 1 exactly where

    g_j(u) = df/dy_j y^T M y - q f (M y)_j = 0     for all j != i.

About the middle c of a box of radius rho the g_j are polynomials in h = u - c, |h| <= rho, whose coefficients are
linear in the powers of c: one matrix product gives them for all boxes. With Y the approximate inverse of their linear
part, a box is dropped where |(Y g)(c)| is above the sum of the other terms at rho. It holds at most one zero, which a
box 3/2 as wide does hold, where |Y g(c)| + kappa R < R, kappa a bound of |I - Y g'| over the wide box. Powers are of
numbers up to 1, and every coefficient carries a fixed bound for its rounding, which is added to each test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from symland.analysis.condensation.forms import Form, derivative, plus, times
from symland.records import FloatArray

__all__ = ["Isolated", "isolate_lines"]

MOST_BOXES = 400_000
"""Boxes looked at before the rest is left open."""

MOST_WORK = 6e10
"""Multiplications in all boxes together before the rest is left open; it counts where polynomials are long."""

DEEPEST = 26
"""Bisections of one face's side before a box is left open."""

BATCH = 2048
"""Boxes looked at together."""

INFLATION = 1.5
"""How much wider than its own box the box of uniqueness is."""

UNIT = 2.0**-53
"""Relative error of one operation in double precision."""

SLACK = 1 + 1e-10
"""Covers the rounding of the sums of bounds, which have fewer than 10^4 terms each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Isolated:
    """A box in the chart y_axis = 1 that is proved to hold exactly one critical line.

    Attributes
    ----------
    axis : int
    centre : (r - 1,) float64
    radius : float
    """

    axis: int
    centre: FloatArray
    radius: float

    def point(self) -> FloatArray:
        """The middle, with the component 1 in its place."""
        return np.insert(self.centre, self.axis, 1.0)


@dataclass(frozen=True, kw_only=True)
class _Chart:
    """The polynomials g_j on one face, ready for matrix products."""

    powers: NDArray[np.int64]
    matrix: FloatArray
    error: FloatArray
    degrees: FloatArray
    units: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.powers.shape[1]


def _chart(form: Form, degree: int, metric: Sequence[Sequence[Fraction]], axis: int) -> _Chart:
    r = len(metric)
    unit = [tuple(int(i == j) for j in range(r)) for i in range(r)]
    rows: list[Form] = [{unit[j]: metric[i][j] for j in range(r) if metric[i][j]} for i in range(r)]
    square = plus(*(times(row, {unit[i]: Fraction(1)}) for i, row in enumerate(rows)))
    scaled = {e: -degree * v for e, v in form.items()}
    free = [j for j in range(r) if j != axis]
    systems = [plus(times(derivative(form, j), square), times(scaled, rows[j])) for j in free]
    m, top = r - 1, degree + 1
    powers = [e for e in product(range(top + 1), repeat=m) if sum(e) <= top]
    place = {e: k for k, e in enumerate(powers)}
    matrix = np.zeros((len(powers), m, len(powers)))
    # One scale for all g_j, so that the matrices of several parts have the rank of their gradients.
    largest = max((abs(v) for system in systems for v in system.values()), default=Fraction(1))
    for number, system in enumerate(systems):
        for exponents, value in system.items():
            beta = tuple(exponents[j] for j in free)
            for alpha in product(*(range(b + 1) for b in beta)):
                gamma = tuple(b - a for a, b in zip(alpha, beta, strict=True))
                weight = value / largest * prod(comb(b, a) for a, b in zip(alpha, beta, strict=True))
                matrix[place[gamma], number, place[alpha]] += float(weight)
    # Each coefficient is a sum of products: of a rounded number, a rounded power and at most one error for each term.
    error = (len(powers) + 4 * top + 4) * UNIT * np.abs(matrix).sum(axis=0) * SLACK
    return _Chart(
        powers=np.array(powers),
        matrix=matrix.reshape(len(powers), -1),
        error=error,
        degrees=np.array([sum(e) for e in powers], dtype=np.float64),
        units=tuple(place[tuple(int(i == j) for j in range(m))] for i in range(m)),
    )


def isolate_lines(
    form: Form,
    degree: int,
    metric: Sequence[Sequence[Fraction]],
    most: int = MOST_BOXES,
    parts: Sequence[Form] = (),
) -> tuple[list[Isolated], int]:
    """Boxes that hold one critical line each and together all of them; and how many boxes are left open.

    A line on the edge of a face, or of a box, is found more than once. Where the form is a positive definite sum of
    products of `parts`, of half its degree, boxes may be dropped whose critical lines are zeros of all parts: the
    gradient of |F|^2 is 2 J^T F, and where the Jacobian J of the parts along the sphere has full rank it vanishes
    together with F alone.
    """
    found: list[Isolated] = []
    left = 0
    for axis in range(len(metric)):
        chart = _chart(form, degree, metric, axis)
        halves = [_chart(part, degree // 2, metric, axis) for part in parts] if len(parts) <= chart.size else []
        share = min(most, int(MOST_WORK / chart.matrix.size)) // len(metric)
        boxes, unresolved = _search(chart, halves, axis, share)
        found += boxes
        left += unresolved
        if left:
            break
    return found, left


def _search(chart: _Chart, halves: Sequence[_Chart], axis: int, most: int) -> tuple[list[Isolated], int]:
    m = chart.size
    corners = np.array(list(product((-0.5, 0.5), repeat=m)))
    level, radius, looked = np.zeros((1, m)), 1.0, 0
    found: list[Isolated] = []
    for _ in range(DEEPEST):
        looked += len(level)
        if looked > most:
            return found, len(level)
        rest = []
        for part in _batches(level):
            drop, single = _test(chart, part, radius)
            if halves:
                undecided = ~drop & ~single
                drop[undecided] = _full_rank(halves, part[undecided], radius)
            found += [Isolated(axis=axis, centre=c.copy(), radius=radius * INFLATION) for c in part[single & ~drop]]
            rest.append(part[~drop & ~single])
        open_boxes = np.concatenate(rest)
        if not len(open_boxes):
            return found, 0
        level = (open_boxes[:, None, :] + radius * corners).reshape(-1, m)
        radius /= 2
    return found, len(level)


def _batches(boxes: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(boxes), BATCH):
        yield boxes[start : start + BATCH]


def _taylor(chart: _Chart, centres: FloatArray) -> FloatArray:
    """The coefficients of all g_j about each centre, (boxes, m, terms), each to within `chart.error`."""
    table = np.ones((int(chart.degrees.max()) + 1, *centres.shape))
    for power in range(1, len(table)):
        table[power] = table[power - 1] * centres
    monomials = np.prod([table[chart.powers[:, j], :, j] for j in range(chart.size)], axis=0)
    return (monomials.T @ chart.matrix).reshape(len(centres), chart.size, len(chart.degrees))


def _full_rank(halves: Sequence[_Chart], centres: FloatArray, radius: float) -> NDArray[np.bool_]:
    """Where the gradients of all parts along the sphere are proved independent all over a box.

    With P the pseudo-inverse of the matrix A of gradients in the middle, they are where |I - P A(X)| < 1.
    """
    middles, reaches = [], []
    for chart in halves:
        taylor = _taylor(chart, centres)
        higher = chart.degrees > 0
        bound = np.abs(taylor) + chart.error
        middles.append(taylor[:, :, ~higher][:, :, 0])
        reaches.append(bound[:, :, higher] @ (radius ** chart.degrees[higher]) + chart.error[:, ~higher][:, 0])
    middle, reach = np.stack(middles, axis=2), np.stack(reaches, axis=2)
    inverse = np.linalg.pinv(middle)
    defect = np.abs(np.eye(len(halves)) - inverse @ middle)
    rounding = 4 * (chart.size + 1) * UNIT * (np.abs(inverse) @ np.abs(middle))
    whole = (defect + rounding + np.abs(inverse) @ reach).sum(axis=2) * SLACK
    return np.asarray((whole < 1).all(axis=1))


def _test(chart: _Chart, centres: FloatArray, radius: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each box whether it is proved to hold no zero, and whether one box about it is proved to hold exactly one."""
    m = chart.size
    taylor = _taylor(chart, centres)
    bound = np.abs(taylor) + chart.error
    higher = chart.degrees > 0
    reach = bound[:, :, higher] @ (radius ** chart.degrees[higher])
    constant = int(np.flatnonzero(~higher)[0])
    drop = (np.abs(taylor[:, :, constant]) - chart.error[:, constant] > reach * SLACK).any(axis=1)
    linear = taylor[:, :, list(chart.units)]
    good = np.linalg.cond(linear) < 1e8 if m > 1 else np.abs(linear[:, 0, 0]) > 0
    inverse = np.zeros_like(linear)
    inverse[good] = np.linalg.inv(linear[good])
    turned = inverse @ taylor
    error = np.abs(inverse) @ (chart.error + 4 * m * UNIT * np.abs(taylor)) * SLACK
    bound = np.abs(turned) + error
    middle = np.abs(turned[:, :, constant])
    reach = bound[:, :, higher] @ (radius ** chart.degrees[higher])
    drop |= good & (middle - error[:, :, constant] > reach * SLACK).any(axis=1)
    wide = radius * INFLATION
    beyond = chart.degrees > 1
    slope = bound[:, :, beyond] @ (chart.degrees[beyond] * wide ** (chart.degrees[beyond] - 1))
    defect = turned[:, :, list(chart.units)] - np.eye(m)
    slope += (np.abs(defect) + error[:, :, list(chart.units)]).sum(axis=2)
    single = good & ((middle + error[:, :, constant] + slope * wide) * SLACK < wide).all(axis=1)
    return drop, single
