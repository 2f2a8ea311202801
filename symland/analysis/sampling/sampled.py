"""ln Z of a landscape at temperatures by independent runs of the tempered sampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symland.analysis.sampling.smc import Estimate, Run, Schedule, combine, pilot, run
from symland.analysis.sampling.target import Target
from symland.errors import SpecError
from symland.records import FloatArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AtStop", "Tempered", "check_effort", "cooling_path", "mean_over_runs", "temper"]

WARM = 0.5
"""Temperature down from which the path cools, in units of the loss: about the loss of a network that knows nothing.

A path that switches the loss on at a low temperature crosses a sudden transition, where particles are lost.
"""

FEWEST_PARTICLES, FEWEST_RUNS = 32, 3
"""Fewer give no error worth the name."""


@dataclass(frozen=True, kw_only=True)
class AtStop:
    """What the runs say at one corner of the path: ln Z, mean E, the variance of E, ESS of the weights, acceptance."""

    log_z: Estimate
    energy: Estimate
    variance: float
    ess: float
    acceptance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Tempered:
    """A schedule, particles of its pilot at each level, and what independent runs found at its stops."""

    schedule: Schedule
    points: tuple[FloatArray, ...]
    stops: tuple[AtStop, ...]
    runs: tuple[Run, ...]


def check_effort(samples: int, runs: int) -> None:
    """Refuse too few particles or runs.

    Raises
    ------
    SpecError
    """
    if samples < FEWEST_PARTICLES:
        raise SpecError.at("--samples", f"{samples} particles", f"write {FEWEST_PARTICLES} or more")
    if runs < FEWEST_RUNS:
        raise SpecError.at("--runs", f"{runs} independent runs", f"write {FEWEST_RUNS} or more")


def cooling_path(temperatures: Sequence[float]) -> tuple[list[tuple[float, float]], int]:
    """Corners (b, a) from a warm Gaussian down to descending temperatures, and how many come before these."""
    start = max(temperatures[0], WARM)
    corners = [(0.0, 1 / start), *((1 / t, 1 / t) for t in temperatures)]
    if start > temperatures[0]:
        corners.insert(1, (1 / start, 1 / start))
        return corners, 1
    return corners, 0


def temper(
    target: Target,
    corners: Sequence[tuple[float, float]],
    *,
    samples: int,
    runs: int,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
) -> Tempered:
    """Estimates at the corners (b, a) of a path after the first, which has b = 0."""
    first, *seeds = np.random.SeedSequence(seed).spawn(runs + 1)
    progress("pilot run", 0, runs)
    schedule, points = pilot(target, corners, samples, np.random.default_rng(first))
    found = []
    for number, own in enumerate(seeds):
        progress("independent runs", number, runs)
        found.append(run(target, schedule, samples, np.random.default_rng(own)))
    stops = []
    for k in schedule.stops:
        stops.append(
            AtStop(
                log_z=combine([r.log_z[k] for r in found]),
                energy=mean_over_runs([float(r.energy[k]) for r in found]),
                variance=float(np.mean([r.variance[k] for r in found])),
                ess=float(sum(r.ess[k] for r in found)),
                acceptance=float(np.mean([r.acceptance[k] for r in found])),
            )
        )
    return Tempered(schedule=schedule, points=tuple(points), stops=tuple(stops), runs=tuple(found))


def mean_over_runs(values: Sequence[float]) -> Estimate:
    """The mean over independent runs, its standard error, and Student's interval."""
    from scipy.stats import t

    x = np.array(values)
    error = float(x.std(ddof=1) / np.sqrt(len(x)))
    reach = float(t.ppf(0.975, len(x) - 1)) * error
    return Estimate(value=float(x.mean()), error=error, lower=float(x.mean()) - reach, upper=float(x.mean()) + reach)
