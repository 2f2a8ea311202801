"""Pieces of a curve: from its stations to polynomials, and to what is proved of them.

A piece spans as many stations of a curve as it can: from the stations comes the polynomial (Newton's method at
Chebyshev nodes), from the Hessians there the matrix polynomials of the approximate inverses, and `symland.rigor.tube`
proves the rest. A curve that leaves a branch point begins with a piece in the amplitude.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from symland.families.family import Family, PenaltyFamily
from symland.families.spaces import Rows, blocks, exact_basis, isotropy
from symland.families.trace import Curve, End
from symland.records import FloatArray
from symland.rigor.chebyshev import coefficients, nodes
from symland.rigor.tube import Amplitude, Block, Chart, Graph, Piece, Proof, Undecided, correction, prove
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup

__all__ = ["Chain", "Link", "chain_of"]

DEGREE = 24
"""Nodes from which a piece's polynomials are made."""

OVERLAP = 0.02
"""How far a piece reaches beyond its stations, in units of half its length."""

LEAST_COSINE = 0.5
"""Cosine of the angle between the curve and the direction of its piece, at least."""

NEWTON_STEPS = 12
SETTLED = 1e-9
"""Length of the last step of Newton's method in float64, at most."""

LEAST_RHO, MOST_RHO = 1.5, 3.0
"""Ellipses on which a piece is tried."""

CAUTION = 0.75
"""Power of the ellipse that the decay of the coefficients suggests."""

COMPLEX_REACH = 0.03
"""R, in units of the length of a piece."""

NEAR_SINGULAR = 0.2
"""A block whose least eigenvalue falls to this part of itself along a piece is bordered."""

FIRST_STATIONS = 8
"""Stations of the first piece that is tried."""

