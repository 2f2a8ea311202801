"""Verify the tube of a branch, and what a diagram says follows from its tubes, from the question alone.

Nothing here is shared with the code that makes tubes: gradient and Hessian of a network with one hidden layer are
written again over complex balls, the coordinates of a piece by their tangent vectors, and the approximate inverses are
made anew: they interpolate those at n Chebyshev nodes.

For a piece with the polynomial p(s), its system F(s, y) and g = I - A D_yF, what is verified is

1. |A F(s, p)| <= Y and |g(s, p + v)| <= Z(r) for |v| <= r on the ellipse E of parameter INNER: values at the nodes
   bound the coefficients of the interpolant, and what is left is 4 M q^n / (1 - q) with a bound M on the larger ellipse
   E_rho and q = INNER / rho; in v the lemma of Schwarz gives 2 M r / R;
2. Y + Z r < r for the radius that is claimed, and Z < 1 for the one of uniqueness;
3. every block of the Hessian in the same way, bordered where the piece says so;
4. on every segment d mu / d s, and the last entry of each bordered block's inverse, exclude 0, by bisection; in its
   middle the Hessian has the index that is claimed;
5. neighbouring pieces of a run: the end of one lies in the tube of the other.

The blocks, the fixed space and the gauge must make up the whole space and be orthogonal. The Hessian keeps the fixed
space and the gauge. It keeps the blocks too, as every two of them have a symmetry that is 1 on one and -1 on the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise, permutations, product
from math import factorial, isfinite
from typing import Any

import numpy as np
from flint import acb, acb_mat, acb_series, arb, arb_mat, ctx, fmpq, fmpq_mat

from symland.records import Verdict
from symland.rigor.check import CheckResult
from symland.rigor.check_activation import GIVEN_UP, Refusal, given_up, need
from symland.rigor.check_event import Question, check_followed, fixed_rows, need_span, whole_rows

__all__ = ["FORMAT", "Sheet", "check_diagram", "check_tube"]

FORMAT = "symland-tube/1"

INNER = 1.1
"""The ellipse on which the curve is proved."""

ATTEMPTS = ((0.6, 72, 64), (0.8, 112, 96), (0.6, 112, 192), (0.9, 160, 192))
"""Power of the ellipse that a piece names, Chebyshev nodes, and arcs that cover the upper half of the ellipse."""

INVERSE_DEGREE = 36
"""Coefficients that are kept of an approximate inverse."""

BITS, ARC_BITS = 140, 53

REACH = 0.01
"""R in units of the length of a piece."""

MOST_PIECES = 20_000
MOST_DEGREE = 48
MOST_ELEMENTS = 20_000
MOST_HALVINGS = 60

APART = 1e-5
"""Points whose coordinates differ by more are apart."""

NARROW = 1e-6

_TUBE_KEYS = {"format", "spec", "elements", "basis", "blocks", "runs", "seal"}
_SPAN_KEYS = {"kind", "mirror", "length", "table", "borders", "rho", "radius", "unique", "enter", "leave", "segments"}


def _float(text: Any) -> float:
    need(isinstance(text, str) and len(text) < 40, "a number is no text")
    try:
        value = float(text)
    except ValueError:
        raise Refusal("a number cannot be read", Verdict.REFUTED) from None
    need(isfinite(value), "a number is not finite")
    return value


def _floats(texts: Any, size: int) -> list[float]:
    need(isinstance(texts, list) and len(texts) == size, "a row of numbers has the wrong length")
    return [_float(t) for t in texts]


class _Network(Question):
    """One hidden layer and softmax: gradient and Hessian over complex balls."""

    def __init__(self, spec: Any) -> None:
        super().__init__(spec)
        need(len(self.widths) == 3, "only one hidden layer is known here", Verdict.UNDECIDED)
        need(spec["activation"] != "erf", "the activation is not known here", Verdict.UNDECIDED)

    def derivatives(self, theta: Sequence[acb], penalty: acb) -> tuple[list[acb], acb_mat]:
        """With J = z', p = softmax(z), e = p - 1_c: gradient J^T e, Hessian J^T (diag p - p p^T) J + sum e_i z_i''."""
        n, m, k = self.widths
        w1, w2, b1, b2 = self.weights[0], self.weights[1], self.biases[0], self.biases[1]
        size, count = self.size, len(self.x)
        gradient = acb_mat(size, 1)
        whole = acb_mat(size, size)
        bent = [[acb(0)] * size for _ in range(size)]
        for x, label in zip(self.x, self.labels, strict=True):
            point = [acb(arb(fmpq(v.numerator, v.denominator))) for v in x]
            jets = []
            for j in range(m):
                s = sum((theta[w1 + j * n + q] * point[q] for q in range(n)), theta[b1 + j])
                # An odd function is evaluated where its exponential is small.
                turn = -1 if self.odd and s.real.mid() > 0 else 1
                found: Any = self.sigma(acb_series([turn * s, acb(turn)], prec=3))
                c = [*(turn * v for v in found.coeffs()), acb(0), acb(0), acb(0)]
                jets.append((c[0], c[1], 2 * c[2]))
            z = [sum((theta[w2 + i * m + j] * jets[j][0] for j in range(m)), theta[b2 + i]) for i in range(k)]
            top = max(range(k), key=lambda i: float(z[i].real.mid()))
            odds = [acb(1) if i == top else (z[i] - z[top]).exp() for i in range(k)]
            whole_odds = sum(odds, acb(0))
            p = [x / whole_odds for x in odds]
            e = [p[i] - (1 if i == label else 0) for i in range(k)]
            lines = []
            for i in range(k):
                line = [acb(0)] * size
                for j in range(m):
                    line[w2 + i * m + j] = jets[j][0]
                    slope = theta[w2 + i * m + j] * jets[j][1]
                    line[b1 + j] = slope
                    for q in range(n):
                        line[w1 + j * n + q] = slope * point[q]
                line[b2 + i] = acb(1)
                lines.append(line)
            jacobian = acb_mat(lines)
            turned = jacobian.transpose()
            gradient = gradient + turned * acb_mat(k, 1, e)
            spread = acb_mat([[(p[i] if i == r else 0) - p[i] * p[r] for r in range(k)] for i in range(k)])
            whole = whole + turned * spread * jacobian
            for j in range(m):
                inner = [*(w1 + j * n + q for q in range(n)), b1 + j]
                values = [*point, acb(1)]
                pull = sum((e[i] * theta[w2 + i * m + j] for i in range(k)), acb(0)) * jets[j][2]
                for a, u in zip(inner, values, strict=True):
                    for b, v in zip(inner, values, strict=True):
                        bent[a][b] = bent[a][b] + pull * u * v
                    for i in range(k):
                        out = w2 + i * m + j
                        bent[a][out] = bent[a][out] + e[i] * jets[j][1] * u
                        bent[out][a] = bent[a][out]
        mean = acb(1) / count
        hessian = (whole + acb_mat(bent)) * mean + 2 * penalty * acb_mat(size, size, 1)
        return [g * mean + 2 * penalty * t for g, t in zip(gradient.entries(), theta, strict=True)], hessian


