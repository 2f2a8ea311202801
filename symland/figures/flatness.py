"""Local entropy of minima against the size of the perturbation."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from symland.figures.style import empty_figure, styled

__all__ = ["entropy_figure"]

MOST_CLASSES = 12
"""Minima that are drawn, the lowest first."""


@styled
def entropy_figure(answer: Any) -> Figure:
    """Local entropy against sigma, a panel for each temperature; lines are Laplace's form, dots are sampled.

    Parameters
    ----------
    answer : Flatness
        What `symland flatness` found.
    """
    classes = answer.classes[:MOST_CLASSES]
    temperatures = sorted({e.temperature for c in classes for e in c.local_entropy})
    figure = empty_figure(2.8)
    panels = figure.subplots(1, len(temperatures), sharey=True, squeeze=False)[0]
    for axes, temperature in zip(panels, temperatures, strict=True):
        for place, c in enumerate(classes):
            found = sorted((e for e in c.local_entropy if e.temperature == temperature), key=lambda e: e.sigma)
            colour = f"C{place % 10}"
            drawn = [e for e in found if e.laplace is not None]
            axes.plot([e.sigma for e in drawn], [e.laplace for e in drawn], "-", color=colour, linewidth=0.8)
            held = [e for e in found if e.sampled is not None]
            axes.errorbar(
                [e.sigma for e in held],
                [e.sampled for e in held],
                yerr=[e.error for e in held],
                fmt="o",
                markersize=3,
                color=colour,
                label=f"{c.number}",
            )
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"$T = {temperature:g}$")
        axes.set_xlabel(r"$\sigma$")
    panels[0].set_ylabel(r"$\Phi(\sigma, T)$")
    panels[-1].legend(title="class", fontsize=6, ncols=2)
    return figure
