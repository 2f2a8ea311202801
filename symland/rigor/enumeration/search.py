"""Branch and prune over residual boxes; see the package docstring for the argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.joint import ENERGY_SLACK, ZERO_REACH, Lanes, bound, follow, sift
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.matching import fitting_pairs
from symland.rigor.enumeration.node import affine_program, contract_program, zero_program
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.pulls import (
    combination_program,
    energy_program,
    first_box,
    meeting_program,
)

Integers = npt.NDArray[np.intp]
Engine = Callable[[Doubles], Doubles]

SWEEPS = 2
"""Contractions of a node box each time that its residual box is examined, for N > 1 (one for N = 1)."""
COMBINATION_LIMIT = 2_000_000
"""Pairs tried in one step of a residual box beyond which it is split unseen."""
JOINT_LIMIT = 50
"""Choices of nodes of one residual box up to which each is followed by itself."""
SIFT_LIMIT = (1000, 300)
"""Choices of nodes up to which each is examined once, for N = 1 and more; what is left narrows the nodes."""
ROUNDING_SLACK = 1e-9
"""Granted to rounding in sums of a few doubles below 10^4."""


@dataclass(frozen=True, kw_only=True)
class Engines:
    """Compiled lane programs of one problem."""

    contract: Engine
    zero: Engine
    affine: Engine
    meet: Engine
    combine: Engine
    energy: Engine


@lru_cache(maxsize=32)
def engines(problem: ReducedProblem, compiled: bool = True) -> Engines:
    """Compile the programs."""
    d, m, n = problem.samples, problem.inputs, problem.nodes
    texts = {
        "contract": (contract_program(problem.design), 2 * (d + m + 2)),
        "zero": (zero_program(problem.design), 2 * d + 2 * (m + 1)),
        "affine": (affine_program(problem.design), 2 * d + 2 * (m + 1)),
        "meet": (meeting_program(problem), n * (4 * d + 2)),
        "combine": (combination_program(problem), n * (2 * d + d * d) + 3 * d),
        "energy": (energy_program(problem), 4 * d + 2),
    }
    if compiled:
        return Engines(**{name: CompiledLanes(name, *text) for name, text in texts.items()})
    return Engines(**{name: NumpyLanes(*text) for name, text in texts.items()})


@dataclass(slots=True)
class Task:
    """A box of (P, gamma), shape (2, D + 1), with the node boxes (2, D + 1 + m + 1, n) of every non-zero node state.

    The rows of a node box are P, gamma, U, v: each node carries the residuals under which it may stand.
    """

    pull: Doubles
    nodes: Doubles
    depth: int = 0


@dataclass(slots=True)
class Counters:
    """Work done: residual boxes, node boxes contracted, choices of nodes, lanes of the joint search."""

    pull_boxes: int = 0
    node_boxes: int = 0
    combinations: int = 0
    lanes: int = 0
    given_back: int = 0
    closed: dict[str, int] = field(default_factory=dict)

    def close(self, reason: str) -> None:
        self.closed[reason] = self.closed.get(reason, 0) + 1


@dataclass(slots=True)
class Survivors:
    """What a task still allows.

    pull : (2, D + 1) hull; nodes : (2, D + 1 + m + 1, n) boxes in use, the zero node last;
    choices : (k, N) indices of nodes; reach : (2, D + 1, k) residuals of each choice;
    states : (2, N, m + 1, k) node boxes of each choice, where they were examined.
    """

    pull: Doubles
    nodes: Doubles
    choices: Integers
    reach: Doubles
    states: Doubles | None = None


def first_task(problem: ReducedProblem) -> Task:
    """Everything."""
    pull, state = first_box(problem)
    bias = state[1, -1]
    whole = np.concatenate([pull, [[-bias], [bias]]], axis=1)
    return Task(whole, np.concatenate([whole, state], axis=1)[:, :, None])


def contract_nodes(
    problem: ReducedProblem, engine: Engines, nodes: Doubles, owner: Integers, counters: Counters
) -> tuple[Doubles, Integers, Doubles]:
    """Contract node boxes and drop those without a non-zero solution.

    Returns nodes, owner and share (2, D, n), the ranges of g.
    """
    rows, m1, samples = nodes.shape[1], problem.inputs + 1, problem.samples
    share = np.zeros((2, samples, owner.size))
    for _ in range(1 if problem.nodes == 1 else SWEEPS):
        counters.node_boxes += owner.size
        out = engine.contract(np.concatenate([nodes[0], nodes[1]]))
        alive = out[-1] == 0.0
        owner, out = owner[alive], out[:, alive]
        nodes = np.stack([out[:rows], out[rows : 2 * rows]])
    share = np.stack([out[2 * rows : 2 * rows + samples], out[2 * rows + samples : 2 * rows + 2 * samples]])
    state = nodes[:, -m1:]
    size = np.maximum(np.abs(state[0]), np.abs(state[1])).max(axis=0)
    near = np.flatnonzero(((state[0] <= 0.0) & (state[1] >= 0.0)).all(axis=0) | (size < ZERO_REACH))
    if near.size:
        packed = np.concatenate([nodes[0, :samples], nodes[1, :samples], state[0], state[1]])[:, near]
        keep = np.ones(owner.size, dtype=bool)
        keep[near[engine.zero(packed)[0] > 0.0]] = False
        owner, nodes, share = owner[keep], nodes[:, :, keep], share[:, :, keep]
    return nodes, owner, share


def bisect_nodes(nodes: Doubles, width: Doubles) -> Doubles:
    """Halve each node box across the row where ``width`` (rows, n) is largest; where it is 0 the box stays."""
    split = width.any(axis=0)
    kept, halves = nodes[:, :, ~split], nodes[:, :, split]
    axis = np.argmax(width[:, split], axis=0)
    rows = np.arange(axis.size)
    middle = (halves[0, axis, rows] + halves[1, axis, rows]) * 0.5
    left, right = halves.copy(), halves.copy()
    left[1, axis, rows] = middle
    right[0, axis, rows] = middle
    return np.concatenate([kept, left, right], axis=2)


def choose_nodes(
    nodes: Doubles, share: Doubles, pull: Doubles, logits: Doubles, energy: Doubles, count: int
) -> Integers | None:
    """Multisets of ``count`` nodes with common residuals, possible logits and sum v^2 in ``energy``; None if too many.

    Sum_j g_jd = Delta_d - gamma; the difference of two samples removes gamma, whose range is the widest.

    Parameters
    ----------
    nodes : (2, rows, n); share : ranges of g, (2, D, n); pull : (2, D + 1); logits : (2, D); energy : (2,).

    Returns
    -------
    (k, count), rising along a row.
    """
    samples, n = share.shape[1], nodes.shape[2]
    first, second = np.triu_indices(samples, 1)
    bias = pull[:, samples]
    low = np.concatenate([share[0], share[0][first] - share[1][second], nodes[0, -1:] ** 2])
    high = np.concatenate([share[1], share[1][first] - share[0][second], nodes[1, -1:] ** 2])
    floor = np.concatenate([logits[0] - bias[1], logits[0][first] - logits[1][second], energy[:1]]) - ROUNDING_SLACK
    ceiling = np.concatenate([logits[1] - bias[0], logits[1][first] - logits[0][second], energy[1:]]) + ROUNDING_SLACK
    begin, end = nodes[0, : samples + 1], nodes[1, : samples + 1]
    if count == 1:
        return np.flatnonzero(((floor[:, None] <= high) & (low <= ceiling[:, None])).all(axis=0))[:, None]
    chosen = np.arange(n)[:, None]
    part_low, part_high, part_begin, part_end = low, high, begin, end
    for step in range(1, count):
        if len(chosen) * n > COMBINATION_LIMIT:
            return None
        # The rest of the nodes can add at most their range's hull, the zero node included.
        rest = count - 1 - step
        most = ceiling[:, None] - part_low - rest * low.min(axis=1)[:, None]
        least = floor[:, None] - part_high - rest * high.max(axis=1)[:, None]
        i, j = fitting_pairs(
            np.concatenate([low, begin]),
            np.concatenate([high, end]),
            np.concatenate([most, part_end]),
            np.concatenate([least, part_begin]),
            chosen[:, -1],
        )
        chosen = np.concatenate([chosen[i], j[:, None]], axis=1)
        if step < count - 1:
            part_low, part_high = part_low[:, i] + low[:, j], part_high[:, i] + high[:, j]
            part_begin, part_end = np.maximum(part_begin[:, i], begin[:, j]), np.minimum(part_end[:, i], end[:, j])
    return chosen


def examine_batch(
    problem: ReducedProblem, engine: Engines, known: KnownPoints, tasks: list[Task], counters: Counters
) -> list[Survivors | Task | None]:
    """Propagate, contract and combine a batch of tasks.

    Returns one entry a task: None (no solution), a Task (too many choices: split it), or the survivors.
    """
    counters.pull_boxes += len(tasks)
    samples, m1, count = problem.samples, problem.inputs + 1, problem.nodes
    rows = samples + 1
    found = bound(problem, engine, np.stack([t.pull for t in tasks], axis=2))
    pull = found.pull
    results: list[Survivors | Task | None] = [None] * len(tasks)
    live = np.flatnonzero(~found.dead)
    counters.closed["residuals"] = counters.closed.get("residuals", 0) + len(tasks) - live.size
    if live.size == 0:
        return results
    nodes = np.concatenate([tasks[i].nodes for i in live], axis=2)
    owner = np.repeat(live, [tasks[i].nodes.shape[2] for i in live])
    nodes[0, :rows] = np.maximum(nodes[0, :rows], pull[0][:, owner])
    nodes[1, :rows] = np.minimum(nodes[1, :rows], pull[1][:, owner])
    nodes[1, -1] = np.minimum(nodes[1, -1], (np.sqrt(found.energy[1]) * (1 + ENERGY_SLACK) + ENERGY_SLACK)[owner])
    inside = (nodes[0] <= nodes[1]).all(axis=0)
    nodes, owner, share = contract_nodes(problem, engine, nodes[:, :, inside], owner[inside], counters)
    order = np.argsort(owner, kind="stable")
    nodes, owner, share = nodes[:, :, order], owner[order], share[:, :, order]
    starts = np.searchsorted(owner, np.arange(len(tasks) + 1))
    few: list[int] = []
    many: list[int] = []
    for i in live.tolist():
        own = slice(starts[i], starts[i + 1])
        zero = np.concatenate([pull[:, :, i], np.zeros((2, m1))], axis=1)[:, :, None]
        mine = np.concatenate([nodes[:, :, own], zero], axis=2)
        g = np.concatenate([share[:, :, own], np.zeros((2, samples, 1))], axis=2)
        chosen = choose_nodes(mine, g, pull[:, :, i], found.logits[:, :, i], found.energy[:, i], count)
        if chosen is None:
            results[i] = Task(pull[:, :, i], nodes[:, :, own], tasks[i].depth)
            continue
        counters.combinations += len(chosen)
        if not len(chosen):
            counters.close("logits")
            continue
        reach = mine[:, :rows][:, :, chosen[:, 0]]
        for j in range(1, count):
            np.maximum(reach[0], mine[0, :rows][:, chosen[:, j]], out=reach[0])
            np.minimum(reach[1], mine[1, :rows][:, chosen[:, j]], out=reach[1])
        results[i] = Survivors(pull[:, :, i], mine, chosen, reach)
        if len(chosen) <= JOINT_LIMIT:
            few.append(i)
        elif len(chosen) <= SIFT_LIMIT[min(count, len(SIFT_LIMIT)) - 1]:
            many.append(i)
    if few:
        _follow(problem, engine, known, few, results, counters)
    if many:
        _sift(problem, engine, known, many, results, counters)
    for i in live.tolist():
        left = results[i]
        if isinstance(left, Survivors):
            results[i] = _tighten(left, rows)
    return results


def _lanes(problem: ReducedProblem, left: Survivors | Task | None, owner: Integers) -> Lanes:
    assert isinstance(left, Survivors)
    states = left.nodes[:, problem.samples + 1 :][:, :, left.choices].transpose(0, 3, 1, 2)
    return Lanes(left.reach.copy(), states, owner)


def _sift(
    problem: ReducedProblem,
    engine: Engines,
    known: KnownPoints,
    many: list[int],
    results: list[Survivors | Task | None],
    counters: Counters,
) -> None:
    """Examine the choices of some results once, and keep what is left of their residuals and nodes (in place)."""
    sizes = [len(left.choices) for i in many if isinstance(left := results[i], Survivors)]
    ends = np.cumsum(sizes)
    starts = ends - sizes
    numbers = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
    lanes = Lanes.join([_lanes(problem, results[i], own) for i, own in zip(many, numbers, strict=True)])
    found = sift(problem, engine, known, lanes, counters)
    place = np.searchsorted(ends, found.lanes.owner, side="right")
    met = np.unique(np.searchsorted(ends, found.swallowed, side="right"))
    for number, i in enumerate(many):
        left, own = results[i], place == number
        assert isinstance(left, Survivors)
        kept = found.lanes.take(own)
        if not kept.owner.size:
            results[i] = None
            counters.close("known" if number in met else "joint")
        else:
            choices = left.choices[kept.owner - starts[number]]
            results[i] = Survivors(left.pull, left.nodes, choices, kept.reach, kept.states)


def _follow(
    problem: ReducedProblem,
    engine: Engines,
    known: KnownPoints,
    few: list[int],
    results: list[Survivors | Task | None],
    counters: Counters,
) -> None:
    """Follow the choices of some results to the end, and clear the results of which none is left (in place)."""
    lanes = []
    for place, i in enumerate(few):
        left = results[i]
        assert isinstance(left, Survivors)
        lanes.append(_lanes(problem, left, np.full(len(left.choices), place)))
    failed, swallowed = follow(problem, engine, known, Lanes.join(lanes), len(few), counters)
    counters.given_back += int(failed.sum())
    for place, i in enumerate(few):
        if not failed[place]:
            results[i] = None
            counters.close("known" if swallowed[place] else "joint")


def _tighten(found: Survivors, rows: int) -> Survivors:
    """Give every node the hull of the residuals of the choices in which it takes part."""
    count = found.choices.shape[1]
    n = found.nodes.shape[2]
    flat = found.choices.ravel()
    order = np.argsort(flat, kind="stable")
    used, first = np.unique(flat[order], return_index=True)
    which = order // count
    nodes = found.nodes[:, :, used].copy()
    nodes[0, :rows] = np.minimum.reduceat(found.reach[0][:, which], first, axis=1)
    nodes[1, :rows] = np.maximum.reduceat(found.reach[1][:, which], first, axis=1)
    if found.states is not None:
        lanes = found.states.transpose(0, 2, 3, 1).reshape(2, -1, flat.size)[:, :, order]
        nodes[0, rows:] = np.minimum.reduceat(lanes[0], first, axis=1)
        nodes[1, rows:] = np.maximum.reduceat(lanes[1], first, axis=1)
    hull = np.stack([found.reach[0].min(axis=1), found.reach[1].max(axis=1)])
    renumber = np.full(n, -1)
    renumber[used] = np.arange(used.size)
    if used[-1] == n - 1:
        return Survivors(hull, nodes, renumber[found.choices], found.reach)
    zero = np.concatenate([hull, np.zeros((2, nodes.shape[1] - rows))], axis=1)[:, :, None]
    return Survivors(hull, np.concatenate([nodes, zero], axis=2), renumber[found.choices], found.reach)
