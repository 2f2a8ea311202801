"""Enclosures of a network's margins z_k - z_j and of their gradients over boxes of inputs.

Natural and mean value forms are intersected: m(x) lies in m(c) + grad m(box) . (x - c).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from symland.analysis.regions.network import Network, activation_jet
from symland.program.balls import BallAlgebra, exact_ball

__all__ = ["Margins"]

Box = Sequence[tuple[Fraction, Fraction]]

_BALLS = BallAlgebra()


class Margins:
    """The margins of a network over boxes.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.labels = network.labels
        self._activation = network.activation
        self._hidden = [
            ([[exact_ball(w) for w in row] for row in rows], [exact_ball(b) for b in bias])
            for rows, bias in zip(network.weights[:-1], network.biases[:-1], strict=True)
        ]
        rows, bias = network.weights[-1], network.biases[-1]
        self._pairs = {
            (k, j): (
                [exact_ball(a - b) for a, b in zip(rows[k], rows[j], strict=True)],
                exact_ball(bias[k] - bias[j]),
            )
            for k in range(self.labels)
            for j in range(k)
        }

    def over(self, box: Box) -> tuple[dict[tuple[int, int], Any], dict[tuple[int, int], list[Any]]]:
        """For all labels k != j balls of z_k - z_j over a box, and of its derivatives by the inputs."""
        whole = [exact_ball(low).union(exact_ball(high)) for low, high in box]
        centre = [exact_ball((low + high) / 2) for low, high in box]
        values, slopes = self._run(whole, True)
        middle, _ = self._run(centre, False)
        away = [x - c for x, c in zip(whole, centre, strict=True)]
        margins: dict[tuple[int, int], Any] = {}
        gradients: dict[tuple[int, int], list[Any]] = {}
        for pair, value in values.items():
            k, j = pair
            form = sum((g * d for g, d in zip(slopes[pair], away, strict=True)), middle[pair])
            best = value.intersection(form) if form.is_finite() and value.is_finite() else value
            margins[k, j], margins[j, k] = best, -best
            gradients[k, j], gradients[j, k] = slopes[pair], [-g for g in slopes[pair]]
        return margins, gradients

    def _run(self, x: list[Any], with_slopes: bool) -> tuple[dict[tuple[int, int], Any], dict[tuple[int, int], Any]]:
        values, n = x, len(x)
        slopes = [[arb(i == j) for i in range(n)] for j in range(n)]
        for rows, bias in self._hidden:
            signals = [_dot(row, values, b) for row, b in zip(rows, bias, strict=True)]
            jets = [activation_jet(self._activation, _BALLS, s) for s in signals]
            if with_slopes:
                slopes = [
                    [jet[1] * _dot(row, [s[i] for s in slopes], arb(0)) for i in range(n)]
                    for jet, row in zip(jets, rows, strict=True)
                ]
            values = [jet[0] for jet in jets]
        out = {pair: _dot(row, values, b) for pair, (row, b) in self._pairs.items()}
        if not with_slopes:
            return out, {}
        return out, {
            pair: [_dot(row, [s[i] for s in slopes], arb(0)) for i in range(n)]
            for pair, (row, _) in self._pairs.items()
        }


def _dot(row: Sequence[Any], values: Sequence[Any], start: Any) -> Any:
    total = start
    for w, v in zip(row, values, strict=True):
        total = total + w * v
    return total
