"""What T5 predicts of a zero extension: the spectrum of a new node's Hessian block, and the rise of the index.

With s = sigma'(0) and every new parameter penalised, the block ((2 lambda I, s C^T), (s C, 2 lambda I)) has the
eigenvalues 2 lambda +- tau for the singular values tau of s C, and 2 lambda otherwise. So its negative eigenvalues are
as many as those of 4 lambda^2 I - s^2 C C^T.

With biases that the penalty leaves alone, stationarity makes the bias column of C vanish, and the new bias is a flat
direction (eigenvalue 0). The rest is as above without that column, in the variables in which sigma(0) v is taken off
the next layer's bias c (T5-flat-bias): the index is the Hessian's, and so are the eigenvalues where sigma(0) = 0. Where
it is not, the block of the Hessian itself holds sigma(0)^2 d2E/dc dc besides, and v is coupled to the old parameters.
Where sigma(0) != 0 and the next biases are penalised, or missing, T5 predicts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb

from symland.analysis.residuals import LayerResiduals
from symland.program.balls import exact_ball
from symland.records import FloatArray, Verdict, read_only
from symland.rigor.inertia import inertia
from symland.spec import LandscapeSpec, Penalised

__all__ = ["BlockPrediction", "predict_block"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockPrediction:
    """The new block of one node.

    Attributes
    ----------
    singular_values : descending
        Of sigma'(0) C, without the bias column where the penalty leaves biases alone.
    threshold : float
        2 lambda: each singular value above it raises the index by one.
    eigenvalues : ascending
        Of the block in the variables with c - shear v for the next layer's bias c.
    applies : bool
        Whether T5 speaks of this network: sigma(0) = 0, or free biases.
    shear : float
        sigma(0) where it need not vanish, which takes free next biases; else 0.
    rise : int
        Negative eigenvalues, as far as proved.
    flat : int
        Eigenvalues that are exactly zero.
    verdict : Verdict
        CERTIFIED when T5 applies and the signs of all others are proved.
    outgoing, incoming : singular vectors of the largest singular value
        The escape direction is (v, u, c) = (outgoing, -incoming, -shear outgoing) for a positive slope.
    """

    singular_values: FloatArray
    threshold: float
    eigenvalues: FloatArray
    applies: bool
    shear: float
    rise: int
    flat: int
    verdict: Verdict
    outgoing: FloatArray
    incoming: FloatArray

    def __post_init__(self) -> None:
        for name in ("singular_values", "eigenvalues", "outgoing", "incoming"):
            object.__setattr__(self, name, read_only(getattr(self, name), 1))


def predict_block(spec: LandscapeSpec, residuals: LayerResiduals) -> BlockPrediction:
    """The new block of one added node, from C of the narrow network at a stationary point."""
    loose_bias = spec.bias and spec.penalised is Penalised.WEIGHTS
    vanishing = bool(residuals.sigma == 0)
    applies = vanishing or loose_bias
    full = residuals.matrix
    matrix = [[residuals.slope * c for c in (row[:-1] if loose_bias else row)] for row in full]
    rows, columns = len(matrix), len(matrix[0])
    threshold = 2 * exact_ball(spec.penalty)
    middle = np.array([[float(c.mid()) for c in row] for row in matrix])
    left, values, right = np.linalg.svd(middle, full_matrices=False)
    bound = float(threshold)
    spectrum = np.concatenate(
        (bound + values, bound - values, np.full(rows + columns - 2 * len(values), bound), np.zeros(int(loose_bias)))
    )
    # The smaller Gram matrix has the same eigenvalues tau^2, up to zeros.
    short = matrix if rows <= columns else [list(column) for column in zip(*matrix, strict=True)]
    signs = inertia(
        [
            [
                threshold**2 * (i == j) - sum((a * b for a, b in zip(p, q, strict=True)), arb(0))
                for j, q in enumerate(short)
            ]
            for i, p in enumerate(short)
        ]
    )
    sign = 1.0 if float(residuals.slope.mid()) >= 0 else -1.0
    incoming = np.concatenate((right[0], np.zeros(int(loose_bias))))
    # At lambda = 0 every vanishing singular value is a flat direction, which balls cannot tell from a small one.
    return BlockPrediction(
        singular_values=values,
        threshold=bound,
        eigenvalues=np.sort(spectrum),
        applies=applies,
        shear=float(residuals.sigma.mid()) if applies and not vanishing else 0.0,
        rise=signs.negative,
        flat=int(loose_bias),
        verdict=Verdict.CERTIFIED if applies and signs.decided and spec.penalty > 0 else Verdict.UNDECIDED,
        outgoing=left[:, 0],
        incoming=sign * incoming,
    )
