"""Picture of the law of weight scale on data: slopes and their ratio to the law, best factors, gradient norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symland.analysis.question import Picture
from symland.analysis.regions.data_scale import law_slope

if TYPE_CHECKING:
    from symland.analysis.answer_types.weight_scale import WeightScale

__all__ = ["scale_picture"]

FINE = 400
"""Points of the law's curve."""


def scale_picture(answer: WeightScale) -> Picture:
    """Three plots over the factor k: |dL/dk| beside the law, their ratio with its scatter, and gradient norms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.3, 2.6), layout="constrained")
    k = np.array([r.factor for r in answer.rows])
    slope = np.array([(float(r.slope.lower) + float(r.slope.upper)) / 2 for r in answer.rows])
    law = np.array([r.law for r in answer.rows])
    stop = 1 / answer.spacing

    axes: Any = figure.add_subplot(1, 3, 1, xlabel="$k$", xscale="log", yscale="log", title="$|dL/dk|$")
    fine = np.geomspace(k[0], k[-1], FINE)
    density = (float(answer.density.lower) + float(answer.density.upper)) / 2
    curve = np.array([law_slope(density, answer.wrong_by, float(x)) for x in fine])
    axes.plot(fine, np.abs(curve), "--", color="0.4", label="law")
    for sign, marker, name in ((-1, "o", "data, below 0"), (1, "x", "data, above 0")):
        chosen = sign * slope > 0
        if chosen.any():
            axes.plot(k[chosen], np.abs(slope[chosen]), marker, markersize=3.5, label=name)
    least = min(np.abs(law).min(), answer.wrong_by or np.inf)
    axes.set_ylim(max(least / 100, 1e-300), max(np.abs(law).max(), np.abs(slope).max()) * 2)
    axes.legend()

    ratios: Any = figure.add_subplot(1, 3, 2, xlabel="$k$", xscale="log", title=r"$(w - dL/dk)\,/\,(\rho\pi^2/6k^2)$")
    scatter = np.array([r.scatter for r in answer.rows])
    ratios.fill_between(k, 1 - scatter, 1 + scatter, color="0.88", linewidth=0, label="random samples")
    ratios.axhline(1, color="0.4", linestyle="--", linewidth=0.8)
    ratios.plot(k, [r.ratio for r in answer.rows], "o-", markersize=3, linewidth=0.8, label="slope")
    best = [b for b in answer.best if b.k_star is not None and b.ratio is not None]
    if best:
        ratios.plot(
            [float(b.k_star.lower) for b in best if b.k_star is not None],
            [b.ratio for b in best],
            "D",
            markersize=4,
            label="$k^*$",
        )
    ratios.set_ylim(-0.1, 2.1)
    if k[0] < stop < k[-1]:
        for part in (axes, ratios):
            part.axvline(stop, color="0.4", linestyle=":", linewidth=0.8)
    ratios.legend()

    norms: Any = figure.add_subplot(1, 3, 3, xlabel="$k$", xscale="log", yscale="log", title="norm of the gradient")
    for name, values, style in (
        ("output times $k$", [r.gradient for r in answer.rows], "o-"),
        ("all times $k$", [r.gradient_all for r in answer.rows], "s--"),
    ):
        norms.plot(k, np.maximum(values, 1e-300), style, markersize=3, linewidth=0.8, label=name)
    top = max(max(r.gradient, r.gradient_all) for r in answer.rows)
    low = min((v for r in answer.rows for v in (r.gradient, r.gradient_all) if v), default=top)
    if top:
        norms.set_ylim(max(low / 2, top * 1e-12), 2 * top)
    norms.legend()
    return Picture(
        figure=figure,
        caption=r"The output weights times $k$: $|dL/dk|$ of the data and of the law $w - \rho\pi^2/6k^2$; what the "
        r"samples near the boundary add, in units of the law, with the standard deviation for random samples (grey), "
        "and best factors over the law's (diamonds); norm of the gradient of the data's loss. Dotted: $k$ times the "
        "spacing of samples is 1.",
    )
