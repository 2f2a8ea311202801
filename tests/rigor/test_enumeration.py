"""Complete enumeration: what it calls complete is complete, and it never says so of a list with a hole."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from itertools import combinations_with_replacement, count, product
from multiprocessing import get_context
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.optimize import root

from symland.errors import CertificateError, SpecError
from symland.records import Verdict
from symland.rigor.enumeration import Progress, audit, enumerate_by_theorem, enumerate_points, search, theorem_applies
from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.joint import Lanes, sift
from symland.rigor.enumeration.known import prove_known, reduce_theta
from symland.rigor.enumeration.lanes import Interval, TanhRange, exponential, tanh_jet, tanh_range
from symland.rigor.enumeration.matching import match
from symland.rigor.enumeration.node import (
    Box,
    affine_program,
    contract_program,
    linear_form,
    shares,
    zero_program,
)
from symland.rigor.enumeration.problem import reduced_problem
from symland.rigor.enumeration.search import (
    Counters,
    Members,
    Survivors,
    Task,
    _clusters,
    bisect_nodes,
    choose_nodes,
    engines,
    examine_batch,
)
from symland.spec import builtin

XOR = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
SIGN = np.array([-1.0, 1.0, 1.0, -1.0])


def gradient(theta: np.ndarray, nodes: int, penalty: float) -> np.ndarray:
    """Gradient of the whole loss over all parameters (W1, W2, b, c), written out by the chain rule."""
    w1, w2 = theta[: 2 * nodes].reshape(nodes, 2), theta[2 * nodes : 4 * nodes].reshape(2, nodes)
    b, c = theta[4 * nodes : 5 * nodes], theta[5 * nodes :]
    h = np.tanh(XOR[:, :2] @ w1.T + b)
    z = h @ w2.T + c
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    r = (p - np.eye(2)[(SIGN > 0).astype(int)]) / 4
    back = (r @ w2) * (1 - h**2)
    parts = [(back.T @ XOR[:, :2]).ravel(), (r.T @ h).ravel(), back.sum(axis=0), r.sum(axis=0)]
    return np.concatenate(parts) + 2 * penalty * theta


def loss(theta: np.ndarray, nodes: int, penalty: float) -> float:
    w1, w2 = theta[: 2 * nodes].reshape(nodes, 2), theta[2 * nodes : 4 * nodes].reshape(2, nodes)
    z = np.tanh(XOR[:, :2] @ w1.T + theta[4 * nodes : 5 * nodes]) @ w2.T + theta[5 * nodes :]
    return float(np.logaddexp(0, -SIGN * (z[:, 1] - z[:, 0])).mean() + penalty * (theta**2).sum())


def multistart(nodes: int, penalty: float, starts: int) -> list[np.ndarray]:
    """Stationary points of different loss from random starts, by losses ascending; an oracle without symland."""
    rng = np.random.default_rng(7)
    found: dict[float, np.ndarray] = {}
    for _ in range(starts):
        start = rng.normal(size=5 * nodes + 2) * rng.choice([0.3, 1.0, 2.0])
        answer = root(gradient, start, args=(nodes, penalty), options={"xtol": 1e-13})
        if np.abs(answer.fun).max() < 1e-11:
            found.setdefault(round(loss(answer.x, nodes, penalty), 8), answer.x)
    return [found[key] for key in sorted(found)]


@pytest.fixture(scope="module")
def hundredth() -> list[np.ndarray]:
    points = multistart(1, 0.01, 700)
    assert len(points) == 7
    return points


def test_the_exponential_and_tanh_stay_within_their_proved_errors() -> None:
    rng = np.random.default_rng(0)
    for x in [*rng.uniform(-690, 690, 300), *rng.uniform(-1, 1, 100)]:
        true = mpmath.exp(mpmath.mpf(float(x)))
        assert abs(mpmath.mpf(float(exponential(np.float64(x)))) / true - 1) < 2.0**-46
        t, s = tanh_jet(np.float64(x))
        assert abs(mpmath.mpf(float(t)) - mpmath.tanh(float(x))) < 2.0**-43
        assert abs(mpmath.mpf(float(s)) - mpmath.sech(float(x)) ** 2) < 2.0**-43


def test_every_interval_operation_holds_the_exact_rational_result() -> None:
    rng = np.random.default_rng(1)
    ends = np.sort(rng.normal(size=(2, 2, 400)) * 10.0 ** rng.integers(-8, 4, size=(2, 1, 400)), axis=1)
    a, b = Interval(ends[0, 0], ends[0, 1]), Interval(ends[1, 0], ends[1, 1])
    positive = Interval(np.abs(ends[1, 0]) + 0.5, np.abs(ends[1, 0]) + 0.5 + np.abs(ends[1, 1]))
    results = [a + b, a - b, a * b, a.over_positive(positive), a.square()]
    for k in range(400):
        for u in (ends[0, 0, k], ends[0, 1, k], ends[0, :, k].mean()):
            for v, w in ((ends[1, 0, k], positive.lo[k]), (ends[1, 1, k], positive.hi[k])):
                p, q, r = Fraction(float(u)), Fraction(float(v)), Fraction(float(w))
                exact = [p + q, p - q, p * q, p / r, p * p]
                for value, interval in zip(exact, results, strict=True):
                    assert Fraction(float(interval.lo[k])) <= value <= Fraction(float(interval.hi[k]))


def test_the_ranges_of_tanh_and_its_derivatives_hold_sampled_values() -> None:
    rng = np.random.default_rng(2)
    low = rng.normal(size=2000) * 2
    high = low + rng.exponential(size=2000)
    ranges = tanh_range(Interval(low, high))
    for share in np.linspace(0, 1, 21):
        x = low + share * (high - low)
        t = np.tanh(x)
        s = 1 / np.cosh(x) ** 2
        third = s * (4 * t**2 - 2 * s)
        pairs = ((t, ranges.value), (s, ranges.slope), (-2 * t * s, ranges.curvature), (third, ranges.third()))
        for value, interval in pairs:
            assert (interval.lo <= value).all()
            assert (value <= interval.hi).all()


def _node_states(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and states which solve the node equations: P from (U, v) by the linear system."""
    pulls, states = [], []
    while len(pulls) < count:
        u, v = rng.normal(size=3), rng.uniform(0.2, 3)
        a = XOR @ u
        matrix = np.vstack([np.tanh(a), XOR.T / np.cosh(a) ** 2])
        p = np.linalg.solve(matrix, np.append(v, 2 * u / v))
        if np.abs(p).max() < 25:
            pulls.append(p)
            states.append(np.append(u, v))
    return np.array(pulls).T, np.array(states).T


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05, 0.5])
def test_contraction_and_affine_forms_never_lose_a_node_state(width: float) -> None:
    rng = np.random.default_rng(3)
    pull, state = _node_states(rng, 400)
    design = tuple(map(tuple, XOR.tolist()))
    truth = np.concatenate([pull, pull.sum(axis=0, keepdims=True), state])
    low = truth - width * rng.random(truth.shape)
    high = truth + width * rng.random(truth.shape)
    low[-1] = np.maximum(low[-1], 0.0)
    slack = 1e-9
    out = CompiledLanes("contract", contract_program(design), 18)(np.concatenate([low - slack, high + slack]))
    assert not out[-1].any()
    assert (out[:9] <= truth + slack).all()
    assert (out[9:18] >= truth - slack).all()
    share = state[3] * np.tanh(XOR @ state[:3])
    first, second = np.triu_indices(4, 1)
    sums = np.concatenate([share, share[first] - share[second]])
    assert (out[18:28] <= sums + slack).all()
    assert (sums - slack <= out[28:38]).all()
    packed = np.concatenate([low[:4] - slack, high[:4] + slack, low[5:] - slack, high[5:] + slack])
    affine = CompiledLanes("affine", affine_program(design), 16)(packed)
    assert not affine[-1].any()
    move = pull - (low[:4] + high[:4]) / 2
    linear = np.einsum("dek,ek->dk", affine[16:32].reshape(4, 4, -1), move)
    assert (affine[8:12] + linear <= share + slack).all()
    assert (share - slack <= affine[12:16] + linear).all()
    assert not CompiledLanes("zero", zero_program(design), 16)(packed).any()


