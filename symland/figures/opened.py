"""An axis of the loss on which near levels do not fall together: stretched between them, linear where they are apart.

Between neighbouring levels the axis is linear in the loss; a gap that would be too small to see gets the least height
that shows it, and the others share what is left in proportion to their size. The map is monotone, so that order and
topology of a tree are kept; heights are not, hence the ticks, which stand at losses of levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from symland.landscape.tree import LEVEL_TOLERANCE
from symland.records import FloatArray, read_only

__all__ = ["LossAxis", "open_axis"]

VISIBLE = 0.012
"""Least gap of two levels that is seen on a linear axis, as a fraction of it."""

OPENED = 0.035
"""Height of a gap that is opened, as a fraction of the axis."""

MOST_OPENED = 0.6
"""Part of the axis that opened gaps may take together."""

TICK_GAP = 0.055
"""Least distance of two ticks, as a fraction of the axis."""

MOST_DECIMALS = 12
"""Decimals of a tick."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LossAxis:
    """A monotone, piecewise linear map of losses to places, the lowest level at 0 and the highest at 1.

    Attributes
    ----------
    losses, places : (n,) ascending
    levels : (m,) ascending
        The levels that the map was made for.
    stretched : bool
        Whether some gap was opened; the map is linear otherwise.
    """

    losses: FloatArray
    places: FloatArray
    levels: FloatArray
    stretched: bool

    def __post_init__(self) -> None:
        for name in ("losses", "places", "levels"):
            object.__setattr__(self, name, read_only(getattr(self, name), 1))

    def place(self, loss: float) -> float:
        """Where a loss stands."""
        return float(np.interp(loss, self.losses, self.places))

    def loss(self, place: float) -> float:
        """What stands at a place."""
        return float(np.interp(place, self.places, self.losses))

    def apply(self, axes: Axes, quantity: str = "loss $E$") -> None:
        """Make this the vertical axis of a plot of a quantity."""
        axes.set_ylabel(quantity)
        if not self.stretched:
            return
        axes.set_yscale(
            "function",
            functions=(
                lambda y: np.interp(y, self.losses, self.places),
                lambda y: np.interp(y, self.places, self.losses),
            ),
        )
        ticks = self.ticks()
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_major_formatter(FixedFormatter(_texts(ticks)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(f"{quantity} (stretched)")

    def ticks(self) -> list[float]:
        """Levels, from the lowest up, as many as stand apart."""
        out: list[float] = []
        for level in self.levels.tolist():
            if not out or self.place(level) - self.place(out[-1]) >= TICK_GAP:
                out.append(level)
        return out


def open_axis(losses: Iterable[float], *, stretch: bool = True) -> LossAxis:
    """The axis for some losses, at least one; linear where all levels can be told apart, or `stretch` is False."""
    levels: list[float] = []
    for loss in sorted(losses):
        if not levels or loss - levels[-1] > LEVEL_TOLERANCE * (1 + abs(loss)):
            levels.append(loss)
    span = (levels[-1] - levels[0]) or 1.0
    gaps = np.diff(levels) / span
    stretched = bool(stretch and gaps.size and gaps.min() < VISIBLE)
    knots, places = np.array([levels[0], levels[0] + span]), np.array([0.0, 1.0])
    if stretched:
        least = min(OPENED, MOST_OPENED / gaps.size)
        # What the small gaps gain the others lose, which can make one of them small too.
        heights, small = gaps, np.zeros(gaps.size, dtype=bool)
        while (heights[~small] < least).any():
            small |= heights < least
            heights = np.where(small, least, gaps * (1.0 - least * small.sum()) / gaps[~small].sum())
        knots, places = np.array(levels), np.concatenate(([0.0], np.cumsum(heights) / heights.sum()))
    return LossAxis(
        losses=np.concatenate(([levels[0] - span], knots, [levels[0] + 2 * span])),
        places=np.concatenate(([-1.0], places, [2.0])),
        levels=np.array(levels),
        stretched=stretched,
    )


def _texts(ticks: list[float]) -> list[str]:
    """Each with the decimals that tell it from its neighbours, at least two of its gap."""
    texts = []
    for k, tick in enumerate(ticks):
        near = min((abs(tick - other) for other in (*ticks[max(k - 1, 0) : k], *ticks[k + 1 : k + 2])), default=1.0)
        texts.append(f"{tick:.{min(max(2, 1 + ceil(-log10(near))), MOST_DECIMALS)}f}")
    return texts
