"""Eigenvalues and eigenvectors of many small symmetric matrices, eight at a time.

Jacobi's method (1846) turns the planes (p, q) one after the other, by the angle at which A_pq vanishes,

    d = A_qq - A_pp,    t = 2 A_pq sign(d) / (|d| + sqrt(d^2 + 4 A_pq^2)),    c = (1 + t^2)^{-1/2},    s = t c,

until nothing is left off the diagonal. It takes more operations than the reduction to a tridiagonal matrix, but the
same ones for every matrix, so that eight matrices share each instruction; at the orders 7 to 30, where LAPACK spends
most of its time between small loops, it takes a third to two thirds of the time. How many sweeps a matrix gets is
decided for its strip, so that the last bits of a result depend on the other seven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError
from symland.machine.cache import cache_folder
from symland.machine.gate import Entry, Port, admit, aligned
from symland.machine.llvm import Passes, load_text
from symland.machine.text import LANES, MASK, VECTOR, Emitter, double, splat

__all__ = ["LANES", "LARGEST_ORDER", "LONE_POINTS", "following_steps", "spectra", "spectra_text"]

LARGEST_ORDER = 32
"""Largest order at which Jacobi's method is used: eight larger matrices leave the nearest cache."""

LONE_POINTS = 3
"""So many matrices, or fewer, in the last strip are left to LAPACK."""

MOST_SWEEPS = 16
"""Sweeps over all planes after which a strip is given up: one of them holds a NaN or an infinity."""

FLAT = 1e-8
"""A sweep that met no entry off the diagonal above this share of the Frobenius norm is the last: what it leaves is of
the order of the square."""


