"""Landscapes for tests of temperature, each explored once, and losses written out again without the package."""

from __future__ import annotations

import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from symland.datasets import make_data
from symland.explore import explore
from symland.explore.pathways import connect
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.spec import LandscapeSpec, Loss, builtin
from symland.symbolic.symmetry import find_symmetry


@cache
def xor_landscape(hidden: int, penalty: str) -> Landscape:
    return explored(builtin("xor").with_(hidden=(hidden,), penalty=penalty))


@cache
def two_weights() -> Landscape:
    """(v tanh(w x) - y)^2 over two samples, with a penalty: two parameters, two mirror minima and a saddle at zero."""
    data = make_data("two", [[1], ["1/2"]], [["1"], ["2/5"]], classify=False)
    spec = LandscapeSpec(name="two", hidden=(1,), data=data, bias=False, loss=Loss.SQUARED, penalty=Fraction(1, 20))
    return explored(spec)


def explored(spec: LandscapeSpec) -> Landscape:
    kernel, group = compile_kernel(spec), find_symmetry(spec)
    joined = connect(kernel, group, explore(kernel, group, seed=1, max_searches=4000).points)
    return Landscape(spec=spec, points=joined.points, pathways=joined.pathways, descents=joined.descents)


def stored(folder: Path) -> str:
    """A copy of a database of the XOR network with one node at lambda = 1e-2, explored and connected."""
    return str(shutil.copy(Path(__file__).parents[2] / "landscape" / "data" / "layout-1.sqlite", folder / "xor.sqlite"))


def two_weights_loss(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    fit = ((v * np.tanh(w) - 1.0) ** 2 + (v * np.tanh(w / 2) - 0.4) ** 2) / 2
    return fit + (w**2 + v**2) / 20
