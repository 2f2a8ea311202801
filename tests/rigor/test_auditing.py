"""The audit: its own arithmetic of one node, the choices that it holds against the logits, and what it samples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from symland.datasets import make_data
from symland.records import Verdict
from symland.rigor.enumeration import audit, auditing
from symland.rigor.enumeration.auditing import (
    PROGRESS,
    SUB_WIDTH,
    AuditReport,
    _choices,
    _contract,
    _Demand,
    _ends,
    _float_states,
    _held,
    _jet,
    _krawczyk,
    _logits,
    _meet,
    _sech2,
    _share,
    _starts,
    _tanh,
    counterexample,
    node_states,
    prove_box,
)
from symland.rigor.enumeration.known import EXISTENCE_RADIUS, _copies, certify_known, prove_known
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.spec import builtin
from tests.rigor.reduced import SIGN, XOR, hundredth, solution

FREE = _Demand(output=arb(500, 500), share=None)
"""Asks nothing of a node but v >= 0."""
AWAY = np.array([0.3, 0.3, 0.3, 0.3, 1.2])
"""A step in P and in gamma = sum P."""


@pytest.fixture(autouse=True)
def _precision() -> None:
    ctx.prec = 64


def _problem(nodes: int = 1) -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty="1e-2"))


def _ball(low: float, high: float) -> arb:
    return arb(low).union(arb(high))


def _points(values: Any) -> list[arb]:
    return [arb(float(x)) for x in values]


def _balls(values: Any, reach: float) -> list[arb]:
    return [arb(float(x), reach) for x in values]


def _solution(number: int, nodes: int = 1) -> tuple[np.ndarray, np.ndarray, float]:
    """States (N, 4), residuals and gamma of a stationary point of the network at 1e-2."""
    return solution(hundredth(nodes)[number])


def _exact_jet(pull: Any, u: Any, rows: np.ndarray = XOR) -> tuple[float, np.ndarray, np.ndarray]:
    a = rows @ u
    t, s = np.tanh(a), 1 / np.cosh(a) ** 2
    v, y = pull @ t, (pull * s) @ rows
    bend = (rows.T * (-2 * t * s * pull)) @ rows
    return v, y, 2 * np.eye(3) - np.outer(y, y) - v * bend


def test_ranges_of_tanh_and_its_derivative_are_hulls() -> None:
    for low, high in ((-1.0, 2.0), (0.5, 3.0), (-2.0, -0.25), (0.0, 1.0), (-1.0, 0.0), (0.3, 0.3)):
        x = _ball(low, high)
        tanh, slope = _tanh(x), _sech2(x)
        ends = sorted(1 / np.cosh([low, high]) ** 2)
        top = 1.0 if low <= 0 <= high else ends[1]
        for found, wanted in ((tanh, np.tanh([low, high])), (slope, (ends[0], top))):
            assert float(found.lower()) == pytest.approx(wanted[0], abs=1e-8)
            assert float(found.upper()) == pytest.approx(wanted[1], abs=1e-8)
            assert found.lower() <= wanted[0] + 1e-16
            assert found.upper() >= wanted[1] - 1e-16
    assert _meet(_ball(0, 1), _ball(2, 3)) is None
    met = _meet(_ball(0, 2), _ball(1, 3))
    assert met is not None
    assert met.contains(arb(1.5))
    assert not met.contains(arb(0.9))


def test_the_jet_of_a_node_holds_its_values_and_is_as_sharp_as_its_box() -> None:
    problem, rng = _problem(), np.random.default_rng(0)
    for _ in range(20):
        pull, u = rng.normal(size=4) * 5, rng.normal(size=3)
        wanted = _exact_jet(pull, u)
        v, y, slopes = _jet(problem, _points(pull), _points(u))
        found = [float(v), *map(float, y), *(float(s) for row in slopes for s in row)]
        assert found == pytest.approx([wanted[0], *wanted[1], *wanted[2].ravel()], abs=1e-12)
        reach = 1e-3
        v, y, slopes = _jet(problem, _balls(pull, reach), _balls(u, reach))
        widest = 0.0
        for _ in range(30):
            inside = _exact_jet(pull + reach * rng.integers(-1, 2, 4), u + reach * rng.integers(-1, 2, 3))
            values = [inside[0], *inside[1], *inside[2].ravel()]
            for ball, x in zip([v, *y, *(s for row in slopes for s in row)], values, strict=True):
                assert float(ball.lower()) - 1e-12 <= x <= float(ball.upper()) + 1e-12
                widest = max(widest, float(ball.rad()))
        assert widest < 6000 * reach


def test_inputs_count_with_their_size() -> None:
    data = make_data("own", [["1/2", -1], [2, 1], [3, 0], [1, -2]], [0, 1, 1, 0], classify=True)
    problem = reduced_problem(builtin("xor").with_(data=data, hidden=(1,), penalty="1e-2"))
    rows, rng = np.array(problem.design), np.random.default_rng(7)
    pull, u = rng.normal(size=4), rng.normal(size=3)
    output, weights, bend = _exact_jet(pull, u, rows)
    v, y, slopes = _jet(problem, _points(pull), _points(u))
    assert [float(v), *map(float, y)] == pytest.approx([output, *weights], abs=1e-12)
    assert np.array([[float(x) for x in row] for row in slopes]) == pytest.approx(bend, abs=1e-12)
    assert [float(g) for g in _share(problem, _points(u), v)] == pytest.approx(output * np.tanh(rows @ u), abs=1e-8)


def _step(problem: ReducedProblem, pull: list[arb], box: list[arb], centre: Any) -> tuple[list[arb], bool] | None:
    return _krawczyk(problem, pull, box, _jet(problem, pull, box)[2], _points(centre))


def test_krawczyk_finds_the_node_that_is_there_and_none_elsewhere() -> None:
    problem = _problem()
    for number in (1, 3, 6):
        states, pull, _ = _solution(number)
        u = states[0, :3]
        box = _balls(u + 1e-5, 1e-4)
        found = _step(problem, _points(pull), box, u + 1e-5)
        assert found is not None
        image, inside = found
        assert inside
        assert all(
            x.contains(arb(float(c), 1e-9)) or abs(float(x.mid()) - c) < 1e-8 for x, c in zip(image, u, strict=True)
        )
        assert max(float(x.rad()) for x in image) < 3e-5
        away = _balls(u + 3e-3, 1e-4)
        moved, inside = _step(problem, _points(pull), away, u + 3e-3) or ([], True)
        assert not inside
        assert any(not x.overlaps(z) for x, z in zip(moved, away, strict=True))
        # The box of P counts: with P wide no image is inside.
        wide = _step(problem, _balls(pull, 1.0), box, u)
        assert wide is not None
        assert not wide[1]
    # An image that leaves the box on one side only is not inside.
    states, pull, _ = _solution(0)
    u = states[0, :3]
    for side in (-1, 1):
        for place in range(3):
            pulls, centre = _balls(pull, 1e-4), u.copy()
            box = _balls(u, 1e-3)
            whole = _step(problem, pulls, box, u)
            assert whole is not None
            assert whole[1]
            reach = float(whole[0][place].rad())
            centre[place] -= side * (1e-3 - reach / 2)
            box = _balls(centre, 1e-3)
            image, inside = _step(problem, pulls, box, centre) or ([], True)
            assert image[place].overlaps(box[place])
            assert not inside
    zero = [[arb(0)] * 3 for _ in range(3)]
    assert _krawczyk(problem, _points(np.ones(4)), _balls(np.zeros(3), 1.0), zero, _points(np.zeros(3))) is None


def test_the_logits_ask_of_a_node_what_the_theorem_says() -> None:
    states, pull, bias = _solution(3)
    balls = _balls(pull, 1e-9)
    logits = _logits(_problem(), balls)
    assert logits is not None
    share = states[0, 3] * np.tanh(XOR @ states[0, :3])
    for found, wanted in zip(logits, share + bias, strict=True):
        assert float(found) == pytest.approx(wanted, abs=1e-8)
        assert 0 < float(found.rad()) < 1e-8
    demand = _Demand.of(_problem(), balls, logits, arb(bias))
    assert demand is not None
    assert demand.share is not None
    assert float(demand.output) == pytest.approx(states[0, 3], abs=1e-7)
    assert [float(g) for g in demand.share] == pytest.approx(share, abs=1e-7)
    # Over a box of P the logits at both its ends are held, and no more.
    reach = 0.3
    over = _logits(_problem(), _balls(pull, reach))
    assert over is not None
    for d, sign in enumerate(SIGN):
        ends = sorted(
            -sign * np.log(q / (1 - q)) for q in (sign * (pull[d] - reach) / 25, sign * (pull[d] + reach) / 25)
        )
        assert float(over[d].lower()) == pytest.approx(ends[0], abs=1e-7)
        assert float(over[d].upper()) == pytest.approx(ends[1], abs=1e-7)
    third = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="3/100"))
    scaled = _logits(third, _points(SIGN * 0.3 * 25 / 3))
    assert scaled is not None
    assert [float(x) for x in scaled] == pytest.approx(SIGN * np.log(0.7 / 0.3), abs=1e-12)
    # Two nodes: each square is at most the sum.
    wide = _Demand.of(_problem(2), balls, logits, arb(bias))
    assert wide is not None
    assert wide.share is None
    assert float(wide.output.lower()) == pytest.approx(0, abs=1e-9)
    assert float(wide.output.upper()) == pytest.approx(states[0, 3], abs=1e-7)
    # A sum of squares that is negative belongs to nothing; one that may be zero asks for v from 0 on.
    assert _Demand.of(_problem(), _points([1, -1, 1, 1]), _points([0, 3, 0, 0]), arb(0)) is None
    assert _Demand.of(_problem(), _points([1, 1, 1, 1]), _points([0, 3, 0, 0]), arb(3)) is None
    loose = _Demand.of(_problem(), _balls([1, 1, 1, 1], 0.01), _balls([0, 0, 0, 0], 0.01), arb(0))
    assert loose is not None
    assert loose.output.contains(arb(0))
    assert loose.output.contains(arb(0.1))
    for outside in (0.0, -1.0, 25.0, 26.0):
        assert _logits(_problem(), _points([pull[0], outside, pull[2], pull[3]])) is None
    assert _logits(_problem(), [*_points(pull[:3]), arb(float(pull[3]), 30)]) is None


def test_a_contraction_keeps_the_node_and_closes_in_on_it() -> None:
    problem, rng = _problem(), np.random.default_rng(4)
    for number in range(7):
        states, pull, bias = _solution(number)
        u = states[0, :3]
        if np.abs(u).max() < 1e-6:
            continue
        logits = _logits(problem, _balls(pull, 1e-10))
        assert logits is not None
        demand = _Demand.of(problem, _balls(pull, 1e-10), logits, arb(bias))
        assert demand is not None
        for asked in (FREE, demand):
            box = [_ball(c - 2e-3 * rng.random() - 1e-8, c + 2e-3 * rng.random() + 1e-8) for c in u]
            left = _contract(problem, _balls(pull, 1e-10), box, asked)
            assert left is not None
            assert all(float(x.lower()) - 1e-9 <= c <= float(x.upper()) + 1e-9 for x, c in zip(left, u, strict=True))
            assert max(float(x.rad()) for x in left) < 1e-7
        away = [_ball(c + 0.05, c + 0.06) for c in u]
        assert _contract(problem, _balls(pull, 1e-10), away, FREE) is None
        # What the logits refuse goes, whatever the node equations say.
        refused = _Demand(output=demand.output, share=tuple(_points([9, 9, 9, 9])))
        assert _contract(problem, _balls(pull, 1e-10), _balls(u, 1e-3), refused) is None
        refused = _Demand(output=arb(50), share=None)
        assert _contract(problem, _balls(pull, 1e-10), _balls(u, 1e-3), refused) is None
    # About 0 only the zero node.
    assert _contract(problem, _points([-1.2, 1.3, 1.2, -1.3]), _balls(np.zeros(3), 0.03), FREE) is None
    assert _contract(problem, _points([-1.2, 1.3, 1.2, -1.3]), _balls(np.full(3, 1e-3), 0.03), FREE) is None


def test_a_contraction_stops_when_it_stalls() -> None:
    problem = _problem()
    _, pull, _ = _solution(6)
    left = _contract(problem, _balls(pull, 5.0), _balls(np.array([0.5, 0.4, 0.1]), 2.0), FREE)
    assert left is not None
    again = _contract(problem, _balls(pull, 5.0), left, FREE)
    assert again is not None
    assert max(float(x.rad()) for x in again) > PROGRESS * max(float(x.rad()) for x in left)


@pytest.mark.parametrize("reach", [1e-9, 1e-2])
def test_all_node_states_are_found(reach: float) -> None:
    problem = _problem(2)
    start = _balls(np.zeros(3), 0.6)
    _, pull, _ = _solution(7, 2)
    guesses = _float_states(problem, pull, np.random.default_rng(0))
    found, handled = node_states(problem, _balls(pull, reach), [start], FREE, 0.1, 10**6)
    assert 10 < handled < 10**6
    inside = [state for state in guesses[1:] if np.abs(state[:3]).max() < 0.59]
    assert len(inside) > 1
    for state in inside:
        assert any(all(x.overlaps(arb(float(c), 1e-9)) for x, c in zip(u, state[:3], strict=True)) for u in found)
    for u in found:
        assert 2 * max(float(x.rad()) for x in u) <= 0.1 * (1 + 1e-9)
    few, spent = node_states(problem, _balls(pull, reach), [start], FREE, 0.1, 20)
    assert spent == 21
    assert len(few) <= 21
    assert node_states(problem, _balls(pull, reach), [], FREE, 0.1, 20) == ([], 0)


def test_states_in_plain_floats_solve_the_node_equations() -> None:
    problem = _problem(2)
    for number in (1, 7, 8, 11):
        states, pull, _ = _solution(number, 2)
        table = _float_states(problem, pull, np.random.default_rng(1))
        assert not table[0].any()
        assert len(table) > 1
        for state in table[1:]:
            v, y, _ = _exact_jet(pull, state[:3])
            assert state[3] > 1e-6
            assert v == pytest.approx(state[3], rel=1e-9)
            assert 2 * state[:3] == pytest.approx(v * y, abs=1e-5)
        gaps = np.abs(table[:, None] - table[None]).max(axis=2) + np.eye(len(table))
        assert gaps.min() > 5e-5
        assert len(table) < 30
        for state in states:
            assert np.abs(table - state).max(axis=1).min() < 1e-6


def test_starts_are_the_choices_nearest_to_the_logits() -> None:
    problem = _problem(2)
    states, pull, bias = _solution(11, 2)
    low, high = np.append(pull, bias) - 1e-6, np.append(pull, bias) + 1e-6
    starts = _starts(problem, low, high, np.random.default_rng(2))
    assert 1 < len(starts) <= auditing.STARTS
    gaps = []
    for start in starts:
        assert start.shape == (2, 4)
        logits = start[:, 3] @ np.tanh(start[:, :3] @ XOR.T) + pull.sum()
        wanted = -SIGN * np.log(SIGN * pull / 25 / (1 - SIGN * pull / 25))
        gaps.append(np.abs(logits - wanted).max())
    assert gaps == sorted(gaps)
    assert gaps[0] < 1e-4
    # Residuals that no logits have still give starts.
    beyond = np.array([-26.0, 26.0, 12.0, 1.0, 0.0])
    assert _starts(problem, beyond - 1e-3, beyond + 1e-3, np.random.default_rng(2))
    order = np.argsort(states[:, 0])
    assert np.sort(starts[0][:, 0]) == pytest.approx(states[order, 0], abs=1e-5)


def test_choices_are_those_whose_logits_overlap() -> None:
    problem, rng = _problem(2), np.random.default_rng(5)
    states, pull, bias = _solution(11, 2)
    balls = _balls(pull, 1e-9)
    logits = _logits(problem, balls)
    assert logits is not None
    nodes = [_balls(u, 1e-6) for u in states[:, :3]] + [_balls(rng.normal(size=3), 1e-6) for _ in range(4)]
    found = _choices(problem, balls, arb(bias), logits, nodes)
    centres = [[float(x) for x in u] for u in nodes] + [[0.0] * 3]
    wanted = []
    for choice in combinations_with_replacement(range(len(centres)), 2):
        total = bias + sum((pull @ np.tanh(XOR @ centres[j])) * np.tanh(XOR @ centres[j]) for j in choice)
        if np.abs(total - [float(x) for x in logits]).max() < 1e-3:
            wanted.append([centres[j] for j in choice])
    assert [[[float(x) for x in node[:3]] for node in choice] for choice in found] == wanted
    assert wanted == [centres[:2]]
    for node, state in zip(found[0], states, strict=True):
        assert float(node[3]) == pytest.approx(state[3], abs=1e-6)
        assert node[3].rad() > 0
    loose = [arb(float(x), 100) for x in logits]
    every = _choices(problem, balls, arb(bias), loose, nodes)
    assert len(every) == len(list(combinations_with_replacement(range(7), 2)))
    assert all(x.is_zero() for x in every[-1][0])
    known, _ = prove_known(problem, [hundredth(2)[11]])
    assert _held(known, found, arb(bias))
    assert _held(known, [found[0][::-1]], arb(bias))
    assert not _held(known, [*found, every[0]], arb(bias))
    assert not _held(known, [every[0], *found], arb(bias))
    assert not _held(known, found, arb(bias, 1.0))
    # Each end counts: a node box that reaches out of the proved cube on one side only.
    for side in (-1, 1):
        out = tuple([x + arb(side, 1) for x in node] for node in found[0])
        assert not _held(known, [out], arb(bias))
        assert not _held(known, found, arb(bias) + arb(side, 1))
    assert not _held(_copies(problem, ()), found, arb(bias))


def test_lists_of_unequal_length_are_an_error_and_not_cut() -> None:
    problem, known = _problem(), _copies(_problem(), ())
    states, pull, bias = _solution(3)
    p, u, logits = _points(pull), _points(states[0, :3]), _points(np.ones(4))
    slopes = _jet(problem, p, u)[2]
    calls: list[Callable[[], Any]] = [
        lambda: _jet(problem, p[:-1], u),
        lambda: _jet(problem, [*p, p[0]], u),
        lambda: _krawczyk(problem, p, u[:-1], slopes, u),
        lambda: _krawczyk(problem, p, u, slopes, [*u, u[0]]),
        lambda: _Demand.of(problem, p, logits[:-1], arb(bias)),
        lambda: _Demand.of(problem, [*p, p[0]], logits, arb(bias)),
        lambda: _logits(problem, p[:-1]),
        lambda: _logits(problem, [*p, p[0]]),
        lambda: _contract(problem, p, u, _Demand(output=arb(500, 500), share=tuple(_balls(np.zeros(3), 100)))),
        lambda: prove_box(problem, known, pull[:3], np.append(pull, bias)),
        lambda: prove_box(problem, known, np.append(pull, bias), pull[:3]),
    ]
    for call in calls:
        with pytest.raises((ValueError, IndexError)):
            call()


def test_ends_hold_their_ball() -> None:
    assert _ends(arb(0)) == (0.0, 0.0)
    third = arb(1) / 3
    for x in (third, -third, arb("0.1"), arb(2, 0.5), arb(0, 1e-20), third + arb(0, 1.0 / 3), arb(1, 1), arb("1e-400")):
        low, high = _ends(x)
        assert arb(low) < x.lower()
        assert arb(high) > x.upper()
        assert high - low <= 2 * float(x.rad()) * (1 + 1e-9) + 1e-15


def test_a_box_is_proved_only_with_the_points_that_it_holds() -> None:
    problem = _problem()
    points = hundredth(1)
    for number in range(5):
        _, pull, bias = _solution(number)
        truth = np.append(pull, bias)
        whole, _ = prove_known(problem, points)
        others, _ = prove_known(problem, points[:number] + points[number + 1 :])
        # Two of these are nearly degenerate, and too close to other nodes for the plain search.
        verdict = Verdict.CERTIFIED if number < 3 else Verdict.UNDECIDED
        assert prove_box(problem, whole, truth - 1e-5, truth + 1e-5) is verdict
        assert prove_box(problem, others, truth - 1e-5, truth + 1e-5) is Verdict.UNDECIDED
        # gamma counts: a slab beside sum P holds nothing.
        beside = np.append(pull, bias + 0.1)
        assert prove_box(problem, others, beside - 1e-3, beside + 1e-3) is Verdict.CERTIFIED
        away = truth + AWAY
        assert prove_box(problem, others, away - 1e-2, away + 1e-2) is Verdict.CERTIFIED
    # Residuals at the edge have no logits.
    _, pull, _ = _solution(1)
    edge = np.append([-25.0, *pull[1:]], -25 + pull[1:].sum())
    assert prove_box(problem, prove_known(problem, [])[0], edge - 1e-3, edge + 1e-3) is Verdict.UNDECIDED


@pytest.mark.parametrize("name", ["STATE_LIMIT", "PIECE_LIMIT"])
def test_limits_leave_a_box_undecided(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _problem()
    _, pull, bias = _solution(3)
    truth = np.append(pull, bias) + AWAY
    known, _ = prove_known(problem, [])
    assert prove_box(problem, known, truth - 0.05, truth + 0.05) is Verdict.CERTIFIED
    monkeypatch.setattr(auditing, name, 1 if name == "STATE_LIMIT" else 0)
    assert prove_box(problem, known, truth - 0.05, truth + 0.05) is Verdict.UNDECIDED


def test_a_piece_that_holds_nothing_does_not_end_the_search_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _problem()
    _, pull, bias = _solution(1)
    truth, asked = np.append(pull, bias), _Demand.of

    def only_at_the_solution(which: ReducedProblem, piece: Any, logits: list[arb], slab: arb) -> _Demand | None:
        inside = all(p.contains(x) for p, x in zip(piece, _points(pull), strict=True))
        return asked(which, piece, logits, slab) if inside else None

    monkeypatch.setattr(_Demand, "of", staticmethod(only_at_the_solution))
    # The solution lies in the half that is looked at last.
    assert prove_box(problem, _copies(problem, ()), truth - 1e-5, truth + 0.01) is Verdict.UNDECIDED


def test_a_counterexample_is_a_proved_solution_of_the_row_that_is_not_listed() -> None:
    problem = _problem()
    states, pull, bias = _solution(4)
    truth = np.append(pull, bias)
    row = np.concatenate([truth - 1e-3, truth + 1e-3, [0.0]])
    nobody, _ = prove_known(problem, [])
    listed, _ = prove_known(problem, [hundredth(1)[4]])
    found = counterexample(problem, nobody, [states + 0.5, states], bias, row)
    assert found is not None
    assert np.abs(found.centre - states).max() < 1e-9
    assert found.number == -1
    assert counterexample(problem, listed, [states + 1e-3], bias, row) is None
    assert counterexample(problem, nobody, [], bias, row) is None
    # Outside the row, at either end of any side, it refutes nothing.
    for k in range(5):
        for low, high in ((1e-3, 2e-3), (-2e-3, -1e-3)):
            beside = row.copy()
            beside[k], beside[5 + k] = truth[k] + low, truth[k] + high
            assert counterexample(problem, nobody, [states], bias, beside) is None
    # The solution's proved box must lie inside, not only its centre.
    for place, end in ((4, bias - EXISTENCE_RADIUS / 2), (9, bias + EXISTENCE_RADIUS / 2)):
        cut = row.copy()
        cut[place] = end
        assert counterexample(problem, nobody, [states], bias, cut) is None
    # A start may lie far, but not farther than it says.
    assert certify_known(problem, states + 2, bias, -1, auditing.FARTHEST_START) is None


def test_the_audit_takes_boxes_inside_its_rows_and_counts_what_comes_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    rng = np.random.default_rng(6)
    low = rng.normal(size=(200, 5))
    low[:, 4] = low[:, :4].sum(axis=1) + rng.choice([-0.3, 1.5, -2.0], 200)
    log = np.column_stack((low, low + np.array([0.5, 1e-5, 0.5, 0.5, 0.7]), np.zeros(200)))
    boxes: list[tuple[np.ndarray, np.ndarray]] = []
    verdicts = [Verdict.CERTIFIED, Verdict.UNDECIDED, Verdict.CERTIFIED]

    def proved(problem: ReducedProblem, known: Any, lower: np.ndarray, upper: np.ndarray) -> Verdict:
        boxes.append((lower.copy(), upper.copy()))
        return verdicts[len(boxes) % 3]

    calls: list[Any] = []

    def refuting(problem: ReducedProblem, known: Any, starts: Any, bias: float, row: np.ndarray) -> object | None:
        calls.append((bias, row))
        return object() if len(calls) % 10 == 0 else None

    monkeypatch.setattr(auditing, "prove_box", proved)
    monkeypatch.setattr(auditing, "_starts", lambda *args: [])
    monkeypatch.setattr(auditing, "counterexample", refuting)
    report = audit(spec, [], log, 0.3, np.random.default_rng(1))
    assert report.sampled == len(boxes) == 60
    picked = [int(np.flatnonzero((log == row).all(axis=1))[0]) for _, row in calls]
    assert len(set(picked)) == 60
    assert report.refuted == tuple(picked[9::10])
    assert report.undecided == tuple(p for k, p in enumerate(picked) if (k + 1) % 10 and (k + 1) % 3 == 1)
    assert report.proved + len(report.undecided) + len(report.refuted) == 60
    assert report.verdict is Verdict.REFUTED
    shares = []
    for (lower, upper), (bias, row) in zip(boxes, calls, strict=True):
        assert (row[:5] <= lower + 1e-15).all()
        assert (upper <= row[5:10] + 1e-15).all()
        width = np.minimum(row[5:9] - row[:4], SUB_WIDTH * 25)
        assert upper[:4] - lower[:4] == pytest.approx(width)
        # gamma about the sum of the middles of P, as far as that may move.
        centre = np.clip((lower[:4] + width / 2).sum(), row[4], row[9])
        assert bias == pytest.approx(centre)
        assert lower[4] == pytest.approx(max(row[4], centre - width.sum()))
        assert upper[4] == pytest.approx(min(row[9], centre + width.sum()))
        shares.append(((lower - row[:5]) / (row[5:10] - row[:5]))[[0, 2, 3]])
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    assert np.ptp(shares) > 0.8
    # At least one row; all of them; none where there are none.
    assert audit(spec, [], log, 1e-9, np.random.default_rng(1)).sampled == 1
    assert audit(spec, [], log[:7], 1.0, np.random.default_rng(1)).sampled == 7
    assert audit(spec, [], log[:0], 1.0, np.random.default_rng(1)) == AuditReport(
        sampled=0, proved=0, undecided=(), refuted=(), verdict=Verdict.CERTIFIED
    )
    monkeypatch.setattr(auditing, "counterexample", lambda *args: None)
    report = audit(spec, [], log, 0.3, np.random.default_rng(1))
    assert report.verdict is Verdict.UNDECIDED
    assert (report.proved, len(report.undecided)) == (40, 20)
    verdicts[1] = Verdict.CERTIFIED
    assert audit(spec, [], log, 0.3, np.random.default_rng(1)).verdict is Verdict.CERTIFIED
