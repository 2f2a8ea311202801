"""Eigenvector following towards a stationary point of a chosen index.

With H = Q diag(e) Q^T and g' = Q^T g, the search for index k climbs along the k lowest eigenvectors and descends
along the others,

    s_i = -+ 2 g'_i / ( |e_i| (1 + sqrt(1 + 4 g'_i^2 / e_i^2)) ),

which is the Newton step near a point of index k and stays bounded where e_i passes through zero (Wales, J. Chem. Phys.
101, 3750 (1994)). A fixed bound on the length of s serves as trust region.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import BASIN_GRADIENT, FARTHEST, FOLLOWING_STEPS, PATIENCE, STEP_LENGTH
from symland.machine.spectra import LANES, LARGEST_ORDER, LONE_POINTS, following_steps
from symland.records import FloatArray

__all__ = ["follow"]


def follow(
    kernel: Kernel,
    start: FloatArray,
    index: NDArray[np.intp],
    *,
    steps: int = FOLLOWING_STEPS,
    patience: int = PATIENCE,
    length: float = STEP_LENGTH,
    tolerance: float = BASIN_GRADIENT,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Follow eigenvectors from `start` (n, P), in lock step, towards points of the given index (n,).

    A search is given up after `steps` steps, or `patience` steps in which the gradient did not fall to half.

    Returns
    -------
    theta : (n, P)
        Where each search stands at its end.
    arrived : (n,) bool
        Whether |grad|_inf <= tolerance there.
    """
    theta = np.array(start)
    arrived = np.zeros(len(theta), dtype=bool)
    active = np.arange(len(theta))
    smallest = np.full(len(theta), np.inf)
    halved = np.zeros(len(theta), dtype=np.intp)
    for step in range(steps + 1):
        _, gradient, hessian = kernel.value_gradient_hessian(theta[active])
        size = np.abs(gradient).max(axis=1, initial=0.0)
        arrived[active] = size <= tolerance
        better = active[size < 0.5 * smallest[active]]
        smallest[better], halved[better] = size[size < 0.5 * smallest[active]], step
        going = ~arrived[active] & (step - halved[active] <= patience) & np.isfinite(size)
        going &= np.abs(theta[active]).max(axis=1, initial=0.0) < FARTHEST
        active, gradient, hessian = active[going], gradient[going], hessian[going]
        if not active.size or step == steps:
            break
        theta[active] += following_step(gradient, hessian, index[active], length)
    return theta, arrived


def following_step(gradient: FloatArray, hessian: FloatArray, index: NDArray[np.intp], length: float) -> FloatArray:
    """One step for each of n points, up along the `index` (n,) lowest modes.

    Whole strips of points are compiled; a few points that are left over would cost as much as a strip.
    """
    n, order = gradient.shape
    together = n - n % LANES if n % LANES <= LONE_POINTS else n
    if not (together and 2 <= order <= LARGEST_ORDER):
        return _one_by_one(gradient, hessian, index, length)
    steps = following_steps(gradient[:together], hessian[:together], index[:together], length)
    if together == n:
        return steps
    return np.vstack((steps, _one_by_one(gradient[together:], hessian[together:], index[together:], length)))


def _one_by_one(gradient: FloatArray, hessian: FloatArray, index: NDArray[np.intp], length: float) -> FloatArray:
    uphill = np.arange(gradient.shape[1]) < index[:, None]
    values, vectors = np.linalg.eigh(hessian)
    along = np.einsum("nij,ni->nj", vectors, gradient)
    # |e| (1 + sqrt(1 + 4 g^2/e^2)) = |e| + sqrt(e^2 + 4 g^2), zero only where both vanish.
    scale = np.abs(values) + np.sqrt(values**2 + 4.0 * along**2)
    move = np.where(uphill, 2.0, -2.0) * along / np.where(scale > 0.0, scale, 1.0)
    norm = np.linalg.norm(move, axis=1, keepdims=True)
    move *= np.minimum(1.0, length / np.where(norm > 0.0, norm, 1.0))
    return np.einsum("nij,nj->ni", vectors, move)
