"""How many classes the tubes prove for every parameter of an interval.

On a sheet the Hessian is nonsingular at every point, so each sheet is a smooth graph over lambda, and so is every image
of it under the symmetry group. Take two of these graphs over one interval. Where they meet they coincide nearby,
because the point is isolated. So the set of lambda at which they coincide is open, and closed too: it is everything or
empty. It is therefore enough to tell all images apart at *one* lambda of the interval. Then the points of all sheets
that span the interval belong to different classes, with the same number of copies, at all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from symland.families.diagram import Diagram
from symland.families.spaces import closure
from symland.families.tubes import Sheet
from symland.program.balls import working_precision
from symland.records import FloatArray
from symland.rigor.tube import FINE_BITS

__all__ = ["Count", "Persisting"]

APART = 1e-5
"""Largest difference of two points' coordinates from which they are told apart: far above radii and rounding."""

NARROW = 1e-6
"""Radius of a box up to which it is taken for its middle in that test."""

EDGE = 1e-2
"""Part of an interval at each end that a sheet may lack to be counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Count:
    """Classes and copies by index, proved for every mu between the balls low and high."""

    classes: tuple[int, ...]
    copies: tuple[int, ...]
    low: arb
    high: arb


class Persisting:
    """The sheets of all branches of a diagram."""

    def __init__(self, diagram: Diagram, sheets: Sequence[Sequence[Sheet]]) -> None:
        self._sheets = [sheet for branch in sheets for sheet in branch]
        group = diagram.group
        self._moves = [group.signed_permutation(e) for e in closure(group, group.generators())]

    def between(self, low: float, high: float) -> Count | None:
        """What is proved between two values of mu; None where that is nothing."""
        middle, slack = 0.5 * (low + high), EDGE * (high - low)
        chosen = []
        first, last = arb(low), arb(high)
        with working_precision(FINE_BITS):
            for sheet in self._sheets:
                if not (sheet.low < low + slack and sheet.high > high - slack):
                    continue
                box = sheet.at(middle)
                if box is None or any(float(x.rad()) > NARROW for x in box):
                    continue
                chosen.append((sheet.index, np.array([float(x.mid()) for x in box])))
                first = sheet.low if sheet.low.upper() > first.upper() else first
                last = sheet.high if sheet.high.lower() < last.lower() else last
        if not chosen:
            return None
        kept: list[FloatArray] = []
        size = 1 + max(index for index, _ in chosen)
        classes, copies = [0] * size, [0] * size
        for index, theta in chosen:
            images = self._images(theta)
            if any(np.abs(images - other).max(axis=1).min() <= APART for other in kept):
                continue
            kept.append(theta)
            still = int((np.abs(images - theta).max(axis=1) <= APART).sum())
            classes[index] += 1
            copies[index] += len(images) // still
        return Count(classes=tuple(classes), copies=tuple(copies), low=first, high=last)

    def _images(self, theta: FloatArray) -> FloatArray:
        found = np.empty((len(self._moves), len(theta)))
        for row, (places, signs) in zip(found, self._moves, strict=True):
            row[places] = signs * theta
        return found
