"""Decision regions in a box: the number of connected components of each label, proved by interval subdivision.

The box is cut into leaves of a 2^n-tree. On a *decided* leaf one label holds throughout; on an *open* one several may.

Lower bound. A path inside the region of k runs through leaves on which k is possible and crosses their common sides. So
decided leaves of k that are not joined by such leaves lie in different components.

Upper bound. On an open leaf let the derivative of D_kj along a direction v be positive for every other possible label
j. Then a point of label k that moves along v keeps its label until it leaves through a side that v points out of.
Where every leaf behind these sides is decided for k, or cannot hold k, or *drains* in the same way, each point of label
k on the leaf is joined to a decided leaf of k. Where all open leaves drain, every component holds a decided leaf, and
there are no more components than groups of decided leaves that common sides or such paths join.

Where three labels meet, the part of k is nearly a cone, which need not hold an axis: so v may be oblique there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import gcd
from typing import Any

import networkx as nx
from flint import arb

from symland.analysis.regions.margins import Margins
from symland.analysis.regions.network import Network
from symland.program.balls import exact_ball

__all__ = ["Components", "Leaf", "Tree", "components"]

Key = tuple[int, tuple[int, ...]]
Side = tuple[int, int]
Direction = tuple[int, ...]

FIRST_LEVEL = {1: 7, 2: 6, 3: 3}
"""Halvings of the box before the topology is looked at; 2 in higher dimensions."""

STEEPEST = {2: 3, 3: 1}
"""Largest component of an oblique direction, in sides of a leaf; none in other dimensions."""

LAST_LEVEL = 24
"""Most halvings."""

MOST_LEAVES = 12000
"""Leaves at most."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A box, its possible labels, and for each the directions, in sides of the leaf, along which it flows out."""

    possible: frozenset[int]
    exits: dict[int, tuple[Direction, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of one label.

    Attributes
    ----------
    lower : int
    upper : int or None
        None where parts inside open leaves are not excluded.
    members : tuple of tuples of leaves' keys
        Decided leaves, by group.
    """

    lower: int
    upper: int | None
    members: tuple[tuple[Key, ...], ...]


class Tree:
    """The leaves of a box.

    Parameters
    ----------
    network : Network
    box : n pairs (low, high)
    """

    def __init__(self, network: Network, box: tuple[tuple[Fraction, Fraction], ...]) -> None:
        self.box = box
        self.n = len(box)
        self._margins = Margins(network)
        self.leaves: dict[Key, Leaf] = {}
        self._inner: set[Key] = set()
        self._sides = [exact_ball(high - low) for low, high in box]
        self._axes, self._oblique = _directions(self.n)
        start: Key = (0, (0,) * self.n)
        self.leaves[start] = self._examine(start)
        for _ in range(FIRST_LEVEL.get(self.n, 2)):
            self.split([key for key, leaf in self.leaves.items() if len(leaf.possible) > 1])

    def place(self, key: Key) -> list[tuple[Fraction, Fraction]]:
        """The leaf's box."""
        level, index = key
        parts = 1 << level
        return [
            (low + (high - low) * i / parts, low + (high - low) * (i + 1) / parts)
            for (low, high), i in zip(self.box, index, strict=True)
        ]

    def _examine(self, key: Key) -> Leaf:
        margins, slopes = self._margins.over(self.place(key))
        labels = range(self._margins.labels)
        possible = frozenset(k for k in labels if not any(j != k and margins[k, j] < 0 for j in labels))
        for k in possible:
            if all(margins[k, j] > 0 for j in labels if j != k):
                return Leaf(possible=frozenset({k}))
        exits = {}
        for k in possible:
            rivals = [
                [g * side for g, side in zip(slopes[k, j], self._sides, strict=True)]
                for j in possible
                if j != k and not margins[k, j] > 0
            ]
            exits[k] = tuple(v for v in self._axes if _rising(rivals, v))
            if len(rivals) > 1 or not exits[k]:
                exits[k] += tuple(v for v in self._oblique if _rising(rivals, v))
        # A leaf with a single possible label that is not decided everywhere counts as open.
        return Leaf(possible=possible if len(possible) > 1 else frozenset(labels), exits=exits)

    def split(self, keys: list[Key]) -> None:
        """Halve leaves along every axis."""
        for level, index in keys:
            del self.leaves[level, index]
            self._inner.add((level, index))
            for bits in product((0, 1), repeat=self.n):
                child = (level + 1, tuple(2 * i + b for i, b in zip(index, bits, strict=True)))
                self.leaves[child] = self._examine(child)

    def neighbours(self, key: Key, side: Side) -> Iterator[Key]:
        """The leaves behind one side; none at the border of the box."""
        (level, index), (axis, sign) = key, side
        moved = (*index[:axis], index[axis] + sign, *index[axis + 1 :])
        if not 0 <= moved[axis] < 1 << level:
            return
        up, place = level, moved
        while up >= 0:
            if (up, place) in self.leaves:
                yield up, place
                return
            if (up, place) in self._inner:
                break
            up, place = up - 1, tuple(i >> 1 for i in place)
        stack = [(level, moved)]
        while stack:
            here = stack.pop()
            if here in self.leaves:
                yield here
                continue
            for bits in product((0, 1), repeat=self.n):
                if bits[axis] == (0 if sign > 0 else 1):
                    stack.append((here[0] + 1, tuple(2 * i + b for i, b in zip(here[1], bits, strict=True))))

    def sides(self) -> Iterator[Side]:
        """All sides."""
        return product(range(self.n), (1, -1))


def _directions(n: int) -> tuple[tuple[Direction, ...], tuple[Direction, ...]]:
    """Along the axes, and oblique ones without a common factor."""
    axes = tuple(tuple(sign * (i == j) for j in range(n)) for i in range(n) for sign in (1, -1))
    most = STEEPEST.get(n, 0)
    grid = product(range(-most, most + 1), repeat=n)
    return axes, tuple(v for v in grid if sum(map(bool, v)) > 1 and gcd(*v) == 1)


def _rising(slopes: list[list[Any]], v: Direction) -> bool:
    """Whether every one of some functions is proved to increase along v."""
    return all(sum((g * c for g, c in zip(row, v, strict=True) if c), arb(0)) > 0 for row in slopes)


def _out(v: Direction) -> list[Side]:
    """The sides that a direction points out of."""
    return [(axis, 1 if c > 0 else -1) for axis, c in enumerate(v) if c]


def components(tree: Tree, labels: int, most: int = MOST_LEAVES) -> dict[int, Components]:
    """The components of every label; leaves are halved until they are counted, or there are `most` of them."""
    while True:
        found, open_leaves = {}, set[Key]()
        for k in range(labels):
            drained, drains = _drains(tree, k)
            found[k] = _count(tree, k, drained, drains)
            if found[k].upper != found[k].lower:
                unclear = {key for key, leaf in tree.leaves.items() if len(leaf.possible) > 1 and k in leaf.possible}
                open_leaves |= (unclear - drained.keys()) or unclear
        split = [key for key in open_leaves if key[0] < LAST_LEVEL]
        if not split or len(tree.leaves) + len(split) * 2**tree.n > most:
            return found
        tree.split(split)


def _drains(tree: Tree, k: int) -> tuple[dict[Key, Direction], bool]:
    """The open leaves that drain label k, each with a direction, and whether all do."""
    opened = [key for key, leaf in tree.leaves.items() if len(leaf.possible) > 1 and k in leaf.possible]
    drained: dict[Key, Direction] = {}
    waiting: dict[Key, set[tuple[Key, Direction]]] = {}
    need: dict[tuple[Key, Direction], int] = {}
    ready: list[tuple[Key, Direction]] = []
    for key in opened:
        for v in tree.leaves[key].exits.get(k, ()):
            behind = [list(tree.neighbours(key, side)) for side in _out(v)]
            if not all(behind):
                continue
            others = {
                b for part in behind for b in part if len(tree.leaves[b].possible) > 1 and k in tree.leaves[b].possible
            }
            need[key, v] = len(others)
            for other in others:
                waiting.setdefault(other, set()).add((key, v))
            if not others:
                ready.append((key, v))
    while ready:
        key, v = ready.pop()
        if key in drained:
            continue
        drained[key] = v
        for user in waiting.get(key, ()):
            need[user] -= 1
            if not need[user]:
                ready.append(user)
    return drained, len(drained) == len(opened)


def _count(tree: Tree, k: int, drained: dict[Key, Direction], every: bool) -> Components:
    sure, maybe = nx.Graph(), nx.Graph()
    decided = [key for key, leaf in tree.leaves.items() if leaf.possible == {k}]
    sure.add_nodes_from(decided)
    for key, leaf in tree.leaves.items():
        if k not in leaf.possible:
            continue
        maybe.add_node(key)
        for side in tree.sides():
            for other in tree.neighbours(key, side):
                if k in tree.leaves[other].possible:
                    maybe.add_edge(key, other)
                    if sure.has_node(key) and sure.has_node(other):
                        sure.add_edge(key, other)
    pieces = list(nx.connected_components(sure))
    if every and len(pieces) > 1:
        for piece in sorted(pieces, key=len)[:-1]:
            for key in piece:
                for end in _flows(tree, k, key, drained):
                    sure.add_edge(key, end)
        pieces = list(nx.connected_components(sure))
    lower = sum(any(sure.has_node(key) for key in piece) for piece in nx.connected_components(maybe))
    groups = tuple(tuple(sorted(piece)) for piece in sorted(pieces, key=lambda piece: (-len(piece), min(piece))))
    return Components(lower=lower, upper=len(groups) if every else None, members=groups)


def _flows(tree: Tree, k: int, key: Key, drained: dict[Key, Direction]) -> Iterator[Key]:
    """Decided leaves of k that a path from a decided leaf reaches through open leaves along their directions."""
    here = _lattice(key)
    for side in tree.sides():
        for first in tree.neighbours(key, side):
            if first not in drained:
                continue
            # The centre of the common part of two sides, which belongs to the decided leaf too.
            point = [Fraction(max(a, c) + min(b, d), 2) for (a, b), (c, d) in zip(here, _lattice(first), strict=True)]
            leaf = first
            while leaf in drained:
                v, box = drained[leaf], _lattice(leaf)
                time, axis, sign = min(
                    ((box[axis][sign > 0] - point[axis]) / v[axis], axis, sign) for axis, sign in _out(v)
                )
                point = [x + time * c for x, c in zip(point, v, strict=True)]
                leaf = next(
                    other
                    for other in tree.neighbours(leaf, (axis, sign))
                    if all(low <= x <= high for (low, high), x in zip(_lattice(other), point, strict=True))
                )
            if tree.leaves[leaf].possible == {k}:
                yield leaf


def _lattice(key: Key) -> list[tuple[int, int]]:
    """The leaf's box in units of the smallest leaf."""
    level, index = key
    size = 1 << (LAST_LEVEL - level)
    return [(i * size, (i + 1) * size) for i in index]
