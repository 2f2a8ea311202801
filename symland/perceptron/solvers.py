"""Learning rules that look for solutions of a binary perceptron, or of a tree committee of three."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.perceptron.counting import Signs, unit_sums, wrong

__all__ = ["anneal", "replicated", "sbpi"]

Draw = np.random.Generator


def _flipped(xi: NDArray[np.int64], sums: NDArray[np.int64], weight: int, i: int, share: int) -> NDArray[np.int64]:
    """The sums (P, K) after weight i, which has this value, has changed its sign."""
    moved = sums.copy()
    moved[:, i // share] -= 2 * xi[:, i] * weight
    return moved


def _any_of(places: NDArray[np.int64], rng: Draw) -> int:
    return int(places[0] if len(places) == 1 else rng.choice(places))


def anneal(
    patterns: Signs, rng: Draw, *, units: int = 1, sweeps: int = 400, hottest: float = 2.0, coldest: float = 0.1
) -> Signs | None:
    """Metropolis on the number of wrong patterns with a geometric cooling; None if it ends without a solution."""
    count, size = patterns.shape
    xi = patterns.astype(np.int64)
    weights = rng.choice(np.array([-1, 1]), size=size)
    sums = unit_sums(patterns, weights, units)
    errors = int(wrong(sums).sum())
    for temperature in np.geomspace(hottest, coldest, sweeps):
        for i in np.asarray(rng.integers(size, size=size)).tolist():
            moved = _flipped(xi, sums, weights[i], i, size // units)
            after = int(wrong(moved).sum())
            if after <= errors or rng.random() < np.exp((errors - after) / temperature):
                weights[i], sums, errors = -weights[i], moved, after
                if not errors:
                    return weights.astype(np.int8)
    return None if count and errors else weights.astype(np.int8)


def sbpi(patterns: Signs, rng: Draw, *, units: int = 1, rounds: int = 2000, most: float = 0.3) -> Signs | None:
    """The rule of Baldassi, Braunstein, Brunel and Zecchina (PNAS 104, 11079 (2007)).

    Odd hidden numbers h stand behind the weights sign(h). A wrong pattern moves all of them towards it; one that is
    right by the least possible sum moves, with probability `most`, those that agree with it already. In a committee it
    is the unit whose wrong sum is nearest to zero that is moved, the least action (Mitchison and Durbin, Biol. Cybern.
    60, 345 (1989)), ties broken by chance; a pattern is right by the least where one unit fewer would make it wrong.
    """
    count, size = patterns.shape
    share = size // units
    xi = patterns.astype(np.int64)
    hidden = rng.choice(np.array([-1, 1]), size=size)
    for _ in range(rounds):
        right = True
        for mu in rng.permutation(count):
            sums = unit_sums(patterns[mu : mu + 1], np.sign(hidden), units)[0]
            failed = bool(wrong(sums))
            held = np.flatnonzero((sums > 0) != failed)
            nearest = _any_of(held[np.abs(sums[held]) == np.abs(sums[held]).min()], rng)
            part = slice(nearest * share, (nearest + 1) * share)
            own, pattern = hidden[part], xi[mu, part]
            if failed:
                own += 2 * pattern
                right = False
            elif sums[nearest] == 1 and (sums > 0).sum() <= units // 2 + 1 and rng.random() < most:
                agreed = own * pattern >= 1
                own[agreed] += 2 * pattern[agreed]
        weights = np.sign(hidden)
        if right or not wrong(unit_sums(patterns, weights, units)).any():
            found: Signs = weights.astype(np.int8)
            return None if wrong(unit_sums(patterns, found, units)).any() else found
    return None


def replicated(
    patterns: Signs,
    rng: Draw,
    *,
    units: int = 1,
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
    share = size // units
    xi = patterns.astype(np.int64)
    weights = rng.choice(np.array([-1, 1]), size=(replicas, size))
    sums = unit_sums(patterns, weights, units)
    errors = wrong(sums).sum(axis=1)
    cooling = np.geomspace(hottest, coldest, sweeps)
    for temperature, gamma in zip(cooling, np.geomspace(*coupling, sweeps), strict=True):
        for i in np.asarray(rng.integers(size, size=size)).tolist():
            for a in np.asarray(rng.permutation(replicas)).tolist():
                moved = _flipped(xi, sums[a], weights[a, i], i, share)
                after = int(wrong(moved).sum())
                others = int(weights[:, i].sum() - weights[a, i])
                rise = after - errors[a] + 2 * gamma * weights[a, i] * others / max(1, replicas - 1)
                if rise <= 0 or rng.random() < np.exp(-rise / temperature):
                    weights[a, i], sums[a], errors[a] = -weights[a, i], moved, after
    centre = np.where(weights.sum(axis=0) >= 0, 1, -1)
    for found in (centre, *weights[np.argsort(errors, kind="stable")]):
        if not wrong(unit_sums(patterns, found, units)).any():
            return found.astype(np.int8)
    return None
