"""Matrices of balls for the checker: an approximate inverse, and enclosures of all eigenvalues.

What float64 proposes is improved in balls and is never trusted: every bound is that of the balls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

from symland.rigor.check_slices import sliced_discs

__all__ = ["SPARE_BITS", "approximate_inverse", "at_most", "eigenvalue_discs", "row_sums"]

MOST_STALLS = 2  # rounds in succession that make no disc narrower
MOST_STEPS = 40  # each of which doubles the correct digits
CLOSE = 1000  # eigenvalues nearer than so many times what is off the diagonal are turned together
SPARE_BITS = 64  # beyond those in which what is asked for can be told
SLICED_BITS = 224  # of what products of slices begin with and end in
ROUGH = 2.0**-64  # what is off the diagonal, over the diagonal, above which float64 tells how to take it away
_ZERO, _AROUND = arb(0), arb(0, 1)


@contextmanager
def at_most(bits: int) -> Iterator[None]:
    """No more bits than these. Fewer bits make wider balls, and nothing untrue."""
    before = ctx.prec
    ctx.prec = min(bits, before)
    try:
        yield
    finally:
        ctx.prec = before


def row_sums(rows: Iterable[Iterable[arb]]) -> list[arb]:
    """An upper bound of each row's sum of absolute values."""
    return [sum(map(abs, row), _ZERO).upper() for row in rows]


def _norm(rows: Iterable[Iterable[arb]]) -> arb:
    """An upper bound of the largest row sum; infinite where one is not finite."""
    return _largest(row_sums(rows))


def _largest(numbers: Iterable[arb]) -> arb:
    """An upper bound of the largest absolute value; infinite where one is not finite."""
    top = _ZERO
    for x in numbers:
        size = x.abs_upper()
        if not size.is_finite():
            return arb("inf")
        if size > top:
            top = size
    return top


def _floats(matrix: arb_mat) -> NDArray[np.float64]:
    """The midpoint in float64, divided by its largest entry."""
    middle = matrix.mid()
    top = _largest(middle.entries())
    scaled = middle / top if top.is_finite() and top > 0 else middle
    return np.array([float(x) for x in scaled.entries()]).reshape(matrix.nrows(), matrix.ncols())


def approximate_inverse(matrix: arb_mat, bits: int) -> tuple[arb_mat, list[arb]]:
    """An exact Y close to the inverse of the midpoint A, to `bits` bits where that is to be had; row sums of |I - Y A|.

    The inverse in float64 is improved by Y + (I - Y A) Y (Schulz 1933) as long as |I - Y A| falls.

    Raises
    ------
    ZeroDivisionError
        If the midpoint is not proved to be nonsingular.
    """
    middle, least = matrix.mid(), arb(2) ** -bits
    top = _largest(middle.entries())
    try:
        start = np.linalg.inv(_floats(matrix))
    except np.linalg.LinAlgError:
        return _by_elimination(middle)
    if not (np.isfinite(start).all() and top > 0):
        return _by_elimination(middle)
    with at_most(bits + SPARE_BITS):
        inverse = (arb_mat(start.tolist()) / top).mid()
        inverse, sums = _left_inverse(inverse, middle * arb(1), least)
    if not _largest(sums) <= least:
        inverse, sums = _left_inverse(inverse, middle, least)
    return (inverse, sums) if _largest(sums) < 0.5 else _by_elimination(middle)


def _by_elimination(middle: arb_mat) -> tuple[arb_mat, list[arb]]:
    inverse = middle.inv().mid()
    return inverse, _defect(inverse, middle)[1]


def eigenvalue_discs(matrix: arb_mat, enough: arb = _ZERO) -> list[arb]:
    """Enclosures of the eigenvalues of every symmetric matrix enclosed, ascending.

    With F = I - Q^T Q, |F| < 1, and B = Q^T A Q, Q^-1 A Q is (I - F)^-1 B: discs of Gershgorin hold its eigenvalues,
    and m discs that meet hold m of them and are joined. Q is the eigenvectors in float64 at first. Then, until no disc
    is wider than `enough` or they no longer shrink, Q becomes Q (I + X) T. To first order I + X takes away F, and of B
    what is off the diagonal:

        X_ij = F_ij / 2 + (B_ij + F_ij (B_ii + B_jj) / 2) / (B_jj - B_ii),

    and T turns blocks of close B_ii, where the second term is left out, to their own eigenvectors in float64. The bits
    are those in which `enough` can be told from the norm; where they do not suffice all the same, all bits are taken.
    Discs that are as narrow as this are mostly had from `sliced_discs` in a fraction of the time: they are tried first.
    """
    p = matrix.nrows()
    if enough > 0:
        with at_most(SLICED_BITS):
            sliced = sliced_discs(matrix, enough)
        if sliced is not None and _largest([d.rad() for d in sliced]) <= enough:
            return _joined(sliced)
    values = _floats(matrix)
    if not np.isfinite(values).all():
        return [arb("nan")] * p
    if enough > 0:
        with at_most(SPARE_BITS + max(_bits(_norm(matrix.tolist()) / enough), 0)):
            found = _discs(matrix * arb(1), values, enough)
        if _largest([d.rad() for d in found]) <= enough:
            return _joined(found)
    return _joined(_discs(matrix, values, enough))


