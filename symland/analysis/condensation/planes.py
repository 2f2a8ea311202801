"""Critical lines of a form in two weights, and eigenvectors of a quadratic form: complete, by real root isolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

import numpy as np
from flint import acb_mat, arb, arb_mat, fmpq, fmpq_mat, fmpz_poly

from symland.analysis.condensation.forms import Form, derivative, plus, times
from symland.program.balls import exact_ball

__all__ = ["Eigenspace", "PlaneLine", "eigenspaces", "plane_lines", "real_roots"]

MOST_EXACT = 30
"""Rows of the largest matrix whose characteristic polynomial is made."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaneLine:
    """A critical line of a form in two variables; `bend` is the sign of the first derivative that is not 0.

    Attributes
    ----------
    vector : (arb, arb)
    multiplicity : int
        Of the root; 1 where the line is not degenerate.
    extremum : int
        -1 a strict maximum, 1 a strict minimum, 0 neither.
    """

    vector: tuple[arb, arb]
    multiplicity: int
    extremum: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Eigenspace:
    """An eigenvalue, its multiplicity, the eigenvalues below it, and the eigenvector where it is simple."""

    value: arb
    multiplicity: int
    below: int
    vector: tuple[arb, ...] | None


def real_roots(coefficients: Sequence[Fraction]) -> list[tuple[arb, int]]:
    """All real roots of a polynomial, lowest coefficient first, isolated, with their multiplicities; ascending."""
    scale = lcm(*(c.denominator for c in coefficients))
    whole = fmpz_poly([int(c * scale) for c in coefficients])
    found = []
    for factor, times_over in whole.factor_squarefree()[1]:
        # The imaginary part of a real root is exactly 0, and a complex root's ball does not meet the axis.
        found += [(root.real, times_over) for root, _ in factor.complex_roots() if root.imag.is_zero()]
    return sorted(found, key=lambda pair: float(pair[0].mid()))


def plane_lines(form: Form, degree: int, metric: Sequence[Sequence[Fraction]]) -> list[PlaneLine] | None:
    """All critical lines of a form in two variables on the ellipse y^T M y = 1; None where every line is critical.

    They are the zeros of the form F_1 (M y)_2 - F_2 (M y)_1, up to its sign the derivative of F along the ellipse.
    """
    rows: list[Form] = [{(1, 0): metric[i][0], (0, 1): metric[i][1]} for i in (0, 1)]
    rows = [{e: v for e, v in row.items() if v} for row in rows]
    minus = {e: -v for e, v in rows[1].items()}
    turning = plus(times(derivative(form, 1), rows[0]), times(derivative(form, 0), minus))
    if not turning:
        return None
    ascending = [turning.get((degree - j, j), Fraction(0)) for j in range(degree + 1)]
    lines = []
    for root, count in real_roots(ascending):
        lines.append(PlaneLine(vector=(arb(1), root), multiplicity=count, extremum=_extremum(ascending, root, count)))
    descending = ascending[::-1]
    count = next(j for j, c in enumerate(descending) if c)
    if count:
        # At y = (s, 1) the angle falls as s grows.
        sign = -1 if descending[count] > 0 else 1
        lines.append(PlaneLine(vector=(arb(0), arb(1)), multiplicity=count, extremum=sign if count % 2 else 0))
    return lines


def _extremum(coefficients: Sequence[Fraction], root: arb, count: int) -> int:
    """The sign of the derivative of order `count` at a root of that multiplicity, 0 where the sign does not change."""
    if count % 2 == 0:
        return 0
    values = [exact_ball(c) for c in coefficients]
    for _ in range(count):
        values = [j * c for j, c in enumerate(values)][1:]
    total = arb(0)
    for c in reversed(values):
        total = total * root + c
    return 1 if total > 0 else -1 if total < 0 else 0


