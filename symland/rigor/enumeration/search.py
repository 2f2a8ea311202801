"""Branch and prune over residual boxes; see the package docstring for the argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.joint import (
    ENERGY_SLACK,
    LANE_LIMIT,
    Bounds,
    Lanes,
    bound,
    follow,
    only_zero,
    sift,
)
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.matching import match
from symland.rigor.enumeration.node import Design, LaneText, affine_program, contract_program, zero_program
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.pulls import (
    combination_program,
    energy_program,
    first_box,
    meeting_program,
)

Integers = npt.NDArray[np.intp]
Engine = Callable[[Doubles], Doubles]
Listed = tuple[int, Doubles, Integers]
"""A place in the batch, the node boxes of its task (the zero node last), and choices (k, N) of them."""

SWEEPS = 2
"""Contractions of a node box each time that its residual box is examined, for N > 1 (one for N = 1)."""
COMBINATION_LIMIT = 1_000_000_000
"""Pairs tried in one step of a residual box (a bit of memory each) beyond which it is split unseen, ..."""
PART_LIMIT = 1_000_000
"""... and choices of fewer than N nodes (half a kilobyte each)."""
JOINT_LIMIT = 200
"""Choices of nodes of one residual box up to which each is followed by itself."""
SIFT_LIMIT = 1000
"""For N = 1, choices of nodes up to which each is examined once; what is left narrows the nodes."""
CLUSTER_LIMIT = 8
"""Clusters of node boxes up to which the choices of their hulls are followed, ..."""
CLUSTER_WIDTH = 0.5
"""... if none is wider than this ..."""
CLUSTER_PULL = 0.03
"""... and the residual box (P / kappa) is narrower than this, ..."""
CLUSTER_LANES = 300
"""... for as many lanes."""
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


def _ready(texts: dict[str, tuple[LaneText, int]], compiled: bool) -> dict[str, Engine]:
    if compiled:
        return {name: CompiledLanes(name, *text) for name, text in texts.items()}
    return {name: NumpyLanes(*text) for name, text in texts.items()}


@lru_cache(maxsize=32)
def _node_engines(design: Design, compiled: bool) -> dict[str, Engine]:
    """The programs of one node know the inputs only, and are the longest to compile."""
    d, m = len(design), len(design[0])
    texts = {
        "contract": (contract_program(design), 2 * (d + m + 2)),
        "zero": (zero_program(design), 2 * d + 2 * (m + 1)),
        "affine": (affine_program(design), 2 * d + 2 * (m + 1)),
    }
    return _ready(texts, compiled)


@lru_cache(maxsize=32)
def engines(problem: ReducedProblem, compiled: bool = True) -> Engines:
    """The programs, compiled or over NumPy arrays."""
    d, n = problem.samples, problem.nodes
    texts = {
        "meet": (meeting_program(problem), n * (4 * d + 2)),
        "combine": (combination_program(problem), n * (2 * d + d * d) + 3 * d),
        "energy": (energy_program(problem), 4 * d + 2),
    }
    return Engines(**_node_engines(problem.design, compiled), **_ready(texts, compiled))


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
    closed: dict[str, int] = field(default_factory=dict)

    def close(self, reason: str, count: int = 1) -> None:
        self.closed[reason] = self.closed.get(reason, 0) + count

    def add(self, other: Counters) -> None:
        self.pull_boxes += other.pull_boxes
        self.node_boxes += other.node_boxes
        self.combinations += other.combinations
        self.lanes += other.lanes
        for reason, count in other.closed.items():
            self.close(reason, count)


@dataclass(slots=True)
class Survivors:
    """What a task still allows: the hull (2, D + 1) of (P, gamma), the nodes in use, and how many choices of them."""

    pull: Doubles
    nodes: Doubles
    size: int


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

    Returns nodes, owner and share (2, D (D + 1) / 2, n), the ranges of g and of its differences.
    """
    rows = nodes.shape[1]
    for _ in range(1 if problem.nodes == 1 else SWEEPS):
        counters.node_boxes += owner.size
        out = engine.contract(np.concatenate([nodes[0], nodes[1]]))
        alive = out[-1] == 0.0
        owner, out = owner[alive], out[:, alive]
        nodes = np.stack([out[:rows], out[rows : 2 * rows]])
    share = np.stack(np.split(out[2 * rows : -1], 2))
    keep = ~only_zero(engine, nodes[0], nodes[1], problem.samples)
    if not keep.all():
        owner, nodes, share = owner[keep], nodes[:, :, keep], share[:, :, keep]
    return nodes, owner, share


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


