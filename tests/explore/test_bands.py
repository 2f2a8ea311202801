"""Double-ended searches, against landscapes whose transition states are known."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from symland.explore import bridge, components, explore, stationary_point, transition_states_between
from symland.explore.align import nearest_copy
from symland.layout import Layout
from symland.symmetry import GroupElement, Parity, SymmetryGroup
from tests.explore.landscapes import Wells, explored, no_symmetry, xor


def test_a_band_between_neighbouring_wells_finds_the_pass_between_them():
    wells = Wells(3)
    states = transition_states_between(wells, no_symmetry(3), np.array([-1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0]))
    np.testing.assert_allclose(states, [[0.0, 1.0, 1.0]], atol=1e-9)


def test_wells_are_connected_from_their_minima_alone():
    wells, group = Wells(2, tilt=0.1), no_symmetry(2)
    points = [p for p in explore(wells, group, until="morse, repeat 3, quiet 0.5").points if p.index == 0]
    connections = bridge(wells, group, points)
    assert set(components(connections)[:4]) == {0}
    assert all(p.index <= 1 for p in connections.points)


@pytest.mark.parametrize("penalty", ["1e-2", "1e-3"])
def test_the_minima_of_xor_are_connected_from_their_minima_alone(penalty):
    """The origin's basin is narrow: its pass lies within 0.2 of it."""
    kernel, group = xor((2,), penalty)
    minima = [p for p in explored((2,), penalty).points if p.index == 0]
    connections = bridge(kernel, group, minima)
    assert not connections.lost
    assert set(components(connections)[: len(minima)]) == {0}


def test_without_attempts_the_components_stay_as_they_are():
    wells, group = Wells(2), no_symmetry(2)
    lone = [stationary_point(wells, group, np.array(p)) for p in ([-1.0, 1.0], [1.0, 1.0])]
    connections = bridge(wells, group, lone, attempts=0)
    assert set(components(connections)) == {0, 1}


@pytest.mark.parametrize("parity", Parity)
@pytest.mark.parametrize("hidden", [(1,), (2,), (3,)])
def test_the_nearest_copy_is_the_nearest_of_all(parity, hidden):
    layout, rng = Layout(widths=(2, *hidden, 2), bias=True), np.random.default_rng(0)
    group = SymmetryGroup.hidden_only(layout, parity)
    signs = (1,) if parity is Parity.NONE else (1, -1)
    elements = [
        GroupElement(data=0, places=(p,), signs=(s,))
        for p in permutations(range(hidden[0]))
        for s in product(signs, repeat=hidden[0])
    ]
    for _ in range(10):
        a, b = rng.normal(size=(2, layout.size))
        best = min(np.linalg.norm(group.apply(g, a) - b) for g in elements)
        assert np.linalg.norm(group.apply(nearest_copy(group, a, b), a) - b) == pytest.approx(best)