def _mirrored(u: Sequence[arb], x: Sequence[Any]) -> list[Any]:
    """x - 2 u (u . x) / |u|^2, row by row: what cancels in a row does not widen it."""
    square = sum((v * v for v in u), arb(0))
    found = []
    for i, a in enumerate(u):
        row = [(arb(1) if i == j else arb(0)) - 2 * a * b / square for j, b in enumerate(u)]
        found.append(sum((r * v for r, v in zip(row, x, strict=True) if not r.is_zero()), acb(0)))
    return found


def _sum_rows(rows: Sequence[Sequence[int]], z: Sequence[Any], size: int) -> list[Any]:
    found = [acb(0)] * size
    for row, x in zip(rows, z, strict=True):
        found = [f + x * c if c else f for f, c in zip(found, row, strict=True)]
    return found


class _Piece:
    """One piece as it is claimed."""

    def __init__(self, network: _Network, values: Any, basis: list[list[int]], blocks: list[list[list[int]]]) -> None:
        kind = values.get("kind") if isinstance(values, dict) else None
        more = {"graph": {"start"}, "amplitude": {"inside", "across"}}.get(str(kind))
        need(more is not None and set(values) == _SPAN_KEYS | (more or set()), "the keys are not those of a piece")
        self.network, self.graph, size = network, kind == "graph", network.size
        self.basis = basis if self.graph else whole_rows(values["inside"], size)
        self.across = [] if self.graph else whole_rows(values["across"], size)
        if not self.graph:
            rows = [*self.basis, *self.across]
            need(_rank(rows) == len(rows) == len(basis) == _rank([*rows, *basis]), "a piece has another space")
            need(all(_inner(a, b) == 0 for a in self.basis for b in self.across), "a piece's spaces are not orthogonal")
        self.unknowns = len(self.basis) + len(self.across)
        # Exact floats are exact balls.
        self.mirror = [arb(x) for x in _floats(values["mirror"], len(basis) + 1 if self.graph else len(self.across))]
        need(any(not x.is_zero() for x in self.mirror), "a reflection is zero")
        self.start = arb(_float(values["start"])) if self.graph else arb(0)
        self.length = arb(_float(values["length"]))
        need(not self.length.is_zero(), "a piece has no length")
        need(
            isinstance(values["table"], list) and 0 < len(values["table"]) <= MOST_DEGREE, "a polynomial has no degree"
        )
        self.table = [[arb(x) for x in _floats(row, self.unknowns)] for row in values["table"]]
        need(isinstance(values["borders"], list) and len(values["borders"]) == len(blocks), "the borders do not fit")
        self.blocks = [
            (rows, None if border is None else [acb(x) for x in _floats(border, len(rows))])
            for rows, border in zip(blocks, values["borders"], strict=True)
        ]
        self.rho = _float(values["rho"])
        need(1.3 < self.rho < 5, "an ellipse is out of range")
        self.radius, self.unique = arb(_float(values["radius"])), arb(_float(values["unique"]))
        need(bool(self.radius > 0 or not self.unknowns), "a tube has no radius")
        self.reach = (abs(self.length) * arb(REACH)).upper()
        if self.unknowns and 2 * self.unique > self.reach:
            self.reach = (2 * self.unique).upper()
        self.enter, self.leave = _float(values["enter"]), _float(values["leave"])
        need(all(-1 <= x <= 1 for x in (self.enter, self.leave)) and self.enter != self.leave, "a piece has no ends")
        need(self.graph or min(self.enter, self.leave) >= 0, "a piece in the amplitude passes its branch point")
        self.segments = []
        for s in values["segments"]:
            need(isinstance(s, dict) and set(s) == {"low", "high", "rising", "index"}, "a segment is malformed")
            need(type(s["rising"]) is bool and type(s["index"]) is int, "a segment is malformed")
            self.segments.append((_float(s["low"]), _float(s["high"]), s["rising"], s["index"]))
        ends = [x for low, high, _, _ in self.segments for x in (low, high)]
        need(bool(ends) and all(a <= b for a, b in pairwise([-1.0, *ends, 1.0])), "the segments are not in order")

    # -- places ---------------------------------------------------------------------------------------------------

    def place(self, s: Any, y: Sequence[Any]) -> tuple[list[Any], Any]:
        """theta and mu."""
        size = self.network.size
        if self.graph:
            x = _mirrored(self.mirror, [s * self.length + self.start, *y])
            return _sum_rows(self.basis, x[:-1], size), x[-1]
        d = len(self.basis)
        w = _mirrored(self.mirror, [acb(1), *y[d:-1]])
        a = s * self.length
        first, second = _sum_rows(self.basis, y[:d], size), _sum_rows(self.across, [a * v for v in w], size)
        return [u + v for u, v in zip(first, second, strict=True)], y[-1]

    def tangents(self, s: Any) -> list[list[Any]]:
        """d (theta, mu) / d y, one row for each unknown."""
        size, rows = self.network.size, []
        if self.graph:
            for k in range(1, len(self.basis) + 1):
                x = _mirrored(self.mirror, [acb(int(q == k)) for q in range(len(self.basis) + 1)])
                rows.append([*_sum_rows(self.basis, x[:-1], size), x[-1]])
            return rows
        rows = [[*map(acb, row), acb(0)] for row in self.basis]
        for k in range(1, len(self.across)):
            w = _mirrored(self.mirror, [acb(int(q == k)) for q in range(len(self.across))])
            rows.append([*_sum_rows(self.across, [s * self.length * v for v in w], size), acb(0)])
        return [*rows, [acb(0)] * size + [acb(1)]]

    def evaluate(self, s: Any, y: Sequence[Any]) -> tuple[list[acb], list[acb_mat]]:
        """F, and the matrices that must be nonsingular: D_yF first where there are unknowns."""
        theta, mu = self.place(s, y)
        penalty = acb(mu).exp()
        gradient, hessian = self.network.derivatives([acb(t) for t in theta], penalty)
        found, value = [], []
        if self.unknowns:
            size = self.network.size
            wide = acb_mat([[*row, 2 * penalty * t] for row, t in zip(hessian.tolist(), theta, strict=True)])
            moved = wide * acb_mat(self.tangents(s)).transpose()
            for rows, divisor in ((self.basis, acb(1)), (self.across, acb(s * self.length))):
                if rows:
                    left = acb_mat(rows)
                    value += [v / divisor for v in (left * acb_mat(size, 1, gradient)).entries()]
                    found += [[v / divisor for v in line] for line in (left * moved).tolist()]
            found = [acb_mat(found)]
        for rows, border in self.blocks:
            left = acb_mat(rows)
            inner = left * hessian * left.transpose()
            if border is not None:
                lines = [[*line, c] for line, c in zip(inner.tolist(), border, strict=True)]
                inner = acb_mat([*lines, [*border, acb(0)]])
            found.append(inner)
        return value, found

    def polynomial(self, s: arb) -> list[arb]:
        """p(s)."""
        values, _ = _chebyshev(s, len(self.table))
        return [
            sum((row[k] * v for row, v in zip(self.table, values, strict=True)), arb(0)) for k in range(self.unknowns)
        ]

    def box(self, s: arb) -> tuple[list[arb], arb]:
        """Balls of theta and mu of the curve at s."""
        theta, mu = self.place(acb(s), [acb(y + arb(0, 1) * self.radius) for y in self.polynomial(s)])
        return [acb(t).real for t in theta], acb(mu).real

    def holds(self, theta: list[arb], mu: arb) -> arb | None:
        """s, if a point lies in the tube."""
        if self.graph:
            x = _mirrored(self.mirror, [*_solved(self.basis, theta), mu])
            s, y = (acb(x[0]).real - self.start) / self.length, [acb(v).real for v in x[1:]]
        else:
            w = [acb(v).real for v in _mirrored(self.mirror, _solved(self.across, theta))]
            s, y = w[0] / self.length, [*_solved(self.basis, theta), *(v / w[0] for v in w[1:]), mu]
        if not (s > -1 and s < 1):
            return None
        near = all(bool(abs(a - b) < self.unique) for a, b in zip(y, self.polynomial(s), strict=True))
        return s if near else None

    # -- the proof ------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """All that is claimed of the piece."""
        last: Refusal | None = None
        named = self.rho
        for power, n, arcs in ATTEMPTS:
            # On a smaller ellipse rougher enclosures do, with more nodes.
            self.rho = named**power
            try:
                self._verify(n, arcs)
                return
            except Refusal as refusal:
                if refusal.args[1] is Verdict.REFUTED:
                    raise
                last = refusal
        assert last is not None
        raise last

    def _verify(self, n: int, arcs: int) -> None:
        ctx.prec = BITS
        cosines = [[arb.cos_pi_fmpq(fmpq((2 * j + 1) * k, 2 * n)) for k in range(n)] for j in range(n)]
        at = [self.evaluate(acb(c[1]), [acb(v) for v in self._row(c)]) for c in cosines]
        # Coefficients of the interpolants of the inverses, rounded to exact numbers.
        turn = acb_mat([[cosines[j][k] * (2 if k else 1) / n for j in range(n)] for k in range(n)])
        chains = []
        for f in range(len(at[0][1])):
            inverses = []
            for _, matrices in at:
                thin = arb_mat([[x.real for x in line] for line in matrices[f].tolist()]).mid()
                inverses.append(acb_mat(thin.inv().mid()).entries())
            kept = min(n, INVERSE_DEGREE)
            chains.append(acb_mat((turn * acb_mat(inverses)).mid().tolist()[:kept]))
        steep = [arb(0)] * len(chains)
        forces = []
        for c, (value, matrices) in zip(cosines, at, strict=True):
            for f, (chain, m) in enumerate(zip(chains, matrices, strict=True)):
                k = m.nrows()
                a = acb_mat(k, k, (acb_mat(1, chain.nrows(), c[: chain.nrows()]) * chain).entries())
                steep[f] = _most(steep[f], _norm(acb_mat(k, k, 1) - a * m))
                if f == 0 and self.unknowns:
                    forces.append((a * acb_mat(k, 1, value)).entries())
        force_top, tops = self._arcs(chains, arcs)
        ctx.prec = BITS
        q = arb(INNER) / arb(self.rho)
        rest = 4 * q**n / (1 - q)
        powers = [arb(INNER) ** k for k in range(n)]
        inner = 2 * sum(powers, arb(0))
        reach = self.reach
        slack = [bool(d * inner + m * rest < 1) for d, m in zip(steep, tops, strict=True)]
        need(all(slack), "an approximate inverse is not near enough", Verdict.UNDECIDED)
        radius = arb(0)
        bounds = [d * inner + m * rest for d, m in zip(steep, tops, strict=True)]
        line = [
            d * 2 * n + m * 4 * arb(self.rho) ** -n / (1 - 1 / arb(self.rho)) for d, m in zip(steep, tops, strict=True)
        ]
        if self.unknowns:
            table = (turn * acb_mat(forces)).tolist()
            sums = [sum((abs(table[k][i]) * powers[k] for k in range(n)), arb(0)) for i in range(self.unknowns)]
            y = arb(0)
            for x in sums:
                y = _most(y, x.upper())
            y = y + force_top * rest
            grow = 2 * tops[0] / reach
            need(bool(self.radius < self.unique), "the radii are out of order")
            z = bounds[0] + grow * self.radius
            need(bool(y + z * self.radius < self.radius), "no curve is proved in the tube", Verdict.UNDECIDED)
            need(bool(bounds[0] + grow * self.unique < 1), "the curve is not proved the only one", Verdict.UNDECIDED)
            radius = (y / (1 - z)).upper()
        gap = ((arb(INNER) + 1 / arb(INNER)) / 2 - 1).lower()
        first = int(self.unknowns > 0)
        entries = []
        for f, (_, border) in enumerate(self.blocks, start=first):
            wide, thin = (b + 2 * tops[f] * radius / reach for b in (bounds[f], line[f]))
            need(bool(wide < 1), "a block is not proved nonsingular", Verdict.UNDECIDED)
            if border is not None:
                rows = chains[f].tolist()
                k = round(len(rows[0]) ** 0.5)
                norms = [_norm(acb_mat(k, k, row)) for row in rows]
                size = sum(norms, arb(0))
                large = sum((x * p for x, p in zip(norms, powers, strict=False)), arb(0))
                entries.append(
                    ([row[-1].real for row in rows], size * thin / (1 - thin), large * wide / (1 - wide) / gap)
                )
        # mu: its polynomial, and a bound of the error of its slope, whose own slope is off by twice that over the gap.
        heights, weight = self._heights()
        tilt = radius * weight / gap
        for low, high, rising, index in self.segments:
            self._signed(_slope(heights), tilt, 2 * tilt / gap, low, high, 1 if rising else -1)
            for table_, error, steepness in entries:
                self._signed(table_, error, steepness, low, high, 0)
            self._index((low + high) / 2, radius, index)

    def _row(self, cosines: Sequence[arb]) -> list[arb]:
        return [
            sum((r[k] * c for r, c in zip(self.table, cosines, strict=False)), arb(0)) for k in range(self.unknowns)
        ]

    def _arcs(self, chains: list[acb_mat], count: int) -> tuple[arb, list[arb]]:
        """Bounds of |A F| and |g| on the larger ellipse and for complex |v| <= R."""
        ctx.prec = ARC_BITS
        reach = self.reach
        around = acb(arb(0, 1) * reach, arb(0, 1) * reach)
        force, tops = arb(0), [arb(0)] * len(chains)
        degree = max([len(self.table), 2, *(c.nrows() for c in chains)])
        half = arb.pi() / (2 * count)
        for arc in range(count):
            phi = half * (2 * arc + 1) + half * arb(0, 1)
            values = []
            for k in range(degree):
                large, small = arb(self.rho) ** k / 2, arb(self.rho) ** -k / 2
                values.append(acb((large + small) * (phi * k).cos(), (large - small) * (phi * k).sin()))
            y = [
                sum((v * row[k] for v, row in zip(values, self.table, strict=False)), around)
                for k in range(self.unknowns)
            ]
            value, matrices = self.evaluate(values[1], y)
            for f, (chain, m) in enumerate(zip(chains, matrices, strict=True)):
                k = m.nrows()
                a = acb_mat(k, k, (acb_mat(1, chain.nrows(), values[: chain.nrows()]) * chain).entries())
                tops[f] = _most(tops[f], _norm(acb_mat(k, k, 1) - a * m))
                if f == 0 and self.unknowns:
                    force = _most(force, _norm(a * acb_mat(k, 1, value)))
        need(all(x.is_finite() for x in [force, *tops]), "an ellipse meets a pole", Verdict.UNDECIDED)
        return force, tops

    def _heights(self) -> tuple[list[arb], arb]:
        """Chebyshev coefficients of mu along p, and a bound of |d mu / d y|."""
        if not self.graph:
            return [row[-1] for row in self.table], arb(1)
        square = sum((v * v for v in self.mirror), arb(0))
        last = [
            (arb(1) if k == len(self.basis) else arb(0)) - 2 * self.mirror[-1] * v / square
            for k, v in enumerate(self.mirror)
        ]
        found = [sum((a * b for a, b in zip(last[1:], row, strict=True)), arb(0)) for row in self.table]
        found += [arb(0)] * (2 - len(found))
        found[0], found[1] = found[0] + last[0] * self.start, found[1] + last[0] * self.length
        return found, sum((abs(v) for v in last[1:]), arb(0))

    def _signed(self, table: list[arb], error: arb, steepness: arb, low: float, high: float, sign: int) -> None:
        """A function near a polynomial has one sign on [low, high]."""
        stack, seen = [(low, high, 0)], {sign} - {0}
        while stack:
            a, b, depth = stack.pop()
            s = arb((a + b) / 2, (b - a) / 2 * (1 + 1e-12) + 1e-17)
            centre, slopes = _chebyshev(arb((a + b) / 2), len(table)), _chebyshev(s, len(table))
            value = sum((c * v for c, v in zip(table, centre[0], strict=True)), arb(0)) + error * arb(0, 1)
            slope = sum((c * v for c, v in zip(table, slopes[1], strict=True)), arb(0))
            value = value + (slope + steepness * arb(0, 1)) * (s - arb((a + b) / 2))
            if value > 0 or value < 0:
                seen.add(1 if value > 0 else -1)
                need(len(seen) == 1, "a segment holds a singular point, or goes the other way")
                continue
            need(depth < MOST_HALVINGS, "the sign on a segment is not proved", Verdict.UNDECIDED)
            stack += [(a, (a + b) / 2, depth + 1), ((a + b) / 2, b, depth + 1)]

    def _index(self, s: float, radius: arb, index: int) -> None:
        """By congruence with the eigenvectors of the middle and Gershgorin's discs."""
        theta, mu = self.place(acb(s), [acb(y + arb(0, 1) * radius) for y in self.polynomial(arb(s))])
        _, hessian = self.network.derivatives([acb(t) for t in theta], acb(mu).exp())
        real = arb_mat([[x.real for x in row] for row in hessian.tolist()])
        _, vectors = np.linalg.eigh(np.array([[float(x.mid()) for x in row] for row in real.tolist()]))
        q = arb_mat(vectors.tolist())
        negative = 0
        for i, row in enumerate((q.transpose() * real * q).tolist()):
            rest = sum((abs(x) for j, x in enumerate(row) if j != i), arb(0))
            need(bool(abs(row[i]) > rest), "an index is not proved", Verdict.UNDECIDED)
            negative += bool(row[i] < 0)
        need(negative == index, "a segment has another index")