@dataclass(slots=True)
class Members:
    """The nodes of one residual box, the zero node last, and what each allows.

    nodes : (2, rows, n) boxes; part : ranges of what a choice adds up, (2, Q, n); room : the range (2, Q, n) in which
    the sum must meet for every P that the node admits.  Q counts the shares g_d of the logits, their differences (which
    know nothing of gamma, whose range is the widest) and v^2.
    """

    nodes: Doubles
    part: Doubles
    room: Doubles

    def take(self, which: slice) -> Members:
        return Members(self.nodes[:, :, which], self.part[:, :, which], self.room[:, :, which])


def make_members(problem: ReducedProblem, nodes: Doubles, share: Doubles, found: Bounds) -> Members:
    """Sum_j g_jd = Delta_d - gamma and sum_j v_j^2 = energy, over the residuals of each node by itself.

    Parameters
    ----------
    nodes : (2, rows, n); share : ranges of g and its differences, (2, D (D + 1) / 2, n); found : bounds over the
    residuals of each node.
    """
    samples = problem.samples
    first, second = np.triu_indices(samples, 1)
    low, high = share
    foot, top = found.logits
    bias = found.pull[:, samples]
    part = [np.concatenate([low, nodes[0, -1:] ** 2]), np.concatenate([high, nodes[1, -1:] ** 2])]
    room = [
        np.concatenate([foot - bias[1], foot[first] - top[second], found.energy[:1]]) - ROUNDING_SLACK,
        np.concatenate([top - bias[0], top[first] - foot[second], found.energy[1:]]) + ROUNDING_SLACK,
    ]
    return Members(nodes, np.stack(part), np.stack(room))


def _nobody(rows: int, count: int) -> Doubles:
    """Empty boxes (2, rows, count)."""
    return np.stack([np.full((rows, count), np.inf), np.full((rows, count), -np.inf)])


def _hulls(label: Integers, boxes: Doubles, count: int) -> Doubles:
    """Hulls (2, rows, count) of the boxes (2, rows, n) of each label; empty where it has none."""
    hull = _nobody(count, boxes.shape[1])
    np.minimum.at(hull[0], label, boxes[0].T)
    np.maximum.at(hull[1], label, boxes[1].T)
    return hull.transpose(0, 2, 1)


def _join(a: Doubles, b: Doubles) -> Doubles:
    return np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])])


@dataclass(slots=True)
class Choices:
    """Multisets of nodes that fit: ``size`` of them, the hull of the residuals of each node in them, and their list."""

    size: int
    hull: Doubles
    listed: Callable[[], Integers]


def choose_nodes(members: Members, rows: int, count: int) -> Choices | None:
    """Multisets of ``count`` nodes which share residuals, and whose sums meet the room of each; None if too many."""
    low, high = members.part
    floor, ceiling = members.room
    begin, end = members.nodes[:, :rows]
    n = begin.shape[1]
    if count == 1:
        fits = ((floor <= high) & (low <= ceiling)).all(axis=0)
        hull = np.stack([np.where(fits, begin, np.inf), np.where(fits, end, -np.inf)])
        return Choices(int(fits.sum()), hull, lambda: np.flatnonzero(fits)[:, None])
    chosen = np.arange(n)[:, None]
    # Low, high, floor, ceiling, begin, end of the part of a choice that stands.
    part = [low, high, floor, ceiling, begin, end]
    for step in range(1, count):
        if len(chosen) * n > COMBINATION_LIMIT:
            return None
        # The rest of the nodes can add at most their range's hull, the zero node included.
        rest = count - 1 - step
        spare, need = rest * low.min(axis=1)[:, None], rest * high.max(axis=1)[:, None]
        # Sum <= ceiling for the ceilings of the part and of the newcomer, and sum >= floor likewise.
        found = match(
            (np.concatenate([low, low - ceiling]), np.concatenate([high, high - floor])),
            (
                np.concatenate([part[3] - part[0] - spare, -part[0] - spare]),
                np.concatenate([part[2] - part[1] - need, -part[1] - need]),
            ),
            (begin, end),
            (part[4], part[5]),
            chosen[:, -1],
        )
        if step == count - 1:
            break
        if found.size > PART_LIMIT:
            return None
        i, j = found.pairs()
        chosen = np.concatenate([chosen[i], j[:, None]], axis=1)
        part = [
            part[0][:, i] + low[:, j],
            part[1][:, i] + high[:, j],
            np.maximum(part[2][:, i], floor[:, j]),
            np.minimum(part[3][:, i], ceiling[:, j]),
            np.maximum(part[4][:, i], begin[:, j]),
            np.minimum(part[5][:, i], end[:, j]),
        ]
    hull = found.second
    for column in chosen.T:
        hull = _join(hull, _hulls(column, found.first, n))

    def listed() -> Integers:
        i, j = found.pairs()
        return np.concatenate([chosen[i], j[:, None]], axis=1)

    return Choices(found.size, hull, listed)


