"""The largest ball of inputs around a sample in which a network's label cannot change: branch and bound.

With c the label at the sample and margins m_i(x) = z_i(x) - z_c(x), i != c, the label is c where every margin is
negative. The radius is the least distance to a point where one is not. A point at which a margin is proved positive in
Arb bounds it from above by R; a search over the ball B of radius rho = R (1 - tolerance) then bounds it from below.

B is cut into boxes. With c the centre of a box X, s any vector, best the middle of the slopes' range over X, and e the
largest distance of that range from s in each component,

    m(y) <= m(c) + s . (y - c) + sum_k e_k |y_k - c_k|   for y in X.

In the max norm the linear part is largest at a corner of X, as X is a part of B. In the Euclidean norm it is bounded
over X and B together by Lagrange's duality: for every mu > 0

    max { s . y : y in X, |y| <= rho } <= sum_k max { s_k y_k - mu y_k^2 / 2 : y_k in X_k } + mu rho^2 / 2.

A box on which all margins are bounded below zero is dropped. From the others the point that the bound takes for the
worst is looked at: where a margin is positive there, the boundary on the way to it bounds R anew. Then they are halved
where the slopes vary most. All boxes of all samples with one label are examined together, in outward-rounded float64
(`symland.rigor.lane_algebra`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from symland.program.algebra import run
from symland.program.balls import evaluate_balls, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.program.needed import needed
from symland.records import FloatArray
from symland.rigor.boundary import FARTHEST, Boundary, Norm
from symland.rigor.enumeration.lanes import Interval, above
from symland.rigor.lane_algebra import LaneAlgebra, interval_of
from symland.spec import LandscapeSpec

__all__ = ["Norm", "RobustRadius", "RobustSearch"]

BITS = 64
"""Working precision of the proof that a label changes."""

TOLERANCE = 1e-3
"""Largest difference of the two bounds, in units of the upper one."""

MOST_BOXES = 40_000
"""Boxes examined for one radius."""

TOGETHER = 4096
"""Boxes examined at once."""

OUTWARD = (0.0, 1e-12, 1e-9, 1e-6, 1e-4)
"""By how much a point of the boundary is moved outward until the change of label is proved, relative."""

ROUNDING = 1 - 1e-14
"""What a computed distance is multiplied by, so that it is a lower bound."""

EDGE = 1e-12
"""Relative distance from the ends of an edge within which a stationary point counts as inside."""

HALVINGS = 30
"""Steps of the search for Lagrange's mu."""

THINNEST = 1e-3
"""The edge that is halved has at least this share of the longest edge."""

IntArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class RobustRadius:
    """Bounds of the radius: no label changes below `lower`; one does at `witness`, whose distance is at most `upper`.

    Both are infinite where the label is the same all over the cube of FARTHEST. `lower` is 0 where the label is tied
    at the sample itself. Where more than MOST_BOXES boxes are needed `lower` is what was reached.
    """

    lower: float
    upper: float
    witness: tuple[float, ...] | None
    boxes: int


@dataclass(kw_only=True, eq=False)
class _Ball:
    """One sample: where the search over its ball stands."""

    number: int
    origin: list[arb]
    near: FloatArray
    half: float
    upper: float
    witness: tuple[float, ...] | None
    boxes: int = 0
    open: float = math.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class _Boxes:
    """Boxes (B, n) relative to their samples, and the number of each one's sample in the group."""

    low: FloatArray
    high: FloatArray
    owner: IntArray

    def only(self, chosen: Any) -> _Boxes:
        return _Boxes(low=self.low[chosen], high=self.high[chosen], owner=self.owner[chosen])


