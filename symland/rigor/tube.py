"""One piece of a branch of stationary points, proved: a polynomial, and around it exactly one curve.

A *chart* says how a parameter s and d unknowns y make (theta, mu), mu = ln lambda, in the fixed space of an isotropy
group without the gauge:

- a *graph*: (z, mu) = M (t0 + L s, y), theta = B^T z, with the reflection M = I - 2 u u^T / |u|^2, which is exactly
  orthogonal. The first column of M is the direction of the piece, so that s is arclength along a line: a piece goes
  through folds. The system is G = B grad E.
- an *amplitude*: y = (z, e, mu), a = L s, theta = B^T z + C^T w, w = a M (1, e): the branch that leaves a pitchfork
  or a transcritical point. The system is G = (B grad E, C grad E / a), which is regular at a = 0.

Let p(s) be a polynomial, A(s) a matrix polynomial near the inverse of D_y G(s, p(s)), and

    g(s, v) = I - A(s) D_y G(s, p(s) + v).

All are analytic. On the ellipse E_rho, and for complex |v| <= R, balls bound |A G| <= M_f and |g| <= M_g: rough
bounds on a few arcs are enough, by the principle of the maximum. Values at Chebyshev nodes then bound both on a
smaller ellipse E_rho1 (`symland.rigor.chebyshev`): |A G(s, p)| <= Y, |g(s, 0)| <= Z0, and by Schwarz's lemma
|g(s, v)| <= Z0 + 2 M_g r / R for |v| <= r. If Z = Z0 + 2 M_g r / R < 1 and Y + Z r <= r, v -> v - A G(s, p + v) is a
contraction of the ball of radius r: for every s of E_rho1 there is exactly one zero there. It is analytic in s, so that
Cauchy bounds the derivatives of the curve minus p on [-1, 1].

Along the curve the Hessian splits into the fixed space, the gauge (where it is 2 lambda) and blocks. It is singular in
the fixed space only where d mu / d s = 0. A block C H C^T is proved nonsingular in the same way, or bordered with a
vector c: then N = [[C H C^T, c], [c^T, 0]] is nonsingular, and the block is singular, once, exactly where the last
entry of N^-1 vanishes. All zeros of both are proved simple. Between them the index is one number, which the inertia
at one place gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, arb_mat

from symland.program.algebra import run
from symland.program.balls import BallAlgebra, working_precision
from symland.program.complex_balls import ComplexBallAlgebra
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray
from symland.rigor.chebyshev import (
    ROUNDING,
    Zero,
    arcs,
    bound,
    curve_bound,
    node_values,
    row_bound,
    simple_zeros,
    slope_table,
    values_at,
)
from symland.rigor.inertia import inertia
from symland.rigor.matrices import row_norm
from symland.spec import LandscapeSpec

__all__ = [
    "Amplitude",
    "Block",
    "Chart",
    "Graph",
    "Piece",
    "Proof",
    "Segment",
    "Undecided",
    "correction",
    "level_table",
    "prove",
]

INNER = 1.15
"""rho1: the ellipse on which the curve itself is proved."""

ARCS = 24
"""Arcs that cover the upper half of E_rho."""

ROUGH_BITS, FINE_BITS = 53, 140
"""Bits with which arcs and nodes are evaluated."""

SLACK = 8
"""Errors by which zeros are enclosed, in units of those proved: it leaves room for a reader whose bounds are wider."""

MOST_NODES = 160
"""Chebyshev nodes at which a piece is evaluated, at most."""

AIM = 0.5
"""Contraction up to which the tube is widened."""

UNIQUE_AIM = 0.1
"""The same for the tube in which the curve is the only one; a reader needs no more than 1."""

TAIL = 1e-3
"""Part of the bounds that the interpolation's remainder may take when the nodes are chosen."""

SHARP_TAIL = 1e-9
"""The same for the curve itself, and where a block may be singular: what vanishes there must be known well."""

Rows = list[list[int]]

_REAL, _COMPLEX = BallAlgebra(), ComplexBallAlgebra()


