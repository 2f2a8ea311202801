"""Harmonic transition-state rates between classes of minima, with every copy counted.

The probability that flows over the n_t copies of a transition state t in a unit of time, in units of the partition
function and without its common factor (2 pi T)^{P/2}, is

    F_t = n_t (2 pi)^{-1} |det' H_t|^{-1/2} exp(-E_t / T),

det' without the negative eigenvalue (masses 1; Wales, Energy Landscapes, 2003). A copy of the class a holds
Z_a / n_a = det H_a^{-1/2} exp(-E_a / T), so that the rate from a copy of a to the copies of b is

    k(a -> b) = sum_t F_t (q_a q'_b + q'_a q_b) / (n_a det H_a^{-1/2} exp(-E_a / T)),

q and q' the shares of the two sides of t that end in a class. A branch that ends on a saddle goes on from there: over a
transition state half to each of its sides, from a saddle of higher index in equal parts to what was found downhill of
it. Each side of t belongs to n_t / n_a branches at a copy of a: the reaction path degeneracy. The flow is symmetric in
a and b, so detailed balance holds as it is written down. Symmetry carries a copy of a class to every other with its
rates, so classes are a lumping of the unfolded network without any error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from symland.landscape.network import log_det
from symland.records import FloatArray, Pathway

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["Crossing", "crossings_of", "log_fluxes", "log_rates", "lowest_barriers", "sides_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossing:
    """A transition state and where its two sides end.

    Attributes
    ----------
    number : int
        Its class.
    loss, log_det, copies : float
        log_det is the sum of ln w over its positive eigenvalues w.
    minus, plus : mapping of classes of minima to shares that sum to 1, or to less where an end is not known
    loop : bool
        Whether both sides end on one and the same copy.
    """

    number: int
    loss: float
    log_det: float
    copies: int
    minus: Mapping[int, float]
    plus: Mapping[int, float]
    loop: bool


def sides_of(landscape: Landscape, number: int) -> dict[int, float]:
    """The shares with which what slides down from a stationary point ends in the classes of minima.

    A minimum ends in itself. What nobody followed is missing from the sum.
    """
    points = landscape.points
    if points[number].index == 0:
        return {number: 1.0}
    own = [end for path in landscape.pathways if path.transition_state == number for end in (path.minus, path.plus)]
    ends = own or [descent.end for descent in landscape.descents if descent.saddle == number]
    # Losses fall along every descent, so that this ends; a list that says otherwise is cut there.
    ends = [end for end in ends if points[end].loss < points[number].loss]
    out: dict[int, float] = {}
    for end in ends:
        for minimum, share in sides_of(landscape, end).items():
            out[minimum] = out.get(minimum, 0.0) + share / len(ends)
    return out


def crossings_of(landscape: Landscape) -> tuple[Crossing, ...]:
    """The pathways of a landscape as crossings; degenerate transition states are left out."""
    found = []
    for path in landscape.pathways:
        point = landscape.points[path.transition_state]
        if point.index != 1 or point.nullity:
            continue
        found.append(
            Crossing(
                number=path.transition_state,
                loss=point.loss,
                log_det=log_det(point),
                copies=point.orbit_size,
                minus=sides_of(landscape, path.minus),
                plus=sides_of(landscape, path.plus),
                loop=_is_loop(landscape, path),
            )
        )
    return tuple(found)


def _is_loop(landscape: Landscape, path: Pathway) -> bool:
    if path.minus != path.plus or path.minus_element is None or path.plus_element is None:
        return False
    theta, group = landscape.points[path.minus].theta, landscape.group
    gap = np.abs(group.apply(path.minus_element, theta) - group.apply(path.plus_element, theta))
    return bool(gap.max(initial=0.0) <= 1e-6 * (1.0 + np.abs(theta).max(initial=0.0)))


def log_fluxes(landscape: Landscape, crossings: tuple[Crossing, ...], temperature: float) -> FloatArray:
    """ln of the flow between classes of minima, (m, m) and symmetric, minima in the order of `landscape.minima`."""
    places = {number: place for place, number in enumerate(landscape.minima)}
    out = np.full((len(places), len(places)), -np.inf)
    for crossing in crossings:
        if crossing.loop:
            continue
        flow = log(crossing.copies / (2 * pi)) - crossing.log_det / 2 - crossing.loss / temperature
        for a, share in crossing.minus.items():
            for b, other in crossing.plus.items():
                term = flow + log(share) + log(other)
                i, j = places[a], places[b]
                out[i, j] = np.logaddexp(out[i, j], term)
                out[j, i] = np.logaddexp(out[j, i], term) if i != j else np.logaddexp(out[i, i], term)
    return out


def log_rates(landscape: Landscape, crossings: tuple[Crossing, ...], temperature: float) -> FloatArray:
    """ln k from a copy of a class (rows) to the copies of a class (columns), (m, m).

    On the diagonal are rates to other copies of the same class.
    """
    held = [
        log(landscape.points[n].orbit_size) - log_det(landscape.points[n]) / 2 - landscape.points[n].loss / temperature
        for n in landscape.minima
    ]
    return log_fluxes(landscape, crossings, temperature) - np.array(held)[:, None]


def lowest_barriers(landscape: Landscape, crossings: tuple[Crossing, ...]) -> tuple[float | None, ...]:
    """For each minimum the height of its lowest transition state above it, or None where none is known."""
    found: list[float | None] = []
    for n in landscape.minima:
        heights = [c.loss - landscape.points[n].loss for c in crossings if n in c.minus or n in c.plus]
        found.append(min(heights, default=None))
    return tuple(found)
