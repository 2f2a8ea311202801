"""Bifurcation diagrams: the loss of every class against a parameter, and how many classes there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symland.figures.style import empty_figure, index_colour, index_legend, index_line, styled

__all__ = ["branch_figure", "diagram_figure", "staircase_figure"]

LINEAR = 1e-2
"""Eigenvalues below this, in units of the largest of the lowest, are drawn on a linear scale."""

_MARKS = {"fold": "o", "pitchfork": "D", "transcritical": "s"}

Line = tuple[Sequence[float], Sequence[float], Sequence[int]]


@styled
def diagram_figure(
    lines: Sequence[Line],
    marks: Sequence[tuple[float, float, str]],
    parameter: str,
    proved: Sequence[Sequence[bool]] = (),
    *,
    height: float = 3.4,
) -> Figure:
    """Loss against the parameter on a logarithmic axis: one line a branch, coloured by index, minima drawn full.

    Parameters
    ----------
    lines : of (parameter, loss, index) along each branch
    marks : of (parameter, loss, kind) of each event
    proved : of truths along each branch
        Where a band is drawn behind the line.
    """
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel=_label(parameter), ylabel="loss $E$", xscale=_scale(parameter))
    for (parameters, losses, _), sure in zip(lines, proved, strict=False):
        cuts = [0, *(k + 1 for k in range(len(sure) - 1) if sure[k] != sure[k + 1]), len(sure)]
        for start, stop in pairwise(cuts):
            if start < stop and sure[start]:
                part = slice(start, min(stop + 1, len(sure)))
                axes.plot(parameters[part], losses[part], color="0.85", linewidth=4.0, zorder=0.5)
    seen: set[int] = set()
    for parameters, losses, indices in lines:
        seen.update(indices)
        cuts = [0, *(k + 1 for k in range(len(indices) - 1) if indices[k] != indices[k + 1]), len(indices)]
        for start, stop in pairwise(cuts):
            index = indices[start]
            # A piece reaches into the next one, so that no gap is seen at an event.
            part = slice(start, min(stop + 1, len(indices)))
            axes.plot(
                parameters[part],
                losses[part],
                linewidth=1.1 if index == 0 else 0.8,
                **index_line(index),
            )
    events = [
        axes.plot(*zip(*chosen, strict=True), mark, color="black", markersize=3.5, zorder=5, label=kind)[0]
        for kind, mark in _MARKS.items()
        if (chosen := [(x, y) for x, y, k in marks if k == kind])
    ]
    index_legend(axes, seen, lines=True, others=events, fontsize=7)
    return figure


@styled
def staircase_figure(
    steps: Sequence[tuple[float, float, Sequence[int]]], parameter: str, *, height: float = 2.8
) -> Figure:
    """Classes of each index against the parameter.

    Parameters
    ----------
    steps : of (low, high, classes by index), from below; high may be infinite
    """
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel=_label(parameter), ylabel="classes", xscale=_scale(parameter))
    edges = [low for low, _, _ in steps]
    last = steps[-1][1]
    edges.append(last if np.isfinite(last) else 3 * edges[-1])
    top = max(len(counts) for _, _, counts in steps)
    for index in range(top):
        heights = [counts[index] if index < len(counts) else 0 for _, _, counts in steps]
        axes.stairs(heights, edges, baseline=None, linewidth=1.2, **index_line(index))
    index_legend(axes, range(top), lines=True, fontsize=7)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def branch_figure(
    values: Sequence[float], lowest: Sequence[Sequence[float]], parameter: str, *, height: float = 2.8
) -> Figure:
    """The lowest eigenvalues along one branch.

    Parameters
    ----------
    values : (n,) the parameter at each station
    lowest : (n, k) eigenvalues, ascending
    """
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel=_label(parameter), ylabel="eigenvalue", xscale=_scale(parameter))
    table = np.array(lowest)
    axes.axhline(0.0, color="0.7", linewidth=0.8)
    for column in table.T:
        axes.plot(values, column, color=index_colour(0), linewidth=0.9)
    size = float(np.abs(table[:, 0]).max()) or 1.0
    axes.set_yscale("symlog", linthresh=10.0 ** np.floor(np.log10(LINEAR * size)), linscale=0.6)
    return figure


def _scale(parameter: str) -> str:
    return "log" if parameter == "lambda" else "linear"


def _label(parameter: str) -> str:
    return r"penalty $\lambda$" if parameter == "lambda" else parameter
