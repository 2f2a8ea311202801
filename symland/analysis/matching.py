"""Looking a parameter vector up in a list of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symland.records import FloatArray, StationaryPoint
from symland.symmetry import MATCH_TOLERANCE, SymmetryGroup

__all__ = ["find_class"]


def find_class(
    theta: FloatArray,
    points: Sequence[StationaryPoint],
    group: SymmetryGroup | None,
    tolerance: float = MATCH_TOLERANCE,
) -> int | None:
    """The number of the first point whose orbit holds theta, or None; without a group, the point itself."""
    for number, point in enumerate(points):
        if group is not None:
            if group.match(theta, point.theta, tolerance) is not None:
                return number
        elif np.abs(point.theta - theta).max() <= tolerance * (1 + np.abs(theta).max()):
            return number
    return None
