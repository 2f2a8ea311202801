"""The points in the middle of a slab: existence, differences, indices and labelled copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from flint import arb, arb_mat, ctx

from symland.records import Verdict
from symland.rigor.enumeration_check.points import prove_points
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, hessian, krawczyk
from symland.rigor.strict import need

__all__ = ["AtKappa", "Counted", "count_points", "index_of", "labelled"]

WIDER = tuple(2.0**-k for k in range(6, 24, 2))
"""Half edges of cubes in which a point is alone: an image that lies in one is the point itself."""


@dataclass(frozen=True, kw_only=True)
class AtKappa(Question):
    """The question with another kappa, which may be a ball. ``penalty`` is the least that it stands for."""

    value: arb

    @property
    def kappa(self) -> arb:
        return self.value

    @staticmethod
    def of(question: Question, value: arb) -> AtKappa:
        return AtKappa(
            design=question.design,
            signs=question.signs,
            penalty=question.penalty,
            nodes=question.nodes,
            group=question.group,
            value=value,
        )


@dataclass(frozen=True)
class Counted:
    """Classes and labelled copies by index."""

    counts: tuple[int, ...]
    copies: tuple[int, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """Of the classes, in order."""
        return tuple(k for k, n in enumerate(self.counts) for _ in range(n))


def index_of(question: Question, box: Sequence[arb]) -> int | None:
    """Negative eigenvalues of the Hessian all over a box; None where its discs hold zero.

    V^T H V has the signs of H (Sylvester), and with approximate eigenvectors V it is nearly diagonal.
    """
    before, ctx.prec = ctx.prec, PRECISION
    try:
        over = hessian(question, box)
        values = np.array([[float(x.mid()) for x in row] for row in over.tolist()])
        vectors = arb_mat(np.linalg.eigh((values + values.T) / 2)[1].tolist())
        rows = (vectors.transpose() * over * vectors).tolist()
        if vectors.det().contains(0):
            return None
        negative = 0
        for i, row in enumerate(rows):
            rest = sum((abs(x) for k, x in enumerate(row) if k != i), arb(0))
            if row[i] + rest < 0:
                negative += 1
            elif not row[i] - rest > 0:
                return None
        return negative
    finally:
        ctx.prec = before


def labelled(question: Question, point: Point) -> Iterator[Point]:
    """All images of z: automorphisms of the data, orders of the nodes, signs of the nodes."""
    m1 = question.width + 1
    for element in question.group:
        moved = []
        for at in range(0, len(point) - 1, m1):
            node = [0.0] * m1
            for k, (place, sign) in enumerate(zip(element.places, element.signs, strict=True)):
                node[place] = sign * point[at + k]
            node[-1] = element.sign * point[at + m1 - 1]
            moved.append(node)
        for order in permutations(moved):
            for flips in product((1, -1), repeat=len(moved)):
                yield (*(f * x for f, node in zip(flips, order, strict=True) for x in node), element.sign * point[-1])


def _copies(question: Question, point: Point, radius: float) -> int | None:
    """Labelled copies of a proved point; None where that is not decided."""
    alone = next((r for r in WIDER if krawczyk(question, point, r)), radius)
    fixed = total = 0
    for image in labelled(question, point):
        total += 1
        distance = max(abs(a - b) for a, b in zip(image, point, strict=True))
        if distance + 1.1 * radius < alone:
            fixed += 1
        elif not distance > 2.2 * radius:
            return None
    return total // fixed


def count_points(question: Question, points: Sequence[Point]) -> Counted:
    """Prove the points of a list, that they are different, and count them.

    Raises
    ------
    Refusal
        REFUTED where two are one, UNDECIDED where something cannot be proved.
    """
    proved = prove_points(question, points)
    rows: dict[int, list[int]] = {}
    for one, given in zip(proved, points, strict=True):
        index = index_of(question, [arb(x, one.radius) for x in given])
        need(index is not None, f"the index of point {one.number} is not decided", Verdict.UNDECIDED)
        copies = _copies(question, tuple(given), one.radius)
        need(copies is not None, f"the copies of point {one.number} are not decided", Verdict.UNDECIDED)
        assert index is not None
        assert copies is not None
        rows.setdefault(index, []).append(copies)
    size = 1 + max(rows, default=-1)
    return Counted(
        counts=tuple(len(rows.get(k, ())) for k in range(size)), copies=tuple(sum(rows.get(k, ())) for k in range(size))
    )
