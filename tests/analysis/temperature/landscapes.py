"""Landscapes for tests of temperature, each explored once, and losses written out again without the package."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from symland.datasets import make_data
from symland.explore import explore
from symland.explore.pathways import connect
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import StationaryPoint
from symland.spec import LandscapeSpec, Loss
from symland.symbolic.symmetry import find_symmetry
from tests.explore import landscapes


@cache
def xor_landscape(hidden: int, penalty: str) -> Landscape:
    return joined(landscapes.xor((hidden,), penalty)[0].spec, landscapes.explored((hidden,), penalty).points)


@cache
def two_weights() -> Landscape:
    """(v tanh(w x) - y)^2 over two samples, with a penalty: two parameters, two mirror minima and a saddle at zero."""
    data = make_data("two", [[1], ["1/2"]], [["1"], ["2/5"]], classify=False)
    spec = LandscapeSpec(name="two", hidden=(1,), data=data, bias=False, loss=Loss.SQUARED, penalty=Fraction(1, 20))
    return explored(spec)


def explored(spec: LandscapeSpec) -> Landscape:
    return joined(spec, explore(compile_kernel(spec), find_symmetry(spec), seed=1, max_searches=4000).points)


def joined(spec: LandscapeSpec, points: Sequence[StationaryPoint]) -> Landscape:
    made = connect(compile_kernel(spec), find_symmetry(spec), points)
    return Landscape(spec=spec, points=made.points, pathways=made.pathways, descents=made.descents)


def stored(folder: Path) -> str:
    """A copy of a database of the XOR network with one node at lambda = 1e-2, explored and connected."""
    return str(shutil.copy(Path(__file__).parents[2] / "landscape" / "data" / "layout-1.sqlite", folder / "xor.sqlite"))


def two_weights_loss(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    fit = ((v * np.tanh(w) - 1.0) ** 2 + (v * np.tanh(w / 2) - 0.4) ** 2) / 2
    return fit + (w**2 + v**2) / 20