@pytest.mark.parametrize("width", [1e-3, 0.05, 0.5])
def test_the_taylor_form_holds_at_the_corners_of_a_box(width: float) -> None:
    rng = np.random.default_rng(8)
    design = tuple(map(tuple, XOR.tolist()))
    centre = np.concatenate([rng.normal(size=(4, 300)) * 3, rng.normal(size=(3, 300)), rng.uniform(1, 3, (1, 300))])
    radius = width * rng.random(centre.shape)
    pull = [Interval(c - r, c + r) for c, r in zip(centre[:4], radius[:4], strict=True)]
    state = [Interval(c - r, c + r) for c, r in zip(centre[4:], radius[4:], strict=True)]
    ranges = [tanh_range(sum((state[k].scaled(x) for k, x in enumerate(row) if x), Interval.point(0.0))) for row in XOR]
    box = Box(pull, state, ranges)
    form = linear_form(design, box, [x.middle() for x in state])
    row = rng.normal(size=4)
    intervals = [Interval.point(b) for b in row]
    on_pull, rest = form.on_pull(intervals), form.rest(intervals)
    direct = shares(form, box)
    for _ in range(300):
        # Corners, faces and centres: each coordinate is low, in the middle or high.
        step = radius * rng.integers(-1, 2, size=(8, 1))
        p, u, v = (centre + step)[:4], (centre + step)[4:7], (centre + step)[7]
        h = np.tanh(XOR @ u)
        exact = np.concatenate([2 * u - v * (XOR.T @ (p * (1 - h**2))), [v - (p * h).sum(axis=0)]])
        linear = form.constant(intervals) + sum(
            (a * Interval.point(d) for a, d in zip(on_pull, step[:4], strict=True)), Interval.point(0.0)
        )
        for k in range(4):
            toward = sum((b * line[k] for b, line in zip(intervals, form.jacobian, strict=True)), Interval.point(0.0))
            linear = linear + toward * Interval.point(step[4 + k])
        value = row @ exact
        assert (linear.lo - rest - 1e-12 <= value).all()
        assert (value <= linear.hi + rest + 1e-12).all()
        g = v * h
        first, second = np.triu_indices(4, 1)
        sums = np.concatenate([g, g[first] - g[second]])
        for known, true in zip(direct, sums, strict=True):
            assert (known.lo - 1e-12 <= true).all()
            assert (true <= known.hi + 1e-12).all()


