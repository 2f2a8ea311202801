"""The disconnectivity graph of a tree: minima at their losses, joined where paths between them rise to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import log10
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from symland.errors import ReportError
from symland.figures.opened import open_axis
from symland.figures.style import WIDTH, empty_figure, index_colour, plain_logarithmic, styled
from symland.landscape.tree import DisconnectivityTree

__all__ = ["disconnectivity_figure", "draw_tree"]

SHOULDER = 0.05
"""Height of the stem above a root, and of the slanted end of a branch in that style, as a fraction of the axis."""

MOST_LABELS = 60
"""Leaves that are labelled with their numbers at most."""


@styled
def disconnectivity_figure(
    tree: DisconnectivityTree,
    *,
    label: Callable[[Hashable], str] | None = None,
    colours: Mapping[Hashable, float] | None = None,
    colour_label: str = "",
    log_loss: bool = False,
    slanted: bool = False,
    stretch: bool = True,
    quantity: str = "loss $E$",
    height: float = 3.6,
    width: float = WIDTH,
) -> Figure:
    """Draw a disconnectivity graph.

    Parameters
    ----------
    tree : DisconnectivityTree
        Of classes or of labelled copies; `tree.coarsened(levels)` draws the classical one with fixed levels.
    label : callable, optional
        Text under a minimum; its number by default, none where there are too many.
    colours : mapping of minimum to number, optional
        Any column to colour the branches by, with `colour_label` at the colour bar.
    log_loss : bool
        Logarithmic axis of the loss.
    slanted : bool
        The standard style of the literature: branches slant towards their join. By default each branch goes straight up
        to the loss of its join and meets the others there on a level line, so that a shallow minimum hangs on no long
        slanted line.
    stretch : bool
        Whether a linear axis is stretched between levels that would fall together on it; see `symland.figures.opened`.
    quantity : str
        What the heights are.

    Raises
    ------
    ReportError
        If the tree is empty, or the axis is to be logarithmic and a loss is not positive.
    """
    if not tree.nodes:
        raise ReportError("there is no minimum to draw; explore first")
    lowest = min(node.loss for node in tree.nodes)
    if log_loss and lowest <= 0:
        raise ReportError(f"the loss {lowest:.3g} has no logarithm; draw with a linear axis")
    figure = empty_figure(height, width)
    axes = figure.add_subplot()
    scale = None
    if colours is not None:
        values = [colours[tree.nodes[leaf].minimum] for leaf in tree.leaves]
        scale = ScalarMappable(Normalize(min(values), max(values)), "viridis")
    shades = {}
    if scale is not None and colours is not None:
        shades = {leaf: scale.to_rgba(np.array(colours[tree.nodes[leaf].minimum])) for leaf in tree.leaves}
    draw_tree(
        axes, tree, label=label, shades=shades, log_loss=log_loss, slanted=slanted, stretch=stretch, quantity=quantity
    )
    if scale is not None:
        figure.colorbar(scale, ax=axes, label=colour_label, shrink=0.7, pad=0.01)
    return figure


def draw_tree(
    axes: Axes,
    tree: DisconnectivityTree,
    *,
    label: Callable[[Hashable], str] | None = None,
    labels: bool = True,
    shades: Mapping[int, Any] | None = None,
    log_loss: bool = False,
    slanted: bool = False,
    stretch: bool = False,
    quantity: str = "loss $E$",
) -> None:
    """Draw a tree with at least one minimum into axes; `shades` are the colours of leaves by their places."""
    lowest, highest = (f(node.loss for node in tree.nodes) for f in (min, max))
    if log_loss:
        axes.set_yscale("log")
        plain_logarithmic(axes.yaxis)
    opened = open_axis((node.loss for node in tree.nodes), stretch=stretch and not log_loss)
    opened.apply(axes, quantity)
    to_axis: Callable[[float], float] = log10 if log_loss else opened.place
    from_axis: Callable[[float], float] = (lambda y: 10.0**y) if log_loss else opened.loss
    span = (to_axis(highest) - to_axis(lowest)) or 1.0
    x = tree.positions()
    parents = tree.parents()
    lines, colours = [], []
    for place, node in enumerate(tree.nodes):
        low = to_axis(node.loss)
        if place not in parents:
            top = low + SHOULDER * span
            lines.append([(x[place], node.loss), (x[place], from_axis(top))])
        else:
            parent = parents[place]
            top = to_axis(tree.nodes[parent].loss)
            bend = max(low, top - SHOULDER * span) if slanted else top
            lines.append([(x[place], node.loss), (x[place], from_axis(bend)), (x[parent], tree.nodes[parent].loss)])
        colours.append((shades or {}).get(place, "0.25"))
    many = len(tree.leaves) > MOST_LABELS
    axes.add_collection(
        LineCollection(lines, colors=colours, linewidths=0.6 if many else 1.1, capstyle="round", joinstyle="round")
    )
    leaf_colours = [colours[leaf] if shades else index_colour(0) for leaf in tree.leaves]
    _mark_minima(axes, tree, x, label if labels else _nameless, many, leaf_colours)
    axes.set_xlim(-0.7, len(tree.leaves) - 0.3)
    axes.set_ylim(
        from_axis(to_axis(lowest) - (0.1 if not many else 0.04) * span), from_axis(to_axis(highest) + 0.06 * span)
    )
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _nameless(minimum: Hashable) -> str:
    return ""


def _mark_minima(
    axes: Axes,
    tree: DisconnectivityTree,
    x: np.ndarray,
    label: Callable[[Hashable], str] | None,
    many: bool,
    shades: Sequence[Any],
) -> None:
    leaves = list(tree.leaves)
    losses = [tree.nodes[leaf].loss for leaf in leaves]
    axes.scatter(x[leaves], losses, s=4 if many else 12, c=shades, zorder=3, linewidths=0)
    if many and label is None:
        return
    for leaf, loss in zip(leaves, losses, strict=True):
        minimum = tree.nodes[leaf].minimum
        text = label(minimum) if label else str(getattr(minimum, "number", minimum))
        axes.annotate(
            text, (x[leaf], loss), xytext=(0, -4), textcoords="offset points", ha="center", va="top", fontsize=7.5
        )
