"""The index of a symmetric matrix of balls, in four ways that share no step, and enclosures of its eigenvalues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from operator import gt

import numpy as np
from flint import acb_mat, arb, arb_mat
from numpy.typing import NDArray

from symland.rigor.matrices import identity, largest, one_norm, row_norm

__all__ = [
    "Inertia",
    "characteristic_index",
    "congruence_index",
    "congruent",
    "eigenvalue_index",
    "eigenvalues",
    "eigenvectors",
    "inertia",
    "pivot_index",
]

FLOAT_BITS = 53

EQUAL_EIGENVALUES = 1e-12
"""Eigenvalues nearer than this, relative to the largest, are taken as one cluster when eigenvectors are improved."""


def eigenvectors(matrix: arb_mat, steps: int) -> arb_mat:
    """Exact (P, P) matrix Q whose columns are close to orthonormal eigenvectors of the midpoint.

    Float64 eigenvectors are improved by `steps` steps of Ogita and Aishima (2018): with R = I - Q^T Q, S = Q^T A Q and
    l_i = S_ii / (1 - R_ii), Q becomes Q + Q E, where E_ij = (S_ij + l_j R_ij) / (l_j - l_i), or R_ij / 2 where l_i and
    l_j are not separated. E is found in float64, so that each step gains about 15 digits. Q = I where an entry exceeds
    float64.
    """
    middle = matrix.mid()
    values = _floats(middle)
    if not np.isfinite(values).all():
        return identity(matrix.nrows())
    _, start = np.linalg.eigh(values)
    vectors = arb_mat(_rounded(start, FLOAT_BITS).tolist())
    for step in range(steps):
        half = vectors.transpose()
        defect = _floats(identity(matrix.nrows()) - half * vectors)
        turned = _floats(half * middle * vectors)
        ritz = turned.diagonal() / (1 - defect.diagonal())
        gap = ritz[None, :] - ritz[:, None]
        off = turned - np.diag(turned.diagonal())
        separate = 2 * len(ritz) * (np.abs(off).max() + np.abs(ritz).max() * np.abs(defect).max())
        apart = np.abs(gap) > separate + EQUAL_EIGENVALUES * np.abs(ritz).max()
        change = np.where(apart, (off + ritz * defect) / np.where(apart, gap, 1.0), defect / 2)
        vectors = (vectors + vectors * arb_mat(_rounded(change, FLOAT_BITS * (step + 2)).tolist())).mid()
    return vectors


def _rounded(numbers: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """To multiples of 2^-bits, where float64 can count them."""
    return np.ldexp(np.rint(np.ldexp(numbers, bits)), -bits) if bits < 1000 else numbers


def _floats(matrix: arb_mat) -> NDArray[np.float64]:
    return np.array([float(x) for x in matrix.entries()]).reshape(matrix.nrows(), matrix.ncols())


def _negative(numbers: Iterable[arb]) -> int | None:
    """How many are negative; None where a sign is open."""
    count = 0
    for x in numbers:
        if x < 0:
            count += 1
        elif not x > 0:
            return None
    return count


def _parted(matrix: arb_mat) -> tuple[list[arb], list[arb]]:
    """The diagonal, and upper bounds of the rest of each row: the radii of Gershgorin's discs."""
    rows = matrix.tolist()
    diagonal = [row.pop(i) for i, row in enumerate(rows)]
    return diagonal, [one_norm(row) for row in rows]


def congruent(matrix: arb_mat, vectors: arb_mat) -> arb_mat:
    """Q^T A Q."""
    return vectors.transpose() * matrix * vectors


def congruence_index(matrix: arb_mat, vectors: arb_mat, turned: arb_mat | None = None) -> int | None:
    """The index of every matrix enclosed, by Q^T A Q = D + R, which may be given as `turned`.

    If D + R is strictly diagonally dominant for every A enclosed, each is nonsingular, therefore so is Q, and the
    index is the number of negative diagonal entries: Sylvester's law with Gershgorin's discs, none of which holds 0.
    None when it is not dominant.
    """
    diagonal, rest = _parted(congruent(matrix, vectors) if turned is None else turned)
    if not all(map(gt, [x.abs_lower() for x in diagonal], rest)):
        return None
    return _negative(diagonal)


@dataclass(frozen=True, kw_only=True)
class Inertia:
    """How many eigenvalues are proved negative and positive; `open` ones were left undecided."""

    negative: int
    positive: int
    open: int

    @property
    def decided(self) -> bool:
        return self.open == 0