def test_compiled_lanes_equal_numpy_lanes_bit_for_bit() -> None:
    rng = np.random.default_rng(4)
    pull, state = _node_states(rng, 100)
    design = tuple(map(tuple, XOR.tolist()))
    packed = np.concatenate([pull - 0.1, pull + 0.1, state - 0.05, state + 0.05])
    text = affine_program(design)
    assert np.array_equal(CompiledLanes("affine", text, 16)(packed), NumpyLanes(text, 16)(packed))


def test_a_wrong_bound_is_caught_because_it_loses_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pull, state = _node_states(rng, 400)
    design = tuple(map(tuple, XOR.tolist()))
    truth = np.concatenate([pull, pull.sum(axis=0, keepdims=True), state])
    packed = np.concatenate([truth - 0.2 * rng.random(truth.shape), truth + 0.2 * rng.random(truth.shape)])

    def too_narrow(a: Interval) -> TanhRange:
        return tanh_range(Interval.point(a.middle()))

    monkeypatch.setattr("symland.rigor.enumeration.node.tanh_range", too_narrow)
    out = NumpyLanes(contract_program(design), 18)(packed)
    lost = (out[-1] > 0) | (out[:9] > truth + 1e-9).any(axis=0) | (out[9:18] < truth - 1e-9).any(axis=0)
    assert lost.any()


