"""Descent of the squared gradient, which heads for stationary points of every index alike.

For W = |grad E|^2 / 2, grad W = H g, and H^2 is the Gauss-Newton matrix. The damped step, in the eigenbasis of H,

    s_i = -e_i g'_i / (e_i^2 + mu),

is Levenberg and Marquardt's. A search may also end at a minimum of W with W > 0, where H is singular along g: such
ends are not stationary points of E and count as not arrived.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import BASIN_GRADIENT, FOLLOWING_STEPS, STEP_LENGTH
from symland.machine.eigensteps import damped_steps
from symland.machine.spectra import ordered_values
from symland.records import FloatArray

__all__ = ["descend_squared_gradient"]

EASIER, HARDER = 0.3, 4.0
"""Factors on the damping mu after a step that lowered W, and after one that did not."""

HOPELESS = 1e8
"""Damping, in units of |H|_2^2, at which a search is given up."""


def descend_squared_gradient(
    kernel: Kernel,
    start: FloatArray,
    *,
    steps: int = FOLLOWING_STEPS,
    length: float = STEP_LENGTH,
    tolerance: float = BASIN_GRADIENT,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Descend W from `start` (n, P) in lock step; returns the points and whether |grad|_inf <= tolerance."""
    theta = np.array(start)
    arrived = np.zeros(len(theta), dtype=bool)
    active = np.arange(len(theta))
    _, gradient, hessian = kernel.value_gradient_hessian(theta)
    scale = np.maximum(np.abs(ordered_values(hessian)).max(axis=1, initial=0.0) ** 2, np.finfo(float).tiny)
    damping = 1e-3 * scale
    for _ in range(steps):
        arrived[active] = np.abs(gradient).max(axis=1, initial=0.0) <= tolerance
        going = ~arrived[active] & (damping < HOPELESS * scale)
        if not going.all():
            active, gradient, hessian = active[going], gradient[going], hessian[going]
            damping, scale = damping[going], scale[going]
        if not active.size:
            break
        trial = theta[active] + damped_steps(gradient, hessian, damping, length)
        _, new_gradient, new_hessian = kernel.value_gradient_hessian(trial)
        lower = (new_gradient**2).sum(axis=1) < (gradient**2).sum(axis=1)
        theta[active[lower]] = trial[lower]
        gradient = np.where(lower[:, None], new_gradient, gradient)
        hessian[lower] = new_hessian[lower]
        damping = damping * np.where(lower, EASIER, HARDER)
    return theta, arrived