@lru_cache(maxsize=8)
def _program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("gradient", "hessian"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A chart over a line: basis B (D, P), reflection u (D + 1), t0 and L."""

    basis: Rows
    mirror: FloatArray
    start: float
    length: float

    @property
    def unknowns(self) -> int:
        """d."""
        return len(self.basis)


@dataclass(frozen=True, kw_only=True, eq=False)
class Amplitude:
    """A chart over the amplitude: B (D, P), C (k, P), reflection u (k) and L."""

    basis: Rows
    across: Rows
    mirror: FloatArray
    length: float

    @property
    def unknowns(self) -> int:
        """d."""
        return len(self.basis) + len(self.across)


Chart = Graph | Amplitude


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """A block C H C^T of the Hessian: rows C, and the vector that borders it or None."""

    rows: Rows
    border: FloatArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """What is to be proved: a chart, the polynomial's Chebyshev coefficients (degree + 1, d), blocks, rho and R."""

    chart: Chart
    table: FloatArray
    blocks: tuple[Block, ...]
    rho: float
    reach: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """A part of a piece between two zeros: its ends in s, the sign of d mu / d s, and the index of the Hessian."""

    low: float
    high: float
    rising: bool
    index: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof:
    """A proved piece.

    Attributes
    ----------
    radius : float
        The curve is nearer than this to the polynomial, in y.
    unique : float
        It is the only one nearer than this.
    segments : tuple of Segment
        The parts between the zeros of d mu / d s and of the blocks.
    """

    spec: LandscapeSpec
    piece: Piece
    radius: float
    unique: float
    segments: tuple[Segment, ...]

    def place(self, s: arb) -> tuple[list[arb], arb]:
        """Balls that hold theta and mu of the curve at s."""
        y = [x + arb(0, self.radius) for x in values_at(self.piece.table, s)]
        return _place(_Ring.real(), self.piece.chart, self.spec.n_parameters, s, y)

    def locate(self, theta: list[arb], mu: arb) -> arb | None:
        """The s at which a point lies in the tube, so that it is the curve's point there; None where it may not."""
        chart = self.piece.chart
        if isinstance(chart, Graph):
            turned = (reflection(chart.mirror) * _column([*_coordinates(chart.basis, theta), mu])).entries()
            s, y = (turned[0] - chart.start) / chart.length, turned[1:]
        else:
            z, w = _coordinates(chart.basis, theta), _coordinates(chart.across, theta)
            turned = (reflection(chart.mirror) * _column(w)).entries()
            s, y = turned[0] / chart.length, [*z, *(x / turned[0] for x in turned[1:]), mu]
        if not (s > -1 and s < 1):
            return None
        near = all(abs(a - b) < self.unique for a, b in zip(y, values_at(self.piece.table, s), strict=True))
        return s if near else None

    def level(self, s: arb) -> arb:
        """A ball that holds mu of the curve at s."""
        return self.place(s)[1]


def _column(numbers: Sequence[arb]) -> arb_mat:
    return arb_mat(len(numbers), 1, list(numbers))


def _coordinates(rows: Rows, theta: Sequence[arb]) -> list[arb]:
    """z of the part B^T z of theta; the rows' spaces are orthogonal to what else theta has."""
    if not rows:
        return []
    basis = arb_mat(rows)
    return (basis * basis.transpose()).solve(basis * _column(theta)).entries()


class Undecided(Exception):
    """A piece whose proof failed, and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ring:
    number: Any
    matrix: Any
    algebra: Any

    @classmethod
    def real(cls) -> _Ring:
        return cls(number=arb, matrix=arb_mat, algebra=_REAL)

    @classmethod
    def complex(cls) -> _Ring:
        return cls(number=acb, matrix=acb_mat, algebra=_COMPLEX)


def reflection(u: FloatArray) -> arb_mat:
    """I - 2 u u^T / |u|^2, enclosed."""
    column = [arb(float(x)) for x in u]
    square = sum((x * x for x in column), arb(0))
    size = len(column)
    return arb_mat([[arb(int(i == j)) - 2 * column[i] * column[j] / square for j in range(size)] for i in range(size)])


def _combine(ring: _Ring, rows: Rows, z: Sequence[Any], size: int) -> list[Any]:
    found = [ring.number(0)] * size
    for row, x in zip(rows, z, strict=True):
        for p, c in enumerate(row):
            if c:
                found[p] = found[p] + c * x
    return found


def _place(ring: _Ring, chart: Chart, size: int, s: Any, y: Sequence[Any]) -> tuple[list[Any], Any]:
    """theta and mu."""
    if isinstance(chart, Graph):
        mirror = ring.matrix(reflection(chart.mirror))
        t = ring.number(chart.start) + s * ring.number(chart.length)
        x = (mirror * ring.matrix(len(y) + 1, 1, [t, *y])).entries()
        return _combine(ring, chart.basis, x[:-1], size), x[-1]
    d = len(chart.basis)
    w = _broken(ring, chart, s, y)
    inside, across = _combine(ring, chart.basis, y[:d], size), _combine(ring, chart.across, w, size)
    return [a + b for a, b in zip(inside, across, strict=True)], y[-1]


def _broken(ring: _Ring, chart: Amplitude, s: Any, y: Sequence[Any]) -> list[Any]:
    """w."""
    d, k = len(chart.basis), len(chart.across)
    turned = ring.matrix(reflection(chart.mirror)) * ring.matrix(k, 1, [ring.number(1), *y[d:-1]])
    a = s * ring.number(chart.length)
    return [a * x for x in turned.entries()]


class _Evaluated:
    """G, D_y G and the Hessian at one place."""

    def __init__(self, ring: _Ring, spec: LandscapeSpec, chart: Chart, s: Any, y: Sequence[Any]) -> None:
        theta, mu = _place(ring, chart, spec.n_parameters, s, y)
        penalty = mu.exp()
        out = run(_program(spec), ring.algebra, theta, {"penalty": [penalty]})
        matrix = ring.matrix
        self.hessian = matrix(out.hessian)
        gradient = matrix(len(theta), 1, out.gradient)
        pull = matrix(len(theta), 1, [2 * penalty * t for t in theta])
        self.value: list[Any] = []
        self.slope: Any = None
        if not chart.unknowns:
            return
        if isinstance(chart, Graph):
            rows = matrix(chart.basis)
            mirror = matrix(reflection(chart.mirror))
            self.value = (rows * gradient).entries()
            inner = (rows * self.hessian * rows.transpose()).tolist()
            side = (rows * pull).entries()
            whole = matrix([[*line, e] for line, e in zip(inner, side, strict=True)])
            kept = matrix([line[1:] for line in mirror.tolist()])
            self.slope = whole * kept
            return
        a = s * ring.number(chart.length)
        d = len(chart.basis)
        across = matrix(chart.across)
        turned = matrix(reflection(chart.mirror)).tolist()
        free = matrix([line[1:] for line in turned]) if len(turned) > 1 else None
        columns = []
        if d:
            rows = matrix(chart.basis)
            columns.append((self.hessian * rows.transpose()).transpose().tolist())
        if free is not None:
            columns.append(
                [[a * x for x in c] for c in (self.hessian * across.transpose() * free).transpose().tolist()]
            )
        columns.append([pull.entries()])
        moved = matrix([c for part in columns for c in part]).transpose()
        low = across * moved
        self.value = [x / a for x in (across * gradient).entries()]
        table = [[x / a for x in line] for line in low.tolist()]
        if d:
            self.value = [*(rows * gradient).entries(), *self.value]
            table = [*(rows * moved).tolist(), *table]
        self.slope = matrix(table)

    def families(self, ring: _Ring, blocks: Sequence[Block]) -> list[Any]:
        """The matrices that are proved nonsingular."""
        return [*([] if self.slope is None else [self.slope]), *(self.block(ring, b) for b in blocks)]

    def block(self, ring: _Ring, block: Block) -> Any:
        rows = ring.matrix(block.rows)
        inner = rows * self.hessian * rows.transpose()
        if block.border is None:
            return inner
        side = [ring.number(float(x)) for x in block.border]
        lines = [[*line, c] for line, c in zip(inner.tolist(), side, strict=True)]
        return ring.matrix([*lines, [*side, ring.number(0)]])


def _identity(ring: _Ring, size: int) -> Any:
    return ring.matrix(size, size, 1)


def _chain(matrix: Any, tables: Sequence[FloatArray]) -> list[Any]:
    """Each coefficient table (m + 1, k, k) as an (m + 1, k k) matrix of exact numbers."""
    return [matrix([[float(x) for x in row.ravel()] for row in table]) for table in tables]


def _at(ring: _Ring, chain: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The matrix polynomials at one place, from the values of T_k there."""
    found = []
    for table in chain:
        k = round(table.ncols() ** 0.5)
        line = (ring.matrix(1, table.nrows(), list(values[: table.nrows()])) * table).entries()
        found.append(ring.matrix(k, k, line))
    return found


def _rough(spec: LandscapeSpec, piece: Piece, inverses: Sequence[FloatArray]) -> tuple[arb, list[arb]]:
    """M_f, and M_g of the system and of every block, on E_rho and for complex |v| <= R."""
    ring = _Ring.complex()
    degree = max(len(piece.table), *(len(t) for t in inverses), 2) - 1
    around = acb(arb(0, piece.reach), arb(0, piece.reach))
    with working_precision(ROUGH_BITS):
        chain = _chain(acb_mat, inverses)
        table = acb_mat(piece.table.tolist()) if piece.table.shape[1] else None
        force, slopes = arb(0), [arb(0)] * len(inverses)
        for s, values in arcs(piece.rho, ARCS, degree):
            y = [x + around for x in _values(ring, table, values)]
            at = _Evaluated(ring, spec, piece.chart, s, y)
            matrices = _at(ring, chain, values)
            families = at.families(ring, piece.blocks)
            if y:
                force = _higher(force, row_bound(matrices[0] * acb_mat(len(y), 1, at.value)))
            for k, (a, m) in enumerate(zip(matrices, families, strict=True)):
                slopes[k] = _higher(slopes[k], row_bound(_identity(ring, m.nrows()) - a * m))
            if not force.is_finite() or not all(x.is_finite() for x in slopes):
                raise Undecided("the ellipse meets a pole")
    return force, slopes


def _higher(a: arb, b: arb) -> arb:
    return b if not b.is_finite() or b > a else a


def _fine(
    spec: LandscapeSpec, piece: Piece, inverses: Sequence[FloatArray], n: int
) -> tuple[list[list[arb]], list[arb]]:
    """A G at the nodes, and max |g| of the system and of every block, over the nodes."""
    ring = _Ring.real()
    degree = max(len(piece.table), *(len(t) for t in inverses), 2) - 1
    with working_precision(FINE_BITS):
        chain = _chain(arb_mat, inverses)
        table = arb_mat(piece.table.tolist()) if piece.table.shape[1] else None
        forces, slopes = [], [arb(0)] * len(inverses)
        for values in node_values(n, degree).tolist():
            y = _values(ring, table, values)
            at = _Evaluated(ring, spec, piece.chart, values[1], y)
            matrices = _at(ring, chain, values)
            families = at.families(ring, piece.blocks)
            if y:
                forces.append((matrices[0] * _column(at.value)).entries())
            for k, (a, m) in enumerate(zip(matrices, families, strict=True)):
                slopes[k] = _higher(slopes[k], row_norm(_identity(ring, m.nrows()) - a * m))
        return forces, slopes


def _values(ring: _Ring, table: Any, values: Sequence[Any]) -> list[Any]:
    """The polynomials at one place."""
    if table is None:
        return []
    return list((ring.matrix(1, table.nrows(), list(values[: table.nrows()])) * table).entries())


def prove(spec: LandscapeSpec, piece: Piece, inverses: Sequence[FloatArray]) -> Proof:
    """Prove a piece.

    Parameters
    ----------
    inverses : of (m + 1, k, k)
        Chebyshev coefficients of matrix polynomials near the inverse of the system's slope, and of every block.

    Raises
    ------
    Undecided
        Where the test fails, with the reason.
    """
    force, steep = _rough(spec, piece, inverses)
    q = INNER / piece.rho
    reach, whole = arb(piece.reach), piece.chart.unknowns > 0
    # The tube is at most this wide: the remainder of the interpolation must stay far below.
    widest = float((AIM * reach / (2 * steep[0])).min(reach).mid()) if whole else piece.reach
    shares = [TAIL] * whole + [TAIL if b.border is None else SHARP_TAIL for b in piece.blocks]
    parts = [float(x.mid()) * 4 / share for x, share in zip(steep, shares, strict=True)]
    need = max([float(force.mid()) * 4 / (SHARP_TAIL * widest), *parts, 1.0])
    n = 2 * max(4, int(np.ceil(np.log(need / (1 - q)) / -np.log(q) / 2)))
    if n > MOST_NODES:
        raise Undecided(f"{n} nodes would be needed")
    forces, defects = _fine(spec, piece, inverses, n)
    with working_precision(FINE_BITS):
        z0 = [bound(d, m, INNER, piece.rho, n) for d, m in zip(defects, steep, strict=True)]
        radius, unique = arb(0), reach
        if whole:
            if not z0[0] < UNIQUE_AIM / 2:
                raise Undecided("the approximate inverse is too far off")
            unique = (((UNIQUE_AIM - z0[0]) * reach / (2 * steep[0])).min(reach)).lower()
            radius = (curve_bound(forces, force, INNER, piece.rho) / (1 - AIM)).upper()
            if not radius < unique:
                raise Undecided(f"the residual is too large: {float(radius):.2g}, {float(unique):.2g}")
            z0, steep = z0[1:], steep[1:]
        deviations = []
        for k, (z, m) in enumerate(zip(z0, steep, strict=True)):
            moved = 2 * m * radius / reach
            on_line = bound(defects[k + whole], m, 1.0, piece.rho, n) + moved
            if not z + moved < 1:
                raise Undecided("a block is not proved nonsingular")
            deviations.append((on_line.upper(), (z + moved).upper()))
        # Distance of [-1, 1] from the ellipse E_rho1.
        gap = ((arb(INNER) + 1 / arb(INNER)) / 2 - 1).lower()
        turns = _turns(piece, radius, gap)
        breaks: list[Zero] = []
        for block, table, pair in zip(piece.blocks, inverses[int(whole) :], deviations, strict=True):
            if block.border is not None:
                breaks += _breaks(table, pair, gap)
        return Proof(
            spec=spec,
            piece=piece,
            radius=float(np.nextafter(float(radius.upper()), np.inf)) if whole else 0.0,
            unique=float(np.nextafter(float(unique.lower()), 0.0)),
            segments=_segments(spec, piece, radius, turns, breaks),
        )


def correction(spec: LandscapeSpec, chart: Chart, s: FloatArray, y: FloatArray, inverses: FloatArray) -> FloatArray:
    """y (n, d) after one more step of Newton's method with a residual in many digits."""
    ring = _Ring.real()
    moved = []
    with working_precision(FINE_BITS):
        for place, row, inverse in zip(s.tolist(), y.tolist(), inverses, strict=True):
            at = _Evaluated(ring, spec, chart, arb(place), [arb(x) for x in row])
            residual = np.array([float(x.mid()) for x in at.value])
            moved.append(np.array(row) - inverse @ residual)
    return np.array(moved)


def level_table(piece: Piece) -> tuple[FloatArray, float]:
    """Chebyshev coefficients of mu along the polynomial in float64, and the sum of |d mu / d y|."""
    chart, table = piece.chart, piece.table
    if isinstance(chart, Amplitude):
        return table[:, -1], 1.0
    u = chart.mirror
    last = -2.0 * u[-1] * u / float(u @ u)
    last[-1] += 1.0
    found = table @ last[1:]
    found[0] += last[0] * chart.start
    found[1] += last[0] * chart.length
    return found, float(np.abs(last[1:]).sum())


def _turns(piece: Piece, radius: arb, gap: arb) -> list[Zero]:
    table, weight = level_table(piece)
    slope = slope_table(table)
    rounding = arb(ROUNDING * float(np.abs(table).sum()) * len(table) ** 2)
    error = radius * weight / gap + rounding
    # Wider by SLACK: the enclosures of a reader may be wider.
    zeros = simple_zeros(slope, SLACK * error, SLACK * 2 * radius * weight / gap**2 + rounding * len(table) ** 2)
    if zeros is None:
        raise Undecided("a turn of the curve is not proved simple")
    return zeros


def _breaks(table: FloatArray, deviations: tuple[arb, arb], gap: arb) -> list[Zero]:
    """Where the last entry of N^-1 vanishes; the deviations |I - A N| are those on [-1, 1] and on E_rho1."""
    norms = [row_norm(arb_mat(part.tolist())) for part in table]
    errors = []
    for deviation, rho in zip(deviations, (1.0, INNER), strict=True):
        size = sum((x * arb(rho) ** k for k, x in enumerate(norms)), arb(0))
        errors.append(size * deviation / (1 - deviation))
    zeros = simple_zeros(table[:, -1, -1], SLACK * errors[0], SLACK * errors[1] / gap)
    if zeros is None:
        raise Undecided("a zero of a block is not proved simple")
    return zeros


def _segments(
    spec: LandscapeSpec, piece: Piece, radius: arb, turns: Sequence[Zero], breaks: Sequence[Zero]
) -> tuple[Segment, ...]:
    """The parts between zeros, each with its index."""
    ends = [-1.0]
    for zero in sorted([*turns, *breaks], key=lambda zero: zero.low):
        if len(ends) > 1 and zero.low <= ends[-1]:
            ends[-1] = max(ends[-1], zero.high)
        else:
            ends += [zero.low, zero.high]
    ends.append(1.0)
    slope = slope_table(level_table(piece)[0])
    found = []
    ring = _Ring.real()
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        middle = 0.5 * (low + high)
        y = [x + arb(0, 1) * radius for x in values_at(piece.table, arb(middle))]
        counted = inertia(_Evaluated(ring, spec, piece.chart, arb(middle), y).hessian)
        if not counted.decided:
            raise Undecided("the index of a part is open")
        rising = bool(values_at(slope[:, None], arb(middle))[0] > 0)
        found.append(Segment(low=low, high=high, rising=rising, index=counted.negative))
    return tuple(found)
