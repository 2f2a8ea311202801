r"""What one hidden node can do when the residuals are known.

Write P_d = -(1/(lambda D)) dl/dDelta_d for the D samples, x_d for an input with a 1 appended (m numbers), U for a
node's input weights with its bias, v for the difference of its two output weights.  At a stationary point (theorem
"decoupling", :mod:`symland.rigor.enumeration.problem`) every node solves, whatever the other nodes do,

    F_k(U, v; P) = 2 U_k - v sum_d x_dk P_d tanh'(U.x_d) = 0    (k < m),
    F_m(U, v; P) =     v -   sum_d      P_d tanh(U.x_d)  = 0,

m + 1 equations that are *linear in P*.  The texts below are lane programs: they see a box of P and a box of X =
(U, v).

One step.  With a centre Xc = (Uc, vc) of the box and the middle Pc of the residuals write da_d = x_d.(U - Uc),
dP = P - Pc, dX = X - Xc, and t, s, s', s'' for tanh and its derivatives at a_d = x_d.Uc.  Taylor's theorem gives a
xi_d between x_d.Uc and x_d.U with

    v P_d tanh'(U.x_d) = vc Pc s + Pc s dv + vc s dP + vc Pc s' da
                         + {s dv dP + (v P_d - vc Pc) s' da + v P_d tanh'''(xi_d) da^2 / 2},
    P_d tanh(U.x_d)    = Pc t + t dP + Pc s da + {s dP da + P_d tanh''(xi_d) da^2 / 2},

so F = F(Xc; Pc) + M dP + J dX + rest with real matrices M, J; the braces make the rest, of second order, and the
middles of the ranges of the terms in da^2 join the constant.  For any real row b

    0 = b.F(Xc; Pc) + (b M).dP + (b J).dX + b.rest.

Rows of C near J^-1 give X: every solution in the box obeys X in Xc + x0 + A dP + [-E, E], A = -C M: an *affine*
enclosure, whatever C is, and whether or not the solution is unique.  Rows of B near M^-1 give P: a small box of states
stands under few residuals (for D = m + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from symland.rigor.enumeration.lanes import (
    TINY,
    Interval,
    Lane,
    TanhRange,
    above,
    choose,
    larger,
    magnitude,
    tanh_range,
    total,
)
from symland.rigor.enumeration.slots import ONE, LaneProgram, Slots

SLACK = 1.0 + 2.0**-40
"""Inflation of a sum of products of non-negative doubles with fewer than 2^10 operations (relative error < 2^-42)."""
LARGEST_PRECONDITIONER = 1e9
"""Entries of C beyond this (or not finite) are replaced by 0; any real C is sound."""

Design = tuple[tuple[float, ...], ...]
"""Inputs with a 1 appended, one row a sample; exact doubles."""


def places(coefficients: Sequence[float]) -> list[int]:
    """Of the coefficients that are not 0."""
    return [k for k, c in enumerate(coefficients) if c != 0.0]


def combination(coefficients: Sequence[float], terms: Sequence[Interval]) -> Interval:
    """Sum of c t over the coefficients that are not 0; 0 where all are, as for an input that is 0 in every sample."""
    used = [t.scaled(c) for c, t in zip(coefficients, terms, strict=True) if c != 0.0]
    return total(used) if used else Interval.point(0.0)


def column(design: Design, k: int) -> tuple[float, ...]:
    return tuple(row[k] for row in design)


def _determinant(
    matrix: list[list[Lane]],
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    seen: dict[tuple[tuple[int, ...], tuple[int, ...]], Lane],
) -> Lane:
    """Laplace expansion along the first of ``rows`` with shared minors (floating point, no claim)."""
    if len(rows) == 1:
        return matrix[rows[0]][columns[0]]
    key = (rows, columns)
    if key not in seen:
        value: Lane = 0.0
        for place, column in enumerate(columns):
            rest = columns[:place] + columns[place + 1 :]
            minor = matrix[rows[0]][column] * _determinant(matrix, rows[1:], rest, seen)
            value = minor + value if place % 2 == 0 else value - minor
        seen[key] = value
    return seen[key]


def approximate_inverse(matrix: list[list[Lane]]) -> list[list[Lane]]:
    """Adjugate over determinant, in floating point; entries that are huge or not finite become 0."""
    n = len(matrix)
    every = tuple(range(n))
    seen: dict[tuple[tuple[int, ...], tuple[int, ...]], Lane] = {}
    factor = 1.0 / _determinant(matrix, every, every, seen)
    inverse = []
    for i in range(n):
        row = []
        for j in range(n):
            rows, columns = tuple(r for r in every if r != j), tuple(c for c in every if c != i)
            entry = factor * _determinant(matrix, rows, columns, seen) * (1.0 if (i + j) % 2 == 0 else -1.0)
            row.append(choose(magnitude(entry) < LARGEST_PRECONDITIONER, entry, 0.0))
        inverse.append(row)
    return inverse


def residual_matrix(inverse: list[list[Lane]], matrix: list[list[Interval]]) -> list[list[Interval]]:
    """Enclosure of I - C J for a real C and an enclosed J."""
    n = len(matrix)
    result = []
    for i in range(n):
        row = []
        for k in range(n):
            product = total([Interval.point(inverse[i][j]) * matrix[j][k] for j in range(n)])
            row.append(Interval.point(1.0) - product if i == k else -product)
        result.append(row)
    return result


@dataclass(frozen=True, slots=True)
class Affine:
    """X in centre + offset + slopes dP + [-error, error] for every node solution in the box."""

    centre: list[Lane]
    offset: list[Interval]
    slopes: list[list[Interval]]
    error: list[Lane]

    def image(self, shift: list[Interval]) -> list[Interval]:
        """The box which the affine form fills as dP runs over ``shift``."""
        return [
            total([Interval.point(c), x0, Interval(-e, e), *[a * p for a, p in zip(row, shift, strict=True)]])
            for c, x0, row, e in zip(self.centre, self.offset, self.slopes, self.error, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Box:
    """A node box under a residual box, with the ranges that every test shares."""

    pull: list[Interval]
    state: list[Interval]
    tanh: list[TanhRange]

    @property
    def output(self) -> Interval:
        """The range of v."""
        return self.state[-1]


def propagate(design: Design, pull: list[Interval], state: list[Interval]) -> Box:
    """Forward-backward propagation of v = P.h, 2 U = v Y, with v >= 0."""
    m = len(state) - 1
    tanh = [tanh_range(combination(row, state[:m])) for row in design]
    output = state[m].meet(total([p * t.value for p, t in zip(pull, tanh, strict=True)]))
    output = Interval(larger(output.lo, 0.0), output.hi)
    weights = []
    drive = [p * t.slope for p, t in zip(pull, tanh, strict=True)]
    for k in range(m):
        y = combination(column(design, k), drive)
        weights.append(state[k].meet((output * y).scaled(0.5)))
    return Box(pull, [*weights, output], tanh)


@dataclass(frozen=True, slots=True)
class Linear:
    """F = value + M dP + J dX + rest over a box, about a centre Xc of the box and the middle Pc of its residuals.

    Attributes
    ----------
    value : F(Xc; Pc), moved by the middle of the terms in da^2.
    slope, lever, height : tanh'_d, vc tanh'_d and tanh_d at Uc: column d of M is -(x_d lever_d, height_d).
    jacobian : J, at (Xc, Pc).
    reach : bounds of |dX|.
    bend, tilt : the rest is sum_d x_dk e_d in F_k, |e_d| <= bend_d, and at most the sum of tilt_d in F_m.
    """

    design: Design
    centre: list[Lane]
    value: list[Interval]
    slope: list[Interval]
    lever: list[Interval]
    height: list[Interval]
    jacobian: list[list[Interval]]
    reach: list[Lane]
    bend: list[Lane]
    tilt: list[Lane]

    def constant(self, row: list[Interval]) -> Interval:
        """row . value."""
        return total([c * f for c, f in zip(row, self.value, strict=True)])

    def on_pull(self, row: list[Interval]) -> list[Interval]:
        """row . M, one number a sample."""
        m = len(row) - 1
        return [
            -(combination(x, row[:m]) * slope + row[m] * height)
            for x, slope, height in zip(self.design, self.lever, self.height, strict=True)
        ]

    def rest(self, row: list[Interval]) -> Lane:
        """Bound of |row . rest|."""
        m = len(row) - 1
        last = row[m].size()
        bound: Lane = 0.0
        for x, bend, tilt in zip(self.design, self.bend, self.tilt, strict=True):
            bound = bound + combination(x, row[:m]).size() * bend + last * tilt
        return bound * SLACK + TINY


def linear_form(design: Design, box: Box, centre: list[Lane], shifted: bool = True) -> Linear:
    """The Taylor form of the module's docstring about ``centre`` (a point of the box).

    The terms in da^2 are one-sided; ``shifted`` takes their middle into the constant.
    """
    m, samples = len(box.state) - 1, range(len(design))
    middle = [Interval.point(p.middle()) for p in box.pull]
    vc = Interval.point(centre[m])
    at = [tanh_range(combination(row, [Interval.point(c) for c in centre[:m]])) for row in design]
    reach = [(x - Interval.point(c)).size() for x, c in zip(box.state, centre, strict=True)]
    away = [(p - c).size() for p, c in zip(box.pull, middle, strict=True)]
    swing = [above(sum(abs(design[d][k]) * reach[k] for k in range(m) if design[d][k] != 0.0) * SLACK) for d in samples]
    drive = [middle[d] * at[d].slope for d in samples]
    twist = [vc * middle[d] * at[d].curvature for d in samples]
    jacobian: list[list[Interval]] = []
    for k in range(m):
        row = []
        for n in range(m):
            entry = -combination([r[k] * r[n] for r in design], twist)
            row.append(entry + Interval.point(2.0) if k == n else entry)
        jacobian.append([*row, -combination(column(design, k), drive)])
    jacobian.append([*[-combination(column(design, n), drive) for n in range(m)], Interval.point(1.0)])
    bend, tilt, moved, sunk = [], [], [], []
    for d in samples:
        square = Interval(0.0, above(swing[d] * swing[d]))
        curl = (box.output * box.pull[d] * box.tanh[d].third()).scaled(0.5) * square
        sag = (box.pull[d] * box.tanh[d].curvature).scaled(0.5) * square
        middles = [x.middle() if shifted else 0.0 for x in (curl, sag)]
        change = (box.output * box.pull[d] - vc * middle[d]).size() * at[d].curvature.size() * swing[d]
        both = reach[m] * away[d] * at[d].slope.hi
        bend.append((both + change + (curl - Interval.point(middles[0])).size()) * SLACK + TINY)
        tilt.append((away[d] * at[d].slope.hi * swing[d] + (sag - Interval.point(middles[1])).size()) * SLACK + TINY)
        moved.append(Interval.point(middles[0]))
        sunk.append(Interval.point(middles[1]))
    pushed = [vc * drive[d] + moved[d] for d in samples]
    value = [Interval.point(centre[k]).scaled(2.0) - combination(column(design, k), pushed) for k in range(m)]
    value.append(vc - total([at[d].value * middle[d] + sunk[d] for d in samples]))
    return Linear(
        design=design,
        centre=centre,
        value=value,
        slope=[t.slope for t in at],
        lever=[vc * t.slope for t in at],
        height=[t.value for t in at],
        jacobian=jacobian,
        reach=reach,
        bend=bend,
        tilt=tilt,
    )


def affine_form(linear: Linear) -> Affine:
    """The node equations solved for X."""
    matrix, n = linear.jacobian, len(linear.jacobian)
    inverse = approximate_inverse([[entry.middle() for entry in row] for row in matrix])
    away = residual_matrix(inverse, matrix)
    offset, slopes, error = [], [], []
    for i in range(n):
        row = [Interval.point(c) for c in inverse[i]]
        offset.append(-linear.constant(row))
        slopes.append([-a for a in linear.on_pull(row)])
        bound = sum(away[i][k].size() * linear.reach[k] for k in range(n))
        error.append((bound + linear.rest(row)) * SLACK + TINY)
    return Affine(linear.centre, offset, slopes, error)


def pull_from_state(linear: Linear, pull: list[Interval], bias: Interval) -> tuple[list[Interval], Interval]:
    """Contract P and gamma by the node equations solved for P: a narrow node box stands under few residuals.

    For any real B with rows b_d (near M^-1, when D = m + 1)
    dP_d = -b_d F(Xc; Pc) - b_d J dX - (b_d M - e_d) dP - b_d rest, and the sum of these is that for gamma = sum P.
    """
    size, samples = len(linear.value), len(pull)
    if samples != size:
        return pull, bias
    unit = [[Interval.point(1.0 if i == j else 0.0) for j in range(size)] for i in range(size)]
    columns = [linear.on_pull(row) for row in unit]
    inverse = approximate_inverse([[a.middle() for a in row] for row in columns])
    centre = [Interval.point(p.middle()) for p in pull]
    shift = [p - c for p, c in zip(pull, centre, strict=True)]

    def image(row: list[Interval], wanted: list[float]) -> Interval:
        moved = -linear.constant(row)
        toward = [total([b * line[k] for b, line in zip(row, linear.jacobian, strict=True)]) for k in range(size)]
        bound = linear.rest(row) + sum(t.size() * r for t, r in zip(toward, linear.reach, strict=True))
        for a, target, s in zip(linear.on_pull(row), wanted, shift, strict=True):
            moved = moved - (a - Interval.point(target)) * s
        bound = bound * SLACK + TINY
        return moved + Interval(-bound, bound)

    rows = [[Interval.point(b) for b in row] for row in inverse]
    met = [
        p.meet(c + image(row, [1.0 if d == e else 0.0 for e in range(samples)]))
        for d, (p, c, row) in enumerate(zip(pull, centre, rows, strict=True))
    ]
    # Rounding makes the sum of the rows another real row, which is as good.
    every = [Interval.point(sum(row[k] for row in inverse)) for k in range(size)]
    return met, bias.meet(total(centre) + image(every, [1.0] * samples))


def intervals(low: Sequence[Lane], high: Sequence[Lane]) -> list[Interval]:
    """Intervals of their ends."""
    return [Interval(a, b) for a, b in zip(low, high, strict=True)]


def node_slots(samples: int, m: int) -> Slots:
    """A box of P and a box of X = (U, v)."""
    return Slots(pull_low=samples, pull_high=samples, state_low=m + 1, state_high=m + 1)


def _shift(pull: list[Interval]) -> list[Interval]:
    return [p - Interval.point(p.middle()) for p in pull]


def flag(masks: list[Lane]) -> Lane:
    hit = masks[0]
    for mask in masks[1:]:
        hit = hit | mask
    return choose(hit, 1.0, 0.0)


def shares(linear: Linear, box: Box) -> list[Interval]:
    """Ranges of g_d = v tanh(U.x_d), and of g_a - g_b for a < b.

    g_d = vc h + h dv + vc h' da_d + h' dv da_d + v tanh''(xi) da_d^2 / 2 about the centre of ``linear``; in a
    difference dU is common to both samples.
    """
    m, samples = len(box.state) - 1, range(len(linear.design))
    moved = [x - Interval.point(c) for x, c in zip(box.state, linear.centre, strict=True)]
    direct = [box.output * t.value for t in box.tanh]
    vc, rest = Interval.point(linear.centre[m]), []
    for d in samples:
        da = combination(linear.design[d], moved[:m])
        square = da.square()
        bend = (box.output * box.tanh[d].curvature * square).scaled(0.5)
        rest.append(moved[m] * linear.slope[d] * da + bend)
    differences = []
    for a in samples:
        for b in range(a + 1, len(linear.design)):
            height = linear.height[a] - linear.height[b]
            terms = [vc * height, height * moved[m], rest[a] - rest[b]]
            for k in range(m):
                p, q = linear.design[a][k], linear.design[b][k]
                if p or q:
                    terms.append((linear.lever[a].scaled(p) - linear.lever[b].scaled(q)) * moved[k])
            differences.append(total(terms).meet(direct[a] - direct[b]))
    return [*direct, *differences]


def balance(pull: list[Interval], bias: Interval) -> tuple[list[Interval], Interval]:
    """Propagate gamma = sum_d P_d."""
    bias = bias.meet(total(pull))
    met = []
    for d, p in enumerate(pull):
        others = [q for e, q in enumerate(pull) if e != d]
        met.append(p.meet(bias - total(others) if others else bias))
    return met, bias


def contract_program(design: Design) -> LaneProgram:
    """A node box, the ends of (P, gamma, U, v), to the contracted box.

    ``share_low`` and ``share_high`` are the ends of what ``shares`` finds; ``empty`` is 1 if there is no solution.
    """
    samples, m = len(design), len(design[0])
    rows, pairs = samples + 1 + m + 1, samples * (samples + 1) // 2
    outputs = Slots(low=rows, high=rows, share_low=pairs, share_high=pairs, empty=ONE)

    def program(box_of: SimpleNamespace) -> list[Lane]:
        every = intervals(box_of.low, box_of.high)
        pull, bias = balance(every[:samples], every[samples])
        box = propagate(design, pull, every[samples + 1 :])
        linear = linear_form(design, box, [x.middle() for x in box.state])
        known, bias = pull_from_state(linear, pull, bias)
        shift = [p - Interval.point(q.middle()) for p, q in zip(known, pull, strict=True)]
        image = [x.meet(y) for x, y in zip(box.state, affine_form(linear).image(shift), strict=True)]
        pull, bias = balance(known, bias)
        share = shares(linear, Box(pull, image, box.tanh))
        result = [*pull, bias, *image]
        return outputs.write(
            low=[x.lo for x in result],
            high=[x.hi for x in result],
            share_low=[g.lo for g in share],
            share_high=[g.hi for g in share],
            empty=flag([x.is_empty() for x in result]),  # what was empty once stays so under meets
        )

    return LaneProgram(inputs=Slots(low=rows, high=rows), outputs=outputs, text=program)


def zero_program(design: Design) -> LaneProgram:
    """A box of P and X to ``alone``: 1 where the box, joined with 0, holds no solution but 0.

    F(0; P) = 0 for every P.  Over the symmetric box |X_i| <= r_i about the centre 0 the mean value form reads
    X = M X with |M| bounded entry by entry, and E_i >= sum_k |M_ik| r_k.  E_i < r_i for all i says that M contracts in
    the norm max |X_i| / r_i, so X = 0.  The slopes come from the whole symmetric box, which is star-shaped about 0.
    """
    samples, m = len(design), len(design[0])

    def program(box: SimpleNamespace) -> list[Lane]:
        pull, state = intervals(box.pull_low, box.pull_high), intervals(box.state_low, box.state_high)
        largest = state[0].size()
        for x in state[1:]:
            largest = larger(largest, x.size())
        # A flat box is thickened, else the norm would be badly scaled.
        reach = [larger(x.size(), largest * 0.25) * (1.0 + 2.0**-20) + 1e-30 for x in state]
        around = [Interval(-r, r) for r in reach]
        tanh = [tanh_range(combination(row, around[:m])) for row in design]
        nothing = [0.0] * (m + 1)
        affine = affine_form(linear_form(design, Box(pull, around, tanh), nothing, shifted=False))
        holds = affine.error[0] < reach[0]
        for e, r in zip(affine.error[1:], reach[1:], strict=True):
            holds = holds & (e < r)
        return [choose(holds, 1.0, 0.0)]

    return LaneProgram(inputs=node_slots(samples, m), outputs=Slots(alone=ONE), text=program)


def affine_program(design: Design) -> LaneProgram:
    """A box of P and X to the affine enclosure of g_d = v tanh(U.x_d), the node's share of the logits.

    g_d = vc hc + hc (v - vc) + v (h - hc) exactly, with h - hc = s_d da_d; inserting the affine forms of v and of
    da_d = x_d.(U - Uc) and splitting v s_d into its middle and the rest gives g_d in e_d + sum_e S_de dP_e.
    ``constant_low`` and ``constant_high`` are the ends of e, ``slopes`` is S (real numbers, row-major).
    """
    samples, m = len(design), len(design[0])
    every = range(samples)
    outputs = Slots(
        state_low=m + 1,
        state_high=m + 1,
        constant_low=samples,
        constant_high=samples,
        slopes=samples * samples,
        direct_low=samples,
        direct_high=samples,
        empty=ONE,
    )

    def program(given: SimpleNamespace) -> list[Lane]:
        pull, state = intervals(given.pull_low, given.pull_high), intervals(given.state_low, given.state_high)
        box = propagate(design, pull, state)
        centre = [x.middle() for x in box.state]
        affine = affine_form(linear_form(design, box, centre))
        shift = _shift(pull)
        image = [x.meet(y) for x, y in zip(box.state, affine.image(shift), strict=True)]
        at = [tanh_range(combination(row, [Interval.point(c) for c in centre[:m]])) for row in design]
        moved = [x - Interval.point(c) for x, c in zip(box.state, centre, strict=True)]
        loose = [x0 + Interval(-e, e) for x0, e in zip(affine.offset, affine.error, strict=True)]
        constants, linear, direct = [], [], []
        for d in every:
            lever = box.output * box.tanh[d].slope
            mid = Interval.point(lever.middle())
            value = Interval.point(centre[m]) * at[d].value + at[d].value * loose[m]
            value = value + mid * combination(design[d], loose[:m])
            value = value + (lever - mid) * combination(design[d], moved[:m])
            for e in every:
                slope = at[d].value * affine.slopes[m][e]
                slope = slope + mid * combination(design[d], [affine.slopes[k][e] for k in range(m)])
                linear.append(slope.middle())
                value = value + (slope - Interval.point(slope.middle())) * shift[e]
            constants.append(value)
            direct.append(box.output * box.tanh[d].value)
        return outputs.write(
            state_low=[x.lo for x in image],
            state_high=[x.hi for x in image],
            constant_low=[c.lo for c in constants],
            constant_high=[c.hi for c in constants],
            slopes=linear,
            direct_low=[g.lo for g in direct],
            direct_high=[g.hi for g in direct],
            empty=flag([x.is_empty() for x in image]),
        )

    return LaneProgram(inputs=node_slots(samples, m), outputs=outputs, text=program)