def _bits(size: arb) -> int:
    """At least log2 of a positive number; 2^20 where it is not finite."""
    if not size.is_finite():
        return 2**20
    mantissa, exponent = size.upper().man_exp()
    return int(exponent) + int(mantissa).bit_length()


def _discs(matrix: arb_mat, values: NDArray[np.float64], enough: arb) -> list[arb]:
    """A disc about each eigenvalue, in no order; m discs that meet hold m eigenvalues."""
    p = matrix.nrows()
    one = arb_mat(p, p, 1)
    vectors = arb_mat(np.linalg.eigh(values)[1].tolist())
    best, widest, stalled = [arb(0, "inf")] * p, arb("inf"), 0
    for _ in range(MOST_STEPS):
        left = vectors.transpose()
        rest = one - left * vectors
        turned = left * (matrix * vectors)
        defects = rest.tolist()
        defect = _norm(defects)
        if not defect < 0.5:
            break
        discs = _gershgorin(turned.tolist(), defects, defect, enough)
        width = _largest([d.rad() for d in discs])
        # A large turn of two close eigenvalues costs orthogonality: a round that gives back that alone comes after it.
        if not width < widest / 2:
            stalled += 1
            if stalled > MOST_STALLS:
                break
        else:
            best, widest, stalled = discs, width, 0
        if widest <= enough:
            break
        change, turn = (rest.mid() / 2, None) if stalled % 2 else _improvement(turned.mid(), rest.mid())
        vectors = (vectors + vectors * change).mid()
        if turn is not None:
            vectors = (vectors * turn).mid()
    return best


def _gershgorin(rows: list[list[arb]], defects: list[list[arb]], defect: arb, enough: arb = _ZERO) -> list[arb]:
    """A disc about each eigenvalue of (I - F)^-1 B, for the rows of B and of F, and a bound of |F| below 1.

    With D the diagonal of B and O the rest, it differs from M = B + F D by at most

        |F| |O| + |F|^2 |B| / (1 - |F|)

    in each row sum. With e that, and the widest ball of a M_ii, the centre of M_ii with the radius

        r_i = e + sum_j |M_ij|,   j != i,

    is a disc of Gershgorin. Multiply row i but for the diagonal by t < 1, and divide column i by it: the radius is
    e + t r_i, and others grow by (|M_ji| + e) / t. With t twice the largest |M_ji| + e over the distance to the next
    centre they grow by half of that distance at most: if they do not meet disc i then, it holds one eigenvalue, and its
    radius is as the square of what is off the diagonal. That is left out where no r_i is more than `enough`.
    """
    p = len(rows)
    diagonal = [row[i] for i, row in enumerate(rows)]
    matrix = [[b + f * d for b, f, d in zip(*pair, diagonal, strict=True)] for pair in zip(rows, defects, strict=True)]
    own = [row.pop(i) for i, row in enumerate(matrix)]
    others = _norm(row[:i] + row[i + 1 :] for i, row in enumerate(rows))
    norm = others + _largest(diagonal)
    error = (defect * others + defect * defect * norm / (1 - defect) + _largest(c.rad() for c in own)).upper()
    sizes = [[x.abs_upper() for x in row] for row in matrix]
    radii = [(sum(row, _ZERO) + error).upper() for row in sizes]
    widest = _largest(radii)
    if widest <= enough:
        return [c + r * _AROUND for c, r in zip(own, radii, strict=True)]
    columns = [_largest(sizes[j][i - (j < i)] for j in range(p) if j != i) + error for i in range(p)]
    # The centres are exact, so that the next ones in order are the nearest.
    centres = [c.mid() for c in own]
    order = sorted(range(p), key=centres.__getitem__)
    found = [c + r * _AROUND for c, r in zip(centres, radii, strict=True)]
    for n, i in enumerate(order):
        beside = [abs(centres[i] - centres[j]).lower() for j in (*order[max(n - 1, 0) : n], *order[n + 1 : n + 2])]
        if not all(gap > 0 for gap in beside):
            continue
        gap = min(beside, default=arb(1))
        radius = (2 * columns[i] / gap * radii[i] + error).upper()
        if radius < radii[i] and radius + widest < gap / 2:
            found[i] = centres[i] + radius * _AROUND
    return found


