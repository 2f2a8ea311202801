"""A finished search as a tree of cells of (P, gamma), so that each part of it can be proved again by itself.

The search proves that the first box holds no point that is not listed; so does every cell in it.  Cells are cut where
the work was: each is left with one mark, a place at which choices were examined, and so with about as much to prove.
"""

from __future__ import annotations

import numpy as np

from symland.rigor.enumeration.known import NOBODY, KnownPoints
from symland.rigor.enumeration.leaves import SEVERAL, Leaf, Leaves, Reason
from symland.rigor.enumeration.problem import Doubles
from symland.rigor.enumeration.witnesses import Witnesses, meets

__all__ = ["tiled"]

MOST_LEAVES = 200_000
"""Marks are thinned out to about as many."""


def tiled(cell: Doubles, marks: Doubles, witnesses: Witnesses, known: KnownPoints, met: set[int]) -> Leaves:
    """Leaves that tile a cell (2, D + 1), cut at medians of the marks (n, D), named after the points met in them."""
    samples, found = cell.shape[1] - 1, list[Leaf]()
    holders = [w for w in witnesses.all if w.copies & met and meets(w.box, cell)]
    waiting = [(cell, marks[:: max(1, len(marks) // MOST_LEAVES)], holders)]
    while waiting:
        part, inside, holders = waiting.pop()
        cut = _cut(part, inside) if len(inside) > 1 else None
        if cut is None:
            numbers = sorted({int(known.numbers[copy]) for w in holders for copy in w.copies & met})
            holder = NOBODY if not numbers else numbers[0] if len(numbers) == 1 else SEVERAL
            found.append(Leaf(cell=part, reason=Reason.KNOWN if numbers else Reason.JOINT, held_by=holder))
            continue
        axis, middle = cut
        lower, upper = part.copy(), part.copy()
        lower[1, axis] = upper[0, axis] = middle
        below = inside[:, axis] < middle
        waiting += [
            (half, inside[marked], [w for w in holders if meets(w.box, half)])
            for half, marked in ((lower, below), (upper, ~below))
        ]
    return Leaves.of(found, samples)


def _cut(cell: Doubles, marks: Doubles) -> tuple[int, float] | None:
    """The axis along which the marks are farthest apart, and their median there; None where no cut parts them."""
    axis = int((marks.max(axis=0) - marks.min(axis=0)).argmax())
    order = np.sort(marks[:, axis])
    middle = float(order[len(order) // 2])
    if middle == order[0]:
        middle = float(np.nextafter(middle, np.inf))
    if order[-1] < middle or not cell[0, axis] < middle < cell[1, axis]:
        return None
    return axis, middle
