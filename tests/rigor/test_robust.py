"""Robust radii of networks with random weights, against nearest changes of label by SLSQP and random inputs inside."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb
from scipy.optimize import minimize

from symland.datasets import Dataset
from symland.rigor.enumeration.lanes import Interval
from symland.rigor.lane_algebra import LaneAlgebra, interval_of
from symland.rigor.robust import Norm, RobustSearch
from symland.spec import LandscapeSpec, load_spec

INPUTS, HIDDEN, OUTPUTS = 3, 4, 3


def question(activation: str = "tanh") -> LandscapeSpec:
    rows = tuple((Fraction(k, 3), Fraction(-k, 2), Fraction(k * k, 5)) for k in range(3))
    data = Dataset(name="random", inputs=rows, labels=(0, 1, 2))
    return load_spec("xor").with_(name="random", data=data, hidden=(HIDDEN,), outputs=OUTPUTS, activation=activation)


def weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=INPUTS * HIDDEN + HIDDEN * OUTPUTS + HIDDEN + OUTPUTS)


def outputs(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The network written out, with tanh: (m, OUTPUTS) at inputs (m, INPUTS)."""
    first, second, b, c = np.split(theta, np.cumsum([INPUTS * HIDDEN, HIDDEN * OUTPUTS, HIDDEN]))
    hidden = np.tanh(x @ first.reshape(HIDDEN, INPUTS).T + b)
    return hidden @ second.reshape(OUTPUTS, HIDDEN).T + c


def nearest_change(theta: np.ndarray, x0: np.ndarray, label: int, norm: Norm) -> float:
    """The least distance at which SLSQP finds another label, from many starts."""
    best = np.inf
    draw = np.random.default_rng(1)
    for other in set(range(OUTPUTS)) - {label}:

        def lead(y: np.ndarray, other: int = other) -> float:
            z = outputs(theta, (x0 + y[:INPUTS])[None])[0]
            return float(z[other] - z[label])

        for _ in range(4):
            y = draw.normal(size=INPUTS)
            if norm is Norm.EUCLIDEAN:
                limits = [{"type": "ineq", "fun": lead}]
                found = minimize(lambda y: float(y @ y), y, method="SLSQP", constraints=limits)
                distance = float(np.sqrt(found.fun))
            else:
                # The least t with -t <= y_k <= t.
                limits = [
                    {"type": "ineq", "fun": lead},
                    {"type": "ineq", "fun": lambda z: z[INPUTS] - z[:INPUTS]},
                    {"type": "ineq", "fun": lambda z: z[INPUTS] + z[:INPUTS]},
                ]
                start = np.append(y, np.abs(y).max())
                found = minimize(lambda z: float(z[INPUTS]), start, method="SLSQP", constraints=limits)
                distance = float(found.fun)
            if found.success and lead(found.x) > -1e-9:
                best = min(best, distance)
    return best


@pytest.mark.parametrize("norm", Norm)
def test_the_radii_are_those_of_the_nearest_changes_of_label(norm: Norm) -> None:
    spec, compared = question(), 0
    samples = [[float(v) for v in row] for row in spec.data.inputs]
    for seed in range(2):
        theta = weights(seed)
        search = RobustSearch(spec, [arb(float(t)) for t in theta])
        labels = outputs(theta, np.array(samples)).argmax(axis=1).tolist()
        found = search.radii(spec.data.inputs, labels, norm, tolerance=1e-4)
        for x0, label, radius in zip(samples, labels, found, strict=True):
            assert radius.lower <= radius.upper
            if not np.isfinite(radius.upper):
                continue
            assert radius.upper * (1 - 1.01e-4) <= radius.lower
            nearest = nearest_change(theta, np.array(x0), label, norm)
            assert radius.lower <= nearest * (1 + 1e-7)
            compared += nearest <= radius.upper * (1 + 1e-5)
            y = np.random.default_rng(2).normal(size=(1000, INPUTS))
            y = y / norm.of(y)[:, None] * radius.lower
            assert (outputs(theta, np.array(x0) + y).argmax(axis=1) == label).all()
            # Another label is ahead at the witness, by more than rounding a little farther out.
            z = outputs(theta, (np.array(x0) + np.array(radius.witness) * (1 + 1e-7))[None])[0]
            assert z[label] < z.max()
    assert compared > 3


