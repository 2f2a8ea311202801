"""One picture of a landscape at a time, as a person asks for it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from symland.errors import ReportError
from symland.explore.align import nearest_copy
from symland.figures import (
    disconnectivity_figure,
    level_figure,
    network_figure,
    save_figure,
    slice_figure,
    spectrum_figure,
    take_slice,
)
from symland.landscape.exchange import class_columns
from symland.landscape.landscape import Landscape
from symland.landscape.tree import DisconnectivityTree
from symland.landscape.unfold import Copy
from symland.records import FloatArray

__all__ = [
    "SUFFIXES",
    "draw_levels",
    "draw_network",
    "draw_slice",
    "draw_spectra",
    "draw_tree",
    "need_suffix",
    "save_drawing",
]

SUFFIXES = ("pdf", "png", "svg")
"""Formats that a drawing can have, by the end of its file's name."""

MOST_LEVELS = 10_000
"""Levels of a classical graph."""

TREE_HEIGHT = 3.6
"""Height of a disconnectivity graph, in inches."""


def draw_tree(
    landscape: Landscape,
    *,
    unfolded: bool = False,
    colour: str | None = None,
    log_loss: bool = False,
    levels: int | None = None,
    below: float | None = None,
    labels: bool = True,
    slanted: bool = False,
    linear: bool = False,
) -> Figure:
    """The disconnectivity graph of a landscape.

    Parameters
    ----------
    unfolded : bool
        A leaf for each labelled copy, in place of one for each class.
    colour : str, optional
        A column of the class table that colours the minima.
    log_loss : bool
        Logarithmic axis of the loss.
    levels : int, optional
        Superbasins at so many equidistant losses, the classical form, in place of joins at their exact loss.
    below : float, optional
        Loss up to which the graph is drawn.
    labels : bool
        Whether to write the minima's numbers.
    slanted : bool
        Branches slant towards their joins, in place of going straight up.
    linear : bool
        A linear axis, also where near levels fall together on it; it is always linear with `levels`.

    Raises
    ------
    ReportError
        If there is no minimum, no such column, or a number of levels out of range.
    DatabaseError
        If the copies cannot be unfolded.
    """
    tree = DisconnectivityTree.of_copies(landscape.points, landscape.unfolded()) if unfolded else landscape.tree()
    if below is not None:
        tree = tree.below(below)
    if not tree.nodes:
        raise ReportError("there is no minimum to draw; explore first, or draw up to a higher loss")
    if levels is not None:
        tree = tree.coarsened(_ladder(tree, levels, log_loss))
    colours: Mapping[Hashable, float] | None = None
    if colour is not None:
        column = _column(landscape, colour)
        colours = {leaf: column[_class_of(leaf)] for leaf in (tree.nodes[k].minimum for k in tree.leaves)}
    return disconnectivity_figure(
        tree,
        label=None if labels else lambda _: "",
        colours=colours,
        colour_label=(colour or "").replace("_", " "),
        slanted=slanted,
        stretch=not linear and levels is None,
        log_loss=log_loss,
        height=TREE_HEIGHT,
    )


def _class_of(minimum: Hashable) -> int:
    number = minimum.number if isinstance(minimum, Copy) else minimum
    assert isinstance(number, int)
    return number


def _ladder(tree: DisconnectivityTree, levels: int, log_loss: bool) -> FloatArray:
    if not 2 <= levels <= MOST_LEVELS:
        raise ReportError(f"levels: {levels}; write 2 to {MOST_LEVELS}")
    losses = [node.loss for node in tree.nodes]
    low, high = min(losses), max(losses)
    if log_loss and low > 0.0:
        return np.geomspace(low, high, levels)
    return np.linspace(low, high, levels)


def _column(landscape: Landscape, name: str) -> list[float]:
    table = class_columns(landscape)
    numeric = [key for key, values in table.items() if all(isinstance(v, int | float) for v in values)]
    if name not in numeric:
        known = ", ".join(numeric[:8])
        raise ReportError(f"colour: no column {name!r} in the class table; write one of {known}, a parameter, ...")
    return [float(value) for value in table[name]]


def draw_levels(landscape: Landscape) -> Figure:
    """Every class at its loss, by index."""
    return level_figure(landscape.points)


def draw_spectra(landscape: Landscape) -> Figure:
    """The Hessian eigenvalues of every class."""
    return spectrum_figure(landscape.points, mark=2 * float(landscape.spec.penalty))


def draw_network(landscape: Landscape, number: int) -> Figure:
    """One class as a network with its weights and what it decides.

    Raises
    ------
    ReportError
        If there is no such class.
    """
    point = landscape.point(number)
    title = f"class {number}:  $E = {point.loss:.6f}$"
    return network_figure(landscape.spec, point.theta, title=title)


def draw_slice(landscape: Landscape, numbers: Sequence[int]) -> Figure:
    """The loss on the plane through three classes, the second one's representative and copies of the others near it.

    Where a pathway of the second leads to the other two, the copies are those that it reaches.

    Raises
    ------
    ReportError
        If there are not three classes, one does not exist, or the three lie on a line.
    """
    if len(numbers) != 3:
        raise ReportError(f"a slice needs three classes, got {len(numbers)}; write such as 0,5,1")
    first, middle, last = map(landscape.point, numbers)
    group = landscape.group
    ends = [group.apply(nearest_copy(group, p.theta, middle.theta), p.theta) for p in (first, last)]
    for path in landscape.pathways:
        sides = {path.minus: path.minus_element, path.plus: path.plus_element}
        if path.transition_state == numbers[1] and {numbers[0], numbers[2]} == set(sides) and all(sides.values()):
            elements = [sides[numbers[0]], sides[numbers[2]]]
            if numbers[0] == numbers[2]:
                elements = [path.minus_element, path.plus_element]
            ends = [group.apply(g, p.theta) for g, p in zip(elements, (first, last), strict=True)]
    taken = take_slice(landscape.spec, (ends[0], middle.theta, ends[1]))
    return slice_figure(taken, [str(n) for n in numbers], [p.index for p in (first, middle, last)])


def save_drawing(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that the file's name ends in.

    Raises
    ------
    ReportError
        If that is none of `SUFFIXES`, or the file cannot be written.
    """
    need_suffix(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"{path.parent}: cannot be made ({error.strerror}); give a folder to write into") from None
    return save_figure(figure, path.parent, path.stem, [path.suffix[1:].lower()])[0]


def need_suffix(path: Path) -> None:
    """Refuse a file whose name does not end in one of `SUFFIXES`.

    Raises
    ------
    ReportError
        If it does not.
    """
    if path.suffix[1:].lower() not in SUFFIXES:
        raise ReportError(f"{path}: ends in none of {', '.join(SUFFIXES)}; name the file so")
