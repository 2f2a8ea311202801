"""Computed counterexamples: where a hypothesis of a theorem fails, so does its conclusion.

The networks here are written out with NumPy in float64 and differentiated by central differences of a complex step;
nothing of symland is used but for two lists of stationary points.
"""

from __future__ import annotations

import numpy as np
import pytest

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
LABELS = np.array([0, 1, 1, 0])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loss(theta, nodes, *, sigma=np.tanh, penalty=0.0, on_biases=True, x=XOR, labels=LABELS, classes=2):
    """mean cross-entropy + penalty * squares; theta = W1, W2, b, c."""
    n = x.shape[1]
    cut = np.cumsum([nodes * n, classes * nodes, nodes])
    w1, w2, b, c = np.split(theta, cut)
    h = sigma(x @ w1.reshape(nodes, n).T + b)
    z = h @ w2.reshape(classes, nodes).T + c
    data = np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels])
    return data + penalty * ((w1**2).sum() + (w2**2).sum() + on_biases * ((b**2).sum() + (c**2).sum()))


def gradient(theta, nodes, **options):
    step = 1e-30j
    return np.array([loss(theta + step * e, nodes, **options).imag / 1e-30 for e in np.eye(theta.size)])


def hessian(theta, nodes, **options):
    step = 1e-5
    rows = [
        (gradient(theta + step * e, nodes, **options) - gradient(theta - step * e, nodes, **options)) / (2 * step)
        for e in np.eye(theta.size)
    ]
    return (np.array(rows) + np.array(rows).T) / 2


def stationary(nodes, start, **options):
    """Newton's method with short steps, minimal-norm in singular directions."""
    theta = np.array(start, dtype=float)
    for _ in range(60):
        g = gradient(theta, nodes, **options)
        if np.abs(g).max() < 1e-13:
            break
        step = np.linalg.lstsq(hessian(theta, nodes, **options), g, rcond=1e-9)[0]
        theta = theta - step * min(1.0, 0.5 / np.linalg.norm(step))
    assert np.abs(gradient(theta, nodes, **options)).max() < 1e-11
    return theta


def widened(theta, nodes, n=2, classes=2, new=()):
    """One node more; `new` = (incoming, outgoing, bias) of it, zeros by default."""
    w1, w2, b, c = np.split(theta, np.cumsum([nodes * n, classes * nodes, nodes]))
    u, v, t = new or (np.zeros(n), np.zeros(classes), 0.0)
    return np.concatenate((w1, u, np.column_stack((w2.reshape(classes, nodes), v)).ravel(), b, [t], c))


def minimum(seed=3, nodes=2, **options):
    # Gradient descent from a random start, then Newton's method.
    theta = np.random.default_rng(seed).normal(size=5 * nodes + 2)
    for _ in range(400):
        theta = theta - 0.5 * gradient(theta, nodes, **options)
    return stationary(nodes, theta, **options)


NODES = 2


@pytest.fixture(scope="module")
def point():
    return minimum(penalty=1e-2)


def test_t5_zero_weights_are_needed(point):
    assert np.abs(gradient(widened(point, NODES), NODES + 1, penalty=1e-2)).max() < 1e-10
    for new in ((np.zeros(2), np.ones(2) / 9, 0.0), (np.ones(2) / 9, np.zeros(2), 0.0)):
        assert np.abs(gradient(widened(point, NODES, new=new), NODES + 1, penalty=1e-2)).max() > 1e-4


def test_t5_sigma_of_zero_must_vanish_under_a_penalty_on_biases():
    uneven = np.array([0, 1, 1, 1])
    options = {"sigma": sigmoid, "penalty": 1e-2, "labels": uneven}
    found = minimum(**options)
    slope = gradient(widened(found, NODES), NODES + 1, **options)
    # dE/dv = -2 lambda sigma(0) c, as T5-nonvanishing says.
    expected = -2 * 1e-2 * 0.5 * found[-2:]
    new = [2 * (NODES + 1) + NODES, 2 * (NODES + 1) + 2 * NODES + 1]
    assert np.allclose(slope[new], expected, atol=1e-10)
    assert np.abs(expected).max() > 1e-4


def test_t5_any_activation_extends_where_biases_are_free():
    options = {"sigma": sigmoid, "penalty": 1e-2, "on_biases": False, "labels": np.array([0, 1, 1, 1])}
    found = minimum(**options)
    for t in (0.0, 0.7):
        wide = widened(found, NODES, new=(np.zeros(2), np.zeros(2), t))
        assert np.abs(gradient(wide, NODES + 1, **options)).max() < 1e-10


