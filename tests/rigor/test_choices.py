"""Choices of nodes: bands and relaxations enclose, near 0 and far from it, and no step drops a solution."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy.optimize import root

from symland.datasets import make_data
from symland.rigor.enumeration import choices
from symland.rigor.enumeration.bands import tanh_bands
from symland.rigor.enumeration.choice_program import choice_rows
from symland.rigor.enumeration.known import prove_known
from symland.rigor.enumeration.lanes import Interval, logarithm_guess
from symland.rigor.enumeration.problem import ReducedProblem, outward, reduced_problem
from symland.rigor.enumeration.propagation import NEAR_WEIGHT, Choice, Propagated, propagate, tanh_quotient
from symland.rigor.enumeration.relaxation import relax
from symland.rigor.enumeration.search import Search
from symland.spec import builtin
from tests.rigor.reduced import SIGN, XOR, hundredth, solution, swapped

Array = np.ndarray
SCALE = 25.0
"""kappa = 1 / (4 lambda) at lambda = 1e-2."""
INSIDE = np.linspace(0, 1, 401)[:, None]


def xor(nodes: int) -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty="1e-2"))


def intervals(low: Array, high: Array) -> list[Interval]:
    return [Interval(a, b) for a, b in zip(low, high, strict=True)]


def boxes(rng: np.random.Generator, centre: Array, width: float) -> tuple[Array, Array]:
    """Boxes about each number, up to ``width`` to either side."""
    return centre - width * rng.random(centre.shape), centre + width * rng.random(centre.shape)


def test_the_guess_of_the_logarithm_is_good() -> None:
    x = np.exp(np.linspace(-600, 600, 1001))
    assert np.abs(logarithm_guess(x) - np.log(x)).max() < 1e-12 * 600


@pytest.mark.parametrize("width", [1e-8, 1e-4, 0.1, 1.0, 10.0])
def test_bands_enclose_and_are_hardly_wider_than_they_must_be(width: float) -> None:
    rng = np.random.default_rng(3)
    low, high = boxes(rng, rng.normal(size=2000) * rng.choice([0.1, 1.0, 5.0], size=2000), width)
    a = low + (high - low) * INSIDE
    for values, band in zip((np.tanh(a), 1 / np.cosh(a) ** 2), tanh_bands(low, high), strict=True):
        off = values - band.slope * a - band.mid
        assert (np.abs(off) <= band.half).all()
        spread = (off.max(axis=0) - off.min(axis=0)) / 2
        assert (band.half <= 1.05 * spread + 1e-9 * (1 + np.abs(low) + width)).all()


def test_tanh_over_its_argument_is_enclosed() -> None:
    rng = np.random.default_rng(4)
    low, high = boxes(rng, rng.normal(size=500) * 0.3, 0.5)
    found = tanh_quotient(Interval(low, high))
    a = low + (high - low) * INSIDE
    a = np.where(a == 0, 1e-300, a)
    assert ((found.lo <= np.tanh(a) / a) & (np.tanh(a) / a <= found.hi)).all()


def equations(near: Array, t: Array, states: list[Array], kappa: Array | float = SCALE) -> tuple[Array, list[Array]]:
    """Left minus right sides, node by node and then the logits, at points (4, n) and (U or r, v) (4, n); all a_jd."""
    pull = SIGN[:, None] * kappa / (1 + np.exp(t))
    rows, arguments, sums = [], [], pull.sum(axis=0)
    for is_near, state in zip(near, states, strict=True):
        weight, v = state[:3], state[3]
        across = XOR @ weight
        a = np.where(is_near, across * v / 2, across)
        toward = XOR.T @ (pull / np.cosh(a) ** 2)
        rows.append(np.where(is_near, weight - toward, 2 * weight - v * toward))
        quotient = np.tanh(a) / np.where(a == 0, 1, a) + (a == 0)
        rows.append(np.where(is_near, 2 - (pull * across * quotient).sum(axis=0), v - (pull * np.tanh(a)).sum(axis=0)))
        arguments.append(a)
        sums = sums + v * np.tanh(a)
    return np.vstack([*(np.atleast_2d(r) for r in rows), SIGN[:, None] * t - sums]), arguments


@pytest.mark.parametrize("width", [0.003, 0.1, 0.8])
@pytest.mark.parametrize("near", [(False,), (True,), (True, False)])
@pytest.mark.parametrize("spread", [0.0, 0.01, 4.0])
def test_the_relaxation_encloses_the_equations_at_every_point_of_a_box(
    near: tuple[bool, ...], width: float, spread: float
) -> None:
    rng, count = np.random.default_rng(5), 60
    margin = boxes(rng, rng.normal(size=(4, count)), width)
    states = []
    for is_near in near:
        weight = boxes(rng, rng.normal(size=(3, count)) * (4 if is_near else 1), width * (4 if is_near else 1))
        output = boxes(rng, rng.uniform(1, 3, size=(1, count)), width)
        if is_near:
            output = 0.05 * rng.random((1, count)), 0.05 + 0.1 * rng.random((1, count))
        states.append(tuple(np.vstack(pair) for pair in zip(weight, output, strict=True)))
    choice = Choice(
        intervals(*margin),
        [intervals(low[:3], high[:3]) for low, high in states],
        [Interval(low[3], high[3]) for low, high in states],
        [np.full(count, float(is_near)) for is_near in near],
    )
    # All arguments that points of the box can have, without what the equations know of them.
    scale = np.full((1, count), SCALE - spread), np.full((1, count), SCALE + spread)
    points = [
        [
            low + (high - low) * rng.choice([0.0, 1.0, rng.random()], size=low.shape)
            for low, high in (scale, margin, *states)
        ]
        for _ in range(40)
    ]
    arguments = []
    for is_near, (low, high) in zip(near, states, strict=True):
        ends = np.stack([XOR @ low[:3], XOR @ high[:3]])
        if is_near:
            products = np.stack([end * v / 2 for end in ends for v in (low[3], high[3])])
            ends = np.stack([products.min(axis=0), products.max(axis=0)])
        arguments.append(intervals(ends[0] - 1e-12, ends[1] + 1e-12))
    found = Propagated(choice, arguments, [], Interval(0.0, 0.0), [])
    problem = xor(len(near)) if spread == 0.0 else xor(len(near)).slab(Fraction(1, 100), Fraction(1, 50))
    ends = [outward(Fraction(float(end[0, 0])))[side] for side, end in enumerate(scale)]
    relaxation = relax(problem, found, Interval(*ends))
    variables, kappa = relaxation.layout.rows, relaxation.layout.kappa
    for at_scale, t, *at in points:
        truth, _ = equations(np.array(near), t, at, at_scale[0])
        u = dict(enumerate((np.vstack([t, *at]) - np.array(relaxation.middle)) / np.array(relaxation.reach)))
        u[kappa] = (at_scale[0] - SCALE) / (spread or 1.0)
        for i, row in enumerate(relaxation.rows):
            line = relaxation.value[i] + sum(a * u[c] for c, a in row.items() if c < variables or c == kappa)
            room = relaxation.rest[i] + sum(np.abs(a) for c, a in row.items() if c >= variables and c != kappa)
            assert (np.abs(truth[i] - line) <= room + 1e-11 * (1 + np.abs(truth[i]))).all()


def test_the_own_equation_of_a_small_node_is_enclosed_up_to_the_corners_of_boxes() -> None:
    """0 = 2 - sum P (x.r) tanh(a)/a, a = v (x.r) / 2: its rests are attained where P, x.r and v are all at an end,
    and together where the node parts the two classes."""
    rng, count = np.random.default_rng(8), 400
    data = make_data("two", [["-2"], ["0"]], [0, 1], classify=True)
    problem = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="1e-2", data=data))
    kappa, sign = 1 / (2 * 1e-2), np.array([[-1.0], [1.0]])
    x = np.array([[-2.0, 1.0], [0.0, 1.0]])
    low, high = boxes(rng, rng.normal(size=(4, count)) * [[1.0], [1.0], [2.0], [2.0]], 0.2)
    low = np.vstack([low, np.where(rng.random(count) < 0.5, 0.0, 0.2 * rng.random(count))])
    high = np.vstack([high, low[4] + rng.choice([1e-4, 0.1, 1.0], size=count)])
    choice = Choice(intervals(low[:2], high[:2]), [intervals(low[2:4], high[2:4])], [Interval(low[4], high[4])],
                    [np.ones(count)])  # fmt: skip
    corners = [np.array(c)[:, None] for c in product((0.0, 1.0), repeat=5)]
    points = [low + (high - low) * share for share in (*corners, *rng.random((40, 5, count)))]
    at = [(p, x @ p[2:4]) for p in points]
    arguments = np.array([w * p[4] / 2 for p, w in at])
    ends = arguments.min(axis=0) - 1e-12, arguments.max(axis=0) + 1e-12
    found = Propagated(choice, [intervals(*ends)], [], Interval(0.0, 0.0), [])
    relaxation = relax(problem, found, Interval(*outward(problem.scale)))
    own, variables = relaxation.layout.row(0, 2), relaxation.layout.rows
    row = relaxation.rows[own]
    room = relaxation.rest[own] + sum(np.abs(a) for c, a in row.items() if c >= variables)
    used = []
    for p, w in at:
        a = np.where(w * p[4] == 0, 1.0, w * p[4] / 2)
        quotient = np.where(w * p[4] == 0, 1.0, np.tanh(a) / a)
        truth = 2 - (sign * kappa / (1 + np.exp(p[:2])) * w * quotient).sum(axis=0)
        u = (p - np.array(relaxation.middle)) / np.array(relaxation.reach)
        line = relaxation.value[own] + sum(a * u[c] for c, a in row.items() if c < variables)
        used.append(np.abs(truth - line) / room)
    assert np.max(used) <= 1 + 1e-9
    assert np.max(used) > 0.95


def table_about(
    problem: ReducedProblem, theta: Array, width: float, rng: np.random.Generator
) -> tuple[Array, Array] | None:
    """A table of one choice about a solution, and the solution in its variables; None where it has a zero node."""
    states, pull, _ = solution(theta)
    states, pull = swapped(states, pull)
    states = states[np.argsort(-states[:, 3])]
    if states[-1, 3] < 1e-6:
        return None
    truth = np.concatenate([np.log(SIGN * SCALE / pull - 1), states.ravel()])
    low, high = boxes(rng, truth[:, None], width)
    outputs = slice(7, None, 4)
    low[outputs] = np.maximum(low[outputs], 0.0)
    unset = np.zeros(1)
    table = choice_rows(problem).pack(
        low=low, high=high, near=np.zeros((problem.nodes, 1)), scale_low=unset, scale_high=unset
    )
    return choices.over(problem, table), truth


@pytest.mark.parametrize("slab", [("0.01", "0.01"), ("0.0099", "0.01"), ("0.01", "0.015"), ("0.008", "0.0101")])
@pytest.mark.parametrize("nodes", [1, 2])
def test_choices_about_a_solution_are_never_dropped_by_a_list_without_it(nodes: int, slab: tuple[str, str]) -> None:
    """At lambda = 0.01 by itself, and over slabs of penalties with it."""
    problem, rng, tried = xor(nodes), np.random.default_rng(nodes), 0
    if slab[0] < slab[1]:
        problem = problem.slab(Fraction(slab[0]), Fraction(slab[1]))
    search = Search.of(problem, prove_known(problem, [])[0])
    size = choice_rows(problem).rows["low"]
    for theta in hundredth(nodes):
        for width in (5.0, 1.0, 0.2, 1e-3):
            for _ in range(5):
                made = table_about(problem, theta, width, rng)
                if made is None:
                    continue
                table, truth = made
                for _ in range(8):
                    found = choices._examined(search, table)
                    left, axis = found.table, found.axis
                    # A box that came near 0 has r in place of U.
                    near = np.repeat(choice_rows(problem).read(left).near, 4, axis=0) > 0.5
                    other = truth.copy()
                    for j in range(nodes):
                        place = 4 + 4 * j
                        other[place : place + 3] *= 2 / other[place + 3]
                    at = np.where(
                        np.vstack([np.zeros((4, near.shape[1]), dtype=bool), near]), other[:, None], truth[:, None]
                    )
                    holds = ((left[:size] <= at + 1e-7) & (at - 1e-7 <= left[size : 2 * size])).all(axis=0)
                    assert holds.any()
                    table = choices._halves(problem, left[:, holds], axis[holds])[:, :64]
                    tried += 1
    assert tried > 500


def small_solution(v: float) -> tuple[Array, float]:
    """(t, r, v) of a solution with one small node, for the inputs -2 and 0 of different classes, and its kappa."""
    inputs, sign = np.array([[-2.0, 1.0], [0.0, 1.0]]), np.array([-1.0, 1.0])

    def left(z: Array) -> Array:
        t, r, scale = z[:2], z[2:4], z[4]
        pull = sign * scale / (1 + np.exp(t))
        a = inputs @ r * v / 2
        return np.concatenate(
            [
                r - inputs.T @ (pull / np.cosh(a) ** 2),
                [2 - pull @ (2 / v * np.tanh(a))],
                sign * t - v * np.tanh(a) - pull.sum(),
            ]
        )

    answer = root(left, [0.0, 0.0, 1.4, 0.1, 1.4], options={"xtol": 1e-14})
    assert np.abs(answer.fun).max() < 1e-12
    return np.concatenate([answer.x[:4], [v]]), float(answer.x[4])


@pytest.mark.parametrize("v", [0.003, 0.05, 0.14])
def test_small_nodes_are_never_dropped_in_their_own_variables(v: float) -> None:
    rng = np.random.default_rng(0)
    truth, kappa = small_solution(v)
    assert np.abs(truth[2:4] * v / 2).max() < NEAR_WEIGHT
    data = make_data("two", [["-2"], ["0"]], [0, 1], classify=True)
    problem = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="1/10", data=data))
    problem = replace(problem, group=problem.group[:1])
    scale = Interval(kappa * (1 - 1e-9), kappa * (1 + 1e-9))
    for width in (1.0, 0.1, 1e-3):
        low, high = boxes(rng, np.repeat(truth[:, None], 50, axis=1), width)
        low[4] = np.maximum(low[4], 0.0)
        choice = Choice(
            intervals(low[:2], high[:2]), [intervals(low[2:4], high[2:4])], [Interval(low[4], high[4])], [np.ones(50)]
        )
        found = propagate(problem, choice, scale)
        relaxation = relax(problem, found, scale)
        judged = relaxation.judge()
        for mask in (*found.empty, judged.excluded, relaxation.judge(judged).excluded):
            assert not np.any(mask)
        for x, y, at in zip(found.choice.variables(), relaxation.sharpened(), truth, strict=True):
            assert (np.maximum(x.lo, y.lo) <= at + 1e-9).all()
            assert (at - 1e-9 <= np.minimum(x.hi, y.hi)).all()