def _jacobi() -> str:
    """LLVM IR of ``void jacobi(int64 strips, int64 order, double *matrices, double *values, double *vectors)``.

    Entry (i, j) of the matrix in lane l of strip s lies at [((s n + i) n + j) 8 + l]; the upper
    triangles are read and overwritten. Row i of the vectors, laid out
    alike, belongs to value i.
    """
    e = Emitter()
    last = e.put("sub nsw i64 %order, 1")
    area = e.put("mul nsw i64 %order, %order")
    strip = e.begin("strip", "%strips")
    matrix = e.entry("%matrices", e.put(f"mul nsw i64 {strip}, {area}"))
    vectors = e.entry("%vectors", e.put(f"mul nsw i64 {strip}, {area}"))
    values = e.entry("%values", e.put(f"mul nsw i64 {strip}, %order"))
    zero, one = splat("double", double(0)), splat("double", double(1))

    # The identity, and the square of the Frobenius norm, in a stack slot.
    e.do(f"store {VECTOR} {zero}, ptr %norm, align 64")
    k = e.begin("fill", area)
    x = e.load(e.entry(matrix, k))
    total = e.put(f"fadd {VECTOR} {e.load('%norm')}, {e.put(f'fmul {VECTOR} {x}, {x}')}")
    e.store(total, "%norm")
    e.store(zero, e.entry(vectors, k))
    e.end()
    step = e.put("add nsw i64 %order, 1")
    k = e.begin("unit", "%order")
    e.store(one, e.entry(vectors, e.put(f"mul nsw i64 {k}, {step}")))
    e.end()
    bound = e.put(f"fmul {VECTOR} {e.load('%norm')}, {splat('double', double(FLAT**2))}")

    e.do("store i64 0, ptr %sweeps, align 8")
    e.do("br label %sweep")
    e.block("sweep")
    e.do(f"store {VECTOR} {zero}, ptr %most, align 64")
    p = e.begin("p", last)
    row_p = e.entry(matrix, e.put(f"mul nsw i64 {p}, %order"))
    vector_p = e.entry(vectors, e.put(f"mul nsw i64 {p}, %order"))
    next_p = e.put(f"add nsw i64 {p}, 1")
    q = e.begin("q", "%order", start=next_p)
    row_q = e.entry(matrix, e.put(f"mul nsw i64 {q}, %order"))
    vector_q = e.entry(vectors, e.put(f"mul nsw i64 {q}, %order"))
    place = {"pp": e.entry(row_p, p), "qq": e.entry(row_q, q), "pq": e.entry(row_p, q)}
    app, aqq, apq = (e.load(place[name]) for name in ("pp", "qq", "pq"))
    square = e.put(f"fmul {VECTOR} {apq}, {apq}")
    most = e.load("%most")
    larger = e.put(f"fcmp ogt {VECTOR} {square}, {most}")
    e.store(e.put(f"select {MASK} {larger}, {VECTOR} {square}, {VECTOR} {most}"), "%most")
    d = e.put(f"fsub {VECTOR} {aqq}, {app}")
    size = e.put(f"call {VECTOR} @llvm.fabs.v{LANES}f64({VECTOR} {d})")
    four = e.put(f"fmul {VECTOR} {square}, {splat('double', double(4))}")
    under = e.put(f"call contract {VECTOR} @llvm.fmuladd.v{LANES}f64({VECTOR} {d}, {VECTOR} {d}, {VECTOR} {four})")
    root = e.put(f"call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {under})")
    low = e.put(f"fadd {VECTOR} {size}, {root}")
    tiny = e.put(f"fadd {VECTOR} {low}, {splat('double', double(2.0**-1000))}")
    twice = e.put(f"fadd {VECTOR} {apq}, {apq}")
    sign = e.put(f"call {VECTOR} @llvm.copysign.v{LANES}f64({VECTOR} {one}, {VECTOR} {d})")
    signed = e.put(f"fmul {VECTOR} {twice}, {sign}")
    t = e.put(f"fdiv {VECTOR} {signed}, {tiny}")
    hyp = e.put(f"call contract {VECTOR} @llvm.fmuladd.v{LANES}f64({VECTOR} {t}, {VECTOR} {t}, {VECTOR} {one})")
    c = e.put(f"fdiv {VECTOR} {one}, {e.put(f'call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {hyp})')}")
    s = e.put(f"fmul {VECTOR} {t}, {c}")

    def turned(x: str, y: str) -> tuple[str, str]:
        cx, sx = (e.put(f"fmul contract {VECTOR} {f}, {x}") for f in (c, s))
        cy, sy = (e.put(f"fmul contract {VECTOR} {f}, {y}") for f in (c, s))
        return e.put(f"fsub contract {VECTOR} {cx}, {sy}"), e.put(f"fadd contract {VECTOR} {sx}, {cy}")

    def turn(at_x: str, at_y: str) -> None:
        x, y = turned(e.load(at_x), e.load(at_y))
        e.store(x, at_x)
        e.store(y, at_y)

    # The upper triangle alone: above p, between p and q, and beyond q.
    r = _begin_if_any(e, "above", "0", p)
    row_r = e.entry(matrix, e.put(f"mul nsw i64 {r}, %order"))
    turn(e.entry(row_r, p), e.entry(row_r, q))
    _end_if_any(e, "above")
    r = _begin_if_any(e, "between", next_p, q)
    turn(e.entry(row_p, r), e.entry(e.entry(matrix, e.put(f"mul nsw i64 {r}, %order")), q))
    _end_if_any(e, "between")
    r = _begin_if_any(e, "beyond", e.put(f"add nsw i64 {q}, 1"), "%order")
    turn(e.entry(row_p, r), e.entry(row_q, r))
    _end_if_any(e, "beyond")
    r = e.begin("r", "%order")
    turn(e.entry(vector_p, r), e.entry(vector_q, r))
    e.end()
    moved = e.put(f"fmul {VECTOR} {t}, {apq}")
    e.store(e.put(f"fsub {VECTOR} {app}, {moved}"), place["pp"])
    e.store(e.put(f"fadd {VECTOR} {aqq}, {moved}"), place["qq"])
    e.store(zero, place["pq"])
    e.end()
    e.end()
    above = e.put(f"fcmp ogt {VECTOR} {e.load('%most')}, {bound}")
    some = e.put(f"icmp ne i{LANES} {e.put(f'bitcast {MASK} {above} to i{LANES}')}, 0")
    done = e.put(f"add nsw i64 {e.put('load i64, ptr %sweeps, align 8')}, 1")
    e.do(f"store i64 {done}, ptr %sweeps, align 8")
    again = e.put(f"and i1 {some}, {e.put(f'icmp slt i64 {done}, {MOST_SWEEPS}')}")
    e.do(f"br i1 {again}, label %sweep, label %swept")
    e.block("swept")
    k = e.begin("value", "%order")
    e.store(e.load(e.entry(matrix, e.put(f"mul nsw i64 {k}, {step}"))), e.entry(values, k))
    e.end()
    e.end()
    slots = [f"  %{name} = alloca {VECTOR}, align 64" for name in ("norm", "most")]
    slots.append("  %sweeps = alloca i64, align 8")
    return _function("jacobi", ("matrices", "values", "vectors"), e, slots)