def test_t5_shear_is_needed_for_the_hessian_of_a_shifted_extension():
    options = {"sigma": sigmoid, "penalty": 1e-2, "on_biases": False, "labels": np.array([0, 1, 1, 1])}
    found = minimum(**options)
    h = hessian(widened(found, NODES), NODES + 1, **options)
    v0 = 2 * (NODES + 1) + NODES
    assert np.abs(h[v0, -2:]).max() > 1e-3  # coupled to the output biases,
    shear = np.eye(h.shape[0])
    shear[-2:, [v0, v0 + NODES + 1]] = -0.5 * np.eye(2)
    assert np.abs((shear.T @ h @ shear)[v0, -2:]).max() < 1e-7  # and uncoupled after c -> c - sigma(0) v.


FREE = {"penalty": 1e-2, "on_biases": False}
NEW = [2, 3, 5, 7, 9]
"""W1 and the two outgoing weights and the bias of the second of two nodes."""


@pytest.fixture(scope="module")
def weights_only():
    theta = stationary(1, [1.694, -1.694, -1.08, 1.08, -1.532, 0.901, 2.43], **FREE)
    assert abs(loss(theta, 1, **FREE) - 0.628573) < 1e-6
    return theta


def test_t5_flat_bias_the_new_block_holds_the_curvature_of_the_next_bias(weights_only):
    wide = widened(weights_only, 1, new=(np.zeros(2), np.zeros(2), 1.0))
    assert np.abs(gradient(wide, 2, **FREE)).max() < 1e-11
    h = hessian(wide, 2, **FREE)
    block = np.linalg.eigvalsh(h[np.ix_(NEW, NEW)])
    assert np.allclose(block, [0, 0.0081, 0.02, 0.02, 0.2694], atol=1e-4)
    # 2 lambda +- |sigma'(t)| tau and 2 lambda are the spectrum after c -> c - sigma(t) v, and of no part of h itself.
    shear = np.eye(12)
    shear[[10, 11], [5, 7]] = -np.tanh(1.0)
    sheared = shear.T @ h @ shear
    assert np.allclose(np.linalg.eigvalsh(sheared[np.ix_(NEW, NEW)]), [-0.0344, 0, 0.02, 0.02, 0.0744], atol=1e-4)
    old = [k for k in range(12) if k not in NEW]
    assert np.abs(sheared[np.ix_(old, NEW)]).max() < 1e-8
    assert np.abs(h[np.ix_(old, NEW)]).max() > 1e-2
    # The block has no negative eigenvalue, and yet the index rises by one.
    assert block.min() > -1e-9
    assert (np.linalg.eigvalsh(hessian(weights_only, 1, **FREE)) < -1e-7).sum() == 0
    assert (np.linalg.eigvalsh(h) < -1e-7).sum() == 1


def test_t5_flat_bias_has_the_spectrum_of_t5_where_sigma_of_t_vanishes(weights_only):
    h = hessian(widened(weights_only, 1), 2, **FREE)
    h1 = hessian(weights_only, 1, **FREE)
    data = h[np.ix_([2, 3], [5, 7])]  # sigma'(0) C
    tau = np.linalg.svd(data, compute_uv=False)
    expected = sorted([0, 0.02 - tau[0], 0.02 - tau[1], 0.02 + tau[0], 0.02 + tau[1]])
    assert np.allclose(np.linalg.eigvalsh(h[np.ix_(NEW, NEW)]), expected, atol=1e-8)
    old = [k for k in range(12) if k not in NEW]
    assert np.allclose(h[np.ix_(old, old)], h1, atol=1e-8)


def test_t5_three_classes_can_gain_two_indices():
    x = np.array([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])
    labels = np.array([0, 1, 2])
    origin = np.zeros(3)  # no nodes: three biases
    wide = np.concatenate((np.zeros(2), np.zeros(3), np.zeros(1), origin))
    options = {"x": x, "labels": labels, "classes": 3, "penalty": 1e-3}
    assert np.abs(gradient(wide, 1, **options)).max() < 1e-14
    assert (np.linalg.eigvalsh(hessian(wide, 1, **options)) < 0).sum() == 2


