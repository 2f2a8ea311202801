"""One hidden node under a residual box: no state is lost, and the bounds are those of the theorem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from symland.rigor.enumeration.emit import NumpyLanes
from symland.rigor.enumeration.lanes import Interval, TanhRange, tanh_range
from symland.rigor.enumeration.node import (
    Box,
    affine_form,
    affine_program,
    approximate_inverse,
    combination,
    contract_program,
    linear_form,
    propagate,
    pull_from_state,
    shares,
    zero_program,
)
from tests.rigor.plain_intervals import (
    Array,
    around,
    balance,
    combine,
    meet,
    middle,
    minus,
    radius,
    size,
    tanh_ranges,
    times,
)
from tests.rigor.reduced import XOR

TILTED = np.array([[0.5, -1.0, 1.0], [0.25, 1.0, 1.0], [3.0, 0.0, 1.0], [1.0, -2.0, 1.0]])
WIDE = np.array([[0.5, -1.0, 2.0, 1.0], [0.25, 1.0, 0.0, 1.0], [3.0, 0.0, -1.0, 1.0]])
FIRST, SECOND = np.triu_indices(4, 1)


def _design(rows: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, rows.tolist()))


def _node_states(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
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


def _boxes(rng: np.random.Generator, rows: Array, width: float, count: int = 300) -> tuple[Array, Array]:
    """Boxes (2, D, count) of P and (2, m + 1, count) of (U, v), v > 0."""
    samples, m = rows.shape
    pull, state = rng.normal(size=(samples, count)) * 3, rng.normal(size=(m + 1, count))
    state[-1] = rng.uniform(1, 3, count)
    return around(pull, width * rng.random(pull.shape)), around(state, width * rng.random(state.shape))


def _intervals(boxes: Array) -> list[Interval]:
    return [Interval(low, high) for low, high in zip(*boxes, strict=True)]


def _box(rows: Array, pull: Array, state: Array) -> Box:
    ranges = [tanh_range(sum((_intervals(state)[k].scaled(x) for k, x in enumerate(row) if x), Interval.point(0.0)))
              for row in rows]  # fmt: skip
    return Box(_intervals(pull), _intervals(state), ranges)


class Plain:
    """The Taylor form of the docstring of node.py, in plain floats; ``ranges`` are those of tanh and so on."""

    def __init__(
        self, rows: Array, pull: Array, state: Array, centre: Array, ranges: tuple[Array, ...], shifted: bool = True
    ) -> None:
        m = rows.shape[1]
        at = rows @ centre[:m]
        middles, output, vc = middle(pull), state[:, m], centre[m]
        self.rows, self.centre, self.ranges = rows, centre, ranges
        self.t, self.s = np.tanh(at), 1 / np.cosh(at) ** 2
        bent = -2 * self.t * self.s
        self.lever = vc * self.s
        self.reach, away = size(state - centre), radius(pull)
        swing = np.abs(rows) @ self.reach[:m]
        square = np.stack([0 * swing, swing**2])
        _, _, curvature, third = ranges
        curl = times(times(times(output[:, None], pull), third) / 2, square)
        sag = times(times(pull, curvature) / 2, square)
        moved, sunk = (middle(curl), middle(sag)) if shifted else (0 * swing, 0 * swing)
        change = size(times(output[:, None], pull) - vc * middles) * np.abs(bent) * swing
        self.bend = self.reach[m] * away * self.s + change + size(curl - moved)
        self.tilt = away * self.s * swing + size(sag - sunk)
        pushed = vc * middles * self.s + moved
        self.value = np.vstack([2 * centre[:m] - rows.T @ pushed, vc - (self.t * middles + sunk).sum(axis=0)])
        self.jacobian = np.zeros((m + 1, m + 1, centre.shape[1]))
        self.jacobian[:m, :m] = 2 * np.eye(m)[:, :, None] - np.einsum("dk,dn,dl->knl", rows, rows, vc * middles * bent)
        self.jacobian[:m, m] = self.jacobian[m, :m] = -rows.T @ (middles * self.s)
        self.jacobian[m, m] = 1
        self.on_pull = -np.concatenate([np.einsum("dk,dl->kdl", rows, self.lever), self.t[None]])

    def rest(self, row: Array) -> Array:
        """Bound of |row . rest|; row (m + 1, lanes)."""
        return (np.abs(self.rows @ row[:-1]) * self.bend + np.abs(row[-1]) * self.tilt).sum(axis=0)

    def affine(self) -> tuple[Array, Array, Array]:
        """Offset, slopes and error of the form solved for X."""
        inverse = np.linalg.inv(self.jacobian.transpose(2, 0, 1)).transpose(1, 2, 0)
        offset = -np.einsum("ijl,jl->il", inverse, self.value)
        slopes = -np.einsum("ijl,jdl->idl", inverse, self.on_pull)
        return offset, slopes, np.array([self.rest(row) for row in inverse])

    def image(self, shift: Array) -> Array:
        offset, slopes, error = self.affine()
        moved = np.array([combine_lanes(row, shift) for row in slopes]).swapaxes(0, 1)
        return moved + around(self.centre + offset, error)

    def shares(self, output: Array, state: Array) -> Array:
        """Ranges of g_d and of their differences (2, D (D + 1) / 2, lanes), for states in a smaller box."""
        m, samples = self.rows.shape[1], len(self.rows)
        moved = state - self.centre
        direct = times(output[:, None], self.ranges[0])
        rest = []
        for d, row in enumerate(self.rows):
            da = combine(row, moved[:, :m].swapaxes(0, 1))
            square = np.sort(da**2, axis=0) * [[1], [1]]
            square[0] = np.where((da[0] < 0) & (da[1] > 0), 0, square[0])
            bend = times(times(output, self.ranges[2][:, d]), square) / 2
            rest.append(times(moved[:, m] * self.s[d], da) + bend)
        differences = []
        for a in range(samples):
            for b in range(a + 1, samples):
                height = self.t[a] - self.t[b]
                total = self.centre[m] * height + combine_lanes(height[None], moved[:, m:]) + minus(rest[a], rest[b])
                factors = self.rows[a][:, None] * self.lever[a] - self.rows[b][:, None] * self.lever[b]
                total = total + combine_lanes(factors, moved[:, :m])
                differences.append(meet(total, minus(direct[:, a], direct[:, b])))
        return np.concatenate([direct, np.stack(differences, axis=1)], axis=1)


def _ranges(rows: Array, state: Array) -> tuple[Array, ...]:
    """tanh and its derivatives at the samples, (2, D, lanes), over boxes of (U, ...)."""
    u = state[:, : rows.shape[1]].swapaxes(0, 1)
    return tanh_ranges(np.stack([combine(row, u) for row in rows], axis=1))


def combine_lanes(factors: Array, terms: Array) -> Array:
    """sum_k factors (k, lanes) times intervals (2, k, lanes)."""
    return np.sort(factors * terms, axis=0).sum(axis=1)


def _equal(intervals: Any, wanted: Any) -> None:
    """Both ends as in plain floats, but for rounding."""
    for interval, lanes in zip(intervals, wanted, strict=True):
        size = 1 + np.abs(lanes)
        assert (np.abs(interval.lo - lanes) < 1e-9 * size).all()
        assert (np.abs(interval.hi - lanes) < 1e-9 * size).all()


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("width", [1e-3, 0.05, 0.5])
@pytest.mark.parametrize("rows", [XOR, TILTED, WIDE], ids=["xor", "tilted", "wide"])
def test_the_taylor_form_is_that_of_the_theorem(rows: Array, width: float, shifted: bool) -> None:
    rng = np.random.default_rng(8)
    pull, state = _boxes(rng, rows, width)
    centre = middle(state) + 0.3 * radius(state)
    form = linear_form(_design(rows), _box(rows, pull, state), list(centre), shifted)
    plain = Plain(rows, pull, state, centre, _ranges(rows, state), shifted)
    _equal(form.value, plain.value)
    _equal(form.slope, plain.s)
    _equal(form.lever, plain.lever)
    _equal(form.height, plain.t)
    for line, wanted in zip(form.jacobian, plain.jacobian, strict=True):
        _equal(line, wanted)
    for found, wanted in ((form.reach, plain.reach), (form.bend, plain.bend), (form.tilt, plain.tilt)):
        for a, b in zip(found, wanted, strict=True):
            assert np.allclose(a, b, rtol=1e-9, atol=1e-9)
            assert (a >= b * (1 - 1e-12)).all()
    row = rng.normal(size=(rows.shape[1] + 1, 1)) * np.ones(300)
    intervals = [Interval.point(b) for b in row]
    _equal(form.on_pull(intervals), np.einsum("kl,kdl->dl", row, plain.on_pull))
    _equal([form.constant(intervals)], [(row * plain.value).sum(axis=0)])
    assert np.allclose(form.rest(intervals), plain.rest(row), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("width", [1e-3, 0.05, 0.5])
def test_the_taylor_form_holds_at_the_corners_of_a_box(width: float) -> None:
    rng = np.random.default_rng(8)
    pull, state = _boxes(rng, XOR, width)
    centre = np.concatenate([middle(pull), middle(state)])
    reach = np.concatenate([radius(pull), radius(state)])
    box = _box(XOR, pull, state)
    form = linear_form(_design(XOR), box, list(middle(state)))
    row = rng.normal(size=4)
    intervals = [Interval.point(b) for b in row]
    on_pull, rest = form.on_pull(intervals), form.rest(intervals)
    direct = shares(form, box)
    for _ in range(300):
        # Corners, faces and centres: each coordinate is low, in the middle or high.
        step = reach * rng.integers(-1, 2, size=(8, 1))
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
        sums = np.concatenate([g, g[FIRST] - g[SECOND]])
        for known, true in zip(direct, sums, strict=True):
            assert (known.lo - 1e-12 <= true).all()
            assert (true <= known.hi + 1e-12).all()


def _close(found: Array, wanted: Array, condition: Array | float = 1.0) -> None:
    """Equal to plain floats but for rounding, which ill-conditioned matrices magnify, and the error of tanh."""
    off = np.abs(found - wanted) > 1e-10 * condition * (1 + np.abs(wanted))
    assert not off.any(), (np.argwhere(off)[:5], found[off][:5], wanted[off][:5])


def _propagate(rows: Array, pull: Array, state: Array) -> Array:
    m = rows.shape[1]
    value, slope, _, _ = _ranges(rows, state)
    output = meet(state[:, m], times(pull, value).sum(axis=1))
    output[0] = np.maximum(output[0], 0)
    drive = times(pull, slope).swapaxes(0, 1)
    pushed = np.stack([times(output, combine(column, drive)) / 2 for column in rows.T], axis=1)
    return np.concatenate([meet(state[:, :m], pushed), output[:, None]], axis=1)


def _near_solutions(rng: np.random.Generator, width: float) -> tuple[Array, Array, Array]:
    """Boxes of P, gamma and (U, v) about node states."""
    pull, state = _node_states(rng, 300)
    boxes = [np.stack([x - width * rng.random(x.shape), x + width * rng.random(x.shape)]) for x in (pull, state)]
    boxes[1][0, -1] = np.maximum(boxes[1][0, -1], 0.01)
    bias = np.stack([pull.sum(axis=0) - width, pull.sum(axis=0) + width])
    return boxes[0], bias, boxes[1]


@pytest.mark.parametrize("width", [1e-5, 1e-3, 0.02, 0.1])
def test_a_contraction_is_that_of_the_theorem(width: float) -> None:
    rng = np.random.default_rng(5)
    first, slab, states = _near_solutions(rng, width)
    lanes = np.concatenate([first, slab[:, None], states], axis=1)
    out = NumpyLanes(contract_program(_design(XOR)), 18)(np.concatenate([lanes[0], lanes[1]]))
    pull, bias = balance(first, slab)
    state = _propagate(XOR, pull, states)
    form = Plain(XOR, pull, state, middle(state), _ranges(XOR, states))
    # P from the state: rows of the inverse of M.
    inverse = np.linalg.inv(form.on_pull.transpose(2, 0, 1)).transpose(1, 2, 0)
    toward = np.einsum("dkl,kil->dil", inverse, form.jacobian)
    bound = np.array([form.rest(row) for row in inverse]) + (np.abs(toward) * form.reach).sum(axis=1)
    known = meet(pull, around(middle(pull) - np.einsum("dkl,kl->dl", inverse, form.value), bound))
    every = inverse.sum(axis=0)
    bound = form.rest(every) + (np.abs(toward.sum(axis=0)) * form.reach).sum(axis=0)
    bias = meet(bias, around(middle(pull).sum(axis=0) - (every * form.value).sum(axis=0), bound))
    image = meet(state, form.image(known - middle(pull)))
    wanted, bias = balance(known, bias)
    result = np.concatenate([wanted, bias[:, None], image], axis=1)
    condition = np.linalg.cond(form.jacobian.transpose(2, 0, 1)) * np.linalg.cond(form.on_pull.transpose(2, 0, 1))
    assert np.median(condition) < 1e3
    _close(out[:9], result[0], condition)
    _close(out[9:18], result[1], condition)
    share = form.shares(image[:, 3], image)
    _close(out[18:28], share[0], condition)
    _close(out[28:38], share[1], condition)
    assert not out[-1].any()


@pytest.mark.parametrize("width", [1e-5, 1e-3, 0.02, 0.1])
def test_the_affine_enclosure_is_that_of_the_theorem(width: float) -> None:
    rng = np.random.default_rng(6)
    pull, _, states = _near_solutions(rng, width)
    lanes = np.concatenate([pull[0], pull[1], states[0], states[1]])
    out = NumpyLanes(affine_program(_design(XOR)), 16)(lanes)
    state = _propagate(XOR, pull, states)
    centre = middle(state)
    form = Plain(XOR, pull, state, centre, _ranges(XOR, states))
    offset, slopes, error = form.affine()
    shift = pull - middle(pull)
    image = meet(state, form.image(shift))
    loose, moved = around(offset, error), state - centre
    value, slope, _, _ = form.ranges
    lever = times(state[:, 3:], slope)
    constants = centre[3] * form.t + np.sort(form.t * loose[:, 3:], axis=0)
    for d, row in enumerate(XOR):
        constants[:, d] += combine_lanes(middle(lever[:, d])[None], combine(row, loose[:, :3].swapaxes(0, 1))[:, None])
        constants[:, d] += times(lever[:, d] - middle(lever[:, d]), combine(row, moved[:, :3].swapaxes(0, 1)))
    linear = form.t[:, None] * slopes[3] + middle(lever)[:, None] * np.einsum("dk,kel->del", XOR, slopes[:3])
    condition = np.linalg.cond(form.jacobian.transpose(2, 0, 1))
    assert np.median(condition) < 30
    _close(out[:4], image[0], condition)
    _close(out[4:8], image[1], condition)
    _close(out[8:12], constants[0], condition)
    _close(out[12:16], constants[1], condition)
    _close(out[16:32], linear.reshape(16, -1), condition)
    _close(out[32:36], times(state[:, 3:], value)[0])
    _close(out[36:40], times(state[:, 3:], value)[1])
    assert not out[-1].any()


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05, 0.5])
def test_contraction_and_affine_forms_never_lose_a_node_state(width: float) -> None:
    rng = np.random.default_rng(3)
    pull, state = _node_states(rng, 400)
    design = _design(XOR)
    truth = np.concatenate([pull, pull.sum(axis=0, keepdims=True), state])
    low = truth - width * rng.random(truth.shape)
    high = truth + width * rng.random(truth.shape)
    low[-1] = np.maximum(low[-1], 0.0)
    slack = 1e-9
    out = NumpyLanes(contract_program(design), 18)(np.concatenate([low - slack, high + slack]))
    assert not out[-1].any()
    assert (out[:9] <= truth + slack).all()
    assert (out[9:18] >= truth - slack).all()
    share = state[3] * np.tanh(XOR @ state[:3])
    sums = np.concatenate([share, share[FIRST] - share[SECOND]])
    assert (out[18:28] <= sums + slack).all()
    assert (sums - slack <= out[28:38]).all()
    packed = np.concatenate([low[:4] - slack, high[:4] + slack, low[5:] - slack, high[5:] + slack])
    affine = NumpyLanes(affine_program(design), 16)(packed)
    assert not affine[-1].any()
    move = pull - (low[:4] + high[:4]) / 2
    linear = np.einsum("dek,ek->dk", affine[16:32].reshape(4, 4, -1), move)
    assert (affine[8:12] + linear <= share + slack).all()
    assert (share - slack <= affine[12:16] + linear).all()
    assert not NumpyLanes(zero_program(design), 16)(packed).any()


def test_boxes_without_a_state_are_found_empty() -> None:
    """Far from every state one of P, gamma or the state has nowhere to be; a program says so and does not invert."""
    rng = np.random.default_rng(9)
    pull, state = _node_states(rng, 200)
    design = _design(XOR)
    truth = np.concatenate([pull, pull.sum(axis=0, keepdims=True), state])
    contract = NumpyLanes(contract_program(design), 18)
    for row in range(9):
        moved = truth.copy()
        moved[row] += 0.5 if row < 8 else 3.0
        out = contract(np.concatenate([moved - 1e-3, moved + 1e-3]))
        assert out[-1].mean() > 0.95, row
        if row != 4:
            packed = np.concatenate([moved[:4] - 1e-3, moved[:4] + 1e-3, moved[5:] - 1e-3, moved[5:] + 1e-3])
            found = NumpyLanes(affine_program(design), 16)(packed)[-1]
            assert found.mean() > 0.9, row
    negative = truth.copy()
    negative[8] = -1.0
    assert contract(np.concatenate([negative - 1e-3, negative + 1e-3]))[-1].all()


def _about_zero(pull: Array, reach: Array) -> Array:
    """The plain test: |dF/dX - 1| over the symmetric box contracts in the norm max |X_i| / r_i."""
    reach = np.maximum(reach, 0.25 * reach.max(axis=0))
    state = around(0 * reach, reach)
    form = Plain(XOR, pull, state, 0 * reach, _ranges(XOR, state), shifted=False)
    _, _, error = form.affine()
    return (error < reach).all(axis=0)


def test_only_the_zero_node_is_found_alone() -> None:
    rng = np.random.default_rng(12)
    pull = around(rng.normal(size=(4, 4000)) * 2, 0.05 * rng.random((4, 4000)))
    reach = 10.0 ** rng.uniform(-3, 0, (4, 4000))
    skew = rng.choice([-1.0, 1.0, 0.3], size=(4, 4000))
    state = np.sort(np.stack([-reach * rng.choice([0.2, 1.0], size=(4, 4000)), reach]) * skew, axis=0)
    found = NumpyLanes(zero_program(_design(XOR)), 16)(np.concatenate([*pull, *state]))[0] > 0
    wanted = _about_zero(pull, size(state))
    assert 400 < wanted.sum() < 3600
    # The plain test and the program may differ in lanes on the edge.
    assert (found != wanted).sum() < 5
    # Where the zero node has company, it is never found alone.
    p, x = _node_states(rng, 300)
    box = np.concatenate([p - 1e-6, p + 1e-6, np.minimum(x, 0) - 1e-9, np.maximum(x, 0) + 1e-9])
    assert not NumpyLanes(zero_program(_design(XOR)), 16)(box).any()


def test_inverses_of_lanes_are_inverses_and_those_of_singular_matrices_are_finite() -> None:
    rng = np.random.default_rng(13)
    for n in (2, 3, 4, 5):
        matrix = rng.normal(size=(n, n, 50))
        inverse = np.array(approximate_inverse([list(row) for row in matrix]))
        assert np.allclose(np.einsum("ijl,jkl->ikl", inverse, matrix), np.eye(n)[:, :, None], atol=1e-7)
    with np.errstate(all="ignore"):
        inverse = np.array(approximate_inverse([[np.array([1.0, 1e-12]), np.array([1.0, 0.0])],
                                                [np.array([1.0, 0.0]), np.array([1.0, 1.0])]]))  # fmt: skip
    assert np.isfinite(inverse).all()
    assert np.array_equal(inverse[..., 0], np.zeros((2, 2)))
    assert inverse[:, :, 1].tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_lists_of_unequal_length_are_an_error_and_not_cut() -> None:
    rng = np.random.default_rng(14)
    pull, state = _boxes(rng, XOR, 0.1, 8)
    design, box = _design(XOR), _box(XOR, pull, state)
    form = linear_form(design, box, list(middle(state)))
    affine = affine_form(form)
    row = [Interval.point(1.0)] * 4
    shift = _intervals(pull - middle(pull))
    bias = Interval(pull[0].sum(axis=0), pull[1].sum(axis=0))

    def cut(record: Any, name: str) -> Any:
        return replace(record, **{name: getattr(record, name)[:-1]})

    calls: list[Callable[[], Any]] = [
        lambda: combination([1.0, 2.0], row),
        lambda: combination([1.0] * 5, row),
        lambda: form.constant(row[:3]),
        lambda: cut(form, "value").constant(row),
        lambda: affine.image(shift[:-1]),
        lambda: affine.image([*shift, shift[0]]),
        lambda: linear_form(design, Box(box.pull, box.state, box.tanh), list(middle(state))[:-1]),
        lambda: propagate(design, box.pull[:-1], box.state),
        lambda: propagate(design, [*box.pull, box.pull[0]], box.state),
        lambda: shares(cut(form, "centre"), box),
        lambda: shares(form, cut(box, "state")),
        lambda: pull_from_state(cut(form, "reach"), box.pull, bias),
        lambda: pull_from_state(cut(form, "jacobian"), box.pull, bias),
    ]
    calls += [lambda name=name: cut(affine, name).image(shift) for name in ("centre", "offset", "slopes", "error")]
    calls += [lambda name=name: cut(form, name).on_pull(row) for name in ("design", "lever", "height")]
    calls += [lambda name=name: cut(form, name).rest(row) for name in ("design", "bend", "tilt")]
    for call in calls:
        with pytest.raises((ValueError, IndexError)):
            call()


def test_a_wrong_bound_is_caught_because_it_loses_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pull, state = _node_states(rng, 400)
    truth = np.concatenate([pull, pull.sum(axis=0, keepdims=True), state])
    packed = np.concatenate([truth - 0.2 * rng.random(truth.shape), truth + 0.2 * rng.random(truth.shape)])

    def too_narrow(a: Interval) -> TanhRange:
        return tanh_range(Interval.point(a.middle()))

    monkeypatch.setattr("symland.rigor.enumeration.node.tanh_range", too_narrow)
    out = NumpyLanes(contract_program(_design(XOR)), 18)(packed)
    lost = (out[-1] > 0) | (out[:9] > truth + 1e-9).any(axis=0) | (out[9:18] < truth - 1e-9).any(axis=0)
    assert lost.any()