def test_one_sample_alone_has_the_radius_that_it_has_among_others() -> None:
    spec, theta = question(), weights(0)
    search = RobustSearch(spec, [arb(float(t)) for t in theta])
    labels = outputs(theta, np.array(spec.data.inputs, dtype=float)).argmax(axis=1).tolist()
    together = search.radii(spec.data.inputs, labels, Norm.EUCLIDEAN)
    for x, label, found in zip(spec.data.inputs, labels, together, strict=True):
        alone = search.radius(x, label, Norm.EUCLIDEAN)
        assert alone.lower <= found.upper
        assert found.lower <= alone.upper


def test_few_boxes_give_a_smaller_radius_that_is_still_right() -> None:
    spec, theta = question(), weights(1)
    search = RobustSearch(spec, [arb(float(t)) for t in theta])
    label = int(outputs(theta, np.array([[float(v) for v in spec.data.inputs[1]]])).argmax())
    full = search.radius(spec.data.inputs[1], label, Norm.EUCLIDEAN)
    little = search.radius(spec.data.inputs[1], label, Norm.EUCLIDEAN, most_boxes=4)
    assert little.lower < full.lower
    assert little.boxes <= 4


@pytest.mark.parametrize("activation", ["tanh", "logistic", "softplus", "sin", "z*logistic(z)"])
def test_lanes_hold_the_values_at_inputs_within_their_boxes(activation: str) -> None:
    spec, theta = question(activation), weights(3)
    search = RobustSearch(spec, [arb(float(t)) for t in theta])
    program = search.program(0, True)
    draw = np.random.default_rng(4)
    low = draw.normal(size=(5, INPUTS))
    high = low + draw.choice([0.0, 0.01, 1.0], size=(5, INPUTS))
    whole = search.lanes(program, [Interval(low[:, k], high[:, k]) for k in range(INPUTS)])
    for _ in range(3):
        x = low + (high - low) * draw.random((5, INPUTS))
        for name in ("margins", "margins_by_input"):
            for row in range(5):
                point = [arb(float(v)) for v in x[row]]
                exact = search_values(search, point)[name]
                for ball, lane in zip(exact, whole[name], strict=True):
                    low_end, high_end = (np.broadcast_to(end, 5)[row] for end in (lane.lo, lane.hi))
                    assert arb(float(low_end)) <= ball <= arb(float(high_end))


def search_values(search: RobustSearch, point: list[arb]) -> dict[str, list[arb]]:
    from symland.program.balls import evaluate_balls

    return evaluate_balls(search.program(0, True), search.theta, {"x": point}).by_data


@pytest.mark.parametrize("op", ["tanh", "sech2", "logistic", "exp"])
def test_ranges_of_functions_hold_mpmath_values_at_both_ends_and_between(op: str) -> None:
    values = {
        "tanh": mpmath.tanh,
        "sech2": lambda x: 1 / mpmath.cosh(x) ** 2,
        "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
        "exp": mpmath.exp,
    }
    ends = np.array([-800.0, -30.0, -2.0, -1e-9, 0.0, 1e-9, 2.0, 30.0, 600.0])
    for a in range(len(ends)):
        low, high = np.full(len(ends) - a, ends[a]), ends[a:]
        found = LaneAlgebra().primitive(op, [Interval(low, high)], None)
        for lane, top in enumerate(high):
            for share in (0.0, 0.3, 1.0):
                x = mpmath.mpf(ends[a]) + share * (mpmath.mpf(float(top)) - mpmath.mpf(ends[a]))
                assert float(found.lo[lane]) <= values[op](x) <= float(found.hi[lane])


def test_an_interval_of_a_ball_holds_it() -> None:
    for ball in (arb(1) / 3, arb(0.1, 1e-20), arb(-5, 2), arb(0)):
        found = interval_of(ball)
        assert arb(float(found.lo)) <= ball.lower()
        assert ball.upper() <= arb(float(found.hi))
    assert np.isinf(interval_of(arb.nan()).hi)


def test_a_network_that_says_one_label_everywhere_has_no_radius() -> None:
    spec = question()
    theta = np.zeros_like(weights(0))
    theta[-OUTPUTS:] = (1.0, 0.0, 0.0)
    found = RobustSearch(spec, [arb(float(t)) for t in theta]).radius(spec.data.inputs[0], 0, Norm.MAX)
    assert (found.lower, found.upper, found.witness) == (np.inf, np.inf, None)
    tied = replace(found, lower=0.0, upper=0.0, witness=(0.0,) * INPUTS)
    theta[-OUTPUTS:] = 0.0
    assert RobustSearch(spec, [arb(float(t)) for t in theta]).radius(spec.data.inputs[0], 0, Norm.MAX) == tied