def test_t2_gauge_needs_a_penalty(point):
    w2 = point[2 * NODES : 4 * NODES].reshape(2, NODES)
    assert np.abs(w2.sum(0)).max() < 1e-10
    assert abs(point[-2:].sum()) < 1e-10
    # At lambda = 0 a stationary point moves along the gauge.
    moved = point.copy()
    moved[2 * NODES : 4 * NODES] += 0.3
    assert np.allclose(gradient(moved, NODES), gradient(point, NODES), atol=1e-12)


def test_t3_the_eigenvalue_stands_at_every_theta():
    theta = np.random.default_rng(0).normal(size=5 * 3 + 2)
    values = np.linalg.eigvalsh(hessian(theta, 3, penalty=0.05))
    assert (np.abs(values - 0.1) < 1e-8).sum() >= 4
    free = np.linalg.eigvalsh(hessian(theta, 3, penalty=0.05, on_biases=False))
    assert (np.abs(free - 0.1) < 1e-8).sum() >= 3
    assert np.abs(free).min() < 1e-8


def test_t4_the_origin_needs_balanced_and_uncorrelated_labels():
    origin = np.zeros(12)
    assert np.abs(gradient(origin, 2, penalty=1e-3)).max() < 1e-14
    assert np.abs(gradient(origin, 2, penalty=1e-3, labels=np.array([0, 1, 1, 1]))).max() > 0.1
    correlated = np.array([0, 0, 1, 1])
    assert np.abs(gradient(origin, 2, penalty=1e-3, labels=correlated)).max() < 1e-14
    assert np.linalg.eigvalsh(hessian(origin, 2, penalty=1e-3, labels=correlated)).min() < -0.1


def test_t6_a_split_is_stationary_without_penalty_and_not_with_one(point):
    def split(theta, share):
        w1, w2, b, c = np.split(theta, np.cumsum([2 * NODES, 2 * NODES, NODES]))
        w2 = w2.reshape(2, NODES)
        copies = np.column_stack((w2[:, 0], share * w2[:, 1], (1 - share) * w2[:, 1]))
        return np.concatenate((w1, w1[2:], copies.ravel(), b, b[1:], c))

    for share in (0.5, 0.25, -1.0):
        assert np.abs(gradient(split(point, share), NODES + 1, penalty=1e-2)).max() > 1e-3
    # Without penalty the gradient of the split is made of the whole one's: it vanishes with it.
    theta = np.random.default_rng(1).normal(size=12)
    whole = gradient(theta, NODES)
    for share in (0.5, 0.25, -1.0):
        parts = gradient(split(theta, share), NODES + 1)
        assert np.allclose(parts[2:4], share * whole[2:4], atol=1e-14)
        assert np.allclose(parts[4:6], (1 - share) * whole[2:4], atol=1e-14)
        assert np.allclose(parts[[7, 8, 10, 11]], whole[[5, 5, 7, 7]], atol=1e-14)


def squared_gradient(theta, sigma, slope, x, y):
    """Of the mean squared error of c + sum_j v_j sigma(w_j x + t_j); theta = (w, t, v) of each node, then c."""
    *nodes, c = theta
    nodes = np.reshape(nodes, (-1, 3))
    r = 2 * (c + sum(v * sigma(w * x + t) for w, t, v in nodes) - y)
    parts = [
        part
        for w, t, v in nodes
        for part in (r * v * slope(w * x + t) * x, r * v * slope(w * x + t), r * sigma(w * x + t))
    ]
    return np.array([np.mean(part) for part in (*parts, r)])


def test_t6_compatible_a_null_direction_is_not_necessary_where_sigma_has_no_slope():
    x = y = np.array([-1.0, 0.0, 1.0])
    residual = -2 * y  # the network without nodes and c = 0
    assert np.mean(residual) == 0
    assert np.isclose(np.mean(x * residual), -4 / 3)  # C, so that C p is not zero for p = 1
    flat, steep = (0, np.pi / 2, 1.0, -1.0), (0, 0.7, 1.0, -np.sin(0.7))
    assert np.abs(squared_gradient(flat, np.sin, np.cos, x, y)).max() < 1e-15
    assert np.abs(squared_gradient(steep, np.sin, np.cos, x, y)).max() > 0.5


