"""Belief propagation on a binary perceptron or a tree committee of three: marginals, reinforcement, and focusing.

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
from scipy.special import log_ndtr, ndtr

from symland.perceptron.counting import Signs, unit_sums, wrong

__all__ = ["CLOSEST", "LARGEST_EXACT", "Floats", "factor_fields", "focusing", "iterate", "marginals", "reinforced"]

LARGEST_EXACT = 63
"""Weights up to which a factor sums exactly over the others."""

DAMPING = 0.5
"""Share of the old cavity fields that is kept."""

CLOSEST = 1e-12
"""Distance of a magnetisation from +-1, and of a chance from 0."""

Floats = NDArray[np.float64]


def factor_fields(xi: Floats, cavity: Floats, exact: bool, units: int = 1) -> Floats:
    """Fields (P, N) of the factors from magnetisations (P, N).

    In a committee of three a pattern is right with chance A where unit k is right and B where it is not, from the
    chances of the two others; the field on a weight of unit k weighs A and B by the chance that k is right given it.
    """
    if units == 1:
        return (_exact_fields if exact else _gaussian_fields)(xi, cavity)
    size = xi.shape[1]
    parts = [slice(k * size // units, (k + 1) * size // units) for k in range(units)]
    chances = _exact_chances if exact else _gaussian_chances
    given = [chances(xi[:, part], cavity[:, part]) for part in parts]
    own = []
    for part, (up, down) in zip(parts, given, strict=True):
        weight = (1 + cavity[:, part][:, 0]) / 2
        own.append(weight * up[:, 0] + (1 - weight) * down[:, 0])
    fields = np.empty_like(cavity)
    for k, (part, (up, down)) in enumerate(zip(parts, given, strict=True)):
        p, q = (own[j][:, None] for j in range(units) if j != k)
        with_it, without = 1 - (1 - p) * (1 - q), p * q
        right = [np.maximum(c * with_it + (1 - c) * without, CLOSEST) for c in (up, down)]
        fields[:, part] = 0.5 * np.log(right[0] / right[1])
    return fields


def _gaussian_sums(xi: Floats, cavity: Floats) -> tuple[Floats, Floats]:
    """Mean and width of the sum of a pattern's other weights."""
    mean, spread = (xi * cavity).sum(axis=1, keepdims=True), (1 - cavity**2).sum(axis=1, keepdims=True)
    return mean - xi * cavity, np.sqrt(np.maximum(spread - (1 - cavity**2), CLOSEST))


def _gaussian_fields(xi: Floats, cavity: Floats) -> Floats:
    others, width = _gaussian_sums(xi, cavity)
    fields: Floats = 0.5 * xi * (log_ndtr((others + 1) / width) - log_ndtr((others - 1) / width))
    return fields


def _gaussian_chances(xi: Floats, cavity: Floats) -> tuple[Floats, Floats]:
    """Chances that the sum is positive with the weight at +1 and at -1."""
    others, width = _gaussian_sums(xi, cavity)
    return ndtr((others + xi) / width), ndtr((others - xi) / width)


def _exact_fields(xi: Floats, cavity: Floats) -> Floats:
    up, down = _exact_chances(xi, cavity)
    fields: Floats = 0.5 * np.log(np.maximum(up, CLOSEST) / np.maximum(down, CLOSEST))
    return fields


def _exact_chances(xi: Floats, cavity: Floats) -> tuple[Floats, Floats]:
    """Chances that the sum is positive with the weight at +1 and at -1.

    The distribution of xi_j w_j over the others comes from products from the left and from the right.
    """
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
    # Of size - 1 others k are +1, so their sum is 2 k - (size - 1): right with xi_i w_i = +-1 if that is above -+1.
    chance = {sign: np.empty_like(cavity) for sign in (1, -1)}
    for i in range(size):
        tail = np.cumsum(right[i + 1][:, ::-1], axis=1)[:, ::-1]
        for sign, found in chance.items():
            need = (size - 1 - sign) // 2 + 1
            total = np.zeros(count)
            for k in range(i + 1):
                at = max(0, need - k)
                total += left[i][:, k] * (tail[:, at] if at <= size else 0.0)
            found[:, i] = total
    along = xi > 0
    return np.where(along, chance[1], chance[-1]), np.where(along, chance[-1], chance[1])


def iterate(
    patterns: Signs,
    steps: int,
    outside: Callable[[int, Floats], Floats],
    rng: np.random.Generator,
    solved: bool,
    tolerance: float = 0.0,
    exact: bool | None = None,
    units: int = 1,
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
        new = factor_fields(xi, cavity, plain, units)
        moved = float(np.abs(new - sent).max(initial=0.0))
        sent = DAMPING * sent + (1 - DAMPING) * new
        total = sent.sum(axis=0) + extra
        if solved and _read(patterns, total, units) is not None:
            break
        if moved < tolerance:
            break
    return sent, total


def marginals(
    patterns: Signs,
    *,
    steps: int = 500,
    tolerance: float = 1e-10,
    exact: bool | None = None,
    seed: int = 0,
    units: int = 1,
) -> Floats:
    """Magnetisations of the weights over the solutions, as belief propagation sees them; exact on trees."""
    rng = np.random.default_rng(seed)
    _, total = iterate(patterns, steps, lambda step, field: np.zeros_like(field), rng, False, tolerance, exact, units)
    found: Floats = np.tanh(total)
    return found


def _read(patterns: Signs, total: Floats, units: int) -> Signs | None:
    weights = np.where(total >= 0, 1, -1).astype(np.int8)
    return None if wrong(unit_sums(patterns, weights, units)).any() else weights


def reinforced(
    patterns: Signs, rng: np.random.Generator, *, units: int = 1, steps: int = 500, rate: float = 0.01
) -> Signs | None:
    """Belief propagation with reinforcement: each weight keeps rho = 1 - (1 - rate)^step of its last field."""
    held = np.zeros(patterns.shape[1])

    def outside(step: int, field: Floats) -> Floats:
        held[:] = (1 - (1 - rate) ** step) * (field + held)
        return held.copy()

    return _read(patterns, iterate(patterns, steps, outside, rng, True, units=units)[1], units)


def focusing(patterns: Signs, rng: np.random.Generator, *, units: int = 1, steps: int = 500) -> Signs | None:
    """Focusing belief propagation, rho rising evenly from 0 to 1 over the steps."""

    def outside(step: int, field: Floats) -> Floats:
        rho = min(step / steps, 1 - 1e-6)
        t, y = np.sqrt(rho), (2 - rho) / (1 - rho)
        inner = np.arctanh(t * np.tanh(field))
        pull: Floats = np.arctanh(np.clip(t * np.tanh((y - 1) * inner), -1 + CLOSEST, 1 - CLOSEST))
        return pull

    return _read(patterns, iterate(patterns, steps, outside, rng, True, units=units)[1], units)
