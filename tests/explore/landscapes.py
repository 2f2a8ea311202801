"""Landscapes whose stationary points are known beforehand."""

from __future__ import annotations

from functools import cache

import numpy as np

from symland.explore import Exploration, explore
from symland.kernels import CompiledKernel, compile_kernel
from symland.layout import Layout
from symland.spec import load_spec
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import Parity, SymmetryGroup


class Wells:
    """E = sum_i (y_i^2 - 1)^2 / 4 + tilt y_i in coordinates y = R theta: minima and maxima in each coordinate.

    Without tilt the stationary points are R^T {-1, 0, 1}^P, of index the number of zeros.
    """

    def __init__(self, size: int, tilt: float = 0.0, rotation: np.ndarray | None = None) -> None:
        self.n_parameters = size
        self.tilt = tilt
        self.rotation = np.eye(size) if rotation is None else rotation
        self.points_evaluated = 0

    def value_gradient_hessian(self, theta):
        self.points_evaluated += len(theta)
        y = theta @ self.rotation.T
        value = ((y**2 - 1.0) ** 2 / 4.0 + self.tilt * y).sum(1)
        gradient = (y**3 - y + self.tilt) @ self.rotation
        hessian = self.rotation.T @ ((3.0 * y**2 - 1.0)[:, :, None] * self.rotation)
        return value, gradient, hessian

    def value_gradient(self, theta):
        return self.value_gradient_hessian(theta)[:2]

    def value(self, theta):
        return self.value_gradient_hessian(theta)[0]

    def gradient(self, theta):
        return self.value_gradient_hessian(theta)[1]

    def hessian(self, theta):
        return self.value_gradient_hessian(theta)[2]


def no_symmetry(size: int) -> SymmetryGroup:
    """The trivial group on `size` parameters: size - 1 inputs, one hidden node without parity, one output."""
    return SymmetryGroup.hidden_only(Layout(widths=(size - 1, 1, 1), bias=False), Parity.NONE)


def wells3() -> Wells:
    """Three wells, for worker processes."""
    return Wells(3, tilt=0.1)


@cache
def xor(hidden: tuple[int, ...], penalty: str, name: str = "xor") -> tuple[CompiledKernel, SymmetryGroup]:
    """The compiled XOR landscape and its group."""
    spec = load_spec(name, hidden=hidden, penalty=penalty)
    return compile_kernel(spec), find_symmetry(spec)


@cache
def explored(hidden: tuple[int, ...], penalty: str, name: str = "xor") -> Exploration:
    """What the rules of the package find there, for all tests that ask."""
    return explore(*xor(hidden, penalty, name))