def test_one_node_at_a_tenth_has_only_the_origin() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [np.zeros(7)])
    assert result.verdict is Verdict.CERTIFIED
    assert len(result.classes) == 1
    assert result.share == 1.0
    report = audit(spec, [np.zeros(7)], result.log, 1.0, np.random.default_rng(0))
    assert report.verdict is Verdict.CERTIFIED


def test_two_nodes_at_a_tenth_have_only_the_origin() -> None:
    result = enumerate_points(builtin("xor").with_(hidden=(2,), penalty="1e-1"), [np.zeros(12)])
    assert result.verdict is Verdict.CERTIFIED
    assert len(result.classes) == 1


def test_one_node_at_a_hundredth_has_seven_classes_and_the_proof_resumes(hundredth: list[np.ndarray]) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    part = enumerate_points(spec, hundredth, max_boxes=300)
    assert part.verdict is Verdict.UNDECIDED
    assert part.undecided
    again = enumerate_points(spec, [*hundredth, hundredth[0]], state=json.loads(json.dumps(part.state)))
    assert again.verdict is Verdict.CERTIFIED
    assert len(again.classes) == 7
    report = audit(spec, hundredth, again.log, 0.02, np.random.default_rng(0))
    assert report.verdict is Verdict.CERTIFIED


def test_an_interruption_loses_no_box_and_the_search_goes_on_to_the_same_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="3e-2")
    known = [np.zeros(7)]
    whole = enumerate_points(spec, known)
    calls, kept = count(), []

    def broken(*args: Any) -> Any:
        found = examine_batch(*args)
        if next(calls) == 10:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr("symland.rigor.enumeration.drive.examine_batch", broken)
        with pytest.raises(KeyboardInterrupt):
            enumerate_points(spec, known, keep=kept.append)
    assert len(kept) == 1
    again = enumerate_points(spec, known, state=json.loads(json.dumps(kept[0])))
    assert (again.verdict, again.digest) == (Verdict.CERTIFIED, whole.digest)
    # What is kept while it runs serves a search that is killed.
    later = count(step=200)
    enumerate_points(spec, known, max_boxes=60, keep=kept.append, clock=lambda: float(next(later)))
    assert len(kept) > 3
    assert kept[1]["tasks"] != kept[2]["tasks"]
    again = enumerate_points(spec, known, state=json.loads(json.dumps(kept[2])))
    assert (again.verdict, again.digest) == (Verdict.CERTIFIED, whole.digest)


def test_workers_find_the_same_proof_and_may_be_interrupted() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="3e-2")
    known = [np.zeros(7)]
    kept: list[dict[str, Any]] = []

    def stop(progress: Progress) -> None:
        if progress.boxes_handled > 70:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(3) as pool:
        whole = enumerate_points(spec, known, executor=pool, workers=3)
        with pytest.raises(KeyboardInterrupt):
            enumerate_points(spec, known, executor=pool, workers=3, progress=stop, keep=kept.append)
        part = enumerate_points(spec, known, executor=pool, workers=3, max_boxes=40)
    assert part.verdict is Verdict.UNDECIDED
    assert (whole.verdict, whole.digest) == (Verdict.CERTIFIED, enumerate_points(spec, known).digest)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(os._exit, 1)
        with pytest.raises(CertificateError, match="worker"):
            enumerate_points(spec, known, executor=pool, keep=kept.append)
    assert kept[1]["tasks"]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for state in (kept[0], part.state):
            again = enumerate_points(spec, known, state=state, executor=pool)
            assert (again.verdict, again.digest) == (Verdict.CERTIFIED, whole.digest)
            assert again.boxes_handled == whole.boxes_handled


