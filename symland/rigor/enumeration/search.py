"""Branch and prune over residual boxes; see the package docstring for the argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.node import affine_program, contract_program, zero_program
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.pulls import (
    combination_program,
    energy_program,
    first_box,
    margin_guess,
    meeting_program,
)

Integers = npt.NDArray[np.intp]
Engine = Callable[[Doubles], Doubles]

SWEEPS = 2
"""Contractions of a node box each time that its residual box is examined, for N > 1 (one for N = 1)."""
ZERO_REACH = 0.3
"""Node boxes within this distance of 0 (weights) are tested for holding only the zero node."""
NODE_LIMIT = 100
"""Node boxes of one residual box beyond which it is split rather than they."""
COMBINATION_LIMIT = 2_000_000
"""Choices of nodes of one residual box beyond which it is split unseen."""
AFFINE_LIMIT = 1000
"""Choices of nodes of one residual box up to which each is examined with its own affine forms."""
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
    """Work done."""

    pull_boxes: int = 0
    node_boxes: int = 0
    combinations: int = 0
    closed: dict[str, int] = field(default_factory=dict)

    def close(self, reason: str) -> None:
        self.closed[reason] = self.closed.get(reason, 0) + 1


@dataclass(slots=True)
class Survivors:
    """What a task still allows.

    pull : (2, D + 1) hull; nodes : (2, D + 1 + m + 1, n) boxes in use, the zero node last;
    choices : (k, N) indices of nodes; reach : (2, D + 1, k) residuals of each choice;
    states : (2, N, m + 1, k) node boxes of each choice, or None when there were too many choices;
    swallowed : classes whose uniqueness boxes held a choice.
    """

    pull: Doubles
    nodes: Doubles
    choices: Integers
    reach: Doubles
    states: Doubles | None
    swallowed: tuple[int, ...] = ()


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


def choose_nodes(nodes: Doubles, samples: int, energy: float, count: int) -> Integers | None:
    """Multisets of ``count`` nodes with common residuals and sum v^2 <= energy; (k, count), or None if too many."""
    n = nodes.shape[2]
    low, high = nodes[0, : samples + 1], nodes[1, : samples + 1]
    square = nodes[0, -1] ** 2
    chosen = np.arange(n)[:, None]
    for _ in range(count - 1):
        spans = n - chosen[:, -1]
        if int(spans.sum()) > COMBINATION_LIMIT:
            return None
        starts = np.cumsum(spans) - spans
        last = np.arange(spans.sum()) - np.repeat(starts - chosen[:, -1], spans)
        keep = np.ones(last.size, dtype=bool)
        part = np.repeat(chosen, spans, axis=0)
        for j in range(chosen.shape[1]):
            first = part[:, j]
            for row in range(samples + 1):
                keep &= (low[row][first] <= high[row][last]) & (low[row][last] <= high[row][first])
        chosen = np.concatenate([part[keep], last[keep, None]], axis=1)
        chosen = chosen[square[chosen].sum(axis=1) <= energy * (1 + ROUNDING_SLACK)]
    return chosen


def examine_batch(
    problem: ReducedProblem, engine: Engines, known: KnownPoints, tasks: list[Task], counters: Counters
) -> list[Survivors | Task | None]:
    """Propagate, contract and combine a batch of tasks.

    Returns one entry a task: None (no solution), a Task (too many choices: split it), or the survivors.
    """
    counters.pull_boxes += len(tasks)
    samples, m1, count = problem.samples, problem.inputs + 1, problem.nodes
    pull = np.stack([t.pull for t in tasks], axis=2)
    pull, energy, dead = _bound(problem, engine, pull)
    results: list[Survivors | Task | None] = [None] * len(tasks)
    live = np.flatnonzero(~dead)
    counters.closed["residuals"] = counters.closed.get("residuals", 0) + len(tasks) - live.size
    if live.size == 0:
        return results
    nodes = np.concatenate([tasks[i].nodes for i in live], axis=2)
    owner = np.repeat(live, [tasks[i].nodes.shape[2] for i in live])
    nodes[0, : samples + 1] = np.maximum(nodes[0, : samples + 1], pull[0][:, owner])
    nodes[1, : samples + 1] = np.minimum(nodes[1, : samples + 1], pull[1][:, owner])
    nodes[1, -1] = np.minimum(nodes[1, -1], (np.sqrt(energy) * (1 + 1e-12))[owner])
    inside = (nodes[0] <= nodes[1]).all(axis=0)
    nodes, owner, share = contract_nodes(problem, engine, nodes[:, :, inside], owner[inside], counters)
    order = np.argsort(owner, kind="stable")
    nodes, owner, share = nodes[:, :, order], owner[order], share[:, :, order]
    starts = np.searchsorted(owner, np.arange(len(tasks) + 1))
    jobs: list[tuple[int, Integers, Doubles]] = []
    columns = []
    for i in live.tolist():
        own = slice(starts[i], starts[i + 1])
        zero = np.concatenate([pull[:, :, i], np.zeros((2, m1))], axis=1)[:, :, None]
        mine = np.concatenate([nodes[:, :, own], zero], axis=2)
        chosen = choose_nodes(mine, samples, float(energy[i]), count)
        if chosen is None:
            results[i] = Task(pull[:, :, i], nodes[:, :, own], tasks[i].depth)
            continue
        if not len(chosen):
            counters.close("disjoint")
            continue
        g = np.concatenate([share[:, :, own], np.zeros((2, samples, 1))], axis=2)
        packed = np.concatenate([mine[0, :samples], mine[1, :samples], mine[:, samples], g[0], g[1]])
        columns.append(np.concatenate([packed[:, chosen[:, j]] for j in range(count)]))
        jobs.append((i, chosen, mine))
    if not jobs:
        return results
    met = engine.meet(np.concatenate(columns, axis=1))
    counters.combinations += met.shape[1]
    place, fine = 0, []
    for i, chosen, mine in jobs:
        block = met[:, place : place + len(chosen)]
        place += len(chosen)
        possible = block[-1] == 0.0
        if not possible.any():
            counters.close("logits")
            continue
        chosen, block = chosen[possible], block[:, possible]
        reach = np.stack(
            [
                np.concatenate([block[:samples], block[2 * samples : 2 * samples + 1]]),
                np.concatenate([block[samples : 2 * samples], block[2 * samples + 1 : 2 * samples + 2]]),
            ]
        )
        found = Survivors(pull[:, :, i], mine, chosen, reach, None)
        results[i] = found
        if len(chosen) <= AFFINE_LIMIT:
            fine.append(i)
    if fine:
        _affine_stage(problem, engine, known, [results[i] for i in fine], counters)  # type: ignore[misc]
    for i, _, _ in jobs:
        found_i = results[i]
        if isinstance(found_i, Survivors):
            results[i] = _tighten(found_i, samples, counters)
    return results


def _bound(problem: ReducedProblem, engine: Engines, pull: Doubles) -> tuple[Doubles, Doubles, npt.NDArray[np.bool_]]:
    """Energy, symmetry and balance on boxes (2, D + 1, n): the boxes left, upper bounds of sum v^2, and which are
    empty."""
    d = problem.samples
    guesses = [margin_guess(problem, pull[side, :d]) for side in (0, 1)]
    out = engine.energy(np.concatenate([pull[0, :d], pull[1, :d], pull[:, d], *guesses]))
    left = np.stack(
        [
            np.concatenate([out[:d], out[2 * d : 2 * d + 1]]),
            np.concatenate([out[d : 2 * d], out[2 * d + 1 : 2 * d + 2]]),
        ]
    )
    return left, out[2 * d + 2], out[-1] > 0.0


def _affine_stage(
    problem: ReducedProblem, engine: Engines, known: KnownPoints, batch: list[Survivors], counters: Counters
) -> None:
    """Examine each choice with affine forms about its own residual box (in place)."""
    samples, m1, count = problem.samples, problem.inputs + 1, problem.nodes
    reach = np.concatenate([s.reach for s in batch], axis=2)
    reach, _, dead = _bound(problem, engine, reach)
    low, high = reach[0, :samples], reach[1, :samples]
    boxes = np.concatenate([s.nodes[:, -m1:, s.choices] for s in batch], axis=2)
    states = np.empty((2, count, m1, reach.shape[2]))
    lanes = []
    for j in range(count):
        out = engine.affine(np.concatenate([low, high, boxes[0, :, :, j], boxes[1, :, :, j]]))
        zero = (boxes[0, :, :, j] == 0.0).all(axis=0) & (boxes[1, :, :, j] == 0.0).all(axis=0)
        out[:, zero] = 0.0
        dead = dead | (out[-1] > 0.0)
        states[0, j], states[1, j] = out[:m1], out[m1 : 2 * m1]
        lanes.append(out[2 * m1 : 2 * m1 + 2 * samples + samples * samples])
    counters.node_boxes += count * reach.shape[2]
    guess = margin_guess(problem, (low + high) * 0.5)
    combined = engine.combine(np.concatenate([*lanes, low, high, guess]))
    dead = dead | (combined[-1] > 0.0)
    holder = known.holders(states[0], states[1], reach[0, samples], reach[1, samples])
    holder[dead] = -1
    dead = dead | (holder >= 0)
    place = 0
    for s in batch:
        k = s.choices.shape[0]
        own = np.arange(place, place + k)
        place += k
        own_keep = own[~dead[own]]
        s.swallowed = tuple(sorted(set(holder[own].tolist()) - {-1}))
        kept = own_keep - (place - k)
        s.reach = s.reach[:, :, kept]
        s.reach[:, samples] = reach[:, samples, own_keep]
        s.reach[0, :samples], s.reach[1, :samples] = (
            combined[:samples, own_keep],
            combined[samples : 2 * samples, own_keep],
        )
        s.choices = s.choices[kept]
        s.states = states[:, :, :, own_keep]


def _tighten(found: Survivors, samples: int, counters: Counters) -> Survivors | None:
    """Give every node the hull of the residuals (and states) of the choices in which it takes part."""
    if not len(found.choices):
        counters.close("known" if found.swallowed else "affine")
        return None
    k, count = found.choices.shape
    n = found.nodes.shape[2]
    flat = found.choices.ravel()
    order = np.argsort(flat, kind="stable")
    used, first = np.unique(flat[order], return_index=True)
    which = order // count
    rows = samples + 1
    nodes = found.nodes[:, :, used].copy()
    nodes[0, :rows] = np.minimum.reduceat(found.reach[0][:, which], first, axis=1)
    nodes[1, :rows] = np.maximum.reduceat(found.reach[1][:, which], first, axis=1)
    if found.states is not None:
        lanes = found.states.transpose(0, 2, 3, 1).reshape(2, -1, k * count)[:, :, order]
        nodes[0, rows:] = np.minimum.reduceat(lanes[0], first, axis=1)
        nodes[1, rows:] = np.maximum.reduceat(lanes[1], first, axis=1)
    hull = np.stack([found.reach[0].min(axis=1), found.reach[1].max(axis=1)])
    renumber = np.full(n, -1)
    renumber[used] = np.arange(used.size)
    if used[-1] == n - 1:
        return Survivors(hull, nodes, renumber[found.choices], found.reach, found.states, found.swallowed)
    zero = np.concatenate([hull, np.zeros((2, nodes.shape[1] - rows))], axis=1)[:, :, None]
    return Survivors(
        hull, np.concatenate([nodes, zero], axis=2), renumber[found.choices], found.reach, found.states, found.swallowed
    )
