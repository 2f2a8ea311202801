"""Descent to minima with a trust region: every step lowers the loss, and leaves saddles by their downhill directions.

With H = Q diag(e) Q^T, e_1 the lowest, and g' = Q^T g, the step of length at most r that minimises g.s + s.H.s / 2 is

    s'_i = -g'_i / (e_i + mu),   mu >= max(0, -e_1) the smallest number for which |s| <= r,

and, where e_1 < 0, the rest of the length goes along the first eigenvector: the gradient has no part along it in a
symmetric subspace (the hard case; Nocedal and Wright, Numerical Optimization, Springer 2006, section 4.3).
"""

from __future__ import annotations

import numpy as np

from symland.explore.newton import newton
from symland.explore.protocol import Kernel
from symland.explore.tolerances import BASIN_GRADIENT
from symland.machine.spectra import ordered_spectra
from symland.records import FloatArray
from symland.tolerances import NULL_CURVATURE

__all__ = ["descend"]

STEPS = 5000
"""Steps after which a descent ends."""

POOR, GOOD = 0.25, 0.75
"""Parts of the predicted descent below which a radius shrinks to a quarter, and above which it doubles."""

ACCEPTED = 0.15
"""Part of the predicted descent from which a step is taken."""

SMALLEST = 1e-12
"""Radius of trust, in the units of theta, at which rounding decides which steps descend, and a descent ends."""

SECULAR = 5
"""Steps of Newton's method for mu; each squares the error."""


def descend(kernel: Kernel, start: FloatArray, *, first: float, longest: float) -> FloatArray:
    """Go down from `start` (n, P), in lock step, to points of no negative curvature, sharpened by Newton's method.

    Parameters
    ----------
    first, longest : float
        Radius of trust at first, and the largest, in the units of theta.
    """
    theta = np.array(start)
    radius = np.full(len(theta), first)
    active = np.arange(len(theta))
    loss, gradient, hessian = kernel.value_gradient_hessian(theta)
    for _ in range(STEPS):
        curvatures, vectors = ordered_spectra(hessian[active])
        slack = NULL_CURVATURE * np.maximum(1.0, np.abs(curvatures).max(axis=1))
        going = (np.abs(gradient[active]).max(axis=1) > BASIN_GRADIENT) | (curvatures[:, 0] < -slack)
        going &= radius[active] > SMALLEST
        active, curvatures, vectors = active[going], curvatures[going], vectors[going]
        if not active.size:
            break
        along = np.einsum("nij,ni->nj", vectors, gradient[active])
        move = _within(along, curvatures, radius[active])
        predicted = -((along + 0.5 * curvatures * move) * move).sum(axis=1)
        tried = theta[active] + np.einsum("nij,nj->ni", vectors, move)
        value, slope, curving = kernel.value_gradient_hessian(tried)
        share = (loss[active] - value) / predicted
        full = np.linalg.norm(move, axis=1) > 0.9 * radius[active]
        radius[active[share < POOR]] *= 0.25
        wider = active[(share > GOOD) & full]
        radius[wider] = np.minimum(2.0 * radius[wider], longest)
        taken = share > ACCEPTED
        done = active[taken]
        theta[done], loss[done], gradient[done], hessian[done] = (x[taken] for x in (tried, value, slope, curving))
    return newton(kernel, theta)[0]


def _within(along: FloatArray, curvatures: FloatArray, radius: FloatArray) -> FloatArray:
    """The best step of each length at most `radius` (n,), in eigenvectors of the Hessian."""
    # No component may be longer than the radius: mu >= |g'_i| / r - e_i. From there Newton's method on 1/|s| rises to
    # the root without passing it.
    shift = np.maximum(0.0, (np.abs(along) / radius[:, None] - curvatures).max(axis=1))
    for _ in range(SECULAR):
        move, damped = _damped(along, curvatures, shift)
        square = (move**2).sum(axis=1)
        bend = (move**2 / damped).sum(axis=1)
        excess = np.maximum(0.0, np.sqrt(square) / radius - 1.0)
        if not excess.any():
            break
        shift += excess * square / np.where(bend > 0.0, bend, 1.0)
    move, _ = _damped(along, curvatures, shift)
    square = (move**2).sum(axis=1)
    move *= np.minimum(1.0, radius / np.sqrt(np.where(square > 0.0, square, 1.0)))[:, None]
    rest = np.sqrt(np.maximum(0.0, radius**2 - square))
    move[:, 0] += np.where(curvatures[:, 0] < 0.0, np.where(along[:, 0] > 0.0, -rest, rest), 0.0)
    return move


def _damped(along: FloatArray, curvatures: FloatArray, shift: FloatArray) -> tuple[FloatArray, FloatArray]:
    """-g'_i / (e_i + mu), and e_i + mu with 1 in place of zero, where g'_i is zero too."""
    damped = curvatures + shift[:, None]
    damped = np.where(damped > 0.0, damped, 1.0)
    return -along / damped, damped
