"""The quantities of a grid of landscapes against width, penalty or an input's position; its disconnectivity graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from symland.errors import ReportError
from symland.figures.disconnectivity import draw_tree
from symland.figures.style import empty_figure, index_colour, index_mark, styled
from symland.landscape.tree import DisconnectivityTree
from symland.tex import fraction_tex

__all__ = ["Measured", "study_figure", "tree_grid_figure"]

DASHES = ("-", "--", ":", "-.")
"""Line styles of the curves of one panel, repeated where there are more."""

QUANTITIES = ("minima", "transition states", "higher saddles", "transition states / minima", "copies", "lowest loss")
"""The panels, in their order: classes of minima, of transition states and of higher index, the ratio of the first two,
all labelled copies, and the loss of the lowest minimum."""

COUNTED = QUANTITIES[:3]
"""Those whose axis has whole numbers and begins at zero."""

GROWING = ("copies", "lowest loss")
"""Those that are drawn on a logarithmic axis where they differ by more than DECADE."""

DECADE = 10.0
"""Ratio of the largest to the smallest number from which an axis is logarithmic."""

TREE_HEIGHT = 1.5
"""Inches of a row of disconnectivity graphs."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one landscape of a grid adds to a figure: its place, classes and copies by index, and its lowest loss.

    `position` is that of an input that moves, where one does.
    """

    hidden: int
    penalty: Fraction
    counts: Sequence[int]
    copies: Sequence[int]
    lowest: float | None
    position: Fraction | None = None

    def value(self, quantity: str) -> float | None:
        """One of `QUANTITIES`; None where there is none."""
        minima, states = (self.counts[k] if k < len(self.counts) else 0 for k in (0, 1))
        match quantity:
            case "minima":
                return minima
            case "transition states":
                return states
            case "higher saddles":
                return sum(self.counts[2:])
            case "transition states / minima":
                return states / minima if minima else None
            case "copies":
                return sum(self.copies) or None
        return self.lowest


@styled
def study_figure(cells: Sequence[Measured], *, against: str, height: float = 4.6) -> Figure:
    """Six quantities of a grid against the width, a curve for each penalty; or the other way round.

    Against the position of an input there is a curve for each width and penalty.

    Parameters
    ----------
    cells : sequence of Measured
    against : "hidden", "penalty" or "position"

    Raises
    ------
    ReportError
        If there is no cell.
    """
    if not cells:
        raise ReportError("there is no cell to draw; run the study first")
    figure = empty_figure(height)
    panels = figure.subplots(2, 3, sharex=True)
    for quantity, axes in zip(QUANTITIES, panels.flat, strict=True):
        _draw_quantity(axes, cells, quantity, against)
        if quantity in COUNTED:
            axes.set_ylim(0, max(axes.get_ylim()[1], 1.0))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    for axes in panels[1]:
        if against == "position":
            axes.set_xlabel("position of the input")
        elif against == "hidden":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("hidden nodes $N_h$")
        else:
            if all(cell.penalty > 0 for cell in cells):
                axes.set_xscale("log")
                axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlabel(r"penalty $\lambda$")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6))
    return figure


def _curve(cell: Measured, against: str) -> tuple[Fraction, ...]:
    """What the curve of a cell has in common, so that curves sort into the order of the legend."""
    match against:
        case "hidden":
            return (-cell.penalty,)
        case "penalty":
            return (Fraction(cell.hidden),)
    return (Fraction(cell.hidden), -cell.penalty)


def _place(cell: Measured, against: str) -> float:
    match against:
        case "hidden":
            return cell.hidden
        case "penalty":
            return float(cell.penalty)
    return float(cell.position or 0)


def _label(cell: Measured, against: str) -> str:
    width, penalty = f"$N_h = {cell.hidden}$", rf"$\lambda = {fraction_tex(cell.penalty)}$".replace("tfrac", "frac")
    return {"hidden": penalty, "penalty": width}.get(against, f"{width}, {penalty}")


def _draw_quantity(axes: Axes, cells: Sequence[Measured], quantity: str, against: str) -> None:
    curves: dict[tuple[Fraction, ...], list[Measured]] = {}
    for cell in sorted(cells, key=lambda c: (_curve(c, against), _place(c, against))):
        curves.setdefault(_curve(cell, against), []).append(cell)
    drawn: list[float] = []
    for number, curve in enumerate(curves.values()):
        points = [(_place(c, against), value) for c in curve if (value := c.value(quantity)) is not None]
        drawn += [y for _, y in points]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=index_colour(number),
            marker=index_mark(number),
            linestyle=DASHES[number // 6 % len(DASHES)],
            markersize=4,
            clip_on=False,
            linewidth=1.1,
            label=_label(curve[0], against),
        )
    axes.set_title(quantity)
    if quantity in GROWING and drawn and 0 < DECADE * min(drawn) < max(drawn):
        axes.set_yscale("log")


@styled
def tree_grid_figure(trees: Mapping[tuple[int, int], tuple[str, DisconnectivityTree]]) -> Figure:
    """Disconnectivity graphs in rows and columns, each with its title and a loss axis of its own.

    Parameters
    ----------
    trees : mapping of (row, column) to (title, tree)

    Raises
    ------
    ReportError
        If there is none.
    """
    if not trees:
        raise ReportError("there is no minimum to draw; explore first")
    rows, columns = (1 + max(place[k] for place in trees) for k in (0, 1))
    figure = empty_figure(TREE_HEIGHT * rows + 0.1)
    panels = figure.subplots(rows, columns, squeeze=False)
    for place, axes in (
        (place, panels[place]) for place in sorted({(r, c) for r in range(rows) for c in range(columns)})
    ):
        if place not in trees:
            axes.set_axis_off()
            continue
        title, tree = trees[place]
        draw_tree(axes, tree, labels=False)
        axes.set_title(title.replace("tfrac", "frac"), fontsize=8.5)
        axes.tick_params(labelsize=6.5)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_ylabel("loss $E$" if place[1] == 0 else "", fontsize=8)
    return figure
