"""The gradient flow theta' = -grad E, integrated by a stiff method with the exact Hessian, many paths in lock step.

The method is RODAS3, a linearly implicit Runge-Kutta method of order 3 with an embedded solution of order 2,
stiffly accurate and L-stable (Sandu et al., Atmos. Environ. 31, 3459 (1997)). With J = -H a stage solves

    ( I/(h gamma) + H ) U_i = -grad E( theta + sum_j a_ij U_j ) + sum_j (c_ij / h) U_j.

As h grows near a minimum the step becomes Newton's, so that the end is reached without small steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import FLOW_ERROR, FLOW_GRADIENT, FLOW_STEPS
from symland.machine.spectra import ordered_values
from symland.records import FloatArray, Outcome

__all__ = ["Flow", "gradient_flow"]

GAMMA = 0.5
A = ((), (0.0,), (2.0, 0.0), (2.0, 0.0, 1.0))
C = ((), (4.0,), (1.0, -1.0), (1.0, -1.0, -8.0 / 3.0))
WEIGHTS = (2.0, 0.0, 1.0, 1.0)

SMALLEST_TIME_STEP = 1e-14
"""Time step, in units of theta^2 per loss, at which a path counts as stalled."""

LARGEST_TIME_STEP = 1e14
"""Time step that is as good as infinite."""

ROUNDING_OF_LOSS = 1e-13
"""Rise of the loss over a step that is put down to rounding, in units of 1 + |E|."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """Ends of n paths.

    Attributes
    ----------
    theta : (n, P)
    outcomes : tuple of Outcome
        CONVERGED where |grad|_inf is small enough for Newton's method, else STALLED or BUDGET.
    track : list of (n, P) arrays
        The points after every accepted step, where asked for; a path that has ended stays where it is.
    """

    theta: FloatArray
    outcomes: tuple[Outcome, ...]
    track: tuple[FloatArray, ...]


def gradient_flow(
    kernel: Kernel,
    start: FloatArray,
    projectors: FloatArray | None = None,
    *,
    error: float = FLOW_ERROR,
    tolerance: float = FLOW_GRADIENT,
    steps: int = FLOW_STEPS,
    keep_track: bool = False,
) -> Flow:
    """Follow the flow from `start` (n, P) until the gradient vanishes.

    Parameters
    ----------
    projectors : (n, P, P), optional
        Orthogonal projectors onto subspaces that the flow does not leave, such as the points that a symmetry of the
        start fixes. Rounding errors across it would otherwise grow where the landscape falls off to the sides.
    error : float
        Bound on the estimated error of each step, in units of theta.
    """
    theta = np.array(start)
    count, size = theta.shape
    outcomes = [Outcome.BUDGET] * count
    active = np.arange(count)
    loss, gradient, hessian = kernel.value_gradient_hessian(theta)
    # The first step moves the point by a small fraction of the error that is allowed to it.
    time_step = error / np.maximum(np.abs(gradient).max(axis=1, initial=0.0), np.finfo(float).tiny)
    track = [theta.copy()] if keep_track else []
    eye = np.eye(size)
    for _ in range(steps):
        ended = np.abs(gradient).max(axis=1, initial=0.0) <= tolerance
        # A path leaves a saddle along a gradient below the tolerance: it has arrived only where the flow contracts.
        if ended.any():
            ended[ended] = _contracts(hessian[ended], None if projectors is None else projectors[active[ended]])
        stalled = (time_step < SMALLEST_TIME_STEP) & ~ended
        for which, outcome in ((ended, Outcome.CONVERGED), (stalled, Outcome.STALLED)):
            for lane in active[which]:
                outcomes[lane] = outcome
        going = ~(ended | stalled)
        active, loss, gradient, hessian, time_step = (
            array[going] for array in (active, loss, gradient, hessian, time_step)
        )
        if not active.size:
            break
        h = time_step[:, None]
        matrix = hessian + eye / (GAMMA * h[..., None])
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            time_step *= 0.5
            continue
        here = theta[active]
        stages: list[FloatArray] = []
        for i in range(4):
            at = here + sum((a * u for a, u in zip(A[i], stages, strict=True) if a), np.zeros_like(here))
            slope = gradient if i < 2 else kernel.gradient(at)
            carried = sum((c / h * u for c, u in zip(C[i], stages, strict=True)), np.zeros_like(here))
            stages.append(np.einsum("nij,nj->ni", inverse, carried - slope))
        trial = here + sum((w * u for w, u in zip(WEIGHTS, stages, strict=True) if w), np.zeros_like(here))
        if projectors is not None:
            trial = np.einsum("nij,nj->ni", projectors[active], trial)
        estimate = np.abs(stages[3]).max(axis=1) / error
        new_loss, new_gradient, new_hessian = kernel.value_gradient_hessian(trial)
        good = (estimate <= 1.0) & (new_loss <= loss + ROUNDING_OF_LOSS * (1.0 + np.abs(loss)))
        theta[active[good]] = trial[good]
        loss, gradient = np.where(good, new_loss, loss), np.where(good[:, None], new_gradient, gradient)
        hessian = np.where(good[:, None, None], new_hessian, hessian)
        # The embedded solution has order 2: the error of a step goes as h^3.
        factor = 0.9 * np.maximum(estimate, 1e-6) ** (-1.0 / 3.0)
        limit = np.where(good, 5.0, 0.5)
        time_step = np.minimum(time_step * np.clip(factor, 0.1, limit), LARGEST_TIME_STEP)
        if keep_track:
            track.append(theta.copy())
    return Flow(theta=theta, outcomes=tuple(outcomes), track=tuple(track))


def _contracts(hessian: FloatArray, projectors: FloatArray | None) -> NDArray[np.bool_]:
    """Whether no direction of the subspace is downhill."""
    if projectors is not None:
        # Directions across the subspace get the eigenvalue 0.
        hessian = projectors @ hessian @ projectors
    spectrum = ordered_values(hessian)
    return spectrum[:, 0] >= -1e-12 * np.maximum(1.0, spectrum[:, -1])
