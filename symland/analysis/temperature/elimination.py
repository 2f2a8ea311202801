"""Graph transformation: passage times, committors and the stationary law of a Markov chain by removing its states.

A chain in continuous time has rates k_ab >= 0. Removing the state i leaves a chain on the others with

    k_ab + k_ai k_ib / S_i,   S_i = sum_{b != i} k_ib

(Wales, J. Chem. Phys. 130, 204111 (2009); Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985)). The escape rate
of a state is always summed from its rates to others, never found by subtraction, so that every operation is +, * or /
of positive numbers: each costs a few units in the last place, however stiff the chain. What solves

    S_a t_a = r_a + sum_b k_ab t_b

follows by putting states back in the opposite order: with r = 1 and t = 0 on a target, mean first-passage times; with
r = 0, t = 1 on B and 0 on A, committors.

`log_solve` works on logarithms in float64. `solve` works on any exact or long numbers, such as `Fraction` and `mpf`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symland.records import FloatArray

__all__ = ["log_passage_times", "log_solve", "passage_times", "solve"]


def log_solve(log_rates: FloatArray, log_source: float, fixed: Mapping[int, float]) -> FloatArray:
    """ln t of every state.

    Parameters
    ----------
    log_rates : (m, m)
        ln k_ab from a to b, minus infinity where there is none; the diagonal is not looked at.
    log_source : float
        ln r of every state that is not fixed.
    fixed : mapping of states to ln t

    Returns
    -------
    (m,) float64
        Infinity where some path never reaches a fixed state.
    """
    rates = np.array(log_rates, dtype=np.float64)
    np.fill_diagonal(rates, -np.inf)
    m = len(rates)
    known = np.full(m, -np.inf)
    for state, value in fixed.items():
        known[state] = value
    source = np.full(m, log_source)
    free = [a for a in range(m) if a not in fixed]
    removed: list[tuple[int, FloatArray, float, float]] = []
    alive = np.ones(m, dtype=bool)
    for i in free:
        alive[i] = False
        out = np.where(alive, rates[i], -np.inf)
        escape = _log_sum(out)
        if escape == -np.inf:
            # Nothing leads on: the state stays, and whatever falls into it never arrives.
            alive[i], known[i] = True, np.inf
            continue
        removed.append((i, out, escape, float(source[i])))
        into = np.where(alive, rates[:, i], -np.inf) - escape
        rates = np.logaddexp(rates, into[:, None] + out[None, :])
        np.fill_diagonal(rates, -np.inf)
        source = np.logaddexp(source, into + source[i])
    for i, out, escape, own in reversed(removed):
        leads = np.isfinite(out)
        known[i] = np.logaddexp(own, _log_sum(out[leads] + known[leads])) - escape
    return known


def _log_sum(terms: FloatArray) -> float:
    """ln sum exp; minus infinity of nothing."""
    return float(np.logaddexp.reduce(terms, initial=-np.inf))


def log_passage_times(log_rates: FloatArray) -> FloatArray:
    """ln of the mean first-passage time a to b, (m, m); -inf on the diagonal, infinity where none leads."""
    columns = [log_solve(log_rates, 0.0, {b: -np.inf}) for b in range(len(log_rates))]
    return np.stack(columns, axis=1)


def solve(rates: Sequence[Sequence[Any]], source: Any, fixed: Mapping[int, Any]) -> list[Any]:
    """t of every state in the numbers that `rates` holds; None where some path never reaches a fixed state.

    Parameters
    ----------
    rates : m rows of m numbers that know +, * and /
        The diagonal is not looked at.
    source : number
        r of every state that is not fixed.
    fixed : mapping of states to numbers
    """
    m = len(rates)
    k: list[dict[int, Any]] = [{b: x for b, x in enumerate(row) if b != a and x} for a, row in enumerate(rates)]
    r = [source] * m
    removed: list[tuple[int, dict[int, Any], Any]] = []
    for i in range(m):
        if i in fixed:
            continue
        out, escape = k[i], sum(k[i].values())
        if not escape:
            continue
        k[i] = {}
        removed.append((i, out, escape))
        for a in range(m):
            share = k[a].pop(i, None)
            if share is None:
                continue
            share = share / escape
            r[a] = r[a] + share * r[i]
            for b, x in out.items():
                if b != a:
                    k[a][b] = k[a].get(b, 0) + share * x
    t: list[Any] = [fixed.get(a) for a in range(m)]
    for i, out, escape in reversed(removed):
        if all(t[b] is not None for b in out):
            t[i] = (r[i] + sum(x * t[b] for b, x in out.items())) / escape
    return t


def passage_times(rates: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Mean first-passage times a to b in the numbers of `rates`; 0 on the diagonal, None where none leads."""
    columns = [solve(rates, 1, {b: 0}) for b in range(len(rates))]
    return [list(row) for row in zip(*columns, strict=True)]
