"""Eigenvalues of a matrix of balls for the checker, from products of matrices that are exact in float64.

A number is written as sum_k d_k 2^(-w (k + 1)) with whole digits |d_k| <= 2^(w-1), one float64 each: a matrix is a list
of slices, one for each k. A sum of p products of two digits, and of `SLICES` such sums, is a whole number of at most
2^52, which float64 finds exactly in whatever order BLAS adds and with fused products or without. So the only errors of
a product of two matrices are the slices that are left out.

With Q the eigenvectors of float64, cut to some slices, and F = I - Q^T Q, A has the eigenvalues of

    M = Q^-1 A Q = (I - F)^-1 Q^T A Q = D + N:      D the diagonal of Q^T A Q,   N = G + F N,   G = O + F D

with O the rest of Q^T A Q. All that is not D is about as small as float64's precision, so that float64 tells it to
twice that precision. For X_ij = N_ij / (D_j - D_i), N + D X - X D is rounding alone, and

    (I + X)^-1 M (I + X) = D + (I + X)^-1 S,        S = N + D X - X D + N X,

has an N as small as the product of N and X. Its diagonal is given to D and the next X is found. N_ij stays in S where
D_i and D_j are too close: there X_ij is 0. Discs of Gershgorin hold the eigenvalues in the end.

Errors are bounds of the largest row sum, which products of matrices multiply. `GRAIN` is twice the error of a float64
product of matrices of order p <= 2^13, relative to the product of their row sums, and of a sum of p numbers that are
not negative, relative to the sum.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

__all__ = ["sliced_discs"]

SLICES = 7  # of A; one more of its products
OF_VECTORS = 3  # slices of Q at first
PASSES = 2
PIECES = 3  # float64 numbers that make one entry of A
CLOSE = 1000  # D_i and D_j nearer than so many times the largest |N_ij| are not parted
MOST_ROUNDS = 8
TERMS = 3  # of (I + X)^-1 = I - X + X^2 - X^3, the first not counted
LARGEST_ORDER = 2**13
MOST = 2.0**400  # row sums that are taken, and 1 over the least
GRAIN = 2.0**-39
TINY = 2.0**-1000  # more than what underflow loses

Array = NDArray[np.float64]
Slim = tuple[Array, float]
"""Numbers, and a bound of the largest row sum of their sizes or errors."""


def sliced_discs(matrix: arb_mat, enough: arb) -> list[arb] | None:
    """A disc about each eigenvalue of every symmetric matrix enclosed, in no order; m that meet hold m eigenvalues.

    None where no bound is found. The discs are made narrower until none is wider than `enough` or float64 tells no
    more: that is where they are about 2^-100 of the norm, or some of them too close. Then Q is made better, once, and
    told in as many slices as A: that gives about 2^-130.
    """
    p = matrix.nrows()
    entries, unknown = _pieces(matrix)
    sums = np.abs(entries[0]).sum(axis=1).max()
    if not (p <= LARGEST_ORDER and 1 / MOST <= sums <= MOST and np.isfinite(unknown).all()):
        return None
    # The row sums of 2^-size A are about 1/8 to 1/4.
    width, size = _width(p), int(np.frexp(sums)[1]) + 2
    entries, unknown = [np.ldexp(part, -size) for part in entries], np.ldexp(unknown, -size) + TINY
    a, cut = _slices(entries, SLICES, width)
    unknown = unknown + cut
    q, _ = _slices([np.linalg.eigh(entries[0])[1] / 2], OF_VECTORS, width)
    scale, found = arb(2) ** size, None
    least = float(enough / scale)
    for _ in range(PASSES):
        w = _product(a, q, SLICES, width)
        if not all(np.abs(part[0]).max() <= 2.0 ** (width - 1) for part in (a, q, w)):
            break
        left = [part.T for part in q]
        b, c = _product(left, w, SLICES, width), _product(left, q, 2 * len(q) - 1, width)
        error = _error(unknown, np.abs(_float(q, width)[0]) / 4 + 2.0**-50, width)
        whole, high, low = _diagonal(b, width)
        c[0] -= np.eye(p) * 2.0 ** (width - 2)
        defect = _float(c, width)
        start, error = _similar(_float(b, width), defect, high, error)
        rest, shift, error = _narrowed(start, high, low, error, least)
        radii = (np.abs(rest).sum(axis=1) + error) * (1 + GRAIN)
        if not np.isfinite(radii).all():
            break
        centres = [arb(n) * arb(2) ** _unit(width) + arb(s) for n, s in zip(whole, shift.tolist(), strict=True)]
        found = [scale * (c + arb(0, r)) for c, r in zip(centres, radii.tolist(), strict=True)]
        if radii.max() <= least:
            break
        # Q (I + X), where F is taken away too: X_ij + X_ji = F_ij where X is not 0.
        change, _ = _change(start, high, low, np.zeros(p))
        change = np.where(change == 0, -defect[0] / 2, change)
        more = _product(q, _slices([change], SLICES, width)[0], SLICES, width)
        q = _carried([part + q[k] if k < len(q) else part for k, part in enumerate(more)], width)[:SLICES]
    return found


def _width(p: int) -> int:
    """w: as many sums of p products as there are slices, each product of at most 2^(2w-2), are no more than 2^52."""
    return (52 - (SLICES * p).bit_length()) // 2 + 1


def _unit(width: int) -> int:
    """The exponent of the last digit of a product, times four."""
    return 2 - width * (SLICES + 1)


def _pieces(matrix: arb_mat) -> tuple[list[Array], Array]:
    """A as the sum of float64 matrices, and a bound of what each entry lacks. The lower half is read."""
    p, entries = matrix.nrows(), matrix.entries()
    half = [entries[i * p + j] for i in range(p) for j in range(i + 1)]
    lower = np.tril_indices(p)

    def whole(numbers: list[float]) -> Array:
        out = np.empty((p, p))
        out[lower] = numbers
        out.T[lower] = numbers
        return out

    pieces = [whole(numbers := [float(x) for x in half])]
    rest = arb_mat(len(half), 1, half)
    for _ in range(PIECES - 1):
        rest = rest - arb_mat(len(half), 1, numbers)
        pieces.append(whole(numbers := [float(x) for x in rest.entries()]))
    rest = rest - arb_mat(len(half), 1, numbers)
    return pieces, whole([float(x.abs_upper()) for x in rest.entries()]) * (1 + GRAIN)


def _slices(pieces: list[Array], count: int, width: int) -> tuple[list[Array], float]:
    """The sum of matrices, no entry above 1/2, in slices, and a bound of what each entry lacks.

    What is left of a number after each digit is a multiple of its last bit and no larger than it: float64 has it.
    """
    digits = [np.zeros_like(pieces[0]) for _ in range(count)]
    for piece in pieces:
        rest = piece
        for k, digit in enumerate(digits):
            whole = np.rint(np.ldexp(rest, width * (k + 1)))
            digit += whole
            rest = rest - np.ldexp(whole, -width * (k + 1))
    return _carried(digits, width), len(pieces) * 2.0 ** (-width * count - 1)


def _carried(digits: list[Array], width: int) -> list[Array]:
    """The same numbers with digits of at most 2^(w-1), but for the first."""
    for k in range(len(digits) - 1, 0, -1):
        over = np.rint(np.ldexp(digits[k], -width))
        digits[k] -= np.ldexp(over, width)
        digits[k - 1] += over
    return digits


def _product(left: list[Array], right: list[Array], last: int, width: int) -> list[Array]:
    """The slices up to `last` of a product.

    The slices k and l make one of k + l + 1. What is left out has k + l = s >= `last`, at most p 2^(-ws-2) in each
    entry for each of no more than `SLICES` pairs: all in all less than 2 p 2^(-w last).
    """
    shape = len(left[0]), right[0].shape[1]
    sums = [np.zeros(shape) for _ in range(last + 1)]
    for (k, a), (m, b) in product(enumerate(left), enumerate(right)):
        if k + m < last:
            sums[k + m + 1] += a @ b
    return _carried(sums, width)


def _error(unknown: Array, vectors: Array, width: int) -> float:
    """A bound of the error of four times (Q/2)^T A (Q/2): what A lacks, and each of the two products, with |Q| / 2."""
    spread, p = vectors.T @ (unknown @ vectors), len(unknown)
    return 4 * (_norm(spread) + (_norm(vectors.T) + 1) * p * 2 * p * 2.0 ** (-width * SLICES)) * (1 + GRAIN)


def _diagonal(slices: list[Array], width: int) -> tuple[list[int], Array, Array]:
    """Four times the diagonal, which is taken away, in units of the last digit, and as a sum of two float64 numbers."""
    digits = np.array([part.diagonal() for part in slices]).T.tolist()
    whole = [sum(int(d) << width * (SLICES - k) for k, d in enumerate(column)) for column in digits]
    for part in slices:
        np.fill_diagonal(part, 0.0)
    first = [float(n) for n in whole]
    second = [float(n - int(f)) for n, f in zip(whole, first, strict=True)]
    return whole, np.ldexp(first, _unit(width)), np.ldexp(second, _unit(width))


def _float(slices: list[Array], width: int) -> Slim:
    """Four times the numbers in float64, and the largest row sum of the sizes of all slices.

    From the last slice on, the sums before that of the first that is not 0 are about half of that slice, or far less:
    the error is below 2^-52 of all sizes.
    """
    total, sizes = np.zeros_like(slices[0]), np.zeros_like(slices[0])
    for k in range(len(slices) - 1, -1, -1):
        part = np.ldexp(slices[k], 2 - width * (k + 1))
        total, sizes = total + part, sizes + np.abs(part)
    return total, _norm(sizes)


def _norm(matrix: Array) -> float:
    """An upper bound of the largest row sum."""
    return float(np.abs(matrix).sum(axis=1).max() * (1 + GRAIN)) + TINY


def _similar(turned: Slim, defect: Slim, diagonal: Array, error: float) -> Slim:
    """(I - F)^-1 (D + O) - D from O, -F and D, and a bound of its error; `error` is that of O besides its rounding.

    In units of 2^-53, O and F have errors of 2, D and F D of 1 each, and G of 1. G + F G lacks F^2 (I - F)^-1 G.
    """
    (rest, sizes), (less, f) = turned, defect
    if not f < 0.5:
        return rest, np.inf
    start = rest - less * diagonal
    g = _norm(start)
    error += 3 * 2.0**-52 * (sizes + f * float(np.abs(diagonal).max()))
    return start - less @ start, ((error + (f + GRAIN) * f * g) / (1 - f) + 2.0**-52 * g) * (1 + GRAIN)


def _narrowed(rest: Array, high: Array, low: Array, error: float, enough: float) -> tuple[Array, Array, float]:
    """N off the diagonal, what its diagonal has given to D = high + low, and a bound of the error, at the end."""
    shift, least = np.zeros(len(rest)), np.inf
    best = rest, shift, error
    for _ in range(MOST_ROUNDS):
        shift = shift + rest.diagonal()
        error += 2.0**-53 * float(np.abs(shift).max())
        rest = rest - np.diag(rest.diagonal())
        size = _norm(rest)
        if not size + error < least:
            break
        best, least = (rest, shift, error), size + error
        if least <= enough:
            break
        change, missed = _change(rest, high, low, shift)
        rest, error = _turned(rest, change, missed, error)
    return best


def _change(rest: Array, high: Array, low: Array, shift: Array) -> Slim:
    """X, and a bound of N + D X - X D where X is not 0, made of the errors of gaps and quotients, as |D| < 1/2.

    Those of the quotient and the last sum are 2^-53 of |far| + |near|, of the differences 2^-53 of |far|, and twice
    2^-53 of |near| and 2^-52: the first part of `near` is less than that. D is wrong by 2^-107.
    """
    far = high - high[:, None]
    near = (low - low[:, None]) + (shift - shift[:, None])
    gap = far + near
    apart = np.abs(gap) > CLOSE * np.abs(rest).max()
    change = np.where(apart, rest / np.where(apart, gap, 1.0), 0.0)
    return change, _norm(np.abs(change) * (5 * 2.0**-53 * (np.abs(far) + np.abs(near)) + 2.0**-104))


def _turned(rest: Array, change: Array, missed: float, error: float) -> Slim:
    """(I + X)^-1 S and a bound of its error, which is infinite where X is large.

    S has the error `missed`, and before X, N had the error `error`.
    """
    left = np.where(change == 0, rest, 0.0) + rest @ change
    x, n, s = _norm(change), _norm(rest), _norm(left)
    if not x < 0.5:
        return left, np.inf
    found = left
    for _ in range(TERMS):
        found = left - change @ found
    error = error * (1 + x) + missed + (GRAIN + x ** (TERMS + 1)) * s + GRAIN * n * x
    return found, error / (1 - x) * (1 + GRAIN)