def _inner(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _rank(rows: Sequence[Sequence[int]]) -> int:
    return int(fmpq_mat(len(rows), len(rows[0]), [fmpq(x) for r in rows for x in r]).rank()) if rows else 0


def _solved(rows: list[list[int]], theta: Sequence[arb]) -> list[arb]:
    if not rows:
        return []
    b = arb_mat(rows)
    return (b * b.transpose()).solve(b * arb_mat(len(theta), 1, list(theta))).entries()


def _norm(matrix: acb_mat) -> arb:
    top = arb(0)
    for row in matrix.tolist():
        top = _most(top, sum((x.abs_upper() for x in row), arb(0)).upper())
    return top


def _most(a: arb, b: arb) -> arb:
    return b if not b.is_finite() or b > a else a


def _chebyshev(s: arb, count: int) -> tuple[list[arb], list[arb]]:
    """T_0 ... T_{count - 1} at s, and their derivatives."""
    values, slopes = [arb(1), s], [arb(0), arb(1)]
    for _ in range(count - 2):
        slopes.append(2 * values[-1] + 2 * s * slopes[-1] - slopes[-2])
        values.append(2 * s * values[-1] - values[-2])
    return values[:count], slopes[:count]


def _slope(table: list[arb]) -> list[arb]:
    """Chebyshev coefficients of the derivative: c'_{k-1} = c'_{k+1} + 2 k c_k."""
    found = [arb(0)] * (len(table) + 1)
    for k in range(len(table) - 1, 0, -1):
        found[k - 1] = found[k + 1] + 2 * k * table[k]
    found[0] = found[0] / 2
    return found[: max(len(table) - 1, 1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """A verified part of a branch between two singular points: mu from low to high, the index, and its parts."""

    low: arb
    high: arb
    index: int
    parts: tuple[tuple[_Piece, float, float], ...]


def _spaces(network: _Network, values: Any) -> tuple[list[list[int]], list[list[list[int]]]]:
    """The basis of the fixed space and of the blocks, which the Hessian is proved to keep."""
    size = network.size
    moves = [network.permutation(e) for e in values["elements"]]
    basis = whole_rows(values["basis"], size)
    gauge = network.gauge()
    need_span(basis, fixed_rows(moves, size) + gauge, size, "the fixed space")
    need(isinstance(values["blocks"], list), "the blocks are no list")
    blocks = [whole_rows(rows, size) for rows in values["blocks"]]
    need(all(blocks), "a block is empty")
    everything = [*basis, *gauge, *(row for rows in blocks for row in rows)]
    need(_rank(everything) == len(everything) == size, "the blocks do not make up the space")
    for rows in blocks:
        need(all(_inner(a, b) == 0 for a in rows for b in [*basis, *gauge]), "a block is not orthogonal to the rest")
    # Two blocks are kept apart by an element whose sign differs on them; all these elements commute on the blocks.
    signs = [[_sign(move, rows) for move in moves] for rows in blocks]
    for (i, first), (j, second) in product(enumerate(signs), enumerate(signs)):
        apart = any(a is not None and b is not None and a != b for a, b in zip(first, second, strict=True))
        need(i == j or apart, "two blocks are not kept apart by a symmetry", Verdict.UNDECIDED)
    return basis, blocks


def _sign(move: list[tuple[int, int]], rows: list[list[int]]) -> int | None:
    """1 or -1 where an element takes every row to itself or its negative."""
    found = set()
    for row in rows:
        image = [0] * len(row)
        for p, (place, sign) in enumerate(move):
            image[place] = sign * row[p]
        found.add(1 if image == row else -1 if image == [-x for x in row] else 0)
    return found.pop() if len(found) == 1 and found <= {1, -1} else None


def check_tube(values: Any) -> tuple[CheckResult, list[Sheet]]:
    """Verify JSON values of a tube; the sheets that it proves."""
    before = ctx.prec
    try:
        sheets = _tube(values)
    except Refusal as refusal:
        reason, verdict = refusal.args
        return CheckResult(verdict=verdict, reason=str(reason)), []
    except GIVEN_UP as error:
        return CheckResult(verdict=Verdict.UNDECIDED, reason=given_up(error)), []
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}"), []
    finally:
        ctx.prec = before
    return CheckResult(verdict=Verdict.CERTIFIED, reason="the tube is proved"), sheets


def _tube(values: Any) -> list[Sheet]:
    need(isinstance(values, dict) and set(values) == _TUBE_KEYS, "the keys are not those of a tube")
    need(values["format"] == FORMAT, "unknown format")
    content = {k: v for k, v in values.items() if k != "seal"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    need(values["seal"] == sha256(text.encode()).hexdigest(), "the seal does not fit the content")
    network = _Network(values["spec"])
    basis, blocks = _spaces(network, values)
    need(sum(len(run) for run in values["runs"]) <= MOST_PIECES, "there are too many pieces", Verdict.UNDECIDED)
    sheets = []
    for run in values["runs"]:
        pieces = [_Piece(network, span, basis, blocks) for span in run]
        for piece in pieces:
            piece.verify()
        ctx.prec = BITS
        ends = [(arb(piece.enter), arb(piece.leave)) for piece in pieces]
        for k, (a, b) in enumerate(pairwise(pieces)):
            left, entered = _glue(a, b)
            ends[k], ends[k + 1] = (ends[k][0], left), (entered, ends[k + 1][1])
        sheets += list(_sheets(pieces, ends))
    return sheets


def _glue(a: _Piece, b: _Piece) -> tuple[arb, arb]:
    """The curves of two pieces are one: s at which a leaves, and at which b enters."""
    exact = (-1.0, 1.0)
    found: tuple[arb, arb] | None = None
    if a.leave in exact:
        met = b.holds(*a.box(arb(a.leave)))
        found = None if met is None else (arb(a.leave), met)
    if found is None and b.enter in exact:
        met = a.holds(*b.box(arb(b.enter)))
        found = None if met is None else (met, arb(b.enter))
    need(found is not None, "two pieces are not glued: the tube has a gap")
    assert found is not None
    near = bool(abs(found[0] - a.leave) < 1e-3) and bool(abs(found[1] - b.enter) < 1e-3)
    need(near, "two pieces are glued at another place")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """A segment, or what a run uses of it, along the curve; whether it holds the ends of its piece's use."""

    piece: _Piece
    first: float
    last: float
    upward: bool
    index: int
    entered: bool
    left: bool


def _sheets(pieces: list[_Piece], ends: list[tuple[arb, arb]]) -> Iterator[Sheet]:
    groups: list[list[_Part]] = []
    for piece, (enter, leave) in zip(pieces, ends, strict=True):
        forth = piece.leave > piece.enter
        low, high = sorted((piece.enter, piece.leave))
        fresh = True
        for a, b, rising, index in piece.segments if forth else piece.segments[::-1]:
            entered, left = (bool(x >= a) and bool(x <= b) for x in (enter, leave))
            a, b = max(a, low), min(b, high)
            if not a < b:
                continue
            first, last = (a, b) if forth else (b, a)
            part = _Part(
                piece=piece, first=first, last=last, upward=rising == forth, index=index, entered=entered, left=left
            )
            before = groups[-1][-1] if groups else None
            # Only where the pieces meet does one segment go on in the next: elsewhere a singular point is between.
            joined = before is not None and fresh and before.left and entered
            if joined and before is not None and (before.upward, before.index) == (part.upward, part.index):
                groups[-1].append(part)
            else:
                groups.append([part])
            fresh = False
    for group in groups:
        levels = [group[0].piece.box(arb(group[0].first))[1], group[-1].piece.box(arb(group[-1].last))[1]]
        lowest, highest = levels if group[0].upward else levels[::-1]
        if lowest < highest:
            parts = tuple((p.piece, p.first, p.last) for p in group)
            yield Sheet(low=lowest, high=highest, index=group[0].index, parts=parts)


# -- a whole diagram ----------------------------------------------------------------------------------------------


def check_diagram(text: str | bytes) -> CheckResult:
    """Whether the events of a `symland follow --json` document, its tubes, and what it says of both, are proved."""
    events = check_followed(text)
    before = ctx.prec
    try:
        answer = json.loads(text)
        branches = answer["branches"]
        tubes = [b.get("tube") for b in branches]
        if not any(tubes) or events.verdict is Verdict.REFUTED:
            claimed = any(b.get("proved") for b in branches) or any(i.get("at_least") for i in answer["intervals"])
            need(not claimed or events.verdict is Verdict.REFUTED, "a range is claimed without a tube")
            return events
        ctx.prec = BITS
        reason = _diagram(answer, branches, tubes)
    except Refusal as refusal:
        reason, verdict = refusal.args
        return CheckResult(verdict=verdict, reason=str(reason))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}")
    finally:
        ctx.prec = before
    return CheckResult(verdict=events.verdict, reason=f"{events.reason}; {reason}")


def _diagram(answer: Any, branches: list[Any], tubes: list[Any]) -> str:
    spec = next(t["spec"] for t in tubes if t)
    everything: list[Sheet] = []
    count = 0
    for number, (branch, tube) in enumerate(zip(branches, tubes, strict=True)):
        claims = branch["proved"]
        need(bool(tube) or not claims, "a range is claimed without a tube")
        if not tube:
            continue
        need(_plain(tube["spec"]) == _plain(spec), "the tubes are of different questions")
        result, sheets = check_tube(tube)
        need(result.verdict is Verdict.CERTIFIED, f"tube of branch {number}: {result.reason}", result.verdict)
        ctx.prec = BITS
        for claim in claims:
            low, high = (_log(claim[k]) for k in ("low", "high"))
            held = any(s.index == claim["index"] and s.low <= low and high <= s.high for s in sheets)
            need(held, f"a range of branch {number} is not that of its tube")
        everything += sheets
        count += sum(len(run) for run in tube["runs"])
    for event in answer["events"]:
        certificate = event["certificate"]
        need(
            not certificate or _plain(certificate["spec"]) == _plain(spec),
            "events and tubes are of different questions",
        )
    moves = _group(_Network(spec))
    proved = sum(_interval(interval, everything, moves) for interval in answer["intervals"])
    return (
        f"{count} pieces of tubes are proved, and so are the counts of {proved} of {len(answer['intervals'])} intervals"
    )


def _plain(spec: Any) -> dict[str, Any]:
    return {k: v for k, v in spec.items() if k != "penalty"}


def _log(text: Any) -> arb:
    need(isinstance(text, str) and len(text) < 200, "a number is no text")
    value = Fraction(text)
    need(value > 0, "a penalty is not positive")
    return arb(fmpq(value.numerator, value.denominator)).log()


def _group(network: _Network) -> np.ndarray[Any, np.dtype[np.int_]]:
    """All symmetries that permute inputs, nodes and outputs and flip them, as (places, signs) rows."""
    n, m, k = network.widths
    work = factorial(n) * 2**n * factorial(k) + factorial(m) * 2**m
    need(work <= MOST_ELEMENTS, "the symmetry group is too large for this check", Verdict.UNDECIDED)
    still: dict[str, Any] = {
        "inputs": list(range(n)),
        "input_signs": [1] * n,
        "outputs": list(range(k)),
        "output_signs": [1] * k,
        "places": [list(range(m))],
        "signs": [[1] * m],
    }
    data, hidden = [], []
    for places, signs, outputs in product(permutations(range(n)), product((1, -1), repeat=n), permutations(range(k))):
        element = {**still, "inputs": list(places), "input_signs": list(signs), "outputs": list(outputs)}
        try:
            data.append(network.permutation(element))
        except Refusal:
            continue
    for places, signs in product(permutations(range(m)), product((1, -1), repeat=m) if network.odd else [(1,) * m]):
        hidden.append(network.permutation({**still, "places": [list(places)], "signs": [list(signs)]}))
    found = {tuple((b[p][0], s * b[p][1]) for p, s in a) for a, b in product(data, hidden)}
    return np.array(sorted(found))


def _interval(interval: Any, sheets: list[Sheet], moves: np.ndarray[Any, np.dtype[np.int_]]) -> bool:
    """Whether classes and copies of an interval are claimed; they must be proved for all of the range."""
    claimed, copies = interval.get("at_least") or [], interval.get("copies_at_least") or []
    if not claimed:
        return False
    need(
        len(claimed) == len(copies) and all(type(c) is int and c >= 0 for c in [*claimed, *copies]),
        "counts are malformed",
    )
    low, high = (_log(t) for t in interval["certified"])
    outer = (_log(interval["low"]), None if interval["high"] == "inf" else _log(interval["high"]))
    need(
        bool(low < high) and not low < outer[0] and not (outer[1] is not None and high > outer[1]),
        "a range leaves its interval",
    )
    middle = float(((low + high) / 2).mid())
    kept: list[np.ndarray[Any, Any]] = []
    found, number = [0] * len(claimed), [0] * len(claimed)
    for sheet in sheets:
        box = _at(sheet, middle) if sheet.low <= low and high <= sheet.high else None
        if box is None or any(float(x.rad()) > NARROW for x in box) or sheet.index >= len(claimed):
            continue
        theta = np.array([float(x.mid()) for x in box])
        images = np.zeros((len(moves), len(theta)))
        np.put_along_axis(images, moves[:, :, 0], moves[:, :, 1] * theta, axis=1)
        if any(np.abs(images - other).max(axis=1).min() <= APART for other in kept):
            continue
        kept.append(theta)
        found[sheet.index] += 1
        number[sheet.index] += len(moves) // int((np.abs(images - theta).max(axis=1) <= APART).sum())
    need(all(a <= b for a, b in zip(claimed, found, strict=True)), "classes are claimed that no tube proves")
    need(all(a <= b for a, b in zip(copies, number, strict=True)), "copies are claimed that no tube proves")
    return True


def _at(sheet: Sheet, mu: float) -> list[arb] | None:
    """A box of the sheet's point at mu: the curve is below mu at one end of an interval of s, above at the other."""
    for piece, first, last in sheet.parts:
        below, above = (first, last)
        ends = [piece.box(arb(s))[1] for s in (below, above)]
        if ends[0] > ends[1]:
            below, above, ends = above, below, ends[::-1]
        if not (ends[0] < mu and ends[1] > mu):
            continue
        for _ in range(80):
            middle = (below + above) / 2
            level = piece.box(arb(middle))[1]
            if level < mu:
                below = middle
            elif level > mu:
                above = middle
            else:
                break
        return piece.box(arb((below + above) / 2, abs(above - below) / 2 + 1e-16))[0]
    return None