def eigenspaces(matrix: Sequence[Sequence[Fraction]], metric: Sequence[Sequence[Fraction]]) -> list[Eigenspace]:
    """The eigenvalues of M^-1 S, ascending, with multiplicities that are proved, and their eigenvectors.

    S is a symmetric and M a positive definite rational matrix. Eigenvalues are isolated roots of the characteristic
    polynomial, or, for matrices of more than `MOST_EXACT` rows, disjoint enclosures.

    Raises
    ------
    ArithmeticError
        If eigenvalues or components of an eigenvector could not be told apart.
    """
    size = len(matrix)
    whole = _rational(metric).inv() * _rational(matrix)
    if size > MOST_EXACT:
        return _enclosed(whole)
    polynomial = whole.charpoly()
    roots = real_roots([Fraction(int(c.p), int(c.q)) for c in polynomial.coeffs()])
    guesses = _approximate(matrix, metric)
    balls = arb_mat(whole)
    found, below = [], 0
    for value, count in roots:
        vector = _eigenvector(balls, value, guesses[:, below], size) if count == 1 else None
        found.append(Eigenspace(value=value, multiplicity=count, below=below, vector=vector))
        below += count
    return found


def _rational(rows: Sequence[Sequence[Fraction]]) -> fmpq_mat:
    return fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in rows])


def _approximate(matrix: Sequence[Sequence[Fraction]], metric: Sequence[Sequence[Fraction]]) -> np.ndarray:
    """Eigenvectors as columns in floats: guesses, of which the largest component is used."""
    left, right = (np.array([[float(v) for v in row] for row in rows]) for rows in (matrix, metric))
    try:
        half = np.linalg.inv(np.linalg.cholesky(right))
    except np.linalg.LinAlgError:
        return np.eye(len(left))
    return np.asarray(half.T @ np.linalg.eigh(half @ left @ half.T)[1])


def _enclosed(whole: fmpq_mat) -> list[Eigenspace]:
    """Simple eigenvalues and their eigenvectors by Arb."""
    try:
        values, vectors = acb_mat(arb_mat(whole)).eig(right=True)
    except ValueError:
        raise ArithmeticError("eigenvalues could not be told apart") from None
    # Balls that hold one eigenvalue each do not meet; all are real, and so are the ratios of an eigenvector's entries.
    size = len(values)
    found = []
    for below, j in enumerate(sorted(range(size), key=lambda j: float(values[j].real.mid()))):
        column = [vectors[i, j] for i in range(size)]
        axis = max(range(size), key=lambda i: float(abs(column[i]).mid()))
        if column[axis].contains(0):
            raise ArithmeticError("no component of the eigenvector is told from 0")
        vector = tuple(arb(1) if i == axis else (v / column[axis]).real for i, v in enumerate(column))
        found.append(Eigenspace(value=values[j].real, multiplicity=1, below=below, vector=vector))
    if any(a.value.overlaps(b.value) for a, b in pairwise(found)):
        raise ArithmeticError("eigenvalues could not be told apart")
    return found


def _eigenvector(matrix: arb_mat, value: arb, guess: np.ndarray, size: int) -> tuple[arb, ...]:
    """The eigenvector of a simple eigenvalue by a linear system, its largest component 1.

    One component is set to 1, first where the guess is largest. The guess in floats may be wrong where eigenvalues
    differ by many orders of magnitude: then the component may be 0, the system has no solution, and the next is taken.

    Raises
    ------
    ArithmeticError
        If the working precision does not do for any component.
    """
    for axis in map(int, np.argsort(-np.abs(guess))):
        free = [j for j in range(size) if j != axis]
        if not free:
            return (arb(1),)
        shifted = arb_mat([[matrix[i, j] - (value if i == j else 0) for j in free] for i in free])
        right = arb_mat(len(free), 1, [-matrix[i, axis] for i in free])
        try:
            solved = shifted.solve(right).entries()
        except ZeroDivisionError:
            continue
        vector = [arb(1)] * size
        for j, v in zip(free, solved, strict=True):
            vector[j] = v
        largest = max(range(size), key=lambda j: abs(float(vector[j].mid())))
        if largest == axis:
            return tuple(vector)
        if not vector[largest].contains(0):
            return tuple(arb(1) if j == largest else v / vector[largest] for j, v in enumerate(vector))
    raise ArithmeticError("no component of the eigenvector is told from 0")
