"""Where an extended point leads: down from it along the most negative new direction, into the wider landscape."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import minimize

from symland.analysis.answer_types.embedding import Escape
from symland.analysis.extension import Extension
from symland.analysis.prediction import BlockPrediction
from symland.kernels import CompiledKernel, compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.tolerances import count_signs

__all__ = ["follow_escape"]

PUSH = 0.02
"""First displacement along the escape direction, in the units of theta."""

TRUST_RADIUS = 0.1
"""Largest step on the way down, in the units of theta: small, to stay in the valley that the direction opens."""

GRADIENT = 1e-10
"""Gradient norm at which the descent ends."""


@lru_cache(maxsize=4)
def _kernel(digest: str, spec: LandscapeSpec) -> CompiledKernel:
    return compile_kernel(spec)


def follow_escape(
    extension: Extension,
    embedded: FloatArray,
    prediction: BlockPrediction,
    wide: Landscape | None = None,
) -> Escape:
    """Step off an extended point along its most negative new direction and go down with a trust region.

    With s = sigma(0), (v, u, c) = t (q, -p, -s q) changes the loss by t^2 (2 lambda - tau) + O(t^3), c the next layer's
    biases; the direction has the length sqrt(2 + s^2).
    """
    direction = np.zeros(extension.wide.n_parameters)
    direction[list(extension.outgoing[0])] = prediction.outgoing
    direction[list(extension.incoming[0])] = -prediction.incoming
    if prediction.shear:
        direction[list(extension.next_biases)] = -prediction.shear * prediction.outgoing
    length = np.linalg.norm(direction)
    direction /= length
    kernel = _kernel(extension.wide.digest, extension.wide)

    def value_gradient(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = kernel.value_gradient(theta[None])
        return float(value[0]), gradient[0]

    def hessian(theta: FloatArray) -> FloatArray:
        return kernel.hessian(theta[None])[0]

    found = minimize(
        value_gradient,
        embedded + PUSH * direction,
        jac=True,
        hess=hessian,
        method="trust-exact",
        options={"gtol": GRADIENT, "initial_trust_radius": PUSH, "max_trust_radius": TRUST_RADIUS, "maxiter": 5000},
    )
    value, gradient, curvature = (part[0] for part in kernel.value_gradient_hessian(found.x[None]))
    return Escape(
        direction=direction,
        curvature=float(2 * (prediction.threshold - prediction.singular_values[0]) / length**2),
        theta=found.x,
        loss=float(value),
        gradient_norm=float(np.abs(gradient).max()),
        index=count_signs(np.linalg.eigvalsh(curvature))[0],
        wide_class=None if wide is None else wide.find(found.x),
    )
