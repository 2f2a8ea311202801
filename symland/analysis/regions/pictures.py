"""Pictures of a classifier of two inputs: labels with hidden lines and numbered cells, and gradient maps by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symland.analysis.question import Picture
from symland.analysis.regions.gradients import Classifier
from symland.analysis.regions.network import Network, read_network
from symland.records import FloatArray
from symland.spec import LandscapeSpec

if TYPE_CHECKING:
    from symland.analysis.answer_types.geometry import Geometry

__all__ = ["pictures"]

PIXELS = 241
"""Points along each side."""

TINTS = ("#c6dbef", "#fdd0a2", "#c7e9c0", "#dadaeb", "#fde0dd", "#e0e0e0")
"""Of labels; the order is that of the atlas."""

MOST_COLUMNS = 3
"""Labels whose gradients are shown."""


def pictures(answer: Geometry, spec: LandscapeSpec, theta: FloatArray) -> Mapping[str, Picture]:
    """The label map and the gradient maps of a network with two inputs."""
    network = read_network(spec, theta)
    classifier = Classifier(network, logistic=spec.n_outputs == 1)
    (x0, x1), (y0, y1) = ((float(a), float(b)) for a, b in answer.box)
    xs, ys = np.linspace(x0, x1, PIXELS), np.linspace(y0, y1, PIXELS)
    plane = np.stack([g.ravel() for g in np.meshgrid(xs, ys)], axis=1)
    place = _Plane(xs=xs, ys=ys, points=plane, extent=(x0, x1, y0, y1))
    return {
        "geometry": _labels(answer, network, classifier, place),
        "geometry-gradients": _gradients(classifier, place, network.labels, spec.bias),
        "geometry-subsample": _subsample(answer),
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plane:
    """Points (PIXELS^2, 2) on a grid, row by row from below."""

    xs: FloatArray
    ys: FloatArray
    points: FloatArray
    extent: tuple[float, float, float, float]

    def image(self, axes: Any, values: NDArray[Any], **style: Any) -> Any:
        return axes.imshow(
            values.reshape(PIXELS, PIXELS),
            extent=self.extent,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            **style,
        )

    def contour(self, axes: Any, values: FloatArray, level: float, **style: Any) -> None:
        if values.min() < level < values.max():
            axes.contour(self.xs, self.ys, values.reshape(PIXELS, PIXELS), levels=[level], **style)


def _labels(answer: Geometry, network: Network, classifier: Classifier, place: _Plane) -> Picture:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes: Any = figure.add_subplot(xlabel="$x_1$", ylabel="$x_2$")
    probabilities = classifier.probabilities(place.points)
    top, label = probabilities.max(axis=1), probabilities.argmax(axis=1)
    colours = [TINTS[k % len(TINTS)] for k in range(network.labels)]
    place.image(axes, label, cmap=ListedColormap(colours), vmin=-0.5, vmax=network.labels - 0.5)
    level = 1 - float(answer.confidence.level)
    if top.min() < level:
        band = axes.contourf(
            place.xs, place.ys, top.reshape(PIXELS, PIXELS), levels=[0, level], colors="none", hatches=["/////"]
        )
        band.set(edgecolor="0.45", linewidth=0)
    place.contour(axes, top, level, colors="0.35", linestyles="dotted", linewidths=1)
    for row, offset in zip(network.weights[0], network.biases[0], strict=True):
        signal = float(row[0]) * place.points[:, 0] + float(row[1]) * place.points[:, 1] + float(offset)
        place.contour(axes, signal, 0.0, colors="black", linewidths=0.9)
    weight = np.array([[float(w) for w in row] for row in network.weights[0]])
    signs = np.sign(place.points @ weight.T + np.array([float(c) for c in network.biases[0]]))
    frame = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    for number, region in enumerate(answer.regions, start=1):
        inside = place.points[(signs == [("-0+".index(c) - 1) for c in region.signs]).all(axis=1)]
        if len(inside):
            # Cells are convex, so the mean of their points is inside.
            axes.text(*inside.mean(axis=0), str(number), fontsize=8, ha="center", va="center", bbox=frame)
    patches = [Patch(facecolor=c, label=f"label {k}") for k, c in enumerate(colours)]
    patches.append(Patch(facecolor="none", edgecolor="0.35", hatch="/////", label="not confident"))
    figure.legend(handles=patches, loc="outside upper center", ncols=min(len(patches), 4), frameon=False)
    return Picture(
        figure=figure,
        caption="Labels (colours), hidden hyperplanes (lines) and numbered cells. Hatched, within the dotted edge: no "
        f"label has a probability above {level:g}.",
    )


def _gradients(classifier: Classifier, place: _Plane, labels: int, bias: bool) -> Picture:
    from matplotlib.figure import Figure

    shown = range(min(labels, MOST_COLUMNS))
    fields = [classifier.gradients(place.points, [k] * len(place.points), bias) for k in shown]
    names = list(fields[0].blocks)
    figure = Figure(figsize=(3.15 * len(shown), 1.75 * (len(names) + 1)), layout="constrained")
    for row, name in enumerate(names):
        for column in shown:
            part: Any = figure.add_subplot(
                len(names) + 1, len(shown), row * len(shown) + column + 1, title=f"{name}, label {column}"
            )
            figure.colorbar(place.image(part, fields[column].blocks[name], cmap="viridis"), ax=part)
    last: Any = figure.add_subplot(len(names) + 1, len(shown), len(names) * len(shown) + 1, title="slopes")
    figure.colorbar(place.image(last, fields[0].slopes, cmap="magma"), ax=last)
    return Picture(
        figure=figure,
        caption="Norm of the gradient of one sample at each place, by block of parameters and by the sample's label; "
        "and the product over the hidden layers of their largest slopes: where it vanishes, so do the gradients below.",
    )


def _subsample(answer: Geometry) -> Picture:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 2.8), layout="constrained")
    axes: Any = figure.add_subplot(xlabel="share of samples", ylabel="cosine")
    for name, style, field in (
        ("largest gradient", "o-", "cosine"),
        ("smallest margin", "^-.", "confidence_cosine"),
        ("random", "s--", "random_cosine"),
    ):
        rows = [(s.share, getattr(s, field)) for s in answer.subsample if getattr(s, field) is not None]
        if rows:
            axes.plot(*zip(*rows, strict=True), style, label=name)
    if axes.lines:
        axes.legend()
    return Picture(figure=figure, caption="Cosine to the whole gradient by share of samples kept.")