def _function(name: str, arrays: Sequence[str], e: Emitter, slots: Sequence[str] = ()) -> str:
    taken = ", ".join(["i64 %strips", "i64 %order", *[f"ptr %{array}" for array in arrays]])
    return "\n".join([f"define void @{name}({taken}) {{\nentry:", *slots, *e.lines, "  ret void\n}"])


def _begin_if_any(e: Emitter, tag: str, start: str, stop: str) -> str:
    """Begin a loop that may not run at all."""
    e.counter += 1
    some = e.put(f"icmp slt i64 {start}, {stop}")
    e.do(f"br i1 {some}, label %{tag}, label %{tag}.none")
    e.block(tag)
    return e.begin(f"{tag}.r", stop, start=start)


def _end_if_any(e: Emitter, tag: str) -> None:
    e.end()
    e.do(f"br label %{tag}.none")
    e.block(f"{tag}.none")


def _following() -> str:
    """LLVM IR of ``void following(int64 strips, int64 order, values, vectors, gradients, bounds, moves,
    steps)``.

    Of the bounds (2, 8) of a strip the first is the number of modes to climb, the second the longest step.
    """
    e = Emitter()
    zero, one = splat("double", double(0)), splat("double", double(1))
    strip = e.begin("strip", "%strips")
    vectors = e.entry("%vectors", e.put(f"mul nsw i64 {strip}, {e.put('mul nsw i64 %order, %order')}"))
    at = e.put(f"mul nsw i64 {strip}, %order")
    values, gradient = e.entry("%values", at), e.entry("%gradients", at)
    moves, steps = e.entry("%moves", at), e.entry("%steps", at)
    bounds = e.entry("%bounds", e.put(f"mul nsw i64 {strip}, 2"))
    climbed, length = e.load(bounds), e.load(e.entry(bounds, "1"))
    e.store(zero, "%square")
    i = e.begin("mode", "%order")
    value = e.load(e.entry(values, i))
    row = e.entry(vectors, e.put(f"mul nsw i64 {i}, %order"))
    e.store(zero, "%rank")
    e.store(zero, "%along")
    j = e.begin("other", "%order")
    other = e.load(e.entry(values, j))
    # Modes of equal eigenvalues are ranked as they are numbered.
    before = e.put(f"icmp slt i64 {j}, {i}")
    spread = e.put(f"insertelement {MASK} poison, i1 {before}, i32 0")
    every = e.put(f"shufflevector {MASK} {spread}, {MASK} poison, <{LANES} x i32> zeroinitializer")
    equal = e.put(f"and {MASK} {every}, {e.put(f'fcmp oeq {VECTOR} {other}, {value}')}")
    lower = e.put(f"or {MASK} {equal}, {e.put(f'fcmp olt {VECTOR} {other}, {value}')}")
    one_more = e.put(f"select {MASK} {lower}, {VECTOR} {one}, {VECTOR} {zero}")
    e.store(e.put(f"fadd {VECTOR} {e.load('%rank')}, {one_more}"), "%rank")
    product = e.put(f"fmul contract {VECTOR} {e.load(e.entry(row, j))}, {e.load(e.entry(gradient, j))}")
    e.store(e.put(f"fadd contract {VECTOR} {e.load('%along')}, {product}"), "%along")
    e.end()
    along = e.load("%along")
    size = e.put(f"call {VECTOR} @llvm.fabs.v{LANES}f64({VECTOR} {value})")
    doubled = e.put(f"fmul {VECTOR} {along}, {splat('double', double(2))}")
    squares = [e.put(f"fmul contract {VECTOR} {x}, {x}") for x in (value, doubled)]
    under = e.put(f"fadd contract {VECTOR} {squares[0]}, {squares[1]}")
    scale = e.put(f"fadd {VECTOR} {size}, {e.put(f'call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {under})')}")
    some = e.put(f"fcmp oeq {VECTOR} {scale}, {zero}")
    ratio = e.put(f"fdiv {VECTOR} {doubled}, {e.put(f'select {MASK} {some}, {VECTOR} {one}, {VECTOR} {scale}')}")
    uphill = e.put(f"fcmp olt {VECTOR} {e.load('%rank')}, {climbed}")
    move = e.put(f"select {MASK} {uphill}, {VECTOR} {ratio}, {VECTOR} {e.put(f'fneg {VECTOR} {ratio}')}")
    e.store(move, e.entry(moves, i))
    e.store(
        e.put(f"fadd {VECTOR} {e.load('%square')}, {e.put(f'fmul {VECTOR} {move}, {move}')}"),
        "%square",
    )
    e.end()
    norm = e.put(f"call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {e.load('%square')})")
    far = e.put(f"fcmp ogt {VECTOR} {norm}, {length}")
    shorter = e.put(f"fdiv {VECTOR} {length}, {norm}")
    factor = e.put(f"select {MASK} {far}, {VECTOR} {shorter}, {VECTOR} {one}")
    r = e.begin("entry", "%order")
    e.store(zero, "%along")
    i = e.begin("sum", "%order")
    place = e.put(f"add nsw i64 {r}, {e.put(f'mul nsw i64 {i}, %order')}")
    product = e.put(f"fmul contract {VECTOR} {e.load(e.entry(vectors, place))}, {e.load(e.entry(moves, i))}")
    e.store(e.put(f"fadd contract {VECTOR} {e.load('%along')}, {product}"), "%along")
    e.end()
    e.store(e.put(f"fmul {VECTOR} {e.load('%along')}, {factor}"), e.entry(steps, r))
    e.end()
    e.end()
    slots = [f"  %{name} = alloca {VECTOR}, align 64" for name in ("square", "rank", "along")]
    return _function("following", ("values", "vectors", "gradients", "bounds", "moves", "steps"), e, slots)