class RobustSearch:
    """The search for one stationary point: its parameters are balls, and may be boxes."""

    def __init__(self, spec: LandscapeSpec, theta: Sequence[arb]) -> None:
        self.spec = spec
        self.theta = list(theta)
        self._algebra = LaneAlgebra()
        self._lanes = [interval_of(t) for t in theta]
        self._programs: dict[tuple[int, bool], Program] = {}

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
        return self.radii([sample], [label], norm, tolerance=tolerance, most_boxes=most_boxes)[0]

    def radii(
        self,
        samples: Sequence[Sequence[Fraction]],
        labels: Sequence[int],
        norm: Norm,
        *,
        tolerance: float = TOLERANCE,
        most_boxes: int = MOST_BOXES,
    ) -> list[RobustRadius]:
        """Bounds of the radii around several samples, each with the label that the network says there."""
        found: dict[int, RobustRadius] = {}
        with working_precision(BITS), np.errstate(all="ignore"):
            for label in sorted(set(labels)):
                numbers = [k for k, other in enumerate(labels) if other == label]
                group = _Group(self, label, norm, tolerance, most_boxes)
                found |= group.search(numbers, [samples[k] for k in numbers])
        return [found[k] for k in range(len(samples))]

    def program(self, label: int, slopes: bool) -> Program:
        """Margins of one sample with a label, and their derivatives by the inputs."""
        key = label, slopes
        if key not in self._programs:
            data = replace(self.spec.data, inputs=self.spec.data.inputs[:1], labels=(label,), values=())
            wanted = ("margins", "margins_by_input") if slopes else ("margins",)
            self._programs[key] = needed(build_program(self.spec.with_(data=data), wanted))
        return self._programs[key]

    def lanes(self, program: Program, x: list[Interval]) -> dict[str, list[Interval]]:
        """The program's outputs over boxes of inputs."""
        return run(program, self._algebra, self._lanes, {"x": x}).by_data


