"""Boxes of residuals searched for points with n >= 2 nodes that are not zero.

A *cell* is a box of (P, g) with boxes (node, P, g) that hold every node which is not zero and which the residuals
allow.
The nodes are contracted one by one; the multisets of n of them that can meet are those which share residuals and whose
v_j tanh(U_j.x_d) add up to the logits less g.  Few multisets are followed to the end (``follow``); otherwise what is in
no multiset goes, and the nodes are halved, or the cell is, where its nodes find too many partners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import SLACK, Booleans, Fields, empty
from symland.rigor.enumeration_check.follow import Integers, Lanes, Listed, follow
from symland.rigor.enumeration_check.nodes import contract_nodes, only_zero

__all__ = ["Searched", "search_cells"]

BATCH = 16
"""Cells examined in one call."""
SWEEPS = 2
"""Contractions of each node in one examination of its cell."""
NEAR_ZERO = 0.5
"""Nodes within this distance of 0 (weights) are tested for being the zero node only."""
FOLLOWED = 200
"""Multisets of one cell up to which they are followed, ..."""
FOLLOW_LIMIT = 1000
"""... for so many lanes."""
MOST_CLUSTERS, CLUSTER_WIDTH = 6, 0.5
"""Where there are more, and the boxes of the nodes hang together in so few clusters, none of them wider than this
(weights), the multisets of the clusters are followed."""
PULL_WEIGHT, BIAS_WEIGHT = 0.3, 0.25
"""Weights of the widths of P / kappa and of g against that of a weight, when a node is halved."""
CROWD, CROWD_WIDTH = 40.0, 2.0
"""A cell is halved while it has more than CROWD multisets a node and its width (P / kappa or g / 4), times CROWD_WIDTH,
is above the widest node, ..."""
MOST_NODES = 12_000
"""... or more nodes than this."""
SHRUNK = 0.6
"""A cell that shrank to this share in some direction is examined again before anything is halved."""
MOST_PARTS = 1_000_000
"""Multisets, or parts of them, beyond which a cell is halved unseen: each takes half a kilobyte."""
BLOCK = 200_000
"""Pairs of nodes compared at once."""


@dataclass(slots=True)
class Cell:
    """A box (2, D + 1) of (P, g), node boxes (2, k, m + 1) with their residuals (2, k, D + 1), and the owner."""

    box: Doubles
    states: Doubles
    reach: Doubles
    owner: int


@dataclass(slots=True)
class Searched:
    """Which owners were not finished, node boxes for each, and middles z of boxes that were given up."""

    failed: Booleans
    work: Integers
    left: list[Doubles]


@dataclass(slots=True)
class _Nodes:
    """Node boxes of one cell, and what a multiset of them adds up.

    Attributes
    ----------
    states, reach : (2, k, m + 1) and (2, k, D + 1).
    part : (2, k, Q) ranges of g_d = v tanh(U.x_d), of their differences, and of v^2.
    room : (2, k, Q) ranges in which the sum over the nodes of a point lies, for the residuals of this node:
        Delta_d - g, differences of logits (which know nothing of g), sum_d P_d Delta_d - g^2.
    """

    states: Doubles
    reach: Doubles
    part: Doubles
    room: Doubles

    def take(self, which: Booleans) -> _Nodes:
        return _Nodes(self.states[:, which], self.reach[:, which], self.part[:, which], self.room[:, which])


def _least_square(low: Doubles, high: Doubles) -> Doubles:
    """A lower bound of x^2 between two bounds."""
    near = np.where((low > 0.0) | (high < 0.0), np.minimum(np.abs(low), np.abs(high)), 0.0)
    bound: Doubles = near * near * (2.0 - SLACK)
    return bound


def _contracted(fields: Fields, states: Doubles, reach: Doubles, owner: Integers) -> tuple[_Nodes, Integers]:
    """Nodes without those that cannot be, and their owners."""
    m, d = fields.question.width, fields.question.samples
    for _ in range(SWEEPS):
        found = contract_nodes(fields, states, reach)
        alive = ~found.dead
        near = np.flatnonzero(alive & (np.abs(found.states).max(axis=(0, 2)) < NEAR_ZERO))
        alive[near] = ~only_zero(fields, found.states[:, near], found.reach[:, near])
        states, owner, share = found.states[:, alive], owner[alive], found.share[alive]
        reach = fields.balanced(found.reach[:, alive])
        logits = fields.logits(reach[:, :, :d])
        # sum v^2 <= sum P Delta - g^2.
        energy = (fields.work(reach[:, :, :d], logits) - _least_square(*reach[:, :, d])) * SLACK
        alive = ~(empty(reach) | (energy < _least_square(*states[:, :, m])))
        states[1, :, m] = np.fmin(states[1, :, m], np.sqrt(np.maximum(energy, 0.0)) * SLACK)
        states, reach, owner, share = states[:, alive], reach[:, alive], owner[alive], share[alive]
        logits, energy = logits[:, alive], energy[alive]
    first, second = np.triu_indices(d, 1)
    lead, bias = Balls.between(*logits), Balls.between(*reach[:, :, d:])
    output = Balls.between(*states[:, :, m:])
    sums, rooms = (share, share[:, first] - share[:, second]), (lead - bias, lead[:, first] - lead[:, second])
    square = output * output
    part = [np.concatenate([*(getattr(b, end) for b in sums), getattr(square, end)], axis=1) for end in ("low", "high")]
    room = [np.concatenate([getattr(b, end) for b in rooms], axis=1) for end in ("low", "high")]
    room = [np.column_stack([room[0], np.full(len(energy), -np.inf)]), np.column_stack([room[1], energy])]
    return _Nodes(states, reach, np.stack(part), np.stack(room)), owner


@dataclass(slots=True)
class _Parts:
    """Multisets of fewer nodes: their numbers (k, j), shared residuals, parts added and shared rooms."""

    chosen: Integers
    reach: Doubles
    part: Doubles
    room: Doubles

    def with_one_more(self, i: Integers, nodes: _Nodes, j: Integers) -> _Parts:
        def shared(a: Doubles, b: Doubles) -> Doubles:
            return np.stack([np.maximum(a[0][i], b[0][j]), np.minimum(a[1][i], b[1][j])])

        return _Parts(
            np.concatenate([self.chosen[i], j[:, None]], axis=1),
            shared(self.reach, nodes.reach),
            self.part[:, i] + nodes.part[:, j],
            shared(self.room, nodes.room),
        )


def _spare(part: Doubles, room: Doubles, rest: Doubles) -> Doubles:
    """What the other nodes may add, (2, k, Q), above the sum of ``part`` and ``rest``: the room less the sum."""
    low, high = room[0] - part[1] - rest[1], room[1] - part[0] - rest[0]
    # Sums of a few doubles err by far less than this.
    slack = (SLACK - 1.0) * (1.0 + np.abs(part).max(axis=0) + np.abs(rest).max(axis=0))
    return np.stack([low - slack, high + slack])


def _pairs(parts: _Parts, nodes: _Nodes, rest: int) -> tuple[Integers, Integers] | None:
    """Parts i and nodes j >= the last of i which can be in one multiset with ``rest`` more nodes; None if too many."""
    n, added = nodes.states.shape[1], rest * np.stack([nodes.part[0].min(axis=0), nodes.part[1].max(axis=0)])
    # For both: lower ends that must not be above the other's upper ends.
    ours = parts.reach, parts.part, _spare(parts.part, parts.room, added)
    theirs = nodes.reach, nodes.part, _spare(nodes.part, nodes.room, added)
    first = [np.concatenate([a[end] for a in ours], axis=1) for end in (0, 1)]
    second = [np.concatenate([theirs[a][end] for a in (0, 2, 1)], axis=1).T.copy() for end in (0, 1)]
    rows = max(1, BLOCK // n)
    found, count = [], 0
    for start in range(0, len(parts.chosen), rows):
        some = slice(start, start + rows)
        apart = np.arange(n) < parts.chosen[some, -1:]
        for q in range(len(second[0])):
            # What is not a number is not apart.
            apart |= first[0][some, q, None] > second[1][q]
            apart |= first[1][some, q, None] < second[0][q]
        i, j = np.nonzero(~apart)
        found.append((i + start, j))
        count += len(i)
        if count > MOST_PARTS:
            return None
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])


def _multisets(nodes: _Nodes, count: int) -> _Parts | None:
    """The multisets of ``count`` nodes that can meet; None if there are too many parts of them."""
    parts = _Parts(np.arange(len(nodes.states[0]))[:, None], nodes.reach, nodes.part, nodes.room)
    for step in range(1, count):
        pairs = _pairs(parts, nodes, count - 1 - step)
        if pairs is None:
            return None
        i, j = pairs
        parts = parts.with_one_more(i, nodes, j)
    return parts


def _lanes(fields: Fields, nodes: _Nodes, parts: _Parts, owner: int) -> Lanes:
    states = nodes.states[:, parts.chosen].reshape(2, len(parts.chosen), fields.nodes * (fields.question.width + 1))
    z = np.concatenate([states, parts.reach[:, :, -1:]], axis=2)
    return Lanes(z, parts.reach, np.full(len(parts.chosen), owner))


def _clusters(fields: Fields, cell: Cell, owner: int) -> Lanes | None:
    """Near a point a node has many boxes, which hang together: the multisets of their hulls; None if many or wide."""
    low, high = cell.states
    if float((high.max(axis=0) - low.min(axis=0)).max()) > CLUSTER_WIDTH * MOST_CLUSTERS or len(low) > MOST_NODES // 8:
        return None
    touch = (low[:, None] <= high).all(axis=2) & (low <= high[:, None]).all(axis=2)
    count, label = connected_components(coo_array(touch), directed=False)
    if count > MOST_CLUSTERS:
        return None
    hulls = np.array([[low[label == c].min(axis=0), high[label == c].max(axis=0)] for c in range(count)])
    if float((hulls[:, 1] - hulls[:, 0]).max()) > CLUSTER_WIDTH:
        return None
    chosen = np.array(list(combinations_with_replacement(range(count), fields.nodes)))
    states = hulls.swapaxes(0, 1)[:, chosen].reshape(2, len(chosen), -1)
    box = np.repeat(cell.box[:, None], len(chosen), axis=1)
    return Lanes(np.concatenate([states, box[:, :, -1:]], axis=2), box, np.full(len(chosen), owner))


def _in_use(cell: Cell, nodes: _Nodes, parts: _Parts) -> Cell:
    """The cell with the nodes that are in a multiset, each with the hull of the residuals of its multisets."""
    owner = parts.chosen.T.ravel()
    order = np.argsort(owner, kind="stable")
    used, starts = np.unique(owner[order], return_index=True)
    each = order % len(parts.chosen)
    ends = np.minimum.reduceat(parts.reach[0][each], starts), np.maximum.reduceat(parts.reach[1][each], starts)
    reach = np.stack(ends)
    box = np.stack([reach[0].min(axis=0), reach[1].max(axis=0)])
    return Cell(box, nodes.states[:, used], reach, cell.owner)


def _followers(fields: Fields, before: Doubles, cell: Cell, size: int) -> list[Cell]:
    """The same cell with halved nodes, or two halves of it."""
    d = fields.question.samples
    width = cell.box[1] - cell.box[0]
    if (width < SHRUNK * (before[1] - before[0])).any():
        return [cell]
    scale = np.append(np.full(d, 1.0 / fields.scale), BIAS_WEIGHT)
    k = cell.states.shape[1]
    widest = float((cell.states[1] - cell.states[0]).max())
    if k > MOST_NODES or (size > CROWD * (k + 1) and CROWD_WIDTH * float((width * scale).max()) > widest):
        axis = int((width * scale).argmax())
        middle = cell.box[0, axis] * 0.5 + cell.box[1, axis] * 0.5
        halves = []
        for side in (0, 1):
            box, reach = cell.box.copy(), cell.reach.copy()
            box[1 - side, axis] = middle
            pick = (np.minimum, np.maximum)[side]
            reach[1 - side, :, axis] = pick(reach[1 - side, :, axis], middle)
            alive = ~empty(reach)
            halves.append(Cell(box, cell.states[:, alive], reach[:, alive], cell.owner))
        return halves
    scale[:d] *= PULL_WEIGHT
    both = np.concatenate([cell.states, cell.reach], axis=2)
    weight = both[1] - both[0]
    weight[:, -d - 1 :] *= scale
    axis, place = weight.argmax(axis=1), np.arange(k)
    middle = both[0, place, axis] * 0.5 + both[1, place, axis] * 0.5
    left, right = both.copy(), both
    left[1, place, axis] = middle
    right[0, place, axis] = middle
    both = np.concatenate([left, right], axis=1)
    size = cell.states.shape[2]
    return [Cell(cell.box, both[:, :, :size], both[:, :, size:], cell.owner)]


def _first(fields: Fields, box: Doubles, owner: int) -> Cell | None:
    """All nodes under the residuals of a box; None if it holds no point of any kind."""
    d = fields.question.samples
    box = fields.balanced(box[:, None])
    room = fields.work(box[:, :, :d], fields.logits(box[:, :, :d])) - _least_square(*box[:, :, d])
    if empty(box)[0] or room[0] < 0.0:
        return None
    state = fields.first_state(min(float(room[0]), fields.energy))
    return Cell(box[:, 0], state[:, None], box, owner)


def search_cells(fields: Fields, listed: Listed, boxes: Sequence[Doubles], limit: int) -> Searched:
    """Prove that the points with ``fields.nodes`` nodes that are not zero in each box (2, D + 1) of (P, g) are listed.

    Each box has ``limit`` node boxes and lanes at the most.
    """
    count = len(boxes)
    failed, work, left = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.intp), list[Any]()
    stack = [cell for i, box in enumerate(boxes) if (cell := _first(fields, box, i)) is not None]
    while stack:
        failed |= work > limit
        batch = [cell for cell in stack[-BATCH:] if not failed[cell.owner]]
        del stack[-BATCH:]
        if not batch:
            continue
        sizes = [cell.states.shape[1] for cell in batch]
        nodes, place = _contracted(
            fields,
            np.concatenate([cell.states for cell in batch], axis=1),
            np.concatenate([cell.reach for cell in batch], axis=1),
            np.repeat(np.arange(len(batch)), sizes),
        )
        waiting, lanes = [], []
        for number, cell in enumerate(batch):
            work[cell.owner] += SWEEPS * sizes[number]
            mine = nodes.take(place == number)
            if not mine.states.shape[1]:
                continue
            parts = _multisets(mine, fields.nodes)
            if parts is None:
                waiting.append((cell, Cell(cell.box, mine.states, mine.reach, cell.owner), MOST_PARTS))
                continue
            if not len(parts.chosen):
                continue
            rest = _in_use(cell, mine, parts)
            few = len(parts.chosen) <= FOLLOWED
            followed = _lanes(fields, mine, parts, len(waiting)) if few else _clusters(fields, rest, len(waiting))
            if followed is not None:
                lanes.append(followed)
            waiting.append((cell, rest, len(parts.chosen)))
        done = np.zeros(len(waiting), dtype=bool)
        if lanes:
            found = follow(fields, listed, Lanes.join(lanes), len(waiting), FOLLOW_LIMIT)
            tried = np.zeros(len(waiting), dtype=bool)
            tried[[int(part.owner[0]) for part in lanes]] = True
            done = tried & ~found.failed
            for number, (cell, _, _) in enumerate(waiting):
                work[cell.owner] += fields.nodes * found.work[number]
            left = [*left, *found.left][-400:]
        for number, (cell, rest, size) in enumerate(waiting):
            if not done[number]:
                stack += _followers(fields, cell.box, rest, size)
    return Searched(failed | (work > limit), work, left)
