r"""Choices of N nodes as boxes of margins and states: what the equations say one by one.

The variables of a *choice* are the margins t_d = s_d Delta_d and the states (U_j, v_j) of its N nodes; the zero node is
the box of the single point 0, and stands last.  With q(t) = 1/(1 + e^t),

    P_d = s_d kappa q(t_d),   gamma = sum_d P_d,   a_jd = U_j.x_d,                                        (residuals)
    v_j = sum_d P_d tanh a_jd,   2 U_j = v_j sum_d P_d sech^2(a_jd) x_d,                                      (nodes)
    s_d t_d = sum_j v_j tanh a_jd + gamma,   sum_j v_j^2 + gamma^2 = sum_d |P_d| t_d,              (logits, energy)

(theorems in :mod:`symland.rigor.enumeration.problem`).  The orders of a fundamental domain, q_b >= q_d, say
t_b <= t_d, and v_1 >= v_2 >= ... orders the nodes.

Near 0 a node that is not zero has other variables: (r, v) with U = v r / 2, in which the zero node solves nothing:

    r = sum_d P_d sech^2(a_d) x_d,   2 = sum_d P_d (x_d.r) tanh(a_d)/a_d,   a_d = v (x_d.r) / 2,             (near 0)

the node equations divided by v > 0.  They are taken where |U_jk| <= NEAR_WEIGHT and
v_j <= 2 NEAR_WEIGHT, as soon as the box of a node holds 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from symland.rigor.enumeration.lanes import (
    JET_ERROR,
    Interval,
    Lane,
    above,
    below,
    choose,
    exponential_range,
    larger,
    logarithm_guess,
    magnitude,
    root,
    smaller,
    tanh_jet,
    tanh_range,
    total,
)
from symland.rigor.enumeration.problem import MARGIN_PEAK, Design, ReducedProblem, fundamental_orders

__all__ = ["NEAR_WEIGHT", "Choice", "Propagated", "places", "propagate", "tanh_quotient"]

NEAR_WEIGHT = 0.1
"""Bound of |U_jk| of the nodes whose variables are (r, v)."""
NEAR = Interval(-NEAR_WEIGHT, NEAR_WEIGHT)
LEAST_DIVISOR = 1e-30
"""Numbers from above which something is divided by them."""
PEAK_PLACE = (1.27846, 1.27847)
"""t = 1 + W(1/e) = 1.278464542761..., where t q(t) is largest."""


@dataclass
class Choice:
    """A box of margins, of (U, v) or (r, v) of each node, and which of the two it is."""

    margin: list[Interval]
    weight: list[list[Interval]]
    output: list[Interval]
    near: list[Lane]

    def variables(self) -> list[Interval]:
        """t_1, ..., t_D, U_1, v_1, ..., U_N, v_N."""
        return [*self.margin, *(x for u, v in zip(self.weight, self.output, strict=True) for x in (*u, v))]


@dataclass
class Propagated:
    """A narrower choice, its arguments a_jd, weights U_j and gamma; masks of which one holds where it is empty."""

    choice: Choice
    argument: list[list[Interval]]
    state: list[list[Interval]]
    bias: Interval
    empty: list[Lane]


def places(coefficients: Sequence[float]) -> list[int]:
    """Of the coefficients that are not 0."""
    return [k for k, c in enumerate(coefficients) if c != 0.0]


def _combination(coefficients: Sequence[float], terms: Sequence[Interval]) -> Interval:
    """Sum of c t over the coefficients that are not 0; 0 where all are, as for an input that is 0 in every sample."""
    used = [t.scaled(c) for c, t in zip(coefficients, terms, strict=True) if c != 0.0]
    return total(used) if used else Interval.point(0.0)


def _column(design: Design, k: int) -> tuple[float, ...]:
    """An input of all samples."""
    return tuple(row[k] for row in design)


def _from_positive(p: Interval, x: Interval) -> Interval:
    """p x for p >= 0."""
    low = smaller(p.lo * x.lo, p.hi * x.lo)
    high = larger(p.lo * x.hi, p.hi * x.hi)
    return Interval(below(low), above(high))


def _between_positive(p: Interval, x: Interval) -> Interval:
    """p x for p, x >= 0."""
    return Interval(below(p.lo * x.lo), above(p.hi * x.hi))


def _root_above(square: Lane) -> Lane:
    """A bound above the square root of every real number that rounds to ``square``; of 0 where that is below 0."""
    return above(root(above(larger(square, 0.0))))


def either(mask: Lane, a: Interval, b: Interval) -> Interval:
    """``a`` where the mask holds, else ``b``."""
    return Interval(choose(mask, a.lo, b.lo), choose(mask, a.hi, b.hi))


def tanh_quotient(a: Interval) -> Interval:
    """tanh(a)/a, which lies between 1 - a^2/3 and 1 - a^2/3 + 2 a^4/15 and falls with |a|; nearly sharp for |a| < 1."""
    square, one = a.square(), Interval.point(1.0)
    third = Interval.point(1.0 / 3.0 + 1e-16)
    low = one - Interval.point(square.hi) * third
    at = Interval.point(square.lo)
    high = one - at.scaled(0.3333333333333333) + at.square().scaled(0.13333333333333336)
    return Interval(larger(low.lo, 0.0), smaller(high.hi, 1.0))


@dataclass
class _Node:
    """The ranges of one node: its variables (U or r, and v), U, its arguments, tanh and sech^2 of them."""

    near: Lane
    weight: list[Interval]
    output: Interval
    state: list[Interval]
    argument: list[Interval]
    tanh: list[Interval]
    slope: list[Interval]
    empty: list[Lane]


def _others(terms: list[Interval]) -> list[Interval | None]:
    """For each term the sum of the others."""
    return [total(rest) if (rest := terms[:i] + terms[i + 1 :]) else None for i in range(len(terms))]


def _quotient(x: Interval, v: Interval, whole: Interval) -> Interval:
    """x / v for v >= 0; the whole where v may be 0."""
    sure = v.lo > LEAST_DIVISOR
    divisor = Interval(choose(sure, v.lo, 1.0), choose(sure, v.hi, 1.0))
    return either(sure, x.over_positive(divisor), whole)


def _over(x: Interval, number: float) -> Interval:
    """x / number."""
    inverse = 1.0 / number
    if math.frexp(number)[0] in (0.5, -0.5):
        return x.scaled(inverse)
    return x * Interval(math.nextafter(inverse, -math.inf), math.nextafter(inverse, math.inf))


def _least_output(u: Interval, y: Interval) -> Lane:
    """A bound below v where u = v y / 2, v >= 0: u away from 0 needs a y of its sign."""
    positive, negative = choose(u.lo > 0.0, u.lo, 0.0), choose(u.hi < 0.0, -u.hi, 0.0)
    rise, fall = larger(y.hi, LEAST_DIVISOR), larger(-y.lo, LEAST_DIVISOR)
    return larger(below(positive * 2.0 / rise), below(negative * 2.0 / fall))


def _forward(problem: ReducedProblem, near: Lane, size: list[Interval], v: Interval, r: list[Interval]) -> _Node:
    """v = sum P tanh a and U = v r / 2 forward."""
    m, design, labels = problem.inputs, problem.design, problem.labels
    half = v.scaled(0.5)
    across = [_combination(row, r) for row in design]
    state = [either(near, _from_positive(half, u).meet(NEAR), u) for u in r]
    argument = [
        _combination(row, state).meet(either(near, _from_positive(half, w), w))
        for row, w in zip(design, across, strict=True)
    ]
    tanh = [tanh_range(a) for a in argument]
    pulled = [_from_positive(p, t.value).scaled(s) for p, t, s in zip(size, tanh, labels, strict=True)]
    v = v.meet(total(pulled))
    v = Interval(larger(v.lo, 0.0), v.hi)
    drive = [_between_positive(p, t.slope).scaled(s) for p, t, s in zip(size, tanh, labels, strict=True)]
    toward = [_combination(_column(design, k), drive) for k in range(m)]
    weight = [u.meet(either(near, y, _from_positive(v, y).scaled(0.5))) for u, y in zip(r, toward, strict=True)]
    for u, y in zip(weight, toward, strict=True):
        v = Interval(larger(v.lo, choose(near, 0.0, _least_output(u, y))), v.hi)
    two = total(
        [
            _from_positive(p, w * tanh_quotient(a)).scaled(s)
            for p, w, a, s in zip(size, across, argument, labels, strict=True)
        ]
    )
    empty = [x.is_empty() for x in [*state, *weight, v]] + [near & ((two.lo > 2.0) | (two.hi < 2.0))]
    return _Node(near, weight, v, state, argument, [t.value for t in tanh], [t.slope for t in tanh], empty)


def _backward(problem: ReducedProblem, node: _Node, size: list[Interval]) -> None:
    """The node equations backward: each P, tanh and sech^2 is what the others leave, then a, then the weights; in
    place."""
    d, m, design, labels = problem.samples, problem.inputs, problem.design, problem.labels
    near, v, whole = node.near, node.output, Interval(-2.0, 2.0)
    terms = [_from_positive(p, h).scaled(s) for p, h, s in zip(size, node.tanh, labels, strict=True)]
    for e, others in enumerate(_others(terms)):
        left = (v if others is None else v - others).scaled(labels[e])
        node.tanh[e] = node.tanh[e].meet(left.over_positive(size[e]))
    known = near | (v.lo > LEAST_DIVISOR)
    for k in range(m):
        used = places(_column(design, k))
        r = either(near, node.weight[k], _quotient(node.weight[k].scaled(2.0), v, Interval(-1.0, 1.0)))
        terms = [_between_positive(size[e], node.slope[e]).scaled(labels[e] * design[e][k]) for e in used]
        for e, others in zip(used, _others(terms), strict=True):
            part = _over((r if others is None else r - others).scaled(labels[e]), design[e][k])
            node.slope[e] = node.slope[e].meet(either(known, part.over_positive(size[e]), whole))
            sure = known & (node.slope[e].lo > LEAST_DIVISOR)
            divisor = either(sure, node.slope[e], Interval(1.0, 1.0))
            size[e] = either(sure, size[e].meet(part.over_positive(divisor)), size[e])
    for e in range(d):
        a, h = node.argument[e], node.tanh[e]
        # |tanh a| = sqrt(1 - sech^2 a)
        most = _root_above(1.0 - node.slope[e].lo)
        h = Interval(larger(h.lo, -most), smaller(h.hi, most))
        node.empty.append(h.is_empty() | node.slope[e].is_empty())
        low, high = -_artanh_above(-h.lo), _artanh_above(h.hi)
        node.argument[e] = a.meet(Interval(low, high))
    for e, row in enumerate(design):
        used = places(row)
        terms = [node.weight[k].scaled(row[k]) for k in used]
        for k, others in zip(used, _others(terms), strict=True):
            left = _over(node.argument[e] if others is None else node.argument[e] - others, row[k])
            node.weight[k] = either(near, node.weight[k], node.weight[k].meet(left))


def _artanh_above(h: Lane) -> Lane:
    """A bound above artanh h, or above everything: a guess of which tanh is proved to be beyond h."""
    size = smaller(magnitude(h), 1.0 - 1e-11)
    guess = logarithm_guess((1.0 + size) / (1.0 - size)) * 0.5
    guess = choose(h < 0.0, -guess, guess)
    guess = guess + (magnitude(guess) * 1e-9 + 2.0**-37 / (1.0 - size * size) + 1e-11)
    t, _ = tanh_jet(guess)
    return choose(t - JET_ERROR >= h, guess, 1e3)


def _margin(size: Interval, scale: Interval) -> Interval:
    """t with kappa / (1 + e^t) in an interval of positive numbers: guesses whose values are proved to be beyond it."""
    low = logarithm_guess(larger(scale.lo / size.hi - 1.0, 1e-30))
    high = logarithm_guess(larger(scale.hi / size.lo - 1.0, 1e-30))
    low = low - (magnitude(low) * 1e-9 + 1e-9)
    high = high + (magnitude(high) * 1e-9 + 1e-9)
    one = Interval.point(1.0)
    at = [one.over_positive(exponential_range(x) + one) * scale for x in (low, high)]
    return Interval(choose(at[0].lo >= size.hi, low, -1e3), choose(at[1].hi <= size.lo, high, 1e3))


def _coming_near(choice: Choice, problem: ReducedProblem, size: list[Interval]) -> None:
    """Give nodes close to 0 their other variables, |r_k| <= sum_d |x_dk| |P_d|; in place."""
    for j, (weight, v) in enumerate(zip(choice.weight, choice.output, strict=True)):
        mask = (choice.near[j] < 0.5) & (v.lo <= 0.0) & (v.hi > 0.0) & (v.hi <= 2.0 * NEAR_WEIGHT)
        for u in weight:
            mask = mask & (u.lo <= 0.0) & (u.hi >= 0.0) & (u.size() <= NEAR_WEIGHT)
        reach = [
            total(
                [size[e].scaled(abs(row[k])) for e, row in enumerate(problem.design) if row[k] != 0.0]
                or [Interval(0.0, 0.0)]
            ).hi
            for k in range(problem.inputs)
        ]
        choice.weight[j] = [either(mask, Interval(-r, r), u) for u, r in zip(weight, reach, strict=True)]
        choice.near[j] = choose(mask, 1.0, choice.near[j])


def _ordered(choice: Choice, problem: ReducedProblem) -> None:
    """The orders of the fundamental domain, and of the nodes; in place."""
    margin, output = choice.margin, choice.output
    for big, small in fundamental_orders(problem.group):
        margin[small] = Interval(larger(margin[small].lo, margin[big].lo), margin[small].hi)
        margin[big] = Interval(margin[big].lo, smaller(margin[big].hi, margin[small].hi))
    for j in range(len(output) - 1):
        output[j] = Interval(larger(output[j].lo, output[j + 1].lo), output[j].hi)
        output[j + 1] = Interval(output[j + 1].lo, smaller(output[j + 1].hi, output[j].hi))


def _work(margin: Interval, scale: Interval) -> tuple[Interval, Interval, Interval]:
    """q, |P| and |P| t: t q(t) rises up to PEAK_PLACE and falls after it."""
    one = Interval.point(1.0)
    shares = [one.over_positive(exponential_range(x) + one) for x in (margin.lo, margin.hi)]
    ends = [q * scale for q in shares]
    at = [p * Interval.point(x) for p, x in zip(ends, (margin.lo, margin.hi), strict=True)]
    inside = (margin.lo <= PEAK_PLACE[1]) & (margin.hi >= PEAK_PLACE[0])
    top = choose(inside, above(scale.hi * MARGIN_PEAK), larger(at[0].hi, at[1].hi))
    work = Interval(smaller(at[0].lo, at[1].lo), top)
    return Interval(shares[1].lo, shares[0].hi), Interval(ends[1].lo, ends[0].hi), work


def propagate(problem: ReducedProblem, given: Choice, scale: Interval) -> Propagated:
    """Narrow a choice by each equation for itself, there and back.

    Parameters
    ----------
    problem : only its inputs, labels, symmetries and number of nodes are used.
    scale : kappa.
    """
    labels, n = problem.labels, problem.nodes
    choice = Choice(list(given.margin), list(given.weight), list(given.output), list(given.near))
    _ordered(choice, problem)
    margin, output = choice.margin, choice.output
    share, size, work = map(list, zip(*(_work(t, scale) for t in margin), strict=True))
    # Over a slab of penalties all P move with the one kappa.
    bias = total([q.scaled(s) for q, s in zip(share, labels, strict=True)]) * scale
    energy = total(work) - bias.square()
    squares = [v.square() for v in output]
    empty = [total(squares).lo > energy.hi]
    for j, others in enumerate(_others(squares)):
        most = energy if others is None else energy - others
        output[j] = Interval(output[j].lo, smaller(output[j].hi, _root_above(most.hi)))
    _coming_near(choice, problem, size)
    nodes = [_forward(problem, choice.near[j] > 0.5, size, output[j], choice.weight[j]) for j in range(n)]
    # The logits: each product v tanh a is what the others leave.
    for e, sign in enumerate(labels):
        products = [_from_positive(node.output, node.tanh[e]) for node in nodes]
        margin[e] = margin[e].meet(total([*products, bias]).scaled(sign))
        wanted = margin[e].scaled(sign) - bias
        for node, others in zip(nodes, _others(products), strict=True):
            left = wanted if others is None else wanted - others
            node.tanh[e] = node.tanh[e].meet(_quotient(left, node.output, Interval(-2.0, 2.0)))
    for node in nodes:
        _backward(problem, node, size)
    choice.margin = [t.meet(_margin(p, scale)) for t, p in zip(margin, size, strict=True)]
    choice.weight, choice.output = [node.weight for node in nodes], [node.output for node in nodes]
    left_over = [*choice.variables(), *size, *(a for node in nodes for a in node.argument)]
    empty += [mask for node in nodes for mask in node.empty] + [x.is_empty() for x in left_over]
    return Propagated(choice, [node.argument for node in nodes], [node.state for node in nodes], bias, empty)
