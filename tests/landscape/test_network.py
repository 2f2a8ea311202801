"""Trees, paths and unfolded networks against brute force on random networks, ties included."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from math import exp, inf, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.errors import DatabaseError
from symland.landscape.network import fastest_path, log_rate, lowest_path, transition_network
from symland.landscape.tree import DisconnectivityTree
from symland.landscape.unfold import Copy, unfold
from symland.records import Descent, Outcome, Pathway, StationaryPoint
from symland.spec import builtin
from symland.symmetry import DataAutomorphism, GroupElement, Parity, SymmetryGroup


def point(loss: float, index: int, theta: np.ndarray | None = None, orbit: int = 1, seed: int = 0) -> StationaryPoint:
    theta = np.zeros(4) if theta is None else theta
    size = np.sort(np.random.default_rng(seed).uniform(0.5, 2.0, theta.size))
    spectrum = np.sort(np.where(np.arange(theta.size) < index, -size, size))
    return StationaryPoint(
        theta=theta,
        loss=loss,
        gradient_norm=0.0,
        spectrum=spectrum,
        index=index,
        nullity=0,
        orbit_size=orbit,
        outcome=Outcome.CONVERGED,
    )


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[float], list[tuple[float, int, int]]]:
    """Losses of minima and edges (loss, a, b) above them; few distinct values, so that ties are common."""
    minima = draw(st.lists(st.sampled_from([0.0, 0.125, 0.25]), min_size=1, max_size=7))
    ends = st.integers(0, len(minima) - 1)
    edges = draw(st.lists(st.tuples(st.sampled_from([0.25, 0.5, 0.75, 1.0]), ends, ends), max_size=12))
    return minima, edges


def minimax(minima: list[float], edges: list[tuple[float, int, int]]) -> list[list[float]]:
    """Floyd and Warshall with max in place of +."""
    n = len(minima)
    table = [[minima[a] if a == b else inf for b in range(n)] for a in range(n)]
    for loss, a, b in edges:
        if a != b:
            table[a][b] = table[b][a] = min(table[a][b], loss)
    for k, a, b in product(range(n), repeat=3):
        table[a][b] = min(table[a][b], max(table[a][k], table[k][b]))
    return table


@given(networks())
def test_minima_join_in_the_tree_at_their_minimax_loss(
    network: tuple[list[float], list[tuple[float, int, int]]],
) -> None:
    minima, edges = network
    table = minimax(minima, edges)
    tree = DisconnectivityTree.build(
        dict(enumerate(minima)), [(loss, 100 + n, (a, b)) for n, (loss, a, b) in enumerate(edges)]
    )
    for a, b in permutations(range(len(minima)), 2):
        assert tree.join_loss(a, b) == table[a][b]


@given(networks(), st.randoms())
def test_the_tree_does_not_depend_on_the_order_of_equal_transition_states(network, random) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    listed = [(loss, 100 + n, (a, b)) for n, (loss, a, b) in enumerate(edges)]
    shuffled = [(loss, state, ends[::-1]) for loss, state, ends in random.sample(listed, len(listed))]
    key = dict(enumerate(minima))
    assert shape(DisconnectivityTree.build(key, listed)) == shape(DisconnectivityTree.build(key, shuffled))


def shape(tree: DisconnectivityTree) -> set[tuple[object, ...]]:
    below: list[frozenset[object]] = []
    out = set()
    for node in tree.nodes:
        below.append(frozenset([node.minimum]).union(*(below[c] for c in node.children)) - {None})
        out.add((node.loss, below[-1], frozenset(below[c] for c in node.children), node.transition_states))
    return out


@given(networks())
def test_children_stand_below_their_parents_and_leaves_side_by_side(network) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    tree = DisconnectivityTree.build(
        dict(enumerate(minima)), [(loss, 100 + n, (a, b)) for n, (loss, a, b) in enumerate(edges)]
    )
    x = tree.positions()
    assert sorted(x[list(tree.leaves)]) == list(range(len(minima)))
    parents = tree.parents()
    assert set(tree.roots) == set(range(len(tree.nodes))) - set(parents)
    for child, parent in parents.items():
        assert tree.nodes[child].loss <= tree.nodes[parent].loss
        spread = [x[c] for c in tree.nodes[parent].children]
        assert min(spread) <= x[parent] <= max(spread)


def test_three_basins_that_meet_at_one_loss_join_in_one_node() -> None:
    tree = DisconnectivityTree.build({0: 0.0, 1: 0.0, 2: 0.1}, [(0.5, 7, (0, 1)), (0.5, 8, (1, 2)), (0.5, 9, (2, 0))])
    (root,) = tree.roots
    assert len(tree.nodes[root].children) == 3
    assert tree.nodes[root].transition_states == (7, 8, 9)


def test_a_branch_that_ends_on_a_saddle_connects_through_that_saddle() -> None:
    """Transition state 3 falls onto transition state 2, which joins the minima 0 and 1."""
    points = [point(0.0, 0), point(0.1, 0), point(0.5, 1), point(0.7, 1), point(0.2, 0)]
    paths = [Pathway(transition_state=2, minus=0, plus=1), Pathway(transition_state=3, minus=4, plus=2)]
    tree = DisconnectivityTree.of_classes(points, paths)
    assert tree.join_loss(0, 1) == 0.5
    assert tree.join_loss(4, 0) == tree.join_loss(4, 1) == 0.7
    assert len(tree.leaves) == 3


def test_what_lies_downhill_of_a_saddle_of_index_two_connects_the_minimum_that_fell_on_it() -> None:
    """Transition state 4 joins the minimum 0 to saddle 3 of index 2, which lies above the minima 1 and 2."""
    points = [point(0.0, 0), point(0.1, 0), point(0.2, 0), point(0.5, 2), point(0.7, 1), point(0.6, 1)]
    paths = [Pathway(transition_state=4, minus=0, plus=3), Pathway(transition_state=5, minus=1, plus=2)]
    alone = DisconnectivityTree.of_classes(points, paths)
    assert alone.join_loss(0, 1) == inf
    descents = [Descent(saddle=3, end=1), Descent(saddle=3, end=2)]
    tree = DisconnectivityTree.of_classes(points, paths, descents)
    assert tree.join_loss(0, 1) == tree.join_loss(0, 2) == 0.7
    assert tree.join_loss(1, 2) == 0.5
    path = lowest_path(transition_network(points, paths, descents), 0, 2)
    assert (path.minima, path.transition_states, path.highest) == ((0, 3, 2), (4, 3), 0.7)


def test_the_network_goes_on_below_a_transition_state_that_a_branch_ends_on() -> None:
    """Transition state 3 falls onto transition state 2, which joins the minima 0 and 1; 2 is a place of its own."""
    points = [point(0.0, 0), point(0.1, 0), point(0.5, 1), point(0.7, 1), point(0.2, 0)]
    paths = [Pathway(transition_state=2, minus=0, plus=1), Pathway(transition_state=3, minus=4, plus=2)]
    network = transition_network(points, paths)
    assert lowest_path(network, 0, 1).minima == (0, 1)
    path = lowest_path(network, 4, 1)
    assert path.minima[:2] == (4, 2)
    assert path.transition_states[0] == 3
    assert path.highest == 0.7
    assert sorted(edge["kind"] for _, _, edge in network.edges(data=True)) == ["descent"] * 2 + ["pathway"] * 2


def test_a_transition_state_below_its_minimum_is_refused() -> None:
    with pytest.raises(DatabaseError, match="lies below minimum 1"):
        DisconnectivityTree.build({0: 0.0, 1: 0.6}, [(0.5, 2, (0, 1))])


@given(networks())
def test_coarsening_keeps_what_is_joined_at_each_level(network) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    tree = DisconnectivityTree.build(
        dict(enumerate(minima)), [(loss, 100 + n, (a, b)) for n, (loss, a, b) in enumerate(edges)]
    )
    coarse = tree.coarsened([0.6, 1.0])
    for a, b in permutations(range(len(minima)), 2):
        exact = tree.join_loss(a, b)
        assert coarse.join_loss(a, b) == (0.6 if exact <= 0.6 else exact if exact == inf else 1.0)


@given(networks(), st.sampled_from([0.1, 0.25, 0.5, 0.8]))
def test_what_lies_below_a_loss_joins_as_before(network, ceiling) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    listed = [(loss, 100 + n, (a, b)) for n, (loss, a, b) in enumerate(edges)]
    whole = DisconnectivityTree.build(dict(enumerate(minima)), listed)
    cut = whole.below(ceiling)
    low = [n for n, loss in enumerate(minima) if loss <= ceiling]
    assert sorted(cut.nodes[leaf].minimum for leaf in cut.leaves) == low
    for a, b in permutations(low, 2):
        joined = whole.join_loss(a, b)
        assert cut.join_loss(a, b) == (joined if joined <= ceiling else inf)


@given(networks())
def test_the_lowest_path_reaches_the_minimax_loss(network) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    points = [point(loss, 0) for loss in minima] + [point(loss, 1) for loss, _, _ in edges]
    paths = [Pathway(transition_state=len(minima) + n, minus=a, plus=b) for n, (_, a, b) in enumerate(edges)]
    graph = transition_network(points, paths)
    assert graph.number_of_edges() == len(edges)
    table = minimax(minima, edges)
    for a, b in permutations(range(len(minima)), 2):
        if table[a][b] == inf:
            with pytest.raises(DatabaseError, match="no path joins"):
                lowest_path(graph, a, b)
            continue
        path = lowest_path(graph, a, b)
        assert path.highest == table[a][b]
        assert path.barrier == table[a][b] - minima[a]
        for u, t, v in zip(path.minima, path.transition_states, path.minima[1:], strict=False):
            _, x, y = edges[t - len(minima)]
            assert {u, v} == {x, y}


def test_rates_are_in_detailed_balance_over_classes() -> None:
    """n_a exp(-E_a/T) / sqrt(det H_a) k(a -> t) is the same from either side of a transition state."""
    points = [point(0.1, 0, orbit=8, seed=1), point(0.3, 0, orbit=4, seed=2), point(0.9, 1, orbit=16, seed=3)]
    graph = transition_network(points, [Pathway(transition_state=2, minus=0, plus=1)])
    (edge,) = graph[0][1].values()
    flows = [
        points[a].orbit_size
        * exp(-points[a].loss / 0.2 + log_rate(graph, a, edge, 0.2))
        / prod(points[a].spectrum) ** 0.5
        for a in (0, 1)
    ]
    assert flows[0] == pytest.approx(flows[1], rel=1e-13)


@given(networks(), st.sampled_from([0.02, 0.3, 1e-5]))
@settings(max_examples=40)
def test_the_fastest_path_has_the_largest_product_of_branching_probabilities(network, temperature) -> None:  # type: ignore[no-untyped-def]
    minima, edges = network
    points = [point(loss, 0, seed=n) for n, loss in enumerate(minima)]
    points += [point(loss, 1, seed=50 + n) for n, (loss, _, _) in enumerate(edges)]
    paths = [Pathway(transition_state=len(minima) + n, minus=a, plus=b) for n, (_, a, b) in enumerate(edges)]
    graph = transition_network(points, paths)
    logs: dict[tuple[int, int], list[float]] = {}
    for n, (loss, a, b) in enumerate(edges):
        for u, v in ((a, b), (b, a)):
            if a != b:
                ratio = np.log(points[u].spectrum).sum() - np.log(points[len(minima) + n].spectrum[1:]).sum()
                logs.setdefault((u, v), []).append(ratio / 2 - (loss - minima[u]) / temperature)

    def chance(route: tuple[int, ...]) -> float:
        total = 0.0
        for u, v in pairwise(route):
            if (u, v) not in logs:
                return -inf
            everything = [x for (a, _), values in logs.items() if a == u for x in values]
            total += max(logs[u, v]) - float(np.logaddexp.reduce(everything))
        return total

    a, b = 0, len(minima) - 1
    others = [n for n in range(len(minima)) if n not in (a, b)]
    routes = [(a, *middle, b) for k in range(len(others) + 1) for middle in permutations(others, k)]
    best = max(map(chance, routes))
    if a != b and best > -inf:
        assert chance(fastest_path(graph, a, b, temperature).minima) == pytest.approx(best, rel=1e-9, abs=1e-9)


def group() -> SymmetryGroup:
    identity = DataAutomorphism.identity(2, 2)
    swap = DataAutomorphism(inputs=(1, 0), input_signs=(1, 1), outputs=(0, 1), output_signs=(1, 1))
    return SymmetryGroup(layout=builtin("xor").layout, parity=Parity.ODD, data_automorphisms=(identity, swap))


@pytest.mark.parametrize("seed", range(8))
def test_unfolding_lists_the_images_of_a_pathway_under_every_element(seed: int) -> None:
    """Against all 16 elements of the XOR group, applied to float vectors; the transition state may be symmetric."""
    rng, g = np.random.default_rng(seed), group()
    elements = [
        GroupElement(data=d, places=(p,), signs=(s,))
        for d in range(2)
        for p in permutations(range(2))
        for s in product((1, -1), repeat=2)
    ]
    theta = rng.normal(size=(3, 12)).round(3)
    swapped = theta[0].copy()
    if seed % 2:
        # Fixed by a data automorphism together with an exchange of nodes, which then swaps the two sides.
        both = GroupElement(data=1, places=((1, 0),), signs=((1, 1),))
        swapped = (theta[0] + g.apply(both, theta[0])) / 2
        theta[2] = g.apply(both, theta[1])
    classes = [swapped, theta[1], theta[2]]
    if seed % 2:
        classes = classes[:2]
    points = [point(float(i == 0), int(i == 0), t, orbit=g.orbit_size(t)) for i, t in enumerate(classes)]
    ends = [elements[k] for k in rng.integers(16, size=2)]
    if seed % 2:
        ends = [elements[0], both]
    path = Pathway(transition_state=0, minus=1, plus=len(points) - 1, minus_element=ends[0], plus_element=ends[1])
    unfolded = unfold(points, [path], g)
    goal = {
        (g.apply(k, swapped).tobytes(), frozenset(g.apply(k, g.apply(e, points[n].theta)).tobytes() for e, n in sides))
        for k in elements
        for sides in [list(zip(ends, (path.minus, path.plus), strict=True))]
    }
    assert len(unfolded.edges) == len(goal) == points[0].orbit_size
    assert unfolded.copies == {n: p.orbit_size for n, p in enumerate(points)}
    degrees = sorted(
        sum(copy in edge for edge in unfolded.edges) for copy in {e for t in unfolded.edges for e in t[1:]}
    )
    keys = {key for _, both_ends in goal for key in both_ends}
    assert degrees == sorted(sum(key in both_ends for _, both_ends in goal) for key in keys)
    assert all(isinstance(end, Copy) for edge in unfolded.edges for end in edge)


def test_unfolding_refuses_pathways_without_elements_and_too_many_copies() -> None:
    g = group()
    theta = np.random.default_rng(3).normal(size=(2, 12))
    points = [point(0.0, 0, theta[0], orbit=16), point(1.0, 1, theta[1], orbit=16)]
    with pytest.raises(DatabaseError, match="no group elements"):
        unfold(points, [Pathway(transition_state=1, minus=0, plus=0)], g)
    path = Pathway(transition_state=1, minus=0, plus=0, minus_element=g.identity, plus_element=g.identity)
    with pytest.raises(DatabaseError, match="collapsed tree"):
        unfold(points, [path], g, largest=10)


def test_descents_unfold_with_the_saddle_that_they_leave() -> None:
    """Against all 16 elements, for a saddle without symmetries and an end that is a copy of its class."""
    rng, g = np.random.default_rng(2), group()
    theta = rng.normal(size=(2, 12))
    points = [point(1.0, 2, theta[0], orbit=16), point(0.0, 0, theta[1], orbit=16)]
    element = g.random_element(rng)
    unfolded = unfold(points, [], g, descents=[Descent(saddle=0, end=1, element=element)])
    assert unfolded.copies == {0: 16, 1: 16}
    assert len(set(unfolded.descents)) == 16
    assert {saddle.copy for saddle, _ in unfolded.descents} == set(range(16))
    tree = DisconnectivityTree.of_copies(points, unfolded)
    # Each copy of the saddle leads to one copy of the minimum alone, so that nothing joins.
    assert len(tree.roots) == 16
