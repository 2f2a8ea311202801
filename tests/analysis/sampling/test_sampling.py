"""The samplers against integrals that are known: Gaussians, a mixture, quadrature, and how often intervals cover."""

from __future__ import annotations

from math import log, pi

import numpy as np
import pytest

from symland.analysis.sampling.exchange import exchange, integrate, thicken
from symland.analysis.sampling.hmc import Ensemble, Levels, metric_root, move
from symland.analysis.sampling.sampled import check_effort, temper
from symland.analysis.sampling.smc import Schedule, combine, pilot, run
from symland.analysis.sampling.target import Target, invariant_metric, target_of
from symland.errors import SpecError
from symland.kernels import compile_kernel
from symland.spec import builtin
from symland.symbolic.symmetry import find_symmetry
from tests.analysis.temperature.landscapes import two_weights, two_weights_loss

PENALTY = 0.1
WEIGHTS, MEANS, WIDTHS = np.array([0.2, 0.8]), np.array([[2.0, -1.0], [-1.5, 0.5]]), np.array([0.4, 0.7])


def mixture_loss(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-ln of a mixture of two round Gaussians in the plane, and its gradient."""
    away = theta[:, None, :] - MEANS
    logs = np.log(WEIGHTS) - (away**2).sum(axis=2) / (2 * WIDTHS**2) - np.log(2 * pi * WIDTHS**2)
    top = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - top)
    total = shares.sum(axis=1, keepdims=True)
    slope = ((shares / total / WIDTHS**2)[..., None] * away).sum(axis=1)
    return -(top[:, 0] + np.log(total[:, 0])), slope


def mixture_log_z() -> float:
    """ln of the integral of the mixture times exp(-PENALTY |theta|^2), component by component."""
    parts = []
    for w, m, s in zip(WEIGHTS, MEANS, WIDTHS, strict=True):
        # N(m, s^2) against exp(-c x^2): (1 + 2 c s^2)^{-1/2} exp(-c m^2 / (1 + 2 c s^2)) in each coordinate.
        k = 1 + 2 * PENALTY * s**2
        parts.append(w / k * np.exp(-PENALTY * (m @ m) / k))
    return float(np.log(sum(parts)))


def flat(theta: np.ndarray) -> np.ndarray:
    return np.tile(np.eye(theta.shape[1]), (len(theta), 1, 1))


MIXTURE = Target(loss=mixture_loss, curvature=flat, penalty=PENALTY, size=2)
PATH = [(0.0, 1.0), (1.0, 1.0)]


def test_the_gradient_of_the_mixture_is_that_of_differences():
    theta = np.array([[0.3, -0.2], [1.9, -1.2]])
    for k in range(2):
        step = 1e-6 * np.eye(2)[k]
        numeric = (mixture_loss(theta + step)[0] - mixture_loss(theta - step)[0]) / 2e-6
        assert mixture_loss(theta)[1][:, k] == pytest.approx(numeric, abs=1e-8)


def test_a_quadratic_loss_has_its_determinant():
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    target = Target(
        loss=lambda x: (0.5 * np.einsum("ni,ij,nj->n", x, matrix, x), x @ matrix),
        curvature=lambda x: np.tile(matrix, (len(x), 1, 1)),
        penalty=0.5,
        size=2,
    )
    found = temper(target, [(0.0, 1.0), (1.0, 1.0), (50.0, 50.0)], samples=1024, runs=6, seed=1)
    for beta, stop in zip((1.0, 50.0), found.stops, strict=True):
        exact = log(2 * pi / beta) - 0.5 * log(np.linalg.det(matrix + np.eye(2)))
        assert abs(stop.log_z.value - exact) < 4 * stop.log_z.error < 0.2
        assert abs(stop.energy.value - 1 / beta) < 4 * stop.energy.error


def test_the_asymmetric_mixture_has_its_integral_by_both_samplers():
    found = temper(MIXTURE, PATH, samples=1024, runs=6, seed=2)
    smc = found.stops[0].log_z
    assert smc.error < 0.03
    assert abs(smc.value - mixture_log_z()) < 4 * smc.error
    ladder, starts = thicken(found.schedule, found.points, 3)
    seen = exchange(MIXTURE, ladder, starts, ladders=32, sweeps=200, rng=np.random.default_rng(3))
    (integral,), _ = integrate(MIXTURE, ladder, seen)
    assert integral.error < 0.02
    assert abs(integral.value - mixture_log_z()) < 4 * integral.error
    assert abs(integral.value - smc.value) < 4 * np.hypot(integral.error, smc.error)
    assert seen.round_trips > 100
    assert (seen.exchanges > 0.3).all()
    # Both modes are visited with their weights.
    k = 1 + 2 * PENALTY * WIDTHS**2
    parts = WEIGHTS / k * np.exp(-PENALTY * (MEANS**2).sum(axis=1) / k)
    right = (seen.samples[..., 0] > 0.25).mean()
    assert right == pytest.approx(parts[0] / parts.sum(), abs=0.03)


@pytest.mark.parametrize("planted", ["weights", "forces"])
def test_a_planted_sign_error_is_seen(planted):
    def loss(theta):
        value, slope = mixture_loss(theta)
        return (-value, slope) if planted == "weights" else (value, -slope)

    wrong = Target(loss=loss, curvature=flat, penalty=PENALTY, size=2)
    schedule, _ = pilot(MIXTURE, PATH, 256, np.random.default_rng(0))
    got = [run(wrong, schedule, 256, np.random.default_rng(seed)) for seed in range(4)]
    if planted == "weights":
        assert abs(combine([r.log_z[-1] for r in got]).value - mixture_log_z()) > 0.3
    else:
        # A wrong force cannot bias what is accepted; it shows in how little is.
        right = run(MIXTURE, schedule, 256, np.random.default_rng(0))
        assert got[0].acceptance[-1] < right.acceptance[-1] - 0.2


def test_intervals_cover_in_two_hundred_seeds_as_they_claim():
    b = np.array([0.0, 0.4, 1.0])
    metric = np.stack([metric_root(x * np.eye(2)) for x in (0.2, 1.0, 2.0)])
    levels = Levels(b=b, a=np.ones(3), step=np.array([0.5, 0.8, 0.8]), root=metric)
    schedule = Schedule(levels=levels, stops=(2,))
    exact, covered = mixture_log_z(), 0
    for seed in range(200):
        values = [run(MIXTURE, schedule, 64, np.random.default_rng([seed, k])).log_z[-1] for k in range(4)]
        found = combine(values)
        covered += found.lower <= exact <= found.upper
    # 190 of 200 on average; 3 standard deviations of the binomial law are 9.2.
    assert 180 <= covered <= 199


def test_a_landscape_is_sampled_on_one_domain_and_all_copies_are_counted():
    found = two_weights()
    grid = np.linspace(-25, 25, 2001)
    loss = two_weights_loss(*np.meshgrid(grid, grid, indexing="ij"))
    target = target_of(found.spec, compile_kernel(found.spec), found.group)
    hot, cold = 0.5, 0.02
    got = temper(target, [(0.0, 1 / hot), (1 / hot, 1 / hot), (1 / cold, 1 / cold)], samples=1024, runs=6, seed=4)
    for t, stop in zip((hot, cold), got.stops, strict=True):
        exact = log(np.exp(-(loss - loss.min()) / t).sum() * 0.025**2) - loss.min() / t
        assert stop.log_z.error < 0.04
        assert abs(stop.log_z.value - exact) < 4 * stop.log_z.error


def test_the_metric_of_a_folded_sampler_is_invariant_under_every_symmetry():
    spec = builtin("xor").with_(hidden=(2,))
    group = find_symmetry(spec)
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 12))
    mean = invariant_metric(group)(root @ root.T)
    # Brute force: the mean over many random elements of the group of order 16.
    total = np.zeros((12, 12))
    seen = set()
    while len(seen) < group.formal_order:
        element = group.random_element(rng)
        if element in seen:
            continue
        seen.add(element)
        index, sign = group.signed_permutation(element)
        matrix = np.zeros((12, 12))
        matrix[index, np.arange(12)] = sign
        total += matrix @ root @ root.T @ matrix.T
    assert mean == pytest.approx(total / len(seen), abs=1e-12)


def test_a_move_leaves_a_gaussian_as_it_is():
    target = Target(loss=lambda x: (0 * x[:, 0], 0 * x), curvature=lambda x: 0 * flat(x), penalty=0.5, size=3)
    level = Levels(b=np.zeros(1), a=np.ones(1), step=np.array([0.5]), root=metric_root(np.diag([1.0, 2.0, 0.6]))[None])
    rng = np.random.default_rng(5)
    state = Ensemble.at(target, target.draw_reference(1.0, 40_000, rng)[None])
    for _ in range(4):
        state, chance = move(target, level, state, 3, rng)
    assert 0.2 < chance[0] < 1
    assert (state.theta[0] ** 2).mean(axis=0) == pytest.approx([1, 1, 1], abs=0.03)
    assert (state.theta[0] ** 4).mean(axis=0) == pytest.approx([3, 3, 3], abs=0.2)


@pytest.mark.parametrize(("samples", "runs"), [(3, 8), (1024, 1), (-5, 8)])
def test_too_little_effort_is_refused(samples, runs):
    with pytest.raises(SpecError, match="--"):
        check_effort(samples, runs)


def test_what_a_landscape_is_sampled_with_treats_mirror_images_alike():
    spec = builtin("xor").with_(hidden=(2,), penalty="1e-2")
    group = find_symmetry(spec)
    target = target_of(spec, compile_kernel(spec), group)
    points = np.random.default_rng(2).normal(size=(6, 12))
    metric = target.mean_curvature(target.fold(points), 3.0, 3.0)
    assert np.abs(metric - np.diag(np.diag(metric))).max() > 0.01
    for element in group.generators():
        index, sign = group.signed_permutation(element)
        assert metric[np.ix_(index, index)] * np.outer(sign, sign) == pytest.approx(metric, abs=1e-12)


@pytest.mark.parametrize("invariant", [True, False])
def test_folding_keeps_a_density_only_with_an_invariant_metric(invariant):
    # A round Gaussian in the plane, folded to x >= y: |x - y| / sqrt 2 has the mean (2 / pi)^{1/2}.
    def fold(theta):
        return -np.sort(-theta, axis=1)

    target = Target(
        loss=lambda x: (0 * x[:, 0], 0 * x), curvature=lambda x: 0 * flat(x), penalty=0.5, size=2, fold=fold
    )
    metric = np.diag([3.0, 3.0]) if invariant else np.diag([1.0, 9.0])
    level = Levels(b=np.zeros(1), a=np.ones(1), step=np.array([0.5]), root=metric_root(metric)[None])
    rng = np.random.default_rng(6)
    state = Ensemble.at(target, target.draw_reference(1.0, 40_000, rng)[None])
    for _ in range(12):
        state = move(target, level, state, 2, rng)[0].folded(target)
    gap = (state.theta[0, :, 0] - state.theta[0, :, 1]).mean() / np.sqrt(2)
    assert bool(abs(gap - np.sqrt(2 / pi)) < 0.012) is invariant
