"""What the network of a stationary point decides: labels, probabilities, margins.

The margin of a sample is z_label - max of the other outputs: positive where its label is right. For one output z
(logistic loss) it is (2 label - 1) z, and the probability of label 1 is 1 / (1 + e^-z).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symland.datasets import Dataset
from symland.errors import SpecError
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["TIE", "decisions", "need_labels", "outputs_at", "probabilities"]

TIE = 1e-9
"""Two outputs that differ by no more than this are a tie: no label is right or wrong."""


def need_labels(spec: LandscapeSpec) -> None:
    """Refuse a specification whose targets are numbers.

    Raises
    ------
    SpecError
    """
    if not spec.data.labels:
        raise SpecError.at("data.targets", "the targets are numbers", "ask it of a loss with labels")


def outputs_at(spec: LandscapeSpec, theta: FloatArray, inputs: FloatArray) -> FloatArray:
    """Differences of outputs (m, D, K): z_i - z_0 for softmax; the one output z, after a zero, for the logistic loss.

    Parameters
    ----------
    theta : (m, P)
    inputs : (D, n_0)
    """
    points, samples = len(theta), len(inputs)
    one = replace(spec.data, inputs=spec.data.inputs[:1], labels=(0,), values=())
    program = build_program(spec.with_(data=one), ("margins",))
    columns = [np.repeat(t, samples) for t in theta.T]
    data = [np.tile(x, points) for x in inputs.T]
    margins = run(program, NumpyAlgebra(), columns, {"x": data}).by_data["margins"]
    zero = np.zeros(points * samples)
    # With the label 0 the margins are z_i - z_0, or z itself.
    return np.stack([zero, *(m + zero for m in margins)], axis=-1).reshape(points, samples, -1)


def probabilities(outputs: FloatArray) -> FloatArray:
    """softmax of (..., K) outputs."""
    raised = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    found: FloatArray = raised / raised.sum(axis=-1, keepdims=True)
    return found


def decisions(outputs: FloatArray, labels: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Predicted labels (m, D), the least of those that tie, and the margins of the given ones (m, D)."""
    places = np.asarray(labels)
    own = np.take_along_axis(outputs, places[None, :, None], axis=2)[..., 0]
    others = np.where(np.arange(outputs.shape[2])[None, None] == places[None, :, None], -np.inf, outputs)
    rounded = np.where(outputs >= outputs.max(axis=2, keepdims=True) - TIE, 1, 0)
    return np.argmax(rounded, axis=2), own - others.max(axis=2)


def as_array(data: Dataset) -> FloatArray:
    """The inputs of a data set (D, n_0) in float64."""
    return np.array([[float(Fraction(v)) for v in row] for row in data.inputs])