def spectra_text() -> str:
    """The module with both functions."""
    declared = [
        f"declare {VECTOR} @llvm.{name}.v{LANES}f64({', '.join([VECTOR] * arity)})"
        for name, arity in (("fabs", 1), ("sqrt", 1), ("copysign", 2), ("fmuladd", 3))
    ]
    return "\n".join([_jacobi(), _following(), *declared, ""])


@cache
def _entries() -> tuple[Entry, Entry]:
    loaded = load_text(spectra_text(), Passes.FEW, cache_folder())

    def port(name: str, *more: int | None, written: bool = False) -> Port:
        # None stands for the order.
        return Port(
            name=name,
            shape=lambda strips, n: (strips, *(n if size is None else size for size in more), LANES),
            written=written,
        )

    jacobi = Entry(
        address=loaded.address("jacobi"),
        n_sizes=2,
        ports=(
            port("the matrices", None, None, written=True),
            port("the values", None, written=True),
            port("the vectors", None, None, written=True),
        ),
        owner=loaded,
    )
    following = Entry(
        address=loaded.address("following"),
        n_sizes=2,
        ports=(
            port("the values", None),
            port("the vectors", None, None),
            port("the gradients", None),
            port("the bounds", 2),
            port("the moves", None, written=True),
            port("the steps", None, written=True),
        ),
        owner=loaded,
    )
    return jacobi, following


