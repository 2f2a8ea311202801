"""Linear systems, eight at a time, by Givens' rotations.

Row i of (A | R) is turned against row k, for each k and each i > k in turn, by the angle at which A_ik vanishes,

    c = A_kk / r,    s = A_ik / r,    r = sqrt(A_kk^2 + A_ik^2),

until A is upper triangular; substitution from the last row upwards ends it. A rotation is as stable as pivoting and
needs no search for a pivot, so that every matrix takes the same operations and eight share each instruction (Golub and
Van Loan, Matrix Computations, 5.2). At the orders 8 to 60 that takes a fifth to a third of LAPACK's time.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError
from symland.machine.cache import cache_folder
from symland.machine.gate import Entry, Port, admit
from symland.machine.llvm import load_text
from symland.machine.strips import in_rows, in_strips
from symland.machine.text import LANES, MASK, VECTOR, Emitter, double, splat

__all__ = ["LARGEST_ORDER", "solutions", "solutions_text"]

LONE_SYSTEMS = 3
"""So many systems, or fewer, are left to LAPACK."""

LARGEST_ORDER = 64
"""Largest order at which eight matrices are solved together: more leave the second cache."""


def solutions_text() -> str:
    """LLVM IR of ``void solve(int64 strips, int64 order, int64 width, double *rows)``.

    Entry (i, j) of (A | R) in lane l of strip s lies at [((s order + i) width + j) 8 + l]. The solutions take the
    place of R.
    """
    e = Emitter()
    zero, one = splat("double", double(0)), splat("double", double(1))
    strip = e.begin("strip", "%strips")
    rows = e.entry("%rows", e.put(f"mul nsw i64 {strip}, {e.put('mul nsw i64 %order, %width')}"))

    k = e.begin("k", "%order")
    row_k = e.entry(rows, e.put(f"mul nsw i64 {k}, %width"))
    below = e.begin_if_any("below", e.put(f"add nsw i64 {k}, 1"), "%order")
    row_i = e.entry(rows, e.put(f"mul nsw i64 {below}, %width"))
    a, b = (e.load(e.entry(row, k)) for row in (row_k, row_i))
    square = e.put(f"call contract {VECTOR} @llvm.fmuladd.v{LANES}f64({VECTOR} {a}, {VECTOR} {a}, {VECTOR} {zero})")
    square = e.put(f"call contract {VECTOR} @llvm.fmuladd.v{LANES}f64({VECTOR} {b}, {VECTOR} {b}, {VECTOR} {square})")
    none = e.put(f"fcmp oeq {VECTOR} {square}, {zero}")
    some = e.put(f"select {MASK} {none}, {VECTOR} {one}, {VECTOR} {square}")
    over = e.put(f"fdiv {VECTOR} {one}, {e.put(f'call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {some})')}")
    c = e.put(f"select {MASK} {none}, {VECTOR} {one}, {VECTOR} {e.put(f'fmul {VECTOR} {a}, {over}')}")
    s = e.put(f"fmul {VECTOR} {b}, {over}")
    j = e.begin("j", "%width", start=k)
    at_k, at_i = e.entry(row_k, j), e.entry(row_i, j)
    x, y = e.load(at_k), e.load(at_i)
    cx, sx = (e.put(f"fmul contract {VECTOR} {f}, {x}") for f in (c, s))
    cy, sy = (e.put(f"fmul contract {VECTOR} {f}, {y}") for f in (c, s))
    e.store(e.put(f"fadd contract {VECTOR} {cx}, {sy}"), at_k)
    e.store(e.put(f"fsub contract {VECTOR} {cy}, {sx}"), at_i)
    e.end()
    e.end_if_any()
    e.end()

    done = e.begin("done", "%order")
    last = e.put("sub nsw i64 %order, 1")
    i = e.put(f"sub nsw i64 {last}, {done}")
    row_i = e.entry(rows, e.put(f"mul nsw i64 {i}, %width"))
    over = e.put(f"fdiv {VECTOR} {one}, {e.load(e.entry(row_i, i))}")
    column = e.begin("column", "%width", start="%order")
    place = e.entry(row_i, column)
    solved = e.put(f"fmul {VECTOR} {e.load(place)}, {over}")
    e.store(solved, place)
    above = e.begin_if_any("above", "0", i)
    row = e.entry(rows, e.put(f"mul nsw i64 {above}, %width"))
    product = e.put(f"fmul contract {VECTOR} {e.load(e.entry(row, i))}, {solved}")
    place = e.entry(row, column)
    e.store(e.put(f"fsub contract {VECTOR} {e.load(place)}, {product}"), place)
    e.end_if_any()
    e.end()
    e.end()
    e.end()
    declared = [
        f"declare {VECTOR} @llvm.{name}.v{LANES}f64({', '.join([VECTOR] * arity)})"
        for name, arity in (("sqrt", 1), ("fmuladd", 3))
    ]
    head = "define void @solve(i64 %strips, i64 %order, i64 %width, ptr %rows) {\nentry:"
    return "\n".join([head, *e.lines, "  ret void\n}", *declared, ""])


@cache
def _entry() -> Entry:
    loaded = load_text(solutions_text(), cache_folder())
    rows = Port(name="the rows", shape=lambda strips, order, width: (strips, order, width, LANES), written=True)
    return Entry(address=loaded.address("solve"), n_sizes=3, ports=(rows,), owner=loaded)


def solutions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solutions (n, P, k) of A X = R for matrices (A | R) of shape (n, P, P + k), k at least 1.

    Not finite where A is singular to the last bit, or a number is not finite.

    Raises
    ------
    KernelError
        If the rows are not longer than the columns.
    """
    given = admit(rows, "the rows")
    if given.ndim != 3 or not 0 < given.shape[1] < given.shape[2]:
        raise KernelError(f"rows of shape {given.shape} came; give (n, P, P + k), k at least 1")
    n, order, width = given.shape
    if n <= LONE_SYSTEMS or order > LARGEST_ORDER:
        return _one_by_one(given[:, :, :order], given[:, :, order:])
    work = in_strips(given)
    _entry()((len(work), order, width), (work,))
    return in_rows(work[:, :, order:], n)


def _one_by_one(matrices: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.solve(matrices, right))
    except np.linalg.LinAlgError:
        regular = np.linalg.slogdet(matrices)[0] != 0.0
        found = np.full(right.shape, np.nan)
        found[regular] = np.linalg.solve(matrices[regular], right[regular])
        return found
