"""What a search needs to know of a landscape: a batched value, gradient and Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from symland.records import FloatArray

__all__ = ["Kernel", "Restriction"]


class Kernel(Protocol):
    """Batched float64 evaluation at theta of shape (n, P), any n."""

    @property
    def n_parameters(self) -> int:
        """P."""
        ...

    def value(self, theta: FloatArray) -> FloatArray:
        """Losses, (n,)."""
        ...

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Gradients, (n, P)."""
        ...

    def value_gradient(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Losses and gradients."""
        ...

    def hessian(self, theta: FloatArray) -> FloatArray:
        """Hessians, (n, P, P)."""
        ...

    def value_gradient_hessian(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Losses, gradients and Hessians."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Restriction:
    """The landscape on a linear subspace theta = B y, with B of shape (P, d) orthonormal; itself a kernel in y."""

    kernel: Kernel
    basis: FloatArray

    @property
    def n_parameters(self) -> int:
        """d."""
        return int(self.basis.shape[1])

    def lift(self, y: FloatArray) -> FloatArray:
        """theta = B y, (n, P)."""
        return np.ascontiguousarray(y @ self.basis.T)

    def lower(self, theta: FloatArray) -> FloatArray:
        """y = B^T theta, the nearest point of the subspace."""
        return theta @ self.basis

    def value(self, y: FloatArray) -> FloatArray:
        """Losses."""
        return self.kernel.value(self.lift(y))

    def gradient(self, y: FloatArray) -> FloatArray:
        """B^T g."""
        return self.kernel.gradient(self.lift(y)) @ self.basis

    def value_gradient(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Losses and B^T g."""
        value, gradient = self.kernel.value_gradient(self.lift(y))
        return value, gradient @ self.basis

    def hessian(self, y: FloatArray) -> FloatArray:
        """B^T H B."""
        return self._lowered(self.kernel.hessian(self.lift(y)))

    def value_gradient_hessian(self, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Losses, B^T g and B^T H B."""
        value, gradient, hessian = self.kernel.value_gradient_hessian(self.lift(y))
        return value, gradient @ self.basis, self._lowered(hessian)

    def _lowered(self, hessian: FloatArray) -> FloatArray:
        """B^T H B, by two products of tall matrices rather than two for each point; H is symmetric."""
        n, (size, d) = len(hessian), self.basis.shape
        half = (hessian.reshape(n * size, size) @ self.basis).reshape(n, size, d)
        return (half.swapaxes(1, 2).reshape(n * d, size) @ self.basis).reshape(n, d, d)
