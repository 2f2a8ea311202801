"""Steps that are written in the eigenvectors of a Hessian, eight at a time, without the eigenvectors.

With H = Q diag(e) Q^T a step is s = Q m, where m depends on e and on a = Q^T g. The factors of Q are applied to g on
the way in and to m on the way out, and never multiplied out:

- Householder's reflections make H tridiagonal: for each row, v = x - alpha e_1 with alpha = -sign(x_1) |x|, and
  1 - tau v v^T with tau = 1 / (|x| (|x| + |x_1|)) takes the row x beyond the diagonal to alpha e_1.
- The implicit QL method with Wilkinson's shift (Dubrulle, Martin and Wilkinson, Numer. Math. 12, 377 (1968)) turns
  planes (i, i + 1) of the tridiagonal matrix until nothing is left off the diagonal. The rotations are kept in order.

Each of the eight lanes has its own block l, ..., m in which it chases; a lane that has none turns by nothing, and all
wait for the slowest. What a lane computes depends on no other. That takes (4/3) n^3 operations and a term in n^2, where
Jacobi's method takes some 30 n^3, and LAPACK, at the orders 7 to 60, spends most of its time between small loops.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError
from symland.machine.cache import cache_folder
from symland.machine.gate import Entry, Port, admit, aligned
from symland.machine.llvm import load_text
from symland.machine.spectra import ordered_spectra
from symland.machine.strips import in_rows, in_strips
from symland.machine.text import LANES, MASK, VECTOR, Emitter, double, splat

__all__ = ["LARGEST_ORDER", "damped_steps", "eigensteps_text", "following_steps"]

LARGEST_ORDER = 64
"""Largest order: eight larger matrices leave the second cache."""

ROTATIONS = 3
"""Rotations of a strip, in units of n^2, after which it is given up; one matrix takes about 0.9 n^2, eight 1.2 n^2."""

INTEGERS = f"<{LANES} x i64>"
"""The type of a number of a row for each lane."""

VECTORS = 6
"""Vectors of n entries in the scratch space: diagonal, off the diagonal, tau, products, components a, moves m."""


class _Lanes(Emitter):
    """Arithmetic on lane values."""

    def mul(self, x: str, y: str) -> str:
        return self.put(f"fmul contract {VECTOR} {x}, {y}")

    def add(self, x: str, y: str | int) -> str:
        return self.put(f"fadd contract {VECTOR} {x}, {y}")

    def sub(self, x: str, y: str) -> str:
        return self.put(f"fsub contract {VECTOR} {x}, {y}")

    def div(self, x: str, y: str) -> str:
        return self.put(f"fdiv {VECTOR} {x}, {y}")

    def call(self, name: str, *values: str) -> str:
        return self.put(f"call {VECTOR} @llvm.{name}.v{LANES}f64({', '.join(f'{VECTOR} {x}' for x in values)})")

    def compare(self, how: str, x: str, y: str) -> str:
        return self.put(f"fcmp {how} {VECTOR} {x}, {y}")

    def choose(self, mask: str, x: str, y: str, kind: str = VECTOR) -> str:
        return self.put(f"select {MASK} {mask}, {kind} {x}, {kind} {y}")

    def everywhere(self, i: str) -> str:
        """A number of a row in every lane."""
        one = self.put(f"insertelement {INTEGERS} poison, i64 {i}, i32 0")
        return self.put(f"shufflevector {INTEGERS} {one}, {INTEGERS} poison, <{LANES} x i32> zeroinitializer")

    def row(self, base: str, i: str) -> str:
        return self.entry(base, self.put(f"mul nsw i64 {i}, %order"))

    def branch(self, test: str, yes: str, no: str) -> None:
        self.do(f"br i1 {test}, label %{yes}, label %{no}")


ZERO, ONE = splat("double", double(0)), splat("double", double(1))

Moves = Callable[[_Lanes, str, str, str, str], None]
"""Writes the moves m of a strip, from eigenvalues, components, and the pointers to its two bounds and to the moves."""


def _reduce(e: _Lanes, matrix: str, place: dict[str, str]) -> None:
    """H to a tridiagonal matrix; row k beyond the diagonal then holds v of the reflection k."""
    last = e.put("sub nsw i64 %order, 1")
    k = e.begin_if_any("k", "0", e.put("sub nsw i64 %order, 2"))
    row = e.row(matrix, k)
    after = e.put(f"add nsw i64 {k}, 1")
    head = e.entry(row, after)
    first = e.load(head)
    e.store(ZERO, "%sum")
    j = e.begin("tail", "%order", start=e.put(f"add nsw i64 {k}, 2"))
    x = e.load(e.entry(row, j))
    e.store(e.add(e.load("%sum"), e.mul(x, x)), "%sum")
    e.end()
    tail = e.load("%sum")
    none = e.compare("oeq", tail, ZERO)
    length = e.call("sqrt", e.add(tail, e.mul(first, first)))
    alpha = e.put(f"fneg {VECTOR} {e.call('copysign', length, first)}")
    tau = e.div(ONE, e.mul(length, e.add(length, e.call("fabs", first))))
    tau = e.choose(none, ZERO, tau)
    e.store(e.choose(none, first, alpha), e.entry(place["off"], k))
    e.store(tau, e.entry(place["tau"], k))
    e.store(e.sub(first, alpha), head)

    # p = A v, each entry above the diagonal read once for both sides.
    i = e.begin("clear", "%order", start=after)
    e.store(ZERO, e.entry(place["products"], i))
    e.end()
    e.store(ZERO, "%total")
    e.store(ZERO, "%along")
    i = e.begin("i", "%order", start=after)
    row_i = e.row(matrix, i)
    v = e.load(e.entry(row, i))
    e.store(e.mul(e.load(e.entry(row_i, i)), v), "%sum")
    j = e.begin_if_any("j", e.put(f"add nsw i64 {i}, 1"), "%order")
    a, at = e.load(e.entry(row_i, j)), e.entry(place["products"], j)
    e.store(e.add(e.load("%sum"), e.mul(a, e.load(e.entry(row, j)))), "%sum")
    e.store(e.add(e.load(at), e.mul(a, v)), at)
    e.end_if_any()
    at = e.entry(place["products"], i)
    p = e.mul(tau, e.add(e.load(at), e.load("%sum")))
    e.store(p, at)
    e.store(e.add(e.load("%total"), e.mul(p, v)), "%total")
    e.store(e.add(e.load("%along"), e.mul(v, e.load(e.entry(place["along"], i)))), "%along")
    e.end()
    half = e.mul(e.mul(tau, e.load("%total")), splat("double", double(0.5)))
    share = e.mul(tau, e.load("%along"))

    # w = tau p - (tau^2 / 2) (p.v) v;  A - v w^T - w v^T;  g - tau (v.g) v.
    i = e.begin("w", "%order", start=after)
    v, at = e.load(e.entry(row, i)), e.entry(place["products"], i)
    e.store(e.sub(e.load(at), e.mul(half, v)), at)
    at = e.entry(place["along"], i)
    e.store(e.sub(e.load(at), e.mul(share, v)), at)
    e.end()
    i = e.begin("i", "%order", start=after)
    row_i = e.row(matrix, i)
    v, w = e.load(e.entry(row, i)), e.load(e.entry(place["products"], i))
    j = e.begin("j", "%order", start=i)
    at = e.entry(row_i, j)
    less = e.sub(e.load(at), e.mul(v, e.load(e.entry(place["products"], j))))
    e.store(e.sub(less, e.mul(w, e.load(e.entry(row, j)))), at)
    e.end()
    e.end()
    e.end_if_any()

    before = e.put("sub nsw i64 %order, 2")
    e.store(e.load(e.entry(e.row(matrix, before), last)), e.entry(place["off"], before))
    e.store(ZERO, e.entry(place["off"], last))
    e.store(ZERO, "%norm")
    i = e.begin("diagonal", "%order")
    d = e.load(e.entry(e.row(matrix, i), i))
    e.store(d, e.entry(place["values"], i))
    size = e.add(e.call("fabs", d), e.call("fabs", e.load(e.entry(place["off"], i))))
    norm = e.load("%norm")
    e.store(e.choose(e.compare("ogt", size, norm), size, norm), "%norm")
    e.end()


def _diagonalise(e: _Lanes, place: dict[str, str]) -> None:
    """The tridiagonal matrix to its eigenvalues; rotations and chases are appended to what is kept."""
    last = e.put("sub nsw i64 %order, 1")
    before = e.put("sub nsw i64 %order, 2")
    most = e.put(f"mul nsw i64 {e.put('mul nsw i64 %order, %order')}, {ROTATIONS}")
    flat = e.mul(e.load("%norm"), splat("double", double(2.0**-53)))
    final = e.everywhere(last)
    e.do("store i64 0, ptr %turns, align 8")
    e.do("store i64 0, ptr %chases, align 8")
    low = e.begin("low", last)
    own = e.everywhere(low)
    length = e.put(f"sub nsw i64 {last}, {low}")
    e.do("br label %chase")
    e.block("chase")
    # The block of each lane ends at the first m >= l beyond which nothing is left; a NaN is taken for nothing.
    e.store(final, "%end", kind=INTEGERS)
    e.store(e.load(e.entry(place["values"], last)), "%corner")
    t = e.begin("scan", length)
    i = e.put(f"sub nsw i64 {before}, {t}")
    small = e.compare("ule", e.call("fabs", e.load(e.entry(place["off"], i))), flat)
    e.store(e.choose(small, e.everywhere(i), e.load("%end", kind=INTEGERS), kind=INTEGERS), "%end", kind=INTEGERS)
    e.store(e.choose(small, e.load(e.entry(place["values"], i)), e.load("%corner")), "%corner")
    e.end()
    ends = e.load("%end", kind=INTEGERS)
    more = e.put(f"icmp sgt {INTEGERS} {ends}, {own}")
    some = e.put(f"icmp ne i{LANES} {e.put(f'bitcast {MASK} {more} to i{LANES}')}, 0")
    turns = e.put("load i64, ptr %turns, align 8")
    room = e.put(f"icmp sle i64 {e.put(f'add nsw i64 {turns}, {length}')}, {most}")
    e.branch(some, "left", "next")
    e.block("left")
    e.branch(room, "shift", "lost")
    e.block("lost")
    # What takes so long is no symmetric matrix of numbers: its steps are NaN.
    e.store(splat("double", "0x7FF8000000000000"), place["along"])
    e.do("br label %next")

    e.block("shift")
    here = e.entry(place["values"], low)
    d, off = e.load(here), e.load(e.entry(place["off"], low))
    upper = e.load(e.entry(place["values"], e.put(f"add nsw i64 {low}, 1")))
    g = e.div(e.sub(upper, d), e.add(off, off))
    root = e.call("copysign", e.call("sqrt", e.add(e.mul(g, g), ONE)), g)
    shifted = e.add(e.sub(e.load("%corner"), d), e.div(off, e.add(g, root)))
    for name, value in (("%g", shifted), ("%sine", ONE), ("%cosine", ONE), ("%p", ZERO)):
        e.store(value, name)
    chases = e.put("load i64, ptr %chases, align 8")
    e.do(f"store i64 {low}, ptr {e.entry(place['chases'], chases, kind='i64')}, align 8")
    e.do(f"store i64 {e.put(f'add nsw i64 {chases}, 1')}, ptr %chases, align 8")
    e.do(f"store i64 {e.put(f'add nsw i64 {turns}, {length}')}, ptr %turns, align 8")
    t = e.begin("plane", length)
    i = e.put(f"sub nsw i64 {before}, {t}")
    above = e.put(f"add nsw i64 {i}, 1")
    going = e.put(f"icmp sgt {INTEGERS} {ends}, {e.everywhere(i)}")
    begun = e.put(f"icmp sgt {INTEGERS} {ends}, {e.everywhere(above)}")
    g, sine, cosine, p = (e.load(name) for name in ("%g", "%sine", "%cosine", "%p"))
    off = e.load(e.entry(place["off"], i))
    f, b = e.mul(sine, off), e.mul(cosine, off)
    square = e.add(e.mul(f, f), e.mul(g, g))
    none = e.compare("oeq", square, ZERO)
    over = e.call("sqrt", e.choose(none, ONE, square))
    inverse = e.div(ONE, over)
    new_sine = e.mul(f, inverse)
    new_cosine = e.choose(none, ONE, e.mul(g, inverse))
    at = e.entry(place["off"], above)
    chased = e.choose(none, ZERO, over)
    # Below the block's end nothing is left.
    e.store(e.choose(going, e.choose(begun, chased, ZERO), e.load(at)), at)
    at = e.entry(place["values"], above)
    old = e.load(at)
    rest = e.sub(old, p)
    crossed = e.mul(e.add(new_cosine, new_cosine), b)
    r = e.add(e.mul(e.sub(e.load(e.entry(place["values"], i)), rest), new_sine), crossed)
    new_p = e.mul(new_sine, r)
    e.store(e.choose(going, e.add(rest, new_p), old), at)
    new_g = e.sub(e.mul(new_cosine, r), b)
    for name, new, kept in (("%g", new_g, g), ("%sine", new_sine, sine), ("%cosine", new_cosine, cosine)):
        e.store(e.choose(going, new, kept), name)
    e.store(e.choose(going, new_p, p), "%p")
    c, s = e.choose(going, new_cosine, ONE), e.choose(going, new_sine, ZERO)
    kept = e.entry(place["rotations"], e.put(f"mul nsw i64 {e.put(f'add nsw i64 {turns}, {t}')}, 2"))
    e.store(c, kept)
    e.store(s, e.entry(kept, "1"))
    at, next_at = (e.entry(place["along"], k) for k in (i, above))
    x, y = e.load(at), e.load(next_at)
    e.store(e.add(e.mul(s, x), e.mul(c, y)), next_at)
    e.store(e.sub(e.mul(c, x), e.mul(s, y)), at)
    e.end()
    at = e.entry(place["off"], low)
    e.store(e.choose(more, e.load("%g"), e.load(at)), at)
    d = e.load(here)
    e.store(e.choose(more, e.sub(d, e.load("%p")), d), here)
    e.do("br label %chase")
    e.block("next")
    e.end()


def _turn_back(e: _Lanes, matrix: str, place: dict[str, str], steps: str) -> None:
    """s = Q m: the rotations in the opposite order, then the reflections, the last first."""
    before = e.put("sub nsw i64 %order, 2")
    last = e.put("sub nsw i64 %order, 1")
    chases = e.put("load i64, ptr %chases, align 8")
    t = e.begin_if_any("back", "0", chases)
    number = e.put(f"sub nsw i64 {e.put(f'sub nsw i64 {chases}, 1')}, {t}")
    low = e.put(f"load i64, ptr {e.entry(place['chases'], number, kind='i64')}, align 8")
    turns = e.put("load i64, ptr %turns, align 8")
    length = e.put(f"sub nsw i64 {last}, {low}")
    e.do(f"store i64 {e.put(f'sub nsw i64 {turns}, {length}')}, ptr %turns, align 8")
    i = e.begin("plane", last, start=low)
    turn = e.put(f"sub nsw i64 {e.put(f'sub nsw i64 {turns}, 1')}, {e.put(f'sub nsw i64 {i}, {low}')}")
    kept = e.entry(place["rotations"], e.put(f"mul nsw i64 {turn}, 2"))
    c, s = e.load(kept), e.load(e.entry(kept, "1"))
    at, next_at = e.entry(place["moves"], i), e.entry(place["moves"], e.put(f"add nsw i64 {i}, 1"))
    x, y = e.load(at), e.load(next_at)
    e.store(e.add(e.mul(c, x), e.mul(s, y)), at)
    e.store(e.sub(e.mul(c, y), e.mul(s, x)), next_at)
    e.end()
    e.end_if_any()

    t = e.begin_if_any("mirror", "0", before)
    k = e.put(f"sub nsw i64 {e.put(f'sub nsw i64 {before}, 1')}, {t}")
    after = e.put(f"add nsw i64 {k}, 1")
    row = e.row(matrix, k)
    e.store(ZERO, "%sum")
    j = e.begin("dot", "%order", start=after)
    product = e.mul(e.load(e.entry(row, j)), e.load(e.entry(place["moves"], j)))
    e.store(e.add(e.load("%sum"), product), "%sum")
    e.end()
    share = e.mul(e.load(e.entry(place["tau"], k)), e.load("%sum"))
    j = e.begin("off", "%order", start=after)
    at = e.entry(place["moves"], j)
    e.store(e.sub(e.load(at), e.mul(share, e.load(e.entry(row, j)))), at)
    e.end()
    e.end_if_any()
    i = e.begin("out", "%order")
    e.store(e.load(e.entry(place["moves"], i)), e.entry(steps, i))
    e.end()


def _following(e: _Lanes, values: str, along: str, bounds: str, moves: str) -> None:
    """-+ 2 a / (|e| + sqrt(e^2 + 4 a^2)), + along as many of the lowest modes as the first bound says."""
    climbed = e.load(bounds)
    i = e.begin("mode", "%order")
    value = e.load(e.entry(values, i))
    e.store(ZERO, "%sum")
    j = e.begin("other", "%order")
    other = e.load(e.entry(values, j))
    # Modes of equal eigenvalues are ranked as they are numbered.
    before = e.put(f"icmp slt i64 {j}, {i}")
    spread = e.put(f"insertelement {MASK} poison, i1 {before}, i32 0")
    every = e.put(f"shufflevector {MASK} {spread}, {MASK} poison, <{LANES} x i32> zeroinitializer")
    equal = e.put(f"and {MASK} {every}, {e.compare('oeq', other, value)}")
    lower = e.put(f"or {MASK} {equal}, {e.compare('olt', other, value)}")
    e.store(e.add(e.load("%sum"), e.choose(lower, ONE, ZERO)), "%sum")
    e.end()
    a = e.load(e.entry(along, i))
    doubled = e.add(a, a)
    scale = e.add(e.call("fabs", value), e.call("sqrt", e.add(e.mul(value, value), e.mul(doubled, doubled))))
    ratio = e.div(doubled, e.choose(e.compare("oeq", scale, ZERO), ONE, scale))
    uphill = e.compare("olt", e.load("%sum"), climbed)
    e.store(e.choose(uphill, ratio, e.put(f"fneg {VECTOR} {ratio}")), e.entry(moves, i))
    e.end()


def _damped(e: _Lanes, values: str, along: str, bounds: str, moves: str) -> None:
    """-e a / (e^2 + mu), with mu the first bound."""
    damping = e.load(bounds)
    i = e.begin("mode", "%order")
    value = e.load(e.entry(values, i))
    ratio = e.div(e.mul(value, e.load(e.entry(along, i))), e.add(e.mul(value, value), damping))
    e.store(e.put(f"fneg {VECTOR} {ratio}"), e.entry(moves, i))
    e.end()


def _shorten(e: _Lanes, bounds: str, moves: str) -> None:
    """The moves of a strip, no longer together than the second bound."""
    e.store(ZERO, "%sum")
    i = e.begin("square", "%order")
    m = e.load(e.entry(moves, i))
    e.store(e.add(e.load("%sum"), e.mul(m, m)), "%sum")
    e.end()
    norm, length = e.call("sqrt", e.load("%sum")), e.load(e.entry(bounds, "1"))
    factor = e.choose(e.compare("ogt", norm, length), e.div(length, norm), ONE)
    i = e.begin("shorter", "%order")
    at = e.entry(moves, i)
    e.store(e.mul(e.load(at), factor), at)
    e.end()


def _stepping(name: str, moves: Moves) -> str:
    """LLVM IR of ``void name(int64 strips, int64 order, scratch, matrices, gradients, bounds, steps)``.

    Entry (i, j) of the matrix in lane l of strip s lies at [((s n + i) n + j) 8 + l]; the upper triangles are read and
    overwritten.
    """
    e = _Lanes()
    place = {
        part: e.entry("%scratch", str(k * LARGEST_ORDER))
        for k, part in enumerate(("values", "off", "tau", "products", "along", "moves", "chases"))
    }
    place["rotations"] = e.entry("%scratch", str((VECTORS + _CHASES) * LARGEST_ORDER))
    strip = e.begin("strip", "%strips")
    matrix = e.entry("%matrices", e.put(f"mul nsw i64 {strip}, {e.put('mul nsw i64 %order, %order')}"))
    gradient, steps = e.row("%gradients", strip), e.row("%steps", strip)
    bounds = e.entry("%bounds", e.put(f"mul nsw i64 {strip}, 2"))
    i = e.begin("in", "%order")
    e.store(e.load(e.entry(gradient, i)), e.entry(place["along"], i))
    e.end()
    _reduce(e, matrix, place)
    _diagonalise(e, place)
    moves(e, place["values"], place["along"], bounds, place["moves"])
    _shorten(e, bounds, place["moves"])
    _turn_back(e, matrix, place, steps)
    e.end()
    names = ("sum", "total", "along", "norm", "corner", "g", "sine", "cosine", "p")
    slots = [f"  %{slot} = alloca {VECTOR}, align 64" for slot in names]
    slots.append(f"  %end = alloca {INTEGERS}, align 64")
    slots += [f"  %{slot} = alloca i64, align 8" for slot in ("turns", "chases")]
    arrays = ", ".join(f"ptr %{array}" for array in ("scratch", "matrices", "gradients", "bounds", "steps"))
    head = f"define void @{name}(i64 %strips, i64 %order, {arrays}) {{\nentry:"
    return "\n".join([head, *slots, *e.lines, "  ret void\n}"])


_CHASES = ROTATIONS * LARGEST_ORDER // LANES + 1
"""Room for the numbers of the chases, in vectors of the largest order: a chase has one rotation at least."""


def eigensteps_text() -> str:
    """The module with both functions."""
    declared = [
        f"declare {VECTOR} @llvm.{name}.v{LANES}f64({', '.join([VECTOR] * arity)})"
        for name, arity in (("fabs", 1), ("sqrt", 1), ("copysign", 2))
    ]
    return "\n".join([_stepping("following", _following), _stepping("damped", _damped), *declared, ""])


@cache
def _entries() -> dict[str, Entry]:
    loaded = load_text(eigensteps_text(), cache_folder())
    ports = (
        Port(name="the matrices", shape=lambda strips, n: (strips, n, n, LANES), written=True),
        Port(name="the gradients", shape=lambda strips, n: (strips, n, LANES)),
        Port(name="the bounds", shape=lambda strips, n: (strips, 2, LANES)),
        Port(name="the steps", shape=lambda strips, n: (strips, n, LANES), written=True),
    )
    room = LANES * ((VECTORS + _CHASES) * LARGEST_ORDER + 2 * ROTATIONS * LARGEST_ORDER**2)
    return {
        name: Entry(address=loaded.address(name), n_sizes=2, ports=ports, owner=loaded, workspace=room)
        for name in ("following", "damped")
    }


def following_steps(
    gradients: NDArray[np.float64], hessians: NDArray[np.float64], climbed: NDArray[np.intp], length: float
) -> NDArray[np.float64]:
    """Steps (n, P) of eigenvector following at Hessians (n, P, P), of which the upper triangles are read.

    s = -+ 2 a / (|e| + sqrt(e^2 + 4 a^2)) in eigenvectors, + along the `climbed` (n,) lowest modes, and no longer than
    `length`.

    Raises
    ------
    KernelError
        If the shapes do not go together.
    """

    def moves(
        values: NDArray[np.float64], along: NDArray[np.float64], bound: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        # |e| (1 + sqrt(1 + 4 a^2/e^2)) = |e| + sqrt(e^2 + 4 a^2), zero only where both vanish.
        scale = np.abs(values) + np.sqrt(values**2 + 4.0 * along**2)
        uphill = np.arange(values.shape[1]) < bound[:, None]
        return np.where(uphill, 2.0, -2.0) * along / np.where(scale > 0.0, scale, 1.0)

    return _steps("following", moves, gradients, hessians, climbed.astype(np.float64), length)


def damped_steps(
    gradients: NDArray[np.float64], hessians: NDArray[np.float64], damping: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    """Steps of Levenberg and Marquardt for |g|^2 / 2: s = -e a / (e^2 + damping), no longer than `length`."""

    def moves(
        values: NDArray[np.float64], along: NDArray[np.float64], bound: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return -values * along / (values**2 + bound[:, None])

    return _steps("damped", moves, gradients, hessians, damping, length)


def _steps(
    name: str,
    moves: Callable[..., NDArray[np.float64]],
    gradients: NDArray[np.float64],
    hessians: NDArray[np.float64],
    bound: NDArray[np.float64],
    length: float,
) -> NDArray[np.float64]:
    given, slopes = admit(hessians, "the Hessians"), admit(gradients, "the gradients")
    n, order = slopes.shape if slopes.ndim == 2 else (0, 0)
    if given.shape != (n, order, order) or bound.shape != (n,) or not slopes.size:
        raise KernelError(f"{given.shape} Hessians came with {slopes.shape} gradients; give (n, P, P) and (n, P)")
    steps, left = np.empty_like(slopes), np.arange(n)
    if 2 <= order <= LARGEST_ORDER:
        work = in_strips(given)
        made = aligned((len(work), order, LANES))
        bounds = in_strips(np.column_stack((bound, np.full(n, length))))
        _entries()[name]((len(work), order), (work, in_strips(slopes), bounds, made))
        steps = in_rows(made, n)
        left = np.flatnonzero(~np.isfinite(steps).all(axis=1))
    if left.size:
        values, vectors = ordered_spectra(given[left])
        move = moves(values, np.einsum("nij,ni->nj", vectors, slopes[left]), bound[left])
        norm = np.linalg.norm(move, axis=1, keepdims=True)
        move *= np.minimum(1.0, length / np.where(norm > 0.0, norm, 1.0))
        steps[left] = np.einsum("nij,nj->ni", vectors, move)
    return steps
