"""Maxwell points: parameters at which two minima have the same loss."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from symland.families.diagram import Diagram, Held
from symland.records import FloatArray

__all__ = ["Tie", "ties"]

SAME_LOSS = 1e-10
"""A minimum this much below a tie is lower; in units of the loss."""

MOST_SECANTS = 50
"""Steps in which a tie is located."""

LEVEL = 1e-14
"""Losses, or ends of mu, that differ by less are equal in float64."""

NEAREST = 1e-4
"""Distance from an event at which losses are compared, in units of the interval."""

Sheet = tuple[int, int]
"""A branch, and how often it turned before."""

WIDEST_GAP = 0.25
"""Distance in mu of the places at which the minima's losses are compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tie:
    """Two minima (branch, theta) of equal loss at mu; `lowest` where no minimum is lower."""

    mu: float
    first: tuple[int, FloatArray]
    second: tuple[int, FloatArray]
    loss: float
    lowest: bool


def ties(diagram: Diagram) -> list[Tie]:
    """All pairs of minima whose order by loss changes, by mu from above."""
    found: list[Tie] = []
    for low, high in diagram.gaps():
        margin = NEAREST * (high - low)
        places = np.linspace(low + margin, high - margin, max(3, int((high - low) / WIDEST_GAP) + 2)).tolist()
        rows = [_minima(diagram, mu) for mu in places]
        for (x, left), (y, right) in pairwise(zip(places, rows, strict=True)):
            for one, two in combinations(sorted(left.keys() & right.keys()), 2):
                before = left[one].point.loss - left[two].point.loss
                after = right[one].point.loss - right[two].point.loss
                if before * after < 0:
                    tie = _locate(diagram, (x, before), (y, after), one, two)
                    found += [tie] if tie is not None else []
    return sorted(found, key=lambda tie: -tie.mu)


def _minima(diagram: Diagram, mu: float) -> dict[Sheet, Held]:
    """The minima at mu by branch and sheet: between two events a sheet is one family of points."""
    return {(held.branch, held.sheet): held for held in diagram.points_at(mu, 0)}


def _locate(
    diagram: Diagram, low: tuple[float, float], high: tuple[float, float], one: Sheet, two: Sheet
) -> Tie | None:
    """Where the losses of two sheets are equal, by false position of Illinois type."""
    (x, f_x), (y, f_y) = low, high
    tie = None
    for _ in range(MOST_SECANTS):
        middle = (x * f_y - y * f_x) / (f_y - f_x)
        held = _minima(diagram, middle)
        if one not in held or two not in held:
            return None
        a, b = held[one].point, held[two].point
        lowest = min(h.point.loss for h in held.values()) > a.loss - SAME_LOSS
        tie = Tie(mu=middle, first=(one[0], a.theta), second=(two[0], b.theta), loss=a.loss, lowest=lowest)
        f = a.loss - b.loss
        if abs(f) < LEVEL or abs(y - x) < LEVEL:
            break
        if (f > 0) == (f_y > 0):
            y, f_y, f_x = middle, f, 0.5 * f_x
        else:
            x, f_x, f_y = middle, f, 0.5 * f_y
    return tie
