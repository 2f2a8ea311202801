"""What the network of rates shows as a whole: relaxation times, committors, groups below a barrier."""

from __future__ import annotations

from collections.abc import Collection
from math import inf, log, pi

import numpy as np

from symland.analysis.temperature.elimination import log_solve
from symland.records import FloatArray

__all__ = ["committors", "free_energy_barriers", "groups_below", "relaxation"]

MOST_DIGITS = 4000
"""Decimal digits up to which a spectrum is found; rates further apart than that have none."""

GUARD = 25
"""Decimal digits carried beyond the spread of the rates."""


def relaxation(log_rates: FloatArray, log_weights: FloatArray) -> tuple[float, ...] | None:
    """ln of the relaxation rates above zero, ascending: eigenvalues of minus the generator.

    Detailed balance makes sqrt(p_a) k_ab / sqrt(p_b) symmetric. Its eigenvalues span as many decades as the rates, so
    they are found with more digits than that; None where it would take more than `MOST_DIGITS`.

    Parameters
    ----------
    log_rates : (m, m)
    log_weights : (m,)
        ln of the stationary law, up to a constant.
    """
    from mpmath import mp

    rates = np.array(log_rates)
    np.fill_diagonal(rates, -np.inf)
    held = rates[np.isfinite(rates)]
    if not held.size:
        return ()
    weights = np.ptp(log_weights)
    digits = int((np.ptp(held) + weights) / log(10)) + GUARD
    if digits > MOST_DIGITS:
        return None
    m = len(rates)
    with mp.workdps(digits):
        matrix = mp.zeros(m)
        for a in range(m):
            for b in range(m):
                if np.isfinite(rates[a, b]):
                    matrix[a, a] += mp.exp(mp.mpf(rates[a, b]))
                    if a < b:
                        mean = mp.mpf(rates[a, b]) + (mp.mpf(log_weights[a]) - mp.mpf(log_weights[b])) / 2
                        matrix[a, b] = matrix[b, a] = -mp.exp(mean)
        spectrum = sorted(mp.eigsy(matrix, eigvals_only=True))
        # One zero for each connected part.
        parts = _parts(np.isfinite(rates))
        return tuple(float(mp.log(abs(w))) for w in spectrum[parts:])


def _parts(linked: np.ndarray) -> int:
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(linked, directed=False, return_labels=False))


def committors(log_rates: FloatArray, a: Collection[int], b: Collection[int]) -> tuple[float | None, ...]:
    """For each state the chance to reach B before A; None where it may reach neither."""
    fixed = {**dict.fromkeys(a, -inf), **dict.fromkeys(b, 0.0)}
    found = log_solve(log_rates, -inf, fixed)
    return tuple(None if x == inf else float(min(1.0, np.exp(x))) for x in found)


def free_energy_barriers(log_rates: FloatArray, temperature: float) -> FloatArray:
    """-T ln(2 pi k / T), (m, m): the barrier of which k = (T / 2 pi) exp(-barrier / T) speaks; infinite for none."""
    return -temperature * (log_rates + log(2 * pi / temperature))


def groups_below(
    log_rates: FloatArray, log_weights: FloatArray, temperature: float, threshold: float
) -> tuple[tuple[int, ...], ...]:
    """States joined for as long as two groups have both barriers between them below a threshold.

    The flow between groups is the sum of those between their members, and the weight of a group that of its members
    (Carr and Wales, J. Phys. Chem. B 112, 8760 (2008), regroup in the same spirit).
    """
    flow = np.array(log_rates) + np.array(log_weights)[:, None]
    np.fill_diagonal(flow, -np.inf)
    members: list[tuple[int, ...]] = [(k,) for k in range(len(flow))]
    weights = [float(w) for w in log_weights]
    while len(members) > 1:
        k = flow - np.array(weights)[:, None]
        barriers = free_energy_barriers(k, temperature)
        higher = np.maximum(barriers, barriers.T)
        np.fill_diagonal(higher, np.inf)
        i, j = divmod(int(higher.argmin()), len(members))
        if not higher[i, j] < threshold:
            break
        i, j = min(i, j), max(i, j)
        flow[i] = np.logaddexp(flow[i], flow[j])
        flow[:, i] = np.logaddexp(flow[:, i], flow[:, j])
        flow[i, i] = -np.inf
        flow = np.delete(np.delete(flow, j, axis=0), j, axis=1)
        members[i] = tuple(sorted((*members[i], *members.pop(j))))
        weights[i] = float(np.logaddexp(weights[i], weights.pop(j)))
    return tuple(sorted(members))
