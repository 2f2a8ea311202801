"""Maxwell points: parameters at which two minima have the same loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symland.families.diagram import Diagram, Held
from symland.families.family import Family
from symland.families.spaces import projector
from symland.families.trace import correct_at
from symland.records import FloatArray

__all__ = ["Tie", "ties"]

SAME_LOSS = 1e-10
"""A minimum this much below a tie is lower; in units of the loss."""

MOST_SECANTS = 50
"""Steps in which a tie is located."""

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
        margin = 1e-3 * (high - low)
        places = np.linspace(low + margin, high - margin, max(3, int((high - low) / WIDEST_GAP) + 2))
        rows = [_minima(diagram, float(mu)) for mu in places]
        for k in range(len(places) - 1):
            found += _crossing(diagram, float(places[k]), float(places[k + 1]), rows[k], rows[k + 1])
    return sorted(found, key=lambda tie: -tie.mu)


def _minima(diagram: Diagram, mu: float) -> list[Held]:
    return diagram.points_at(mu, 0)


def _crossing(diagram: Diagram, low: float, high: float, left: list[Held], right: list[Held]) -> list[Tie]:
    """Ties between two neighbouring places; minima are joined by moving each to the other place."""
    moved = [(held, _carry(diagram, held, low, high)) for held in left]
    pairs = []
    for held, theta in moved:
        if theta is None:
            continue
        match = next((r for r in right if diagram.group.match(theta, r.point.theta) is not None), None)
        if match is not None:
            pairs.append((held, match))
    found = []
    for i, (a, b) in enumerate(pairs):
        for c, d in pairs[i + 1 :]:
            before, after = a.point.loss - c.point.loss, b.point.loss - d.point.loss
            if before * after < 0:
                tie = _locate(diagram, low, high, a, c, before, after)
                if tie is not None:
                    found.append(tie)
    return found


def _carry(diagram: Diagram, held: Held, mu: float, to: float) -> FloatArray | None:
    """A minimum moved to another parameter in small steps."""
    space = projector(diagram.group, diagram.curves[held.branch].elements)[None]
    theta = held.point.theta[None]
    for place in np.linspace(mu, to, 6)[1:]:
        theta, done = correct_at(diagram.family, theta, np.array([place]), space)
        if not done[0]:
            return None
    moved: FloatArray = theta[0]
    return moved


def _loss(family: Family, theta: FloatArray, mu: float) -> float:
    return float(family.value(theta[None], np.array([mu]))[0])


def _locate(diagram: Diagram, low: float, high: float, a: Held, c: Held, f_low: float, f_high: float) -> Tie | None:
    x, y, found = low, high, None
    for _ in range(MOST_SECANTS):
        middle = (x * f_high - y * f_low) / (f_high - f_low)
        one, two = _carry(diagram, a, low, middle), _carry(diagram, c, low, middle)
        if one is None or two is None:
            return None
        loss = _loss(diagram.family, one, middle)
        f = loss - _loss(diagram.family, two, middle)
        found = (middle, one, two, loss)
        if abs(f) < 1e-15 or abs(y - x) < 1e-13:
            break
        if (f > 0) == (f_high > 0):
            y, f_high, f_low = middle, f, 0.5 * f_low
        else:
            x, f_low, f_high = middle, f, 0.5 * f_high
    if found is None:
        return None
    mu, one, two, loss = found
    lowest = min(h.point.loss for h in _minima(diagram, mu)) > loss - SAME_LOSS
    return Tie(mu=mu, first=(a.branch, one), second=(c.branch, two), loss=loss, lowest=lowest)