class _Group:
    """All samples with one label."""

    def __init__(self, search: RobustSearch, label: int, norm: Norm, tolerance: float, most_boxes: int) -> None:
        self.search_of, self.norm, self.tolerance, self.most_boxes = search, norm, tolerance, most_boxes
        self.slopes, self.values = search.program(label, True), search.program(label, False)
        self.boundary = Boundary(self.slopes, [np.float64(float(t.mid())) for t in search.theta])
        self.balls: list[_Ball] = []

    def search(self, numbers: Sequence[int], samples: Sequence[Sequence[Fraction]]) -> dict[int, RobustRadius]:
        """The radii by the numbers of the samples."""
        found: dict[int, RobustRadius] = {}
        for number, sample in zip(numbers, samples, strict=True):
            origin = [exact_ball(v) for v in sample]
            if any(not m < 0 for m in self._margins(origin)):
                zero = (0.0,) * len(origin)
                found[number] = RobustRadius(lower=0.0, upper=0.0, witness=zero, boxes=1)
                continue
            near = np.array([float(v) for v in sample])
            half = FARTHEST * (1 + float(np.abs(near).max()))
            self.balls.append(_Ball(number=number, origin=origin, near=near, half=half, upper=math.inf, witness=None))
        if self.balls:
            places = np.stack([ball.near for ball in self.balls])
            found_near = self.boundary.near(places, self.norm, np.array([ball.half for ball in self.balls]))
            for ball, points in zip(self.balls, found_near, strict=True):
                for y in points:
                    self._try(ball, y)
            self._starts = [
                interval_of_column([ball.origin[k] for ball in self.balls]) for k in range(len(self.balls[0].origin))
            ]
            waiting = self._first()
            while len(waiting.owner):
                waiting = self._round(waiting)
        for ball in self.balls:
            found[ball.number] = self._result(ball)
        return found

    def _rho(self, ball: _Ball) -> float:
        """The radius of the ball that is searched."""
        return ball.half if ball.witness is None else min(ball.half, ball.upper * (1 - self.tolerance))

    def _result(self, ball: _Ball) -> RobustRadius:
        if ball.witness is None:
            return RobustRadius(lower=ball.open, upper=math.inf, witness=None, boxes=ball.boxes)
        lower = min(self._rho(ball), ball.open) * ROUNDING
        return RobustRadius(lower=lower, upper=ball.upper, witness=ball.witness, boxes=ball.boxes)

    # -- upper bounds ---------------------------------------------------------------------------------------------

    def _margins(self, x: list[arb]) -> list[arb]:
        return evaluate_balls(self.values, self.search_of.theta, {"x": x}).by_data["margins"]

    def _try(self, ball: _Ball, y: FloatArray) -> None:
        """Bound the radius from above by a point near the boundary, where the change of label is proved."""
        for out in OUTWARD:
            point = y * (1 + out)
            # An upper bound of the distance.
            distance = float(self.norm.of(point)) / ROUNDING
            if not distance < min(ball.upper, ball.half):
                return
            place = [o + arb(float(v)) for o, v in zip(ball.origin, point, strict=True)]
            if any(m > 0 for m in self._margins(place)):
                ball.upper, ball.witness = distance, tuple(point.tolist())
                return

    # -- the lower bound ------------------------------------------------------------------------------------------

    def _first(self) -> _Boxes:
        reach = np.array([[self._rho(ball)] * len(ball.near) for ball in self.balls])
        return _Boxes(low=-reach, high=reach, owner=np.arange(len(self.balls)))

    def _round(self, waiting: _Boxes) -> _Boxes:
        """Examine all boxes; return the halves of those that are left and within the balls."""
        left: list[_Boxes] = []
        for boxes in _parts(waiting):
            left += self._examine(boxes)
        if not left:
            return waiting.only(slice(0))
        halves = _Boxes(
            low=np.concatenate([b.low for b in left]),
            high=np.concatenate([b.high for b in left]),
            owner=np.concatenate([b.owner for b in left]),
        )
        distance, rho = self._distance(halves), np.array([self._rho(ball) for ball in self.balls])
        inside = distance < rho[halves.owner]
        for number, ball in enumerate(self.balls):
            mine = inside & (halves.owner == number)
            if ball.boxes + int(mine.sum()) > self.most_boxes:
                ball.open = min(ball.open, float(distance[mine].min()))
                inside &= ~mine
        return halves.only(inside)

    def _distance(self, boxes: _Boxes) -> FloatArray:
        """Lower bounds of the distances of boxes from their samples."""
        return self.norm.of(np.maximum(np.maximum(boxes.low, -boxes.high), 0.0)) * ROUNDING

    def _examine(self, boxes: _Boxes) -> list[_Boxes]:
        low, high, owner = boxes.low, boxes.high, boxes.owner
        for number, count in zip(*np.unique(owner, return_counts=True), strict=True):
            self.balls[number].boxes += int(count)
        n, centre = low.shape[1], (low + high) / 2
        origin = [Interval(x.lo[owner], x.hi[owner]) for x in self._starts]
        ran = self.search_of.lanes(self.slopes, [o + Interval(low[:, k], high[:, k]) for k, o in enumerate(origin)])
        at = self.search_of.lanes(self.values, [o + Interval.point(centre[:, k]) for k, o in enumerate(origin)])
        rho = np.array([self._rho(ball) for ball in self.balls])[owner]
        zero = np.zeros(len(owner))
        left, spread, worst = np.zeros(len(owner), dtype=bool), np.zeros((len(owner), n)), centre.copy()
        highest = np.full(len(owner), -np.inf)
        for i, (whole, value) in enumerate(zip(ran["margins"], at["margins"], strict=True)):
            slopes = ran["margins_by_input"][i * n : (i + 1) * n]
            s = np.stack([zero + x.middle() for x in slopes], axis=1)
            e = np.stack([above(np.maximum(x.hi - s[:, k], s[:, k] - x.lo)) for k, x in enumerate(slopes)], axis=1)
            reach, place = self._reach(s, boxes, centre, rho)
            wide = above(np.maximum(high - centre, centre - low))
            bound = _sum_above([value.hi + zero, reach, *above(e * wide).T])
            # What is not a number is not below zero.
            bad = ~((zero + whole.hi < 0) | (bound < 0))
            left |= bad
            spread = np.maximum(spread, np.where(bad[:, None] & np.isfinite(e), e * wide, 0.0))
            higher = bad & (np.nan_to_num(bound, nan=np.inf) > highest)
            worst[higher] = np.where(np.isfinite(place[higher]), place[higher], centre[higher])
            highest[higher] = np.nan_to_num(bound[higher], nan=np.inf)
        if not left.any():
            return []
        self._witnesses(worst[left], owner[left])
        return _halved(boxes.only(left), spread[left])

    def _reach(
        self, s: FloatArray, boxes: _Boxes, centre: FloatArray, rho: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Upper bounds of s . (y - c) over each box and its ball, and points at which it is about so large."""
        low, high = boxes.low, boxes.high
        corner = np.where(s > 0, high, low)
        best = _sum_above([_product_above(s[:, k], corner[:, k], centre[:, k]) for k in range(s.shape[1])])
        if self.norm is Norm.MAX:
            return best, corner
        size = np.sqrt((s * s).sum(axis=1))
        # |clip(s / mu)| falls as mu grows; any mu is allowed.
        first = np.where(size > 0, size, 1.0) / rho
        lower, upper = np.log(first) - 20.0, np.log(first) + 20.0
        for _ in range(HALVINGS):
            middle = (lower + upper) / 2
            y = np.clip(s / np.exp(middle)[:, None], low, high)
            outside = (y * y).sum(axis=1) > rho * rho
            lower, upper = np.where(outside, middle, lower), np.where(outside, upper, middle)
        mu = np.exp(upper)
        t = s / mu[:, None]
        slack = EDGE * (np.abs(low) + np.abs(high))
        inside = (t >= low - slack) & (t <= high + slack)
        total = Interval.point(mu).scaled(0.5) * Interval.point(rho) * Interval.point(rho)
        for k in range(s.shape[1]):
            slope, half = Interval.point(s[:, k]), Interval.point(mu).scaled(0.5)
            free = (slope * slope).over_positive(Interval.point(mu)).scaled(0.5)
            ends = [slope * Interval.point(y) - half * Interval.point(y).square() for y in (low[:, k], high[:, k])]
            top = np.where(inside[:, k], free.hi, np.maximum(ends[0].hi, ends[1].hi))
            total = total + Interval.point(top) - slope * Interval.point(centre[:, k])
        dual = np.where(np.isfinite(total.hi), total.hi, np.inf)
        within = dual < best
        return np.where(within, dual, best), np.where(within[:, None], np.clip(t, low, high), corner)

    def _witnesses(self, points: FloatArray, owner: IntArray) -> None:
        """Look for nearer changes of the label on the way to the worst points of boxes."""
        near = np.stack([ball.near for ball in self.balls])[owner]
        beyond = self.boundary.margins(near + points)[0] > 0
        for number in np.unique(owner[beyond]):
            ball = self.balls[number]
            mine = points[beyond & (owner == number)]
            crossed = self.boundary.crossings(np.broadcast_to(ball.near, mine.shape), mine)
            self._try(ball, crossed[int(np.argmin(self.norm.of(crossed)))])


def interval_of_column(balls: Sequence[arb]) -> Interval:
    """Balls as the lanes of one interval."""
    ends = [interval_of(ball) for ball in balls]
    return Interval(np.array([x.lo for x in ends]), np.array([x.hi for x in ends]))


def _parts(boxes: _Boxes) -> Iterator[_Boxes]:
    for start in range(0, len(boxes.owner), TOGETHER):
        yield boxes.only(slice(start, start + TOGETHER))


def _product_above(s: FloatArray, end: FloatArray, centre: FloatArray) -> FloatArray:
    """An upper bound of s (end - centre)."""
    away = Interval.point(end) - Interval.point(centre)
    return np.asarray((Interval.point(s) * away).hi)


def _sum_above(terms: Sequence[FloatArray]) -> FloatArray:
    """An upper bound of a sum."""
    total = terms[0]
    for term in terms[1:]:
        total = above(total + term)
    return total


def _halved(boxes: _Boxes, spread: FloatArray) -> list[_Boxes]:
    """Both halves of each box, cut where the slopes vary most."""
    width = boxes.high - boxes.low
    longest = width.max(axis=1, keepdims=True)
    axis = np.argmax(np.where(width >= THINNEST * longest, spread, -1.0), axis=1)
    flat = ~(spread.max(axis=1) > 0)
    axis[flat] = np.argmax(width[flat], axis=1)
    rows = np.arange(len(axis))
    middle = (boxes.low[rows, axis] + boxes.high[rows, axis]) / 2
    high, low = boxes.high.copy(), boxes.low.copy()
    high[rows, axis], low[rows, axis] = middle, middle
    return [
        _Boxes(low=boxes.low, high=high, owner=boxes.owner),
        _Boxes(low=low, high=boxes.high, owner=boxes.owner),
    ]
