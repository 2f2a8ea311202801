"""The largest ball of inputs around a sample in which a network's label cannot change: branch and bound in Arb.

With c the label at the sample and margins m_i(x) = z_i(x) - z_c(x), i != c, the label is c where every margin is
negative. The radius is the least distance to a point where one is not. Boxes of inputs wait in the order of their least
distance to the sample. A box is dropped when all margins are proved negative on it, by their range over the box or by
the mean value form m(centre) + dm/dx(box) (x - centre); otherwise it is halved. A centre at which a margin is proved
positive bounds the radius from above. The first box that waits bounds it from below: the search ends when the two
bounds differ by less than the tolerance.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np
from flint import arb

from symland.program.algebra import run
from symland.program.balls import evaluate_balls, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.program.ir import Program
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["Norm", "RobustRadius", "RobustSearch"]

BITS = 64
"""Working precision."""

FARTHEST = 1e6
"""Half edge of the cube of inputs that is searched, in units of 1 + the largest input."""

TOLERANCE = 1e-3
"""Largest difference of the two bounds, in units of the upper one."""

MOST_BOXES = 4_000
"""Boxes examined for one radius."""

DIRECTIONS = 256
"""Directions in which a change of the label is looked for first."""

STEPS = 160
"""Distances tried in each, in geometric progression."""

BISECTIONS = 40
"""Halvings between a point of the label and one beyond."""

DESCENTS = 30
"""Steps of the search for the nearest point of the boundary."""

OUTWARD = (0.0, 1e-12, 1e-9, 1e-6, 1e-4)
"""By how much a point of the boundary is moved outward until the change of label is proved, relative."""

ROUNDING = 1 - 1e-14
"""What a computed distance is multiplied by, so that it is a lower bound."""


class Norm(Enum):
    """How the distance of inputs is measured."""

    MAX = "max"
    EUCLIDEAN = "euclidean"

    def of(self, vector: FloatArray) -> FloatArray:
        """The norm of vectors (..., n)."""
        found: FloatArray = np.abs(vector).max(axis=-1) if self is Norm.MAX else np.sqrt((vector**2).sum(axis=-1))
        return found

    def nearest(self, gradient: FloatArray, height: float) -> FloatArray:
        """The shortest y with gradient . y = height."""
        if self is Norm.MAX:
            return height / np.abs(gradient).sum() * np.sign(gradient)
        return height / (gradient @ gradient) * gradient


@dataclass(frozen=True, kw_only=True)
class RobustRadius:
    """Bounds of the radius: no label changes below `lower`; one does at `witness`, whose distance is at most `upper`.

    Both are infinite where the label is the same all over the cube of FARTHEST. `lower` is 0 where the label is tied
    at the sample itself.
    """

    lower: float
    upper: float
    witness: tuple[float, ...] | None
    boxes: int


class RobustSearch:
    """The search for one stationary point: its parameters are balls, and may be boxes."""

    def __init__(self, spec: LandscapeSpec, theta: Sequence[arb]) -> None:
        self.spec = spec
        self.theta = list(theta)
        self.float_theta = [np.float64(float(t.mid())) for t in theta]
        self._programs: dict[int, Program] = {}

    def radius(
        self,
        sample: Sequence[Fraction],
        label: int,
        norm: Norm,
        *,
        tolerance: float = TOLERANCE,
        most_boxes: int = MOST_BOXES,
    ) -> RobustRadius:
        """Bounds of the radius of the ball around a sample in which the network says `label`."""
        with working_precision(BITS):
            return self._radius(sample, label, norm, tolerance, most_boxes)

    def _program(self, label: int) -> Program:
        """Margins of one sample with a label, and their derivatives by the inputs."""
        if label not in self._programs:
            data = replace(self.spec.data, inputs=self.spec.data.inputs[:1], labels=(label,), values=())
            one = self.spec.with_(data=data)
            self._programs[label] = build_program(one, ("margins", "margins_by_input"))
        return self._programs[label]

    def _radius(
        self, sample: Sequence[Fraction], label: int, norm: Norm, tolerance: float, most_boxes: int
    ) -> RobustRadius:
        program, origin = self._program(label), [exact_ball(v) for v in sample]
        n = len(origin)
        at_sample = self._margins(program, origin)
        if any(not m < 0 for m in at_sample):
            return RobustRadius(lower=0.0, upper=0.0, witness=(0.0,) * n, boxes=1)
        scale = 1 + max(abs(float(v)) for v in sample)
        upper, witness = self._first_witness(program, origin, sample, norm, FARTHEST * scale)
        half = upper if witness is not None else FARTHEST * scale
        heap: list[tuple[float, int, FloatArray, FloatArray]] = [(0.0, 0, np.full(n, -half), np.full(n, half))]
        boxes = 0
        lower = upper
        while heap:
            near, _, low, high = heapq.heappop(heap)
            if near >= upper * (1 - tolerance) or boxes >= most_boxes:
                lower = near
                break
            boxes += 1
            centre = (low + high) / 2
            kept, slopes, proved = self._examine(program, origin, low, high, centre)
            if kept:
                continue
            if proved and (reached := self._reach(norm, centre)) < upper:
                upper, witness = reached, tuple(centre.tolist())
            axis = int(np.argmax(slopes * (high - low))) if np.isfinite(slopes).all() and slopes.any() else -1
            if axis < 0 or (high - low)[axis] < 1e-3 * (high - low).max():
                axis = int(np.argmax(high - low))
            for side in (0, 1):
                a, b = low.copy(), high.copy()
                (b if side == 0 else a)[axis] = centre[axis]
                distance = self._distance(norm, a, b)
                if distance < upper:
                    heapq.heappush(heap, (distance, 2 * boxes + side, a, b))
        if witness is None:
            lower = math.inf if not heap else lower
            return RobustRadius(lower=lower, upper=math.inf, witness=None, boxes=boxes)
        return RobustRadius(lower=min(lower, upper) * ROUNDING, upper=upper, witness=witness, boxes=boxes)

    @staticmethod
    def _distance(norm: Norm, low: FloatArray, high: FloatArray) -> float:
        """A lower bound of the distance of a box from 0."""
        gap = np.maximum(np.maximum(low, -high), 0.0)
        return float(norm.of(gap)) * (1 if norm is Norm.MAX else ROUNDING)

    @staticmethod
    def _reach(norm: Norm, point: FloatArray) -> float:
        """An upper bound of the distance of a point from 0."""
        return float(norm.of(point)) / ROUNDING

    def _margins(self, program: Program, x: list[arb]) -> list[arb]:
        return evaluate_balls(program, self.theta, {"x": x}).by_data["margins"]

    def _examine(
        self, program: Program, origin: list[arb], low: FloatArray, high: FloatArray, centre: FloatArray
    ) -> tuple[bool, FloatArray, bool]:
        """Whether all margins are negative on a box; the sizes of their slopes; whether one is positive at its centre.

        The box is relative to the sample, its ends are exact.
        """
        n = len(origin)
        box = [o + arb(float(a)).union(arb(float(b))) for o, a, b in zip(origin, low, high, strict=True)]
        ran = evaluate_balls(program, self.theta, {"x": box}).by_data
        open_ones = [i for i, m in enumerate(ran["margins"]) if not m < 0]
        if not open_ones:
            return True, np.zeros(n), False
        middle = [arb(float(c)) for c in centre]
        values = self._margins(program, [o + c for o, c in zip(origin, middle, strict=True)])
        away = [arb(float(a)).union(arb(float(b))) - c for a, b, c in zip(low, high, middle, strict=True)]
        slopes, kept = np.zeros(n), True
        for i in open_ones:
            row = ran["margins_by_input"][i * n : (i + 1) * n]
            bound = values[i] + sum((s * w for s, w in zip(row, away, strict=True)), arb(0))
            kept = kept and bool(bound < 0)
            slopes = np.maximum(slopes, [float(s.abs_upper()) for s in row])
        return kept, slopes, any(v > 0 for v in values)

    # -- the first upper bound, in float64; what it finds is proved in Arb ----------------------------------------

    def _float_margins(self, program: Program, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The largest margin (m,) and its slope (m, n) at inputs (m, n)."""
        n = x.shape[1]
        zeros = np.zeros(len(x))
        with np.errstate(all="ignore"):
            ran = run(program, NumpyAlgebra(), self.float_theta, {"x": list(x.T)}).by_data
        margins = np.stack([m + zeros for m in ran["margins"]])
        slopes = np.stack([s + zeros for s in ran["margins_by_input"]]).reshape(len(margins), n, -1)
        top = np.argmax(margins, axis=0)
        rows = np.arange(len(x))
        return margins[top, rows], slopes[top, :, rows]

    def _first_witness(
        self, program: Program, origin: list[arb], sample: Sequence[Fraction], norm: Norm, farthest: float
    ) -> tuple[float, tuple[float, ...] | None]:
        """A point near the boundary at which the label is proved to change, and its distance."""
        x0 = np.array([float(v) for v in sample])
        candidates = self._boundary(program, x0, norm, farthest)
        best, witness = math.inf, None
        for y in candidates:
            if self._reach(norm, y) >= best:
                continue
            for out in OUTWARD:
                point = y * (1 + out)
                distance = self._reach(norm, point)
                if not distance < min(best, farthest):
                    break
                if any(
                    m > 0
                    for m in self._margins(program, [o + arb(float(v)) for o, v in zip(origin, point, strict=True)])
                ):
                    best, witness = distance, tuple(point.tolist())
                    break
        return best, witness

    def _boundary(self, program: Program, x0: FloatArray, norm: Norm, farthest: float) -> list[FloatArray]:
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
        flipped = self._float_margins(program, points.reshape(-1, n))[0].reshape(len(directions), STEPS) > 0
        first = np.argmax(flipped, axis=1)
        crossing = flipped.any(axis=1)
        if not crossing.any():
            return []
        order = np.argsort(np.where(crossing, first, STEPS), kind="stable")[: min(16, int(crossing.sum()))]
        high = steps[first[order]]
        low = np.where(first[order] > 0, steps[first[order] - 1], 0.0)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            beyond = self._float_margins(program, x0 + directions[order] * middle[:, None])[0] > 0
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        found = [d * t for d, t in zip(directions[order], high, strict=True)]
        start = min(found, key=lambda y: float(norm.of(y)))
        return sorted([*found, *self._descend(program, x0, norm, start)], key=lambda y: float(norm.of(y)))

    def _descend(self, program: Program, x0: FloatArray, norm: Norm, y: FloatArray) -> list[FloatArray]:
        """Nearest points of the boundary's tangents, each from the one before."""
        found = []
        for _ in range(DESCENTS):
            margin, slope = self._float_margins(program, (x0 + y)[None])
            g = slope[0]
            if not np.isfinite(g).all() or not g.any():
                break
            following = norm.nearest(g, float(g @ y - margin[0]))
            if not np.isfinite(following).all():
                break
            y = (y + following) / 2
            found.append(y)
            margin, slope = self._float_margins(program, (x0 + y)[None])
            size = float(slope[0] @ slope[0])
            if size > 0:
                found.append(y - float(margin[0]) / size * slope[0])
        return found
