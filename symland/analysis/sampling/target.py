"""What is sampled: exp(-b L(theta) - a R(theta)), R = lambda |theta|^2, on a fundamental domain of a symmetry group.

The loss is E = L + R. The couplings (b, a) make a path: (0, a) is a Gaussian, (1/T, 1/T) the density at T. Each element
g of the group leaves L, R and volumes as they are. If a move treats g theta as it treats theta, then a point may be
replaced by its image in the fundamental domain at any time: the chain on the domain is the chain on orbits, and its
weights estimate the integral over all space. A sampler cannot lose one of two mirror modes: there is only one.

A move with a metric treats them alike only where the metric M is invariant, S M S^T = M for the signed permutation S of
every g. `invariant_metric` is the mean of a matrix over the group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from symland.errors import DatabaseError
from symland.records import FloatArray

if TYPE_CHECKING:
    from symland.explore.protocol import Kernel
    from symland.spec import LandscapeSpec
    from symland.symmetry import SymmetryGroup

__all__ = ["Target", "as_it_is", "invariant_metric", "target_of"]


def as_it_is(theta: FloatArray) -> FloatArray:
    """The fundamental domain of no symmetry: every point is its own image."""
    return theta


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A loss without its penalty, and the penalty.

    Attributes
    ----------
    loss : callable
        theta (n, P) to L (n,) and its gradient (n, P).
    curvature : callable
        theta (n, P) to the Hessians of L (n, P, P).
    penalty : float
        lambda > 0.
    size : int
        P.
    fold : callable
        theta (n, P) to an image under the symmetry group.
    symmetrise : callable
        A metric (P, P) to its mean over the group.
    """

    loss: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    curvature: Callable[[FloatArray], FloatArray]
    penalty: float
    size: int
    fold: Callable[[FloatArray], FloatArray] = as_it_is
    symmetrise: Callable[[FloatArray], FloatArray] = as_it_is

    def __post_init__(self) -> None:
        if not self.penalty > 0:
            raise DatabaseError(f"penalty {self.penalty}: nothing holds the parameters; use a positive one")

    def evaluate(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """L, R and their gradients."""
        value, slope = self.loss(theta)
        return value, self.penalty * (theta**2).sum(axis=1), slope, 2 * self.penalty * theta

    def log_reference(self, a: float) -> float:
        """ln of the integral of exp(-a R)."""
        return 0.5 * self.size * log(pi / (a * self.penalty))

    def draw_reference(self, a: float, count: int, rng: np.random.Generator) -> FloatArray:
        """Points (count, P) of the Gaussian exp(-a R)."""
        return self.fold(rng.normal(size=(count, self.size)) / np.sqrt(2 * a * self.penalty))

    def mean_curvature(self, theta: FloatArray, b: float, a: float) -> FloatArray:
        """The mean over points and the group of |b H_L + 2 a lambda|, the absolute value of a matrix: (P, P)."""
        hessians = b * self.curvature(theta) + 2 * a * self.penalty * np.eye(self.size)
        finite = hessians[np.isfinite(hessians).all(axis=(1, 2))]
        if not len(finite):
            return 2 * a * self.penalty * np.eye(self.size)
        spectrum, vectors = np.linalg.eigh(finite)
        return self.symmetrise(np.einsum("npi,ni,nqi->pq", vectors, np.abs(spectrum), vectors) / len(finite))


def invariant_metric(group: SymmetryGroup) -> Callable[[FloatArray], FloatArray]:
    """The mean of a matrix (P, P) over a group.

    The generators carry the places (p, q) of a matrix, with the signs of p and q, into one another. The mean gives
    every place of an orbit the same number up to its sign, and zero where the orbit meets itself with the other sign.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = group.layout.size
    count = size * size
    # Node (p, q) stands for +M_pq and node count + (p, q) for -M_pq.
    rows, columns = [np.arange(0)], [np.arange(0)]
    for element in group.generators():
        index, sign = group.signed_permutation(element)
        image = (index[:, None] * size + index[None, :]).ravel()
        turned = np.outer(sign, sign).ravel() < 0
        rows += [np.arange(count), np.arange(count) + count]
        columns += [image + count * turned, image + count * ~turned]
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(2 * count, 2 * count))
    orbits, labels = connected_components(graph, directed=False)

    def mean(metric: FloatArray) -> FloatArray:
        both = np.concatenate([metric.ravel(), -metric.ravel()])
        sums = np.bincount(labels, weights=both, minlength=orbits)
        return (sums / np.bincount(labels, minlength=orbits))[labels[:count]].reshape(size, size)

    return mean


def target_of(spec: LandscapeSpec, kernel: Kernel, group: SymmetryGroup | None) -> Target:
    """The target of a specification whose penalty holds every parameter.

    Parameters
    ----------
    kernel : Kernel
        Of this specification, perhaps restricted to a subspace.
    group : SymmetryGroup or None
        None samples all of space.

    Raises
    ------
    DatabaseError
        If the density cannot be normalised.
    """
    if not spec.coercive:
        raise DatabaseError(
            f"{spec.name}: exp(-E / T) has no finite integral, since the penalty does not make the loss grow in every "
            "direction; use a positive penalty on all parameters"
        )
    penalty = float(spec.penalty)

    def loss(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, gradient = kernel.value_gradient(np.ascontiguousarray(theta))
        return value - penalty * (theta**2).sum(axis=1), gradient - 2 * penalty * theta

    def curvature(theta: FloatArray) -> FloatArray:
        return kernel.hessian(np.ascontiguousarray(theta)) - 2 * penalty * np.eye(kernel.n_parameters)

    size = kernel.n_parameters
    if group is None:
        return Target(loss=loss, curvature=curvature, penalty=penalty, size=size)
    return Target(
        loss=loss,
        curvature=curvature,
        penalty=penalty,
        size=size,
        fold=group.canonical,
        symmetrise=invariant_metric(group),
    )
