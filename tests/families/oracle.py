"""The XOR network in mpmath, written by hand from the formulas of the loss: the oracle of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf

__all__ = ["CORNERS", "CORNERS_PM", "gradient", "hessian", "loss"]

CORNERS = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
CORNERS_PM = ((-1, -1, 0), (-1, 1, 1), (1, -1, 1), (1, 1, 0))


def loss(theta: Sequence[Any], penalty: Any, nodes: int, corners: Any = CORNERS) -> Any:
    """-(1/4) sum ln softmax + lambda |theta|^2; theta is W1, W2, b1, b2, each row-major."""
    w1, w2 = theta[: 2 * nodes], theta[2 * nodes : 4 * nodes]
    b1, b2 = theta[4 * nodes : 5 * nodes], theta[5 * nodes :]
    total = mpf(0)
    for x1, x2, label in corners:
        h = [mp.tanh(w1[2 * j] * x1 + w1[2 * j + 1] * x2 + b1[j]) for j in range(nodes)]
        z = [b2[i] + mp.fsum(w2[i * nodes + j] * h[j] for j in range(nodes)) for i in range(2)]
        total += mp.log(1 + mp.exp(z[1 - label] - z[label])) / 4
    return total + penalty * mp.fsum(t * t for t in theta)


def gradient(f: Any, theta: Sequence[Any]) -> list[Any]:
    """By central differences at the working precision."""
    h = mpf(10) ** (-mp.dps // 3)
    found = []
    for k in range(len(theta)):
        up, down = list(theta), list(theta)
        up[k] += h
        down[k] -= h
        found.append((f(up) - f(down)) / (2 * h))
    return found


def hessian(f: Any, theta: Sequence[Any]) -> Any:
    """By central differences of the gradient."""
    h = mpf(10) ** (-mp.dps // 4)
    rows = []
    for k in range(len(theta)):
        up, down = list(theta), list(theta)
        up[k] += h
        down[k] -= h
        rows.append([(a - b) / (2 * h) for a, b in zip(gradient(f, up), gradient(f, down), strict=True)])
    return mp.matrix(rows)
