"""Pictures of a classifier of two inputs: labels with hidden lines and numbered cells, and gradient maps by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from symland.analysis.question import Picture
from symland.analysis.regions.gradients import Classifier
from symland.analysis.regions.network import read_network
from symland.records import FloatArray
from symland.spec import LandscapeSpec

if TYPE_CHECKING:
    from symland.analysis.answer_types.geometry import Geometry

__all__ = ["pictures"]

PIXELS = 161
"""Points along each side."""


def pictures(answer: Geometry, spec: LandscapeSpec, theta: FloatArray) -> Mapping[str, Picture]:
    """The label map and the gradient maps of a network with two inputs."""
    from matplotlib.figure import Figure

    network = read_network(spec, theta)
    classifier = Classifier(network, logistic=spec.n_outputs == 1)
    (x0, x1), (y0, y1) = ((float(a), float(b)) for a, b in answer.box)
    xs, ys = np.linspace(x0, x1, PIXELS), np.linspace(y0, y1, PIXELS)
    plane = np.stack([g.ravel() for g in np.meshgrid(xs, ys)], axis=1)
    shape = (PIXELS, PIXELS)
    probabilities = classifier.probabilities(plane)
    extent = (x0, x1, y0, y1)

    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes: Any = figure.add_subplot(xlabel="$x_1$", ylabel="$x_2$")
    top = probabilities.max(axis=1)
    axes.imshow(
        probabilities.argmax(axis=1).reshape(shape), extent=extent, origin="lower", cmap="Pastel1", aspect="auto"
    )
    level = 1 - float(answer.confidence.level)
    if top.min() < level < top.max():
        axes.contour(xs, ys, top.reshape(shape), levels=[level], colors="0.4", linestyles="dotted", linewidths=1)
    for row, offset in zip(network.weights[0], network.biases[0], strict=True):
        signal = float(row[0]) * plane[:, 0] + float(row[1]) * plane[:, 1] + float(offset)
        if signal.min() < 0 < signal.max():
            axes.contour(xs, ys, signal.reshape(shape), levels=[0], colors="black", linewidths=0.8)
    weight = np.array([[float(w) for w in row] for row in network.weights[0]])
    signs = np.sign(plane @ weight.T + np.array([float(c) for c in network.biases[0]]))
    for number, region in enumerate(answer.regions, start=1):
        inside = plane[(signs == [("-0+".index(c) - 1) for c in region.signs]).all(axis=1)]
        if len(inside):
            # Cells are convex, so the mean of their points is inside.
            axes.text(*inside.mean(axis=0), str(number), fontsize=8, ha="center", va="center")
    maps = {
        "geometry": Picture(
            figure=figure,
            caption="Labels (colours), hidden hyperplanes (lines), numbered cells, and the edge of the confident "
            "regions (dotted).",
        )
    }
    found = classifier.gradients(plane, [0] * len(plane), spec.bias)
    heat = Figure(figsize=(6.3, 2.2 * ((len(found.blocks) + 1) // 2)), layout="constrained")
    for place, (name, norms) in enumerate(found.blocks.items(), start=1):
        part: Any = heat.add_subplot((len(found.blocks) + 1) // 2, 2, place, title=name)
        image = part.imshow(norms.reshape(shape), extent=extent, origin="lower", cmap="viridis", aspect="auto")
        heat.colorbar(image, ax=part)
    maps["geometry-gradients"] = Picture(
        figure=heat, caption="Norm of the gradient of one sample of label 0 at each place, by block of parameters."
    )
    curve = Figure(figsize=(4.2, 2.8), layout="constrained")
    lines: Any = curve.add_subplot(xlabel="share of samples", ylabel="cosine")
    rows = [s for s in answer.subsample if s.cosine is not None and s.random_cosine is not None]
    if rows:
        lines.plot([s.share for s in rows], [s.cosine for s in rows], "o-", label="largest gradient")
        lines.plot([s.share for s in rows], [s.random_cosine for s in rows], "s--", label="random")
        lines.legend()
    maps["geometry-subsample"] = Picture(figure=curve, caption="Cosine to the whole gradient by share of samples kept.")
    return maps