def test_t6_under_a_penalty_on_weights_a_node_that_splits_need_not_be_a_zero_node(weights_only):
    # Two copies of the node v = w = 0 with any bias: no zero node, and stationary.
    once = widened(weights_only, 1, new=(np.zeros(2), np.zeros(2), 0.9))
    twice = widened(once, 2, new=(np.zeros(2), np.zeros(2), 0.9))
    assert np.abs(gradient(twice, 3, **FREE)).max() < 1e-11
    # Under a penalty on all parameters the bias has to go.
    assert np.abs(gradient(once, 2, penalty=1e-2)).max() > 1e-3


SAMPLES = np.linspace(-1.5, 1.5, 13)
TEACHER = (1.5, 0.3, 0.8, 0.1)


def tanh_slope(z):
    return 1 - np.tanh(z) ** 2


def teacher_gradient(theta, noise):
    """squared_gradient for data from a network of one node, plus noise that no such network fits."""
    w, t, v, c = TEACHER
    y = c + v * np.tanh(w * SAMPLES + t) + noise * np.cos(7 * SAMPLES)
    return squared_gradient(theta, np.tanh, tanh_slope, SAMPLES, y)


def teacher_hessian(theta, noise):
    theta = np.array(theta)
    steps = 1e-5 * np.eye(theta.size)
    return np.array([(teacher_gradient(theta + e, noise) - teacher_gradient(theta - e, noise)) / 2e-5 for e in steps])


def fitted(noise):
    """The minimum beside the teacher."""
    theta = np.array(TEACHER)
    for _ in range(20):
        theta = theta - np.linalg.solve(teacher_hessian(theta, noise), teacher_gradient(theta, noise))
    assert np.abs(teacher_gradient(theta, noise)).max() < 1e-12
    assert np.linalg.eigvalsh(teacher_hessian(theta, noise)).min() > 1e-3
    return theta


def test_t6_a_split_of_a_minimum_is_a_minimum_or_a_saddle_by_mu_and_undecided_at_the_ends():
    w, t, v, c = fitted(0.2)
    signs = {}
    for mu in (0.0, 0.5, 1.5):
        values = np.linalg.eigvalsh(teacher_hessian([w, t, mu * v, w, t, (1 - mu) * v, c], 0.2))
        signs[mu] = ((values < -1e-6).sum(), (np.abs(values) < 1e-6).sum())
    # At the ends nothing is decided; between and beyond them B or -B is added, and one flat direction.
    assert signs[0.0] == (0, 3)
    assert signs[0.5][1] == signs[1.5][1] == 1
    assert signs[0.5][0] + signs[1.5][0] == 2


def test_t7_groups_that_cancel_are_not_stationary_unless_residuals_vanish():
    pair = [0.6, -0.2, 1.0, 0.6, -0.2, -1.0]
    for noise in (0.0, 0.2):
        w, t, v, c = fitted(noise)
        copies = teacher_gradient([w, t, v / 3, w, t, 2 * v / 3, c], noise)
        cancelling = teacher_gradient([w, t, v, *pair, c], noise)
        assert np.abs(copies).max() < 1e-12
        assert np.abs(cancelling).max() > 1e-3 if noise else np.abs(cancelling).max() < 1e-12


def test_t8_no_stationary_point_is_worse_than_chance(point):
    def entropy_and_loss(theta, nodes):
        w1, w2, b, c = np.split(theta, np.cumsum([2 * nodes, 2 * nodes, nodes]))
        z = np.tanh(XOR @ w1.reshape(nodes, 2).T + b) @ w2.reshape(2, nodes).T + c
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        return -(p * np.log(p)).sum(1).mean(), -np.log(p[np.arange(4), LABELS]).mean(), (w2**2).sum() + (c**2).sum()

    entropy, data, size = entropy_and_loss(point, NODES)
    assert abs(data - (entropy - 2 * 1e-2 * size)) < 1e-10
    assert data <= np.log(2)
    somewhere = point * 3
    entropy, data, size = entropy_and_loss(somewhere, NODES)
    assert abs(data - (entropy - 2 * 1e-2 * size)) > 1e-2


def test_t9_the_bound_cannot_fall_below_the_fold():
    # Below the fold another minimum exists; at the proved bound gradient descent ends at the origin from everywhere.
    assert np.abs(minimum(seed=3, penalty=1e-2)).max() > 0.1
    for seed in range(4):
        theta = np.random.default_rng(seed).normal(size=12) * 2
        for _ in range(600):
            theta = theta - 0.5 * gradient(theta, 2, penalty=0.048)
        assert np.abs(theta).max() < 1e-3
