"""Boxes as JSON text, exact and short: how the queue of a search and the pieces of a range are kept.

An array of doubles is its shape and the bytes of its values, little-endian, byte planes one after the other (signs and
exponents of neighbours are alike), compressed with zlib and written in base 85.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from typing import Any

import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.problem import Doubles

__all__ = ["packed", "unpacked"]

LEVEL = 1
"""Of the compression: the fastest. Higher ones take ten times as long for a tenth of the size."""
BYTES = 8
"""Of a double."""


def packed(array: npt.NDArray[np.float64]) -> list[Any]:
    """JSON values: the shape, and text."""
    planes = np.ascontiguousarray(array, dtype="<f8").reshape(-1).view(np.uint8).reshape(-1, BYTES).T
    return [list(array.shape), b85encode(zlib.compress(planes.tobytes(), LEVEL)).decode("ascii")]


def unpacked(values: list[Any]) -> Doubles:
    """The array that `packed` wrote, to the last bit."""
    shape, text = values
    planes = np.frombuffer(zlib.decompress(b85decode(text)), dtype=np.uint8).reshape(BYTES, -1)
    return np.ascontiguousarray(planes.T).view("<f8").astype(np.float64).reshape(shape)
