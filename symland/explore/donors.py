"""Starts from another landscape's points: extended or split into a wider network, or continued at another penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symland.errors import ExplorationError
from symland.explore.starts import split_nodes, zero_extension
from symland.layout import Layout
from symland.records import FloatArray, read_only

__all__ = ["SPLITTINGS", "Donor", "starts_from"]

SPLITTINGS = 4
"""Splittings tried of each point of a narrower network; each point is tried once extended by zero nodes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Donor:
    """Points (n, P) of another landscape and the layout of its network."""

    layout: Layout
    theta: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", read_only(self.theta, 2))
        if self.theta.shape[1] != self.layout.size:
            raise ValueError(f"points of {self.theta.shape[1]} parameters for a layout of {self.layout.size}")


def starts_from(layout: Layout, donors: Sequence[Donor], seed: int) -> FloatArray:
    """Starts (n, P) for a network of the given layout, each drawn from the seed and its place.

    Points of a network of the same widths are starts themselves, those of a narrower one after extension by zero nodes
    and after `SPLITTINGS` random splittings of nodes.

    Raises
    ------
    ExplorationError
        If a network is not this one with narrower hidden layers.
    """
    out = [np.empty((0, layout.size))]
    for place, donor in enumerate(donors):
        if donor.layout == layout:
            out.append(donor.theta)
            continue
        try:
            out.append(zero_extension(donor.layout, layout, donor.theta))
        except ValueError as error:
            raise ExplorationError(
                f"starts: {error}; give landscapes of this network at another penalty, or with narrower hidden layers"
            ) from None
        rng = np.random.default_rng([seed, place])
        out += [split_nodes(donor.layout, layout, donor.theta, rng) for _ in range(SPLITTINGS)]
    return np.vstack(out)
