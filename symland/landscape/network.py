"""The transition network: minima joined by transition states, several where there are several.

Rates are those of harmonic transition state theory (Wales, Energy Landscapes, Cambridge 2003), per copy of the class
left: with n copies of a class and the temperature T in units of the loss,

    k(a -> t) = (n_t / n_a) (2 pi)^-1 sqrt( det H_a / |det' H_t| ) exp(-(E_t - E_a) / T),

det' without the negative eigenvalue; n_t / n_a transition states of class t lead away from each copy of a.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from symland.errors import DatabaseError
from symland.records import Descent, Outcome, Pathway, StationaryPoint

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "NetworkPath",
    "add_transition_state",
    "fastest_path",
    "log_det",
    "log_rate",
    "lowest_path",
    "transition_network",
]


@dataclass(frozen=True, kw_only=True)
class NetworkPath:
    """A path through the network.

    Attributes
    ----------
    minima : tuple of int
        Classes visited; one more than transition states.
    transition_states : tuple of int
    highest : float
        Loss of the highest transition state; the loss of the minimum itself on a path of none.
    barrier : float
        `highest` above the first minimum.
    """

    minima: tuple[int, ...]
    transition_states: tuple[int, ...]
    highest: float
    barrier: float


def transition_network(
    points: Sequence[StationaryPoint], pathways: Iterable[Pathway], descents: Iterable[Descent] = ()
) -> nx.MultiGraph:
    """Minima as nodes, pathways as edges; self-edges and several edges between two minima are kept.

    A node carries `loss`, `index`, `orbit_size` and `log_det`; an edge `transition_state`, `loss`, `orbit_size`,
    `log_det` and `kind`, "pathway". log_det is the sum of ln w over the positive eigenvalues w. A branch that ends on a
    saddle in a symmetric subspace makes that saddle a node, with its index. Edges of the kind "descent", at its own
    loss, join it to what lies downhill of it: the ends of its own pathways, or its `descents`.
    """
    import networkx as nx

    network = nx.MultiGraph()
    for number, point in enumerate(points):
        if point.index == 0 and point.outcome is not Outcome.DEGENERATE:
            network.add_node(number, **_facts(point))
    joined = [(path.minus, path.plus, path.transition_state, "pathway") for path in pathways]
    reached = {end for minus, plus, _, _ in joined for end in (minus, plus)}
    joined += [
        (state, end, state, "descent")
        for minus, plus, state, _ in tuple(joined)
        if state in reached
        for end in (minus, plus)
    ]
    joined += [(descent.saddle, descent.end, descent.saddle, "descent") for descent in descents]
    for place, (start, end, state, kind) in enumerate(joined):
        for number in (start, end):
            if number not in network:
                network.add_node(number, **_facts(points[number]))
        facts = _facts(points[state])
        del facts["index"]
        network.add_edge(start, end, key=place, transition_state=state, kind=kind, **facts)
    return network


def add_transition_state(
    network: nx.MultiGraph, points: Sequence[StationaryPoint], pathways: Iterable[Pathway], number: int
) -> None:
    """Make a transition state a place of the network, joined at its own loss to the ends of its pathways.

    Nothing is done where it is a place already, or has no pathway.
    """
    if number in network:
        return
    for path in pathways:
        if path.transition_state != number:
            continue
        network.add_node(number, **_facts(points[number]))
        facts = _facts(points[number])
        del facts["index"]
        for end in (path.minus, path.plus):
            key = network.number_of_edges()
            network.add_edge(number, end, key=key, transition_state=number, kind="descent", **facts)


def log_det(point: StationaryPoint) -> float:
    """Sum of ln w over the Hessian's eigenvalues w above the negative and the zero ones."""
    positive = point.spectrum[point.index + point.nullity :]
    return float(np.log(positive).sum()) if (positive > 0).all() else float("nan")


