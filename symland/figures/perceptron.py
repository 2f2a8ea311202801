"""Exact local entropy of binary perceptrons against distance, around where each rule ended."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from symland.figures.style import empty_figure, styled

__all__ = ["distance_figure"]


@styled
def distance_figure(found: Any) -> Figure:
    """(1/N) ln of the mean number of solutions against distance / N: typical solutions and those of each rule.

    Parameters
    ----------
    found : PerceptronStudy
        What `symland perceptron` found.
    """
    figure = empty_figure(3.2)
    axes = figure.subplots()
    for name, curve in found.local_entropy.items():
        held = [(k / found.size, entropy) for k, entropy in enumerate(curve) if entropy is not None]
        axes.plot(
            [d for d, _ in held],
            [entropy for _, entropy in held],
            "-" if name != "typical" else "--",
            color="black" if name == "typical" else None,
            marker="o",
            markersize=2.5,
            linewidth=0.9,
            label=name,
        )
    axes.set_xlabel("distance / $N$")
    axes.set_ylabel(r"$\ln(\mathrm{solutions}) / N$")
    if found.local_entropy:
        axes.legend()
    return figure
