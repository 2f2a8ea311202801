"""Pictures of condensation: similarities of nodes, orientations and lengths, directions on circle and sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symland.analysis.condensation.measure import incoming, order_by_cluster, similarity
from symland.analysis.condensation.sampling import Evaluator
from symland.analysis.question import Picture
from symland.figures.style import WIDTH, index_colour, index_mark, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from symland.analysis.condensation.answer import Condensation
    from symland.analysis.condensation.energy import Energy
    from symland.analysis.condensation.training import Run
    from symland.records import FloatArray
    from symland.spec import LandscapeSpec

__all__ = ["draw_circle", "draw_lines", "draw_orientations", "draw_similarity", "draw_sphere", "draw_width", "pictures"]

CAPTIONS = {
    "directions": (
        r"$F_k$ as the height above the unit circle of input weights (black), the direction in which it grows (arrows; "
        r"nodes with $a\,\sigma^{(k)}(0) < 0$ turn against it), its critical lines, and trained nodes (outer dots)."
    ),
    "sphere": (
        r"$F_k$ on the hemisphere of input weights, the third one upwards, in Lambert's equal-area projection; the "
        r"critical lines (open marks, by index; blue ones attract) and trained nodes (crosses)."
    ),
    "similarity": (
        r"Cosine similarity $D(u, v)$ of the input weights of every two nodes, in the order of the clusters at the end "
        r"of training."
    ),
    "orientations": (
        r"Trained nodes by the angle of their line to the first predicted one; vertical lines are the predicted ones."
    ),
    "lines": r"Lines that hold nine tenths of the nodes, by seed; dashed: as many as predicted.",
    "width": r"The effective width, the number of lines that hold nine tenths of the nodes, over the steps.",
}
"""LaTeX for each picture."""

MOMENTS = 4
"""Moments of training in the similarity picture."""


def pictures(
    spec: LandscapeSpec, energy: Energy, answer: Condensation, run: Run | None, seed: int = 0
) -> dict[str, Picture]:
    """All pictures that a prediction and, where there is one, a training run allow, by name."""
    found: dict[str, Figure] = {}
    nodes = None if run is None else incoming(spec.layout, run.theta[seed], answer.layer)
    if energy.size == 2:
        found["directions"] = draw_circle(energy, answer, nodes)
    elif energy.size == 3:
        found["sphere"] = draw_sphere(energy, answer, nodes)
    if run is not None and nodes is not None:
        found["similarity"] = draw_similarity(spec, run, seed)
        found["orientations"] = draw_orientations(answer, nodes)
        found["lines"] = draw_lines(answer)
        found["width"] = draw_width(answer)
    return {name: Picture(figure=figure, caption=CAPTIONS[name]) for name, figure in found.items()}


@styled
def draw_similarity(spec: LandscapeSpec, run: Run, seed: int = 0) -> Figure:
    """D(u, v) of each hidden layer at some moments, the nodes in the order of the clusters at the end."""
    chosen = sorted({int(i) for i in np.linspace(0, len(run.snapshots) - 1, MOMENTS)})
    layers = len(spec.hidden)
    figure = Figure(figsize=(WIDTH, 1.7 * layers + 0.3), layout="constrained")
    axes = figure.subplots(layers, len(chosen), squeeze=False)
    for row in range(layers):
        order = order_by_cluster(incoming(spec.layout, run.theta[seed], row + 1))
        for column, number in enumerate(chosen):
            snapshot = run.snapshots[number]
            cosines = similarity(incoming(spec.layout, snapshot.theta[seed], row + 1))[np.ix_(order, order)]
            image = axes[row, column].imshow(cosines, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
            axes[row, column].set_xticks([])
            axes[row, column].set_yticks([])
            if row == 0:
                axes[row, column].set_title(f"step {snapshot.step}")
        axes[row, 0].set_ylabel(f"layer {row + 1}")
    figure.colorbar(image, ax=axes, shrink=0.8, label="$D(u, v)$")
    return figure


@styled
def draw_orientations(answer: Condensation, nodes: FloatArray) -> Figure:
    """The length of each node against the angle of its line to the strongest predicted line."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.add_subplot(xlabel="angle to the first predicted line (degrees)", ylabel="length of input weights")
    lines = np.array([o.w for o in answer.critical if o.attractor] or [np.eye(nodes.shape[1])[0]])
    for number, line in enumerate(lines):
        axes.axvline(_degrees(line[None], lines[0])[0], color=index_colour(number % 6), linewidth=0.8)
    axes.plot(_degrees(nodes, lines[0]), np.linalg.norm(nodes, axis=1), ".", color="black", markersize=4)
    axes.set_xlim(-3, 93)
    return figure


def _degrees(vectors: FloatArray, line: FloatArray) -> FloatArray:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(float).tiny)
    return np.asarray(np.degrees(np.arccos(np.clip(np.abs(vectors @ line) / lengths, 0, 1))))


