"""The index of eight Hessians at a time, by L D L^T without pivoting.

By Sylvester's law of inertia a symmetric matrix has as many negative eigenvalues as D has negative pivots. Without
pivoting the factorisation is backward stable as long as no pivot is small against the largest, so each matrix comes
with the smallest and the largest |pivot|; where their ratio is below `PIVOT_GUARD`, the caller takes the eigenvalues.
"""

from __future__ import annotations

from symland.kernels.lanes import Address, Buffer, Kind
from symland.kernels.recorder import Recorder

__all__ = ["OUTPUTS", "PIVOT_GUARD", "STRAIGHT_LINE_ORDER", "add_inertia"]

OUTPUTS = ("negative", "smallest", "largest")
"""Number of negative pivots, and the extreme |pivot|, one each for every point."""

PIVOT_GUARD = 1e-9
"""Smallest ratio of the extreme pivots at which their signs are trusted."""

STRAIGHT_LINE_ORDER = 16
"""Largest P for which the factorisation is written out."""


def add_inertia(rec: Recorder, size: int) -> None:
    """Record the factorisation of the matrix in the buffer "hessian", whose entries of row <= column it overwrites."""
    rec.buffer(Buffer(name="hessian", kind=Kind.LOCAL, size=size * size))
    for name in OUTPUTS:
        rec.buffer(Buffer(name=name, kind=Kind.OUTPUT, size=1))
    results = _straight(rec, size) if size <= STRAIGHT_LINE_ORDER else _looped(rec, size)
    for name, value in zip(OUTPUTS, results, strict=True):
        rec.store(name, Address(0), value)


def _pivot(rec: Recorder, d: int, negative: int, smallest: int, largest: int) -> tuple[int, int, int]:
    """The three results after one more pivot. A NaN stays in the smallest until the end or is followed by others."""
    size = rec.op("abs", d)
    below = rec.op("select", rec.op("less", d, rec.constant(0)), rec.constant(1), rec.constant(0))
    return rec.op("add", negative, below), rec.op("least", smallest, size), rec.op("most", largest, size)


def _straight(rec: Recorder, size: int) -> tuple[int, int, int]:
    entries = {(i, j): rec.load("hessian", Address(i * size + j)) for i in range(size) for j in range(i, size)}
    results = (rec.constant(0), rec.op("infinity"), rec.constant(0))
    for k in range(size):
        results = _pivot(rec, entries[k, k], *results)
        if k + 1 == size:
            break
        over = rec.div(rec.constant(1), entries[k, k])
        for i in range(k + 1, size):
            scale = rec.mul(entries[k, i], over)
            for j in range(i, size):
                entries[i, j] = rec.sub(entries[i, j], rec.mul(scale, entries[k, j]))
    return results


def _looped(rec: Recorder, size: int) -> tuple[int, int, int]:
    """for k: for i > k: for j >= i: A[i,j] -= A[k,i] A[k,j] / A[k,k]; the loops of i and j run one entry behind.

    The last pivot has no i > k and comes after the loop, since every loop of lane code runs at least once.
    """
    initial = [rec.constant(0), rec.op("infinity"), rec.constant(0)]
    k = rec.open()
    carried = rec.carry(3)
    pivot = rec.load("hessian", Address(0, ((k, size + 1),)), stay=True)
    following = _pivot(rec, pivot, carried[0], carried[1], carried[2])
    over = rec.div(rec.constant(1), pivot)
    i = rec.open()
    scale = rec.mul(rec.load("hessian", Address(1, ((k, size), (i, 1))), stay=True), over)
    j = rec.open()
    row = rec.load("hessian", Address(1, ((k, size), (j, 1))), stay=True)
    place = Address(size + 1, ((i, size), (j, 1)))
    rec.store("hessian", place, rec.sub(rec.load("hessian", place, stay=True), rec.mul(scale, row)))
    rec.close(size - 1, from_=i)
    rec.close(size - 1, from_=k)
    negative, smallest, largest = rec.close(size - 1, carried, initial, following)
    last = rec.load("hessian", Address(size * size - 1), stay=True)
    return _pivot(rec, last, negative, smallest, largest)
