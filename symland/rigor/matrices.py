"""Vectors and matrices of balls: norms bounded from above, and solutions that need not be exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flint import arb, arb_mat

__all__ = ["approximate_inverse", "approximate_solution", "identity", "largest", "one_norm", "row_norm"]


def identity(size: int) -> arb_mat:
    """The identity matrix."""
    return arb_mat(size, size, 1)


def largest(numbers: Sequence[arb]) -> arb:
    """The largest of exact numbers; NaN where one of them is NaN."""
    top = numbers[0]
    for x in numbers:
        if x.is_nan():
            return x
        if x > top:
            top = x
    return top


def one_norm(balls: Iterable[arb]) -> arb:
    """An upper bound of sum_i |x_i|, exact."""
    return sum((x.abs_upper() for x in balls), arb(0)).upper()


def row_norm(matrix: arb_mat) -> arb:
    """An upper bound of max_i sum_j |A_ij|, exact."""
    return largest([one_norm(row) for row in matrix.tolist()])


def approximate_solution(matrix: arb_mat, right: arb_mat) -> arb_mat | None:
    """An exact matrix close to the solution X of A X = B, both at their midpoints; None where a pivot is zero."""
    try:
        solved = matrix.mid().solve(right.mid(), algorithm="approx").mid()
    except ZeroDivisionError:
        return None
    return solved if all(x.is_finite() for x in solved.entries()) else None


def approximate_inverse(matrix: arb_mat) -> arb_mat | None:
    """An exact matrix close to the inverse of the midpoint; None where a pivot is zero."""
    return approximate_solution(matrix, identity(matrix.nrows()))
