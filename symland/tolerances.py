"""Rules of floating point that more than one room goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from symland.records import FloatArray

__all__ = ["FARTHEST_MOVE", "NULL_CURVATURE", "count_signs"]

NULL_CURVATURE = 1e-10
"""Eigenvalues of a Hessian no larger than this times max(1, |H|_2) count as zero."""

FARTHEST_MOVE = 1e-2
"""Largest change of a parameter by Newton's method, in units of 1 + max |theta|: beyond, it is another point."""


def count_signs(spectrum: FloatArray) -> tuple[int, int]:
    """(index, nullity) of a spectrum; an eigenvalue within `NULL_CURVATURE` max(1, |H|_2) of zero is null."""
    slack = NULL_CURVATURE * max(1.0, float(np.abs(spectrum).max(initial=0.0)))
    return int((spectrum < -slack).sum()), int((np.abs(spectrum) <= slack).sum())