def test_the_audit_refutes_a_log_that_closed_a_box_with_an_unlisted_solution(hundredth: list[np.ndarray]) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    theta = hundredth[0]
    h = np.tanh(XOR @ [*theta[:2], theta[4]])
    logits = (theta[3] - theta[2]) * h + theta[6] - theta[5]
    pull = SIGN * 25 / (1 + np.exp(SIGN * logits))
    row = np.concatenate([pull, [pull.sum()]])
    false = np.concatenate([row - 0.02, row + 0.03, [0.0]])[None]
    away = row + np.array([1, -1, 2, 0.5, 2.5])
    empty = np.concatenate([away - 0.01, away + 0.01, [0.0]])[None]
    for known, log, verdict in (
        (hundredth[1:], false, Verdict.REFUTED),
        (hundredth, false, Verdict.CERTIFIED),
        (hundredth[1:], empty, Verdict.CERTIFIED),
    ):
        report = audit(spec, known, log, 1.0, np.random.default_rng(0))
        assert report.verdict is verdict
        assert report.refuted == ((0,) if verdict is Verdict.REFUTED else ())


def test_the_audit_does_not_certify_a_box_about_an_unlisted_solution() -> None:
    spec = builtin("xor").with_(hidden=(2,), penalty="1e-1")
    origin = np.array([-1.25, 1.25, 1.25, -1.25, 0.0])
    log = np.concatenate([origin - 1e-3, origin + 1e-3, [0.0]])[None]
    assert audit(spec, [], log, 1.0, np.random.default_rng(0), 1.0).verdict is Verdict.REFUTED
    assert audit(spec, [np.zeros(12)], log, 1.0, np.random.default_rng(0), 1.0).verdict is Verdict.CERTIFIED


def test_a_deleted_class_leaves_a_box_open_that_holds_it() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [], budget_seconds=4.0)
    assert result.verdict is Verdict.UNDECIDED
    origin = np.array([-2.5 / 2, 2.5 / 2, 2.5 / 2, -2.5 / 2, 0.0])
    assert any(((box.pull[0] <= origin) & (origin <= box.pull[1])).all() for box in result.undecided)


def test_a_point_that_is_not_stationary_holds_nothing() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-1")
    result = enumerate_points(spec, [np.full(7, 1e6)], max_boxes=100)
    assert result.unproved == (0,)
    assert result.verdict is Verdict.UNDECIDED


def test_a_state_of_another_question_or_list_is_refused(hundredth: list[np.ndarray]) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    part = enumerate_points(spec, hundredth, max_boxes=8)
    with pytest.raises(CertificateError, match="another specification"):
        enumerate_points(spec.with_(penalty="2e-2"), hundredth, state=part.state)
    with pytest.raises(CertificateError, match="not in this list"):
        enumerate_points(spec, hundredth[1:], state=part.state)


@pytest.mark.parametrize("change", [{"hidden": (2, 2)}, {"activation": "sin"}, {"penalty": "0"}, {"penalty": "1e-5"}])
def test_questions_outside_the_theorems_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        enumerate_points(builtin("xor").with_(**change), [])


def test_the_symmetries_of_the_square_are_found() -> None:
    assert len(reduced_problem(builtin("xor-pm")).group) == 8
    assert len(reduced_problem(builtin("xor")).group) == 2


