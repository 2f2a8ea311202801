"""One array of numbers in every layout that NumPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def strided(array: np.ndarray) -> np.ndarray:
    """Every other entry of a larger array along each axis, with NaN between."""
    room = np.full(tuple(2 * side + 1 for side in array.shape), np.nan)
    room[tuple(slice(1, 2 * side, 2) for side in array.shape)] = array
    return room[tuple(slice(1, 2 * side, 2) for side in array.shape)]


def negative(array: np.ndarray) -> np.ndarray:
    """Backwards in memory along each axis."""
    turned = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[turned])[turned]


def shifted(array: np.ndarray) -> np.ndarray:
    """Row-major, but one byte off."""
    room = np.empty(array.nbytes + 9, dtype=np.uint8)
    first = 1 + -room.ctypes.data % 8
    moved = room[first : first + array.nbytes].view(np.float64).reshape(array.shape)
    moved[...] = array
    return moved


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "negative": negative,
    "misaligned": shifted,
    "read-only": read_only,
    "other order of bytes": lambda array: array.astype(">f8"),
    "a view of a subclass": lambda array: array.view(np.recarray),
    "list": lambda array: array.tolist(),
    # These two hold what float32 and integers hold.
    "float32": lambda array: array.astype(np.float32),
    "integers": lambda array: np.rint(array).astype(np.int64),
    "broadcast": lambda array: np.broadcast_to(array[:1], array.shape),
}


def numbers(laid: Any) -> np.ndarray:
    """What an array in any layout holds, as a new row-major float64 array, entry by entry."""
    source = np.asarray(laid)
    plain = np.empty(source.shape)
    for place in np.ndindex(*source.shape):
        plain[place] = float(source[place])
    return plain