@styled
def draw_circle(energy: Energy, answer: Condensation, nodes: FloatArray | None) -> Figure:
    """F on the circle of two weights, the direction in which nodes turn, critical lines, and trained nodes."""
    figure = Figure(figsize=(4.0, 4.0), layout="constrained")
    axes = figure.add_subplot(xlabel=f"${_name(energy, 0)}$", ylabel=f"${_name(energy, 1)}$", aspect="equal")
    angle = np.linspace(0, 2 * np.pi, 721)
    w = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    value, _ = Evaluator(energy).value_gradient(w)
    scale = 0.35 / max(np.abs(value).max(), np.finfo(float).tiny)
    axes.plot(*w.T, color="#999999", linewidth=0.8)
    axes.plot(*(w * (1 + scale * value[:, None])).T, color="black", linewidth=0.9)
    few = np.linspace(0, 2 * np.pi, 37)[:-1]
    points = np.stack([np.cos(few), np.sin(few)], axis=1)
    _, slope = Evaluator(energy).value_gradient(points)
    turn = slope - (slope * points).sum(axis=1, keepdims=True) * points
    axes.quiver(*(0.8 * points).T, *turn.T, width=0.004, color=index_colour(5))
    _mark(axes, answer)
    if nodes is not None:
        unit = nodes / np.maximum(np.linalg.norm(nodes, axis=1, keepdims=True), np.finfo(float).tiny)
        axes.plot(*(1.5 * unit).T, ".", color="black", markersize=3)
    return figure


def _mark(axes: Axes, answer: Condensation) -> None:
    for line in answer.critical:
        index = line.index or 0
        for sign in (1, -1):
            axes.plot(
                [sign * line.w[0]],
                [sign * line.w[1]],
                index_mark(index),
                color=index_colour(0 if line.attractor else 1),
                markersize=6,
            )


def _name(energy: Energy, number: int) -> str:
    name = energy.names[number]
    return name if len(name) == 1 else f"{name[0]}_{{{name[1:]}}}"


@styled
def draw_sphere(energy: Energy, answer: Condensation, nodes: FloatArray | None) -> Figure:
    """F on the hemisphere of three weights seen from above, critical lines, and trained nodes.

    The area-preserving projection of Lambert: a line meets the hemisphere w_3 >= 0 once.
    """
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    grid = np.linspace(-1, 1, 301)
    x, y = np.meshgrid(grid, grid)
    square = np.minimum(x**2 + y**2, 1.0)
    w = np.stack([x * np.sqrt(2 - square), y * np.sqrt(2 - square), 1 - square], axis=-1).reshape(-1, 3)
    value, _ = Evaluator(energy).value_gradient(w)
    value = np.where(x**2 + y**2 <= 1, value.reshape(x.shape), np.nan)
    largest = np.nanmax(np.abs(value))
    image = axes.pcolormesh(x, y, value, cmap="RdBu_r", vmin=-largest, vmax=largest, rasterized=True)
    axes.contour(x, y, value, levels=[0.0], colors="black", linewidths=0.5)
    if nodes is not None:
        axes.plot(*_lambert(nodes).T, "x", color="black", markersize=4)
    odd = energy.single and energy.order % 2 == 1
    for line in answer.critical:
        colour = index_colour(0 if line.attractor else 1)
        # The picture shows the end of the line with w_3 >= 0, where an odd form has the opposite sign.
        index = (2 - line.index if odd and line.w[2] < 0 else line.index) if line.index is not None else 0
        axes.plot(*_lambert(np.array([line.w])).T, index_mark(index), color=colour, markersize=7, fillstyle="none")
    axes.set_axis_off()
    figure.colorbar(image, ax=axes, shrink=0.7, label=f"$F_{{{energy.order}}}$" if energy.single else "$|F|^2$")
    return figure


def _lambert(vectors: FloatArray) -> FloatArray:
    """Lines through unit vectors on the disc of radius 1."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    unit = np.where(unit[:, 2:] < 0, -unit, unit)
    return np.asarray(unit[:, :2] / np.sqrt(1 + unit[:, 2:]))


@styled
def draw_lines(answer: Condensation) -> Figure:
    """How many lines hold nine tenths of the nodes of each seed, and the predicted number."""
    figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    axes = figure.add_subplot(xlabel="seed", ylabel="lines")
    axes.bar([str(run.seed) for run in answer.trained], [run.lines for run in answer.trained], color=index_colour(0))
    axes.axhline(answer.lines, linestyle="--", linewidth=0.9, color="black")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def draw_width(answer: Condensation) -> Figure:
    """The effective width over the steps of training."""
    figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="effective width", xscale="symlog")
    for run in answer.trained:
        axes.step([w[0] for w in run.effective_width], [w[2] for w in run.effective_width], linewidth=0.8, where="post")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
