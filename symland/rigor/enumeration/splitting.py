"""What follows from a task that is not closed: the same task again, halved nodes, or two halves of its cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.search import Survivors, Task

__all__ = ["bisect_nodes", "followers", "split_pull"]

NODE_LIMIT = (1000, 12000, 300, 80)
"""Node boxes of a residual box beyond which it is split instead of them, for N = 1, 2, 3, more."""
PULL_WEIGHT = 0.3
"""Weight of the width of P / kappa against the width of a weight, when a node box is split."""
BIAS_WEIGHT = 0.25
"""The same for gamma."""
CROWD = 40.0
"""For N > 1 a residual box is split while each node has more than this many possible choices on average, ..."""
CROWD_WIDTH = 2.0
"""... unless its width (P / kappa or gamma / 4) is below the width of the widest node divided by this."""
PULL_BIAS = 0.25
"""Weight of the width of gamma against that of P / kappa, when a residual box is split."""
SHRINK_ENOUGH = 0.6
"""A residual box that shrank to this share in some direction is examined again before anything is split."""
SLAB_WIDTH = (0.5, 1.5)
"""Width (P / kappa), in units of the relative width of a slab of penalties, for N = 1 and more, below which a box waits
for a narrower slab, ..."""
SLAB_SQUARE = (60.0, 250.0)
"""... or in units of its square: in wide slabs little closes near a branch, and boxes wait soon."""
SLAB_STATES = 10.0
"""Width (weights) of the widest node, in units of the relative width of a slab, from which nodes are halved first."""
LEAST_WIDTH = 1e-8
"""Width (P / kappa, gamma and weights) below which a box is left undecided: it is beyond double precision's use."""


def bisect_nodes(nodes: Doubles, width: Doubles) -> Doubles:
    """Halve each node box across the row where ``width`` (rows, n) is largest; where it is 0 the box stays.

    Halves stand side by side, so that neighbours in the list are neighbours in space (``match`` lives on that).
    """
    axis, split = width.argmax(axis=0), width.any(axis=0)
    origin = np.repeat(np.arange(axis.size), np.where(split, 2, 1))
    halves, axis = nodes[:, :, origin], axis[origin]
    rows = np.arange(origin.size)
    middle = (halves[0, axis, rows] + halves[1, axis, rows]) * 0.5
    twin = origin[1:] == origin[:-1]
    left, right = np.append(twin, False), np.append(False, twin)
    halves[1, axis[left], rows[left]] = middle[left]
    halves[0, axis[right], rows[right]] = middle[right]
    return halves


def split_pull(problem: ReducedProblem, task: Task) -> list[Task]:
    """Halve a task, and its cell at the same place."""
    axis = int(np.argmax(_widths(problem, task.pull)))
    middle = (task.pull[0, axis] + task.pull[1, axis]) * 0.5
    halves = []
    for side in (0, 1):
        pull, cell = task.pull.copy(), task.cell.copy()
        pull[1 - side, axis] = cell[1 - side, axis] = middle
        fits = task.nodes[0, axis] <= middle if side == 0 else task.nodes[1, axis] >= middle
        halves.append(Task(pull, task.nodes[:, :, fits], cell, task.met))
    return halves


def _widths(problem: ReducedProblem, pull: Doubles) -> Doubles:
    """Widths of P and gamma in one measure."""
    width: Doubles = (pull[1] - pull[0]) * np.array([1.0 / float(problem.scale)] * problem.samples + [PULL_BIAS])
    return width


def followers(problem: ReducedProblem, task: Task, left: Survivors | Task) -> list[Task] | None:
    """The tasks that follow from what an examination left of one; None when that is too small to go on."""
    if isinstance(left, Task):
        return split_pull(problem, left)
    d, nodes = problem.samples, left.nodes
    whole = Task(left.pull, nodes, task.cell, task.met | left.copies)
    number = nodes.shape[2]
    width = left.pull[1] - left.pull[0]
    state_width = (nodes[1] - nodes[0])[d + 1 :]
    largest = float(state_width.max()) if state_width.size else 0.0
    if max(float((width[:d]).max()) / float(problem.scale), float(width[d]), largest) < LEAST_WIDTH:
        return None
    several = problem.nodes > 1
    waits = max(SLAB_WIDTH[several] * problem.slack, SLAB_SQUARE[several] * problem.slack**2)
    if problem.slack and float(width[:d].max()) < waits * float(problem.scale):
        # Residuals may be narrow, to a point, where the nodes are not: these tell more.
        if largest < SLAB_STATES * problem.slack or number > NODE_LIMIT[min(problem.nodes, len(NODE_LIMIT)) - 1]:
            return None
        return [replace(whole, nodes=bisect_nodes(nodes, _spread(problem, nodes)))]
    if (width < SHRINK_ENOUGH * (task.pull[1] - task.pull[0])).any():
        return [whole]
    # When nodes find many partners, a wide residual box is too wide to tell them apart.
    wide = CROWD_WIDTH * float(_widths(problem, left.pull).max()) > largest
    crowded = problem.nodes > 1 and left.size > CROWD * (number + 1) and wide
    if number == 0 or crowded or number > NODE_LIMIT[min(problem.nodes, len(NODE_LIMIT)) - 1]:
        return split_pull(problem, whole)
    return [replace(whole, nodes=bisect_nodes(nodes, _spread(problem, nodes)))]


def _spread(problem: ReducedProblem, nodes: Doubles) -> Doubles:
    """Widths of the rows of node boxes in one measure."""
    spread: Doubles = nodes[1] - nodes[0]
    spread[: problem.samples] *= PULL_WEIGHT / float(problem.scale)
    spread[problem.samples] *= BIAS_WEIGHT
    return spread
