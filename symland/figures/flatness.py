"""Widths of minima: local entropies, spectra, test errors, and where searches for width end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from symland.figures.style import empty_figure, styled
from symland.records import FloatArray

__all__ = ["ends_figure", "entropy_figure", "test_figure", "width_figure"]

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
        sigmas = sorted({e.sigma for c in classes for e in c.local_entropy})
        axes.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"$T = {temperature:g}$")
        axes.set_xlabel(r"$\sigma$")
    panels[0].set_ylabel(r"$\Phi(\sigma, T)$")
    panels[-1].legend(title="class", fontsize=6, ncols=2)
    return figure


@styled
def width_figure(widths: Sequence[float], spectra: Sequence[FloatArray], names: Sequence[str]) -> Figure:
    """Eigenvalues of every minimum against its width, -1/2 ln det of its Hessian; each named at its largest."""
    figure = empty_figure(3.2)
    axes = figure.add_subplot(xlabel=r"width $-\frac{1}{2}\,\ln\,\det\,H$", ylabel="Hessian eigenvalues")
    for width, spectrum, name in zip(widths, spectra, names, strict=True):
        axes.plot(np.full(len(spectrum), width), spectrum, "_", color="C0", markersize=9, markeredgewidth=0.9)
        axes.annotate(name, (width, float(spectrum.max())), (0, 3), textcoords="offset points", ha="center", fontsize=7)
    axes.set_yscale("log")
    return figure


@styled
def test_figure(pairs: Sequence[tuple[float, float]], title: str) -> Figure:
    """Test error of every minimum against its local entropy."""
    figure = empty_figure(3.0)
    axes = figure.add_subplot(xlabel=r"local entropy $\Phi(\sigma, T)$", ylabel="test error", title=title)
    axes.plot([phi for phi, _ in pairs], [wrong for _, wrong in pairs], "o", markersize=4, alpha=0.7)
    return figure


@styled
def ends_figure(found: Any) -> Figure:
    """Which share of the runs of each search ends in which minimum, by its loss, and how wide each of these is.

    Parameters
    ----------
    found : Replicas
        What `symland replicas` found.
    """
    ends = sorted(found.ends, key=lambda end: -max(end.shares.values()))[:MOST_CLASSES]
    ends.sort(key=lambda end: end.loss)
    names = list(ends[0].shares)
    figure = empty_figure(3.8)
    shares, widths = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    places = np.arange(len(ends))
    for k, name in enumerate(names):
        offset = (k - (len(names) - 1) / 2) * 0.8 / len(names)
        shares.bar(places + offset, [end.shares[name] for end in ends], 0.8 / len(names), label=name)
    shares.set_ylabel("share of the runs")
    shares.legend()
    widths.plot(places, [-end.log_det / 2 for end in ends], "o", color="black", markersize=4)
    widths.set_ylabel(r"$-\frac{1}{2}\,\ln\,\det\,H$")
    widths.set_xticks(places, [f"{end.loss:.6g}" for end in ends], rotation=45, ha="right")
    widths.set_xlabel("loss of the minimum")
    return figure