def _left_inverse(left: arb_mat, matrix: arb_mat, least: arb) -> tuple[arb_mat, list[arb]]:
    """Z improved by Z + (I - Z A) Z until |I - Z A| is at most `least` or no longer falls, and the row sums of that."""
    defect, sums = _defect(left, matrix)
    size = _largest(sums)
    while size < 0.5 and not size <= least:
        better = (left + defect * left).mid()
        defect, then = _defect(better, matrix)
        before, size = size, _largest(then)
        if not size < before / 2:
            break
        left, sums = better, then
    return left, sums


def _defect(left: arb_mat, matrix: arb_mat) -> tuple[arb_mat, list[arb]]:
    """I - Z A, and its row sums."""
    defect = arb_mat(matrix.nrows(), matrix.nrows(), 1) - left * matrix
    return defect, row_sums(defect.tolist())


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


def _improvement(turned: arb_mat, rest: arb_mat) -> tuple[arb_mat, arb_mat | None]:
    """X for a matrix that is nearly diagonal, and the turns T of blocks of close eigenvalues, if there are any."""
    p, rows, defects = turned.nrows(), turned.tolist(), rest.tolist()
    values = [rows[i][i] for i in range(p)]
    top = _largest(x for i, row in enumerate(rows) for j, x in enumerate(row) if i != j)
    # The values are exact, and must be told apart exactly: two that are equal may not stand in two groups.
    order = sorted(range(p), key=values.__getitem__)
    groups = [[order[0]]]
    for i, j in pairwise(order):
        if abs(values[j] - values[i]) > CLOSE * top:
            groups.append([])
        groups[-1].append(j)
    change = _rotation(rows, defects, groups, top)
    turn = [[_ZERO] * p for _ in range(p)]
    for group in groups:
        for i in group:
            turn[i][i] = arb(1)
        if len(group) == 1:
            continue
        # The block without the first eigenvalue, so that float64 sees the differences.
        block = _floats(arb_mat([[rows[i][j] - (values[group[0]] if i == j else 0) for j in group] for i in group]))
        if np.isfinite(block).all():
            for i, entries in zip(group, _orthogonal(np.linalg.eigh((block + block.T) / 2)[1]), strict=True):
                for j, x in zip(group, entries, strict=True):
                    turn[i][j] = x
    return change, arb_mat(turn).mid() if len(groups) < p else None


def _rotation(rows: list[list[arb]], defects: list[list[arb]], groups: list[list[int]], top: arb) -> arb_mat:
    """X: in float64 while what it takes away is larger than the square of float64's precision, which is lost anyhow."""
    p, values = len(rows), [row[i] for i, row in enumerate(rows)]
    if top > ROUGH * _largest(values):
        high = np.array([float(v) for v in values])
        low = np.array([float(v - arb(h)) for v, h in zip(values, high.tolist(), strict=True)])
        entries, defect = (np.array([[float(x) for x in row] for row in part]) for part in (rows, defects))
        number = np.empty(p, dtype=int)
        for n, group in enumerate(groups):
            number[group] = n
        same = number[:, None] == number
        gap = np.where(same, 1.0, (high - high[:, None]) + (low - low[:, None]))
        with np.errstate(all="ignore"):
            turned = np.where(same, 0.0, (entries + defect * (high + high[:, None]) / 2) / gap) + defect / 2
        if np.isfinite(turned).all():
            return arb_mat(turned.tolist())
    change = [[x / 2 for x in row] for row in defects]
    for group in groups:
        inside = set(group)
        for i in group:
            own, row, defect_row = values[i], rows[i], defects[i]
            for j in range(p):
                if j not in inside:
                    change[i][j] += (row[j] + defect_row[j] * (own + values[j]) / 2) / (values[j] - own)
    return arb_mat(change).mid()


def _orthogonal(turn: NDArray[np.float64]) -> list[list[arb]]:
    """A matrix orthogonal to the precision close to one that is so in float64: T becomes T + T (I - T^T T) / 2."""
    better, one, bits = arb_mat(turn.tolist()), arb_mat(len(turn), len(turn), 1), 53
    while bits < ctx.prec:
        better = (better + better * (one - better.transpose() * better) / 2).mid()
        bits *= 2
    rows: list[list[arb]] = better.tolist()
    return rows
