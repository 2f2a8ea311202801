"""The tree of an enumeration: how the first box is halved again and again, and why each leaf closed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb

from symland.rigor.strict import need

__all__ = ["SEVERAL", "Box", "Leaf", "Tree", "read_box", "read_double", "read_tree"]

REASONS = ("residuals", "logits", "joint", "known", "theorem")
SEVERAL = -2
"""Points of different classes were met in a leaf."""
MOST_NODES = 2_000_000

_HEX = re.compile(r"-?0x[01]\.[0-9a-f]{13}p[+-][0-9]{1,4}|-?0x0\.0p\+0", re.ASCII)
_LEAF = re.compile(r"([a-z]+)(?: (several|0|[1-9][0-9]{0,5}))?", re.ASCII)

Box = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A closed cell.

    Attributes
    ----------
    cell : lower and upper ends of P_1, ..., P_D, g.
    reason : why it closed.
    met : the class that was met in it, None, or SEVERAL.
    """

    cell: Box
    reason: str
    met: int | None


Row = tuple[int, float] | int
"""An axis and the place where a cell is halved; or the number of a leaf."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The leaves, the rows in preorder, and where the rows of the subtree that begins at each end."""

    leaves: tuple[Leaf, ...]
    rows: tuple[Row, ...]
    ends: tuple[int, ...]

    def leaves_that_may_hold(self, where: Sequence[arb]) -> Iterator[int]:
        """Numbers of the leaves in which balls of (P, g) may lie: others are on the wrong side of some middle."""
        waiting = [0]
        while waiting:
            place = waiting.pop()
            row = self.rows[place]
            if isinstance(row, int):
                yield row
                continue
            axis, middle = row
            if not bool(where[axis] > middle):
                waiting.append(place + 1)
            if not bool(where[axis] < middle):
                waiting.append(self.ends[place + 1])


def read_double(text: Any) -> float:
    """The double of a text as ``float.hex`` writes it."""
    need(isinstance(text, str) and bool(_HEX.fullmatch(text)), "a number is not the hexadecimal text of a double")
    value = float.fromhex(text)
    need(abs(value) < 2.0**100 and value.hex() == text, "a number is too large, or not written as a double is")
    return value


def read_box(rows: Any, sides: int) -> Box:
    """A box of the given number of sides."""
    need(isinstance(rows, list) and len(rows) == sides, "the first box has another number of sides")
    need(all(isinstance(row, list) and len(row) == 2 for row in rows), "a side of the first box is not a pair")
    box = tuple((read_double(row[0]), read_double(row[1])) for row in rows)
    need(all(low < high for low, high in box), "a side of the first box is empty")
    return box


def _parts(cell: Box, axis: int, middle: float) -> tuple[Box, Box]:
    low, high = cell[axis]
    before, after = cell[:axis], cell[axis + 1 :]
    return (*before, (low, middle), *after), (*before, (middle, high), *after)


def read_tree(box: Box, rows: Any, classes: int) -> Tree:
    """The tree of rows in preorder: [axis, middle] with the lower half first, or a leaf.

    A cell that is halved is the union of its halves, so the leaves cover the box whatever the places of the cuts; that
    every middle lies strictly inside its cell makes them a tiling, and that no row is missing or left over a tree.
    """
    need(isinstance(rows, list) and 0 < len(rows) <= MOST_NODES, "the tree is no list, or too long")
    waiting, leaves, tree = [box], list[Leaf](), list[Row]()
    for row in rows:
        need(bool(waiting), "the tree goes on after its last leaf")
        cell = waiting.pop()
        if isinstance(row, list):
            need(len(row) == 2 and type(row[0]) is int and 0 <= row[0] < len(box), "a halving is malformed")
            middle = read_double(row[1])
            need(cell[row[0]][0] < middle < cell[row[0]][1], "a cell is not halved inside itself")
            lower, upper = _parts(cell, row[0], middle)
            waiting += [upper, lower]
            tree.append((row[0], middle))
            continue
        found = _LEAF.fullmatch(row) if isinstance(row, str) else None
        need(found is not None and found[1] in REASONS, "a leaf has no reason that is known")
        assert found is not None
        met = None if found[2] is None else SEVERAL if found[2] == "several" else int(found[2])
        need(met is None or met < classes, "a leaf was closed by a class that is not in the list")
        need(found[1] != "known" or met is not None, "a leaf that known points closed does not say by which")
        tree.append(len(leaves))
        leaves.append(Leaf(cell, found[1], met))
    need(not waiting, "the tree ends before its last leaf: a part of the first box is not covered")
    ends, open_ends = [0] * len(tree), list[int]()
    for place in range(len(tree) - 1, -1, -1):
        if isinstance(tree[place], int):
            ends[place] = place + 1
        else:
            open_ends.pop()
            ends[place] = open_ends.pop()
        open_ends.append(ends[place])
    return Tree(tuple(leaves), tuple(tree), tuple(ends))
