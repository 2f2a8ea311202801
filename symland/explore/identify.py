"""Which stationary points are the same up to symmetry, and the record of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import BASIN_GRADIENT, GRADIENT_TOLERANCE
from symland.machine.spectra import ordered_values
from symland.records import FloatArray, Outcome, StationaryPoint
from symland.symmetry import MATCH_TOLERANCE, GroupElement, SymmetryGroup
from symland.tolerances import count_signs

__all__ = ["LOSS_TOLERANCE", "Catalogue", "same_level", "stationary_point"]

LOSS_TOLERANCE = 1e-9
"""Losses of one class differ by no more than this times max(1, |E|)."""


def same_level(loss: float, other: float) -> bool:
    """Whether two losses agree to `LOSS_TOLERANCE`; a manifold of stationary points has one loss."""
    return abs(loss - other) <= LOSS_TOLERANCE * max(1.0, abs(loss))


def stationary_point(kernel: Kernel, group: SymmetryGroup, theta: FloatArray) -> StationaryPoint:
    """The record of the point `theta` (P,): loss, gradient, spectrum, index as the spectrum has it, orbit size.

    A zero eigenvalue that belongs to an unpenalised gauge direction counts in the nullity and does not make the
    point degenerate.
    """
    loss, gradient, hessian = kernel.value_gradient_hessian(theta[None])
    spectrum = ordered_values(hessian)[0]
    index, nullity = count_signs(spectrum)
    norm = float(np.abs(gradient).max(initial=0.0))
    flat = 0
    if nullity and group.gauge.shape[1]:
        flat = count_signs(ordered_values(group.gauge.T @ hessian @ group.gauge)[0])[1]
    # Where the Hessian is singular the gradient stops falling somewhere about the tolerance.
    outcome = Outcome.STALLED if norm > GRADIENT_TOLERANCE else Outcome.CONVERGED
    if nullity > flat and norm <= BASIN_GRADIENT:
        outcome = Outcome.DEGENERATE
    return StationaryPoint(
        theta=theta,
        loss=float(loss[0]),
        gradient_norm=norm,
        spectrum=spectrum,
        index=index,
        nullity=nullity,
        orbit_size=group.orbit_size(theta),
        outcome=outcome,
    )


class Catalogue:
    """Classes of stationary points under a symmetry group, numbered in the order in which they came.

    Loss and invariants of the orbit only sort out; a point joins a class when the canonical representatives agree or
    a group element is found that maps one to the other, to MATCH_TOLERANCE.
    """

    def __init__(self, kernel: Kernel, group: SymmetryGroup, points: Sequence[StationaryPoint] = ()) -> None:
        self._kernel, self._group = kernel, group
        self._points = list(points)
        self._losses = np.array([point.loss for point in points])
        theta = np.array([point.theta for point in points]).reshape(-1, group.layout.size)
        self._canonical = group.canonical(theta)

    @property
    def points(self) -> tuple[StationaryPoint, ...]:
        """One representative of each class."""
        return tuple(self._points)

    def add(self, theta: FloatArray) -> NDArray[np.intp]:
        """Class numbers of the points (n, P); a point of no known class founds one."""
        labels, canonical, losses = self._quick(theta)
        for i in np.flatnonzero(labels < 0):
            labels[i] = self._slow(theta[i], canonical[i], losses[i])
            if labels[i] < 0:
                labels[i] = self._found(stationary_point(self._kernel, self._group, canonical[i]))
        return labels

    def admit(self, point: StationaryPoint) -> int:
        """Class number of a point whose record is at hand."""
        labels, canonical, losses = self._quick(point.theta[None])
        label = int(labels[0]) if labels[0] >= 0 else self._slow(point.theta, canonical[0], losses[0])
        return label if label >= 0 else self._found(point)

    def find(self, theta: FloatArray) -> tuple[int, GroupElement] | None:
        """(class, g) with theta = g representative, for one point (P,), or None where no class holds it."""
        loss = float(self._kernel.value(theta[None])[0])
        for label in self._candidates(loss):
            element = self._group.match(self._points[label].theta, theta)
            if element is not None:
                return int(label), element
        return None

    def _found(self, point: StationaryPoint) -> int:
        # Degenerate points come in families, at one loss, of which one member is kept.
        if point.outcome is Outcome.DEGENERATE:
            for label in self._candidates(point.loss):
                kept = self._points[label]
                if (kept.outcome, kept.index, kept.nullity) == (point.outcome, point.index, point.nullity):
                    return int(label)
        self._append(point)
        return len(self._points) - 1

    def _append(self, point: StationaryPoint) -> None:
        self._points.append(point)
        self._losses = np.append(self._losses, point.loss)
        self._canonical = np.vstack((self._canonical, self._group.canonical(point.theta)))

    def _candidates(self, loss: float) -> NDArray[np.intp]:
        return np.flatnonzero(np.abs(self._losses - loss) <= LOSS_TOLERANCE * max(1.0, abs(loss)))

    def _quick(self, theta: FloatArray) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
        """Labels by canonical representative, -1 where none agrees, in a pass over whole arrays."""
        labels = np.full(len(theta), -1)
        if not len(theta):
            return labels, np.empty_like(theta), np.empty(0)
        canonical, losses = self._group.canonical(theta), self._kernel.value(theta)
        slack = LOSS_TOLERANCE * np.maximum(1.0, np.abs(losses))
        points, classes = (np.abs(losses[:, None] - self._losses) <= slack[:, None]).nonzero()
        gap = np.abs(canonical[points] - self._canonical[classes]).max(axis=1, initial=0.0)
        same = gap <= MATCH_TOLERANCE * (1.0 + np.abs(canonical[points]).max(axis=1, initial=0.0))
        # A point that two classes would take goes to the first: the last to be written.
        labels[points[same][::-1]] = classes[same][::-1]
        return labels, canonical, losses

    def _slow(self, theta: FloatArray, canonical: FloatArray, loss: float) -> int:
        for label in self._candidates(loss):
            slack = MATCH_TOLERANCE * (1.0 + np.abs(theta).max())
            if np.abs(canonical - self._canonical[label]).max() <= slack:
                return int(label)
            if self._group.match(self._points[label].theta, theta) is not None:
                return int(label)
        return -1
