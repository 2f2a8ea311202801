"""A stationary point as a network: its weights, and what it decides over the plane of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from symland.figures.style import empty_figure, styled
from symland.program.floats import NumpyAlgebra
from symland.program.lower import lower
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.symbolic.activation import Z, derive_activation

__all__ = ["network_figure", "network_outputs"]

POSITIVE, NEGATIVE = "#B2182B", "#2166AC"
"""Colours of the two signs of a weight."""

THICKEST = 4.0
"""Line width of the largest weight, in points."""

GRID = 201
"""Points along each side of the input plane."""

MOST_WRITTEN = 4
"""Nodes in a layer up to which weights are written at their edges."""

MOST_LARGE = 40
"""Samples up to which their marks are large."""

_CLASS_COLOURS = ListedColormap(("#9ECAE1", "#FDAE6B", "#A1D99B", "#BCBDDC", "#FDD0A2", "#D9D9D9"))
_BIAS = LinearSegmentedColormap.from_list("bias", ("#92C5DE", "white", "#F4A582"))


def network_outputs(spec: LandscapeSpec, theta: FloatArray, inputs: FloatArray) -> FloatArray:
    """Outputs z of shape (n, K) at inputs (n, n_0)."""
    sigma = lower("activation", [Z], derive_activation(spec.activation).jet[:1])
    signal = inputs
    for layer in range(1, spec.layout.n_layers + 1):
        weight, bias = spec.layout.weight(layer), spec.layout.biases(layer)
        signal = signal @ weight.of(theta).T
        if bias is not None:
            signal = signal + bias.of(theta)
        if layer < spec.layout.n_layers:
            (signal,) = NumpyAlgebra().apply(sigma, [signal])
    return signal


@styled
def network_figure(
    spec: LandscapeSpec, theta: FloatArray, *, title: str = "", height: float = 2.3, width: float = 5.2
) -> Figure:
    """The network with its weights, and beside it the probability, class or output over the plane of two inputs.

    Of more inputs these are the two that vary most over the data, and the others stand at their mean.

    Edges are red for positive and blue for negative weights, as thick as the weight is large; nodes are shaded by
    their bias in the same way.
    """
    planar = spec.n_inputs >= 2
    figure = empty_figure(height, width if planar else 0.6 * width)
    panels = figure.subplots(1, 2 if planar else 1, squeeze=False, width_ratios=[1.15, 1] if planar else None)[0]
    _draw_network(panels[0], spec, theta)
    if title:
        panels[0].set_title(title)
    if planar:
        _draw_decision(figure, panels[1], spec, theta)
    return figure


def _draw_network(axes: Axes, spec: LandscapeSpec, theta: FloatArray) -> None:
    """Inputs on the left, outputs on the right, one column for each layer."""
    largest = float(np.abs(theta).max(initial=0.0)) or 1.0
    tallest = max(spec.widths)
    places = [[(float(layer), (n - 1) / 2 - i) for i in range(n)] for layer, n in enumerate(spec.widths)]
    for layer in range(1, spec.layout.n_layers + 1):
        block = spec.layout.weight(layer)
        weight = block.of(theta)
        for i, j in np.ndindex(*block.shape):
            share = abs(weight[i, j]) / largest
            (x0, y0), (x1, y1) = places[layer - 1][j], places[layer][i]
            colour = POSITIVE if weight[i, j] > 0 else NEGATIVE
            axes.plot((x0, x1), (y0, y1), color=colour, linewidth=THICKEST * share, alpha=0.3 + 0.6 * share, zorder=1)
            if tallest <= MOST_WRITTEN and share > 1e-9:
                # Numbers stand off the middle, so that crossing edges do not hide them.
                at = 0.3 if (i + j) % 2 else 0.62
                axes.annotate(
                    f"{weight[i, j]:.2f}",
                    (x0 + at * (x1 - x0), y0 + at * (y1 - y0)),
                    fontsize=6.5,
                    ha="center",
                    va="center",
                    color=colour,
                    bbox={"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
                    zorder=2,
                )
    for layer, column in enumerate(places):
        bias = spec.layout.biases(layer) if layer else None
        for i, (x, y) in enumerate(column):
            value = float(theta[bias.offset + i]) if bias is not None else 0.0
            face = _BIAS((value / largest + 1) / 2) if layer else "white"
            axes.plot(x, y, "o", markersize=17, color=face, markeredgecolor="0.2", markeredgewidth=0.8, zorder=3)
            text = f"$x_{{{i + 1}}}$" if not layer else f"{value:.2f}" if bias is not None else ""
            axes.annotate(text, (x, y), ha="center", va="center", fontsize=8 if not layer else 6, zorder=4)
    axes.set_xlim(-0.35, spec.layout.n_layers + 0.35)
    axes.margins(y=0.18)
    axes.set_axis_off()


def _draw_decision(figure: Figure, axes: Any, spec: LandscapeSpec, theta: FloatArray) -> None:
    every = np.array([[float(v) for v in row] for row in spec.data.inputs])
    shown_inputs = sorted(np.argsort(-every.var(axis=0), kind="stable")[:2].tolist())
    data = every[:, shown_inputs]
    low, high = data.min(axis=0), data.max(axis=0)
    border = 0.5 * float((high - low).max() or 1.0)
    x, y = (np.linspace(low[k] - border, high[k] + border, GRID) for k in (0, 1))
    plane = np.tile(every.mean(axis=0), (GRID * GRID, 1))
    plane[:, shown_inputs] = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    z = network_outputs(spec, theta, plane)
    extent = (x[0], x[-1], y[0], y[-1])
    targets = np.array([float(row[0]) for row in spec.data.values] or spec.data.labels)
    clear = _told_apart(data, targets)
    data, targets = data[clear], targets[clear]
    size = 30 if len(data) <= MOST_LARGE else 10
    if spec.data.values or spec.n_outputs > 2:
        if spec.data.values:
            shown = axes.imshow(
                z[:, 0].reshape(GRID, GRID), origin="lower", extent=extent, cmap="RdBu_r", aspect="equal"
            )
            figure.colorbar(shown, ax=axes, label="output $z_1$", shrink=0.8)
            axes.scatter(
                *data.T, c=targets, cmap="RdBu_r", norm=shown.norm, edgecolors="black", linewidths=0.7, s=size, zorder=3
            )
        else:
            winner = z.argmax(axis=1).reshape(GRID, GRID)
            axes.imshow(winner, origin="lower", extent=extent, cmap=_CLASS_COLOURS, vmin=0, vmax=5, aspect="equal")
            axes.scatter(
                *data.T,
                c=targets,
                cmap=_CLASS_COLOURS,
                vmin=0,
                vmax=5,
                edgecolors="black",
                linewidths=0.7,
                s=size,
            )
    else:
        margin = z[:, 0] if spec.n_outputs == 1 else z[:, 1] - z[:, 0]
        chance = (0.5 * (1 + np.tanh(margin / 2))).reshape(GRID, GRID)
        shown = axes.imshow(
            chance, origin="lower", extent=extent, cmap="RdBu_r", vmin=0, vmax=1, aspect="equal", alpha=0.9
        )
        axes.contour(x, y, chance, levels=[0.5], colors="black", linewidths=0.9)
        figure.colorbar(shown, ax=axes, label="probability of class 1", shrink=0.8)
        for label, face in enumerate(("white", "black")):
            chosen = targets == label
            axes.scatter(
                *data[chosen].T, c=face, edgecolors="black", linewidths=0.9, s=size, zorder=3, label=f"class {label}"
            )
        if len(data):
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.1)
    rest = ", others at their mean" if spec.n_inputs > 2 else ""
    axes.set_xlabel(f"$x_{{{shown_inputs[0] + 1}}}${rest}")
    axes.set_ylabel(f"$x_{{{shown_inputs[1] + 1}}}$")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)


def _told_apart(places: FloatArray, targets: NDArray[Any]) -> NDArray[np.bool_]:
    """Samples at whose place in the plane no sample of another target stands: a mark there would say nothing."""
    together = (places[:, None] == places[None]).all(axis=2)
    return ~(together & (targets[:, None] != targets[None])).any(axis=1)
