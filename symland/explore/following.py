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
from symland.machine.eigensteps import following_steps
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
        if not going.all():
            active, gradient, hessian = active[going], gradient[going], hessian[going]
        if not active.size or step == steps:
            break
        theta[active] += following_steps(gradient, hessian, index[active], length)
    return theta, arrived
