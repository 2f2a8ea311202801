r"""The linear relaxation of a choice of nodes, and what its multipliers prove.

Over a box of margins and states (:mod:`symland.rigor.enumeration.propagation`) each variable is middle + radius u,
|u| <= 1.  Bands (:mod:`symland.rigor.enumeration.bands`) turn tanh, sech^2 and q into lines with an error symbol each;
a product about middles b, c is x y = b y + c x - b c + (x - b)(y - c), whose last term is a rest.  So every equation
reads

    0 = F_i + sum_c A_ic u_c + r_i [-1, 1],                                    |u_c| <= 1.

For *any* multipliers y (weak duality of linear programming)

    |y.F| > sum_c |y.A_c| + sum_i |y_i| r_i     proves that the box holds no solution, and otherwise
    u_c lies in (-y.F + [-1, 1] (sum_{e != c} |y.A_e| + sum_i |y_i| r_i)) / y.A_c.

Nothing is asked of y, so it is found in floating point: y = (A W A^T + R)^-1 F with W = 1, and then twice with
W_c = 1/(|y.A_c| + a little), which is iteratively reweighted least squares for the smallest sum of |y.A_c| at y.F = 1.
A variable is narrowed by the multipliers (A A^T + R)^-1 A_c.

Rounding.  Let S_i be the sum of the sizes of all products in F_i and of all |A_ic|.  Fewer than 2^10 operations with
them are each off by 2^-53 of S_i at the most, whether they make F and A or the sums with y.  So r_i takes ROOM S_i
besides, ROOM = 2^-40, which covers both.

Source: Neumaier and Shcherbina, Safe bounds in linear and mixed-integer linear programming, Math. Program. 99 (2004);
for the weights, Daubechies, DeVore, Fornasier and Guentuerk, Comm. Pure Appl. Math. 63 (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from symland.rigor.enumeration.bands import Band, tanh_bands
from symland.rigor.enumeration.lanes import TINY, Interval, Lane, above, below, choose, larger, magnitude, smaller
from symland.rigor.enumeration.problem import ReducedProblem
from symland.rigor.enumeration.propagation import Propagated, places, tanh_quotient

__all__ = ["Judged", "Relaxation", "relax"]

ROOM = 2.0**-40
"""See "Rounding"."""
LARGEST_MULTIPLIER = 1e100
"""Multipliers beyond this, or not a number, become 0."""
LEAST_PIVOT = 1e-13
"""Share of the diagonal below which a pivot is taken for that: the equations of the zero node say nothing."""
SHARPEST = 0.02
"""The little that is added to |y.A_c|, in units of their mean."""
BAND_WEIGHT = 2.0
"""Weight of bands and rests, against the variables themselves, in the choice of where to halve: they shrink with the
square of the width."""
NOTHING = 1e-250
"""Added to divisors of which nothing is claimed."""

Sparse = dict[int, Lane]
"""A row by its columns."""


@dataclass(frozen=True)
class _Layout:
    """Which column is which: t_d, (U_j, v_j), then the error symbols of q (D), tanh (N D) and sech^2 (N D, with the
    rest of its product with P), and over a slab of penalties kappa.  Rows are those of U_j and v_j for each node, then
    the logits."""

    samples: int
    inputs: int
    nodes: int
    wide: bool

    @property
    def rows(self) -> int:
        return self.nodes * (self.inputs + 1) + self.samples

    @property
    def columns(self) -> int:
        return self.kappa + self.wide

    @property
    def kappa(self) -> int:
        return self.rows + self.samples + 2 * self.nodes * self.samples

    def row(self, j: int, k: int) -> int:
        """The equation of U_jk, or of v_j for k = m."""
        return j * (self.inputs + 1) + k

    def logit(self, e: int) -> int:
        return self.nodes * (self.inputs + 1) + e

    def state(self, j: int, k: int) -> int:
        return self.samples + self.row(j, k)

    def pull(self, e: int) -> int:
        return self.rows + e

    def tanh(self, j: int, e: int) -> int:
        return self.rows + self.samples + j * self.samples + e

    def sech(self, j: int, e: int) -> int:
        return self.tanh(self.nodes + j, e)


@dataclass
class _Blame:
    """Of what one node adds to one sample's rests: the parts that shrink with its argument, with the margin and with v.

    curve : of the error of v P sech^2; line : of that of P tanh (a)/a near 0; logit : of its rest, absolute.
    lift : how much of the range of the argument v makes, in the measure in which r_k makes |x_k| times its radius.
    """

    curve_state: Lane
    curve_margin: Lane
    line_margin: Lane
    logit_state: Lane
    logit_output: Lane
    lift: Lane


@dataclass(frozen=True)
class _Line:
    """f(a) = middle + sum_k along_k u_k + across u_v + half u over a box; its slope, its distance from the middle."""

    middle: Lane
    slope: Lane
    along: dict[int, Lane]
    across: Lane
    half: Lane
    away: Lane


@dataclass(frozen=True)
class _Argument:
    """a = middle + factor sum_k x_k reach_k u_k + lift u_v + bent u over a box; ``parts`` are the (k, reach_k, x_k),
    and ``room`` is for rounding."""

    middle: Lane
    factor: Lane
    parts: list[tuple[int, Lane, float]]
    lift: Lane
    bent: Lane
    room: Lane

    def line(self, band: Band) -> _Line:
        """A function of it, from its band."""
        along = {k: band.slope * self.factor * reach * x for k, reach, x in self.parts}
        across = band.slope * self.lift
        half = band.half + magnitude(band.slope) * self.bent + self.room
        away = _sum([magnitude(c) for c in along.values()]) + magnitude(across) + half
        return _Line(band.mid + band.slope * self.middle, band.slope, along, across, half, away * (1.0 + ROOM))


@dataclass(frozen=True)
class _Pull:
    """P = middle + lean u_t + drift u_kappa + fuzz u, and its distance from the middle."""

    middle: Lane
    lean: Lane
    drift: Lane
    fuzz: Lane
    away: Lane


@dataclass(frozen=True)
class _Node:
    """A node: middles and radii of its variables, tanh and sech^2 of its arguments, x.r, and tanh(a)/a (near 0)."""

    near: Lane
    middle: list[Lane]
    reach: list[Lane]
    tanh: list[_Line]
    sech: list[_Line]
    product: list[Lane]
    product_away: list[Lane]
    quotient: list[Lane]
    quotient_half: list[Lane]


def _middle(x: Interval) -> tuple[Lane, Lane]:
    """Middle and radius of an interval."""
    middle = (x.lo + x.hi) * 0.5
    return middle, above(larger(x.hi - middle, middle - x.lo))


def _sum(terms: list[Lane]) -> Lane:
    """Sum of lanes, 0 where there are none."""
    found = terms[0] if terms else 0.0
    for term in terms[1:]:
        found = found + term
    return found


def _pull(sign: int, scale: tuple[Lane, Lane], t: tuple[Lane, Lane], margin: Interval) -> _Pull:
    """P = s kappa (1 - tanh(t/2)) / 2, the product of the changes of kappa and of tanh in the fuzz."""
    band, _ = tanh_bands(margin.lo * 0.5, margin.hi * 0.5)
    (kappa, spread), half, slope = scale, 0.5 * sign, band.slope * 0.5
    share = half - half * (band.mid + slope * t[0])
    turn = -half * slope * t[1]
    fuzz = (kappa + spread) * 0.5 * band.half + kappa * ROOM * (magnitude(slope * t[0]) + 2.0)
    fuzz = fuzz + spread * magnitude(turn)
    middle, lean, drift = kappa * share, kappa * turn, spread * share
    return _Pull(middle, lean, drift, fuzz, (magnitude(lean) + magnitude(drift) + fuzz) * (1.0 + ROOM))


def _node(problem: ReducedProblem, found: Propagated, j: int, middle: list[Lane], reach: list[Lane]) -> _Node:
    """A node from the middles and radii of its variables."""
    m = problem.inputs
    near = found.choice.near[j] > 0.5
    half_v = middle[m] * 0.5
    node = _Node(near, middle, reach, [], [], [], [], [], [])
    for e, x in enumerate(problem.design):
        used = places(x)
        w = _sum([middle[k] * x[k] for k in used])
        w_size = _sum([magnitude(middle[k] * x[k]) for k in used])
        w_away = _sum([reach[k] * abs(x[k]) for k in used])
        # a = w, or v w / 2 near 0, where its product of changes is a rest.
        argument = _Argument(
            middle=choose(near, half_v * w, w),
            factor=choose(near, half_v, 1.0),
            parts=[(k, reach[k], x[k]) for k in used],
            lift=choose(near, w * 0.5 * reach[m], 0.0),
            bent=choose(near, reach[m] * 0.5 * w_away, 0.0),
            room=((w_size + w_away) * (1.0 + magnitude(half_v) + reach[m]) + 1.0) * ROOM,
        )
        a = found.argument[j][e]
        for lines, band in zip((node.tanh, node.sech), tanh_bands(a.lo, a.hi), strict=True):
            lines.append(argument.line(band))
        node.product.append(w)
        node.product_away.append(w_away + w_size * ROOM)
        centre, half = _middle(tanh_quotient(a))
        node.quotient.append(centre)
        node.quotient_half.append(half)
    return node


class _Rows:
    """0 = value + A u + rest [-1, 1], as it is put together; ``size`` is S."""

    def __init__(self, layout: _Layout) -> None:
        self.layout, count = layout, layout.rows
        self.rows: list[Sparse] = [{} for _ in range(count)]
        self.value: list[Lane] = [0.0] * count
        self.rest: list[Lane] = [0.0] * count
        self.size: list[Lane] = [0.0] * count

    def put(self, i: int, c: int, entry: Lane) -> None:
        """Add to A_ic."""
        self.rows[i][c] = self.rows[i][c] + entry if c in self.rows[i] else entry
        self.size[i] = self.size[i] + magnitude(entry)

    def put_pull(self, i: int, e: int, pull: _Pull, factor: Lane) -> None:
        """Add a multiple of the changes of P_e to row i."""
        self.put(i, e, factor * pull.lean)
        self.put(i, self.layout.pull(e), factor * pull.fuzz)
        if self.layout.wide:
            self.put(i, self.layout.kappa, factor * pull.drift)

    def constant(self, i: int, *terms: Lane) -> None:
        """Add to F_i."""
        for term in terms:
            self.value[i] = self.value[i] + term
            self.size[i] = self.size[i] + magnitude(term)

    def loosen(self, i: int, rest: Lane) -> None:
        """Add to r_i."""
        self.rest[i] = self.rest[i] + rest


def _put_node(rows: _Rows, problem: ReducedProblem, j: int, node: _Node, pulls: list[_Pull]) -> list[_Blame]:
    """The equations of a node, and its share of the logits."""
    layout, m, near, middle, reach = rows.layout, problem.inputs, node.near, node.middle, node.reach
    v, spread = middle[m], reach[m]
    me, column = layout.row(j, m), layout.state(j, m)
    rows.constant(me, choose(near, 2.0, v))
    rows.put(me, column, choose(near, 0.0, spread))
    for k in range(m):
        double = choose(near, 1.0, 2.0)
        rows.constant(layout.row(j, k), middle[k] * double)
        rows.put(layout.row(j, k), layout.state(j, k), reach[k] * double)
    blames = []
    for e, (x, p, h, s) in enumerate(zip(problem.design, pulls, node.tanh, node.sech, strict=True)):
        used = places(x)
        pull_size = magnitude(p.middle)
        # v - sum P tanh a, or 2 - sum P (x.r) tanh(a)/a
        product = choose(near, node.product[e] * node.quotient[e], h.middle)
        rows.constant(me, -(p.middle * product))
        rows.put_pull(me, e, p, -product)
        for k in used:
            along = choose(near, node.quotient[e] * x[k], h.slope * x[k])
            rows.put(me, layout.state(j, k), -(p.middle * along * reach[k]))
        w, w_away = magnitude(node.product[e]), node.product_away[e]
        crossed = node.quotient[e] * p.away * w_away
        whole = (pull_size + p.away) * (w + w_away) * node.quotient_half[e] + crossed
        rows.put(me, layout.tanh(j, e), choose(near, whole, p.middle * h.half))
        rows.loosen(me, choose(near, 0.0, p.away * h.away))
        # 2 U - v sum x P sech^2 a, or r - sum x P sech^2 a
        g = p.middle * s.middle
        cross = p.away * s.away
        g_away = pull_size * s.away + magnitude(s.middle) * p.away + cross
        factor, moves = choose(near, 1.0, v), choose(near, 0.0, spread)
        curved, both = magnitude(factor * p.middle) * s.half, magnitude(factor) * cross
        error = curved + both + moves * g_away
        on_output = g * moves + factor * p.middle * s.across
        for k in used:
            i = layout.row(j, k)
            rows.constant(i, -(factor * g) * x[k])
            rows.put(i, column, -on_output * x[k])
            rows.put_pull(i, e, p, -(factor * s.middle) * x[k])
            for other in used:
                rows.put(i, layout.state(j, other), -(factor * p.middle * s.along[other]) * x[k])
            rows.put(i, layout.sech(j, e), error * x[k])
        # - v tanh a, in the logit
        i = layout.logit(e)
        rows.constant(i, -(v * h.middle))
        rows.put(i, column, -(h.middle * spread + v * h.across))
        for k in used:
            rows.put(i, layout.state(j, k), -(v * h.along[k]))
        rows.put(i, layout.tanh(j, e), choose(near, 0.0, v * h.half))
        moved, bowed = spread * h.away, choose(near, magnitude(v) * h.half, 0.0)
        rows.loosen(i, moved + bowed)
        over = 1.0 / (error + NOTHING)
        blames.append(
            _Blame(
                curve_state=(curved + both * 0.5 + pull_size * s.away * moves * 0.5) * over,
                curve_margin=(both + magnitude(s.middle) * p.away * moves) * 0.5 * over,
                line_margin=choose(near, crossed * 0.5 / (whole + NOTHING), 0.0),
                logit_state=moved * 0.5 + bowed,
                logit_output=moved * 0.5,
                lift=choose(near, (w + w_away * 0.5) * spread * 2.0 / (v + NOTHING), 0.0),
            )
        )
    return blames


class _Factor:
    """L D L^T = A W A^T + diag(R), in floating point; ``lower`` holds the rows of L left of the diagonal."""

    def __init__(self, rows: list[Sparse], weight: list[Lane] | None, own: list[Lane]) -> None:
        scaled = rows if weight is None else [{c: a * weight[c] for c, a in row.items()} for row in rows]
        self.lower: list[Sparse] = []
        self.inverse: list[Lane] = []
        for i, row in enumerate(scaled):
            # L D, column after column.
            kept: Sparse = {}
            for k in range(i):
                products = [row[c] * rows[k][c] for c in row if c in rows[k]]
                products += [-(kept[q] * entry) for q, entry in self.lower[k].items() if q in kept]
                if products:
                    kept[k] = _sum(products)
            self.lower.append({k: u * self.inverse[k] for k, u in kept.items()})
            diagonal = _sum([row[c] * rows[i][c] for c in row]) + own[i]
            pivot = diagonal - _sum([u * self.lower[i][k] for k, u in kept.items()])
            self.inverse.append(1.0 / larger(pivot, diagonal * LEAST_PIVOT + NOTHING))

    def solve(self, right: Sparse) -> list[Lane]:
        """The solution for a right side by its rows."""
        count, y = len(self.lower), dict(right)
        for i in range(count):
            for k, entry in self.lower[i].items():
                if k in y:
                    y[i] = y[i] - entry * y[k] if i in y else -(entry * y[k])
        y = {i: a * self.inverse[i] for i, a in y.items()}
        for k in range(count - 1, -1, -1):
            if k in y:
                for i, entry in self.lower[k].items():
                    y[i] = y[i] - entry * y[k] if i in y else -(entry * y[k])
        found: list[Lane] = [y.get(i, 0.0) for i in range(count)]
        return [a if isinstance(a, float) else choose(magnitude(a) < LARGEST_MULTIPLIER, a, 0.0) for a in found]


def _spans(rows: list[Sparse], columns: int, y: list[Lane]) -> list[Lane]:
    """y.A_c for each column."""
    spans: list[Lane] = [0.0] * columns
    for row, a in zip(rows, y, strict=True):
        for c, entry in row.items():
            spans[c] = a * entry if isinstance(spans[c], float) else spans[c] + a * entry
    return spans


def _dot(y: list[Lane], value: list[Lane]) -> Lane:
    found = y[0] * value[0]
    for a, b in zip(y[1:], value[1:], strict=True):
        found = found + a * b
    return found


@dataclass
class Judged:
    """Whether multipliers exclude the box, |y.F|, the weights for the next, and how much of the bound each column and
    row makes."""

    excluded: Lane
    value: Lane
    weight: list[Lane]
    own_weight: list[Lane]
    spans: list[Lane]
    owns: list[Lane]


@dataclass
class Relaxation:
    """0 = value + A u + rest [-1, 1] for every solution in a box, middles and radii of its variables."""

    problem: ReducedProblem
    layout: _Layout
    rows: list[Sparse]
    value: list[Lane]
    rest: list[Lane]
    middle: list[Lane]
    reach: list[Lane]
    blames: list[list[_Blame]]
    drifting: list[Lane]

    @cached_property
    def unweighted(self) -> _Factor:
        """W = 1."""
        return _Factor(self.rows, None, [r * r for r in self.rest])

    def _weighted(self, before: Judged) -> _Factor:
        own = [r * r * w for r, w in zip(self.rest, before.own_weight, strict=True)]
        return _Factor(self.rows, before.weight, own)

    def judge(self, before: Judged | None = None) -> Judged:
        """Multipliers, with the weights of those before, and what they prove."""
        factor = self.unweighted if before is None else self._weighted(before)
        y = factor.solve(dict(enumerate(self.value)))
        spans = [magnitude(b) for b in _spans(self.rows, self.layout.columns, y)]
        owns = [magnitude(a) * r for a, r in zip(y, self.rest, strict=True)]
        total, rests = _sum(spans), _sum(owns)
        value = magnitude(_dot(y, self.value))
        excluded = value > total + rests * (1.0 + ROOM)
        little = (total + rests) * (SHARPEST / (len(spans) + len(owns))) + NOTHING
        return Judged(
            excluded, value, [1.0 / (b + little) for b in spans], [1.0 / (b + little) for b in owns], spans, owns
        )

    def scores(self, judged: Judged) -> tuple[list[Lane], Lane]:
        """How much of the bound each variable makes, and kappa over a slab, with the bands and rests that shrink with
        it."""
        layout, d, m = self.layout, self.layout.samples, self.layout.inputs
        score = judged.spans[: layout.rows]
        kappa = judged.spans[layout.kappa] if layout.wide else 0.0
        for e in range(d):
            score[e] = score[e] + judged.spans[layout.pull(e)] * BAND_WEIGHT
        for j, blames in enumerate(self.blames):
            own = judged.owns[layout.row(j, m)] * (0.5 / d)
            for e, blame in enumerate(blames):
                x = self.problem.design[e]
                used = places(x)
                rest = judged.owns[layout.logit(e)] / self.rest[layout.logit(e)]
                curve, line = judged.spans[layout.sech(j, e)], judged.spans[layout.tanh(j, e)]
                state, margin, turned = curve * blame.curve_state, curve * blame.curve_margin, line * blame.line_margin
                share = [self.reach[layout.state(j, k)] * abs(x[k]) for k in used]
                over = (line - turned + rest * blame.logit_state + own + state) * BAND_WEIGHT
                over = over / (_sum(share) + blame.lift + NOTHING)
                for k, part in zip(used, share, strict=True):
                    score[layout.state(j, k)] = score[layout.state(j, k)] + part * over
                by_pull = (own + margin + turned) * BAND_WEIGHT
                if layout.wide:
                    by_penalty = by_pull * self.drifting[e]
                    kappa, by_pull = kappa + by_penalty, by_pull - by_penalty
                score[e] = score[e] + by_pull
                place = layout.state(j, m)
                by_output = (rest * blame.logit_output + (curve - state - margin)) * BAND_WEIGHT
                score[place] = score[place] + by_output + blame.lift * over
        return score, kappa

    def sharpened(self) -> list[Interval]:
        """The range of each variable."""
        found = []
        for c in range(self.layout.rows):
            y = self.unweighted.solve({i: row[c] for i, row in enumerate(self.rows) if c in row})
            spans = _spans(self.rows, self.layout.columns, y)
            others = _sum([magnitude(b) for e, b in enumerate(spans) if e != c])
            bound = others + _sum([magnitude(a) * r for a, r in zip(y, self.rest, strict=True)]) * (1.0 + ROOM)
            lean = magnitude(spans[c])
            at = -_dot(y, self.value) * choose(spans[c] < 0.0, -1.0, 1.0)
            free = lean < 1e-200
            over = 1.0 / choose(free, 1.0, lean)
            low = choose(free, -1.0, larger(below(below((at - bound) * over)), -1.0))
            high = choose(free, 1.0, smaller(above(above((at + bound) * over)), 1.0))
            u, radius = Interval(low, high), Interval.point(self.reach[c])
            found.append(u * radius + Interval.point(self.middle[c]))
        return found


def relax(problem: ReducedProblem, found: Propagated, scale: Interval) -> Relaxation:
    """The relaxation of a propagated choice."""
    layout = _Layout(problem.samples, problem.inputs, problem.nodes, problem.upper is not None)
    rows = _Rows(layout)
    middle, reach = map(list, zip(*map(_middle, found.choice.variables()), strict=True))
    # At one penalty ROOM holds the change of kappa, a rounding.
    kappa, spread = _middle(scale)
    known = kappa, spread if layout.wide else 0.0
    pulls = [_pull(sign, known, (middle[e], reach[e]), found.choice.margin[e]) for e, sign in enumerate(problem.labels)]
    blames = []
    for j in range(problem.nodes):
        own = slice(layout.state(j, 0), layout.state(j + 1, 0))
        node = _node(problem, found, j, middle[own], reach[own])
        blames.append(_put_node(rows, problem, j, node, pulls))
    for e, sign in enumerate(problem.labels):
        i = layout.logit(e)
        rows.constant(i, middle[e] * float(sign), *(-p.middle for p in pulls))
        rows.put(i, e, reach[e] * float(sign))
        for other, p in enumerate(pulls):
            rows.put_pull(i, other, p, -1.0)
    # The share of the change of P that kappa makes.
    drifting = [magnitude(p.drift) / (p.away + NOTHING) for p in pulls] if layout.wide else []
    rest = [r + s * ROOM + TINY for r, s in zip(rows.rest, rows.size, strict=True)]
    return Relaxation(problem, layout, rows.rows, rows.value, rest, middle, reach, blames, drifting)