def test_the_compiled_matching_finds_the_pairs_and_hulls_that_numpy_finds() -> None:
    rng = np.random.default_rng(0)
    for n, k in ((5, 3), (120, 90), (17, 40), (1, 1), (700, 50)):
        lower, begin, part = rng.normal(size=(4, n)), rng.normal(size=(3, n)), rng.normal(size=(3, k))
        upper, end, part_end = lower + rng.random((4, n)), begin + 2, part + 2
        most = rng.normal(size=(4, k)) + 1
        first = rng.integers(0, n, size=k)
        fits = ((lower[:, None] <= most[:, :, None]) & (upper[:, None] >= most[:, :, None] - 2)).all(axis=0)
        meet = np.maximum(part[:, :, None], begin[:, None]), np.minimum(part_end[:, :, None], end[:, None])
        fits &= (meet[0] <= meet[1]).all(axis=0) & (np.arange(n) >= first[:, None])
        found = match((lower, upper), (most, most - 2), (begin, end), (part, part_end), first)
        assert np.array_equal(np.stack(found.pairs()), np.stack(np.nonzero(fits)))
        assert found.size == fits.sum()
        low, high = np.where(fits, meet[0], np.inf), np.where(fits, meet[1], -np.inf)
        assert np.array_equal(found.first, np.stack([low.min(axis=2), high.max(axis=2)]))
        assert np.array_equal(found.second, np.stack([low.min(axis=1), high.max(axis=1)]))


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
    begin, low, floor = rng.normal(size=(rows, n)), rng.normal(size=(6, n)), rng.normal(size=(6, n)) - 1
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


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05, 0.4])
def test_a_residual_box_about_a_pair_of_nodes_is_closed_only_by_the_list(
    width: float, clusters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if clusters:
        for name, value in (("JOINT_LIMIT", 0), ("CLUSTER_PULL", 1.0), ("CLUSTER_WIDTH", 9.0)):
            monkeypatch.setattr(search, name, value)
    problem = reduced_problem(builtin("xor").with_(hidden=(2,), penalty="1e-2"))
    rng = np.random.default_rng(11)
    engine, tried = engines(problem), set()
    for theta in multistart(2, 1e-2, 60):
        states, bias = reduce_theta(problem, theta)
        # One node may be zero: zero nodes are allowed everywhere and have no boxes.
        states = states[np.abs(states).max(axis=1) > 1e-3]
        if not states.size:
            continue
        logits = states[:, 3] @ np.tanh(states[:, :3] @ XOR.T) + bias
        pull = SIGN * 25 / (1 + np.exp(SIGN * logits))
        if pull[1] < pull[2]:
            pull, states = pull[[0, 2, 1, 3]], states[:, [1, 0, 2, 3]]
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
            (left,) = examine_batch(problem, engine, known, [Task(whole, boxes.copy())], Counters())
            if known.classes:
                assert left is None or width > 1e-3
                continue
            assert isinstance(left, Survivors)
            assert (left.pull[0] - 1e-9 <= truth).all()
            assert (truth <= left.pull[1] + 1e-9).all()
            for state in states:
                whose = np.append(truth, state)[:, None]
                assert ((left.nodes[0] - 1e-9 <= whose) & (whose <= left.nodes[1] + 1e-9)).all(axis=0).any()
        tried.add(len(states))
    assert tried == {1, 2}


def test_a_lane_about_a_solution_is_never_dropped_unless_the_list_holds_it(hundredth: list[np.ndarray]) -> None:
    problem = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="1e-2"))
    rng = np.random.default_rng(5)
    for theta in hundredth:
        states, bias = reduce_theta(problem, theta)
        if np.abs(states).max() < 1e-9:
            continue  # the zero node is allowed everywhere, so boxes that hold no other may go
        logits = states[0, 3] * np.tanh(XOR @ states[0, :3]) + bias
        pull = SIGN * 25 / (1 + np.exp(SIGN * logits))
        images = [(pull, states), (pull[[0, 2, 1, 3]], states[:, [1, 0, 2, 3]])]
        # The fundamental domain keeps the image with P_01 >= P_10.
        pull, states = max(images, key=lambda pair: pair[0][1] - pair[0][2])
        truth = np.concatenate([pull, [pull.sum()], states[0]])[:, None]
        low = truth - 0.3 * rng.random((9, 40)) - 1e-9
        high = truth + 0.3 * rng.random((9, 40)) + 1e-9
        low[-1] = np.maximum(low[-1], 0.0)
        nobody, _ = prove_known(problem, [])
        boxes = np.stack([low, high])
        lanes = Lanes(boxes[:, :5].copy(), boxes[:, None, 5:].copy(), np.arange(40))
        left = sift(problem, engines(problem), nobody, lanes, Counters()).lanes
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
    for name, penalty in (("xor", "0.047"), ("xor-pm", "0.07")):
        below = builtin(name).with_(hidden=(1,), penalty=penalty)
        assert not theorem_applies(below)
        with pytest.raises(SpecError, match="T9"):
            enumerate_by_theorem(below, [])
