"""Learning rules that look for solutions of a binary perceptron, many runs at once where that is possible."""

from __future__ import annotations

import numpy as np

from symland.perceptron.counting import Signs

__all__ = ["anneal", "replicated", "sbpi"]

Draw = np.random.Generator


def anneal(
    patterns: Signs, rng: Draw, *, sweeps: int = 400, hottest: float = 2.0, coldest: float = 0.1
) -> Signs | None:
    """Metropolis on the number of wrong patterns with a geometric cooling; None if it ends without a solution."""
    count, size = patterns.shape
    xi = patterns.astype(np.int64)
    weights = rng.choice(np.array([-1, 1]), size=size)
    sums = xi @ weights
    errors = int((sums <= 0).sum())
    for temperature in np.geomspace(hottest, coldest, sweeps):
        for i in np.asarray(rng.integers(size, size=size)).tolist():
            moved = sums - 2 * xi[:, i] * weights[i]
            wrong = int((moved <= 0).sum())
            if wrong <= errors or rng.random() < np.exp((errors - wrong) / temperature):
                weights[i], sums, errors = -weights[i], moved, wrong
                if not errors:
                    return weights.astype(np.int8)
    return None if count and errors else weights.astype(np.int8)


def sbpi(patterns: Signs, rng: Draw, *, rounds: int = 2000, most: float = 0.3) -> Signs | None:
    """The rule of Baldassi, Braunstein, Brunel and Zecchina (PNAS 104, 11079 (2007)).

    Odd hidden numbers h stand behind the weights sign(h). A wrong pattern moves all of them towards it; one that is
    right by the least possible sum moves, with probability `most`, those that agree with it already.
    """
    count, size = patterns.shape
    xi = patterns.astype(np.int64)
    hidden = rng.choice(np.array([-1, 1]), size=size)
    for _ in range(rounds):
        right = True
        for mu in rng.permutation(count):
            weights = np.sign(hidden)
            stability = int(xi[mu] @ weights)
            if stability <= 0:
                hidden += 2 * xi[mu]
                right = False
            elif stability == 1 and rng.random() < most:
                hidden[hidden * xi[mu] >= 1] += 2 * xi[mu][hidden * xi[mu] >= 1]
        weights = np.sign(hidden)
        if right or bool((xi @ weights > 0).all()):
            found: Signs = weights.astype(np.int8)
            return found if bool((xi @ weights > 0).all()) else None
    return None


def replicated(
    patterns: Signs,
    rng: Draw,
    *,
    replicas: int = 3,
    sweeps: int = 400,
    hottest: float = 2.0,
    coldest: float = 0.1,
    coupling: tuple[float, float] = (1e-2, 1.0),
) -> Signs | None:
    """Metropolis on several replicas that are drawn together: errors of each, less gamma times their overlaps.

    gamma grows geometrically from the first to the second of `coupling` while the temperature falls. The solution of
    the majority, or of a replica, or None.
    """
    _, size = patterns.shape
    xi = patterns.astype(np.int64)
    weights = rng.choice(np.array([-1, 1]), size=(replicas, size))
    sums = weights @ xi.T
    errors = (sums <= 0).sum(axis=1)
    cooling = np.geomspace(hottest, coldest, sweeps)
    for temperature, gamma in zip(cooling, np.geomspace(*coupling, sweeps), strict=True):
        for i in np.asarray(rng.integers(size, size=size)).tolist():
            for a in np.asarray(rng.permutation(replicas)).tolist():
                moved = sums[a] - 2 * xi[:, i] * weights[a, i]
                wrong = int((moved <= 0).sum())
                others = int(weights[:, i].sum() - weights[a, i])
                rise = wrong - errors[a] + 2 * gamma * weights[a, i] * others / max(1, replicas - 1)
                if rise <= 0 or rng.random() < np.exp(-rise / temperature):
                    weights[a, i], sums[a], errors[a] = -weights[a, i], moved, wrong
    centre = np.where(weights.sum(axis=0) >= 0, 1, -1)
    for found in (centre, *weights[np.argsort(errors, kind="stable")]):
        if bool((xi @ found > 0).all()):
            return found.astype(np.int8)
    return None
