"""Counts of a study against the width and against the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from symland.errors import ReportError
from symland.figures.style import empty_figure, index_colour, index_mark, index_name, styled

__all__ = ["study_figure"]

DASHES = ("-", "--", ":", "-.")
"""Line styles of the curves of one panel, repeated where there are more."""

Counted = tuple[int, str, Sequence[int]]
"""Width, penalty as text, and classes by index of one cell."""


@styled
def study_figure(cells: Sequence[Counted], *, against: str, height: float = 3.0) -> Figure:
    """Minima and transition states against the width, a curve for each penalty; or the other way round.

    Parameters
    ----------
    cells : sequence of (width, penalty, classes by index)
    against : "hidden" or "penalty"

    Raises
    ------
    ReportError
        If there is no cell.
    """
    if not cells:
        raise ReportError("there is no cell to draw; run the study first")
    wide = against == "hidden"
    figure = empty_figure(height)
    panels = figure.subplots(1, 2)
    curves = sorted({Fraction(p) if wide else Fraction(h) for h, p, _ in cells}, reverse=wide)
    for index, axes in enumerate(panels):
        for number, curve in enumerate(curves):
            points = sorted(
                (float(h) if wide else float(Fraction(p)), counts[index] if index < len(counts) else 0)
                for h, p, counts in cells
                if (Fraction(p) if wide else Fraction(h)) == curve
            )
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=index_colour(number),
                marker=index_mark(number),
                linestyle=DASHES[number // 6 % len(DASHES)],
                markersize=4,
                linewidth=1.1,
                label=rf"$\lambda$ = {float(curve):g}" if wide else f"$N_h$ = {curve}",
            )
        axes.set_title(index_name(index))
        axes.set_ylim(0, None)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        if wide:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("hidden nodes $N_h$")
        else:
            if all(Fraction(p) > 0 for _, p, _ in cells):
                axes.set_xscale("log")
            axes.set_xlabel(r"penalty $\lambda$")
    panels[0].set_ylabel("classes")
    panels[0].legend()
    return figure
