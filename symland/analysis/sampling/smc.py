"""Tempered sequential Monte Carlo: ln Z along a path of couplings (Del Moral, Doucet and Jasra, JRSS B 68, 411 (2006)).

N particles start from the Gaussian exp(-a R), whose integral is known. From one level to the next each gets the weight
w = exp(-(b' - b) L - (a' - a) R); ln Z grows by ln mean w, the particles are drawn again by their weights (systematic
resampling), and Hamiltonian moves at the new level spread them. The mean of the estimates of Z, not of ln Z, is exactly
Z for any N, if levels, steps and metrics do not depend on the particles: a pilot run sets them, and its estimate is
thrown away. The standard error comes from independent runs, so that it knows of trapping as far as the runs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symland.analysis.sampling.hmc import Ensemble, Levels, metric_root, move
from symland.analysis.sampling.target import Target
from symland.records import FloatArray

__all__ = ["Estimate", "Run", "Schedule", "combine", "pilot", "run"]

KEPT = 0.8
"""Effective share of the particles that a step of the path keeps."""

SWEEPS = 3
"""Moves at each level."""

LENGTH = 2.5
"""Mean length of a trajectory, in units in which the metric is 1."""

MOST_STEPS = 24
"""Mean number of steps of a trajectory at most."""

ACCEPTANCE = 0.8
"""Acceptance that the pilot run steers for."""

METRIC_POINTS = 128
"""Particles whose Hessians make a metric."""

MOST_LEVELS = 2000
"""Levels of a path at most; where they run out the rest of the path is one step."""

SURE = 0.95
"""Probability with which an interval should cover."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Levels of a path, set by a pilot run; level 0 is the Gaussian.

    Attributes
    ----------
    levels : Levels
    stops : tuple of int
        The levels of the corners that were asked for.
    """

    levels: Levels
    stops: tuple[int, ...]

    def steps(self, k: int) -> int:
        """Mean number of steps at a level."""
        return int(np.clip(round(LENGTH / float(self.levels.step[k])), 2, MOST_STEPS))


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One independent run: ln Z, mean E, variance of E, effective sizes and acceptance of every level, (K,)."""

    log_z: FloatArray
    energy: FloatArray
    variance: FloatArray
    ess: FloatArray
    acceptance: FloatArray


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over independent runs, its standard error, and an interval that should cover at 95 %."""

    value: float
    error: float
    lower: float
    upper: float


def pilot(
    target: Target,
    corners: Sequence[tuple[float, float]],
    particles: int,
    rng: np.random.Generator,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[Schedule, list[FloatArray]]:
    """A schedule through the corners (b, a) of a path, the first with b = 0; and particles (n, P) at each level."""
    (b, a), rest = corners[0], corners[1:]
    state = Ensemble.at(target, target.draw_reference(a, particles, rng)[None])
    made = [_level(target, state, b, a, 0.5)]
    points, stops = [state.theta[0]], []
    for number, (next_b, next_a) in enumerate(rest):
        start_b, start_a, share = b, a, 0.0
        while share < 1.0:
            rise = (next_b - start_b) * state.loss[0] + (next_a - start_a) * state.penalty[0]
            ahead = 1.0 - share
            step = ahead if len(made) >= MOST_LEVELS else _next_step(rise, ahead)
            share = 1.0 if step >= ahead else share + step
            b, a = start_b + share * (next_b - start_b), start_a + share * (next_a - start_a)
            state = state.take(_resample(-step * rise, rng))
            level = _level(target, state, b, a, float(made[-1].step[0]))
            for _ in range(SWEEPS):
                steps = int(np.clip(round(LENGTH / float(level.step[0])), 2, MOST_STEPS))
                state, acceptance = move(target, level, state, steps, rng)
                # A gain of 1 in the logarithm: three moves bring an acceptance of 0.5 to about 0.75.
                level = Levels(
                    b=level.b,
                    a=level.a,
                    root=level.root,
                    step=np.clip(level.step * np.exp(acceptance - ACCEPTANCE), 1e-3, 1.2),
                )
            state = state.folded(target)
            made.append(level)
            points.append(state.theta[0])
            progress((number + share) / len(rest))
        stops.append(len(made) - 1)
    levels = Levels(
        b=np.concatenate([level.b for level in made]),
        a=np.concatenate([level.a for level in made]),
        step=np.concatenate([level.step for level in made]),
        root=np.concatenate([level.root for level in made]),
    )
    return Schedule(levels=levels, stops=tuple(stops)), points


def _level(target: Target, state: Ensemble, b: float, a: float, step: float) -> Levels:
    metric = target.mean_curvature(state.theta[0, :METRIC_POINTS], b, a)
    return Levels(b=np.array([b]), a=np.array([a]), step=np.array([step]), root=metric_root(metric)[None])


def _next_step(rise: FloatArray, most: float) -> float:
    """The share of the way at which the weights exp(-share rise) keep `KEPT` of the particles."""
    if _kept(-most * rise) >= KEPT:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _kept(-middle * rise) >= KEPT else (low, middle)
    return max(low, 1e-9 * most)


def _kept(log_weights: FloatArray) -> float:
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))


def _resample(log_weights: FloatArray, rng: np.random.Generator) -> np.ndarray:
    """Places (n,) drawn by systematic resampling, each about n w / sum w times."""
    weights = np.exp(log_weights - log_weights.max())
    sums = np.cumsum(weights)
    ticks = (rng.random() + np.arange(len(weights))) / len(weights) * sums[-1]
    return np.minimum(np.searchsorted(sums, ticks, side="right"), len(weights) - 1)


def run(
    target: Target,
    schedule: Schedule,
    particles: int,
    rng: np.random.Generator,
    watch: Callable[[int, FloatArray], None] = lambda level, theta: None,
) -> Run:
    """One run with a fixed schedule; `watch` is shown the particles (n, P) at every level."""
    levels = schedule.levels
    state = Ensemble.at(target, target.draw_reference(float(levels.a[0]), particles, rng)[None])
    log_z = target.log_reference(float(levels.a[0]))
    rows = [(log_z, *_moments(state), float(particles), 1.0)]
    for k in range(1, len(levels)):
        weights = -(levels.b[k] - levels.b[k - 1]) * state.loss[0] - (levels.a[k] - levels.a[k - 1]) * state.penalty[0]
        top = float(weights.max())
        log_z += top + float(np.log(np.exp(weights - top).mean()))
        ess = particles * _kept(weights)
        state = state.take(_resample(weights, rng))
        chances = []
        for _ in range(SWEEPS):
            state, acceptance = move(target, levels.only(k), state, schedule.steps(k), rng)
            chances.append(float(acceptance[0]))
        state = state.folded(target)
        watch(k, state.theta[0])
        rows.append((log_z, *_moments(state), ess, float(np.mean(chances))))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Run(log_z=columns[0], energy=columns[1], variance=columns[2], ess=columns[3], acceptance=columns[4])


def _moments(state: Ensemble) -> tuple[float, float]:
    energy = state.loss[0] + state.penalty[0]
    return float(energy.mean()), float(energy.var(ddof=1))


def combine(log_values: Sequence[float]) -> Estimate:
    """ln of the mean of exp(values) over independent runs.

    The error is the larger one of that of ln mean Z by the delta method and of the mean of ln Z: where the runs differ
    by more than a unit the first one is blind.
    """
    from scipy.stats import t

    values = np.array(log_values)
    count, top = len(values), values.max()
    shares = np.exp(values - top)
    value = float(top + np.log(shares.mean()))
    error = float(max(shares.std(ddof=1) / shares.mean(), values.std(ddof=1)) / np.sqrt(count))
    reach = float(t.ppf(0.5 + SURE / 2, count - 1)) * error
    return Estimate(value=value, error=error, lower=value - reach, upper=value + reach)
