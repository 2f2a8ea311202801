"""Eigenvalues, eigenvectors and steps of eight matrices at a time agree with LAPACK's, one matrix at a time."""

from __future__ import annotations

import numpy as np
import pytest

from symland.errors import KernelError
from symland.machine.spectra import LARGEST_ORDER, following_steps, spectra
from symland.records import FloatArray

ORDERS = (1, 2, 3, 8, 17, LARGEST_ORDER, LARGEST_ORDER + 1)


def prescribed(count: int, order: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Symmetric matrices with eigenvalues between 1e-6 and 1 of either sign, a third of them equal."""
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.uniform(-6, 0, size=(count, order)) * rng.choice((-1.0, 1.0), size=(count, order))
    values[:, : order // 3] = 2e-3
    turn = np.linalg.qr(rng.normal(size=(count, order, order)))[0]
    matrices = (turn * values[:, None, :]) @ turn.swapaxes(1, 2)
    return (matrices + matrices.swapaxes(1, 2)) / 2, np.sort(values, axis=1)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [0, 1, 8, 13])
def test_prescribed_eigenvalues_are_found_with_orthonormal_eigenvectors(order: int, count: int) -> None:
    matrices, values = prescribed(count, order, order)
    kept = matrices.copy()
    found, vectors = spectra(matrices)
    assert (matrices == kept).all()
    assert (found.shape, vectors.shape) == ((count, order), (count, order, order))
    assert np.abs(np.sort(found, axis=1) - values).max(initial=0.0) < 1e-14
    assert np.abs(matrices @ vectors - vectors * found[:, None, :]).max(initial=0.0) < 1e-9
    assert np.abs(vectors.swapaxes(1, 2) @ vectors - np.eye(order)).max(initial=0.0) < 1e-13


def test_only_the_upper_triangle_is_read() -> None:
    matrices, values = prescribed(9, 6, 3)
    found, _ = spectra(np.triu(matrices))
    assert np.abs(np.sort(found, axis=1) - values).max() < 1e-14


def test_diagonal_and_zero_matrices_are_their_own_answer() -> None:
    given = np.stack((np.diag([3.0, -1.0, 0.0]), np.zeros((3, 3)), np.diag([0.0, 0.0, 1e-200]), np.eye(3)))
    found, vectors = spectra(given)
    assert (found == given.diagonal(axis1=1, axis2=2)).all()
    assert (vectors == np.eye(3)).all()


def test_a_matrix_that_is_not_finite_leaves_its_neighbours_alone() -> None:
    matrices, values = prescribed(8, 5, 1)
    matrices[3, 1, 2] = np.nan
    found, _ = spectra(matrices)
    others = [k for k in range(8) if k != 3]
    assert np.isnan(found[3]).any()
    assert np.abs(np.sort(found[others], axis=1) - values[others]).max() < 1e-14


@pytest.mark.parametrize("order", [2, 3, 8, 17, LARGEST_ORDER])
def test_steps_climb_the_lowest_modes_and_descend_the_others(order: int) -> None:
    rng = np.random.default_rng(order)
    hessians = rng.normal(size=(21, order, order))
    hessians = hessians + hessians.swapaxes(1, 2)
    gradients = rng.normal(size=(21, order)) * 10.0 ** rng.uniform(-4, 1, size=(21, 1))
    climbed = rng.integers(order + 1, size=21)
    steps = following_steps(gradients, hessians, climbed, 1.0)
    for step, gradient, hessian, index in zip(steps, gradients, hessians, climbed, strict=True):
        values, vectors = np.linalg.eigh(hessian)
        along = vectors.T @ gradient
        move = -2 * along / (np.abs(values) + np.sqrt(values**2 + 4 * along**2))
        move[:index] *= -1
        expected = vectors @ (move * min(1.0, 1.0 / float(np.linalg.norm(move))))
        assert np.abs(step - expected).max() < 1e-9


def test_where_gradient_and_hessian_vanish_there_is_no_step() -> None:
    steps = following_steps(np.zeros((3, 4)), np.zeros((3, 4, 4)), np.array([0, 2, 4]), 1.0)
    assert (steps == 0.0).all()


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(KernelError, match="give \\(n, P, P\\)"):
        spectra(np.zeros((2, 3)))
    with pytest.raises(KernelError, match="give \\(n, P, P\\) and \\(n, P\\)"):
        following_steps(np.zeros((2, 3)), np.zeros((2, 4, 4)), np.zeros(2, dtype=int), 1.0)
