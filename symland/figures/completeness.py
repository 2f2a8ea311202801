"""How the list of classes grew with the searches."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symland.errors import ReportError
from symland.figures.style import empty_figure, index_colour, index_name, styled

__all__ = ["completeness_figure"]


@styled
def completeness_figure(curve: Sequence[tuple[int, Sequence[int]]], *, height: float = 2.4) -> Figure:
    """Classes found against searches made, by index.

    Parameters
    ----------
    curve : sequence of (searches, classes by index)

    Raises
    ------
    ReportError
        If the curve is empty.
    """
    if not curve:
        raise ReportError("there is no search to draw; explore first")
    figure = empty_figure(height)
    axes = figure.add_subplot()
    searches = [0, *(point[0] for point in curve)]
    for index in range(max(len(classes) for _, classes in curve)):
        found = [0, *(classes[index] if index < len(classes) else 0 for _, classes in curve)]
        if not any(found):
            continue
        axes.step(searches, found, where="post", color=index_colour(index), linewidth=1.2)
        axes.annotate(
            f"{index_name(index)}: {found[-1]}",
            (searches[-1], found[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=index_colour(index),
        )
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("searches")
    axes.set_ylabel("classes found")
    return figure
