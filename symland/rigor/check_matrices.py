"""Matrices of balls for the checker: an approximate inverse, and enclosures of all eigenvalues.

What float64 proposes is improved in balls and is never trusted: every bound is that of the balls.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

__all__ = ["approximate_inverse", "eigenvalue_discs"]

MOST_STEPS = 40  # each of which doubles the correct digits
FIRST_DEFECT = 40  # bits to which Z is the inverse of Q at first; doubled in each round
CLOSE = 1000  # eigenvalues nearer than so many times what is off the diagonal are turned together
_ZERO, _AROUND = arb(0), arb(0, 1)


def _norm(rows: Iterable[Iterable[arb]]) -> arb:
    """An upper bound of the largest row sum; infinite where one is not finite."""
    top = arb(0)
    for row in rows:
        size = sum((x.abs_upper() for x in row), _ZERO).upper()
        if not size.is_finite():
            return arb("inf")
        top = top.max(size)
    return top


def _floats(matrix: arb_mat) -> NDArray[np.float64]:
    """The midpoint in float64, divided by its largest entry."""
    middle = matrix.mid()
    top = _norm([x] for x in middle.entries())
    scaled = middle / top if top.is_finite() and top > 0 else middle
    return np.array([float(x) for x in scaled.entries()]).reshape(matrix.nrows(), matrix.ncols())


def approximate_inverse(matrix: arb_mat) -> arb_mat:
    """An exact matrix close to the inverse of the midpoint.

    The inverse in float64 is improved by Y + (I - Y A) Y (Schulz 1933) as long as |I - Y A| falls.

    Raises
    ------
    ZeroDivisionError
        If the midpoint is not proved to be nonsingular.
    """
    middle = matrix.mid()
    top = _norm([x] for x in middle.entries())
    try:
        start = np.linalg.inv(_floats(matrix))
    except np.linalg.LinAlgError:
        return middle.inv().mid()
    if not (np.isfinite(start).all() and top > 0):
        return middle.inv().mid()
    inverse = (arb_mat(start.tolist()) / top).mid()
    # The image of a cube is smaller than the cube by this factor.
    inverse, defect = _left_inverse(inverse, middle, arb(2) ** (-ctx.prec // 4))
    return inverse if defect < 0.5 else middle.inv().mid()


def eigenvalue_discs(matrix: arb_mat, enough: arb = _ZERO) -> list[arb]:
    """Enclosures of the eigenvalues of every symmetric matrix enclosed, ascending.

    With Z close to Q^-1, F = I - Z Q and |F| < 1, Q^-1 A Q = (I - F)^-1 Z A Q differs from B = Z A Q by at most
    |F| |B| / (1 - |F|) in each row sum: discs of Gershgorin about B_ii hold the eigenvalues, and m discs that meet hold
    m of them and are joined. Q is the eigenvectors in float64 at first. Then, until no disc is wider than `enough` or
    they no longer shrink, Q becomes Q (I + E) T, where E_ij = B_ij / (B_jj - B_ii) takes away what is off the diagonal
    to first order, and T turns blocks of close B_ii to their own eigenvectors in float64. Each round Z is improved
    like an inverse, by Z + (I - Z Q) Z.
    """
    p = matrix.nrows()
    values = _floats(matrix)
    if not np.isfinite(values).all():
        return [arb("nan")] * p
    vectors = arb_mat(np.linalg.eigh(values)[1].tolist())
    left = vectors.transpose()
    best, widest = [arb(0, "inf")] * p, arb("inf")
    for step in range(MOST_STEPS):
        left, defect = _left_inverse(left, vectors, arb(2) ** -min(FIRST_DEFECT << step, ctx.prec))
        if not defect < 0.5:
            break
        turned = left * (matrix * vectors)
        rows = turned.tolist()
        error = defect * _norm(rows) / (1 - defect)
        diagonal = [row.pop(i) for i, row in enumerate(rows)]
        discs = [d + (error + sum(map(abs, row), _ZERO)) * _AROUND for d, row in zip(diagonal, rows, strict=True)]
        before, widest = widest, _norm([d.rad()] for d in discs)
        if not widest < before / 2:
            break
        best = discs
        if widest <= enough:
            break
        change, turn = _improvement(turned.mid())
        vectors = ((vectors + vectors * change) * turn).mid()
        left = (turn.transpose() * (left - change * left)).mid()
    return _joined(best)


def _left_inverse(left: arb_mat, vectors: arb_mat, least: arb) -> tuple[arb_mat, arb]:
    """Z improved by Z + (I - Z Q) Z until |I - Z Q| is at most `least` or no longer falls, and a bound of that."""
    one = arb_mat(vectors.nrows(), vectors.nrows(), 1)
    defect = one - left * vectors
    size = _norm(defect.tolist())
    while size < 0.5 and not size <= least:
        better = (left + defect * left).mid()
        defect = one - better * vectors
        before, size = size, _norm(defect.tolist())
        if not size < before / 2:
            return left, before
        left = better
    return left, size


def _joined(discs: Iterable[arb]) -> list[arb]:
    """Discs in ascending order; those that meet are replaced by their union."""
    joined: list[list[arb]] = []
    for disc in sorted(discs, key=float):
        group = [disc]
        while joined and not bool(joined[-1][0] < group[0]):
            last = joined.pop()
            group = [group[0].union(last[0])] * (len(group) + len(last))
        joined.append(group)
    return [disc for group in joined for disc in group]


def _improvement(turned: arb_mat) -> tuple[arb_mat, arb_mat]:
    """E for a matrix that is nearly diagonal, and the turns T of blocks of close eigenvalues: Q (I + E) T is better."""
    p, rows = turned.nrows(), turned.tolist()
    values = [rows[i][i] for i in range(p)]
    top = _norm([x] for i, row in enumerate(rows) for j, x in enumerate(row) if i != j)
    # The values are exact, and must be told apart exactly: two that are equal may not stand in two groups.
    order = sorted(range(p), key=values.__getitem__)
    groups = [[order[0]]]
    for i, j in pairwise(order):
        if abs(values[j] - values[i]) > CLOSE * top:
            groups.append([])
        groups[-1].append(j)
    turn, change = np.eye(p), [[_ZERO] * p for _ in range(p)]
    for group in groups:
        inside = set(group)
        for i in group:
            change[i] = [_ZERO if j in inside else rows[i][j] / (values[j] - values[i]) for j in range(p)]
        # The block without the first eigenvalue, so that float64 sees the differences.
        block = _floats(arb_mat([[rows[i][j] - (values[group[0]] if i == j else 0) for j in group] for i in group]))
        if len(group) > 1 and np.isfinite(block).all():
            turn[np.ix_(group, group)] = np.linalg.eigh((block + block.T) / 2)[1]
    return arb_mat(change).mid(), arb_mat(turn.tolist())
