"""Boxes of residuals: what the logits, the energy and the symmetries leave, against plain floats and samples."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from symland.errors import SpecError
from symland.rigor.enumeration.emit import NumpyLanes
from symland.rigor.enumeration.problem import (
    MARGIN_PEAK,
    MARGIN_PLACE,
    TWIST_PEAK,
    ReducedProblem,
    fundamental_orders,
    reduced_problem,
)
from symland.rigor.enumeration.pulls import (
    combination_program,
    energy_program,
    first_box,
    margin_guess,
    meeting_program,
)
from symland.spec import builtin
from tests.rigor.plain_intervals import Array, around, balance, meet, middle, minus, radius, times

WIDTHS = [1e-6, 1e-3, 0.05, 0.3]


def _problem(name: str, nodes: int, penalty: str = "1e-2") -> ReducedProblem:
    return reduced_problem(builtin(name).with_(hidden=(nodes,), penalty=penalty))


def _share(problem: ReducedProblem, pull: Array) -> Array:
    """q = s P lambda D."""
    shape = (-1,) + (1,) * (pull.ndim - 1)
    return np.array(problem.labels).reshape(shape) * pull * float(problem.penalty) * problem.samples


def _margin(q: Array) -> Array:
    return np.log1p(-q) - np.log(q)


def _boxes(problem: ReducedProblem, width: float, count: int = 400) -> Array:
    """Boxes (2, D, count) of residuals, P / kappa wide as asked for, some of them at the peak of q t."""
    rng = np.random.default_rng(3)
    q = np.clip(rng.uniform(0.1, 0.8, count) + 0.1 * rng.normal(size=(problem.samples, count)), 0.02, 0.98)
    q[:, 100:] = np.sort(q[:, 100:], axis=0)[::-1]
    q[:, :60] = rng.uniform(0.2, 0.24, (problem.samples, 60))
    low, high = np.maximum(q - width * rng.random(q.shape), 1e-3), np.minimum(q + width * rng.random(q.shape), 0.999)
    sign = np.array(problem.labels)[:, None]
    return np.sort(np.stack([sign * low, sign * high]) * float(problem.scale), axis=0)


def test_the_constants_of_the_bounds() -> None:
    lambert = float(mpmath.lambertw(mpmath.exp(-1)).real)
    assert lambert < MARGIN_PEAK < lambert + 1e-9
    place = 1 / (1 + np.exp(1 + lambert))
    assert MARGIN_PLACE[0] < place < MARGIN_PLACE[1]
    a = np.linspace(0, 5, 100_001)
    assert 0 <= TWIST_PEAK - (a / np.cosh(a) ** 2).max() < 1e-5


@pytest.mark.parametrize(("name", "nodes", "penalty"), [("xor", 1, "1e-2"), ("xor-pm", 2, "0.3"), ("xor", 3, "1e-1")])
def test_the_first_box_is_that_of_the_theorem(name: str, nodes: int, penalty: str) -> None:
    problem = _problem(name, nodes, penalty)
    energy = MARGIN_PEAK / float(penalty)
    logit, kappa = np.sqrt((nodes + 1) * energy), 0.25 / float(penalty)
    least = 1 / (1 + np.exp(logit))
    weight = np.sqrt(0.5 * np.sqrt(energy) / float(penalty) * TWIST_PEAK)
    pull, state = first_box(problem)
    for d, sign in enumerate(problem.labels):
        ends = sorted((sign * kappa * least, sign * kappa * (1 - least)))
        assert pull[:, d] == pytest.approx(ends, rel=1e-7)
        assert pull[0, d] < ends[0] < ends[1] < pull[1, d]
    assert state == pytest.approx(np.array([[-weight] * 3 + [0.0], [weight] * 3 + [np.sqrt(energy)]]), rel=1e-9)
    assert state[0, 3] == 0
    assert (state[1] > [weight, weight, weight, np.sqrt(energy)]).all()


def test_logits_beyond_the_reach_of_doubles_are_refused() -> None:
    # sqrt(2 * 0.27846 / lambda) = 30 at lambda = 6.188e-4.
    first_box(_problem("xor", 1, "6.19e-4"))
    with pytest.raises(SpecError, match="logits of 30"):
        first_box(_problem("xor", 1, "6.18e-4"))


def test_margins_are_guessed_and_stay_finite_at_the_ends() -> None:
    problem = _problem("xor", 1)
    pull = np.array([[-3.0, -25.0, 0.0], [3.0, 25.0, 0.0], [20.0, 26.0, -1.0], [-12.5, -24.0, 1.0]])
    guess = margin_guess(problem, pull)
    assert guess[:, 0] == pytest.approx([np.log(22 / 3), np.log(22 / 3), np.log(5 / 20), 0.0], abs=1e-12)
    assert guess[:, 1] == pytest.approx([-36.04, -36.04, -36.04, -np.log(24)], abs=0.01)
    assert guess[:, 2] == pytest.approx([36.84] * 4, abs=0.01)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "nodes"), [("xor", 2), ("xor-pm", 1)])
def test_energy_logits_and_symmetry_are_those_of_the_theorem(name: str, nodes: int, width: float) -> None:
    problem = _problem(name, nodes)
    kappa = float(problem.scale)
    boxes = _boxes(problem, width)
    rng = np.random.default_rng(1)
    total = boxes.sum(axis=1)
    bias = np.stack([total[0] - rng.normal(size=400), total[1] + rng.normal(size=400)])
    bias = np.sort(bias, axis=0)
    bias[:, -50:] = np.sort(rng.normal(size=(2, 50)) * 40, axis=0)
    guesses = [margin_guess(problem, end) for end in boxes]
    out = NumpyLanes(energy_program(problem), 18)(np.concatenate([boxes[0], boxes[1], bias, *guesses]))

    q = np.sort(np.stack([_share(problem, end) for end in boxes]), axis=0)
    t = _margin(q)
    peak = (q[0] <= MARGIN_PLACE[1]) & (q[1] >= MARGIN_PLACE[0])
    energy = np.where(peak, MARGIN_PEAK, (q * t).max(axis=0)).sum(axis=0)
    spent = (q * t).min(axis=0).sum(axis=0)
    budget = np.maximum(energy * kappa, 0)
    empty = energy < 0
    empty |= (bias[0] > 0) & (bias[0] ** 2 > budget)
    empty |= (bias[1] < 0) & (bias[1] ** 2 > budget)
    for big, small in fundamental_orders(problem.group):
        q[1, small] = np.minimum(q[1, small], q[1, big])
        q[0, big] = np.maximum(q[0, big], q[0, small])
    empty |= (q[0] > q[1]).any(axis=0)
    sign = np.array(problem.labels)[:, None]
    pull, slab = balance(np.where(sign > 0, q, -q[::-1]) * kappa, bias)
    empty |= (pull[0] > pull[1]).any(axis=0) | (slab[0] > slab[1])
    away = np.maximum(np.maximum(slab[0], -slab[1]), 0)
    far = np.abs(slab).max(axis=0)
    logits = np.where(sign > 0, np.sort(t, axis=0), -np.sort(t, axis=0)[::-1])

    # Wrong only in lanes at the edge of being empty.
    assert (out[-1] != empty).mean() < 0.01
    assert 20 < empty.sum() < 380
    live = (out[-1] == 0) & ~empty
    wanted = [*pull[0], *pull[1], *slab, np.maximum(budget - away**2, 0), np.maximum(spent * kappa - far**2, 0)]
    for found, lane in zip(out, [*wanted, *logits[0], *logits[1]], strict=False):
        assert (np.abs(found - lane) < 1e-7 * (1 + np.abs(lane)))[live].all()
    # Solutions in the box: gamma = sum P, and the energy identity gives the sum of squares.
    for _ in range(20):
        truth = boxes[0] + rng.random(boxes[0].shape) * (boxes[1] - boxes[0])
        share = _share(problem, truth)
        margin, gamma = _margin(share), truth.sum(axis=0)
        holds = (bias[0] <= gamma) & (gamma <= bias[1])
        for big, small in fundamental_orders(problem.group):
            holds &= share[big] >= share[small]
        square = kappa * (share * margin).sum(axis=0) - gamma**2
        holds &= square >= 0
        assert not out[-1][holds].any()
        assert (out[:4] <= truth)[:, holds].all()
        assert (truth <= out[4:8])[:, holds].all()
        assert ((out[8] <= gamma) & (gamma <= out[9]))[holds].all()
        assert ((out[11] <= square) & (square <= out[10]))[holds].all()
        assert ((out[12:16] <= sign * margin) & (sign * margin <= out[16:20])).all()


def test_an_unproved_guess_widens_the_margin_and_never_narrows_it() -> None:
    problem = _problem("xor", 2)
    boxes = _boxes(problem, 0.05)
    bias = boxes.sum(axis=1)
    guesses = [margin_guess(problem, end) for end in boxes]
    program = NumpyLanes(energy_program(problem), 18)
    t = _margin(_share(problem, boxes.swapaxes(0, 1)).swapaxes(0, 1))
    sign = np.array(problem.labels)[:, None]
    for error in (1e-7, -1e-7, 1e-3, -1e-3, 1.0, -1.0):
        out = program(np.concatenate([boxes[0], boxes[1], bias, *(guess + error for guess in guesses)]))
        for end in sign * t:
            assert (out[12:16] <= end).all()
            assert (end <= out[16:20]).all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "nodes"), [("xor", 1), ("xor-pm", 2)])
def test_linear_equations_in_p_are_those_of_the_theorem(name: str, nodes: int, width: float) -> None:
    problem = _problem(name, nodes)
    rng = np.random.default_rng(6)
    boxes = _boxes(problem, width)
    guess = margin_guess(problem, middle(boxes))
    centre, shift = middle(boxes), boxes - middle(boxes)
    slopes = rng.normal(size=(nodes, 4, 4, 400)) * 0.3
    # Constants that let the equations nearly hold at the centres.
    sign = np.array(problem.labels)[:, None]
    wanted = sign * _margin(_share(problem, centre)) - centre.sum(axis=0)
    middles = [wanted / nodes + rng.normal(size=wanted.shape) * width for _ in range(nodes)]
    loose = width * rng.random((nodes, 4, 400))
    constants = [around(c, r) for c, r in zip(middles, loose, strict=True)]
    parts = [np.concatenate([*c, s.reshape(16, -1)]) for c, s in zip(constants, slopes, strict=True)]
    out = NumpyLanes(combination_program(problem), nodes * 24 + 12)(np.concatenate([*parts, *boxes, guess]))

    q = np.sort(np.stack([_share(problem, end) for end in boxes]), axis=0)
    bell = q * (1 - q)
    top = np.where((q[0] <= 0.5) & (q[1] >= 0.5), 0.25, bell.max(axis=0))
    steep = -float(problem.penalty) * 4 / np.stack([bell.min(axis=0), top])
    lean = middle(steep)
    offset = minus(sum(constants) - wanted, times(steep - lean, shift))
    matrix = slopes.sum(axis=0) + 1 - np.eye(4)[:, :, None] * lean
    reached = offset + around(0, (np.abs(matrix) * radius(boxes)).sum(axis=1))
    empty = ((reached[0] > 0) | (reached[1] < 0)).any(axis=0)
    inverse = np.linalg.inv(matrix.transpose(2, 0, 1)).transpose(1, 2, 0)
    image = np.sort(inverse * offset[:, None], axis=0).sum(axis=2)
    met = meet(boxes, np.stack([centre - image[1], centre - image[0]]))
    empty |= (met[0] > met[1]).any(axis=0)
    condition = np.linalg.cond(matrix.transpose(2, 0, 1))
    assert (out[-1] != empty).mean() < 0.01
    assert 0 < empty.sum() < 400
    live = ~empty & (condition < 1e3)
    influence = (np.abs(matrix) * radius(boxes)).sum(axis=0)
    for found, lane in zip(out, [*met[0], *met[1], *influence], strict=False):
        assert (np.abs(found - lane) < 1e-6 * (1 + np.abs(lane)))[live].all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "nodes"), [("xor", 1), ("xor", 3), ("xor-pm", 2)])
def test_nodes_meet_where_the_logits_say(name: str, nodes: int, width: float) -> None:
    problem = _problem(name, nodes)
    rng = np.random.default_rng(7)
    boxes = _boxes(problem, width)
    kappa, sign = float(problem.scale), np.array(problem.labels)[:, None]
    parts, every = [], []
    for _ in range(nodes):
        pull = np.stack([boxes[0] - width * rng.random(boxes[0].shape), boxes[1] + width * rng.random(boxes[1].shape)])
        total = pull.sum(axis=1)
        bias = np.stack([total[0] - width * rng.random(400), total[1] + width * rng.random(400)])
        logits = (sign * _margin(_share(problem, middle(boxes))) - middle(boxes).sum(axis=0)) / nodes
        share = around(logits + width * rng.normal(size=logits.shape), 2 * width * rng.random(logits.shape))
        every.append((pull, bias, share))
        parts.append(np.concatenate([*pull, *bias[:, None], *share]))
    out = NumpyLanes(meeting_program(problem), nodes * 18)(np.concatenate(parts))

    pull, bias, share = every[0]
    for other in every[1:]:
        pull, bias, share = meet(pull, other[0]), meet(bias, other[1]), share + other[2]
    empty = (pull[0] > pull[1]).any(axis=0) | (bias[0] > bias[1])
    for _ in range(2):
        pull, bias = balance(pull, bias)
        logits = share + bias[:, None]
        margin = np.where(sign > 0, logits, -logits[::-1])
        q = 1 / (1 + np.exp(margin[::-1]))
        pull = meet(pull, np.where(sign > 0, q, -q[::-1]) * kappa)
        empty |= (pull[0] > pull[1]).any(axis=0) | (bias[0] > bias[1])
    assert (out[-1] != empty).mean() < 0.01
    assert empty.sum() < 395
    live = ~empty & (out[-1] == 0)
    for found, lane in zip(out, [*pull[0], *pull[1], *bias], strict=False):
        assert (np.abs(found - lane) < 1e-9 * (1 + np.abs(lane)))[live].all()
    # Lanes that hold a common solution are not emptied, and keep it: P given, shares that give its logits.
    truth = middle(boxes)
    gamma = truth.sum(axis=0)
    wanted = sign * _margin(_share(problem, truth)) - gamma
    slack = width + 1e-9
    same = [np.concatenate([truth - slack, truth + slack, [gamma - slack, gamma + slack],
                            wanted / nodes - slack, wanted / nodes + slack]) for _ in range(nodes)]  # fmt: skip
    out = NumpyLanes(meeting_program(problem), nodes * 18)(np.concatenate(same))
    assert not out[-1].any()
    assert (out[:4] <= truth).all()
    assert (truth <= out[4:8]).all()
    assert (out[8] <= gamma).all()
    assert (gamma <= out[9]).all()


def test_logits_that_overflow_still_leave_an_interval() -> None:
    problem = _problem("xor", 1)
    truth = np.array([-12.5, 12.5, 12.5, -12.5])[:, None]
    wide = np.concatenate([truth - 12, truth + 12, [[-1e3], [1e3]], np.full((4, 1), -2e3), np.full((4, 1), 2e3)])
    out = NumpyLanes(meeting_program(problem), 18)(wide)
    assert out[-1] == 0
    assert (out[:4] <= truth).all()
    assert (truth <= out[4:8]).all()
