"""The checker's boxes: ranges and linear equations enclose at random points, and no step drops a solution."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from symland.records import Verdict
from symland.rigor.enumeration import certificate_text, enumerate_points
from symland.rigor.enumeration_check import check_enumeration, points, ranges, verify
from symland.rigor.enumeration_check import follow as following
from symland.rigor.enumeration_check.balls import Balls
from symland.rigor.enumeration_check.fields import Fields
from symland.rigor.enumeration_check.follow import Listed, follow
from symland.rigor.enumeration_check.joint import gradient, hessian
from symland.rigor.enumeration_check.linear import Linear, excluded, linear, solved, strip
from symland.rigor.enumeration_check.narrowing import Narrowed, first_boxes, narrow
from symland.rigor.enumeration_check.question import read_question
from symland.spec import LandscapeSpec, builtin
from tests.rigor.reduced import SIGN, XOR, hundredth, multistart, solution, swapped
from tests.rigor.test_enumeration_check import sealed, without_class
from tests.rigor.test_search import TWO, listed

Array = np.ndarray
KAPPA = 25.0
"""1 / (4 lambda) at lambda = 1e-2."""


@cache
def fields(nodes: int) -> Fields:
    question = read_question(builtin("xor").with_(hidden=(nodes,), penalty="1e-2").canonical())
    return Fields(question, nodes)


def about(rng: np.random.Generator, centre: Array, width: Array | float) -> Array:
    """Ranges about numbers, up to ``width`` to either side."""
    return np.stack([centre - width * rng.random(centre.shape), centre + width * rng.random(centre.shape)])


def inside(rng: np.random.Generator, x: Array) -> Array:
    """Numbers in ranges, of which a third each are ends."""
    share = rng.choice([0.0, 1.0, 0.5], size=x.shape[1:]) * rng.choice([1.0, rng.random()], size=x.shape[1:])
    found: Array = np.clip(x[0] + (x[1] - x[0]) * share, x[0], x[1])
    return found


def exactly(numbers: Array) -> list[Any]:
    return [[Fraction(x) for x in row] for row in numbers.tolist()]


def holds(found: Array, truth: list[Any]) -> bool:
    return all(
        Fraction(low) <= x <= Fraction(high)
        for lows, highs, row in zip(*found.tolist(), truth, strict=True)
        for low, high, x in zip(lows, highs, row, strict=True)
    )


@pytest.mark.parametrize(
    ("operation", "exact"),
    [
        (ranges.plus, operator.add),
        (ranges.minus, operator.sub),
        (ranges.times, operator.mul),
        (lambda p, x: ranges.over(x, p), lambda p, x: x / p),
    ],
)
def test_ranges_of_two_numbers_hold_the_exact_value(operation: Callable[..., Array], exact: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)
    for width in (0.0, 1e-15, 0.3, 3.0):
        x = about(rng, rng.normal(size=(50, 4)) * 10.0 ** rng.integers(-5, 5, size=(50, 4)), width)
        p = np.maximum(about(rng, rng.random((50, 4)), width), 1e-12)
        a, b = inside(rng, p), inside(rng, x)
        truth = [[exact(r, s) for r, s in zip(*pair, strict=True)] for pair in zip(exactly(a), exactly(b), strict=True)]
        assert holds(operation(p, x), truth)


def test_ranges_of_sums_hold_the_exact_value() -> None:
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(4, 4))
    for width in (0.0, 1e-15, 0.3):
        x = about(rng, rng.normal(size=(50, 4)) * 10.0 ** rng.integers(-5, 5, size=(50, 4)), width)
        exact = exactly(inside(rng, x))
        assert holds(ranges.total(x, 2)[..., None], [[sum(row)] for row in exact])
        assert holds(ranges.others(x, 2), [[sum(row) - entry for entry in row] for row in exact])
        columns = exactly(matrix.T)
        products = [[sum(map(operator.mul, row, column)) for column in columns] for row in exact]
        assert holds(ranges.combined(x, matrix), products)
        factors = exactly(matrix[:1])[0]
        assert holds(ranges.signed(x, matrix[0]), [list(map(operator.mul, row, factors)) for row in exact])


def test_ranges_of_tanh_and_sech2_hold_there_and_back() -> None:
    rng = np.random.default_rng(3)
    for width in (0.0, 1e-12, 0.5, 5.0):
        x = about(rng, rng.normal(size=(200, 1)) * rng.choice([0.01, 1.0, 6.0], size=(200, 1)), width)
        at = inside(rng, x)
        with mp.workdps(40):
            t = [[mp.tanh(mp.mpf(float(a)))] for a in at.ravel()]
            value, slope = ranges.tanh(x), ranges.sech2(ranges.tanh(x))
            for found, truth in ((value, t), (slope, [[1 - a * a] for [a] in t])):
                assert all(low <= a <= high for low, high, [a] in zip(*found[..., 0].tolist(), truth, strict=True))
            room = ranges.sech2_room(slope)
            assert all(low <= a <= high for low, high, [a] in zip(*room[..., 0].tolist(), t, strict=True))
        back = ranges.artanh(value)
        assert ((back[0] <= x[0]) & (x[1] <= back[1])).all()
        # Where tanh is not flat, the way there and back is nearly sharp.
        steep = np.abs(x).max(axis=0) < 5
        assert (np.abs(back - x)[:, steep] < 1e-9).all()


@pytest.mark.parametrize("width", [1e-9, 1e-4, 0.1, 1.0, 10.0])
def test_strips_hold_tanh_and_are_hardly_wider_than_they_must_be(width: float) -> None:
    rng = np.random.default_rng(4)
    x = about(rng, rng.normal(size=2000) * rng.choice([0.1, 1.0, 5.0], size=2000), width)
    slope, middle, half = strip(x)
    a = x[0] + (x[1] - x[0]) * np.linspace(0, 1, 801)[:, None]
    off = np.tanh(a) - slope * a - middle
    assert (np.abs(off) <= half).all()
    assert (half <= 0.55 * (off.max(axis=0) - off.min(axis=0)) + 1e-11 * (1 + np.abs(x).max(axis=0))).all()


def equations(x: Array, nodes: int, scale: Array) -> Array:
    """Left minus right sides, of (U_j, v_j) and then of t, divided by ``scale``, at x = (p, kappa, nodes)."""
    pull, kappa, state = x[:, :4], x[:, 4:5], x[:, 5:-1].reshape(len(x), nodes, 4)
    weight, v = state[..., :3], state[..., 3:]
    a, signed = weight @ XOR.T, (pull * SIGN)[:, None]
    lean = 2 * weight - v * ((signed / np.cosh(a) ** 2) @ XOR)
    out = v - (signed * np.tanh(a)).sum(axis=2, keepdims=True)
    rows = (2 * pull - kappa * (1 - np.tanh(0.5 * margins(x, nodes)))) / scale
    return np.concatenate([np.concatenate([lean, out], axis=2).reshape(len(pull), -1), rows], axis=1)


def margins(x: Array, nodes: int) -> Array:
    state = x[:, 5:-1].reshape(len(x), nodes, 4)
    found: Array = SIGN * ((state[..., 3:] * np.tanh(state[..., :3] @ XOR.T)).sum(axis=1))
    return found + SIGN * (x[:, :4] @ SIGN)[:, None]


@pytest.mark.parametrize("width", [1e-5, 0.1, 1.0])
@pytest.mark.parametrize("nodes", [1, 2])
def test_the_linear_equations_hold_at_every_point_of_a_box(nodes: int, width: float) -> None:
    rng, count = np.random.default_rng(5), 100
    pull = np.clip(about(rng, KAPPA * rng.random((count, 4)), width * 5), 0, KAPPA)
    # kappa down to 0, too.
    scale = np.clip(about(rng, KAPPA * rng.random((count, 1)), width * rng.choice([1.0, 30.0], (count, 1))), 0, KAPPA)
    state = about(rng, rng.normal(size=(count, nodes, 4)) * 2, width)
    state[..., 3] = np.abs(state[..., 3])
    state[..., 3].sort(axis=0)
    box = np.concatenate([pull, scale, state.reshape(2, count, -1), np.zeros((2, count, 1))], axis=2)
    points = [inside(rng, box) for _ in range(200)]
    told = np.array([margins(x, nodes) for x in points])
    margin = np.stack([told.min(axis=0), told.max(axis=0)])
    found = linear(fields(nodes), Narrowed(box, ranges.combined(state[..., :3], XOR.T), margin))
    variables = 5 + 4 * nodes
    room = found.rest + np.abs(found.lead[..., variables:]).sum(axis=2)
    reached = np.zeros_like(room)
    middle, radius = 0.5 * (box[0] + box[1]), 0.5 * (box[1] - box[0])
    for x in points:
        u = ((x - middle) / radius.clip(1e-300))[:, :variables]
        truth = equations(x, nodes, middle[:, 4:5])
        line = found.value + (found.lead[..., :variables] @ u[..., None])[..., 0]
        off = np.abs(truth - line) / (room + 1e-12 * (1 + np.abs(truth)))
        assert (off <= 1).all()
        reached = np.maximum(reached, off)
    # The rests are no larger than they must be by more than some times.
    assert np.median(reached) > 0.1


def about_solutions(nodes: int, width: float, rng: np.random.Generator, slab: float = 0.3) -> tuple[Array, Array]:
    """Boxes about stationary points, found by SciPy, with ranges of kappa, and the points."""
    boxes, truths = [], []
    for theta in hundredth(nodes) if nodes < 3 else multistart(3, 0.01, 40):
        states, pull, bias = solution(theta)
        states, pull = swapped(states, pull)
        states = states[np.argsort(-states[:, 3])]
        truth = np.concatenate([np.abs(pull), [KAPPA], states.ravel(), [bias]])
        for _ in range(10):
            place = np.arange(truth.size)
            box = about(rng, truth, width * np.select([place < 4, place == 4], [KAPPA / 4, KAPPA * slab], 1.0))
            box[:, :5] = np.clip(box[:, :5], 0, 2 * KAPPA)
            box[0, 8:-1:4] = np.maximum(box[0, 8:-1:4], 0)
            boxes.append(box)
            truths.append(truth)
    return np.stack(boxes, axis=1), np.array(truths)


@pytest.mark.parametrize("width", [5.0, 1.0, 0.2, 1e-3, 1e-6])
@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_solution_is_never_dropped(nodes: int, width: float) -> None:
    box, truth = about_solutions(nodes, width, np.random.default_rng(nodes))
    tried = 0
    for _ in range(12):
        found, gone = narrow(fields(nodes), box)
        assert not gone.any()
        assert ((found.box[0] <= truth + 1e-8) & (truth - 1e-8 <= found.box[1])).all()
        equations = linear(fields(nodes), found)
        out, scores = excluded(fields(nodes), equations)
        assert not out.any()
        assert scores.shape == (len(truth), 5 + 4 * nodes)
        found.box = solved(fields(nodes), equations, found.box, ~out)
        assert ((found.box[0] <= truth + 1e-8) & (truth - 1e-8 <= found.box[1])).all()
        axis = following._axes(found, scores, 4)
        left = following._Left(found.box, np.arange(len(axis)), axis, following._places(fields(nodes), found, axis))
        halves, owner = following._halves(left)
        holds = ((halves[0] <= truth[owner]) & (truth[owner] <= halves[1])).all(axis=1)
        box, truth = halves[:, holds], truth[owner[holds]]
        tried += len(truth)
    # A point is known to some 1e-12 only; boxes thinner than that may miss it.
    assert tried > 12 * 40 or width == 1e-6


@pytest.mark.parametrize("nodes", [1, 2])
def test_boxes_beside_a_solution_are_excluded_by_all_equations_together(nodes: int) -> None:
    box, truth = about_solutions(nodes, 0.02, np.random.default_rng(nodes), 0.1)
    t = np.log(KAPPA / truth[:, :4] - 1)
    argument = ranges.combined(box[..., 5:-1].reshape(2, len(truth), nodes, 4)[..., :3], XOR.T)
    for away, share in ((0.0, 0.0), (0.04, 0.9)):
        moved, turned = box.copy(), argument.copy()
        moved[..., 5:8] += away
        turned[:, :, 0] += away * XOR.sum(axis=1)
        found = Narrowed(moved, turned, np.stack([t - 0.02, t + 0.02]))
        gone, _ = excluded(fields(nodes), linear(fields(nodes), found))
        assert share <= gone.mean() <= (1.0 if share else 0.0)


def random_linear(rng: np.random.Generator, beyond: float) -> Linear:
    """Equations of one node which a u with sizes of ``beyond`` solves, together with rests as large."""
    count, rows, columns = 300, 8, 17
    lead, rest = rng.normal(size=(count, rows, columns)), rng.random((count, rows)) * rng.choice([0.01, 3.0], size=rows)
    u, e = (rng.choice([-beyond, beyond], size=(count, size)) for size in (columns, rows))
    zeros = np.zeros((count, 1, 4))
    value = -(lead @ u[..., None])[..., 0] - rest * e
    return Linear(
        value, lead, rest, zeros, zeros, zeros, zeros, zeros, zeros[:, 0], zeros[:, 0], np.zeros((count, 1, 4, 3))
    )


def test_multipliers_exclude_what_cannot_be_solved_and_nothing_else() -> None:
    rng = np.random.default_rng(6)
    assert not excluded(fields(1), random_linear(rng, 1.0))[0].any()
    assert excluded(fields(1), random_linear(rng, 4.0))[0].mean() > 0.9


def test_an_end_that_is_no_number_cuts_nothing() -> None:
    box, nothing = np.array([[1.0], [2.0]]), np.full((2, 1), np.nan)
    assert (ranges.meet(box, nothing) == box).all()
    assert (ranges.meet(nothing, box) == box).all()
    with np.errstate(all="ignore"):
        assert not (ranges.meet(box, ranges.over(np.zeros((2, 1)), np.zeros((2, 1)))) != box).any()


def boxed(z: Array) -> Array:
    """Boxes of z of any P."""
    return np.concatenate([np.tile([0.0, 0.0, 0.0, 0.0, KAPPA], (*z.shape[:2], 1)), z], axis=2)


def test_a_point_of_the_list_holds_only_small_boxes_about_it() -> None:
    rows = []
    for theta in hundredth(1):
        states, _, bias = solution(theta)
        rows.append(np.concatenate([states.ravel(), [bias]]))
    points = np.array([row for row in rows if row[3] > 1e-6])
    known = Listed(points, np.full(len(points), 1e-9))
    small = np.stack([points - 1e-3, points + 1e-3])
    assert known.within(small).all()
    assert known.holds(fields(1), boxed(small)).all()
    for side in (0, 1):
        for axis in range(5):
            beside = small.copy()
            beside[side, :, axis] = points[:, axis] + (2 * side - 1) * -1e-4
            assert not known.within(beside).any()
    assert not known.holds(fields(1), boxed(np.stack([points - 5.0, points + 5.0]))).any()


def test_a_cell_is_finished_with_its_point_in_the_list_and_never_without() -> None:
    theta = hundredth(1)[0]
    states, pull, bias = solution(theta)
    states, pull = swapped(states, pull)
    z = np.concatenate([states.ravel(), [bias]])
    centre = np.concatenate([pull, [bias]])
    cells = np.stack([centre - 0.05, centre + 0.05])[:, None]
    box = first_boxes(fields(1), cells)
    assert ((box[0, 0, 5:] <= z) & (z <= box[1, 0, 5:])).all()
    assert box[0, 0, 4] < KAPPA < box[1, 0, 4]
    known = Listed(z[None], np.array([1e-9]))
    assert not follow(fields(1), known, cells, 50_000).failed.any()
    assert follow(fields(1), known, cells, 5).failed.all()
    without = follow(fields(1), Listed(z[None][:0], np.zeros(0)), cells, 50_000)
    assert without.failed.all()
    assert np.abs(without.left - z).max(axis=1).min() < 1e-3
    elsewhere = Listed(z[None] + 1.0, np.array([1e-9]))
    assert follow(fields(1), elsewhere, cells, 50_000).failed.all()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_boxes_alone_leave_open_where_a_class_is_missing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "find_unlisted", lambda *_: None)
    lie = sealed(without_class(json.loads(certificate_text(TWO, enumerate_points(TWO, listed(TWO)))), number))
    found = check_enumeration(lie)
    assert (found.verdict, found.proved) == (Verdict.UNDECIDED, 0)
    # Of single leaves those that hold the class, at the least.
    leaves = check_enumeration(lie, seed="1", share=0.999)
    assert 0 < len(leaves.open) < leaves.leaves / 4


@pytest.mark.parametrize(
    "spec", [builtin("xor").with_(hidden=(2,), penalty="1/10"), TWO.with_(hidden=(3,), penalty="1/7")]
)
def test_nodes_of_larger_networks_are_followed_together(spec: LandscapeSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LOOKS", 10)
    text = certificate_text(spec, enumerate_points(spec, listed(spec)))
    whole, share = check_enumeration(text), check_enumeration(text, seed="1", share=0.2)
    assert whole.verdict is Verdict.CERTIFIED
    assert whole.leaves > 20
    assert share.proved == share.checked == round(0.2 * share.leaves)


def test_looks_find_points_of_each_index() -> None:
    question = read_question(builtin("xor").with_(hidden=(2,), penalty="1e-2").canonical())
    starts, fields = verify._starts(question, 2, 200), Fields(question, 2)
    lowest = [points._newton(fields, starts, index) for index in points.INDICES]
    for index, rest in zip(points.INDICES, lowest, strict=True):
        assert len(rest) > 100
        assert np.abs(gradient(fields, rest).mid).max() < 1e-9
        below = (np.linalg.eigvalsh(hessian(fields, Balls.exact(rest)).mid) < 0).sum(axis=1)
        if index is not None:
            assert (below == index).mean() > 0.7
    # The global minimum, whose nodes have these outputs, is not found by Newton's method alone.
    minimum = [(np.abs(np.abs(rest[:, [3, 7]]) - 3.1041544354).max(axis=1) < 1e-6).any() for rest in lowest]
    assert minimum == [False, True, False, False]
