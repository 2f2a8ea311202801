"""Losses of all classes by index, and the Hessian spectrum of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from symland.errors import ReportError
from symland.figures.opened import open_axis
from symland.figures.style import empty_figure, index_colour, index_legend, index_mark, index_name, styled
from symland.records import FloatArray, StationaryPoint

__all__ = ["level_figure", "spectrum_figure"]

LEVEL_HALF_WIDTH = 0.32
"""Half the length of a level, in units of the distance between two indices."""

MOST_NUMBERED = 14
"""Classes of one index that are numbered at most."""

MOST_TICKS = 30
"""Classes whose numbers are written under their spectra at most."""

SHORTEST_STEP = 0.034
"""Distance below which two numbers would overlap, as a fraction of the axis."""


@styled
def level_figure(points: Sequence[StationaryPoint], *, height: float = 3.4) -> Figure:
    """Every class as a level at its loss, by index, with its number and in brackets its copies.

    The axis is stretched between levels that would fall together; see `symland.figures.opened`.

    Raises
    ------
    ReportError
        If there is no point.
    """
    if not points:
        raise ReportError("there is no stationary point to draw; explore first")
    figure = empty_figure(height)
    axes = figure.add_subplot()
    indices = sorted({point.index for point in points})
    losses = [point.loss for point in points]
    axis = open_axis(losses)
    axis.apply(axes)
    for index in indices:
        members = sorted((n for n, point in enumerate(points) if point.index == index), key=lambda n: losses[n])
        for n in members:
            ends = (index - LEVEL_HALF_WIDTH, index + LEVEL_HALF_WIDTH - 0.1)
            axes.plot(ends, (losses[n], losses[n]), color=index_colour(index), linewidth=1.2)
        if len(members) > MOST_NUMBERED:
            continue
        texts = [axis.loss(y) for y in _spread([axis.place(losses[n]) for n in members], SHORTEST_STEP)]
        for n, y in zip(members, texts, strict=True):
            end = index + LEVEL_HALF_WIDTH - 0.1
            axes.plot((end, end + 0.06), (losses[n], y), color="0.7", linewidth=0.5)
            axes.text(end + 0.075, y, f"{n} ({points[n].orbit_size})", va="center", fontsize=7)
    axes.set_xticks(indices, [index_name(k) for k in indices])
    axes.set_xlim(min(indices) - 0.5, max(indices) + 0.62)
    axes.tick_params(axis="x", length=0)
    return figure


def _spread(values: Sequence[float], step: float) -> FloatArray:
    """Ascending values moved as little as need be so that neighbours are `step` apart (isotonic regression)."""
    shifted = np.array(values) - step * np.arange(len(values))
    blocks: list[tuple[float, int]] = []
    for value in shifted:
        mean, count = float(value), 1
        while blocks and blocks[-1][0] > mean:
            before, weight = blocks.pop()
            mean, count = (before * weight + mean * count) / (weight + count), weight + count
        blocks.append((mean, count))
    return np.repeat([b[0] for b in blocks], [b[1] for b in blocks]) + step * np.arange(len(values))


@styled
def spectrum_figure(points: Sequence[StationaryPoint], *, mark: float | None = None, height: float = 3.2) -> Figure:
    """The Hessian eigenvalues of every class, in columns ordered by index and loss.

    Parameters
    ----------
    mark : float, optional
        An eigenvalue to draw a line at, such as 2 lambda, which the gauge gives to every point.

    Raises
    ------
    ReportError
        If there is no point.
    """
    if not points:
        raise ReportError("there is no stationary point to draw; explore first")
    figure = empty_figure(height)
    axes = figure.add_subplot()
    order = sorted(range(len(points)), key=lambda n: (points[n].index, points[n].loss))
    size = np.abs(np.concatenate([point.spectrum for point in points]))
    linear = max(float(np.quantile(size[size > 0], 0.02)) if (size > 0).any() else 1.0, 1e-6)
    axes.axhline(0, color="0.6", linewidth=0.6)
    if mark:
        axes.axhline(mark, color="0.6", linewidth=0.6, linestyle=(0, (4, 3)))
        axes.annotate(
            r"$2\lambda$",
            (1, mark),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    for place, n in enumerate(order):
        point = points[n]
        negative = point.spectrum < 0
        colour = index_colour(point.index)
        style: Any = {"linestyle": "none", "marker": index_mark(point.index), "markersize": 3, "color": colour}
        axes.plot(np.full((~negative).sum(), place), point.spectrum[~negative], alpha=0.55, markeredgewidth=0, **style)
        axes.plot(np.full(negative.sum(), place), point.spectrum[negative], markeredgewidth=0.6, **style)
    axes.set_yscale("symlog", linthresh=10.0 ** np.floor(np.log10(linear)), linscale=0.6)
    indices = [points[n].index for n in order]
    for place in range(1, len(order)):
        if indices[place] != indices[place - 1]:
            axes.axvline(place - 0.5, color="0.85", linewidth=0.6)
    step = -(-len(order) // MOST_TICKS)
    axes.set_xticks(range(0, len(order), step), [str(n) for n in order[::step]], fontsize=7)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.7, len(order) - 0.3)
    axes.set_xlabel("class")
    axes.set_ylabel("Hessian eigenvalue")
    index_legend(axes, indices, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, handletextpad=0.1, columnspacing=1.2)
    return figure
