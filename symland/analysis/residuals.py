"""The matrix C of a hidden layer, by a forward and a backward pass of its own over balls.

C[i, m] = (1/D) sum_d (d ell_d / d a_i) xi_m(x_d), where a are the inputs of the layer after, and xi the outputs of the
layer before, followed by 1 where the network has biases. The derivation program is not used: its Hessian is what the
prediction made from C is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from symland.program.balls import BallAlgebra, exact_ball
from symland.program.lower import lower
from symland.spec import LandscapeSpec
from symland.symbolic.activation import Z, derive_activation
from symland.symbolic.head import contrast, derive_head, orientation, shift

__all__ = ["LayerResiduals", "layer_residuals"]

_BALLS = BallAlgebra()


@dataclass(frozen=True, kw_only=True)
class LayerResiduals:
    """C of one hidden layer, and sigma and sigma' at zero."""

    matrix: tuple[tuple[arb, ...], ...]
    sigma: arb
    slope: arb


def _ball_rows(rows: Sequence[Sequence[Fraction]]) -> list[list[arb]]:
    return [[exact_ball(v) for v in row] for row in rows]


def _times(matrix: Sequence[Sequence[arb]], vector: Sequence[arb]) -> list[arb]:
    return [sum((m * v for m, v in zip(row, vector, strict=True)), arb(0)) for row in matrix]


def _transposed(matrix: Sequence[Sequence[arb]]) -> list[list[arb]]:
    return [list(column) for column in zip(*matrix, strict=True)]


def layer_residuals(spec: LandscapeSpec, theta: Sequence[arb], layer: int) -> LayerResiduals:
    """C of hidden layer `layer` (counted from 1) at theta, at flint's working precision."""
    layout, top = spec.layout, spec.layout.n_layers
    weights, biases = [], []
    for number in range(1, top + 1):
        block, bias = layout.weight(number), layout.biases(number)
        rows, columns = block.shape
        weights.append(
            [list(theta[block.offset + i * columns : block.offset + (i + 1) * columns]) for i in range(rows)]
        )
        biases.append(list(theta[bias.slice]) if bias else [arb(0)] * rows)
    activation = lower("activation", [Z], derive_activation(spec.activation).jet[:2])
    turn, turns, shifts = contrast(spec), orientation(spec), shift(spec)
    margins = len(turn) if turn else spec.n_outputs
    head = derive_head(spec.loss, margins)
    residual = lower("residual", head.margins, head.residual)
    turn_balls = _ball_rows(turn) if turn else None
    total = [[arb(0)] * (spec.widths[layer - 1] + spec.bias) for _ in range(spec.widths[layer + 1])]
    for d, x in enumerate(spec.data.inputs):
        signals, slopes = [[exact_ball(v) for v in x]], []
        for number in range(top - 1):
            inputs = [a + b for a, b in zip(_times(weights[number], signals[-1]), biases[number], strict=True)]
            jets = [_BALLS.apply(activation, [a]) for a in inputs]
            signals.append([jet[0] for jet in jets])
            slopes.append([jet[1] for jet in jets])
        outputs = [a + b for a, b in zip(_times(weights[-1], signals[-1]), biases[-1], strict=True)]
        m = _times(turn_balls, outputs) if turn_balls else outputs
        oriented = _ball_rows(turns[d]) if turns else None
        m = _times(oriented, m) if oriented else m
        if shifts:
            m = [a - exact_ball(t) for a, t in zip(m, shifts[d], strict=True)]
        delta = list(_BALLS.apply(residual, m))
        for matrix in (oriented, turn_balls):
            delta = _times(_transposed(matrix), delta) if matrix else delta
        for number in range(top - 1, layer, -1):
            back = _times(_transposed(weights[number]), delta)
            delta = [p * e for p, e in zip(slopes[number - 1], back, strict=True)]
        xi = [*signals[layer - 1], *([arb(1)] if spec.bias else [])]
        total = [[c + r * s for c, s in zip(row, xi, strict=True)] for row, r in zip(total, delta, strict=True)]
    at_zero = _BALLS.apply(activation, [arb(0)])
    mean = tuple(tuple(c / spec.n_samples for c in row) for row in total)
    return LayerResiduals(matrix=mean, sigma=at_zero[0], slope=at_zero[1])
