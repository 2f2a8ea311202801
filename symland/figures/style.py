"""What all figures share: fonts that match a LaTeX page, a colour and a mark for each index, and saving."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import get_registered_canvas_class
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from symland.errors import ReportError

__all__ = [
    "FORMATS",
    "WIDTH",
    "empty_figure",
    "house_style",
    "index_colour",
    "index_legend",
    "index_line",
    "index_mark",
    "index_name",
    "plain_logarithmic",
    "save_figure",
    "styled",
]

WIDTH = 6.3
"""Width of a figure in inches: a page of A4 less its margins."""

FORMATS = ("pdf", "png")
"""Files written for each figure."""

_P = ParamSpec("_P")

# Okabe and Ito's colours, told apart by the colour-blind and in grey; marks repeat the distinction.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

_STYLE: Any = {
    "axes.prop_cycle": cycler(color=_COLOURS),
    "font.family": "serif",
    "font.serif": ["cmr10"],
    "mathtext.fontset": "cm",
    "axes.formatter.use_mathtext": True,
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "ytick.minor.width": 0.4,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
}

_MARKS = ("o", "^", "s", "D", "v", "P")
_BEYOND = ("#555555", "X")


def index_colour(index: int) -> str:
    """The colour of an index; one for all beyond the list."""
    return _COLOURS[index] if index < len(_COLOURS) else _BEYOND[0]


def index_mark(index: int) -> str:
    """The mark of an index."""
    return _MARKS[index] if index < len(_MARKS) else _BEYOND[1]


def index_name(index: int) -> str:
    """What points of an index are called."""
    return {0: "minima", 1: "transition states"}.get(index, f"index {index}")


def house_style() -> AbstractContextManager[None]:
    """A context in which figures are drawn in this style."""
    return mpl.rc_context(_STYLE)


def styled(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Draw a figure in this style and leave matplotlib's settings as they were."""

    @wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with house_style():
            return draw(*args, **kwargs)

    return drawn


class _MeasuredAsDrawn(Figure):
    """A figure whose layout is measured by the renderer that draws it: each formula is typeset once."""

    def draw(self, renderer: Any) -> None:
        if not hasattr(self.canvas, "get_renderer"):
            self.canvas.get_renderer = lambda: renderer  # type: ignore[attr-defined]
        super().draw(renderer)


def empty_figure(height: float, width: float = WIDTH) -> Figure:
    """A figure of a size in inches, laid out so that nothing is cut or overlaps."""
    return _MeasuredAsDrawn(figsize=(width, height), layout="constrained")


def index_line(index: int) -> Any:
    """How a line of an index is drawn: full for minima, broken for others."""
    return {"color": index_colour(index), "linestyle": "-" if index == 0 else "--"}


def index_legend(
    axes: Axes, indices: Iterable[int], *, lines: bool = False, others: Iterable[Line2D] = (), **placing: Any
) -> None:
    """Name the colours and marks of the indices that occur, or their lines, and what else is drawn."""
    handles = [
        Line2D(
            [],
            [],
            label=index_name(k),
            **index_line(k)
            if lines
            else {"color": index_colour(k), "marker": index_mark(k), "linestyle": "none", "markersize": 4.5},
        )
        for k in sorted(set(indices))
    ]
    axes.legend(handles=[*handles, *others], **placing)


def plain_logarithmic(axis: Axis) -> None:
    """Ticks of a logarithmic axis over less than some decades: plain numbers, also between powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, folder: Path, name: str, formats: Iterable[str] = FORMATS) -> list[Path]:
    """Write folder/name.FORMAT for each format (pdf, png, svg), laid out for the first of them.

    The same figure gives the same bytes: no dates are written.

    Raises
    ------
    ReportError
        If a file cannot be written.
    """
    # fontTools logs the age of matplotlib's own fonts when it embeds them.
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with mpl.rc_context({**_STYLE, "svg.hashsalt": "symland"}):
            paths = []
            for kind in formats:
                paths.append(_save(figure, folder / f"{name}.{kind}", kind))
                figure.set_layout_engine("none")
            return paths
    finally:
        logger.setLevel(level)


def _save(figure: Figure, path: Path, kind: str) -> Path:
    """Write one file by its canvas. `Figure.savefig` would draw a figure that is still to be laid out twice."""
    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    figure.set_dpi(mpl.rcParams["savefig.dpi"])
    try:
        getattr(get_registered_canvas_class(kind)(figure), f"print_{kind}")(path, metadata=dated)
    except OSError as error:
        raise ReportError.unwritable(path, error) from None
    return path