def examine_batch(
    problem: ReducedProblem, engine: Engines, known: KnownPoints, tasks: list[Task], counters: Counters
) -> list[Survivors | Task | None]:
    """Propagate, contract and combine a batch of tasks.

    Returns one entry a task: None (no solution), a Task (too many choices: split it), or the survivors.
    """
    counters.pull_boxes += len(tasks)
    count, rows = problem.nodes, problem.samples + 1
    found = bound(problem, engine, np.stack([t.pull for t in tasks], axis=2))
    results: list[Survivors | Task | None] = [None] * len(tasks)
    live = np.flatnonzero(~found.dead)
    counters.close("residuals", len(tasks) - live.size)
    if live.size == 0:
        return results
    members, starts = _members(problem, engine, tasks, found, live, counters)
    few: list[Listed] = []
    many: list[Listed] = []
    crowds: list[int] = []
    for place, i in enumerate(live.tolist()):
        mine = members.take(slice(starts[place], starts[place + 1]))
        choices = choose_nodes(mine, rows, count)
        if choices is None:
            results[i] = Task(found.pull[:, :, i], mine.nodes[:, :, :-1], tasks[i].depth)
            continue
        counters.combinations += choices.size
        if not choices.size:
            counters.close("logits")
            continue
        results[i] = _in_use(mine.nodes, choices, rows)
        if choices.size <= JOINT_LIMIT:
            few.append((i, mine.nodes, choices.listed()))
        elif count == 1 and choices.size <= SIFT_LIMIT:
            many.append((i, mine.nodes, choices.listed()))
        elif float((found.pull[1, :-1, i] - found.pull[0, :-1, i]).max()) < CLUSTER_PULL * float(problem.scale):
            crowds.append(i)
    _follow(problem, engine, known, few, results, counters)
    if many:
        _sift(problem, engine, known, many, results, counters)
    _follow_clusters(problem, engine, known, crowds, results, counters)
    return results


def _members(
    problem: ReducedProblem, engine: Engines, tasks: list[Task], found: Bounds, live: Integers, counters: Counters
) -> tuple[Members, Integers]:
    """Contracted nodes of the live tasks, one task after the other, each with the zero node last; where each begins."""
    rows = problem.samples + 1
    nodes = np.concatenate([tasks[i].nodes for i in live], axis=2)
    owner = np.repeat(live, [tasks[i].nodes.shape[2] for i in live])
    nodes[0, :rows] = np.maximum(nodes[0, :rows], found.pull[0][:, owner])
    nodes[1, :rows] = np.minimum(nodes[1, :rows], found.pull[1][:, owner])
    nodes[1, -1] = np.minimum(nodes[1, -1], (np.sqrt(found.energy[1]) * (1 + ENERGY_SLACK) + ENERGY_SLACK)[owner])
    inside = (nodes[0] <= nodes[1]).all(axis=0)
    nodes, owner, share = contract_nodes(problem, engine, nodes[:, :, inside], owner[inside], counters)
    # A node box far narrower in P than its task knows more of the logits and the energy.
    own = bound(problem, engine, nodes[:, :rows])
    nodes[:, :rows] = own.pull
    nodes, owner, share, own = nodes[:, :, ~own.dead], owner[~own.dead], share[:, :, ~own.dead], own.take(~own.dead)
    zero = np.zeros((2, nodes.shape[1], live.size))
    zero[:, :rows] = found.pull[:, :, live]
    owner = np.concatenate([owner, live])
    order = np.argsort(owner, kind="stable")
    nodes = np.concatenate([nodes, zero], axis=2)[:, :, order]
    share = np.concatenate([share, np.zeros((2, share.shape[1], live.size))], axis=2)[:, :, order]
    members = make_members(problem, nodes, share, Bounds.join(own, found.take(live)).take(order))
    return members, np.append(np.searchsorted(owner[order], live), owner.size)


def _in_use(nodes: Doubles, choices: Choices, rows: int) -> Survivors:
    """Give every node the hull of the residuals of the choices in which it takes part; drop those in none."""
    used = choices.hull[0, 0] <= choices.hull[1, 0]
    hull = choices.hull[:, :, used]
    pull = np.stack([hull[0].min(axis=1), hull[1].max(axis=1)])
    used[-1] = False  # the zero node is always allowed, and never kept
    nodes = nodes[:, :, used].copy()
    nodes[:, :rows] = choices.hull[:, :, used]
    return Survivors(pull, nodes, choices.size)


