"""Single methods: what each one promises about its ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from symland.explore.flow import gradient_flow
from symland.explore.following import follow
from symland.explore.newton import newton
from symland.explore.squared import descend_squared_gradient
from symland.explore.starts import free_space, split_nodes, zero_extension
from symland.layout import Layout
from symland.records import Outcome
from symland.tolerances import count_signs
from tests.explore.landscapes import Wells, xor


@pytest.mark.parametrize("index", [0, 1, 2])
def test_following_arrives_mostly_at_the_index_it_heads_for(index):
    kernel, group = xor((2,), "1e-2")
    space = free_space(kernel, group)
    start = 2.0 * np.random.default_rng(2).normal(size=(100, space.n_parameters))
    ends, arrived = follow(space, start, np.full(100, index))
    assert arrived.mean() > 0.7
    spectra = np.linalg.eigvalsh(kernel.hessian(space.lift(ends[arrived])))
    assert np.mean((spectra < 0).sum(1) == index) > 0.95


def test_a_search_that_cannot_arrive_says_so():
    """E = y with a well nowhere: the gradient never vanishes."""

    class Slope(Wells):
        def value_gradient_hessian(self, theta):
            n, p = theta.shape
            return theta.sum(1), np.ones((n, p)), np.zeros((n, p, p))

    for method in (lambda k, s: follow(k, s, np.zeros(4, dtype=int)), descend_squared_gradient):
        _, arrived = method(Slope(2), np.zeros((4, 2)))
        assert not arrived.any()


def test_squared_gradient_descent_reaches_every_index():
    wells = Wells(2)
    ends, arrived = descend_squared_gradient(wells, np.random.default_rng(3).normal(size=(200, 2)))
    spectra = np.linalg.eigvalsh(wells.hessian(ends[arrived]))
    assert {int((s < 0).sum()) for s in spectra} == {0, 1, 2}
    assert np.abs(wells.gradient(ends[arrived])).max() <= 1e-7


def test_newton_keeps_the_best_point_and_converges():
    ends, converged = newton(Wells(2), np.array([[1.01, -0.98], [0.01, 1.02]]))
    assert converged.all()
    np.testing.assert_allclose(ends, [[1.0, -1.0], [0.0, 1.0]], atol=1e-15)


def test_signs_of_a_spectrum():
    assert count_signs(np.array([-2.0, -1e-3, 1e-12, 0.5])) == (2, 1)
    assert count_signs(np.array([-1e-9, 1e-9])) == (1, 0)


def test_the_flow_of_a_stiff_quartic_ends_where_scipy_says():
    class Valley(Wells):
        """E = 500 (y - x^2)^2 + (x^2 - 1)^2 / 4, a curved valley of condition 10^3."""

        def value_gradient_hessian(self, theta):
            x, y = theta.T
            gap = y - x**2
            value = 500 * gap**2 + (x**2 - 1) ** 2 / 4
            gradient = np.stack([-2000 * gap * x + x**3 - x, 1000 * gap], axis=1)
            hessian = np.empty((len(x), 2, 2))
            hessian[:, 0, 0] = -2000 * gap + 4000 * x**2 + 3 * x**2 - 1
            hessian[:, 0, 1] = hessian[:, 1, 0] = -2000 * x
            hessian[:, 1, 1] = 1000
            return value, gradient, hessian

    valley = Valley(2)
    starts = np.random.default_rng(4).normal(size=(8, 2))
    flow = gradient_flow(valley, starts, keep_track=True)
    assert set(flow.outcomes) == {Outcome.CONVERGED}
    assert len(flow.track) < 400
    for start, end in zip(starts, flow.theta, strict=True):
        reference = solve_ivp(
            lambda t, y: -valley.gradient(y[None])[0], (0, 100), start, method="Radau", rtol=1e-8, atol=1e-10
        )
        np.testing.assert_allclose(end, reference.y[:, -1], atol=1e-6)
    losses = np.array([valley.value(points) for points in flow.track])
    assert (np.diff(losses, axis=0) <= 1e-12).all()


def test_flow_keeps_to_the_subspace_of_its_projector():
    """On the ridge y = 0 the exact flow runs to the saddle (1, 0); rounding would leave it."""
    start = np.array([[0.3, 1e-9]])
    onto_ridge = np.diag([1.0, 0.0])[None]
    kept = gradient_flow(Wells(2), start, onto_ridge)
    np.testing.assert_allclose(kept.theta, [[1.0, 0.0]], atol=1e-6)
    left = gradient_flow(Wells(2), start)
    np.testing.assert_allclose(left.theta, [[1.0, 1.0]], atol=1e-6)


def test_stationary_points_have_no_component_along_the_gauge():
    kernel, group = xor((2,), "1e-2")
    space = free_space(kernel, group)
    assert space.n_parameters == 12 - 3
    ends, arrived = follow(kernel, np.random.default_rng(5).normal(size=(20, 12)), np.zeros(20, dtype=int))
    np.testing.assert_allclose(ends[arrived] @ group.gauge, 0.0, atol=1e-6)


@pytest.mark.parametrize("widths", [((2, 1, 2), (2, 3, 2)), ((2, 2, 1, 3), (2, 2, 3, 3)), ((1, 2, 2, 1), (1, 3, 4, 1))])
@pytest.mark.parametrize("bias", [False, True])
def test_extension_and_splitting_keep_the_outputs(widths, bias):
    small, large = (Layout(widths=w, bias=bias) for w in widths)
    rng = np.random.default_rng(6)
    theta, x = rng.normal(size=(5, small.size)), rng.normal(size=widths[0][0])

    def output(layout: Layout, point: np.ndarray) -> np.ndarray:
        signal = x
        for layer in range(1, layout.n_layers + 1):
            block, own = layout.weight(layer), layout.biases(layer)
            signal = point[block.slice].reshape(block.shape) @ signal + (point[own.slice] if own else 0.0)
            signal = np.tanh(signal) if layer < layout.n_layers else signal
        return signal

    for wide in (zero_extension(small, large, theta), split_nodes(small, large, theta, rng)):
        for before, after in zip(theta, wide, strict=True):
            np.testing.assert_allclose(output(large, after), output(small, before), rtol=1e-12)
    with pytest.raises(ValueError, match="do not extend"):
        zero_extension(large, small, rng.normal(size=(1, large.size)))
