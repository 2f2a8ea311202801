"""The loss on the plane through three stationary points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symland.errors import ReportError
from symland.figures.style import empty_figure, index_colour, index_mark, styled
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import FloatArray, read_only
from symland.spec import LandscapeSpec

__all__ = ["Slice", "slice_figure", "take_slice"]

GRID = 121
"""Points of the grid along each side."""

MARGIN = 0.35
"""Border around the three points, as a fraction of their extent."""

THINNEST = 1e-6
"""Smallest distance of the third point from the line through the others, as a fraction of the largest distance."""

CEILING = 0.6
"""Height shown above the highest of the three points, as a fraction of what lies below it."""

LEVELS = 24
"""Contours, about."""

CLEARANCE = 0.07
"""Distance from the three points within which no contour is labelled, as a fraction of the longer axis."""

CHUNK = 2048
"""Points evaluated at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """The loss E(origin + s e_1 + t e_2), with e_1 and e_2 orthonormal.

    Attributes
    ----------
    s, t : (m,), (n,) float64
        Distances in the space of parameters.
    loss : (n, m) float64
    places : (3, 2) float64
        The three points in the plane.
    at_places : (3,) float64
        Their losses.
    """

    s: FloatArray
    t: FloatArray
    loss: FloatArray
    places: FloatArray
    at_places: FloatArray

    def __post_init__(self) -> None:
        for name, ndim in (("s", 1), ("t", 1), ("loss", 2), ("places", 2), ("at_places", 1)):
            object.__setattr__(self, name, read_only(getattr(self, name), ndim))


def take_slice(spec: LandscapeSpec, corners: Sequence[FloatArray], grid: int = GRID) -> Slice:
    """Evaluate the loss on the plane through three parameter vectors.

    The first and the last lie on the horizontal axis.

    Raises
    ------
    ReportError
        If the three lie on a line.
    """
    first, middle, last = (np.asarray(corner, dtype=np.float64) for corner in corners)
    along, aside = last - first, middle - first
    length = float(np.linalg.norm(along))
    size = max(length, float(np.linalg.norm(aside)))
    if length <= THINNEST * size or not size:
        raise ReportError("two of the three points are the same; name three different ones")
    e1 = along / length
    rest = aside - (aside @ e1) * e1
    height = float(np.linalg.norm(rest))
    if height <= THINNEST * size:
        raise ReportError("the three points lie on a line, so no plane is theirs; name another one")
    e2 = rest / height
    places = np.array([(0.0, 0.0), (aside @ e1, height), (length, 0.0)])
    low, high = places.min(axis=0), places.max(axis=0)
    border = MARGIN * (high - low).max()
    s, t = (np.linspace(low[i] - border, high[i] + border, grid) for i in (0, 1))
    program = build_program(spec, ("value",))
    plane = first + s[None, :, None] * e1 + t[:, None, None] * e2
    flat = plane.reshape(-1, first.size)
    loss = np.concatenate([evaluate(program, flat[i : i + CHUNK])[0] for i in range(0, len(flat), CHUNK)])
    at_places = evaluate(program, np.stack([first, middle, last]))[0]
    return Slice(s=s, t=t, loss=loss.reshape(grid, grid), places=places, at_places=at_places)


@styled
def slice_figure(taken: Slice, labels: Sequence[str], indices: Sequence[int], *, width: float = 4.6) -> Figure:
    """Contours of a slice with the three points marked by their index.

    Parameters
    ----------
    labels : three texts
    indices : three ints
    """
    aspect = float((taken.t[-1] - taken.t[0]) / (taken.s[-1] - taken.s[0]))
    # The axes take the width less the numbers at the left, and the height less those below.
    figure = empty_figure(min(max((width - 0.6) * aspect + 0.5, 1.8), width), width)
    axes: Any = figure.add_subplot()
    at_points = [float(x) for x in taken.at_places]
    low = float(taken.loss.min())
    # Walls far above the three points would hide what lies between them.
    ceiling = min(float(taken.loss.max()), max(at_points) + CEILING * ((max(at_points) - low) or 1.0))
    axes.imshow(
        taken.loss,
        origin="lower",
        extent=(taken.s[0], taken.s[-1], taken.t[0], taken.t[-1]),
        cmap="Blues_r",
        vmin=low,
        vmax=ceiling,
        alpha=0.9,
        aspect="equal",
        interpolation="bilinear",
    )
    levels = [x for x in MaxNLocator(LEVELS).tick_values(low, ceiling) if low < x < ceiling]
    lines = axes.contour(taken.s, taken.t, taken.loss, levels=levels, colors="0.25", linewidths=0.45)
    extent = np.array([taken.s[-1] - taken.s[0], taken.t[-1] - taken.t[0]])
    for text in axes.clabel(lines, levels[::3], fmt="%.3g", fontsize=6):
        gap = np.abs(np.array(text.get_position()) - taken.places) / extent.max()
        if (gap < CLEARANCE).all(axis=1).any():
            text.remove()
    middle = indices[1]
    if low < at_points[1] < ceiling:
        # Through a saddle the level crosses itself.
        axes.contour(taken.s, taken.t, taken.loss, levels=[at_points[1]], colors=index_colour(middle), linewidths=0.9)
    for (x, y), text, index in zip(taken.places, labels, indices, strict=True):
        axes.plot(
            x,
            y,
            index_mark(index),
            color=index_colour(index),
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.8,
        )
        axes.annotate(
            text,
            (x, y),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )
    axes.set_xlabel(r"$s$")
    axes.set_ylabel(r"$t$")
    return figure
