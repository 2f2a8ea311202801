"""The local learning coefficient as a sampler sees it.

Near a minimum theta* the volume of {L < L* + eps} goes like eps^lambda (Watanabe, Algebraic Geometry and Statistical
Learning Theory, Cambridge 2009). Under the density exp(-L / T)
times a Gaussian of standard deviation s around theta*,

    (<L> - L*) / T -> lambda   as T -> 0 with s fixed and small,

up to terms of the size of T, s^2 and T / s^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symland.analysis.sampling.sampled import mean_over_runs
from symland.analysis.sampling.smc import Estimate, pilot, run
from symland.analysis.sampling.target import Target
from symland.explore.protocol import Kernel
from symland.records import FloatArray

__all__ = ["sampled_coefficient"]


def sampled_coefficient(
    kernel: Kernel,
    theta: FloatArray,
    *,
    temperature: float,
    width: float,
    samples: int,
    runs: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Estimate, float]:
    """(<L> - L*) / T from independent runs, and the effective samples of all; `width` is s, in units of theta."""
    size = kernel.n_parameters
    lowest = float(kernel.value(theta[None])[0])

    def loss(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope = kernel.value_gradient(np.ascontiguousarray(theta + x))
        return value - lowest, slope

    def curvature(x: FloatArray) -> FloatArray:
        return kernel.hessian(np.ascontiguousarray(theta + x))

    target = Target(loss=loss, curvature=curvature, penalty=1 / (2 * width**2), size=size)
    first, *seeds = np.random.SeedSequence(seed).spawn(runs + 1)
    corners = [(0.0, 1.0), (1 / temperature, 1.0)]
    schedule, _ = pilot(target, corners, samples, np.random.default_rng(first))
    found: list[float] = []
    ess = 0.0

    def watch(level: int, x: FloatArray) -> None:
        if level == schedule.stops[-1]:
            found.append(float(loss(x)[0].mean()) / temperature)

    for number, own in enumerate(seeds):
        progress(number, runs)
        done = run(target, schedule, samples, np.random.default_rng(own), watch)
        ess += float(done.ess[schedule.stops[-1]])
    return mean_over_runs(found), ess
