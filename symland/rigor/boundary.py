"""Where a network's label changes near a sample, in float64: points on the boundary of its label, the nearest first."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from symland.program.algebra import run
from symland.program.floats import NumpyAlgebra
from symland.program.ir import Program
from symland.records import FloatArray

__all__ = ["FARTHEST", "Boundary", "Norm"]

FARTHEST = 1e6
"""Half edge of the cube of inputs that is searched, in units of 1 + the largest input."""

DIRECTIONS = 64
"""Directions in which a change of the label is looked for first."""

STEPS = 160
"""Distances tried in each, in geometric progression."""

BISECTIONS = 40
"""Halvings between a point of the label and one beyond."""

DESCENTS = 30
"""Steps of the search for the nearest point of the boundary."""

MOST_CROSSINGS = 16
"""Directions that are kept: those in which the label changes first."""


class Norm(Enum):
    """How the distance of inputs is measured."""

    MAX = "max"
    EUCLIDEAN = "euclidean"

    def of(self, vector: FloatArray) -> FloatArray:
        """The norm of vectors (..., n)."""
        found: FloatArray = np.abs(vector).max(axis=-1) if self is Norm.MAX else np.sqrt((vector**2).sum(axis=-1))
        return found

    def nearest(self, gradient: FloatArray, height: FloatArray) -> FloatArray:
        """The shortest y (m, n) with gradient . y = height (m,)."""
        if self is Norm.MAX:
            return np.asarray((height / np.abs(gradient).sum(axis=1))[:, None] * np.sign(gradient))
        return np.asarray((height / np.einsum("mn,mn->m", gradient, gradient))[:, None] * gradient)


class Boundary:
    """The largest margin of the other labels over one label, as a function of the input."""

    def __init__(self, program: Program, theta: Sequence[np.float64]) -> None:
        self._program = program
        self._theta = list(theta)

    def margins(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The largest margin (m,), positive where the label is another, and its slope (m, n) at inputs (m, n)."""
        n = x.shape[1]
        zeros = np.zeros(len(x))
        with np.errstate(all="ignore"):
            ran = run(self._program, NumpyAlgebra(), self._theta, {"x": list(x.T)}).by_data
        margins = np.stack([m + zeros for m in ran["margins"]])
        slopes = np.stack([s + zeros for s in ran["margins_by_input"]]).reshape(len(margins), n, -1)
        top = np.argmax(margins, axis=0)
        rows = np.arange(len(x))
        return margins[top, rows], slopes[top, :, rows]

    def crossings(self, x0: FloatArray, ends: FloatArray) -> FloatArray:
        """The first points beyond the boundary on the way from samples (m, n) to points x0 + ends (m, n) beyond it."""
        low, high = np.zeros(len(ends)), np.ones(len(ends))
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            beyond = self.margins(x0 + ends * middle[:, None])[0] > 0
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return ends * high[:, None]

    def near(self, x0: FloatArray, norm: Norm, farthest: FloatArray) -> list[FloatArray]:
        """For each sample (m, n) points y (k, n) with x0 + y on the boundary within a distance; the nearest first."""
        count, n = x0.shape
        ends, owner = [], []
        for number in range(count):
            found = self._first(x0[number], norm, float(farthest[number]))
            ends.append(found)
            owner += [number] * len(found)
        places = np.array(owner, dtype=np.intp)
        crossed = self.crossings(x0[places], np.concatenate(ends)) if len(places) else np.empty((0, n))
        starts = [crossed[places == number] for number in range(count)]
        begun = [number for number in range(count) if len(starts[number])]
        nearest = np.array([min(starts[k], key=lambda y: float(norm.of(y))) for k in begun]).reshape(-1, n)
        descended = self._descend(x0[begun], norm, nearest)
        result = starts
        for row, number in enumerate(begun):
            points = np.concatenate([starts[number], descended[:, row]])
            points = points[np.isfinite(points).all(axis=1)]
            result[number] = points[np.argsort(norm.of(points), kind="stable")]
        return result

    def _first(self, x0: FloatArray, norm: Norm, farthest: float) -> FloatArray:
        """Points y (k, n) beyond the boundary, in the directions in which it is met first."""
        n = len(x0)
        if n == 1:
            directions = np.array([[1.0], [-1.0]])
        elif n == 2:
            angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
            directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        else:
            directions = np.random.default_rng(0).normal(size=(DIRECTIONS, n))
        directions = directions / norm.of(directions)[:, None]
        steps = np.geomspace(1e-6 * farthest / FARTHEST, farthest, STEPS)
        points = x0 + directions[:, None, :] * steps[None, :, None]
        flipped = self.margins(points.reshape(-1, n))[0].reshape(len(directions), STEPS) > 0
        first = np.argmax(flipped, axis=1)
        crossing = flipped.any(axis=1)
        order = np.argsort(np.where(crossing, first, STEPS), kind="stable")[: min(MOST_CROSSINGS, int(crossing.sum()))]
        return np.asarray(directions[order] * steps[first[order]][:, None])

    def _descend(self, x0: FloatArray, norm: Norm, y: FloatArray) -> FloatArray:
        """Nearest points of the boundary's tangents (steps, m, n), each from the one before; nan where none is."""
        if not len(y):
            return np.empty((0, *x0.shape))
        found = []
        for _ in range(DESCENTS):
            margin, g = self.margins(x0 + y)
            with np.errstate(all="ignore"):
                following = norm.nearest(g, np.einsum("mn,mn->m", g, y) - margin)
                y = (y + following) / 2
                found.append(y)
                margin, g = self.margins(x0 + y)
                found.append(y - (margin / np.einsum("mn,mn->m", g, g))[:, None] * g)
        return np.array(found).reshape(-1, *x0.shape)
