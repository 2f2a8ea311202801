"""Networks of the benchmarks by name."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symland import load_spec
from symland.datasets import Dataset
from symland.spec import LandscapeSpec

__all__ = ["NAMES", "network"]

NAMES = ("xor, 2", "xor, 64", "10-20-20-3")


def network(name: str) -> LandscapeSpec:
    """The XOR network of a width, one with many samples, or two layers of twenty nodes between ten inputs and three
    classes."""
    if name.startswith("xor, "):
        return load_spec("xor", hidden=(int(name.removeprefix("xor, ")),))
    if name == "iris, 20-20":
        return load_spec("iris").with_(hidden=(20, 20))
    if name == "10-32-3, 1000 samples":
        draw = np.random.default_rng(0)
        inputs = tuple(tuple(Fraction(int(v), 64) for v in row) for row in draw.integers(-128, 128, (1000, 10)))
        labels = tuple(int(v) for v in draw.integers(0, 3, 1000))
        data = Dataset(name="many", inputs=inputs, labels=labels)
        return load_spec("iris").with_(name="many", data=data, hidden=(32,))
    rows = tuple(tuple(Fraction((7 * i * j + 3 * i + j) % 11, 10) for j in range(1, 11)) for i in range(30))
    data = Dataset(name="made", inputs=rows, labels=tuple(i % 3 for i in range(30)))
    return load_spec("iris").with_(name="deep", data=data, hidden=(20, 20))
