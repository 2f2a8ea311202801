"""The points of the list: each is proved, any two are proved different, and a point that is not there is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from flint import arb, ctx

from symland.records import Verdict
from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import Fields, near_inverse
from symland.rigor.enumeration_check.follow import Listed
from symland.rigor.enumeration_check.joint import gradient, hessian
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, krawczyk, residuals
from symland.rigor.strict import need

__all__ = ["Proved", "copies", "find_unlisted", "listed", "prove_points", "residuals_of"]

RADII = tuple(2.0**-k for k in range(44, 20, -4))
"""Half edges (weights) of cubes in which a point is looked for, one after the other."""
NEWTON_STEPS = 60
LED_STEPS = 45
"""Steps of Newton's method, and how many of the first are led to an index, ..."""
INDICES = (None, 0, 1, 2)
"""... each of these, or none: Newton's method by itself finds few minima."""
SOFTEST = 1e-3
"""Least size of an eigenvalue that a led step divides by."""
LONGEST_STEP = 0.5
"""Largest change of a weight in one step of Newton's method."""
SETTLED = 1e-9
"""Gradient (of Psi) at which a point is worth a proof."""
ZERO_NODE = 1e-7
"""Largest weight of a node that is taken for the zero node when a point is looked for."""
SAME = 1e-8
"""Distance (weights) from a point of the list within which none is looked for, unless the cube of that is larger."""


@dataclass(frozen=True, kw_only=True)
class Proved:
    """Exactly one stationary point of Psi with these nodes lies within ``radius`` of ``point`` in every coordinate.

    Attributes
    ----------
    point : z, the nodes that are not zero only, every v >= 0.
    radius : half edge of the cube.
    number : its place in the list.
    """

    point: Point
    radius: float
    number: int

    def nodes(self, width: int) -> int:
        """Nodes that are not zero."""
        return (len(self.point) - 1) // (width + 1)


def without_zeros(point: Sequence[float], width: int) -> Point:
    """z without its zero nodes, the others turned so that v >= 0."""
    out: list[float] = []
    for at in range(0, len(point) - 1, width + 1):
        node = point[at : at + width + 1]
        if any(node):
            out += [-x for x in node] if node[width] < 0.0 else node
    return (*out, point[-1])


def _proved(question: Question, point: Point, number: int) -> Proved | None:
    for radius in RADII:
        if krawczyk(question, point, radius):
            return Proved(point=point, radius=radius, number=number)
    return None


def _padded(point: Point, width: int, nodes: int) -> Point:
    return (*point[:-1], *[0.0] * ((width + 1) * nodes - len(point) + 1), point[-1])


def copies(question: Question, point: Point) -> Iterator[Point]:
    """The images of z under the automorphisms of the data, nodes in the order in which they come."""
    yield from {element.image(point, question.width) for element in question.group}


def _orders(point: Point, width: int) -> Iterator[Point]:
    nodes = [point[at : at + width + 1] for at in range(0, len(point) - 1, width + 1)]
    for order in set(permutations(nodes)):
        yield (*(x for node in order for x in node), point[-1])


def listed(question: Question, proved: Iterable[Proved], nodes: int) -> Listed:
    """The points with at most so many nodes, zero nodes added, in all orders, with all their images."""
    width, rows = question.width, {}
    for one in proved:
        if one.nodes(width) <= nodes:
            for image in copies(question, one.point):
                rows.update(dict.fromkeys(_orders(_padded(image, width, nodes), width), one.radius))
    shape = (len(rows), nodes * (width + 1) + 1)
    return Listed(np.array(list(rows)).reshape(shape), np.array(list(rows.values())))