def _in_strips(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, ...) as (strips, ..., 8), the last row repeated to fill the last strip."""
    n, shape = len(rows), rows.shape[1:]
    strips, whole = -(-n // LANES), n // LANES
    out = aligned((strips, *shape, LANES))
    given = rows.reshape(n, math.prod(shape))
    flat = out.reshape(strips, given.shape[1], LANES)
    flat[:whole] = given[: whole * LANES].reshape(whole, LANES, given.shape[1]).swapaxes(1, 2)
    if whole < strips:
        flat[whole] = given[-1][:, None]
        flat[whole, :, : n - whole * LANES] = given[whole * LANES :].T
    return out


def _need_symmetric_shape(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    given = admit(matrices, "the matrices")
    if given.ndim != 3 or given.shape[1] != given.shape[2]:
        raise KernelError(f"matrices of shape {given.shape} came; give (n, P, P)")
    return given


def _decomposed(given: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = given.shape[1]
    work = _in_strips(given)
    values, vectors = aligned((len(work), order, LANES)), aligned(work.shape)
    _entries()[0]((len(work), order), (work, values, vectors))
    return values, vectors


def spectra(matrices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (n, P), in any order, and orthonormal eigenvectors (n, P, P), in columns, of symmetric matrices.

    Only the upper triangles are read. Where an entry is not finite, the results are none of its matrix.

    Raises
    ------
    KernelError
        If the matrices are not square.
    """
    given = _need_symmetric_shape(matrices)
    n, order, _ = given.shape
    if not (n > LONE_POINTS and 2 <= order <= LARGEST_ORDER):
        values, vectors = np.linalg.eigh(given, UPLO="U")
        return values, vectors
    values, vectors = _decomposed(given)
    columns = np.ascontiguousarray(vectors.transpose(0, 3, 2, 1)).reshape(-1, order, order)
    return np.ascontiguousarray(values.swapaxes(1, 2)).reshape(-1, order)[:n], columns[:n]


def following_steps(
    gradients: NDArray[np.float64], hessians: NDArray[np.float64], climbed: NDArray[np.intp], length: float
) -> NDArray[np.float64]:
    """Steps (n, P) of eigenvector following at Hessians (n, P, P), 2 <= P <= LARGEST_ORDER, and gradients (n, P).

    With H = Q diag(e) Q^T and g' = Q^T g, s = -+ 2 g' / (|e| + sqrt(e^2 + 4 g'^2)), + along the `climbed` (n,) lowest
    modes, and no longer than `length`.

    Raises
    ------
    KernelError
        If the shapes do not go together.
    """
    given, slopes = _need_symmetric_shape(hessians), admit(gradients, "the gradients")
    n, order, _ = given.shape
    if slopes.shape != (n, order) or climbed.shape != (n,) or not (n and 2 <= order <= LARGEST_ORDER):
        raise KernelError(f"{given.shape} Hessians came with {slopes.shape} gradients; give (n, P, P) and (n, P)")
    values, vectors = _decomposed(given)
    bounds = _in_strips(np.column_stack((climbed, np.full(n, length))))
    moves, steps = aligned(values.shape), aligned(values.shape)
    _entries()[1]((len(values), order), (values, vectors, _in_strips(slopes), bounds, moves, steps))
    return np.ascontiguousarray(steps.swapaxes(1, 2)).reshape(-1, order)[:n]
