"""What transition states connect, against landscapes where it is known."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import networkx as nx
import numpy as np
import pytest

from symland.explore import Connections, Plan, connect, explore
from symland.explore.flow import gradient_flow
from symland.explore.identify import stationary_point
from symland.explore.pathways import LostBranch
from symland.records import Outcome
from tests.explore.landscapes import Wells, explored, no_symmetry, xor


def test_transition_states_of_wells_join_the_corners_of_a_cube():
    wells = Wells(3)
    found = explore(wells, no_symmetry(3), until="morse, repeat 3, quiet 0.5")
    connections = connect(wells, no_symmetry(3), found.points)
    assert not connections.lost
    assert len(connections.points) == len(found.points)
    graph = nx.Graph()
    for path in connections.pathways:
        minus, plus = (np.round(found.points[k].theta).astype(int) for k in (path.minus, path.plus))
        graph.add_edge(tuple(minus.tolist()), tuple(plus.tolist()))
        np.testing.assert_allclose((minus + plus) / 2, found.points[path.transition_state].theta, atol=1e-9)
    assert nx.is_isomorphic(graph, nx.hypercube_graph(3))


@cache
def joined() -> Connections:
    """XOR with two nodes, connected."""
    return connect(*xor((2,), "1e-2"), explored((2,), "1e-2").points)


def test_group_elements_carry_the_representatives_to_the_ends_of_the_branches():
    """Each end g theta_k lies downhill: a straight flow from a short step beyond the transition state reaches it."""
    kernel, group = xor((2,), "1e-2")
    connections, points = joined(), explored((2,), "1e-2").points
    assert len(connections.pathways) == sum(p.index == 1 for p in points)
    for path in connections.pathways:
        state = points[path.transition_state]
        vector = np.linalg.eigh(kernel.hessian(state.theta[None])[0])[1][:, 0]
        ends = np.array(
            [
                group.apply(path.minus_element, points[path.minus].theta),
                group.apply(path.plus_element, points[path.plus].theta),
            ]
        )
        if connections.ends_on_saddle(path):
            continue
        flow = gradient_flow(kernel, np.array([state.theta - 0.02 * vector, state.theta + 0.02 * vector]))
        gaps = np.abs(flow.theta[:, None] - ends[None]).max(-1)
        # The sign of the eigenvector is free.
        assert min(gaps[0, 0] + gaps[1, 1], gaps[0, 1] + gaps[1, 0]) < 1e-4


def test_branches_within_a_symmetric_subspace_may_end_on_a_saddle_and_say_so():
    """A zero node stays zero along the flow: a branch of the embedded landscape ends on an embedded minimum that is
    a transition state of the wider network."""
    connections = joined()
    ended = [path for path in connections.pathways if connections.ends_on_saddle(path)]
    # Of the three transition states of one node, two keep their index with a second node of zero weights.
    assert len(ended) == 2
    for path in ended:
        saddle = max((connections.points[k] for k in (path.minus, path.plus)), key=lambda p: p.index)
        assert saddle.index == 1
        # One node of the saddle is zero: columns of W_1 and W_2 and its bias.
        blocks = [saddle.theta[[2 * j, 2 * j + 1, 4 + j, 6 + j, 8 + j]] for j in range(2)]
        assert min(np.abs(block).max() for block in blocks) < 1e-9


def test_a_minimum_that_only_a_branch_finds_is_returned():
    wells = Wells(2, tilt=0.05)
    plan = Plan(searches=64, batches=2)
    points = explore(wells, no_symmetry(2), plan=plan, until="morse, repeat 3, quiet 0.5").points
    fewer = [p for p in points if not (p.index == 0 and p.theta.min() > 0)]
    assert len(fewer) == len(points) - 1
    connections = connect(wells, no_symmetry(2), fewer)
    assert len(connections.points) == len(points)
    assert connections.points[-1].index == 0
    assert connections.points[-1].theta.min() > 0


class Troughs(Wells):
    """E = (x^2 - 1)^2 (1 + y^2) / 4: two lines of minima, x = -1 and x = 1, and one transition state, the origin."""

    def value_gradient_hessian(self, theta):
        x, y = theta.T
        square, rest = 1.0 + y**2, x**2 - 1.0
        gradient = np.stack((x * rest * square, rest**2 * y / 2.0), axis=1)
        mixed = 2.0 * x * rest * y
        hessian = np.array([[(3.0 * x**2 - 1.0) * square, mixed], [mixed, rest**2 / 2.0]]).transpose(2, 0, 1)
        return rest**2 * square / 4.0, gradient, hessian


def test_a_branch_may_end_elsewhere_on_a_degenerate_family_than_its_kept_member():
    kernel, group = Troughs(2), no_symmetry(2)
    points = [stationary_point(kernel, group, np.array(theta)) for theta in ([1.0, 0.7], [0.0, 0.0])]
    assert [(p.index, p.nullity) for p in points] == [(0, 1), (1, 0)]
    (path,) = connect(kernel, group, points).pathways
    assert (path.minus, path.plus) == (0, 0)
    assert path.minus_element is None
    assert path.plus_element is None


class Refusing(Wells):
    """Wells whose flow is cut off after some calls, as a budget does."""

    def __init__(self, calls: float) -> None:
        super().__init__(3)
        self.left = calls

    def value_gradient_hessian(self, theta):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().value_gradient_hessian(theta)


def test_what_was_found_before_a_search_for_pathways_is_cut_off_is_kept_and_not_followed_again(monkeypatch):
    monkeypatch.setattr(sys.modules["symland.explore.pathways"], "STATES_AT_ONCE", 2)
    points = explore(Wells(3), no_symmetry(3), until="morse, repeat 3, quiet 0.5").points
    whole = connect(Wells(3), no_symmetry(3), points)
    states = sum(p.index == 1 for p in points)
    assert len(whole.pathways) == states == 12
    kept: list[tuple] = [((), ())]
    counting = Refusing(float("inf"))
    start = counting.left = 10_000
    connect(counting, no_symmetry(3), points)
    calls = start - counting.left
    with pytest.raises(KeyboardInterrupt):
        connect(Refusing(calls // 2), no_symmetry(3), points, keep=lambda *found: kept.append(found))
    before, lost = kept[-1]
    assert 0 < len(before) < states
    counting.left = start
    again = connect(counting, no_symmetry(3), points, known=before, lost=lost)
    assert again.pathways == whole.pathways
    assert start - counting.left < 0.8 * calls
    # A lost branch is not followed again either, and is named again.
    gone = LostBranch(transition_state=before[0].transition_state, sign=1, outcome=Outcome.STALLED)
    fewer = connect(Wells(3), no_symmetry(3), points, known=whole.pathways[1:], lost=(gone,))
    assert fewer.lost == (gone,)
    assert fewer.pathways == whole.pathways[1:]
    # A pathway without group elements, as from an import, is followed.
    bare = [replace(path, minus_element=None) for path in whole.pathways]
    assert connect(Wells(3), no_symmetry(3), points, known=bare).pathways == whole.pathways


def test_a_branch_that_is_slow_waits_until_the_others_are_kept(monkeypatch):
    """With three steps at first no branch arrives; all go on from where they are, and arrive where they would have."""
    points = explore(Wells(3), no_symmetry(3), until="morse, repeat 3, quiet 0.5").points
    whole = connect(Wells(3), no_symmetry(3), points)
    monkeypatch.setattr(sys.modules["symland.explore.pathways"], "FIRST_STEPS", 3)
    told: list[tuple[int, int]] = []
    again = connect(Wells(3), no_symmetry(3), points, progress=lambda note, done, total: told.append((done, total)))
    assert again.pathways == whole.pathways
    assert [done for done, _ in told[:2]] == [0, 0]
    assert len(told) > 2
    monkeypatch.setattr(sys.modules["symland.explore.pathways"], "FLOW_STEPS", 9)
    short = connect(Wells(3), no_symmetry(3), points)
    assert not short.pathways
    assert {branch.outcome for branch in short.lost} == {Outcome.BUDGET}
    assert len(short.lost) == 2 * len(whole.pathways)
