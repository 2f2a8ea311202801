"""Replica exchange on a ladder of couplings, and thermodynamic integration from it.

M ladders run side by side and know nothing of one another. In each, neighbours i and j = i + 1 swap their points with

    min(1, exp((b_j - b_i)(L_j - L_i) + (a_j - a_i)(R_j - R_i)))         (Geyer 1991; Hukushima and Nemoto 1996).

Along a straight piece of the path, d ln Z / ds = -<u'> with u' = b' L + a' R. The mean m = <u'>, the variance v and the
third central moment k obey dm/ds = -v and dv/ds = -k, so that the integral over a piece of unit length is Hermite's

    ln Z_1 - ln Z_0 = -(m_0 + m_1) / 2 + (v_0 - v_1) / 10 - (k_0 + k_1) / 120,

with m' = -v and m'' = k at both ends; it errs by the seventh power of the piece. The standard error comes from the M
ladders; every second level left out shows how much the spacing matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from symland.analysis.sampling.hmc import Ensemble, Levels, move
from symland.analysis.sampling.smc import Estimate, Schedule
from symland.analysis.sampling.target import Target
from symland.records import FloatArray

__all__ = ["Exchange", "exchange", "integrate", "thicken"]

BURNED = 0.25
"""Share of the sweeps that is not counted."""

MOST_BATCHES = 16
"""Groups of ladders whose integrals give the standard error."""


def thicken(schedule: Schedule, points: Sequence[FloatArray], parts: int) -> tuple[Schedule, tuple[FloatArray, ...]]:
    """The schedule with every step cut into `parts`; what is new takes step, metric and points from the colder end."""
    levels = schedule.levels
    upper = np.repeat(np.arange(1, len(levels)), parts)
    share = np.tile(np.arange(1, parts + 1) / parts, len(levels) - 1)
    places = np.concatenate([[0], upper])

    def between(x: FloatArray) -> FloatArray:
        return np.concatenate([x[:1], x[upper - 1] + share * (x[upper] - x[upper - 1])])

    made = Levels(b=between(levels.b), a=between(levels.a), step=levels.step[places], root=levels.root[places])
    stops = tuple(stop * parts for stop in schedule.stops)
    return Schedule(levels=made, stops=stops), tuple(points[k] for k in places)


@dataclass(frozen=True, kw_only=True, eq=False)
class Exchange:
    """What the ladders saw.

    Attributes
    ----------
    loss, penalty : (S, K, M) float64
        L and R after every counted sweep.
    acceptance, exchanges : (K,) and (K - 1,)
        Of moves at each level, and of swaps between neighbours.
    round_trips : int
        How often a replica went from the Gaussian to the last level and back, over all ladders.
    path : (S, K) int
        Of the first ladder: the level at which each replica stands after every counted sweep.
    samples : (M, S, P) float64
        Points at the last level.
    """

    loss: FloatArray
    penalty: FloatArray
    acceptance: FloatArray
    exchanges: FloatArray
    round_trips: int
    path: np.ndarray
    samples: FloatArray


def exchange(
    target: Target,
    schedule: Schedule,
    starts: Sequence[FloatArray],
    *,
    ladders: int,
    sweeps: int,
    rng: np.random.Generator,
    progress: Callable[[float], None] = lambda share: None,
) -> Exchange:
    """Run replica exchange.

    Parameters
    ----------
    schedule : Schedule
        Its levels are the ladder.
    starts : K arrays of points (n, P)
        Where replicas start: drawn from these with replacement.
    ladders, sweeps : int
        M, and moves of every replica.
    """
    levels = schedule.levels
    size, count = len(levels), ladders
    theta = np.stack([points[rng.integers(len(points), size=count)] for points in starts])
    state = Ensemble.at(target, theta)
    labels = np.tile(np.arange(size)[:, None], (1, count))
    heading = np.zeros((size, count), dtype=np.int64)
    trips, tried, swapped = 0, np.zeros(size - 1), np.zeros(size - 1)
    burned = round(BURNED * sweeps)
    kept: list[tuple[FloatArray, FloatArray, FloatArray, np.ndarray]] = []
    chances = np.zeros(size)
    steps = max(schedule.steps(k) for k in range(size))
    for sweep in range(sweeps):
        state, acceptance = move(target, levels, state, steps, rng)
        for parity in (0, 1):
            state, labels, accepted = _swap(levels.b, levels.a, state, labels, parity, rng)
            if sweep >= burned:
                tried[parity::2] += count
                swapped[parity::2] += accepted
        state = state.folded(target)
        if sweep >= burned:
            chances += acceptance
            kept.append((state.loss, state.penalty, state.theta[-1], labels[:, 0].copy()))
        trips += _trips(labels, heading)
        progress((sweep + 1) / sweeps)
    places = np.array([np.argsort(row[3]) for row in kept])
    return Exchange(
        loss=np.array([row[0] for row in kept]),
        penalty=np.array([row[1] for row in kept]),
        acceptance=chances / max(1, len(kept)),
        exchanges=swapped / np.maximum(tried, 1),
        round_trips=trips,
        path=places,
        samples=np.swapaxes(np.array([row[2] for row in kept]), 0, 1),
    )


def _swap(
    b: FloatArray, a: FloatArray, state: Ensemble, labels: np.ndarray, parity: int, rng: np.random.Generator
) -> tuple[Ensemble, np.ndarray, FloatArray]:
    """Swap neighbours (i, i + 1) with i of one parity; the swaps accepted for each pair."""
    low = np.arange(parity, len(b) - 1, 2)
    high = low + 1
    gain = (b[high] - b[low])[:, None] * (state.loss[high] - state.loss[low])
    gain = gain + (a[high] - a[low])[:, None] * (state.penalty[high] - state.penalty[low])
    accept = np.log(rng.random(gain.shape)) < gain
    order = np.tile(np.arange(len(b))[:, None], (1, labels.shape[1]))
    order[low], order[high] = np.where(accept, order[high], order[low]), np.where(accept, order[low], order[high])
    wide = order[..., None]
    swapped = Ensemble(
        theta=np.take_along_axis(state.theta, wide, 0),
        loss=np.take_along_axis(state.loss, order, 0),
        penalty=np.take_along_axis(state.penalty, order, 0),
        slope=np.take_along_axis(state.slope, wide, 0),
        pull=np.take_along_axis(state.pull, wide, 0),
    )
    return swapped, np.take_along_axis(labels, order, 0), accept.sum(axis=1).astype(float)


def _trips(labels: np.ndarray, heading: np.ndarray) -> int:
    """Round trips that end now; `heading` (replica, ladder) is 1 after the Gaussian, 2 after the last level, else 0."""
    ladders = np.arange(labels.shape[1])
    first, last = labels[0], labels[-1]
    done = int((heading[first, ladders] == 2).sum())
    heading[first, ladders] = 1
    up = heading[last, ladders] == 1
    heading[last[up], ladders[up]] = 2
    return done


def integrate(target: Target, schedule: Schedule, seen: Exchange) -> tuple[tuple[Estimate, ...], float]:
    """ln Z at the schedule's stops, and the change at the last one when every second level is left out.

    The error of each joins that of the ladders and a fifteenth of this change: the rule's own error falls by 64 when
    levels are twice as dense, and by 15 or more where they are still too few for that.
    """
    from scipy.stats import t

    b, a, stops = schedule.levels.b, schedule.levels.a, schedule.stops
    ladders = seen.loss.shape[2]
    groups = np.array_split(np.arange(ladders), min(MOST_BATCHES, ladders))
    start = target.log_reference(float(a[0]))
    fine = np.array([_integral(b, a, stops, seen, group, 1) for group in groups])
    coarse = np.array([_integral(b, a, stops, seen, group, 2) for group in groups])
    spacing = np.abs(fine.mean(axis=0) - coarse.mean(axis=0))
    found = []
    for k in range(len(stops)):
        values = fine[:, k]
        noise = float(values.std(ddof=1) / np.sqrt(len(values)))
        error = float(np.hypot(noise, spacing[k] / 15))
        reach = float(t.ppf(0.975, len(values) - 1)) * error
        value = start + float(values.mean())
        found.append(Estimate(value=value, error=error, lower=value - reach, upper=value + reach))
    return tuple(found), float(spacing[-1])


def _integral(
    b: FloatArray, a: FloatArray, stops: Sequence[int], seen: Exchange, group: np.ndarray, stride: int
) -> FloatArray:
    """ln Z at the stops less ln Z of the Gaussian, from some ladders and every `stride`-th level between stops."""
    total, start, out = 0.0, 0, []
    loss, penalty = seen.loss[:, :, group], seen.penalty[:, :, group]
    for stop in stops:
        nodes = [*range(start, stop, stride), stop]
        for i, j in pairwise(nodes):
            ends = []
            for k in (i, j):
                slope = (b[j] - b[i]) * loss[:, k] + (a[j] - a[i]) * penalty[:, k]
                mean = float(slope.mean())
                ends.append((mean, float(((slope - mean) ** 2).mean()), float(((slope - mean) ** 3).mean())))
            (m0, v0, k0), (m1, v1, k1) = ends
            total += -(m0 + m1) / 2 + (v0 - v1) / 10 - (k0 + k1) / 120
        out.append(total)
        start = stop
    return np.array(out)