def _apart(question: Question, one: Proved, other: Proved) -> bool:
    """Whether no image of one point's cube meets the other's, whatever the order of the nodes and their signs."""
    width = question.width
    table = listed(question, [one], question.nodes).centres
    # A node whose v may be 0 may stand for its opposite, too.
    target = np.array(_padded(other.point, width, question.nodes))
    node = target[:-1].reshape(question.nodes, width + 1)
    images = table[:, :-1].reshape(len(table), question.nodes, width + 1)
    distance = np.minimum(np.abs(images - node).max(axis=2), np.abs(images + node).max(axis=2)).max(axis=1)
    distance = np.maximum(distance, np.abs(table[:, -1] - target[-1]))
    # The rounding of the differences is far less than a tenth of the radii.
    return bool((distance > 1.1 * (one.radius + other.radius)).all())


def prove_points(question: Question, points: Sequence[Point]) -> tuple[Proved, ...]:
    """Prove each point of a list, and that no two of them are one.

    Raises
    ------
    Refusal
        REFUTED if two are the same up to symmetry or to the radii, UNDECIDED if one is not proved.
    """
    out: list[Proved] = []
    for number, point in enumerate(points):
        found = _proved(question, without_zeros(point, question.width), number)
        need(found is not None, f"point {number} is not proved to be stationary", Verdict.UNDECIDED)
        assert found is not None
        for other in out:
            need(_apart(question, other, found), f"points {other.number} and {number} are one point, or too near")
        out.append(found)
    return tuple(out)


def residuals_of(question: Question, point: Point, radius: float) -> list[arb]:
    """(P, g) over the cube of a proved point."""
    before, ctx.prec = ctx.prec, PRECISION
    try:
        z = [arb(x, radius) for x in point]
        return [*residuals(question, z), z[-1]]
    finally:
        ctx.prec = before


def _step(curve: Doubles, slope: Doubles, index: int | None) -> Doubles:
    """Newton's step, or that towards points of an index: up along so many eigenvectors, down along the others."""
    if index is None:
        return (near_inverse(curve) @ slope[:, :, None])[:, :, 0]
    size, along = np.linalg.eigh(curve)
    share = np.where(np.arange(size.shape[1]) < index, -1.0, 1.0) / np.maximum(np.abs(size), SOFTEST)
    step: Doubles = (along @ (share[:, :, None] * (np.swapaxes(along, 1, 2) @ slope[:, :, None])))[:, :, 0]
    return step


def _newton(fields: Fields, z: Doubles, index: int | None) -> Doubles:
    """Points near which Newton's method comes to rest, from each of z (k, size) and led to an index; no claim."""
    rest = [z[:0]]
    with np.errstate(all="ignore"):
        for number in range(NEWTON_STEPS):
            slope = gradient(fields, z).mid
            settled = np.abs(slope).max(axis=1) < SETTLED
            rest.append(z[settled])
            z, slope = z[~settled], slope[~settled]
            curve = np.nan_to_num(hessian(fields, Balls.exact(z)).mid)
            step = _step(curve, slope, index if number < LED_STEPS else None)
            size = np.abs(step).max(axis=1, keepdims=True)
            z = z - step * np.minimum(1.0, LONGEST_STEP / np.maximum(size, LONGEST_STEP))
            z = np.where(np.isfinite(z) & (np.abs(z) < 1e3), z, 0.0)
        z = np.concatenate(rest)
        # One step more makes all of them sharp.
        found: Doubles = z - _step(hessian(fields, Balls.exact(z)).mid, gradient(fields, z).mid, None)
    return found


def find_unlisted(question: Question, proved: Sequence[Proved], nodes: int, starts: Doubles) -> Proved | None:
    """A proved point that is not in the list, if Newton's method finds one from ``starts`` (k, size)."""
    width, known = question.width, listed(question, proved, nodes)
    for index in INDICES if len(starts) else ():
        for z in _newton(Fields(question, nodes), starts, index):
            table = z[:-1].reshape(nodes, width + 1)
            table[np.abs(table).max(axis=1) < ZERO_NODE] = 0.0
            point = without_zeros((*table.ravel().tolist(), float(z[-1])), width)
            away = np.abs(known.centres - np.array(_padded(point, width, nodes))).max(axis=1)
            if (away < np.maximum(known.radii, SAME)).any():
                continue
            found = _proved(question, point, -1)
            if found is not None and all(_apart(question, one, found) for one in proved):
                return found
    return None