def _lanes(rows: int, nodes: Doubles, choices: Integers, owner: Integers) -> Lanes:
    """Choices of nodes as lanes: the residuals that their nodes share, and the boxes of the nodes."""
    picked = nodes[:, :, choices]
    reach = np.stack([picked[0, :rows].max(axis=2), picked[1, :rows].min(axis=2)])
    return Lanes(reach, picked[:, rows:].transpose(0, 3, 1, 2), owner)


def _sift(
    problem: ReducedProblem,
    engine: Engines,
    known: KnownPoints,
    many: list[Listed],
    results: list[Survivors | Task | None],
    counters: Counters,
) -> None:
    """Examine the choices of some results once, and keep what is left of their residuals and nodes (in place)."""
    ends = np.cumsum([len(choices) for _, _, choices in many])
    rows = problem.samples + 1
    lanes = Lanes.join([_lanes(rows, nodes, choices, np.arange(len(choices))) for _, nodes, choices in many])
    lanes.owner = np.arange(ends[-1])
    found = sift(problem, engine, known, lanes, counters)
    place = np.searchsorted(ends, found.lanes.owner, side="right")
    met = np.unique(np.searchsorted(ends, found.swallowed, side="right"))
    for number, (i, _, choices) in enumerate(many):
        kept = found.lanes.take(place == number)
        if not kept.owner.size:
            results[i] = None
            counters.close("known" if number in met else "joint")
        else:
            results[i] = _hull_of_lanes(kept, choices[kept.owner - (ends[number] - len(choices))])


def _clusters(nodes: Doubles, rows: int) -> Doubles:
    """The hulls of the node boxes that hang together."""
    n = nodes.shape[2]
    state, nothing = nodes[:, rows:], np.empty((0, n))
    touch = match((nothing, nothing), (nothing, nothing), (state[0], state[1]), (state[0], state[1]), np.arange(n))
    i, j = touch.pairs()
    count, label = connected_components(coo_array((np.ones(i.size, dtype=bool), (i, j)), shape=(n, n)), directed=False)
    return _hulls(label, nodes, count)


def _follow_clusters(
    problem: ReducedProblem,
    engine: Engines,
    known: KnownPoints,
    crowds: list[int],
    results: list[Survivors | Task | None],
    counters: Counters,
) -> None:
    """Near a solution each node has many boxes that hang together: follow the choices of their hulls (in place)."""
    rows = problem.samples + 1
    tried: list[Listed] = []
    for i in crowds:
        left = results[i]
        assert isinstance(left, Survivors)
        hull = _clusters(left.nodes, rows)
        if hull.shape[2] > CLUSTER_LIMIT or (hull[1] - hull[0])[rows:].max() > CLUSTER_WIDTH:
            continue
        zero = np.zeros((2, hull.shape[1], 1))
        zero[:, :rows, 0] = left.pull
        hull = np.concatenate([hull, zero], axis=2)
        choices = np.array(list(combinations_with_replacement(range(hull.shape[2]), problem.nodes)))
        tried.append((i, hull, choices))
    _follow(problem, engine, known, tried, results, counters, CLUSTER_LANES)


def _hull_of_lanes(lanes: Lanes, choices: Integers) -> Survivors:
    """Every node in the hull of the lanes in which it stands."""
    used, node = np.unique(choices, return_inverse=True)
    boxes = _nobody(lanes.reach.shape[1] + lanes.states.shape[2], used.size)
    for j, column in enumerate(node.reshape(choices.shape).T):
        boxes = _join(boxes, _hulls(column, np.concatenate([lanes.reach, lanes.states[:, j]], axis=1), used.size))
    pull = np.stack([lanes.reach[0].min(axis=1), lanes.reach[1].max(axis=1)])
    zero = (boxes[:, lanes.reach.shape[1] :] == 0.0).all(axis=(0, 1))
    return Survivors(pull, boxes[:, :, ~zero], len(choices))


def _follow(
    problem: ReducedProblem,
    engine: Engines,
    known: KnownPoints,
    few: list[Listed],
    results: list[Survivors | Task | None],
    counters: Counters,
    limit: int = LANE_LIMIT,
) -> None:
    """Follow the choices of some results to the end, and clear the results of which none is left (in place)."""
    if not few:
        return
    rows = problem.samples + 1
    lanes = Lanes.join(
        [_lanes(rows, nodes, choices, np.full(len(choices), place)) for place, (_, nodes, choices) in enumerate(few)]
    )
    lanes = lanes.take((lanes.reach[0] <= lanes.reach[1]).all(axis=0))
    failed, swallowed = follow(problem, engine, known, lanes, len(few), counters, limit)
    for place, (i, _, _) in enumerate(few):
        if not failed[place]:
            results[i] = None
            counters.close("known" if swallowed[place] else "joint")
