"""Newton's method at the end of a search, and the reading of a point's spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import GRADIENT_TOLERANCE, NEWTON_STEPS, STEP_LENGTH
from symland.machine.spectra import ordered_spectra
from symland.records import FloatArray

__all__ = ["newton", "newton_step"]

SINGULAR = 1e-15
"""Eigenvalues up to this share of the largest count as zero in a pseudo-inverse."""


def newton(
    kernel: Kernel, start: FloatArray, *, tolerance: float = GRADIENT_TOLERANCE, steps: int = NEWTON_STEPS
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Newton steps from `start` (n, P) while the gradient falls.

    Returns
    -------
    theta : (n, P)
        The point of smallest gradient on each path.
    converged : (n,) bool
        Whether |grad|_inf <= tolerance there.
    """
    theta = np.array(start)
    best = np.array(start)
    smallest = np.full(len(theta), np.inf)
    active = np.arange(len(theta))
    for _ in range(steps):
        _, gradient, hessian = kernel.value_gradient_hessian(theta[active])
        size = np.abs(gradient).max(axis=1, initial=0.0)
        better = size < smallest[active]
        best[active[better]] = theta[active[better]]
        smallest[active[better]] = size[better]
        # Going on past the tolerance, while the gradient still falls, leaves the error at rounding.
        going = better & (size > 0.0)
        active, gradient, hessian = active[going], gradient[going], hessian[going]
        if not active.size:
            break
        theta[active] -= newton_step(gradient, hessian)
    return best, smallest <= tolerance


def newton_step(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """H^{-1} g for each point, no longer than the longest step; by pseudo-inverse where H is singular."""
    try:
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
    except np.linalg.LinAlgError:
        values, vectors = ordered_spectra(hessian)
        sizes = np.abs(values)
        flat = sizes <= SINGULAR * sizes.max(axis=1, keepdims=True)
        along = np.where(flat, 0.0, np.einsum("nij,ni->nj", vectors, gradient) / np.where(flat, 1.0, values))
        step = np.einsum("nij,nj->ni", vectors, along)
    norm = np.linalg.norm(step, axis=1, keepdims=True)
    return step * np.minimum(1.0, STEP_LENGTH / np.maximum(norm, np.finfo(float).tiny))
