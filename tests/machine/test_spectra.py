"""Eigenvalues and eigenvectors are found whether or not LAPACK gives up."""

from __future__ import annotations

import numpy as np
import pytest

from symland.errors import KernelError
from symland.machine.spectra import ordered_spectra, ordered_values
from symland.records import FloatArray

ORDERS = (1, 2, 3, 8, 17, 33)


def prescribed(count: int, order: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Symmetric matrices with eigenvalues between 1e-6 and 1 of either sign, a third of them equal."""
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.uniform(-6, 0, size=(count, order)) * rng.choice((-1.0, 1.0), size=(count, order))
    values[:, : order // 3] = 2e-3
    turn = np.linalg.qr(rng.normal(size=(count, order, order)))[0]
    matrices = (turn * values[:, None, :]) @ turn.swapaxes(1, 2)
    return (matrices + matrices.swapaxes(1, 2)) / 2, np.sort(values, axis=1)


@pytest.fixture(params=[False, True], ids=["LAPACK", "LAPACK gives up"])
def _lapack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    if request.param:
        monkeypatch.setattr(np.linalg, "eigh", give_up)
        monkeypatch.setattr(np.linalg, "eigvalsh", give_up)


@pytest.mark.usefixtures("_lapack")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1e-250, 1.0, 1e250])
def test_prescribed_eigenvalues_are_found_in_order_with_orthonormal_eigenvectors(size: float, order: int) -> None:
    matrices, values = prescribed(11, order, order)
    matrices[4], values[4] = 0.0, 0.0
    # Only the upper triangle is read.
    given = np.triu(size * matrices)
    kept = given.copy()
    found, vectors = ordered_spectra(given)
    assert (given == kept).all()
    assert np.abs(found / size - values).max() < 1e-14
    assert np.abs(ordered_values(given) / size - values).max() < 1e-14
    assert np.abs(matrices @ vectors - vectors * (found / size)[:, None, :]).max() < 1e-9
    assert np.abs(vectors.swapaxes(1, 2) @ vectors - np.eye(order)).max() < 1e-13


@pytest.mark.usefixtures("_lapack")
def test_a_matrix_that_is_not_finite_leaves_its_neighbours_alone() -> None:
    matrices, values = prescribed(8, 5, 1)
    matrices[3, 1, 2] = np.nan
    found, _ = ordered_spectra(matrices)
    others = [k for k in range(8) if k != 3]
    assert not np.isfinite(found[3]).all()
    assert np.abs(found[others] - values[others]).max() < 1e-14


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(KernelError, match="give \\(n, P, P\\)"):
        ordered_spectra(np.zeros((2, 3)))
    with pytest.raises(KernelError, match="give \\(n, P, P\\)"):
        ordered_values(np.zeros((2, 3, 4)))
