"""Disconnectivity trees: which minima can reach one another below each loss.

Two minima are joined at the lowest loss L such that a path between them stays at or below L; on a network of
transition states this is its minimax edge (Becker and Karplus, J. Chem. Phys. 106, 1495 (1997)). Kruskal's order of
the transition states gives all joins at once. Transition states of equal loss join their superbasins in one node of
any number of children, so nothing depends on the order in which equal ones come.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symland.errors import DatabaseError
from symland.landscape.unfold import Copy, Unfolded
from symland.records import Descent, FloatArray, Pathway, StationaryPoint

__all__ = ["LEVEL_TOLERANCE", "DisconnectivityTree", "Node"]

LEVEL_TOLERANCE = 1e-11
"""Losses of transition states taken as one level, in units of 1 + |loss|."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A minimum, or the join of superbasins.

    Attributes
    ----------
    loss : float
        Of the minimum, or of the transition states that join.
    children : tuple of int
        Places of the joined nodes in `DisconnectivityTree.nodes`; empty for a minimum.
    minimum : hashable or None
        The minimum: a class number, or (class number, copy) in an unfolded tree.
    transition_states : tuple of int
        Class numbers of those that join here, each once.
    """

    loss: float
    children: tuple[int, ...] = ()
    minimum: Hashable = None
    transition_states: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DisconnectivityTree:
    """A forest: one tree for each connected part of the transition network.

    Attributes
    ----------
    nodes : tuple of Node
        Children before their parents.
    roots : tuple of int
        By increasing lowest loss.
    """

    nodes: tuple[Node, ...]
    roots: tuple[int, ...]

    @classmethod
    def build(
        cls, minima: Mapping[Hashable, float], edges: Iterable[tuple[float, int, Sequence[Hashable]]]
    ) -> DisconnectivityTree:
        """The tree of minima joined by edges.

        Parameters
        ----------
        minima : mapping of minimum to loss
        edges : (loss, transition state, ends)
            What is joined at this loss. An end that is not a minimum, such as a saddle in a symmetric subspace, carries
            connections and is no leaf.

        Raises
        ------
        DatabaseError
            If a transition state lies below a minimum that it joins.
        """
        nodes = [Node(loss=loss, minimum=key) for key, loss in minima.items()]
        parent: dict[Hashable, Hashable] = {key: key for key in minima}
        # The tree node of each set, where it holds a minimum at all.
        top: dict[Hashable, int | None] = {key: place for place, key in enumerate(minima)}

        def find(key: Hashable) -> Hashable:
            if key not in parent:
                parent[key], top[key] = key, None
            root = key
            while parent[root] != root:
                root = parent[root]
            while parent[key] != root:
                parent[key], key = root, parent[key]
            return root

        for level in _levels(edges):
            loss = max(edge[0] for edge in level)
            for edge_loss, state, ends in level:
                _check_above(edge_loss, state, ends, minima)
            before = {end: top[find(end)] for _, _, ends in level for end in ends}
            joining = {find(end): top[find(end)] for end in before}
            for _, _, ends in level:
                for end in ends[1:]:
                    parent[find(end)] = find(ends[0])
            parts: dict[Hashable, set[int]] = {find(root): set() for root in joining}
            states: dict[Hashable, set[int]] = {root: set() for root in parts}
            for root, node in joining.items():
                parts[find(root)] |= {node} if node is not None else set()
            for _, state, ends in level:
                if len({before[end] for end in ends} - {None}) > 1:
                    states[find(ends[0])].add(state)
            for root, children in parts.items():
                if len(children) > 1:
                    joined = Node(
                        loss=loss, children=tuple(sorted(children)), transition_states=tuple(sorted(states[root]))
                    )
                    nodes.append(joined)
                    top[root] = len(nodes) - 1
                else:
                    top[root] = next(iter(children), None)
        lowest = _lowest(nodes)
        roots = {place for key in minima if (place := top[find(key)]) is not None}
        return cls(nodes=tuple(nodes), roots=tuple(sorted(roots, key=lambda r: (lowest[r], r))))

    @classmethod
    def of_classes(
        cls, points: Sequence[StationaryPoint], pathways: Iterable[Pathway], descents: Iterable[Descent] = ()
    ) -> DisconnectivityTree:
        """The tree of classes, copies collapsed: a leaf for each class of minima.

        Below a saddle that a branch ends on, `descents` say where it goes on to.
        """
        minima: dict[Hashable, float] = {n: point.loss for n, point in enumerate(points) if point.index == 0}
        edges = [(points[path.transition_state].loss, path.transition_state, _ends(path, points)) for path in pathways]
        edges += [(points[way.saddle].loss, way.saddle, (way.saddle, way.end)) for way in descents]
        return cls.build(minima, edges)

    @classmethod
    def of_copies(cls, points: Sequence[StationaryPoint], unfolded: Unfolded) -> DisconnectivityTree:
        """The tree of labelled copies: a leaf (class, copy) for each copy of each minimum."""
        minima: dict[Hashable, float] = {
            Copy(n, k): points[n].loss
            for n, count in unfolded.copies.items()
            if points[n].index == 0
            for k in range(count)
        }
        edges = [
            (points[state.number].loss, state.number, (minus, plus, *((state,) if state in unfolded.reached else ())))
            for state, minus, plus in unfolded.edges
        ]
        edges += [(points[saddle.number].loss, saddle.number, (saddle, end)) for saddle, end in unfolded.descents]
        return cls.build(minima, edges)

    @property
    def leaves(self) -> tuple[int, ...]:
        """Places of the minima."""
        return tuple(place for place, node in enumerate(self.nodes) if not node.children)

    def parents(self) -> dict[int, int]:
        """The parent of each node that has one."""
        return {child: place for place, node in enumerate(self.nodes) for child in node.children}

    def join_loss(self, a: Hashable, b: Hashable) -> float:
        """The loss at which two minima are joined; infinity where they are not."""
        parents, place = self.parents(), {self.nodes[leaf].minimum: leaf for leaf in self.leaves}
        above, node = {place[a]}, place[a]
        while node in parents:
            node = parents[node]
            above.add(node)
        node = place[b]
        while node not in above:
            if node not in parents:
                return float("inf")
            node = parents[node]
        return self.nodes[node].loss

    def coarsened(self, levels: Iterable[float]) -> DisconnectivityTree:
        """The tree seen at fixed losses: a join stands at the first level that reaches it.

        Joins above the last level stay where they are.
        """
        ladder = sorted(levels)
        raised = []
        for node in self.nodes:
            step = bisect_left(ladder, node.loss) if node.children else len(ladder)
            raised.append(replace(node, loss=ladder[step]) if step < len(ladder) else node)
        # A join at its parent's level is dissolved into it.
        kept: list[Node] = []
        renamed: dict[int, tuple[int, ...]] = {}
        parents = self.parents()
        for place, node in enumerate(raised):
            children = tuple(c for child in node.children for c in renamed[child])
            parent = parents.get(place)
            if node.children and parent is not None and raised[parent].loss == node.loss:
                renamed[place] = children
                continue
            kept.append(replace(node, children=children))
            renamed[place] = (len(kept) - 1,)
        return DisconnectivityTree(nodes=tuple(kept), roots=tuple(renamed[root][0] for root in self.roots))

    def below(self, loss: float) -> DisconnectivityTree:
        """What lies at or below a loss: the minima there, and the superbasins that they form there."""
        kept = [place for place, node in enumerate(self.nodes) if node.loss <= loss]
        new = {place: k for k, place in enumerate(kept)}
        nodes = tuple(
            replace(self.nodes[place], children=tuple(new[child] for child in self.nodes[place].children))
            for place in kept
        )
        parents, lowest = self.parents(), _lowest(nodes)
        roots = [new[place] for place in kept if parents.get(place) not in new]
        return DisconnectivityTree(nodes=nodes, roots=tuple(sorted(roots, key=lambda r: (lowest[r], r))))

    def positions(self) -> FloatArray:
        """A horizontal place for each node: leaves at 0, 1, 2, ..., the lowest branch in the middle of each join."""
        lowest = _lowest(self.nodes)
        order: list[int] = []
        stack = list(_from_the_middle(self.roots, lowest))[::-1]
        while stack:
            place = stack.pop()
            node = self.nodes[place]
            if node.children:
                stack += list(_from_the_middle(node.children, lowest))[::-1]
            else:
                order.append(place)
        x = np.zeros(len(self.nodes))
        x[order] = np.arange(len(order))
        for place, node in enumerate(self.nodes):
            if node.children:
                ends = [x[child] for child in node.children]
                x[place] = (min(ends) + max(ends)) / 2
        return x


def _ends(path: Pathway, points: Sequence[StationaryPoint]) -> tuple[Hashable, ...]:
    ends = (path.minus, path.plus)
    # Where another path ends on this transition state, it is itself a place of the network.
    return (*ends, path.transition_state) if points[path.transition_state].index else ends


def _levels(
    edges: Iterable[tuple[float, int, Sequence[Hashable]]],
) -> Iterable[list[tuple[float, int, Sequence[Hashable]]]]:
    level: list[tuple[float, int, Sequence[Hashable]]] = []
    for edge in sorted(edges, key=lambda edge: edge[0]):
        if level and edge[0] - level[0][0] > LEVEL_TOLERANCE * (1 + abs(edge[0])):
            yield level
            level = []
        level.append(edge)
    if level:
        yield level


def _check_above(loss: float, state: int, ends: Sequence[Hashable], minima: Mapping[Hashable, float]) -> None:
    for end in ends:
        below = minima.get(end, -np.inf)
        if loss < below - LEVEL_TOLERANCE * (1 + abs(below)):
            raise DatabaseError(
                f"transition state {state} (loss {loss!r}) lies below minimum {end} (loss {below!r}) that it joins; "
                "follow its path again"
            )


def _lowest(nodes: Sequence[Node]) -> list[float]:
    lowest: list[float] = []
    for node in nodes:
        lowest.append(min((lowest[child] for child in node.children), default=node.loss))
    return lowest


def _from_the_middle(places: Sequence[int], lowest: Sequence[float]) -> list[int]:
    """The lowest in the middle, the others left and right of it in turn."""
    out: list[int] = []
    for turn, place in enumerate(sorted(places, key=lambda p: (lowest[p], p))):
        out.insert(len(out) if turn % 2 else 0, place)
    return out
