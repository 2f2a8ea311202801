"""Figures draw what they are given, write every format, and leave matplotlib as it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace as row

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from symland.errors import ReportError
from symland.figures import (
    Column,
    Link,
    completeness_figure,
    disconnectivity_figure,
    embedding_columns,
    embedding_figure,
    level_figure,
    network_figure,
    save_figure,
    slice_figure,
    spectrum_figure,
    take_slice,
)
from symland.figures.bifurcation import staircase_figure
from symland.figures.levels import _spread
from symland.figures.networks import network_outputs
from symland.figures.slices import Slice
from symland.landscape.tree import DisconnectivityTree
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Outcome, StationaryPoint
from symland.spec import LandscapeSpec, builtin

RNG = np.random.default_rng(2)
XOR = builtin("xor")
EDGES = [(0.5, 4, (0, 1)), (0.5, 5, (1, 2)), (0.9, 6, (2, 3))]
TREE = DisconnectivityTree.build({0: 0.1, 1: 0.1, 2: 0.2, 3: 0.3}, EDGES)


def points(count: int, size: int = 12) -> list[StationaryPoint]:
    rng, out = np.random.default_rng(count), []
    for n in range(count):
        spectrum = np.sort(rng.normal(size=size) * 10.0 ** rng.integers(-8, 2, size=size))
        out.append(
            StationaryPoint(
                theta=rng.normal(size=size),
                loss=0.1 + (n % 5) * 1e-9,
                gradient_norm=0.0,
                spectrum=spectrum,
                index=int((spectrum < 0).sum()),
                nullity=0,
                orbit_size=4,
                outcome=Outcome.CONVERGED,
            )
        )
    return out


@cache
def taken() -> Slice:
    return take_slice(XOR, np.random.default_rng(3).normal(size=(3, 12)), grid=21)


def figures() -> dict[str, Callable[[], Figure]]:
    rng = np.random.default_rng(2)
    squared = LandscapeSpec.from_canonical(
        {**XOR.canonical(), "loss": "squared", "outputs": 1, "targets": [["0"], ["1"], ["1"], ["0"]]}
    )
    three = builtin("iris")
    columns = (
        Column(title="1", losses=(0.3, 0.5), indices=(0, 1)),
        Column(title="2", losses=(0.3, 0.5, 0.1), indices=(1, 2, 0)),
    )
    links = [[Link(start=0, end=0, escape=2), Link(start=1, end=1)]]
    colours = {0: 1.0, 1: 2.0, 2: 5.0, 3: 1.0}
    return {
        "tree": lambda: disconnectivity_figure(TREE),
        "tree-coloured-log": lambda: disconnectivity_figure(
            TREE, colours=colours, colour_label="copies", log_loss=True
        ),
        "tree-slanted": lambda: disconnectivity_figure(TREE, slanted=True),
        "tree-of-one": lambda: disconnectivity_figure(DisconnectivityTree.build({0: 0.5}, [])),
        "tree-coarse": lambda: disconnectivity_figure(TREE.coarsened([0.6, 1.0])),
        "levels-equal": lambda: level_figure(points(40)),
        "spectra": lambda: spectrum_figure(points(30), mark=2e-3),
        "spectrum-of-one": lambda: spectrum_figure(points(1)),
        "slice": lambda: slice_figure(taken(), ["0", "5", "1"], [0, 1, 0]),
        "network": lambda: network_figure(XOR, rng.normal(size=12), title="minimum 0"),
        "network-of-zeros": lambda: network_figure(XOR, np.zeros(12)),
        "network-squared": lambda: network_figure(squared, rng.normal(size=squared.n_parameters)),
        "network-four-inputs": lambda: network_figure(three, rng.normal(size=three.n_parameters)),
        "embedding": lambda: embedding_figure(columns, links),
        "completeness": lambda: completeness_figure([(10, (1, 0)), (20, (2, 1, 1))]),
    }


EVERY_FORMAT = ("tree-coloured-log", "slice", "network")
"""Figures that are written as PNG and SVG too, and twice: colours, an image, text and lines."""


@pytest.mark.parametrize("name", [name for name in figures() if name not in EVERY_FORMAT])
def test_each_figure_is_written_and_matplotlib_left_as_it_was(tmp_path: Path, name: str) -> None:
    before = dict(mpl.rcParams)
    (path,) = save_figure(figures()[name](), tmp_path, name, ("pdf",))
    assert path.read_bytes().startswith(b"%PDF-")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_figure_is_written_with_the_same_bytes_twice(tmp_path: Path, name: str) -> None:
    before = dict(mpl.rcParams)
    formats = ("pdf", "png", "svg")
    first = [p.read_bytes() for p in save_figure(figures()[name](), tmp_path, name, formats)]
    again = [p.read_bytes() for p in save_figure(figures()[name](), tmp_path, name, formats)]
    assert [data[:5] for data in first] == [b"%PDF-", b"\x89PNG\r", b"<?xml"]
    assert first == again
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("slanted", [False, True])
def test_branches_go_straight_up_unless_they_are_asked_to_slant(slanted: bool) -> None:
    figure = disconnectivity_figure(TREE, slanted=slanted)
    (lines,) = figure.axes[0].collections[:1]
    steps = [step for line in lines.get_segments() for step in np.diff(line, axis=0)]
    assert all((step == 0).any() for step in steps) is not slanted
    # Every branch ends where its parent stands, at its loss.
    ends = {tuple(line[-1]) for line in lines.get_segments()}
    x = TREE.positions()
    assert ends >= {(x[parent], TREE.nodes[parent].loss) for parent in TREE.parents().values()}


def test_a_staircase_ends_at_its_last_step_and_counts_whole_classes() -> None:
    axes = staircase_figure([(1e-3, 1e-2, (4, 3)), (1e-2, math.inf, (1,))], "lambda").axes[0]
    heights = [step.get_path().vertices[[0, -1], 1].tolist() for step in axes.patches]
    assert heights == [[4, 1], [3, 0]]
    assert all(float(tick).is_integer() for tick in axes.get_yticks())


def test_empty_things_and_impossible_axes_are_refused() -> None:
    empty = DisconnectivityTree.build({}, [])
    negative = DisconnectivityTree.build({0: -1.0}, [])
    for draw in (
        lambda: disconnectivity_figure(empty),
        lambda: disconnectivity_figure(negative, log_loss=True),
        lambda: level_figure([]),
        lambda: spectrum_figure([]),
        lambda: embedding_figure([], []),
        lambda: completeness_figure([]),
    ):
        with pytest.raises(ReportError):
            draw()


def test_a_figure_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        save_figure(disconnectivity_figure(TREE), tmp_path / "missing", "tree", ("png",))


def test_a_slice_lies_in_the_plane_of_its_points() -> None:
    """Losses on the grid against the program at points built from the three corners by barycentric coordinates."""
    corners = RNG.normal(size=(3, 12))
    taken = take_slice(XOR, corners, grid=9)
    program = build_program(XOR, ("value",))
    assert taken.at_places == pytest.approx(evaluate(program, corners)[0], rel=1e-13)
    distances = [np.linalg.norm(taken.places[a] - taken.places[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert distances == pytest.approx([np.linalg.norm(corners[a] - corners[b]) for a, b in ((0, 1), (0, 2), (1, 2))])
    frame = np.vstack([taken.places.T, np.ones(3)])
    for i, j in ((0, 0), (3, 7), (8, 2)):
        weights = np.linalg.solve(frame, [taken.s[j], taken.t[i], 1.0])
        assert taken.loss[i, j] == pytest.approx(evaluate(program, (weights @ corners)[None])[0][0], rel=1e-10)


@pytest.mark.parametrize("corners", [[[0, 0], [1, 0], [2, 0]], [[0, 0], [1, 1], [0, 0]], [[0, 0], [0, 0], [0, 0]]])
def test_points_on_a_line_have_no_slice(corners: list[list[int]]) -> None:
    with pytest.raises(ReportError):
        take_slice(XOR, [np.pad(np.array(c, dtype=float), (0, 10)) for c in corners])


def test_network_outputs_are_those_of_the_definition() -> None:
    theta = RNG.normal(size=12)
    w, v, b, c = theta[:4].reshape(2, 2), theta[4:8].reshape(2, 2), theta[8:10], theta[10:]
    for x in ((0.0, 1.0), (0.3, -2.0)):
        hidden = [math.tanh(w[j][0] * x[0] + w[j][1] * x[1] + b[j]) for j in range(2)]
        expected = [v[i][0] * hidden[0] + v[i][1] * hidden[1] + c[i] for i in range(2)]
        assert network_outputs(XOR, theta, np.array([x]))[0] == pytest.approx(expected, rel=1e-14)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(sorted), st.floats(0.01, 0.2))
def test_labels_are_moved_apart_in_order_and_only_where_they_would_overlap(values: list[float], step: float) -> None:
    moved = _spread(values, step)
    assert all(b - a >= step - 1e-9 for a, b in pairwise(moved))
    if all(b - a >= step for a, b in pairwise(values)):
        assert moved == pytest.approx(values)


def test_embedding_columns_join_levels_of_one_loss_and_index() -> None:
    rows = [
        row(number=0, loss=0.5, index_after=1, escape=row(loss=0.2, index=0)),
        row(number=1, loss=0.2, index_after=0, escape=None),
        row(number=2, loss=0.7, index_after=2, escape=row(loss=0.2 + 1e-12, index=0)),
    ]
    (narrow, wide), links = embedding_columns([(0.5, 0), (0.2, 0), (0.7, 1)], rows, ("1", "2"))
    assert narrow.losses == (0.5, 0.2, 0.7)
    assert wide.losses == (0.5, 0.2, 0.7)
    assert [(x.start, x.end, x.escape) for x in links] == [(0, 0, 1), (1, 1, None), (2, 2, 1)]


def test_samples_of_two_classes_at_one_place_are_not_marked() -> None:
    """3-bit parity over two of its bits: at each corner of the square stand one sample of either class."""
    parity, theta = builtin("parity3"), np.zeros(builtin("parity3").n_parameters)
    assert sum(len(c.get_offsets()) for c in network_figure(parity, theta).axes[1].collections[-2:]) == 0
    marked = network_figure(XOR, np.arange(12.0)).axes[1].collections[-2:]
    assert [len(c.get_offsets()) for c in marked] == [2, 2]
