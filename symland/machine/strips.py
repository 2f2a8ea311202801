"""Strips: rows of numbers eight at a time, so that each instruction of lane code works on eight rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from symland.machine.gate import aligned
from symland.machine.text import LANES

__all__ = ["in_rows", "in_strips"]


def in_strips(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, ...) as (strips, ..., 8), the last row repeated to fill the last strip."""
    n, shape = len(rows), rows.shape[1:]
    strips, whole = -(-n // LANES), n // LANES
    out = aligned((strips, *shape, LANES))
    given = rows.reshape(n, math.prod(shape))
    flat = out.reshape(strips, given.shape[1], LANES)
    flat[:whole] = given[: whole * LANES].reshape(whole, LANES, given.shape[1]).swapaxes(1, 2)
    if whole < strips:
        flat[whole] = given[-1][:, None]
        flat[whole, :, : n - whole * LANES] = given[whole * LANES :].T
    return out


def in_rows(strips: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """(strips, ..., 8) as (n, ...), without what fills the last strip."""
    rows = np.ascontiguousarray(np.moveaxis(strips, -1, 1))
    return rows.reshape(-1, *strips.shape[1:-1])[:n]