def inertia(matrix: arb_mat | Sequence[Sequence[arb]]) -> Inertia:
    """The inertia of every matrix enclosed, by LDL^T in balls with pivots of size 1 and 2 (Bunch and Parlett 1971).

    Each elimination is a congruence. A pivot of size 1 counts by its sign. A pivot of size 2 is taken where every
    diagonal entry is small against an entry off the diagonal, and its determinant is proved negative: it counts once
    for each sign. What is left where no pivot has a sign is open.
    """
    rows = matrix.tolist() if isinstance(matrix, arb_mat) else [list(row) for row in matrix]
    left, negative, positive = list(range(len(rows))), 0, 0
    while left:
        k = max(left, key=lambda i: float(rows[i][i].abs_lower()))
        i, j = max(combinations(left, 2), key=lambda p: float(rows[p[0]][p[1]].abs_lower()), default=(k, k))
        determinant = rows[i][i] * rows[j][j] - rows[i][j] * rows[i][j]
        # (1 + sqrt 17) / 8 bounds the growth of the entries.
        small = i != j and rows[k][k].abs_lower() < 0.6404 * rows[i][j].abs_lower()
        if small and determinant < 0:
            negative, positive = negative + 1, positive + 1
            left.remove(i)
            left.remove(j)
            for a in left:
                first = (rows[a][i] * rows[j][j] - rows[a][j] * rows[i][j]) / determinant
                second = (rows[a][j] * rows[i][i] - rows[a][i] * rows[i][j]) / determinant
                for b in left:
                    rows[a][b] = rows[a][b] - first * rows[i][b] - second * rows[j][b]
            continue
        pivot = rows[k][k]
        if not pivot.abs_lower() > 0:
            break
        negative, positive = negative + (pivot < 0), positive + (pivot > 0)
        left.remove(k)
        for a in left:
            factor = rows[a][k] / pivot
            for b in left:
                rows[a][b] = rows[a][b] - factor * rows[k][b]
    return Inertia(negative=negative, positive=positive, open=len(left))


def pivot_index(matrix: arb_mat) -> int | None:
    """The index by `inertia`; None when a pivot has no sign."""
    found = inertia(matrix)
    return found.negative if found.decided else None


def eigenvalue_index(matrix: arb_mat) -> int | None:
    """The index by Arb's own enclosures of the eigenvalues; None when one holds zero or they were not isolated."""
    try:
        values = acb_mat(matrix).eig(multiple=True)
    except ValueError:
        return None
    return _negative(v.real for v in values)


def characteristic_index(matrix: arb_mat) -> int | None:
    """The index by Descartes' rule of signs, exact for a polynomial whose roots are all real.

    The negative roots of p(x) = det(x - A), with multiplicity, are as many as the sign changes of the coefficients of
    p(-x). A coefficient of undecided sign between two of opposite signs makes one change whatever its sign; elsewhere
    it leaves the index undecided: None.
    """
    coefficients = [-c if k % 2 else c for k, c in enumerate(matrix.charpoly().coeffs())]
    signs = [1 if c > 0 else -1 if c < 0 else 0 for c in coefficients]
    if any(sign == 0 and sorted(signs[k - 1 : k + 2]) != [-1, 0, 1] for k, sign in enumerate(signs)):
        return None
    return sum(a != b for a, b in pairwise(s for s in signs if s))


def eigenvalues(matrix: arb_mat, vectors: arb_mat, turned: arb_mat | None = None) -> list[arb] | None:
    """Enclosures of the eigenvalues of every symmetric matrix enclosed, ascending; Q^T A Q may be given as `turned`.

    With Q^T A Q = D + R and Q^T Q = I + F, |F| < 1, A = Q^-T (D + R) Q^-1. By Ostrowski the k-th eigenvalue of A is
    that of D + R times a number between 1 / (1 + |F|) and 1 / (1 - |F|); by Weyl the k-th of D + R is the k-th of D up
    to |R|. Both norms are bounded by the largest row sum. None when |F| is not small.
    """
    diagonal, rest = _parted(congruent(matrix, vectors) if turned is None else turned)
    weyl, ostrowski = largest(rest), row_norm(vectors.transpose() * vectors - identity(matrix.nrows()))
    if not ostrowski < 0.5:
        return None
    # Exact balls, so that their order is total.
    low, high = sorted(x.lower() for x in diagonal), sorted(x.upper() for x in diagonal)
    factor = (1 / (1 + ostrowski)).union(1 / (1 - ostrowski))
    return [factor * (low[k] - weyl).union(high[k] + weyl) for k in range(len(low))]
