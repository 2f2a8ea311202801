"""A stretched axis keeps order and values, tells near levels apart, and stays linear where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.figures import disconnectivity_figure, level_figure
from symland.figures.opened import MOST_OPENED, OPENED, VISIBLE, open_axis
from symland.landscape.tree import DisconnectivityTree
from tests.report.test_figures import TREE, points

LOSSES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.5, 0.5 + 1e-6, 0.5 + 1e-9, 0.25])), min_size=1, max_size=40
)

NEAR = DisconnectivityTree.build(
    {0: 0.1, 1: 0.4, 2: 0.69314718}, [(0.4 + 1e-7, 3, (0, 1)), (0.69314719, 4, (1, 2)), (0.6931472, 5, (0, 2))]
)
"""A minimum 1e-7 below its barrier, and joins 1e-8 apart."""


@given(LOSSES)
@settings(max_examples=60)
def test_the_map_is_monotone_is_inverted_and_opens_what_it_must(losses: list[float]) -> None:
    axis = open_axis(losses)
    levels = axis.levels
    places = np.array([axis.place(x) for x in levels])
    gaps = np.diff(places)
    assert (gaps > 0).all()
    assert (places[0], places[-1]) == pytest.approx((0.0, 1.0 if len(levels) > 1 else 0.0))
    assert [axis.loss(p) for p in places] == pytest.approx(levels.tolist(), abs=1e-12)
    if len(levels) > 1:
        straight = np.diff(levels) / (levels[-1] - levels[0])
        assert axis.stretched is bool(straight.min() < VISIBLE)
        if axis.stretched:
            assert gaps.min() >= 0.999 * min(OPENED, MOST_OPENED / len(gaps), gaps.max())
        else:
            assert gaps == pytest.approx(straight)
    assert not open_axis(losses, stretch=False).stretched
    # Every loss that was given is that of a level.
    assert all(min(abs(levels - x)) <= 2e-11 * (1 + x) for x in losses)


def test_near_levels_of_a_tree_stand_apart_with_their_own_losses_at_the_ticks() -> None:
    axes = disconnectivity_figure(NEAR).axes[0]
    assert axes.get_yscale() == "function"
    assert axes.get_ylabel() == "loss $E$ (stretched)"
    ticks = axes.yaxis.get_major_locator()()
    texts = [axes.yaxis.get_major_formatter()(t, k) for k, t in enumerate(ticks)]
    losses = np.array(sorted({node.loss for node in NEAR.nodes}))
    for tick, text in zip(ticks, texts, strict=True):
        assert tick in losses
        assert abs(float(text) - tick) <= 0.5001 * 10.0 ** -len(text.partition(".")[2])
    assert len(set(texts)) == len(texts)
    low, high = (axes.transData.transform((0, x))[1] for x in (0.4, 0.4 + 1e-7))
    bottom, top = (axes.transAxes.transform((0, y))[1] for y in (0, 1))
    assert (high - low) / (top - bottom) > 0.8 * OPENED
    # A branch ends at its join's own loss, however the axis is stretched.
    (lines,) = axes.collections[:1]
    ends = {tuple(line[-1]) for line in lines.get_segments()}
    x = NEAR.positions()
    assert ends >= {(x[parent], NEAR.nodes[parent].loss) for parent in NEAR.parents().values()}


def test_the_axis_is_linear_where_levels_are_apart_or_it_is_asked_to_be() -> None:
    assert disconnectivity_figure(TREE).axes[0].get_yscale() == "linear"
    assert disconnectivity_figure(NEAR, stretch=False).axes[0].get_yscale() == "linear"
    assert disconnectivity_figure(NEAR, log_loss=True).axes[0].get_yscale() == "log"
    # Levels that differ by less than rounding are one.
    assert level_figure(points(3)).axes[0].get_yscale() == "linear"
