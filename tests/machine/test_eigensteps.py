"""Steps of eight Hessians at a time are those that LAPACK's eigenvectors give, one Hessian at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from symland.errors import KernelError
from symland.machine import eigensteps
from symland.machine.eigensteps import LARGEST_ORDER, damped_steps, following_steps
from symland.records import FloatArray
from tests.machine.test_spectra import prescribed

ORDERS = (1, 2, 3, 8, 17, 33, LARGEST_ORDER, LARGEST_ORDER + 1)


@pytest.fixture
def _lanes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lanes do not solve is not solved otherwise."""

    def refuse(*_: object) -> None:
        raise AssertionError("a step was left to LAPACK")

    monkeypatch.setattr(eigensteps, "ordered_spectra", refuse)


def random_gradients(count: int, order: int) -> tuple[np.random.Generator, FloatArray]:
    rng = np.random.default_rng(order)
    return rng, rng.normal(size=(count, order)) * 10.0 ** rng.uniform(-4, 1, size=(count, 1))


def one_by_one(hessians: FloatArray, gradients: FloatArray, move: Callable[..., FloatArray]) -> FloatArray:
    steps = []
    for k, (hessian, gradient) in enumerate(zip(hessians, gradients, strict=True)):
        values, vectors = np.linalg.eigh(hessian)
        step = vectors @ move(k, values, vectors.T @ gradient)
        steps.append(step * min(1.0, 1.0 / float(np.linalg.norm(step))))
    return np.array(steps)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [1, 8, 21])
def test_steps_climb_the_lowest_modes_and_descend_the_others(count: int, order: int) -> None:
    rng, gradients = random_gradients(count, order)
    hessians = rng.normal(size=(count, order, order))
    hessians = hessians + hessians.swapaxes(1, 2)
    climbed = rng.integers(order + 1, size=count)

    def move(k: int, values: FloatArray, along: FloatArray) -> FloatArray:
        sizes = 2 * along / (np.abs(values) + np.sqrt(values**2 + 4 * along**2))
        return np.where(np.arange(order) < climbed[k], sizes, -sizes)

    kept = hessians.copy()
    # Only the upper triangles are read.
    steps = following_steps(gradients, np.triu(hessians), climbed, 1.0)
    assert (hessians == kept).all()
    assert np.abs(steps - one_by_one(hessians, gradients, move)).max() < 1e-9


@pytest.mark.usefixtures("_lanes_alone")
@pytest.mark.parametrize("order", ORDERS[1:-1])
@pytest.mark.parametrize("shape", ["prescribed", "diagonal", "two blocks", "graded"])
def test_damped_steps_solve_their_equation(shape: str, order: int) -> None:
    """(H^2 + mu) s = -H g, also where eigenvalues are equal, or H falls into parts, before the step is shortened."""
    rng, gradients = random_gradients(13, order)
    hessians = prescribed(13, order, order)[0]
    if shape == "diagonal":
        hessians *= np.eye(order)
    elif shape == "two blocks":
        hessians[:, : order // 2, order // 2 :] = hessians[:, order // 2 :, : order // 2] = 0.0
    elif shape == "graded":
        scale = np.geomspace(1.0, 1e-8, order)
        hessians *= scale[:, None] * scale
    damping = 10.0 ** rng.uniform(-3, 0, size=13)
    steps = damped_steps(gradients, hessians, damping, np.inf)
    squares = hessians @ hessians + damping[:, None, None] * np.eye(order)
    exact = np.linalg.solve(squares, -hessians @ gradients[:, :, None])[:, :, 0]
    assert np.abs(steps - exact).max() < 1e-11 * np.abs(exact).max()
    shorter = damped_steps(gradients, hessians, damping, 0.5)
    norm = np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.abs(shorter - exact * np.minimum(1.0, 0.5 / norm)).max() < 1e-11


def test_a_lane_computes_the_same_whatever_its_neighbours_are() -> None:
    rng, gradients = random_gradients(8, 17)
    hessians = prescribed(8, 17, 2)[0]
    climbed = rng.integers(18, size=8)
    together = following_steps(gradients, hessians, climbed, 1.0)
    alone = [following_steps(gradients[[k]], hessians[[k]], climbed[[k]], 1.0)[0] for k in range(8)]
    assert (together == np.array(alone)).all()


def test_a_hessian_that_is_not_finite_leaves_its_neighbours_alone() -> None:
    rng, gradients = random_gradients(8, 5)
    hessians = prescribed(8, 5, 1)[0]
    climbed = rng.integers(6, size=8)
    good = following_steps(gradients, hessians, climbed, 1.0)
    hessians[3, 1, 2], hessians[5, 0, 0] = np.nan, np.inf
    steps = following_steps(gradients, hessians, climbed, 1.0)
    others = [k for k in range(8) if k not in (3, 5)]
    assert (steps[others] == good[others]).all()
    assert np.isnan(steps[3]).all()


def test_hessians_that_take_too_long_are_left_to_eigenvectors(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, gradients = random_gradients(9, 12)
    # With equal eigenvalues a step would depend on the eigenvectors that are chosen.
    hessians, climbed = rng.normal(size=(9, 12, 12)), rng.integers(13, size=9)
    expected = following_steps(gradients, hessians, climbed, 1.0)
    monkeypatch.setattr(eigensteps, "ROTATIONS", 0)
    eigensteps._entries.cache_clear()
    try:
        steps = following_steps(gradients, hessians, climbed, 1.0)
    finally:
        eigensteps._entries.cache_clear()
    assert np.abs(steps - expected).max() < 1e-9
    assert (steps != expected).any()


@pytest.mark.usefixtures("_lanes_alone")
def test_where_gradient_and_hessian_vanish_there_is_no_step() -> None:
    steps = following_steps(np.zeros((3, 4)), np.zeros((3, 4, 4)), np.array([0, 2, 4]), 1.0)
    assert (steps == 0.0).all()


def test_shapes_that_do_not_go_together_are_refused() -> None:
    for step, bound in ((following_steps, np.zeros(2, dtype=int)), (damped_steps, np.ones(2))):
        with pytest.raises(KernelError, match="give \\(n, P, P\\) and \\(n, P\\)"):
            step(np.zeros((2, 3)), np.zeros((2, 4, 4)), bound, 1.0)
