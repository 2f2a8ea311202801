"""Complete enumeration: what it calls complete is complete, and it never says so of a list with a hole."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import fields, replace
from itertools import combinations_with_replacement, count, product
from multiprocessing import get_context
from typing import Any

import networkx as nx
import numpy as np
import pytest

from symland.datasets import make_data
from symland.errors import CertificateError, SpecError
from symland.records import Verdict
from symland.rigor.enumeration import (
    Progress,
    choices,
    enumerate_by_theorem,
    enumerate_points,
    examine,
    theorem_applies,
)
from symland.rigor.enumeration.choices import first_choices, follow
from symland.rigor.enumeration.examine import Members, _clusters, choose_nodes, examine_batch
from symland.rigor.enumeration.joint import Picks, sift
from symland.rigor.enumeration.known import prove_known
from symland.rigor.enumeration.matching import match
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.search import Closed, Engines, Search, Survivors, Task, engines, first_task
from symland.rigor.enumeration.slabs import run_through
from symland.rigor.enumeration.splitting import bisect_nodes
from symland.spec import builtin
from tests.rigor.reduced import hundredth, multistart, pulls, solution, swapped


@pytest.mark.parametrize("nodes", [1, 2])
def test_what_is_compiled_for_choices_gives_what_numpy_gives_bit_for_bit(nodes: int) -> None:
    problem = reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty="2e-2"))
    search = Search.of(problem, prove_known(problem, [np.zeros(5 * nodes + 2)])[0])
    engine, plain = choices._engine(problem, True), choices._engine(problem, False)
    table, seen = first_choices(problem), 0
    for _ in range(12):
        some = table[:, :: 1 + table.shape[1] // 40]
        fast, slow = engine.run(some), plain.run(some)
        assert np.array_equal(fast, slow)
        seen += some.shape[1]
        left = choices._examined(search, table)
        table = choices._halves(problem, left.table, left.axis)
    assert seen > 100


def test_all_that_covers_of_nodes_compile_gives_what_numpy_gives_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, int] = {}

    def checked(problem: ReducedProblem, compiled: bool = True) -> Engines:
        def both(name: str) -> Any:
            found = getattr(engines(problem), name)
            fast, plain = found.run, getattr(engines(problem, compiled=False), name).run

            def run(inputs: np.ndarray) -> np.ndarray:
                out, number = fast(inputs), calls.setdefault(name, 0)
                calls[name] += 1
                if number % 10 == 0:
                    some = slice(None, None, 1 + inputs.shape[1] // 50)
                    assert np.array_equal(out[:, some], plain(inputs[:, some]))
                return out

            return replace(found, run=run)

        return Engines(**{part.name: both(part.name) for part in fields(Engines)})

    monkeypatch.setattr("symland.rigor.enumeration.search.engines", checked)
    problem = reduced_problem(builtin("xor").with_(hidden=(2,), penalty="1e-1"))
    search = Search.of(problem, prove_known(problem, [np.zeros(12)])[0])
    run = run_through(search, [first_task(problem)], lambda: 0.0, 1.0)
    assert (run.left, run.queue) == ([], [])
    assert len(calls) == 6
    assert min(calls.values()) > 30


def test_one_node_at_a_tenth_has_only_the_origin() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [np.zeros(7)])
    assert result.verdict is Verdict.CERTIFIED
    assert len(result.classes) == 1
    assert result.share == 1.0


@pytest.mark.usefixtures("small_steps")
def test_one_node_at_a_fiftieth_has_three_classes_and_the_proof_resumes() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="2e-2")
    points = multistart(1, 0.02, 60)
    assert len(points) == 3
    part = enumerate_points(spec, points, max_boxes=2000)
    assert part.verdict is Verdict.UNDECIDED
    assert part.undecided
    again = enumerate_points(spec, [*points, points[0]], state=json.loads(json.dumps(part.state)))
    assert again.verdict is Verdict.CERTIFIED
    assert len(again.classes) == 3


@pytest.mark.parametrize(
    ("nodes", "penalty", "examined"), [(1, "3e-2", 5112), (1, "1e-3", 248272), (2, "5e-2", 514291)]
)
def test_the_search_needs_no_more_work_than_it_did(nodes: int, penalty: str, examined: int) -> None:
    """Its bounds and its rules for halving decide how far it gets: a change for the better writes new counts here."""
    spec = builtin("xor").with_(hidden=(nodes,), penalty=penalty)
    points = multistart(1, 0.001, 200) if penalty == "1e-3" else [np.zeros(5 * nodes + 2)]
    result = enumerate_points(spec, points, lookout=0)
    assert result.verdict is Verdict.CERTIFIED
    # Platforms differ in the last digits of the known points.
    assert result.boxes_handled == pytest.approx(examined, rel=0.01)


@pytest.mark.parametrize(
    ("nodes", "penalty", "boxes", "node_boxes", "choices", "closed"),
    [
        (1, "3e-2", 138, 296352, 78479, {"residuals": 0, "joint": 10, "known": 2}),
        (2, "1e-1", 322, 206224, 1355751, {"residuals": 5, "joint": 21, "logits": 9, "known": 15}),
    ],
)
def test_a_search_over_covers_of_nodes_needs_no_more_work_than_it_did(
    nodes: int, penalty: str, boxes: int, node_boxes: int, choices: int, closed: dict[str, int]
) -> None:
    """The same of what slabs of penalties use, here at one penalty."""
    problem = reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty=penalty))
    search = Search.of(problem, prove_known(problem, [np.zeros(5 * nodes + 2)])[0])
    run = run_through(search, [first_task(problem)], lambda: 0.0, 1.0)
    assert (run.left, run.queue) == ([], [])
    # Platforms differ in the last digit of a logarithm that guesses.
    assert run.counters.pull_boxes == pytest.approx(boxes, rel=0.01)
    assert run.counters.node_boxes == pytest.approx(node_boxes, rel=0.01)
    assert run.counters.combinations == pytest.approx(choices, rel=0.01)
    assert {**dict.fromkeys(closed, 0), **run.counters.closed} == pytest.approx(closed, abs=2)


@pytest.mark.usefixtures("small_steps")
def test_an_interruption_loses_no_box_and_the_search_goes_on_to_the_same_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="3e-2")
    known = [np.zeros(7)]
    whole = enumerate_points(spec, known)
    calls, kept = count(), []

    def broken(*args: Any) -> Any:
        found = follow(*args)
        if next(calls) == 10:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr("symland.rigor.enumeration.drive.follow", broken)
        with pytest.raises(KeyboardInterrupt):
            enumerate_points(spec, known, keep=kept.append)
    assert len(kept) == 1
    again = enumerate_points(spec, known, state=json.loads(json.dumps(kept[0])))
    assert (again.verdict, again.digest) == (Verdict.CERTIFIED, whole.digest)
    # What is kept while it runs serves a search that is killed.
    later = count(step=200)
    enumerate_points(spec, known, max_boxes=2000, keep=kept.append, clock=lambda: float(next(later)))
    assert len(kept) > 3
    assert kept[1]["tables"] != kept[2]["tables"]
    again = enumerate_points(spec, known, state=json.loads(json.dumps(kept[2])))
    assert (again.verdict, again.digest) == (Verdict.CERTIFIED, whole.digest)


@pytest.mark.usefixtures("small_steps")
def test_workers_find_the_same_proof_and_may_be_interrupted() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="3e-2")
    known = [np.zeros(7)]
    kept: list[dict[str, Any]] = []

    def stop(progress: Progress) -> None:
        if progress.boxes_handled > 1000:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(3) as pool:
        whole = enumerate_points(spec, known, executor=pool, workers=3)
        with pytest.raises(KeyboardInterrupt):
            enumerate_points(spec, known, executor=pool, workers=3, progress=stop, keep=kept.append)
        part = enumerate_points(spec, known, executor=pool, workers=3, max_boxes=500)
    assert part.verdict is Verdict.UNDECIDED
    assert (whole.verdict, whole.digest) == (Verdict.CERTIFIED, enumerate_points(spec, known).digest)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(os._exit, 1)
        with pytest.raises(CertificateError, match="worker"):
            enumerate_points(spec, known, executor=pool, keep=kept.append)
    assert kept[1]["tables"]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for state in (kept[0], part.state):
            # The other process has the usual steps, and so other marks and leaves.
            again = enumerate_points(spec, known, state=state, executor=pool)
            assert again.verdict is Verdict.CERTIFIED
            assert again.boxes_handled == whole.boxes_handled


def test_a_deleted_class_leaves_a_box_open_that_holds_it() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [], budget_seconds=4.0, lookout=0)
    assert result.verdict is Verdict.UNDECIDED
    origin = np.array([-2.5 / 2, 2.5 / 2, 2.5 / 2, -2.5 / 2, 0.0])
    assert any(((box.pull[0] <= origin) & (origin <= box.pull[1])).all() for box in result.undecided)


def test_a_point_that_is_not_stationary_holds_nothing() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [np.full(7, 1e6)], max_boxes=100, lookout=0)
    assert result.unproved == (0,)
    assert result.verdict is Verdict.UNDECIDED


def test_a_state_of_another_question_or_list_is_refused() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    points = hundredth(1)
    part = enumerate_points(spec, points, max_boxes=0)
    with pytest.raises(CertificateError, match="another specification"):
        enumerate_points(spec.with_(penalty="2e-2"), points, state=part.state)
    with pytest.raises(CertificateError, match="not in this list"):
        enumerate_points(spec, points[1:], state=part.state)


def test_the_compiled_matching_finds_the_pairs_and_hulls_that_numpy_finds() -> None:
    rng = np.random.default_rng(0)
    for n, k in ((5, 3), (120, 90), (17, 40), (1, 1), (700, 50), (0, 4), (4, 0)):
        # Multiples of 1/4: many ends touch.
        lower, begin, part, length = (
            np.round(4 * x) / 4
            for x in (rng.normal(size=(4, n)), rng.normal(size=(3, n)), rng.normal(size=(3, k)), rng.random((4, n)))
        )
        upper, end, part_end = lower + length, begin + 2, part + 2
        most = np.round(4 * rng.normal(size=(4, k))) / 4 + 1
        first = rng.integers(0, max(n, 1), size=k)
        fits = ((lower[:, None] <= most[:, :, None]) & (upper[:, None] >= most[:, :, None] - 2)).all(axis=0)
        meet = np.maximum(part[:, :, None], begin[:, None]), np.minimum(part_end[:, :, None], end[:, None])
        fits &= (meet[0] <= meet[1]).all(axis=0) & (np.arange(n) >= first[:, None])
        found = match((lower, upper), (most, most - 2), (begin, end), (part, part_end), first)
        assert np.array_equal(np.stack(found.pairs()), np.stack(np.nonzero(fits)))
        assert found.size == fits.sum()
        low, high = np.where(fits, meet[0], np.inf), np.where(fits, meet[1], -np.inf)
        assert np.array_equal(
            found.first, np.stack([low.min(axis=2, initial=np.inf), high.max(axis=2, initial=-np.inf)])
        )
        assert np.array_equal(
            found.second, np.stack([low.min(axis=1, initial=np.inf), high.max(axis=1, initial=-np.inf)])
        )


def test_halves_cover_their_box_and_stand_side_by_side() -> None:
    low = np.random.default_rng(0).normal(size=(3, 5))
    nodes, width = np.stack([low, low + np.array([1.0, 2.0, 4.0, 8.0, 16.0])]), np.zeros((3, 5))
    width[[2, 0, 1], [0, 3, 4]] = 1.0
    halves = bisect_nodes(nodes, width)
    at = 0
    for k in range(5):
        axis = np.flatnonzero(width[:, k])
        parts = halves[:, :, at : at + 1 + axis.size]
        at += parts.shape[2]
        assert np.array_equal(parts[0].min(axis=1), nodes[0, :, k])
        assert np.array_equal(parts[1].max(axis=1), nodes[1, :, k])
        for row in axis:
            assert parts[1, row, 0] == parts[0, row, 1] == (nodes[0, row, k] + nodes[1, row, k]) / 2
            assert np.array_equal(np.delete(parts[:, :, 0], row, axis=1), np.delete(parts[:, :, 1], row, axis=1))
    assert at == halves.shape[2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_choices_of_nodes_are_those_of_a_plain_search(count: int) -> None:
    rng = np.random.default_rng(count)
    n, rows = 42 // count, 5
    # Multiples of 1/4: many ends touch.
    begin, low, floor = (np.round(4 * rng.normal(size=(k, n))) / 4 for k in (rows, 6, 6))
    floor -= 1
    nodes = np.stack([np.concatenate([begin, low[:4]]), np.concatenate([begin + 3, low[:4] + 1])])
    members = Members(nodes, np.stack([low, low + 1]), np.stack([floor, floor + 2.5]))
    wanted, hull = [], np.stack([np.full((rows, n), np.inf), np.full((rows, n), -np.inf)])
    for choice in map(list, combinations_with_replacement(range(n), count)):
        meet = nodes[0, :rows, choice].max(axis=0), nodes[1, :rows, choice].min(axis=0)
        least, most = low[:, choice].sum(axis=1), (low[:, choice] + 1).sum(axis=1)
        room = floor[:, choice].max(axis=1), (floor[:, choice] + 2.5).min(axis=1)
        if (meet[0] <= meet[1]).all() and (least <= room[1]).all() and (most >= room[0]).all():
            wanted.append(choice)
            for j in choice:
                hull[0, :, j] = np.minimum(hull[0, :, j], meet[0])
                hull[1, :, j] = np.maximum(hull[1, :, j], meet[1])
    found = choose_nodes(members, rows, count)
    assert found is not None
    assert len(wanted) > 3
    assert sorted(found.listed().tolist()) == wanted
    assert found.size == len(wanted)
    assert np.array_equal(found.hull, hull)


def test_clusters_cover_their_boxes() -> None:
    rng = np.random.default_rng(2)
    low = rng.normal(size=(9, 60)) * 2
    boxes = np.stack([low, low + 1.5])
    hulls = _clusters(boxes, 5)
    held = (hulls[0][:, :, None] <= boxes[0][:, None]) & (boxes[1][:, None] <= hulls[1][:, :, None])
    assert 1 < hulls.shape[2] < 60
    assert held.all(axis=0).any(axis=0).all()
    # The plain account: boxes of states that share a point hang together.
    state = boxes[:, 5:]
    touch = ((state[0][:, :, None] <= state[1][:, None]) & (state[0][:, None] <= state[1][:, :, None])).all(axis=0)
    groups = [sorted(group) for group in nx.connected_components(nx.from_numpy_array(touch))]
    wanted = [np.stack([boxes[0][:, group].min(axis=1), boxes[1][:, group].max(axis=1)]) for group in groups]
    assert sorted(map(np.ndarray.tolist, hulls.transpose(2, 0, 1))) == sorted(map(np.ndarray.tolist, wanted))


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05, 0.4])
def test_a_residual_box_about_a_pair_of_nodes_is_closed_only_by_the_list(
    width: float, clusters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if clusters:
        for name, value in (("JOINT_LIMIT", 0), ("CLUSTER_PULL", 1.0), ("CLUSTER_WIDTH", 9.0)):
            monkeypatch.setattr(examine, name, value)
    problem = reduced_problem(builtin("xor").with_(hidden=(2,), penalty="1e-2"))
    rng = np.random.default_rng(11)
    tried = set()
    for theta in hundredth(2)[::2]:
        states, _, bias = solution(theta)
        # One node may be zero: zero nodes are allowed everywhere and have no boxes.
        states = states[np.abs(states).max(axis=1) > 1e-3]
        if not states.size:
            continue
        states, pull = swapped(states, pulls(states, bias))
        truth = np.append(pull, pull.sum())
        whole = np.stack([truth - width * rng.random(5) - 1e-9, truth + width * rng.random(5) + 1e-9])
        nodes = []
        for state in states:
            # 256 boxes that hang together, the state in one of the middle.
            corner = state - width * (1.2 + 0.6 * rng.random(4))
            for place in product(range(4), repeat=4):
                low = corner + width * np.array(place)
                nodes.append(np.stack([np.append(whole[0], low), np.append(whole[1], low + width)]))
        boxes = np.stack(nodes, axis=2)
        boxes[:, -1] = np.maximum(boxes[:, -1], 0.0)
        for known in (prove_known(problem, [])[0], prove_known(problem, [theta])[0]):
            (left,) = examine_batch(Search.of(problem, known), [Task(whole, boxes.copy(), whole)])
            if known.classes:
                assert isinstance(left, Closed) or width > 1e-3
                continue
            assert isinstance(left, Survivors)
            assert (left.pull[0] - 1e-9 <= truth).all()
            assert (truth <= left.pull[1] + 1e-9).all()
            for state in states:
                whose = np.append(truth, state)[:, None]
                assert ((left.nodes[0] - 1e-9 <= whose) & (whose <= left.nodes[1] + 1e-9)).all(axis=0).any()
        tried.add(len(states))
    assert tried == {1, 2}


def test_a_lane_about_a_solution_is_never_dropped_unless_the_list_holds_it() -> None:
    problem = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="1e-2"))
    rng = np.random.default_rng(5)
    for theta in hundredth(1):
        states, pull, _ = solution(theta)
        if np.abs(states).max() < 1e-9:
            continue  # the zero node is allowed everywhere, so boxes that hold no other may go
        states, pull = swapped(states, pull)
        truth = np.concatenate([pull, [pull.sum()], states[0]])[:, None]
        low = truth - 0.3 * rng.random((9, 40)) - 1e-9
        high = truth + 0.3 * rng.random((9, 40)) + 1e-9
        low[-1] = np.maximum(low[-1], 0.0)
        nobody, _ = prove_known(problem, [])
        boxes = np.stack([low, high])
        lanes = Picks(boxes[:, :5].copy(), boxes[:, None, 5:].copy(), np.arange(40))
        left = sift(Search.of(problem, nobody), lanes).picks
        assert np.array_equal(left.owner, np.arange(40))
        assert (left.reach[0] <= truth[:5] + 1e-9).all()
        assert (left.reach[1] >= truth[:5] - 1e-9).all()
        assert (left.states[0, 0] <= truth[5:] + 1e-9).all()
        assert (left.states[1, 0] >= truth[5:] - 1e-9).all()


def test_the_theorem_gives_three_nodes_at_once_and_refuses_what_it_does_not_cover() -> None:
    spec = builtin("xor-pm").with_(hidden=(3,), penalty="0.1")
    result = enumerate_by_theorem(spec, [np.zeros(17)])
    assert result.verdict is Verdict.CERTIFIED
    assert result.theorem == "T9-xor"
    assert enumerate_by_theorem(spec, [np.full(17, 1e6)]).verdict is Verdict.UNDECIDED
    assert theorem_applies(builtin("xor").with_(hidden=(9,), penalty="0.048"))
    assert not theorem_applies(builtin("xor").with_(hidden=(2, 2), penalty="0.048"))
    assert not theorem_applies(builtin("parity3").with_(hidden=(2,), penalty="0.5"))
    for inputs, labels, applies in (
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [1, 0, 0, 1], True),
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [1, 0, 1, 0], False),
        ([[0, 0], [0, 1], [1, 0], [2, 2]], [0, 1, 1, 0], False),
        ([[0, 0], [0, 1], [1, 0]], [0, 1, 1], False),
    ):
        data = make_data("own", inputs, labels, classify=True)
        assert theorem_applies(builtin("xor").with_(data=data, penalty="0.5")) is applies
    for name, penalty in (("xor", "0.047"), ("xor-pm", "0.07")):
        below = builtin(name).with_(hidden=(1,), penalty=penalty)
        assert not theorem_applies(below)
        with pytest.raises(SpecError, match="T9"):
            enumerate_by_theorem(below, [])
