"""Eigenvalues and eigenvectors of symmetric matrices, also of those that LAPACK gives up on.

Jacobi's method (1846) turns the planes (p, q) one after the other, by the angle at which A_pq vanishes,

    d = A_qq - A_pp,    t = 2 A_pq sign(d) / (|d| + sqrt(d^2 + 4 A_pq^2)),    c = (1 + t^2)^{-1/2},    s = t c,

until nothing is left off the diagonal. It is slower than LAPACK and has nothing to give up on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError
from symland.machine.gate import admit

__all__ = ["ordered_spectra", "ordered_values"]

MOST_SWEEPS = 30
"""Sweeps over all planes after which Jacobi's method ends; ten are many."""

FLAT = 1e-8
"""A sweep that met no entry off the diagonal above this share of the Frobenius norm is the last: what it leaves is of
the order of the square."""


def ordered_spectra(matrices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (n, P), ascending, and orthonormal eigenvectors (n, P, P), in columns, of symmetric matrices.

    Only the upper triangles are read. LAPACK gives up on some matrices, finite ones too, and takes all that came with
    one along: those are left to Jacobi's method. Where an entry is not finite, the results are none of its matrix.

    Raises
    ------
    KernelError
        If the matrices are not square.
    """
    given = _need_square(matrices)
    try:
        values, vectors = np.linalg.eigh(given, UPLO="U")
    except np.linalg.LinAlgError:
        return _turned(given)
    return values, vectors


def ordered_values(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eigenvalues alone."""
    given = _need_square(matrices)
    try:
        return np.asarray(np.linalg.eigvalsh(given, UPLO="U"))
    except np.linalg.LinAlgError:
        return _turned(given)[0]


def _need_square(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    given = admit(matrices, "the matrices")
    if given.ndim != 3 or given.shape[1] != given.shape[2]:
        raise KernelError(f"matrices of shape {given.shape} came; give (n, P, P)")
    return given


def _turned(given: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same by Jacobi's method, whatever the size of the entries."""
    n, order, _ = given.shape
    # Squares of the entries must neither overflow nor vanish.
    size = np.abs(given).max(axis=(1, 2))
    size = np.where(size > 0.0, size, 1.0)
    a = np.triu(given / size[:, None, None])
    a += np.triu(a, 1).swapaxes(1, 2)
    # Rows of `turned` are eigenvectors in the end.
    turned = np.tile(np.eye(order), (n, 1, 1))
    flat = FLAT * np.linalg.norm(a, axis=(1, 2))
    for _ in range(MOST_SWEEPS):
        left = np.abs(np.triu(a, 1)).max(axis=(1, 2)) > flat
        for p in range(order - 1):
            for q in range(p + 1, order):
                d, x = a[:, q, q] - a[:, p, p], a[:, p, q]
                under = np.abs(d) + np.sqrt(d**2 + 4.0 * x**2)
                t = np.where(x != 0.0, 2.0 * x * np.copysign(1.0, d) / np.where(under > 0.0, under, 1.0), 0.0)
                c = 1.0 / np.sqrt(1.0 + t**2)
                plane = np.moveaxis(np.array([[c, -t * c], [t * c, c]]), 2, 0)
                pair = [p, q]
                a[:, pair] = plane @ a[:, pair]
                a[:, :, pair] = a[:, :, pair] @ plane.swapaxes(1, 2)
                turned[:, pair] = plane @ turned[:, pair]
        if not left.any():
            break
    values = a.diagonal(axis1=1, axis2=2) * size[:, None]
    ascending = np.argsort(values, axis=1)
    vectors = np.take_along_axis(turned, ascending[:, :, None], axis=1).swapaxes(1, 2)
    return np.take_along_axis(values, ascending, axis=1), vectors
