"""How the searches of a wave are carried out: by the method that the wave names, and to the end by Newton's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.explore.following import follow
from symland.explore.newton import newton
from symland.explore.squared import descend_squared_gradient
from symland.explore.starts import Method, Wave
from symland.explore.trajectories import follow_trajectories
from symland.records import FloatArray

__all__ = ["search"]


def search(wave: Wave) -> tuple[FloatArray, NDArray[np.intp], int]:
    """Stationary points (m, d) in the wave's coordinates, the start (m,) of each, and how many searches led nowhere.

    A Newton trajectory is as many searches as it crosses points, and one that led nowhere if it crosses none.
    """
    lanes = np.arange(len(wave.start))
    failed = 0
    if wave.method is Method.TRAJECTORY and wave.direction is not None:
        crossings = follow_trajectories(wave.space, wave.start, wave.direction)
        failed = len(lanes) - len(np.unique(crossings.lane))
        ends, lanes = crossings.theta, crossings.lane
    else:
        if wave.method is Method.SQUARED_GRADIENT:
            ends, arrived = descend_squared_gradient(wave.space, wave.start)
        else:
            ends, arrived = follow(wave.space, wave.start, wave.index)
        failed = int((~arrived).sum())
        ends, lanes = ends[arrived], lanes[arrived]
    polished, converged = newton(wave.space, ends)
    return polished[converged], lanes[converged], failed + int((~converged).sum())