def _facts(point: StationaryPoint) -> dict[str, float | int]:
    facts = {"loss": point.loss, "index": point.index, "orbit_size": point.orbit_size}
    return {**facts, "log_det": log_det(point)}


def lowest_path(network: nx.MultiGraph, start: int, end: int) -> NetworkPath:
    """The path whose highest transition state is lowest, and so for every part of it.

    The minimum spanning forest by loss holds such a path between any two nodes.

    Raises
    ------
    DatabaseError
        If one of the minima is not in the network or no path joins them.
    """
    import networkx as nx

    _check(network, start, end)
    ranked = nx.Graph()
    # Kruskal's order; of equals a pathway goes before the way over its transition state as a place of its own.
    edges = sorted(network.edges(data=True), key=lambda e: (e[2]["loss"], e[2]["kind"] != "pathway"))
    for rank, (u, v, _) in enumerate(edges):
        if not ranked.has_edge(u, v):
            ranked.add_edge(u, v, rank=rank)
    ranked.add_nodes_from(network)
    route = nx.shortest_path(nx.minimum_spanning_tree(ranked, weight="rank"), start, end)
    return _path(network, route, lambda u, edge: -edge["loss"])


def fastest_path(network: nx.MultiGraph, start: int, end: int, temperature: float) -> NetworkPath:
    """The path that contributes most to the rate from `start` to `end` at a temperature.

    It maximises the product of the branching probabilities k(i -> j) / sum_j k(i -> j) along the path (Wales, Mol.
    Phys. 100, 3285 (2002)), self-edges left out.

    Raises
    ------
    DatabaseError
        As `lowest_path`, or if the temperature is not positive.
    """
    import networkx as nx

    _check(network, start, end)
    if not temperature > 0:
        raise DatabaseError(f"temperature {temperature}; give a positive one, in units of the loss")

    def speed(node: int, edge: Mapping[str, float]) -> float:
        return log_rate(network, node, edge, temperature)

    leaving = {
        node: np.logaddexp.reduce([speed(node, edge) for _, v, edge in network.edges(node, data=True) if v != node])
        for node in network
        if any(v != node for v in network[node])
    }

    def weight(u: int, v: int, edges: Mapping[int, Mapping[str, float]]) -> float | None:
        # Rounding may put a probability of one above it.
        return max(0.0, leaving[u] - max(speed(u, edge) for edge in edges.values())) if u != v else None

    route = nx.dijkstra_path(network, start, end, weight=weight)
    return _path(network, route, speed)


def log_rate(network: nx.MultiGraph, start: int, edge: Mapping[str, float], temperature: float) -> float:
    """ln k from a copy of `start` over the transition states of one edge."""
    node = network.nodes[start]
    prefactor = log(edge["orbit_size"] / node["orbit_size"] / (2 * pi))
    return prefactor + (node["log_det"] - edge["log_det"]) / 2 - (edge["loss"] - node["loss"]) / temperature


def _check(network: nx.MultiGraph, start: int, end: int) -> None:
    import networkx as nx

    for number in (start, end):
        if number not in network:
            raise DatabaseError(
                f"class {number} is not in the network; name a minimum, or a transition state with a pathway"
            )
    if not nx.has_path(network, start, end):
        raise DatabaseError(f"no path joins minima {start} and {end}; search for more transition states")


def _path(
    network: nx.MultiGraph, route: Sequence[int], preference: Callable[[int, Mapping[str, float]], float]
) -> NetworkPath:
    """The route over the preferred transition state of each step."""
    edges = [max(network[u][v].values(), key=lambda edge: preference(u, edge)) for u, v in pairwise(route)]
    highest = max((edge["loss"] for edge in edges), default=network.nodes[route[0]]["loss"])
    return NetworkPath(
        minima=tuple(route),
        transition_states=tuple(edge["transition_state"] for edge in edges),
        highest=highest,
        barrier=highest - network.nodes[route[0]]["loss"],
    )
