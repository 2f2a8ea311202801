"""The embedding map: the landscapes of narrower networks inside those of wider ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from symland.errors import ReportError
from symland.figures.style import empty_figure, index_colour, index_legend, plain_logarithmic, styled

__all__ = ["Column", "Link", "embedding_columns", "embedding_figure", "map_columns"]

LEVEL_HALF_WIDTH = 0.2
"""Half the length of a level, in units of the distance between two columns."""

SAME_LOSS = 1e-9
"""Losses of one level, in units of 1 + |loss|."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """The landscape of one width: losses and indices of its classes; `copied` marks those of a narrower one."""

    title: str
    losses: tuple[float, ...]
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.losses) != len(self.indices):
            raise ValueError(f"{len(self.losses)} losses for {len(self.indices)} indices")


@dataclass(frozen=True, kw_only=True)
class Link:
    """Class `start` of a column is class `end` of the next one; `escape` is where its new direction leads down to."""

    start: int
    end: int
    escape: int | None = None


def embedding_columns(
    points: Iterable[tuple[float, int]], rows: Sequence[Any], titles: tuple[str, str]
) -> tuple[tuple[Column, Column], tuple[Link, ...]]:
    """Two columns from the table of one extension: each class, and where it and its escape stand in the wider network.

    Parameters
    ----------
    points : (loss, index) of each narrow class
    rows : embedded points with `number`, `loss`, `index_after`, and `escape` with `loss` and `index`, or None
    titles : of the two columns
    """
    narrow = tuple(points)
    wide: list[tuple[float, int]] = []
    links = []

    def place(loss: float, index: int) -> int:
        for n, (other, same) in enumerate(wide):
            if same == index and abs(other - loss) <= SAME_LOSS * (1 + abs(loss)):
                return n
        wide.append((loss, index))
        return len(wide) - 1

    for row in rows:
        end = place(row.loss, row.index_after)
        down = None if row.escape is None else place(row.escape.loss, row.escape.index)
        links.append(Link(start=row.number, end=end, escape=down))
    columns = [
        Column(title=title, losses=tuple(p[0] for p in column), indices=tuple(p[1] for p in column))
        for title, column in zip(titles, (narrow, wide), strict=True)
    ]
    return (columns[0], columns[1]), tuple(links)


def map_columns(found: Any) -> tuple[list[Column], list[list[Link]]]:
    """A column for each width of an embedding map, and the links between neighbours."""
    columns, places, links = [], [], []
    for width in found.widths:
        members = found.column(width)
        places.append({c.number: place for place, c in enumerate(members)})
        columns.append(
            Column(
                title=f"$N_h = {width}$",
                losses=tuple(c.loss for c in members),
                indices=tuple(c.index for c in members),
            )
        )
    for width, here, there in zip(found.widths, places, places[1:], strict=False):
        links.append(
            [
                Link(start=here[k.start], end=there[k.end], escape=there.get(k.escape))
                for k in found.links
                if k.width == width and k.end is not None
            ]
        )
    return columns, links


@styled
def embedding_figure(columns: Sequence[Column], links: Sequence[Sequence[Link]], *, height: float = 4.2) -> Figure:
    """Draw the columns side by side, each class as a level coloured by its index, and the links between them.

    Parameters
    ----------
    columns : n landscapes, the narrowest first
    links : n - 1 lists, from each column to the next

    Raises
    ------
    ReportError
        If there is nothing to draw or the lists do not fit.
    """
    if not columns or not columns[0].losses or len(links) != len(columns) - 1:
        raise ReportError(
            f"{len(columns)} columns and {len(links)} lists of links; give one list between each two columns"
        )
    figure = empty_figure(height)
    axes = figure.add_subplot()
    # Wide networks crowd their classes at the lowest losses.
    if all(loss > 0 for column in columns for loss in column.losses):
        axes.set_yscale("log")
        plain_logarithmic(axes.yaxis)
    for x, column in enumerate(columns):
        for loss, index in zip(column.losses, column.indices, strict=True):
            ends = (x - LEVEL_HALF_WIDTH, x + LEVEL_HALF_WIDTH)
            axes.plot(ends, (loss, loss), color=index_colour(index), linewidth=1.5, zorder=3)
    for x, (column, following, between) in enumerate(zip(columns, columns[1:], links, strict=False)):
        for link in between:
            rise = following.indices[link.end] - column.indices[link.start]
            axes.plot(
                (x + LEVEL_HALF_WIDTH, x + 1 - LEVEL_HALF_WIDTH),
                (column.losses[link.start], following.losses[link.end]),
                color="0.55" if rise else index_colour(column.indices[link.start]),
                linewidth=0.7,
                linestyle=(0, (3, 2)) if rise else "-",
            )
        minima = {n for n, index in enumerate(column.indices) if index == 0}
        _draw_escapes(axes, x + 1, following, between, minima)
    axes.set_xticks(range(len(columns)), [column.title for column in columns])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("loss $E$")
    indices = {index for column in columns for index in column.indices}
    index_legend(axes, indices, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, handletextpad=0.1, columnspacing=1.2)
    return figure


def _draw_escapes(axes: Any, x: int, column: Column, links: Sequence[Link], minima: set[int]) -> None:
    """Arrows down from each embedded minimum to where its escape leads, spread over the right half of the column."""
    pairs = sorted({(link.end, link.escape) for link in links if link.escape is not None and link.start in minima})
    for turn, (start, end) in enumerate(pairs):
        place = x - LEVEL_HALF_WIDTH + (turn + 1) * 2 * LEVEL_HALF_WIDTH / (len(pairs) + 1)
        axes.annotate(
            "",
            (place, column.losses[end]),
            (place, column.losses[start]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "0.35",
                "linewidth": 0.6,
                "mutation_scale": 6,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=4,
        )