LONGEST_AMPLITUDE = 0.5
"""Amplitude of a piece that leaves a branch point, at most, in units of theta."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A proved piece, and whether its amplitude falls along the curve: it ends at a branch point."""

    proof: Proof
    to_point: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """The pieces of a curve in order, None where one is not proved, and why."""

    links: tuple[Link | None, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    """A curve in the coordinates of its fixed space."""

    spec: LandscapeSpec
    family: Family
    basis: Rows
    blocks: list[Rows]
    x: FloatArray
    tangent: FloatArray


def _pseudo(rows: Rows) -> FloatArray:
    """Matrix that takes theta to z."""
    b = np.array(rows, dtype=float)
    found: FloatArray = np.linalg.solve(b @ b.T, b)
    return found


def _mirror(q: FloatArray) -> FloatArray:
    """u of a reflection whose first column is q or -q."""
    u = q.copy()
    u[0] += 1.0 if q[0] >= 0 else -1.0
    return u


def _reflection(u: FloatArray) -> FloatArray:
    found: FloatArray = np.eye(len(u)) - 2.0 * np.outer(u, u) / float(u @ u)
    return found


def _graph(way: _Way, first: int, last: int) -> tuple[Graph, FloatArray]:
    """The chart over the chord between two stations, and a guess of y at the nodes."""
    x, tangent = way.x[first : last + 1], way.tangent[first : last + 1]
    chord = x[-1] - x[0]
    mirror = _mirror(chord / np.linalg.norm(chord))
    matrix = _reflection(mirror)
    turned, along = x @ matrix, tangent @ matrix
    sign = np.sign(turned[-1, 0] - turned[0, 0])
    if (sign * along[:, 0] < LEAST_COSINE * np.linalg.norm(along, axis=1)).any():
        raise Undecided("the curve turns too much")
    half = 0.5 * (turned[-1, 0] - turned[0, 0])
    chart = Graph(
        basis=way.basis,
        mirror=mirror,
        start=float(turned[0, 0] + half),
        length=float(half * (1.0 + OVERLAP)),
    )
    t = chart.start + chart.length * nodes(DEGREE)
    return chart, _hermite(sign * turned[:, 0], turned[:, 1:], sign * along[:, 1:] / along[:, :1], sign * t)


def _hermite(t: FloatArray, y: FloatArray, slope: FloatArray, at: FloatArray) -> FloatArray:
    """Piecewise cubic through stations; its first and last pieces go on beyond the ends."""
    k = np.clip(np.searchsorted(t, at) - 1, 0, len(t) - 2)
    h = (t[k + 1] - t[k])[:, None]
    s = ((at - t[k])[:, None]) / h
    a, b, u, v = y[k], y[k + 1], slope[k] * h, slope[k + 1] * h
    found: FloatArray = a + s * (u + s * ((3 * (b - a) - 2 * u - v) + s * (2 * (a - b) + u + v)))
    return found


def _floats(way: _Way, chart: Chart, s: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """G, D_y G and the Hessian at (s, y), in float64."""
    if isinstance(chart, Graph):
        matrix = _reflection(chart.mirror)
        t = chart.start + chart.length * s
        x = np.concatenate([t[:, None], y], axis=1) @ matrix
        rows = np.array(chart.basis, dtype=float).reshape(-1, way.spec.n_parameters)
        gradient, hessian, slope = way.family.derivatives(x[:, :-1] @ rows, x[:, -1])
        whole = np.concatenate([rows @ hessian @ rows.T, (slope @ rows.T)[:, :, None]], axis=2)
        return gradient @ rows.T, whole @ matrix[:, 1:], hessian
    d, k = len(chart.basis), len(chart.across)
    rows = np.array(chart.basis, dtype=float).reshape(d, way.spec.n_parameters)
    across = np.array(chart.across, dtype=float)
    matrix = _reflection(chart.mirror)
    a = chart.length * s
    w = a[:, None] * (np.concatenate([np.ones((len(s), 1)), y[:, d:-1]], axis=1) @ matrix)
    gradient, hessian, slope = way.family.derivatives(y[:, :d] @ rows + w @ across, y[:, -1])
    columns = np.concatenate(
        [
            hessian @ rows.T,
            a[:, None, None] * (hessian @ (across.T @ matrix[:, 1:])).reshape(len(s), -1, k - 1),
            slope[:, :, None],
        ],
        axis=2,
    )
    value = np.concatenate([gradient @ rows.T, gradient @ across.T / a[:, None]], axis=1)
    steep = np.concatenate([rows @ columns, across @ columns / a[:, None, None]], axis=1)
    return value, steep, hessian


def _solved(way: _Way, chart: Chart, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """y on the curve at the nodes, with D_y G and the Hessian there."""
    s = nodes(DEGREE)
    step = np.inf
    for _ in range(NEWTON_STEPS):
        value, steep, hessian = _floats(way, chart, s, y)
        if not y.shape[1]:
            return y, steep, hessian
        try:
            move = np.linalg.solve(steep, value[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            raise Undecided("a slope is singular") from None
        size = float(np.abs(move).max())
        if not size < 10.0:
            raise Undecided("Newton's method left the curve")
        y = y - move
        if size < SETTLED or (step < 1e-6 and size > 0.5 * step):
            break
        step = size
    else:
        raise Undecided("Newton's method did not settle")
    value, steep, hessian = _floats(way, chart, s, y)
    return y, steep, hessian


def _inverse(matrices: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.inv(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise Undecided("a matrix is singular") from None


def _decay(table: FloatArray) -> float:
    """The ellipse on which a polynomial's coefficients would be of one size."""
    sizes = np.abs(table).reshape(len(table), -1).max(axis=1)
    pairs = np.maximum(sizes[:-1:2], sizes[1::2])
    floor = 1e-13 * pairs.max()
    first = int(np.argmax(pairs))
    good = np.flatnonzero(pairs[first:] > floor) + first
    if len(good) < 3:
        return 10.0
    slope = np.polyfit(2.0 * good, np.log(pairs[good]), 1)[0]
    return float(np.exp(-slope))


def _cut(table: FloatArray) -> FloatArray:
    """Without the coefficients that are rounding."""
    sizes = np.abs(table).reshape(len(table), -1).max(axis=1)
    kept = np.flatnonzero(sizes > 1e-15 * sizes.max(initial=0.0))
    return table[: max(int(kept[-1]) + 1 if len(kept) else 1, 2)]


def _piece(way: _Way, chart: Chart, guess: FloatArray) -> Proof:
    """The piece over a chart, proved."""
    y, steep, hessian = _solved(way, chart, guess)
    if y.shape[1]:
        y = correction(way.spec, chart, nodes(DEGREE), y, _inverse(steep))
    table = _cut(coefficients(y)) if y.shape[1] else np.zeros((2, 0))
    inverses = [coefficients(_inverse(steep))] if y.shape[1] else []
    tables = [*inverses, *([table] if y.shape[1] else [])]
    reason = Undecided("the piece is too long")
    for near in (NEAR_SINGULAR, 0.0):
        blocks, tried = _bordered(way, hessian, near)
        rho = min([_decay(t) for t in [*tables, *tried]], default=10.0) ** CAUTION
        if rho >= LEAST_RHO:
            piece = Piece(
                chart=chart,
                table=table,
                blocks=blocks,
                rho=round(min(rho, MOST_RHO), 3),
                reach=COMPLEX_REACH * abs(chart.length),
            )
            try:
                return prove(way.spec, piece, [_cut(t) for t in [*inverses, *tried]])
            except Undecided as error:
                reason = error
        if all(b.border is None for b in blocks):
            break
    raise reason


def _bordered(way: _Way, hessian: FloatArray, near: float) -> tuple[tuple[Block, ...], list[FloatArray]]:
    """The blocks with their approximate inverses; those that are singular, or come near to it, are bordered."""
    found, inverses = [], []
    for rows in way.blocks:
        c = np.array(rows, dtype=float)
        part = c @ hessian @ c.T
        values, vectors = np.linalg.eigh(part)
        least = np.abs(values).min(axis=1)
        negative = (values < 0).sum(axis=1)
        border = None
        if negative.min() != negative.max() or least.min() < near * least.max():
            node = int(np.argmin(least))
            border = vectors[node, :, int(np.argmin(np.abs(values[node])))]
            part = np.concatenate([part, np.broadcast_to(border, (len(part), len(border)))[:, None, :]], axis=1)
            side = np.broadcast_to(np.append(border, 0.0), (len(part), len(border) + 1))
            part = np.concatenate([part, side[:, :, None]], axis=2)
        found.append(Block(rows=rows, border=border))
        inverses.append(coefficients(_inverse(part)))
    return tuple(found), inverses


def _amplitude(way: _Way, group: SymmetryGroup, curve: Curve, at_end: bool) -> tuple[Proof, int]:
    """The piece in the amplitude at one end of a curve, and how many stations it covers."""
    stations = curve.stations[::-1] if at_end else curve.stations
    event = stations[0]
    elements = isotropy(group, event.theta)
    inside = exact_basis(group, elements)
    across = exact_basis(group, curve.elements, within=elements)
    if not across:
        raise Undecided("the branch point has no broken space")
    direction = _pseudo(across) @ event.tangent[:-1]
    if at_end:
        direction = _pseudo(across) @ (stations[1].theta - event.theta)
    mirror = _mirror(direction / np.linalg.norm(direction))
    matrix = _reflection(mirror)
    theta = np.array([s.theta for s in stations])
    z = theta @ _pseudo(inside).T if inside else np.zeros((len(theta), 0))
    w = theta @ _pseudo(across).T @ matrix
    sign = np.sign(w[1, 0])
    grows = int(np.argmin(np.diff(sign * w[:, 0]) > 0)) if (np.diff(sign * w[:, 0]) <= 0).any() else len(w) - 1
    last = min(grows, int(np.searchsorted(sign * w[: grows + 1, 0], LONGEST_AMPLITUDE)))
    mu = np.array([s.mu for s in stations])
    reason = Undecided("no piece in the amplitude")
    while last >= 1:
        a = w[: last + 1, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            u = w[: last + 1, 1:] / a[:, None]
        y = np.concatenate([z[: last + 1], u, mu[: last + 1, None]], axis=1)
        # Even functions of the amplitude: fitted in its square.
        degree = min(3, last)
        fit = np.polynomial.polynomial.polyfit(a[1:] ** 2, y[1:], degree - 1 if last < 4 else degree)
        chart = Amplitude(basis=inside, across=across, mirror=mirror, length=float(a[-1] * (1.0 + OVERLAP)))
        guess = np.asarray(
            np.polynomial.polynomial.polyval((chart.length * nodes(DEGREE)) ** 2, fit).T, dtype=np.float64
        )
        try:
            return _piece(way, chart, guess), last
        except Undecided as error:
            reason = error
            last //= 2
    raise reason


@lru_cache(maxsize=4)
def _family(spec: LandscapeSpec) -> PenaltyFamily:
    return PenaltyFamily(spec)


def chain_of(spec: LandscapeSpec, group: SymmetryGroup, curve: Curve) -> Chain:
    """Cover a branch in the penalty with proved pieces."""
    family = _family(spec)
    basis = exact_basis(group, curve.elements)
    x = np.array([np.append(_pseudo(basis) @ s.theta if basis else [], s.mu) for s in curve.stations])
    tangent = np.array(
        [np.append(_pseudo(basis) @ s.tangent[:-1] if basis else [], s.tangent[-1]) for s in curve.stations]
    )
    way = _Way(spec=spec, family=family, basis=basis, blocks=blocks(group, curve.elements), x=x, tangent=tangent)
    gaps: list[str] = []
    links: list[Link | None] = []
    first, last = 0, len(curve.stations) - 1
    tail: Link | None = None
    if curve.first is End.MERGED:
        try:
            proof, first = _amplitude(way, group, curve, at_end=False)
            links.append(Link(proof=proof))
        except Undecided as error:
            gaps.append(f"branch point at its start: {error}")
            first = 1
    if curve.last is End.MERGED:
        try:
            proof, count = _amplitude(way, group, curve, at_end=True)
            tail = Link(proof=proof, to_point=True)
            last -= count
        except Undecided as error:
            gaps.append(f"branch point at its end: {error}")
            last -= 1
    here, length = max(first - (1 if first > 1 else 0), 0), FIRST_STATIONS
    last = min(last + 1, len(curve.stations) - 1 - (curve.last is End.MERGED))
    while here < last:
        span = min(length, last - here)
        while True:
            try:
                chart, guess = _graph(way, here, here + span)
                links.append(Link(proof=_piece(way, chart, guess)))
                length = 2 * span
                break
            except Undecided as error:
                if span == 1:
                    gaps.append(f"{family.parameter(curve.stations[here].mu):.6g}: {error}")
                    links.append(None)
                    break
                span = max(1, int(0.6 * span))
                length = span
        here += span
    if tail is not None:
        links.append(tail)
    return Chain(links=tuple(links), gaps=tuple(gaps))
