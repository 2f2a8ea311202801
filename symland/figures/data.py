"""Pictures of how classes depend on the data: sensitivities, decisions with certified regions, ROC curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from symland.datasets import Dataset
from symland.figures.style import empty_figure, index_colour, index_legend, index_mark, styled
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["Sensed", "decision_figure", "roc_figure", "sensitivity_figure"]

GRID = 161
"""Points of the map of decisions along each side."""

MAPS = 4
"""Most classes whose decisions are drawn."""

DECADE = 10.0
"""Ratio of the largest to the smallest number from which an axis is logarithmic."""

ARROW = 0.35
"""Length of the longest arrow, in units of the extent of the inputs."""

LABEL_COLOURS = ("#cfe3f2", "#f7d9c4", "#cdebe0", "#f0dbe7", "#f8ead0", "#dcf0fa")
"""Shades of the labels, of the colours of the indices."""


class Sensed(Protocol):
    """What is drawn of a class."""

    @property
    def number(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def dE_dx(self) -> tuple[tuple[float, ...], ...]: ...
    @property
    def persistence_radius(self) -> float | None: ...
    @property
    def persistence_lost(self) -> float | None: ...
    @property
    def robust_radius_max(self) -> tuple[float | None, ...]: ...
    @property
    def robust_radius_euclidean(self) -> tuple[float | None, ...]: ...


@styled
def sensitivity_figure(classes: Sequence[Sensed]) -> Figure:
    """The largest |dE/dx| of each class, and its persistence radius."""
    figure = empty_figure(2.7)
    left, right = figure.subplots(1, 2)
    slopes = [max(abs(v) for row in c.dE_dx for v in row) for c in classes]
    # A class that no input moves stands at zero, which a logarithmic axis has not.
    positive = [slope for slope in slopes if slope > 0]
    linear = not positive or max(positive) < DECADE * min(positive)
    for c, largest in zip(classes, slopes, strict=True):
        mark = {"color": index_colour(c.index), "marker": index_mark(c.index), "markersize": 4.5, "linestyle": "none"}
        if largest > 0 or linear:
            left.plot([c.number], [largest], **mark)
        if c.persistence_radius:
            right.plot([c.number], [c.persistence_radius], **mark)
        if c.persistence_radius and c.persistence_lost:
            ends = [c.persistence_radius, c.persistence_lost]
            right.plot([c.number] * 2, ends, color=index_colour(c.index), linewidth=0.8)
            right.plot([c.number], ends[1:], color=index_colour(c.index), marker="_", markersize=5)
    left.set(xlabel="class", ylabel=r"largest $|\partial E/\partial x|$", yscale="linear" if linear else "log")
    if linear:
        left.set_ylim(0, None)
    right.set(xlabel="class", ylabel="persistence radius", yscale="log")
    index_legend(right, [c.index for c in classes], loc="best")
    return figure


@styled
def decision_figure(spec: LandscapeSpec, thetas: Sequence[FloatArray], classes: Sequence[Sensed]) -> Figure:
    """Decisions of a network with two inputs, for some classes, with certified regions and arrows of -dE/dx."""
    shown = list(zip(thetas, classes, strict=True))[:MAPS]
    inputs = np.array([[float(v) for v in row] for row in spec.data.inputs])
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    extent = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    ticks = np.linspace(-extent, extent, GRID)
    figure = empty_figure(1.75 if len(shown) > 2 else 2.6)
    program = build_program(spec.with_(data=_one(spec)), ("margins",))
    for axes, (theta, c) in zip(np.ravel(figure.subplots(1, len(shown), squeeze=False)), shown, strict=True):
        x, y = np.meshgrid(middle[0] + ticks, middle[1] + ticks)
        margins = run(program, NumpyAlgebra(), [np.float64(t) for t in theta], {"x": [x.ravel(), y.ravel()]})
        zero = np.zeros(x.size)
        outputs = np.stack([zero, *(m + zero for m in margins.by_data["margins"])])
        label = np.argmax(outputs, axis=0).reshape(x.shape)
        levels = np.arange(len(outputs) + 1) - 0.5
        colours = [LABEL_COLOURS[k % len(LABEL_COLOURS)] for k in range(len(outputs))]
        axes.contourf(x, y, label, levels=levels, colors=colours)
        slope = -np.array(c.dE_dx)
        longest = float(np.linalg.norm(slope, axis=1).max()) or 1.0
        for d, point in enumerate(inputs):
            for radius, shape in ((_at(c.robust_radius_euclidean, d), "o"), (_at(c.robust_radius_max, d), "s")):
                if radius:
                    patch = (
                        Circle((point[0], point[1]), radius, fill=False, linewidth=0.7)
                        if shape == "o"
                        else Rectangle(
                            (point[0] - radius, point[1] - radius), 2 * radius, 2 * radius, fill=False, linewidth=0.5
                        )
                    )
                    axes.add_patch(patch)
            step = slope[d] / longest * ARROW * extent
            if np.linalg.norm(step) > 1e-3 * extent:
                axes.annotate(
                    "", point + step, point, arrowprops={"arrowstyle": "->", "linewidth": 0.8, "color": "#D55E00"}
                )
        axes.plot(inputs[:, 0], inputs[:, 1], "k.", markersize=4)
        axes.set(
            title=f"class {c.number}",
            aspect="equal",
            xlim=(middle[0] - extent, middle[0] + extent),
            ylim=(middle[1] - extent, middle[1] + extent),
        )
    return figure


def _at(radii: tuple[float | None, ...], d: int) -> float | None:
    return radii[d] if d < len(radii) else None


def _one(spec: LandscapeSpec) -> Dataset:
    """One sample of label 0: its margins are the differences of the outputs from the first."""
    return replace(spec.data, inputs=spec.data.inputs[:1], labels=(0,), values=())


@styled
def roc_figure(curves: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> Figure:
    """ROC curves: true against false positives, each with its name."""
    figure = empty_figure(3.2, 3.4)
    axes = figure.subplots()
    for name, false, true in curves:
        axes.plot(false, true, linewidth=1, label=name)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.6, linestyle=":")
    axes.set(xlabel="false positives", ylabel="true positives", aspect="equal", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right")
    return figure
