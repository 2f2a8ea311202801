"""The disconnectivity graph of free energies at a temperature."""

from __future__ import annotations

from collections.abc import Hashable
from math import log
from typing import TYPE_CHECKING

from symland.analysis.temperature.kinetics import crossings_of
from symland.landscape.network import log_det
from symland.landscape.tree import DisconnectivityTree

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["free_energy_tree"]


def free_energy_tree(landscape: Landscape, temperature: float) -> DisconnectivityTree:
    """Minima at -T ln Z_a and transition states at -T ln(2 pi F_t / T), without the factor (2 pi T)^{P/2} of all.

    The rate over a transition state is then (T / 2 pi) exp(-(G_t - G_a) / T). One that would lie below a minimum that
    it leads to, as entropy can have it, is drawn at that minimum's height.
    """
    points, t = landscape.points, temperature

    def free(copies: int, log_product: float, loss: float) -> float:
        return loss + t * (log_product / 2 - log(copies))

    minima: dict[Hashable, float] = {
        n: free(points[n].orbit_size, log_det(points[n]), points[n].loss) for n in landscape.minima
    }
    edges = []
    for c in crossings_of(landscape):
        ends = tuple(dict.fromkeys((*c.minus, *c.plus)))
        height = free(c.copies, c.log_det, c.loss) + t * log(t)
        edges.append((max(height, *(minima[n] for n in ends)), c.number, ends))
    return DisconnectivityTree.build(minima, edges)
