"""The steps of the search, each against a plain account of what it does."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from symland.errors import CertificateError
from symland.records import Outcome, StationaryPoint, Verdict
from symland.rigor.enumeration import (
    EnumerationResult,
    UndecidedBox,
    drive,
    enumerate_by_theorem,
    enumerate_points,
    search,
)
from symland.rigor.enumeration.by_theorem import OriginAlone, _timeless
from symland.rigor.enumeration.joint import (
    ENERGY_SLACK,
    Bounds,
    Lanes,
    _contract,
    _halve,
    _linear,
    bound,
    follow,
    only_zero,
    sift,
)
from symland.rigor.enumeration.known import prove_known
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.pulls import first_box, margin_guess
from symland.rigor.enumeration.search import (
    ROUNDING_SLACK,
    Choices,
    Counters,
    Survivors,
    Task,
    _hull_of_lanes,
    _hulls,
    _in_use,
    _lanes,
    _members,
    _sift,
    contract_nodes,
    engines,
    examine_batch,
    first_task,
    make_members,
)
from symland.spec import builtin
from tests.rigor.reduced import XOR, hundredth, solution, swapped

FIRST, SECOND = np.triu_indices(4, 1)


def _problem(nodes: int = 2, penalty: str = "1e-2") -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty=penalty))


def _solutions() -> list[tuple[np.ndarray, np.ndarray]]:
    """(P, gamma) and states (2, 4) of stationary points at 1e-2 with P_01 >= P_10."""
    found = []
    for theta in hundredth(2):
        states, pull, bias = solution(theta)
        states, pull = swapped(states, pull)
        found.append((np.append(pull, bias), np.where(np.abs(states) < 1e-9, 0.0, states)))
    return found


def _around(rng: np.random.Generator, truth: np.ndarray, width: float, count: int) -> np.ndarray:
    """Boxes (2, rows, count) that hold a point."""
    size = (*truth.shape, count)
    return np.stack([truth[..., None] - width * rng.random(size), truth[..., None] + width * rng.random(size)])


def test_counters_add_up() -> None:
    a = Counters(1, 2, 3, 4, {"x": 5})
    a.close("x")
    a.close("y", 3)
    a.add(Counters(10, 20, 30, 40, {"y": 1, "z": 2}))
    assert a == Counters(11, 22, 33, 44, {"x": 6, "y": 4, "z": 2})


def test_the_first_task_holds_everything() -> None:
    problem = _problem()
    task = first_task(problem)
    pull, state = first_box(problem)
    assert np.array_equal(task.pull[:, :4], pull)
    assert task.pull[:, 4].tolist() == [-state[1, 3], state[1, 3]]
    assert np.array_equal(task.nodes[:, :5, 0], task.pull)
    assert np.array_equal(task.nodes[:, 5:, 0], state)
    assert task.nodes.shape == (2, 9, 1)
    assert task.depth == 0


def test_bounds_of_residuals_are_those_of_the_energy_program() -> None:
    problem, rng = _problem(), np.random.default_rng(0)
    engine = engines(problem)
    boxes = np.concatenate([_around(rng, truth, 1e-2, 30) for truth, _ in _solutions()], axis=2)
    boxes[:, 4, ::7] += 40
    found = bound(problem, engine, boxes)
    guesses = [margin_guess(problem, boxes[side, :4]) for side in (0, 1)]
    out = engine.energy(np.concatenate([boxes[0, :4], boxes[1, :4], boxes[:, 4], *guesses]))
    assert np.array_equal(found.pull, np.stack([out[[0, 1, 2, 3, 8]], out[[4, 5, 6, 7, 9]]]))
    assert np.array_equal(found.energy, out[[11, 10]])
    assert np.array_equal(found.logits, np.stack([out[12:16], out[16:20]]))
    assert np.array_equal(found.dead, out[-1] > 0)
    assert found.dead[::7].all()
    assert not np.delete(found.dead, slice(None, None, 7)).any()
    part = found.take(np.array([3, 1]))
    assert np.array_equal(part.pull, found.pull[:, :, [3, 1]])
    assert np.array_equal(part.logits, found.logits[:, :, [3, 1]])
    assert np.array_equal(part.energy, found.energy[:, [3, 1]])
    both = Bounds.join(part, found)
    assert both.dead.size == 2 + found.dead.size
    assert np.array_equal(both.energy[:, 2:], found.energy)
    assert np.array_equal(both.pull[:, :, :2], part.pull)
    assert np.array_equal(both.logits[:, :, 2:], found.logits)


def test_boxes_that_hold_only_the_zero_node_are_told() -> None:
    problem = _problem()
    engine, (truth, _) = engines(problem), _solutions()[0]
    states = np.array([
        # low U and v, high U and v; whether the zero node stands there alone
        [-1e-3, -1e-3, -1e-3, 0.0, 1e-3, 1e-3, 1e-3, 1e-3, True],
        [0.0, 0.0, 0.0, 0.0, 1e-3, 1e-3, 1e-3, 1e-3, True],
        [-1e-3, -1e-3, -1e-3, 0.0, 0.0, 0.0, 0.0, 0.0, True],
        [-1e-2, -1e-2, 1e-3, 1e-3, 1e-2, 1e-2, 2e-3, 1e-2, True],
        [-9.0, -9.0, -9.0, 0.0, 9.0, 9.0, 9.0, 9.0, False],
        [1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.1, 1.1, False],
        [0.28, 0.0, 0.0, 0.0, 0.31, 0.0, 0.0, 0.0, False],
    ]).T  # fmt: skip
    low = np.concatenate([np.repeat(truth[:, None] - 1e-6, 7, axis=1), states[:4]])
    high = np.concatenate([np.repeat(truth[:, None] + 1e-6, 7, axis=1), states[4:8]])
    found = only_zero(engine, low, high, 4)
    assert found.tolist() == states[8].astype(bool).tolist()
    among = np.array([False, True] * 3 + [True])
    assert only_zero(engine, low, high, 4, among).tolist() == (found & among).tolist()
    assert not only_zero(engine, low[:, 5:6], high[:, 5:6], 4).any()


def test_halves_of_a_lane_cover_it() -> None:
    rng = np.random.default_rng(1)
    reach, states = rng.normal(size=(1, 5, 14)), rng.normal(size=(1, 2, 4, 14))
    lanes = Lanes(np.concatenate([reach, reach + 1]), np.concatenate([states, states + 2]), np.arange(14))
    axis = [*range(13), 4]
    halves = _halve(lanes, np.array(axis))
    assert halves.owner.tolist() == [*range(14), *range(14)]
    flat = [np.concatenate([x.reach, x.states.reshape(2, 8, -1)], axis=1) for x in (lanes, halves)]
    for k, row in enumerate(axis):
        whole, left, right = flat[0][:, :, k], flat[1][:, :, k], flat[1][:, :, k + 14]
        middle = whole[:, row].mean()
        assert left[:, row].tolist() == [whole[0, row], middle]
        assert right[:, row].tolist() == [middle, whole[1, row]]
        for half in (left, right):
            assert np.array_equal(np.delete(half, row, axis=1), np.delete(whole, row, axis=1))
    picked = lanes.take(np.array([2, 0]))
    assert picked.owner.tolist() == [2, 0]
    assert np.array_equal(picked.states, lanes.states[..., [2, 0]])
    joined = Lanes.join([picked, lanes])
    assert joined.owner.tolist() == [2, 0, *range(14)]
    assert np.array_equal(joined.reach, np.concatenate([picked.reach, lanes.reach], axis=2))
    assert np.array_equal(joined.states, np.concatenate([picked.states, lanes.states], axis=3))


def _pairs(width: float, count: int) -> tuple[Lanes, np.ndarray, np.ndarray]:
    """Lanes about the pairs of nodes of solutions, with the solution of each lane."""
    rng, reach, boxes, truths, states = np.random.default_rng(2), [], [], [], []
    for truth, nodes in _solutions():
        reach.append(_around(rng, truth, width, count))
        box = _around(rng, nodes, width, count)
        box[0, :, -1] = np.maximum(box[0, :, -1], 0.0)
        box[:, ~nodes.any(axis=1)] = 0.0
        boxes.append(box)
        truths += [truth] * count
        states += [nodes] * count
    lanes = Lanes(np.concatenate(reach, axis=2), np.concatenate(boxes, axis=3), np.arange(len(truths)))
    return lanes, np.array(truths).T, np.array(states).transpose(1, 2, 0)


@pytest.mark.parametrize("width", [1e-5, 1e-2, 0.2])
def test_no_step_loses_a_pair_of_nodes_and_each_narrows_it(width: float) -> None:
    problem = _problem()
    engine = engines(problem)
    lanes, truth, states = _pairs(width, 8)
    copy = Lanes(lanes.reach.copy(), lanes.states.copy(), lanes.owner)
    left, before = _contract(problem, engine, lanes)
    assert np.array_equal(lanes.reach, copy.reach)
    assert np.array_equal(lanes.states, copy.states)
    assert np.array_equal(left.owner, np.arange(truth.shape[1]))
    assert np.array_equal(before, copy.reach[1] - copy.reach[0])
    assert (left.reach[0] <= truth + 1e-9).all()
    assert (truth <= left.reach[1] + 1e-9).all()
    assert (left.states[0] <= states + 1e-9).all()
    assert (states <= left.states[1] + 1e-9).all()
    assert (left.reach[0] >= copy.reach[0] - 1e-12).all()
    assert (left.states[1] <= copy.states[1] + 1e-12).all()
    zero = (copy.states == 0).all(axis=(0, 2))
    assert np.array_equal(zero, (left.states == 0).all(axis=(0, 2)))
    assert zero.any()
    narrowed = left.reach[1] - left.reach[0]
    alive, loose, drive_ = _linear(problem, engine, left)
    assert alive.all()
    assert (left.reach[0, :4] <= truth[:4] + 1e-9).all()
    assert (truth[:4] <= left.reach[1, :4] + 1e-9).all()
    assert (left.states[0] <= states + 1e-9).all()
    assert (states <= left.states[1] + 1e-9).all()
    assert loose.shape == (2, truth.shape[1])
    assert drive_.shape == (4, truth.shape[1])
    assert not loose[zero].any()
    assert (loose[~zero] > 0).all()
    if width < 1e-3:
        # Beside the residuals that solve them, the equations have no solution.
        for move in (1e-2, -1e-2):
            beside = Lanes(left.reach.copy(), left.states.copy(), left.owner)
            beside.reach[:, :4] += move
            assert not _linear(problem, engine, beside)[0][~zero.all(axis=0)].any()
        # Second order: what is left over is the square of the width.
        assert np.median((left.reach[1] - left.reach[0])[:4]) < 1e-3 * width
        assert np.median(narrowed[:4]) > 0.05 * width
        assert np.median(loose[~zero]) < 1e-7


def test_the_energy_bounds_the_outputs_of_all_nodes_together() -> None:
    problem = _problem()
    engine = engines(problem)
    lanes, _, states = _pairs(1e-3, 1)
    seen: list[np.ndarray] = []

    def contract(inputs: np.ndarray) -> np.ndarray:
        seen.append(inputs)
        return engine.contract(inputs)

    spy = replace(engine, contract=contract)
    lanes.states[0, :, 3], lanes.states[1, :, 3] = 0.0, np.where(states[:, 3] > 0, 9.0, 0.0)
    energy = bound(problem, engine, lanes.reach).energy
    left, _ = _contract(problem, spy, lanes)
    assert left.owner.size
    # The cap of each is the energy without what the others need at least, here nothing.
    cap = np.sqrt(energy[1] + ENERGY_SLACK) * (1 + ENERGY_SLACK)
    own = np.where(states[:, 3] > 0, np.minimum(9.0, cap), 0.0)
    assert seen[0][17] == pytest.approx(own[0], rel=1e-14)
    # ... and the foot is what the others, at most, leave.
    foot = np.sqrt(np.maximum(energy[0] - ENERGY_SLACK - np.where(states[1, 3] > 0, 81.0, 0.0), 0)) * (1 - ENERGY_SLACK)
    assert seen[0][8] == pytest.approx(foot, rel=1e-12, abs=1e-12)
    # Squares they are: what is left beside a second node that is known to a tenth.
    lanes.states[1, :, 3] = 1.1 * states[:, 3]
    seen.clear()
    _contract(problem, spy, lanes)
    foot = np.sqrt(np.maximum(energy[0] - ENERGY_SLACK - (1.1 * states[1, 3]) ** 2, 0)) * (1 - ENERGY_SLACK)
    assert seen[0][8] == pytest.approx(foot, rel=1e-9, abs=1e-9)
    assert (foot > 0.5).any()
    # A pair with less or more energy than the residuals have is empty.
    for factor in (0.5, 2.0):
        off, _, _ = _pairs(1e-3, 1)
        off.states[:, :, 3] *= factor
        keep = states[:, 3].max(axis=0) > 0.2
        assert not np.isin(np.flatnonzero(keep), _contract(problem, engine, off)[0].owner).any()


def test_lanes_without_a_solution_are_dropped_for_each_reason() -> None:
    problem = _problem()
    engine = engines(problem)
    _, _, states = _pairs(1e-3, 1)
    pairs = np.flatnonzero((np.abs(states) > 0.1).any(axis=1).all(axis=0))
    assert pairs.size > 3

    def left(change: Any) -> set[int]:
        lanes, _, _ = _pairs(1e-3, 1)
        change(lanes)
        return set(_contract(problem, engine, lanes)[0].owner.tolist())

    def away(lanes: Lanes) -> None:
        lanes.states[:, 1, 0, pairs[0]] += 0.3

    # One node beside the zero node: a box about 0 has the same logits, and holds no other node.
    alone = int(np.flatnonzero(states[0].any(axis=0) & ~states[1].any(axis=0))[0])

    def only_the_zero_node(lanes: Lanes) -> None:
        lanes.states[:, 1, :, alone] = [[-1e-5, -1e-5, -1e-5, 0.0], [1e-5, 1e-5, 1e-5, 1e-5]]

    def other_residuals(lanes: Lanes) -> None:
        lanes.reach[:, :, pairs[2]] += np.array([0.5, -0.5, 0.5, -0.5, 0.0])

    def other_bias(lanes: Lanes) -> None:
        lanes.reach[:, 4, pairs[0]] += 0.5

    def no_output(lanes: Lanes) -> None:
        lanes.states[:, 0, 3, pairs[0]] = [0.5, 0.4]

    every = left(lambda lanes: None)
    assert every == set(range(states.shape[2]))
    for change, gone in (
        (away, pairs[0]),
        (only_the_zero_node, alone),
        (other_residuals, pairs[2]),
        (other_bias, pairs[0]),
        (no_output, pairs[0]),
    ):
        assert left(change) == every - {int(gone)}, change.__name__


def test_lanes_of_a_known_point_are_swallowed_and_others_are_not() -> None:
    problem = _problem()
    engine = engines(problem)
    thetas = hundredth(2)
    for chosen in (1, 7):
        known, _ = prove_known(problem, [thetas[chosen]])
        lanes, _, _ = _pairs(1e-5, 3)
        counters = Counters(lanes=5, node_boxes=7)
        found = sift(problem, engine, known, lanes, counters)
        assert sorted(found.swallowed.tolist()) == [3 * chosen, 3 * chosen + 1, 3 * chosen + 2]
        rest = np.setdiff1d(np.arange(lanes.owner.size), found.swallowed)
        assert np.array_equal(found.lanes.owner, rest)
        assert found.before.shape == (5, rest.size)
        assert found.loose.shape == (2, rest.size)
        assert found.drive.shape == (4, rest.size)
        assert counters == Counters(lanes=5 + lanes.owner.size, node_boxes=7 + 4 * lanes.owner.size)
    # The list is asked about the boxes that are left, whole.
    asked: list[tuple[np.ndarray, ...]] = []

    class Nobody:
        def holders(self, *boxes: np.ndarray) -> np.ndarray:
            asked.append(boxes)
            return np.where(np.arange(boxes[2].size) % 2, 5, -1)

    lanes, _, _ = _pairs(1e-2, 3)
    found = sift(problem, engine, Nobody(), lanes, Counters())
    ((low, high, bias_low, bias_high),) = asked
    assert (low.shape, bias_low.shape) == ((2, 4, lanes.owner.size), (lanes.owner.size,))
    assert (low <= high).all()
    assert (bias_low < bias_high).all()
    assert found.swallowed.tolist() == list(range(1, lanes.owner.size, 2))
    assert np.array_equal(found.lanes.states, np.stack([low, high])[..., ::2])
    assert np.array_equal(found.lanes.reach[:, 4], np.stack([bias_low, bias_high])[:, ::2])
    empty, _, _ = _pairs(1e-5, 1)
    empty.reach[:, 0] += 1
    none = sift(problem, engine, known, empty, Counters())
    assert none.lanes.owner.size == none.swallowed.size == none.before.shape[1] == 0
    assert (none.loose.shape, none.drive.shape) == ((2, 0), (4, 0))


def test_lanes_are_followed_until_the_list_holds_them_or_the_limit_is_reached() -> None:
    problem = _problem()
    engine = engines(problem)
    thetas = hundredth(2)
    known, _ = prove_known(problem, thetas)
    lanes, _, _ = _pairs(1e-3, 1)
    n = lanes.owner.size
    lanes.owner = np.arange(n) + 2
    failed, swallowed = follow(problem, engine, known, lanes, n + 3, Counters(), 200)
    assert failed.size == swallowed.size == n + 3
    assert not failed[[0, 1, n + 2]].any()
    assert not swallowed[[0, 1, n + 2]].any()
    assert swallowed[2 : n + 2].sum() > n / 2
    assert not (failed & swallowed)[[2 + 1, 2 + 2]].any()
    counters = Counters()
    failed, _ = follow(problem, engine, prove_known(problem, [])[0], lanes, n + 3, counters, 5)
    assert failed[2 : n + 2].sum() > n / 2
    assert counters.lanes < 8 * n
    # One too narrow to go on is given back.
    tiny, _, _ = _pairs(1e-11, 1)
    counters = Counters()
    failed, _ = follow(problem, engine, prove_known(problem, [])[0], tiny, n, counters, 10**6)
    assert failed.all()
    assert counters.lanes < 20 * n


def test_nodes_are_contracted_and_those_that_are_zero_go() -> None:
    problem, rng = _problem(), np.random.default_rng(3)
    engine = engines(problem)
    truth = np.array([np.append(p, s[j]) for p, s in _solutions() for j in (0, 1) if s[j].any()]).T
    n = truth.shape[1]
    boxes = np.stack([truth - 0.02 * rng.random(truth.shape), truth + 0.02 * rng.random(truth.shape)])
    boxes[0, -1] = np.maximum(boxes[0, -1], 1e-3)
    zero = np.stack([truth[:, :3] - 1e-6, truth[:, :3] + 1e-6])
    zero[0, 5:], zero[1, 5:] = [[-1e-3]] * 3 + [[0.0]], 1e-3
    away = boxes[:, :, :2] + np.array([0.0] * 5 + [0.5, 0.5, 0.5, 0.0])[:, None]
    counters = Counters()
    nodes, owner, share = contract_nodes(
        problem, engine, np.concatenate([boxes, zero, away], axis=2), np.arange(n + 5) + 100, counters
    )
    assert owner.tolist() == list(range(100, 100 + n))
    assert counters.node_boxes == n + 5 + (n + 3)
    assert (nodes[0] <= truth + 1e-9).all()
    assert (truth <= nodes[1] + 1e-9).all()
    assert ((nodes[1] - nodes[0]) <= boxes[1] - boxes[0] + 1e-12).all()
    g = truth[8] * np.tanh(XOR @ truth[5:8])
    sums = np.concatenate([g, g[FIRST] - g[SECOND]])
    assert share.shape == (2, 10, n)
    assert (share[0] <= sums + 1e-9).all()
    assert (sums <= share[1] + 1e-9).all()
    assert (share[1] - share[0]).max() < 0.5
    once = Counters()
    contract_nodes(_problem(1), engine, boxes, np.arange(n), once)
    assert once.node_boxes == n


def test_members_know_what_they_add_and_what_room_there_is() -> None:
    problem = _problem()
    nodes, share = np.random.default_rng(4).normal(size=(2, 9, 3)), np.arange(60.0).reshape(2, 10, 3)
    found = Bounds(
        np.arange(30.0).reshape(2, 5, 3) / 7,
        np.array([[1.0, 2, 3], [4, 5, 6]]),
        np.arange(24.0).reshape(2, 4, 3) ** 1.5,
        np.zeros(3, dtype=bool),
    )
    members = make_members(problem, nodes, share, found)
    foot, top = found.logits
    assert members.nodes is nodes
    assert np.array_equal(members.part[0], np.vstack([share[0], nodes[0, 8] ** 2]))
    assert np.array_equal(members.part[1], np.vstack([share[1], nodes[1, 8] ** 2]))
    low = np.vstack([foot - found.pull[1, 4], foot[FIRST] - top[SECOND], [1, 2, 3]]) - ROUNDING_SLACK
    high = np.vstack([top - found.pull[0, 4], top[FIRST] - foot[SECOND], [4, 5, 6]]) + ROUNDING_SLACK
    assert np.array_equal(members.room, np.stack([low, high]))
    part = members.take(slice(1, 3))
    for a, b in ((part.nodes, members.nodes), (part.part, members.part), (part.room, members.room)):
        assert np.array_equal(a, b[:, :, 1:3])


def test_members_of_several_tasks_stand_one_after_the_other_each_with_the_zero_node_last() -> None:
    problem = _problem()
    engine, tasks, kept = engines(problem), [], []
    for truth, states in _solutions():
        whole = np.stack([truth - 1e-3, truth + 1e-3])
        nodes = [
            np.concatenate([truth - 1e-4, s - 1e-4, truth + 1e-4, s + 1e-4]).reshape(2, 9) for s in states if s.any()
        ]
        # One beside the residuals of its task, one wider than they.
        nodes.append(nodes[0] + np.array([1.0] * 5 + [0.0] * 4) if nodes else np.zeros((2, 9)) + 9)
        kept.append(len(nodes) - 1)
        tasks.append(Task(whole, np.stack(nodes, axis=2)))
    found = bound(problem, engine, np.stack([t.pull for t in tasks], axis=2))
    live = np.array([1, 3, 5, 7, 11])
    members, starts = _members(problem, engine, tasks, found, live, Counters())
    assert starts.tolist() == np.cumsum([0] + [kept[i] + 1 for i in live]).tolist()
    for place, i in enumerate(live):
        mine = members.take(slice(starts[place], starts[place + 1]))
        assert np.array_equal(mine.nodes[:, :5, -1], found.pull[:, :, i])
        assert not mine.nodes[:, 5:, -1].any()
        assert not mine.part[:, :, -1].any()
        assert mine.room[1, :4, -1] == pytest.approx(found.logits[1, :, i] - found.pull[0, 4, i], abs=1e-8)
        states = [s for s in _solutions()[i][1] if s.any()]
        for k, state in enumerate(states):
            assert np.abs(mine.nodes[:, 5:, k] - state).max() < 2e-4
            assert (mine.nodes[0, :5, k] >= found.pull[0, :, i]).all()
            assert (mine.nodes[1, :5, k] <= found.pull[1, :, i]).all()
            square = mine.part[:, -1, k]
            assert square[0] <= state[3] ** 2 <= square[1]
            # Far narrower in P than the task, and so is the room of its logits.
            assert (mine.room[1] - mine.room[0])[:4, k].max() < (mine.room[1] - mine.room[0])[:4, -1].max()
        total = mine.part[:, :, : len(states)].sum(axis=2)
        assert (total[0] <= mine.room[1].min(axis=1) + 1e-9).all()
        assert (mine.room[0].max(axis=1) - 1e-9 <= total[1]).all()


def test_too_many_choices_are_not_tried_but_split(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _problem(3)
    engine = engines(problem)
    truth, states = _solutions()[7]
    nodes = np.stack(
        [np.concatenate([truth - 0.1, s - 0.1, truth + 0.1, s + 0.1]).reshape(2, 9) for s in states], axis=2
    )
    nodes[0, -1] = np.maximum(nodes[0, -1], 0.01)
    task = Task(np.stack([truth - 0.1, truth + 0.1]), nodes, 5)
    nobody, _ = prove_known(problem, [])

    def examined() -> Survivors | Task | None:
        counters = Counters(pull_boxes=4)
        (found,) = examine_batch(problem, engine, nobody, [task], counters)
        assert counters.pull_boxes == 5
        return found

    # Two nodes and the zero node: 9 pairs in the first step, and each pair that fits with 3 in the second.
    monkeypatch.setattr(search, "COMBINATION_LIMIT", 8)
    split = examined()
    assert isinstance(split, Task)
    assert split.depth == 5
    assert split.nodes.shape == (2, 9, 2)
    assert np.abs(split.nodes[:, 5:].mean(axis=0) - states.T).max() < 0.2
    assert np.array_equal(split.pull, bound(problem, engine, task.pull[:, :, None]).pull[:, :, 0])
    # The task after it is examined all the same.
    nothing = Task(task.pull + 20, task.nodes + 20)
    zero = Task(task.pull, task.nodes[:, :, :0])
    crowded, dead, empty, again = examine_batch(problem, engine, nobody, [task, nothing, zero, task], Counters())
    assert isinstance(crowded, Task)
    assert dead is None
    assert empty is None
    assert isinstance(again, Task)
    monkeypatch.setattr(search, "COMBINATION_LIMIT", 18)
    assert isinstance(examined(), Survivors)
    monkeypatch.setattr(search, "PART_LIMIT", 5)
    assert isinstance(examined(), Task)
    monkeypatch.setattr(search, "PART_LIMIT", 6)
    assert isinstance(examined(), Survivors)


def test_hulls_of_labels() -> None:
    rng = np.random.default_rng(5)
    low, label = rng.normal(size=(3, 40)), rng.integers(0, 4, 40)
    boxes = np.stack([low, low + rng.random((3, 40))])
    hull = _hulls(label, boxes, 5)
    for k in range(4):
        assert np.array_equal(hull[0, :, k], boxes[0][:, label == k].min(axis=1))
        assert np.array_equal(hull[1, :, k], boxes[1][:, label == k].max(axis=1))
    assert (hull[0, :, 4] == np.inf).all()
    assert (hull[1, :, 4] == -np.inf).all()


def test_nodes_in_use_keep_the_hull_of_their_choices() -> None:
    rng = np.random.default_rng(6)
    nodes = np.sort(rng.normal(size=(2, 9, 4)), axis=0)
    hull = np.sort(rng.normal(size=(2, 5, 4)), axis=0)
    hull[0, :, 1], hull[1, :, 1] = np.inf, -np.inf
    before = nodes.copy()
    found = _in_use(nodes, Choices(7, hull, lambda: np.empty((0, 2), dtype=np.intp)), 5)
    assert np.array_equal(nodes, before)
    assert found.size == 7
    assert found.nodes.shape == (2, 9, 2)
    assert np.array_equal(found.nodes[:, :5], hull[:, :, [0, 2]])
    assert np.array_equal(found.nodes[:, 5:], nodes[:, 5:, [0, 2]])
    # The zero node is in the hull of the residuals, though it is never kept.
    assert np.array_equal(found.pull, np.stack([hull[0][:, [0, 2, 3]].min(axis=1), hull[1][:, [0, 2, 3]].max(axis=1)]))


def test_lanes_are_the_meets_of_their_nodes() -> None:
    rng = np.random.default_rng(7)
    nodes = np.sort(rng.normal(size=(2, 9, 4)), axis=0)
    choices = np.array([[0, 1], [2, 2], [1, 3]])
    lanes = _lanes(5, nodes, choices, np.array([4, 4, 5]))
    for k, (i, j) in enumerate(choices):
        assert np.array_equal(lanes.reach[0, :, k], np.maximum(nodes[0, :5, i], nodes[0, :5, j]))
        assert np.array_equal(lanes.reach[1, :, k], np.minimum(nodes[1, :5, i], nodes[1, :5, j]))
        assert np.array_equal(lanes.states[:, 0, :, k], nodes[:, 5:, i])
        assert np.array_equal(lanes.states[:, 1, :, k], nodes[:, 5:, j])
    assert lanes.owner.tolist() == [4, 4, 5]


def test_what_is_left_of_lanes_is_the_hull_of_each_node() -> None:
    rng = np.random.default_rng(8)
    reach = np.sort(rng.normal(size=(2, 5, 3)), axis=0)
    states = np.sort(rng.normal(size=(2, 2, 4, 3)), axis=0)
    choices = np.array([[0, 4], [4, 7], [0, 7]])
    states[:, 1, :, 1] = states[:, 1, :, 2] = 0.0
    found = _hull_of_lanes(Lanes(reach, states, np.arange(3)), choices)
    assert found.size == 3
    assert np.array_equal(found.pull, np.stack([reach[0].min(axis=1), reach[1].max(axis=1)]))
    wanted = {0: [(0, 0), (2, 0)], 4: [(0, 1), (1, 0)]}
    assert found.nodes.shape == (2, 9, 2)  # node 7 is the zero node
    for k, (_, places) in enumerate(sorted(wanted.items())):
        boxes = [np.concatenate([reach[:, :, lane], states[:, node, :, lane]], axis=1) for lane, node in places]
        assert np.array_equal(found.nodes[0, :, k], np.minimum(boxes[0][0], boxes[1][0]))
        assert np.array_equal(found.nodes[1, :, k], np.maximum(boxes[0][1], boxes[1][1]))


def test_choices_of_one_node_are_sifted_and_told_apart_by_why_they_close() -> None:
    problem = _problem(1)
    thetas = hundredth(1)
    known, _ = prove_known(problem, [thetas[1]])
    many = []
    for place, (number, shift) in zip((2, 0, 1, 3), ((1, 0.0), (3, 0.0), (3, 0.5), (3, 0.6)), strict=True):
        states, pull, _ = solution(thetas[number])
        states, pull = swapped(states, pull)
        truth = np.concatenate([pull, [pull.sum()], states[0]])
        box = _around(np.random.default_rng(9), truth, 1e-6, 3) + shift * (np.arange(9) == 5)[:, None]
        many.append((place, box, np.array([[0], [2]])))
    before = Task(np.zeros((2, 5)), np.zeros((2, 9, 1)))
    results: list[Survivors | Task | None] = [before] * 5
    counters = Counters()
    _sift(problem, engines(problem), known, many, results, counters)
    assert results[2] is None
    assert results[1] is None
    assert results[3] is None
    assert results[4] is before
    assert counters.closed == {"known": 1, "joint": 2}
    left = results[0]
    assert isinstance(left, Survivors)
    assert left.nodes.shape == (2, 9, 2)
    reach = many[1][1][:, :5, [0, 2]]
    assert (reach[0].min(axis=1) - 1e-12 <= left.pull[0]).all()
    assert (left.pull[1] <= reach[1].max(axis=1) + 1e-12).all()


# The queue -----------------------------------------------------------------------------------------------------------


def test_a_residual_box_is_halved_where_it_is_widest_and_its_nodes_go_along() -> None:
    problem = _problem()
    base = np.zeros((2, 5))
    nodes = np.zeros((2, 9, 3))
    for axis in range(5):
        pull = base.copy()
        pull[1] = [2.5, 2.5, 2.5, 2.5, 0.39]
        pull[0, axis], pull[1, axis] = -1.0, 3.0
        nodes[0, :5], nodes[1, :5] = pull[0][:, None], pull[1][:, None]
        nodes[:, axis] = [[-1.0, -1.0, 1.5], [0.5, 1.0, 3.0]]
        left, right = drive._split_pull(problem, Task(pull, nodes.copy()))
        for half, ends, kept in ((left, (-1.0, 1.0), [0, 1]), (right, (1.0, 3.0), [1, 2])):
            assert half.pull[:, axis].tolist() == list(ends)
            assert np.array_equal(np.delete(half.pull, axis, axis=1), np.delete(pull, axis, axis=1))
            assert np.array_equal(half.nodes, nodes[:, :, kept])
    # P / kappa against a quarter of gamma.
    assert drive._pull_scale(problem).tolist() == [0.04, 0.04, 0.04, 0.04, 0.25]


def _survivors(pull: np.ndarray, count: int, spread: float, size: int = 1) -> Survivors:
    nodes = np.zeros((2, 9, count))
    nodes[:, :5] = pull[:, :, None]
    nodes[1, 5] = spread
    return Survivors(pull, nodes, size)


def test_what_follows_from_survivors() -> None:
    problem = _problem()
    pull = np.array([[-1.0, 1.0, 1.0, -1.0, 0.0], [-0.9, 1.1, 1.1, -0.9, 0.1]])
    task = Task(pull, np.zeros((2, 9, 1)), 3)

    def split(found: Survivors | None, which: ReducedProblem = problem, before: Task = task) -> str:
        following = drive._next(which, before, found)
        if following is None:
            return "given up"
        if len(following) == 2:
            assert all(t.nodes.shape[2] == found.nodes.shape[2] for t in following)
            return "residuals"
        (child,) = following
        assert np.array_equal(child.pull, found.pull)
        return "again" if child.nodes is found.nodes else "nodes"

    assert split(_survivors(pull, 1, 1.0)) == "nodes"
    # A box that shrank to less than 0.6 in any one direction is examined as it is.
    for row in range(5):
        for share, wanted in ((0.59, "again"), (0.61, "nodes")):
            narrow = pull.copy()
            narrow[1, row] = narrow[0, row] + 0.1 * share
            assert split(_survivors(narrow, 1, 1.0), before=task) == wanted
    # No node, too many nodes, too many choices under a wide box: residuals.
    assert split(_survivors(pull, 0, 0.0)) == "residuals"
    assert split(_survivors(pull, 12000, 1.0)) == "nodes"
    assert split(_survivors(pull, 12001, 1.0)) == "residuals"
    assert split(_survivors(pull, 1000, 1.0), _problem(1)) == "nodes"
    assert split(_survivors(pull, 1001, 1.0), _problem(1)) == "residuals"
    assert split(_survivors(pull, 300, 1.0), _problem(3)) == "nodes"
    assert split(_survivors(pull, 301, 1.0), _problem(3)) == "residuals"
    for nodes in (4, 5):
        assert split(_survivors(pull, 80, 1.0), _problem(nodes)) == "nodes"
        assert split(_survivors(pull, 81, 1.0), _problem(nodes)) == "residuals"
    # gamma weighs 1/4: a width of 0.1 is 0.025, twice that 0.05.
    assert split(_survivors(pull, 1, 0.049, 81)) == "residuals"
    assert split(_survivors(pull, 1, 0.051, 81)) == "nodes"
    assert split(_survivors(pull, 1, 0.049, 80)) == "nodes"
    assert split(_survivors(pull, 1, 0.049, 81), _problem(1)) == "nodes"
    # Below double precision's use, in every direction.
    flat = np.stack([pull[0], pull[0]])
    for row, width in ((0, 2.5e-7), (4, 1e-8)):
        for share, wanted in ((0.96, "given up"), (1.04, "nodes")):
            thin = flat.copy()
            thin[1, row] += share * width
            assert split(_survivors(thin, 1, 0.0), before=Task(thin, task.nodes)) == wanted
    assert split(_survivors(flat, 1, 0.9e-8), before=Task(flat, task.nodes)) == "given up"
    assert split(_survivors(flat, 1, 1.1e-8), before=Task(flat, task.nodes)) == "nodes"
    assert split(_survivors(flat, 0, 0.0), before=Task(flat, task.nodes)) == "given up"


def test_a_node_is_halved_where_it_is_widest_against_the_weights() -> None:
    problem = _problem()
    pull = np.array([[-1.0, 1.0, 1.0, -1.0, 0.0], [9.0, 11.0, 11.0, 9.0, 10.0]])
    task = Task(pull, np.zeros((2, 9, 1)))
    # P weighs 0.3 / kappa = 0.012, gamma 0.25, weights and outputs 1.
    for widths, axis in (
        ([5, 1, 1, 1, 0.2, 0.05, 0.05, 0.05, 0.05], 0),
        ([1, 1, 1, 5, 0.2, 0.05, 0.05, 0.05, 0.05], 3),
        ([5, 1, 1, 1, 0.25, 0.05, 0.05, 0.05, 0.05], 4),
        ([5, 1, 1, 1, 0.2, 0.05, 0.07, 0.05, 0.05], 6),
        ([5, 1, 1, 1, 0.2, 0.05, 0.05, 0.05, 0.07], 8),
    ):
        nodes = np.zeros((2, 9, 1))
        nodes[1, :, 0] = widths
        (child,) = drive._next(problem, task, Survivors(pull, nodes.copy(), 1))
        assert child.nodes.shape == (2, 9, 2)
        left, right = child.nodes.transpose(2, 1, 0)
        assert np.flatnonzero((left != right).any(axis=1)).tolist() == [axis]


def test_what_was_examined_is_put_in_its_place() -> None:
    problem = _problem()
    wide, narrow = np.array([[0.0] * 5, [8.0] * 5]), np.array([[1.0] * 5, [1.0 + 1e-10] * 5])
    nodes = np.zeros((2, 9, 2))
    tasks = [Task(wide, nodes, 4), Task(wide + 1, nodes, 5), Task(narrow, nodes, 6), Task(wide, nodes, 7)]
    earlier = Task(wide, nodes, 9)
    queue = drive._Queue([(tasks[0], 0.125)], [earlier], [np.zeros(11)], 0.25, Counters(1, 1, 1, 1))
    future: Future[Any] = Future()
    batch = list(zip(tasks, (0.1, 0.2, 0.3, 0.4), strict=True))
    queue.out[future] = batch
    assert queue.waiting() == [(tasks[0], 0.125), *batch]
    future.set_result(
        (
            [Task(wide, nodes, 0), None, Survivors(narrow, nodes, 1), _survivors(wide * 0.5, 2, 1.0)],
            Counters(4, 40, 400, 4000, {"joint": 1}),
        )
    )
    drive._receive(problem, queue, future)
    assert not queue.out
    assert [row.tolist() for row in queue.log] == [[0.0] * 11, [*[1.0] * 5, *[9.0] * 5, 5.0]]
    first, left = queue.undecided
    assert first is earlier
    assert (left.depth, left.pull is narrow, left.nodes is nodes) == (6, True, True)
    assert queue.share == pytest.approx(0.25 + 0.2 + 0.3)
    assert [(t.depth, w) for t, w in queue.tasks] == [(4, 0.125), (5, 0.05), (5, 0.05), (8, 0.4)]
    assert queue.counters == Counters(5, 41, 401, 4001, {"joint": 1})


def _origin(size: int) -> StationaryPoint:
    return StationaryPoint(
        theta=np.zeros(size), loss=np.log(2), gradient_norm=0.0, spectrum=np.ones(size), index=0, nullity=0,
        orbit_size=1, outcome=Outcome.CONVERGED)  # fmt: skip


def test_a_search_counts_reports_and_stops_when_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="3e-2")
    reports: list[drive.Progress] = []
    result = enumerate_points(spec, [np.zeros(7)], progress=reports.append)
    assert (reports[-1].waiting, reports[-1].undecided) == (0, 0)
    assert reports[-1].boxes_handled == result.boxes_handled
    assert reports[-1].node_boxes == result.node_boxes
    assert reports[-1].share == pytest.approx(1)
    assert 0 < reports[0].share + 0.01 < reports[len(reports) // 2].share + 0.02 < 1.1
    assert all(a.seconds <= b.seconds for a, b in pairwise(reports))
    assert 0 < reports[-1].seconds <= result.seconds
    assert result.share == 1.0
    assert len(result.log) == sum(result.state["closed"].values())
    with pytest.raises(ValueError, match="read-only"):
        result.log[0] = 0
    ticks = iter(range(100, 1000))
    part = enumerate_points(spec, [np.zeros(7)], budget_seconds=4.0, clock=lambda: float(next(ticks)))
    assert 0 < part.boxes_handled < result.boxes_handled
    assert part.verdict is Verdict.UNDECIDED
    assert 0 <= part.share < 1
    assert len(part.undecided) == len(part.state["tasks"])
    assert part.undecided[0].states.shape[:2] == (2, 4)
    assert part.undecided[0].pull.shape == (2, 5)
    with pytest.raises(ValueError, match="read-only"):
        part.undecided[0].pull[0] = 0
    assert enumerate_points(spec, [np.zeros(7)], max_boxes=0).boxes_handled == 0
    with pytest.raises(CertificateError, match="undecided boxes"):
        EnumerationResult(
            verdict=Verdict.CERTIFIED, classes=(), unproved=(), undecided=part.undecided, boxes_handled=0, node_boxes=0,
            combinations=0, share=1.0, seconds=0.0, log=np.empty((0, 11)), digest="", state={})  # fmt: skip
    # A limit counts the boxes of this run, not those of the state.
    first = enumerate_points(spec, [np.zeros(7)], max_boxes=40)
    further = enumerate_points(spec, [np.zeros(7)], state=first.state, max_boxes=40)
    assert 40 <= further.boxes_handled - first.boxes_handled < 60
    rest = enumerate_points(spec, [np.zeros(7)], state=further.state)
    for name in ("boxes_handled", "node_boxes", "combinations", "digest"):
        assert getattr(rest, name) == getattr(result, name)
    assert rest.state["closed"] == result.state["closed"]
    # A state is kept after KEEP_SECONDS, not before; points may be records of a search.
    kept: list[Any] = []
    same = enumerate_points(spec, [_origin(7)], keep=kept.append, clock=lambda: 1e6)
    assert (same.digest, same.seconds, kept) == (result.digest, 0.0, [])
    # Boxes left undecided go back to the queue of the next run.
    state = dict(part.state)
    state["undecided"], state["tasks"] = [entry[:3] for entry in state["tasks"]], []
    shares: list[float] = []
    again = enumerate_points(spec, [np.zeros(7)], state=state, progress=lambda now: shares.append(now.share))
    assert again.verdict is Verdict.CERTIFIED
    # They carry no share of the whole: what they had was lost when they were left.
    assert shares[-1] == pytest.approx(part.share)
    assert (again.digest, again.share) == (result.digest, 1.0)
    # A digest speaks of the question, of the points and of the log.
    assert enumerate_points(spec, [np.zeros(7)]).digest == result.digest
    other = enumerate_points(spec.with_(penalty="31/1000"), [np.zeros(7)])
    assert len({other.digest, part.digest, result.digest}) == 3
    questions = product((spec, spec.with_(penalty="0.04")), ([], [np.zeros(7)]))
    assert len({enumerate_points(*question, max_boxes=0).digest for question in questions}) == 4
    # A box below double precision's use stays undecided, and the list is never called complete.
    monkeypatch.setattr(drive, "LEAST_WIDTH", 1e3)
    none = enumerate_points(spec, [np.zeros(7)])
    assert none.verdict is Verdict.UNDECIDED
    assert len(none.undecided) == len(none.state["undecided"]) == 1
    assert none.state["tasks"] == []
    assert none.share == pytest.approx(1.0)


def test_the_digest_of_a_proof_speaks_of_all_but_its_time() -> None:
    def saved(seconds: float, claim: str, **more: str) -> str:
        step = {"seconds": seconds, "claim": claim}
        return json.dumps({**more, "seconds": seconds, "steps": [step], "name": "T"})

    assert _timeless(saved(1, "x")) == _timeless(saved(2, "x"))
    assert _timeless(saved(1, "x", name="T")) == _timeless(saved(1, "x"))
    assert _timeless(saved(1, "x")) != _timeless(saved(1, "y"))


@pytest.fixture
def theorem(monkeypatch: pytest.MonkeyPatch) -> None:
    """T9 as if proved: it takes ten seconds, and test_enumeration proves it."""
    stub = OriginAlone(verdict=Verdict.CERTIFIED, theorem="T9-xor", digest="of the proof")
    monkeypatch.setattr(drive, "origin_alone", lambda spec: stub)


@pytest.mark.usefixtures("theorem")
def test_the_theorem_answers_for_the_origin_only() -> None:
    spec = builtin("xor-pm").with_(hidden=(2,), penalty="0.1")
    ticks = iter((1.0, 3.5))
    result = enumerate_by_theorem(spec, [np.zeros(12)], clock=lambda: next(ticks))
    assert (result.verdict, result.theorem, result.share, result.seconds) == (Verdict.CERTIFIED, "T9-xor", 1.0, 2.5)
    assert (result.boxes_handled, result.node_boxes, result.combinations, result.log.shape) == (0, 0, 0, (0, 11))
    assert (len(result.classes), result.unproved, result.undecided, result.state["tasks"]) == (1, (), (), [])
    assert enumerate_by_theorem(spec, [_origin(12)]).digest == result.digest
    nobody = enumerate_by_theorem(spec, [np.full(12, 9.0)])
    assert (nobody.verdict, nobody.unproved, nobody.share) == (Verdict.UNDECIDED, (0,), 0.0)
    (box,) = nobody.undecided
    whole = first_task(reduced_problem(spec))
    assert np.array_equal(box.pull, whole.pull)
    assert np.array_equal(box.states, whole.nodes[:, 5:])
    assert len(nobody.state["tasks"]) == 1
    assert (nobody.state["tasks"][0][3], nobody.state["share"]) == (1.0, 0.0)
    assert nobody.digest != result.digest
    assert enumerate_points(spec, [np.zeros(12)], state=nobody.state, max_boxes=0).undecided


@pytest.mark.usefixtures("theorem")
def test_a_point_that_the_theorem_excludes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.1")
    problem = reduced_problem(spec)
    (origin,) = prove_known(problem, [np.zeros(7)])[0].classes
    for shift, gamma, excluded in ((0.0, 0.0, False), (0.9, 0.9, False), (1.1, 0.0, True), (0.0, -1.1, True)):
        moved = replace(origin, centre=origin.centre + shift * origin.radius, bias=gamma * origin.radius, number=5)
        known = replace(prove_known(problem, [])[0], classes=(moved,))
        monkeypatch.setattr(drive, "prove_known", lambda *args, known=known: (known, ()))
        if excluded:
            with pytest.raises(CertificateError, match="point 5 is stationary and not the origin"):
                enumerate_by_theorem(spec, [])
        else:
            assert enumerate_by_theorem(spec, []).verdict is Verdict.CERTIFIED
    assert UndecidedBox(pull=np.zeros((2, 5)), states=np.zeros((2, 4, 1))).pull.flags.writeable is False
