"""Belief propagation on a binary perceptron: marginals, reinforcement, and focusing.

A variable is a weight, a factor a pattern that must be right. With cavity magnetisations m_{i -> mu} the sum of the
other weights of a pattern has a distribution that is found exactly by convolution where weights are few, and is taken
for Gaussian else; the factor's field on weight i is half the log ratio of the chances that it is right with w_i = +-1.

Reinforcement adds rho times the last field of each weight. Focusing (Baldassi et al., PNAS 113, E7655 (2016)) has y
replicas coupled to a centre; with all messages equal it is the field

    atanh(t tanh((y - 1) atanh(t tanh h))),  t = tanh gamma = sqrt(rho),  y = (2 - rho) / (1 - rho),  rho from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from symland.perceptron.counting import Signs

__all__ = ["CLOSEST", "LARGEST_EXACT", "Floats", "factor_fields", "focusing", "iterate", "marginals", "reinforced"]

LARGEST_EXACT = 63
"""Weights up to which a factor sums exactly over the others."""

DAMPING = 0.5
"""Share of the old cavity fields that is kept."""

CLOSEST = 1e-12
"""Distance of a magnetisation from +-1, and of a chance from 0."""

Floats = NDArray[np.float64]


def factor_fields(xi: Floats, cavity: Floats, exact: bool) -> Floats:
    """Fields (P, N) of the factors from magnetisations (P, N)."""
    return _exact_fields(xi, cavity) if exact else _gaussian_fields(xi, cavity)


def _gaussian_fields(xi: Floats, cavity: Floats) -> Floats:
    mean, spread = (xi * cavity).sum(axis=1, keepdims=True), (1 - cavity**2).sum(axis=1, keepdims=True)
    others = mean - xi * cavity
    width = np.sqrt(np.maximum(spread - (1 - cavity**2), CLOSEST))
    fields: Floats = 0.5 * xi * (log_ndtr((others + 1) / width) - log_ndtr((others - 1) / width))
    return fields


def _exact_fields(xi: Floats, cavity: Floats) -> Floats:
    """The distribution of xi_j w_j over the others, by products from the left and from the right."""
    count, size = xi.shape
    up = np.clip((1 + xi * cavity) / 2, CLOSEST, 1 - CLOSEST)
    left = np.zeros((size + 1, count, size + 1))
    right = np.zeros((size + 1, count, size + 1))
    left[0, :, 0] = right[size, :, 0] = 1.0
    for j in range(size):
        p = up[:, j : j + 1]
        left[j + 1, :, 1:] = left[j, :, :-1] * p
        left[j + 1] += left[j] * (1 - p)
    for j in range(size - 1, -1, -1):
        p = up[:, j : j + 1]
        right[j, :, 1:] = right[j + 1, :, :-1] * p
        right[j] += right[j + 1] * (1 - p)
    # Of size - 1 others k are +1, so their sum is 2 k - (size - 1): right with w_i = +-1 if that is above -+1.
    fields = np.empty_like(cavity)
    need = {s: (size - 1 - s) // 2 + 1 for s in (1, -1)}
    for i in range(size):
        tail = np.cumsum(right[i + 1][:, ::-1], axis=1)[:, ::-1]
        chance = {}
        for sign in (1, -1):
            total = np.zeros(count)
            for k in range(i + 1):
                at = max(0, need[sign] - k)
                total += left[i][:, k] * (tail[:, at] if at <= size else 0.0)
            chance[sign] = np.maximum(total, CLOSEST)
        fields[:, i] = 0.5 * xi[:, i] * np.log(chance[1] / chance[-1])
    return fields


def iterate(
    patterns: Signs,
    steps: int,
    outside: Callable[[int, Floats], Floats],
    rng: np.random.Generator,
    solved: bool,
    tolerance: float = 0.0,
    exact: bool | None = None,
) -> tuple[Floats, Floats]:
    """Fields of the factors and total fields after some steps; ends at a solution if `solved`, or when all stands."""
    xi = patterns.astype(np.float64)
    plain = exact if exact is not None else xi.shape[1] <= LARGEST_EXACT
    sent = 1e-3 * rng.normal(size=xi.shape)
    total = sent.sum(axis=0)
    for step in range(steps):
        field = sent.sum(axis=0)
        extra = outside(step, field)
        cavity = np.tanh(np.clip(field + extra - sent, -18, 18))
        new = factor_fields(xi, cavity, plain)
        moved = float(np.abs(new - sent).max(initial=0.0))
        sent = DAMPING * sent + (1 - DAMPING) * new
        total = sent.sum(axis=0) + extra
        if solved and bool((xi @ np.where(total >= 0, 1.0, -1.0) > 0).all()):
            break
        if moved < tolerance:
            break
    return sent, total


def marginals(
    patterns: Signs, *, steps: int = 500, tolerance: float = 1e-10, exact: bool | None = None, seed: int = 0
) -> Floats:
    """Magnetisations of the weights over the solutions, as belief propagation sees them; exact on trees."""
    rng = np.random.default_rng(seed)
    _, total = iterate(patterns, steps, lambda step, field: np.zeros_like(field), rng, False, tolerance, exact)
    found: Floats = np.tanh(total)
    return found


def _read(patterns: Signs, total: Floats) -> Signs | None:
    weights = np.where(total >= 0, 1, -1)
    return weights.astype(np.int8) if bool((patterns.astype(np.int64) @ weights > 0).all()) else None


def reinforced(patterns: Signs, rng: np.random.Generator, *, steps: int = 500, rate: float = 0.01) -> Signs | None:
    """Belief propagation with reinforcement: each weight keeps rho = 1 - (1 - rate)^step of its last field."""
    held = np.zeros(patterns.shape[1])

    def outside(step: int, field: Floats) -> Floats:
        held[:] = (1 - (1 - rate) ** step) * (field + held)
        return held.copy()

    return _read(patterns, iterate(patterns, steps, outside, rng, True)[1])


def focusing(patterns: Signs, rng: np.random.Generator, *, steps: int = 500) -> Signs | None:
    """Focusing belief propagation, rho rising evenly from 0 to 1 over the steps."""

    def outside(step: int, field: Floats) -> Floats:
        rho = min(step / steps, 1 - 1e-6)
        t, y = np.sqrt(rho), (2 - rho) / (1 - rho)
        inner = np.arctanh(t * np.tanh(field))
        pull: Floats = np.arctanh(np.clip(t * np.tanh((y - 1) * inner), -1 + CLOSEST, 1 - CLOSEST))
        return pull

    return _read(patterns, iterate(patterns, steps, outside, rng, True)[1])
