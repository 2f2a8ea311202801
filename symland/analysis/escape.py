"""Where extended points lead: down from each along its most negative new direction, into the wider landscape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from symland.analysis.answer_types.embedding import Escape
from symland.analysis.extension import Extension
from symland.analysis.prediction import BlockPrediction
from symland.explore.descent import descend
from symland.kernels import CompiledKernel, compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.tolerances import count_signs

__all__ = ["follow_escapes"]

PUSH = 0.02
"""First displacement along the escape direction, in the units of theta."""

LONGEST_STEP = 0.1
"""Largest step on the way down, in the units of theta: small, to stay in the valley that the direction opens."""


@lru_cache(maxsize=4)
def _kernel(digest: str, spec: LandscapeSpec) -> CompiledKernel:
    return compile_kernel(spec)


def follow_escapes(
    extension: Extension,
    embedded: Sequence[FloatArray],
    predictions: Sequence[BlockPrediction],
    wide: Landscape | None = None,
) -> list[Escape]:
    """Step off each extended point along its most negative new direction, and go down with a trust region.

    With s = sigma(0), (v, u, c) = t (q, -p, -s q) changes the loss by t^2 (2 lambda - tau) + O(t^3), c the next layer's
    biases; the direction has the length sqrt(2 + s^2).
    """
    if not embedded:
        return []
    directions, lengths = zip(*(_direction(extension, prediction) for prediction in predictions), strict=True)
    kernel = _kernel(extension.wide.digest, extension.wide)
    starts = np.array(embedded) + PUSH * np.array(directions)
    ends = descend(kernel, starts, first=PUSH, longest=LONGEST_STEP)
    values, gradients, hessians = kernel.value_gradient_hessian(ends)
    return [
        Escape(
            direction=directions[k],
            curvature=float(2 * (prediction.threshold - prediction.singular_values[0]) / lengths[k] ** 2),
            theta=end,
            loss=float(values[k]),
            gradient_norm=float(np.abs(gradients[k]).max()),
            index=count_signs(np.linalg.eigvalsh(hessians[k]))[0],
            wide_class=None if wide is None else wide.find(end),
        )
        for k, (end, prediction) in enumerate(zip(ends, predictions, strict=True))
    ]


def _direction(extension: Extension, prediction: BlockPrediction) -> tuple[FloatArray, float]:
    """The unit vector along which an extended point falls most steeply, and its length before it was made one."""
    direction = np.zeros(extension.wide.n_parameters)
    direction[list(extension.outgoing[0])] = prediction.outgoing
    direction[list(extension.incoming[0])] = -prediction.incoming
    if prediction.shear:
        direction[list(extension.next_biases)] = -prediction.shear * prediction.outgoing
    length = float(np.linalg.norm(direction))
    return direction / length, length
