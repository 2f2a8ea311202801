"""Stationary points of the XOR network by SciPy, with the gradient and the loss written out; nothing of symland."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.optimize import root

XOR = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
SIGN = np.array([-1.0, 1.0, 1.0, -1.0])


def _parts(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """W1 (N, 2), W2 (2, N), b (N,) and c (2,) of 5 N + 2 parameters."""
    n = theta.size // 5
    return theta[: 2 * n].reshape(n, 2), theta[2 * n : 4 * n].reshape(2, n), theta[4 * n : 5 * n], theta[5 * n :]


def gradient(theta: np.ndarray, penalty: float) -> np.ndarray:
    """Gradient of the whole loss over all parameters (W1, W2, b, c), written out by the chain rule."""
    w1, w2, b, c = _parts(theta)
    h = np.tanh(XOR[:, :2] @ w1.T + b)
    z = h @ w2.T + c
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    r = (p - np.eye(2)[(SIGN > 0).astype(int)]) / 4
    back = (r @ w2) * (1 - h**2)
    parts = [(back.T @ XOR[:, :2]).ravel(), (r.T @ h).ravel(), back.sum(axis=0), r.sum(axis=0)]
    return np.concatenate(parts) + 2 * penalty * theta


def loss(theta: np.ndarray, penalty: float) -> float:
    w1, w2, b, c = _parts(theta)
    z = np.tanh(XOR[:, :2] @ w1.T + b) @ w2.T + c
    return float(np.logaddexp(0, -SIGN * (z[:, 1] - z[:, 0])).mean() + penalty * (theta**2).sum())


@cache
def multistart(nodes: int, penalty: float, starts: int) -> list[np.ndarray]:
    """Stationary points of different loss from random starts, by losses ascending; an oracle without symland."""
    rng = np.random.default_rng(7)
    found: dict[float, np.ndarray] = {}
    for _ in range(starts):
        start = rng.normal(size=5 * nodes + 2) * rng.choice([0.3, 1.0, 2.0])
        answer = root(gradient, start, args=(penalty,), options={"xtol": 1e-13})
        if np.abs(answer.fun).max() < 1e-11:
            found.setdefault(round(loss(answer.x, penalty), 8), answer.x)
    return [found[key] for key in sorted(found)]


def hundredth(nodes: int) -> list[np.ndarray]:
    """Stationary points at lambda = 1e-2: all seven classes of one node, twelve of the twenty of two."""
    return multistart(nodes, 0.01, 300 if nodes == 1 else 60)


def solution(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Nodes (U, v) of shape (N, 4) with v >= 0, residuals P of shape (4,) and gamma of a point at lambda = 1e-2."""
    w1, w2, b, c = _parts(theta)
    states = np.column_stack((w1, b, w2[1] - w2[0]))
    states = np.where(states[:, 3:] < 0, -states, states)
    bias = float(c[1] - c[0])
    return states, pulls(states, bias), bias


def pulls(states: np.ndarray, bias: float) -> np.ndarray:
    """P = s / (4 lambda (1 + exp(s z))) at the logits z, lambda = 1e-2."""
    logits = states[:, 3] @ np.tanh(states[:, :3] @ XOR.T) + bias
    return SIGN * 25 / (1 + np.exp(SIGN * logits))


def swapped(states: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image under the swap of the inputs with P_01 >= P_10."""
    return (states, pull) if pull[1] >= pull[2] else (states[:, [1, 0, 2, 3]], pull[[0, 2, 1, 3]])
